//! Which release a checkout is.

use std::process::Command;

use serde_json::Value;

use crate::build::cargo;
use crate::{Result, paths, shell};

/// What is built.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    /// In Debian's words: `1.2.0`, or `1.2.0~git20260102.abcdef123` before the tag `v1.2.0`, which comes before it in Debian's order.
    pub(crate) version: String,
    /// Debian's name of this machine's architecture.
    pub(crate) architecture: String,
    pub(crate) commit: String,
    /// Time of the last commit in seconds since 1970, which everything that is built says it is from.
    pub(crate) epoch: u64,
}

impl Release {
    pub(crate) fn of_checkout() -> Result<Self> {
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            shell::output(command.current_dir(paths::root()).args(arguments))
                .map(|text| text.trim().to_owned())
        };
        let commit = git(&["rev-parse", "--short=9", "HEAD"])?;
        let day = git(&["show", "-s", "--format=%cd", "--date=format-local:%Y%m%d", "HEAD"])?;
        let epoch = git(&["show", "-s", "--format=%ct", "HEAD"])?;
        let tags = git(&["tag", "--points-at", "HEAD"])?;
        let clean = git(&["status", "--porcelain"])?.is_empty();
        let base = workspace_version()?;
        let tagged = tags.lines().any(|tag| tag == format!("v{base}"));
        Ok(Self {
            version: match (tagged, clean) {
                (true, true) => base,
                (_, true) => format!("{base}~git{day}.{commit}"),
                (_, false) => format!("{base}~git{day}.{commit}.changed"),
            },
            architecture: shell::output(Command::new("dpkg").arg("--print-architecture"))?
                .trim()
                .to_owned(),
            epoch: epoch
                .parse()
                .map_err(|e| format!("the commit's time {epoch}: {e}"))?,
            commit,
        })
    }
}

/// The version in Cargo.toml.
fn workspace_version() -> Result<String> {
    let text = shell::output(cargo().args(["metadata", "--no-deps", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "sg-server")
        .and_then(|package| package["version"].as_str())
        .map(str::to_owned)
        .ok_or_else(|| "cargo metadata names no version of sg-server".to_owned())
}
