//! Tokens that were good a moment ago, so that a stranger's body is not even read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sg_db::TokenHash;
use sg_types::TenantId;

/// Tokens that are remembered at most; beyond, the memory begins anew.
const MAX_TOKENS: usize = 200_000;

/// Hashes of tokens that stood for somebody when they were looked up last, and whose tenant that was. What it says is a hint, never a permission.
#[derive(Debug, Default)]
pub(super) struct KnownTokens(Mutex<HashMap<TokenHash, TenantId>>);

impl KnownTokens {
    pub(super) fn tenant_of(&self, token: TokenHash) -> Option<TenantId> {
        self.lock().get(&token).copied()
    }

    pub(super) fn add(&self, token: TokenHash, tenant_id: TenantId) {
        let mut tokens = self.lock();
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(token, tenant_id);
    }

    pub(super) fn remove(&self, token: TokenHash) {
        self.lock().remove(&token);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, TenantId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
