//! Scripts: run by `/bin/sh` with a bare environment, in a process group that ends with them.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use sg_types::CommandId;
use sg_types::response::ScriptArguments;

use super::{Done, Tools};
use crate::respond::output::Output;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Time between two looks whether the script has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long output may still come once the script has ended.
const PIPES_PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn run(
    tools: &Tools,
    command_id: CommandId,
    arguments: &ScriptArguments,
    output: &Output,
) -> Result<Done> {
    // From a file: what a script starts must not read the rest of the script as its input, nor other users in the list of processes.
    let path = tools.state.file(&format!("script-{command_id}.sh"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)?;
    file.write_all(arguments.script.as_bytes())?;
    drop(file);
    let outcome = run_file(&path, arguments.timeout_seconds, output);
    let _ = fs::remove_file(&path);
    outcome
}

fn run_file(path: &std::path::Path, timeout_seconds: u32, output: &Output) -> Result<Done> {
    let mut child = Command::new("/bin/sh")
        .arg(path)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start /bin/sh")?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (end, ended) = channel::<()>();
    for pipe in [
        child
            .stdout
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child
            .stderr
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ]
    .into_iter()
    .flatten()
    {
        let (output, end) = (output.clone(), end.clone());
        thread::spawn(move || {
            copy(pipe, &output);
            drop(end);
        });
    }
    drop(end);
    let begin = Instant::now();
    let limit = Duration::from_secs(timeout_seconds.into());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begin.elapsed() >= limit {
            break None;
        }
        thread::sleep(LOOK_EVERY);
    };
    // What it has left behind in its group ends too, so that the pipes close.
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let Some(status) = status else {
        child.wait()?;
        bail!("the script was killed after {timeout_seconds} s");
    };
    // The readers see the end of the pipes, unless something has left the group and holds them open.
    let _ = ended.recv_timeout(PIPES_PATIENCE);
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(Done {
            summary: "the script ended with exit code 0".to_owned(),
            exit_code: Some(0),
        }),
        (Some(code), _) => Ok(Done {
            summary: format!("the script ended with exit code {code}"),
            exit_code: Some(code),
        }),
        (None, signal) => bail!("the script was ended by signal {}", signal.unwrap_or_default()),
    }
}

fn copy(mut pipe: Box<dyn Read + Send>, output: &Output) {
    let mut buffer = [0; 8192];
    while let Ok(count) = pipe.read(&mut buffer) {
        if count == 0 {
            break;
        }
        output.write(buffer.get(..count).unwrap_or_default());
    }
}
