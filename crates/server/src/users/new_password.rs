//! Whether a new password will do: the policy's rules, then whether it was breached or used before.

use secrecy::{ExposeSecret, SecretString};
use sg_db::users::PasswordFacts;
use sg_types::FieldError;

use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::passwords::{PasswordContext, Requirements, check_new_password};

/// Everything that is wrong with a new password; empty when it is accepted.
///
/// # Errors
/// 503 when the pool is full, or the collection of breached passwords cannot be read.
pub(super) async fn judge(
    state: &AppState,
    facts: &PasswordFacts,
    new: &SecretString,
) -> ApiResult<Vec<FieldError>> {
    let mut reasons = check_new_password(new, &requirements(facts), &context(facts), "new_password");
    if !reasons.is_empty() {
        return Ok(reasons);
    }
    if is_breached(state, new).await? {
        let message = "is in a collection of breached passwords; take another";
        return Ok(vec![FieldError::new("new_password", message)]);
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

/// Whether the collection that the administrator named has the password.
async fn is_breached(state: &AppState, new: &SecretString) -> ApiResult<bool> {
    let Some(breached) = state.config.passwords.breached.clone() else {
        return Ok(false);
    };
    let password = new.clone();
    tokio::task::spawn_blocking(move || breached.contains(&password))
        .await
        .map_err(ApiError::internal)?
        .map_err(|error| {
            tracing::error!(%error, "the file of `passwords.breached_file` cannot be searched; new passwords are refused");
            ApiError::unavailable(60)
        })
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
