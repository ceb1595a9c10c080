//! The one place that starts tasks: they have names, their failures are seen, and they stop in order.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause before a failed task is started again: doubles from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Starts tasks, watches them and stops them.
#[derive(Debug, Clone)]
pub struct Supervisor {
    stop: CancellationToken,
    tracker: TaskTracker,
    failure: Arc<OnceLock<String>>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl Supervisor {
    /// A supervisor without tasks.
    pub fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            tracker: TaskTracker::new(),
            failure: Arc::new(OnceLock::new()),
        }
    }

    /// Cancelled when everything has to stop. Long-lived answers, such as event streams, end on it too.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task without which the program cannot go on: when it fails or panics, everything stops.
    pub fn spawn_critical<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let this = self.clone();
        self.spawn(async move {
            if let Err(reason) = this.watch(task).await {
                tracing::error!(
                    task = name,
                    error = reason,
                    "a task without which the server cannot go on has failed"
                );
                let _ = this.failure.set(format!("{name}: {reason}"));
                this.stop.cancel();
            }
        });
    }

    /// Starts a task that is started again, after a growing pause, whenever it ends before everything stops.
    pub fn spawn_restarting<M, F>(&self, name: &'static str, mut make: M)
    where
        M: FnMut() -> F + Send + 'static,
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let this = self.clone();
        self.spawn(async move {
            let mut pause = FIRST_PAUSE;
            while !this.stop.is_cancelled() {
                let started = tokio::time::Instant::now();
                let result = this.watch(make()).await;
                if this.stop.is_cancelled() {
                    break;
                }
                if started.elapsed() > LONGEST_PAUSE {
                    pause = FIRST_PAUSE;
                }
                let reason = result.err().unwrap_or_else(|| "it ended".to_owned());
                tracing::warn!(
                    task = name,
                    error = reason,
                    retry_seconds = pause.as_secs(),
                    "a task ended and is started again"
                );
                tokio::select! {
                    () = this.stop.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
    }

    /// Runs `work` every `period` until everything stops. A failure or panic is logged and the next turn comes as usual.
    pub fn spawn_periodic<M, F>(&self, name: &'static str, period: Duration, mut work: M)
    where
        M: FnMut() -> F + Send + 'static,
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let this = self.clone();
        self.spawn(async move {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = this.stop.cancelled() => break,
                    _ = ticks.tick() => {}
                }
                if let Err(reason) = this.watch(work()).await {
                    tracing::warn!(
                        task = name,
                        error = reason,
                        "a periodic task has failed; it comes again at its next turn"
                    );
                }
            }
        });
    }

    /// Starts a task that serves one caller, such as a connection; it ends by itself or on the stop token.
    pub fn spawn_detached<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn(task);
    }

    /// Why a critical task failed, when one did.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Tells every task to stop and waits for them, at most `grace`. Returns whether all of them ended in time.
    pub async fn shut_down(&self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait()).await.is_ok()
    }

    /// Runs a task in one of its own, so that a panic is an error here.
    async fn watch<F>(&self, task: F) -> Result<(), String>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        match self.spawn(task).await {
            Ok(result) => result.map_err(|error| format!("{error:#}")),
            Err(error) if error.is_panic() => Err("it panicked".to_owned()),
            Err(_) => Ok(()),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the supervisor is the one place that starts tasks"
    )]
    fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.tracker.track_future(task))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failed_critical_task_stops_everything() {
        let supervisor = Supervisor::new();
        supervisor.spawn_critical("listener", async { anyhow::bail!("the port is gone") });
        supervisor.stop_token().cancelled().await;
        assert_eq!(supervisor.failure(), Some("listener: the port is gone"));
        assert!(supervisor.shut_down(Duration::from_secs(1)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panicking_task_is_started_again_until_everything_stops() {
        let supervisor = Supervisor::new();
        let starts = Arc::new(AtomicU32::new(0));
        let counter = starts.clone();
        supervisor.spawn_restarting("flaky", move || {
            let nth = counter.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(nth != 0, "the first start panics");
                anyhow::bail!("start {nth}")
            }
        });
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert!(supervisor.shut_down(Duration::from_secs(5)).await);
        assert_eq!(starts.load(Ordering::SeqCst), 4, "at 0, 1, 3 and 7 seconds");
        assert_eq!(supervisor.failure(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_periodic_task_outlives_its_failures() {
        let supervisor = Supervisor::new();
        let turns = Arc::new(AtomicU32::new(0));
        let counter = turns.clone();
        supervisor.spawn_periodic("tick", Duration::from_secs(10), move || {
            counter.fetch_add(1, Ordering::SeqCst);
            async { anyhow::bail!("always") }
        });
        tokio::time::sleep(Duration::from_secs(35)).await;
        assert_eq!(turns.load(Ordering::SeqCst), 4);
    }
}
