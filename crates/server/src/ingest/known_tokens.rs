//! Tokens that were good a moment ago, so that a stranger's body is not even read.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sg_db::TokenHash;

/// Tokens that are remembered at most; beyond, the memory begins anew.
const MAX_TOKENS: usize = 200_000;

/// Hashes of tokens that stood for somebody when they were looked up last. What it says is a hint, never a permission.
#[derive(Debug, Default)]
pub(super) struct KnownTokens(Mutex<HashSet<TokenHash>>);

impl KnownTokens {
    pub(super) fn contains(&self, token: TokenHash) -> bool {
        self.lock().contains(&token)
    }

    pub(super) fn add(&self, token: TokenHash) {
        let mut tokens = self.lock();
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(token);
    }

    pub(super) fn remove(&self, token: TokenHash) {
        self.lock().remove(&token);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<TokenHash>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
