//! Many agents over a number of connections, and how long each check-in takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio::time::interval;
use uuid::Uuid;

use crate::agent::{Agent, Judgement};
use crate::records::{Kind, NewRecord};
use crate::wire::{Client, Target};

/// After a request that was not answered.
const AFTER_FAILURE: Duration = Duration::from_millis(50);
/// How often it is told how many endpoints are enrolled.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Complaints that are kept of a client.
const COMPLAINTS: usize = 5;

/// How agents come to the server.
#[derive(Debug, Clone)]
pub struct Way {
    /// The server.
    pub target: Target,
    /// Whether connections are kept; else each check-in makes its own.
    pub kept: bool,
    /// Connections at the same time.
    pub connections: usize,
    /// What each check-in carries.
    pub mix: Mix,
    /// From one check-in of a connection to its next; none: as soon as it is answered. With a pace, connections begin spread over it, and a check-in's
    /// time counts from when it was due, so that one which had to wait for the one before it is not told as fast.
    pub pace: Option<Duration>,
}

/// What check-ins carry.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// Samples in each, a second apart; of more than one, each has traffic of an interface.
    pub samples: usize,
    /// One in so many has an event; 0: none.
    pub event_every: u64,
    /// One in so many has a match of a rule; 0: none.
    pub match_every: u64,
}

impl Mix {
    /// Samples alone.
    pub fn samples(samples: usize) -> Self {
        Self {
            samples,
            event_every: 0,
            match_every: 0,
        }
    }

    /// Lets an agent observe what its check-in number `count` carries.
    pub fn observe(&self, agent: &mut Agent, count: u64) {
        for place in 0..self.samples {
            agent.observe(NewRecord::sample(
                Duration::from_secs(place as u64),
                self.samples > 1,
            ));
        }
        if self.event_every > 0 && count.is_multiple_of(self.event_every) {
            agent.observe(NewRecord::file_written(&format!("/srv/data/{count}")));
        }
        if self.match_every > 0 && count.is_multiple_of(self.match_every) {
            agent.observe(NewRecord::file_matched(
                "bench-rule",
                &format!("/srv/uploads/{}", count % 4),
            ));
        }
    }
}

/// What a window of load came to.
#[derive(Debug, Default)]
pub struct Load {
    /// Check-ins that were stored in a second.
    pub per_second: f64,
    /// Milliseconds of each check-in that was stored, the connection included where it made one.
    pub times: Vec<f64>,
    /// What was acknowledged.
    pub acknowledged: Vec<(Kind, Uuid)>,
    /// Check-ins that were told to come back.
    pub busy: usize,
    /// Check-ins without an answer.
    pub unanswered: usize,
    /// New connections that resumed a TLS session.
    pub resumed: usize,
    /// New connections that did not.
    pub full: usize,
    /// Answers that an agent which does nothing wrong must not get.
    pub complaints: Vec<String>,
}

impl Load {
    /// Takes in another window's figures, but for its rate.
    pub fn add(&mut self, part: Self) {
        self.times.extend(part.times);
        self.acknowledged.extend(part.acknowledged);
        self.busy += part.busy;
        self.unanswered += part.unanswered;
        self.resumed += part.resumed;
        self.full += part.full;
        self.complaints.extend(part.complaints);
    }
}

/// Enrols endpoints numbered from `first` on, over so many connections; tells how many there are from time to time.
///
/// # Errors
/// As soon as one is refused.
pub async fn enrol(
    target: &Target,
    key: &str,
    numbers: std::ops::Range<usize>,
    connections: usize,
    tell: impl Fn(usize),
) -> Result<Vec<Agent>> {
    let (first, count) = (numbers.start, numbers.len());
    let enrolled = Arc::new(AtomicUsize::new(first));
    let mut tasks = JoinSet::new();
    for client in 0..connections.clamp(1, count.max(1)) {
        let (target, key, numbers) = (target.clone(), key.to_owned(), numbers.clone());
        let enrolled = Arc::clone(&enrolled);
        tasks.spawn(async move {
            let mut agents = Vec::new();
            let mut connection = Client::new(&target, client, true);
            for number in numbers.skip(client).step_by(connections.max(1)) {
                agents.push(Agent::enrol(&mut connection, &key, number).await?);
                enrolled.fetch_add(1, Relaxed);
            }
            anyhow::Ok(agents)
        });
    }
    let mut agents = Vec::with_capacity(count);
    let mut told = interval(TELL_EVERY);
    loop {
        tokio::select! {
            biased;
            part = tasks.join_next() => match part {
                Some(part) => agents.extend(part.context("an enrolling client broke off")??),
                None => return Ok(agents),
            },
            _ = told.tick() => tell(enrolled.load(Relaxed)),
        }
    }
}

/// Lets the agents check in for a while, each connection with a share of them, one after the other.
///
/// # Errors
/// When a client breaks off.
pub async fn drive(way: &Way, agents: &mut Vec<Agent>, window: Duration) -> Result<Load> {
    share_out(way, agents, Task::CheckIn(Instant::now() + window)).await
}

/// Lets the agents send what waits and nothing else, until nothing does or the time is over.
///
/// # Errors
/// When a client breaks off.
pub async fn drain(way: &Way, agents: &mut Vec<Agent>, patience: Duration) -> Result<Load> {
    share_out(way, agents, Task::Drain(Instant::now() + patience)).await
}

/// What the clients do, and until when.
#[derive(Debug, Clone, Copy)]
enum Task {
    CheckIn(Instant),
    Drain(Instant),
}

impl Task {
    fn end(self) -> Instant {
        match self {
            Self::CheckIn(end) | Self::Drain(end) => end,
        }
    }
}

async fn share_out(way: &Way, agents: &mut Vec<Agent>, task: Task) -> Result<Load> {
    let connections = way.connections.clamp(1, agents.len().max(1));
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..connections {
        let share = agents.len() / (connections - number);
        let own = agents.split_off(agents.len() - share);
        clients.spawn(Driver::new(way, number).run(own, task));
    }
    let mut load = Load::default();
    while let Some(client) = clients.join_next().await {
        let (own, part) = client.context("a client broke off")?;
        agents.extend(own);
        load.add(part);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let count = load.times.len() as f64;
    load.per_second = count / began.elapsed().as_secs_f64();
    Ok(load)
}

struct Driver {
    client: Client,
    mix: Mix,
    pace: Option<Duration>,
    /// How long after the beginning the first check-in is due.
    first: Duration,
    load: Load,
}

impl Driver {
    fn new(way: &Way, number: usize) -> Self {
        let place = u32::try_from(number).unwrap_or(0);
        let of = u32::try_from(way.connections.max(1)).unwrap_or(u32::MAX);
        Self {
            client: Client::new(&way.target, number, way.kept),
            mix: way.mix,
            pace: way.pace,
            first: way.pace.unwrap_or_default() * place / of,
            load: Load::default(),
        }
    }

    async fn run(mut self, mut agents: Vec<Agent>, task: Task) -> (Vec<Agent>, Load) {
        let mut back_at = vec![Instant::now(); agents.len()];
        let mut next = Instant::now() + self.first;
        let mut turn = 0;
        while Instant::now() < task.end() && !agents.is_empty() {
            let mut due = None;
            if let Some(pace) = self.pace {
                if next >= task.end() {
                    break;
                }
                tokio::time::sleep_until(next.into()).await;
                due = Some(next);
                next += pace;
            }
            let Some(index) = choose(&agents, &back_at, turn, task) else {
                if matches!(task, Task::Drain(_)) && agents.iter().all(|agent| agent.backlog() == 0) {
                    break;
                }
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            };
            let (agent, round) = (&mut agents[index], turn / back_at.len());
            turn = index + 1 + round * back_at.len();
            if matches!(task, Task::CheckIn(_)) && agent.backlog() == 0 {
                self.mix.observe(agent, (turn + round) as u64);
            }
            if let Some(pause) = self.check_in(agent, due).await {
                back_at[index] = Instant::now() + pause;
            }
        }
        self.load.resumed = self.client.resumed;
        self.load.full = self.client.full;
        (agents, self.load)
    }

    /// One check-in; how long this agent then stays away, where it has to.
    async fn check_in(&mut self, agent: &mut Agent, due: Option<Instant>) -> Option<Duration> {
        let (request, sent) = match agent.request() {
            Ok(request) => request,
            Err(error) => return Some(self.complain(error.to_string())),
        };
        let began = due.unwrap_or_else(Instant::now);
        let Ok(answer) = self.client.call(&request).await else {
            self.load.unanswered += 1;
            return Some(AFTER_FAILURE);
        };
        let took = began.elapsed();
        match agent.judge(&answer, sent) {
            Ok(Judgement::Stored(stored)) => {
                self.load.times.push(took.as_secs_f64() * 1_000.0);
                self.load.acknowledged.extend(stored.records);
                None
            }
            Ok(Judgement::Busy(seconds)) => {
                self.load.busy += 1;
                Some(seconds.map_or(AFTER_FAILURE, Duration::from_secs))
            }
            Err(error) => Some(self.complain(format!("{error:#}"))),
        }
    }

    fn complain(&mut self, text: String) -> Duration {
        if self.load.complaints.len() < COMPLAINTS {
            self.load.complaints.push(text);
        }
        Duration::from_secs(1)
    }
}

/// The next agent in turn that may come, and that has something to send where that is all it comes for.
fn choose(agents: &[Agent], back_at: &[Instant], turn: usize, task: Task) -> Option<usize> {
    let now = Instant::now();
    (0..agents.len())
        .map(|step| (turn + step) % agents.len())
        .find(|index| {
            let wanted = matches!(task, Task::CheckIn(_)) || agents[*index].backlog() > 0;
            wanted && back_at[*index] <= now
        })
}

/// The value below which this share of `values` lies; NaN of none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into some million values"
)]
pub fn quantile(mut values: Vec<f64>, of: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    values.get((last * of) as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_take_turns_and_stay_away_when_told() {
        let agents: Vec<Agent> = (0..3).map(|_| Agent::of("sga_x".to_owned())).collect();
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let task = Task::CheckIn(later);
        assert_eq!(choose(&agents, &[now, now, now], 1, task), Some(1));
        assert_eq!(choose(&agents, &[now, later, now], 1, task), Some(2));
        assert_eq!(choose(&agents, &[later, later, later], 0, task), None);
        assert_eq!(choose(&agents, &[now, now, now], 0, Task::Drain(later)), None);
    }

    #[test]
    fn quantiles() {
        assert!((quantile(vec![3.0, 1.0, 2.0], 0.5) - 2.0).abs() < f64::EPSILON);
        assert!(quantile(Vec::new(), 0.5).is_nan());
    }
}
