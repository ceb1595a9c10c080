//! Stored events, for rules to be tried on.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sg_types::AgentId;
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{DbError, ReadTx, Reads, tx::Connection};

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its id.
    pub event_id: Uuid,
    /// Where it was observed.
    pub agent_id: AgentId,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// `process_started`, `file_written`, …
    pub kind: String,
    /// Everything that was observed.
    pub detail: Value,
}

/// Opens a cursor over the tenant's events from `from` until before `to`, in no order, for [`fetch_events`]. One in a transaction.
///
/// # Errors
/// What a query may meet.
pub async fn open_events(tx: &mut ReadTx, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "declare stored_events no scroll cursor for
         select v.event_id, v.agent_id, v.occurred_at, v.kind, v.detail from agents.events v
         where v.tenant_id = (select users.current_tenant()) and v.occurred_at >= $1 and v.occurred_at < $2",
    )
    .bind(from)
    .bind(to)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The next events of the cursor, some thousands; none at its end.
///
/// # Errors
/// What a query may meet.
pub async fn fetch_events(tx: &mut ReadTx) -> Result<Vec<StoredEvent>, DbError> {
    let rows = sqlx::query("fetch 2000 from stored_events")
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(event).collect()
}

/// A stored event of the tenant.
///
/// # Errors
/// What a query may meet.
pub async fn find_event(tx: &mut impl Reads, event_id: Uuid) -> Result<Option<StoredEvent>, DbError> {
    let row = sqlx::query(
        "select v.event_id, v.agent_id, v.occurred_at, v.kind, v.detail from agents.events v
         where v.tenant_id = (select users.current_tenant()) and v.event_id = $1 limit 1",
    )
    .bind(event_id)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(event).transpose()
}

/// The host names of endpoints.
///
/// # Errors
/// What a query may meet.
pub async fn name_endpoints(
    tx: &mut impl Reads,
    agents: &[AgentId],
) -> Result<Vec<(AgentId, String)>, DbError> {
    let ids: Vec<Uuid> = agents.iter().map(|agent| agent.0).collect();
    let rows = sqlx::query(
        "select agent_id, hostname from agents.endpoints
         where tenant_id = (select users.current_tenant()) and agent_id = any($1)",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok((AgentId(row.try_get("agent_id")?), row.try_get("hostname")?)))
        .collect()
}

fn event(row: &PgRow) -> Result<StoredEvent, DbError> {
    Ok(StoredEvent {
        event_id: row.try_get("event_id")?,
        agent_id: AgentId(row.try_get("agent_id")?),
        occurred_at: row.try_get("occurred_at")?,
        kind: row.try_get("kind")?,
        detail: row.try_get::<Json<Value>, _>("detail")?.0,
    })
}
