//! Second factors: codes, passkeys, backup codes, the challenges of a sign-in, and who must have one.

mod backup_codes;
mod challenges;
mod notices;
mod policy;
mod totp;

pub use backup_codes::{NewBackupCode, count_backup_codes, replace_backup_codes, use_backup_code};
pub use challenges::{
    Account, Challenge, ChallengePurpose, NewChallenge, consume_challenge, find_waiting_challenge,
    insert_challenge, lock_account, note_sign_in, read_verified_at, renew_session, try_challenge,
};
pub use notices::{dismiss_notices, insert_notice, list_notices};
pub use policy::{drop_factor_rules_except, find_factor_deadline, list_factor_rules, set_factor_rule};
pub use totp::{
    NewTotp, PENDING_MINUTES, TotpFactor, accept_totp, confirm_totp, delete_pending_totp, find_pending_totp,
    find_totp_secret, insert_totp, reserve_totp_attempts,
};

use chrono::{DateTime, Utc};
use sg_types::api::factors::FactorView;
use sg_types::{FactorId, TenantId, UserId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection};

/// A passkey to be.
#[derive(Debug)]
pub struct NewPasskey<'a> {
    /// The factor's id.
    pub factor_id: FactorId,
    /// The owner's home.
    pub tenant_id: TenantId,
    /// The owner.
    pub user_id: UserId,
    /// What the owner calls it.
    pub name: &'a str,
    /// The credential's id, 1–1023 bytes; unique.
    pub credential_id: &'a [u8],
    /// Its COSE_Key.
    pub public_key: &'a [u8],
    /// The authenticator's counter.
    pub sign_count: u32,
    /// How the authenticator is reached.
    pub transports: &'a [String],
    /// Whether copies are kept elsewhere.
    pub backed_up: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// A passkey as it is stored.
#[derive(Debug, Clone)]
pub struct PasskeyFactor {
    /// The factor's id.
    pub factor_id: FactorId,
    /// The owner.
    pub user_id: UserId,
    /// The credential's id.
    pub credential_id: Vec<u8>,
    /// Its COSE_Key.
    pub public_key: Vec<u8>,
    /// The counter of its last use.
    pub sign_count: u32,
    /// How the authenticator is reached.
    pub transports: Vec<String>,
}

/// A factor that was taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedFactor {
    /// What its owner called it.
    pub name: String,
}

/// The factors of a user that work, oldest first.
///
/// # Errors
/// As every query.
pub async fn list_factors(tx: &mut SystemTx, user_id: UserId) -> Result<Vec<FactorView>, DbError> {
    sqlx::query(
        "select factor_id, kind, name, created_at, last_used_at, backed_up
         from users.factors
         where user_id = $1 and confirmed_at is not null
         order by created_at, factor_id",
    )
    .bind(user_id.0)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(FactorView {
            factor_id: row.try_get::<Uuid, _>("factor_id")?.into(),
            kind: row.try_get::<String, _>("kind")?.parse()?,
            name: row.try_get("name")?,
            created_at: row.try_get("created_at")?,
            last_used_at: row.try_get("last_used_at")?,
            backed_up: row.try_get("backed_up")?,
        })
    })
    .collect()
}

/// Adds a passkey that has proved itself.
///
/// # Errors
/// [`DbError::AlreadyExists`] when the credential is known, whoever has it.
pub async fn insert_passkey(tx: &mut SystemTx, new: &NewPasskey<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.factors (factor_id, tenant_id, user_id, kind, name, created_at, confirmed_at, credential_id, public_key,
            sign_count, transports, backed_up)
         values ($1, $2, $3, 'passkey', $4, $5, $5, $6, $7, $8, $9, $10)",
    )
    .bind(new.factor_id.0)
    .bind(new.tenant_id.0)
    .bind(new.user_id.0)
    .bind(new.name)
    .bind(new.at)
    .bind(new.credential_id)
    .bind(new.public_key)
    .bind(i64::from(new.sign_count))
    .bind(new.transports)
    .bind(new.backed_up)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The passkeys of a user, oldest first.
///
/// # Errors
/// As every query.
pub async fn list_passkeys(tx: &mut SystemTx, user_id: UserId) -> Result<Vec<PasskeyFactor>, DbError> {
    sqlx::query(
        "select factor_id, user_id, credential_id, public_key, sign_count, transports
         from users.factors
         where user_id = $1 and kind = 'passkey' and confirmed_at is not null
         order by created_at, factor_id",
    )
    .bind(user_id.0)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(passkey)
    .collect()
}

/// The passkey with this credential id, whoever has it.
///
/// # Errors
/// As every query.
pub async fn find_passkey(tx: &mut SystemTx, credential_id: &[u8]) -> Result<Option<PasskeyFactor>, DbError> {
    sqlx::query(
        "select factor_id, user_id, credential_id, public_key, sign_count, transports
         from users.factors
         where credential_id = $1 and confirmed_at is not null",
    )
    .bind(credential_id)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(passkey)
    .transpose()
}

/// Notes the use of a passkey. False when its counter did not go up, as that of a copy would not (WebAuthn Level 3 §7.2 step 22); nothing is
/// stored then. Authenticators without a counter tell 0 each time.
///
/// # Errors
/// As every query.
pub async fn accept_passkey(
    tx: &mut SystemTx,
    factor_id: FactorId,
    sign_count: u32,
    backed_up: bool,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "update users.factors set sign_count = $2, backed_up = $3, last_used_at = $4
         where factor_id = $1 and (sign_count < $2 or (sign_count = 0 and $2 = 0))",
    )
    .bind(factor_id.0)
    .bind(i64::from(sign_count))
    .bind(backed_up)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Takes a factor of `user_id` away, with its sealed secret. None when there is no such factor of theirs.
///
/// # Errors
/// As every query.
pub async fn delete_factor(
    tx: &mut SystemTx,
    user_id: UserId,
    factor_id: FactorId,
) -> Result<Option<DeletedFactor>, DbError> {
    let row = sqlx::query(
        "delete from users.factors where factor_id = $1 and user_id = $2 and confirmed_at is not null
         returning name, secret_id",
    )
    .bind(factor_id.0)
    .bind(user_id.0)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let secret_id: Option<Uuid> = row.try_get("secret_id")?;
    delete_secrets(tx, &secret_id.into_iter().collect::<Vec<_>>()).await?;
    Ok(Some(DeletedFactor {
        name: row.try_get("name")?,
    }))
}

/// Takes every factor, backup code and begun sign-in of `user_id` away. Returns how many factors.
///
/// # Errors
/// As every query.
pub async fn delete_all_factors(tx: &mut SystemTx, user_id: UserId) -> Result<usize, DbError> {
    let secrets: Vec<Option<Uuid>> =
        sqlx::query_scalar("delete from users.factors where user_id = $1 returning secret_id")
            .bind(user_id.0)
            .fetch_all(tx.conn())
            .await?;
    let count = secrets.len();
    delete_secrets(tx, &secrets.into_iter().flatten().collect::<Vec<_>>()).await?;
    for statement in [
        "delete from users.backup_codes where user_id = $1",
        "delete from users.sign_in_challenges where user_id = $1",
    ] {
        sqlx::query(statement).bind(user_id.0).execute(tx.conn()).await?;
    }
    Ok(count)
}

/// Makes changes to one person's factors wait for each other until the end of the transaction.
///
/// # Errors
/// As every query.
pub async fn lock_factors(tx: &mut SystemTx, user_id: UserId) -> Result<(), DbError> {
    sqlx::query("select u.user_id from users.users u where u.user_id = $1 for no key update of u")
        .bind(user_id.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn delete_secrets(tx: &mut SystemTx, secret_ids: &[Uuid]) -> Result<(), DbError> {
    sqlx::query("delete from users.secrets where secret_id = any ($1)")
        .bind(secret_ids)
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn passkey(row: &PgRow) -> Result<PasskeyFactor, DbError> {
    let sign_count: i64 = row.try_get("sign_count")?;
    Ok(PasskeyFactor {
        factor_id: row.try_get::<Uuid, _>("factor_id")?.into(),
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        credential_id: row.try_get("credential_id")?,
        public_key: row.try_get("public_key")?,
        sign_count: u32::try_from(sign_count)
            .map_err(|_| DbError::Inconsistent(format!("sign_count {sign_count}")))?,
        transports: row
            .try_get::<Option<Vec<String>>, _>("transports")?
            .unwrap_or_default(),
    })
}
