//! What stands in the place of `%name%` in a tenant's Sigma rules.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sg_types::api::rules::PlaceholderView;
use sg_types::{TenantId, UserId};
use sqlx::Row;

use crate::{DbError, Reads, SystemTx, tx::Connection};

/// The tenant's placeholders by name.
///
/// # Errors
/// What a query may meet.
pub async fn list_placeholders(
    tx: &mut impl Reads,
    tenant_id: TenantId,
) -> Result<Vec<PlaceholderView>, DbError> {
    let rows = sqlx::query(
        "select p.name, p.placeholder_values, p.changed_at, u.username
         from threats.placeholders p left join users.users u on u.user_id = p.changed_by
         where p.tenant_id = $1 order by p.name collate \"C\"",
    )
    .bind(tenant_id.0)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PlaceholderView {
                name: row.try_get("name")?,
                values: row.try_get("placeholder_values")?,
                changed_at: row.try_get("changed_at")?,
                changed_by_username: row.try_get("username")?,
            })
        })
        .collect()
}

/// The values of the tenant's placeholders.
///
/// # Errors
/// What a query may meet.
pub async fn load_placeholders(
    tx: &mut impl Reads,
    tenant_id: TenantId,
) -> Result<BTreeMap<String, Vec<String>>, DbError> {
    let rows = sqlx::query("select name, placeholder_values from threats.placeholders where tenant_id = $1")
        .bind(tenant_id.0)
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("name")?, row.try_get("placeholder_values")?)))
        .collect()
}

/// Gives a placeholder its values.
///
/// # Errors
/// [`DbError::InvalidValue`] for a name or values that the table does not take.
pub async fn set_placeholder(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    name: &str,
    values: &[String],
    by: UserId,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into threats.placeholders (tenant_id, name, placeholder_values, changed_at, changed_by) values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, name) do update set placeholder_values = $3, changed_at = $4, changed_by = $5",
    )
    .bind(tenant_id.0)
    .bind(name)
    .bind(values)
    .bind(at)
    .bind(by.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a placeholder; false when the tenant has none of that name.
///
/// # Errors
/// What a query may meet.
pub async fn remove_placeholder(tx: &mut SystemTx, tenant_id: TenantId, name: &str) -> Result<bool, DbError> {
    let removed = sqlx::query("delete from threats.placeholders where tenant_id = $1 and name = $2")
        .bind(tenant_id.0)
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(removed.rows_affected() > 0)
}
