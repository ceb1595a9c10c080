//! A tenant's policy for passwords, and what follows from it for one person.

use chrono::{DateTime, Utc};
use sg_types::api::passwords::PasswordPolicyView;
use sg_types::{TenantId, UserId};
use sqlx::{Row, postgres::PgRow};

use crate::{DbError, Reads, SystemTx, Writes, tx::Connection};

/// A tenant's policy. None when the transaction does not see it.
///
/// # Errors
/// As every query.
pub async fn find_password_policy(
    tx: &mut impl Reads,
    tenant_id: TenantId,
) -> Result<Option<PasswordPolicyView>, DbError> {
    sqlx::query(
        "select min_length, require_uppercase, require_lowercase, require_numbers, require_special_chars, max_age_days, history_count,
            max_failed_attempts, lockout_duration_minutes, updated_at
         from users.password_policies where tenant_id = $1",
    )
    .bind(tenant_id.0)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(view)
    .transpose()
}

/// Puts the policy of a tenant in force as a whole; it counts from the next password and the next sign-in on.
///
/// # Errors
/// [`DbError::InvalidValue`] for what is outside the allowed ranges.
pub async fn update_password_policy(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    policy: &PasswordPolicyView,
) -> Result<(), DbError> {
    sqlx::query(
        "update users.password_policies
         set min_length = $2, require_uppercase = $3, require_lowercase = $4, require_numbers = $5, require_special_chars = $6,
            max_age_days = $7, history_count = $8, max_failed_attempts = $9, lockout_duration_minutes = $10
         where tenant_id = $1",
    )
    .bind(tenant_id.0)
    .bind(policy.min_length)
    .bind(policy.require_uppercase)
    .bind(policy.require_lowercase)
    .bind(policy.require_numbers)
    .bind(policy.require_special_chars)
    .bind(policy.max_age_days)
    .bind(policy.history_count)
    .bind(policy.max_failed_attempts)
    .bind(policy.lockout_duration_minutes)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When the password of the caller gets too old; none when it never does.
///
/// # Errors
/// As every query.
pub async fn find_own_password_expiry(tx: &mut impl Reads) -> Result<Option<DateTime<Utc>>, DbError> {
    Ok(sqlx::query_scalar("select users.own_password_expiry()")
        .fetch_one(tx.conn())
        .await?)
}

/// When the password of `user_id` gets too old; none when it never does.
///
/// # Errors
/// As every query.
pub async fn find_password_expiry(
    tx: &mut SystemTx,
    user_id: UserId,
) -> Result<Option<DateTime<Utc>>, DbError> {
    let at: Option<Option<DateTime<Utc>>> = sqlx::query_scalar(
        "select coalesce(u.password_last_changed, u.created_at) + make_interval(days => p.max_age_days)
         from users.users u
         join users.password_policies p on p.tenant_id = u.tenant_id
         where u.user_id = $1 and p.max_age_days > 0",
    )
    .bind(user_id.0)
    .fetch_optional(tx.conn())
    .await?;
    Ok(at.flatten())
}

fn view(row: &PgRow) -> Result<PasswordPolicyView, DbError> {
    let mut view = PasswordPolicyView {
        profile: None,
        min_length: row.try_get("min_length")?,
        require_uppercase: row.try_get("require_uppercase")?,
        require_lowercase: row.try_get("require_lowercase")?,
        require_numbers: row.try_get("require_numbers")?,
        require_special_chars: row.try_get("require_special_chars")?,
        max_age_days: row.try_get("max_age_days")?,
        history_count: row.try_get("history_count")?,
        max_failed_attempts: row.try_get("max_failed_attempts")?,
        lockout_duration_minutes: row.try_get("lockout_duration_minutes")?,
        updated_at: row.try_get("updated_at")?,
    };
    view.profile = view.matching_profile();
    Ok(view)
}
