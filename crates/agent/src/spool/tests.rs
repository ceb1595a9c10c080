use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use sg_types::agent::{Finding, Metrics, Subject};
use sg_types::{DetectionEngine, ManualClock, Severity, TimeOrderedIds};
use uuid::Uuid;

use super::*;

const BIG: u64 = 64 * 1024 * 1024;

fn open(dir: &Path, max_bytes: u64, acked: u64, offered: u64) -> Spool {
    let clock = Arc::new(ManualClock::at(
        DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    ));
    Spool::open(dir, max_bytes, acked, offered, clock, Arc::new(TimeOrderedIds)).unwrap()
}

fn metrics(number: u64, filler: usize) -> Record {
    let metrics = Metrics {
        cpu_usage: 1.0,
        memory_usage: 2.0,
        disk_usage: 3.0,
        network_usage: vec![],
        uptime: number,
        process_count: 5,
        service_status: vec![sg_types::agent::ServiceStatus {
            name: "x".repeat(filler),
            state: "running".into(),
        }],
    };
    let at = DateTime::from_timestamp(1_700_000_000 + number as i64, 0).unwrap();
    Record {
        id: RecordId(Uuid::from_u128(u128::from(number))),
        at,
        body: RecordBody::Metrics(metrics),
    }
}

fn finding(number: u64) -> Record {
    let finding = Finding {
        finding_id: Uuid::from_u128(u128::from(number)).into(),
        rule_id: "r".into(),
        rule_name: "r".into(),
        engine: DetectionEngine::Yara,
        severity: Severity::High,
        confidence: 0.5,
        threat_type: "malware".into(),
        tags: vec![],
        explanation: "e".into(),
        evidence: serde_json::json!([]),
        subject: Subject::Endpoint,
    };
    Record {
        body: RecordBody::Finding(Box::new(finding)),
        ..metrics(number, 0)
    }
}

/// Appends as the writer does: several records share a flush.
fn append_all(spool: &mut Spool, records: impl Iterator<Item = Record>) {
    let records: Vec<Record> = records.collect();
    for group in records.chunks(10) {
        spool.append(group).unwrap();
    }
}

/// Everything that waits, by number.
fn read_all(spool: &mut Spool, from: u64) -> BTreeMap<u64, Record> {
    let (mut found, mut next) = (BTreeMap::new(), from);
    loop {
        let batch = spool.read(next, 7, 4_000).unwrap();
        if batch.records.is_empty() {
            return found;
        }
        assert!(batch.first_seq >= next);
        next = batch.first_seq + batch.records.len() as u64;
        found.extend((batch.first_seq..).zip(batch.records));
    }
}

fn gaps(records: &BTreeMap<u64, Record>) -> Vec<Gap> {
    let gap = |record: &Record| match &record.body {
        RecordBody::Gap(gap) => Some(gap.clone()),
        _ => None,
    };
    records.values().filter_map(gap).collect()
}

fn newest_file(dir: &Path) -> std::path::PathBuf {
    segment::list_segments(dir).unwrap().pop().unwrap().1
}

#[test]
fn what_was_appended_is_read_in_order_until_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), BIG, 0, 0);
    assert_eq!(spool.read(1, 10, 1_000).unwrap().first_seq, 1);
    let written: Vec<Record> = (1..=20).map(|number| metrics(number, 10)).collect();
    assert_eq!(spool.append(&written[..5]).unwrap(), 1..6);
    assert_eq!(spool.append(&written[5..]).unwrap(), 6..21);
    assert_eq!(read_all(&mut spool, 1).into_values().collect::<Vec<_>>(), written);
    assert_eq!(spool.read(3, 4, 1_000_000).unwrap().records, written[2..6]);
    assert_eq!(spool.read(3, 4, 1).unwrap().records, written[2..3]);
    assert_eq!(spool.read(3, 0, 1).unwrap().first_seq, 3);
    spool.acknowledge(12).unwrap();
    assert_eq!(spool.stats().backlog_records, 8);
    drop(spool);
    let mut spool = open(dir.path(), BIG, 12, 20);
    assert_eq!(
        read_all(&mut spool, 13).into_values().collect::<Vec<_>>(),
        written[12..]
    );
    assert_eq!(spool.append(&[metrics(99, 0)]).unwrap(), 21..22);
    spool.acknowledge(21).unwrap();
    assert_eq!(spool.stats().backlog_records, 0);
    assert_eq!(spool.read(22, 10, 10).unwrap().first_seq, 22);
}

#[test]
fn acknowledged_segments_leave_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIN_SPOOL_BYTES, 0, 0);
    for number in 1..=100 {
        spool.append(&[metrics(number, 1_000)]).unwrap();
    }
    assert!(segment::list_segments(dir.path()).unwrap().len() > 3);
    spool.acknowledge(100).unwrap();
    assert!(segment::list_segments(dir.path()).unwrap().len() <= 1);
    drop(spool);
    assert_eq!(
        open(dir.path(), MIN_SPOOL_BYTES, 100, 100)
            .append(&[metrics(1, 0)])
            .unwrap(),
        101..102
    );
}

#[test]
fn a_spool_cut_at_any_byte_keeps_what_stands_before_and_says_what_is_gone() {
    let written: Vec<Record> = (1..=3).map(|number| metrics(number, 3)).collect();
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), BIG, 0, 0).append(&written).unwrap();
    let path = newest_file(dir.path());
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut spool = open(dir.path(), BIG, 0, 3);
        let mut found = read_all(&mut spool, 1);
        let gaps = gaps(&found);
        let kept = found.len() - gaps.len();
        assert_eq!(gaps.len(), 1, "cut at {length}");
        assert_eq!(
            (gaps[0].reason.as_str(), gaps[0].lost_records),
            ("spool_damaged", Some(3 - kept as u64))
        );
        found.retain(|_, record| !matches!(record.body, RecordBody::Gap(_)));
        assert_eq!(found.into_values().collect::<Vec<_>>(), written[..kept]);
        let next = spool.append(&[metrics(9, 0)]).unwrap().start;
        assert!(next > 4, "numbers that may have been sent are not used again");
        drop(spool);
        let mut again = open(dir.path(), BIG, 0, 3);
        let found = read_all(&mut again, 1);
        assert_eq!(self::gaps(&found).len(), 1, "what was told is not told again");
        assert_eq!(found.len(), kept + 2);
        drop(again);
        fs::remove_dir_all(dir.path()).unwrap();
        fs::create_dir(dir.path()).unwrap();
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let written: Vec<Record> = (1..=3).map(|number| metrics(number, 3)).collect();
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), BIG, 0, 0).append(&written).unwrap();
    let path = newest_file(dir.path());
    let whole = fs::read(&path).unwrap();
    for position in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&path, &flipped).unwrap();
        let mut spool = open(dir.path(), BIG, 0, 3);
        let found = read_all(&mut spool, 1);
        assert_eq!(gaps(&found).len(), 1, "flipped at {position}");
        let kept: Vec<_> = found
            .into_values()
            .filter(|record| !matches!(record.body, RecordBody::Gap(_)))
            .collect();
        assert_eq!(kept, written[..kept.len()]);
        drop(spool);
        fs::remove_dir_all(dir.path()).unwrap();
        fs::create_dir(dir.path()).unwrap();
    }
}

#[test]
fn damage_while_running_costs_the_rest_of_its_segment_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIN_SPOOL_BYTES, 0, 0);
    for number in 1..=60 {
        spool.append(&[metrics(number, 1_000)]).unwrap();
    }
    let segments = segment::list_segments(dir.path()).unwrap();
    let (first, path) = &segments[1];
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, &bytes).unwrap();
    let found = read_all(&mut spool, 1);
    let lost = gaps(&found)[0].lost_records.unwrap();
    assert!(lost > 0 && lost < segments[2].0 - first);
    assert_eq!(found.len() as u64, 60 - lost + 1);
    assert_eq!(spool.stats().lost_records, lost);
}

#[test]
fn a_lost_folder_is_told_and_its_numbers_are_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), BIG, 40, 50);
    let found = read_all(&mut spool, 41);
    assert_eq!(gaps(&found)[0].lost_records, Some(10));
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [51]);
}

#[test]
fn a_full_spool_drops_the_oldest_keeps_findings_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIN_SPOOL_BYTES, 0, 0);
    spool.append(&[finding(1)]).unwrap();
    append_all(&mut spool, (2..=2_000).map(|number| metrics(number, 1_000)));
    assert!(spool.stats().bytes <= MIN_SPOOL_BYTES);
    let found = read_all(&mut spool, 1);
    let gaps = gaps(&found);
    let kept = found
        .values()
        .filter(|record| matches!(record.body, RecordBody::Metrics(_)))
        .count() as u64;
    assert_eq!(
        kept + gaps.iter().filter_map(|gap| gap.lost_records).sum::<u64>(),
        1_999
    );
    assert_eq!(spool.stats().lost_records, 1_999 - kept);
    assert_eq!(found.values().filter(|record| **record == finding(1)).count(), 1);
    let first_lost = metrics(2, 0).at;
    assert!(
        gaps.iter()
            .any(|gap| gap.reason == "spool_full" && gap.from == first_lost)
    );
}

#[test]
fn what_is_being_sent_is_not_dropped_and_not_told_as_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIN_SPOOL_BYTES, 0, 0);
    append_all(&mut spool, (1..=100).map(|number| metrics(number, 1_000)));
    spool.set_under_way(Some(1..51));
    append_all(&mut spool, (101..=1_000).map(|number| metrics(number, 1_000)));
    assert_eq!(read_all(&mut spool, 1).range(..51).count(), 50);
    spool.set_under_way(None);
    spool.acknowledge(50).unwrap();
    let found = read_all(&mut spool, 51);
    let kept = found
        .values()
        .filter(|record| matches!(record.body, RecordBody::Metrics(_)))
        .count() as u64;
    assert_eq!(
        kept + gaps(&found)
            .iter()
            .filter_map(|gap| gap.lost_records)
            .sum::<u64>(),
        950
    );
    spool.append(&[metrics(1_001, 0)]).unwrap();
    assert!(spool.stats().bytes <= MIN_SPOOL_BYTES);
}

#[test]
fn a_spool_of_findings_alone_stays_within_its_cap() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIN_SPOOL_BYTES, 0, 0);
    append_all(&mut spool, (1..=3_000).map(finding));
    assert!(spool.stats().bytes <= MIN_SPOOL_BYTES + MIN_SPOOL_BYTES / 16);
    let found = read_all(&mut spool, 1);
    let kept = found
        .values()
        .filter(|record| matches!(record.body, RecordBody::Finding(_)))
        .count() as u64;
    assert_eq!(
        kept + gaps(&found)
            .iter()
            .filter_map(|gap| gap.lost_records)
            .sum::<u64>(),
        3_000
    );
}

#[test]
fn records_of_an_unknown_kind_are_reported_once_and_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), BIG, 0, 0);
    spool
        .append(&[metrics(1, 0), metrics(2, 0), metrics(3, 0)])
        .unwrap();
    drop(spool);
    let path = newest_file(dir.path());
    let segment = segment::Segment::scan(&path, 1).unwrap().segment;
    let mut reader = FrameReader::open(&segment, HEADER_BYTES).unwrap().unwrap();
    let mut rewritten = fs::read(&path).unwrap()[..HEADER_BYTES as usize].to_vec();
    for number in 1..=3 {
        let Frame::Record(text) = reader.next().unwrap() else {
            panic!("a record")
        };
        let text = if number == 2 { text.replace_kind() } else { text };
        segment::encode_frame(&mut rewritten, &text).unwrap();
    }
    fs::write(&path, rewritten).unwrap();
    let mut spool = open(dir.path(), BIG, 0, 3);
    for _ in 0..2 {
        let found = read_all(&mut spool, 1);
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(gaps(&found)[0].lost_records, Some(1));
    }
}

/// Cuts bytes off the newest segment, one more when the cut would leave whole records only: nothing could tell that from a shorter spool.
fn cut_newest(dir: &Path, bytes: u64) {
    let Some((first_seq, path)) = segment::list_segments(dir).unwrap().pop() else {
        return;
    };
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len().saturating_sub(bytes);
    file.set_len(length).unwrap();
    if !segment::Segment::scan(&path, first_seq).unwrap().damaged {
        file.set_len(length - 1).unwrap();
    }
}

#[test]
fn damage_that_reaches_back_behind_the_acknowledged_tells_of_what_was_never_offered() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), BIG, 0, 0);
    append_all(&mut spool, (1..=10).map(|number| metrics(number, 200)));
    drop(spool);
    // Three were sent and acknowledged; the damage takes the third and all that follow.
    let length = fs::metadata(newest_file(dir.path())).unwrap().len();
    cut_newest(dir.path(), length * 3 / 4);
    let mut spool = open(dir.path(), BIG, 3, 3);
    let told = read_all(&mut spool, 4);
    assert_eq!(gaps(&told).len(), 1);
    assert_eq!(gaps(&told)[0].lost_records, None, "how many is unknown");
}

trait ReplaceKind {
    fn replace_kind(&self) -> Vec<u8>;
}

impl ReplaceKind for Vec<u8> {
    fn replace_kind(&self) -> Vec<u8> {
        String::from_utf8(self.clone())
            .unwrap()
            .replace("\"metrics\"", "\"riddles\"")
            .into_bytes()
    }
}

/// What happens to a spool.
#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    /// Everything on disk up to here may have been sent.
    Offer,
    /// The server acknowledges this share of what was offered.
    Acknowledge(u8),
    Restart,
    /// The newest segment loses this many bytes, as after a power cut on a lying disk.
    Cut(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..40_u8).prop_map(Step::Append),
        3 => Just(Step::Offer),
        3 => any::<u8>().prop_map(Step::Acknowledge),
        1 => Just(Step::Restart),
        1 => (1..6_000_u16).prop_map(Step::Cut),
    ];
    prop::collection::vec(step, 1..40)
}

/// What the outside world knows.
#[derive(Default)]
struct Model {
    acked: u64,
    offered: u64,
    number: u64,
    cuts: u32,
    /// Content that may have been sent under a number.
    sent: BTreeMap<u64, Record>,
    /// Content that must be there unless damage or the cap is told.
    expected: BTreeMap<u64, Record>,
}

impl Model {
    fn check(&mut self, spool: &mut Spool) {
        let found = read_all(spool, self.acked + 1);
        for (seq, record) in &found {
            if let Some(sent) = self.sent.get(seq) {
                assert_eq!(sent, record, "number {seq} was sent with another content");
            }
        }
        let told: u64 = gaps(&found).iter().filter_map(|gap| gap.lost_records).sum();
        let missing = self
            .expected
            .range(self.acked + 1..)
            .filter(|(seq, _)| !found.contains_key(seq))
            .count() as u64;
        let sent_missing = self
            .sent
            .range(self.acked + 1..)
            .filter(|(seq, _)| !found.contains_key(seq))
            .count() as u64;
        // A second damage may take the record of the first; then only the hole in the numbers tells.
        assert!(
            sent_missing <= told || self.cuts > 1,
            "{sent_missing} sent records are missing, {told} are told"
        );
        if missing > 0 {
            assert!(
                !gaps(&found).is_empty(),
                "{missing} records are missing and nothing is told"
            );
        }
        self.expected = found;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_nothing_is_lost_silently_and_no_number_changes_its_content(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let mut model = Model::default();
        let mut spool = Some(open(dir.path(), MIN_SPOOL_BYTES, 0, 0));
        for step in steps {
            let open_spool = spool.as_mut().unwrap();
            match step {
                Step::Append(count) => {
                    let records: Vec<_> = (0..count).map(|_| { model.number += 1; metrics(model.number, 200) }).collect();
                    let range = open_spool.append(&records).unwrap();
                    model.expected.extend(range.zip(records));
                }
                Step::Offer => {
                    model.check(open_spool);
                    model.offered = model.offered.max(open_spool.stats().durable_through);
                    model.sent.extend(model.expected.clone());
                }
                Step::Acknowledge(share) => {
                    model.acked += (model.offered - model.acked) * u64::from(share) / 255;
                    open_spool.acknowledge(model.acked).unwrap();
                }
                Step::Restart => {
                    spool = None;
                    spool.replace(open(dir.path(), MIN_SPOOL_BYTES, model.acked, model.offered));
                }
                Step::Cut(bytes) => {
                    model.cuts += 1;
                    spool = None;
                    cut_newest(dir.path(), bytes.into());
                    spool.replace(open(dir.path(), MIN_SPOOL_BYTES, model.acked, model.offered));
                }
            }
            model.check(spool.as_mut().unwrap());
        }
    }
}
