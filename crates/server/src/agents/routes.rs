//! The operations of this area.

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sg_db::agents::{self as db, EndpointFilter};
use sg_types::api::Page;
use sg_types::api::agents::{EndpointEventView, EndpointView, MetricSeries, UpdateEndpoint};
use sg_types::{AgentId, Problem};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{decommission, metrics, update_endpoint};
use crate::AppState;
use crate::auth::{Can, EndpointsManage, EndpointsRead};
use crate::error::{ApiError, ApiResult};
use crate::extract::{
    JsonBody, PageParams, PathParams, QueryParams, decode_cursor, page_of, page_size, search_text, word_list,
};

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_endpoints))
        .routes(routes!(show_endpoint, patch_endpoint))
        .routes(routes!(post_decommission))
        .routes(routes!(show_metrics))
        .routes(routes!(list_events))
}

/// Which endpoints to list; every part that is given has to fit.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EndpointParams {
    /// Statuses, separated by commas: `active`, `inactive`, `decommissioned`.
    status: Option<String>,
    /// `true` or `false`: whether it checks in.
    online: Option<String>,
    /// How it checks in, separated by commas: `online`, `stale`, `offline`.
    liveness: Option<String>,
    /// Text in host name, given name, address or operating system.
    search: Option<String>,
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The range of a chart.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MetricParams {
    /// Begin; a day before `to` when absent.
    from: Option<DateTime<Utc>>,
    /// End; now when absent.
    to: Option<DateTime<Utc>>,
    /// Points at most, 1–1000; 240 when absent.
    #[param(minimum = 1, maximum = 1000)]
    points: Option<u32>,
}

/// Lists endpoints.
#[utoipa::path(get, path = "/api/v1/agents/endpoints", tag = "agents", params(EndpointParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Endpoints by host name.", body = Page<EndpointView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_endpoints(
    State(state): State<AppState>,
    can: Can<EndpointsRead>,
    QueryParams(params): QueryParams<EndpointParams>,
) -> ApiResult<Json<Page<EndpointView>>> {
    let limit = page_size(params.limit)?;
    let after = params.cursor.as_deref().map(decode_place).transpose()?;
    let online = match params.online.as_deref() {
        None | Some("") => None,
        Some(word) => Some(
            word.parse()
                .map_err(|_| ApiError::bad_request("invalid_query", "`online` is `true` or `false`"))?,
        ),
    };
    let filter = EndpointFilter {
        statuses: word_list("status", params.status.as_deref())?,
        online,
        liveness: word_list("liveness", params.liveness.as_deref())?,
        search: search_text(params.search)?,
    };
    let now = state.now();
    let mut tx = state.db.read(&can.caller, now).await?;
    let mut rows = db::list_endpoints(&mut tx, &filter, after, limit + 1, now).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let next_cursor = rows.last().filter(|_| more).map(encode_place);
    Ok(Json(Page {
        items: rows,
        next_cursor,
    }))
}

/// Shows an endpoint.
#[utoipa::path(get, path = "/api/v1/agents/endpoints/{agent_id}", tag = "agents", params(("agent_id" = AgentId, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The endpoint.", body = EndpointView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_endpoint(
    State(state): State<AppState>,
    can: Can<EndpointsRead>,
    PathParams(agent_id): PathParams<AgentId>,
) -> ApiResult<Json<EndpointView>> {
    let now = state.now();
    let mut tx = state.db.read(&can.caller, now).await?;
    Ok(Json(
        db::find_endpoint(&mut tx, agent_id, now)
            .await?
            .ok_or_else(ApiError::not_found)?,
    ))
}

/// Renames an endpoint or hands it over.
#[utoipa::path(patch, path = "/api/v1/agents/endpoints/{agent_id}", tag = "agents", params(("agent_id" = AgentId, Path)),
    request_body = UpdateEndpoint, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The endpoint as it is now.", body = EndpointView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn patch_endpoint(
    State(state): State<AppState>,
    can: Can<EndpointsManage>,
    PathParams(agent_id): PathParams<AgentId>,
    JsonBody(body): JsonBody<UpdateEndpoint>,
) -> ApiResult<Json<EndpointView>> {
    Ok(Json(
        update_endpoint::update_endpoint(&state, &can, agent_id, body).await?,
    ))
}

/// Takes an endpoint out of service.
#[utoipa::path(post, path = "/api/v1/agents/endpoints/{agent_id}/decommission", tag = "agents", params(("agent_id" = AgentId, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The endpoint as it is now; its token no longer works.", body = EndpointView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_decommission(
    State(state): State<AppState>,
    can: Can<EndpointsManage>,
    PathParams(agent_id): PathParams<AgentId>,
) -> ApiResult<Json<EndpointView>> {
    Ok(Json(decommission::decommission(&state, &can, agent_id).await?))
}

/// Shows an endpoint's metrics over time.
#[utoipa::path(get, path = "/api/v1/agents/endpoints/{agent_id}/metrics", tag = "agents",
    params(("agent_id" = AgentId, Path), MetricParams), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Averages, step by step.", body = MetricSeries),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_metrics(
    State(state): State<AppState>,
    can: Can<EndpointsRead>,
    PathParams(agent_id): PathParams<AgentId>,
    QueryParams(params): QueryParams<MetricParams>,
) -> ApiResult<Json<MetricSeries>> {
    let now = state.now();
    let range = metrics::range(params.from, params.to, params.points, now)?;
    let mut tx = state.db.read(&can.caller, now).await?;
    db::find_endpoint(&mut tx, agent_id, now)
        .await?
        .ok_or_else(ApiError::not_found)?;
    Ok(Json(db::read_metrics(&mut tx, agent_id, range, now).await?))
}

/// Lists what an endpoint observed.
#[utoipa::path(get, path = "/api/v1/agents/endpoints/{agent_id}/events", tag = "agents",
    params(("agent_id" = AgentId, Path), PageParams), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Events and gaps, newest first.", body = Page<EndpointEventView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_events(
    State(state): State<AppState>,
    can: Can<EndpointsRead>,
    PathParams(agent_id): PathParams<AgentId>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<EndpointEventView>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let now = state.now();
    let mut tx = state.db.read(&can.caller, now).await?;
    db::find_endpoint(&mut tx, agent_id, now)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let rows = db::list_events(&mut tx, agent_id, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.occurred_at, row.event_id))))
}

fn encode_place(row: &EndpointView) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}{}", row.agent_id, row.hostname))
}

fn decode_place(cursor: &str) -> ApiResult<(String, AgentId)> {
    let decoded = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| {
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|text| !text.contains('\0'))?;
        let (id, hostname) = text.split_at_checked(36)?;
        Some((hostname.to_owned(), id.parse().ok()?))
    });
    decoded.ok_or_else(|| {
        ApiError::bad_request(
            "invalid_cursor",
            "the cursor is none that a page of this list gave",
        )
    })
}
