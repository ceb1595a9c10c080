//! Texts that a value must contain for a regular expression to match: the expression's way into the index.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::sigma::pattern::{fold, fold_char};
use crate::sigma::predicate::Expression;

/// Sets larger than this help less than they cost.
const MAX_ALTERNATIVES: usize = 48;
/// Shorter texts stand in too many values.
const MIN_CHARS: usize = 3;

/// Folded texts of which every folded value that matches contains at least one; none when there is no such
/// set.
pub(crate) fn required_texts(expression: &Expression) -> Option<Vec<String>> {
    let flags = expression.flags;
    let hir = ParserBuilder::new()
        .case_insensitive(flags.ignore_case)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all)
        .nest_limit(64)
        .build()
        .parse(&expression.source)
        .ok()?;
    best_set(&hir)
}

fn best_set(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => accept(vec![fold(std::str::from_utf8(&literal.0).ok()?)]),
        HirKind::Capture(capture) => best_set(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => best_set(&repetition.sub),
        HirKind::Concat(parts) => best_of_concat(parts),
        HirKind::Alternation(parts) => {
            let mut union = Vec::new();
            for part in parts {
                union.extend(best_set(part)?);
            }
            accept(union)
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// The best of the texts that stand side by side and of the sets inside the other parts.
fn best_of_concat(parts: &[Hir]) -> Option<Vec<String>> {
    let mut best: Option<Vec<String>> = None;
    let mut keep = |candidate: Option<Vec<String>>| {
        let Some(candidate) = candidate else { return };
        if best.as_ref().is_none_or(|best| rank(&candidate) > rank(best)) {
            best = Some(candidate);
        }
    };
    let mut run = String::new();
    for part in parts {
        if let Some(text) = fixed_text(part) {
            run.push_str(&text);
        } else if !matches!(part.kind(), HirKind::Look(_)) {
            keep(accept(vec![std::mem::take(&mut run)]));
            keep(best_set(part));
        }
    }
    keep(accept(vec![run]));
    best
}

/// The folded text of a part that can match nothing else: a literal, or a class such as `[Aa]`.
fn fixed_text(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(fold),
        HirKind::Capture(capture) => fixed_text(&capture.sub),
        HirKind::Class(Class::Unicode(class)) => {
            let chars: usize = class.iter().map(|range| range.len()).sum();
            let mut folded = class
                .iter()
                .filter(|_| chars <= 4)
                .flat_map(|range| (range.start()..=range.end()).map(fold_char));
            let first = folded.next()?;
            folded.all(|c| c == first).then(|| first.to_string())
        }
        HirKind::Concat(parts) => parts.iter().map(fixed_text).collect(),
        _ => None,
    }
}

fn accept(texts: Vec<String>) -> Option<Vec<String>> {
    let fits = !texts.is_empty()
        && texts.len() <= MAX_ALTERNATIVES
        && texts.iter().all(|text| text.chars().count() >= MIN_CHARS);
    fits.then_some(texts)
}

/// Longer texts and fewer of them are rarer.
fn rank(texts: &[String]) -> (usize, usize) {
    (
        texts.iter().map(String::len).min().unwrap_or(0),
        usize::MAX - texts.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigma::predicate::Flags;

    fn required(source: &str, ignore_case: bool) -> Option<Vec<String>> {
        let flags = Flags {
            ignore_case,
            ..Flags::default()
        };
        required_texts(&Expression::new(source, flags).unwrap())
    }

    #[test]
    fn texts_are_found_through_classes_groups_and_alternatives() {
        let texts = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(required("^/dev/(tcp|udp)/", false), texts(&["/dev/"]));
        assert_eq!(required("(curl|wget) .*", false), texts(&["curl", "wget"]));
        assert_eq!(required("Invoke-[A-Z]+", true), texts(&["invoke-"]));
        assert_eq!(required("(?:abc)+x?", false), texts(&["abc"]));
        assert_eq!(required("abc[xy]defg", false), texts(&["defg"]));
        assert_eq!(required("a|bcd", false), None);
        assert_eq!(required("(?:abc)?", false), None);
        assert_eq!(required("[0-9]{3}", false), None);
    }
}
