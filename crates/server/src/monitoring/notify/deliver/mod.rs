//! One module for each kind of channel: how a letter gets there.

mod email;
mod pagerduty;
pub(super) mod slack;
mod syslog;
mod webhook;

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_types::api::notifications::ChannelSettings;
use url::Url;

use super::letter::Letter;
use super::target::ChannelSecret;
use super::template::OwnWords;
use crate::AppState;
use crate::users::providers::outbound::{Outbound, OutboundError};

/// How long one delivery may take: well below the time that a sender has a notification to itself.
const WHOLE: Duration = Duration::from_secs(20);
/// The longest pause that a receiver may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3_600);

/// Why a receiver did not take a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Whether it says that it will not take it later either.
    pub(super) is_permanent: bool,
    /// Its answer, where it gave one.
    pub(super) code: Option<i32>,
    /// In words, without anything secret.
    pub(super) reason: String,
    /// How long it asks to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    fn passing(reason: impl Into<String>) -> Self {
        Self {
            is_permanent: false,
            code: None,
            reason: reason.into(),
            retry_after: None,
        }
    }

    fn permanent(reason: impl Into<String>) -> Self {
        Self {
            is_permanent: true,
            ..Self::passing(reason)
        }
    }
}

/// Hands a letter to a receiver, where people read it in the channel's own words; its answer, where it has one.
pub(super) async fn deliver(
    state: &AppState,
    settings: &ChannelSettings,
    secret: &ChannelSecret,
    letter: &Letter,
    own: &OwnWords,
) -> Result<Option<i32>, Refusal> {
    let sending = async {
        match settings {
            ChannelSettings::Email { addresses } => email::send(state, addresses, letter, own).await,
            ChannelSettings::Slack { ca_pem, .. } => {
                slack::send(state, ca_pem.as_deref(), secret, letter, own).await
            }
            ChannelSettings::Webhook { ca_pem, .. } => {
                webhook::send(state, ca_pem.as_deref(), secret, letter).await
            }
            ChannelSettings::Pagerduty { ca_pem, .. } => {
                pagerduty::send(state, ca_pem.as_deref(), secret, letter).await
            }
            ChannelSettings::Syslog {
                address,
                format,
                ca_pem,
            } => syslog::send(state, address, *format, ca_pem.as_deref(), letter).await,
        }
    };
    match tokio::time::timeout(WHOLE, sending).await {
        Ok(result) => result,
        Err(_) => Err(Refusal::passing(format!(
            "it took longer than {} seconds",
            WHOLE.as_secs()
        ))),
    }
}

/// Posts a body to the secret address of a channel.
async fn post(
    state: &AppState,
    ca_pem: Option<&str>,
    url: Option<&SecretString>,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
) -> Result<Option<i32>, Refusal> {
    let url: Url = url
        .and_then(|url| url.expose_secret().parse().ok())
        .ok_or_else(|| Refusal::permanent("the channel has no address"))?;
    let client = Outbound::guarded(ca_pem, !state.tls)
        .map_err(|_| Refusal::permanent("the certificates to trust cannot be read"))?;
    let mut all = vec![("content-type", "application/json".to_owned())];
    all.extend_from_slice(headers);
    let answer = client
        .post(&url, &all, body)
        .await
        .map_err(|error| explain(&error))?;
    let code = Some(i32::from(answer.status));
    if (200..300).contains(&answer.status) {
        return Ok(code);
    }
    let now = state.now();
    Err(Refusal {
        // Too early, too many and a time-out pass (RFC 9110 §15.5); a redirect is not followed.
        is_permanent: matches!(answer.status, 300..=499) && !matches!(answer.status, 408 | 425 | 429),
        code,
        reason: format!("the receiver answered {}", answer.status),
        retry_after: answer.retry_after.and_then(|text| read_retry_after(&text, now)),
    })
}

/// In words that say no more than whoever set the channel up has to know.
fn explain(error: &OutboundError) -> Refusal {
    let reason = match error {
        OutboundError::Address | OutboundError::Refused(_) => {
            "the address cannot be found, or is not one that is gone to"
        }
        OutboundError::Http(error) if error.is_timeout() => "the receiver did not answer in time",
        OutboundError::Http(error) if error.is_connect() => {
            "no connection: nobody listens there, or the certificate is not trusted"
        }
        _ => "the request failed on its way",
    };
    Refusal::passing(reason)
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn read_retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(text.trim()).ok()?.to_utc() - now)
            .to_std()
            .ok()?,
    };
    Some(wait.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_read_as_seconds_and_as_dates() {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        let read = |text| read_retry_after(text, now);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            read("Sat, 31 Jan 2026 12:01:00 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("99999999999"), Some(LONGEST_PAUSE));
        assert_eq!(read("Fri, 30 Jan 2026 12:01:00 GMT"), None, "past");
        for odd in ["", "-1", "soon", "1.5"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
