//! `[tls]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Certificates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// When to speak TLS.
    pub mode: TlsMode,
    /// PEM file of a certificate chain; empty: a certificate of our own.
    pub cert_file: PathBuf,
    /// PEM file of its key.
    pub key_file: PathBuf,
}

/// When to speak TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// Everywhere but on loopback, and there too when a certificate is given.
    Auto,
    /// Everywhere.
    On,
    /// Never; only loopback allows it.
    Off,
}

impl TlsConfig {
    /// The given certificate and key, when there are any.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        (!self.cert_file.as_os_str().is_empty()).then_some((&self.cert_file, &self.key_file))
    }

    /// Whether to speak TLS on `listen`.
    ///
    /// # Errors
    /// In words, when plain HTTP was asked for outside loopback, or only one of the two files was given.
    pub fn applies_to(&self, listen: SocketAddr) -> Result<bool, String> {
        if self.cert_file.as_os_str().is_empty() != self.key_file.as_os_str().is_empty() {
            return Err("tls.cert_file and tls.key_file belong together; set both or none".to_owned());
        }
        let loopback = listen.ip().is_loopback();
        match self.mode {
            TlsMode::On => Ok(true),
            TlsMode::Auto => Ok(!loopback || self.files().is_some()),
            TlsMode::Off if loopback => Ok(false),
            TlsMode::Off => Err(format!(
                "plain HTTP is refused on {listen}, because passwords and tokens would cross the network readable; \
                 set tls.mode to \"auto\" (a certificate is made), or listen on 127.0.0.1 behind a proxy that speaks TLS"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applies(mode: TlsMode, listen: &str) -> Result<bool, String> {
        TlsConfig {
            mode,
            cert_file: PathBuf::new(),
            key_file: PathBuf::new(),
        }
        .applies_to(listen.parse().unwrap())
    }

    #[test]
    fn plain_http_stays_on_loopback() {
        assert_eq!(applies(TlsMode::Auto, "127.0.0.1:80"), Ok(false));
        assert_eq!(applies(TlsMode::Auto, "[::1]:80"), Ok(false));
        assert_eq!(applies(TlsMode::Auto, "0.0.0.0:80"), Ok(true));
        assert_eq!(applies(TlsMode::On, "127.0.0.1:80"), Ok(true));
        assert_eq!(applies(TlsMode::Off, "127.0.0.1:80"), Ok(false));
        assert!(
            applies(TlsMode::Off, "0.0.0.0:80")
                .unwrap_err()
                .contains("plain HTTP is refused")
        );
    }
}
