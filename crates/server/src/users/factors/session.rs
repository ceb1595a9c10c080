//! The end of a sign-in that took more than a password.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_db::SystemTx;
use sg_db::audit::{Actor, Outcome};
use sg_db::users::factors::{Account, note_sign_in};
use sg_db::users::providers::has_directory;
use sg_db::users::{
    AttemptOutcome, LoginAttempt, NewSession, find_password_expiry, insert_known_device, insert_session,
    is_known_device, record_login_attempt,
};
use sg_types::api::users::SessionCreated;
use sg_types::{ProviderId, SessionId, TenantId, TokenKind};

use super::super::current_session::expires_soon;
use super::super::sign_in::SignedIn;
use super::event_of;
use crate::auth::{find_device, is_browser};
use crate::error::{ApiError, ApiResult};
use crate::http::{RequestContext, user_agent};
use crate::{AppState, tokens};

/// The request that a sign-in comes by.
#[derive(Debug, Clone)]
pub(in crate::users) struct Visitor {
    pub(in crate::users) request: RequestContext,
    user_agent: Option<String>,
    /// Its cookies, by which its device may be known.
    cookies: HeaderMap,
    pub(in crate::users) at: DateTime<Utc>,
}

impl Visitor {
    pub(in crate::users) fn new(state: &AppState, request: RequestContext, headers: &HeaderMap) -> Self {
        Self {
            request,
            user_agent: user_agent(headers),
            cookies: headers.clone(),
            at: state.now(),
        }
    }

    /// The same request, by a program that no device is remembered of.
    pub(super) fn without_device(&self) -> Self {
        Self {
            cookies: HeaderMap::new(),
            ..self.clone()
        }
    }

    /// Starts the session and commits, with everything that `tx` holds already. `provider_id` vouched for the user in place of a password.
    pub(in crate::users) async fn start_session(
        &self,
        state: &AppState,
        mut tx: SystemTx,
        account: &Account,
        method: &str,
        provider_id: Option<ProviderId>,
    ) -> ApiResult<SignedIn> {
        let token = tokens::generate(TokenKind::Session);
        let sessions = &state.config.sessions;
        let expires_at = self.at + sessions.absolute(account.role);
        let session_id: SessionId = state.next_id();
        let session = NewSession {
            session_id,
            user_id: account.user_id,
            token_hash: token.hash,
            verified_hash: &account.password_hash,
            provider_id,
            at: self.at,
            idle_seconds: i32::try_from(sessions.idle(account.role).num_seconds()).unwrap_or(i32::MAX),
            expires_at,
            address: self.request.address,
            user_agent: self.user_agent.as_deref(),
        };
        if !insert_session(&mut tx, &session).await? {
            return Err(refusal());
        }
        note_sign_in(&mut tx, account.user_id, self.at).await?;
        let device = self.remember_device(state, &mut tx, account).await?;
        let must_change_password = account.must_change_password
            && provider_id.is_none()
            && !has_directory(&mut tx, account.user_id).await?;
        let password_expires_at = find_password_expiry(&mut tx, account.user_id).await?;
        let row = self.attempt(state, Some(account), method, AttemptOutcome::Success);
        record_login_attempt(&mut tx, &row).await?;
        let mut event = event_of(state, &self.request, account, "session.create", self.at);
        event.object = Some(("session", session_id.to_string()));
        event.reason = Some(method.to_owned());
        tx.commit(account.tenant_id, event).await?;
        count(AttemptOutcome::Success);
        let session = SessionCreated {
            token: token.secret.expose_secret().to_owned(),
            must_change_password,
            expires_at,
            password_expires_at,
            password_expires_soon: expires_soon(password_expires_at, self.at),
        };
        Ok(SignedIn {
            session,
            device,
            username: account.username.clone(),
        })
    }

    /// Remembers a browser that was not known before, once everything is proved.
    async fn remember_device(
        &self,
        state: &AppState,
        tx: &mut SystemTx,
        account: &Account,
    ) -> ApiResult<Option<SecretString>> {
        if !is_browser(&self.cookies) {
            return Ok(None);
        }
        if let Some(known) = find_device(&self.cookies, &account.username, state.tls)
            && is_known_device(tx, account.user_id, &known, self.at).await?
        {
            return Ok(None);
        }
        let token = tokens::generate(TokenKind::Device);
        insert_known_device(tx, state.next_id(), account.user_id, &token.hash, self.at).await?;
        Ok(Some(token.secret))
    }

    /// Records that somebody did not get through.
    pub(super) async fn fail<T>(
        &self,
        state: &AppState,
        account: Option<&Account>,
        method: &str,
        reason: &str,
    ) -> ApiResult<T> {
        let outcome = AttemptOutcome::WrongFactor;
        let mut tx = state.db.system("sign-in").await?;
        record_login_attempt(&mut tx, &self.attempt(state, account, method, outcome)).await?;
        let tenant_id = account.map_or(TenantId::SYSTEM, |account| account.tenant_id);
        let event = sg_db::audit::AuditEvent {
            event_id: state.next_id(),
            at: self.at,
            actor: Actor::anonymous(),
            action: "session.create",
            object: account.map(|account| ("user", account.user_id.to_string())),
            outcome: Outcome::Failure,
            reason: Some(reason.to_owned()),
            request_id: Some(self.request.request_id.clone()),
            address: Some(self.request.address),
        };
        tx.commit(tenant_id, event).await?;
        count(outcome);
        Err(refusal())
    }

    pub(in crate::users) fn attempt<'a>(
        &'a self,
        state: &AppState,
        account: Option<&'a Account>,
        method: &'a str,
        outcome: AttemptOutcome,
    ) -> LoginAttempt<'a> {
        LoginAttempt {
            attempt_id: state.ids.next(),
            tenant_id: account.map_or(TenantId::SYSTEM, |account| account.tenant_id),
            at: self.at,
            user_id: account.map(|account| account.user_id),
            username_or_digest: account.map_or("", |account| account.username.as_str()),
            outcome,
            method,
            address: self.request.address,
            user_agent: self.user_agent.as_deref(),
            request_id: &self.request.request_id,
        }
    }
}

/// One answer for a wrong, used, expired and locked factor or challenge.
pub(super) fn refusal() -> ApiError {
    ApiError::new(
        axum::http::StatusCode::UNAUTHORIZED,
        "second_factor_refused",
        "the code or passkey was not accepted, or this sign-in has taken too long; try again, after several failures from the beginning",
    )
}

fn count(outcome: AttemptOutcome) {
    metrics::counter!("sg_users_sign_ins_total", "outcome" => outcome.as_str()).increment(1);
}
