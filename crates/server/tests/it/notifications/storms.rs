//! Many things at once are few messages.

use sg_db::monitoring::{clear_alert, raise_alert};
use sg_types::api::notifications::{NotificationCause, NotificationOutcome};

use super::receiver::SyslogServer;
use super::*;

#[tokio::test]
async fn a_storm_becomes_single_messages_and_one_digest() {
    let mut scene = Scene::start().await;
    scene.webhook("hook").await;
    let now = scene.server.state.now();
    let records: Vec<Value> = (0..46)
        .map(|number| {
            finding(
                now,
                "worm",
                if number % 2 == 0 { "high" } else { "critical" },
                &format!("/tmp/{number}"),
            )
        })
        .collect();
    scene.agent.send(&scene.server, &records).await;
    let posted = scene.receiver.wait_for(10).await;
    scene.settle().await;
    assert_eq!(scene.receiver.all().len(), 10);
    // The most severe ones go first, on their own.
    assert!(
        posted[..9]
            .iter()
            .all(|one| one.json()["data"]["severity"] == "critical")
    );
    let digest = posted[9].json();
    assert_eq!(digest["type"], "digest");
    assert_eq!(digest["data"]["title"], "37 more incidents: 14 critical, 23 high");
    assert_eq!(digest["data"]["digest"]["total"], 37);
    assert_eq!(digest["data"]["digest"]["some"].as_array().unwrap().len(), 10);
    let log = scene.log("").await;
    assert_eq!(
        log.iter()
            .filter(|one| one.outcome == Some(NotificationOutcome::Merged))
            .count(),
        37
    );
    let digest = log
        .iter()
        .find(|one| one.cause == NotificationCause::Digest)
        .unwrap();
    assert_eq!(
        (digest.merged_count, digest.outcome),
        (37, Some(NotificationOutcome::Sent))
    );
    assert!(
        log.iter()
            .filter(|one| one.outcome == Some(NotificationOutcome::Merged))
            .all(|one| one.digest_id == Some(digest.notification_id))
    );

    // The minute's budget is used up: what comes waits, and comes as one when there is room again.
    for number in 100..105 {
        scene.incident("worm", "high", &format!("/tmp/{number}")).await;
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(scene.receiver.all().len(), 10);
    scene.advance(61);
    scene.receiver.wait_for(15).await;
    scene.settle().await;
    assert_eq!(
        scene.receiver.all().len(),
        15,
        "five have room in the next minute"
    );
}

#[tokio::test]
async fn one_alert_about_many_subjects_is_one_message() {
    let scene = Scene::start().await;
    scene.webhook("hook").await;
    scene
        .server
        .sql("update monitoring.alert_rules set severity = 'high' where kind = 'endpoint_offline'")
        .await;
    let now = scene.server.state.now();
    let mut tx = scene.server.state.db.system("test").await.unwrap();
    for number in 0..40 {
        raise_alert(
            &mut tx,
            TenantId::DEFAULT,
            "endpoint_offline",
            &format!("host-{number}"),
            1.0,
            now,
        )
        .await
        .unwrap();
    }
    raise_alert(&mut tx, TenantId::DEFAULT, "account_lockouts", "", 7.0, now)
        .await
        .unwrap();
    tx.commit_upkeep().await.unwrap();
    scene.receiver.wait_for(2).await;
    scene.settle().await;
    let mut titles: Vec<String> = scene
        .receiver
        .take()
        .iter()
        .map(|posted| posted.json()["data"]["title"].as_str().unwrap().to_owned())
        .collect();
    titles.sort();
    assert_eq!(
        titles,
        [
            "Alert account lockouts is firing",
            "Alert endpoint offline is firing for 40 subjects"
        ]
    );
    // It goes on: nothing more is told.
    let mut tx = scene.server.state.db.system("test").await.unwrap();
    raise_alert(&mut tx, TenantId::DEFAULT, "account_lockouts", "", 8.0, now)
        .await
        .unwrap();
    tx.commit_upkeep().await.unwrap();
    // The end is told to whoever was told of the beginning.
    let mut tx = scene.server.state.db.system("test").await.unwrap();
    clear_alert(&mut tx, TenantId::DEFAULT, "account_lockouts", "", now)
        .await
        .unwrap();
    tx.commit_upkeep().await.unwrap();
    let posted = scene.receiver.wait_for(1).await;
    assert_eq!(posted[0].json()["type"], "alert.resolved");
    assert_eq!(
        posted[0].json()["data"]["title"],
        "Alert account lockouts is over"
    );
    // An alert that is rolled back was never told.
    let mut tx = scene.server.state.db.system("test").await.unwrap();
    raise_alert(&mut tx, TenantId::DEFAULT, "account_lockouts", "", 9.0, now)
        .await
        .unwrap();
    drop(tx);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(scene.receiver.all().len(), 1);
}

#[tokio::test]
async fn whoever_hears_of_many_alerts_in_one_message_hears_when_they_are_over() {
    let scene = Scene::start().await;
    let syslog = SyslogServer::tcp().await;
    let address = format!("tcp://{}", syslog.address);
    let target = json!({ "kind": "syslog", "address": address, "format": "json" });
    let channel = scene.channel("log", target).await.channel.channel_id;
    scene
        .route(json!({ "name": "alerts", "channel_id": channel, "source": "alert", "min_severity": "low" }))
        .await;
    let hosts = ["host-1", "host-2"];
    let (tenant, kind) = (TenantId::DEFAULT, "account_lockouts");
    let now = scene.server.state.now();
    let mut tx = scene.server.state.db.system("test").await.unwrap();
    for host in hosts {
        raise_alert(&mut tx, tenant, kind, host, 7.0, now).await.unwrap();
    }
    tx.commit_upkeep().await.unwrap();
    let began = syslog.wait_for(1).await.remove(0);
    assert!(
        began.contains("Alert account lockouts is firing for 2 subjects"),
        "{began}"
    );
    scene.settle().await;

    // One of them is over: nothing is told. Both are: that is.
    for (host, told) in hosts.into_iter().zip([1, 2]) {
        let mut tx = scene.server.state.db.system("test").await.unwrap();
        let now = scene.server.state.now();
        clear_alert(&mut tx, tenant, kind, host, now).await.unwrap();
        tx.commit_upkeep().await.unwrap();
        tokio::time::sleep(Duration::from_millis(6_500)).await;
        assert_eq!(syslog.wait_for(told).await.len(), told);
    }
    let over = syslog.wait_for(2).await.remove(1);
    assert!(
        over.contains("Over: Alert account lockouts was firing for 2 subjects"),
        "{over}"
    );
}
