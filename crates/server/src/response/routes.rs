//! The operations on remote commands.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use sg_db::agents::{self as db, CommandFilter};
use sg_types::api::Page;
use sg_types::api::commands::{ApproveCommand, CloseCommand, CommandDetail, CommandView, RequestCommand};
use sg_types::{AgentId, CommandId, CommandState, Problem};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{approve, close, request, show};
use crate::AppState;
use crate::auth::{Can, CommandsApprove, CommandsRead, CommandsRequest};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, PageParams, PathParams, QueryParams, decode_cursor, page_of, word_list};

/// Names a request, so that repeating it changes nothing.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const MAX_IDEMPOTENCY_KEY: usize = 200;

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_commands))
        .routes(routes!(show_command))
        .routes(routes!(post_command))
        .routes(routes!(post_approval))
        .routes(routes!(post_rejection))
        .routes(routes!(post_cancellation))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CommandQuery {
    /// States, separated by commas.
    state: Option<String>,
    /// One endpoint.
    agent_id: Option<AgentId>,
    /// Rows at most.
    limit: Option<u32>,
    /// From `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists remote commands.
#[utoipa::path(get, path = "/api/v1/agents/commands", tag = "agents", params(CommandQuery), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Commands, newest first.", body = Page<CommandView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_commands(
    State(state): State<AppState>,
    can: Can<CommandsRead>,
    QueryParams(query): QueryParams<CommandQuery>,
) -> ApiResult<Json<Page<CommandView>>> {
    can.require_whole_tenant()?;
    let params = PageParams {
        limit: query.limit,
        cursor: query.cursor,
    };
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let filter = CommandFilter {
        states: word_list::<CommandState>("state", query.state.as_deref())?,
        agent_id: query.agent_id,
    };
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let rows = db::list_commands(&mut tx, &filter, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| {
        (row.requested_at, row.command_id.0)
    })))
}

/// Shows a remote command with what it has printed so far, or what it came to.
#[utoipa::path(get, path = "/api/v1/agents/commands/{command_id}", tag = "agents", params(("command_id" = CommandId, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The command.", body = CommandDetail),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_command(
    State(state): State<AppState>,
    can: Can<CommandsRead>,
    PathParams(command_id): PathParams<CommandId>,
) -> ApiResult<Json<CommandDetail>> {
    Ok(Json(show(&state, &can, command_id).await?))
}

/// Asks for a command. A dangerous kind waits for a second person.
#[utoipa::path(post, path = "/api/v1/agents/endpoints/{agent_id}/commands", tag = "agents", request_body = RequestCommand,
    params(("agent_id" = AgentId, Path), ("Idempotency-Key" = Option<String>, Header, description = "Names the request; repeated with the same key it is the same command.")),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "The command.", body = CommandDetail),
    (status = 200, description = "The command that was asked for under this key before.", body = CommandDetail),
    (status = 403, description = "`commands_not_configured`, or the role does not allow it.", body = Problem),
    (status = 409, description = "`no_approver_root` or `idempotency_key_reused`.", body = Problem),
    (status = 422, description = "A field was refused.", body = Problem),
))]
async fn post_command(
    State(state): State<AppState>,
    can: Can<CommandsRequest>,
    PathParams(agent_id): PathParams<AgentId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Value>,
) -> ApiResult<(StatusCode, Json<CommandDetail>)> {
    let key = idempotency_key(&headers)?;
    let (detail, is_new) = request::request(&state, &can, agent_id, &body, key).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(detail)))
}

/// Agrees to a command, as a second person, with the signature of one's own key under its `order_text`.
#[utoipa::path(post, path = "/api/v1/agents/commands/{command_id}/approval", tag = "agents", request_body = ApproveCommand,
    params(("command_id" = CommandId, Path)), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The command, which goes to its endpoint.", body = CommandDetail),
    (status = 403, description = "`own_approval`: nobody approves what they asked for.", body = Problem),
    (status = 409, description = "It does not wait for approval.", body = Problem),
    (status = 422, description = "The signature or certificate does not hold.", body = Problem),
))]
async fn post_approval(
    State(state): State<AppState>,
    can: Can<CommandsApprove>,
    PathParams(command_id): PathParams<CommandId>,
    JsonBody(body): JsonBody<Value>,
) -> ApiResult<Json<CommandDetail>> {
    Ok(Json(approve::approve(&state, &can, command_id, &body).await?))
}

/// Turns a command down.
#[utoipa::path(post, path = "/api/v1/agents/commands/{command_id}/rejection", tag = "agents", request_body = CloseCommand,
    params(("command_id" = CommandId, Path)), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The command, which nobody does.", body = CommandDetail),
    (status = 409, description = "It was sent already.", body = Problem),
))]
async fn post_rejection(
    State(state): State<AppState>,
    can: Can<CommandsApprove>,
    PathParams(command_id): PathParams<CommandId>,
    JsonBody(body): JsonBody<Value>,
) -> ApiResult<Json<CommandDetail>> {
    let closed = close::close(&state, &can, command_id, CommandState::Rejected, &body).await?;
    Ok(Json(closed))
}

/// Takes a command back before it is sent.
#[utoipa::path(post, path = "/api/v1/agents/commands/{command_id}/cancellation", tag = "agents", request_body = CloseCommand,
    params(("command_id" = CommandId, Path)), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The command, which nobody does.", body = CommandDetail),
    (status = 409, description = "It was sent already.", body = Problem),
))]
async fn post_cancellation(
    State(state): State<AppState>,
    can: Can<CommandsRequest>,
    PathParams(command_id): PathParams<CommandId>,
    JsonBody(body): JsonBody<Value>,
) -> ApiResult<Json<CommandDetail>> {
    let closed = close::close(&state, &can, command_id, CommandState::Cancelled, &body).await?;
    Ok(Json(closed))
}

fn idempotency_key(headers: &HeaderMap) -> ApiResult<Option<&str>> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_IDEMPOTENCY_KEY).contains(&key.len()));
    match key {
        Some(key) => Ok(Some(key)),
        None => Err(ApiError::bad_request(
            "invalid_headers",
            "`Idempotency-Key` is 1–200 printable ASCII characters",
        )),
    }
}
