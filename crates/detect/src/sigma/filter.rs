//! Filter documents: what an installation adds to the conditions of rules that it did not write (Sigma filters specification 2.1).

use sg_types::RuleKind;

use crate::Placeholders;
use crate::diagnostic::{Code, Diagnostic, Problem, shorten};
use crate::sigma::condition::Condition;
use crate::sigma::detection::Expr;
use crate::sigma::document::{ParsedRule, Reader, RuleLogSource};
use crate::sigma::predicate::Atom;
use crate::sigma::yaml::Node;

/// The rules that a filter is for.
#[derive(Debug, PartialEq, Eq)]
enum Targets {
    /// Every rule of its log source.
    Any,
    /// Those with one of these ids or names.
    Named(Vec<String>),
}

/// A filter that is sound by itself.
#[derive(Debug)]
pub(crate) struct ParsedFilter {
    pub(crate) id: String,
    title: String,
    source: String,
    line: u32,
    log_source: RuleLogSource,
    targets: Targets,
    selections: Vec<(String, Expr<Atom>)>,
    condition: Condition,
    condition_text: String,
}

impl ParsedFilter {
    pub(super) fn parse(
        reader: &Reader<'_>,
        section: &Node,
        source: &str,
        placeholders: &Placeholders,
    ) -> Result<Self, Problem> {
        let title = reader
            .text("title")?
            .ok_or_else(|| Problem::new(Code::MissingField, "`title` is missing"))?;
        let entries = section
            .as_map()
            .ok_or_else(|| reader.invalid("filter", &format!("`filter` is {}", section.kind())))?;
        let targets = match section.find("rules") {
            None | Some(Node::Null) => Targets::Any,
            Some(Node::Text(text)) if text == "any" => Targets::Any,
            Some(Node::Text(text)) => Targets::Named(vec![text.clone()]),
            Some(Node::List(items)) if !items.is_empty() => {
                let names: Option<Vec<_>> = items.iter().map(Node::scalar_text).collect();
                Targets::Named(
                    names
                        .ok_or_else(|| reader.invalid("rules", "`rules` holds something that is no text"))?,
                )
            }
            Some(other) => {
                return Err(reader.invalid("rules", &format!("`rules` is {}", other.kind())));
            }
        };
        let searches: Vec<_> = entries
            .iter()
            .filter(|(name, _)| name != "rules")
            .cloned()
            .collect();
        let selections = reader.parse_selections("filter", &searches, placeholders)?;
        let identifiers: Vec<_> = selections.iter().map(|(name, _)| name.clone()).collect();
        let (condition, condition_text) = reader.parse_condition("filter", &identifiers)?;
        Ok(Self {
            id: reader
                .text("id")?
                .map_or_else(|| source.to_owned(), |id| shorten(&id, 200)),
            log_source: reader.parse_log_source()?,
            title: shorten(&title, 200),
            source: source.to_owned(),
            line: reader.first_line,
            targets,
            selections,
            condition,
            condition_text,
        })
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    fn applies_to(&self, rule: &ParsedRule) -> bool {
        let named = match &self.targets {
            Targets::Any => true,
            Targets::Named(names) => names
                .iter()
                .any(|name| *name == rule.info.id || rule.name.as_ref() == Some(name)),
        };
        named && self.log_source.covers(&rule.log_source)
    }

    /// From now on the rule holds only where the filter's condition does too.
    fn narrow(&self, rule: &mut ParsedRule) {
        let first = rule.selections.len();
        let searches = self
            .selections
            .iter()
            .map(|(name, expr)| (format!("{} / {name}", self.title), expr.clone()));
        rule.selections.extend(searches);
        let own = std::mem::replace(&mut rule.condition, Condition::All(Vec::new()));
        rule.condition = Condition::All(vec![own, self.condition.clone().shifted(first)]);
        rule.condition_text = format!("({}) and ({})", rule.condition_text, self.condition_text);
    }
}

/// Puts every filter to the rules that it is for, in the filters' order. A filter that finds none is told.
pub(crate) fn apply(filters: &[ParsedFilter], rules: &mut [ParsedRule]) -> Vec<Diagnostic> {
    let mut unused = Vec::new();
    for filter in filters {
        let mut found = false;
        for rule in rules.iter_mut().filter(|rule| filter.applies_to(rule)) {
            filter.narrow(rule);
            found = true;
        }
        if !found {
            let problem = Problem::new(
                Code::FilterWithoutRule,
                "no rule here is one that the filter is for",
            );
            unused.push(problem.at(Some(filter.line)).into_diagnostic(
                RuleKind::Sigma,
                &filter.source,
                Some(filter.title.clone()),
            ));
        }
    }
    unused
}
