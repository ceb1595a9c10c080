//! Where the agent stands with the server: epoch, turn, and what was acknowledged. Durable before it is used.

use std::io;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use sg_types::{AgentId, Ids};
use uuid::Uuid;

use crate::identity::StateDir;

/// The name of the file that holds the stream.
pub const STREAM_FILE: &str = "stream.json";

/// The stream's state. Numbers are the spool's; a stream's own numbers begin behind `base`, so that a new epoch renumbers without touching a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamState {
    /// The agent that the stream belongs to.
    pub agent_id: AgentId,
    /// The stream.
    pub epoch: Uuid,
    /// The number before the stream's first record.
    pub base: u64,
    /// Every record up to this number is at the server, or given up and reported as a gap.
    pub acked: u64,
    /// Records up to this number may have been sent.
    pub offered: u64,
    /// To be sent with the next check-in.
    pub turn: Uuid,
}

/// The stream's state and where it is kept.
#[derive(Debug)]
pub struct Stream {
    dir: StateDir,
    state: StreamState,
}

impl Stream {
    /// Loads the state; none when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn load(dir: &StateDir) -> Result<Option<StreamState>> {
        dir.read_json(STREAM_FILE)
    }

    /// Goes on with a state that was loaded.
    pub fn resume(dir: StateDir, state: StreamState) -> Self {
        Self { dir, state }
    }

    /// Begins the first stream of an agent, behind number `base`.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn begin(dir: StateDir, agent_id: AgentId, base: u64, ids: &dyn Ids) -> io::Result<Self> {
        let state = StreamState {
            agent_id,
            epoch: ids.next(),
            base,
            acked: base,
            offered: base,
            turn: Uuid::nil(),
        };
        let mut stream = Self {
            dir,
            state: state.clone(),
        };
        stream.store(state)?;
        Ok(stream)
    }

    /// The state.
    pub fn state(&self) -> &StreamState {
        &self.state
    }

    /// The stream's own number of a spool number.
    pub fn to_wire(&self, seq: u64) -> u64 {
        seq.saturating_sub(self.state.base)
    }

    /// Notes that records up to `through` may be sent from now on.
    ///
    /// # Errors
    /// When it cannot be stored; then nothing may be sent.
    pub fn offer(&mut self, through: u64) -> io::Result<()> {
        if through <= self.state.offered {
            return Ok(());
        }
        self.store(StreamState {
            offered: through,
            ..self.state.clone()
        })
    }

    /// Takes the server's word: acknowledged up to the stream's number `wire_through`. Numbers that were never sent are not believed.
    ///
    /// # Errors
    /// When it cannot be stored; then nothing may be deleted.
    pub fn accept(&mut self, wire_through: u64, turn: Uuid) -> io::Result<()> {
        let through = self
            .state
            .base
            .saturating_add(wire_through)
            .min(self.state.offered);
        let acked = self.state.acked.max(through);
        self.store(StreamState {
            acked,
            turn,
            ..self.state.clone()
        })
    }

    /// Gives a record up.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn give_up(&mut self, seq: u64) -> io::Result<()> {
        self.store(StreamState {
            acked: self.state.acked.max(seq),
            ..self.state.clone()
        })
    }

    /// Begins a new epoch with what is not acknowledged, whose first record is `first_seq`.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn begin_epoch(&mut self, first_seq: u64, ids: &dyn Ids) -> io::Result<()> {
        let base = first_seq - 1;
        let acked = self.state.acked.max(base);
        self.store(StreamState {
            epoch: ids.next(),
            base,
            acked,
            turn: Uuid::nil(),
            ..self.state.clone()
        })
    }

    fn store(&mut self, state: StreamState) -> io::Result<()> {
        if state != self.state || !self.dir.file(STREAM_FILE).exists() {
            self.dir.replace_json(STREAM_FILE, &state)?;
            self.state = state;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sg_types::TimeOrderedIds;

    use super::*;

    fn stream() -> (tempfile::TempDir, Stream) {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::create(folder.path()).unwrap();
        let stream = Stream::begin(dir, AgentId(Uuid::from_u128(1)), 10, &TimeOrderedIds).unwrap();
        (folder, stream)
    }

    #[test]
    fn only_what_was_sent_can_be_acknowledged() {
        let (folder, mut stream) = stream();
        stream.offer(15).unwrap();
        stream.accept(1_000, Uuid::from_u128(7)).unwrap();
        assert_eq!(
            (stream.state().acked, stream.state().turn),
            (15, Uuid::from_u128(7))
        );
        stream.accept(2, Uuid::from_u128(8)).unwrap();
        assert_eq!(stream.state().acked, 15);
        let dir = StateDir::open(folder.path()).unwrap();
        assert_eq!(Stream::load(&dir).unwrap().as_ref(), Some(stream.state()));
    }

    #[test]
    fn a_new_epoch_numbers_the_rest_from_one() {
        let (_folder, mut stream) = stream();
        stream.offer(20).unwrap();
        stream.accept(5, Uuid::from_u128(7)).unwrap();
        let before = stream.state().epoch;
        stream.begin_epoch(16, &TimeOrderedIds).unwrap();
        assert_ne!(stream.state().epoch, before);
        assert_eq!(
            (stream.to_wire(16), stream.state().turn, stream.state().acked),
            (1, Uuid::nil(), 15)
        );
    }
}
