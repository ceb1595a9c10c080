//! Checking in: sends what the spool holds, deletes what the server acknowledged, and never spins.

mod client;
mod pace;
#[cfg(feature = "own-resolver")]
mod resolver;
mod rules;
mod stream;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Result;
use sg_trust::verify_trust_set;
use sg_types::agent::{AgentState, CheckIn, CheckInReply, Gap};
use sg_types::{Clock, Ids};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::health::Health;
use crate::identity::{Identity, PinnedTrust, StateDir};
use crate::presence::Presence;
use crate::spool::{Batch, Spool, SpoolSignal};
pub(crate) use pace::Pace;

pub use client::{CallError, ServerClient};
pub use rules::{RULES_FILE, RulesKeeper};
pub use stream::{STREAM_FILE, Stream, StreamState};

/// Records in one check-in.
const BATCH_RECORDS: usize = 1_000;
/// Bytes of JSON in one check-in.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// How long records that are not urgent wait for others.
const BATCH_DELAY: Duration = Duration::from_secs(5);
/// Check-ins with urgent records are at least this far apart, so that a noisy rule becomes no flood of requests.
const PROMPT_SPACING: Duration = Duration::from_secs(1);
/// Bounds of what a server may ask for between check-ins.
const CHECK_IN_SECONDS: std::ops::RangeInclusive<u32> = 1..=3_600;

/// The agent's side of the conversation.
pub struct Uplink {
    /// The server.
    pub client: ServerClient,
    /// Who this agent is.
    pub identity: Identity,
    /// The fingerprint of the machine as it is now.
    pub fingerprint: String,
    /// The spool.
    pub spool: Arc<Mutex<Spool>>,
    /// What the spool's writer tells.
    pub signal: watch::Receiver<SpoolSignal>,
    /// Where the stream stands.
    pub stream: Stream,
    /// The rules.
    pub rules: RulesKeeper,
    /// The agent's view of itself.
    pub health: Arc<Health>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New epochs.
    pub ids: Arc<dyn Ids>,
    /// Whose signatures are believed, shared with what believes commands.
    pub trust: Arc<PinnedTrust>,
    /// The agent's state folder.
    pub dir: StateDir,
    /// Asks for a check-in before it is due.
    pub hurry: Arc<Notify>,
    /// Tells that the server is there.
    pub reached: Arc<Notify>,
    /// The version of a trust set that was not believed, 0 when there was none.
    pub trust_refused: u32,
    /// The agent's own life.
    pub presence: Arc<Presence>,
}

/// What the conversation remembers between check-ins.
struct Conversation {
    pace: Pace,
    interval: Duration,
    /// Records in the next batch at most; halved when the server finds fault, doubled when it does not.
    limit: usize,
    /// Nothing is sent before this.
    not_before: Instant,
    last_sent: Option<Instant>,
    /// When the first record that now waits was noticed.
    waiting_since: Option<Instant>,
    conflicts: u32,
    /// The next check-in carries no records, to learn whether the server refuses a record or everything.
    probe: bool,
    /// Whether the server took such a check-in since the last one with records.
    probe_passed: bool,
    /// The agent is about to end.
    stopping: bool,
}

impl Uplink {
    /// Checks in until the agent stops.
    ///
    /// # Errors
    /// When the stream's state cannot be kept on disk for other reasons than a lack of room.
    pub async fn run(&mut self, stop: &mut watch::Receiver<bool>) -> Result<()> {
        let mut talk = Conversation::new(to_interval(self.identity.check_in_seconds));
        while !*stop.borrow() {
            let due = self.next_due(&mut talk);
            tokio::select! {
                _ = stop.changed() => continue,
                changed = self.signal.changed() => {
                    anyhow::ensure!(changed.is_ok(), "the spool's writer has ended");
                    continue;
                }
                () = self.hurry.notified() => {}
                () = tokio::time::sleep_until(due) => {}
            }
            tokio::select! {
                () = self.check_in(&mut talk) => {}
                // A request under way may be cut off: what it carried is not acknowledged and goes again.
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// One last check-in within `patience`: what waits, and that the agent stops.
    pub async fn say_goodbye(&mut self, patience: Duration) {
        if self.health.snapshot().token_refused {
            return;
        }
        let mut talk = Conversation::new(Duration::from_secs(60));
        talk.stopping = true;
        let _ = tokio::time::timeout(patience, self.check_in(&mut talk)).await;
    }

    fn next_due(&self, talk: &mut Conversation) -> Instant {
        let now = Instant::now();
        let regular = talk.last_sent.map_or(now, |sent| sent + talk.interval);
        let signal = *self.signal.borrow();
        let acked = self.stream.state().acked;
        if signal.durable_through <= acked {
            talk.waiting_since = None;
        } else if talk.waiting_since.is_none() {
            talk.waiting_since = Some(now);
        }
        let due = match talk.waiting_since {
            Some(_) if signal.prompt_through > acked => {
                talk.last_sent.map_or(now, |sent| now.max(sent + PROMPT_SPACING))
            }
            Some(since) => regular.min(since + BATCH_DELAY),
            None => regular,
        };
        due.max(talk.not_before)
    }

    async fn check_in(&mut self, talk: &mut Conversation) {
        let result = match self.prepare(talk) {
            Ok((batch, check_in)) => {
                let answer = self.client.check_in(&self.identity.token, &check_in).await;
                lock(&self.spool).set_under_way(None);
                talk.last_sent = Some(Instant::now());
                self.take_answer(talk, &batch, answer).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            let pause = talk.pace.after_failure();
            talk.pause(pause);
            self.tell_failure(
                &format!("the agent's state cannot be kept on disk: {error}"),
                pause,
            );
        }
    }

    /// Reads the batch and makes durable that it may be sent.
    fn prepare(&mut self, talk: &Conversation) -> io::Result<(Batch, CheckIn)> {
        let (run, pause) = self.presence.tell(talk.stopping, self.clock.now());
        if let Some(gap) = pause
            && let Err(error) = lock(&self.spool).append_gap(gap)
        {
            tracing::error!(error = %error, "a pause of the agent cannot be recorded");
        }
        let (batch, stats) = {
            let mut spool = lock(&self.spool);
            let limit = if talk.probe { 0 } else { talk.limit };
            let batch = spool.read(self.stream.state().acked + 1, limit, BATCH_BYTES)?;
            spool.set_under_way(Some(
                batch.first_seq..batch.first_seq + batch.records.len() as u64,
            ));
            (batch, spool.stats())
        };
        self.stream.offer(
            (batch.first_seq + batch.records.len() as u64)
                .saturating_sub(1)
                .min(stats.durable_through),
        )?;
        let health = self.health.snapshot();
        let check_in = CheckIn {
            epoch: self.stream.state().epoch,
            turn: self.stream.state().turn,
            first_seq: self.stream.to_wire(batch.first_seq),
            records: batch.records.clone(),
            sent_at: self.clock.now(),
            agent: AgentState {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                rules_version: health.rules_version,
                hardware_fingerprint: self.fingerprint.clone(),
                sources: self.health.tell_sources(),
                backlog_records: stats.backlog_records.saturating_sub(batch.records.len() as u64),
                run: Some(run),
            },
        };
        Ok((batch, check_in))
    }

    async fn take_answer(
        &mut self,
        talk: &mut Conversation,
        batch: &Batch,
        answer: Result<CheckInReply, CallError>,
    ) -> io::Result<()> {
        match &answer {
            Ok(_) => self.presence.note_success(),
            Err(CallError::StreamConflict) => {}
            Err(_) => self.presence.note_failure(),
        }
        if !matches!(answer, Err(CallError::StreamConflict)) {
            talk.conflicts = 0;
        }
        match answer {
            Ok(reply) => self.take_reply(talk, batch, &reply).await?,
            Err(CallError::Unauthorized(detail)) => self.take_refused_token(talk, &detail),
            Err(CallError::StreamConflict) => self.take_conflict(talk)?,
            Err(error @ (CallError::TooLarge | CallError::Refused(_))) => {
                self.take_fault(talk, batch, &error)?
            }
            Err(CallError::Busy { retry_after, detail }) => {
                let pause = talk.pace.after_busy(retry_after);
                talk.pause(pause);
                self.tell_failure(&format!("the server is busy: {detail}"), pause);
            }
            Err(CallError::Failed(detail) | CallError::Forbidden(detail)) => {
                let pause = talk.pace.after_failure();
                talk.pause(pause);
                self.tell_failure(&detail, pause);
            }
        }
        Ok(())
    }

    async fn take_reply(
        &mut self,
        talk: &mut Conversation,
        batch: &Batch,
        reply: &CheckInReply,
    ) -> io::Result<()> {
        let before = self.stream.state().acked;
        self.stream.accept(reply.acknowledged_through, reply.turn)?;
        let acked = self.stream.state().acked;
        let stats = {
            let mut spool = lock(&self.spool);
            spool.acknowledge(acked)?;
            spool.stats()
        };
        self.health.set_spool_stats(stats);
        let now = self.clock.now();
        self.health.update(|health| {
            health.last_acknowledged_at = Some(now);
            health.uplink_error = None;
            health.token_refused = false;
        });
        talk.interval = to_interval(reply.check_in_seconds);
        if !batch.records.is_empty() && acked == before {
            let pause = talk.pace.after_failure();
            talk.pause(pause);
            self.tell_failure("the server answered without acknowledging anything", pause);
            return Ok(());
        }
        talk.succeed(batch.records.is_empty());
        if batch.more {
            // A backlog is worked off without waiting for the next occasion.
            talk.waiting_since = Instant::now().checked_sub(BATCH_DELAY);
        }
        self.reached.notify_waiters();
        self.follow_trust(reply.trust_version).await;
        if self
            .rules
            .follow(reply.rules_version, &self.client, &self.identity)
            .await
        {
            // The server is told soon that the new rules are in force.
            talk.last_sent = Instant::now().checked_sub(talk.interval);
        }
        Ok(())
    }

    /// Takes a later trust set that the pinned one lets it believe; what is not believed is left alone until another version is offered.
    async fn follow_trust(&mut self, offered: u32) {
        if offered <= self.identity.trust.version || offered == self.trust_refused {
            return;
        }
        let offer = match self.client.fetch_trust(&self.identity.token).await {
            Ok(offer) => offer,
            Err(error) => return tracing::warn!(error = %error, "a trust set was not fetched"),
        };
        let judged: Vec<_> = offer
            .sets
            .iter()
            .map(|set| verify_trust_set(set, &self.identity.trust))
            .collect();
        let Some(trust) = judged.iter().find_map(|judged| judged.as_ref().ok()) else {
            self.trust_refused = offered;
            let reasons: Vec<String> = judged
                .iter()
                .filter_map(|judged| judged.as_ref().err().map(ToString::to_string))
                .collect();
            return tracing::error!(
                version = offered,
                reasons = reasons.join("; "),
                "a trust set is not believed"
            );
        };
        let mut identity = self.identity.clone();
        identity.trust = trust.clone();
        if let Err(error) = identity.save(&self.dir) {
            return tracing::error!(error = format!("{error:#}"), "a trust set cannot be kept");
        }
        tracing::warn!(version = trust.version, "another trust set is pinned");
        self.trust.replace(trust.clone());
        self.identity = identity;
    }

    fn take_refused_token(&self, talk: &mut Conversation, detail: &str) {
        let pause = Pace::after_refusal();
        talk.pause(pause);
        let message = format!(
            "the server refuses this agent's token ({detail}): enrol again with `secureguard-agent enrol --force`; records are kept meanwhile"
        );
        if !self.health.snapshot().token_refused {
            tracing::error!("{message}");
        }
        self.health.update(|health| {
            health.token_refused = true;
            health.uplink_error = Some(message);
        });
    }

    fn take_conflict(&mut self, talk: &mut Conversation) -> io::Result<()> {
        let first_seq = lock(&self.spool)
            .read(self.stream.state().acked + 1, 1, 1)?
            .first_seq;
        self.stream.begin_epoch(first_seq, self.ids.as_ref())?;
        tracing::warn!(
            "another holder of this agent's state has checked in; going on with a stream of its own"
        );
        talk.conflicts += 1;
        if talk.conflicts > 1 {
            let pause = talk.pace.after_failure();
            talk.pause(pause);
        } else {
            talk.last_sent = None;
        }
        Ok(())
    }

    /// The server finds fault with a batch: halve it until one record is left, make sure that it is the record, and give that one up.
    fn take_fault(&mut self, talk: &mut Conversation, batch: &Batch, error: &CallError) -> io::Result<()> {
        if batch.records.is_empty() {
            talk.probe = false;
            let pause = talk.pace.after_failure().max(Duration::from_secs(5));
            talk.pause(pause);
            self.tell_failure(&error.to_string(), pause);
            return Ok(());
        }
        talk.last_sent = None;
        if batch.records.len() > 1 {
            talk.limit = (batch.records.len() / 2).max(1);
            return Ok(());
        }
        talk.limit = 1;
        if !talk.probe_passed {
            talk.probe = true;
            return Ok(());
        }
        talk.probe_passed = false;
        let at = batch
            .records
            .first()
            .map_or_else(|| self.clock.now(), |record| record.at);
        let gap = Gap {
            reason: "record_refused".to_owned(),
            lost_records: Some(1),
            from: at,
            to: at,
            detail: Some(cut(&error.to_string())),
        };
        tracing::error!(error = %error, "the server refuses a record; it is given up and reported as a gap");
        lock(&self.spool).append_gap(gap)?;
        self.stream.give_up(batch.first_seq)?;
        lock(&self.spool).acknowledge(self.stream.state().acked)
    }

    fn tell_failure(&self, detail: &str, pause: Duration) {
        tracing::warn!(
            error = detail,
            pause_ms = pause.as_millis() as u64,
            "a check-in failed"
        );
        self.health
            .update(|health| health.uplink_error = Some(detail.to_owned()));
    }
}

impl Conversation {
    fn new(interval: Duration) -> Self {
        Self {
            pace: Pace::default(),
            interval,
            limit: BATCH_RECORDS,
            not_before: Instant::now(),
            last_sent: None,
            waiting_since: None,
            conflicts: 0,
            probe: false,
            probe_passed: false,
            stopping: false,
        }
    }

    fn pause(&mut self, pause: Duration) {
        self.not_before = Instant::now() + pause;
    }

    fn succeed(&mut self, was_empty: bool) {
        self.pace.reset();
        self.waiting_since = None;
        if self.probe && was_empty {
            self.probe = false;
            self.probe_passed = true;
            self.last_sent = None;
        } else if !was_empty {
            self.probe_passed = false;
            self.limit = (self.limit * 2).min(BATCH_RECORDS);
        }
    }
}

fn to_interval(seconds: u32) -> Duration {
    Duration::from_secs(
        seconds
            .clamp(*CHECK_IN_SECONDS.start(), *CHECK_IN_SECONDS.end())
            .into(),
    )
}

fn cut(text: &str) -> String {
    text.chars().take(500).collect()
}

fn lock(spool: &Mutex<Spool>) -> MutexGuard<'_, Spool> {
    spool.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
