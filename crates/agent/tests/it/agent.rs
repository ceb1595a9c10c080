//! Runs the agent's binary.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::{ENROLMENT_KEY, TestServer};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_secureguard-agent");

/// A machine's folders.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("watched")).unwrap();
        Self { folder }
    }

    pub(crate) fn enrolled(server: &TestServer) -> Self {
        let home = Self::new();
        let output = home.enrol(server, &[]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        home
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn watched(&self) -> PathBuf {
        self.folder.path().join("watched")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn command(&self, verb: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command
            .arg(verb)
            .arg("--state-dir")
            .arg(self.state())
            .args(arguments);
        command
            .env_remove("SECUREGUARD_ENROLMENT_KEY")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn enrol(&self, server: &TestServer, more: &[&str]) -> Output {
        let arguments = ["--server", &server.url, "--key", ENROLMENT_KEY];
        self.command("enrol", &[&arguments[..], more].concat())
    }

    /// The running agent's view of itself.
    pub(crate) fn status(&self) -> serde_json::Value {
        let output = self.command("status", &["--json"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn wait_for_status(
        &self,
        what: &str,
        seconds: u64,
        look: impl Fn(&serde_json::Value) -> bool,
    ) {
        let begin = Instant::now();
        while !look(&self.status()) {
            assert!(
                begin.elapsed() < Duration::from_secs(seconds),
                "{what}: {:#}\n{}",
                self.status(),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Agent {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut command = Command::new(BINARY);
        command
            .arg("run")
            .arg("--state-dir")
            .arg(self.state())
            .arg("--watch")
            .arg(self.watched())
            .args(arguments);
        command
            .env("SECUREGUARD_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Agent {
            child: command.spawn().unwrap(),
            log: self.folder.path().join("log"),
        }
    }
}

/// A running agent; killed when dropped.
pub(crate) struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as a service manager does.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(10),
                "the agent does not end"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log
                .lines()
                .filter(|line| !line.contains("idle connection"))
                .collect();
            eprintln!(
                "the agent's log ends with:\n{}",
                lines[lines.len().saturating_sub(60)..].join("\n")
            );
        }
    }
}

/// Another child that ends with the test, however the test ends.
pub(crate) struct KillOnDrop(pub(crate) Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
