//! One statement for each table.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    EVENT_DAYS,
    plan::{EventRow, GapRow, Heartbeat, MetricsRow},
    read::{Stream, StreamKey},
};
use crate::DbError;

pub(crate) async fn write_streams(
    conn: &mut PgConnection,
    streams: &[(StreamKey, Uuid, Stream)],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    if streams.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into agents.streams (agent_id, epoch, tenant_id, acknowledged_through, turn, previous_turn, created_at, last_seen_at)
         select n.agent_id, n.epoch, n.tenant_id, n.acknowledged_through, n.turn, n.previous_turn, $7, $7
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::uuid[])
            as n (agent_id, epoch, tenant_id, acknowledged_through, turn, previous_turn)
         on conflict (agent_id, epoch) do update set
            acknowledged_through = excluded.acknowledged_through, turn = excluded.turn, previous_turn = excluded.previous_turn,
            last_seen_at = excluded.last_seen_at",
    )
    .bind(streams.iter().map(|((agent, _), _, _)| Uuid::from(*agent)).collect::<Vec<_>>())
    .bind(streams.iter().map(|((_, epoch), _, _)| *epoch).collect::<Vec<_>>())
    .bind(streams.iter().map(|(_, tenant, _)| *tenant).collect::<Vec<_>>())
    .bind(streams.iter().map(|(_, _, stream)| stream.acknowledged_through).collect::<Vec<_>>())
    .bind(streams.iter().map(|(_, _, stream)| stream.turn).collect::<Vec<_>>())
    .bind(streams.iter().map(|(_, _, stream)| stream.previous_turn).collect::<Vec<_>>())
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn write_heartbeats(
    conn: &mut PgConnection,
    rows: &[Heartbeat],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update agents.heartbeats h
         set last_seen_at = $7, online = true, rules_version = n.rules_version, backlog_records = n.backlog_records,
            clock_offset_ms = n.clock_offset_ms, hardware_fingerprint = n.hardware_fingerprint, sources = n.sources
         from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::jsonb[])
            as n (agent_id, rules_version, backlog_records, clock_offset_ms, hardware_fingerprint, sources)
         where h.agent_id = n.agent_id",
    )
    .bind(rows.iter().map(|row| row.agent_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.rules_version).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.backlog_records).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.clock_offset_ms).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.hardware_fingerprint.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| &row.sources).collect::<Vec<&Value>>())
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes the last check-in and the version back into the documented columns.
pub(crate) async fn write_endpoints(
    conn: &mut PgConnection,
    rows: &[(Uuid, String)],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update agents.endpoints e set last_seen = $3, version = n.version
         from (select distinct on (w.agent_id) w.agent_id, w.version from unnest($1::uuid[], $2::text[]) as w (agent_id, version)) n
         where e.agent_id = n.agent_id",
    )
    .bind(rows.iter().map(|(agent_id, _)| *agent_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, version)| version.as_str()).collect::<Vec<_>>())
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_metrics(
    conn: &mut PgConnection,
    rows: &[MetricsRow],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    let stored = find_stored_metrics(conn, rows, at).await?;
    let rows: Vec<&MetricsRow> = rows.iter().filter(|row| !stored.contains(&row.id)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into agents.system_info (info_id, agent_id, tenant_id, retention_class, collected_at, received_at, cpu_usage, memory_usage,
            disk_usage, network_usage, uptime, process_count, service_status, agent_collected_at)
         select n.info_id, n.agent_id, n.tenant_id, n.retention_class, n.collected_at, $13, round(n.cpu_usage::numeric, 2),
            round(n.memory_usage::numeric, 2), round(n.disk_usage::numeric, 2), n.network_usage, n.uptime, n.process_count, n.service_status,
            n.told_at
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::timestamptz[], $6::float8[], $7::float8[], $8::float8[],
            $9::jsonb[], $10::bigint[], $11::integer[], $12::jsonb[], $14::timestamptz[])
            as n (info_id, agent_id, tenant_id, retention_class, collected_at, cpu_usage, memory_usage, disk_usage, network_usage, uptime,
                process_count, service_status, told_at)
         on conflict do nothing",
    )
    .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.agent_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.tenant_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.retention_class).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.at).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.values.cpu_usage).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.values.memory_usage).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.values.disk_usage).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.values.network_usage.as_ref()).collect::<Vec<Option<&Value>>>())
    .bind(rows.iter().map(|row| row.values.uptime).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.values.process_count).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.values.service_status.as_ref()).collect::<Vec<Option<&Value>>>())
    .bind(at)
    .bind(rows.iter().map(|row| row.told_at).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the ids of those that were there already.
pub(crate) async fn insert_events(
    conn: &mut PgConnection,
    rows: &[EventRow],
    at: DateTime<Utc>,
) -> Result<HashSet<Uuid>, DbError> {
    let stored = find_stored_events(conn, rows, at).await?;
    let rows: Vec<&EventRow> = rows.iter().filter(|row| !stored.contains(&row.id)).collect();
    if rows.is_empty() {
        return Ok(stored);
    }
    sqlx::query(
        "insert into agents.events (event_id, agent_id, tenant_id, kind, occurred_at, received_at, detail, agent_occurred_at)
         select n.event_id, n.agent_id, n.tenant_id, n.kind, n.occurred_at, $7, n.detail, n.told_at
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::jsonb[], $8::timestamptz[])
            as n (event_id, agent_id, tenant_id, kind, occurred_at, detail, told_at)
         on conflict do nothing",
    )
    .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.agent_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.tenant_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.kind).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.at).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| &row.detail).collect::<Vec<&Value>>())
    .bind(at)
    .bind(rows.iter().map(|row| row.told_at).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(stored)
}

pub(crate) async fn insert_gaps(
    conn: &mut PgConnection,
    rows: &[GapRow],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into agents.gaps (gap_id, agent_id, tenant_id, noticed_by, reason, lost_records, from_at, to_at, detail, recorded_at)
         select n.gap_id, n.agent_id, n.tenant_id, n.noticed_by, n.reason, n.lost_records, n.from_at, n.to_at, n.detail, $10
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::timestamptz[],
            $9::text[]) as n (gap_id, agent_id, tenant_id, noticed_by, reason, lost_records, from_at, to_at, detail)
         on conflict do nothing",
    )
    .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.agent_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.tenant_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.gap.noticed_by).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.gap.reason.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.gap.lost_records).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.gap.from_at).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.gap.to_at).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.gap.detail.as_deref()).collect::<Vec<_>>())
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Which of the rows that are dated by the server are there already, dated by an earlier receipt.
async fn find_stored_metrics(
    conn: &mut PgConnection,
    rows: &[MetricsRow],
    at: DateTime<Utc>,
) -> Result<HashSet<Uuid>, DbError> {
    let clamped: Vec<Uuid> = rows
        .iter()
        .filter(|row| row.told_at.is_some())
        .map(|row| row.id)
        .collect();
    if clamped.is_empty() {
        return Ok(HashSet::new());
    }
    let stored: Vec<Uuid> =
        sqlx::query_scalar("select s.info_id from agents.system_info s where s.info_id = any($1) and s.collected_at > $2 and s.collected_at <= $3")
            .bind(clamped)
            .bind(at - Duration::days(EVENT_DAYS))
            .bind(at)
            .fetch_all(conn)
            .await?;
    Ok(stored.into_iter().collect())
}

async fn find_stored_events(
    conn: &mut PgConnection,
    rows: &[EventRow],
    at: DateTime<Utc>,
) -> Result<HashSet<Uuid>, DbError> {
    let clamped: Vec<Uuid> = rows
        .iter()
        .filter(|row| row.told_at.is_some())
        .map(|row| row.id)
        .collect();
    if clamped.is_empty() {
        return Ok(HashSet::new());
    }
    let stored: Vec<Uuid> =
        sqlx::query_scalar("select v.event_id from agents.events v where v.event_id = any($1) and v.occurred_at > $2 and v.occurred_at <= $3")
            .bind(clamped)
            .bind(at - Duration::days(EVENT_DAYS))
            .bind(at)
            .fetch_all(conn)
            .await?;
    Ok(stored.into_iter().collect())
}
