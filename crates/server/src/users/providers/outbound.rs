//! Requests to servers that a tenant's administrator names: TLS only, no redirects, bounded in time and size.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::{Host, Url};

/// Time for one request, the connection included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);
/// Time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Bytes of an answer at most. Discovery documents and key sets have some kilobytes.
const MAX_ANSWER_BYTES: usize = 512 * 1024;

/// Why a request was not made or had no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// The address is not one that we go to.
    #[error("`{0}` is no https address")]
    Refused(String),
    /// The certificates to trust are none.
    #[error("the certificates to trust cannot be read as PEM")]
    Certificates,
    /// The answer is larger than any of its kind.
    #[error("the answer is larger than {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
    /// The answer sends us elsewhere.
    #[error("the answer is a redirect, which is not followed")]
    Redirect,
    /// The request failed on its way.
    #[error("the request failed")]
    Http(#[from] reqwest::Error),
    /// The request could not be formed.
    #[error("the request could not be formed")]
    Form,
}

/// A client for the servers of one provider.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    client: reqwest::Client,
    allow_loopback: bool,
}

impl Outbound {
    /// A client that trusts the system's authorities and those of `ca_pem`. `allow_loopback`: whether plain HTTP to this machine is taken.
    pub(crate) fn new(ca_pem: Option<&str>, allow_loopback: bool) -> Result<Self, OutboundError> {
        let mut builder = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("SecureGuard/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(|_| OutboundError::Certificates)?;
            if certificates.is_empty() {
                return Err(OutboundError::Certificates);
            }
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(Self {
            client: builder.build()?,
            allow_loopback,
        })
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, OutboundError> {
        let address = request.uri().to_string();
        let url: Url = address.parse().map_err(|_| OutboundError::Form)?;
        if !is_reachable(&url, self.allow_loopback) {
            return Err(OutboundError::Refused(address));
        }
        let request = request.try_into().map_err(|_| OutboundError::Form)?;
        let mut answer = self.client.execute(request).await?;
        if answer.status().is_redirection() {
            return Err(OutboundError::Redirect);
        }
        let mut response = HttpResponse::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        while let Some(chunk) = answer.chunk().await? {
            if response.body().len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(OutboundError::TooLarge);
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Outbound {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutboundError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Whether we go there: `https`, or `http` to this machine where that is allowed; never with a name and password in the address.
pub(crate) fn is_reachable(url: &Url, allow_loopback: bool) -> bool {
    let plain = url.username().is_empty() && url.password().is_none() && url.host().is_some();
    plain
        && match url.scheme() {
            "https" => true,
            "http" => allow_loopback && is_loopback(url),
            _ => false,
        }
}

/// Whether a URL names this machine, by address or as `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_reachable_and_loopback_where_allowed() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        for good in ["https://login.example.org", "https://10.0.0.7:8443/realms/x"] {
            assert!(is_reachable(&url(good), false), "{good}");
        }
        for loopback in [
            "http://localhost:9000",
            "http://127.0.0.1:9000/x",
            "http://[::1]:9",
        ] {
            assert!(is_reachable(&url(loopback), true), "{loopback}");
            assert!(!is_reachable(&url(loopback), false), "{loopback}");
        }
        for bad in [
            "http://login.example.org",
            "http://169.254.169.254/latest/meta-data",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "file:///etc/passwd",
            "ftp://localhost",
            "https://a:b@login.example.org",
        ] {
            assert!(!is_reachable(&url(bad), true), "{bad}");
        }
    }
}
