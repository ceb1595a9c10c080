//! Records as an agent makes them, written as JSON at once.

use std::time::Duration;

use serde_json::json;
use sg_types::{Clock, Ids, SystemClock, TimeOrderedIds};
use uuid::Uuid;

/// Where a record ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `agents.system_info`, under the record's id.
    Sample,
    /// `agents.events`, under the record's id.
    Event,
    /// `threats.occurrences`, under the finding's id.
    Match,
}

/// A record that was not sent yet.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Where it ends up.
    pub kind: Kind,
    /// The id under which it is stored.
    pub id: Uuid,
    pub(crate) json: String,
}

impl NewRecord {
    /// A sample of the machine's health, taken so long ago; with or without traffic of an interface.
    pub fn sample(ago: Duration, with_network: bool) -> Self {
        let id = TimeOrderedIds.next();
        let at = (SystemClock.now() - ago).to_rfc3339();
        let network = if with_network {
            r#"{"interface":"eth0","rx_bytes_per_second":1000,"tx_bytes_per_second":500}"#
        } else {
            ""
        };
        let json = format!(
            r#"{{"id":"{id}","at":"{at}","body":{{"type":"metrics","cpu_usage":12.5,"memory_usage":40.0,"disk_usage":50.0,"uptime":100,"process_count":80,"network_usage":[{network}],"service_status":[]}}}}"#
        );
        Self {
            kind: Kind::Sample,
            id,
            json,
        }
    }

    /// A file that was written.
    pub fn file_written(path: &str) -> Self {
        let mut body = file(path);
        body["type"] = json!("event");
        body["kind"] = json!("file_written");
        Self::of(Kind::Event, TimeOrderedIds.next(), TimeOrderedIds.next(), &body)
    }

    /// A match of a rule on a file.
    pub fn file_matched(rule: &str, path: &str) -> Self {
        let finding_id = TimeOrderedIds.next();
        let mut subject = file(path);
        subject["type"] = json!("file");
        let body = json!({
            "type": "finding", "finding_id": finding_id, "rule_id": rule, "rule_name": format!("The {rule}"), "engine": "yara",
            "severity": "high", "confidence": 0.8, "threat_type": "malware", "tags": [], "explanation": "It matched.",
            "evidence": [], "subject": subject,
        });
        Self::of(Kind::Match, finding_id, TimeOrderedIds.next(), &body)
    }

    fn of(kind: Kind, stored_as: Uuid, id: Uuid, body: &serde_json::Value) -> Self {
        let at = SystemClock.now();
        Self {
            kind,
            // What is no finding is stored under the record's own id.
            id: if kind == Kind::Match { stored_as } else { id },
            json: json!({ "id": id, "at": at, "body": body }).to_string(),
        }
    }
}

fn file(path: &str) -> serde_json::Value {
    json!({ "path": path, "sha256": "27".repeat(32), "size": 68, "user": "root" })
}

#[cfg(test)]
mod tests {
    use sg_types::agent::{Record, RecordBody};

    use super::*;

    #[test]
    fn what_is_written_by_hand_is_what_the_protocol_says() {
        for record in [
            NewRecord::sample(Duration::from_secs(3), false),
            NewRecord::sample(Duration::ZERO, true),
            NewRecord::file_written("/srv/\"a\""),
            NewRecord::file_matched("rule-1", "/srv/b"),
        ] {
            let parsed: Record = serde_json::from_str(&record.json).unwrap();
            let id = match &parsed.body {
                RecordBody::Finding(finding) => Uuid::from(finding.finding_id),
                _ => Uuid::from(parsed.id),
            };
            let kind = match parsed.body {
                RecordBody::Metrics(_) => Kind::Sample,
                RecordBody::Event(_) => Kind::Event,
                RecordBody::Finding(_) => Kind::Match,
                RecordBody::Gap(_) => panic!("no gap was made"),
            };
            assert_eq!((id, kind), (record.id, record.kind));
        }
    }
}
