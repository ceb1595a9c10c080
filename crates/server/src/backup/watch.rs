//! The watch: whether the archive follows, the repositories can be read, backups and drills are as old as they may be. What is wrong is stored with what to do,
//! and raises the alert `backup_failure` about its subject; what is right again clears it.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use chrono::{DateTime, Duration, Utc};
use sg_db::agents::try_job_lock;
use sg_db::monitoring::{
    ArchiverFigures, clear_alert, close_segment, find_last_backup_run, raise_alert, read_archiver,
    read_backup_state, save_backup_state,
};
use sg_postgres::BackupInfo;
use sg_types::TenantId;
use sg_types::api::backups::{BackupProblem, BackupRunKind, BackupRunState, BackupRunView};

use super::work::{Progress, blocking, gaps_behind};
use super::{due, setup};
use crate::AppState;
use crate::config::BackupConfig;
use crate::syslog::hostname;

const ALERT: &str = "backup_failure";
/// What alerts are about.
const SUBJECTS: [&str; 5] = ["archiving", "backup", "drill", "repository", "verification"];
/// The subject for a watch that has ended.
const WATCH: &str = "watch";
/// After how long without a look the watch counts as ended.
const WATCH_MINUTES: i64 = 10;
/// How often the archive is read from end to end for gaps.
const GAPS_EVERY_MINUTES: i64 = 15;
/// By how much the clocks of this machine and of PostgreSQL may differ, and a step of time service may be.
const CLOCK_MINUTES: i64 = 10;
/// For how long a server that has just been set up may be without a backup.
const GRACE_MINUTES: i64 = 60;

/// What the last look for gaps found.
static GAPS: Mutex<Option<Gaps>> = Mutex::new(None);

struct Gaps {
    at: DateTime<Utc>,
    newest: String,
    words: Vec<String>,
}

/// What could be read of the repositories.
struct Seen {
    backups: Vec<BackupInfo>,
    gaps: Vec<String>,
    /// Folders of repositories without room for another segment.
    full: Vec<PathBuf>,
}

/// Looks, stores what it saw, raises and clears alerts.
///
/// # Errors
/// What the database says; the next run finds the same.
pub(crate) async fn watch(state: AppState) -> anyhow::Result<u64> {
    if !state.config.backup.is_on() || !due::is_here(&state.config) {
        return Ok(0);
    }
    let now = state.now();
    let mut tx = state.db.system("backup watch").await?;
    let figures = read_archiver(&mut tx, now).await?;
    drop(tx);
    let seen = look(&state, &figures, now).await;
    let mut tx = state.db.system("backup watch").await?;
    if !try_job_lock(&mut tx, "backup-watch").await? {
        return Ok(0);
    }
    let before = read_backup_state(&mut tx).await?.problems;
    let runs = Runs::read(&mut tx).await?;
    let problems = judge(&state.config.backup, &figures, &seen, &runs, now);
    save_backup_state(&mut tx, &hostname(), &figures, &problems, now).await?;
    for subject in SUBJECTS {
        match problems.iter().find(|problem| problem.subject == subject) {
            Some(problem) => {
                if !before.iter().any(|known| known.subject == subject) {
                    tracing::error!(subject, problem = problem.words, "backups are not in order");
                }
                raise_alert(&mut tx, TenantId::SYSTEM, ALERT, subject, 1.0, now).await?;
            }
            None => {
                if clear_alert(&mut tx, TenantId::SYSTEM, ALERT, subject, now).await? {
                    tracing::info!(subject, "backups are in order again");
                }
            }
        }
    }
    tx.commit_upkeep().await?;
    if is_left_open(&state.config.backup, &figures, now) {
        let mut tx = state.db.system("backup watch").await?;
        if let Err(error) = close_segment(&mut tx).await {
            tracing::warn!(%error, "the segment that is written cannot be closed");
        }
    }
    tell_metrics(&figures, &problems, &seen, &runs);
    Ok(u64::try_from(problems.len()).unwrap_or(u64::MAX))
}

/// Raises the alert when the node that watches has not looked for long, whichever node notices.
///
/// # Errors
/// What a query may meet.
pub(crate) async fn note_missing_watch(
    tx: &mut sg_db::SystemTx,
    now: DateTime<Utc>,
) -> Result<bool, sg_db::DbError> {
    let seen = read_backup_state(tx).await?;
    let is_missing = seen
        .looked_at
        .is_some_and(|at| now - at > Duration::minutes(WATCH_MINUTES));
    if is_missing {
        raise_alert(tx, TenantId::SYSTEM, ALERT, WATCH, 1.0, now).await?;
    } else {
        clear_alert(tx, TenantId::SYSTEM, ALERT, WATCH, now).await?;
    }
    Ok(is_missing)
}

/// Whether PostgreSQL does not close segments when it should: it counts `archive_timeout` by a clock that may have been ahead, and then waits until that moment comes
/// again.
fn is_left_open(settings: &BackupConfig, figures: &ArchiverFigures, now: DateTime<Utc>) -> bool {
    let late = 2.0 * f64::from(settings.archive_timeout_seconds);
    figures.is_on
        && !figures.is_failing
        && (figures.age_seconds > late || figures.archived_at.is_some_and(|at| is_future(at, now)))
}

struct Runs {
    backup: Option<BackupRunView>,
    verification: Option<BackupRunView>,
    drill: Option<BackupRunView>,
}

impl Runs {
    /// The last of each that came to an end.
    async fn read(tx: &mut sg_db::SystemTx) -> Result<Self, sg_db::DbError> {
        use BackupRunKind::{Drill, Full, Incr, Verify};
        let ended = [BackupRunState::Completed, BackupRunState::Failed];
        Ok(Self {
            backup: find_last_backup_run(tx, &[Full, Incr], &ended).await?,
            verification: find_last_backup_run(tx, &[Verify], &ended).await?,
            drill: find_last_backup_run(tx, &[Drill], &ended).await?,
        })
    }
}

async fn look(state: &AppState, figures: &ArchiverFigures, now: DateTime<Utc>) -> Result<Seen, String> {
    let config = state.config.clone();
    let stop = state.supervisor.stop_token();
    let segment_bytes = figures.segment_bytes.unsigned_abs();
    let looked = blocking(move || {
        let mut progress = Progress::new(|_| {}, stop);
        let stanza = setup::open(&config)?;
        let backups = stanza.list(&mut progress)?;
        let full = full_repositories(&config.backup, segment_bytes);
        let Some(newest) = backups.iter().rfind(|backup| !backup.has_page_errors) else {
            return Ok(Seen {
                backups,
                gaps: Vec::new(),
                full,
            });
        };
        let mut known = GAPS.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known.take().filter(|gaps| {
            now - gaps.at < Duration::minutes(GAPS_EVERY_MINUTES) && gaps.newest == newest.label
        });
        let gaps = match fresh {
            Some(gaps) => gaps,
            None => Gaps {
                at: now,
                newest: newest.label.clone(),
                words: gaps_behind(&stanza, newest, segment_bytes, &mut progress)?,
            },
        };
        let gaps = known.insert(gaps).words.clone();
        Ok(Seen { backups, gaps, full })
    });
    looked.await.map_err(|error| format!("{error:#}"))
}

fn judge(
    settings: &BackupConfig,
    figures: &ArchiverFigures,
    seen: &Result<Seen, String>,
    runs: &Runs,
    now: DateTime<Utc>,
) -> Vec<BackupProblem> {
    let mut problems = Vec::new();
    let mut add = |subject: &str, words: String| {
        problems.push(BackupProblem {
            subject: subject.to_owned(),
            words,
        });
    };
    if !figures.is_on {
        add(
            "archiving",
            "PostgreSQL does not send its write-ahead log to the archive (archive_mode is off): restart the server, or set archive_mode and archive_command \
             as `secureguard backup init` prints them"
                .to_owned(),
        );
    } else if let Some(at) = figures.archived_at.filter(|at| is_future(*at, now)) {
        add(
            "archiving",
            format!(
                "the last segment is said to have reached the archive at {}, which lies in the future: this machine's clock was wrong, or is. Set it right; this clears \
                 with the next segment",
                at.to_rfc3339()
            ),
        );
    } else if figures.age_seconds > f64::from(settings.archive_alert_seconds) {
        let why = match seen {
            Err(error) => error.clone(),
            Ok(seen) if !seen.full.is_empty() => format!(
                "the disk of the repository {} is full; give it more room, or keep fewer backups (backup.keep_full)",
                seen.full
                    .iter()
                    .map(|dir| dir.display().to_string())
                    .collect::<Vec<_>>()
                    .join(" and ")
            ),
            Ok(_) => "PostgreSQL's log says why its archive command fails".to_owned(),
        };
        add(
            "archiving",
            format!(
                "nothing has reached the archive for {:.0} s ({} failures); nothing is lost as long as this machine lives, but pg_wal grows: {why}",
                figures.age_seconds, figures.failures
            ),
        );
    }
    match seen {
        Err(error) => add("repository", error.clone()),
        Ok(seen) => {
            if !seen.gaps.is_empty() {
                add("repository", seen.gaps.join("; "));
            }
            if let Some(words) = judge_backups(settings, seen, runs, now) {
                add("backup", words);
            }
        }
    }
    let failed = |run: &Option<BackupRunView>| {
        let run = run.as_ref().filter(|run| run.state == BackupRunState::Failed)?;
        Some(format!(
            "the last one, of {}, failed: {}",
            run.started_at.to_rfc3339(),
            run.problem.as_deref().unwrap_or_default()
        ))
    };
    if let Some(words) = failed(&runs.verification) {
        add("verification", words);
    }
    let too_old = Duration::days(i64::from(settings.drill_every_days) + 1);
    match (&runs.drill, failed(&runs.drill)) {
        (_, Some(words)) => add("drill", words),
        (Some(run), None) if settings.drill_every_days > 0 && now - run.started_at > too_old => add(
            "drill",
            format!(
                "the last drill was at {}; run `secureguard backup drill`",
                run.started_at.to_rfc3339()
            ),
        ),
        _ => {}
    }
    problems
}

fn judge_backups(settings: &BackupConfig, seen: &Seen, runs: &Runs, now: DateTime<Utc>) -> Option<String> {
    let newest = seen.backups.iter().rfind(|backup| !backup.has_page_errors);
    if let Some(run) = runs.backup.as_ref().filter(|run| {
        run.state == BackupRunState::Failed && newest.is_none_or(|b| b.finished_at < run.started_at)
    }) {
        return Some(format!(
            "the last one, of {}, failed: {}",
            run.started_at.to_rfc3339(),
            run.problem.as_deref().unwrap_or_default()
        ));
    }
    let limit = Duration::hours(settings.alert_after_hours.into());
    match newest {
        Some(newest) if is_future(newest.finished_at, now) => Some(format!(
            "the last backup is of {}, which lies in the future: this machine's clock was wrong, or is. Set it right. pgBackRest makes no other backup before that moment: with it, \
             begin another repository (backup.repository) when that is far",
            newest.finished_at.to_rfc3339()
        )),
        Some(newest) if now - newest.finished_at > limit => Some(format!(
            "the last backup is of {}, {} hours ago; run `secureguard backup full` and see what it says",
            newest.finished_at.to_rfc3339(),
            (now - newest.finished_at).num_hours()
        )),
        Some(_) => None,
        None => {
            let first = runs.backup.as_ref().map(|run| run.started_at);
            first
                .filter(|at| now - *at > Duration::minutes(GRACE_MINUTES))
                .map(|_| "there is no backup to restore from; run `secureguard backup full`".to_owned())
        }
    }
}

/// Whether a moment cannot have been yet.
pub(super) fn is_future(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at > now + Duration::minutes(CLOCK_MINUTES)
}

fn full_repositories(settings: &BackupConfig, segment_bytes: u64) -> Vec<PathBuf> {
    [&settings.repository, &settings.second_repository]
        .into_iter()
        .filter(|dir| {
            rustix::fs::statvfs(dir.as_path())
                .is_ok_and(|told| told.f_bavail.saturating_mul(told.f_frsize) < segment_bytes)
        })
        .cloned()
        .collect()
}

fn tell_metrics(
    figures: &ArchiverFigures,
    problems: &[BackupProblem],
    seen: &Result<Seen, String>,
    runs: &Runs,
) {
    metrics::gauge!("sg_backup_archive_age_seconds").set(figures.age_seconds);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    metrics::gauge!("sg_backup_problems_count").set(problems.len() as f64);
    if let Some(newest) = seen.as_ref().ok().and_then(|seen| seen.backups.last()) {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
        metrics::gauge!("sg_backup_last_timestamp_seconds").set(newest.finished_at.timestamp() as f64);
    }
    if let Some(drill) = &runs.drill {
        if let Some(seconds) = drill.rpo_seconds {
            metrics::gauge!("sg_backup_drill_rpo_seconds").set(seconds);
        }
        if let Some(seconds) = drill.rto_seconds {
            metrics::gauge!("sg_backup_drill_rto_seconds").set(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Verb, load};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn told(archived: &str, backup: &str, now: &str) -> Vec<String> {
        let settings = load(None, Verb::Other).unwrap().backup;
        let figures = ArchiverFigures {
            is_on: true,
            archived_at: Some(at(archived)),
            archived_segment: None,
            age_seconds: (at(now) - at(archived)).as_seconds_f64().max(0.0),
            failures: 0,
            is_failing: false,
            timeline: "00000001".to_owned(),
            segment_bytes: 16_777_216,
        };
        let seen = Ok(Seen {
            backups: vec![BackupInfo {
                label: "x".to_owned(),
                kind: "full".to_owned(),
                repository: 1,
                started_at: at(backup),
                finished_at: at(backup),
                database_bytes: 1,
                stored_bytes: 1,
                archive_start: "000000010000000000000001".to_owned(),
                archive_stop: "000000010000000000000001".to_owned(),
                has_page_errors: false,
            }],
            gaps: Vec::new(),
            full: Vec::new(),
        });
        let runs = Runs {
            backup: None,
            verification: None,
            drill: None,
        };
        judge(&settings, &figures, &seen, &runs, at(now))
            .into_iter()
            .filter(|problem| problem.subject != "drill")
            .map(|problem| format!("{}: {}", problem.subject, problem.words))
            .collect()
    }

    #[test]
    fn a_segment_that_postgresql_leaves_open_is_closed() {
        let settings = load(None, Verb::Other).unwrap().backup;
        let now = at("2026-03-01T12:00:00Z");
        let figures = |archived: &str, is_on, is_failing| ArchiverFigures {
            is_on,
            archived_at: Some(at(archived)),
            archived_segment: None,
            age_seconds: (now - at(archived)).as_seconds_f64().max(0.0),
            failures: 0,
            is_failing,
            timeline: "00000001".to_owned(),
            segment_bytes: 16_777_216,
        };
        for (archived, is_on, is_failing, expected) in [
            ("2026-03-01T11:58:30Z", true, false, false),
            ("2026-03-01T11:57:30Z", true, false, true),
            // Its clock was ahead: it counts from a moment that has yet to come.
            ("2026-03-04T12:00:00Z", true, false, true),
            // More segments would only wait for the archive with the others.
            ("2026-03-01T11:00:00Z", true, true, false),
            ("2026-03-01T11:00:00Z", false, false, false),
        ] {
            let figures = figures(archived, is_on, is_failing);
            assert_eq!(is_left_open(&settings, &figures, now), expected, "{figures:?}");
        }
    }

    #[test]
    fn a_clock_that_jumped_is_told_whichever_way_and_hides_nothing() {
        let fine = told(
            "2026-03-01T12:00:00Z",
            "2026-03-01T02:00:00Z",
            "2026-03-01T12:00:30Z",
        );
        assert_eq!(fine, Vec::<String>::new());
        // It was a year ahead while the last backup was made, and is right again: nothing may wait for that year to pass.
        let back = told(
            "2027-03-01T12:00:00Z",
            "2027-03-01T02:00:00Z",
            "2026-03-01T12:00:30Z",
        );
        assert!(
            back.len() == 2
                && back[0].starts_with("archiving: ")
                && back[1].starts_with("backup: ")
                && back.iter().all(|words| words.contains("clock was wrong, or is")),
            "{back:?}"
        );
        let ahead = told(
            "2026-03-01T12:00:00Z",
            "2026-03-01T02:00:00Z",
            "2027-03-01T12:00:00Z",
        );
        assert!(
            ahead.len() == 2 && ahead[0].contains("nothing has reached the archive"),
            "{ahead:?}"
        );
        let stepped = told(
            "2026-03-01T12:05:00Z",
            "2026-03-01T12:05:00Z",
            "2026-03-01T12:00:00Z",
        );
        assert_eq!(stepped, Vec::<String>::new(), "a step of minutes is no fault");
    }
}
