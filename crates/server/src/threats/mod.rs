//! Incidents, the work on them, the rules that find them, and the exceptions from those.

mod add_note;
mod correlations;
mod exception_routes;
mod exceptions;
mod routes;
pub mod rules;
mod update_incident;

pub use correlations::{note_events, run as judge_correlations};
pub use routes::routes;
