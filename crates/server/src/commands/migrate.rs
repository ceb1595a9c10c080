//! `secureguard migrate`: bring a database to the present schema.

use anyhow::Context;
use secrecy::ExposeSecret;
use sg_db::{MigrationReport, RoleVerifiers};

use crate::config::Config;

/// Migrates the database behind `DATABASE_MIGRATE_URL` and reports what was done, row by row.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn migrate(config: &Config) -> anyhow::Result<MigrationReport> {
    let url = &config.database.migrate_url;
    anyhow::ensure!(
        !url.expose_secret().is_empty(),
        "`migrate` needs DATABASE_MIGRATE_URL (database.migrate_url): a URL of a role that owns the database and may create roles; `secureguard up` migrates its own database by itself"
    );
    sg_db::migrate(url, &RoleVerifiers::default())
        .await
        .context("the database could not be brought to the present schema")
}
