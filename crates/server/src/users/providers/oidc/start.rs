//! Sending the browser to its provider.

use chrono::Duration;
use openidconnect::core::CoreResponseType;
use openidconnect::{AuthenticationFlow, CsrfToken, PkceCodeChallenge, Scope};
use sg_db::TokenHash;
use sg_db::users::providers::{self as db, PendingSignIn};
use sg_types::ProviderId;
use sg_types::api::providers::{OidcSettings, ProviderSettings};

use super::discovery::Discovered;
use super::flow;
use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::http::RequestContext;

/// How long somebody may take to sign in at their provider.
pub(super) const LIFE: Duration = Duration::minutes(10);
/// Characters of a path to come back to.
const MAX_RETURN_TO: usize = 512;

/// A sign-in that begins: where the browser goes, and the secret that it keeps.
pub(super) struct Started {
    pub(super) location: String,
    pub(super) browser: String,
}

/// Notes the sign-in and says where the browser goes.
pub(super) async fn start(
    state: &AppState,
    request: &RequestContext,
    provider_id: ProviderId,
    return_to: Option<&str>,
) -> ApiResult<Started> {
    state.rate_limits.check_provider_sign_in(request.address)?;
    let return_to = return_to.unwrap_or("/");
    if !is_own_path(return_to) {
        return Err(ApiError::bad_request(
            "invalid_query",
            "`return_to` must be a path of the console, such as `/threats`",
        ));
    }
    let now = state.now();
    let mut tx = state.db.system("sign-in at a provider").await?;
    let provider = db::find_provider(&mut tx, provider_id).await?;
    drop(tx);
    let provider = provider
        .filter(|provider| provider.is_enabled)
        .ok_or_else(ApiError::not_found)?;
    let ProviderSettings::Oidc(settings) = &provider.settings else {
        return Err(ApiError::not_found());
    };
    let found = state
        .discovery
        .find(provider_id, provider.updated_at, settings, !state.tls, now)
        .await
        .map_err(|error| ApiError::unavailable(30).because(error))?;
    let (browser, state_text) = (flow::random_text(), flow::random_text());
    let uri = flow::redirect_uri(state, provider_id);
    let location = authorization_url(&found, settings, uri, &browser, &state_text)
        .ok_or_else(|| ApiError::internal("the server's own address is no URL"))?;

    let mut tx = state.db.system("sign-in at a provider").await?;
    let pending = PendingSignIn {
        state_hash: TokenHash::of(&state_text),
        browser_hash: TokenHash::of(&browser),
        tenant_id: provider.tenant_id,
        provider_id,
        return_to,
        at: now,
        expires_at: now + LIFE,
    };
    db::insert_pending_sign_in(&mut tx, &pending).await?;
    tx.commit_upkeep().await?;
    Ok(Started { location, browser })
}

/// Where the provider is asked, with everything that ties its answer to this sign-in.
fn authorization_url(
    found: &Discovered,
    settings: &OidcSettings,
    redirect_uri: String,
    browser: &str,
    state: &str,
) -> Option<String> {
    let client = flow::client(&found.metadata, settings, None, redirect_uri)?;
    let nonce = flow::nonce(browser, state);
    let csrf = CsrfToken::new(state.to_owned());
    let mut ask = client.authorize_url(
        AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
        move || csrf,
        move || nonce,
    );
    for scope in &settings.scopes {
        ask = ask.add_scope(Scope::new(scope.clone()));
    }
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&flow::verifier(browser, state));
    Some(ask.set_pkce_challenge(challenge).url().0.to_string())
}

/// Whether a text is a path of our own console: no other host, no scheme, nothing that a browser would read as either.
fn is_own_path(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= MAX_RETURN_TO
        && bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        && !crate::http::is_api(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_our_own_are_come_back_to() {
        for good in ["/", "/threats", "/threats/1?tab=a#b", "/%2F%2Fevil.example"] {
            assert!(is_own_path(good), "{good}");
        }
        for bad in [
            "",
            "threats",
            "//evil.example",
            "/\\evil.example",
            "/a\\b",
            "https://evil.example",
            "javascript:alert(1)",
            "/\n/evil.example",
            "/\t/evil.example",
            " //evil.example",
            "/é",
            "/api/v1/sessions/current",
            "/agent/v1/rules",
            &format!("/{}", "x".repeat(512)),
        ] {
            assert!(!is_own_path(bad), "{bad:?}");
        }
    }
}
