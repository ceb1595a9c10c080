//! The web console: files built from `web/`, embedded in the program.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::ApiError;
use crate::http::is_api;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

const INDEX: &str = "index.html";

/// What is answered when the program was built without the console.
const NOT_BUILT: &str = "<!doctype html><meta charset=\"utf-8\"><title>SecureGuard</title>\
    <h1>The console is not part of this build</h1>\
    <p>This server was compiled before its web console. Build both with <code>cargo xtask build</code> and start it again. \
    The API under <code>/api/v1</code> works all the same; <code>sgctl</code> speaks it.</p>";

/// Answers what no route matched: a problem below `/api` and `/agent`, else a file of the console, else its index, so that its own
/// addresses can be opened and reloaded.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if is_api(uri.path()) {
        return ApiError::not_found().into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return method_not_allowed().await;
    }
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = Files::get(path) {
        return answer_file(path, &file, &headers);
    }
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_none_or(|accept| accept.contains("text/html"));
    if !path.is_empty() && (!wants_page || path.starts_with("assets/")) {
        return ApiError::not_found().into_response();
    }
    match Files::get(INDEX) {
        Some(index) => answer_file(INDEX, &index, &headers),
        None => (
            StatusCode::NOT_FOUND,
            [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
            NOT_BUILT,
        )
            .into_response(),
    }
}

/// 405 for a path that exists with other methods.
pub async fn method_not_allowed() -> Response {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address does not take that method; see the Allow header",
    )
    .into_response()
}

/// Whether the console is part of this program.
pub fn is_built() -> bool {
    Files::get(INDEX).is_some()
}

fn answer_file(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let caching = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|known| known.contains(&etag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = file.data.clone().into_owned();
        ([(header::CONTENT_TYPE, content_type(path))], body).into_response()
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
