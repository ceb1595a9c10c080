//! Adding an app: the secret is shown once, and counts once a code of it was given.

use sg_db::users::factors::{NewTotp, confirm_totp, delete_pending_totp, find_pending_totp, insert_totp};
use sg_types::FactorId;
use sg_types::api::factors::{BeginTotp, ConfirmTotp, FactorAdded, TotpEnrolment};

use super::enrolling::Enrolling;
use super::{ISSUER, adding, secret, totp};
use crate::AppState;
use crate::error::{ApiError, ApiResult};

/// Makes a secret that waits for its confirmation; one that waited before is void.
pub(super) async fn begin(state: &AppState, who: &Enrolling, body: BeginTotp) -> ApiResult<TotpEnrolment> {
    adding::check_name(&body.name)?;
    let at = who.visitor.at;
    let factor_id: FactorId = state.next_id();
    let random: [u8; totp::SECRET_BYTES] = rand::random();
    let mut tx = state.db.system("new factor").await?;
    let account = who.lock(&mut tx).await?;
    delete_pending_totp(&mut tx, account.user_id).await?;
    let secret_id = secret::seal(state, &mut tx, &account, &random, at).await?;
    let new = NewTotp {
        factor_id,
        tenant_id: account.tenant_id,
        user_id: account.user_id,
        name: &body.name,
        secret_id,
        at,
    };
    insert_totp(&mut tx, &new).await?;
    tx.commit_upkeep().await?;
    let uri = totp::uri(ISSUER, &account.username, &random);
    Ok(TotpEnrolment {
        factor_id,
        secret: totp::to_base32(&random),
        qr_svg: totp::draw_qr(&uri).map_err(ApiError::internal)?,
        uri,
    })
}

/// Puts the app into force by one of its codes.
pub(super) async fn confirm(state: &AppState, who: &Enrolling, body: ConfirmTotp) -> ApiResult<FactorAdded> {
    let at = who.visitor.at;
    let mut tx = state.db.system("new factor").await?;
    let account = who.lock(&mut tx).await?;
    let pending = find_pending_totp(&mut tx, account.user_id, body.factor_id, at)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let opened = secret::open(state, &mut tx, pending.secret_id).await?;
    let drift = state.config.second_factors.totp_drift_steps;
    let Some(step) = totp::find_step(&opened, &body.code, at, drift) else {
        return Err(ApiError::invalid_field(
            "code",
            "is not the code that the app shows; check that its clock is right and try the next one",
        ));
    };
    if !confirm_totp(&mut tx, pending.factor_id, step, at).await? {
        return Err(ApiError::not_found());
    }
    adding::finish(state, who, tx, &account, pending.factor_id, "totp").await
}
