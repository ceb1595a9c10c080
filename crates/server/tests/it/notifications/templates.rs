//! Texts in somebody's own words.

use sg_types::api::notifications::{ChannelView, DeliveryAttempt, NotificationOutcome};

use super::*;
use crate::recovery::Sink;

#[tokio::test]
async fn mail_and_slack_are_sent_in_the_channels_own_words() {
    let sink = Sink::start().await;
    let server = TestServer::start_with(|config| sink.configure(&mut config.mail)).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let mut scene = Scene {
        server,
        admin,
        agent,
        receiver: Receiver::start().await,
    };
    let body = json!({ "name": "mail", "target": { "kind": "email", "addresses": ["ada@example.org"] },
        "templates": { "subject": "{{ severity|upper }} {{ endpoint.hostname if endpoint else kind }}",
            "body": "{% for fact in facts %}{{ fact.name }} = {{ fact.value }}\n{% endfor %}{{ url }}" } });
    let mail: ChannelSaved = scene.server.post(&scene.admin, CHANNELS, body).await.expect(201);
    let slack = scene
        .channel(
            "slack",
            json!({ "kind": "slack", "url": scene.receiver.url("/") }),
        )
        .await;
    let path = format!("{CHANNELS}/{}", slack.channel.channel_id);
    let change = json!({ "templates": { "body": "*{{ severity }}* on {{ endpoint.hostname if endpoint else 'no endpoint' }} <{{ url }}|look>" } });
    scene
        .server
        .patch(&scene.admin, &path, change)
        .await
        .expect::<ChannelSaved>(200);
    scene.route(every_incident("Too", slack.channel.channel_id)).await;
    scene.incident("miner", "critical", "/tmp/xmrig").await;
    scene.settle().await;
    let got = sink.take().remove(0);
    assert_eq!(got.header("Subject"), "CRITICAL web-1");
    assert!(
        got.text
            .contains("\nSeverity = critical\nEndpoint = web-1\nRule = Rule miner\n"),
        "{}",
        got.text
    );
    let text = scene.receiver.wait_for(1).await[0].json()["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text.starts_with("*critical* on `web-1` <http://localhost/threats/") && text.ends_with("|look>"),
        "{text}"
    );

    // Each kind of message can be tried, where people read it.
    let test = async |id: ChannelId, sample: &str| {
        let path = format!("{CHANNELS}/{id}/test?sample={sample}");
        scene.server.post(&scene.admin, &path, json!({})).await
    };
    for (sample, subject) in [
        ("test", "LOW test"),
        ("incident", "HIGH test-endpoint"),
        ("alert", "MEDIUM alert.firing"),
        ("digest", "HIGH digest"),
    ] {
        let attempt: DeliveryAttempt = test(mail.channel.channel_id, sample).await.expect(200);
        assert!(attempt.is_delivered && attempt.note.is_none(), "{attempt:?}");
        assert_eq!(sink.take()[0].header("Subject"), subject);
    }
    let hook = scene.webhook("hook").await.channel.channel_id;
    test(hook, "incident").await.refused(400, "invalid_query");
    test(mail.channel.channel_id, "fire")
        .await
        .refused(400, "invalid_query");

    // Back to the standard text.
    let path = format!("{CHANNELS}/{}", mail.channel.channel_id);
    let saved: ChannelSaved = scene
        .server
        .patch(&scene.admin, &path, json!({ "templates": {} }))
        .await
        .expect(200);
    assert_eq!(saved.channel.templates.subject, None);
    test(mail.channel.channel_id, "test")
        .await
        .expect::<DeliveryAttempt>(200);
    assert_eq!(
        sink.take()[0].header("Subject"),
        "[SecureGuard] This is a test message of SecureGuard"
    );
}

#[tokio::test]
async fn a_template_that_fails_when_it_is_sent_gives_way_and_the_log_says_so() {
    let mut scene = Scene::start().await;
    // Right for what it was tried with, and for no real incident.
    let body = json!({ "name": "slack", "target": { "kind": "slack", "url": scene.receiver.url("/") },
        "templates": { "body": "one\n{% if incident %}{{ 1 // (incident.title|length - 23) }}{% endif %}" } });
    let long = "Rule miner: /tmp/xmrig1";
    assert_eq!(long.len(), 23);
    let saved: ChannelSaved = scene.server.post(&scene.admin, CHANNELS, body).await.expect(201);
    scene.incident("miner", "high", "/tmp/xmrig1").await;
    scene.settle().await;
    let text = scene.receiver.wait_for(1).await[0].json()["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text.starts_with("High incident on `web-1`: `Rule miner: /tmp/xmrig1`"),
        "{text}"
    );
    let log = scene.log("&outcome=sent").await;
    assert_eq!((log.len(), log[0].outcome), (1, Some(NotificationOutcome::Sent)));
    let note = log[0].attempts[0].note.clone().unwrap();
    assert!(
        note.starts_with("the template of the body failed, and the standard text was sent: line 2: "),
        "{note}"
    );
    let path = format!("{CHANNELS}/{}", saved.channel.channel_id);
    let view: ChannelView = scene.server.get(&scene.admin, &path).await.expect(200);
    assert_eq!(view.last.unwrap().note, Some(note));
}

/// What somebody may store who wants more than a text.
#[tokio::test]
async fn what_could_not_be_sent_or_would_do_harm_is_refused_with_its_line() {
    let scene = Scene::start().await;
    let slack = json!({ "kind": "slack", "url": scene.receiver.url("/") });
    for (template, part) in [
        ("one\n{{ incident.title".to_owned(), "line 2"),
        ("{{ incident.titel }}".to_owned(), "line 1: undefined value"),
        ("{{ endpoint.hostname }}".to_owned(), "(of a message about test)"),
        ("{% set x = text %}{{ x }}".to_owned(), "there is no tag `set`"),
        ("{{ 'x' * 100000000 }}".to_owned(), "line 1: `*` is not to be had"),
        (
            format!(
                "{}x{}",
                "{% for a in facts %}".repeat(14),
                "{% endfor %}".repeat(14)
            ),
            "line 1",
        ),
        (
            "{% include '/etc/passwd' %}".to_owned(),
            "there is no tag `include`",
        ),
        ("x".repeat(8_001), "at most 8000 bytes"),
        ("a\0b".to_owned(), "NUL"),
    ] {
        let body = json!({ "name": "x", "target": slack, "templates": { "body": template } });
        let began = std::time::Instant::now();
        let answer = scene.server.post(&scene.admin, CHANNELS, body).await;
        assert_eq!(answer.status, 422, "{template}: {}", answer.body);
        let said = answer.body["errors"][0].to_string();
        assert!(
            said.contains("templates.body") && said.contains(part),
            "{template}: {said}"
        );
        assert!(began.elapsed().as_secs() < 5, "{template}");
    }
    for (target, templates) in [
        (slack.clone(), json!({ "subject": "x" })),
        (
            json!({ "kind": "webhook", "url": scene.receiver.url("/") }),
            json!({ "body": "x" }),
        ),
        (slack.clone(), json!({ "title": "x" })),
        (slack, json!("x")),
    ] {
        let body = json!({ "name": "x", "target": target, "templates": templates });
        let answer = scene.server.post(&scene.admin, CHANNELS, body).await;
        assert_eq!(answer.status, 422, "{templates}: {}", answer.body);
    }
    // A signed webhook keeps its body, whoever asks for another one.
    let hook = scene.webhook("hook").await.channel.channel_id;
    let change = json!({ "templates": { "body": "x" } });
    let answer = scene
        .server
        .patch(&scene.admin, &format!("{CHANNELS}/{hook}"), change)
        .await;
    answer.refused(422, "invalid_body");
}
