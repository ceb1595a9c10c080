//! One of several nodes of `serve` before one PostgreSQL.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};
use sg_load::{Client, Target, bound};

use super::{program, wait_for};

/// How long a start may take on a machine that compiles beside it.
const START: Duration = Duration::from_secs(60);

/// What nodes of one installation have in common.
#[derive(Debug, Clone)]
pub struct Nodes {
    /// The folder below which each has its own.
    pub folder: PathBuf,
    /// Connects as `sg_app`.
    pub app_url: SecretString,
    /// Connects as `sg_system`.
    pub system_url: SecretString,
    /// The folder of the programs; none: those that were built with this one.
    pub programs: Option<PathBuf>,
    /// Further variables of the environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// The first administrator and the first enrolment key.
#[derive(Debug, Clone)]
pub struct First {
    /// Sign-in name.
    pub username: String,
    /// One-time password.
    pub password: String,
    /// Enrols endpoints.
    pub enrolment_key: String,
}

/// A `serve` process.
#[derive(Debug)]
pub struct Node {
    nodes: Nodes,
    name: String,
    url: String,
    process: Option<Child>,
}

impl Nodes {
    /// `secureguard admin create-first`.
    ///
    /// # Errors
    /// When it fails, or there is an administrator already.
    pub fn create_first(&self) -> Result<First> {
        let output = self
            .command("first")?
            .args(["admin", "create-first", "--data-dir"])
            .arg(self.folder.join("first"))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
            let value = lines.find_map(|rest| rest.split_whitespace().next());
            value
                .map(str::to_owned)
                .with_context(|| format!("no {name} in {text}"))
        };
        Ok(First {
            username: value("user name:")?,
            password: value("password:")?,
            enrolment_key: value("enrolment key:")?,
        })
    }

    /// Starts a node on a port of its own and waits until it serves.
    ///
    /// # Errors
    /// When it ends, with what it said, or does not serve in time.
    pub async fn start(&self, name: &str) -> Result<Node> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut node = Node {
            nodes: self.clone(),
            name: name.to_owned(),
            url: format!("http://127.0.0.1:{port}"),
            process: None,
        };
        node.start().await?;
        Ok(node)
    }

    /// The program with the settings of the node of this name, yet without a verb.
    ///
    /// # Errors
    /// When the program is missing.
    pub fn command(&self, name: &str) -> Result<Command> {
        fs::create_dir_all(&self.folder)?;
        let keys = self.folder.join("keys");
        let program = match &self.programs {
            Some(dir) => dir.join("secureguard"),
            None => program("secureguard")?,
        };
        let mut command = bound(&program, "KILL");
        command
            .env("DATABASE_URL", self.app_url.expose_secret())
            .env("DATABASE_SYSTEM_URL", self.system_url.expose_secret())
            .env("SECUREGUARD_DATA_DIR", self.folder.join(name))
            .env("SECUREGUARD_RULES__SIGNING_KEY_FILE", keys.join("rules.pem"))
            .env("SECUREGUARD_AUDIT__SIGNING_KEY_FILE", keys.join("audit.pem"))
            .env("SECUREGUARD_SECRETS__KEYS_FILE", keys.join("secrets.json"))
            .env("SECUREGUARD_INGEST__CHECK_IN_SECONDS", "5")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        Ok(command)
    }
}

impl Node {
    /// Where it is; the same after every start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of it.
    ///
    /// # Errors
    /// None that a node of this machine gives reason for.
    pub fn client(&self, number: usize) -> Result<Client> {
        Ok(Client::new(&Target::new(&self.url, None)?, number, true))
    }

    /// Replaces its program, for the next start.
    ///
    /// # Errors
    /// When the node runs.
    pub fn replace_program(&mut self, programs: &Path) -> Result<()> {
        ensure!(self.process.is_none(), "the node runs");
        self.nodes.programs = Some(programs.to_owned());
        Ok(())
    }

    /// Starts it again.
    ///
    /// # Errors
    /// When it ends, with what it said, or does not serve in time.
    pub async fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the node runs already");
        let log = self.log_path();
        fs::create_dir_all(log.parent().unwrap_or(Path::new("/")))?;
        let address = self.url.trim_start_matches("http://");
        let process = self
            .nodes
            .command(&self.name)?
            .args(["serve", "--listen", address])
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(log)?)
            .spawn()?;
        self.process = Some(process);
        let client = Target::new(&self.url, None)?;
        let ready = wait_for("the node is ready, or has ended", START, async || {
            if self.has_ended() {
                return Some(false);
            }
            let answer = Client::new(&client, 0, false).get("/readyz", "").await.ok()?;
            (answer.status == 200).then_some(true)
        })
        .await?;
        if ready {
            return Ok(());
        }
        self.process = None;
        bail!("the node ended at its start\n{}", self.log())
    }

    /// Whether it can do its work, and what it says of that.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn readiness(&self) -> Result<(u16, String)> {
        let answer = self.client(0)?.get("/readyz", "").await?;
        Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// Takes it away at once.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the node does not run")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// When it does not end in order.
    pub async fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the node does not run")?;
        kill_process(Pid::from_child(&process), Signal::TERM)?;
        let status = wait_for("the node ends", Duration::from_secs(30), async || {
            process.try_wait().ok().flatten()
        })
        .await?;
        ensure!(status.success(), "{status}\n{}", self.log());
        Ok(())
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn has_ended(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_none_or(|process| !matches!(process.try_wait(), Ok(None)))
    }

    fn log_path(&self) -> PathBuf {
        self.nodes.folder.join(&self.name).join("server.log")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let _ = kill_process(Pid::from_child(&process), Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(15) && matches!(process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = process.kill();
        let _ = process.wait();
    }
}
