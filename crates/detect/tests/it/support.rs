//! What several test modules need.

use std::sync::LazyLock;

use sg_detect::{Diagnostic, Event, LogSource, RuleSet, RuleSource, compile, default_pack};
use sg_types::RuleKind;

pub(crate) fn sigma(name: &str, text: impl Into<String>) -> RuleSource {
    RuleSource {
        kind: RuleKind::Sigma,
        name: name.to_owned(),
        text: text.into(),
    }
}

pub(crate) fn yara(name: &str, text: impl Into<String>) -> RuleSource {
    RuleSource {
        kind: RuleKind::Yara,
        name: name.to_owned(),
        text: text.into(),
    }
}

pub(crate) fn indicators(name: &str, text: impl Into<String>) -> RuleSource {
    RuleSource {
        kind: RuleKind::Indicator,
        name: name.to_owned(),
        text: text.into(),
    }
}

/// A rule for Linux processes with this detection section, which is indented as it stands.
pub(crate) fn rule_text(id: &str, detection: &str) -> String {
    format!(
        "title: Test {id}\nid: {id}\nlevel: high\nlogsource:\n    product: linux\n    category: process_creation\ndetection:\n{detection}"
    )
}

/// Compiles one rule that has to be sound.
pub(crate) fn compile_one(detection: &str) -> RuleSet {
    let (rules, diagnostics) = compile(&[sigma("test.yml", rule_text("test", detection))]);
    assert_eq!(diagnostics, [], "{detection}");
    rules
}

/// Compiles sources of which something has to be said, and says what.
pub(crate) fn complaints(sources: &[RuleSource]) -> Vec<Diagnostic> {
    compile(sources).1
}

/// A process event with these values.
pub(crate) fn event<'a>(values: &[(&'a str, &'a str)]) -> Event<'a> {
    let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
    for (name, value) in values {
        event.set_named(*name, *value);
    }
    event
}

/// Whether the single rule holds; index, full scan and explanation have to agree on it.
pub(crate) fn matches(rules: &RuleSet, event: &Event<'_>) -> bool {
    let indexed = rules.evaluate(event);
    assert_eq!(
        indexed,
        rules.evaluate_full_scan(event),
        "index and full scan differ on {event:?}"
    );
    let explanation = rules.explain("test", event).unwrap();
    assert_eq!(
        explanation.matched,
        !indexed.is_empty(),
        "explanation differs on {event:?}"
    );
    !indexed.is_empty()
}

/// The default pack, compiled once.
pub(crate) fn pack() -> &'static RuleSet {
    static PACK: LazyLock<RuleSet> = LazyLock::new(|| compile(&default_pack()).0);
    &PACK
}
