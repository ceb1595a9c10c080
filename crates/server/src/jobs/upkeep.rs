//! What ended long ago goes: every kind of `sg_db::cleanup`, batch by batch.

use sg_db::agents::try_job_lock;
use sg_db::cleanup::{BATCH, CLEANUPS, Cleanup, run_cleanup};

use crate::AppState;

/// Batches of one kind in one run; what is left waits for the next.
const MAX_BATCHES: usize = 200;

/// Removes what is past its time. One kind that fails does not hold up the others.
///
/// # Errors
/// The last failure; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    let mut total = 0;
    let mut failure = None;
    for cleanup in CLEANUPS {
        match remove(&state, cleanup).await {
            Ok(Some(rows)) => {
                metrics::counter!("sg_jobs_rows_total", "job" => cleanup.name).increment(rows);
                total += rows;
            }
            Ok(None) => return Ok(total),
            Err(error) => {
                tracing::warn!(cleanup = cleanup.name, error = %error, "a kind of rows could not be cleaned up");
                failure = Some(error);
            }
        }
    }
    if total > 0 {
        tracing::debug!(rows = total, "removed what ended long ago");
    }
    failure.map_or(Ok(total), Err)
}

/// None when another node is at it.
async fn remove(state: &AppState, cleanup: &Cleanup) -> anyhow::Result<Option<u64>> {
    let mut total = 0;
    for _ in 0..MAX_BATCHES {
        let mut tx = state.db.system("upkeep").await?;
        if !try_job_lock(&mut tx, "upkeep").await? {
            return Ok(None);
        }
        let rows = run_cleanup(&mut tx, cleanup, state.now()).await?;
        tx.commit_upkeep().await?;
        total += rows;
        if rows < BATCH.unsigned_abs() {
            break;
        }
    }
    Ok(Some(total))
}
