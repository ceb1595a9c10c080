//! Figures that the database cannot tell about itself: how full its disk is, how long its certificate lasts, how long a request waits for it.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use x509_parser::pem::parse_x509_pem;

use crate::AppState;
use crate::config::Config;

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

/// Measures what this server can measure. A figure that is not to be had is left out, and logged.
pub(crate) async fn measure(state: &AppState) -> Vec<Figure> {
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
    match tokio::task::spawn_blocking(move || of_files(&config, now)).await {
        Ok(more) => figures.extend(more),
        Err(error) => tracing::error!(%error, "measuring the host failed"),
    }
    figures
}

fn of_files(config: &Config, now: DateTime<Utc>) -> Vec<Figure> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
