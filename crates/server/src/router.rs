//! Every operation of the server in one list, and the OpenAPI document that follows from it.

use std::sync::OnceLock;

use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::tell_refusals;
use crate::http::{AllowedHosts, wrap};
use crate::openapi::{SecuritySchemes, add_refusals, open_parts};
use crate::{
    AppState, agents, audit, backup, console, downloads, health, maintenance, monitoring, response, standby,
    threats, users,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "SecureGuard", description = "The API of a SecureGuard server. See docs/api/README.md for its common rules."),
    modifiers(&SecuritySchemes),
    components(schemas(sg_types::Problem))
)]
struct Api;

/// Every documented operation, by area.
fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Api::openapi())
        .merge(users::routes())
        .merge(agents::routes())
        .merge(agents::hold_routes())
        .merge(agents::coverage_routes())
        .merge(agents::log_event_routes())
        .merge(downloads::api_routes())
        .merge(response::routes())
        .merge(threats::routes())
        .merge(audit::routes())
        .merge(monitoring::routes())
        .merge(monitoring::alert_routes())
        .merge(backup::routes())
        .merge(standby::routes())
        .merge(maintenance::routes())
        .merge(monitoring::notification_routes())
        .merge(agents::protocol_routes())
        .merge(response::protocol_routes())
        .routes(routes!(openapi))
}

/// The OpenAPI document.
pub fn document() -> Document {
    let mut document = operations().into_openapi();
    add_refusals(&mut document);
    open_parts(&mut document);
    document
}

/// The whole server: operations, health, console, and the layers around them.
pub fn build(state: AppState, hosts: AllowedHosts) -> Router {
    let (config, tls, ids) = (state.config.http.clone(), state.tls, state.ids.clone());
    let (router, _) = operations().split_for_parts();
    let router = router
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(downloads::public_routes())
        .fallback(console::serve)
        .method_not_allowed_fallback(console::method_not_allowed)
        .layer(DefaultBodyLimit::max(config.max_body_bytes))
        .layer(from_fn_with_state(state.clone(), tell_refusals))
        .with_state(state);
    wrap(router, &config, hosts, tls, ids)
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "monitoring", responses((status = 200, description = "The OpenAPI document.")))]
async fn openapi() -> impl IntoResponse {
    static TEXT: OnceLock<Document> = OnceLock::new();
    (
        [(header::CACHE_CONTROL, "no-store")],
        Json(TEXT.get_or_init(document)),
    )
}
