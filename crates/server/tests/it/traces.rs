//! Traces, at a collector that is real, hangs, or is not there.

use std::time::{Duration, Instant};

use serde_json::json;
use sg_server::config::{LogConfig, LogFormat, TracesConfig};
use sg_server::{logging, traces};
use sg_types::Role;

use crate::app::App;
use crate::notifications::receiver::{Answer, Receiver};

fn install(endpoint: String) {
    let log = LogConfig {
        format: LogFormat::Json,
        filter: "info".to_owned(),
    };
    let traces = TracesConfig {
        endpoint,
        sample_ratio: 1.0,
    };
    logging::install(&log, &traces).unwrap();
}

/// Tells what there is; how long that took.
async fn shut_down() -> Duration {
    let began = Instant::now();
    tokio::task::spawn_blocking(traces::shut_down).await.unwrap();
    began.elapsed()
}

#[tokio::test]
async fn a_request_arrives_with_its_id_and_without_anything_that_somebody_sent() {
    let collector = Receiver::start().await;
    install(collector.url("/v1/traces"));
    let app = App::start().await;
    let admin = app.person(app.tenant(), "secretperson", Role::Admin).await;
    let body = json!({ "username": "secretname", "password": "secretpassword" });
    assert_eq!(app.post("/api/v1/sessions", "", body).await.status, 401);
    let unknown = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001";
    let answer = app
        .get(&format!("/api/v1/agents/endpoints/{unknown}"), &admin.token)
        .await;
    assert_eq!(answer.status, 404);
    let listed = app
        .get("/api/v1/agents/endpoints?search=secretsearch", &admin.token)
        .await;
    assert_eq!(listed.status, 200);
    let id = answer.header("x-request-id").to_owned();
    shut_down().await;
    let posted = collector.all();
    assert_eq!(posted[0].header("content-type"), "application/x-protobuf");
    // Texts stand in the protocol's buffers as they are.
    let told: String = posted
        .iter()
        .map(|one| String::from_utf8_lossy(&one.body).into_owned())
        .collect();
    for part in [
        id.as_str(),
        "GET /api/v1/agents/endpoints/{agent_id}",
        "POST /api/v1/sessions",
        "transaction",
        "service.name",
    ] {
        assert!(told.contains(part), "{part} of {told}");
    }
    for secret in [
        "secretname",
        "secretpassword",
        "secretsearch",
        unknown,
        &admin.token,
        "secretperson",
        "select ",
    ] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_collector_that_hangs_costs_nothing() {
    let collector = Receiver::start().await;
    collector.answer_with(&vec![Answer::Hang; 100]);
    let app = App::start().await;
    let ask = async || {
        let began = Instant::now();
        for _ in 0..3_000 {
            assert_eq!(app.get("/livez", "").await.status, 200);
        }
        began.elapsed()
    };
    ask().await;
    let without = ask().await;
    install(collector.url("/v1/traces"));
    let with = ask().await;
    assert!(
        with < without * 4 + Duration::from_secs(2),
        "{with:?} against {without:?} without traces"
    );
    // Nor does it hold up the end.
    let end = shut_down().await;
    assert!(end < Duration::from_secs(8), "{end:?}");
}

#[tokio::test]
async fn a_collector_that_is_gone_costs_nothing_either() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    install(format!("http://{address}/v1/traces"));
    let app = App::start().await;
    for _ in 0..200 {
        assert_eq!(app.get("/livez", "").await.status, 200);
    }
    let end = shut_down().await;
    assert!(end < Duration::from_secs(8), "{end:?}");
}
