//! The audit log: reading it, and what makes it checkable by an outsider: chains, signatures, exports, verification.

pub mod canonical;
mod erase;
pub mod export;
mod keeper;
mod records;
mod refusals;
mod retention;
mod routes;
mod seal;
mod state;
pub mod verify;
mod watch;

use utoipa_axum::router::OpenApiRouter;

pub use erase::{EraseError, Erasure, erase_tenant};
pub use keeper::{AuditKeeper, KnownHead, SinkStatus, read_known_heads};
pub use records::Record;
pub use refusals::Refusals;
pub(crate) use refusals::{KnownCaller, tell as tell_refusals};
pub use retention::drop_expired;
pub use seal::{Signing, note_forks, seal};
pub use state::describe_sink_problems;
pub use watch::check;

use crate::AppState;

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    routes::routes()
}
