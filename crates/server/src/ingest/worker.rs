//! The group commit: check-ins that arrive within a few milliseconds share one transaction.

use std::time::Duration;

use sg_db::DbError;
use sg_db::agents::ingest::{self as db, IngestSettings, NewCheckIn, NewRecord, Outcome};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::record::refused;
use super::{Failure, Job};
use crate::AppState;

/// Groups that are stored at the same time: while one commits, the next one fills.
const WORKERS: usize = 2;
/// Check-ins of one group at most.
const MAX_GROUP: usize = 256;
/// Records after which a group is full.
const MAX_GROUP_RECORDS: usize = 20_000;
/// Tries of a group that meets a conflicting change.
const TRIES: u32 = 3;

/// Starts the workers. When everything stops they store what waits, then end.
pub fn spawn(state: &AppState) {
    for name in ["ingest-1", "ingest-2"].into_iter().take(WORKERS) {
        let state = state.clone();
        state
            .supervisor
            .clone()
            .spawn_restarting(name, move || work(state.clone()));
    }
}

async fn work(state: AppState) -> anyhow::Result<()> {
    let stop = state.supervisor.stop_token();
    let window = state.config.ingest.group_commit();
    loop {
        let group = next_group(&mut *state.ingest.receiver.lock().await, window, &stop).await;
        if group.is_empty() {
            return Ok(());
        }
        commit(&state, group).await;
    }
}

/// Waits for a check-in, then a moment longer for others. Once everything stops nobody can queue any more, and what is queued is stored;
/// empty when that is done.
async fn next_group(receiver: &mut Receiver<Job>, window: Duration, stop: &CancellationToken) -> Vec<Job> {
    let first = tokio::select! {
        biased;
        job = receiver.recv() => job,
        () = stop.cancelled() => {
            receiver.close();
            receiver.recv().await
        }
    };
    let Some(first) = first else { return Vec::new() };
    let deadline = Instant::now() + window;
    let mut records = first.check_in.records.len();
    let mut group = vec![first];
    while group.len() < MAX_GROUP && records < MAX_GROUP_RECORDS {
        let Ok(Some(job)) = timeout_at(deadline, receiver.recv()).await else {
            break;
        };
        records += job.check_in.records.len();
        group.push(job);
    }
    group
}

async fn commit(state: &AppState, group: Vec<Job>) {
    // Whoever has gone away was not acknowledged and comes again.
    let (check_ins, replies): (Vec<_>, Vec<_>) = group
        .into_iter()
        .filter(|job| !job.reply.is_closed())
        .map(|job| (job.check_in, job.reply))
        .unzip();
    if check_ins.is_empty() {
        return;
    }
    count_group(&check_ins);
    let results = match store_with_retries(state, &check_ins).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if is_transient(&error) => {
            tracing::warn!(error = %error, check_ins = check_ins.len(), "check-ins could not be stored; their agents keep them");
            check_ins.iter().map(|_| Err(Failure::Unavailable)).collect()
        }
        Err(error) => {
            tracing::warn!(error = %error, check_ins = check_ins.len(), "a group of check-ins was refused; each is tried alone");
            store_apart(state, check_ins).await
        }
    };
    for (reply, result) in replies.into_iter().zip(results) {
        let _ = reply.send(result);
    }
}

async fn store_with_retries(state: &AppState, group: &[NewCheckIn]) -> Result<Vec<Outcome>, DbError> {
    let mut tries = 1;
    loop {
        match store(state, group).await {
            Err(DbError::Busy) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

async fn store(state: &AppState, group: &[NewCheckIn]) -> Result<Vec<Outcome>, DbError> {
    let settings = IngestSettings {
        incident_window: state.config.ingest.incident_window(),
    };
    let mut tx = state.db.system("ingest").await?;
    let outcomes = db::store(&mut tx, group, state.now(), settings, state.ids.as_ref()).await?;
    tx.commit_upkeep().await?;
    Ok(outcomes)
}

async fn store_apart(state: &AppState, check_ins: Vec<NewCheckIn>) -> Vec<Result<Outcome, Failure>> {
    let mut results = Vec::with_capacity(check_ins.len());
    for check_in in check_ins {
        let result = match store_alone(state, &check_in).await {
            Err(error) if !is_transient(&error) => store_in_pieces(state, &check_in).await,
            result => result,
        };
        results.push(result.map_err(|error| {
            if is_transient(&error) {
                Failure::Unavailable
            } else {
                Failure::Refused(error)
            }
        }));
    }
    results
}

/// Stores record by record, so that the one that no table takes does not stop the stream: it becomes a gap.
async fn store_in_pieces(state: &AppState, check_in: &NewCheckIn) -> Result<Outcome, DbError> {
    let piece = |first_seq, records, moves_turn| {
        let head = NewCheckIn {
            records: Vec::new(),
            ..check_in.clone()
        };
        NewCheckIn {
            first_seq,
            records,
            moves_turn,
            ..head
        }
    };
    let mut seq = check_in.first_seq;
    for record in &check_in.records {
        let outcome = match store_alone(state, &piece(seq, vec![record.clone()], false)).await {
            Err(error) if !is_transient(&error) => {
                tracing::warn!(error = %error, record = %record.id, "a record was refused by the database; a gap takes its place");
                let body = refused(record.at, "the database refused the record");
                store_alone(
                    state,
                    &piece(
                        seq,
                        vec![NewRecord {
                            body,
                            ..record.clone()
                        }],
                        false,
                    ),
                )
                .await?
            }
            result => result?,
        };
        if !matches!(outcome, Outcome::Stored { .. }) {
            return Ok(outcome);
        }
        seq += 1;
    }
    store_alone(state, &piece(seq, Vec::new(), true)).await
}

async fn store_alone(state: &AppState, check_in: &NewCheckIn) -> Result<Outcome, DbError> {
    let outcomes = store_with_retries(state, std::slice::from_ref(check_in)).await?;
    outcomes
        .into_iter()
        .next()
        .ok_or_else(|| DbError::Inconsistent("a group of one was answered by none".to_owned()))
}

fn is_transient(error: &DbError) -> bool {
    matches!(error, DbError::Busy | DbError::Unavailable(_))
}

fn count_group(check_ins: &[NewCheckIn]) {
    let records: usize = check_ins.iter().map(|check_in| check_in.records.len()).sum();
    metrics::counter!("sg_ingest_groups_total").increment(1);
    metrics::counter!("sg_ingest_check_ins_total")
        .increment(u64::try_from(check_ins.len()).unwrap_or(u64::MAX));
    metrics::counter!("sg_ingest_records_total").increment(u64::try_from(records).unwrap_or(u64::MAX));
}
