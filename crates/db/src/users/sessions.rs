//! Signed-in sessions.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use secrecy::{ExposeSecret, SecretString};
use sg_types::{ProviderId, SessionId, UserId, api::users::SessionView};
use sqlx::Row;

use crate::{DbError, SystemTx, TokenHash, Writes, tx::Connection};

/// A session to be.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// The session's id.
    pub session_id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Hash of its token.
    pub token_hash: TokenHash,
    /// The hash that the password was verified against: a session never follows from a password that is gone already.
    pub verified_hash: &'a SecretString,
    /// The provider that vouched for the user in place of a password.
    pub provider_id: Option<ProviderId>,
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Seconds without a request after which it ends, 1 or more.
    pub idle_seconds: i32,
    /// Its end at the latest.
    pub expires_at: DateTime<Utc>,
    /// From where.
    pub address: IpAddr,
    /// With which program.
    pub user_agent: Option<&'a str>,
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The user signed out.
    SignedOut,
    /// The user ended it from another session.
    Revoked,
    /// The password was changed.
    PasswordChanged,
    /// An administrator reset the password.
    PasswordReset,
    /// An administrator changed the role or switched the account off.
    AccessChanged,
}

impl EndReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Revoked => "revoked",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::AccessChanged => "access_changed",
        }
    }
}

/// Starts a session. False when the user or their tenant is not active any more, they have another password by now, or their provider does not
/// vouch for them any more; nothing is stored then.
///
/// # Errors
/// As every query.
pub async fn insert_session(tx: &mut SystemTx, session: &NewSession<'_>) -> Result<bool, DbError> {
    let result = sqlx::query(
        "insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds, expires_at,
            address, user_agent, provider_id)
         select $1, u.tenant_id, u.user_id, $3, $4, $4, $5, $6, $7, $8, $10
         from users.users u
         join users.tenants n on n.tenant_id = u.tenant_id and n.status = 'active'
         where u.user_id = $2 and u.is_active and u.password_hash = $9
            and ($10::uuid is null or exists (
                select from users.external_identities i
                join users.identity_providers p on p.tenant_id = i.tenant_id and p.provider_id = i.provider_id and p.is_enabled
                where i.tenant_id = u.tenant_id and i.user_id = u.user_id and i.provider_id = $10))",
    )
    .bind(session.session_id.0)
    .bind(session.user_id.0)
    .bind(session.token_hash.as_bytes())
    .bind(session.at)
    .bind(session.idle_seconds)
    .bind(session.expires_at)
    .bind(IpNetwork::from(session.address))
    .bind(session.user_agent)
    .bind(session.verified_hash.expose_secret())
    .bind(session.provider_id.map(|id| id.0))
    .execute(tx.conn())
    .await?;
    if result.rows_affected() != 1 {
        return Ok(false);
    }
    if let Some(provider_id) = session.provider_id {
        sqlx::query("update users.external_identities set last_sign_in_at = $3 where user_id = $1 and provider_id = $2")
            .bind(session.user_id.0)
            .bind(provider_id.0)
            .bind(session.at)
            .execute(tx.conn())
            .await?;
    }
    Ok(true)
}

/// Ends a session of `user_id`'s. False when they have no such session that is still open.
///
/// # Errors
/// As every query.
pub async fn end_session(
    tx: &mut impl Writes,
    user_id: UserId,
    session_id: SessionId,
    reason: EndReason,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "update users.sessions set ended_at = $3, end_reason = $4
         where session_id = $1 and user_id = $2 and ended_at is null",
    )
    .bind(session_id.0)
    .bind(user_id.0)
    .bind(at)
    .bind(reason.as_str())
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// The sessions of a user that are open at `at`, the one used last first. `current` is marked.
///
/// # Errors
/// As every query.
pub async fn list_sessions(
    tx: &mut SystemTx,
    user_id: UserId,
    current: Option<SessionId>,
    at: DateTime<Utc>,
) -> Result<Vec<SessionView>, DbError> {
    sqlx::query(
        "select session_id, created_at, last_seen_at, expires_at, address, user_agent
         from users.sessions
         where user_id = $1 and ended_at is null and expires_at > $2
            and last_seen_at + make_interval(secs => idle_seconds) > $2
         order by last_seen_at desc, session_id desc",
    )
    .bind(user_id.0)
    .bind(at)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        let session_id = SessionId(row.try_get("session_id")?);
        let address: Option<IpNetwork> = row.try_get("address")?;
        Ok(SessionView {
            session_id,
            is_current: current == Some(session_id),
            created_at: row.try_get("created_at")?,
            last_seen_at: row.try_get("last_seen_at")?,
            expires_at: row.try_get("expires_at")?,
            address: address.map(|network| network.ip().to_string()),
            user_agent: row.try_get("user_agent")?,
        })
    })
    .collect()
}

/// Ends every session of a user but `except`. Returns how many.
///
/// # Errors
/// As every query.
pub async fn end_user_sessions(
    tx: &mut impl Writes,
    user_id: UserId,
    except: Option<SessionId>,
    reason: EndReason,
    at: DateTime<Utc>,
) -> Result<u64, DbError> {
    let result = sqlx::query(
        "update users.sessions set ended_at = $3, end_reason = $4
         where user_id = $1 and ended_at is null and session_id is distinct from $2",
    )
    .bind(user_id.0)
    .bind(except.map(|id| id.0))
    .bind(at)
    .bind(reason.as_str())
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected())
}
