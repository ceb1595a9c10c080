//! `[standby]`.

use std::net::SocketAddr;

use serde::Deserialize;

/// Hot standbys of the database of `up`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandbyConfig {
    /// Address and port at which the other servers reach this PostgreSQL; empty: it listens on no network.
    pub listen: String,
    /// Addresses and ports of the other servers' PostgreSQL: who may follow this one, and whom to ask whether it was promoted.
    pub peers: Vec<SocketAddr>,
    /// Names of standbys of which one has to have a commit before it is acknowledged; empty: none.
    pub synchronous: Vec<String>,
    /// Megabytes of the write-ahead log that are kept for standbys that are away.
    pub slot_keep_mb: u32,
    /// Whether a primary only starts when one of its peers says that it was not replaced.
    pub need_peer: bool,
}

impl StandbyConfig {
    /// Where to listen; none where there is to be no standby.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// What is wrong with the settings.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        match self.listen.parse::<SocketAddr>() {
            _ if self.listen.is_empty() => {
                if !self.synchronous.is_empty() {
                    wrong.push("setting `standby.synchronous`: needs `standby.listen`".to_owned());
                }
            }
            Ok(address) if !address.ip().is_unspecified() && address.port() != 0 => {
                if self.peers.is_empty() {
                    wrong.push(
                        "setting `standby.peers`: name the other servers, or nobody may follow this one".to_owned(),
                    );
                }
            }
            _ => wrong.push(
                "setting `standby.listen`: must be an address of this machine that the other servers reach, with a port, such as 10.0.0.1:5433"
                    .to_owned(),
            ),
        }
        if !(64..=1_048_576).contains(&self.slot_keep_mb) {
            wrong.push("setting `standby.slot_keep_mb`: must be between 64 and 1048576".to_owned());
        }
        if let Some(name) = self.synchronous.iter().find(|name| !is_name(name)) {
            wrong.push(format!(
                "setting `standby.synchronous`: {name:?} is no name of a standby"
            ));
        }
        wrong
    }
}

/// Whether a standby may have this name.
pub fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
