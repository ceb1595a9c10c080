//! What surrounds every request.

use axum::body::Body;
use axum::http::{Method, header};

use super::app::{App, request};

#[tokio::test]
async fn every_answer_carries_its_headers() {
    let app = App::start().await;
    for path in [
        "/",
        "/livez",
        "/readyz",
        "/api/v1/sessions/current",
        "/api/nothing",
        "/agent/nothing",
        "/assets/none.js",
    ] {
        let answer = app.get(path, "").await;
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'; script-src 'self'"),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-request-id").len(), 36);
        assert_eq!(
            answer.header("strict-transport-security"),
            "",
            "plain HTTP says nothing of TLS"
        );
    }
    let api = app.get("/api/v1/sessions/current", "").await;
    assert_eq!(
        (api.header("cache-control"), api.header("www-authenticate")),
        ("no-store", "Bearer")
    );
    assert_eq!(api.body["request_id"], api.header("x-request-id"));
}

#[tokio::test]
async fn foreign_names_open_nothing() {
    let app = App::start().await;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8080",
        "",
    ] {
        let mut wrong = request(Method::GET, "/api/v1/sessions/current")
            .body(Body::empty())
            .unwrap();
        wrong.headers_mut().insert(header::HOST, host.parse().unwrap());
        let answer = app.send(wrong).await;
        assert_eq!((answer.status, answer.code()), (421, "unknown_host"), "{host}");
    }
}

#[tokio::test]
async fn unknown_places_and_methods_are_problems_below_the_api_only() {
    let app = App::start().await;
    for path in ["/api", "/api/v1/nothing", "/agent/v1/nothing", "/agent"] {
        let answer = app.get(path, "").await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let answer = app.call(Method::PUT, "/api/v1/users", "", None).await;
    assert_eq!((answer.status, answer.code()), (405, "method_not_allowed"));
    assert!(
        answer.header("allow").contains("GET"),
        "{}",
        answer.header("allow")
    );
    assert_eq!(
        app.get("/api/v1/users?cursor=%00", "").await.code(),
        "invalid_target"
    );
}

#[tokio::test]
async fn forwarded_headers_are_believed_of_nobody_by_default() {
    let app = App::start().await;
    app.person(app.tenant(), "ada", sg_types::Role::User).await;
    let forged = request(Method::POST, "/api/v1/sessions")
        .header("x-forwarded-for", "6.6.6.6")
        .header("x-request-id", "chosen-by-the-client")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"username":"ada","password":"x"}"#))
        .unwrap();
    let answer = app.send(forged).await;
    assert_ne!(answer.header("x-request-id"), "chosen-by-the-client");
    assert_eq!(
        app.sql_text("select host(address) from audit.login_attempts")
            .await,
        "127.0.0.1"
    );
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let app =
        App::start_with(|config| config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let forwarded = request(Method::POST, "/api/v1/sessions")
        .header("x-forwarded-for", "6.6.6.6, 192.0.2.7")
        .header("x-request-id", "of-the-proxy")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"username":"ada","password":"x"}"#))
        .unwrap();
    assert_eq!(app.send(forwarded).await.header("x-request-id"), "of-the-proxy");
    assert_eq!(
        app.sql_text("select host(address) from audit.login_attempts")
            .await,
        "192.0.2.7"
    );
}

#[tokio::test]
async fn health_is_told() {
    let app = App::start().await;
    assert_eq!(app.get("/livez", "").await.body, "ok\n");
    let ready = app.get("/readyz", "").await;
    assert_eq!(
        (ready.status, ready.body["ready"].as_bool()),
        (200, Some(true)),
        "{ready:?}"
    );
    app.sql("delete from public._sqlx_migrations where version = (select max(version) from public._sqlx_migrations)").await;
    let behind = app.get("/readyz", "").await;
    assert_eq!(behind.status, 503);
    assert!(
        behind.body.to_string().contains("secureguard migrate"),
        "{:?}",
        behind.body
    );
}

#[tokio::test]
async fn metrics_are_for_this_machine() {
    let app = App::start().await;
    assert_eq!(app.get("/metrics", "").await.status, 200);
    let proxied = request(Method::GET, "/metrics")
        .header("x-forwarded-for", "192.0.2.1")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        app.send(proxied).await.status,
        404,
        "a proxy on this machine serves the world"
    );
    let closed = App::start_with(|config| config.metrics.token = "scrape".into()).await;
    assert_eq!(closed.get("/metrics", "").await.status, 404);
    assert_eq!(closed.get("/metrics", "wrong").await.status, 404);
    assert_eq!(closed.get("/metrics", "scrape").await.status, 200);
}

#[tokio::test]
async fn a_database_that_went_away_is_503_and_says_when_to_come_back() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", sg_types::Role::Admin).await;
    app.state.db.close().await;
    for answer in [
        app.get("/api/v1/users", &ada.token).await,
        app.sign_in("ada", "x").await,
    ] {
        assert_eq!((answer.status, answer.code()), (503, "unavailable"));
        assert!(!answer.header("retry-after").is_empty());
        assert!(!answer.body.to_string().contains("pool"), "{:?}", answer.body);
    }
    assert_eq!(app.get("/readyz", "").await.status, 503);
    assert_eq!(app.get("/livez", "").await.status, 200);
}
