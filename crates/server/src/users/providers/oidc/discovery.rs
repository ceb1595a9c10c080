//! What a provider says of itself (OpenID Connect Discovery 1.0), kept for some minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, DiscoveryError, IssuerUrl, ProviderMetadata};
use serde::{Deserialize, Serialize};
use sg_types::ProviderId;
use sg_types::api::providers::OidcSettings;
use url::Url;

use super::super::outbound::{Outbound, OutboundError, is_reachable};

/// How long a provider's word about itself and its keys is taken without asking again.
const MAX_AGE: Duration = Duration::minutes(10);

/// What this client needs to know beyond Discovery 1.0.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Extensions {
    /// OpenID Connect RP-Initiated Logout 1.0 §2.1.
    pub(super) end_session_endpoint: Option<Url>,
    /// RFC 9207 §3: whether answers always name their issuer.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extensions {}

pub(super) type Metadata = ProviderMetadata<
    Extensions,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// A provider that has been asked about itself, and the way to it.
#[derive(Debug)]
pub(crate) struct Discovered {
    pub(super) metadata: Metadata,
    pub(super) outbound: Outbound,
}

impl Discovered {
    /// Where people sign in, and where codes are redeemed.
    pub(crate) fn endpoints(&self) -> (String, Option<String>) {
        (
            self.metadata.authorization_endpoint().to_string(),
            self.metadata.token_endpoint().map(ToString::to_string),
        )
    }

    /// How many keys the provider signs with.
    pub(crate) fn key_count(&self) -> usize {
        self.metadata.jwks().keys().len()
    }
}

/// Asks a provider about itself and for its keys.
///
/// # Errors
/// In words that an administrator can use: what was asked and what came back.
pub(crate) async fn discover(
    settings: &OidcSettings,
    allow_loopback: bool,
) -> Result<Discovered, DiscoveryError<OutboundError>> {
    let outbound =
        Outbound::new(settings.ca_pem.as_deref(), allow_loopback).map_err(DiscoveryError::Request)?;
    let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(DiscoveryError::UrlParse)?;
    let metadata = Metadata::discover_async(issuer, &outbound).await?;
    // The browser is sent to this one, which no request of ours has looked at.
    if !is_reachable(metadata.authorization_endpoint().url(), allow_loopback) {
        return Err(DiscoveryError::Request(OutboundError::Refused(
            metadata.authorization_endpoint().to_string(),
        )));
    }
    Ok(Discovered { metadata, outbound })
}

type Kept = HashMap<ProviderId, (DateTime<Utc>, DateTime<Utc>, Arc<Discovered>)>;

/// What was discovered lately.
#[derive(Debug, Default)]
pub(crate) struct Discovery(Mutex<Kept>);

impl Discovery {
    /// The provider as it said of itself in the last minutes, else asked anew. `changed_at`: when its settings were changed last.
    ///
    /// # Errors
    /// As [`discover`].
    pub(super) async fn find(
        &self,
        provider_id: ProviderId,
        changed_at: DateTime<Utc>,
        settings: &OidcSettings,
        allow_loopback: bool,
        now: DateTime<Utc>,
    ) -> Result<Arc<Discovered>, DiscoveryError<OutboundError>> {
        if let Some(known) = self.known(provider_id, changed_at, now) {
            return Ok(known);
        }
        self.renew(provider_id, changed_at, settings, allow_loopback, now)
            .await
    }

    /// Asks anew, whatever is known: the provider may have changed its keys.
    ///
    /// # Errors
    /// As [`discover`].
    pub(super) async fn renew(
        &self,
        provider_id: ProviderId,
        changed_at: DateTime<Utc>,
        settings: &OidcSettings,
        allow_loopback: bool,
        now: DateTime<Utc>,
    ) -> Result<Arc<Discovered>, DiscoveryError<OutboundError>> {
        let found = Arc::new(discover(settings, allow_loopback).await?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (_, asked_at, _)| now - *asked_at < MAX_AGE);
        kept.insert(provider_id, (changed_at, now, found.clone()));
        Ok(found)
    }

    fn known(
        &self,
        provider_id: ProviderId,
        changed_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<Arc<Discovered>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, asked_at, found) = kept.get(&provider_id)?;
        (*of == changed_at && now - *asked_at < MAX_AGE).then(|| found.clone())
    }
}
