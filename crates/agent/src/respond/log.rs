//! The machine's own record of what was commanded, whatever the server says later: lines of JSON, owner-only, only ever appended to.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde_json::json;
use sg_types::response::CommandOrder;

use crate::identity::StateDir;

/// The name of the log.
pub const COMMANDS_LOG: &str = "commands.log";
/// Bytes of the log at most; then it begins anew and the former one is kept beside it.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// Characters of a refused order that are kept.
const MAX_REFUSED_CHARS: usize = 4_000;

pub(super) struct CommandLog {
    path: PathBuf,
}

impl CommandLog {
    pub(super) fn new(dir: &StateDir) -> Self {
        Self {
            path: dir.file(COMMANDS_LOG),
        }
    }

    pub(super) fn write(&self, at: DateTime<Utc>, order: &CommandOrder, event: &str, detail: &str) {
        self.append(&json!({ "at": at, "event": event, "detail": detail, "order": order }));
    }

    pub(super) fn refuse(&self, at: DateTime<Utc>, text: &str, reason: &str) {
        let text: String = text.chars().take(MAX_REFUSED_CHARS).collect();
        self.append(&json!({ "at": at, "event": "refused", "detail": reason, "text": text }));
    }

    fn append(&self, line: &serde_json::Value) {
        if let Err(error) = self.try_append(line) {
            tracing::error!(error = %error, "the log of commands cannot be written");
        }
    }

    fn try_append(&self, line: &serde_json::Value) -> io::Result<()> {
        if self
            .path
            .metadata()
            .is_ok_and(|metadata| metadata.len() > MAX_BYTES)
        {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    }
}
