//! What every syslog client of the server needs: RFC 5424 messages, octet-counted frames (RFC 6587 §3.4.1) and TLS (RFC 5425).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the server gets to hang up after a message, or to say that it did not take it.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where a syslog server is: host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// Datagrams.
    Udp(String, u16),
    /// Frames.
    Tcp(String, u16),
    /// Frames within TLS.
    Tls(String, u16),
}

impl Address {
    /// Reads `udp://`, `tcp://` or `tls://` with host and port; the brackets of an IPv6 address are left away.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("begins with tls://, tcp:// or udp://")?;
        let (host, port) = rest.rsplit_once(':').ok_or("ends with a port")?;
        let port: u16 = port.parse().map_err(|_| "ends with a port")?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
        if host.is_empty() || host.len() > 253 || port == 0 || !host.chars().all(letters) {
            return Err("has a host and a port");
        }
        match scheme {
            "udp" => Ok(Self::Udp(host.to_owned(), port)),
            "tcp" => Ok(Self::Tcp(host.to_owned(), port)),
            "tls" => Ok(Self::Tls(host.to_owned(), port)),
            _ => Err("begins with tls://, tcp:// or udp://"),
        }
    }

    /// Host and port.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        match self {
            Self::Udp(host, port) | Self::Tcp(host, port) | Self::Tls(host, port) => (host, *port),
        }
    }
}

/// The name of this machine as a header may carry it.
pub(crate) fn hostname() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    name.replace(|c: char| !c.is_ascii_graphic(), "-")
}

/// `<PRI>1 TIME HOST APP PROCID MSGID STRUCTURED-DATA MSG` up to the message, which begins with a byte order mark, as UTF-8 has to (RFC 5424 §6.4).
pub(crate) fn header(priority: u8, at: DateTime<Utc>, message_id: &str) -> String {
    let time = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    format!(
        "<{priority}>1 {time} {} secureguard - {message_id} - \u{feff}",
        hostname()
    )
}

/// One frame for each message.
pub(crate) fn frame(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend_from_slice(format!("{} ", message.len()).as_bytes());
        bytes.extend_from_slice(message);
    }
    bytes
}

/// TLS that trusts these authorities and no others.
///
/// # Errors
/// In words, when there is none among them.
pub(crate) fn tls_config(ca_pem: &[u8]) -> anyhow::Result<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        roots.add(certificate.context("the authorities cannot be read")?)?;
    }
    anyhow::ensure!(!roots.is_empty(), "no certificate of an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// TLS on a connection, with a server that proves to be `host`.
///
/// # Errors
/// What the handshake says.
pub(crate) async fn start_tls(
    host: &str,
    stream: TcpStream,
    config: Arc<rustls::ClientConfig>,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let name =
        ServerName::try_from(host.to_owned()).with_context(|| format!("{host} is no name of a server"))?;
    let connected = TlsConnector::from(config).connect(name, stream).await;
    connected.with_context(|| format!("no TLS with {host}"))
}

/// Hands one message to the first of these addresses that answers, and hangs up.
///
/// # Errors
/// When nobody takes the connection, or it breaks before the server has hung up or kept quiet for a second.
pub(crate) async fn send_once(
    addresses: &[SocketAddr],
    tls: Option<(&str, Arc<rustls::ClientConfig>)>,
    message: &[u8],
) -> anyhow::Result<()> {
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(addresses)).await??;
    let bytes = frame(&[message.to_vec()]);
    match tls {
        None => write_out(stream, &bytes).await,
        Some((host, config)) => {
            let stream = tokio::time::timeout(CONNECT, start_tls(host, stream, config)).await??;
            write_out(stream, &bytes).await
        }
    }
}

async fn write_out(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> anyhow::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    // A server that is gone answers with a reset.
    let mut rest = [0; 64];
    match tokio::time::timeout(GOODBYE, stream.read(&mut rest)).await {
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        assert_eq!(
            Address::parse("tls://log.example.org:6514"),
            Ok(Address::Tls("log.example.org".to_owned(), 6514))
        );
        assert_eq!(
            Address::parse("udp://[::1]:514"),
            Ok(Address::Udp("::1".to_owned(), 514))
        );
        for bad in [
            "log.example.org:514",
            "tcp://log.example.org",
            "tcp://:514",
            "tcp://a b:514",
            "tcp://a:0",
            "tcp://a:70000",
            "unix:/dev/log",
            "http://a:80",
            "tcp://u@a:514",
            "tcp://a/b:514",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
