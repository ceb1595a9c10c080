//! What a first look at a suspicious machine needs. Each part is bounded; one that cannot be read says so and leaves the others alone.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::Result;

use super::{Done, Tools, processes};
use crate::respond::output::Output;

/// Characters of one file at most.
const MAX_FILE_CHARS: usize = 32 * 1024;
/// Names in a listing at most.
const MAX_NAMES: usize = 500;

const FILES: [&str; 12] = [
    "/etc/os-release",
    "/proc/version",
    "/proc/cmdline",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/mounts",
    "/proc/modules",
    "/etc/passwd",
    "/etc/group",
    "/etc/crontab",
    "/etc/ld.so.preload",
];
const FOLDERS: [&str; 8] = [
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/var/spool/cron/crontabs",
    "/etc/systemd/system",
    "/etc/sudoers.d",
    "/tmp",
    "/dev/shm",
];

pub(super) fn collect(tools: &Tools, output: &Output) -> Result<Done> {
    let mut missing = 0;
    for path in FILES {
        heading(output, path);
        match fs::read(path) {
            Ok(content) => {
                let text = String::from_utf8_lossy(&content);
                output.line(&text.chars().take(MAX_FILE_CHARS).collect::<String>());
            }
            Err(error) => {
                missing += 1;
                output.line(&format!("not readable: {error}"));
            }
        }
    }
    for path in FOLDERS {
        heading(output, path);
        list_folder(Path::new(path), output);
    }
    heading(output, "sockets");
    for protocol in ["tcp", "tcp6", "udp", "udp6"] {
        let table = fs::read_to_string(format!("/proc/net/{protocol}")).unwrap_or_default();
        table
            .lines()
            .skip(1)
            .filter_map(|line| describe_socket(protocol, line))
            .for_each(|line| output.line(&line));
    }
    heading(output, "processes");
    let processes = processes::list(tools, output)?;
    heading(output, "agent");
    output.line(&serde_json::to_string_pretty(&tools.health.snapshot())?);
    Done::saying(format!(
        "{}; {missing} files were not readable",
        processes.summary
    ))
}

fn heading(output: &Output, title: &str) {
    output.line(&format!("\n== {title}"));
}

fn list_folder(path: &Path, output: &Output) {
    use std::os::unix::fs::MetadataExt;
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return output.line(&format!("not readable: {error}")),
    };
    let mut lines: Vec<String> = entries
        .flatten()
        .take(MAX_NAMES)
        .map(|entry| {
            let metadata = entry.path().symlink_metadata().ok();
            let (mode, uid, size, modified) = metadata.map_or((0, 0, 0, 0), |m| {
                (m.mode() & 0o177_777, m.uid(), m.size(), m.mtime())
            });
            format!("{mode:06o} {uid} {size} {modified} {:?}", entry.file_name())
        })
        .collect();
    lines.sort();
    lines.iter().for_each(|line| output.line(line));
}

/// `sl local_address rem_address st …`, addresses as words of the machine's byte order in hex.
fn describe_socket(protocol: &str, line: &str) -> Option<String> {
    let mut columns = line.split_whitespace().skip(1);
    let (local, remote, state) = (columns.next()?, columns.next()?, columns.next()?);
    let uid = columns.nth(3)?;
    let state = match state {
        "01" => "established",
        "0A" => "listening",
        "07" if protocol.starts_with("udp") => "open",
        other => {
            return Some(format!(
                "{protocol} {} {} state {other} uid {uid}",
                address(local)?,
                address(remote)?
            ));
        }
    };
    Some(format!(
        "{protocol} {} {} {state} uid {uid}",
        address(local)?,
        address(remote)?
    ))
}

fn address(text: &str) -> Option<String> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if host.len() == 8 {
        let host = Ipv4Addr::from(u32::from_str_radix(host, 16).ok()?.to_ne_bytes());
        return Some(format!("{host}:{port}"));
    }
    let mut bytes = Vec::with_capacity(16);
    for word in 0..4 {
        let word = u32::from_str_radix(host.get(word * 8..word * 8 + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let host = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    Some(format!("[{host}]:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn sockets_are_told_in_words() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1";
        assert_eq!(
            describe_socket("tcp", line).unwrap(),
            "tcp 127.0.0.1:8080 0.0.0.0:0 listening uid 1000"
        );
        let line =
            "0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A a b c 0 0 1";
        assert_eq!(
            describe_socket("tcp6", line).unwrap(),
            "tcp6 [::1]:22 [::]:0 listening uid 0"
        );
        assert_eq!(describe_socket("tcp", "nonsense"), None);
    }
}
