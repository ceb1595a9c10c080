//! Metrics over time: from the raw rows, and from their roll-ups where the raw rows have expired or would be too many.

use chrono::{DateTime, Duration, DurationRound, Utc};
use sg_types::{
    AgentId,
    api::agents::{MetricPoint, MetricSeries},
};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads};

/// Days that hourly roll-ups are kept (`agents.partition_schemes`); older points are days.
const HOURLY_DAYS: i64 = 400;
/// The youngest hours are read from the raw rows even in long ranges: their roll-up may not have been computed yet.
const RAW_HOURS: i64 = 48;
/// From this length of a step on, a roll-up says as much as the rows.
const HOUR_SECONDS: i64 = 3_600;

/// A range of time, cut into steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Begin.
    pub from: DateTime<Utc>,
    /// End, later than the begin.
    pub to: DateTime<Utc>,
    /// Seconds of a step, 1 or more.
    pub step_seconds: i64,
}

/// The averages of an endpoint's samples, step by step. The caller has made sure that the endpoint is the caller's to see; of others there
/// are no points. Where only a roll-up is left, there is a point for each of its hours or days, however short the steps.
///
/// # Errors
/// What a query may meet.
pub async fn read_metrics(
    tx: &mut impl Reads,
    agent_id: AgentId,
    range: Range,
    at: DateTime<Utc>,
) -> Result<MetricSeries, DbError> {
    let floor = |time: DateTime<Utc>, unit| time.duration_trunc(unit).unwrap_or(time);
    // Days before, hours from there on, and rows from there on; short steps take rows wherever there are some.
    let hourly_from = floor(at - Duration::days(HOURLY_DAYS), Duration::days(1)) + Duration::days(1);
    let raw_from = if range.step_seconds >= HOUR_SECONDS {
        floor(at - Duration::hours(RAW_HOURS), Duration::hours(1))
    } else {
        range.from
    };
    let rows = sqlx::query(SERIES)
        .bind(Uuid::from(agent_id))
        .bind(range.from)
        .bind(range.to)
        .bind(range.step_seconds)
        .bind(hourly_from)
        .bind(raw_from)
        .fetch_all(tx.conn())
        .await?;
    let points = rows.iter().map(point).collect::<Result<_, DbError>>()?;
    Ok(MetricSeries {
        from: range.from,
        to: range.to,
        step_seconds: range.step_seconds,
        points,
    })
}

const SERIES: &str = "
    with samples as (
        select s.collected_at as at, date_trunc('hour', s.collected_at, 'UTC') as hour_at, s.cpu_usage::float8 as cpu,
            s.memory_usage::float8 as memory, s.disk_usage::float8 as disk,
            case when jsonb_typeof(s.network_usage -> 'rx_bytes_per_second') = 'number'
                then (s.network_usage ->> 'rx_bytes_per_second')::float8 end as rx, case when jsonb_typeof(s.network_usage -> 'tx_bytes_per_second') = 'number'
                then (s.network_usage ->> 'tx_bytes_per_second')::float8 end as tx,
            s.process_count::float8 as processes
        from agents.system_info s
        where s.agent_id = $1 and s.collected_at >= greatest($2::timestamptz, $6::timestamptz) and s.collected_at < $3
    ), parts as (
        select s.at, s.cpu, (s.cpu is not null)::int::float8 as cpu_count, s.memory, (s.memory is not null)::int::float8 as memory_count,
            s.disk, (s.disk is not null)::int::float8 as disk_count, s.rx, (s.rx is not null)::int::float8 as rx_count,
            s.tx, (s.tx is not null)::int::float8 as tx_count, s.processes, (s.processes is not null)::int::float8 as processes_count
        from samples s
        union all
        select h.hour_at, h.cpu_avg, h.cpu_count, h.memory_avg, h.memory_count, h.disk_avg, h.disk_count, h.rx_avg, h.rx_count,
            h.tx_avg, h.tx_count, h.processes_avg, h.processes_count
        from agents.system_info_hourly h
        where h.agent_id = $1 and h.hour_at >= greatest($2::timestamptz, $5::timestamptz) and h.hour_at < $3
            and not exists (select from samples s where s.hour_at = h.hour_at)
        union all
        select d.day_at, d.cpu_avg, d.cpu_count, d.memory_avg, d.memory_count, d.disk_avg, d.disk_count, d.rx_avg, d.rx_count,
            d.tx_avg, d.tx_count, d.processes_avg, d.processes_count
        from agents.system_info_daily d
        where d.agent_id = $1 and d.day_at >= $2 and d.day_at < least($3::timestamptz, $5::timestamptz)
    )
    select to_timestamp(floor(extract(epoch from p.at) / $4) * $4) as at,
        sum(p.cpu * p.cpu_count) / nullif(sum(p.cpu_count), 0) as cpu_usage,
        sum(p.memory * p.memory_count) / nullif(sum(p.memory_count), 0) as memory_usage,
        sum(p.disk * p.disk_count) / nullif(sum(p.disk_count), 0) as disk_usage,
        sum(p.rx * p.rx_count) / nullif(sum(p.rx_count), 0) as rx,
        sum(p.tx * p.tx_count) / nullif(sum(p.tx_count), 0) as tx,
        sum(p.processes * p.processes_count) / nullif(sum(p.processes_count), 0) as process_count
    from parts p
    group by 1
    order by 1";

fn point(row: &PgRow) -> Result<MetricPoint, DbError> {
    Ok(MetricPoint {
        at: row.try_get("at")?,
        cpu_usage: row.try_get("cpu_usage")?,
        memory_usage: row.try_get("memory_usage")?,
        disk_usage: row.try_get("disk_usage")?,
        rx_bytes_per_second: row.try_get("rx")?,
        tx_bytes_per_second: row.try_get("tx")?,
        process_count: row.try_get("process_count")?,
    })
}
