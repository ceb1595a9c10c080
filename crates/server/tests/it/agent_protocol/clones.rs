use serde_json::json;
use sg_types::api::Page;
use sg_types::api::threats::IncidentView;
use sg_types::{Ids, Role, TenantId, TimeOrderedIds};
use uuid::Uuid;

use crate::fleet::{TestAgent, TestCaller, TestServer, metrics};

async fn incidents(server: &TestServer, caller: &TestCaller) -> Vec<IncidentView> {
    server
        .get(caller, "/api/v1/threats/incidents")
        .await
        .expect::<Page<IncidentView>>(200)
        .items
}

#[tokio::test]
async fn a_lost_answer_is_no_clone() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    for _ in 0..3 {
        agent.send(&server, &[metrics(server.state.now(), 1.0)]).await;
        // This answer never arrives; the agent repeats itself with the turn it knows.
        agent
            .try_send(&server, &[metrics(server.state.now(), 2.0)])
            .await
            .expect::<serde_json::Value>(200);
    }
    assert!(incidents(&server, &admin).await.is_empty());
}

#[tokio::test]
async fn a_copied_state_is_noticed_and_the_agent_goes_on_under_a_new_epoch() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    agent.send(&server, &[metrics(server.state.now(), 1.0)]).await;
    let mut copy = agent.clone();
    agent.send(&server, &[metrics(server.state.now(), 2.0)]).await;
    copy.send(&server, &[metrics(server.state.now(), 3.0)]).await;
    agent
        .try_send(&server, &[metrics(server.state.now(), 4.0)])
        .await
        .refused(409, "stream_conflict");

    let found = incidents(&server, &admin).await;
    assert_eq!(
        (found.len(), found[0].title.as_str(), found[0].agent_id),
        (1, "Agent identity cloned", Some(agent.agent_id))
    );
    let stored = server.count("select count(*) from agents.system_info").await;
    (agent.epoch, agent.turn, agent.next_seq) = (TimeOrderedIds.next(), Uuid::nil(), 1);
    agent.send(&server, &[metrics(server.state.now(), 4.0)]).await;
    assert_eq!(
        server.count("select count(*) from agents.system_info").await,
        stored + 1
    );
}

#[tokio::test]
async fn a_copy_of_the_first_state_is_noticed() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let copy = agent.clone();
    agent.send(&server, &[]).await;
    agent.send(&server, &[]).await;
    copy.try_send(&server, &[]).await.refused(409, "stream_conflict");
    assert_eq!(incidents(&server, &admin).await.len(), 1);
}

#[tokio::test]
async fn a_stream_that_the_server_forgot_begins_anew_without_an_alarm() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    agent.send(&server, &[]).await;
    server
        .test_db
        .execute("delete from agents.streams")
        .await
        .unwrap();
    agent.try_send(&server, &[]).await.refused(409, "stream_conflict");
    assert!(incidents(&server, &admin).await.is_empty());
}

#[tokio::test]
async fn other_hardware_is_reported_once_not_at_every_check_in() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    agent.send(&server, &[]).await;
    agent.fingerprint = "cd".repeat(32);
    for _ in 0..3 {
        agent.send(&server, &[]).await;
    }
    let found = incidents(&server, &admin).await;
    assert_eq!((found.len(), found[0].occurrence_count), (1, 1));
    assert_eq!(found[0].title, "Agent runs on other hardware");
    let detail = server
        .get(
            &admin,
            &format!("/api/v1/threats/incidents/{}", found[0].threat_id),
        )
        .await;
    assert_eq!(
        detail.body["findings"][0]["evidence"]["reported"],
        json!("cd".repeat(32))
    );
}
