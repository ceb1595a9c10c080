//! Which check-ins share a transaction: whatever came while the transaction before theirs was running. The load itself sizes the groups, and an
//! agent that comes alone waits for nobody. Nor does one wait for a group that another tenant fills.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sg_types::TenantId;

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

/// Check-ins of one tenant from which on they fill a group, if they are more than half of it.
const FILLS: usize = 4;

/// The groups that are being written at the moment, up to their commits: what then waits for the disk leaves the processors to the next one.
#[derive(Debug, Default)]
pub(super) struct Running {
    groups: Mutex<Groups>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Groups {
    count: usize,
    /// Who fills the group that began last, of those that are not beside one.
    filled_by: Option<TenantId>,
    /// Whether one is written beside a group that another tenant fills.
    has_one_beside: bool,
}

/// A group is being written, until this is dropped.
#[derive(Debug)]
pub(super) struct Storing<'a> {
    running: &'a Running,
    is_beside: bool,
}

impl Running {
    /// Says that a group begins.
    pub(super) fn begin(&self, group: &Group) -> Storing<'_> {
        let mut groups = self.lock();
        groups.count += 1;
        if group.is_beside {
            groups.has_one_beside = true;
        } else {
            groups.filled_by = group.filled_by();
        }
        Storing {
            running: self,
            is_beside: group.is_beside,
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lock().count
    }

    /// Who fills the group that is being written, if nobody has been let past it yet.
    fn filled_by(&self) -> Option<TenantId> {
        let groups = self.lock();
        groups
            .filled_by
            .filter(|_| groups.count > 0 && !groups.has_one_beside)
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        let mut groups = self.running.lock();
        groups.count -= 1;
        if self.is_beside {
            groups.has_one_beside = false;
        }
        drop(groups);
        // One permit is enough, since one worker gathers at a time; a permit that nobody waited for makes the next one look once too often.
        self.running.ended.notify_one();
    }
}

/// Waits for a check-in, and gathers what else is there. While a group is being written, more are gathered until it ends, they are worth a
/// transaction of their own, or `patience` is over: one that hangs on a lock must not hold up the others. Those of other tenants go at once, one group at
/// a time, past one that a tenant fills.
///
/// Once everything stops nobody can queue any more, and what is queued is stored; empty when that is done.
pub(super) async fn next_group(
    queue: &FairQueue<Job>,
    running: &Running,
    patience: Duration,
    stop: &CancellationToken,
) -> Group {
    let first = tokio::select! {
        biased;
        job = queue.next() => job,
        () = stop.cancelled() => {
            queue.close();
            queue.next().await
        }
    };
    let mut group = Group::default();
    let Some(first) = first else { return group };
    let deadline = Instant::now() + patience;
    group.push(first);
    loop {
        group.take_queued(queue);
        if group.is_full() || running.count() == 0 || group.jobs.len() >= WORTH_BESIDE {
            return group;
        }
        if let Some(tenant_id) = running.filled_by()
            && let Some(others) = group.split_off_others(tenant_id, queue)
        {
            return others;
        }
        tokio::select! {
            job = queue.next() => match job {
                Some(job) => group.push(job),
                None => return group,
            },
            () = running.ended.notified() => {}
            () = sleep_until(deadline) => return group,
        }
    }
}

/// Check-ins that share a transaction.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) jobs: Vec<Job>,
    records: usize,
    /// Whether it goes past one that another tenant fills.
    is_beside: bool,
}

impl Group {
    /// The tenant of more than half of them, unless they are few.
    fn filled_by(&self) -> Option<TenantId> {
        let mut counts: HashMap<TenantId, usize> = HashMap::new();
        for job in &self.jobs {
            *counts.entry(job.tenant_id).or_default() += 1;
        }
        let (tenant_id, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        (count >= FILLS && count * 2 > self.jobs.len()).then_some(tenant_id)
    }

    /// Those of other tenants, if there are any; the tenant's own go back to where they were in the queue.
    fn split_off_others(&mut self, tenant_id: TenantId, queue: &FairQueue<Job>) -> Option<Self> {
        if self.jobs.iter().all(|job| job.tenant_id == tenant_id) {
            return None;
        }
        let mut others = Self {
            is_beside: true,
            ..Self::default()
        };
        let mut own = Vec::new();
        for job in std::mem::take(&mut self.jobs) {
            if job.tenant_id == tenant_id {
                own.push(job);
            } else {
                others.push(job);
            }
        }
        for job in own.into_iter().rev() {
            queue.put_back(tenant_id, job);
        }
        Some(others)
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
    use sg_types::{Clock, SystemClock};
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    fn job(tenant_id: TenantId) -> Job {
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
            tenant_id,
            check_in,
            reply: oneshot::channel().0,
        }
    }

    fn put(queue: &FairQueue<Job>) -> bool {
        put_of(queue, TenantId::DEFAULT)
    }

    fn put_of(queue: &FairQueue<Job>, tenant_id: TenantId) -> bool {
        queue.push(tenant_id, job(tenant_id)).is_ok()
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
            assert_eq!(
                next_group(&queue, &running, PATIENCE, &stop).await.jobs.len(),
                waiting
            );
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_a_group_is_stored_makes_the_next_one() {
        let (running, stop) = (Running::default(), CancellationToken::new());
        let queue = filled(2);
        let storing = running.begin(&Group::default());
        let mut next = Box::pin(next_group(&queue, &running, PATIENCE, &stop));
        for _ in 0..3 {
            assert!((&mut next).now_or_never().is_none());
            assert!(put(&queue));
        }
        drop(storing);
        assert_eq!(next.await.jobs.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_hangs_holds_up_nobody() {
        let (running, stop) = (Running::default(), CancellationToken::new());
        let _hanging = running.begin(&Group::default());
        let queue = filled(3);
        assert_eq!(next_group(&queue, &running, PATIENCE, &stop).await.jobs.len(), 3);
        // Enough of them do not even wait that long.
        let began = Instant::now();
        let queue = filled(WORTH_BESIDE);
        let group = next_group(&queue, &running, PATIENCE, &stop).await;
        assert_eq!(
            (group.jobs.len(), began.elapsed()),
            (WORTH_BESIDE, Duration::ZERO)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn groups_are_bounded_and_nothing_is_left_at_the_end() {
        let (running, stop) = (Running::default(), CancellationToken::new());
        let queue = filled(MAX_GROUP + 3);
        assert_eq!(
            next_group(&queue, &running, PATIENCE, &stop).await.jobs.len(),
            MAX_GROUP
        );
        stop.cancel();
        assert_eq!(next_group(&queue, &running, PATIENCE, &stop).await.jobs.len(), 3);
        assert!(
            next_group(&queue, &running, PATIENCE, &stop)
                .await
                .jobs
                .is_empty()
        );
        assert!(!put(&queue));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_group_that_another_tenant_fills() {
        let (running, stop) = (Running::default(), CancellationToken::new());
        let (pressing, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let queue = FairQueue::new(1_000);
        for _ in 0..FILLS {
            assert!(put_of(&queue, pressing));
        }
        let first = next_group(&queue, &running, PATIENCE, &stop).await;
        let storing = running.begin(&first);

        // Its own wait for it, in their order; what another tenant sends does not.
        for _ in 0..3 {
            assert!(put_of(&queue, pressing));
        }
        let mut next = Box::pin(next_group(&queue, &running, PATIENCE, &stop));
        assert!((&mut next).now_or_never().is_none());
        assert!(put_of(&queue, other) && put_of(&queue, other));
        let began = Instant::now();
        let past = next.await;
        assert_eq!((past.jobs.len(), began.elapsed()), (2, Duration::ZERO));
        assert!(past.jobs.iter().all(|job| job.tenant_id == other));
        let beside = running.begin(&past);

        // One group at a time goes past.
        assert!(put_of(&queue, other));
        let mut next = Box::pin(next_group(&queue, &running, PATIENCE, &stop));
        assert!((&mut next).now_or_never().is_none());
        drop(beside);
        assert_eq!(next.await.jobs.len(), 1);
        drop(storing);
        let rest = next_group(&queue, &running, PATIENCE, &stop).await;
        assert_eq!((rest.jobs.len(), rest.is_beside), (3, false));
    }
}
