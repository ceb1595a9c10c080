//! Making a new cluster.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Stdio;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Signal;
use secrecy::{ExposeSecret, SecretString};

use crate::cluster::SUPERUSER;
use crate::error::{Context, Error};
use crate::layout::{self, Layout};
use crate::process::{Handed, prepare, spawn_error};
use crate::user::RunAs;
use crate::{Binaries, config, leftovers};

/// Bytes that must be free before a cluster is made: the empty cluster and its write-ahead log, with some air.
const NEEDED: u64 = 200_000_000;

/// Makes the cluster beside its final place and moves it there when it is complete, so that a run that was cut short
/// never leaves something that looks like a cluster.
pub(crate) fn create(
    layout: &Layout,
    bin: &Binaries,
    run_as: &RunAs,
    password: &SecretString,
    durable: bool,
) -> Result<(), Error> {
    let unfinished = layout.unfinished_dir();
    leftovers::end_all(&unfinished)?;
    match fs::remove_dir_all(&unfinished) {
        Ok(()) => {
            tracing::warn!(dir = %unfinished.display(), "removed a half-finished database, making it anew")
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e).context("remove", &unfinished),
    }
    layout::require_space(&layout.dir, NEEDED)?;
    layout::make_dir_for(&unfinished, run_as)?;
    run_initdb(&unfinished, bin, run_as, password)?;
    config::write(&unfinished, &[], durable, None, run_as)?;
    let handle = File::open(&unfinished).context("open", &unfinished)?;
    if durable {
        rustix::fs::syncfs(&handle).context("flush", &unfinished)?;
    }
    let finished = layout.cluster_dir();
    fs::rename(&unfinished, &finished).context("create", &finished)?;
    if durable {
        File::open(&layout.dir)
            .and_then(|dir| dir.sync_all())
            .context("flush", &layout.dir)?;
    }
    Ok(())
}

fn run_initdb(dir: &Path, bin: &Binaries, run_as: &RunAs, password: &SecretString) -> Result<(), Error> {
    let target = Handed::new(dir, run_as)?;
    let password_file = Handed::from_file(hold_in_memory(password, run_as)?);
    let mut command = bin.command("initdb");
    command
        .arg("-D")
        .arg(target.path())
        .arg("--pwfile")
        .arg(password_file.path());
    command.args([
        "-U",
        SUPERUSER,
        "-A",
        "scram-sha-256",
        "-E",
        "UTF8",
        "--locale=C",
        "--lc-ctype=C.UTF-8",
    ]);
    // The caller flushes the file system once instead of initdb flushing a thousand files.
    command
        .args(["--data-checksums", "--no-sync", "--no-instructions"])
        .stdin(Stdio::null());
    prepare(&mut command, run_as, &[&target, &password_file], Signal::TERM);
    let output = command.output().map_err(|e| spawn_error(&command, run_as, e))?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let tail = lines
        .get(lines.len().saturating_sub(8)..)
        .unwrap_or_default()
        .join("\n");
    let _ = fs::remove_dir_all(dir);
    Err(Error::Initdb {
        dir: dir.to_owned(),
        output: tail,
    })
}

/// A file that exists in memory only: PostgreSQL's programs insist on reading a password from a file.
pub(crate) fn hold_in_memory(password: &SecretString, run_as: &RunAs) -> Result<File, Error> {
    let name = Path::new("memory file");
    let mut file = File::from(memfd_create("password", MemfdFlags::CLOEXEC).context("create", name)?);
    rustix::fs::fchmod(&file, rustix::fs::Mode::RUSR).context("change the mode of", name)?;
    if run_as.switch {
        std::os::unix::fs::fchown(&file, Some(run_as.uid), Some(run_as.gid))
            .context("change the owner of", name)?;
    }
    writeln!(file, "{}", password.expose_secret()).context("write", name)?;
    Ok(file)
}
