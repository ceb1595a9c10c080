//! Endpoints at work at several nodes, with one ledger of what was acknowledged.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Result;
use sg_load::{Fleet, FleetOptions, Ledger, Target};

/// How long endpoints may take to get something acknowledged, and to empty what waits.
const PATIENCE: Duration = Duration::from_secs(90);

/// Endpoints by the node that they report to.
#[derive(Debug)]
pub struct NodeLoad {
    key: String,
    ledger: Arc<Ledger>,
    ledger_path: PathBuf,
    fleets: Vec<Fleet>,
    enrolled: usize,
}

impl NodeLoad {
    /// No endpoints yet. `key` enrols them, and `ledger` is the file that is made.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn new(key: &str, ledger: &Path) -> Result<Self> {
        Ok(Self {
            key: key.to_owned(),
            ledger: Arc::new(Ledger::create(ledger)?),
            ledger_path: ledger.to_owned(),
            fleets: Vec::new(),
            enrolled: 0,
        })
    }

    /// Lets endpoints report to the node at `url`.
    ///
    /// # Errors
    /// When they cannot enrol.
    pub async fn add(&mut self, url: &str, endpoints: usize) -> Result<()> {
        let options = FleetOptions {
            size: endpoints.max(1),
            first: self.enrolled,
            pace: Duration::from_millis(100),
            lose_reply_every: 0,
            forgetful_one_in: 0,
            longest_pause: Duration::from_millis(500),
        };
        self.enrolled += options.size;
        let target = Target::new(url, None)?;
        let fleet = Fleet::start(&target, &self.key, options, Arc::clone(&self.ledger)).await?;
        self.fleets.push(fleet);
        Ok(())
    }

    /// Records acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        let counts = self.fleets.iter();
        counts
            .map(|fleet| fleet.counts().acknowledged.load(Relaxed))
            .sum()
    }

    /// Waits until so many records more are acknowledged at each node.
    ///
    /// # Errors
    /// When a node takes no more than 90 s to take none.
    pub async fn make_progress(&mut self, records: u64) -> Result<()> {
        for fleet in &mut self.fleets {
            fleet.make_progress(records, PATIENCE).await?;
        }
        Ok(())
    }

    /// Lets every endpoint send what waits; the ledger.
    ///
    /// # Errors
    /// When something is not acknowledged in time, or an answer was wrong.
    pub async fn finish(self) -> Result<PathBuf> {
        for fleet in self.fleets {
            fleet.finish(PATIENCE).await?;
        }
        Ok(self.ledger_path)
    }
}
