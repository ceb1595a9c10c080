//! Endpoints as they are shown and managed.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};
use sg_types::{
    AgentId, EndpointStatus, Liveness, TenantId, UserId, agent::TelemetrySource, api::agents::EndpointView,
};
use sqlx::{PgConnection, Postgres, QueryBuilder, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads, WriteTx, tx::Connection};

/// How old the latest sample may be to be shown as the present state.
const LATEST_SAMPLE: Duration = Duration::days(1);

/// Which endpoints to list.
#[derive(Debug, Clone, Default)]
pub struct EndpointFilter {
    /// Only these statuses; all when empty.
    pub statuses: Vec<EndpointStatus>,
    /// Only those that are, or are not, online.
    pub online: Option<bool>,
    /// Only those of these; all when empty.
    pub liveness: Vec<Liveness>,
    /// Only those with this text in host name, given name, address or operating system, in any case.
    pub search: Option<String>,
}

impl EndpointFilter {
    /// What is asked of online and liveness together: whether endpoints are online, where that says all of it, and else which liveness they have.
    fn presence(&self) -> (Option<bool>, &[Liveness]) {
        let has = |one| self.liveness.contains(&one);
        let asked = match (
            has(Liveness::Online),
            has(Liveness::Stale),
            has(Liveness::Offline),
        ) {
            (true, true, false) => Some(true),
            (false, false, true) => Some(false),
            (false, false, false) | (true, true, true) => None,
            _ => return (self.online, &self.liveness),
        };
        match (self.online, asked) {
            (Some(online), Some(asked)) if online != asked => (self.online, &self.liveness),
            (online, asked) => (online.or(asked), &[]),
        }
    }
}

/// An endpoint that nobody else changes until the transaction ends.
#[derive(Debug, Clone)]
pub struct LockedEndpoint {
    /// The endpoint.
    pub agent_id: AgentId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// What an administrator decided.
    pub status: EndpointStatus,
    /// Name given by people.
    pub device_name: Option<String>,
    /// Whose it is.
    pub user_id: Option<UserId>,
}

/// What is stored of an endpoint and shown or needed for what is.
const STORED_COLUMNS: &str = "e.agent_id, e.tenant_id, e.kind, e.hostname, e.device_name, e.ip_address, e.mac_address, e.os_info, e.version, e.status,
    e.heartbeat_interval, e.user_id, e.created_at, e.last_seen, e.name_key";
/// What is shown, of a table or a page by the name `e`.
const COLUMNS: &str = "e.agent_id, e.kind, e.hostname, e.device_name, host(e.ip_address) as ip_address, e.mac_address::text as mac_address, e.os_info,
    e.version, e.status, e.heartbeat_interval, e.user_id, e.created_at,
    greatest(h.last_seen_at, e.last_seen) as last_seen, coalesce(h.sources, '[]'::jsonb) as sources,
    (select count(*) from threats.incidents i
        where i.tenant_id = e.tenant_id and i.agent_id = e.agent_id and i.status in ('new', 'investigating')) as open_incidents, ";
/// What is shown of a sample.
const SAMPLE_COLUMNS: &str = "s.cpu_usage::float8 as cpu_usage, s.memory_usage::float8 as memory_usage, s.disk_usage::float8 as disk_usage";
/// An endpoint is offline from the moment at which it has missed two check-ins while somebody was listening.
const ONLINE: &str = "e.status <> 'decommissioned' and coalesce(h.online, false)";
/// The endpoints that are not [`ONLINE`]; each has a heartbeat.
const OFFLINE: &str = "select h.agent_id from agents.heartbeats h where not h.online
    union all select d.agent_id from agents.endpoints d where d.status = 'decommissioned'";
const ENDPOINT_TABLE: &str = " from agents.endpoints e";
const JOINS: &str = "
    left join agents.heartbeats h on h.agent_id = e.agent_id ";

/// The endpoints of the caller's tenant (and scope) by host name, at most `limit` after `after`.
///
/// # Errors
/// What a query may meet.
pub async fn list_endpoints(
    tx: &mut impl Reads,
    filter: &EndpointFilter,
    after: Option<(String, AgentId)>,
    limit: u32,
    at: DateTime<Utc>,
) -> Result<Vec<EndpointView>, DbError> {
    let mut query = QueryBuilder::new("with keys as (");
    push_keys(&mut query, filter, after, limit, at);
    query
        .push("), page as (select ")
        .push(STORED_COLUMNS)
        .push(" from keys k join agents.endpoints e on e.agent_id = k.agent_id) select s.*, ");
    push_endpoints(&mut query, " from page e", at);
    query.push("left join lateral (");
    push_latest_sample(&mut query, tx.retention_class(), at, None);
    query.push(") s on true order by e.name_key, e.agent_id");
    let mut endpoints = query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| {
            let mut endpoint = read_endpoint(row)?;
            read_sample(row, &mut endpoint)?;
            Ok(endpoint)
        })
        .collect::<Result<Vec<_>, DbError>>()?;
    name_owners(tx, &mut endpoints).await?;
    Ok(endpoints)
}

/// One endpoint; none when the caller's tenant (and scope) has no such one.
///
/// # Errors
/// What a query may meet.
pub async fn find_endpoint(
    tx: &mut impl Reads,
    agent_id: AgentId,
    at: DateTime<Utc>,
) -> Result<Option<EndpointView>, DbError> {
    let mut query = QueryBuilder::new("select ");
    push_endpoints(&mut query, ENDPOINT_TABLE, at);
    query.push("where e.agent_id = ").push_bind(Uuid::from(agent_id));
    let Some(row) = query.build().fetch_optional(tx.conn()).await? else {
        return Ok(None);
    };
    let mut endpoint = read_endpoint(&row)?;
    let mut query = QueryBuilder::new("");
    push_latest_sample(&mut query, tx.retention_class(), at, Some(agent_id));
    if let Some(row) = query.build().fetch_optional(tx.conn()).await? {
        read_sample(&row, &mut endpoint)?;
    }
    name_owners(tx, std::slice::from_mut(&mut endpoint)).await?;
    Ok(Some(endpoint))
}

/// Locks an endpoint; none when the caller's tenant (and scope) has no such one.
///
/// # Errors
/// [`DbError::Busy`] when somebody else holds it for too long.
pub async fn lock_endpoint(tx: &mut WriteTx, agent_id: AgentId) -> Result<Option<LockedEndpoint>, DbError> {
    let row = sqlx::query(
        "select agent_id, tenant_id, status, device_name, user_id from agents.endpoints where agent_id = $1 for no key update",
    )
    .bind(Uuid::from(agent_id))
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(LockedEndpoint {
            agent_id: AgentId(row.try_get("agent_id")?),
            tenant_id: TenantId(row.try_get("tenant_id")?),
            status: row.try_get::<String, _>("status")?.parse()?,
            device_name: row.try_get("device_name")?,
            user_id: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
        })
    })
    .transpose()
}

/// Stores what people decide about an endpoint.
///
/// # Errors
/// [`DbError::MissingReference`] when the person is no member of the tenant.
pub async fn update_endpoint(
    tx: &mut WriteTx,
    agent_id: AgentId,
    device_name: Option<&str>,
    user_id: Option<UserId>,
) -> Result<(), DbError> {
    sqlx::query("update agents.endpoints set device_name = $2, user_id = $3 where agent_id = $1")
        .bind(Uuid::from(agent_id))
        .bind(device_name)
        .bind(user_id.map(Uuid::from))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Takes an endpoint out of service: from the commit on its tokens open nothing.
///
/// # Errors
/// What a query may meet.
pub async fn decommission_endpoint(
    tx: &mut WriteTx,
    agent_id: AgentId,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    take_out_of_service(tx.conn(), agent_id, "decommissioned", at).await
}

/// Whether a person may work in the caller's tenant at this time.
///
/// # Errors
/// What a query may meet.
pub async fn is_live_member(
    tx: &mut impl Reads,
    user_id: UserId,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "select exists (
            select 1 from users.memberships m
            join users.users u on u.user_id = m.user_id and u.is_active
            where m.tenant_id = (select users.current_tenant()) and m.user_id = $1 and (m.expires_at is null or m.expires_at > $2))",
    )
    .bind(Uuid::from(user_id))
    .bind(at)
    .fetch_one(tx.conn())
    .await?)
}

/// Whether the caller's tenant has this endpoint, and it is in service and has an agent.
///
/// # Errors
/// What a query may meet.
pub async fn is_live_endpoint(tx: &mut impl Reads, agent_id: AgentId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "select exists (
            select from agents.endpoints e
            where e.tenant_id = (select users.current_tenant()) and e.agent_id = $1 and e.status <> 'decommissioned' and e.kind = 'agent')",
    )
    .bind(Uuid::from(agent_id))
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn take_out_of_service(
    conn: &mut PgConnection,
    agent_id: AgentId,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("update agents.endpoints set status = 'decommissioned', decommissioned_at = $2 where agent_id = $1 and status <> 'decommissioned'")
        .bind(Uuid::from(agent_id))
        .bind(at)
        .execute(&mut *conn)
        .await?;
    sqlx::query("update agents.agent_tokens set revoked_at = $2, revoke_reason = $3 where agent_id = $1 and revoked_at is null")
        .bind(Uuid::from(agent_id))
        .bind(at)
        .bind(reason)
        .execute(conn)
        .await?;
    Ok(())
}

/// The endpoints of a page, by columns that an index alone answers for: with a text to look for, all of a tenant's may have to be read. The rest is
/// looked up for those on the page.
fn push_keys(
    query: &mut QueryBuilder<Postgres>,
    filter: &EndpointFilter,
    after: Option<(String, AgentId)>,
    limit: u32,
    at: DateTime<Utc>,
) {
    let (online, liveness) = filter.presence();
    query.push("select e.name_key, e.agent_id").push(ENDPOINT_TABLE);
    if online == Some(true) || !liveness.is_empty() {
        query.push(" join agents.heartbeats h on h.agent_id = e.agent_id");
    }
    // The entry that stands for the server is nobody's endpoint, and has no such text.
    query.push(" where e.search_text is not null");
    if !filter.statuses.is_empty() {
        let words: Vec<String> = filter.statuses.iter().map(ToString::to_string).collect();
        query.push(" and e.status = any(").push_bind(words).push(")");
    }
    // Written and not bound, so that the plan knows which of the two it is for.
    match online {
        Some(true) => query.push(" and ").push(ONLINE),
        Some(false) => query.push(" and e.agent_id in (").push(OFFLINE).push(")"),
        None => query,
    };
    if !liveness.is_empty() {
        let words: Vec<&str> = liveness.iter().map(|one| one.as_str()).collect();
        query.push(" and ");
        push_liveness(query, at);
        query.push(" = any(").push_bind(words).push(")");
    }
    if let Some(text) = &filter.search {
        // As a query of its own, which is asked once and not for each endpoint.
        query
            .push(" and strpos(e.search_text, (select lower(")
            .push_bind(text.clone())
            .push("))) > 0");
    }
    if let Some((hostname, agent_id)) = after {
        query
            .push(" and (e.name_key, e.agent_id) > (lower(")
            .push_bind(hostname)
            .push("), ")
            .push_bind(Uuid::from(agent_id))
            .push(")");
    }
    // Written and not bound: a plan for any limit expects a tenth of all endpoints, and reads every heartbeat for them.
    query.push(" order by e.name_key, e.agent_id limit ").push(limit);
}

fn push_endpoints(query: &mut QueryBuilder<Postgres>, from: &str, at: DateTime<Utc>) {
    query.push(COLUMNS).push(ONLINE).push(" as online, ");
    push_liveness(query, at);
    query.push(" as liveness").push(from).push(JOINS);
}

/// The newest sample of an endpoint, of that of the page `e` where none is named. The bounds on both columns of the partitioning leave two days'
/// partitions of one class to look at.
fn push_latest_sample(
    query: &mut QueryBuilder<Postgres>,
    retention_class: Option<i16>,
    at: DateTime<Utc>,
    agent_id: Option<AgentId>,
) {
    query
        .push("select ")
        .push(SAMPLE_COLUMNS)
        .push(" from agents.system_info s where s.agent_id = ");
    match agent_id {
        Some(agent_id) => query.push_bind(Uuid::from(agent_id)),
        None => query.push("e.agent_id"),
    };
    query
        .push(" and s.retention_class = ")
        .push_bind(retention_class)
        .push(" and s.collected_at > ")
        .push_bind(at - LATEST_SAMPLE)
        .push(" and s.collected_at < ")
        .push_bind(at + Duration::hours(1))
        .push(" order by s.collected_at desc limit 1");
}

/// Whether an endpoint is late, and offline once the look for those that are has found it so.
fn push_liveness(query: &mut QueryBuilder<Postgres>, at: DateTime<Utc>) {
    query.push("case when not (").push(ONLINE);
    query
        .push(") then 'offline' when h.last_seen_at < ")
        .push_bind(at);
    query.push(
        "::timestamptz - make_interval(secs => 1.25 * e.heartbeat_interval) then 'stale' else 'online' end",
    );
}

/// Adds the names of those whose endpoints they are, where the caller sees them. As a join, the table of people would cost each endpoint two
/// questions of row security more, owned or not.
async fn name_owners(tx: &mut impl Reads, endpoints: &mut [EndpointView]) -> Result<(), DbError> {
    let owners: HashSet<Uuid> = endpoints
        .iter()
        .filter_map(|endpoint| endpoint.user_id.map(Uuid::from))
        .collect();
    if owners.is_empty() {
        return Ok(());
    }
    let names: HashMap<Uuid, String> =
        sqlx::query_as("select user_id, username from users.users where user_id = any($1)")
            .bind(owners.into_iter().collect::<Vec<_>>())
            .fetch_all(tx.conn())
            .await?
            .into_iter()
            .collect();
    for endpoint in endpoints {
        endpoint.username = endpoint
            .user_id
            .and_then(|owner| names.get(&Uuid::from(owner)).cloned());
    }
    Ok(())
}

fn read_endpoint(row: &PgRow) -> Result<EndpointView, DbError> {
    let sources: serde_json::Value = row.try_get("sources")?;
    Ok(EndpointView {
        agent_id: AgentId(row.try_get("agent_id")?),
        kind: row.try_get::<String, _>("kind")?.parse()?,
        hostname: row.try_get("hostname")?,
        device_name: row.try_get("device_name")?,
        ip_address: row.try_get("ip_address")?,
        mac_address: row.try_get("mac_address")?,
        os_info: row.try_get("os_info")?,
        version: row.try_get("version")?,
        status: row.try_get::<String, _>("status")?.parse()?,
        online: row.try_get("online")?,
        liveness: row.try_get::<String, _>("liveness")?.parse()?,
        last_seen: row.try_get("last_seen")?,
        heartbeat_interval: row.try_get("heartbeat_interval")?,
        user_id: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
        username: None,
        open_incidents: row.try_get("open_incidents")?,
        cpu_usage: None,
        memory_usage: None,
        disk_usage: None,
        sources: serde_json::from_value::<Vec<TelemetrySource>>(sources).unwrap_or_default(),
        created_at: row.try_get("created_at")?,
    })
}

fn read_sample(row: &PgRow, endpoint: &mut EndpointView) -> Result<(), DbError> {
    endpoint.cpu_usage = row.try_get("cpu_usage")?;
    endpoint.memory_usage = row.try_get("memory_usage")?;
    endpoint.disk_usage = row.try_get("disk_usage")?;
    Ok(())
}
