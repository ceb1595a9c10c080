//! When refused agents may come back: one after the other, at half the pace at which check-ins are stored. All at once they would be refused again, and the
//! other half is left to those that come by themselves.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How soon, and how late at most.
const SOONEST: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(600);
/// Over how long check-ins are counted for the pace.
const WINDOW: Duration = Duration::from_secs(1);
/// Check-ins in a second that any machine stores, before some were counted.
const LEAST_PACE: f64 = 100.0;
/// What is left of the highest pace after a window: it fades by half in about a minute.
const FADING: f64 = 0.99;

/// The order in which refused agents come back.
#[derive(Debug)]
pub(super) struct Returns(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    /// Check-ins in a second, at the most of late: what is stored while little comes is not what can be stored.
    pace: f64,
    counted: u32,
    counting_since: Instant,
    /// When the next one that is refused may come.
    next: Instant,
}

impl Default for Returns {
    fn default() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Inner {
            pace: LEAST_PACE,
            counted: 0,
            counting_since: now,
            next: now,
        }))
    }
}

impl Returns {
    /// Takes note of check-ins that were stored.
    pub(super) fn note_stored(&self, count: usize) {
        let mut inner = self.lock();
        inner.counted = inner
            .counted
            .saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        let passed = inner.counting_since.elapsed();
        if passed >= WINDOW {
            let pace = f64::from(inner.counted) / passed.as_secs_f64();
            inner.pace = pace.max(inner.pace * FADING).max(LEAST_PACE);
            inner.counted = 0;
            inner.counting_since = Instant::now();
        }
    }

    /// For how long one that is refused stays away, in whole seconds. Those for whom there is no place within ten minutes are spread over the latter half of these.
    pub(super) fn put_off(&self) -> u64 {
        let mut inner = self.lock();
        let now = Instant::now();
        let due = inner.next.max(now + SOONEST);
        let mut wait = due - now;
        if wait > LATEST {
            inner.next = now + LATEST / 2;
            wait = LATEST;
        } else {
            inner.next = due + Duration::from_secs_f64(2.0 / inner.pace);
        }
        wait.as_secs()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_off(returns: &Returns, times: usize) -> Vec<u64> {
        (0..times).map(|_| returns.put_off()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_come_soon_and_many_one_after_the_other() {
        let returns = Returns::default();
        for _ in 0..10 {
            tokio::time::advance(WINDOW).await;
            returns.note_stored(4_000);
        }
        assert_eq!(put_off(&returns, 100), [5; 100]);
        // Half of 4,000 in a second.
        let waits = put_off(&returns, 100_000);
        for second in 6..50 {
            let of_second = waits.iter().filter(|wait| **wait == second).count();
            assert!((1_900..=2_100).contains(&of_second), "{second}: {of_second}");
        }
        assert_eq!(waits.last(), Some(&55));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(returns.put_off(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_million_are_spread_over_minutes() {
        let returns = Returns::default();
        let waits = put_off(&returns, 1_000_000);
        assert_eq!(waits.iter().max(), Some(&600));
        let crowd = (5..=600).map(|second| waits.iter().filter(|wait| **wait == second).count());
        assert!(crowd.max() < Some(1_000_000 / 200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_hour_does_not_slow_the_return() {
        let returns = Returns::default();
        tokio::time::advance(WINDOW).await;
        returns.note_stored(10_000);
        for _ in 0..30 {
            tokio::time::advance(WINDOW).await;
            returns.note_stored(1);
        }
        let waits = put_off(&returns, 5_000);
        assert!(waits.iter().max() < Some(&8), "{:?}", waits.iter().max());
    }
}
