//! Verifying an export without the server and its database.

use std::collections::BTreeMap;
use std::io::BufRead;

use sg_db::audit::Checkpoint;
use sg_types::TenantId;

use super::chain::{ChainCheck, RowFound, Signed};
use super::{Fault, Report};
use crate::audit::canonical::row_from_json;
use crate::audit::export::{EntryLine, Line};
use crate::signing::AuditVerifier;

/// Checks the lines of an export, in the order in which they were written; several files of a rotation one after the other.
///
/// # Errors
/// When the lines cannot be read from where they come.
pub fn verify_export(lines: impl BufRead, verifier: &AuditVerifier) -> std::io::Result<Report> {
    let mut report = Report::default();
    let mut chains: BTreeMap<TenantId, (Vec<EntryLine>, Vec<Checkpoint>)> = BTreeMap::new();
    read_lines(lines, &mut report, |line| match line {
        Line::Entry(entry) => chains.entry(entry.tenant_id).or_default().0.push(entry),
        Line::Checkpoint(line) => {
            if let Some(checkpoint) = line.checkpoint() {
                chains.entry(line.tenant_id).or_default().1.push(checkpoint);
            }
        }
    })?;
    for (tenant_id, (mut entries, checkpoints)) in chains {
        // A repeated delivery begins again at a position that is in the file already.
        drop_repeats(&mut entries);
        let mut check = ChainCheck::new(tenant_id, verifier, &mut report, true);
        for checkpoint in checkpoints {
            check.expect(Signed {
                checkpoint,
                source: "in the export",
            });
        }
        for line in &entries {
            check_line(&mut check, line);
        }
        check.finish();
    }
    Ok(report)
}

/// The checkpoints of an export; other lines are passed over.
///
/// # Errors
/// When the lines cannot be read from where they come.
pub fn read_checkpoints(lines: impl BufRead) -> std::io::Result<(Vec<Checkpoint>, Report)> {
    let mut report = Report::default();
    let mut checkpoints = Vec::new();
    read_lines(lines, &mut report, |line| {
        if let Line::Checkpoint(line) = line {
            checkpoints.extend(line.checkpoint());
        }
    })?;
    Ok((checkpoints, report))
}

fn check_line(check: &mut ChainCheck<'_>, line: &EntryLine) {
    let Some(entry) = line.entry() else { return };
    match &line.row {
        Some(row) => match row_from_json(entry.table, row) {
            Some(fields) => check.check(&entry, RowFound::Here(&fields, None)),
            None => check.check(&entry, RowFound::Unreadable),
        },
        None => check.check(&entry, RowFound::Gone),
    }
}

fn drop_repeats(entries: &mut Vec<EntryLine>) {
    let mut seen: BTreeMap<i64, EntryLine> = BTreeMap::new();
    entries.retain(|entry| match seen.get(&entry.position) {
        Some(earlier) => earlier != entry,
        None => {
            seen.insert(entry.position, entry.clone());
            true
        }
    });
}

fn read_lines(lines: impl BufRead, report: &mut Report, mut take: impl FnMut(Line)) -> std::io::Result<()> {
    for (index, line) in lines.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let readable = serde_json::from_str::<Line>(&line)
            .ok()
            .filter(|line| match line {
                Line::Entry(entry) => entry.entry().is_some(),
                Line::Checkpoint(checkpoint) => checkpoint.checkpoint().is_some(),
            });
        match readable {
            Some(line) => take(line),
            None => report.faults.push(Fault {
                tenant_id: None,
                position: None,
                what: format!("line {} cannot be read", index + 1),
            }),
        }
    }
    Ok(())
}
