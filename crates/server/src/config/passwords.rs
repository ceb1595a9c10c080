//! `[passwords]`.

use serde::Deserialize;

/// Cost of password hashing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordsConfig {
    /// Passwords hashed at the same time; 0: as many as there are processors.
    pub concurrency: usize,
    /// Requests that may wait for that.
    pub queue: usize,
}

impl PasswordsConfig {
    /// Passwords hashed at the same time, 1 or more.
    pub fn effective_concurrency(&self) -> usize {
        match self.concurrency {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        }
    }
}
