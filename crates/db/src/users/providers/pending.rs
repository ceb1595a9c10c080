//! Sign-ins that have left for their provider.

use chrono::{DateTime, Utc};
use sg_types::{ProviderId, TenantId};
use sqlx::Row;

use crate::{DbError, SystemTx, TokenHash, tx::Connection};

/// A sign-in on its way.
#[derive(Debug)]
pub struct PendingSignIn<'a> {
    /// Hash of the state parameter.
    pub state_hash: TokenHash,
    /// Hash of the browser's cookie.
    pub browser_hash: TokenHash,
    /// Whose provider it is.
    pub tenant_id: TenantId,
    /// The provider.
    pub provider_id: ProviderId,
    /// Where the browser goes afterwards: a path of ours.
    pub return_to: &'a str,
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Its end at the latest.
    pub expires_at: DateTime<Utc>,
}

/// Notes that a sign-in begins.
///
/// # Errors
/// As every query.
pub async fn insert_pending_sign_in(tx: &mut SystemTx, pending: &PendingSignIn<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.pending_sign_ins (state_hash, browser_hash, tenant_id, provider_id, return_to, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(pending.state_hash.as_bytes())
    .bind(pending.browser_hash.as_bytes())
    .bind(pending.tenant_id.0)
    .bind(pending.provider_id.0)
    .bind(pending.return_to)
    .bind(pending.at)
    .bind(pending.expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a pending sign-in: it can be taken once, in its time, by the browser that began, at the provider that it was meant for. Says where
/// the browser wanted to go.
///
/// # Errors
/// As every query.
pub async fn take_pending_sign_in(
    tx: &mut SystemTx,
    provider_id: ProviderId,
    state: TokenHash,
    browser: TokenHash,
    at: DateTime<Utc>,
) -> Result<Option<String>, DbError> {
    let row = sqlx::query(
        "delete from users.pending_sign_ins
         where state_hash = $1 and browser_hash = $2 and provider_id = $3
         returning return_to, expires_at",
    )
    .bind(state.as_bytes())
    .bind(browser.as_bytes())
    .bind(provider_id.0)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let alive = row.try_get::<DateTime<Utc>, _>("expires_at")? > at;
    Ok(if alive {
        Some(row.try_get("return_to")?)
    } else {
        None
    })
}
