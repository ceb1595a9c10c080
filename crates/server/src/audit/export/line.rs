//! One line of an export: a link with its row, or a checkpoint, as JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sg_db::audit::{AuditTable, ChainEntry, Checkpoint, Hash, StoredRow};
use sg_types::TenantId;
use uuid::Uuid;

use crate::audit::canonical::{format_time, parse_time, row_to_json};

/// What a line says.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// A link and its row.
    Entry(EntryLine),
    /// A signature.
    Checkpoint(CheckpointLine),
}

/// A link and its row.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EntryLine {
    /// Whose chain.
    pub tenant_id: TenantId,
    /// The position, from 1.
    pub position: i64,
    /// Schema and name of the row's table.
    pub table: String,
    /// The row's id.
    pub row_id: Uuid,
    /// The row's time.
    pub row_time: String,
    /// The row's hash in hex.
    pub row_hash: String,
    /// The link in hex.
    pub link: String,
    /// The row; null when it was gone already.
    pub row: Option<Map<String, Value>>,
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointLine {
    /// Whose chain.
    pub tenant_id: TenantId,
    /// The position.
    pub position: i64,
    /// The link there in hex.
    pub link: String,
    /// When it was signed.
    pub signed_at: String,
    /// Which key.
    pub key_id: String,
    /// Ed25519, in hex.
    pub signature: String,
}

impl EntryLine {
    pub(crate) fn new(entry: &ChainEntry, row: Option<&StoredRow>) -> Self {
        Self {
            tenant_id: entry.tenant_id,
            position: entry.position,
            table: entry.table.name().to_owned(),
            row_id: entry.row_id,
            row_time: format_time(entry.row_time),
            row_hash: hex::encode(entry.row_hash),
            link: hex::encode(entry.link),
            row: row.map(|row| row_to_json(entry.table, row)),
        }
    }

    /// The link; none when a value cannot be read.
    pub(crate) fn entry(&self) -> Option<ChainEntry> {
        Some(ChainEntry {
            tenant_id: self.tenant_id,
            position: self.position,
            table: AuditTable::from_name(&self.table)?,
            row_id: self.row_id,
            row_time: parse_time(&self.row_time)?,
            row_hash: read_hash(&self.row_hash)?,
            link: read_hash(&self.link)?,
        })
    }
}

impl CheckpointLine {
    /// The checkpoint; none when a value cannot be read.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        Some(Checkpoint {
            tenant_id: self.tenant_id,
            position: self.position,
            link: read_hash(&self.link)?,
            signed_at: parse_time(&self.signed_at)?,
            key_id: self.key_id.clone(),
            signature: hex::decode(&self.signature).ok()?,
        })
    }
}

impl From<&Checkpoint> for CheckpointLine {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            tenant_id: checkpoint.tenant_id,
            position: checkpoint.position,
            link: hex::encode(checkpoint.link),
            signed_at: format_time(checkpoint.signed_at),
            key_id: checkpoint.key_id.clone(),
            signature: hex::encode(&checkpoint.signature),
        }
    }
}

fn read_hash(text: &str) -> Option<Hash> {
    hex::decode(text).ok()?.try_into().ok()
}
