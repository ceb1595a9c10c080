//! Who really sent a request that came through proxies.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::config::HttpConfig;

/// The address of the client: the peer itself, or, when the peer is a trusted proxy, the rightmost address of `X-Forwarded-For` that is no
/// trusted proxy. What stands left of it could have been written by anybody.
pub fn resolve_client_address(config: &HttpConfig, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer.to_canonical();
    if !config.trusts(client) {
        return client;
    }
    let values: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .collect();
    for entry in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Some(address) = parse_entry(entry.trim()) else {
            return client;
        };
        client = address;
        if !config.trusts(client) {
            return client;
        }
    }
    client
}

/// `1.2.3.4`, `1.2.3.4:567`, `2001:db8::1` or `[2001:db8::1]:567`.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let address = entry
        .parse::<IpAddr>()
        .ok()
        .or_else(|| entry.parse::<std::net::SocketAddr>().ok().map(|a| a.ip()))
        .or_else(|| entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::{Verb, load};

    fn resolve(trusted: &[&str], peer: &str, forwarded: &[&'static str]) -> String {
        let mut config = load(None, Verb::Other).unwrap().http;
        config.trusted_proxies = trusted.iter().map(|t| t.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        resolve_client_address(&config, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn nobody_is_believed_without_trusted_proxies() {
        assert_eq!(resolve(&[], "10.0.0.1", &["1.2.3.4"]), "10.0.0.1");
        assert_eq!(resolve(&["10.0.0.0/8"], "192.0.2.1", &["1.2.3.4"]), "192.0.2.1");
    }

    #[test]
    fn the_rightmost_untrusted_address_counts() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(
            resolve(&proxies, "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"]),
            "1.2.3.4"
        );
        assert_eq!(
            resolve(&proxies, "10.0.0.1", &["6.6.6.6", "1.2.3.4:80"]),
            "1.2.3.4"
        );
        assert_eq!(
            resolve(&proxies, "::ffff:10.0.0.1", &["[2001:db8::1]:80"]),
            "2001:db8::1"
        );
        assert_eq!(resolve(&proxies, "10.0.0.1", &["garbage"]), "10.0.0.1");
        assert_eq!(resolve(&proxies, "10.0.0.1", &[]), "10.0.0.1");
    }
}
