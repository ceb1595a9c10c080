//! Remote commands. The workflow itself is held by the database's trigger; what is here takes its steps, and makes each safe to repeat.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sg_types::response::{Approval, MAX_OUTPUT_BYTES, SignedText};
use sg_types::{AgentId, CommandId, CommandState, TenantId, UserId};
use sqlx::{PgConnection, Row, types::Json};
use uuid::Uuid;

use crate::{DbError, SystemTx, TokenHash, WriteTx, tx::Connection};

/// A command to queue.
#[derive(Debug, Clone)]
pub struct NewCommand<'a> {
    /// Its id.
    pub command_id: CommandId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The endpoint.
    pub agent_id: AgentId,
    /// What to do, such as `scan_path`.
    pub kind: &'a str,
    /// With what; a JSON object that people may see.
    pub arguments: &'a Value,
    /// With what that nobody may see; a JSON object.
    pub secret_arguments: Option<&'a Value>,
    /// The text that is signed.
    pub order_text: &'a str,
    /// 16–64 random bytes.
    pub nonce: &'a [u8],
    /// Names the request: asked for twice, it is one command.
    pub idempotency_key: &'a str,
    /// Who asks.
    pub requested_by: UserId,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Why, 1–2000 characters.
    pub reason: &'a str,
    /// Until when it may be done, at most 31 days later.
    pub expires_at: DateTime<Utc>,
}

/// Whether a step was taken or had been taken already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The command moved.
    Taken,
    /// It was there already; nothing changed.
    Repeated,
}

/// A command that is ready to be signed and sent.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyCommand {
    /// Its id.
    pub command_id: CommandId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The text that is signed.
    pub order_text: String,
    /// The second person's agreement.
    pub approval: Option<Approval>,
    /// The signature, when it was sent before; it goes again until the endpoint has begun.
    pub signature: Option<String>,
}

/// What a command brought.
#[derive(Debug, Clone)]
pub struct NewResult<'a> {
    /// The command.
    pub command_id: CommandId,
    /// The endpoint that tells; another one's result is refused.
    pub agent_id: AgentId,
    /// `succeeded`, `failed` or `rejected`.
    pub outcome: CommandState,
    /// The exit code, where there was a process.
    pub exit_code: Option<i32>,
    /// The output; what exceeds [`MAX_OUTPUT_BYTES`] is cut.
    pub output: &'a str,
    /// How long the output was before anybody cut it.
    pub output_bytes: i64,
    /// When it began, by the endpoint's clock.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, by the endpoint's clock.
    pub finished_at: DateTime<Utc>,
    /// What it comes to, in a sentence of at most 2000 characters.
    pub summary: &'a str,
    /// What the agent has signed and under which public key; none for a refusal.
    pub signed: Option<(&'a SignedText, &'a str)>,
}

/// Queues a command. Asked for again under the same key, it is the first one that counts.
///
/// # Errors
/// [`DbError::InvalidValue`] for an unknown kind or a bad time, [`DbError::MissingReference`] for an endpoint that is not the tenant's,
/// [`DbError::AlreadyExists`] when the key was used for something else.
pub async fn insert_command(
    tx: &mut WriteTx,
    command: &NewCommand<'_>,
) -> Result<(CommandId, Step), DbError> {
    let inserted: Option<Uuid> = sqlx::query_scalar(
        "insert into agents.commands (command_id, tenant_id, agent_id, kind, arguments, secret_arguments, nonce, idempotency_key,
            requested_by, requested_at, reason, expires_at, order_text)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (tenant_id, idempotency_key) do nothing
         returning command_id",
    )
    .bind(Uuid::from(command.command_id))
    .bind(Uuid::from(command.tenant_id))
    .bind(Uuid::from(command.agent_id))
    .bind(command.kind)
    .bind(command.arguments)
    .bind(command.secret_arguments)
    .bind(command.nonce)
    .bind(command.idempotency_key)
    .bind(Uuid::from(command.requested_by))
    .bind(command.requested_at)
    .bind(command.reason)
    .bind(command.expires_at)
    .bind(command.order_text)
    .fetch_optional(tx.conn())
    .await?;
    if let Some(id) = inserted {
        return Ok((CommandId(id), Step::Taken));
    }
    let known: Option<Uuid> = sqlx::query_scalar(
        "select command_id from agents.commands
         where tenant_id = $1 and idempotency_key = $2 and agent_id = $3 and kind = $4 and arguments = $5 and requested_by = $6",
    )
    .bind(Uuid::from(command.tenant_id))
    .bind(command.idempotency_key)
    .bind(Uuid::from(command.agent_id))
    .bind(command.kind)
    .bind(command.arguments)
    .bind(Uuid::from(command.requested_by))
    .fetch_optional(tx.conn())
    .await?;
    known
        .map(|id| (CommandId(id), Step::Repeated))
        .ok_or_else(|| DbError::AlreadyExists {
            constraint: "commands_tenant_id_idempotency_key_key".to_owned(),
        })
}

/// Agrees to a command, as a second person. None when the tenant has no such command.
///
/// # Errors
/// [`DbError::InvalidValue`] for whoever asked for it (`commands_two_people_check`), and for a command that does not wait any more
/// (`commands_workflow_check`).
pub async fn approve_command(
    tx: &mut WriteTx,
    command_id: CommandId,
    by: UserId,
    approval: &Approval,
    at: DateTime<Utc>,
) -> Result<Option<Step>, DbError> {
    let Some(step) = begin_step(tx.conn(), command_id, CommandState::Approved).await? else {
        return Ok(None);
    };
    if step == Step::Taken {
        sqlx::query("update agents.commands set state = 'approved', approved_by = $2, approved_at = $3, approval = $4 where command_id = $1")
            .bind(Uuid::from(command_id))
            .bind(Uuid::from(by))
            .bind(at)
            .bind(Json(approval))
            .execute(tx.conn())
            .await?;
    }
    Ok(Some(step))
}

/// Ends a command before it was sent: `to` is `rejected` or `cancelled`. None when the tenant has no such command.
///
/// # Errors
/// [`DbError::InvalidValue`] when the workflow does not have this step.
pub async fn close_command(
    tx: &mut WriteTx,
    command_id: CommandId,
    to: CommandState,
    by: UserId,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<Option<Step>, DbError> {
    let Some(step) = begin_step(tx.conn(), command_id, to).await? else {
        return Ok(None);
    };
    if step == Step::Taken {
        sqlx::query(
            "update agents.commands set state = $2, closed_by = $3, close_reason = $4, finished_at = $5 where command_id = $1",
        )
        .bind(Uuid::from(command_id))
        .bind(to.as_str())
        .bind(Uuid::from(by))
        .bind(reason)
        .bind(at)
        .execute(tx.conn())
        .await?;
    }
    Ok(Some(step))
}

/// What an endpoint is to be sent next, oldest first, locked until the end of the transaction; another node passes over them. What was sent and not
/// begun goes again: the answer that carried it may have been lost.
///
/// # Errors
/// What a query may meet.
pub async fn claim_commands(
    tx: &mut SystemTx,
    agent_id: AgentId,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<ReadyCommand>, DbError> {
    sqlx::query(
        "select command_id, tenant_id, order_text, approval, signature
         from agents.commands
         where agent_id = $1 and (state in ('approved', 'sent') or (state = 'pending' and not dangerous)) and expires_at > $2
            and order_text is not null
         order by requested_at, command_id
         limit $3
         for update skip locked",
    )
    .bind(Uuid::from(agent_id))
    .bind(at)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(ReadyCommand {
            command_id: CommandId(row.try_get("command_id")?),
            tenant_id: TenantId(row.try_get("tenant_id")?),
            order_text: row.try_get("order_text")?,
            approval: row
                .try_get::<Option<Json<Approval>>, _>("approval")?
                .map(|approval| approval.0),
            signature: row
                .try_get::<Option<Vec<u8>>, _>("signature")?
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        })
    })
    .collect()
}

/// Notes that a command was signed and handed out. None when there is no such command.
///
/// # Errors
/// [`DbError::InvalidValue`] when the workflow does not have this step, or the command's time has passed.
pub async fn mark_sent(
    tx: &mut SystemTx,
    command_id: CommandId,
    signature: &str,
    signing_key_id: &str,
    at: DateTime<Utc>,
) -> Result<Option<Step>, DbError> {
    let Some(step) = begin_step(tx.conn(), command_id, CommandState::Sent).await? else {
        return Ok(None);
    };
    if step == Step::Taken {
        sqlx::query("update agents.commands set state = 'sent', signature = $2, signing_key_id = $3, sent_at = $4 where command_id = $1")
            .bind(Uuid::from(command_id))
            .bind(signature.as_bytes())
            .bind(signing_key_id)
            .bind(at)
            .execute(tx.conn())
            .await?;
    }
    Ok(Some(step))
}

/// Notes that the endpoint has begun. None when that endpoint has no such command.
///
/// # Errors
/// [`DbError::InvalidValue`] when the workflow does not have this step.
pub async fn start_command(
    tx: &mut SystemTx,
    agent_id: AgentId,
    command_id: CommandId,
    at: DateTime<Utc>,
) -> Result<Option<Step>, DbError> {
    if !is_of(tx.conn(), command_id, agent_id).await? {
        return Ok(None);
    }
    let Some(step) = begin_step(tx.conn(), command_id, CommandState::Running).await? else {
        return Ok(None);
    };
    if step == Step::Taken {
        sqlx::query("update agents.commands set state = 'running', started_at = $2 where command_id = $1")
            .bind(Uuid::from(command_id))
            .bind(at)
            .execute(tx.conn())
            .await?;
    }
    Ok(Some(step))
}

/// Stores what a command brought and ends it. The first result counts, a repeat changes nothing. A result of a command that has expired is
/// kept as a late one, and the command stays expired. None when that endpoint has no such command.
///
/// # Errors
/// [`DbError::InvalidValue`] when the command was never sent or has been closed otherwise.
pub async fn record_result(
    tx: &mut SystemTx,
    result: &NewResult<'_>,
    at: DateTime<Utc>,
) -> Result<Option<Step>, DbError> {
    let row = sqlx::query(
        "select c.tenant_id, c.state, c.sent_at, exists (select from agents.command_results r where r.command_id = c.command_id) as told
         from agents.commands c where c.command_id = $1 and c.agent_id = $2 for update",
    )
    .bind(Uuid::from(result.command_id))
    .bind(Uuid::from(result.agent_id))
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get("told")? {
        return Ok(Some(Step::Repeated));
    }
    let state: CommandState = row.try_get::<String, _>("state")?.parse()?;
    let late =
        state == CommandState::Expired && row.try_get::<Option<DateTime<Utc>>, _>("sent_at")?.is_some();
    if !late {
        sqlx::query("update agents.commands set state = $2, finished_at = $3 where command_id = $1")
            .bind(Uuid::from(result.command_id))
            .bind(result.outcome.as_str())
            .bind(at)
            .execute(tx.conn())
            .await?;
    }
    let output = cut(result.output);
    let bytes = result
        .output_bytes
        .max(i64::try_from(result.output.len()).unwrap_or(i64::MAX));
    sqlx::query(
        "insert into agents.command_results (command_id, tenant_id, outcome, exit_code, output, output_truncated, output_bytes, started_at,
            finished_at, received_at, late, summary, signed_text, signature, result_key)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(Uuid::from(result.command_id))
    .bind(row.try_get::<Uuid, _>("tenant_id")?)
    .bind(result.outcome.as_str())
    .bind(result.exit_code)
    .bind(output)
    .bind(i64::try_from(output.len()).unwrap_or(i64::MAX) < bytes)
    .bind(bytes)
    .bind(result.started_at)
    .bind(result.finished_at)
    .bind(at)
    .bind(late)
    .bind(result.summary)
    .bind(result.signed.map(|(signed, _)| signed.text.as_str()))
    .bind(result.signed.map(|(signed, _)| signed.signature.as_str()))
    .bind(result.signed.map(|(_, key)| key))
    .execute(tx.conn())
    .await?;
    // The result has all of it.
    sqlx::query("delete from agents.command_output where tenant_id = $1 and command_id = $2")
        .bind(row.try_get::<Uuid, _>("tenant_id")?)
        .bind(Uuid::from(result.command_id))
        .execute(tx.conn())
        .await?;
    Ok(Some(Step::Taken))
}

/// Ends a command that its endpoint refuses, and tells whether; not one that has moved on: what was never sent, and what has ended, stays as it is.
///
/// # Errors
/// What a query may meet.
pub async fn reject_sent(
    tx: &mut SystemTx,
    result: &NewResult<'_>,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let waits: bool = sqlx::query_scalar(
        "select exists (select from agents.commands where command_id = $1 and agent_id = $2 and state = 'sent')",
    )
    .bind(Uuid::from(result.command_id))
    .bind(Uuid::from(result.agent_id))
    .fetch_one(tx.conn())
    .await?;
    if waits {
        record_result(tx, result, at).await?;
    }
    Ok(waits)
}

/// Ends a command that the signer does not sign, in nobody's name. None when there is no such command.
///
/// # Errors
/// [`DbError::InvalidValue`] when the workflow does not have this step.
pub async fn refuse_command(
    tx: &mut SystemTx,
    command_id: CommandId,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<Option<Step>, DbError> {
    let Some(step) = begin_step(tx.conn(), command_id, CommandState::Rejected).await? else {
        return Ok(None);
    };
    if step == Step::Taken {
        sqlx::query(
            "update agents.commands set state = 'rejected', close_reason = $2, finished_at = $3 where command_id = $1",
        )
        .bind(Uuid::from(command_id))
        .bind(reason)
        .bind(at)
        .execute(tx.conn())
        .await?;
    }
    Ok(Some(step))
}

/// Pieces of one command's output at most: an hour of one a second, and some.
pub const MAX_OUTPUT_PIECES: i64 = 4_096;

/// Keeps a piece of a running command's output, [`MAX_OUTPUT_PIECES`] at most; a piece that is there already, and what lies beyond [`MAX_OUTPUT_BYTES`], changes nothing. False when
/// that endpoint has no such command that runs.
///
/// # Errors
/// What a query may meet.
pub async fn append_output(
    tx: &mut SystemTx,
    agent_id: AgentId,
    command_id: CommandId,
    offset: i64,
    piece: &str,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let tenant_id: Option<Uuid> = sqlx::query_scalar(
        "select tenant_id from agents.commands where command_id = $1 and agent_id = $2 and state in ('sent', 'running')",
    )
    .bind(Uuid::from(command_id))
    .bind(Uuid::from(agent_id))
    .fetch_optional(tx.conn())
    .await?;
    let Some(tenant_id) = tenant_id else {
        return Ok(false);
    };
    sqlx::query(
        "insert into agents.command_output (tenant_id, command_id, piece_offset, piece, received_at)
         select $1, $2, $3, $4, $5
         where (select coalesce(sum(octet_length(o.piece)), 0) < $6 and count(*) < $7 from agents.command_output o
            where o.tenant_id = $1 and o.command_id = $2)
         on conflict do nothing",
    )
    .bind(tenant_id)
    .bind(Uuid::from(command_id))
    .bind(offset)
    .bind(piece)
    .bind(at)
    .bind(i64::try_from(MAX_OUTPUT_BYTES).unwrap_or(i64::MAX))
    .bind(MAX_OUTPUT_PIECES)
    .execute(tx.conn())
    .await?;
    Ok(true)
}

/// The key under which the results of the token's agent are believed; none before it was told.
///
/// # Errors
/// What a query may meet.
pub async fn result_key(tx: &mut SystemTx, token: TokenHash) -> Result<Option<String>, DbError> {
    let key: Option<Option<String>> = sqlx::query_scalar(
        "select result_key from agents.agent_tokens where token_hash = $1 and revoked_at is null",
    )
    .bind(token.as_bytes())
    .fetch_optional(tx.conn())
    .await?;
    Ok(key.flatten())
}

/// Keeps the key that the token's agent tells first. False when another is kept already: a key holds as long as the token.
///
/// # Errors
/// What a query may meet.
pub async fn keep_result_key(tx: &mut SystemTx, token: TokenHash, key: &str) -> Result<bool, DbError> {
    sqlx::query("update agents.agent_tokens set result_key = $2 where token_hash = $1 and revoked_at is null and result_key is null")
        .bind(token.as_bytes())
        .bind(key)
        .execute(tx.conn())
        .await?;
    Ok(result_key(tx, token).await?.as_deref() == Some(key))
}

/// Locks the command and tells whether it is in `target` already.
async fn begin_step(
    conn: &mut PgConnection,
    command_id: CommandId,
    target: CommandState,
) -> Result<Option<Step>, DbError> {
    let state: Option<String> =
        sqlx::query_scalar("select state from agents.commands where command_id = $1 for update")
            .bind(Uuid::from(command_id))
            .fetch_optional(conn)
            .await?;
    Ok(state.map(|state| {
        if state == target.as_str() {
            Step::Repeated
        } else {
            Step::Taken
        }
    }))
}

async fn is_of(conn: &mut PgConnection, command_id: CommandId, agent_id: AgentId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "select exists (select from agents.commands where command_id = $1 and agent_id = $2)",
    )
    .bind(Uuid::from(command_id))
    .bind(Uuid::from(agent_id))
    .fetch_one(conn)
    .await?)
}

/// As much of the text as is kept, whole characters only.
fn cut(output: &str) -> &str {
    let end = (0..=output.len().min(MAX_OUTPUT_BYTES))
        .rev()
        .find(|end| output.is_char_boundary(*end));
    &output[..end.unwrap_or(0)]
}
