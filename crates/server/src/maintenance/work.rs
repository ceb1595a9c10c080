//! A run of maintenance: its tasks one after the other, each with its result in one transaction, so that a run which breaks off is taken up where it was.

use anyhow::ensure;
use chrono::Duration;
use sg_db::agents::try_long_job_lock;
use sg_db::monitoring::{
    NewMaintenanceRun, TaskOutcome, Window, add_report_sections, allow_long_statements, find_maintenance_run,
    finish_maintenance_run, finish_maintenance_task, insert_maintenance_run, list_tenant_names,
    publish_reports, start_maintenance_task, take_up_maintenance_run,
};
use sg_db::{Db, SystemTx};
use sg_types::api::maintenance::{
    MaintenancePeriod, MaintenanceRunView, MaintenanceState, MaintenanceTask, MaintenanceTaskView,
};
use sg_types::{Clock, Ids, MaintenanceRunId, TenantId};
use tokio_util::sync::CancellationToken;

use super::sections::{Sections, plural, quote_some};
use super::{database, security};
use crate::config::Config;
use crate::syslog::hostname;

/// The lock that keeps two runs apart, in the whole installation.
const LOCK: &str = "maintenance";
/// Tenants that are named in the installation's report.
const NAMED: usize = 20;

/// What maintenance needs.
#[derive(Clone)]
pub struct Maintenance<'a> {
    /// Settings.
    pub config: &'a Config,
    /// The database.
    pub db: &'a Db,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Ids.
    pub ids: &'a dyn Ids,
    /// Ends a run between two steps; the next one goes on.
    pub stop: CancellationToken,
    /// Told what begins.
    pub tell: fn(&str),
}

impl std::fmt::Debug for Maintenance<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maintenance").finish_non_exhaustive()
    }
}

/// What a task found, and what the next one compares with.
#[derive(Debug)]
pub(super) struct TaskResult {
    pub(super) sections: Sections,
    pub(super) counters: Option<serde_json::Value>,
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// Another one is at work, on this node or on another.
    Busy,
    /// It is at its end, or was stopped in the middle (`running`).
    Done(Box<MaintenanceRunView>),
}

impl Maintenance<'_> {
    /// Runs a period's tasks; a run of the period that broke off is taken up instead of beginning another.
    ///
    /// # Errors
    /// When the database does not answer. A task that fails is noted, and the others are done.
    pub async fn run(&self, period: MaintenancePeriod, is_by_hand: bool) -> anyhow::Result<Outcome> {
        let mut lock = self.db.system("maintenance lock").await?;
        if !try_long_job_lock(&mut lock, LOCK).await? {
            return Ok(Outcome::Busy);
        }
        let run = self.begin(period, is_by_hand).await?;
        let waiting = run
            .tasks
            .iter()
            .filter(|task| task.state == MaintenanceState::Waiting);
        for task in waiting {
            if self.stop.is_cancelled() {
                break;
            }
            self.do_task(&run, task.task).await?;
        }
        let ended = self.end(run.run_id).await?;
        lock.commit_upkeep().await?;
        Ok(Outcome::Done(Box::new(ended)))
    }

    async fn begin(&self, period: MaintenancePeriod, is_by_hand: bool) -> anyhow::Result<MaintenanceRunView> {
        let (node, at) = (hostname(), self.clock.now());
        let mut tx = self.db.system("maintenance").await?;
        if let Some(run) = take_up_maintenance_run(&mut tx, period, &node).await? {
            tx.commit_upkeep().await?;
            let since = run.started_at.format("%Y-%m-%d %H:%M:%S UTC");
            (self.tell)(&if run.interruptions == 0 {
                format!("beginning the {period} maintenance that was asked for at {since}")
            } else {
                format!("taking up the {period} maintenance that began at {since} and was broken off")
            });
            return Ok(run);
        }
        let run_id = MaintenanceRunId(self.ids.next());
        let new = NewMaintenanceRun {
            run_id,
            period,
            node: &node,
            is_by_hand,
            requested_by: None,
            from_at: at - Duration::days(period.days()),
            at,
        };
        insert_maintenance_run(&mut tx, &new).await?;
        let run = find_maintenance_run(&mut tx, run_id).await?;
        tx.commit_upkeep().await?;
        run.ok_or_else(|| anyhow::anyhow!("the run was not stored"))
    }

    async fn do_task(&self, run: &MaintenanceRunView, task: MaintenanceTask) -> anyhow::Result<()> {
        (self.tell)(task.title());
        let mut tx = self.db.system("maintenance").await?;
        start_maintenance_task(&mut tx, run.run_id, task, self.clock.now()).await?;
        tx.commit_upkeep().await?;
        let (result, problem) = match self.look(run, task).await {
            Ok(result) => (result, None),
            Err(_) if self.stop.is_cancelled() => return Ok(()),
            Err(error) => {
                let problem = format!("{error:#}");
                tracing::error!(
                    task = task.as_str(),
                    error = problem,
                    "a task of maintenance has failed"
                );
                let mut sections = Sections::new(task);
                sections.find(
                    TenantId::SYSTEM,
                    format!("This task broke off: {problem}"),
                    "See the server's log for why, and run it again by `secureguard maintenance run`.",
                );
                let result = TaskResult {
                    sections,
                    counters: None,
                };
                (result, Some(problem))
            }
        };
        let mut tx = self.db.system("maintenance").await?;
        let outcome = TaskOutcome {
            findings: result.sections.count(),
            problem: problem.as_deref(),
            counters: result.counters.as_ref(),
        };
        let at = self.clock.now();
        if finish_maintenance_task(&mut tx, run.run_id, task, &outcome, at).await? {
            let sections = name_tenants(&mut tx, result.sections).await?;
            add_report_sections(&mut tx, run.run_id, &sections.into_rows(), at).await?;
        }
        tx.commit_upkeep().await?;
        Ok(())
    }

    async fn look(&self, run: &MaintenanceRunView, task: MaintenanceTask) -> anyhow::Result<TaskResult> {
        use MaintenanceTask::{
            AuditReview, BackupCompletion, FailedSignIns, IndexUsage, LockoutPatterns, PolicyCompliance,
            SlowQueries, Statistics, ThreatPatterns,
        };
        let window = Window {
            from: run.from_at,
            to: run.to_at,
        };
        // These take their connections one after the other: work that held one while it waited for the next could wait for itself.
        match task {
            Statistics => return database::renew_statistics(self, run.run_id).await,
            SlowQueries => return database::review_slow_queries(self.db).await,
            _ => {}
        }
        let mut tx = self.db.system("maintenance review").await?;
        allow_long_statements(&mut tx).await?;
        let sections = match task {
            FailedSignIns => security::review_sign_ins(&mut tx, window).await?,
            LockoutPatterns => security::review_lockouts(&mut tx, window).await?,
            ThreatPatterns => security::review_threats(&mut tx, window).await?,
            PolicyCompliance => security::review_policies(&mut tx, window).await?,
            AuditReview => security::review_audit(&mut tx, window).await?,
            BackupCompletion => database::review_backups(&mut tx, window).await?,
            IndexUsage | Statistics | SlowQueries => database::review_indexes(&mut tx).await?,
        };
        Ok(TaskResult {
            sections,
            counters: None,
        })
    }

    /// Ends the run when every task is done.
    async fn end(&self, run_id: MaintenanceRunId) -> anyhow::Result<MaintenanceRunView> {
        let mut tx = self.db.system("maintenance").await?;
        let run = find_maintenance_run(&mut tx, run_id).await?;
        let run = run.ok_or_else(|| anyhow::anyhow!("the run was removed meanwhile"))?;
        let is_open = |task: &MaintenanceTaskView| {
            matches!(task.state, MaintenanceState::Waiting | MaintenanceState::Running)
        };
        if run.tasks.iter().any(is_open) {
            ensure!(
                self.stop.is_cancelled(),
                "a task was left undone; the next run takes it up"
            );
            return Ok(run);
        }
        let at = self.clock.now();
        let notes: Vec<String> = (run.interruptions > 0)
            .then(|| {
                format!(
                    "The process that did this ended {} before the end; what was missing was done afterwards.",
                    plural(run.interruptions.into(), "time", "times")
                )
            })
            .into_iter()
            .collect();
        publish_reports(&mut tx, run_id, &notes, self.config.mail.is_on(), at).await?;
        finish_maintenance_run(&mut tx, run_id, at).await?;
        let run = find_maintenance_run(&mut tx, run_id).await?;
        tx.commit_upkeep().await?;
        run.ok_or_else(|| anyhow::anyhow!("the run was removed meanwhile"))
    }
}

/// Tells the installation in which tenants there is something to do; what, their own people read.
async fn name_tenants(tx: &mut SystemTx, mut sections: Sections) -> anyhow::Result<Sections> {
    let tenants = sections.tenants_with_findings();
    if tenants.is_empty() {
        return Ok(sections);
    }
    let some = &tenants[..tenants.len().min(NAMED)];
    let names = list_tenant_names(tx, some).await?;
    let total = i64::try_from(tenants.len()).unwrap_or(i64::MAX);
    sections.say(
        TenantId::SYSTEM,
        format!(
            "There is something to do in {}: {}. Their people read it in their own report.",
            plural(total, "tenant", "tenants"),
            quote_some(&names, total)
        ),
    );
    Ok(sections)
}
