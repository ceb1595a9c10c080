//! Backup codes.

use chrono::{DateTime, Utc};
use sg_types::{TenantId, UserId};
use uuid::Uuid;

use crate::{DbError, SystemTx, TokenHash, tx::Connection};

/// A backup code to be.
#[derive(Debug, Clone, Copy)]
pub struct NewBackupCode {
    /// The row's id.
    pub code_id: Uuid,
    /// Hash of the code.
    pub hash: TokenHash,
}

/// Gives a user these codes in place of all that they had.
///
/// # Errors
/// As every query.
pub async fn replace_backup_codes(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    user_id: UserId,
    codes: &[NewBackupCode],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("delete from users.backup_codes where user_id = $1")
        .bind(user_id.0)
        .execute(tx.conn())
        .await?;
    let ids: Vec<Uuid> = codes.iter().map(|code| code.code_id).collect();
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| code.hash.as_bytes().to_vec()).collect();
    sqlx::query(
        "insert into users.backup_codes (code_id, tenant_id, user_id, code_hash, created_at)
         select c.code_id, $1, $2, c.code_hash, $5 from unnest($3::uuid[], $4::bytea[]) as c (code_id, code_hash)",
    )
    .bind(tenant_id.0)
    .bind(user_id.0)
    .bind(&ids)
    .bind(&hashes)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Uses a code up. False when the user has no such code, or has used it.
///
/// # Errors
/// As every query.
pub async fn use_backup_code(
    tx: &mut SystemTx,
    user_id: UserId,
    hash: TokenHash,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "update users.backup_codes set used_at = $3 where user_id = $1 and code_hash = $2 and used_at is null",
    )
    .bind(user_id.0)
    .bind(hash.as_bytes())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// How many codes a user has left.
///
/// # Errors
/// As every query.
pub async fn count_backup_codes(tx: &mut SystemTx, user_id: UserId) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("select count(*) from users.backup_codes where user_id = $1 and used_at is null")
            .bind(user_id.0)
            .fetch_one(tx.conn())
            .await?,
    )
}
