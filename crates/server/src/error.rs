//! The one error of requests: what the caller is told, and what the log is told.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sg_types::{FieldError, InvalidTransition, Problem};

use crate::http::request_id;

/// The result of a use case or handler.
pub type ApiResult<T> = Result<T, ApiError>;

/// What is answered instead of a result. Made by the constructors, so that every code has one status and one place.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after_seconds: Option<u64>,
    /// Goes to the log only.
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ApiError {
    /// An error with a status, a stable word for programs, and a sentence for people that gives nothing away.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
            source: None,
        }
    }

    /// 400 `code`: the request cannot be understood.
    pub fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401 `unauthenticated`: no proof of who calls, or one that does not hold (any more).
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "sign in, or send an API key that is neither revoked nor expired as `Authorization: Bearer …`",
        )
    }

    /// 401 `invalid_credentials`: one answer for unknown, wrong, locked and inactive.
    pub fn invalid_credentials() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_credentials",
            "user name or password are wrong, or sign-in is locked; after several failures wait and try again, or ask an administrator",
        )
    }

    /// 403 `code`.
    pub fn forbidden(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 403 `missing_permission`.
    pub fn missing_permission(permission: sg_types::Permission) -> Self {
        Self::forbidden(
            "missing_permission",
            format!("this needs the permission `{permission}`"),
        )
    }

    /// 404 `not_found`: it does not exist, or the caller may not know that it does.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is nothing here that you may see",
        )
    }

    /// 409 `code`.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 409 `mail_not_configured`.
    pub fn mail_not_configured() -> Self {
        Self::conflict(
            "mail_not_configured",
            "this server sends no mail; an administrator can give a new password, or set up mail as docs/server.md says",
        )
    }

    /// 410 `link_invalid`: one answer for used, expired, void and never issued.
    pub fn link_invalid() -> Self {
        Self::new(
            StatusCode::GONE,
            "link_invalid",
            "the link was used, has expired, or does not fit the account any more; ask for another one",
        )
    }

    /// 413 `too_large`.
    pub fn too_large(limit_bytes: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body is larger than {limit_bytes} bytes"),
        )
    }

    /// 422 `code` with what is wrong with which field.
    pub fn unprocessable(code: &'static str, errors: Vec<FieldError>) -> Self {
        let mut error = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            code,
            "some fields were refused, see `errors`",
        );
        error.errors = errors;
        error
    }

    /// 422 `invalid_body` about one field.
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::unprocessable("invalid_body", vec![FieldError::new(field, message)])
    }

    /// 429 `too_many_requests`.
    pub fn too_many_requests(retry_after_seconds: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "too many requests or attempts; wait as long as Retry-After says",
        )
        .retry_after(retry_after_seconds)
    }

    /// 503 `unavailable`: the server cannot do it at this moment.
    pub fn unavailable(retry_after_seconds: u64) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the server cannot do this at the moment; try again as Retry-After says",
        )
        .retry_after(retry_after_seconds)
    }

    /// 500 `internal`: the cause goes to the log, under the request's id.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong on the server; its log has more under this request id",
        )
        .because(source)
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds a Retry-After header.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds.max(1));
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable word of the answer.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The refused fields.
    pub fn field_errors(&self) -> &[FieldError] {
        &self.errors
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for ApiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Rides on an error's response to the edge, where it is logged once.
#[derive(Debug, Clone)]
pub(crate) struct ErrorReport {
    pub(crate) code: &'static str,
    /// The chain of causes; empty for errors that are the caller's.
    pub(crate) cause: Option<Arc<str>>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let report = ErrorReport {
            code: self.code,
            cause: self.source.as_deref().map(|s| describe_chain(s).into()),
        };
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail.into_owned(),
            request_id: request_id::current(),
            errors: self.errors,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (
            self.status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(report);
        response
    }
}

/// Seconds after which a caller who found the database away may come back.
const DATABASE_RETRY_SECONDS: u64 = 2;

impl From<sg_db::DbError> for ApiError {
    fn from(error: sg_db::DbError) -> Self {
        use sg_db::DbError;
        match error {
            DbError::AlreadyExists { .. } => {
                Self::conflict("already_exists", "something of that name exists already").because(error)
            }
            DbError::MissingReference { .. } => {
                let mut answer = Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "unknown_reference",
                    "something that the request refers to does not exist in this tenant",
                );
                answer.source = Some(error.into());
                answer
            }
            DbError::InvalidValue { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_body",
                "a value is outside of what is allowed",
            )
            .because(error),
            DbError::LimitReached {
                ref resource,
                limit,
                used,
            } => Self::forbidden(
                "limit_reached",
                format!(
                    "the subscription allows {limit} {resource} and {used} are in use; take one out of use or have the subscription changed"
                ),
            )
            .because(error),
            DbError::SubscriptionEnded { ref status } => Self::forbidden(
                "subscription_inactive",
                format!("the subscription is {status}, so that nothing can be added; what is there goes on working"),
            )
            .because(error),
            DbError::ContextRefused => Self::unauthenticated(),
            DbError::Busy => Self::unavailable(1).because(error),
            DbError::Unavailable(_) => Self::unavailable(DATABASE_RETRY_SECONDS).because(error),
            other => Self::internal(other),
        }
    }
}

impl From<InvalidTransition> for ApiError {
    fn from(error: InvalidTransition) -> Self {
        Self::conflict("invalid_transition", error.to_string())
    }
}

fn describe_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn causes_stay_inside() {
        let response = ApiError::internal("password of the database is hunter2").into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(
            response
                .extensions()
                .get::<ErrorReport>()
                .unwrap()
                .cause
                .as_deref()
                .unwrap()
                .contains("hunter2")
        );
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!((problem.code.as_str(), problem.status), ("internal", 500));
        assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
    }

    #[test]
    fn waiting_is_never_zero_seconds() {
        assert_eq!(
            ApiError::too_many_requests(0).into_response().headers()["retry-after"],
            "1"
        );
    }
}
