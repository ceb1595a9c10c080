//! Ctrl-C, and ending child processes in good order.

use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;

/// True once SIGINT, SIGTERM or SIGHUP arrived.
#[derive(Clone)]
pub(crate) struct StopRequest(Arc<AtomicBool>);

impl StopRequest {
    /// Catches the signals from now on. Child processes need a process group of their own, or a terminal's Ctrl-C
    /// reaches all of them at once.
    pub(crate) fn catch() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGTERM,
            signal_hook::consts::SIGHUP,
        ] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .map_err(|e| format!("cannot catch signals: {e}"))?;
        }
        Ok(Self(flag))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Asks a child to end (SIGTERM) and waits; kills it when it has not ended in time.
pub(crate) fn end(child: &mut Child, patience: Duration) -> Result<ExitStatus> {
    let number = child.id();
    let error = |e: std::io::Error| format!("cannot wait for process {number}: {e}");
    if let Ok(Some(status)) = child.try_wait() {
        return Ok(status);
    }
    let pid = Pid::from_child(child);
    let _ = kill_process(pid, Signal::TERM);
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().map_err(error)? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    child.wait().map_err(error)
}
