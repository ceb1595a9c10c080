//! Serving: the listener, the background work, and the orderly end of both.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::listen::{self, Listener};
use crate::{AppState, audit, jobs, metrics, response, router};

/// Time that background work gets to end, on top of what running requests get.
const STOP_GRACE: Duration = Duration::from_secs(15);

/// Time that sealing what was done last may take.
const AUDIT_GRACE: Duration = Duration::from_secs(5);

/// Time between reports of what was counted of the limits on requests.
const REQUESTS_COUNTED: Duration = Duration::from_secs(2);
/// Time between two writings of the uses of API keys.
const KEY_USAGE: Duration = Duration::from_secs(10);

/// Starts the listener's loop and all background work.
pub fn start(state: &AppState, listener: Listener) {
    if let Some(certificates) = listener.certificates() {
        let (renew, clock) = (certificates.renewal(), state.clock.clone());
        let renew = std::sync::Arc::new(renew);
        state
            .supervisor
            .spawn_periodic("certificate renewal", Duration::from_secs(12 * 3600), move || {
                let result = renew(clock.now());
                async move { result }
            });
    }
    spawn_background(state);
    let router = router::build(state.clone(), listener.hosts().clone());
    let task = listen::serve(
        listener,
        router,
        state.config.http.clone(),
        state.supervisor.clone(),
    );
    state.supervisor.spawn_critical("listener", task);
}

/// Starts what keeps things true while the server runs. Areas add theirs here.
fn spawn_background(state: &AppState) {
    jobs::spawn(state);
    response::spawn(state);
    state
        .supervisor
        .spawn_periodic("metrics upkeep", Duration::from_secs(5), || {
            metrics::upkeep();
            async { Ok(()) }
        });
    let limits = state.clone();
    state
        .supervisor
        .spawn_periodic("rate limits", Duration::from_secs(60), move || {
            limits.rate_limits.forget_idle();
            async { Ok(()) }
        });
    let counting = state.clone();
    state
        .supervisor
        .spawn_periodic("requests counted", REQUESTS_COUNTED, move || {
            let counting = counting.clone();
            async move { counting.quotas.flush(&counting.db, counting.now()).await }
        });
    let keys = state.clone();
    state
        .supervisor
        .spawn_periodic("uses of API keys", KEY_USAGE, move || {
            let keys = keys.clone();
            async move { keys.key_usage.flush(&keys.db).await }
        });
}

/// Runs until a signal asks for the end or a task without which nothing works has failed; then ends everything in order.
///
/// # Errors
/// In words, when such a task has failed.
pub async fn run_until_stopped(state: &AppState) -> anyhow::Result<()> {
    let stop = state.supervisor.stop_token();
    tokio::select! {
        name = stop_signal() => tracing::info!(signal = name?, "stopping"),
        () = stop.cancelled() => {}
    }
    let grace = state.config.http.shutdown_grace() + STOP_GRACE;
    tokio::select! {
        in_time = state.supervisor.shut_down(grace) => {
            if !in_time {
                tracing::warn!(grace_seconds = grace.as_secs(), "some work did not end in time and is given up");
            }
        }
        name = stop_signal() => tracing::warn!(signal = name?, "asked twice: running work is given up"),
    }
    if let Err(error) = state.key_usage.flush(&state.db).await {
        tracing::warn!(error = %error, "the last uses of API keys were not counted");
    }
    finish_audit(state).await;
    state.db.close().await;
    let _ = tokio::task::spawn_blocking(crate::traces::shut_down).await;
    match state.supervisor.failure() {
        Some(failure) => anyhow::bail!("stopped because of a failure: {failure}"),
        None => Ok(()),
    }
}

/// What was done last is sealed and signed too; what cannot be now is at the next start.
async fn finish_audit(state: &AppState) {
    let sealing = audit::seal(state.clone(), audit::Signing::Always);
    match tokio::time::timeout(AUDIT_GRACE, sealing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(
            error = format!("{error:#}"),
            "the last audit entries are not sealed yet"
        ),
        Err(_) => tracing::warn!("the last audit entries are not sealed yet"),
    }
}

/// Waits for SIGINT (Ctrl-C) or SIGTERM and tells which came.
///
/// # Errors
/// When the system gives no signals.
pub async fn stop_signal() -> anyhow::Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    Ok(tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    })
}
