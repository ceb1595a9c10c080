use chrono::Duration;
use sg_server::jobs;
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
    jobs::note_missed_check_ins(server.state.clone()).await.unwrap();
    assert_eq!(server.count(offline).await, 0);
    server.clock.advance(Duration::seconds(61));
    jobs::note_missed_check_ins(server.state.clone()).await.unwrap();
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
    server.clock.advance(Duration::days(31));
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    agent.send(&server, &[metrics(server.state.now(), 3.0)]).await;
    assert_eq!(
        server.count(strays).await,
        0,
        "what is past its retention went, what came has its partition"
    );
    server.clock.advance(Duration::days(30));
    jobs::keep_partitions(server.state.clone()).await.unwrap();
    assert_eq!(
        (
            server.count(old).await,
            server.count("select count(*) from agents.events").await
        ),
        (2, 0)
    );
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
