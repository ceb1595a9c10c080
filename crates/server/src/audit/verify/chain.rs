//! Checking one chain, link by link.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sg_db::audit::{AuditTable, ChainEntry, Checkpoint, Hash};
use sg_types::TenantId;
use uuid::Uuid;

use super::{Fault, Report};
use crate::audit::canonical::{CHECKPOINT_CONTEXT, NO_LINK, checkpoint_message, hash_link, hash_row};
use crate::audit::records::{Record, RecordRow};
use crate::signing::AuditVerifier;

/// What is known of an entry's row.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowFound<'a> {
    /// Its columns, and the hash that stands beside them.
    Here(&'a [Option<Vec<u8>>], Option<&'a [u8]>),
    /// It is not there.
    Gone,
    /// It cannot be read.
    Unreadable,
}

/// Where a checkpoint comes from, in words that fit into "… of position 7 that was exported".
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) checkpoint: Checkpoint,
    pub(super) source: &'static str,
}

/// One chain under examination.
pub(super) struct ChainCheck<'a> {
    tenant_id: TenantId,
    verifier: &'a AuditVerifier,
    report: &'a mut Report,
    /// The checkpoints that have to fit, by position.
    signed: BTreeMap<i64, Vec<Signed>>,
    /// Whether a chain may begin in its middle, as a rotated export does.
    partial: bool,
    begun: bool,
    position: i64,
    link: Hash,
    signed_through: i64,
    removals: Vec<Removal>,
    missing: Vec<Missing>,
}

struct Removal {
    position: i64,
    table: AuditTable,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    rows: i64,
}

struct Missing {
    position: i64,
    table: AuditTable,
    row_id: Uuid,
    row_time: DateTime<Utc>,
}

impl<'a> ChainCheck<'a> {
    pub(super) fn new(
        tenant_id: TenantId,
        verifier: &'a AuditVerifier,
        report: &'a mut Report,
        partial: bool,
    ) -> Self {
        Self {
            tenant_id,
            verifier,
            report,
            signed: BTreeMap::new(),
            partial,
            begun: false,
            position: 0,
            link: NO_LINK,
            signed_through: 0,
            removals: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Adds a checkpoint that has to fit the chain. Its signature is checked at once; one that does not hold says nothing more.
    pub(super) fn expect(&mut self, signed: Signed) {
        let checkpoint = &signed.checkpoint;
        self.report.checkpoints += 1;
        let (position, link, at) = (checkpoint.position, &checkpoint.link, checkpoint.signed_at);
        let message = checkpoint_message(self.tenant_id, position, link, at);
        if self
            .verifier
            .believes(CHECKPOINT_CONTEXT, &message, &checkpoint.signature)
        {
            self.signed.entry(position).or_default().push(signed);
        } else if checkpoint.key_id == self.verifier.key_id() {
            self.fault(
                position,
                format!("the signature of the checkpoint {} does not hold", signed.source),
            );
        } else {
            let key_id = checkpoint.key_id.clone();
            self.fault(
                position,
                format!(
                    "the checkpoint {} was signed with another key ({key_id})",
                    signed.source
                ),
            );
        }
    }

    /// Checks the next link.
    pub(super) fn check(&mut self, entry: &ChainEntry, row: RowFound<'_>) {
        if self.begun && entry.position == self.position && entry.link == self.link {
            // Exports are repeated when a sink's answer was lost.
            return;
        }
        self.report.entries += 1;
        let row_holds = self.check_row(entry, row);
        let record = self.read_record(entry, row, row_holds);
        self.check_place(entry, record.as_ref());
        if let Some(record) = record {
            self.note_record(entry.position, record);
        }
        self.begun = true;
        (self.position, self.link) = (entry.position, entry.link);
        self.check_signed();
    }

    fn check_place(&mut self, entry: &ChainEntry, record: Option<&Record>) {
        if entry.position > self.position + 1
            && let Some(Record::Erasure {
                last_position,
                last_link,
                ..
            }) = record
            && *last_position + 1 == entry.position
        {
            // Everything between what is here and the erasure went with the tenant.
            let link = hex::decode(last_link)
                .ok()
                .and_then(|bytes| bytes.try_into().ok());
            (self.position, self.link) = (*last_position, link.unwrap_or(NO_LINK));
            self.signed = self.signed.split_off(&entry.position);
        } else if !self.begun && entry.position > 1 {
            if self.partial {
                self.note(
                    entry.position,
                    "the export begins here; what is before is not in it".to_owned(),
                );
                self.signed = self.signed.split_off(&entry.position);
            } else {
                self.fault(1, format!("positions 1 to {} are missing", entry.position - 1));
            }
            return;
        }
        if entry.position <= self.position {
            self.fault(
                entry.position,
                format!(
                    "comes after position {}: the order was changed, or history was written anew",
                    self.position
                ),
            );
            return;
        }
        if entry.position != self.position + 1 {
            let first = self.position + 1;
            self.fault(
                first,
                format!("positions {first} to {} are missing", entry.position - 1),
            );
            return;
        }
        if hash_link(&self.link, entry) != entry.link {
            self.fault(
                entry.position,
                "the link does not follow from the one before and from this entry: one of them was changed, added or put elsewhere"
                    .to_owned(),
            );
        }
    }

    fn check_row(&mut self, entry: &ChainEntry, row: RowFound<'_>) -> bool {
        let of = format!("the row {} of {}", entry.row_id, entry.table.name());
        match row {
            RowFound::Here(fields, stored) => {
                let hash = hash_row(entry.table, fields);
                if hash != entry.row_hash {
                    self.fault(
                        entry.position,
                        format!("{of} is not what it was when it was written"),
                    );
                    return false;
                }
                if stored.is_some_and(|stored| stored != hash) {
                    self.fault(entry.position, format!("the hash beside {of} was changed"));
                }
                true
            }
            RowFound::Gone => {
                self.missing.push(Missing {
                    position: entry.position,
                    table: entry.table,
                    row_id: entry.row_id,
                    row_time: entry.row_time,
                });
                false
            }
            RowFound::Unreadable => {
                self.fault(entry.position, format!("{of} cannot be read"));
                false
            }
        }
    }

    /// The record of an entry of `audit.chain_records`.
    fn read_record(&mut self, entry: &ChainEntry, row: RowFound<'_>, holds: bool) -> Option<Record> {
        let RowFound::Here(fields, _) = row else {
            return None;
        };
        if entry.table != AuditTable::ChainRecords || !holds {
            return None;
        }
        let text = |index: usize| {
            fields
                .get(index)
                .and_then(Option::as_deref)
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .unwrap_or_default()
        };
        let row = RecordRow {
            record_id: entry.row_id,
            tenant_id: self.tenant_id,
            at: entry.row_time,
            kind: text(3),
            body: text(4),
            signature: fields.get(6).cloned().flatten().unwrap_or_default(),
        };
        match row.verify(self.verifier) {
            Ok(record) => Some(record),
            Err(why) => {
                self.fault(entry.position, why.to_owned());
                None
            }
        }
    }

    fn note_record(&mut self, position: i64, record: Record) {
        match record {
            Record::Retention {
                table,
                from,
                to,
                rows,
            } => {
                if let Some(table) = AuditTable::from_name(&table) {
                    self.removals.push(Removal {
                        position,
                        table,
                        from,
                        to,
                        rows,
                    });
                }
            }
            Record::Erasure { last_position, .. } => self.note(
                position,
                format!("the tenant was erased, with everything up to position {last_position}"),
            ),
            Record::Fork {
                of,
                known_position,
                known_at,
                found_position,
                ..
            } => self.note(
                position,
                format!(
                    "a fork is on record{}: position {known_position} had been signed at {known_at}, and the database ended at {found_position}",
                    of.map(|tenant| format!(" of tenant {tenant}, who is not there any more")).unwrap_or_default()
                ),
            ),
        }
    }

    /// The checkpoints of the position that was reached.
    fn check_signed(&mut self) {
        for signed in self.signed.remove(&self.position).unwrap_or_default() {
            if signed.checkpoint.link == self.link {
                self.signed_through = self.position;
            } else {
                self.fault(
                    self.position,
                    format!(
                        "the chain is not the one under the checkpoint {} (signed at {}): it was written anew, or an older backup was restored",
                        signed.source, signed.checkpoint.signed_at
                    ),
                );
            }
        }
    }

    /// What can be said at the end of the chain only.
    pub(super) fn finish(mut self) {
        for (position, signed) in std::mem::take(&mut self.signed) {
            let Some(one) = signed.first() else { continue };
            let (source, at, end) = (one.source, one.checkpoint.signed_at, self.position);
            self.fault(position, format!(
                "is missing: it is under the checkpoint {source} (signed at {at}), but the chain ends at {end}: the newest entries were removed, or an older backup was restored"
            ));
        }
        self.match_removals();
        if self.signed_through < self.position {
            let first = self.signed_through + 1;
            self.note(
                self.position,
                format!("no signature covers positions {first} to {} yet", self.position),
            );
        }
        if self.begun {
            self.report
                .chains
                .insert(self.tenant_id, (self.position, self.signed_through));
        }
    }

    /// Rows that are gone have to be within a signed removal, which has to count all of them.
    fn match_removals(&mut self) {
        let removals = std::mem::take(&mut self.removals);
        let mut counts = vec![0_i64; removals.len()];
        for missing in std::mem::take(&mut self.missing) {
            let covers = |r: &Removal| {
                r.table == missing.table && missing.row_time >= r.from && missing.row_time < r.to
            };
            match removals.iter().position(covers) {
                Some(index) => {
                    if let Some(count) = counts.get_mut(index) {
                        *count += 1;
                    }
                }
                None => self.fault(
                    missing.position,
                    format!(
                        "the row {} of {} is missing",
                        missing.row_id,
                        missing.table.name()
                    ),
                ),
            }
        }
        for (removal, missing) in removals.iter().zip(counts) {
            let (rows, from, table) = (removal.rows, removal.from, removal.table.name());
            if missing > rows {
                self.fault(removal.position, format!(
                    "{missing} rows of {table} from {from} on are gone, but the record of their retention tells of {rows}: others were removed before"
                ));
            } else {
                self.note(
                    removal.position,
                    format!("{rows} rows of {table} from {from} on went when their retention ended"),
                );
            }
        }
    }

    fn fault(&mut self, position: i64, what: String) {
        self.report.faults.push(Fault {
            tenant_id: Some(self.tenant_id),
            position: Some(position),
            what,
        });
    }

    fn note(&mut self, position: i64, what: String) {
        self.report.notes.push(Fault {
            tenant_id: Some(self.tenant_id),
            position: Some(position),
            what,
        });
    }
}
