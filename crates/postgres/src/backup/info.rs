//! What a repository holds.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Whole, or what has changed since the backup before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupKind {
    /// Everything.
    Full,
    /// What has changed since the last one of any kind.
    Incremental,
}

impl BackupKind {
    /// As pgBackRest has it: `full`, `incr`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incr",
        }
    }
}

impl fmt::Display for BackupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupInfo {
    /// Its name.
    pub label: String,
    /// `full`, `diff` or `incr`.
    pub kind: String,
    /// 1 or 2.
    pub repository: u8,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was complete: the first moment that can be restored.
    pub finished_at: DateTime<Utc>,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes that this backup added to the repository.
    pub stored_bytes: u64,
    /// First segment of the log that it needs.
    pub archive_start: String,
    /// Last segment of the log that it needs.
    pub archive_stop: String,
    /// Whether pages in it did not fit their checksums.
    pub has_page_errors: bool,
}

#[derive(Deserialize)]
struct StanzaInfo {
    #[serde(default)]
    backup: Vec<Row>,
    #[serde(default)]
    repo: Vec<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    key: u8,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    code: u32,
    message: String,
}

#[derive(Deserialize)]
struct Row {
    label: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    error: Option<bool>,
    archive: Archive,
    database: Database,
    info: Sizes,
    timestamp: Times,
}

#[derive(Deserialize)]
struct Archive {
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    stop: Option<String>,
}

#[derive(Deserialize)]
struct Database {
    #[serde(rename = "repo-key")]
    repo_key: u8,
}

#[derive(Deserialize)]
struct Sizes {
    size: u64,
    repository: Stored,
}

#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    delta: u64,
}

#[derive(Deserialize)]
struct Times {
    start: i64,
    stop: i64,
}

/// Status codes that are no fault: all is well, no backup yet, the stanza is not there yet, another job holds the lock.
const HARMLESS: [u32; 4] = [0, 1, 2, 4];

/// Reads the answer of `info --output=json`, oldest first; else what is wrong with a repository.
pub(super) fn parse(text: &str) -> Result<Vec<BackupInfo>, String> {
    // Messages of several lines come as they are, which JSON does not allow.
    let text = text.replace(char::is_control, " ");
    let stanzas: Vec<StanzaInfo> = serde_json::from_str(text.trim())
        .map_err(|error| format!("its answer cannot be read ({error}): {text}"))?;
    let mut backups = Vec::new();
    for stanza in stanzas {
        if let Some(bad) = stanza
            .repo
            .iter()
            .find(|repository| !HARMLESS.contains(&repository.status.code))
        {
            return Err(format!("repository {}: {}", bad.key, bad.status.message));
        }
        backups.extend(stanza.backup.into_iter().filter_map(|row| {
            Some(BackupInfo {
                started_at: DateTime::from_timestamp(row.timestamp.start, 0)?,
                finished_at: DateTime::from_timestamp(row.timestamp.stop, 0)?,
                label: row.label,
                kind: row.kind,
                repository: row.database.repo_key,
                database_bytes: row.info.size,
                stored_bytes: row.info.repository.delta,
                archive_start: row.archive.start.unwrap_or_default(),
                archive_stop: row.archive.stop.unwrap_or_default(),
                has_page_errors: row.error.unwrap_or(false),
            })
        }));
    }
    backups.sort_by(|a, b| (a.finished_at, &a.label).cmp(&(b.finished_at, &b.label)));
    Ok(backups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_cannot_be_read_is_told_although_its_answer_is_no_json() {
        let text = "[{\"backup\":[],\"db\":[],\"name\":\"secureguard\",\"repo\":[{\"cipher\":\"none\",\"key\":1,\"status\":{\"code\":99,\"message\":\"[PathOpenError] \
                    unable to list\nPermission denied\"}}]}]";
        let error = parse(text).unwrap_err();
        assert!(
            error.starts_with("repository 1: [PathOpenError]") && error.ends_with("Permission denied"),
            "{error}"
        );
        assert_eq!(parse("[]").unwrap(), []);
        assert!(parse("no JSON").is_err());
    }
}
