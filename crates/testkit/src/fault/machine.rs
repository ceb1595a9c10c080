//! The agent's own program on this machine.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sg_db::{Stored, StreamFigures};
use sg_load::bound;
use sg_types::AgentId;
use tempfile::TempDir;
use uuid::Uuid;

use super::{ChildClock, Installation, program, wait_for};

/// Where an agent lives, and with which settings.
#[derive(Debug, Clone)]
pub struct MachinePlace {
    /// For the log and the watched folder.
    pub folder: PathBuf,
    /// For the agent's state.
    pub state_dir: PathBuf,
    /// Variables of the environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// A machine with an enrolled agent.
#[derive(Debug)]
pub struct Machine {
    place: MachinePlace,
    agent: Option<Child>,
    /// The endpoint's id.
    pub agent_id: AgentId,
    /// Gone after the agent.
    _temporary: Option<TempDir>,
}

impl Machine {
    /// Enrols one in a temporary folder.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn enrol(installation: &Installation) -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("sg-machine-").tempdir()?;
        let place = MachinePlace {
            folder: temporary.path().to_owned(),
            state_dir: temporary.path().join("state"),
            environment: Vec::new(),
        };
        let mut machine = Self::enrol_at(place, installation.url(), installation.enrolment_key())?;
        machine._temporary = Some(temporary);
        Ok(machine)
    }

    /// Enrols one at a server that is reached as `url`.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn enrol_at(place: MachinePlace, url: &str, key: &str) -> Result<Self> {
        fs::create_dir_all(place.folder.join("watched"))?;
        let mut machine = Self {
            place,
            agent: None,
            agent_id: AgentId(Uuid::nil()),
            _temporary: None,
        };
        let output = machine
            .command("enrol", false)?
            .args(["--server", url])
            .env("SECUREGUARD_ENROLMENT_KEY", key)
            .output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        machine.agent_id = serde_json::from_value(machine.status()?["agent_id"].clone())?;
        Ok(machine)
    }

    /// Starts the agent.
    ///
    /// # Errors
    /// When it runs already, or cannot be started.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.agent.is_none(), "an agent runs already");
        ChildClock::remove_leftovers()?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.place.folder.join("log"))?;
        let watched = self.watched();
        let mut command = self.command("run", true)?;
        command.args(["--metrics-interval", "1", "--watch"]).arg(watched);
        self.agent = Some(command.stdout(Stdio::null()).stderr(log).spawn()?);
        Ok(())
    }

    /// Takes the agent away at once: no signal handler runs.
    ///
    /// # Errors
    /// When it does not run, or has ended on its own.
    pub fn kill(&mut self) -> Result<()> {
        self.check()?;
        let mut agent = self.agent.take().context("no agent runs")?;
        agent.kill()?;
        agent.wait()?;
        Ok(())
    }

    /// Makes sure that the agent has not ended on its own.
    ///
    /// # Errors
    /// When it has; with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let agent = self.agent.as_mut().context("no agent runs")?;
        if let Some(status) = agent.try_wait()? {
            self.agent = None;
            anyhow::bail!("the agent has ended on its own ({status})\n{}", self.log());
        }
        Ok(())
    }

    /// Takes the processor from the agent.
    ///
    /// # Errors
    /// When it does not run.
    pub fn halt(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Gives it back.
    ///
    /// # Errors
    /// When it does not run.
    pub fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let agent = self.agent.as_ref().context("no agent runs")?;
        Ok(kill_process(Pid::from_child(agent), signal)?)
    }

    /// Asks the agent to end, and waits.
    ///
    /// # Errors
    /// When it does not end in order.
    pub async fn stop(&mut self) -> Result<()> {
        let mut agent = self.agent.take().context("no agent runs")?;
        kill_process(Pid::from_child(&agent), Signal::TERM)?;
        let status = wait_for("the agent ends", Duration::from_secs(20), async || {
            agent.try_wait().ok().flatten()
        })
        .await;
        if status.is_err() {
            self.agent = Some(agent);
        }
        let status = status?;
        ensure!(status.success(), "{status}\n{}", self.log());
        Ok(())
    }

    /// The folder that is watched.
    pub fn watched(&self) -> PathBuf {
        self.place.folder.join("watched")
    }

    /// Writes a file into the watched folder; its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_file(&self, name: &str, content: &str) -> Result<String> {
        let path = self.watched().join(name);
        fs::write(&path, content)?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// What the agent says of itself.
    ///
    /// # Errors
    /// When it says nothing.
    pub fn status(&self) -> Result<Value> {
        let output = self.command("status", false)?.arg("--json").output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The end of the agent's log, for messages.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.place.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Compares what the streams say with what is stored: every acknowledged number stands for one row, and each row has a record of its own.
    ///
    /// # Errors
    /// When it does not, or the database does not answer.
    pub async fn verify(&self, stored: &mut Stored) -> Result<StreamFigures> {
        let mut streams = stored.streams().await?.into_iter();
        let figures = streams
            .find(|figures| figures.agent_id == self.agent_id)
            .context("the endpoint has no stream")?;
        ensure!(
            figures.acknowledged == figures.rows && figures.explained == 0,
            "each acknowledged number is a row, and the server missed none: {figures:?}"
        );
        let ids = [
            stored.samples().await?,
            stored.events().await?,
            stored.matches().await?,
        ]
        .concat();
        let mut ids: Vec<Uuid> = ids
            .into_iter()
            .filter_map(|(agent, id)| (agent == self.agent_id).then_some(id))
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        ensure!(ids.len() == all, "{} records are stored twice", all - ids.len());
        let clones = stored.clones().await?;
        ensure!(clones == 0, "an endpoint was taken for a copy of itself");
        Ok(figures)
    }

    fn command(&self, verb: &str, is_daemon: bool) -> Result<Command> {
        let program = program("secureguard-agent")?;
        let mut command = if is_daemon {
            bound(&program, "KILL")
        } else {
            Command::new(&program)
        };
        command.arg(verb).arg("--state-dir").arg(&self.place.state_dir);
        command
            .env_remove("SECUREGUARD_ENROLMENT_KEY")
            .stdin(Stdio::null());
        if is_daemon {
            command.envs(self.place.environment.iter().map(|(name, value)| (name, value)));
        }
        Ok(command)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(agent) = &mut self.agent {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}
