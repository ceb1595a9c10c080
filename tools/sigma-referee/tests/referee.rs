//! Both engines have to say the same about the same rules and events, but for differences that are listed here with their reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Map, Value, json};
use sg_detect::{Event, LogSource, RuleSource};
use sg_types::RuleKind;
use sigma_referee::{Pair, events, for_log_source, own_rules, rules_in};

const LINUX: LogSource<'static> = LogSource::LINUX_PROCESS_CREATION;
const WINDOWS: LogSource<'static> = LogSource {
    product: Some("windows"),
    category: Some("process_creation"),
    service: None,
};

fn rule(id: &str, detection: &Value) -> RuleSource {
    let head = json!({"title": id, "id": id, "level": "low", "logsource": {"product": "linux", "category": "process_creation"}});
    let mut text = head;
    text["detection"] = detection.clone();
    RuleSource {
        kind: RuleKind::Sigma,
        name: id.to_owned(),
        text: text.to_string(),
    }
}

fn answers(
    pair: &Pair,
    event: &Value,
    log_source: LogSource<'static>,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = event.to_string();
    let ours = pair.ask_ours(&Event::from_json(&text, log_source).unwrap());
    (ours, pair.ask_theirs(event, log_source))
}

/// A question on which the engines are known to differ: search, event, our answer, and why theirs is another one.
const KNOWN: &[(&str, &str, bool, &str)] = &[(
    r#"{"CommandLine|endswith": "1?"}"#,
    r#"{"CommandLine": "tool x10"}"#,
    true,
    "`?` is one character wherever it stands; theirs takes `1?` at the end for a text",
)];

/// Questions on which both agree, one for each modifier and form of value.
const AGREED: &[(&str, &str, bool)] = &[
    (
        r#"{"CommandLine|contains": "TMP"}"#,
        r#"{"CommandLine": "ls /tmp/x"}"#,
        true,
    ),
    (
        r#"{"CommandLine|contains|cased": "TMP"}"#,
        r#"{"CommandLine": "ls /tmp/x"}"#,
        false,
    ),
    (
        r#"{"CommandLine|contains|all": ["ls", "tmp"]}"#,
        r#"{"CommandLine": "ls /tmp/x"}"#,
        true,
    ),
    (
        r#"{"CommandLine|contains|all": ["ls", "etc"]}"#,
        r#"{"CommandLine": "ls /tmp/x"}"#,
        false,
    ),
    (
        r#"{"Image|endswith": "/bash"}"#,
        r#"{"Image": "/usr/bin/bash"}"#,
        true,
    ),
    (
        r#"{"Image|startswith": "/USR"}"#,
        r#"{"Image": "/usr/bin/bash"}"#,
        true,
    ),
    (
        r#"{"Image": "/usr/*/bash"}"#,
        r#"{"Image": "/usr/bin/bash"}"#,
        true,
    ),
    (
        r#"{"Image": "/usr/b?n/bash"}"#,
        r#"{"Image": "/usr/bin/bash"}"#,
        true,
    ),
    (r#"{"CommandLine": "a\\*b"}"#, r#"{"CommandLine": "a*b"}"#, true),
    (r#"{"CommandLine": "a\\*b"}"#, r#"{"CommandLine": "axb"}"#, false),
    (
        r#"{"CommandLine|re": "^ls\\s+-[al]+$"}"#,
        r#"{"CommandLine": "ls -la"}"#,
        true,
    ),
    (
        r#"{"CommandLine|re": "^LS"}"#,
        r#"{"CommandLine": "ls -la"}"#,
        false,
    ),
    (
        r#"{"CommandLine|re|i": "^LS"}"#,
        r#"{"CommandLine": "ls -la"}"#,
        true,
    ),
    (
        r#"{"DestinationIp|cidr": "10.0.0.0/8"}"#,
        r#"{"DestinationIp": "10.255.1.2"}"#,
        true,
    ),
    (
        r#"{"DestinationIp|cidr": "10.0.0.0/8"}"#,
        r#"{"DestinationIp": "11.0.0.1"}"#,
        false,
    ),
    (
        r#"{"DestinationIp|cidr": "fe80::/10"}"#,
        r#"{"DestinationIp": "fe80::1"}"#,
        true,
    ),
    (r#"{"ProcessId|gt": 5}"#, r#"{"ProcessId": 6}"#, true),
    (r#"{"ProcessId|lte": 5}"#, r#"{"ProcessId": 6}"#, false),
    (r#"{"ProcessId": 6}"#, r#"{"ProcessId": 6}"#, true),
    (r#"{"User": null}"#, r#"{"Image": "x"}"#, true),
    (r#"{"User": null}"#, r#"{"User": "x"}"#, false),
    (r#"{"User|exists": true}"#, r#"{"User": "x"}"#, true),
    (r#"{"User|exists": false}"#, r#"{"User": "x"}"#, false),
    (r#"{"User|neq": "root"}"#, r#"{"User": "anna"}"#, true),
    (
        r#"{"User|fieldref": "Image"}"#,
        r#"{"User": "same", "Image": "same"}"#,
        true,
    ),
    (
        r#"{"CommandLine|base64offset|contains": "foobar"}"#,
        r#"{"CommandLine": "echo Zm9vYmFy"}"#,
        true,
    ),
    (
        r#"{"CommandLine|wide|base64offset|contains": "foobar"}"#,
        r#"{"CommandLine": "-enc ZgBvAG8AYgBhAHIA"}"#,
        true,
    ),
    (
        r#"{"CommandLine|windash|contains": " -enc"}"#,
        r#"{"CommandLine": "powershell /enc AAAA"}"#,
        true,
    ),
    (
        r#"{"CommandLine|windash|contains": " -enc"}"#,
        r#"{"CommandLine": "powershell –enc A"}"#,
        true,
    ),
    (r#"["tmp", "etc"]"#, r#"{"CommandLine": "ls /TMP/x"}"#, true),
    (r#"[{"User": "a"}, {"User": "b"}]"#, r#"{"User": "b"}"#, true),
];

fn ask(search: &str, event: &str) -> (bool, bool) {
    let search: Value = serde_json::from_str(search).unwrap();
    let pair = Pair::new(&[rule("r", &json!({"sel": search, "condition": "sel"}))], true);
    assert_eq!(pair.refused.len(), 0, "{search}: {:?}", pair.refused);
    let (ours, theirs) = answers(&pair, &serde_json::from_str(event).unwrap(), LINUX);
    (!ours.is_empty(), !theirs.is_empty())
}

#[test]
fn both_agree_on_every_modifier() {
    let differing: Vec<String> = AGREED
        .iter()
        .map(|(search, event, expected)| (search, event, ask(search, event), *expected))
        .filter(|(_, _, answers, expected)| *answers != (*expected, *expected))
        .map(|(search, event, (ours, theirs), expected)| {
            format!("{search} on {event}: {expected} expected, ours {ours}, theirs {theirs}")
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// A difference that is gone has to leave the list.
#[test]
fn the_known_differences_are_those_that_are_listed() {
    for (search, event, expected, reason) in KNOWN {
        assert_eq!(
            ask(search, event),
            (*expected, !expected),
            "{search} on {event}: {reason}"
        );
    }
}

/// `all` over a single value: theirs refuses the rule, here it is the same as without `all`, which is all that it can mean.
#[test]
fn all_over_a_single_value_is_refused_there_alone() {
    let detection = json!({"sel": {"CommandLine|contains|all": ["a"]}, "condition": "sel"});
    let pair = Pair::new(&[rule("r", &detection)], true);
    assert_eq!((pair.refused.len(), pair.refused_by_theirs.len()), (0, 1));
    let (ours, theirs) = answers(&pair, &json!({"CommandLine": "xax"}), LINUX);
    assert_eq!((ours.len(), theirs.len()), (1, 0));
}

/// They take a placeholder without a value for a text; the rule is refused here, since `not filter` would hold for everything.
#[test]
fn a_placeholder_without_a_value_is_refused_here_alone() {
    let detection = json!({"sel": {"Image|endswith": "/bash"}, "filter": {"User|expand": "%admins%"}, "condition": "sel and not filter"});
    let pair = Pair::new(&[rule("r", &detection)], true);
    assert_eq!(pair.refused.len(), 1);
    let (ours, theirs) = answers(&pair, &json!({"Image": "/bin/bash", "User": "anna"}), LINUX);
    assert_eq!((ours.len(), theirs.len()), (0, 1));
}

#[derive(serde::Deserialize)]
struct Cases {
    r#match: Vec<BTreeMap<String, Value>>,
    no_match: Vec<BTreeMap<String, Value>>,
}

/// The events that the pack's rules are tested with.
fn hand_written() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/cases/sigma");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let cases: Cases = serde_norway::from_str(&text).unwrap();
        found.extend(
            cases
                .r#match
                .iter()
                .chain(&cases.no_match)
                .map(|values| json!(values)),
        );
    }
    found
}

fn compare(pair: &Pair, events: &[Value], log_source: LogSource<'static>) -> usize {
    let mut matches = 0;
    for event in events {
        let (ours, theirs) = answers(pair, event, log_source);
        assert_eq!(ours, theirs, "{event}");
        matches += ours.len();
    }
    matches
}

#[test]
fn both_agree_on_the_default_pack() {
    let pair = Pair::new(&for_log_source(own_rules(), LINUX), false);
    assert!(compare(&pair, &hand_written(), LINUX) > 100);
    assert!(compare(&pair, &events::linux(2_000, 3), LINUX) > 100);
}

/// `SIGMA_REFEREE_RULES=folder`, and `SIGMA_REFEREE_WINDOWS`, `SIGMA_REFEREE_LINUX` for files of events, one JSON object a line.
#[test]
fn both_agree_on_public_rules() {
    let Some(folder) = std::env::var_os("SIGMA_REFEREE_RULES") else {
        return;
    };
    let sources = rules_in(Path::new(&folder)).unwrap();
    for (log_source, variable, generated) in [
        (WINDOWS, "SIGMA_REFEREE_WINDOWS", events::windows(2_000, 5)),
        (LINUX, "SIGMA_REFEREE_LINUX", events::linux(2_000, 5)),
    ] {
        let pair = Pair::new(&for_log_source(sources.clone(), log_source), false);
        let mut events = generated;
        if let Some(file) = std::env::var_os(variable) {
            let text = std::fs::read_to_string(file).unwrap();
            events.extend(
                text.lines()
                    .filter_map(|line| serde_json::from_str::<Value>(line).ok()),
            );
        }
        let matches = compare(&pair, &events, log_source);
        println!(
            "{variable}: {} rules, {} events, {matches} matches",
            pair.ours.rules().len(),
            events.len()
        );
    }
}

fn word() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["a", "B", "ab", "/b", " x", "aab", "10", "_"]);
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

/// Entries with modifiers on whose meaning no difference is known.
fn entry() -> impl Strategy<Value = (String, Value)> {
    let field = || prop::sample::select(vec!["CommandLine", "Image", "User", "other"]);
    let text = prop::sample::select(vec![
        "",
        "|contains",
        "|startswith",
        "|endswith",
        "|contains|cased",
        "|startswith|cased",
    ]);
    let all = prop::collection::vec(word(), 2..4);
    let regex = prop::sample::select(vec!["a+b", "^a", "b$", "(a|b)B", "[ab]{2}", "aa?b", "10"]);
    prop_oneof![
        6 => (field(), text, prop::collection::vec(word(), 1..3)).prop_map(|(f, m, v)| (format!("{f}{m}"), json!(v))),
        1 => (field(), all).prop_map(|(f, v)| (format!("{f}|contains|all"), json!(v))),
        1 => (field(), word(), word()).prop_map(|(f, a, b)| (f.to_owned(), json!(format!("{a}*{b}")))),
        1 => (field(), regex).prop_map(|(f, v)| (format!("{f}|re"), json!(v))),
        1 => field().prop_map(|f| (f.to_owned(), Value::Null)),
        1 => (field(), any::<bool>()).prop_map(|(f, v)| (format!("{f}|exists"), json!(v))),
    ]
}

fn detection() -> impl Strategy<Value = Value> {
    let search = || {
        let map = || {
            prop::collection::vec(entry(), 1..3)
                .prop_map(|entries| json!(entries.into_iter().collect::<Map<_, _>>()))
        };
        prop_oneof![3 => map(), 1 => prop::collection::vec(map(), 1..3).prop_map(Value::from)]
    };
    let condition = prop::sample::select(vec![
        "sel_a",
        "sel_a and sel_b",
        "sel_a or sel_b",
        "sel_a and not sel_b",
        "1 of sel_*",
        "all of them",
        "not (sel_a or sel_b)",
    ]);
    (search(), search(), condition)
        .prop_map(|(a, b, condition)| json!({"sel_a": a, "sel_b": b, "condition": condition}))
}

fn event() -> impl Strategy<Value = Value> {
    let field = prop::sample::select(vec!["CommandLine", "Image", "User", "other"]);
    prop::collection::btree_map(field, word(), 0..4).prop_map(|values| json!(values))
}

proptest! {
    #![proptest_config(Config { cases: 300, ..Config::default() })]

    #[test]
    fn both_agree_on_generated_rules(detections in prop::collection::vec(detection(), 1..6), events in prop::collection::vec(event(), 1..8)) {
        let sources: Vec<_> = detections.iter().enumerate().map(|(number, one)| rule(&format!("r{number}"), one)).collect();
        let pair = Pair::new(&sources, true);
        prop_assert_eq!(&pair.refused, &[]);
        prop_assert_eq!(&pair.refused_by_theirs, &Vec::<String>::new());
        for event in &events {
            let (ours, theirs) = answers(&pair, event, LINUX);
            prop_assert_eq!(ours, theirs, "{}", event);
        }
    }
}
