//! Exceptions: which matches open no incident.

use chrono::{DateTime, Duration, Utc};
use sg_types::api::exceptions::{
    ExceptedFinding, ExceptionPreview, ExceptionPreviewItem, ExceptionScope, ExceptionView,
};
use sg_types::{AgentId, ExceptionId, TenantId, ThreatId, UserId};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{DbError, Reads, SystemTx, tx::Connection, users::After};

/// Incidents that a preview lists at most.
const PREVIEW_ITEMS: i64 = 50;

/// An exception to be stored.
#[derive(Debug, Clone)]
pub struct NewException<'a> {
    /// Its id.
    pub exception_id: ExceptionId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: &'a str,
    /// Why it is harmless.
    pub reason: &'a str,
    /// What it hides.
    pub scope: &'a ExceptionScope,
    /// Who answers for it.
    pub owner_id: UserId,
    /// The incident that it is made from.
    pub threat_id: Option<ThreatId>,
    /// Who makes it.
    pub created_by: UserId,
    /// When.
    pub at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The query for views at the time `$1`, with what is behind the joins.
macro_rules! view_query {
    ($rest:literal) => {
        concat!(
            "select e.exception_id, e.name, e.reason, e.rule_id, e.agent_id, e.conditions, e.owner_id, o.username as owner_username, e.threat_id,
                e.created_at, e.expires_at, e.ended_at, p.hostname,
                (select f.rule_name from threats.findings f where f.tenant_id = e.tenant_id and f.rule_id = e.rule_id
                    order by f.last_seen_at desc limit 1) as rule_name,
                e.ended_at is null and (e.expires_at is null or e.expires_at > $1) as is_active,
                coalesce(h.hidden, 0)::bigint as hidden_count, h.last_hidden_at
             from threats.exceptions e
             left join users.users o on o.user_id = e.owner_id
             left join agents.endpoints p on p.tenant_id = e.tenant_id and p.agent_id = e.agent_id
             left join lateral (
                select sum(f.occurrence_count) as hidden, max(f.last_seen_at) as last_hidden_at from threats.excepted_findings f
                where f.tenant_id = e.tenant_id and f.exception_id = e.exception_id) h on true ",
            $rest
        )
    };
}

/// The tenant's exceptions, newest first, ended ones too.
///
/// # Errors
/// What a query may meet.
pub async fn list_exceptions(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    now: DateTime<Utc>,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<ExceptionView>, DbError> {
    sqlx::query(view_query!(
        "where e.tenant_id = $2 and ($3::timestamptz is null or (e.created_at, e.exception_id) < ($3, $4))
         order by e.created_at desc, e.exception_id desc limit $5"
    ))
    .bind(now)
    .bind(tenant_id.0)
    .bind(after.map(|after| after.at))
    .bind(after.map(|after| after.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

/// One exception of the tenant.
///
/// # Errors
/// What a query may meet.
pub async fn find_exception(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    exception_id: ExceptionId,
    now: DateTime<Utc>,
) -> Result<Option<ExceptionView>, DbError> {
    sqlx::query(view_query!("where e.tenant_id = $2 and e.exception_id = $3"))
        .bind(now)
        .bind(tenant_id.0)
        .bind(exception_id.0)
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(view)
        .transpose()
}

/// Stores an exception; from the commit on it hides what arrives.
///
/// # Errors
/// [`DbError::MissingReference`] for an endpoint, incident or owner that is not the tenant's.
pub async fn insert_exception(tx: &mut SystemTx, new: &NewException<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into threats.exceptions (exception_id, tenant_id, name, reason, owner_id, rule_id, agent_id, conditions, threat_id, created_by,
            created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(new.exception_id.0)
    .bind(new.tenant_id.0)
    .bind(new.name)
    .bind(new.reason)
    .bind(new.owner_id.0)
    .bind(new.scope.rule_id.as_deref())
    .bind(new.scope.agent_id.map(|agent| agent.0))
    .bind(Json(&new.scope.conditions))
    .bind(new.threat_id.map(|threat| threat.0))
    .bind(new.created_by.0)
    .bind(new.at)
    .bind(new.expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends an exception. False when the tenant has none that has not ended.
///
/// # Errors
/// What a query may meet.
pub async fn end_exception(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    exception_id: ExceptionId,
    by: UserId,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let ended = sqlx::query(
        "update threats.exceptions set ended_at = $4, ended_by = $3
         where tenant_id = $1 and exception_id = $2 and ended_at is null",
    )
    .bind(tenant_id.0)
    .bind(exception_id.0)
    .bind(by.0)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// What an exception would have hidden of the findings of the last `days` days.
///
/// # Errors
/// What a query may meet.
pub async fn preview_exception(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    scope: &ExceptionScope,
    now: DateTime<Utc>,
    days: i32,
) -> Result<ExceptionPreview, DbError> {
    let rows = sqlx::query(
        "with hit as materialized (
            select f.threat_id, count(*) as findings, sum(f.occurrence_count)::bigint as matches
            from threats.findings f
            where f.tenant_id = $1 and f.last_seen_at > $2 and ($3::text is null or f.rule_id = $3)
                and ($4::uuid is null or f.agent_id = $4) and threats.excepts($5, f.subject)
            group by f.threat_id),
        judged as (
            select i.*, h.matches, i.status = 'resolved' as is_confirmed, h.findings = (
                select count(*) from threats.findings f where f.tenant_id = $1 and f.threat_id = h.threat_id) as is_hidden
            from hit h join threats.incidents i on i.tenant_id = $1 and i.threat_id = h.threat_id)
        select j.threat_id, j.title, j.severity, j.status, j.detected_at, j.matches, j.is_hidden, j.is_confirmed, p.hostname,
            sum(j.matches) over all_rows::bigint as all_matches, count(*) over all_rows as all_incidents,
            count(*) filter (where j.is_hidden) over all_rows as all_hidden, count(*) filter (where j.is_confirmed) over all_rows as all_confirmed,
            (select count(distinct agent_id) from judged) as endpoints
        from judged j
        left join agents.endpoints p on p.tenant_id = $1 and p.agent_id = j.agent_id
        window all_rows as ()
        order by j.is_confirmed desc, j.detected_at desc, j.threat_id
        limit $6",
    )
    .bind(tenant_id.0)
    .bind(now - Duration::days(i64::from(days)))
    .bind(scope.rule_id.as_deref())
    .bind(scope.agent_id.map(|agent| agent.0))
    .bind(Json(&scope.conditions))
    .bind(PREVIEW_ITEMS)
    .fetch_all(tx.conn())
    .await?;
    let total = |name: &str| match rows.first() {
        Some(row) => row.try_get::<i64, _>(name),
        None => Ok(0),
    };
    Ok(ExceptionPreview {
        days,
        matches: total("all_matches")?,
        endpoints: total("endpoints")?,
        incidents: total("all_incidents")?,
        hidden_incidents: total("all_hidden")?,
        confirmed_incidents: total("all_confirmed")?,
        items: rows.iter().map(preview_item).collect::<Result<_, _>>()?,
    })
}

/// What an exception has hidden, the latest first.
///
/// # Errors
/// What a query may meet.
pub async fn list_excepted(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    exception_id: ExceptionId,
    limit: u32,
) -> Result<Vec<ExceptedFinding>, DbError> {
    sqlx::query(
        "select f.agent_id, p.hostname, f.day, f.rule_id, f.rule_name, f.severity, f.subject, f.occurrence_count, f.last_seen_at
         from threats.excepted_findings f
         left join agents.endpoints p on p.tenant_id = f.tenant_id and p.agent_id = f.agent_id
         where f.tenant_id = $1 and f.exception_id = $2
         order by f.last_seen_at desc
         limit $3",
    )
    .bind(tenant_id.0)
    .bind(exception_id.0)
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(ExceptedFinding {
            agent_id: AgentId(row.try_get("agent_id")?),
            hostname: row.try_get("hostname")?,
            day: row.try_get("day")?,
            rule_id: row.try_get("rule_id")?,
            rule_name: row.try_get("rule_name")?,
            severity: row.try_get::<String, _>("severity")?.parse()?,
            subject: row.try_get::<Json<_>, _>("subject")?.0,
            occurrence_count: row.try_get("occurrence_count")?,
            last_seen_at: row.try_get("last_seen_at")?,
        })
    })
    .collect()
}

fn preview_item(row: &PgRow) -> Result<ExceptionPreviewItem, DbError> {
    Ok(ExceptionPreviewItem {
        threat_id: ThreatId(row.try_get("threat_id")?),
        title: row.try_get("title")?,
        hostname: row.try_get("hostname")?,
        severity: row.try_get::<String, _>("severity")?.parse()?,
        status: row.try_get::<String, _>("status")?.parse()?,
        detected_at: row.try_get("detected_at")?,
        matches: row.try_get("matches")?,
        is_hidden: row.try_get("is_hidden")?,
        is_confirmed: row.try_get("is_confirmed")?,
    })
}

fn view(row: &PgRow) -> Result<ExceptionView, DbError> {
    Ok(ExceptionView {
        exception_id: ExceptionId(row.try_get("exception_id")?),
        name: row.try_get("name")?,
        reason: row.try_get("reason")?,
        scope: ExceptionScope {
            rule_id: row.try_get("rule_id")?,
            agent_id: row.try_get::<Option<Uuid>, _>("agent_id")?.map(AgentId),
            conditions: row.try_get::<Json<_>, _>("conditions")?.0,
        },
        rule_name: row.try_get("rule_name")?,
        hostname: row.try_get("hostname")?,
        owner_id: row.try_get::<Option<Uuid>, _>("owner_id")?.map(UserId),
        owner_username: row.try_get("owner_username")?,
        threat_id: row.try_get::<Option<Uuid>, _>("threat_id")?.map(ThreatId),
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        ended_at: row.try_get("ended_at")?,
        is_active: row.try_get("is_active")?,
        hidden_count: row.try_get("hidden_count")?,
        last_hidden_at: row.try_get("last_hidden_at")?,
    })
}
