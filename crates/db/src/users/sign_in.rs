//! The gate in front of every password check, and what is recorded of attempts.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use secrecy::SecretString;
use sg_types::{Role, TenantId, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, TokenHash, tx::Connection};

/// What the gate says of an attempt that it has reserved.
#[derive(Debug)]
pub struct LoginGate {
    /// False while the account is locked: the password must not be tested.
    pub allowed: bool,
    /// Whose attempt it is.
    pub user_id: UserId,
    /// Their home.
    pub tenant_id: TenantId,
    /// Their name as stored.
    pub username: String,
    /// What to verify against.
    pub password_hash: SecretString,
    /// Whether they may sign in at all.
    pub is_active: bool,
    /// Whether this attempt was the last one before a lock, which a success takes away again.
    pub locked_now: bool,
    /// Whether the password has to be changed, by order or by age.
    pub must_change_password: bool,
    /// Their role at home, or the documented one that bounds it.
    pub role: Role,
    /// The known device that the attempt comes from; its budget counts, not the account's.
    pub device_id: Option<Uuid>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// Signed in.
    Success,
    /// Nobody has that name.
    UnknownUser,
    /// The password is another.
    WrongPassword,
    /// The account is locked.
    Locked,
    /// The account is switched off.
    Inactive,
    /// The password was right, and a second factor is asked for.
    SecondFactorRequired,
    /// The second factor was wrong, used up or locked.
    WrongFactor,
    /// A directory keeps the password and could not be asked.
    DirectoryUnavailable,
}

impl AttemptOutcome {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::UnknownUser => "unknown_user",
            Self::WrongPassword => "wrong_password",
            Self::Locked => "locked",
            Self::Inactive => "inactive",
            Self::SecondFactorRequired => "second_factor_required",
            Self::WrongFactor => "wrong_factor",
            Self::DirectoryUnavailable => "directory_unavailable",
        }
    }
}

/// A row of `audit.login_attempts`.
#[derive(Debug)]
pub struct LoginAttempt<'a> {
    /// The row's id.
    pub attempt_id: Uuid,
    /// The tenant it concerns; [`TenantId::SYSTEM`] for unknown names.
    pub tenant_id: TenantId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, where the name exists.
    pub user_id: Option<UserId>,
    /// The name, or the digest of what was typed where nobody has it.
    pub username_or_digest: &'a str,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// By what: `password`, `totp`, `passkey` or `backup_code`.
    pub method: &'a str,
    /// From where.
    pub address: IpAddr,
    /// With which program, at most 512 characters.
    pub user_agent: Option<&'a str>,
    /// In which request.
    pub request_id: &'a str,
}

/// Reserves an attempt for `username` (any case), from the budget of `device` where the user knows it, else from the account's. None when
/// nobody has that name. Commit before the password is verified.
///
/// # Errors
/// As every query.
pub async fn begin_password_attempt(
    tx: &mut SystemTx,
    username: &str,
    device: Option<TokenHash>,
    at: DateTime<Utc>,
) -> Result<Option<LoginGate>, DbError> {
    let row = sqlx::query(
        "select g.allowed, g.user_id, g.tenant_id, g.username, g.password_hash, g.is_active, g.locked_now, g.must_change_password,
            r.based_on as role, g.device_id
         from users.begin_password_attempt($1, $2, $3) g
         join users.roles r on r.tenant_id = g.tenant_id and r.role = g.role",
    )
    .bind(username)
    .bind(device.as_ref().map(TokenHash::as_bytes))
    .bind(at)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(LoginGate {
        allowed: row.try_get("allowed")?,
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        username: row.try_get("username")?,
        password_hash: row.try_get::<String, _>("password_hash")?.into(),
        is_active: row.try_get("is_active")?,
        locked_now: row.try_get("locked_now")?,
        must_change_password: row.try_get("must_change_password")?,
        role: row.try_get::<String, _>("role")?.parse()?,
        device_id: row.try_get("device_id")?,
    }))
}

/// Gives back what [`begin_password_attempt`] reserved, after the password was verified, and unlocks that budget.
///
/// # Errors
/// As every query.
pub async fn complete_password_attempt(
    tx: &mut SystemTx,
    gate: &LoginGate,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("select users.complete_password_attempt($1, $2, $3)")
        .bind(gate.user_id.0)
        .bind(gate.device_id)
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Takes back what [`begin_password_attempt`] reserved, with the lock that it brought, after nobody could say whether the password is right.
///
/// # Errors
/// As every query.
pub async fn release_password_attempt(tx: &mut SystemTx, gate: &LoginGate) -> Result<(), DbError> {
    let statement = match gate.device_id {
        Some(_) => {
            "update users.known_devices set failed_attempts = greatest(failed_attempts - 1, 0),
                locked_until = case when $3 then null else locked_until end
             where user_id = $1 and device_id = $2"
        }
        None => {
            "update users.users set failed_login_attempts = greatest(failed_login_attempts - 1, 0),
                account_locked_until = case when $3 then null else account_locked_until end
             where user_id = $1 and $2::uuid is null"
        }
    };
    sqlx::query(statement)
        .bind(gate.user_id.0)
        .bind(gate.device_id)
        .bind(gate.locked_now)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Makes the user change their password before anything else.
///
/// # Errors
/// As every query.
pub async fn require_password_change(tx: &mut SystemTx, user_id: UserId) -> Result<(), DbError> {
    sqlx::query(
        "update users.users set must_change_password = true where user_id = $1 and not must_change_password",
    )
    .bind(user_id.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Records an attempt.
///
/// # Errors
/// As every query.
pub async fn record_login_attempt(tx: &mut SystemTx, attempt: &LoginAttempt<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into audit.login_attempts (attempt_id, tenant_id, occurred_at, user_id, username_or_digest, outcome, method, address,
            user_agent, request_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(attempt.attempt_id)
    .bind(attempt.tenant_id.0)
    .bind(attempt.at)
    .bind(attempt.user_id.map(|id| id.0))
    .bind(attempt.username_or_digest)
    .bind(attempt.outcome.as_str())
    .bind(attempt.method)
    .bind(IpNetwork::from(attempt.address))
    .bind(attempt.user_agent)
    .bind(attempt.request_id)
    .execute(tx.conn())
    .await?;
    Ok(())
}
