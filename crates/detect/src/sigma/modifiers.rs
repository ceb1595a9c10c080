//! Field modifiers: what `Field|modifier|modifier` makes of a value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Placeholders;
use crate::diagnostic::{Code, Problem, shorten};
use crate::limits::{MAX_EXPANSION, MAX_PATTERN_BYTES};
use crate::sigma::pattern::{Pattern, Piece};
use crate::sigma::predicate::{Comparison, Flags, Place};

/// The dashes that `windash` treats as one, by the specification.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// Every modifier that is evaluated.
pub(crate) const KNOWN: &[&str] = &[
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "i",
    "lt",
    "lte",
    "m",
    "neq",
    "re",
    "s",
    "startswith",
    "utf16",
    "utf16be",
    "utf16le",
    "wide",
    "windash",
];

/// What kind of comparison a chain of modifiers asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Regex(Flags),
    Network,
    Compare(Comparison),
    Exists,
    FieldRef,
}

/// A change of the value before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transform {
    Utf16 { big_endian: bool, mark: bool },
    Base64,
    Base64Offset,
    Windash,
    Expand,
}

/// A parsed chain of modifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modifiers {
    pub(crate) kind: Kind,
    pub(crate) place: Option<Place>,
    pub(crate) cased: bool,
    /// All values of a list have to hold, not just one.
    pub(crate) all: bool,
    pub(crate) negated: bool,
    transforms: Vec<Transform>,
}

impl Modifiers {
    /// Parses the words after the field's name.
    pub(crate) fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, Problem> {
        let mut chain = Self {
            kind: Kind::Text,
            place: None,
            cased: false,
            all: false,
            negated: false,
            transforms: Vec::new(),
        };
        for word in words {
            chain.add(word)?;
        }
        chain.check()?;
        Ok(chain)
    }

    /// The patterns that a text value turns into; one of them has to match.
    pub(crate) fn transform(
        &self,
        value: &str,
        placeholders: &Placeholders,
    ) -> Result<Vec<Pattern>, Problem> {
        let mut values = vec![Encoded::Text(Pattern::parse(value))];
        for transform in &self.transforms {
            let mut next = Vec::new();
            for value in values {
                next.extend(transform.apply(value, placeholders)?);
            }
            if next.len() > MAX_EXPANSION {
                let detail = format!("a value turns into more than {MAX_EXPANSION} variants");
                return Err(Problem::new(Code::RuleTooComplex, detail));
            }
            values = next;
        }
        values.into_iter().map(Encoded::into_pattern).collect()
    }

    fn add(&mut self, word: &str) -> Result<(), Problem> {
        match word {
            "contains" => self.set_place(Place::Inside)?,
            "startswith" => self.set_place(Place::Start)?,
            "endswith" => self.set_place(Place::End)?,
            "all" => self.all = true,
            "cased" => self.cased = true,
            "neq" => self.negated = true,
            "re" => self.set_kind(Kind::Regex(Flags::default()))?,
            "i" | "m" | "s" => self.add_flag(word)?,
            "exists" => self.set_kind(Kind::Exists)?,
            "cidr" => self.set_kind(Kind::Network)?,
            "fieldref" => self.set_kind(Kind::FieldRef)?,
            "lt" => self.set_kind(Kind::Compare(Comparison::Less))?,
            "lte" => self.set_kind(Kind::Compare(Comparison::LessOrEqual))?,
            "gt" => self.set_kind(Kind::Compare(Comparison::Greater))?,
            "gte" => self.set_kind(Kind::Compare(Comparison::GreaterOrEqual))?,
            "wide" | "utf16le" => self.add_transform(Transform::Utf16 {
                big_endian: false,
                mark: false,
            })?,
            "utf16be" => self.add_transform(Transform::Utf16 {
                big_endian: true,
                mark: false,
            })?,
            "utf16" => self.add_transform(Transform::Utf16 {
                big_endian: false,
                mark: true,
            })?,
            "base64" => self.add_transform(Transform::Base64)?,
            "base64offset" => self.add_transform(Transform::Base64Offset)?,
            "windash" => self.add_transform(Transform::Windash)?,
            "expand" => self.add_transform(Transform::Expand)?,
            _ => {
                return Err(Problem::new(
                    Code::UnknownModifier,
                    format!("the modifier `{}`", shorten(word, 40)),
                ));
            }
        }
        Ok(())
    }

    fn set_place(&mut self, place: Place) -> Result<(), Problem> {
        match self.place.replace(place) {
            None => Ok(()),
            Some(_) => Err(invalid(
                "`contains`, `startswith` and `endswith` exclude each other",
            )),
        }
    }

    fn set_kind(&mut self, kind: Kind) -> Result<(), Problem> {
        if self.kind != Kind::Text {
            return Err(invalid("two modifiers that each decide how to compare"));
        }
        self.kind = kind;
        Ok(())
    }

    fn add_flag(&mut self, word: &str) -> Result<(), Problem> {
        let Kind::Regex(flags) = &mut self.kind else {
            return Err(invalid(format!("`{word}` belongs behind `re`")));
        };
        match word {
            "i" => flags.ignore_case = true,
            "m" => flags.multi_line = true,
            _ => flags.dot_all = true,
        }
        Ok(())
    }

    fn add_transform(&mut self, transform: Transform) -> Result<(), Problem> {
        let encodes = !matches!(transform, Transform::Windash | Transform::Expand);
        if encodes && self.place.is_some() {
            return Err(invalid(
                "an encoding stands behind `contains`, `startswith` or `endswith`; put it before",
            ));
        }
        self.transforms.push(transform);
        Ok(())
    }

    fn check(&self) -> Result<(), Problem> {
        let is_text = self.kind == Kind::Text;
        if !is_text && !self.transforms.is_empty() {
            return Err(invalid(
                "a modifier that changes the text does not fit a comparison that is not about text",
            ));
        }
        if !is_text && self.kind != Kind::FieldRef && (self.place.is_some() || self.cased) {
            return Err(invalid(
                "`contains`, `startswith`, `endswith` and `cased` fit texts and field references only",
            ));
        }
        if self.kind == Kind::Exists && (self.all || self.negated) {
            return Err(invalid("`exists` stands alone"));
        }
        Ok(())
    }
}

/// A value on its way through the modifiers.
enum Encoded {
    Text(Pattern),
    Bytes(Vec<u8>),
}

impl Encoded {
    /// The value's bytes; wildcards cannot be encoded.
    fn into_bytes(self) -> Result<Vec<u8>, Problem> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Text(pattern) => match pattern.as_literal() {
                Some(text) => Ok(text.as_bytes().to_vec()),
                None => Err(invalid("a value with wildcards cannot be encoded")),
            },
        }
    }

    fn into_pattern(self) -> Result<Pattern, Problem> {
        match self {
            Self::Text(pattern) => Ok(pattern),
            Self::Bytes(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Pattern::literal(&text)),
                Err(_) => Err(invalid(
                    "the encoded value is no text; let `base64` or `base64offset` follow",
                )),
            },
        }
    }
}

impl Transform {
    fn apply(self, value: Encoded, placeholders: &Placeholders) -> Result<Vec<Encoded>, Problem> {
        match self {
            Self::Utf16 { big_endian, mark } => Ok(vec![Encoded::Bytes(to_utf16(value, big_endian, mark)?)]),
            Self::Base64 => {
                let encoded = BASE64.encode(value.into_bytes()?);
                Ok(vec![Encoded::Text(Pattern::literal(&encoded))])
            }
            Self::Base64Offset => {
                let bytes = value.into_bytes()?;
                let variant = |shift| Encoded::Text(Pattern::literal(&base64_at_offset(&bytes, shift)));
                Ok((0..3).map(variant).collect())
            }
            Self::Windash => match value {
                Encoded::Text(pattern) => Ok(vary_dashes(&pattern)?.into_iter().map(Encoded::Text).collect()),
                Encoded::Bytes(_) => Err(invalid("`windash` stands before an encoding")),
            },
            Self::Expand => match value {
                Encoded::Text(pattern) => Ok(expand(&pattern, placeholders)?
                    .into_iter()
                    .map(Encoded::Text)
                    .collect()),
                Encoded::Bytes(_) => Err(invalid("`expand` stands before an encoding")),
            },
        }
    }
}

fn to_utf16(value: Encoded, big_endian: bool, mark: bool) -> Result<Vec<u8>, Problem> {
    let bytes = value.into_bytes()?;
    let text = String::from_utf8(bytes).map_err(|_| invalid("a value is encoded as UTF-16 twice"))?;
    let units = mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
    Ok(units
        .flat_map(|unit: u16| {
            if big_endian {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        })
        .collect())
}

/// The part of the Base64 text that does not depend on what surrounds the value, when `shift` bytes stand
/// before it.
fn base64_at_offset(bytes: &[u8], shift: usize) -> String {
    let mut shifted = vec![b' '; shift];
    shifted.extend_from_slice(bytes);
    let encoded = BASE64.encode(&shifted);
    let start = [0, 2, 3][shift];
    let cut = [0, 3, 2][(bytes.len() + shift) % 3];
    encoded
        .get(start..encoded.len().saturating_sub(cut))
        .unwrap_or_default()
        .to_owned()
}

/// Every way to write the dashes that begin a flag: those that follow no word character and precede one.
fn vary_dashes(pattern: &Pattern) -> Result<Vec<Pattern>, Problem> {
    let mut variants = vec![Pattern::default()];
    for piece in &pattern.pieces {
        let Piece::Text(text) = piece else {
            variants.iter_mut().for_each(|variant| variant.push(piece));
            continue;
        };
        let mut begin = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| matches!(c, '-' | '/')) {
            let before = text[..at].chars().next_back();
            let after = text[at + 1..].chars().next();
            if before.is_some_and(is_word) || !after.is_some_and(is_word) {
                continue;
            }
            let plain = &text[begin..at];
            let with_dash = |variant: &Pattern, dash: char| {
                let mut next = variant.clone();
                next.push_text(plain);
                next.push_text(dash.encode_utf8(&mut [0; 4]));
                next
            };
            variants = variants
                .iter()
                .flat_map(|variant| DASHES.map(|dash| with_dash(variant, dash)))
                .collect();
            if variants.len() > MAX_EXPANSION {
                let detail = format!("`windash` turns a value into more than {MAX_EXPANSION} variants");
                return Err(Problem::new(Code::RuleTooComplex, detail));
            }
            begin = at + c.len_utf8();
        }
        variants
            .iter_mut()
            .for_each(|variant| variant.push_text(&text[begin..]));
    }
    Ok(variants)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Replaces `%name%` by each of the placeholder's values.
fn expand(pattern: &Pattern, placeholders: &Placeholders) -> Result<Vec<Pattern>, Problem> {
    let mut variants = vec![Pattern::default()];
    for piece in &pattern.pieces {
        let Piece::Text(text) = piece else {
            variants.iter_mut().for_each(|variant| variant.push(piece));
            continue;
        };
        let mut rest = text.as_str();
        while let Some((before, name, after)) = split_placeholder(rest) {
            let Some(values) = placeholders.get(name).filter(|values| !values.is_empty()) else {
                let detail = format!("the placeholder `%{}%` has no value", shorten(name, 60));
                return Err(Problem::new(Code::UnresolvedPlaceholder, detail));
            };
            if values.iter().any(|value| value.len() > MAX_PATTERN_BYTES)
                || variants.len() * values.len() > MAX_EXPANSION
            {
                let detail = format!("`expand` turns a value into more than {MAX_EXPANSION} variants");
                return Err(Problem::new(Code::RuleTooComplex, detail));
            }
            let with_value = |variant: &Pattern, value: &String| {
                let mut next = variant.clone();
                next.push_text(before);
                Pattern::parse(value)
                    .pieces
                    .iter()
                    .for_each(|piece| next.push(piece));
                next
            };
            variants = variants
                .iter()
                .flat_map(|variant| values.iter().map(|value| with_value(variant, value)))
                .collect();
            rest = after;
        }
        variants.iter_mut().for_each(|variant| variant.push_text(rest));
    }
    Ok(variants)
}

/// Splits at the first `%name%`.
fn split_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from) = text.split_once('%')?;
    let (name, after) = from.split_once('%')?;
    let is_name = !name.is_empty() && name.chars().all(|c| is_word(c) || matches!(c, '-' | '.'));
    if is_name {
        return Some((before, name, after));
    }
    let (skipped, name, after) = split_placeholder(from)?;
    Some((&text[..before.len() + 1 + skipped.len()], name, after))
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidModifiers, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(chain: &str, value: &str) -> Vec<String> {
        let placeholders =
            Placeholders::from([("admins".to_owned(), vec!["root".to_owned(), "adm*".to_owned()])]);
        let modifiers = Modifiers::parse(chain.split('|')).unwrap();
        let patterns = modifiers.transform(value, &placeholders).unwrap();
        let show = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Any => "<*>".to_owned(),
            Piece::One => "<?>".to_owned(),
        };
        patterns
            .iter()
            .map(|pattern| pattern.pieces.iter().map(show).collect())
            .collect()
    }

    #[test]
    fn base64_and_its_offsets() {
        assert_eq!(patterns("base64", "foobar"), ["Zm9vYmFy"]);
        assert_eq!(
            patterns("base64offset|contains", "foobar"),
            ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]
        );
        assert_eq!(patterns("wide|base64", "ab"), ["YQBiAA=="]);
        assert_eq!(patterns("utf16be|base64", "ab"), ["AGEAYg=="]);
        assert_eq!(patterns("utf16|base64", "ab"), ["//5hAGIA"]);
        assert_eq!(patterns("wide", "ab"), ["a\0b\0"]);
    }

    #[test]
    fn every_offset_is_found_in_encoded_text_that_surrounds_it() {
        for shift in 0..6 {
            for tail in 0..4 {
                let text = format!("{}/bin/bash -i{}", "x".repeat(shift), "y".repeat(tail));
                let encoded = BASE64.encode(text);
                let found = patterns("base64offset|contains", "/bin/bash -i")
                    .iter()
                    .any(|part| encoded.contains(part));
                assert!(found, "shift {shift}, tail {tail}");
            }
        }
    }

    #[test]
    fn windash_varies_flags_only() {
        assert_eq!(patterns("windash", "-f a-b").len(), 5);
        assert!(patterns("windash|contains", " -f /x").contains(&" \u{2014}f \u{2013}x".to_owned()));
        assert_eq!(patterns("windash", "a - b"), ["a - b"]);
    }

    #[test]
    fn placeholders_are_replaced_everywhere() {
        assert_eq!(patterns("expand", "%admins%"), ["root", "adm<*>"]);
        assert_eq!(
            patterns("expand", "100% of %admins%!"),
            ["100% of root!", "100% of adm<*>!"]
        );
        assert_eq!(patterns("contains", "%admins%"), ["%admins%"]);
    }

    #[test]
    fn chains_that_make_no_sense_are_refused() {
        for chain in [
            "contains|startswith",
            "re|contains",
            "cidr|base64",
            "i",
            "re|cidr",
            "exists|all",
            "contains|base64",
            "gt|cased",
        ] {
            assert_eq!(
                Modifiers::parse(chain.split('|')).unwrap_err().code,
                Code::InvalidModifiers,
                "{chain}"
            );
        }
        assert_eq!(
            Modifiers::parse(["near"].into_iter()).unwrap_err().code,
            Code::UnknownModifier
        );
        let base64 = Modifiers::parse(["base64"].into_iter()).unwrap();
        assert_eq!(
            base64.transform("a*", &Placeholders::new()).unwrap_err().code,
            Code::InvalidModifiers
        );
    }

    #[test]
    fn every_known_modifier_is_taken_somewhere() {
        for word in KNOWN {
            let chain = if matches!(*word, "i" | "m" | "s") {
                vec!["re", word]
            } else {
                vec![*word]
            };
            assert!(Modifiers::parse(chain.into_iter()).is_ok(), "{word}");
        }
    }
}
