//! What Argon2 works in. Each thread keeps its own: to get 19 MiB of cleared memory from the system anew takes half as long as the hash.

use argon2::{Block, Params};

/// Blocks of 1 KiB that are kept at most; a stored hash that asks for more gets more, for that once.
const KEPT: usize = 19_456;

/// Memory of one thread. Every block is written before it is read, so that nothing of an earlier password counts.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    /// Lets `work` have what `params` ask for.
    pub(super) fn lend<T>(&mut self, params: &Params, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let needed = params.block_count();
        if self.0.len() < needed {
            self.0.resize(needed, Block::default());
        }
        let result = work(&mut self.0[..needed]);
        if self.0.len() > KEPT {
            self.0.truncate(KEPT);
            self.0.shrink_to_fit();
        }
        result
    }
}
