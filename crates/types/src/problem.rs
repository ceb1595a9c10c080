//! The one shape of an error answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An error as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` names the problem (RFC 9457 §4.2.1).
    #[serde(rename = "type")]
    pub kind: String,
    /// The status code's own words.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// A stable word for programs, such as `invalid_body` or `not_found`.
    pub code: String,
    /// One sentence for people: what is wrong and what to do.
    pub detail: String,
    /// The request's id, as in the server's log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// What is wrong with which field, where the body was understood but refused.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<FieldError>,
}

/// One refused field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// The field's name, as in the request.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub message: String,
    /// Line in the field's text, counted from 1, where the field holds a rule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// The diagnostic's code, such as `D010`, where the field holds a rule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
}

impl FieldError {
    /// Says `message` of `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
            line: None,
            code: None,
        }
    }
}
