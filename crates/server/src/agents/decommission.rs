//! Taking an endpoint out of service: its token stops working with the commit, its history stays.

use sg_db::agents::{self as db, AgentIdentity};
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::monitoring::{Change, announce};
use sg_types::api::agents::EndpointView;
use sg_types::{AgentId, EndpointStatus};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::http::RequestContext;

pub(super) async fn decommission(
    state: &AppState,
    acting: &Acting,
    agent_id: AgentId,
) -> ApiResult<EndpointView> {
    let mut event = acting.event(state, "endpoint.decommission");
    event.object = Some(("endpoint", agent_id.to_string()));
    let at = event.at;
    let mut tx = state.db.write(&acting.caller, at).await?;
    let endpoint = db::lock_endpoint(&mut tx, agent_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    db::decommission_endpoint(&mut tx, agent_id, at).await?;
    announce(
        &mut tx,
        &[Change::endpoint(endpoint.tenant_id, agent_id, endpoint.user_id)],
    )
    .await?;
    let view = db::find_endpoint(&mut tx, agent_id, at)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if endpoint.status != EndpointStatus::Decommissioned {
        tx.commit(event).await?;
    }
    Ok(view)
}

pub(super) async fn unenrol(
    state: &AppState,
    request: &RequestContext,
    agent: &AgentIdentity,
) -> ApiResult<()> {
    let at = state.now();
    let event = AuditEvent {
        event_id: state.next_id(),
        at,
        actor: Actor::agent(agent.agent_id, &agent.hostname),
        action: "endpoint.unenrol",
        object: Some(("endpoint", agent.agent_id.to_string())),
        outcome: Outcome::Success,
        reason: None,
        request_id: Some(request.request_id.clone()),
        address: Some(request.address),
    };
    let mut tx = state.db.system("unenrolment").await?;
    db::unenrol(&mut tx, agent, at).await?;
    announce(
        &mut tx,
        &[Change::endpoint(agent.tenant_id, agent.agent_id, agent.owner)],
    )
    .await?;
    Ok(tx.commit(agent.tenant_id, event).await?)
}
