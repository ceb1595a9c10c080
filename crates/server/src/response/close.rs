//! Turning a command down, and taking it back.

use serde_json::Value;
use sg_db::agents::{self as db, Step};
use sg_types::api::commands::{CloseCommand, CommandDetail};
use sg_types::{CommandId, CommandState};

use super::approve::explain_step;
use super::{check_reason, show};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::extract::parse_json;

/// Ends a command that was not sent: `to` is `rejected` or `cancelled`.
pub(super) async fn close(
    state: &AppState,
    acting: &Acting,
    command_id: CommandId,
    to: CommandState,
    body: &Value,
) -> ApiResult<CommandDetail> {
    acting.require_whole_tenant()?;
    show(state, acting, command_id).await?;
    let body: CloseCommand = parse_json(body.to_string().as_bytes())?;
    let reason = check_reason(&body.reason)?;
    let action = if to == CommandState::Rejected {
        "command.reject"
    } else {
        "command.cancel"
    };
    let mut event = acting.event(state, action);
    event.object = Some(("command", command_id.to_string()));
    event.reason = Some(reason.to_owned());
    let at = event.at;
    let mut tx = state.db.write(&acting.caller, at).await?;
    let step = db::close_command(&mut tx, command_id, to, acting.caller.user_id, reason, at)
        .await
        .map_err(explain_step)?
        .ok_or_else(ApiError::not_found)?;
    if step == Step::Taken {
        tx.commit(event).await?;
    }
    show(state, acting, command_id).await
}
