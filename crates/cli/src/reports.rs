//! Key figures, maintenance, and the reports on both.

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use sg_client::Client;
use sg_types::ReportId;
use sg_types::api::kpis::{KpiDay, KpiTotal, KpiView, share};
use sg_types::api::maintenance::{
    MaintenancePeriod, MaintenanceRunView, MaintenanceTaskView, ReportKind, ReportMode, ReportSubscription,
    ReportSubscriptions, ReportView,
};

use crate::output::{self, Format, printable, time};

#[derive(Debug, Subcommand)]
pub(crate) enum Figures {
    /// Show the key figures of the last days.
    Kpis {
        /// Days that end with today (UTC), 1 to 400.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=400))]
        days: u16,
        #[command(flatten)]
        whose: Whose,
    },
    /// List the installation's maintenance with its tasks: what is at work, and how long others took.
    Maintenance {
        /// At most this many runs.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Ask for a run of the installation's maintenance; `maintenance` then shows how far it is.
    Maintain {
        /// daily, weekly or monthly.
        period: MaintenancePeriod,
    },
    /// List reports.
    Reports {
        /// daily, weekly, monthly or kpis.
        #[arg(long)]
        kind: Option<ReportKind>,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        whose: Whose,
    },
    /// Read a report.
    Report {
        /// Its id.
        report: ReportId,
        #[command(flatten)]
        whose: Whose,
    },
    /// Say which reports come by mail, or choose: `subscribe kpis always`.
    Subscribe {
        /// daily, weekly, monthly or kpis.
        #[arg(requires = "mode")]
        kind: Option<ReportKind>,
        /// always, findings (when there is something to do) or never.
        mode: Option<ReportMode>,
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Whose {
    /// What is the installation's instead of the tenant's; takes tenants_manage.
    #[arg(long, global = true)]
    pub(crate) installation: bool,
}

impl Figures {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::Kpis { days, whose } => print_kpis(format, &client.kpis(days, whose.installation).await?),
            Self::Maintenance { limit } => {
                print_runs(format, &client.list_maintenance(limit as usize).await?)
            }
            Self::Maintain { period } => print_runs(format, &[client.request_maintenance(period).await?]),
            Self::Reports { kind, limit, whose } => {
                let rows = client
                    .list_reports(kind, whose.installation, limit as usize)
                    .await?;
                output::list(format, &rows, &["ID", "KIND", "FROM", "TO", "TO DO"], |one| {
                    vec![
                        one.report_id.to_string(),
                        one.kind.to_string(),
                        time(one.from_at),
                        time(one.to_at),
                        one.finding_count.to_string(),
                    ]
                })
            }
            Self::Report { report, whose } => {
                print_report(format, &client.report(report, whose.installation).await?)
            }
            Self::Subscribe { kind, mode, whose } => {
                let view = match kind.zip(mode) {
                    None => client.report_subscriptions().await?,
                    Some((kind, mode)) => {
                        let chosen = ReportSubscription {
                            kind,
                            of_installation: whose.installation,
                            mode,
                        };
                        client.subscribe_to_report(&chosen).await?
                    }
                };
                print_subscriptions(format, &view)
            }
        }
    }
}

fn print_kpis(format: Format, view: &KpiView) -> Result<()> {
    if format.is_whole() {
        return output::whole(format, view);
    }
    let headers = [
        "DAY",
        "FAILED SIGN-INS",
        "LOCKED",
        "PASSWORDS IN ORDER",
        "REAL INCIDENTS",
        "QUERY",
        "CONNECTIONS",
        "BY INDEX",
        "DATABASE",
    ];
    output::list(format, &view.days, &headers, row_of_day)?;
    if format != Format::Table {
        return Ok(());
    }
    output::record(format, view, &figures(&view.total))?;
    let Some(storage) = &view.storage else {
        return Ok(());
    };
    let growth = storage.bytes_per_day.map_or_else(
        || "known after three days".to_owned(),
        |bytes| format!("{:+.1} MB each day", bytes / 1e6),
    );
    let full = storage
        .full_on
        .map(|day| format!("85 % on {day} if it goes on like this"));
    output::record(
        format,
        view,
        &[
            ("growth", growth),
            (
                "in 30 days",
                storage.in_30_days.map(megabytes).unwrap_or_default(),
            ),
            ("disk", storage.disk_use.map(percent).unwrap_or_default()),
            ("disk full", full.unwrap_or_default()),
        ],
    )
}

fn row_of_day(day: &KpiDay) -> Vec<String> {
    let total = KpiTotal::of(std::slice::from_ref(day));
    let part = |value: Option<f64>| value.map(percent).unwrap_or_default();
    vec![
        day.day.to_string(),
        format!("{} of {}", day.failed_sign_ins, day.sign_ins),
        day.lockouts.to_string(),
        part(
            day.compliant_people
                .zip(day.people)
                .and_then(|(good, all)| share(good.into(), all.into())),
        ),
        part(total.detection_accuracy),
        total
            .query_milliseconds
            .map(|time| format!("{time:.2} ms"))
            .unwrap_or_default(),
        connections(&total),
        part(total.index_use),
        total.database_bytes.map(megabytes).unwrap_or_default(),
    ]
}

fn figures(total: &KpiTotal) -> [(&'static str, String); 8] {
    let part = |value: Option<f64>| value.map(percent).unwrap_or_default();
    [
        (
            "failed sign-ins",
            format!(
                "{} of {} {}",
                total.failed_sign_ins,
                total.sign_ins,
                part(total.failed_sign_in_rate)
            ),
        ),
        ("locked accounts", total.lockouts.to_string()),
        ("passwords in order", part(total.password_compliance)),
        (
            "real incidents",
            format!(
                "{} of {} closed",
                part(total.detection_accuracy),
                total.closed_incidents
            ),
        ),
        (
            "average query",
            total
                .query_milliseconds
                .map(|time| format!("{time:.2} ms"))
                .unwrap_or_default(),
        ),
        ("most connections", connections(total)),
        ("rows by index", part(total.index_use)),
        (
            "database",
            total.database_bytes.map(megabytes).unwrap_or_default(),
        ),
    ]
}

fn connections(total: &KpiTotal) -> String {
    total
        .connections
        .zip(total.max_connections)
        .map(|(open, most)| format!("{open} of {most}"))
        .unwrap_or_default()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: i64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn print_runs(format: Format, runs: &[MaintenanceRunView]) -> Result<()> {
    if format.is_whole() {
        return output::whole(format, runs);
    }
    let rows: Vec<(&MaintenanceRunView, &MaintenanceTaskView)> = runs
        .iter()
        .flat_map(|run| run.tasks.iter().map(move |task| (run, task)))
        .collect();
    let headers = ["BEGIN", "PERIOD", "TASK", "STATE", "TOOK", "TO DO", "NODE", ""];
    output::list(format, &rows, &headers, |(run, task)| {
        let more = task.progress.as_ref().or(task.problem.as_ref());
        vec![
            time(run.started_at),
            run.period.to_string(),
            task.task.to_string(),
            task.state.to_string(),
            took(task.started_at, task.finished_at),
            task.finding_count.to_string(),
            printable(&run.node),
            more.map(|more| printable(more)).unwrap_or_default(),
        ]
    })
}

fn took(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
    let lasted = from.zip(to).map(|(from, to)| (to - from).num_milliseconds());
    lasted
        .map(|milliseconds| format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100))
        .unwrap_or_default()
}

fn print_report(format: Format, report: &ReportView) -> Result<()> {
    if format != Format::Table {
        return output::whole(format, report);
    }
    let summary = &report.summary;
    output::line(&format!(
        "{} report from {} to {}",
        summary.kind,
        time(summary.from_at),
        time(summary.to_at)
    ))?;
    for note in &report.content.notes {
        output::line(&printable(note))?;
    }
    for (title, total) in [
        ("the week", &report.content.week),
        ("the week before", &report.content.week_before),
    ] {
        if let Some(total) = total {
            output::line(&format!("\n{title}"))?;
            output::record(format, total, &figures(total))?;
        }
    }
    for section in &report.content.sections {
        output::line(&format!("\n{}", section.task.title()))?;
        for finding in &section.findings {
            output::line(&format!(
                "  ! {}\n    {}",
                printable(&finding.words),
                printable(&finding.advice)
            ))?;
        }
        for words in &section.words {
            output::line(&format!("  - {}", printable(words)))?;
        }
    }
    Ok(())
}

fn print_subscriptions(format: Format, view: &ReportSubscriptions) -> Result<()> {
    if format.is_whole() {
        return output::whole(format, view);
    }
    let whose = |one: &ReportSubscription| {
        if one.of_installation {
            "installation"
        } else {
            "tenant"
        }
    };
    output::list(format, &view.items, &["REPORT", "OF", "MAILED"], |one| {
        vec![one.kind.to_string(), whose(one).to_owned(), one.mode.to_string()]
    })?;
    if format != Format::Table {
        return Ok(());
    }
    output::line(&if view.is_mail_on {
        format!("to {}", printable(&view.email))
    } else {
        "this server sends no mail".to_owned()
    })
}
