//! One Sigma document: its head, its log source and its detection.

use sg_types::{DetectionEngine, RuleKind, Severity};

use crate::Placeholders;
use crate::correlation::Correlation;
use crate::diagnostic::{Code, Diagnostic, Problem, shorten};
use crate::event::LogSource;
use crate::rule::RuleInfo;
use crate::sigma::condition::Condition;
use crate::sigma::detection::{DetectionParser, Expr};
use crate::sigma::filter::ParsedFilter;
use crate::sigma::predicate::Atom;
use crate::sigma::yaml::{Document, Node, find_key_line};

/// A rule that is sound by itself.
#[derive(Debug)]
pub(crate) struct ParsedRule {
    pub(crate) info: RuleInfo,
    /// The short name by which other documents refer to it.
    pub(crate) name: Option<String>,
    pub(crate) log_source: RuleLogSource,
    pub(crate) selections: Vec<(String, Expr<Atom>)>,
    pub(crate) condition: Condition,
    pub(crate) condition_text: String,
}

/// The log source that a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct RuleLogSource {
    product: Option<String>,
    category: Option<String>,
    service: Option<String>,
}

impl RuleLogSource {
    /// Whether a rule of that source is one of this: every part that is named here is the rule's.
    pub(crate) fn covers(&self, rule: &Self) -> bool {
        let part = |own: &Option<String>, rule: &Option<String>| own.is_none() || own == rule;
        part(&self.product, &rule.product)
            && part(&self.category, &rule.category)
            && part(&self.service, &rule.service)
    }

    /// Whether the rule is for events of this source: every part that the rule names has to be the event's.
    pub(crate) fn applies_to(&self, event: &LogSource<'_>) -> bool {
        let part = |rule: &Option<String>, event: Option<&str>| {
            rule.as_deref()
                .is_none_or(|rule| event.is_some_and(|event| event.eq_ignore_ascii_case(rule)))
        };
        part(&self.product, event.product)
            && part(&self.category, event.category)
            && part(&self.service, event.service)
    }
}

/// What came of one document.
#[derive(Default)]
pub(crate) struct ParsedDocument {
    pub(crate) rule: Option<ParsedRule>,
    pub(crate) filter: Option<ParsedFilter>,
    pub(crate) correlation: Option<ParsedCorrelation>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// A correlation that is sound by itself.
#[derive(Debug)]
pub(crate) struct ParsedCorrelation {
    pub(crate) correlation: Correlation,
    pub(crate) line: u32,
}

/// Reads one document of a source. `position` counts the source's documents from 0.
pub(crate) fn parse(
    document: &Document,
    text: &str,
    source: &str,
    position: usize,
    placeholders: &Placeholders,
) -> ParsedDocument {
    let mut reader = Reader {
        node: &document.node,
        text,
        first_line: document.first_line,
        warnings: Vec::new(),
    };
    let name = ["id", "title"]
        .iter()
        .find_map(|key| document.node.find(key)?.scalar_text());
    let sections = (document.node.find("filter"), document.node.find("correlation"));
    let result = match sections {
        (Some(section), _) => ParsedFilter::parse(&reader, section, source, placeholders)
            .map(|filter| Parsed::Filter(Box::new(filter))),
        (None, Some(section)) => Correlation::parse(&mut reader, &document.node, section, source, position)
            .map(|correlation| Parsed::Correlation(Box::new(correlation))),
        (None, None) => reader
            .parse_rule(source, position, placeholders)
            .map(|rule| Parsed::Rule(Box::new(rule))),
    };
    let mut diagnostics = Vec::new();
    let mut report = |problem: Problem, rule: Option<String>| {
        diagnostics.push(problem.at(Some(document.first_line)).into_diagnostic(
            RuleKind::Sigma,
            source,
            rule,
        ));
    };
    let mut parsed = ParsedDocument::default();
    match result {
        Ok(Parsed::Rule(rule)) => {
            for warning in reader.warnings {
                report(warning, Some(rule.info.id.clone()));
            }
            parsed.rule = Some(*rule);
        }
        Ok(Parsed::Filter(filter)) => parsed.filter = Some(*filter),
        Ok(Parsed::Correlation(correlation)) => {
            for warning in reader.warnings {
                report(warning, Some(correlation.info.id.clone()));
            }
            parsed.correlation = Some(ParsedCorrelation {
                correlation: *correlation,
                line: document.first_line,
            });
        }
        Err(problem) => report(problem, name),
    }
    parsed.diagnostics = diagnostics;
    parsed
}

/// What stands in for an id: the source's name, with the document's number from the second one on.
pub(super) fn fallback_id(source: &str, position: usize) -> String {
    if position == 0 {
        source.to_owned()
    } else {
        format!("{source}#{}", position + 1)
    }
}

enum Parsed {
    Rule(Box<ParsedRule>),
    Filter(Box<ParsedFilter>),
    Correlation(Box<Correlation>),
}

pub(super) struct Reader<'a> {
    node: &'a Node,
    text: &'a str,
    pub(super) first_line: u32,
    warnings: Vec<Problem>,
}

impl Reader<'_> {
    fn parse_rule(
        &mut self,
        source: &str,
        position: usize,
        placeholders: &Placeholders,
    ) -> Result<ParsedRule, Problem> {
        if self.node.as_map().is_none() {
            return Err(Problem::new(
                Code::NotARule,
                format!("the document is {}", self.node.kind()),
            ));
        }
        if self.node.find("action").is_some() {
            let problem = Problem::new(Code::CorrelationRule, "the document has `action`");
            return Err(problem.at(self.line("action")));
        }
        if self.node.find("detection").is_none() && self.node.find("title").is_none() {
            return Err(Problem::new(
                Code::NotARule,
                "the document has neither `title` nor `detection`",
            ));
        }
        let log_source = self.parse_log_source()?;
        let info = self.parse_info(source, position, &log_source)?;
        let detection = match self.node.find("detection").map(|node| (node, node.as_map())) {
            Some((_, Some(entries))) => entries,
            Some((node, None)) => {
                return Err(self.invalid("detection", &format!("`detection` is {}", node.kind())));
            }
            None => return Err(Problem::new(Code::MissingField, "`detection` is missing")),
        };
        let selections = self.parse_selections("detection", detection, placeholders)?;
        let identifiers: Vec<_> = selections.iter().map(|(name, _)| name.clone()).collect();
        let (condition, condition_text) = self.parse_condition("detection", &identifiers)?;
        Ok(ParsedRule {
            info,
            name: self.text("name")?,
            log_source,
            selections,
            condition,
            condition_text,
        })
    }

    /// The search identifiers of a section, which is `detection` or `filter`.
    pub(super) fn parse_selections(
        &self,
        section: &str,
        detection: &[(String, Node)],
        placeholders: &Placeholders,
    ) -> Result<Vec<(String, Expr<Atom>)>, Problem> {
        let mut parser = DetectionParser::new(placeholders);
        let mut selections = Vec::new();
        for (name, node) in detection.iter().filter(|(name, _)| name != "condition") {
            if name == "timeframe" {
                let problem = Problem::new(Code::UnsupportedCondition, "`timeframe` counts events over time");
                return Err(problem.at(self.line(name)));
            }
            let parsed = parser
                .parse(node)
                .map_err(|problem| problem.within(&shorten(name, 60)).at(self.line(name)))?;
            selections.push((name.clone(), parsed));
        }
        if selections.is_empty() {
            return Err(Problem::new(
                Code::MissingField,
                format!("`{section}` has no search identifier"),
            )
            .at(self.line(section)));
        }
        Ok(selections)
    }

    /// A list of conditions holds when one of them does.
    pub(super) fn parse_condition(
        &self,
        section: &str,
        identifiers: &[String],
    ) -> Result<(Condition, String), Problem> {
        let line = self.line("condition");
        let node = self
            .node
            .find(section)
            .and_then(|detection| detection.find("condition"));
        let texts: Option<Vec<&str>> = match node {
            None => {
                return Err(Problem::new(Code::MissingField, "`condition` is missing").at(self.line(section)));
            }
            Some(Node::Text(text)) => Some(vec![text.as_str()]),
            Some(Node::List(items)) if !items.is_empty() => items.iter().map(Node::as_text).collect(),
            Some(_) => None,
        };
        let texts = texts.ok_or_else(|| {
            Problem::new(
                Code::InvalidCondition,
                "`condition` is neither a text nor a list of texts",
            )
            .at(line)
        })?;
        let parsed: Result<Vec<_>, _> = texts
            .iter()
            .map(|text| Condition::parse(text, identifiers))
            .collect();
        let mut parsed = parsed.map_err(|problem| problem.at(line))?;
        let condition = if parsed.len() == 1 {
            parsed.swap_remove(0)
        } else {
            Condition::Any(parsed)
        };
        Ok((condition, texts.join(" or ")))
    }

    pub(super) fn parse_log_source(&self) -> Result<RuleLogSource, Problem> {
        let node = self.node.find("logsource");
        let node = node.ok_or_else(|| Problem::new(Code::MissingField, "`logsource` is missing"))?;
        if node.as_map().is_none() {
            return Err(self.invalid("logsource", &format!("`logsource` is {}", node.kind())));
        }
        let part = |key: &str| match node.find(key) {
            None | Some(Node::Null) => Ok(None),
            Some(Node::Text(text)) if !text.is_empty() => Ok(Some(text.to_lowercase())),
            Some(other) => Err(self.invalid(key, &format!("`logsource.{key}` is {}", other.kind()))),
        };
        let source = RuleLogSource {
            product: part("product")?,
            category: part("category")?,
            service: part("service")?,
        };
        if source == RuleLogSource::default() {
            return Err(Problem::new(Code::EmptyLogSource, "`logsource`").at(self.line("logsource")));
        }
        Ok(source)
    }

    pub(super) fn parse_info(
        &mut self,
        source: &str,
        position: usize,
        log_source: &RuleLogSource,
    ) -> Result<RuleInfo, Problem> {
        let title = self
            .text("title")?
            .ok_or_else(|| Problem::new(Code::MissingField, "`title` is missing"))?;
        let id = match self.text("id")? {
            Some(id) if id.len() <= 200 && !id.trim().is_empty() => id,
            Some(_) => return Err(self.invalid("id", "`id` is empty or longer than 200 bytes")),
            None => {
                self.warnings
                    .push(Problem::new(Code::MissingId, "`id` is missing"));
                fallback_id(source, position)
            }
        };
        let severity = self.parse_level()?;
        let tags = self.texts("tags")?;
        let confidence = match self.node.find("confidence") {
            None => default_confidence(severity, self.text("status")?.as_deref()),
            Some(node) => parse_confidence(node)
                .ok_or_else(|| self.invalid("confidence", "`confidence` is not a number from 0 to 1"))?,
        };
        let threat_type = match self.text("threat_type")? {
            Some(kind) if !kind.is_empty() => shorten(&kind, 99),
            _ => derive_threat_type(&tags, log_source),
        };
        Ok(RuleInfo {
            id,
            title,
            description: self.text("description")?.unwrap_or_default(),
            kind: RuleKind::Sigma,
            engine: DetectionEngine::Sigma,
            severity,
            confidence,
            threat_type,
            techniques: tags.iter().filter_map(|tag| technique(tag)).collect(),
            tags,
            false_positives: self.texts("falsepositives")?,
            source: source.to_owned(),
        })
    }

    fn parse_level(&mut self) -> Result<Severity, Problem> {
        let level = self.text("level")?;
        Ok(match level.as_deref() {
            Some("informational" | "low") => Severity::Low,
            Some("medium") => Severity::Medium,
            Some("high") => Severity::High,
            Some("critical") => Severity::Critical,
            other => {
                let detail = match other {
                    Some(level) => format!("the level `{}`", shorten(level, 40)),
                    None => "`level` is missing".to_owned(),
                };
                self.warnings
                    .push(Problem::new(Code::UnknownLevel, detail).at(self.line("level")));
                Severity::Medium
            }
        })
    }

    /// A scalar of the head.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Problem> {
        match self.node.find(key) {
            None | Some(Node::Null) => Ok(None),
            Some(node) => match node.scalar_text() {
                Some(text) => Ok(Some(text)),
                None => Err(self.invalid(
                    key,
                    &format!("`{key}` is {} where a text is expected", node.kind()),
                )),
            },
        }
    }

    /// A list of scalars of the head; one scalar counts as a list of one.
    fn texts(&self, key: &str) -> Result<Vec<String>, Problem> {
        let Some(Node::List(items)) = self.node.find(key) else {
            return Ok(self.text(key)?.into_iter().collect());
        };
        let texts: Option<Vec<_>> = items.iter().map(Node::scalar_text).collect();
        texts.ok_or_else(|| self.invalid(key, &format!("`{key}` holds something that is not a text")))
    }

    pub(super) fn line(&self, key: &str) -> Option<u32> {
        find_key_line(self.text, self.first_line, key)
    }

    pub(super) fn invalid(&self, key: &str, detail: &str) -> Problem {
        Problem::new(Code::InvalidField, detail).at(self.line(key))
    }
}

/// The ATT&CK technique that a tag names.
fn technique(tag: &str) -> Option<String> {
    let name = tag.strip_prefix("attack.")?;
    let number = name.strip_prefix(['t', 'T'])?;
    let is_number = number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    is_number.then(|| format!("T{number}"))
}

/// A tactic is the best short word there is for what a rule is about; else what kind of event it looks at.
fn derive_threat_type(tags: &[String], log_source: &RuleLogSource) -> String {
    let is_tactic = |name: &&str| {
        name.chars()
            .all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_'))
    };
    let tactic = tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("attack."))
        .find(is_tactic);
    let word = tactic
        .map(|tactic| tactic.replace('-', "_"))
        .or_else(|| log_source.category.clone());
    shorten(&word.unwrap_or_else(|| "suspicious_activity".to_owned()), 99)
}

/// The prior of a rule that states none: its level says how sure the author is, an experimental rule less so.
fn default_confidence(severity: Severity, status: Option<&str>) -> f32 {
    let by_level = match severity {
        Severity::Low => 0.30,
        Severity::Medium => 0.50,
        Severity::High => 0.70,
        Severity::Critical => 0.85,
    };
    match status {
        Some("experimental" | "unsupported" | "deprecated") => by_level - 0.10,
        _ => by_level,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "two decimals matter")]
fn parse_confidence(node: &Node) -> Option<f32> {
    let value: f64 = node.scalar_text()?.parse().ok()?;
    (0.0..=1.0).contains(&value).then_some(value as f32)
}
