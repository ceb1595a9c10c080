//! The agents whose question for commands is held open, woken by notifications of the database so that every node hears of every command.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use sg_db::monitoring::AGENTS_CHANNEL;
use sg_types::AgentId;
use tokio::sync::watch;

use crate::AppState;

/// Time between two looks at what the approver root has signed.
const TRUST_REFRESH: Duration = Duration::from_secs(5);

/// The agents that wait. The newest question of an agent counts; an older one is let go.
#[derive(Debug, Default)]
pub struct Waiting(Arc<Mutex<HashMap<AgentId, watch::Sender<u64>>>>);

/// One question's place.
#[derive(Debug)]
pub(super) struct Turn {
    agent_id: AgentId,
    receiver: watch::Receiver<u64>,
    agents: Arc<Mutex<HashMap<AgentId, watch::Sender<u64>>>>,
}

impl Waiting {
    pub(super) fn begin(&self, agent_id: AgentId) -> Turn {
        let (sender, receiver) = watch::channel(0);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(agent_id, sender);
        Turn {
            agent_id,
            receiver,
            agents: self.0.clone(),
        }
    }

    /// Agents that wait at this moment.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn wake(&self, agent_id: AgentId) {
        let agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = agents.get(&agent_id) {
            sender.send_modify(|count| *count += 1);
        }
    }

    fn wake_all(&self) {
        let agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        agents
            .values()
            .for_each(|sender| sender.send_modify(|count| *count += 1));
    }
}

impl Turn {
    /// Waits until there may be a command; false when the agent has asked anew by another connection.
    pub(super) async fn woken(&mut self) -> bool {
        self.receiver.changed().await.is_ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let own = agents
            .get(&self.agent_id)
            .is_some_and(|sender| sender.subscribe().same_channel(&self.receiver));
        if own {
            agents.remove(&self.agent_id);
        }
    }
}

/// Starts the listener. What was missed while the database was away is looked for when it is back.
pub fn spawn(state: &AppState) {
    if state.response.signer.is_none() {
        return;
    }
    let trusting = state.clone();
    state
        .supervisor
        .spawn_periodic("trust set", TRUST_REFRESH, move || {
            let result = trusting.response.trust.refresh();
            async move { result }
        });
    let state = state.clone();
    state
        .supervisor
        .clone()
        .spawn_restarting("commands", move || listen(state.clone()));
}

async fn listen(state: AppState) -> anyhow::Result<()> {
    let stop = state.supervisor.stop_token();
    let mut listener = state.db.listen(AGENTS_CHANNEL).await?;
    state.response.waiting.wake_all();
    loop {
        let notification = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            notification = listener.try_recv() => notification.context("the notifications of the database")?,
        };
        match notification {
            None => state.response.waiting.wake_all(),
            // Any role may send on the channel: it only makes the server look.
            Some(notification) => {
                if let Ok(agent_id) = notification.payload().parse() {
                    state.response.waiting.wake(agent_id);
                }
            }
        }
    }
}
