//! Correlation rules at work: events are counted in the transaction that stores them, and a job looks at the groups in which something is due.

mod job;
mod note;

pub use job::run;
pub use note::note_events;

use chrono::{DateTime, Duration, Utc};
use sg_db::threats::{CorrelationGroup, CorrelationMatch};
use sg_detect::correlation::{Correlation, Sighting};
use sg_types::{AgentId, TenantId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How long after the end of a time its late events are waited for, where a correlation is judged when its time is over.
const LATENESS: Duration = Duration::seconds(60);

/// Where and when something that counts happened.
struct Occurrence {
    tenant_id: TenantId,
    agent_id: AgentId,
    event_id: Uuid,
    occurred_at: DateTime<Utc>,
    summary: String,
}

fn to_match(sighting: Sighting, of: &Occurrence, now: DateTime<Utc>) -> CorrelationMatch {
    let correlation = &sighting.correlation;
    let due_at = if correlation.is_immediate() {
        now
    } else {
        of.occurred_at.max(now - LATENESS) + correlation.timespan + LATENESS
    };
    CorrelationMatch {
        group: CorrelationGroup {
            tenant_id: of.tenant_id,
            rule_id: correlation.info.id.clone(),
            key: key_of(&sighting.group),
        },
        group_values: sighting.group,
        event_id: of.event_id,
        agent_id: of.agent_id,
        occurred_at: of.occurred_at,
        position: i16::try_from(sighting.position).unwrap_or(i16::MAX),
        value: sighting.value,
        matched_rule: sighting.rule.title.clone(),
        summary: of.summary.clone(),
        due_at: Some(due_at),
        keep_until: keep_until(correlation, of.occurred_at),
    }
}

/// Late events may come as long as this, and an episode may go on.
fn keep_until(correlation: &Correlation, at: DateTime<Utc>) -> DateTime<Utc> {
    at + correlation.timespan * 2 + Duration::days(1)
}

/// SHA-256 over the values with their lengths, so that they do not run into each other.
fn key_of(group: &[String]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for value in group {
        hasher.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(value.as_bytes());
    }
    hasher.finalize().into()
}
