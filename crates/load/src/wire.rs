//! HTTP/1.1 with as little as a load needs: one request at a time, answers with a Content-Length.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

/// Source addresses that connections are spread over: the ports of one do not last for a connection per check-in.
const SOURCES: usize = 250;
/// Bytes of an answer at most.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// A server on this machine.
#[derive(Debug, Clone)]
pub struct Target {
    address: SocketAddr,
    tls: Option<ClientConfig>,
}

impl Target {
    /// The server at a port of 127.0.0.1, given as the end of `url`. With the PEM file of an authority it is spoken to by TLS, as `localhost`.
    ///
    /// # Errors
    /// No port, or a file that holds no certificates.
    pub fn new(url: &str, ca_file: Option<&Path>) -> Result<Self> {
        let port = url.trim_end_matches('/').rsplit(':').next();
        let port: u16 = port
            .and_then(|port| port.parse().ok())
            .with_context(|| format!("{url} names no port"))?;
        let tls = match ca_file {
            None => None,
            Some(file) => {
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(file).context("the authority's file")? {
                    roots.add(certificate.context("the authority's file")?)?;
                }
                let config = ClientConfig::builder().with_root_certificates(roots);
                Some(config.with_no_client_auth())
            }
        };
        Ok(Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            tls,
        })
    }
}

/// One client: at most one connection at a time, and TLS sessions of its own.
pub struct Client {
    address: SocketAddr,
    from: Ipv4Addr,
    tls: Option<TlsConnector>,
    keeps: bool,
    kept: Option<Box<dyn Duplex>>,
    buffer: Vec<u8>,
    /// Connections that resumed a TLS session.
    pub resumed: usize,
    /// Connections with a whole TLS handshake.
    pub full: usize,
}

/// What the server said.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// When to come back, where it says so.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// The client with a number, by which it chooses where it comes from. It keeps its connection, or makes one for each request.
    pub fn new(target: &Target, number: usize, keeps: bool) -> Self {
        let tls = target.tls.clone().map(|mut config| {
            config.resumption = Resumption::default();
            TlsConnector::from(Arc::new(config))
        });
        let last = u8::try_from(number % SOURCES).unwrap_or(0) + 1;
        Self {
            address: target.address,
            from: Ipv4Addr::new(127, 0, 1, last),
            tls,
            keeps,
            kept: None,
            buffer: Vec::with_capacity(4_096),
            resumed: 0,
            full: 0,
        }
    }

    /// Sends a whole request and reads its answer.
    ///
    /// # Errors
    /// Whatever cuts the connection: whether the request was understood is not known then.
    pub async fn call(&mut self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = match self.kept.take() {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        stream.write_all(request).await?;
        stream.flush().await?;
        let (answer, closes) = read_answer(&mut stream, &mut self.buffer).await?;
        if self.keeps && !closes {
            self.kept = Some(stream);
        } else {
            // The answer is here; how the connection ends is of no interest.
            let _ = stream.shutdown().await;
        }
        Ok(answer)
    }

    /// A POST of JSON.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn post(&mut self, path: &str, token: &str, body: &[u8]) -> io::Result<Answer> {
        self.call(&compose("POST", path, token, "", body)).await
    }

    /// A GET.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn get(&mut self, path: &str, token: &str) -> io::Result<Answer> {
        self.call(&compose("GET", path, token, "", &[])).await
    }

    async fn connect(&mut self) -> io::Result<Box<dyn Duplex>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.from, 0).into())?;
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let stream = tls.connect(name, stream).await?;
        match stream.get_ref().1.handshake_kind() {
            Some(HandshakeKind::Resumed) => self.resumed += 1,
            _ => self.full += 1,
        }
        Ok(Box::new(stream))
    }
}

/// A request's bytes; `headers` are whole lines.
pub(crate) fn compose(method: &str, path: &str, token: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// Reads one answer; also whether the server closes the connection behind it.
async fn read_answer(stream: &mut Box<dyn Duplex>, buffer: &mut Vec<u8>) -> io::Result<(Answer, bool)> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(found) = parse_answer(buffer)? {
            return Ok(found);
        }
        if buffer.len() > MAX_ANSWER {
            return Err(io::Error::other("an answer without an end"));
        }
    }
}

/// The answer, once all of it is there.
fn parse_answer(bytes: &[u8]) -> io::Result<Option<(Answer, bool)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("an answer without a status"))?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value.trim().to_owned())
    };
    let length = match header("content-length") {
        Some(length) => length.parse().map_err(io::Error::other)?,
        None if status == 204 => 0,
        None => return Err(io::Error::other("an answer without a length")),
    };
    let Some(body) = body.get(..length) else {
        return Ok(None);
    };
    let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
    let answer = Answer {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        body: body.to_vec(),
    };
    Ok(Some((
        answer,
        header("connection").is_some_and(|value| value == "close"),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_once_it_is_whole() {
        let text = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
        for cut in 0..text.len() {
            assert!(parse_answer(&text[..cut]).unwrap().is_none(), "{cut}");
        }
        let (answer, closes) = parse_answer(text).unwrap().unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice(), closes),
            (503, &b"abc"[..], true)
        );
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn nonsense_is_an_error_and_no_panic() {
        for text in [
            "\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        ] {
            assert!(parse_answer(text.as_bytes()).is_err(), "{text:?}");
        }
        let (answer, _) = parse_answer(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert!(answer.body.is_empty() && answer.retry_after.is_none());
    }
}
