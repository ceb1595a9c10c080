//! The endpoint agent: watches one machine, judges what it sees, and tells the server without losing anything on the way.
//!
//! Collectors hand records through a bounded channel to the [`spool`], the [`uplink`] sends what the spool holds and deletes what the server
//! acknowledged. [`detect`] turns observations into findings on the way to the spool, so that detection works without the server.

pub mod cli;
pub mod collect;
pub mod detect;
pub mod health;
pub mod identity;
pub mod platform;
pub mod presence;
mod respond;
mod run;
pub mod scan;
pub mod spool;
pub mod uplink;

pub use respond::{COMMANDS_LOG, End, JOURNAL_FILE, RESULT_KEY_FILE};
pub use run::{RunConfig, run};
