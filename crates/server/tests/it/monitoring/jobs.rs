use chrono::{Duration, DurationRound};
use serde_json::json;
use sg_server::jobs;
use sg_types::api::Page;
use sg_types::api::agents::{EndpointEventView, LegalHoldView, MetricSeries};
use sg_types::{Ids, Role, TenantId, TimeOrderedIds};
use uuid::Uuid;

use crate::fleet::{TestAgent, TestServer, event, metrics};

#[tokio::test]
async fn an_endpoint_that_misses_its_check_ins_is_noted_once_and_written_back() {
    let server = TestServer::start_with(|config| config.ingest.check_in_seconds = 30).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    server.clock.advance(Duration::seconds(20));
    agent.send(&server, &[]).await;
    let behind = "select count(*) from agents.endpoints e join agents.heartbeats h using (agent_id) where e.last_seen < h.last_seen_at";
    let offline = "select count(*) from agents.heartbeats where not online";
    assert_eq!(
        server.count(behind).await,
        1,
        "the documented column does not follow each check-in"
    );
    crate::coverage::look(&server).await;
    assert_eq!(server.count(offline).await, 0);
    for _ in 0..2 {
        server.clock.advance(Duration::seconds(31));
        crate::coverage::look(&server).await;
    }
    assert_eq!((server.count(offline).await, server.count(behind).await), (1, 0));
    agent.send(&server, &[]).await;
    assert_eq!(
        (server.count(offline).await, server.count(behind).await),
        (0, 0),
        "back again, and written at once"
    );
    server.clock.advance(Duration::seconds(20));
    agent.send(&server, &[]).await;
    assert_eq!(server.count(behind).await, 1);
    for _ in 0..200 {
        server.clock.advance(Duration::seconds(20));
        agent.send(&server, &[]).await;
    }
    assert_eq!(server.count("select count(*) from agents.endpoints e join agents.heartbeats h using (agent_id) where e.last_seen < h.last_seen_at - interval '1 hour'").await, 0);
}

#[tokio::test]
async fn partitions_follow_the_time_and_expired_ones_go() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    agent
        .send(
            &server,
            &[
                metrics(now, 1.0),
                event(now, "/a"),
                metrics(now - Duration::days(80), 2.0),
            ],
        )
        .await;
    let old = "select count(*) from agents.system_info";
    let strays = "select count(*) from only agents.system_info_class_90_default";
    assert_eq!((server.count(old).await, server.count(strays).await), (2, 1));
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    assert_eq!(
        (server.count(old).await, server.count(strays).await),
        (2, 0),
        "a late row whose time is sound gets its partition"
    );
    server.clock.advance(Duration::days(31));
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    agent.send(&server, &[metrics(server.state.now(), 3.0)]).await;
    assert_eq!(
        server.count(strays).await,
        0,
        "what is past its retention went, what came has its partition"
    );
    let events = "select count(*) from agents.events";
    server.clock.advance(Duration::days(30));
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    assert_eq!((server.count(old).await, server.count(events).await), (2, 1));
    // The tenant keeps both for 90 days, and events until their week is over.
    server.clock.advance(Duration::days(38));
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    assert_eq!((server.count(old).await, server.count(events).await), (1, 0));
}

#[tokio::test]
async fn streams_that_were_left_are_forgotten_but_the_newest_stay() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    for _ in 0..20 {
        server.clock.advance(Duration::seconds(1));
        (agent.epoch, agent.turn, agent.next_seq) = (TimeOrderedIds.next(), Uuid::nil(), 1);
        agent.send(&server, &[]).await;
    }
    jobs::remove_leftovers(server.state.clone()).await.unwrap();
    assert_eq!(server.count("select count(*) from agents.streams").await, 16);
    agent.send(&server, &[]).await;
}

#[tokio::test]
async fn a_chart_outlives_its_rows_and_a_hold_outlives_the_drop() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let begin = server.state.now().duration_trunc(Duration::hours(1)).unwrap() + Duration::hours(1);
    server
        .clock
        .advance(begin + Duration::minutes(5) - server.state.now());
    let records = [
        metrics(begin + Duration::minutes(1), 10.0),
        metrics(begin + Duration::minutes(3), 30.0),
        event(begin + Duration::minutes(3), "/held"),
    ];
    agent.send(&server, &records).await;
    let path = format!("/api/v1/agents/endpoints/{}", agent.agent_id);
    let chart = format!(
        "{path}/metrics?from={}&to={}",
        (begin - Duration::days(1)).format("%FT%TZ"),
        (begin + Duration::days(1)).format("%FT%TZ")
    );
    server.clock.advance(Duration::hours(3));
    // The server's own turn of the job may hold the lock at this moment.
    for _ in 0..100 {
        jobs::roll_up_metrics(server.state.clone()).await.unwrap();
        if server
            .count("select count(*) from agents.system_info_hourly")
            .await
            > 0
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let raw: MetricSeries = server.get(&admin, &chart).await.expect(200);
    assert_eq!(raw.points.len(), 1);
    let hold = json!({ "agent_id": agent.agent_id, "from_at": begin, "reason": "a case" });
    let hold: LegalHoldView = server
        .post(&admin, "/api/v1/agents/legal-holds", hold)
        .await
        .expect(201);

    server.clock.advance(Duration::days(100));
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    jobs::remove_leftovers(server.state.clone()).await.unwrap();
    let (rows, held) = (
        "select count(*) from agents.system_info",
        "select count(*) from agents.events_held",
    );
    assert_eq!((server.count(rows).await, server.count(held).await), (2, 1));
    let events: Page<EndpointEventView> = server.get(&admin, &format!("{path}/events")).await.expect(200);
    assert_eq!(events.items.len(), 1, "held events are read like others");

    let release = format!("/api/v1/agents/legal-holds/{}/release", hold.hold_id);
    let _: LegalHoldView = server.post(&admin, &release, json!({})).await.expect(200);
    jobs::remove_leftovers(server.state.clone()).await.unwrap();
    assert_eq!((server.count(rows).await, server.count(held).await), (0, 0));
    assert_eq!(
        server
            .count("select count(*) from agents.system_info_hourly")
            .await,
        1
    );
    let rolled: MetricSeries = server.get(&admin, &chart).await.expect(200);
    assert_eq!(
        rolled
            .points
            .iter()
            .map(|point| point.cpu_usage)
            .collect::<Vec<_>>(),
        [Some(20.0)]
    );
    // Longer than the hours are kept.
    server.clock.advance(Duration::days(500));
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    assert_eq!(
        server
            .count("select count(*) from agents.system_info_hourly")
            .await,
        0
    );
    let rolled: MetricSeries = server.get(&admin, &chart).await.expect(200);
    assert_eq!(rolled.points.len(), 1);
}

#[tokio::test]
async fn a_wrong_clock_is_kept_beside_the_time_of_the_receipt() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let (now, ahead) = (server.state.now(), server.state.now() + Duration::days(900));
    agent
        .send(
            &server,
            &[metrics(ahead, 1.0), event(ahead, "/a"), metrics(now, 2.0)],
        )
        .await;
    let kept = "select (select count(*) from agents.system_info where agent_collected_at > now() + interval '899 days' and collected_at < now() + interval '1 day')
        + (select count(*) from agents.events where agent_occurred_at > now() + interval '899 days' and occurred_at < now() + interval '1 day')";
    assert_eq!(server.count(kept).await, 2);
    assert_eq!(
        server
            .count("select count(*) from agents.system_info where agent_collected_at is null")
            .await,
        1
    );
}
