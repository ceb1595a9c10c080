//! The agents' own operations, below `/agent/v1/`.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use sg_db::TokenHash;
use sg_db::agents::{AgentIdentity, find_agent};
use sg_types::agent::{CheckIn, CheckInReply, EnrolReply, EnrolRequest, SignedRules};
use sg_types::{Problem, TokenKind};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{check_in, decommission, enrol};
use crate::AppState;
use crate::auth::bearer;
use crate::error::{ApiError, ApiResult};
use crate::extract::JsonBody;
use crate::http::{CallerId, RequestContext};
use crate::ingest::refuse_agent;

/// The operations of agents.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(post_enrol))
        .routes(routes!(post_check_in))
        .routes(routes!(fetch_rules))
        .routes(routes!(post_unenrol))
}

/// Enrols a host, or knows it again.
#[utoipa::path(post, path = "/agent/v1/enrol", tag = "agent", request_body = EnrolRequest, security(("bearer" = [])), responses(
    (status = 201, description = "A new endpoint.", body = EnrolReply),
    (status = 200, description = "An endpoint that was known; its earlier tokens no longer work.", body = EnrolReply),
    (status = "4XX", description = "Refused; the bearer token is an API key with the scope `enrol`.", body = Problem),
))]
async fn post_enrol(
    State(state): State<AppState>,
    key: enrol::EnrolKey,
    JsonBody(body): JsonBody<EnrolRequest>,
) -> ApiResult<(StatusCode, Json<EnrolReply>)> {
    let reply = enrol::enrol(&state, key, body).await?;
    Ok((
        if reply.reenrolled {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        },
        Json(reply),
    ))
}

/// Takes what happened since the last check-in. The answer comes after everything is stored.
#[utoipa::path(post, path = "/agent/v1/check-in", tag = "agent", request_body = CheckIn, security(("bearer" = [])), responses(
    (status = 200, description = "Stored.", body = CheckInReply),
    (status = 401, description = "The token does not work (any more).", body = Problem),
    (status = 403, description = "`tenant_suspended`: keep the records and come again.", body = Problem),
    (status = 409, description = "`stream_conflict`: another holder of this agent's state has checked in; begin a new epoch.", body = Problem),
    (status = 413, description = "Too many bytes or records.", body = Problem),
    (status = 503, description = "Not now; see Retry-After.", body = Problem),
))]
async fn post_check_in(
    State(state): State<AppState>,
    axum::Extension(caller_id): axum::Extension<CallerId>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Json<CheckInReply>> {
    let token = agent_token(&headers)?;
    check_in::take(&state, token, &headers, body, &caller_id)
        .await
        .map(Json)
}

/// Gives the rule set of the agent's tenant, with its signature.
#[utoipa::path(get, path = "/agent/v1/rules", tag = "agent", security(("bearer" = [])), responses(
    (status = 200, description = "The rule set.", body = SignedRules),
    (status = 401, description = "The token does not work (any more).", body = Problem),
    (status = 503, description = "Not now; see Retry-After.", body = Problem),
))]
async fn fetch_rules(State(state): State<AppState>, agent: CallingAgent) -> ApiResult<impl IntoResponse> {
    let package = state.rules.package_for(&state, agent.identity.tenant_id).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], package))
}

/// Takes the agent's endpoint out of service.
#[utoipa::path(post, path = "/agent/v1/unenrol", tag = "agent", security(("bearer" = [])), responses(
    (status = 204, description = "The endpoint is decommissioned and the token no longer works."),
    (status = 401, description = "The token does not work (any more).", body = Problem),
))]
async fn post_unenrol(
    State(state): State<AppState>,
    request: RequestContext,
    agent: CallingAgent,
) -> ApiResult<StatusCode> {
    decommission::unenrol(&state, &request, &agent.identity).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The agent whose token a request carries; found before the body is read.
#[derive(Debug)]
pub(crate) struct CallingAgent {
    /// Who it is.
    pub(crate) identity: AgentIdentity,
    /// Its token.
    pub(crate) token: TokenHash,
}

async fn find_caller(state: &AppState, token: TokenHash) -> Result<CallingAgent, ApiError> {
    let mut tx = state.db.system("agent's token").await?;
    match find_agent(&mut tx, token).await? {
        Some(identity) => Ok(CallingAgent { identity, token }),
        None => Err(refuse_agent(&mut tx, token).await?),
    }
}

impl FromRequestParts<AppState> for CallingAgent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let token = agent_token(&parts.headers)?;
        // In a box, so that what it takes is gone when the request goes on to wait.
        Box::pin(find_caller(state, token)).await
    }
}

fn agent_token(headers: &HeaderMap) -> ApiResult<TokenHash> {
    let credential = bearer(headers)?.filter(|credential| credential.kind == TokenKind::Agent);
    credential
        .map(|credential| credential.hash)
        .ok_or_else(ApiError::unauthenticated)
}
