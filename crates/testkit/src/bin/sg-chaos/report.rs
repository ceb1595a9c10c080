//! What a run came to.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering::Relaxed;

use sg_db::StoredGap;
use sg_load::Counts;
use sg_testkit::fault::Verdict;

use crate::files::{Written, is_explained};
use crate::schedule::Fault;

/// Ids and names that are told of one kind of complaint.
const SHOWN: usize = 5;

/// The figures of a run.
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) done: BTreeMap<Fault, u32>,
    pub(crate) skipped: BTreeMap<Fault, String>,
    pub(crate) counts: Counts,
    pub(crate) cuts: u64,
    pub(crate) verdict: Verdict,
    /// Files that were written for the agent.
    pub(crate) files: Vec<Written>,
    /// Files that the agent told of, and how often.
    pub(crate) told: Vec<(String, i64)>,
    /// The agent's gaps.
    pub(crate) gaps: Vec<StoredGap>,
}

impl Report {
    /// Prints it; whether everything holds.
    pub(crate) fn tell(&self) -> bool {
        println!();
        println!("chaos of seed {}:", self.seed);
        for (fault, times) in &self.done {
            println!("    {times:4} × {fault}");
        }
        for (fault, why) in &self.skipped {
            println!("    skipped: {fault}: {why}");
        }
        let (records, counts) = (&self.verdict.records, &self.counts);
        println!(
            "simulated endpoints: {} records acknowledged, {} stored; {} missing, {} double",
            records.acknowledged,
            records.stored,
            records.missing.len(),
            records.duplicated.len()
        );
        println!(
            "    {} answers thrown away, {} check-ins without an answer, {} put off, {} connections cut",
            counts.lost_replies.load(Relaxed),
            counts.unanswered.load(Relaxed),
            counts.busy.load(Relaxed),
            self.cuts
        );
        println!(
            "    {} records given up by forgetful endpoints; {} numbers are missing, of which gaps tell; {} streams with numbers that nothing explains",
            self.verdict.forgotten,
            self.verdict.explained,
            self.verdict.unexplained.len()
        );
        let (reported, explained) = self.count_files();
        println!(
            "the agent: {} files written, {reported} told of, {explained} missing where a gap says so; gaps: {}",
            self.files.len(),
            self.describe_gaps()
        );
        let complaints = self.complaints();
        for complaint in &complaints {
            println!("FAULT {complaint}");
        }
        if complaints.is_empty() {
            println!("chaos passed: 0 acknowledged missing, 0 duplicated, every gap explained");
        } else {
            println!(
                "chaos FAILED; `cargo xtask chaos --seed {}` repeats the schedule",
                self.seed
            );
        }
        complaints.is_empty()
    }

    fn complaints(&self) -> Vec<String> {
        let mut complaints = self.verdict.complaints();
        let records = &self.verdict.records;
        for (what, ids) in [("missing", &records.missing), ("double", &records.duplicated)] {
            complaints.extend(ids.iter().take(SHOWN).map(|id| format!("{what}: {id}")));
        }
        let unexplained = self.verdict.unexplained.iter().take(SHOWN);
        complaints.extend(unexplained.map(|stream| format!("unexplained: {stream:?}")));
        let told: HashMap<&str, i64> = self
            .told
            .iter()
            .map(|(path, times)| (path.as_str(), *times))
            .collect();
        let mut lost = Vec::new();
        for (path, at) in &self.files {
            match told.get(path.as_str()) {
                Some(1) => {}
                Some(times) => complaints.push(format!("{path} was told of {times} times")),
                None if is_explained(*at, &self.gaps) => {}
                None => lost.push(format!(
                    "{path}, written at {at}, was not told of, and no gap says why"
                )),
            }
        }
        if !lost.is_empty() {
            complaints.push(format!("{} files of the agent are lost", lost.len()));
            complaints.extend(lost.into_iter().take(SHOWN));
            complaints.extend(self.gaps.iter().map(|gap| format!("gap: {gap:?}")));
        }
        complaints
    }

    fn count_files(&self) -> (usize, usize) {
        let told: HashMap<&str, i64> = self
            .told
            .iter()
            .map(|(path, times)| (path.as_str(), *times))
            .collect();
        let (reported, missing): (Vec<_>, Vec<_>) = self
            .files
            .iter()
            .partition(|(path, _)| told.contains_key(path.as_str()));
        let explained = missing.iter().filter(|(_, at)| is_explained(*at, &self.gaps));
        (reported.len(), explained.count())
    }

    fn describe_gaps(&self) -> String {
        let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
        for gap in &self.gaps {
            *reasons.entry(&gap.reason).or_default() += 1;
        }
        let reasons: Vec<String> = reasons
            .iter()
            .map(|(reason, times)| format!("{times} × {reason}"))
            .collect();
        if reasons.is_empty() {
            "none".to_owned()
        } else {
            reasons.join(", ")
        }
    }
}
