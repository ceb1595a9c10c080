//! Regular maintenance, and the reports on it and on the figures of a week.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::kpis::KpiTotal;
use crate::values::text_enum;
use crate::{MaintenanceRunId, ReportId};

/// How often maintenance is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaintenancePeriod {
    /// Failed sign-ins, lockouts, backups; over 24 hours.
    Daily,
    /// Statistics, slow queries, what was detected; over 7 days.
    Weekly,
    /// Password policy, use of indexes, audit log; over 30 days.
    Monthly,
}
text_enum!(MaintenancePeriod { Daily => "daily", Weekly => "weekly", Monthly => "monthly" });

/// One thing that maintenance does, in the words of the documented procedures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaintenanceTask {
    /// Monitor failed login attempts.
    FailedSignIns,
    /// Check account lockout patterns.
    LockoutPatterns,
    /// Verify backup completion.
    BackupCompletion,
    /// Update database statistics.
    Statistics,
    /// Review slow query logs.
    SlowQueries,
    /// Analyze threat detection patterns.
    ThreatPatterns,
    /// Password policy compliance review.
    PolicyCompliance,
    /// Index usage analysis.
    IndexUsage,
    /// Security audit log review.
    AuditReview,
}
text_enum!(MaintenanceTask {
    FailedSignIns => "failed_sign_ins",
    LockoutPatterns => "lockout_patterns",
    BackupCompletion => "backup_completion",
    Statistics => "statistics",
    SlowQueries => "slow_queries",
    ThreatPatterns => "threat_patterns",
    PolicyCompliance => "policy_compliance",
    IndexUsage => "index_usage",
    AuditReview => "audit_review",
});

impl MaintenancePeriod {
    /// Its tasks, in their order.
    pub const fn tasks(self) -> [MaintenanceTask; 3] {
        use MaintenanceTask::{
            AuditReview, BackupCompletion, FailedSignIns, IndexUsage, LockoutPatterns, PolicyCompliance,
            SlowQueries, Statistics, ThreatPatterns,
        };
        match self {
            Self::Daily => [FailedSignIns, LockoutPatterns, BackupCompletion],
            Self::Weekly => [Statistics, SlowQueries, ThreatPatterns],
            Self::Monthly => [PolicyCompliance, IndexUsage, AuditReview],
        }
    }

    /// Days that its tasks look back.
    pub const fn days(self) -> i64 {
        match self {
            Self::Daily => 1,
            Self::Weekly => 7,
            Self::Monthly => 30,
        }
    }
}

impl MaintenanceTask {
    /// What it is called for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::FailedSignIns => "Failed sign-ins",
            Self::LockoutPatterns => "Account lockouts",
            Self::BackupCompletion => "Backups",
            Self::Statistics => "Database statistics",
            Self::SlowQueries => "Slow queries",
            Self::ThreatPatterns => "Detections",
            Self::PolicyCompliance => "Password policy",
            Self::IndexUsage => "Use of indexes",
            Self::AuditReview => "Audit log",
        }
    }
}

/// How a run or task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaintenanceState {
    /// A task whose turn has not come.
    Waiting,
    /// At work, or broken off: then the next node goes on with it.
    Running,
    /// Done.
    Completed,
    /// A task that broke off with an error, or a run with such a task; the other tasks were done.
    Failed,
}
text_enum!(MaintenanceState {
    Waiting => "waiting",
    Running => "running",
    Completed => "completed",
    Failed => "failed",
});

/// A run of maintenance.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MaintenanceRunView {
    /// Its id.
    pub run_id: MaintenanceRunId,
    /// Which tasks it has.
    pub period: MaintenancePeriod,
    /// How it stands.
    pub state: MaintenanceState,
    /// The machine that did it, the last one where several did.
    pub node: String,
    /// Whether somebody started it: in the console or over the API, or by `secureguard maintenance run`.
    pub is_by_hand: bool,
    /// Sign-in name of whoever asked for it; null for a run at its time and for one from a terminal.
    pub requested_by: Option<String>,
    /// Begin of what it looks at.
    pub from_at: DateTime<Utc>,
    /// End of what it looks at.
    pub to_at: DateTime<Utc>,
    /// Begin.
    pub started_at: DateTime<Utc>,
    /// End.
    pub finished_at: Option<DateTime<Utc>>,
    /// How often the process that did it ended in the middle and another went on.
    pub interruptions: i32,
    /// Its tasks, in their order.
    pub tasks: Vec<MaintenanceTaskView>,
    /// The installation's report, once it is finished.
    pub report_id: Option<ReportId>,
}

/// Asks for a run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestMaintenance {
    /// Which tasks.
    pub period: MaintenancePeriod,
}

/// A task of a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MaintenanceTaskView {
    /// What is done.
    pub task: MaintenanceTask,
    /// How it stands.
    pub state: MaintenanceState,
    /// Begin.
    pub started_at: Option<DateTime<Utc>>,
    /// End.
    pub finished_at: Option<DateTime<Utc>>,
    /// What is at work at the moment, such as `12 of 90 tables`.
    pub progress: Option<String>,
    /// Things to do that it has found, in all tenants.
    pub finding_count: i32,
    /// Why it failed.
    pub problem: Option<String>,
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// Daily maintenance.
    Daily,
    /// Weekly maintenance.
    Weekly,
    /// Monthly maintenance.
    Monthly,
    /// The figures of a week against those of the week before.
    Kpis,
}
text_enum!(ReportKind { Daily => "daily", Weekly => "weekly", Monthly => "monthly", Kpis => "kpis" });

impl From<MaintenancePeriod> for ReportKind {
    fn from(period: MaintenancePeriod) -> Self {
        match period {
            MaintenancePeriod::Daily => Self::Daily,
            MaintenancePeriod::Weekly => Self::Weekly,
            MaintenancePeriod::Monthly => Self::Monthly,
        }
    }
}

/// A report in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReportSummary {
    /// Its id.
    pub report_id: ReportId,
    /// What it is about.
    pub kind: ReportKind,
    /// Begin of what it is about.
    pub from_at: DateTime<Utc>,
    /// End of what it is about.
    pub to_at: DateTime<Utc>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// Things to do that are in it.
    pub finding_count: i32,
}

/// A report.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReportView {
    /// What the list shows of it.
    #[serde(flatten)]
    pub summary: ReportSummary,
    /// What is in it.
    pub content: ReportContent,
}

/// What is in a report: sections of maintenance, or the figures of two weeks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportContent {
    /// One for each task that has something to say.
    #[serde(default)]
    pub sections: Vec<ReportSection>,
    /// What has to be said of the run itself, such as that it was interrupted.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The figures of the week.
    #[serde(default)]
    pub week: Option<KpiTotal>,
    /// Those of the week before; null where there are none.
    #[serde(default)]
    pub week_before: Option<KpiTotal>,
}

/// What one task has to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportSection {
    /// The task.
    pub task: MaintenanceTask,
    /// What is so.
    pub words: Vec<String>,
    /// What is to be done.
    pub findings: Vec<ReportFinding>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportFinding {
    /// What was found.
    pub words: String,
    /// What to do about it.
    pub advice: String,
}

/// When a report is mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportMode {
    /// Each time.
    Always,
    /// When there is something to do.
    Findings,
    /// Never.
    Never,
}
text_enum!(ReportMode { Always => "always", Findings => "findings", Never => "never" });

/// Which reports the caller wants by mail.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReportSubscriptions {
    /// Where the mails go: the caller's address.
    pub email: String,
    /// Whether this server sends mail at all.
    pub is_mail_on: bool,
    /// One for each kind of report that the caller may read.
    pub items: Vec<ReportSubscription>,
}

/// Whether one kind of report is mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportSubscription {
    /// The kind.
    pub kind: ReportKind,
    /// The installation's instead of the tenant's; needs `tenants_manage`.
    pub of_installation: bool,
    /// When it is mailed.
    pub mode: ReportMode,
}

impl ReportSubscription {
    /// What somebody gets who has chosen nothing, as `monitoring.list_report_readers` has it: who manages the installation its maintenance reports, the daily one when
    /// there is something to do; who manages a tenant's people the tenant's when there is something to do.
    pub const fn default_mode(kind: ReportKind, of_installation: bool, manages_people: bool) -> ReportMode {
        match (of_installation, kind) {
            (_, ReportKind::Kpis) => ReportMode::Never,
            (true, ReportKind::Weekly | ReportKind::Monthly) => ReportMode::Always,
            (true, ReportKind::Daily) => ReportMode::Findings,
            (false, _) if manages_people => ReportMode::Findings,
            (false, _) => ReportMode::Never,
        }
    }
}
