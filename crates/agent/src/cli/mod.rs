//! The command line.

mod enrol;
mod manual;
mod scan;
mod status;
mod trust;
mod unenrol;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

pub use scan::ScanArgs;

use crate::respond::End;
use crate::run::{RunConfig, run};

/// The SecureGuard endpoint agent.
#[derive(Debug, Parser)]
#[command(name = "secureguard-agent", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter by module.
    #[arg(long, global = true, env = "SECUREGUARD_LOG", default_value = "info")]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register this machine at a server.
    Enrol(EnrolArgs),
    /// Watch this machine and report to the server, until SIGTERM or SIGINT.
    Run(RunArgs),
    /// Look at files with YARA rules and indicators, archives included; nothing is sent anywhere.
    Scan(ScanArgs),
    /// Tell how the agent is doing.
    Status(StatusArgs),
    /// Pin the approver root on a machine that enrolled before there was one; whoever may do this holds the machine.
    Trust(TrustArgs),
    /// Take this machine out of service at the server and forget the identity.
    Unenrol(UnenrolArgs),
    /// Print what completes commands in a shell, such as `source <(secureguard-agent completion bash)`.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command, into a folder.
    Man {
        /// The folder, made where there is none.
        folder: PathBuf,
    },
}

/// Where the agent keeps its state.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// The agent's state folder; made owner-only.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/secureguard-agent")]
    pub state_dir: PathBuf,
}

/// Arguments of `enrol`.
#[derive(Debug, Args)]
pub struct EnrolArgs {
    /// The server's URL, such as `https://secureguard.example.org`.
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// The enrolment key. Process arguments are visible to other users of this machine: prefer --key-file or the environment.
    #[arg(
        long,
        value_name = "KEY",
        env = "SECUREGUARD_ENROLMENT_KEY",
        hide_env_values = true
    )]
    pub key: Option<String>,
    /// A file that holds the enrolment key; `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub key_file: Option<PathBuf>,
    /// The certificate authority (PEM) that alone is believed for the server's certificate.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Enrol although this machine is enrolled already.
    #[arg(long)]
    pub force: bool,
    /// State folder.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// State folder.
    #[command(flatten)]
    pub state: StateArgs,
    /// A folder whose files are watched and scanned, with everything below it. May be given several times.
    #[arg(long, value_name = "DIR")]
    pub watch: Vec<PathBuf>,
    /// Seconds between two samples of the machine's health.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub metrics_interval: u64,
    /// Bytes on disk for records that wait for the server; beyond it the oldest are dropped and that is reported.
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(crate::spool::MIN_SPOOL_BYTES..))]
    pub spool_max_bytes: u64,
    /// Bytes up to which a watched file's content is read.
    #[arg(long, value_name = "BYTES", default_value_t = 32 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(..=1024 * 1024 * 1024))]
    pub max_file_bytes: u64,
    /// Seconds that the server may take for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub request_timeout: u64,
    /// Take no remote commands on this machine, whoever signs them.
    #[arg(long)]
    pub refuse_commands: bool,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// State folder.
    #[command(flatten)]
    pub state: StateArgs,
    /// Tell it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `trust`.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// State folder.
    #[command(flatten)]
    pub state: StateArgs,
    /// The file with the approver root's public key (`keys/approver-root.pub` of the server).
    #[arg(long, value_name = "FILE")]
    pub approver_root: PathBuf,
    /// Replace a root that is pinned already.
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `unenrol`.
#[derive(Debug, Args)]
pub struct UnenrolArgs {
    /// State folder.
    #[command(flatten)]
    pub state: StateArgs,
    /// Forget the identity even when the server cannot be told; records that it did not get are lost.
    #[arg(long)]
    pub local_only: bool,
}

/// Does what the command line says and gives the program's exit code.
///
/// # Errors
/// A message for people that says what is wrong and what to do.
pub fn execute(cli: Cli) -> Result<ExitCode> {
    if let Command::Scan(arguments) = &cli.command {
        return Ok(scan::scan(arguments));
    }
    match &cli.command {
        Command::Completion { shell } => manual::complete(*shell)?,
        Command::Man { folder } => manual::write_pages(folder)?,
        _ => return execute_with_server(cli.command).map(|()| ExitCode::SUCCESS),
    }
    Ok(ExitCode::SUCCESS)
}

fn execute_with_server(command: Command) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build()?;
    match command {
        Command::Scan(_) | Command::Completion { .. } | Command::Man { .. } => Ok(()),
        Command::Enrol(arguments) => runtime.block_on(enrol::enrol(&arguments)),
        Command::Run(arguments) => {
            let end = runtime.block_on(run(RunConfig::from(arguments)))?;
            if end == End::Restart {
                drop(runtime);
                return Err(restart());
            }
            Ok(())
        }
        Command::Status(arguments) => status::show_status(&arguments),
        Command::Trust(arguments) => trust::pin_root(&arguments),
        Command::Unenrol(arguments) => runtime.block_on(unenrol::unenrol(&arguments)),
    }
}

/// Puts the program as it lies on disk now in the place of this process, with the same arguments; gives why that did not work.
fn restart() -> anyhow::Error {
    use std::os::unix::process::CommandExt;
    let program = std::env::current_exe().unwrap_or_default();
    // A program that was replaced meanwhile shows as deleted; its successor has the same name.
    let path = program.to_string_lossy();
    let path = path.strip_suffix(" (deleted)").unwrap_or(&path);
    tracing::warn!("the agent starts anew");
    let error = std::process::Command::new(path)
        .args(std::env::args_os().skip(1))
        .exec();
    anyhow::Error::new(error).context("the agent could not be started anew")
}

impl From<RunArgs> for RunConfig {
    fn from(arguments: RunArgs) -> Self {
        Self {
            state_dir: arguments.state.state_dir,
            watch: arguments.watch,
            metrics_interval: Duration::from_secs(arguments.metrics_interval),
            spool_max_bytes: arguments.spool_max_bytes,
            max_file_bytes: arguments.max_file_bytes,
            request_timeout: Duration::from_secs(arguments.request_timeout),
            take_commands: !arguments.refuse_commands,
        }
    }
}

/// Writes a line for the user; a closed pipe is no error.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}
