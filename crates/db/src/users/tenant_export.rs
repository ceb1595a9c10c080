//! Everything that a tenant may take away: each row of each table that requests may read, without the columns that they may not.

use futures_util::TryStreamExt;
use sg_types::TenantId;
use sqlx::{AssertSqlSafe, Row};

use crate::{DbError, Reads};

/// A table of the export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportTable {
    /// `schema.table`.
    pub name: String,
    /// The columns, quoted.
    columns: String,
}

/// The tables with rows of tenants, by name. What was counted of requests is left out: it is gone within a day.
///
/// # Errors
/// As every query.
pub async fn list_export_tables(tx: &mut impl Reads) -> Result<Vec<ExportTable>, DbError> {
    sqlx::query(
        "select n.nspname || '.' || c.relname as name, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
         from pg_catalog.pg_class c
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and not c.relispartition
            and c.relpersistence = 'p' and has_column_privilege('sg_app', c.oid, a.attnum, 'select')
         group by n.nspname, c.relname
         having bool_or(a.attname = 'tenant_id')
         order by 1",
    )
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(ExportTable {
            name: row.try_get("name")?,
            columns: row.try_get("columns")?,
        })
    })
    .collect()
}

/// Hands each row of the tenant's to `take`, as a JSON text, until `take` says that it is enough. Returns how many there were.
///
/// # Errors
/// As every query.
pub async fn export_rows<Taken>(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    table: &ExportTable,
    mut take: impl FnMut(String) -> Taken,
) -> Result<u64, DbError>
where
    Taken: Future<Output = bool>,
{
    let statement = format!(
        "select to_jsonb(r)::text from (select {} from {} where tenant_id = $1) r",
        table.columns, table.name
    );
    let mut rows = sqlx::query_scalar(AssertSqlSafe(statement))
        .bind(tenant_id.0)
        .fetch(tx.conn());
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        count += 1;
        if !take(row).await {
            break;
        }
    }
    Ok(count)
}

/// Lets the statements of this transaction take as long as the reader does.
///
/// # Errors
/// As every query.
pub async fn allow_long_reads(tx: &mut impl Reads) -> Result<(), DbError> {
    sqlx::query("set local statement_timeout = 0")
        .execute(tx.conn())
        .await?;
    Ok(())
}
