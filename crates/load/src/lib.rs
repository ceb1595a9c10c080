//! Simulated endpoints that speak the agent protocol, as light as can be, since they share the machine with the server that they load.
//!
//! - [`drive`] lets many agents check in over a number of connections for a while, and measures.
//! - [`Fleet`] lets endpoints work through any fault: what was not acknowledged is kept and repeated, as the agent does.
//! - A [`Ledger`] keeps what was acknowledged, outside the database; [`compare`] holds it against what is stored.

mod agent;
mod drive;
mod fleet;
mod ledger;
mod process;
mod records;
mod wire;

pub use agent::{Acknowledged, Agent, Judgement};
pub use drive::{Load, Mix, Way, drain, drive, enrol, quantile};
pub use fleet::{Counts, Fleet, FleetOptions};
pub use ledger::{Comparison, Entry, Ledger, compare};
pub use process::{bound, peak_resident_bytes, processor_seconds, processor_seconds_below, resident_bytes};
pub use records::{Kind, NewRecord};
pub use wire::{Answer, Client, Target};
