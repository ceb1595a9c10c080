//! An HTTPS endpoint: each delivery is one POST of JSON lines, signed by HMAC-SHA-256 over the time and the body.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::Line;
use crate::config::WebhookSinkConfig;
use crate::files;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// `t=<Unix seconds>,v1=<hex>`: the HMAC is over the seconds, a full stop and the body.
const SIGNATURE_HEADER: &str = "x-secureguard-signature";

/// The endpoint.
#[derive(Debug)]
pub struct WebhookSink {
    client: reqwest::Client,
    url: String,
    secret: SecretString,
}

impl WebhookSink {
    pub(super) fn new(config: &WebhookSinkConfig) -> anyhow::Result<Self> {
        let path = &config.secret_file;
        let secret = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the webhook's secret {}", path.display()))?;
        anyhow::ensure!(
            !files::is_readable_by_others(path)?,
            "{} can be read by others than its owner; run: chmod 0600 {}",
            path.display(),
            path.display()
        );
        anyhow::ensure!(
            secret.trim().len() >= 16,
            "the webhook's secret in {} is shorter than 16 characters",
            path.display()
        );
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if !config.ca_file.as_os_str().is_empty() {
            let pem = std::fs::read(&config.ca_file)
                .with_context(|| format!("cannot read {}", config.ca_file.display()))?;
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?);
        }
        Ok(Self {
            client: builder.build()?,
            url: config.url.clone(),
            secret: secret.trim().to_owned().into(),
        })
    }

    pub(super) async fn tell(&mut self, lines: &[Line], at: DateTime<Utc>) -> anyhow::Result<()> {
        let mut body = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut body, line)?;
            body.push(b'\n');
        }
        let seconds = at.timestamp().to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes())?;
        mac.update(seconds.as_bytes());
        mac.update(b".");
        mac.update(&body);
        let signature = hex::encode(mac.finalize().into_bytes());
        let answer = self
            .client
            .post(&self.url)
            .header("content-type", "application/x-ndjson")
            .header(SIGNATURE_HEADER, format!("t={seconds},v1={signature}"))
            .body(body)
            .send()
            .await
            .map_err(reqwest::Error::without_url)?;
        anyhow::ensure!(
            answer.status().is_success(),
            "the webhook answered {}",
            answer.status()
        );
        Ok(())
    }
}
