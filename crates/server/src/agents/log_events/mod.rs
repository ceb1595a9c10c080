//! Events of what has no agent, sent over the API: read line by line, stored, and judged by the tenant's rules in the transaction that stores them.

mod judge;
mod lines;
mod routes;

use axum::body::Body;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use sg_db::agents::{
    LogSource, NewLogEvent, StoredLogEvents, open_log_source, record_log_findings, store_log_events,
};
use sg_db::{DbError, SystemTx};
use sg_types::agent::LogEvent;
use sg_types::api::agents::EventsReport;
use tokio::sync::OwnedSemaphorePermit;

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::ingest::{Coding, read_bytes};
use crate::threats::note_events;
use lines::{Line, Lines, read_lines};

pub(crate) use judge::derived_id;
pub use routes::routes;

/// Tries of a transaction that meets a conflicting change.
const TRIES: u32 = 3;
/// How many times a body's bytes its events take in memory, about.
const MEMORY_FACTOR: usize = 4;

/// What a request says beside its events.
#[derive(Debug)]
struct Sending {
    /// The source's name.
    source: String,
    /// What events do not say of their log source.
    otherwise: LogEvent,
    /// Keeps repeats of events apart that have no id.
    idempotency_key: Option<String>,
}

/// A body, and the memory that is set aside for it.
struct Sent {
    bytes: Vec<u8>,
    memory: OwnedSemaphorePermit,
}

async fn read(state: &AppState, headers: &HeaderMap, body: Body) -> ApiResult<Sent> {
    let config = &state.config.ingest;
    let codings = [Coding::Zstd, Coding::Gzip];
    let (bytes, memory) = read_bytes(&state.ingest, config, headers, body, &codings).await?;
    Ok(Sent { bytes, memory })
}

async fn take(state: &AppState, acting: &Acting, sending: Sending, sent: Sent) -> ApiResult<EventsReport> {
    let Sent { bytes, mut memory } = sent;
    memory.merge(state.ingest.reserve(bytes.len() * MEMORY_FACTOR)?);
    let otherwise = sending.otherwise.clone();
    let lines = tokio::task::spawn_blocking(move || read_lines(&bytes, &otherwise))
        .await
        .map_err(ApiError::internal)??;
    // Before this holds a connection.
    state.rules.current(state).await?;
    state
        .rules
        .prepare_evaluator(&state.db, acting.caller.tenant_id)
        .await?;
    let mut tries = 1;
    loop {
        match store(state, acting, &sending, &lines).await {
            Err(Failure::Database(DbError::Busy)) if tries < TRIES => tries += 1,
            Err(Failure::Database(error)) => return Err(error.into()),
            Err(Failure::Refused(error)) => return Err(error),
            Ok(report) => return Ok(report),
        }
    }
}

enum Failure {
    Database(DbError),
    Refused(ApiError),
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

async fn store(
    state: &AppState,
    acting: &Acting,
    sending: &Sending,
    lines: &Lines,
) -> Result<EventsReport, Failure> {
    let now = state.now();
    let mut tx = state.db.system("events of a log source").await?;
    let source = open_log_source(&mut tx, &acting.caller, &sending.source, state.next_id(), now).await?;
    if !source.in_service {
        return Err(Failure::Refused(ApiError::conflict(
            "source_decommissioned",
            "this log source was taken out of service; send under another name",
        )));
    }
    let rows = lines
        .events
        .iter()
        .map(|line| to_row(line, &source, sending, state));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let (stored, matches) = store_and_judge(state, &mut tx, &source, rows, now).await?;
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let report = EventsReport {
        agent_id: source.agent_id,
        source: source.name,
        received: count(lines.events.len()) + i64::from(lines.refused),
        stored: count(stored.0),
        repeated: count(stored.1),
        refused: i64::from(lines.refused),
        matches: count(matches),
        errors: lines.errors.clone(),
    };
    if source.is_new {
        let mut event = acting.event(state, "log_source.register");
        event.object = Some(("endpoint", source.agent_id.to_string()));
        tx.commit(acting.caller.tenant_id, event).await?;
    } else {
        tx.commit_upkeep().await?;
    }
    count_events(&report);
    Ok(report)
}

/// Stores events and what rules find in them; returns how many were stored and how many were there, and how often rules matched.
pub(crate) async fn store_and_judge(
    state: &AppState,
    tx: &mut SystemTx,
    source: &LogSource,
    rows: Vec<NewLogEvent>,
    now: DateTime<Utc>,
) -> Result<((usize, usize), usize), DbError> {
    let StoredLogEvents { events, repeated } = store_log_events(tx, source, rows, now).await?;
    let stored = events.len();
    if stored == 0 {
        return Ok(((0, repeated), 0));
    }
    let rules = state
        .rules
        .evaluator(tx, source.tenant_id, source.rules_version)
        .await?;
    let work = move || {
        let findings = judge::judge(&rules, &events, now);
        (events, findings)
    };
    let (events, findings) = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| DbError::Inconsistent(error.to_string()))?;
    let matches = findings.len();
    let window = state.config.ingest.incident_window();
    record_log_findings(tx, source, findings, now, window, state.ids.as_ref()).await?;
    note_events(state, tx, events).await?;
    Ok(((stored, repeated), matches))
}

/// An event with an id of its own is the same whenever it comes; one without is by the request's key and its place, or never.
fn to_row(
    line: &Line,
    source: &LogSource,
    sending: &Sending,
    state: &AppState,
) -> Result<NewLogEvent, DbError> {
    let agent_id = source.agent_id.0;
    let event_id = match (&line.mapped.id, &sending.idempotency_key) {
        (Some(id), _) => derived_id(&[b"event", agent_id.as_bytes(), id.as_bytes()]),
        (None, Some(key)) => derived_id(&[
            b"line",
            agent_id.as_bytes(),
            key.as_bytes(),
            &line.number.to_be_bytes(),
            line.text.as_bytes(),
        ]),
        (None, None) => state.ids.next(),
    };
    let detail =
        serde_json::to_value(&line.mapped.event).map_err(|error| DbError::Inconsistent(error.to_string()))?;
    Ok(NewLogEvent {
        event_id,
        at: line.mapped.at,
        detail,
    })
}

fn count_events(report: &EventsReport) {
    for (outcome, number) in [
        ("stored", report.stored),
        ("repeated", report.repeated),
        ("refused", report.refused),
    ] {
        metrics::counter!("sg_log_events_total", "outcome" => outcome).increment(number.unsigned_abs());
    }
}
