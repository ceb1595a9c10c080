//! JSON bodies.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sg_types::FieldError;

use crate::error::ApiError;
use crate::http::BodyPatience;

/// A JSON body that was understood. Refusals: 415 for another content type, 413 for too many bytes, 400 for what is no JSON, 422 for
/// JSON of the wrong form and for text that the database cannot keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonBody<T>(pub T);

impl<T, S> FromRequest<S> for JsonBody<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        if !is_json(request.headers()) {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body has to be JSON, sent with `Content-Type: application/json`",
            ));
        }
        let patience = request
            .extensions()
            .get::<BodyPatience>()
            .map_or(Duration::MAX, |patience| patience.0);
        let read = tokio::time::timeout(patience, Bytes::from_request(request, state)).await;
        let bytes = read
            .map_err(|_| too_slow())?
            .map_err(|rejection| refuse_bytes(&rejection))?;
        parse_json(&bytes).map(Self)
    }
}

/// Parses a JSON text into `T`.
///
/// # Errors
/// 400 `invalid_json` for what is no JSON, 422 `invalid_body` naming the field for JSON of the wrong form or text with NUL characters.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request("invalid_json", format!("the body is no JSON: {error}")))?;
    if let Some(field) = find_nul(&value) {
        return Err(ApiError::invalid_field(
            field,
            "contains a NUL character (\\u0000), which cannot be stored",
        ));
    }
    // serde takes the items of an array for the fields of a structure, in their order.
    if !value.is_object() {
        let wrong = FieldError::new("", "the body has to be an object");
        return Err(ApiError::unprocessable("invalid_body", vec![wrong]));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        let field = if path == "." || path == "?" {
            field_in(&message).unwrap_or_default()
        } else {
            path
        };
        ApiError::unprocessable("invalid_body", vec![FieldError::new(field, message)])
    })
}

/// 408: the body came too slowly.
pub(crate) fn too_slow() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "body_too_slow",
        "the body did not arrive in time",
    )
}

fn refuse_bytes(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "the body is larger than the server takes",
        );
    }
    ApiError::bad_request("incomplete_body", "the body ended before it was complete")
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The path of the first text or name that contains a NUL character.
fn find_nul(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(i, item)| find_nul(item).map(|rest| join(&format!("[{i}]"), &rest))),
        Value::Object(fields) => fields.iter().find_map(|(name, item)| {
            if name.contains('\0') {
                return Some(name.replace('\0', "\\u0000"));
            }
            find_nul(item).map(|rest| join(name, &rest))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn join(name: &str, rest: &str) -> String {
    if rest.is_empty() || rest.starts_with('[') {
        format!("{name}{rest}")
    } else {
        format!("{name}.{rest}")
    }
}

/// The field that serde names in "missing field `x`" and "unknown field `x`, …".
fn field_in(message: &str) -> Option<String> {
    let rest = message
        .strip_prefix("missing field `")
        .or_else(|| message.strip_prefix("unknown field `"))?;
    rest.split('`').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use sg_types::api::users::{CreateApiKey, SignIn};

    use super::*;

    fn refusal<T: DeserializeOwned>(text: &str) -> (u16, String, String) {
        let error = parse_json::<T>(text.as_bytes()).err().unwrap();
        let field = error
            .field_errors()
            .first()
            .map(|e| e.field.clone())
            .unwrap_or_default();
        (error.status().as_u16(), error.code().to_owned(), field)
    }

    #[test]
    fn refusals_name_the_field() {
        let cases = [
            ("{", 400, "invalid_json", ""),
            ("{\"username\":\"\u{e9}", 400, "invalid_json", ""),
            ("[]", 422, "invalid_body", ""),
            ("[\"a\", \"b\"]", 422, "invalid_body", ""),
            ("null", 422, "invalid_body", ""),
            ("{\"username\":\"a\"}", 422, "invalid_body", "password"),
            (
                "{\"username\":1,\"password\":\"b\"}",
                422,
                "invalid_body",
                "username",
            ),
            (
                "{\"username\":\"a\",\"password\":\"b\",\"extra\":1}",
                422,
                "invalid_body",
                "extra",
            ),
            (
                "{\"username\":\"a\\u0000\",\"password\":\"b\"}",
                422,
                "invalid_body",
                "username",
            ),
        ];
        for (text, status, code, field) in cases {
            assert_eq!(
                refusal::<SignIn>(text),
                (status, code.to_owned(), field.to_owned()),
                "{text}"
            );
        }
        assert_eq!(
            refusal::<CreateApiKey>("{\"key_name\":\"k\",\"scopes\":[\"api\",\"root\"]}").2,
            "scopes[1]"
        );
        assert!(parse_json::<SignIn>(b"{\"username\":\"a\",\"password\":\"\xff\"}").is_err());
    }

    #[test]
    fn deep_nesting_is_refused_without_a_crash() {
        let text = "[".repeat(100_000);
        assert_eq!(refusal::<SignIn>(&text).0, 400);
    }
}
