//! What jobs keep true: partitions, liveness, and no more than is needed of what grows.

use chrono::{DateTime, Duration, Utc};
use sg_types::{AgentId, TenantId, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, monitoring::Change, tx::Connection};

/// Streams that are kept for each endpoint; an agent that comes back has one of the newest.
const STREAMS_KEPT: i64 = 16;
/// Days that gaps are kept: as long as the longest telemetry.
const GAP_DAYS: i64 = 400;
/// Days that single matches are known by their ids; no spool holds one back for longer.
const OCCURRENCE_DAYS: i64 = 90;
/// Days after its end that a session is kept for looking back.
const ENDED_SESSION_DAYS: i64 = 30;

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

/// Makes the partitions from two days ago to `days_ahead`; returns how many were missing.
///
/// # Errors
/// What a query may meet.
pub async fn ensure_partitions(
    tx: &mut SystemTx,
    at: DateTime<Utc>,
    days_ahead: i32,
) -> Result<i32, DbError> {
    Ok(sqlx::query_scalar("select agents.ensure_partitions($1, $2)")
        .bind(at)
        .bind(days_ahead)
        .fetch_one(tx.conn())
        .await?)
}

/// Drops the partitions that are past their retention, and removes what is as old from the partitions for odd times.
///
/// # Errors
/// What a query may meet.
pub async fn drop_expired(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<Vec<String>, DbError> {
    let dropped = sqlx::query_scalar("select agents.drop_expired_partitions($1)")
        .bind(at)
        .fetch_all(tx.conn())
        .await?;
    for class in [30_i16, 90, 400] {
        sqlx::query("delete from agents.system_info where retention_class = $1 and collected_at < $2")
            .bind(class)
            .bind(at - Duration::days(i64::from(class) + 2))
            .execute(tx.conn())
            .await?;
    }
    sqlx::query("delete from agents.events where occurred_at < $1")
        .bind(at - Duration::days(super::ingest::EVENT_DAYS + 2))
        .execute(tx.conn())
        .await?;
    sqlx::query("delete from agents.gaps where recorded_at < $1")
        .bind(at - Duration::days(GAP_DAYS))
        .execute(tx.conn())
        .await?;
    sqlx::query("delete from threats.occurrences where received_at < $1")
        .bind(at - Duration::days(OCCURRENCE_DAYS))
        .execute(tx.conn())
        .await?;
    Ok(dropped)
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

/// Forgets the high-water marks of all but the newest streams of each endpoint; returns how many.
///
/// # Errors
/// What a query may meet.
pub async fn forget_old_streams(tx: &mut SystemTx) -> Result<u64, DbError> {
    let done = sqlx::query(
        "delete from agents.streams s
         using (
            select agent_id, epoch, row_number() over (partition by agent_id order by last_seen_at desc, epoch) as rank
            from agents.streams
         ) r
         where r.agent_id = s.agent_id and r.epoch = s.epoch and r.rank > $1",
    )
    .bind(STREAMS_KEPT)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Removes sessions that ended long ago; returns how many.
///
/// # Errors
/// What a query may meet.
pub async fn delete_ended_sessions(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<u64, DbError> {
    let done = sqlx::query("delete from users.sessions where expires_at < $1")
        .bind(at - Duration::days(ENDED_SESSION_DAYS))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}
