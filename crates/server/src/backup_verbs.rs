//! `secureguard backup …` and `secureguard restore`: what is read from the command line, and what is said.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use sg_postgres::{BackupInfo, BackupKind, Until};
use sg_server::backup::{Finished, RestoreReport, RunKind};
use sg_server::commands;
use sg_server::config::Verb;
use sg_types::api::backups::{BackupRunKind, BackupRunState};

use crate::{block_on, prepare, print_line};

#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    /// Make the repository and its pass, and say what else is to be done.
    Init(Place),
    /// Back everything up.
    Full(Place),
    /// Back up what has changed since the last backup.
    Incr(Place),
    /// Say what can be restored, and what was done lately.
    List(Place),
    /// Read every file of the repositories, and look for gaps in the archive.
    Verify(Place),
    /// Restore the last backup beside the running system, examine it, and measure RPO and RTO.
    Drill {
        /// Restore to this moment, such as 2026-03-01T12:00:00Z, instead of the latest.
        #[arg(long, value_name = "TIME")]
        to_time: Option<DateTime<Utc>>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The data directory of the server.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArguments {
    /// The data directory to make; empty or not there.
    #[arg(long, value_name = "DIR")]
    target: PathBuf,
    /// Restore to this moment, such as 2026-03-01T12:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "to_latest")]
    to_time: Option<DateTime<Utc>>,
    /// Restore to the end of the archive; so without either.
    #[arg(long)]
    to_latest: bool,
    /// Begin with this backup, as `backup list` names it, instead of the newest that fits.
    #[arg(long, value_name = "NAME")]
    backup: Option<String>,
    /// The repository, instead of that of the configuration.
    #[arg(long, value_name = "DIR")]
    repository: Option<PathBuf>,
    /// File of the repository's pass, instead of that of the configuration.
    #[arg(long, value_name = "FILE")]
    pass_file: Option<PathBuf>,
    /// The data directory of the server that is gone or to be replaced, where its pass file is.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(file: Option<&Path>, command: Backup) -> anyhow::Result<ExitCode> {
    let (kind, place) = match command {
        Backup::Init(place) => {
            let config = prepare(file, Verb::Up, place.data_dir, None)?;
            for line in block_on(commands::init_backups(&config, tell))? {
                print_line(&line);
            }
            return Ok(ExitCode::SUCCESS);
        }
        Backup::List(place) => {
            let config = prepare(file, Verb::Up, place.data_dir, None)?;
            let (backups, runs) = block_on(commands::list_backups(&config))?;
            print_backups(&backups);
            print_runs(&runs);
            return Ok(ExitCode::SUCCESS);
        }
        Backup::Full(place) => (RunKind::Backup(BackupKind::Full), place),
        Backup::Incr(place) => (RunKind::Backup(BackupKind::Incremental), place),
        Backup::Verify(place) => (RunKind::Verify, place),
        Backup::Drill { to_time, place } => (RunKind::Drill(until(to_time)), place),
    };
    let config = prepare(file, Verb::Up, place.data_dir, None)?;
    let finished = block_on(commands::run_backup(&config, kind, tell))?;
    Ok(print_finished(&finished))
}

pub(crate) fn restore(file: Option<&Path>, arguments: RestoreArguments) -> anyhow::Result<()> {
    let mut config = prepare(file, Verb::Up, arguments.data_dir, None)?;
    if let Some(repository) = arguments.repository {
        config.backup.repository = std::path::absolute(repository)?;
    }
    if let Some(pass_file) = arguments.pass_file {
        config.backup.pass_file = std::path::absolute(pass_file)?;
    }
    let target = std::path::absolute(arguments.target)?;
    let report = block_on(commands::restore_backup(
        &config,
        target.clone(),
        until(arguments.to_time),
        arguments.backup,
        tell,
    ))?;
    print_restored(&report, &target);
    Ok(())
}

fn until(time: Option<DateTime<Utc>>) -> Until {
    time.map_or(Until::Latest, Until::Time)
}

#[expect(clippy::print_stderr, reason = "progress for whoever waits at the terminal")]
fn tell(percent: f64) {
    eprintln!("{percent:5.1} % done");
}

fn print_backups(backups: &[BackupInfo]) {
    if backups.is_empty() {
        print_line("the repository holds no backup; `secureguard backup full` makes one");
    }
    for backup in backups {
        let fault = if backup.has_page_errors {
            ", with damaged pages: not to be restored from"
        } else {
            ""
        };
        print_line(&format!(
            "{}  {:4}  repository {}  complete {}  database {}, stored {}{fault}",
            backup.label,
            backup.kind,
            backup.repository,
            backup.finished_at.to_rfc3339(),
            megabytes(backup.database_bytes),
            megabytes(backup.stored_bytes)
        ));
    }
    if let Some(first) = backups.iter().find(|backup| !backup.has_page_errors) {
        print_line(&format!(
            "any moment from {} on can be restored",
            first.finished_at.to_rfc3339()
        ));
    }
}

fn print_runs(runs: &[sg_types::api::backups::BackupRunView]) {
    for run in runs {
        let kind = run.kind.as_str();
        let figures = match (run.kind, run.rpo_seconds, run.rto_seconds) {
            (BackupRunKind::Drill, Some(rpo), Some(rto)) => format!("  RPO {rpo:.1} s  RTO {rto:.1} s"),
            _ => String::new(),
        };
        let problem = run
            .problem
            .as_ref()
            .map_or_else(String::new, |problem| format!("  {problem}"));
        print_line(&format!(
            "{}  {kind:6}  {}{figures}{problem}",
            run.started_at.to_rfc3339(),
            run.state.as_str()
        ));
    }
}

fn print_finished(finished: &Finished) -> ExitCode {
    let (outcome, took) = (&finished.outcome, finished.took.as_secs_f64());
    if let (Some(label), Some(bytes)) = (&outcome.label, outcome.database_bytes) {
        print_line(&format!(
            "backup {label}, database {}",
            megabytes(bytes.unsigned_abs())
        ));
    }
    if let Some(bytes) = outcome.stored_bytes {
        print_line(&format!("stored {}", megabytes(bytes.unsigned_abs())));
    }
    for check in outcome.detail["checks"].as_array().into_iter().flatten() {
        print_line(check.as_str().unwrap_or_default());
    }
    if let Some(at) = outcome.recovered_to {
        print_line(&format!("recovered to {}", at.to_rfc3339()));
    }
    if let Some(seconds) = outcome.rpo_seconds {
        print_line(&format!(
            "RPO {seconds:.1} s: so much was not in the archive when the drill began"
        ));
    }
    if let Some(seconds) = outcome.rto_seconds {
        print_line(&format!(
            "RTO {seconds:.1} s: until the restored database accepted writes"
        ));
    }
    match (finished.state, &outcome.problem) {
        (BackupRunState::Completed, _) => {
            print_line(&format!("done in {took:.1} s"));
            ExitCode::SUCCESS
        }
        (_, problem) => {
            print_line(&format!(
                "FAILED after {took:.1} s: {}",
                problem.as_deref().unwrap_or("no reason is known")
            ));
            ExitCode::FAILURE
        }
    }
}

fn print_restored(report: &RestoreReport, target: &Path) {
    let seconds = report.copy.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = report.database_bytes as f64 / 1e6 / seconds.max(0.001);
    print_line(&format!(
        "restored backup {} (complete {}): {} in {seconds:.1} s, {rate:.0} MB/s",
        report.label,
        report.backup_at.to_rfc3339(),
        megabytes(report.database_bytes)
    ));
    let reached = report
        .recovered_to
        .map_or_else(|| "the end of the backup".to_owned(), |at| at.to_rfc3339());
    print_line(&format!(
        "replayed the log to {reached} in {:.1} s; {} rows were read",
        report.replay.as_secs_f64(),
        report.rows
    ));
    for file in &report.files {
        print_line(&format!("  {} is {}", file.from.display(), file.to.display()));
    }
    print_line(&format!(
        "next: make sure that the old server does not run any more, then: secureguard up --data-dir {}",
        target.display()
    ));
}

fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.1} MB")
}
