//! Events of other products, in the words of Sigma's taxonomy: Elastic Common Schema, OCSF, and events that come in Sigma's words already.
//!
//! What a format has no counterpart for keeps its own name, so that rules may ask for it too.

mod ecs;
mod fields;
mod ocsf;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sg_types::agent::LogEvent;

use fields::{Fields, to_time};

/// Fields of one event.
pub const MAX_FIELDS: usize = 500;
/// Levels of an event's JSON.
pub const MAX_DEPTH: usize = 16;
/// Characters of a field's name.
pub const MAX_NAME_CHARS: usize = 200;
/// Characters of a part of a log source.
const MAX_SOURCE_CHARS: usize = 100;
/// Characters of an event's own id.
const MAX_ID_CHARS: usize = 1_000;

/// An event that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedEvent {
    /// The event's own id, where it has one.
    pub id: Option<String>,
    /// When it happened, where it says.
    pub at: Option<DateTime<Utc>>,
    /// Where it comes from, and its values.
    pub event: LogEvent,
}

/// Why an event was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFault {
    /// A stable word.
    pub code: &'static str,
    /// In words.
    pub message: String,
}

impl EventFault {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Reads one event. What it does not say of its log source is as `otherwise`, whose fields are not looked at.
///
/// # Errors
/// What is wrong with it: `invalid_json`, `too_deep`, `too_many_fields`, `invalid_field`, `invalid_time`, `invalid_id`, `unknown_format` or
/// `unknown_log_source`.
pub fn map_event(text: &str, otherwise: &LogEvent) -> Result<MappedEvent, EventFault> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        // serde_json gives up at 128 levels.
        let code = if error.to_string().starts_with("recursion limit") {
            "too_deep"
        } else {
            "invalid_json"
        };
        EventFault::new(code, format!("the line is no JSON that is taken: {error}"))
    })?;
    let Value::Object(object) = value else {
        return Err(EventFault::new("invalid_json", "the line is no JSON object"));
    };
    let mut mapped = if object.contains_key("logsource") {
        map_sigma(&object)?
    } else if object.contains_key("class_uid") {
        ocsf::map(&object)?
    } else if ["@timestamp", "ecs", "ecs.version", "event", "event.kind"]
        .iter()
        .any(|key| object.contains_key(*key))
    {
        ecs::map(&object)?
    } else {
        return Err(EventFault::new(
            "unknown_format",
            "the event has neither `logsource` (Sigma) nor `class_uid` (OCSF) nor `@timestamp` (Elastic Common Schema)",
        ));
    };
    if mapped
        .id
        .as_ref()
        .is_some_and(|id| id.chars().count() > MAX_ID_CHARS)
    {
        return Err(EventFault::new(
            "invalid_id",
            format!("the event's id has more than {MAX_ID_CHARS} characters"),
        ));
    }
    settle_source(&mut mapped.event, otherwise)?;
    Ok(mapped)
}

/// `{"logsource": {"product": …}, "fields": {…}, "time": …, "id": …}`.
fn map_sigma(object: &Map<String, Value>) -> Result<MappedEvent, EventFault> {
    if let Some(other) = object
        .keys()
        .find(|key| !["logsource", "fields", "time", "id"].contains(&key.as_str()))
    {
        let message = format!(
            "`{}` is not known beside `logsource`, `fields`, `time` and `id`",
            shorten(other)
        );
        return Err(EventFault::new("unknown_format", message));
    }
    let source = object
        .get("logsource")
        .and_then(Value::as_object)
        .ok_or_else(|| EventFault::new("unknown_format", "`logsource` is no object"))?;
    let part = |name: &str| source.get(name).and_then(Value::as_str).map(str::to_owned);
    let fields = Fields::of(object.get("fields").unwrap_or(&Value::Null))?;
    Ok(MappedEvent {
        id: object.get("id").and_then(fields::to_text),
        at: object.get("time").map(to_time).transpose()?,
        event: LogEvent {
            product: part("product"),
            category: part("category"),
            service: part("service"),
            fields: fields.into_map(),
        },
    })
}

fn settle_source(event: &mut LogEvent, otherwise: &LogEvent) -> Result<(), EventFault> {
    for (part, default) in [
        (&mut event.product, &otherwise.product),
        (&mut event.category, &otherwise.category),
        (&mut event.service, &otherwise.service),
    ] {
        let found = part
            .take()
            .filter(|text| !text.is_empty())
            .or_else(|| default.clone());
        *part = found.map(|text| text.to_lowercase());
        if part
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_SOURCE_CHARS || text.chars().any(char::is_control))
        {
            let message = format!(
                "a part of the log source is longer than {MAX_SOURCE_CHARS} characters or has control characters"
            );
            return Err(EventFault::new("unknown_log_source", message));
        }
    }
    if event.product.is_none() && event.category.is_none() && event.service.is_none() {
        return Err(EventFault::new(
            "unknown_log_source",
            "nothing says which log source the event is of; name `product`, `category` or `service` in the request",
        ));
    }
    Ok(())
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
