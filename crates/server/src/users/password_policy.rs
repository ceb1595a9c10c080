//! The tenant's policy for passwords.

use sg_db::users as db;
use sg_types::api::passwords::{PasswordPolicyView, UpdatePasswordPolicy};

use super::validate::Faults;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// The policy of the tenant that the caller works in.
pub(super) async fn show(state: &AppState, acting: &Acting) -> ApiResult<PasswordPolicyView> {
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    db::find_password_policy(&mut tx, acting.caller.tenant_id)
        .await?
        .ok_or_else(ApiError::not_found)
}

/// Changes it. Passwords are held to it from the next change on, sign-ins from the next one on.
pub(super) async fn update(
    state: &AppState,
    acting: &Acting,
    body: UpdatePasswordPolicy,
) -> ApiResult<PasswordPolicyView> {
    let tenant_id = acting.caller.tenant_id;
    let event = acting.event(state, "password_policy.update");
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    let mut policy = db::find_password_policy(&mut tx, tenant_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    change(&mut policy, &body);
    validate(&policy)?;
    db::update_password_policy(&mut tx, tenant_id, &policy).await?;
    let changed = db::find_password_policy(&mut tx, tenant_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    tx.commit(event).await?;
    Ok(changed)
}

fn change(policy: &mut PasswordPolicyView, body: &UpdatePasswordPolicy) {
    if let Some(profile) = body.profile {
        policy.apply(profile);
    }
    let set = |field: &mut i32, value: Option<i32>| *field = value.unwrap_or(*field);
    set(&mut policy.min_length, body.min_length);
    set(&mut policy.max_age_days, body.max_age_days);
    set(&mut policy.history_count, body.history_count);
    set(&mut policy.max_failed_attempts, body.max_failed_attempts);
    set(
        &mut policy.lockout_duration_minutes,
        body.lockout_duration_minutes,
    );
    let set = |field: &mut bool, value: Option<bool>| *field = value.unwrap_or(*field);
    set(&mut policy.require_uppercase, body.require_uppercase);
    set(&mut policy.require_lowercase, body.require_lowercase);
    set(&mut policy.require_numbers, body.require_numbers);
    set(&mut policy.require_special_chars, body.require_special_chars);
}

/// The ranges of the table's own checks.
fn validate(policy: &PasswordPolicyView) -> ApiResult<()> {
    let mut faults = Faults::default();
    for (field, value, least, most) in [
        ("min_length", policy.min_length, 8, 128),
        ("max_age_days", policy.max_age_days, 0, 3650),
        ("history_count", policy.history_count, 0, 24),
        ("max_failed_attempts", policy.max_failed_attempts, 1, 100),
        (
            "lockout_duration_minutes",
            policy.lockout_duration_minutes,
            1,
            1440,
        ),
    ] {
        faults.require(
            (least..=most).contains(&value),
            field,
            format!("must be between {least} and {most}"),
        );
    }
    faults.finish()
}
