//! Reports on maintenance and on the figures of a week, who wants them, and their mails.

use chrono::{DateTime, Duration, Utc};
use sg_types::api::kpis::{KpiDay, KpiTotal};
use sg_types::api::maintenance::{
    ReportContent, ReportKind, ReportSection, ReportSubscription, ReportSummary, ReportView,
};
use sg_types::{MaintenanceRunId, ReportId, TenantId, UserId};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::kpis::kpi_day;
use crate::{DbError, Reads, SystemTx, tx::Connection, users::After};

const COLUMNS: &str = "p.report_id, p.kind, p.from_at, p.to_at, p.created_at, p.finding_count";
/// The word of the mail in the outbox.
pub const REPORT_MAIL: &str = "report";
/// Days that a report is worth a mail.
const MAIL_DAYS: i32 = 3;

/// What a task of maintenance adds to the report of a tenant; [`TenantId::SYSTEM`] is the installation.
#[derive(Debug, Clone)]
pub struct TenantSection {
    /// Whose report.
    pub tenant_id: TenantId,
    /// What is added.
    pub section: ReportSection,
}

/// Adds sections to the reports of a run, which are made with their first section and shown once the run is finished.
///
/// # Errors
/// What a query may meet.
pub async fn add_report_sections(
    tx: &mut SystemTx,
    run_id: MaintenanceRunId,
    sections: &[TenantSection],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    let tenants: Vec<Uuid> = sections.iter().map(|one| one.tenant_id.0).collect();
    let findings: Vec<i32> = sections
        .iter()
        .map(|one| i32::try_from(one.section.findings.len()).unwrap_or(i32::MAX))
        .collect();
    let texts: Vec<Json<&ReportSection>> = sections.iter().map(|one| Json(&one.section)).collect();
    sqlx::query(
        "insert into monitoring.reports as p (report_id, tenant_id, kind, run_id, from_at, to_at, created_at, finding_count, content)
         select users.time_ordered_uuid(), n.tenant_id, r.period, r.run_id, r.from_at, r.to_at, $5, n.findings,
            jsonb_build_object('sections', jsonb_build_array(n.section))
         from monitoring.maintenance_runs r, unnest($2::uuid[], $3::integer[], $4::jsonb[]) as n (tenant_id, findings, section)
         where r.run_id = $1 and exists (select from users.tenants t where t.tenant_id = n.tenant_id)
         on conflict (tenant_id, run_id) where run_id is not null do update set
            finding_count = p.finding_count + excluded.finding_count,
            content = jsonb_set(p.content, '{sections}', (p.content -> 'sections') || (excluded.content -> 'sections'))",
    )
    .bind(Uuid::from(run_id))
    .bind(tenants)
    .bind(findings)
    .bind(texts)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Shows the reports of a run, with notes about the run in the installation's, and puts their mails into the outbox.
///
/// # Errors
/// What a query may meet.
pub async fn publish_reports(
    tx: &mut SystemTx,
    run_id: MaintenanceRunId,
    notes: &[String],
    is_mail_on: bool,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    let published: Vec<Uuid> = sqlx::query_scalar(
        "update monitoring.reports set finished_at = greatest($4, created_at),
            content = case when tenant_id = $2 then content || jsonb_build_object('notes', to_jsonb($3::text[])) else content end
         where run_id = $1 and finished_at is null returning report_id",
    )
    .bind(Uuid::from(run_id))
    .bind(TenantId::SYSTEM.0)
    .bind(notes)
    .bind(at)
    .fetch_all(tx.conn())
    .await?;
    if is_mail_on {
        enqueue_report_mails(tx, &published, at).await?;
    }
    Ok(())
}

/// Makes the reports on the week that begins at `week`, for the installation and each tenant that has figures of it and no report yet; returns how many.
///
/// # Errors
/// What a query may meet.
pub async fn make_week_reports(
    tx: &mut SystemTx,
    week: DateTime<Utc>,
    is_mail_on: bool,
    at: DateTime<Utc>,
) -> Result<u64, DbError> {
    let (day, days) = (week.date_naive(), Duration::days(7));
    let rows = sqlx::query(
        "select s.* from monitoring.kpi_samples s join users.tenants t on t.tenant_id = s.tenant_id and (t.status = 'active' or t.tenant_id = $4)
         where s.day >= $1 and s.day < $2
            and not exists (select from monitoring.reports p where p.tenant_id = s.tenant_id and p.kind = 'kpis' and p.from_at = $3)
         order by s.tenant_id, s.day",
    )
    .bind(day - days)
    .bind(day + days)
    .bind(week)
    .bind(TenantId::SYSTEM.0)
    .fetch_all(tx.conn())
    .await?;
    let mut weeks: Vec<(Uuid, Vec<KpiDay>)> = Vec::new();
    for row in &rows {
        let tenant: Uuid = row.try_get("tenant_id")?;
        match weeks.last_mut() {
            Some((last, days)) if *last == tenant => days.push(kpi_day(row)?),
            _ => weeks.push((tenant, vec![kpi_day(row)?])),
        }
    }
    let mut tenants = Vec::new();
    let mut contents = Vec::new();
    for (tenant, days) in &weeks {
        let (before, of_week) = days.split_at(days.partition_point(|one| one.day < day));
        if of_week.is_empty() {
            continue;
        }
        tenants.push(*tenant);
        contents.push(Json(ReportContent {
            week: Some(KpiTotal::of(of_week)),
            week_before: (!before.is_empty()).then(|| KpiTotal::of(before)),
            ..ReportContent::default()
        }));
    }
    let made: Vec<Uuid> = sqlx::query_scalar(
        "insert into monitoring.reports (report_id, tenant_id, kind, from_at, to_at, created_at, finished_at, content)
         select users.time_ordered_uuid(), n.tenant_id, 'kpis', $1, $2, $3, $3, n.content
         from unnest($4::uuid[], $5::jsonb[]) as n (tenant_id, content)
         on conflict (tenant_id, from_at) where kind = 'kpis' do nothing
         returning report_id",
    )
    .bind(week)
    .bind(week + days)
    .bind(at)
    .bind(tenants)
    .bind(contents)
    .fetch_all(tx.conn())
    .await?;
    if is_mail_on {
        enqueue_report_mails(tx, &made, at).await?;
    }
    Ok(u64::try_from(made.len()).unwrap_or(u64::MAX))
}

/// The text of a mail is made when it is sent; what is stored is the report's id.
async fn enqueue_report_mails(tx: &mut SystemTx, reports: &[Uuid], at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.outgoing_mail (mail_id, tenant_id, user_id, kind, parameters, created_at, next_attempt_at, expires_at)
         select users.time_ordered_uuid(), u.home_tenant_id, u.user_id, $2, jsonb_build_object('report_id', p.report_id), $3, $3,
            $3 + make_interval(days => $4)
         from monitoring.reports p
         cross join lateral monitoring.list_report_readers(p.tenant_id, p.kind, p.finding_count, $3) u
         where p.report_id = any ($1)",
    )
    .bind(reports)
    .bind(REPORT_MAIL)
    .bind(at)
    .bind(MAIL_DAYS)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A report for somebody's mail, with the name of its tenant (none: the installation's); none when they may not read it any more, or do not want it.
///
/// # Errors
/// What a query may meet.
pub async fn find_report_for_mail(
    tx: &mut SystemTx,
    report_id: ReportId,
    user_id: UserId,
    at: DateTime<Utc>,
) -> Result<Option<(ReportView, Option<String>)>, DbError> {
    let statement = format!(
        "select {COLUMNS}, p.content, case when p.tenant_id <> $4 then t.name end as tenant_name
         from monitoring.reports p join users.tenants t on t.tenant_id = p.tenant_id
         where p.report_id = $1 and p.finished_at is not null and exists (
            select from monitoring.list_report_readers(p.tenant_id, p.kind, p.finding_count, $3) u where u.user_id = $2)"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(Uuid::from(report_id))
        .bind(Uuid::from(user_id))
        .bind(at)
        .bind(TenantId::SYSTEM.0)
        .fetch_optional(tx.conn())
        .await?
        .map(|row| Ok((view(&row)?, row.try_get("tenant_name")?)))
        .transpose()
}

/// Reports of a tenant, newest first; of the given kinds where there are some.
///
/// # Errors
/// What a query may meet.
pub async fn list_reports(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    kinds: &[ReportKind],
    after: Option<After>,
    limit: u32,
) -> Result<Vec<ReportSummary>, DbError> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let statement = format!(
        "select {COLUMNS} from monitoring.reports p
         where p.tenant_id = $1 and p.finished_at is not null and (cardinality($2::text[]) = 0 or p.kind = any ($2))
            and ($3::timestamptz is null or (p.created_at, p.report_id) < ($3, $4))
         order by p.created_at desc, p.report_id desc limit $5"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(Uuid::from(tenant_id))
        .bind(kinds)
        .bind(after.map(|after| after.at))
        .bind(after.map(|after| after.id))
        .bind(i64::from(limit))
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(summary)
        .collect()
}

/// A report of a tenant.
///
/// # Errors
/// What a query may meet.
pub async fn find_report(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    report_id: ReportId,
) -> Result<Option<ReportView>, DbError> {
    let statement = format!(
        "select {COLUMNS}, p.content from monitoring.reports p where p.tenant_id = $1 and p.report_id = $2 and p.finished_at is not null"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(Uuid::from(tenant_id))
        .bind(Uuid::from(report_id))
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(view)
        .transpose()
}

/// What somebody has chosen in a tenant, with their address.
///
/// # Errors
/// What a query may meet.
pub async fn list_report_subscriptions(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    user_id: UserId,
) -> Result<(String, Vec<ReportSubscription>), DbError> {
    let email = sqlx::query_scalar("select email from users.users where user_id = $1")
        .bind(Uuid::from(user_id))
        .fetch_one(tx.conn())
        .await?;
    let chosen = sqlx::query(
        "select kind, of_installation, mode from monitoring.report_subscriptions where tenant_id = $1 and user_id = $2",
    )
    .bind(Uuid::from(tenant_id))
    .bind(Uuid::from(user_id))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(ReportSubscription {
            kind: row.try_get::<String, _>("kind")?.parse()?,
            of_installation: row.try_get("of_installation")?,
            mode: row.try_get::<String, _>("mode")?.parse()?,
        })
    })
    .collect::<Result<_, DbError>>()?;
    Ok((email, chosen))
}

/// Keeps what somebody has chosen.
///
/// # Errors
/// What a query may meet.
pub async fn save_report_subscription(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    user_id: UserId,
    chosen: ReportSubscription,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into monitoring.report_subscriptions as s (tenant_id, user_id, of_installation, kind, mode, updated_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, user_id, of_installation, kind) do update set mode = excluded.mode, updated_at = excluded.updated_at
         where s.mode <> excluded.mode",
    )
    .bind(Uuid::from(tenant_id))
    .bind(Uuid::from(user_id))
    .bind(chosen.of_installation)
    .bind(chosen.kind.as_str())
    .bind(chosen.mode.as_str())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn summary(row: &PgRow) -> Result<ReportSummary, DbError> {
    Ok(ReportSummary {
        report_id: ReportId(row.try_get("report_id")?),
        kind: row.try_get::<String, _>("kind")?.parse()?,
        from_at: row.try_get("from_at")?,
        to_at: row.try_get("to_at")?,
        created_at: row.try_get("created_at")?,
        finding_count: row.try_get("finding_count")?,
    })
}

fn view(row: &PgRow) -> Result<ReportView, DbError> {
    Ok(ReportView {
        summary: summary(row)?,
        content: row.try_get::<Json<ReportContent>, _>("content")?.0,
    })
}
