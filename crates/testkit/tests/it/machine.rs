//! The agent's own program on this machine.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sg_types::AgentId;
use sqlx::PgConnection;
use tempfile::TempDir;
use uuid::Uuid;

use crate::installation::{Installation, program, wait_for};
use crate::ledger::count;

/// A machine with an enrolled agent.
pub(crate) struct Machine {
    folder: TempDir,
    agent: Option<Child>,
    pub(crate) agent_id: AgentId,
}

impl Machine {
    pub(crate) fn enrol(installation: &Installation) -> Self {
        let folder = tempfile::Builder::new().prefix("sg-machine-").tempdir().unwrap();
        fs::create_dir(folder.path().join("watched")).unwrap();
        let mut machine = Self {
            folder,
            agent: None,
            agent_id: AgentId(Uuid::nil()),
        };
        let output = machine
            .command("enrol")
            .args(["--server", installation.url()])
            .env("SECUREGUARD_ENROLMENT_KEY", installation.enrolment_key())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        machine.agent_id = serde_json::from_value(machine.status()["agent_id"].clone()).unwrap();
        machine
    }

    /// Starts the agent.
    pub(crate) fn start(&mut self) {
        assert!(self.agent.is_none(), "an agent runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let watched = self.watched();
        let mut command = self.command("run");
        command.args(["--metrics-interval", "1", "--watch"]).arg(watched);
        self.agent = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Takes the agent away at once: no signal handler runs.
    pub(crate) fn kill(&mut self) {
        let mut agent = self.agent.take().expect("the agent runs");
        assert!(
            agent.try_wait().unwrap().is_none(),
            "the agent has ended on its own\n{}",
            self.log()
        );
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    /// Takes the processor from the agent.
    pub(crate) fn halt(&self) {
        self.signal(Signal::STOP);
    }

    /// Gives it back.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let agent = self.agent.as_ref().expect("the agent runs");
        kill_process(Pid::from_child(agent), signal).unwrap();
    }

    /// Asks the agent to end, and waits.
    pub(crate) async fn stop(&mut self) {
        let mut agent = self.agent.take().expect("the agent runs");
        kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
        let status = wait_for("the agent ends", Duration::from_secs(15), async || {
            agent.try_wait().unwrap()
        })
        .await;
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// The folder that is watched.
    pub(crate) fn watched(&self) -> PathBuf {
        self.folder.path().join("watched")
    }

    pub(crate) fn write_file(&self, name: &str, content: &str) -> String {
        let path = self.watched().join(name);
        fs::write(&path, content).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// What the agent says of itself.
    pub(crate) fn status(&self) -> Value {
        let output = self.command("status").arg("--json").output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Compares what the streams say with what is stored: every acknowledged number stands for one row, and each row has a record of its own.
    pub(crate) async fn verify(&self, conn: &mut PgConnection) {
        let acknowledged = count(
            conn,
            "select sum(t.acknowledged_through)::bigint from agents.streams t where t.agent_id = $1",
            self.agent_id,
        )
        .await;
        let (mut rows, mut distinct) = (0, 0);
        for (table, query) in [
            ("samples", "select array[count(*), count(distinct s.info_id)] from agents.system_info s where s.agent_id = $1"),
            ("events", "select array[count(*), count(distinct v.event_id)] from agents.events v where v.agent_id = $1"),
            ("gaps", "select array[count(*), count(distinct g.gap_id)] from agents.gaps g where g.agent_id = $1 and g.noticed_by = 'agent'"),
            (
                "matches",
                "select array[count(*), count(distinct o.occurrence_id)]
                 from threats.occurrences o join threats.findings f on f.finding_id = o.finding_id where f.agent_id = $1",
            ),
        ] {
            let figures: Vec<i64> = sqlx::query_scalar(query).bind(Uuid::from(self.agent_id)).fetch_one(&mut *conn).await.unwrap();
            println!("{table}: {} rows", figures[0]);
            rows += figures[0];
            distinct += figures[1];
        }
        assert_eq!(rows, distinct, "rows and different records");
        assert_eq!(rows, acknowledged, "rows (left) and acknowledged records (right)");
        let noticed = count(
            conn,
            "select count(*) from agents.gaps g where g.agent_id = $1 and g.reason in ('records_missing', 'record_refused')",
            self.agent_id,
        )
        .await;
        assert_eq!(noticed, 0, "the server missed no number and refused no record");
        let alarms = count(
            conn,
            "select count(*) from threats.findings f where f.agent_id = $1 and f.engine = 'server'",
            self.agent_id,
        )
        .await;
        assert_eq!(alarms, 0, "the agent was not taken for a copy of itself");
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(program("secureguard-agent"));
        command
            .arg(verb)
            .arg("--state-dir")
            .arg(self.folder.path().join("state"));
        command
            .env_remove("SECUREGUARD_ENROLMENT_KEY")
            .stdin(Stdio::null());
        command
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
