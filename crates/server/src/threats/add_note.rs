//! Noting something on an incident.

use serde_json::json;
use sg_db::monitoring::{Change, announce};
use sg_db::threats::{self as db, TimelineKind};
use sg_types::ThreatId;
use sg_types::api::threats::{AddNote, TimelineEntry};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::extract::JsonBody;

/// Characters of a note at most.
const MAX_NOTE_CHARS: usize = 10_000;

/// Adds a note. Whether the incident is the caller's to see is answered before whether the body is right.
pub(super) async fn add_note(
    state: &AppState,
    acting: &Acting,
    threat_id: ThreatId,
    body: ApiResult<JsonBody<AddNote>>,
) -> ApiResult<TimelineEntry> {
    let mut event = acting.event(state, "incident.note");
    event.object = Some(("incident", threat_id.to_string()));
    let at = event.at;
    let mut tx = state.db.write(&acting.caller, at).await?;
    let incident = db::lock_incident(&mut tx, threat_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let JsonBody(body) = body?;
    if body.text.trim().is_empty() || body.text.chars().count() > MAX_NOTE_CHARS {
        return Err(ApiError::invalid_field(
            "text",
            format!("is 1–{MAX_NOTE_CHARS} characters"),
        ));
    }
    let entry = (
        state.next_id(),
        at,
        "Note".to_owned(),
        json!({ "text": body.text }),
    );
    let entry = db::add_entry(&mut tx, &incident, &acting.caller, TimelineKind::Note, entry).await?;
    announce(
        &mut tx,
        &[Change::incident(incident.tenant_id, threat_id, incident.owner)],
    )
    .await?;
    tx.commit(event).await?;
    Ok(entry)
}
