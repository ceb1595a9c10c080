//! What was begun and waits for its second half: a sign-in, an enrolment, a question to an authenticator.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_types::{ProviderId, Role, SessionId, TenantId, UserId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, SystemTx, TokenHash, tx::Connection};

/// Times that one challenge may be answered.
const MAX_ATTEMPTS: i32 = 5;

/// What a challenge opens, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengePurpose {
    /// The second step of a sign-in.
    SecondFactor,
    /// Adding the first factor, without which there is no session.
    Enrolment,
    /// Signing in by a passkey alone.
    PasskeySignIn,
    /// Adding a passkey.
    PasskeyRegistration,
    /// Verifying oneself again within a session.
    Verification,
}

impl ChallengePurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::Enrolment => "enrolment",
            Self::PasskeySignIn => "passkey_sign_in",
            Self::PasskeyRegistration => "passkey_registration",
            Self::Verification => "verification",
        }
    }
}

/// A challenge to be.
#[derive(Debug)]
pub struct NewChallenge<'a> {
    /// Its id.
    pub challenge_id: Uuid,
    /// The user's home; [`TenantId::SYSTEM`] without a user.
    pub tenant_id: TenantId,
    /// Whose it is; none for a passkey that will tell.
    pub user_id: Option<UserId>,
    /// What it opens.
    pub purpose: ChallengePurpose,
    /// Hash of the token that names it.
    pub token_hash: TokenHash,
    /// What an authenticator has to sign.
    pub passkey_challenge: [u8; 32],
    /// The password hash that was verified; another one voids the challenge.
    pub verified_hash: Option<&'a SecretString>,
    /// The session that it is for.
    pub session_id: Option<SessionId>,
    /// The provider that vouched for the user in the first step.
    pub provider_id: Option<ProviderId>,
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Its end.
    pub expires_at: DateTime<Utc>,
}

/// A challenge that may be answered.
#[derive(Debug, Clone)]
pub struct Challenge {
    /// Its id.
    pub challenge_id: Uuid,
    /// Whose it is.
    pub user_id: Option<UserId>,
    /// What an authenticator has to sign.
    pub passkey_challenge: Vec<u8>,
    /// SHA-256 of the password hash that was verified.
    pub password_digest: Option<Vec<u8>>,
    /// The session that it is for.
    pub session_id: Option<SessionId>,
    /// The provider that vouched for the user in the first step.
    pub provider_id: Option<ProviderId>,
}

/// Somebody whose sign-in comes to its end.
#[derive(Debug)]
pub struct Account {
    /// The user.
    pub user_id: UserId,
    /// Their home.
    pub tenant_id: TenantId,
    /// Sign-in name.
    pub username: String,
    /// The person's name.
    pub full_name: Option<String>,
    /// Their role at home, or the documented one that bounds it.
    pub role: Role,
    /// The present hash.
    pub password_hash: SecretString,
    /// Whether the password has to be changed.
    pub must_change_password: bool,
    /// Whether they may sign in at all.
    pub is_active: bool,
}

impl Account {
    /// Whether the password is the one that the first step verified.
    pub fn has_password_of(&self, challenge: &Challenge) -> bool {
        let present = TokenHash::of(self.password_hash.expose_secret());
        challenge.password_digest.as_deref() == Some(present.as_bytes())
    }
}

/// Stores a challenge. False when its user or their tenant is not active any more, or the password is another by now; nothing is stored then.
///
/// # Errors
/// As every query.
pub async fn insert_challenge(tx: &mut SystemTx, new: &NewChallenge<'_>) -> Result<bool, DbError> {
    let verified = new.verified_hash.map(ExposeSecret::expose_secret);
    let digest = verified.map(TokenHash::of);
    let result = sqlx::query(
        "insert into users.sign_in_challenges (challenge_id, tenant_id, user_id, purpose, token_hash, passkey_challenge, password_digest,
            session_id, created_at, expires_at, provider_id)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $12
         where $3::uuid is null or exists (
            select 1 from users.users u join users.tenants n on n.tenant_id = u.tenant_id and n.status = 'active'
            where u.user_id = $3 and u.is_active and ($11::text is null or u.password_hash = $11))",
    )
    .bind(new.challenge_id)
    .bind(new.tenant_id.0)
    .bind(new.user_id.map(|id| id.0))
    .bind(new.purpose.as_str())
    .bind(new.token_hash.as_bytes())
    .bind(new.passkey_challenge.as_slice())
    .bind(digest.as_ref().map(TokenHash::as_bytes))
    .bind(new.session_id.map(|id| id.0))
    .bind(new.at)
    .bind(new.expires_at)
    .bind(verified)
    .bind(new.provider_id.map(|id| id.0))
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Reserves one answer to a challenge. None when there is none of this purpose, or it is used, expired or was answered too often. Commit
/// before the answer is looked at.
///
/// # Errors
/// As every query.
pub async fn try_challenge(
    tx: &mut SystemTx,
    token_hash: TokenHash,
    purpose: ChallengePurpose,
    at: DateTime<Utc>,
) -> Result<Option<Challenge>, DbError> {
    let row = sqlx::query(
        "update users.sign_in_challenges set attempts = attempts + 1
         where token_hash = $1 and purpose = $2 and consumed_at is null and expires_at > $3 and attempts < $4
         returning challenge_id, user_id, passkey_challenge, password_digest, session_id, provider_id",
    )
    .bind(token_hash.as_bytes())
    .bind(purpose.as_str())
    .bind(at)
    .bind(match purpose {
        // Several requests belong to one enrolment: its end is its time.
        ChallengePurpose::Enrolment => 100,
        _ => MAX_ATTEMPTS,
    })
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(challenge).transpose()
}

fn challenge(row: &PgRow) -> Result<Challenge, DbError> {
    Ok(Challenge {
        challenge_id: row.try_get("challenge_id")?,
        user_id: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
        passkey_challenge: row.try_get("passkey_challenge")?,
        password_digest: row.try_get("password_digest")?,
        session_id: row.try_get::<Option<Uuid>, _>("session_id")?.map(SessionId),
        provider_id: row.try_get::<Option<Uuid>, _>("provider_id")?.map(ProviderId),
    })
}

/// Finds what a browser's return from its provider waits for, with the end of its time. Answers nothing, and so uses up no attempt.
///
/// # Errors
/// As every query.
pub async fn find_waiting_challenge(
    tx: &mut SystemTx,
    token_hash: TokenHash,
    at: DateTime<Utc>,
) -> Result<Option<(Challenge, DateTime<Utc>)>, DbError> {
    let row = sqlx::query(
        "select challenge_id, user_id, passkey_challenge, password_digest, session_id, provider_id, expires_at from users.sign_in_challenges
         where token_hash = $1 and purpose in ('second_factor', 'enrolment') and provider_id is not null and consumed_at is null
            and expires_at > $2",
    )
    .bind(token_hash.as_bytes())
    .bind(at)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref()
        .map(|row| Ok((challenge(row)?, row.try_get("expires_at")?)))
        .transpose()
}

/// Uses a challenge up. False when somebody else did.
///
/// # Errors
/// As every query.
pub async fn consume_challenge(
    tx: &mut SystemTx,
    challenge_id: Uuid,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "update users.sign_in_challenges set consumed_at = $2 where challenge_id = $1 and consumed_at is null",
    )
    .bind(challenge_id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Reads an account and locks it until the end of the transaction.
///
/// # Errors
/// As every query.
pub async fn lock_account(tx: &mut SystemTx, user_id: UserId) -> Result<Option<Account>, DbError> {
    let row = sqlx::query(
        "select u.user_id, u.tenant_id, u.username, u.full_name, r.based_on, u.password_hash, u.must_change_password, u.is_active
         from users.users u join users.roles r on r.tenant_id = u.tenant_id and r.role = u.role
         where u.user_id = $1 for no key update of u",
    )
    .bind(user_id.0)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Account {
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        username: row.try_get("username")?,
        full_name: row.try_get("full_name")?,
        role: row.try_get::<String, _>("based_on")?.parse()?,
        password_hash: row.try_get::<String, _>("password_hash")?.into(),
        must_change_password: row.try_get("must_change_password")?,
        is_active: row.try_get("is_active")?,
    }))
}

/// Notes a sign-in that no password was part of, or whose password was accepted in an earlier step.
///
/// # Errors
/// As every query.
pub async fn note_sign_in(tx: &mut SystemTx, user_id: UserId, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query("update users.users set last_login = $2 where user_id = $1")
        .bind(user_id.0)
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Notes that the holder of a session has proved again who they are, and puts a new token in the place of the one that was used (ASVS 5.0 §7.2.4).
/// False when the session has ended, or another proof was faster.
///
/// # Errors
/// As every query.
pub async fn renew_session(
    tx: &mut SystemTx,
    old: TokenHash,
    new: TokenHash,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let renewed = sqlx::query(
        "update users.sessions set verified_at = $3, token_hash = $2 where token_hash = $1 and ended_at is null",
    )
    .bind(old.as_bytes())
    .bind(new.as_bytes())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// When the holder of a session last proved who they are; the session's begin at the earliest.
///
/// # Errors
/// As every query.
pub async fn read_verified_at(
    tx: &mut SystemTx,
    session_id: SessionId,
) -> Result<Option<DateTime<Utc>>, DbError> {
    Ok(sqlx::query_scalar(
        "select coalesce(verified_at, created_at) from users.sessions where session_id = $1",
    )
    .bind(session_id.0)
    .fetch_optional(tx.conn())
    .await?)
}
