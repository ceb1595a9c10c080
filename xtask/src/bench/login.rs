//! What signing in costs, what its time gives away, and what a flood of it does to everybody else. The measuring program is the server's own
//! bench, which has an HTTP client and Argon2.

use crate::build::cargo;
use crate::{Result, shell, tools};

pub(super) fn measure() -> Result {
    let postgres = tools::postgres::ensure()?;
    let mut command = cargo();
    command.args(["bench", "--package", "sg-server", "--bench", "login"]);
    shell::run(command.env("PG_BIN", &postgres.bin_dir))
}
