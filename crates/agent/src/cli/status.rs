//! `status`: how the agent is doing.

use anyhow::{Result, bail};
use serde::Serialize;
use sg_types::AgentId;

use super::{StatusArgs, say};
use crate::health::{STATUS_FILE, Snapshot};
use crate::identity::{Identity, StateDir};

/// What `status --json` prints.
#[derive(Debug, Serialize)]
struct Report {
    enrolled: bool,
    running: bool,
    server: String,
    agent_id: AgentId,
    /// The running agent's view, or the last one of an agent that does not run.
    agent: Option<Snapshot>,
}

pub(super) fn show_status(arguments: &StatusArgs) -> Result<()> {
    let dir = StateDir::open(&arguments.state.state_dir)?;
    let Some(identity) = Identity::load(&dir)? else {
        if arguments.json {
            say(r#"{"enrolled":false}"#);
        }
        bail!(
            "this machine is not enrolled: use `secureguard-agent enrol --server URL --key-file FILE --state-dir {}`",
            dir.path().display()
        );
    };
    let report = Report {
        enrolled: true,
        running: dir.is_locked(),
        server: identity.server,
        agent_id: identity.agent_id,
        agent: dir.read_json(STATUS_FILE).unwrap_or_default(),
    };
    if arguments.json {
        say(&serde_json::to_string_pretty(&report)?);
    } else {
        describe(&report).iter().for_each(|line| say(line));
    }
    Ok(())
}

fn describe(report: &Report) -> Vec<String> {
    let mut lines = vec![format!("enrolled at {} as {}", report.server, report.agent_id)];
    let Some(agent) = &report.agent else {
        lines.push("the agent has not run yet: start it with `secureguard-agent run`".to_owned());
        return lines;
    };
    lines.push(if report.running {
        format!("running as process {}", agent.pid)
    } else {
        "not running; what follows is from its last run".to_owned()
    });
    match &agent.last_acknowledged_at {
        Some(at) => lines.push(format!(
            "last acknowledged check-in: {}",
            at.format("%Y-%m-%d %H:%M:%S UTC")
        )),
        None => lines.push("no check-in has been acknowledged since the start".to_owned()),
    }
    lines.extend(agent.uplink_error.iter().map(|error| format!("PROBLEM: {error}")));
    lines.push(format!(
        "waiting for the server: {} records, {} bytes",
        agent.backlog_records, agent.spool_bytes
    ));
    lines.extend(
        agent
            .spool_error
            .iter()
            .map(|error| format!("PROBLEM: the spool cannot be written: {error}")),
    );
    if agent.spool_lost_records + agent.dropped_records > 0 {
        lines.push(format!(
            "lost since the start: {} from the spool, {} before it",
            agent.spool_lost_records, agent.dropped_records
        ));
    }
    lines.push(match agent.rules_version {
        0 => "no rules yet".to_owned(),
        version => format!(
            "rules: version {version}, {} in force, {} refused",
            agent.rules_in_force, agent.rules_refused
        ),
    });
    lines.extend(agent.rules_error.iter().map(|error| format!("PROBLEM: {error}")));
    for source in agent.sources.values() {
        lines.push(format!("{} events: {}", source.area, source.source));
        lines.extend(source.gap.iter().map(|gap| format!("  not seen: {gap}")));
    }
    lines
}
