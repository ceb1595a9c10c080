//! Memory and processor time of an agent on a machine where nothing happens.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::{ready, report};
use crate::build::{self, Profile};
use crate::run::KEY_VARIABLE;
use crate::server::{self, Server};
use crate::{Result, paths, shell, stop, tools, ui};

/// What the agent does at its start is not idling.
const WARM_UP: Duration = Duration::from_secs(20);
/// Clock ticks per second in /proc, on every Linux.
const TICKS: f64 = 100.0;

pub(super) fn measure(arguments: &[String]) -> Result {
    let minutes: u64 = match arguments {
        [] => 10,
        [name, value] if name == "--minutes" => value
            .parse()
            .map_err(|_| format!("--minutes {value} is not a number"))?,
        other => return Err(format!("agent-idle knows --minutes N, not {other:?}")),
    };
    let postgres = tools::postgres::ensure()?;
    build::console(&tools::node::ensure()?)?;
    build::binaries(Profile::Release, build::TO_RUN)?;
    let dir = ready::scratch(0)?;
    let outcome = with_agent(&postgres, &dir, |agent| {
        watch(agent, Duration::from_secs(minutes * 60))
    });
    let _ = fs::remove_dir_all(&dir);
    outcome
}

fn with_agent(
    postgres: &tools::postgres::Postgres,
    dir: &Path,
    work: impl FnOnce(&Child) -> Result,
) -> Result {
    let mut server = Server::start(Profile::Release, postgres, &dir.join("data"), "127.0.0.1:0")?;
    let ready = server.wait(|| false)?;
    let program = Profile::Release.dir().join("secureguard-agent");
    let (state, watched) = (dir.join("agent"), dir.join("watched"));
    paths::make_dir(&watched)?;
    let start = || -> Result<Child> {
        let key = ready
            .enrolment_key
            .as_deref()
            .ok_or("the server gave no enrolment key")?;
        let mut enrol = Command::new(&program);
        shell::output(
            enrol
                .args(["enrol", "--server", &ready.url])
                .arg("--state-dir")
                .arg(&state)
                .env(KEY_VARIABLE, key),
        )?;
        let mut run = server::bound(&program);
        server::spawn(
            run.arg("run")
                .arg("--state-dir")
                .arg(&state)
                .arg("--watch")
                .arg(&watched),
            &dir.join("agent.log"),
        )
    };
    let outcome = start().and_then(|mut agent| {
        let outcome = work(&agent);
        outcome.and(stop::end(&mut agent, Duration::from_secs(20)).map(drop))
    });
    outcome.and(server.stop())
}

fn watch(agent: &Child, time: Duration) -> Result {
    std::thread::sleep(WARM_UP);
    let (began, cpu_before) = (Instant::now(), cpu_seconds(agent.id())?);
    let mut peak: f64 = 0.0;
    ui::step(
        &format!("watching the agent for {} minutes", time.as_secs() / 60),
        || {
            while began.elapsed() < time {
                std::thread::sleep(Duration::from_secs(1));
                peak = peak.max(resident_mb(agent.id())?);
            }
            Ok(())
        },
    )?;
    let percent = (cpu_seconds(agent.id())? - cpu_before) / began.elapsed().as_secs_f64() * 100.0;
    report("agent-idle-rss-peak", peak, None, "MB");
    report("agent-idle-rss", resident_mb(agent.id())?, None, "MB");
    report("agent-idle-cpu", percent, None, "percent-of-one-core");
    Ok(())
}

fn resident_mb(pid: u32) -> Result<f64> {
    let status = paths::read(Path::new(&format!("/proc/{pid}/status")))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .ok_or("the agent has ended")?;
    let kilobytes: f64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .map_err(|e| format!("VmRSS: {e}"))?;
    Ok(kilobytes * 1024.0 / 1e6)
}

fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = paths::read(Path::new(&format!("/proc/{pid}/stat")))?;
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = after_name
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>();
    Ok(ticks / TICKS)
}
