//! Counting the endpoints of a tenant reads each of them. Where that takes long, an answer serves for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sg_db::monitoring::count_endpoints;
use sg_db::{Caller, DbError, ReadTx};
use sg_types::api::monitoring::EndpointCounts;
use sg_types::{Scope, TenantId};

/// What takes less is counted each time.
const CHEAP: Duration = Duration::from_millis(250);
/// A count serves for so many times as long as it took: with several people at their consoles, counting takes a twentieth of one processor at most.
const SERVES: u32 = 20;

/// The counts that took long, by tenant.
#[derive(Debug, Default)]
pub struct FleetCounts(Mutex<HashMap<TenantId, Counted>>);

#[derive(Debug, Clone, Copy)]
struct Counted {
    counts: EndpointCounts,
    serves_until: Instant,
    took: Duration,
}

impl FleetCounts {
    /// The endpoints that the caller sees, by state; `counted_at` says how old that is.
    ///
    /// # Errors
    /// What the query meets.
    pub async fn read(
        &self,
        tx: &mut ReadTx,
        caller: &Caller,
        at: DateTime<Utc>,
    ) -> Result<EndpointCounts, DbError> {
        if caller.scope == Scope::Own {
            return count_endpoints(tx, at).await;
        }
        let begun = Instant::now();
        if let Some(counts) = self.serving(caller.tenant_id, begun) {
            return Ok(counts);
        }
        let counts = count_endpoints(tx, at).await?;
        self.keep(caller.tenant_id, counts, begun, begun.elapsed());
        Ok(counts)
    }

    /// The count that still serves. Whoever finds that it no longer does counts anew; the others are served the old one meanwhile.
    fn serving(&self, tenant: TenantId, now: Instant) -> Option<EndpointCounts> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = kept.get_mut(&tenant)?;
        if now < counted.serves_until {
            return Some(counted.counts);
        }
        counted.serves_until = now + counted.took * 2;
        None
    }

    fn keep(&self, tenant: TenantId, counts: EndpointCounts, begun: Instant, took: Duration) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if took < CHEAP {
            kept.remove(&tenant);
            return;
        }
        let serves_until = begun + took * (SERVES + 1);
        kept.insert(
            tenant,
            Counted {
                counts,
                serves_until,
                took,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_secs(1);

    fn counts(online: i64) -> EndpointCounts {
        EndpointCounts {
            online,
            stale: 0,
            offline: 0,
            counted_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_slow_count_serves_and_one_of_those_who_find_it_too_old_counts_anew() {
        let (kept, begun) = (FleetCounts::default(), Instant::now());
        let tenant = TenantId::DEFAULT;
        assert_eq!(kept.serving(tenant, begun), None);
        kept.keep(tenant, counts(1), begun, SLOW);
        assert_eq!(kept.serving(tenant, begun + SLOW * SERVES), Some(counts(1)));
        assert_eq!(kept.serving(TenantId::SYSTEM, begun), None, "of another tenant");

        let late = begun + SLOW * (SERVES + 1);
        assert_eq!(kept.serving(tenant, late), None, "this one counts");
        assert_eq!(kept.serving(tenant, late), Some(counts(1)), "that one does not");
        assert_eq!(kept.serving(tenant, late + SLOW * 2), None, "nobody came back");
        kept.keep(tenant, counts(2), late, SLOW);
        assert_eq!(kept.serving(tenant, late + SLOW), Some(counts(2)));
    }

    #[test]
    fn a_count_that_became_quick_is_taken_each_time() {
        let (kept, begun) = (FleetCounts::default(), Instant::now());
        kept.keep(TenantId::DEFAULT, counts(1), begun, SLOW);
        kept.keep(TenantId::DEFAULT, counts(2), begun, CHEAP / 2);
        assert_eq!(kept.serving(TenantId::DEFAULT, begun), None);
    }
}
