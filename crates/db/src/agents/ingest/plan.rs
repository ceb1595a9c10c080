//! What a group of check-ins adds to each table. Pure: everything that can go wrong here is tested without a database.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Duration, SubsecRound, TimeZone, Utc};
use serde_json::{Value, json};
use sg_types::{
    DetectionEngine, FindingId, Ids, Severity,
    agent::{Finding, Subject},
};
use uuid::Uuid;

use super::{
    LATE_DAYS, NewBody, NewCheckIn, NewGap, NewMetrics, NewRecord, Outcome, PlacedFinding,
    coverage::{EndedGap, Return, explain_return, find_weak_spots, weak_spot},
    endpoint_change,
    read::{Agent, Stream, StreamKey},
};
use crate::monitoring::Change;

/// How far ahead of the server a record may be dated.
const FUTURE: Duration = Duration::minutes(1);
/// How old the documented `last_seen` may grow while an endpoint is online.
const LAST_SEEN_LAG: Duration = Duration::hours(1);

/// Rows to write.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) streams: Vec<(StreamKey, Uuid, Stream)>,
    pub(crate) heartbeats: Vec<Heartbeat>,
    pub(crate) endpoints: Vec<(Uuid, String)>,
    pub(crate) metrics: Vec<MetricsRow>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) gaps: Vec<GapRow>,
    pub(crate) ended: Vec<EndedGap>,
    pub(crate) returns: Vec<Return>,
    pub(crate) findings: Vec<PlacedFinding>,
    pub(crate) changes: Vec<Change>,
}

#[derive(Debug)]
pub(crate) struct Heartbeat {
    pub(crate) agent_id: Uuid,
    pub(crate) rules_version: i64,
    pub(crate) backlog_records: i64,
    pub(crate) clock_offset_ms: i64,
    pub(crate) hardware_fingerprint: String,
    pub(crate) sources: Value,
    pub(crate) weak_spots: i16,
    pub(crate) said_goodbye: bool,
    pub(crate) run_id: Option<Uuid>,
    pub(crate) boot_id: Option<Uuid>,
}

#[derive(Debug)]
pub(crate) struct MetricsRow {
    pub(crate) id: Uuid,
    pub(crate) agent_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) retention_class: i16,
    pub(crate) at: DateTime<Utc>,
    /// The endpoint's own time where `at` is the server's: a repeat would then not meet the same key.
    pub(crate) told_at: Option<DateTime<Utc>>,
    pub(crate) values: NewMetrics,
}

#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) id: Uuid,
    pub(crate) agent_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) retention_class: i16,
    pub(crate) kind: &'static str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) told_at: Option<DateTime<Utc>>,
    pub(crate) detail: Value,
}

#[derive(Debug)]
pub(crate) struct GapRow {
    pub(crate) id: Uuid,
    pub(crate) agent_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) gap: NewGap,
}

/// Decides what is new in each check-in and what each is answered.
pub(crate) fn plan(
    group: &[NewCheckIn],
    agents: &HashMap<Vec<u8>, Agent>,
    streams: HashMap<StreamKey, Stream>,
    at: DateTime<Utc>,
    ids: &dyn Ids,
) -> Plan {
    let mut planner = Planner {
        at,
        ids,
        plan: Plan::default(),
        streams,
        moved: BTreeMap::new(),
        heartbeats: BTreeMap::new(),
        changes: BTreeSet::new(),
    };
    for check_in in group {
        let outcome = match agents.get(check_in.token.as_bytes()) {
            Some(agent) => planner.take(check_in, agent),
            None => Outcome::UnknownToken,
        };
        planner.plan.outcomes.push(outcome);
    }
    planner.finish()
}

struct Planner<'a> {
    at: DateTime<Utc>,
    ids: &'a dyn Ids,
    plan: Plan,
    streams: HashMap<StreamKey, Stream>,
    moved: BTreeMap<StreamKey, (Uuid, Stream)>,
    heartbeats: BTreeMap<Uuid, Heartbeat>,
    changes: BTreeSet<Change>,
}

impl Planner<'_> {
    fn take(&mut self, check_in: &NewCheckIn, agent: &Agent) -> Outcome {
        let key = (agent.agent_id, check_in.epoch);
        let stream = match self.streams.get(&key) {
            Some(stream) if check_in.turn == stream.turn || check_in.turn == stream.previous_turn => *stream,
            None if check_in.turn.is_nil() => Stream {
                acknowledged_through: 0,
                turn: Uuid::nil(),
                previous_turn: Uuid::nil(),
            },
            known => return self.refuse(agent, known.is_some()),
        };
        let moved = self.move_stream(stream, check_in, agent);
        self.streams.insert(key, moved);
        self.moved.insert(key, (agent.tenant_id.into(), moved));
        self.note_liveness(check_in, agent);
        let repeated = stream.acknowledged_through.saturating_sub(check_in.first_seq - 1);
        for record in check_in
            .records
            .iter()
            .skip(usize::try_from(repeated).unwrap_or(0))
        {
            self.take_record(record, agent);
        }
        Outcome::Stored {
            agent_id: agent.agent_id,
            acknowledged_through: moved.acknowledged_through,
            turn: moved.turn,
            check_in_seconds: agent.check_in_seconds,
            rules_version: agent.rules_version,
        }
    }

    /// A stream that is unknown is no proof of a copy: the server's own memory may have been restored from a backup.
    fn refuse(&mut self, agent: &Agent, known: bool) -> Outcome {
        if known {
            self.find(agent, CLONED, json!({ "hostname": agent.hostname }));
        }
        Outcome::Conflict
    }

    fn move_stream(&mut self, stream: Stream, check_in: &NewCheckIn, agent: &Agent) -> Stream {
        let count = i64::try_from(check_in.records.len()).unwrap_or(i64::MAX);
        let last = check_in.first_seq.saturating_sub(1).saturating_add(count);
        let missing = check_in.first_seq - 1 - stream.acknowledged_through;
        if missing > 0 {
            let from_at = check_in.records.first().map_or(self.at, |record| record.at);
            let gap = NewGap {
                noticed_by: "server",
                reason: "records_missing".to_owned(),
                lost_records: Some(missing),
                from_at,
                to_at: Some(from_at),
                area: "",
                detail: Some(format!(
                    "numbers {} to {} never arrived",
                    stream.acknowledged_through + 1,
                    check_in.first_seq - 1
                )),
            };
            let id = self.ids.next();
            self.push_gap(id, agent, gap);
        }
        let acknowledged_through = stream.acknowledged_through.max(last);
        if check_in.moves_turn {
            Stream {
                acknowledged_through,
                turn: self.ids.next(),
                previous_turn: check_in.turn,
            }
        } else {
            Stream {
                acknowledged_through,
                ..stream
            }
        }
    }

    fn note_liveness(&mut self, check_in: &NewCheckIn, agent: &Agent) {
        let agent_id = Uuid::from(agent.agent_id);
        let reported = &check_in.hardware_fingerprint;
        let known = [&agent.enrolled_fingerprint, &agent.reported_fingerprint];
        if !reported.is_empty()
            && agent.enrolled_fingerprint.is_some()
            && known.iter().all(|k| k.as_ref() != Some(reported))
        {
            self.find(
                agent,
                MOVED,
                json!({ "enrolled": agent.enrolled_fingerprint, "reported": reported }),
            );
        }
        if !agent.online || agent.version.as_ref() != Some(&check_in.version) {
            self.plan.endpoints.push((agent_id, check_in.version.clone()));
            self.changes.insert(endpoint_change(agent));
        } else if agent.last_seen.is_none_or(|seen| self.at - seen >= LAST_SEEN_LAG) {
            self.plan.endpoints.push((agent_id, check_in.version.clone()));
        }
        if !agent.online {
            self.plan.returns.push(explain_return(agent, check_in, self.at));
        }
        let weak_spots = self.compare_weak_spots(check_in, agent);
        let heartbeat = Heartbeat {
            agent_id,
            rules_version: check_in.rules_version,
            backlog_records: check_in.backlog_records,
            clock_offset_ms: (check_in.sent_at - self.at).num_milliseconds(),
            hardware_fingerprint: reported.clone(),
            sources: check_in.sources.clone(),
            weak_spots,
            said_goodbye: check_in.run.as_ref().is_some_and(|run| run.stopping),
            run_id: check_in.run.as_ref().map(|run| run.run_id),
            boot_id: check_in.run.as_ref().and_then(|run| run.boot_id),
        };
        self.heartbeats.insert(agent_id, heartbeat);
    }

    /// Begins and ends the gaps of what is watched less than it could be.
    fn compare_weak_spots(&mut self, check_in: &NewCheckIn, agent: &Agent) -> i16 {
        let offset = check_in.sent_at - self.at;
        let found = find_weak_spots(agent.weak_spots, check_in.watched, offset);
        for bit in (0..i16::BITS).map(|bit| 1 << bit) {
            let Some((reason, area)) = weak_spot(bit) else {
                continue;
            };
            if found & bit != 0 && agent.weak_spots & bit == 0 {
                let gap = NewGap {
                    noticed_by: "server",
                    reason: reason.to_owned(),
                    lost_records: None,
                    from_at: self.at,
                    to_at: None,
                    area,
                    detail: (reason == "clock_skew")
                        .then(|| format!("the endpoint's clock was off by {} s", offset.num_seconds())),
                };
                let id = self.ids.next();
                self.push_gap(id, agent, gap);
            } else if found & bit == 0 && agent.weak_spots & bit != 0 {
                let (tenant_id, agent_id) = (agent.tenant_id.into(), agent.agent_id.into());
                self.plan.ended.push(EndedGap {
                    tenant_id,
                    agent_id,
                    reason,
                    area,
                });
            }
        }
        found
    }

    fn take_record(&mut self, record: &NewRecord, agent: &Agent) {
        let (id, agent_id, tenant_id) = (record.id, agent.agent_id.into(), agent.tenant_id.into());
        match &record.body {
            NewBody::Metrics(values) => {
                let retention_class = agent.retention_class;
                let (at, told_at) = clamp(record.at, self.at, i64::from(retention_class));
                let values = values.as_ref().clone();
                self.plan.metrics.push(MetricsRow {
                    id,
                    agent_id,
                    tenant_id,
                    retention_class,
                    at,
                    told_at,
                    values,
                });
            }
            NewBody::Event { kind, detail } => {
                let retention_class = agent.retention_class;
                let (at, told_at) = clamp(record.at, self.at, i64::from(retention_class));
                self.plan.events.push(EventRow {
                    id,
                    agent_id,
                    tenant_id,
                    retention_class,
                    kind,
                    at,
                    told_at,
                    detail: detail.clone(),
                });
            }
            NewBody::Finding(finding) => self.plan.findings.push(PlacedFinding {
                occurrence_id: finding.finding_id,
                tenant_id: agent.tenant_id,
                agent_id: agent.agent_id,
                owner: agent.owner,
                at: clamp(record.at, self.at, LATE_DAYS).0,
                finding: finding.as_ref().clone(),
            }),
            NewBody::Gap(gap) => self.push_gap(id, agent, gap.clone()),
        }
    }

    fn push_gap(&mut self, id: Uuid, agent: &Agent, mut gap: NewGap) {
        let end = gap.to_at.unwrap_or(self.at);
        let ((from_at, from_told), (to_at, to_told)) = (
            clamp(gap.from_at, self.at, LATE_DAYS),
            clamp(end, self.at, LATE_DAYS),
        );
        if from_told.is_some() || to_told.is_some() {
            let told = format!(
                "dated {} to {} by the endpoint's clock",
                gap.from_at.to_rfc3339(),
                end.to_rfc3339()
            );
            gap.detail = Some(
                gap.detail
                    .map_or(told.clone(), |detail| format!("{detail}; {told}")),
            );
        }
        gap.from_at = from_at.min(to_at);
        gap.to_at = gap.to_at.map(|_| to_at.max(from_at));
        self.plan.gaps.push(GapRow {
            id,
            agent_id: agent.agent_id.into(),
            tenant_id: agent.tenant_id.into(),
            gap,
        });
    }

    /// Adds what the server itself has noticed about an endpoint.
    fn find(&mut self, agent: &Agent, rule: OwnRule, evidence: Value) {
        let finding_id = FindingId(self.ids.next());
        self.plan.findings.push(PlacedFinding {
            occurrence_id: finding_id,
            tenant_id: agent.tenant_id,
            agent_id: agent.agent_id,
            owner: agent.owner,
            at: self.at,
            finding: Finding {
                finding_id,
                rule_id: rule.id.to_owned(),
                rule_name: rule.name.to_owned(),
                engine: DetectionEngine::Server,
                severity: rule.severity,
                confidence: rule.confidence,
                threat_type: rule.threat_type.to_owned(),
                tags: Vec::new(),
                explanation: rule.explanation.to_owned(),
                evidence,
                subject: Subject::Endpoint,
            },
        });
    }

    fn finish(mut self) -> Plan {
        self.plan.streams = self
            .moved
            .into_iter()
            .map(|(key, (tenant, stream))| (key, tenant, stream))
            .collect();
        self.plan.heartbeats = self.heartbeats.into_values().collect();
        self.plan.changes = self.changes.into_iter().collect();
        self.plan
    }
}

/// A rule that the server holds over agents themselves.
struct OwnRule {
    id: &'static str,
    name: &'static str,
    threat_type: &'static str,
    severity: Severity,
    confidence: f64,
    explanation: &'static str,
}

const CLONED: OwnRule = OwnRule {
    id: "secureguard.agent_identity_cloned",
    name: "Agent identity cloned",
    threat_type: "cloned_identity",
    severity: Severity::High,
    confidence: 0.8,
    explanation: "A check-in repeated a turn that was over: two machines use the state of one agent. Enrol the copy anew, or decommission \
        the endpoint when the token was stolen.",
};

const MOVED: OwnRule = OwnRule {
    id: "secureguard.agent_hardware_changed",
    name: "Agent runs on other hardware",
    threat_type: "cloned_identity",
    severity: Severity::Medium,
    confidence: 0.5,
    explanation: "The hardware fingerprint is not the one of the enrolment: the agent's state was moved or copied to another machine, or the \
        machine was rebuilt. Enrol it anew when that was intended.",
};

/// A time that the tables can keep: in microseconds, and what lies ahead of the server or beyond the retention becomes the time of receipt,
/// beside which the original is kept.
pub(crate) fn clamp(
    at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    keep_days: i64,
) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
    if at > received_at + FUTURE || at < received_at - Duration::days(keep_days) {
        (received_at, Some(storable(at)))
    } else {
        (at.trunc_subsecs(6), None)
    }
}

/// The nearest time that every program reads: within the years 1–9999.
fn storable(at: DateTime<Utc>) -> DateTime<Utc> {
    let year = |year, month, day| Utc.with_ymd_and_hms(year, month, day, 0, 0, 0).single();
    match (year(1, 1, 1), year(9999, 12, 31)) {
        (Some(first), Some(last)) => at.clamp(first, last).trunc_subsecs(6),
        _ => at,
    }
}

#[cfg(test)]
mod tests;
