//! Making API keys.

use secrecy::ExposeSecret;
use sg_db::users::{self as db, KeyOwner, NewApiKey};
use sg_types::api::users::{ApiKeyCreated, CreateApiKey, KeyScope};
use sg_types::{KeyId, TokenKind};

use super::require_recent;
use super::validate::{Faults, is_display_name};
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::{AppState, tokens};

/// Makes a key of the caller's, for the tenant of this call. The secret is in the answer and nowhere else.
pub(super) async fn create_api_key(
    state: &AppState,
    acting: &Acting,
    body: CreateApiKey,
) -> ApiResult<ApiKeyCreated> {
    let mut event = acting.event(state, "api_key.create");
    let scopes = distinct(
        body.scopes
            .unwrap_or_else(|| vec![KeyScope::Enrol, KeyScope::Api]),
    );
    let mut faults = Faults::default();
    faults.require(
        is_display_name(&body.key_name, 100),
        "key_name",
        "must have 1–100 characters",
    );
    faults.require(
        !scopes.is_empty(),
        "scopes",
        "must name at least one of: enrol, api, scim, events",
    );
    faults.require(
        body.expires_at.is_none_or(|end| end > event.at),
        "expires_at",
        "must be in the future",
    );
    faults.require(
        body.max_enrolments.is_none_or(|most| most >= 1),
        "max_enrolments",
        "must be 1 or more",
    );
    faults.require(
        body.max_enrolments.is_none() || scopes.contains(&KeyScope::Enrol),
        "max_enrolments",
        "needs the scope `enrol`",
    );
    faults.finish()?;
    if scopes.contains(&KeyScope::Api) {
        require_recent(state, acting).await?;
    }

    let token = tokens::generate(TokenKind::ApiKey);
    let key_id: KeyId = state.next_id();
    let new = NewApiKey {
        key_id,
        tenant_id: acting.caller.tenant_id,
        user_id: acting.caller.user_id,
        hash: token.hash,
        prefix: &token.prefix,
        name: &body.key_name,
        scopes: &scopes,
        expires_at: body.expires_at,
        max_enrolments: body.max_enrolments,
        replaces: None,
    };
    event.object = Some(("api_key", key_id.to_string()));
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    db::insert_api_key(&mut tx, &new).await?;
    let api_key = db::find_api_key(&mut tx, KeyOwner::Only(acting.caller.user_id), key_id).await?;
    let api_key = api_key.ok_or_else(|| ApiError::internal("a new key is not to be seen"))?;
    tx.commit(event).await?;
    Ok(ApiKeyCreated {
        api_key,
        key: token.secret.expose_secret().to_owned(),
    })
}

fn distinct(mut scopes: Vec<KeyScope>) -> Vec<KeyScope> {
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
