//! `cargo xtask failover`: the primary of a PostgreSQL under Patroni is taken away under load. `sg-failover` of the testkit does the work; this builds what it needs.

use std::fs;

use crate::build::{self, Profile};
use crate::tools;
use crate::{Result, shell};

const PROGRAM: &str = "sg-failover";
const USAGE: &str = "usage: cargo xtask failover [--endpoints N] [--mode sync|async|both] [--release]";

pub(crate) fn failover(arguments: &[String]) -> Result {
    let mut profile = Profile::Dev;
    let mut options = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--release" => profile = Profile::Release,
            "--endpoints" | "--mode" => {
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
    let patroni = tools::patroni::ensure()?;
    build::console(&tools::node::ensure()?)?;
    let wanted = [build::TO_RUN, &[("sg-testkit", PROGRAM)]].concat();
    build::binaries(profile, &wanted)?;
    // Below the folder for temporary files, which the account that PostgreSQL runs as can reach.
    let folder = std::env::temp_dir().join(format!("secureguard-failover-{}", std::process::id()));
    let mut command = std::process::Command::new(profile.dir().join(PROGRAM));
    command
        .args(options)
        .arg("--folder")
        .arg(&folder)
        .env("PG_BIN", &postgres.bin_dir)
        .env("SG_FAILOVER_ROOT", &patroni.root)
        .env("SG_FAILOVER_LIBRARIES", &patroni.libraries);
    shell::run(&mut command)?;
    let _ = fs::remove_dir_all(folder);
    Ok(())
}
