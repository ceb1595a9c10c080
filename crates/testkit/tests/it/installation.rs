//! A server with its own PostgreSQL, as `secureguard up` runs it, and ways to hurt both.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// How long a start may take on a machine that compiles beside it.
const START: Duration = Duration::from_secs(40);

/// Finds a built program beside the tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let dir = tests.ancestors().nth(2).unwrap();
    let program = dir.join(name);
    assert!(
        program.is_file(),
        "{} is missing: build it with `cargo build -p sg-server -p sg-agent`, or run `cargo xtask test rust`",
        program.display()
    );
    program
}

/// Asks again and again until there is an answer.
pub(crate) async fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            begin.elapsed() < patience,
            "not within {} s: {what}",
            patience.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the server says once it serves.
#[derive(Debug, Deserialize)]
struct Ready {
    url: String,
    database_url: String,
    enrolment_key: Option<String>,
}

/// A data directory and the server that works in it.
pub(crate) struct Installation {
    folder: TempDir,
    server: Option<Child>,
    url: String,
    database_url: String,
    enrolment_key: String,
}

impl Installation {
    pub(crate) async fn start() -> Self {
        let mut installation = Self {
            folder: tempfile::Builder::new().prefix("sg-fault-").tempdir().unwrap(),
            server: None,
            url: "http://127.0.0.1:0".to_owned(),
            database_url: String::new(),
            enrolment_key: String::new(),
        };
        installation.start_server().await;
        installation
    }

    /// Where the server is; the same after every start.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn enrolment_key(&self) -> &str {
        &self.enrolment_key
    }

    /// Starts the server on the data that is there, and waits until it serves.
    pub(crate) async fn start_server(&mut self) {
        assert!(self.server.is_none(), "a server runs already");
        let (_, port) = self.url.rsplit_once(':').unwrap();
        let ready_file = self.folder.path().join("ready.json");
        let _ = fs::remove_file(&ready_file);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let server = Command::new(program("secureguard"))
            .args(["up", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
            .arg(self.data_dir())
            .arg("--ready-file")
            .arg(&ready_file)
            .env("SECUREGUARD_INGEST__CHECK_IN_SECONDS", "5")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.server = Some(server);
        let ready = wait_for("the server is ready", START, async || {
            self.assert_server_runs();
            serde_json::from_slice::<Ready>(&fs::read(&ready_file).ok()?).ok()
        })
        .await;
        self.url = ready.url;
        self.database_url = ready.database_url;
        if let Some(key) = ready.enrolment_key {
            self.enrolment_key = key;
        }
    }

    /// Takes the server away at once: no signal handler runs.
    pub(crate) fn kill_server(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Asks the server to end, as Ctrl-C does, and waits.
    pub(crate) async fn stop_server(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
        let status = wait_for("the server ends", Duration::from_secs(20), async || {
            server.try_wait().unwrap()
        })
        .await;
        assert!(status.success(), "{status}\n{}", self.log());
    }

    pub(crate) fn assert_server_runs(&mut self) {
        let status = self
            .server
            .as_mut()
            .expect("a server was started")
            .try_wait()
            .unwrap();
        assert!(
            status.is_none(),
            "the server ended ({})\n{}",
            status.unwrap(),
            self.log()
        );
    }

    /// Kills the process that all of PostgreSQL hangs on.
    pub(crate) fn kill_postmaster(&self) {
        self.kill_postgres(self.postmaster().expect("PostgreSQL runs"));
    }

    /// Kills a process that serves a connection of the ingest; PostgreSQL then ends all others and recovers.
    pub(crate) async fn kill_ingest_backend(&self) {
        let mut conn = self.connect().await;
        let backend: i32 = sqlx::query_scalar(
            // Of other roles' sessions it tells no more than the process and the name.
            "select a.pid from pg_stat_activity a where a.usename = 'sg_system' order by a.pid limit 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        self.kill_postgres(Pid::from_raw(backend).unwrap());
    }

    /// The postmaster, when there is one.
    pub(crate) fn postmaster(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.cluster_dir().join("postmaster.pid")).ok()?;
        let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
        self.is_own_postgres(pid).then_some(pid)
    }

    /// A connection as `sg_admin`, who sees every tenant.
    pub(crate) async fn connect(&self) -> PgConnection {
        wait_for(
            "PostgreSQL takes a connection",
            Duration::from_secs(20),
            async || PgConnection::connect(&self.database_url).await.ok(),
        )
        .await
    }

    /// The end of the server's log, for messages.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn kill_postgres(&self, pid: Pid) {
        assert!(
            self.is_own_postgres(pid),
            "{pid:?} is no process of this test's PostgreSQL"
        );
        kill_process(pid, Signal::KILL).unwrap();
    }

    /// PostgreSQL's processes work in the folder of their cluster.
    fn is_own_postgres(&self, pid: Pid) -> bool {
        let proc = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        let is_postgres = fs::read_link(proc.join("exe")).is_ok_and(|exe| exe.ends_with("postgres"));
        is_postgres && fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd == self.cluster_dir())
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn cluster_dir(&self) -> PathBuf {
        let dir = self.data_dir().join("postgres");
        dir.canonicalize().unwrap_or(dir)
    }

    fn log_path(&self) -> PathBuf {
        Path::join(self.folder.path(), "server.log")
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = kill_process(Pid::from_child(&server), Signal::TERM);
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(15) && matches!(server.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        // Its folder is about to go; whatever a failed test left must not go on writing there.
        if let Some(postmaster) = self.postmaster() {
            let _ = kill_process(postmaster, Signal::QUIT);
        }
    }
}
