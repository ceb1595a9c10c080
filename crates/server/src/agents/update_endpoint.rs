//! What people decide about an endpoint: its name and whose it is.

use sg_db::agents as db;
use sg_db::monitoring::{Change, announce};
use sg_types::AgentId;
use sg_types::api::agents::{EndpointView, UpdateEndpoint};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Characters of a given name (`agents.endpoints.device_name`).
const MAX_NAME_CHARS: usize = 100;

pub(super) async fn update_endpoint(
    state: &AppState,
    acting: &Acting,
    agent_id: AgentId,
    body: UpdateEndpoint,
) -> ApiResult<EndpointView> {
    let name = body.device_name.map(|name| {
        name.map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
    });
    if name
        .iter()
        .flatten()
        .any(|name| name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control))
    {
        return Err(ApiError::invalid_field(
            "device_name",
            "is at most 100 characters without control characters",
        ));
    }
    let mut event = acting.event(state, "endpoint.update");
    event.object = Some(("endpoint", agent_id.to_string()));
    let at = event.at;
    let mut tx = state.db.write(&acting.caller, at).await?;
    let endpoint = db::lock_endpoint(&mut tx, agent_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if let Some(Some(user_id)) = body.user_id
        && Some(user_id) != endpoint.user_id
        && !db::is_live_member(&mut tx, user_id, at).await?
    {
        return Err(ApiError::invalid_field(
            "user_id",
            "is nobody who may work in this tenant",
        ));
    }
    let name = name.unwrap_or_else(|| endpoint.device_name.clone());
    let user_id = body.user_id.unwrap_or(endpoint.user_id);
    let changed = name != endpoint.device_name || user_id != endpoint.user_id;
    if changed {
        db::update_endpoint(&mut tx, agent_id, name.as_deref(), user_id).await?;
        // Whoever has had it has to hear of it as well as whoever has it now.
        let [before, after] =
            [endpoint.user_id, user_id].map(|owner| Change::endpoint(endpoint.tenant_id, agent_id, owner));
        announce(&mut tx, &[before, after]).await?;
    }
    let view = db::find_endpoint(&mut tx, agent_id, at)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if changed {
        tx.commit(event).await?;
    }
    Ok(view)
}
