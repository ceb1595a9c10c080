//! Scanning on demand: every finding goes the usual way and becomes an incident.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sg_types::agent::{FileSubject, Finding, RecordBody};

use super::{Done, Tools};
use crate::collect::{UserNames, cut_text};
use crate::detect::Engine;
use crate::platform::open_for_scan;
use crate::respond::output::Output;
use crate::spool::Draft;

/// Files of one scan at most.
const MAX_FILES: u64 = 1_000_000;
/// Folders that are no files on a disk.
const SKIPPED: [&str; 3] = ["/proc", "/sys", "/dev"];
/// Files between two words about the progress.
const PROGRESS_EVERY: u64 = 1_000;

#[derive(Default)]
struct Counts {
    files: u64,
    bytes: u64,
    unread: u64,
    large: u64,
    findings: u64,
}

pub(super) fn scan(tools: &Tools, path: &Path, output: &Output) -> Result<Done> {
    let engine = tools.rules.engine();
    let mut counts = Counts::default();
    let begin = std::time::Instant::now();
    let root = path
        .symlink_metadata()
        .with_context(|| format!("cannot look at {}", path.display()))?;
    let mut folders = VecDeque::new();
    if root.is_dir() {
        folders.push_back(path.to_owned());
    } else {
        scan_file(tools, &engine, path, &mut counts, output);
    }
    while let Some(folder) = folders.pop_front() {
        let skipped =
            folder.starts_with(tools.state.path()) || SKIPPED.iter().any(|name| folder.starts_with(name));
        let Some(entries) = (!skipped).then(|| fs::read_dir(&folder).ok()).flatten() else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                // Never through a link: it may lead out of what was asked for, or round in circles.
                Ok(kind) if kind.is_dir() => folders.push_back(entry.path()),
                Ok(kind) if kind.is_file() => scan_file(tools, &engine, &entry.path(), &mut counts, output),
                _ => {}
            }
            if counts.files >= MAX_FILES {
                bail!("stopped after {MAX_FILES} files; scan a smaller folder");
            }
        }
    }
    Done::saying(format!(
        "{} findings in {} files ({} MB) with rule set {} in {:.1} s; {} too large to be read, {} not readable",
        counts.findings,
        counts.files,
        counts.bytes / 1_000_000,
        engine.version,
        begin.elapsed().as_secs_f64(),
        counts.large,
        counts.unread
    ))
}

fn scan_file(tools: &Tools, engine: &Engine, path: &Path, counts: &mut Counts, output: &Output) {
    counts.files += 1;
    if counts.files.is_multiple_of(PROGRESS_EVERY) {
        output.line(&format!("{} files, {} findings", counts.files, counts.findings));
    }
    match judge(path, engine, &tools.users, tools.max_file_bytes, tools) {
        Ok(Some((bytes, findings))) => {
            counts.bytes += bytes;
            for finding in findings {
                counts.findings += 1;
                output.line(&format!(
                    "{}: {} ({})",
                    path.display(),
                    finding.rule_name,
                    finding.severity
                ));
                tools.writer.send(Draft {
                    at: tools.clock.now(),
                    body: RecordBody::Finding(Box::new(finding)),
                    prompt: true,
                });
            }
        }
        Ok(None) => counts.large += 1,
        Err(_) => counts.unread += 1,
    }
}

/// None for a file that is too large.
fn judge(
    path: &Path,
    engine: &Engine,
    users: &UserNames,
    max_bytes: u64,
    tools: &Tools,
) -> Result<Option<(u64, Vec<Finding>)>> {
    let file: File = open_for_scan(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        bail!("not a regular file");
    }
    let mut content = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut content)?;
    if content.len() as u64 > max_bytes {
        return Ok(None);
    }
    let subject = FileSubject {
        path: cut_text(PathBuf::from(path).to_string_lossy().into_owned()),
        sha256: Some(hex::encode(sg_detect::sha256(&content))),
        size: content.len() as u64,
        user: Some(users.name(metadata.uid())),
    };
    let mut findings = engine.judge_file(&subject, tools.clock.now(), tools.ids.as_ref());
    findings.extend(engine.scan_content(&subject, &content, tools.ids.as_ref()).0);
    Ok(Some((subject.size, findings)))
}
