//! Other processes: starting them bound to this one, and what they take, read from /proc.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Clock ticks per second in /proc, on every Linux.
const TICKS: f64 = 100.0;

/// A program that is killed when the thread that starts it is gone, even by a kill -9. `setpriv`, which Debian has, arranges that and becomes the
/// program; where it is missing the program is started as it is.
pub fn bound(program: &Path, signal: &str) -> Command {
    let launcher = Path::new("/usr/bin/setpriv");
    if !launcher.is_file() {
        return Command::new(program);
    }
    let mut command = Command::new(launcher);
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// Seconds of processor time that a process has taken, those of its children that ended included; 0 when it is gone.
pub fn processor_seconds(pid: u32) -> f64 {
    read_stat(pid).map_or(0.0, |stat| stat.seconds)
}

/// The same of a process and everything below it.
pub fn processor_seconds_below(root: u32) -> f64 {
    let stats: HashMap<u32, Stat> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, read_stat(pid)?)))
        .collect();
    let is_below = |mut pid: u32| {
        // Bounded, since the table may change while it is read.
        for _ in 0..64 {
            if pid == root {
                return true;
            }
            match stats.get(&pid) {
                Some(stat) => pid = stat.parent,
                None => return false,
            }
        }
        false
    };
    let below = stats.iter().filter(|(pid, _)| is_below(**pid));
    below.map(|(_, stat)| stat.seconds).sum()
}

/// Bytes of memory that a process has at the moment; none when it is gone.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    read_memory(pid, "VmRSS:")
}

/// The most that it had at any moment; none when it is gone.
pub fn peak_resident_bytes(pid: u32) -> Option<u64> {
    read_memory(pid, "VmHWM:")
}

fn read_memory(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes * 1024)
}

struct Stat {
    parent: u32,
    seconds: f64,
}

/// Fields 4 and 14 to 17 of `/proc/<pid>/stat` (proc(5)); the name in field 2 may hold anything.
fn read_stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = fields
        .iter()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<f64>().ok());
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        seconds: ticks.sum::<f64>() / TICKS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_time_and_memory() {
        let own = std::process::id();
        assert!(resident_bytes(own).unwrap() > 100_000);
        assert!(peak_resident_bytes(own).unwrap() > 100_000);
        assert!(processor_seconds_below(own) >= processor_seconds(own) - 0.5);
        assert!(processor_seconds(u32::MAX).abs() < f64::EPSILON);
    }
}
