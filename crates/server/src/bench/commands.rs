//! Endpoints that wait for commands: how long one takes from the person who asks to the endpoint, and what a waiting endpoint costs the server.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use sg_load::{Agent, Client, Target, quantile, resident_bytes};
use sg_types::response::CommandsReply;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use super::Bench;
use super::people::post;
use super::report::Commands;

/// Seconds for which an endpoint's question is held open.
const WAIT: u64 = 25;
/// Questions that are opened at once: a thousand in a second, several times as many as come of so many endpoints every minute. What they take of memory is to be what waits, and
/// not what a crowd before the database does.
const AT_ONCE: usize = 20;
/// Between two groups of them.
const PAUSE: Duration = Duration::from_millis(20);
/// Until all questions are open.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a command may be on its way.
const PATIENCE: Duration = Duration::from_secs(40);

/// A command that an endpoint was given: which endpoint of those that wait, and when.
type Arrival = (usize, Instant);

/// A command that was asked for.
struct Asked {
    begin: Instant,
    command_id: Value,
}

/// Lets so many endpoints wait, and asks for a command for some of them, one after the other.
pub(super) async fn measure(
    bench: &Bench<'_>,
    target: &Target,
    agents: &[Agent],
    session: &str,
) -> anyhow::Result<Commands> {
    let (wanted, waiting) = (bench.options.commands, bench.options.waiting);
    let waiting = &agents[..waiting.max(wanted).min(agents.len())];
    if waiting.is_empty() {
        return Ok(Commands::default());
    }
    (bench.tell)(&format!("{} endpoints wait for commands", waiting.len()));
    let server = bench.scratch.server_pid();
    let before = resident_bytes(server);
    let (tell, mut arrivals) = mpsc::unbounded_channel();
    let broken = Arc::new(AtomicUsize::new(0));
    let mut questions = JoinSet::new();
    for (number, agent) in waiting.iter().enumerate() {
        let waiter = Waiter {
            client: Client::new(target, number, true),
            token: agent.token().to_owned(),
            number,
            tell: tell.clone(),
        };
        let broken = Arc::clone(&broken);
        questions.spawn(async move {
            if waiter.work().await.is_err() {
                broken.fetch_add(1, Relaxed);
            }
        });
        if number % AT_ONCE == AT_ONCE - 1 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    tokio::time::sleep(SETTLE).await;
    let after = resident_bytes(server);
    let asked = ask(bench, target, waiting, session).await?;
    let times = collect(&mut arrivals, &asked).await;
    refuse(target, waiting, &asked).await?;
    let of = |share| quantile(times.clone(), share);
    Ok(Commands {
        waiting: waiting.len(),
        broken: broken.load(Relaxed),
        bytes_per_waiting: per_waiting(before, after, waiting.len()),
        asked: asked.len(),
        delivered: times.len(),
        p50_ms: of(0.5),
        p95_ms: of(0.95),
        p99_ms: of(0.99),
    })
}

/// Asks for commands for as many as are to have one, evenly over all that wait.
async fn ask(
    bench: &Bench<'_>,
    target: &Target,
    waiting: &[Agent],
    session: &str,
) -> anyhow::Result<HashMap<usize, Asked>> {
    let wanted = bench.options.commands.min(waiting.len());
    (bench.tell)(&format!("commands for {wanted} endpoints"));
    let mut client = Client::new(target, 0, true);
    let mut asked = HashMap::with_capacity(wanted);
    for turn in 0..wanted {
        let number = turn * waiting.len() / wanted;
        let path = format!("/api/v1/agents/endpoints/{}/commands", waiting[number].id);
        let body = json!({ "kind": "list_processes", "arguments": {}, "reason": "a measurement" });
        let begin = Instant::now();
        let detail = post(&mut client, &path, session, &body, 201).await?;
        let command_id = detail["command"]["command_id"].clone();
        asked.insert(number, Asked { begin, command_id });
    }
    Ok(asked)
}

/// Milliseconds that each command took, of those that came.
async fn collect(arrivals: &mut mpsc::UnboundedReceiver<Arrival>, asked: &HashMap<usize, Asked>) -> Vec<f64> {
    let mut times = Vec::with_capacity(asked.len());
    let all = async {
        while times.len() < asked.len() {
            let Some((number, arrived)) = arrivals.recv().await else {
                break;
            };
            if let Some(asked) = asked.get(&number) {
                times.push(arrived.duration_since(asked.begin).as_secs_f64() * 1_000.0);
            }
        }
    };
    // What has not come by then shows in the number of those that did.
    let _ = tokio::time::timeout(PATIENCE, all).await;
    times
}

/// The endpoints do nothing of what they are told, and say so.
async fn refuse(target: &Target, waiting: &[Agent], asked: &HashMap<usize, Asked>) -> anyhow::Result<()> {
    let mut client = Client::new(target, 0, true);
    for (number, command) in asked {
        let refusal = json!({ "command_id": command.command_id, "reason": "a measurement" });
        let token = waiting[*number].token();
        post(&mut client, "/agent/v1/commands/refusals", token, &refusal, 204).await?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory, far below 2^52")]
fn per_waiting(before: Option<u64>, after: Option<u64>, count: usize) -> f64 {
    let (before, after) = (before.unwrap_or(0), after.unwrap_or(0));
    after.saturating_sub(before) as f64 / count.max(1) as f64
}

struct Waiter {
    client: Client,
    token: String,
    number: usize,
    tell: UnboundedSender<Arrival>,
}

impl Waiter {
    /// Asks again and again until there is a command.
    async fn work(mut self) -> anyhow::Result<()> {
        let path = format!("/agent/v1/commands?wait={WAIT}");
        loop {
            let answer = self.client.get(&path, &self.token).await?;
            let arrived = Instant::now();
            ensure!(
                answer.status == 200,
                "a question was answered with {}",
                answer.status
            );
            let reply: CommandsReply = serde_json::from_slice(&answer.body)?;
            if !reply.commands.is_empty() {
                return Ok(self.tell.send((self.number, arrived))?);
            }
        }
    }
}
