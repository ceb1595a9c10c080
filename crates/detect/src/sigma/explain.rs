//! Why a rule matched, or did not, in structure and in words.

use crate::diagnostic::shorten;
use crate::event::Event;
use crate::limits::{MAX_EVIDENCE, MAX_EVIDENCE_CHARS};
use crate::rule::{Evidence, ExplainedCheck, ExplainedSelection, Explanation, Match};
use crate::sigma::condition::Condition;
use crate::sigma::predicate::Test;
use crate::sigma::set::{Rule, SigmaSet};

/// Reasons that the one-sentence explanation names at most; the rest stands in the evidence.
const MAX_REASONS: usize = 4;

/// The match of a rule that holds for the event.
pub(crate) fn to_match(set: &SigmaSet, rule: &Rule, event: &Event<'_>) -> Match {
    let evidence = collect_evidence(set, rule, event);
    Match {
        rule: rule.info.clone(),
        explanation: in_words(&evidence),
        evidence,
    }
}

/// How the rule comes out on the event, pattern by pattern.
pub(crate) fn explain(set: &SigmaSet, rule: &Rule, event: &Event<'_>) -> Explanation {
    let holds = |atom: u32| set.atoms[atom as usize].eval(event);
    let log_source_applies = set.index.log_sources[rule.log_source].applies_to(&event.log_source());
    let selections = rule.selections.iter().map(|(name, expr)| {
        let mut checks = Vec::new();
        expr.visit(false, &mut |atom: &u32, negated| {
            let atom = &set.atoms[*atom as usize];
            checks.push(ExplainedCheck {
                field: atom.field.name().map(str::to_owned),
                pattern: if negated {
                    format!("not: {}", atom.test)
                } else {
                    atom.test.to_string()
                },
                value: atom
                    .field
                    .find(event)
                    .map(|value| shorten(&value.as_text(), MAX_EVIDENCE_CHARS)),
                matched: atom.eval(event) != negated,
            });
        });
        ExplainedSelection {
            name: name.clone(),
            matched: expr.eval(&mut |atom| holds(*atom)),
            checks,
        }
    });
    Explanation {
        rule: rule.info.clone(),
        matched: log_source_applies && rule.eval(&mut |atom| holds(atom)),
        log_source_applies,
        condition: rule.condition_text.clone(),
        selections: selections.collect(),
    }
}

/// The patterns that hold, in the search identifiers that the condition asks for and that hold.
fn collect_evidence(set: &SigmaSet, rule: &Rule, event: &Event<'_>) -> Vec<Evidence> {
    let mut wanted = Vec::new();
    visit_selections(&rule.condition, false, &mut |index, negated| {
        if !negated && !wanted.contains(&index) {
            wanted.push(index);
        }
    });
    let mut evidence = Vec::new();
    for (name, expr) in wanted.into_iter().map(|index| &rule.selections[index]) {
        if !expr.eval(&mut |atom| set.atoms[*atom as usize].eval(event)) {
            continue;
        }
        expr.visit(false, &mut |atom: &u32, negated| {
            let atom = &set.atoms[*atom as usize];
            let value = atom.find_value(event);
            let absent = negated && atom.test == Test::Exists && value.is_none();
            if evidence.len() < MAX_EVIDENCE && (absent || (!negated && value.is_some())) {
                evidence.push(Evidence::Field {
                    selection: name.clone(),
                    field: atom.field.name().map(str::to_owned),
                    pattern: if absent {
                        "is absent".to_owned()
                    } else {
                        atom.test.to_string()
                    },
                    value: value.map(|value| shorten(&value, MAX_EVIDENCE_CHARS)),
                });
            }
        });
    }
    evidence
}

fn visit_selections(condition: &Condition, negated: bool, f: &mut impl FnMut(usize, bool)) {
    match condition {
        Condition::Selection(index) => f(*index, negated),
        Condition::Not(inner) => visit_selections(inner, !negated, f),
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| visit_selections(part, negated, f));
        }
    }
}

fn in_words(evidence: &[Evidence]) -> String {
    let reason = |piece: &Evidence| match piece {
        Evidence::Field { field, pattern, .. } => Some(format!(
            "{} {pattern}",
            field.as_deref().unwrap_or("a value of the event")
        )),
        Evidence::String { .. } | Evidence::Indicator { .. } => None,
    };
    let mut reasons: Vec<String> = Vec::new();
    for reason in evidence.iter().filter_map(reason) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    if reasons.is_empty() {
        return "The event lacks what the rule excludes.".to_owned();
    }
    let more = reasons.len().saturating_sub(MAX_REASONS);
    let text = reasons[..reasons.len().min(MAX_REASONS)].join(", and ");
    let text = shorten(&text, 1000);
    match more {
        0 => format!("{text}."),
        1 => format!("{text}; and one more pattern."),
        _ => format!("{text}; and {more} more patterns."),
    }
}
