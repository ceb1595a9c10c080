//! Legal holds: telemetry that must not expire.

use chrono::{DateTime, Utc};
use sg_types::{AgentId, HoldId, TenantId, UserId, api::agents::LegalHoldView};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads, WriteTx, tx::Connection, users::After};

/// A hold to place.
#[derive(Debug, Clone)]
pub struct NewHold<'a> {
    /// Its id.
    pub hold_id: HoldId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The endpoint; the whole tenant when none.
    pub agent_id: Option<AgentId>,
    /// Begin of the range.
    pub from_at: DateTime<Utc>,
    /// End of the range; open when none.
    pub to_at: Option<DateTime<Utc>>,
    /// Why, 1–2000 characters.
    pub reason: &'a str,
    /// Who places it.
    pub placed_by: UserId,
    /// When.
    pub placed_at: DateTime<Utc>,
}

/// Holds of the caller's tenant, newest first, released ones too.
///
/// # Errors
/// What a query may meet.
pub async fn list_holds(
    tx: &mut impl Reads,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<LegalHoldView>, DbError> {
    sqlx::query(
        "select hold_id, agent_id, from_at, to_at, reason, placed_by, placed_at, released_by, released_at
         from agents.legal_holds
         where $1::timestamptz is null or (placed_at, hold_id) < ($1, $2)
         order by placed_at desc, hold_id desc
         limit $3",
    )
    .bind(after.map(|after| after.at))
    .bind(after.map(|after| after.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

/// Places a hold. Waits for a drop that is under way; what that takes is gone, what is left is held from the commit on.
///
/// # Errors
/// [`DbError::MissingReference`] for an endpoint that is not the tenant's, [`DbError::InvalidValue`] for a range or reason that is none.
pub async fn place_hold(tx: &mut WriteTx, hold: &NewHold<'_>) -> Result<LegalHoldView, DbError> {
    let row = sqlx::query(
        "insert into agents.legal_holds (hold_id, tenant_id, agent_id, from_at, to_at, reason, placed_by, placed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         returning hold_id, agent_id, from_at, to_at, reason, placed_by, placed_at, released_by, released_at",
    )
    .bind(Uuid::from(hold.hold_id))
    .bind(Uuid::from(hold.tenant_id))
    .bind(hold.agent_id.map(Uuid::from))
    .bind(hold.from_at)
    .bind(hold.to_at)
    .bind(hold.reason)
    .bind(Uuid::from(hold.placed_by))
    .bind(hold.placed_at)
    .fetch_one(tx.conn())
    .await?;
    view(&row)
}

/// Releases a hold; the second word tells whether it was held until then. None when the tenant has no such hold.
///
/// # Errors
/// What a query may meet.
pub async fn release_hold(
    tx: &mut WriteTx,
    hold_id: HoldId,
    by: UserId,
    at: DateTime<Utc>,
) -> Result<Option<(LegalHoldView, bool)>, DbError> {
    let released = sqlx::query(
        "update agents.legal_holds set released_by = $2, released_at = greatest($3, placed_at)
         where hold_id = $1 and released_at is null
         returning hold_id, agent_id, from_at, to_at, reason, placed_by, placed_at, released_by, released_at",
    )
    .bind(Uuid::from(hold_id))
    .bind(Uuid::from(by))
    .bind(at)
    .fetch_optional(tx.conn())
    .await?;
    if let Some(row) = released {
        return Ok(Some((view(&row)?, true)));
    }
    sqlx::query(
        "select hold_id, agent_id, from_at, to_at, reason, placed_by, placed_at, released_by, released_at
         from agents.legal_holds where hold_id = $1",
    )
    .bind(Uuid::from(hold_id))
    .fetch_optional(tx.conn())
    .await?
    .map(|row| Ok((view(&row)?, false)))
    .transpose()
}

fn view(row: &PgRow) -> Result<LegalHoldView, DbError> {
    Ok(LegalHoldView {
        hold_id: HoldId(row.try_get("hold_id")?),
        agent_id: row.try_get::<Option<Uuid>, _>("agent_id")?.map(AgentId),
        from_at: row.try_get("from_at")?,
        to_at: row.try_get("to_at")?,
        reason: row.try_get("reason")?,
        placed_by: UserId(row.try_get("placed_by")?),
        placed_at: row.try_get("placed_at")?,
        released_by: row.try_get::<Option<Uuid>, _>("released_by")?.map(UserId),
        released_at: row.try_get("released_at")?,
    })
}
