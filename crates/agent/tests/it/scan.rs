//! `scan`: what it finds, what it says, and what is done to it.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use sg_agent::scan::{Gaps, Limits, Reason, read_file, unpack};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

use crate::agent::BINARY;

const RULE: &str = "rule marked { strings: $a = \"MARK-OF-THE-TEST\" condition: $a }";
const MARK: &[u8] = b"here is the MARK-OF-THE-TEST, found";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    fs::write(folder.path().join("rules.yar"), RULE).unwrap();
    folder
}

fn scan(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY)
        .args(["scan", "--rules"])
        .arg(folder.join("rules.yar"))
        .arg("--state-dir")
        .arg(folder.join("state"))
        .args(arguments)
        .arg(folder.join("in"))
        .output()
        .unwrap()
}

/// The exit code, the lines of a type, and the summary.
fn scan_json(folder: &Path, arguments: &[&str]) -> (i32, Vec<Value>, Value) {
    let output = scan(folder, &[&["--json"], arguments].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["type"], "summary", "{text}");
    (output.status.code().unwrap(), lines, summary)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Every entry with its length, and the gaps.
fn unpack_all(name: &str, content: &[u8], limits: &Limits) -> (Vec<(String, usize)>, Gaps) {
    let mut met = Vec::new();
    let gaps = unpack(name, content, limits, &mut |path, bytes| {
        met.push((path.to_owned(), bytes.len()))
    });
    (met, gaps)
}

fn reasons(gaps: &Gaps) -> Vec<Reason> {
    gaps.kept.iter().map(|gap| gap.reason).collect()
}

const LIMITS: Limits = Limits {
    max_bytes: 1024 * 1024,
    max_depth: 4,
    max_entries: 50,
    max_ratio: 100,
    max_unpacked: 32 * 1024 * 1024,
    max_held: 2 * 1024 * 1024,
    max_time: Duration::from_secs(20),
};

#[test]
fn clean_found_and_incomplete_have_their_codes() {
    let folder = folder();
    fs::write(folder.path().join("in/clean.txt"), "nothing").unwrap();
    let (code, lines, summary) = scan_json(folder.path(), &[]);
    assert_eq!(
        (code, lines.len(), &summary["files"], &summary["complete"]),
        (0, 0, &1.into(), &true.into())
    );

    fs::write(folder.path().join("in/large"), vec![0; 1024 * 1024 + 1]).unwrap();
    let (code, lines, summary) = scan_json(folder.path(), &["--max-size", "1"]);
    assert_eq!((code, &summary["gaps"]), (2, &1.into()));
    assert_eq!(lines[0]["reason"], "larger than what is read");

    fs::write(folder.path().join("in/marked"), MARK).unwrap();
    let (code, lines, summary) = scan_json(folder.path(), &["--max-size", "1"]);
    assert_eq!((code, &summary["matches"]), (1, &1.into()));
    let found = lines.iter().find(|line| line["type"] == "match").unwrap();
    assert_eq!(found["rule_id"], "yara:marked");
    let text = scan(folder.path(), &["--progress"]);
    assert_eq!(text.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&text.stdout).contains("in/marked: marked (medium, yara:marked)"));

    let missing = Command::new(BINARY)
        .args(["scan", "/no/such/path"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn a_rule_error_is_told_with_its_line_and_the_other_files_are_used() {
    let folder = folder();
    fs::write(folder.path().join("in/marked"), MARK).unwrap();
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::write(
        folder.path().join("more/bad.yar"),
        "rule a {\n  condition: true\n}\nrule b {\n  condition: nonsense\n}\n",
    )
    .unwrap();
    let more = folder.path().join("more");
    let output = scan(folder.path(), &["--rules", more.to_str().unwrap()]);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        complaint.contains("bad.yar") && complaint.contains(":5"),
        "{complaint}"
    );
    assert_eq!(output.status.code(), Some(1));
    fs::remove_file(folder.path().join("in/marked")).unwrap();
    assert_eq!(
        scan(folder.path(), &["--rules", more.to_str().unwrap()])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn what_is_in_archives_is_found_with_its_path() {
    let folder = folder();
    let tarball = gzip(&tar(&[("etc/x", b"nothing"), ("deep/mark.txt", MARK)]));
    fs::write(
        folder.path().join("in/a.zip"),
        zip(&[("lib/inner.tar.gz", &tarball), ("readme", b"hello")]),
    )
    .unwrap();
    fs::write(folder.path().join("in/log.gz"), gzip(&MARK.repeat(20))).unwrap();
    let (code, lines, summary) = scan_json(folder.path(), &[]);
    let mut paths: Vec<_> = lines
        .iter()
        .map(|line| line["path"].as_str().unwrap().rsplit_once("/in/").unwrap().1)
        .collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["a.zip!lib/inner.tar.gz!inner.tar!deep/mark.txt", "log.gz!log"]
    );
    assert_eq!(
        (code, &summary["files_with_matches"], &summary["complete"]),
        (1, &2.into(), &true.into())
    );
    assert_eq!(scan_json(folder.path(), &["--archive-depth", "0"]).0, 0);
}

#[test]
fn rules_may_ask_for_the_owner_and_the_name_inside_an_archive() {
    let folder = folder();
    fs::write(folder.path().join("rules.yar"), "rule r { condition: filename == \"inner.php\" and extension == \".php\" and owner != \"\" and filepath contains \"a.zip!\" }").unwrap();
    fs::write(folder.path().join("in/a.zip"), zip(&[("inner.php", b"x")])).unwrap();
    assert_eq!(scan_json(folder.path(), &[]).0, 1);
}

#[test]
fn a_bomb_ends_at_the_limits() {
    let zeros = vec![0; 900 * 1024];
    let one = zip(&[("a", &zeros)]);
    let entries: Vec<(String, &[u8])> = (0..40)
        .map(|number| (number.to_string(), one.as_slice()))
        .collect();
    let entries: Vec<(&str, &[u8])> = entries
        .iter()
        .map(|(name, content)| (name.as_str(), *content))
        .collect();
    let begun = Instant::now();
    // By its ratio: 40 times 900 KiB out of some 40 KB.
    let (_, gaps) = unpack_all("bomb.zip", &zip(&entries), &LIMITS);
    assert_eq!(reasons(&gaps), [Reason::UnpacksToTooMuch]);
    // A single stream that never seems to end, alone and as an entry of a tar that is skipped.
    let stream = gzip(&vec![0; 64 * 1024 * 1024]);
    assert_eq!(
        reasons(&unpack_all("x.gz", &stream, &LIMITS).1),
        [Reason::TooLarge]
    );
    let mut skipped = tar(&[("x", b"")]);
    skipped[124..136].copy_from_slice(b"77777777777\0");
    skipped[156] = b'5';
    fix_checksum(&mut skipped);
    skipped.truncate(512);
    skipped.extend(vec![0; 64 * 1024 * 1024]);
    let (met, gaps) = unpack_all("x.tgz", &gzip(&skipped), &LIMITS);
    assert_eq!((met, reasons(&gaps)), (vec![], vec![Reason::UnpacksToTooMuch]));
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

fn fix_checksum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header[..512].iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The name of an entry as a record of its own may claim to be gigabytes long.
#[test]
fn a_name_without_end_is_not_read_to_its_end() {
    let mut long = tar(&[("x", b"")]);
    long.truncate(512);
    long[124..136].copy_from_slice(b"77777777777\0");
    long[156] = b'L';
    fix_checksum(&mut long);
    long.extend(vec![b'a'; 40 * 1024 * 1024]);
    let (met, gaps) = unpack_all("x.tgz", &gzip(&long), &LIMITS);
    assert_eq!((met, reasons(&gaps)), (vec![], vec![Reason::UnpacksToTooMuch]));
}

#[test]
fn a_thousand_archives_inside_each_other_are_not_entered() {
    // Not packed, so that making them does not take longer than looking at them.
    let gzip = |inner: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(inner).unwrap();
        encoder.finish().unwrap()
    };
    let zip = |inner: &[u8]| {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file("inner.zip", options).unwrap();
        writer.write_all(inner).unwrap();
        writer.finish().unwrap().into_inner()
    };
    for (levels, pack) in [
        (1_000, &gzip as &dyn Fn(&[u8]) -> Vec<u8>),
        (1_000, &zip),
        (100, &|inner: &[u8]| tar(&[("inner.tar", inner)])),
    ] {
        let mut content = MARK.to_vec();
        for _ in 0..levels {
            content = pack(&content);
        }
        let (met, gaps) = unpack_all(
            "deep",
            &content,
            &Limits {
                max_entries: 10_000,
                ..LIMITS
            },
        );
        assert_eq!(met.len(), 4);
        assert_eq!(reasons(&gaps), [Reason::TooDeep]);
    }
}

#[test]
fn too_many_entries_and_too_much_at_once_are_told() {
    let names: Vec<String> = (0..60).map(|number| format!("f{number}")).collect();
    let entries: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), b"x".as_slice()))
        .collect();
    for content in [zip(&entries), tar(&entries)] {
        let (met, gaps) = unpack_all("many", &content, &LIMITS);
        assert_eq!((met.len(), reasons(&gaps)), (50, vec![Reason::TooManyEntries]));
    }
    // The list alone is refused before it is read.
    let names: Vec<String> = (0..300).map(|number| format!("f{number}")).collect();
    let entries: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), b"x".as_slice()))
        .collect();
    let (met, gaps) = unpack_all("many", &zip(&entries), &LIMITS);
    assert_eq!((met.len(), reasons(&gaps)), (0, vec![Reason::TooManyEntries]));
    let (met, gaps) = unpack_all(
        "x.zip",
        &zip(&[("large", &vec![1; 1024 * 1024 + 1]), ("small", b"x")]),
        &LIMITS,
    );
    assert_eq!((met.len(), reasons(&gaps)), (1, vec![Reason::TooLarge]));
}

#[test]
fn names_that_lead_outside_are_told_and_looked_at() {
    for name in ["../../etc/cron.d/x", "/etc/passwd", "a\\..\\b", "C:\\x"] {
        let (met, gaps) = unpack_all("a.zip", &zip(&[(name, b"x")]), &LIMITS);
        assert_eq!(
            (met.len(), reasons(&gaps), gaps.is_complete()),
            (1, vec![Reason::LeadsOutside], true),
            "{name}"
        );
    }
    let (met, _) = unpack_all("a.zip", &zip(&[("a\u{1b}[31m\nb", b"x")]), &LIMITS);
    assert!(!met[0].0.contains(char::is_control));
}

#[test]
fn encrypted_unknown_and_damaged_entries_are_told() {
    let plain = zip(&[("a", MARK), ("b", b"x")]);
    let patch = |offset_local: usize, offset_central: usize, value: u8| {
        let mut content = plain.clone();
        let central = content
            .windows(4)
            .position(|bytes| bytes == b"PK\x01\x02")
            .unwrap();
        content[offset_local] = value;
        content[central + offset_central] = value;
        content
    };
    // Bit 0 of the flags: encrypted. Method 12: bzip2.
    let (met, gaps) = unpack_all("a.zip", &patch(6, 8, 1), &LIMITS);
    assert_eq!((met.len(), reasons(&gaps)), (1, vec![Reason::Encrypted]));
    let (met, gaps) = unpack_all("a.zip", &patch(8, 10, 12), &LIMITS);
    assert_eq!((met.len(), reasons(&gaps)), (1, vec![Reason::UnknownMethod]));
    let packed = gzip(&vec![b'x'; 5_000]);
    let (met, gaps) = unpack_all("a.gz", &packed[..packed.len() - 10], &LIMITS);
    assert_eq!((met.len(), reasons(&gaps)), (1, vec![Reason::Damaged]));
    let (_, gaps) = unpack_all("a.zip", &plain[..plain.len() - 30], &LIMITS);
    assert_eq!(reasons(&gaps), [Reason::Damaged]);
}

#[test]
fn time_for_one_file_is_limited() {
    let limits = Limits {
        max_time: Duration::ZERO,
        ..LIMITS
    };
    let (met, gaps) = unpack_all("a.zip", &zip(&[("a", b"x"), ("b", b"x")]), &limits);
    assert_eq!((met.len(), reasons(&gaps)), (0, vec![Reason::TimedOut]));
}

#[test]
fn links_pipes_and_devices_do_not_hold_a_scan_up() {
    let folder = folder();
    let inside = folder.path().join("in");
    std::os::unix::fs::symlink("..", inside.join("loop")).unwrap();
    std::os::unix::fs::symlink(inside.join("self"), inside.join("self")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", inside.join("zero")).unwrap();
    let made = Command::new("mkfifo").arg(inside.join("pipe")).status().unwrap();
    assert!(made.success());
    let begun = Instant::now();
    let (code, _, summary) = scan_json(folder.path(), &[]);
    assert_eq!(
        (code, &summary["files"], &summary["skipped"]),
        (0, &0.into(), &4.into())
    );
    let device = Command::new(BINARY)
        .args(["scan", "/dev/zero", "--rules"])
        .arg(folder.path().join("rules.yar"))
        .output()
        .unwrap();
    assert_eq!(device.status.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    let folder = folder();
    let path = folder.path().join("in/changing");
    fs::write(&path, vec![b'x'; 4 * 1024 * 1024]).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let file = File::options().write(true).open(&path).unwrap();
                file.set_len(1_000).unwrap();
                file.set_len(4 * 1024 * 1024).unwrap();
            }
        });
        let begun = Instant::now();
        let mut told = false;
        while !told && begun.elapsed() < Duration::from_secs(20) {
            let content = read_file(&path, 8 * 1024 * 1024).unwrap().unwrap();
            told = content.gap == Some(Reason::Changed);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        told
    });
    assert!(told);
}

#[test]
fn the_time_of_a_scan_is_limited() {
    let folder = folder();
    fs::write(
        folder.path().join("rules.yar"),
        "rule slow { strings: $a = /a.{0,200}b.{0,200}c/ condition: #a > 100000 }",
    )
    .unwrap();
    for number in 0..200 {
        fs::write(folder.path().join(format!("in/{number}")), "ab".repeat(200_000)).unwrap();
    }
    let (code, _, summary) = scan_json(folder.path(), &["--time-limit", "1"]);
    assert_eq!((code, &summary["complete"]), (2, &false.into()));
    assert!(summary["files"].as_u64().unwrap() < 200, "{summary}");
}
