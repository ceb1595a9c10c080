//! Telling the open consoles that endpoints have sent something. Not in the transactions that store it: a notice takes a lock that all others wait
//! for until the commit is on disk, and at a fleet's pace nobody could read a notice for each check-in.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sg_db::monitoring::announce_metrics;
use sg_types::AgentId;
use tokio::sync::Notify;

use crate::AppState;

/// Time between notices: what comes meanwhile is told together.
const PAUSE: Duration = Duration::from_millis(200);

/// Endpoints that nobody was told of yet, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct News {
    waiting: Mutex<Vec<AgentId>>,
    arrived: Notify,
}

impl News {
    /// Says that these endpoints have sent something that is stored.
    pub(super) fn add(&self, agents: impl IntoIterator<Item = AgentId>) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(agents);
        self.arrived.notify_one();
    }

    fn take(&self) -> Vec<AgentId> {
        let mut agents = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let mut seen = HashSet::with_capacity(agents.len());
        agents.retain(|agent| seen.insert(*agent));
        agents
    }
}

/// Tells what there is to tell, until everything stops. News that the database did not take are lost, as are those of a node that dies: the next
/// check-in makes new ones, and a console that was cut off looks at everything anew.
pub(super) async fn tell(state: AppState) -> anyhow::Result<()> {
    let stop = state.supervisor.stop_token();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = state.ingest.news.arrived.notified() => {}
        }
        let agents = state.ingest.news.take();
        if !agents.is_empty() {
            let mut tx = state.db.system("ingest-news").await?;
            announce_metrics(&mut tx, &agents).await?;
            tx.commit_upkeep().await?;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
