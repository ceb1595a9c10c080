//! Packages of tenants that have changes of their own, kept while there is room.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use sg_types::TenantId;

/// Bytes that are kept at most; beyond, what was asked for longest ago goes first.
const MAX_BYTES: usize = 128 * 1024 * 1024;

/// Signed packages by tenant, of the newest version that was asked for.
#[derive(Debug, Default)]
pub(super) struct Packages(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<TenantId, Entry>,
    bytes: usize,
    /// Counts the questions, so that entries know when they were asked for last.
    questions: u64,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    body: Bytes,
    asked: u64,
}

impl Packages {
    /// The tenant's package, if it is kept in this version.
    pub(super) fn find(&self, tenant_id: TenantId, version: u64) -> Option<Bytes> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.questions += 1;
        let asked = kept.questions;
        let entry = kept.entries.get_mut(&tenant_id)?;
        entry.asked = asked;
        (entry.version == version).then(|| entry.body.clone())
    }

    /// Keeps a package in the place of the tenant's earlier one, unless that is newer.
    pub(super) fn keep(&self, tenant_id: TenantId, version: u64, body: Bytes) {
        self.keep_within(tenant_id, version, body, MAX_BYTES);
    }

    fn keep_within(&self, tenant_id: TenantId, version: u64, body: Bytes, limit: usize) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if body.len() > limit
            || kept
                .entries
                .get(&tenant_id)
                .is_some_and(|entry| entry.version > version)
        {
            return;
        }
        kept.questions += 1;
        let entry = Entry {
            version,
            asked: kept.questions,
            body,
        };
        kept.bytes += entry.body.len();
        if let Some(before) = kept.entries.insert(tenant_id, entry) {
            kept.bytes -= before.body.len();
        }
        while kept.bytes > limit {
            let oldest = kept.entries.iter().min_by_key(|(_, entry)| entry.asked);
            let Some(oldest) = oldest.map(|(tenant, _)| *tenant) else {
                return;
            };
            if let Some(gone) = kept.entries.remove(&oldest) {
                kept.bytes -= gone.body.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn the_version_that_is_asked_for_is_given_and_no_other_tenants() {
        let packages = Packages::default();
        packages.keep(tenant(1), 5, Bytes::from_static(b"one"));
        packages.keep(tenant(2), 5, Bytes::from_static(b"two"));
        assert_eq!(packages.find(tenant(1), 5).unwrap(), "one");
        assert_eq!(packages.find(tenant(2), 5).unwrap(), "two");
        assert_eq!(packages.find(tenant(1), 6), None);
        assert_eq!(packages.find(tenant(3), 5), None);
        packages.keep(tenant(1), 6, Bytes::from_static(b"six"));
        packages.keep(tenant(1), 5, Bytes::from_static(b"late"));
        assert_eq!(packages.find(tenant(1), 6).unwrap(), "six");
    }

    #[test]
    fn memory_is_bounded_and_what_nobody_asks_for_goes_first() {
        let packages = Packages::default();
        let keep = |number| packages.keep_within(tenant(number), 1, Bytes::from(vec![0; 40]), 100);
        keep(1);
        keep(2);
        assert!(packages.find(tenant(1), 1).is_some());
        keep(3);
        assert!(packages.find(tenant(2), 1).is_none());
        assert!(packages.find(tenant(1), 1).is_some() && packages.find(tenant(3), 1).is_some());
        packages.keep_within(tenant(3), 2, Bytes::from(vec![0; 101]), 100);
        assert_eq!(
            packages.0.lock().unwrap().bytes,
            80,
            "what is too large is not kept"
        );
    }
}
