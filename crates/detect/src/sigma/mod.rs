//! The Sigma engine: rules are parsed into expressions over atoms, atoms are interned across rules, and an
//! index finds for each event the few rules that can hold at all.

mod condition;
mod detection;
mod document;
mod explain;
mod index;
mod modifiers;
mod pattern;
mod predicate;
mod required;
mod set;
mod witness;
mod yaml;

pub(crate) use document::ParsedRule;
pub(crate) use explain::explain;
pub(crate) use modifiers::KNOWN as KNOWN_MODIFIERS;
pub(crate) use set::{SigmaBuilder, SigmaSet};

use sg_types::RuleKind;

use crate::diagnostic::{Code, Diagnostic, Problem};
use crate::limits::MAX_RULE_BYTES;
use crate::{Placeholders, RuleSource};

/// Reads every rule of a source.
pub(crate) fn parse_source(
    source: &RuleSource,
    placeholders: &Placeholders,
) -> (Vec<ParsedRule>, Vec<Diagnostic>) {
    let refuse = |problem: Problem| problem.into_diagnostic(RuleKind::Sigma, &source.name, None);
    if source.text.len() > MAX_RULE_BYTES {
        let detail = format!("{} bytes; at most {MAX_RULE_BYTES} are taken", source.text.len());
        return (
            Vec::new(),
            vec![refuse(Problem::new(Code::SourceTooLarge, detail))],
        );
    }
    let (documents, fault) = yaml::load(&source.text);
    let mut rules = Vec::new();
    let mut diagnostics = Vec::new();
    for (position, document) in documents.iter().enumerate() {
        let parsed = document::parse(document, &source.text, &source.name, position, placeholders);
        rules.extend(parsed.rule);
        diagnostics.extend(parsed.diagnostics);
    }
    match fault {
        Some(problem) => diagnostics.push(refuse(problem)),
        None if documents.is_empty() => {
            diagnostics.push(refuse(Problem::new(Code::NotARule, "the text is empty")))
        }
        None => {}
    }
    (rules, diagnostics)
}
