//! Liveness, and the lock under which a job runs on one node at a time.

use chrono::{DateTime, Utc};
use sg_types::{AgentId, TenantId, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, monitoring::Change, tx::Connection};

/// Takes the lock of a job until the end of the transaction; false when another node has it.
///
/// # Errors
/// What a query may meet.
pub async fn try_job_lock(tx: &mut SystemTx, job: &str) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended('secureguard.job.' || $1, 0))")
            .bind(job)
            .fetch_one(tx.conn())
            .await?,
    )
}

/// As [`try_job_lock`], for a transaction that only holds the lock while others work: it is not ended for being idle.
///
/// # Errors
/// What a query may meet.
pub async fn try_long_job_lock(tx: &mut SystemTx, job: &str) -> Result<bool, DbError> {
    let is_ours = try_job_lock(tx, job).await?;
    if is_ours {
        sqlx::query("set local idle_in_transaction_session_timeout = 0")
            .execute(tx.conn())
            .await?;
    }
    Ok(is_ours)
}

/// Notes which endpoints have missed two check-ins, and writes their last check-in back into the documented column.
///
/// # Errors
/// What a query may meet.
pub async fn mark_offline(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<Vec<Change>, DbError> {
    let rows = sqlx::query(
        "with late as (
            select h.agent_id
            from agents.heartbeats h
            join agents.endpoints e on e.agent_id = h.agent_id
            where h.online and h.last_seen_at < $1 - make_interval(secs => 2 * e.heartbeat_interval)
            for update of h skip locked
         ), gone as (
            update agents.heartbeats h set online = false from late l where h.agent_id = l.agent_id returning h.agent_id, h.last_seen_at
         )
         update agents.endpoints e set last_seen = g.last_seen_at from gone g where e.agent_id = g.agent_id
         returning e.tenant_id, e.agent_id, e.user_id",
    )
    .bind(at)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let agent_id = AgentId(row.try_get("agent_id")?);
            let owner = row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId);
            Ok(Change::endpoint(
                TenantId(row.try_get("tenant_id")?),
                agent_id,
                owner,
            ))
        })
        .collect()
}
