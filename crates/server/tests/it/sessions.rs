//! `/api/v1/sessions`.

use axum::body::Body;
use axum::http::{Method, header};
use chrono::Duration;
use serde_json::json;
use sg_types::Role;

use super::app::{App, PASSWORD, request};

#[tokio::test]
async fn a_session_lasts_from_sign_in_to_sign_out() {
    let app = App::start().await;
    app.person(app.tenant(), "ada", Role::Manager).await;
    let answer = app.sign_in("ADA", PASSWORD).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.body["must_change_password"], false);
    let token = answer.body["token"].as_str().unwrap().to_owned();
    let cookie = answer.header("set-cookie");
    assert_eq!(
        cookie,
        format!("sg_session={token}; HttpOnly; SameSite=Strict; Path=/")
    );
    assert_eq!(answer.header("cache-control"), "no-store");

    let me = app.get("/api/v1/sessions/current", &token).await;
    assert_eq!(
        (me.status, &me.body["username"], &me.body["role"]),
        (200, &json!("ada"), &json!("manager"))
    );
    assert_eq!(me.body["tenants"].as_array().unwrap().len(), 1);

    let out = app.delete("/api/v1/sessions/current", &token).await;
    assert_eq!(out.status, 204);
    assert!(
        out.header("set-cookie").ends_with("; Max-Age=0"),
        "{}",
        out.header("set-cookie")
    );
    assert_eq!(app.get("/api/v1/sessions/current", &token).await.status, 401);
    assert_eq!(
        app.sql_text("select end_reason from users.sessions where ended_at is not null")
            .await,
        "signed_out"
    );
}

#[tokio::test]
async fn whoever_cannot_sign_in_learns_nothing() {
    let app = App::start().await;
    for name in ["wrong", "locked", "inactive"] {
        app.person(app.tenant(), name, Role::User).await;
    }
    app.sql(
        "update users.users set account_locked_until = now() + interval '1 hour' where username = 'locked'",
    )
    .await;
    app.sql("update users.users set is_active = false where username = 'inactive'")
        .await;
    let mut answers = Vec::new();
    for (name, password) in [
        ("nobody", PASSWORD),
        ("wrong", "another"),
        ("locked", PASSWORD),
        ("inactive", PASSWORD),
    ] {
        let mut answer = app.sign_in(name, password).await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        answer.body["request_id"].take();
        for changing in ["x-request-id", "date"] {
            answer.headers.remove(changing);
        }
        answers.push((answer.body, answer.headers));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    let outcomes = app
        .sql_text("select string_agg(outcome, ',' order by outcome) from audit.login_attempts")
        .await;
    assert_eq!(outcomes, "inactive,locked,unknown_user,wrong_password");
    let kept = app
        .sql_text("select username_or_digest from audit.login_attempts where outcome = 'unknown_user'")
        .await;
    assert!(
        kept.len() == 64 && kept != super::app::hash_hex("nobody"),
        "what nobody is called is not kept readable: {kept}"
    );
}

#[tokio::test]
async fn never_more_passwords_are_tested_than_the_policy_allows() {
    for parallel in [1_usize, 10, 50] {
        let app = App::start_with(|config| config.passwords.queue = 1_000).await;
        app.person(app.tenant(), "ada", Role::User).await;
        for _ in 0..(60 / parallel).max(1) {
            let guesses = (0..parallel).map(|n| {
                let app = &app;
                async move { app.sign_in("ada", &format!("guess {n}")).await }
            });
            let answers = futures_util::future::join_all(guesses).await;
            assert!(answers.iter().all(|answer| answer.status == 401));
        }
        let tested = app
            .sql_text("select count(*)::text from audit.login_attempts where outcome = 'wrong_password'")
            .await;
        assert_eq!(tested, "5", "{parallel} at a time");
        assert_eq!(
            app.sign_in("ada", PASSWORD).await.status,
            401,
            "locked, right password or not"
        );
        app.advance(Duration::minutes(31));
        assert_eq!(
            app.sign_in("ada", PASSWORD).await.status,
            201,
            "the lock has ended and was not extended"
        );
    }
}

#[tokio::test]
async fn a_success_gives_the_attempts_back() {
    let app = App::start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(app.sign_in("ada", "wrong").await.status, 401);
        }
        assert_eq!(app.sign_in("ada", PASSWORD).await.status, 201);
    }
}

#[tokio::test]
async fn sessions_end_when_idle_and_in_any_case() {
    let app = App::start().await;
    let user = app.person(app.tenant(), "user", Role::User).await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let alive = async |token: &str| app.get("/api/v1/sessions/current", token).await.status == 200;
    app.advance(Duration::minutes(14));
    assert!(alive(&user.token).await && alive(&admin.token).await);
    app.advance(Duration::minutes(16));
    assert!(!alive(&admin.token).await, "idle for more than 15 minutes");
    assert!(alive(&user.token).await);
    app.advance(Duration::minutes(61));
    assert!(!alive(&user.token).await, "idle for more than an hour");

    let busy = app.open_session(user.user_id, Role::User).await;
    for _ in 0..47 {
        app.advance(Duration::minutes(30));
        assert!(alive(&busy).await);
    }
    app.advance(Duration::minutes(31));
    assert!(!alive(&busy).await, "a day has passed");
}

#[tokio::test]
async fn a_session_that_was_planted_is_not_the_one_that_a_sign_in_gives() {
    let app = App::start().await;
    app.person(app.tenant(), "ada", Role::Manager).await;
    let planted = format!("sgs_{}", "a".repeat(43));
    let stranger = app.person(app.tenant(), "stranger", Role::User).await;
    for cookie in [&planted, &stranger.token] {
        let body = json!({"username": "ada", "password": PASSWORD}).to_string();
        let call = request(Method::POST, "/api/v1/sessions")
            .header(header::COOKIE, format!("sg_session={cookie}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-secureguard-csrf", "1")
            .body(Body::from(body))
            .unwrap();
        let answer = app.send(call).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let token = answer.body["token"].as_str().unwrap();
        assert!(
            token != cookie
                && answer
                    .header("set-cookie")
                    .starts_with(&format!("sg_session={token}"))
        );
    }
    assert_eq!(app.get("/api/v1/sessions/current", &planted).await.status, 401);
    let theirs = app.get("/api/v1/sessions/current", &stranger.token).await;
    assert_eq!(theirs.body["username"], "stranger", "nobody signed in through it");
}

#[tokio::test]
async fn other_sites_cannot_use_the_cookie() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let cookie = format!("sg_session={}", ada.token);
    let post = |headers: &[(&str, &str)]| {
        let mut builder = request(Method::POST, "/api/v1/users/api-keys")
            .header(header::COOKIE, &cookie)
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder
            .body(Body::from(json!({"key_name": "k"}).to_string()))
            .unwrap()
    };
    let forged: [&[(&str, &str)]; 4] = [
        &[],
        &[("x-secureguard-csrf", "0")],
        &[("x-secureguard-csrf", "1"), ("origin", "http://evil.example")],
        &[("origin", "http://localhost:8080")],
    ];
    for headers in forged {
        let answer = app.send(post(headers)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "csrf_refused"),
            "{headers:?}"
        );
    }
    assert_eq!(
        app.sql_text("select count(*)::text from users.api_keys").await,
        "0"
    );
    assert_eq!(
        app.send(post(&[
            ("x-secureguard-csrf", "1"),
            ("origin", "http://localhost:8080")
        ]))
        .await
        .status,
        201
    );
    let read = request(Method::GET, "/api/v1/sessions/current")
        .header(header::COOKIE, &cookie)
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        app.send(read).await.status,
        200,
        "reading needs no more than the cookie"
    );
}

#[tokio::test]
async fn sign_ins_from_one_address_are_limited() {
    let app = App::start_with(|config| {
        config.rate_limits.sign_in_per_user_burst = 3.try_into().unwrap();
        config.rate_limits.sign_in_per_user_per_minute = 1.try_into().unwrap();
    })
    .await;
    for _ in 0..3 {
        assert_eq!(app.sign_in("nobody", "x").await.status, 401);
    }
    let answer = app.sign_in("NOBODY", "x").await;
    assert_eq!((answer.status, answer.code()), (429, "too_many_requests"));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(app.sign_in("somebody", "x").await.status, 401);
}

#[tokio::test]
async fn another_tenant_takes_a_membership() {
    let app = App::start().await;
    let (north, south) = (app.new_tenant("north").await, app.new_tenant("south").await);
    let ada = app.person(north, "ada", Role::Admin).await;
    let call = async |tenant: &str| {
        let request = request(Method::GET, "/api/v1/sessions/current")
            .header(header::AUTHORIZATION, format!("Bearer {}", ada.token))
            .header("x-secureguard-tenant", tenant);
        app.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(call(&north.to_string()).await.status, 200);
    assert_eq!(
        call(&south.to_string()).await.status,
        404,
        "as if it did not exist"
    );
    assert_eq!(call("00000000-0000-0000-0000-00000000dead").await.status, 404);
    assert_eq!(call("south").await.status, 400);

    let grant = format!(
        "insert into users.memberships (tenant_id, user_id, role, expires_at) values ('{south}', '{}', 'manager', now() + interval '1 hour')",
        ada.user_id
    );
    app.sql(&grant).await;
    let there = call(&south.to_string()).await;
    assert_eq!(
        (there.status, &there.body["role"]),
        (200, &json!("manager")),
        "the role of the membership, not the one at home"
    );
    app.advance(Duration::minutes(14));
    assert_eq!(call(&south.to_string()).await.status, 200);
    app.sql("update users.memberships set expires_at = now() where role = 'manager'")
        .await;
    assert_eq!(
        call(&south.to_string()).await.status,
        404,
        "the membership has ended"
    );
    assert_eq!(call(&north.to_string()).await.status, 200);
}

#[tokio::test]
async fn people_see_and_end_their_own_sessions_only() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let bob = app.person(app.tenant(), "bob", Role::Admin).await;
    let second = app.open_session(ada.user_id, Role::Manager).await;
    let third = app.open_session(ada.user_id, Role::Manager).await;

    let list = app.get("/api/v1/sessions", &ada.token).await;
    assert_eq!(list.status, 200, "{list:?}");
    let items = list.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items.iter().filter(|item| item["is_current"] == true).count(), 1);
    assert!(!list.body.to_string().contains("sgs_"), "no token is shown");

    // Another's session, an ended one and none: one answer.
    let of_second = app
        .sql_text(&format!(
            "select session_id::text from users.sessions where token_hash = '\\x{}'",
            super::app::hash_hex(&second)
        ))
        .await;
    let path = format!("/api/v1/sessions/{of_second}");
    assert_eq!(app.delete(&path, &bob.token).await.status, 404);
    assert_eq!(app.get("/api/v1/sessions/current", &second).await.status, 200);
    assert_eq!(app.delete(&path, &ada.token).await.status, 204);
    assert_eq!(app.get("/api/v1/sessions/current", &second).await.status, 401);
    assert_eq!(app.delete(&path, &ada.token).await.status, 404);

    let others = app
        .post("/api/v1/sessions/end-others", &ada.token, json!({}))
        .await;
    assert_eq!((others.status, &others.body), (200, &json!({"ended": 1})));
    assert_eq!(app.get("/api/v1/sessions/current", &third).await.status, 401);
    assert_eq!(app.get("/api/v1/sessions/current", &ada.token).await.status, 200);
    assert_eq!(app.get("/api/v1/sessions/current", &bob.token).await.status, 200);
    let actions = app
        .sql_text("select string_agg(action, ',' order by occurred_at, event_id) from audit.events")
        .await;
    assert_eq!(
        actions,
        "request.refuse,session.revoke,request.refuse,session.revoke_others"
    );
}

#[tokio::test]
async fn sessions_that_ran_out_are_not_listed() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    app.advance(Duration::minutes(61));
    let fresh = app.open_session(ada.user_id, Role::Manager).await;
    let list = app.get("/api/v1/sessions", &fresh).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1, "{list:?}");
}
