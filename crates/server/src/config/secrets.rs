//! `[secrets]`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Secrets that are sealed into the database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsConfig {
    /// JSON file of the keys; empty: below the data directory.
    pub keys_file: PathBuf,
}

impl SecretsConfig {
    /// The keys' file.
    pub fn keys_file(&self, data_dir: &Path) -> PathBuf {
        if self.keys_file.as_os_str().is_empty() {
            data_dir.join("keys/secrets.json")
        } else {
            self.keys_file.clone()
        }
    }
}
