//! `secureguard maintenance …`: what is read from the command line, and what is said.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use sg_server::commands;
use sg_server::config::Verb;
use sg_types::UnknownValue;
use sg_types::api::maintenance::{MaintenancePeriod, MaintenanceRunView, MaintenanceState};

use crate::{block_on, prepare, print_line};

#[derive(Debug, Subcommand)]
pub(crate) enum Maintenance {
    /// Do the tasks of a period, and print the installation's report. A run that was broken off is taken up.
    Run {
        /// daily, weekly or monthly.
        #[arg(value_parser = parse_period)]
        period: MaintenancePeriod,
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Say what was done lately, how long it took, and what is at work.
    List {
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

fn parse_period(text: &str) -> Result<MaintenancePeriod, String> {
    text.parse().map_err(|error: UnknownValue| error.to_string())
}

pub(crate) fn run(file: Option<&Path>, command: Maintenance) -> anyhow::Result<ExitCode> {
    match command {
        Maintenance::Run { period, data_dir } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            let done = block_on(commands::run_maintenance(&config, period, tell))?;
            if let Some(report) = &done.report {
                print_line(report.trim_end());
            }
            Ok(match done.run.state {
                MaintenanceState::Completed => ExitCode::SUCCESS,
                MaintenanceState::Failed => {
                    print_line("a task has failed; the report says which");
                    ExitCode::FAILURE
                }
                MaintenanceState::Running | MaintenanceState::Waiting => {
                    print_line("stopped; the next run takes it up");
                    ExitCode::FAILURE
                }
            })
        }
        Maintenance::List { data_dir } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            let runs = block_on(commands::list_maintenance(&config))?;
            if runs.is_empty() {
                print_line("no maintenance was done yet; `secureguard maintenance run daily` does some");
            }
            runs.iter().for_each(print_run);
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[expect(clippy::print_stderr, reason = "progress for whoever waits at the terminal")]
fn tell(what: &str) {
    eprintln!("{what} …");
}

fn print_run(run: &MaintenanceRunView) {
    let broken_off = if run.interruptions > 0 {
        format!("  broken off {}×", run.interruptions)
    } else {
        String::new()
    };
    print_line(&format!(
        "{}  {:7}  {:9}  {}{broken_off}",
        run.started_at.to_rfc3339(),
        run.period.as_str(),
        run.state.as_str(),
        run.node
    ));
    for task in &run.tasks {
        let took = task
            .started_at
            .zip(task.finished_at)
            .map_or_else(String::new, |(from, to)| {
                #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
                let seconds = (to - from).num_milliseconds() as f64 / 1000.0;
                format!("  {seconds:.1} s")
            });
        let more = task.progress.as_ref().or(task.problem.as_ref());
        let more = more.map_or_else(String::new, |more| format!("  {more}"));
        let found = if task.finding_count > 0 {
            format!("  {} to do", task.finding_count)
        } else {
            String::new()
        };
        print_line(&format!(
            "    {:18} {:9}{took}{found}{more}",
            task.task.as_str(),
            task.state.as_str()
        ));
    }
}
