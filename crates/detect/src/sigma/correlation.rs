//! Correlation documents (Sigma correlation rules specification 2.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;

use crate::RuleSource;
use crate::correlation::{Bound, Comparison, Correlation, CorrelationKind};
use crate::diagnostic::{Code, Problem, shorten};
use crate::limits::{
    MAX_CORRELATED_RULES, MAX_CORRELATION_COUNT, MAX_CORRELATION_FIELDS, MAX_CORRELATION_TIMESPAN,
    MAX_RULE_BYTES,
};
use crate::sigma::document::{Reader, RuleLogSource};
use crate::sigma::yaml::{self, Node};

/// What a document is, as far as others refer to it.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) is_filter: bool,
    /// The rules that it correlates, when it is a correlation.
    pub(crate) correlates: Option<Vec<String>>,
    /// Whether these make findings of their own too.
    pub(crate) generates: bool,
}

impl Head {
    /// Whether a correlation that says `reference` means this document.
    pub(crate) fn goes_by(&self, reference: &str) -> bool {
        self.id == reference || self.name.as_deref() == Some(reference)
    }
}

/// The documents of a Sigma source; nothing of it is judged.
pub(crate) fn survey(source: &RuleSource) -> Vec<Head> {
    if source.kind != sg_types::RuleKind::Sigma || source.text.len() > MAX_RULE_BYTES {
        return Vec::new();
    }
    let (documents, _) = yaml::load(&source.text);
    let heads = documents.iter().enumerate().map(|(position, document)| {
        let text = |key: &str| document.node.find(key).and_then(Node::scalar_text);
        let section = document.node.find("correlation");
        Head {
            id: text("id").unwrap_or_else(|| super::document::fallback_id(&source.name, position)),
            name: text("name"),
            is_filter: document.node.find("filter").is_some(),
            correlates: section.map(|section| texts(section.find("rules")).unwrap_or_default()),
            generates: generates(&document.node, section),
        }
    });
    heads.collect()
}

/// `generate` stands beside `correlation`, or in it as some rules have it.
fn generates(document: &Node, section: Option<&Node>) -> bool {
    let holders = [Some(document), section];
    let mut found = holders
        .into_iter()
        .flatten()
        .filter_map(|node| node.find("generate"));
    found.any(|node| *node == Node::Bool(true))
}

impl Correlation {
    pub(super) fn parse(
        reader: &mut Reader<'_>,
        document: &Node,
        section: &Node,
        source: &str,
        position: usize,
    ) -> Result<Self, Problem> {
        if section.as_map().is_none() {
            return Err(wrong(
                reader,
                "correlation",
                format!("`correlation` is {}", section.kind()),
            ));
        }
        let info = reader.parse_info(source, position, &RuleLogSource::default())?;
        let kind = parse_kind(reader, section)?;
        let rules = parse_rules(reader, section)?;
        let aliases = parse_aliases(reader, section)?;
        let group_by = match section.find("group-by") {
            None | Some(Node::Null) => Vec::new(),
            found => texts(found)
                .filter(|fields| fields.len() <= MAX_CORRELATION_FIELDS)
                .ok_or_else(|| {
                    wrong(
                        reader,
                        "group-by",
                        format!("`group-by` is no list of at most {MAX_CORRELATION_FIELDS} fields"),
                    )
                })?,
        };
        let condition = Condition::parse(reader, section, kind, rules.len())?;
        Ok(Self {
            info: Arc::new(info.bounded()),
            name: reader.text("name")?,
            kind,
            group_by,
            aliases,
            timespan: parse_timespan(reader, section)?,
            condition: condition.bounds,
            fields: condition.fields,
            percentile: condition.percentile,
            generate: generates(document, Some(section)),
            rules,
        })
    }
}

fn parse_kind(reader: &Reader<'_>, section: &Node) -> Result<CorrelationKind, Problem> {
    let word = section.find("type").and_then(Node::as_text).unwrap_or_default();
    let known = CorrelationKind::ALL.iter().find(|(name, _)| *name == word);
    known.map(|(_, kind)| *kind).ok_or_else(|| {
        let words: Vec<&str> = CorrelationKind::ALL.iter().map(|(name, _)| *name).collect();
        wrong(reader, "type", format!("`type` is none of {}", words.join(", ")))
    })
}

fn parse_rules(reader: &Reader<'_>, section: &Node) -> Result<Vec<String>, Problem> {
    let rules =
        texts(section.find("rules")).filter(|rules| (1..=MAX_CORRELATED_RULES).contains(&rules.len()));
    let rules = rules.ok_or_else(|| {
        wrong(
            reader,
            "rules",
            format!("`rules` names 1 to {MAX_CORRELATED_RULES} rules by id or name"),
        )
    })?;
    let mut once = rules.clone();
    once.sort();
    once.dedup();
    if once.len() < rules.len() {
        return Err(wrong(reader, "rules", "`rules` names a rule twice"));
    }
    Ok(rules)
}

fn parse_aliases(
    reader: &Reader<'_>,
    section: &Node,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, Problem> {
    let faulty = || {
        wrong(
            reader,
            "aliases",
            "`aliases` has for each alias a map from rules to fields",
        )
    };
    let entries = match section.find("aliases") {
        None | Some(Node::Null) => return Ok(BTreeMap::new()),
        Some(node) => node.as_map().ok_or_else(faulty)?,
    };
    let read = |(alias, fields): &(String, Node)| {
        let fields = fields.as_map()?.iter();
        let fields: Option<BTreeMap<_, _>> = fields
            .map(|(rule, field)| Some((rule.clone(), field.as_text()?.to_owned())))
            .collect();
        Some((alias.clone(), fields?))
    };
    let aliases: Option<BTreeMap<_, _>> = entries.iter().map(read).collect();
    aliases
        .filter(|all| all.len() <= MAX_CORRELATION_FIELDS)
        .ok_or_else(faulty)
}

/// Digits and one of `s`, `m`, `h`, `d`.
fn parse_timespan(reader: &Reader<'_>, section: &Node) -> Result<Duration, Problem> {
    let text = section
        .find("timespan")
        .and_then(Node::scalar_text)
        .unwrap_or_default();
    let split = text.len().saturating_sub(1);
    let (number, unit) = (
        text.get(..split).unwrap_or_default(),
        text.get(split..).unwrap_or_default(),
    );
    let unit = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    let digits = number
        .parse::<u32>()
        .ok()
        .filter(|_| number.bytes().all(|b| b.is_ascii_digit()));
    let seconds = digits.zip(unit).map(|(number, unit)| i64::from(number) * unit);
    seconds
        .filter(|seconds| (1..=MAX_CORRELATION_TIMESPAN.num_seconds()).contains(seconds))
        .map(Duration::seconds)
        .ok_or_else(|| {
            wrong(
                reader,
                "timespan",
                format!(
                    "`timespan` is a number with s, m, h or d, up to {} days",
                    MAX_CORRELATION_TIMESPAN.num_days()
                ),
            )
        })
}

struct Condition {
    bounds: Vec<Bound>,
    fields: Vec<String>,
    percentile: f64,
}

impl Condition {
    fn parse(
        reader: &Reader<'_>,
        section: &Node,
        kind: CorrelationKind,
        rules: usize,
    ) -> Result<Self, Problem> {
        #[expect(clippy::cast_precision_loss, reason = "a few rules")]
        let all_rules = Self {
            bounds: vec![Bound {
                operator: Comparison::Gte,
                value: rules as f64,
            }],
            fields: Vec::new(),
            percentile: 50.0,
        };
        let node = match section.find("condition") {
            None | Some(Node::Null) if kind.is_temporal() => return Ok(all_rules),
            None | Some(Node::Null) => {
                return Err(Problem::new(Code::InvalidCorrelation, "`condition` is missing"));
            }
            Some(node) => node,
        };
        let entries = node
            .as_map()
            .ok_or_else(|| wrong(reader, "condition", "`condition` is no map such as `gte: 10`"))?;
        let mut read = Self {
            bounds: Vec::new(),
            ..all_rules
        };
        for (key, value) in entries {
            read.take(reader, kind, key, value)?;
        }
        read.check(reader, kind, rules)?;
        Ok(read)
    }

    fn take(
        &mut self,
        reader: &Reader<'_>,
        kind: CorrelationKind,
        key: &str,
        value: &Node,
    ) -> Result<(), Problem> {
        let figure = |node: &Node| {
            node.scalar_text()?
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
        };
        if let Some((_, operator, _)) = Comparison::ALL.iter().find(|(word, ..)| *word == key) {
            let value = figure(value).ok_or_else(|| {
                wrong(
                    reader,
                    "condition",
                    format!("`{key}` is {} where a number is expected", value.kind()),
                )
            })?;
            self.bounds.push(Bound {
                operator: *operator,
                value,
            });
            return Ok(());
        }
        match key {
            "field" if kind.needs_field() => {
                self.fields = texts(Some(value))
                    .filter(|fields| (1..=MAX_CORRELATION_FIELDS).contains(&fields.len()))
                    .ok_or_else(|| wrong(reader, "condition", "`field` names a field, or a few"))?;
                Ok(())
            }
            "percentile" if kind == CorrelationKind::ValuePercentile => {
                self.percentile = figure(value)
                    .filter(|number| (0.0..=100.0).contains(number))
                    .ok_or_else(|| wrong(reader, "condition", "`percentile` is a number from 0 to 100"))?;
                Ok(())
            }
            _ => Err(wrong(
                reader,
                "condition",
                format!(
                    "`{}` is not evaluated in a condition of this type",
                    shorten(key, 40)
                ),
            )),
        }
    }

    fn check(&self, reader: &Reader<'_>, kind: CorrelationKind, rules: usize) -> Result<(), Problem> {
        if self.bounds.is_empty() {
            return Err(wrong(
                reader,
                "condition",
                "`condition` compares with nothing; add `gte`, `lt` or another",
            ));
        }
        if kind.needs_field() && self.fields.is_empty() {
            return Err(wrong(reader, "condition", "`condition` has no `field`"));
        }
        if kind.needs_number() && self.fields.len() > 1 {
            return Err(wrong(
                reader,
                "field",
                "`field` names several fields, which have no number together",
            ));
        }
        let counts = matches!(kind, CorrelationKind::EventCount | CorrelationKind::ValueCount);
        if counts
            && self
                .bounds
                .iter()
                .any(|bound| bound.value > MAX_CORRELATION_COUNT)
        {
            let detail = format!("`condition` counts to more than {MAX_CORRELATION_COUNT}");
            return Err(wrong(reader, "condition", detail));
        }
        #[expect(clippy::cast_precision_loss, reason = "a few rules")]
        let everything = |bound: &Bound| bound.operator == Comparison::Gte && bound.value == rules as f64;
        if kind == CorrelationKind::TemporalOrdered && !self.bounds.iter().all(everything) {
            return Err(wrong(
                reader,
                "condition",
                "a condition of `temporal_ordered` other than all of the rules is not evaluated",
            ));
        }
        Ok(())
    }
}

/// A list of texts; a text counts as a list of one.
fn texts(node: Option<&Node>) -> Option<Vec<String>> {
    match node? {
        Node::List(items) => items.iter().map(Node::scalar_text).collect(),
        other => other.scalar_text().map(|text| vec![text]),
    }
}

fn wrong(reader: &Reader<'_>, key: &str, detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidCorrelation, detail).at(reader.line(key))
}
