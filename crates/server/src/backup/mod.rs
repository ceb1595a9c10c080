//! Backups: what makes them set up from the configuration, runs with their history, drills, and the watch over all of it.

mod bundle;
mod drill;
mod due;
mod pass;
mod restore;
mod routes;
mod setup;
mod watch;
mod work;

pub use bundle::RestoredFile;
pub(crate) use bundle::{seal as seal_keys, unpack as unpack_keys};
pub use drill::DrillReport;
pub use restore::{RestoreReport, restore};
pub(crate) use routes::routes;
pub(crate) use setup::{archiving, binaries, check_setup, open, open_first};
pub(crate) use watch::{note_missing_watch, watch};
pub use work::{Finished, Progress, RunKind, Work};
pub(crate) use work::{blocking, run_due};
