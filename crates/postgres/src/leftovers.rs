//! Processes that an earlier run left behind in a cluster's directory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Context, Error};

/// Ends every PostgreSQL process that works in `dir`: asks for a fast shutdown, then for an immediate one. The caller
/// holds the directory's lock, so none of them is in use. Afterwards a `postmaster.pid` can only be stale (its process
/// is gone, or its number belongs to another program) and is removed.
pub(crate) fn end_all(dir: &Path) -> Result<(), Error> {
    let Ok(metadata) = fs::metadata(dir) else {
        return Ok(());
    };
    let place = (metadata.dev(), metadata.ino());
    for (signal, patience) in [(Signal::INT, 60), (Signal::QUIT, 10)] {
        let deadline = Instant::now() + Duration::from_secs(patience);
        let mut asked = Vec::new();
        loop {
            let running = processes_in(place);
            if running.is_empty() {
                return remove_stale_pid_file(dir);
            }
            for pid in running.iter().filter(|pid| !asked.contains(*pid)) {
                tracing::warn!(
                    process.pid = pid.as_raw_nonzero().get(),
                    ?signal,
                    "ending a PostgreSQL process left by an earlier run"
                );
                let _ = kill_process(*pid, signal);
            }
            asked = running;
            if Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    match processes_in(place).first() {
        Some(pid) => Err(Error::Leftover {
            dir: dir.to_owned(),
            pid: pid.as_raw_nonzero().get(),
        }),
        None => remove_stale_pid_file(dir),
    }
}

/// Processes whose working directory is `place` and whose program is PostgreSQL's.
fn processes_in(place: (u64, u64)) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| {
        let proc = format!("/proc/{}", pid.as_raw_nonzero());
        let here = fs::metadata(format!("{proc}/cwd")).is_ok_and(|m| (m.dev(), m.ino()) == place);
        here && fs::read_link(format!("{proc}/exe")).is_ok_and(|exe| {
            exe.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("postgres"))
        })
    })
    .collect()
}

fn remove_stale_pid_file(dir: &Path) -> Result<(), Error> {
    let path = dir.join("postmaster.pid");
    match fs::remove_file(&path) {
        Ok(()) => {
            tracing::warn!(file.path = %path.display(), "removed a stale pid file");
            Ok(())
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e).context("remove", &path),
    }
}
