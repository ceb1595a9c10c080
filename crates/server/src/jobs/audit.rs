//! The audit log is sealed, signed and told, and what is past its retention goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::AppState;
use crate::audit::export::{self, Sink};
use crate::audit::{Signing, check, drop_expired, note_forks, seal};

/// Time between looks for partitions that are past their retention.
const RETENTION: Duration = Duration::from_secs(3_600);

/// Time between looks at the chains as a whole, at least.
const CHECK: Duration = Duration::from_secs(600);
/// The pause after one is this many times as long as it took: it costs 2 % of one core at most.
const CHECK_PAUSES: u32 = 50;

/// Starts the sealing, a task for each sink, and the retention.
pub(super) fn spawn(state: &AppState, period: Duration) {
    let supervisor = &state.supervisor;
    let (own, compared) = (state.clone(), Arc::new(AtomicBool::new(false)));
    supervisor.spawn_periodic("audit sealing", period, move || {
        let (state, compared) = (own.clone(), compared.clone());
        async move {
            // Before anything is added to a chain, it is compared with what this server knows to be signed.
            if !compared.load(Ordering::Relaxed) {
                note_forks(&state).await?;
                compared.store(true, Ordering::Relaxed);
            }
            seal(state, Signing::WhenDue).await
        }
    });
    match Sink::all(&state.config.audit) {
        Ok(sinks) => sinks.into_iter().for_each(|sink| tell(state, sink, period)),
        Err(error) => tracing::error!(error = format!("{error:#}"), "the audit log is told to nobody"),
    }
    check_chains(state);
    let own = state.clone();
    supervisor.spawn_periodic("audit retention", RETENTION, move || {
        let state = own.clone();
        async move { drop_expired(&state).await.map(|_| ()) }
    });
}

fn check_chains(state: &AppState) {
    let (own, due) = (state.clone(), Arc::new(Mutex::new(Instant::now() + CHECK)));
    state.supervisor.spawn_periodic("audit check", CHECK, move || {
        let (state, due) = (own.clone(), due.clone());
        async move {
            let mut due = due.lock().await;
            let began = Instant::now();
            if began < *due {
                return Ok(());
            }
            check(state).await?;
            *due = Instant::now() + began.elapsed() * CHECK_PAUSES;
            Ok(())
        }
    });
}

fn tell(state: &AppState, sink: Sink, period: Duration) {
    let (own, sink) = (state.clone(), Arc::new(Mutex::new(sink)));
    state.supervisor.spawn_periodic("audit export", period, move || {
        let (state, sink) = (own.clone(), sink.clone());
        async move { export::export(&state, &mut *sink.lock().await).await }
    });
}
