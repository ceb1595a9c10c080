//! Who provisions: an API key of the scope `scim`, whose owner may manage people.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use sg_db::SystemTx;
use sg_db::users::providers::{self as db, Provider};
use sg_types::TokenKind;
use sg_types::api::users::KeyScope;

use super::error::{ScimError, ScimResult};
use crate::AppState;
use crate::auth::{Acting, authenticate, bearer};
use crate::error::ApiError;
use crate::extract::JsonBody;

/// A provisioning client, with the provider that its tenant has set up for it.
#[derive(Debug, Clone)]
pub(super) struct ScimCaller {
    pub(super) acting: Acting,
    pub(super) provider: Provider,
}

impl FromRequestParts<AppState> for ScimCaller {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ScimError> {
        bearer(&parts.headers)?
            .filter(|credential| credential.kind == TokenKind::ApiKey)
            .ok_or_else(ApiError::unauthenticated)?;
        let acting = authenticate(parts, state, KeyScope::Scim).await?;
        let caller = &acting.caller;
        let Some(highest) = caller.highest_grantable() else {
            return Err(ScimError::forbidden("the key's owner may not manage people"));
        };
        let mut tx = state.db.system("provisioning").await?;
        let provider = db::find_scim_provider(&mut tx, caller.tenant_id).await?;
        drop(tx);
        let mut provider = provider.ok_or_else(|| {
            ScimError::forbidden("the tenant has no provider for provisioning that is switched on")
        })?;
        // A key gives nobody a role that its owner could not.
        provider.highest_role = provider.highest_role.min(highest);
        provider.default_role = provider.default_role.min(provider.highest_role);
        Ok(Self { acting, provider })
    }
}

impl ScimCaller {
    /// Commits what was done to a person or group.
    pub(super) async fn commit(
        &self,
        state: &AppState,
        tx: SystemTx,
        action: &'static str,
        kind: &'static str,
        id: uuid::Uuid,
    ) -> ScimResult<()> {
        let mut event = self.acting.event(state, action);
        event.object = Some((kind, id.to_string()));
        Ok(tx.commit(self.acting.caller.tenant_id, event).await?)
    }
}

/// A body of `application/scim+json` (RFC 7644 §3.8) or plain JSON.
pub(super) struct ScimBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AppState> for ScimBody<T> {
    type Rejection = ScimError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ScimError> {
        let read = JsonBody::from_request(request, state).await;
        read.map(|JsonBody(body)| Self(body)).map_err(|error| {
            if !matches!(
                error.status(),
                StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
            ) {
                return error.into();
            }
            let detail = match error.field_errors().first() {
                Some(field) => format!("{}: {}", field.field, field.message),
                None => error.to_string(),
            };
            ScimError::invalid_syntax(detail)
        })
    }
}
