//! What the check-in that ends a silence tells of it, and what of an endpoint is watched less than it could be.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::{AreaState, NewBody, NewCheckIn, Watched, read::Agent};

/// Beyond this a clock is wrong.
const SKEW: Duration = Duration::seconds(60);
/// A clock that was wrong is right again below this.
const SKEW_ENDS: Duration = Duration::seconds(30);

const PROCESS_WEAKER: i16 = 1;
const PROCESS_OFF: i16 = 1 << 1;
const FILE_OFF: i16 = 1 << 2;
const CLOCK_SKEW: i16 = 1 << 3;
const PROCESS_TOLD: i16 = 1 << 4;
const FILE_TOLD: i16 = 1 << 5;

/// A gap that is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EndedGap {
    pub(crate) tenant_id: Uuid,
    pub(crate) agent_id: Uuid,
    pub(crate) reason: &'static str,
    pub(crate) area: &'static str,
}

/// An endpoint that was offline has checked in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Return {
    pub(crate) tenant_id: Uuid,
    pub(crate) agent_id: Uuid,
    pub(crate) check_in_seconds: i32,
    pub(crate) cause: &'static str,
    pub(crate) detail: &'static str,
}

/// The gap that a bit stands for: its reason and area.
pub(crate) fn weak_spot(bit: i16) -> Option<(&'static str, &'static str)> {
    match bit {
        PROCESS_WEAKER => Some(("weaker_source", "process")),
        PROCESS_OFF => Some(("collector_off", "process")),
        FILE_OFF => Some(("collector_off", "file")),
        CLOCK_SKEW => Some(("clock_skew", "")),
        _ => None,
    }
}

/// What is not watched as well as it could be, given what was known before. An area that an agent has never named is none of its own.
pub(crate) fn find_weak_spots(before: i16, watched: Watched, clock_offset: Duration) -> i16 {
    let mut found = 0;
    for (state, told, off) in [
        (watched.process, PROCESS_TOLD, PROCESS_OFF),
        (watched.file, FILE_TOLD, FILE_OFF),
    ] {
        found |= match state {
            AreaState::Untold if before & told == 0 => 0,
            AreaState::Untold | AreaState::Off => told | off,
            AreaState::Whole | AreaState::Weaker => told,
        };
    }
    if watched.process == AreaState::Weaker {
        found |= PROCESS_WEAKER;
    }
    let limit = if before & CLOCK_SKEW == 0 { SKEW } else { SKEW_ENDS };
    if clock_offset.abs() > limit {
        found |= CLOCK_SKEW;
    }
    found
}

/// What was down while an endpoint was silent. The agent's own words about itself are believed: they change nothing but the record of its own gap.
pub(crate) fn explain_return(agent: &Agent, check_in: &NewCheckIn, at: DateTime<Utc>) -> Return {
    let silence = at - agent.last_seen_at;
    let ran_meanwhile = has_records_of(check_in, agent.last_seen_at + silence / 4, at - silence / 4);
    let (cause, detail) = match (&check_in.run, agent.run_id) {
        (Some(run), Some(before)) if run.run_id == before => {
            let most = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX) > silence.num_seconds() / 2;
            if most(run.asleep_seconds) {
                ("host", "The machine slept.")
            } else if most(run.halted_seconds) {
                ("agent", "The agent was halted, or got no processor time.")
            } else if run.failed_check_ins > 0 || ran_meanwhile {
                (
                    "network",
                    "The agent ran all the time but did not reach the server; what it recorded meanwhile follows.",
                )
            } else {
                ("unknown", "The agent ran all the time and has sent nothing.")
            }
        }
        (Some(_), Some(_)) if ran_meanwhile => (
            "network",
            "The agent ran but did not reach the server, and was started again since; what it recorded meanwhile follows.",
        ),
        (Some(run), Some(_)) => match (run.boot_id == agent.boot_id, agent.said_goodbye) {
            (true, true) => ("agent", "The agent was stopped in order and started again."),
            (true, false) => (
                "agent",
                "The agent was killed or crashed, and was started again; the machine ran.",
            ),
            (false, true) => ("host", "The machine was shut down in order and started again."),
            (false, false) => (
                "host",
                "The machine went down without a word, and was started again.",
            ),
        },
        _ if ran_meanwhile => (
            "network",
            "The agent recorded meanwhile but did not reach the server.",
        ),
        _ => ("unknown", "The agent does not tell what was down."),
    };
    Return {
        tenant_id: agent.tenant_id.into(),
        agent_id: agent.agent_id.into(),
        check_in_seconds: agent.check_in_seconds,
        cause,
        detail,
    }
}

/// Whether something was observed within a time. What an agent says of its own gaps is no observation.
fn has_records_of(check_in: &NewCheckIn, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
    check_in
        .records
        .iter()
        .any(|record| !matches!(record.body, NewBody::Gap(_)) && record.at > from && record.at < to)
}
