//! Values for `expand`: each tenant's own, and in force as soon as they are set.

use serde_json::{Value, json};
use sg_types::agent::{RulePackage, SignedRules};
use sg_types::api::Page;
use sg_types::api::agents::EventsReport;
use sg_types::api::rules::PlaceholderView;
use sg_types::{Role, TenantId};

use crate::fleet::{TestAgent, TestCaller, TestServer};

const PATH: &str = "/api/v1/threats/placeholders";
const RULE: &str = "title: Not an admin\nid: not-an-admin\nlevel: high\nlogsource:\n    product: acme\ndetection:\n    sel:\n        act: delete\n    \
     admins:\n        User|expand: '%admins%'\n    condition: sel and not admins\n";

async fn set(server: &TestServer, who: &TestCaller, name: &str, values: &[&str]) -> crate::fleet::Response {
    server
        .post(who, PATH, json!({ "name": name, "values": values }))
        .await
}

async fn add(server: &TestServer, who: &TestCaller) -> crate::fleet::Response {
    server
        .post(
            who,
            "/api/v1/threats/rules",
            json!({ "kind": "sigma", "text": RULE }),
        )
        .await
}

/// How many rules match when `user` deletes something.
async fn matches(server: &TestServer, who: &TestCaller, user: &str) -> i64 {
    let line = json!({ "logsource": { "product": "acme" }, "fields": { "act": "delete", "User": user } })
        .to_string();
    let headers = [("content-type", "application/x-ndjson"), ("x-unused", "x")];
    let (_, token) = server
        .key(
            TenantId::DEFAULT,
            who.user_id,
            &[sg_types::api::users::KeyScope::Events],
        )
        .await;
    let answer = server
        .send_raw(
            "POST",
            "/api/v1/agents/events?source=acme",
            &token,
            &headers,
            line.into(),
        )
        .await;
    answer.expect::<EventsReport>(200).matches
}

#[tokio::test]
async fn a_rule_is_in_force_once_its_placeholder_has_a_value() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let other = server.caller(server.tenant("other").await, Role::Admin).await;
    let refused = add(&server, &admin).await.refused(422, "invalid_body");
    assert_eq!(refused["errors"][0]["code"], "D015", "{refused}");

    let view: PlaceholderView = set(&server, &admin, "admins", &["anna", "svc-*"])
        .await
        .expect(200);
    assert_eq!(view.values, ["anna", "svc-*"]);
    add(&server, &admin).await.expect::<Value>(201);
    assert_eq!(matches(&server, &admin, "eve").await, 1);
    assert_eq!(matches(&server, &admin, "svc-backup").await, 0);
    let _: PlaceholderView = set(&server, &admin, "admins", &["eve"]).await.expect(200);
    assert_eq!(matches(&server, &admin, "eve").await, 0, "at once");
    assert_eq!(matches(&server, &admin, "anna").await, 1);

    // Agents get the values with the rules, under their signature.
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let signed: SignedRules = server
        .send("GET", "/agent/v1/rules", &agent.token, None)
        .await
        .expect(200);
    let package: RulePackage = serde_json::from_str(&signed.package).unwrap();
    assert_eq!(package.placeholders["admins"], ["eve"]);

    // Another tenant has its own, and none yet.
    let theirs: Page<PlaceholderView> = server.get(&other, PATH).await.expect(200);
    assert_eq!(theirs.items, []);
    add(&server, &other).await.refused(422, "invalid_body");
    assert_eq!(
        server
            .send("DELETE", &format!("{PATH}/admins"), &other.token, None)
            .await
            .status,
        404
    );

    // What a rule needs stays, and what would break one is not taken.
    let gone = server
        .send("DELETE", &format!("{PATH}/admins"), &admin.token, None)
        .await;
    gone.refused(409, "placeholder_in_use");
    let many: Vec<String> = (0..500).map(|n| format!("%x%user-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    set(&server, &admin, "admins", &many).await.expect::<Value>(200);
    let rule = "/api/v1/threats/rules/not-an-admin?reason=over";
    assert!(
        server
            .send("DELETE", rule, &admin.token, None)
            .await
            .status
            .is_success()
    );
    let gone = server
        .send("DELETE", &format!("{PATH}/admins"), &admin.token, None)
        .await;
    assert_eq!(gone.status, 204);
    let events = "select count(*) from audit.events where action like 'placeholder.%'";
    assert_eq!(server.count(events).await, 4);
}

#[tokio::test]
async fn values_that_would_break_a_rule_are_refused() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    set(&server, &admin, "a", &["x"]).await.expect::<Value>(200);
    set(&server, &admin, "b", &["y"]).await.expect::<Value>(200);
    let text = RULE.replace("%admins%", "%a%-%b%");
    let body = json!({ "kind": "sigma", "text": text });
    server
        .post(&admin, "/api/v1/threats/rules", body)
        .await
        .expect::<Value>(201);
    let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    set(&server, &admin, "a", &many).await.expect::<Value>(200);
    let refused = set(&server, &admin, "b", &many)
        .await
        .refused(422, "invalid_body");
    assert!(refused.to_string().contains("D020"), "{refused}");
    let kept: Page<PlaceholderView> = server.get(&admin, PATH).await.expect(200);
    assert_eq!(kept.items[1].values, ["y"]);
}

#[tokio::test]
async fn what_is_no_placeholder_is_refused_and_people_without_the_right_too() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let user = server.caller(TenantId::DEFAULT, Role::User).await;
    set(&server, &user, "admins", &["x"])
        .await
        .refused(403, "missing_permission");
    server.get(&user, PATH).await.refused(403, "missing_permission");
    let long = "x".repeat(501);
    for (name, values) in [
        ("", vec!["x"]),
        ("..", vec!["x"]),
        ("a b", vec!["x"]),
        ("ä", vec!["x"]),
        (&"n".repeat(101), vec!["x"]),
        ("a", vec![]),
        ("a", vec![""]),
        ("a", vec!["x\ny"]),
        ("a", vec![&long]),
        ("a", vec!["x"; 501]),
    ] {
        let refused = set(&server, &admin, name, &values).await;
        assert_eq!(refused.status, 422, "{name} {values:.3?}");
    }
    assert_eq!(server.count("select count(*) from threats.placeholders").await, 0);
}
