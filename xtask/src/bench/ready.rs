//! Time from `secureguard up` on an empty directory until it serves, compared with PostgreSQL's own share of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::{median, report};
use crate::build::{self, Profile};
use crate::server::Server;
use crate::tools::postgres::Postgres;
use crate::{Result, paths, shell, tools, ui};

const RUNS: usize = 5;

pub(super) fn measure() -> Result {
    let postgres = tools::postgres::ensure()?;
    build::console(&tools::node::ensure()?)?;
    build::binaries(Profile::Release, build::TO_RUN)?;
    let (mut first, mut second, mut initdb) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=RUNS {
        let dir = scratch(run)?;
        let timed = ui::step(&format!("run {run} of {RUNS}"), || {
            initdb.push(time_initdb(&postgres, &dir.join("compare"))?);
            first.push(time_start(&postgres, &dir.join("data"))?);
            second.push(time_start(&postgres, &dir.join("data"))?);
            Ok(())
        });
        let _ = fs::remove_dir_all(&dir);
        timed?;
    }
    let initdb = (!initdb.iter().any(|t| t.is_nan())).then(|| median(initdb));
    report("ready", median(first), initdb, "s");
    report("ready-again", median(second), None, "s");
    Ok(())
}

fn time_start(postgres: &Postgres, data_dir: &Path) -> Result<f64> {
    let began = Instant::now();
    let mut server = Server::start(Profile::Release, postgres, data_dir, "127.0.0.1:0")?;
    server.wait(|| false)?;
    let seconds = began.elapsed().as_secs_f64();
    server.stop()?;
    Ok(seconds)
}

/// A bare `initdb` of the same machine. PostgreSQL refuses root, for whom there is no figure.
fn time_initdb(postgres: &Postgres, dir: &Path) -> Result<f64> {
    if paths::is_root() {
        return Ok(f64::NAN);
    }
    let began = Instant::now();
    let mut command: Command = postgres.command("initdb")?;
    shell::output(command.arg("-D").arg(dir).args(["-A", "reject", "-N"]))?;
    Ok(began.elapsed().as_secs_f64())
}

pub(super) fn scratch(run: usize) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;

    let dir = std::env::temp_dir().join(format!("secureguard-bench-{}-{run}", std::process::id()));
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&dir)
        .map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
    Ok(dir)
}
