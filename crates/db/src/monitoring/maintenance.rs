//! The history of maintenance, and how far it is. Rows of the system tenant, reached by jobs and by whoever manages the installation.

use chrono::{DateTime, Utc};
use sg_types::api::maintenance::{
    MaintenancePeriod, MaintenanceRunView, MaintenanceState, MaintenanceTask, MaintenanceTaskView,
};
use sg_types::{MaintenanceRunId, ReportId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection, users::After};

const COLUMNS: &str = "r.run_id, r.period, r.state, r.node, r.is_by_hand, r.requested_by, r.from_at, r.to_at, r.started_at, r.finished_at, r.interruptions,
    (select p.report_id from monitoring.reports p where p.tenant_id = r.tenant_id and p.run_id = r.run_id and p.finished_at is not null) as report_id";

/// A run that begins.
#[derive(Debug, Clone)]
pub struct NewMaintenanceRun<'a> {
    /// Its id.
    pub run_id: MaintenanceRunId,
    /// Which tasks.
    pub period: MaintenancePeriod,
    /// The machine.
    pub node: &'a str,
    /// Whether somebody started it.
    pub is_by_hand: bool,
    /// Sign-in name of whoever asked for it and leaves it to a node.
    pub requested_by: Option<&'a str>,
    /// Begin of what its tasks look at.
    pub from_at: DateTime<Utc>,
    /// Now, and the end of what its tasks look at.
    pub at: DateTime<Utc>,
}

/// Notes that a run begins, with its tasks waiting.
///
/// # Errors
/// What a query may meet.
pub async fn insert_maintenance_run(tx: &mut SystemTx, run: &NewMaintenanceRun<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into monitoring.maintenance_runs (run_id, period, state, node, is_by_hand, from_at, to_at, started_at, requested_by)
         values ($1, $2, 'running', $3, $4, $5, $6, $6, $7)",
    )
    .bind(Uuid::from(run.run_id))
    .bind(run.period.as_str())
    .bind(run.node)
    .bind(run.is_by_hand)
    .bind(run.from_at)
    .bind(run.at)
    .bind(run.requested_by)
    .execute(tx.conn())
    .await?;
    let tasks: Vec<&str> = run.period.tasks().iter().map(|task| task.as_str()).collect();
    sqlx::query(
        "insert into monitoring.maintenance_tasks (run_id, position, task, state)
         select $1, t.position, t.task, 'waiting' from unnest($2::text[]) with ordinality as t (task, position)",
    )
    .bind(Uuid::from(run.run_id))
    .bind(tasks)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes up the run of a period that nobody finishes; for whoever holds the lock of the job. The task that was at work waits again. One that was asked for and
/// not begun was not interrupted.
///
/// # Errors
/// What a query may meet.
pub async fn take_up_maintenance_run(
    tx: &mut SystemTx,
    period: MaintenancePeriod,
    node: &str,
) -> Result<Option<MaintenanceRunView>, DbError> {
    let taken: Option<Uuid> = sqlx::query_scalar(
        "update monitoring.maintenance_runs r set node = $2, interruptions = r.interruptions + case when r.requested_by is not null
            and not exists (select from monitoring.maintenance_tasks t where t.run_id = r.run_id and t.state <> 'waiting') then 0 else 1 end
         where r.state = 'running' and r.period = $1 returning r.run_id",
    )
    .bind(period.as_str())
    .bind(node)
    .fetch_optional(tx.conn())
    .await?;
    let Some(run_id) = taken else { return Ok(None) };
    sqlx::query(
        "update monitoring.maintenance_tasks set state = 'waiting', started_at = null, progress = null where run_id = $1 and state = 'running'",
    )
    .bind(run_id)
    .execute(tx.conn())
    .await?;
    find_maintenance_run(tx, MaintenanceRunId(run_id)).await
}

/// When the last run of a period began that nobody started by hand.
///
/// # Errors
/// What a query may meet.
pub async fn find_last_maintenance(
    tx: &mut SystemTx,
    period: MaintenancePeriod,
) -> Result<Option<DateTime<Utc>>, DbError> {
    Ok(sqlx::query_scalar(
        "select max(started_at) from monitoring.maintenance_runs where period = $1 and not is_by_hand",
    )
    .bind(period.as_str())
    .fetch_one(tx.conn())
    .await?)
}

/// Periods whose run was begun and is not finished.
///
/// # Errors
/// What a query may meet.
pub async fn list_unfinished_maintenance(tx: &mut SystemTx) -> Result<Vec<MaintenancePeriod>, DbError> {
    let words: Vec<String> = sqlx::query_scalar(
        "select period from monitoring.maintenance_runs where state = 'running' order by started_at",
    )
    .fetch_all(tx.conn())
    .await?;
    words.iter().map(|word| Ok(word.parse()?)).collect()
}

/// When the installation was made.
///
/// # Errors
/// What a query may meet.
pub async fn installed_at(tx: &mut SystemTx) -> Result<DateTime<Utc>, DbError> {
    Ok(sqlx::query_scalar("select min(created_at) from users.tenants")
        .fetch_one(tx.conn())
        .await?)
}

/// Notes that a task is at work.
///
/// # Errors
/// What a query may meet.
pub async fn start_maintenance_task(
    tx: &mut SystemTx,
    run_id: MaintenanceRunId,
    task: MaintenanceTask,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "update monitoring.maintenance_tasks set state = 'running', started_at = $3 where run_id = $1 and task = $2 and state = 'waiting'",
    )
    .bind(Uuid::from(run_id))
    .bind(task.as_str())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes how far a task is, in words.
///
/// # Errors
/// What a query may meet.
pub async fn note_maintenance_progress(
    tx: &mut SystemTx,
    run_id: MaintenanceRunId,
    task: MaintenanceTask,
    progress: &str,
) -> Result<(), DbError> {
    sqlx::query("update monitoring.maintenance_tasks set progress = $3 where run_id = $1 and task = $2")
        .bind(Uuid::from(run_id))
        .bind(task.as_str())
        .bind(progress)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What came of a task.
#[derive(Debug, Clone, Default)]
pub struct TaskOutcome<'a> {
    /// Things to do that it found.
    pub findings: i32,
    /// Why it failed.
    pub problem: Option<&'a str>,
    /// What the next one compares with.
    pub counters: Option<&'a serde_json::Value>,
}

/// Notes that a task is done. False when it was done already, by somebody else: then nothing is to be added to reports.
///
/// # Errors
/// What a query may meet.
pub async fn finish_maintenance_task(
    tx: &mut SystemTx,
    run_id: MaintenanceRunId,
    task: MaintenanceTask,
    outcome: &TaskOutcome<'_>,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "update monitoring.maintenance_tasks set state = case when $4::text is null then 'completed' else 'failed' end,
            finished_at = greatest($6, started_at), progress = null, finding_count = $3, problem = $4, counters = $5
         where run_id = $1 and task = $2 and state = 'running'",
    )
    .bind(Uuid::from(run_id))
    .bind(task.as_str())
    .bind(outcome.findings)
    .bind(outcome.problem)
    .bind(outcome.counters)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that a run is at its end; it has failed when one of its tasks has.
///
/// # Errors
/// What a query may meet.
pub async fn finish_maintenance_run(
    tx: &mut SystemTx,
    run_id: MaintenanceRunId,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "update monitoring.maintenance_runs r set finished_at = greatest($2, r.started_at),
            state = case when exists (select from monitoring.maintenance_tasks t where t.run_id = r.run_id and t.state = 'failed')
                then 'failed' else 'completed' end
         where r.run_id = $1 and r.state = 'running'",
    )
    .bind(Uuid::from(run_id))
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What the last completed task of a kind had counted.
///
/// # Errors
/// What a query may meet.
pub async fn find_task_counters(
    tx: &mut SystemTx,
    task: MaintenanceTask,
) -> Result<Option<serde_json::Value>, DbError> {
    Ok(sqlx::query_scalar(
        "select counters from monitoring.maintenance_tasks
         where task = $1 and state = 'completed' and counters is not null order by finished_at desc limit 1",
    )
    .bind(task.as_str())
    .fetch_optional(tx.conn())
    .await?)
}

/// Runs, newest first, with their tasks.
///
/// # Errors
/// What a query may meet.
pub async fn list_maintenance_runs(
    tx: &mut SystemTx,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<MaintenanceRunView>, DbError> {
    let statement = format!(
        "select {COLUMNS} from monitoring.maintenance_runs r
         where $1::timestamptz is null or (r.started_at, r.run_id) < ($1, $2)
         order by r.started_at desc, r.run_id desc limit $3"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(after.map(|after| after.at))
        .bind(after.map(|after| after.id))
        .bind(i64::from(limit))
        .fetch_all(tx.conn())
        .await?;
    with_tasks(tx, &rows).await
}

/// One run.
///
/// # Errors
/// What a query may meet.
pub async fn find_maintenance_run(
    tx: &mut SystemTx,
    run_id: MaintenanceRunId,
) -> Result<Option<MaintenanceRunView>, DbError> {
    let statement = format!("select {COLUMNS} from monitoring.maintenance_runs r where r.run_id = $1");
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(Uuid::from(run_id))
        .fetch_all(tx.conn())
        .await?;
    Ok(with_tasks(tx, &rows).await?.pop())
}

async fn with_tasks(tx: &mut SystemTx, rows: &[PgRow]) -> Result<Vec<MaintenanceRunView>, DbError> {
    let mut runs = rows.iter().map(run).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<Uuid> = runs.iter().map(|run| run.run_id.into()).collect();
    let tasks = sqlx::query(
        "select run_id, task, state, started_at, finished_at, progress, finding_count, problem
         from monitoring.maintenance_tasks where run_id = any ($1) order by run_id, position",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    for row in &tasks {
        let run_id = MaintenanceRunId(row.try_get("run_id")?);
        let task = MaintenanceTaskView {
            task: row.try_get::<String, _>("task")?.parse()?,
            state: state(row)?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            progress: row.try_get("progress")?,
            finding_count: row.try_get("finding_count")?,
            problem: row.try_get("problem")?,
        };
        if let Some(run) = runs.iter_mut().find(|run| run.run_id == run_id) {
            run.tasks.push(task);
        }
    }
    Ok(runs)
}

fn run(row: &PgRow) -> Result<MaintenanceRunView, DbError> {
    Ok(MaintenanceRunView {
        run_id: MaintenanceRunId(row.try_get("run_id")?),
        period: row.try_get::<String, _>("period")?.parse()?,
        state: state(row)?,
        node: row.try_get("node")?,
        is_by_hand: row.try_get("is_by_hand")?,
        requested_by: row.try_get("requested_by")?,
        from_at: row.try_get("from_at")?,
        to_at: row.try_get("to_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        interruptions: row.try_get("interruptions")?,
        tasks: Vec::new(),
        report_id: row.try_get::<Option<Uuid>, _>("report_id")?.map(ReportId),
    })
}

fn state(row: &PgRow) -> Result<MaintenanceState, DbError> {
    Ok(row.try_get::<String, _>("state")?.parse()?)
}
