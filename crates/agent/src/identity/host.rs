//! Facts about the host, for enrolment.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use sg_types::agent::HostFacts;

/// Reads the facts that an enrolment registers. `server` decides which interface's addresses are named.
pub fn read_host_facts(server: &str, fingerprint: &str) -> HostFacts {
    let uname = rustix::system::uname();
    let hostname = uname.nodename().to_string_lossy().into_owned();
    let ip_address = address_towards(server);
    HostFacts {
        hostname: if hostname.is_empty() {
            "unnamed".to_owned()
        } else {
            hostname
        },
        ip_address,
        mac_address: ip_address.and_then(mac_address_of),
        os_info: describe_os(
            &fs::read_to_string("/etc/os-release").unwrap_or_default(),
            &uname.sysname().to_string_lossy(),
            &uname.release().to_string_lossy(),
            &uname.machine().to_string_lossy(),
        ),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hardware_fingerprint: fingerprint.to_owned(),
    }
}

fn describe_os(os_release: &str, system: &str, release: &str, machine: &str) -> String {
    let value = |key: &str| {
        let line = os_release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches('"').to_owned()).filter(|text| !text.is_empty())
    };
    let name = value("PRETTY_NAME")
        .or_else(|| value("NAME"))
        .unwrap_or_else(|| "unknown distribution".to_owned());
    format!("{name}, {system} {release} {machine}")
}

/// The address that this machine uses towards the server; where the server is this machine, the one that it uses towards others.
fn address_towards(server: &str) -> Option<IpAddr> {
    let url = Url::parse(server).ok()?;
    let port = url.port_or_known_default()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let target = (host, port).to_socket_addrs().ok()?.next()?;
    let address = route_address(target).or_else(|| {
        TcpStream::connect_timeout(&target, Duration::from_secs(3))
            .ok()?
            .local_addr()
            .ok()
            .map(|local| local.ip())
    })?;
    if address.is_loopback() {
        // 192.0.2.1 is reserved for documentation (RFC 5737): the kernel picks the default route's interface and nothing is sent.
        return route_address(SocketAddr::from(([192, 0, 2, 1], 9))).or(Some(address));
    }
    Some(address)
}

/// Connecting a datagram socket sends nothing, but makes the kernel choose the source address.
fn route_address(target: SocketAddr) -> Option<IpAddr> {
    let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(target).ok()?;
    socket
        .local_addr()
        .ok()
        .map(|local| local.ip())
        .filter(|ip| !ip.is_unspecified())
}

/// The hardware address of the interface that carries an IPv4 or IPv6 address, told by the kernel's tables.
fn mac_address_of(ip: IpAddr) -> Option<String> {
    let interface = match ip {
        IpAddr::V4(ip) => interface_of_route(&fs::read_to_string("/proc/net/route").ok()?, u32::from(ip))?,
        IpAddr::V6(ip) => {
            let wanted = hex::encode(ip.octets());
            let table = fs::read_to_string("/proc/net/if_inet6").ok()?;
            table
                .lines()
                .find(|line| line.starts_with(&wanted))?
                .split_whitespace()
                .nth(5)?
                .to_owned()
        }
    };
    let address = fs::read_to_string(Path::new("/sys/class/net").join(interface).join("address")).ok()?;
    Some(address.trim().to_owned()).filter(|text| text.len() == 17 && text != "00:00:00:00:00:00")
}

/// The interface whose own network contains the address, the narrowest first; else the default route's.
fn interface_of_route(table: &str, ip: u32) -> Option<String> {
    let mut best: Option<(u32, &str)> = None;
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (Some(interface), Some(destination), Some(mask)) =
            (columns.first(), columns.get(1), columns.get(7))
        else {
            continue;
        };
        let (Ok(destination), Ok(mask)) = (
            u32::from_str_radix(destination, 16),
            u32::from_str_radix(mask, 16),
        ) else {
            continue;
        };
        // The table is in network byte order, printed as a little-endian number.
        let (destination, mask) = (destination.swap_bytes(), mask.swap_bytes());
        if ip & mask == destination && best.is_none_or(|(known, _)| mask > known) {
            best = Some((mask, interface));
        }
    }
    best.map(|(_, interface)| interface.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_described_in_words() {
        let text = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(
            describe_os(text, "Linux", "6.1.0", "x86_64"),
            "Debian GNU/Linux 12 (bookworm), Linux 6.1.0 x86_64"
        );
        assert_eq!(
            describe_os("", "Linux", "6", "arm"),
            "unknown distribution, Linux 6 arm"
        );
    }

    #[test]
    fn the_narrowest_route_names_the_interface() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            wlan0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(
            interface_of_route(table, u32::from(std::net::Ipv4Addr::new(10, 0, 2, 7))).as_deref(),
            Some("wlan0")
        );
        assert_eq!(
            interface_of_route(table, u32::from(std::net::Ipv4Addr::new(9, 9, 9, 9))).as_deref(),
            Some("eth0")
        );
        assert_eq!(interface_of_route("", 1), None);
    }

    #[test]
    fn this_machine_has_facts() {
        let facts = read_host_facts("http://127.0.0.1:1", "f");
        assert!(
            !facts.hostname.is_empty() && facts.os_info.contains("Linux"),
            "{facts:?}"
        );
    }
}
