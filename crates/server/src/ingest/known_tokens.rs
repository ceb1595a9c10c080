//! Tokens that were good a moment ago, so that a stranger's body is not even read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sg_db::TokenHash;
use sg_types::TenantId;

/// Tokens that are remembered at most, in some 70 MB; beyond, the memory begins anew. Endpoints that check in every five minutes are looked up each time
/// where there are more of them.
const MAX_TOKENS: usize = 1_500_000;

/// Tokens that stood for somebody when they were looked up last, by the first half of their hash, and whose tenant that was. What it says is a hint, never a
/// permission.
#[derive(Debug, Default)]
pub(super) struct KnownTokens(Mutex<HashMap<Half, TenantId>>);

/// Enough of a hash that nobody finds another token with the same.
type Half = [u8; 16];

impl KnownTokens {
    pub(super) fn tenant_of(&self, token: TokenHash) -> Option<TenantId> {
        self.lock().get(&half(token)).copied()
    }

    pub(super) fn add(&self, token: TokenHash, tenant_id: TenantId) {
        let mut tokens = self.lock();
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(half(token), tenant_id);
    }

    pub(super) fn remove(&self, token: TokenHash) {
        self.lock().remove(&half(token));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Half, TenantId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn half(token: TokenHash) -> Half {
    token.as_bytes().first_chunk().copied().unwrap_or_default()
}
