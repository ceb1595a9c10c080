//! Knows the agent's own life: which process this is, how the one before it ended, and for how long neither saw anything. What was missed is a gap
//! like every other; the server is told enough to tell a machine that was down from an agent and from a network.

use std::io;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use sg_types::agent::{AgentRun, Gap};
use sg_types::{AgentId, Clock, Ids};
use uuid::Uuid;

use crate::collect::process::read_boot_id;
use crate::identity::StateDir;
use crate::platform::StopReceiver;
use crate::spool::WriterHandle;

/// The name of the file that says when the agent was alive.
pub const RUN_FILE: &str = "run.json";
/// Time between two looks at the clocks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two notes on disk: how far the begin of a gap may be off after a kill.
const LOOKS_PER_NOTE: u32 = 5;
/// A pause of the whole agent that is worth a gap.
const PAUSE: Duration = Duration::from_secs(10);

/// What is left for the next process.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RunNote {
    agent_id: AgentId,
    boot_id: Option<Uuid>,
    alive_at: DateTime<Utc>,
    /// The machine's running time at `alive_at`: right even where the clock was set meanwhile.
    #[serde(default)]
    running: Option<Duration>,
    /// It ended in order, at `alive_at`.
    stopped: bool,
}

/// This process of the agent.
#[derive(Debug)]
pub struct Presence {
    dir: StateDir,
    agent_id: AgentId,
    run_id: Uuid,
    boot_id: Option<Uuid>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Running time of the machine, without and with that in which it slept.
    awake: Duration,
    running: Duration,
    at: DateTime<Utc>,
    failed_check_ins: u32,
    asleep: Duration,
    halted: Duration,
    /// What was missed since the process before. It grows until this one watches; until it is recorded, the note of the process before stays.
    missed: Option<Gap>,
}

impl Presence {
    /// Begins, and tells since when nothing was seen, where there was a process before. What was missed is recorded by [`Self::settle`].
    ///
    /// # Errors
    /// When the note on disk cannot be written.
    pub fn begin(
        dir: StateDir,
        agent_id: AgentId,
        clock: &dyn Clock,
        ids: &dyn Ids,
    ) -> io::Result<(Self, Option<Gap>)> {
        let boot_id = Uuid::parse_str(&read_boot_id()).ok();
        let now = clock.now();
        // A note that cannot be read is one that a crash of the machine has cut.
        let gap = dir
            .read_json::<RunNote>(RUN_FILE)
            .ok()
            .flatten()
            .filter(|note| note.agent_id == agent_id)
            .map(|note| gap_since(&note, boot_id, now));
        let presence = Self {
            dir,
            agent_id,
            run_id: ids.next(),
            boot_id,
            inner: Mutex::new(Inner {
                awake: read_clock(ClockId::Monotonic),
                running: read_clock(ClockId::Boottime),
                at: now,
                failed_check_ins: 0,
                asleep: Duration::ZERO,
                halted: Duration::ZERO,
                missed: gap.clone(),
            }),
        };
        if gap.is_none() {
            presence.note(now, false)?;
        }
        Ok((presence, gap))
    }

    /// Records what was missed since the process before, up to `now`: to be called once this one watches. Nothing is done the second time.
    ///
    /// # Errors
    /// When `record` or the note on disk fails; the same call may be repeated.
    pub fn settle(&self, now: DateTime<Utc>, record: impl FnOnce(Gap) -> io::Result<()>) -> io::Result<()> {
        let mut inner = self.lock();
        let Some(missed) = &inner.missed else {
            return Ok(());
        };
        record(Gap {
            to: now.max(missed.to),
            ..missed.clone()
        })?;
        inner.missed = None;
        drop(inner);
        self.note(now, false)
    }

    /// Looks at the clocks until the agent stops; `watches` tells whether the collectors are at work, `record` puts a gap on disk.
    pub fn run(
        &self,
        clock: &dyn Clock,
        writer: &WriterHandle,
        stop: &StopReceiver,
        watches: impl Fn() -> bool,
        record: impl Fn(Gap) -> io::Result<()>,
    ) {
        let mut looks = 0_u32;
        while !stop.wait(LOOK_EVERY) {
            let now = clock.now();
            if watches()
                && let Err(error) = self.settle(now, &record)
            {
                tracing::warn!(error = %error, "the gap before the agent's start cannot be recorded yet");
            }
            if let Some(gap) = self.look(now) {
                tracing::warn!(reason = gap.reason, from = %gap.from, "the agent has seen nothing for a while");
                writer.report_gap(gap);
            }
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(LOOKS_PER_NOTE)
                && let Err(error) = self.note(now, false)
            {
                tracing::debug!(error = %error, "cannot note that the agent is alive");
            }
        }
    }

    /// What the server is told.
    pub fn tell(&self, stopping: bool, now: DateTime<Utc>) -> (AgentRun, Option<Gap>) {
        // A pause that has just ended is known before the next look.
        let gap = self.look(now);
        let inner = self.lock();
        let run = AgentRun {
            run_id: self.run_id,
            boot_id: self.boot_id,
            stopping,
            failed_check_ins: inner.failed_check_ins,
            asleep_seconds: inner.asleep.as_secs(),
            halted_seconds: inner.halted.as_secs(),
        };
        (run, gap)
    }

    /// A check-in was acknowledged.
    pub fn note_success(&self) {
        let mut inner = self.lock();
        (inner.failed_check_ins, inner.asleep, inner.halted) = (0, Duration::ZERO, Duration::ZERO);
    }

    /// A check-in failed.
    pub fn note_failure(&self) {
        let mut inner = self.lock();
        inner.failed_check_ins = inner.failed_check_ins.saturating_add(1);
    }

    /// The agent ends in order, and watched until `now`.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub fn end(&self, now: DateTime<Utc>) -> io::Result<()> {
        self.note(now, true)
    }

    fn look(&self, now: DateTime<Utc>) -> Option<Gap> {
        let (awake, running) = (read_clock(ClockId::Monotonic), read_clock(ClockId::Boottime));
        let mut inner = self.lock();
        let passed = awake.saturating_sub(inner.awake);
        let slept = running.saturating_sub(inner.running).saturating_sub(passed);
        let from = inner.at;
        (inner.awake, inner.running, inner.at) = (awake, running, now);
        let (reason, length) = if slept >= PAUSE {
            inner.asleep += slept;
            ("host_asleep", slept)
        } else if passed >= PAUSE {
            inner.halted += passed;
            ("agent_halted", passed)
        } else {
            return None;
        };
        Some(Gap {
            reason: reason.to_owned(),
            lost_records: None,
            from: from.min(now),
            to: now,
            detail: Some(format!("{} s", length.as_secs())),
        })
    }

    fn note(&self, alive_at: DateTime<Utc>, stopped: bool) -> io::Result<()> {
        if self.lock().missed.is_some() {
            return Ok(());
        }
        let note = RunNote {
            agent_id: self.agent_id,
            boot_id: self.boot_id,
            alive_at,
            running: Some(read_clock(ClockId::Boottime)),
            stopped,
        };
        self.dir.replace_unsynced(RUN_FILE, &serde_json::to_vec(&note)?)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn gap_since(note: &RunNote, boot_id: Option<Uuid>, now: DateTime<Utc>) -> Gap {
    let same_boot = note.boot_id == boot_id;
    let (reason, detail) = match (same_boot, note.stopped) {
        (true, true) => ("agent_stopped", "the agent was stopped in order"),
        (true, false) => ("agent_killed", "the agent was killed or crashed"),
        (false, true) => ("host_down", "the agent was stopped in order before"),
        (false, false) => ("host_down", "without a word"),
    };
    let passed = note
        .running
        .filter(|_| same_boot)
        .and_then(|before| read_clock(ClockId::Boottime).checked_sub(before));
    let from = passed.map_or(note.alive_at, |passed| now - passed);
    Gap {
        reason: reason.to_owned(),
        lost_records: None,
        from: from.min(now),
        to: now,
        detail: Some(detail.to_owned()),
    }
}

fn read_clock(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use sg_types::{ManualClock, TimeOrderedIds};

    use super::*;

    fn begin(dir: &StateDir, agent: AgentId, clock: &ManualClock) -> (Presence, Option<Gap>) {
        Presence::begin(dir.clone(), agent, clock, &TimeOrderedIds).unwrap()
    }

    #[test]
    fn the_next_process_knows_how_the_one_before_ended() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::create(folder.path()).unwrap();
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = ManualClock::at(start);
        let agent = AgentId(Uuid::from_u128(1));
        let (first, gap) = begin(&dir, agent, &clock);
        assert_eq!(gap, None, "nothing is known of the time before");
        clock.advance(TimeDelta::seconds(60));
        let (second, gap) = begin(&dir, agent, &clock);
        let gap = gap.unwrap();
        assert_eq!((gap.reason.as_str(), gap.to), ("agent_killed", clock.now()));
        // The clock was set: as the machine counts, hardly any time has passed.
        assert!(gap.to - gap.from < TimeDelta::seconds(10), "{gap:?}");
        assert_ne!(first.run_id, second.run_id);
        second.settle(clock.now(), |_| Ok(())).unwrap();
        second.end(clock.now()).unwrap();
        clock.advance(TimeDelta::seconds(5));
        assert_eq!(begin(&dir, agent, &clock).1.unwrap().reason, "agent_stopped");
        let other = AgentId(Uuid::from_u128(2));
        assert_eq!(
            begin(&dir, other, &clock).1,
            None,
            "another identity's life is not told"
        );
        std::fs::write(dir.file(RUN_FILE), b"").unwrap();
        assert_eq!(begin(&dir, other, &clock).1, None, "a note that was cut is none");
    }

    #[test]
    fn what_was_missed_lasts_until_the_next_process_watches_and_is_kept_until_it_is_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::create(folder.path()).unwrap();
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
        let agent = AgentId(Uuid::from_u128(1));
        begin(&dir, agent, &clock).0.end(clock.now()).unwrap();
        // Killed before it watches, and before its disk took the gap: the next one knows of the same process before.
        for _ in 0..2 {
            let (cut_off, gap) = begin(&dir, agent, &clock);
            assert_eq!(gap.unwrap().reason, "agent_stopped");
            cut_off.note(clock.now(), false).unwrap();
            let full = cut_off.settle(clock.now(), |_| Err(io::ErrorKind::StorageFull.into()));
            assert!(full.is_err());
        }
        let (presence, gap) = begin(&dir, agent, &clock);
        clock.advance(TimeDelta::seconds(3));
        let mut recorded = Vec::new();
        for _ in 0..2 {
            let record = |gap| {
                recorded.push(gap);
                Ok(())
            };
            presence.settle(clock.now(), record).unwrap();
        }
        assert_eq!(recorded.len(), 1, "once");
        assert_eq!(
            (recorded[0].from, recorded[0].to),
            (gap.unwrap().from, clock.now())
        );
        assert_eq!(begin(&dir, agent, &clock).1.unwrap().reason, "agent_killed");
    }

    #[test]
    fn another_boot_is_the_machine() {
        let at: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let note = RunNote {
            agent_id: AgentId(Uuid::nil()),
            boot_id: Some(Uuid::from_u128(1)),
            alive_at: at,
            running: None,
            stopped: false,
        };
        let gap = gap_since(&note, Some(Uuid::from_u128(2)), at - TimeDelta::hours(1));
        assert_eq!(gap.reason, "host_down");
        assert!(
            gap.from <= gap.to,
            "a clock that went back makes no gap that ends before it begins"
        );
    }

    #[test]
    fn what_failed_is_counted_until_something_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::create(folder.path()).unwrap();
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
        let (presence, _) = begin(&dir, AgentId(Uuid::from_u128(1)), &clock);
        presence.note_failure();
        presence.note_failure();
        assert_eq!(presence.tell(false, clock.now()).0.failed_check_ins, 2);
        presence.note_success();
        let (run, gap) = presence.tell(true, clock.now());
        assert_eq!((run.failed_check_ins, run.stopping, gap), (0, true, None));
    }
}
