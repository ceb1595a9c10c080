//! The cluster's configuration files, written anew at every start.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{Context, Error};
use crate::replication::Network;
use crate::user::RunAs;

/// Everybody who connects proves a password, the superuser on the socket included.
const HBA: &str = "# Written by SecureGuard at every start.\n\
    local all all scram-sha-256\n\
    local replication all scram-sha-256\n";

/// What holds where neither the machine ([`crate::machine`]), nor the caller, nor the administrator says otherwise.
const DEFAULTS: [(&str, &str); 22] = [
    ("max_connections", "100"),
    ("shared_buffers", "256MB"),
    ("effective_cache_size", "1GB"),
    ("work_mem", "8MB"),
    ("maintenance_work_mem", "128MB"),
    ("wal_compression", "on"),
    ("min_wal_size", "80MB"),
    ("max_wal_size", "1GB"),
    ("random_page_cost", "1.1"),
    ("max_worker_processes", "8"),
    ("jit", "off"),
    ("idle_in_transaction_session_timeout", "5min"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("log_lock_waits", "on"),
    // A circle of locks, as between a migration and running requests, is noticed before anybody has waited for long.
    ("deadlock_timeout", "250ms"),
    ("log_checkpoints", "off"),
    ("log_min_error_statement", "panic"),
    ("track_io_timing", "on"),
    ("autovacuum_naptime", "20s"),
    ("default_text_search_config", "pg_catalog.english"),
];

/// What no setting of the caller or of the administrator may undo: bound values are never logged, passwords are only
/// ever stored as scram.
const FIXED: [(&str, &str); 6] = [
    ("password_encryption", "scram-sha-256"),
    ("log_parameter_max_length", "0"),
    ("log_parameter_max_length_on_error", "0"),
    ("log_destination", "stderr"),
    ("logging_collector", "off"),
    ("unix_socket_permissions", "0700"),
];

/// Writes postgresql.conf and pg_hba.conf into the cluster's directory.
pub(crate) fn write(
    dir: &Path,
    settings: &[(String, String)],
    durable: bool,
    network: Option<&Network>,
    run_as: &RunAs,
) -> Result<(), Error> {
    replace(dir, "postgresql.conf", &render(settings, durable), run_as)?;
    let mut hba = HBA.to_owned();
    if let Some(network) = network {
        network.write_files(dir, run_as)?;
        hba.push_str(&network.hba());
    }
    replace(dir, "pg_hba.conf", &hba, run_as)
}

/// Values that are given on PostgreSQL's command line, where not even `alter system` overrides them.
pub(crate) fn fixed_arguments(network: Option<&Network>) -> impl Iterator<Item = String> {
    let fixed = FIXED.iter().map(|(name, value)| format!("{name}={value}"));
    // Nothing listens on the network unless a standby is to connect.
    let listen = network.map_or_else(|| vec!["listen_addresses=".to_owned()], Network::arguments);
    fixed.chain(listen)
}

fn render(settings: &[(String, String)], durable: bool) -> String {
    let mut text = String::from(
        "# Written by SecureGuard at every start: put settings of your own into local.conf beside this file.\n",
    );
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(
            text,
            "{name} = '{}'",
            value
                .replace('\\', r"\\")
                .replace('\'', "''")
                .replace(['\n', '\r'], " ")
        );
    };
    DEFAULTS.iter().for_each(|(name, value)| line(name, value));
    if !durable {
        ["fsync", "synchronous_commit", "full_page_writes"]
            .iter()
            .for_each(|name| line(name, "off"));
    }
    settings.iter().for_each(|(name, value)| line(name, value));
    text.push_str("include_if_exists = 'local.conf'\n");
    text
}

/// Replaces a file by renaming, never through a link that somebody else could have put there.
pub(crate) fn replace(dir: &Path, name: &str, text: &str, run_as: &RunAs) -> Result<(), Error> {
    let path = dir.join(name);
    // Another process may write the same file at the same time, as a verb beside the server does.
    let part = dir.join(format!("{name}.{:016x}.new", rand::random::<u64>()));
    let written = fill(&part, text, run_as).and_then(|()| fs::rename(&part, &path).context("replace", &path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

fn fill(part: &Path, text: &str, run_as: &RunAs) -> Result<(), Error> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part)
        .context("create", part)?;
    file.write_all(text.as_bytes()).context("write", part)?;
    if run_as.switch {
        std::os::unix::fs::fchown(&file, Some(run_as.uid), Some(run_as.gid))
            .context("change the owner of", part)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_settings_come_after_the_defaults_and_are_quoted() {
        let text = render(
            &[
                ("work_mem".into(), "1MB".into()),
                ("x.y".into(), "it's\nfsync = off".into()),
                ("x.z".into(), r"a\'b".into()),
            ],
            true,
        );
        assert!(text.find("work_mem = '8MB'").unwrap() < text.find("work_mem = '1MB'").unwrap());
        assert!(text.contains(r"x.z = 'a\\''b'"), "{text}");
        assert!(text.contains("x.y = 'it''s fsync = off'\n"), "{text}");
        assert!(
            !text.contains("\nfsync"),
            "durable clusters keep fsync on: {text}"
        );
        assert!(render(&[], false).contains("fsync = 'off'"));
    }
}
