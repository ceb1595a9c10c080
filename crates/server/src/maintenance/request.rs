//! A run that somebody asks for: noted with its tasks waiting, and begun by this node at once or by whichever looks next.

use chrono::Duration;
use sg_db::DbError;
use sg_db::monitoring::{NewMaintenanceRun, find_maintenance_run, insert_maintenance_run};
use sg_types::MaintenanceRunId;
use sg_types::api::maintenance::{MaintenancePeriod, MaintenanceRunView, MaintenanceState};

use super::run_due;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::syslog::hostname;

/// How often, and after which pause, a run is begun while another one is at work.
const ATTEMPTS: u32 = 20;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// Notes the run and has it begun.
///
/// # Errors
/// 409 `already_running` while a run of the period is not at its end; those of the database.
pub(super) async fn request_run(
    state: &AppState,
    acting: &Acting,
    period: MaintenancePeriod,
) -> ApiResult<MaintenanceRunView> {
    let run_id = MaintenanceRunId(state.ids.next());
    let mut event = acting.event(state, "maintenance.request");
    event.object = Some(("maintenance_run", run_id.to_string()));
    event.reason = Some(period.to_string());
    let mut tx = state.db.system("maintenance that was asked for").await?;
    let new = NewMaintenanceRun {
        run_id,
        period,
        node: &hostname(),
        is_by_hand: true,
        requested_by: Some(&acting.caller.username),
        from_at: event.at - Duration::days(period.days()),
        at: event.at,
    };
    insert_maintenance_run(&mut tx, &new)
        .await
        .map_err(|error| match error {
            DbError::AlreadyExists { .. } => ApiError::conflict(
                "already_running",
                format!("a {period} maintenance is under way; it has to end first"),
            ),
            other => other.into(),
        })?;
    let run = find_maintenance_run(&mut tx, run_id).await?;
    tx.commit(acting.caller.tenant_id, event).await?;
    begin(state, run_id);
    run.ok_or_else(ApiError::not_found)
}

/// Whoever is faster, this or a node's regular look, takes the run; the lock of the job keeps the other out. While another run is at work this asks again for
/// some time, and then leaves it to the regular look.
fn begin(state: &AppState, run_id: MaintenanceRunId) {
    let own = state.clone();
    state.supervisor.spawn_detached(async move {
        let stop = own.supervisor.stop_token();
        for _ in 0..ATTEMPTS {
            match try_begin(&own, run_id).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(
                    error = format!("{error:#}"),
                    "maintenance that was asked for was not begun yet"
                ),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    });
}

async fn try_begin(state: &AppState, run_id: MaintenanceRunId) -> anyhow::Result<bool> {
    run_due(state.clone()).await?;
    let mut tx = state.db.system("maintenance that was asked for").await?;
    let run = find_maintenance_run(&mut tx, run_id).await?;
    let is_waiting = |run: MaintenanceRunView| {
        run.tasks
            .iter()
            .all(|task| task.state == MaintenanceState::Waiting)
    };
    Ok(!run.is_some_and(is_waiting))
}
