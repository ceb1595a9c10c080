//! The state of a tenant at one glance, and the notifications that something in it has changed.

mod live;
mod overview;

pub use live::{Change, LIVE_CHANNEL, Notice, announce, find_changes};
pub use overview::read_overview;
