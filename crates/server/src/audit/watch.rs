//! The chains are looked at as a whole again and again, and somebody is told when one does not hold.

use std::collections::BTreeMap;

use chrono::Duration;
use sg_db::audit::{list_audited_tenants, list_forks};
use sg_db::monitoring::judge_figure;
use sg_types::TenantId;

use super::verify::{OutsideKnowledge, verify_live};
use crate::AppState;

/// The rule that watches.
const ALERT: &str = "audit_chain";
/// What its alerts are about: places that do not hold, and chains whose history was found changed.
const PLACES: &str = "places";
const HISTORY: &str = "history";
/// For how long a changed history is told of.
const HISTORY_HOURS: i64 = 24;

/// Verifies every chain, and raises or clears the alerts of its tenant; returns how many faults there are. What concerns no tenant is the installation's.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn check(state: AppState) -> anyhow::Result<u64> {
    let verifier = state.audit.signer().verifier();
    let report = verify_live(&state.db, &verifier, &OutsideKnowledge::default()).await?;
    let mut faults: BTreeMap<TenantId, u32> = BTreeMap::new();
    for fault in &report.faults {
        tracing::error!(%fault, "the audit log does not hold");
        *faults
            .entry(fault.tenant_id.unwrap_or(TenantId::SYSTEM))
            .or_default() += 1;
    }
    let now = state.now();
    let mut tx = state.db.system("audit check").await?;
    let forks: BTreeMap<TenantId, i64> = list_forks(&mut tx, now - Duration::hours(HISTORY_HOURS))
        .await?
        .into_iter()
        .collect();
    for tenant_id in list_audited_tenants(&mut tx).await? {
        let places = f64::from(faults.get(&tenant_id).copied().unwrap_or(0));
        judge_figure(&mut tx, tenant_id, ALERT, PLACES, places, now).await?;
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let history = forks.get(&tenant_id).copied().unwrap_or(0) as f64;
        judge_figure(&mut tx, tenant_id, ALERT, HISTORY, history, now).await?;
    }
    tx.commit_upkeep().await?;
    metrics::gauge!("sg_audit_faults_count").set(f64::from(u32::try_from(report.faults.len())?));
    Ok(report.faults.len() as u64)
}
