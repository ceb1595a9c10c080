//! Enrolments that come while others are being written share the next transaction: a fleet that is rolled out waits for few commits, and not for one
//! after the other at the row of the key that they all use.

use sg_db::DbError;
use sg_db::agents::{self as db, Enrolled, Enrolment};
use sg_db::monitoring::{Change, announce};
use sg_types::TenantId;
use tokio::sync::oneshot;

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::ingest::{FairQueue, Full};

/// Enrolments that wait at most.
const PLACES: usize = 1_024;
/// Enrolments of one transaction at most.
const MAX_GROUP: usize = 64;
/// Groups that are stored at the same time: while one waits for the disk, the next is written.
const WORKERS: [&str; 2] = ["enrolments-1", "enrolments-2"];
/// Tries of a group that meets a conflicting change.
const TRIES: u32 = 3;
/// When to come again, in seconds, where there is no room.
const PUT_OFF_SECONDS: u64 = 5;

/// The queue in front of the transactions.
#[derive(Debug)]
pub struct Enrolments(FairQueue<Job>);

#[derive(Debug)]
struct Job {
    acting: Acting,
    enrolment: Enrolment,
    reply: oneshot::Sender<ApiResult<Enrolled>>,
}

impl Default for Enrolments {
    fn default() -> Self {
        Self(FairQueue::new(PLACES))
    }
}

impl Enrolments {
    /// Enrols a host; returns after the commit.
    ///
    /// # Errors
    /// 403 `key_used_up`; 429 when the tenant has its share of the queue waiting; 503 when it is full or the database not available; those of the subscription.
    pub(super) async fn submit(&self, acting: Acting, enrolment: Enrolment) -> ApiResult<Enrolled> {
        let (reply, answer) = oneshot::channel();
        let tenant_id = acting.caller.tenant_id;
        let job = Job {
            acting,
            enrolment,
            reply,
        };
        self.0.push(tenant_id, job).map_err(|full| match full {
            Full::Queue => ApiError::unavailable(PUT_OFF_SECONDS),
            Full::Share => ApiError::too_many_requests(PUT_OFF_SECONDS),
        })?;
        answer
            .await
            .unwrap_or_else(|_| Err(ApiError::unavailable(PUT_OFF_SECONDS)))
    }
}

/// Starts the workers. When everything stops they store what waits, then end.
pub fn spawn(state: &AppState) {
    for name in WORKERS {
        let state = state.clone();
        state
            .supervisor
            .clone()
            .spawn_restarting(name, move || work(state.clone()));
    }
}

async fn work(state: AppState) -> anyhow::Result<()> {
    let stop = state.supervisor.stop_token();
    let queue = &state.enrolments.0;
    loop {
        let first = tokio::select! {
            biased;
            job = queue.next() => job,
            () = stop.cancelled() => {
                queue.close();
                queue.next().await
            }
        };
        let Some(first) = first else { return Ok(()) };
        let mut group = vec![first];
        while group.len() < MAX_GROUP
            && let Some(job) = queue.pop()
        {
            group.push(job);
        }
        // Whoever has gone away was told nothing and comes again.
        group.retain(|job| !job.reply.is_closed());
        store_and_answer(&state, group).await;
    }
}

async fn store_and_answer(state: &AppState, group: Vec<Job>) {
    let (mut jobs, mut enrolments) = (Vec::new(), Vec::new());
    for job in group {
        jobs.push((job.acting, job.reply));
        enrolments.push(job.enrolment);
    }
    let callers: Vec<&Acting> = jobs.iter().map(|(acting, _)| acting).collect();
    let results = match store_with_retries(state, &callers, &enrolments).await {
        Ok(Some(enrolled)) => enrolled.into_iter().map(Ok).collect(),
        Err(DbError::Unavailable(error)) => {
            tracing::warn!(error = %error, enrolments = enrolments.len(), "enrolments could not be stored; their agents come again");
            (0..enrolments.len())
                .map(|_| Err(ApiError::unavailable(PUT_OFF_SECONDS)))
                .collect()
        }
        Ok(None) | Err(_) => store_apart(state, &callers, &enrolments).await,
    };
    for ((_, reply), result) in jobs.into_iter().zip(results) {
        let _ = reply.send(result);
    }
}

async fn store_apart(
    state: &AppState,
    callers: &[&Acting],
    enrolments: &[Enrolment],
) -> Vec<ApiResult<Enrolled>> {
    let mut results = Vec::with_capacity(enrolments.len());
    for (acting, enrolment) in callers.iter().zip(enrolments) {
        let stored = store_with_retries(state, &[acting], std::slice::from_ref(enrolment)).await;
        results.push(
            match stored.map(|enrolled| enrolled.and_then(|mut enrolled| enrolled.pop())) {
                Ok(Some(enrolled)) => Ok(enrolled),
                Ok(None) => Err(ApiError::forbidden(
                    "key_used_up",
                    "this key has no enrolment left; make another one, or one with a higher maximum",
                )),
                Err(error) => Err(error.into()),
            },
        );
    }
    results
}

async fn store_with_retries(
    state: &AppState,
    callers: &[&Acting],
    enrolments: &[Enrolment],
) -> Result<Option<Vec<Enrolled>>, DbError> {
    let mut tries = 1;
    loop {
        match store(state, callers, enrolments).await {
            Err(DbError::Busy) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

async fn store(
    state: &AppState,
    callers: &[&Acting],
    enrolments: &[Enrolment],
) -> Result<Option<Vec<Enrolled>>, DbError> {
    let mut tx = state.db.system("enrolment").await?;
    let Some(enrolled) = db::enrol(&mut tx, enrolments, state.now()).await? else {
        return Ok(None);
    };
    let tenant_of = |acting: &Acting| -> TenantId { acting.caller.tenant_id };
    let changes: Vec<Change> = callers
        .iter()
        .zip(&enrolled)
        .map(|(acting, endpoint)| Change::endpoint(tenant_of(acting), endpoint.agent_id, endpoint.owner))
        .collect();
    announce(&mut tx, &changes).await?;
    for (acting, endpoint) in callers.iter().zip(&enrolled) {
        let action = if endpoint.reenrolled {
            "endpoint.reenrol"
        } else {
            "endpoint.enrol"
        };
        let mut event = acting.event(state, action);
        event.object = Some(("endpoint", endpoint.agent_id.to_string()));
        tx.record(tenant_of(acting), &event).await?;
    }
    tx.commit_upkeep().await?;
    Ok(Some(enrolled))
}
