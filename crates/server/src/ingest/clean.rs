//! Making texts storable: PostgreSQL keeps no NUL character, and nobody needs a command line of megabytes.

use serde_json::Value;
use sg_types::agent::MAX_TEXT_CHARS;

/// Bytes of a JSON value at most; evidence and details are far smaller.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// The text without NUL characters, cut to `max_chars`, the last of which is then an ellipsis.
pub(super) fn clean_text(text: String, max_chars: usize) -> String {
    let text = if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    };
    match text.char_indices().nth(max_chars) {
        None => text,
        Some(_) => text
            .chars()
            .take(max_chars.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// Cleans every text in a value.
pub(super) fn clean_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean_text(text, MAX_TEXT_CHARS)),
        Value::Array(items) => Value::Array(items.into_iter().map(clean_value).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, item)| (clean_text(name, MAX_TEXT_CHARS), clean_value(item)))
                .collect(),
        ),
        other => other,
    }
}

/// The value, or where it is too large, the begin of its text and a word that it was cut.
pub(super) fn bounded(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= MAX_VALUE_BYTES {
        return value;
    }
    serde_json::json!([{ "type": "cut", "bytes": text.len(), "begin": clean_text(text, MAX_TEXT_CHARS) }])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_become_storable_and_say_what_was_done() {
        assert_eq!(clean_text("a\0b".to_owned(), 10), "a\u{fffd}b");
        assert_eq!(clean_text("äöüß".to_owned(), 3), "äö…");
        assert_eq!(clean_text("äöü".to_owned(), 3), "äöü");
        assert_eq!(
            clean_value(json!({ "k\0": ["\0", 1, null] })),
            json!({ "k\u{fffd}": ["\u{fffd}", 1, null] })
        );
        let large = bounded(json!(vec!["x".repeat(1_000); 100]));
        assert_eq!(large[0]["type"], "cut");
        assert_eq!(bounded(json!([1])), json!([1]));
    }
}
