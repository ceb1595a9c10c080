//! Events are counted as they are stored.

use std::sync::Arc;

use sg_db::agents::ingest::SeenEvent;
use sg_db::threats::insert_correlation_matches;
use sg_db::{DbError, SystemTx};
use sg_detect::correlation::Correlator;
use sg_detect::{Event, Field};

use super::{Occurrence, to_match};
use crate::AppState;
use crate::threats::rules::{recorded, summarize};

/// Notes in the transaction that stores the events what they count for.
///
/// # Errors
/// What the database says.
pub async fn note_events(state: &AppState, tx: &mut SystemTx, events: Vec<SeenEvent>) -> Result<(), DbError> {
    let mut matches = Vec::new();
    let mut known: Option<(sg_types::TenantId, Option<Arc<Correlator>>)> = None;
    let now = state.now();
    for seen in events {
        let correlator = match &known {
            Some((tenant_id, correlator)) if *tenant_id == seen.tenant_id => correlator.clone(),
            _ => {
                let found = state
                    .rules
                    .correlator(tx, seen.tenant_id, seen.rules_version)
                    .await?;
                known = Some((seen.tenant_id, found.clone()));
                found
            }
        };
        let Some(correlator) = correlator else { continue };
        let of = (seen.event.event_id, seen.event.agent_id, seen.event.occurred_at);
        let Some(recorded) = recorded(seen.event) else {
            continue;
        };
        let mut event = Event::from(&recorded);
        // A log may be of many machines.
        if event.field(Field::ComputerName).is_none() {
            event.set(Field::ComputerName, &*seen.hostname);
        }
        let sightings = correlator.sight(&event);
        if sightings.is_empty() {
            continue;
        }
        let of = Occurrence {
            tenant_id: seen.tenant_id,
            event_id: of.0,
            agent_id: of.1,
            occurred_at: of.2,
            summary: summarize(&recorded),
        };
        matches.extend(sightings.into_iter().map(|sighting| to_match(sighting, &of, now)));
    }
    metrics::counter!("sg_correlation_matches_total")
        .increment(u64::try_from(matches.len()).unwrap_or(u64::MAX));
    insert_correlation_matches(tx, &matches).await
}
