//! Hours and days of metrics outlive the raw rows.

use sg_db::agents::{backfill_rollups, ensure_partition_of, roll_up, try_job_lock};
use tokio::time::Instant;

use super::stand_back;
use crate::AppState;

/// Hours of endpoints that one transaction computes.
const BATCH: i32 = 500;
/// Days from before the roll-ups that one run notes, so that a long history does not hold up the present.
const BACKFILL_DAYS: usize = 7;

/// Computes what is noted.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    for _ in 0..BACKFILL_DAYS {
        let mut tx = state.db.system("roll-up backfill").await?;
        if !try_job_lock(&mut tx, "rollups").await? {
            return Ok(0);
        }
        let Some(day) = backfill_rollups(&mut tx).await? else {
            break;
        };
        if let Some(at) = day.and_hms_opt(0, 0, 0) {
            for table in ["agents.system_info_hourly", "agents.system_info_daily"] {
                ensure_partition_of(&mut tx, table, at.and_utc()).await?;
            }
        }
        tx.commit_upkeep().await?;
    }
    let stop = state.supervisor.stop_token();
    let mut total = 0;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let mut tx = state.db.system("roll-ups").await?;
        if !try_job_lock(&mut tx, "rollups").await? {
            break;
        }
        let hours = roll_up(&mut tx, state.now(), BATCH).await?;
        tx.commit_upkeep().await?;
        total += u64::try_from(hours).unwrap_or(0);
        if hours < BATCH {
            break;
        }
        // After an outage every endpoint brings hours that have ended: what they still hold comes first.
        stand_back(&state, began.elapsed()).await;
    }
    Ok(total)
}
