//! Asking for a command.

use chrono::Duration;
use serde_json::{Value, json};
use sg_db::agents::{self as db, NewCommand, Step};
use sg_db::{Caller, DbError, monitoring};
use sg_types::api::commands::{CommandDetail, RequestCommand};
use sg_types::response::{CommandAction, CommandOrder};
use sg_types::{AgentId, CommandId};

use super::{check_reason, show};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::extract::parse_json;

/// Seconds that a command may wait at least.
const MIN_LIFETIME_SECONDS: u32 = 60;

/// Queues a command; asked for again under the same key it is the first one. True when it is a new one.
pub(super) async fn request(
    state: &AppState,
    acting: &Acting,
    agent_id: AgentId,
    body: &Value,
    idempotency_key: Option<&str>,
) -> ApiResult<(CommandDetail, bool)> {
    acting.require_whole_tenant()?;
    // Another tenant's endpoint is not told from none, whatever the body.
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    if !db::is_live_endpoint(&mut tx, agent_id).await? {
        return Err(ApiError::not_found());
    }
    drop(tx);
    let body: &RequestCommand = &parse_json(body.to_string().as_bytes())?;
    let reason = check_reason(&body.reason)?;
    let action = read_action(body)?;
    check_possible(state, body)?;
    let most = state.config.response.max_lifetime_seconds;
    if !(MIN_LIFETIME_SECONDS..=most).contains(&body.expires_in_seconds) {
        return Err(ApiError::invalid_field(
            "expires_in_seconds",
            format!("is {MIN_LIFETIME_SECONDS}–{most}"),
        ));
    }
    let mut event = acting.event(state, "command.request");
    let command_id: CommandId = state.next_id();
    let nonce: [u8; 32] = rand::random();
    let order = order(
        &acting.caller,
        state,
        agent_id,
        command_id,
        action,
        body,
        reason,
        &nonce,
    );
    let order_text = serde_json::to_string(&order).map_err(ApiError::internal)?;
    let own_key = command_id.to_string();
    event.object = Some(("command", own_key.clone()));
    event.reason = Some(reason.to_owned());
    event.at = order.issued_at;
    let new = NewCommand {
        command_id,
        tenant_id: acting.caller.tenant_id,
        agent_id,
        kind: body.kind.as_str(),
        arguments: &body.arguments,
        secret_arguments: None,
        order_text: &order_text,
        nonce: &nonce,
        idempotency_key: idempotency_key.unwrap_or(&own_key),
        requested_by: acting.caller.user_id,
        requested_at: order.issued_at,
        reason,
        expires_at: order.expires_at,
    };
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    let (stored, step) = db::insert_command(&mut tx, &new).await.map_err(explain)?;
    if step == Step::Taken {
        monitoring::wake_agent(&mut tx, agent_id).await?;
        tx.commit(event).await?;
    }
    Ok((show(state, acting, stored).await?, step == Step::Taken))
}

fn read_action(body: &RequestCommand) -> ApiResult<CommandAction> {
    let text = json!({ "kind": body.kind, "arguments": body.arguments });
    let action: CommandAction = serde_json::from_value(text)
        .map_err(|error| ApiError::invalid_field("arguments", error.to_string()))?;
    action
        .check()
        .map_err(|fault| ApiError::unprocessable("invalid_body", vec![fault]))?;
    Ok(action)
}

fn check_possible(state: &AppState, body: &RequestCommand) -> ApiResult<()> {
    if state.response.signer.is_none() {
        return Err(ApiError::forbidden(
            "commands_not_configured",
            "this server has no signer of commands; docs/response.md says how to run one",
        ));
    }
    if body.kind.is_dangerous() && state.response.trust.approver_root().is_none() {
        return Err(ApiError::conflict(
            "no_approver_root",
            "this kind takes the signature of a second person, and this installation has no approver root yet; docs/response.md says how to make one",
        ));
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "each is a part of the order")]
fn order(
    caller: &Caller,
    state: &AppState,
    agent_id: AgentId,
    command_id: CommandId,
    action: CommandAction,
    body: &RequestCommand,
    reason: &str,
    nonce: &[u8],
) -> CommandOrder {
    let now = state.now();
    CommandOrder {
        command_id,
        tenant_id: caller.tenant_id,
        agent_id,
        nonce: hex::encode(nonce),
        issued_at: now,
        expires_at: now + Duration::seconds(body.expires_in_seconds.into()),
        requested_by: caller.user_id,
        requester: caller.username.clone(),
        reason: reason.to_owned(),
        action,
    }
}

fn explain(error: DbError) -> ApiError {
    match error {
        DbError::AlreadyExists { .. } => ApiError::conflict(
            "idempotency_key_reused",
            "this Idempotency-Key was used for another command",
        ),
        other => other.into(),
    }
}
