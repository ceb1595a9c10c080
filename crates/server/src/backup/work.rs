//! Runs: a backup, a verification, a drill; one at a time in the whole installation, each with a row of history.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sg_db::Db;
use sg_db::agents::try_long_job_lock;
use sg_db::monitoring::{
    BackupOutcome, finish_backup_run, insert_backup_run, interrupt_backup_runs, read_archiver,
};
use sg_postgres::{BackupKind, Stanza, Until, Watch};
use sg_types::api::backups::{BackupRunKind, BackupRunState};
use sg_types::{BackupRunId, Clock, Ids};
use tokio_util::sync::CancellationToken;

use super::{bundle, drill, due, pass, setup};
use crate::AppState;
use crate::config::Config;
use crate::syslog::hostname;

/// Time between words about how far it is.
const SPEAK_EVERY: Duration = Duration::from_secs(5);
/// The lock that keeps two runs apart.
const LOCK: &str = "backups";

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// A backup.
    Backup(BackupKind),
    /// Reading every file of the repositories.
    Verify,
    /// Restoring beside the running system.
    Drill(Until),
}

impl RunKind {
    pub(super) fn recorded(self) -> BackupRunKind {
        match self {
            Self::Backup(BackupKind::Full) => BackupRunKind::Full,
            Self::Backup(BackupKind::Incremental) => BackupRunKind::Incr,
            Self::Verify => BackupRunKind::Verify,
            Self::Drill(_) => BackupRunKind::Drill,
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// What was done.
    pub kind: RunKind,
    /// How it ended.
    pub state: BackupRunState,
    /// What came of it.
    pub outcome: BackupOutcome,
    /// How long it took.
    pub took: Duration,
}

/// Says how far it is, and stops when it is told to.
#[derive(Debug, Clone)]
pub struct Progress {
    tell: fn(f64),
    stop: CancellationToken,
    last: Instant,
}

impl Progress {
    /// Tells by `tell`, and stops once `stop` is cancelled.
    pub fn new(tell: fn(f64), stop: CancellationToken) -> Self {
        Self {
            tell,
            stop,
            last: Instant::now(),
        }
    }
}

impl Watch for Progress {
    fn progress(&mut self, percent: f64) {
        if self.last.elapsed() >= SPEAK_EVERY {
            self.last = Instant::now();
            (self.tell)(percent);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// What runs need.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// Settings.
    pub config: &'a Config,
    /// The database that is backed up.
    pub db: &'a Db,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Ids.
    pub ids: &'a dyn Ids,
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}

impl Work<'_> {
    /// Does it and notes what came of it.
    ///
    /// # Errors
    /// In words: another run is at work, or the database does not answer. What goes wrong with the run itself is in its outcome.
    pub async fn run(&self, kind: RunKind, progress: Progress) -> anyhow::Result<Finished> {
        let mut lock = self.db.system("backup lock").await?;
        ensure!(
            try_long_job_lock(&mut lock, LOCK).await?,
            "another backup, verification or drill is running; wait for its end"
        );
        let run_id = BackupRunId(self.ids.next());
        let mut tx = self.db.system("backup").await?;
        interrupt_backup_runs(&mut tx, self.clock.now()).await?;
        insert_backup_run(&mut tx, run_id, kind.recorded(), &hostname(), self.clock.now()).await?;
        tx.commit_upkeep().await?;

        let began = Instant::now();
        let result = self.do_it(kind, progress.clone()).await;
        let took = began.elapsed();
        let (state, outcome) = match result {
            Ok(outcome) if outcome.problem.is_none() => (BackupRunState::Completed, outcome),
            Ok(outcome) => (BackupRunState::Failed, outcome),
            Err(error) => {
                let state = if progress.stop.is_cancelled() {
                    BackupRunState::Interrupted
                } else {
                    BackupRunState::Failed
                };
                let problem = Some(format!("{error:#}"));
                (
                    state,
                    BackupOutcome {
                        problem,
                        ..BackupOutcome::default()
                    },
                )
            }
        };
        let mut tx = self.db.system("backup").await?;
        finish_backup_run(&mut tx, run_id, state, &outcome, self.clock.now()).await?;
        tx.commit_upkeep().await?;
        lock.commit_upkeep().await?;
        Ok(Finished {
            kind,
            state,
            outcome,
            took,
        })
    }

    async fn do_it(&self, kind: RunKind, progress: Progress) -> anyhow::Result<BackupOutcome> {
        let stanza = setup::open(self.config)?;
        match kind {
            RunKind::Backup(kind) => {
                let config = self.config.clone();
                blocking(move || back_up(&config, &stanza, kind, progress)).await
            }
            RunKind::Verify => {
                let mut tx = self.db.system("verification").await?;
                let segment_bytes = read_archiver(&mut tx, self.clock.now()).await?.segment_bytes;
                drop(tx);
                blocking(move || verify(&stanza, segment_bytes.unsigned_abs(), progress)).await
            }
            RunKind::Drill(until) => drill::run(self, stanza, until, progress).await,
        }
    }
}

/// Runs what blocks.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("it broke off")?
}

fn back_up(
    config: &Config,
    stanza: &Stanza,
    kind: BackupKind,
    mut progress: Progress,
) -> anyhow::Result<BackupOutcome> {
    stanza.init(&mut progress)?;
    let pass = pass::load(&config.backup.pass_file(&config.data_dir))?;
    stanza.put_beside(bundle::NAME, &bundle::seal(config, &pass)?)?;
    let mut outcome = BackupOutcome::default();
    let mut problems = Vec::new();
    for repository in 1..=stanza.repositories() {
        match stanza.back_up(kind, repository, &mut progress) {
            Ok((backup, warnings)) => {
                if backup.has_page_errors {
                    problems.push(format!(
                        "pages of the database do not fit their checksums, so this backup is none to restore from; find the table with pg_amcheck, look at the \
                         disk, and restore what is damaged from an older backup ({})",
                        warnings.join("; ")
                    ));
                }
                tracing::info!(
                    label = backup.label,
                    repository,
                    database_bytes = backup.database_bytes,
                    stored_bytes = backup.stored_bytes,
                    "a backup is complete"
                );
                if repository == 1 {
                    outcome.label = Some(backup.label);
                    outcome.repository = Some(1);
                    outcome.database_bytes = i64::try_from(backup.database_bytes).ok();
                    outcome.stored_bytes = i64::try_from(backup.stored_bytes).ok();
                }
            }
            Err(error @ sg_postgres::Error::Interrupted { .. }) => return Err(error.into()),
            Err(error) => problems.push(format!("repository {repository}: {error}")),
        }
    }
    outcome.problem = (!problems.is_empty()).then(|| problems.join("; "));
    Ok(outcome)
}

fn verify(stanza: &Stanza, segment_bytes: u64, mut progress: Progress) -> anyhow::Result<BackupOutcome> {
    let mut problems = Vec::new();
    for repository in 1..=stanza.repositories() {
        let warnings = stanza.verify(repository, &mut progress)?;
        if !warnings.is_empty() {
            problems.push(format!(
                "files of repository {repository} are damaged or missing: make a full backup, and look at its disk ({})",
                warnings.join("; ")
            ));
        }
    }
    if let Some(newest) = stanza
        .list(&mut progress)?
        .iter()
        .rfind(|backup| !backup.has_page_errors)
    {
        problems.extend(gaps_behind(stanza, newest, segment_bytes, &mut progress)?);
    }
    Ok(BackupOutcome {
        problem: (!problems.is_empty()).then(|| problems.join("; ")),
        ..BackupOutcome::default()
    })
}

/// The gaps behind the newest backup, in words. What lies before it does not keep anybody from going beyond it.
pub(super) fn gaps_behind(
    stanza: &Stanza,
    newest: &sg_postgres::BackupInfo,
    segment_bytes: u64,
    progress: &mut Progress,
) -> anyhow::Result<Vec<String>> {
    let gaps = stanza.find_gaps(segment_bytes, progress)?;
    let behind = gaps.iter().filter(|gap| gap.before > newest.archive_start);
    Ok(behind.map(describe_gap).collect())
}

/// What a gap means.
fn describe_gap(gap: &sg_postgres::Gap) -> String {
    format!(
        "{} segments of the write-ahead log are missing in repository {} between {} and {}: no moment behind them can be restored from a backup before them; \
         make a backup now",
        gap.segments, gap.repository, gap.after, gap.before
    )
}

/// Does what is due: a backup, a verification after the full one, a drill.
///
/// # Errors
/// What the database says; the next run finds the same.
pub(crate) async fn run_due(state: AppState) -> anyhow::Result<u64> {
    if !state.config.backup.is_on() || !due::is_here(&state.config) {
        return Ok(0);
    }
    let Some(kind) = due::find(&state).await? else {
        return Ok(0);
    };
    let work = Work {
        config: &state.config,
        db: &state.db,
        clock: state.clock.as_ref(),
        ids: state.ids.as_ref(),
    };
    let progress = Progress::new(
        |percent| tracing::info!(percent, "a backup or drill is under way"),
        state.supervisor.stop_token(),
    );
    let finished = work.run(kind, progress).await?;
    if let Some(problem) = &finished.outcome.problem {
        tracing::error!(
            kind = finished.kind.recorded().as_str(),
            problem,
            "a backup or drill has failed"
        );
    }
    Ok(1)
}
