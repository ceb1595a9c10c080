//! Rows of the audit log that no chain vouches for.

use chrono::{DateTime, Utc};
use sg_types::TenantId;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::AuditTable;
use crate::{DbError, Reads, SystemTx, tx::Connection};

/// Tenants with a row in any audit table, or with a chain.
///
/// # Errors
/// As every query.
pub async fn list_audited_tenants(tx: &mut SystemTx) -> Result<Vec<TenantId>, DbError> {
    let tenants: Vec<Uuid> = sqlx::query_scalar(
        "select t.tenant_id from users.tenants t
         union select h.tenant_id from audit.chain_heads h
         order by 1",
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(tenants.into_iter().map(TenantId).collect())
}

/// Rows of a table that are in no chain and do not wait for it either, at most `limit` of them.
///
/// # Errors
/// As every query.
pub async fn list_unchained_rows(
    tx: &mut SystemTx,
    table: AuditTable,
    limit: i64,
) -> Result<Vec<(TenantId, Uuid, DateTime<Utc>)>, DbError> {
    // The whole table is compared with the whole chain, which may take longer than a request may.
    sqlx::raw_sql("set local statement_timeout = 0; set local work_mem = '64MB'")
        .execute(tx.conn())
        .await?;
    let statement = format!(
        "select t.tenant_id, t.{id} as row_id, t.occurred_at
         from {name} t
         where not exists (
                select from audit.chain c where c.tenant_id = t.tenant_id and c.row_id = t.{id} and c.row_time = t.occurred_at
                    and c.table_code = {code})
            and not exists (
                select from audit.unsealed u where u.tenant_id = t.tenant_id and u.row_id = t.{id} and u.row_time = t.occurred_at
                    and u.table_code = {code})
         order by t.tenant_id, t.occurred_at, t.{id}
         limit $1",
        id = table.id_column(),
        name = table.name(),
        code = table.code(),
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(limit)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| {
            Ok((
                TenantId(row.try_get("tenant_id")?),
                row.try_get("row_id")?,
                row.try_get("occurred_at")?,
            ))
        })
        .collect()
}

/// Rows that wait for their place in a tenant's chain, and since when the oldest of them does.
///
/// # Errors
/// As every query.
pub async fn count_unsealed(tx: &mut SystemTx, tenant_id: Option<TenantId>) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("select count(*) from audit.unsealed where $1::uuid is null or tenant_id = $1")
            .bind(tenant_id.map(Uuid::from))
            .fetch_one(tx.conn())
            .await?,
    )
}

/// When the last fork was recorded in the chain of the transaction's tenant.
///
/// # Errors
/// As every query.
pub async fn count_forks(tx: &mut impl Reads, tenant_id: TenantId) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("select count(*) from audit.chain_records where tenant_id = $1 and kind = 'fork'")
            .bind(tenant_id.0)
            .fetch_one(tx.conn())
            .await?,
    )
}

/// How often the history of each chain was found changed since a time, where it was.
///
/// # Errors
/// As every query.
pub async fn list_forks(tx: &mut impl Reads, since: DateTime<Utc>) -> Result<Vec<(TenantId, i64)>, DbError> {
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(
        "select tenant_id, count(*) from audit.chain_records where kind = 'fork' and occurred_at > $1 group by tenant_id",
    )
    .bind(since)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, count)| (TenantId(tenant), count))
        .collect())
}
