//! Which names the server answers to, so that a foreign name that resolves to it (DNS rebinding) opens nothing.

use std::net::IpAddr;

use axum::http::Uri;
use axum::http::header::{HOST, HeaderMap};

use crate::config::PublicUrl;

/// The names that a request may address the server by.
#[derive(Debug, Clone)]
pub struct AllowedHosts {
    names: Vec<String>,
    any_address: bool,
    any_name: bool,
}

impl AllowedHosts {
    /// On loopback: the machine's own names for itself, and the configured name.
    pub fn loopback(public_url: Option<&PublicUrl>) -> Self {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec();
        names.extend(public_url.map(|url| url.host.clone()));
        Self {
            names,
            any_address: false,
            any_name: false,
        }
    }

    /// On a network: the certificate's names and any address literal, which no name service can forge.
    pub fn network(certificate_names: &[String], public_url: Option<&PublicUrl>) -> Self {
        let mut allowed = Self::loopback(public_url);
        allowed
            .names
            .extend(certificate_names.iter().map(|name| name.to_ascii_lowercase()));
        allowed.any_address = true;
        allowed
    }

    /// Behind a certificate that was given: clients check its names, so that a foreign name never gets here.
    pub fn given_certificate() -> Self {
        Self {
            names: Vec::new(),
            any_address: true,
            any_name: true,
        }
    }

    /// The host that a request names, in lower case, when the server answers to it.
    ///
    /// # Errors
    /// The name that was refused; empty when there was none.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), String> {
        let named = uri.authority().map(|a| a.as_str().to_owned()).or_else(|| {
            let mut hosts = headers.get_all(HOST).iter();
            let host = hosts.next()?.to_str().ok()?.to_owned();
            hosts.next().is_none().then_some(host)
        });
        let named = named.unwrap_or_default().to_ascii_lowercase();
        let host = without_port(&named);
        let known = self.names.iter().any(|name| name == host);
        let address = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .is_ok();
        if !host.is_empty() && (known || self.any_name || (self.any_address && address)) {
            Ok(())
        } else {
            Err(named)
        }
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(hosts: &AllowedHosts, host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        hosts.check(&Uri::from_static("/api"), &headers).is_ok()
    }

    #[test]
    fn loopback_answers_to_its_own_names_only() {
        let public: PublicUrl = "https://guard.example.org".parse().unwrap();
        let hosts = AllowedHosts::loopback(Some(&public));
        for good in [
            "localhost:8080",
            "LOCALHOST",
            "127.0.0.1:1",
            "[::1]:8080",
            "guard.example.org",
        ] {
            assert!(allows(&hosts, good), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "",
            "localhost:80:80",
            ":80",
        ] {
            assert!(!allows(&hosts, bad), "{bad}");
        }
    }

    #[test]
    fn a_network_listener_answers_to_addresses_and_its_certificate() {
        let hosts = AllowedHosts::network(&["Server1".to_owned()], None);
        assert!(
            allows(&hosts, "10.0.0.1:8443") && allows(&hosts, "server1") && allows(&hosts, "[2001:db8::1]:1")
        );
        assert!(!allows(&hosts, "evil.example"));
    }

    #[test]
    fn two_host_headers_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, "localhost".parse().unwrap());
        headers.append(HOST, "evil.example".parse().unwrap());
        assert!(
            AllowedHosts::loopback(None)
                .check(&Uri::from_static("/"), &headers)
                .is_err()
        );
    }
}
