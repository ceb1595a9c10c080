//! What an endpoint observed, and where it could not look.

use sg_types::{AgentId, api::agents::EndpointEventView};
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, Reads, users::After};

/// Events and gaps of an endpoint, newest first, at most `limit` after `after`.
///
/// # Errors
/// What a query may meet.
pub async fn list_events(
    tx: &mut impl Reads,
    agent_id: AgentId,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<EndpointEventView>, DbError> {
    let rows = sqlx::query(
        "select t.event_id, t.occurred_at, t.kind, t.detail
         from (
            (select v.event_id, v.occurred_at, v.kind, v.detail
             from agents.events v
             where v.tenant_id = (select users.current_tenant()) and v.agent_id = $1
                and ($2::timestamptz is null or (v.occurred_at, v.event_id) < ($2, $3))
             order by v.occurred_at desc, v.event_id desc
             limit $4)
            union all
            (select g.gap_id, g.to_at, 'gap', jsonb_strip_nulls(jsonb_build_object('reason', g.reason, 'lost_records', g.lost_records,
                'from', g.from_at, 'to', g.to_at, 'detail', g.detail, 'noticed_by', g.noticed_by))
             from agents.gaps g
             where g.tenant_id = (select users.current_tenant()) and g.agent_id = $1
                and ($2::timestamptz is null or (g.to_at, g.gap_id) < ($2, $3))
             order by g.to_at desc, g.gap_id desc
             limit $4)
         ) t
         order by t.occurred_at desc, t.event_id desc
         limit $4",
    )
    .bind(Uuid::from(agent_id))
    .bind(after.map(|after| after.at))
    .bind(after.map(|after| after.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(EndpointEventView {
                event_id: row.try_get("event_id")?,
                occurred_at: row.try_get("occurred_at")?,
                kind: row.try_get("kind")?,
                detail: row.try_get("detail")?,
            })
        })
        .collect()
}
