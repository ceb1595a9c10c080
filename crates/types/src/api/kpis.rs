//! Key figures: of a tenant's security, and of how the installation runs.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/monitoring/kpis`: the figures of each day, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KpiView {
    /// When the newest figures were measured; null before the first time.
    pub measured_at: Option<DateTime<Utc>>,
    /// The days that were asked for, as far as there are figures; the last one grows until it is over.
    pub days: Vec<KpiDay>,
    /// All of these days together.
    pub total: KpiTotal,
    /// How storage grows; the installation's only.
    pub storage: Option<StorageForecast>,
}

/// The figures of one day (UTC).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KpiDay {
    /// The day.
    pub day: NaiveDate,
    /// Attempts to sign in, whatever came of them. A right password that a second step follows is not counted by itself.
    pub sign_ins: i64,
    /// Those of them that failed.
    pub failed_sign_ins: i64,
    /// Accounts that were locked after wrong passwords.
    pub lockouts: i64,
    /// Active people; null when nobody looked on that day.
    pub people: Option<i32>,
    /// Those of them whose password is not older than the policy allows, and who owe no change.
    pub compliant_people: Option<i32>,
    /// Incidents that were closed as resolved.
    pub confirmed_incidents: i64,
    /// Incidents that were closed as false positives.
    pub false_incidents: i64,
    /// How the installation ran; null for a tenant.
    pub system: Option<SystemDay>,
}

/// How the installation ran on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SystemDay {
    /// Statements of requests; null where PostgreSQL does not count them.
    pub queries: Option<i64>,
    /// Milliseconds that one of them took on average.
    pub query_milliseconds: Option<f64>,
    /// Most connections that were open at once when it was looked.
    pub connections: Option<i32>,
    /// Connections that there may be.
    pub max_connections: Option<i32>,
    /// Share of the rows read that an index led to, 0 to 1.
    pub index_use: Option<f64>,
    /// Bytes of the database.
    pub database_bytes: Option<i64>,
    /// Bytes of the disk that are used, where the database is on the server's own.
    pub disk_used_bytes: Option<i64>,
    /// Bytes of the disk.
    pub disk_total_bytes: Option<i64>,
}

/// Figures over several days.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KpiTotal {
    /// Attempts to sign in.
    pub sign_ins: i64,
    /// Those that failed.
    pub failed_sign_ins: i64,
    /// Their share, 0 to 1; null without attempts.
    pub failed_sign_in_rate: Option<f64>,
    /// Locked accounts.
    pub lockouts: i64,
    /// Share of people whose password is as the policy asks, 0 to 1, on the last day that is known.
    pub password_compliance: Option<f64>,
    /// Closed incidents, whatever as.
    pub closed_incidents: i64,
    /// Share of them that was no false positive, 0 to 1; null when none was closed.
    pub detection_accuracy: Option<f64>,
    /// Milliseconds that a statement of a request took on average.
    pub query_milliseconds: Option<f64>,
    /// Most connections that were open at once.
    pub connections: Option<i32>,
    /// Connections that there may be.
    pub max_connections: Option<i32>,
    /// Share of the rows read that an index led to, 0 to 1.
    pub index_use: Option<f64>,
    /// Bytes of the database on the last day.
    pub database_bytes: Option<i64>,
}

/// How the database grows, by a straight line through the last days (least squares).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StorageForecast {
    /// Days that the line goes through; a forecast takes three.
    pub days: i64,
    /// Bytes of the database.
    pub database_bytes: i64,
    /// Bytes more each day; negative when it shrinks.
    pub bytes_per_day: Option<f64>,
    /// Bytes in 30 days.
    pub in_30_days: Option<i64>,
    /// How full the disk is, 0 to 1; null where the database is not on the server's own.
    pub disk_use: Option<f64>,
    /// When the disk is 85 % full if it goes on like this; null when it does not within ten years.
    pub full_on: Option<NaiveDate>,
}

impl KpiTotal {
    /// The figures over some days, in ascending order.
    pub fn of(days: &[KpiDay]) -> Self {
        let sum = |one: fn(&KpiDay) -> i64| days.iter().map(one).sum::<i64>();
        let (sign_ins, failed) = (sum(|d| d.sign_ins), sum(|d| d.failed_sign_ins));
        let (confirmed, wrong) = (sum(|d| d.confirmed_incidents), sum(|d| d.false_incidents));
        let systems = || days.iter().filter_map(|day| day.system.as_ref());
        let timed: Vec<(i64, f64)> = systems()
            .filter_map(|day| Some((day.queries?, day.query_milliseconds?)))
            .collect();
        let queries: i64 = timed.iter().map(|(count, _)| count).sum();
        let milliseconds: f64 = timed.iter().map(|(count, mean)| as_float(*count) * mean).sum();
        let index_use: Vec<f64> = systems().filter_map(|day| day.index_use).collect();
        Self {
            sign_ins,
            failed_sign_ins: failed,
            failed_sign_in_rate: share(failed, sign_ins),
            lockouts: sum(|d| d.lockouts),
            password_compliance: days
                .iter()
                .rev()
                .find_map(|day| share(day.compliant_people?.into(), day.people?.into())),
            closed_incidents: confirmed + wrong,
            detection_accuracy: share(confirmed, confirmed + wrong),
            query_milliseconds: (queries > 0).then(|| milliseconds / as_float(queries)),
            connections: systems().filter_map(|day| day.connections).max(),
            max_connections: systems().filter_map(|day| day.max_connections).next_back(),
            index_use: (!index_use.is_empty()).then(|| {
                index_use.iter().sum::<f64>() / as_float(i64::try_from(index_use.len()).unwrap_or(1))
            }),
            database_bytes: systems().filter_map(|day| day.database_bytes).next_back(),
        }
    }
}

/// `part` of `whole`, none of nothing.
pub fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| as_float(part) / as_float(whole))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_float(count: i64) -> f64 {
    count as f64
}

/// How full the disk may become before it is a problem: the threshold of the alert rule `storage_usage`.
const FULL: f64 = 0.85;
/// Days that a line has to go through.
const LEAST_DAYS: usize = 3;
/// Days that the disk's end is looked for.
const HORIZON_DAYS: f64 = 3_650.0;

impl StorageForecast {
    /// The forecast from some days in ascending order; none before the database was measured.
    pub fn of(days: &[KpiDay]) -> Option<Self> {
        let sizes: Vec<(NaiveDate, i64)> = days
            .iter()
            .filter_map(|day| Some((day.day, day.system.as_ref()?.database_bytes?)))
            .collect();
        let (last_day, database_bytes) = *sizes.last()?;
        let slope = slope(&sizes);
        let disk = days.iter().rev().find_map(|day| {
            let system = day.system.as_ref()?;
            Some((
                as_float(system.disk_used_bytes?),
                as_float(system.disk_total_bytes?),
            ))
        });
        let full_on = match (slope, disk) {
            (Some(slope), Some((used, total))) if slope > 0.0 => {
                let days = ((total * FULL - used) / slope).max(0.0);
                (days <= HORIZON_DAYS).then(|| last_day + chrono::Duration::days(to_whole(days)))
            }
            _ => None,
        };
        Some(Self {
            days: i64::try_from(sizes.len()).unwrap_or(i64::MAX),
            database_bytes,
            bytes_per_day: slope,
            in_30_days: slope.map(|slope| (database_bytes + to_whole(slope * 30.0)).max(0)),
            disk_use: disk.and_then(|(used, total)| (total > 0.0).then_some(used / total)),
            full_on,
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded by the callers; `as` saturates"
)]
fn to_whole(value: f64) -> i64 {
    value.round() as i64
}

/// Bytes for each day.
fn slope(sizes: &[(NaiveDate, i64)]) -> Option<f64> {
    if sizes.len() < LEAST_DAYS {
        return None;
    }
    let first = sizes.first()?.0;
    let points: Vec<(f64, f64)> = sizes
        .iter()
        .map(|(day, bytes)| (as_float((*day - first).num_days()), as_float(*bytes)))
        .collect();
    let count = as_float(i64::try_from(points.len()).ok()?);
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let over: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let under: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (under > 0.0).then(|| over / under)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32, database_bytes: i64) -> KpiDay {
        KpiDay {
            day: NaiveDate::from_ymd_opt(2026, 3, number).unwrap(),
            sign_ins: 10,
            failed_sign_ins: 1,
            lockouts: 0,
            people: Some(4),
            compliant_people: Some(3),
            confirmed_incidents: 3,
            false_incidents: 1,
            system: Some(SystemDay {
                queries: Some(100 * i64::from(number)),
                query_milliseconds: Some(f64::from(number)),
                connections: Some(10),
                max_connections: Some(97),
                index_use: Some(0.5),
                database_bytes: Some(database_bytes),
                disk_used_bytes: Some(600),
                disk_total_bytes: Some(1000),
            }),
        }
    }

    #[test]
    fn a_total_weighs_what_it_adds_up() {
        let total = KpiTotal::of(&[day(1, 100), day(3, 120)]);
        assert_eq!((total.sign_ins, total.failed_sign_in_rate), (20, Some(0.1)));
        assert_eq!(total.detection_accuracy, Some(0.75));
        assert_eq!(total.password_compliance, Some(0.75));
        assert_eq!(total.query_milliseconds, Some(2.5), "(100 × 1 + 300 × 3) / 400");
        assert_eq!(total.database_bytes, Some(120));
        let nothing = KpiTotal::of(&[]);
        assert_eq!(nothing, KpiTotal::default());
    }

    #[test]
    fn storage_is_forecast_along_a_line() {
        assert!(StorageForecast::of(&[]).is_none());
        let two = StorageForecast::of(&[day(1, 100), day(2, 110)]).unwrap();
        assert_eq!((two.bytes_per_day, two.full_on), (None, None));
        let grows = StorageForecast::of(&[day(1, 100), day(2, 110), day(4, 130)]).unwrap();
        assert_eq!((grows.bytes_per_day, grows.in_30_days), (Some(10.0), Some(430)));
        // 250 bytes are left until 85 %.
        assert_eq!(grows.full_on, NaiveDate::from_ymd_opt(2026, 3, 29));
        let shrinks = StorageForecast::of(&[day(1, 130), day(2, 110), day(4, 100)]).unwrap();
        assert_eq!((shrinks.full_on, shrinks.in_30_days), (None, Some(0)));
        let still = StorageForecast::of(&[day(1, 5), day(2, 5), day(3, 5)]).unwrap();
        assert_eq!((still.bytes_per_day, still.full_on), (Some(0.0), None));
    }
}
