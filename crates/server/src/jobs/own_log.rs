//! The product watches itself: sign-ins, locked accounts and what became of the audit log are events of the tenant that they concern, for its rules.

use std::sync::atomic::Ordering;
use std::time::Duration as Wait;

use chrono::{DateTime, Duration};
use sg_db::agents::{NewLogEvent, open_server_source, try_job_lock};
use sg_db::monitoring::{OwnLogEntry, list_own_log};
use sg_types::TenantId;

use crate::AppState;
use crate::agents::log_events::store_and_judge;

/// How far a process looks back first. What is there already is passed over, so that it is no matter who looked last.
const LOOK_BACK: Duration = Duration::hours(24);
/// How far it looks back from then on: what was committed late is found.
const OVERLAP: Duration = Duration::minutes(10);
/// Entries of one kind in one look.
const BATCH: i64 = 1_000;
/// Looks in a row while there is more.
const MAX_LOOKS: u32 = 20;
/// Between two of them, so that others get their turn.
const PAUSE: Wait = Wait::from_millis(20);

/// Takes in what happened since the last look. One transaction for each tenant: what is wrong with one holds up no other.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    if state.rules.current(&state).await.is_err() {
        anyhow::bail!("the rules are not to be had yet");
    }
    let mut taken = 0;
    for _ in 0..MAX_LOOKS {
        let now = state.now();
        let known = DateTime::from_timestamp_micros(state.own_log_until.load(Ordering::Relaxed));
        let from = known.map_or(now - LOOK_BACK, |until| (until - OVERLAP).max(now - LOOK_BACK));
        let mut tx = state.db.system("the product's own log").await?;
        let entries = list_own_log(&mut tx, from, now, BATCH).await?;
        drop(tx);
        let found = entries.len();
        for of_tenant in entries.chunk_by(|a, b| a.tenant_id == b.tenant_id) {
            if let Some(first) = of_tenant.first() {
                taken += take_in(&state, first.tenant_id, of_tenant).await?;
            }
        }
        if i64::try_from(found).is_ok_and(|found| found < BATCH) {
            state
                .own_log_until
                .store(now.timestamp_micros(), Ordering::Relaxed);
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(taken)
}

async fn take_in(state: &AppState, tenant_id: TenantId, entries: &[OwnLogEntry]) -> anyhow::Result<u64> {
    let now = state.now();
    state.rules.prepare_evaluator(&state.db, tenant_id).await?;
    let mut tx = state.db.system("the product's own log").await?;
    if !try_job_lock(&mut tx, "own-log").await? {
        return Ok(0);
    }
    let source = open_server_source(&mut tx, tenant_id, now).await?;
    let rows = entries
        .iter()
        .map(|entry| {
            Ok(NewLogEvent {
                event_id: entry.id,
                at: Some(entry.at),
                detail: serde_json::to_value(&entry.event)?,
            })
        })
        .collect::<Result<Vec<_>, serde_json::Error>>()?;
    let ((stored, _), _) = store_and_judge(state, &mut tx, &source, rows, now).await?;
    tx.commit_upkeep().await?;
    Ok(u64::try_from(stored).unwrap_or(0))
}
