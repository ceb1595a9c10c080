//! One line per request, and the metrics of it.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use axum::response::Response;

use super::context::{CallerId, RequestContext};
use crate::error::ErrorReport;

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
