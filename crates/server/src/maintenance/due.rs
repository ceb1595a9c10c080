//! What is due, and when: daily, on Mondays, on the first of the month.

use chrono::{DateTime, Datelike, Duration, NaiveTime, Utc};
use sg_db::agents::try_job_lock;
use sg_db::monitoring::{self as db, find_last_maintenance, installed_at, list_unfinished_maintenance};
use sg_types::api::maintenance::MaintenancePeriod;

use super::work::{Maintenance, Outcome};
use crate::AppState;

/// Does what is due, and first what was broken off. Returns how many runs were made.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run_due(state: AppState) -> anyhow::Result<u64> {
    let work = Maintenance {
        config: &state.config,
        db: &state.db,
        clock: state.clock.as_ref(),
        ids: state.ids.as_ref(),
        stop: state.supervisor.stop_token(),
        tell: |what| tracing::info!(what, "maintenance"),
    };
    let mut runs = 0;
    // What was asked for while a run was at work is found by the next look.
    while let Some(period) = find(&state).await?.first() {
        match work.run(*period, false).await? {
            Outcome::Done(_) if !work.stop.is_cancelled() => runs += 1,
            Outcome::Busy | Outcome::Done(_) => break,
        }
    }
    Ok(runs)
}

async fn find(state: &AppState) -> anyhow::Result<Vec<MaintenancePeriod>> {
    let now = state.now();
    let mut tx = state.db.system("what is due of maintenance").await?;
    let mut due = list_unfinished_maintenance(&mut tx).await?;
    if !state.config.maintenance.enabled {
        return Ok(due);
    }
    let since = installed_at(&mut tx).await?;
    for period in MaintenancePeriod::ALL {
        let slot = last_slot(*period, state.config.maintenance.at_hour, now);
        let last = find_last_maintenance(&mut tx, *period).await?;
        if !due.contains(period) && slot > since && last.is_none_or(|last| last < slot) {
            due.push(*period);
        }
    }
    Ok(due)
}

/// The last moment at which a period's maintenance was to begin.
fn last_slot(period: MaintenancePeriod, hour: u32, now: DateTime<Utc>) -> DateTime<Utc> {
    let today = now.date_naive();
    let at = |day: chrono::NaiveDate| {
        day.and_time(NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default())
            .and_utc()
    };
    let first_of = |day: chrono::NaiveDate| day.with_day(1).unwrap_or(day);
    let begin = match period {
        MaintenancePeriod::Daily => today,
        MaintenancePeriod::Weekly => {
            today - Duration::days(i64::from(today.weekday().num_days_from_monday()))
        }
        MaintenancePeriod::Monthly => first_of(today),
    };
    if at(begin) <= now {
        return at(begin);
    }
    at(match period {
        MaintenancePeriod::Daily => begin - Duration::days(1),
        MaintenancePeriod::Weekly => begin - Duration::days(7),
        MaintenancePeriod::Monthly => first_of(begin - Duration::days(1)),
    })
}

/// Makes the reports on the last whole week, from its Monday on, once their hour has come. Returns how many.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn make_week_reports(state: AppState) -> anyhow::Result<u64> {
    let now = state.now();
    let mut tx = state.db.system("week reports").await?;
    if !state.config.maintenance.enabled || !try_job_lock(&mut tx, "week-reports").await? {
        return Ok(0);
    }
    let monday = last_slot(MaintenancePeriod::Weekly, state.config.maintenance.at_hour, now);
    let week = (monday.date_naive() - Duration::days(7))
        .and_time(NaiveTime::MIN)
        .and_utc();
    if installed_at(&mut tx).await? >= monday {
        return Ok(0);
    }
    let made = db::make_week_reports(&mut tx, week, state.mailer.is_some(), now).await?;
    tx.commit_upkeep().await?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_period_has_its_day() {
        use MaintenancePeriod::{Daily, Monthly, Weekly};
        let slot = |period, now: &str| {
            last_slot(period, 4, now.parse().unwrap())
                .format("%Y-%m-%dT%H:%M")
                .to_string()
        };
        // The second of March 2026 is a Monday.
        assert_eq!(slot(Daily, "2026-03-02T04:00:00Z"), "2026-03-02T04:00");
        assert_eq!(slot(Daily, "2026-03-02T03:59:59Z"), "2026-03-01T04:00");
        assert_eq!(slot(Weekly, "2026-03-02T04:00:00Z"), "2026-03-02T04:00");
        assert_eq!(slot(Weekly, "2026-03-02T03:59:59Z"), "2026-02-23T04:00");
        assert_eq!(slot(Weekly, "2026-03-08T23:00:00Z"), "2026-03-02T04:00");
        assert_eq!(slot(Monthly, "2026-03-01T04:00:00Z"), "2026-03-01T04:00");
        assert_eq!(slot(Monthly, "2026-03-01T03:00:00Z"), "2026-02-01T04:00");
        assert_eq!(slot(Monthly, "2026-01-01T03:00:00Z"), "2025-12-01T04:00");
    }
}
