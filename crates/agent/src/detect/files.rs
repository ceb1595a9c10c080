//! Looks at files: reads them once, hashes, scans, and records events and findings.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sg_types::agent::{Event, FileSubject, Finding, RecordBody};
use sg_types::{Clock, Ids};

use super::seen::{Seen, SeenFiles, Stamp};
use super::{Engine, RulesInForce};
use crate::collect::files::{Cause, FileChange};
use crate::collect::{UserNames, cut_text};
use crate::identity::StateDir;
use crate::scan::{FileContent, Limits, read_file};
use crate::spool::{Draft, WriterHandle};

/// How often the memory of files goes to disk.
const STORE_EVERY: Duration = Duration::from_secs(30);
/// How long to wait for the disk before storing is put off.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);
/// One change may be told twice (by a folder's listing and by an event) within this time.
const ECHO: TimeDelta = TimeDelta::seconds(2);

/// Looks at files.
pub struct FileScanner {
    /// The rules.
    pub rules: Arc<RulesInForce>,
    /// Where records go.
    pub writer: WriterHandle,
    /// Where the memory of files lives.
    pub state: StateDir,
    /// Bytes up to which a file's content is read.
    pub max_file_bytes: u64,
    /// Names of users.
    pub users: Arc<UserNames>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids of findings.
    pub ids: Arc<dyn Ids>,
}

/// A file as it was read.
struct Content {
    stamp: Stamp,
    subject: FileSubject,
    /// None when it is larger than what is read.
    bytes: Option<Vec<u8>>,
}

impl FileScanner {
    /// Runs until the source has ended and everything is looked at.
    pub fn run(&self, changes: &Receiver<FileChange>) {
        let mut seen = SeenFiles::load(&self.state);
        let mut again: VecDeque<PathBuf> = VecDeque::new();
        let mut version = self.rules.engine().version;
        let mut stored_at = Instant::now();
        loop {
            let wait = if again.is_empty() {
                Duration::from_secs(1)
            } else {
                Duration::ZERO
            };
            match changes.recv_timeout(wait) {
                Ok(change) => self.look_at(&change, &mut seen),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(path) = again.pop_front() {
                        let change = FileChange {
                            at: self.clock.now(),
                            path,
                            cause: Cause::Existing,
                        };
                        self.look_at(&change, &mut seen);
                    }
                }
            }
            let now_in_force = self.rules.engine().version;
            if now_in_force != version {
                version = now_in_force;
                again = seen.paths().into();
            }
            if stored_at.elapsed() >= STORE_EVERY {
                self.store(&mut seen);
                stored_at = Instant::now();
            }
        }
        self.store(&mut seen);
    }

    /// The memory must not be ahead of the findings: it goes to disk after them.
    fn store(&self, seen: &mut SeenFiles) {
        if !self.writer.flush(FLUSH_PATIENCE) {
            return;
        }
        if let Err(error) = seen.store(&self.state) {
            tracing::warn!(error = %error, "cannot store which files were looked at");
        }
    }

    fn look_at(&self, change: &FileChange, seen: &mut SeenFiles) {
        match change.cause {
            Cause::Deleted => self.record_deletion(change, seen),
            Cause::MovedAway => {
                seen.forget(&change.path);
            }
            Cause::Written | Cause::Renamed | Cause::Existing => {
                let engine = self.rules.engine();
                if change.cause == Cause::Existing && self.is_known(&change.path, &engine, seen) {
                    return;
                }
                match self.read(&change.path) {
                    Ok(Some(content)) => self.judge(change, content, &engine, seen),
                    // Not a regular file.
                    Ok(None) => {}
                    Err(error) => {
                        if error.kind() == io::ErrorKind::NotFound {
                            seen.forget(&change.path);
                        }
                        tracing::debug!(path = %change.path.display(), error = %error, "cannot read a file");
                    }
                }
            }
        }
    }

    fn is_known(&self, path: &Path, engine: &Engine, seen: &SeenFiles) -> bool {
        let Some(known) = seen.find(path) else {
            return false;
        };
        let unchanged = path
            .symlink_metadata()
            .is_ok_and(|metadata| Stamp::of(&metadata) == known.stamp);
        unchanged && known.rules_version == engine.version
    }

    fn read(&self, path: &Path) -> io::Result<Option<Content>> {
        let Some(FileContent { metadata, bytes, .. }) = read_file(path, self.max_file_bytes)? else {
            return Ok(None);
        };
        let sha256 = bytes.as_ref().map(|bytes| hex::encode(sg_detect::sha256(bytes)));
        let subject = FileSubject {
            path: cut_text(path.to_string_lossy().into_owned()),
            sha256,
            size: bytes.as_ref().map_or(metadata.size(), |bytes| bytes.len() as u64),
            user: Some(self.users.name(metadata.uid())),
        };
        Ok(Some(Content {
            stamp: Stamp::of(&metadata),
            subject,
            bytes,
        }))
    }

    fn judge(&self, change: &FileChange, content: Content, engine: &Engine, seen: &mut SeenFiles) {
        let same = seen
            .find(&change.path)
            .filter(|known| known.sha256 == content.subject.sha256 && known.sha256.is_some());
        let is_echo = same.is_some_and(|known| {
            known.rules_version == engine.version
                && known.stamp == content.stamp
                && change.at.signed_duration_since(known.seen_at).abs() < ECHO
        });
        let remembered: BTreeSet<String> = same.map(|known| known.reported.clone()).unwrap_or_default();
        // A new event about the same content is reported anew; a second look without an event is not.
        let silenced = if change.cause == Cause::Existing || is_echo {
            remembered.clone()
        } else {
            BTreeSet::new()
        };
        let event = match change.cause {
            Cause::Renamed => Event::FileRenamed(content.subject.clone()),
            _ => Event::FileWritten(content.subject.clone()),
        };
        let findings = self.find(change.cause, &event, &content, engine);
        let reported = findings
            .iter()
            .map(|finding| finding.rule_id.clone())
            .chain(remembered)
            .collect();
        for finding in findings
            .into_iter()
            .filter(|finding| !silenced.contains(&finding.rule_id))
        {
            self.send(change.at, RecordBody::Finding(Box::new(finding)), true);
        }
        if change.cause != Cause::Existing && !is_echo {
            self.send(change.at, RecordBody::Event(Box::new(event)), false);
        }
        let memory = Seen {
            stamp: content.stamp,
            sha256: content.subject.sha256,
            user: content.subject.user,
            rules_version: engine.version,
            seen_at: self.clock.now(),
            reported,
        };
        seen.remember(&change.path, memory);
    }

    fn find(&self, cause: Cause, event: &Event, content: &Content, engine: &Engine) -> Vec<Finding> {
        let mut findings = engine.judge_file(&content.subject, self.clock.now(), self.ids.as_ref());
        if cause != Cause::Existing {
            // What was there already was not written now.
            findings.extend(engine.judge_file_event(event, self.ids.as_ref()));
        }
        if let Some(bytes) = &content.bytes {
            let limits = Limits {
                max_bytes: self.max_file_bytes,
                ..Limits::ON_WRITE
            };
            let now = self.clock.now();
            let (found, gaps) = engine.scan_content(&content.subject, bytes, &limits, now, self.ids.as_ref());
            findings.extend(found);
            if let Some(gap) = gaps.kept.first() {
                tracing::debug!(path = %gap.path, count = gaps.count, "not looked at in full: {}", gap.reason);
            }
        }
        findings
    }

    fn record_deletion(&self, change: &FileChange, seen: &mut SeenFiles) {
        let known = seen.forget(&change.path);
        let subject = FileSubject {
            path: cut_text(change.path.to_string_lossy().into_owned()),
            sha256: known.as_ref().and_then(|known| known.sha256.clone()),
            size: known.as_ref().map_or(0, |known| known.stamp.size()),
            user: known.and_then(|known| known.user),
        };
        let event = Event::FileDeleted(subject);
        for finding in self.rules.engine().judge_file_event(&event, self.ids.as_ref()) {
            self.send(change.at, RecordBody::Finding(Box::new(finding)), true);
        }
        self.send(change.at, RecordBody::Event(Box::new(event)), false);
    }

    fn send(&self, at: DateTime<Utc>, body: RecordBody, prompt: bool) {
        self.writer.send(Draft { at, body, prompt });
    }
}
