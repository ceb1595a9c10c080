//! Enrolment: a host becomes an endpoint, or is known again.

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use sg_types::{AgentId, Scope, TenantId, UserId, agent::HostFacts};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ingest::{Return, take_back};
use crate::{Caller, DbError, SystemTx, TokenHash, tx::Connection};

/// A host that asks to become an endpoint.
#[derive(Debug)]
pub struct Enrolment<'a> {
    /// The holder of the key; the endpoint becomes theirs.
    pub caller: &'a Caller,
    /// What the host says of itself.
    pub host: &'a HostFacts,
    /// The endpoint that it was before.
    pub previous_agent_id: Option<AgentId>,
    /// The id to take for a new endpoint.
    pub new_agent_id: AgentId,
    /// Hash of the agent's new token.
    pub token: TokenHash,
    /// Seconds between check-ins.
    pub check_in_seconds: i32,
    /// When.
    pub at: DateTime<Utc>,
}

/// How an enrolment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolled {
    /// The endpoint.
    pub agent_id: AgentId,
    /// Whether it was known and its history goes on.
    pub reenrolled: bool,
    /// Whose endpoint it is.
    pub owner: Option<UserId>,
}

/// Whom an agent's token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentIdentity {
    /// The endpoint.
    pub agent_id: AgentId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its host name.
    pub hostname: String,
    /// Whose endpoint it is.
    pub owner: Option<UserId>,
}

/// Makes the endpoint or finds the one that this host was before, revokes its earlier tokens and stores the new one.
///
/// A host is known by its hardware fingerprint, or by its former id as long as that endpoint does not check in any more: while it does, the
/// newcomer is a copy and becomes an endpoint of its own. Somebody who sees only their own endpoints can only take over their own.
///
/// # Errors
/// [`DbError::InvalidValue`] for facts that the tables cannot keep.
pub async fn enrol(tx: &mut SystemTx, enrolment: &Enrolment<'_>) -> Result<Option<Enrolled>, DbError> {
    let conn = tx.conn();
    // Two enrolments of one host at the same time are one endpoint.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text || $2::text, 0))")
        .bind(enrolment.caller.tenant_id.to_string())
        .bind(&enrolment.host.hardware_fingerprint)
        .execute(&mut *conn)
        .await?;
    let found = find_known(conn, enrolment).await?;
    let known = found.map(|(agent_id, _)| agent_id);
    let repeated = found.is_some_and(|(_, by_this_key)| by_this_key);
    if let Some(agent_id) = known {
        // The heartbeat before the endpoint, as ingest and jobs lock them: nobody waits in a circle.
        sqlx::query("select 1 from agents.heartbeats where agent_id = $1 for update")
            .bind(Uuid::from(agent_id))
            .execute(&mut *conn)
            .await?;
    }
    let agent_id = known.unwrap_or(enrolment.new_agent_id);
    let owner = match known {
        Some(agent_id) => renew_endpoint(conn, agent_id, enrolment).await?,
        None => insert_endpoint(conn, enrolment).await?,
    };
    replace_token(conn, agent_id, enrolment).await?;
    // Last, since the key's row is what enrolments at once wait for.
    if !count_enrolment(conn, enrolment, repeated).await? {
        return Ok(None);
    }
    Ok(Some(Enrolled {
        agent_id,
        reenrolled: known.is_some(),
        owner,
    }))
}

/// Whom a token stands for; none when it was revoked, its endpoint decommissioned or its tenant suspended.
///
/// # Errors
/// What a query may meet.
pub async fn find_agent(tx: &mut SystemTx, token: TokenHash) -> Result<Option<AgentIdentity>, DbError> {
    let row = sqlx::query(
        "select e.agent_id, e.tenant_id, e.hostname, e.user_id
         from agents.agent_tokens t
         join agents.endpoints e on e.tenant_id = t.tenant_id and e.agent_id = t.agent_id
         join users.tenants n on n.tenant_id = t.tenant_id
         where t.token_hash = $1 and t.revoked_at is null and e.status <> 'decommissioned' and n.status = 'active'",
    )
    .bind(token.as_bytes())
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(AgentIdentity {
            agent_id: AgentId(row.try_get("agent_id")?),
            tenant_id: TenantId(row.try_get("tenant_id")?),
            hostname: row.try_get("hostname")?,
            owner: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
        })
    })
    .transpose()
}

/// Whether a token would stand for an agent if its tenant were not suspended.
///
/// # Errors
/// What a query may meet.
pub async fn is_of_suspended_tenant(tx: &mut SystemTx, token: TokenHash) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "select exists (
            select from agents.agent_tokens t
            join agents.endpoints e on e.tenant_id = t.tenant_id and e.agent_id = t.agent_id
            join users.tenants n on n.tenant_id = t.tenant_id
            where t.token_hash = $1 and t.revoked_at is null and e.status <> 'decommissioned' and n.status = 'suspended')",
    )
    .bind(token.as_bytes())
    .fetch_one(tx.conn())
    .await?)
}

/// Takes an endpoint out of service on its agent's own wish.
///
/// # Errors
/// What a query may meet.
pub async fn unenrol(tx: &mut SystemTx, agent: &AgentIdentity, at: DateTime<Utc>) -> Result<(), DbError> {
    super::endpoints::take_out_of_service(tx.conn(), agent.agent_id, "unenrolled by its agent", at).await
}

/// Counts one enrolment with the key; false when it has none left. A host that comes again with the key that enrolled it, as after a lost
/// answer, has had its share already.
async fn count_enrolment(
    conn: &mut PgConnection,
    enrolment: &Enrolment<'_>,
    repeated: bool,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "update users.api_keys
         set enrolments = enrolments + case when $3 then 0 else 1 end, usage_count = usage_count + 1, last_used = greatest(last_used, $2)
         where key_id = $1 and ($3 or max_enrolments is null or enrolments < max_enrolments)",
    )
    .bind(enrolment.caller.credential_id)
    .bind(enrolment.at)
    .bind(repeated)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The endpoint that the host is, and whether this very key enrolled it.
async fn find_known(
    conn: &mut PgConnection,
    enrolment: &Enrolment<'_>,
) -> Result<Option<(AgentId, bool)>, DbError> {
    let own_only = enrolment.caller.scope == Scope::Own;
    let found: Option<(Uuid, bool)> = sqlx::query_as(
        "select e.agent_id, e.registered_via_key_id is not distinct from $7
         from agents.endpoints e
         left join agents.heartbeats h on h.agent_id = e.agent_id
         where e.tenant_id = $1 and e.kind = 'agent' and (not $5 or e.user_id = $6)
            and (e.hardware_fingerprint = $2
                or (e.agent_id = $3 and (
                    e.status = 'decommissioned' or h.last_seen_at is null
                    or h.last_seen_at < $4 - make_interval(secs => 2 * e.heartbeat_interval))))
         order by e.agent_id = $3 desc nulls last, e.hardware_fingerprint = $2 desc nulls last, h.last_seen_at desc nulls last
         limit 1",
    )
    .bind(Uuid::from(enrolment.caller.tenant_id))
    .bind(&enrolment.host.hardware_fingerprint)
    .bind(enrolment.previous_agent_id.map(Uuid::from))
    .bind(enrolment.at)
    .bind(own_only)
    .bind(Uuid::from(enrolment.caller.user_id))
    .bind(enrolment.caller.credential_id)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|(agent_id, by_this_key)| (AgentId(agent_id), by_this_key)))
}

async fn insert_endpoint(
    conn: &mut PgConnection,
    enrolment: &Enrolment<'_>,
) -> Result<Option<UserId>, DbError> {
    let host = enrolment.host;
    sqlx::query(
        "insert into agents.endpoints (agent_id, tenant_id, hostname, ip_address, mac_address, os_info, version, hardware_fingerprint,
            registered_via_key_id, user_id, heartbeat_interval, status, last_seen, created_at, updated_at)
         values ($1, $2, $3, $4, $5::text::macaddr, $6, $7, $8, $9, $10, $11, 'active', $12, $12, $12)",
    )
    .bind(Uuid::from(enrolment.new_agent_id))
    .bind(Uuid::from(enrolment.caller.tenant_id))
    .bind(&host.hostname)
    .bind(host.ip_address.map(IpNetwork::from))
    .bind(host.mac_address.as_deref())
    .bind(&host.os_info)
    .bind(&host.version)
    .bind(&host.hardware_fingerprint)
    .bind(enrolment.caller.credential_id)
    .bind(Uuid::from(enrolment.caller.user_id))
    .bind(enrolment.check_in_seconds)
    .bind(enrolment.at)
    .execute(conn)
    .await?;
    Ok(Some(enrolment.caller.user_id))
}

/// The facts are those of today; whoever the endpoint was given to keeps it.
async fn renew_endpoint(
    conn: &mut PgConnection,
    agent_id: AgentId,
    enrolment: &Enrolment<'_>,
) -> Result<Option<UserId>, DbError> {
    let host = enrolment.host;
    let owner: Option<Uuid> = sqlx::query_scalar(
        "update agents.endpoints e
         set hostname = $2, ip_address = $3, mac_address = $4::text::macaddr, os_info = $5, version = $6, hardware_fingerprint = $7,
            registered_via_key_id = $8, user_id = coalesce(e.user_id, $9), heartbeat_interval = $10, status = 'active',
            decommissioned_at = null, last_seen = $11
         where e.agent_id = $1
         returning e.user_id",
    )
    .bind(Uuid::from(agent_id))
    .bind(&host.hostname)
    .bind(host.ip_address.map(IpNetwork::from))
    .bind(host.mac_address.as_deref())
    .bind(&host.os_info)
    .bind(&host.version)
    .bind(&host.hardware_fingerprint)
    .bind(enrolment.caller.credential_id)
    .bind(Uuid::from(enrolment.caller.user_id))
    .bind(enrolment.check_in_seconds)
    .bind(enrolment.at)
    .fetch_one(conn)
    .await?;
    Ok(owner.map(UserId))
}

async fn replace_token(
    conn: &mut PgConnection,
    agent_id: AgentId,
    enrolment: &Enrolment<'_>,
) -> Result<(), DbError> {
    sqlx::query(
        "update agents.agent_tokens set revoked_at = $2, revoke_reason = 'enrolled again' where agent_id = $1 and revoked_at is null",
    )
    .bind(Uuid::from(agent_id))
    .bind(enrolment.at)
    .execute(&mut *conn)
    .await?;
    sqlx::query("insert into agents.agent_tokens (token_hash, tenant_id, agent_id, created_at) values ($1, $2, $3, $4)")
        .bind(enrolment.token.as_bytes())
        .bind(Uuid::from(enrolment.caller.tenant_id))
        .bind(Uuid::from(agent_id))
        .bind(enrolment.at)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "insert into agents.heartbeats (agent_id, tenant_id, last_seen_at, hardware_fingerprint) values ($1, $2, $3, $4)
         on conflict (agent_id) do update set last_seen_at = $3, online = true, hardware_fingerprint = $4",
    )
    .bind(Uuid::from(agent_id))
    .bind(Uuid::from(enrolment.caller.tenant_id))
    .bind(enrolment.at)
    .bind(&enrolment.host.hardware_fingerprint)
    .execute(&mut *conn)
    .await?;
    // One that was out of service is looked for again; one that was away is back.
    let back = Return {
        tenant_id: enrolment.caller.tenant_id.into(),
        agent_id: agent_id.into(),
        check_in_seconds: enrolment.check_in_seconds,
        cause: "unknown",
        detail: "The machine was enrolled again.",
    };
    take_back(conn, &[back], enrolment.at).await?;
    Ok(())
}
