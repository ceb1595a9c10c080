//! A server with its own PostgreSQL, as `secureguard up` runs it, and ways to hurt both.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sg_load::bound;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::{ChildClock, program, wait_for};

/// How long a start may take on a machine that compiles beside it.
const START: Duration = Duration::from_secs(60);

/// What the server says once it serves.
#[derive(Debug, serde::Deserialize)]
struct Ready {
    url: String,
    database_url: String,
    enrolment_key: Option<String>,
    admin: Option<Administrator>,
}

/// The first administrator, whose password is good for one sign-in.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Administrator {
    /// Sign-in name.
    pub username: String,
    /// One-time password.
    pub password: String,
}

/// Where an installation lives, and with which settings.
#[derive(Debug, Clone)]
pub struct Place {
    /// For the log and the ready file.
    pub folder: PathBuf,
    /// For the server's data; made by the server.
    pub data_dir: PathBuf,
    /// Variables of the environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// A data directory and the server that works in it.
#[derive(Debug)]
pub struct Installation {
    place: Place,
    server: Option<Child>,
    url: String,
    database_url: String,
    enrolment_key: String,
    admin: Administrator,
    /// Gone after the server.
    _temporary: Option<TempDir>,
}

impl Installation {
    /// Starts one in a temporary folder, with five seconds between check-ins.
    ///
    /// # Errors
    /// When it does not serve in time.
    pub async fn start() -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("sg-fault-").tempdir()?;
        let place = Place {
            folder: temporary.path().to_owned(),
            data_dir: temporary.path().join("data"),
            environment: Vec::new(),
        };
        let mut installation = Self::at(place);
        installation._temporary = Some(temporary);
        installation.start_server().await?;
        Ok(installation)
    }

    /// One that was not started yet.
    pub fn at(place: Place) -> Self {
        Self {
            place,
            server: None,
            url: "http://127.0.0.1:0".to_owned(),
            database_url: String::new(),
            enrolment_key: String::new(),
            admin: Administrator::default(),
            _temporary: None,
        }
    }

    /// Where the server is; the same after every start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key by which endpoints are enrolled.
    pub fn enrolment_key(&self) -> &str {
        &self.enrolment_key
    }

    /// Who signs in first.
    pub fn admin(&self) -> &Administrator {
        &self.admin
    }

    /// How `sg_admin` connects, who sees every tenant.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Starts the server on the data that is there, and waits until it serves.
    ///
    /// # Errors
    /// When it runs already, ends, or does not serve in time.
    pub async fn start_server(&mut self) -> Result<()> {
        ensure!(self.server.is_none(), "a server runs already");
        ChildClock::remove_leftovers()?;
        let port = self.url.rsplit_once(':').map_or("0", |(_, port)| port);
        let ready_file = self.place.folder.join("ready.json");
        let _ = fs::remove_file(&ready_file);
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let server = bound(&program("secureguard")?, "KILL")
            .args(["up", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
            .arg(&self.place.data_dir)
            .arg("--ready-file")
            .arg(&ready_file)
            .env("SECUREGUARD_INGEST__CHECK_IN_SECONDS", "5")
            .envs(self.place.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.server = Some(server);
        let ready = wait_for("the server is ready, or has ended", START, async || {
            let ready = fs::read(&ready_file).ok();
            match ready.and_then(|bytes| serde_json::from_slice::<Ready>(&bytes).ok()) {
                Some(ready) => Some(Some(ready)),
                None => self.has_ended().map(|_| None),
            }
        })
        .await?;
        let Some(ready) = ready else {
            self.server = None;
            bail!("the server ended at its start\n{}", self.log());
        };
        self.url = ready.url;
        self.database_url = ready.database_url;
        if let Some(key) = ready.enrolment_key {
            self.enrolment_key = key;
        }
        if let Some(admin) = ready.admin {
            self.admin = admin;
        }
        Ok(())
    }

    /// Takes the server away at once: no signal handler runs.
    ///
    /// # Errors
    /// When none runs.
    pub fn kill_server(&mut self) -> Result<()> {
        let mut server = self.server.take().context("no server runs")?;
        server.kill()?;
        server.wait()?;
        Ok(())
    }

    /// Takes the processor from the server, or gives it back.
    ///
    /// # Errors
    /// When none runs.
    pub fn signal_server(&self, signal: Signal) -> Result<()> {
        let server = self.server.as_ref().context("no server runs")?;
        Ok(kill_process(Pid::from_child(server), signal)?)
    }

    /// Asks the server to end, as Ctrl-C does, and waits.
    ///
    /// # Errors
    /// When it does not end in order.
    pub async fn stop_server(&mut self) -> Result<()> {
        let mut server = self.server.take().context("no server runs")?;
        kill_process(Pid::from_child(&server), Signal::TERM)?;
        let status = wait_for("the server ends", Duration::from_secs(30), async || {
            server.try_wait().ok().flatten()
        })
        .await?;
        ensure!(status.success(), "{status}\n{}", self.log());
        Ok(())
    }

    /// Makes sure that the server has not ended on its own.
    ///
    /// # Errors
    /// When it has; with the end of its log.
    pub fn check_server(&mut self) -> Result<()> {
        match self.has_ended() {
            None => Ok(()),
            Some(status) => bail!("the server ended ({status})\n{}", self.log()),
        }
    }

    fn has_ended(&mut self) -> Option<String> {
        match &mut self.server {
            None => Some("it was not started".to_owned()),
            Some(server) => server.try_wait().ok().flatten().map(|status| status.to_string()),
        }
    }

    /// Kills the process that all of PostgreSQL hangs on.
    ///
    /// # Errors
    /// When none runs.
    pub fn kill_postmaster(&self) -> Result<()> {
        self.signal_postgres(
            self.postmaster().context("PostgreSQL does not run")?,
            Signal::KILL,
        )
    }

    /// Kills a process that serves a connection of the ingest; PostgreSQL then ends all others and recovers.
    ///
    /// # Errors
    /// When there is none.
    pub async fn kill_ingest_backend(&self) -> Result<()> {
        let mut conn = self.connect().await?;
        let backend: i32 = sqlx::query_scalar(
            // Of other roles' sessions it tells no more than the process and the name.
            "select a.pid from pg_stat_activity a where a.usename = 'sg_system' order by a.pid limit 1",
        )
        .fetch_one(&mut conn)
        .await?;
        let pid = Pid::from_raw(backend).context("a process without a number")?;
        self.signal_postgres(pid, Signal::KILL)
    }

    /// The postmaster, when there is one.
    pub fn postmaster(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.cluster_dir().join("postmaster.pid")).ok()?;
        let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
        self.is_own_postgres(pid).then_some(pid)
    }

    /// Takes the processor from all of PostgreSQL, or gives it back.
    ///
    /// # Errors
    /// When the processes cannot be listed.
    pub fn signal_cluster(&self, signal: Signal) -> Result<()> {
        let pids = fs::read_dir("/proc")?.flatten();
        let pids = pids.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
        for pid in pids.filter(|pid| self.is_own_postgres(*pid)) {
            // One that has just ended needs no signal.
            let _ = kill_process(pid, signal);
        }
        Ok(())
    }

    /// A connection as `sg_admin`, who sees every tenant.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn connect(&self) -> Result<PgConnection> {
        wait_for(
            "PostgreSQL takes a connection",
            Duration::from_secs(30),
            async || PgConnection::connect(&self.database_url).await.ok(),
        )
        .await
    }

    /// The end of the server's log, for messages.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn signal_postgres(&self, pid: Pid, signal: Signal) -> Result<()> {
        ensure!(
            self.is_own_postgres(pid),
            "{pid:?} is no process of this installation's PostgreSQL"
        );
        Ok(kill_process(pid, signal)?)
    }

    /// PostgreSQL's processes work in the folder of their cluster.
    fn is_own_postgres(&self, pid: Pid) -> bool {
        let proc = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        let is_postgres = fs::read_link(proc.join("exe")).is_ok_and(|exe| exe.ends_with("postgres"));
        is_postgres && fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd == self.cluster_dir())
    }

    fn cluster_dir(&self) -> PathBuf {
        let dir = self.place.data_dir.join("postgres");
        dir.canonicalize().unwrap_or(dir)
    }

    fn log_path(&self) -> PathBuf {
        Path::join(&self.place.folder, "server.log")
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // What is stopped hears of nothing else.
        let _ = self.signal_cluster(Signal::CONT);
        if let Some(mut server) = self.server.take() {
            let _ = kill_process(Pid::from_child(&server), Signal::CONT);
            let _ = kill_process(Pid::from_child(&server), Signal::TERM);
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(15) && matches!(server.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        // Its folder may be about to go; whatever a failed test left must not go on writing there.
        if let Some(postmaster) = self.postmaster() {
            let _ = kill_process(postmaster, Signal::QUIT);
        }
    }
}
