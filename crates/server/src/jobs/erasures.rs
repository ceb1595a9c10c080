//! Tenants whose time has come are erased.

use sg_db::agents::try_long_job_lock;
use sg_db::users::list_due_erasures;

use crate::AppState;
use crate::audit::{EraseError, Erasure, erase_tenant};

/// Erases what is due. A tenant under a legal hold stays until the hold is released.
///
/// # Errors
/// What the database says; the next run goes on where this one was broken off.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    // Held to the end, so that no other node begins.
    let mut turn = state.db.system("tenants to erase").await?;
    if !try_long_job_lock(&mut turn, "tenant-erasures").await? {
        return Ok(0);
    }
    let mut rows = 0;
    for slug in list_due_erasures(&mut turn, state.now()).await? {
        let erasure = Erasure {
            db: &state.db,
            keeper: &state.audit,
            clock: state.clock.as_ref(),
            ids: state.ids.as_ref(),
            by: "tenant-erasures",
            reason: "its time to be taken back is over",
        };
        match erase_tenant(erasure, &slug).await {
            Ok(removed) => {
                tracing::info!(tenant = slug, rows = removed, "a tenant was erased");
                rows += removed;
            }
            Err(EraseError::Held(_)) => {
                tracing::warn!(tenant = slug, "a legal hold keeps a tenant that is to be erased");
            }
            // The next run has its turn.
            Err(EraseError::Sealing) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(rows)
}
