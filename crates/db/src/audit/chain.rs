//! The chains: what waits for its place, the links, their ends, the signatures under them.

use chrono::{DateTime, Utc};
use sg_types::TenantId;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::AuditTable;
use crate::{DbError, Reads, SystemTx, tx::Connection};

/// SHA-256.
pub type Hash = [u8; 32];

/// A committed row that is in no chain yet.
#[derive(Debug, Clone)]
pub struct Unsealed {
    /// Whose.
    pub tenant_id: TenantId,
    /// Where it is.
    pub table: AuditTable,
    /// Its id.
    pub row_id: Uuid,
    /// Its time.
    pub row_time: DateTime<Utc>,
    /// Its hash; none for a row that is older than the chain.
    pub row_hash: Option<Hash>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEntry {
    /// Whose chain.
    pub tenant_id: TenantId,
    /// From 1, without gaps.
    pub position: i64,
    /// The row's table.
    pub table: AuditTable,
    /// The row's id.
    pub row_id: Uuid,
    /// The row's time.
    pub row_time: DateTime<Utc>,
    /// The row's hash.
    pub row_hash: Hash,
    /// The hash over all of this and the link before.
    pub link: Hash,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose chain.
    pub tenant_id: TenantId,
    /// The last position; 0 for a chain that has not begun.
    pub position: i64,
    /// The last link.
    pub link: Hash,
    /// The position of the last checkpoint; 0 for none.
    pub checkpoint_position: i64,
    /// When it was signed.
    pub checkpoint_at: Option<DateTime<Utc>>,
}

/// A signature under a position of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose chain.
    pub tenant_id: TenantId,
    /// The position.
    pub position: i64,
    /// The link there.
    pub link: Hash,
    /// When it was signed.
    pub signed_at: DateTime<Utc>,
    /// Which key.
    pub key_id: String,
    /// Ed25519.
    pub signature: Vec<u8>,
}

/// What the server itself adds to a chain.
#[derive(Debug, Clone)]
pub struct ChainRecord {
    /// The record's id.
    pub record_id: Uuid,
    /// Whose chain.
    pub tenant_id: TenantId,
    /// When.
    pub at: DateTime<Utc>,
    /// `retention`, `erasure` or `fork`.
    pub kind: &'static str,
    /// JSON, as it was signed.
    pub body: String,
    /// Which key.
    pub key_id: String,
    /// Ed25519.
    pub signature: Vec<u8>,
}

/// Takes up to `limit` rows out of the queue; they are gone from it when the transaction commits. `of` takes one tenant's only.
///
/// # Errors
/// As every query.
pub async fn take_unsealed(
    tx: &mut SystemTx,
    of: Option<TenantId>,
    limit: i64,
) -> Result<Vec<Unsealed>, DbError> {
    sqlx::query(
        "delete from audit.unsealed
         where ctid = any (array(select u.ctid from audit.unsealed u where $2::uuid is null or u.tenant_id = $2 limit $1))
         returning tenant_id, table_code, row_id, row_time, row_hash",
    )
    .bind(limit)
    .bind(of.map(Uuid::from))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(Unsealed {
            tenant_id: TenantId(row.try_get("tenant_id")?),
            table: table(row)?,
            row_id: row.try_get("row_id")?,
            row_time: row.try_get("row_time")?,
            row_hash: row
                .try_get::<Option<Vec<u8>>, _>("row_hash")?
                .map(hash)
                .transpose()?,
        })
    })
    .collect()
}

/// The ends of the chains of these tenants, or of all; chains that have not begun are left out.
///
/// # Errors
/// As every query.
pub async fn list_heads(tx: &mut impl Reads, of: Option<&[TenantId]>) -> Result<Vec<Head>, DbError> {
    sqlx::query(
        "select tenant_id, position, link, checkpoint_position, checkpoint_at
         from audit.chain_heads
         where $1::uuid[] is null or tenant_id = any ($1)
         order by tenant_id",
    )
    .bind(of.map(|tenants| tenants.iter().map(|t| t.0).collect::<Vec<_>>()))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(head)
    .collect()
}

/// The ends that have no signature yet and whose last one is older than `before`.
///
/// # Errors
/// As every query.
pub async fn list_unsigned_heads(tx: &mut SystemTx, before: DateTime<Utc>) -> Result<Vec<Head>, DbError> {
    sqlx::query(
        "select tenant_id, position, link, checkpoint_position, checkpoint_at
         from audit.chain_heads
         where position > checkpoint_position and (checkpoint_at is null or checkpoint_at <= $1)
         order by tenant_id",
    )
    .bind(before)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(head)
    .collect()
}

/// Adds links and moves the ends to the given ones.
///
/// # Errors
/// [`DbError::AlreadyExists`] when another node was faster; roll back then.
pub async fn append_links(tx: &mut SystemTx, entries: &[ChainEntry], heads: &[Head]) -> Result<(), DbError> {
    sqlx::query(
        "insert into audit.chain (tenant_id, position, table_code, row_id, row_time, row_hash, link)
         select * from unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::uuid[], $5::timestamptz[], $6::bytea[], $7::bytea[])",
    )
    .bind(entries.iter().map(|e| e.tenant_id.0).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.position).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.table.code()).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.row_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.row_time).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.row_hash.to_vec()).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.link.to_vec()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "insert into audit.chain_heads (tenant_id, position, link)
         select * from unnest($1::uuid[], $2::bigint[], $3::bytea[])
         on conflict (tenant_id) do update set position = excluded.position, link = excluded.link",
    )
    .bind(heads.iter().map(|h| h.tenant_id.0).collect::<Vec<_>>())
    .bind(heads.iter().map(|h| h.position).collect::<Vec<_>>())
    .bind(heads.iter().map(|h| h.link.to_vec()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Stores signatures.
///
/// # Errors
/// As every query.
pub async fn insert_checkpoints(tx: &mut SystemTx, checkpoints: &[Checkpoint]) -> Result<(), DbError> {
    sqlx::query(
        "with signed as (
            insert into audit.checkpoints (tenant_id, position, link, signed_at, key_id, signature)
            select * from unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::timestamptz[], $5::text[], $6::bytea[])
            returning tenant_id, position, signed_at
         )
         update audit.chain_heads h set checkpoint_position = s.position, checkpoint_at = s.signed_at
         from signed s where s.tenant_id = h.tenant_id",
    )
    .bind(checkpoints.iter().map(|c| c.tenant_id.0).collect::<Vec<_>>())
    .bind(checkpoints.iter().map(|c| c.position).collect::<Vec<_>>())
    .bind(checkpoints.iter().map(|c| c.link.to_vec()).collect::<Vec<_>>())
    .bind(checkpoints.iter().map(|c| c.signed_at).collect::<Vec<_>>())
    .bind(checkpoints.iter().map(|c| c.key_id.clone()).collect::<Vec<_>>())
    .bind(checkpoints.iter().map(|c| c.signature.clone()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds a record; it gets its place in the chain as every row does.
///
/// # Errors
/// As every query.
pub async fn insert_record(tx: &mut SystemTx, record: &ChainRecord) -> Result<(), DbError> {
    sqlx::query(
        "insert into audit.chain_records (record_id, tenant_id, occurred_at, kind, body, key_id, signature)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(record.record_id)
    .bind(record.tenant_id.0)
    .bind(record.at)
    .bind(record.kind)
    .bind(&record.body)
    .bind(&record.key_id)
    .bind(&record.signature)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The links of a tenant after a position, in order.
///
/// # Errors
/// As every query.
pub async fn read_chain(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    after: i64,
    through: i64,
    limit: i64,
) -> Result<Vec<ChainEntry>, DbError> {
    sqlx::query(
        "select tenant_id, position, table_code, row_id, row_time, row_hash, link
         from audit.chain
         where tenant_id = $1 and position > $2 and position <= $3
         order by position
         limit $4",
    )
    .bind(tenant_id.0)
    .bind(after)
    .bind(through)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(ChainEntry {
            tenant_id: TenantId(row.try_get("tenant_id")?),
            position: row.try_get("position")?,
            table: table(row)?,
            row_id: row.try_get("row_id")?,
            row_time: row.try_get("row_time")?,
            row_hash: hash(row.try_get("row_hash")?)?,
            link: hash(row.try_get("link")?)?,
        })
    })
    .collect()
}

/// The signatures of a tenant's chain after a position, in order.
///
/// # Errors
/// As every query.
pub async fn read_checkpoints(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    after: i64,
    through: i64,
) -> Result<Vec<Checkpoint>, DbError> {
    sqlx::query(
        "select tenant_id, position, link, signed_at, key_id, signature
         from audit.checkpoints
         where tenant_id = $1 and position > $2 and position <= $3
         order by position, signed_at",
    )
    .bind(tenant_id.0)
    .bind(after)
    .bind(through)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(Checkpoint {
            tenant_id: TenantId(row.try_get("tenant_id")?),
            position: row.try_get("position")?,
            link: hash(row.try_get("link")?)?,
            signed_at: row.try_get("signed_at")?,
            key_id: row.try_get("key_id")?,
            signature: row.try_get("signature")?,
        })
    })
    .collect()
}

fn head(row: &PgRow) -> Result<Head, DbError> {
    Ok(Head {
        tenant_id: TenantId(row.try_get("tenant_id")?),
        position: row.try_get("position")?,
        link: hash(row.try_get("link")?)?,
        checkpoint_position: row.try_get("checkpoint_position")?,
        checkpoint_at: row.try_get("checkpoint_at")?,
    })
}

fn table(row: &PgRow) -> Result<AuditTable, DbError> {
    let code: i16 = row.try_get("table_code")?;
    AuditTable::from_code(code).ok_or_else(|| DbError::Inconsistent(format!("audit table number {code}")))
}

fn hash(bytes: Vec<u8>) -> Result<Hash, DbError> {
    bytes
        .try_into()
        .map_err(|_| DbError::Inconsistent("a hash of the audit chain is not 32 bytes long".to_owned()))
}
