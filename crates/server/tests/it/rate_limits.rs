//! Limits on requests: kept over nodes, told in headers, and nobody's to lift for themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{Method, header};
use chrono::Duration;
use serde_json::{Value, json};
use sg_types::{Clock, Role, TenantId};

use super::app::{Answer, App, request};

const LIMITS: &str = "/api/v1/users/rate-limits";
const ME: &str = "/api/v1/sessions/current";

/// A server where a minute has just begun.
async fn start() -> App {
    let app = App::start().await;
    let second = app.clock.now().timestamp().rem_euclid(60);
    app.advance(Duration::seconds(61 - second));
    app
}

async fn set(app: &App, token: &str, body: Value) -> Answer {
    app.call(Method::PUT, LIMITS, token, Some(body)).await
}

#[tokio::test]
async fn each_user_has_a_limit_that_the_answers_tell() {
    let app = start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let (ada, bo) = (
        app.person(app.tenant(), "ada", Role::User).await,
        app.person(app.tenant(), "bo", Role::User).await,
    );
    let first = app.get(ME, &ada.token).await;
    assert_eq!(first.header("ratelimit-limit"), "3000");
    assert_eq!(first.header("ratelimit-policy"), "3000;w=60;name=\"user\"");
    let answer = set(&app, &admin.token, json!({"user": 5})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.advance(Duration::minutes(5));
    for n in 0..5 {
        let answer = app.get(ME, &ada.token).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-remaining"), (4 - n).to_string());
        assert_eq!(answer.header("ratelimit-reset"), "59");
    }
    let refused = app.get(ME, &ada.token).await;
    assert_eq!((refused.status, refused.code()), (429, "too_many_requests"));
    assert_eq!(
        (
            refused.header("retry-after"),
            refused.header("ratelimit-remaining")
        ),
        ("59", "0")
    );
    // Another session of the same user is no way around it, another user is not concerned.
    let again = app.open_session(ada.user_id, Role::User).await;
    assert_eq!(app.get(ME, &again).await.status, 429);
    assert_eq!(app.get(ME, &bo.token).await.status, 200);

    app.state
        .quotas
        .flush(&app.state.db, app.clock.now())
        .await
        .unwrap();
    let shown = app.get(LIMITS, &admin.token).await;
    let usage = shown.body["usage"].as_array().unwrap();
    let of = |name: &str| usage.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(
        (&of("ada")["served"], &of("ada")["refused"]),
        (&json!(6), &json!(2))
    );
    assert_eq!(of("bo")["refused"], 0);
    assert_eq!(
        (&usage[0]["kind"], &usage[0]["subject"]),
        (&json!("tenant"), &json!(app.tenant()))
    );
    let limits = shown.body["limits"].as_array().unwrap();
    assert_eq!(
        limits[2],
        json!({"kind": "user", "requests_per_minute": 5, "is_default": false})
    );

    app.advance(Duration::minutes(1));
    assert_eq!(app.get(ME, &ada.token).await.status, 200, "a new minute");
    let admin = app.open_session(admin.user_id, Role::Admin).await;
    assert_eq!(set(&app, &admin, json!({})).await.status, 200);
    app.advance(Duration::minutes(5));
    assert_eq!(app.get(ME, &ada.token).await.header("ratelimit-limit"), "3000");
}

#[tokio::test]
async fn keys_and_tenants_have_theirs() {
    let app = start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let made = app
        .post(
            "/api/v1/users/api-keys",
            &admin.token,
            json!({"key_name": "loader", "scopes": ["api"]}),
        )
        .await;
    let key = made.body["key"].as_str().unwrap();
    assert_eq!(set(&app, &admin.token, json!({"key": 3})).await.status, 200);
    app.advance(Duration::minutes(5));
    let statuses = [
        app.get(ME, key).await,
        app.get(ME, key).await,
        app.get(ME, key).await,
        app.get(ME, key).await,
    ]
    .map(|answer| answer.status);
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(app.get(ME, &admin.token).await.status, 200, "its owner goes on");

    // What protects the installation is set by its administrator, in SQL.
    app.sql(&format!(
        "insert into users.rate_limits (tenant_id, subject_kind, requests_per_minute) values ('{}', 'tenant', 4)",
        app.tenant()
    ))
    .await;
    app.advance(Duration::minutes(5));
    let mut served = 0;
    for token in [
        &admin.token,
        &app.person(app.tenant(), "bo", Role::User).await.token,
    ] {
        for _ in 0..4 {
            served += usize::from(app.get(ME, token).await.status == 200);
        }
    }
    assert_eq!(served, 4, "over all its users");
    let neighbour = app.new_tenant("neighbour").await;
    let other = app.person(neighbour, "other", Role::User).await;
    assert_eq!(
        app.get(ME, &other.token).await.status,
        200,
        "a neighbour is not concerned"
    );
}

#[tokio::test]
async fn a_tenant_neither_limits_its_guests_elsewhere_nor_sees_what_they_do_there() {
    let app = start().await;
    let home = app.person(app.tenant(), "analyst", Role::Manager).await;
    let north = app.new_tenant("north").await;
    let theirs = app.person(north, "theirs", Role::Admin).await;
    app.sql(&format!(
        "insert into users.memberships (tenant_id, user_id, role, expires_at) values ('{north}', '{}', 'manager', now() + interval '1 hour')",
        home.user_id
    ))
    .await;
    assert_eq!(set(&app, &theirs.token, json!({"user": 1})).await.status, 200);
    app.advance(Duration::minutes(5));
    let there = || {
        request(Method::GET, ME)
            .header(header::AUTHORIZATION, format!("Bearer {}", home.token))
            .header("x-secureguard-tenant", north.to_string())
            .body(axum::body::Body::empty())
            .unwrap()
    };
    assert_eq!(app.send(there()).await.status, 200);
    assert_eq!(app.send(there()).await.status, 429);
    for _ in 0..5 {
        assert_eq!(
            app.get(ME, &home.token).await.status,
            200,
            "at home another limit holds"
        );
    }
    app.state
        .quotas
        .flush(&app.state.db, app.clock.now())
        .await
        .unwrap();
    let counted = format!(
        "select string_agg((tenant_id = '{north}')::text || ' ' || served || ' ' || refused, ', ' order by tenant_id = '{north}')
         from users.rate_usage where subject_kind = 'user' and subject = '{}'",
        home.user_id
    );
    assert_eq!(app.sql_text(&counted).await, "false 5 0, true 1 1");
}

#[tokio::test]
async fn a_tenant_does_not_lift_what_limits_it() {
    let app = start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let manager = app.person(app.tenant(), "manager", Role::Manager).await;
    assert_eq!(set(&app, &manager.token, json!({"user": 10})).await.status, 403);
    for body in [
        json!({"user": 0}),
        json!({"user": -1}),
        json!({"key": 30_001}),
        json!({"tenant": 1_000_000}),
        json!({"user": 1.5}),
    ] {
        let refused = set(&app, &admin.token, body).await;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "invalid_body"),
            "{refused:?}"
        );
    }
    // Nor by SQL in an opened context.
    let mut sql = app.db.connect("sg_app").await.unwrap();
    let open = format!(
        "begin; select users.open_context('session', decode('{}', 'hex'), null, now())",
        super::app::hash_hex(&admin.token)
    );
    for attempt in [
        "insert into users.rate_limits (tenant_id, subject_kind, requests_per_minute) values (users.current_tenant(), 'tenant', 1000000)",
        "update users.rate_limit_defaults set requests_per_minute = 1000000",
        "delete from users.rate_usage",
        "select users.reserve_requests('user', 'x', users.current_tenant(), now(), -1000, 0, 0, false)",
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(open.clone()))
            .execute(&mut sql)
            .await
            .unwrap();
        let error = sqlx::raw_sql(attempt).execute(&mut sql).await.unwrap_err();
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .unwrap()
            .into_owned();
        assert_eq!(code, "42501", "{attempt}");
        sqlx::raw_sql("rollback").execute(&mut sql).await.unwrap();
    }
}

#[tokio::test]
async fn an_address_that_tries_tokens_is_slowed_down_before_anybody_is_looked_for() {
    let app = start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    app.sql("update users.rate_limit_defaults set requests_per_minute = 50 where subject_kind = 'address'")
        .await;
    let guess = |n: usize| format!("sgs_{:0>43}", n);
    let mut statuses = Vec::new();
    for n in 0..60 {
        statuses.push(app.get(ME, &guess(n)).await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 50);
    assert_eq!(statuses[50..], [429; 10]);
    assert_eq!(app.get(ME, &ada.token).await.status, 429, "from this address");
    // Nobody is believed who merely says to come from elsewhere.
    let forged = request(Method::GET, ME)
        .header(header::AUTHORIZATION, format!("Bearer {}", ada.token))
        .header("x-forwarded-for", "203.0.113.9")
        .body(axum::body::Body::empty())
        .unwrap();
    assert_eq!(app.send(forged).await.status, 429);
}

#[tokio::test]
async fn several_nodes_together_keep_to_a_limit() {
    const LIMIT: usize = 1_000;
    let app = start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    assert_eq!(set(&app, &admin.token, json!({"user": LIMIT})).await.status, 200);
    app.advance(Duration::minutes(5));
    let nodes: Vec<_> = (0..3).map(|_| app.node_router()).collect();
    let served = Arc::new(AtomicUsize::new(0));
    for round in 0..2 {
        served.store(0, Ordering::Relaxed);
        let clients = (0..12).map(|n| {
            let (router, token, served) = (
                nodes[n % nodes.len()].clone(),
                admin.token.clone(),
                served.clone(),
            );
            async move {
                for _ in 0..150 {
                    let call = request(Method::GET, ME)
                        .header(header::AUTHORIZATION, format!("Bearer {token}"))
                        .body(axum::body::Body::empty())
                        .unwrap();
                    let answer = tower::ServiceExt::oneshot(router.clone(), call).await.unwrap();
                    served.fetch_add(usize::from(answer.status() == 200), Ordering::Relaxed);
                }
            }
        });
        futures_util::future::join_all(clients).await;
        let served = served.load(Ordering::Relaxed);
        assert!(
            (900..=1_100).contains(&served),
            "round {round}: {served} of 1,800 requests at a limit of 1,000"
        );
        app.advance(Duration::minutes(1));
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_counted_later() {
    let app = start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    for _ in 0..3 {
        app.get(ME, &ada.token).await;
    }
    app.sql("alter table users.rate_usage rename to elsewhere").await;
    assert!(
        app.state
            .quotas
            .flush(&app.state.db, app.clock.now())
            .await
            .is_err()
    );
    app.sql("alter table users.elsewhere rename to rate_usage").await;
    app.state
        .quotas
        .flush(&app.state.db, app.clock.now())
        .await
        .unwrap();
    let counted = "select served::text from users.rate_usage where subject_kind = 'user'";
    assert_eq!(app.sql_text(counted).await, "3");
    let address =
        "select tenant_id::text || ' ' || served from users.rate_usage where subject_kind = 'address'";
    assert_eq!(app.sql_text(address).await, format!("{} 3", TenantId::SYSTEM));
}
