//! Measurements by HTTP. The measuring programs are the server's own benches, which have an HTTP client and Argon2.

use crate::build::cargo;
use crate::{Result, shell, tools};

pub(super) fn measure(bench: &str, arguments: &[String]) -> Result {
    let postgres = tools::postgres::ensure()?;
    let mut command = cargo();
    command.args(["bench", "--package", "sg-server", "--bench", bench, "--"]);
    shell::run(command.args(arguments).env("PG_BIN", &postgres.bin_dir))
}
