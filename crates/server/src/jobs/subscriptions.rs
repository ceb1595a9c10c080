//! Trials and periods end when their time has come.

use sg_db::agents::try_job_lock;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::advance_subscriptions;

use crate::AppState;

/// Moves on what is due and says so in each tenant's audit log.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    let now = state.now();
    let mut tx = state.db.system("subscriptions").await?;
    if !try_job_lock(&mut tx, "subscriptions").await? {
        return Ok(0);
    }
    let advanced = advance_subscriptions(&mut tx, now).await?;
    for subscription in &advanced {
        let event = AuditEvent {
            event_id: state.next_id(),
            at: now,
            actor: Actor::system("subscriptions"),
            action: "subscription.advance",
            object: Some(("tenant", subscription.tenant_id.to_string())),
            outcome: Outcome::Success,
            reason: Some(format!("{} → {}", subscription.before, subscription.after)),
            request_id: None,
            address: None,
        };
        tx.record(subscription.tenant_id, &event).await?;
    }
    tx.commit_upkeep().await?;
    if !advanced.is_empty() {
        tracing::info!(tenants = advanced.len(), "trials or periods have ended");
    }
    Ok(u64::try_from(advanced.len())?)
}
