//! Signing in with a password: reserve an attempt, verify, start a session.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::monitoring::{SecurityEvent, record_security_event};
use sg_db::users::{self as db, AttemptOutcome, LoginAttempt, LoginGate, NewSession};
use sg_types::api::users::{SessionCreated, SignIn};
use sg_types::{SessionId, Severity, TenantId, TokenKind};

use crate::error::{ApiError, ApiResult};
use crate::http::RequestContext;
use crate::passwords::{MAX_PASSWORD_CHARS, Verdict};
use crate::{AppState, tokens};

/// Characters of a user name that are looked at, and of a user agent that are kept.
const MAX_USERNAME_CHARS: usize = 255;
const MAX_USER_AGENT_CHARS: usize = 512;

/// Signs in. Whoever cannot, learns nothing but that: unknown, wrong, locked and inactive give one answer in the same time.
pub(super) async fn sign_in(
    state: &AppState,
    request: &RequestContext,
    user_agent: Option<&str>,
    body: SignIn,
) -> ApiResult<SessionCreated> {
    state.rate_limits.check_sign_in(request.address, &body.username)?;
    let password = SecretString::from(body.password);
    let attempt = Attempt {
        state,
        request,
        user_agent: user_agent.map(|text| {
            text.chars()
                .filter(|c| !c.is_control())
                .take(MAX_USER_AGENT_CHARS)
                .collect()
        }),
        username: body.username.chars().take(MAX_USERNAME_CHARS).collect(),
        at: state.now(),
    };
    // A place in the pool comes first: an attempt that is reserved is also tested.
    let place = state.passwords.admit()?;
    let gate = attempt.reserve().await?;
    let testable = gate
        .as_ref()
        .filter(|gate| gate.allowed && password.expose_secret().chars().count() <= MAX_PASSWORD_CHARS);
    let stored = testable.map(|gate| gate.password_hash.expose_secret().to_owned());
    let verdict = place.verify(password.clone(), stored).await?;
    let outcome = match &gate {
        None => AttemptOutcome::UnknownUser,
        Some(gate) if !gate.allowed => AttemptOutcome::Locked,
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
    at: DateTime<Utc>,
}

impl Attempt<'_> {
    async fn reserve(&self) -> ApiResult<Option<LoginGate>> {
        let mut tx = self.state.db.system("sign-in").await?;
        let gate = db::begin_login_attempt(&mut tx, &self.username, self.at).await?;
        tx.commit_upkeep().await?;
        Ok(gate)
    }

    async fn succeed(
        &self,
        gate: &LoginGate,
        verdict: Verdict,
        password: SecretString,
    ) -> ApiResult<SessionCreated> {
        let new_hash = if verdict.needs_rehash {
            Some(self.state.passwords.hash(password).await?.into())
        } else {
            None
        };
        let token = tokens::generate(TokenKind::Session);
        let sessions = &self.state.config.sessions;
        let expires_at = self.at + sessions.absolute(gate.role);
        let session_id: SessionId = self.state.next_id();
        let session = NewSession {
            session_id,
            user_id: gate.user_id,
            token_hash: token.hash,
            verified_hash: &gate.password_hash,
            at: self.at,
            idle_seconds: i32::try_from(sessions.idle(gate.role).num_seconds()).unwrap_or(i32::MAX),
            expires_at,
            address: self.request.address,
            user_agent: self.user_agent.as_deref(),
        };
        let mut tx = self.state.db.system("sign-in").await?;
        if !db::insert_session(&mut tx, &session).await? {
            drop(tx);
            return self.fail(Some(gate), AttemptOutcome::WrongPassword).await;
        }
        db::complete_login(&mut tx, gate.user_id, self.at).await?;
        if let Some(new_hash) = &new_hash {
            db::rehash_password(&mut tx, gate.user_id, &gate.password_hash, new_hash).await?;
        }
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
        Ok(SessionCreated {
            token: token.secret.expose_secret().to_owned(),
            must_change_password: gate.must_change_password,
            expires_at,
        })
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
        let locked = gate.filter(|gate| gate.locked_now && outcome == AttemptOutcome::WrongPassword);
        if let Some(gate) = locked {
            let event = SecurityEvent {
                tenant_id,
                at: self.at,
                kind: "account_locked",
                severity: Severity::Medium,
                subject: &gate.user_id.to_string(),
                detail: &json!({ "address": self.request.address }),
            };
            record_security_event(&mut tx, &event).await?;
        }
        tx.commit(tenant_id, self.event(gate, outcome)).await?;
        count(outcome);
        if let Some(gate) = locked {
            tracing::warn!(user.id = %gate.user_id, "an account is locked after too many failed sign-ins");
        }
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
