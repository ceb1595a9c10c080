//! `secureguard bench`: what is read from the command line, and what is said.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sg_server::bench::{BenchOptions, bench};
use sg_server::config::Verb;

use crate::{block_on, prepare, print_line};

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArguments {
    /// Endpoints to simulate.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    endpoints: u32,
    /// Seconds of check-ins, after three that are not measured.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Connections at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Check-ins in a second, whether they are answered or not; without it they come as fast as they are answered.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// People who use the console while endpoints check in.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=100))]
    people: u32,
    /// Seconds between two check-ins of an endpoint, by which days and capacity are reckoned.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(5..=3_600))]
    heartbeat: u32,
    /// Speak TLS, over a new connection for each check-in, as agents come that check in every few minutes.
    #[arg(long)]
    tls: bool,
    /// Endpoints that are commanded.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    commands: u32,
    /// Endpoints that wait for commands meanwhile; at least those that are commanded do.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    waiting: u32,
    /// The folder for the scratch database, on the disk to measure: one that does not exist, or is empty. Without it, one below the current folder that is
    /// removed afterwards.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(file: Option<&Path>, arguments: BenchArguments) -> anyhow::Result<ExitCode> {
    let config = prepare(file, Verb::Up, None, None)?;
    let temporary = match arguments.dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("secureguard-bench-")
                .tempdir_in(".")?,
        ),
    };
    let folder = match (&arguments.dir, &temporary) {
        (Some(dir), _) => std::path::absolute(dir)?,
        (None, Some(temporary)) => std::path::absolute(temporary.path())?,
        (None, None) => anyhow::bail!("there is no folder to measure in"),
    };
    let options = BenchOptions {
        folder,
        endpoints: usize::try_from(arguments.endpoints)?,
        seconds: arguments.seconds,
        connections: usize::try_from(arguments.connections)?,
        heartbeat_seconds: arguments.heartbeat,
        tls: arguments.tls,
        commands: usize::try_from(arguments.commands)?,
        waiting: usize::try_from(arguments.waiting)?,
        rate: arguments.rate,
        people: usize::try_from(arguments.people)?,
        pg_bin: config.database.pg_bin().map(Path::to_owned),
    };
    let report = block_on(bench(&options, tell))?;
    if arguments.json {
        print_line(&serde_json::to_string_pretty(&report)?);
    } else {
        print_line(report.describe().trim_end());
    }
    Ok(if report.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stderr, reason = "progress for whoever waits at the terminal")]
fn tell(what: &str) {
    eprintln!("{what}");
}
