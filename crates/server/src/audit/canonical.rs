//! The bytes that are hashed and signed. docs/audit.md describes them for whoever checks the log without this program.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sg_db::audit::{AuditTable, ChainEntry, FieldKind, Hash, StoredRow};
use sg_types::TenantId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What a signature under a checkpoint is over, besides the checkpoint.
pub const CHECKPOINT_CONTEXT: &[u8] = b"secureguard-audit-checkpoint-v1\0";
/// What a signature under a record is over, besides the record.
pub const RECORD_CONTEXT: &[u8] = b"secureguard-audit-record-v1\0";
/// What begins each hashed link.
const LINK_CONTEXT: &[u8] = b"secureguard-audit-link-v1\0";
/// The constant before each field: PostgreSQL's number of the type `bytea`.
const FIELD_MARK: i32 = 17;
/// Microseconds from 1970-01-01 to 2000-01-01, from where PostgreSQL counts.
const EPOCH_OFFSET_US: i64 = 946_684_800_000_000;

/// Nothing comes before the first link.
pub const NO_LINK: Hash = [0; 32];

/// The hash of a row by its columns.
pub fn hash_row(table: AuditTable, fields: &[Option<Vec<u8>>]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(i32::try_from(fields.len() + 1).unwrap_or(i32::MAX).to_be_bytes());
    let mut add = |field: Option<&[u8]>| {
        hasher.update(FIELD_MARK.to_be_bytes());
        match field {
            Some(bytes) => {
                hasher.update(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
                hasher.update(bytes);
            }
            None => hasher.update((-1_i32).to_be_bytes()),
        }
    };
    add(Some(table.domain().as_bytes()));
    for field in fields {
        add(field.as_deref());
    }
    hasher.finalize().into()
}

/// The link of an entry after the link before it.
pub fn hash_link(previous: &Hash, entry: &ChainEntry) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(LINK_CONTEXT);
    hasher.update(previous);
    hasher.update(entry.tenant_id.0.as_bytes());
    hasher.update(entry.position.to_be_bytes());
    hasher.update(entry.table.code().to_be_bytes());
    hasher.update(entry.row_id.as_bytes());
    hasher.update(time_bytes(entry.row_time));
    hasher.update(entry.row_hash);
    hasher.finalize().into()
}

/// What is signed at a checkpoint.
pub fn checkpoint_message(tenant_id: TenantId, position: i64, link: &Hash, at: DateTime<Utc>) -> Vec<u8> {
    [
        tenant_id.0.as_bytes().as_slice(),
        &position.to_be_bytes(),
        link,
        &time_bytes(at),
    ]
    .concat()
}

/// What is signed of a record.
pub fn record_message(
    record_id: Uuid,
    tenant_id: TenantId,
    at: DateTime<Utc>,
    kind: &str,
    body: &str,
) -> Vec<u8> {
    let length = i32::try_from(kind.len()).unwrap_or(i32::MAX).to_be_bytes();
    [
        record_id.as_bytes().as_slice(),
        tenant_id.0.as_bytes(),
        &time_bytes(at),
        &length,
        kind.as_bytes(),
        body.as_bytes(),
    ]
    .concat()
}

/// Microseconds since 2000-01-01, as PostgreSQL sends a time.
fn time_bytes(at: DateTime<Utc>) -> [u8; 8] {
    (at.timestamp_micros() - EPOCH_OFFSET_US).to_be_bytes()
}

/// A time as it is exported: RFC 3339 with microseconds.
pub fn format_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// A row as JSON: a text or null for each column.
pub fn row_to_json(table: AuditTable, row: &StoredRow) -> Map<String, Value> {
    let columns = table.columns().iter().zip(&row.fields);
    columns
        .map(|((name, kind), field)| {
            let text = field.as_deref().map(|bytes| field_to_text(*kind, bytes));
            ((*name).to_owned(), text.map_or(Value::Null, Value::String))
        })
        .collect()
}

fn field_to_text(kind: FieldKind, bytes: &[u8]) -> String {
    match kind {
        FieldKind::Uuid => Uuid::from_slice(bytes).map_or_else(|_| hex::encode(bytes), |id| id.to_string()),
        FieldKind::Time => <[u8; 8]>::try_from(bytes)
            .ok()
            .and_then(|b| i64::from_be_bytes(b).checked_add(EPOCH_OFFSET_US))
            .and_then(DateTime::from_timestamp_micros)
            .map_or_else(|| hex::encode(bytes), format_time),
        FieldKind::Text => String::from_utf8_lossy(bytes).into_owned(),
        FieldKind::Bytes => hex::encode(bytes),
    }
}

/// The columns of a row that was exported as JSON. None when a column is missing or no text, or a value cannot be read.
pub fn row_from_json(table: AuditTable, row: &Map<String, Value>) -> Option<Vec<Option<Vec<u8>>>> {
    let read = |(name, kind): &(&str, FieldKind)| match row.get(*name)? {
        Value::Null => Some(None),
        Value::String(text) => field_from_text(*kind, text).map(Some),
        _ => None,
    };
    if row.len() != table.columns().len() {
        return None;
    }
    table.columns().iter().map(read).collect()
}

fn field_from_text(kind: FieldKind, text: &str) -> Option<Vec<u8>> {
    match kind {
        FieldKind::Uuid => Some(text.parse::<Uuid>().ok()?.as_bytes().to_vec()),
        FieldKind::Time => Some(time_bytes(parse_time(text)?).to_vec()),
        FieldKind::Text => Some(text.as_bytes().to_vec()),
        FieldKind::Bytes => hex::decode(text).ok(),
    }
}

/// A time as it was exported.
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_of_a_row_is_what_the_document_says() {
        let fields = [Some(vec![1, 2]), None, Some(Vec::new())];
        let bytes = [
            &[0, 0, 0, 4, 0, 0, 0, 17, 0, 0, 0, 26][..],
            b"secureguard audit event v1",
            &[0, 0, 0, 17, 0, 0, 0, 2, 1, 2],
            &[0, 0, 0, 17, 255, 255, 255, 255],
            &[0, 0, 0, 17, 0, 0, 0, 0],
        ]
        .concat();
        let expected: Hash = Sha256::digest(&bytes).into();
        assert_eq!(hash_row(AuditTable::Events, &fields), expected);
        assert_ne!(hash_row(AuditTable::RowChanges, &fields), expected);
    }

    #[test]
    fn a_row_survives_json_to_the_last_bit() {
        let at = DateTime::from_timestamp_micros(1_764_089_000_123_456).unwrap();
        let fields: Vec<Option<Vec<u8>>> = AuditTable::ChainRecords
            .columns()
            .iter()
            .map(|(_, kind)| match kind {
                FieldKind::Uuid => Some(Uuid::from_u128(7).as_bytes().to_vec()),
                FieldKind::Time => Some(time_bytes(at).to_vec()),
                FieldKind::Text => Some("a \"text\" with ü and \u{1}".as_bytes().to_vec()),
                FieldKind::Bytes => Some(vec![0, 255]),
            })
            .collect();
        let row = StoredRow {
            row_id: Uuid::from_u128(7),
            row_time: at,
            fields: fields.clone(),
            row_hash: None,
        };
        let mut json = row_to_json(AuditTable::ChainRecords, &row);
        let again = serde_json::from_str(&serde_json::to_string(&json).unwrap()).unwrap();
        assert_eq!(row_from_json(AuditTable::ChainRecords, &again), Some(fields));
        json.remove("kind");
        assert_eq!(row_from_json(AuditTable::ChainRecords, &json), None);
        json.insert("kind".to_owned(), Value::Bool(true));
        assert_eq!(row_from_json(AuditTable::ChainRecords, &json), None);
    }
}
