//! What was acknowledged, kept outside the database, and whether exactly that is stored.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sg_types::AgentId;
use uuid::Uuid;

use crate::agent::Acknowledged;
use crate::records::Kind;

/// A file of lines of JSON, each written once an acknowledgement has arrived.
#[derive(Debug)]
pub struct Ledger(Mutex<File>);

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Entry {
    /// The endpoint was enrolled.
    Enrolled {
        /// The endpoint.
        agent_id: AgentId,
    },
    /// The server has acknowledged records of the endpoint.
    Acknowledged {
        /// The endpoint.
        agent_id: AgentId,
        /// The stream.
        epoch: Uuid,
        /// Number of the first record.
        from: u64,
        /// Those that are samples.
        samples: Vec<Uuid>,
        /// Those that are events.
        events: Vec<Uuid>,
        /// Those that are matches of rules.
        matches: Vec<Uuid>,
    },
    /// The endpoint gave records up that were not acknowledged.
    Forgotten {
        /// The endpoint.
        agent_id: AgentId,
        /// Number of the first record.
        from: u64,
        /// How many.
        count: usize,
    },
}

impl Entry {
    /// The line about an acknowledgement.
    pub fn acknowledged(agent_id: AgentId, acknowledged: &Acknowledged) -> Self {
        let of = |wanted: Kind| {
            let records = acknowledged.records.iter();
            records
                .filter(|(kind, _)| *kind == wanted)
                .map(|(_, id)| *id)
                .collect()
        };
        Self::Acknowledged {
            agent_id,
            epoch: acknowledged.epoch,
            from: acknowledged.from,
            samples: of(Kind::Sample),
            events: of(Kind::Event),
            matches: of(Kind::Match),
        }
    }
}

impl Ledger {
    /// Makes the file.
    ///
    /// # Errors
    /// When it is there, or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(File::create_new(path)?)))
    }

    /// Writes a line.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)
    }

    /// Reads all lines of a file.
    ///
    /// # Errors
    /// When it cannot be read, or a line is not one.
    pub fn read(path: &Path) -> Result<Vec<Entry>> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let parse = |line: io::Result<String>| Ok(serde_json::from_str(&line?)?);
        BufReader::new(file).lines().map(parse).collect()
    }
}

/// Acknowledged records against stored ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Records that were acknowledged.
    pub acknowledged: usize,
    /// Rows that are stored.
    pub stored: usize,
    /// Acknowledged and not stored.
    pub missing: Vec<Uuid>,
    /// Stored, or acknowledged, more than once.
    pub duplicated: Vec<Uuid>,
    /// Stored and never acknowledged: sent by an endpoint that gave it up before it was told.
    pub unacknowledged: usize,
}

impl Comparison {
    /// Nothing is lost and nothing double.
    pub fn holds(&self) -> bool {
        self.missing.is_empty() && self.duplicated.is_empty()
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.acknowledged += other.acknowledged;
        self.stored += other.stored;
        self.missing.extend(other.missing);
        self.duplicated.extend(other.duplicated);
        self.unacknowledged += other.unacknowledged;
        self
    }
}

/// Compares the ids that were acknowledged with those of the rows that are stored.
pub fn compare(acknowledged: &[Uuid], stored: &[Uuid]) -> Comparison {
    let mut rows: HashMap<Uuid, (u32, u32)> = HashMap::with_capacity(stored.len().max(acknowledged.len()));
    for id in acknowledged {
        rows.entry(*id).or_default().0 += 1;
    }
    for id in stored {
        rows.entry(*id).or_default().1 += 1;
    }
    let mut comparison = Comparison {
        acknowledged: acknowledged.len(),
        stored: stored.len(),
        ..Comparison::default()
    };
    for (id, (told, found)) in rows {
        match (told, found) {
            (0, _) => comparison.unacknowledged += 1,
            (_, 0) => comparison.missing.push(id),
            _ => {}
        }
        if told > 1 || found > 1 {
            comparison.duplicated.push(id);
        }
    }
    comparison.missing.sort_unstable();
    comparison.duplicated.sort_unstable();
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u128]) -> Vec<Uuid> {
        numbers.iter().map(|number| Uuid::from_u128(*number)).collect()
    }

    #[test]
    fn what_is_lost_or_double_is_found() {
        assert!(compare(&ids(&[1, 2, 3]), &ids(&[3, 1, 2])).holds());
        let lost = compare(&ids(&[1, 2, 3]), &ids(&[1, 3]));
        assert!(!lost.holds());
        assert_eq!(lost.missing, ids(&[2]));
        let double = compare(&ids(&[1, 2]), &ids(&[1, 2, 2]));
        assert!(!double.holds());
        assert_eq!(double.duplicated, ids(&[2]));
        let more = compare(&ids(&[1]), &ids(&[1, 9]));
        assert!(more.holds());
        assert_eq!(more.unacknowledged, 1);
        assert!(
            !compare(&ids(&[1, 1]), &ids(&[1])).holds(),
            "acknowledged as two records"
        );
    }

    #[test]
    fn lines_come_back_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let ledger = Ledger::create(&path).unwrap();
        let acknowledged = Acknowledged {
            epoch: Uuid::from_u128(7),
            from: 4,
            records: vec![
                (Kind::Match, Uuid::from_u128(1)),
                (Kind::Sample, Uuid::from_u128(2)),
            ],
        };
        let agent_id = AgentId(Uuid::from_u128(9));
        let entries = [
            Entry::Enrolled { agent_id },
            Entry::acknowledged(agent_id, &acknowledged),
            Entry::Forgotten {
                agent_id,
                from: 6,
                count: 2,
            },
        ];
        for entry in &entries {
            ledger.write(entry).unwrap();
        }
        assert_eq!(Ledger::read(&path).unwrap(), entries);
        assert!(
            Ledger::create(&path).is_err(),
            "another run's ledger is left alone"
        );
    }
}
