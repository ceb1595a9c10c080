//! From an incident to a receiver: at once, once, again where it fails, and given up in the end.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sg_types::api::monitoring::AlertView;
use sg_types::api::notifications::{NotificationCause, NotificationOutcome};
use sha2::Sha256;

use super::receiver::{Answer, Posted};
use super::*;

fn verify(posted: &Posted, secret: &str) -> bool {
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let (id, time) = (posted.header("webhook-id"), posted.header("webhook-timestamp"));
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(&posted.body);
    let signature = BASE64.encode(mac.finalize().into_bytes());
    posted.header("webhook-signature") == format!("v1,{signature}")
}

#[tokio::test]
async fn a_high_incident_reaches_the_first_channel_within_seconds_signed() {
    let mut scene = Scene::start().await;
    let saved = scene.webhook("hook").await;
    let secret = saved.signing_secret.unwrap();
    scene.server.wait_for_listener().await;
    let began = Instant::now();
    scene.incident("miner", "high", "/tmp/xmrig").await;
    let posted = scene.receiver.wait_for(1).await;
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    let body = posted[0].json();
    assert_eq!(body["type"], "incident.opened");
    let data = &body["data"];
    assert_eq!(
        (&data["severity"], &data["endpoint"]["hostname"]),
        (&json!("high"), &json!("web-1"))
    );
    assert_eq!(data["incident"]["rules"][0]["rule_id"], "miner");
    assert_eq!(data["incident"]["tags"], json!(["attack.execution"]));
    let threat = data["incident"]["threat_id"].as_str().unwrap();
    assert_eq!(data["url"], format!("http://localhost/threats/{threat}"));
    assert!(verify(&posted[0], &secret));
    let mut forged = posted[0].clone();
    forged.body = "{}".into();
    assert!(!verify(&forged, &secret));
    scene.settle().await;
    let log = scene.log("").await;
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].outcome, log[0].cause),
        (Some(NotificationOutcome::Sent), NotificationCause::IncidentOpened)
    );
    assert_eq!(
        (log[0].attempts.len(), log[0].attempts[0].answer_code),
        (1, Some(202))
    );

    // What is below the route's severity, and what only counts up, is told to nobody.
    scene.incident("miner", "high", "/tmp/xmrig").await;
    scene.incident("note", "medium", "/tmp/note").await;
    // The same file as a critical matter is.
    scene.incident("worse", "critical", "/tmp/xmrig").await;
    let posted = scene.receiver.wait_for(2).await;
    assert_eq!(posted[1].json()["type"], "incident.raised");
    assert_eq!(posted[1].json()["data"]["severity"], "critical");
    assert_ne!(posted[0].header("webhook-id"), posted[1].header("webhook-id"));
    scene.settle().await;
    assert_eq!(scene.receiver.all().len(), 2);
}

#[tokio::test]
async fn nothing_is_sent_without_a_channel_and_nothing_that_was_before_it() {
    let mut scene = Scene::start().await;
    scene.incident("miner", "critical", "/tmp/a").await;
    assert!(scene.log("").await.is_empty());
    let first = scene.webhook("hook").await;
    let routes = scene.routes().await;
    assert_eq!(routes.len(), 2);
    assert!(
        routes
            .iter()
            .all(|route| route.channel_id == first.channel.channel_id)
    );
    scene.webhook("second").await;
    assert_eq!(
        scene.routes().await.len(),
        2,
        "the second gets what its routes say"
    );
    scene.incident("miner", "critical", "/tmp/b").await;
    scene.receiver.wait_for(1).await;
    scene.settle().await;
    assert_eq!(scene.receiver.all().len(), 1);
}

#[tokio::test]
async fn what_fails_comes_again_under_the_same_id_later_and_later() {
    let mut scene = Scene::start().await;
    scene.webhook("hook").await;
    scene.receiver.answer_with(&[
        Answer::Status(404),
        Answer::Redirect(scene.receiver.url("/elsewhere")),
        Answer::Wait(429, "300"),
        Answer::Status(500),
    ]);
    scene.incident("miner", "high", "/tmp/a").await;
    // Attempt, and the seconds after which the next one is due: 15, 30, 300 by the receiver's wish.
    for (number, wait) in [(1, 19), (2, 38), (3, 300), (4, 150)] {
        scene.receiver.wait_for(number).await;
        let log = scene
            .wait_for_log("", |log| log[0].attempts.len() == number)
            .await;
        assert_eq!(log[0].outcome, None, "{log:?}");
        let pause = (log[0].next_attempt_at.unwrap() - scene.server.state.now()).num_seconds();
        assert!((wait / 2 - 2..=wait + 1).contains(&pause), "{number}: {pause}");
        scene.advance(wait);
    }
    let posted = scene.receiver.wait_for(5).await;
    scene.settle().await;
    let first = posted[0].header("webhook-id");
    assert!(posted.iter().all(|one| one.header("webhook-id") == first));
    let log = scene.log("").await;
    let codes: Vec<_> = log[0]
        .attempts
        .iter()
        .rev()
        .map(|attempt| attempt.answer_code)
        .collect();
    assert_eq!(codes, [Some(404), Some(307), Some(429), Some(500), Some(202)]);
    assert_eq!(log[0].outcome, Some(NotificationOutcome::Sent));
}

#[tokio::test]
async fn a_receiver_that_is_away_for_a_day_is_given_up_and_raises_an_alert_that_ends_with_the_next_delivery()
{
    let mut scene = Scene::start().await;
    scene.webhook("hook").await;
    let other = super::receiver::Receiver::start().await;
    let second = scene
        .channel("other", json!({ "kind": "webhook", "url": other.url("/") }))
        .await;
    scene
        .route(json!({ "name": "Alerts too", "channel_id": second.channel.channel_id, "source": "alert", "min_severity": "low" }))
        .await;
    scene.receiver.answer_with(&vec![Answer::Status(503); 60]);
    scene.incident("miner", "high", "/tmp/a").await;
    scene.receiver.wait_for(1).await;
    scene.wait_for_log("", |log| log[0].attempts.len() == 1).await;
    scene.advance(24 * 3600 + 1);
    let log = scene
        .wait_for_log("", |log| {
            log.iter()
                .any(|one| one.outcome == Some(NotificationOutcome::Expired))
        })
        .await;
    assert!(!log.is_empty());
    let told = other.wait_for(1).await;
    let data = &told[0].json()["data"];
    assert_eq!(
        (&data["alert"]["kind"], &data["alert"]["subject"]),
        (&json!("notification_failure"), &json!("hook"))
    );
    let page: Page<AlertView> = scene
        .server
        .get(&scene.admin, "/api/v1/monitoring/alerts?state=firing")
        .await
        .expect(200);
    assert_eq!(page.items.len(), 1);
    // The channel that does not answer is not told about itself.
    assert!(
        scene
            .log("")
            .await
            .iter()
            .all(|one| one.alert_id.is_none() || one.channel_name == "other")
    );

    scene.receiver.forget_answers();
    scene.incident("miner", "high", "/tmp/b").await;
    let told = other.wait_for(2).await;
    assert_eq!(told[1].json()["type"], "alert.resolved");
}

#[tokio::test]
async fn a_receiver_that_refuses_for_good_is_asked_four_times() {
    let mut scene = Scene::start().await;
    scene.webhook("hook").await;
    scene.receiver.answer_with(&vec![Answer::Status(410); 10]);
    scene.incident("miner", "high", "/tmp/a").await;
    for number in 1..=4 {
        scene.receiver.wait_for(number).await;
        scene
            .wait_for_log("", |log| log.iter().any(|one| one.attempts.len() == number))
            .await;
        scene.advance(3600);
    }
    let log = scene.wait_for_log("", |log| log[0].outcome.is_some()).await;
    assert_eq!(log[0].outcome, Some(NotificationOutcome::Refused));
    assert_eq!(scene.receiver.all().len(), 4);
}

#[tokio::test]
async fn a_channel_that_hangs_holds_up_nobody_but_itself() {
    let mut scene = Scene::start().await;
    let hanging = scene.webhook("hanging").await;
    scene.receiver.answer_with(&vec![Answer::Hang; 20]);
    let other = super::receiver::Receiver::start().await;
    let second = scene
        .channel("other", json!({ "kind": "webhook", "url": other.url("/") }))
        .await;
    scene
        .route(every_incident("All", second.channel.channel_id))
        .await;
    for number in 0..5 {
        scene.incident("miner", "high", &format!("/tmp/{number}")).await;
    }
    let began = Instant::now();
    other.wait_for(5).await;
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    assert_eq!(scene.receiver.all().len(), 1, "one at a time for a channel");
    assert_eq!(hanging.channel.name, "hanging");
}

#[tokio::test]
async fn several_nodes_share_the_outbox() {
    let mut scene = Scene::start().await;
    scene.webhook("hook").await;
    for number in 0..8 {
        scene.incident("miner", "high", &format!("/tmp/{number}")).await;
    }
    let senders = (0..4).map(|_| sg_server::jobs::send_notifications(scene.server.state.clone()));
    for result in futures_util::future::join_all(senders).await {
        result.unwrap();
    }
    scene.settle().await;
    let mut ids: Vec<String> = scene
        .receiver
        .all()
        .iter()
        .map(|posted| posted.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids.len(), 8);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8, "each was sent once");
}
