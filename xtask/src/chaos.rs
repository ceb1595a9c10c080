//! `cargo xtask chaos`: faults under load. `sg-chaos` of the testkit does the work; this builds what it needs and starts it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::build::{self, Profile};
use crate::tools::{self, postgres::Postgres};
use crate::{Result, shell, ui};

const PROGRAM: &str = "sg-chaos";
const USAGE: &str = "usage: cargo xtask chaos [--minutes M] [--seed S] [--endpoints N] [--release]";

pub(crate) fn chaos(arguments: &[String]) -> Result {
    let mut profile = Profile::Dev;
    let mut options = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--release" => profile = Profile::Release,
            "--minutes" | "--seed" | "--endpoints" => {
                let value = words
                    .next()
                    .ok_or_else(|| format!("{word} takes a value\n{USAGE}"))?;
                options.extend([word.clone(), value.clone()]);
            }
            other => return Err(format!("{other} is not known\n{USAGE}")),
        }
    }
    tools::compiler::check()?;
    let postgres = tools::postgres::ensure()?;
    build::console(&tools::node::ensure()?)?;
    let wanted = [build::TO_RUN, &[("sg-testkit", PROGRAM)]].concat();
    build::binaries(profile, &wanted)?;
    let (mut command, folder) = program(profile, &postgres);
    shell::run(command.args(options))?;
    let _ = fs::remove_dir_all(folder);
    Ok(())
}

/// The program, ready to be given its options, and the folder that it leaves behind.
pub(crate) fn program(profile: Profile, postgres: &Postgres) -> (Command, PathBuf) {
    // Below the folder for temporary files, which the user that PostgreSQL runs as can reach.
    let folder = std::env::temp_dir().join(format!("secureguard-chaos-{}", std::process::id()));
    let mut command = Command::new(profile.dir().join(PROGRAM));
    command
        .arg("--folder")
        .arg(&folder)
        .env("PG_BIN", &postgres.bin_dir);
    match tools::faketime::find_or_install() {
        Some(library) => {
            command.env("SG_CHAOS_FAKETIME", library);
        }
        None => ui::say("libfaketime is not there: no clock is moved in this run"),
    }
    (command, folder)
}
