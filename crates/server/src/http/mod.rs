//! What surrounds every request: its id, where it came from, one line in the log, limits and headers.

mod access_log;
mod client_address;
mod context;
mod host_check;
mod layers;
pub mod request_id;
mod security_headers;
mod user_agent;

pub use client_address::resolve_client_address;
pub use context::{BodyPatience, CallerId, Peer, RequestContext};
pub use host_check::AllowedHosts;
pub(crate) use layers::is_api;
pub use layers::wrap;
pub(crate) use user_agent::user_agent;
