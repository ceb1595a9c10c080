//! What a database that came back from a backup holds; asked as its superuser, who sees every row.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Row, postgres::PgConnectOptions};

use crate::DbError;

/// What was found.
#[derive(Debug, Clone)]
pub struct RestoredFigures {
    /// The last transaction that was replayed from the log; none when there was nothing to replay.
    pub recovered_to: Option<DateTime<Utc>>,
    /// Rows of each table, all of them read.
    pub rows: Vec<(String, i64)>,
    /// Pages that did not fit their checksums.
    pub checksum_failures: i64,
}

impl RestoredFigures {
    /// Rows of one table.
    pub fn rows_of(&self, table: &str) -> i64 {
        self.rows
            .iter()
            .find(|(name, _)| name == table)
            .map_or(0, |(_, rows)| *rows)
    }
}

/// Reads every row of every table of the product.
///
/// # Errors
/// [`DbError`]: the database does not answer, or a table cannot be read.
pub async fn examine_restored(url: &SecretString) -> Result<RestoredFigures, DbError> {
    let options = url
        .expose_secret()
        .parse::<PgConnectOptions>()?
        .application_name("secureguard-restore");
    let mut conn = options.connect().await?;
    let recovered_to = sqlx::query_scalar("select pg_last_xact_replay_timestamp()")
        .fetch_one(&mut conn)
        .await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and not c.relispartition
         order by 1",
    )
    .fetch_all(&mut conn)
    .await?;
    let mut rows = Vec::with_capacity(tables.len());
    for table in tables {
        // The whole row is taken apart, so that what is stored out of line is read too.
        let statement = format!("select count(*) as n, sum(length(t::text)) from {table} t");
        let row = sqlx::query(AssertSqlSafe(statement)).fetch_one(&mut conn).await?;
        rows.push((table, row.try_get("n")?));
    }
    let checksum_failures =
        sqlx::query_scalar("select coalesce(sum(checksum_failures), 0)::bigint from pg_stat_database")
            .fetch_one(&mut conn)
            .await?;
    conn.close().await?;
    Ok(RestoredFigures {
        recovered_to,
        rows,
        checksum_failures,
    })
}

/// Entries of the audit log up to a moment, for comparing them with those of the running system.
///
/// # Errors
/// [`DbError::Unavailable`] when the database does not answer.
pub async fn count_restored_audit_events(url: &SecretString, until: DateTime<Utc>) -> Result<i64, DbError> {
    let mut conn = url.expose_secret().parse::<PgConnectOptions>()?.connect().await?;
    let count = sqlx::query_scalar("select count(*) from audit.events where occurred_at <= $1")
        .bind(until)
        .fetch_one(&mut conn)
        .await?;
    conn.close().await?;
    Ok(count)
}
