//! Who may add a factor: somebody signed in who proved it lately, or somebody whose sign-in waits for just that.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sg_db::SystemTx;
use sg_db::users::factors::{
    Account, Challenge, ChallengePurpose, list_factors, lock_account, try_challenge,
};
use sg_types::{SessionId, TokenKind, UserId};

use super::MAX_FACTORS;
use super::session::Visitor;
use super::verification::require_recent;
use crate::AppState;
use crate::auth::{Acting, AnySession, bearer};
use crate::error::{ApiError, ApiResult};
use crate::http::RequestContext;

/// Somebody who adds a factor to their own account.
pub(super) struct Enrolling {
    pub(super) user_id: UserId,
    pub(super) visitor: Visitor,
    pub(super) by: By,
}

/// What lets them.
pub(super) enum By {
    Session(Acting),
    /// A sign-in that ends once the factor is there.
    SignIn(Challenge),
}

impl Enrolling {
    /// Their account, locked, while it may get one more factor.
    pub(super) async fn lock(&self, tx: &mut SystemTx) -> ApiResult<Account> {
        let account = lock_account(tx, self.user_id)
            .await?
            .filter(|account| match &self.by {
                By::Session(_) => account.is_active,
                By::SignIn(challenge) => account.is_active && account.has_password_of(challenge),
            })
            .ok_or_else(ApiError::unauthenticated)?;
        let factors = list_factors(tx, self.user_id).await?;
        // What waits for the first factor does not add a second one, which would take less than having the first.
        if matches!(self.by, By::SignIn(_)) && !factors.is_empty() {
            return Err(ApiError::unauthenticated());
        }
        if factors.len() >= MAX_FACTORS {
            return Err(ApiError::conflict(
                "too_many_factors",
                format!("nobody has more than {MAX_FACTORS} factors; remove one first"),
            ));
        }
        Ok(account)
    }

    pub(super) fn session_id(&self) -> Option<SessionId> {
        match &self.by {
            By::Session(acting) => Some(SessionId(acting.caller.credential_id)),
            By::SignIn(_) => None,
        }
    }
}

impl FromRequestParts<AppState> for Enrolling {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let credential = bearer(&parts.headers)?.filter(|c| c.kind == TokenKind::Challenge);
        let request = parts
            .extensions
            .get::<RequestContext>()
            .cloned()
            .ok_or_else(|| ApiError::internal("a request without context"))?;
        let visitor = Visitor::new(state, request, &parts.headers);
        if let Some(credential) = credential {
            state
                .rate_limits
                .check_sign_in(visitor.request.address, &credential.hash.to_hex())?;
            let mut tx = state.db.system("enrolment").await?;
            let challenge =
                try_challenge(&mut tx, credential.hash, ChallengePurpose::Enrolment, visitor.at).await?;
            tx.commit_upkeep().await?;
            let challenge = challenge.ok_or_else(ApiError::unauthenticated)?;
            let user_id = challenge.user_id.ok_or_else(ApiError::unauthenticated)?;
            return Ok(Self {
                user_id,
                visitor,
                by: By::SignIn(challenge),
            });
        }
        let AnySession(acting) = AnySession::from_request_parts(parts, state).await?;
        if acting.caller.must_change_password {
            return Err(ApiError::forbidden(
                "password_change_required",
                "the password has to be changed first: POST /api/v1/users/me/password",
            ));
        }
        require_recent(state, &acting).await?;
        Ok(Self {
            user_id: acting.caller.user_id,
            visitor,
            by: By::Session(acting),
        })
    }
}
