//! A client of SCIM 2.0 that checks a server against the standard, which the tests of provisioning run.

use std::fs;
use std::path::PathBuf;

use super::python;
use crate::{Result, paths, shell, ui};

/// What is fetched, each with its version: an answer that changes is then a change of ours.
const PACKAGES: [&str; 4] = [
    "scim2-tester==0.5.2",
    "scim2-client==0.13.2",
    "scim2-models==0.12.3",
    "httpx2==2.16.2",
];

/// A program that runs Python with the client; installed into the tools folder when the packages are others than the last time.
pub(crate) fn ensure() -> Result<PathBuf> {
    let tools = paths::tools_dir()?;
    let target = tools.join("scim-tester");
    let program = tools.join("bin/scim-python");
    let (stamp, wanted) = (target.join("installed"), PACKAGES.join("\n"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && program.is_file() {
        return Ok(program);
    }
    let _lock = super::lock()?;
    let why = "it brings the client that checks provisioning by SCIM";
    let python = python::find(why)?;
    let mut pip = python::find_pip(why)?;
    ui::say(&format!(
        "the client that checks provisioning by SCIM is missing: will unpack {} (about 15 MB) from the Python package index into {}",
        PACKAGES[0],
        target.display()
    ));
    paths::make_dir(&target)?;
    paths::make_dir(&tools.join("bin"))?;
    ui::step("downloading the SCIM client with pip", || {
        shell::output(
            pip.args([
                "install",
                "--quiet",
                "--only-binary",
                ":all:",
                "--upgrade",
                "--no-warn-script-location",
                "--target",
            ])
            .arg(&target)
            .args(PACKAGES)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_ROOT_USER_ACTION", "ignore"),
        )
    })?;
    paths::write_script(&program, &python.script(&target))?;
    paths::write(&stamp, &wanted)?;
    Ok(program)
}
