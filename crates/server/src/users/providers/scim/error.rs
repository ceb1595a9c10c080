//! Errors in the form of RFC 7644 §3.12.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sg_db::DbError;

use super::super::refusal::Refusal;
use crate::error::ApiError;

pub(super) const MEDIA_TYPE: &str = "application/scim+json";

/// A refusal that a provisioning client understands.
#[derive(Debug)]
pub(super) enum ScimError {
    /// What the client did wrong.
    Refused {
        status: StatusCode,
        /// The word of RFC 7644 §3.12, table 9.
        kind: Option<&'static str>,
        detail: String,
    },
    /// Anything else; its words and its log line stay what they are.
    Other(ApiError),
}

pub(super) type ScimResult<T> = Result<T, ScimError>;

impl ScimError {
    pub(super) fn invalid_value(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, Some("invalidValue"), detail)
    }

    pub(super) fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, Some("invalidSyntax"), detail)
    }

    pub(super) fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, Some("invalidFilter"), detail)
    }

    pub(super) fn invalid_path(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, Some("invalidPath"), detail)
    }

    pub(super) fn uniqueness() -> Self {
        Self::refused(
            StatusCode::CONFLICT,
            Some("uniqueness"),
            "this name or e-mail address is not available",
        )
    }

    pub(super) fn not_found() -> Self {
        Self::refused(StatusCode::NOT_FOUND, None, "there is no such resource")
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::FORBIDDEN, None, detail)
    }

    fn refused(status: StatusCode, kind: Option<&'static str>, detail: impl Into<String>) -> Self {
        Self::Refused {
            status,
            kind,
            detail: detail.into(),
        }
    }
}

impl From<ApiError> for ScimError {
    fn from(error: ApiError) -> Self {
        Self::Other(error)
    }
}

impl From<DbError> for ScimError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::AlreadyExists { .. } => Self::uniqueness(),
            other => Self::Other(other.into()),
        }
    }
}

impl From<Refusal> for ScimError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(error) => Self::Other(error),
            Refusal::Told("not_available") => Self::uniqueness(),
            Refusal::Told(reason) => Self::forbidden(format!("refused: {reason}")),
        }
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let (mut response, kind, detail) = match self {
            Self::Refused { status, kind, detail } => (status.into_response(), kind, detail),
            Self::Other(error) => {
                let detail = error.to_string();
                // Its response carries the line for the log.
                (error.into_response(), None, detail)
            }
        };
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": response.status().as_u16().to_string(),
            "detail": detail
        });
        if let Some(kind) = kind {
            body["scimType"] = kind.into();
        }
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        *response.body_mut() = Body::from(body.to_string());
        response
    }
}
