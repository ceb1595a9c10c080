//! Two servers by the built program, each with a PostgreSQL of its own: the standby follows, takes over, and the one that was replaced serves no more.

mod attacks;
mod slots;
mod takeover;

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use sqlx::PgConnection;
use tempfile::TempDir;

use crate::backups::{connect, wait_for};
use crate::up::{Up, call, folder, program};

/// A server with a folder of its own.
struct Node {
    /// Ends before its folder goes.
    up: Option<Up>,
    dir: TempDir,
    settings: Vec<(&'static str, String)>,
}

/// Two ports that nobody has.
fn ports() -> (u16, u16) {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (one, two) = (free(), free());
    (one.local_addr().unwrap().port(), two.local_addr().unwrap().port())
}

impl Node {
    fn new(port: u16, peer: u16, more: &[(&'static str, &str)]) -> Self {
        let mut settings = vec![
            ("SECUREGUARD_STANDBY__LISTEN", format!("127.0.0.1:{port}")),
            ("SECUREGUARD_STANDBY__PEERS", format!("[\"127.0.0.1:{peer}\"]")),
        ];
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self {
            up: None,
            dir: folder(),
            settings,
        }
    }

    fn start(&mut self) {
        self.up = Some(Up::start_with(self.dir.path(), &[], &self.settings));
    }

    /// As a standby, which is not ready until it is promoted.
    fn follow(&mut self) {
        self.up = Some(Up::spawn(self.dir.path(), &[], &self.settings));
    }

    fn stop(&mut self) {
        self.up.take().unwrap().stop();
    }

    /// Database and server, in a way that neither can prepare for.
    fn kill(&mut self) {
        let up = self.up.take().unwrap();
        // A server that runs would start its database again.
        up.signal(rustix::process::Signal::STOP);
        let pid_file = std::fs::read_to_string(self.data().join("postgres/postmaster.pid")).unwrap();
        let postmaster = pid_file.lines().next().unwrap().parse().unwrap();
        let postmaster = rustix::process::Pid::from_raw(postmaster).unwrap();
        rustix::process::kill_process(postmaster, rustix::process::Signal::KILL).unwrap();
        up.signal(rustix::process::Signal::KILL);
        drop(up);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn log(&self) -> String {
        let read = |path| std::fs::read_to_string(self.path(path)).unwrap_or_default();
        read("up.log") + &read("data/log/postgresql.log")
    }

    fn verb(&self, arguments: &[&str]) -> (bool, String) {
        let output = program()
            .args(arguments)
            .arg("--data-dir")
            .arg(self.data())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let words =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), words)
    }

    fn must(&self, arguments: &[&str]) -> String {
        let (went_well, words) = self.verb(arguments);
        assert!(went_well, "{arguments:?}: {words}\n{}", self.log());
        words
    }

    async fn connect(&self) -> PgConnection {
        connect(&self.data()).await
    }

    /// Lets `other` follow this primary, and waits until it does.
    async fn take_on(&self, other: &mut Node, name: &str) {
        let file = self.path(&format!("{name}.invitation"));
        self.must(&["standby", "invite", name, file.to_str().unwrap()]);
        other.must(&["standby", "init", "--from", file.to_str().unwrap()]);
        other.follow();
        self.is_followed(other).await;
    }

    /// How standbys stand, as the console is told.
    async fn standbys(&self, token: &str) -> Value {
        let path = "/api/v1/monitoring/standbys";
        let (status, list) = call(self.up.as_ref().unwrap(), token, "GET", path, &Value::Null).await;
        assert_eq!(status, 200, "{list}");
        list
    }

    async fn is_followed(&self, other: &Node) {
        wait_for(
            "the standby to follow",
            || self.log() + &other.log(),
            async || self.verb(&["standby", "status"]).0,
        )
        .await;
    }
}
