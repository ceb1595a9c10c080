//! What may lawfully go: partitions past their retention, and everything of an erased tenant.

use chrono::{DateTime, Utc};
use sg_types::TenantId;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::AuditTable;
use crate::{DbError, SystemTx, tx::Connection};

/// A week or month of one table of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPartition {
    /// The table.
    pub table: AuditTable,
    /// The partition's name with its schema.
    pub name: String,
    /// Its first moment.
    pub from: DateTime<Utc>,
    /// The first moment after it.
    pub to: DateTime<Utc>,
}

/// The partitions of the audit log that end at or before `before` and are under no legal hold, oldest first.
///
/// # Errors
/// As every query.
pub async fn list_partitions_before(
    tx: &mut SystemTx,
    table: AuditTable,
    before: DateTime<Utc>,
) -> Result<Vec<AuditPartition>, DbError> {
    sqlx::query(
        "select b.partition_name as name, b.lower_bound as starts, b.upper_bound as ends
         from agents.partition_bounds($1) b
         where b.upper_bound <= $2 and isfinite(b.lower_bound) and not exists (
            select 1 from agents.legal_holds h
            where h.released_at is null and h.agent_id is null and h.from_at < b.upper_bound and h.to_at > b.lower_bound)
         order by b.lower_bound",
    )
    .bind(table.name())
    .bind(before)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(AuditPartition {
            table,
            name: row.try_get("name")?,
            from: row.try_get("starts")?,
            to: row.try_get("ends")?,
        })
    })
    .collect()
}

/// How many rows each tenant has in a partition.
///
/// # Errors
/// As every query.
pub async fn count_rows_by_tenant(
    tx: &mut SystemTx,
    partition: &AuditPartition,
) -> Result<Vec<(TenantId, i64)>, DbError> {
    let statement = format!(
        "select tenant_id, count(*) as rows from {} where occurred_at >= $1 and occurred_at < $2 group by tenant_id order by tenant_id",
        partition.table.name()
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(partition.from)
        .bind(partition.to)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| Ok((TenantId(row.try_get("tenant_id")?), row.try_get("rows")?)))
        .collect()
}

/// Drops a partition.
///
/// # Errors
/// [`DbError::InvalidValue`] when it is younger than 365 days.
pub async fn drop_partition(
    tx: &mut SystemTx,
    partition: &AuditPartition,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("select audit.drop_partition($1, $2)")
        .bind(&partition.name)
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The tenant with this short name, and its status.
///
/// # Errors
/// As every query.
pub async fn find_tenant_by_slug(
    tx: &mut SystemTx,
    slug: &str,
) -> Result<Option<(TenantId, String)>, DbError> {
    let row = sqlx::query("select tenant_id, status from users.tenants where slug = $1")
        .bind(slug)
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok((TenantId(row.try_get("tenant_id")?), row.try_get("status")?)))
        .transpose()
}

/// How many legal holds of a tenant are in force.
///
/// # Errors
/// As every query.
pub async fn count_holds(tx: &mut SystemTx, tenant_id: TenantId) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar(
        "select count(*) from agents.legal_holds where tenant_id = $1 and released_at is null",
    )
    .bind(tenant_id.0)
    .fetch_one(tx.conn())
    .await?)
}

/// Turns a tenant into its tombstone: no name, nobody can sign in, and its audit rows may be removed.
///
/// # Errors
/// As every query.
pub async fn mark_tenant_erased(tx: &mut SystemTx, tenant_id: TenantId) -> Result<(), DbError> {
    sqlx::query(
        "update users.tenants set status = 'erased', name = 'Erased', slug = 'erased-' || tenant_id where tenant_id = $1",
    )
    .bind(tenant_id.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that nothing of an erased tenant is left to remove.
///
/// # Errors
/// As every query.
pub async fn complete_erasure(tx: &mut SystemTx, tenant_id: TenantId) -> Result<(), DbError> {
    sqlx::query("update users.tenants set erase_at = null where tenant_id = $1 and status = 'erased'")
        .bind(tenant_id.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes every row of a tenant from every table that has a `tenant_id`, in an order that foreign keys allow; the tenant's own row and the
/// audit log stay. Returns how many rows went from which table.
///
/// # Errors
/// [`DbError::Inconsistent`] when rows of other tenants refer to rows of this one.
pub async fn delete_tenant_rows(
    tx: &mut SystemTx,
    tenant_id: TenantId,
) -> Result<Vec<(String, u64)>, DbError> {
    let mut waiting: Vec<String> = sqlx::query_scalar(
        "select c.oid::regclass::text from pg_class c
         join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('users', 'agents', 'threats', 'monitoring')
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
         where c.relkind in ('r', 'p') and not c.relispartition and c.oid <> 'users.tenants'::regclass
         order by 1",
    )
    .fetch_all(tx.conn())
    .await?;
    let mut removed = Vec::new();
    while !waiting.is_empty() {
        let mut refused = Vec::new();
        let before = waiting.len();
        for table in waiting {
            sqlx::raw_sql("savepoint one_table").execute(tx.conn()).await?;
            let done = sqlx::query(AssertSqlSafe(format!("delete from {table} where tenant_id = $1")))
                .bind(tenant_id.0)
                .execute(tx.conn())
                .await
                .map_err(DbError::from);
            match done {
                Ok(done) => removed.push((table, done.rows_affected())),
                Err(DbError::MissingReference { .. }) => {
                    sqlx::raw_sql("rollback to savepoint one_table")
                        .execute(tx.conn())
                        .await?;
                    refused.push(table);
                }
                Err(other) => return Err(other),
            }
        }
        if refused.len() == before {
            return Err(DbError::Inconsistent(format!(
                "other tenants refer to rows of this one in {}",
                refused.join(", ")
            )));
        }
        waiting = refused;
    }
    Ok(removed)
}

/// Removes some of an erased tenant's audit rows, all but the record of the erasure; returns how many. Zero: nothing is left.
///
/// # Errors
/// [`DbError::InvalidValue`] when the tenant is not erased or the record is not in its chain.
pub async fn erase_audit_rows(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    record_id: Uuid,
    limit: i32,
) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("select audit.erase_rows($1, $2, $3)")
        .bind(tenant_id.0)
        .bind(record_id)
        .bind(limit)
        .fetch_one(tx.conn())
        .await?)
}
