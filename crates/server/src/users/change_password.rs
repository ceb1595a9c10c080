//! Changing one's own password.

use secrecy::{ExposeSecret, SecretString};
use sg_db::audit::Outcome;
use sg_db::users::{self as db, EndReason, PasswordFacts};
use sg_types::api::users::ChangePassword;
use sg_types::{FieldError, SessionId};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::passwords::{PasswordContext, Requirements, check_new_password};

/// Replaces the caller's password; every other session of theirs ends. The current password goes through the same gate as a sign-in, so
/// that a stolen session is no way around the lockout.
pub(super) async fn change_password(
    state: &AppState,
    acting: &Acting,
    body: ChangePassword,
) -> ApiResult<()> {
    let (current, new) = (
        SecretString::from(body.current_password),
        SecretString::from(body.new_password),
    );
    let facts = verify_current(state, acting, current.clone()).await?;
    let reasons = judge(state, &facts, new.clone()).await?;
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
    let mut event = acting.event(state, "user.change_password");
    event.object = Some(("user", facts.user_id.to_string()));
    tx.commit(facts.tenant_id, event).await?;
    Ok(())
}

async fn verify_current(
    state: &AppState,
    acting: &Acting,
    current: SecretString,
) -> ApiResult<PasswordFacts> {
    let place = state.passwords.admit()?;
    let at = state.now();
    let mut tx = state.db.system("password change").await?;
    let gate = db::begin_login_attempt(&mut tx, &acting.caller.username, at)
        .await?
        .filter(|g| g.user_id == acting.caller.user_id);
    tx.commit_upkeep().await?;
    let stored = gate
        .as_ref()
        .filter(|gate| gate.allowed)
        .map(|gate| gate.password_hash.expose_secret().to_owned());
    let verdict = place.verify(current, stored).await?;

    let mut tx = state.db.system("password change").await?;
    let user_id = acting.caller.user_id;
    let facts = db::lock_password(&mut tx, user_id)
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    let verified = gate.filter(|gate| {
        verdict.matches && gate.password_hash.expose_secret() == facts.password_hash.expose_secret()
    });
    let Some(gate) = verified else {
        let mut event = acting.event(state, "user.change_password");
        event.object = Some(("user", user_id.to_string()));
        event.outcome = Outcome::Failure;
        event.reason = Some("wrong_password".to_owned());
        tx.commit(facts.tenant_id, event).await?;
        let message = "is not your password, or too many attempts have locked your account for a while";
        return Err(ApiError::unprocessable(
            "password_refused",
            vec![FieldError::new("current_password", message)],
        ));
    };
    db::complete_login(&mut tx, gate.user_id, at).await?;
    tx.commit_upkeep().await?;
    Ok(facts)
}

/// Everything that is wrong with a new password: the policy's rules, then whether it was used before.
async fn judge(state: &AppState, facts: &PasswordFacts, new: SecretString) -> ApiResult<Vec<FieldError>> {
    let mut reasons = check_new_password(&new, &requirements(facts), &context(facts), "new_password");
    if !reasons.is_empty() {
        return Ok(reasons);
    }
    for used in std::iter::once(&facts.password_hash).chain(&facts.history) {
        if state
            .passwords
            .verify(new.clone(), Some(used.expose_secret().to_owned()))
            .await?
            .matches
        {
            let message = format!(
                "is one of your last {} passwords; take another",
                facts.policy.history_count.max(1)
            );
            reasons.push(FieldError::new("new_password", message));
            break;
        }
    }
    Ok(reasons)
}

fn requirements(facts: &PasswordFacts) -> Requirements {
    Requirements {
        min_length: usize::try_from(facts.policy.min_length).unwrap_or(0),
        require_uppercase: facts.policy.require_uppercase,
        require_lowercase: facts.policy.require_lowercase,
        require_numbers: facts.policy.require_numbers,
        require_special_chars: facts.policy.require_special_chars,
    }
}

fn context(facts: &PasswordFacts) -> PasswordContext<'_> {
    PasswordContext {
        username: &facts.username,
        email: &facts.email,
        full_name: facts.full_name.as_deref(),
        tenant_name: &facts.tenant_name,
    }
}
