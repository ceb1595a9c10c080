//! Measurements inside PostgreSQL, on a durable cluster of their own: `sg-db-bench` of the testkit makes the rows and prints the figures.

use crate::build::cargo;
use crate::{Result, shell, tools};

/// Runs one of them, with `large` rows where the arguments ask for that.
pub(super) fn measure(name: &str, large: u64, arguments: &[String]) -> Result {
    let postgres = tools::postgres::ensure()?;
    let mut command = cargo();
    command
        .args([
            "run",
            "--quiet",
            "-p",
            "sg-testkit",
            "--bin",
            "sg-db-bench",
            "--",
            name,
        ])
        .env("PG_BIN", &postgres.bin_dir);
    if arguments.iter().any(|word| word == "--large") {
        command.args(["--rows", &large.to_string()]);
    } else if let Some(place) = arguments.iter().position(|word| word == "--rows") {
        command.args(arguments.iter().skip(place).take(2));
    }
    shell::run(&mut command)
}
