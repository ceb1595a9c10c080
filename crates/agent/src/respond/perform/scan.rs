//! Scanning on demand: every finding goes the usual way and becomes an incident.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sg_types::agent::{FileSubject, Finding, RecordBody};

use super::{Done, Tools};
use crate::collect::{UserNames, cut_text};
use crate::detect::Engine;
use crate::respond::output::Output;
use crate::scan::{FileContent, Gaps, Limits, Walk, Walked, read_file};
use crate::spool::Draft;

/// Files of one scan at most.
const MAX_FILES: u64 = 1_000_000;
/// Files between two words about the progress.
const PROGRESS_EVERY: u64 = 1_000;

#[derive(Default)]
struct Counts {
    files: u64,
    bytes: u64,
    unread: u64,
    large: u64,
    incomplete: u64,
    findings: u64,
}

pub(super) fn scan(tools: &Tools, path: &Path, output: &Output) -> Result<Done> {
    let engine = tools.rules.engine();
    let mut counts = Counts::default();
    let begin = std::time::Instant::now();
    path.symlink_metadata()
        .with_context(|| format!("cannot look at {}", path.display()))?;
    let walk = Walk {
        excluded: vec![tools.state.path().to_owned()],
        ..Walk::default()
    };
    walk.run(path, &mut |met| {
        match met {
            Walked::File(path) => scan_file(tools, &engine, path, &mut counts, output),
            Walked::Unreadable(_) => counts.unread += 1,
            Walked::Skipped(_) => {}
        }
        counts.files < MAX_FILES
    });
    if counts.files >= MAX_FILES {
        bail!("stopped after {MAX_FILES} files; scan a smaller folder");
    }
    Done::saying(format!(
        "{} findings in {} files ({} MB) with rule set {} in {:.1} s; {} too large to be read, {} not readable, {} not looked at in full",
        counts.findings,
        counts.files,
        counts.bytes / 1_000_000,
        engine.version,
        begin.elapsed().as_secs_f64(),
        counts.large,
        counts.unread,
        counts.incomplete
    ))
}

fn scan_file(tools: &Tools, engine: &Engine, path: &Path, counts: &mut Counts, output: &Output) {
    counts.files += 1;
    if counts.files.is_multiple_of(PROGRESS_EVERY) {
        output.line(&format!("{} files, {} findings", counts.files, counts.findings));
    }
    match judge(path, engine, &tools.users, tools.max_file_bytes, tools) {
        Ok(Some((bytes, findings, gaps))) => {
            counts.bytes += bytes;
            counts.incomplete += u64::from(!gaps.is_complete());
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
) -> Result<Option<(u64, Vec<Finding>, Gaps)>> {
    let Some(FileContent { metadata, bytes, .. }) = read_file(path, max_bytes)? else {
        bail!("not a regular file");
    };
    let Some(content) = bytes else { return Ok(None) };
    let subject = FileSubject {
        path: cut_text(PathBuf::from(path).to_string_lossy().into_owned()),
        sha256: Some(hex::encode(sg_detect::sha256(&content))),
        size: content.len() as u64,
        user: Some(users.name(metadata.uid())),
    };
    let mut findings = engine.judge_file(&subject, tools.clock.now(), tools.ids.as_ref());
    let limits = Limits {
        max_bytes,
        ..Limits::ON_DEMAND
    };
    let now = tools.clock.now();
    let (found, gaps) = engine.scan_content(&subject, &content, &limits, now, tools.ids.as_ref());
    findings.extend(found);
    Ok(Some((subject.size, findings, gaps)))
}
