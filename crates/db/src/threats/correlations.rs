//! What counts for correlation rules, and when their conditions held.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use sg_types::{AgentId, FindingId, Ids, TenantId, UserId, agent::Finding};
use sqlx::{Row, types::Json};
use uuid::Uuid;

use super::record_findings;
use crate::{DbError, SystemTx, agents::ingest::PlacedFinding, monitoring::announce, tx::Connection};

/// Matches of one group that are looked at, the newest; no correlation counts further.
const MAX_GROUP_MATCHES: i64 = 10_000;

/// A group of a correlation rule within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CorrelationGroup {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The correlation rule.
    pub rule_id: String,
    /// SHA-256 over the group's values.
    pub key: [u8; 32],
}

/// Something that counts in a group.
#[derive(Debug, Clone)]
pub struct CorrelationMatch {
    /// The group.
    pub group: CorrelationGroup,
    /// The group's values.
    pub group_values: Vec<String>,
    /// The event, or the episode of another correlation.
    pub event_id: Uuid,
    /// Where it happened.
    pub agent_id: AgentId,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Which of the correlated rules matched.
    pub position: i16,
    /// What the field was, for the kinds that look at one.
    pub value: Option<String>,
    /// Title of the rule that matched.
    pub matched_rule: String,
    /// What it matched on, for people.
    pub summary: String,
    /// When the group has to be looked at because of it; none when that is done.
    pub due_at: Option<DateTime<Utc>>,
    /// Until when it is kept.
    pub keep_until: DateTime<Utc>,
}

/// A time in which a condition held, or was judged not to have held.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrelationEpisode {
    /// Follows from the group and `from_at`.
    pub episode_id: Uuid,
    /// The first match.
    pub from_at: DateTime<Utc>,
    /// The last match.
    pub to_at: DateTime<Utc>,
    /// Whether the condition held.
    pub held: bool,
    /// The figure that was compared.
    pub figure: f64,
    /// Until when it is kept.
    pub keep_until: DateTime<Utc>,
}

/// What an episode is told as.
#[derive(Debug)]
pub struct CorrelationFinding {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The endpoint of the last match.
    pub agent_id: AgentId,
    /// When the last match was.
    pub at: DateTime<Utc>,
    /// What is told; its id is the episode's.
    pub finding: Finding,
}

/// Stores what counts. What is there already stays as it is.
///
/// # Errors
/// What a query may meet.
pub async fn insert_correlation_matches(
    tx: &mut SystemTx,
    matches: &[CorrelationMatch],
) -> Result<(), DbError> {
    if matches.is_empty() {
        return Ok(());
    }
    let column = |get: fn(&CorrelationMatch) -> Uuid| matches.iter().map(get).collect::<Vec<_>>();
    let text = |get: fn(&CorrelationMatch) -> &str| matches.iter().map(get).collect::<Vec<_>>();
    let groups: Vec<Value> = matches
        .iter()
        .map(|one| Value::from(one.group_values.clone()))
        .collect();
    sqlx::query(
        "insert into threats.correlation_matches (tenant_id, rule_id, group_key, occurred_at, event_id, position, group_values, value, agent_id,
            matched_rule, summary, due_at, keep_until)
         select n.tenant_id, n.rule_id, n.group_key, n.occurred_at, n.event_id, n.position, n.group_values, n.value, n.agent_id, n.matched_rule,
            n.summary, n.due_at, n.keep_until
         from unnest($1::uuid[], $2::text[], $3::bytea[], $4::timestamptz[], $5::uuid[], $6::smallint[], $7::jsonb[], $8::text[], $9::uuid[],
            $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[])
            as n (tenant_id, rule_id, group_key, occurred_at, event_id, position, group_values, value, agent_id, matched_rule, summary, due_at,
                keep_until)
         on conflict do nothing",
    )
    .bind(column(|one| one.group.tenant_id.into()))
    .bind(text(|one| &one.group.rule_id))
    .bind(matches.iter().map(|one| one.group.key.as_slice()).collect::<Vec<_>>())
    .bind(matches.iter().map(|one| one.occurred_at).collect::<Vec<_>>())
    .bind(column(|one| one.event_id))
    .bind(matches.iter().map(|one| one.position).collect::<Vec<_>>())
    .bind(groups)
    .bind(matches.iter().map(|one| one.value.as_deref()).collect::<Vec<_>>())
    .bind(column(|one| one.agent_id.into()))
    .bind(text(|one| &one.matched_rule))
    .bind(text(|one| &one.summary))
    .bind(matches.iter().map(|one| one.due_at).collect::<Vec<_>>())
    .bind(matches.iter().map(|one| one.keep_until).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The tenants in which a group is due, and the version of each one's own rules, 0 for none.
///
/// # Errors
/// What a query may meet.
pub async fn tenants_with_due_groups(
    tx: &mut SystemTx,
    at: DateTime<Utc>,
) -> Result<Vec<(TenantId, i64)>, DbError> {
    let rows = sqlx::query(
        "select t.tenant_id, coalesce(r.version, 0) as version from users.tenants t left join threats.rule_sets r on r.tenant_id = t.tenant_id
         where exists (select from threats.correlation_matches m where m.tenant_id = t.tenant_id and m.due_at <= $1)",
    )
    .bind(at)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok((TenantId(row.try_get("tenant_id")?), row.try_get("version")?)))
        .collect()
}

/// Groups of a tenant that are due, those that have waited longest first, at most `limit`.
///
/// # Errors
/// What a query may meet.
pub async fn due_groups(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<CorrelationGroup>, DbError> {
    // Of a group that is flooded, some hundred rows are enough to know it.
    let rows = sqlx::query(
        "select d.rule_id, d.group_key from (
            select m.rule_id, m.group_key, m.due_at from threats.correlation_matches m
            where m.tenant_id = $1 and m.due_at <= $2 order by m.due_at limit $3 * 100) d
         group by d.rule_id, d.group_key order by min(d.due_at) limit $3",
    )
    .bind(tenant_id.0)
    .bind(at)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let key: Vec<u8> = row.try_get("group_key")?;
            Ok(CorrelationGroup {
                tenant_id,
                rule_id: row.try_get("rule_id")?,
                key: key
                    .try_into()
                    .map_err(|_| DbError::Inconsistent("a group's key has not 32 bytes".to_owned()))?,
            })
        })
        .collect()
}

/// What counts in a group, in the order of time and, at one time, of the correlated rules: those that are due only, or the newest ones.
///
/// # Errors
/// What a query may meet.
pub async fn load_group(
    tx: &mut SystemTx,
    group: &CorrelationGroup,
    only_due: bool,
) -> Result<Vec<CorrelationMatch>, DbError> {
    let rows = sqlx::query(
        "select m.occurred_at, m.event_id, m.position, m.group_values, m.value, m.agent_id, m.matched_rule, m.summary, m.due_at, m.keep_until
         from threats.correlation_matches m
         where m.tenant_id = $1 and m.rule_id = $2 and m.group_key = $3 and (m.due_at is not null or not $4)
         order by m.occurred_at desc, m.event_id desc limit $5",
    )
    .bind(group.tenant_id.0)
    .bind(&group.rule_id)
    .bind(group.key.as_slice())
    .bind(only_due)
    .bind(MAX_GROUP_MATCHES)
    .fetch_all(tx.conn())
    .await?;
    let read = |row: &sqlx::postgres::PgRow| -> Result<CorrelationMatch, DbError> {
        Ok(CorrelationMatch {
            group: group.clone(),
            group_values: row.try_get::<Json<Vec<String>>, _>("group_values")?.0,
            event_id: row.try_get("event_id")?,
            agent_id: AgentId(row.try_get("agent_id")?),
            occurred_at: row.try_get("occurred_at")?,
            position: row.try_get("position")?,
            value: row.try_get("value")?,
            matched_rule: row.try_get("matched_rule")?,
            summary: row.try_get("summary")?,
            due_at: row.try_get("due_at")?,
            keep_until: row.try_get("keep_until")?,
        })
    };
    let mut matches = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    matches.sort_by(|a, b| {
        (a.occurred_at, a.position, a.event_id).cmp(&(b.occurred_at, b.position, b.event_id))
    });
    Ok(matches)
}

/// The episodes of a group.
///
/// # Errors
/// What a query may meet.
pub async fn load_episodes(
    tx: &mut SystemTx,
    group: &CorrelationGroup,
) -> Result<Vec<CorrelationEpisode>, DbError> {
    let rows = sqlx::query(
        "select e.episode_id, e.from_at, e.to_at, e.held, e.figure, e.keep_until from threats.correlation_episodes e
         where e.tenant_id = $1 and e.rule_id = $2 and e.group_key = $3 order by e.from_at",
    )
    .bind(group.tenant_id.0)
    .bind(&group.rule_id)
    .bind(group.key.as_slice())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(CorrelationEpisode {
                episode_id: row.try_get("episode_id")?,
                from_at: row.try_get("from_at")?,
                to_at: row.try_get("to_at")?,
                held: row.try_get("held")?,
                figure: row.try_get("figure")?,
                keep_until: row.try_get("keep_until")?,
            })
        })
        .collect()
}

/// Stores an episode, or how far one that is stored goes on.
///
/// # Errors
/// What a query may meet.
pub async fn save_episode(
    tx: &mut SystemTx,
    group: &CorrelationGroup,
    episode: &CorrelationEpisode,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into threats.correlation_episodes as e (tenant_id, rule_id, group_key, from_at, to_at, episode_id, held, figure, keep_until)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict on constraint correlation_episodes_pkey do update set to_at = greatest(e.to_at, excluded.to_at),
            figure = greatest(e.figure, excluded.figure), keep_until = greatest(e.keep_until, excluded.keep_until)",
    )
    .bind(group.tenant_id.0)
    .bind(&group.rule_id)
    .bind(group.key.as_slice())
    .bind(episode.from_at)
    .bind(episode.to_at)
    .bind(episode.episode_id)
    .bind(episode.held)
    .bind(episode.figure)
    .bind(episode.keep_until)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that matches which were due when they were read have been looked at, and with them the older ones beyond what is looked at of a group; `again` says when those from a time on are due once more.
///
/// # Errors
/// What a query may meet.
pub async fn mark_judged(
    tx: &mut SystemTx,
    group: &CorrelationGroup,
    judged: &[CorrelationMatch],
    again: Option<(DateTime<Utc>, DateTime<Utc>)>,
) -> Result<(), DbError> {
    let due: Vec<&CorrelationMatch> = judged.iter().filter(|one| one.due_at.is_some()).collect();
    let (from, at) = again.unzip();
    sqlx::query(
        "update threats.correlation_matches m
         set due_at = case when m.occurred_at >= $7 then $8::timestamptz end
         from unnest($4::timestamptz[], $5::uuid[], $6::smallint[]) as n (occurred_at, event_id, position)
         where m.tenant_id = $1 and m.rule_id = $2 and m.group_key = $3 and m.occurred_at = n.occurred_at and m.event_id = n.event_id
            and m.position = n.position",
    )
    .bind(group.tenant_id.0)
    .bind(&group.rule_id)
    .bind(group.key.as_slice())
    .bind(due.iter().map(|one| one.occurred_at).collect::<Vec<_>>())
    .bind(due.iter().map(|one| one.event_id).collect::<Vec<_>>())
    .bind(due.iter().map(|one| one.position).collect::<Vec<_>>())
    .bind(from)
    .bind(at)
    .execute(tx.conn())
    .await?;
    let is_full = i64::try_from(judged.len()).is_ok_and(|number| number >= MAX_GROUP_MATCHES);
    if let Some(oldest) = judged.first().filter(|_| is_full) {
        sqlx::query(
            "update threats.correlation_matches set due_at = null
             where tenant_id = $1 and rule_id = $2 and group_key = $3 and occurred_at <= $4 and due_at is not null",
        )
        .bind(group.tenant_id.0)
        .bind(&group.rule_id)
        .bind(group.key.as_slice())
        .bind(oldest.occurred_at)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Forgets what counted for a rule that is not in force any more, some thousand rows at a time.
///
/// # Errors
/// What a query may meet.
pub async fn forget_group(tx: &mut SystemTx, group: &CorrelationGroup) -> Result<(), DbError> {
    sqlx::query(
        "delete from threats.correlation_matches where (tenant_id, rule_id, group_key, occurred_at, event_id, position) in (
            select m.tenant_id, m.rule_id, m.group_key, m.occurred_at, m.event_id, m.position from threats.correlation_matches m
            where m.tenant_id = $1 and m.rule_id = $2 and m.group_key = $3 limit $4)",
    )
    .bind(group.tenant_id.0)
    .bind(&group.rule_id)
    .bind(group.key.as_slice())
    .bind(MAX_GROUP_MATCHES)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The host names of endpoints of a tenant.
///
/// # Errors
/// What a query may meet.
pub async fn name_tenants_endpoints(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    agents: &BTreeSet<AgentId>,
) -> Result<Vec<(AgentId, String)>, DbError> {
    let ids: Vec<Uuid> = agents.iter().map(|agent| agent.0).collect();
    let rows = sqlx::query(
        "select agent_id, hostname from agents.endpoints where tenant_id = $1 and agent_id = any($2)",
    )
    .bind(tenant_id.0)
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok((AgentId(row.try_get("agent_id")?), row.try_get("hostname")?)))
        .collect()
}

/// Makes findings of episodes; one that is known already changes nothing.
///
/// # Errors
/// What a query may meet.
pub async fn record_correlation_findings(
    tx: &mut SystemTx,
    findings: Vec<CorrelationFinding>,
    at: DateTime<Utc>,
    window: Duration,
    ids: &dyn Ids,
) -> Result<(), DbError> {
    if findings.is_empty() {
        return Ok(());
    }
    let agents: BTreeSet<Uuid> = findings.iter().map(|one| one.agent_id.0).collect();
    // As whoever stores check-ins locks them, so that nobody else opens an incident about the same subject meanwhile.
    let rows = sqlx::query(
        "select e.agent_id, e.user_id from agents.heartbeats h join agents.endpoints e on e.agent_id = h.agent_id
         where h.agent_id = any($1) order by h.agent_id for update of h",
    )
    .bind(agents.into_iter().collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    let mut owners = std::collections::HashMap::new();
    for row in rows {
        let owner: Option<Uuid> = row.try_get("user_id")?;
        owners.insert(AgentId(row.try_get("agent_id")?), owner.map(UserId));
    }
    let placed: Vec<PlacedFinding> = findings
        .into_iter()
        .filter_map(|one| {
            Some(PlacedFinding {
                occurrence_id: FindingId(one.finding.finding_id.0),
                tenant_id: one.tenant_id,
                owner: *owners.get(&one.agent_id)?,
                agent_id: one.agent_id,
                at: one.at,
                finding: one.finding,
            })
        })
        .collect();
    let changes = record_findings(tx.conn(), &placed, at, window, ids).await?;
    announce(tx, &changes).await
}
