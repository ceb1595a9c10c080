//! The operations on channels, routes, silences and the log of deliveries.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sg_db::monitoring::{self as db, NotificationFilter};
use sg_types::api::Page;
use sg_types::api::notifications::{
    ChannelSaved, ChannelView, CreateChannel, CreateSilence, DeliveryAttempt, NotificationView, RouteView,
    SaveRoute, SilenceView, UpdateChannel,
};
use sg_types::{ChannelId, Problem, RouteId, SilenceId, ThreatId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::{Whose, WhoseParams};
use super::{channels, rules};
use crate::AppState;
use crate::auth::{AlertsRead, Can, ChannelsManage, SilencesManage};
use crate::error::{ApiError, ApiResult};
use crate::extract::{
    JsonBody, PathParams, QueryParams, decode_cursor, page_of, page_size, parse_json, word_list,
};

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_channels, post_channel))
        .routes(routes!(show_channel, patch_channel, delete_channel))
        .routes(routes!(post_channel_test))
        .routes(routes!(list_routes, post_route))
        .routes(routes!(put_route, delete_route))
        .routes(routes!(list_silences, post_silence))
        .routes(routes!(delete_silence))
        .routes(routes!(list_notifications))
}

/// What to send.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TestParams {
    /// What the message is about: `test` when absent; `incident`, `alert` or `digest` show what a channel's templates make of one.
    sample: Option<String>,
    /// `true`: a channel of the installation instead of the tenant's; needs `tenants_manage`.
    installation: Option<bool>,
}

/// Which silences to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SilenceParams {
    /// `true`: the installation's instead of the tenant's; needs `tenants_manage`.
    installation: Option<bool>,
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists where people are told.
#[utoipa::path(get, path = "/api/v1/monitoring/channels", tag = "monitoring", params(WhoseParams), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Every channel by name, without what is secret.", body = Page<ChannelView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_channels(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<WhoseParams>,
) -> ApiResult<Json<Page<ChannelView>>> {
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    Ok(one_page(db::list_channels(&mut tx, whose.tenant_id()).await?))
}

/// Makes a channel. The tenant's first is told of incidents from severity high on, and of alerts.
#[utoipa::path(post, path = "/api/v1/monitoring/channels", tag = "monitoring", params(WhoseParams), request_body = CreateChannel,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "The channel; of a webhook the signing secret, this once.", body = ChannelSaved),
    (status = 409, description = "The name is another's, there are too many, or there is no mail server.", body = Problem),
    (status = 422, description = "A field was refused.", body = Problem),
))]
async fn post_channel(
    State(state): State<AppState>,
    can: Can<ChannelsManage>,
    QueryParams(params): QueryParams<WhoseParams>,
    JsonBody(body): JsonBody<CreateChannel>,
) -> ApiResult<(StatusCode, Json<ChannelSaved>)> {
    let whose = Whose::of(&can, params.installation)?;
    let saved = channels::create(&state, &can, whose, body).await?;
    Ok((StatusCode::CREATED, Json(saved)))
}

/// Shows a channel.
#[utoipa::path(get, path = "/api/v1/monitoring/channels/{channel_id}", tag = "monitoring", params(("channel_id" = ChannelId, Path), WhoseParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The channel, without what is secret.", body = ChannelView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_channel(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    PathParams(channel_id): PathParams<ChannelId>,
    QueryParams(params): QueryParams<WhoseParams>,
) -> ApiResult<Json<ChannelView>> {
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    let found = db::find_channel(&mut tx, whose.tenant_id(), channel_id).await?;
    Ok(Json(found.ok_or_else(ApiError::not_found)?))
}

/// Changes a channel.
#[utoipa::path(patch, path = "/api/v1/monitoring/channels/{channel_id}", tag = "monitoring", params(("channel_id" = ChannelId, Path), WhoseParams),
    request_body = UpdateChannel, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The channel as it is now; of a webhook's new target the signing secret, this once.", body = ChannelSaved),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn patch_channel(
    State(state): State<AppState>,
    can: Can<ChannelsManage>,
    PathParams(channel_id): PathParams<ChannelId>,
    QueryParams(params): QueryParams<WhoseParams>,
    JsonBody(body): JsonBody<UpdateChannel>,
) -> ApiResult<Json<ChannelSaved>> {
    let whose = Whose::of(&can, params.installation)?;
    let saved = channels::update(&state, &can, whose, channel_id, body).await?;
    Ok(Json(saved))
}

/// Removes a channel with its routes and the log of its deliveries; what waits there is not sent.
#[utoipa::path(delete, path = "/api/v1/monitoring/channels/{channel_id}", tag = "monitoring", params(("channel_id" = ChannelId, Path), WhoseParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "It is gone."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_channel(
    State(state): State<AppState>,
    can: Can<ChannelsManage>,
    PathParams(channel_id): PathParams<ChannelId>,
    QueryParams(params): QueryParams<WhoseParams>,
) -> ApiResult<StatusCode> {
    let whose = Whose::of(&can, params.installation)?;
    channels::remove(&state, &can, whose, channel_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test message, and tells what became of it.
#[utoipa::path(post, path = "/api/v1/monitoring/channels/{channel_id}/test", tag = "monitoring", params(("channel_id" = ChannelId, Path), TestParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What the receiver said; a failure is an answer too.", body = DeliveryAttempt),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_channel_test(
    State(state): State<AppState>,
    can: Can<ChannelsManage>,
    PathParams(channel_id): PathParams<ChannelId>,
    QueryParams(params): QueryParams<TestParams>,
) -> ApiResult<Json<DeliveryAttempt>> {
    let whose = Whose::of(&can, params.installation)?;
    let sample = params
        .sample
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|_| {
            ApiError::bad_request(
                "invalid_query",
                "`sample` is one of `test`, `incident`, `alert` and `digest`",
            )
        })?
        .unwrap_or_default();
    let attempt = channels::try_out(&state, &can, whose, channel_id, sample).await?;
    Ok(Json(attempt))
}

/// Lists what goes where.
#[utoipa::path(get, path = "/api/v1/monitoring/routes", tag = "monitoring", params(WhoseParams), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Every route by name.", body = Page<RouteView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_routes(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<WhoseParams>,
) -> ApiResult<Json<Page<RouteView>>> {
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    Ok(one_page(db::list_routes(&mut tx, whose.tenant_id(), None).await?))
}

/// Makes a route.
#[utoipa::path(post, path = "/api/v1/monitoring/routes", tag = "monitoring", params(WhoseParams), request_body = SaveRoute,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "The route.", body = RouteView),
    (status = 422, description = "A field was refused.", body = Problem),
))]
async fn post_route(
    State(state): State<AppState>,
    can: Can<ChannelsManage>,
    QueryParams(params): QueryParams<WhoseParams>,
    JsonBody(body): JsonBody<SaveRoute>,
) -> ApiResult<(StatusCode, Json<RouteView>)> {
    let whose = Whose::of(&can, params.installation)?;
    let view = rules::create_route(&state, &can, whose, body).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Replaces a route.
#[utoipa::path(put, path = "/api/v1/monitoring/routes/{route_id}", tag = "monitoring", params(("route_id" = RouteId, Path), WhoseParams),
    request_body = SaveRoute, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The route as it is now.", body = RouteView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn put_route(
    State(state): State<AppState>,
    can: Can<ChannelsManage>,
    PathParams(route_id): PathParams<RouteId>,
    QueryParams(params): QueryParams<WhoseParams>,
    JsonBody(body): JsonBody<serde_json::Value>,
) -> ApiResult<Json<RouteView>> {
    // Whether there is such a route comes first: another tenant's is no matter of the body.
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    let found = db::list_routes(&mut tx, whose.tenant_id(), Some(route_id)).await?;
    if found.is_empty() {
        return Err(ApiError::not_found());
    }
    drop(tx);
    let body: SaveRoute = parse_json(body.to_string().as_bytes())?;
    let view = rules::replace_route(&state, &can, whose, route_id, body).await?;
    Ok(Json(view))
}

/// Removes a route; what it has put into the outbox is still sent.
#[utoipa::path(delete, path = "/api/v1/monitoring/routes/{route_id}", tag = "monitoring", params(("route_id" = RouteId, Path), WhoseParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "It is gone."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_route(
    State(state): State<AppState>,
    can: Can<ChannelsManage>,
    PathParams(route_id): PathParams<RouteId>,
    QueryParams(params): QueryParams<WhoseParams>,
) -> ApiResult<StatusCode> {
    let whose = Whose::of(&can, params.installation)?;
    rules::remove_route(&state, &can, whose, route_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists what is muted.
#[utoipa::path(get, path = "/api/v1/monitoring/silences", tag = "monitoring", params(SilenceParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Silences, newest first, ended ones too.", body = Page<SilenceView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_silences(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<SilenceParams>,
) -> ApiResult<Json<Page<SilenceView>>> {
    let limit = page_size(params.limit)?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    let rows = db::list_silences(&mut tx, whose.tenant_id(), state.now(), after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| {
        (row.created_at, row.silence_id.0)
    })))
}

/// Mutes what everything that is given holds for, until a time.
#[utoipa::path(post, path = "/api/v1/monitoring/silences", tag = "monitoring", params(WhoseParams), request_body = CreateSilence,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "The silence.", body = SilenceView),
    (status = 422, description = "A field was refused.", body = Problem),
))]
async fn post_silence(
    State(state): State<AppState>,
    can: Can<SilencesManage>,
    QueryParams(params): QueryParams<WhoseParams>,
    JsonBody(body): JsonBody<CreateSilence>,
) -> ApiResult<(StatusCode, Json<SilenceView>)> {
    let whose = Whose::of(&can, params.installation)?;
    let view = rules::create_silence(&state, &can, whose, body).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Ends a silence: what happens from now on is told.
#[utoipa::path(delete, path = "/api/v1/monitoring/silences/{silence_id}", tag = "monitoring", params(("silence_id" = SilenceId, Path), WhoseParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The silence as it is now.", body = SilenceView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_silence(
    State(state): State<AppState>,
    can: Can<SilencesManage>,
    PathParams(silence_id): PathParams<SilenceId>,
    QueryParams(params): QueryParams<WhoseParams>,
) -> ApiResult<Json<SilenceView>> {
    let whose = Whose::of(&can, params.installation)?;
    let view = rules::end_silence(&state, &can, whose, silence_id).await?;
    Ok(Json(view))
}

/// Which notifications to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NotificationParams {
    /// Of this channel only.
    channel_id: Option<ChannelId>,
    /// About this incident only.
    threat_id: Option<ThreatId>,
    /// What became of them, separated by commas: `sent`, `refused`, `expired`, `silenced`, `merged`.
    outcome: Option<String>,
    /// `true`: only those that wait to be sent.
    waiting: Option<bool>,
    /// `true`: the installation's instead of the tenant's; needs `tenants_manage`.
    installation: Option<bool>,
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists what was told, with every attempt.
#[utoipa::path(get, path = "/api/v1/monitoring/notifications", tag = "monitoring", params(NotificationParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Notifications of the last 90 days, newest first.", body = Page<NotificationView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_notifications(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<NotificationParams>,
) -> ApiResult<Json<Page<NotificationView>>> {
    let limit = page_size(params.limit)?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let filter = NotificationFilter {
        channel_id: params.channel_id,
        threat_id: params.threat_id,
        outcomes: word_list("outcome", params.outcome.as_deref())?,
        is_waiting: params.waiting.unwrap_or(false),
    };
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    let rows = db::list_notifications(&mut tx, whose.tenant_id(), &filter, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| {
        (row.created_at, row.notification_id.0)
    })))
}

fn one_page<T>(items: Vec<T>) -> Json<Page<T>> {
    Json(Page {
        items,
        next_cursor: None,
    })
}
