//! `[response]`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sg_types::response::CommandKind;

/// Remote commands: who signs them, and what the signer lets through.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseConfig {
    /// Unix socket of a signer that runs as another user; empty: `up` runs one itself, and `serve` takes no commands.
    pub signer_socket: PathBuf,
    /// PEM file of the key that signs commands; empty: below the data directory. The signer alone reads it.
    pub signing_key_file: PathBuf,
    /// The kinds that the signer signs; empty: all.
    pub kinds: Vec<CommandKind>,
    /// Longest life of a command in seconds.
    pub max_lifetime_seconds: u32,
    /// Commands that are signed within a minute at most.
    pub commands_per_minute: u32,
}

impl ResponseConfig {
    /// The signing key's file.
    pub fn key_file(&self, data_dir: &Path) -> PathBuf {
        if self.signing_key_file.as_os_str().is_empty() {
            data_dir.join("keys/commands.pem")
        } else {
            self.signing_key_file.clone()
        }
    }

    /// The socket of a signer that somebody else runs.
    pub fn external_socket(&self) -> Option<&Path> {
        (!self.signer_socket.as_os_str().is_empty()).then_some(&self.signer_socket)
    }

    /// Where the signer listens.
    pub fn socket(&self, data_dir: &Path) -> PathBuf {
        self.external_socket()
            .map_or_else(|| data_dir.join("signer.sock"), Path::to_owned)
    }
}

/// The approver root's public half, and the trust set that it has signed.
pub fn approver_root_file(data_dir: &Path) -> PathBuf {
    data_dir.join("keys/approver-root.pub")
}

/// The trust set that the approver root has signed.
pub fn trust_set_file(data_dir: &Path) -> PathBuf {
    data_dir.join("keys/trust-set.json")
}
