//! Endpoints that do not check in: what they are, who is told, and what is recorded of it.

mod gaps;
mod offline;
mod outages;

use chrono::Duration;
use serde_json::{Value, json};
use sg_server::jobs;
use sg_types::api::Page;
use sg_types::api::agents::{CoverageGapView, EndpointView};
use sg_types::api::monitoring::{AlertRuleView, AlertView};
use sg_types::{Liveness, Role, TenantId};
use uuid::Uuid;

use super::fleet::{TestAgent, TestCaller, TestServer};

const ALERTS: &str = "/api/v1/monitoring/alerts";
/// Seconds between check-ins.
const INTERVAL: i64 = 30;

/// A server whose endpoints check in every thirty seconds, and its administrator.
async fn start() -> (TestServer, TestCaller) {
    let server = TestServer::start_with(|config| config.ingest.check_in_seconds = 30).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    look(&server).await;
    (server, admin)
}

/// Looks for endpoints that are away. The server's own turn of the job may be at it: then another one is needed.
pub(crate) async fn look(server: &TestServer) {
    for _ in 0..200 {
        jobs::note_missed_check_ins(server.state.clone()).await.unwrap();
        let looked: bool =
            sqlx::query_scalar("select looked_at >= $1 - interval '1 ms' from agents.liveness_watch")
                .bind(server.state.now())
                .fetch_one(&mut server.test_db.connect("postgres").await.unwrap())
                .await
                .unwrap();
        if looked {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the job never had its turn");
}

/// Lets time pass in which the server listens.
pub(crate) async fn pass(server: &TestServer, seconds: i64) {
    let mut left = seconds;
    while left > 0 {
        server.clock.advance(Duration::seconds(left.min(10)));
        left -= 10;
        look(server).await;
    }
}

/// Lets time pass in which these endpoints check in.
async fn pass_with(server: &TestServer, seconds: i64, agents: &mut [TestAgent]) {
    for _ in 0..seconds / 10 {
        pass(server, 10).await;
        for agent in agents.iter_mut() {
            agent.send(server, &[]).await;
        }
    }
}

async fn enrol(server: &TestServer, caller: &TestCaller, count: usize) -> Vec<TestAgent> {
    let mut agents = Vec::new();
    for number in 0..count {
        let mut agent = TestAgent::enrol(
            server,
            caller,
            &format!("m-{number:03}-{}", &caller.username[..6]),
        )
        .await;
        agent.send(server, &[]).await;
        agents.push(agent);
    }
    agents
}

async fn alerts(server: &TestServer, caller: &TestCaller, state: &str) -> Vec<AlertView> {
    let page: Page<AlertView> = server
        .get(caller, &format!("{ALERTS}?state={state}&limit=500"))
        .await
        .expect(200);
    page.items
        .into_iter()
        .filter(|alert| alert.kind == "endpoint_offline")
        .collect()
}

async fn liveness(server: &TestServer, caller: &TestCaller, agent: &TestAgent) -> Liveness {
    let view: EndpointView = server
        .get(caller, &format!("/api/v1/agents/endpoints/{}", agent.agent_id))
        .await
        .expect(200);
    assert_eq!(view.online, view.liveness != Liveness::Offline);
    view.liveness
}

async fn coverage(server: &TestServer, caller: &TestCaller, agent: &TestAgent) -> Vec<CoverageGapView> {
    let page: Page<CoverageGapView> = server
        .get(
            caller,
            &format!("/api/v1/agents/endpoints/{}/coverage?limit=500", agent.agent_id),
        )
        .await
        .expect(200);
    page.items
}

/// Checks in as a process of the agent on a start of the machine.
async fn send_as(server: &TestServer, agent: &mut TestAgent, run: u128, boot: u128, more: Value) {
    let mut body = agent.body(&[], server.state.now());
    let mut told = json!({ "run_id": Uuid::from_u128(run), "boot_id": Uuid::from_u128(boot) });
    told.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body["agent"]["run"] = told;
    let reply: sg_types::agent::CheckInReply = server
        .send("POST", "/agent/v1/check-in", &agent.token, Some(body))
        .await
        .expect(200);
    agent.turn = reply.turn;
    agent.next_seq = reply.acknowledged_through + 1;
}
