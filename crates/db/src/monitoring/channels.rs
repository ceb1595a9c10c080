//! Where people are told of incidents and alerts, and what goes where.

use chrono::{DateTime, Utc};
use sg_types::api::notifications::{
    ChannelKind, ChannelSettings, ChannelTemplates, ChannelView, RouteView, SaveRoute,
};
use sg_types::{AgentId, ChannelId, RouteId, Severity, TenantId, UserId};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::notifications::attempts;
use crate::{DbError, Reads, SystemTx, tx::Connection};

/// The kind of the alert rule that watches deliveries.
pub const NOTIFICATION_FAILURE: &str = "notification_failure";

/// A channel to be stored.
#[derive(Debug, Clone, Copy)]
pub struct ChannelToSave<'a> {
    /// Its id.
    pub channel_id: ChannelId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: &'a str,
    /// What may be shown of where it leads to.
    pub settings: &'a ChannelSettings,
    /// What may not.
    pub secret_id: Option<Uuid>,
    /// Messages in a minute at most.
    pub per_minute: i32,
    /// Texts in somebody's own words.
    pub templates: &'a ChannelTemplates,
    /// Whether anything is sent.
    pub is_enabled: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// A channel as the sender needs it.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its id.
    pub channel_id: ChannelId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// Where it leads to.
    pub settings: ChannelSettings,
    /// What is secret of that.
    pub secret_id: Option<Uuid>,
    /// Messages in a minute at most.
    pub per_minute: i32,
    /// Texts in somebody's own words.
    pub templates: ChannelTemplates,
    /// Whether anything is sent.
    pub is_enabled: bool,
}

/// Stores a channel; `created_by` is a member of its tenant, none for the installation's. The tenant's first brings the alert rule that watches deliveries; true when it is the first.
///
/// # Errors
/// [`DbError::AlreadyExists`] for a name that another channel has.
pub async fn insert_channel(
    tx: &mut SystemTx,
    new: &ChannelToSave<'_>,
    created_by: Option<UserId>,
) -> Result<bool, DbError> {
    // Of two that are first at once, one waits here.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('monitoring.channels ' || $1::text, 0))")
        .bind(new.tenant_id.0)
        .execute(tx.conn())
        .await?;
    let is_first: bool =
        sqlx::query_scalar("select not exists (select from monitoring.channels c where c.tenant_id = $1)")
            .bind(new.tenant_id.0)
            .fetch_one(tx.conn())
            .await?;
    sqlx::query(
        "insert into monitoring.channels (channel_id, tenant_id, name, kind, settings, secret_id, is_enabled, per_minute, created_by,
            created_at, updated_at, templates)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)",
    )
    .bind(new.channel_id.0)
    .bind(new.tenant_id.0)
    .bind(new.name)
    .bind(new.settings.kind().as_str())
    .bind(Json(new.settings))
    .bind(new.secret_id)
    .bind(new.is_enabled)
    .bind(new.per_minute)
    .bind(created_by.map(|id| id.0))
    .bind(new.at)
    .bind(Json(new.templates))
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "insert into monitoring.alert_rules (tenant_id, kind, severity, comparison, threshold, window_seconds, for_seconds)
         values ($1, $2, 'high', 'above', 0, 0, 0)
         on conflict (tenant_id, kind) do nothing",
    )
    .bind(new.tenant_id.0)
    .bind(NOTIFICATION_FAILURE)
    .execute(tx.conn())
    .await?;
    Ok(is_first)
}

/// Changes a channel. False when the tenant has no such channel.
///
/// # Errors
/// [`DbError::AlreadyExists`] for a name that another channel has.
pub async fn update_channel(tx: &mut SystemTx, change: &ChannelToSave<'_>) -> Result<bool, DbError> {
    let done = sqlx::query(
        "update monitoring.channels
         set name = $3, settings = $4, secret_id = $5, is_enabled = $6, per_minute = $7, updated_at = $8, templates = $9
         where tenant_id = $1 and channel_id = $2",
    )
    .bind(change.tenant_id.0)
    .bind(change.channel_id.0)
    .bind(change.name)
    .bind(Json(change.settings))
    .bind(change.secret_id)
    .bind(change.is_enabled)
    .bind(change.per_minute)
    .bind(change.at)
    .bind(Json(change.templates))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a channel with its routes and what it was told. False when the tenant has no such channel.
///
/// # Errors
/// As every query.
pub async fn delete_channel(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    channel_id: ChannelId,
) -> Result<bool, DbError> {
    let done = sqlx::query("delete from monitoring.channels where tenant_id = $1 and channel_id = $2")
        .bind(tenant_id.0)
        .bind(channel_id.0)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// One channel of the tenant, locked against changes until the transaction ends.
///
/// # Errors
/// As every query.
pub async fn lock_channel(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    channel_id: ChannelId,
) -> Result<Option<Channel>, DbError> {
    sqlx::query(
        "select channel_id, tenant_id, name, settings, secret_id, per_minute, templates, is_enabled from monitoring.channels
         where tenant_id = $1 and channel_id = $2 for no key update",
    )
    .bind(tenant_id.0)
    .bind(channel_id.0)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(channel)
    .transpose()
}

/// How many channels a tenant has.
///
/// # Errors
/// As every query.
pub async fn count_channels(tx: &mut SystemTx, tenant_id: TenantId) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("select count(*) from monitoring.channels where tenant_id = $1")
            .bind(tenant_id.0)
            .fetch_one(tx.conn())
            .await?,
    )
}

/// The query for views of channels, with what is behind the joins.
macro_rules! channel_query {
    ($rest:literal) => {
        concat!(
            "select c.channel_id, c.name, c.settings, c.is_enabled, c.per_minute, c.templates, c.created_at, c.updated_at,
                (select count(*) from monitoring.notifications n
                    where n.tenant_id = c.tenant_id and n.channel_id = c.channel_id and n.finished_at is null) as waiting,
                (select jsonb_agg(jsonb_build_object('started_at', a.started_at, 'milliseconds', a.milliseconds,
                    'is_delivered', a.is_delivered, 'answer_code', a.answer_code, 'error', a.error, 'note', a.note))
                 from (
                    select a.* from monitoring.notifications n
                    join monitoring.delivery_attempts a on a.tenant_id = n.tenant_id and a.notification_id = n.notification_id
                    where n.tenant_id = c.tenant_id and n.channel_id = c.channel_id and n.last_attempt_at is not null
                    order by n.last_attempt_at desc, n.notification_id desc, a.attempt desc limit 1) a) as attempts
             from monitoring.channels c ",
            $rest
        )
    };
}

/// The tenant's channels by name.
///
/// # Errors
/// As every query.
pub async fn list_channels(tx: &mut impl Reads, tenant_id: TenantId) -> Result<Vec<ChannelView>, DbError> {
    sqlx::query(channel_query!("where c.tenant_id = $1 order by lower(c.name)"))
        .bind(tenant_id.0)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(channel_view)
        .collect()
}

/// One channel of the tenant.
///
/// # Errors
/// As every query.
pub async fn find_channel(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    channel_id: ChannelId,
) -> Result<Option<ChannelView>, DbError> {
    sqlx::query(channel_query!("where c.tenant_id = $1 and c.channel_id = $2"))
        .bind(tenant_id.0)
        .bind(channel_id.0)
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(channel_view)
        .transpose()
}

/// Stores a route; `created_by` as of channels.
///
/// # Errors
/// [`DbError::MissingReference`] for channels that are not the tenant's.
pub async fn insert_route(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    route_id: RouteId,
    route: &SaveRoute,
    created_by: Option<UserId>,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into monitoring.routes (tenant_id, route_id, name, channel_id, source, min_severity, rules, tags, agents, is_enabled,
            muted_until, escalate_after_minutes, escalate_to, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(tenant_id.0)
    .bind(route_id.0)
    .bind(route.name.trim())
    .bind(route.channel_id.0)
    .bind(route.source.as_str())
    .bind(route.min_severity.as_str())
    .bind(&route.rules)
    .bind(&route.tags)
    .bind(agent_ids(route))
    .bind(route.is_enabled)
    .bind(route.muted_until)
    .bind(route.escalate_after_minutes)
    .bind(route.escalate_to.map(|id| id.0))
    .bind(created_by.map(|id| id.0))
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Replaces a route. False when the tenant has no such route.
///
/// # Errors
/// [`DbError::MissingReference`] for channels that are not the tenant's.
pub async fn update_route(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    route_id: RouteId,
    route: &SaveRoute,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "update monitoring.routes
         set name = $3, channel_id = $4, source = $5, min_severity = $6, rules = $7, tags = $8, agents = $9, is_enabled = $10,
            muted_until = $11, escalate_after_minutes = $12, escalate_to = $13
         where tenant_id = $1 and route_id = $2",
    )
    .bind(tenant_id.0)
    .bind(route_id.0)
    .bind(route.name.trim())
    .bind(route.channel_id.0)
    .bind(route.source.as_str())
    .bind(route.min_severity.as_str())
    .bind(&route.rules)
    .bind(&route.tags)
    .bind(agent_ids(route))
    .bind(route.is_enabled)
    .bind(route.muted_until)
    .bind(route.escalate_after_minutes)
    .bind(route.escalate_to.map(|id| id.0))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a route; what it has put into the outbox is still sent. False when the tenant has no such route.
///
/// # Errors
/// As every query.
pub async fn delete_route(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    route_id: RouteId,
) -> Result<bool, DbError> {
    let done = sqlx::query("delete from monitoring.routes where tenant_id = $1 and route_id = $2")
        .bind(tenant_id.0)
        .bind(route_id.0)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// How many routes a tenant has.
///
/// # Errors
/// As every query.
pub async fn count_routes(tx: &mut SystemTx, tenant_id: TenantId) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("select count(*) from monitoring.routes where tenant_id = $1")
            .bind(tenant_id.0)
            .fetch_one(tx.conn())
            .await?,
    )
}

/// The tenant's routes by name, or one of them.
///
/// # Errors
/// As every query.
pub async fn list_routes(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    only: Option<RouteId>,
) -> Result<Vec<RouteView>, DbError> {
    sqlx::query(
        "select r.*, c.name as channel_name, e.name as escalate_to_name
         from monitoring.routes r
         join monitoring.channels c on c.tenant_id = r.tenant_id and c.channel_id = r.channel_id
         left join monitoring.channels e on e.tenant_id = r.tenant_id and e.channel_id = r.escalate_to
         where r.tenant_id = $1 and ($2::uuid is null or r.route_id = $2)
         order by lower(r.name), r.route_id",
    )
    .bind(tenant_id.0)
    .bind(only.map(|id| id.0))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(route_view)
    .collect()
}

fn agent_ids(route: &SaveRoute) -> Vec<Uuid> {
    route.agents.iter().map(|agent| agent.0).collect()
}

pub(super) fn channel(row: &PgRow) -> Result<Channel, DbError> {
    Ok(Channel {
        channel_id: ChannelId(row.try_get("channel_id")?),
        tenant_id: TenantId(row.try_get("tenant_id")?),
        name: row.try_get("name")?,
        settings: row.try_get::<Json<_>, _>("settings")?.0,
        secret_id: row.try_get("secret_id")?,
        per_minute: row.try_get("per_minute")?,
        templates: row.try_get::<Json<_>, _>("templates")?.0,
        is_enabled: row.try_get("is_enabled")?,
    })
}

fn channel_view(row: &PgRow) -> Result<ChannelView, DbError> {
    Ok(ChannelView {
        channel_id: ChannelId(row.try_get("channel_id")?),
        name: row.try_get("name")?,
        settings: row.try_get::<Json<_>, _>("settings")?.0,
        is_enabled: row.try_get("is_enabled")?,
        per_minute: row.try_get("per_minute")?,
        templates: row.try_get::<Json<_>, _>("templates")?.0,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        waiting: row.try_get("waiting")?,
        last: attempts(row)?.into_iter().next(),
    })
}

fn route_view(row: &PgRow) -> Result<RouteView, DbError> {
    let agents: Vec<Uuid> = row.try_get("agents")?;
    let escalate_to = row.try_get::<Option<Uuid>, _>("escalate_to")?.map(ChannelId);
    let minutes: Option<i32> = row.try_get("escalate_after_minutes")?;
    Ok(RouteView {
        route_id: RouteId(row.try_get("route_id")?),
        name: row.try_get("name")?,
        channel_id: ChannelId(row.try_get("channel_id")?),
        channel_name: row.try_get("channel_name")?,
        source: row.try_get::<String, _>("source")?.parse()?,
        min_severity: row.try_get::<String, _>("min_severity")?.parse::<Severity>()?,
        rules: row.try_get("rules")?,
        tags: row.try_get("tags")?,
        agents: agents.into_iter().map(AgentId).collect(),
        is_enabled: row.try_get("is_enabled")?,
        muted_until: row.try_get("muted_until")?,
        // The second channel may have been removed.
        escalate_after_minutes: minutes.filter(|_| escalate_to.is_some()),
        escalate_to,
        escalate_to_name: row.try_get("escalate_to_name")?,
        created_at: row.try_get("created_at")?,
    })
}

/// Kinds whose receivers keep what they were told open until they are told that it is over.
pub(super) const KEEP_OPEN: [ChannelKind; 2] = [ChannelKind::Pagerduty, ChannelKind::Webhook];

pub(super) fn keeps_open(kind: ChannelKind) -> bool {
    KEEP_OPEN.contains(&kind)
}
