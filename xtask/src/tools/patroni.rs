//! Patroni, etcd and HAProxy, which the test of failing over runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use crate::{Result, shell};

const PACKAGES: [&str; 6] = [
    "patroni",
    "etcd-server",
    "python3-etcd",
    "haproxy",
    "python3-psycopg2",
    "python3-yaml",
];

/// Where the three are: `/`, or the folder that they were unpacked into.
pub(crate) struct Patroni {
    pub(crate) root: PathBuf,
    /// Folders of libraries; empty for what is installed.
    pub(crate) libraries: String,
    pub(crate) version: String,
}

/// Takes the machine's own, else unpacks Debian's packages.
pub(crate) fn ensure() -> Result<Patroni> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    apt::install(
        &PACKAGES,
        "Patroni, etcd or HAProxy are missing (the test of failing over runs them)",
    )?;
    find()?.ok_or_else(|| "the unpacked Patroni, etcd and HAProxy do not run".to_owned())
}

fn find() -> Result<Option<Patroni>> {
    for root in [PathBuf::from("/"), apt::unpacked_root()?] {
        if let Some(found) = probe(&root)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn probe(root: &Path) -> Result<Option<Patroni>> {
    let program = |name: &str| root.join(name);
    let (patroni, etcd, haproxy) = (
        program("usr/bin/patroni"),
        program("usr/bin/etcd"),
        program("usr/sbin/haproxy"),
    );
    if ![&patroni, &etcd, &haproxy].iter().all(|file| file.is_file()) {
        return Ok(None);
    }
    let libraries = if root == Path::new("/") {
        String::new()
    } else {
        apt::library_path()?
    };
    let answers = |command: &mut Command| {
        if !libraries.is_empty() {
            command.env("LD_LIBRARY_PATH", &libraries);
        }
        shell::output(command).ok()
    };
    let mut python = Command::new("/usr/bin/python3");
    python
        .arg(&patroni)
        .arg("--version")
        .env("PYTHONPATH", root.join("usr/lib/python3/dist-packages"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let version =
        answers(&mut python).and_then(|text| Some(text.trim().strip_prefix("patroni ")?.to_owned()));
    let runs = answers(Command::new(&etcd).arg("--version")).is_some()
        && answers(Command::new(&haproxy).arg("-v")).is_some();
    Ok(version.filter(|_| runs).map(|version| Patroni {
        root: root.to_owned(),
        libraries,
        version,
    }))
}
