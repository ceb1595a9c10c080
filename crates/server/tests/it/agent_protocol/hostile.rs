use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};
use sg_types::api::Page;
use sg_types::api::agents::EndpointEventView;
use sg_types::{Ids, Role, TenantId, TimeOrderedIds};
use sqlx::Connection as _;

use crate::fleet::{TestAgent, TestServer, event, file_finding, metrics, process_finding, record};

#[tokio::test]
async fn a_record_that_cannot_be_stored_does_not_stop_the_stream() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    let mut no_id = metrics(now, 1.0);
    no_id["id"] = json!("no uuid");
    let mut no_time = metrics(now, 1.0);
    no_time["at"] = json!("yesterday");
    let records = [
        metrics(now, 1.0),
        record(now, json!({ "type": "quantum" })),
        record(now, json!({ "type": "metrics", "cpu_usage": "NaN" })),
        record(
            now,
            json!({ "type": "metrics", "cpu_usage": null, "memory_usage": 1e308, "disk_usage": -5, "uptime": 1, "process_count": 1 }),
        ),
        json!("no object"),
        no_id,
        no_time,
        event(now, "/last"),
    ];
    assert_eq!(agent.send(&server, &records).await.acknowledged_through, 8);
    assert_eq!(server.count("select count(*) from agents.system_info").await, 2);
    assert_eq!(
        server
            .count("select count(*) from agents.system_info where cpu_usage is null and memory_usage is null")
            .await,
        1
    );
    assert_eq!(
        server
            .count("select count(*) from agents.gaps where reason = 'record_refused'")
            .await,
        5
    );
    let path = format!("/api/v1/agents/endpoints/{}/events", agent.agent_id);
    let events: Page<EndpointEventView> = server.get(&admin, &path).await.expect(200);
    assert_eq!(events.items.len(), 6);
}

#[tokio::test]
async fn hostile_texts_are_kept_in_a_form_that_can_be_shown() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    let long = "ä".repeat(100_000);
    let mut finding = file_finding(now, "r\0", "yara", &format!("/tmp/\0{long}"));
    finding["body"]["evidence"] =
        json!({ "\0": [long, "\0"], "deep": { "x": vec!["y".repeat(500); 1_000] } });
    finding["body"]["confidence"] = json!(1e300);
    finding["body"]["tags"] = json!(vec!["t\0".repeat(500); 300]);
    finding["body"]["threat_type"] = json!("x".repeat(5_000));
    let ancestors: Vec<String> = (0..5_000).map(|n| format!("boot:{n}")).collect();
    let mut process = process_finding(
        now,
        &"i".repeat(9_000),
        &"k".repeat(20_000),
        &[],
        &format!("bash {long}"),
    );
    process["body"]["subject"]["ancestors"] = json!(ancestors);
    let reply = agent
        .send(
            &server,
            &[finding, process, event(now, &format!("/\u{7}\u{202e}{long}"))],
        )
        .await;
    assert_eq!(reply.acknowledged_through, 3);
    assert_eq!(server.count("select count(*) from threats.findings").await, 2);
    assert_eq!(
        server
            .count("select max(length(command_line))::bigint from threats.incidents")
            .await,
        8_192
    );
    let list = server.get(&admin, "/api/v1/threats/incidents").await;
    assert_eq!(list.status, 200);
    let path = list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|i| i["title"].as_str().filter(|t| t.contains("/tmp/")))
        .unwrap();
    assert!(path.contains('\u{fffd}') && path.ends_with('…'));
}

#[tokio::test]
async fn a_hostile_agent_cannot_take_the_ids_of_others() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let stranger = server.caller(server.tenant("other").await, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let mut hostile = TestAgent::enrol(&server, &stranger, "evil-1").await;
    let now = server.state.now();
    let records = [
        metrics(now, 1.0),
        event(now, "/a"),
        file_finding(now, "r", "yara", "/a"),
    ];
    agent.send(&server, &records).await;
    // The same ids in another tenant: nothing of the first tenant changes, and nothing fails.
    hostile.send(&server, &records).await;
    let mine = server.get(&admin, "/api/v1/threats/incidents").await;
    assert_eq!(
        (
            mine.body["items"].as_array().unwrap().len(),
            &mine.body["items"][0]["occurrence_count"]
        ),
        (1, &json!(1))
    );
    let theirs = server
        .get(&stranger, &format!("/api/v1/agents/endpoints/{}", agent.agent_id))
        .await;
    theirs.refused(404, "not_found");
    assert_eq!(
        server
            .count("select count(distinct tenant_id) from agents.system_info")
            .await,
        1
    );
}

#[tokio::test]
async fn bodies_are_bounded_and_damage_is_a_clear_refusal() {
    let server = TestServer::start_with(|config| config.ingest.max_decompressed_bytes = 1 << 20).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let good = agent.body(&[], server.state.now()).to_string();
    let zstd_of = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let whole = zstd_of(good.as_bytes());
    let bomb = zstd_of(&vec![b' '; 8 << 20]);
    let send = async |body: Vec<u8>, encoding: &'static str| {
        server
            .send_raw(
                "POST",
                "/agent/v1/check-in",
                &agent.token,
                &[("content-encoding", encoding)],
                Body::from(body),
            )
            .await
    };
    send(bomb, "zstd").await.refused(413, "too_large");
    send(vec![b' '; 5 << 20], "identity")
        .await
        .refused(413, "too_large");
    send(whole[..whole.len() - 3].to_vec(), "zstd")
        .await
        .refused(400, "invalid_encoding");
    send(good.clone().into_bytes(), "zstd")
        .await
        .refused(400, "invalid_encoding");
    send(whole.clone(), "gzip")
        .await
        .refused(415, "unsupported_encoding");
    send(whole.clone(), "identity").await.refused(400, "invalid_json");
    send(zstd_of(b"{\"epoch\":"), "zstd")
        .await
        .refused(400, "invalid_json");
    send(zstd_of("[".repeat(500_000).as_bytes()), "zstd")
        .await
        .refused(422, "invalid_body");
    for (name, value) in [
        ("first_seq", json!(0)),
        ("first_seq", json!(u64::MAX)),
        ("epoch", json!("x")),
        ("records", json!(7)),
        ("sent_at", json!(1)),
    ] {
        let mut body = agent.body(&[], server.state.now());
        body[name] = value;
        send(body.to_string().into_bytes(), "identity")
            .await
            .refused(422, "invalid_body");
    }
    let many: Vec<Value> = vec![json!(0); 5_001];
    send(
        agent.body(&many, server.state.now()).to_string().into_bytes(),
        "identity",
    )
    .await
    .refused(413, "too_large");
    send(whole, "zstd").await.expect::<Value>(200);
}

#[tokio::test]
async fn tokens_of_other_kinds_and_unknown_ones_open_nothing() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let body = agent.body(&[], server.state.now());
    for token in [
        "",
        &admin.token,
        &format!("sga_{}", "A".repeat(43)),
        "sga_",
        "%00",
    ] {
        server
            .send("POST", "/agent/v1/check-in", token, Some(body.clone()))
            .await
            .refused(401, "unauthenticated");
        server
            .send("POST", "/agent/v1/unenrol", token, None)
            .await
            .refused(401, "unauthenticated");
    }
    for path in [
        "/api/v1/agents/endpoints",
        "/api/v1/threats/incidents",
        "/api/v1/monitoring/overview",
        "/api/v1/monitoring/events",
    ] {
        server
            .send("GET", path, &agent.token, None)
            .await
            .refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_suspended_tenant_and_a_full_queue_are_told_apart() {
    let server = TestServer::start_with(|config| config.ingest.concurrency = 4).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    agent.try_send(&server, &[]).await;
    let attempts = (0..100).map(|_| {
        let mut copy = agent.clone();
        copy.epoch = TimeOrderedIds.next();
        let server = &server;
        async move { copy.try_send(server, &[]).await }
    });
    // Nothing is stored for a moment, and what comes meanwhile waits.
    let mut conn = server.test_db.connect("postgres").await.unwrap();
    let mut lock = conn.begin().await.unwrap();
    sqlx::query("select from agents.heartbeats for update")
        .execute(&mut *lock)
        .await
        .unwrap();
    let release = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        lock.commit().await.unwrap();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(attempts), release);
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(
        !refused.is_empty()
            && refused
                .iter()
                .all(|answer| answer.headers.contains_key("retry-after"))
    );
    let own = u64::from(server.state.config.ingest.check_in_seconds);
    let intervals: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| answer.body["check_in_seconds"].as_u64().unwrap())
        .collect();
    assert!(intervals.contains(&(own + own / 5)), "{intervals:?}");
    let mut later = agent.clone();
    later.epoch = TimeOrderedIds.next();
    let calm = later.try_send(&server, &[]).await;
    assert_eq!(calm.body["check_in_seconds"], own);
    server
        .test_db
        .execute("update users.tenants set status = 'suspended' where slug = 'default'")
        .await
        .unwrap();
    agent
        .try_send(&server, &[])
        .await
        .refused(403, "tenant_suspended");
}
