//! Endpoints that have missed two check-ins are offline.

use sg_db::agents::{mark_offline, try_job_lock};
use sg_db::monitoring::announce;

use crate::AppState;

/// Notes them and tells the open views.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    let mut tx = state.db.system("endpoint liveness").await?;
    if !try_job_lock(&mut tx, "endpoint-liveness").await? {
        return Ok(0);
    }
    let changes = mark_offline(&mut tx, state.now()).await?;
    announce(&mut tx, &changes).await?;
    tx.commit_upkeep().await?;
    if !changes.is_empty() {
        tracing::info!(endpoints = changes.len(), "endpoints went offline");
    }
    Ok(u64::try_from(changes.len()).unwrap_or(u64::MAX))
}
