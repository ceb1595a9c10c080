//! Endpoints and their metrics.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{AgentId, EndpointKind, EndpointStatus, HoldId, Liveness, UserId, agent::TelemetrySource};

/// A monitored endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct EndpointView {
    /// The endpoint's id.
    pub agent_id: AgentId,
    /// Who sends what is known of it.
    pub kind: EndpointKind,
    /// Host name; of a log source its name.
    pub hostname: String,
    /// Name given by people.
    pub device_name: Option<String>,
    /// Address of the interface that reaches the server.
    pub ip_address: Option<String>,
    /// Hardware address of that interface.
    pub mac_address: Option<String>,
    /// Operating system in words.
    pub os_info: Option<String>,
    /// The agent's version.
    pub version: Option<String>,
    /// What an administrator decided.
    pub status: EndpointStatus,
    /// Whether the endpoint has checked in within twice its interval, not counting time in which nobody was listening.
    pub online: bool,
    /// The same, with those that are late told apart.
    pub liveness: Liveness,
    /// The last check-in.
    pub last_seen: Option<DateTime<Utc>>,
    /// Seconds between check-ins.
    pub heartbeat_interval: i32,
    /// The person whose endpoint it is.
    pub user_id: Option<UserId>,
    /// That person's user name.
    pub username: Option<String>,
    /// Incidents that are not closed.
    pub open_incidents: i64,
    /// Latest processor use in %.
    pub cpu_usage: Option<f64>,
    /// Latest memory use in %.
    pub memory_usage: Option<f64>,
    /// Latest use of the fullest file system in %.
    pub disk_usage: Option<f64>,
    /// The active telemetry sources.
    pub sources: Vec<TelemetrySource>,
    /// When it was first enrolled.
    pub created_at: DateTime<Utc>,
}

/// `PATCH /api/v1/agents/endpoints/{agent_id}`; absent fields stay, null clears.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateEndpoint {
    /// Name given by people, at most 100 characters.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub device_name: Option<Option<String>>,
    /// The person whose endpoint it is; has to be a member of the tenant.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<Uuid>)]
    pub user_id: Option<Option<UserId>>,
}

/// `GET /api/v1/agents/endpoints/{agent_id}/metrics?from=&to=&points=`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct MetricSeries {
    /// Begin of the range.
    pub from: DateTime<Utc>,
    /// End of the range.
    pub to: DateTime<Utc>,
    /// Seconds that one point stands for.
    pub step_seconds: i64,
    /// The points that have samples, oldest first.
    pub points: Vec<MetricPoint>,
}

/// The average of the samples within one step.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct MetricPoint {
    /// Begin of the step.
    pub at: DateTime<Utc>,
    /// Processor use in %.
    pub cpu_usage: Option<f64>,
    /// Memory use in %.
    pub memory_usage: Option<f64>,
    /// Use of the fullest file system in %.
    pub disk_usage: Option<f64>,
    /// Bytes received per second, all interfaces but loopback.
    pub rx_bytes_per_second: Option<f64>,
    /// Bytes sent per second, all interfaces but loopback.
    pub tx_bytes_per_second: Option<f64>,
    /// Processes.
    pub process_count: Option<f64>,
}

/// A process execution or file change that an endpoint observed.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct EndpointEventView {
    /// The event's id.
    pub event_id: Uuid,
    /// When it happened, by the endpoint's clock (clamped to the time of receipt).
    pub occurred_at: DateTime<Utc>,
    /// `process_started`, `file_written`, `file_renamed`, `file_deleted`, `logged` or `gap`.
    pub kind: String,
    /// Everything that was observed.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// A time for which an endpoint was not watched, or not as well as it could be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct CoverageGapView {
    /// The gap's id.
    pub gap_id: Uuid,
    /// Why: `offline`, `agent_killed`, `spool_full`, `weaker_source`, …; `docs/coverage.md` lists them.
    pub reason: String,
    /// For one that was offline: `host`, `agent`, `network` or `unknown`; null until the endpoint is back.
    pub cause: Option<String>,
    /// What was not watched, such as `process` or `file`; empty for the endpoint as a whole.
    pub area: String,
    /// `agent` or `server`.
    pub noticed_by: String,
    /// Begin.
    pub from_at: DateTime<Utc>,
    /// End; null for a gap that goes on.
    pub to_at: Option<DateTime<Utc>>,
    /// Records that were lost, where that is known.
    pub lost_records: Option<i64>,
    /// How many gaps this one stands for.
    pub gap_count: i32,
    /// More in words; what an agent says of itself is its own claim.
    pub detail: Option<String>,
    /// What it means.
    pub meaning: String,
    /// What to do.
    pub advice: String,
}

/// A legal hold: telemetry of a range of time that does not expire.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct LegalHoldView {
    /// The hold's id.
    pub hold_id: HoldId,
    /// The endpoint; null for the whole tenant.
    pub agent_id: Option<AgentId>,
    /// Begin of the held range.
    pub from_at: DateTime<Utc>,
    /// End of the held range; null for one that stays open.
    pub to_at: Option<DateTime<Utc>>,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub placed_by: UserId,
    /// When.
    pub placed_at: DateTime<Utc>,
    /// Who released it.
    pub released_by: Option<UserId>,
    /// When; what it held expires from then on.
    pub released_at: Option<DateTime<Utc>>,
}

/// `POST /api/v1/agents/legal-holds`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceHold {
    /// The endpoint; the whole tenant when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// Begin of the held range.
    pub from_at: DateTime<Utc>,
    /// End of the held range, later than the begin; open when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_at: Option<DateTime<Utc>>,
    /// Why, 1–2000 characters.
    pub reason: String,
}

/// What came of `POST /api/v1/agents/events`. Everything that is counted as stored has been committed and judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct EventsReport {
    /// The log source's entry among the endpoints.
    pub agent_id: AgentId,
    /// The log source's name.
    pub source: String,
    /// Lines that were not empty.
    pub received: i64,
    /// Events that were stored.
    pub stored: i64,
    /// Events that were stored before.
    pub repeated: i64,
    /// Lines that are no event; none of them comes through by being sent again as it is.
    pub refused: i64,
    /// How often rules matched what was stored; exceptions may hide some of it.
    pub matches: i64,
    /// Why lines were refused, the first hundred of them.
    pub errors: Vec<EventLineError>,
}

/// Why a line is no event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct EventLineError {
    /// The line's number, from 1; empty lines count.
    pub line: u32,
    /// `invalid_utf8`, `invalid_json`, `too_long`, `too_deep`, `too_many_fields`, `invalid_field`, `invalid_time`, `invalid_id`, `unknown_format` or
    /// `unknown_log_source`.
    pub code: String,
    /// In words.
    pub message: String,
}

/// How an agent is installed from this server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct AgentInstaller {
    /// The machines that there is an agent for, in the words of `uname -m`; empty where this server has no agent to download.
    pub machines: Vec<String>,
    /// The script, which the server offers to everybody; absent where there is no agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<InstallScript>,
}

/// The script that installs an agent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct InstallScript {
    /// Where it is.
    pub url: String,
    /// Its SHA-256 in hexadecimal, by which a machine knows that it got this one.
    pub sha256: String,
    /// What root runs on a machine to install and enrol an agent there; it asks for the enrolment key.
    pub command: String,
    /// What root runs to take a machine out of service and to remove the agent.
    pub uninstall_command: String,
}
