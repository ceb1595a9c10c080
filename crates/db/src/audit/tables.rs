//! The tables that a chain covers, and the bytes of their rows.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads};

/// A table whose rows are links of the chains. The number is part of each link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditTable {
    /// Who did what.
    Events,
    /// Which rows changed by it.
    RowChanges,
    /// Attempts to sign in.
    LoginAttempts,
    /// What the server itself adds: retention, erasure, forks.
    ChainRecords,
}

/// How a column becomes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Its 16 bytes.
    Uuid,
    /// Microseconds since 2000-01-01T00:00:00Z, signed, 8 bytes, most significant first.
    Time,
    /// PostgreSQL's text of it in UTF-8.
    Text,
    /// As they are.
    Bytes,
}

use FieldKind::{Bytes, Text, Time, Uuid as Id};

impl AuditTable {
    /// Every table, by its number.
    pub const ALL: [Self; 4] = [
        Self::Events,
        Self::RowChanges,
        Self::LoginAttempts,
        Self::ChainRecords,
    ];

    /// The number in the chain, from 1.
    pub const fn code(self) -> i16 {
        match self {
            Self::Events => 1,
            Self::RowChanges => 2,
            Self::LoginAttempts => 3,
            Self::ChainRecords => 4,
        }
    }

    /// The table with this number.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.code() == code)
    }

    /// Schema and name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "audit.events",
            Self::RowChanges => "audit.row_changes",
            Self::LoginAttempts => "audit.login_attempts",
            Self::ChainRecords => "audit.chain_records",
        }
    }

    /// The table of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The first field of what is hashed, which keeps the tables' hashes apart.
    pub const fn domain(self) -> &'static str {
        match self {
            Self::Events => "secureguard audit event v1",
            Self::RowChanges => "secureguard audit row_change v1",
            Self::LoginAttempts => "secureguard audit login_attempt v1",
            Self::ChainRecords => "secureguard audit chain_record v1",
        }
    }

    /// The columns in the order in which they are hashed: all but `row_hash`. The first is the row's id, the second its tenant, the third its time.
    pub const fn columns(self) -> &'static [(&'static str, FieldKind)] {
        match self {
            Self::Events => &[
                ("event_id", Id),
                ("tenant_id", Id),
                ("occurred_at", Time),
                ("transaction_id", Text),
                ("actor_kind", Text),
                ("actor_id", Text),
                ("actor_name", Text),
                ("action", Text),
                ("object_kind", Text),
                ("object_id", Text),
                ("outcome", Text),
                ("reason", Text),
                ("request_id", Text),
                ("address", Text),
                ("detail", Text),
            ],
            Self::RowChanges => &[
                ("change_id", Id),
                ("tenant_id", Id),
                ("occurred_at", Time),
                ("transaction_id", Text),
                ("table_name", Text),
                ("operation", Text),
                ("row_id", Text),
                ("before", Text),
                ("after", Text),
                ("database_role", Text),
            ],
            Self::LoginAttempts => &[
                ("attempt_id", Id),
                ("tenant_id", Id),
                ("occurred_at", Time),
                ("user_id", Id),
                ("username_or_digest", Text),
                ("outcome", Text),
                ("method", Text),
                ("address", Text),
                ("user_agent", Text),
                ("request_id", Text),
            ],
            Self::ChainRecords => &[
                ("record_id", Id),
                ("tenant_id", Id),
                ("occurred_at", Time),
                ("kind", Text),
                ("body", Text),
                ("key_id", Text),
                ("signature", Bytes),
            ],
        }
    }

    /// The column of the row's id.
    pub fn id_column(self) -> &'static str {
        self.columns().first().map_or("", |(name, _)| name)
    }
}

/// A row as bytes, column by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// The row's id.
    pub row_id: Uuid,
    /// When.
    pub row_time: DateTime<Utc>,
    /// Its columns as [`AuditTable::columns`] lists them; none for null.
    pub fields: Vec<Option<Vec<u8>>>,
    /// The hash that was written with it; none for a row that is older than the chain.
    pub row_hash: Option<Vec<u8>>,
}

/// The rows with these ids and times; those that do not exist are left out.
///
/// # Errors
/// As every query.
pub async fn read_rows(
    tx: &mut impl Reads,
    table: AuditTable,
    keys: &[(Uuid, DateTime<Utc>)],
) -> Result<Vec<StoredRow>, DbError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, times): (Vec<Uuid>, Vec<DateTime<Utc>>) = keys.iter().copied().unzip();
    let statement = format!(
        "select t.{id} as row_id, t.occurred_at as row_time, t.row_hash as stored_hash, {fields}
         from unnest($1::uuid[], $2::timestamptz[]) k (id, at)
         join {name} t on t.{id} = k.id and t.occurred_at = k.at",
        id = table.id_column(),
        name = table.name(),
        fields = select_fields(table),
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(ids)
        .bind(times)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| read(table, row))
        .collect()
}

fn select_fields(table: AuditTable) -> String {
    let columns = table.columns().iter().map(|(name, kind)| match kind {
        FieldKind::Uuid => format!("uuid_send(t.{name}) as f_{name}"),
        FieldKind::Time => format!("timestamptz_send(t.{name}) as f_{name}"),
        FieldKind::Text => format!("convert_to(t.{name}::text, 'UTF8') as f_{name}"),
        FieldKind::Bytes => format!("t.{name} as f_{name}"),
    });
    columns.collect::<Vec<_>>().join(", ")
}

fn read(table: AuditTable, row: &PgRow) -> Result<StoredRow, DbError> {
    Ok(StoredRow {
        row_id: row.try_get("row_id")?,
        row_time: row.try_get("row_time")?,
        fields: (0..table.columns().len())
            .map(|index| row.try_get(index + 3))
            .collect::<Result<_, _>>()?,
        row_hash: row.try_get("stored_hash")?,
    })
}
