//! `/api/v1/agents/`.

use chrono::Duration;
use serde_json::json;
use sg_types::api::Page;
use sg_types::api::agents::{EndpointView, MetricSeries};
use sg_types::{Liveness, Role, TenantId};

use crate::fleet::{TestAgent, TestServer, event, gap, metrics};

#[tokio::test]
async fn endpoints_are_listed_page_by_page_in_one_order() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    for name in ["b", "C", "a", "ä", "B", "d"] {
        TestAgent::enrol(&server, &admin, name).await;
    }
    let whole: Page<EndpointView> = server.get(&admin, "/api/v1/agents/endpoints").await.expect(200);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: Page<EndpointView> = server
            .get(&admin, &format!("/api/v1/agents/endpoints?limit=2{cursor}"))
            .await
            .expect(200);
        seen.extend(page.items);
        let Some(next) = page.next_cursor else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, whole.items);
    assert_eq!(seen.len(), 6);
    assert_eq!(seen[0].hostname, "a");
    let found: Page<EndpointView> = server
        .get(
            &admin,
            "/api/v1/agents/endpoints?search=192.0.2&status=active,inactive",
        )
        .await
        .expect(200);
    assert_eq!(found.items.len(), 6);
    let none: Page<EndpointView> = server
        .get(&admin, "/api/v1/agents/endpoints?search=%25")
        .await
        .expect(200);
    assert!(none.items.is_empty());
    for bad in [
        "status=broken",
        "online=maybe",
        "limit=0",
        "cursor=x",
        "cursor=AAAA",
        "search=%00",
        "colour=red",
    ] {
        assert_eq!(
            server
                .get(&admin, &format!("/api/v1/agents/endpoints?{bad}"))
                .await
                .status,
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn each_filter_finds_what_the_whole_list_shows_as_such() {
    let server = TestServer::start_with(|config| config.ingest.check_in_seconds = 30).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let stranger = server.caller(server.tenant("other").await, Role::Admin).await;
    TestAgent::enrol(&server, &stranger, "elsewhere").await;
    let gone = TestAgent::enrol(&server, &admin, "Gone-1").await;
    server.send("POST", "/agent/v1/unenrol", &gone.token, None).await;
    TestAgent::enrol(&server, &admin, "silent").await;
    crate::coverage::look(&server).await;
    crate::coverage::pass(&server, 30).await;
    TestAgent::enrol(&server, &admin, "late").await;
    crate::coverage::pass(&server, 40).await;
    let fresh = TestAgent::enrol(&server, &admin, "Web-1.example.org").await;
    server
        .sql("insert into agents.endpoints (hostname, os_info) values ('never-seen', 'Plan 9, Fourth Edition')")
        .await;

    let list = async |query: &str| {
        let page: Page<EndpointView> = server
            .get(&admin, &format!("/api/v1/agents/endpoints?{query}"))
            .await
            .expect(200);
        page.items
    };
    let whole = list("").await;
    let shown: Vec<_> = whole
        .iter()
        .map(|one| (one.hostname.as_str(), one.online, one.liveness))
        .collect();
    assert_eq!(
        shown,
        [
            ("Gone-1", false, Liveness::Offline),
            ("late", true, Liveness::Stale),
            ("never-seen", false, Liveness::Offline),
            ("silent", false, Liveness::Offline),
            ("Web-1.example.org", true, Liveness::Online),
        ]
    );
    for online in [None, Some(true), Some(false)] {
        for liveness in [
            "",
            "online",
            "stale",
            "offline",
            "online,stale",
            "stale,offline",
            "online,offline",
            "online,stale,offline",
        ] {
            let mut query = format!("liveness={liveness}");
            if let Some(online) = online {
                query = format!("{query}&online={online}");
            }
            let matching: Vec<_> = whole
                .iter()
                .filter(|one| online.is_none_or(|online| one.online == online))
                .filter(|one| {
                    liveness.is_empty() || liveness.split(',').any(|word| word == one.liveness.as_str())
                })
                .cloned()
                .collect();
            assert_eq!(list(&query).await, matching, "{query}");
        }
    }

    let path = format!("/api/v1/agents/endpoints/{}", fresh.agent_id);
    let renamed = server
        .send(
            "PATCH",
            &path,
            &admin.token,
            Some(json!({ "device_name": "Front DOOR_2" })),
        )
        .await;
    assert_eq!(renamed.status, 200);
    for (text, found) in [
        ("EXAMPLE.org", vec!["Web-1.example.org"]),
        ("front door_", vec!["Web-1.example.org"]),
        ("plan 9", vec!["never-seen"]),
        (
            "e",
            vec!["Gone-1", "late", "never-seen", "silent", "Web-1.example.org"],
        ),
        ("e&online=false", vec!["Gone-1", "never-seen", "silent"]),
        ("e&status=decommissioned", vec!["Gone-1"]),
        ("secureguard-server", vec![]),
        ("elsewhere", vec![]),
        ("%25", vec![]),
    ] {
        let names: Vec<_> = list(&format!("search={}", text.replace(' ', "%20")))
            .await
            .into_iter()
            .map(|one| one.hostname)
            .collect();
        assert_eq!(names, found, "{text}");
    }
}

#[tokio::test]
async fn an_endpoint_is_renamed_and_handed_over_within_its_tenant() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let user = server.caller(TenantId::DEFAULT, Role::User).await;
    let stranger = server.caller(server.tenant("other").await, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let path = format!("/api/v1/agents/endpoints/{}", agent.agent_id);

    let view: EndpointView = server
        .patch(
            &admin,
            &path,
            json!({ "device_name": " Front door ", "user_id": user.user_id }),
        )
        .await
        .expect(200);
    assert_eq!(
        (view.device_name.as_deref(), view.user_id),
        (Some("Front door"), Some(user.user_id))
    );
    for caller in [&admin, &user] {
        let listed: Page<EndpointView> = server.get(caller, "/api/v1/agents/endpoints").await.expect(200);
        let shown: EndpointView = server.get(caller, &path).await.expect(200);
        assert_eq!(
            [&view.username, &listed.items[0].username, &shown.username],
            [&Some(user.username.clone()); 3]
        );
    }
    let view: EndpointView = server
        .patch(&admin, &path, json!({ "user_id": null }))
        .await
        .expect(200);
    assert_eq!(
        (view.device_name.as_deref(), view.user_id),
        (Some("Front door"), None)
    );
    assert_eq!(view.username, None);
    server
        .patch(&admin, &path, json!({ "user_id": stranger.user_id }))
        .await
        .refused(422, "invalid_body");
    server
        .patch(&admin, &path, json!({ "device_name": "x".repeat(101) }))
        .await
        .refused(422, "invalid_body");
    server
        .patch(&admin, &path, json!({ "hostname": "x" }))
        .await
        .refused(422, "invalid_body");
    server
        .patch(&user, &path, json!({ "device_name": "mine" }))
        .await
        .refused(403, "missing_permission");
    server
        .patch(&stranger, &path, json!({ "device_name": "mine" }))
        .await
        .refused(404, "not_found");
    assert_eq!(
        server
            .count("select count(*) from audit.events where action = 'endpoint.update'")
            .await,
        2
    );
}

#[tokio::test]
async fn a_decommissioned_endpoint_is_shut_out_at_once() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let stranger = server.caller(server.tenant("other").await, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    agent.send(&server, &[metrics(server.state.now(), 1.0)]).await;
    let path = format!("/api/v1/agents/endpoints/{}/decommission", agent.agent_id);
    server
        .send("POST", &path, &stranger.token, None)
        .await
        .refused(404, "not_found");
    agent.send(&server, &[]).await;
    let view: EndpointView = server.send("POST", &path, &admin.token, None).await.expect(200);
    assert_eq!((view.status.as_str(), view.online), ("decommissioned", false));
    agent.try_send(&server, &[]).await.refused(401, "unauthenticated");
    let again: EndpointView = server.send("POST", &path, &admin.token, None).await.expect(200);
    assert_eq!(again.status.as_str(), "decommissioned");
    assert_eq!(
        server
            .count("select count(*) from audit.events where action = 'endpoint.decommission'")
            .await,
        1
    );
    assert_eq!(
        server.count("select count(*) from agents.system_info").await,
        1,
        "its history stays"
    );
}

#[tokio::test]
async fn metrics_are_averages_by_step() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    let samples: Vec<_> = (0..60)
        .map(|n| metrics(now - Duration::minutes(n), f64::from(u32::try_from(n).unwrap())))
        .collect();
    agent.send(&server, &samples).await;
    server.clock.advance(Duration::seconds(1));
    let path = format!("/api/v1/agents/endpoints/{}/metrics", agent.agent_id);
    let (from, to) = (now - Duration::hours(1), now + Duration::seconds(1));
    let series: MetricSeries = server
        .get(
            &admin,
            &format!("{path}?from={}&to={}&points=6", encode(from), encode(to)),
        )
        .await
        .expect(200);
    assert!((6..=7).contains(&series.points.len()), "{}", series.points.len());
    assert!(series.points.windows(2).all(|pair| pair[0].at < pair[1].at));
    let one: MetricSeries = server
        .get(&admin, &format!("{path}?from={}&points=1", encode(from)))
        .await
        .expect(200);
    let samples: f64 = one.points.iter().filter_map(|point| point.cpu_usage).sum();
    assert!(!one.points.is_empty() && samples > 0.0);
    for bad in [
        "points=0",
        "points=1001",
        "from=2026",
        "from=2020-01-01T00:00:00Z",
        "to=1970-01-01T00:00:00Z",
        "from=2030-01-01T00:00:00Z",
    ] {
        server
            .get(&admin, &format!("{path}?{bad}"))
            .await
            .refused(400, "invalid_query");
    }
    server
        .get(
            &admin,
            "/api/v1/agents/endpoints/00000000-0000-0000-0000-000000000000/metrics",
        )
        .await
        .refused(404, "not_found");
    server
        .get(&admin, "/api/v1/agents/endpoints/x/metrics")
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn events_and_gaps_are_one_list() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    let mut records: Vec<_> = (0..5).map(|n| event(now - Duration::seconds(n), "/a")).collect();
    records.push(gap(now - Duration::milliseconds(1_500), 3));
    // Several at the same instant: the id decides.
    records.extend((0..5).map(|_| event(now, "/b")));
    agent.send(&server, &records).await;
    let path = format!("/api/v1/agents/endpoints/{}/events", agent.agent_id);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&admin, &format!("{path}?limit=3{cursor}")).await;
        seen.extend(
            page.body["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| (row["event_id"].clone(), row["kind"].clone())),
        );
        let Some(next) = page.body["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    let distinct: std::collections::HashSet<_> = seen.iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!((seen.len(), distinct.len()), (11, 11));
    assert_eq!(seen.iter().position(|(_, kind)| kind == "gap"), Some(7));
}

#[tokio::test]
async fn a_user_sees_only_the_endpoints_that_are_theirs_and_what_hangs_on_them() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let user = server.caller(TenantId::DEFAULT, Role::User).await;
    let mut foreign = TestAgent::enrol(&server, &admin, "foreign").await;
    let mut own = TestAgent::enrol(&server, &user, "own").await;
    let now = server.state.now();
    for agent in [&mut foreign, &mut own] {
        let finding = crate::fleet::file_finding(now, "r", "yara", "/a");
        agent
            .send(&server, &[metrics(now, 1.0), event(now, "/a"), finding])
            .await;
    }
    let all = server.get(&admin, "/api/v1/threats/incidents").await;
    assert_eq!(all.body["items"].as_array().unwrap().len(), 2);
    let foreign_incident = all.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["hostname"] == "foreign")
        .unwrap()["threat_id"]
        .clone();

    let endpoints: Page<EndpointView> = server.get(&user, "/api/v1/agents/endpoints").await.expect(200);
    assert_eq!(
        endpoints
            .items
            .iter()
            .map(|e| e.hostname.as_str())
            .collect::<Vec<_>>(),
        ["own"]
    );
    assert_eq!(
        server.get(&user, "/api/v1/threats/incidents").await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let overview = server.get(&user, "/api/v1/monitoring/overview").await;
    assert_eq!(
        (
            &overview.body["endpoints"]["online"],
            &overview.body["open_incidents"]["high"]
        ),
        (&json!(1), &json!(1))
    );
    for path in ["", "/metrics", "/events"] {
        let base = "/api/v1/agents/endpoints";
        server
            .get(&user, &format!("{base}/{}{path}", foreign.agent_id))
            .await
            .refused(404, "not_found");
        assert_eq!(
            server
                .get(&user, &format!("{base}/{}{path}", own.agent_id))
                .await
                .status,
            200
        );
    }
    let path = format!("/api/v1/threats/incidents/{}", foreign_incident.as_str().unwrap());
    server.get(&user, &path).await.refused(404, "not_found");
    server
        .patch(&user, &path, json!({ "status": "resolved" }))
        .await
        .refused(403, "missing_permission");
    server
        .get(&user, "/api/v1/threats/rules")
        .await
        .refused(403, "missing_permission");
}

fn encode(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
