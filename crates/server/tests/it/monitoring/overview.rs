use chrono::Duration;
use serde_json::json;
use sg_types::api::monitoring::Overview;
use sg_types::{Role, TenantId};

use crate::fleet::{TestAgent, TestServer, file_finding, process_finding};

#[tokio::test]
async fn the_overview_counts_what_is_there() {
    let server = TestServer::start_with(|config| config.ingest.check_in_seconds = 30).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let stranger = server.caller(server.tenant("other").await, Role::Admin).await;
    let silent = TestAgent::enrol(&server, &admin, "silent").await;
    let gone = TestAgent::enrol(&server, &admin, "gone").await;
    server.send("POST", "/agent/v1/unenrol", &gone.token, None).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    crate::coverage::look(&server).await;
    crate::coverage::pass(&server, 70).await;
    let now = server.state.now();
    agent
        .send(
            &server,
            &[
                file_finding(now, "a", "yara", "/a"),
                process_finding(now - Duration::hours(3), "b", "k", &[], "x"),
            ],
        )
        .await;

    let overview: Overview = server
        .get(&admin, "/api/v1/monitoring/overview")
        .await
        .expect(200);
    assert_eq!(
        (overview.endpoints.online, overview.endpoints.offline),
        (1, 1),
        "{}",
        silent.agent_id
    );
    assert_eq!(
        (
            overview.open_incidents.high,
            overview.open_incidents.critical,
            overview.open_incidents.low
        ),
        (1, 1, 0)
    );
    assert_eq!(
        (
            overview.incidents_by_hour.len(),
            overview.incidents_by_hour.iter().map(|h| h.count).sum::<i64>()
        ),
        (24, 2)
    );
    assert_eq!(
        (
            overview.incidents_by_hour[23].count,
            overview.incidents_by_hour[20].count
        ),
        (1, 1)
    );
    assert_eq!(overview.recent_incidents.len(), 2);

    let id = overview.recent_incidents[0].threat_id;
    server
        .patch(
            &admin,
            &format!("/api/v1/threats/incidents/{id}"),
            json!({ "status": "resolved" }),
        )
        .await;
    let overview: Overview = server
        .get(&admin, "/api/v1/monitoring/overview")
        .await
        .expect(200);
    assert_eq!(overview.open_incidents.high + overview.open_incidents.critical, 1);
    let empty: Overview = server
        .get(&stranger, "/api/v1/monitoring/overview")
        .await
        .expect(200);
    assert_eq!(
        (
            empty.endpoints.online,
            empty.endpoints.offline,
            empty.recent_incidents.len()
        ),
        (0, 0, 0)
    );
}
