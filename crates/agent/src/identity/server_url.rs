//! The server's address: https everywhere, plain http on this machine only.

use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use reqwest::Url;

/// Checks and normalises a server's address; the result has no trailing slash.
///
/// # Errors
/// When it is no http(s) URL, carries credentials, a query or a fragment, or is plain http to another machine.
pub fn parse_server_url(text: &str) -> Result<String> {
    let url = Url::parse(text.trim()).with_context(|| {
        format!("`{text}` is not a URL; it should look like https://secureguard.example.org")
    })?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => bail!(
            "plain http is accepted on this machine only (localhost): use https, with --ca FILE if the server has a certificate authority of its own"
        ),
        other => bail!("`{other}` is not supported: the server's URL begins with https://"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        bail!("the server's URL must not carry a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        bail!("the server's URL must not carry `?` or `#`");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether a URL leads to this machine itself.
pub fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_everywhere_and_http_at_home() {
        for (given, expected) in [
            ("https://sg.example.org/", "https://sg.example.org"),
            ("https://sg.example.org:8443", "https://sg.example.org:8443"),
            ("http://localhost:8080/", "http://localhost:8080"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1"),
            ("http://[::1]:1", "http://[::1]:1"),
            ("https://example.org/base/", "https://example.org/base"),
        ] {
            assert_eq!(parse_server_url(given).unwrap(), expected);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for given in [
            "",
            "example.org",
            "ftp://example.org",
            "http://example.org",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org",
            "https://user:secret@example.org",
            "https://example.org/?x=1",
        ] {
            assert!(parse_server_url(given).is_err(), "{given}");
        }
    }
}
