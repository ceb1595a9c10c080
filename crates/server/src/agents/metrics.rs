//! The range of a chart.

use chrono::{DateTime, Duration, Utc};
use sg_db::agents::Range;

use crate::error::{ApiError, ApiResult};

/// Length of a range when the caller does not say.
const DEFAULT_HOURS: i64 = 24;
/// Longest range: as long as daily roll-ups are kept.
const MAX_DAYS: i64 = 1_826;
/// Points when the caller does not say.
const DEFAULT_POINTS: u32 = 240;
/// Points at most.
const MAX_POINTS: u32 = 1_000;

pub(super) fn range(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    points: Option<u32>,
    now: DateTime<Utc>,
) -> ApiResult<Range> {
    let refuse = |detail: &'static str| Err(ApiError::bad_request("invalid_query", detail));
    let to = to.unwrap_or(now);
    let earliest = now - Duration::days(MAX_DAYS + 1);
    if to < earliest || to > now + Duration::days(1) {
        return refuse("`to` has to lie within the last five years");
    }
    let from = from.unwrap_or(to - Duration::hours(DEFAULT_HOURS));
    if from >= to || from < earliest {
        return refuse("`from` has to be earlier than `to` and within the last five years");
    }
    let points = points.unwrap_or(DEFAULT_POINTS);
    if !(1..=MAX_POINTS).contains(&points) {
        return refuse("`points` has to be between 1 and 1000");
    }
    // Steps start at multiples of their length, so that a range may touch one more of them.
    let seconds = (to - from).num_seconds().max(1);
    let step_seconds = (seconds + i64::from(points) - 1) / i64::from(points);
    Ok(Range {
        from,
        to,
        step_seconds: step_seconds.max(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_bounded() {
        let now: DateTime<Utc> = "2026-06-01T00:00:00Z".parse().unwrap();
        let hour = now - Duration::hours(1);
        assert_eq!(
            range(Some(hour), None, Some(60), now).unwrap(),
            Range {
                from: hour,
                to: now,
                step_seconds: 60
            }
        );
        assert_eq!(range(None, None, None, now).unwrap().step_seconds, 360);
        assert_eq!(
            range(Some(now - Duration::milliseconds(5)), None, Some(1000), now)
                .unwrap()
                .step_seconds,
            1
        );
        assert!(range(Some(now), Some(now), None, now).is_err());
        assert!(range(Some(now), Some(hour), None, now).is_err());
        assert!(range(Some(now - Duration::days(1_900)), None, None, now).is_err());
        assert!(range(None, Some(DateTime::<Utc>::MAX_UTC), None, now).is_err());
        assert!(range(None, Some(DateTime::<Utc>::MIN_UTC), None, now).is_err());
        assert!(range(None, None, Some(0), now).is_err() && range(None, None, Some(1001), now).is_err());
    }
}
