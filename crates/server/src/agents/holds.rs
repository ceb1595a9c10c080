//! Legal holds: placing and releasing them.

use chrono::{DateTime, Datelike, Utc};
use sg_db::DbError;
use sg_db::agents::{self as db, NewHold};
use sg_types::HoldId;
use sg_types::api::agents::{LegalHoldView, PlaceHold};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Characters of a reason (`agents.legal_holds.reason`).
const MAX_REASON_CHARS: usize = 2_000;

pub(super) async fn place_hold(
    state: &AppState,
    acting: &Acting,
    body: PlaceHold,
) -> ApiResult<LegalHoldView> {
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS || reason.contains('\0') {
        return Err(ApiError::invalid_field(
            "reason",
            "is 1–2000 characters that say why",
        ));
    }
    let is_storable = |at: DateTime<Utc>| (1..=9999).contains(&at.year());
    if !is_storable(body.from_at) {
        return Err(ApiError::invalid_field("from_at", "is within the years 1–9999"));
    }
    if body
        .to_at
        .is_some_and(|to| !is_storable(to) || to <= body.from_at)
    {
        return Err(ApiError::invalid_field(
            "to_at",
            "is later than `from_at`, within the years 1–9999",
        ));
    }
    let hold_id: HoldId = state.next_id();
    let mut event = acting.event(state, "legal_hold.place");
    event.object = Some(("legal_hold", hold_id.to_string()));
    event.reason = Some(reason.to_owned());
    let hold = NewHold {
        hold_id,
        tenant_id: acting.caller.tenant_id,
        agent_id: body.agent_id,
        from_at: body.from_at,
        to_at: body.to_at,
        reason,
        placed_by: acting.caller.user_id,
        placed_at: event.at,
    };
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    let view = db::place_hold(&mut tx, &hold)
        .await
        .map_err(|error| match error {
            DbError::MissingReference { constraint } if constraint == "legal_holds_agent_id_fkey" => {
                ApiError::invalid_field("agent_id", "is no endpoint of this tenant")
            }
            other => other.into(),
        })?;
    tx.commit(event).await?;
    Ok(view)
}

/// Releasing what is released changes nothing.
pub(super) async fn release_hold(
    state: &AppState,
    acting: &Acting,
    hold_id: HoldId,
) -> ApiResult<LegalHoldView> {
    let mut event = acting.event(state, "legal_hold.release");
    event.object = Some(("legal_hold", hold_id.to_string()));
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    let (view, changed) = db::release_hold(&mut tx, hold_id, acting.caller.user_id, event.at)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if changed {
        tx.commit(event).await?;
    }
    Ok(view)
}
