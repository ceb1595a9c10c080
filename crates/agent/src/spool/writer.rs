//! The thread that moves records from the bounded channel to disk, many at a time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sg_types::agent::{Gap, Record, RecordBody};
use sg_types::{Clock, Ids, RecordId};
use tokio::sync::watch;

use super::Spool;
use crate::health::Health;

/// Records that may wait in the channel.
const CHANNEL_RECORDS: usize = 4_096;
/// Records that share one flush at most.
const GROUP_RECORDS: usize = 1_024;
/// How long a record waits for others to share its flush.
const GROUP_WAIT: Duration = Duration::from_millis(200);
/// How long one that should be sent at once waits.
const PROMPT_WAIT: Duration = Duration::from_millis(10);
/// Pause between attempts when the disk refuses.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// A record before it has a number.
#[derive(Debug)]
pub struct Draft {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub body: RecordBody,
    /// Whether it should reach the server at once.
    pub prompt: bool,
}

/// What the uplink is told after each flush.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolSignal {
    /// The last number on disk.
    pub durable_through: u64,
    /// The last number that should be sent at once.
    pub prompt_through: u64,
}

enum Message {
    Record(Box<Draft>),
    Flush(SyncSender<()>),
    Stop,
}

/// Where collectors put their records.
#[derive(Clone)]
pub struct WriterHandle {
    sender: SyncSender<Message>,
    drops: Arc<Mutex<Drops>>,
    clock: Arc<dyn Clock>,
}

/// What was dropped because the channel was full, until it is on record.
#[derive(Debug, Default)]
struct Drops {
    count: u64,
    span: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// The writer's side; [`Self::run`] is its thread.
pub struct SpoolWriter {
    spool: Arc<Mutex<Spool>>,
    receiver: Receiver<Message>,
    drops: Arc<Mutex<Drops>>,
    signal: watch::Sender<SpoolSignal>,
    health: Arc<Health>,
    ids: Arc<dyn Ids>,
    clock: Arc<dyn Clock>,
}

impl SpoolWriter {
    /// A writer for this spool, and the handle that feeds it.
    pub fn new(
        spool: Arc<Mutex<Spool>>,
        health: Arc<Health>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> (Self, WriterHandle, watch::Receiver<SpoolSignal>) {
        let (sender, receiver) = sync_channel(CHANNEL_RECORDS);
        let drops = Arc::new(Mutex::new(Drops::default()));
        let durable_through = lock(&spool).stats().durable_through;
        let (signal, listener) = watch::channel(SpoolSignal {
            durable_through,
            prompt_through: 0,
        });
        let handle = WriterHandle {
            sender,
            drops: drops.clone(),
            clock: clock.clone(),
        };
        (
            Self {
                spool,
                receiver,
                drops,
                signal,
                health,
                ids,
                clock,
            },
            handle,
            listener,
        )
    }

    /// Runs until it is told to stop or every handle is gone.
    pub fn run(self) {
        loop {
            let first = match self.receiver.recv() {
                Ok(message) => message,
                Err(_) => return,
            };
            let mut group = Group::default();
            group.take(first);
            self.fill(&mut group);
            self.commit(&mut group);
            if group.stop {
                return;
            }
        }
    }

    /// Waits a moment for records that can share the flush.
    fn fill(&self, group: &mut Group) {
        let begin = Instant::now();
        while !group.hurries() && group.drafts.len() < GROUP_RECORDS {
            let wait = if group.prompt { PROMPT_WAIT } else { GROUP_WAIT };
            match self.receiver.recv_timeout(wait.saturating_sub(begin.elapsed())) {
                Ok(message) => group.take(message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        while group.drafts.len() < GROUP_RECORDS && !group.stop {
            match self.receiver.try_recv() {
                Ok(message) => group.take(message),
                Err(_) => break,
            }
        }
    }

    fn commit(&self, group: &mut Group) {
        let drops = std::mem::take(&mut *lock(&self.drops));
        if drops.count > 0 {
            group.drafts.push(self.describe_drops(&drops));
        }
        let records: Vec<Record> = group
            .drafts
            .drain(..)
            .map(|draft| Record {
                id: RecordId(self.ids.next()),
                at: draft.at,
                body: draft.body,
            })
            .collect();
        if !records.is_empty() {
            self.append_until_done(&records, group.prompt, group.stop);
        }
        for waiter in group.waiters.drain(..) {
            let _ = waiter.try_send(());
        }
    }

    fn append_until_done(&self, records: &[Record], prompt: bool, stopping: bool) {
        loop {
            let (result, stats) = {
                let mut spool = lock(&self.spool);
                (spool.append(records), spool.stats())
            };
            match result {
                Ok(_) => {
                    self.health.set_spool_stats(stats);
                    self.health.set_spool_error(None);
                    self.signal.send_modify(|signal| {
                        signal.durable_through = stats.durable_through;
                        if prompt {
                            signal.prompt_through = stats.durable_through;
                        }
                    });
                    return;
                }
                Err(error) => {
                    if self.health.set_spool_error(Some(error.to_string())) {
                        tracing::error!(error = %error, "cannot write to the spool; collecting goes on in memory until there is room");
                    }
                    if stopping {
                        tracing::error!(
                            records.lost = records.len(),
                            "records were lost: the spool could not be written at the end"
                        );
                        return;
                    }
                    std::thread::sleep(RETRY_WAIT);
                }
            }
        }
    }

    fn describe_drops(&self, drops: &Drops) -> Draft {
        let now = self.clock.now();
        let (from, to) = drops.span.unwrap_or((now, now));
        self.health.add_drops(drops.count);
        let detail = "records came faster than the spool could be written".to_owned();
        let gap = Gap {
            reason: "channel_full".to_owned(),
            lost_records: Some(drops.count),
            from,
            to,
            detail: Some(detail),
        };
        Draft {
            at: now,
            body: RecordBody::Gap(gap),
            prompt: false,
        }
    }
}

impl WriterHandle {
    /// Hands a record over, waiting for room.
    pub fn send(&self, draft: Draft) {
        let _ = self.sender.send(Message::Record(Box::new(draft)));
    }

    /// Hands a record over, or counts it as dropped when there is no room.
    pub fn try_send(&self, draft: Draft) {
        let at = draft.at;
        if let Err(TrySendError::Full(_)) = self.sender.try_send(Message::Record(Box::new(draft))) {
            self.count_drops(1, at, at);
        }
    }

    /// Counts records that were dropped before they came here, between two times.
    pub fn count_drops(&self, count: u64, from: DateTime<Utc>, to: DateTime<Utc>) {
        let mut drops = lock(&self.drops);
        drops.count += count;
        drops.span = Some(
            drops
                .span
                .map_or((from, to), |(first, last)| (first.min(from), last.max(to))),
        );
    }

    /// Records a hole.
    pub fn report_gap(&self, gap: Gap) {
        self.send(Draft {
            at: self.clock.now(),
            body: RecordBody::Gap(gap),
            prompt: false,
        });
    }

    /// Waits until everything handed over before is on disk; false when that took longer than `timeout`.
    pub fn flush(&self, timeout: Duration) -> bool {
        let (done, wait) = sync_channel(1);
        self.sender.send(Message::Flush(done)).is_ok() && wait.recv_timeout(timeout).is_ok()
    }

    /// Ends the writer after what was handed over before is on disk.
    pub fn stop(&self) {
        let _ = self.sender.send(Message::Stop);
    }
}

/// What shares one flush.
#[derive(Default)]
struct Group {
    drafts: Vec<Draft>,
    waiters: Vec<SyncSender<()>>,
    prompt: bool,
    stop: bool,
}

impl Group {
    fn take(&mut self, message: Message) {
        match message {
            Message::Record(draft) => {
                self.prompt |= draft.prompt;
                self.drafts.push(*draft);
            }
            Message::Flush(waiter) => self.waiters.push(waiter),
            Message::Stop => self.stop = true,
        }
    }

    fn hurries(&self) -> bool {
        self.stop || !self.waiters.is_empty()
    }
}

/// Locks a mutex whose content stays usable when a holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
