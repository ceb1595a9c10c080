//! Each kind of channel, to a receiver of its kind.

use sg_types::api::notifications::{DeliveryAttempt, NotificationOutcome};

use super::receiver::SyslogServer;
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
