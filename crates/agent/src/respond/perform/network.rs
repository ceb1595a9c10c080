//! Cutting the endpoint off by nftables: loopback and the server stay, everything else is dropped, connections that exist included.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sg_types::CommandId;

use super::{Done, Tools, run_tool};
use crate::identity::StateDir;

/// The name of the file that says that this endpoint is isolated, also across a restart.
const ISOLATION_FILE: &str = "isolation.json";
const TABLE: &str = "inet secureguard_isolation";
/// How long the server may take to answer once everything else is cut off.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
struct Isolation {
    command_id: CommandId,
    since: DateTime<Utc>,
    server: Vec<SocketAddr>,
}

pub(super) fn isolate(tools: &Tools, command_id: CommandId) -> Result<Done> {
    let server = resolve(&tools.server)?;
    let isolation = Isolation {
        command_id,
        since: tools.clock.now(),
        server,
    };
    // Before the rules: an agent that is killed in between isolates at its next start instead of forgetting to release.
    tools.state.replace_json(ISOLATION_FILE, &isolation)?;
    if let Err(error) = apply(&isolation.server) {
        tools.state.remove(ISOLATION_FILE)?;
        return Err(error);
    }
    if !reaches(&isolation.server) {
        remove_rules()?;
        tools.state.remove(ISOLATION_FILE)?;
        bail!("the server was not reachable any more, so that the isolation was taken back");
    }
    run_tool("nft", &["list", "table", "inet", "secureguard_isolation"], "")
        .context("the rules are not there although they were loaded")?;
    let server: Vec<String> = isolation.server.iter().map(ToString::to_string).collect();
    Done::saying(format!(
        "only loopback and the server ({}) are reached",
        server.join(", ")
    ))
}

pub(super) fn release(tools: &Tools) -> Result<Done> {
    if tools.state.read_json::<Isolation>(ISOLATION_FILE)?.is_none() {
        bail!("this endpoint is not isolated");
    }
    remove_rules()?;
    tools.state.remove(ISOLATION_FILE)?;
    if has_rules() {
        bail!("the rules are still there");
    }
    Done::saying("the isolation has ended")
}

/// Isolates again after a restart of the machine; what to do when that fails is for people.
pub(crate) fn restore_isolation(state: &StateDir) {
    let isolation = match state.read_json::<Isolation>(ISOLATION_FILE) {
        Ok(Some(isolation)) => isolation,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(
                error = format!("{error:#}"),
                "whether this endpoint is isolated cannot be read"
            );
            return;
        }
    };
    match apply(&isolation.server) {
        Ok(()) => {
            tracing::warn!(since = %isolation.since, command.id = %isolation.command_id, "this endpoint is isolated")
        }
        Err(error) => tracing::error!(
            error = format!("{error:#}"),
            "this endpoint should be isolated and is not"
        ),
    }
}

fn resolve(server: &str) -> Result<Vec<SocketAddr>> {
    let url = Url::parse(server).context("the server's URL cannot be read")?;
    let host = url.host_str().context("the server's URL has no host")?;
    let port = url
        .port_or_known_default()
        .context("the server's URL has no port")?;
    let addresses: Vec<SocketAddr> = (host.trim_matches(['[', ']']), port)
        .to_socket_addrs()
        .with_context(|| format!("cannot resolve {host}"))?
        .collect();
    if addresses.is_empty() {
        bail!("{host} has no address");
    }
    Ok(addresses)
}

/// Loads the table as a whole, in the place of one that is there.
fn apply(server: &[SocketAddr]) -> Result<()> {
    run_tool("nft", &["-f", "-"], &ruleset(server))
        .map(drop)
        .context("nftables is needed to isolate an endpoint")
}

fn remove_rules() -> Result<()> {
    run_tool(
        "nft",
        &["-f", "-"],
        &format!("table {TABLE}\ndelete table {TABLE}\n"),
    )
    .map(drop)
}

fn has_rules() -> bool {
    run_tool("nft", &["list", "table", "inet", "secureguard_isolation"], "").is_ok()
}

fn reaches(server: &[SocketAddr]) -> bool {
    server
        .iter()
        .any(|address| TcpStream::connect_timeout(address, PATIENCE).is_ok())
}

/// Neighbour discovery is how IPv6 finds the way to the server at all (RFC 4861).
fn ruleset(server: &[SocketAddr]) -> String {
    let mut input = String::new();
    let mut output = String::new();
    for address in server {
        let family = match address.ip() {
            IpAddr::V4(_) => "ip",
            IpAddr::V6(_) => "ip6",
        };
        let (ip, port) = (address.ip(), address.port());
        let _ = writeln!(input, "    {family} saddr {ip} tcp sport {port} accept");
        let _ = writeln!(output, "    {family} daddr {ip} tcp dport {port} accept");
    }
    let neighbours =
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, nd-router-solicit } accept";
    format!(
        "table {TABLE}
delete table {TABLE}
table {TABLE} {{
  chain input {{
    type filter hook input priority -300; policy drop;
    iif \"lo\" accept
    {neighbours}
{input}  }}
  chain forward {{
    type filter hook forward priority -300; policy drop;
  }}
  chain output {{
    type filter hook output priority -300; policy drop;
    oif \"lo\" accept
    {neighbours}
{output}  }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_the_server_are_let_through() {
        let rules = ruleset(&[
            "192.0.2.7:443".parse().unwrap(),
            "[2001:db8::1]:8443".parse().unwrap(),
        ]);
        for line in [
            "ip saddr 192.0.2.7 tcp sport 443 accept",
            "ip daddr 192.0.2.7 tcp dport 443 accept",
            "ip6 daddr 2001:db8::1 tcp dport 8443 accept",
        ] {
            assert!(rules.contains(line), "{rules}");
        }
        assert_eq!(rules.matches("policy drop").count(), 3);
        assert_eq!(rules.matches(" accept").count(), 8, "{rules}");
    }

    #[test]
    fn the_server_is_found_by_name_and_address() {
        let port = |url: &str| resolve(url).unwrap().first().unwrap().port();
        assert_eq!(port("https://127.0.0.1"), 443);
        assert_eq!(port("http://[::1]:8080"), 8080);
        assert!(resolve("http://localhost:1").is_ok());
        assert!(resolve("nonsense").is_err());
    }
}
