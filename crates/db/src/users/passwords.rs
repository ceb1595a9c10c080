//! Password hashes, their history and the policy for new ones.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_types::{TenantId, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection};

/// A tenant's rules for passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Characters at least.
    pub min_length: i32,
    /// An upper-case letter.
    pub require_uppercase: bool,
    /// A lower-case letter.
    pub require_lowercase: bool,
    /// A digit.
    pub require_numbers: bool,
    /// Something else.
    pub require_special_chars: bool,
    /// Earlier passwords that may not come back.
    pub history_count: i32,
}

/// What is needed to judge a new password.
#[derive(Debug)]
pub struct PasswordFacts {
    /// The user.
    pub user_id: UserId,
    /// Their home.
    pub tenant_id: TenantId,
    /// Sign-in name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// The person's name.
    pub full_name: Option<String>,
    /// The home's name.
    pub tenant_name: String,
    /// The present hash.
    pub password_hash: SecretString,
    /// Hashes of earlier passwords, newest first, as many as the policy compares with.
    pub history: Vec<SecretString>,
    /// The home's policy.
    pub policy: PasswordPolicy,
}

/// Reads what is needed to judge a new password of `user_id` and locks the row. None when there is no such user.
///
/// # Errors
/// As every query.
pub async fn lock_password(tx: &mut SystemTx, user_id: UserId) -> Result<Option<PasswordFacts>, DbError> {
    let row = sqlx::query(
        "select u.user_id, u.tenant_id, u.username, u.email, u.full_name, t.name as tenant_name, u.password_hash, u.password_history,
            coalesce(p.min_length, 12) as min_length, coalesce(p.require_uppercase, true) as require_uppercase,
            coalesce(p.require_lowercase, true) as require_lowercase, coalesce(p.require_numbers, true) as require_numbers,
            coalesce(p.require_special_chars, true) as require_special_chars, coalesce(p.history_count, 5) as history_count
         from users.users u
         join users.tenants t on t.tenant_id = u.tenant_id
         left join users.password_policies p on p.tenant_id = u.tenant_id
         where u.user_id = $1
         for no key update of u",
    )
    .bind(user_id.0)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let history_count: i32 = row.try_get("history_count")?;
    let history: sqlx::types::Json<Vec<serde_json::Value>> = row.try_get("password_history")?;
    let history = history
        .0
        .iter()
        .filter_map(serde_json::Value::as_str)
        .map(SecretString::from);
    Ok(Some(PasswordFacts {
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        username: row.try_get("username")?,
        email: row.try_get("email")?,
        full_name: row.try_get("full_name")?,
        tenant_name: row.try_get("tenant_name")?,
        password_hash: row.try_get::<String, _>("password_hash")?.into(),
        history: history
            .take(usize::try_from(history_count).unwrap_or(0))
            .collect(),
        policy: PasswordPolicy {
            min_length: row.try_get("min_length")?,
            require_uppercase: row.try_get("require_uppercase")?,
            require_lowercase: row.try_get("require_lowercase")?,
            require_numbers: row.try_get("require_numbers")?,
            require_special_chars: row.try_get("require_special_chars")?,
            history_count,
        },
    }))
}

/// Whether there is a password of this user's that can be checked, here or by a directory.
///
/// # Errors
/// As every query.
pub async fn has_password(tx: &mut SystemTx, user_id: UserId) -> Result<bool, DbError> {
    let found: Option<bool> = sqlx::query_scalar(
        "select password_hash like '$argon2%' or users.has_directory(user_id) from users.users where user_id = $1",
    )
    .bind(user_id.0)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.unwrap_or_default())
}

/// Replaces the password; the one before goes into the history.
///
/// # Errors
/// As every query.
pub async fn store_password(
    tx: &mut SystemTx,
    user_id: UserId,
    hash: &SecretString,
    must_change: bool,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("select users.store_password($1, $2, $3, $4)")
        .bind(user_id.0)
        .bind(hash.expose_secret())
        .bind(must_change)
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Replaces the hash of the same password by one with today's parameters, unless the password was changed meanwhile.
///
/// # Errors
/// As every query.
pub async fn rehash_password(
    tx: &mut SystemTx,
    user_id: UserId,
    old: &SecretString,
    new: &SecretString,
) -> Result<(), DbError> {
    sqlx::query("update users.users set password_hash = $3 where user_id = $1 and password_hash = $2")
        .bind(user_id.0)
        .bind(old.expose_secret())
        .bind(new.expose_secret())
        .execute(tx.conn())
        .await?;
    Ok(())
}
