//! Endpoints that check in through any fault, keep what was not acknowledged, and repeat it, as the agent does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinSet;

use crate::agent::{Agent, Judgement};
use crate::ledger::{Entry, Ledger};
use crate::records::NewRecord;
use crate::wire::{Client, Target};

/// Records that wait at most; what comes then is not observed.
const CAP: usize = 200;
/// Records that wait at a forgetful endpoint at most; then it gives half of them up.
const FORGETFUL_CAP: usize = 40;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// After a request that was not answered.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// Complaints that are kept.
const COMPLAINTS: usize = 10;

/// How the endpoints behave.
#[derive(Debug, Clone, Copy)]
pub struct FleetOptions {
    /// How many.
    pub size: usize,
    /// The number of the first; fleets of one installation have different ones.
    pub first: usize,
    /// Between two check-ins of one.
    pub pace: Duration,
    /// Every so many check-ins the answer is thrown away, as if it had been lost on its way; 0: never.
    pub lose_reply_every: u64,
    /// One in so many endpoints gives its oldest records up when too many wait; 0: none.
    pub forgetful_one_in: usize,
    /// How long an endpoint that is told to come back stays away at most: less than it is told, to press the server more than agents do.
    pub longest_pause: Duration,
}

/// What happened so far, over all endpoints.
#[derive(Debug, Default)]
pub struct Counts {
    /// Records that the server has acknowledged.
    pub acknowledged: AtomicU64,
    /// Answers that were thrown away.
    pub lost_replies: AtomicU64,
    /// Check-ins that were told to come back.
    pub busy: AtomicU64,
    /// Check-ins without an answer.
    pub unanswered: AtomicU64,
    /// Records that endpoints gave up.
    pub forgotten: AtomicU64,
}

/// Some endpoints at work.
#[derive(Debug)]
pub struct Fleet {
    tasks: JoinSet<Result<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: FleetOptions,
    ledger: Arc<Ledger>,
    ending: AtomicBool,
    counts: Counts,
    complaints: Mutex<Vec<String>>,
}

impl Fleet {
    /// Enrols the endpoints and lets them check in; each acknowledgement is written into the ledger.
    ///
    /// # Errors
    /// When an endpoint is not enrolled.
    pub async fn start(
        target: &Target,
        key: &str,
        options: FleetOptions,
        ledger: Arc<Ledger>,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            options,
            ledger,
            ending: AtomicBool::new(false),
            counts: Counts::default(),
            complaints: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for number in 0..options.size {
            let mut client = Client::new(target, number, true);
            let agent = Agent::enrol(&mut client, key, options.first + number).await?;
            shared.ledger.write(&Entry::Enrolled { agent_id: agent.id })?;
            let one_in = options.forgetful_one_in;
            let endpoint = Endpoint {
                client,
                agent,
                check_ins: 0,
                forgets: one_in > 0 && number % one_in == one_in - 1,
                shared: Arc::clone(&shared),
            };
            tasks.spawn(endpoint.work());
        }
        Ok(Self { tasks, shared })
    }

    /// What happened so far.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Answers that an endpoint which does nothing wrong must not get; the first few.
    pub fn complaints(&self) -> Vec<String> {
        let complaints = self.shared.complaints.lock();
        complaints.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many more records are acknowledged.
    ///
    /// # Errors
    /// When that takes longer than `patience`, or an endpoint ends.
    pub async fn make_progress(&mut self, records: u64, patience: Duration) -> Result<()> {
        let goal = self.counts().acknowledged.load(Relaxed) + records;
        let begin = Instant::now();
        while self.counts().acknowledged.load(Relaxed) < goal {
            if let Some(ended) = self.tasks.try_join_next() {
                ended.context("an endpoint broke off")??;
                bail!("an endpoint has ended");
            }
            ensure!(
                begin.elapsed() < patience,
                "{records} records were not acknowledged within {} s; {:?}",
                patience.as_secs(),
                self.counts()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Lets the endpoints get rid of what they have, and ends.
    ///
    /// # Errors
    /// When that takes longer than `patience`, or something was answered that must not be.
    pub async fn finish(mut self, patience: Duration) -> Result<Counts> {
        self.shared.ending.store(true, Relaxed);
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                ended.context("an endpoint broke off")??;
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(patience, all).await {
            Ok(result) => result?,
            Err(_) => bail!(
                "not everything was acknowledged within {} s; {:?}",
                patience.as_secs(),
                self.counts()
            ),
        }
        let complaints = self.complaints();
        ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
        let shared = Arc::into_inner(self.shared).context("an endpoint is still at work")?;
        Ok(shared.counts)
    }
}

struct Endpoint {
    client: Client,
    agent: Agent,
    check_ins: u64,
    forgets: bool,
    shared: Arc<Shared>,
}

impl Endpoint {
    /// Checks in until it is told to end and nothing waits any more.
    async fn work(mut self) -> Result<()> {
        loop {
            if !self.shared.ending.load(Relaxed) {
                self.observe()?;
            } else if self.agent.backlog() == 0 {
                return Ok(());
            }
            self.check_in().await?;
            tokio::time::sleep(self.shared.options.pace).await;
        }
    }

    /// Makes a few records; what waits stays within bounds, so that an outage does not grow into a flood.
    fn observe(&mut self) -> Result<()> {
        if self.agent.backlog() > CAP {
            return Ok(());
        }
        if self.forgets && self.agent.backlog() > FORGETFUL_CAP {
            let (from, count) = self.agent.forget_oldest(FORGETFUL_CAP / 2);
            let agent_id = self.agent.id;
            self.shared.ledger.write(&Entry::Forgotten {
                agent_id,
                from,
                count,
            })?;
            self.shared.counts.forgotten.fetch_add(count as u64, Relaxed);
        }
        let round = self.check_ins;
        self.agent.observe(NewRecord::sample(Duration::ZERO, false));
        for number in 0..=round % 9 {
            self.agent
                .observe(NewRecord::file_written(&format!("/srv/data/{round}-{number}")));
        }
        if round.is_multiple_of(3) {
            let path = format!("/srv/uploads/{}", round % 4);
            for rule in 0..=round % 2 {
                self.agent
                    .observe(NewRecord::file_matched(&format!("rule-{rule}"), &path));
            }
        }
        Ok(())
    }

    async fn check_in(&mut self) -> Result<()> {
        self.check_ins += 1;
        let (request, sent) = self.agent.request()?;
        let answer = tokio::time::timeout(PATIENCE, self.client.call(&request)).await;
        let counts = &self.shared.counts;
        let Ok(Ok(answer)) = answer else {
            counts.unanswered.fetch_add(1, Relaxed);
            tokio::time::sleep(AFTER_FAILURE).await;
            return Ok(());
        };
        let every = self.shared.options.lose_reply_every;
        if answer.status == 200 && every > 0 && self.check_ins.is_multiple_of(every) {
            counts.lost_replies.fetch_add(1, Relaxed);
            return Ok(());
        }
        match self.agent.judge(&answer, sent) {
            Ok(Judgement::Stored(stored)) => {
                let entry = Entry::acknowledged(self.agent.id, &stored);
                self.shared.ledger.write(&entry)?;
                counts.acknowledged.fetch_add(sent as u64, Relaxed);
            }
            Ok(Judgement::Busy(seconds)) => {
                counts.busy.fetch_add(1, Relaxed);
                let told = seconds.map_or_else(
                    || {
                        self.complain("a refusal did not say when to come back".to_owned());
                        AFTER_FAILURE
                    },
                    Duration::from_secs,
                );
                tokio::time::sleep(told.min(self.shared.options.longest_pause)).await;
            }
            Err(error) => {
                self.complain(format!("{error:#}"));
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
        Ok(())
    }

    fn complain(&self, text: String) {
        let complaints = self.shared.complaints.lock();
        let mut complaints = complaints.unwrap_or_else(PoisonError::into_inner);
        if complaints.len() < COMPLAINTS {
            complaints.push(text);
        }
    }
}
