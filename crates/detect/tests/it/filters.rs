//! Filter documents: they narrow the rules that they name, and no others.

use sg_detect::{Code, Event, Field, LogSource, RuleSet, RuleSource, compile};

use crate::support::{rule_text, sigma};

fn rule(id: &str, name: &str) -> RuleSource {
    let text = rule_text(
        id,
        "    selection:\n        Image|endswith: '/rsync'\n    condition: selection\n",
    );
    sigma(&format!("{id}.yml"), format!("name: {name}\n{text}"))
}

fn filter(log_source: &str, rules: &str) -> RuleSource {
    let text = format!(
        "title: Backup\nlogsource:\n    {log_source}\nfilter:\n    rules: {rules}\n    selection:\n        User: backup\n    condition: not selection\n"
    );
    sigma("filter.yml", text)
}

/// The ids of the rules that match, which the index and the full scan agree on.
fn matching(rules: &RuleSet, user: &str) -> Vec<String> {
    let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
    event.set(Field::Image, "/usr/bin/rsync").set(Field::User, user);
    let found = rules.evaluate(&event);
    assert_eq!(found, rules.evaluate_full_scan(&event));
    found.into_iter().map(|found| found.rule.id.clone()).collect()
}

#[test]
fn a_filter_narrows_what_it_names_wherever_it_stands() {
    let rules = [rule("one", "copies"), rule("two", "copies_too")];
    for (named, held_back) in [
        ("[one]", vec!["two"]),
        ("one", vec!["two"]),
        ("[copies_too]", vec!["one"]),
        ("[one, copies_too]", vec![]),
        ("any", vec![]),
    ] {
        let filter = filter("product: linux", named);
        let before = [filter.clone(), rules[0].clone(), rules[1].clone()];
        let after = [rules[0].clone(), rules[1].clone(), filter];
        for sources in [before, after] {
            let (set, diagnostics) = compile(&sources);
            assert_eq!(diagnostics, [], "{named}");
            assert_eq!(matching(&set, "anna"), ["one", "two"], "{named}");
            assert_eq!(matching(&set, "backup"), held_back, "{named}");
        }
    }
}

#[test]
fn a_filter_is_for_its_log_source() {
    for (log_source, applies) in [
        ("product: linux", true),
        ("category: process_creation", true),
        ("{product: linux, category: process_creation}", true),
        ("product: windows", false),
        ("{product: linux, category: file_event}", false),
        ("{product: linux, service: auditd}", false),
    ] {
        let filter = filter("product: linux", "any");
        let text = filter
            .text
            .replace("\n    product: linux", &format!(" {}", braced(log_source)));
        let (set, diagnostics) = compile(&[rule("one", "copies"), sigma("filter.yml", text)]);
        let codes: Vec<_> = diagnostics.iter().map(|one| one.code).collect();
        let expected = if applies {
            vec![]
        } else {
            vec![Code::FilterWithoutRule]
        };
        assert_eq!(codes, expected, "{log_source}");
        assert_eq!(matching(&set, "backup").is_empty(), applies, "{log_source}");
    }
}

fn braced(log_source: &str) -> String {
    if log_source.starts_with('{') {
        log_source.to_owned()
    } else {
        format!("{{{log_source}}}")
    }
}

#[test]
fn several_filters_all_have_to_let_a_match_through() {
    let first = filter("product: linux", "any");
    let second = sigma(
        "second.yml",
        first.text.replace("backup", "mirror").replace("Backup", "Mirror"),
    );
    let (set, diagnostics) = compile(&[first, rule("one", "copies"), second]);
    assert_eq!(diagnostics, []);
    assert_eq!(matching(&set, "anna"), ["one"]);
    assert!(matching(&set, "backup").is_empty() && matching(&set, "mirror").is_empty());
}

#[test]
fn an_explanation_tells_which_filter_held_a_match_back() {
    let (set, _) = compile(&[rule("one", "copies"), filter("product: linux", "any")]);
    let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
    event
        .set(Field::Image, "/usr/bin/rsync")
        .set(Field::User, "backup");
    let explained = format!("{:?}", set.explain("one", &event).unwrap());
    assert!(explained.contains("Backup / selection"), "{explained}");
    assert!(
        explained.contains("(selection) and (not selection)"),
        "{explained}"
    );
}

#[test]
fn a_filter_that_is_unsound_leaves_the_rules_as_they_are() {
    let sound = filter("product: linux", "any");
    for (from, to, code) in [
        (
            "condition: not selection",
            "condition: not other",
            Code::UnknownIdentifier,
        ),
        ("User: backup", "User|near: backup", Code::UnknownModifier),
        ("rules: any", "rules: {a: b}", Code::InvalidField),
        ("title: Backup\n", "", Code::MissingField),
        ("logsource:\n    product: linux\n", "", Code::MissingField),
    ] {
        let text = sound.text.replace(from, to);
        assert_ne!(text, sound.text);
        let (set, diagnostics) = compile(&[rule("one", "copies"), sigma("filter.yml", text)]);
        assert_eq!(diagnostics.iter().map(|one| one.code).collect::<Vec<_>>(), [code]);
        assert_eq!(matching(&set, "backup"), ["one"]);
    }
}

#[test]
fn a_filter_is_known_by_its_id_or_its_source() {
    let mut named = filter("product: linux", "any");
    named.text = format!("id: narrow\n{}", named.text);
    let (set, _) = compile(&[named, filter("product: linux", "any")]);
    let ids: Vec<_> = set.filters().iter().map(|filter| filter.id.as_str()).collect();
    assert_eq!(ids, ["narrow", "filter.yml"]);
    assert!(set.rules().is_empty());
}
