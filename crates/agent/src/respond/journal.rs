//! Which commands were taken and what they came to: durable before anything is done, so that nothing is done twice.

use std::collections::BTreeMap;
use std::io;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sg_types::CommandId;
use sg_types::response::{CommandKind, CommandOrder, SignedText};

use crate::identity::StateDir;

/// The name of the file that holds the journal.
pub const JOURNAL_FILE: &str = "commands.json";
/// A nonce is remembered for this long behind its order's end, which bounds how far a clock may be set back.
const REMEMBERED: TimeDelta = TimeDelta::days(31);
/// Entries at most. When it is full of orders that have not expired, no more are taken.
const MAX_ENTRIES: usize = 10_000;

/// Where a command stands on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// It was begun; an agent that finds this at its start was stopped in the middle of it.
    Begun,
    /// It has ended and the server does not have the result yet.
    Ended(SignedText),
    /// The server has the result.
    Told,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) nonce: String,
    pub(super) kind: CommandKind,
    pub(super) begun_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    pub(super) stage: Stage,
}

/// The journal.
#[derive(Debug)]
pub(super) struct Journal {
    dir: StateDir,
    entries: BTreeMap<CommandId, Entry>,
}

impl Journal {
    pub(super) fn load(dir: StateDir) -> Result<Self> {
        let entries = dir.read_json(JOURNAL_FILE)?.unwrap_or_default();
        Ok(Self { dir, entries })
    }

    /// Whether the order, or another with its nonce, was taken before.
    pub(super) fn knows(&self, order: &CommandOrder) -> bool {
        self.entries.contains_key(&order.command_id)
            || self.entries.values().any(|entry| entry.nonce == order.nonce)
    }

    pub(super) fn stage(&self, command_id: CommandId) -> Option<&Stage> {
        self.entries.get(&command_id).map(|entry| &entry.stage)
    }

    /// Takes an order, durably.
    pub(super) fn begin(&mut self, order: &CommandOrder, now: DateTime<Utc>) -> io::Result<()> {
        self.entries.retain(|_, entry| {
            entry.stage != Stage::Told
                || entry
                    .expires_at
                    .checked_add_signed(REMEMBERED)
                    .is_none_or(|end| end > now)
        });
        if self.entries.len() >= MAX_ENTRIES {
            return Err(io::Error::other("the journal of commands is full"));
        }
        self.entries.insert(
            order.command_id,
            Entry {
                nonce: order.nonce.clone(),
                kind: order.action.kind(),
                begun_at: now,
                expires_at: order.expires_at,
                stage: Stage::Begun,
            },
        );
        self.store()
    }

    /// Keeps the result until the server has it.
    pub(super) fn end(&mut self, command_id: CommandId, result: SignedText) -> io::Result<()> {
        self.set(command_id, Stage::Ended(result))
    }

    /// Forgets the result, which the server has.
    pub(super) fn told(&mut self, command_id: CommandId) -> io::Result<()> {
        self.set(command_id, Stage::Told)
    }

    /// The results that the server does not have.
    pub(super) fn untold(&self) -> Vec<(CommandId, SignedText)> {
        self.entries
            .iter()
            .filter_map(|(id, entry)| match &entry.stage {
                Stage::Ended(result) => Some((*id, result.clone())),
                Stage::Begun | Stage::Told => None,
            })
            .collect()
    }

    /// The commands that an earlier process of this agent began and did not end.
    pub(super) fn interrupted(&self) -> Vec<(CommandId, Entry)> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.stage == Stage::Begun)
            .map(|(id, entry)| (*id, entry.clone()))
            .collect()
    }

    fn set(&mut self, command_id: CommandId, stage: Stage) -> io::Result<()> {
        if let Some(entry) = self.entries.get_mut(&command_id) {
            entry.stage = stage;
        }
        self.store()
    }

    fn store(&self) -> io::Result<()> {
        self.dir.replace_json(JOURNAL_FILE, &self.entries)
    }
}
