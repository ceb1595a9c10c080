//! What a rule asks of one field, and the plain evaluation of it that the index is measured against.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use regex::{Regex, RegexBuilder};

use crate::diagnostic::{Code, Problem, shorten};
use crate::event::{Event, Field, Value};
use crate::limits::{LARGE_REGEX_UNITS, MAX_PATTERN_BYTES, REGEX_UNIT_BYTES};
use crate::sigma::pattern::{Glob, Pattern, Piece, fold};
use crate::sigma::required::Shape;

/// Which value of an event is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum FieldKey {
    Known(Field),
    Named(Box<str>),
    /// Any value of the event: keywords.
    Keyword,
}

impl FieldKey {
    pub(crate) fn from_name(name: &str) -> Self {
        match Field::from_name(name) {
            _ if name.is_empty() => Self::Keyword,
            Some(field) => Self::Known(field),
            None => Self::Named(name.into()),
        }
    }

    /// The name that rules use; none for keywords.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Known(field) => Some(field.name()),
            Self::Named(name) => Some(name),
            Self::Keyword => None,
        }
    }

    /// The event's value; none for keywords, which have many.
    pub(crate) fn find<'e, 'a>(&self, event: &'e Event<'a>) -> Option<&'e Value<'a>> {
        match self {
            Self::Known(field) => event.field(*field),
            Self::Named(name) => event.find_named(name),
            Self::Keyword => None,
        }
    }
}

/// One question about one field. Equal questions of different rules are asked once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Atom {
    pub(crate) field: FieldKey,
    pub(crate) test: Test,
}

/// Where in a value a text has to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Whole,
    Start,
    End,
    Inside,
}

/// What is asked of a value. Texts are folded unless `cased`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    /// The field has a value.
    Exists,
    Literal {
        place: Place,
        text: Box<str>,
        cased: bool,
    },
    Glob {
        glob: Glob,
        cased: bool,
    },
    Regex(Expression),
    Network(Network),
    Compare(Comparison, Number),
    /// Another field's value stands at this place.
    SameAs {
        place: Place,
        other: FieldKey,
        cased: bool,
    },
}

impl Test {
    /// The test for a string value at a place.
    pub(crate) fn for_pattern(pattern: &Pattern, place: Place, cased: bool) -> Result<Self, Problem> {
        if pattern.len() > MAX_PATTERN_BYTES {
            let detail = format!("a value is longer than {MAX_PATTERN_BYTES} bytes");
            return Err(Problem::new(Code::RuleTooComplex, detail));
        }
        let mut pieces: Vec<Piece> = Vec::with_capacity(pattern.pieces.len() + 2);
        if matches!(place, Place::End | Place::Inside) {
            pieces.push(Piece::Any);
        }
        for piece in &pattern.pieces {
            if let Piece::Text(text) = piece {
                pieces.push(Piece::Text(if cased { text.clone() } else { fold(text) }));
            } else {
                pieces.push(piece.clone());
            }
        }
        if matches!(place, Place::Start | Place::Inside) {
            pieces.push(Piece::Any);
        }
        pieces.dedup_by(|a, b| *a == Piece::Any && *b == Piece::Any);
        let literal = |place, text: &str| Self::Literal {
            place,
            text: text.into(),
            cased,
        };
        Ok(match pieces.as_slice() {
            [] => literal(Place::Whole, ""),
            [Piece::Any] => Self::Exists,
            [Piece::Text(text)] => literal(Place::Whole, text),
            [Piece::Text(text), Piece::Any] => literal(Place::Start, text),
            [Piece::Any, Piece::Text(text)] => literal(Place::End, text),
            [Piece::Any, Piece::Text(text), Piece::Any] => literal(Place::Inside, text),
            _ => Self::Glob {
                glob: Glob::new(&Pattern { pieces }),
                cased,
            },
        })
    }

    /// Evaluates the test on a present value, given in both forms.
    pub(crate) fn is_match(&self, raw: &str, folded: &str, event: &Event<'_>) -> bool {
        let form = |cased: bool| if cased { raw } else { folded };
        match self {
            Self::Exists => true,
            Self::Literal { place, text, cased } => place.holds(form(*cased), text),
            Self::Glob { glob, cased } => glob.is_match(form(*cased)),
            Self::Regex(expression) => expression.is_match(raw),
            Self::Network(network) => network.contains(raw),
            Self::Compare(comparison, number) => {
                Number::parse(raw).is_some_and(|value| comparison.holds(value, *number))
            }
            Self::SameAs { place, other, cased } => other.find(event).is_some_and(|other| {
                let other = other.as_text();
                place.holds(
                    form(*cased),
                    &if *cased { other } else { Cow::Owned(fold(&other)) },
                )
            }),
        }
    }
}

impl Place {
    pub(crate) fn holds(self, value: &str, text: &str) -> bool {
        match self {
            Self::Whole => value == text,
            Self::Start => value.starts_with(text),
            Self::End => value.ends_with(text),
            Self::Inside => value.contains(text),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Whole => "is",
            Self::Start => "starts with",
            Self::End => "ends with",
            Self::Inside => "contains",
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = |cased: &bool| if *cased { " (case-sensitive)" } else { "" };
        match self {
            Self::Exists => f.write_str("is present"),
            Self::Literal { place, text, cased } => write!(f, "{} '{text}'{}", place.word(), case(cased)),
            Self::Glob { glob, cased } => write!(f, "is like '{glob}'{}", case(cased)),
            Self::Regex(expression) => write!(f, "matches /{}/{}", expression.source, expression.flags),
            Self::Network(network) => write!(f, "is in {}/{}", network.address, network.prefix),
            Self::Compare(comparison, number) => write!(f, "is {} {number}", comparison.word()),
            Self::SameAs { place, other, cased } => {
                write!(
                    f,
                    "{} the value of {}{}",
                    place.word(),
                    other.name().unwrap_or_default(),
                    case(cased)
                )
            }
        }
    }
}

impl Atom {
    /// How long it takes to answer, roughly: what the scan of a value has found, what a look at the value tells, and what has to run
    /// over it.
    pub(crate) fn cost(&self) -> u32 {
        let of_test = match &self.test {
            Test::Exists | Test::Literal { .. } => 1,
            Test::Network(_) | Test::Compare(..) => 20,
            Test::Glob { .. } | Test::SameAs { .. } => 50,
            Test::Regex(expression) => 1_000 * u32::try_from(expression.units).unwrap_or(1),
        };
        let of_field = if self.field == FieldKey::Keyword { 10 } else { 1 };
        of_test * of_field
    }

    /// Evaluates the question directly, without any index.
    pub(crate) fn eval(&self, event: &Event<'_>) -> bool {
        self.find_value(event).is_some()
    }

    /// The value that answers the question with yes.
    pub(crate) fn find_value<'e>(&self, event: &'e Event<'_>) -> Option<Cow<'e, str>> {
        let holds = |raw: &str| self.test.is_match(raw, &fold(raw), event);
        match self.field {
            FieldKey::Keyword => event
                .values()
                .map(|(_, value)| value.as_text())
                .find(|raw| holds(raw)),
            _ => Some(self.field.find(event)?.as_text()).filter(|raw| holds(raw)),
        }
    }
}

/// A regular expression that matches in linear time. Equal when source and flags are.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) source: Box<str>,
    pub(crate) flags: Flags,
    /// As how many expressions it counts.
    pub(crate) units: usize,
    shape: Shape,
    regex: Regex,
}

/// The flags of Sigma's `re`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Flags {
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_all: bool,
}

impl Expression {
    pub(crate) fn new(source: &str, flags: Flags) -> Result<Self, Problem> {
        if source.len() > MAX_PATTERN_BYTES {
            let detail = format!("a regular expression is longer than {MAX_PATTERN_BYTES} bytes");
            return Err(Problem::new(Code::RuleTooComplex, detail));
        }
        let build = |units: usize| {
            RegexBuilder::new(source)
                .case_insensitive(flags.ignore_case)
                .multi_line(flags.multi_line)
                .dot_matches_new_line(flags.dot_all)
                .size_limit(units * REGEX_UNIT_BYTES)
                .dfa_size_limit(REGEX_UNIT_BYTES)
                .nest_limit(64)
                .build()
        };
        let (built, units) = match build(1) {
            Err(regex::Error::CompiledTooBig(_)) => (build(LARGE_REGEX_UNITS), LARGE_REGEX_UNITS),
            built => (built, 1),
        };
        let regex = built.map_err(|error| {
            let message = error.to_string();
            let unsupported = message.contains("look-around") || message.contains("backreference");
            let code = if unsupported {
                Code::UnsupportedRegex
            } else {
                Code::InvalidRegex
            };
            let reason = message
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            Problem::new(
                code,
                format!("the expression `{}`: {reason}", shorten(source, 80)),
            )
        })?;
        Ok(Self {
            source: source.into(),
            flags,
            units,
            shape: Shape::of(source, flags),
            regex,
        })
    }

    fn is_match(&self, text: &str) -> bool {
        if text.len() < self.shape.min_bytes {
            return false;
        }
        match self.shape.run {
            Some(run) => run.is_in(text),
            None => self.regex.is_match(text),
        }
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.flags == other.flags
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.source, self.flags).hash(state);
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (on, letter) in [
            (self.ignore_case, "i"),
            (self.multi_line, "m"),
            (self.dot_all, "s"),
        ] {
            f.write_str(if on { letter } else { "" })?;
        }
        Ok(())
    }
}

/// A network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `address/prefix`; an address alone is a network of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text
            .trim()
            .split_once('/')
            .map_or((text.trim(), None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= bits)?,
            None => bits,
        };
        Some(Self { address, prefix })
    }

    fn contains(self, text: &str) -> bool {
        let Ok(address) = text.trim().parse::<IpAddr>() else {
            return false;
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u32::from(network) ^ u32::from(address);
                self.prefix == 0 || differing >> (32 - u32::from(self.prefix)) == 0
            }
            (IpAddr::V6(network), _) => {
                let IpAddr::V6(address) = address else {
                    return false;
                };
                let differing = u128::from(network) ^ u128::from(address);
                self.prefix == 0 || differing >> (128 - u32::from(self.prefix)) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        }
    }
}

/// A number in a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let float = || {
            text.parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .map(Self::Float)
        };
        text.parse().ok().map(Self::Int).or_else(float)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a whole number is compared with a fraction; the nearest fraction decides"
    )]
    fn as_float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    fn compare(self, other: Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            _ => self
                .as_float()
                .partial_cmp(&other.as_float())
                .unwrap_or(std::cmp::Ordering::Equal),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_float().to_bits().hash(state);
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
        }
    }
}

/// How a value has to compare with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, value: Number, bound: Number) -> bool {
        let order = value.compare(bound);
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Less => "less than",
            Self::LessOrEqual => "at most",
            Self::Greater => "greater than",
            Self::GreaterOrEqual => "at least",
        }
    }
}
