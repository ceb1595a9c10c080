//! Findings, the incidents that they become, and the work on them.

mod exceptions;
mod incidents;
mod merge;
mod rules;
mod work;

pub use exceptions::{
    NewException, end_exception, find_exception, insert_exception, list_excepted, list_exceptions,
    preview_exception,
};
pub(crate) use incidents::{INCIDENT_COLUMNS, INCIDENT_TABLE, like_pattern, read_incident};
pub use incidents::{IncidentFilter, find_incident, list_incidents};
pub(crate) use merge::record_findings;
pub use rules::{RulesVersion, publish_rules};
pub use work::{
    Change as IncidentChange, LockedIncident, TimelineKind, add_entry, lock_incident, update_incident,
};
