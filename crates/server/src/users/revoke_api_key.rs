//! Revoking API keys.

use sg_db::users::{self as db, KeyOwner};
use sg_types::{KeyId, Permission};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Revokes a key of the caller's, or any of the tenant for whom `api_keys_manage` allows it. It opens nothing from the commit on.
pub(super) async fn revoke_api_key(state: &AppState, acting: &Acting, key_id: KeyId) -> ApiResult<()> {
    let mut event = acting.event(state, "api_key.revoke");
    event.object = Some(("api_key", key_id.to_string()));
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    db::find_api_key(&mut tx, visible_keys(acting), key_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    db::revoke_api_key(&mut tx, key_id, event.at).await?;
    tx.commit(event).await?;
    Ok(())
}

/// Whose keys the caller may see and revoke.
pub(super) fn visible_keys(acting: &Acting) -> KeyOwner {
    if acting.caller.may(Permission::ApiKeysManage) {
        KeyOwner::Everybody
    } else {
        KeyOwner::Only(acting.caller.user_id)
    }
}
