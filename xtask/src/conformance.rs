//! `cargo xtask conformance`: the API against its own document. `sg-conformance` of the testkit does the work; this builds what it needs and starts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{self, Profile};
use crate::options::Options;
use crate::tools::{self, postgres::Postgres};
use crate::{Result, shell};

const PROGRAM: &str = "sg-conformance";
const USAGE: &str = "usage: cargo xtask conformance [--examples N] [--seed S] [--release]";

pub(crate) fn conformance(arguments: &[String]) -> Result {
    let options = Options::parse(arguments, &["--examples", "--seed"], &["--release"], USAGE)?;
    let profile = Profile::of(&options);
    tools::compiler::check()?;
    let postgres = tools::postgres::ensure()?;
    let python = tools::schemathesis::ensure()?;
    build::console(&tools::node::ensure()?)?;
    let wanted = [build::TO_RUN, &[("sg-testkit", PROGRAM)]].concat();
    build::binaries(profile, &wanted)?;
    let (mut command, folder) = program(profile, &postgres, &python);
    shell::run(command.args(options.values()))?;
    let _ = fs::remove_dir_all(folder);
    Ok(())
}

/// The program, ready to be given its options, and the folder that it leaves behind.
pub(crate) fn program(profile: Profile, postgres: &Postgres, python: &Path) -> (Command, PathBuf) {
    // Below the folder for temporary files, which the user that PostgreSQL runs as can reach.
    let folder = std::env::temp_dir().join(format!("secureguard-conformance-{}", std::process::id()));
    let mut command = Command::new(profile.dir().join(PROGRAM));
    command
        .arg("--folder")
        .arg(&folder)
        .env("PG_BIN", &postgres.bin_dir)
        .env("SG_CONFORMANCE_PYTHON", python);
    (command, folder)
}
