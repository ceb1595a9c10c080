//! Base backups: what `pg_basebackup` gives, sealed; and out of the seal again, checked against PostgreSQL's own manifest.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context as Digest, SHA256};
use chrono::{DateTime, Utc};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use super::super::archive;
use super::super::info::{BackupInfo, BackupKind};
use super::Settings;
use super::fault::{At, Fault, Result};
use super::repository::Repository;
use crate::find::command_in;

/// Bytes that are read at once.
const BLOCK: usize = 256 * 1024;
/// Complaints that are kept.
const KEPT_LINES: usize = 12;
const LABEL_FILE: &str = "backup_label";
const MANIFEST: &str = "backup_manifest";

/// The manifest of PostgreSQL's `pg_basebackup`, version 1 and 2.
#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "Files")]
    files: Vec<Listed>,
    #[serde(rename = "WAL-Ranges")]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    path: Option<String>,
    #[serde(rename = "Encoded-Path")]
    encoded_path: Option<String>,
    size: u64,
    checksum: Option<String>,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "Timeline")]
    timeline: u64,
    #[serde(rename = "Start-LSN")]
    start: String,
    #[serde(rename = "End-LSN")]
    end: String,
}

/// Makes a full backup.
pub(super) fn back_up(
    settings: &Settings,
    repository: &Repository<'_>,
    segment_bytes: u64,
    now: &dyn Fn() -> DateTime<Utc>,
    progress: &mut dyn FnMut(f64),
) -> Result<BackupInfo> {
    let started_at = now();
    let label = free_label(&repository.path("backup"), started_at);
    repository.begin_backup(&label)?;
    let expected = measure(&settings.cluster.join("base")) + measure(&settings.cluster.join("global"));
    let mut database_bytes = 0;
    let mut manifest = None;
    let stored_bytes = repository.write_data(&label, |to| {
        let mut running = Running::start(settings, &label)?;
        let mut tee = Tee {
            from: running.stdout()?,
            to,
            bytes: 0,
            expected,
            progress,
            failed: None,
        };
        let read = read_manifest(&mut tee);
        database_bytes = tee.bytes;
        let failed = tee.failed.take();
        // It ends when nobody reads from it any more.
        drop(tee);
        let ended = running.finish(settings.archive_timeout_seconds);
        if let Some(error) = failed {
            return Err(error).at(&repository.path("backup"));
        }
        // When it ended early, its own words say more than that the stream did.
        ended?;
        manifest = Some(read?);
        Ok(())
    })?;
    let manifest = manifest.ok_or_else(|| broken("it gave no manifest"))?;
    let (Some(first), Some(last)) = (manifest.ranges.first(), manifest.ranges.last()) else {
        return Err(broken("its manifest names no write-ahead log"));
    };
    let segment = |timeline: u64, lsn: &str, is_end: bool| {
        let at = parse_lsn(lsn).ok_or_else(|| broken("its manifest has no place in the log"))?;
        let at = if is_end { at.saturating_sub(1) } else { at };
        Ok(archive::segment_name(timeline, at / segment_bytes, segment_bytes))
    };
    let info = BackupInfo {
        label,
        kind: BackupKind::Full.as_str().to_owned(),
        repository: repository.number,
        started_at,
        finished_at: now(),
        database_bytes,
        stored_bytes,
        archive_start: segment(first.timeline, &first.start, false)?,
        archive_stop: segment(last.timeline, &last.end, true)?,
        has_page_errors: false,
    };
    repository.finish_backup(&info)?;
    Ok(info)
}

/// The name of a backup, as pgBackRest has it: of its second, or of the next one that no backup has.
fn free_label(dir: &Path, started_at: DateTime<Utc>) -> String {
    let mut at = started_at;
    loop {
        let label = at.format("%Y%m%d-%H%M%SF").to_string();
        if !dir.join(&label).exists() {
            return label;
        }
        at += Duration::from_secs(1);
    }
}

fn parse_lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

fn broken(words: &str) -> Fault {
    Fault::Program {
        words: format!("pg_basebackup: {words}"),
    }
}

/// Bytes of a folder; what comes and goes meanwhile does not count.
fn measure(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(told) if told.is_dir() => measure(&entry.path()),
            Ok(told) => told.len(),
            Err(_) => 0,
        })
        .sum()
}

/// `pg_basebackup` at work, everything into one stream.
struct Running {
    child: Child,
    complaints: std::thread::JoinHandle<(Vec<String>, bool)>,
}

impl Running {
    fn start(settings: &Settings, label: &str) -> Result<Self> {
        let mut command = command_in(&settings.bin_dir, "pg_basebackup");
        command
            .args([
                "--pgdata=-",
                "--format=tar",
                "--wal-method=none",
                "--checkpoint=fast",
            ])
            .args(["--no-password", "--manifest-checksums=SHA256"])
            .arg(format!("--label={label}"))
            .arg(format!("--host={}", settings.socket.display()))
            .arg(format!("--port={}", settings.port))
            .arg(format!("--username={}", settings.user))
            .env("PGPASSFILE", &settings.password_file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let program = settings.bin_dir.join("pg_basebackup");
        let mut child = command.spawn().at(&program)?;
        let pid = Pid::from_child(&child);
        let stderr = child.stderr.take();
        let patience = Duration::from_secs(settings.archive_timeout_seconds.into());
        let complaints = std::thread::spawn(move || listen(stderr, pid, patience));
        Ok(Self { child, complaints })
    }

    fn stdout(&mut self) -> Result<impl Read + use<>> {
        self.child.stdout.take().ok_or_else(|| broken("it has no output"))
    }

    fn finish(mut self, seconds: u32) -> Result<()> {
        let status = self.child.wait().map_err(|error| broken(&error.to_string()))?;
        let (lines, was_late) = self.complaints.join().unwrap_or_default();
        if was_late {
            return Err(Fault::ArchiveLate { seconds });
        }
        if status.success() {
            return Ok(());
        }
        let words = lines.join("; ");
        if words.contains("checksum verification fail") {
            return Err(Fault::Pages { words });
        }
        Err(Fault::Program { words })
    }
}

/// Collects complaints, and ends a backup whose log does not reach the archive. The process is reaped after this has seen the end of its words.
fn listen(stderr: Option<ChildStderr>, pid: Pid, patience: Duration) -> (Vec<String>, bool) {
    let (sender, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let lines = stderr.map(BufReader::new).into_iter().flat_map(BufRead::lines);
        for line in lines.map_while(io::Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let (mut kept, mut deadline, mut was_late) = (Vec::new(), None::<Instant>, false);
    loop {
        let wait = deadline.map_or(Duration::from_secs(3_600), |at| {
            at.saturating_duration_since(Instant::now())
        });
        match lines.recv_timeout(wait) {
            Ok(line) => {
                if line.contains("waiting for required WAL segments to be archived") && deadline.is_none() {
                    deadline = Some(Instant::now() + patience);
                }
                if kept.len() < KEPT_LINES {
                    kept.push(line);
                }
            }
            Err(RecvTimeoutError::Timeout) if deadline.is_some_and(|at| at <= Instant::now()) => {
                was_late = true;
                deadline = None;
                let _ = kill_process(pid, Signal::TERM);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let _ = reader.join();
    (kept, was_late)
}

/// Passes on what is read from it.
struct Tee<'a, R> {
    from: R,
    to: &'a mut dyn Write,
    bytes: u64,
    expected: u64,
    progress: &'a mut dyn FnMut(f64),
    /// Why it could not be passed on.
    failed: Option<io::Error>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        if let Err(error) = self.to.write_all(buffer.get(..count).unwrap_or_default()) {
            self.failed = Some(error);
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.bytes += count as u64;
        #[expect(clippy::cast_precision_loss, reason = "percent for people")]
        let percent = self.bytes as f64 * 100.0 / self.expected.max(1) as f64;
        (self.progress)(percent.min(99.9));
        Ok(count)
    }
}

/// Reads to the end; the manifest comes last.
fn read_manifest(from: &mut impl Read) -> Result<Manifest> {
    let mut manifest = String::new();
    let named = Path::new("pg_basebackup");
    {
        let mut archive = tar::Archive::new(BufReader::with_capacity(BLOCK, &mut *from));
        for entry in archive.entries().at(named)? {
            let mut entry = entry.at(named)?;
            if entry.path_bytes().as_ref() == MANIFEST.as_bytes() {
                entry.read_to_string(&mut manifest).at(named)?;
            }
        }
    }
    // Padding behind the archive.
    io::copy(from, &mut io::sink()).at(named)?;
    parse_manifest(&manifest)
}

fn parse_manifest(text: &str) -> Result<Manifest> {
    serde_json::from_str(text).map_err(|error| broken(&format!("its manifest cannot be read: {error}")))
}

/// Reads a backup whole, into a folder or nowhere. What does not fit PostgreSQL's manifest is told in words.
pub(super) fn unpack(
    repository: &Repository<'_>,
    backup: &BackupInfo,
    into: Option<&Path>,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<String>> {
    let path = repository.path(&format!("backup/{}/data", backup.label));
    let mut data = repository.read_data(&backup.label)?;
    let (mut seen, mut manifest, mut sink) = (BTreeMap::new(), String::new(), io::sink());
    {
        let mut tee = Tee {
            from: &mut data,
            to: &mut sink,
            bytes: 0,
            expected: backup.database_bytes,
            progress,
            failed: None,
        };
        let mut archive = tar::Archive::new(BufReader::with_capacity(BLOCK, &mut tee));
        for entry in archive.entries().at(&path)? {
            let mut entry = entry.at(&path)?;
            let name = plain_path(&entry.path().at(&path)?)?;
            let kind = entry.header().entry_type();
            if name == Path::new(MANIFEST) {
                entry.read_to_string(&mut manifest).at(&path)?;
            } else if kind.is_dir() {
                if let Some(into) = into {
                    make_dirs(into, &name)?;
                }
            } else if kind.is_file() {
                let told = copy(&mut entry, &path, into, &name)?;
                seen.insert(name, told);
            } else {
                return Err(broken(&format!(
                    "{} is a link: databases with tablespaces of their own need pgBackRest",
                    name.display()
                )));
            }
        }
    }
    // The seal of the last piece.
    io::copy(&mut data, &mut io::sink()).at(&path)?;
    if let Some(into) = into {
        File::open(into)
            .and_then(|dir| Ok(rustix::fs::syncfs(&dir)?))
            .at(into)?;
    }
    Ok(compare(&parse_manifest(&manifest)?, &seen))
}

/// Copies a file out of the data in `data` and says its size and checksum.
fn copy(from: &mut impl Read, data: &Path, into: Option<&Path>, name: &Path) -> Result<(u64, String)> {
    let mut file = match into {
        Some(into) => {
            make_dirs(into, name.parent().unwrap_or(Path::new("")))?;
            let path = into.join(name);
            let made = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            Some((made.at(&path)?, path))
        }
        None => None,
    };
    let (mut digest, mut size, mut buffer) = (Digest::new(&SHA256), 0, vec![0; BLOCK]);
    loop {
        let count = from.read(&mut buffer).at(data)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        digest.update(bytes);
        size += count as u64;
        if let Some((file, path)) = &mut file {
            file.write_all(bytes).at(path)?;
        }
    }
    Ok((size, hex::encode(digest.finish())))
}

/// A path that leads nowhere else.
fn plain_path(path: &Path) -> Result<PathBuf> {
    let plain: PathBuf = path
        .components()
        .filter(|part| !matches!(part, Component::CurDir))
        .collect();
    if plain
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        Ok(plain)
    } else {
        Err(broken(&format!("{} leads out of the backup", path.display())))
    }
}

fn make_dirs(into: &Path, name: &Path) -> Result<()> {
    let dir = into.join(name);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .at(&dir)
}

fn compare(manifest: &Manifest, seen: &BTreeMap<PathBuf, (u64, String)>) -> Vec<String> {
    let mut problems = Vec::new();
    for listed in &manifest.files {
        let encoded = listed.encoded_path.as_ref();
        let decoded = encoded.and_then(|text| String::from_utf8(hex::decode(text).ok()?).ok());
        let Some(path) = listed.path.clone().or(decoded) else {
            continue;
        };
        match seen.get(Path::new(&path)) {
            None => problems.push(format!("{path} is missing")),
            Some((size, checksum)) => {
                let differs = listed.checksum.as_ref().is_some_and(|listed| listed != checksum);
                if *size != listed.size || differs {
                    problems.push(format!("{path} does not fit PostgreSQL's manifest"));
                }
            }
        }
    }
    if !seen.contains_key(Path::new(LABEL_FILE)) {
        problems.push(format!("{LABEL_FILE} is missing"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_backups_of_one_second_have_names_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let at: DateTime<Utc> = "2026-01-31T23:59:59Z".parse().unwrap();
        assert_eq!(free_label(dir.path(), at), "20260131-235959F");
        fs::create_dir(dir.path().join("20260131-235959F")).unwrap();
        assert_eq!(free_label(dir.path(), at), "20260201-000000F");
    }
}
