//! The cookies of a sign-in at a provider: what ties it to the browser that began it, and, back from there, what waits for a second factor.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::cookie::{Cookie, SameSite};

use super::start::LIFE;

/// What a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The secret of the browser that began the sign-in.
    Browser,
    /// The challenge that opens the second step.
    Challenge,
}

impl Purpose {
    /// With the prefix, no neighbouring host and no plain HTTP can set it (RFC 6265bis §4.1.3.2).
    const fn name(self, tls: bool) -> &'static str {
        match (self, tls) {
            (Self::Browser, true) => "__Host-sg_sign_in",
            (Self::Browser, false) => "sg_sign_in",
            (Self::Challenge, true) => "__Host-sg_second_step",
            (Self::Challenge, false) => "sg_second_step",
        }
    }

    /// The first has to come along when the provider sends the browser back; the second is only for the console.
    const fn same_site(self) -> SameSite {
        match self {
            Self::Browser => SameSite::Lax,
            Self::Challenge => SameSite::Strict,
        }
    }
}

/// The `Set-Cookie` value.
pub(super) fn set(purpose: Purpose, secret: &str, tls: bool) -> Option<HeaderValue> {
    encode(purpose, secret, tls, LIFE.num_seconds())
}

/// The `Set-Cookie` value that takes it away.
pub(super) fn clear(purpose: Purpose, tls: bool) -> Option<HeaderValue> {
    encode(purpose, "", tls, 0)
}

fn encode(purpose: Purpose, secret: &str, tls: bool, seconds: i64) -> Option<HeaderValue> {
    let cookie = Cookie::build((purpose.name(tls), secret))
        .path("/")
        .http_only(true)
        .same_site(purpose.same_site())
        .secure(tls)
        .build();
    HeaderValue::from_str(&format!("{cookie}; Max-Age={seconds}")).ok()
}

/// The secret of the request's cookie. None when there are several: one of them is somebody else's.
pub(super) fn read(headers: &HeaderMap, purpose: Purpose, tls: bool) -> Option<&str> {
    let wanted = purpose.name(tls);
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
            set(Purpose::Browser, "x", true).unwrap(),
            "__Host-sg_sign_in=x; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=600"
        );
        assert_eq!(
            set(Purpose::Challenge, "x", true).unwrap(),
            "__Host-sg_second_step=x; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=600"
        );
        let read = |headers: &HeaderMap, tls| read(headers, Purpose::Browser, tls).map(str::to_owned);
        let headers = |text: &'static str| HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(text))]);
        assert_eq!(read(&headers("a=b; sg_sign_in=x"), false).as_deref(), Some("x"));
        assert_eq!(read(&headers("sg_sign_in=x"), true), None);
        assert_eq!(
            read(&headers("sg_sign_in=evil; sg_sign_in=x"), false),
            None,
            "a tossed cookie"
        );
    }
}
