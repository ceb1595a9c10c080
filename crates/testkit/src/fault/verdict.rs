//! What a ledger says against what the database holds.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use sg_db::{Stored, StreamFigures};
use sg_load::{Comparison, Entry, Ledger, compare};
use sg_types::AgentId;
use uuid::Uuid;

/// Sentences of one kind that are told.
const SHOWN: usize = 5;

/// What came of it.
#[derive(Debug)]
pub struct Verdict {
    /// The endpoints of the ledger.
    pub agents: BTreeSet<AgentId>,
    /// Their records.
    pub records: Comparison,
    /// Records that endpoints gave up.
    pub forgotten: usize,
    /// Streams, of whatever endpoint, with numbers that are neither a row nor explained by a gap.
    pub unexplained: Vec<StreamFigures>,
    /// Numbers that gaps explain, over all endpoints.
    pub explained: i64,
    /// Findings and incidents whose counts are not those of the matches that are stored, and files with two incidents.
    pub miscounted: Vec<String>,
    /// How often an endpoint was taken for a copy of itself.
    pub clones: i64,
}

impl Verdict {
    /// Holds the lines of the ledger against the database.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub async fn reach(ledger: &Path, stored: &mut Stored) -> Result<Self> {
        let mut agents = BTreeSet::new();
        let mut forgotten = 0;
        let (mut of_samples, mut of_events, mut of_matches) = (Vec::new(), Vec::new(), Vec::new());
        for entry in Ledger::read(ledger)? {
            match entry {
                Entry::Enrolled { agent_id } => {
                    agents.insert(agent_id);
                }
                Entry::Acknowledged {
                    samples,
                    events,
                    matches,
                    ..
                } => {
                    of_samples.extend(samples);
                    of_events.extend(events);
                    of_matches.extend(matches);
                }
                Entry::Forgotten { count, .. } => forgotten += count,
            }
        }
        let own = |rows: Vec<(AgentId, Uuid)>| -> Vec<Uuid> {
            let rows = rows.into_iter().filter(|(agent, _)| agents.contains(agent));
            rows.map(|(_, id)| id).collect()
        };
        let records = compare(&of_samples, &own(stored.samples().await?))
            .and(compare(&of_events, &own(stored.events().await?)))
            .and(compare(&of_matches, &own(stored.matches().await?)));
        let streams = stored.streams().await?;
        let explained = streams.iter().map(|stream| stream.explained).sum();
        let open = |stream: &StreamFigures| stream.acknowledged != stream.rows + stream.explained;
        Ok(Self {
            agents,
            records,
            forgotten,
            unexplained: streams.into_iter().filter(open).collect(),
            explained,
            miscounted: stored.miscounted().await?,
            clones: stored.clones().await?,
        })
    }

    /// What does not hold, in words; nothing when all is well.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut complain = |count: usize, what: &str| {
            if count > 0 {
                complaints.push(format!("{count} {what}"));
            }
        };
        complain(self.records.missing.len(), "acknowledged records are missing");
        complain(self.records.duplicated.len(), "records are there twice");
        complain(
            self.unexplained.len(),
            "streams have numbers that are neither a row nor in a gap",
        );
        complain(
            self.miscounted.len(),
            "findings or incidents count other matches than are stored, or are there twice",
        );
        complain(
            usize::try_from(self.clones).unwrap_or(0),
            "endpoints were taken for copies of themselves",
        );
        complaints.extend(self.miscounted.iter().take(SHOWN).cloned());
        if self.records.unacknowledged > self.forgotten {
            complaints.push(format!(
                "{} records are stored that were never acknowledged, and only {} were given up",
                self.records.unacknowledged, self.forgotten
            ));
        }
        complaints
    }
}
