//! The operations of this area.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sg_db::threats::{self as db, IncidentFilter};
use sg_types::api::Page;
use sg_types::api::threats::{AddNote, IncidentDetail, IncidentView, TimelineEntry, UpdateIncident};
use sg_types::{AgentId, Problem, ThreatId, UserId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{add_note, update_incident};
use crate::AppState;
use crate::auth::{Can, IncidentsRead, IncidentsWork};
use crate::error::{ApiError, ApiResult};
use crate::extract::{
    JsonBody, PathParams, QueryParams, decode_cursor, page_of, page_size, search_text, word_list,
};

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_incidents))
        .routes(routes!(show_incident, patch_incident))
        .routes(routes!(post_note))
        .merge(super::rules::routes())
        .merge(super::exception_routes::routes())
}

/// Which incidents to list; every part that is given has to fit.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct IncidentParams {
    /// Statuses, separated by commas: `new`, `investigating`, `resolved`, `false_positive`.
    status: Option<String>,
    /// Severities, separated by commas: `low`, `medium`, `high`, `critical`.
    severity: Option<String>,
    /// The endpoint.
    agent_id: Option<String>,
    /// The person who works on it.
    assigned_to: Option<String>,
    /// Text in title, description, path, process, command line, hash or host name.
    search: Option<String>,
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists incidents.
#[utoipa::path(get, path = "/api/v1/threats/incidents", tag = "threats", params(IncidentParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Incidents, newest first.", body = Page<IncidentView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_incidents(
    State(state): State<AppState>,
    can: Can<IncidentsRead>,
    QueryParams(params): QueryParams<IncidentParams>,
) -> ApiResult<Json<Page<IncidentView>>> {
    let limit = page_size(params.limit)?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let filter = IncidentFilter {
        statuses: word_list("status", params.status.as_deref())?,
        severities: word_list("severity", params.severity.as_deref())?,
        agent_id: id::<AgentId>("agent_id", params.agent_id.as_deref())?,
        assigned_to: id::<UserId>("assigned_to", params.assigned_to.as_deref())?,
        search: search_text(params.search)?,
    };
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let rows = db::list_incidents(&mut tx, &filter, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| {
        (row.detected_at, row.threat_id.0)
    })))
}

/// Shows an incident with its findings and timeline.
#[utoipa::path(get, path = "/api/v1/threats/incidents/{threat_id}", tag = "threats", params(("threat_id" = ThreatId, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The incident.", body = IncidentDetail),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_incident(
    State(state): State<AppState>,
    can: Can<IncidentsRead>,
    PathParams(threat_id): PathParams<ThreatId>,
) -> ApiResult<Json<IncidentDetail>> {
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    Ok(Json(
        db::find_incident(&mut tx, threat_id)
            .await?
            .ok_or_else(ApiError::not_found)?,
    ))
}

/// Changes an incident's status, assignment or notes.
#[utoipa::path(patch, path = "/api/v1/threats/incidents/{threat_id}", tag = "threats", params(("threat_id" = ThreatId, Path)),
    request_body = UpdateIncident, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The incident as it is now.", body = IncidentDetail),
    (status = 409, description = "`invalid_transition`: the workflow does not have this step.", body = Problem),
    (status = 422, description = "A field was refused.", body = Problem),
))]
async fn patch_incident(
    State(state): State<AppState>,
    can: Can<IncidentsWork>,
    PathParams(threat_id): PathParams<ThreatId>,
    JsonBody(body): JsonBody<UpdateIncident>,
) -> ApiResult<Json<IncidentDetail>> {
    Ok(Json(
        update_incident::update_incident(&state, &can, threat_id, body).await?,
    ))
}

/// Adds a note to an incident.
#[utoipa::path(post, path = "/api/v1/threats/incidents/{threat_id}/notes", tag = "threats", params(("threat_id" = ThreatId, Path)),
    request_body = AddNote, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "The note, as it stands in the timeline.", body = TimelineEntry),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_note(
    State(state): State<AppState>,
    can: Can<IncidentsWork>,
    PathParams(threat_id): PathParams<ThreatId>,
    body: ApiResult<JsonBody<AddNote>>,
) -> ApiResult<(StatusCode, Json<TimelineEntry>)> {
    Ok((
        StatusCode::CREATED,
        Json(add_note::add_note(&state, &can, threat_id, body).await?),
    ))
}

fn id<T: std::str::FromStr>(name: &str, text: Option<&str>) -> ApiResult<Option<T>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| ApiError::bad_request("invalid_query", format!("`{name}` is no UUID")))
}
