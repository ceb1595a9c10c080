//! One statement for each table.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    LATE_DAYS,
    coverage::{EndedGap, Return},
    plan::{EventRow, GapRow, Heartbeat, MetricsRow},
    read::{Stream, StreamKey},
};
use crate::DbError;

/// Gaps of an endpoint that are kept one by one in a day, for what it tells and for what the server notices each.
const MAX_GAPS_OF_DAY: i64 = 200;

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
            clock_offset_ms = n.clock_offset_ms, hardware_fingerprint = n.hardware_fingerprint, sources = n.sources,
            weak_spots = n.weak_spots, said_goodbye = n.said_goodbye, run_id = n.run_id, boot_id = n.boot_id
         from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::jsonb[], $8::smallint[], $9::boolean[], $10::uuid[],
            $11::uuid[])
            as n (agent_id, rules_version, backlog_records, clock_offset_ms, hardware_fingerprint, sources, weak_spots, said_goodbye, run_id,
                boot_id)
         where h.agent_id = n.agent_id",
    )
    .bind(rows.iter().map(|row| row.agent_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.rules_version).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.backlog_records).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.clock_offset_ms).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.hardware_fingerprint.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| &row.sources).collect::<Vec<&Value>>())
    .bind(at)
    .bind(rows.iter().map(|row| row.weak_spots).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.said_goodbye).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.run_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.boot_id).collect::<Vec<_>>())
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
        "insert into agents.events (event_id, agent_id, tenant_id, kind, occurred_at, received_at, detail, agent_occurred_at, retention_class)
         select n.event_id, n.agent_id, n.tenant_id, n.kind, n.occurred_at, $7, n.detail, n.told_at, n.retention_class
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::jsonb[], $8::timestamptz[], $9::smallint[])
            as n (event_id, agent_id, tenant_id, kind, occurred_at, detail, told_at, retention_class)
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
    .bind(rows.iter().map(|row| row.retention_class).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(stored)
}

/// Stores gaps. Beyond so many of a day an endpoint's gaps share one row, which counts them.
pub(crate) async fn insert_gaps(
    conn: &mut PgConnection,
    rows: &[GapRow],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT_GAPS)
        .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.agent_id).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.tenant_id).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.gap.noticed_by).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.gap.reason.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.gap.lost_records).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.gap.from_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.gap.to_at).collect::<Vec<_>>())
        .bind(
            rows.iter()
                .map(|row| row.gap.detail.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(at)
        .bind(rows.iter().map(|row| row.gap.area).collect::<Vec<_>>())
        .bind(MAX_GAPS_OF_DAY)
        .execute(conn)
        .await?;
    Ok(())
}

const INSERT_GAPS: &str = "
    with told as materialized (
        select n.*, row_number() over (partition by n.agent_id, n.noticed_by order by n.place) as number
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::timestamptz[], $9::text[],
            $11::text[]) with ordinality
            as n (gap_id, agent_id, tenant_id, noticed_by, reason, lost_records, from_at, to_at, detail, area, place)
    ), stored as materialized (
        select w.agent_id, w.noticed_by, (
            select count(*) from (
                select from agents.gaps g
                where g.tenant_id = w.tenant_id and g.agent_id = w.agent_id and g.recorded_at > $10 - interval '1 day'
                    and g.noticed_by = w.noticed_by and g.reason not in ('offline', 'more_gaps')
                limit $12) c) as count
        from (select distinct t.tenant_id, t.agent_id, t.noticed_by from told t) w
    ), within as (
        insert into agents.gaps (gap_id, agent_id, tenant_id, noticed_by, reason, lost_records, from_at, to_at, detail, recorded_at, area)
        select t.gap_id, t.agent_id, t.tenant_id, t.noticed_by, t.reason, t.lost_records, t.from_at, t.to_at, t.detail, $10, t.area
        from told t join stored s on s.agent_id = t.agent_id and s.noticed_by = t.noticed_by
        where t.number + s.count <= $12
        on conflict do nothing
    )
    insert into agents.gaps as g (gap_id, agent_id, tenant_id, noticed_by, reason, lost_records, from_at, to_at, detail, recorded_at, area,
        gap_count)
    select users.time_ordered_uuid(), t.agent_id, t.tenant_id, 'server', 'more_gaps', least(coalesce(sum(t.lost_records), 0), 9e18)::bigint, min(t.from_at),
        max(coalesce(t.to_at, t.from_at)), 'more gaps than are kept one by one in a day', $10, to_char($10 at time zone 'UTC', 'YYYY-MM-DD'),
        count(*)
    from told t join stored s on s.agent_id = t.agent_id and s.noticed_by = t.noticed_by
    where t.number + s.count > $12
    group by t.tenant_id, t.agent_id
    on conflict (tenant_id, agent_id, area) where reason = 'more_gaps' do update set
        gap_count = least(g.gap_count::bigint + excluded.gap_count, 2147483647),
        lost_records = least(coalesce(g.lost_records, 0)::numeric + coalesce(excluded.lost_records, 0), 9e18),
        from_at = least(g.from_at, excluded.from_at), to_at = greatest(g.to_at, excluded.to_at)";

/// Ends gaps that went on.
pub(crate) async fn end_gaps(
    conn: &mut PgConnection,
    rows: &[EndedGap],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update agents.gaps g set to_at = greatest($5, g.from_at)
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as n (tenant_id, agent_id, reason, area)
         where g.tenant_id = n.tenant_id and g.agent_id = n.agent_id and g.reason = n.reason and g.area = n.area and g.to_at is null",
    )
    .bind(rows.iter().map(|row| row.tenant_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.agent_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.reason).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.area).collect::<Vec<_>>())
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Endpoints that were offline are back: their gap ends with its cause, their alert is over, and they are looked for again.
pub(crate) async fn take_back(
    conn: &mut PgConnection,
    rows: &[Return],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    let agents: Vec<Uuid> = rows.iter().map(|row| row.agent_id).collect();
    let tenants: Vec<Uuid> = rows.iter().map(|row| row.tenant_id).collect();
    sqlx::query(
        "with back as (
            select distinct on (n.agent_id) n.* from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[])
                as n (tenant_id, agent_id, check_in_seconds, cause, detail)
            order by n.agent_id
         ), watched as (
            insert into agents.deadlines (agent_id, tenant_id, look_at)
            select b.agent_id, b.tenant_id, $6::timestamptz + make_interval(secs => 2 * b.check_in_seconds) from back b
            on conflict (agent_id) do nothing
         )
         update agents.gaps g set to_at = greatest($6, g.from_at), cause = b.cause, detail = b.detail, alert_at = null
         from back b
         where g.tenant_id = b.tenant_id and g.agent_id = b.agent_id and g.reason = 'offline' and g.to_at is null",
    )
    .bind(&tenants)
    .bind(&agents)
    .bind(rows.iter().map(|row| row.check_in_seconds).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.cause).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.detail).collect::<Vec<_>>())
    .bind(at)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update monitoring.alerts a set state = 'resolved', resolved_at = greatest($3, a.fired_at)
         from unnest($1::uuid[], $2::uuid[]) as b (tenant_id, agent_id)
         where a.tenant_id = b.tenant_id and a.agent_id = b.agent_id and a.state = 'firing'",
    )
    .bind(&tenants)
    .bind(&agents)
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
            .bind(at - Duration::days(LATE_DAYS))
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
            .bind(at - Duration::days(LATE_DAYS))
            .bind(at)
            .fetch_all(conn)
            .await?;
    Ok(stored.into_iter().collect())
}
