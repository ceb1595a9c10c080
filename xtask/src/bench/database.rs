//! Measurements inside PostgreSQL, on a durable cluster of their own: `sg-db-bench` of the testkit, a release build as what they stand for, makes the
//! rows and prints the figures.

use std::process::Command;

use crate::build::{Profile, cargo};
use crate::{Result, shell, tools, ui};

const PROGRAM: &str = "sg-db-bench";

/// Runs one of them, with `large` rows where the arguments ask for that.
pub(super) fn measure(name: &str, large: u64, arguments: &[String]) -> Result {
    let postgres = tools::postgres::ensure()?;
    ui::step("building the bench (release)", || {
        shell::output(cargo().args([
            "build",
            "--quiet",
            "--release",
            "-p",
            "sg-testkit",
            "--bin",
            PROGRAM,
        ]))
        .map(drop)
    })?;
    let mut command = on_one_processor();
    command.arg(name).env("PG_BIN", &postgres.bin_dir);
    if arguments.iter().any(|word| word == "--large") {
        command.args(["--rows", &large.to_string()]);
    } else if let Some(place) = arguments.iter().position(|word| word == "--rows") {
        command.args(arguments.iter().skip(place).take(2));
    }
    shell::run(&mut command)
}

/// PostgreSQL and its client take turns; waking each other across processors takes longer than what is measured, and varies by more.
fn on_one_processor() -> Command {
    let program = Profile::Release.dir().join(PROGRAM);
    let last = std::thread::available_parallelism().map_or(0, |count| count.get() - 1);
    if shell::output(Command::new("taskset").arg("--version")).is_err() {
        ui::say("taskset is missing: the processes move between processors, and the figures vary");
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &last.to_string()]).arg(program);
    command
}
