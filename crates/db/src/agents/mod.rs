//! Endpoints: who they are, what they send, and what is shown of it.

mod endpoints;
mod enrol;
mod events;
pub mod ingest;
mod metrics;
mod upkeep;

pub use endpoints::{
    EndpointFilter, LockedEndpoint, decommission_endpoint, find_endpoint, is_live_member, list_endpoints,
    lock_endpoint, update_endpoint,
};
pub use enrol::{AgentIdentity, Enrolled, Enrolment, enrol, find_agent, unenrol};
pub use events::list_events;
pub use metrics::{Range, read_metrics};
pub use upkeep::{
    delete_ended_sessions, drop_expired, ensure_partitions, forget_old_streams, mark_offline, try_job_lock,
};
