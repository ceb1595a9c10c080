//! Tenants.

use chrono::{DateTime, Utc};
use sg_types::{
    TenantId,
    api::users::{TenantRef, TenantStatus, TenantView},
};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::After;
use crate::{DbError, Reads, SystemTx, tx::Connection};

/// Every tenant but the reserved one, oldest first.
///
/// # Errors
/// As every query.
pub async fn list_tenants(
    tx: &mut SystemTx,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<TenantView>, DbError> {
    sqlx::query(
        "select tenant_id, name, slug, status, erase_at, created_at
         from users.tenants
         where tenant_id <> $1 and ($2::timestamptz is null or (created_at, tenant_id) > ($2, $3))
         order by created_at, tenant_id
         limit $4",
    )
    .bind(TenantId::SYSTEM.0)
    .bind(after.map(|a| a.at))
    .bind(after.map(|a| a.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

/// Creates a tenant with the default password policy.
///
/// # Errors
/// [`DbError::AlreadyExists`] when the short name is taken.
pub async fn insert_tenant(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    name: &str,
    slug: &str,
) -> Result<TenantView, DbError> {
    let row = sqlx::query(
        "insert into users.tenants (tenant_id, name, slug) values ($1, $2, $3)
         returning tenant_id, name, slug, status, erase_at, created_at",
    )
    .bind(tenant_id.0)
    .bind(name)
    .bind(slug)
    .fetch_one(tx.conn())
    .await?;
    view(&row)
}

/// Changes a tenant's name and status; none for a tenant that is not there, or whose rows are erased. What is none stays.
///
/// # Errors
/// As every query.
pub async fn update_tenant(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    name: Option<&str>,
    status: Option<TenantStatus>,
) -> Result<Option<TenantView>, DbError> {
    sqlx::query(
        "update users.tenants set name = coalesce($2, name), status = coalesce($3, status),
            erase_at = case when $3 = 'active' then null else erase_at end
         where tenant_id = $1 and status <> 'erased'
         returning tenant_id, name, slug, status, erase_at, created_at",
    )
    .bind(tenant_id.0)
    .bind(name)
    .bind(status.map(TenantStatus::as_str))
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(view)
    .transpose()
}

/// Suspends a tenant and says when it is erased; none for a tenant that is not there, or erased already.
///
/// # Errors
/// As every query.
pub async fn schedule_erasure(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    erase_at: DateTime<Utc>,
) -> Result<Option<TenantView>, DbError> {
    sqlx::query(
        "update users.tenants set status = 'suspended', erase_at = coalesce(erase_at, $2)
         where tenant_id = $1 and status <> 'erased'
         returning tenant_id, name, slug, status, erase_at, created_at",
    )
    .bind(tenant_id.0)
    .bind(erase_at)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(view)
    .transpose()
}

/// Short names of the tenants whose time has come, and of those whose erasure was broken off.
///
/// # Errors
/// As every query.
pub async fn list_due_erasures(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<Vec<String>, DbError> {
    Ok(
        sqlx::query_scalar(
            "select slug from users.tenants where erase_at <= $1 order by erase_at, tenant_id",
        )
        .bind(at)
        .fetch_all(tx.conn())
        .await?,
    )
}

/// A tenant's name. None when the transaction does not see it.
///
/// # Errors
/// As every query.
pub async fn find_tenant_name(tx: &mut impl Reads, tenant_id: TenantId) -> Result<Option<String>, DbError> {
    Ok(
        sqlx::query_scalar("select name from users.tenants where tenant_id = $1")
            .bind(tenant_id.0)
            .fetch_optional(tx.conn())
            .await?,
    )
}

/// The tenants that the caller of this transaction may work in.
///
/// # Errors
/// As every query.
pub async fn list_own_tenants(tx: &mut impl Reads, at: DateTime<Utc>) -> Result<Vec<TenantRef>, DbError> {
    sqlx::query("select tenant_id, name from users.list_own_tenants($1)")
        .bind(at)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| {
            Ok(TenantRef {
                tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
                name: row.try_get("name")?,
            })
        })
        .collect()
}

fn view(row: &PgRow) -> Result<TenantView, DbError> {
    Ok(TenantView {
        tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        name: row.try_get("name")?,
        slug: row.try_get("slug")?,
        status: row.try_get("status")?,
        erase_at: row.try_get("erase_at")?,
        created_at: row.try_get("created_at")?,
    })
}
