//! The Sigma engine: rules are parsed into expressions over atoms, atoms are interned across rules, and an
//! index finds for each event the few rules that can hold at all.

mod condition;
mod correlation;
mod detection;
mod document;
mod explain;
mod filter;
mod index;
mod modifiers;
mod pattern;
mod predicate;
mod required;
mod set;
mod witness;
mod yaml;

pub(crate) use correlation::{Head, survey};
pub(crate) use document::{ParsedCorrelation, ParsedRule};
pub(crate) use explain::explain;
pub(crate) use filter::{ParsedFilter, apply as apply_filters};
pub(crate) use modifiers::KNOWN as KNOWN_MODIFIERS;
pub(crate) use set::{SigmaBuilder, SigmaSet};

use sg_types::RuleKind;

use crate::diagnostic::{Code, Diagnostic, Problem};
use crate::limits::MAX_RULE_BYTES;
use crate::{Placeholders, RuleSource};

/// What a source holds.
#[derive(Debug, Default)]
pub(crate) struct ParsedSource {
    pub(crate) rules: Vec<ParsedRule>,
    pub(crate) filters: Vec<ParsedFilter>,
    pub(crate) correlations: Vec<ParsedCorrelation>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads every rule, filter and correlation of a source.
pub(crate) fn parse_source(source: &RuleSource, placeholders: &Placeholders) -> ParsedSource {
    let refuse = |problem: Problem| problem.into_diagnostic(RuleKind::Sigma, &source.name, None);
    if source.text.len() > MAX_RULE_BYTES {
        let detail = format!("{} bytes; at most {MAX_RULE_BYTES} are taken", source.text.len());
        return ParsedSource {
            diagnostics: vec![refuse(Problem::new(Code::SourceTooLarge, detail))],
            ..ParsedSource::default()
        };
    }
    let (documents, fault) = yaml::load(&source.text);
    let mut found = ParsedSource::default();
    for (position, document) in documents.iter().enumerate() {
        let parsed = document::parse(document, &source.text, &source.name, position, placeholders);
        found.rules.extend(parsed.rule);
        found.filters.extend(parsed.filter);
        found.correlations.extend(parsed.correlation);
        found.diagnostics.extend(parsed.diagnostics);
    }
    match fault {
        Some(problem) => found.diagnostics.push(refuse(problem)),
        None if documents.is_empty() => found
            .diagnostics
            .push(refuse(Problem::new(Code::NotARule, "the text is empty"))),
        None => {}
    }
    found
}
