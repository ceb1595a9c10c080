//! `sg-chaos --minutes M --seed S`: simulated endpoints and the real agent work against the real server and a PostgreSQL of its own, while each of them is killed,
//! halted, starved of disk, cut off and given a wrong clock. A ledger outside the database keeps what was acknowledged; at the end all of it has to be stored, once.
//!
//! docs/fault-testing.md says what is done and what is compared.
#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

mod disk;
mod files;
mod proxy;
mod report;
mod schedule;
mod work;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use schedule::{Fault, Schedule};
use work::Work;

const USAGE: &str = "usage: sg-chaos [--minutes M] [--seed S] [--endpoints N] [--folder DIR]";
/// How much longer than asked for a run may take until it is given up: the last recovery, emptying the backlogs, the comparison.
const OVERTIME: Duration = Duration::from_secs(300);
/// Room for the agent's state.
const AGENT_DISK: u64 = 16 << 20;

struct Options {
    minutes: f64,
    seed: u64,
    endpoints: usize,
    folder: PathBuf,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let options = Options::parse()?;
    let (server, agent) = (
        options.folder.join("server-disk"),
        options.folder.join("agent-disk"),
    );
    let is_inside = std::env::var_os(disk::INSIDE).is_some();
    let mut without_disks = None;
    if !is_inside {
        for dir in [&options.folder, &server, &agent] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        // Becomes this program again, inside; what comes back is the reason why not.
        without_disks = Some(disk::enter(
            (&server, options.server_disk()),
            (&agent, AGENT_DISK),
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    // On this thread, which lives as long as the program: the programs that it starts end with it.
    runtime.block_on(work(&options, without_disks))
}

async fn work(options: &Options, without_disks: Option<String>) -> Result<bool> {
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    say(&format!(
        "seed {}, {} minutes, {} simulated endpoints and one agent; ledger and logs in {}",
        options.seed,
        options.minutes,
        options.endpoints,
        options.folder.display()
    ));
    tell_plan(options.seed, length);
    let mut work = Work::start(&options.folder, options.endpoints, without_disks).await?;
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(length + OVERTIME, work.run(options.seed, length)) => match outcome {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("not at its end {} s after the time", OVERTIME.as_secs())),
        },
        signal = stop_signal() => signal.and_then(|()| bail!("stopped before its end")),
    };
    let report = match outcome {
        Ok(report) => report,
        Err(error) => {
            say(&format!("FAILED: {error:#}"));
            work.keep(&options.folder);
            return Ok(false);
        }
    };
    let holds = report.tell();
    if !holds {
        work.keep(&options.folder);
    }
    Ok(holds)
}

async fn stop_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// What comes of the seed within the time, if nothing took any time to recover.
fn tell_plan(seed: u64, length: Duration) {
    say(
        "the schedule, which stands for this seed (how far it gets depends on how fast everything recovers):",
    );
    let mut time = Duration::ZERO;
    for (number, step) in Schedule::new(seed).enumerate() {
        time += step.pause + step.hold;
        if time > length {
            break;
        }
        println!("    {:3}. {step}", number + 1);
        // A long run's plan is told as it goes.
        if number + 1 >= 3 * Fault::ALL.len() {
            println!("         and so on");
            break;
        }
    }
}

impl Options {
    fn parse() -> Result<Self> {
        let mut options = Self {
            minutes: 1.0,
            seed: 1,
            endpoints: 12,
            folder: PathBuf::new(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} takes a value\n{USAGE}"))
            };
            match word.as_str() {
                "--minutes" => options.minutes = value()?.parse().context("--minutes takes a number")?,
                "--seed" => options.seed = value()?.parse().context("--seed takes a number")?,
                "--endpoints" => {
                    options.endpoints = value()?.parse().context("--endpoints takes a number")?
                }
                "--folder" => options.folder = std::path::absolute(value()?)?,
                _ => bail!("{word} is not known\n{USAGE}"),
            }
        }
        if !(0.1..=1_440.0).contains(&options.minutes) || !(1..=500).contains(&options.endpoints) {
            bail!("minutes are from 0.1 to 1440, endpoints from 1 to 500");
        }
        if options.folder.as_os_str().is_empty() {
            // The same in the program that this one becomes.
            let name = format!("sg-chaos-{}-{}", options.seed, std::process::id());
            options.folder = std::env::temp_dir().join(name);
        }
        Ok(options)
    }

    /// Room for the server's data: the log of PostgreSQL up to its limit, and what the time may bring.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "1,440 minutes at most"
    )]
    fn server_disk(&self) -> u64 {
        (900 + (self.minutes * 50.0) as u64) << 20
    }
}

/// Prints a line with the seconds since the start.
pub(crate) fn say(text: &str) {
    static START: OnceLock<Instant> = OnceLock::new();
    println!(
        "[{:6.1} s] {text}",
        START.get_or_init(Instant::now).elapsed().as_secs_f64()
    );
}
