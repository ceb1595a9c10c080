//! `[downloads]`.

use std::path::PathBuf;

use serde::Deserialize;

/// What machines that are to be watched may fetch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownloadsConfig {
    /// Folder of the agents, `secureguard-agent-x86_64` and so on.
    pub agents: PathBuf,
}
