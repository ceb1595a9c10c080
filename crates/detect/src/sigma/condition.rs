//! The condition of a Sigma rule: words, then a tree over the rule's search identifiers.

use crate::diagnostic::{Code, Problem, shorten};
use crate::limits::{MAX_CONDITION_BYTES, MAX_DEPTH};

/// A condition over search identifiers, which go by their position in the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Selection(usize),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Condition {
    /// Parses a condition for a rule with these search identifiers.
    pub(crate) fn parse(text: &str, identifiers: &[String]) -> Result<Self, Problem> {
        if text.len() > MAX_CONDITION_BYTES {
            return Err(Problem::new(
                Code::RuleTooComplex,
                format!("the condition is longer than {MAX_CONDITION_BYTES} bytes"),
            ));
        }
        let words = split_words(text)?;
        let mut parser = Parser {
            words: &words,
            next: 0,
            identifiers,
        };
        let condition = parser.parse_or(0)?;
        match parser.peek() {
            None => Ok(condition),
            Some(word) => Err(unexpected(word, "after the end of the condition")),
        }
    }

    /// The same condition over identifiers that stand `by` places further on.
    pub(crate) fn shifted(self, by: usize) -> Self {
        let all = |parts: Vec<Self>| parts.into_iter().map(|part| part.shifted(by)).collect();
        match self {
            Self::Selection(index) => Self::Selection(index + by),
            Self::Not(inner) => Self::Not(Box::new(inner.shifted(by))),
            Self::All(parts) => Self::All(all(parts)),
            Self::Any(parts) => Self::Any(all(parts)),
        }
    }

    /// Puts what is quick to answer before what is slow, with the costs of the search identifiers given.
    pub(crate) fn put_cheap_first(&mut self, costs: &[u32]) {
        match self {
            Self::Selection(_) => {}
            Self::Not(inner) => inner.put_cheap_first(costs),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter_mut().for_each(|part| part.put_cheap_first(costs));
                parts.sort_by_cached_key(|part| part.cost(costs));
            }
        }
    }

    fn cost(&self, costs: &[u32]) -> u32 {
        match self {
            Self::Selection(index) => costs.get(*index).copied().unwrap_or(u32::MAX),
            Self::Not(inner) => inner.cost(costs),
            Self::All(parts) | Self::Any(parts) => parts
                .iter()
                .map(|part| part.cost(costs))
                .fold(0, u32::saturating_add),
        }
    }

    /// Evaluates the condition with the outcome of each search identifier, asking for no more of them than
    /// needed.
    pub(crate) fn eval(&self, holds: &mut impl FnMut(usize) -> bool) -> bool {
        match self {
            Self::Selection(index) => holds(*index),
            Self::Not(inner) => !inner.eval(holds),
            Self::All(parts) => parts.iter().all(|part| part.eval(holds)),
            Self::Any(parts) => parts.iter().any(|part| part.eval(holds)),
        }
    }
}

/// Splits into parentheses and words.
fn split_words(text: &str) -> Result<Vec<&str>, Problem> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        let ends_word = c.is_whitespace() || c == '(' || c == ')';
        if ends_word {
            if let Some(begin) = start.take() {
                words.push(&text[begin..at]);
            }
            if !c.is_whitespace() {
                words.push(&text[at..at + 1]);
            }
        } else if c == '|' {
            let rest = shorten(&text[at..], 60);
            return Err(Problem::new(
                Code::UnsupportedCondition,
                format!("the aggregation `{rest}` in the condition"),
            ));
        } else if start.is_none() {
            start = Some(at);
        }
    }
    if let Some(begin) = start {
        words.push(&text[begin..]);
    }
    Ok(words)
}

struct Parser<'a> {
    words: &'a [&'a str],
    next: usize,
    identifiers: &'a [String],
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).copied()
    }

    fn take(&mut self) -> Option<&'a str> {
        let word = self.peek();
        self.next += 1;
        word
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_it = self.peek().is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(is_it);
        is_it
    }

    fn parse_or(&mut self, depth: usize) -> Result<Condition, Problem> {
        let mut parts = vec![self.parse_and(depth)?];
        while self.take_keyword("or") {
            parts.push(self.parse_and(depth)?);
        }
        Ok(joined(parts, Condition::Any))
    }

    fn parse_and(&mut self, depth: usize) -> Result<Condition, Problem> {
        let mut parts = vec![self.parse_not(depth)?];
        while self.take_keyword("and") {
            parts.push(self.parse_not(depth)?);
        }
        Ok(joined(parts, Condition::All))
    }

    fn parse_not(&mut self, depth: usize) -> Result<Condition, Problem> {
        if depth > MAX_DEPTH {
            let detail = format!("the condition nests deeper than {MAX_DEPTH} levels");
            return Err(Problem::new(Code::RuleTooComplex, detail));
        }
        if self.take_keyword("not") {
            return Ok(Condition::Not(Box::new(self.parse_not(depth + 1)?)));
        }
        self.parse_atom(depth)
    }

    fn parse_atom(&mut self, depth: usize) -> Result<Condition, Problem> {
        let Some(word) = self.take() else {
            return Err(Problem::new(
                Code::InvalidCondition,
                "the condition ends where an identifier is expected",
            ));
        };
        if word == "(" {
            let inner = self.parse_or(depth + 1)?;
            return match self.take() {
                Some(")") => Ok(inner),
                Some(other) => Err(unexpected(other, "where `)` is expected")),
                None => Err(Problem::new(
                    Code::InvalidCondition,
                    "a `)` is missing in the condition",
                )),
            };
        }
        if word == ")"
            || ["and", "or", "of", "them"]
                .iter()
                .any(|keyword| word.eq_ignore_ascii_case(keyword))
        {
            return Err(unexpected(word, "where an identifier is expected"));
        }
        if self.peek().is_some_and(|next| next.eq_ignore_ascii_case("of")) {
            self.next += 1;
            return self.parse_quantifier(word);
        }
        self.find_identifier(word)
    }

    /// `1 of x*`, `all of them`.
    fn parse_quantifier(&mut self, quantity: &str) -> Result<Condition, Problem> {
        let join = match quantity.to_ascii_lowercase().as_str() {
            "1" | "any" => Condition::Any,
            "all" => Condition::All,
            _ => {
                let detail = format!("the quantity `{quantity} of`; only `1 of` and `all of` are evaluated");
                return Err(Problem::new(Code::UnsupportedCondition, detail));
            }
        };
        let pattern = self
            .take()
            .filter(|word| *word != "(" && *word != ")")
            .ok_or_else(|| {
                Problem::new(
                    Code::InvalidCondition,
                    format!("`{quantity} of` without a pattern"),
                )
            })?;
        let pattern = if pattern.eq_ignore_ascii_case("them") {
            "*"
        } else {
            pattern
        };
        let parts: Vec<_> = self
            .identifiers
            .iter()
            .enumerate()
            .filter(|(_, name)| pattern.starts_with('_') || !name.starts_with('_'))
            .filter(|(_, name)| matches_stars(pattern.as_bytes(), name.as_bytes()))
            .map(|(index, _)| Condition::Selection(index))
            .collect();
        if parts.is_empty() {
            let detail = format!("`{quantity} of {pattern}` matches no search identifier");
            return Err(Problem::new(Code::UnknownIdentifier, detail));
        }
        Ok(joined(parts, join))
    }

    fn find_identifier(&self, word: &str) -> Result<Condition, Problem> {
        match self.identifiers.iter().position(|name| name == word) {
            Some(index) => Ok(Condition::Selection(index)),
            None => {
                let detail = format!(
                    "the condition names `{}`, which is not defined",
                    shorten(word, 60)
                );
                Err(Problem::new(Code::UnknownIdentifier, detail))
            }
        }
    }
}

fn joined(mut parts: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    if parts.len() == 1 {
        parts.swap_remove(0)
    } else {
        join(parts)
    }
}

fn unexpected(word: &str, place: &str) -> Problem {
    Problem::new(Code::InvalidCondition, format!("`{}` {place}", shorten(word, 60)))
}

/// Whether a name matches a pattern in which `*` stands for any run of characters.
fn matches_stars(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, n));
            p += 1;
        } else if pattern.get(p) == Some(&name[n]) {
            p += 1;
            n += 1;
        } else if let Some((after_star, from)) = retry {
            p = after_star;
            n = from + 1;
            retry = Some((after_star, n));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["sel_a", "sel_b", "filter", "_hidden"].map(String::from).to_vec()
    }

    fn eval(text: &str, outcomes: [bool; 4]) -> bool {
        Condition::parse(text, &names())
            .unwrap()
            .eval(&mut |index| outcomes[index])
    }

    #[test]
    fn precedence_is_not_and_or() {
        assert!(eval("sel_a or sel_b and filter", [true, false, false, false]));
        assert!(!eval("(sel_a or sel_b) and filter", [true, false, false, false]));
        assert!(eval("not sel_a or sel_b", [false, false, false, false]));
        assert!(!eval("not (sel_a or sel_b)", [false, true, false, false]));
        assert!(eval("not not sel_a", [true, false, false, false]));
        assert!(eval("sel_a AND NOT filter", [true, false, false, false]));
    }

    #[test]
    fn quantifiers_leave_out_hidden_identifiers() {
        assert!(!eval("1 of them", [false, false, false, true]));
        assert!(eval("all of them", [true, true, true, false]));
        assert!(eval("1 of sel_*", [false, true, false, false]));
        assert!(!eval("all of sel_*", [false, true, true, true]));
        assert!(eval("any of _*", [false, false, false, true]));
        assert!(eval(
            "1 of sel*a and not 1 of filter*",
            [true, false, false, false]
        ));
    }

    #[test]
    fn faults_have_their_codes() {
        let code = |text: &str| Condition::parse(text, &names()).unwrap_err().code;
        assert_eq!(code("sel_a and"), Code::InvalidCondition);
        assert_eq!(code(""), Code::InvalidCondition);
        assert_eq!(code("(sel_a"), Code::InvalidCondition);
        assert_eq!(code("sel_a)"), Code::InvalidCondition);
        assert_eq!(code("sel_a sel_b"), Code::InvalidCondition);
        assert_eq!(code("1 of"), Code::InvalidCondition);
        assert_eq!(code("nothing"), Code::UnknownIdentifier);
        assert_eq!(code("1 of nothing*"), Code::UnknownIdentifier);
        assert_eq!(code("2 of sel_*"), Code::UnsupportedCondition);
        assert_eq!(code("sel_a | count() > 5"), Code::UnsupportedCondition);
        assert_eq!(
            code(&format!("{}sel_a{}", "(".repeat(100), ")".repeat(100))),
            Code::RuleTooComplex
        );
        assert_eq!(code(&"not ".repeat(100)), Code::RuleTooComplex);
    }
}
