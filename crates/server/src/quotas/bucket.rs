//! What one subject has used of a minute, as this node knows it.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use sg_db::users::{Counted, Reserved};
use sg_types::TenantId;
use sg_types::api::rate_limits::RateSubjectKind;

use super::lock;

/// A node lets one in so many requests of a limit through before it asks for a share.
const UNASKED_SHARE: i64 = 100;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Let through.
    Served { limit: i64, remaining: i64 },
    /// The limit is used up; `is_first` for the first such request of the minute here.
    Refused { limit: i64, is_first: bool },
    /// A share has to be reserved first.
    Unknown,
}

/// What was counted in one minute and is not reported yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    minute: i64,
    spent: i64,
    served: i64,
    refused: i64,
}

impl Counts {
    fn is_empty(&self) -> bool {
        self.served == 0 && self.refused == 0
    }

    /// As the database takes it.
    pub(super) fn of(&self, kind: RateSubjectKind, subject: String, tenant_id: TenantId) -> Counted {
        Counted {
            kind,
            subject,
            tenant_id,
            window: DateTime::<Utc>::from_timestamp(self.minute * 60, 0).unwrap_or_default(),
            spent: self.spent,
            served: self.served,
            refused: self.refused,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// The limit; 0 while nobody has told it.
    limit: i64,
    /// Requests that may pass without a reservation.
    unasked: i64,
    /// Requests that are reserved.
    reserved: i64,
    /// What the database had left for every node when it was asked last.
    remaining: i64,
    /// Whether there is nothing left to reserve.
    is_used_up: bool,
    counts: Counts,
    /// Of earlier minutes.
    late: Vec<Counts>,
}

impl State {
    fn roll(&mut self, minute: i64) {
        // A clock that was set back goes on counting in the minute that it was in.
        if minute <= self.counts.minute {
            return;
        }
        if !self.counts.is_empty() {
            self.late.push(self.counts);
        }
        // Who comes back after a while asks first: the limit may be another by now.
        if self.counts.minute < minute - 1 && self.counts.minute != i64::MIN {
            self.limit = 0;
        }
        self.counts = Counts {
            minute,
            ..Counts::default()
        };
        self.unasked = self.limit / UNASKED_SHARE;
        self.reserved = 0;
        self.remaining = self.limit - self.unasked;
        self.is_used_up = false;
    }
}

/// One subject's counts.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) tenant_id: TenantId,
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
}

impl Bucket {
    /// A subject that was not seen before; `limit` is 0 where nobody knows it.
    pub(super) fn new(tenant_id: TenantId, limit: i64) -> Self {
        let state = State {
            limit,
            counts: Counts {
                minute: i64::MIN,
                ..Counts::default()
            },
            ..State::default()
        };
        Self {
            tenant_id,
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Takes one request of the minute.
    pub(super) fn take(&self, minute: i64) -> Taken {
        let mut state = lock(&self.state);
        state.roll(minute);
        let limit = state.limit;
        if state.reserved > 0 {
            state.reserved -= 1;
        } else if state.unasked > 0 {
            state.unasked -= 1;
            state.counts.spent += 1;
        } else if state.is_used_up {
            let is_first = state.counts.refused == 0;
            state.counts.refused += 1;
            return Taken::Refused { limit, is_first };
        } else {
            return Taken::Unknown;
        }
        state.counts.served += 1;
        Taken::Served {
            limit,
            remaining: state.reserved + state.unasked + state.remaining,
        }
    }

    /// Waits until nobody else asks for a share.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// What goes with the question for a share. None when somebody else has brought one meanwhile.
    pub(super) fn report_to_reserve(&self, minute: i64) -> Option<Counts> {
        let mut state = lock(&self.state);
        state.roll(minute);
        if state.reserved > 0 || state.unasked > 0 || state.is_used_up {
            return None;
        }
        let minute = state.counts.minute;
        let counts = std::mem::take(&mut state.counts);
        state.counts.minute = minute;
        Some(counts)
    }

    /// Adds a share.
    pub(super) fn add(&self, minute: i64, share: Reserved) {
        let mut state = lock(&self.state);
        state.limit = share.allowed;
        if state.counts.minute > minute {
            return;
        }
        state.reserved += share.granted;
        state.remaining = share.remaining;
        state.is_used_up = share.granted == 0;
    }

    /// Notes what the limit is now; it holds from the next minute on.
    pub(super) fn set_limit(&self, limit: i64) {
        lock(&self.state).limit = limit;
    }

    /// Everything that was counted since the last report.
    pub(super) fn report(&self) -> Vec<Counts> {
        let mut state = lock(&self.state);
        let mut all = std::mem::take(&mut state.late);
        if !state.counts.is_empty() {
            all.push(state.counts);
            state.counts = Counts {
                minute: state.counts.minute,
                ..Counts::default()
            };
        }
        all
    }

    /// Counts again what could not be reported.
    pub(super) fn put_back(&self, counts: &Counts) {
        let mut state = lock(&self.state);
        if state.counts.minute == counts.minute {
            state.counts.spent += counts.spent;
            state.counts.served += counts.served;
            state.counts.refused += counts.refused;
        } else if !counts.is_empty() {
            state.late.push(*counts);
        }
    }

    /// The minute of the last request.
    pub(super) fn last_minute(&self) -> i64 {
        lock(&self.state).counts.minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(granted: i64, allowed: i64, remaining: i64) -> Reserved {
        Reserved {
            granted,
            allowed,
            remaining,
        }
    }

    fn serve(bucket: &Bucket, minute: i64, times: usize) -> usize {
        (0..times)
            .filter(|_| matches!(bucket.take(minute), Taken::Served { .. }))
            .count()
    }

    #[test]
    fn nothing_passes_before_the_limit_is_known_and_nothing_beyond_it() {
        let bucket = Bucket::new(TenantId::SYSTEM, 0);
        assert_eq!(bucket.take(7), Taken::Unknown);
        let report = bucket.report_to_reserve(7).unwrap();
        assert_eq!((report.minute, report.served), (7, 0));
        bucket.add(7, share(4, 100, 96));
        assert_eq!(
            bucket.take(7),
            Taken::Served {
                limit: 100,
                remaining: 99
            }
        );
        assert_eq!(serve(&bucket, 7, 9), 3);
        assert_eq!(bucket.report_to_reserve(7).unwrap().served, 4);
        bucket.add(7, share(0, 100, 0));
        let refused = |is_first| Taken::Refused { limit: 100, is_first };
        assert_eq!([bucket.take(7), bucket.take(7)], [refused(true), refused(false)]);
        assert_eq!(
            bucket.report_to_reserve(7),
            None,
            "nobody asks again in this minute"
        );
    }

    #[test]
    fn a_new_minute_begins_with_what_needs_no_question() {
        let bucket = Bucket::new(TenantId::SYSTEM, 600);
        assert_eq!(serve(&bucket, 1, 10), 6);
        bucket.add(1, share(24, 600, 570));
        assert_eq!(serve(&bucket, 1, 3), 3);
        assert_eq!(
            serve(&bucket, 2, 10),
            6,
            "what was reserved is over with its minute"
        );
        let reports = bucket.report();
        let told: Vec<_> = reports.iter().map(|c| (c.minute, c.spent, c.served)).collect();
        assert_eq!(told, [(1, 6, 9), (2, 6, 6)]);
        assert_eq!(bucket.report(), []);
        bucket.put_back(&reports[0]);
        bucket.put_back(&reports[1]);
        assert_eq!(bucket.report().len(), 2, "what could not be written is not lost");
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_twice() {
        let bucket = Bucket::new(TenantId::SYSTEM, 100);
        assert_eq!(serve(&bucket, 5, 3), 1);
        assert_eq!(serve(&bucket, 4, 3), 0);
    }
}
