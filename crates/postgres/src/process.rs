//! Starting PostgreSQL's programs and watching the one that stays.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};

use crate::error::{Context, Error};
use crate::user::RunAs;

/// How often a process that nobody waits for is looked at.
const POLL: Duration = Duration::from_millis(200);
/// How often its log is measured.
const LOG_CHECK: Duration = Duration::from_secs(10);
/// The log is cut when it grows beyond this many bytes; what it held moves to `postgresql.log.1`.
const LOG_CAP: u64 = 16 * 1024 * 1024;

/// Numbers of descriptors that name the same folder in every process that gets it: PostgreSQL, its archive command, and pgBackRest, which insists
/// on the path that PostgreSQL tells for its directory. Below the 1,024 that a process may have open by default.
const FIXED_NUMBERS: Range<RawFd> = 960..968;
/// The cluster's directory.
pub(crate) const CLUSTER_NUMBER: RawFd = 960;
/// pgBackRest's configuration and locks.
pub(crate) const WORK_NUMBER: RawFd = 961;
/// The first repository's folder; the second one's follows.
pub(crate) const REPOSITORY_NUMBER: RawFd = 962;

/// A folder as PostgreSQL's programs reach it.
///
/// Root hands over an open descriptor, named `/proc/self/fd/N`: the unprivileged user then needs no right to
/// enter the folders above it, which may be open to root only.
pub(crate) struct Handed {
    file: File,
    path: PathBuf,
    number: Option<RawFd>,
}

impl Handed {
    pub(crate) fn new(dir: &Path, run_as: &RunAs) -> Result<Self, Error> {
        let file = File::open(dir).context("open", dir)?;
        let path = if run_as.switch {
            fd_path(file.as_raw_fd())
        } else {
            dir.to_owned()
        };
        Ok(Self {
            file,
            path,
            number: None,
        })
    }

    /// The same under one of the fixed numbers.
    pub(crate) fn fixed(dir: &Path, run_as: &RunAs, number: RawFd) -> Result<Self, Error> {
        if !run_as.switch {
            return Self::new(dir, run_as);
        }
        reserve_numbers()?;
        let file = File::open(dir).context("open", dir)?;
        let file = if FIXED_NUMBERS.contains(&file.as_raw_fd()) {
            File::from(rustix::io::fcntl_dupfd_cloexec(&file, FIXED_NUMBERS.end).context("open", dir)?)
        } else {
            file
        };
        Ok(Self {
            file,
            path: fd_path(number),
            number: Some(number),
        })
    }

    /// The folder under its own path, for whoever may enter what is above it.
    pub(crate) fn plain(dir: &Path) -> Result<Self, Error> {
        Ok(Self {
            file: File::open(dir).context("open", dir)?,
            path: dir.to_owned(),
            number: None,
        })
    }

    /// The path that [`Self::fixed`] gives.
    pub(crate) fn fixed_path(dir: &Path, run_as: &RunAs, number: RawFd) -> PathBuf {
        if run_as.switch {
            fd_path(number)
        } else {
            dir.to_owned()
        }
    }

    /// The same, for a file that is reached by its descriptor only.
    pub(crate) fn from_file(file: File) -> Self {
        let path = fd_path(file.as_raw_fd());
        Self {
            file,
            path,
            number: None,
        }
    }

    /// The path to put on the program's command line.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Prepares a command: runs as `run_as` from `/`, keeps `handed` open across exec, and gets `death_signal` when the
/// thread that spawns it ends.
pub(crate) fn prepare(command: &mut Command, run_as: &RunAs, handed: &[&Handed], death_signal: Signal) {
    command.current_dir("/");
    if run_as.switch {
        command.uid(run_as.uid).gid(run_as.gid);
    }
    let keep: Vec<(RawFd, Option<RawFd>)> = handed.iter().map(|h| (h.file.as_raw_fd(), h.number)).collect();
    let parent = rustix::process::getpid();
    let before_exec = move || -> io::Result<()> {
        for (fd, number) in &keep {
            #[expect(unsafe_code, reason = "the descriptor number was captured before fork")]
            // SAFETY: the caller keeps the `Handed` values alive until spawn returns, so the forked child holds an open
            // descriptor of this number until it calls exec.
            let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
            match number {
                None => rustix::io::fcntl_setfd(fd, FdFlags::empty())?,
                Some(number) => {
                    #[expect(unsafe_code, reason = "the number is ours: see `reserve_numbers`")]
                    // SAFETY: whatever has the number in the forked child is the placeholder, which nothing there uses; it is not closed here.
                    let mut target = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(*number) });
                    rustix::io::dup2(fd, &mut target)?;
                }
            }
        }
        // Changing the user clears this, and it has been changed by now.
        rustix::process::set_parent_process_death_signal(Some(death_signal))?;
        if rustix::process::getppid() != Some(parent) {
            return Err(rustix::io::Errno::CANCELED.into());
        }
        Ok(())
    };
    #[expect(
        unsafe_code,
        reason = "the standard library has no safe way to run code between fork and exec"
    )]
    // SAFETY: the closure makes three plain system calls, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(before_exec);
    }
}

/// Explains a failed spawn.
pub(crate) fn spawn_error(command: &Command, run_as: &RunAs, source: io::Error) -> Error {
    Error::Spawn {
        program: PathBuf::from(command.get_program()),
        user: run_as.name.clone(),
        source,
    }
}

/// A child with a thread of its own: the thread spawned it, so that the death signal is bound to this process and not
/// to some worker thread, and it reaps it.
#[derive(Debug)]
pub(crate) struct Supervised {
    pid: Pid,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    child: Child,
    exited: Option<ExitStatus>,
}

impl State {
    fn reap(&mut self) -> Option<ExitStatus> {
        if self.exited.is_none() {
            self.exited = self
                .child
                .try_wait()
                .unwrap_or_else(|_| Some(ExitStatus::default()));
        }
        self.exited
    }
}

impl Supervised {
    /// Spawns the command and watches it. `log` is the file it writes to, `handed` stays open until it has been spawned.
    pub(crate) fn spawn(
        mut command: Command,
        run_as: &RunAs,
        handed: Vec<Handed>,
        log: PathBuf,
    ) -> Result<Self, Error> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread_user = run_as.clone();
        std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || {
                let spawned = command
                    .spawn()
                    .map_err(|e| spawn_error(&command, &thread_user, e));
                drop((command, handed));
                let spawned = spawned.map(|child| Arc::new(Mutex::new(State { child, exited: None })));
                let state = spawned.as_ref().ok().map(Arc::clone);
                let _ = sender.send(spawned);
                if let Some(state) = state {
                    watch(&state, &log);
                }
            })
            .context("start a thread in", Path::new("/proc/self"))?;
        let ended = || io::Error::other("the thread ended early");
        let state = receiver
            .recv()
            .map_err(|_| ended())
            .context("start a thread in", Path::new("/proc/self"))??;
        let pid = Pid::from_child(&lock(&state).child);
        Ok(Self { pid, state })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub(crate) fn exited(&self) -> Option<ExitStatus> {
        lock(&self.state).reap()
    }

    /// Sends a signal unless the process has been reaped, so that no other process of the same number ever gets it.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut state = lock(&self.state);
        if state.reap().is_none() {
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            let exited = self.exited();
            if exited.is_some() || Instant::now() >= deadline {
                return exited;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaps the child and keeps its log short.
fn watch(state: &Mutex<State>, log: &Path) {
    let mut next_log_check = Instant::now();
    while lock(state).reap().is_none() {
        if Instant::now() >= next_log_check {
            next_log_check = Instant::now() + LOG_CHECK;
            if let Err(error) = cut_log(log, LOG_CAP) {
                tracing::warn!(log.path = %log.display(), %error, "cannot cut the PostgreSQL log");
            }
        }
        std::thread::sleep(POLL);
    }
}

/// Moves a log's content to `<log>.1` when it has more than `cap` bytes. PostgreSQL appends, so it goes on at the start.
pub(crate) fn cut_log(log: &Path, cap: u64) -> io::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).open(log)?;
    if file.metadata()?.len() > cap {
        let mut older = log.as_os_str().to_owned();
        older.push(".1");
        std::fs::copy(log, &older)?;
        file.set_len(0)?;
    }
    Ok(())
}

/// Fills the fixed numbers with placeholders, so that nothing else of this process gets them, least of all the pipe by which a child tells that it
/// cannot start.
fn reserve_numbers() -> Result<(), Error> {
    static PLACEHOLDERS: OnceLock<Vec<OwnedFd>> = OnceLock::new();
    if PLACEHOLDERS.get().is_some() {
        return Ok(());
    }
    let null = Path::new("/dev/null");
    let file = File::open(null).context("open", null)?;
    let placeholders: Result<Vec<OwnedFd>, Error> = FIXED_NUMBERS
        .map(|number| rustix::io::fcntl_dupfd_cloexec(&file, number).context("open", null))
        .collect();
    let _ = PLACEHOLDERS.set(placeholders?);
    Ok(())
}

fn fd_path(fd: RawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{fd}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_cut_and_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("p.log");
        std::fs::write(&log, "0123456789").unwrap();
        cut_log(&log, 10).unwrap();
        assert_eq!(std::fs::read(&log).unwrap().len(), 10);
        cut_log(&log, 9).unwrap();
        assert_eq!(std::fs::read(&log).unwrap().len(), 0);
        assert_eq!(
            std::fs::read_to_string(dir.path().join("p.log.1")).unwrap(),
            "0123456789"
        );
    }
}
