//! Endpoints: who they are, what they send, and what is shown of it.

mod command_views;
mod commands;
mod coverage;
mod endpoints;
mod enrol;
mod events;
mod holds;
pub mod ingest;
mod liveness;
mod log_events;
mod metrics;
mod outages;
mod series;
mod upkeep;

pub use command_views::{CommandFilter, find_command, list_commands};
pub use commands::{
    MAX_OUTPUT_PIECES, NewCommand, NewResult, ReadyCommand, Step, append_output, approve_command,
    claim_commands, close_command, insert_command, keep_result_key, mark_sent, record_result, refuse_command,
    reject_sent, result_key, start_command,
};
pub use coverage::{CoverageRange, list_gaps};
pub use endpoints::{
    EndpointFilter, LockedEndpoint, decommission_endpoint, find_endpoint, is_live_endpoint, is_live_member,
    list_endpoints, lock_endpoint, update_endpoint,
};
pub use enrol::{AgentIdentity, Enrolled, Enrolment, enrol, find_agent, is_of_suspended_tenant, unenrol};
pub use events::list_events;
pub use holds::{NewHold, list_holds, place_hold, release_hold};
pub use liveness::{Look, mark_offline, note_watch};
pub use log_events::{
    LOGGED, LogSource, NewLogEvent, StoredLogEvents, open_log_source, open_server_source,
    record_log_findings, store_log_events,
};
pub use metrics::{Range, read_metrics};
pub use outages::{OfflineAlerts, alert_of_offline};
pub use series::{
    StrayRows, backfill_rollups, drop_expired_partition, ensure_partition, ensure_partition_of,
    list_stray_rows, move_held_rows, roll_up,
};
pub use upkeep::{try_job_lock, try_long_job_lock};
