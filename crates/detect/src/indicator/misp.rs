//! Indicators of events as MISP exports them (MISP core format, draft-dulaunoy-misp-core-format): attributes that are meant for detection, of the event and of its
//! objects.

use serde::Deserialize;

use super::IndicatorType;
use super::list::{Entry, Row};
use crate::diagnostic::shorten;

/// One event, as it is downloaded, or several, as a search answers.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Export {
    One {
        #[serde(rename = "Event")]
        event: Event,
    },
    Several {
        response: Vec<Wrapped>,
    },
}

#[derive(Deserialize)]
pub(super) struct Wrapped {
    #[serde(rename = "Event")]
    event: Event,
}

#[derive(Deserialize)]
pub(super) struct Event {
    #[serde(default)]
    info: String,
    /// 1 high, 2 medium, 3 low, 4 undefined; older servers write it as a text.
    #[serde(default)]
    threat_level_id: serde_json::Value,
    #[serde(default, rename = "Orgc")]
    organisation: Organisation,
    #[serde(default, rename = "Attribute")]
    attributes: Vec<serde_json::Value>,
    #[serde(default, rename = "Object")]
    objects: Vec<Object>,
}

#[derive(Deserialize, Default)]
struct Organisation {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default, rename = "Attribute")]
    attributes: Vec<serde_json::Value>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "type")]
    kind: String,
    value: String,
    /// Whether it is meant for detection; others are notes.
    #[serde(default)]
    to_ids: bool,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    deleted: bool,
}

/// The entries of an export, or for each attribute that is meant for detection and not taken why not.
pub(super) fn read(export: Export) -> Vec<Entry> {
    let events = match export {
        Export::One { event } => vec![event],
        Export::Several { response } => response.into_iter().map(|wrapped| wrapped.event).collect(),
    };
    events.iter().flat_map(entries).collect()
}

fn entries(event: &Event) -> Vec<Entry> {
    let severity = match event.threat_level_id.to_string().trim_matches('"') {
        "2" => "medium",
        "3" => "low",
        _ => "high",
    };
    let objects = event.objects.iter().filter(|object| !object.deleted);
    let attributes = event
        .attributes
        .iter()
        .chain(objects.flat_map(|object| &object.attributes));
    attributes
        .flat_map(|attribute| {
            // One that is damaged is refused by itself.
            let attribute = match Attribute::deserialize(attribute) {
                Ok(attribute) => attribute,
                Err(error) => return vec![Err(format!("an attribute: {error}"))],
            };
            if !attribute.to_ids || attribute.deleted {
                return Vec::new();
            }
            let attribute = &attribute;
            let values = values(attribute);
            if values.is_empty() {
                let reason = format!(
                    "`{}`: attributes of this type are nothing that is compared",
                    shorten(&attribute.kind, 40)
                );
                return vec![Err(reason)];
            }
            let description = if attribute.comment.is_empty() {
                &event.info
            } else {
                &attribute.comment
            };
            let row = |(kind, value): (IndicatorType, &str)| {
                Ok(Row {
                    value: value.to_owned(),
                    kind: kind.as_str().to_owned(),
                    severity: severity.to_owned(),
                    source: event.organisation.name.clone(),
                    description: description.clone(),
                    ..Row::default()
                })
            };
            values.into_iter().map(row).collect()
        })
        .collect()
}

/// What an attribute names. Of a name and a hash only the hash counts, since files of that name are many; of an address and a port only the address.
fn values(attribute: &Attribute) -> Vec<(IndicatorType, &str)> {
    let value = attribute.value.as_str();
    let (first, second) = value.split_once('|').unwrap_or((value, value));
    match attribute.kind.as_str() {
        "sha256" => vec![(IndicatorType::Sha256, value)],
        "sha1" => vec![(IndicatorType::Sha1, value)],
        "md5" => vec![(IndicatorType::Md5, value)],
        "filename|sha256" => vec![(IndicatorType::Sha256, second)],
        "filename|sha1" => vec![(IndicatorType::Sha1, second)],
        "filename|md5" => vec![(IndicatorType::Md5, second)],
        "filename" => vec![(IndicatorType::FileName, value)],
        "domain" | "hostname" => vec![(IndicatorType::Domain, value)],
        "domain|ip" => vec![(IndicatorType::Domain, first), (IndicatorType::Ip, second)],
        "hostname|port" => vec![(IndicatorType::Domain, first)],
        "ip-src" | "ip-dst" => vec![(IndicatorType::Ip, value)],
        "ip-src|port" | "ip-dst|port" => vec![(IndicatorType::Ip, first)],
        "url" => vec![(IndicatorType::Url, value)],
        _ => Vec::new(),
    }
}
