//! Backups without pgBackRest: `pg_basebackup` and an archive of the write-ahead log, sealed. Runs as a program of its own, as the account of PostgreSQL: for the
//! server, and as PostgreSQL's archive and restore command.

mod base;
mod crypt;
mod fault;
mod repository;
mod segment;

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::archive;
use super::info::BackupInfo;
use super::stanza::Work;
pub(super) use crypt::Key;
use fault::{At, Fault, Result};
pub(super) use repository::MARKER;
use repository::Repository;

/// The program's verb of these tasks.
pub(super) const VERB: &str = "repository";
/// The file of the settings.
pub(super) const SETTINGS: &str = "builtin.json";
/// How a file that is not there is told to PostgreSQL.
const NOT_THERE: u8 = 1;
/// A restore command that ends with more than 125 ends the recovery, rather than being taken for the end of the log.
const STOP: u8 = 200;

/// What the program is told by the server, in a file that only PostgreSQL's account reads.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Folders of the repositories.
    pub(super) repositories: Vec<PathBuf>,
    /// Their key; not the pass, which opens more.
    #[serde(serialize_with = "expose")]
    pub(super) key: SecretString,
    pub(super) keep_full: usize,
    pub(super) archive_timeout_seconds: u32,
    /// The cluster's directory.
    pub(super) cluster: PathBuf,
    /// PostgreSQL's programs.
    pub(super) bin_dir: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password_file: PathBuf,
}

impl Settings {
    pub(super) fn render(&self) -> String {
        // Strings and numbers only, which always have a form in JSON.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// What is put on the program's command line.
pub(super) fn arguments(work: &Work<'_>, into: Option<&Path>) -> Vec<String> {
    let of = |verb: &str, repository: u8| vec![verb.to_owned(), format!("--repository={repository}")];
    match work {
        Work::Init => vec!["init".to_owned()],
        Work::Backup { repository, .. } => of("backup", *repository),
        Work::List => vec!["list".to_owned()],
        Work::Verify { repository } => of("verify", *repository),
        Work::Archived { repository } => of("archived", *repository),
        Work::Restore { label, repository } => {
            let mut arguments = of("restore", *repository);
            arguments.push(format!("--label={label}"));
            arguments.extend(into.map(|into| format!("--into={}", into.display())));
            arguments
        }
    }
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// What the program is to do.
#[derive(Debug, Clone)]
pub enum RepositoryTask {
    /// Begin the repositories.
    Init,
    /// Make a full backup, and remove those that are past their retention.
    Backup {
        /// 1 or 2.
        repository: u8,
    },
    /// Tell all backups, as JSON.
    List,
    /// Read everything and say what is damaged.
    Verify {
        /// 1 or 2.
        repository: u8,
    },
    /// Tell the files of the archive, as JSON.
    Archived {
        /// 1 or 2.
        repository: u8,
    },
    /// Put the files of a backup into a folder.
    Restore {
        /// 1 or 2.
        repository: u8,
        /// Which backup.
        label: String,
        /// The folder; it is there, and empty.
        into: PathBuf,
    },
    /// PostgreSQL's archive command.
    Push {
        /// The file.
        path: PathBuf,
    },
    /// PostgreSQL's restore command.
    Fetch {
        /// The file's name.
        name: String,
        /// Where to put it.
        to: PathBuf,
        /// Whether PostgreSQL can get it from elsewhere, so that damage is as good as absence.
        may_stream: bool,
    },
}

/// Does a task with the settings in `work_dir`: answers go to `out`, complaints and progress to `err`. Returns the exit code.
pub fn run_repository_task(
    work_dir: &Path,
    task: &RepositoryTask,
    now: &dyn Fn() -> DateTime<Utc>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let (code, words) = match (run(work_dir, task, now, out, err), task) {
        (Ok(()), _) => return 0,
        (Err(Fault::Missing { .. }), RepositoryTask::Fetch { .. }) => return NOT_THERE,
        (
            Err(fault),
            RepositoryTask::Fetch {
                may_stream: false, ..
            },
        ) => (STOP, fault.to_string()),
        (Err(fault), _) => (1, fault.to_string()),
    };
    let _ = writeln!(err, "ERROR: {words}");
    code
}

fn run(
    work_dir: &Path,
    task: &RepositoryTask,
    now: &dyn Fn() -> DateTime<Utc>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<()> {
    let path = work_dir.join(SETTINGS);
    let text = std::fs::read_to_string(&path).at(&path)?;
    let damaged = || Fault::Damaged {
        name: path.display().to_string(),
    };
    let settings: Settings = serde_json::from_str(&text).map_err(|_| damaged())?;
    let key = Key::from_hex(&settings.key).ok_or_else(damaged)?;
    let all = || {
        (1..)
            .zip(&settings.repositories)
            .map(|(number, dir)| Repository::open(number, dir, &key))
            .collect::<Vec<_>>()
    };
    let one = |number: u8| {
        let dir = settings.repositories.get(usize::from(number).wrapping_sub(1));
        let dir = dir.ok_or_else(|| Fault::Program {
            words: format!("there is no repository {number}"),
        })?;
        Repository::open(number, dir, &key)
    };
    match task {
        RepositoryTask::Init => {
            let (identifier, _) = segment::identify(&settings.cluster)?;
            for (number, dir) in (1..).zip(&settings.repositories) {
                Repository::init(number, dir, &key, identifier)?;
            }
            Ok(())
        }
        RepositoryTask::Backup { repository } => back_up(&settings, &one(*repository)?, now, err),
        RepositoryTask::List => list(all(), out, err),
        RepositoryTask::Verify { repository } => verify(&one(*repository)?, err),
        RepositoryTask::Archived { repository } => {
            let names = match one(*repository) {
                Err(Fault::NotBegun { .. }) => Vec::new(),
                repository => repository?.wal()?,
            };
            answer(out, &names)
        }
        RepositoryTask::Restore {
            repository,
            label,
            into,
        } => restore(&one(*repository)?, label, into, err),
        RepositoryTask::Push { path } => segment::push(&all(), path),
        RepositoryTask::Fetch { name, to, .. } => segment::fetch(&all(), name, to),
    }
}

fn list(repositories: Vec<Result<Repository<'_>>>, out: &mut dyn Write, err: &mut dyn Write) -> Result<()> {
    let mut backups = Vec::new();
    for repository in repositories {
        let (listed, complaints) = match repository {
            Err(Fault::NotBegun { .. }) => continue,
            repository => repository?.list()?,
        };
        backups.extend(listed);
        complain(err, &complaints);
    }
    backups.sort_by(|a: &BackupInfo, b| (a.finished_at, &a.label).cmp(&(b.finished_at, &b.label)));
    answer(out, &backups)
}

fn answer(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value).map_err(|error| Fault::Program {
        words: error.to_string(),
    })?;
    writeln!(out, "{text}").at(Path::new("the answer"))
}

fn complain(err: &mut dyn Write, complaints: &[String]) {
    for complaint in complaints {
        let _ = writeln!(err, "WARN: {complaint}");
    }
}

/// Tells each percent once.
fn tell(err: &mut dyn Write) -> impl FnMut(f64) {
    let mut told = 0.0;
    move |percent| {
        if percent >= told + 1.0 {
            told = percent;
            let _ = writeln!(err, "PROGRESS {percent:.1}");
        }
    }
}

fn back_up(
    settings: &Settings,
    repository: &Repository<'_>,
    now: &dyn Fn() -> DateTime<Utc>,
    err: &mut dyn Write,
) -> Result<()> {
    let (identifier, segment_bytes) = segment::identify(&settings.cluster)?;
    if identifier != repository.system_identifier {
        return Err(Fault::OtherDatabase);
    }
    base::back_up(settings, repository, segment_bytes, now, &mut tell(err))?;
    let (backups, complaints) = repository.list()?;
    complain(err, &complaints);
    expire(repository, &backups, settings.keep_full.max(1), segment_bytes)
}

/// Removes the oldest backups, and the write-ahead log that none of the others needs.
fn expire(
    repository: &Repository<'_>,
    backups: &[BackupInfo],
    keep: usize,
    segment_bytes: u64,
) -> Result<()> {
    let (gone, kept) = backups.split_at(backups.len().saturating_sub(keep));
    for backup in gone {
        repository.remove_backup(&backup.label)?;
    }
    let names = repository.wal()?;
    for name in archive::find_unneeded(&names, kept, segment_bytes) {
        let path = repository.path(&repository::wal_name(name));
        std::fs::remove_file(&path).at(&path)?;
    }
    Ok(())
}

fn verify(repository: &Repository<'_>, err: &mut dyn Write) -> Result<()> {
    let (backups, complaints) = repository.list()?;
    complain(err, &complaints);
    for backup in &backups {
        let problems = match base::unpack(repository, backup, None, &mut tell(err)) {
            Ok(problems) => problems,
            Err(fault @ (Fault::Damaged { .. } | Fault::Missing { .. } | Fault::Program { .. })) => {
                vec![fault.to_string()]
            }
            Err(fault) => return Err(fault),
        };
        let problems: Vec<String> = problems
            .iter()
            .map(|problem| format!("backup {}: {problem}", backup.label))
            .collect();
        complain(err, &problems);
    }
    // The retention of another run may take files away meanwhile.
    for name in &repository.wal()? {
        match segment::read(repository, name) {
            Ok(_) | Err(Fault::Missing { .. }) => {}
            Err(fault @ (Fault::Damaged { .. } | Fault::NoSegment { .. })) => {
                complain(err, &[fault.to_string()])
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

fn restore(repository: &Repository<'_>, label: &str, into: &Path, err: &mut dyn Write) -> Result<()> {
    let (backups, _) = repository.list()?;
    let backup = backups
        .iter()
        .find(|backup| backup.label == label)
        .ok_or_else(|| Fault::Missing {
            name: format!("backup {label}"),
        })?;
    let problems = base::unpack(repository, backup, Some(into), &mut tell(err))?;
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(Fault::Damaged {
            name: format!("backup {label} ({} faults, such as: {first})", problems.len()),
        }),
    }
}
