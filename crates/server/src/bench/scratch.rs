//! A server of this program on a database that nobody needs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};
use sg_load::bound;

use super::BenchOptions;
use crate::up::ReadyFile;

/// How long its start may take: PostgreSQL is made first.
const START: Duration = Duration::from_secs(120);
/// Connections beside those of the load.
const SPARE_CONNECTIONS: usize = 100;
/// How long its end may take.
const END: Duration = Duration::from_secs(60);

/// The server; dropping it ends it, and the PostgreSQL that it runs.
#[derive(Debug)]
pub(super) struct Scratch {
    server: Child,
    data_dir: PathBuf,
    pub(super) url: String,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) database_url: SecretString,
    pub(super) enrolment_key: String,
    /// The administrator's name and one-time password.
    pub(super) admin: (String, String),
}

impl Scratch {
    /// Makes the folder and starts the server in it.
    ///
    /// # Errors
    /// When the folder holds anything, or the server does not serve in time.
    pub(super) async fn start(options: &BenchOptions, tell: fn(&str)) -> anyhow::Result<Self> {
        let folder = &options.folder;
        claim(folder)?;
        let (config, ready_file, log) = (
            folder.join("bench.toml"),
            folder.join("ready.json"),
            folder.join("server.log"),
        );
        fs::write(&config, settings(options)).context("cannot write the scratch server's settings")?;
        tell(&format!("starting a scratch server in {}", folder.display()));
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = bound(&program, "TERM");
        // Nothing of the settings of an installation on this machine applies: its backups, mail server and database are not ours.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("SECUREGUARD_") || text.starts_with("DATABASE_") {
                command.env_remove(&name);
            }
        }
        let server = command
            .arg("--config")
            .arg(&config)
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.join("data"))
            .arg("--ready-file")
            .arg(&ready_file)
            .env("SECUREGUARD_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot start the scratch server")?;
        let mut scratch = Self {
            server,
            data_dir: folder.join("data"),
            url: String::new(),
            ca_file: None,
            database_url: SecretString::default(),
            enrolment_key: String::new(),
            admin: (String::new(), String::new()),
        };
        scratch.wait(&ready_file, &log).await?;
        Ok(scratch)
    }

    async fn wait(&mut self, ready_file: &Path, log: &Path) -> anyhow::Result<()> {
        let begin = Instant::now();
        let ready: ReadyFile = loop {
            let bytes = fs::read(ready_file).unwrap_or_default();
            if let Ok(ready) = serde_json::from_slice(&bytes) {
                break ready;
            }
            let words = || fs::read_to_string(log).unwrap_or_default();
            if let Some(status) = self.server.try_wait()? {
                bail!("the scratch server ended ({status}):\n{}", words());
            }
            if begin.elapsed() > START {
                bail!(
                    "the scratch server is not ready after {} s:\n{}",
                    START.as_secs(),
                    words()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let admin = ready
            .admin
            .context("the scratch server has an administrator already")?;
        self.admin = (admin.username, admin.password);
        self.enrolment_key = ready
            .enrolment_key
            .context("the scratch server gave no enrolment key")?;
        self.url = ready.url;
        self.ca_file = ready.ca_file.map(PathBuf::from);
        self.database_url = ready.database_url.into();
        // It holds secrets, and was read.
        Ok(fs::remove_file(ready_file)?)
    }

    /// How the superuser of its database connects.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub(super) fn superuser_url(&self) -> anyhow::Result<SecretString> {
        let password = fs::read_to_string(self.data_dir.join("secrets/postgres-superuser"))
            .context("the scratch database's secret")?;
        let url = self.database_url.expose_secret();
        let (_, place) = url.split_once('@').context("the scratch database's address")?;
        Ok(format!("postgresql://postgres:{}@{place}", password.trim()).into())
    }

    pub(super) fn server_pid(&self) -> u32 {
        self.server.id()
    }

    /// The process that all of PostgreSQL hangs on.
    pub(super) fn postmaster(&self) -> Option<u32> {
        let text = fs::read_to_string(self.data_dir.join("postgres/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// Ends the server in order.
    ///
    /// # Errors
    /// When it does not end, or not in order.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        match self.end() {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("the scratch server ended with {status}"),
            None => bail!("the scratch server did not end within {} s", END.as_secs()),
        }
    }

    fn end(&mut self) -> Option<std::process::ExitStatus> {
        if let Ok(Some(status)) = self.server.try_wait() {
            return Some(status);
        }
        let _ = kill_process(Pid::from_child(&self.server), Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < END {
            if let Ok(Some(status)) = self.server.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.end().is_none() {
            let _ = self.server.kill();
            let _ = self.server.wait();
        }
    }
}

/// Makes the folder, or takes one that is there and empty.
fn claim(folder: &Path) -> anyhow::Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!(
                "{} holds something already: a measurement takes an empty folder, and touches no database that holds anything",
                folder.display()
            ),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", folder.display())),
    }
}

/// All endpoints come from one address and belong to one tenant, which is what limits are there for.
fn settings(options: &BenchOptions) -> String {
    let pg_bin = options.pg_bin.as_ref().map_or_else(String::new, |dir| {
        format!(
            "[database]\npg_bin = {}\n",
            serde_json::Value::from(dir.to_string_lossy())
        )
    });
    format!(
        "[http]\nmax_connections = {}\n[rate_limits]\nrequests = false\nenrol_per_address_per_minute = 10000000\nenrol_per_address_burst = 10000000\n\
         [ingest]\ncheck_in_seconds = {}\n[response]\ncommands_per_minute = 100000\n[tls]\nmode = \"{}\"\n{pg_bin}",
        options.connections + options.waiting.max(options.commands) + options.people + SPARE_CONNECTIONS,
        options.heartbeat_seconds,
        if options.tls { "on" } else { "auto" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_holds_anything_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        claim(dir.path()).unwrap();
        claim(&dir.path().join("new/folder")).unwrap();
        let error = claim(dir.path()).unwrap_err().to_string();
        assert!(error.contains("holds something already"), "{error}");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(claim(&file).is_err());
    }
}
