//! Events written as one flat JSON object with Sigma's field names, read without an intermediate tree.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::event::{Event, Field, LogSource, Value};

impl<'a> Event<'a> {
    /// Reads a flat JSON object whose keys are field names. Texts without escapes are borrowed. Booleans become `true` and
    /// `false`, fractions and numbers beyond 64 bits with a sign their text; `null` is an absent field. The later of two equal keys counts.
    ///
    /// # Errors
    /// When the text is no JSON object, or a value is a list or an object.
    pub fn from_json(text: &'a str, log_source: LogSource<'a>) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let event = reader.deserialize_map(FlatObject(log_source))?;
        reader.end()?;
        Ok(event)
    }
}

struct FlatObject<'a>(LogSource<'a>);

impl<'de> Visitor<'de> for FlatObject<'de> {
    type Value = Event<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flat object of field names and values")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut event = Event::new(self.0);
        while let Some(Name(name)) = map.next_key()? {
            match (Field::from_name(&name), map.next_value()?) {
                (Some(field), Scalar(value)) => event.put(field, value),
                (None, Scalar(Some(value))) => _ = event.set_named(name, value),
                (None, Scalar(None)) => event.remove_named(&name),
            }
        }
        Ok(event)
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(deserializer)?.0 {
            Some(Value::Text(text)) => Ok(Self(text)),
            _ => Err(D::Error::custom("a field's name is no text")),
        }
    }
}

struct Scalar<'a>(Option<Value<'a>>);

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor).map(Self)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Option<Value<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false or null")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Int(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(match i64::try_from(number) {
            Ok(number) => Value::Int(number),
            Err(_) => Value::from(number.to_string()),
        }))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::from(number.to_string())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::from(if value { "true" } else { "false" })))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Event<'_>, serde_json::Error> {
        Event::from_json(text, LogSource::LINUX_PROCESS_CREATION)
    }

    #[test]
    fn a_flat_object_becomes_an_event() {
        let text = r#"{"Image": "/bin/sh", "CommandLine": "sh -c \"id\"", "ProcessId": 7, "User": null, "Elevated": true, "Load": 0.5, "Huge": 18446744073709551615}"#;
        let event = read(text).unwrap();
        assert!(matches!(
            event.field(Field::Image),
            Some(Value::Text(Cow::Borrowed("/bin/sh")))
        ));
        assert_eq!(
            event.field(Field::CommandLine),
            Some(&Value::from("sh -c \"id\""))
        );
        assert_eq!(event.field(Field::ProcessId), Some(&Value::Int(7)));
        assert_eq!(event.field(Field::User), None);
        for (name, value) in [
            ("Elevated", "true"),
            ("Load", "0.5"),
            ("Huge", "18446744073709551615"),
        ] {
            assert_eq!(event.find(name), Some(&Value::from(value)), "{name}");
        }
    }

    #[test]
    fn the_later_of_two_equal_keys_counts() {
        let event = read(r#"{"Image": "a", "x": "b", "x": null, "Image": null, "y": 1, "y": 2}"#).unwrap();
        assert_eq!(event.values().collect::<Vec<_>>(), [("y", &Value::Int(2))]);
    }

    #[test]
    fn what_is_not_flat_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            r#"{"a": []}"#,
            r#"{"a": {"b": 1}}"#,
            r#"{"a": 1} {}"#,
            r#"{"a""#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
