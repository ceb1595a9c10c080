//! What the server itself adds to a chain, signed: what was removed lawfully, and where history was found changed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sg_db::audit::ChainRecord;
use sg_types::TenantId;
use uuid::Uuid;

use super::canonical::{RECORD_CONTEXT, record_message};
use crate::signing::{AuditSigner, AuditVerifier};

/// A record's content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// The rows of one table and time were dropped, because they were past their retention.
    Retention {
        /// Schema and name of the table.
        table: String,
        /// From this time on.
        from: DateTime<Utc>,
        /// Before this time.
        to: DateTime<Utc>,
        /// How many rows of the tenant went.
        rows: i64,
    },
    /// Everything of the tenant was removed.
    Erasure {
        /// The chain's last position before; the record has the next one.
        last_position: i64,
        /// The link there, in hex.
        last_link: String,
        /// How many rows went from which table of the product, the audit log left out.
        rows: Vec<(String, u64)>,
    },
    /// The database was found with another history than the one that was signed: an older backup was restored, or somebody changed it.
    Fork {
        /// The tenant whose chain it is about, where that tenant is not even there any more; its record is in the system tenant's chain then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<TenantId>,
        /// The last position that this server knew as signed.
        known_position: i64,
        /// The link there, in hex.
        known_link: String,
        /// When it was signed.
        known_at: DateTime<Utc>,
        /// Where the chain ended instead.
        found_position: i64,
        /// The link there, in hex.
        found_link: String,
    },
}

impl Record {
    /// The word in the table.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Retention { .. } => "retention",
            Self::Erasure { .. } => "erasure",
            Self::Fork { .. } => "fork",
        }
    }

    /// The signed row.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn sign(
        &self,
        signer: &AuditSigner,
        record_id: Uuid,
        tenant_id: TenantId,
        at: DateTime<Utc>,
    ) -> Result<ChainRecord, serde_json::Error> {
        let body = serde_json::to_string(self)?;
        let at = to_microseconds(at);
        let message = record_message(record_id, tenant_id, at, self.kind(), &body);
        Ok(ChainRecord {
            record_id,
            tenant_id,
            at,
            kind: self.kind(),
            key_id: signer.verifier().key_id(),
            signature: signer.sign(RECORD_CONTEXT, &message).to_vec(),
            body,
        })
    }
}

/// A record's row as the chain has it: the columns of `audit.chain_records`.
#[derive(Debug)]
pub(super) struct RecordRow {
    pub(super) record_id: Uuid,
    pub(super) tenant_id: TenantId,
    pub(super) at: DateTime<Utc>,
    pub(super) kind: String,
    pub(super) body: String,
    pub(super) signature: Vec<u8>,
}

impl RecordRow {
    /// The record, when the signature holds and the body can be read.
    pub(super) fn verify(&self, verifier: &AuditVerifier) -> Result<Record, &'static str> {
        let message = record_message(self.record_id, self.tenant_id, self.at, &self.kind, &self.body);
        if !verifier.believes(RECORD_CONTEXT, &message, &self.signature) {
            return Err("the signature of a retention, erasure or fork record does not hold");
        }
        serde_json::from_str(&self.body).map_err(|_| "a signed record cannot be read by this version")
    }
}

/// As PostgreSQL keeps times.
pub(super) fn to_microseconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
