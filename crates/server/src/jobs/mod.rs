//! What has to be kept true: one node at a time, idempotent, without input.

mod liveness;
mod partitions;
mod upkeep;

use std::time::Duration;

use crate::{AppState, ingest, monitoring};

/// Time between looks for endpoints that have missed their check-ins.
const LIVENESS: Duration = Duration::from_secs(10);
/// Time between looks at the partitions.
const PARTITIONS: Duration = Duration::from_secs(3_600);
/// Time between removals of what nobody needs any more.
const UPKEEP: Duration = Duration::from_secs(3_600);

/// Starts the group commit, the listener for live events, and every reconciler.
pub fn spawn(state: &AppState) {
    ingest::spawn(state);
    monitoring::spawn(state);
    let supervisor = &state.supervisor;
    let own = state.clone();
    supervisor.spawn_periodic("endpoint-liveness", LIVENESS, move || liveness::run(own.clone()));
    let own = state.clone();
    supervisor.spawn_periodic("partitions", PARTITIONS, move || partitions::run(own.clone()));
    let own = state.clone();
    supervisor.spawn_periodic("upkeep", UPKEEP, move || upkeep::run(own.clone()));
}

pub use liveness::run as note_missed_check_ins;
pub use partitions::run as keep_partitions;
pub use upkeep::run as remove_leftovers;
