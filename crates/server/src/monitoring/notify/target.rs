//! Where a channel leads to: what of it may be shown, and what is sealed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sg_db::SystemTx;
use sg_db::monitoring::Channel;
use sg_db::users::providers::find_secret_by_id;
use sg_db::users::{SecretLabel, SecretPurpose, hold_secret_keys, insert_secret};
use sg_types::TenantId;
use sg_types::api::notifications::{ChannelSettings, ChannelTarget};
use url::Url;
use uuid::Uuid;

use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::syslog::{self, Address};
use crate::users::is_email;
use crate::users::providers::outbound::{Outbound, is_reachable};

/// How signing secrets begin (Standard Webhooks).
pub(super) const SIGNING_PREFIX: &str = "whsec_";
/// Where PagerDuty takes events.
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// Sizes of what can be given.
const MAX_ADDRESSES: usize = 20;
const MAX_URL_CHARS: usize = 2_000;
const MAX_PEM_BYTES: usize = 65_536;
const ROUTING_KEY_CHARS: std::ops::RangeInclusive<usize> = 8..=200;

/// What is secret of a channel; sealed as JSON.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ChannelSecret {
    /// The address that is posted to.
    pub(super) url: Option<SecretString>,
    /// PagerDuty's key.
    pub(super) routing_key: Option<SecretString>,
    /// The key of a webhook's signatures, as its receiver has it.
    pub(super) signing_secret: Option<SecretString>,
}

/// The same on its way into the seal.
#[derive(Serialize)]
struct ToSeal<'a> {
    url: Option<&'a str>,
    routing_key: Option<&'a str>,
    signing_secret: Option<&'a str>,
}

/// A target that was found to be sound.
pub(super) struct Checked {
    /// What may be shown.
    pub(super) settings: ChannelSettings,
    secret: ChannelSecret,
}

impl Checked {
    /// The secret of a webhook's signatures, which its maker is told once.
    pub(super) fn signing_secret(&self) -> Option<String> {
        let secret = self.secret.signing_secret.as_ref();
        secret.map(|secret| secret.expose_secret().to_owned())
    }

    /// Seals what is secret and stores it; its id, none where nothing is.
    pub(super) async fn seal(
        &self,
        state: &AppState,
        tx: &mut SystemTx,
        tenant_id: TenantId,
        at: DateTime<Utc>,
    ) -> ApiResult<Option<Uuid>> {
        fn text(secret: Option<&SecretString>) -> Option<&str> {
            secret.map(|secret| secret.expose_secret())
        }
        let secret = &self.secret;
        let to_seal = ToSeal {
            url: text(secret.url.as_ref()),
            routing_key: text(secret.routing_key.as_ref()),
            signing_secret: text(secret.signing_secret.as_ref()),
        };
        if to_seal.url.is_none() {
            return Ok(None);
        }
        let label = SecretLabel {
            secret_id: state.ids.next(),
            tenant_id,
            user_id: None,
            purpose: SecretPurpose::NotificationChannel,
        };
        let json = serde_json::to_vec(&to_seal).map_err(ApiError::internal)?;
        hold_secret_keys(tx).await?;
        let sealed = state.secrets.seal(label, &json).map_err(ApiError::internal)?;
        if !insert_secret(tx, &sealed, at).await? {
            return Err(ApiError::internal("a new secret has the id of another"));
        }
        Ok(Some(label.secret_id))
    }
}

/// Checks a target, and takes it apart.
pub(super) fn check(state: &AppState, target: ChannelTarget) -> ApiResult<Checked> {
    let secret_url = |url: Url| ChannelSecret {
        url: Some(String::from(url).into()),
        ..ChannelSecret::default()
    };
    let (settings, secret) = match target {
        ChannelTarget::Email { addresses } => {
            check_addresses(state, &addresses)?;
            (ChannelSettings::Email { addresses }, ChannelSecret::default())
        }
        ChannelTarget::Slack { url, ca_pem } => {
            let (url, host) = check_url(state, &url, ca_pem.as_deref())?;
            (ChannelSettings::Slack { host, ca_pem }, secret_url(url))
        }
        ChannelTarget::Webhook { url, ca_pem } => {
            let (url, host) = check_url(state, &url, ca_pem.as_deref())?;
            let mut secret = secret_url(url);
            let random: [u8; 32] = rand::random();
            secret.signing_secret = Some(format!("{SIGNING_PREFIX}{}", BASE64.encode(random)).into());
            (ChannelSettings::Webhook { host, ca_pem }, secret)
        }
        ChannelTarget::Pagerduty {
            routing_key,
            url,
            ca_pem,
        } => {
            let url = url.unwrap_or_else(|| PAGERDUTY_URL.to_owned());
            let (url, host) = check_url(state, &url, ca_pem.as_deref())?;
            if !ROUTING_KEY_CHARS.contains(&routing_key.len())
                || !routing_key.bytes().all(|b| b.is_ascii_graphic())
            {
                return Err(ApiError::invalid_field(
                    "target.routing_key",
                    "is 8–200 letters and digits",
                ));
            }
            let mut secret = secret_url(url);
            secret.routing_key = Some(routing_key.into());
            (ChannelSettings::Pagerduty { host, ca_pem }, secret)
        }
        ChannelTarget::Syslog {
            address,
            format,
            ca_pem,
        } => {
            check_syslog(&address, ca_pem.as_deref())?;
            let settings = ChannelSettings::Syslog {
                address,
                format,
                ca_pem,
            };
            (settings, ChannelSecret::default())
        }
    };
    Ok(Checked { settings, secret })
}

/// Opens what is secret of a channel.
pub(super) async fn open(state: &AppState, channel: &Channel) -> anyhow::Result<ChannelSecret> {
    let Some(secret_id) = channel.secret_id else {
        return Ok(ChannelSecret::default());
    };
    let mut tx = state.db.system("secret of a channel").await?;
    let sealed = find_secret_by_id(&mut tx, channel.tenant_id, secret_id).await?;
    drop(tx);
    let sealed = sealed.ok_or_else(|| anyhow::anyhow!("a channel's secret is gone"))?;
    let opened = state.secrets.open(&sealed)?;
    // What serde says of a fault would quote the secret.
    serde_json::from_slice(&opened).map_err(|_| anyhow::anyhow!("a channel's secret cannot be read"))
}

fn check_addresses(state: &AppState, addresses: &[String]) -> ApiResult<()> {
    if state.mailer.is_none() {
        return Err(ApiError::mail_not_configured());
    }
    let is_address = |text: &String| is_email(text) && text.parse::<lettre::Address>().is_ok();
    if !(1..=MAX_ADDRESSES).contains(&addresses.len()) || !addresses.iter().all(is_address) {
        return Err(ApiError::invalid_field(
            "target.addresses",
            format!("is 1–{MAX_ADDRESSES} e-mail addresses"),
        ));
    }
    Ok(())
}

fn check_url(state: &AppState, text: &str, ca_pem: Option<&str>) -> ApiResult<(Url, String)> {
    check_size(ca_pem)?;
    let refuse = || {
        ApiError::invalid_field(
            "target.url",
            "is an https address without a name and password in it",
        )
    };
    if text.chars().count() > MAX_URL_CHARS {
        return Err(refuse());
    }
    let url: Url = text.parse().map_err(|_| refuse())?;
    if !is_reachable(&url, !state.tls) {
        return Err(refuse());
    }
    Outbound::guarded(ca_pem, !state.tls)
        .map_err(|_| ApiError::invalid_field("target.ca_pem", "is PEM with a certificate"))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    Ok((url, host))
}

fn check_syslog(address: &str, ca_pem: Option<&str>) -> ApiResult<()> {
    check_size(ca_pem)?;
    let parsed = Address::parse(address).map_err(|wrong| ApiError::invalid_field("target.address", wrong))?;
    match (&parsed, ca_pem) {
        (Address::Tls(..), pem) => {
            syslog::tls_config(pem.unwrap_or_default().as_bytes()).map_err(|_| {
                ApiError::invalid_field("target.ca_pem", "is needed for tls://: PEM with a certificate")
            })?;
        }
        (_, Some(_)) => return Err(ApiError::invalid_field("target.ca_pem", "is for tls:// only")),
        (_, None) => {}
    }
    Ok(())
}

fn check_size(ca_pem: Option<&str>) -> ApiResult<()> {
    if ca_pem.is_some_and(|pem| pem.len() > MAX_PEM_BYTES) {
        return Err(ApiError::invalid_field("target.ca_pem", "is at most 64 KiB"));
    }
    Ok(())
}
