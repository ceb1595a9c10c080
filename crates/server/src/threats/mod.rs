//! Incidents, the work on them, and the rules that find them.

mod add_note;
mod routes;
pub mod rules;
mod update_incident;

pub use routes::routes;
