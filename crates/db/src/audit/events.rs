//! Reading the audit log.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use sg_types::api::audit::{AuditEventView, RowChange};
use sqlx::{Row, postgres::PgRow};
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
    /// From this time on.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub to: Option<DateTime<Utc>>,
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
    let rows = sqlx::query(
        "select event_id, occurred_at, transaction_id::text as transaction_id, actor_kind, actor_id, actor_name, action, object_kind,
            object_id, outcome, reason, request_id, address
         from audit.events
         where ($1::text is null or actor_id = $1 or actor_name = $1)
            and ($2::text is null or action = $2 or split_part(action, '.', 1) = $2)
            and ($3::text is null or object_kind = $3)
            and ($4::text is null or object_id = $4)
            and ($5::timestamptz is null or occurred_at >= $5)
            and ($6::timestamptz is null or occurred_at < $6)
            and ($7::timestamptz is null or (occurred_at, event_id) < ($7, $8))
         order by occurred_at desc, event_id desc
         limit $9",
    )
    .bind(filter.actor)
    .bind(filter.action)
    .bind(filter.object_kind)
    .bind(filter.object_id)
    .bind(filter.from)
    .bind(filter.to)
    .bind(after.map(|a| a.at))
    .bind(after.map(|a| a.id))
    .bind(i64::from(limit))
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
