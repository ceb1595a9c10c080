//! Events of what has no agent: log sources, which are known by their names, and the server itself.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Duration, SubsecRound, Utc};
use serde_json::Value;
use sg_types::{AgentId, Ids, TenantId, UserId, agent::Finding};
use sqlx::Row;
use uuid::Uuid;

use super::ingest::{LATE_DAYS, PlacedFinding, SeenEvent, clamp};
use crate::{
    Caller, DbError, SystemTx,
    monitoring::{Change, announce},
    threats::{StoredEvent, record_findings},
    tx::Connection,
};

/// How `agents.events.kind` calls an entry of a log.
pub const LOGGED: &str = "logged";
/// Seconds that a source counts as being there after an event, in `agents.endpoints.heartbeat_interval`: many are silent for hours.
const SOURCE_INTERVAL_SECONDS: i32 = 86_400;
/// How old the documented `last_seen` may grow.
const LAST_SEEN_LAG: Duration = Duration::hours(1);

/// Where events come from that no agent sends. Nobody else stores events of it until the transaction ends.
#[derive(Debug, Clone)]
pub struct LogSource {
    /// Its entry among the endpoints.
    pub agent_id: AgentId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: Option<UserId>,
    /// Version of the tenant's own rules; 0 where it has the installation's.
    pub rules_version: i64,
    /// For how many days the tenant keeps events.
    pub retention_class: i16,
    /// Whether it was not known before.
    pub is_new: bool,
    /// Whether it takes events.
    pub in_service: bool,
}

/// An entry of a log that is to be stored.
#[derive(Debug, Clone)]
pub struct NewLogEvent {
    /// Its id: what is stored under it already is stored once.
    pub event_id: Uuid,
    /// When it happened, by whoever wrote it.
    pub at: Option<DateTime<Utc>>,
    /// What is stored of it.
    pub detail: Value,
}

/// What came of entries of a log.
#[derive(Debug)]
pub struct StoredLogEvents {
    /// Those that were not there before.
    pub events: Vec<SeenEvent>,
    /// How many were.
    pub repeated: usize,
}

/// The tenant's source of this name, which is made when it is not known.
///
/// # Errors
/// Those of a subscription that is used up.
pub async fn open_log_source(
    tx: &mut SystemTx,
    caller: &Caller,
    name: &str,
    new_id: AgentId,
    at: DateTime<Utc>,
) -> Result<LogSource, DbError> {
    let key_id = caller.scopes.as_ref().map(|_| caller.credential_id);
    let mut is_new = false;
    if find_source(tx, caller.tenant_id, name).await?.is_none() {
        let made = sqlx::query(
            "insert into agents.endpoints (agent_id, tenant_id, hostname, registered_via_key_id, heartbeat_interval, status, last_seen, created_at,
                updated_at, kind)
             values ($1, $2, $3, $4, $5, 'active', $6, $6, $6, 'log_source')
             on conflict (tenant_id, lower(hostname)) where kind = 'log_source' do nothing",
        )
        .bind(Uuid::from(new_id))
        .bind(Uuid::from(caller.tenant_id))
        .bind(name)
        .bind(key_id)
        .bind(SOURCE_INTERVAL_SECONDS)
        .bind(at)
        .execute(tx.conn())
        .await?;
        is_new = made.rows_affected() == 1;
    }
    if is_new {
        // Nobody waits for its check-ins: only what comes online is looked for.
        sqlx::query("insert into agents.heartbeats (agent_id, tenant_id, last_seen_at, online) values ($1, $2, $3, false)")
            .bind(Uuid::from(new_id))
            .bind(Uuid::from(caller.tenant_id))
            .bind(at)
            .execute(tx.conn())
            .await?;
        announce(tx, &[Change::endpoint(caller.tenant_id, new_id, None)]).await?;
    }
    let agent_id = find_source(tx, caller.tenant_id, name)
        .await?
        .ok_or_else(|| DbError::Inconsistent("a log source that was made is not there".to_owned()))?;
    lock_source(tx, agent_id, is_new, at).await
}

/// The entry that stands for the server in a tenant, which is made when it is missing.
///
/// # Errors
/// What a query may meet.
pub async fn open_server_source(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    at: DateTime<Utc>,
) -> Result<LogSource, DbError> {
    let agent_id: Uuid = sqlx::query_scalar("select agents.server_endpoint($1, $2)")
        .bind(Uuid::from(tenant_id))
        .bind(at)
        .fetch_one(tx.conn())
        .await?;
    lock_source(tx, AgentId(agent_id), false, at).await
}

/// Stores entries of a log. One whose time lies ahead or is past what is kept counts as of `at`, with its own time beside that.
///
/// # Errors
/// What a query may meet; nothing of them is stored then.
pub async fn store_log_events(
    tx: &mut SystemTx,
    source: &LogSource,
    rows: Vec<NewLogEvent>,
    at: DateTime<Utc>,
) -> Result<StoredLogEvents, DbError> {
    let at = at.trunc_subsecs(6);
    let sent = rows.len();
    let mut seen = HashSet::new();
    let mut dated: Vec<(NewLogEvent, DateTime<Utc>, Option<DateTime<Utc>>)> = rows
        .into_iter()
        .filter(|row| seen.insert(row.event_id))
        .map(|row| {
            let (occurred_at, told_at) = row.at.map_or((at, None), |told| {
                clamp(told, at, i64::from(source.retention_class))
            });
            (row, occurred_at, told_at)
        })
        .collect();
    // What is dated by the server would not meet the key of its first receipt.
    let by_receipt = dated
        .iter()
        .filter(|(row, _, told_at)| row.at.is_none() || told_at.is_some());
    let known = find_stored(tx, by_receipt.map(|(row, _, _)| row.event_id).collect(), at).await?;
    dated.retain(|(row, _, _)| !known.contains(&row.event_id));
    let inserted: Vec<Uuid> = sqlx::query_scalar(
        "insert into agents.events (event_id, agent_id, tenant_id, kind, occurred_at, received_at, detail, agent_occurred_at,
            retention_class)
         select n.event_id, $1, $2, $3, n.occurred_at, $4, n.detail, n.told_at, $9
         from unnest($5::uuid[], $6::timestamptz[], $7::jsonb[], $8::timestamptz[]) as n (event_id, occurred_at, detail, told_at)
         on conflict do nothing
         returning event_id",
    )
    .bind(Uuid::from(source.agent_id))
    .bind(Uuid::from(source.tenant_id))
    .bind(LOGGED)
    .bind(at)
    .bind(dated.iter().map(|(row, _, _)| row.event_id).collect::<Vec<_>>())
    .bind(dated.iter().map(|(_, occurred_at, _)| *occurred_at).collect::<Vec<_>>())
    .bind(dated.iter().map(|(row, _, _)| &row.detail).collect::<Vec<&Value>>())
    .bind(dated.iter().map(|(_, _, told_at)| *told_at).collect::<Vec<_>>())
    .bind(source.retention_class)
    .fetch_all(tx.conn())
    .await?;
    let inserted: HashSet<Uuid> = inserted.into_iter().collect();
    let hostname: Arc<str> = source.name.as_str().into();
    let events: Vec<SeenEvent> = dated
        .into_iter()
        .filter(|(row, _, _)| inserted.contains(&row.event_id))
        .map(|(row, occurred_at, _)| SeenEvent {
            tenant_id: source.tenant_id,
            rules_version: source.rules_version,
            hostname: hostname.clone(),
            event: StoredEvent {
                event_id: row.event_id,
                agent_id: source.agent_id,
                occurred_at,
                kind: LOGGED.to_owned(),
                detail: row.detail,
            },
        })
        .collect();
    Ok(StoredLogEvents {
        repeated: sent - events.len(),
        events,
    })
}

/// Makes findings of what rules matched in entries of a log; one that is known already changes nothing.
///
/// # Errors
/// What a query may meet.
pub async fn record_log_findings(
    tx: &mut SystemTx,
    source: &LogSource,
    findings: Vec<(DateTime<Utc>, Finding)>,
    at: DateTime<Utc>,
    window: Duration,
    ids: &dyn Ids,
) -> Result<(), DbError> {
    let placed: Vec<PlacedFinding> = findings
        .into_iter()
        .map(|(occurred_at, finding)| PlacedFinding {
            occurrence_id: finding.finding_id,
            tenant_id: source.tenant_id,
            agent_id: source.agent_id,
            owner: source.owner,
            at: occurred_at,
            finding,
        })
        .collect();
    let changes = record_findings(tx.conn(), &placed, at, window, ids).await?;
    announce(tx, &changes).await
}

async fn find_source(tx: &mut SystemTx, tenant_id: TenantId, name: &str) -> Result<Option<AgentId>, DbError> {
    let found: Option<Uuid> = sqlx::query_scalar(
        "select e.agent_id from agents.endpoints e
         where e.tenant_id = $1 and lower(e.hostname) = lower($2) and e.kind = 'log_source'",
    )
    .bind(Uuid::from(tenant_id))
    .bind(name)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.map(AgentId))
}

/// The heartbeat before the endpoint, as ingest and jobs lock them: nobody waits in a circle.
async fn lock_source(
    tx: &mut SystemTx,
    agent_id: AgentId,
    is_new: bool,
    at: DateTime<Utc>,
) -> Result<LogSource, DbError> {
    let row = sqlx::query(
        "with seen as (
            update agents.heartbeats h set last_seen_at = greatest(h.last_seen_at, $2), online = e.kind = 'log_source'
            from agents.endpoints e where h.agent_id = $1 and e.agent_id = h.agent_id and e.status <> 'decommissioned'
         )
         select e.agent_id, e.tenant_id, e.hostname, e.user_id, e.status <> 'decommissioned' as in_service, e.last_seen,
            coalesce(r.version, 0) as rules_version, t.retention_class
         from agents.endpoints e join users.tenants t on t.tenant_id = e.tenant_id left join threats.rule_sets r on r.tenant_id = e.tenant_id
         where e.agent_id = $1",
    )
    .bind(Uuid::from(agent_id))
    .bind(at)
    .fetch_one(tx.conn())
    .await?;
    let last_seen: Option<DateTime<Utc>> = row.try_get("last_seen")?;
    if last_seen.is_none_or(|seen| at - seen >= LAST_SEEN_LAG) {
        sqlx::query(
            "update agents.endpoints set last_seen = $2 where agent_id = $1 and status <> 'decommissioned'",
        )
        .bind(Uuid::from(agent_id))
        .bind(at)
        .execute(tx.conn())
        .await?;
    }
    Ok(LogSource {
        agent_id,
        tenant_id: TenantId(row.try_get("tenant_id")?),
        name: row.try_get("hostname")?,
        owner: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
        rules_version: row.try_get("rules_version")?,
        retention_class: row.try_get("retention_class")?,
        is_new,
        in_service: row.try_get("in_service")?,
    })
}

async fn find_stored(tx: &mut SystemTx, ids: Vec<Uuid>, at: DateTime<Utc>) -> Result<HashSet<Uuid>, DbError> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let stored: Vec<Uuid> = sqlx::query_scalar(
        "select v.event_id from agents.events v where v.event_id = any($1) and v.occurred_at > $2 and v.occurred_at <= $3",
    )
    .bind(ids)
    .bind(at - Duration::days(LATE_DAYS))
    .bind(at)
    .fetch_all(tx.conn())
    .await?;
    Ok(stored.into_iter().collect())
}
