//! `sg-test-cluster COMMAND [ARGUMENT…]` runs a command with a PostgreSQL for tests, and stops it afterwards.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use sg_testkit::TestCluster;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments
        .next()
        .context("usage: sg-test-cluster COMMAND [ARGUMENT…]")?;
    let cluster = TestCluster::start().await?;
    let status = Command::new(program)
        .args(arguments)
        .envs(cluster.variables())
        .status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
