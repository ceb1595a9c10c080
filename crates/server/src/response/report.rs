//! What agents tell of commands.

use sg_db::TokenHash;
use sg_db::agents::{self as db, AgentIdentity, NewResult, Step};
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::monitoring::{SecurityEvent, record_security_event};
use sg_trust::{PublicKey, verify_result};
use sg_types::agent::CommandRefusal;
use sg_types::response::{MAX_OUTPUT_BYTES, OutputChunk, SignedText};
use sg_types::{CommandId, CommandState, Severity};

use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::http::RequestContext;

/// Characters of a reason or summary that are kept.
const MAX_WORDS: usize = 2_000;
/// Bytes of a piece of output at most.
const MAX_PIECE_BYTES: usize = 256 * 1024;

pub(super) async fn keep_key(state: &AppState, token: TokenHash, key: &str) -> ApiResult<()> {
    let key = PublicKey::parse(key)
        .map_err(|error| ApiError::invalid_field("public_key", error.to_string()))?
        .to_base64();
    let mut tx = state.db.system("key of an agent").await?;
    if !db::keep_result_key(&mut tx, token, &key).await? {
        return Err(ApiError::conflict(
            "result_key_differs",
            "another key is known for this token; enrol again to change it",
        ));
    }
    tx.commit_upkeep().await?;
    Ok(())
}

pub(super) async fn start(state: &AppState, agent: &AgentIdentity, command_id: CommandId) -> ApiResult<()> {
    let mut tx = state.db.system("begin of a command").await?;
    db::start_command(&mut tx, agent.agent_id, command_id, state.now())
        .await
        .map_err(super::approve::explain_step)?
        .ok_or_else(ApiError::not_found)?;
    Ok(tx.commit_upkeep().await?)
}

pub(super) async fn append(
    state: &AppState,
    agent: &AgentIdentity,
    command_id: CommandId,
    chunk: &OutputChunk,
) -> ApiResult<()> {
    let offset = i64::try_from(chunk.offset).unwrap_or(i64::MAX);
    if usize::try_from(chunk.offset).unwrap_or(usize::MAX) > MAX_OUTPUT_BYTES {
        return Err(ApiError::invalid_field("offset", "is at most 1,048,576"));
    }
    if chunk.text.is_empty() || chunk.text.len() > MAX_PIECE_BYTES || chunk.text.contains('\0') {
        return Err(ApiError::invalid_field("text", "is 1–262,144 bytes without NUL"));
    }
    let mut tx = state.db.system("output of a command").await?;
    if !db::append_output(
        &mut tx,
        agent.agent_id,
        command_id,
        offset,
        &chunk.text,
        state.now(),
    )
    .await?
    {
        return Err(ApiError::not_found());
    }
    Ok(tx.commit_upkeep().await?)
}

/// Stores a result that the agent has signed with the key that it told.
pub(super) async fn finish(
    state: &AppState,
    request: &RequestContext,
    agent: &AgentIdentity,
    token: TokenHash,
    command_id: CommandId,
    signed: &SignedText,
) -> ApiResult<()> {
    let mut tx = state.db.system("result of a command").await?;
    let key_text = db::result_key(&mut tx, token)
        .await?
        .ok_or_else(|| ApiError::invalid_field("signature", "is by no key that this agent has told"))?;
    let key = PublicKey::parse(&key_text).map_err(ApiError::internal)?;
    let result = verify_result(&key, signed)
        .ok_or_else(|| ApiError::invalid_field("signature", "is not that of the agent under a result"))?;
    let is_final = matches!(
        result.outcome,
        CommandState::Succeeded | CommandState::Failed | CommandState::Rejected
    );
    let names_this = result.command_id == command_id && result.agent_id == agent.agent_id;
    let fits = result.output.len() <= MAX_OUTPUT_BYTES
        && !result.output.contains('\0')
        && !result.summary.contains('\0')
        && i64::try_from(result.output_bytes).is_ok();
    if !is_final || !names_this || !fits {
        return Err(ApiError::invalid_field(
            "text",
            "is not the result of this command of this endpoint, within its bounds",
        ));
    }
    let now = state.now();
    let summary: String = result.summary.chars().take(MAX_WORDS).collect();
    let new = NewResult {
        command_id,
        agent_id: agent.agent_id,
        outcome: result.outcome,
        exit_code: result.exit_code,
        output: &result.output,
        output_bytes: i64::try_from(result.output_bytes).unwrap_or(i64::MAX),
        started_at: result.started_at,
        finished_at: result.finished_at,
        summary: &summary,
        signed: Some((signed, &key_text)),
    };
    let step = db::record_result(&mut tx, &new, now)
        .await
        .map_err(super::approve::explain_step)?
        .ok_or_else(ApiError::not_found)?;
    if step == Step::Repeated {
        return Ok(());
    }
    let mut event = agent_event(state, request, agent, "command.finish");
    event.object = Some(("command", command_id.to_string()));
    event.reason = Some(format!("{}: {summary}", result.outcome));
    Ok(tx.commit(agent.tenant_id, event).await?)
}

/// An endpoint does not do what it was given. Either an attack or two clocks that differ: somebody has to look.
pub(super) async fn refuse(
    state: &AppState,
    request: &RequestContext,
    agent: &AgentIdentity,
    refusal: &CommandRefusal,
) -> ApiResult<()> {
    let reason: String = refusal
        .reason
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_WORDS)
        .collect();
    if reason.trim().is_empty() {
        return Err(ApiError::invalid_field("reason", "says why"));
    }
    let now = state.now();
    let mut tx = state.db.system("refusal of a command").await?;
    let detail =
        serde_json::json!({ "agent_id": agent.agent_id, "command_id": refusal.command_id, "reason": reason });
    let mut is_news = record_security_event(
        &mut tx,
        &SecurityEvent {
            tenant_id: agent.tenant_id,
            at: now,
            kind: "command_refused",
            severity: Severity::High,
            subject: &agent.hostname,
            detail: &detail,
        },
    )
    .await?;
    if let Some(command_id) = refusal.command_id {
        let result = NewResult {
            command_id,
            agent_id: agent.agent_id,
            outcome: CommandState::Rejected,
            exit_code: None,
            output: "",
            output_bytes: 0,
            started_at: None,
            finished_at: now,
            summary: &reason,
            signed: None,
        };
        // A command that is none of this endpoint's, or that has ended, stays as it is.
        is_news |= db::reject_sent(&mut tx, &result, now).await?;
    }
    // What an endpoint invents is told once an hour: whoever has taken it over fills no log with it.
    if !is_news {
        return Ok(());
    }
    let mut event = agent_event(state, request, agent, "command.refuse");
    event.outcome = Outcome::Denied;
    event.object = refusal.command_id.map(|id| ("command", id.to_string()));
    event.reason = Some(reason);
    Ok(tx.commit(agent.tenant_id, event).await?)
}

fn agent_event(
    state: &AppState,
    request: &RequestContext,
    agent: &AgentIdentity,
    action: &'static str,
) -> AuditEvent {
    AuditEvent {
        event_id: state.next_id(),
        at: state.now(),
        actor: Actor::agent(agent.agent_id, &agent.hostname),
        action,
        object: None,
        outcome: Outcome::Success,
        reason: None,
        request_id: Some(request.request_id.clone()),
        address: Some(request.address),
    }
}
