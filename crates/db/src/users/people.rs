//! The people of a tenant.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_types::{Role, RoleName, TenantId, UserId, api::users::UserView};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::After;
use crate::{DbError, Reads, Writes};

/// A user to be.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// The user's id.
    pub user_id: UserId,
    /// Their home.
    pub tenant_id: TenantId,
    /// Sign-in name.
    pub username: &'a str,
    /// E-mail address.
    pub email: &'a str,
    /// The person's name.
    pub full_name: Option<&'a str>,
    /// Role at home.
    pub role: RoleName,
    /// Hash of the initial password.
    pub password_hash: &'a SecretString,
    /// Whether it has to be changed at the first sign-in.
    pub must_change_password: bool,
}

/// What is needed to decide whether somebody may change a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person.
    pub user_id: UserId,
    /// Their home.
    pub home_tenant_id: TenantId,
    /// Their role in the tenant that was asked.
    pub role: RoleName,
    /// Whether they may sign in.
    pub is_active: bool,
}

/// The members of `tenant_id`, oldest first.
///
/// # Errors
/// As every query.
pub async fn list_users(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<UserView>, DbError> {
    sqlx::query(
        "select u.user_id, u.tenant_id, u.username, u.email, u.full_name, m.role, u.is_active, u.account_locked_until, u.last_login,
            u.created_at, case when u.tenant_id <> m.tenant_id then m.expires_at end as access_ends_at
         from users.memberships m
         join users.users u on u.user_id = m.user_id
         where m.tenant_id = $1 and ($2::timestamptz is null or (u.created_at, u.user_id) > ($2, $3))
         order by u.created_at, u.user_id
         limit $4",
    )
    .bind(tenant_id.0)
    .bind(after.map(|a| a.at))
    .bind(after.map(|a| a.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

/// One member of `tenant_id`.
///
/// # Errors
/// As every query.
pub async fn view_user(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    user_id: UserId,
) -> Result<Option<UserView>, DbError> {
    sqlx::query(
        "select u.user_id, u.tenant_id, u.username, u.email, u.full_name, m.role, u.is_active, u.account_locked_until, u.last_login,
            u.created_at, case when u.tenant_id <> m.tenant_id then m.expires_at end as access_ends_at
         from users.memberships m
         join users.users u on u.user_id = m.user_id
         where m.tenant_id = $1 and m.user_id = $2",
    )
    .bind(tenant_id.0)
    .bind(user_id.0)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(view)
    .transpose()
}

/// Reads a member of `tenant_id` and locks the membership until the end of the transaction.
///
/// # Errors
/// As every query.
pub async fn lock_user(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    user_id: UserId,
) -> Result<Option<Person>, DbError> {
    let row = sqlx::query(
        "select u.user_id, u.tenant_id, m.role, u.is_active
         from users.memberships m
         join users.users u on u.user_id = m.user_id
         where m.tenant_id = $1 and m.user_id = $2
         for no key update of m",
    )
    .bind(tenant_id.0)
    .bind(user_id.0)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Person {
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        home_tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        role: row.try_get::<String, _>("role")?.parse()?,
        is_active: row.try_get("is_active")?,
    }))
}

/// The id of whoever has this sign-in name, in any case and any tenant that the transaction sees.
///
/// # Errors
/// As every query.
pub async fn find_user_id(tx: &mut impl Reads, username: &str) -> Result<Option<UserId>, DbError> {
    let id: Option<Uuid> =
        sqlx::query_scalar("select user_id from users.users where lower(username) = lower($1)")
            .bind(username)
            .fetch_optional(tx.conn())
            .await?;
    Ok(id.map(UserId))
}

/// How many people the transaction sees with `role` at home.
///
/// # Errors
/// As every query.
pub async fn count_users(tx: &mut impl Reads, role: Role) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("select count(user_id) from users.users where role = $1")
            .bind(role.as_str())
            .fetch_one(tx.conn())
            .await?,
    )
}

/// Creates a user, who thereby is a member at home.
///
/// # Errors
/// [`DbError::AlreadyExists`] when somebody has that name or e-mail address, in any case.
pub async fn insert_user(tx: &mut impl Writes, user: &NewUser<'_>) -> Result<DateTime<Utc>, DbError> {
    Ok(sqlx::query_scalar(
        "insert into users.users (user_id, tenant_id, username, email, full_name, role, password_hash, must_change_password)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         returning created_at",
    )
    .bind(user.user_id.0)
    .bind(user.tenant_id.0)
    .bind(user.username)
    .bind(user.email)
    .bind(user.full_name)
    .bind(user.role.as_str())
    .bind(user.password_hash.expose_secret())
    .bind(user.must_change_password)
    .fetch_one(tx.conn())
    .await?)
}

/// Changes the role at home; the membership there follows.
///
/// # Errors
/// As every query.
pub async fn set_user_role(
    tx: &mut impl Writes,
    user_id: UserId,
    role: impl Into<RoleName>,
) -> Result<(), DbError> {
    sqlx::query("update users.users set role = $2 where user_id = $1")
        .bind(user_id.0)
        .bind(role.into().as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Switches an account on or off. Switched on, it is unlocked too.
///
/// # Errors
/// As every query.
pub async fn set_user_active(tx: &mut impl Writes, user_id: UserId, is_active: bool) -> Result<(), DbError> {
    let statement = if is_active {
        "update users.users set is_active = true, account_locked_until = null, failed_login_attempts = 0 where user_id = $1"
    } else {
        "update users.users set is_active = false where user_id = $1"
    };
    sqlx::query(statement).bind(user_id.0).execute(tx.conn()).await?;
    Ok(())
}

fn view(row: &PgRow) -> Result<UserView, DbError> {
    Ok(UserView {
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        username: row.try_get("username")?,
        email: row.try_get("email")?,
        full_name: row.try_get("full_name")?,
        role: row.try_get::<String, _>("role")?.parse()?,
        is_active: row.try_get("is_active")?,
        access_ends_at: row.try_get("access_ends_at")?,
        account_locked_until: row.try_get("account_locked_until")?,
        last_login: row.try_get("last_login")?,
        created_at: row.try_get("created_at")?,
    })
}
