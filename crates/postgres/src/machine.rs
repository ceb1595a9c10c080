//! Settings that follow from the machine: how much memory PostgreSQL keeps pages in, and how much log it writes between two checkpoints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::{Binaries, layout};

const MB: u64 = 1024 * 1024;
const GB: u64 = 1024 * MB;

/// What PostgreSQL can count on, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// The machine's memory, or what the control group may take where that is less.
    memory: u64,
    /// Free on the disk of the cluster, its log included.
    free_disk: u64,
}

impl Machine {
    /// Looks at the machine below `dir`.
    pub(crate) fn look(dir: &Path) -> Self {
        let system = rustix::system::sysinfo();
        let installed = system.totalram.saturating_mul(system.mem_unit.into());
        let free = layout::free_bytes(dir).unwrap_or(0);
        let log = fs::read_dir(dir.join("postgres/pg_wal")).into_iter().flatten();
        let log: u64 = log
            .flatten()
            .filter_map(|file| file.metadata().ok())
            .map(|file| file.len())
            .sum();
        Self {
            memory: control_group_limit().map_or(installed, |limit| installed.min(limit)),
            free_disk: free + log,
        }
    }

    /// The settings, by name and value. A page that is changed for the first time after a checkpoint is logged whole: with a million endpoints, each of which changes pages of
    /// its own, checkpoints every few minutes would make that most of the log.
    pub(crate) fn settings(self) -> [(&'static str, String); 6] {
        let megabytes = |bytes: u64| format!("{}MB", bytes / MB);
        let log = (self.free_disk / 20).clamp(GB, 8 * GB);
        [
            // A quarter is what PostgreSQL's documentation begins with (19.4.1).
            (
                "shared_buffers",
                megabytes((self.memory / 4).clamp(128 * MB, 8 * GB)),
            ),
            ("effective_cache_size", megabytes((self.memory / 2).max(512 * MB))),
            (
                "maintenance_work_mem",
                megabytes((self.memory / 32).clamp(64 * MB, GB)),
            ),
            ("min_wal_size", megabytes(log / 8)),
            ("max_wal_size", megabytes(log)),
            ("checkpoint_timeout", "15min".to_owned()),
        ]
    }
}

/// How whole pages in the log are compressed: by LZ4, which takes a tenth of the time of PostgreSQL's own way, where it is built in.
pub(crate) fn log_compression(bin: &Binaries, cluster_dir: &Path) -> &'static str {
    let mut command = bin.command("postgres");
    // As the first argument `-C` only tells a value, whoever runs it.
    command.args(["-C", "wal_compression", "-c", "wal_compression=lz4", "-D"]);
    command.arg(cluster_dir);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => "lz4",
        _ => "on",
    }
}

/// The least that this process's control group (version 2) or one above it may take, where one is limited.
fn control_group_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = PathBuf::from("/sys/fs/cgroup").join(own);
    let limits = group
        .ancestors()
        .take_while(|dir| dir.starts_with("/sys/fs/cgroup"));
    limits
        .filter_map(|dir| {
            fs::read_to_string(dir.join("memory.max"))
                .ok()?
                .trim()
                .parse()
                .ok()
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(memory: u64, free_disk: u64) -> Vec<String> {
        let settings = Machine { memory, free_disk }.settings();
        settings
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn small_and_large_machines_get_what_fits() {
        assert_eq!(
            of(2 * GB, 10 * GB),
            [
                "shared_buffers=512MB",
                "effective_cache_size=1024MB",
                "maintenance_work_mem=64MB",
                "min_wal_size=128MB",
                "max_wal_size=1024MB",
                "checkpoint_timeout=15min"
            ]
        );
        assert_eq!(
            of(24 * GB, 80 * GB)[..5],
            [
                "shared_buffers=6144MB",
                "effective_cache_size=12288MB",
                "maintenance_work_mem=768MB",
                "min_wal_size=512MB",
                "max_wal_size=4096MB"
            ]
        );
        assert_eq!(of(512 * GB, 9_000 * GB)[0], "shared_buffers=8192MB");
        assert_eq!(of(256 * MB, 0)[0], "shared_buffers=128MB");
    }

    #[test]
    fn this_machine_has_memory_and_a_disk() {
        let machine = Machine::look(Path::new("/"));
        assert!(machine.memory > 64 * MB && machine.free_disk > 0, "{machine:?}");
    }
}
