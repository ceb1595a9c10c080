//! Alerts about endpoints that stay away: one for each, or one for all of them where many are away at once.

use chrono::{DateTime, Utc};
use sg_types::TenantId;
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection};

/// Tenants that one run looks at; what is left waits for the next.
const MAX_TENANTS: i64 = 500;
/// Endpoints that are counted at most to tell how many of a tenant's are away.
const MAX_COUNTED: i64 = 10_000;
/// As few as these are never one outage.
const FEW: i64 = 5;
/// As many as these are one outage, whatever they are a share of.
const MANY: i64 = 1_000;
/// The share of the active endpoints, in per cent, beyond which they are one outage.
const SHARE_PERCENT: i64 = 20;
/// Names in the summary of an outage.
const SAMPLE: i64 = 5;
/// The subject of the installation's own alert.
const INSTALLATION: &str = "installation";

/// What became of the alerts in one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfflineAlerts {
    /// Endpoints that an alert of their own was raised about.
    pub endpoints: u64,
    /// Tenants for which many endpoints at once are an alert.
    pub outages: u64,
}

/// How many of a tenant's endpoints are away.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// Those that check in, or did until lately.
    active: i64,
    /// Those of them that are late or offline.
    overdue: i64,
}

impl Figures {
    /// The number beyond which endpoints that are away are one outage.
    fn limit(self) -> i64 {
        (self.active * SHARE_PERCENT / 100).clamp(FEW, MANY)
    }
}

/// Raises what is due, lets many at once become one, and ends what is over.
///
/// # Errors
/// What a query may meet.
pub async fn alert_of_offline(
    tx: &mut SystemTx,
    at: DateTime<Utc>,
    watching_since: DateTime<Utc>,
) -> Result<OfflineAlerts, DbError> {
    end_those_of_decommissioned(tx, at).await?;
    let mut told = OfflineAlerts::default();
    for (tenant_id, is_open) in list_tenants(tx, at).await? {
        let figures = count_away(tx, tenant_id, at, watching_since).await?;
        if is_open {
            join_outage(tx, tenant_id, at).await?;
            if !follow_outage(tx, tenant_id, figures, at).await? {
                told.outages += 1;
                continue;
            }
        } else if figures.overdue > figures.limit() {
            join_outage(tx, tenant_id, at).await?;
            take_over(tx, tenant_id, at).await?;
            let away = figures.overdue;
            told.outages += u64::from(tell_outage(tx, tenant_id, away, figures.active, at).await?);
            continue;
        }
        told.endpoints += raise_each(tx, tenant_id, at).await?;
    }
    watch_installation(tx, at).await?;
    Ok(told)
}

/// What is out of service is not missed.
async fn end_those_of_decommissioned(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "with left_service as materialized (
            select e.tenant_id, e.agent_id, e.decommissioned_at from agents.endpoints e
            where e.status = 'decommissioned' and e.decommissioned_at > $1 - interval '1 hour'
         ), ended as (
            update agents.gaps g set to_at = greatest(l.decommissioned_at, g.from_at), alert_at = null from left_service l
            where g.tenant_id = l.tenant_id and g.agent_id = l.agent_id and g.to_at is null
         )
         update monitoring.alerts a set state = 'resolved', resolved_at = greatest($1, a.fired_at) from left_service l
         where a.tenant_id = l.tenant_id and a.agent_id = l.agent_id and a.state = 'firing'",
    )
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The tenants with an alert that is due or with an outage, and whether they have an outage.
async fn list_tenants(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<Vec<(TenantId, bool)>, DbError> {
    let rows = sqlx::query(
        "select t.tenant_id, bool_or(t.is_open) as is_open
         from (
            select g.tenant_id, false as is_open from agents.gaps g where g.alert_at <= $1
            union all
            select a.tenant_id, true
            from monitoring.alerts a join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
            where r.kind = 'endpoint_offline' and a.subject = '' and a.state <> 'resolved'
         ) t
         group by t.tenant_id order by t.tenant_id limit $2",
    )
    .bind(at)
    .bind(MAX_TENANTS)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| Ok((TenantId(row.try_get("tenant_id")?), row.try_get("is_open")?)))
        .collect()
}

/// An endpoint is counted as away as soon as it is late: when the first of many that went at once is offline, the others have missed one check-in.
async fn count_away(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    at: DateTime<Utc>,
    watching_since: DateTime<Utc>,
) -> Result<Figures, DbError> {
    let row = sqlx::query(
        "select count(*) as active, count(*) filter (where c.is_overdue) as overdue
         from (
            select not h.online or greatest(h.last_seen_at, $3) + make_interval(secs => 1.25 * e.heartbeat_interval) < $2 as is_overdue
            from agents.heartbeats h
            join agents.endpoints e on e.agent_id = h.agent_id
            where h.tenant_id = $1 and e.status = 'active' and e.kind = 'agent' and (h.online or exists (
                select from agents.gaps g
                join monitoring.alert_rules r on r.tenant_id = g.tenant_id and r.kind = 'endpoint_offline'
                where g.tenant_id = h.tenant_id and g.agent_id = h.agent_id and g.reason = 'offline' and g.to_at is null
                    and (g.alert_at is not null or g.recorded_at > $2 - make_interval(secs => r.window_seconds))))
            limit $4
         ) c",
    )
    .bind(Uuid::from(tenant_id))
    .bind(at)
    .bind(watching_since)
    .bind(MAX_COUNTED)
    .fetch_one(tx.conn())
    .await?;
    Ok(Figures {
        active: row.try_get("active")?,
        overdue: row.try_get("overdue")?,
    })
}

/// What is due belongs to the outage.
async fn join_outage(tx: &mut SystemTx, tenant_id: TenantId, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query("update agents.gaps set alert_at = null, in_outage = true where tenant_id = $1 and alert_at <= $2 and to_at is null")
        .bind(Uuid::from(tenant_id))
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Alerts about single endpoints that were raised lately turn out to be part of the outage. One that a check-in ends at this moment is left to it.
async fn take_over(tx: &mut SystemTx, tenant_id: TenantId, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "with lately as materialized (
            select a.alert_id, a.agent_id
            from monitoring.alerts a join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
            where a.tenant_id = $1 and r.kind = 'endpoint_offline' and a.agent_id is not null and a.state = 'firing'
                and a.fired_at > $2 - make_interval(secs => r.window_seconds)
            for update of a skip locked
         ), resolved as (
            update monitoring.alerts a set state = 'resolved', resolved_at = greatest($2, a.fired_at) from lately l where a.alert_id = l.alert_id
         )
         update agents.gaps g set in_outage = true from lately l
         where g.tenant_id = $1 and g.agent_id = l.agent_id and g.reason = 'offline' and g.to_at is null",
    )
    .bind(Uuid::from(tenant_id))
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Brings the outage's alert up to date. True when it is over: few enough are left, and each of them is told of by itself from then on.
async fn follow_outage(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    figures: Figures,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let left: i64 = sqlx::query_scalar(
        "select count(*) from agents.gaps g where g.tenant_id = $1 and g.in_outage and g.to_at is null",
    )
    .bind(Uuid::from(tenant_id))
    .fetch_one(tx.conn())
    .await?;
    if left.max(figures.overdue) > figures.limit() / 2 {
        tell_outage(tx, tenant_id, left.max(figures.overdue), figures.active, at).await?;
        return Ok(false);
    }
    sqlx::query("update agents.gaps set in_outage = false, alert_at = $2 where tenant_id = $1 and in_outage and to_at is null")
        .bind(Uuid::from(tenant_id))
        .bind(at)
        .execute(tx.conn())
        .await?;
    resolve(tx, tenant_id, "", at).await?;
    Ok(true)
}

/// Raises or counts up the alert about a tenant's outage; false when its rule is off.
async fn tell_outage(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    away: i64,
    active: i64,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let names: Vec<String> = sqlx::query_scalar(
        "select left(e.hostname, 60)
         from agents.gaps g join agents.endpoints e on e.tenant_id = g.tenant_id and e.agent_id = g.agent_id
         where g.tenant_id = $1 and g.in_outage and g.to_at is null
         order by g.from_at, e.hostname limit $2",
    )
    .bind(Uuid::from(tenant_id))
    .bind(SAMPLE)
    .fetch_all(tx.conn())
    .await?;
    let of = if active >= MAX_COUNTED {
        ""
    } else {
        &format!(" of {active}")
    };
    let mut summary = format!("{away}{of} endpoints have not checked in");
    if !names.is_empty() {
        summary = format!("{summary}, among them {}", names.join(", "));
    }
    raise(tx, tenant_id, "", away, &summary, at).await
}

/// Many endpoints of several tenants at once are an alert of the installation too, which names none of them.
async fn watch_installation(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<(), DbError> {
    let row = sqlx::query(
        "with rule as (
            select r.rule_id, r.window_seconds, a.since
            from monitoring.alert_rules r
            left join monitoring.alerts a on a.tenant_id = r.tenant_id and a.rule_id = r.rule_id and a.subject = $3 and a.state <> 'resolved'
            where r.tenant_id = $1 and r.kind = 'endpoint_offline'
         ), away as (
            select g.tenant_id from agents.gaps g, rule
            where g.reason = 'offline' and g.to_at is null
                and g.recorded_at > coalesce(rule.since, $2) - make_interval(secs => rule.window_seconds)
            limit 1000000
         )
         select (select since is not null from rule) as is_open, count(*) as away, count(distinct tenant_id) as tenants from away",
    )
    .bind(Uuid::from(TenantId::SYSTEM))
    .bind(at)
    .bind(INSTALLATION)
    .fetch_one(tx.conn())
    .await?;
    let (away, tenants): (i64, i64) = (row.try_get("away")?, row.try_get("tenants")?);
    let is_open = row.try_get::<Option<bool>, _>("is_open")? == Some(true);
    if !is_open && (away <= FEW || tenants < 2) {
        return Ok(());
    }
    let online: i64 = sqlx::query_scalar(
        "select greatest(n.count, case when n.count = 100000 then (
            select c.reltuples::bigint from pg_class c where c.oid = 'agents.deadlines'::regclass) end)
         from (select count(*) from (select from agents.deadlines limit 100000) d) n",
    )
    .fetch_one(tx.conn())
    .await?;
    let limit = ((online + away) * SHARE_PERCENT / 100).max(FEW);
    if away > if is_open { limit / 2 } else { limit } {
        let summary = format!(
            "{away} endpoints of {tenants} tenants have not checked in: is this server reached from outside?"
        );
        raise(tx, TenantId::SYSTEM, INSTALLATION, away, &summary, at).await?;
    } else if is_open {
        resolve(tx, TenantId::SYSTEM, INSTALLATION, at).await?;
    }
    Ok(())
}

/// Opens or counts up an alert about many endpoints; false when the rule is off.
async fn raise(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    subject: &str,
    away: i64,
    summary: &str,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let raised = sqlx::query(
        "with raised as (
            insert into monitoring.alerts as a (tenant_id, rule_id, subject, summary, state, since, fired_at, last_seen_at, last_value)
            select r.tenant_id, r.rule_id, $2::text, left($4::text, 500), 'firing', $5::timestamptz, $5, $5, $3::bigint
            from monitoring.alert_rules r where r.tenant_id = $1 and r.kind = 'endpoint_offline' and r.enabled
            on conflict (tenant_id, rule_id, subject) where state <> 'resolved' do update set
                last_seen_at = excluded.last_seen_at, last_value = excluded.last_value, summary = excluded.summary,
                occurrence_count = a.occurrence_count + 1
            returning a.tenant_id, a.rule_id, a.alert_id, a.fired_at
         ), recorded as (
            insert into monitoring.security_events (tenant_id, occurred_at, kind, severity, subject, detail)
            select n.tenant_id, $5, 'endpoint_offline', r.severity, $2,
                jsonb_build_object('alert_id', n.alert_id, 'value', $3, 'threshold', r.threshold, 'summary', left($4, 500))
            from raised n join monitoring.alert_rules r on r.tenant_id = n.tenant_id and r.rule_id = n.rule_id
            where n.fired_at = $5
         )
         select from raised",
    )
    .bind(Uuid::from(tenant_id))
    .bind(subject)
    .bind(away)
    .bind(summary)
    .bind(at)
    .fetch_optional(tx.conn())
    .await?;
    Ok(raised.is_some())
}

/// Raises an alert about each endpoint that is due; returns how many.
async fn raise_each(tx: &mut SystemTx, tenant_id: TenantId, at: DateTime<Utc>) -> Result<u64, DbError> {
    let raised = sqlx::query(
        "with due as (
            update agents.gaps set alert_at = null where tenant_id = $1 and alert_at <= $2 and to_at is null returning agent_id, from_at
         ), raised as (
            insert into monitoring.alerts (tenant_id, rule_id, subject, agent_id, summary, state, since, fired_at, last_seen_at, last_value)
            select r.tenant_id, r.rule_id, e.agent_id::text, e.agent_id,
                left(e.hostname, 255) || ' has not checked in since ' || to_char(d.from_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC',
                'firing', $2, $2, $2, floor(extract(epoch from $2 - d.from_at) / e.heartbeat_interval)
            from due d
            join agents.endpoints e on e.tenant_id = $1 and e.agent_id = d.agent_id
            join monitoring.alert_rules r on r.tenant_id = $1 and r.kind = 'endpoint_offline' and r.enabled
            on conflict do nothing
            returning tenant_id, rule_id, alert_id, subject, summary, last_value
         )
         insert into monitoring.security_events (tenant_id, occurred_at, kind, severity, subject, detail)
         select n.tenant_id, $2, 'endpoint_offline', r.severity, n.subject,
            jsonb_build_object('alert_id', n.alert_id, 'value', n.last_value, 'threshold', r.threshold, 'summary', n.summary)
         from raised n join monitoring.alert_rules r on r.tenant_id = n.tenant_id and r.rule_id = n.rule_id",
    )
    .bind(Uuid::from(tenant_id))
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(raised.rows_affected())
}

async fn resolve(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    subject: &str,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    crate::monitoring::clear_alert(tx, tenant_id, "endpoint_offline", subject, at).await?;
    Ok(())
}
