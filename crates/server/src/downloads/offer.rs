//! What the folder of agents holds, with digests, and the script made from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use axum::body::Bytes;
use axum::http::StatusCode;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// The machines, in the words of `uname -m`, that an agent may be offered for. No other name reaches the file system.
const MACHINES: [&str; 2] = ["aarch64", "x86_64"];

/// The script, in which what stands between `@` is filled in.
const SCRIPT: &str = include_str!("../../../../packaging/install/agent.sh");
/// The unit of the Debian package; a program that no package brought lies below /usr/local.
const UNIT: &str = include_str!("../../../../packaging/systemd/secureguard-agent.service");

/// Path, time of change and size of each file that an offer is made of.
pub(super) type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// Programs and script.
#[derive(Debug)]
pub struct Offer {
    pub(super) stamp: Stamp,
    /// Whether the script brings an authority of its own.
    pub private_authority: bool,
    /// The script.
    pub script: Bytes,
    /// Its SHA-256, in hexadecimal.
    pub script_sha256: String,
    programs: BTreeMap<&'static str, Program>,
}

/// One machine's agent.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) bytes: Bytes,
    pub(super) sha256: String,
}

pub(super) fn stamp(folder: &Path, authority: Option<&Path>) -> Stamp {
    let files = MACHINES.iter().map(|machine| file_of(folder, machine));
    files
        .chain(authority.map(Path::to_owned))
        .filter_map(|path| {
            let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
            Some((path, metadata.modified().ok(), metadata.len()))
        })
        .collect()
}

impl Offer {
    pub(super) fn read(
        folder: &Path,
        url: &str,
        authority: Option<&Path>,
        stamp: Stamp,
    ) -> Result<Self, ApiError> {
        let mut programs = BTreeMap::new();
        for machine in MACHINES {
            let path = file_of(folder, machine);
            if stamp.iter().any(|(known, ..)| *known == path) {
                let bytes = Bytes::from(std::fs::read(&path).map_err(ApiError::internal)?);
                let sha256 = digest(&bytes);
                programs.insert(machine, Program { bytes, sha256 });
            }
        }
        if programs.is_empty() {
            return Err(not_offered(folder));
        }
        let authority = authority
            .map(std::fs::read_to_string)
            .transpose()
            .map_err(ApiError::internal)?;
        let script = Bytes::from(write_script(
            url,
            &programs,
            authority.as_deref().unwrap_or_default(),
        )?);
        Ok(Self {
            stamp,
            private_authority: authority.is_some(),
            script_sha256: digest(&script),
            script,
            programs,
        })
    }

    pub(super) fn program(&self, machine: &str) -> Option<&Program> {
        self.programs.get(machine)
    }

    /// The machines with an agent.
    pub fn machines(&self) -> impl Iterator<Item = &'static str> {
        self.programs.keys().copied()
    }
}

fn file_of(folder: &Path, machine: &str) -> PathBuf {
    folder.join(format!("secureguard-agent-{machine}"))
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn not_offered(folder: &Path) -> ApiError {
    tracing::debug!(downloads.folder = %folder.display(), "there is no agent to download");
    ApiError::new(
        StatusCode::NOT_FOUND,
        "agent_not_offered",
        "this server has no agent to download: install the Debian package of the server, or put secureguard-agent-x86_64, as `cargo xtask dist` \
         builds it, into the folder that `downloads.agents` names",
    )
}

fn write_script(
    url: &str,
    programs: &BTreeMap<&'static str, Program>,
    authority: &str,
) -> Result<String, ApiError> {
    // Between single quotes of a shell everything but such a quote is text.
    if url.contains('\'') || authority.contains('\'') {
        return Err(ApiError::internal(
            "the server's URL or authority contains a quote",
        ));
    }
    let lines: Vec<String> = programs
        .iter()
        .map(|(machine, program)| format!("{machine} {}", program.sha256))
        .collect();
    let unit = UNIT.replace("/usr/bin/secureguard-agent", "/usr/local/bin/secureguard-agent");
    Ok(SCRIPT
        .replace("'@SERVER@'", &format!("'{url}'"))
        .replace("'@PROGRAMS@'", &format!("'{}'", lines.join("\n")))
        .replace("'@AUTHORITY@'", &format!("'{}'", authority.trim_end()))
        .replace("@UNIT@", unit.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_fill_in_and_nothing_breaks_out_of_quotes() {
        let programs = BTreeMap::from([(
            "x86_64",
            Program {
                bytes: Bytes::from_static(b"program"),
                sha256: digest(b"program"),
            },
        )]);
        let script = write_script("https://guard.example.org:8443", &programs, "-----BEGIN\nx\n").unwrap();
        for left in ["@SERVER@", "@PROGRAMS@", "@AUTHORITY@", "@UNIT@"] {
            assert!(!script.contains(left), "{left}");
        }
        assert!(script.contains("AUTHORITY='-----BEGIN\nx'\n"));
        assert!(script.contains("ExecStart=/usr/local/bin/secureguard-agent run"));
        assert!(write_script("https://a'; rm -rf /; '", &programs, "").is_err());
    }
}
