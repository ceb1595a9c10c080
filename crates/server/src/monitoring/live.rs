//! One listener for each server process, and what each open stream gets to hear of it.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use axum::response::sse::Event;
use futures_util::Stream;
use sg_db::Caller;
use sg_db::monitoring::{Change, LIVE_CHANNEL, Notice, find_changes};
use sg_types::Scope;
use sg_types::api::monitoring::LiveEvent;
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};
use tokio::time::Interval;

use crate::AppState;

/// Changes that a slow reader may be behind; beyond, its stream ends and it looks at everything anew.
const BACKLOG: usize = 1_024;
/// Time between signs of life, at each of which it is checked that the caller may still listen.
const BEAT: Duration = Duration::from_secs(15);

/// What every stream gets to hear.
#[derive(Debug, Clone)]
enum News {
    Change(Change),
    /// Changes may have been missed.
    Lost,
}

/// Hands changes to the open streams.
#[derive(Debug)]
pub struct Live(Sender<News>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

/// Starts the listener. While the database is away it comes back by itself; whatever was missed meanwhile ends the open streams.
pub fn spawn(state: &AppState) {
    let state = state.clone();
    state
        .supervisor
        .clone()
        .spawn_restarting("live-events", move || listen(state.clone()));
}

async fn listen(state: AppState) -> anyhow::Result<()> {
    let stop = state.supervisor.stop_token();
    let mut listener = state.db.listen(LIVE_CHANNEL).await?;
    state.live.tell(News::Lost);
    state.notification_waits.notify_one();
    loop {
        let first = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            notification = listener.try_recv() => notification.context("the notifications of the database")?,
        };
        let Some(first) = first else {
            state.live.tell(News::Lost);
            state.notification_waits.notify_one();
            continue;
        };
        let waiting = std::iter::from_fn(|| listener.next_buffered());
        let notices = std::iter::once(first)
            .chain(waiting)
            .filter_map(|notification| understand(notification.payload()))
            .collect::<Vec<_>>();
        if notices.iter().any(Notice::is_notification) {
            state.notification_waits.notify_one();
        }
        if state.live.0.receiver_count() == 0 {
            continue;
        }
        let mut tx = state.db.system("live-events").await?;
        for change in find_changes(&mut tx, &notices).await? {
            state.live.tell(News::Change(change));
        }
    }
}

/// Any role may send on the channel; what is no notice of ours is left aside.
fn understand(payload: &str) -> Option<Notice> {
    serde_json::from_str(payload)
        .inspect_err(|error| tracing::warn!(error = %error, "a notification was not understood"))
        .ok()
}

impl Live {
    fn tell(&self, news: News) {
        // Without streams there is nobody to tell.
        let _ = self.0.send(news);
    }

    /// What `caller` may hear, until the session or key ends, changes were missed, or the server stops.
    pub fn subscribe(
        &self,
        state: &AppState,
        caller: Caller,
    ) -> impl Stream<Item = Result<Event, Infallible>> + Send + use<> {
        let stream = Subscription {
            receiver: self.0.subscribe(),
            state: state.clone(),
            caller,
            beat: tokio::time::interval(BEAT),
        };
        futures_util::stream::unfold(stream, |mut stream| async move {
            let event = stream.next().await?;
            Some((Ok(event), stream))
        })
    }
}

struct Subscription {
    receiver: Receiver<News>,
    state: AppState,
    caller: Caller,
    beat: Interval,
}

impl Subscription {
    async fn next(&mut self) -> Option<Event> {
        let stop = self.state.supervisor.stop_token();
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                _ = self.beat.tick() => {
                    return self.may_listen().await.then(|| Event::default().comment("alive"));
                }
                news = self.receiver.recv() => match news {
                    Ok(News::Change(change)) => {
                        if self.concerns(&change) {
                            return Event::default().json_data(LiveEvent { kind: change.kind, id: change.id.to_string() }).ok();
                        }
                    }
                    Ok(News::Lost) | Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
                },
            }
        }
    }

    fn concerns(&self, change: &Change) -> bool {
        let own = self.caller.scope == Scope::Own;
        change.tenant == self.caller.tenant_id && (!own || change.owner == Some(self.caller.user_id))
    }

    /// Whether the proof still holds for the role that the stream began with. Asked in a way that does not count as the user's activity.
    async fn may_listen(&self) -> bool {
        self.state.db.read(&self.caller, self.state.now()).await.is_ok()
    }
}
