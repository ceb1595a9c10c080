//! Reading one process from `/proc`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a command line at most.
const MAX_COMMAND_LINE: u64 = 64 * 1024;
/// How often and how long an exec in progress is waited for.
const EXEC_ATTEMPTS: u32 = 5;
const EXEC_PAUSE: Duration = Duration::from_millis(1);

/// What `/proc/PID` tells of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessFacts {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    /// Clock ticks after boot; with the process id it identifies the process.
    pub(crate) start_ticks: u64,
    pub(crate) name: String,
    pub(crate) image: Option<String>,
    pub(crate) command_line: String,
    pub(crate) current_directory: Option<String>,
    pub(crate) uid: Option<u32>,
}

/// The running kernel's boot id, which keeps process keys of different boots apart.
pub(crate) fn read_boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Identifies a process across reuse of process ids.
pub(crate) fn process_key(boot_id: &str, pid: u32, start_ticks: u64) -> String {
    format!("{boot_id}/{pid}/{start_ticks}")
}

/// Reads a process.
///
/// # Errors
/// When it is gone. Single facts that this user may not read are absent.
pub(crate) fn read_process(pid: u32) -> io::Result<ProcessFacts> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    // The command line first: it is what short-lived processes take with them.
    let mut command_line = read_command_line(&folder)?;
    let image = read_link(&folder.join("exe"));
    for _ in 0..EXEC_ATTEMPTS {
        if !command_line.is_empty() || image.is_none() {
            break;
        }
        // In the middle of an exec the new program has no arguments yet.
        std::thread::sleep(EXEC_PAUSE);
        command_line = read_command_line(&folder)?;
    }
    let stat = parse_stat(&fs::read_to_string(folder.join("stat"))?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unexpected format of stat"))?;
    let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
    let command_line = if command_line.is_empty() {
        stat.name.clone()
    } else {
        command_line
    };
    Ok(ProcessFacts {
        pid,
        parent: stat.parent,
        start_ticks: stat.start_ticks,
        name: stat.name,
        image,
        command_line,
        current_directory: read_link(&folder.join("cwd")),
        uid: parse_effective_uid(&status),
    })
}

/// The process ids that exist.
pub(crate) fn list_processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn read_command_line(folder: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(folder.join("cmdline"))?
        .take(MAX_COMMAND_LINE)
        .read_to_end(&mut bytes)?;
    Ok(join_arguments(&bytes))
}

/// Arguments end with a zero byte each; programs that overwrite theirs leave a run of them.
fn join_arguments(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let arguments: Vec<_> = bytes[..end]
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    arguments.join(" ")
}

fn read_link(path: &Path) -> Option<String> {
    let target = fs::read_link(path).ok()?;
    let text = target.to_string_lossy();
    Some(text.strip_suffix(" (deleted)").unwrap_or(&text).to_owned())
}

struct Stat {
    name: String,
    parent: u32,
    start_ticks: u64,
}

/// `pid (name) state ppid … starttime …`; the name may hold blanks and parentheses.
fn parse_stat(text: &str) -> Option<Stat> {
    let (open, close) = (text.find('(')?, text.rfind(')')?);
    let name = text.get(open + 1..close)?.to_owned();
    let mut columns = text.get(close + 1..)?.split_whitespace().skip(1);
    let parent = columns.next()?.parse().ok()?;
    let start_ticks = columns.nth(17)?.parse().ok()?;
    Some(Stat {
        name,
        parent,
        start_ticks,
    })
}

fn parse_effective_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let text = "42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3";
        let stat = parse_stat(text).unwrap();
        assert_eq!(
            (stat.name.as_str(), stat.parent, stat.start_ticks),
            ("a) b (c", 7, 98765)
        );
        assert!(parse_stat("42 (a").is_none() && parse_stat("").is_none());
    }

    #[test]
    fn arguments_are_joined_by_blanks() {
        assert_eq!(join_arguments(b"bash\0-c\0echo hi\0"), "bash -c echo hi");
        assert_eq!(join_arguments(b"nginx: worker\0\0\0\0"), "nginx: worker");
        assert_eq!(join_arguments(b""), "");
    }

    #[test]
    fn the_effective_user_is_told() {
        assert_eq!(parse_effective_uid("Name:\tx\nUid:\t1000\t0\t0\t0\n"), Some(0));
        assert_eq!(parse_effective_uid(""), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let facts = read_process(std::process::id()).unwrap();
        assert_eq!(
            facts.image,
            std::env::current_exe().unwrap().to_str().map(str::to_owned)
        );
        assert_eq!(
            facts.current_directory,
            std::env::current_dir().unwrap().to_str().map(str::to_owned)
        );
        assert!(facts.parent > 0 && facts.start_ticks > 0 && !facts.command_line.is_empty());
        assert!(list_processes().contains(&std::process::id()));
    }
}
