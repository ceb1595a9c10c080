//! What a rule would have found among the stored events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use sg_db::threats::{StoredEvent, fetch_events, name_endpoints, open_events};
use sg_detect::{Event, FileFacts, Match, RuleSet};
use sg_types::agent::{Event as RecordedEvent, FileSubject, LogEvent};
use sg_types::api::rules::{RuleTrial, RuleTrialDay, RuleTrialEndpoint, RuleTrialExample, TryRule};
use sg_types::{AgentId, RuleKind};

use super::explain::{recorded, require_events};
use super::inspect::inspect;
use super::placeholders;
use super::save::require_manager;
use super::trial_correlation::{self, Correlated, CountedEvents};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Days that events are kept.
const MAX_DAYS: i32 = 30;
const DEFAULT_DAYS: i32 = 7;
/// How long a trial looks.
const PATIENCE: Duration = Duration::from_secs(20);
/// Events that it looks at.
const MAX_EVENTS: i64 = 2_000_000;
const MAX_EXAMPLES: usize = 20;
const MAX_ENDPOINTS: usize = 50;
/// Characters of what an example shows of an event.
const MAX_SUMMARY_CHARS: usize = 500;

/// What is tried.
enum Matcher {
    /// A rule or a list that looks at each event.
    Rules(RuleSet),
    /// A correlation, judged once all events have been counted.
    Correlation(Correlated),
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Tally {
    events: i64,
    matches: i64,
    by_day: BTreeMap<NaiveDate, i64>,
    by_endpoint: BTreeMap<AgentId, i64>,
    /// The latest, in no order.
    examples: Vec<RuleTrialExample>,
    /// What counts for a correlation.
    pub(super) counted: CountedEvents,
}

pub(super) async fn try_rule(state: &AppState, acting: &Acting, body: TryRule) -> ApiResult<RuleTrial> {
    require_manager(acting)?;
    require_events(acting)?;
    let days = body.days.unwrap_or(DEFAULT_DAYS);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(ApiError::invalid_field(
            "days",
            format!("is a number from 1 to {MAX_DAYS}"),
        ));
    }
    if body.kind == RuleKind::Yara {
        return Err(ApiError::invalid_field(
            "kind",
            "is yara, whose rules look at contents, and those are not stored",
        ));
    }
    let text = body.text;
    let Ok(_turn) = state.rules.trials.clone().try_acquire_owned() else {
        return Err(ApiError::unavailable(PATIENCE.as_secs()));
    };
    let own = placeholders::own(state, acting).await?;
    let new = state
        .rules
        .run({
            let text = text.clone();
            move || inspect(body.kind, "rule", &text, &own)
        })
        .await??;
    let matcher = match new.rules.correlations().first() {
        Some(correlation) => {
            let id = correlation.info.id.clone();
            let correlated = trial_correlation::prepare(state, acting, id, text).await?;
            Matcher::Correlation(correlated)
        }
        None if new.rules.rules().is_empty() && new.rules.indicators().is_empty() => {
            return Err(ApiError::invalid_field(
                "text",
                "is a filter, which matches nothing by itself",
            ));
        }
        None => Matcher::Rules(new.rules),
    };
    let begun = Instant::now();
    let now = state.now();
    let (rules, mut tally) = (Arc::new(matcher), Tally::default());
    let mut looked_back_to = now;
    let mut is_complete = true;
    for back in 0..days {
        let (from, to) = day_window(now, days, back);
        let whole = look(state, acting, &rules, &mut tally, (from, to), begun + PATIENCE).await?;
        if !whole {
            is_complete = false;
            break;
        }
        looked_back_to = from;
    }
    if let Matcher::Correlation(correlated) = &*rules {
        let names = trial_correlation::name_hosts(state, acting, &tally.counted).await?;
        correlated.judge(&mut tally, &names, now);
    }
    let mut trial = report(tally, days, looked_back_to);
    trial.is_complete = is_complete;
    trial.diagnostics = new.diagnostics;
    name(state, acting, &mut trial).await?;
    trial.elapsed_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    Ok(trial)
}

/// The `back`th day before today, of the time that is looked at; the first day reaches a little ahead, as clocks do.
fn day_window(now: DateTime<Utc>, days: i32, back: i32) -> (DateTime<Utc>, DateTime<Utc>) {
    let day = |back: i32| {
        (now - chrono::Duration::days(i64::from(back)))
            .date_naive()
            .and_time(NaiveTime::MIN)
            .and_utc()
    };
    let begin = now - chrono::Duration::days(i64::from(days));
    let to = if back == 0 {
        now + chrono::Duration::minutes(5)
    } else {
        day(back - 1)
    };
    let from = if back + 1 == days { begin } else { day(back) };
    (from.max(begin), to)
}

/// Looks at the events of a time. False when it had to end before.
async fn look(
    state: &AppState,
    acting: &Acting,
    rules: &Arc<Matcher>,
    tally: &mut Tally,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    deadline: Instant,
) -> ApiResult<bool> {
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    open_events(&mut tx, from, to).await?;
    loop {
        if Instant::now() >= deadline || tally.events >= MAX_EVENTS {
            return Ok(false);
        }
        let chunk = fetch_events(&mut tx).await?;
        if chunk.is_empty() {
            return Ok(true);
        }
        let (rules, before) = (rules.clone(), std::mem::take(tally));
        *tally = tokio::task::spawn_blocking(move || evaluate(&rules, before, chunk))
            .await
            .map_err(ApiError::internal)?;
    }
}

fn evaluate(matcher: &Matcher, mut tally: Tally, events: Vec<StoredEvent>) -> Tally {
    for event in events {
        tally.events += 1;
        let (event_id, agent_id, at, kind) = (
            event.event_id,
            event.agent_id,
            event.occurred_at,
            event.kind.clone(),
        );
        let Some(recorded) = recorded(event) else {
            continue;
        };
        let rules = match matcher {
            Matcher::Rules(rules) => rules,
            Matcher::Correlation(correlated) => {
                correlated.count(&mut tally.counted, (event_id, agent_id, at), &kind, &recorded);
                continue;
            }
        };
        let Some(found) = match_event(rules, &recorded, at).into_iter().next() else {
            continue;
        };
        tally.add(RuleTrialExample {
            event_id,
            agent_id,
            hostname: None,
            occurred_at: at,
            kind,
            summary: summarize(&recorded),
            explanation: found.explanation,
            evidence: serde_json::to_value(&found.evidence).unwrap_or_default(),
        });
    }
    tally
}

impl Tally {
    /// Counts what would have been found, and keeps it when it is one of the latest.
    pub(super) fn add(&mut self, found: RuleTrialExample) {
        self.matches += 1;
        *self.by_day.entry(found.occurred_at.date_naive()).or_default() += 1;
        *self.by_endpoint.entry(found.agent_id).or_default() += 1;
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(found);
        } else if let Some(oldest) = self.examples.iter_mut().min_by_key(|one| one.occurred_at)
            && oldest.occurred_at < found.occurred_at
        {
            *oldest = found;
        }
    }
}

/// What an agent with this rule alone would have found.
fn match_event(rules: &RuleSet, event: &RecordedEvent, at: DateTime<Utc>) -> Vec<Match> {
    let mut found = rules.evaluate(&Event::from(event));
    let (path, sha256) = match event {
        RecordedEvent::ProcessStarted(process) => (process.image.as_deref(), process.sha256.as_deref()),
        RecordedEvent::FileWritten(file) | RecordedEvent::FileRenamed(file) => file_facts(file),
        RecordedEvent::FileDeleted(_) | RecordedEvent::Logged(_) => (None, None),
    };
    if let Some(path) = path {
        let facts = FileFacts {
            path,
            sha256: sha256.and_then(|text| hex::decode(text).ok()?.try_into().ok()),
            ..FileFacts::default()
        };
        found.extend(rules.check_file(&facts, at));
    }
    found
}

fn file_facts(file: &FileSubject) -> (Option<&str>, Option<&str>) {
    (Some(&file.path), file.sha256.as_deref())
}

pub(crate) fn summarize(event: &RecordedEvent) -> String {
    let text = match event {
        RecordedEvent::ProcessStarted(process) => &process.command_line,
        RecordedEvent::FileWritten(file)
        | RecordedEvent::FileRenamed(file)
        | RecordedEvent::FileDeleted(file) => &file.path,
        RecordedEvent::Logged(entry) => &summarize_entry(entry),
    };
    text.chars().take(MAX_SUMMARY_CHARS).collect()
}

/// What says most of an entry of a log: its command line or message, or else every value that it has.
fn summarize_entry(entry: &LogEvent) -> String {
    let told = ["CommandLine", "message", "TargetFilename"]
        .iter()
        .find_map(|name| entry.fields.get(*name));
    if let Some(text) = told {
        return text.clone();
    }
    let values = entry.fields.iter().map(|(name, value)| format!("{name}={value}"));
    values.take(20).collect::<Vec<_>>().join(" ")
}

fn report(mut tally: Tally, days: i32, looked_back_to: DateTime<Utc>) -> RuleTrial {
    tally
        .examples
        .sort_by_key(|one| std::cmp::Reverse(one.occurred_at));
    let endpoint_count = i64::try_from(tally.by_endpoint.len()).unwrap_or(i64::MAX);
    let mut endpoints: Vec<_> = tally
        .by_endpoint
        .into_iter()
        .map(|(agent_id, matches)| RuleTrialEndpoint {
            agent_id,
            hostname: None,
            matches,
        })
        .collect();
    endpoints.sort_by_key(|one| std::cmp::Reverse(one.matches));
    endpoints.truncate(MAX_ENDPOINTS);
    RuleTrial {
        days,
        events: tally.events,
        is_complete: true,
        looked_back_to,
        elapsed_ms: 0,
        matches: tally.matches,
        by_day: tally
            .by_day
            .into_iter()
            .rev()
            .map(|(day, matches)| RuleTrialDay { day, matches })
            .collect(),
        endpoints,
        endpoint_count,
        examples: tally.examples,
        diagnostics: Vec::new(),
    }
}

async fn name(state: &AppState, acting: &Acting, trial: &mut RuleTrial) -> ApiResult<()> {
    let mut agents: Vec<AgentId> = trial.endpoints.iter().map(|one| one.agent_id).collect();
    agents.extend(trial.examples.iter().map(|one| one.agent_id));
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    let names: BTreeMap<_, _> = name_endpoints(&mut tx, &agents).await?.into_iter().collect();
    for endpoint in &mut trial.endpoints {
        endpoint.hostname = names.get(&endpoint.agent_id).cloned();
    }
    for example in &mut trial.examples {
        example.hostname = names.get(&example.agent_id).cloned();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_follow_each_other_without_a_hole() {
        let now: DateTime<Utc> = "2026-11-26T10:30:00Z".parse().unwrap();
        for days in [1, 2, 30] {
            let windows: Vec<_> = (0..days).map(|back| day_window(now, days, back)).collect();
            assert!(windows[0].1 > now);
            assert_eq!(
                windows.last().unwrap().0,
                now - chrono::Duration::days(days.into())
            );
            for pair in windows.windows(2) {
                assert_eq!(pair[0].0, pair[1].1);
            }
            assert!(windows.iter().all(|(from, to)| from < to));
        }
    }
}
