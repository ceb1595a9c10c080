//! When to try again: exponential back-off with full jitter, so that a fleet does not come back at the same instant.

use std::time::Duration;

use rand::RngExt as _;

/// The first pause is up to this long.
const FIRST: Duration = Duration::from_secs(1);
/// No pause that the agent chooses itself is longer.
const MAX: Duration = Duration::from_secs(300);
/// What the server asked for is stretched by up to this share, for the same reason.
const STRETCH: f64 = 0.25;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    failures: u32,
}

impl Pace {
    /// The pause after a failure.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(rand::rng().random_range(0.0..1.0))
    }

    /// The pause after the server asked for one.
    pub(crate) fn after_busy(&mut self, retry_after: Option<Duration>) -> Duration {
        let own = self.after_failure();
        retry_after.map_or(own, |asked| {
            asked
                .mul_f64(1.0 + rand::rng().random_range(0.0..STRETCH))
                .max(own)
        })
    }

    /// The pause while the server refuses the token: only a person can mend that.
    pub(crate) fn after_refusal() -> Duration {
        MAX.mul_f64(rand::rng().random_range(0.75..1.25))
    }

    /// A call succeeded.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    fn ceiling(&self) -> Duration {
        FIRST.saturating_mul(1 << self.failures.min(16)).min(MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_cap_and_start_over() {
        let mut pace = Pace::default();
        let ceilings: Vec<u64> = (0..11)
            .map(|_| {
                let ceiling = pace.ceiling();
                assert!(pace.after_failure() <= ceiling);
                ceiling.as_secs()
            })
            .collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        for _ in 0..100 {
            assert!(pace.after_failure() <= MAX);
        }
        pace.reset();
        assert!(pace.after_failure() <= FIRST);
    }

    #[test]
    fn a_requested_pause_is_kept_at_least() {
        let asked = Duration::from_secs(40);
        let pause = Pace::default().after_busy(Some(asked));
        assert!(pause >= asked && pause <= Duration::from_secs(50));
    }
}
