//! Findings, the incidents that they become, and the work on them.

mod correlations;
mod exceptions;
mod incidents;
mod merge;
mod placeholders;
mod rules;
mod tenant_rules;
mod trials;
mod work;

pub use correlations::{
    CorrelationEpisode, CorrelationFinding, CorrelationGroup, CorrelationMatch, due_groups, forget_group,
    insert_correlation_matches, load_episodes, load_group, mark_judged, name_tenants_endpoints,
    record_correlation_findings, save_episode, tenants_with_due_groups,
};
pub use exceptions::{
    NewException, end_exception, find_exception, insert_exception, list_excepted, list_exceptions,
    preview_exception,
};
pub(crate) use incidents::{INCIDENT_COLUMNS, INCIDENT_TABLE, read_incident};
pub use incidents::{IncidentFilter, find_incident, list_incidents};
pub(crate) use merge::record_findings;
pub use placeholders::{list_placeholders, load_placeholders, remove_placeholder, set_placeholder};
pub use rules::{RulesVersion, find_rule_set, newest_rules_version, publish_rules, renew_rule_set};
pub use tenant_rules::{
    NewRule, OwnTexts, PackRule, RuleWeight, StoredRule, SwitchRule, find_rule, find_rule_version,
    list_rule_versions, list_rules, load_own_texts, lock_rules, record_of_rules, save_rule, switch_rule,
    weigh_rules,
};
pub use trials::{StoredEvent, fetch_events, find_event, name_endpoints, open_events};
pub use work::{
    Change as IncidentChange, LockedIncident, TimelineKind, add_entry, lock_incident, update_incident,
};
