//! The audit log: who did what, and which rows changed by it.

mod chain;
mod doubts;
mod events;
mod exports;
mod removal;
mod tables;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use sg_types::{EventId, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

pub use chain::{
    ChainEntry, ChainRecord, Checkpoint, Hash, Head, Unsealed, append_links, insert_checkpoints,
    insert_record, list_heads, list_unsigned_heads, read_chain, read_checkpoints, take_unsealed,
};
pub use doubts::{count_forks, count_unsealed, list_audited_tenants, list_forks, list_unchained_rows};
pub use events::{EventFilter, list_events};
pub use exports::{
    ExportPosition, Unexported, list_export_positions, list_unexported, rewind_exports, store_export_position,
};
pub use removal::{
    AuditPartition, complete_erasure, count_holds, count_rows_by_tenant, delete_tenant_rows, drop_partition,
    erase_audit_rows, find_tenant_by_slug, list_partitions_before, mark_tenant_erased,
};
pub use tables::{AuditTable, FieldKind, StoredRow, read_rows};

use crate::{Caller, DbError, Proof};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `user`, `api_key`, `agent`, `system` or `anonymous`.
    pub kind: &'static str,
    /// The actor's id: the user's for a user and for a key of theirs.
    pub id: Option<Uuid>,
    /// The name at this time.
    pub name: Option<String>,
}

impl Actor {
    /// The product itself, named by the job that runs.
    pub fn system(job: &str) -> Self {
        Self {
            kind: "system",
            id: None,
            name: Some(job.to_owned()),
        }
    }

    /// Somebody who has not proved who they are.
    pub fn anonymous() -> Self {
        Self {
            kind: "anonymous",
            id: None,
            name: None,
        }
    }

    /// An agent.
    pub fn agent(id: impl Into<Uuid>, hostname: &str) -> Self {
        Self {
            kind: "agent",
            id: Some(id.into()),
            name: Some(hostname.to_owned()),
        }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self {
            kind: match caller.proof {
                Proof::Session(_) => "user",
                Proof::ApiKey(_) => "api_key",
            },
            id: Some(caller.user_id.into()),
            name: Some(caller.username.clone()),
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Success,
    /// Tried and failed.
    Failure,
    /// Not allowed.
    Denied,
}

/// One entry of the audit log.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// The entry's id.
    pub event_id: EventId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: Actor,
    /// What, as `noun.verb`: `incident.update`, `session.create`.
    pub action: &'static str,
    /// To what kind of object, and which.
    pub object: Option<(&'static str, String)>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it is known.
    pub reason: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The caller's address.
    pub address: Option<IpAddr>,
}

pub(crate) async fn insert_event(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    event: &AuditEvent,
) -> Result<(), DbError> {
    let (object_kind, object_id) = event.object.clone().unzip();
    sqlx::query(
        "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_id, actor_name, action, object_kind, object_id,
            outcome, reason, request_id, address)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(Uuid::from(event.event_id))
    .bind(Uuid::from(tenant_id))
    .bind(event.at)
    .bind(event.actor.kind)
    .bind(event.actor.id.map(|id| id.to_string()))
    .bind(event.actor.name.as_deref())
    .bind(event.action)
    .bind(object_kind)
    .bind(object_id)
    .bind(match event.outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Denied => "denied",
    })
    .bind(event.reason.as_deref())
    .bind(event.request_id.as_deref())
    .bind(event.address.map(IpNetwork::from))
    .execute(conn)
    .await?;
    Ok(())
}
