//! Versions of the rule set that agents are given.

use chrono::{DateTime, Utc};
use sqlx::Row;

use crate::{DbError, SystemTx, tx::Connection};

/// Grows with every change of the rule set, also across a restored backup.
pub type RulesVersion = i64;

/// The version of the rule set with this SHA-256. One that is not the newest gets a new version, higher than every earlier one: agents
/// refuse to go back.
///
/// # Errors
/// What a query may meet.
pub async fn publish_rules(
    tx: &mut SystemTx,
    digest: [u8; 32],
    at: DateTime<Utc>,
) -> Result<RulesVersion, DbError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('threats.rule_packages', 0))")
        .execute(tx.conn())
        .await?;
    let newest =
        sqlx::query("select version, digest from threats.rule_packages order by version desc limit 1")
            .fetch_optional(tx.conn())
            .await?;
    let newest_version = match &newest {
        Some(row) if row.try_get::<Vec<u8>, _>("digest")? == digest => return Ok(row.try_get("version")?),
        Some(row) => row.try_get("version")?,
        None => 0,
    };
    // The time as version: a database restored from a backup has forgotten versions that agents know.
    let version = at.timestamp().max(newest_version + 1);
    sqlx::query("insert into threats.rule_packages (version, digest, created_at) values ($1, $2, $3)")
        .bind(version)
        .bind(digest.as_slice())
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(version)
}
