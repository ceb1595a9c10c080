//! Alert rules are compared with what the database and the host can tell.

use chrono::Duration;
use sg_db::agents::try_job_lock;
use sg_db::monitoring::{evaluate_alert_rules, judge_figure, list_alert_rules};
use sg_types::TenantId;

use crate::monitoring::{database_access, measure_host};
use crate::{AppState, backup::note_missing_watch};

/// Raises and clears alerts.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    let mut tx = state.db.system("alert rules").await?;
    if !try_job_lock(&mut tx, "alert-rules").await? {
        return Ok(0);
    }
    let now = state.now();
    let mut raised = evaluate_alert_rules(&mut tx, now).await?;
    let rules = list_alert_rules(&mut tx, TenantId::SYSTEM).await?;
    let window = rules
        .iter()
        .find(|rule| rule.kind == database_access::RULE)
        .map_or(3600, |rule| rule.window_seconds);
    raised += database_access::watch(&state, &mut tx, Duration::seconds(window.into()), now).await?;
    for figure in measure_host(&state).await {
        let beyond = judge_figure(
            &mut tx,
            TenantId::SYSTEM,
            figure.kind,
            &figure.subject,
            figure.value,
            now,
        )
        .await?;
        raised += i32::from(beyond);
    }
    raised += i32::from(note_missing_watch(&mut tx, now).await?);
    tx.commit_upkeep().await?;
    metrics::gauge!("sg_monitoring_alerts_count").set(f64::from(raised));
    Ok(u64::try_from(raised).unwrap_or(0))
}
