//! Trying rules on stored events, and explaining them.

use chrono::Duration;
use serde_json::{Value, json};
use sg_types::api::rules::{RuleExplanation, RuleTrial};
use sg_types::{Role, TenantId};

use super::{PATH, create, sigma};
use crate::fleet::{TestAgent, TestServer, event, record};

fn process(at: chrono::DateTime<chrono::Utc>, image: &str, user: &str) -> Value {
    record(
        at,
        json!({
            "type": "event", "kind": "process_started", "key": "boot:7:1", "pid": 7, "name": "x", "image": image,
            "command_line": format!("{image} --run"), "user": user, "sha256": "27".repeat(32),
        }),
    )
}

#[tokio::test]
async fn a_trial_tells_what_a_rule_would_have_found() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let other = server.caller(server.tenant("other").await, Role::Admin).await;
    let mut web = TestAgent::enrol(&server, &manager, "web-1").await;
    let mut db = TestAgent::enrol(&server, &manager, "db-1").await;
    let mut stranger = TestAgent::enrol(&server, &other, "their-1").await;
    let now = server.state.now();
    let ago = |days: i64| now - Duration::days(days);
    web.send(
        &server,
        &[
            process(now, "/opt/xmrig", "anna"),
            process(now, "/opt/xmrig", "root"),
            process(now, "/opt/other", "anna"),
            process(ago(2), "/tmp/xmrig", "anna"),
            process(ago(20), "/tmp/xmrig", "anna"),
            event(now, "/tmp/xmrig"),
        ],
    )
    .await;
    db.send(&server, &[process(now, "/opt/xmrig", "eve")]).await;
    stranger
        .send(&server, &[process(now, "/opt/xmrig", "mallory")])
        .await;

    let path = format!("{PATH}/trials");
    let body = json!({ "kind": "sigma", "text": sigma("odd", "xmrig") });
    let trial: RuleTrial = server.post(&manager, &path, body.clone()).await.expect(200);
    assert_eq!(
        (trial.days, trial.events, trial.matches, trial.is_complete),
        (7, 6, 3, true)
    );
    assert_eq!(trial.by_day.len(), 2);
    assert_eq!(
        (trial.by_day[0].day, trial.by_day[0].matches),
        (now.date_naive(), 2)
    );
    let endpoints: Vec<_> = trial
        .endpoints
        .iter()
        .map(|one| (one.hostname.as_deref().unwrap(), one.matches))
        .collect();
    assert_eq!(endpoints, [("web-1", 2), ("db-1", 1)]);
    assert_eq!(trial.examples.len(), 3);
    let example = &trial.examples[0];
    assert!(example.summary.starts_with("/opt/xmrig") && example.explanation.contains("Image"));
    assert_eq!(example.evidence[0]["field"], "Image");
    assert!(
        trial
            .examples
            .iter()
            .all(|one| one.hostname.as_deref() != Some("their-1"))
    );

    let mut month = body.clone();
    month["days"] = json!(30);
    let trial: RuleTrial = server.post(&manager, &path, month).await.expect(200);
    assert_eq!((trial.events, trial.matches), (7, 4));
    let list = format!("value,type\n{},sha256\n", "27".repeat(32));
    let trial: RuleTrial = server
        .post(&manager, &path, json!({ "kind": "indicator", "text": list }))
        .await
        .expect(200);
    assert_eq!(trial.matches, 5, "each program with this content");
    assert_eq!(server.count("select count(*) from threats.rules").await, 0);
}

#[tokio::test]
async fn a_trial_is_bounded_and_refuses_what_it_cannot_tell() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let path = format!("{PATH}/trials");
    let filter = "title: F\nid: f\nlogsource: {product: linux}\nfilter:\n  rules: any\n  a: {User: x}\n  condition: not a\n";
    for body in [
        json!({ "kind": "sigma", "text": sigma("odd", "x"), "days": 31 }),
        json!({ "kind": "sigma", "text": sigma("odd", "x"), "days": 0 }),
        json!({ "kind": "sigma", "text": "title: [" }),
        json!({ "kind": "sigma", "text": filter }),
        json!({ "kind": "yara", "text": "rule a { condition: true }" }),
    ] {
        server
            .post(&manager, &path, body)
            .await
            .refused(422, "invalid_body");
    }
}

#[tokio::test]
async fn an_explanation_names_what_matched_and_what_was_missing() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let other = server.caller(server.tenant("other").await, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &manager, "web-1").await;
    create(&server, &manager, "odd", "xmrig").await;
    let now = server.state.now();
    agent.send(&server, &[process(now, "/opt/xmrig", "root")]).await;
    let shown = server
        .get(
            &manager,
            &format!("/api/v1/agents/endpoints/{}/events", agent.agent_id),
        )
        .await;
    let event_id = shown.body["items"][0]["event_id"].clone();
    let path = format!("{PATH}/explanations");
    let near: RuleExplanation = server
        .post(&manager, &path, json!({ "rule_id": "odd", "event_id": event_id }))
        .await
        .expect(200);
    assert_eq!((near.matched, near.log_source_applies), (false, true));
    let held: Vec<_> = near
        .selections
        .iter()
        .map(|selection| (selection.name.as_str(), selection.matched))
        .collect();
    assert_eq!(held, [("selection", true), ("filter_root", true)]);
    assert!(near.summary.contains("excludes"), "{}", near.summary);

    let subject = |image: &str, user: &str| {
        json!({
            "kind": "process_started", "key": "b:1:1", "pid": 1, "name": "x", "image": image, "command_line": image, "user": user,
        })
    };
    let hit: RuleExplanation = server
        .post(
            &manager,
            &path,
            json!({ "text": sigma("odd", "xmrig"), "event": subject("/opt/xmrig", "anna") }),
        )
        .await
        .expect(200);
    assert!(
        hit.matched && hit.summary.contains("ends with '/xmrig'"),
        "{}",
        hit.summary
    );
    let miss: RuleExplanation = server
        .post(
            &manager,
            &path,
            json!({ "rule_id": "odd", "event": subject("/opt/xmr", "anna") }),
        )
        .await
        .expect(200);
    assert!(
        !miss.matched && miss.summary.contains("Image is '/opt/xmr'"),
        "{}",
        miss.summary
    );
    let file: RuleExplanation = server
        .post(
            &manager,
            &path,
            json!({ "rule_id": "odd", "event": { "kind": "file_written", "path": "/x", "size": 1 } }),
        )
        .await
        .expect(200);
    assert!(!file.matched && !file.log_source_applies);

    for body in [
        json!({}),
        json!({ "rule_id": "odd" }),
        json!({ "rule_id": "odd", "text": "x", "event_id": event_id }),
        json!({ "text": "title: [", "event_id": event_id }),
    ] {
        server
            .post(&manager, &path, body)
            .await
            .refused(422, "invalid_body");
    }
    let foreign = json!({ "text": sigma("odd", "xmrig"), "event_id": event_id });
    server
        .post(&other, &path, foreign)
        .await
        .refused(422, "invalid_body");
}

#[tokio::test]
async fn who_may_not_see_endpoints_sees_no_events_through_rules() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    agent
        .send(&server, &[process(server.state.now(), "/opt/xmrig", "anna")])
        .await;
    let shown = server
        .get(
            &admin,
            &format!("/api/v1/agents/endpoints/{}/events", agent.agent_id),
        )
        .await;
    let event_id = shown.body["items"][0]["event_id"].clone();
    server
        .post(
            &admin,
            "/api/v1/users/roles",
            json!({ "role": "author", "based_on": "manager", "permissions": ["rules_read", "rules_manage"] }),
        )
        .await
        .expect::<Value>(201);
    server
        .patch(
            &admin,
            &format!("/api/v1/users/{}", manager.user_id),
            json!({ "role": "author" }),
        )
        .await
        .expect::<Value>(200);
    for (path, body) in [
        (
            "trials",
            json!({ "kind": "sigma", "text": sigma("odd", "xmrig") }),
        ),
        (
            "explanations",
            json!({ "text": sigma("odd", "xmrig"), "event_id": event_id }),
        ),
    ] {
        server
            .post(&manager, &format!("{PATH}/{path}"), body)
            .await
            .refused(403, "missing_permission");
    }
    create(&server, &manager, "odd", "xmrig").await;
}
