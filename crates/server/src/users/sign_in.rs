//! Signing in with a password: reserve an attempt, verify, start a session.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::{self as db, AttemptOutcome, LoginAttempt, LoginGate, NewSession};
use sg_db::{SystemTx, TokenHash};
use sg_types::api::factors::{FactorKind, SignInChallenge};
use sg_types::api::users::{SessionCreated, SignIn};
use sg_types::{SessionId, TenantId, TokenKind};

use super::current_session::expires_soon;
use super::factors::{self, FirstStepDone, NextStep};
use super::verify_password::{Verified, tell_of_lock, verify_password};
use crate::auth::{device_cookie, session_cookie};
use crate::error::{ApiError, ApiResult};
use crate::http::RequestContext;
use crate::passwords::Verdict;
use crate::{AppState, tokens};

/// Characters of a user name that are looked at.
const MAX_USERNAME_CHARS: usize = 255;

/// What is known of the program at the other end.
pub(super) struct Client {
    /// What it calls itself.
    pub(super) user_agent: Option<String>,
    /// The device that it says to be.
    pub(super) device: Option<TokenHash>,
    /// Whether it is to be known again.
    pub(super) remember: bool,
}

/// What a right password leads to.
pub(super) enum FirstStep {
    /// A session.
    SignedIn(SignedIn),
    /// The second step.
    Challenge(SignInChallenge),
}

/// A session, and what the browser is known by from now on.
pub(super) struct SignedIn {
    pub(super) session: SessionCreated,
    /// Where it was not known before.
    pub(super) device: Option<SecretString>,
    /// Whose device it is.
    pub(super) username: String,
}

impl SignedIn {
    /// 201 with the cookies of the session and of the device.
    pub(super) fn into_response(self, tls: bool) -> Response {
        let response = (StatusCode::CREATED, Json(&self.session)).into_response();
        self.add_cookies(response, tls)
    }

    /// `response` with the cookies of the session and of the device.
    pub(super) fn add_cookies(&self, mut response: Response, tls: bool) -> Response {
        let device = self.device.as_ref();
        let cookies = [
            session_cookie(&self.session.token, tls),
            device.and_then(|token| device_cookie(&self.username, token.expose_secret(), tls)),
        ];
        for cookie in cookies.into_iter().flatten() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// Signs in. Whoever cannot, learns nothing but that: unknown, wrong, locked and inactive give one answer in the same time.
pub(super) async fn sign_in(
    state: &AppState,
    request: &RequestContext,
    client: Client,
    body: SignIn,
) -> ApiResult<FirstStep> {
    state.rate_limits.check_sign_in(request.address, &body.username)?;
    let password = SecretString::from(body.password);
    let attempt = Attempt {
        state,
        request,
        user_agent: client.user_agent,
        username: body.username.chars().take(MAX_USERNAME_CHARS).collect(),
        remember: client.remember,
        at: state.now(),
    };
    let Verified {
        gate,
        verdict,
        is_unknown,
    } = verify_password(
        state,
        &attempt.username,
        password.clone(),
        client.device,
        attempt.at,
    )
    .await?;
    let outcome = match &gate {
        None => AttemptOutcome::UnknownUser,
        Some(gate) if !gate.allowed => AttemptOutcome::Locked,
        Some(_) if is_unknown => AttemptOutcome::DirectoryUnavailable,
        Some(_) if !verdict.matches => AttemptOutcome::WrongPassword,
        Some(gate) if !gate.is_active => AttemptOutcome::Inactive,
        Some(_) => AttemptOutcome::Success,
    };
    match gate {
        Some(gate) if outcome == AttemptOutcome::Success => attempt.succeed(&gate, verdict, password).await,
        gate => attempt.fail(gate.as_ref(), outcome).await,
    }
}

struct Attempt<'a> {
    state: &'a AppState,
    request: &'a RequestContext,
    user_agent: Option<String>,
    username: String,
    remember: bool,
    at: DateTime<Utc>,
}

impl Attempt<'_> {
    async fn succeed(
        &self,
        gate: &LoginGate,
        verdict: Verdict,
        password: SecretString,
    ) -> ApiResult<FirstStep> {
        let new_hash = if verdict.needs_rehash {
            Some(self.state.passwords.hash(password).await?.into())
        } else {
            None
        };
        let mut tx = self.state.db.system("sign-in").await?;
        match factors::find_next_step(&mut tx, gate.user_id, self.at).await? {
            NextStep::Session => {}
            NextStep::SecondFactor(kinds) => return self.challenge(tx, gate, new_hash, kinds).await,
            NextStep::Enrolment => return self.challenge(tx, gate, new_hash, Vec::new()).await,
        }
        let token = tokens::generate(TokenKind::Session);
        let sessions = &self.state.config.sessions;
        let expires_at = self.at + sessions.absolute(gate.role);
        let session_id: SessionId = self.state.next_id();
        let session = NewSession {
            session_id,
            user_id: gate.user_id,
            token_hash: token.hash,
            verified_hash: &gate.password_hash,
            provider_id: None,
            at: self.at,
            idle_seconds: i32::try_from(sessions.idle(gate.role).num_seconds()).unwrap_or(i32::MAX),
            expires_at,
            address: self.request.address,
            user_agent: self.user_agent.as_deref(),
        };
        if !db::insert_session(&mut tx, &session).await? {
            drop(tx);
            return self.fail(Some(gate), AttemptOutcome::WrongPassword).await;
        }
        db::complete_password_attempt(&mut tx, gate, self.at).await?;
        if let Some(new_hash) = &new_hash {
            db::rehash_password(&mut tx, gate.user_id, &gate.password_hash, new_hash).await?;
        }
        let device = self.remember_device(&mut tx, gate).await?;
        let password_expires_at = db::find_password_expiry(&mut tx, gate.user_id).await?;
        if gate.must_change_password {
            db::require_password_change(&mut tx, gate.user_id).await?;
        }
        db::record_login_attempt(
            &mut tx,
            &self.row(Some(gate), AttemptOutcome::Success, &gate.username),
        )
        .await?;
        let mut event = self.event(Some(gate), AttemptOutcome::Success);
        event.object = Some(("session", session_id.to_string()));
        tx.commit(gate.tenant_id, event).await?;
        count(AttemptOutcome::Success);
        let session = SessionCreated {
            token: token.secret.expose_secret().to_owned(),
            must_change_password: gate.must_change_password,
            expires_at,
            password_expires_at,
            password_expires_soon: expires_soon(password_expires_at, self.at),
        };
        Ok(FirstStep::SignedIn(SignedIn {
            session,
            device,
            username: gate.username.clone(),
        }))
    }

    /// Remembers a browser that was not known before; one that was keeps its cookie.
    async fn remember_device(&self, tx: &mut SystemTx, gate: &LoginGate) -> ApiResult<Option<SecretString>> {
        if !self.remember || gate.device_id.is_some() {
            return Ok(None);
        }
        let token = tokens::generate(TokenKind::Device);
        db::insert_known_device(tx, self.state.next_id(), gate.user_id, &token.hash, self.at).await?;
        Ok(Some(token.secret))
    }

    /// The password was right and is not enough: no session, no cookie, but a challenge for the second step.
    async fn challenge(
        &self,
        mut tx: SystemTx,
        gate: &LoginGate,
        new_hash: Option<SecretString>,
        kinds: Vec<FactorKind>,
    ) -> ApiResult<FirstStep> {
        if let Some(new_hash) = &new_hash {
            db::rehash_password(&mut tx, gate.user_id, &gate.password_hash, new_hash).await?;
        }
        let verified = new_hash.as_ref().unwrap_or(&gate.password_hash);
        let begun = FirstStepDone {
            tenant_id: gate.tenant_id,
            user_id: gate.user_id,
            verified_hash: verified,
            provider_id: None,
        };
        let made = factors::begin_challenge(self.state, &mut tx, &begun, kinds, self.at).await?;
        let Some(challenge) = made else {
            drop(tx);
            return self.fail(Some(gate), AttemptOutcome::WrongPassword).await;
        };
        db::complete_password_attempt(&mut tx, gate, self.at).await?;
        if gate.must_change_password {
            db::require_password_change(&mut tx, gate.user_id).await?;
        }
        let outcome = AttemptOutcome::SecondFactorRequired;
        db::record_login_attempt(&mut tx, &self.row(Some(gate), outcome, &gate.username)).await?;
        let mut event = self.event(Some(gate), outcome);
        event.action = "session.challenge";
        event.outcome = Outcome::Success;
        tx.commit(gate.tenant_id, event).await?;
        count(outcome);
        Ok(FirstStep::Challenge(challenge))
    }

    async fn fail<T>(&self, gate: Option<&LoginGate>, outcome: AttemptOutcome) -> ApiResult<T> {
        // People type passwords into the wrong field: what is no name is kept as a digest only.
        let digest = match gate {
            Some(_) => None,
            None => {
                let state = self.state;
                let digest = &state.sign_in_digest;
                Some(
                    digest
                        .of(
                            &state.db,
                            &state.secrets,
                            state.ids.as_ref(),
                            self.at,
                            &self.username,
                        )
                        .await,
                )
            }
        };
        let name = gate.map_or(digest.as_deref().unwrap_or_default(), |gate| {
            gate.username.as_str()
        });
        let tenant_id = gate.map_or(TenantId::SYSTEM, |gate| gate.tenant_id);
        let mut tx = self.state.db.system("sign-in").await?;
        db::record_login_attempt(&mut tx, &self.row(gate, outcome, name)).await?;
        if let Some(gate) = gate.filter(|_| outcome == AttemptOutcome::WrongPassword) {
            tell_of_lock(self.state, &mut tx, self.request, gate).await?;
        }
        tx.commit(tenant_id, self.event(gate, outcome)).await?;
        count(outcome);
        Err(ApiError::invalid_credentials())
    }

    fn row<'b>(
        &'b self,
        gate: Option<&LoginGate>,
        outcome: AttemptOutcome,
        name: &'b str,
    ) -> LoginAttempt<'b> {
        LoginAttempt {
            attempt_id: self.state.ids.next(),
            tenant_id: gate.map_or(TenantId::SYSTEM, |gate| gate.tenant_id),
            at: self.at,
            user_id: gate.map(|gate| gate.user_id),
            username_or_digest: name,
            outcome,
            method: "password",
            address: self.request.address,
            user_agent: self.user_agent.as_deref(),
            request_id: &self.request.request_id,
        }
    }

    fn event(&self, gate: Option<&LoginGate>, outcome: AttemptOutcome) -> AuditEvent {
        let success = outcome == AttemptOutcome::Success;
        let actor = match gate {
            Some(gate) if success => Actor {
                kind: "user",
                id: Some(gate.user_id.into()),
                name: Some(gate.username.clone()),
            },
            _ => Actor::anonymous(),
        };
        AuditEvent {
            event_id: self.state.next_id(),
            at: self.at,
            actor,
            action: "session.create",
            object: gate
                .filter(|_| !success)
                .map(|gate| ("user", gate.user_id.to_string())),
            outcome: if success {
                Outcome::Success
            } else {
                Outcome::Failure
            },
            reason: (!success).then(|| outcome.as_str().to_owned()),
            request_id: Some(self.request.request_id.clone()),
            address: Some(self.request.address),
        }
    }
}

fn count(outcome: AttemptOutcome) {
    metrics::counter!("sg_users_sign_ins_total", "outcome" => outcome.as_str()).increment(1);
}
