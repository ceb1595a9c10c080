//! Starting the server and reading its ready file.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::build::Profile;
use crate::tools::postgres::Postgres;
use crate::{Result, shell, stop};

/// How long a start may take: after a crash PostgreSQL replays its log first.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running server.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) log: PathBuf,
    ready_file: PathBuf,
}

/// What the server says about itself once it serves.
pub(crate) struct Ready {
    pub(crate) url: String,
    pub(crate) admin: Option<(String, String)>,
    pub(crate) enrolment_key: Option<String>,
    pub(crate) ca_file: Option<String>,
}

impl Server {
    /// Starts `secureguard up` in a process group of its own, so that a terminal's Ctrl-C does not reach it.
    pub(crate) fn start(
        profile: Profile,
        postgres: &Postgres,
        data_dir: &Path,
        listen: &str,
    ) -> Result<Self> {
        Self::start_with(profile, postgres, data_dir, listen, &[])
    }

    /// As [`Self::start`], with settings of the environment.
    pub(crate) fn start_with(
        profile: Profile,
        postgres: &Postgres,
        data_dir: &Path,
        listen: &str,
        settings: &[(&str, String)],
    ) -> Result<Self> {
        Self::start_from(&profile.dir(), postgres, data_dir, listen, settings)
    }

    /// As [`Self::start_with`], with the program of a folder.
    pub(crate) fn start_from(
        programs: &Path,
        postgres: &Postgres,
        data_dir: &Path,
        listen: &str,
        settings: &[(&str, String)],
    ) -> Result<Self> {
        let ready_file = data_dir.join("ready.json");
        let _ = fs::remove_file(&ready_file);
        let log = fresh_log(data_dir, "server.log");
        let mut command = bound(&programs.join("secureguard"));
        command
            .arg("up")
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--listen", listen]);
        command
            .arg("--ready-file")
            .arg(&ready_file)
            .env("PG_BIN", &postgres.bin_dir)
            .envs(settings.iter().map(|(name, value)| (name, value)));
        let child = spawn(&mut command, &log)?;
        Ok(Self {
            child,
            log,
            ready_file,
        })
    }

    /// Waits until it serves; `give_up` is asked meanwhile. The file holds secrets and is removed once it has been read.
    pub(crate) fn wait(&mut self, give_up: impl Fn() -> bool) -> Result<Ready> {
        let began = Instant::now();
        loop {
            if let Some(ready) = read_ready(&self.ready_file) {
                let _ = fs::remove_file(&self.ready_file);
                return Ok(ready);
            }
            let reason = match self.child.try_wait() {
                Ok(Some(status)) => format!("the server ended ({status})"),
                _ if give_up() => "stopped before the server was ready".to_owned(),
                _ if began.elapsed() > PATIENCE => {
                    format!("the server is not ready after {} s", PATIENCE.as_secs())
                }
                _ => {
                    std::thread::sleep(Duration::from_millis(10));
                    continue;
                }
            };
            let _ = self.stop();
            return Err(format!(
                "{reason}; {} ends with:\n{}",
                self.log.display(),
                log_tail(&self.log)
            ));
        }
    }

    /// Asks it to end and waits.
    pub(crate) fn stop(&mut self) -> Result {
        let status = stop::end(&mut self.child, Duration::from_secs(90))?;
        let _ = fs::remove_file(&self.ready_file);
        if status.success() {
            Ok(())
        } else {
            Err(format!(
                "the server ended with {status}; see {}",
                self.log.display()
            ))
        }
    }
}

/// The path of a log for a new run; that of the run before moves aside.
pub(crate) fn fresh_log(data_dir: &Path, name: &str) -> PathBuf {
    let log = data_dir.join(name);
    let _ = fs::rename(&log, data_dir.join(format!("{name}.1")));
    log
}

/// A program that is asked to end (SIGTERM) when the thread that starts it is gone, even by a kill -9. `setpriv`, which every Debian has,
/// arranges that and becomes the program.
pub(crate) fn bound(program: &Path) -> Command {
    let launcher = Path::new("/usr/bin/setpriv");
    if !launcher.is_file() {
        return Command::new(program);
    }
    let mut command = Command::new(launcher);
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// Starts a program with its output going to a log that only we may read.
pub(crate) fn spawn(command: &mut Command, log: &Path) -> Result<Child> {
    let open = |path: &Path| -> std::io::Result<(File, File)> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        let copy = file.try_clone()?;
        Ok((file, copy))
    };
    if let Some(dir) = log.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
    }
    let (stdout, stderr) = open(log).map_err(|e| format!("cannot open {}: {e}", log.display()))?;
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr);
    command
        .spawn()
        .map_err(|e| format!("cannot start {}: {e}", command.get_program().display()))
}

/// The last lines of a log.
pub(crate) fn log_tail(log: &Path) -> String {
    shell::tail(&fs::read_to_string(log).unwrap_or_default(), 15)
}

fn read_ready(path: &Path) -> Option<Ready> {
    let value: Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let admin = &value["admin"];
    Some(Ready {
        url: text(&value["url"])?,
        admin: text(&admin["username"]).zip(text(&admin["password"])),
        enrolment_key: text(&value["enrolment_key"]),
        ca_file: text(&value["ca_file"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_file_is_read_in_both_forms() {
        let path = std::env::temp_dir().join(format!("xtask-ready-{}", std::process::id()));
        fs::write(&path, r#"{"url":"http://localhost:1","admin":{"username":"admin","password":"p"},"enrolment_key":"sg_1","ca_file":null}"#).unwrap();
        let first = read_ready(&path).unwrap();
        assert_eq!(
            (first.url.as_str(), first.admin),
            ("http://localhost:1", Some(("admin".into(), "p".into())))
        );
        assert_eq!(
            (first.enrolment_key.as_deref(), first.ca_file),
            (Some("sg_1"), None)
        );
        fs::write(&path, r#"{"url":"http://localhost:1","admin":{"username":"admin","password":null},"enrolment_key":null}"#).unwrap();
        let later = read_ready(&path).unwrap();
        assert!(later.admin.is_none() && later.enrolment_key.is_none());
        fs::write(&path, "{\"url\":").unwrap();
        assert!(read_ready(&path).is_none(), "half written");
        fs::remove_file(&path).unwrap();
    }
}
