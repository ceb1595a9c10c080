//! The crash-safe queue between the collectors and the server.
//!
//! - A record gets its number when it is written, and counts as written only after the disk has it; only then may it be sent.
//! - Numbers grow and are never used for another content once they may have been sent: the uplink records the highest number that it
//!   offered, and a spool that was found shorter than that goes on behind it.
//! - Only what the server acknowledged is deleted. Beyond its cap the spool drops its oldest segment, keeps the findings in it, and records what
//!   it lost. Damage costs the rest of the damaged segment and is recorded too.

mod recover;
mod segment;
mod writer;

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sg_types::agent::{Gap, Record, RecordBody};
use sg_types::{Clock, Ids, RecordId};

use segment::{Frame, FrameReader, HEADER_BYTES, Segment, encode_record};

pub use writer::{Draft, SpoolSignal, SpoolWriter, WriterHandle};

/// The least cap that makes sense.
pub const MIN_SPOOL_BYTES: u64 = 256 * 1024;

/// The spool. One process holds it, guarded by the state folder's lock.
pub struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    sealed: VecDeque<Segment>,
    active: Option<(Segment, File)>,
    next_seq: u64,
    acked: u64,
    cursor: Option<Cursor>,
    /// Records that are being sent: whether they are lost cannot be told until there is an answer, so they are not dropped.
    under_way: Option<Range<u64>>,
    /// Records that cannot be decoded and have been reported.
    unreadable: BTreeSet<u64>,
    /// Records that were lost since the start, by damage or by the cap.
    lost: u64,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

/// Consecutive records that wait to be sent.
#[derive(Debug, Default)]
pub struct Batch {
    /// Number of the first record; the next free number when there are none.
    pub first_seq: u64,
    /// The records in order.
    pub records: Vec<Record>,
    /// Whether more records were waiting behind these.
    pub more: bool,
}

/// Numbers about the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolStats {
    /// Records that are not acknowledged.
    pub backlog_records: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// The last number that is on disk.
    pub durable_through: u64,
    /// Records that were lost since the start.
    pub lost_records: u64,
}

/// Where reading goes on without searching.
struct Cursor {
    segment: u64,
    seq: u64,
    offset: u64,
}

impl Spool {
    /// Appends records and waits for the disk; the numbers they got. May drop the oldest segment to stay within the cap.
    ///
    /// # Errors
    /// When the disk refuses; then nothing was appended and the same call may be repeated.
    pub fn append(&mut self, records: &[Record]) -> io::Result<Range<u64>> {
        let mut batch = Encoded::default();
        let incoming: u64 = records
            .iter()
            .map(|record| batch.measure(record))
            .sum::<io::Result<u64>>()?;
        let dropped = self.take_oldest_beyond_cap(incoming);
        let result = self.append_with_losses(&dropped, records, &mut batch);
        match result {
            Ok(range) => {
                for segment in &dropped {
                    // A file that stays would be read again at the next start; the records are on disk, so this is no failure of theirs.
                    if let Err(error) = remove_if_there(&segment.path) {
                        tracing::warn!(error = %error, "cannot remove a dropped segment of the spool");
                    }
                }
                Ok(range)
            }
            Err(error) => {
                self.sealed.extend(dropped);
                self.sealed
                    .make_contiguous()
                    .sort_by_key(|segment| segment.first_seq);
                Err(error)
            }
        }
    }

    /// Reads records from number `from` on: at most `max_records`, at most `max_bytes` of JSON but at least one record, and only such as
    /// follow each other without a hole.
    ///
    /// # Errors
    /// When the disk cannot be read at all; damage is recorded and skipped.
    pub fn read(&mut self, from: u64, max_records: usize, max_bytes: usize) -> io::Result<Batch> {
        let mut from = from;
        loop {
            let Some(segment) = self.segments().find(|segment| segment.end() > from).cloned() else {
                return Ok(Batch {
                    first_seq: self.next_seq.max(from),
                    records: Vec::new(),
                    more: false,
                });
            };
            from = from.max(segment.first_seq);
            while self.unreadable.contains(&from) {
                from += 1;
            }
            if from >= segment.end() {
                continue;
            }
            if max_records == 0 {
                return Ok(Batch {
                    first_seq: from,
                    records: Vec::new(),
                    more: false,
                });
            }
            let mut batch = self.read_segment(&segment, from, max_records, max_bytes)?;
            if !batch.records.is_empty() {
                batch.more = batch.first_seq + (batch.records.len() as u64) < self.next_seq;
                return Ok(batch);
            }
        }
    }

    /// Deletes segments whose records are all acknowledged.
    ///
    /// # Errors
    /// When a file cannot be removed; it is tried again with the next acknowledgement.
    pub fn acknowledge(&mut self, through: u64) -> io::Result<()> {
        self.acked = self.acked.max(through.min(self.next_seq - 1));
        self.unreadable = self.unreadable.split_off(&(self.acked + 1));
        if self.active.as_ref().is_some_and(|(segment, _)| {
            segment.end() <= self.acked + 1 && segment.bytes > self.segment_bytes() / 2
        }) {
            self.seal();
        }
        while let Some(segment) = self
            .sealed
            .front()
            .filter(|segment| segment.end() <= self.acked + 1)
        {
            remove_if_there(&segment.path)?;
            self.sealed.pop_front();
        }
        Ok(())
    }

    /// Keeps records that are being sent from being dropped, until the next call. They do not count against the cap meanwhile.
    pub fn set_under_way(&mut self, records: Option<Range<u64>>) {
        self.under_way = records;
    }

    /// Records a gap, durably.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_gap(&mut self, gap: Gap) -> io::Result<()> {
        let record = self.gap_record(gap);
        self.append(&[record]).map(drop)
    }

    /// Numbers about the spool.
    pub fn stats(&self) -> SpoolStats {
        let waiting = |segment: &Segment| {
            segment
                .end()
                .saturating_sub(segment.first_seq.max(self.acked + 1))
        };
        SpoolStats {
            backlog_records: self.segments().map(waiting).sum(),
            bytes: self.total_bytes(),
            durable_through: self.next_seq - 1,
            lost_records: self.lost,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.sealed
            .iter()
            .chain(self.active.iter().map(|(segment, _)| segment))
    }

    fn total_bytes(&self) -> u64 {
        self.segments().map(|segment| segment.bytes).sum()
    }

    fn segment_bytes(&self) -> u64 {
        (self.max_bytes / 16).clamp(16 * 1024, 4 * 1024 * 1024)
    }

    fn seal(&mut self) {
        if let Some((segment, _)) = self.active.take() {
            self.sealed.push_back(segment);
        }
    }

    fn gap_record(&self, gap: Gap) -> Record {
        Record {
            id: RecordId(self.ids.next()),
            at: self.now(),
            body: RecordBody::Gap(gap),
        }
    }

    /// Takes the oldest segments out until `incoming` bytes fit. Their files stay until the loss is on record.
    fn take_oldest_beyond_cap(&mut self, incoming: u64) -> Vec<Segment> {
        let mut dropped = Vec::new();
        while self.droppable_bytes() + incoming > self.max_bytes {
            match self.sealed.iter().position(|segment| !self.is_under_way(segment)) {
                Some(oldest) => dropped.extend(self.sealed.remove(oldest)),
                None => match &self.active {
                    Some((segment, _)) if segment.count > 0 && !self.is_under_way(segment) => self.seal(),
                    _ => break,
                },
            }
        }
        dropped
    }

    fn droppable_bytes(&self) -> u64 {
        self.segments()
            .filter(|segment| !self.is_under_way(segment))
            .map(|segment| segment.bytes)
            .sum()
    }

    fn is_under_way(&self, segment: &Segment) -> bool {
        self.under_way
            .as_ref()
            .is_some_and(|under_way| segment.first_seq < under_way.end && segment.end() > under_way.start)
    }

    fn append_with_losses(
        &mut self,
        dropped: &[Segment],
        records: &[Record],
        batch: &mut Encoded,
    ) -> io::Result<Range<u64>> {
        let mut lost = 0;
        if !dropped.is_empty() {
            let loss = self.weigh_loss(dropped)?;
            for record in &loss.rescued {
                batch.push(record)?;
            }
            if loss.count > 0 {
                let to = loss.to.unwrap_or_else(|| self.now());
                let gap = Gap {
                    reason: "spool_full".to_owned(),
                    lost_records: Some(loss.count),
                    from: loss.from.unwrap_or(to),
                    to,
                    detail: Some(format!(
                        "the spool of {} bytes was full; the oldest records up to number {} were dropped, findings excepted",
                        self.max_bytes, loss.through
                    )),
                };
                batch.push(&self.gap_record(gap))?;
                lost = loss.new;
            }
        }
        let ahead = batch.times.len() as u64;
        for record in records {
            batch.push(record)?;
        }
        let first = self.write(batch)?;
        self.lost += lost;
        Ok(first + ahead..self.next_seq)
    }

    fn write(&mut self, batch: &Encoded) -> io::Result<u64> {
        if batch.times.is_empty() {
            return Ok(self.next_seq);
        }
        if self
            .active
            .as_ref()
            .is_some_and(|(segment, _)| segment.bytes >= self.segment_bytes())
        {
            self.seal();
        }
        if self.active.is_none() {
            self.active = Some(Segment::create(&self.dir, self.next_seq)?);
        }
        let Some((segment, file)) = &mut self.active else {
            return Err(io::ErrorKind::Other.into());
        };
        if let Err(error) = segment.append(file, &batch.bytes, &batch.times) {
            // What the disk holds behind the good records is unknown now: leave this segment and go on in a new one, which supersedes it.
            let _ = segment.truncate_to_good();
            if segment.count > 0 {
                self.seal();
            } else {
                self.active = None;
            }
            return Err(error);
        }
        let first = self.next_seq;
        self.next_seq += batch.times.len() as u64;
        Ok(first)
    }

    fn read_segment(
        &mut self,
        segment: &Segment,
        from: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> io::Result<Batch> {
        let mut batch = Batch {
            first_seq: from,
            records: Vec::new(),
            more: false,
        };
        let start = match &self.cursor {
            Some(cursor) if cursor.segment == segment.first_seq && cursor.seq <= from => {
                (cursor.seq, cursor.offset)
            }
            _ => (segment.first_seq, HEADER_BYTES),
        };
        let (mut seq, mut bytes) = (start.0, 0);
        let Some(mut reader) = FrameReader::open(segment, start.1)? else {
            self.record_damage(segment, segment.first_seq)?;
            return Ok(batch);
        };
        while seq < segment.end() && batch.records.len() < max_records {
            let offset = reader.offset;
            let Frame::Record(text) = reader.next()? else {
                self.record_damage(segment, seq)?;
                return Ok(batch);
            };
            if seq >= from {
                if !batch.records.is_empty() && bytes + text.len() > max_bytes {
                    self.cursor = Some(Cursor {
                        segment: segment.first_seq,
                        seq,
                        offset,
                    });
                    return Ok(batch);
                }
                match serde_json::from_slice(&text) {
                    Ok(record) => batch.records.push(record),
                    Err(_) if batch.records.is_empty() => {
                        self.record_unreadable(seq)?;
                        return Ok(batch);
                    }
                    Err(_) => return Ok(batch),
                }
                bytes += text.len();
            }
            seq += 1;
        }
        self.cursor = Some(Cursor {
            segment: segment.first_seq,
            seq,
            offset: reader.offset,
        });
        Ok(batch)
    }

    /// Cuts a segment that turned out to be damaged at `seq` and records what was lost.
    fn record_damage(&mut self, damaged: &Segment, seq: u64) -> io::Result<()> {
        self.cursor = None;
        if self
            .active
            .as_ref()
            .is_some_and(|(segment, _)| segment.first_seq == damaged.first_seq)
        {
            self.seal();
        }
        let lost = damaged.end() - seq;
        if let Some(segment) = self
            .sealed
            .iter_mut()
            .find(|segment| segment.first_seq == damaged.first_seq)
        {
            segment.count = seq - segment.first_seq;
        }
        self.lost += lost;
        let to = self.now();
        self.append_gap(Gap {
            reason: "spool_damaged".to_owned(),
            lost_records: Some(lost),
            from: damaged.first_at.unwrap_or(to),
            to: damaged.last_at.unwrap_or(to),
            detail: Some("a part of the spool could not be read back from disk".to_owned()),
        })
    }

    fn record_unreadable(&mut self, seq: u64) -> io::Result<()> {
        self.unreadable.insert(seq);
        self.lost += 1;
        let now = self.now();
        self.append_gap(Gap {
            reason: "spool_damaged".to_owned(),
            lost_records: Some(1),
            from: now,
            to: now,
            detail: Some(
                "a record was written by another version of the agent and cannot be understood".to_owned(),
            ),
        })
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Records in their form on disk.
#[derive(Default)]
struct Encoded {
    bytes: Vec<u8>,
    times: Vec<DateTime<Utc>>,
}

impl Encoded {
    fn push(&mut self, record: &Record) -> io::Result<()> {
        encode_record(&mut self.bytes, record)?;
        self.times.push(record.at);
        Ok(())
    }

    /// The bytes that a record takes on disk.
    fn measure(&mut self, record: &Record) -> io::Result<u64> {
        encode_record(&mut self.bytes, record)?;
        let length = self.bytes.len() as u64;
        self.bytes.clear();
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
