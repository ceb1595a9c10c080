//! The cookie by which a browser is known that its user has signed in with before. It opens nothing: with it, failed attempts count for this
//! browser alone, so that a stranger cannot lock its user out (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::cookie::{Cookie, SameSite};
use sg_db::TokenHash;
use sg_db::users::KNOWN_DEVICE_DAYS;
use sg_types::TokenKind;

use super::cookie::{CSRF_HEADER, read_named};

/// Hexadecimal digits of the user's part of the name: people who share a browser have a cookie each.
const NAME_DIGITS: usize = 12;

/// The device that a request comes from, as far as `username` is concerned.
pub fn find_device(headers: &HeaderMap, username: &str, tls: bool) -> Option<TokenHash> {
    let token = read_named(headers, &name(username, tls))?;
    (TokenKind::of(token) == Ok(TokenKind::Device)).then(|| TokenHash::of(token))
}

/// Whether a request comes from the console in a browser, which keeps cookies; programs are not remembered.
pub fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(CSRF_HEADER)
}

/// The `Set-Cookie` value that lets a browser be known as a device of `username`.
pub fn device_cookie(username: &str, token: &str, tls: bool) -> Option<HeaderValue> {
    let life = time::Duration::days(KNOWN_DEVICE_DAYS);
    let cookie = Cookie::build((name(username, tls), token))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(tls)
        .max_age(life)
        .build();
    HeaderValue::from_str(&cookie.to_string()).ok()
}

fn name(username: &str, tls: bool) -> String {
    let digest = TokenHash::of(&format!("device|{}", username.to_lowercase())).to_hex();
    let prefix = if tls { "__Host-sg_device" } else { "sg_device" };
    format!("{prefix}_{}", digest.get(..NAME_DIGITS).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_user_in_any_case_and_by_nobody_else() {
        let token = format!("sgd_{}", "A".repeat(43));
        let set = device_cookie("Ada", &token, true).unwrap();
        let set = set.to_str().unwrap();
        assert!(
            set.starts_with("__Host-sg_device_")
                && set.ends_with("; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=15552000"),
            "{set}"
        );
        let sent = |cookie: &str| {
            HeaderMap::from_iter([(axum::http::header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
        };
        let headers = sent(set.split(';').next().unwrap());
        assert_eq!(find_device(&headers, "ADA", true), Some(TokenHash::of(&token)));
        assert_eq!(find_device(&headers, "grace", true), None);
        assert_eq!(
            find_device(&headers, "ada", false),
            None,
            "another name on plain HTTP"
        );
        let (name, _) = set.split_once('=').unwrap();
        for bad in ["", "sgd_short", "sgs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(find_device(&sent(&format!("{name}={bad}")), "ada", true), None);
        }
    }
}
