//! The outbox of notifications: written by the transaction that it tells of, claimed by one sender at a time, kept as a log.

mod claim;
mod content;
mod sweep;

use chrono::{DateTime, Utc};
use serde_json::json;
use sg_types::api::notifications::{
    DeliveryAttempt, NotificationCause, NotificationOutcome, NotificationView,
};
use sg_types::{AlertId, ChannelId, NotificationId, RouteId, Severity, TenantId, ThreatId};
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::channels::{Channel, NOTIFICATION_FAILURE, keeps_open};
use super::{clear_alert, raise_alert};
use crate::{DbError, Reads, SystemTx, tx::Connection, users::After};

pub use claim::{Claim, ClaimedNotification, claim_notification};
pub use content::{AlertNews, Content, DigestNews, IncidentSummary, read_content};
pub use sweep::{close_notifications, sweep_notifications};

/// Characters of a failure that are kept.
const ERROR_CHARS: usize = 500;
/// Hours after which a notification that nobody took is given up.
const GIVE_UP_HOURS: i64 = 24;

/// What happened to an incident that people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IncidentNews {
    /// The incident.
    pub(crate) threat_id: ThreatId,
    /// Its severity, where it became more severe; none for one that was opened.
    pub(crate) raised_to: Option<Severity>,
}

/// Puts incidents into the outbox, in the transaction that opened or raised them and after their findings were stored.
///
/// # Errors
/// What a query may meet.
pub(crate) async fn enqueue_incidents(
    conn: &mut PgConnection,
    news: &[IncidentNews],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    if news.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = news
        .iter()
        .map(|news| match news.raised_to {
            None => json!({"threat_id": news.threat_id, "cause": "incident_opened", "what": "opened"}),
            Some(severity) => {
                json!({"threat_id": news.threat_id, "cause": "incident_raised", "what": format!("raised:{severity}")})
            }
        })
        .collect();
    sqlx::query(
        "select monitoring.enqueue_notification(i.tenant_id, n.cause, i.threat_id, null, i.agent_id, i.severity, f.rules, f.tags, '',
            'incident:' || i.threat_id || ':' || n.what, $2)
         from jsonb_to_recordset($1) as n (threat_id uuid, cause text, what text)
         join threats.incidents i on i.threat_id = n.threat_id
         cross join lateral (
            select coalesce(array_agg(distinct f.rule_id), '{}') as rules,
                coalesce(array_agg(distinct t.tag) filter (where t.tag is not null), '{}') as tags
            from threats.findings f left join lateral unnest(f.tags) as t (tag) on true
            where f.tenant_id = i.tenant_id and f.threat_id = i.threat_id) f
         where exists (select from monitoring.routes r where r.tenant_id = i.tenant_id and r.source = 'incident' and r.is_enabled)",
    )
    .bind(Json(rows))
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The receiver took it.
    Yes,
    /// It is tried again then; the whole channel waits as long where `hold` says so.
    Later {
        /// When.
        at: DateTime<Utc>,
        /// Whether the receiver asked for a pause.
        hold: bool,
    },
    /// The receiver will not take it.
    Never,
}

/// Notes an attempt and what follows from it. Giving up raises an alert of the tenant's, a delivery clears it.
///
/// # Errors
/// As every query.
pub async fn finish_attempt(
    tx: &mut SystemTx,
    claimed: &ClaimedNotification,
    attempt: &DeliveryAttempt,
    delivered: Delivered,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let (tenant_id, id) = (claimed.channel.tenant_id, claimed.notification_id);
    insert_attempt(tx, tenant_id, id, claimed.attempts, attempt).await?;
    match delivered {
        Delivered::Yes => {
            let stays_open = if keeps_open(claimed.channel.settings.kind()) {
                claimed.opens_something()
            } else {
                claimed.cause == NotificationCause::Digest && tells_of_alerts(tx, claimed).await?
            };
            finish(tx, tenant_id, id, NotificationOutcome::Sent, stays_open, now).await?;
            clear_alert(tx, tenant_id, NOTIFICATION_FAILURE, &claimed.channel.name, now).await?;
        }
        Delivered::Later { at, hold } => {
            sqlx::query(
                "update monitoring.notifications
                 set next_attempt_at = case when notification_id = $3 then $4 else greatest(next_attempt_at, $4) end
                 where tenant_id = $1 and channel_id = $2 and finished_at is null and (notification_id = $3 or $5)",
            )
            .bind(tenant_id.0)
            .bind(claimed.channel.channel_id.0)
            .bind(id.0)
            .bind(at)
            .bind(hold)
            .execute(tx.conn())
            .await?;
        }
        Delivered::Never => {
            finish(tx, tenant_id, id, NotificationOutcome::Refused, false, now).await?;
            raise_alert(
                tx,
                tenant_id,
                NOTIFICATION_FAILURE,
                &claimed.channel.name,
                1.0,
                now,
            )
            .await?;
        }
    }
    Ok(())
}

/// Whether a digest tells of alerts that began: whoever hears of those hears of their end, too.
async fn tells_of_alerts(tx: &mut SystemTx, digest: &ClaimedNotification) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "select exists (select from monitoring.notifications
            where tenant_id = $1 and digest_id = $2 and cause in ('alert_firing', 'alert_waiting'))",
    )
    .bind(digest.tenant_id().0)
    .bind(digest.notification_id.0)
    .fetch_one(tx.conn())
    .await?)
}

/// How many test messages a channel got since a time.
///
/// # Errors
/// As every query.
pub async fn count_tests(tx: &mut SystemTx, channel: &Channel, since: DateTime<Utc>) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar(
        "select count(*) from monitoring.notifications
         where tenant_id = $1 and channel_id = $2 and cause = 'test' and last_attempt_at > $3",
    )
    .bind(channel.tenant_id.0)
    .bind(channel.channel_id.0)
    .bind(since)
    .fetch_one(tx.conn())
    .await?)
}

/// Stores a test message with its one attempt.
///
/// # Errors
/// As every query.
pub async fn record_test(
    tx: &mut SystemTx,
    channel: &Channel,
    notification_id: NotificationId,
    attempt: &DeliveryAttempt,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into monitoring.notifications (notification_id, tenant_id, channel_id, cause, severity, dedup_key, created_at, next_attempt_at,
            expires_at, attempts, last_attempt_at, finished_at, outcome)
         values ($1, $2, $3, 'test', 'low', 'test:' || $1::text, $4, $4, $4, 1, $4, $4, $5)",
    )
    .bind(notification_id.0)
    .bind(channel.tenant_id.0)
    .bind(channel.channel_id.0)
    .bind(attempt.started_at)
    .bind(if attempt.is_delivered { "sent" } else { "refused" })
    .execute(tx.conn())
    .await?;
    insert_attempt(tx, channel.tenant_id, notification_id, 1, attempt).await?;
    if attempt.is_delivered {
        let (kind, at) = (NOTIFICATION_FAILURE, attempt.started_at);
        clear_alert(tx, channel.tenant_id, kind, &channel.name, at).await?;
    }
    Ok(())
}

async fn insert_attempt(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    notification_id: NotificationId,
    number: i32,
    attempt: &DeliveryAttempt,
) -> Result<(), DbError> {
    // A sender that lost its lease may tell of the same attempt as the one that took over.
    sqlx::query(
        "insert into monitoring.delivery_attempts (tenant_id, notification_id, attempt, started_at, milliseconds, is_delivered, answer_code, error, note)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict do nothing",
    )
    .bind(tenant_id.0)
    .bind(notification_id.0)
    .bind(number)
    .bind(attempt.started_at)
    .bind(attempt.milliseconds)
    .bind(attempt.is_delivered)
    .bind(attempt.answer_code)
    .bind(attempt.error.as_deref().map(shorten))
    .bind(attempt.note.as_deref().map(shorten))
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn finish(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    notification_id: NotificationId,
    outcome: NotificationOutcome,
    is_open: bool,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "update monitoring.notifications set finished_at = $3, outcome = $4, is_open = $5
         where tenant_id = $1 and notification_id = $2 and finished_at is null",
    )
    .bind(tenant_id.0)
    .bind(notification_id.0)
    .bind(now)
    .bind(outcome.as_str())
    .bind(is_open)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Which notifications to list.
#[derive(Debug, Clone, Default)]
pub struct NotificationFilter {
    /// Of this channel only.
    pub channel_id: Option<ChannelId>,
    /// About this incident only.
    pub threat_id: Option<ThreatId>,
    /// With one of these outcomes only.
    pub outcomes: Vec<NotificationOutcome>,
    /// Only those that wait to be sent.
    pub is_waiting: bool,
}

/// The tenant's notifications, newest first.
///
/// # Errors
/// As every query.
pub async fn list_notifications(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    filter: &NotificationFilter,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<NotificationView>, DbError> {
    let outcomes: Vec<&str> = filter.outcomes.iter().map(|outcome| outcome.as_str()).collect();
    sqlx::query(
        "select n.notification_id, n.channel_id, c.name as channel_name, n.route_id, n.cause, n.threat_id, n.alert_id, n.severity, n.created_at,
            n.next_attempt_at, n.finished_at, n.outcome, n.digest_id, coalesce(i.title, concat_ws(' ', r.kind, nullif(l.subject, ''))) as title,
            (select q.kind from monitoring.alerts b join monitoring.alert_rules q on q.tenant_id = b.tenant_id and q.rule_id = b.rule_id
                where b.tenant_id = n.tenant_id and b.alert_id = n.inhibited_by) as inhibited_by,
            (select count(*) from monitoring.notifications m where m.tenant_id = n.tenant_id and m.digest_id = n.notification_id
                and m.outcome = 'merged') as merged_count,
            (select jsonb_agg(jsonb_build_object('started_at', a.started_at, 'milliseconds', a.milliseconds, 'is_delivered', a.is_delivered,
                'answer_code', a.answer_code, 'error', a.error, 'note', a.note) order by a.attempt desc)
             from (select * from monitoring.delivery_attempts a where a.tenant_id = n.tenant_id and a.notification_id = n.notification_id
                order by a.attempt desc limit 30) a) as attempts
         from monitoring.notifications n
         join monitoring.channels c on c.tenant_id = n.tenant_id and c.channel_id = n.channel_id
         left join threats.incidents i on i.tenant_id = n.tenant_id and i.threat_id = n.threat_id
         left join monitoring.alerts l on l.tenant_id = n.tenant_id and l.alert_id = n.alert_id
         left join monitoring.alert_rules r on r.tenant_id = l.tenant_id and r.rule_id = l.rule_id
         where n.tenant_id = $1 and ($2::uuid is null or n.channel_id = $2) and ($3::uuid is null or n.threat_id = $3)
            and (cardinality($4::text[]) = 0 or n.outcome = any ($4)) and (not $5 or n.finished_at is null)
            and ($6::timestamptz is null or (n.created_at, n.notification_id) < ($6, $7))
         order by n.created_at desc, n.notification_id desc
         limit $8",
    )
    .bind(tenant_id.0)
    .bind(filter.channel_id.map(|id| id.0))
    .bind(filter.threat_id.map(|id| id.0))
    .bind(outcomes)
    .bind(filter.is_waiting)
    .bind(after.map(|after| after.at))
    .bind(after.map(|after| after.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

fn view(row: &PgRow) -> Result<NotificationView, DbError> {
    let outcome: Option<String> = row.try_get("outcome")?;
    let next: DateTime<Utc> = row.try_get("next_attempt_at")?;
    let title: Option<String> = row.try_get("title")?;
    Ok(NotificationView {
        notification_id: NotificationId(row.try_get("notification_id")?),
        channel_id: ChannelId(row.try_get("channel_id")?),
        channel_name: row.try_get("channel_name")?,
        route_id: row.try_get::<Option<Uuid>, _>("route_id")?.map(RouteId),
        cause: row.try_get::<String, _>("cause")?.parse()?,
        threat_id: row.try_get::<Option<Uuid>, _>("threat_id")?.map(ThreatId),
        alert_id: row.try_get::<Option<Uuid>, _>("alert_id")?.map(AlertId),
        title: title.filter(|title| !title.is_empty()),
        severity: row.try_get::<String, _>("severity")?.parse()?,
        created_at: row.try_get("created_at")?,
        next_attempt_at: outcome.is_none().then_some(next),
        finished_at: row.try_get("finished_at")?,
        outcome: outcome.map(|word| word.parse()).transpose()?,
        inhibited_by: row.try_get("inhibited_by")?,
        digest_id: row.try_get::<Option<Uuid>, _>("digest_id")?.map(NotificationId),
        merged_count: row.try_get("merged_count")?,
        attempts: attempts(row)?,
    })
}

/// The attempts of a row's `attempts`.
pub(super) fn attempts(row: &PgRow) -> Result<Vec<DeliveryAttempt>, DbError> {
    let attempts: Option<Json<Vec<DeliveryAttempt>>> = row.try_get("attempts")?;
    Ok(attempts.map(|attempts| attempts.0).unwrap_or_default())
}

fn shorten(error: &str) -> String {
    error.chars().take(ERROR_CHARS).collect()
}
