//! The operations on legal holds.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sg_db::agents as db;
use sg_types::api::Page;
use sg_types::api::agents::{LegalHoldView, PlaceHold};
use sg_types::{HoldId, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::holds;
use crate::AppState;
use crate::auth::{Can, HoldsManage};
use crate::error::ApiResult;
use crate::extract::{JsonBody, PageParams, PathParams, QueryParams, decode_cursor, page_of};

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_holds, post_hold))
        .routes(routes!(post_release))
}

/// Lists legal holds.
#[utoipa::path(get, path = "/api/v1/agents/legal-holds", tag = "agents", params(PageParams), security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 200, description = "Holds, newest first, released ones too.", body = Page<LegalHoldView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_holds(
    State(state): State<AppState>,
    can: Can<HoldsManage>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<LegalHoldView>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let rows = db::list_holds(&mut tx, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.placed_at, row.hold_id.0))))
}

/// Places a legal hold.
#[utoipa::path(post, path = "/api/v1/agents/legal-holds", tag = "agents", request_body = PlaceHold,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "The hold: what it covers and is still there does not expire.", body = LegalHoldView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_hold(
    State(state): State<AppState>,
    can: Can<HoldsManage>,
    JsonBody(body): JsonBody<PlaceHold>,
) -> ApiResult<(StatusCode, Json<LegalHoldView>)> {
    Ok((
        StatusCode::CREATED,
        Json(holds::place_hold(&state, &can, body).await?),
    ))
}

/// Releases a legal hold.
#[utoipa::path(post, path = "/api/v1/agents/legal-holds/{hold_id}/release", tag = "agents", params(("hold_id" = HoldId, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The hold as it is now; what it held expires as if it had never been.", body = LegalHoldView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_release(
    State(state): State<AppState>,
    can: Can<HoldsManage>,
    PathParams(hold_id): PathParams<HoldId>,
) -> ApiResult<Json<LegalHoldView>> {
    Ok(Json(holds::release_hold(&state, &can, hold_id).await?))
}
