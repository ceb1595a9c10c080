//! Handing signed commands to the agent that asks.

use std::time::Duration;

use sg_db::agents::{self as db, AgentIdentity, ReadyCommand};
use sg_types::response::{CommandsReply, SignedCommand, SignedText};

use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::signer::SignerError;

/// Commands in one answer at most.
const MAX_COMMANDS: i64 = 20;
/// Pause after which an agent may come again while the signer is away.
const SIGNER_RETRY_SECONDS: u64 = 10;

/// The agent's commands: those that wait, else those that come within `wait`.
pub(super) async fn fetch(
    state: &AppState,
    agent: &AgentIdentity,
    wait: Duration,
) -> ApiResult<CommandsReply> {
    let Some(signer) = &state.response.signer else {
        return Err(ApiError::forbidden(
            "commands_not_configured",
            "this server has no signer of commands",
        ));
    };
    // Before the look: what comes between the look and the wait is not missed.
    let mut turn = state.response.waiting.begin(agent.agent_id);
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        // In a box that is gone while the question waits, which thousands do.
        let commands = Box::pin(claim(state, agent, signer)).await?;
        if !commands.is_empty() {
            return Ok(CommandsReply { commands });
        }
        let stop = state.supervisor.stop_token();
        tokio::select! {
            () = stop.cancelled() => return Ok(CommandsReply::default()),
            () = tokio::time::sleep_until(deadline) => return Ok(CommandsReply::default()),
            woken = turn.woken() => if !woken {
                // The agent asks by another connection; this one is given up.
                return Ok(CommandsReply::default());
            }
        }
    }
}

async fn claim(
    state: &AppState,
    agent: &AgentIdentity,
    signer: &crate::signer::SignerClient,
) -> ApiResult<Vec<SignedCommand>> {
    let now = state.now();
    let mut tx = state.db.system("commands of an agent").await?;
    let ready = db::claim_commands(&mut tx, agent.agent_id, now, MAX_COMMANDS).await?;
    if ready.is_empty() {
        return Ok(Vec::new());
    }
    let mut commands = Vec::with_capacity(ready.len());
    for ReadyCommand {
        command_id,
        order_text,
        approval,
        signature,
        ..
    } in ready
    {
        let order = match signature {
            Some(signature) => SignedText {
                text: order_text,
                signature,
            },
            None => match signer.sign(&order_text, approval.as_ref()).await {
                Ok((order, key_id)) => {
                    db::mark_sent(&mut tx, command_id, &order.signature, &key_id, now).await?;
                    order
                }
                Err(SignerError::Refused(reason)) => {
                    tracing::warn!(command.id = %command_id, reason, "the signer refuses a command");
                    let reason = format!("the signer: {reason}");
                    db::refuse_command(&mut tx, command_id, &reason, now).await?;
                    continue;
                }
                Err(error @ SignerError::Away(_)) => {
                    return Err(ApiError::unavailable(SIGNER_RETRY_SECONDS).because(error));
                }
            },
        };
        commands.push(SignedCommand { order, approval });
    }
    tx.commit_upkeep().await?;
    Ok(commands)
}
