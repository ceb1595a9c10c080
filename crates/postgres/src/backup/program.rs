//! Finding pgBackRest.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;

const INSTALLED: [&str; 2] = ["/usr/bin/pgbackrest", "/usr/local/bin/pgbackrest"];

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
