//! What follows when a factor is there: backup codes, a notice, and the session that waited for it.

use sg_db::SystemTx;
use sg_db::users::factors::{Account, consume_challenge, count_backup_codes, list_factors};
use sg_types::api::factors::FactorAdded;
use sg_types::{FactorId, FieldError};

use super::enrolling::{By, Enrolling};
use super::{backup_codes, event_of, notify};
use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::users::validate::is_display_name;

/// Characters of a factor's name at most.
const MAX_NAME_CHARS: usize = 100;

/// Ends the adding of `factor_id` and commits.
pub(super) async fn finish(
    state: &AppState,
    who: &Enrolling,
    mut tx: SystemTx,
    account: &Account,
    factor_id: FactorId,
    method: &str,
) -> ApiResult<FactorAdded> {
    let at = who.visitor.at;
    let factors = list_factors(&mut tx, account.user_id).await?;
    let factor = factors
        .into_iter()
        .find(|factor| factor.factor_id == factor_id)
        .ok_or_else(|| ApiError::internal("a new factor is not to be seen"))?;
    let backup_codes = if count_backup_codes(&mut tx, account.user_id).await? == 0 {
        Some(backup_codes::replace(state, &mut tx, account, at).await?)
    } else {
        None
    };
    notify(state, &mut tx, account, "factor_added", Some(&factor.name), at).await?;
    let mut event = event_of(state, &who.visitor.request, account, "factor.create", at);
    event.object = Some(("factor", factor_id.to_string()));
    let session = match &who.by {
        By::Session(_) => {
            tx.commit(account.tenant_id, event).await?;
            None
        }
        By::SignIn(challenge) => {
            if !consume_challenge(&mut tx, challenge.challenge_id, at).await? {
                return Err(ApiError::unauthenticated());
            }
            tx.record(account.tenant_id, &event).await?;
            // The device is remembered at the next sign-in, which takes the factor.
            let visitor = who.visitor.without_device();
            let signed_in = visitor
                .start_session(state, tx, account, method, challenge.provider_id)
                .await?;
            Some(signed_in.session)
        }
    };
    Ok(FactorAdded {
        factor,
        backup_codes,
        session,
    })
}

pub(super) fn check_name(name: &str) -> ApiResult<()> {
    if is_display_name(name, MAX_NAME_CHARS) {
        return Ok(());
    }
    let message = format!("must have 1–{MAX_NAME_CHARS} characters");
    Err(ApiError::unprocessable(
        "invalid_body",
        vec![FieldError::new("name", message)],
    ))
}
