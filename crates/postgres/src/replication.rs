//! Streaming replication: what a primary opens for its standbys, and how a standby is made. Everything goes over TLS, to a certificate that both ends know.

use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Context, Error};
use crate::initdb::hold_in_memory;
use crate::layout::{self, Layout};
use crate::process::{Handed, prepare, spawn_error};
use crate::{Binaries, config, leftovers, user};

const CERTIFICATE: &str = "replication.crt";
const KEY: &str = "replication.key";
const PASSWORD: &str = "standby.pgpass";
const PRIMARY_CERTIFICATE: &str = "standby.crt";
const SIGNAL: &str = "standby.signal";
/// Database to which a role for replication may connect to ask how the server stands.
const DATABASE: &str = "postgres";

/// Where standbys connect.
#[derive(Debug, Clone)]
pub struct Network {
    /// Address and port; the port is the cluster's.
    pub listen: SocketAddr,
    /// PEM of the certificate, which the other end pins.
    pub certificate: String,
    /// PEM of its key.
    pub key: SecretString,
    /// Who may connect.
    pub peers: Vec<IpAddr>,
    /// The only role that may.
    pub role: String,
}

impl Network {
    pub(crate) fn arguments(&self) -> Vec<String> {
        vec![
            format!("listen_addresses={}", self.listen.ip()),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={CERTIFICATE}"),
            format!("ssl_key_file={KEY}"),
            "ssl_min_protocol_version=TLSv1.3".to_owned(),
        ]
    }

    /// One role, from known addresses, over TLS, with its password.
    pub(crate) fn hba(&self) -> String {
        let mut text = String::new();
        for peer in &self.peers {
            let bits = if peer.is_ipv4() { 32 } else { 128 };
            for database in ["replication", DATABASE] {
                let _ = writeln!(
                    text,
                    "hostssl {database} {} {peer}/{bits} scram-sha-256",
                    self.role
                );
            }
        }
        text
    }

    pub(crate) fn write_files(&self, dir: &Path, run_as: &user::RunAs) -> Result<(), Error> {
        config::replace(dir, CERTIFICATE, &self.certificate, run_as)?;
        config::replace(dir, KEY, self.key.expose_secret(), run_as)
    }
}

/// The primary that a standby follows.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its address.
    pub address: SocketAddr,
    /// PEM of its certificate.
    pub certificate: String,
    /// Role for replication.
    pub role: String,
    /// Its password.
    pub password: SecretString,
    /// The slot that keeps the log for this standby, also its name; letters, digits and underscores.
    pub slot: String,
}

impl Upstream {
    /// Settings of postgresql.conf, for [`ClusterOptions::settings`](crate::ClusterOptions). The files that they name are beside it, where
    /// [`BaseBackup::copy`] has put them.
    pub fn settings(&self) -> Vec<(String, String)> {
        let connection = format!(
            "{} passfile={PASSWORD} sslrootcert={PRIMARY_CERTIFICATE}",
            self.connection()
        );
        [
            ("primary_conninfo", connection),
            ("primary_slot_name", self.slot.clone()),
            ("hot_standby", "on".to_owned()),
            ("wal_retrieve_retry_interval", "1s".to_owned()),
            ("wal_receiver_status_interval", "1s".to_owned()),
            ("wal_receiver_timeout", "20s".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Nothing in it is secret. A certificate of the client's own is not looked for, since that would be in the home of whoever started us.
    fn connection(&self) -> String {
        format!(
            "host={} port={} user={} application_name={} sslmode=verify-ca sslcert=/nonexistent connect_timeout=10 keepalives_idle=5 keepalives_interval=2 keepalives_count=3",
            self.address.ip(),
            self.address.port(),
            self.role,
            self.slot
        )
    }

    fn password_line(&self) -> SecretString {
        // Colons and backslashes have a meaning in a password file.
        let password = self.password.expose_secret();
        let password = password.replace('\\', "\\\\").replace(':', "\\:");
        format!("*:*:*:{}:{password}", self.role).into()
    }
}

/// Making a standby.
#[derive(Debug, Clone)]
pub struct BaseBackup<'a> {
    /// The product's directory to be; it holds no cluster.
    pub data_dir: &'a Path,
    /// Whom to copy and follow.
    pub upstream: &'a Upstream,
}

impl BaseBackup<'_> {
    /// Copies the primary to `<data_dir>/postgres`, beside its place first, so that half of it never looks like a cluster; a start then follows the primary.
    /// Blocks.
    ///
    /// # Errors
    /// [`Error::Foreign`] when there is a cluster, [`Error::BaseBackup`].
    pub fn copy(&self, bin: &Binaries) -> Result<(), Error> {
        let layout = Layout::open(self.data_dir)?;
        let (finished, unfinished) = (layout.cluster_dir(), layout.unfinished_dir());
        if finished.exists() {
            return Err(Error::Foreign {
                dir: layout.dir.clone(),
                reason: "it holds a database already, and a standby is made in an empty directory".to_owned(),
            });
        }
        leftovers::end_all(&unfinished)?;
        match std::fs::remove_dir_all(&unfinished) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).context("remove", &unfinished);
            }
            _ => {}
        }
        let run_as = user::choose(&finished)?;
        layout::make_dir_for(&unfinished, &run_as)?;
        self.run(bin, &unfinished, &run_as)?;
        let password = self.upstream.password_line();
        config::replace(&unfinished, PASSWORD, password.expose_secret(), &run_as)?;
        config::replace(
            &unfinished,
            PRIMARY_CERTIFICATE,
            &self.upstream.certificate,
            &run_as,
        )?;
        // What an administrator had set on the primary lives on in local.conf.
        config::replace(&unfinished, "postgresql.auto.conf", "", &run_as)?;
        config::replace(&unfinished, SIGNAL, "", &run_as)?;
        std::fs::rename(&unfinished, &finished).context("create", &finished)?;
        File::open(&layout.dir)
            .and_then(|dir| dir.sync_all())
            .context("flush", &layout.dir)
    }

    fn run(&self, bin: &Binaries, dir: &Path, run_as: &user::RunAs) -> Result<(), Error> {
        let target = Handed::new(dir, run_as)?;
        let password = Handed::from_file(hold_in_memory(&self.upstream.password_line(), run_as)?);
        let certificate = SecretString::from(self.upstream.certificate.clone());
        let certificate = Handed::from_file(hold_in_memory(&certificate, run_as)?);
        let mut command = bin.command("pg_basebackup");
        command
            .arg("--dbname")
            .arg(format!(
                "{} sslrootcert={}",
                self.upstream.connection(),
                certificate.path().display()
            ))
            .arg("--pgdata")
            .arg(target.path())
            .arg(format!("--slot={}", self.upstream.slot))
            .args(["--wal-method=stream", "--checkpoint=fast", "--no-password"])
            .env("PGPASSFILE", password.path())
            .stdin(Stdio::null());
        prepare(
            &mut command,
            run_as,
            &[&target, &password, &certificate],
            Signal::TERM,
        );
        let output = command.output().map_err(|e| spawn_error(&command, run_as, e))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let _ = std::fs::remove_dir_all(dir);
        Err(Error::BaseBackup {
            output: text.split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }
}

/// Whether the cluster below the product's directory follows a primary.
pub fn is_standby(data_dir: &Path) -> bool {
    data_dir.join("postgres").join(SIGNAL).exists()
}

/// What a cluster's control file says while it is stopped or runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlData {
    /// The same in a primary and all that were copied from it.
    pub system_identifier: String,
    /// Goes up by one with each promotion.
    pub timeline: u32,
}

/// Reads the control file of the cluster below the product's directory.
///
/// # Errors
/// [`Error::Spawn`], or [`Error::Unusable`] for an answer that is none.
pub fn read_control_data(bin: &Binaries, data_dir: &Path) -> Result<ControlData, Error> {
    let dir = data_dir.join("postgres");
    let run_as = user::choose(&dir)?;
    let mut command = bin.command("pg_controldata");
    command.arg("-D").arg(&dir).stdin(Stdio::null());
    let output = command.output().map_err(|e| spawn_error(&command, &run_as, e))?;
    parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| Error::Unusable {
        dir,
        reason: format!(
            "pg_controldata said: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    })
}

fn parse(text: &str) -> Option<ControlData> {
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim())
    };
    // A promotion is noted as the end of the recovery before the next checkpoint notes it.
    let timeline = value("Latest checkpoint's TimeLineID")?.parse::<u32>().ok()?;
    let recovered = value("Min recovery ending loc's timeline")?.parse::<u32>().ok()?;
    Some(ControlData {
        system_identifier: value("Database system identifier")?.to_owned(),
        timeline: timeline.max(recovered),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promotion_shows_before_its_first_checkpoint() {
        let text = "Database system identifier:           7443\nLatest checkpoint's TimeLineID:       1\nMin recovery ending loc's timeline:   2\n";
        assert_eq!(parse(text).map(|control| control.timeline), Some(2));
        assert_eq!(parse("nothing"), None);
    }

    #[test]
    fn only_known_addresses_are_let_in_and_only_over_tls() {
        let network = Network {
            listen: "10.0.0.1:5433".parse().unwrap(),
            certificate: String::new(),
            key: "".into(),
            peers: vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
            role: "sg_standby".to_owned(),
        };
        assert_eq!(
            network.hba().lines().collect::<Vec<_>>(),
            [
                "hostssl replication sg_standby 10.0.0.2/32 scram-sha-256",
                "hostssl postgres sg_standby 10.0.0.2/32 scram-sha-256",
                "hostssl replication sg_standby fd00::2/128 scram-sha-256",
                "hostssl postgres sg_standby fd00::2/128 scram-sha-256",
            ]
        );
    }

    #[test]
    fn no_password_is_in_what_others_see() {
        let upstream = Upstream {
            address: "10.0.0.1:5433".parse().unwrap(),
            certificate: String::new(),
            role: "sg_standby".to_owned(),
            password: "hid:den".into(),
            slot: "sg_second".to_owned(),
        };
        assert!(!format!("{:?}", upstream.settings()).contains("hid"));
        assert_eq!(
            upstream.password_line().expose_secret(),
            "*:*:*:sg_standby:hid\\:den"
        );
    }
}
