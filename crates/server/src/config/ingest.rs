//! `[ingest]`.

use std::time::Duration;

use serde::Deserialize;

/// What agents may send.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestConfig {
    /// Seconds between check-ins of an agent that has nothing to send, 5–86,400.
    pub check_in_seconds: u32,
    /// Bytes of a compressed check-in at most.
    pub max_body_bytes: usize,
    /// Bytes of a check-in at most once decompressed.
    pub max_decompressed_bytes: usize,
    /// Check-ins in work at the same time.
    pub concurrency: usize,
    /// Hours after its last finding in which an incident takes in another one about the same subject.
    pub incident_window_hours: u32,
    /// Milliseconds that check-ins wait at most for the transaction that is running, to share the next one.
    pub group_commit_milliseconds: u64,
}

impl IngestConfig {
    /// How long check-ins wait at most for the transaction that is running.
    pub fn group_commit(&self) -> Duration {
        Duration::from_millis(self.group_commit_milliseconds)
    }

    /// How long after its last finding an incident takes in another one about the same subject.
    pub fn incident_window(&self) -> chrono::Duration {
        chrono::Duration::hours(i64::from(self.incident_window_hours))
    }
}
