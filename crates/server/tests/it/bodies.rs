//! Every operation, given what no program would send: a clear 4xx each time, never a 5xx.

use axum::body::Body;
use axum::http::{Method, header};
use sg_types::Role;

use super::app::{App, request};
use super::authz::{Fixture, operations};

/// Bodies that no operation takes, with the content type they are sent with.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    let nested = "[".repeat(50_000).into_bytes();
    let huge = format!("{{\"username\":\"{}\"}}", "x".repeat(6_000_000)).into_bytes();
    vec![
        ("application/json", Vec::new()),
        ("application/json", b"{".to_vec()),
        ("application/json", b"\xff\xfe\x00".to_vec()),
        ("application/json", b"null".to_vec()),
        ("application/json", b"[1,2,3]".to_vec()),
        ("application/json", b"\"text\"".to_vec()),
        ("application/json", b"{\"no_such_field\":1}".to_vec()),
        (
            "application/json",
            b"{\"username\":{},\"name\":[],\"key_name\":7,\"status\":1,\"text\":true,\"host\":\"x\"}"
                .to_vec(),
        ),
        (
            "application/json",
            b"{\"username\":\"\\u0000\",\"name\":\"\\u0000\",\"key_name\":\"\\u0000\",\"text\":\"\\u0000\"}"
                .to_vec(),
        ),
        ("application/json", nested),
        ("application/json", huge),
        ("text/plain", b"{}".to_vec()),
        (
            "application/x-www-form-urlencoded",
            b"username=a&password=b".to_vec(),
        ),
    ]
}

#[tokio::test]
async fn no_body_makes_any_operation_fail() {
    let app = App::start().await;
    let fixture = Fixture::make(&app).await;
    let mut tried = 0;
    for operation in operations()
        .iter()
        .filter(|o| o.method == Method::POST || o.method == Method::PATCH)
    {
        for (content_type, bytes) in garbage() {
            let token = fixture.strongest_token(&app, operation).await;
            let path = fixture.fill(&operation.path);
            let sent = request(operation.method.clone(), &path)
                .header(header::AUTHORIZATION, format!("Bearer {token}"))
                .header(header::CONTENT_TYPE, content_type)
                .body(Body::from(bytes.clone()))
                .unwrap();
            let answer = app.send(sent).await;
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
            assert!(
                answer.status < 500,
                "{operation:?} with {content_type} {start}: {answer:?}"
            );
            if answer.status >= 400 {
                assert_eq!(
                    answer.header("content-type"),
                    "application/problem+json",
                    "{operation:?} {start}"
                );
                assert!(!answer.code().is_empty());
            }
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

#[tokio::test]
async fn no_parameter_makes_any_operation_fail() {
    let app = App::start().await;
    let fixture = Fixture::make(&app).await;
    let queries = [
        "limit=0",
        "limit=-1",
        "limit=99999999999999999999",
        "limit=x",
        "cursor=x",
        "cursor=%00",
        "cursor=%ff%fe",
        "no_such=1",
        "from=yesterday",
        "from=-999999-01-01T00:00:00Z",
        "to=999999-12-31T23:59:59Z",
        "search=%00",
        "status=bogus",
        "severity=,,",
        "agent_id=1",
        "assigned_to=me",
        "points=0",
        "points=-5",
        "limit=1&limit=2",
        "%",
        "actor=%27%3B%20drop%20table",
    ];
    for operation in operations().iter().filter(|o| o.method == Method::GET) {
        for query in queries {
            let token = fixture.strongest_token(&app, operation).await;
            let path = fixture.fill(&operation.path);
            let answer = app.get(&format!("{path}?{query}"), &token).await;
            assert!(answer.status < 500, "{operation:?}?{query}: {answer:?}");
        }
    }
    for operation in operations().iter().filter(|o| o.path.contains('{')) {
        for id in [
            "x",
            "%ff",
            "..%2f..",
            "00000000-0000-0000-0000-000000000000",
            "'%20or%201=1",
        ] {
            let token = fixture.strongest_token(&app, operation).await;
            let path = fixture.fill_with(&operation.path, id);
            let answer = app
                .call(
                    operation.method.clone(),
                    &path,
                    &token,
                    Some(serde_json::json!({})),
                )
                .await;
            assert!(
                (400..500).contains(&answer.status),
                "{operation:?} {id}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413() {
    let app = App::start_with(|config| config.http.max_body_bytes = 1_000).await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let body = serde_json::json!({"key_name": "x".repeat(2_000)});
    let answer = app.post("/api/v1/users/api-keys", &admin.token, body).await;
    assert_eq!((answer.status, answer.code()), (413, "too_large"));
}
