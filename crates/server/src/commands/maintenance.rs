//! `secureguard maintenance …`.

use anyhow::Context;
use sg_db::monitoring::{find_report, list_maintenance_runs};
use sg_types::api::maintenance::{MaintenancePeriod, MaintenanceRunView};
use sg_types::{SystemClock, TenantId, TimeOrderedIds};
use tokio_util::sync::CancellationToken;

use super::database::Opened;
use crate::config::Config;
use crate::maintenance::{Maintenance, Outcome, report_text};
use crate::serve::stop_signal;

/// Runs shown in a list.
const SHOWN: u32 = 20;

/// How a run by hand ended.
#[derive(Debug)]
pub struct MaintenanceDone {
    /// The run.
    pub run: MaintenanceRunView,
    /// The installation's report, once the run is finished.
    pub report: Option<String>,
}

/// Runs a period's tasks. SIGINT and SIGTERM stop it between two steps.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn run_maintenance(
    config: &Config,
    period: MaintenancePeriod,
    tell: fn(&str),
) -> anyhow::Result<MaintenanceDone> {
    let opened = Opened::open(config).await?;
    let stop = CancellationToken::new();
    let work = Maintenance {
        config,
        db: &opened.db,
        clock: &SystemClock,
        ids: &TimeOrderedIds,
        stop: stop.clone(),
        tell,
    };
    let result = async {
        let run = work.run(period, true);
        tokio::pin!(run);
        let outcome = tokio::select! {
            outcome = &mut run => outcome?,
            signal = stop_signal() => {
                signal.context("cannot wait for signals")?;
                stop.cancel();
                run.await?
            }
        };
        let Outcome::Done(run) = outcome else {
            anyhow::bail!("another maintenance run is at work; wait for its end");
        };
        let mut tx = opened.db.system("maintenance report").await?;
        let report = match run.report_id {
            Some(id) => find_report(&mut tx, TenantId::SYSTEM, id).await?,
            None => None,
        };
        anyhow::Ok(MaintenanceDone {
            run: *run,
            report: report.as_ref().map(report_text),
        })
    }
    .await;
    opened.close().await?;
    result
}

/// What was done lately.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn list_maintenance(config: &Config) -> anyhow::Result<Vec<MaintenanceRunView>> {
    let opened = Opened::open(config).await?;
    let runs = async {
        let mut tx = opened.db.system("maintenance").await?;
        list_maintenance_runs(&mut tx, None, SHOWN).await
    }
    .await;
    opened.close().await?;
    Ok(runs?)
}
