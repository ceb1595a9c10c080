//! One record: understood, cleaned and bounded, or turned into a gap that says why it was not.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sg_db::agents::ingest::{NewBody, NewGap, NewMetrics, NewRecord};
use sg_types::Ids;
use sg_types::agent::{Event, Finding, Gap, MAX_TEXT_CHARS};
use uuid::Uuid;

use super::clean::{bounded, clean_text, clean_value};

/// Characters of a rule's id: it is part of an index.
const MAX_RULE_ID_CHARS: usize = 255;
/// Characters of a rule's title.
const MAX_RULE_NAME_CHARS: usize = 500;
/// Characters of a kind of threat (`threats.incidents.threat_type`).
const MAX_THREAT_TYPE_CHARS: usize = 100;
/// Tags of a finding.
const MAX_TAGS: usize = 64;
/// Ancestors of a process.
const MAX_ANCESTORS: usize = 64;
/// Interfaces of a sample.
const MAX_INTERFACES: usize = 64;
/// Services of a sample.
const MAX_SERVICES: usize = 256;
/// Characters of a reason.
const MAX_REASON_CHARS: usize = 100;

#[derive(Deserialize)]
struct RawRecord<'a> {
    id: Uuid,
    at: DateTime<Utc>,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// A sample in which every figure may be missing: JSON has no NaN, so what was none arrives as null.
#[derive(Deserialize)]
struct RawMetrics {
    cpu_usage: Option<f64>,
    memory_usage: Option<f64>,
    disk_usage: Option<f64>,
    #[serde(default)]
    network_usage: Vec<RawInterface>,
    uptime: Option<u64>,
    process_count: Option<u64>,
    #[serde(default)]
    service_status: Vec<Value>,
}

#[derive(Deserialize)]
struct RawInterface {
    interface: String,
    #[serde(default)]
    rx_bytes_per_second: Option<u64>,
    #[serde(default)]
    tx_bytes_per_second: Option<u64>,
}

pub(super) fn parse_record(raw: &RawValue, sent_at: DateTime<Utc>, ids: &dyn Ids) -> NewRecord {
    match serde_json::from_str::<RawRecord<'_>>(raw.get()) {
        Ok(record) => {
            let body = parse_body(record.body.get()).unwrap_or_else(|why| refused(record.at, &why));
            NewRecord {
                id: record.id,
                at: record.at,
                body,
            }
        }
        Err(error) => NewRecord {
            id: ids.next(),
            at: sent_at,
            body: refused(sent_at, &error.to_string()),
        },
    }
}

/// What stands in the place of a record that cannot be stored.
pub(super) fn refused(at: DateTime<Utc>, why: &str) -> NewBody {
    NewBody::Gap(NewGap {
        noticed_by: "server",
        reason: "record_refused".to_owned(),
        lost_records: Some(1),
        from_at: at,
        to_at: Some(at),
        area: "",
        detail: Some(clean_text(why.to_owned(), MAX_RULE_NAME_CHARS)),
    })
}

fn parse_body(text: &str) -> Result<NewBody, String> {
    let kind = parse::<Kind>(text)?.kind;
    match kind.as_str() {
        "metrics" => Ok(NewBody::Metrics(Box::new(clean_metrics(parse(text)?)))),
        "event" => parse_event(text),
        "finding" => Ok(NewBody::Finding(Box::new(clean_finding(parse(text)?)?))),
        "gap" => Ok(NewBody::Gap(clean_gap(parse(text)?))),
        other => Err(format!("records of type `{other}` are not known to this server")),
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn clean_metrics(raw: RawMetrics) -> NewMetrics {
    let within = |value: Option<f64>, max: f64| value.filter(|v| (0.0..=max).contains(v));
    NewMetrics {
        cpu_usage: within(raw.cpu_usage, 1_000_000.0),
        memory_usage: within(raw.memory_usage, 100.0),
        disk_usage: within(raw.disk_usage, 100.0),
        network_usage: Some(sum_interfaces(raw.network_usage)),
        uptime: raw.uptime.and_then(|seconds| i64::try_from(seconds).ok()),
        process_count: raw.process_count.and_then(|count| i32::try_from(count).ok()),
        service_status: Some(bounded(clean_value(
            raw.service_status.into_iter().take(MAX_SERVICES).collect(),
        ))),
    }
}

/// The interfaces, and the sum of all but loopback for the charts.
fn sum_interfaces(interfaces: Vec<RawInterface>) -> Value {
    let outside = || interfaces.iter().filter(|i| i.interface != "lo");
    let received = outside()
        .filter_map(|i| i.rx_bytes_per_second)
        .fold(0_u64, u64::saturating_add);
    let sent = outside()
        .filter_map(|i| i.tx_bytes_per_second)
        .fold(0_u64, u64::saturating_add);
    let list: Vec<Value> = interfaces
        .into_iter()
        .take(MAX_INTERFACES)
        .map(|i| {
            json!({
                "interface": clean_text(i.interface, MAX_REASON_CHARS), "rx_bytes_per_second": i.rx_bytes_per_second,
                "tx_bytes_per_second": i.tx_bytes_per_second,
            })
        })
        .collect();
    json!({ "rx_bytes_per_second": received, "tx_bytes_per_second": sent, "interfaces": list })
}

fn parse_event(text: &str) -> Result<NewBody, String> {
    let (kind, detail) = match parse(text)? {
        Event::ProcessStarted(mut process) => {
            process.ancestors.truncate(MAX_ANCESTORS);
            ("process_started", serde_json::to_value(process))
        }
        Event::FileWritten(file) => ("file_written", serde_json::to_value(file)),
        Event::FileRenamed(file) => ("file_renamed", serde_json::to_value(file)),
        Event::FileDeleted(file) => ("file_deleted", serde_json::to_value(file)),
        Event::Logged(_) => return Err("entries of logs come over the API, not from agents".to_owned()),
    };
    Ok(NewBody::Event {
        kind,
        detail: bounded(clean_value(detail.map_err(|error| error.to_string())?)),
    })
}

/// A finding as the tables take it.
///
/// # Errors
/// Why it cannot be stored, in words.
pub(crate) fn clean_finding(finding: Finding) -> Result<Finding, String> {
    let words = |error: serde_json::Error| error.to_string();
    // Every text of the structure at once, whatever fields it has.
    let cleaned = clean_value(serde_json::to_value(finding).map_err(words)?);
    let mut finding: Finding = serde_json::from_value(cleaned).map_err(words)?;
    if finding.rule_id.trim().is_empty() {
        return Err("a finding has to name its rule".to_owned());
    }
    finding.rule_id = clean_text(finding.rule_id, MAX_RULE_ID_CHARS);
    finding.rule_name = clean_text(finding.rule_name, MAX_RULE_NAME_CHARS);
    finding.threat_type = clean_text(finding.threat_type, MAX_THREAT_TYPE_CHARS);
    finding.confidence = finding.confidence.clamp(0.0, 1.0);
    finding.tags.truncate(MAX_TAGS);
    finding.tags = finding
        .tags
        .into_iter()
        .map(|tag| clean_text(tag, MAX_REASON_CHARS))
        .collect();
    finding.evidence = bounded(finding.evidence);
    Ok(finding)
}

/// What the server alone may say of an endpoint.
const OWN_REASONS: [&str; 6] = [
    "offline",
    "weaker_source",
    "collector_off",
    "clock_skew",
    "records_missing",
    "more_gaps",
];

fn clean_gap(gap: Gap) -> NewGap {
    NewGap {
        noticed_by: "agent",
        reason: if OWN_REASONS.contains(&gap.reason.as_str()) {
            "other".to_owned()
        } else {
            clean_text(gap.reason, MAX_REASON_CHARS)
        },
        lost_records: gap.lost_records.and_then(|lost| i64::try_from(lost).ok()),
        from_at: gap.from,
        to_at: Some(gap.to),
        area: "",
        detail: gap.detail.map(|detail| clean_text(detail, MAX_TEXT_CHARS)),
    }
}

#[cfg(test)]
mod tests {
    use sg_types::TimeOrderedIds;

    use super::*;

    fn read(body: &str) -> NewBody {
        let record = format!(
            r#"{{"id":"00000000-0000-7000-8000-000000000001","at":"2026-01-01T00:00:00Z","body":{body}}}"#
        );
        let raw: Box<RawValue> = serde_json::from_str(&record).unwrap();
        parse_record(&raw, DateTime::UNIX_EPOCH, &TimeOrderedIds).body
    }

    #[test]
    fn figures_that_are_none_leave_the_others() {
        let NewBody::Metrics(metrics) = read(
            r#"{"type":"metrics","cpu_usage":null,"memory_usage":250.0,"disk_usage":-1,"uptime":18446744073709551615,"process_count":7,
                "network_usage":[{"interface":"lo","rx_bytes_per_second":9,"tx_bytes_per_second":9},
                                 {"interface":"eth0","rx_bytes_per_second":2,"tx_bytes_per_second":null}]}"#,
        ) else {
            panic!("no metrics")
        };
        assert_eq!(
            (
                metrics.cpu_usage,
                metrics.memory_usage,
                metrics.disk_usage,
                metrics.uptime
            ),
            (None, None, None, None)
        );
        assert_eq!(metrics.process_count, Some(7));
        assert_eq!(metrics.network_usage.unwrap()["rx_bytes_per_second"], 2);
    }

    #[test]
    fn what_cannot_be_read_is_a_gap_that_says_why() {
        for (body, words) in [
            (r#"{"type":"metrics","cpu_usage":1e999}"#, "out of range"),
            (r#"{"type":"quantum"}"#, "`quantum`"),
            (
                r#"{"type":"event","kind":"file_eaten","path":"/a","size":1}"#,
                "file_eaten",
            ),
            (r#"{"type":"finding"}"#, "missing field"),
            (r#""text""#, "invalid type"),
        ] {
            let NewBody::Gap(gap) = read(body) else {
                panic!("{body}")
            };
            assert_eq!(
                (gap.noticed_by, gap.reason.as_str()),
                ("server", "record_refused")
            );
            assert!(gap.detail.as_ref().unwrap().contains(words), "{body}: {gap:?}");
        }
    }

    #[test]
    fn events_keep_everything_that_was_seen() {
        let NewBody::Event { kind, detail } =
            read(r#"{"type":"event","kind":"file_written","path":"/tmp/a\u0000b","size":3}"#)
        else {
            panic!("no event")
        };
        assert_eq!(
            (kind, detail["path"].as_str().unwrap(), &detail["size"]),
            ("file_written", "/tmp/a\u{fffd}b", &json!(3))
        );
    }
}
