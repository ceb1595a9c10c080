//! `[database]`.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Connections to PostgreSQL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Connects as `sg_app`.
    pub url: SecretString,
    /// Connects as `sg_system`.
    pub system_url: SecretString,
    /// Connects as a role that may alter the schema.
    pub migrate_url: SecretString,
    /// Connections of the request pool at most.
    pub max_connections: u32,
    /// Whether commits wait for a standby (`synchronous_standby_names`, Patroni's `synchronous_mode`).
    pub waits_for_standby: bool,
    /// Folder of PostgreSQL's programs; empty: searched for.
    pub pg_bin: PathBuf,
}

impl DatabaseConfig {
    /// The folder of PostgreSQL's programs, when one was given.
    pub fn pg_bin(&self) -> Option<&Path> {
        (!self.pg_bin.as_os_str().is_empty()).then_some(&self.pg_bin)
    }

    /// The names of the connection URLs that are not set.
    pub fn missing_urls(&self) -> Vec<&'static str> {
        [
            ("DATABASE_URL (database.url)", &self.url),
            ("DATABASE_SYSTEM_URL (database.system_url)", &self.system_url),
        ]
        .into_iter()
        .filter(|(_, url)| url.expose_secret().is_empty())
        .map(|(name, _)| name)
        .collect()
    }
}
