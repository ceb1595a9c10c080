//! The agents' side of remote commands, below `/agent/v1/`.

use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use serde::Deserialize;
use sg_types::agent::{CommandRefusal, TrustOffer};
use sg_types::response::{CommandsReply, MAX_WAIT_SECONDS, OutputChunk, ResultKey, SignedText};
use sg_types::{CommandId, Problem};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{deliver, report};
use crate::AppState;
use crate::agents::CallingAgent;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, PathParams, QueryParams};
use crate::http::RequestContext;

/// Bytes of a signed result at most: output of control characters grows sevenfold on its way into JSON within JSON.
const MAX_RESULT_BYTES: usize = 8 * 1024 * 1024;
/// Time by which a held question ends before the server's own limit for requests.
const MARGIN: Duration = Duration::from_secs(5);

/// The operations of agents.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(fetch_trust))
        .routes(routes!(fetch_commands))
        .routes(routes!(put_result_key))
        .routes(routes!(post_refusal))
        .routes(routes!(post_start))
        .routes(routes!(post_output))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(post_result))
                .layer(DefaultBodyLimit::max(MAX_RESULT_BYTES)),
        )
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WaitQuery {
    /// Seconds for which the answer may be held back, 0–55.
    #[serde(default)]
    wait: u64,
}

/// Gives the trust sets that may replace the pinned one.
#[utoipa::path(get, path = "/agent/v1/trust", tag = "agent", security(("bearer" = [])), responses(
    (status = 200, description = "One version under different signatures.", body = TrustOffer),
    (status = 401, description = "The token does not work (any more).", body = Problem),
))]
async fn fetch_trust(State(state): State<AppState>, _agent: CallingAgent) -> ApiResult<Json<TrustOffer>> {
    let offer = state
        .response
        .trust
        .offer(&state.rules_signer)
        .map_err(|error| ApiError::internal(format!("{error:#}")))?;
    Ok(Json(offer))
}

/// Gives the endpoint's commands, as soon as there are some.
#[utoipa::path(get, path = "/agent/v1/commands", tag = "agent", params(WaitQuery), security(("bearer" = [])), responses(
    (status = 200, description = "Signed commands, oldest first; none when nothing came in time.", body = CommandsReply),
    (status = 401, description = "The token does not work (any more).", body = Problem),
    (status = 403, description = "`commands_not_configured`: ask again much later.", body = Problem),
))]
async fn fetch_commands(
    State(state): State<AppState>,
    agent: CallingAgent,
    QueryParams(query): QueryParams<WaitQuery>,
) -> ApiResult<Json<CommandsReply>> {
    let most = state.config.http.request_timeout().saturating_sub(MARGIN);
    let wait = Duration::from_secs(query.wait.min(MAX_WAIT_SECONDS)).min(most);
    Ok(Json(deliver::fetch(&state, &agent.identity, wait).await?))
}

/// Tells under which key the agent signs what commands come to.
#[utoipa::path(put, path = "/agent/v1/result-key", tag = "agent", request_body = ResultKey, security(("bearer" = [])), responses(
    (status = 204, description = "Kept, for as long as the token."),
    (status = 409, description = "`result_key_differs`: another key is kept for this token.", body = Problem),
))]
async fn put_result_key(
    State(state): State<AppState>,
    agent: CallingAgent,
    JsonBody(body): JsonBody<ResultKey>,
) -> ApiResult<StatusCode> {
    report::keep_key(&state, agent.token, &body.public_key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes word that a command is not done because it is not believed.
#[utoipa::path(post, path = "/agent/v1/commands/refusals", tag = "agent", request_body = CommandRefusal, security(("bearer" = [])), responses(
    (status = 204, description = "Told to whoever watches."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_refusal(
    State(state): State<AppState>,
    agent: CallingAgent,
    request: RequestContext,
    JsonBody(body): JsonBody<CommandRefusal>,
) -> ApiResult<StatusCode> {
    report::refuse(&state, &request, &agent.identity, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes word that a command begins.
#[utoipa::path(post, path = "/agent/v1/commands/{command_id}/start", tag = "agent", params(("command_id" = CommandId, Path)),
    security(("bearer" = [])), responses(
    (status = 204, description = "Noted."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_start(
    State(state): State<AppState>,
    agent: CallingAgent,
    PathParams(command_id): PathParams<CommandId>,
) -> ApiResult<StatusCode> {
    report::start(&state, &agent.identity, command_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a piece of a running command's output.
#[utoipa::path(post, path = "/agent/v1/commands/{command_id}/output", tag = "agent", request_body = OutputChunk,
    params(("command_id" = CommandId, Path)), security(("bearer" = [])), responses(
    (status = 204, description = "Kept; a repeat changes nothing."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_output(
    State(state): State<AppState>,
    agent: CallingAgent,
    PathParams(command_id): PathParams<CommandId>,
    JsonBody(body): JsonBody<OutputChunk>,
) -> ApiResult<StatusCode> {
    report::append(&state, &agent.identity, command_id, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes what a command came to, signed by the agent; the text is a `CommandResult`.
#[utoipa::path(post, path = "/agent/v1/commands/{command_id}/result", tag = "agent", request_body = SignedText,
    params(("command_id" = CommandId, Path)), security(("bearer" = [])), responses(
    (status = 204, description = "Kept; a repeat changes nothing."),
    (status = 409, description = "The command was never sent, or was closed otherwise.", body = Problem),
    (status = 422, description = "The signature does not hold, or the text is out of bounds.", body = Problem),
))]
async fn post_result(
    State(state): State<AppState>,
    agent: CallingAgent,
    request: RequestContext,
    PathParams(command_id): PathParams<CommandId>,
    JsonBody(body): JsonBody<SignedText>,
) -> ApiResult<StatusCode> {
    report::finish(&state, &request, &agent.identity, agent.token, command_id, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}
