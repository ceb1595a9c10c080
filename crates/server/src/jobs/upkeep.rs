//! What ended long ago goes.

use sg_db::agents::{delete_ended_sessions, forget_old_streams, try_job_lock};

use crate::AppState;

/// Removes ended sessions and the marks of streams that were left long ago.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<()> {
    let mut tx = state.db.system("upkeep").await?;
    if !try_job_lock(&mut tx, "upkeep").await? {
        return Ok(());
    }
    let sessions = delete_ended_sessions(&mut tx, state.now()).await?;
    let streams = forget_old_streams(&mut tx).await?;
    tx.commit_upkeep().await?;
    tracing::debug!(sessions, streams, "removed what ended long ago");
    Ok(())
}
