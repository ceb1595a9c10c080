//! The outbox: mail is put into it by the transaction that it tells of, and sent afterwards.

use chrono::{DateTime, Duration, Utc};
use sg_types::{TenantId, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, Writes, tx::Connection};

/// Seconds that a sender has a mail to itself, and after which a mail that was not sent is tried again; doubles with each attempt.
pub const FIRST_RETRY_SECONDS: u32 = 60;
/// Seconds between two attempts at most.
const LONGEST_RETRY_SECONDS: u32 = 3_600;
/// Characters of a failure that are kept.
const ERROR_CHARS: usize = 500;

/// A mail to be.
#[derive(Debug, Clone, Copy)]
pub struct NewMail<'a> {
    /// The mail's id.
    pub mail_id: Uuid,
    /// The home of who gets it.
    pub tenant_id: TenantId,
    /// Who gets it, at the address that they have when it is sent.
    pub user_id: UserId,
    /// Which message it is.
    pub kind: &'a str,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// When it is no use any more.
    pub expires_at: DateTime<Utc>,
}

/// A mail that this sender has to itself for a while.
#[derive(Debug, Clone)]
pub struct ClaimedMail {
    /// The mail's id.
    pub mail_id: Uuid,
    /// The home of who gets it.
    pub tenant_id: TenantId,
    /// Who gets it.
    pub user_id: UserId,
    /// Which message it is.
    pub kind: String,
    /// What else its text is made from.
    pub parameters: serde_json::Value,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it is no use any more.
    pub expires_at: DateTime<Utc>,
    /// How many times it was tried, this one included.
    pub attempts: i32,
    /// Their address.
    pub email: String,
    /// Their sign-in name.
    pub username: String,
    /// Their name.
    pub full_name: Option<String>,
    /// Whether they may sign in.
    pub is_active: bool,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailOutcome {
    /// A mail server took it.
    Sent,
    /// The mail server refuses it for good.
    Refused,
    /// It was no use any more before a mail server took it.
    Expired,
    /// Its reason is gone.
    Void,
}

impl MailOutcome {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }
}

/// Puts a mail into the outbox; it goes when the transaction commits.
///
/// # Errors
/// As every query.
pub async fn enqueue_mail(tx: &mut impl Writes, mail: &NewMail<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.outgoing_mail (mail_id, tenant_id, user_id, kind, created_at, next_attempt_at, expires_at)
         values ($1, $2, $3, $4, $5, $5, $6)",
    )
    .bind(mail.mail_id)
    .bind(mail.tenant_id.0)
    .bind(mail.user_id.0)
    .bind(mail.kind)
    .bind(mail.at)
    .bind(mail.expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// As [`enqueue_mail`], unless the user was sent one of this kind within `pause`: nobody's mailbox is filled by somebody else's tries.
///
/// # Errors
/// As every query.
pub async fn enqueue_mail_at_most_every(
    tx: &mut SystemTx,
    mail: &NewMail<'_>,
    pause: Duration,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "insert into users.outgoing_mail (mail_id, tenant_id, user_id, kind, created_at, next_attempt_at, expires_at)
         select $1, $2, $3, $4, $5, $5, $6
         where not exists (
            select 1 from users.outgoing_mail m
            where m.tenant_id = $2 and m.user_id = $3 and m.kind = $4 and m.created_at > $7)",
    )
    .bind(mail.mail_id)
    .bind(mail.tenant_id.0)
    .bind(mail.user_id.0)
    .bind(mail.kind)
    .bind(mail.at)
    .bind(mail.expires_at)
    .bind(mail.at - pause)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Takes the mail that has waited longest. Until its next attempt is due, no other sender gets it. Commit before sending: a sender that dies
/// leaves it to the next attempt.
///
/// # Errors
/// As every query.
pub async fn claim_mail(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<Option<ClaimedMail>, DbError> {
    let row = sqlx::query(
        "with due as (
            select m.mail_id from users.outgoing_mail m
            where m.finished_at is null and m.next_attempt_at <= $1
            order by m.next_attempt_at, m.mail_id
            limit 1
            for update skip locked
         )
         update users.outgoing_mail m
         set attempts = m.attempts + 1,
            next_attempt_at = $1 + make_interval(secs => least($2 * 2 ^ least(m.attempts, 20), $3))
         from due, users.users u
         where m.mail_id = due.mail_id and u.tenant_id = m.tenant_id and u.user_id = m.user_id
         returning m.mail_id, m.tenant_id, m.user_id, m.kind, m.parameters, m.created_at, m.expires_at, m.attempts, u.email, u.username, u.full_name,
            u.is_active",
    )
    .bind(at)
    .bind(f64::from(FIRST_RETRY_SECONDS))
    .bind(f64::from(LONGEST_RETRY_SECONDS))
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(ClaimedMail {
        mail_id: row.try_get("mail_id")?,
        tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        kind: row.try_get("kind")?,
        parameters: row.try_get("parameters")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        attempts: row.try_get("attempts")?,
        email: row.try_get("email")?,
        username: row.try_get("username")?,
        full_name: row.try_get("full_name")?,
        is_active: row.try_get("is_active")?,
    }))
}

/// Notes what became of a mail.
///
/// # Errors
/// As every query.
pub async fn finish_mail(
    tx: &mut SystemTx,
    mail_id: Uuid,
    outcome: MailOutcome,
    error: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "update users.outgoing_mail set finished_at = $2, outcome = $3, last_error = $4
         where mail_id = $1 and finished_at is null",
    )
    .bind(mail_id)
    .bind(at)
    .bind(outcome.as_str())
    .bind(error.map(shorten))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes why a mail was not taken; it is tried again.
///
/// # Errors
/// As every query.
pub async fn note_mail_failure(tx: &mut SystemTx, mail_id: Uuid, error: &str) -> Result<(), DbError> {
    sqlx::query("update users.outgoing_mail set last_error = $2 where mail_id = $1 and finished_at is null")
        .bind(mail_id)
        .bind(shorten(error))
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn shorten(error: &str) -> String {
    error.chars().take(ERROR_CHARS).collect()
}
