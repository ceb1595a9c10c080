//! The layers around the router, outermost first: id and origin, log, headers, panics, host name, time limit, compression.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
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
        .layer(from_fn_with_state(edge.clone(), limit))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn_with_state(edge, accompany))
}

/// Says whose request it is, writes its line into the log, and adds headers to its answer. One layer and not three: each keeps a future of its own on the heap
/// for as long as a request waits.
async fn accompany(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let context = identify(&edge, &request);
    let (caller, standing) = (CallerId::default(), RateStanding::default());
    let extensions = request.extensions_mut();
    extensions.insert(context.clone());
    extensions.insert(caller.clone());
    extensions.insert(standing.clone());
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let private = is_api(request.uri().path());
    let id = context.request_id.clone();
    let span = access_log::span(&method, route.as_ref().map(MatchedPath::as_str), &context);
    let answering = async {
        let mut response = next.run(request).instrument(span.clone()).await;
        security_headers::add(response.headers_mut(), edge.tls, private);
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
    };
    let mut response = request_id::scope(id, answering).await;
    if let Ok(value) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    standing.add_headers(response.headers_mut());
    response
}

fn identify(edge: &Edge, request: &Request) -> RequestContext {
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
    RequestContext {
        request_id: believed.unwrap_or_else(|| edge.ids.next().to_string()),
        address: resolve_client_address(&edge.config, peer, request.headers()),
    }
}

/// Refuses what is addressed to somebody else, and bounds the time of what is not.
async fn limit(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    if let Err(error) = check_target(&edge, &request) {
        return error.into_response();
    }
    request
        .extensions_mut()
        .insert(BodyPatience(edge.config.request_timeout().mul_f64(0.8)));
    match tokio::time::timeout(edge.config.request_timeout(), next.run(request)).await {
        Ok(response) => response,
        Err(elapsed) => ApiError::unavailable(5).because(elapsed).into_response(),
    }
}

fn check_target(edge: &Edge, request: &Request) -> Result<(), ApiError> {
    if let Err(host) = edge.hosts.check(request.uri(), request.headers()) {
        let host: String = host.chars().take(100).collect();
        return Err(ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown_host",
            format!(
                "this server is not known as `{host}`; set http.public_url to the address that people use"
            ),
        ));
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or("", |target| target.as_str());
    if target.contains("%00") {
        return Err(ApiError::bad_request(
            "invalid_target",
            "the address contains a NUL character (%00)",
        ));
    }
    Ok(())
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
