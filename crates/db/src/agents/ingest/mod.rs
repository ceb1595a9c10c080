//! Storing check-ins: many in one transaction, each acknowledged only when that transaction has committed.
//!
//! [`store`] resolves the tokens, locks the endpoints in the order of their ids (so that two groups never wait for each other in a circle),
//! decides in memory what each check-in adds ([`plan`]), and writes each table with one statement.

mod coverage;
mod plan;
mod read;
mod write;

pub(crate) use coverage::Return;
pub(crate) use plan::clamp;
pub(crate) use write::take_back;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, SubsecRound, Utc};
use serde_json::Value;
use sg_types::{
    AgentId, DetectionEngine, FindingId, Ids, TenantId,
    agent::{AgentRun, Finding},
};
use uuid::Uuid;

use crate::{
    DbError, SystemTx, TokenHash,
    monitoring::{Change, SecurityEvent, announce, record_security_event},
    threats::{StoredEvent, record_findings},
    tx::Connection,
};

/// Days that a finding or a gap may be late, and for which the server knows what it dated itself; what claims to be older is dated to its receipt.
pub(crate) const LATE_DAYS: i64 = 30;

/// A check-in, checked and cleaned: no text has NUL characters or is too long for its column, no number is out of range.
#[derive(Debug, Clone)]
pub struct NewCheckIn {
    /// Hash of the agent's token.
    pub token: TokenHash,
    /// The stream.
    pub epoch: Uuid,
    /// The turn of the last reply; nil at a stream's begin.
    pub turn: Uuid,
    /// Whether the reply carries a new turn. False while one check-in is stored in pieces.
    pub moves_turn: bool,
    /// Number of the first record, 1 or more.
    pub first_seq: i64,
    /// The records.
    pub records: Vec<NewRecord>,
    /// The agent's own time.
    pub sent_at: DateTime<Utc>,
    /// The agent's version.
    pub version: String,
    /// Version of its rule set.
    pub rules_version: i64,
    /// Its hardware fingerprint.
    pub hardware_fingerprint: String,
    /// The active telemetry sources, as JSON.
    pub sources: Value,
    /// Records that still wait on its side.
    pub backlog_records: i64,
    /// The agent's process, where it tells.
    pub run: Option<AgentRun>,
    /// What of the endpoint is watched, by its sources.
    pub watched: Watched,
}

/// How an area is watched, by the sources that the agent names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AreaState {
    /// The agent does not say.
    #[default]
    Untold,
    /// By the best source that there is.
    Whole,
    /// By one that misses more.
    Weaker,
    /// Not at all.
    Off,
}

/// How each area is watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// Program starts.
    pub process: AreaState,
    /// File changes.
    pub file: AreaState,
}

/// One record of a check-in.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The record's id; a record that is stored already is stored once.
    pub id: Uuid,
    /// When it happened, by the agent's clock.
    pub at: DateTime<Utc>,
    /// What it tells.
    pub body: NewBody,
}

/// What a record tells.
#[derive(Debug, Clone)]
pub enum NewBody {
    /// A sample, for `agents.system_info`.
    Metrics(Box<NewMetrics>),
    /// Something observed, for `agents.events`.
    Event {
        /// `process_started`, `file_written`, …
        kind: &'static str,
        /// Everything that was observed.
        detail: Value,
    },
    /// A rule matched.
    Finding(Box<Finding>),
    /// A hole in the stream.
    Gap(NewGap),
}

/// A sample; what was no valid number is none.
#[derive(Debug, Clone, Default)]
pub struct NewMetrics {
    /// Processor use, 0–1,000,000 %.
    pub cpu_usage: Option<f64>,
    /// Memory use, 0–100 %.
    pub memory_usage: Option<f64>,
    /// Disk use, 0–100 %.
    pub disk_usage: Option<f64>,
    /// `{rx_bytes_per_second, tx_bytes_per_second, interfaces: […]}`.
    pub network_usage: Option<Value>,
    /// Seconds since the machine started, 0 or more.
    pub uptime: Option<i64>,
    /// Processes, 0 or more.
    pub process_count: Option<i32>,
    /// State of services.
    pub service_status: Option<Value>,
}

/// A hole in a stream.
#[derive(Debug, Clone)]
pub struct NewGap {
    /// `agent` or `server`.
    pub noticed_by: &'static str,
    /// Why.
    pub reason: String,
    /// How many records are missing, where it is known.
    pub lost_records: Option<i64>,
    /// Begin.
    pub from_at: DateTime<Utc>,
    /// End; none for one that goes on.
    pub to_at: Option<DateTime<Utc>>,
    /// What was not watched, such as `process`; empty for the endpoint as a whole.
    pub area: &'static str,
    /// More in words.
    pub detail: Option<String>,
}

/// How one check-in of a group ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, as soon as the transaction commits.
    Stored {
        /// The endpoint that it came from.
        agent_id: AgentId,
        /// Every record up to this number is stored.
        acknowledged_through: i64,
        /// To be sent with the next check-in.
        turn: Uuid,
        /// Seconds until it is due.
        check_in_seconds: i32,
        /// Version of the tenant's own rules; 0 where it has the installation's.
        rules_version: i64,
    },
    /// The token stands for nobody, or for nobody any more.
    UnknownToken,
    /// The turn is not one of the stream's last two: another holder of the same state has checked in, or the stream is unknown.
    Conflict,
}

/// What came of a group of check-ins.
#[derive(Debug)]
pub struct Stored {
    /// The answer to each in its place.
    pub outcomes: Vec<Outcome>,
    /// What they told of events.
    pub events: Vec<SeenEvent>,
}

/// An event that has been stored.
#[derive(Debug)]
pub struct SeenEvent {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Version of the tenant's own rules; 0 where it has the installation's.
    pub rules_version: i64,
    /// The endpoint's host name.
    pub hostname: Arc<str>,
    /// The event.
    pub event: StoredEvent,
}

/// How findings become incidents.
#[derive(Debug, Clone, Copy)]
pub struct IngestSettings {
    /// How long after its last finding an incident takes in another one about the same subject.
    pub incident_window: Duration,
}

/// Stores a group of check-ins; answers each in its place. Nothing counts before the transaction has committed.
///
/// # Errors
/// When one check-in's data is refused by a table, nothing of the group is stored: the caller tries each alone.
pub async fn store(
    tx: &mut SystemTx,
    group: &[NewCheckIn],
    at: DateTime<Utc>,
    settings: IngestSettings,
    ids: &dyn Ids,
) -> Result<Stored, DbError> {
    // PostgreSQL keeps microseconds; whatever is finer would be rounded here and cut there.
    let at = at.trunc_subsecs(6);
    let agents = read::lock_agents(tx.conn(), group).await?;
    let streams = read::load_streams(tx.conn(), &agents, group).await?;
    let plan = plan::plan(group, &agents, streams, at, ids);
    write::write_streams(tx.conn(), &plan.streams, at).await?;
    write::write_heartbeats(tx.conn(), &plan.heartbeats, at).await?;
    write::write_endpoints(tx.conn(), &plan.endpoints, at).await?;
    write::insert_metrics(tx.conn(), &plan.metrics, at).await?;
    let repeated = write::insert_events(tx.conn(), &plan.events, at).await?;
    write::insert_gaps(tx.conn(), &plan.gaps, at).await?;
    write::end_gaps(tx.conn(), &plan.ended, at).await?;
    write::take_back(tx.conn(), &plan.returns, at).await?;
    let mut changes = record_findings(tx.conn(), &plan.findings, at, settings.incident_window, ids).await?;
    changes.extend(plan.changes);
    for own in plan
        .findings
        .iter()
        .filter(|placed| placed.finding.engine == DetectionEngine::Server)
    {
        let subject = own.agent_id.to_string();
        record_security_event(tx, &clone_detected(own, &subject)).await?;
    }
    announce(tx, &changes).await?;
    let agents: HashMap<Uuid, (&read::Agent, Arc<str>)> = agents
        .values()
        .map(|agent| (agent.agent_id.into(), (agent, agent.hostname.as_str().into())))
        .collect();
    let new = plan.events.into_iter().filter(|row| !repeated.contains(&row.id));
    let events = new.filter_map(|row| {
        let (agent, hostname) = agents.get(&row.agent_id)?;
        Some(SeenEvent {
            tenant_id: agent.tenant_id,
            rules_version: agent.rules_version,
            hostname: hostname.clone(),
            event: StoredEvent {
                event_id: row.id,
                agent_id: agent.agent_id,
                occurred_at: row.at,
                kind: row.kind.to_owned(),
                detail: row.detail,
            },
        })
    });
    Ok(Stored {
        events: events.collect(),
        outcomes: plan.outcomes,
    })
}

/// What the server noticed about an agent itself matters beyond its incident.
fn clone_detected<'a>(placed: &'a PlacedFinding, subject: &'a str) -> SecurityEvent<'a> {
    SecurityEvent {
        tenant_id: placed.tenant_id,
        at: placed.at,
        kind: "clone_detected",
        severity: placed.finding.severity,
        subject,
        detail: &placed.finding.evidence,
    }
}

/// A finding together with what the server knows about where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct PlacedFinding {
    pub(crate) occurrence_id: FindingId,
    pub(crate) tenant_id: TenantId,
    pub(crate) agent_id: AgentId,
    pub(crate) owner: Option<sg_types::UserId>,
    /// When it happened, clamped.
    pub(crate) at: DateTime<Utc>,
    pub(crate) finding: Finding,
}

/// A change of an endpoint's liveness or version.
pub(crate) fn endpoint_change(agent: &read::Agent) -> Change {
    Change::endpoint(agent.tenant_id, agent.agent_id, agent.owner)
}
