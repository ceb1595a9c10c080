//! One-time codes: the factors, their throttle, and one use of each time step.

use chrono::{DateTime, Duration, Utc};
use sg_types::{FactorId, TenantId, UserId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::delete_secrets;
use crate::users::{SealedSecret, SecretLabel, SecretPurpose};
use crate::{DbError, SystemTx, tx::Connection};

/// Minutes in which a new secret has to be confirmed.
pub const PENDING_MINUTES: i64 = 10;

/// A code factor to be.
#[derive(Debug)]
pub struct NewTotp<'a> {
    /// The factor's id.
    pub factor_id: FactorId,
    /// The owner's home.
    pub tenant_id: TenantId,
    /// The owner.
    pub user_id: UserId,
    /// What the owner calls it.
    pub name: &'a str,
    /// Its sealed secret.
    pub secret_id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
}

/// A code factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TotpFactor {
    /// The factor's id.
    pub factor_id: FactorId,
    /// Its sealed secret.
    pub secret_id: Uuid,
}

/// The sealed secret of a code factor.
///
/// # Errors
/// As every query.
pub async fn find_totp_secret(tx: &mut SystemTx, secret_id: Uuid) -> Result<Option<SealedSecret>, DbError> {
    let row = sqlx::query(
        "select secret_id, tenant_id, user_id, key_id, nonce, ciphertext
         from users.secrets where secret_id = $1 and purpose = 'totp'",
    )
    .bind(secret_id)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(SealedSecret {
        label: SecretLabel {
            secret_id: row.try_get("secret_id")?,
            tenant_id: TenantId(row.try_get("tenant_id")?),
            user_id: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
            purpose: SecretPurpose::Totp,
        },
        key_id: row.try_get("key_id")?,
        nonce: row.try_get("nonce")?,
        ciphertext: row.try_get("ciphertext")?,
    }))
}

/// Adds a code factor that has to be confirmed.
///
/// # Errors
/// As every query.
pub async fn insert_totp(tx: &mut SystemTx, new: &NewTotp<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.factors (factor_id, tenant_id, user_id, kind, name, created_at, secret_id)
         values ($1, $2, $3, 'totp', $4, $5, $6)",
    )
    .bind(new.factor_id.0)
    .bind(new.tenant_id.0)
    .bind(new.user_id.0)
    .bind(new.name)
    .bind(new.at)
    .bind(new.secret_id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A factor of `user_id` that waits for its confirmation and is young enough for it.
///
/// # Errors
/// As every query.
pub async fn find_pending_totp(
    tx: &mut SystemTx,
    user_id: UserId,
    factor_id: FactorId,
    at: DateTime<Utc>,
) -> Result<Option<TotpFactor>, DbError> {
    sqlx::query(
        "select factor_id, secret_id from users.factors
         where factor_id = $1 and user_id = $2 and kind = 'totp' and confirmed_at is null and created_at > $3",
    )
    .bind(factor_id.0)
    .bind(user_id.0)
    .bind(at - Duration::minutes(PENDING_MINUTES))
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(totp)
    .transpose()
}

/// Puts a factor into force by the code of `step`, which is used up by it. False when it is in force or gone already.
///
/// # Errors
/// As every query.
pub async fn confirm_totp(
    tx: &mut SystemTx,
    factor_id: FactorId,
    step: i64,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "update users.factors set confirmed_at = $3, last_step = $2 where factor_id = $1 and confirmed_at is null",
    )
    .bind(factor_id.0)
    .bind(step)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Removes what a user began and did not confirm.
///
/// # Errors
/// As every query.
pub async fn delete_pending_totp(tx: &mut SystemTx, user_id: UserId) -> Result<(), DbError> {
    let secrets: Vec<Uuid> = sqlx::query_scalar(
        "delete from users.factors where user_id = $1 and kind = 'totp' and confirmed_at is null returning secret_id",
    )
    .bind(user_id.0)
    .fetch_all(tx.conn())
    .await?;
    delete_secrets(tx, &secrets).await
}

/// Reserves one attempt on each code factor of `user_id` that may be tried, before the code is looked at: no number of parallel guesses gets
/// more of them tested. Commit before that.
///
/// Each fifth failure in a row locks the factor for 5, 10, 20, 40, then 60 minutes; after the hundredth it stays locked until it is replaced
/// (NIST SP 800-63B-4 §3.2.2). Only a success of the factor itself starts anew, never one of the password.
///
/// # Errors
/// As every query.
pub async fn reserve_totp_attempts(
    tx: &mut SystemTx,
    user_id: UserId,
    at: DateTime<Utc>,
) -> Result<Vec<TotpFactor>, DbError> {
    sqlx::query(
        "update users.factors
         set failed_attempts = failed_attempts + 1,
            locked_until = case when (failed_attempts + 1) % 5 = 0
                then $2 + make_interval(mins => least(5 * (2 ^ ((failed_attempts + 1) / 5 - 1))::integer, 60)) end
         where user_id = $1 and kind = 'totp' and confirmed_at is not null and failed_attempts < 100
            and (locked_until is null or locked_until <= $2)
         returning factor_id, secret_id",
    )
    .bind(user_id.0)
    .bind(at)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(totp)
    .collect()
}

/// Uses the code of `step` up and gives the reserved attempts back. False when a code of that step or a later one was used already.
///
/// # Errors
/// As every query.
pub async fn accept_totp(
    tx: &mut SystemTx,
    factor_id: FactorId,
    step: i64,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "update users.factors set last_step = $2, last_used_at = $3, failed_attempts = 0, locked_until = null
         where factor_id = $1 and (last_step is null or last_step < $2)",
    )
    .bind(factor_id.0)
    .bind(step)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

fn totp(row: &PgRow) -> Result<TotpFactor, DbError> {
    Ok(TotpFactor {
        factor_id: row.try_get::<Uuid, _>("factor_id")?.into(),
        secret_id: row.try_get("secret_id")?,
    })
}
