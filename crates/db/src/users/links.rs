//! Links by which people set a password of their own: after forgetting it, and when they are invited.

use chrono::{DateTime, Duration, Utc};
use sg_types::{TenantId, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, TokenHash, tx::Connection};

/// What stands in place of a password hash until an invited person has chosen one; never verifies.
pub const INVITED: &str = "!invited";
/// Mails that one account gets for forgotten passwords within [`RESET_WINDOW_MINUTES`] at most.
const RESETS_PER_WINDOW: i64 = 3;
/// The window of [`RESETS_PER_WINDOW`].
const RESET_WINDOW_MINUTES: i64 = 60;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// A forgotten password.
    Reset,
    /// The first password.
    Invitation,
}

impl LinkPurpose {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Invitation => "invitation",
        }
    }
}

/// A link to be.
#[derive(Debug)]
pub struct NewLink<'a> {
    /// The link's id.
    pub link_id: Uuid,
    /// The mail that carries it.
    pub mail_id: Uuid,
    /// Whose password it sets.
    pub user_id: UserId,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Hash of its token.
    pub token_hash: &'a TokenHash,
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Its end.
    pub expires_at: DateTime<Utc>,
}

/// A link that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLink {
    /// The link's id.
    pub link_id: Uuid,
    /// Whose password it sets.
    pub user_id: UserId,
}

/// Puts the mail for a forgotten password into the outbox, for whoever has this user name or address, may sign in, has a password here, and
/// was not sent several just before. For everybody else it does as much work, which leads to no mail. Returns who gets one.
///
/// # Errors
/// As every query.
pub async fn request_password_reset(
    tx: &mut SystemTx,
    identifier: &str,
    mail_id: Uuid,
    at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Option<(TenantId, UserId)>, DbError> {
    let row = sqlx::query(
        "with person as (
            select u.tenant_id, u.user_id
            from users.users u
            join users.tenants t on t.tenant_id = u.tenant_id and t.status = 'active'
            where (lower(u.username) = lower($1) or lower(u.email) = lower($1)) and u.is_active
                and (u.password_hash like '$argon2%' or u.password_hash = $2) and not users.has_directory(u.user_id)
                and (
                    select count(m.mail_id) from users.outgoing_mail m
                    where m.tenant_id = u.tenant_id and m.user_id = u.user_id and m.kind = 'password_reset' and m.created_at > $3) < $4
            order by lower(u.username) = lower($1) desc
            limit 1
         )
         insert into users.outgoing_mail (mail_id, tenant_id, user_id, kind, created_at, next_attempt_at, expires_at, finished_at, outcome)
         select $5, coalesce(p.tenant_id, $8), p.user_id, 'password_reset', $6, $6, $7, case when p.user_id is null then $6 end,
            case when p.user_id is null then 'void' end
         from (select 1) always left join person p on true
         returning tenant_id, user_id",
    )
    .bind(identifier)
    .bind(INVITED)
    .bind(at - Duration::minutes(RESET_WINDOW_MINUTES))
    .bind(RESETS_PER_WINDOW)
    .bind(mail_id)
    .bind(at)
    .bind(expires_at)
    .bind(TenantId::SYSTEM.0)
    .fetch_one(tx.conn())
    .await?;
    let user_id: Option<Uuid> = row.try_get("user_id")?;
    let tenant_id: Uuid = row.try_get("tenant_id")?;
    Ok(user_id.map(|id| (TenantId(tenant_id), UserId(id))))
}

/// Stores a link, tied to the account as it is. False when the account may not have one: it is switched off, or has no password here.
///
/// # Errors
/// As every query.
pub async fn insert_link(tx: &mut SystemTx, link: &NewLink<'_>) -> Result<bool, DbError> {
    let result = sqlx::query(
        "insert into users.password_links (link_id, tenant_id, user_id, mail_id, purpose, token_hash, account_state, created_at, expires_at)
         select $1, u.tenant_id, u.user_id, $2, $4, $5, sha256(convert_to(u.password_hash || '|' || lower(u.email), 'UTF8')), $6, $7
         from users.users u
         where u.user_id = $3 and u.is_active
            and case when $4 = 'invitation' then u.password_hash = $8 else u.password_hash like '$argon2%' or u.password_hash = $8 end
            and not users.has_directory(u.user_id)",
    )
    .bind(link.link_id)
    .bind(link.mail_id)
    .bind(link.user_id.0)
    .bind(link.purpose.as_str())
    .bind(link.token_hash.as_bytes())
    .bind(link.at)
    .bind(link.expires_at)
    .bind(INVITED)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Finds the link of a token. None when it was used, is over, or the account is not as it was: another password, another
/// address, switched off, its tenant suspended.
///
/// # Errors
/// As every query.
pub async fn find_open_link(
    tx: &mut SystemTx,
    token_hash: &TokenHash,
    at: DateTime<Utc>,
) -> Result<Option<OpenLink>, DbError> {
    let row = sqlx::query(
        "select l.link_id, l.user_id
         from users.password_links l
         join users.users u on u.tenant_id = l.tenant_id and u.user_id = l.user_id and u.is_active
         join users.tenants t on t.tenant_id = u.tenant_id and t.status = 'active'
         where l.token_hash = $1 and l.used_at is null and l.expires_at > $2
            and l.account_state = sha256(convert_to(u.password_hash || '|' || lower(u.email), 'UTF8'))",
    )
    .bind(token_hash.as_bytes())
    .bind(at)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(OpenLink {
        link_id: row.try_get("link_id")?,
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
    }))
}

/// Notes that a link was used: this one opens nothing any more.
///
/// # Errors
/// As every query.
pub async fn use_link(tx: &mut SystemTx, link_id: Uuid, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query("update users.password_links set used_at = $2 where link_id = $1")
        .bind(link_id)
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Takes a lock off an account whose password was just replaced: the failures were guesses at another one.
///
/// # Errors
/// As every query.
pub async fn unlock_user(tx: &mut SystemTx, user_id: UserId) -> Result<(), DbError> {
    sqlx::query(
        "update users.users set failed_login_attempts = 0, last_failed_login = null, account_locked_until = null where user_id = $1",
    )
    .bind(user_id.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}
