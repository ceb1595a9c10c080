//! Remote commands: asks for them, believes only what the pinned keys have signed, does each once, and tells what it came to.

mod journal;
mod key;
mod log;
mod output;
mod perform;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sg_trust::{CommandRefused, Recipient, SecretKey, sign_result, verify_command};
use sg_types::agent::CommandRefusal;
use sg_types::response::{
    CommandKind, CommandOrder, CommandResult, MAX_WAIT_SECONDS, OutputChunk, ResultKey, SignedCommand,
};
use sg_types::{CommandId, CommandState};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::identity::{Identity, PinnedTrust};
use crate::uplink::{CallError, Pace, ServerClient};
use journal::{Journal, Stage};
use log::CommandLog;
use output::Output;
use perform::{Done, perform};

pub use journal::JOURNAL_FILE;
pub use key::RESULT_KEY_FILE;
pub use log::COMMANDS_LOG;
pub(crate) use perform::{Tools, restore_isolation};

/// Commands that run at the same time at most; others wait.
const MAX_RUNNING: usize = 4;
/// Time between two words about the output of running commands.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Pause after an answer that says that the server knows no commands.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(600);
/// Pause while what the server offers cannot be begun.
const OFFERED_AGAIN_PAUSE: Duration = Duration::from_secs(5);

/// Why the responder has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The agent stops.
    Stopped,
    /// The agent is to be started anew.
    Restart,
}

/// The agent's side of remote commands.
pub(crate) struct Responder {
    pub(crate) client: ServerClient,
    pub(crate) identity: Identity,
    pub(crate) trust: Arc<PinnedTrust>,
    pub(crate) tools: Tools,
    /// Told when a check-in has found the server there.
    pub(crate) reached: Arc<Notify>,
}

/// A command on its way.
struct Running {
    order: CommandOrder,
    started_at: DateTime<Utc>,
    output: Output,
}

/// What the responder remembers while it runs.
struct Work {
    journal: Journal,
    key: SecretKey,
    log: CommandLog,
    running: BTreeMap<CommandId, Running>,
    jobs: JoinSet<(CommandId, Result<Done, String>)>,
    key_told: bool,
    /// The text of the order that was refused last, which the server is not told of again and again.
    refused: Option<String>,
    end: Option<End>,
}

impl Responder {
    /// Takes commands until the agent stops or a command asks for its restart.
    ///
    /// # Errors
    /// When the journal or the key cannot be kept on disk.
    pub(crate) async fn run(&self, stop: &mut watch::Receiver<bool>) -> Result<End> {
        let mut work = Work {
            journal: Journal::load(self.tools.state.clone())?,
            key: key::load_or_create(&self.tools.state)?,
            log: CommandLog::new(&self.tools.state),
            running: BTreeMap::new(),
            jobs: JoinSet::new(),
            key_told: false,
            refused: None,
            end: None,
        };
        self.settle_interrupted(&mut work)?;
        let mut pace = Pace::default();
        while !*stop.borrow() && work.end.is_none() {
            let pause = match self.converse(&mut work, stop).await {
                Ok(()) => {
                    pace.reset();
                    continue;
                }
                Err(CallError::Unauthorized(_)) => Pace::after_refusal(),
                Err(CallError::Forbidden(_)) => UNKNOWN_PAUSE,
                Err(CallError::Busy { retry_after, .. }) => pace.after_busy(retry_after),
                Err(error) => {
                    tracing::debug!(error = %error, "the server was not asked for commands");
                    let pause = async {
                        tokio::select! {
                            () = tokio::time::sleep(pace.after_failure()) => {}
                            () = self.reached.notified() => {}
                        }
                    };
                    self.work_on(&mut work, stop, pause).await;
                    continue;
                }
            };
            self.work_on(&mut work, stop, tokio::time::sleep(pause)).await;
        }
        Ok(work.end.unwrap_or(End::Stopped))
    }

    /// Tells what there is to tell, then asks once; what runs goes on meanwhile.
    async fn converse(&self, work: &mut Work, stop: &mut watch::Receiver<bool>) -> Result<(), CallError> {
        let token = &self.identity.token;
        if !work.key_told {
            let key = ResultKey {
                public_key: work.key.public().to_base64(),
            };
            self.client.tell_result_key(token, &key).await?;
            work.key_told = true;
        }
        self.tell_results(work).await?;
        let asked = self.client.fetch_commands(token, MAX_WAIT_SECONDS);
        let Some(reply) = self.work_on(work, stop, asked).await else {
            return Ok(());
        };
        let commands = reply?.commands;
        let mut idle = !commands.is_empty();
        for command in commands {
            idle &= !self.take(work, &command).await?;
        }
        if idle {
            // They run already, or there is no room: the server would offer them again at once.
            return Err(CallError::Busy {
                retry_after: Some(OFFERED_AGAIN_PAUSE),
                detail: "commands wait for others".to_owned(),
            });
        }
        Ok(())
    }

    /// Waits for `other` while commands run, tells their output and what they come to; none when the agent stops first.
    async fn work_on<T>(
        &self,
        work: &mut Work,
        stop: &mut watch::Receiver<bool>,
        other: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::pin!(other);
        let mut ticks = tokio::time::interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.changed() => return None,
                Some(job) = work.jobs.join_next() => {
                    if let Ok((command_id, outcome)) = job {
                        self.finish(work, command_id, outcome);
                    }
                    // Another question would be held open; the result goes first.
                    let _ = self.tell_results(work).await;
                }
                _ = ticks.tick(), if !work.running.is_empty() => self.tell_output(work).await,
                answer = &mut other => return Some(answer),
            }
        }
    }

    /// Begins a command or refuses it; false when it has to wait or runs already.
    async fn take(&self, work: &mut Work, command: &SignedCommand) -> Result<bool, CallError> {
        let now = self.tools.clock.now();
        let recipient = Recipient {
            agent_id: self.identity.agent_id,
            tenant_id: self.identity.tenant_id,
        };
        let order = match verify_command(command, &self.trust.get(), recipient, now) {
            Ok(order) => order,
            Err(refused) => return self.refuse(work, command, &refused).await.map(|()| true),
        };
        // What was done and not told, or runs, is offered again until it is told.
        if matches!(
            work.journal.stage(order.command_id),
            Some(Stage::Begun | Stage::Ended(_))
        ) {
            return Ok(false);
        }
        if work.journal.knows(&order) {
            self.refuse(work, command, &CommandRefused::Replayed).await?;
            return Ok(true);
        }
        if work.running.len() >= MAX_RUNNING {
            return Ok(false);
        }
        if let Err(error) = work.journal.begin(&order, now) {
            return Err(CallError::Failed(format!(
                "the journal of commands cannot be kept: {error}"
            )));
        }
        work.log.write(now, &order, "begun", "");
        tracing::warn!(
            command.id = %order.command_id, command.kind = %order.action.kind(), requested_by = order.requester, reason = order.reason,
            "a remote command begins"
        );
        // Told before it begins, so that the console shows it; a server that is away now hears the result.
        let _ = self
            .client
            .start_command(&self.identity.token, order.command_id)
            .await;
        if order.action.kind() == CommandKind::RestartAgent {
            work.end = Some(End::Restart);
            return Ok(true);
        }
        let output = Output::default();
        let (tools, copy, ordered) = (self.tools.clone(), output.clone(), order.clone());
        work.jobs.spawn_blocking(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| perform(&ordered, &tools, &copy)));
            let outcome = match outcome {
                Ok(outcome) => outcome.map_err(|error| format!("{error:#}")),
                Err(_) => Err("the agent failed at it".to_owned()),
            };
            (ordered.command_id, outcome)
        });
        let running = Running {
            order,
            started_at: now,
            output,
        };
        work.running.insert(running.order.command_id, running);
        Ok(true)
    }

    async fn refuse(
        &self,
        work: &mut Work,
        command: &SignedCommand,
        refused: &CommandRefused,
    ) -> Result<(), CallError> {
        if work.refused.as_ref() == Some(&command.order.text) {
            return Ok(());
        }
        let reason = refused.to_string();
        tracing::error!(reason, "a remote command is refused");
        work.log
            .refuse(self.tools.clock.now(), &command.order.text, &reason);
        let order: Option<CommandOrder> = serde_json::from_str(&command.order.text).ok();
        let refusal = CommandRefusal {
            command_id: order.map(|order| order.command_id),
            reason,
        };
        self.client.refuse_command(&self.identity.token, &refusal).await?;
        work.refused = Some(command.order.text.clone());
        Ok(())
    }

    fn finish(&self, work: &mut Work, command_id: CommandId, outcome: Result<Done, String>) {
        let Some(running) = work.running.remove(&command_id) else {
            return;
        };
        let (state, summary, exit_code) = match outcome {
            Ok(Done { summary, exit_code }) => {
                let state = match exit_code {
                    None | Some(0) => CommandState::Succeeded,
                    Some(_) => CommandState::Failed,
                };
                (state, summary, exit_code)
            }
            Err(reason) => (CommandState::Failed, reason, None),
        };
        work.log
            .write(self.tools.clock.now(), &running.order, state.as_str(), &summary);
        let whole = running.output.whole();
        let result = CommandResult {
            command_id,
            agent_id: self.identity.agent_id,
            outcome: state,
            summary: cut(&summary),
            exit_code,
            output: whole.text,
            output_bytes: whole.bytes,
            output_sha256: whole.sha256,
            started_at: Some(running.started_at),
            finished_at: self.tools.clock.now(),
        };
        self.keep(work, &result);
    }

    fn keep(&self, work: &mut Work, result: &CommandResult) {
        let kept = sign_result(&work.key, result)
            .map_err(anyhow::Error::from)
            .and_then(|signed| Ok(work.journal.end(result.command_id, signed)?));
        if let Err(error) = kept {
            tracing::error!(
                error = format!("{error:#}"),
                "the result of a command cannot be kept on disk"
            );
        }
    }

    /// What an earlier process began: a restart has succeeded by this process being here, everything else was cut off.
    fn settle_interrupted(&self, work: &mut Work) -> Result<()> {
        for (command_id, entry) in work.journal.interrupted() {
            let (outcome, summary) = if entry.kind == CommandKind::RestartAgent {
                let summary = format!(
                    "the agent (version {}) runs anew as process {}",
                    env!("CARGO_PKG_VERSION"),
                    std::process::id()
                );
                (CommandState::Succeeded, summary)
            } else {
                let summary =
                    "the agent was stopped in the middle of it; whether it was done has to be looked at";
                (CommandState::Failed, summary.to_owned())
            };
            let result = CommandResult {
                command_id,
                agent_id: self.identity.agent_id,
                outcome,
                summary,
                exit_code: None,
                output: String::new(),
                output_bytes: 0,
                output_sha256: hex::encode(sg_detect::sha256(b"")),
                started_at: Some(entry.begun_at),
                finished_at: self.tools.clock.now(),
            };
            let signed = sign_result(&work.key, &result)?;
            work.journal
                .end(command_id, signed)
                .context("the journal of commands cannot be kept")?;
        }
        Ok(())
    }

    async fn tell_results(&self, work: &mut Work) -> Result<(), CallError> {
        for (command_id, result) in work.journal.untold() {
            match self
                .client
                .tell_result(&self.identity.token, command_id, &result)
                .await
            {
                Ok(()) => {}
                // Kept as told: the server will never take it, and its log says why.
                Err(CallError::Refused(detail)) => {
                    tracing::error!(command.id = %command_id, detail, "the server does not take the result of a command");
                }
                Err(error) => return Err(error),
            }
            if let Err(error) = work.journal.told(command_id) {
                tracing::error!(error = %error, "the journal of commands cannot be kept");
            }
        }
        Ok(())
    }

    async fn tell_output(&self, work: &Work) {
        for (command_id, running) in &work.running {
            while let Some((offset, text)) = running.output.next_chunk() {
                let chunk = OutputChunk { offset, text };
                let told = self
                    .client
                    .tell_output(&self.identity.token, *command_id, &chunk)
                    .await;
                // The result carries everything once more.
                if told.is_err() {
                    return;
                }
            }
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(2_000).collect()
}
