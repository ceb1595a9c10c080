//! The audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::EventId;

/// One entry: who did what to which object, and how it ended.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct AuditEventView {
    /// The entry's id.
    pub event_id: EventId,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// `user`, `api_key`, `agent`, `system` or `anonymous`.
    pub actor_kind: String,
    /// The actor's id, where it has one.
    pub actor_id: Option<String>,
    /// The actor's name at that time.
    pub actor_name: Option<String>,
    /// What was done, such as `incident.update` or `session.create`.
    pub action: String,
    /// What kind of object it was done to, such as `incident`.
    pub object_kind: Option<String>,
    /// That object's id.
    pub object_id: Option<String>,
    /// `success`, `failure` or `denied`.
    pub outcome: String,
    /// Why, where it is known.
    pub reason: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The caller's address.
    pub address: Option<String>,
    /// The rows that changed in the same transaction.
    pub changes: Vec<RowChange>,
}

/// One row before and after, secrets and volatile columns left out.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct RowChange {
    /// Schema and table, such as `threats.incidents`.
    pub table: String,
    /// `insert`, `update` or `delete`.
    pub operation: String,
    /// The row's key.
    pub row_id: Option<String>,
    /// The changed columns before; null for an insert.
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    /// The changed columns after; null for a delete.
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
}

/// How the tenant's audit log stands: how far it is linked, signed and told elsewhere, and what is known to be wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct AuditChainView {
    /// The last position of the chain; 0 before it begins.
    pub position: i64,
    /// The last position under a signature; 0 for none.
    pub checkpoint_position: i64,
    /// When it was signed.
    pub checkpoint_at: Option<DateTime<Utc>>,
    /// Which key signed it: the first 8 bytes of the SHA-256 of the public key in hex.
    pub key_id: String,
    /// Each place that is told the log, in the order of their names.
    pub sinks: Vec<AuditSinkView>,
    /// What is known to be wrong, for people; empty when nothing is.
    pub problems: Vec<String>,
}

/// A place that is told the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct AuditSinkView {
    /// `file`, `syslog` or `webhook`.
    pub name: String,
    /// The last position that it was told; 0 for none.
    pub position: i64,
    /// When.
    pub exported_at: Option<DateTime<Utc>>,
}
