//! YARA scans beside the bare library.

use crate::build::cargo;
use crate::{Result, shell};

pub(super) fn measure(arguments: &[String]) -> Result {
    let mut command = cargo();
    command.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "sg-detect",
        "--example",
        "yara",
        "--",
    ]);
    shell::run(command.args(arguments))
}
