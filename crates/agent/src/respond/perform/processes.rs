//! Processes: listing and killing them.

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use sg_types::response::ProcessArguments;

use super::{Done, Tools};
use crate::collect::process::{list_processes, process_key, read_boot_id, read_process};
use crate::respond::output::Output;

/// Seconds that a killed process may take to go.
const PATIENCE_SECONDS: i64 = 5;

pub(super) fn list(tools: &Tools, output: &Output) -> Result<Done> {
    let boot = read_boot_id();
    let mut pids = list_processes();
    pids.sort_unstable();
    let mut count = 0;
    output.line("pid\tparent\tuser\tkey\tcommand line");
    for facts in pids.into_iter().filter_map(|pid| read_process(pid).ok()) {
        let user = facts
            .uid
            .map_or_else(|| "?".to_owned(), |uid| tools.users.name(uid));
        let command_line: String = facts
            .command_line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        output.line(&format!(
            "{}\t{}\t{user}\t{}\t{command_line}",
            facts.pid,
            facts.parent,
            process_key(&boot, facts.pid, facts.start_ticks),
        ));
        count += 1;
    }
    Done::saying(format!("{count} processes"))
}

/// Kills by a descriptor of the process, so that nothing else is hit when the process id is given to another meanwhile.
pub(super) fn kill(arguments: &ProcessArguments) -> Result<Done> {
    let pid = arguments.pid;
    if pid == std::process::id() {
        bail!("the agent does not kill itself; `restart_agent` starts it anew");
    }
    let raw = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .context("that is no process id")?;
    let process = match pidfd_open(raw, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => bail!("there is no process {pid}"),
        Err(error) => return Err(error).with_context(|| format!("cannot open process {pid}")),
    };
    let facts = read_process(pid).with_context(|| format!("there is no process {pid}"))?;
    let key = process_key(&read_boot_id(), pid, facts.start_ticks);
    if let Some(wanted) = arguments.key.as_ref().filter(|wanted| **wanted != key) {
        bail!("process {pid} is another one than asked for: {key} instead of {wanted}");
    }
    match pidfd_send_signal(&process, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => return Err(error).with_context(|| format!("cannot kill process {pid}")),
    }
    let wait = Timespec {
        tv_sec: PATIENCE_SECONDS,
        tv_nsec: 0,
    };
    let mut ends = [PollFd::new(&process, PollFlags::IN)];
    if poll(&mut ends, Some(&wait))? == 0 {
        bail!("process {pid} was sent SIGKILL and is still there after {PATIENCE_SECONDS} s");
    }
    Done::saying(format!("process {pid} ({}) is gone", facts.name))
}
