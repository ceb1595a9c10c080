//! What a request brings along to prove who calls.

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use sg_db::TokenHash;
use sg_types::TokenKind;

use super::cookie;
use crate::AppState;
use crate::error::ApiError;

/// A token that has the right form; whether it holds, the database tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// What it stands for.
    pub kind: TokenKind,
    /// Its SHA-256.
    pub hash: TokenHash,
}

/// The bearer token of a request; none when there is no `Authorization` header.
///
/// # Errors
/// 401 when there is one that is no token of ours.
pub fn bearer(headers: &HeaderMap) -> Result<Option<Credential>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_headers",
            "the request has more than one Authorization header",
        ));
    }
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let credential = token.and_then(|token| {
        Some(Credential {
            kind: TokenKind::of(token).ok()?,
            hash: TokenHash::of(token),
        })
    });
    credential.map(Some).ok_or_else(ApiError::unauthenticated)
}

/// The bearer token, else the cookie's session once it is sure that no other site made the browser send it.
///
/// # Errors
/// 401 without either, 403 `csrf_refused`.
pub fn find_credential(parts: &Parts, state: &AppState) -> Result<Credential, ApiError> {
    if let Some(credential) = bearer(&parts.headers)? {
        return Ok(credential);
    }
    let token = cookie::read(&parts.headers, state.tls).ok_or_else(ApiError::unauthenticated)?;
    if TokenKind::of(token) != Ok(TokenKind::Session) {
        return Err(ApiError::unauthenticated());
    }
    let public_origin = state
        .config
        .http
        .public_url
        .as_ref()
        .map(crate::config::PublicUrl::origin);
    cookie::check_csrf(
        &parts.method,
        &parts.uri,
        &parts.headers,
        state.tls,
        public_origin.as_deref(),
    )?;
    Ok(Credential {
        kind: TokenKind::Session,
        hash: TokenHash::of(token),
    })
}
