//! The overview, the live stream, alerts and their rules.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::threats::IncidentView;
use crate::{AgentId, AlertId, AlertRuleId, Severity, values::text_enum};

/// `GET /api/v1/monitoring/overview`: the state of the tenant at one glance.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct Overview {
    /// When it was computed.
    pub at: DateTime<Utc>,
    /// Endpoints by state.
    pub endpoints: EndpointCounts,
    /// Open incidents (new or investigating) by severity.
    pub open_incidents: SeverityCounts,
    /// New incidents by hour over the last 24 hours, oldest first.
    pub incidents_by_hour: Vec<HourCount>,
    /// The newest incidents, at most ten.
    pub recent_incidents: Vec<IncidentView>,
}

/// Endpoints by state; decommissioned ones are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct EndpointCounts {
    /// Checked in within twice their interval.
    pub online: i64,
    /// Those of them whose check-in is late.
    pub stale: i64,
    /// Missed two check-ins.
    pub offline: i64,
    /// When they were counted: a moment ago, where counting takes long.
    pub counted_at: DateTime<Utc>,
}

/// A number for each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SeverityCounts {
    /// Low.
    pub low: i64,
    /// Medium.
    pub medium: i64,
    /// High.
    pub high: i64,
    /// Critical.
    pub critical: i64,
}

/// Incidents of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct HourCount {
    /// Begin of the hour.
    pub at: DateTime<Utc>,
    /// How many were detected first in it.
    pub count: i64,
}

/// What `GET /api/v1/monitoring/events` (server-sent events) sends: what kind of thing changed, so that views that show it load it anew.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct LiveEvent {
    /// `incident`, `endpoint` or `metrics`.
    pub kind: String,
    /// The id of what changed.
    pub id: String,
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// The figure is beyond the threshold, but not for as long as the rule asks.
    Pending,
    /// Somebody should look.
    Firing,
    /// Over.
    Resolved,
}
text_enum!(AlertState { Pending => "pending", Firing => "firing", Resolved => "resolved" });

/// Something that a rule found; one open alert for each rule and subject.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct AlertView {
    /// The alert's id.
    pub alert_id: AlertId,
    /// The rule that found it.
    pub rule_id: AlertRuleId,
    /// What the rule watches, such as `failed_sign_ins`.
    pub kind: String,
    /// The rule's severity.
    pub severity: Severity,
    /// What it is about; empty for the tenant or the installation as a whole.
    pub subject: String,
    /// The endpoint, where it is about one.
    pub agent_id: Option<AgentId>,
    /// What is the matter, in one line, where the subject and the figure do not say it.
    pub summary: Option<String>,
    /// Where it stands.
    pub state: AlertState,
    /// When it was found first.
    pub since: DateTime<Utc>,
    /// When it began to fire.
    pub fired_at: Option<DateTime<Utc>>,
    /// When it was found last.
    pub last_seen_at: DateTime<Utc>,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
    /// The figure when it was found last.
    pub last_value: f64,
    /// The rule's threshold.
    pub threshold: f64,
    /// How often it was found.
    pub occurrence_count: i64,
}

/// A figure that is watched.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct AlertRuleView {
    /// The rule's id.
    pub rule_id: AlertRuleId,
    /// What it watches, such as `failed_sign_ins`.
    pub kind: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it is on.
    pub enabled: bool,
    /// `above` or `below`: on which side of the threshold the figure is an alert.
    pub comparison: String,
    /// The threshold.
    pub threshold: f64,
    /// Seconds over which the figure is counted; 0 for a figure of the moment.
    pub window_seconds: i32,
    /// Seconds for which it has to hold before the alert fires.
    pub for_seconds: i32,
    /// Kinds of the tenant's rules: while an alert of one of them fires, those of this rule are not told. What goes on is told when that one is over.
    pub inhibited_by: Vec<String>,
    /// Whether this server computes the figure; where not, the rule waits for something that raises it.
    pub evaluated: bool,
}

/// `PATCH /api/v1/monitoring/alert-rules/{rule_id}`; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAlertRule {
    /// Whether it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How bad it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The threshold, 0–1,000,000,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Seconds over which the figure is counted, 0–86,400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<i32>,
    /// Seconds for which it has to hold, 0–86,400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<i32>,
    /// Kinds of other rules of the tenant whose alerts keep those of this one quiet; 15 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inhibited_by: Option<Vec<String>>,
}
