//! State of the services, where systemd runs.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use sg_types::agent::ServiceStatus;

/// Services told at most; failed ones come first.
const MAX_SERVICES: usize = 256;
/// The service manager's answer is used for this long: asking it starts a process.
const REFRESH: Duration = Duration::from_secs(60);
/// How long the service manager may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the service manager now and then.
#[derive(Debug, Default)]
pub(crate) struct Services {
    known: Vec<ServiceStatus>,
    asked_at: Option<Instant>,
}

impl Services {
    /// The services as last told; empty where systemd does not run.
    pub(crate) fn read(&mut self) -> Vec<ServiceStatus> {
        if self.asked_at.is_none_or(|at| at.elapsed() >= REFRESH) {
            self.asked_at = Some(Instant::now());
            self.known = ask_systemd().unwrap_or_default();
        }
        self.known.clone()
    }
}

fn ask_systemd() -> Option<Vec<ServiceStatus>> {
    if !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let mut child = Command::new("systemctl")
        .args([
            "list-units",
            "--type=service",
            "--state=running,failed",
            "--no-pager",
            "--output=json",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.take(4 * 1024 * 1024).read_to_end(&mut text);
        text
    });
    let begin = Instant::now();
    while !reader.is_finished() && begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
    if !reader.is_finished() {
        let _ = child.kill();
    }
    let _ = child.wait();
    parse_units(&reader.join().ok()?)
}

#[derive(Deserialize)]
struct Unit {
    unit: String,
    active: String,
    sub: String,
}

fn parse_units(text: &[u8]) -> Option<Vec<ServiceStatus>> {
    let units: Vec<Unit> = serde_json::from_slice(text).ok()?;
    let mut services: Vec<_> = units
        .into_iter()
        .map(|unit| {
            let state = match (unit.active.as_str(), unit.sub.as_str()) {
                ("failed", _) => "failed".to_owned(),
                ("active", "running") => "running".to_owned(),
                ("inactive", _) => "stopped".to_owned(),
                _ => unit.sub,
            };
            ServiceStatus {
                name: unit.unit,
                state,
            }
        })
        .collect();
    services.sort_by_key(|service| service.state != "failed");
    services.truncate(MAX_SERVICES);
    Some(services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_services_come_first() {
        let text =
            br#"[{"unit":"ssh.service","load":"loaded","active":"active","sub":"running","description":"x"},
            {"unit":"db.service","load":"loaded","active":"failed","sub":"failed","description":"y"},
            {"unit":"a.service","load":"loaded","active":"active","sub":"exited","description":"z"}]"#;
        let services = parse_units(text).unwrap();
        let told: Vec<_> = services
            .iter()
            .map(|s| (s.name.as_str(), s.state.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("db.service", "failed"),
                ("ssh.service", "running"),
                ("a.service", "exited")
            ]
        );
        assert!(parse_units(b"Failed to connect to bus").is_none());
    }
}
