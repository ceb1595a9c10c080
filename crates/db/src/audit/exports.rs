//! How far each sink has been told.

use chrono::{DateTime, Utc};
use sg_types::TenantId;
use sqlx::Row;

use crate::{DbError, Reads, SystemTx, tx::Connection};

/// A chain of which a sink has not been told everything that is signed.
#[derive(Debug, Clone)]
pub struct Unexported {
    /// Whose chain.
    pub tenant_id: TenantId,
    /// Told through this position; 0 for nothing.
    pub position: i64,
    /// Signed through this position.
    pub checkpoint_position: i64,
    /// When that was signed.
    pub checkpoint_at: DateTime<Utc>,
}

/// A sink's place in one chain.
#[derive(Debug, Clone)]
pub struct ExportPosition {
    /// The sink's name.
    pub sink: String,
    /// Told through this position.
    pub position: i64,
    /// When.
    pub exported_at: DateTime<Utc>,
}

/// The chains with something to tell to `sink`.
///
/// # Errors
/// As every query.
pub async fn list_unexported(tx: &mut SystemTx, sink: &str) -> Result<Vec<Unexported>, DbError> {
    sqlx::query(
        "select h.tenant_id, coalesce(p.position, 0) as position, h.checkpoint_position, h.checkpoint_at
         from audit.chain_heads h
         left join audit.export_positions p on p.tenant_id = h.tenant_id and p.sink = $1
         where h.checkpoint_position > coalesce(p.position, 0) and h.checkpoint_at is not null
         order by h.checkpoint_at, h.tenant_id",
    )
    .bind(sink)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(Unexported {
            tenant_id: TenantId(row.try_get("tenant_id")?),
            position: row.try_get("position")?,
            checkpoint_position: row.try_get("checkpoint_position")?,
            checkpoint_at: row.try_get("checkpoint_at")?,
        })
    })
    .collect()
}

/// Remembers that `sink` was told through `position`.
///
/// # Errors
/// As every query.
pub async fn store_export_position(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    sink: &str,
    position: i64,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into audit.export_positions (tenant_id, sink, position, exported_at) values ($1, $2, $3, $4)
         on conflict (tenant_id, sink) do update set position = excluded.position, exported_at = excluded.exported_at",
    )
    .bind(tenant_id.0)
    .bind(sink)
    .bind(position)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Every sink's place in the chain of the transaction's tenant.
///
/// # Errors
/// As every query.
pub async fn list_export_positions(
    tx: &mut impl Reads,
    tenant_id: TenantId,
) -> Result<Vec<ExportPosition>, DbError> {
    sqlx::query(
        "select sink, position, exported_at from audit.export_positions where tenant_id = $1 order by sink",
    )
    .bind(tenant_id.0)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(ExportPosition {
            sink: row.try_get("sink")?,
            position: row.try_get("position")?,
            exported_at: row.try_get("exported_at")?,
        })
    })
    .collect()
}

/// Puts every sink's place in a chain back to `position`, where the chain ends earlier than it was told: after a restore, what comes in
/// the place of what is lost has to be told too.
///
/// # Errors
/// As every query.
pub async fn rewind_exports(tx: &mut SystemTx, tenant_id: TenantId, position: i64) -> Result<(), DbError> {
    sqlx::query("update audit.export_positions set position = least(position, $2) where tenant_id = $1")
        .bind(tenant_id.0)
        .bind(position)
        .execute(tx.conn())
        .await?;
    Ok(())
}
