//! Alerts, the rules behind them, and the events that matter for security.

use chrono::{DateTime, Utc};
use sg_types::{
    AgentId, AlertId, AlertRuleId, Severity, TenantId,
    api::monitoring::{AlertRuleView, AlertState, AlertView, UpdateAlertRule},
};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads, SystemTx, Writes, tx::Connection, users::After};

/// Kinds of rules whose figure the database (`monitoring.measure`) or the server computes.
pub const EVALUATED: [&str; 15] = [
    "endpoint_offline",
    "audit_chain",
    "failed_sign_ins",
    "account_lockouts",
    "password_policy_violations",
    "database_connections",
    "partitions_ahead",
    "default_partition_rows",
    "slow_queries",
    "storage_usage",
    "unauthorized_database_access",
    "backup_failure",
    "standby_lag",
    "replication_slots",
    "certificate_expiry",
];

/// Alerts of one tenant, newest first; of the given states where there are some. The caller of a request sees their own tenant's only,
/// whichever is asked for.
///
/// # Errors
/// What a query may meet.
pub async fn list_alerts(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    states: &[AlertState],
    after: Option<After>,
    limit: u32,
) -> Result<Vec<AlertView>, DbError> {
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    sqlx::query(
        "select a.alert_id, a.rule_id, r.kind, r.severity, a.subject, a.agent_id, a.summary, a.state, a.since, a.fired_at, a.last_seen_at, a.resolved_at,
            a.last_value::float8 as last_value, r.threshold::float8 as threshold, a.occurrence_count
         from monitoring.alerts a
         join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
         where a.tenant_id = $1 and (cardinality($2::text[]) = 0 or a.state = any ($2))
            and ($3::timestamptz is null or (a.since, a.alert_id) < ($3, $4))
         order by a.since desc, a.alert_id desc
         limit $5",
    )
    .bind(Uuid::from(tenant_id))
    .bind(states)
    .bind(after.map(|after| after.at))
    .bind(after.map(|after| after.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(alert)
    .collect()
}

/// The rules of one tenant by what they watch.
///
/// # Errors
/// What a query may meet.
pub async fn list_alert_rules(
    tx: &mut impl Reads,
    tenant_id: TenantId,
) -> Result<Vec<AlertRuleView>, DbError> {
    sqlx::query(
        "select rule_id, kind, severity, enabled, comparison, threshold::float8 as threshold, window_seconds, for_seconds, inhibited_by
         from monitoring.alert_rules where tenant_id = $1 order by kind",
    )
    .bind(Uuid::from(tenant_id))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(rule)
    .collect()
}

/// Changes a rule of one tenant; none when the tenant has no such rule.
///
/// # Errors
/// [`DbError::InvalidValue`] for figures out of range.
pub async fn update_alert_rule(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    rule_id: AlertRuleId,
    change: &UpdateAlertRule,
) -> Result<Option<AlertRuleView>, DbError> {
    sqlx::query(
        "update monitoring.alert_rules
         set enabled = coalesce($3, enabled), severity = coalesce($4, severity), threshold = coalesce($5::float8::numeric, threshold),
            window_seconds = coalesce($6, window_seconds), for_seconds = coalesce($7, for_seconds),
            inhibited_by = coalesce($8, inhibited_by)
         where tenant_id = $1 and rule_id = $2
         returning rule_id, kind, severity, enabled, comparison, threshold::float8 as threshold, window_seconds, for_seconds,
            inhibited_by",
    )
    .bind(Uuid::from(tenant_id))
    .bind(Uuid::from(rule_id))
    .bind(change.enabled)
    .bind(change.severity.map(Severity::as_str))
    .bind(change.threshold)
    .bind(change.window_seconds)
    .bind(change.for_seconds)
    .bind(change.inhibited_by.as_deref())
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(rule)
    .transpose()
}

/// Opens the alert of a tenant's rule about a subject, or counts it up; its state, none when no rule asks for it.
///
/// # Errors
/// What a query may meet.
pub async fn raise_alert(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    kind: &str,
    subject: &str,
    value: f64,
    at: DateTime<Utc>,
) -> Result<Option<AlertState>, DbError> {
    let state: Option<String> =
        sqlx::query_scalar("select monitoring.raise_alert($1, $2, $3, $4::float8::numeric, $5)")
            .bind(Uuid::from(tenant_id))
            .bind(kind)
            .bind(subject)
            .bind(value)
            .bind(at)
            .fetch_one(tx.conn())
            .await?;
    Ok(state.map(|state| state.parse()).transpose()?)
}

/// Resolves the alert of a tenant's rule about a subject; whether one was firing.
///
/// # Errors
/// What a query may meet.
pub async fn clear_alert(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    kind: &str,
    subject: &str,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select monitoring.clear_alert($1, $2, $3, $4)")
            .bind(Uuid::from(tenant_id))
            .bind(kind)
            .bind(subject)
            .bind(at)
            .fetch_one(tx.conn())
            .await?,
    )
}

/// Compares every figure that the database can tell with its rule; raises and clears alerts. Returns how many are beyond their threshold.
///
/// # Errors
/// What a query may meet.
pub async fn evaluate_alert_rules(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<i32, DbError> {
    Ok(sqlx::query_scalar("select monitoring.evaluate_rules($1)")
        .bind(at)
        .fetch_one(tx.conn())
        .await?)
}

/// Compares a figure that was measured elsewhere with its rule; raises or clears the alert. Returns whether it is beyond the threshold.
///
/// # Errors
/// What a query may meet.
pub async fn judge_figure(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    kind: &str,
    subject: &str,
    value: f64,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let beyond: Option<bool> = sqlx::query_scalar(
        "select case r.comparison when 'above' then $3::float8 > r.threshold::float8 else $3 < r.threshold::float8 end
         from monitoring.alert_rules r where r.tenant_id = $1 and r.kind = $2 and r.enabled",
    )
    .bind(Uuid::from(tenant_id))
    .bind(kind)
    .bind(value)
    .fetch_optional(tx.conn())
    .await?;
    if beyond == Some(true) {
        raise_alert(tx, tenant_id, kind, subject, value, at).await?;
        return Ok(true);
    }
    clear_alert(tx, tenant_id, kind, subject, at).await?;
    Ok(false)
}

/// Says in one line, 500 characters at most, what the open alert about a subject is about.
///
/// # Errors
/// What a query may meet.
pub async fn describe_alert(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    kind: &str,
    subject: &str,
    summary: &str,
) -> Result<(), DbError> {
    sqlx::query(
        "update monitoring.alerts a set summary = left($4, 500)
         from monitoring.alert_rules r
         where r.tenant_id = $1 and r.kind = $2 and a.tenant_id = r.tenant_id and a.rule_id = r.rule_id and a.subject = $3 and a.state <> 'resolved'
            and a.summary is distinct from left($4, 500)",
    )
    .bind(Uuid::from(tenant_id))
    .bind(kind)
    .bind(subject)
    .bind(summary)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Something that happened that matters for security.
#[derive(Debug, Clone)]
pub struct SecurityEvent<'a> {
    /// The tenant.
    pub tenant_id: TenantId,
    /// When.
    pub at: DateTime<Utc>,
    /// What, such as `account_locked`: lower-case letters, digits and underscores.
    pub kind: &'a str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: an id or a name.
    pub subject: &'a str,
    /// More; an object.
    pub detail: &'a serde_json::Value,
}

/// Records an event, unless the same about the same subject was recorded within the last hour: what goes on is told once. True when it is recorded.
///
/// # Errors
/// What a query may meet.
pub async fn record_security_event(tx: &mut SystemTx, event: &SecurityEvent<'_>) -> Result<bool, DbError> {
    let recorded = sqlx::query(
        "insert into monitoring.security_events (tenant_id, occurred_at, kind, severity, subject, detail)
         select $1, $2, $3, $4, $5, $6
         where not exists (
            select from monitoring.security_events v
            where v.tenant_id = $1 and v.kind = $3 and v.subject = $5 and v.occurred_at > $2 - interval '1 hour')",
    )
    .bind(Uuid::from(event.tenant_id))
    .bind(event.at)
    .bind(event.kind)
    .bind(event.severity.as_str())
    .bind(event.subject)
    .bind(event.detail)
    .execute(tx.conn())
    .await?;
    Ok(recorded.rows_affected() > 0)
}

fn alert(row: &PgRow) -> Result<AlertView, DbError> {
    Ok(AlertView {
        alert_id: AlertId(row.try_get("alert_id")?),
        rule_id: AlertRuleId(row.try_get("rule_id")?),
        kind: row.try_get("kind")?,
        severity: row.try_get::<String, _>("severity")?.parse()?,
        subject: row.try_get("subject")?,
        agent_id: row.try_get::<Option<Uuid>, _>("agent_id")?.map(AgentId),
        summary: row.try_get("summary")?,
        state: row.try_get::<String, _>("state")?.parse()?,
        since: row.try_get("since")?,
        fired_at: row.try_get("fired_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
        resolved_at: row.try_get("resolved_at")?,
        last_value: row.try_get("last_value")?,
        threshold: row.try_get("threshold")?,
        occurrence_count: row.try_get("occurrence_count")?,
    })
}

fn rule(row: &PgRow) -> Result<AlertRuleView, DbError> {
    let kind: String = row.try_get("kind")?;
    Ok(AlertRuleView {
        rule_id: AlertRuleId(row.try_get("rule_id")?),
        evaluated: EVALUATED.contains(&kind.as_str()),
        kind,
        severity: row.try_get::<String, _>("severity")?.parse()?,
        enabled: row.try_get("enabled")?,
        comparison: row.try_get("comparison")?,
        threshold: row.try_get("threshold")?,
        window_seconds: row.try_get("window_seconds")?,
        for_seconds: row.try_get("for_seconds")?,
        inhibited_by: row.try_get("inhibited_by")?,
    })
}
