//! Remote commands as people see them.

use sg_types::api::commands::{CommandDetail, CommandView, SignedResultView};
use sg_types::{AgentId, CommandId, CommandState, UserId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads, users::After};

/// Which commands to list.
#[derive(Debug, Clone, Default)]
pub struct CommandFilter {
    /// In any of these states; all when empty.
    pub states: Vec<CommandState>,
    /// Of this endpoint.
    pub agent_id: Option<AgentId>,
}

macro_rules! view_query {
    ($more:literal, $rest:literal) => {
        concat!(
            "select c.command_id, c.agent_id, e.hostname, c.kind, c.arguments, c.dangerous, c.state, c.requested_by, c.requested_at, c.reason,
                c.approved_by, c.approved_at, c.sent_at, c.started_at, c.finished_at, c.close_reason, c.expires_at,
                q.username as requester, a.username as approver, x.username as closer, r.summary, r.exit_code",
            $more,
            " from agents.commands c
             join agents.endpoints e on e.tenant_id = c.tenant_id and e.agent_id = c.agent_id
             left join users.users q on q.user_id = c.requested_by
             left join users.users a on a.user_id = c.approved_by
             left join users.users x on x.user_id = c.closed_by
             left join agents.command_results r on r.tenant_id = c.tenant_id and r.command_id = c.command_id ",
            $rest
        )
    };
}

/// The tenant's commands, newest first.
///
/// # Errors
/// What a query may meet.
pub async fn list_commands(
    tx: &mut impl Reads,
    filter: &CommandFilter,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<CommandView>, DbError> {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    sqlx::query(view_query!(
        "",
        "where c.tenant_id = (select users.current_tenant())
            and (cardinality($1::text[]) = 0 or c.state = any ($1)) and ($2::uuid is null or c.agent_id = $2)
            and ($3::timestamptz is null or (c.requested_at, c.command_id) < ($3, $4))
         order by c.requested_at desc, c.command_id desc limit $5"
    ))
    .bind(states)
    .bind(filter.agent_id.map(Uuid::from))
    .bind(after.map(|after| after.at))
    .bind(after.map(|after| after.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

/// A command with everything about it; none when the tenant has no such command.
///
/// # Errors
/// What a query may meet.
pub async fn find_command(
    tx: &mut impl Reads,
    command_id: CommandId,
) -> Result<Option<CommandDetail>, DbError> {
    let row = sqlx::query(view_query!(
        ", c.order_text, r.output, r.output_bytes, r.late, r.received_at, r.result_key, r.signature,
            (select string_agg(o.piece, '' order by o.piece_offset) from agents.command_output o
                where o.tenant_id = c.tenant_id and o.command_id = c.command_id) as so_far",
        "where c.tenant_id = (select users.current_tenant()) and c.command_id = $1"
    ))
    .bind(Uuid::from(command_id))
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let output: Option<String> = row.try_get("output")?;
        let output = output.or(row.try_get("so_far")?).unwrap_or_default();
        let bytes: Option<i64> = row.try_get("output_bytes")?;
        let received_at = row.try_get::<Option<_>, _>("received_at")?;
        Ok(CommandDetail {
            command: view(&row)?,
            order_text: row.try_get("order_text")?,
            output_bytes: bytes.unwrap_or_else(|| i64::try_from(output.len()).unwrap_or(i64::MAX)),
            output,
            result: match received_at {
                Some(received_at) => Some(SignedResultView {
                    late: row.try_get("late")?,
                    received_at,
                    result_key: row.try_get("result_key")?,
                    signature: row.try_get("signature")?,
                }),
                None => None,
            },
        })
    })
    .transpose()
}

fn view(row: &PgRow) -> Result<CommandView, DbError> {
    Ok(CommandView {
        command_id: CommandId(row.try_get("command_id")?),
        agent_id: AgentId(row.try_get("agent_id")?),
        hostname: row.try_get("hostname")?,
        kind: row.try_get("kind")?,
        arguments: row.try_get("arguments")?,
        dangerous: row.try_get("dangerous")?,
        state: row.try_get::<String, _>("state")?.parse()?,
        requested_by: UserId(row.try_get("requested_by")?),
        requester: row.try_get("requester")?,
        requested_at: row.try_get("requested_at")?,
        reason: row.try_get("reason")?,
        approved_by: row.try_get::<Option<Uuid>, _>("approved_by")?.map(UserId),
        approver: row.try_get("approver")?,
        approved_at: row.try_get("approved_at")?,
        sent_at: row.try_get("sent_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        closer: row.try_get("closer")?,
        close_reason: row.try_get("close_reason")?,
        expires_at: row.try_get("expires_at")?,
        summary: row.try_get("summary")?,
        exit_code: row.try_get("exit_code")?,
    })
}
