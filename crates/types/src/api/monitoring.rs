//! The overview and the live stream.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::threats::IncidentView;

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
    /// Missed it.
    pub offline: i64,
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
