//! A key takes another's place, and for a while both work.

use chrono::Duration;
use secrecy::ExposeSecret;
use sg_db::users::{self as db, KeyOwner, NewApiKey};
use sg_types::api::users::{ApiKeyCreated, KeyScope, RotateApiKey};
use sg_types::{KeyId, TokenKind};

use super::require_recent;
use super::validate::Faults;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::{AppState, tokens};

/// Overlap when the caller names none, and at most, in seconds.
const DEFAULT_OVERLAP: i64 = 86_400;
const LONGEST_OVERLAP: i64 = 30 * 86_400;

/// Makes a key with the name, the rights and what is left of the enrolments of the caller's key `key_id`, which ends after the overlap.
pub(super) async fn rotate_api_key(
    state: &AppState,
    acting: &Acting,
    key_id: KeyId,
    body: RotateApiKey,
) -> ApiResult<ApiKeyCreated> {
    let mut event = acting.event(state, "api_key.rotate");
    let overlap = body.overlap_seconds.unwrap_or(DEFAULT_OVERLAP);
    let mut faults = Faults::default();
    faults.require(
        (0..=LONGEST_OVERLAP).contains(&overlap),
        "overlap_seconds",
        "must be within 0–2,592,000 (30 days)",
    );
    faults.require(
        body.expires_at.is_none_or(|end| end > event.at),
        "expires_at",
        "must be in the future",
    );
    faults.finish()?;

    let own = KeyOwner::Only(acting.caller.user_id);
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    let before = db::find_api_key(&mut tx, own, key_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let left = before.max_enrolments.map(|most| most - before.enrolments);
    let is_live = before.is_active && before.expires_at.is_none_or(|end| end > event.at);
    if !is_live || left.is_some_and(|left| left < 1) {
        return Err(ApiError::conflict(
            "key_ended",
            "this key is revoked, has expired or has no enrolment left; make a new one",
        ));
    }
    if before.scopes.contains(&KeyScope::Api) {
        require_recent(state, acting).await?;
    }
    let token = tokens::generate(TokenKind::ApiKey);
    let new_key_id: KeyId = state.next_id();
    let new = NewApiKey {
        key_id: new_key_id,
        tenant_id: acting.caller.tenant_id,
        user_id: acting.caller.user_id,
        hash: token.hash,
        prefix: &token.prefix,
        name: &before.key_name,
        scopes: &before.scopes,
        expires_at: body.expires_at,
        max_enrolments: left,
        replaces: Some(key_id),
    };
    event.object = Some(("api_key", new_key_id.to_string()));
    event.reason = Some(format!("takes the place of {key_id}"));
    db::insert_api_key(&mut tx, &new).await?;
    db::end_api_key_by(&mut tx, key_id, event.at + Duration::seconds(overlap)).await?;
    let api_key = db::find_api_key(&mut tx, own, new_key_id).await?;
    let api_key = api_key.ok_or_else(|| ApiError::internal("a new key is not to be seen"))?;
    tx.commit(event).await?;
    Ok(ApiKeyCreated {
        api_key,
        key: token.secret.expose_secret().to_owned(),
    })
}
