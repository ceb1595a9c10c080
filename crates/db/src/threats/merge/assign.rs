//! Which incident each finding belongs to. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Duration, Utc};
use sg_types::{
    AgentId, DetectionEngine, FindingId, Ids, Severity, TenantId, ThreatId, UserId,
    agent::{Finding, Subject},
};

use super::{
    score::{Score, Verdicts, score},
    subject::{self, SubjectKeys},
};
use crate::{
    agents::ingest::PlacedFinding,
    monitoring::{Change, IncidentNews},
};

/// After this time without a match, the next one is worth a line in the timeline.
const QUIET: Duration = Duration::hours(1);

pub(super) type SubjectKey = (AgentId, String);

/// What is open at the endpoints concerned.
#[derive(Debug, Default)]
pub(super) struct OpenState {
    pub(super) subjects: HashMap<SubjectKey, (ThreatId, DateTime<Utc>)>,
    pub(super) incidents: HashMap<ThreatId, OpenIncident>,
    pub(super) findings: HashMap<(ThreatId, String), KnownFinding>,
}

#[derive(Debug, Clone)]
pub(super) struct OpenIncident {
    pub(super) severity: Severity,
    /// The rules that matched so far, with their priors.
    pub(super) rules: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct KnownFinding {
    pub(super) finding_id: FindingId,
    pub(super) occurrence_count: i64,
    pub(super) last_seen_at: DateTime<Utc>,
}

/// Everything that is to be written.
#[derive(Debug, Default)]
pub(super) struct Drafts<'a> {
    pub(super) incidents: BTreeMap<ThreatId, IncidentDraft<'a>>,
    pub(super) findings: BTreeMap<(ThreatId, String), FindingDraft<'a>>,
    pub(super) occurrences: Vec<(FindingId, FindingId, TenantId, DateTime<Utc>)>,
    pub(super) subjects: BTreeMap<SubjectKey, (TenantId, ThreatId, DateTime<Utc>)>,
    pub(super) timeline: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct IncidentDraft<'a> {
    /// The finding that opened it; none for one that was open already.
    pub(super) opened_by: Option<&'a PlacedFinding>,
    pub(super) tenant_id: TenantId,
    pub(super) owner: Option<UserId>,
    /// How severe it was before, or as its first finding says.
    pub(super) severity_before: Severity,
    pub(super) severity: Severity,
    pub(super) rules: BTreeMap<String, f64>,
    /// Whether another rule has matched than before, so that it has to be scored anew.
    pub(super) rules_changed: bool,
    pub(super) score: Option<Score>,
    pub(super) occurrences: i64,
    pub(super) detected_at: DateTime<Utc>,
    pub(super) last_detected_at: DateTime<Utc>,
    /// SHA-256 of the file or program, where a finding tells it.
    pub(super) hash: Option<&'a str>,
}

#[derive(Debug)]
pub(super) struct FindingDraft<'a> {
    pub(super) finding_id: FindingId,
    pub(super) placed: &'a PlacedFinding,
    pub(super) occurrences: i64,
    pub(super) first_seen_at: DateTime<Utc>,
    pub(super) last_seen_at: DateTime<Utc>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) entry_id: uuid::Uuid,
    pub(super) tenant_id: TenantId,
    pub(super) threat_id: ThreatId,
    pub(super) at: DateTime<Utc>,
    pub(super) kind: &'static str,
    pub(super) summary: String,
    pub(super) detail: serde_json::Value,
}

/// Places each finding, in their order.
pub(super) fn assign<'a>(
    new: &[&'a PlacedFinding],
    state: &mut OpenState,
    window: Duration,
    ids: &dyn Ids,
) -> Drafts<'a> {
    let mut drafts = Drafts::default();
    let mut seen = BTreeSet::new();
    for placed in new.iter().filter(|placed| seen.insert(placed.occurrence_id)) {
        let keys = subject::keys(&placed.finding);
        let threat_id = find_open(placed, &keys, state, window);
        let threat_id = drafts.add_to_incident(placed, threat_id, state, ids);
        for key in keys.own {
            let known = state
                .subjects
                .entry((placed.agent_id, key.clone()))
                .or_insert((threat_id, placed.at));
            *known = (threat_id, known.1.max(placed.at));
            drafts
                .subjects
                .insert((placed.agent_id, key), (placed.tenant_id, threat_id, known.1));
        }
        drafts.add_finding(placed, threat_id, keys.fingerprint, state, ids);
    }
    drafts
}

fn find_open(
    placed: &PlacedFinding,
    keys: &SubjectKeys,
    state: &OpenState,
    window: Duration,
) -> Option<ThreatId> {
    keys.own.iter().chain(&keys.lookups).find_map(|key| {
        let (threat_id, last_seen_at) = state.subjects.get(&(placed.agent_id, key.clone()))?;
        let near = (placed.at - *last_seen_at).abs() < window;
        (near && state.incidents.contains_key(threat_id)).then_some(*threat_id)
    })
}

impl<'a> Drafts<'a> {
    fn add_to_incident(
        &mut self,
        placed: &'a PlacedFinding,
        found: Option<ThreatId>,
        state: &mut OpenState,
        ids: &dyn Ids,
    ) -> ThreatId {
        let finding = &placed.finding;
        let threat_id = found.unwrap_or_else(|| ThreatId(ids.next()));
        let open = state.incidents.entry(threat_id).or_insert_with(|| OpenIncident {
            severity: finding.severity,
            rules: BTreeMap::new(),
        });
        let severity_before = open.severity;
        let rules_changed = !open.rules.contains_key(&finding.rule_id);
        open.rules.insert(finding.rule_id.clone(), finding.confidence);
        open.severity = open.severity.max(finding.severity);
        let draft = self.incidents.entry(threat_id).or_insert_with(|| IncidentDraft {
            opened_by: found.is_none().then_some(placed),
            tenant_id: placed.tenant_id,
            owner: placed.owner,
            severity_before,
            severity: open.severity,
            rules: BTreeMap::new(),
            rules_changed: false,
            score: None,
            occurrences: 0,
            detected_at: placed.at,
            last_detected_at: placed.at,
            hash: None,
        });
        draft.severity = open.severity;
        draft.rules.clone_from(&open.rules);
        draft.rules_changed |= rules_changed;
        draft.occurrences += 1;
        draft.detected_at = draft.detected_at.min(placed.at);
        draft.last_detected_at = draft.last_detected_at.max(placed.at);
        draft.hash = draft.hash.or_else(|| hash_of(finding));
        threat_id
    }

    fn add_finding(
        &mut self,
        placed: &'a PlacedFinding,
        threat_id: ThreatId,
        fingerprint: String,
        state: &mut OpenState,
        ids: &dyn Ids,
    ) {
        let key = (threat_id, fingerprint);
        let known = state.findings.get(&key).copied();
        let finding_id = known.map_or_else(|| FindingId(ids.next()), |known| known.finding_id);
        let draft = self.findings.entry(key.clone()).or_insert_with(|| FindingDraft {
            finding_id,
            placed,
            occurrences: 0,
            first_seen_at: placed.at,
            last_seen_at: placed.at,
        });
        draft.occurrences += 1;
        draft.first_seen_at = draft.first_seen_at.min(placed.at);
        draft.last_seen_at = draft.last_seen_at.max(placed.at);
        self.occurrences
            .push((placed.occurrence_id, finding_id, placed.tenant_id, placed.at));
        let count = known.map_or(0, |known| known.occurrence_count) + 1;
        let quiet = known.is_some_and(|known| placed.at - known.last_seen_at >= QUIET);
        if let Some((kind, summary)) = describe(&placed.finding, count, quiet) {
            self.timeline.push(Entry {
                entry_id: ids.next(),
                tenant_id: placed.tenant_id,
                threat_id,
                at: placed.at,
                kind,
                summary,
                detail: serde_json::json!({ "finding_id": finding_id, "rule_id": placed.finding.rule_id, "occurrence_count": count }),
            });
        }
        let last_seen_at = known.map_or(placed.at, |known| known.last_seen_at.max(placed.at));
        state.findings.insert(
            key,
            KnownFinding {
                finding_id,
                occurrence_count: count,
                last_seen_at,
            },
        );
    }

    /// The rules whose verdicts are needed, by tenant.
    pub(super) fn rules_to_judge(&self) -> BTreeSet<(TenantId, String)> {
        let changed = self.incidents.values().filter(|draft| draft.rules_changed);
        changed
            .flat_map(|draft| draft.rules.keys().map(|rule| (draft.tenant_id, rule.clone())))
            .collect()
    }

    pub(super) fn judge(&mut self, verdicts: &HashMap<(TenantId, String), Verdicts>) {
        for draft in self.incidents.values_mut().filter(|draft| draft.rules_changed) {
            let tenant_id = draft.tenant_id;
            draft.score = Some(score(&draft.rules, |rule| {
                verdicts
                    .get(&(tenant_id, rule.to_owned()))
                    .copied()
                    .unwrap_or_default()
            }));
        }
    }

    /// The incidents that people are to be told of: those that were opened, and those that became more severe.
    pub(super) fn news(&self) -> Vec<IncidentNews> {
        let all = self.incidents.iter();
        all.filter_map(|(threat_id, draft)| {
            let raised = draft.severity > draft.severity_before;
            (draft.opened_by.is_some() || raised).then_some(IncidentNews {
                threat_id: *threat_id,
                raised_to: draft.opened_by.is_none().then_some(draft.severity),
            })
        })
        .collect()
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        self.incidents
            .iter()
            .map(|(threat_id, draft)| Change::incident(draft.tenant_id, *threat_id, draft.owner))
            .collect()
    }
}

/// The line for the timeline: the first match, the 10th, 100th, … and one after a quiet time.
fn describe(finding: &Finding, count: i64, quiet: bool) -> Option<(&'static str, String)> {
    if count == 1 {
        return Some((
            "finding",
            format!("{} matched: {}", engine_words(finding.engine), finding.rule_name),
        ));
    }
    let milestone = count >= 10 && 10_i64.pow(count.ilog10()) == count;
    (milestone || quiet).then(|| {
        (
            "repeat",
            format!("{} matched again, {count} times in all", finding.rule_name),
        )
    })
}

fn hash_of(finding: &Finding) -> Option<&str> {
    match &finding.subject {
        Subject::File(file) => file.sha256.as_deref(),
        Subject::Process(process) => process.sha256.as_deref(),
        Subject::Endpoint => None,
    }
}

fn engine_words(engine: DetectionEngine) -> &'static str {
    match engine {
        DetectionEngine::Sigma => "Sigma rule",
        DetectionEngine::Yara => "YARA rule",
        DetectionEngine::Indicator => "Indicator",
        DetectionEngine::Server => "The server's own rule",
    }
}
