//! Backups of the installation.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::BackupRunId;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupRunKind {
    /// A backup of everything.
    Full,
    /// A backup of what has changed.
    Incr,
    /// Every file of the repositories was read.
    Verify,
    /// A backup was restored beside the running system.
    Drill,
}

impl BackupRunKind {
    /// As the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incr => "incr",
            Self::Verify => "verify",
            Self::Drill => "drill",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupRunState {
    /// It goes on.
    Running,
    /// Well.
    Completed,
    /// `problem` says why, and what to do.
    Failed,
    /// The process that did it ended. The next backup uses what is there.
    Interrupted,
}

impl BackupRunState {
    /// As the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A backup, verification or drill.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BackupRunView {
    /// Its id.
    pub run_id: BackupRunId,
    /// What was done.
    pub kind: BackupRunKind,
    /// How it ended.
    pub state: BackupRunState,
    /// The machine that did it.
    pub node: String,
    /// Begin.
    pub started_at: DateTime<Utc>,
    /// End.
    pub finished_at: Option<DateTime<Utc>>,
    /// pgBackRest's name of the backup.
    pub label: Option<String>,
    /// The repository, 1 or 2.
    pub repository: Option<i16>,
    /// Bytes of the database.
    pub database_bytes: Option<i64>,
    /// Bytes that were added to the repository.
    pub stored_bytes: Option<i64>,
    /// Of a drill: the moment of the last transaction that came back.
    pub recovered_to: Option<DateTime<Utc>>,
    /// Of a drill to the latest moment: seconds before its begin that would have been lost.
    pub rpo_seconds: Option<f64>,
    /// Of a drill: seconds until the restored database accepted writes.
    pub rto_seconds: Option<f64>,
    /// What was wrong, and what to do.
    pub problem: Option<String>,
}

/// Something that is wrong with backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupProblem {
    /// What it is about, as in the alert: `archiving`, `backup`, `drill`, `repository`, `watch`.
    pub subject: String,
    /// What is wrong, and what to do.
    pub words: String,
}

/// How backups and the archive stand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BackupStateView {
    /// Whether a node has ever watched backups here: false where none is configured.
    pub configured: bool,
    /// When it was last looked at.
    pub looked_at: Option<DateTime<Utc>>,
    /// The machine that watches.
    pub node: Option<String>,
    /// When a segment of the write-ahead log last reached the archive.
    pub archived_at: Option<DateTime<Utc>>,
    /// Seconds that the archive was behind when it was last looked at.
    pub archive_age_seconds: Option<f64>,
    /// Attempts to archive that have failed since PostgreSQL counts.
    pub archive_failures: Option<i64>,
    /// What is wrong; empty when all is well.
    pub problems: Vec<BackupProblem>,
    /// The last backup that was completed.
    pub last_backup: Option<BackupRunView>,
    /// The last drill, whatever came of it.
    pub last_drill: Option<BackupRunView>,
}
