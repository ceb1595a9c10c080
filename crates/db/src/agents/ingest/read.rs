//! What has to be known before a group can be stored.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sg_types::{AgentId, TenantId, UserId};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::NewCheckIn;
use crate::DbError;

/// The endpoint behind a token.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) agent_id: AgentId,
    pub(crate) tenant_id: TenantId,
    pub(crate) owner: Option<UserId>,
    pub(crate) hostname: String,
    /// The fingerprint at enrolment.
    pub(crate) enrolled_fingerprint: Option<String>,
    /// The fingerprint at the last check-in.
    pub(crate) reported_fingerprint: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) check_in_seconds: i32,
    pub(crate) retention_class: i16,
    /// Version of the tenant's own rules; 0 where it has the installation's.
    pub(crate) rules_version: i64,
    pub(crate) online: bool,
    /// The last check-in.
    pub(crate) last_seen_at: DateTime<Utc>,
    /// What was not watched as well as it could be then, in bits.
    pub(crate) weak_spots: i16,
    pub(crate) said_goodbye: bool,
    pub(crate) run_id: Option<Uuid>,
    pub(crate) boot_id: Option<Uuid>,
    /// The documented column, which follows the heartbeats slowly.
    pub(crate) last_seen: Option<DateTime<Utc>>,
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) acknowledged_through: i64,
    pub(crate) turn: Uuid,
    pub(crate) previous_turn: Uuid,
}

pub(crate) type StreamKey = (AgentId, Uuid);

/// Resolves the tokens and locks their endpoints until the end of the transaction, in the order of their ids.
pub(crate) async fn lock_agents(
    conn: &mut PgConnection,
    group: &[NewCheckIn],
) -> Result<HashMap<Vec<u8>, Agent>, DbError> {
    let tokens: Vec<&[u8]> = group.iter().map(|check_in| check_in.token.as_bytes()).collect();
    let rows = sqlx::query(
        "select t.token_hash, e.agent_id, e.tenant_id, e.user_id, e.hostname, e.hardware_fingerprint, e.version, e.heartbeat_interval,
            e.last_seen, n.retention_class, coalesce(r.version, 0) as rules_version, h.online, h.hardware_fingerprint as reported_fingerprint,
            h.last_seen_at, h.weak_spots, h.said_goodbye, h.run_id, h.boot_id
         from agents.agent_tokens t
         join agents.endpoints e on e.tenant_id = t.tenant_id and e.agent_id = t.agent_id
         join users.tenants n on n.tenant_id = t.tenant_id
         join agents.heartbeats h on h.agent_id = t.agent_id
         left join threats.rule_sets r on r.tenant_id = t.tenant_id
         where t.token_hash = any($1) and t.revoked_at is null and e.status <> 'decommissioned' and n.status = 'active'
         order by h.agent_id
         for update of h",
    )
    .bind(tokens)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let agent = Agent {
                agent_id: AgentId(row.try_get("agent_id")?),
                tenant_id: TenantId(row.try_get("tenant_id")?),
                owner: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
                hostname: row.try_get("hostname")?,
                enrolled_fingerprint: row.try_get("hardware_fingerprint")?,
                reported_fingerprint: row.try_get("reported_fingerprint")?,
                version: row.try_get("version")?,
                check_in_seconds: row.try_get("heartbeat_interval")?,
                retention_class: row.try_get("retention_class")?,
                rules_version: row.try_get("rules_version")?,
                online: row.try_get("online")?,
                last_seen_at: row.try_get("last_seen_at")?,
                weak_spots: row.try_get("weak_spots")?,
                said_goodbye: row.try_get("said_goodbye")?,
                run_id: row.try_get("run_id")?,
                boot_id: row.try_get("boot_id")?,
                last_seen: row.try_get("last_seen")?,
            };
            Ok((row.try_get("token_hash")?, agent))
        })
        .collect()
}

/// The streams that the group goes on with. Read after the lock, so that they stand still.
pub(crate) async fn load_streams(
    conn: &mut PgConnection,
    agents: &HashMap<Vec<u8>, Agent>,
    group: &[NewCheckIn],
) -> Result<HashMap<StreamKey, Stream>, DbError> {
    let (agent_ids, epochs): (Vec<Uuid>, Vec<Uuid>) = group
        .iter()
        .filter_map(|check_in| {
            agents
                .get(check_in.token.as_bytes())
                .map(|agent| (Uuid::from(agent.agent_id), check_in.epoch))
        })
        .unzip();
    let rows = sqlx::query(
        "select s.agent_id, s.epoch, s.acknowledged_through, s.turn, s.previous_turn
         from (select distinct w.agent_id, w.epoch from unnest($1::uuid[], $2::uuid[]) as w (agent_id, epoch)) w
         join agents.streams s on s.agent_id = w.agent_id and s.epoch = w.epoch",
    )
    .bind(agent_ids)
    .bind(epochs)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let stream = Stream {
                acknowledged_through: row.try_get("acknowledged_through")?,
                turn: row.try_get("turn")?,
                previous_turn: row.try_get("previous_turn")?,
            };
            Ok(((AgentId(row.try_get("agent_id")?), row.try_get("epoch")?), stream))
        })
        .collect()
}
