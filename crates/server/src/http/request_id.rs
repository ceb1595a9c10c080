//! The id under which a request is found in the log.

use axum::http::HeaderMap;

/// The header that carries the id in both directions.
pub const HEADER: &str = "x-request-id";

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that the current task works on, where there is one.
pub fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Runs `future` as the work on request `id`.
pub async fn scope<F: Future>(id: String, future: F) -> F::Output {
    CURRENT.scope(id, future).await
}

/// The id that a trusted proxy gave: 1–64 of `A–Z a–z 0–9 - _`.
pub(crate) fn inbound(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(HEADER)?.to_str().ok()?;
    let harmless = id
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (harmless && (1..=64).contains(&id.len())).then(|| id.to_owned())
}
