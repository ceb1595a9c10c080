//! `cargo xtask chaos`: faults under load. `sg-chaos` of the testkit does the work; this builds what it needs and starts it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::build::{self, Profile};
use crate::options::Options;
use crate::tools::{self, postgres::Postgres};
use crate::{Result, shell, ui};

const PROGRAM: &str = "sg-chaos";
const USAGE: &str = "usage: cargo xtask chaos [--minutes M] [--seed S] [--endpoints N] [--release]";

pub(crate) fn chaos(arguments: &[String]) -> Result {
    let options = Options::parse(
        arguments,
        &["--minutes", "--seed", "--endpoints"],
        &["--release"],
        USAGE,
    )?;
    let profile = Profile::of(&options);
    tools::compiler::check()?;
    let postgres = tools::postgres::ensure()?;
    build::console(&tools::node::ensure()?)?;
    let wanted = [build::TO_RUN, &[("sg-testkit", PROGRAM)]].concat();
    build::binaries(profile, &wanted)?;
    let (mut command, folder) = program(profile, &postgres);
    shell::run(command.args(options.values()))?;
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
