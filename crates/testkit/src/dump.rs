//! The schema as text, for a person to review and for a test to compare.

use anyhow::{Result, ensure};
use secrecy::ExposeSecret;

use crate::TestDb;

/// What `pg_dump` writes of `database`, as the superuser.
///
/// # Errors
/// When `pg_dump` is not to be had or fails.
pub fn dump(database: &TestDb, arguments: &[&str]) -> Result<Vec<u8>> {
    let explicit = std::env::var_os("PG_BIN").map(std::path::PathBuf::from);
    let binaries = sg_postgres::find(explicit.as_deref())?;
    let output = binaries
        .command("pg_dump")
        .args(arguments)
        .arg("--dbname")
        .arg(database.superuser_url().expose_secret())
        // Times in defaults and checks are printed in the session's zone.
        .env("PGTZ", "UTC")
        .output()?;
    ensure!(
        output.status.success(),
        "pg_dump failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

/// The schema of `database` as `pg_dump --schema-only` tells it, without what differs from day to day: the partitions by date, the lines that
/// carry a random key or a version, and the bookkeeping of the migrations.
///
/// # Errors
/// When `pg_dump` is not to be had or fails.
pub fn dump_schema(database: &TestDb) -> Result<String> {
    let output = dump(
        database,
        &[
            "--schema-only",
            "--no-comments",
            "--exclude-table=public._sqlx_migrations",
            "--exclude-table=*.*_20[0-9][0-9][0-9][0-9][0-9][0-9]",
        ],
    )?;
    let text = String::from_utf8(output)?;
    let mut kept = String::with_capacity(text.len());
    let mut blank = false;
    for line in text
        .lines()
        .filter(|line| !line.starts_with('\\') && !line.starts_with("-- Dumped"))
    {
        if !(blank && line.is_empty()) {
            kept.push_str(line);
            kept.push('\n');
        }
        blank = line.is_empty();
    }
    Ok(kept)
}
