//! `[database]`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

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
    /// Whose sessions at the database are no reason for an alert, besides the product's own.
    pub expected_sessions: Vec<SessionPattern>,
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

/// Who may be at the database: `role@address/program`, each part with `*` for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionPattern {
    role: String,
    address: String,
    program: String,
}

impl SessionPattern {
    /// Whether it holds for a session; the address is `local` for the unix socket.
    pub fn matches(&self, role: &str, address: &str, program: &str) -> bool {
        is_like(&self.role, role) && is_like(&self.address, address) && is_like(&self.program, program)
    }
}

impl FromStr for SessionPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('@').and_then(|(role, rest)| {
            let (address, program) = rest.split_once('/')?;
            Some([role, address, program])
        });
        match parts {
            Some([role, address, program]) if !role.is_empty() && !address.is_empty() => Ok(Self {
                role: role.to_owned(),
                address: address.to_owned(),
                program: program.to_owned(),
            }),
            _ => Err(format!("`{text}` is not of the form role@address/program")),
        }
    }
}

impl TryFrom<String> for SessionPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Whether a text is what a pattern says, where `*` stands for any characters.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(begin) else {
        return false;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_holds_for_what_it_says() {
        for (pattern, text, holds) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "ab", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("a*c", "abc", true),
            ("a*c", "a", false),
            ("ab*ba", "aba", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("*b*", "abc", true),
            ("10.0.*", "10.1.0.1", false),
        ] {
            assert_eq!(is_like(pattern, text), holds, "{pattern} {text}");
        }
    }

    #[test]
    fn a_session_is_expected_by_all_three_parts() {
        let pattern: SessionPattern = "sg_*@local/secureguard*".parse().unwrap();
        assert!(pattern.matches("sg_app", "local", "secureguard-system"));
        assert!(!pattern.matches("eve", "local", "secureguard"));
        assert!(!pattern.matches("sg_app", "192.0.2.1", "secureguard"));
        assert!(!pattern.matches("sg_app", "local", "psql"));
        for wrong in ["", "sg_app", "sg_app@local", "@local/psql", "sg_app@/psql"] {
            assert!(wrong.parse::<SessionPattern>().is_err(), "{wrong}");
        }
        assert!("a@b/".parse::<SessionPattern>().unwrap().matches("a", "b", ""));
    }
}
