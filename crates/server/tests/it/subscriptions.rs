//! `/api/v1/users/subscription`, `/api/v1/users/plans`, and what limits do to enrolment and to new people.

use chrono::Duration;
use serde_json::{Value, json};
use sg_server::jobs;
use sg_types::agent::EnrolReply;
use sg_types::{Role, TenantId};

use super::app::App;
use super::fleet::{TestAgent, TestServer, enrol_body, metrics};

const OWN: &str = "/api/v1/users/subscription";

fn of(tenant: TenantId) -> String {
    format!("/api/v1/users/tenants/{tenant}/subscription")
}

async fn put(app: &App, token: &str, tenant: TenantId, body: Value) -> super::app::Answer {
    app.call(axum::http::Method::PUT, &of(tenant), token, Some(body))
        .await
}

#[tokio::test]
async fn thirty_enrolments_at_once_leave_as_many_as_the_subscription_allows() {
    let server = TestServer::start_with(|config| {
        config.rate_limits.enrol_per_address_burst = 100_000.try_into().unwrap();
    })
    .await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut first = TestAgent::enrol(&server, &admin, "first").await;
    server
        .sql("update users.subscriptions set max_endpoints = 10")
        .await;
    let hosts: Vec<String> = (0..30).map(|n| format!("host-{n}")).collect();
    let answers = futures_util::future::join_all(hosts.iter().map(|host| {
        let body = enrol_body(host, &sg_db::TokenHash::of(host).to_hex());
        server.post(&admin, "/agent/v1/enrol", body)
    }))
    .await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((taken.len(), refused.len()), (9, 21));
    for answer in refused {
        let body = answer.refused(403, "limit_reached");
        let detail = body["detail"].as_str().unwrap();
        assert!(
            detail.contains("allows 10 endpoints and 10 are in use"),
            "{detail}"
        );
    }
    assert_eq!(server.count("select count(*) from agents.endpoints").await, 10);
    assert_eq!(
        server.count("select count(*) from agents.agent_tokens").await,
        10,
        "a refused host gets no token"
    );

    // Whoever is there goes on, and is known again when it enrols again.
    first.send(&server, &[metrics(server.state.now(), 1.0)]).await;
    let again: EnrolReply = server
        .post(&admin, "/agent/v1/enrol", enrol_body("first", &first.fingerprint))
        .await
        .expect(200);
    assert_eq!(again.agent_id, first.agent_id);

    // One that was taken out of service makes room for another, and then finds none.
    let path = format!("/api/v1/agents/endpoints/{}/decommission", first.agent_id);
    server.post(&admin, &path, json!({})).await.expect::<Value>(200);
    TestAgent::enrol(&server, &admin, "late").await;
    server
        .post(&admin, "/agent/v1/enrol", enrol_body("first", &first.fingerprint))
        .await
        .refused(403, "limit_reached");
}

#[tokio::test]
async fn an_ended_trial_takes_nothing_away() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    server
        .sql(
            "update users.subscriptions set status = 'trial', trial_ends_at = now() + interval '10 days'
            where tenant_id = '00000000-0000-0000-0000-000000000001'",
        )
        .await;
    TestAgent::enrol(&server, &admin, "web-2").await;
    jobs::advance_subscriptions(server.state.clone()).await.unwrap();
    assert_eq!(server.get(&admin, OWN).await.body["status"], "trial");
    server.clock.advance(Duration::days(11));
    for _ in 0..2 {
        jobs::advance_subscriptions(server.state.clone()).await.unwrap();
    }
    let own = server.get(&admin, OWN).await.body;
    assert_eq!(
        (&own["status"], &own["can_grow"]),
        (&json!("suspended"), &json!(false))
    );
    assert_eq!(
        server
            .count("select count(*) from audit.events where action = 'subscription.advance' and reason = 'trial → suspended'")
            .await,
        1
    );
    let body = enrol_body("web-3", &sg_db::TokenHash::of("web-3").to_hex());
    server
        .post(&admin, "/agent/v1/enrol", body)
        .await
        .refused(403, "subscription_inactive");
    let person = json!({"username": "new", "email": "new@example.org", "role": "user"});
    server
        .post(&admin, "/api/v1/users", person)
        .await
        .refused(403, "subscription_inactive");
    // Telemetry is stored, the known host enrols again, incidents are read.
    agent.send(&server, &[metrics(server.state.now(), 1.0)]).await;
    assert_eq!(server.count("select count(*) from agents.system_info").await, 1);
    server
        .post(&admin, "/agent/v1/enrol", enrol_body("web-1", &agent.fingerprint))
        .await
        .expect::<EnrolReply>(200);
    server
        .get(&admin, "/api/v1/threats/incidents")
        .await
        .expect::<Value>(200);
}

#[tokio::test]
async fn a_subscription_is_read_by_its_tenant_and_changed_by_the_installation() {
    let app = App::start().await;
    let north = app.new_tenant("north").await;
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let admin = app.person(north, "north-admin", Role::Admin).await;
    let own = app.get(OWN, &admin.token).await;
    assert_eq!(own.status, 200, "{own:?}");
    assert_eq!(
        (&own.body["plan"], &own.body["limits"], &own.body["usage"]),
        (
            &json!("unlimited"),
            &json!({"endpoints": null, "users": null, "retention_days": 90}),
            &json!({"endpoints": 0, "users": 1})
        )
    );
    let change = json!({"plan": "trial", "status": "trial", "trial_ends_at": app.state.now() + Duration::days(30),
        "own_limits": {"users": 2}, "reason": "signed up"});
    let refused = put(&app, &admin.token, north, change.clone()).await;
    assert_eq!((refused.status, refused.code()), (403, "missing_permission"));
    let changed = put(&app, &chief.token, north, change.clone()).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(
        changed.body["limits"],
        json!({"endpoints": 25, "users": 2, "retention_days": 30})
    );
    assert_eq!(app.get(&of(north), &chief.token).await.body, changed.body);

    let create =
        |name: &str| json!({"username": name, "email": format!("{name}@example.org"), "role": "user"});
    let second = app.post("/api/v1/users", &admin.token, create("second")).await;
    assert_eq!(second.status, 201, "{second:?}");
    let third = app.post("/api/v1/users", &admin.token, create("third")).await;
    assert_eq!((third.status, third.code()), (403, "limit_reached"));
    assert!(
        third.body["detail"]
            .as_str()
            .unwrap()
            .contains("2 users and 2 are in use")
    );
    let path = format!("/api/v1/users/{}", second.body["user_id"].as_str().unwrap());
    app.patch(&path, &admin.token, json!({"is_active": false})).await;
    let third = app.post("/api/v1/users", &admin.token, create("third")).await;
    assert_eq!(third.status, 201, "{third:?}");
    let back = app.patch(&path, &admin.token, json!({"is_active": true})).await;
    assert_eq!((back.status, back.code()), (403, "limit_reached"));

    let history = app.get(&format!("{OWN}/changes"), &admin.token).await.body["items"].clone();
    let history = history.as_array().unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!(
        (
            &history[0]["plan"],
            &history[0]["reason"],
            &history[0]["changed_by"]
        ),
        (&json!("trial"), &json!("signed up"), &json!(chief.user_id))
    );
    assert_eq!(history[1]["plan"], "unlimited");
    let seen = app.get(&format!("{}/changes", of(north)), &chief.token).await;
    assert_eq!(seen.body["items"], json!(history));
    // Told in the audit log of both.
    let audited = "select string_agg(distinct t.slug, ' ' order by t.slug) from audit.events e join users.tenants t using (tenant_id)
        where e.action = 'subscription.change'";
    assert_eq!(app.sql_text(audited).await, "default north");
    let plans = app.get("/api/v1/users/plans", &admin.token).await;
    assert_eq!(plans.body["items"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn nonsense_is_refused_with_a_reason() {
    let app = App::start().await;
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let good = json!({"plan": "team", "status": "active", "reason": "x"});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, field) in [
        (with("plan", json!("free")), "plan"),
        (with("status", json!("trial")), "trial_ends_at"),
        (with("reason", json!(" ")), "reason"),
        (with("reason", json!("x".repeat(501))), "reason"),
        (
            with("own_limits", json!({"endpoints": -1})),
            "own_limits.endpoints",
        ),
        (with("own_limits", json!({"users": -1})), "own_limits.users"),
        (
            with("own_limits", json!({"retention_days": 31})),
            "own_limits.retention_days",
        ),
        (with("period_end", json!("2001-01-01T00:00:00Z")), "period_end"),
        (
            {
                let mut body = with("period_end", json!("2031-01-01T00:00:00Z"));
                body["period_start"] = json!("2031-01-01T00:00:00Z");
                body
            },
            "period_end",
        ),
    ] {
        let answer = put(&app, &chief.token, app.tenant(), body.clone()).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field]), "{body}");
    }
    for body in [
        json!({}),
        with("status", json!("free")),
        with("price", json!(1)),
        with("own_limits", json!({"endpoints": 99_999_999_999_i64})),
        with("trial_ends_at", json!("+300000-01-01T00:00:00Z")),
        json!([]),
    ] {
        let answer = put(&app, &chief.token, app.tenant(), body.clone()).await;
        assert!((400..500).contains(&answer.status), "{body}: {answer:?}");
    }
    for nobody in [TenantId::SYSTEM, TenantId(uuid::Uuid::from_u128(7))] {
        assert_eq!(put(&app, &chief.token, nobody, good.clone()).await.status, 404);
        assert_eq!(app.get(&of(nobody), &chief.token).await.status, 404);
    }
    assert_eq!(
        app.sql_text("select string_agg(distinct plan, ' ') from users.subscription_changes")
            .await,
        "unlimited"
    );
}
