//! pgBackRest, which makes the backups.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use crate::{Result, shell};

/// Where pgBackRest is.
pub(crate) struct PgBackRest {
    pub(crate) program: PathBuf,
    pub(crate) version: String,
}

/// Takes the machine's own, else unpacks Debian's package.
pub(crate) fn ensure() -> Result<PgBackRest> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    apt::install(
        &["pgbackrest"],
        "pgBackRest is missing (the tests of backups run it)",
    )?;
    find()?.ok_or_else(|| "the unpacked pgBackRest does not run".to_owned())
}

fn find() -> Result<Option<PgBackRest>> {
    for root in [PathBuf::from("/"), apt::unpacked_root()?] {
        if let Some(found) = probe(&root)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn probe(root: &Path) -> Result<Option<PgBackRest>> {
    let program = root.join("usr/bin/pgbackrest");
    if !program.is_file() {
        return Ok(None);
    }
    let mut command = Command::new(&program);
    if root != Path::new("/") {
        command.env("LD_LIBRARY_PATH", apt::library_path()?);
    }
    let text = shell::output(command.arg("version")).unwrap_or_default();
    let version = text.trim().strip_prefix("pgBackRest ").map(str::to_owned);
    Ok(version.map(|version| PgBackRest { program, version }))
}
