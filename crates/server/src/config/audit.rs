//! `[audit]`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Months that an audit log has to be kept at least, where an end is set at all.
const LEAST_MONTHS: u32 = 12;

/// The signature under the audit log, its retention and where it is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// PEM file of the signing key; empty: below the data directory.
    pub signing_key_file: PathBuf,
    /// Months that events and row changes are kept; 0: for ever.
    pub keep_months: u32,
    /// Months that attempts to sign in are kept; 0: for ever.
    pub keep_login_attempts_months: u32,
    /// A file of JSON lines.
    pub file: FileSinkConfig,
    /// A syslog server.
    pub syslog: SyslogSinkConfig,
    /// An HTTPS endpoint.
    pub webhook: WebhookSinkConfig,
}

/// `[audit.file]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSinkConfig {
    /// The file; empty: none.
    pub path: PathBuf,
}

/// `[audit.syslog]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogSinkConfig {
    /// `unix:/dev/log`, `tcp://HOST:PORT` or `tls://HOST:PORT`; empty: none.
    pub address: String,
    /// PEM file of the authorities that a `tls://` server's certificate may come from.
    pub ca_file: PathBuf,
}

/// `[audit.webhook]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSinkConfig {
    /// An `https://` URL, `http://` on loopback only; empty: none.
    pub url: String,
    /// File with the secret that signs each body.
    pub secret_file: PathBuf,
    /// PEM file of authorities to believe besides those of the system; empty: none.
    pub ca_file: PathBuf,
}

impl AuditConfig {
    /// The signing key's file.
    pub fn key_file(&self, data_dir: &Path) -> PathBuf {
        if self.signing_key_file.as_os_str().is_empty() {
            data_dir.join("keys/audit.pem")
        } else {
            self.signing_key_file.clone()
        }
    }

    /// What cannot be used, in words.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, months) in [
            ("keep_months", self.keep_months),
            ("keep_login_attempts_months", self.keep_login_attempts_months),
        ] {
            if months != 0 && !(LEAST_MONTHS..=1_200).contains(&months) {
                wrong.push(format!(
                    "setting `audit.{name}`: must be 0 (for ever) or between {LEAST_MONTHS} and 1200"
                ));
            }
        }
        let syslog = &self.syslog;
        let known = ["unix:/", "tcp://", "tls://"];
        if !syslog.address.is_empty() && !known.iter().any(|scheme| syslog.address.starts_with(scheme)) {
            wrong.push("setting `audit.syslog.address`: must begin with unix:/, tcp:// or tls://".to_owned());
        }
        if syslog.address.starts_with("tls://") && syslog.ca_file.as_os_str().is_empty() {
            wrong.push("setting `audit.syslog.ca_file`: is needed for tls://".to_owned());
        }
        let webhook = &self.webhook;
        if !webhook.url.is_empty() {
            if !webhook.url.starts_with("https://") && !is_loopback(&webhook.url) {
                wrong.push("setting `audit.webhook.url`: must begin with https://".to_owned());
            }
            if webhook.secret_file.as_os_str().is_empty() {
                wrong.push(
                    "setting `audit.webhook.secret_file`: is needed, since it is what proves who sends"
                        .to_owned(),
                );
            }
        }
        wrong
    }
}

fn is_loopback(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or_default();
    ["127.0.0.1", "[::1]", "localhost"].iter().any(|name| {
        host.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for url in ["http://127.0.0.1:1/x", "http://localhost", "http://[::1]:80/"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://127.0.0.1.example.org/",
            "http://localhost.example",
            "ftp://localhost",
            "http://10.0.0.1",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
