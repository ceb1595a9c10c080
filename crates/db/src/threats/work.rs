//! Work on an incident: its row is locked first, so that two analysts never overwrite each other unseen.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sg_types::{AgentId, IncidentStatus, TenantId, ThreatId, UserId, api::threats::TimelineEntry};
use sqlx::Row;
use uuid::Uuid;

use crate::{Caller, DbError, WriteTx, tx::Connection};

/// An incident that nobody else changes until the transaction ends.
#[derive(Debug, Clone)]
pub struct LockedIncident {
    /// The incident.
    pub threat_id: ThreatId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its endpoint.
    pub agent_id: AgentId,
    /// Whose endpoint that is.
    pub owner: Option<UserId>,
    /// Where it stands.
    pub status: IncidentStatus,
    /// Who works on it.
    pub assigned_to: Option<UserId>,
    /// That person's user name.
    pub assigned_to_username: Option<String>,
    /// Who closed it.
    pub resolved_by: Option<UserId>,
    /// When it was closed.
    pub resolved_at: Option<DateTime<Utc>>,
    /// What was found out.
    pub resolution_notes: Option<String>,
}

/// The new values of everything that people decide about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it stands.
    pub status: IncidentStatus,
    /// Who works on it.
    pub assigned_to: Option<UserId>,
    /// Who closed it.
    pub resolved_by: Option<UserId>,
    /// When it was closed.
    pub resolved_at: Option<DateTime<Utc>>,
    /// What was found out.
    pub resolution_notes: Option<String>,
}

/// What kind of step a person's entry in the timeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimelineKind {
    /// The status was changed.
    Status,
    /// It was assigned or taken back.
    Assignment,
    /// Something was noted.
    Note,
}

impl TimelineKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Assignment => "assignment",
            Self::Note => "note",
        }
    }
}

/// Locks an incident; none when the caller's tenant (and scope) has no such one.
///
/// # Errors
/// [`DbError::Busy`] when somebody else holds it for too long.
pub async fn lock_incident(tx: &mut WriteTx, threat_id: ThreatId) -> Result<Option<LockedIncident>, DbError> {
    let row = sqlx::query(
        "select i.threat_id, i.tenant_id, i.agent_id, e.user_id as owner, i.status, i.assigned_to, a.username as assigned_to_username,
            i.resolved_by, i.resolved_at, i.resolution_notes
         from threats.incidents i
         join agents.endpoints e on e.agent_id = i.agent_id
         left join users.users a on a.user_id = i.assigned_to
         where i.threat_id = $1
         for update of i",
    )
    .bind(Uuid::from(threat_id))
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(LockedIncident {
            threat_id: ThreatId(row.try_get("threat_id")?),
            tenant_id: TenantId(row.try_get("tenant_id")?),
            agent_id: AgentId(row.try_get("agent_id")?),
            owner: user(&row, "owner")?,
            status: row.try_get::<String, _>("status")?.parse()?,
            assigned_to: user(&row, "assigned_to")?,
            assigned_to_username: row.try_get("assigned_to_username")?,
            resolved_by: user(&row, "resolved_by")?,
            resolved_at: row.try_get("resolved_at")?,
            resolution_notes: row.try_get("resolution_notes")?,
        })
    })
    .transpose()
}

/// Stores what was decided.
///
/// # Errors
/// [`DbError::MissingReference`] when a person is no member of the tenant.
pub async fn update_incident(tx: &mut WriteTx, threat_id: ThreatId, change: &Change) -> Result<(), DbError> {
    sqlx::query(
        "update threats.incidents
         set status = $2, assigned_to = $3, resolved_by = $4, resolved_at = $5, resolution_notes = $6
         where threat_id = $1",
    )
    .bind(Uuid::from(threat_id))
    .bind(change.status.as_str())
    .bind(change.assigned_to.map(Uuid::from))
    .bind(change.resolved_by.map(Uuid::from))
    .bind(change.resolved_at)
    .bind(change.resolution_notes.as_deref())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds a person's step to an incident's timeline.
///
/// # Errors
/// What a query may meet.
pub async fn add_entry(
    tx: &mut WriteTx,
    incident: &LockedIncident,
    caller: &Caller,
    kind: TimelineKind,
    entry: (Uuid, DateTime<Utc>, String, Value),
) -> Result<TimelineEntry, DbError> {
    let (entry_id, at, summary, detail) = entry;
    sqlx::query(
        "insert into threats.incident_timeline (entry_id, tenant_id, threat_id, at, kind, actor_user_id, actor_name, summary, detail)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(entry_id)
    .bind(Uuid::from(incident.tenant_id))
    .bind(Uuid::from(incident.threat_id))
    .bind(at)
    .bind(kind.as_str())
    .bind(Uuid::from(caller.user_id))
    .bind(&caller.username)
    .bind(&summary)
    .bind(&detail)
    .execute(tx.conn())
    .await?;
    Ok(TimelineEntry {
        at,
        kind: kind.as_str().to_owned(),
        actor: Some(caller.username.clone()),
        summary,
        detail,
    })
}

fn user(row: &sqlx::postgres::PgRow, column: &str) -> Result<Option<UserId>, DbError> {
    Ok(row.try_get::<Option<Uuid>, _>(column)?.map(UserId))
}
