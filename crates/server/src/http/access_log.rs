//! One line per request, its metrics, and its span.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use axum::response::Response;

use super::context::{CallerId, RequestContext};
use crate::error::ErrorReport;
use crate::traces;

/// Where a request that matched no route is counted.
const NO_ROUTE: &str = "(none)";

pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    /// The route's template, never the path itself: it bounds the metric's labels and keeps ids out of the log's vocabulary.
    pub(super) route: Option<&'a str>,
    pub(super) context: &'a RequestContext,
    pub(super) caller: &'a CallerId,
    pub(super) duration: Duration,
}

pub(super) fn record(request: &Request<'_>, response: &Response) {
    let status = response.status();
    let route = request.route.unwrap_or(NO_ROUTE);
    write_line(request, route, status, response.extensions().get::<ErrorReport>());
    let labels = [
        ("method", method_label(request.method).to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("sg_http_requests_total", &labels).increment(1);
    metrics::histogram!("sg_http_request_duration_seconds", &labels[..2])
        .record(request.duration.as_secs_f64());
}

/// The request's span, for traces. Its path is the route's template, so that no id or query is in it.
pub(super) fn span(method: &Method, route: Option<&str>, context: &RequestContext) -> tracing::Span {
    let (method, route) = (method_label(method), route.unwrap_or(NO_ROUTE));
    tracing::info_span!(
        target: traces::TARGET,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        request.id = context.request_id.as_str(),
    )
}

/// Notes in the span how it went; it ends when it is dropped.
pub(super) fn end(span: &tracing::Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

fn write_line(request: &Request<'_>, route: &str, status: StatusCode, error: Option<&ErrorReport>) {
    let method = method_label(request.method);
    let caller = request.caller.as_str().unwrap_or("anonymous");
    let duration_ms = u64::try_from(request.duration.as_millis()).unwrap_or(u64::MAX);
    let code = error.map(|e| e.code);
    let cause = error.and_then(|e| e.cause.as_deref());
    let request_id = request.context.request_id.as_str();
    if status.is_server_error() {
        tracing::error!(
            request.id = request_id,
            http.method = method,
            http.route = route,
            http.status = status.as_u16(),
            duration_ms,
            caller,
            error.code = code,
            error.cause = cause,
            "request failed"
        );
    } else {
        tracing::info!(
            request.id = request_id,
            http.method = method,
            http.route = route,
            http.status = status.as_u16(),
            duration_ms,
            caller,
            error.code = code,
            error.cause = cause,
            "request"
        );
    }
}

/// The method, or a word for all invented ones: anybody can send any method.
fn method_label(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PATCH
        | Method::PUT
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "OTHER",
    }
}
