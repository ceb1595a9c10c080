//! Endpoints: the API over them, and the protocol of the agents on them.

mod check_in;
mod decommission;
mod enrol;
mod hold_routes;
mod holds;
mod metrics;
mod protocol;
mod routes;
mod update_endpoint;

pub use hold_routes::routes as hold_routes;
pub use protocol::routes as protocol_routes;
pub(crate) use protocol::{agent_token, authenticate_agent};
pub use routes::routes;
