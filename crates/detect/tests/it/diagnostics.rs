//! Every code is reachable, names the line, and stands in the documentation.

use std::collections::BTreeSet;

use sg_detect::{Code, Diagnostic, Effect, RuleSource, compile};

use crate::support::{complaints, indicators, rule_text, sigma, yara};

const HEAD: &str = "title: T\nid: t\nlevel: low\nlogsource: {product: linux}\n";

/// A source and what has to be said about it: the code and the line.
fn cases() -> Vec<(RuleSource, Code, Option<u32>)> {
    let rule = |text: String, code, line| (sigma("r.yml", text), code, line);
    let entry = |entry: &str, code| {
        let text = rule_text("t", &format!("    sel:\n        {entry}\n    condition: sel\n"));
        (sigma("r.yml", text), code, Some(8))
    };
    let condition = |condition: &str, code| {
        let text = rule_text(
            "t",
            &format!("    sel:\n        User: x\n    condition: {condition}\n"),
        );
        (sigma("r.yml", text), code, Some(10))
    };
    let head = |head: &str, code, line| {
        let text = format!("{head}detection:\n    sel: {{User: x}}\n    condition: sel\n");
        (sigma("r.yml", text), code, line)
    };
    vec![
        rule("#".repeat(2 << 20), Code::SourceTooLarge, None),
        rule("a: [".into(), Code::InvalidYaml, Some(2)),
        rule("a: 1\nb: 2\na: 3\n".into(), Code::InvalidYaml, Some(1)),
        rule("a: !tag x\n".into(), Code::InvalidYaml, Some(1)),
        rule(
            format!("a: {}{}", "[".repeat(40), "]".repeat(40)),
            Code::YamlTooComplex,
            Some(1),
        ),
        rule(String::new(), Code::NotARule, None),
        rule("- a\n".into(), Code::NotARule, Some(1)),
        rule("name: x\n".into(), Code::NotARule, Some(1)),
        rule(HEAD.into(), Code::MissingField, Some(1)),
        rule(
            format!("{HEAD}detection:\n    condition: sel\n"),
            Code::MissingField,
            Some(5),
        ),
        rule(
            format!("{HEAD}detection:\n    sel: {{User: x}}\n"),
            Code::MissingField,
            Some(5),
        ),
        rule(format!("{HEAD}detection: x\n"), Code::InvalidField, Some(5)),
        head(
            "id: t\nlevel: low\nlogsource: {product: linux}\n",
            Code::MissingField,
            Some(1),
        ),
        head("title: T\nid: t\nlevel: low\n", Code::MissingField, Some(1)),
        head(
            "title: T\nid: t\nlevel: low\nlogsource: linux\n",
            Code::InvalidField,
            Some(4),
        ),
        head(
            "title: T\nid: t\nlevel: low\nlogsource:\n    product: [a]\n",
            Code::InvalidField,
            Some(5),
        ),
        head(
            "title: T\nid: t\nlevel: low\nlogsource: {definition: x}\n",
            Code::EmptyLogSource,
            Some(4),
        ),
        head(
            "title: [T]\nid: t\nlevel: low\nlogsource: {product: linux}\n",
            Code::InvalidField,
            Some(1),
        ),
        head(&format!("{HEAD}tags: [[a]]\n"), Code::InvalidField, Some(5)),
        head(&format!("{HEAD}confidence: 7\n"), Code::InvalidField, Some(5)),
        head(
            "title: T\nid: ''\nlevel: low\nlogsource: {product: linux}\n",
            Code::InvalidField,
            Some(2),
        ),
        head(
            "title: T\nid: t\nlogsource: {product: linux}\n",
            Code::UnknownLevel,
            Some(1),
        ),
        head(
            "title: T\nid: t\nlevel: huge\nlogsource: {product: linux}\n",
            Code::UnknownLevel,
            Some(3),
        ),
        head(
            "title: T\nlevel: low\nlogsource: {product: linux}\n",
            Code::MissingId,
            Some(1),
        ),
        rule(
            "title: T\naction: global\n".into(),
            Code::CorrelationRule,
            Some(2),
        ),
        rule(
            "title: T\nid: t\nlevel: low\ncorrelation:\n    type: event_count\n".into(),
            Code::InvalidCorrelation,
            Some(1),
        ),
        rule(
            "title: T\nid: t\nlevel: low\ncorrelation:\n    type: temporal\n    rules: [elsewhere]\n    timespan: 1m\n".into(),
            Code::CorrelationWithoutRule,
            Some(1),
        ),
        rule(
            "title: T\nfilter:\n    rules: any\n".into(),
            Code::MissingField,
            Some(2),
        ),
        rule(
            format!(
                "{}---\ntitle: F\nlogsource: {{product: windows}}\nfilter: {{rules: any, sel: {{User: x}}, condition: not sel}}\n",
                rule_text("t", "    sel: {User: x}\n    condition: sel\n")
            ),
            Code::FilterWithoutRule,
            Some(11),
        ),
        condition("sel and", Code::InvalidCondition),
        condition("{a: b}", Code::InvalidCondition),
        condition("other", Code::UnknownIdentifier),
        condition("1 of other*", Code::UnknownIdentifier),
        condition("sel | count() > 5", Code::UnsupportedCondition),
        condition("3 of them", Code::UnsupportedCondition),
        condition(&format!("{}sel", "not ".repeat(50)), Code::RuleTooComplex),
        rule(
            rule_text("t", "    sel: {User: x}\n    timeframe: 5m\n    condition: sel\n"),
            Code::UnsupportedCondition,
            Some(9),
        ),
        entry(
            &format!("User|re: [{}]", ["'.{1000,}'"; 9].join(", ")),
            Code::RuleTooComplex,
        ),
        entry("User|near: x", Code::UnknownModifier),
        entry("User|contains|startswith: x", Code::InvalidModifiers),
        entry("User|contains: null", Code::InvalidModifiers),
        entry("User|exists: maybe", Code::InvalidModifiers),
        entry("User|gt: x", Code::InvalidModifiers),
        entry("'|exists': true", Code::InvalidModifiers),
        entry("User|base64: 'a*'", Code::InvalidModifiers),
        entry("User|wide: 'ä'", Code::InvalidModifiers),
        entry("User|expand: '%nobody%'", Code::UnresolvedPlaceholder),
        entry("User|re: '('", Code::InvalidRegex),
        entry(r"User|re: '\w{1000}'", Code::InvalidRegex),
        entry("User|re: 'a(?=b)'", Code::UnsupportedRegex),
        entry(r"User|re: '(a)\1'", Code::UnsupportedRegex),
        entry("User|cidr: '10.0.0.0/33'", Code::InvalidCidr),
        entry("User: []", Code::InvalidSearch),
        entry("User: [[a]]", Code::InvalidSearch),
        entry("User: {a: b}", Code::InvalidSearch),
        entry("'': ''", Code::InvalidSearch),
        entry(&format!("User: '{}'", "x".repeat(5000)), Code::RuleTooComplex),
        entry(
            &format!("User|windash: '{}'", " -a".repeat(5)),
            Code::RuleTooComplex,
        ),
        entry(&format!("User: [{}]", "x,".repeat(5001)), Code::RuleTooComplex),
        entry(&format!("User|re: [{}]", "x,".repeat(65)), Code::RuleTooComplex),
        (yara("a.yar", "rule a {"), Code::InvalidYara, Some(1)),
        (
            yara("a.yar", "rule a {\n strings:\n  $a = /\\q/\n condition: $a }"),
            Code::YaraWarning,
            Some(3),
        ),
        (
            yara("a.yar", "rule a { meta: severity = \"worst\" condition: true }"),
            Code::InvalidMeta,
            None,
        ),
        (
            yara("a.yar", "rule a { meta: confidence = 101 condition: true }"),
            Code::InvalidMeta,
            None,
        ),
        (yara("a.yar", "#".repeat(2 << 20)), Code::SourceTooLarge, None),
        (indicators("a.csv", "x"), Code::InvalidIndicatorList, Some(1)),
        (
            indicators("a.csv", "value,type\nx,y\n"),
            Code::InvalidIndicator,
            Some(2),
        ),
    ]
}

#[test]
fn faults_are_said_with_code_and_line() {
    for (source, code, line) in cases() {
        let found = complaints(std::slice::from_ref(&source));
        let shown: Vec<_> = found.iter().map(Diagnostic::to_string).collect();
        let said: Vec<_> = found
            .iter()
            .map(|diagnostic| (diagnostic.code, diagnostic.line))
            .collect();
        assert_eq!(
            said,
            [(code, line)],
            "{shown:?} on {}",
            source.text.chars().take(400).collect::<String>()
        );
        let diagnostic = &found[0];
        assert_eq!(diagnostic.source, source.name);
        assert!(
            diagnostic.message.ends_with('.') && diagnostic.message.contains(code.remedy()),
            "{shown:?}"
        );
        assert!(diagnostic.message.chars().count() < 1000, "{shown:?}");
    }
}

#[test]
fn a_refused_rule_never_takes_part_and_a_warned_one_does() {
    for (source, code, _) in cases() {
        let (rules, _) = compile(&[source]);
        let in_force = rules.rules().len() + rules.indicators().len() + rules.correlations().len();
        assert_eq!(in_force, usize::from(code.effect() == Effect::Warned), "{code}");
    }
}

#[test]
fn every_code_is_produced_by_a_case() {
    // Produced where a scan, several sources, or a very large set is needed.
    let elsewhere = [
        Code::DuplicateId,
        Code::TooManyRules,
        Code::FileTooLarge,
        Code::ScanTimeout,
        // boreal has no other failure of a scan of memory.
        Code::ScanFailed,
    ];
    let produced: BTreeSet<_> = cases()
        .into_iter()
        .map(|(_, code, _)| code)
        .chain(elsewhere)
        .collect();
    let all: BTreeSet<_> = Code::ALL.iter().copied().collect();
    assert_eq!(produced, all);
}

#[test]
fn the_second_rule_with_an_id_is_refused() {
    let text = rule_text("same", "    sel: {User: x}\n    condition: sel\n");
    let as_yara = "rule r { meta: id = \"same\" condition: true }";
    let sources = [
        sigma("a.yml", text.clone()),
        sigma("b.yml", text),
        yara("c.yar", as_yara),
    ];
    let (rules, diagnostics) = compile(&sources);
    let said: Vec<_> = diagnostics.iter().map(|d| (d.code, d.source.as_str())).collect();
    assert_eq!(said, [(Code::DuplicateId, "b.yml"), (Code::DuplicateId, "c.yar")]);
    assert_eq!(rules.rules().len(), 1);
    assert_eq!(rules.scan(b"", "f").matches, []);
}

#[test]
fn sound_documents_before_a_fault_stay() {
    let sound = rule_text("one", "    sel: {User: x}\n    condition: sel\n");
    let unsound = rule_text("two", "    sel: {User|near: x}\n    condition: sel\n");
    let (rules, diagnostics) = compile(&[sigma("a.yml", format!("{sound}---\n{unsound}---\na: [\n"))]);
    let said: Vec<_> = diagnostics
        .iter()
        .map(|d| (d.code, d.line, d.rule.as_deref()))
        .collect();
    assert_eq!(rules.rules().len(), 1);
    assert_eq!(said[0], (Code::UnknownModifier, Some(18), Some("two")));
    assert_eq!(said[1].0, Code::InvalidYaml);
}

#[test]
fn the_documentation_lists_every_code_and_modifier() {
    let path = "../../docs/detection.md";
    let text = std::fs::read_to_string(path).unwrap();
    for code in Code::ALL {
        let row = format!(
            "| {} | {} | {} | {} |",
            code,
            code.effect().as_str(),
            code.meaning(),
            code.remedy()
        );
        assert!(text.contains(&row), "docs/detection.md lacks this row:\n{row}");
    }
    let rows = text.lines().filter(|line| line.starts_with("| D0")).count();
    assert_eq!(
        rows,
        Code::ALL.len(),
        "docs/detection.md has a row for a code that does not exist"
    );
    for modifier in sg_detect::SIGMA_MODIFIERS {
        assert!(
            text.contains(&format!("`{modifier}`")),
            "docs/detection.md lacks the modifier `{modifier}`"
        );
    }
}
