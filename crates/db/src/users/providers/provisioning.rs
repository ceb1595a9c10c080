//! People and groups that a provisioning client keeps (SCIM 2.0).

use chrono::{DateTime, Utc};
use sg_types::{ProviderId, TenantId, UserId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{ExternalAccount, Provider, configuration::find_provider, identities::account};
use crate::{DbError, SystemTx, tx::Connection};

/// Somebody as the client knows them.
#[derive(Debug, Clone)]
pub struct ProvisionedUser {
    /// The account.
    pub account: ExternalAccount,
    /// The client's sign-in name for them.
    pub user_name: String,
    /// The client's id for them.
    pub external_id: Option<String>,
    /// When the account was created.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// Which people or groups to look for: whatever is given has to be equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScimFilter {
    /// The id here.
    pub id: Option<Uuid>,
    /// The client's id.
    pub external_id: Option<String>,
    /// The client's sign-in name, in any case.
    pub user_name: Option<String>,
    /// The e-mail address, in any case.
    pub email: Option<String>,
    /// Whether the account may sign in.
    pub is_active: Option<bool>,
    /// The shown name, in any case.
    pub display_name: Option<String>,
}

/// As [`ScimFilter`], for groups.
pub type GroupFilter = ScimFilter;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionedGroup {
    /// Its id here.
    pub group_id: Uuid,
    /// Its name.
    pub display_name: String,
    /// The client's id for it.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionedPerson {
    /// The account.
    pub user_id: UserId,
    /// The client's name for it, else ours.
    pub name: String,
}

/// A group to be.
#[derive(Debug)]
pub struct NewGroup<'a> {
    /// Its id.
    pub group_id: Uuid,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Who keeps it.
    pub provider_id: ProviderId,
    /// Its name.
    pub display_name: &'a str,
    /// The client's id for it.
    pub external_id: Option<&'a str>,
    /// The time.
    pub at: DateTime<Utc>,
}

/// The tenant's provider for provisioning, where there is one in use.
///
/// # Errors
/// As every query.
pub async fn find_scim_provider(tx: &mut SystemTx, tenant_id: TenantId) -> Result<Option<Provider>, DbError> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "select provider_id from users.identity_providers where tenant_id = $1 and kind = 'scim' and is_enabled",
    )
    .bind(tenant_id.0)
    .fetch_optional(tx.conn())
    .await?;
    match id {
        Some(id) => find_provider(tx, ProviderId(id)).await,
        None => Ok(None),
    }
}

/// The people of the client, oldest first, and how many there are in all.
///
/// # Errors
/// As every query.
pub async fn list_provisioned_users(
    tx: &mut SystemTx,
    provider: &Provider,
    filter: &ScimFilter,
    offset: i64,
    limit: i64,
) -> Result<(Vec<ProvisionedUser>, i64), DbError> {
    let rows = sqlx::query(
        "with found as (
            select u.user_id, u.tenant_id, u.username, u.email, u.full_name, r.based_on, u.is_active, u.last_login is not null as was_used,
                u.created_at, u.updated_at, i.user_name, i.external_id
            from users.external_identities i
            join users.users u on u.tenant_id = i.tenant_id and u.user_id = i.user_id
            join users.roles r on r.tenant_id = u.tenant_id and r.role = u.role
            where i.tenant_id = $1 and i.provider_id = $2 and i.user_name is not null
                and ($3::uuid is null or u.user_id = $3)
                and ($4::text is null or i.external_id = $4)
                and ($5::text is null or lower(i.user_name) = lower($5))
                and ($6::text is null or lower(u.email) = lower($6))
                and ($7::boolean is null or u.is_active = $7)
                and ($8::text is null or lower(u.full_name) = lower($8)))
         select n.total, f.*
         from (select count(*) as total from found) n
         left join lateral (select * from found order by created_at, user_id offset $9 limit $10) f on true",
    )
    .bind(provider.tenant_id.0)
    .bind(provider.provider_id.0)
    .bind(filter.id)
    .bind(&filter.external_id)
    .bind(&filter.user_name)
    .bind(&filter.email)
    .bind(filter.is_active)
    .bind(&filter.display_name)
    .bind(offset)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    let total = rows.first().map_or(Ok(0), |row| row.try_get("total"))?;
    let users = rows
        .iter()
        .filter(|row| matches!(row.try_get::<Option<Uuid>, _>("user_id"), Ok(Some(_))))
        .map(|row| {
            Ok(ProvisionedUser {
                account: account(row)?,
                user_name: row.try_get("user_name")?,
                external_id: row.try_get("external_id")?,
                created_at: row.try_get("created_at")?,
                updated_at: row.try_get("updated_at")?,
            })
        })
        .collect::<Result<_, DbError>>()?;
    Ok((users, total))
}

/// Notes what the client calls a person.
///
/// # Errors
/// [`DbError::AlreadyExists`] when somebody else has that name there.
pub async fn rename_identity(
    tx: &mut SystemTx,
    provider: &Provider,
    user_id: UserId,
    user_name: &str,
    external_id: Option<&str>,
) -> Result<(), DbError> {
    sqlx::query(
        "update users.external_identities set user_name = $4, external_id = $5
         where tenant_id = $1 and provider_id = $2 and user_id = $3",
    )
    .bind(provider.tenant_id.0)
    .bind(provider.provider_id.0)
    .bind(user_id.0)
    .bind(user_name)
    .bind(external_id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets that the client knows a person; the account stays.
///
/// # Errors
/// As every query.
pub async fn unlink_identity(tx: &mut SystemTx, provider: &Provider, user_id: UserId) -> Result<(), DbError> {
    sqlx::query(
        "delete from users.provisioned_group_members m
         using users.provisioned_groups g
         where m.tenant_id = $1 and g.tenant_id = $1 and g.provider_id = $2 and g.group_id = m.group_id and m.user_id = $3",
    )
    .bind(provider.tenant_id.0)
    .bind(provider.provider_id.0)
    .bind(user_id.0)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "delete from users.external_identities where tenant_id = $1 and provider_id = $2 and user_id = $3",
    )
    .bind(provider.tenant_id.0)
    .bind(provider.provider_id.0)
    .bind(user_id.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The groups of the client, oldest first, and how many there are in all.
///
/// # Errors
/// As every query.
pub async fn list_groups(
    tx: &mut SystemTx,
    provider: &Provider,
    filter: &GroupFilter,
    offset: i64,
    limit: i64,
) -> Result<(Vec<ProvisionedGroup>, i64), DbError> {
    let rows = sqlx::query(
        "with found as (
            select group_id, display_name, external_id, created_at, updated_at
            from users.provisioned_groups
            where tenant_id = $1 and provider_id = $2
                and ($3::uuid is null or group_id = $3)
                and ($4::text is null or external_id = $4)
                and ($5::text is null or lower(display_name) = lower($5)))
         select n.total, f.*
         from (select count(*) as total from found) n
         left join lateral (select * from found order by created_at, group_id offset $6 limit $7) f on true",
    )
    .bind(provider.tenant_id.0)
    .bind(provider.provider_id.0)
    .bind(filter.id)
    .bind(&filter.external_id)
    .bind(&filter.display_name)
    .bind(offset)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    let total = rows.first().map_or(Ok(0), |row| row.try_get("total"))?;
    let groups = rows
        .iter()
        .filter(|row| matches!(row.try_get::<Option<Uuid>, _>("group_id"), Ok(Some(_))))
        .map(group)
        .collect::<Result<_, DbError>>()?;
    Ok((groups, total))
}

/// Makes a group.
///
/// # Errors
/// [`DbError::AlreadyExists`] when the tenant has one of that name.
pub async fn insert_group(tx: &mut SystemTx, new: &NewGroup<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.provisioned_groups (group_id, tenant_id, provider_id, display_name, external_id, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(new.group_id)
    .bind(new.tenant_id.0)
    .bind(new.provider_id.0)
    .bind(new.display_name)
    .bind(new.external_id)
    .bind(new.at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Changes a group's names.
///
/// # Errors
/// [`DbError::AlreadyExists`] when the tenant has another one of that name.
pub async fn rename_group(
    tx: &mut SystemTx,
    provider: &Provider,
    group_id: Uuid,
    display_name: &str,
    external_id: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "update users.provisioned_groups set display_name = $4, external_id = $5, updated_at = $6
         where tenant_id = $1 and provider_id = $2 and group_id = $3",
    )
    .bind(provider.tenant_id.0)
    .bind(provider.provider_id.0)
    .bind(group_id)
    .bind(display_name)
    .bind(external_id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a group; its members stay. False when there is none.
///
/// # Errors
/// As every query.
pub async fn delete_group(tx: &mut SystemTx, provider: &Provider, group_id: Uuid) -> Result<bool, DbError> {
    let result = sqlx::query(
        "delete from users.provisioned_groups where tenant_id = $1 and provider_id = $2 and group_id = $3",
    )
    .bind(provider.tenant_id.0)
    .bind(provider.provider_id.0)
    .bind(group_id)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Who is in a group.
///
/// # Errors
/// As every query.
pub async fn list_group_members(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    group_id: Uuid,
) -> Result<Vec<ProvisionedPerson>, DbError> {
    sqlx::query(
        "select u.user_id, coalesce(u.full_name, u.username)::text as name
         from users.provisioned_group_members m
         join users.users u on u.tenant_id = m.tenant_id and u.user_id = m.user_id
         where m.tenant_id = $1 and m.group_id = $2
         order by u.user_id",
    )
    .bind(tenant_id.0)
    .bind(group_id)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(ProvisionedPerson {
            user_id: UserId(row.try_get("user_id")?),
            name: row.try_get("name")?,
        })
    })
    .collect()
}

/// Makes `members`, of those whom the client keeps, the members of a group. Returns how many of them there are.
///
/// # Errors
/// As every query.
pub async fn set_group_members(
    tx: &mut SystemTx,
    provider: &Provider,
    group_id: Uuid,
    members: &[Uuid],
) -> Result<u64, DbError> {
    sqlx::query(
        "delete from users.provisioned_group_members where tenant_id = $1 and group_id = $2 and not user_id = any ($3)",
    )
    .bind(provider.tenant_id.0)
    .bind(group_id)
    .bind(members)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "insert into users.provisioned_group_members (tenant_id, group_id, user_id)
         select i.tenant_id, $3, i.user_id
         from users.external_identities i
         where i.tenant_id = $1 and i.provider_id = $2 and i.user_id = any ($4)
         on conflict do nothing",
    )
    .bind(provider.tenant_id.0)
    .bind(provider.provider_id.0)
    .bind(group_id)
    .bind(members)
    .execute(tx.conn())
    .await?;
    let count: i64 = sqlx::query_scalar(
        "select count(*) from users.provisioned_group_members where tenant_id = $1 and group_id = $2",
    )
    .bind(provider.tenant_id.0)
    .bind(group_id)
    .fetch_one(tx.conn())
    .await?;
    Ok(count.unsigned_abs())
}

/// The names of the groups that somebody is in: what their role follows from.
///
/// # Errors
/// As every query.
pub async fn list_member_group_names(
    tx: &mut SystemTx,
    provider: &Provider,
    user_id: UserId,
) -> Result<Vec<String>, DbError> {
    Ok(sqlx::query_scalar(
        "select g.display_name
         from users.provisioned_group_members m
         join users.provisioned_groups g on g.tenant_id = m.tenant_id and g.group_id = m.group_id
         where m.tenant_id = $1 and g.provider_id = $2 and m.user_id = $3
         order by g.display_name",
    )
    .bind(provider.tenant_id.0)
    .bind(provider.provider_id.0)
    .bind(user_id.0)
    .fetch_all(tx.conn())
    .await?)
}

fn group(row: &PgRow) -> Result<ProvisionedGroup, DbError> {
    Ok(ProvisionedGroup {
        group_id: row.try_get("group_id")?,
        display_name: row.try_get("display_name")?,
        external_id: row.try_get("external_id")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
