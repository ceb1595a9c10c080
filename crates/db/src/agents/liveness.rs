//! Endpoints that do not check in: when they are looked for, and the gap that is recorded then.

use chrono::{DateTime, Utc};
use sg_types::{AgentId, TenantId, UserId};
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use crate::{DbError, SystemTx, monitoring::Change, tx::Connection};

/// Seconds without a look after which nobody was listening: the server or its database was away.
const BREAK_SECONDS: i32 = 45;

/// What one look found.
#[derive(Debug, Default)]
pub struct Look {
    /// Endpoints that were due.
    pub looked_at: i64,
    /// Those of them that are offline from now on.
    pub offline: Vec<Change>,
}

/// Notes that somebody looks, and tells since when somebody has without a break. After a break every endpoint has its whole time again: what
/// nobody could hear is no absence.
///
/// # Errors
/// What a query may meet.
pub async fn note_watch(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<DateTime<Utc>, DbError> {
    Ok(sqlx::query_scalar(
        "insert into agents.liveness_watch as w (looked_at, watching_since) values ($1, $1)
         on conflict (only_one) do update set looked_at = $1,
            watching_since = case when $1 between w.looked_at - make_interval(secs => $2) and w.looked_at + make_interval(secs => $2)
                then least(w.watching_since, $1) else $1 end
         returning watching_since",
    )
    .bind(at)
    .bind(f64::from(BREAK_SECONDS))
    .fetch_one(tx.conn())
    .await?)
}

/// Looks for at most `limit` endpoints whose time has come. One that has missed two check-ins is offline: it gets a gap that goes on, and the time
/// at which its alert is due by the tenant's rule. The others are looked for again when that time comes.
///
/// # Errors
/// What a query may meet.
pub async fn mark_offline(
    tx: &mut SystemTx,
    at: DateTime<Utc>,
    watching_since: DateTime<Utc>,
    limit: i64,
) -> Result<Look, DbError> {
    // Written and not bound: a plan for any limit expects a tenth of all endpoints to be due.
    let statement = MARK_OFFLINE.replace("{limit}", &limit.to_string());
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(at)
        .bind(watching_since)
        .fetch_all(tx.conn())
        .await?;
    let mut look = Look::default();
    for row in rows {
        look.looked_at = row.try_get("looked_at")?;
        let Some(agent_id) = row.try_get::<Option<Uuid>, _>("agent_id")? else {
            continue;
        };
        let owner = row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId);
        let tenant_id = TenantId(row.try_get("tenant_id")?);
        look.offline
            .push(Change::endpoint(tenant_id, AgentId(agent_id), owner));
    }
    Ok(look)
}

/// The time stands at `$1`, since when somebody has been listening at `$2`; `{limit}` is a number. A heartbeat that moves meanwhile is judged as it
/// then is, since its lock reads it again.
const MARK_OFFLINE: &str = "
    with due as materialized (
        select d.agent_id from agents.deadlines d where d.look_at <= $1 order by d.look_at limit {limit} for update skip locked
    ), judged as materialized (
        select d.agent_id, e.status, e.heartbeat_interval, h.online,
            greatest(h.last_seen_at, $2) + make_interval(secs => 2 * e.heartbeat_interval) as offline_at
        from due d
        join agents.heartbeats h on h.agent_id = d.agent_id
        join agents.endpoints e on e.agent_id = d.agent_id
    ), late as materialized (
        select h.agent_id
        from agents.heartbeats h join judged j on j.agent_id = h.agent_id
        where j.status <> 'decommissioned' and h.online
            and greatest(h.last_seen_at, $2) + make_interval(secs => 2 * j.heartbeat_interval) <= $1
        for update of h skip locked
    ), gone as (
        update agents.heartbeats h set online = false from late l where h.agent_id = l.agent_id
        returning h.agent_id, h.tenant_id, h.last_seen_at
    ), moved as (
        update agents.deadlines d set look_at = j.offline_at from judged j
        where d.agent_id = j.agent_id and j.status <> 'decommissioned' and j.online and j.offline_at > $1
    ), forgotten as (
        delete from agents.deadlines d using judged j
        where d.agent_id = j.agent_id
            and (j.status = 'decommissioned' or not j.online or exists (select from late l where l.agent_id = j.agent_id))
    ), noted as (
        insert into agents.gaps (gap_id, tenant_id, agent_id, noticed_by, reason, from_at, recorded_at, alert_at)
        select users.time_ordered_uuid(), g.tenant_id, g.agent_id, 'server', 'offline', g.last_seen_at, $1,
            case when j.status = 'active' then greatest($1, greatest(g.last_seen_at, $2)
                + make_interval(secs => (r.threshold * j.heartbeat_interval)::float8 + r.for_seconds)) end
        from gone g
        join judged j on j.agent_id = g.agent_id
        left join monitoring.alert_rules r on r.tenant_id = g.tenant_id and r.kind = 'endpoint_offline' and r.enabled
        on conflict do nothing
    ), written as (
        update agents.endpoints e set last_seen = g.last_seen_at from gone g where e.agent_id = g.agent_id
        returning e.tenant_id, e.agent_id, e.user_id
    )
    select (select count(*) from due) as looked_at, w.tenant_id, w.agent_id, w.user_id
    from (values (1)) as one (row) left join written w on true";
