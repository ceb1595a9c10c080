//! File contents against YARA rules, file facts against indicators.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sg_detect::{
    Code, Diagnostic, Evidence, FileFacts, FileLabels, Indicator, RuleSet, ScanLimits, compile, default_pack,
    sha256,
};
use sg_types::{DetectionEngine, Severity};

use crate::support::{complaints, indicators, rule_text, sigma, yara};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The EICAR test string, put together so that no file of this repository holds it.
fn eicar() -> Vec<u8> {
    let parts = [
        r"X5O!P%@AP[4\PZX54(P^)7CC)7}",
        "$EICAR-STANDARD-",
        "ANTIVIRUS-TEST-FILE!$H+H*",
    ];
    parts.concat().into_bytes()
}

#[test]
fn eicar_is_known_to_yara_and_to_the_hash_list() {
    let (rules, _) = compile(&default_pack());
    let now = time("2026-11-23T12:00:00Z");
    for tail in ["", "\n", "\r\n"] {
        let content = [eicar(), tail.as_bytes().to_vec()].concat();
        let report = rules.scan(&content, "/tmp/eicar.com");
        assert_eq!(report.diagnostics, []);
        assert_eq!(report.matches.len(), 1);
        let found = &report.matches[0];
        assert_eq!(found.rule.engine, DetectionEngine::Yara);
        assert_eq!(found.rule.severity, Severity::High);
        let Evidence::String {
            name,
            offset,
            length,
            data,
        } = &found.evidence[0]
        else {
            panic!("{found:?}")
        };
        assert_eq!((name.as_str(), *offset, *length), ("$eicar", 0, 68));
        assert!(data.starts_with("X5O!"), "{data}");
        let facts = FileFacts {
            path: "/tmp/eicar.com",
            sha256: Some(sha256(&content)),
            ..FileFacts::default()
        };
        let known = rules.check_file(&facts, now);
        assert_eq!(known.len(), 1);
        assert_eq!(
            known[0].rule.id,
            format!("indicator:sha256:{}", hex(&sha256(&content)))
        );
        assert!(
            known[0].explanation.contains("is listed by EICAR"),
            "{}",
            known[0].explanation
        );
    }
    let harmless = [b"x", eicar().as_slice()].concat();
    assert_eq!(rules.scan(&harmless, "x").matches, []);
    let facts = FileFacts {
        path: "/x",
        sha256: Some(sha256(&harmless)),
        ..FileFacts::default()
    };
    assert_eq!(rules.check_file(&facts, now), []);
}

#[test]
fn no_rule_file_is_itself_a_finding() {
    let (rules, _) = compile(&default_pack());
    for source in default_pack() {
        assert_eq!(
            rules.scan(source.text.as_bytes(), &source.name).matches,
            [],
            "{}",
            source.name
        );
    }
}

const META: &str = r#"
rule Meta_Rule : tagged {
    meta:
        id = "meta-1"
        title = "A title"
        description = "Something bad."
        severity = "critical"
        confidence = 35
        threat_type = "ransomware"
        attack = "T1486, T1490"
    strings:
        $a = "abc"
        $b = { 00 ?? 02 }
    condition:
        any of them
}
private rule Hidden { condition: true }
rule Plain_Rule { condition: Hidden and filesize == 3 }
"#;

#[test]
fn yara_metas_become_the_rules_description() {
    let (rules, diagnostics) = compile(&[yara("m.yar", META)]);
    assert_eq!(diagnostics, []);
    assert_eq!(rules.rules().len(), 2);
    let report = rules.scan(b"xabc-abc\x00\x01\x02", "f");
    let found = &report.matches[0];
    let rule = &found.rule;
    assert_eq!(
        (rule.id.as_str(), rule.title.as_str(), rule.severity),
        ("meta-1", "A title", Severity::Critical)
    );
    assert_eq!(
        (rule.confidence, rule.threat_type.as_str(), rule.source.as_str()),
        (0.35, "ransomware", "m.yar")
    );
    assert_eq!(rule.techniques, ["T1486", "T1490"]);
    assert_eq!(rule.tags, ["tagged", "attack.t1486", "attack.t1490"]);
    assert_eq!(
        found.explanation,
        "Something bad: found $a at byte 1, $b at byte 8."
    );
    assert_eq!(found.evidence.len(), 3);
    let plain = &rules.scan(b"xyz", "f").matches;
    assert_eq!(
        (plain[0].rule.id.as_str(), plain[0].rule.severity),
        ("yara:Plain_Rule", Severity::Medium)
    );
    assert_eq!(plain[0].explanation, "Plain Rule.");
}

#[test]
fn a_faulty_yara_file_takes_no_other_down() {
    let faulty = "rule fine { condition: true }\nrule broken {\n    condition:\n        $missing\n}\n";
    let sources = [
        yara("a.yar", "rule a { condition: true }"),
        yara("b.yar", faulty),
        yara("c.yar", "rule fine { condition: true }"),
    ];
    let (rules, diagnostics) = compile(&sources);
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(
        (diagnostics[0].code, diagnostics[0].line),
        (Code::InvalidYara, Some(4))
    );
    assert_eq!(diagnostics[0].source, "b.yar");
    let found: Vec<_> = rules
        .scan(b"", "f")
        .matches
        .iter()
        .map(|m| (m.rule.id.clone(), m.rule.source.clone()))
        .collect();
    let expected = [("yara:a", "a.yar"), ("yara:fine", "c.yar")];
    assert_eq!(
        found,
        expected.map(|(id, source)| (id.to_owned(), source.to_owned()))
    );
}

#[test]
fn rules_may_ask_for_the_path() {
    let text = "rule a { condition: filename == \"x.php\" and filepath startswith \"/srv/\" and extension == \".php\" }";
    let (rules, diagnostics) = compile(&[yara("a.yar", text)]);
    assert_eq!(diagnostics, []);
    assert_eq!(rules.scan(b"", "/srv/x.php").matches.len(), 1);
    assert_eq!(rules.scan(b"", "/tmp/x.php").matches.len(), 0);
    let text = "rule a { condition: owner == \"root\" and filename == \"b.php\" }";
    let (rules, diagnostics) = compile(&[yara("a.yar", text)]);
    assert_eq!(diagnostics, []);
    let labels = |owner| FileLabels {
        path: "/srv/a.zip!b.php",
        name: "b.php",
        owner,
    };
    assert_eq!(rules.scan_labelled(b"", &labels("root")).matches.len(), 1);
    assert_eq!(rules.scan_labelled(b"", &labels("anna")).matches.len(), 0);
    let found = complaints(&[yara("a.yar", "rule a { condition: timezone == \"UTC\" }")]);
    assert_eq!(found[0].code, Code::InvalidYara);
}

#[test]
fn includes_are_refused() {
    let found = complaints(&[yara(
        "a.yar",
        "include \"/etc/passwd\"\nrule a { condition: true }",
    )]);
    assert_eq!(found[0].code, Code::InvalidYara);
}

#[test]
fn limits_of_a_scan_are_said() {
    let (mut rules, _) = compile(&[yara(
        "a.yar",
        "rule a { strings: $a = /a.{0,200}b.{0,200}c/ condition: #a > 100000 }",
    )]);
    rules.set_scan_limits(ScanLimits {
        max_bytes: 10,
        timeout: Duration::from_secs(5),
    });
    let report = rules.scan(b"12345678901", "/big");
    assert_eq!(
        (report.diagnostics[0].code, report.diagnostics[0].source.as_str()),
        (Code::FileTooLarge, "/big")
    );
    rules.set_scan_limits(ScanLimits {
        max_bytes: 1 << 20,
        timeout: Duration::from_millis(1),
    });
    let report = rules.scan(&b"ab".repeat(100_000), "/slow");
    assert_eq!(report.diagnostics[0].code, Code::ScanTimeout);
}

fn list(text: &str) -> (RuleSet, Vec<(Code, Option<u32>)>) {
    let (rules, diagnostics) = compile(&[indicators("list.csv", text)]);
    (
        rules,
        diagnostics
            .iter()
            .map(|diagnostic| (diagnostic.code, diagnostic.line))
            .collect(),
    )
}

#[test]
fn indicators_match_by_hash_name_domain_and_address() {
    let text = format!(
        "value,type,severity,confidence,source,description,expires_at\n\
         {},SHA256,critical,0.9,lab,a dropper,\n\
         {},sha1,high,,lab,,\n\
         {},md5,low,,lab,,\n\
         kworkerds,filename,medium,,lab,,\n\
         /etc/evil.conf,filename,medium,,lab,,\n\
         Bad.Example.,domain,high,,lab,,\n\
         2001:DB8::1,ip,high,,lab,,\n",
        "AB".repeat(32),
        "cd".repeat(20),
        "ef".repeat(16)
    );
    let (rules, problems) = list(&text);
    assert_eq!(problems, []);
    assert_eq!(rules.indicators().len(), 7);
    let now = time("2026-11-23T12:00:00Z");
    let facts = FileFacts {
        path: "/usr/bin/kworkerds",
        sha256: Some([0xab; 32]),
        sha1: Some([0xcd; 20]),
        md5: Some([0xef; 16]),
    };
    let found = rules.check_file(&facts, now);
    let severities: Vec<_> = found.iter().map(|found| found.rule.severity).collect();
    assert_eq!(
        severities,
        [
            Severity::Critical,
            Severity::High,
            Severity::Low,
            Severity::Medium
        ]
    );
    assert_eq!(
        found[0].explanation,
        format!("The sha256 {} is listed by lab: a dropper.", "ab".repeat(32))
    );
    let name = |path| {
        rules
            .check_file(
                &FileFacts {
                    path,
                    ..FileFacts::default()
                },
                now,
            )
            .len()
    };
    assert_eq!(
        (
            name("/etc/evil.conf"),
            name("/tmp/evil.conf"),
            name("/tmp/KWORKERDS"),
            name("kworkerds")
        ),
        (1, 0, 0, 1)
    );
    for (domain, known) in [
        ("bad.example", true),
        ("A.BAD.example.", true),
        ("notbad.example", false),
        ("example", false),
    ] {
        assert_eq!(rules.check_domain(domain, now).is_some(), known, "{domain}");
    }
    assert!(
        rules
            .check_address("2001:db8:0::1".parse().unwrap(), now)
            .is_some()
    );
    assert!(rules.check_address("2001:db8::2".parse().unwrap(), now).is_none());
}

#[test]
fn an_expired_indicator_no_longer_matches() {
    let (rules, problems) =
        list("value,type,expires_at\na,filename,2026-11-24\nb,filename,2026-11-24T06:00:00+01:00\n");
    assert_eq!(problems, []);
    let known = |path, now| {
        !rules
            .check_file(
                &FileFacts {
                    path,
                    ..FileFacts::default()
                },
                time(now),
            )
            .is_empty()
    };
    assert!(known("/a", "2026-11-23T23:59:59Z"));
    assert!(!known("/a", "2026-11-24T00:00:00Z"));
    assert!(known("/b", "2026-11-24T04:59:59Z"));
    assert!(!known("/b", "2026-11-24T05:00:00Z"));
}

#[test]
fn what_several_lists_know_is_one_match() {
    let sources = [
        indicators("one.csv", "value,type,severity,source\nx,filename,low,first\n"),
        indicators(
            "two.json",
            r#"[{"value": "x", "type": "filename", "severity": "high", "confidence": 0.5, "source": "second"}]"#,
        ),
    ];
    let (rules, diagnostics) = compile(&sources);
    assert_eq!(diagnostics, []);
    let found = rules.check_file(
        &FileFacts {
            path: "/x",
            ..FileFacts::default()
        },
        time("2026-11-23T12:00:00Z"),
    );
    assert_eq!(
        (found.len(), found[0].evidence.len(), found[0].rule.severity),
        (1, 2, Severity::High)
    );
    assert_eq!(
        found[0].explanation,
        "The filename x is listed by second, and by 1 more: known bad."
    );
}

#[test]
fn a_faulty_entry_is_named_and_the_others_stay() {
    let text = "value,type,severity,confidence,source,description,expires_at\n\
                abc,sha256,,,,,\n\
                x,nonsense,,,,,\n\
                x,filename,worst,,,,\n\
                x,filename,,2,,,\n\
                x,filename,,,,,tomorrow\n\
                ..,domain,,,,,\n\
                10.0.0.0/8,ip,,,,,\n\
                fine,filename,,,,\"a, b\",\n";
    let (rules, problems) = list(text);
    let expected: Vec<_> = (2..=8).map(|line| (Code::InvalidIndicator, Some(line))).collect();
    assert_eq!(problems, expected);
    let entries: Vec<&Indicator> = rules.indicators().iter().collect();
    assert_eq!(
        (
            entries.len(),
            entries[0].description.as_str(),
            entries[0].confidence
        ),
        (1, "a, b", 0.8)
    );
}

#[test]
fn an_unreadable_list_is_refused_as_a_whole() {
    for (text, line) in [
        ("", None),
        ("value,value\n", Some(1)),
        ("value,type,colour\n", Some(1)),
        ("value\nx\n", Some(1)),
        ("value,type\n\"x", Some(2)),
        ("[{]", Some(1)),
        ("[1]", Some(1)),
    ] {
        assert_eq!(list(text).1, [(Code::InvalidIndicatorList, line)], "{text:?}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_is_switched_off_matches_nothing_whichever_engine_knows_it() {
    let (mut rules, _) = compile(&default_pack());
    let now = time("2026-11-23T12:00:00Z");
    let found_by = |rules: &RuleSet| {
        let facts = FileFacts {
            path: "/tmp/eicar.com",
            sha256: Some(sha256(&eicar())),
            ..FileFacts::default()
        };
        let mut found = rules.scan(&eicar(), "/tmp/eicar.com").matches;
        found.extend(rules.check_file(&facts, now));
        found
            .into_iter()
            .map(|found| found.rule.id.clone())
            .collect::<Vec<_>>()
    };
    let before = found_by(&rules);
    assert_eq!(before.len(), 2);
    rules.switch_off([before[0].clone(), "no such rule".to_owned()]);
    assert_eq!(found_by(&rules), before[1..]);
    rules.switch_off(before.clone());
    assert!(found_by(&rules).is_empty());
}

#[test]
fn a_rule_set_tells_its_weight() {
    let (rules, diagnostics) = compile(&[
        sigma(
            "s.yml",
            rule_text(
                "s",
                "    a:\n        Image: 'abcd'\n        CommandLine|re: 'x.*y'\n    condition: a\n",
            ),
        ),
        yara("y.yar", "rule y { strings: $a = \"12345\" condition: $a }"),
        indicators("i.csv", "value,type\nevil.example,domain\n192.0.2.1,ip\n"),
    ]);
    assert_eq!(diagnostics, []);
    let weight = rules.weight();
    assert_eq!(
        (
            weight.literal_bytes,
            weight.regexes,
            weight.yara_positions,
            weight.indicators
        ),
        (4, 1, 5, 2)
    );
}

/// Each entry that is not usable is told of by itself.
fn assert_told(diagnostics: &[Diagnostic], expected: &[&str]) {
    assert_eq!(diagnostics.len(), expected.len(), "{diagnostics:?}");
    for (diagnostic, words) in diagnostics.iter().zip(expected) {
        assert_eq!(diagnostic.code, Code::InvalidIndicator);
        assert!(diagnostic.message.contains(words), "{}", diagnostic.message);
    }
}

#[test]
fn a_stix_bundle_is_a_list_of_indicators() {
    let hash = "AB".repeat(32);
    let bundle = serde_json::json!({
        "type": "bundle", "id": "bundle--1", "objects": [
            { "type": "identity", "id": "identity--1", "name": "Example CERT" },
            { "type": "indicator", "id": "indicator--1", "name": "A dropper", "pattern_type": "stix", "confidence": 85,
              "created_by_ref": "identity--1", "valid_until": "2027-01-01T00:00:00.000Z",
              "pattern": format!("[file:hashes.'SHA-256' = '{hash}'] OR [url:value = 'http://Bad.Example:80/a?b#c']") },
            { "type": "indicator", "id": "indicator--2", "pattern_type": "stix", "revoked": true, "pattern": "[domain-name:value = 'gone.example']" },
            { "type": "indicator", "id": "indicator--3", "pattern_type": "stix", "pattern": "[file:name = 'a' AND file:size = 7]" },
            { "type": "indicator", "id": "indicator--4", "pattern_type": "yara", "pattern": "rule a { condition: true }" },
            { "type": "indicator", "id": "indicator--5", "pattern_type": "stix", "pattern": "[ipv4-addr:value = '198.51.100.0/24']" },
            { "type": "malware", "id": "malware--1", "name": "Something" },
        ]
    });
    let (rules, diagnostics) = compile(&[indicators("bundle.json", bundle.to_string())]);
    let expected = [
        "indicator--3: `AND` cannot be said by a list",
        "indicator--4: a pattern of the type `yara`",
        "the ip `198.51.100.0/24`",
    ];
    assert_told(&diagnostics, &expected);
    assert_eq!(rules.indicators().len(), 2);
    let now = time("2026-11-23T12:00:00Z");
    let found = rules.check_url("http://bad.example/a?b", now).unwrap();
    assert_eq!(
        (
            found.rule.title.as_str(),
            found.rule.confidence,
            found.rule.severity
        ),
        ("A dropper", 0.85, Severity::High)
    );
    assert!(
        found.explanation.contains("is listed by Example CERT"),
        "{}",
        found.explanation
    );
    assert_eq!(found.rule.threat_type, "malicious_address");
    for url in [
        "https://bad.example/a?b",
        "http://bad.example/a",
        "bad.example/a?b",
        "",
    ] {
        assert!(rules.check_url(url, now).is_none(), "{url}");
    }
    assert!(
        rules
            .check_url("http://bad.example/a?b", time("2027-01-01T00:00:00Z"))
            .is_none()
    );
}

#[test]
fn what_misp_exports_is_a_list_of_indicators() {
    let attribute = |kind: &str, value: &str, to_ids: bool| serde_json::json!({ "type": kind, "value": value, "to_ids": to_ids, "comment": "" });
    let event = serde_json::json!({ "Event": {
        "info": "A campaign", "threat_level_id": "2", "Orgc": { "name": "Example CSIRT" },
        "Attribute": [
            attribute("domain|ip", "bad.example|198.51.100.7", true),
            attribute("ip-dst|port", "203.0.113.9|443", true),
            attribute("domain", "only-a-note.example", false),
            attribute("email-src", "a@bad.example", true),
            { "type": "domain", "value": null, "to_ids": true },
        ],
        "Object": [{ "name": "file", "Attribute": [
            attribute("filename|md5", &format!("invoice.doc|{}", "ef".repeat(16)), true),
            { "type": "sha1", "value": "cd".repeat(20), "to_ids": true, "comment": "second stage", "deleted": true },
        ] }],
    } });
    let now = time("2026-11-23T12:00:00Z");
    for text in [
        event.to_string(),
        serde_json::json!({ "response": [event] }).to_string(),
    ] {
        let (rules, diagnostics) = compile(&[indicators("event.json", text)]);
        assert_told(
            &diagnostics,
            &[
                "`email-src`: attributes of this type are nothing that is compared",
                "an attribute: invalid type: null, expected a string",
            ],
        );
        assert_eq!(rules.indicators().len(), 4);
        let found = rules.check_domain("www.bad.example", now).unwrap();
        assert_eq!(
            (found.rule.severity, found.rule.title.as_str()),
            (Severity::Medium, "A campaign")
        );
        assert!(
            found.explanation.contains("is listed by Example CSIRT"),
            "{}",
            found.explanation
        );
        assert!(rules.check_address("203.0.113.9".parse().unwrap(), now).is_some());
        assert!(rules.check_domain("only-a-note.example", now).is_none());
        let facts = FileFacts {
            path: "/tmp/other.doc",
            md5: Some([0xef; 16]),
            ..FileFacts::default()
        };
        assert_eq!(rules.check_file(&facts, now).len(), 1);
        let by_name = FileFacts {
            path: "/tmp/invoice.doc",
            ..FileFacts::default()
        };
        assert_eq!(rules.check_file(&by_name, now), []);
    }
    let (_, diagnostics) = compile(&[indicators("other.json", "{\"type\": \"report\"}")]);
    assert_eq!(diagnostics[0].code, Code::InvalidIndicatorList);
}
