//! Opening a spool after any kind of end, and weighing what is lost when the cap forces segments out.

use std::collections::VecDeque;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sg_types::agent::{Gap, Record, RecordBody};
use sg_types::{Clock, Ids};

use super::segment::{Frame, FrameReader, HEADER_BYTES, Scan, Segment, list_segments};
use super::{MIN_SPOOL_BYTES, Spool};

impl Spool {
    /// Opens or creates the spool in a folder.
    ///
    /// `acked` is the last number that the server acknowledged, `offered` the last that may have been sent: numbers go on behind both.
    /// Damage is cut off and recorded as a gap before this returns.
    ///
    /// # Errors
    /// When the folder cannot be created, read or written.
    pub fn open(
        dir: &Path,
        max_bytes: u64,
        acked: u64,
        offered: u64,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let _ = std::fs::remove_file(dir.join("segment.new"));
        let scans: Vec<Scan> = list_segments(dir)?
            .iter()
            .map(|(first_seq, path)| Segment::scan(path, *first_seq))
            .collect::<Result<_, _>>()?;
        let mut spool = Self {
            dir: dir.to_owned(),
            max_bytes: max_bytes.max(MIN_SPOOL_BYTES),
            sealed: VecDeque::new(),
            active: None,
            next_seq: 1,
            acked,
            cursor: None,
            under_way: None,
            unreadable: Default::default(),
            lost: 0,
            clock,
            ids,
        };
        let gaps = spool.adopt(&scans, acked, offered);
        for gap in gaps {
            spool.lost += gap.lost_records.unwrap_or(0);
            spool.append_gap(gap)?;
        }
        spool.mend(&scans)?;
        spool.acknowledge(acked)?;
        Ok(spool)
    }

    /// Takes over what is good of every segment and tells what is not.
    fn adopt(&mut self, scans: &[Scan], acked: u64, offered: u64) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut last_at = None;
        let mut end = 1;
        for (index, scan) in scans.iter().enumerate() {
            let next_first = scans.get(index + 1).map(|next| next.segment.first_seq);
            let mut segment = scan.segment.clone();
            if let Some(next) = next_first {
                segment.count = segment.count.min(next - segment.first_seq);
            }
            let known = next_first.or_else(|| (offered + 1 > segment.end()).then_some(offered + 1));
            let lost = known.map(|bound| bound - segment.end().max(acked + 1).min(bound));
            // Behind the last segment's good records there may have been some that nobody was offered: how many cannot be known.
            // A segment that its successor starts right behind lost nothing: its rest was written again.
            let superseded = next_first == Some(segment.end());
            let nothing_lost = next_first.is_some() && lost == Some(0);
            if scan.damaged && !superseded && !nothing_lost {
                let to = scans
                    .get(index + 1)
                    .and_then(|next| next.segment.first_at)
                    .unwrap_or_else(|| self.now());
                let lost = lost.filter(|lost| *lost > 0);
                gaps.push(damage_gap(lost, segment.last_at.or(last_at).unwrap_or(to), to));
            } else if next_first.is_none() && lost.is_some_and(|lost| lost > 0) {
                let to = self.now();
                gaps.push(damage_gap(lost, segment.last_at.or(last_at).unwrap_or(to), to));
            }
            last_at = segment.last_at.or(last_at);
            end = end.max(segment.end());
            if segment.count > 0 {
                self.sealed.push_back(segment);
            }
        }
        if scans.is_empty() && offered > acked {
            let to = self.now();
            gaps.push(damage_gap(Some(offered - acked), to, to));
        }
        self.next_seq = end.max(offered + 1).max(acked + 1);
        gaps
    }

    /// Removes from disk what was found damaged, now that it is on record.
    fn mend(&self, scans: &[Scan]) -> io::Result<()> {
        for scan in scans {
            let adopted = self
                .segments()
                .find(|segment| segment.first_seq == scan.segment.first_seq);
            match adopted {
                // The gap's own segment may have taken the place of one that lost all its records.
                Some(segment) if segment.count > 0 && scan.segment.count == 0 => {}
                Some(segment) if scan.damaged => {
                    Segment {
                        bytes: scan.segment.bytes,
                        ..segment.clone()
                    }
                    .truncate_to_good()?;
                }
                Some(_) => {}
                None => super::remove_if_there(&scan.segment.path)?,
            }
        }
        Ok(())
    }

    /// Reads what would be lost with these segments.
    pub(super) fn weigh_loss(&self, dropped: &[Segment]) -> io::Result<Loss> {
        let mut loss = Loss::default();
        let budget = self.segment_bytes() / 4;
        for segment in dropped {
            let mut rescued_bytes = 0;
            let mut seq = segment.first_seq;
            if let Some(mut reader) = FrameReader::open(segment, HEADER_BYTES)? {
                while seq < segment.end() {
                    let Frame::Record(text) = reader.next()? else {
                        break;
                    };
                    if seq > self.acked {
                        match serde_json::from_slice::<Record>(&text) {
                            Ok(record) => loss.add(record, text.len() as u64, &mut rescued_bytes, budget),
                            Err(_) => loss.add_unknown(1),
                        }
                    }
                    seq += 1;
                }
            }
            loss.add_unknown(segment.end().saturating_sub(seq.max(self.acked + 1)));
            loss.through = segment.end() - 1;
        }
        Ok(loss)
    }
}

/// What goes with segments that are dropped, and what is kept of them.
#[derive(Debug, Default)]
pub(super) struct Loss {
    /// Records lost, those included that an earlier gap among them had told.
    pub(super) count: u64,
    /// Records lost now.
    pub(super) new: u64,
    /// Number of the last record of the segments.
    pub(super) through: u64,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
    /// Findings, and gaps for other reasons, that are written again.
    pub(super) rescued: Vec<Record>,
}

impl Loss {
    fn add(&mut self, record: Record, bytes: u64, rescued_bytes: &mut u64, budget: u64) {
        match &record.body {
            RecordBody::Gap(gap) if gap.reason == "spool_full" => {
                self.count += gap.lost_records.unwrap_or(0);
                self.span(gap.from);
                self.span(gap.to);
            }
            RecordBody::Finding(_) | RecordBody::Gap(_) if *rescued_bytes + bytes <= budget => {
                *rescued_bytes += bytes;
                self.rescued.push(record);
            }
            _ => {
                self.add_unknown(1);
                self.span(record.at);
            }
        }
    }

    fn add_unknown(&mut self, count: u64) {
        self.count += count;
        self.new += count;
    }

    fn span(&mut self, at: DateTime<Utc>) {
        self.from = Some(self.from.map_or(at, |from| from.min(at)));
        self.to = Some(self.to.map_or(at, |to| to.max(at)));
    }
}

fn damage_gap(lost_records: Option<u64>, from: DateTime<Utc>, to: DateTime<Utc>) -> Gap {
    Gap {
        reason: "spool_damaged".to_owned(),
        lost_records,
        from: from.min(to),
        to,
        detail: Some("a part of the spool was damaged or missing when the agent started".to_owned()),
    }
}
