//! Reading the audit log.

use std::collections::HashMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use sg_types::api::audit::{AuditEventView, RowChange};
use sqlx::{Postgres, QueryBuilder, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads, users::After};

/// Which events to read; every part that is set has to fit.
#[derive(Debug, Clone, Default)]
pub struct EventFilter<'a> {
    /// The actor's id or name.
    pub actor: Option<&'a str>,
    /// The action, such as `incident.update`, or its noun, such as `incident`.
    pub action: Option<&'a str>,
    /// The object's kind.
    pub object_kind: Option<&'a str>,
    /// The object's id.
    pub object_id: Option<&'a str>,
    /// The request's id.
    pub request_id: Option<&'a str>,
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// From this time on.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub to: Option<DateTime<Utc>>,
}

impl EventFilter<'_> {
    /// The statement that this filter becomes, for whoever wants to see its plan. The values are its parameters, in the order of the fields; the
    /// last one is the number of rows. For a noun, the first one is an array of its actions, and the number of rows stands there twice.
    pub fn statement(&self) -> String {
        select_events(self, self.noun().map(|_| Vec::new()), None, 1)
            .sql()
            .as_str()
            .to_owned()
    }

    /// The action where it is a noun.
    fn noun(&self) -> Option<&str> {
        self.action.filter(|action| !action.contains('.'))
    }
}

/// Events of the tenant with the rows that changed in the same transactions, newest first.
///
/// # Errors
/// As every query.
pub async fn list_events(
    tx: &mut impl Reads,
    filter: &EventFilter<'_>,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<AuditEventView>, DbError> {
    let actions = match filter.noun() {
        Some(noun) => Some(list_actions(tx, noun).await?),
        None => None,
    };
    let rows = select_events(filter, actions, after, limit)
        .build()
        .fetch_all(tx.conn())
        .await?;
    let transactions: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("transaction_id"))
        .collect::<Result<_, _>>()?;
    let mut changes = list_changes(tx, &transactions).await?;
    rows.iter()
        .zip(&transactions)
        .map(|(row, transaction)| view(row, changes.remove(transaction).unwrap_or_default()))
        .collect()
}

/// The tenant's actions of a noun, each found by one step into the index: of a noun that the tenant does not have, nothing is read.
async fn list_actions(tx: &mut impl Reads, noun: &str) -> Result<Vec<String>, DbError> {
    // `.` and `/` follow each other in ASCII: everything that begins with the noun and a full stop.
    Ok(sqlx::query_scalar(
        "with recursive found (action) as (
            (select action collate \"C\" from audit.events where action collate \"C\" >= $1 and action collate \"C\" < $2
             order by action collate \"C\" limit 1)
            union all
            select (
                select e.action collate \"C\" from audit.events e where e.action collate \"C\" > f.action and e.action collate \"C\" < $2
                order by e.action collate \"C\" limit 1)
            from found f where f.action is not null)
         select action from found where action is not null",
    )
    .bind(format!("{noun}."))
    .bind(format!("{noun}/"))
    .fetch_all(tx.conn())
    .await?)
}

/// Only the conditions that are asked for are in the statement, so that each one is answered by its index. `actions` are those of the filter's noun:
/// the newest of each are looked up, and the newest of those taken.
fn select_events(
    filter: &EventFilter<'_>,
    actions: Option<Vec<String>>,
    after: Option<After>,
    limit: u32,
) -> QueryBuilder<Postgres> {
    let by_noun = actions.is_some();
    let mut query = QueryBuilder::new("");
    if let Some(actions) = actions {
        query
            .push("select e.* from unnest(")
            .push_bind(actions)
            .push("::text[]) as n (noun_action) cross join lateral (");
    }
    query.push(
        "select event_id, occurred_at, transaction_id::text as transaction_id, actor_kind, actor_id, actor_name, action, object_kind,
            object_id, outcome, reason, request_id, address
         from audit.events where true",
    );
    if by_noun {
        query.push(" and action collate \"C\" = n.noun_action");
    }
    if let Some(actor) = filter.actor {
        // Every actor's id is a UUID, so that one of the two columns is enough.
        let column = match Uuid::parse_str(actor) {
            Ok(_) => " and actor_id = ",
            Err(_) => " and actor_name = ",
        };
        query.push(column).push_bind(actor.to_owned());
    }
    if let Some(action) = filter.action.filter(|_| !by_noun) {
        query
            .push(" and action collate \"C\" = ")
            .push_bind(action.to_owned());
    }
    for (column, value) in [
        (" and object_kind = ", filter.object_kind),
        (" and object_id = ", filter.object_id),
        (" and request_id = ", filter.request_id),
    ] {
        if let Some(value) = value {
            query.push(column).push_bind(value.to_owned());
        }
    }
    if let Some(address) = filter.address {
        query.push(" and address = ").push_bind(IpNetwork::from(address));
    }
    if let Some(from) = filter.from {
        query.push(" and occurred_at >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        query.push(" and occurred_at < ").push_bind(to);
    }
    if let Some(after) = after {
        query.push(" and (occurred_at, event_id) < (").push_bind(after.at);
        query.push(", ").push_bind(after.id).push(")");
    }
    query
        .push(" order by occurred_at desc, event_id desc limit ")
        .push_bind(i64::from(limit));
    if by_noun {
        query
            .push(") e order by e.occurred_at desc, e.event_id desc limit ")
            .push_bind(i64::from(limit));
    }
    query
}

async fn list_changes(
    tx: &mut impl Reads,
    transactions: &[String],
) -> Result<HashMap<String, Vec<RowChange>>, DbError> {
    let rows = sqlx::query(
        "select transaction_id::text as transaction_id, table_name, operation, row_id, before, after
         from audit.row_changes
         where transaction_id = any (select t::xid8 from unnest($1::text[]) t)
         order by change_id",
    )
    .bind(transactions)
    .fetch_all(tx.conn())
    .await?;
    let mut changes: HashMap<String, Vec<RowChange>> = HashMap::new();
    for row in rows {
        let change = RowChange {
            table: row.try_get("table_name")?,
            operation: row.try_get("operation")?,
            row_id: row.try_get("row_id")?,
            before: row.try_get("before")?,
            after: row.try_get("after")?,
        };
        changes
            .entry(row.try_get("transaction_id")?)
            .or_default()
            .push(change);
    }
    Ok(changes)
}

fn view(row: &PgRow, changes: Vec<RowChange>) -> Result<AuditEventView, DbError> {
    let address: Option<IpNetwork> = row.try_get("address")?;
    Ok(AuditEventView {
        event_id: row.try_get::<Uuid, _>("event_id")?.into(),
        occurred_at: row.try_get("occurred_at")?,
        actor_kind: row.try_get("actor_kind")?,
        actor_id: row.try_get("actor_id")?,
        actor_name: row.try_get("actor_name")?,
        action: row.try_get("action")?,
        object_kind: row.try_get("object_kind")?,
        object_id: row.try_get("object_id")?,
        outcome: row.try_get("outcome")?,
        reason: row.try_get("reason")?,
        request_id: row.try_get("request_id")?,
        address: address.map(|network| network.ip().to_string()),
        changes,
    })
}
