//! The group commit: check-ins that come at the same time share one transaction.

use sg_db::DbError;
use sg_db::agents::ingest::{self as db, IngestSettings, NewCheckIn, NewRecord, Outcome};

use super::record::refused;
use super::window::{Storing, next_group};
use super::{Failure, Job, news};
use crate::AppState;
use crate::threats::note_events;

/// Groups that are stored at the same time: while one waits for the disk, the next ones are written.
const WORKERS: [&str; 3] = ["ingest-1", "ingest-2", "ingest-3"];
/// Tries of a group that meets a conflicting change.
const TRIES: u32 = 3;

/// Starts the workers. When everything stops they store what waits, then end.
pub fn spawn(state: &AppState) {
    for name in WORKERS {
        let state = state.clone();
        state
            .supervisor
            .clone()
            .spawn_restarting(name, move || work(state.clone()));
    }
    let own = state.clone();
    state
        .supervisor
        .spawn_restarting("ingest-news", move || news::tell(own.clone()));
}

async fn work(state: AppState) -> anyhow::Result<()> {
    let stop = state.supervisor.stop_token();
    let patience = state.config.ingest.group_commit();
    loop {
        let gathering = state.ingest.gathering.lock().await;
        let group = next_group(&state.ingest.queue, &state.ingest.running, patience, &stop).await;
        // Before the next worker gathers, so that it knows of this group.
        let storing = state.ingest.running.begin(&group);
        drop(gathering);
        if group.jobs.is_empty() {
            return Ok(());
        }
        commit(&state, group.jobs, storing).await;
    }
}

async fn commit(state: &AppState, group: Vec<Job>, storing: Storing<'_>) {
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
    let results: Vec<_> = match store_with_retries(state, &check_ins, Some(storing)).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if error.is_transient() => {
            tracing::warn!(error = %error, check_ins = check_ins.len(), "check-ins could not be stored; their agents keep them");
            check_ins.iter().map(|_| Err(Failure::Unavailable)).collect()
        }
        Err(error) => {
            tracing::warn!(error = %error, check_ins = check_ins.len(), "a group of check-ins was refused; each is tried alone");
            store_apart(state, check_ins).await
        }
    };
    state
        .ingest
        .news
        .add(results.iter().filter_map(|result| match result {
            Ok(Outcome::Stored { agent_id, .. }) => Some(*agent_id),
            _ => None,
        }));
    state
        .ingest
        .note_stored(results.iter().filter(|result| result.is_ok()).count());
    for (reply, result) in replies.into_iter().zip(results) {
        let _ = reply.send(result);
    }
}

async fn store_with_retries(
    state: &AppState,
    group: &[NewCheckIn],
    mut storing: Option<Storing<'_>>,
) -> Result<Vec<Outcome>, DbError> {
    let mut tries = 1;
    loop {
        match store(state, group, &mut storing).await {
            Err(DbError::Busy) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// Stores a group in one transaction. The next group goes as soon as this one has only the disk to wait for.
async fn store(
    state: &AppState,
    group: &[NewCheckIn],
    storing: &mut Option<Storing<'_>>,
) -> Result<Vec<Outcome>, DbError> {
    let settings = IngestSettings {
        incident_window: state.config.ingest.incident_window(),
    };
    // Before this holds a connection: what events count for is the rules' matter.
    state.rules.current(state).await.map_err(|_| DbError::Busy)?;
    let mut tx = state.db.system("ingest").await?;
    let stored = db::store(&mut tx, group, state.now(), settings, state.ids.as_ref()).await?;
    note_events(state, &mut tx, stored.events).await?;
    drop(storing.take());
    tx.commit_upkeep().await?;
    Ok(stored.outcomes)
}

async fn store_apart(state: &AppState, check_ins: Vec<NewCheckIn>) -> Vec<Result<Outcome, Failure>> {
    let mut results = Vec::with_capacity(check_ins.len());
    for check_in in check_ins {
        let result = match store_alone(state, &check_in).await {
            Err(error) if !error.is_transient() => store_in_pieces(state, &check_in).await,
            result => result,
        };
        results.push(result.map_err(|error| {
            if error.is_transient() {
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
            Err(error) if !error.is_transient() => {
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
    let outcomes = store_with_retries(state, std::slice::from_ref(check_in), None).await?;
    outcomes
        .into_iter()
        .next()
        .ok_or_else(|| DbError::Inconsistent("a group of one was answered by none".to_owned()))
}

fn count_group(check_ins: &[NewCheckIn]) {
    let records: usize = check_ins.iter().map(|check_in| check_in.records.len()).sum();
    metrics::counter!("sg_ingest_groups_total").increment(1);
    metrics::counter!("sg_ingest_check_ins_total")
        .increment(u64::try_from(check_ins.len()).unwrap_or(u64::MAX));
    metrics::counter!("sg_ingest_records_total").increment(u64::try_from(records).unwrap_or(u64::MAX));
}
