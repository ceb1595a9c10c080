use serde_json::{Value, json};
use sg_types::api::Page;
use sg_types::api::threats::{IncidentDetail, IncidentView, TimelineEntry};
use sg_types::{IncidentStatus, Role, TenantId};

use crate::fleet::{TestAgent, TestCaller, TestServer, file_finding};

/// A server with one incident; its path.
async fn with_incident() -> (TestServer, TestCaller, String) {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    agent
        .send(
            &server,
            &[file_finding(
                server.state.now(),
                "eicar",
                "yara",
                "/tmp/eicar.com",
            )],
        )
        .await;
    let found: Page<IncidentView> = server.get(&admin, "/api/v1/threats/incidents").await.expect(200);
    let path = format!("/api/v1/threats/incidents/{}", found.items[0].threat_id);
    (server, admin, path)
}

#[tokio::test]
async fn an_analyst_works_an_incident_to_its_end_and_the_audit_log_tells() {
    let (server, admin, path) = with_incident().await;
    let analyst = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let assigned: IncidentDetail = server
        .patch(
            &analyst,
            &path,
            json!({ "status": "investigating", "assigned_to": analyst.user_id }),
        )
        .await
        .expect(200);
    assert_eq!(
        assigned.incident.assigned_to_username,
        Some(analyst.username.clone())
    );
    let note: TimelineEntry = server
        .post(
            &analyst,
            &format!("{path}/notes"),
            json!({ "text": "Asked the owner." }),
        )
        .await
        .expect(201);
    assert_eq!(
        (note.kind.as_str(), note.actor.as_deref()),
        ("note", Some(analyst.username.as_str()))
    );
    let resolved: IncidentDetail = server
        .patch(
            &analyst,
            &path,
            json!({ "status": "resolved", "resolution_notes": "Deleted." }),
        )
        .await
        .expect(200);
    assert_eq!(
        (
            resolved.incident.resolved_by,
            resolved.incident.resolution_notes.as_deref()
        ),
        (Some(analyst.user_id), Some("Deleted."))
    );
    assert!(resolved.incident.resolved_at.is_some());
    let kinds: Vec<_> = resolved
        .timeline
        .iter()
        .map(|entry| entry.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        ["finding", "assignment", "status", "note", "status", "note"]
    );

    let events = server
        .get(&admin, "/api/v1/audit/events?object_kind=incident")
        .await;
    let resolve = &events.body["items"][0];
    assert_eq!(
        (&resolve["actor_name"], &resolve["action"]),
        (&json!(analyst.username), &json!("incident.update"))
    );
    let change = resolve["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["table"] == "threats.incidents")
        .unwrap();
    assert_eq!(
        (&change["before"]["status"], &change["after"]["status"]),
        (&json!("investigating"), &json!("resolved"))
    );
}

#[tokio::test]
async fn the_workflow_refuses_steps_that_it_does_not_have() {
    let (server, admin, path) = with_incident().await;
    let allowed = |from: IncidentStatus, to: IncidentStatus| from.check_transition(to).is_ok();
    let mut at = IncidentStatus::New;
    let walk = [
        "resolved",
        "new",
        "false_positive",
        "investigating",
        "new",
        "false_positive",
        "resolved",
        "investigating",
        "resolved",
    ];
    for step in walk {
        let to: IncidentStatus = step.parse().unwrap();
        let response = server.patch(&admin, &path, json!({ "status": step })).await;
        if allowed(at, to) {
            let detail: IncidentDetail = response.expect(200);
            assert_eq!(detail.incident.resolved_at.is_some(), to.is_closed());
            assert_eq!(detail.incident.resolved_by.is_some(), to.is_closed());
            at = to;
        } else {
            response.refused(409, "invalid_transition");
        }
    }
    assert_eq!(at, IncidentStatus::Resolved);
    // Staying where it is changes nothing and is nobody's act.
    let before = server.count("select count(*) from audit.events").await;
    server
        .patch(&admin, &path, json!({ "status": "resolved" }))
        .await
        .expect::<Value>(200);
    assert_eq!(server.count("select count(*) from audit.events").await, before);
}

#[tokio::test]
async fn only_people_who_may_work_here_are_assigned() {
    let (server, admin, path) = with_incident().await;
    let stranger = server.caller(server.tenant("other").await, Role::Manager).await;
    let left = server.caller(TenantId::DEFAULT, Role::Manager).await;
    server.test_db.execute("update users.users set is_active = false where user_id = (select max(user_id::text)::uuid from users.users where role = 'manager' and tenant_id = '00000000-0000-0000-0000-000000000001')").await.unwrap();
    for nobody in [
        json!(stranger.user_id),
        json!(left.user_id),
        json!("00000000-0000-0000-0000-000000000000"),
    ] {
        server
            .patch(&admin, &path, json!({ "assigned_to": nobody }))
            .await
            .refused(422, "invalid_body");
    }
    server
        .patch(&admin, &path, json!({ "assigned_to": "me" }))
        .await
        .refused(422, "invalid_body");
    server
        .patch(&admin, &path, json!({ "assigned_to": admin.user_id }))
        .await
        .expect::<Value>(200);
    let cleared: IncidentDetail = server
        .patch(&admin, &path, json!({ "assigned_to": null }))
        .await
        .expect(200);
    assert_eq!(cleared.incident.assigned_to, None);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let (server, admin, path) = with_incident().await;
    let notes = format!("{path}/notes");
    server
        .post(&admin, &notes, json!({ "text": " " }))
        .await
        .refused(422, "invalid_body");
    server
        .post(&admin, &notes, json!({ "text": "x".repeat(10_001) }))
        .await
        .refused(422, "invalid_body");
    server
        .post(&admin, &notes, json!({ "text": "ä".repeat(10_000) }))
        .await
        .expect::<Value>(201);
    server
        .patch(&admin, &path, json!({ "resolution_notes": "x".repeat(10_001) }))
        .await
        .refused(422, "invalid_body");
    server
        .patch(&admin, &path, json!({ "status": "closed" }))
        .await
        .refused(422, "invalid_body");
    server
        .patch(&admin, &path, json!({ "severity": "low" }))
        .await
        .refused(422, "invalid_body");
    server
        .patch(&admin, &path, json!({ "resolution_notes": "a\u{0}b" }))
        .await
        .refused(422, "invalid_body");
}

#[tokio::test]
async fn another_tenant_can_neither_see_nor_touch_it() {
    let (server, _, path) = with_incident().await;
    let stranger = server
        .caller(server.tenant("other").await, Role::SystemAdmin)
        .await;
    server.get(&stranger, &path).await.refused(404, "not_found");
    server
        .patch(&stranger, &path, json!({ "status": "resolved" }))
        .await
        .refused(404, "not_found");
    server
        .post(&stranger, &format!("{path}/notes"), json!({ "text": "hello" }))
        .await
        .refused(404, "not_found");
    assert!(
        server.get(&stranger, "/api/v1/threats/incidents").await.body["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn two_analysts_at_once_are_served_one_after_the_other() {
    let (server, admin, path) = with_incident().await;
    let attempts = (0..6).map(|_| server.patch(&admin, &path, json!({ "status": "resolved" })));
    let answers = futures_util::future::join_all(attempts).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(
        server
            .count("select count(*) from threats.incident_timeline where kind = 'status'")
            .await,
        1
    );
}
