//! A syslog server (RFC 5424): datagrams to a Unix socket, or octet-counted frames over TCP (RFC 6587 §3.4.1) or TLS (RFC 5425 §4.3).

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixDatagram};
use tokio_rustls::client::TlsStream;

use super::Line;
use crate::config::SyslogSinkConfig;
use crate::syslog::{frame, hostname, start_tls, tls_config};

/// How long connecting, and one delivery, may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Facility 13 (log audit), severity 6 (informational): RFC 5424 §6.2.1.
const PRIORITY: u8 = 13 * 8 + 6;

/// The server.
#[derive(Debug)]
pub struct SyslogSink {
    place: Place,
    hostname: String,
    connection: Option<Connection>,
}

#[derive(Debug)]
enum Place {
    Unix(String),
    Tcp(String),
    Tls(String, Arc<rustls::ClientConfig>),
}

#[derive(Debug)]
enum Connection {
    Unix(UnixDatagram),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl SyslogSink {
    pub(super) fn new(config: &SyslogSinkConfig) -> anyhow::Result<Self> {
        let address = config.address.as_str();
        let place = if let Some(path) = address.strip_prefix("unix:") {
            Place::Unix(path.to_owned())
        } else if let Some(host) = address.strip_prefix("tcp://") {
            Place::Tcp(host.to_owned())
        } else if let Some(host) = address.strip_prefix("tls://") {
            let path = &config.ca_file;
            let pem = std::fs::read(path)
                .with_context(|| format!("cannot read the authorities in {}", path.display()))?;
            let config = tls_config(&pem).with_context(|| path.display().to_string())?;
            Place::Tls(host.to_owned(), config)
        } else {
            anyhow::bail!("audit.syslog.address must begin with unix:/, tcp:// or tls://");
        };
        Ok(Self {
            place,
            hostname: hostname(),
            connection: None,
        })
    }

    pub(super) async fn tell(&mut self, lines: &[Line], at: DateTime<Utc>) -> anyhow::Result<()> {
        let told = tokio::time::timeout(TIMEOUT, self.deliver(lines, at)).await;
        let result =
            told.unwrap_or_else(|_| Err(anyhow::anyhow!("the syslog server did not take it in time")));
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    async fn deliver(&mut self, lines: &[Line], at: DateTime<Utc>) -> anyhow::Result<()> {
        let gone = match &mut self.connection {
            Some(connection) => connection.is_closed().await,
            None => true,
        };
        if gone {
            self.connection = Some(self.connect().await?);
        }
        let messages: Vec<Vec<u8>> = lines
            .iter()
            .map(|line| self.message(line, at))
            .collect::<Result<_, _>>()?;
        match self.connection.as_mut().context("not connected")? {
            Connection::Unix(socket) => {
                for (line, message) in lines.iter().zip(&messages) {
                    if let Err(error) = socket.send(message).await {
                        let small = shorten(line).filter(|_| is_too_long(&error)).ok_or(error)?;
                        socket.send(&format_message(&self.hostname, &small, at)?).await?;
                    }
                }
            }
            Connection::Tcp(stream) => {
                stream.write_all(&frame(&messages)).await?;
                stream.flush().await?;
            }
            Connection::Tls(stream) => {
                stream.write_all(&frame(&messages)).await?;
                stream.flush().await?;
            }
        }
        Ok(())
    }

    fn message(&self, line: &Line, at: DateTime<Utc>) -> serde_json::Result<Vec<u8>> {
        format_message(&self.hostname, line, at)
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        match &self.place {
            Place::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket
                    .connect(path)
                    .with_context(|| format!("cannot reach {path}"))?;
                Ok(Connection::Unix(socket))
            }
            Place::Tcp(address) => Ok(Connection::Tcp(open(address).await?)),
            Place::Tls(address, config) => {
                let host = address
                    .rsplit_once(':')
                    .map_or(address.as_str(), |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let stream = start_tls(host, open(address).await?, config.clone()).await?;
                Ok(Connection::Tls(Box::new(stream)))
            }
        }
    }
}

impl Connection {
    /// Whether the other side has hung up: it sends nothing otherwise, and what is written then is lost without an error.
    async fn is_closed(&mut self) -> bool {
        let mut byte = [0; 64];
        let at_once = Duration::from_millis(1);
        let read = match self {
            Self::Unix(_) => return false,
            Self::Tcp(stream) => tokio::time::timeout(at_once, stream.read(&mut byte)).await,
            Self::Tls(stream) => tokio::time::timeout(at_once, stream.read(&mut byte)).await,
        };
        matches!(read, Ok(Ok(0) | Err(_)))
    }
}

async fn open(address: &str) -> anyhow::Result<TcpStream> {
    TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot reach {address}"))
}

/// `<PRI>1 TIME HOST APP PROCID MSGID STRUCTURED-DATA MSG`; the message begins with a byte order mark, as UTF-8 has to (RFC 5424 §6.4).
fn format_message(hostname: &str, line: &Line, at: DateTime<Utc>) -> serde_json::Result<Vec<u8>> {
    let time = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let mut message = format!("<{PRIORITY}>1 {time} {hostname} secureguard - audit - \u{feff}").into_bytes();
    serde_json::to_writer(&mut message, line)?;
    Ok(message)
}

fn is_too_long(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())
}

/// A link without its row, which does not fit into a datagram; its hash still stands for it.
fn shorten(line: &Line) -> Option<Line> {
    match line {
        Line::Entry(entry) => {
            let mut entry = entry.clone();
            entry.row = None;
            Some(Line::Entry(entry))
        }
        Line::Checkpoint(_) => None,
    }
}
