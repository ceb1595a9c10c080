//! Figures that the database cannot tell about itself: how full its disk is, whom PostgreSQL turned away, how long a request waits for it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};

use x509_parser::pem::parse_x509_pem;

use crate::AppState;
use crate::config::Config;

/// How much of the end of PostgreSQL's log is read.
const LOG_TAIL: u64 = 4 * 1024 * 1024;

/// What PostgreSQL says to whom it does not let in; its messages are English, since `up` starts it with the C locale.
const REFUSALS: [&str; 5] = [
    "authentication failed for user",
    "no pg_hba.conf entry for",
    "pg_hba.conf rejects connection",
    "is not permitted to log in",
    "permission denied for database",
];

/// One figure, as its rule names it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// The rule's kind.
    pub kind: &'static str,
    /// What it is about.
    pub subject: String,
    /// In the unit of the rule's threshold.
    pub value: f64,
}

/// Measures what this server can measure. `window` is how far back refused connections count. A figure that is not to be had is left out, and
/// logged.
pub(crate) async fn measure(state: &AppState, window: Duration) -> Vec<Figure> {
    let mut figures = Vec::new();
    match state.db.longest_request_statement().await {
        Ok(longest) => figures.push(Figure {
            kind: "slow_queries",
            subject: "requests".to_owned(),
            value: longest.as_secs_f64(),
        }),
        Err(error) => tracing::warn!(%error, "how long statements take is not to be had"),
    }
    let (config, now) = (state.config.clone(), state.now());
    match tokio::task::spawn_blocking(move || of_files(&config, now, now - window)).await {
        Ok(more) => figures.extend(more),
        Err(error) => tracing::error!(%error, "measuring the host failed"),
    }
    figures
}

fn of_files(config: &Config, now: DateTime<Utc>, since: DateTime<Utc>) -> Vec<Figure> {
    let data_dir = &config.data_dir;
    let mut figures = Vec::new();
    let own = data_dir.join("tls/server.pem");
    let certificate = config
        .tls
        .files()
        .map_or(own.as_path(), |(certificate, _)| certificate);
    match days_left(certificate, now) {
        Ok(value) => figures.push(Figure {
            kind: "certificate_expiry",
            subject: certificate.display().to_string(),
            value,
        }),
        // Plain HTTP on loopback has none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "when the certificate ends is not to be had"),
    }
    match storage_usage(data_dir) {
        Ok(value) => figures.push(Figure {
            kind: "storage_usage",
            subject: data_dir.display().to_string(),
            value,
        }),
        Err(error) => {
            tracing::warn!(%error, folder = %data_dir.display(), "how full the disk is is not to be had")
        }
    }
    // Only `up` has PostgreSQL's log at hand.
    let log = data_dir.join("log/postgresql.log");
    match refused_connections(&log, since) {
        #[expect(clippy::cast_precision_loss, reason = "4 MiB hold fewer lines than 2^53")]
        Ok(count) => figures.push(Figure {
            kind: "unauthorized_database_access",
            subject: "connections".to_owned(),
            value: count as f64,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "PostgreSQL's log is not to be read"),
    }
    figures
}

/// Days until the first certificate of a PEM file ends; negative afterwards.
fn days_left(file: &Path, now: DateTime<Utc>) -> io::Result<f64> {
    let bytes = std::fs::read(file)?;
    let damaged = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", file.display()));
    let (_, pem) = parse_x509_pem(&bytes).map_err(|error| damaged(&error))?;
    let certificate = pem.parse_x509().map_err(|error| damaged(&error))?;
    let end = DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
        .ok_or_else(|| damaged(&"it ends at no time"))?;
    Ok((end - now).as_seconds_f64() / 86_400.0)
}

/// How full the file system of a folder is, in percent as `df` counts it: what is kept for root is not free.
fn storage_usage(folder: &Path) -> io::Result<f64> {
    let told = rustix::fs::statvfs(folder)?;
    let used = told.f_blocks.saturating_sub(told.f_bfree);
    let usable = used + told.f_bavail;
    if usable == 0 {
        return Ok(0.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    Ok(used as f64 * 100.0 / usable as f64)
}

/// How many connections PostgreSQL has refused since a time, as the end of its log tells.
fn refused_connections(log: &Path, since: DateTime<Utc>) -> io::Result<usize> {
    let mut file = File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(LOG_TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut tail)?;
    Ok(String::from_utf8_lossy(&tail)
        .lines()
        .filter(|line| is_refusal(line, since))
        .count())
}

/// `log_line_prefix` begins with the time: `2026-01-31 12:00:00.000 UTC`.
fn is_refusal(line: &str, since: DateTime<Utc>) -> bool {
    let Some((_, message)) = line.split_once("FATAL:  ") else {
        return false;
    };
    let time = line
        .get(..23)
        .and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.3f").ok());
    time.is_some_and(|time| time.and_utc() >= since) && REFUSALS.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-01-31 10:00:00.000 UTC [1] LOG:  database system is ready to accept connections
2026-01-31 10:59:59.999 UTC [2] sg_app@secureguard FATAL:  password authentication failed for user \"sg_app\"
2026-01-31 11:00:00.000 UTC [3] sg_app@secureguard FATAL:  password authentication failed for user \"sg_app\"
2026-01-31 11:10:00.000 UTC [4] eve@postgres FATAL:  no pg_hba.conf entry for host \"192.0.2.1\", user \"eve\", database \"postgres\", no encryption
2026-01-31 11:20:00.000 UTC [5] sg_owner@secureguard FATAL:  role \"sg_owner\" is not permitted to log in
2026-01-31 11:30:00.000 UTC [6] sg_app@secureguard FATAL:  terminating connection due to administrator command
2026-01-31 11:30:00.000 UTC [7] sg_app@secureguard LOG:  the words authentication failed for user are no refusal
not a line of the log FATAL:  password authentication failed for user
";

    #[test]
    fn refusals_are_counted_from_a_time_on() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("postgresql.log");
        std::fs::write(&log, LOG).unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(refused_connections(&log, at("2026-01-31T11:00:00Z")).unwrap(), 3);
        assert_eq!(refused_connections(&log, at("2026-01-31T10:00:00Z")).unwrap(), 4);
        assert_eq!(refused_connections(&log, at("2026-01-31T12:00:00Z")).unwrap(), 0);
        assert!(refused_connections(&dir.path().join("none"), at("2026-01-31T12:00:00Z")).is_err());
    }

    #[test]
    fn a_certificate_has_days_left_or_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("server.pem");
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2026, 3, 11);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        std::fs::write(&file, certificate.pem()).unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let days = |now: &str| days_left(&file, at(now)).unwrap();
        assert!((days("2026-03-01T00:00:00Z") - 10.0).abs() < 0.01);
        assert!((days("2026-03-12T00:00:00Z") + 1.0).abs() < 0.01);
        std::fs::write(&file, "no certificate").unwrap();
        assert!(days_left(&file, at("2026-03-01T00:00:00Z")).is_err());
    }

    #[test]
    fn a_disk_is_full_by_some_part() {
        let used = storage_usage(Path::new("/")).unwrap();
        assert!((0.1..=100.0).contains(&used), "{used}");
        assert!(storage_usage(Path::new("/no/such/folder")).is_err());
    }
}
