//! HTTP to the server, every answer classified once.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sg_types::agent::{
    CheckIn, CheckInReply, CommandRefusal, EnrolReply, EnrolRequest, SignedRules, TrustOffer,
};
use sg_types::response::{CommandsReply, OutputChunk, ResultKey, SignedText};
use sg_types::{Clock, CommandId, Problem};

use crate::identity::is_loopback;

/// Time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an ordinary answer at most.
const MAX_REPLY_BYTES: usize = 1024 * 1024;
/// Bytes of the commands in one answer at most.
const MAX_COMMANDS_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a rule set at most.
const MAX_RULES_BYTES: usize = 64 * 1024 * 1024;
/// zstd's level: 3 costs little and saves most.
const COMPRESSION_LEVEL: i32 = 3;
/// A server may ask for a pause of at most this long.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// 401: the secret does not work (any more).
    #[error("the server refuses the credentials: {0}")]
    Unauthorized(String),
    /// 403: the credentials hold, but not for this, or the tenant's subscription has no room.
    #[error("the server forbids it: {0}")]
    Forbidden(String),
    /// 409 `stream_conflict`: another holder of this state has checked in.
    #[error("the server knows this stream from another holder of this agent's state")]
    StreamConflict,
    /// 413: the body is too large.
    #[error("the server finds the request too large")]
    TooLarge,
    /// 400 or 422: the content is not acceptable.
    #[error("the server refuses the request: {0}")]
    Refused(String),
    /// 429 or 503: come back later.
    #[error("the server is busy: {detail}")]
    Busy {
        /// The pause that it asks for.
        retry_after: Option<Duration>,
        /// Its words.
        detail: String,
    },
    /// Anything else: no connection, a time-out, 5xx, an answer that is not understood.
    #[error("{0}")]
    Failed(String),
}

/// The server, as one agent sees it.
#[derive(Debug, Clone)]
pub struct ServerClient {
    client: Client,
    server: String,
}

impl ServerClient {
    /// A client for the server at `server` (as [`crate::identity::parse_server_url`] gives it). With `ca` its certificate is checked against
    /// these authorities (PEM) only, else against the system's.
    ///
    /// # Errors
    /// When the PEM holds no certificate, or TLS cannot be set up.
    pub fn new(server: &str, ca: Option<&[u8]>, timeout: Duration) -> Result<Self> {
        let url = Url::parse(server).context("the server's URL cannot be read")?;
        let mut builder = Client::builder()
            .user_agent(concat!("secureguard-agent/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(90))
            .https_only(!is_loopback(&url));
        #[cfg(feature = "own-resolver")]
        {
            builder = builder.dns_resolver(super::resolver::OwnResolver);
        }
        if let Some(pem) = ca {
            let certificates = Certificate::from_pem_bundle(pem)
                .context("the CA file holds no readable certificate (PEM)")?;
            anyhow::ensure!(!certificates.is_empty(), "the CA file holds no certificate (PEM)");
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder
            .build()
            .map_err(|error| anyhow::anyhow!("cannot set up TLS: {}", describe(&error)))?;
        Ok(Self {
            client,
            server: server.to_owned(),
        })
    }

    /// Enrols with an API key.
    ///
    /// # Errors
    /// [`CallError`] says why not.
    pub async fn enrol(&self, key: &SecretString, request: &EnrolRequest) -> Result<EnrolReply, CallError> {
        let body = serde_json::to_vec(request).map_err(|error| CallError::Failed(error.to_string()))?;
        let response = self
            .send(Method::POST, "/agent/v1/enrol", key, Some((body, false)))
            .await?;
        read_json(response, MAX_REPLY_BYTES).await
    }

    /// Checks in.
    ///
    /// # Errors
    /// [`CallError`] says why the records are not acknowledged.
    pub async fn check_in(
        &self,
        token: &SecretString,
        check_in: &CheckIn,
    ) -> Result<CheckInReply, CallError> {
        let encoded = serde_json::to_vec(check_in)
            .map_err(std::io::Error::from)
            .and_then(|text| zstd::encode_all(text.as_slice(), COMPRESSION_LEVEL));
        let body = encoded.map_err(|error| CallError::Failed(error.to_string()))?;
        let response = self
            .send(Method::POST, "/agent/v1/check-in", token, Some((body, true)))
            .await?;
        read_json(response, MAX_REPLY_BYTES).await
    }

    /// Fetches the rule set.
    ///
    /// # Errors
    /// [`CallError`] says why not.
    pub async fn fetch_rules(&self, token: &SecretString) -> Result<SignedRules, CallError> {
        let response = self.send(Method::GET, "/agent/v1/rules", token, None).await?;
        read_json(response, MAX_RULES_BYTES).await
    }

    /// Tells the server that this agent goes.
    ///
    /// # Errors
    /// [`CallError`] says why it is not told.
    pub async fn unenrol(&self, token: &SecretString) -> Result<(), CallError> {
        self.send(Method::POST, "/agent/v1/unenrol", token, None)
            .await
            .map(drop)
    }

    /// Fetches the trust sets that may replace the pinned one.
    ///
    /// # Errors
    /// [`CallError`] says why not.
    pub async fn fetch_trust(&self, token: &SecretString) -> Result<TrustOffer, CallError> {
        let response = self.send(Method::GET, "/agent/v1/trust", token, None).await?;
        read_json(response, MAX_REPLY_BYTES).await
    }

    /// Asks for commands; the server answers once there are some, or after `wait_seconds`.
    ///
    /// # Errors
    /// [`CallError`] says why not.
    pub async fn fetch_commands(
        &self,
        token: &SecretString,
        wait_seconds: u64,
    ) -> Result<CommandsReply, CallError> {
        let path = format!("/agent/v1/commands?wait={wait_seconds}");
        let request = self
            .request(Method::GET, &path, token, None)?
            .timeout(Duration::from_secs(wait_seconds) + CONNECT_TIMEOUT);
        read_json(self.answer(request).await?, MAX_COMMANDS_BYTES).await
    }

    /// Tells under which key results are signed.
    ///
    /// # Errors
    /// [`CallError`] says why it is not taken.
    pub async fn tell_result_key(&self, token: &SecretString, key: &ResultKey) -> Result<(), CallError> {
        self.post(Method::PUT, "/agent/v1/result-key", token, key).await
    }

    /// Tells that a command begins.
    ///
    /// # Errors
    /// [`CallError`] says why it is not taken.
    pub async fn start_command(&self, token: &SecretString, command_id: CommandId) -> Result<(), CallError> {
        let path = format!("/agent/v1/commands/{command_id}/start");
        self.send(Method::POST, &path, token, None).await.map(drop)
    }

    /// Tells more of a running command's output.
    ///
    /// # Errors
    /// [`CallError`] says why it is not taken.
    pub async fn tell_output(
        &self,
        token: &SecretString,
        command_id: CommandId,
        chunk: &OutputChunk,
    ) -> Result<(), CallError> {
        let path = format!("/agent/v1/commands/{command_id}/output");
        self.post(Method::POST, &path, token, chunk).await
    }

    /// Tells what a command came to.
    ///
    /// # Errors
    /// [`CallError`] says why it is not taken.
    pub async fn tell_result(
        &self,
        token: &SecretString,
        command_id: CommandId,
        result: &SignedText,
    ) -> Result<(), CallError> {
        let path = format!("/agent/v1/commands/{command_id}/result");
        self.post(Method::POST, &path, token, result).await
    }

    /// Tells that a command is not done.
    ///
    /// # Errors
    /// [`CallError`] says why it is not taken.
    pub async fn refuse_command(
        &self,
        token: &SecretString,
        refusal: &CommandRefusal,
    ) -> Result<(), CallError> {
        self.post(Method::POST, "/agent/v1/commands/refusals", token, refusal)
            .await
    }

    async fn post<T: Serialize>(
        &self,
        method: Method,
        path: &str,
        token: &SecretString,
        body: &T,
    ) -> Result<(), CallError> {
        let body = serde_json::to_vec(body).map_err(|error| CallError::Failed(error.to_string()))?;
        self.send(method, path, token, Some((body, false)))
            .await
            .map(drop)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        secret: &SecretString,
        body: Option<(Vec<u8>, bool)>,
    ) -> Result<Response, CallError> {
        self.answer(self.request(method, path, secret, body)?).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        secret: &SecretString,
        body: Option<(Vec<u8>, bool)>,
    ) -> Result<RequestBuilder, CallError> {
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", secret.expose_secret())).map_err(|_| {
                CallError::Unauthorized("the secret holds characters that no secret has".to_owned())
            })?;
        authorization.set_sensitive(true);
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.server))
            .header(AUTHORIZATION, authorization);
        if let Some((body, compressed)) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
            if compressed {
                request = request.header(CONTENT_ENCODING, "zstd");
            }
        }
        Ok(request)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let response = request
            .send()
            .await
            .map_err(|error| CallError::Failed(describe(&error)))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(classify(response).await)
        }
    }
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).
pub(super) fn parse_retry_after(text: &str, clock: &dyn Clock) -> Option<Duration> {
    let text = text.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
            date.signed_duration_since(clock.now())
                .num_seconds()
                .max(0)
                .cast_unsigned()
        }
    };
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

async fn classify(response: Response) -> CallError {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| parse_retry_after(text, &sg_types::SystemClock));
    let body = read_bounded(response, MAX_REPLY_BYTES).await.unwrap_or_default();
    let problem: Option<Problem> = serde_json::from_slice(&body).ok();
    let detail = match &problem {
        Some(problem) => format!("{} ({})", problem.detail, problem.code),
        None => format!("HTTP {status}"),
    };
    let code = problem.map(|problem| problem.code).unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED => CallError::Unauthorized(detail),
        StatusCode::FORBIDDEN => CallError::Forbidden(detail),
        StatusCode::CONFLICT if code == "stream_conflict" => CallError::StreamConflict,
        StatusCode::PAYLOAD_TOO_LARGE => CallError::TooLarge,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => CallError::Refused(detail),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            CallError::Busy { retry_after, detail }
        }
        _ => CallError::Failed(detail),
    }
}

async fn read_json<T: DeserializeOwned>(response: Response, max: usize) -> Result<T, CallError> {
    let body = read_bounded(response, max).await?;
    serde_json::from_slice(&body)
        .map_err(|error| CallError::Failed(format!("the server's answer is not understood: {error}")))
}

async fn read_bounded(mut response: Response, max: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| CallError::Failed(describe(&error)))?
    {
        if body.len() + chunk.len() > max {
            return Err(CallError::Failed(format!(
                "the server's answer is larger than {max} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with its causes, which its own text leaves out.
fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "the server did not answer in time".to_owned()
    } else {
        error.to_string()
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};
    use sg_types::ManualClock;

    use super::*;

    #[test]
    fn a_pause_is_seconds_or_a_date_and_bounded() {
        let clock = ManualClock::at(Utc.with_ymd_and_hms(1994, 11, 6, 8, 49, 7).unwrap());
        let parse = |text| parse_retry_after(text, &clock);
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(parse("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("99999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(parse("soon"), None);
        assert_eq!(parse("-3"), None);
    }

    #[test]
    fn a_bad_authority_is_an_error() {
        let timeout = Duration::from_secs(1);
        assert!(ServerClient::new("https://localhost", Some(b"nothing"), timeout).is_err());
        assert!(ServerClient::new("http://localhost", None, timeout).is_ok());
    }
}
