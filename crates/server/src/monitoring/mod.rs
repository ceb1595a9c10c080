//! The overview, and the stream that tells open views what has changed.

mod live;
mod routes;

pub use live::{Live, spawn};
pub use routes::routes;
