//! The history of backups, and how the archive stands. Rows of the system tenant, reached by jobs and by whoever manages tenants.

use chrono::{DateTime, Utc};
use sg_types::BackupRunId;
use sg_types::api::backups::{BackupProblem, BackupRunKind, BackupRunState, BackupRunView, BackupStateView};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection, users::After};

const COLUMNS: &str = "run_id, kind, state, node, started_at, finished_at, label, repository, database_bytes, stored_bytes, recovered_to, rpo_seconds,
    rto_seconds, problem";

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct BackupOutcome {
    /// pgBackRest's name of the backup.
    pub label: Option<String>,
    /// 1 or 2.
    pub repository: Option<i16>,
    /// Bytes of the database.
    pub database_bytes: Option<i64>,
    /// Bytes added to the repository.
    pub stored_bytes: Option<i64>,
    /// The last transaction that came back.
    pub recovered_to: Option<DateTime<Utc>>,
    /// Seconds that would have been lost.
    pub rpo_seconds: Option<f64>,
    /// Seconds until writes were accepted.
    pub rto_seconds: Option<f64>,
    /// What was wrong, and what to do; none when it ended well.
    pub problem: Option<String>,
    /// Figures of the checks.
    pub detail: serde_json::Value,
}

/// What PostgreSQL tells about its archive.
#[derive(Debug, Clone)]
pub struct ArchiverFigures {
    /// Whether it sends its log anywhere.
    pub is_on: bool,
    /// When a segment last got there.
    pub archived_at: Option<DateTime<Utc>>,
    /// That segment.
    pub archived_segment: Option<String>,
    /// Seconds since then, or since PostgreSQL runs.
    pub age_seconds: f64,
    /// Attempts that have failed.
    pub failures: i64,
    /// Whether the last attempt failed.
    pub is_failing: bool,
    /// Timeline that is written, as segments name it.
    pub timeline: String,
    /// `wal_segment_size` in bytes.
    pub segment_bytes: i64,
}

/// Notes that a run begins.
///
/// # Errors
/// What a query may meet.
pub async fn insert_backup_run(
    tx: &mut SystemTx,
    run_id: BackupRunId,
    kind: BackupRunKind,
    node: &str,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("insert into monitoring.backups (run_id, kind, state, node, started_at) values ($1, $2, 'running', $3, $4)")
        .bind(Uuid::from(run_id))
        .bind(kind.as_str())
        .bind(node)
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Notes how a run ended.
///
/// # Errors
/// What a query may meet.
pub async fn finish_backup_run(
    tx: &mut SystemTx,
    run_id: BackupRunId,
    state: BackupRunState,
    outcome: &BackupOutcome,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    let detail = if outcome.detail.is_null() {
        serde_json::json!({})
    } else {
        outcome.detail.clone()
    };
    sqlx::query(
        "update monitoring.backups set state = $2, finished_at = greatest($3, started_at), label = $4, repository = $5, database_bytes = $6, stored_bytes = $7,
            recovered_to = $8, rpo_seconds = $9, rto_seconds = $10, problem = $11, detail = $12
         where run_id = $1",
    )
    .bind(Uuid::from(run_id))
    .bind(state.as_str())
    .bind(at)
    .bind(&outcome.label)
    .bind(outcome.repository)
    .bind(outcome.database_bytes)
    .bind(outcome.stored_bytes)
    .bind(outcome.recovered_to)
    .bind(outcome.rpo_seconds)
    .bind(outcome.rto_seconds)
    .bind(&outcome.problem)
    .bind(detail)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that runs which nobody finishes were interrupted; for whoever holds the lock of the job. Returns how many.
///
/// # Errors
/// What a query may meet.
pub async fn interrupt_backup_runs(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<u64, DbError> {
    let changed = sqlx::query(
        "update monitoring.backups set state = 'interrupted', finished_at = greatest($1, started_at),
            problem = 'the process that did it ended before; the next one uses what is there'
         where state = 'running'",
    )
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(changed.rows_affected())
}

/// Runs, newest first.
///
/// # Errors
/// What a query may meet.
pub async fn list_backup_runs(
    tx: &mut SystemTx,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<BackupRunView>, DbError> {
    let statement = format!(
        "select {COLUMNS} from monitoring.backups
         where $1::timestamptz is null or (started_at, run_id) < ($1, $2)
         order by started_at desc, run_id desc limit $3"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(after.map(|after| after.at))
        .bind(after.map(|after| after.id))
        .bind(i64::from(limit))
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(run)
        .collect()
}

/// The last run of some kinds, in one of some states.
///
/// # Errors
/// What a query may meet.
pub async fn find_last_backup_run(
    tx: &mut SystemTx,
    kinds: &[BackupRunKind],
    states: &[BackupRunState],
) -> Result<Option<BackupRunView>, DbError> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let statement = format!(
        "select {COLUMNS} from monitoring.backups where kind = any ($1) and state = any ($2) order by started_at desc, run_id desc limit 1"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(kinds)
        .bind(states)
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(run)
        .transpose()
}

/// How the archive stands.
///
/// # Errors
/// What a query may meet.
pub async fn read_archiver(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<ArchiverFigures, DbError> {
    let row = sqlx::query(
        "select current_setting('archive_mode') <> 'off' as is_on, a.last_archived_time, a.last_archived_wal, a.failed_count,
            coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false) as is_failing,
            greatest(extract(epoch from $1 - greatest(a.last_archived_time, pg_postmaster_start_time())), 0)::float8 as age_seconds,
            left(pg_walfile_name(pg_current_wal_lsn()), 8) as timeline,
            pg_size_bytes(current_setting('wal_segment_size')) as segment_bytes
         from pg_stat_archiver a",
    )
    .bind(at)
    .fetch_one(tx.conn())
    .await?;
    Ok(ArchiverFigures {
        is_on: row.try_get("is_on")?,
        archived_at: row.try_get("last_archived_time")?,
        archived_segment: row.try_get("last_archived_wal")?,
        age_seconds: row.try_get("age_seconds")?,
        failures: row.try_get("failed_count")?,
        is_failing: row.try_get("is_failing")?,
        timeline: row.try_get("timeline")?,
        segment_bytes: row.try_get("segment_bytes")?,
    })
}

/// Closes the segment that is written, so that it goes to the archive; one that holds nothing stays open.
///
/// # Errors
/// What a query may meet; [`DbError::Denied`] where no superuser migrated.
pub async fn close_segment(tx: &mut SystemTx) -> Result<(), DbError> {
    sqlx::query("select pg_switch_wal()").execute(tx.conn()).await?;
    Ok(())
}

/// Stores how things stand.
///
/// # Errors
/// What a query may meet.
pub async fn save_backup_state(
    tx: &mut SystemTx,
    node: &str,
    figures: &ArchiverFigures,
    problems: &[BackupProblem],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into monitoring.backup_state as s (looked_at, node, archived_at, archived_segment, archive_age_seconds, archive_failures, problems)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (tenant_id) do update set looked_at = excluded.looked_at, node = excluded.node, archived_at = excluded.archived_at,
            archived_segment = excluded.archived_segment, archive_age_seconds = excluded.archive_age_seconds,
            archive_failures = excluded.archive_failures, problems = excluded.problems",
    )
    .bind(at)
    .bind(node)
    .bind(figures.archived_at)
    .bind(&figures.archived_segment)
    .bind(figures.age_seconds)
    .bind(figures.failures)
    .bind(Json(problems))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How things stand, with the last backup and the last drill.
///
/// # Errors
/// What a query may meet.
pub async fn read_backup_state(tx: &mut SystemTx) -> Result<BackupStateView, DbError> {
    use BackupRunKind::{Drill, Full, Incr};
    use BackupRunState::{Completed, Failed, Interrupted};
    let last_backup = find_last_backup_run(tx, &[Full, Incr], &[Completed]).await?;
    let last_drill = find_last_backup_run(tx, &[Drill], &[Completed, Failed, Interrupted]).await?;
    let row = sqlx::query(
        "select looked_at, node, archived_at, archive_age_seconds, archive_failures, problems from monitoring.backup_state limit 1",
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else {
        return Ok(BackupStateView {
            configured: false,
            looked_at: None,
            node: None,
            archived_at: None,
            archive_age_seconds: None,
            archive_failures: None,
            problems: Vec::new(),
            last_backup,
            last_drill,
        });
    };
    Ok(BackupStateView {
        configured: true,
        looked_at: row.try_get("looked_at")?,
        node: row.try_get("node")?,
        archived_at: row.try_get("archived_at")?,
        archive_age_seconds: row.try_get("archive_age_seconds")?,
        archive_failures: row.try_get("archive_failures")?,
        problems: row.try_get::<Json<Vec<BackupProblem>>, _>("problems")?.0,
        last_backup,
        last_drill,
    })
}

/// Entries of the audit log up to a moment.
///
/// # Errors
/// What a query may meet.
pub async fn count_audit_events(tx: &mut SystemTx, until: DateTime<Utc>) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("select count(*) from audit.events where occurred_at <= $1")
            .bind(until)
            .fetch_one(tx.conn())
            .await?,
    )
}

fn run(row: &PgRow) -> Result<BackupRunView, DbError> {
    use BackupRunKind::{Drill, Full, Incr, Verify};
    use BackupRunState::{Completed, Failed, Interrupted, Running};
    let (kind, state): (String, String) = (row.try_get("kind")?, row.try_get("state")?);
    let kinds = [Full, Incr, Verify, Drill];
    let states = [Running, Completed, Failed, Interrupted];
    let unknown = |what: &str, value: &str| {
        DbError::from(sqlx::Error::Decode(format!("unknown {what} {value}").into()))
    };
    Ok(BackupRunView {
        run_id: BackupRunId(row.try_get("run_id")?),
        kind: kinds
            .into_iter()
            .find(|one| one.as_str() == kind)
            .ok_or_else(|| unknown("kind", &kind))?,
        state: states
            .into_iter()
            .find(|one| one.as_str() == state)
            .ok_or_else(|| unknown("state", &state))?,
        node: row.try_get("node")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        label: row.try_get("label")?,
        repository: row.try_get("repository")?,
        database_bytes: row.try_get("database_bytes")?,
        stored_bytes: row.try_get("stored_bytes")?,
        recovered_to: row.try_get("recovered_to")?,
        rpo_seconds: row.try_get("rpo_seconds")?,
        rto_seconds: row.try_get("rto_seconds")?,
        problem: row.try_get("problem")?,
    })
}
