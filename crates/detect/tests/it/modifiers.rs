//! One hand case for every modifier and every shape of a detection, positive and negative.

use sg_detect::{Event, Field, LogSource, Placeholders, SIGMA_MODIFIERS, compile_with};

use crate::support::{compile_one, event, matches, rule_text, sigma};

/// A selection's entries, values that match and values that do not, all of the field `CommandLine`.
type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "CommandLine: 'Whoami'",
        &["whoami", "WHOAMI"],
        &["whoami ", "xwhoami", ""],
    ),
    ("CommandLine: 'who*'", &["who", "whoami"], &["xwho"]),
    ("CommandLine: '*ami'", &["whoami", "ami"], &["amix"]),
    ("CommandLine: 'w?o*i'", &["whoami", "wüoi"], &["woami", "whoamx"]),
    (r"CommandLine: 'a\*b'", &["a*b"], &["axb", r"a\*b"]),
    (r"CommandLine: 'a\\*b'", &[r"a\b", r"a\xxb"], &["ab"]),
    (r"CommandLine: 'C:\Temp\x'", &[r"c:\temp\x"], &[r"c:\\temp\\x"]),
    ("CommandLine: ''", &[""], &["x"]),
    ("CommandLine: '*'", &["", "x"], &[]),
    ("CommandLine: 4624", &["4624"], &["46240"]),
    ("CommandLine: true", &["true", "True"], &["false"]),
    ("CommandLine: ['a', 'b']", &["a", "B"], &["ab"]),
    ("CommandLine|contains: 'Ab'", &["xaby", "AB"], &["a b"]),
    ("CommandLine|contains: 'a*c'", &["xabbcx", "ac"], &["ca"]),
    ("CommandLine|contains: ''", &["", "x"], &[]),
    (
        "CommandLine|contains|all: ['a', 'b']",
        &["ba", "a b"],
        &["a", "b"],
    ),
    (
        "CommandLine|startswith: '/tmp/'",
        &["/TMP/x", "/tmp/"],
        &["x/tmp/", "/tmp"],
    ),
    ("CommandLine|endswith: '.sh'", &["x.SH"], &["x.sh "]),
    ("CommandLine|endswith: '1?'", &["x10", "1a"], &["x1", "10a"]),
    ("CommandLine|cased: 'Abc'", &["Abc"], &["abc"]),
    ("CommandLine|contains|cased: 'Abc'", &["xAbcx"], &["xabcx"]),
    (
        "CommandLine|startswith|cased: 'Ä?c'",
        &["Äbcd"],
        &["äbcd", "xÄbc"],
    ),
    ("CommandLine|re: 'ba+sh$'", &["xbaash"], &["BASH", "bashx"]),
    ("CommandLine|re|i: 'ba+sh$'", &["xBaaSH"], &["bsh"]),
    ("CommandLine|re|m: '^b$'", &["a\nb\nc"], &["ab"]),
    ("CommandLine|re|s: 'a.b'", &["a\nb"], &["ab"]),
    (
        r"CommandLine|re: '-k\s\w{1,64}(?:\s-p)?$'",
        &["svchost -k netsvcs -p", "svchost -k é"],
        &["svchost -k ", "svchost -k a b"],
    ),
    ("CommandLine|re: 'a.b'", &["axb"], &["a\nb"]),
    ("CommandLine|re: 'wha[tx]ever'", &["whaxever"], &["whaever"]),
    (
        "CommandLine|re: '(?:longtext)?short|other'",
        &["other", "a short"],
        &["longtext"],
    ),
    ("CommandLine|re|all: ['a+', 'b+']", &["ab"], &["a"]),
    ("CommandLine|exists: true", &["", "x"], &[]),
    ("CommandLine|exists: false", &[], &["", "x"]),
    ("CommandLine: null", &[], &["", "x"]),
    ("CommandLine: [null, 'x']", &["x"], &["", "y"]),
    (
        "CommandLine|cidr: '10.0.0.0/8'",
        &["10.1.2.3", "::ffff:10.0.0.1"],
        &["11.0.0.1", "10.1.2", "fe80::1"],
    ),
    (
        "CommandLine|cidr: ['192.168.1.0/24', 'fe80::/10']",
        &["192.168.1.77", "fe80::1"],
        &["192.168.2.1", "fec0::1"],
    ),
    ("CommandLine|cidr: '0.0.0.0/0'", &["1.2.3.4"], &["::1", "x"]),
    (
        "CommandLine|windash|contains: ' -force'",
        &[" /force", "x \u{2013}Force", " -force"],
        &["-force", " --force"],
    ),
    ("CommandLine|base64: 'whoami'", &["d2hvYW1p"], &["whoami"]),
    (
        "CommandLine|base64offset|contains: 'whoami'",
        &["echo d2hvYW1p", "eHdob2FtaQ==", "eHh3aG9hbWk="],
        &["d2hv"],
    ),
    (
        "CommandLine|wide|base64offset|contains: 'id'",
        &["x aQBkA y"],
        &["id"],
    ),
    ("CommandLine|utf16le|base64: 'id'", &["aQBkAA=="], &["aWQ="]),
    ("CommandLine|utf16be|base64: 'id'", &["AGkAZA=="], &["aQBkAA=="]),
    ("CommandLine|utf16|base64: 'id'", &["//5pAGQA"], &["aQBkAA=="]),
    ("CommandLine|gt: 5", &["6", "5.5", " 7 "], &["5", "-6", "x", ""]),
    ("CommandLine|gte: 5", &["5", "6"], &["4.9"]),
    ("CommandLine|lt: -1.5", &["-2"], &["-1.5", "0"]),
    (
        "CommandLine|lte: 9007199254740993",
        &["9007199254740993"],
        &["9007199254740994"],
    ),
    ("CommandLine|neq: 'x'", &["y", ""], &["x", "X"]),
    ("CommandLine|neq|contains: ['a', 'b']", &["c"], &["xa", "b"]),
    ("CommandLine|neq: null", &["", "x"], &[]),
];

#[test]
fn every_case_comes_out_as_written() {
    for (entry, positive, negative) in CASES {
        let rules = compile_one(&format!("    sel:\n        {entry}\n    condition: sel\n"));
        for value in *positive {
            assert!(
                matches(&rules, &event(&[("CommandLine", value)])),
                "{entry} should match {value:?}"
            );
        }
        for value in *negative {
            assert!(
                !matches(&rules, &event(&[("CommandLine", value)])),
                "{entry} should not match {value:?}"
            );
        }
        let absent_matches = entry.contains("null") && !entry.contains("neq: null")
            || entry.contains("exists: false")
            || entry.contains("neq") && !entry.contains("null");
        assert_eq!(
            matches(&rules, &event(&[("Image", "x")])),
            absent_matches,
            "{entry} on an event without the field"
        );
    }
}

#[test]
fn every_modifier_has_a_case() {
    let elsewhere = ["expand", "fieldref"];
    for modifier in SIGMA_MODIFIERS {
        let covered = CASES.iter().any(|(entry, ..)| {
            entry
                .split(':')
                .next()
                .is_some_and(|key| key.split('|').skip(1).any(|word| word == *modifier))
        });
        assert!(covered || elsewhere.contains(modifier), "{modifier} has no case");
    }
}

#[test]
fn fieldref_compares_two_fields() {
    let case = |entry: &str, image: &'static str, parent: &'static str| {
        let rules = compile_one(&format!("    sel:\n        {entry}\n    condition: sel\n"));
        matches(&rules, &event(&[("Image", image), ("ParentImage", parent)]))
    };
    assert!(case("Image|fieldref: ParentImage", "/bin/SH", "/bin/sh"));
    assert!(!case("Image|fieldref: ParentImage", "/bin/sh", "/bin/bash"));
    assert!(!case("Image|fieldref|cased: ParentImage", "/bin/SH", "/bin/sh"));
    assert!(case(
        "Image|fieldref|endswith: ParentImage",
        "/usr/bin/sh",
        "/bin/sh"
    ));
    assert!(case("Image|fieldref|contains: ParentImage", "/a/b/c", "/b"));
    assert!(case("Image|fieldref|startswith: ParentImage", "/a/b", "/a"));
    assert!(!case("Image|fieldref: Absent", "", "x"));
}

#[test]
fn expand_takes_given_values() {
    let text = rule_text(
        "test",
        "    sel:\n        User|expand: '%admins%'\n    condition: sel\n",
    );
    let placeholders =
        Placeholders::from([("admins".to_owned(), vec!["root".to_owned(), "adm-*".to_owned()])]);
    let (rules, diagnostics) = compile_with(&[sigma("a.yml", text)], &placeholders);
    assert_eq!(diagnostics, []);
    assert!(matches(&rules, &event(&[("User", "ROOT")])));
    assert!(matches(&rules, &event(&[("User", "adm-7")])));
    assert!(!matches(&rules, &event(&[("User", "%admins%")])));
}

#[test]
fn numbers_are_texts_and_texts_are_numbers() {
    let rules =
        compile_one("    sel:\n        ProcessId: 42\n        ParentProcessId|lt: 10\n    condition: sel\n");
    let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
    event
        .set(Field::ProcessId, 42_i64)
        .set(Field::ParentProcessId, "9");
    assert!(matches(&rules, &event));
    event.set(Field::ParentProcessId, 10_u32);
    assert!(!matches(&rules, &event));
}

#[test]
fn keywords_look_into_every_value() {
    let case = |detection: &str, values: &[(&'static str, &'static str)]| {
        matches(&compile_one(detection), &event(values))
    };
    let list =
        "    keywords:\n        - 'Evil'\n        - 'b?d*thing'\n        - 7\n    condition: keywords\n";
    assert!(case(list, &[("CommandLine", "an evil word")]));
    assert!(case(list, &[("anything", "a BAD old thing")]));
    assert!(case(list, &[("anything", "17")]));
    assert!(!case(list, &[("CommandLine", "ev"), ("Image", "il")]));
    let all = "    keywords:\n        '|all': ['one', 'two']\n    condition: keywords\n";
    assert!(case(all, &[("CommandLine", "one"), ("Image", "two")]));
    assert!(!case(all, &[("CommandLine", "one")]));
    let nested = "    keywords:\n        - '|all': ['one', 'two']\n        - ['three', Image: 'x']\n    condition: keywords\n";
    assert!(case(nested, &[("CommandLine", "three")]));
    assert!(case(nested, &[("Image", "x")]));
    assert!(case(nested, &[("CommandLine", "one two")]));
    assert!(!case(nested, &[("CommandLine", "one x")]));
    let regex = "    keywords:\n        '|re': 'e{3}'\n    condition: keywords\n";
    assert!(case(regex, &[("other", "xeee")]));
    assert!(!case(regex, &[("other", "xee")]));
    assert!(case(
        "    keywords: single\n    condition: keywords\n",
        &[("other", "a single word")]
    ));
    assert!(case(
        "    keywords:\n        '|cased': 'Single'\n    condition: keywords\n",
        &[("other", "a Single word")]
    ));
}

#[test]
fn maps_lists_and_conditions_combine() {
    let detection = "    sel_image:\n        Image|endswith: '/sh'\n        User: root\n    sel_line:\n        - CommandLine|contains: 'x'\n        - CommandLine|contains: 'y'\n    filter_a:\n        CurrentDirectory: /tmp\n    condition: all of sel_* and not 1 of filter_*\n";
    let rules = compile_one(detection);
    let base = [("Image", "/bin/sh"), ("User", "root"), ("CommandLine", "y")];
    assert!(matches(&rules, &event(&base)));
    assert!(!matches(&rules, &event(&base[..2])));
    assert!(!matches(
        &rules,
        &event(&[base[0], base[1], base[2], ("CurrentDirectory", "/TMP")])
    ));
    let list = compile_one("    a:\n        User: x\n    b:\n        User: y\n    condition: [a, b]\n");
    assert!(matches(&list, &event(&[("User", "y")])));
    assert!(!matches(&list, &event(&[("User", "z")])));
    let negative = compile_one("    a:\n        User: x\n    condition: not a\n");
    assert!(matches(&negative, &event(&[])));
    assert!(!matches(&negative, &event(&[("User", "x")])));
}

#[test]
fn rules_see_events_of_their_log_source_only() {
    let detection = "    sel:\n        User: x\n    condition: sel\n";
    let rules = compile_one(detection);
    let mut other = Event::new(LogSource::LINUX_FILE_EVENT);
    other.set(Field::User, "x");
    assert!(!matches(&rules, &other));
    let mut windows = Event::new(LogSource {
        product: Some("windows"),
        category: Some("process_creation"),
        service: None,
    });
    windows.set(Field::User, "x");
    assert!(!matches(&rules, &windows));
    let mut unknown = Event::new(LogSource::default());
    unknown.set(Field::User, "x");
    assert!(!matches(&rules, &unknown));
    let mut more = Event::new(LogSource {
        product: Some("linux"),
        category: Some("process_creation"),
        service: Some("auditd"),
    });
    more.set(Field::User, "x");
    assert!(matches(&rules, &more));
}

#[test]
fn evidence_names_selection_field_pattern_and_value() {
    let rules = compile_one(
        "    sel:\n        Image|endswith: '/Bash'\n        User: null\n    other:\n        CommandLine: z\n    condition: sel or other\n",
    );
    let found = rules.evaluate(&event(&[("Image", "/bin/bash")]));
    let evidence = serde_json::to_value(&found[0].evidence).unwrap();
    let expected = serde_json::json!([
        {"type": "field", "selection": "sel", "field": "Image", "pattern": "ends with '/bash'", "value": "/bin/bash"},
        {"type": "field", "selection": "sel", "field": "User", "pattern": "is absent", "value": null},
    ]);
    assert_eq!(evidence, expected);
    assert_eq!(
        found[0].explanation,
        "Image ends with '/bash', and User is absent."
    );
    let explanation = rules.explain("test", &event(&[("Image", "/bin/bash")])).unwrap();
    assert_eq!(explanation.condition, "sel or other");
    assert_eq!(
        explanation
            .selections
            .iter()
            .map(|s| s.matched)
            .collect::<Vec<_>>(),
        [true, false]
    );
    assert!(rules.explain("unknown", &event(&[])).is_none());
}
