//! What an endpoint observed, and where it could not look.

use sg_types::{AgentId, api::agents::EndpointEventView};
use sqlx::{Postgres, QueryBuilder, Row};
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
    let mut query = QueryBuilder::<Postgres>::new(
        "select t.event_id, t.occurred_at, t.kind, t.detail
         from (
            (select v.event_id, v.occurred_at, v.kind, v.detail
             from agents.events v
             where v.tenant_id = (select users.current_tenant()) and v.agent_id = ",
    );
    query.push_bind(Uuid::from(agent_id));
    push_page(&mut query, ["v.occurred_at", "v.event_id"], after, limit);
    query.push(
        ")
            union all
            (select v.event_id, v.occurred_at, v.kind, v.detail
             from agents.events_held v
             where v.tenant_id = (select users.current_tenant()) and v.agent_id = ",
    );
    query.push_bind(Uuid::from(agent_id));
    push_page(&mut query, ["v.occurred_at", "v.event_id"], after, limit);
    query.push(
        ")
            union all
            (select g.gap_id, g.to_at, 'gap', jsonb_strip_nulls(jsonb_build_object('reason', g.reason, 'lost_records', g.lost_records,
                'from', g.from_at, 'to', g.to_at, 'detail', g.detail, 'noticed_by', g.noticed_by))
             from agents.gaps g
             where g.tenant_id = (select users.current_tenant()) and g.to_at is not null and g.agent_id = ",
    );
    query.push_bind(Uuid::from(agent_id));
    push_page(&mut query, ["g.to_at", "g.gap_id"], after, limit);
    query
        .push(") ) t order by t.occurred_at desc, t.event_id desc limit ")
        .push_bind(i64::from(limit));
    let rows = query.build().fetch_all(tx.conn()).await?;
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

/// The page after a row, newest first, of a list that is ordered by time and id.
fn push_page(
    query: &mut QueryBuilder<Postgres>,
    [time, id]: [&'static str; 2],
    after: Option<After>,
    limit: u32,
) {
    if let Some(after) = after {
        query
            .push(" and (")
            .push(time)
            .push(", ")
            .push(id)
            .push(") < (")
            .push_bind(after.at)
            .push(", ")
            .push_bind(after.id)
            .push(")");
    }
    query.push(" order by ").push(time).push(" desc, ");
    query.push(id).push(" desc limit ").push_bind(i64::from(limit));
}
