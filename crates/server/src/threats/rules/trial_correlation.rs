//! What a correlation would have found among the stored events: they are counted as they are read, and judged at the end.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sg_db::threats::{load_own_texts, name_endpoints};
use sg_detect::correlation::{Correlation, Correlator, Counted};
use sg_detect::{Event, Field};
use sg_types::AgentId;
use sg_types::agent::Event as RecordedEvent;
use sg_types::api::rules::RuleTrialExample;
use uuid::Uuid;

use super::trial::{Tally, summarize};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Events that are counted at most; a correlation that counts more says enough by then.
const MAX_COUNTED: usize = 500_000;

/// A correlation with the rules that it is about.
pub(super) struct Correlated {
    correlator: Correlator,
    rule_id: String,
}

/// An event that counts.
pub(super) struct CountedEvent {
    event_id: Uuid,
    agent_id: AgentId,
    group: Vec<String>,
    counted: Counted,
    kind: String,
    summary: String,
}

/// What counts, in no order.
#[derive(Default)]
pub(super) struct CountedEvents(Vec<CountedEvent>);

/// Stands for the host name while events are counted: it is looked up once for each endpoint at the end.
fn stand_in(agent_id: AgentId) -> String {
    format!("\u{1f}{agent_id}")
}

/// Compiles a correlation together with the rules of the pack and of the tenant.
pub(super) async fn prepare(
    state: &AppState,
    acting: &Acting,
    rule_id: String,
    text: String,
) -> ApiResult<Correlated> {
    let pack = state.rules.current(state).await?.clone();
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    let mut own = load_own_texts(&mut tx, acting.caller.tenant_id).await?;
    drop(tx);
    let id = rule_id.clone();
    let correlator = state
        .rules
        .run(move || {
            own.rules.retain(|rule| rule.name != id);
            own.rules.push(sg_detect::RuleSource {
                kind: sg_types::RuleKind::Sigma,
                name: "rule".to_owned(),
                text,
            });
            super::correlators::compile(&pack.pack, &own)
        })
        .await?
        .filter(|correlator| correlator.find(&rule_id).is_some());
    let correlator: Correlator =
        correlator.ok_or_else(|| ApiError::invalid_field("text", "has the id of another correlation"))?;
    let tried = correlator.find(&rule_id);
    let goes_by = |other: &Correlation, reference: &String| {
        other.info.id == *reference || other.name.as_ref() == Some(reference)
    };
    let is_about_another = tried.is_some_and(|tried| {
        let mut others = correlator.correlations().iter();
        others.any(|other| tried.rules.iter().any(|reference| goes_by(other, reference)))
    });
    if is_about_another {
        return Err(ApiError::invalid_field(
            "text",
            "is about another correlation, whose episodes are not among the stored events; try that one",
        ));
    }
    Ok(Correlated { correlator, rule_id })
}

impl Correlated {
    /// Counts an event.
    pub(super) fn count(
        &self,
        counted: &mut CountedEvents,
        (event_id, agent_id, at): (Uuid, AgentId, DateTime<Utc>),
        kind: &str,
        recorded: &RecordedEvent,
    ) {
        let mut event = Event::from(recorded);
        if event.field(Field::ComputerName).is_none() {
            event.set(Field::ComputerName, stand_in(agent_id));
        }
        let of_this = self
            .correlator
            .sight(&event)
            .into_iter()
            .filter(|sighting| sighting.correlation.info.id == self.rule_id);
        for sighting in of_this {
            if counted.0.len() >= MAX_COUNTED {
                return;
            }
            counted.0.push(CountedEvent {
                event_id,
                agent_id,
                group: sighting.group,
                counted: Counted {
                    position: sighting.position,
                    at,
                    value: sighting.value,
                },
                kind: kind.to_owned(),
                summary: summarize(recorded),
            });
        }
    }

    /// Finds the episodes of what was counted.
    pub(super) fn judge(&self, tally: &mut Tally, names: &BTreeMap<AgentId, String>, now: DateTime<Utc>) {
        let Some(correlation) = self.correlator.find(&self.rule_id) else {
            return;
        };
        let mut groups: BTreeMap<Vec<String>, Vec<CountedEvent>> = BTreeMap::new();
        for mut one in std::mem::take(&mut tally.counted.0) {
            let placeholder = stand_in(one.agent_id);
            for value in one.group.iter_mut().filter(|value| **value == placeholder) {
                *value = names.get(&one.agent_id).cloned().unwrap_or_default();
            }
            groups.entry(one.group.clone()).or_default().push(one);
        }
        for (group, mut events) in groups {
            events.sort_by_key(|one| (one.counted.at, one.counted.position, one.event_id));
            let counted: Vec<Counted> = events.iter().map(|one| one.counted.clone()).collect();
            for episode in correlation.find_episodes(&counted, now) {
                let Some(last) = events.get(episode.last) else {
                    continue;
                };
                tally.add(RuleTrialExample {
                    event_id: last.event_id,
                    agent_id: last.agent_id,
                    hostname: None,
                    occurred_at: last.counted.at,
                    kind: last.kind.clone(),
                    summary: last.summary.clone(),
                    explanation: correlation.explain(&group, episode.figure),
                    evidence: serde_json::Value::Array(Vec::new()),
                });
            }
        }
    }
}

/// The host names of the endpoints that counted.
pub(super) async fn name_hosts(
    state: &AppState,
    acting: &Acting,
    counted: &CountedEvents,
) -> ApiResult<BTreeMap<AgentId, String>> {
    let agents: BTreeSet<AgentId> = counted.0.iter().map(|one| one.agent_id).collect();
    let agents: Vec<AgentId> = agents.into_iter().collect();
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    Ok(name_endpoints(&mut tx, &agents).await?.into_iter().collect())
}
