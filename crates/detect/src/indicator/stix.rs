//! Indicators of a STIX 2.1 bundle (OASIS STIX 2.1, sections 4.7 and 9). A pattern is taken when each of its comparisons by itself is a match: those that
//! are joined by `AND` or `FOLLOWEDBY`, or have a qualifier, say more than a list of values can.

use std::collections::HashMap;

use serde::Deserialize;

use super::IndicatorType;
use super::list::{Entry, Row};
use crate::diagnostic::shorten;

/// Values that one pattern may name.
const MAX_VALUES: usize = 10_000;

#[derive(Deserialize)]
pub(super) struct Bundle {
    #[serde(default)]
    objects: Vec<serde_json::Value>,
}

/// An indicator object.
#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    pattern: String,
    #[serde(default)]
    pattern_type: String,
    #[serde(default)]
    created_by_ref: String,
    #[serde(default)]
    valid_until: String,
    confidence: Option<f64>,
    #[serde(default)]
    revoked: bool,
}

/// The entries of a bundle, or for each indicator that is no list of values why not. Revoked ones are none.
pub(super) fn read(bundle: Bundle) -> Vec<Entry> {
    let names: HashMap<String, String> = bundle
        .objects
        .iter()
        .filter(|object| object["type"] == "identity")
        .filter_map(|object| {
            Some((
                object["id"].as_str()?.to_owned(),
                object["name"].as_str()?.to_owned(),
            ))
        })
        .collect();
    let indicators = bundle
        .objects
        .into_iter()
        .filter(|object| object["type"] == "indicator");
    indicators
        .flat_map(|object| match serde_json::from_value::<Object>(object) {
            Ok(object) if object.revoked => Vec::new(),
            Ok(object) => {
                let source = names.get(&object.created_by_ref).cloned();
                entries(&object, &source.unwrap_or_default())
            }
            Err(error) => vec![Err(format!("an indicator object: {error}"))],
        })
        .collect()
}

fn entries(object: &Object, source: &str) -> Vec<Entry> {
    let values = match object.pattern_type.as_str() {
        "stix" | "" => read_pattern(&object.pattern),
        other => Err(format!("a pattern of the type `{}`", shorten(other, 40))),
    };
    let values = match values {
        Ok(values) => values,
        Err(reason) => return vec![Err(format!("{}: {reason}", shorten(&object.id, 80)))],
    };
    let description = if object.name.is_empty() {
        &object.description
    } else {
        &object.name
    };
    // Section 3.2: 0 to 100; there is no severity.
    let confidence = object.confidence.map(|percent| (percent / 100.0).to_string());
    values
        .into_iter()
        .map(|(kind, value)| {
            Ok(Row {
                value,
                kind: kind.as_str().to_owned(),
                confidence: confidence.clone().unwrap_or_default(),
                source: source.to_owned(),
                description: description.clone(),
                expires_at: object.valid_until.clone(),
                ..Row::default()
            })
        })
        .collect()
}

#[derive(Debug, PartialEq)]
enum Token {
    /// A path or a word of the language.
    Word(String),
    Text(String),
    Sign(char),
}

/// What a pattern names, when it is comparisons for equality that are joined by `OR`.
fn read_pattern(pattern: &str) -> Result<Vec<(IndicatorType, String)>, String> {
    let mut tokens = tokens(pattern)?.into_iter().peekable();
    let mut values = Vec::new();
    let (mut depth, mut expects_comparison) = (0_u32, true);
    while let Some(token) = tokens.next() {
        match token {
            // With nothing but `OR`, brackets and parentheses mean nothing.
            Token::Sign('[' | '(') if expects_comparison => depth += 1,
            Token::Sign(']' | ')') if !expects_comparison && depth > 0 => depth -= 1,
            Token::Word(word) if !expects_comparison && word.eq_ignore_ascii_case("OR") => {
                expects_comparison = true;
            }
            Token::Word(path) if expects_comparison && depth > 0 => {
                let kind = type_of(&path)
                    .ok_or_else(|| format!("`{}` is nothing that is compared", shorten(&path, 80)))?;
                match tokens.next() {
                    Some(Token::Sign('=')) => values.push((kind, text(tokens.next())?)),
                    Some(Token::Word(word)) if word.eq_ignore_ascii_case("IN") => {
                        if tokens.next() != Some(Token::Sign('(')) {
                            return Err("`IN` without a set".to_owned());
                        }
                        loop {
                            values.push((kind, text(tokens.next())?));
                            match tokens.next() {
                                Some(Token::Sign(',')) => {}
                                Some(Token::Sign(')')) => break,
                                _ => return Err("a set that never ends".to_owned()),
                            }
                        }
                    }
                    _ => return Err("only `=` and `IN` are taken".to_owned()),
                }
                expects_comparison = false;
            }
            Token::Word(word) => {
                return Err(format!("`{}` cannot be said by a list", shorten(&word, 40)));
            }
            Token::Sign(_) | Token::Text(_) => return Err("the pattern is not understood".to_owned()),
        }
        if values.len() > MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values"));
        }
    }
    if expects_comparison || depth > 0 {
        return Err("the pattern is cut off".to_owned());
    }
    Ok(values)
}

fn text(token: Option<Token>) -> Result<String, String> {
    match token {
        Some(Token::Text(text)) => Ok(text),
        _ => Err("what is compared with is no text".to_owned()),
    }
}

/// What an object path of section 6 names.
fn type_of(path: &str) -> Option<IndicatorType> {
    let plain: String = path.chars().filter(|c| !matches!(c, '\'' | '"' | '-')).collect();
    Some(match plain.to_ascii_lowercase().as_str() {
        "file:hashes.sha256" => IndicatorType::Sha256,
        "file:hashes.sha1" => IndicatorType::Sha1,
        "file:hashes.md5" => IndicatorType::Md5,
        "file:name" => IndicatorType::FileName,
        "domainname:value" => IndicatorType::Domain,
        "ipv4addr:value"
        | "ipv6addr:value"
        | "networktraffic:dst_ref.value"
        | "networktraffic:src_ref.value" => IndicatorType::Ip,
        "url:value" => IndicatorType::Url,
        _ => return None,
    })
}

fn tokens(pattern: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => {}
            '\'' => found.push(Token::Text(quoted(&mut rest)?)),
            '[' | ']' | '(' | ')' | ',' | '=' => found.push(Token::Sign(c)),
            c if c.is_alphanumeric() => {
                let mut word = String::from(c);
                while let Some(next) = rest.next_if(|c| c.is_alphanumeric() || ":._-'".contains(*c)) {
                    word.push(next);
                    if next == '\'' {
                        word.push_str(&quoted(&mut rest)?);
                    }
                }
                found.push(Token::Word(word));
            }
            other => return Err(format!("`{other}` is not taken")),
        }
    }
    Ok(found)
}

/// The rest of a text in single quotes, in which a backslash keeps the next character as it is.
fn quoted(rest: &mut impl Iterator<Item = char>) -> Result<String, String> {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        match c {
            '\'' => return Ok(text),
            '\\' => text.extend(rest.next()),
            c => text.push(c),
        }
    }
    Err("a text never ends".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_taken_when_each_comparison_is_a_match() {
        use IndicatorType::{Domain, FileName, Ip, Md5, Sha256, Url};
        for (pattern, expected) in [
            (
                "[domain-name:value = 'bad.example']",
                vec![(Domain, "bad.example")],
            ),
            (
                "[file:hashes.'SHA-256' = 'aa' OR file:hashes.MD5='bb']",
                vec![(Sha256, "aa"), (Md5, "bb")],
            ),
            (
                "[ipv4-addr:value='198.51.100.7'] OR [url:value = 'http://b.example/a?b=\\'c\\'']",
                vec![(Ip, "198.51.100.7"), (Url, "http://b.example/a?b='c'")],
            ),
            (
                "[(file:name IN ('a.exe', 'b\\\\c'))]",
                vec![(FileName, "a.exe"), (FileName, "b\\c")],
            ),
        ] {
            let values = read_pattern(pattern).unwrap();
            let values: Vec<(IndicatorType, &str)> = values
                .iter()
                .map(|(kind, value)| (*kind, value.as_str()))
                .collect();
            assert_eq!(values, expected, "{pattern}");
        }
    }

    #[test]
    fn what_says_more_than_a_list_is_told() {
        for (pattern, reason) in [
            (
                "[file:name = 'a' AND file:hashes.MD5 = 'b']",
                "`AND` cannot be said by a list",
            ),
            (
                "[domain-name:value = 'a'] FOLLOWEDBY [url:value = 'b']",
                "`FOLLOWEDBY` cannot be said by a list",
            ),
            (
                "[domain-name:value = 'a'] WITHIN 5 SECONDS",
                "`WITHIN` cannot be said by a list",
            ),
            ("[domain-name:value LIKE 'a%']", "only `=` and `IN` are taken"),
            ("[domain-name:value != 'a']", "`!` is not taken"),
            (
                "[process:name = 'a']",
                "`process:name` is nothing that is compared",
            ),
            ("[domain-name:value = 'a", "a text never ends"),
            ("[domain-name:value = 'a'", "the pattern is cut off"),
            ("[domain-name:value = 5]", "what is compared with is no text"),
            ("", "the pattern is cut off"),
        ] {
            assert_eq!(read_pattern(pattern).unwrap_err(), reason, "{pattern}");
        }
    }
}
