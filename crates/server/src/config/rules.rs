//! `[rules]`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Rule sets and their signature.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesConfig {
    /// PEM file of the signing key; empty: below the data directory.
    pub signing_key_file: PathBuf,
    /// Folder of rules to use instead of the built-in ones; empty: those.
    pub folder: PathBuf,
}

impl RulesConfig {
    /// The signing key's file.
    pub fn key_file(&self, data_dir: &Path) -> PathBuf {
        if self.signing_key_file.as_os_str().is_empty() {
            data_dir.join("keys/rules.pem")
        } else {
            self.signing_key_file.clone()
        }
    }

    /// The folder of rules, when one was given.
    pub fn folder(&self) -> Option<&Path> {
        (!self.folder.as_os_str().is_empty()).then_some(&self.folder)
    }
}
