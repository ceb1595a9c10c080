//! Requests to servers that a tenant's administrator names: TLS only, no redirects, bounded in time and size.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
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
    /// The name leads to nowhere that we go to.
    #[error("the name leads to no address that is gone to")]
    Address,
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
        Self::make(ca_pem, allow_loopback, |builder| builder)
    }

    /// As [`Outbound::new`], and names that lead to this machine or to the link, where metadata services of clouds are, lead nowhere.
    pub(crate) fn guarded(ca_pem: Option<&str>, allow_loopback: bool) -> Result<Self, OutboundError> {
        Self::make(ca_pem, allow_loopback, |builder| {
            builder.dns_resolver(Arc::new(GuardedResolver { allow_loopback }))
        })
    }

    fn make(
        ca_pem: Option<&str>,
        allow_loopback: bool,
        guard: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, OutboundError> {
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
            client: guard(builder).build()?,
            allow_loopback,
        })
    }

    /// Sends `body` and returns the answer's head; its body is not read.
    pub(crate) async fn post(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<PostAnswer, OutboundError> {
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::from(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::from(ip)),
            _ => None,
        };
        if !is_reachable(url, self.allow_loopback)
            || literal.is_some_and(|ip| !is_public_enough(ip, self.allow_loopback))
        {
            return Err(OutboundError::Address);
        }
        let mut request = self.client.post(url.clone()).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        // The address may hold a token.
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        let retry_after = answer.headers().get("retry-after");
        Ok(PostAnswer {
            status: answer.status().as_u16(),
            retry_after: retry_after
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
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

/// What came back for a body that was sent.
#[derive(Debug, Clone)]
pub(crate) struct PostAnswer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `Retry-After`, as it is.
    pub(crate) retry_after: Option<String>,
}

/// Leaves out where we do not go, after the name was looked up: a name that changes its address in between gains nothing.
struct GuardedResolver {
    allow_loopback: bool,
}

impl reqwest::dns::Resolve for GuardedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let allow_loopback = self.allow_loopback;
        Box::pin(async move {
            let found = look_up(name.as_str(), 0, allow_loopback).await?;
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// The addresses of a name that we go to.
pub(crate) async fn look_up(
    host: &str,
    port: u16,
    allow_loopback: bool,
) -> Result<Vec<SocketAddr>, OutboundError> {
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| OutboundError::Address)?;
    let found: Vec<_> = found
        .filter(|address| is_public_enough(address.ip(), allow_loopback))
        .collect();
    if found.is_empty() {
        return Err(OutboundError::Address);
    }
    Ok(found)
}

/// Whether an address is neither this machine's, unless that is allowed, nor one of the link (RFC 3927, RFC 4291 §2.5.6) or of many. Networks of an
/// organisation's own are gone to: that is where its servers are.
fn is_public_enough(ip: IpAddr, allow_loopback: bool) -> bool {
    let ip = ip.to_canonical();
    let of_link = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast() || ip.octets()[0] == 0,
        // The metadata service of AWS has an address of its own among the unique local ones.
        IpAddr::V6(ip) => {
            ip.is_unicast_link_local() || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        }
    };
    !of_link && !ip.is_unspecified() && !ip.is_multicast() && (allow_loopback || !ip.is_loopback())
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
    fn this_machine_the_link_and_metadata_services_are_left_alone() {
        let enough = |text: &str, loopback| is_public_enough(text.parse().unwrap(), loopback);
        for good in ["192.0.2.1", "10.0.0.7", "192.168.1.1", "2001:db8::1", "fd12::1"] {
            assert!(enough(good, false), "{good}");
        }
        for loopback in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert!(enough(loopback, true) && !enough(loopback, false), "{loopback}");
        }
        for bad in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(!enough(bad, true), "{bad}");
        }
    }

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
