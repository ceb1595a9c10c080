//! The caller of a request, with what the audit log needs to know of the request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::{Caller, Proof};
use sg_types::api::users::KeyScope;
use sg_types::{KeyId, Scope, TenantId, TokenKind};

use super::credential::find_credential;
use crate::AppState;
use crate::audit::KnownCaller;
use crate::error::ApiError;
use crate::http::{CallerId, RequestContext};
use crate::quotas::RateStanding;

/// Picks the tenant to work in.
const TENANT_HEADER: &str = "x-secureguard-tenant";

/// Who acts, and through which request. What use cases take besides their input.
#[derive(Debug, Clone)]
pub struct Acting {
    /// The caller.
    pub caller: Caller,
    /// The request.
    pub request: RequestContext,
}

impl Acting {
    /// The audit event of a success; further facts are set on it.
    pub fn event(&self, state: &AppState, action: &'static str) -> AuditEvent {
        AuditEvent {
            event_id: state.next_id(),
            at: state.now(),
            actor: Actor::from(&self.caller),
            action,
            object: None,
            outcome: Outcome::Success,
            reason: None,
            request_id: Some(self.request.request_id.clone()),
            address: Some(self.request.address),
        }
    }
}

impl Acting {
    /// What concerns everybody in the tenant is not decided by whoever sees a part of it.
    ///
    /// # Errors
    /// 403 `missing_permission`.
    pub fn require_whole_tenant(&self) -> Result<(), ApiError> {
        if self.caller.scope == Scope::Tenant {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "missing_permission",
            "this concerns the whole tenant, of which this role sees a part",
        ))
    }
}

/// Any session or key that may call the API, whatever its role; also while the password has to be changed.
#[derive(Debug, Clone)]
pub struct AnyCaller(pub Acting);

/// Any session; also while the password has to be changed.
#[derive(Debug, Clone)]
pub struct AnySession(pub Acting);

impl FromRequestParts<AppState> for AnyCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        authenticate(parts, state, KeyScope::Api).await.map(Self)
    }
}

impl FromRequestParts<AppState> for AnySession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let acting = authenticate(parts, state, KeyScope::Api).await?;
        if matches!(acting.caller.proof, Proof::ApiKey(_)) {
            return Err(ApiError::forbidden(
                "session_required",
                "this works with a signed-in session only, not with an API key",
            ));
        }
        Ok(Self(acting))
    }
}

/// Finds out who calls, within the limits on requests. Keys without `scope` are refused here, for every operation.
///
/// # Errors
/// 401, 403 `key_scope`, 404 for a tenant where the caller is no member, 429; those of the database.
pub(crate) async fn authenticate(
    parts: &mut Parts,
    state: &AppState,
    scope: KeyScope,
) -> Result<Acting, ApiError> {
    let credential = find_credential(parts, state)?;
    let proof = match credential.kind {
        TokenKind::Session => Proof::Session(credential.hash),
        TokenKind::ApiKey => Proof::ApiKey(credential.hash),
        TokenKind::Agent | TokenKind::PasswordLink | TokenKind::Device | TokenKind::Challenge => {
            return Err(ApiError::unauthenticated());
        }
    };
    let tenant = wanted_tenant(parts)?;
    let now = state.now();
    let request = parts
        .extensions
        .get::<RequestContext>()
        .cloned()
        .ok_or_else(|| ApiError::internal("a request without context"))?;
    let standing = parts
        .extensions
        .get::<RateStanding>()
        .cloned()
        .unwrap_or_default();
    let quotas = &state.quotas;
    quotas
        .check_address(&state.db, request.address, now, &standing)
        .await?;
    let caller = match state.db.authenticate(proof, tenant, now).await? {
        Some(caller) => caller,
        // A valid proof for a tenant where its holder is no member: as if the tenant did not exist.
        None if tenant.is_some() && state.db.authenticate(proof, None, now).await?.is_some() => {
            return Err(ApiError::not_found());
        }
        None => return Err(ApiError::unauthenticated()),
    };
    if let Some(caller_id) = parts.extensions.get::<CallerId>() {
        let kind = if matches!(proof, Proof::Session(_)) {
            "user"
        } else {
            "api_key"
        };
        caller_id.set(format!("{kind}:{}", caller.user_id));
    }
    if let Some(known) = parts.extensions.get::<KnownCaller>() {
        known.set(&caller);
    }
    if caller.scopes.is_some() {
        state.key_usage.note(KeyId(caller.credential_id), now);
    }
    if caller
        .scopes
        .as_ref()
        .is_some_and(|scopes| !scopes.contains(&scope))
    {
        return Err(ApiError::forbidden(
            "key_scope",
            format!("this needs a key with the scope `{}`", scope.as_str()),
        ));
    }
    quotas.check_caller(&state.db, &caller, now, &standing).await?;
    Ok(Acting { caller, request })
}

fn wanted_tenant(parts: &Parts) -> Result<Option<TenantId>, ApiError> {
    let Some(value) = parts.headers.get(TENANT_HEADER) else {
        return Ok(None);
    };
    let tenant = value.to_str().ok().and_then(|text| text.parse().ok());
    tenant
        .map(Some)
        .ok_or_else(|| ApiError::bad_request("invalid_headers", "X-SecureGuard-Tenant is no UUID"))
}
