//! File changes in the watched folders, through inotify.

mod tree;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sg_types::Clock;
use sg_types::agent::Gap;

use crate::health::Health;
use crate::platform::{FileWatch, StopReceiver, Waited, WatchEvent};
use crate::spool::WriterHandle;
use tree::WatchTree;

/// The area that this source serves.
const AREA: &str = "file";
/// Time between attempts to watch a folder that is missing.
const RETRY_EVERY: Duration = Duration::from_secs(5);
/// Longer than any agent runs.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Why a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was written and closed, or appeared with a new folder.
    Written,
    /// It was moved or linked to its place.
    Renamed,
    /// It was there when the agent began to watch, or when rules changed.
    Existing,
    /// It was deleted.
    Deleted,
    /// It was moved elsewhere.
    MovedAway,
}

/// One file to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// When it was noticed.
    pub at: DateTime<Utc>,
    /// Where the file is.
    pub path: PathBuf,
    /// Why it is looked at.
    pub cause: Cause,
}

/// Watches folders and hands changes to the scan.
pub struct FileSource {
    /// The folders, with everything below them.
    pub folders: Vec<PathBuf>,
    /// What is never looked at: the agent's own state.
    pub excluded: Vec<PathBuf>,
    /// Where changes go.
    pub changes: SyncSender<FileChange>,
    /// Where gaps are recorded.
    pub writer: WriterHandle,
    /// Where the active source is told.
    pub health: Arc<Health>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Bytes of a file up to which its content is read, for the description of what is not seen.
    pub max_file_bytes: u64,
}

/// A folder that is to be watched.
struct Root {
    path: PathBuf,
    missing_since: Option<DateTime<Utc>>,
    watched: bool,
}

impl FileSource {
    /// Runs until the agent stops.
    ///
    /// # Errors
    /// When inotify breaks.
    pub fn run(&self, stop: &StopReceiver) -> io::Result<()> {
        if self.folders.is_empty() {
            self.health.set_source(
                AREA,
                "none",
                Some("no folder is watched: start the agent with --watch DIR".to_owned()),
            );
            stop.wait(FOREVER);
            return Ok(());
        }
        let watch = match FileWatch::open() {
            Ok(watch) => watch,
            Err(error) => {
                tracing::error!(error = %error, "inotify is not available; no file change will be seen");
                self.health.set_source(
                    AREA,
                    "none",
                    Some(format!(
                        "no file change is seen: inotify is not available ({error})"
                    )),
                );
                stop.wait(FOREVER);
                return Ok(());
            }
        };
        let mut tree = WatchTree::new(&watch, self.excluded.clone());
        let mut roots: Vec<Root> = self
            .folders
            .iter()
            .map(|path| Root {
                path: path.clone(),
                missing_since: None,
                watched: false,
            })
            .collect();
        loop {
            self.watch_missing(&mut roots, &mut tree);
            match stop.wait_readable(&watch, RETRY_EVERY)? {
                Waited::Stopped => return Ok(()),
                Waited::TimedOut => continue,
                Waited::Readable => {}
            }
            for event in watch.read()? {
                if event.changes.overflow {
                    self.recover_overflow(&mut roots, &mut tree);
                    break;
                }
                self.follow(&mut roots, &mut tree, &event);
            }
        }
    }

    /// Begins to watch what is not watched yet, and says what cannot be.
    fn watch_missing(&self, roots: &mut [Root], tree: &mut WatchTree<'_>) {
        let mut changed = false;
        for root in roots.iter_mut().filter(|root| !root.watched) {
            let result = root.path.canonicalize().and_then(|path| {
                tree.add(&path, &mut |path| self.send(path, Cause::Existing))?;
                Ok(path)
            });
            changed = true;
            match result {
                Ok(path) => {
                    root.watched = true;
                    root.path = path;
                    tracing::info!("watching a folder");
                    tracing::debug!(folder = %root.path.display(), "watching");
                    self.end_absence(root);
                }
                Err(error) if root.missing_since.is_none() => {
                    root.missing_since = Some(self.clock.now());
                    tracing::warn!(error = %error, "a folder cannot be watched; trying again every {} s", RETRY_EVERY.as_secs());
                }
                Err(_) => {}
            }
        }
        if changed {
            self.tell_source(roots, tree);
        }
    }

    fn end_absence(&self, root: &mut Root) {
        if let Some(from) = root.missing_since.take() {
            self.writer.report_gap(Gap {
                reason: "source_unavailable".to_owned(),
                lost_records: None,
                from,
                to: self.clock.now(),
                detail: Some(format!(
                    "the watched folder {} was missing; it has been looked through now",
                    root.path.display()
                )),
            });
        }
    }

    fn tell_source(&self, roots: &[Root], tree: &WatchTree<'_>) {
        let mut gaps: Vec<String> = roots
            .iter()
            .filter(|root| !root.watched)
            .map(|root| {
                format!(
                    "{} is missing or cannot be read, so nothing in it is seen",
                    root.path.display()
                )
            })
            .collect();
        if tree.refused() > 0 {
            gaps.push(format!(
                "{} folders are not watched because the kernel's limit fs.inotify.max_user_watches is reached or they cannot be read",
                tree.refused()
            ));
        }
        let mebibytes = self.max_file_bytes / (1024 * 1024);
        gaps.push(format!(
            "only the watched folders are seen; files larger than {mebibytes} MiB are judged by name only"
        ));
        self.health.set_source(AREA, "inotify", Some(gaps.join("; ")));
    }

    fn follow(&self, roots: &mut [Root], tree: &mut WatchTree<'_>, event: &WatchEvent) {
        let changes = event.changes;
        if changes.watch_ended {
            if let Some(path) = tree.forget(event.watch)
                && let Some(root) = roots.iter_mut().find(|root| root.watched && root.path == path)
            {
                root.watched = false;
                root.missing_since = Some(self.clock.now());
                tracing::warn!(
                    "a watched folder is gone; trying again every {} s",
                    RETRY_EVERY.as_secs()
                );
                self.tell_source(roots, tree);
            }
            return;
        }
        let Some(path) = tree.path_of(event) else { return };
        if tree.is_excluded(&path) {
            return;
        }
        if changes.is_dir {
            self.follow_folder(roots, tree, event, &path);
        } else if changes.written {
            self.send(&path, Cause::Written);
        } else if changes.moved_here || (changes.created && is_hard_link(&path)) {
            self.send(&path, Cause::Renamed);
        } else if changes.moved_away {
            self.send(&path, Cause::MovedAway);
        } else if changes.deleted {
            self.send(&path, Cause::Deleted);
        }
    }

    fn follow_folder(&self, roots: &[Root], tree: &mut WatchTree<'_>, event: &WatchEvent, path: &Path) {
        let refused = tree.refused();
        if event.changes.moved_away {
            tree.remove_below(path);
        } else if event.changes.created || event.changes.moved_here {
            let cause = if event.changes.created {
                Cause::Written
            } else {
                Cause::Renamed
            };
            // A folder that is gone again already had nothing to tell.
            let _ = tree.add(path, &mut |path| self.send(path, cause));
        }
        if tree.refused() != refused {
            self.tell_source(roots, tree);
        }
    }

    /// The kernel dropped changes: everything is looked through again.
    fn recover_overflow(&self, roots: &mut [Root], tree: &mut WatchTree<'_>) {
        let now = self.clock.now();
        tracing::warn!(
            "file changes came faster than they could be read; looking through the watched folders"
        );
        self.writer.report_gap(Gap {
            reason: "source_overflow".to_owned(),
            lost_records: None,
            from: now,
            to: now,
            detail: Some("file changes came faster than inotify could be read; the watched folders were looked through".to_owned()),
        });
        tree.clear();
        for root in roots.iter_mut() {
            root.watched = false;
        }
        self.watch_missing(roots, tree);
    }

    /// Waits for room: meanwhile the kernel's own queue fills, and says so when it overflows.
    fn send(&self, path: &Path, cause: Cause) {
        let _ = self.changes.send(FileChange {
            at: self.clock.now(),
            path: path.to_owned(),
            cause,
        });
    }
}

/// A name that was linked to an existing file is never closed after writing.
fn is_hard_link(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.nlink() > 1)
}
