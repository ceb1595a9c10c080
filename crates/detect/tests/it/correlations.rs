//! Correlation rules: the specification's kinds, groups, aliases and chains, and that the order of arrival changes nothing.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;
use sg_detect::correlation::{Correlation, Correlator, Counted};
use sg_detect::{Code, RuleSource, compile};

use crate::support::{event, rule_text, sigma};

/// Rules that match the program with their name.
fn programs(names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        let detection = format!("    sel: {{Image: /bin/{name}}}\n    condition: sel\n");
        text.push_str(&format!(
            "---\nname: {name}\n{}",
            rule_text(&format!("id-{name}"), &detection)
        ));
    }
    text
}

fn correlation(kind: &str, rules: &str, timespan: &str, condition: &str) -> String {
    format!(
        "title: Several\nid: several\nname: several\nlevel: high\ncorrelation:\n    type: {kind}\n    rules: {rules}\n    group-by: [User]\n    timespan: {timespan}\n{condition}"
    )
}

fn correlator(text: &str) -> Correlator {
    let (correlator, diagnostics) =
        Correlator::compile(&[], &[sigma("c.yml", text)], &HashSet::new()).expect("a correlation");
    assert_eq!(diagnostics, [], "{text}");
    correlator
}

fn one(text: &str) -> std::sync::Arc<Correlation> {
    let (rules, _) = compile(&[sigma("c.yml", text)]);
    rules
        .correlations()
        .first()
        .unwrap_or_else(|| panic!("{text}"))
        .clone()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::seconds(seconds)
}

/// Matches as (seconds, position, value).
fn counted(matches: &[(i64, usize, &str)]) -> Vec<Counted> {
    let one = |(seconds, position, value): &(i64, usize, &str)| Counted {
        position: *position,
        at: at(*seconds),
        value: (!value.is_empty()).then(|| (*value).to_owned()),
    };
    matches.iter().map(one).collect()
}

/// The episodes as first and last place and figure, long after everything.
fn episodes(text: &str, matches: &[(i64, usize, &str)]) -> Vec<(usize, usize, f64)> {
    let found = one(text).find_episodes(&counted(matches), at(1_000_000));
    found
        .into_iter()
        .map(|found| (found.first, found.last, found.figure))
        .collect()
}

#[test]
fn events_are_counted_in_a_time_that_ends_at_each() {
    let text = correlation("event_count", "[a]", "10s", "    condition: {gte: 3}\n");
    let times = |seconds: &[i64]| -> Vec<_> { seconds.iter().map(|s| (*s, 0, "")).collect() };
    assert_eq!(
        episodes(&text, &times(&[0, 4, 11])),
        [],
        "4 and 11 only are within ten seconds"
    );
    assert_eq!(episodes(&text, &times(&[0, 4, 9])), [(0, 2, 3.0)]);
    assert_eq!(
        episodes(&text, &times(&[0, 4, 10])),
        [],
        "the time is shorter than from 0 to 10"
    );
    assert_eq!(
        episodes(&text, &times(&[0, 1, 2, 3, 50, 51, 52])),
        [(0, 3, 4.0), (4, 6, 3.0)],
        "what goes on is one episode"
    );
    let range = correlation("event_count", "[a]", "10s", "    condition: {gt: 1, lte: 3}\n");
    assert_eq!(episodes(&range, &times(&[0, 1, 2, 3])), [], "four are too many");
    assert_eq!(
        episodes(&range, &times(&[0, 1, 2, 13, 30, 31])),
        [(0, 2, 3.0), (4, 5, 2.0)]
    );
}

#[test]
fn an_upper_bound_is_judged_when_its_time_is_over() {
    let rule = one(&correlation(
        "event_count",
        "[a]",
        "10s",
        "    condition: {lt: 3}\n",
    ));
    let all = counted(&[(0, 0, ""), (1, 0, "")]);
    assert_eq!(rule.find_episodes(&all, at(9)), []);
    assert_eq!(rule.next_end(&all, at(9)), Some(at(10)));
    assert_eq!(rule.find_episodes(&all, at(10)).len(), 1);
    assert_eq!(rule.next_end(&all, at(10)), None);
}

#[test]
fn values_are_counted_summed_and_averaged() {
    let values = &[(0, 0, "a"), (1, 0, "b"), (2, 0, "a"), (3, 0, "c")];
    let count = correlation(
        "value_count",
        "[a]",
        "1m",
        "    condition: {field: Image, gte: 3}\n",
    );
    assert_eq!(episodes(&count, values), [(0, 3, 3.0)]);
    assert_eq!(episodes(&count, &values[..3]), []);
    let numbers = &[(0, 0, "10"), (1, 0, "20"), (2, 0, "nothing"), (3, 0, "60")];
    for (kind, condition, figure) in [
        ("value_sum", "gte: 90", 90.0),
        ("value_avg", "gte: 30", 30.0),
        ("value_median", "eq: 20", 20.0),
        ("value_percentile", "percentile: 75, gt: 39", 40.0),
    ] {
        let text = correlation(
            kind,
            "[a]",
            "1m",
            &format!("    condition: {{field: Bytes, {condition}}}\n"),
        );
        assert_eq!(episodes(&text, numbers), [(0, 3, figure)], "{kind}");
        let fewer = episodes(&text, &numbers[..1]);
        assert_eq!(fewer, [], "{kind}");
    }
}

#[test]
fn several_rules_match_in_any_order_or_in_theirs() {
    let any = correlation("temporal", "[a, b, c]", "5m", "");
    assert_eq!(
        episodes(&any, &[(0, 2, ""), (1, 0, ""), (2, 1, "")]),
        [(0, 2, 3.0)]
    );
    assert_eq!(episodes(&any, &[(0, 2, ""), (1, 0, ""), (301, 1, "")]), []);
    let two = correlation("temporal", "[a, b, c]", "5m", "    condition: {gte: 2}\n");
    assert_eq!(episodes(&two, &[(0, 2, ""), (1, 0, "")]), [(0, 1, 2.0)]);
    let ordered = correlation("temporal_ordered", "[a, b]", "5m", "");
    assert_eq!(episodes(&ordered, &[(0, 1, ""), (1, 0, "")]), []);
    assert_eq!(
        episodes(&ordered, &[(0, 0, ""), (1, 0, ""), (2, 1, "")]),
        [(1, 2, 2.0)]
    );
    assert_eq!(
        episodes(
            &ordered,
            &[(0, 0, ""), (1, 1, ""), (2, 1, ""), (3, 0, ""), (4, 1, "")]
        ),
        [(0, 1, 2.0), (3, 4, 2.0)],
        "a match serves one chain"
    );
}

#[test]
fn groups_are_kept_apart_by_fields_and_aliases() {
    let text = correlation(
        "temporal",
        "[a, b]",
        "5m",
        "    aliases:\n        who:\n            a: ParentUser\n            b: User\n",
    )
    .replace("[User]", "[who, CurrentDirectory]")
        + &programs(&["a", "b"]);
    let correlator = correlator(&text);
    let seen = |values: &[(&str, &str)]| {
        let mut found = correlator.sight(&event(values)).into_iter();
        found.next().map(|sighting| (sighting.position, sighting.group))
    };
    let a = [
        ("Image", "/bin/a"),
        ("ParentUser", "eve"),
        ("User", "root"),
        ("CurrentDirectory", "/tmp"),
    ];
    let b = [("Image", "/bin/b"), ("User", "eve"), ("CurrentDirectory", "/tmp")];
    let group = vec!["eve".to_owned(), "/tmp".to_owned()];
    assert_eq!(seen(&a), Some((0, group.clone())));
    assert_eq!(seen(&b), Some((1, group)));
    assert_eq!(seen(&b[..2]), None, "a field is missing");
    assert_eq!(
        seen(&[("Image", "/bin/c"), ("User", "eve"), ("CurrentDirectory", "/tmp")]),
        None
    );
}

#[test]
fn a_correlation_may_be_about_another_one() {
    let inner =
        correlation("event_count", "[a]", "10m", "    condition: {gte: 3}\n").replace("several", "many");
    let outer = correlation("temporal_ordered", "[many, b]", "10m", "");
    let correlator = correlator(&format!("{outer}---\n{inner}{}", programs(&["a", "b"])));
    let many = correlator.find("many").unwrap();
    let seen = correlator.sight_episode(many, &["eve".to_owned()]);
    assert_eq!(
        (seen[0].correlation.info.id.as_str(), seen[0].position),
        ("several", 0)
    );
    assert_eq!(seen[0].group, ["eve"]);
    assert_eq!(correlator.silent(), ["id-a", "id-b", "many"]);
}

#[test]
fn what_is_only_correlated_makes_no_findings_of_its_own() {
    let both = correlation("temporal", "[a, id-b]", "5m", "");
    let silent = |pack: &[RuleSource], own: &[RuleSource], off: &[&str]| {
        let off = off.iter().map(|id| (*id).to_owned()).collect();
        Correlator::compile(pack, own, &off).unwrap().0.silent().to_vec()
    };
    let rules = sigma("rules.yml", &programs(&["a", "b"])[4..]);
    let rule = sigma("c.yml", both.clone());
    let generating = sigma("g.yml", format!("{both}generate: true\n"));
    assert_eq!(silent(&[], &[rule.clone(), rules.clone()], &[]), ["id-a", "id-b"]);
    assert_eq!(
        silent(&[], &[rule.clone(), rules.clone()], &["several"]),
        ["id-a", "id-b"],
        "switched off, a correlation does not let loose what it is about"
    );
    assert_eq!(silent(&[], &[generating, rules.clone()], &[]), [""; 0]);
    assert_eq!(
        silent(&[rules], &[rule], &[]),
        [""; 0],
        "the pack's rules stay what they are"
    );
}

#[test]
fn a_refused_correlation_silences_nothing() {
    let rules = sigma("rules.yml", &programs(&["a", "b"])[4..]);
    let refused = correlation("temporal", "[a, b]", "forever", "");
    let filter = "title: F\nid: several\nlogsource: {product: linux}\nfilter: {rules: any, sel: {User: x}, condition: not sel}\ncorrelation: {rules: [a, b]}\n";
    for text in [refused.as_str(), filter] {
        let (found, _) =
            Correlator::compile(&[], &[sigma("c.yml", text), rules.clone()], &HashSet::new()).unwrap();
        assert_eq!(found.silent(), [""; 0], "{text}");
    }
}

#[test]
fn rules_that_are_switched_off_count_for_nothing() {
    let text = correlation("event_count", "[a]", "5m", "    condition: {gte: 2}\n") + &programs(&["a"]);
    let sources = [sigma("c.yml", text)];
    let sees = |off: &str| {
        let (correlator, _) = Correlator::compile(&[], &sources, &HashSet::from([off.to_owned()])).unwrap();
        let found = correlator.sight(&event(&[("Image", "/bin/a"), ("User", "eve")]));
        found.len()
    };
    assert_eq!((sees("other"), sees("id-a"), sees("several")), (1, 0, 0));
    let none = Correlator::compile(&[], &[sigma("a.yml", &programs(&["a"])[4..])], &HashSet::new());
    assert!(none.is_none());
}

#[test]
fn what_is_not_evaluated_is_refused_at_its_line() {
    let sound = correlation("event_count", "[a]", "10s", "    condition: {gte: 3}\n");
    for (from, to, line) in [
        ("event_count", "event_counter", 6),
        ("rules: [a]", "rules: []", 7),
        ("rules: [a]", "rules: [a, a]", 7),
        ("timespan: 10s", "timespan: 10", 9),
        ("timespan: 10s", "timespan: 31d", 9),
        ("timespan: 10s", "timespan: 0s", 9),
        ("{gte: 3}", "{gte: many}", 10),
        ("{gte: 3}", "{field: User}", 10),
        ("{gte: 3}", "{gte: 10001}", 10),
        ("{gte: 3}", "3", 10),
        ("group-by: [User]", "group-by: {a: b}", 8),
        ("type: event_count", "type: value_count", 10),
        ("type: event_count", "type: temporal_ordered", 10),
    ] {
        let text = sound.replace(from, to);
        let complaints = compile(&[sigma("c.yml", format!("{text}{}", programs(&["a"])))]).1;
        let told: Vec<_> = complaints.iter().map(|found| (found.code, found.line)).collect();
        assert_eq!(told, [(Code::InvalidCorrelation, Some(line))], "{to}");
    }
}

#[test]
fn an_explanation_says_what_was_counted_and_what_was_looked_for() {
    let rule = one(&correlation(
        "event_count",
        "[a]",
        "90m",
        "    condition: {gte: 3}\n",
    ));
    assert_eq!(
        rule.explain(&["eve".to_owned()], 3.0),
        "Within 90m, 3 matches for User eve; looked for was ≥ 3."
    );
}

fn matches() -> impl Strategy<Value = Vec<(i64, usize, &'static str)>> {
    let value = prop::sample::select(vec!["", "1", "2", "30"]);
    prop::collection::vec((0_i64..60, 0_usize..3, value), 0..40)
}

proptest! {
    /// What is found step by step, as it arrives in whatever order, is found again when all is known.
    #[test]
    fn the_order_of_arrival_changes_nothing(mut all in matches(), seed in any::<u64>()) {
        let kinds = [
            correlation("event_count", "[a]", "10s", "    condition: {gte: 4}\n"),
            correlation("value_sum", "[a]", "10s", "    condition: {field: Bytes, gt: 40}\n"),
            correlation("temporal", "[a, b, c]", "10s", ""),
            correlation("temporal_ordered", "[a, b, c]", "10s", ""),
            correlation("value_avg", "[a]", "10s", "    condition: {field: Bytes, gt: 10}\n"),
        ];
        let mut shuffled = all.clone();
        let mut state = seed | 1;
        for place in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(place, usize::try_from(state % (place as u64 + 1)).unwrap());
        }
        shuffled.sort();
        all.sort();
        for text in &kinds {
            let found = episodes(text, &all);
            prop_assert_eq!(&found, &episodes(text, &shuffled));
            for (first, last, _) in &found {
                prop_assert!(first <= last && *last < all.len());
            }
        }
    }
}
