//! `[traces]`.

use serde::Deserialize;
use url::Url;

/// Traces for an OpenTelemetry collector.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracesConfig {
    /// Where OTLP over HTTP is taken, such as `http://localhost:4318/v1/traces`; empty: none are made.
    pub endpoint: String,
    /// The share of requests that is traced, 0 to 1.
    pub sample_ratio: f64,
}

impl TracesConfig {
    /// What is wrong with the settings.
    pub(super) fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let is_address = self.endpoint.parse::<Url>().is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
        });
        if !self.endpoint.is_empty() && !is_address {
            wrong.push(
                "setting `traces.endpoint`: has to be an http or https address without a name and password in it".to_owned(),
            );
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            wrong.push("setting `traces.sample_ratio`: has to be between 0 and 1".to_owned());
        }
        wrong
    }
}
