//! Browsers that their user has signed in with before.

use chrono::{DateTime, Utc};
use sg_types::UserId;
use uuid::Uuid;

use crate::{DbError, SystemTx, TokenHash, tx::Connection};

/// Days without a sign-in after which a device is a stranger again; `users.begin_password_attempt`, the clean-up and the cookie count
/// the same.
pub const KNOWN_DEVICE_DAYS: i64 = 180;
/// Devices of one user at most: the one that was away longest makes room.
const DEVICES_PER_USER: i64 = 20;

/// Remembers a device that its user has just signed in with.
///
/// # Errors
/// As every query.
pub async fn insert_known_device(
    tx: &mut SystemTx,
    device_id: Uuid,
    user_id: UserId,
    token_hash: &TokenHash,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.known_devices (device_id, tenant_id, user_id, token_hash, created_at, last_used_at)
         select $1, u.tenant_id, u.user_id, $3, $4, $4 from users.users u where u.user_id = $2",
    )
    .bind(device_id)
    .bind(user_id.0)
    .bind(token_hash.as_bytes())
    .bind(at)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "delete from users.known_devices d
         where d.device_id in (
            select o.device_id from users.known_devices o
            join users.users u on u.tenant_id = o.tenant_id and u.user_id = o.user_id
            where o.user_id = $1
            order by o.last_used_at desc, o.device_id
            offset $2)",
    )
    .bind(user_id.0)
    .bind(DEVICES_PER_USER)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether a user has signed in with a device before, not too long ago.
///
/// # Errors
/// As every query.
pub async fn is_known_device(
    tx: &mut SystemTx,
    user_id: UserId,
    token_hash: &TokenHash,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "select exists (
            select from users.known_devices d join users.users u on u.tenant_id = d.tenant_id and u.user_id = d.user_id
            where d.user_id = $1 and d.token_hash = $2 and d.last_used_at > $3::timestamptz - make_interval(days => $4))",
    )
    .bind(user_id.0)
    .bind(token_hash.as_bytes())
    .bind(at)
    .bind(i32::try_from(KNOWN_DEVICE_DAYS).unwrap_or(i32::MAX))
    .fetch_one(tx.conn())
    .await?)
}

/// Forgets every device of a user: whoever recovers an account trusts none of what was there before.
///
/// # Errors
/// As every query.
pub async fn forget_known_devices(tx: &mut SystemTx, user_id: UserId) -> Result<u64, DbError> {
    let done = sqlx::query(
        "delete from users.known_devices d using users.users u
         where u.user_id = $1 and d.tenant_id = u.tenant_id and d.user_id = u.user_id",
    )
    .bind(user_id.0)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
