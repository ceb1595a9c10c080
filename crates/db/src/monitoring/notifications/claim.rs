//! Which notification is sent next. A channel's budget of messages decides whether what waits is sent one by one or as a digest.

use chrono::{DateTime, Duration, Utc};
use sg_types::api::notifications::NotificationCause;
use sg_types::{AlertId, AlertRuleId, ChannelId, NotificationId, Severity, TenantId, ThreatId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{Channel, GIVE_UP_HOURS, keeps_open};
use crate::monitoring::channels::channel;
use crate::{DbError, SystemTx, tx::Connection};

/// Seconds that a sender has a notification to itself: longer than any delivery takes.
const LEASE_SECONDS: i64 = 60;
/// The time over which messages of a channel are counted.
const WINDOW_SECONDS: i64 = 60;
/// Notifications that one digest takes in at most.
const MOST_MERGED: i64 = 5_000;

/// What there is to do.
#[derive(Debug)]
pub enum Claim {
    /// This one is to be sent.
    Send(Box<ClaimedNotification>),
    /// A channel has used up its budget; what waits there waits on.
    Held,
    /// Nothing is due.
    Nothing,
}

/// A notification that this sender has to itself for a minute.
#[derive(Debug, Clone)]
pub struct ClaimedNotification {
    /// Its id, the same at each attempt.
    pub notification_id: NotificationId,
    /// Where it goes.
    pub channel: Channel,
    /// Why it is told.
    pub cause: NotificationCause,
    /// The incident.
    pub threat_id: Option<ThreatId>,
    /// The alert.
    pub alert_id: Option<AlertId>,
    /// Of the end of a digest: which digest.
    pub digest_id: Option<NotificationId>,
    /// How bad it is.
    pub severity: Severity,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// How many times it was tried, this one included.
    pub attempts: i32,
}

impl ClaimedNotification {
    /// Whose it is.
    pub fn tenant_id(&self) -> TenantId {
        self.channel.tenant_id
    }

    /// Whether a receiver that keeps things open has one more of them by this.
    pub(super) fn opens_something(&self) -> bool {
        matches!(
            self.cause,
            NotificationCause::IncidentOpened
                | NotificationCause::IncidentRaised
                | NotificationCause::IncidentWaiting
                | NotificationCause::IncidentReopened
                | NotificationCause::Digest
        )
    }
}

struct Due {
    notification_id: Uuid,
    cause: NotificationCause,
    severity: Severity,
    attempts: i32,
    alert_rule: Option<AlertRuleId>,
    /// When something that has to be told before is tried again.
    waits_until: Option<DateTime<Utc>>,
}

/// Takes the next notification of a channel that is not in `busy`: the most severe first. Commit before sending: a sender that dies leaves it to the
/// next one.
///
/// # Errors
/// As every query.
pub async fn claim_notification(
    tx: &mut SystemTx,
    busy: &[ChannelId],
    new_id: NotificationId,
    now: DateTime<Utc>,
) -> Result<Claim, DbError> {
    let Some(channel) = lock_due_channel(tx, busy, now).await? else {
        return Ok(Claim::Nothing);
    };
    let left = count_budget(tx, &channel, now).await?;
    if left == 0 {
        return Ok(Claim::Held);
    }
    let (due, behind): (Vec<Due>, Vec<Due>) = list_due(tx, &channel, now)
        .await?
        .into_iter()
        .partition(|one| one.waits_until.is_none());
    let Some(first) = due.first() else {
        postpone(tx, &channel, &behind, now).await?;
        return Ok(if behind.is_empty() {
            Claim::Nothing
        } else {
            Claim::Held
        });
    };
    let merged = find_merged(&channel, &due, first, left);
    if merged.len() > 1 {
        let severity = due.iter().filter(|one| merged.contains(&one.notification_id));
        let severity = severity.map(|one| one.severity).max().unwrap_or(first.severity);
        let digest = insert_digest(tx, &channel, new_id, severity, &merged, now).await?;
        return Ok(Claim::Send(Box::new(digest)));
    }
    let id = first.notification_id;
    let claimed = take(tx, channel, id, now).await?;
    Ok(Claim::Send(Box::new(claimed)))
}

/// Those that become one message: every alert of the same rule, since what ails many at once has one cause; and everything, where the budget is
/// at its end. What was tried already may be known to the receiver, and keeps its id.
fn find_merged(channel: &Channel, due: &[Due], first: &Due, left: i64) -> Vec<Uuid> {
    let closes = |cause| {
        matches!(
            cause,
            NotificationCause::IncidentClosed | NotificationCause::AlertResolved
        )
    };
    let may_merge = |one: &&Due| {
        one.attempts == 0
            && !matches!(one.cause, NotificationCause::Digest | NotificationCause::Test)
            && !(closes(one.cause) && keeps_open(channel.settings.kind()))
    };
    let mergeable = due.iter().filter(may_merge);
    let merged: Vec<&Due> = if left == 1 {
        mergeable.collect()
    } else if first.alert_rule.is_some() && may_merge(&first) {
        mergeable
            .filter(|one| one.alert_rule == first.alert_rule && one.cause == first.cause)
            .collect()
    } else {
        Vec::new()
    };
    merged.into_iter().map(|one| one.notification_id).collect()
}

async fn lock_due_channel(
    tx: &mut SystemTx,
    busy: &[ChannelId],
    now: DateTime<Utc>,
) -> Result<Option<Channel>, DbError> {
    let busy: Vec<Uuid> = busy.iter().map(|channel| channel.0).collect();
    sqlx::query(
        "with due as materialized (
            select n.tenant_id, n.channel_id, min(n.next_attempt_at) as since from monitoring.notifications n
            where n.finished_at is null and n.next_attempt_at <= $1 and n.expires_at > $1 and not (n.channel_id = any ($2))
            group by n.tenant_id, n.channel_id)
         select c.channel_id, c.tenant_id, c.name, c.settings, c.secret_id, c.per_minute, c.templates, c.is_enabled
         from due d join monitoring.channels c on c.tenant_id = d.tenant_id and c.channel_id = d.channel_id
         where c.is_enabled
         order by d.since, c.channel_id limit 1
         for no key update of c skip locked",
    )
    .bind(now)
    .bind(busy)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(channel)
    .transpose()
}

/// How many messages the channel may still get now. At 0, what is due waits until it may.
async fn count_budget(tx: &mut SystemTx, channel: &Channel, now: DateTime<Utc>) -> Result<i64, DbError> {
    let (used, oldest): (i64, Option<DateTime<Utc>>) = sqlx::query_as(
        "select count(*), min(last_attempt_at) from monitoring.notifications
         where tenant_id = $1 and channel_id = $2 and last_attempt_at > $3 and last_attempt_at <= $4 and cause <> 'test'",
    )
    .bind(channel.tenant_id.0)
    .bind(channel.channel_id.0)
    .bind(now - Duration::seconds(WINDOW_SECONDS))
    .bind(now)
    .fetch_one(tx.conn())
    .await?;
    let left = (i64::from(channel.per_minute) - used).max(0);
    if left == 0 {
        sqlx::query(
            "update monitoring.notifications set next_attempt_at = $4
             where tenant_id = $1 and channel_id = $2 and finished_at is null and next_attempt_at <= $3",
        )
        .bind(channel.tenant_id.0)
        .bind(channel.channel_id.0)
        .bind(now)
        .bind(oldest.unwrap_or(now) + Duration::seconds(WINDOW_SECONDS))
        .execute(tx.conn())
        .await?;
    }
    Ok(left)
}

/// What is due, the most severe first. The beginning and the end of one thing keep their order, however often one of them has to be tried: an end that
/// comes first would leave the receiver with something that is open for ever.
async fn list_due(tx: &mut SystemTx, channel: &Channel, now: DateTime<Utc>) -> Result<Vec<Due>, DbError> {
    sqlx::query(
        "with unfinished as materialized (
            select n.notification_id, n.created_at, n.next_attempt_at, n.attempts, n.cause in ('incident_closed', 'alert_resolved') as ends,
                a.rule_id, coalesce(n.threat_id::text, a.rule_id::text || ' ' || a.subject) as thing
            from monitoring.notifications n
            left join monitoring.alerts a on a.tenant_id = n.tenant_id and a.alert_id = n.alert_id
            where n.tenant_id = $1 and n.channel_id = $2 and n.finished_at is null and n.expires_at > $3),
         behind as materialized (
            select o.notification_id, max(e.next_attempt_at) as until from unfinished o join unfinished e on e.thing = o.thing
            where (e.created_at, e.notification_id) < (o.created_at, o.notification_id) and (e.ends or o.ends) and ($5 or e.attempts > 0)
            group by o.notification_id)
         select n.notification_id, n.cause, n.severity, n.attempts, u.rule_id, b.until
         from monitoring.notifications n
         join unfinished u on u.notification_id = n.notification_id
         left join behind b on b.notification_id = n.notification_id
         where n.tenant_id = $1 and n.channel_id = $2 and n.finished_at is null and n.next_attempt_at <= $3 and n.expires_at > $3
         order by monitoring.severity_rank(n.severity) desc, n.created_at, n.notification_id
         limit $4
         for update of n skip locked",
    )
    .bind(channel.tenant_id.0)
    .bind(channel.channel_id.0)
    .bind(now)
    .bind(MOST_MERGED)
    .bind(keeps_open(channel.settings.kind()))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(Due {
            notification_id: row.try_get("notification_id")?,
            cause: row.try_get::<String, _>("cause")?.parse()?,
            severity: row.try_get::<String, _>("severity")?.parse()?,
            attempts: row.try_get("attempts")?,
            alert_rule: row.try_get::<Option<Uuid>, _>("rule_id")?.map(AlertRuleId),
            waits_until: row.try_get("until")?,
        })
    })
    .collect()
}

/// Those wait until what comes before them is tried again.
async fn postpone(
    tx: &mut SystemTx,
    channel: &Channel,
    behind: &[Due],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let soonest = now + Duration::seconds(1);
    let ids: Vec<Uuid> = behind.iter().map(|one| one.notification_id).collect();
    let until: Vec<DateTime<Utc>> = behind
        .iter()
        .map(|one| one.waits_until.unwrap_or(soonest).max(soonest))
        .collect();
    sqlx::query(
        "update monitoring.notifications n set next_attempt_at = w.until
         from unnest($3::uuid[], $4::timestamptz[]) as w (notification_id, until)
         where n.tenant_id = $1 and n.channel_id = $2 and n.notification_id = w.notification_id",
    )
    .bind(channel.tenant_id.0)
    .bind(channel.channel_id.0)
    .bind(ids)
    .bind(until)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn insert_digest(
    tx: &mut SystemTx,
    channel: &Channel,
    digest_id: NotificationId,
    severity: Severity,
    merged: &[Uuid],
    now: DateTime<Utc>,
) -> Result<ClaimedNotification, DbError> {
    sqlx::query(
        "insert into monitoring.notifications (notification_id, tenant_id, channel_id, cause, severity, dedup_key, created_at, next_attempt_at,
            expires_at, attempts, last_attempt_at)
         values ($1, $2, $3, 'digest', $4, 'digest:' || $1::text, $5, $6, $7, 1, $5)",
    )
    .bind(digest_id.0)
    .bind(channel.tenant_id.0)
    .bind(channel.channel_id.0)
    .bind(severity.as_str())
    .bind(now)
    .bind(now + Duration::seconds(LEASE_SECONDS))
    .bind(now + Duration::hours(GIVE_UP_HOURS))
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "update monitoring.notifications set finished_at = $4, outcome = 'merged', digest_id = $3
         where tenant_id = $1 and notification_id = any ($2)",
    )
    .bind(channel.tenant_id.0)
    .bind(merged)
    .bind(digest_id.0)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(ClaimedNotification {
        notification_id: digest_id,
        channel: channel.clone(),
        cause: NotificationCause::Digest,
        threat_id: None,
        alert_id: None,
        digest_id: None,
        severity,
        created_at: now,
        attempts: 1,
    })
}

async fn take(
    tx: &mut SystemTx,
    channel: Channel,
    notification_id: Uuid,
    now: DateTime<Utc>,
) -> Result<ClaimedNotification, DbError> {
    let row = sqlx::query(
        "update monitoring.notifications set attempts = attempts + 1, last_attempt_at = $3, next_attempt_at = $4
         where tenant_id = $1 and notification_id = $2
         returning notification_id, cause, threat_id, alert_id, digest_id, severity, created_at, attempts",
    )
    .bind(channel.tenant_id.0)
    .bind(notification_id)
    .bind(now)
    .bind(now + Duration::seconds(LEASE_SECONDS))
    .fetch_one(tx.conn())
    .await?;
    claimed(channel, &row)
}

fn claimed(channel: Channel, row: &PgRow) -> Result<ClaimedNotification, DbError> {
    Ok(ClaimedNotification {
        notification_id: NotificationId(row.try_get("notification_id")?),
        channel,
        cause: row.try_get::<String, _>("cause")?.parse()?,
        threat_id: row.try_get::<Option<Uuid>, _>("threat_id")?.map(ThreatId),
        alert_id: row.try_get::<Option<Uuid>, _>("alert_id")?.map(AlertId),
        digest_id: row.try_get::<Option<Uuid>, _>("digest_id")?.map(NotificationId),
        severity: row.try_get::<String, _>("severity")?.parse()?,
        created_at: row.try_get("created_at")?,
        attempts: row.try_get("attempts")?,
    })
}
