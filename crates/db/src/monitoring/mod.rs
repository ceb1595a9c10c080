//! The state of a tenant at one glance, the notifications that something in it has changed, and the alerts over figures.

mod alerts;
mod live;
mod overview;

pub use alerts::{
    EVALUATED, SecurityEvent, clear_alert, evaluate_alert_rules, judge_figure, list_alert_rules, list_alerts,
    raise_alert, record_security_event, update_alert_rule,
};
pub use live::{
    AGENTS_CHANNEL, Change, LIVE_CHANNEL, Notice, announce, announce_metrics, find_changes, wake_agent,
};
pub use overview::read_overview;
