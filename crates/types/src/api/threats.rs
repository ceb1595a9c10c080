//! Incidents, their findings and their history.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AgentId, DetectionEngine, FindingId, IncidentStatus, Severity, ThreatId, UserId};

/// An incident as a row of a list.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct IncidentView {
    /// The incident's id.
    pub threat_id: ThreatId,
    /// The endpoint it happened on; null for what the server itself observed.
    pub agent_id: Option<AgentId>,
    /// That endpoint's host name.
    pub hostname: Option<String>,
    /// Kind of threat, such as `malware`.
    pub threat_type: String,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub status: IncidentStatus,
    /// One line.
    pub title: String,
    /// More in words.
    pub description: Option<String>,
    /// The file, where one is involved.
    pub file_path: Option<String>,
    /// The process, where one is involved.
    pub process_name: Option<String>,
    /// Its command line.
    pub command_line: Option<String>,
    /// SHA-256 of the file or executable.
    pub hash: Option<String>,
    /// The engine that saw it first.
    pub detection_engine: Option<DetectionEngine>,
    /// How sure, 0–1.
    pub confidence_score: Option<f64>,
    /// How often such incidents were none, 0–1.
    pub false_positive_likelihood: Option<f64>,
    /// Distinct findings.
    pub finding_count: i64,
    /// Matches in all, repeats included.
    pub occurrence_count: i64,
    /// Who works on it.
    pub assigned_to: Option<UserId>,
    /// That person's user name.
    pub assigned_to_username: Option<String>,
    /// Who closed it.
    pub resolved_by: Option<UserId>,
    /// That person's user name.
    pub resolved_by_username: Option<String>,
    /// What was found out.
    pub resolution_notes: Option<String>,
    /// First seen.
    pub detected_at: DateTime<Utc>,
    /// Last seen.
    pub last_detected_at: DateTime<Utc>,
    /// When it was closed.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// `GET /api/v1/threats/incidents/{threat_id}`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct IncidentDetail {
    /// The incident.
    #[serde(flatten)]
    pub incident: IncidentView,
    /// What matched, oldest first.
    pub findings: Vec<FindingView>,
    /// What happened and what was done, oldest first.
    pub timeline: Vec<TimelineEntry>,
}

/// One rule match, with its evidence.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct FindingView {
    /// The finding's id.
    pub finding_id: FindingId,
    /// The rule's own id.
    pub rule_id: String,
    /// The rule's title.
    pub rule_name: String,
    /// The engine.
    pub engine: DetectionEngine,
    /// How bad, by the rule.
    pub severity: Severity,
    /// The rule's prior, 0–1.
    pub confidence: f64,
    /// ATT&CK techniques and other tags.
    pub tags: Vec<String>,
    /// Why it matched, in words.
    pub explanation: String,
    /// What matched.
    pub evidence: serde_json::Value,
    /// What it matched on.
    #[schema(value_type = Object)]
    pub subject: serde_json::Value,
    /// How often the same rule matched on the same subject.
    pub occurrence_count: i64,
    /// First match.
    pub first_seen_at: DateTime<Utc>,
    /// Last match.
    pub last_seen_at: DateTime<Utc>,
}

/// One step in an incident's life.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// `finding`, `repeat`, `status`, `assignment`, `note`.
    pub kind: String,
    /// Who did it; null for the machine.
    pub actor: Option<String>,
    /// In words.
    pub summary: String,
    /// The note's text or the values before and after.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// `PATCH /api/v1/threats/incidents/{threat_id}`; absent fields stay, null clears.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateIncident {
    /// New status; 409 `invalid_transition` where the workflow does not have the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<IncidentStatus>,
    /// Who works on it; has to be a member of the tenant.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<Uuid>)]
    pub assigned_to: Option<Option<UserId>>,
    /// What was found out, at most 10,000 characters.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub resolution_notes: Option<Option<String>>,
}

/// `POST /api/v1/threats/incidents/{threat_id}/notes` → 201 with the timeline entry.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNote {
    /// 1–10,000 characters.
    pub text: String,
}
