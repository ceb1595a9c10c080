//! The overview.

use chrono::{DateTime, Duration, Utc};
use sg_types::api::monitoring::{EndpointCounts, HourCount, Overview, SeverityCounts};
use sqlx::{Postgres, QueryBuilder, Row};

use crate::{
    DbError, Reads,
    threats::{INCIDENT_COLUMNS, INCIDENT_TABLE, read_incident},
};

/// Hours that incidents are counted over.
const HOURS: i64 = 24;
/// Newest incidents that are shown.
const RECENT: i64 = 10;

/// The state of the caller's tenant (and scope), whose endpoints were counted by [`count_endpoints`].
///
/// # Errors
/// What a query may meet.
pub async fn read_overview(
    tx: &mut impl Reads,
    endpoints: EndpointCounts,
    at: DateTime<Utc>,
) -> Result<Overview, DbError> {
    let mut recent = QueryBuilder::<Postgres>::new("select ");
    recent
        .push(INCIDENT_COLUMNS)
        .push(INCIDENT_TABLE)
        .push(" order by i.detected_at desc, i.threat_id desc limit ")
        .push_bind(RECENT);
    Ok(Overview {
        at,
        endpoints,
        open_incidents: count_open_incidents(tx).await?,
        incidents_by_hour: count_by_hour(tx, at).await?,
        recent_incidents: recent
            .build()
            .fetch_all(tx.conn())
            .await?
            .iter()
            .map(read_incident)
            .collect::<Result<_, _>>()?,
    })
}

/// The endpoints of the caller's tenant (and scope) by state. Reads each of them: a million take a second.
///
/// # Errors
/// What a query may meet.
pub async fn count_endpoints(tx: &mut impl Reads, at: DateTime<Utc>) -> Result<EndpointCounts, DbError> {
    let row = sqlx::query(
        "select count(*) filter (where c.online) as online, count(*) filter (where c.online and c.late) as stale,
            count(*) filter (where not c.online) as offline
         from (
            select coalesce(h.online, false) as online, h.last_seen_at < $1 - make_interval(secs => 1.25 * e.heartbeat_interval) as late
            from agents.endpoints e
            left join agents.heartbeats h on h.agent_id = e.agent_id
            where e.status <> 'decommissioned' and e.kind <> 'server'
         ) c",
    )
    .bind(at)
    .fetch_one(tx.conn())
    .await?;
    Ok(EndpointCounts {
        online: row.try_get("online")?,
        stale: row.try_get("stale")?,
        offline: row.try_get("offline")?,
        counted_at: at,
    })
}

async fn count_open_incidents(tx: &mut impl Reads) -> Result<SeverityCounts, DbError> {
    let rows =
        sqlx::query("select severity, count(*) as count from threats.incidents where status in ('new', 'investigating') group by severity")
            .fetch_all(tx.conn())
            .await?;
    let mut counts = SeverityCounts::default();
    for row in rows {
        let place = match row.try_get::<String, _>("severity")?.parse()? {
            sg_types::Severity::Low => &mut counts.low,
            sg_types::Severity::Medium => &mut counts.medium,
            sg_types::Severity::High => &mut counts.high,
            sg_types::Severity::Critical => &mut counts.critical,
        };
        *place = row.try_get("count")?;
    }
    Ok(counts)
}

async fn count_by_hour(tx: &mut impl Reads, at: DateTime<Utc>) -> Result<Vec<HourCount>, DbError> {
    let rows = sqlx::query(
        "select h.at, count(i.threat_id) as count
         from generate_series(date_trunc('hour', $1::timestamptz), date_trunc('hour', $2::timestamptz), interval '1 hour') as h (at)
         left join threats.incidents i on i.detected_at >= h.at and i.detected_at < h.at + interval '1 hour'
         group by h.at
         order by h.at",
    )
    .bind(at - Duration::hours(HOURS - 1))
    .bind(at)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(HourCount {
                at: row.try_get("at")?,
                count: row.try_get("count")?,
            })
        })
        .collect()
}
