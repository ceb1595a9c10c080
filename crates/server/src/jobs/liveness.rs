//! Endpoints that have missed two check-ins are offline, and somebody is told.

use std::time::Duration;

use sg_db::agents::{alert_of_offline, mark_offline, note_watch, try_job_lock};
use sg_db::monitoring::announce;
use tokio::time::Instant;

use super::stand_back;
use crate::AppState;

/// Endpoints that one transaction looks at.
const BATCH: i64 = 5_000;
/// How long one run looks; what is left waits for the next, since somebody has to be told of those that were found.
const LONGEST: Duration = Duration::from_secs(10);

/// Notes who is offline, tells the open views, and raises and ends the alerts.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    let mut offline = 0;
    let run_began = Instant::now();
    while run_began.elapsed() < LONGEST {
        let began = Instant::now();
        let mut tx = state.db.system("endpoint liveness").await?;
        if !try_job_lock(&mut tx, "endpoint-liveness").await? {
            return Ok(0);
        }
        let now = state.now();
        let watching_since = note_watch(&mut tx, now).await?;
        let look = mark_offline(&mut tx, now, watching_since, BATCH).await?;
        announce(&mut tx, &look.offline).await?;
        tx.commit_upkeep().await?;
        offline += look.offline.len();
        if look.looked_at < BATCH {
            break;
        }
        // Many who are late at once: some of them are among those who wait.
        stand_back(&state, began.elapsed()).await;
    }
    let mut tx = state.db.system("endpoint alerts").await?;
    if !try_job_lock(&mut tx, "endpoint-liveness").await? {
        return Ok(0);
    }
    let now = state.now();
    let watching_since = note_watch(&mut tx, now).await?;
    let told = alert_of_offline(&mut tx, now, watching_since).await?;
    tx.commit_upkeep().await?;
    if offline > 0 || told != Default::default() {
        tracing::info!(
            endpoints = offline,
            alerts = told.endpoints,
            outages = told.outages,
            "endpoints are offline"
        );
    }
    Ok(u64::try_from(offline).unwrap_or(u64::MAX))
}
