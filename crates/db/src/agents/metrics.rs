//! Metrics over time.

use chrono::{DateTime, Utc};
use sg_types::{
    AgentId,
    api::agents::{MetricPoint, MetricSeries},
};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, Reads};

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
/// are no points.
///
/// # Errors
/// What a query may meet.
pub async fn read_metrics(
    tx: &mut impl Reads,
    agent_id: AgentId,
    range: Range,
) -> Result<MetricSeries, DbError> {
    let rows = sqlx::query(
        "select to_timestamp(floor(extract(epoch from s.collected_at) / $4) * $4) as at,
            avg(s.cpu_usage)::float8 as cpu_usage, avg(s.memory_usage)::float8 as memory_usage, avg(s.disk_usage)::float8 as disk_usage,
            avg((s.network_usage ->> 'rx_bytes_per_second')::float8) as rx, avg((s.network_usage ->> 'tx_bytes_per_second')::float8) as tx,
            avg(s.process_count)::float8 as process_count
         from agents.system_info s
         where s.agent_id = $1 and s.collected_at >= $2 and s.collected_at < $3
            and s.retention_class = (select t.retention_class from users.tenants t where t.tenant_id = (select users.current_tenant()))
         group by 1
         order by 1",
    )
    .bind(Uuid::from(agent_id))
    .bind(range.from)
    .bind(range.to)
    .bind(range.step_seconds)
    .fetch_all(tx.conn())
    .await?;
    let points = rows
        .into_iter()
        .map(|row| {
            Ok(MetricPoint {
                at: row.try_get("at")?,
                cpu_usage: row.try_get("cpu_usage")?,
                memory_usage: row.try_get("memory_usage")?,
                disk_usage: row.try_get("disk_usage")?,
                rx_bytes_per_second: row.try_get("rx")?,
                tx_bytes_per_second: row.try_get("tx")?,
                process_count: row.try_get("process_count")?,
            })
        })
        .collect::<Result<_, DbError>>()?;
    Ok(MetricSeries {
        from: range.from,
        to: range.to,
        step_seconds: range.step_seconds,
        points,
    })
}
