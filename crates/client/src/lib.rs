//! A typed client of the public API.

mod accounts;
mod alerts;
mod commands;
mod error;
mod maintenance;
mod notifications;
mod operations;
mod rules;

pub use commands::CommandFilter;
pub use error::ClientError;
pub use operations::{AuditFilter, EventSource, IncidentFilter};
pub use rules::RuleFilter;

use std::time::Duration;

use reqwest::{Method, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use sg_types::Problem;

/// How long one call may take in all.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Calls one server with one API key or session token.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
}

impl Client {
    /// A client of the server at `base_url` (`https://host:port`; `http://` on loopback only), which believes the authorities of the system and
    /// those in `ca_pem`.
    ///
    /// # Errors
    /// [`ClientError::InvalidUrl`] and [`ClientError::InvalidCertificate`].
    pub fn new(base_url: &str, token: SecretString, ca_pem: Option<&[u8]>) -> Result<Self, ClientError> {
        let base = parse_base(base_url)?;
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .user_agent(concat!("sgctl/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the token to wherever it points.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = ca_pem {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem).map_err(|_| ClientError::InvalidCertificate)?;
            if certificates.is_empty() {
                return Err(ClientError::InvalidCertificate);
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder
            .build()
            .map_err(|error| ClientError::unreachable(&base, &error))?;
        Ok(Self { http, base, token })
    }

    /// The server's address.
    pub fn base_url(&self) -> &Url {
        &self.base
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, ClientError> {
        let bytes = self.send(method, path, query, body).await?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::UnexpectedAnswer(error.to_string()))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Vec<u8>, ClientError> {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/api/v1/{path}",
            self.base.path().trim_end_matches('/')
        ));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self
            .http
            .request(method, url)
            .header(header::ACCEPT, "application/json")
            .bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request).await
    }

    /// Sends lines of JSON.
    async fn send_lines<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        idempotency_key: &str,
        lines: Vec<u8>,
    ) -> Result<T, ClientError> {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/api/v1/{path}",
            self.base.path().trim_end_matches('/')
        ));
        url.query_pairs_mut().extend_pairs(query);
        let request = self
            .http
            .post(url)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .header("idempotency-key", idempotency_key)
            .bearer_auth(self.token.expose_secret())
            .body(lines);
        let bytes = self.answer(request).await?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::UnexpectedAnswer(error.to_string()))
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let answer = request
            .send()
            .await
            .map_err(|error| ClientError::unreachable(&self.base, &error))?;
        let status = answer.status();
        let bytes = answer
            .bytes()
            .await
            .map_err(|error| ClientError::unreachable(&self.base, &error))?;
        if status.is_success() {
            return Ok(bytes.to_vec());
        }
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(ClientError::Refused(Box::new(problem))),
            Err(_) => Err(ClientError::UnexpectedAnswer(format!(
                "status {status} without an explanation"
            ))),
        }
    }
}

fn parse_base(text: &str) -> Result<Url, ClientError> {
    let url: Url = text
        .trim_end_matches('/')
        .parse()
        .map_err(|_| ClientError::InvalidUrl(text.to_owned()))?;
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        "http" => Err(ClientError::PlainHttp(text.to_owned())),
        _ => Err(ClientError::InvalidUrl(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        assert!(parse_base("http://localhost:8080").is_ok());
        assert!(parse_base("http://[::1]:8080/").is_ok());
        assert!(parse_base("https://guard.example/base").is_ok());
        assert!(matches!(
            parse_base("http://guard.example"),
            Err(ClientError::PlainHttp(_))
        ));
        assert!(matches!(
            parse_base("http://localhost.example"),
            Err(ClientError::PlainHttp(_))
        ));
        assert!(matches!(
            parse_base("guard.example"),
            Err(ClientError::InvalidUrl(_))
        ));
        assert!(matches!(
            parse_base("file:///etc/passwd"),
            Err(ClientError::InvalidUrl(_))
        ));
    }

    #[test]
    fn the_token_is_not_shown() {
        let client = Client::new("http://localhost:1", SecretString::from("sg_secret"), None).unwrap();
        assert!(!format!("{client:?}").contains("sg_secret"));
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let error = Client::new("https://localhost:1", SecretString::from("k"), Some(b"hello")).unwrap_err();
        assert!(matches!(error, ClientError::InvalidCertificate), "{error}");
    }
}
