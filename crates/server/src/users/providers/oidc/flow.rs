//! The secrets of one sign-in, and the client that uses them.
//!
//! The browser keeps a random secret in a cookie; state is a second one that travels through the provider. Nonce and PKCE verifier follow
//! from both, so that the database holds hashes only and neither half is worth anything alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, Client, ClientId, ClientSecret, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IdTokenFields, Nonce, PkceCodeVerifier, RedirectUrl, StandardErrorResponse,
    StandardTokenResponse,
};
use sg_types::ProviderId;
use sg_types::api::providers::OidcSettings;
use sha2::{Digest, Sha256};

use super::claims::AnyClaims;
use super::discovery::Metadata;
use crate::AppState;

type Fields = IdTokenFields<
    AnyClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// The client of one provider.
pub(super) type OidcClient = Client<
    AnyClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// 256 random bits in base64url.
pub(super) fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// Whether a text can be one of [`random_text`].
pub(super) fn is_random_text(text: &str) -> bool {
    text.len() == 43
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The nonce of a sign-in.
pub(super) fn nonce(browser: &str, state: &str) -> Nonce {
    Nonce::new(derive("nonce", browser, state))
}

/// The PKCE verifier of a sign-in.
pub(super) fn verifier(browser: &str, state: &str) -> PkceCodeVerifier {
    PkceCodeVerifier::new(derive("verifier", browser, state))
}

fn derive(purpose: &str, browser: &str, state: &str) -> String {
    let digest = Sha256::digest(format!("secureguard sign-in {purpose}|{browser}|{state}"));
    URL_SAFE_NO_PAD.encode(digest)
}

/// Where a provider sends the browser back to: never from what a request says of our name.
pub(crate) fn redirect_uri(state: &AppState, provider_id: ProviderId) -> String {
    format!(
        "{}/api/v1/sessions/oidc/{provider_id}/callback",
        state.public_url.trim_end_matches('/')
    )
}

/// The client for a provider. None when our own address is no URL.
pub(super) fn client(
    metadata: &Metadata,
    settings: &OidcSettings,
    secret: Option<String>,
    redirect_uri: String,
) -> Option<OidcClient> {
    let auth_type = match metadata.token_endpoint_auth_methods_supported() {
        Some(methods)
            if methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic) =>
        {
            AuthType::RequestBody
        }
        _ => AuthType::BasicAuth,
    };
    let client = OidcClient::from_provider_metadata(
        metadata.clone(),
        ClientId::new(settings.client_id.clone()),
        secret.map(ClientSecret::new),
    );
    Some(
        client
            .set_auth_type(auth_type)
            .set_redirect_uri(RedirectUrl::new(redirect_uri).ok()?),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_two_secrets_differs_with_each() {
        let (browser, state) = (random_text(), random_text());
        assert!(is_random_text(&browser) && !is_random_text("short") && !is_random_text(&"é".repeat(43)));
        let first = nonce(&browser, &state);
        assert_eq!(first.secret(), nonce(&browser, &state).secret());
        assert_ne!(first.secret(), nonce(&browser, &random_text()).secret());
        assert_ne!(first.secret(), nonce(&random_text(), &state).secret());
        assert_ne!(first.secret(), verifier(&browser, &state).secret());
        // RFC 7636 §4.1: 43 to 128 unreserved characters.
        assert_eq!(verifier(&browser, &state).secret().len(), 43);
    }
}
