//! Partitions are there before they are needed, and gone when their rows are past their retention.

use sg_db::agents::{drop_expired, ensure_partitions, try_job_lock};

use crate::AppState;

/// Days that partitions are made ahead: a server that nobody looks at for a week still has some.
const DAYS_AHEAD: i32 = 8;

/// Makes what is missing, then drops what has expired.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<()> {
    let now = state.now();
    let mut tx = state.db.system("partitions").await?;
    let created = ensure_partitions(&mut tx, now, DAYS_AHEAD).await?;
    tx.commit_upkeep().await?;
    let mut tx = state.db.system("retention").await?;
    if !try_job_lock(&mut tx, "retention").await? {
        return Ok(());
    }
    let dropped = drop_expired(&mut tx, now).await?;
    tx.commit_upkeep().await?;
    if created > 0 || !dropped.is_empty() {
        tracing::info!(created, dropped = dropped.len(), "partitions are in order");
    }
    Ok(())
}
