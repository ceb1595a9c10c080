//! The session cookie, and what protects it from being used by other sites.

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum_extra::extract::cookie::{Cookie, SameSite};

use crate::error::ApiError;

/// No cross-site form can send a header of its own.
pub(super) const CSRF_HEADER: &str = "x-secureguard-csrf";

fn name(tls: bool) -> &'static str {
    if tls { "__Host-sg_session" } else { "sg_session" }
}

/// The `Set-Cookie` value that gives a browser its session. It ends with the browser; the server ends the session itself.
pub fn session_cookie(token: &str, tls: bool) -> Option<HeaderValue> {
    encode(token, tls)
}

/// The `Set-Cookie` value that takes the cookie away.
pub fn clear_session_cookie(tls: bool) -> Option<HeaderValue> {
    let mut text = encode("", tls)?.to_str().ok()?.to_owned();
    text.push_str("; Max-Age=0");
    HeaderValue::from_str(&text).ok()
}

fn encode(value: &str, tls: bool) -> Option<HeaderValue> {
    let cookie = Cookie::build((name(tls), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(tls)
        .build();
    HeaderValue::from_str(&cookie.to_string()).ok()
}

/// The session token of the request's cookie.
pub(super) fn read(headers: &HeaderMap, tls: bool) -> Option<&str> {
    read_named(headers, name(tls))
}

/// A cookie of the request that has a value.
pub(super) fn read_named<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted && !value.is_empty()).then_some(value))
}

/// Checks that a request with the cookie was meant by the user: it only reads, or carries our header and no foreign `Origin`.
pub(super) fn check_csrf(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    tls: bool,
    public_origin: Option<&str>,
) -> Result<(), ApiError> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let refuse = |detail: &'static str| ApiError::forbidden("csrf_refused", detail);
    if headers.get(CSRF_HEADER).is_none_or(|value| value != "1") {
        return Err(refuse(
            "with the session cookie, this request needs the header X-SecureGuard-CSRF: 1",
        ));
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let authority = uri
        .authority()
        .map(|a| a.as_str())
        .or_else(|| headers.get(HOST)?.to_str().ok())
        .unwrap_or_default();
    let own = format!("{}://{authority}", if tls { "https" } else { "http" });
    let known = origin
        .to_str()
        .is_ok_and(|origin| origin.eq_ignore_ascii_case(&own) || Some(origin) == public_origin);
    if known {
        Ok(())
    } else {
        Err(refuse("the request comes from another site"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    fn csrf(method: Method, pairs: &[(&'static str, &'static str)]) -> bool {
        let uri = Uri::from_static("/api/v1/x");
        check_csrf(
            &method,
            &uri,
            &headers(pairs),
            false,
            Some("https://guard.example.org"),
        )
        .is_ok()
    }

    #[test]
    fn cookies_have_every_protection() {
        assert_eq!(
            session_cookie("sgs_x", true).unwrap(),
            "__Host-sg_session=sgs_x; HttpOnly; SameSite=Strict; Secure; Path=/"
        );
        assert_eq!(
            session_cookie("sgs_x", false).unwrap(),
            "sg_session=sgs_x; HttpOnly; SameSite=Strict; Path=/"
        );
        assert!(
            clear_session_cookie(true)
                .unwrap()
                .to_str()
                .unwrap()
                .ends_with("; Max-Age=0")
        );
        assert_eq!(
            read(&headers(&[("cookie", "a=b; sg_session=sgs_x; c=d")]), false),
            Some("sgs_x")
        );
        assert_eq!(
            read(&headers(&[("cookie", "sg_session=sgs_x")]), true),
            None,
            "the plain name counts on plain HTTP only"
        );
    }

    #[test]
    fn other_sites_cannot_use_the_cookie() {
        let own = [
            ("x-secureguard-csrf", "1"),
            ("host", "localhost:8080"),
            ("origin", "http://localhost:8080"),
        ];
        assert!(csrf(Method::GET, &[]));
        assert!(csrf(Method::POST, &own));
        assert!(csrf(Method::POST, &own[..2]), "programs send no origin");
        assert!(
            !csrf(Method::POST, &own[1..]),
            "a form sends no header of its own"
        );
        assert!(!csrf(
            Method::DELETE,
            &[
                ("x-secureguard-csrf", "1"),
                ("host", "localhost:8080"),
                ("origin", "http://evil.example")
            ]
        ));
        assert!(!csrf(
            Method::POST,
            &[
                ("x-secureguard-csrf", "1"),
                ("host", "localhost:8080"),
                ("origin", "null")
            ]
        ));
        assert!(csrf(
            Method::POST,
            &[
                ("x-secureguard-csrf", "1"),
                ("host", "internal"),
                ("origin", "https://guard.example.org")
            ]
        ));
    }
}
