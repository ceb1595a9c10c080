//! Running what makes the backups: progress while it works, its complaints in words that say what to do.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::error::Error;
use crate::process::{Handed, prepare, spawn_error};
use crate::user::RunAs;

/// How often it is asked whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Characters of its complaints that are kept.
const COMPLAINT: usize = 700;

/// Words that both programs' troubles are put into.
pub(super) const WRONG_PASS: &str = "the pass does not open the repository; put the pass file of this repository into its place (backup.pass_file)";
pub(super) const UNREACHABLE: &str = "the repository cannot be read or written; is its disk mounted, and does its folder belong to the account that PostgreSQL runs as?";
pub(super) const DISK_FULL: &str =
    "the repository's disk is full; give it more room, or keep fewer backups (backup.keep_full)";
pub(super) const LOCKED: &str = "another backup is running; wait for its end";
pub(super) const FOREIGN: &str =
    "the repository belongs to another database; give this one a repository of its own (backup.repository)";

/// Who watches long work.
pub trait Watch {
    /// So much of it is done, in percent.
    fn progress(&mut self, percent: f64);
    /// Whether it has to stop.
    fn is_cancelled(&self) -> bool;
}

/// What it left.
pub(super) struct Done {
    pub(super) stdout: String,
    /// Warnings.
    pub(super) warnings: Vec<String>,
}

/// Runs a command to its end.
pub(super) fn run(
    what: &'static str,
    command: &mut Command,
    run_as: &RunAs,
    handed: &[&Handed],
    explain: fn(&str) -> String,
    watch: &mut dyn Watch,
) -> Result<Done, Error> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    prepare(command, run_as, handed, Signal::TERM);
    let mut child = command.spawn().map_err(|e| spawn_error(command, run_as, e))?;
    let pid = Pid::from_child(&child);
    let (sender, lines) = mpsc::channel();
    let readers: Vec<_> = [
        child.stdout.take().map(|pipe| read(pipe, true, sender.clone())),
        child.stderr.take().map(|pipe| read(pipe, false, sender)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (mut stdout, mut complaints, mut told) = (String::new(), Vec::new(), false);
    loop {
        match lines.recv_timeout(LOOK_EVERY) {
            Ok((from_stdout, line)) => {
                let percent = parse_percent(&line);
                if let Some(percent) = percent {
                    watch.progress(percent);
                }
                if let Some(complaint) = parse_complaint(&line) {
                    complaints.push(complaint);
                } else if from_stdout {
                    stdout.push_str(&line);
                    stdout.push('\n');
                } else if let Some(last) = complaints.last_mut().filter(|_| percent.is_none()) {
                    // What belongs to the line before is indented.
                    last.push(' ');
                    last.push_str(line.trim());
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if !told && watch.is_cancelled() {
            told = true;
            let _ = kill_process(pid, Signal::TERM);
        }
    }
    for reader in readers {
        let _ = reader.join();
    }
    let status = child.wait().map_err(|e| spawn_error(command, run_as, e))?;
    if told {
        return Err(Error::Interrupted { what });
    }
    if status.success() {
        return Ok(Done {
            stdout,
            warnings: complaints,
        });
    }
    let mut output = complaints.join("; ");
    if output.is_empty() {
        output = format!("nothing, it ended with {status}");
    }
    Err(Error::Backup {
        what,
        words: explain(&output),
    })
}

/// What pgBackRest's words mean, with advice.
pub(super) fn explain(output: &str) -> String {
    format!("{}; pgBackRest said: {}", advise(output), clean(output))
}

/// Readable words only: a file that was opened with a wrong pass is quoted as it came out.
pub(super) fn clean(output: &str) -> String {
    let words = output
        .split_whitespace()
        .filter(|word| word.chars().all(|c| c.is_ascii_graphic()));
    let text = words.collect::<Vec<_>>().join(" ");
    text.chars().take(COMPLAINT).collect()
}

fn read(
    pipe: impl Read + Send + 'static,
    is_stdout: bool,
    sender: mpsc::Sender<(bool, String)>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            if sender
                .send((is_stdout, String::from_utf8_lossy(&line).into_owned()))
                .is_err()
            {
                break;
            }
        }
    })
}

/// Reads pgBackRest's `… P01 DETAIL: backup file base/5/1255 (768KB, 3.42%) checksum …`, and `PROGRESS 3.4`.
fn parse_percent(line: &str) -> Option<f64> {
    if let Some(percent) = line.strip_prefix("PROGRESS ") {
        return percent.parse().ok();
    }
    if !line.contains(" file ") {
        return None;
    }
    let (before, _) = line.split_once("%)")?;
    before.rsplit_once(", ")?.1.parse().ok()
}

/// Reads `… P00  ERROR: [055]: …` and warnings.
fn parse_complaint(line: &str) -> Option<String> {
    [" ERROR: ", " WARN: ", "ERROR: ", "WARN: "]
        .iter()
        .find_map(|mark| line.split_once(mark).map(|(_, rest)| rest.trim().to_owned()))
}

/// What is wrong in the words of whoever has to put it right.
fn advise(output: &str) -> String {
    let rules: [(&[&str], &str); 13] = [
        // Before those of the pass, which pgBackRest's words about certificates resemble.
        (
            &["unable to verify certificate", "unable to find hostname"],
            "the certificate of the repository's store is none that this machine trusts; name the file of the authority that it comes from (backup.s3.ca_file)",
        ),
        (
            &["failed with 403", "failed with 401"],
            "the store of the repository refuses the keys; check backup.s3.key_file, and that they may read, write and delete in the bucket",
        ),
        (
            &["failed with 404"],
            "the store of the repository knows no such bucket; check backup.s3.bucket, endpoint, region and path_style",
        ),
        (
            &["clock skew"],
            "the last backup is from the future, so the clock was wrong or is; set it right, wait until that moment, or begin another repository (backup.repository)",
        ),
        (&["unable to acquire lock"], LOCKED),
        (
            &[
                "cipher header invalid",
                "unable to flush",
                "CryptoError",
                "decrypt",
                "FormatError",
                "JsonFormat",
                "checksum is not valid",
            ],
            WRONG_PASS,
        ),
        (
            &[
                "Permission denied",
                "unable to list file info",
                "unable to create path",
                "missing path",
            ],
            UNREACHABLE,
        ),
        (&["No space left"], DISK_FULL),
        (
            &["was not archived before"],
            "the write-ahead log does not reach the archive; PostgreSQL's log says why its archive command fails",
        ),
        (
            &["unable to find primary cluster", "unable to connect"],
            "PostgreSQL does not let the backup in; is it running?",
        ),
        (
            &[
                "do not match the database",
                "does not match",
                "backup and archive info files exist but do not match",
            ],
            FOREIGN,
        ),
        (
            &["unable to load info file", "archive.info", "backup.info"],
            "the repository holds no backups of this database, or cannot be read; `secureguard backup init` makes one",
        ),
        (
            &[
                "unable to get address",
                "HostConnect",
                "timeout connecting",
                "request failed",
            ],
            "the store of the repository does not answer; check address, keys and network",
        ),
    ];
    rules
        .iter()
        .find(|(marks, _)| marks.iter().any(|mark| output.contains(mark)))
        .map_or("see its words", |(_, advice)| advice)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_and_complaints_are_read() {
        let line =
            "2026-11-26 12:50:48.327 P01 DETAIL: backup file /x/base/5/1255 (768KB, 3.42%) checksum 46f8";
        assert_eq!(parse_percent(line), Some(3.42));
        assert_eq!(parse_percent("P00   INFO: new backup label = 2026"), None);
        assert_eq!(parse_percent("PROGRESS 3.4"), Some(3.4));
        let line = "2026-11-26 12:50:48.327 P00  ERROR: [041]: unable to open missing file 'x'";
        assert_eq!(
            parse_complaint(line).unwrap(),
            "[041]: unable to open missing file 'x'"
        );
        assert_eq!(parse_complaint("P00   INFO: ok"), None);
        let wrong_pass = "[FormatError] unable to load info file 'x':\nFormatError: key/value found outside of section at line 1: \u{1}\u{2}xJ\u{fffd}i\0";
        assert!(advise(wrong_pass).contains("the pass does not open"));
        assert!(clean(wrong_pass).ends_with("at line 1:"), "{}", clean(wrong_pass));
        let certificate = "[CryptoError] unable to verify certificate presented by 'localhost:5511': [18] self-signed certificate";
        assert!(advise(certificate).contains("backup.s3.ca_file"));
        assert!(advise("[039]: HTTP request failed with 403 (FORBIDDEN):").contains("refuses the keys"));
        assert!(advise("[050]: unable to acquire lock on file").contains("another backup"));
    }
}
