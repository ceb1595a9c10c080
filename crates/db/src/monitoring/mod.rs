//! The state of a tenant at one glance, the notices that something in it has changed, the alerts over figures, and who is told of them.

mod alerts;
mod backups;
mod channels;
mod database_access;
mod database_reviews;
mod kpis;
mod live;
mod maintenance;
mod notifications;
mod overview;
mod own_log;
mod reports;
mod reviews;
mod silences;

pub use alerts::{
    EVALUATED, SecurityEvent, clear_alert, describe_alert, evaluate_alert_rules, judge_figure,
    list_alert_rules, list_alerts, raise_alert, record_security_event, update_alert_rule,
};
pub use backups::{
    ArchiverFigures, BackupOutcome, close_segment, count_audit_events, find_last_backup_run,
    finish_backup_run, insert_backup_run, interrupt_backup_runs, list_backup_runs, read_archiver,
    read_backup_state, save_backup_state,
};
pub use channels::{
    Channel, ChannelToSave, NOTIFICATION_FAILURE, count_channels, count_routes, delete_channel, delete_route,
    find_channel, insert_channel, insert_route, list_channels, list_routes, lock_channel, update_channel,
    update_route,
};
pub use database_access::{DatabaseSession, count_security_events, list_database_sessions};
pub use database_reviews::*;
pub use kpis::{list_kpi_days, sample_installation, sample_tenants};
pub use live::{
    AGENTS_CHANNEL, Change, LIVE_CHANNEL, Notice, announce, announce_metrics, find_changes, wake_agent,
};
pub use maintenance::{
    NewMaintenanceRun, TaskOutcome, find_last_maintenance, find_maintenance_run, find_task_counters,
    finish_maintenance_run, finish_maintenance_task, insert_maintenance_run, installed_at,
    list_maintenance_runs, list_unfinished_maintenance, note_maintenance_progress, start_maintenance_task,
    take_up_maintenance_run,
};
pub use notifications::{
    AlertNews, Claim, ClaimedNotification, Content, Delivered, DigestNews, IncidentSummary,
    NotificationFilter, claim_notification, close_notifications, count_tests, finish_attempt,
    list_notifications, read_content, record_test, sweep_notifications,
};
pub(crate) use notifications::{IncidentNews, enqueue_incidents};
pub use overview::{count_endpoints, read_overview};
pub use own_log::{OwnLogEntry, list_own_log};
pub use reports::{
    REPORT_MAIL, TenantSection, add_report_sections, find_report, find_report_for_mail,
    list_report_subscriptions, list_reports, make_week_reports, publish_reports, save_report_subscription,
};
pub use reviews::*;
pub use silences::{end_silence, find_silence, insert_silence, list_silences};
