//! A syslog server: RFC 5424 over TLS (RFC 5425), TCP with counted octets (RFC 6587 §3.4.1) or UDP (RFC 5426). Syslog acknowledges nothing: what was
//! handed to a connection that then breaks may be lost or come twice.

use sg_types::Severity;
use sg_types::api::notifications::SyslogFormat;
use tokio::net::UdpSocket;

use super::{Letter, Refusal};
use crate::AppState;
use crate::syslog::{self, Address};
use crate::users::providers::outbound::look_up;

/// Facility 14 (log alert, RFC 5424 §6.2.1).
const FACILITY: u8 = 14;
/// Bytes of a datagram that every receiver takes (RFC 5426 §3.2).
const DATAGRAM_BYTES: usize = 2_048;

pub(super) async fn send(
    state: &AppState,
    address: &str,
    format: SyslogFormat,
    ca_pem: Option<&str>,
    letter: &Letter,
) -> Result<Option<i32>, Refusal> {
    let address = Address::parse(address).map_err(|_| Refusal::permanent("the address is none"))?;
    let message = compose(letter, format);
    let (host, port) = address.host_and_port();
    let found = look_up(host, port, !state.tls)
        .await
        .map_err(|_| Refusal::passing("the address cannot be found, or is not one that is gone to"))?;
    let result = match &address {
        Address::Udp(..) => send_datagram(&found, &message).await,
        Address::Tcp(..) => syslog::send_once(&found, None, &message).await,
        Address::Tls(host, _) => {
            let tls = syslog::tls_config(ca_pem.unwrap_or_default().as_bytes())
                .map_err(|_| Refusal::permanent("the certificates to trust cannot be read"))?;
            syslog::send_once(&found, Some((host, tls)), &message).await
        }
    };
    result.map(|()| None).map_err(|_| {
        Refusal::passing("no connection: nobody listens there, it broke, or the certificate is not trusted")
    })
}

async fn send_datagram(found: &[std::net::SocketAddr], message: &[u8]) -> anyhow::Result<()> {
    let to = found.first().ok_or_else(|| anyhow::anyhow!("no address"))?;
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(to).await?;
    socket
        .send(message.get(..DATAGRAM_BYTES).unwrap_or(message))
        .await?;
    Ok(())
}

fn compose(letter: &Letter, format: SyslogFormat) -> Vec<u8> {
    let severity = match (letter.is_over, letter.severity) {
        (true, _) => 6,
        (_, Severity::Low) => 5,
        (_, Severity::Medium) => 4,
        (_, Severity::High) => 3,
        (_, Severity::Critical) => 2,
    };
    let mut message = syslog::header(FACILITY * 8 + severity, letter.at, letter.kind).into_bytes();
    match format {
        SyslogFormat::Json => message.extend_from_slice(letter.to_json().to_string().as_bytes()),
        SyslogFormat::Cef => message.extend_from_slice(cef(letter).as_bytes()),
    }
    message
}

/// `CEF:0|vendor|product|version|signature|name|severity|extension`.
fn cef(letter: &Letter) -> String {
    let severity = match letter.severity {
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    };
    let mut extension = vec![
        ("rt", letter.at.timestamp_millis().to_string()),
        ("externalId", letter.thing.clone()),
        ("cs1Label", "console".to_owned()),
        ("cs1", letter.url.clone()),
    ];
    if let Some(host) = letter.data["endpoint"]["hostname"].as_str() {
        extension.push(("dvchost", super::super::letter::clean(host)));
    }
    let facts: Vec<String> = letter
        .facts
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    extension.push(("msg", facts.join("; ")));
    let extension: Vec<String> = extension
        .into_iter()
        .map(|(key, value)| format!("{key}={}", value.replace('\\', "\\\\").replace('=', "\\=")))
        .collect();
    format!(
        "CEF:0|SecureGuard|SecureGuard|{}|{}|{}|{severity}|{}",
        env!("CARGO_PKG_VERSION"),
        letter.kind,
        letter.plain_title().replace('\\', "\\\\").replace('|', "\\|"),
        extension.join(" ")
    )
}
