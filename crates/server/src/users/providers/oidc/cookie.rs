//! The cookie that ties a sign-in to the browser that began it.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::cookie::{Cookie, SameSite};

use super::start::LIFE;

/// With the prefix, no neighbouring host and no plain HTTP can set it (RFC 6265bis §4.1.3.2).
fn name(tls: bool) -> &'static str {
    if tls { "__Host-sg_sign_in" } else { "sg_sign_in" }
}

/// The `Set-Cookie` value. Lax: it has to come along when the provider sends the browser back.
pub(super) fn set(secret: &str, tls: bool) -> Option<HeaderValue> {
    encode(secret, tls, LIFE.num_seconds())
}

/// The `Set-Cookie` value that takes it away.
pub(super) fn clear(tls: bool) -> Option<HeaderValue> {
    encode("", tls, 0)
}

fn encode(secret: &str, tls: bool, seconds: i64) -> Option<HeaderValue> {
    let cookie = Cookie::build((name(tls), secret))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(tls)
        .build();
    HeaderValue::from_str(&format!("{cookie}; Max-Age={seconds}")).ok()
}

/// The secret of the request's cookie. None when there are several: one of them is somebody else's.
pub(super) fn read(headers: &HeaderMap, tls: bool) -> Option<&str> {
    let wanted = name(tls);
    let mut values = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == wanted)
        .map(|(_, value)| value);
    let only = values.next()?;
    values.next().is_none().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_bound_to_this_host_and_short_lived() {
        assert_eq!(
            set("x", true).unwrap(),
            "__Host-sg_sign_in=x; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=600"
        );
        let headers = |text: &'static str| HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(text))]);
        assert_eq!(read(&headers("a=b; sg_sign_in=x"), false), Some("x"));
        assert_eq!(read(&headers("sg_sign_in=x"), true), None);
        assert_eq!(
            read(&headers("sg_sign_in=evil; sg_sign_in=x"), false),
            None,
            "a tossed cookie"
        );
    }
}
