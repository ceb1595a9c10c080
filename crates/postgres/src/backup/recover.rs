//! The way back: files from a backup, then the log from the archive, up to a moment.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::info::BackupInfo;
use super::run::Watch;
use super::stanza::{Stanza, Work};
use crate::cluster::{Cluster, ClusterOptions};
use crate::error::{Context, Error};
use crate::layout::{self, Layout};
use crate::{Binaries, config, leftovers};

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The end of the archive.
    Latest,
    /// The last transaction that was committed at this moment or before.
    Time(DateTime<Utc>),
}

/// What to restore, and whereto.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The product's directory to be; empty or not there.
    pub target: PathBuf,
    /// How far.
    pub until: Until,
    /// The backup to begin with, by its label; else the newest that fits.
    pub label: Option<String>,
    /// Whether the log that is written from then on is kept for the archive: yes for a cluster that goes on living, no for a trial.
    pub keep_log: bool,
    /// How long replaying the log may take.
    pub patience: Duration,
}

/// A cluster that has come back and accepts writes.
#[derive(Debug)]
pub struct Recovered {
    /// It runs; dropping it stops it.
    pub cluster: Cluster,
    /// How long replaying the log took, until writes were accepted.
    pub replay: Duration,
}

impl Recovery {
    /// Which backup to begin with: the newest that was complete by then, and whose pages are sound.
    ///
    /// # Errors
    /// [`Error::NothingToRestore`].
    pub fn choose<'a>(&self, backups: &'a [BackupInfo]) -> Result<&'a BackupInfo, Error> {
        let nothing = |reason: String| Err(Error::NothingToRestore { reason });
        let is_asked = |backup: &&BackupInfo| self.label.as_ref().is_none_or(|label| *label == backup.label);
        let sound = || {
            backups
                .iter()
                .filter(|backup| !backup.has_page_errors)
                .filter(is_asked)
        };
        let chosen = match self.until {
            Until::Latest => sound().next_back(),
            Until::Time(time) => sound().rfind(|backup| backup.finished_at <= time),
        };
        match (chosen, sound().next(), backups.first()) {
            (Some(backup), ..) => Ok(backup),
            (None, Some(oldest), _) => nothing(format!(
                "no backup is that old: the first moment that can be restored is {}",
                oldest.finished_at.to_rfc3339()
            )),
            (None, None, Some(_)) if self.label.is_some() => {
                nothing("no sound backup is called so; `secureguard backup list` names them".to_owned())
            }
            (None, None, Some(_)) => nothing(
                "every backup in the repository holds pages that do not fit their checksums".to_owned(),
            ),
            (None, None, None) => nothing(
                "the repository holds no backup: is this the right repository, and was one ever made?"
                    .to_owned(),
            ),
        }
    }
}

impl Stanza {
    /// Copies the files of a backup to `<target>/postgres`, beside their place first, so that half of it never looks like a cluster. Returns how long
    /// it took.
    ///
    /// # Errors
    /// [`Error::Foreign`] when the target holds a cluster, [`Error::DiskFull`], [`Error::Backup`].
    pub fn restore_files(
        &self,
        recovery: &Recovery,
        backup: &BackupInfo,
        watch: &mut dyn Watch,
    ) -> Result<Duration, Error> {
        let began = Instant::now();
        let layout = Layout::open(&recovery.target)?;
        let (finished, unfinished) = (layout.cluster_dir(), layout.unfinished_dir());
        if finished.exists() {
            return Err(Error::Foreign {
                dir: recovery.target.clone(),
                reason: "it holds a database already, and a restore never writes over one".to_owned(),
            });
        }
        leftovers::end_all(&unfinished)?;
        remove(&unfinished)?;
        layout::require_space(&layout.dir, backup.database_bytes + backup.database_bytes / 10)?;
        layout::make_dir_for(&unfinished, &self.run_as)?;
        let work = Work::Restore {
            label: &backup.label,
            repository: backup.repository,
        };
        self.run("the restore", &work, Some(&unfinished), watch)?;
        config::replace(&unfinished, "recovery.signal", "", &self.run_as)?;
        // The moment was chosen for this restore; what an administrator had set lives on in local.conf.
        config::replace(&unfinished, "postgresql.auto.conf", "", &self.run_as)?;
        std::fs::rename(&unfinished, &finished).context("create", &finished)?;
        File::open(&layout.dir)
            .and_then(|dir| dir.sync_all())
            .context("flush", &layout.dir)?;
        Ok(began.elapsed())
    }

    /// Starts the restored cluster, which replays the log up to the moment and then accepts writes. The superuser's password has to be in
    /// `<target>/secrets/postgres-superuser`.
    ///
    /// # Errors
    /// [`Error::Start`], [`Error::NothingToRestore`] when the archive ends before the moment.
    pub fn recover(&self, bin: &Binaries, recovery: &Recovery) -> Result<Recovered, Error> {
        let mut options = ClusterOptions::new(&recovery.target);
        options.start_timeout = recovery.patience;
        options.archive = Some(self.fetching(&recovery.target.join("postgres"), false));
        let mut set = |name: &str, value: String| options.settings.push((name.to_owned(), value));
        // Nobody is let in before the log is replayed, so that "ready" means that writes are accepted.
        set("hot_standby", "off".to_owned());
        if recovery.keep_log {
            // Segments wait until the archive command is set again.
            set("archive_mode", "on".to_owned());
        }
        if let Until::Time(time) = recovery.until {
            // Reading ahead would need segments from behind the moment, which may be what is damaged.
            set("recovery_prefetch", "off".to_owned());
            set(
                "recovery_target_time",
                time.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string(),
            );
            set("recovery_target_action", "promote".to_owned());
        }
        let began = Instant::now();
        let cluster = Cluster::start(bin, &options).map_err(|error| match error {
            Error::Start { tail, .. } if tail.contains("before configured recovery target was reached") => {
                Error::NothingToRestore {
                    reason: format!(
                        "the archive ends before that moment (its last transaction: {}); ask for an earlier one, or for --to-latest",
                        last_transaction(&tail).unwrap_or("none")
                    ),
                }
            }
            error => error,
        })?;
        Ok(Recovered {
            cluster,
            replay: began.elapsed(),
        })
    }
}

/// Reads `last completed transaction was at log time 2026-01-31 12:00:00.1+00`.
fn last_transaction(log: &str) -> Option<&str> {
    let (_, rest) = log.split_once("last completed transaction was at log time ")?;
    rest.lines().next()
}

fn remove(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).context("remove", dir),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(label: &str, minute: i64) -> BackupInfo {
        let moment = DateTime::from_timestamp(minute * 60, 0).unwrap();
        BackupInfo {
            label: label.to_owned(),
            kind: "full".to_owned(),
            repository: 1,
            started_at: moment,
            finished_at: moment,
            database_bytes: 1,
            stored_bytes: 1,
            archive_start: String::new(),
            archive_stop: String::new(),
            has_page_errors: label == "damaged",
        }
    }

    #[test]
    fn the_newest_that_fits_is_taken_or_the_one_that_is_asked_for() {
        let backups = [backup("a", 1), backup("b", 2), backup("damaged", 3)];
        let choose = |until, label: Option<&str>| {
            let recovery = Recovery {
                target: PathBuf::new(),
                until,
                label: label.map(str::to_owned),
                keep_log: false,
                patience: Duration::ZERO,
            };
            recovery
                .choose(&backups)
                .map(|backup| backup.label.clone())
                .map_err(|error| error.to_string())
        };
        let at = |minute: i64| Until::Time(DateTime::from_timestamp(minute * 60, 0).unwrap());
        assert_eq!(choose(Until::Latest, None).unwrap(), "b");
        assert_eq!(choose(at(1), None).unwrap(), "a");
        assert_eq!(choose(Until::Latest, Some("a")).unwrap(), "a");
        assert!(choose(at(0), None).unwrap_err().contains("the first moment"));
        assert!(choose(at(1), Some("b")).unwrap_err().contains("the first moment"));
        for label in ["damaged", "nothing"] {
            assert!(
                choose(Until::Latest, Some(label))
                    .unwrap_err()
                    .contains("is called so")
            );
        }
    }
}
