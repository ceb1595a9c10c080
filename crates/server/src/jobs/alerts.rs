//! Alert rules are compared with what the database can tell.

use sg_db::agents::try_job_lock;
use sg_db::monitoring::evaluate_alert_rules;

use crate::AppState;

/// Raises and clears alerts.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    let mut tx = state.db.system("alert rules").await?;
    if !try_job_lock(&mut tx, "alert-rules").await? {
        return Ok(0);
    }
    let raised = evaluate_alert_rules(&mut tx, state.now()).await?;
    tx.commit_upkeep().await?;
    metrics::gauge!("sg_monitoring_alerts_count").set(f64::from(raised));
    Ok(u64::try_from(raised).unwrap_or(0))
}
