//! Changing one's own password.

use secrecy::{ExposeSecret, SecretString};
use sg_db::TokenHash;
use sg_db::audit::Outcome;
use sg_db::users::providers::has_directory;
use sg_db::users::{self as db, EndReason, PasswordFacts};
use sg_types::api::users::ChangePassword;
use sg_types::{FieldError, SessionId};

use super::new_password::judge;
use super::verify_password::{Verified, tell_of_lock, verify_password};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::mail::{self, MailKind};

/// Replaces the caller's password; every other session of theirs ends. The current password goes through the same gate as a sign-in, so
/// that a stolen session is no way around the lockout.
pub(super) async fn change_password(
    state: &AppState,
    acting: &Acting,
    device: Option<TokenHash>,
    body: ChangePassword,
) -> ApiResult<()> {
    let (current, new) = (
        SecretString::from(body.current_password),
        SecretString::from(body.new_password),
    );
    let facts = verify_current(state, acting, device, current).await?;
    let reasons = judge(state, &facts, &new).await?;
    if !reasons.is_empty() {
        return Err(ApiError::unprocessable("password_refused", reasons));
    }
    let hash = SecretString::from(state.passwords.hash(new).await?);

    let now = state.now();
    let mut tx = state.db.system("password change").await?;
    let present = db::lock_password(&mut tx, facts.user_id)
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    if present.password_hash.expose_secret() != facts.password_hash.expose_secret() {
        return Err(ApiError::conflict(
            "conflict",
            "the password was changed by somebody else at the same moment",
        ));
    }
    db::store_password(&mut tx, facts.user_id, &hash, false, now).await?;
    let session_id = SessionId(acting.caller.credential_id);
    db::end_user_sessions(
        &mut tx,
        facts.user_id,
        Some(session_id),
        EndReason::PasswordChanged,
        now,
    )
    .await?;
    mail::notify(
        state,
        &mut tx,
        facts.tenant_id,
        facts.user_id,
        MailKind::PasswordChanged,
    )
    .await?;
    let mut event = acting.event(state, "user.change_password");
    event.object = Some(("user", facts.user_id.to_string()));
    tx.commit(facts.tenant_id, event).await?;
    Ok(())
}

async fn verify_current(
    state: &AppState,
    acting: &Acting,
    device: Option<TokenHash>,
    current: SecretString,
) -> ApiResult<PasswordFacts> {
    let at = state.now();
    let mut tx = state.db.system("password change").await?;
    if has_directory(&mut tx, acting.caller.user_id).await? {
        return Err(ApiError::conflict(
            "password_kept_elsewhere",
            "your organisation's directory keeps your password; change it there",
        ));
    }
    drop(tx);
    let Verified { gate, verdict, .. } =
        verify_password(state, &acting.caller.username, current, device, at).await?;
    let gate = gate.filter(|gate| gate.user_id == acting.caller.user_id);

    let mut tx = state.db.system("password change").await?;
    let user_id = acting.caller.user_id;
    let facts = db::lock_password(&mut tx, user_id)
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    let verified = gate.as_ref().filter(|gate| {
        verdict.matches && gate.password_hash.expose_secret() == facts.password_hash.expose_secret()
    });
    let Some(gate) = verified else {
        let mut event = acting.event(state, "user.change_password");
        event.object = Some(("user", user_id.to_string()));
        event.outcome = Outcome::Failure;
        event.reason = Some("wrong_password".to_owned());
        if let Some(gate) = &gate {
            tell_of_lock(state, &mut tx, &acting.request, gate).await?;
        }
        tx.commit(facts.tenant_id, event).await?;
        let message = "is not your password, or too many attempts have locked your account for a while";
        return Err(ApiError::unprocessable(
            "password_refused",
            vec![FieldError::new("current_password", message)],
        ));
    };
    db::complete_password_attempt(&mut tx, gate, at).await?;
    tx.commit_upkeep().await?;
    Ok(facts)
}
