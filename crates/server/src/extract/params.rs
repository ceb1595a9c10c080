//! Path and query parameters.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::error::ApiError;

/// Rows of a page when the caller does not say.
pub const DEFAULT_PAGE_SIZE: u32 = 50;
/// Rows of a page at most.
pub const MAX_PAGE_SIZE: u32 = 500;

/// Parts of the path. What is no id names nothing that exists: 404.
#[derive(Debug, Clone, Copy)]
pub struct PathParams<T>(pub T);

impl<T, S> FromRequestParts<S> for PathParams<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(_)) => Err(ApiError::not_found()),
            Err(other) => Err(ApiError::internal(other)),
        }
    }
}

/// The query string; unknown or malformed parameters are 400 `invalid_query`.
#[derive(Debug, Clone, Copy)]
pub struct QueryParams<T>(pub T);

impl<T, S> FromRequestParts<S> for QueryParams<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(value)| Self(value))
            .map_err(|rejection| {
                let text = rejection.body_text();
                let reason = text
                    .rsplit_once("query string: ")
                    .map_or(text.as_str(), |(_, reason)| reason);
                ApiError::bad_request(
                    "invalid_query",
                    format!("the query string was not understood: {reason}"),
                )
            })
    }
}

/// `limit` and `cursor` of a list. Lists with further parameters have these two among their own.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageParams {
    /// The number of rows to answer.
    ///
    /// # Errors
    /// 400 `invalid_query` when `limit` is out of range.
    pub fn limit(&self) -> Result<u32, ApiError> {
        page_size(self.limit)
    }
}

/// The number of rows for a list's `limit`.
///
/// # Errors
/// 400 `invalid_query` when it is out of range.
pub fn page_size(limit: Option<u32>) -> Result<u32, ApiError> {
    match limit.unwrap_or(DEFAULT_PAGE_SIZE) {
        limit @ 1..=MAX_PAGE_SIZE => Ok(limit),
        _ => Err(ApiError::bad_request(
            "invalid_query",
            format!("`limit` must be between 1 and {MAX_PAGE_SIZE}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn queries_are_checked() {
        async fn parse(uri: &str) -> Result<u32, String> {
            let (mut parts, ()) = axum::http::Request::builder()
                .uri(uri)
                .body(())
                .unwrap()
                .into_parts();
            let QueryParams(params) = QueryParams::<PageParams>::from_request_parts(&mut parts, &())
                .await
                .map_err(|e| e.to_string())?;
            params.limit().map_err(|e| e.to_string())
        }
        assert_eq!(parse("/x").await, Ok(50));
        assert_eq!(parse("/x?limit=500").await, Ok(500));
        for bad in [
            "/x?limit=0",
            "/x?limit=501",
            "/x?limit=-1",
            "/x?limit=many",
            "/x?limits=1",
            "/x?limit=99999999999999",
        ] {
            let refused = parse(bad).await.unwrap_err();
            assert!(refused.starts_with("invalid_query: "), "{bad}: {refused}");
        }
    }
}
