//! What people are told about their own account.

use chrono::{DateTime, Utc};
use sg_types::api::factors::Notice;
use sg_types::{TenantId, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection};

/// Tells a user something at their next visit. `kind` is a word, `detail` at most 200 characters.
///
/// # Errors
/// As every query.
pub async fn insert_notice(
    tx: &mut SystemTx,
    notice_id: Uuid,
    tenant_id: TenantId,
    user_id: UserId,
    kind: &str,
    detail: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.notices (notice_id, tenant_id, user_id, kind, detail, created_at) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(notice_id)
    .bind(tenant_id.0)
    .bind(user_id.0)
    .bind(kind)
    .bind(detail)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a user was not yet told, or has not dismissed, newest first; at most 20.
///
/// # Errors
/// As every query.
pub async fn list_notices(tx: &mut SystemTx, user_id: UserId) -> Result<Vec<Notice>, DbError> {
    sqlx::query(
        "select kind, detail, created_at from users.notices
         where user_id = $1 and seen_at is null
         order by created_at desc, notice_id desc
         limit 20",
    )
    .bind(user_id.0)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(Notice {
            kind: row.try_get("kind")?,
            detail: row.try_get("detail")?,
            created_at: row.try_get("created_at")?,
        })
    })
    .collect()
}

/// Marks everything that a user was told up to `at` as seen.
///
/// # Errors
/// As every query.
pub async fn dismiss_notices(tx: &mut SystemTx, user_id: UserId, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "update users.notices set seen_at = $2 where user_id = $1 and seen_at is null and created_at <= $2",
    )
    .bind(user_id.0)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}
