//! Program starts: the kernel's process connector, or looking at `/proc` where that is not allowed.

mod procfs;
mod tracker;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use sg_types::Clock;
use sg_types::agent::Gap;

use super::UserNames;
use crate::health::Health;
use crate::platform::{ConnectorRead, ProcConnector, ProcEvent, StopReceiver, Waited};
use crate::spool::WriterHandle;
use tracker::{Gone, Tracker};

pub(crate) use procfs::{list_processes, process_key, read_boot_id, read_process};
pub use tracker::{Executable, OpenFile, Started};

/// The area that this source serves.
const AREA: &str = "process";
/// Time between two looks at `/proc`.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// A new process may still execute another program for this long.
const YOUNG_FOR: Duration = Duration::from_secs(1);
/// Longest wait without a look whether anything else is due.
const IDLE_WAIT: Duration = Duration::from_secs(30);

const CONNECTOR_GAP: &str = "programs that were running before the agent are not looked at; a program that ends within about a millisecond may be gone before it can be read";

/// Watches program starts and hands them to the evaluation.
pub struct ProcessSource {
    /// Where started programs go.
    pub starts: SyncSender<Started>,
    /// Where gaps and drops are recorded.
    pub writer: WriterHandle,
    /// Where the active source is told.
    pub health: Arc<Health>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Names of users.
    pub users: Arc<UserNames>,
}

impl ProcessSource {
    /// Runs until the agent stops.
    ///
    /// # Errors
    /// When the kernel takes back the connector in mid-flight.
    pub fn run(&self, stop: &StopReceiver) -> io::Result<()> {
        match ProcConnector::open(stop) {
            Ok(connector) => {
                self.health
                    .set_source(AREA, "proc_connector", Some(CONNECTOR_GAP.to_owned()));
                tracing::info!(source = "proc_connector", "watching program starts");
                self.run_connector(&connector, stop)
            }
            Err(error) => {
                let gap = format!(
                    "programs that run for less than about 0.1 s are not seen: the process connector is not available ({error})"
                );
                tracing::warn!(source = "proc_polling", error = %error, "the process connector is not available; short-lived programs will be missed");
                self.health.set_source(AREA, "proc_polling", Some(gap));
                self.run_polling(stop);
                Ok(())
            }
        }
    }

    fn run_connector(&self, connector: &ProcConnector, stop: &StopReceiver) -> io::Result<()> {
        let mut tracker = Tracker::new(self.users.clone());
        let mut quiet_since = self.clock.now();
        loop {
            match connector.read()? {
                ConnectorRead::Event(event) => self.follow(&mut tracker, event),
                ConnectorRead::Other => {}
                ConnectorRead::Overflow => {
                    let to = self.clock.now();
                    self.writer.report_gap(Gap {
                        reason: "source_overflow".to_owned(),
                        lost_records: None,
                        from: quiet_since,
                        to,
                        detail: Some(
                            "programs were started faster than the process connector could be read"
                                .to_owned(),
                        ),
                    });
                    tracker.refresh();
                }
                ConnectorRead::Empty => {
                    quiet_since = self.clock.now();
                    if stop.wait_readable(connector, IDLE_WAIT)? == Waited::Stopped {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn follow(&self, tracker: &mut Tracker, event: ProcEvent) {
        match event {
            ProcEvent::Fork { parent, child } => tracker.on_fork(parent, child),
            ProcEvent::Exit(pid) => tracker.on_exit(pid),
            ProcEvent::Exec(pid) => self.look_at(tracker, pid),
        }
    }

    fn look_at(&self, tracker: &mut Tracker, pid: u32) {
        let at = self.clock.now();
        match tracker.on_exec(pid, at) {
            Ok(Some(started)) => {
                if let Err(TrySendError::Full(_)) = self.starts.try_send(started) {
                    self.writer.count_drops(1, at, at);
                }
            }
            Ok(None) => {}
            Err(Gone) => self.health.add_unread_process(),
        }
    }

    fn run_polling(&self, stop: &StopReceiver) {
        let mut tracker = Tracker::new(self.users.clone());
        let mut known: HashSet<u32> = procfs::list_processes().into_iter().collect();
        let mut young: HashMap<u32, Young> = HashMap::new();
        while !stop.wait(POLL_EVERY) {
            let living: HashSet<u32> = procfs::list_processes().into_iter().collect();
            for pid in known.difference(&living) {
                tracker.on_exit(*pid);
                young.remove(pid);
            }
            for pid in living.difference(&known) {
                young.insert(
                    *pid,
                    Young {
                        since: Instant::now(),
                        seen: None,
                    },
                );
            }
            known = living;
            self.look_at_young(&mut tracker, &mut young);
        }
    }

    /// A process that was just forked still looks like its parent; it is told when that changes.
    fn look_at_young(&self, tracker: &mut Tracker, young: &mut HashMap<u32, Young>) {
        for (pid, state) in young.iter_mut() {
            let Ok(facts) = procfs::read_process(*pid) else {
                continue;
            };
            let now = (facts.image.clone(), facts.command_line.clone());
            let parent = || {
                procfs::read_process(facts.parent)
                    .ok()
                    .map(|parent| (parent.image, parent.command_line))
            };
            let is_new = match &state.seen {
                Some(seen) => *seen != now,
                None => parent().is_none_or(|parent| parent != now),
            };
            if is_new {
                self.look_at(tracker, *pid);
            }
            state.seen = Some(now);
        }
        young.retain(|_, state| state.since.elapsed() < YOUNG_FOR);
    }
}

struct Young {
    since: Instant,
    seen: Option<(Option<String>, String)>,
}
