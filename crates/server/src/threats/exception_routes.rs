//! The operations on exceptions.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sg_db::threats as db;
use sg_types::api::Page;
use sg_types::api::exceptions::{
    CreateException, ExceptedFinding, ExceptionPreview, ExceptionScope, ExceptionView,
};
use sg_types::{ExceptionId, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::exceptions;
use crate::AppState;
use crate::auth::{Can, ExceptionsManage, RulesRead};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, PageParams, PathParams, QueryParams, decode_cursor, page_of};

/// Rows of what an exception has hidden at most.
const MAX_HIDDEN: u32 = 500;

/// The operations of this area.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_exceptions, post_exception))
        .routes(routes!(post_preview))
        .routes(routes!(show_exception, delete_exception))
        .routes(routes!(list_hidden))
}

/// Lists exceptions.
#[utoipa::path(get, path = "/api/v1/threats/exceptions", tag = "threats", params(PageParams), security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 200, description = "Exceptions, newest first, ended ones too.", body = Page<ExceptionView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_exceptions(
    State(state): State<AppState>,
    can: Can<RulesRead>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<ExceptionView>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let now = state.now();
    let mut tx = state.db.read(&can.caller, now).await?;
    let rows = db::list_exceptions(&mut tx, can.caller.tenant_id, now, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| {
        (row.created_at, row.exception_id.0)
    })))
}

/// Makes an exception: from now on, what it matches opens no incident.
#[utoipa::path(post, path = "/api/v1/threats/exceptions", tag = "threats", request_body = CreateException,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "The exception.", body = ExceptionView),
    (status = 422, description = "A field was refused.", body = Problem),
))]
async fn post_exception(
    State(state): State<AppState>,
    can: Can<ExceptionsManage>,
    JsonBody(body): JsonBody<CreateException>,
) -> ApiResult<(StatusCode, Json<ExceptionView>)> {
    Ok((
        StatusCode::CREATED,
        Json(exceptions::create(&state, &can, body).await?),
    ))
}

/// Tells what an exception would have hidden in the last 30 days; nothing is stored.
#[utoipa::path(post, path = "/api/v1/threats/exceptions/preview", tag = "threats", request_body = ExceptionScope,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What it would have hidden, confirmed threats first.", body = ExceptionPreview),
    (status = 422, description = "A field was refused.", body = Problem),
))]
async fn post_preview(
    State(state): State<AppState>,
    can: Can<ExceptionsManage>,
    JsonBody(body): JsonBody<ExceptionScope>,
) -> ApiResult<Json<ExceptionPreview>> {
    Ok(Json(exceptions::preview(&state, &can, &body).await?))
}

/// Shows an exception.
#[utoipa::path(get, path = "/api/v1/threats/exceptions/{exception_id}", tag = "threats", params(("exception_id" = ExceptionId, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The exception.", body = ExceptionView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_exception(
    State(state): State<AppState>,
    can: Can<RulesRead>,
    PathParams(exception_id): PathParams<ExceptionId>,
) -> ApiResult<Json<ExceptionView>> {
    let now = state.now();
    let mut tx = state.db.read(&can.caller, now).await?;
    let found = db::find_exception(&mut tx, can.caller.tenant_id, exception_id, now).await?;
    Ok(Json(found.ok_or_else(ApiError::not_found)?))
}

/// Ends an exception: what arrives from now on opens incidents again.
#[utoipa::path(delete, path = "/api/v1/threats/exceptions/{exception_id}", tag = "threats", params(("exception_id" = ExceptionId, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The exception as it is now.", body = ExceptionView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_exception(
    State(state): State<AppState>,
    can: Can<ExceptionsManage>,
    PathParams(exception_id): PathParams<ExceptionId>,
) -> ApiResult<Json<ExceptionView>> {
    Ok(Json(exceptions::end(&state, &can, exception_id).await?))
}

/// Lists what an exception has hidden in the last 90 days, by rule, subject, endpoint and day.
#[utoipa::path(get, path = "/api/v1/threats/exceptions/{exception_id}/hidden", tag = "threats", params(("exception_id" = ExceptionId, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The latest first, 500 at most.", body = Page<ExceptedFinding>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_hidden(
    State(state): State<AppState>,
    can: Can<RulesRead>,
    PathParams(exception_id): PathParams<ExceptionId>,
) -> ApiResult<Json<Page<ExceptedFinding>>> {
    let (tenant_id, now) = (can.caller.tenant_id, state.now());
    let mut tx = state.db.read(&can.caller, now).await?;
    let found = db::find_exception(&mut tx, tenant_id, exception_id, now).await?;
    found.ok_or_else(ApiError::not_found)?;
    Ok(Json(Page {
        items: db::list_excepted(&mut tx, tenant_id, exception_id, MAX_HIDDEN).await?,
        next_cursor: None,
    }))
}
