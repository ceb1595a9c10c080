//! Samples of the machine's health, read from the kernel's own files.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use sg_types::Clock;
use sg_types::agent::{InterfaceUsage, Metrics, RecordBody};

use super::services::Services;
use crate::platform::StopReceiver;
use crate::spool::{Draft, WriterHandle};

/// Time between the two readings that the first sample needs.
const FIRST_SPAN: Duration = Duration::from_secs(1);
/// Interfaces told at most.
const MAX_INTERFACES: usize = 64;

/// Takes samples until the agent stops; the first one within two seconds.
pub fn run_metrics(interval: Duration, writer: &WriterHandle, clock: &dyn Clock, stop: &StopReceiver) {
    let mut sampler = Sampler::default();
    sampler.read_counters();
    let mut wait = FIRST_SPAN;
    let mut prompt = true;
    while !stop.wait(wait) {
        let metrics = sampler.sample();
        writer.try_send(Draft {
            at: clock.now(),
            body: RecordBody::Metrics(metrics),
            prompt,
        });
        (wait, prompt) = (interval, false);
    }
}

/// Remembers the counters of the sample before.
#[derive(Debug, Default)]
struct Sampler {
    cpu: CpuTimes,
    interfaces: BTreeMap<String, (u64, u64)>,
    read_at: Option<Instant>,
    services: Services,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct CpuTimes {
    busy: u64,
    total: u64,
}

impl Sampler {
    fn sample(&mut self) -> Metrics {
        let (cpu, interfaces, read_at) = (self.cpu, self.interfaces.clone(), self.read_at);
        self.read_counters();
        let seconds = read_at.map_or(1.0, |at| at.elapsed().as_secs_f64()).max(0.001);
        Metrics {
            cpu_usage: cpu_usage(cpu, self.cpu),
            memory_usage: memory_usage(&read("/proc/meminfo")),
            disk_usage: fullest_disk(&read("/proc/self/mounts")),
            network_usage: rates(&interfaces, &self.interfaces, seconds),
            uptime: read("/proc/uptime")
                .split('.')
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            process_count: count_processes(),
            service_status: self.services.read(),
        }
    }

    fn read_counters(&mut self) {
        self.cpu = parse_cpu(&read("/proc/stat"));
        self.interfaces = parse_interfaces(&read("/proc/net/dev"));
        self.read_at = Some(Instant::now());
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first line of `/proc/stat`; guest times are contained in user times, idle and iowait are not busy.
fn parse_cpu(text: &str) -> CpuTimes {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("cpu "))
        .unwrap_or_default();
    let times: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .filter_map(|number| number.parse().ok())
        .collect();
    let total = times.iter().sum();
    let idle: u64 = times.iter().skip(3).take(2).sum();
    CpuTimes {
        busy: total - idle,
        total,
    }
}

fn cpu_usage(before: CpuTimes, after: CpuTimes) -> f64 {
    let total = after.total.saturating_sub(before.total);
    if total == 0 {
        return 0.0;
    }
    percent(after.busy.saturating_sub(before.busy) as f64, total as f64)
}

fn memory_usage(text: &str) -> f64 {
    let value = |key: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    match (
        value("MemTotal:"),
        value("MemAvailable:").or_else(|| value("MemFree:")),
    ) {
        (Some(total), Some(available)) => percent(total - available, total),
        _ => 0.0,
    }
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole <= 0.0 {
        return 0.0;
    }
    ((part / whole * 10_000.0).round() / 100.0).clamp(0.0, 100.0)
}

/// The fullest file system that lies on a local block device (or is an overlay's root).
fn fullest_disk(mounts: &str) -> f64 {
    let mut fullest: f64 = 0.0;
    for (device, target, kind) in mounts.lines().filter_map(parse_mount) {
        let local = device.starts_with("/dev/") && !matches!(kind, "squashfs" | "iso9660" | "udf" | "erofs");
        let root = target == "/" && matches!(kind, "overlay" | "zfs" | "btrfs");
        if !local && !root {
            continue;
        }
        let Ok(stat) = rustix::fs::statvfs(unescape_mount(target)) else {
            continue;
        };
        let used = stat.f_blocks.saturating_sub(stat.f_bfree);
        fullest = fullest.max(percent(used as f64, (used + stat.f_bavail) as f64));
    }
    fullest
}

fn parse_mount(line: &str) -> Option<(&str, &str, &str)> {
    let mut columns = line.split(' ');
    Some((columns.next()?, columns.next()?, columns.next()?))
}

/// Blanks in mount points are written as `\040`.
fn unescape_mount(target: &str) -> String {
    target
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

/// Received and sent bytes by interface, the loopback interface left out.
fn parse_interfaces(text: &str) -> BTreeMap<String, (u64, u64)> {
    let mut interfaces = BTreeMap::new();
    for line in text.lines().skip(2) {
        let Some((name, numbers)) = line.split_once(':') else {
            continue;
        };
        let numbers: Vec<u64> = numbers
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        if let (Some(received), Some(sent)) = (numbers.first(), numbers.get(8))
            && name.trim() != "lo"
            && interfaces.len() < MAX_INTERFACES
        {
            interfaces.insert(name.trim().to_owned(), (*received, *sent));
        }
    }
    interfaces
}

fn rates(
    before: &BTreeMap<String, (u64, u64)>,
    after: &BTreeMap<String, (u64, u64)>,
    seconds: f64,
) -> Vec<InterfaceUsage> {
    let rate = |after: u64, before: u64| (after.saturating_sub(before) as f64 / seconds) as u64;
    let mut usage = Vec::new();
    for (interface, (received, sent)) in after {
        let (received_before, sent_before) = before.get(interface).copied().unwrap_or((*received, *sent));
        usage.push(InterfaceUsage {
            interface: interface.clone(),
            rx_bytes_per_second: rate(*received, received_before),
            tx_bytes_per_second: rate(*sent, sent_before),
        });
    }
    usage
}

fn count_processes() -> u32 {
    let Ok(entries) = fs::read_dir("/proc") else {
        return 0;
    };
    let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit);
    entries
        .flatten()
        .filter(|entry| is_process(&entry.file_name()))
        .count()
        .try_into()
        .unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_use_is_the_share_that_was_not_idle() {
        let before = parse_cpu("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3 4\n");
        assert_eq!(
            before,
            CpuTimes {
                busy: 200,
                total: 1000
            }
        );
        assert_eq!(
            cpu_usage(
                before,
                CpuTimes {
                    busy: 250,
                    total: 1100
                }
            ),
            50.0
        );
        assert_eq!(cpu_usage(before, before), 0.0);
        assert_eq!(cpu_usage(before, CpuTimes { busy: 0, total: 0 }), 0.0);
    }

    #[test]
    fn memory_in_use_is_what_is_not_available() {
        assert_eq!(
            memory_usage("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n"),
            75.0
        );
        assert_eq!(memory_usage(""), 0.0);
    }

    #[test]
    fn traffic_is_a_rate_and_a_restarted_counter_is_none() {
        let text = |lo, rx, tx| {
            format!(
                "Inter-| x\n face | y\n    lo: {lo} 0 0 0 0 0 0 0 {lo} 0\n  eth0: {rx} 1 0 0 0 0 0 0 {tx} 1 0\n"
            )
        };
        let before = parse_interfaces(&text(5, 1000, 2000));
        let after = parse_interfaces(&text(9, 3000, 1000));
        let usage = rates(&before, &after, 2.0);
        assert_eq!(usage.len(), 1);
        assert_eq!(
            (usage[0].rx_bytes_per_second, usage[0].tx_bytes_per_second),
            (1000, 0)
        );
        assert_eq!(rates(&BTreeMap::new(), &after, 1.0)[0].rx_bytes_per_second, 0);
    }

    #[test]
    fn this_machine_can_be_sampled() {
        let mut sampler = Sampler::default();
        sampler.read_counters();
        let metrics = sampler.sample();
        assert!(
            metrics.memory_usage > 0.0 && metrics.memory_usage <= 100.0,
            "{metrics:?}"
        );
        assert!(
            metrics.disk_usage > 0.0 && metrics.process_count > 1 && metrics.uptime > 0,
            "{metrics:?}"
        );
    }
}
