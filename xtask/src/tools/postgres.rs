//! PostgreSQL's programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use crate::{Result, paths, shell, ui};

const OLDEST: u32 = 15;
/// The version whose dump is `schema.sql`, and so the first choice.
pub(crate) const DUMP_VERSION: u32 = 15;
const NEWEST: u32 = 20;

/// A folder of PostgreSQL's programs.
pub(crate) struct Postgres {
    pub(crate) bin_dir: PathBuf,
    /// Major version.
    pub(crate) version: u32,
}

impl Postgres {
    /// One of its programs, which finds the libraries that were unpacked with it.
    pub(crate) fn command(&self, program: &str) -> Result<Command> {
        command_in(&self.bin_dir, program)
    }

    /// `psql` as the superuser of the database that a running `up` keeps in `data_dir`; gives what it printed, unadorned.
    pub(crate) fn psql(&self, data_dir: &Path, arguments: &[&str]) -> Result<String> {
        let secrets = data_dir.join("secrets");
        let (socket, password) = (
            paths::read(&secrets.join("socket"))?,
            paths::read(&secrets.join("postgres-superuser"))?,
        );
        let mut command = self.command("psql")?;
        command
            .args([
                "-qAtX",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-d",
                "secureguard",
                "-h",
            ])
            .arg(socket.lines().next().unwrap_or_default())
            .args(arguments)
            .env("PGPASSWORD", password.trim());
        shell::output(&mut command)
    }
}

/// Finds PostgreSQL ≥ 15 (`PG_BIN`, `pg_config`, Debian's folders, ours) or unpacks Debian's packages.
pub(crate) fn ensure() -> Result<Postgres> {
    if let Some(dir) = paths::set("PG_BIN") {
        let dir = PathBuf::from(dir);
        let reason = format!("PG_BIN={} holds no working PostgreSQL 15 or newer", dir.display());
        return probe(&dir).filter(|found| found.version >= OLDEST).ok_or(reason);
    }
    if let Some(found) = find()? {
        return Ok(found);
    }
    let names: Vec<String> = std::iter::once(DUMP_VERSION)
        .chain((OLDEST..=NEWEST).rev())
        .map(|n| format!("postgresql-{n}"))
        .collect();
    let server = apt::first_available(&names)?.ok_or(
        "apt offers no PostgreSQL 15 or newer: is the network up, and does /etc/apt name Debian's archive?",
    )?;
    let client = server.replace("postgresql-", "postgresql-client-");
    apt::install(
        &[&server, &client],
        "PostgreSQL 15 or newer is missing (the server keeps its data in it)",
    )?;
    find()?.ok_or_else(|| "the unpacked PostgreSQL does not run; see `cargo xtask help`".to_owned())
}

fn find() -> Result<Option<Postgres>> {
    let mut dirs = Vec::new();
    if let Ok(dir) = shell::output(Command::new("pg_config").arg("--bindir")) {
        dirs.push(PathBuf::from(dir.trim()));
    }
    dirs.extend(versioned(Path::new("/usr/lib/postgresql")));
    dirs.extend(versioned(&apt::unpacked_root()?.join("usr/lib/postgresql")));
    for dir in dirs {
        match probe(&dir) {
            Some(found) if found.version >= OLDEST => return Ok(Some(found)),
            Some(found) => ui::say(&format!(
                "PostgreSQL {} in {} is too old, passing it by",
                found.version,
                dir.display()
            )),
            None => {}
        }
    }
    Ok(None)
}

fn probe(dir: &Path) -> Option<Postgres> {
    if !["postgres", "initdb", "psql", "pg_dump"]
        .iter()
        .all(|program| dir.join(program).is_file())
    {
        return None;
    }
    let text = shell::output(command_in(dir, "postgres").ok()?.arg("--version")).ok()?;
    let digits: String = text
        .split("(PostgreSQL) ")
        .nth(1)?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Some(Postgres {
        bin_dir: dir.to_owned(),
        version: digits.parse().ok()?,
    })
}

fn command_in(dir: &Path, program: &str) -> Result<Command> {
    let mut command = Command::new(dir.join(program));
    if dir.starts_with(apt::unpacked_root()?) {
        command.env("LD_LIBRARY_PATH", apt::library_path()?);
    }
    Ok(command)
}

/// `<base>/<version>/bin`, newest first.
fn versioned(base: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(base) else {
        return Vec::new();
    };
    let mut versions: Vec<u32> = entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
        .into_iter()
        .map(|v| base.join(v.to_string()).join("bin"))
        .collect()
}
