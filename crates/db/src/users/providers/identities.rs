//! Whom a provider vouches for: the links to accounts.

use chrono::{DateTime, Utc};
use sg_types::{ProviderId, Role, SessionId, TenantId, UserId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection};

/// An account that a provider vouches for, or could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    /// The account.
    pub user_id: UserId,
    /// Its home.
    pub tenant_id: TenantId,
    /// Its sign-in name.
    pub username: String,
    /// Its e-mail address.
    pub email: String,
    /// The person's name.
    pub full_name: Option<String>,
    /// Its role at home, or the documented one that bounds it.
    pub role: Role,
    /// Whether it may sign in.
    pub is_active: bool,
    /// Whether anybody has ever signed in with it.
    pub was_used: bool,
}

/// The account that is linked to `subject` at the provider; locked until the end of the transaction.
///
/// # Errors
/// As every query.
pub async fn find_external_account(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
    subject: &str,
) -> Result<Option<ExternalAccount>, DbError> {
    sqlx::query(
        "select u.user_id, u.tenant_id, u.username, u.email, u.full_name, r.based_on, u.is_active, u.last_login is not null as was_used
         from users.external_identities i
         join users.users u on u.tenant_id = i.tenant_id and u.user_id = i.user_id
         join users.roles r on r.tenant_id = u.tenant_id and r.role = u.role
         where i.tenant_id = $1 and i.provider_id = $2 and i.subject = $3
         for no key update of u",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .bind(subject)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(account)
    .transpose()
}

/// The account with this e-mail address, in any case and any tenant; locked until the end of the transaction.
///
/// # Errors
/// As every query.
pub async fn find_account_by_email(
    tx: &mut SystemTx,
    email: &str,
) -> Result<Option<ExternalAccount>, DbError> {
    sqlx::query(
        "select u.user_id, u.tenant_id, u.username, u.email, u.full_name, r.based_on, u.is_active, u.last_login is not null as was_used
         from users.users u join users.roles r on r.tenant_id = u.tenant_id and r.role = u.role
         where lower(u.email) = lower($1)
         for no key update of u",
    )
    .bind(email)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(account)
    .transpose()
}

/// An account of the tenant; locked until the end of the transaction.
///
/// # Errors
/// As every query.
pub async fn lock_account(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    user_id: UserId,
) -> Result<Option<ExternalAccount>, DbError> {
    sqlx::query(
        "select u.user_id, u.tenant_id, u.username, u.email, u.full_name, r.based_on, u.is_active, u.last_login is not null as was_used
         from users.users u join users.roles r on r.tenant_id = u.tenant_id and r.role = u.role
         where u.tenant_id = $1 and u.user_id = $2
         for no key update of u",
    )
    .bind(tenant_id.0)
    .bind(user_id.0)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(account)
    .transpose()
}

/// Links an account of the provider's tenant to the provider's name for its person.
///
/// # Errors
/// [`DbError::AlreadyExists`] when either is linked already, [`DbError::MissingReference`] when the account is of another tenant.
pub async fn link_identity(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
    subject: &str,
    user_id: UserId,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.external_identities (tenant_id, provider_id, subject, user_id, linked_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .bind(subject)
    .bind(user_id.0)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes the initial password away from an account that nobody has signed in with: whoever made it knows that password.
///
/// # Errors
/// As every query.
pub async fn void_initial_password(tx: &mut SystemTx, user_id: UserId) -> Result<(), DbError> {
    sqlx::query(
        "update users.users set password_hash = '!', must_change_password = false
         where user_id = $1 and last_login is null and must_change_password",
    )
    .bind(user_id.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Changes a person's name and e-mail address to what their provider says.
///
/// # Errors
/// [`DbError::AlreadyExists`] when somebody else has that address.
pub async fn update_account_names(
    tx: &mut SystemTx,
    user_id: UserId,
    email: &str,
    full_name: Option<&str>,
) -> Result<(), DbError> {
    sqlx::query(
        "update users.users set email = $2, full_name = $3
         where user_id = $1 and (email, coalesce(full_name, '')) is distinct from ($2, coalesce($3, ''))",
    )
    .bind(user_id.0)
    .bind(email)
    .bind(full_name)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The provider that vouched for a session, where one did.
///
/// # Errors
/// As every query.
pub async fn session_provider(
    tx: &mut SystemTx,
    session_id: SessionId,
) -> Result<Option<ProviderId>, DbError> {
    let id: Option<Option<Uuid>> =
        sqlx::query_scalar("select provider_id from users.sessions where session_id = $1")
            .bind(session_id.0)
            .fetch_optional(tx.conn())
            .await?;
    Ok(id.flatten().map(ProviderId))
}

/// The sign-in names of this form that are taken, in lower case: `wanted` itself, and `wanted` with a number behind it.
///
/// # Errors
/// As every query.
pub async fn list_similar_usernames(tx: &mut SystemTx, wanted: &str) -> Result<Vec<String>, DbError> {
    Ok(sqlx::query_scalar(
        "select lower(username) from users.users where starts_with(lower(username), lower($1))",
    )
    .bind(wanted)
    .fetch_all(tx.conn())
    .await?)
}

pub(super) fn account(row: &PgRow) -> Result<ExternalAccount, DbError> {
    Ok(ExternalAccount {
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        username: row.try_get("username")?,
        email: row.try_get("email")?,
        full_name: row.try_get("full_name")?,
        role: row.try_get::<String, _>("based_on")?.parse()?,
        is_active: row.try_get("is_active")?,
        was_used: row.try_get("was_used")?,
    })
}
