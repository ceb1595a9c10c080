//! What goes where: rules, tags, endpoints, severities, quiet, silences and escalation.

use sg_types::api::notifications::{NotificationCause, NotificationOutcome, SilenceView};

use super::*;

async fn titles(scene: &Scene, channel: &str) -> Vec<String> {
    scene.settle().await;
    let log = scene.log("&outcome=sent").await;
    let mut titles: Vec<String> = log
        .into_iter()
        .filter(|one| one.channel_name == channel)
        .filter_map(|one| one.title)
        .collect();
    titles.sort();
    titles
}

#[tokio::test]
async fn a_route_is_by_rule_tag_endpoint_and_severity() {
    let mut scene = Scene::start().await;
    let hook = scene.webhook("hook").await.channel.channel_id;
    for route in scene.routes().await {
        let path = format!("{ROUTES}/{}", route.route_id);
        assert_eq!(
            scene
                .server
                .send("DELETE", &path, &scene.admin.token, None)
                .await
                .status,
            204
        );
    }
    let route = scene
        .route(json!({ "name": "One", "channel_id": hook, "source": "incident", "min_severity": "medium", "rules": ["miner"] }))
        .await;
    let path = format!("{ROUTES}/{}", route.route_id);
    scene.incident("miner", "medium", "/tmp/1").await;
    scene.incident("miner", "low", "/tmp/2").await;
    scene.incident("other", "critical", "/tmp/3").await;
    assert_eq!(titles(&scene, "hook").await, ["Rule miner: /tmp/1"]);

    let put = async |scene: &Scene, change: Value| {
        let mut body = every_incident("One", hook);
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let token = scene.admin.token.clone();
        scene
            .server
            .send("PUT", &path, &token, Some(body))
            .await
            .expect::<RouteView>(200);
    };
    put(&scene, json!({ "tags": ["attack.execution"] })).await;
    scene.incident("tagged", "low", "/tmp/4").await;
    put(&scene, json!({ "tags": ["attack.impact"] })).await;
    scene.incident("tagged", "critical", "/tmp/5").await;
    put(&scene, json!({ "agents": [scene.agent.agent_id] })).await;
    scene.incident("here", "low", "/tmp/6").await;
    let mut elsewhere = TestAgent::enrol(&scene.server, &scene.admin, "db-1").await;
    let record = finding(scene.server.state.now(), "there", "critical", "/tmp/7");
    elsewhere.send(&scene.server, &[record]).await;
    put(&scene, json!({ "is_enabled": false })).await;
    scene.incident("off", "critical", "/tmp/8").await;
    // Quiet for an hour: it is in the log, and nobody is told.
    put(
        &scene,
        json!({ "muted_until": scene.server.state.now() + chrono::Duration::hours(1) }),
    )
    .await;
    scene.incident("quiet", "critical", "/tmp/9").await;
    scene.advance(3601);
    scene.incident("loud", "low", "/tmp/10").await;
    assert_eq!(
        titles(&scene, "hook").await,
        [
            "Rule here: /tmp/6",
            "Rule loud: /tmp/10",
            "Rule miner: /tmp/1",
            "Rule tagged: /tmp/4"
        ]
    );
    let silenced = scene.log("&outcome=silenced").await;
    assert_eq!(silenced.len(), 1);
    assert_eq!(silenced[0].title.as_deref(), Some("Rule quiet: /tmp/9"));
    assert_eq!(scene.receiver.all().len(), 4);
    for bad in [
        json!({ "escalate_after_minutes": 5 }),
        json!({ "escalate_after_minutes": 0, "escalate_to": hook }),
        json!({ "source": "alert", "tags": ["x"] }),
        json!({ "rules": vec!["x"; 101] }),
        json!({ "rules": [""] }),
        json!({ "agents": ["x"] }),
        json!({ "min_severity": "loud" }),
        json!({ "muted_until": scene.server.state.now() + chrono::Duration::days(365) }),
        json!({ "name": "" }),
    ] {
        let mut body = every_incident("One", hook);
        for (name, value) in bad.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = scene.server.post(&scene.admin, ROUTES, body).await;
        assert_eq!(answer.status, 422, "{bad}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_several_routes_lead_to_one_channel_is_told_once() {
    let mut scene = Scene::start().await;
    let hook = scene.webhook("hook").await.channel.channel_id;
    for number in 0..3 {
        scene.route(every_incident(&format!("r{number}"), hook)).await;
    }
    scene.incident("miner", "critical", "/tmp/1").await;
    scene.settle().await;
    assert_eq!(scene.receiver.wait_for(1).await.len(), 1);
    assert_eq!(scene.log("").await.len(), 1);
}

#[tokio::test]
async fn a_silence_mutes_what_it_says_until_it_ends() {
    let mut scene = Scene::start().await;
    let hook = scene.webhook("hook").await.channel.channel_id;
    scene.route(every_incident("All", hook)).await;
    let manager = scene.server.caller(TenantId::DEFAULT, Role::Manager).await;
    let hour = scene.server.state.now() + chrono::Duration::hours(1);
    let silence = async |scene: &Scene, mut body: Value| {
        body["reason"] = json!("maintenance");
        body["expires_at"] = json!(hour);
        scene
            .server
            .post(&manager, SILENCES, body)
            .await
            .expect::<SilenceView>(201)
    };
    let by_rule = silence(&scene, json!({ "rule": "noisy" })).await;
    silence(&scene, json!({ "max_severity": "low" })).await;
    let host = silence(
        &scene,
        json!({ "agent_id": scene.agent.agent_id, "rule": "host", "max_severity": "high" }),
    )
    .await;
    assert_eq!(
        (host.hostname.as_deref(), host.owner_id),
        (Some("web-1"), Some(manager.user_id))
    );
    scene.incident("noisy", "critical", "/tmp/1").await;
    scene.incident("fine", "low", "/tmp/2").await;
    scene.incident("host", "high", "/tmp/3").await;
    scene.incident("host", "critical", "/tmp/4").await;
    scene.incident("fine", "medium", "/tmp/5").await;
    assert_eq!(
        titles(&scene, "hook").await,
        ["Rule fine: /tmp/5", "Rule host: /tmp/4"]
    );
    assert_eq!(scene.log("&outcome=silenced").await.len(), 3);

    // What is found beside what is muted is told.
    scene.incident("noisy", "high", "/tmp/beside").await;
    scene.incident("fine", "critical", "/tmp/beside").await;
    assert_eq!(
        titles(&scene, "hook").await,
        [
            "Rule fine: /tmp/5",
            "Rule host: /tmp/4",
            "Rule noisy: /tmp/beside"
        ]
    );

    let path = format!("{SILENCES}/{}", by_rule.silence_id);
    for _ in 0..2 {
        let ended: SilenceView = scene
            .server
            .send("DELETE", &path, &manager.token, None)
            .await
            .expect(200);
        assert!(!ended.is_active && ended.ended_at.is_some());
    }
    scene.incident("noisy", "low", "/tmp/6").await;
    scene.incident("noisy", "medium", "/tmp/7").await;
    scene.advance(3601);
    scene.incident("fine", "low", "/tmp/8").await;
    assert_eq!(
        titles(&scene, "hook").await,
        [
            "Rule fine: /tmp/5",
            "Rule fine: /tmp/8",
            "Rule host: /tmp/4",
            "Rule noisy: /tmp/7",
            "Rule noisy: /tmp/beside"
        ]
    );
    let page: Page<SilenceView> = scene.server.get(&manager, SILENCES).await.expect(200);
    assert!(page.items.len() == 3 && page.items.iter().all(|one| !one.is_active));

    let now = scene.server.state.now();
    for bad in [
        json!({ "reason": " ", "expires_at": now + chrono::Duration::hours(1) }),
        json!({ "reason": "x", "expires_at": now - chrono::Duration::hours(1) }),
        json!({ "reason": "x", "expires_at": now + chrono::Duration::days(91) }),
        json!({ "reason": "x" }),
        json!({ "reason": "x", "expires_at": now + chrono::Duration::hours(1), "rule": "" }),
        json!({ "reason": "x", "expires_at": now + chrono::Duration::hours(1), "agent_id": "00000000-0000-4000-8000-000000000000" }),
        json!({ "reason": "x", "expires_at": "+262000-01-01T00:00:00Z" }),
    ] {
        let answer = scene.server.post(&manager, SILENCES, bad.clone()).await;
        assert_eq!(answer.status, 422, "{bad}: {}", answer.body);
    }
    let other = scene
        .server
        .caller(scene.server.tenant("other").await, Role::Admin)
        .await;
    assert_eq!(
        scene
            .server
            .send("DELETE", &path, &other.token, None)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn an_incident_that_nobody_takes_up_goes_to_a_second_channel() {
    let mut scene = Scene::start().await;
    let hook = scene.webhook("hook").await.channel.channel_id;
    let second = scene.webhook("second").await.channel.channel_id;
    let mut body = every_incident("Watch", hook);
    body["escalate_after_minutes"] = json!(15);
    body["escalate_to"] = json!(second);
    scene.route(body).await;
    scene.incident("taken", "high", "/tmp/taken").await;
    scene.incident("left", "high", "/tmp/left").await;
    scene.receiver.wait_for(2).await;
    scene.settle().await;
    let taken = scene
        .log("")
        .await
        .into_iter()
        .find(|one| one.title.as_deref() == Some("Rule taken: /tmp/taken"));
    let path = format!("/api/v1/threats/incidents/{}", taken.unwrap().threat_id.unwrap());
    let answer = scene
        .server
        .patch(&scene.admin, &path, json!({ "status": "investigating" }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    scene.advance(14 * 60);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(scene.receiver.all().len(), 2, "not before its time");
    scene.advance(61);
    let posted = scene.receiver.wait_for(3).await;
    assert_eq!(posted[2].json()["type"], "incident.waiting");
    assert_eq!(
        posted[2].json()["data"]["incident"]["title"],
        "Rule left: /tmp/left"
    );
    scene.advance(3600);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    scene.settle().await;
    assert_eq!(scene.receiver.all().len(), 3, "once");
    let waiting = scene.log("").await;
    let waiting: Vec<_> = waiting
        .iter()
        .filter(|one| one.cause == NotificationCause::IncidentWaiting)
        .collect();
    assert_eq!(
        (waiting.len(), waiting[0].outcome),
        (1, Some(NotificationOutcome::Sent))
    );
    assert_eq!(waiting[0].channel_id, second);
}
