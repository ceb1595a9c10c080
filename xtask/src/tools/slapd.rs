//! OpenLDAP's server, which the tests of directories run.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use crate::{Result, shell};

/// Where OpenLDAP's server is: `/`, or the folder that it was unpacked into.
pub(crate) struct Slapd {
    pub(crate) root: PathBuf,
    pub(crate) version: String,
}

/// Takes the machine's own, else unpacks Debian's package.
pub(crate) fn ensure() -> Result<Slapd> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    apt::install(
        &["slapd"],
        "OpenLDAP's server is missing (the tests of directories run it)",
    )?;
    find()?.ok_or_else(|| "the unpacked slapd does not run".to_owned())
}

fn find() -> Result<Option<Slapd>> {
    for root in [PathBuf::from("/"), apt::unpacked_root()?] {
        if let Some(version) = probe(&root)? {
            return Ok(Some(Slapd { root, version }));
        }
    }
    Ok(None)
}

fn probe(root: &Path) -> Result<Option<String>> {
    let program = root.join("usr/sbin/slapd");
    // Schema and modules lie beside it.
    if !program.is_file() || !root.join("etc/ldap/schema/core.schema").is_file() {
        return Ok(None);
    }
    // It tells its version on the error stream.
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" -VV 2>&1"]).arg(&program);
    if root != Path::new("/") {
        command.env("LD_LIBRARY_PATH", apt::library_path()?);
    }
    let text = shell::output(&mut command).unwrap_or_default();
    Ok(text
        .split_whitespace()
        .skip_while(|word| *word != "slapd")
        .nth(1)
        .map(str::to_owned))
}
