//! `/api/v1/audit/events`.

use serde_json::{Value, json};
use sg_server::audit::{Signing, seal};
use sg_types::Role;

use axum::body::Body;
use axum::http::{Method, header};

use super::app::{App, request};

fn actions(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["action"].as_str())
        .collect()
}

#[tokio::test]
async fn who_did_what_is_told_with_the_rows() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let key = app
        .post("/api/v1/users/api-keys", &admin.token, json!({"key_name": "k"}))
        .await;
    let created = app
        .post(
            "/api/v1/users",
            &admin.token,
            json!({"username": "new", "email": "n@x", "role": "user"}),
        )
        .await;
    let events = app.get("/api/v1/audit/events", &admin.token).await;
    assert_eq!(actions(&events.body), ["user.create", "api_key.create"]);
    let event = &events.body["items"][0];
    assert_eq!(event["actor_name"], "admin");
    assert_eq!(event["address"], "127.0.0.1");
    assert_eq!(event["object_id"], created.body["user_id"]);
    assert_eq!(event["request_id"], created.header("x-request-id"));
    let tables: Vec<&str> = event["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["table"].as_str())
        .collect();
    assert!(
        tables.contains(&"users.users") && tables.contains(&"users.memberships"),
        "{tables:?}"
    );
    let text = events.body.to_string();
    assert!(
        !text.contains("argon2") && !text.contains(key.body["key"].as_str().unwrap()),
        "no secret is kept"
    );

    for (query, expected) in [
        ("actor=admin", 2),
        ("actor=nobody", 0),
        ("action=api_key", 1),
        ("action=user.create", 1),
        ("object_kind=user", 1),
        ("address=127.0.0.1", 2),
        ("address=127.0.0.2", 0),
        ("request_id=nothing", 0),
        ("from=2100-01-01T00:00:00Z", 0),
        ("to=2100-01-01T00:00:00Z&limit=1", 1),
    ] {
        let list = app
            .get(&format!("/api/v1/audit/events?{query}"), &admin.token)
            .await;
        assert_eq!(
            list.body["items"].as_array().unwrap().len(),
            expected,
            "{query}: {:?}",
            list.body
        );
    }
    let first = app.get("/api/v1/audit/events?limit=1", &admin.token).await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = app
        .get(
            &format!("/api/v1/audit/events?limit=1&cursor={cursor}"),
            &admin.token,
        )
        .await;
    assert_eq!(actions(&second.body), ["api_key.create"]);
}

#[tokio::test]
async fn failed_sign_ins_are_told_and_other_tenants_are_not() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let stranger = app
        .person(app.new_tenant("south").await, "stranger", Role::Admin)
        .await;
    app.sign_in("admin", "wrong").await;
    let events = app.get("/api/v1/audit/events", &admin.token).await;
    let event = &events.body["items"][0];
    assert_eq!(
        (&event["outcome"], &event["reason"], &event["actor_kind"]),
        (&json!("failure"), &json!("wrong_password"), &json!("anonymous"))
    );
    assert_eq!(
        app.get("/api/v1/audit/events", &stranger.token).await.body["items"],
        json!([])
    );
}

#[tokio::test]
async fn the_state_of_the_chain_is_told() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let made = app
        .post("/api/v1/users/api-keys", &admin.token, json!({"key_name": "k"}))
        .await;
    let by_request = format!("/api/v1/audit/events?request_id={}", made.header("x-request-id"));
    assert_eq!(
        actions(&app.get(&by_request, &admin.token).await.body),
        ["api_key.create"]
    );
    for bad in ["address=nowhere", "address=10.0.0.0/8", "requestid=x"] {
        let answer = app
            .get(&format!("/api/v1/audit/events?{bad}"), &admin.token)
            .await;
        assert!((400..500).contains(&answer.status), "{bad}: {answer:?}");
    }
    let before = app.get("/api/v1/audit/chain", &admin.token).await;
    assert_eq!((before.status, &before.body["position"]), (200, &json!(0)));
    seal(app.state.clone(), Signing::Always).await.unwrap();
    let chain = app.get("/api/v1/audit/chain", &admin.token).await.body;
    assert!(chain["position"].as_i64().unwrap() > 3, "{chain}");
    assert_eq!(chain["position"], chain["checkpoint_position"]);
    assert_eq!(
        chain["key_id"],
        json!(app.state.audit.signer().verifier().key_id())
    );
    assert_eq!((&chain["sinks"], &chain["problems"]), (&json!([]), &json!([])));
    // Another tenant has a chain of its own.
    let other = app
        .person(app.new_tenant("south").await, "stranger", Role::Admin)
        .await;
    assert_eq!(
        app.get("/api/v1/audit/chain", &other.token).await.body["position"],
        json!(0)
    );
    // What waits for its signature for too long is a problem.
    app.post("/api/v1/users/api-keys", &admin.token, json!({"key_name": "l"}))
        .await;
    seal(app.state.clone(), Signing::WhenDue).await.unwrap();
    app.advance(chrono::Duration::seconds(60));
    let late = app.get("/api/v1/audit/chain", &admin.token).await.body;
    assert_eq!(late["problems"], json!(["The newest entries are not signed."]));
}

#[tokio::test]
async fn what_a_caller_may_not_do_is_told_once_a_minute() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let bo = app.person(app.tenant(), "bo", Role::User).await;
    let users = "/api/v1/users";
    for _ in 0..3 {
        assert_eq!(app.get(users, &bo.token).await.status, 403);
    }
    let raise = json!({"username": "x", "email": "x@x", "role": "system_admin"});
    let refused = app.post(users, &admin.token, raise).await;
    assert_eq!(refused.code(), "role_too_high");
    // What asks for a step first is no try at anything, and what does not exist tells nothing.
    app.advance(chrono::Duration::minutes(6));
    let later = app.open_session(admin.user_id, Role::Admin).await;
    app.advance(chrono::Duration::minutes(6));
    let stale = app
        .post(
            "/api/v1/users/roles",
            &later,
            json!({"role": "x", "based_on": "user", "permissions": []}),
        )
        .await;
    assert_eq!(stale.code(), "verification_required");
    assert_eq!(app.get(users, &bo.token).await.status, 403);
    let told = app
        .sql_text(
            "select string_agg(concat_ws(' ', actor_name, object_id, outcome, reason), ', ' order by occurred_at, actor_name)
             from audit.events where action = 'request.refuse'",
        )
        .await;
    assert_eq!(
        told,
        "admin POST /api/v1/users failure role_too_high, bo GET /api/v1/users failure missing_permission, \
         bo GET /api/v1/users failure missing_permission"
    );
    // A foreign site's request is told though nobody knows whose it would have been, and so is a body beyond all measure.
    let forged = request(Method::POST, users)
        .header(header::COOKIE, format!("sg_session={}", bo.token))
        .body(Body::empty())
        .unwrap();
    assert_eq!(app.send(forged).await.code(), "csrf_refused");
    let huge = json!({"key_name": "x".repeat(3_000_000)});
    assert_eq!(
        app.post("/api/v1/users/api-keys", &bo.token, huge).await.code(),
        "too_large"
    );
    let more = app
        .sql_text(
            "select string_agg(concat_ws(' ', coalesce(actor_name, actor_kind), reason), ', ' order by occurred_at, event_id) from audit.events
             where action = 'request.refuse' and reason in ('csrf_refused', 'too_large')",
        )
        .await;
    assert_eq!(more, "anonymous csrf_refused, bo too_large");
    // Somebody else's id, and a reference to it, look as if there were nothing; the log tells that they were asked for.
    let north = app.new_tenant("north").await;
    let theirs = app.person(north, "theirs", Role::User).await;
    let fresh = app.open_session(admin.user_id, Role::Admin).await;
    let path = format!("/api/v1/users/{}", theirs.user_id);
    assert_eq!(
        app.patch(&path, &fresh, json!({"is_active": false})).await.status,
        404
    );
    let broken = request(Method::POST, users)
        .header(header::AUTHORIZATION, format!("Bearer {fresh}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("{"))
        .unwrap();
    assert_eq!(app.send(broken).await.code(), "invalid_json");
    assert_eq!(
        app.get(
            "/api/v1/threats/incidents/00000000-0000-4000-8000-000000000000",
            ""
        )
        .await
        .status,
        401
    );
    let asked = app
        .sql_text(
            "select string_agg(concat_ws(' ', actor_name, object_id, reason), ', ' order by occurred_at, event_id) from audit.events
             where action = 'request.refuse' and reason in ('not_found', 'invalid_json')",
        )
        .await;
    assert_eq!(
        asked,
        "admin PATCH /api/v1/users/{user_id} not_found, admin POST /api/v1/users invalid_json"
    );
    let of_request =
        "select request_id from audit.events where action = 'request.refuse' and reason = 'role_too_high'";
    assert_eq!(app.sql_text(of_request).await, refused.header("x-request-id"));
}
