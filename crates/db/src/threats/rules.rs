//! Versions of the rule sets that agents are given: the installation's, and those of tenants with changes of their own.

use chrono::{DateTime, Utc};
use sg_types::TenantId;
use sqlx::Row;

use crate::{DbError, Reads, SystemTx, tx::Connection};

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
    lock_versions(tx).await?;
    let newest =
        sqlx::query("select version, digest from threats.rule_packages order by version desc limit 1")
            .fetch_optional(tx.conn())
            .await?;
    let newest_version = match &newest {
        Some(row) if row.try_get::<Vec<u8>, _>("digest")? == digest => return Ok(row.try_get("version")?),
        Some(row) => row.try_get("version")?,
        None => 0,
    };
    // Agents of tenants with a set of their own get this pack too, and go by the higher number.
    let highest: i64 = sqlx::query("select coalesce(max(version), 0) as version from threats.rule_sets")
        .fetch_one(tx.conn())
        .await?
        .try_get("version")?;
    // The time as version: a database restored from a backup has forgotten versions that agents know.
    let version = at.timestamp().max(newest_version.max(highest) + 1);
    sqlx::query("insert into threats.rule_packages (version, digest, created_at) values ($1, $2, $3)")
        .bind(version)
        .bind(digest.as_slice())
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(version)
}

/// The version of the installation's newest rule set; 0 for none.
///
/// # Errors
/// What a query may meet.
pub async fn newest_rules_version(tx: &mut impl Reads) -> Result<RulesVersion, DbError> {
    let newest = sqlx::query("select coalesce(max(version), 0) as version from threats.rule_packages");
    Ok(newest.fetch_one(tx.conn()).await?.try_get("version")?)
}

/// The version of a tenant's own rules; none while it has changed nothing.
///
/// # Errors
/// What a query may meet.
pub async fn find_rule_set(
    tx: &mut impl Reads,
    tenant_id: TenantId,
) -> Result<Option<RulesVersion>, DbError> {
    sqlx::query("select version from threats.rule_sets where tenant_id = $1")
        .bind(tenant_id.0)
        .fetch_optional(tx.conn())
        .await?
        .map(|row| Ok(row.try_get("version")?))
        .transpose()
}

/// Gives the tenant's rules a new version, higher than every one that its agents may have. Its agents are offered it once this has committed.
///
/// # Errors
/// What a query may meet.
pub async fn renew_rule_set(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    at: DateTime<Utc>,
) -> Result<RulesVersion, DbError> {
    lock_versions(tx).await?;
    let row = sqlx::query(
        "insert into threats.rule_sets as s (tenant_id, version, changed_at)
         select $1, greatest($2, p.newest + 1), $3
         from (select coalesce(max(version), 0) as newest from threats.rule_packages) p
         on conflict (tenant_id) do update set version = greatest(excluded.version, s.version + 1), changed_at = $3
         returning version",
    )
    .bind(tenant_id.0)
    .bind(at.timestamp())
    .bind(at)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("version")?)
}

/// Versions of the installation and of its tenants are told one after the other, so that each is higher than what it follows.
async fn lock_versions(tx: &mut SystemTx) -> Result<(), DbError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('threats.rule_packages', 0))")
        .execute(tx.conn())
        .await?;
    Ok(())
}
