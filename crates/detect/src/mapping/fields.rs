//! The values of an event, by the path to each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sg_types::agent::MAX_TEXT_CHARS;

use super::{EventFault, MAX_DEPTH, MAX_FIELDS, MAX_NAME_CHARS, shorten};

/// Values by path, such as `process.parent.name`.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Every value of an object. Lists of values are one text; members of lists of objects go by their number.
    pub(super) fn of(value: &Value) -> Result<Self, EventFault> {
        let mut fields = Self::default();
        if !matches!(value, Value::Object(_) | Value::Null) {
            return Err(EventFault::new("unknown_format", "`fields` is no object"));
        }
        fields.collect(value, String::new(), 1)?;
        Ok(fields)
    }

    /// The value at a path.
    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// The values of a list.
    pub(super) fn list(&self, path: &str) -> Vec<&str> {
        self.get(path)
            .map(|text| text.split(", ").collect())
            .unwrap_or_default()
    }

    /// Gives values the names of Sigma's taxonomy. The first path that has a value wins, and a name that is there already stays.
    pub(super) fn rename(&mut self, names: &[(&str, &str)]) {
        for (path, name) in names {
            if !self.0.contains_key(*name)
                && let Some(value) = self.0.remove(*path)
            {
                self.0.insert((*name).to_owned(), value);
            }
        }
    }

    /// Takes a beginning off the names of what lies below it.
    pub(super) fn lift(&mut self, prefix: &str) {
        let below: Vec<String> = self
            .0
            .keys()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect();
        for name in below {
            let short = name.strip_prefix(prefix).unwrap_or_default().to_owned();
            if !short.is_empty()
                && !self.0.contains_key(&short)
                && let Some(value) = self.0.remove(&name)
            {
                self.0.insert(short, value);
            }
        }
    }

    /// Sets a value that is not there yet.
    pub(super) fn set(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.0.entry(name.to_owned()).or_insert(value);
        }
    }

    /// Sets `Hashes`, as Sysmon writes it, from the single hashes.
    pub(super) fn join_hashes(&mut self) {
        let known: Vec<String> = [
            ("MD5", "md5"),
            ("SHA1", "sha1"),
            ("SHA256", "sha256"),
            ("IMPHASH", "Imphash"),
        ]
        .iter()
        .filter_map(|(word, name)| Some(format!("{word}={}", self.get(name)?)))
        .collect();
        self.set("Hashes", (!known.is_empty()).then(|| known.join(",")));
    }

    pub(super) fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }

    fn collect(&mut self, value: &Value, path: String, depth: usize) -> Result<(), EventFault> {
        if depth > MAX_DEPTH {
            return Err(EventFault::new(
                "too_deep",
                format!("the event nests deeper than {MAX_DEPTH} levels"),
            ));
        }
        let join = |name: &str| {
            if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            }
        };
        match value {
            Value::Object(object) => {
                for (name, inner) in object {
                    self.collect(inner, join(name), depth + 1)?;
                }
                Ok(())
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                for (number, inner) in items.iter().enumerate() {
                    self.collect(inner, join(&number.to_string()), depth + 1)?;
                }
                Ok(())
            }
            Value::Array(items) => {
                let texts: Vec<String> = items.iter().filter_map(to_text).collect();
                self.add(path, (!texts.is_empty()).then(|| texts.join(", ")))
            }
            scalar => self.add(path, to_text(scalar)),
        }
    }

    fn add(&mut self, path: String, text: Option<String>) -> Result<(), EventFault> {
        let Some(text) = text else { return Ok(()) };
        if path.chars().count() > MAX_NAME_CHARS || path.chars().any(char::is_control) || path.is_empty() {
            let message = format!(
                "the field `{}` has no name of 1–{MAX_NAME_CHARS} characters",
                shorten(&path)
            );
            return Err(EventFault::new("invalid_field", message));
        }
        if self.0.len() >= MAX_FIELDS {
            return Err(EventFault::new(
                "too_many_fields",
                format!("the event has more than {MAX_FIELDS} fields"),
            ));
        }
        self.0.insert(path, storable(text));
        Ok(())
    }
}

/// A value as rules see it; nothing for null and what holds others.
pub(super) fn to_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A time as RFC 3339, or as milliseconds since 1970.
pub(super) fn to_time(value: &Value) -> Result<DateTime<Utc>, EventFault> {
    let found = match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|number| number as i64))
            .and_then(DateTime::from_timestamp_millis),
        _ => None,
    };
    found.ok_or_else(|| {
        EventFault::new(
            "invalid_time",
            "the time is neither RFC 3339 nor milliseconds since 1970",
        )
    })
}

/// PostgreSQL keeps no NUL character, and nobody needs a command line of megabytes.
fn storable(text: String) -> String {
    let text = if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    };
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        None => text,
        Some(_) => text.chars().take(MAX_TEXT_CHARS - 1).chain(['…']).collect(),
    }
}
