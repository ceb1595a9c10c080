//! Each kind of channel, to a receiver of its kind.

use sg_db::monitoring::{clear_alert, raise_alert};
use sg_types::api::notifications::{DeliveryAttempt, NotificationOutcome};

use super::receiver::{Answer, SyslogServer};
use super::*;
use crate::recovery::Sink;

async fn with_mail() -> (Scene, Sink) {
    let sink = Sink::start().await;
    let server = TestServer::start_with(|config| sink.configure(&mut config.mail)).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let scene = Scene {
        server,
        admin,
        agent,
        receiver: Receiver::start().await,
    };
    (scene, sink)
}

#[tokio::test]
async fn mail_goes_to_everybody_and_comes_again_with_the_same_message_id() {
    let (mut scene, sink) = with_mail().await;
    let target = json!({ "kind": "email", "addresses": ["ada@example.org", "bea@example.org"] });
    scene.channel("mail", target).await;
    sink.answer_with(&[451]);
    scene.incident("miner", "critical", "/tmp/xmrig").await;
    scene
        .wait_for_log("", |log| log.iter().any(|one| one.attempts.len() == 1))
        .await;
    let log = scene.log("").await;
    assert_eq!(
        (log[0].attempts[0].answer_code, log[0].outcome),
        (Some(451), None)
    );
    scene.advance(30);
    scene.settle().await;
    let mails = sink.take();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.to, ["ada@example.org", "bea@example.org"]);
    assert!(mail.encrypted);
    assert_eq!(
        mail.header("Subject"),
        "[SecureGuard] Critical incident on web-1: Rule miner: /tmp/xmrig"
    );
    let id = format!("<{}@example.org>", log[0].notification_id);
    assert_eq!(mail.header("Message-ID"), id);
    let threat = log[0].threat_id.unwrap();
    for line in [
        "Severity: critical",
        "Endpoint: web-1",
        "Rule: Rule miner",
        &format!("http://localhost/threats/{threat}"),
    ] {
        assert!(
            mail.text.contains(&format!("\n{line}\n")),
            "{line}: {}",
            mail.text
        );
    }
    for bad in [
        json!([]),
        json!(["no address"]),
        json!(["a@b.c\r\nBcc: evil@example.org"]),
        json!(vec!["a@b.c"; 21]),
    ] {
        let body = json!({ "name": "bad", "target": { "kind": "email", "addresses": bad } });
        assert_eq!(scene.server.post(&scene.admin, CHANNELS, body).await.status, 422);
    }
}

#[tokio::test]
async fn slack_gets_text_with_a_link() {
    let mut scene = Scene::start().await;
    scene
        .channel(
            "slack",
            json!({ "kind": "slack", "url": scene.receiver.url("/services/x") }),
        )
        .await;
    scene.incident("miner", "high", "/tmp/xmrig").await;
    let posted = scene.receiver.wait_for(1).await;
    assert_eq!(posted[0].header("content-type"), "application/json");
    let text = posted[0].json()["text"].as_str().unwrap().to_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "High incident on `web-1`: `Rule miner: /tmp/xmrig`");
    assert!(
        lines.contains(&"Severity: `high`") && lines.contains(&"Rule: `Rule miner`"),
        "{text}"
    );
    assert!(
        lines.last().unwrap().starts_with("<http://localhost/threats/"),
        "{text}"
    );
}

#[tokio::test]
async fn pagerduty_opens_raises_and_resolves_under_one_key() {
    let mut scene = Scene::start().await;
    let target = json!({ "kind": "pagerduty", "routing_key": "R0123456789", "url": scene.receiver.url("/v2/enqueue") });
    scene.channel("pager", target).await;
    scene.incident("miner", "high", "/tmp/xmrig").await;
    let first = scene.receiver.wait_for(1).await[0].json();
    assert_eq!(
        (&first["routing_key"], &first["event_action"]),
        (&json!("R0123456789"), &json!("trigger"))
    );
    let payload = &first["payload"];
    assert_eq!(
        (&payload["severity"], &payload["source"]),
        (&json!("error"), &json!("web-1"))
    );
    assert_eq!(
        payload["summary"],
        "High incident on web-1: Rule miner: /tmp/xmrig"
    );
    scene.incident("worse", "critical", "/tmp/xmrig").await;
    let second = scene.receiver.wait_for(2).await[1].json();
    assert_eq!(
        (&second["dedup_key"], &second["payload"]["severity"]),
        (&first["dedup_key"], &json!("critical"))
    );
    scene.settle().await;
    let threat = scene.log("").await[0].threat_id.unwrap();
    let path = format!("/api/v1/threats/incidents/{threat}");
    let closed = json!({ "status": "resolved", "resolution_notes": "cleaned" });
    let answer = scene
        .server
        .patch(&scene.admin, &path, json!({ "status": "investigating" }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = scene.server.patch(&scene.admin, &path, closed).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let third = scene.receiver.wait_for(3).await[2].json();
    assert_eq!(
        third,
        json!({ "routing_key": "R0123456789", "event_action": "resolve", "dedup_key": first["dedup_key"] })
    );
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(scene.receiver.all().len(), 3, "resolved once");
}

#[tokio::test]
async fn pagerduty_triggers_again_under_the_same_key_what_is_open_again() {
    let mut scene = Scene::start().await;
    let target = json!({ "kind": "pagerduty", "routing_key": "R0123456789", "url": scene.receiver.url("/") });
    scene.channel("pager", target).await;
    let told = async |scene: &Scene, number: usize| {
        let body = scene.receiver.wait_for(number).await[number - 1].json();
        (
            body["event_action"].as_str().unwrap().to_owned(),
            body["dedup_key"].as_str().unwrap().to_owned(),
        )
    };
    // The database's clock, by which what is opened again is told, goes on while this one stands.
    scene.advance(300);
    scene.incident("miner", "high", "/tmp/xmrig").await;
    let (action, key) = told(&scene, 1).await;
    assert_eq!(action, "trigger");
    scene.settle().await;
    let threat = scene.log("").await[0].threat_id.unwrap();
    let path = format!("/api/v1/threats/incidents/{threat}");
    let become_ = async |scene: &Scene, status: &str| {
        let answer = scene
            .server
            .patch(&scene.admin, &path, json!({ "status": status }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    // Twice, since each time has to be told.
    for turn in 0..2 {
        scene.advance(2);
        become_(&scene, "resolved").await;
        assert_eq!(
            told(&scene, 2 + 2 * turn).await,
            ("resolve".to_owned(), key.clone())
        );
        become_(&scene, "investigating").await;
        assert_eq!(
            told(&scene, 3 + 2 * turn).await,
            ("trigger".to_owned(), key.clone())
        );
    }
    let last = scene.receiver.all().last().unwrap().json();
    assert_eq!(
        last["payload"]["summary"],
        "The incident on web-1 is open again (investigating): Rule miner: /tmp/xmrig"
    );

    // An alert that fires again is another row, and the same thing to the receiver; another subject is another thing.
    let subject = async |scene: &Scene, subject: &str, fires: bool| {
        let (state, now) = (&scene.server.state, scene.server.state.now());
        let mut tx = state.db.system("test").await.unwrap();
        if fires {
            raise_alert(&mut tx, TenantId::DEFAULT, "account_lockouts", subject, 6.0, now)
                .await
                .unwrap();
        } else {
            clear_alert(&mut tx, TenantId::DEFAULT, "account_lockouts", subject, now)
                .await
                .unwrap();
        }
        tx.commit_upkeep().await.unwrap();
    };
    scene.advance(61);
    subject(&scene, "one", true).await;
    let (_, alert) = told(&scene, 6).await;
    assert_ne!(alert, key);
    for (number, (fires, action)) in [(false, "resolve"), (true, "trigger"), (false, "resolve")]
        .into_iter()
        .enumerate()
    {
        subject(&scene, "one", fires).await;
        assert_eq!(told(&scene, 7 + number).await, (action.to_owned(), alert.clone()));
    }
    subject(&scene, "two", true).await;
    assert_ne!(told(&scene, 10).await.1, alert);
}

/// The end waits for the beginning: one that overtakes it would leave the receiver with something that is open for ever.
#[tokio::test]
async fn an_end_does_not_overtake_a_beginning_that_has_to_be_tried_again() {
    let scene = Scene::start().await;
    for (name, target) in [
        (
            "pager",
            json!({ "kind": "pagerduty", "routing_key": "R0123456789", "url": scene.receiver.url("/") }),
        ),
        (
            "slack",
            json!({ "kind": "slack", "url": scene.receiver.url("/") }),
        ),
    ] {
        let channel = scene.channel(name, target).await.channel.channel_id;
        let path = format!("{CHANNELS}/{channel}");
        scene.receiver.answer_with(&[Answer::Status(503)]);
        if name == "slack" {
            scene
                .route(json!({ "name": "Alerts too", "channel_id": channel, "source": "alert", "min_severity": "low" }))
                .await;
        }
        let change = async |fires: bool| {
            let (state, now) = (&scene.server.state, scene.server.state.now());
            let mut tx = state.db.system("test").await.unwrap();
            if fires {
                raise_alert(&mut tx, TenantId::DEFAULT, "account_lockouts", "", 6.0, now)
                    .await
                    .unwrap();
            } else {
                clear_alert(&mut tx, TenantId::DEFAULT, "account_lockouts", "", now)
                    .await
                    .unwrap();
            }
            tx.commit_upkeep().await.unwrap();
        };
        change(true).await;
        scene.receiver.wait_for(1).await;
        scene
            .wait_for_log("&waiting=true", |log| {
                log.iter().any(|one| one.attempts.len() == 1)
            })
            .await;
        scene.advance(1);
        change(false).await;
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        assert_eq!(scene.receiver.all().len(), 1, "{name}: the end waits");
        scene.advance(30);
        scene.receiver.wait_for(3).await;
        scene.settle().await;
        let causes: Vec<_> = scene
            .log("&outcome=sent")
            .await
            .into_iter()
            .map(|one| (one.finished_at, one.cause))
            .collect();
        assert_eq!(causes.len(), 2, "{causes:?}");
        let bodies: Vec<String> = scene
            .receiver
            .take()
            .iter()
            .map(|one| one.json().to_string())
            .collect();
        let (first, last) = match name {
            "pager" => ("trigger", "resolve"),
            _ => ("is firing", "is over"),
        };
        assert!(
            bodies[0] == bodies[1] && bodies[1].contains(first) && bodies[2].contains(last),
            "{bodies:?}"
        );
        assert_eq!(
            scene
                .server
                .send("DELETE", &path, &scene.admin.token, None)
                .await
                .status,
            204
        );
    }
}

#[tokio::test]
async fn pagerduty_resolves_a_digest_when_all_of_it_is_over() {
    let mut scene = Scene::start().await;
    let target = json!({ "kind": "pagerduty", "routing_key": "R0123456789", "url": scene.receiver.url("/") });
    let body = json!({ "name": "pager", "per_minute": 1, "target": target });
    scene
        .server
        .post(&scene.admin, CHANNELS, body)
        .await
        .expect::<ChannelSaved>(201);
    let now = scene.server.state.now();
    let records: Vec<Value> = (0..3)
        .map(|number| finding(now, "worm", "high", &format!("/tmp/{number}")))
        .collect();
    scene.agent.send(&scene.server, &records).await;
    let first = scene.receiver.wait_for(1).await[0].json();
    assert_eq!(first["payload"]["summary"], "3 more incidents: 3 high");
    scene.settle().await;
    for one in scene.log("&outcome=merged").await {
        assert_eq!(scene.receiver.all().len(), 1);
        scene.advance(61);
        let path = format!("/api/v1/threats/incidents/{}", one.threat_id.unwrap());
        let answer = scene
            .server
            .patch(&scene.admin, &path, json!({ "status": "false_positive" }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        tokio::time::sleep(Duration::from_millis(1_300)).await;
    }
    let second = scene.receiver.wait_for(2).await[1].json();
    assert_eq!(
        (&second["event_action"], &second["dedup_key"]),
        (&json!("resolve"), &first["dedup_key"])
    );
}

#[tokio::test]
async fn syslog_gets_json_and_cef_over_tls_tcp_and_udp() {
    let mut scene = Scene::start().await;
    let (tls, tcp, udp) = (
        SyslogServer::tls().await,
        SyslogServer::tcp().await,
        SyslogServer::udp().await,
    );
    let port = tls.address.port();
    let first = scene
        .channel("tls", json!({ "kind": "syslog", "address": format!("tls://localhost:{port}"), "format": "json", "ca_pem": tls.certificate }))
        .await;
    for (name, address, format) in [
        ("tcp", format!("tcp://{}", tcp.address), "cef"),
        ("udp", format!("udp://{}", udp.address), "cef"),
    ] {
        let made = scene
            .channel(
                name,
                json!({ "kind": "syslog", "address": address, "format": format }),
            )
            .await;
        scene.route(every_incident(name, made.channel.channel_id)).await;
    }
    scene.incident("miner", "critical", "/tmp/xmrig").await;
    let message = tls.wait_for(1).await.remove(0);
    let (head, json) = message.split_once('\u{feff}').unwrap();
    // Facility 14, severity 2.
    assert!(
        head.starts_with("<114>1 20") && head.ends_with(" secureguard - incident.opened - "),
        "{head}"
    );
    let body: Value = serde_json::from_str(json).unwrap();
    assert_eq!(body["data"]["incident"]["title"], "Rule miner: /tmp/xmrig");
    for server in [&tcp, &udp] {
        let message = server.wait_for(1).await.remove(0);
        let (head, cef) = message.split_once('\u{feff}').unwrap();
        assert!(head.starts_with("<114>1 20"), "{head}");
        let fields: Vec<&str> = cef.splitn(8, '|').collect();
        assert_eq!(
            (fields[0], fields[1], fields[4], fields[5], fields[6]),
            (
                "CEF:0",
                "SecureGuard",
                "incident.opened",
                "Critical incident on web-1: Rule miner: /tmp/xmrig",
                "10"
            )
        );
        assert!(
            fields[7].contains("dvchost=web-1 ") && fields[7].contains(" cs1=http://localhost/threats/"),
            "{cef}"
        );
    }
    scene.settle().await;
    assert_eq!(scene.log("&outcome=sent").await.len(), 3);

    // A server that proves to be somebody else gets nothing.
    let impostor = SyslogServer::tls().await;
    let port = impostor.address.port();
    let path = format!("{CHANNELS}/{}", first.channel.channel_id);
    let target = json!({ "kind": "syslog", "address": format!("tls://localhost:{port}"), "format": "json", "ca_pem": tls.certificate });
    scene
        .server
        .patch(&scene.admin, &path, json!({ "target": target }))
        .await
        .expect::<ChannelSaved>(200);
    let attempt: DeliveryAttempt = scene
        .server
        .post(&scene.admin, &format!("{path}/test"), json!({}))
        .await
        .expect(200);
    assert!(!attempt.is_delivered && attempt.error.unwrap().contains("not trusted"));
}

#[tokio::test]
async fn https_is_spoken_with_the_authority_that_the_channel_trusts() {
    let mut scene = Scene::start().await;
    let secure = receiver::SecureReceiver::start().await;
    let target = |pem: Option<&str>| json!({ "kind": "webhook", "url": secure.url(), "ca_pem": pem });
    let made = scene.channel("hook", target(None)).await;
    let path = format!("{CHANNELS}/{}", made.channel.channel_id);
    let test: DeliveryAttempt = scene
        .server
        .post(&scene.admin, &format!("{path}/test"), json!({}))
        .await
        .expect(200);
    assert!(!test.is_delivered && test.error.unwrap().contains("not trusted"));
    let change = json!({ "target": target(Some(&secure.certificate)) });
    scene
        .server
        .patch(&scene.admin, &path, change)
        .await
        .expect::<ChannelSaved>(200);
    scene.incident("miner", "critical", "/tmp/xmrig").await;
    scene.settle().await;
    assert_eq!(secure.requests(), 1);
    let log = scene.log("&outcome=sent").await;
    assert_eq!(
        (log.len(), log[0].outcome, log[0].attempts[0].answer_code),
        (1, Some(NotificationOutcome::Sent), Some(204))
    );
}
