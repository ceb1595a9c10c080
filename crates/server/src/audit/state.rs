//! How a tenant's chain stands, for people.

use chrono::{DateTime, Duration, Utc};
use sg_db::audit::{count_forks, list_export_positions, list_heads};
use sg_db::{DbError, Reads};
use sg_types::TenantId;
use sg_types::api::audit::{AuditChainView, AuditSinkView};

use super::export::Sink;
use crate::AppState;

/// From this on a missing signature or delivery is a problem: the longest that both take together, with some room.
const LATE_SECONDS: i64 = 30;

/// The state of the tenant's chain.
///
/// # Errors
/// What the database says.
pub(super) async fn read_state(
    state: &AppState,
    tx: &mut impl Reads,
    tenant_id: TenantId,
) -> Result<AuditChainView, DbError> {
    let head = list_heads(tx, Some(&[tenant_id])).await?.into_iter().next();
    let told = list_export_positions(tx, tenant_id).await?;
    let sinks: Vec<AuditSinkView> = Sink::names(&state.config.audit)
        .into_iter()
        .map(|name| {
            let known = told.iter().find(|position| position.sink == name);
            AuditSinkView {
                name: name.to_owned(),
                position: known.map_or(0, |known| known.position),
                exported_at: known.map(|known| known.exported_at),
            }
        })
        .collect();
    let mut problems = Vec::new();
    let forks = count_forks(tx, tenant_id).await?;
    if forks > 0 {
        problems.push(format!(
            "The history was found changed {forks} times, as after the restore of an older backup; `secureguard audit verify` tells more."
        ));
    }
    let late = state.now() - Duration::seconds(LATE_SECONDS);
    if let Some(head) = &head {
        if head.position > head.checkpoint_position && head.checkpoint_at.is_none_or(|at| at < late) {
            problems.push("The newest entries are not signed.".to_owned());
        }
        for sink in &sinks {
            if sink.position < head.checkpoint_position && head.checkpoint_at.is_some_and(|at| at < late) {
                problems.push(format!("The {} has not been told the newest entries.", sink.name));
            }
        }
    }
    Ok(AuditChainView {
        position: head.as_ref().map_or(0, |head| head.position),
        checkpoint_position: head.as_ref().map_or(0, |head| head.checkpoint_position),
        checkpoint_at: head.and_then(|head| head.checkpoint_at),
        key_id: state.audit.signer().verifier().key_id(),
        sinks,
        problems,
    })
}

/// What is wrong with the sinks that this server tells, in words; none when nothing is.
pub fn describe_sink_problems(state: &AppState, now: DateTime<Utc>) -> Option<String> {
    let late = now - Duration::seconds(LATE_SECONDS);
    let waiting: Vec<String> = state
        .audit
        .sinks()
        .into_iter()
        .filter(|(_, status)| status.waiting_since.is_some_and(|since| since < late))
        .map(|(name, status)| {
            let since = status
                .waiting_since
                .map(super::canonical::format_time)
                .unwrap_or_default();
            format!("the {name} has not been told the audit log since {since}")
        })
        .collect();
    (!waiting.is_empty()).then(|| waiting.join("; "))
}
