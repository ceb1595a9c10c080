//! From the outbox to the receivers. A notification is claimed, sent and marked, each for itself: a sender that dies in between leaves it to the next
//! one. Channels are served side by side, so that one which does not answer holds up nobody but itself.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sg_db::monitoring::{
    Channel, Claim, ClaimedNotification, Content, Delivered, claim_notification, close_notifications,
    finish_attempt, read_content, sweep_notifications,
};
use sg_types::api::notifications::DeliveryAttempt;
use sg_types::{ChannelId, NotificationId};

use super::deliver::{Refusal, deliver};
use super::letter::Letter;
use super::{console, target, template};
use crate::AppState;

/// Channels that are served at the same time.
const AT_ONCE: usize = 16;
/// Time between looks at what time brings; what happens wakes the sender at once.
const TICK: Duration = Duration::from_secs(1);
/// Looks between two at what receivers have open: incidents stay open for days.
const LOOKS: u32 = 5;
/// Pause after the first failure; doubles with each.
const FIRST_RETRY_SECONDS: u64 = 15;
/// Seconds between two attempts at most.
const LONGEST_RETRY_SECONDS: u64 = 3_600;
/// Times that a notification which the receiver refuses for good is offered: refusals also come from mistakes on its side.
const OFFERS: i32 = 4;
/// Time that deliveries on their way get when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Starts the sender.
pub fn spawn(state: &AppState) {
    let state = state.clone();
    state
        .supervisor
        .clone()
        .spawn_restarting("notifications", move || keep_sending(state.clone()));
}

/// Sends everything that is due, one after the other; returns how many were looked at.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    sweep(&state, true).await?;
    let mut looked_at = 0;
    loop {
        match claim(&state, &BTreeSet::new()).await? {
            Claim::Send(claimed) => work(state.clone(), *claimed).await,
            Claim::Held => {}
            Claim::Nothing => return Ok(looked_at),
        }
        looked_at += 1;
    }
}

async fn keep_sending(state: AppState) -> anyhow::Result<()> {
    let stop = state.supervisor.stop_token();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut on_their_way = FuturesUnordered::new();
    let mut busy: BTreeSet<ChannelId> = BTreeSet::new();
    let mut looks = 0_u32;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = state.notification_waits.notified() => {}
            _ = ticks.tick() => {
                note(sweep(&state, looks.is_multiple_of(LOOKS)).await);
                looks = looks.wrapping_add(1);
            }
            Some(channel_id) = on_their_way.next(), if !on_their_way.is_empty() => {
                busy.remove(&channel_id);
            }
        }
        while on_their_way.len() < AT_ONCE {
            let claimed = match claim(&state, &busy).await {
                Ok(Claim::Send(claimed)) => *claimed,
                Ok(Claim::Held) => continue,
                Ok(Claim::Nothing) => break,
                Err(error) => {
                    note(Err(error));
                    break;
                }
            };
            let channel_id = claimed.channel.channel_id;
            busy.insert(channel_id);
            on_their_way.push(serve(state.clone(), claimed));
        }
    }
    let _ = tokio::time::timeout(GRACE, async { while on_their_way.next().await.is_some() {} }).await;
    Ok(())
}

fn serve(state: AppState, claimed: ClaimedNotification) -> impl Future<Output = ChannelId> + Send {
    let channel_id = claimed.channel.channel_id;
    async move {
        work(state, claimed).await;
        channel_id
    }
}

/// A failure of the database: what is due stays due.
fn note(result: anyhow::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(
            error = format!("{error:#}"),
            "notifications wait for the database"
        );
    }
}

async fn sweep(state: &AppState, closes: bool) -> anyhow::Result<()> {
    let mut tx = state.db.system("notifications").await?;
    sweep_notifications(&mut tx, state.now()).await?;
    if closes {
        close_notifications(&mut tx, state.now()).await?;
    }
    tx.commit_upkeep().await?;
    Ok(())
}

async fn claim(state: &AppState, busy: &BTreeSet<ChannelId>) -> anyhow::Result<Claim> {
    let busy: Vec<ChannelId> = busy.iter().copied().collect();
    let mut tx = state.db.system("notifications").await?;
    let new_id: NotificationId = state.next_id();
    let claim = claim_notification(&mut tx, &busy, new_id, state.now()).await?;
    if !matches!(claim, Claim::Nothing) {
        tx.commit_upkeep().await?;
    }
    Ok(claim)
}

/// Sends one notification. What fails here for want of the database is tried again once the lease is over.
async fn work(state: AppState, claimed: ClaimedNotification) {
    if let Err(error) = send(&state, &claimed).await {
        tracing::warn!(
            notification.id = %claimed.notification_id,
            error = format!("{error:#}"),
            "a notification was not sent; it is tried again"
        );
    }
}

async fn send(state: &AppState, claimed: &ClaimedNotification) -> anyhow::Result<()> {
    let mut tx = state.db.system("notifications").await?;
    let content = read_content(&mut tx, claimed).await?;
    drop(tx);
    // What it told of was erased, and it with that.
    let Some(content) = content else { return Ok(()) };
    let (attempt, refusal) = attempt(state, &claimed.channel, &letter(state, claimed, &content)).await?;
    let delivered = match &refusal {
        None => Delivered::Yes,
        Some(refusal) if refusal.is_permanent && claimed.attempts >= OFFERS => Delivered::Never,
        Some(refusal) => Delivered::Later {
            at: next_attempt(claimed, refusal, state.now()),
            hold: refusal.retry_after.is_some(),
        },
    };
    let mut tx = state.db.system("notifications").await?;
    finish_attempt(&mut tx, claimed, &attempt, delivered, state.now()).await?;
    tx.commit_upkeep().await?;
    tell(claimed, refusal.as_ref());
    Ok(())
}

fn letter(state: &AppState, claimed: &ClaimedNotification, content: &Content) -> Letter {
    Letter::new(claimed, content, console(state))
}

/// One attempt, and why it failed where it did.
pub(super) async fn attempt(
    state: &AppState,
    channel: &Channel,
    letter: &Letter,
) -> anyhow::Result<(DeliveryAttempt, Option<Refusal>)> {
    let secret = target::open(state, channel).await?;
    let started_at = state.now();
    let began = tokio::time::Instant::now();
    let own = template::apply(channel.settings.kind(), &channel.templates, letter);
    let result = deliver(state, &channel.settings, &secret, letter, &own).await;
    let refusal = result.as_ref().err().cloned();
    let attempt = DeliveryAttempt {
        started_at,
        milliseconds: i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX),
        is_delivered: refusal.is_none(),
        answer_code: match (&result, &refusal) {
            (Ok(code), _) => *code,
            (_, Some(refusal)) => refusal.code,
            _ => None,
        },
        error: refusal.as_ref().map(|refusal| refusal.reason.clone()),
        note: own.note,
    };
    Ok((attempt, refusal))
}

/// 15 s, 30 s, 1 min, … 1 h, each up to a quarter more or less, so that many which failed at once do not come back at once; later where the receiver
/// asks for it.
fn next_attempt(claimed: &ClaimedNotification, refusal: &Refusal, now: DateTime<Utc>) -> DateTime<Utc> {
    let doubled = u32::try_from(claimed.attempts - 1).unwrap_or(0).min(16);
    let pause = (FIRST_RETRY_SECONDS << doubled).min(LONGEST_RETRY_SECONDS);
    // The end of a version 7 id is random.
    let chance = u64::from(claimed.notification_id.0.as_bytes()[15].rotate_left(doubled));
    let milliseconds = pause * 750 + pause * 500 * chance / 255;
    let wait = Duration::from_millis(milliseconds).max(refusal.retry_after.unwrap_or_default());
    now + chrono::Duration::from_std(wait).unwrap_or_default()
}

fn tell(claimed: &ClaimedNotification, refusal: Option<&Refusal>) {
    let kind = claimed.channel.settings.kind().as_str();
    let outcome = if refusal.is_none() { "sent" } else { "failed" };
    metrics::counter!("sg_notification_attempts_total", "kind" => kind, "outcome" => outcome).increment(1);
    match refusal {
        None => {
            tracing::debug!(notification.id = %claimed.notification_id, channel.kind = kind, "a notification was sent")
        }
        Some(refusal) => tracing::warn!(
            notification.id = %claimed.notification_id,
            notification.attempts = claimed.attempts,
            channel.id = %claimed.channel.channel_id,
            channel.kind = kind,
            error = refusal.reason,
            "a receiver did not take a notification"
        ),
    }
}
