//! What the rules say of events that no agent saw.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sg_db::agents::ingest::SeenEvent;
use sg_detect::{Event, Field, FileFacts, Match, RuleSet, Value};
use sg_types::FindingId;
use sg_types::agent::{Event as RecordedEvent, FileSubject, Finding, LogEvent, ProcessSubject, Subject};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ingest::clean_finding;
use crate::threats::rules::recorded;

/// Matches of one event that become findings.
const MAX_FINDINGS: usize = 20;

/// The findings about stored events, each with the time of its event. Takes a processor.
pub(crate) fn judge(
    rules: &RuleSet,
    events: &[SeenEvent],
    now: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, Finding)> {
    events
        .iter()
        .flat_map(|seen| judge_one(rules, seen, now))
        .collect()
}

fn judge_one(rules: &RuleSet, seen: &SeenEvent, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, Finding)> {
    let Some(RecordedEvent::Logged(entry)) = recorded(seen.event.clone()) else {
        return Vec::new();
    };
    let mut event = Event::logged(&entry);
    if event.field(Field::ComputerName).is_none() {
        event.set(Field::ComputerName, &*seen.hostname);
    }
    let mut found = rules.evaluate(&event);
    found.extend(look_up(rules, &event, now));
    found.truncate(MAX_FINDINGS);
    let event_id = seen.event.event_id;
    found
        .into_iter()
        .filter_map(|one| {
            let finding_id = FindingId(derived_id(&[
                b"finding",
                event_id.as_bytes(),
                one.rule.id.as_bytes(),
            ]));
            let finding = one.into_finding(finding_id, subject(&entry, event_id));
            Some((seen.event.occurred_at, clean_finding(finding).ok()?))
        })
        .collect()
}

/// Indicators that know an address, a name, a URL or a hash of the event.
fn look_up(rules: &RuleSet, event: &Event<'_>, now: DateTime<Utc>) -> Vec<Match> {
    if rules.indicators().is_empty() {
        return Vec::new();
    }
    let text = |name: &str| event.find(name).map(Value::as_text);
    let addresses = ["SourceIp", "DestinationIp"]
        .iter()
        .filter_map(|name| text(name)?.parse::<IpAddr>().ok());
    let mut found: Vec<Match> = addresses
        .filter_map(|address| rules.check_address(address, now))
        .collect();
    let names = ["QueryName", "DestinationHostname", "cs-host"]
        .iter()
        .filter_map(|name| text(name));
    found.extend(names.filter_map(|name| rules.check_domain(&name, now)));
    found.extend(text("c-uri").and_then(|url| rules.check_url(&url, now)));
    let path = text("TargetFilename")
        .or_else(|| text("Image"))
        .unwrap_or_default();
    let facts = FileFacts {
        path: &path,
        sha256: text("sha256").and_then(|hash| hex::decode(&*hash).ok()?.try_into().ok()),
        ..FileFacts::default()
    };
    if !path.is_empty() || facts.sha256.is_some() {
        found.extend(rules.check_file(&facts, now));
    }
    found
}

/// What the event is about, so that incidents about one program or file are one.
fn subject(entry: &LogEvent, event_id: Uuid) -> Subject {
    let field = |name: &str| entry.fields.get(name).cloned();
    let sha256 = field("sha256")
        .map(|hash| hash.to_lowercase())
        .filter(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    match entry.category.as_deref() {
        Some("process_creation") => {
            let image = field("Image");
            let name = field("ProcessName")
                .or_else(|| Some(image.as_deref()?.rsplit(['/', '\\']).next()?.to_owned()));
            Subject::Process(ProcessSubject {
                key: field("ProcessGuid").unwrap_or_else(|| event_id.to_string()),
                ancestors: Vec::new(),
                pid: field("ProcessId").and_then(|pid| pid.parse().ok()).unwrap_or(0),
                name: name.unwrap_or_default(),
                command_line: field("CommandLine").unwrap_or_default(),
                current_directory: field("CurrentDirectory"),
                sha256,
                user: field("User"),
                parent_image: field("ParentImage"),
                parent_command_line: field("ParentCommandLine"),
                image,
            })
        }
        Some("file_event" | "file_delete" | "file_access") => {
            field("TargetFilename").map_or(Subject::Endpoint, |path| {
                Subject::File(FileSubject {
                    path,
                    sha256,
                    size: 0,
                    user: field("User"),
                })
            })
        }
        _ => Subject::Endpoint,
    }
}

/// A UUID of version 8 that follows from its parts.
pub(crate) fn derived_id(parts: &[&[u8]]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(digest.split_at(16).0);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
