//! The queue in front of the group commit: bounded, and served tenant by tenant in turn. One that sends fifty times as much as others waits behind
//! itself, and always leaves room for them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sg_types::TenantId;
use tokio::sync::Notify;

/// A tenant may have so many times as much waiting as there are places free (a dynamic threshold): one alone gets three quarters of the queue, two
/// that press at the same time three sevenths each.
const OWN_PER_FREE: usize = 3;

/// Why something is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// There is no place, or no more at the end.
    Queue,
    /// The tenant has its share waiting.
    Share,
}

/// How much of the queue is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Less than half.
    Low,
    /// Half of the places or more.
    Half,
}

/// What waits, by tenant.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    inner: Mutex<Inner<T>>,
    filled: Notify,
    capacity: usize,
}

#[derive(Debug)]
struct Inner<T> {
    waiting: HashMap<TenantId, VecDeque<T>>,
    /// The tenants that have something waiting, in the order of their turns.
    turns: VecDeque<TenantId>,
    count: usize,
    is_closed: bool,
}

impl<T> FairQueue<T> {
    /// An empty queue with so many places, at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                waiting: HashMap::new(),
                turns: VecDeque::new(),
                count: 0,
                is_closed: false,
            }),
            filled: Notify::new(),
            capacity: capacity.max(1),
        }
    }

    /// Puts something at the end of its tenant's own queue; how the places are taken then.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(crate) fn push(&self, tenant_id: TenantId, item: T) -> Result<Fill, Full> {
        let mut inner = self.lock();
        let free = self.capacity.saturating_sub(inner.count);
        if inner.is_closed || free == 0 {
            return Err(Full::Queue);
        }
        let own = inner.waiting.entry(tenant_id).or_default();
        if own.len() > OWN_PER_FREE * free {
            return Err(Full::Share);
        }
        own.push_back(item);
        if own.len() == 1 {
            inner.turns.push_back(tenant_id);
        }
        inner.count += 1;
        let fill = if inner.count * 2 >= self.capacity {
            Fill::Half
        } else {
            Fill::Low
        };
        drop(inner);
        self.filled.notify_one();
        Ok(fill)
    }

    /// Puts back what was taken last of a tenant's: it is its next one again.
    pub(crate) fn put_back(&self, tenant_id: TenantId, item: T) {
        let mut inner = self.lock();
        let own = inner.waiting.entry(tenant_id).or_default();
        own.push_front(item);
        if own.len() == 1 {
            inner.turns.push_back(tenant_id);
        }
        inner.count += 1;
        drop(inner);
        self.filled.notify_one();
    }

    /// The next one, if something waits.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut inner = self.lock();
        let tenant_id = inner.turns.pop_front()?;
        let own = inner.waiting.get_mut(&tenant_id)?;
        let item = own.pop_front();
        if own.is_empty() {
            inner.waiting.remove(&tenant_id);
        } else {
            inner.turns.push_back(tenant_id);
        }
        inner.count -= 1;
        item
    }

    /// Waits for the next one; none once the queue is closed and empty.
    pub(crate) async fn next(&self) -> Option<T> {
        loop {
            let filled = self.filled.notified();
            if let Some(item) = self.pop() {
                return Some(item);
            }
            if self.lock().is_closed {
                return None;
            }
            filled.await;
        }
    }

    /// Takes nothing more; what waits can still be had.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId(Uuid::from_u128(number))
    }

    /// Puts in as much as is taken.
    fn press(queue: &FairQueue<u128>, number: u128, times: usize) -> usize {
        (0..times)
            .filter(|_| queue.push(tenant(number), number).is_ok())
            .count()
    }

    #[test]
    fn one_that_presses_leaves_room_and_comes_in_turn() {
        let queue = FairQueue::new(1_000);
        assert_eq!(press(&queue, 1, 498), 498);
        assert_eq!(queue.push(tenant(1), 1), Ok(Fill::Low));
        assert_eq!(queue.push(tenant(1), 1), Ok(Fill::Half));
        assert_eq!(press(&queue, 1, 50_000), 251);
        assert_eq!(queue.push(tenant(1), 1), Err(Full::Share));
        for other in 2..=50 {
            assert_eq!(press(&queue, other, 1), 1, "{other} finds room");
        }
        // Whoever came last is served in the first round, behind one of the other's many.
        let first: Vec<u128> = std::iter::from_fn(|| queue.pop()).take(50).collect();
        assert_eq!(first, (1..=50).collect::<Vec<_>>());
    }

    #[test]
    fn several_that_press_get_equal_parts() {
        let queue = FairQueue::new(700);
        let mut taken = [0, 0];
        for _ in 0..5_000 {
            taken[0] += press(&queue, 1, 1);
            taken[1] += press(&queue, 2, 1);
        }
        assert!(taken[0].abs_diff(taken[1]) <= 1 && taken[0] > 290, "{taken:?}");
        assert_eq!(press(&queue, 3, 50), 50);
    }

    #[test]
    fn each_tenants_own_order_is_kept_and_a_full_queue_is_full() {
        let queue = FairQueue::new(4);
        for item in [1, 2, 3] {
            queue.push(tenant(1), item).unwrap();
        }
        queue.push(tenant(2), 9).unwrap();
        assert_eq!(queue.push(tenant(3), 7), Err(Full::Queue));
        assert_eq!(
            std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(),
            [1, 9, 2, 3]
        );
    }

    #[tokio::test]
    async fn a_closed_queue_is_emptied() {
        let queue = FairQueue::new(10);
        queue.push(tenant(1), 1).unwrap();
        queue.close();
        assert_eq!(queue.push(tenant(1), 2), Err(Full::Queue));
        assert_eq!((queue.next().await, queue.next().await), (Some(1), None));
    }
}
