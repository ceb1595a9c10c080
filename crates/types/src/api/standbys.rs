//! Standbys of the installation's PostgreSQL.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a standby stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StandbyState {
    /// It is connected and receives each commit.
    Streaming,
    /// It is connected and fetches what it missed.
    CatchingUp,
    /// It is connected; the database does not let this server see how it does.
    Connected,
    /// Its slot waits for it.
    Disconnected,
    /// Its slot was given up, since it kept more of the log than it may.
    Lost,
}

/// A standby, or a replication slot without one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StandbyView {
    /// The name it was invited by; else that of its slot or connection.
    pub name: String,
    /// Its replication slot; none: nothing is kept for it while it is away.
    pub slot: Option<String>,
    /// How it stands.
    pub state: StandbyState,
    /// Whether commits wait for it.
    pub is_synchronous: bool,
    /// Where it connects from.
    pub address: Option<String>,
    /// Bytes of the write-ahead log that it has not stored: what would be missing if it took over now.
    pub behind_bytes: i64,
    /// Bytes of the write-ahead log that it does not show yet.
    pub replay_bytes: i64,
    /// Seconds from a commit until it shows it, as last measured; 0 when it is idle, null when it is not connected.
    pub replay_seconds: Option<f64>,
    /// Bytes of the write-ahead log that its slot keeps on the primary's disk.
    pub kept_bytes: Option<i64>,
    /// Bytes that a slot may keep before it is given up; null: there is no limit.
    pub kept_limit_bytes: Option<i64>,
    /// What is wrong with it, and what to do.
    pub problem: Option<String>,
}

/// How standbys are set up here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StandbySetup {
    /// The server's own PostgreSQL, which no other machine reaches: `standby.listen` is not set.
    Off,
    /// The server's own PostgreSQL, which standbys can follow once they are invited.
    Invited,
    /// PostgreSQL is not the server's own, and whoever runs it cares for standbys.
    Elsewhere,
}

/// The standbys, as the primary sees them at this moment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StandbyList {
    /// How standbys are set up here.
    pub setup: StandbySetup,
    /// What is wrong with all of them together, and what to do.
    pub problem: Option<String>,
    /// By name.
    pub items: Vec<StandbyView>,
}
