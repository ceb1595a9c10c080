//! The product's built programs at work, and ways to hurt them.

mod clock;
mod installation;
mod load;
mod machine;
mod node;
mod patroni;
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

pub use clock::ChildClock;
pub use installation::{Installation, Place};
pub use load::NodeLoad;
pub use machine::{Machine, MachinePlace};
pub use node::{First, Node, Nodes};
pub use patroni::{PatroniCluster, PatroniTools};
pub use verdict::Verdict;

/// Finds a built program beside this one, or beside the folder of the tests that this one is.
///
/// # Errors
/// When it is not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let mut dirs = own.ancestors().skip(1).take(2);
    dirs.find_map(|dir| Some(dir.join(name)).filter(|program| program.is_file()))
        .with_context(|| {
            format!("{name} is missing: build it with `cargo build -p sg-server -p sg-agent`, or run `cargo xtask test rust`")
        })
}

/// Asks again and again until there is an answer.
///
/// # Errors
/// When there is none within `patience`.
pub async fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        ensure!(
            begin.elapsed() < patience,
            "not within {} s: {what}",
            patience.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
