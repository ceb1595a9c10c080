//! The search identifiers of a Sigma rule, as expressions over atoms.

use crate::Placeholders;
use crate::diagnostic::{Code, Problem, shorten};
use crate::limits::{MAX_PATTERNS_PER_RULE, MAX_REGEXES_PER_RULE};
use crate::sigma::modifiers::{Kind, Modifiers};
use crate::sigma::predicate::{Atom, Expression, FieldKey, Network, Number, Place, Test};
use crate::sigma::yaml::Node;

/// A search identifier's expression, over atoms or, once interned, over their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expr<A> {
    Atom(A),
    Not(Box<Expr<A>>),
    All(Vec<Expr<A>>),
    Any(Vec<Expr<A>>),
}

impl<A> Expr<A> {
    /// Replaces every atom.
    pub(crate) fn map<B>(self, f: &mut impl FnMut(A) -> B) -> Expr<B> {
        match self {
            Self::Atom(atom) => Expr::Atom(f(atom)),
            Self::Not(inner) => Expr::Not(Box::new(inner.map(f))),
            Self::All(parts) => Expr::All(parts.into_iter().map(|part| part.map(f)).collect()),
            Self::Any(parts) => Expr::Any(parts.into_iter().map(|part| part.map(f)).collect()),
        }
    }

    /// Evaluates the expression, asking for no more atoms than needed.
    pub(crate) fn eval(&self, holds: &mut impl FnMut(&A) -> bool) -> bool {
        match self {
            Self::Atom(atom) => holds(atom),
            Self::Not(inner) => !inner.eval(holds),
            Self::All(parts) => parts.iter().all(|part| part.eval(holds)),
            Self::Any(parts) => parts.iter().any(|part| part.eval(holds)),
        }
    }

    /// Visits every atom, with whether it stands under an odd number of negations.
    pub(crate) fn visit<'a>(&'a self, negated: bool, f: &mut impl FnMut(&'a A, bool)) {
        match self {
            Self::Atom(atom) => f(atom, negated),
            Self::Not(inner) => inner.visit(!negated, f),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(negated, f)),
        }
    }

    /// Puts what is quick to answer before what is slow; what costs the same keeps its order.
    pub(crate) fn put_cheap_first(&mut self, cost: &impl Fn(&A) -> u32) {
        match self {
            Self::Atom(_) => {}
            Self::Not(inner) => inner.put_cheap_first(cost),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter_mut().for_each(|part| part.put_cheap_first(cost));
                parts.sort_by_cached_key(|part| part.cost(cost));
            }
        }
    }

    /// The cost of asking every atom.
    pub(crate) fn cost(&self, cost: &impl Fn(&A) -> u32) -> u32 {
        let mut sum = 0_u32;
        self.visit(false, &mut |atom, _| sum = sum.saturating_add(cost(atom)));
        sum
    }

    fn joined(mut parts: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        if parts.len() == 1 {
            parts.swap_remove(0)
        } else {
            join(parts)
        }
    }
}

/// Parses the search identifiers of one rule and counts what they cost.
pub(crate) struct DetectionParser<'a> {
    placeholders: &'a Placeholders,
    patterns: usize,
    regexes: usize,
}

impl<'a> DetectionParser<'a> {
    pub(crate) fn new(placeholders: &'a Placeholders) -> Self {
        Self {
            placeholders,
            patterns: 0,
            regexes: 0,
        }
    }

    /// The value of a search identifier: a map (all), a list of maps or keywords (any), or one keyword.
    pub(crate) fn parse(&mut self, node: &Node) -> Result<Expr<Atom>, Problem> {
        match node {
            Node::Map(entries) if entries.is_empty() => Err(invalid_search("an empty map")),
            Node::Map(entries) => {
                let parts: Result<Vec<_>, _> = entries
                    .iter()
                    .map(|(key, value)| self.parse_item(key, value))
                    .collect();
                Ok(Expr::joined(parts?, Expr::All))
            }
            Node::List(items) if items.is_empty() => Err(invalid_search("an empty list")),
            Node::List(items) => {
                let parts: Result<Vec<_>, _> = items.iter().map(|item| self.parse(item)).collect();
                Ok(Expr::joined(parts?, Expr::Any))
            }
            Node::Null => Err(invalid_search("no value")),
            scalar => self.parse_item("", scalar),
        }
    }

    /// One `Field|modifier: value` entry. An empty field name makes keywords.
    fn parse_item(&mut self, key: &str, value: &Node) -> Result<Expr<Atom>, Problem> {
        let mut words = key.split('|');
        let field = FieldKey::from_name(words.next().unwrap_or_default());
        let place = || shorten(if key.is_empty() { "keywords" } else { key }, 80);
        let modifiers = Modifiers::parse(words).map_err(|problem| problem.within(&place()))?;
        if field == FieldKey::Keyword
            && matches!(modifiers.kind, Kind::Exists | Kind::FieldRef | Kind::Compare(_))
        {
            return Err(Problem::new(
                Code::InvalidModifiers,
                format!("{}: this comparison needs a field", place()),
            ));
        }
        let expr = match value {
            Node::List(items) if items.is_empty() => {
                return Err(invalid_search("an empty list").within(&place()));
            }
            Node::List(items) => {
                let parts: Result<Vec<_>, _> = items
                    .iter()
                    .map(|item| self.parse_value(&field, &modifiers, item))
                    .collect();
                let join = if modifiers.all { Expr::All } else { Expr::Any };
                Expr::joined(parts.map_err(|problem| problem.within(&place()))?, join)
            }
            single => self
                .parse_value(&field, &modifiers, single)
                .map_err(|problem| problem.within(&place()))?,
        };
        Ok(if modifiers.negated {
            Expr::Not(Box::new(expr))
        } else {
            expr
        })
    }

    fn parse_value(
        &mut self,
        field: &FieldKey,
        modifiers: &Modifiers,
        value: &Node,
    ) -> Result<Expr<Atom>, Problem> {
        if *value == Node::Null {
            return self.parse_null(field, modifiers);
        }
        let Some(text) = value.scalar_text() else {
            return Err(invalid_search(format!(
                "{} where a text or number is expected",
                value.kind()
            )));
        };
        let test = match modifiers.kind {
            Kind::Text => return self.parse_text(field, modifiers, &text),
            Kind::Exists => return self.parse_exists(field, value),
            Kind::Regex(flags) => {
                let expression = Expression::new(&text, flags)?;
                self.regexes += expression.units;
                if self.regexes > MAX_REGEXES_PER_RULE {
                    let detail = format!("more than {MAX_REGEXES_PER_RULE} regular expressions");
                    return Err(Problem::new(Code::RuleTooComplex, detail));
                }
                Test::Regex(expression)
            }
            Kind::Network => match Network::parse(&text) {
                Some(network) => Test::Network(network),
                None => {
                    return Err(Problem::new(
                        Code::InvalidCidr,
                        format!("`{}`", shorten(&text, 60)),
                    ));
                }
            },
            Kind::Compare(comparison) => match Number::parse(&text) {
                Some(number) => Test::Compare(comparison, number),
                None => return Err(invalid_value(format!("`{}` is not a number", shorten(&text, 60)))),
            },
            Kind::FieldRef => match FieldKey::from_name(&text) {
                FieldKey::Keyword => return Err(invalid_value("`fieldref` without a field's name")),
                other => Test::SameAs {
                    place: modifiers.place.unwrap_or(Place::Whole),
                    other,
                    cased: modifiers.cased,
                },
            },
        };
        self.atom(field, test)
    }

    fn parse_text(
        &mut self,
        field: &FieldKey,
        modifiers: &Modifiers,
        text: &str,
    ) -> Result<Expr<Atom>, Problem> {
        let is_keyword = *field == FieldKey::Keyword;
        if is_keyword && text.is_empty() {
            return Err(invalid_search("an empty keyword"));
        }
        let place = modifiers
            .place
            .unwrap_or(if is_keyword { Place::Inside } else { Place::Whole });
        let mut parts = Vec::new();
        for pattern in modifiers.transform(text, self.placeholders)? {
            let test = Test::for_pattern(&pattern, place, modifiers.cased)?;
            parts.push(self.atom(field, test)?);
        }
        Ok(Expr::joined(parts, Expr::Any))
    }

    fn parse_null(&mut self, field: &FieldKey, modifiers: &Modifiers) -> Result<Expr<Atom>, Problem> {
        if *field == FieldKey::Keyword {
            return Err(invalid_search("null as a keyword"));
        }
        if modifiers.kind != Kind::Text || modifiers.place.is_some() || modifiers.cased {
            return Err(invalid_value("null does not go with modifiers"));
        }
        Ok(Expr::Not(Box::new(self.atom(field, Test::Exists)?)))
    }

    fn parse_exists(&mut self, field: &FieldKey, value: &Node) -> Result<Expr<Atom>, Problem> {
        let exists = self.atom(field, Test::Exists)?;
        match value {
            Node::Bool(true) => Ok(exists),
            Node::Bool(false) => Ok(Expr::Not(Box::new(exists))),
            _ => Err(invalid_value("`exists` takes true or false")),
        }
    }

    fn atom(&mut self, field: &FieldKey, test: Test) -> Result<Expr<Atom>, Problem> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS_PER_RULE {
            let detail = format!("more than {MAX_PATTERNS_PER_RULE} patterns");
            return Err(Problem::new(Code::RuleTooComplex, detail));
        }
        Ok(Expr::Atom(Atom {
            field: field.clone(),
            test,
        }))
    }
}

fn invalid_search(detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidSearch, detail)
}

fn invalid_value(detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidModifiers, detail)
}
