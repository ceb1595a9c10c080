//! What the product notices of its own sign-ins and its audit log, as entries of a log for the rules of the tenant that it concerns.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sg_types::{TenantId, agent::LogEvent};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection};

/// One entry.
#[derive(Debug, Clone)]
pub struct OwnLogEntry {
    /// The tenant that it concerns.
    pub tenant_id: TenantId,
    /// The id of the row that it comes from.
    pub id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What it says.
    pub event: LogEvent,
}

/// Entries from `from` on that are not among the events of their tenants yet, the oldest first, at most `limit` of each kind. A name that nobody has is
/// of no tenant.
///
/// # Errors
/// What a query may meet.
pub async fn list_own_log(
    tx: &mut SystemTx,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<OwnLogEntry>, DbError> {
    let mut entries = Vec::new();
    for (service, statement) in [
        ("authentication", SIGN_INS),
        ("authentication", LOCKS),
        ("audit", FORKS),
    ] {
        let rows = sqlx::query(statement)
            .bind(from)
            .bind(to)
            .bind(limit)
            .fetch_all(tx.conn())
            .await?;
        for row in rows {
            entries.push(entry(&row, service)?);
        }
    }
    entries.sort_by_key(|entry| (entry.tenant_id, entry.at, entry.id));
    Ok(entries)
}

/// An address stands for its network: those of providers change within it.
const SIGN_INS: &str = "
    select a.tenant_id, a.attempt_id as id, a.occurred_at, jsonb_strip_nulls(jsonb_build_object(
        'EventType', 'sign_in', 'Outcome', a.outcome, 'Method', a.method, 'User', u.username, 'UserId', a.user_id, 'SourceIp', host(a.address),
        'SourceNetwork', text(n.network), 'c-useragent', left(a.user_agent, 1000),
        'NetworkIsNew', case when a.outcome = 'success' and h.others > 0 then (h.same = 0)::text end)) as fields
    from audit.login_attempts a
    join users.users u on u.user_id = a.user_id and u.tenant_id = a.tenant_id
    cross join lateral (
        select network(set_masklen(a.address, case family(a.address) when 4 then 24 else 48 end)) as network
    ) n
    cross join lateral (
        select count(*) as others, count(*) filter (where p.address <<= n.network) as same
        from (
            select p.address from audit.login_attempts p
            where a.outcome = 'success' and p.outcome = 'success' and p.tenant_id = a.tenant_id and p.user_id = a.user_id
                and p.occurred_at < a.occurred_at and p.occurred_at > a.occurred_at - interval '90 days'
            order by p.occurred_at desc limit 1000
        ) p
    ) h
    where a.occurred_at >= $1 and a.occurred_at <= $2
        and not exists (select from agents.events v where v.event_id = a.attempt_id and v.occurred_at = a.occurred_at)
    order by a.occurred_at, a.attempt_id limit $3";

const LOCKS: &str = "
    select s.tenant_id, s.event_id as id, s.occurred_at, jsonb_strip_nulls(jsonb_build_object(
        'EventType', 'account_locked', 'User', u.username, 'UserId', u.user_id, 'SourceIp', s.detail ->> 'address')) as fields
    from monitoring.security_events s
    join users.users u on u.tenant_id = s.tenant_id and u.user_id::text = s.subject
    where s.kind = 'account_locked' and s.occurred_at >= $1 and s.occurred_at <= $2
        and not exists (select from agents.events v where v.event_id = s.event_id and v.occurred_at = s.occurred_at)
    order by s.occurred_at, s.event_id limit $3";

const FORKS: &str = "
    select r.tenant_id, r.record_id as id, r.occurred_at, jsonb_build_object('EventType', 'chain_broken', 'Record', left(r.body, 4000)) as fields
    from audit.chain_records r
    where r.kind = 'fork' and r.occurred_at >= $1 and r.occurred_at <= $2
        and not exists (select from agents.events v where v.event_id = r.record_id and v.occurred_at = r.occurred_at)
    order by r.occurred_at, r.record_id limit $3";

fn entry(row: &PgRow, service: &str) -> Result<OwnLogEntry, DbError> {
    Ok(OwnLogEntry {
        tenant_id: TenantId(row.try_get("tenant_id")?),
        id: row.try_get("id")?,
        at: row.try_get("occurred_at")?,
        event: LogEvent {
            product: Some("secureguard".to_owned()),
            category: None,
            service: Some(service.to_owned()),
            fields: row.try_get::<Json<BTreeMap<String, String>>, _>("fields")?.0,
        },
    })
}
