//! The index against the plain evaluation, on generated rules and events. Both have to say the same, always.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value as Json, json};
use sg_detect::{Event, LogSource, RuleSet, compile, default_pack};

use crate::support::{pack, sigma};

const FIELDS: &[&str] = &[
    "CommandLine",
    "Image",
    "User",
    "ProcessId",
    "extra",
    "Extra.Other",
];

/// Chains of modifiers by the kind of value that they take.
const TEXT_CHAINS: &[&str] = &[
    "",
    "",
    "|contains",
    "|contains",
    "|startswith",
    "|endswith",
    "|contains|all",
    "|cased",
    "|contains|cased",
    "|startswith|cased",
    "|endswith|cased",
    "|windash",
    "|windash|contains",
    "|neq",
    "|neq|contains",
    "|all",
];
const ENCODING_CHAINS: &[&str] = &[
    "|base64",
    "|base64offset|contains",
    "|wide|base64offset|contains",
    "|utf16|base64",
    "|base64|cased",
];
const REGEX_CHAINS: &[&str] = &["|re", "|re|i", "|re|m", "|re|s", "|re|i|all"];
const NUMBER_CHAINS: &[&str] = &["|lt", "|lte", "|gt", "|gte", ""];
const NETWORK_CHAINS: &[&str] = &["|cidr", "|cidr|neq"];
const REFERENCE_CHAINS: &[&str] = &[
    "|fieldref",
    "|fieldref|contains",
    "|fieldref|startswith|cased",
    "|fieldref|neq",
];

fn pattern_text() -> impl Strategy<Value = Json> {
    let piece = prop::sample::select(vec![
        "a", "b", "A", "B", "ab", "ba", "*", "?", "\\", "\\*", "\\\\", " -a", "/b", "é", "É", "σ", "Σ", "ς",
        "İ", " ", "ß", "abab", "BABA",
    ]);
    prop::collection::vec(piece, 0..5).prop_map(|pieces| Json::from(pieces.concat()))
}

fn value_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "A",
        "B",
        "ab",
        "ba",
        "aab",
        "*",
        "\\",
        "?",
        " -a",
        " /a",
        " \u{2013}a",
        "/b",
        "é",
        "É",
        "σ",
        "Σ",
        "ς",
        "İ",
        "i",
        "ß",
        " ",
        "\n",
        "YWI=",
        "YQ==",
        "10.1.2.3",
        "7",
        "-1",
        "abab",
        "baba",
        "aabb",
        "AABB",
        "kAKa",
    ]);
    prop_oneof![
        4 => prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat()),
        1 => prop::sample::select(vec!["5", "10", "-3.5", "10.0.0.1", "10.255.1.1", "fe80::1", "::1", ""]).prop_map(String::from),
    ]
}

fn regex_text() -> impl Strategy<Value = Json> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "ab",
        "aab",
        "(a|b)",
        "(?:ab)+",
        "[Aa]",
        "[a-c]",
        ".",
        ".*",
        "^",
        "$",
        r"\s",
        r"\\",
        "a?",
        "b{2}",
        "é",
        "(?i:AB)",
        "(ab|ba)b",
        "k",
        "s",
        r"\bab",
        "abab",
        "(abab|baba)",
        "(?:aabb)?",
        "(abab|b)",
        "(?i:aabb|kaka)",
    ]);
    prop::collection::vec(piece, 1..5).prop_map(|pieces| Json::from(pieces.concat()))
}

fn scalar_or_list(value: impl Strategy<Value = Json> + 'static) -> impl Strategy<Value = Json> {
    let value = value.boxed();
    prop_oneof![
        2 => value.clone(),
        1 => prop::collection::vec(value, 1..4).prop_map(Json::from),
    ]
}

/// One `Field|modifiers: value` entry.
fn entry() -> impl Strategy<Value = (String, Json)> {
    let field = || prop::sample::select(FIELDS);
    let chain = |chains: &'static [&'static str]| prop::sample::select(chains);
    let with = |field: &str, chain: &str, value: Json| (format!("{field}{chain}"), value);
    let plain = "[ab é]{0,4}".prop_map(Json::from);
    let numbers = prop::sample::select(vec![json!(5), json!(-3.5), json!(10), json!("7")]);
    let networks = prop::sample::select(vec!["10.0.0.0/8", "10.1.2.3", "fe80::/10", "0.0.0.0/0", "::/0"])
        .prop_map(Json::from);
    prop_oneof![
        8 => (field(), chain(TEXT_CHAINS), scalar_or_list(pattern_text())).prop_map(move |(f, c, v)| with(f, c, v)),
        1 => (field(), chain(ENCODING_CHAINS), scalar_or_list(plain)).prop_map(move |(f, c, v)| with(f, c, v)),
        3 => (field(), chain(REGEX_CHAINS), scalar_or_list(regex_text())).prop_map(move |(f, c, v)| with(f, c, v)),
        1 => (field(), chain(NUMBER_CHAINS), numbers).prop_map(move |(f, c, v)| with(f, c, v)),
        1 => (field(), chain(NETWORK_CHAINS), networks).prop_map(move |(f, c, v)| with(f, c, v)),
        1 => (field(), chain(REFERENCE_CHAINS), field()).prop_map(move |(f, c, v)| with(f, c, Json::from(v))),
        1 => (field(), any::<bool>()).prop_map(move |(f, v)| with(f, "|exists", Json::from(v))),
        1 => field().prop_map(move |f| with(f, "", Json::Null)),
        1 => field().prop_map(move |f| with(f, "", json!([null, "a*"]))),
        1 => (regex_text(), chain(REGEX_CHAINS)).prop_map(move |(v, c)| with("", c, v)),
        1 => prop::collection::vec("[abAé]{1,3}", 1..3).prop_map(move |v| with("", "|all", Json::from(v))),
    ]
}

fn search() -> impl Strategy<Value = Json> {
    let map = || {
        prop::collection::vec(entry(), 1..4)
            .prop_map(|entries| Json::from(entries.into_iter().collect::<Map<_, _>>()))
    };
    let keyword = prop::sample::select(vec!["a", "ab", "B", "a*b", "?b", "é", "10.1"]).prop_map(Json::from);
    prop_oneof![
        6 => map(),
        2 => prop::collection::vec(map(), 1..3).prop_map(Json::from),
        1 => prop::collection::vec(keyword, 1..3).prop_map(Json::from),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "sel_a",
        "sel_b",
        "other",
        "1 of sel_*",
        "all of sel_*",
        "1 of them",
        "all of them",
        "1 of *a",
    ]);
    let composite = leaf.prop_map(String::from).prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| format!("not {part}")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner, 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
        ]
    });
    let plain = prop::sample::select(vec!["sel_a", "other", "1 of them"]).prop_map(String::from);
    prop_oneof![1 => plain, 1 => composite]
}

/// Rules as texts: JSON is YAML.
fn rules() -> impl Strategy<Value = Vec<String>> {
    let log_source = prop::sample::select(vec![
        json!({"product": "linux"}),
        json!({"product": "linux", "category": "process_creation"}),
        json!({"category": "process_creation"}),
        json!({"product": "linux", "category": "file_event"}),
    ]);
    let rule = (search(), search(), search(), condition(), log_source);
    prop::collection::vec(rule, 1..6).prop_map(|rules| {
        let to_text = |(number, (a, b, other, condition, log_source)): (
            usize,
            (Json, Json, Json, String, Json),
        )| {
            let detection = json!({"sel_a": a, "sel_b": b, "other": other, "condition": condition});
            let id = format!("rule-{number}");
            json!({"title": id, "id": id, "level": "low", "logsource": log_source, "detection": detection})
                .to_string()
        };
        rules.into_iter().enumerate().map(to_text).collect()
    })
}

/// A log source and values by field.
#[derive(Debug, Clone)]
struct Values {
    log_source: LogSource<'static>,
    fields: Vec<(&'static str, Result<String, i64>)>,
}

fn values() -> impl Strategy<Value = Values> {
    let value = prop_oneof![6 => value_text().prop_map(Ok), 1 => (-5_i64..12).prop_map(Err)];
    let fields = prop::collection::vec((prop::sample::select(FIELDS), value), 0..6);
    let log_source = prop_oneof![
        4 => Just(LogSource::LINUX_PROCESS_CREATION),
        1 => Just(LogSource::LINUX_FILE_EVENT),
        1 => Just(LogSource { product: Some("windows"), category: Some("process_creation"), service: None }),
    ];
    (log_source, fields).prop_map(|(log_source, fields)| Values { log_source, fields })
}

fn to_event(values: &Values) -> Event<'_> {
    let mut event = Event::new(values.log_source);
    for (name, value) in &values.fields {
        match value {
            Ok(text) => event.set_named(*name, text.as_str()),
            Err(number) => event.set_named(*name, *number),
        };
    }
    event
}

/// Compiles what is sound and returns it with the number of rules in force.
fn compile_texts(texts: &[String]) -> RuleSet {
    let sources: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| sigma(&format!("{number}.yml"), text))
        .collect();
    compile(&sources).0
}

/// Compares the two evaluations and the explanation; returns how many rules matched.
fn compare(rules: &RuleSet, event: &Event<'_>) -> Result<usize, TestCaseError> {
    let indexed = rules.evaluate(event);
    prop_assert_eq!(&indexed, &rules.evaluate_full_scan(event));
    for info in rules.rules() {
        let explained = rules
            .explain(&info.id, event)
            .is_some_and(|explanation| explanation.matched);
        prop_assert_eq!(explained, indexed.iter().any(|found| found.rule.id == info.id));
    }
    Ok(indexed.len())
}

proptest! {
    #![proptest_config(Config { cases: 150, ..Config::default() })]

    #[test]
    fn index_and_full_scan_agree(texts in rules(), events in prop::collection::vec(values(), 1..8)) {
        let rules = compile_texts(&texts);
        for values in &events {
            compare(&rules, &to_event(values))?;
        }
    }

}

proptest! {
    #![proptest_config(Config { cases: 60, ..Config::default() })]

    #[test]
    fn texts_cut_from_the_value_are_found(cases in prop::collection::vec((derived(), any::<bool>()), 1..4)) {
        let rule = |(number, ((_, chain, pattern), keyword)): (usize, &((String, &str, Json), bool))| {
            let field = if *keyword { "" } else { "CommandLine" };
            let mut selection = Map::new();
            selection.insert(format!("{field}{chain}"), pattern.clone());
            let detection = json!({"sel": selection, "condition": "sel"});
            let log_source = json!({"product": "linux"});
            json!({"title": "t", "id": format!("r{number}"), "level": "low", "logsource": log_source, "detection": detection})
                .to_string()
        };
        let rules = compile_texts(&cases.iter().enumerate().map(rule).collect::<Vec<_>>());
        for ((value, ..), _) in &cases {
            let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
            event.set_named("CommandLine", value.as_str());
            compare(&rules, &event)?;
        }
    }

    #[test]
    fn a_rule_does_not_depend_on_its_neighbours(texts in rules(), events in prop::collection::vec(values(), 1..4)) {
        let together = compile_texts(&texts);
        let alone: Vec<_> = texts.iter().map(|text| compile_texts(std::slice::from_ref(text))).collect();
        for values in &events {
            let event = to_event(values);
            let all: Vec<_> = together.evaluate(&event).into_iter().map(|found| found.rule.id.clone()).collect();
            let each: Vec<_> = alone.iter().flat_map(|rules| rules.evaluate(&event)).map(|found| found.rule.id.clone()).collect();
            prop_assert_eq!(all, each);
        }
    }

    #[test]
    fn the_default_pack_agrees_on_words_of_its_own(words in prop::collection::vec(prop::sample::select(pack_words()), 1..12), image in prop::sample::select(pack_words())) {
        let line = words.join(" ");
        let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
        event.set_named("CommandLine", line.as_str()).set_named("Image", image.as_str());
        compare(pack(), &event)?;
    }
}

/// A value and a test that is made from a piece of it, so that long texts are looked for and often found.
fn derived() -> impl Strategy<Value = (String, &'static str, Json)> {
    let value = "[abAB/ éÉσΣ-]{6,24}";
    let text = (
        value,
        any::<prop::sample::Index>(),
        3..8_usize,
        prop::sample::select(TEXT_CHAINS),
        0..6_u8,
    );
    let text = text.prop_map(|(value, start, len, chain, change)| {
        let cut = cut_out(&value, start, len);
        let pattern = match change {
            0 => format!("*{cut}*"),
            1 => format!(
                "{}?{}",
                cut.chars().take(2).collect::<String>(),
                cut.chars().skip(3).collect::<String>()
            ),
            2 => cut.to_uppercase(),
            3 => cut.to_lowercase(),
            4 => value.clone(),
            _ => cut,
        };
        (value, chain, Json::from(pattern))
    });
    let regex = (
        value,
        any::<prop::sample::Index>(),
        4..8_usize,
        prop::sample::select(REGEX_CHAINS),
        0..7_u8,
    );
    let regex = regex.prop_map(|(value, start, len, chain, shape)| {
        let cut = cut_out(&value, start, len);
        let (head, tail) = cut.split_at(cut.char_indices().nth(2).map_or(cut.len(), |(at, _)| at));
        let pattern = match shape {
            0 => format!("(zzzz|{cut})"),
            1 => format!("(?:zzzz)?{cut}"),
            2 => format!("(?:{cut})*b"),
            3 => format!(
                "{head}[{}z]{}",
                tail.chars().next().unwrap_or('a'),
                tail.chars().skip(1).collect::<String>()
            ),
            4 => format!("(?i:{}){tail}", head.to_uppercase()),
            5 => format!("(?:{head}|zzz){tail}"),
            _ => format!("{head}.{{0,2}}{tail}$|zzzz"),
        };
        (value, chain, Json::from(pattern))
    });
    prop_oneof![text, regex]
}

fn cut_out(value: &str, start: prop::sample::Index, len: usize) -> String {
    let chars: Vec<char> = value.chars().collect();
    let start = start.index(chars.len() - 2);
    chars[start..chars.len().min(start + len)].iter().collect()
}

/// A generator whose rules are refused or never match would prove nothing.
#[test]
fn generated_rules_are_sound_and_often_match() {
    let mut runner = TestRunner::deterministic();
    let (mut written, mut sound, mut matched, mut asked) = (0, 0, 0, 0);
    for _ in 0..150 {
        let texts = rules().new_tree(&mut runner).unwrap().current();
        let rules = compile_texts(&texts);
        written += texts.len();
        sound += rules.rules().len();
        for _ in 0..6 {
            let values = values().new_tree(&mut runner).unwrap().current();
            asked += rules.rules().len();
            matched += compare(&rules, &to_event(&values)).unwrap();
        }
    }
    assert!(sound * 10 > written * 9, "{sound} of {written} rules are sound");
    let share = matched * 100 / asked;
    assert!(
        (10..=75).contains(&share),
        "{share} % of the questions are answered with yes"
    );
}

/// Words of the pack's own patterns, so that generated lines come near to matching.
fn pack_words() -> Vec<String> {
    let mut words: Vec<String> = default_pack()
        .iter()
        .flat_map(|source| {
            source
                .text
                .split('\'')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|word| (2..40).contains(&word.len()))
        .collect();
    words.sort();
    words.dedup();
    words
}
