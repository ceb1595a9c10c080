//! `cargo xtask failover`: the primary of a PostgreSQL under Patroni is taken away under load. `sg-failover` of the testkit does the work; this builds what it needs.

use std::fs;

use crate::build::{self, Profile};
use crate::options::Options;
use crate::tools;
use crate::{Result, shell};

const PROGRAM: &str = "sg-failover";
const USAGE: &str = "usage: cargo xtask failover [--endpoints N] [--mode sync|async|both] [--release]";

pub(crate) fn failover(arguments: &[String]) -> Result {
    let options = Options::parse(arguments, &["--endpoints", "--mode"], &["--release"], USAGE)?;
    let profile = Profile::of(&options);
    tools::compiler::check()?;
    let postgres = tools::postgres::ensure()?;
    let patroni = tools::patroni::ensure()?;
    build::console(&tools::node::ensure()?)?;
    let wanted = [build::TO_RUN, &[("sg-testkit", PROGRAM)]].concat();
    build::binaries(profile, &wanted)?;
    // Below the folder for temporary files, which the account that PostgreSQL runs as can reach.
    let folder = std::env::temp_dir().join(format!("secureguard-failover-{}", std::process::id()));
    let mut command = std::process::Command::new(profile.dir().join(PROGRAM));
    command
        .args(options.values())
        .arg("--folder")
        .arg(&folder)
        .env("PG_BIN", &postgres.bin_dir)
        .env("SG_FAILOVER_ROOT", &patroni.root)
        .env("SG_FAILOVER_LIBRARIES", &patroni.libraries);
    shell::run(&mut command)?;
    let _ = fs::remove_dir_all(folder);
    Ok(())
}
