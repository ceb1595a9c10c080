//! Enrolment: a host becomes an endpoint, or is known again.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use sg_types::{AgentId, Scope, TenantId, UserId, agent::HostFacts};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ingest::{Return, take_back};
use crate::{Caller, DbError, SystemTx, TokenHash, tx::Connection};

/// A host that asks to become an endpoint.
#[derive(Debug)]
pub struct Enrolment {
    /// The holder of the key; the endpoint becomes theirs.
    pub caller: Caller,
    /// What the host says of itself.
    pub host: HostFacts,
    /// The endpoint that it was before.
    pub previous_agent_id: Option<AgentId>,
    /// The id to take for a new endpoint.
    pub new_agent_id: AgentId,
    /// Hash of the agent's new token.
    pub token: TokenHash,
    /// Seconds between check-ins.
    pub check_in_seconds: i32,
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

/// Makes the endpoints or finds those that these hosts were before, revokes their earlier tokens and stores the new ones. None when they cannot be
/// enrolled together, because a key has too few enrolments left or two of them are the same endpoint; of one alone, because its key has none left.
/// The transaction is to be dropped then.
///
/// A host is known by its hardware fingerprint, or by its former id as long as that endpoint does not check in any more: while it does, the
/// newcomer is a copy and becomes an endpoint of its own. Somebody who sees only their own endpoints can only take over their own.
///
/// # Errors
/// [`DbError::InvalidValue`] for facts that the tables cannot keep.
pub async fn enrol(
    tx: &mut SystemTx,
    enrolments: &[Enrolment],
    at: DateTime<Utc>,
) -> Result<Option<Vec<Enrolled>>, DbError> {
    let conn = tx.conn();
    let fingerprints: HashSet<_> = enrolments
        .iter()
        .map(|e| (e.caller.tenant_id, e.host.hardware_fingerprint.as_str()))
        .collect();
    if fingerprints.len() < enrolments.len() {
        return Ok(None);
    }
    lock_hosts(conn, enrolments).await?;
    let known = find_known(conn, enrolments, at).await?;
    let ids: Vec<Uuid> = known.iter().flatten().map(|found| found.agent_id).collect();
    if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        return Ok(None);
    }
    if !ids.is_empty() {
        // The heartbeat before the endpoint, as ingest and jobs lock them: nobody waits in a circle.
        sqlx::query("select 1 from agents.heartbeats where agent_id = any($1) order by agent_id for update")
            .bind(&ids)
            .execute(&mut *conn)
            .await?;
    }
    let mut enrolled = Vec::with_capacity(enrolments.len());
    let mut newcomers = Vec::with_capacity(enrolments.len());
    for (enrolment, found) in enrolments.iter().zip(&known) {
        let owner = match found {
            Some(found) => renew_endpoint(conn, found.agent_id, enrolment, at).await?,
            None => {
                newcomers.push(enrolment);
                Some(enrolment.caller.user_id)
            }
        };
        enrolled.push(Enrolled {
            agent_id: found
                .as_ref()
                .map_or(enrolment.new_agent_id, |found| AgentId(found.agent_id)),
            reenrolled: found.is_some(),
            owner,
        });
    }
    insert_endpoints(conn, &newcomers, at).await?;
    replace_tokens(conn, enrolments, &enrolled, at).await?;
    // Last, since the keys' rows are what enrolments at other nodes wait for.
    let counted = count_enrolments(conn, enrolments, &known, at).await?;
    Ok(counted.then_some(enrolled))
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

/// The endpoint that a host is.
struct Known {
    agent_id: Uuid,
    /// Whether the same key enrolled it, as after a lost answer.
    by_this_key: bool,
}

/// Two enrolments of one host at the same time are one endpoint.
async fn lock_hosts(conn: &mut PgConnection, enrolments: &[Enrolment]) -> Result<(), DbError> {
    let hosts: Vec<String> = enrolments
        .iter()
        .map(|e| format!("{}{}", e.caller.tenant_id, e.host.hardware_fingerprint))
        .collect();
    // In one order at every node.
    sqlx::query(
        "select pg_advisory_xact_lock(l.lock)
         from (select hashtextextended(h.host, 0) as lock from unnest($1::text[]) as h (host) order by 1 offset 0) l",
    )
    .bind(hosts)
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts the enrolments with their keys; false when one has too few left. A host that comes again with the key that enrolled it has had its share already.
async fn count_enrolments(
    conn: &mut PgConnection,
    enrolments: &[Enrolment],
    known: &[Option<Known>],
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let mut uses: BTreeMap<Uuid, (i32, i32)> = BTreeMap::new();
    for (enrolment, found) in enrolments.iter().zip(known) {
        let (used, counted) = uses.entry(enrolment.caller.credential_id).or_default();
        *used += 1;
        *counted += i32::from(!found.as_ref().is_some_and(|found| found.by_this_key));
    }
    let (used, counted): (Vec<i32>, Vec<i32>) = uses.values().copied().unzip();
    let keys: Vec<Uuid> = uses.into_keys().collect();
    // No more than an update takes itself: a new endpoint's reference to its key keeps the row from being locked whole.
    let done = sqlx::query(
        "with locked as (
            select k.key_id, u.used, u.counted from unnest($1::uuid[], $2::integer[], $3::integer[]) as u (key_id, used, counted)
            join users.api_keys k on k.key_id = u.key_id
            where u.counted = 0 or k.max_enrolments is null or k.enrolments + u.counted <= k.max_enrolments
            order by k.key_id for no key update of k
         )
         update users.api_keys k
         set enrolments = k.enrolments + l.counted, usage_count = k.usage_count + l.used, last_used = greatest(k.last_used, $4)
         from locked l where k.key_id = l.key_id",
    )
    .bind(&keys)
    .bind(used)
    .bind(counted)
    .bind(at)
    .execute(conn)
    .await?;
    Ok(usize::try_from(done.rows_affected()).is_ok_and(|rows| rows == keys.len()))
}

/// Which endpoint each host is.
async fn find_known(
    conn: &mut PgConnection,
    enrolments: &[Enrolment],
    at: DateTime<Utc>,
) -> Result<Vec<Option<Known>>, DbError> {
    let each = |uuid: fn(&Enrolment) -> Uuid| -> Vec<Uuid> { enrolments.iter().map(uuid).collect() };
    let rows: Vec<(i64, Uuid, bool)> = sqlx::query_as(
        "select w.place, k.agent_id, k.by_this_key
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::boolean[], $5::uuid[], $6::uuid[])
            with ordinality as w (tenant_id, fingerprint, previous, own_only, user_id, key_id, place)
         cross join lateral (
            select e.agent_id, e.registered_via_key_id is not distinct from w.key_id as by_this_key
            from agents.endpoints e
            left join agents.heartbeats h on h.agent_id = e.agent_id
            where e.tenant_id = w.tenant_id and e.kind = 'agent' and (not w.own_only or e.user_id = w.user_id)
                and (e.hardware_fingerprint = w.fingerprint
                    or (e.agent_id = w.previous and (
                        e.status = 'decommissioned' or h.last_seen_at is null
                        or h.last_seen_at < $7 - make_interval(secs => 2 * e.heartbeat_interval))))
            order by e.agent_id = w.previous desc nulls last, e.hardware_fingerprint = w.fingerprint desc nulls last,
                h.last_seen_at desc nulls last
            limit 1
         ) k",
    )
    .bind(each(|e| e.caller.tenant_id.into()))
    .bind(enrolments.iter().map(|e| e.host.hardware_fingerprint.as_str()).collect::<Vec<_>>())
    .bind(enrolments.iter().map(|e| e.previous_agent_id.map(Uuid::from)).collect::<Vec<_>>())
    .bind(enrolments.iter().map(|e| e.caller.scope == Scope::Own).collect::<Vec<_>>())
    .bind(each(|e| e.caller.user_id.into()))
    .bind(each(|e| e.caller.credential_id))
    .bind(at)
    .fetch_all(conn)
    .await?;
    let mut known: Vec<Option<Known>> = enrolments.iter().map(|_| None).collect();
    for (place, agent_id, by_this_key) in rows {
        let slot = usize::try_from(place - 1)
            .ok()
            .and_then(|place| known.get_mut(place));
        if let Some(slot) = slot {
            *slot = Some(Known {
                agent_id,
                by_this_key,
            });
        }
    }
    Ok(known)
}

async fn insert_endpoints(
    conn: &mut PgConnection,
    newcomers: &[&Enrolment],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    if newcomers.is_empty() {
        return Ok(());
    }
    let each = |uuid: fn(&Enrolment) -> Uuid| -> Vec<Uuid> { newcomers.iter().map(|e| uuid(e)).collect() };
    let text =
        |field: fn(&HostFacts) -> &str| -> Vec<&str> { newcomers.iter().map(|e| field(&e.host)).collect() };
    sqlx::query(
        "insert into agents.endpoints (agent_id, tenant_id, hostname, ip_address, mac_address, os_info, version, hardware_fingerprint,
            registered_via_key_id, user_id, heartbeat_interval, status, last_seen, created_at, updated_at)
         select n.agent_id, n.tenant_id, n.hostname, n.ip_address, n.mac_address::macaddr, n.os_info, n.version, n.fingerprint,
            n.key_id, n.user_id, n.interval, 'active', $12, $12, $12
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::inet[], $5::text[], $6::text[], $7::text[], $8::text[], $9::uuid[], $10::uuid[],
            $11::integer[]) as n (agent_id, tenant_id, hostname, ip_address, mac_address, os_info, version, fingerprint, key_id, user_id, interval)",
    )
    .bind(each(|e| e.new_agent_id.into()))
    .bind(each(|e| e.caller.tenant_id.into()))
    .bind(text(|host| &host.hostname))
    .bind(newcomers.iter().map(|e| e.host.ip_address.map(IpNetwork::from)).collect::<Vec<_>>())
    .bind(newcomers.iter().map(|e| e.host.mac_address.as_deref()).collect::<Vec<_>>())
    .bind(text(|host| &host.os_info))
    .bind(text(|host| &host.version))
    .bind(text(|host| &host.hardware_fingerprint))
    .bind(each(|e| e.caller.credential_id))
    .bind(each(|e| e.caller.user_id.into()))
    .bind(newcomers.iter().map(|e| e.check_in_seconds).collect::<Vec<_>>())
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

/// The facts are those of today; whoever the endpoint was given to keeps it.
async fn renew_endpoint(
    conn: &mut PgConnection,
    agent_id: Uuid,
    enrolment: &Enrolment,
    at: DateTime<Utc>,
) -> Result<Option<UserId>, DbError> {
    let host = &enrolment.host;
    let owner: Option<Uuid> = sqlx::query_scalar(
        "update agents.endpoints e
         set hostname = $2, ip_address = $3, mac_address = $4::text::macaddr, os_info = $5, version = $6, hardware_fingerprint = $7,
            registered_via_key_id = $8, user_id = coalesce(e.user_id, $9), heartbeat_interval = $10, status = 'active',
            decommissioned_at = null, last_seen = $11
         where e.agent_id = $1
         returning e.user_id",
    )
    .bind(agent_id)
    .bind(&host.hostname)
    .bind(host.ip_address.map(IpNetwork::from))
    .bind(host.mac_address.as_deref())
    .bind(&host.os_info)
    .bind(&host.version)
    .bind(&host.hardware_fingerprint)
    .bind(enrolment.caller.credential_id)
    .bind(Uuid::from(enrolment.caller.user_id))
    .bind(enrolment.check_in_seconds)
    .bind(at)
    .fetch_one(conn)
    .await?;
    Ok(owner.map(UserId))
}

async fn replace_tokens(
    conn: &mut PgConnection,
    enrolments: &[Enrolment],
    enrolled: &[Enrolled],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    let agents: Vec<Uuid> = enrolled.iter().map(|endpoint| endpoint.agent_id.into()).collect();
    let known = enrolled.iter().filter(|endpoint| endpoint.reenrolled);
    let known: Vec<Uuid> = known.map(|endpoint| endpoint.agent_id.into()).collect();
    let tenants: Vec<Uuid> = enrolments.iter().map(|e| e.caller.tenant_id.into()).collect();
    if !known.is_empty() {
        sqlx::query(
            "update agents.agent_tokens set revoked_at = $2, revoke_reason = 'enrolled again' where agent_id = any($1) and revoked_at is null",
        )
        .bind(&known)
        .bind(at)
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query(
        "insert into agents.agent_tokens (token_hash, tenant_id, agent_id, created_at)
         select n.token_hash, n.tenant_id, n.agent_id, $4 from unnest($1::bytea[], $2::uuid[], $3::uuid[]) as n (token_hash, tenant_id, agent_id)",
    )
    .bind(enrolments.iter().map(|e| e.token.as_bytes()).collect::<Vec<_>>())
    .bind(&tenants)
    .bind(&agents)
    .bind(at)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into agents.heartbeats (agent_id, tenant_id, last_seen_at, hardware_fingerprint)
         select n.agent_id, n.tenant_id, $4, n.fingerprint from unnest($1::uuid[], $2::uuid[], $3::text[]) as n (agent_id, tenant_id, fingerprint)
         on conflict (agent_id) do update set last_seen_at = $4, online = true, hardware_fingerprint = excluded.hardware_fingerprint",
    )
    .bind(&agents)
    .bind(&tenants)
    .bind(enrolments.iter().map(|e| e.host.hardware_fingerprint.as_str()).collect::<Vec<_>>())
    .bind(at)
    .execute(&mut *conn)
    .await?;
    // One that was out of service is looked for again; one that was away is back.
    let back: Vec<Return> = enrolments
        .iter()
        .zip(&agents)
        .map(|(enrolment, agent_id)| Return {
            tenant_id: enrolment.caller.tenant_id.into(),
            agent_id: *agent_id,
            check_in_seconds: enrolment.check_in_seconds,
            cause: "unknown",
            detail: "The machine was enrolled again.",
        })
        .collect();
    take_back(conn, &back, at).await
}
