//! The verbs of `secureguard` besides `up`.

mod admin;
mod doctor;
mod migrate;
mod serve;

pub use admin::reset_password;
pub use doctor::{Finding, doctor};
pub use migrate::migrate;
pub use serve::serve;
