//! What backups of a database of some size take, and the way back: pgBackRest's and PostgreSQL's time, which the build's profile changes nothing about; or, with
//! `--builtin`, the release build's own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::ready::scratch;
use super::report;
use crate::build::{self, Profile};
use crate::options::Options;
use crate::server::Server;
use crate::tools::postgres::Postgres;
use crate::{Result, shell, tools, ui};

/// Rows of a gigabyte, index included.
const ROWS_PER_GIGABYTE: u64 = 3_900_000;
/// Room on the disk for each gigabyte asked for, in gigabytes, when there is most: the database, its log that waits for the archive, the archive and a backup (compressed), and
/// a restored copy.
const ROOM_PER_GIGABYTE: u64 = 4;
const USAGE: &str = "usage: cargo xtask bench backup [--gigabytes N] [--builtin]";
/// How long the server may take until its first backup is complete.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the archive may take to follow.
const ARCHIVING: Duration = Duration::from_secs(3600);

struct Site<'a> {
    /// Whether it is done without pgBackRest.
    is_builtin: bool,
    profile: Profile,
    postgres: &'a Postgres,
    data_dir: &'a Path,
    settings: Vec<(&'static str, String)>,
}

pub(super) fn measure(arguments: &[String]) -> Result {
    let options = Options::parse(arguments, &["--gigabytes"], &["--builtin"], USAGE)?;
    let gigabytes = options
        .value("--gigabytes")
        .map_or(Ok(1), str::parse)
        .map_err(|error| format!("--gigabytes: {error}"))?;
    refuse_little_room(gigabytes)?;
    let postgres = tools::postgres::ensure()?;
    let pgbackrest = tools::pgbackrest::ensure()?;
    let is_builtin = options.has("--builtin");
    let (profile, way) = if is_builtin {
        (Profile::Release, "builtin")
    } else {
        (Profile::Dev, "pgbackrest")
    };
    build::console(&tools::node::ensure()?)?;
    build::binaries(profile, build::TO_RUN)?;
    let dir = scratch(1)?;
    let site = Site {
        is_builtin,
        profile,
        postgres: &postgres,
        data_dir: &dir.join("data"),
        settings: vec![
            ("SECUREGUARD_BACKUP__PROGRAM", way.to_owned()),
            (
                "SECUREGUARD_BACKUP__PGBACKREST",
                pgbackrest.program.display().to_string(),
            ),
            (
                "SECUREGUARD_BACKUP__REPOSITORY",
                dir.join("repository").display().to_string(),
            ),
            ("SECUREGUARD_BACKUP__DRILL_EVERY_DAYS", "0".to_owned()),
        ],
    };
    let measured = site.measure(gigabytes, &dir);
    let _ = fs::remove_dir_all(&dir);
    measured
}

impl Site<'_> {
    fn measure(&self, gigabytes: u64, dir: &Path) -> Result {
        fs::create_dir_all(self.data_dir).map_err(|e| e.to_string())?;
        let mut server = Server::start_with(
            self.profile,
            self.postgres,
            self.data_dir,
            "127.0.0.1:0",
            &self.settings,
        )?;
        server.wait(|| false)?;
        let measured = self.measure_running(gigabytes, dir);
        server.stop()?;
        measured
    }

    fn measure_running(&self, gigabytes: u64, dir: &Path) -> Result {
        self.wait_for_first_backup()?;
        let rows = gigabytes * ROWS_PER_GIGABYTE;
        ui::step(&format!("storing {gigabytes} GB"), || {
            self.sql(&format!(
                "create table public.bulk as select n, gen_random_uuid() as id, now() - n * interval '1 s' as at, md5(n::text) || md5((-n)::text) as text,
                    random() as a, random() as b, random() as c, random() as d from generate_series(1, {rows}) n;
                 create index on public.bulk (id); checkpoint"
            ))
        })?;
        let bytes: f64 = self
            .sql("select sum(pg_database_size(oid)) from pg_database")?
            .trim()
            .parse()
            .map_err(|error| format!("the size of the database: {error}"))?;
        let megabytes = bytes / 1e6;
        // A backup waits for its own segments for a minute, which those before them would take.
        ui::step("waiting for the archive", || self.wait_for_archive())?;
        let report = |name: &str, value: f64, unit: &str| {
            let way = if self.is_builtin { "-builtin" } else { "" };
            report(&format!("backup{way}-{name}"), value, None, unit);
        };
        report("database", megabytes, "MB");
        let (full, words) = self.timed("full backup", &["backup", "full"], None)?;
        report("full", megabytes / full, "MB/s");
        if let Some(stored) = figure(&words, "stored ") {
            report("stored", stored, "MB");
        }
        if !self.is_builtin {
            let (incremental, _) = self.timed("incremental backup", &["backup", "incr"], None)?;
            report("incr", incremental, "s");
        }
        let (_, words) = self.timed("drill", &["backup", "drill"], None)?;
        for name in ["RPO", "RTO"] {
            let seconds = figure(&words, &format!("{name} "))
                .ok_or_else(|| format!("the drill told no {name}:\n{words}"))?;
            report(&name.to_lowercase(), seconds, "s");
        }
        let (restore, _) = self.timed("restore", &["restore"], Some(&dir.join("restored")))?;
        report("restore", megabytes / restore, "MB/s");
        Ok(())
    }

    fn wait_for_first_backup(&self) -> Result {
        let began = Instant::now();
        while self
            .sql("select count(*) from monitoring.backups where state = 'completed'")?
            .trim()
            == "0"
        {
            if began.elapsed() > PATIENCE {
                return Err("the server made no first backup".to_owned());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        // A verification may follow it at once.
        std::thread::sleep(Duration::from_secs(2));
        Ok(())
    }

    fn wait_for_archive(&self) -> Result {
        let began = Instant::now();
        let waiting = "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'";
        while self.sql(waiting)?.trim() != "0" {
            if began.elapsed() > ARCHIVING {
                return Err("the archive does not follow".to_owned());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }

    fn timed(&self, title: &str, verb: &[&str], target: Option<&Path>) -> Result<(f64, String)> {
        ui::step(title, || {
            let mut command = Command::new(self.profile.dir().join("secureguard"));
            command
                .args(verb)
                .arg("--data-dir")
                .arg(self.data_dir)
                .env("PG_BIN", &self.postgres.bin_dir)
                .envs(self.settings.iter().map(|(name, value)| (name, value)));
            if let Some(target) = target {
                command.arg("--target").arg(target);
            }
            let began = Instant::now();
            let words = shell::output(&mut command)?;
            Ok((began.elapsed().as_secs_f64(), words))
        })
    }

    fn sql(&self, statement: &str) -> Result<String> {
        self.postgres.psql(self.data_dir, &["-c", statement])
    }
}

fn refuse_little_room(gigabytes: u64) -> Result {
    let dir = std::env::temp_dir();
    let told = rustix::fs::statvfs(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let (free, needed) = (
        told.f_bavail * told.f_frsize / 1_000_000_000,
        gigabytes * ROOM_PER_GIGABYTE,
    );
    if free < needed {
        return Err(format!(
            "{gigabytes} GB need {needed} GB of room in {}, and {free} GB are free; TMPDIR names another folder",
            dir.display()
        ));
    }
    Ok(())
}

/// The number behind a word at the beginning of a line.
fn figure(words: &str, word: &str) -> Option<f64> {
    let rest = words.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}
