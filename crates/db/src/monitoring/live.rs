//! Notifications of changes. They are sent with the transaction that makes the change, so that nobody hears of what did not happen.
//!
//! PostgreSQL lets every role listen on every channel, so a notification says only that an object of some kind changed, by an id that means
//! nothing to whoever may not read the object; whose it is, [`find_changes`] looks up.

use serde::{Deserialize, Serialize};
use sg_types::{AgentId, TenantId, ThreatId, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, Writes, tx::Connection};

/// Ids of one notice at most: its text has to stay below 8,000 bytes.
const MAX_IDS: usize = 150;

/// The channel that [`crate::Db::listen`] is called with.
pub const LIVE_CHANNEL: &str = "sg_live";

/// The channel on which servers hear for which agents there may be commands; an agent's id.
pub const AGENTS_CHANNEL: &str = "sg_agents";

/// Makes the server that holds the agent's question look for commands once this transaction commits.
///
/// # Errors
/// What a query may meet.
pub async fn wake_agent(tx: &mut impl Writes, agent_id: AgentId) -> Result<(), DbError> {
    sqlx::query("select pg_notify($1, $2)")
        .bind(AGENTS_CHANNEL)
        .bind(agent_id.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What a notification carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// `incident`, `endpoint`, `metrics`, or `notification` for what waits to be sent.
    kind: String,
    /// The id of what changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// The ids of several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids: Vec<Uuid>,
}

/// Something that changed, and who may hear of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// Whose it is.
    pub tenant: TenantId,
    /// The owner of the endpoint that it hangs on; callers who see only their own endpoints hear of theirs.
    pub owner: Option<UserId>,
    /// `incident`, `endpoint` or `metrics`.
    pub kind: String,
    /// The id of what changed.
    pub id: Uuid,
}

impl Notice {
    /// Whether it says that a notification waits to be sent.
    pub fn is_notification(&self) -> bool {
        self.kind == "notification"
    }
}

impl Change {
    /// An endpoint was changed.
    pub fn endpoint(tenant: TenantId, agent_id: AgentId, owner: Option<UserId>) -> Self {
        Self {
            tenant,
            owner,
            kind: "endpoint".to_owned(),
            id: agent_id.into(),
        }
    }

    /// An incident was opened or changed.
    pub fn incident(tenant: TenantId, threat_id: ThreatId, owner: Option<UserId>) -> Self {
        Self {
            tenant,
            owner,
            kind: "incident".to_owned(),
            id: threat_id.into(),
        }
    }
}

/// Tells every server process of the changes once this transaction commits.
///
/// # Errors
/// What a query may meet.
pub async fn announce(tx: &mut impl Writes, changes: &[Change]) -> Result<(), DbError> {
    if changes.is_empty() {
        return Ok(());
    }
    let notices = changes.iter().map(|change| Notice {
        kind: change.kind.clone(),
        id: Some(change.id),
        ids: Vec::new(),
    });
    send(tx, notices).await
}

/// Tells every server process that these endpoints have sent metrics or events, which are stored by now. The commit does not wait for the disk:
/// the notices make every other commit with a notice wait, and a crash ends the consoles that would have heard them.
///
/// # Errors
/// What a query may meet.
pub async fn announce_metrics(tx: &mut SystemTx, agents: &[AgentId]) -> Result<(), DbError> {
    sqlx::query("set local synchronous_commit = off")
        .execute(tx.conn())
        .await?;
    let notices = agents.chunks(MAX_IDS).map(|agents| Notice {
        kind: "metrics".to_owned(),
        id: None,
        ids: agents.iter().map(|agent| Uuid::from(*agent)).collect(),
    });
    send(tx, notices).await
}

async fn send(tx: &mut impl Writes, notices: impl Iterator<Item = Notice>) -> Result<(), DbError> {
    let payloads: Vec<String> = notices
        .filter_map(|notice| serde_json::to_string(&notice).ok())
        .collect();
    sqlx::query("select pg_notify($1, p.payload) from unnest($2::text[]) as p (payload)")
        .bind(LIVE_CHANNEL)
        .bind(payloads)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Whose the objects of the notices are; those that exist no longer are left out.
///
/// # Errors
/// What a query may meet.
pub async fn find_changes(tx: &mut SystemTx, notices: &[Notice]) -> Result<Vec<Change>, DbError> {
    let (kinds, ids): (Vec<&str>, Vec<Uuid>) = notices
        .iter()
        .flat_map(|notice| {
            let ids = notice.id.iter().chain(&notice.ids);
            ids.map(|id| (notice.kind.as_str(), *id))
        })
        .unzip();
    sqlx::query(
        "select n.kind, n.id, coalesce(i.tenant_id, e.tenant_id) as tenant_id, e.user_id
         from unnest($1::text[], $2::uuid[]) as n (kind, id)
         left join threats.incidents i on n.kind = 'incident' and i.threat_id = n.id
         left join agents.endpoints e on e.agent_id = case when n.kind = 'incident' then i.agent_id else n.id end
         where i.tenant_id is not null or e.tenant_id is not null",
    )
    .bind(kinds)
    .bind(ids)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(Change {
            tenant: TenantId(row.try_get("tenant_id")?),
            owner: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
            kind: row.try_get("kind")?,
            id: row.try_get("id")?,
        })
    })
    .collect()
}
