//! What makes the backups: pgBackRest, or this program with PostgreSQL's own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{builtin, pgbackrest};
use crate::error::{Context, Error};

const INSTALLED: [&str; 2] = ["/usr/bin/pgbackrest", "/usr/local/bin/pgbackrest"];

/// What makes the backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// pgBackRest.
    PgBackRest(PgBackRest),
    /// The built-in way: `pg_basebackup` and an archive of the log.
    Builtin(Builtin),
}

/// What the built-in way runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builtin {
    /// The program that does [`RepositoryTask`](crate::RepositoryTask)s by its verb `repository`.
    pub executable: PathBuf,
    /// The folder of PostgreSQL's programs.
    pub bin_dir: PathBuf,
}

/// Who has made a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// pgBackRest.
    PgBackRest,
    /// The built-in way.
    Builtin,
}

impl Maker {
    /// Who has made the repository in a folder; none when it is not begun.
    ///
    /// # Errors
    /// When the folder cannot be looked into.
    pub fn of_repository(dir: &Path) -> Result<Option<Self>, Error> {
        Self::by(dir, builtin::MARKER, "archive")
    }

    /// Who was configured last in a folder of [`BackupOptions::work_dir`](crate::BackupOptions::work_dir).
    ///
    /// # Errors
    /// When the folder cannot be looked into.
    pub fn of_work_dir(dir: &Path) -> Result<Option<Self>, Error> {
        Self::by(dir, builtin::SETTINGS, pgbackrest::CONFIGURATION)
    }

    fn by(dir: &Path, of_builtin: &str, of_pgbackrest: &str) -> Result<Option<Self>, Error> {
        if is_there(&dir.join(of_builtin))? {
            return Ok(Some(Self::Builtin));
        }
        Ok(is_there(&dir.join(of_pgbackrest))?.then_some(Self::PgBackRest))
    }
}

fn is_there(path: &Path) -> Result<bool, Error> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => Ok(false),
        Err(error) => Err(error).context("look at", path),
    }
}

/// pgBackRest's program, known to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgBackRest {
    /// The program.
    pub path: PathBuf,
    /// What `pgbackrest version` said, such as `2.45`.
    pub version: String,
}

impl PgBackRest {
    /// Takes `explicit` alone when given, else what is installed.
    ///
    /// # Errors
    /// [`Error::PgBackRestMissing`].
    pub fn find(explicit: Option<&Path>) -> Result<Self, Error> {
        let candidates = match explicit {
            Some(path) => vec![path.to_owned()],
            None => INSTALLED.iter().map(PathBuf::from).collect(),
        };
        let found = candidates.iter().find_map(|path| {
            Some(Self {
                path: path.clone(),
                version: ask_version(path)?,
            })
        });
        found.ok_or_else(|| Error::PgBackRestMissing {
            searched: candidates
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// What stands in for a program that is missing: the archive command then fails, and PostgreSQL keeps its log until it is there.
    pub fn expected(explicit: Option<&Path>) -> Self {
        Self {
            path: explicit.map_or_else(|| PathBuf::from(INSTALLED[0]), Path::to_owned),
            version: "missing".to_owned(),
        }
    }
}

fn ask_version(path: &Path) -> Option<String> {
    let output = Command::new(path).arg("version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.trim().strip_prefix("pgBackRest ")?.to_owned())
}
