//! `[http]`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Deserializer, de};

/// The listener and what it accepts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that people and agents use; none when not set.
    #[serde(deserialize_with = "public_url")]
    pub public_url: Option<PublicUrl>,
    /// Networks of proxies whose forwarded headers are believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNetwork>,
    /// Bytes of an API request's body at most.
    pub max_body_bytes: usize,
    /// Seconds for a whole request, 1 or more.
    pub request_timeout_seconds: u64,
    /// Seconds for a request's head, 1 or more.
    pub header_read_timeout_seconds: u64,
    /// Seconds that running requests get when the server stops.
    pub shutdown_grace_seconds: u64,
    /// Connections at the same time at most.
    pub max_connections: usize,
}

impl HttpConfig {
    /// Whether forwarded headers of `peer` are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }

    /// Time for a whole request.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds.max(1))
    }

    /// Time for a request's head.
    pub fn header_read_timeout(&self) -> Duration {
        Duration::from_secs(self.header_read_timeout_seconds.max(1))
    }

    /// Time for running requests when the server stops.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_seconds)
    }
}

/// `http(s)://host[:port]`, nothing behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host in lower case, an IPv6 address in brackets.
    pub host: String,
    /// Port, where it is not the scheme's own.
    pub port: Option<u16>,
}

impl PublicUrl {
    /// What the `Host` header says when the URL is used.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// What the `Origin` header says when the URL is used.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority())
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || format!("`{text}` is not of the form http(s)://host or http(s)://host:port");
        let uri: axum::http::Uri = text.parse().map_err(|_| refuse())?;
        let (scheme, own_port) = match uri.scheme_str() {
            Some("https") => ("https", 443),
            Some("http") => ("http", 80),
            _ => return Err(refuse()),
        };
        let authority = uri
            .authority()
            .filter(|a| !a.as_str().contains('@'))
            .ok_or_else(refuse)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.host().is_empty() {
            return Err(refuse());
        }
        Ok(Self {
            scheme,
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().filter(|port| *port != own_port),
        })
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin())
    }
}

fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PublicUrl>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(de::Error::custom)
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNetwork>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .into_iter()
        .map(|text| {
            text.parse()
                .map_err(|_| de::Error::custom(format!("`{text}` is no network such as 10.0.0.0/8")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_are_origins_only() {
        let url: PublicUrl = "https://Guard.Example.org".parse().unwrap();
        assert_eq!(
            (url.origin().as_str(), url.port),
            ("https://guard.example.org", None)
        );
        assert_eq!(
            "http://localhost:8080/".parse::<PublicUrl>().unwrap().authority(),
            "localhost:8080"
        );
        for bad in [
            "guard.example.org",
            "ftp://x",
            "https://x/path",
            "https://a@b",
            "https://x/?q=1",
            "https://",
        ] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }
}
