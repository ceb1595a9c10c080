//! Deciding about an incident: status, assignment, what was found out.

use chrono::{DateTime, Utc};
use serde_json::json;
use sg_db::WriteTx;
use sg_db::agents::is_live_member;
use sg_db::monitoring::{self, announce};
use sg_db::threats::{self as db, IncidentChange, LockedIncident, TimelineKind};
use sg_types::ThreatId;
use sg_types::api::threats::{IncidentDetail, UpdateIncident};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Characters of notes at most.
const MAX_NOTES_CHARS: usize = 10_000;

pub(super) async fn update_incident(
    state: &AppState,
    acting: &Acting,
    threat_id: ThreatId,
    body: UpdateIncident,
) -> ApiResult<IncidentDetail> {
    if body
        .resolution_notes
        .iter()
        .flatten()
        .any(|notes| notes.chars().count() > MAX_NOTES_CHARS)
    {
        return Err(ApiError::invalid_field(
            "resolution_notes",
            format!("is at most {MAX_NOTES_CHARS} characters"),
        ));
    }
    let mut event = acting.event(state, "incident.update");
    event.object = Some(("incident", threat_id.to_string()));
    let at = event.at;
    let mut tx = state.db.write(&acting.caller, at).await?;
    let incident = db::lock_incident(&mut tx, threat_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let change = decide(acting, &incident, &body, at)?;
    if let Some(user_id) = change.assigned_to
        && change.assigned_to != incident.assigned_to
        && !is_live_member(&mut tx, user_id, at).await?
    {
        return Err(ApiError::invalid_field(
            "assigned_to",
            "is nobody who may work in this tenant",
        ));
    }
    let changed = store(state, acting, &mut tx, &incident, &change, at).await?;
    let detail = db::find_incident(&mut tx, threat_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if changed {
        announce(
            &mut tx,
            &[monitoring::Change::incident(
                incident.tenant_id,
                threat_id,
                incident.owner,
            )],
        )
        .await?;
        tx.commit(event).await?;
    }
    Ok(detail)
}

/// The new values; closing says who and when, re-opening takes that back.
fn decide(
    acting: &Acting,
    incident: &LockedIncident,
    body: &UpdateIncident,
    at: DateTime<Utc>,
) -> ApiResult<IncidentChange> {
    let status = body.status.unwrap_or(incident.status);
    incident.status.check_transition(status)?;
    let (resolved_by, resolved_at) = match (status.is_closed(), incident.status.is_closed()) {
        (true, false) => (Some(acting.caller.user_id), Some(at)),
        (true, true) => (incident.resolved_by, incident.resolved_at),
        (false, _) => (None, None),
    };
    let notes = body
        .resolution_notes
        .clone()
        .map(|notes| notes.filter(|text| !text.trim().is_empty()));
    Ok(IncidentChange {
        status,
        assigned_to: body.assigned_to.unwrap_or(incident.assigned_to),
        resolved_by,
        resolved_at,
        resolution_notes: notes.unwrap_or_else(|| incident.resolution_notes.clone()),
    })
}

/// Stores what differs and says each step in the timeline. Returns whether anything differed.
async fn store(
    state: &AppState,
    acting: &Acting,
    tx: &mut WriteTx,
    incident: &LockedIncident,
    change: &IncidentChange,
    at: DateTime<Utc>,
) -> ApiResult<bool> {
    let mut steps = Vec::new();
    if change.assigned_to != incident.assigned_to {
        let detail = json!({ "before": incident.assigned_to, "after": change.assigned_to });
        // Whose name that is, is known once it is stored.
        steps.push((TimelineKind::Assignment, String::new(), detail));
    }
    if change.status != incident.status {
        let (before, after) = (incident.status, change.status);
        let summary = format!(
            "Status changed from {} to {}",
            words(before.as_str()),
            words(after.as_str())
        );
        steps.push((
            TimelineKind::Status,
            summary,
            json!({ "before": before, "after": after }),
        ));
    }
    if change.resolution_notes != incident.resolution_notes {
        let (before, after) = (&incident.resolution_notes, &change.resolution_notes);
        let detail = json!({ "text": after, "before": before, "after": after });
        steps.push((TimelineKind::Note, "Resolution notes changed".to_owned(), detail));
    }
    if steps.is_empty() {
        return Ok(false);
    }
    db::update_incident(tx, incident.threat_id, change).await?;
    for (kind, summary, detail) in steps {
        let summary = match kind {
            TimelineKind::Assignment => describe_assignment(tx, incident.threat_id).await?,
            TimelineKind::Status | TimelineKind::Note => summary,
        };
        let entry = (state.next_id(), at, summary, detail);
        db::add_entry(tx, incident, &acting.caller, kind, entry).await?;
    }
    Ok(true)
}

async fn describe_assignment(tx: &mut WriteTx, threat_id: ThreatId) -> ApiResult<String> {
    let incident = db::lock_incident(tx, threat_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    Ok(match (incident.assigned_to, incident.assigned_to_username) {
        (Some(_), Some(name)) => format!("Assigned to {name}"),
        (Some(user_id), None) => format!("Assigned to {user_id}"),
        (None, _) => "Assigned to nobody".to_owned(),
    })
}

fn words(status: &str) -> String {
    status.replace('_', " ")
}
