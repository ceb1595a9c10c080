//! What the tasks of maintenance look at in the database itself: statistics, tables, indexes.

use chrono::{DateTime, Utc};
use sqlx::Row;

use crate::{DbError, SystemTx, tx::Connection};

/// Tables of the product whose statistics are renewed one by one: partitioned ones as a whole. By name.
///
/// # Errors
/// What a query may meet.
pub async fn list_analyzed_tables(tx: &mut SystemTx) -> Result<Vec<String>, DbError> {
    Ok(sqlx::query_scalar(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and not c.relispartition
         order by 1",
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Renews the statistics of one table, however long that takes.
///
/// # Errors
/// What the statement may meet: another one holds the table, for example.
pub async fn analyze_table(tx: &mut SystemTx, table: &str) -> Result<(), DbError> {
    sqlx::query("set local statement_timeout = 0")
        .execute(tx.conn())
        .await?;
    sqlx::query("select monitoring.analyze_table($1)")
        .bind(table)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A table that needs care.
#[derive(Debug, Clone)]
pub struct TableFigures {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: i64,
    /// Rows that are dead, or that were read without an index.
    pub other: i64,
}

/// Tables in which more than a fifth of the rows, and more than ten thousand, are dead.
///
/// # Errors
/// What a query may meet.
pub async fn review_dead_rows(tx: &mut SystemTx) -> Result<Vec<TableFigures>, DbError> {
    tables(
        tx,
        "select t.schemaname || '.' || t.relname as name, t.n_live_tup as rows, t.n_dead_tup as other from pg_stat_user_tables t
         where t.schemaname in ('users', 'agents', 'threats', 'audit', 'monitoring') and t.n_dead_tup > 10000 and t.n_dead_tup > t.n_live_tup / 4
         order by t.n_dead_tup desc limit 10",
    )
    .await
}

/// Tables of ten thousand rows or more that are mostly read as a whole, and more than a thousand times.
///
/// # Errors
/// What a query may meet.
pub async fn review_scanned_tables(tx: &mut SystemTx) -> Result<Vec<TableFigures>, DbError> {
    tables(
        tx,
        "select t.schemaname || '.' || t.relname as name, t.n_live_tup as rows, t.seq_scan as other from pg_stat_user_tables t
         where t.schemaname in ('users', 'agents', 'threats', 'audit', 'monitoring') and t.n_live_tup >= 10000
            and t.seq_scan > 1000 and t.seq_scan > coalesce(t.idx_scan, 0)
         order by t.seq_tup_read desc limit 10",
    )
    .await
}

/// How far PostgreSQL's transaction numbers of this database are used up, 0 to 1.
///
/// # Errors
/// What a query may meet.
pub async fn read_wraparound(tx: &mut SystemTx) -> Result<f64, DbError> {
    Ok(sqlx::query_scalar(
        "select (age(d.datfrozenxid) / 2147483647.0)::float8 from pg_database d where d.datname = current_database()",
    )
    .fetch_one(tx.conn())
    .await?)
}

/// How indexes are used.
#[derive(Debug, Clone)]
pub struct IndexFigures {
    /// Since when PostgreSQL counts.
    pub since: Option<DateTime<Utc>>,
    /// Indexes.
    pub total: i64,
    /// Bytes of them.
    pub bytes: i64,
    /// Indexes that a build which broke off left behind.
    pub invalid: Vec<String>,
    /// Large ones that nothing has used, with their bytes.
    pub unused: Vec<(String, i64)>,
}

/// How indexes are used. An index that keeps values unique is of use without being read.
///
/// # Errors
/// What a query may meet.
pub async fn review_indexes(tx: &mut SystemTx) -> Result<IndexFigures, DbError> {
    let row = sqlx::query(
        "with product as (
            select s.schemaname || '.' || s.indexrelname as name, s.idx_scan, pg_relation_size(s.indexrelid) as bytes, i.indisvalid,
                i.indisunique or i.indisexclusion as keeps
            from pg_stat_user_indexes s join pg_index i on i.indexrelid = s.indexrelid
            where s.schemaname in ('users', 'agents', 'threats', 'audit', 'monitoring'))
         select (select d.stats_reset from pg_stat_database d where d.datname = current_database()) as since,
            count(*) as total, coalesce(sum(p.bytes), 0)::bigint as bytes,
            coalesce((array_agg(p.name order by p.name) filter (where not p.indisvalid))[1:10], '{}') as invalid,
            coalesce((array_agg(p.name order by p.bytes desc, p.name) filter (where p.unused))[1:10], '{}') as unused,
            coalesce((array_agg(p.bytes order by p.bytes desc, p.name) filter (where p.unused))[1:10], '{}') as unused_bytes
         from (select *, indisvalid and idx_scan = 0 and not keeps and bytes > 16777216 as unused from product) p",
    )
    .fetch_one(tx.conn())
    .await?;
    let names: Vec<String> = row.try_get("unused")?;
    let bytes: Vec<i64> = row.try_get("unused_bytes")?;
    Ok(IndexFigures {
        since: row.try_get("since")?,
        total: row.try_get("total")?,
        bytes: row.try_get("bytes")?,
        invalid: row.try_get("invalid")?,
        unused: names.into_iter().zip(bytes).collect(),
    })
}

async fn tables(tx: &mut SystemTx, statement: &'static str) -> Result<Vec<TableFigures>, DbError> {
    sqlx::query(statement)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| {
            Ok(TableFigures {
                name: row.try_get("name")?,
                rows: row.try_get("rows")?,
                other: row.try_get("other")?,
            })
        })
        .collect()
}
