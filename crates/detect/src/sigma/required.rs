//! Texts that a value must contain for a regular expression to match: the expression's way into the index.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::sigma::pattern::{fold, fold_char};
use crate::sigma::predicate::{Expression, Flags};

/// Sets larger than this help less than they cost.
const MAX_ALTERNATIVES: usize = 48;
/// Shorter texts stand in too many values.
const MIN_CHARS: usize = 3;

/// Folded texts of which every folded value that matches contains at least one; none when there is no such
/// set.
pub(crate) fn required_texts(expression: &Expression) -> Option<Vec<String>> {
    best_set(&parse(&expression.source, expression.flags)?)
}

/// What an expression's form alone says of the values that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    /// Bytes of the shortest value that can match; most are far too short for some expressions.
    pub(crate) min_bytes: usize,
    /// The expression asks for such a run and nothing else.
    pub(crate) run: Option<Run>,
}

/// `.{chars,}`: so many characters side by side. An automaton has to count them one by one, in every script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    chars: usize,
    /// Line feeds count too.
    across_lines: bool,
}

impl Shape {
    pub(crate) fn of(source: &str, flags: Flags) -> Self {
        let Some(hir) = parse(source, flags) else {
            return Self::default();
        };
        Self {
            min_bytes: hir.properties().minimum_len().unwrap_or(0),
            run: Run::of(&hir),
        }
    }
}

impl Run {
    fn of(hir: &Hir) -> Option<Self> {
        let HirKind::Repetition(Repetition {
            min, max: None, sub, ..
        }) = hir.kind()
        else {
            return None;
        };
        let HirKind::Class(Class::Unicode(class)) = sub.kind() else {
            return None;
        };
        let ranges: Vec<_> = class.iter().map(|range| (range.start(), range.end())).collect();
        let across_lines = match ranges.as_slice() {
            [('\0', char::MAX)] => true,
            [('\0', '\t'), ('\u{b}', char::MAX)] => false,
            _ => return None,
        };
        Some(Self {
            chars: usize::try_from(*min).ok()?,
            across_lines,
        })
    }

    pub(crate) fn is_in(self, text: &str) -> bool {
        let is_long = |text: &str| text.len() >= self.chars && text.chars().count() >= self.chars;
        if self.across_lines {
            is_long(text)
        } else {
            text.split('\n').any(is_long)
        }
    }
}

fn parse(source: &str, flags: Flags) -> Option<Hir> {
    ParserBuilder::new()
        .case_insensitive(flags.ignore_case)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all)
        .nest_limit(64)
        .build()
        .parse(source)
        .ok()
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

    #[test]
    fn the_shortest_match_is_known() {
        for (source, expected) in [
            (".{1000,}", 1_000),
            ("a|bcd", 1),
            ("(?:abc)?", 0),
            ("^é{2}$", 4),
            ("[kK]", 1),
        ] {
            assert_eq!(
                Shape::of(source, Flags::default()).min_bytes,
                expected,
                "{source}"
            );
        }
    }

    #[test]
    fn a_run_of_characters_is_counted_as_the_expression_would() {
        for dot_all in [false, true] {
            let flags = Flags {
                dot_all,
                ..Flags::default()
            };
            let run = Shape::of(".{3,}", flags).run.unwrap();
            let source = if dot_all { "(?s).{3,}" } else { ".{3,}" };
            let regex = regex::Regex::new(source).unwrap();
            for text in [
                "",
                "ab",
                "abc",
                "äöü",
                "ab\nc",
                "ab\r\n",
                "a\nbcd",
                "\n\n\n",
                "éé\néé",
            ] {
                assert_eq!(run.is_in(text), regex.is_match(text), "{source} on {text:?}");
            }
        }
        for source in ["a{3,}", ".{3,5}", "x.{3,}", "^.{3,}", "\\w{3,}"] {
            assert_eq!(Shape::of(source, Flags::default()).run, None, "{source}");
        }
    }
}
