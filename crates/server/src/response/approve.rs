//! A second person agrees.

use serde_json::Value;
use sg_db::agents as db;
use sg_db::{DbError, monitoring};
use sg_trust::verify_approval;
use sg_types::api::commands::{ApproveCommand, CommandDetail};
use sg_types::response::{Approval, CommandOrder};
use sg_types::{CommandId, CommandState};

use super::show;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::extract::parse_json;

/// Stores an approval that the endpoint will believe. Whether it does is for the endpoint alone to say: what is checked here spares a disappointment.
pub(super) async fn approve(
    state: &AppState,
    acting: &Acting,
    command_id: CommandId,
    body: &Value,
) -> ApiResult<CommandDetail> {
    acting.require_whole_tenant()?;
    let mut event = acting.event(state, "command.approve");
    event.object = Some(("command", command_id.to_string()));
    let detail = show(state, acting, command_id).await?;
    let body: ApproveCommand = parse_json(body.to_string().as_bytes())?;
    let command = &detail.command;
    if command.approved_by == Some(acting.caller.user_id) {
        return Ok(detail);
    }
    if !command.dangerous {
        return Err(ApiError::conflict(
            "approval_not_needed",
            "this kind takes no second person",
        ));
    }
    if command.state != CommandState::Pending || command.expires_at <= event.at {
        return Err(ApiError::conflict(
            "invalid_transition",
            format!("the command does not wait for approval: it is {}", command.state),
        ));
    }
    if command.requested_by == acting.caller.user_id {
        return Err(ApiError::forbidden(
            "own_approval",
            "nobody approves what they asked for themselves",
        ));
    }
    let approval = Approval {
        certificate: body.certificate,
        signature: body.signature,
    };
    let text = detail.order_text.as_deref().unwrap_or_default();
    let order: CommandOrder = serde_json::from_str(text).map_err(ApiError::internal)?;
    let trust = state.response.trust.enrolment_set(&state.rules_signer);
    let certificate = verify_approval(&approval, &order, text, &trust, event.at)
        .map_err(|refused| ApiError::invalid_field("signature", refused.to_string()))?;
    if certificate.user_id != acting.caller.user_id {
        return Err(ApiError::invalid_field(
            "certificate",
            format!("is {}'s, not that of who signed in", certificate.username),
        ));
    }
    event.reason = Some(format!("certificate {}", certificate.serial));
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    db::approve_command(&mut tx, command_id, acting.caller.user_id, &approval, event.at)
        .await
        .map_err(explain_step)?
        .ok_or_else(ApiError::not_found)?;
    monitoring::wake_agent(&mut tx, command.agent_id).await?;
    tx.commit(event).await?;
    show(state, acting, command_id).await
}

/// What the workflow does not have is a conflict with somebody who was faster.
pub(super) fn explain_step(error: DbError) -> ApiError {
    match error {
        DbError::InvalidValue { .. } => ApiError::conflict(
            "invalid_transition",
            "the command has moved on meanwhile; look at it again",
        )
        .because(error),
        other => other.into(),
    }
}
