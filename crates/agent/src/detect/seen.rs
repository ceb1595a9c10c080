//! Which files were looked at already, so that a start or new rules do not report the same thing again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::identity::StateDir;

/// The name of the file that remembers.
pub const SEEN_FILE: &str = "seen.json";
/// Files remembered at most; the ones looked at longest ago are forgotten first.
const MAX_SEEN: usize = 50_000;

/// What tells that a file's content may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Bytes.
    pub(super) fn size(self) -> u64 {
        self.size
    }
}

/// What is remembered of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) stamp: Stamp,
    pub(super) sha256: Option<String>,
    pub(super) user: Option<String>,
    pub(super) rules_version: u64,
    pub(super) seen_at: DateTime<Utc>,
    /// Rules that were reported for this content.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) reported: BTreeSet<String>,
}

/// The memory.
#[derive(Debug, Default)]
pub(super) struct SeenFiles {
    files: BTreeMap<PathBuf, Seen>,
    dirty: bool,
}

impl SeenFiles {
    /// Loads what the last run left. A damaged file is forgotten: at worst something is reported twice.
    pub(super) fn load(dir: &StateDir) -> Self {
        let files = dir.read_json(SEEN_FILE).ok().flatten().unwrap_or_default();
        Self { files, dirty: false }
    }

    /// Stores the memory when it changed.
    ///
    /// # Errors
    /// When the disk refuses; it is tried again with the next change.
    pub(super) fn store(&mut self, dir: &StateDir) -> Result<()> {
        if !self.dirty {
            return Ok(());
        }
        // Names that are no text cannot be stored; those files are looked at again at the next start.
        let storable: BTreeMap<&str, &Seen> = self
            .files
            .iter()
            .filter_map(|(path, seen)| Some((path.to_str()?, seen)))
            .collect();
        dir.replace(SEEN_FILE, &serde_json::to_vec(&storable)?)?;
        self.dirty = false;
        Ok(())
    }

    pub(super) fn find(&self, path: &Path) -> Option<&Seen> {
        self.files.get(path)
    }

    pub(super) fn remember(&mut self, path: &Path, seen: Seen) {
        self.files.insert(path.to_owned(), seen);
        self.dirty = true;
        if self.files.len() > MAX_SEEN {
            self.forget_oldest();
        }
    }

    pub(super) fn forget(&mut self, path: &Path) -> Option<Seen> {
        let seen = self.files.remove(path);
        self.dirty |= seen.is_some();
        seen
    }

    /// Every file that is remembered.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.files.keys().cloned().collect()
    }

    fn forget_oldest(&mut self) {
        let mut times: Vec<_> = self.files.values().map(|seen| seen.seen_at).collect();
        let middle = times.len() / 10;
        let (_, limit, _) = times.select_nth_unstable(middle);
        let limit = *limit;
        self.files.retain(|_, seen| seen.seen_at > limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64) -> Seen {
        Seen {
            stamp: Stamp {
                device: 1,
                inode: 2,
                size: 3,
                modified: (4, 5),
                changed: (6, 7),
            },
            sha256: Some("ab".into()),
            user: None,
            rules_version: 9,
            seen_at: DateTime::from_timestamp(at, 0).unwrap(),
            reported: BTreeSet::from(["rule".to_owned()]),
        }
    }

    #[test]
    fn it_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::create(folder.path()).unwrap();
        let mut files = SeenFiles::load(&dir);
        files.remember(Path::new("/a"), seen(1));
        files.remember(Path::new("/b"), seen(2));
        assert!(files.forget(Path::new("/b")).is_some());
        files.store(&dir).unwrap();
        let again = SeenFiles::load(&dir);
        assert_eq!(again.find(Path::new("/a")), Some(&seen(1)));
        assert_eq!(again.paths(), [PathBuf::from("/a")]);
    }

    #[test]
    fn it_is_bounded_and_forgets_the_oldest() {
        let mut files = SeenFiles::default();
        for number in 0..=MAX_SEEN {
            files.remember(Path::new(&format!("/{number}")), seen(number as i64));
        }
        assert!(files.files.len() <= MAX_SEEN && files.files.len() > MAX_SEEN / 2);
        assert!(
            files.find(Path::new("/0")).is_none() && files.find(Path::new(&format!("/{MAX_SEEN}"))).is_some()
        );
    }
}
