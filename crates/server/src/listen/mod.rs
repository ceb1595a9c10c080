//! The listener: takes connections, speaks TLS where it must, and lets running requests finish when the server stops.

mod accept;
mod certificates;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

pub use accept::serve;
pub use certificates::{CertificateError, Certificates, server_names};

use crate::config::Config;
use crate::http::AllowedHosts;

/// A bound port that nothing is served on yet.
#[derive(Debug)]
pub struct Port {
    tcp: TcpListener,
    address: SocketAddr,
}

/// A bound listener and how it speaks.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    tls: Option<Certificates>,
    hosts: AllowedHosts,
    public_url: String,
}

impl Port {
    /// Binds an address; touches nothing else.
    ///
    /// # Errors
    /// In words: the port is taken, the address is not ours.
    pub async fn bind(wanted: SocketAddr) -> anyhow::Result<Self> {
        let tcp = TcpListener::bind(wanted)
            .await
            .map_err(|error| explain_bind(wanted, &error))?;
        let address = tcp.local_addr().context("the listener has no address")?;
        Ok(Self { tcp, address })
    }

    /// Reads or makes certificates where the address needs them.
    ///
    /// # Errors
    /// In words: plain HTTP outside loopback, certificates that cannot be used.
    pub fn secure(self, config: &Config, clock: &dyn sg_types::Clock) -> anyhow::Result<Listener> {
        let Self { tcp, address } = self;
        let speaks_tls = config.tls.applies_to(address).map_err(anyhow::Error::msg)?;
        let public = config.http.public_url.as_ref();
        let (tls, hosts) = if speaks_tls {
            let names = server_names(address, public);
            let certificates =
                Certificates::load(&config.tls, &config.data_dir.join("tls"), &names, clock.now())?;
            let hosts = match certificates.ca_file() {
                Some(_) => AllowedHosts::network(&names, public),
                None => AllowedHosts::given_certificate(),
            };
            (Some(certificates), hosts)
        } else {
            (None, AllowedHosts::loopback(public))
        };
        let public_url = public.map_or_else(|| own_url(address, tls.is_some()), ToString::to_string);
        Ok(Listener {
            tcp,
            address,
            tls,
            hosts,
            public_url,
        })
    }
}

impl Listener {
    /// The address it really listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The names it answers to.
    pub fn hosts(&self) -> &AllowedHosts {
        &self.hosts
    }

    /// The URL to give to people; `localhost` on loopback, because passkeys refuse bare addresses.
    pub fn url(&self) -> &str {
        &self.public_url
    }

    /// The certificates, where it speaks TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.tls.as_ref()
    }

    fn into_parts(self) -> anyhow::Result<(TcpListener, Option<Arc<rustls::ServerConfig>>)> {
        let tls = self
            .tls
            .map(|certificates| certificates.server_config())
            .transpose()?;
        Ok((self.tcp, tls))
    }
}

fn own_url(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let port = address.port();
    if address.ip().is_loopback() {
        return format!("{scheme}://localhost:{port}");
    }
    if address.ip().is_unspecified() {
        let host = certificates::host_name().unwrap_or_else(|| "localhost".to_owned());
        return format!("{scheme}://{host}:{port}");
    }
    format!("{scheme}://{address}")
}

fn explain_bind(wanted: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!(
            "{wanted} is in use by another program; stop it, or listen elsewhere with --listen, for example --listen {}:0 for a free port",
            wanted.ip()
        ),
        ErrorKind::AddrNotAvailable => anyhow::anyhow!(
            "this machine has no address {}; give one of its own with --listen",
            wanted.ip()
        ),
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "listening on port {} needs privileges; take a port above 1023 with --listen, or allow it with CAP_NET_BIND_SERVICE",
            wanted.port()
        ),
        _ => anyhow::anyhow!("cannot listen on {wanted}: {error}"),
    }
}
