//! Fuzz targets: archives, the frames in which records wait on disk, and what a server says.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sg_agent::identity::{StateDir, verify_rules};
use sg_agent::scan::{Limits, unpack};
use sg_agent::spool::Spool;
use sg_agent::uplink::Stream;
use sg_types::agent::{
    CheckInReply, EnrolReply, Gap, Record, RecordBody, RulePackage, SignedRules, TrustSet,
};
use sg_types::{ManualClock, RecordId, TimeOrderedIds};
use zip::write::SimpleFileOptions;

use crate::mutate::fuzz;

const LIMITS: Limits = Limits {
    max_bytes: 256 * 1024,
    max_depth: 4,
    max_entries: 200,
    max_ratio: 250,
    max_unpacked: 8 * 1024 * 1024,
    max_held: 1024 * 1024,
    max_time: Duration::from_secs(10),
};

fn packed() -> Vec<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [
        ("a/b.txt", "hello".repeat(50)),
        ("../c", String::new()),
        ("stored", "x".into()),
    ] {
        let stored = name == "stored";
        let method = if stored {
            zip::CompressionMethod::Stored
        } else {
            zip::CompressionMethod::Deflated
        };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .large_file(stored);
        writer.start_file(name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    let zip = writer.finish().unwrap().into_inner();
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["short", &"long/".repeat(60)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        builder
            .append_data(&mut header, format!("{name}x"), &b"hello"[..])
            .unwrap();
    }
    builder
        .append_pax_extensions([("path", &b"from/pax"[..])])
        .unwrap();
    let tar = builder.into_inner().unwrap();
    let gzip = |content: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    };
    vec![gzip(&tar), gzip(&gzip(&zip)), gzip(b"text"), zip, tar]
}

#[test]
fn archives() {
    const WORDS: &[&str] = &[
        "PK\u{3}\u{4}",
        "PK\u{1}\u{2}",
        "PK\u{5}\u{6}",
        "PK\u{6}\u{6}",
        "PK\u{6}\u{7}",
        "ustar\u{0}00",
        "ustar  \u{0}",
        "77777777777",
        "30 path=../x\n",
        "L",
        "x",
        "g",
        "S",
        "\u{1f}",
    ];
    fuzz(packed(), WORDS, |input| {
        let mut bytes = 0;
        let gaps = unpack("fuzz", input, &LIMITS, &mut |path, content| {
            assert!(path.starts_with("fuzz!") && !path.contains(char::is_control));
            assert!(content.len() as u64 <= LIMITS.max_bytes);
            bytes += content.len() as u64;
        });
        assert!(bytes <= 16 * 1024 * 1024, "{bytes}");
        assert!(gaps.kept.len() as u64 <= gaps.count);
    });
}

fn spool(folder: &Path) -> Spool {
    let clock = Arc::new(ManualClock::at(chrono::DateTime::UNIX_EPOCH));
    Spool::open(folder, 1024 * 1024, 0, 0, clock, Arc::new(TimeOrderedIds)).unwrap()
}

/// What a crash or a bad disk may leave of a segment: the spool opens, goes on, and says what is lost.
#[test]
fn frames() {
    let records: Vec<Record> = (0..6)
        .map(|number: u128| Record {
            id: RecordId(uuid::Uuid::from_u128(number)),
            at: chrono::DateTime::UNIX_EPOCH,
            body: RecordBody::Event(Box::new(sg_types::agent::Event::FileDeleted(
                sg_types::agent::FileSubject {
                    path: "/srv/x".repeat(4),
                    sha256: None,
                    size: 1,
                    user: None,
                },
            ))),
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    spool(folder.path()).append(&records).unwrap();
    let mut files = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let segment = files.find(|path| path.metadata().unwrap().len() > 100).unwrap();
    let name = segment.file_name().unwrap().to_owned();
    let corpus = vec![std::fs::read(&segment).unwrap()];
    fuzz(
        corpus,
        &["{\"id\":", "}", "\u{0}\u{0}\u{0}\u{0}", "SG", "null"],
        |input| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(&name), input).unwrap();
            let mut spool = spool(folder.path());
            let range = spool.append(&records[..1]).unwrap();
            let batch = spool.read(1, 1_000, 1024 * 1024).unwrap();
            assert!(range.start >= 1 && !batch.records.is_empty());
            spool.acknowledge(range.end - 1).unwrap();
        },
    );
}

/// A server that is not ours, or no longer.
#[test]
fn server_answers() {
    const WORDS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "null",
        "-1",
        "18446744073709551616",
        "1e999",
        "\\ud800",
        "\"rules\":",
        "\"version\":",
        "\"signature\":",
        "\"payload\":",
        "\"rules_key\":",
        "AAAA",
        "====",
    ];
    let signed = r#"{"package":"{\"version\":1,\"rules\":[]}","signature":"AAAA","rules_key":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=","version":1,"revoked_approvers":["a"]}"#;
    let package = r#"{"version":3,"rules":[{"kind":"yara","name":"a.yar","text":"rule a { condition: true }"}],"switched_off":["x"],"placeholders":{"a":["b"]}}"#;
    let reply = r#"{"acknowledged_through":5,"turn":"00000000-0000-0000-0000-000000000000","rules_version":3,"check_in_seconds":60,"trust_version":1}"#;
    let stream = r#"{"agent_id":"00000000-0000-0000-0000-000000000001","epoch":"00000000-0000-0000-0000-000000000002","base":1,"acked":2,"offered":3,"turn":"00000000-0000-0000-0000-000000000000"}"#;
    let corpus = [signed, package, reply, stream]
        .map(|text| text.as_bytes().to_vec())
        .to_vec();
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::create(folder.path()).unwrap();
    fuzz(corpus, WORDS, |input| {
        let _ = serde_json::from_slice::<CheckInReply>(input);
        let _ = serde_json::from_slice::<EnrolReply>(input);
        let _ = serde_json::from_slice::<RulePackage>(input);
        let _ = serde_json::from_slice::<Gap>(input);
        let _ = serde_json::from_slice::<Record>(input);
        let trust = serde_json::from_slice::<TrustSet>(input);
        if let (Ok(rules), Ok(trust)) = (serde_json::from_slice::<SignedRules>(input), trust) {
            assert!(verify_rules(&rules, &trust, 0).is_err());
        }
        std::fs::write(dir.file(sg_agent::uplink::STREAM_FILE), input).unwrap();
        let _ = Stream::load(&dir);
    });
}
