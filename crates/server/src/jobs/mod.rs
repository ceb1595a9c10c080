//! What has to be kept true: one node at a time, idempotent, without input. Each tells how many rows it was about.

mod alerts;
mod audit;
mod erasures;
mod liveness;
mod own_log;
mod partitions;
mod rollups;
mod subscriptions;
mod upkeep;

use std::future::Future;
use std::time::Duration;

use crate::users::providers::ldap;
use crate::{AppState, agents, backup, ingest, mail, maintenance, monitoring, threats};

/// Time between looks for endpoints that have missed their check-ins.
const LIVENESS: Duration = Duration::from_secs(10);
/// Time between looks at what waits for its place in the audit chains, and at what waits to be told to the sinks.
const AUDIT: Duration = Duration::from_secs(1);
/// Time between looks at the partitions.
const PARTITIONS: Duration = Duration::from_secs(3_600);
/// Time between looks for trials and periods that are over.
const SUBSCRIPTIONS: Duration = Duration::from_secs(300);
/// Time between roll-ups of metrics.
const ROLLUPS: Duration = Duration::from_secs(300);
/// Time between looks for tenants that are to be erased.
const ERASURES: Duration = Duration::from_secs(600);
/// Time between removals of what nobody needs any more.
const UPKEEP: Duration = Duration::from_secs(600);
/// Time between looks at what alert rules watch.
const ALERTS: Duration = Duration::from_secs(30);
/// Time between looks at what the product notices of its own sign-ins.
const OWN_LOG: Duration = Duration::from_secs(5);
/// Time between looks at what correlation rules count.
const CORRELATIONS: Duration = Duration::from_secs(1);
/// Time between looks at the archive and the repositories, and at what is due of backups.
const BACKUPS: Duration = Duration::from_secs(60);
/// Time between counts of the key figures.
const KEY_FIGURES: Duration = Duration::from_secs(300);
/// Time between looks for what is due of maintenance and of reports.
const MAINTENANCE: Duration = Duration::from_secs(60);
/// Time between looks into the outbox.
const MAIL: Duration = Duration::from_secs(1);

/// Time between looks for directories to follow.
const DIRECTORIES: Duration = Duration::from_secs(60);

/// Check-ins that wait at once from which on the work of many endpoints stands back.
const BUSY_WAITING: usize = 64;
/// How many times as long as a piece of it took it then pauses: it comes to its end all the same, with a fifth of the time.
const BUSY_PAUSES: u32 = 4;

/// Starts the group commits of check-ins and enrolments, the listener for live events, and every reconciler.
pub fn spawn(state: &AppState) {
    ingest::spawn(state);
    agents::spawn(state);
    monitoring::spawn(state);
    monitoring::spawn_notifications(state);
    audit::spawn(state, AUDIT);
    keep(state, "endpoint-liveness", LIVENESS, liveness::run);
    keep(state, "partitions", PARTITIONS, partitions::run);
    keep(state, "rollups", ROLLUPS, rollups::run);
    keep(state, "subscriptions", SUBSCRIPTIONS, subscriptions::run);
    keep(state, "tenant-erasures", ERASURES, erasures::run);
    keep(state, "upkeep", UPKEEP, upkeep::run);
    keep(state, "own-log", OWN_LOG, own_log::run);
    keep(state, "correlations", CORRELATIONS, threats::judge_correlations);
    keep(state, "alert-rules", ALERTS, alerts::run);
    keep(state, "key-figures", KEY_FIGURES, maintenance::sample_kpis);
    keep(state, "maintenance", MAINTENANCE, maintenance::run_due);
    keep(state, "week-reports", MAINTENANCE, maintenance::make_week_reports);
    if state.config.backup.is_on() {
        keep(
            state,
            "backup-watch",
            state.config.backup.watch_period(BACKUPS),
            backup::watch,
        );
        keep(state, "backups", BACKUPS, backup::run_due);
    }
    if state.mailer.is_some() {
        keep(state, "outgoing-mail", MAIL, mail::run);
    }
    keep(state, "directories", DIRECTORIES, ldap::run_due);
}

/// Runs a reconciler again and again; its metrics say when it last came to its end, about how many rows, and how often it failed.
fn keep<F>(state: &AppState, name: &'static str, period: Duration, run: fn(AppState) -> F)
where
    F: Future<Output = anyhow::Result<u64>> + Send + 'static,
{
    let own = state.clone();
    state.supervisor.spawn_periodic(name, period, move || {
        let state = own.clone();
        async move {
            let outcome = run(state.clone()).await;
            match &outcome {
                Ok(rows) => {
                    let milliseconds = state.now().timestamp_millis().max(0);
                    metrics::gauge!("sg_jobs_last_run_timestamp_seconds", "job" => name)
                        .set(Duration::from_millis(milliseconds.unsigned_abs()).as_secs_f64());
                    metrics::counter!("sg_jobs_rows_total", "job" => name).increment(*rows);
                }
                Err(_) => metrics::counter!("sg_jobs_failures_total", "job" => name).increment(1),
            }
            outcome.map(|_| ())
        }
    });
}

/// Leaves the database to check-ins while many of them wait, for longer the longer a piece of work took; not while everything stops.
async fn stand_back(state: &AppState, took: Duration) {
    if state.ingest.waiting() < BUSY_WAITING {
        return;
    }
    tokio::select! {
        () = state.supervisor.stop_token().cancelled_owned() => {}
        () = tokio::time::sleep(took * BUSY_PAUSES) => {}
    }
}

pub use crate::audit::check as check_audit_chains;
pub use crate::mail::run as send_mail;
pub use crate::maintenance::{make_week_reports, run_due as do_due_maintenance, sample_kpis};
pub use crate::monitoring::send_notifications;
pub use crate::threats::judge_correlations;
pub use alerts::run as evaluate_alerts;
pub use erasures::run as erase_due_tenants;
pub use liveness::run as note_missed_check_ins;
pub use own_log::run as take_in_own_log;
pub use partitions::run as keep_partitions;
pub use rollups::run as roll_up_metrics;
pub use subscriptions::run as advance_subscriptions;
pub use upkeep::run as remove_leftovers;
