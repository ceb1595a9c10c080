//! `[mail]`.

use std::path::PathBuf;

use lettre::Address;
use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::Deserialize;

/// The mail server that takes what this server sends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Its host name; empty: no mail is sent.
    pub host: String,
    /// Its port; 0: the usual one of the TLS mode.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User name; empty: no sign-in.
    pub user: String,
    /// File with the password.
    pub password_file: PathBuf,
    /// Sender, `name <address>` or an address.
    pub from: String,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: PathBuf,
    /// What is in `password_file`.
    #[serde(skip)]
    pub password: Option<SecretString>,
    /// What is in `ca_file`.
    #[serde(skip)]
    pub ca_pem: Option<Vec<u8>>,
}

/// How a connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// STARTTLS, required (RFC 3207).
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// None; only a mail server on this machine.
    Off,
}

impl MailConfig {
    /// Whether mail is sent at all.
    pub fn is_on(&self) -> bool {
        !self.host.is_empty()
    }

    /// The port to connect to (RFC 6409, RFC 8314).
    pub fn effective_port(&self) -> u16 {
        match (self.port, self.tls) {
            (0, MailTls::Starttls) => 587,
            (0, MailTls::Tls) => 465,
            (0, MailTls::Off) => 25,
            (port, _) => port,
        }
    }

    /// The sender.
    ///
    /// # Errors
    /// In words, when it is no address.
    pub fn sender(&self) -> Result<Mailbox, String> {
        let refuse = || format!("`{}` is not of the form name <address> or address", self.from);
        if self.from.parse::<Address>().is_ok() || self.from.contains('<') {
            return self.from.parse().map_err(|_| refuse());
        }
        Err(refuse())
    }

    /// Reads the files that the settings name, and checks that everything fits together. Every fault is told.
    pub(super) fn load_files(&mut self, has_public_url: bool) -> Vec<String> {
        if !self.is_on() {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        if !has_public_url {
            wrong.push(
                "setting `http.public_url`: must be set where `mail.host` is, for the links in mails"
                    .to_owned(),
            );
        }
        if let Err(reason) = self.sender() {
            wrong.push(format!("setting `mail.from`: {reason}"));
        }
        let local = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if self.tls == MailTls::Off && !local {
            wrong.push(
                "setting `mail.tls`: \"off\" is for a mail server on this machine; links that open accounts must not cross a network readable"
                    .to_owned(),
            );
        }
        if self.user.is_empty() != self.password_file.as_os_str().is_empty() {
            wrong.push(
                "settings `mail.user` and `mail.password_file`: belong together; set both or none".to_owned(),
            );
        }
        if !self.password_file.as_os_str().is_empty() {
            match std::fs::read_to_string(&self.password_file) {
                Ok(text) => self.password = Some(text.trim_end_matches(['\r', '\n']).into()),
                Err(error) => wrong.push(format!(
                    "setting `mail.password_file`: {} cannot be read: {error}",
                    self.password_file.display()
                )),
            }
        }
        if !self.ca_file.as_os_str().is_empty() {
            match std::fs::read(&self.ca_file) {
                Ok(pem) => self.ca_pem = Some(pem),
                Err(error) => wrong.push(format!(
                    "setting `mail.ca_file`: {} cannot be read: {error}",
                    self.ca_file.display()
                )),
            }
        }
        wrong
    }
}
