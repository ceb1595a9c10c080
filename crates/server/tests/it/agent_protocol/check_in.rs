use chrono::Duration;
use sg_types::api::Page;
use sg_types::api::agents::{EndpointEventView, EndpointView, MetricSeries};
use sg_types::api::threats::{IncidentDetail, IncidentView};
use sg_types::{Ids, Role, TenantId, TimeOrderedIds};
use uuid::Uuid;

use crate::fleet::{TestAgent, TestServer, event, file_finding, gap, metrics};

const ROWS: &str = "select count(*) from agents.system_info";
const EVENTS: &str = "select count(*) from agents.events";
const OCCURRENCES: &str = "select count(*) from threats.occurrences";

#[tokio::test]
async fn what_an_agent_sends_is_seen_through_the_api() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();

    let reply = agent
        .send(
            &server,
            &[
                metrics(now, 12.5),
                event(now, "/srv/a"),
                file_finding(now, "eicar", "yara", "/srv/eicar.com"),
            ],
        )
        .await;
    assert_eq!(reply.acknowledged_through, 3);
    assert!(reply.rules_version > 0 && reply.check_in_seconds > 0);

    let endpoints: Page<EndpointView> = server.get(&admin, "/api/v1/agents/endpoints").await.expect(200);
    let endpoint = &endpoints.items[0];
    assert_eq!(
        (
            endpoint.hostname.as_str(),
            endpoint.online,
            endpoint.open_incidents
        ),
        ("web-1", true, 1)
    );
    assert_eq!((endpoint.cpu_usage, endpoint.sources.len()), (Some(12.5), 1));
    assert_eq!(endpoint.mac_address.as_deref(), Some("02:42:ac:11:00:02"));
    assert_eq!(endpoint.ip_address.as_deref(), Some("192.0.2.10"));

    let path = format!("/api/v1/agents/endpoints/{}/metrics?points=10", agent.agent_id);
    let series: MetricSeries = server.get(&admin, &path).await.expect(200);
    // The sample is as old as the end of the range, which it does not include.
    assert!(series.points.is_empty());
    server.clock.advance(Duration::seconds(1));
    let series: MetricSeries = server.get(&admin, &path).await.expect(200);
    assert_eq!(
        (
            series.points.len(),
            series.points[0].cpu_usage,
            series.points[0].rx_bytes_per_second
        ),
        (1, Some(12.5), Some(1000.0))
    );

    let path = format!("/api/v1/agents/endpoints/{}/events", agent.agent_id);
    let events: Page<EndpointEventView> = server.get(&admin, &path).await.expect(200);
    assert_eq!(
        (
            events.items[0].kind.as_str(),
            events.items[0].detail["path"].as_str()
        ),
        ("file_written", Some("/srv/a"))
    );

    let incidents: Page<IncidentView> = server.get(&admin, "/api/v1/threats/incidents").await.expect(200);
    let incident = &incidents.items[0];
    assert_eq!(incident.title, "Rule eicar: /srv/eicar.com");
    assert_eq!(
        (incident.file_path.as_deref(), incident.hash.clone()),
        (Some("/srv/eicar.com"), Some("27".repeat(32)))
    );
    let detail: IncidentDetail = server
        .get(
            &admin,
            &format!("/api/v1/threats/incidents/{}", incident.threat_id),
        )
        .await
        .expect(200);
    assert_eq!((detail.findings.len(), detail.timeline.len()), (1, 1));
}

#[tokio::test]
async fn a_repeat_stores_nothing_twice_and_is_acknowledged_again() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    let records = [
        metrics(now, 1.0),
        event(now, "/a"),
        file_finding(now, "r", "yara", "/a"),
        gap(now, 5),
    ];

    // The answer was lost: the same check-in comes again, then with more at its end.
    for _ in 0..3 {
        agent
            .try_send(&server, &records)
            .await
            .expect::<serde_json::Value>(200);
    }
    let more: Vec<_> = records.iter().cloned().chain([metrics(now, 2.0)]).collect();
    let reply = agent.send(&server, &more).await;

    assert_eq!(reply.acknowledged_through, 5);
    let gaps = "select count(*) from agents.gaps";
    assert_eq!(
        [
            server.count(ROWS).await,
            server.count(EVENTS).await,
            server.count(OCCURRENCES).await,
            server.count(gaps).await
        ],
        [2, 1, 1, 1]
    );
    assert_eq!(
        server
            .count("select sum(occurrence_count)::bigint from threats.incidents")
            .await,
        1
    );
}

#[tokio::test]
async fn events_are_kept_for_as_long_as_the_subscription_says() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let two_months_ago = server.state.now() - Duration::days(60);
    let path = format!("/api/v1/agents/endpoints/{}/events", agent.agent_id);

    for (subscribe, path_of_file, known) in [
        ("update users.subscriptions set retention_class = 400", "/a", true),
        ("update users.subscriptions set retention_class = 30", "/b", false),
    ] {
        server.test_db.execute(subscribe).await.unwrap();
        agent.send(&server, &[event(two_months_ago, path_of_file)]).await;
        let events: Page<EndpointEventView> = server.get(&admin, &path).await.expect(200);
        let stored = events
            .items
            .iter()
            .find(|event| event.detail["path"] == path_of_file)
            .unwrap();
        // What is older than the tenant keeps is dated to its receipt.
        let age = server.state.now() - stored.occurred_at;
        assert_eq!(age > Duration::days(59), known, "{path_of_file}: {age}");
    }
    let in_classes =
        "select count(distinct retention_class) from agents.events where retention_class in (30, 400)";
    assert_eq!(server.count(in_classes).await, 2);
    // Two months are no reason to go where they are kept for 400 days.
    let old = "select count(*) from agents.events where occurred_at < now() - interval '59 days'";
    server
        .test_db
        .execute("set role sg_system; select agents.drop_expired_partitions(now())")
        .await
        .unwrap();
    assert_eq!(server.count(old).await, 1);
}

#[tokio::test]
async fn the_same_records_under_a_new_epoch_are_stored_once() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    // Among them records of a clock that is wrong, whose time is the receipt's.
    let records = [
        metrics(now, 1.0),
        metrics(now + Duration::days(3), 2.0),
        metrics(now - Duration::days(2_000), 3.0),
        event(now + Duration::days(400), "/a"),
        file_finding(now + Duration::hours(5), "r", "yara", "/a"),
    ];
    agent.send(&server, &records).await;
    server.clock.advance(Duration::hours(30));
    (agent.epoch, agent.turn, agent.next_seq) = (TimeOrderedIds.next(), Uuid::nil(), 1);
    agent.send(&server, &records).await;

    assert_eq!(
        [
            server.count(ROWS).await,
            server.count(EVENTS).await,
            server.count(OCCURRENCES).await
        ],
        [3, 1, 1]
    );
    assert_eq!(server.count("select count(*) from agents.system_info where collected_at > received_at + interval '1 minute'").await, 0);
    assert_eq!(server.count("select count(*) from agents.system_info where collected_at < received_at - interval '90 days'").await, 0);
}

#[tokio::test]
async fn missing_numbers_are_a_recorded_gap() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    agent.send(&server, &[metrics(now, 1.0)]).await;
    agent.next_seq = 12;
    let reply = agent.send(&server, &[metrics(now, 2.0)]).await;
    assert_eq!(reply.acknowledged_through, 12);
    let path = format!("/api/v1/agents/endpoints/{}/events", agent.agent_id);
    let events: Page<EndpointEventView> = server.get(&admin, &path).await.expect(200);
    assert_eq!(
        (
            events.items[0].kind.as_str(),
            events.items[0].detail["lost_records"].as_i64()
        ),
        ("gap", Some(10))
    );
    assert_eq!(events.items[0].detail["noticed_by"], "server");

    // What was missing comes late after all: it is a repeat of numbers that are over, and changes nothing.
    agent.next_seq = 2;
    let reply = agent.send(&server, &[metrics(now, 3.0)]).await;
    assert_eq!((reply.acknowledged_through, server.count(ROWS).await), (12, 2));
}

#[tokio::test]
async fn a_check_in_without_records_keeps_the_endpoint_online() {
    let server = TestServer::start_with(|config| config.ingest.check_in_seconds = 30).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    for _ in 0..5 {
        server.clock.advance(Duration::seconds(50));
        agent.send(&server, &[]).await;
    }
    let endpoints: Page<EndpointView> = server
        .get(&admin, "/api/v1/agents/endpoints?online=true")
        .await
        .expect(200);
    assert_eq!(
        (endpoints.items.len(), endpoints.items[0].last_seen),
        (1, Some(truncated(server.state.now())))
    );
    crate::coverage::look(&server).await;
    crate::coverage::pass(&server, 70).await;
    let endpoints: Page<EndpointView> = server
        .get(&admin, "/api/v1/agents/endpoints?online=true")
        .await
        .expect(200);
    assert!(endpoints.items.is_empty());
}

/// PostgreSQL keeps microseconds.
fn truncated(at: chrono::DateTime<chrono::Utc>) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap()
}
