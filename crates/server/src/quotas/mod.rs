//! Limits on the requests of each address, API key, user and tenant, kept in the database and counted here.
//!
//! A node reserves a share of a limit ahead (a twenty-fifth, `users.reserve_requests`) and counts within it in memory, so that all nodes together
//! keep to the limit and hardly any request waits for the database. What nodes hand out before they asked (a hundredth each) and what they
//! reserved without using it is how far several nodes may be off.

mod bucket;
mod standing;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use sg_db::users::{Counted, report_requests, reserve_requests};
use sg_db::{Caller, Db, DbError};
use sg_types::TenantId;
use sg_types::api::rate_limits::RateSubjectKind;
use uuid::Uuid;

use crate::error::ApiError;
use crate::rate_limit::network_of;
use bucket::{Bucket, Taken};
pub(crate) use standing::RateStanding;
use standing::Standing;

/// Parts of the table, each with a lock of its own.
const SHARDS: usize = 32;
/// Minutes without a request after which a subject is forgotten.
const IDLE_MINUTES: i64 = 2;

/// Whose requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Subject {
    Address(IpAddr),
    Tenant(TenantId),
    /// A user in one of their tenants: what another tenant allows them, and what they do there, is no business of this one.
    User(TenantId, Uuid),
    Key(Uuid),
}

impl Subject {
    const fn kind(self) -> RateSubjectKind {
        match self {
            Self::Address(_) => RateSubjectKind::Address,
            Self::Tenant(_) => RateSubjectKind::Tenant,
            Self::User(..) => RateSubjectKind::User,
            Self::Key(_) => RateSubjectKind::Key,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Tenant(id) => id.to_string(),
            Self::User(_, id) | Self::Key(id) => id.to_string(),
        }
    }
}

/// What this node has counted.
#[derive(Debug)]
pub struct Quotas {
    is_on: bool,
    shards: [Mutex<HashMap<Subject, Arc<Bucket>>>; SHARDS],
    hasher: RandomState,
    /// The limit of an address, 0 until the database has told it.
    address_limit: AtomicI64,
}

impl Quotas {
    /// Counts nothing yet, and nothing ever unless `is_on`.
    pub fn new(is_on: bool) -> Self {
        Self {
            is_on,
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            address_limit: AtomicI64::new(0),
        }
    }

    /// Counts a request of an address, before anybody is looked for.
    ///
    /// # Errors
    /// 429 with the time to wait; those of the database.
    pub(crate) async fn check_address(
        &self,
        db: &Db,
        address: IpAddr,
        at: DateTime<Utc>,
        standing: &RateStanding,
    ) -> Result<(), ApiError> {
        let subject = Subject::Address(network_of(address));
        self.check(db, subject, TenantId::SYSTEM, at, standing).await
    }

    /// Counts a request of a caller: of the key, of the user, and of the tenant that it works in.
    ///
    /// # Errors
    /// 429 with the time to wait; those of the database.
    pub(crate) async fn check_caller(
        &self,
        db: &Db,
        caller: &Caller,
        at: DateTime<Utc>,
        standing: &RateStanding,
    ) -> Result<(), ApiError> {
        let tenant_id = caller.tenant_id;
        if caller.scopes.is_some() {
            let key = Subject::Key(caller.credential_id);
            self.check(db, key, tenant_id, at, standing).await?;
        }
        let user = Subject::User(tenant_id, caller.user_id.0);
        self.check(db, user, tenant_id, at, standing).await?;
        self.check(db, Subject::Tenant(tenant_id), tenant_id, at, standing)
            .await
    }

    async fn check(
        &self,
        db: &Db,
        subject: Subject,
        tenant_id: TenantId,
        at: DateTime<Utc>,
        standing: &RateStanding,
    ) -> Result<(), ApiError> {
        if !self.is_on {
            return Ok(());
        }
        let minute = at.timestamp().div_euclid(60);
        let seconds_left = u64::try_from(60 - at.timestamp().rem_euclid(60)).unwrap_or(60);
        let bucket = self.bucket(subject, tenant_id);
        loop {
            match bucket.take(minute) {
                Taken::Served { limit, remaining } => {
                    standing.note(Standing {
                        kind: subject.kind(),
                        limit,
                        remaining,
                        seconds_left,
                    });
                    return Ok(());
                }
                Taken::Refused { limit, is_first } => {
                    let kind = subject.kind().as_str();
                    metrics::counter!("sg_http_rate_limited_total", "limit" => kind).increment(1);
                    if is_first {
                        tracing::warn!(
                            limit.kind = kind,
                            limit.subject = subject.text(),
                            limit.requests_per_minute = limit,
                            "a limit on requests is used up"
                        );
                    }
                    standing.note(Standing {
                        kind: subject.kind(),
                        limit,
                        remaining: 0,
                        seconds_left,
                    });
                    return Err(ApiError::too_many_requests(seconds_left));
                }
                Taken::Unknown => self.reserve(db, subject, &bucket, minute).await?,
            }
        }
    }

    /// Asks for a share, once for everybody who waits for it.
    async fn reserve(&self, db: &Db, subject: Subject, bucket: &Bucket, minute: i64) -> Result<(), DbError> {
        let _turn = bucket.turn().await;
        let Some(counts) = bucket.report_to_reserve(minute) else {
            return Ok(());
        };
        let counted = counts.of(subject.kind(), subject.text(), bucket.tenant_id);
        let reserved = async {
            let mut tx = db.system("limits on requests").await?;
            let reserved = reserve_requests(&mut tx, &counted).await?;
            tx.commit_upkeep().await?;
            Ok(reserved)
        };
        match reserved.await {
            Ok(reserved) => {
                if subject.kind() == RateSubjectKind::Address {
                    self.address_limit.store(reserved.allowed, Ordering::Relaxed);
                }
                bucket.add(minute, reserved);
                Ok(())
            }
            Err(error) => {
                bucket.put_back(&counts);
                Err(error)
            }
        }
    }

    /// Reports what was counted since the last time, and forgets who is gone. What cannot be written is kept for the next turn.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn flush(&self, db: &Db, at: DateTime<Utc>) -> anyhow::Result<()> {
        let minute = at.timestamp().div_euclid(60);
        let mut reports = Vec::new();
        for shard in &self.shards {
            lock(shard).retain(|subject, bucket| {
                reports.extend(
                    bucket
                        .report()
                        .into_iter()
                        .map(|counts| (*subject, bucket.clone(), counts)),
                );
                // Somebody who holds it is about to count in it.
                bucket.last_minute() + IDLE_MINUTES > minute || Arc::strong_count(bucket) > 1
            });
        }
        if reports.is_empty() {
            return Ok(());
        }
        let counted: Vec<Counted> = reports
            .iter()
            .map(|(subject, bucket, counts)| counts.of(subject.kind(), subject.text(), bucket.tenant_id))
            .collect();
        let written = async {
            let mut tx = db.system("requests counted").await?;
            let limits = report_requests(&mut tx, &counted).await?;
            tx.commit_upkeep().await?;
            Ok(limits)
        };
        let written: Result<Vec<i64>, DbError> = written.await;
        match written {
            Ok(limits) => {
                for ((_, bucket, _), limit) in reports.iter().zip(limits) {
                    bucket.set_limit(limit);
                }
                Ok(())
            }
            Err(error) => {
                for (_, bucket, counts) in &reports {
                    bucket.put_back(counts);
                }
                Err(error.into())
            }
        }
    }

    fn bucket(&self, subject: Subject, tenant_id: TenantId) -> Arc<Bucket> {
        let shard = usize::try_from(self.hasher.hash_one(subject) % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[shard])
            .entry(subject)
            .or_insert_with(|| {
                // An address has no limit of its own: the one of all others will do until the first report.
                let limit = match subject.kind() {
                    RateSubjectKind::Address => self.address_limit.load(Ordering::Relaxed),
                    _ => 0,
                };
                Arc::new(Bucket::new(tenant_id, limit))
            })
            .clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
