//! The state of a tenant at one glance, the notices that something in it has changed, the alerts over figures, and who is told of them.

mod alerts;
mod backups;
mod channels;
mod live;
mod notifications;
mod overview;
mod own_log;
mod silences;

pub use alerts::{
    EVALUATED, SecurityEvent, clear_alert, evaluate_alert_rules, judge_figure, list_alert_rules, list_alerts,
    raise_alert, record_security_event, update_alert_rule,
};
pub use backups::{
    ArchiverFigures, BackupOutcome, count_audit_events, find_last_backup_run, finish_backup_run,
    insert_backup_run, interrupt_backup_runs, list_backup_runs, read_archiver, read_backup_state,
    save_backup_state,
};
pub use channels::{
    Channel, ChannelToSave, NOTIFICATION_FAILURE, count_channels, count_routes, delete_channel, delete_route,
    find_channel, insert_channel, insert_route, list_channels, list_routes, lock_channel, update_channel,
    update_route,
};
pub use live::{
    AGENTS_CHANNEL, Change, LIVE_CHANNEL, Notice, announce, announce_metrics, find_changes, wake_agent,
};
pub use notifications::{
    AlertNews, Claim, ClaimedNotification, Content, Delivered, DigestNews, IncidentSummary,
    NotificationFilter, claim_notification, close_notifications, count_tests, finish_attempt,
    list_notifications, read_content, record_test, sweep_notifications,
};
pub(crate) use notifications::{IncidentNews, enqueue_incidents};
pub use overview::read_overview;
pub use own_log::{OwnLogEntry, list_own_log};
pub use silences::{end_silence, find_silence, insert_silence, list_silences};
