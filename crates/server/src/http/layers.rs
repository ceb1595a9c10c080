//! The layers around the router, outermost first: id and origin, log, headers, panics, host name, time limit, compression.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use sg_types::Ids;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tracing::Instrument;

use super::access_log;
use super::client_address::resolve_client_address;
use super::context::{BodyPatience, CallerId, Peer, RequestContext};
use super::host_check::AllowedHosts;
use super::{request_id, security_headers};
use crate::config::HttpConfig;
use crate::error::ApiError;
use crate::quotas::RateStanding;

/// What the layers need to know.
#[derive(Clone)]
struct Edge {
    config: HttpConfig,
    hosts: AllowedHosts,
    tls: bool,
    ids: Arc<dyn Ids>,
}

/// Puts the layers around `router`.
pub fn wrap(
    router: Router,
    config: &HttpConfig,
    hosts: AllowedHosts,
    tls: bool,
    ids: Arc<dyn Ids>,
) -> Router {
    let edge = Arc::new(Edge {
        config: config.clone(),
        hosts,
        tls,
        ids,
    });
    router
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(edge.clone(), limit_time))
        .layer(from_fn_with_state(edge.clone(), check_target))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn_with_state(edge.clone(), add_headers))
        .layer(from_fn(log))
        .layer(from_fn_with_state(edge, identify))
}

async fn identify(
    axum::extract::State(edge): axum::extract::State<Arc<Edge>>,
    mut request: Request,
    next: Next,
) -> Response {
    let unknown = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let peer = request
        .extensions()
        .get::<Peer>()
        .map_or(unknown, |peer| peer.0)
        .ip()
        .to_canonical();
    let believed = edge
        .config
        .trusts(peer)
        .then(|| request_id::inbound(request.headers()))
        .flatten();
    let id = believed.unwrap_or_else(|| edge.ids.next().to_string());
    let address = resolve_client_address(&edge.config, peer, request.headers());
    request.extensions_mut().insert(RequestContext {
        request_id: id.clone(),
        address,
    });
    request.extensions_mut().insert(CallerId::default());
    let standing = RateStanding::default();
    request.extensions_mut().insert(standing.clone());
    let mut response = request_id::scope(id.clone(), next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    standing.add_headers(response.headers_mut());
    response
}

async fn log(context: RequestContext, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let caller = request
        .extensions()
        .get::<CallerId>()
        .cloned()
        .unwrap_or_default();
    let span = access_log::span(&method, route.as_ref().map(MatchedPath::as_str), &context);
    let response = next.run(request).instrument(span.clone()).await;
    let line = access_log::Request {
        method: &method,
        route: route.as_ref().map(MatchedPath::as_str),
        context: &context,
        caller: &caller,
        duration: started.elapsed(),
    };
    access_log::record(&line, &response);
    access_log::end(&span, response.status());
    response
}

async fn add_headers(
    axum::extract::State(edge): axum::extract::State<Arc<Edge>>,
    request: Request,
    next: Next,
) -> Response {
    let private = is_api(request.uri().path());
    let mut response = next.run(request).await;
    security_headers::add(response.headers_mut(), edge.tls, private);
    response
}

async fn check_target(
    axum::extract::State(edge): axum::extract::State<Arc<Edge>>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(host) = edge.hosts.check(request.uri(), request.headers()) {
        let host: String = host.chars().take(100).collect();
        return ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown_host",
            format!(
                "this server is not known as `{host}`; set http.public_url to the address that people use"
            ),
        )
        .into_response();
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or("", |target| target.as_str());
    if target.contains("%00") {
        return ApiError::bad_request("invalid_target", "the address contains a NUL character (%00)")
            .into_response();
    }
    next.run(request).await
}

async fn limit_time(
    axum::extract::State(edge): axum::extract::State<Arc<Edge>>,
    mut request: Request,
    next: Next,
) -> Response {
    request
        .extensions_mut()
        .insert(BodyPatience(edge.config.request_timeout().mul_f64(0.8)));
    match tokio::time::timeout(edge.config.request_timeout(), next.run(request)).await {
        Ok(response) => response,
        Err(elapsed) => ApiError::unavailable(5).because(elapsed).into_response(),
    }
}

fn answer_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words");
    ApiError::internal(format!("panic: {words}")).into_response()
}

/// Whether a path belongs to the programs' side of the server, not to the console.
pub(crate) fn is_api(path: &str) -> bool {
    ["/api", "/agent", "/scim"].iter().any(|prefix| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}
