//! Endpoints: the API over them, and the protocol of the agents on them.

mod check_in;
mod coverage_routes;
mod decommission;
mod enrol;
mod enrolments;
mod hold_routes;
mod holds;
pub(crate) mod log_events;
mod metrics;
mod protocol;
mod routes;
mod update_endpoint;

pub use coverage_routes::routes as coverage_routes;
pub use enrolments::{Enrolments, spawn};
pub use hold_routes::routes as hold_routes;
pub use log_events::routes as log_event_routes;
pub(crate) use protocol::CallingAgent;
pub use protocol::routes as protocol_routes;
pub use routes::routes;
