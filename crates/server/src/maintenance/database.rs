//! The tasks that look at the database itself: the installation's.

use std::collections::BTreeMap;

use chrono::Duration;
use sg_db::monitoring::{
    self as db, Window, analyze_table, find_task_counters, list_analyzed_tables, note_maintenance_progress,
    read_backup_state, read_wraparound, review_dead_rows,
};
use sg_db::{Db, StatementFigures, SystemTx};
use sg_types::api::maintenance::MaintenanceTask;
use sg_types::{MaintenanceRunId, TenantId};

use super::sections::{Sections, bytes, percent, plural, quote};
use super::work::{Maintenance, TaskResult};

const OPERATOR: TenantId = TenantId::SYSTEM;
/// Hours without a backup before that is told.
const OLD_BACKUP_HOURS: i64 = 26;
/// How far transaction numbers may be used up; PostgreSQL stops at 1.
const WORN: f64 = 0.6;
/// Milliseconds that a statement may take on average: the document's threshold.
const SLOW_MILLISECONDS: f64 = 1_000.0;
/// Statements that are looked at, of requests and of jobs each.
const STATEMENTS: u16 = 200;
/// Statements that are named.
const NAMED: usize = 5;

/// Whether there is a backup of the day, and whether it could be read.
pub(super) async fn review_backups(tx: &mut SystemTx, window: Window) -> anyhow::Result<Sections> {
    let mut sections = Sections::new(MaintenanceTask::BackupCompletion);
    let state = read_backup_state(tx).await?;
    if !state.configured {
        sections.find(
            OPERATOR,
            "No backups are made.".to_owned(),
            "Name a repository on another disk under [backup] in the server's configuration and run `secureguard backup init`, unless you back this database up yourself.",
        );
        return Ok(sections);
    }
    match state.last_backup {
        None => sections.find(
            OPERATOR,
            "There is no backup yet.".to_owned(),
            "Run `secureguard backup full` and read what it says.",
        ),
        Some(backup) => {
            let end = backup.finished_at.unwrap_or(backup.started_at);
            let words = format!(
                "The last backup was complete at {}, {} of database.",
                end.format("%Y-%m-%d %H:%M UTC"),
                bytes(backup.database_bytes.unwrap_or(0))
            );
            if window.to - end > Duration::hours(OLD_BACKUP_HOURS) {
                sections.find(
                    OPERATOR,
                    words,
                    "Run `secureguard backup incr` and read what it says.",
                );
            } else {
                sections.say(OPERATOR, words);
            }
        }
    }
    if let Some(drill) = state.last_drill {
        sections.say(
            OPERATOR,
            format!(
                "The way back was last tried at {}: {}.",
                drill.started_at.format("%Y-%m-%d %H:%M UTC"),
                drill.state.as_str()
            ),
        );
    }
    for problem in state.problems {
        sections.find(
            OPERATOR,
            format!("{}: {}", problem.subject, problem.words),
            "docs/operations/backup.md says what to do about each, and the alert is over by itself.",
        );
    }
    Ok(sections)
}

/// Renews the planner's statistics, table by table. A table that somebody holds is left for the next time.
pub(super) async fn renew_statistics(
    work: &Maintenance<'_>,
    run_id: MaintenanceRunId,
) -> anyhow::Result<TaskResult> {
    let task = MaintenanceTask::Statistics;
    let mut sections = Sections::new(task);
    let mut tx = work.db.system("statistics").await?;
    let tables = list_analyzed_tables(&mut tx).await?;
    drop(tx);
    let mut left = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        anyhow::ensure!(!work.stop.is_cancelled(), "it was stopped");
        let mut tx = work.db.system("statistics").await?;
        let progress = format!("{} of {} tables: {table}", index + 1, tables.len());
        note_maintenance_progress(&mut tx, run_id, task, &progress).await?;
        tx.commit_upkeep().await?;
        let mut tx = work.db.system("statistics").await?;
        match analyze_table(&mut tx, table).await {
            Ok(()) => tx.commit_upkeep().await?,
            Err(error @ sg_db::DbError::Unavailable(_)) => return Err(error.into()),
            Err(error) => left.push(format!("{table} ({error})")),
        }
    }
    let renewed = i64::try_from(tables.len() - left.len()).unwrap_or(i64::MAX);
    sections.say(
        OPERATOR,
        format!(
            "The statistics of {} were renewed.",
            plural(renewed, "table", "tables")
        ),
    );
    if !left.is_empty() {
        sections.find(
            OPERATOR,
            format!("These tables were left out: {}.", left.join(", ")),
            "Something holds them for long: look at pg_stat_activity, and run `secureguard maintenance run weekly` again.",
        );
    }
    review_tables(work, &mut sections).await?;
    Ok(TaskResult {
        sections,
        counters: None,
    })
}

/// Dead rows that stay, and how far transaction numbers are used up.
async fn review_tables(work: &Maintenance<'_>, sections: &mut Sections) -> anyhow::Result<()> {
    let mut tx = work.db.system("statistics").await?;
    for table in review_dead_rows(&mut tx).await? {
        sections.find(
            OPERATOR,
            format!("{} holds {} dead rows beside {} living ones.", table.name, table.other, table.rows),
            "Autovacuum does not keep up: look in pg_stat_activity for a transaction that has been open for long.",
        );
    }
    let worn = read_wraparound(&mut tx).await?;
    let words = format!(
        "{} of PostgreSQL's transaction numbers are used up.",
        percent(worn)
    );
    if worn > WORN {
        sections.find(
            OPERATOR,
            words,
            "PostgreSQL stops at the end of them: run `vacuumdb --all --freeze` as its superuser.",
        );
    } else {
        sections.say(OPERATOR, words);
    }
    Ok(())
}

/// What a statement had been counted with, by its number.
type Counted = BTreeMap<String, (i64, f64)>;

/// The statements that took longest since the last time.
pub(super) async fn review_slow_queries(db: &Db) -> anyhow::Result<TaskResult> {
    let mut sections = Sections::new(MaintenanceTask::SlowQueries);
    let Some(figures) = db.heaviest_statements(STATEMENTS).await? else {
        sections.find(
            OPERATOR,
            "PostgreSQL does not count its statements, so that slow ones are not found.".to_owned(),
            "Put pg_stat_statements into shared_preload_libraries, restart PostgreSQL, and run `secureguard migrate` as its superuser; `secureguard up` does so by itself where the module is installed.",
        );
        return Ok(TaskResult {
            sections,
            counters: None,
        });
    };
    let mut tx = db.system("maintenance review").await?;
    let before: Counted = find_task_counters(&mut tx, MaintenanceTask::SlowQueries)
        .await?
        .and_then(|value| serde_json::from_value(value).ok())
        .unwrap_or_default();
    drop(tx);
    let mut recent: Vec<(i64, f64, &StatementFigures)> = figures
        .iter()
        .map(|one| {
            let (calls, time) = since(one, &before);
            (calls, time, one)
        })
        .filter(|(calls, _, _)| *calls > 0)
        .collect();
    recent.sort_by(|a, b| b.1.total_cmp(&a.1));
    let calls: i64 = recent.iter().map(|(calls, _, _)| calls).sum();
    let time: f64 = recent.iter().map(|(_, time, _)| time).sum();
    sections.say(
        OPERATOR,
        format!(
            "{} ran since the last review, {:.2} ms each on average.",
            plural(calls, "statement", "statements"),
            mean(calls, time)
        ),
    );
    name_statements(&mut sections, &recent);
    let counters: Counted = figures
        .iter()
        .map(|one| (one.query_id.to_string(), (one.calls, one.milliseconds)))
        .collect();
    Ok(TaskResult {
        sections,
        counters: Some(serde_json::to_value(counters)?),
    })
}

/// The statements that took longest together, and those that are slow each time.
fn name_statements(sections: &mut Sections, recent: &[(i64, f64, &StatementFigures)]) {
    for (calls, time, one) in recent.iter().take(NAMED) {
        sections.say(
            OPERATOR,
            format!(
                "{:.1} s in {}, {:.2} ms each: {}",
                time / 1000.0,
                plural(*calls, "run", "runs"),
                mean(*calls, *time),
                quote(&one.text)
            ),
        );
    }
    let slow = recent
        .iter()
        .filter(|(calls, time, _)| mean(*calls, *time) > SLOW_MILLISECONDS);
    for (calls, time, one) in slow.take(NAMED) {
        sections.find(
            OPERATOR,
            format!(
                "A statement took {:.1} s on average in {}: {}",
                mean(*calls, *time) / 1000.0,
                plural(*calls, "run", "runs"),
                quote(&one.text)
            ),
            "See whether the disk keeps up and whether statistics are fresh; report a statement of the product that stays slow.",
        );
    }
}

/// Runs and milliseconds since the last time; all of them where PostgreSQL began to count anew.
fn since(one: &StatementFigures, before: &Counted) -> (i64, f64) {
    match before.get(&one.query_id.to_string()) {
        Some((calls, time)) if *calls <= one.calls && *time <= one.milliseconds => {
            (one.calls - calls, one.milliseconds - time)
        }
        _ => (one.calls, one.milliseconds),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean for people")]
fn mean(calls: i64, milliseconds: f64) -> f64 {
    if calls == 0 {
        0.0
    } else {
        milliseconds / calls as f64
    }
}

/// Which indexes are of no use, and which are missing.
pub(super) async fn review_indexes(tx: &mut SystemTx) -> anyhow::Result<Sections> {
    let mut sections = Sections::new(MaintenanceTask::IndexUsage);
    let figures = db::review_indexes(tx).await?;
    sections.say(
        OPERATOR,
        format!(
            "There are {} of {}; PostgreSQL counts their use since {}.",
            plural(figures.total, "index", "indexes"),
            bytes(figures.bytes),
            figures.since.map_or_else(
                || "its first start".to_owned(),
                |at| at.format("%Y-%m-%d").to_string()
            )
        ),
    );
    for name in figures.invalid {
        sections.find(
            OPERATOR,
            format!("The index {name} is not complete."),
            "A build of it broke off: `secureguard migrate` builds the product's anew; drop it where it is one of your own.",
        );
    }
    for (name, size) in figures.unused {
        sections.find(
            OPERATOR,
            format!("The index {name} of {} was not used once.", bytes(size)),
            "Leave it when PostgreSQL has counted for less than a month or the index is the product's; one of your own may be dropped.",
        );
    }
    for table in db::review_scanned_tables(tx).await? {
        sections.find(
            OPERATOR,
            format!(
                "{} with {} rows was read as a whole {} times.",
                table.name, table.rows, table.other
            ),
            "An index may be missing: see which statement of the weekly report reads it, and report it when it is the product's.",
        );
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_counted_since_the_last_time() {
        let one = StatementFigures {
            query_id: -7,
            text: String::new(),
            calls: 10,
            milliseconds: 100.0,
            longest: 50.0,
        };
        let before = |calls, time| Counted::from([("-7".to_owned(), (calls, time))]);
        assert_eq!(since(&one, &before(4, 40.0)), (6, 60.0));
        assert_eq!(since(&one, &before(11, 40.0)), (10, 100.0), "counted anew");
        assert_eq!(since(&one, &Counted::new()), (10, 100.0));
    }
}
