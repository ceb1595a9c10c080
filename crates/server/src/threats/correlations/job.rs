//! The job that looks at groups in which something is due: one node at a time, some groups of each tenant in turn, each tenant's in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sg_db::agents::try_job_lock;
use sg_db::threats::{
    CorrelationEpisode, CorrelationFinding, CorrelationGroup, CorrelationMatch, due_groups, forget_group,
    insert_correlation_matches, load_episodes, load_group, mark_judged, name_tenants_endpoints,
    record_correlation_findings, save_episode, tenants_with_due_groups,
};
use sg_db::{DbError, SystemTx};
use sg_detect::correlation::{Correlation, Correlator, Counted, Episode};
use sg_types::agent::{Finding, Subject};
use sg_types::{AgentId, FindingId, TenantId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{LATENESS, Occurrence, keep_until, to_match};
use crate::AppState;

/// Groups of one tenant in one transaction, so that none with many holds up the others.
const GROUPS: i64 = 50;
/// Matches that a finding shows of an episode.
const MAX_SHOWN: usize = 20;

/// Judges what is due.
///
/// # Errors
/// What the database says; what was not judged stays due.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    if state.rules.current(&state).await.is_err() {
        anyhow::bail!("the rules are not to be had yet");
    }
    let mut tx = state.db.system("correlations").await?;
    let tenants = tenants_with_due_groups(&mut tx, state.now()).await?;
    drop(tx);
    let mut judged = 0;
    for (tenant_id, version) in tenants {
        judged += judge_tenant(&state, tenant_id, version).await?;
    }
    Ok(judged)
}

async fn judge_tenant(state: &AppState, tenant_id: TenantId, version: i64) -> anyhow::Result<u64> {
    let now = state.now();
    let mut tx = state.db.system("correlations").await?;
    if !try_job_lock(&mut tx, "correlations").await? {
        return Ok(0);
    }
    let correlator = state.rules.correlator(&mut tx, tenant_id, version).await?;
    let groups = due_groups(&mut tx, tenant_id, now, GROUPS).await?;
    let mut findings = Vec::new();
    for group in &groups {
        match correlator
            .as_ref()
            .and_then(|all| Some((all, all.find(&group.rule_id)?)))
        {
            Some((all, correlation)) => {
                let found = judge_group(&mut tx, group, all, correlation, now).await?;
                findings.extend(found);
            }
            None => forget_group(&mut tx, group).await?,
        }
    }
    name_endpoints(&mut tx, tenant_id, &mut findings).await?;
    let window = state.config.ingest.incident_window();
    record_correlation_findings(&mut tx, findings, now, window, state.ids.as_ref()).await?;
    tx.commit_upkeep().await?;
    Ok(u64::try_from(groups.len()).unwrap_or(0))
}

/// Judges a group; returns what there is to be told.
async fn judge_group(
    tx: &mut SystemTx,
    group: &CorrelationGroup,
    correlator: &Correlator,
    correlation: &Correlation,
    now: DateTime<Utc>,
) -> Result<Vec<CorrelationFinding>, DbError> {
    let known = load_episodes(tx, group).await?;
    let matches = load_group(tx, group, !correlation.is_immediate()).await?;
    let judgement = judge(correlation, group, &matches, &known, now);
    let mut findings = Vec::new();
    for Judged {
        episode,
        held_at,
        within,
    } in &judgement.episodes
    {
        save_episode(tx, group, episode).await?;
        let is_new = !known.iter().any(|one| one.episode_id == episode.episode_id);
        let Some(last) = within.last().filter(|_| episode.held && is_new) else {
            continue;
        };
        let of = Occurrence {
            tenant_id: group.tenant_id,
            agent_id: last.agent_id,
            event_id: episode.episode_id,
            occurred_at: *held_at,
            summary: last.summary.clone(),
        };
        let outer = correlator.sight_episode(correlation, &last.group_values);
        let outer: Vec<_> = outer
            .into_iter()
            .map(|sighting| to_match(sighting, &of, now))
            .collect();
        insert_correlation_matches(tx, &outer).await?;
        if !correlator.silent().contains(&correlation.info.id) {
            findings.push(to_finding(correlation, group, episode, within));
        }
    }
    mark_judged(tx, group, &matches, judgement.again).await?;
    Ok(findings)
}

/// An episode that is to be stored.
struct Judged<'a> {
    episode: CorrelationEpisode,
    /// When the condition held first.
    held_at: DateTime<Utc>,
    within: &'a [CorrelationMatch],
}

struct Judgement<'a> {
    episodes: Vec<Judged<'a>>,
    /// From when on matches are to be looked at again, and when.
    again: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

fn judge<'a>(
    correlation: &Correlation,
    group: &CorrelationGroup,
    matches: &'a [CorrelationMatch],
    known: &[CorrelationEpisode],
    now: DateTime<Utc>,
) -> Judgement<'a> {
    let closed_at = now - LATENESS;
    // What comes late into a time that has been judged changes nothing any more.
    let late = |one: &&CorrelationMatch| {
        !correlation.is_immediate()
            && known.iter().any(|time| {
                time.from_at <= one.occurred_at && one.occurred_at < time.from_at + correlation.timespan
            })
    };
    let begin = matches.iter().take_while(|one| late(one)).count();
    let fresh = matches.get(begin..).unwrap_or_default();
    let counted: Vec<Counted> = fresh.iter().map(to_counted).collect();
    let found = correlation.find_episodes(&counted, closed_at);
    let mut episodes: Vec<_> = found
        .iter()
        .filter_map(|episode| store(correlation, group, fresh, known, episode, true))
        .collect();
    if correlation.is_immediate() {
        return Judgement {
            episodes,
            again: None,
        };
    }
    let over = correlation.closed_times(&counted, closed_at);
    let failed = over
        .iter()
        .filter(|time| !found.iter().any(|one| one.first == time.first));
    episodes.extend(failed.filter_map(|time| store(correlation, group, fresh, known, time, false)));
    let open = over.last().map_or(0, |time| time.last + 1);
    let again = fresh.get(open).map(|one| one.occurred_at);
    let next = correlation
        .next_end(&counted, closed_at)
        .map(|end| end + LATENESS);
    Judgement {
        episodes,
        again: again.zip(next),
    }
}

/// What is to be stored of an episode: under the id of the one that it goes on with, if there is one.
fn store<'a>(
    correlation: &Correlation,
    group: &CorrelationGroup,
    matches: &'a [CorrelationMatch],
    known: &[CorrelationEpisode],
    episode: &Episode,
    held: bool,
) -> Option<Judged<'a>> {
    let within = matches.get(episode.first..=episode.last)?;
    let (first, last) = (within.first()?, within.last()?);
    let earlier = known
        .iter()
        .find(|one| one.from_at <= last.occurred_at && first.occurred_at <= one.to_at);
    let from_at = earlier.map_or(first.occurred_at, |one| one.from_at);
    let stored = CorrelationEpisode {
        episode_id: earlier.map_or_else(|| episode_id(group, from_at), |one| one.episode_id),
        from_at,
        to_at: last.occurred_at,
        held: earlier.map_or(held, |one| one.held),
        figure: episode.figure,
        keep_until: keep_until(correlation, last.occurred_at),
    };
    Some(Judged {
        episode: stored,
        held_at: matches.get(episode.held_at)?.occurred_at,
        within,
    })
}

fn to_counted(one: &CorrelationMatch) -> Counted {
    Counted {
        position: usize::try_from(one.position).unwrap_or(0),
        at: one.occurred_at,
        value: one.value.clone(),
    }
}

/// A UUID of version 8 that follows from the group and the begin.
fn episode_id(group: &CorrelationGroup, from_at: DateTime<Utc>) -> Uuid {
    let mut hasher = Sha256::new();
    hasher.update(group.tenant_id.0.as_bytes());
    hasher.update(group.rule_id.as_bytes());
    hasher.update(group.key);
    hasher.update(from_at.timestamp_micros().to_be_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(digest.split_at(16).0);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn to_finding(
    correlation: &Correlation,
    group: &CorrelationGroup,
    episode: &CorrelationEpisode,
    within: &[CorrelationMatch],
) -> CorrelationFinding {
    let last = within.last();
    let values = last.map(|one| one.group_values.as_slice()).unwrap_or_default();
    let shown = within.iter().take(MAX_SHOWN / 2).chain(
        within
            .iter()
            .skip(within.len().saturating_sub(MAX_SHOWN / 2).max(MAX_SHOWN / 2)),
    );
    let evidence: Vec<Value> = shown
        .map(|one| {
            json!({
                "time": one.occurred_at, "endpoint": one.agent_id, "rule": one.matched_rule, "matched on": one.summary,
                "value": one.value.as_deref().map(|value| value.replace('\u{1f}', ", ")),
            })
        })
        .collect();
    let info = &correlation.info;
    CorrelationFinding {
        tenant_id: group.tenant_id,
        agent_id: last.map_or(AgentId(Uuid::nil()), |one| one.agent_id),
        at: episode.to_at,
        finding: Finding {
            finding_id: FindingId(episode.episode_id),
            rule_id: info.id.clone(),
            rule_name: info.title.clone(),
            engine: info.engine,
            severity: info.severity,
            confidence: f64::from(info.confidence),
            threat_type: info.threat_type.clone(),
            tags: info.tags.clone(),
            explanation: correlation.explain(values, episode.figure),
            evidence: Value::Array(evidence),
            subject: Subject::Endpoint,
        },
    }
}

/// Puts host names in the place of ids.
async fn name_endpoints(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    findings: &mut [CorrelationFinding],
) -> Result<(), DbError> {
    let id_of = |row: &Value| serde_json::from_value::<AgentId>(row["endpoint"].clone()).ok();
    let rows =
        |finding: &CorrelationFinding| finding.finding.evidence.as_array().cloned().unwrap_or_default();
    let agents: BTreeSet<AgentId> = findings
        .iter()
        .flat_map(rows)
        .filter_map(|row| id_of(&row))
        .collect();
    if agents.is_empty() {
        return Ok(());
    }
    let names: BTreeMap<AgentId, String> = name_tenants_endpoints(tx, tenant_id, &agents)
        .await?
        .into_iter()
        .collect();
    for row in findings
        .iter_mut()
        .filter_map(|one| one.finding.evidence.as_array_mut())
        .flatten()
    {
        if let Some(name) = id_of(row).and_then(|id| names.get(&id)) {
            row["endpoint"] = json!(name);
        }
    }
    Ok(())
}
