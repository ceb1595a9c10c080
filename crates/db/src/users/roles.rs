//! Roles and what they may do.

use sg_types::{
    Permission, RoleName, Scope, TenantId,
    api::roles::{CreateRole, PermissionView, RoleView},
};
use sqlx::{Row, postgres::PgRow};

use crate::{DbError, Reads, SystemTx, WriteTx, Writes, tx::Connection};

/// What the program knows of the permissions in the database, in the order of the documented roles.
///
/// # Errors
/// As every query.
pub async fn list_permissions(tx: &mut SystemTx) -> Result<Vec<PermissionView>, DbError> {
    let rows = sqlx::query(
        "select permission, description, least_role from users.permissions order by users.role_rank(least_role), permission",
    )
    .fetch_all(tx.conn())
    .await?;
    let mut permissions = Vec::new();
    for row in rows {
        // A word that a newer program knows means nothing here.
        let Ok(permission) = row.try_get::<String, _>("permission")?.parse() else {
            continue;
        };
        permissions.push(PermissionView {
            permission,
            description: row.try_get("description")?,
            least_role: row.try_get::<String, _>("least_role")?.parse()?,
        });
    }
    Ok(permissions)
}

/// The roles of `tenant_id`, the documented ones first.
///
/// # Errors
/// As every query.
pub async fn list_roles(tx: &mut impl Reads, tenant_id: TenantId) -> Result<Vec<RoleView>, DbError> {
    read_roles(tx, tenant_id, None).await
}

/// One role of `tenant_id`.
///
/// # Errors
/// As every query.
pub async fn find_role(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    role: &RoleName,
) -> Result<Option<RoleView>, DbError> {
    Ok(read_roles(tx, tenant_id, Some(role)).await?.pop())
}

/// Locks a role of the caller's tenant until the end of the transaction. None when there is none that the caller may change.
///
/// # Errors
/// As every query.
pub async fn lock_role(
    tx: &mut WriteTx,
    tenant_id: TenantId,
    role: &RoleName,
) -> Result<Option<RoleView>, DbError> {
    sqlx::query("select 1 from users.roles where tenant_id = $1 and role = $2 for no key update")
        .bind(tenant_id.0)
        .bind(role.as_str())
        .execute(tx.conn())
        .await?;
    find_role(tx, tenant_id, role).await
}

/// How many roles of its own the tenant has.
///
/// # Errors
/// As every query.
pub async fn count_roles(tx: &mut impl Reads, tenant_id: TenantId) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("select count(*) from users.roles where tenant_id = $1 and role <> based_on")
            .bind(tenant_id.0)
            .fetch_one(tx.conn())
            .await?,
    )
}

/// Makes a role with its permissions.
///
/// # Errors
/// [`DbError::AlreadyExists`] when the tenant has one of that name, [`DbError::InvalidValue`] when it would exceed its base.
pub async fn insert_role(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    role: &CreateRole,
    scope: Scope,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.roles (tenant_id, role, based_on, scope, description) values ($1, $2, $3, $4, $5)",
    )
    .bind(tenant_id.0)
    .bind(role.role.as_str())
    .bind(role.based_on.as_str())
    .bind(scope.as_str())
    .bind(&role.description)
    .execute(tx.conn())
    .await?;
    insert_permissions(tx, tenant_id, &role.role, &role.permissions).await
}

/// Changes what a role sees and its description.
///
/// # Errors
/// As every query.
pub async fn update_role(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    role: &RoleName,
    scope: Scope,
    description: &str,
) -> Result<(), DbError> {
    sqlx::query("update users.roles set scope = $3, description = $4 where tenant_id = $1 and role = $2")
        .bind(tenant_id.0)
        .bind(role.as_str())
        .bind(scope.as_str())
        .bind(description)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Makes `permissions` everything that the role may do; what stays is not touched.
///
/// # Errors
/// [`DbError::InvalidValue`] when the base lacks one.
pub async fn replace_role_permissions(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    role: &RoleName,
    permissions: &[Permission],
) -> Result<(), DbError> {
    sqlx::query(
        "delete from users.role_permissions where tenant_id = $1 and role = $2 and not permission = any ($3)",
    )
    .bind(tenant_id.0)
    .bind(role.as_str())
    .bind(words(permissions))
    .execute(tx.conn())
    .await?;
    insert_permissions(tx, tenant_id, role, permissions).await
}

/// Removes a role that nobody has. False when it is not there or not to be removed by the caller.
///
/// # Errors
/// [`DbError::MissingReference`] when somebody has it, or their access that ended had it.
pub async fn delete_role(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    role: &RoleName,
) -> Result<bool, DbError> {
    let deleted = sqlx::query("delete from users.roles where tenant_id = $1 and role = $2")
        .bind(tenant_id.0)
        .bind(role.as_str())
        .execute(tx.conn())
        .await?;
    Ok(deleted.rows_affected() == 1)
}

async fn insert_permissions(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    role: &RoleName,
    permissions: &[Permission],
) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.role_permissions (tenant_id, role, permission)
         select distinct $1::uuid, $2, p from unnest($3::text[]) p
         where not exists (
            select 1 from users.role_permissions e where e.tenant_id = $1 and e.role = $2 and e.permission = p)",
    )
    .bind(tenant_id.0)
    .bind(role.as_str())
    .bind(words(permissions))
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn words(permissions: &[Permission]) -> Vec<&'static str> {
    permissions.iter().map(|permission| permission.as_str()).collect()
}

async fn read_roles(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    role: Option<&RoleName>,
) -> Result<Vec<RoleView>, DbError> {
    sqlx::query(
        "select r.role, r.based_on, r.scope, r.description,
            array(select p.permission::text from users.role_permissions p
                where p.tenant_id = r.tenant_id and p.role = r.role order by p.permission) as permissions,
            (select count(*) from users.memberships m where m.tenant_id = r.tenant_id and m.role = r.role) as members
         from users.roles r
         where r.tenant_id = $1 and ($2::text is null or r.role = $2)
         order by users.role_rank(r.role) nulls last, r.role",
    )
    .bind(tenant_id.0)
    .bind(role.map(RoleName::as_str))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

fn view(row: &PgRow) -> Result<RoleView, DbError> {
    let role: RoleName = row.try_get::<String, _>("role")?.parse()?;
    let permissions: Vec<String> = row.try_get("permissions")?;
    Ok(RoleView {
        is_documented: role.documented().is_some(),
        role,
        based_on: row.try_get::<String, _>("based_on")?.parse()?,
        scope: row.try_get::<String, _>("scope")?.parse()?,
        description: row.try_get("description")?,
        permissions: permissions.iter().filter_map(|word| word.parse().ok()).collect(),
        members: row.try_get("members")?,
    })
}
