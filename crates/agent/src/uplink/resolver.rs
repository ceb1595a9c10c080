//! Names of servers without the C library, for the static program: its `getaddrinfo` would load modules of whatever C library the machine has.

use std::net::SocketAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Asks `/etc/hosts` and the name servers of `/etc/resolv.conf`, both read at each question: questions are rare, and networks change.
/// Where there is no `/etc/resolv.conf`, nobody else is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnResolver;

impl Resolve for OwnResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let mut builder = TokioResolver::builder_tokio()?;
            builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            let found = builder.build()?.lookup_ip(name.as_str()).await?;
            let addresses: Vec<SocketAddr> = found.iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_of_the_hosts_file_are_found_and_others_refused() {
        let local = OwnResolver.resolve("localhost".parse().unwrap()).await.unwrap();
        assert!(local.map(|address| address.ip()).all(|ip| ip.is_loopback()));
        let unknown = OwnResolver
            .resolve("name.that.cannot.exist.invalid".parse().unwrap())
            .await;
        assert!(unknown.is_err());
    }
}
