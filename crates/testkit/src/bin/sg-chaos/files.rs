//! Files for the real agent to notice: what was written when, kept on this side.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use sg_db::StoredGap;
use sg_types::{Clock, SystemClock};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// From one file to the next.
const EVERY: Duration = Duration::from_millis(80);
/// How exactly a gap's ends are known.
const SLACK: TimeDelta = TimeDelta::seconds(2);

/// A file that was written: its path, and when.
pub(crate) type Written = (String, DateTime<Utc>);

/// Writes files until it is told to stop.
#[derive(Debug)]
pub(crate) struct Files {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Vec<Written>>>,
}

impl Files {
    #[expect(
        clippy::disallowed_methods,
        reason = "this program has no supervisor; the task is waited for"
    )]
    pub(crate) fn start(folder: PathBuf) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self {
            stop,
            task: tokio::spawn(write(folder, stopped)),
        }
    }

    pub(crate) async fn stop(self) -> Result<Vec<Written>> {
        let _ = self.stop.send(());
        self.task.await.context("writing files broke off")?
    }
}

async fn write(folder: PathBuf, mut stopped: oneshot::Receiver<()>) -> Result<Vec<Written>> {
    let mut written = Vec::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return Ok(written),
            () = tokio::time::sleep(EVERY) => {}
        }
        let path = folder.join(format!("file-{:06}", written.len()));
        tokio::fs::write(&path, "x")
            .await
            .with_context(|| format!("cannot write {}", path.display()))?;
        written.push((path.to_string_lossy().into_owned(), SystemClock.now()));
    }
}

/// Whether a gap of the agent says that something may be missing at a time.
pub(crate) fn is_explained(at: DateTime<Utc>, gaps: &[StoredGap]) -> bool {
    let holds = |from: DateTime<Utc>, to: Option<DateTime<Utc>>| {
        from - SLACK <= at && to.is_none_or(|to| at <= to + SLACK)
    };
    gaps.iter().any(|gap| {
        // These say that the endpoint was not heard of, or what time it had: nothing is lost by them.
        let loses = !matches!(gap.reason.as_str(), "offline" | "clock_skew" | "weaker_source");
        let told = gap.detail.as_deref().and_then(read_told_times);
        loses && (holds(gap.from_at, gap.to_at) || told.is_some_and(|(from, to)| holds(from, Some(to))))
    })
}

/// The times by the endpoint's clock, which a gap says in words where the server, by a clock that was moved, thought them impossible.
fn read_told_times(detail: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (_, told) = detail.split_once("dated ")?;
    let (times, _) = told.split_once(" by the endpoint's clock")?;
    let (from, to) = times.split_once(" to ")?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gaps_in_which_something_is_lost_explain() {
        let at = DateTime::UNIX_EPOCH;
        let gap = |reason: &str, from: i64, to: Option<i64>| StoredGap {
            reason: reason.to_owned(),
            from_at: at + TimeDelta::seconds(from),
            to_at: to.map(|to| at + TimeDelta::seconds(to)),
            detail: None,
        };
        assert!(is_explained(at, &[gap("agent_killed", -5, Some(1))]));
        assert!(is_explained(at, &[gap("collector_off", -5, None)]));
        assert!(!is_explained(at, &[gap("offline", -5, Some(5))]));
        assert!(!is_explained(at, &[gap("agent_killed", -50, Some(-10))]));
        let mut moved = gap("agent_killed", -600, Some(-600));
        moved.detail = Some(
            "it was killed; dated 1969-12-31T23:59:55.5+00:00 to 1970-01-01T00:00:01+00:00 by the endpoint's clock"
                .to_owned(),
        );
        assert!(is_explained(at, std::slice::from_ref(&moved)));
        assert!(!is_explained(at + TimeDelta::seconds(9), &[moved]));
    }
}
