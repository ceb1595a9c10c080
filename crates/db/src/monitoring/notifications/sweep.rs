//! What time brings: notifications that nobody took in a day, incidents that nobody has taken up, and those that are over.

use chrono::{DateTime, Utc};
use sg_types::TenantId;
use sg_types::api::notifications::ChannelKind;
use sqlx::Row;
use uuid::Uuid;

use super::super::channels::{KEEP_OPEN, NOTIFICATION_FAILURE};
use super::super::raise_alert;
use crate::{DbError, SystemTx, tx::Connection};

/// Rows of one kind that one run looks at.
const BATCH: i64 = 500;

/// Gives up and escalates whatever is due; returns how many rows it was about. Idempotent, for any number of nodes at once.
///
/// # Errors
/// As every query.
pub async fn sweep_notifications(tx: &mut SystemTx, now: DateTime<Utc>) -> Result<u64, DbError> {
    Ok(give_up(tx, now).await? + escalate(tx, now).await?)
}

/// Those that were not delivered within a day end, and the tenant's alert says where.
async fn give_up(tx: &mut SystemTx, now: DateTime<Utc>) -> Result<u64, DbError> {
    let rows = sqlx::query(
        "with old as (
            select n.tenant_id, n.notification_id from monitoring.notifications n
            where n.finished_at is null and n.next_attempt_at <= $1 and n.expires_at <= $1
            limit $2 for update of n skip locked),
         ended as (
            update monitoring.notifications n set finished_at = $1, outcome = 'expired'
            from old where n.tenant_id = old.tenant_id and n.notification_id = old.notification_id
            returning n.tenant_id, n.channel_id)
         select e.tenant_id, c.name, count(*) as lost, c.is_enabled from ended e
         join monitoring.channels c on c.tenant_id = e.tenant_id and c.channel_id = e.channel_id
         group by e.tenant_id, c.name, c.is_enabled order by e.tenant_id, c.name",
    )
    .bind(now)
    .bind(BATCH)
    .fetch_all(tx.conn())
    .await?;
    let mut ended = 0;
    for row in rows {
        let lost: i64 = row.try_get("lost")?;
        let name: String = row.try_get("name")?;
        let tenant_id = TenantId(row.try_get::<Uuid, _>("tenant_id")?);
        // What waited at a channel that is switched off is missed by nobody.
        if row.try_get("is_enabled")? {
            #[expect(clippy::cast_precision_loss, reason = "at most a batch")]
            raise_alert(tx, tenant_id, NOTIFICATION_FAILURE, &name, lost as f64, now).await?;
        }
        ended += lost.unsigned_abs();
    }
    Ok(ended)
}

/// Incidents that are still new, and alerts that still fire, after the time of their route go to its second channel.
async fn escalate(tx: &mut SystemTx, now: DateTime<Utc>) -> Result<u64, DbError> {
    let done = sqlx::query(
        "with due as (
            select n.tenant_id, n.notification_id, n.route_id, n.threat_id, n.alert_id from monitoring.notifications n
            where n.escalate_at <= $1 order by n.escalate_at limit $2 for update of n skip locked),
         noted as (
            update monitoring.notifications n set escalate_at = null
            from due where n.tenant_id = due.tenant_id and n.notification_id = due.notification_id),
         waiting as (
            select d.tenant_id, d.route_id, d.threat_id, null::uuid as alert_id, i.agent_id, i.severity, (
                select array_agg(distinct f.rule_id) from threats.findings f
                where f.tenant_id = d.tenant_id and f.threat_id = d.threat_id) as rules
            from due d
            join threats.incidents i on i.tenant_id = d.tenant_id and i.threat_id = d.threat_id and i.status = 'new'
            union all
            select d.tenant_id, d.route_id, null, d.alert_id, a.agent_id, l.severity, array[l.kind]
            from due d
            join monitoring.alerts a on a.tenant_id = d.tenant_id and a.alert_id = d.alert_id and a.state = 'firing'
            join monitoring.alert_rules l on l.tenant_id = a.tenant_id and l.rule_id = a.rule_id)
         insert into monitoring.notifications (notification_id, tenant_id, channel_id, route_id, cause, threat_id, alert_id, severity, dedup_key,
            created_at, next_attempt_at, expires_at)
         select users.time_ordered_uuid(), w.tenant_id, c.channel_id, w.route_id,
            case when w.alert_id is null then 'incident_waiting' else 'alert_waiting' end, w.threat_id, w.alert_id, w.severity,
            case when w.alert_id is null then 'incident:' || w.threat_id else 'alert:' || w.alert_id end || ':waiting',
            $1, $1, $1 + interval '24 hours'
         from waiting w
         join monitoring.routes r on r.tenant_id = w.tenant_id and r.route_id = w.route_id and r.is_enabled
            and coalesce(r.muted_until <= $1, true)
         join monitoring.channels c on c.tenant_id = r.tenant_id and c.channel_id = r.escalate_to and c.is_enabled
         where not monitoring.is_silenced(w.tenant_id, w.rules, w.agent_id, w.severity, $1)
         on conflict (tenant_id, channel_id, dedup_key) do nothing",
    )
    .bind(now)
    .bind(BATCH)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Receivers that keep things open are told what is over here: an incident, or all that a digest told of. The others are told when all the alerts of a
/// digest are. Looks at everything that is open there.
///
/// # Errors
/// As every query.
pub async fn close_notifications(tx: &mut SystemTx, now: DateTime<Utc>) -> Result<u64, DbError> {
    let done = sqlx::query(
        "with over as (
            select n.tenant_id, n.notification_id, n.channel_id, n.route_id, n.cause, n.threat_id, n.severity,
                extract(epoch from i.resolved_at)::bigint as closed
            from monitoring.notifications n
            join monitoring.channels c on c.tenant_id = n.tenant_id and c.channel_id = n.channel_id
            left join threats.incidents i on i.tenant_id = n.tenant_id and i.threat_id = n.threat_id
            where n.is_open and case when n.cause = 'digest' then not exists (
                    select from monitoring.notifications m
                    left join threats.incidents j on j.tenant_id = m.tenant_id and j.threat_id = m.threat_id
                    left join monitoring.alerts a on a.tenant_id = m.tenant_id and a.alert_id = m.alert_id
                    where m.tenant_id = n.tenant_id and m.digest_id = n.notification_id
                        and (j.status in ('new', 'investigating') and c.settings ->> 'kind' = any ($3) or a.state <> 'resolved'))
                else i.status not in ('new', 'investigating') end
            limit $2 for update of n skip locked),
         noted as (
            update monitoring.notifications n set is_open = false
            from over where n.tenant_id = over.tenant_id and n.notification_id = over.notification_id)
         insert into monitoring.notifications (notification_id, tenant_id, channel_id, route_id, cause, threat_id, digest_id, severity,
            dedup_key, created_at, next_attempt_at, expires_at)
         select users.time_ordered_uuid(), o.tenant_id, o.channel_id, o.route_id, 'incident_closed', o.threat_id,
            case when o.cause = 'digest' then o.notification_id end, o.severity,
            case when o.cause = 'digest' then 'digest:' || o.notification_id || ':closed'
                else 'incident:' || o.threat_id || ':closed:' || coalesce(o.closed, 0) end,
            $1, $1, $1 + interval '24 hours'
         from over o
         on conflict (tenant_id, channel_id, dedup_key) do nothing",
    )
    .bind(now)
    .bind(BATCH)
    .bind(KEEP_OPEN.map(ChannelKind::as_str))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
