//! Finding PostgreSQL's programs.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;

/// The oldest major version the product works with.
const OLDEST_MAJOR: u32 = 15;

/// A PostgreSQL version, such as 15.18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PgVersion {
    /// 15 in 15.18.
    pub major: u32,
    /// 18 in 15.18.
    pub minor: u32,
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A folder with PostgreSQL's programs, known to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Holds at least `postgres` and `initdb`.
    pub bin_dir: PathBuf,
    /// What `postgres --version` said.
    pub version: PgVersion,
}

impl Binaries {
    /// A command for one of the folder's programs, such as `pg_dump`. When the packages were unpacked into a folder of
    /// their own rather than installed, it also finds the libraries that were unpacked beside them.
    pub fn command(&self, program: &str) -> Command {
        command_in(&self.bin_dir, program)
    }

    /// Whether a module that PostgreSQL can load, such as `pg_stat_statements`, was installed beside the programs. PostgreSQL does not start with one that is missing.
    pub fn has_module(&self, name: &str) -> bool {
        let lib = self.bin_dir.parent().map(|dir| dir.join("lib"));
        lib.is_some_and(|lib| {
            [lib.clone(), lib.join("postgresql")]
                .iter()
                .any(|dir| dir.join(format!("{name}.so")).exists())
        })
    }
}

/// Where to look, and for what.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The only folder to look in, when given (`PG_BIN`).
    pub explicit: Option<PathBuf>,
    /// Folders to try after the system's own; each is a bin folder or a root that packages were unpacked into.
    pub extra: Vec<PathBuf>,
    /// The product's directory: when it holds a cluster already, PostgreSQL of the same major version is preferred.
    pub data_dir: Option<PathBuf>,
}

/// Finds PostgreSQL in `explicit`, or else by `pg_config --bindir`, or else in Debian's versioned folders.
///
/// # Errors
/// As [`Search::run`].
pub fn find(explicit: Option<&Path>) -> Result<Binaries, Error> {
    Search {
        explicit: explicit.map(Path::to_owned),
        ..Search::default()
    }
    .run()
}

impl Search {
    /// Searches: `explicit` alone when given; else what `pg_config --bindir` names, Debian's versioned folders from the
    /// newest to the oldest, and the extra folders.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooOld`] when only older ones exist, [`Error::Unusable`] for one that does not run.
    pub fn run(&self) -> Result<Binaries, Error> {
        if let Some(dir) = &self.explicit {
            return accept(probe(dir)?);
        }
        let candidates = self.candidates();
        let mut refused = None;
        let mut usable: Vec<Binaries> = Vec::new();
        for dir in &candidates {
            match probe(dir).and_then(accept) {
                Ok(found) => usable.push(found),
                Err(why) if dir.join("postgres").is_file() => refused = refused.or(Some(why)),
                Err(_) => {}
            }
        }
        let wanted = self.data_dir.as_deref().and_then(cluster_major);
        let position = usable
            .iter()
            .position(|b| Some(b.version.major) == wanted)
            .unwrap_or(0);
        if position < usable.len() {
            return Ok(usable.swap_remove(position));
        }
        Err(refused.unwrap_or_else(|| Error::NotFound {
            searched: list(&candidates),
        }))
    }

    fn candidates(&self) -> Vec<PathBuf> {
        let mut dirs = Vec::new();
        if let Ok(output) = Command::new("pg_config").arg("--bindir").output()
            && output.status.success()
        {
            dirs.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        }
        dirs.extend(versioned_dirs(Path::new("/usr/lib/postgresql")));
        for extra in &self.extra {
            dirs.extend(versioned_dirs(&extra.join("usr/lib/postgresql")));
            dirs.push(extra.clone());
        }
        let mut seen = std::collections::HashSet::new();
        dirs.retain(|dir| seen.insert(dir.clone()));
        dirs
    }
}

/// The command for a program of a bin folder. Nothing of the caller's PostgreSQL settings or language leaks into it.
pub(crate) fn command_in(bin_dir: &Path, program: &str) -> Command {
    let mut command = Command::new(bin_dir.join(program));
    for name in [
        "PGDATA",
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGPASSWORD",
        "PGDATABASE",
        "PGSERVICE",
        "PGOPTIONS",
        "PGSSLMODE",
        "PGTZ",
    ] {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").env_remove("LANGUAGE");
    let libraries = unpacked_libraries(bin_dir);
    if !libraries.is_empty() {
        command.env("LD_LIBRARY_PATH", libraries.join(":"));
    }
    command
}

/// Library folders beside a bin folder of packages that were unpacked below some root other than `/`.
fn unpacked_libraries(bin_dir: &Path) -> Vec<String> {
    let real = fs::canonicalize(bin_dir).unwrap_or_else(|_| bin_dir.to_owned());
    let text = real.to_string_lossy();
    let Some((root, _)) = text
        .split_once("/usr/lib/postgresql/")
        .filter(|(root, _)| !root.is_empty())
    else {
        return Vec::new();
    };
    let mut dirs = Vec::new();
    for base in ["usr/lib", "lib"] {
        let base = Path::new(root).join(base);
        let Ok(entries) = fs::read_dir(&base) else {
            continue;
        };
        let multiarch = entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.to_string_lossy().ends_with("-linux-gnu"));
        dirs.extend(multiarch.map(|p| p.to_string_lossy().into_owned()));
    }
    dirs.sort_unstable();
    dirs
}

fn accept(found: Binaries) -> Result<Binaries, Error> {
    if found.version.major < OLDEST_MAJOR {
        return Err(Error::TooOld {
            dir: found.bin_dir,
            version: found.version,
        });
    }
    Ok(found)
}

fn probe(dir: &Path) -> Result<Binaries, Error> {
    let unusable = |reason: String| Error::Unusable {
        dir: dir.to_owned(),
        reason,
    };
    if let Some(missing) = ["postgres", "initdb"]
        .into_iter()
        .find(|program| !dir.join(program).is_file())
    {
        return Err(unusable(format!("there is no `{missing}` in it")));
    }
    let output = command_in(dir, "postgres")
        .arg("--version")
        .output()
        .map_err(|e| unusable(e.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = parse_version(&text).filter(|_| output.status.success());
    let version = version.ok_or_else(|| {
        unusable(format!(
            "`postgres --version` said: {}{}",
            text.trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    })?;
    Ok(Binaries {
        bin_dir: dir.to_owned(),
        version,
    })
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, and `17beta1` as 17.0.
fn parse_version(text: &str) -> Option<PgVersion> {
    let number = text
        .strip_prefix("postgres (PostgreSQL) ")?
        .split_whitespace()
        .next()?;
    let digits_end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    let major = number.get(..digits_end)?.parse().ok()?;
    let rest = number.get(digits_end..)?.strip_prefix('.').unwrap_or_default();
    let minor = rest
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .unwrap_or(0);
    Some(PgVersion { major, minor })
}

/// `<base>/<number>/bin`, the highest number first.
fn versioned_dirs(base: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(base) else {
        return Vec::new();
    };
    let mut numbers: Vec<u32> = entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers
        .into_iter()
        .map(|n| base.join(n.to_string()).join("bin"))
        .collect()
}

fn cluster_major(data_dir: &Path) -> Option<u32> {
    fs::read_to_string(data_dir.join("postgres/PG_VERSION"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn list(dirs: &[PathBuf]) -> String {
    if dirs.is_empty() {
        return "`pg_config` on PATH and /usr/lib/postgresql".to_owned();
    }
    dirs.iter()
        .map(|d| d.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_parsed() {
        let parse = |text| parse_version(text).map(|v| (v.major, v.minor));
        assert_eq!(
            parse("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some((15, 18))
        );
        assert_eq!(parse("postgres (PostgreSQL) 9.6.24"), Some((9, 6)));
        assert_eq!(parse("postgres (PostgreSQL) 18beta2"), Some((18, 0)));
        assert_eq!(parse("bash: no such file"), None);
    }
}
