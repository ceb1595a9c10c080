//! Who is at the database, and what was done there that only migrations do.

use chrono::{DateTime, Utc};
use sg_types::TenantId;
use sqlx::Row;
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection};

/// Somebody who is connected to this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSession {
    /// As whom.
    pub role: String,
    /// By the name of the program that the client gave.
    pub application: String,
    /// From where; `local` for the unix socket.
    pub address: String,
}

/// Those who are connected, each kind once; nobody where the product may not read all statistics.
///
/// # Errors
/// What a query may meet.
pub async fn list_database_sessions(tx: &mut SystemTx) -> Result<Vec<DatabaseSession>, DbError> {
    sqlx::query("select role, application, address from monitoring.list_sessions()")
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| {
            Ok(DatabaseSession {
                role: row.try_get("role")?,
                application: row.try_get("application")?,
                address: row.try_get("address")?,
            })
        })
        .collect()
}

/// How many security events of a kind the installation had in a time, and what the latest one is about, in words.
///
/// # Errors
/// What a query may meet.
pub async fn count_security_events(
    tx: &mut SystemTx,
    kind: &str,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(i64, Option<String>), DbError> {
    let row = sqlx::query(
        "select count(*) as count,
            (array_agg(concat_ws(' ', lower(v.detail ->> 'command'), v.subject,
                'by ' || (v.detail ->> 'role') || '@' || (v.detail ->> 'address') || '/' || (v.detail ->> 'application'))
                order by v.occurred_at desc))[1] as latest
         from monitoring.security_events v
         where v.tenant_id = $1 and v.kind = $2 and v.occurred_at > $3 and v.occurred_at <= $4",
    )
    .bind(Uuid::from(TenantId::SYSTEM))
    .bind(kind)
    .bind(after)
    .bind(until)
    .fetch_one(tx.conn())
    .await?;
    Ok((row.try_get("count")?, row.try_get("latest")?))
}
