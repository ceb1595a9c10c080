//! Doing what was ordered, on a thread of its own. Each looks afterwards whether what was wanted is so.

mod diagnostics;
mod files;
mod network;
mod processes;
mod scan;
mod script;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use sg_types::response::{CommandAction, CommandOrder};
use sg_types::{Clock, Ids};
use tokio::sync::Notify;

use super::output::Output;
use crate::collect::UserNames;
use crate::detect::RulesInForce;
use crate::health::Health;
use crate::identity::StateDir;
use crate::spool::WriterHandle;

pub(crate) use network::restore_isolation;

/// What the commands work with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) state: StateDir,
    pub(crate) rules: Arc<RulesInForce>,
    pub(crate) writer: WriterHandle,
    pub(crate) health: Arc<Health>,
    pub(crate) users: Arc<UserNames>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    /// The server's URL, which an isolated endpoint still reaches.
    pub(crate) server: String,
    /// Bytes up to which a file's content is scanned.
    pub(crate) max_file_bytes: u64,
    /// Wakes the uplink.
    pub(crate) check_in: Arc<Notify>,
}

/// How a command ended that could be done.
pub(super) struct Done {
    /// What was found afterwards, in a sentence.
    pub(super) summary: String,
    /// Where a process ended.
    pub(super) exit_code: Option<i32>,
}

impl Done {
    fn saying(summary: impl Into<String>) -> Result<Self> {
        Ok(Self {
            summary: summary.into(),
            exit_code: None,
        })
    }
}

/// Does what the order says.
///
/// # Errors
/// Why it was not done, or why what was wanted is not so.
pub(super) fn perform(order: &CommandOrder, tools: &Tools, output: &Output) -> Result<Done> {
    match &order.action {
        CommandAction::ListProcesses(_) => processes::list(tools, output),
        CommandAction::CollectDiagnostics(_) => diagnostics::collect(tools, output),
        CommandAction::CollectFile(arguments) => files::collect(tools, Path::new(&arguments.path), output),
        CommandAction::ScanPath(arguments) => scan::scan(tools, Path::new(&arguments.path), output),
        CommandAction::RefreshRules(_) => refresh_rules(tools),
        CommandAction::KillProcess(arguments) => processes::kill(arguments),
        CommandAction::QuarantineFile(arguments) => files::quarantine(tools, order.command_id, arguments),
        CommandAction::RestoreFile(arguments) => files::restore(tools, arguments.quarantined_by),
        CommandAction::IsolateNetwork(_) => network::isolate(tools, order.command_id),
        CommandAction::ReleaseNetwork(_) => network::release(tools),
        CommandAction::RunScript(arguments) => script::run(tools, order.command_id, arguments, output),
        // The process that is asked for it does not see its end.
        CommandAction::RestartAgent(_) => bail!("a restart is not done here"),
    }
}

/// The agent's own files hold its secrets; no command reads or moves them.
fn refuse_own_files(tools: &Tools, path: &Path) -> Result<()> {
    let own = tools.state.path();
    if path.starts_with(own) || path.canonicalize().is_ok_and(|path| path.starts_with(own)) {
        bail!("{} belongs to the agent itself", path.display());
    }
    Ok(())
}

fn refresh_rules(tools: &Tools) -> Result<Done> {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
    let asked = tools.clock.now();
    tools.check_in.notify_one();
    let begin = std::time::Instant::now();
    loop {
        let health = tools.health.snapshot();
        if health.last_acknowledged_at.is_some_and(|at| at > asked) {
            if let Some(error) = health.rules_error {
                bail!("{error}");
            }
            return Done::saying(format!(
                "rule set {} is in force: {} rules, {} refused",
                health.rules_version, health.rules_in_force, health.rules_refused
            ));
        }
        if begin.elapsed() > PATIENCE {
            let error = health.uplink_error.unwrap_or_default();
            bail!("no check-in succeeded within 30 s {error}");
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Runs a program of the system and gives what it printed.
fn run_tool(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())
}
