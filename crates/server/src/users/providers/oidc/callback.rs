//! The browser's return from its provider: the code is redeemed, the token checked, the session started.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use openidconnect::core::{CoreGenderClaim, CoreJwsSigningAlgorithm};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClaimsVerificationError, OAuth2TokenResponse, SubjectIdentifier,
    TokenResponse, UserInfoClaims,
};
use serde::Serialize;
use serde_json::{Map, Value};
use sg_db::TokenHash;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::factors::lock_account;
use sg_db::users::providers::{self as db, Provider};
use sg_db::users::{AttemptOutcome, record_login_attempt};
use sg_types::ProviderId;
use sg_types::api::providers::{OidcSettings, ProviderKind, ProviderSettings};

use super::super::account::{self, Vouched};
use super::super::refusal::{
    INACTIVE, OTHER_ISSUER, PROVIDER_REFUSED, PROVIDER_UNAVAILABLE, Refusal, STATE_UNKNOWN, TOKEN_INVALID,
};
use super::super::secret;
use super::claims::{self, AnyClaims};
use super::discovery::Discovered;
use super::flow::{self, OidcClient};
use super::routes::CallbackParams;
use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::users::factors::{self, FirstStepDone, NextStep, Visitor};
use crate::users::sign_in::SignedIn;

/// Time for everything that is asked of the provider.
const PATIENCE: Duration = Duration::from_secs(20);
/// Signatures that are taken: those with a key that only the provider has.
const SIGNATURES: [CoreJwsSigningAlgorithm; 10] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EcdsaP521Sha512,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// How a return ended.
pub(super) enum Returned {
    /// Signed in.
    SignedIn { signed_in: SignedIn, return_to: String },
    /// A second factor is asked for; the challenge opens that step.
    Waiting { challenge: String, return_to: String },
    /// Not let in, for the reason that the word names.
    Refused(&'static str),
}

/// What comes with the return besides its parameters.
pub(super) struct Returning<'a> {
    pub(super) state: &'a AppState,
    pub(super) visitor: &'a Visitor,
    pub(super) provider_id: ProviderId,
    /// The secret of the browser's cookie.
    pub(super) browser: Option<&'a str>,
}

impl Returning<'_> {
    /// Finishes the sign-in, or records why not.
    pub(super) async fn finish(&self, params: &CallbackParams) -> ApiResult<Returned> {
        self.state
            .rate_limits
            .check_provider_sign_in(self.visitor.request.address)?;
        let mut tx = self.state.db.system("sign-in at a provider").await?;
        let provider = db::find_provider(&mut tx, self.provider_id).await?;
        drop(tx);
        let provider = provider
            .filter(|provider| provider.is_enabled)
            .ok_or_else(ApiError::not_found)?;
        let ProviderSettings::Oidc(settings) = &provider.settings else {
            return Err(ApiError::not_found());
        };
        match self.try_finish(&provider, settings, params).await {
            Ok(signed_in) => Ok(signed_in),
            Err(Refusal::Failed(error)) => Err(error),
            Err(Refusal::Told(reason)) => {
                self.record_refusal(&provider, reason).await?;
                Ok(Returned::Refused(reason))
            }
        }
    }

    async fn try_finish(
        &self,
        provider: &Provider,
        settings: &OidcSettings,
        params: &CallbackParams,
    ) -> Result<Returned, Refusal> {
        // Whatever the answer says, its state is used up by it.
        let browser = self
            .browser
            .filter(|secret| flow::is_random_text(secret))
            .ok_or(STATE_UNKNOWN)?;
        let mut tx = self.state.db.system("sign-in at a provider").await?;
        let taken = db::take_pending_sign_in(
            &mut tx,
            self.provider_id,
            TokenHash::of(&params.state),
            TokenHash::of(browser),
            self.visitor.at,
        )
        .await?;
        tx.commit_upkeep().await?;
        let return_to = taken.ok_or(STATE_UNKNOWN)?;
        if params
            .iss
            .as_ref()
            .is_some_and(|issuer| *issuer != settings.issuer)
        {
            return Err(OTHER_ISSUER);
        }
        let asked = tokio::time::timeout(PATIENCE, self.ask_provider(provider, settings, params, browser));
        let who = asked.await.map_err(|_| PROVIDER_UNAVAILABLE)??;
        self.start_session(provider, settings, &who, return_to).await
    }

    /// Redeems the code and reads what the provider says of the person.
    async fn ask_provider(
        &self,
        provider: &Provider,
        settings: &OidcSettings,
        params: &CallbackParams,
        browser: &str,
    ) -> Result<Vouched, Refusal> {
        let found = self.discover(provider, settings, false).await?;
        let names_issuer = found
            .metadata
            .additional_metadata()
            .authorization_response_iss_parameter_supported;
        if names_issuer && params.iss.is_none() {
            return Err(OTHER_ISSUER);
        }
        let code = match (&params.code, &params.error) {
            (Some(code), None) => AuthorizationCode::new(code.clone()),
            _ => return Err(PROVIDER_REFUSED),
        };
        let secret = secret::open(self.state, provider).await?;
        let uri = flow::redirect_uri(self.state, self.provider_id);
        let client = flow::client(&found.metadata, settings, secret.clone(), uri.clone())
            .ok_or(PROVIDER_UNAVAILABLE)?;
        let tokens = client
            .exchange_code(code)
            .map_err(|_| PROVIDER_UNAVAILABLE)?
            .set_pkce_verifier(flow::verifier(browser, &params.state))
            .request_async(&found.outbound)
            .await
            .map_err(|error| {
                tracing::warn!(provider.id = %self.provider_id, error = %anyhow::Error::from(error), "a provider redeemed no code");
                PROVIDER_REFUSED
            })?;
        let nonce = flow::nonce(browser, &params.state);
        let claims = match check_token(&client, &tokens, &nonce, self.visitor.at) {
            // Its keys may be newer than what we know of them.
            Err(error) if is_about_keys(&error) => {
                let found = self.discover(provider, settings, true).await?;
                let client =
                    flow::client(&found.metadata, settings, secret, uri).ok_or(PROVIDER_UNAVAILABLE)?;
                check_token(&client, &tokens, &nonce, self.visitor.at)
            }
            other => other,
        };
        let (subject, mut all) = claims.map_err(|error| {
            tracing::warn!(provider.id = %self.provider_id, error = %error, "a provider's token does not hold");
            TOKEN_INVALID
        })?;
        if claims::is_incomplete(&all, settings) && client.user_info_url().is_some() {
            let more = ask_user_info(&client, &found, tokens.access_token().clone(), subject.clone()).await?;
            for (name, value) in more {
                all.entry(name).or_insert(value);
            }
        }
        Ok(claims::read(subject.as_str(), &all, settings))
    }

    async fn discover(
        &self,
        provider: &Provider,
        settings: &OidcSettings,
        anew: bool,
    ) -> Result<Arc<Discovered>, Refusal> {
        let (id, changed_at) = (provider.provider_id, provider.updated_at);
        let (discovery, loopback) = (&self.state.discovery, !self.state.tls);
        let found = if anew {
            discovery
                .renew(id, changed_at, settings, loopback, self.visitor.at)
                .await
        } else {
            discovery
                .find(id, changed_at, settings, loopback, self.visitor.at)
                .await
        };
        found.map_err(|error| {
            tracing::warn!(provider.id = %id, error = %anyhow::Error::from(error), "a provider cannot be asked");
            PROVIDER_UNAVAILABLE
        })
    }

    /// Starts the session, or leaves what the second step needs where a factor is asked for here.
    async fn start_session(
        &self,
        provider: &Provider,
        settings: &OidcSettings,
        who: &Vouched,
        return_to: String,
    ) -> Result<Returned, Refusal> {
        let (state, visitor) = (self.state, self.visitor);
        let mut tx = state.db.system("sign-in at a provider").await?;
        let resolved = account::resolve(state, &mut tx, provider, who, visitor.at).await?;
        let account = lock_account(&mut tx, resolved.user_id).await?.ok_or(INACTIVE)?;
        let vouched_by = Some(provider.provider_id);
        let kinds = match factors::find_next_step(&mut tx, account.user_id, visitor.at).await? {
            _ if settings.checks_second_factor => None,
            NextStep::Session => None,
            NextStep::SecondFactor(kinds) => Some(kinds),
            NextStep::Enrolment => Some(Vec::new()),
        };
        let Some(kinds) = kinds else {
            let method = ProviderKind::Oidc.as_str();
            let signed_in = visitor
                .start_session(state, tx, &account, method, vouched_by)
                .await?;
            count("success");
            return Ok(Returned::SignedIn { signed_in, return_to });
        };
        let done = FirstStepDone {
            tenant_id: account.tenant_id,
            user_id: account.user_id,
            verified_hash: &account.password_hash,
            provider_id: vouched_by,
        };
        let challenge = factors::begin_challenge(state, &mut tx, &done, kinds, visitor.at)
            .await?
            .ok_or(INACTIVE)?;
        let outcome = AttemptOutcome::SecondFactorRequired;
        let row = visitor.attempt(state, Some(&account), ProviderKind::Oidc.as_str(), outcome);
        record_login_attempt(&mut tx, &row).await?;
        let event = AuditEvent {
            action: "session.challenge",
            object: Some(("user", account.user_id.to_string())),
            ..self.event(Outcome::Success)
        };
        tx.commit(provider.tenant_id, event).await?;
        count(outcome.as_str());
        Ok(Returned::Waiting {
            challenge: challenge.challenge,
            return_to,
        })
    }

    async fn record_refusal(&self, provider: &Provider, reason: &'static str) -> ApiResult<()> {
        let event = AuditEvent {
            object: Some(("identity_provider", provider.provider_id.to_string())),
            reason: Some(reason.to_owned()),
            ..self.event(Outcome::Failure)
        };
        let tx = self.state.db.system("sign-in at a provider").await?;
        tx.commit(provider.tenant_id, event).await?;
        count(reason);
        Ok(())
    }

    fn event(&self, outcome: Outcome) -> AuditEvent {
        AuditEvent {
            event_id: self.state.next_id(),
            at: self.visitor.at,
            actor: Actor::anonymous(),
            action: "session.create",
            object: None,
            outcome,
            reason: None,
            request_id: Some(self.visitor.request.request_id.clone()),
            address: Some(self.visitor.request.address),
        }
    }
}

/// Checks the ID token (OpenID Connect Core §3.1.3.7): signature, issuer, audience, times, nonce, and the hash of the access token.
fn check_token(
    client: &OidcClient,
    tokens: &impl TokenResponse<
        AnyClaims,
        CoreGenderClaim,
        openidconnect::core::CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    nonce: &openidconnect::Nonce,
    at: DateTime<Utc>,
) -> Result<(SubjectIdentifier, Map<String, Value>), ClaimsVerificationError> {
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(SIGNATURES)
        .set_time_fn(move || at);
    let token = tokens
        .id_token()
        .ok_or_else(|| ClaimsVerificationError::Other("the answer has no ID token".to_owned()))?;
    let claims = token.claims(&verifier, nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let key = token
            .signing_key(&verifier)
            .map_err(ClaimsVerificationError::SignatureVerification)?;
        let algorithm = token
            .signing_alg()
            .map_err(ClaimsVerificationError::SignatureVerification)?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
            .map_err(|error| ClaimsVerificationError::Other(error.to_string()))?;
        if actual != *expected {
            return Err(ClaimsVerificationError::Other(
                "the access token is another than the ID token says".to_owned(),
            ));
        }
    }
    Ok((claims.subject().clone(), as_map(claims)))
}

fn is_about_keys(error: &ClaimsVerificationError) -> bool {
    matches!(error, ClaimsVerificationError::SignatureVerification(_))
}

async fn ask_user_info(
    client: &OidcClient,
    found: &Discovered,
    access_token: openidconnect::AccessToken,
    subject: SubjectIdentifier,
) -> Result<Map<String, Value>, Refusal> {
    let answer: Result<UserInfoClaims<AnyClaims, CoreGenderClaim>, _> = client
        .user_info(access_token, Some(subject))
        .map_err(|_| PROVIDER_UNAVAILABLE)?
        .request_async(&found.outbound)
        .await;
    answer.map(|claims| as_map(&claims)).map_err(|error| {
        tracing::warn!(error = %anyhow::Error::from(error), "a provider's user-info end point gave no answer");
        PROVIDER_UNAVAILABLE
    })
}

fn as_map(claims: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(claims) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("sg_users_provider_sign_ins_total", "outcome" => outcome).increment(1);
}
