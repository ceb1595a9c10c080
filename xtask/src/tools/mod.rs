//! Tools that a machine may lack. Everything goes into one folder per user, nothing into the system.

pub(crate) mod apt;
pub(crate) mod chromium;
pub(crate) mod compiler;
pub(crate) mod faketime;
pub(crate) mod node;
pub(crate) mod patroni;
pub(crate) mod pgbackrest;
pub(crate) mod postgres;
pub(crate) mod postgres_18;
pub(crate) mod python;
pub(crate) mod s3_server;
pub(crate) mod schemathesis;
pub(crate) mod scim_tester;
pub(crate) mod slapd;

use std::fs::File;

use crate::{Result, npm, paths, ui};

/// `cargo xtask tools`: everything that the other commands may need.
pub(crate) fn install_all() -> Result {
    compiler::check()?;
    let postgres = postgres::ensure()?;
    ui::say(&format!(
        "PostgreSQL {}: {}",
        postgres.version,
        postgres.bin_dir.display()
    ));
    let node = node::ensure()?;
    ui::say(&format!("Node {}: {}", node.version, node.program.display()));
    let newest = postgres_18::ensure(&node)?;
    ui::say(&format!(
        "PostgreSQL {}: {}",
        newest.version,
        newest.bin_dir.display()
    ));
    for folder in ["web", "e2e"].into_iter().filter(|folder| npm::exists(folder)) {
        npm::install(&node, folder)?;
    }
    let chromium = chromium::ensure()?;
    ui::say(&format!("{}: {}", chromium.version, chromium.program.display()));
    let slapd = slapd::ensure()?;
    ui::say(&format!("slapd {}: {}", slapd.version, slapd.root.display()));
    let pgbackrest = pgbackrest::ensure()?;
    ui::say(&format!(
        "pgBackRest {}: {}",
        pgbackrest.version,
        pgbackrest.program.display()
    ));
    let patroni = patroni::ensure()?;
    ui::say(&format!(
        "Patroni {}: {}",
        patroni.version,
        patroni.root.display()
    ));
    if let Some(library) = faketime::find_or_install() {
        ui::say(&format!("libfaketime: {}", library.display()));
    }
    ui::say(&format!("SCIM client: {}", scim_tester::ensure()?.display()));
    ui::say(&format!("API requests: {}", schemathesis::ensure()?.display()));
    ui::say(&format!("S3 server: {}", s3_server::ensure()?.display()));
    Ok(())
}

/// Keeps a second installer out of the folder until it is dropped.
pub(crate) fn lock() -> Result<File> {
    let dir = paths::tools_dir()?;
    paths::make_dir(&dir)?;
    let path = dir.join("lock");
    let file = File::create(&path).map_err(|e| format!("cannot create {}: {e}", path.display()))?;
    if file.try_lock().is_err() {
        ui::say(&format!(
            "waiting for another installer that uses {}",
            dir.display()
        ));
        file.lock()
            .map_err(|e| format!("cannot lock {}: {e}", path.display()))?;
    }
    Ok(file)
}
