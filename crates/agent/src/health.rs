//! How the agent is doing, as the server and `status` are told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sg_types::agent::TelemetrySource;

use crate::spool::SpoolStats;

/// The areas that collectors watch.
const AREAS: [&str; 2] = ["process", "file"];

/// The name of the file that `run` keeps for `status`.
pub const STATUS_FILE: &str = "status.json";

/// The running agent's view of itself, shared by all its parts.
#[derive(Debug, Default)]
pub struct Health {
    inner: Mutex<Snapshot>,
}

/// The view at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Process id of the running agent.
    pub pid: u32,
    /// When it was started.
    pub started_at: Option<DateTime<Utc>>,
    /// The active sources by area.
    pub sources: BTreeMap<String, TelemetrySource>,
    /// When the server last acknowledged a check-in.
    pub last_acknowledged_at: Option<DateTime<Utc>>,
    /// Why check-ins do not succeed, if they do not.
    pub uplink_error: Option<String>,
    /// Whether the server refuses the token.
    pub token_refused: bool,
    /// Version of the rule set in force, 0 when none.
    pub rules_version: u64,
    /// Rules in force.
    pub rules_in_force: u64,
    /// Rules of the set that cannot be used.
    pub rules_refused: u64,
    /// Why an offered rule set was refused as a whole, if it was.
    pub rules_error: Option<String>,
    /// Records that wait for the server.
    pub backlog_records: u64,
    /// Bytes of the spool.
    pub spool_bytes: u64,
    /// Records that the spool lost since the start: beyond its cap or by damage.
    pub spool_lost_records: u64,
    /// Why the spool cannot be written, if so.
    pub spool_error: Option<String>,
    /// Records dropped before the spool since the start.
    pub dropped_records: u64,
    /// Program starts that were noticed but ended before they could be read, since the start.
    pub unread_processes: u64,
}

impl Health {
    /// A view of a process that starts now.
    pub fn new(started_at: DateTime<Utc>) -> Self {
        let inner = Snapshot {
            pid: std::process::id(),
            started_at: Some(started_at),
            ..Snapshot::default()
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// The view at this moment.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Says which source serves an area, and what it does not see.
    pub fn set_source(&self, area: &str, source: &str, gap: Option<String>) {
        let source = TelemetrySource {
            area: area.to_owned(),
            source: source.to_owned(),
            gap,
        };
        self.lock().sources.insert(area.to_owned(), source);
    }

    /// Whether each area has its source, so that what happens from now on is seen, as far as that source sees it.
    pub fn is_watching(&self) -> bool {
        let inner = self.lock();
        AREAS.iter().all(|area| inner.sources.contains_key(*area))
    }

    /// Notes the spool's numbers.
    pub fn set_spool_stats(&self, stats: SpoolStats) {
        let mut inner = self.lock();
        inner.backlog_records = stats.backlog_records;
        inner.spool_bytes = stats.bytes;
        inner.spool_lost_records = stats.lost_records;
    }

    /// Notes whether the spool can be written; true when the error is a new one.
    pub fn set_spool_error(&self, error: Option<String>) -> bool {
        let mut inner = self.lock();
        let is_new = error.is_some() && inner.spool_error != error;
        inner.spool_error = error;
        is_new
    }

    /// Counts records that were dropped before the spool.
    pub fn add_drops(&self, count: u64) {
        self.lock().dropped_records += count;
    }

    /// Counts a program start that could not be read in time.
    pub fn add_unread_process(&self) {
        self.lock().unread_processes += 1;
    }

    /// The active sources with what they missed so far, as the server is told.
    pub fn tell_sources(&self) -> Vec<TelemetrySource> {
        let inner = self.lock();
        let mut sources: Vec<_> = inner.sources.values().cloned().collect();
        for source in sources
            .iter_mut()
            .filter(|source| source.area == "process" && inner.unread_processes > 0)
        {
            let gap = source.gap.get_or_insert_default();
            *gap = format!(
                "{gap} ({} such programs since the agent's start)",
                inner.unread_processes
            );
        }
        sources
    }

    /// Changes the view.
    pub fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
