//! Time series: partitions made ahead and dropped, and roll-ups that outlive the raw rows.
//!
//! Each function does one small step, so that its caller can give it a transaction of its own: a lock on a table that endpoints write to lasts
//! until the commit.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::Row;

use crate::{DbError, SystemTx, tx::Connection};

/// Rows that wait in a default partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrayRows {
    /// The table whose default partition it is.
    pub parent_table: String,
    /// How many, up to a thousand.
    pub rows: i64,
    /// The oldest of them.
    pub oldest_at: Option<DateTime<Utc>>,
}

/// Makes at most one partition that is missing from two days ago to `ahead` periods ahead; returns how many it made.
///
/// # Errors
/// What a query may meet.
pub async fn ensure_partition(tx: &mut SystemTx, at: DateTime<Utc>, ahead: i32) -> Result<i32, DbError> {
    Ok(sqlx::query_scalar("select agents.ensure_partitions($1, $2, 1)")
        .bind(at)
        .bind(ahead)
        .fetch_one(tx.conn())
        .await?)
}

/// Makes the partition of a table around a time; rows that wait in the default partition move into it. False when there is nothing to make.
///
/// # Errors
/// What a query may meet.
pub async fn ensure_partition_of(
    tx: &mut SystemTx,
    parent_table: &str,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("select agents.ensure_partition_of($1, $2)")
        .bind(parent_table)
        .bind(at)
        .fetch_one(tx.conn())
        .await?)
}

/// What waits in default partitions; tables without such rows are left out.
///
/// # Errors
/// What a query may meet.
pub async fn list_stray_rows(tx: &mut SystemTx) -> Result<Vec<StrayRows>, DbError> {
    sqlx::query(
        "select parent_table, row_count, oldest_at from agents.list_default_rows() where row_count > 0",
    )
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(StrayRows {
            parent_table: row.try_get("parent_table")?,
            rows: row.try_get("row_count")?,
            oldest_at: row.try_get("oldest_at")?,
        })
    })
    .collect()
}

/// Moves rows under legal hold out of the partitions that expire; returns how many.
///
/// # Errors
/// What a query may meet.
pub async fn move_held_rows(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("select agents.move_held_rows($1)")
        .bind(at)
        .fetch_one(tx.conn())
        .await?)
}

/// Drops at most one partition that is past its retention; none when there is no more to drop.
///
/// # Errors
/// What a query may meet.
pub async fn drop_expired_partition(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<Option<String>, DbError> {
    Ok(sqlx::query_scalar("select agents.drop_expired_partitions($1, 1)")
        .bind(at)
        .fetch_optional(tx.conn())
        .await?)
}

/// Computes the roll-ups of at most `limit` hours that have ended and are noted; returns how many there were.
///
/// # Errors
/// What a query may meet.
pub async fn roll_up(tx: &mut SystemTx, at: DateTime<Utc>, limit: i32) -> Result<i32, DbError> {
    Ok(sqlx::query_scalar("select agents.roll_up($1, $2)")
        .bind(at)
        .bind(limit)
        .fetch_one(tx.conn())
        .await?)
}

/// Notes the hours of one day from before the roll-ups; none when every day is done.
///
/// # Errors
/// What a query may meet.
pub async fn backfill_rollups(tx: &mut SystemTx) -> Result<Option<NaiveDate>, DbError> {
    Ok(sqlx::query_scalar("select agents.backfill_rollups()")
        .fetch_one(tx.conn())
        .await?)
}
