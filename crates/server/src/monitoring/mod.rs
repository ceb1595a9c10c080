//! The overview, the stream that tells open views what has changed, alerts, and notifications.

mod alert_routes;
mod alert_rules;
mod counts;
pub(crate) mod database_access;
mod host;
mod live;
mod notify;
mod routes;
mod whose;

pub use alert_routes::routes as alert_routes;
pub use counts::FleetCounts;
pub(crate) use host::measure as measure_host;
pub use live::{Live, spawn};
pub(crate) use notify::clean_text;
pub use notify::{routes as notification_routes, run as send_notifications, spawn as spawn_notifications};
pub use routes::routes;
pub(crate) use whose::{Whose, WhoseParams};
