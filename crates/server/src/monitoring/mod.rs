//! The overview, the stream that tells open views what has changed, and alerts.

mod alert_routes;
mod alert_rules;
mod host;
mod live;
mod routes;

pub use alert_routes::routes as alert_routes;
pub(crate) use host::measure as measure_host;
pub use live::{Live, spawn};
pub use routes::routes;
