//! Sigma's string values: wildcards, escapes, and comparison without regard to case.

/// A part of a string value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    Text(String),
    /// `*`: any run of characters, also none.
    Any,
    /// `?`: exactly one character.
    One,
}

/// A string value as its parts, texts never empty and never side by side.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Pattern {
    pub(crate) pieces: Vec<Piece>,
}

impl Pattern {
    /// Reads a value with the specification's escapes: a backslash makes `*`, `?` and itself literal, and is
    /// literal before anything else.
    pub(crate) fn parse(text: &str) -> Self {
        let mut pattern = Self::default();
        let mut escaped = false;
        for c in text.chars() {
            match (escaped, c) {
                (false, '\\') => escaped = true,
                (false, '*') => pattern.pieces.push(Piece::Any),
                (false, '?') => pattern.pieces.push(Piece::One),
                (false, _) => pattern.push_char(c),
                (true, _) => {
                    if !matches!(c, '\\' | '*' | '?') {
                        pattern.push_char('\\');
                    }
                    pattern.push_char(c);
                    escaped = false;
                }
            }
        }
        if escaped {
            pattern.push_char('\\');
        }
        pattern
    }

    /// A value without wildcards.
    pub(crate) fn literal(text: &str) -> Self {
        let mut pattern = Self::default();
        pattern.push_text(text);
        pattern
    }

    /// The text, when there are no wildcards.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    pub(crate) fn push(&mut self, piece: &Piece) {
        match piece {
            Piece::Text(text) => self.push_text(text),
            other => self.pieces.push(other.clone()),
        }
    }

    /// Bytes of its texts, for limits.
    pub(crate) fn len(&self) -> usize {
        let len = |piece: &Piece| {
            if let Piece::Text(text) = piece {
                text.len()
            } else {
                1
            }
        };
        self.pieces.iter().map(len).sum()
    }

    fn push_char(&mut self, c: char) {
        self.push_text(c.encode_utf8(&mut [0; 4]));
    }
}

/// Lower case of one character where that is one character, else the character itself, so that positions
/// correspond.
pub(crate) fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// The form in which texts are compared without regard to case.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Writes the folded form into a buffer that is emptied first.
pub(crate) fn fold_into(text: &str, buffer: &mut String) {
    buffer.clear();
    if text.is_ascii() {
        buffer.push_str(text);
        buffer.make_ascii_lowercase();
    } else {
        buffer.extend(text.chars().map(fold_char));
    }
}

/// A pattern with wildcards, ready to match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Glob {
    segments: Vec<Segment>,
    open_start: bool,
    open_end: bool,
}

/// What stands between two `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Segment {
    pieces: Vec<Piece>,
    chars: usize,
}

impl Glob {
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let pieces = &pattern.pieces;
        let segments = pieces
            .split(|piece| *piece == Piece::Any)
            .filter(|segment| !segment.is_empty())
            .map(|segment| Segment {
                pieces: segment.to_vec(),
                chars: segment.iter().map(count_chars).sum(),
            })
            .collect();
        Self {
            segments,
            open_start: pieces.first() == Some(&Piece::Any),
            open_end: pieces.last() == Some(&Piece::Any),
        }
    }

    /// Whether the whole text matches.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        let mut segments = self.segments.as_slice();
        let mut rest = text;
        if !self.open_start {
            let Some((first, others)) = segments.split_first() else {
                return text.is_empty() || self.open_end;
            };
            let Some(len) = first.match_start(rest) else {
                return false;
            };
            rest = &rest[len..];
            segments = others;
            if segments.is_empty() {
                return self.open_end || rest.is_empty();
            }
        }
        let last = if self.open_end {
            None
        } else {
            segments.split_last()
        };
        let middle = last.map_or(segments, |(_, before)| before);
        for segment in middle {
            match segment.find(rest) {
                Some(end) => rest = &rest[end..],
                None => return false,
            }
        }
        last.is_none_or(|(segment, _)| segment.match_end(rest))
    }

    /// The longest text that every match contains.
    pub(crate) fn longest_text(&self) -> Option<&str> {
        let texts = self
            .segments
            .iter()
            .flat_map(|segment| &segment.pieces)
            .filter_map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Any | Piece::One => None,
            });
        texts.max_by_key(|text| text.len())
    }
}

impl std::fmt::Display for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 || self.open_start {
                f.write_str("*")?;
            }
            for piece in &segment.pieces {
                match piece {
                    Piece::Text(text) => f.write_str(text)?,
                    Piece::One => f.write_str("?")?,
                    Piece::Any => {}
                }
            }
        }
        f.write_str(if self.open_end { "*" } else { "" })
    }
}

impl Segment {
    /// Bytes of the match at the begin of the text.
    fn match_start(&self, text: &str) -> Option<usize> {
        let mut rest = text;
        for piece in &self.pieces {
            rest = match piece {
                Piece::Text(literal) => rest.strip_prefix(literal.as_str())?,
                Piece::One | Piece::Any => &rest[rest.chars().next()?.len_utf8()..],
            };
        }
        Some(text.len() - rest.len())
    }

    /// Bytes up to the end of the leftmost match.
    fn find(&self, text: &str) -> Option<usize> {
        if let [Piece::Text(literal)] = self.pieces.as_slice() {
            return text.find(literal.as_str()).map(|at| at + literal.len());
        }
        let starts = text.char_indices().map(|(at, _)| at);
        starts
            .into_iter()
            .find_map(|at| self.match_start(&text[at..]).map(|len| at + len))
    }

    fn match_end(&self, text: &str) -> bool {
        let start = match self.chars {
            0 => Some(text.len()),
            chars => text.char_indices().rev().nth(chars - 1).map(|(at, _)| at),
        };
        start.is_some_and(|start| self.match_start(&text[start..]).is_some())
    }
}

fn count_chars(piece: &Piece) -> usize {
    match piece {
        Piece::Text(text) => text.chars().count(),
        Piece::Any | Piece::One => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    #[test]
    fn escapes_follow_the_specification() {
        let pieces = |value: &str| Pattern::parse(value).pieces;
        assert_eq!(pieces(r"C:\Windows\cmd.exe"), [text(r"C:\Windows\cmd.exe")]);
        assert_eq!(pieces(r"a\*b"), [text("a*b")]);
        assert_eq!(pieces(r"a\?b"), [text("a?b")]);
        assert_eq!(pieces(r"a\\*b"), [text(r"a\"), Piece::Any, text("b")]);
        assert_eq!(pieces(r"a\\\*b"), [text(r"a\*b")]);
        assert_eq!(pieces(r"a\\b"), [text(r"a\b")]);
        assert_eq!(pieces(r"a\\\\b"), [text(r"a\\b")]);
        assert_eq!(pieces(r"tail\"), [text(r"tail\")]);
        assert_eq!(pieces("*?x"), [Piece::Any, Piece::One, text("x")]);
        assert_eq!(pieces(""), []);
    }

    #[test]
    fn globs_match_whole_texts() {
        let is_match = |pattern: &str, value: &str| Glob::new(&Pattern::parse(pattern)).is_match(value);
        for (pattern, value, expected) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("a?c", "aöc", true),
            ("a?c", "ac", false),
            ("*1?", "x10", true),
            ("*1?", "x1", false),
            ("1?*", "1", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxa", false),
            ("a*a", "a", false),
            ("*aab", "aaab", true),
            ("*a?b*b", "axbaxbb", true),
            ("???", "abc", true),
            ("???", "ab", false),
            ("*", "", true),
            ("**", "anything", true),
            ("?*", "", false),
        ] {
            assert_eq!(is_match(pattern, value), expected, "{pattern} on {value}");
        }
    }

    #[test]
    fn folding_keeps_the_number_of_characters() {
        assert_eq!(fold("ÄBCß"), "äbcß");
        assert_eq!(fold("ΟΔΟΣ"), "οδοσ");
        assert_eq!(fold("İ"), "İ");
    }
}
