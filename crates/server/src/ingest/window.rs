//! Which check-ins share a transaction: whatever came while the transaction before theirs was running. The load itself sizes the groups, and an
//! agent that comes alone waits for nobody.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Job;
use super::queue::FairQueue;

/// Check-ins of one group at most.
const MAX_GROUP: usize = 256;
/// Records after which a group is full.
const MAX_GROUP_RECORDS: usize = 20_000;
/// Check-ins that are worth a transaction beside the one that is running: one of a few costs nearly as much as one of many.
const WORTH_BESIDE: usize = 64;

/// The groups that are being written at the moment, up to their commits: what then waits for the disk leaves the processors to the next one.
#[derive(Debug, Default)]
pub(super) struct Running {
    count: AtomicUsize,
    ended: Notify,
}

/// A group is being written, until this is dropped.
#[derive(Debug)]
pub(super) struct Storing<'a>(&'a Running);

impl Running {
    /// Says that a group begins.
    pub(super) fn begin(&self) -> Storing<'_> {
        self.count.fetch_add(1, Ordering::SeqCst);
        Storing(self)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::SeqCst);
        // One permit is enough, since one worker gathers at a time; a permit that nobody waited for makes the next one look once too often.
        self.0.ended.notify_one();
    }
}

/// Waits for a check-in, and gathers what else is there. While a group is being written, more are gathered until it ends, they are worth a
/// transaction of their own, or `patience` is over: one that hangs on a lock must not hold up the others.
///
/// Once everything stops nobody can queue any more, and what is queued is stored; empty when that is done.
pub(super) async fn next_group(
    queue: &FairQueue<Job>,
    running: &Running,
    patience: Duration,
    stop: &CancellationToken,
) -> Vec<Job> {
    let first = tokio::select! {
        biased;
        job = queue.next() => job,
        () = stop.cancelled() => {
            queue.close();
            queue.next().await
        }
    };
    let Some(first) = first else { return Vec::new() };
    let deadline = Instant::now() + patience;
    let mut group = Group::of(first);
    loop {
        group.take_queued(queue);
        if group.is_full() || running.count() == 0 || group.jobs.len() >= WORTH_BESIDE {
            return group.jobs;
        }
        tokio::select! {
            job = queue.next() => match job {
                Some(job) => group.push(job),
                None => return group.jobs,
            },
            () = running.ended.notified() => {}
            () = sleep_until(deadline) => return group.jobs,
        }
    }
}

struct Group {
    jobs: Vec<Job>,
    records: usize,
}

impl Group {
    fn of(job: Job) -> Self {
        let records = job.check_in.records.len();
        Self {
            jobs: vec![job],
            records,
        }
    }

    fn push(&mut self, job: Job) {
        self.records += job.check_in.records.len();
        self.jobs.push(job);
    }

    fn take_queued(&mut self, queue: &FairQueue<Job>) {
        while !self.is_full()
            && let Some(job) = queue.pop()
        {
            self.push(job);
        }
    }

    fn is_full(&self) -> bool {
        self.jobs.len() >= MAX_GROUP || self.records >= MAX_GROUP_RECORDS
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde_json::Value;
    use sg_db::TokenHash;
    use sg_db::agents::ingest::{NewCheckIn, Watched};
    use sg_types::{Clock, SystemClock, TenantId};
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    fn job() -> Job {
        let check_in = NewCheckIn {
            token: TokenHash::of("token"),
            epoch: Uuid::nil(),
            turn: Uuid::nil(),
            moves_turn: true,
            first_seq: 1,
            records: Vec::new(),
            sent_at: SystemClock.now(),
            version: String::new(),
            rules_version: 0,
            hardware_fingerprint: String::new(),
            sources: Value::Null,
            backlog_records: 0,
            run: None,
            watched: Watched::default(),
        };
        Job {
            check_in,
            reply: oneshot::channel().0,
        }
    }

    fn put(queue: &FairQueue<Job>) -> bool {
        queue.push(TenantId::DEFAULT, job()).is_ok()
    }

    /// A queue with this many check-ins in it.
    fn filled(waiting: usize) -> FairQueue<Job> {
        let queue = FairQueue::new(1_000);
        for _ in 0..waiting {
            assert!(put(&queue));
        }
        queue
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_while_nothing_is_being_stored() {
        let (running, stop) = (Running::default(), CancellationToken::new());
        let began = Instant::now();
        for waiting in [1, 7, 1] {
            let queue = filled(waiting);
            assert_eq!(next_group(&queue, &running, PATIENCE, &stop).await.len(), waiting);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_a_group_is_stored_makes_the_next_one() {
        let (running, stop) = (Running::default(), CancellationToken::new());
        let queue = filled(2);
        let storing = running.begin();
        let mut next = Box::pin(next_group(&queue, &running, PATIENCE, &stop));
        for _ in 0..3 {
            assert!((&mut next).now_or_never().is_none());
            assert!(put(&queue));
        }
        drop(storing);
        assert_eq!(next.await.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_hangs_holds_up_nobody() {
        let (running, stop) = (Running::default(), CancellationToken::new());
        let _hanging = running.begin();
        let queue = filled(3);
        assert_eq!(next_group(&queue, &running, PATIENCE, &stop).await.len(), 3);
        // Enough of them do not even wait that long.
        let began = Instant::now();
        let queue = filled(WORTH_BESIDE);
        let group = next_group(&queue, &running, PATIENCE, &stop).await;
        assert_eq!((group.len(), began.elapsed()), (WORTH_BESIDE, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn groups_are_bounded_and_nothing_is_left_at_the_end() {
        let (running, stop) = (Running::default(), CancellationToken::new());
        let queue = filled(MAX_GROUP + 3);
        assert_eq!(
            next_group(&queue, &running, PATIENCE, &stop).await.len(),
            MAX_GROUP
        );
        stop.cancel();
        assert_eq!(next_group(&queue, &running, PATIENCE, &stop).await.len(), 3);
        assert!(next_group(&queue, &running, PATIENCE, &stop).await.is_empty());
        assert!(!put(&queue));
    }
}
