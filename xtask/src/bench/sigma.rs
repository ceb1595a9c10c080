//! The Sigma engine beside rsigma-eval. The program is a crate of its own outside the workspace.

use crate::build::cargo;
use crate::{Result, paths, shell};

pub(super) fn measure(arguments: &[String]) -> Result {
    let manifest = paths::root().join("tools/sigma-referee/Cargo.toml");
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--locked", "--manifest-path"]);
    command.arg(manifest).arg("--target-dir").arg(paths::target_dir());
    shell::run(command.arg("--").args(arguments))
}
