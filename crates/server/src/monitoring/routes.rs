//! The operations of this area.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use sg_db::monitoring::read_overview;
use sg_types::Problem;
use sg_types::api::monitoring::{LiveEvent, Overview};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::auth::{Can, IncidentsRead};
use crate::error::ApiResult;

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(show_overview))
        .routes(routes!(stream_events))
}

/// Shows the state of the tenant at one glance.
#[utoipa::path(get, path = "/api/v1/monitoring/overview", tag = "monitoring", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The overview.", body = Overview),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_overview(State(state): State<AppState>, can: Can<IncidentsRead>) -> ApiResult<Json<Overview>> {
    let now = state.now();
    let mut tx = state.db.read(&can.caller, now).await?;
    let endpoints = state.fleet_counts.read(&mut tx, &can.caller, now).await?;
    Ok(Json(read_overview(&mut tx, endpoints, now).await?))
}

/// Tells what changes, as server-sent events. The stream ends with the session, and whenever changes may have been missed.
#[utoipa::path(get, path = "/api/v1/monitoring/events", tag = "monitoring", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Events whose data is a `LiveEvent`.", body = LiveEvent, content_type = "text/event-stream"),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn stream_events(
    State(state): State<AppState>,
    can: Can<IncidentsRead>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    Sse::new(state.live.subscribe(&state, can.caller.clone()))
}
