//! Exceptions: what they hide, what they leave alone, and who may make them.

use chrono::Duration;
use serde_json::{Value, json};
use sg_types::api::Page;
use sg_types::api::exceptions::{ExceptedFinding, ExceptionPreview, ExceptionView};
use sg_types::api::threats::{IncidentDetail, IncidentView};
use sg_types::{Role, TenantId};

use crate::fleet::{TestAgent, TestCaller, TestServer, file_finding, process_finding};

const PATH: &str = "/api/v1/threats/exceptions";

async fn titles(server: &TestServer, caller: &TestCaller) -> Vec<String> {
    let incidents = server
        .get(caller, "/api/v1/threats/incidents")
        .await
        .expect::<Page<IncidentView>>(200)
        .items;
    incidents
        .into_iter()
        .filter_map(|one| one.command_line.or(one.file_path))
        .collect()
}

fn exception(scope: Value) -> Value {
    json!({ "name": "Backup", "reason": "It is ours.", "scope": scope })
}

async fn make(server: &TestServer, caller: &TestCaller, scope: Value) -> ExceptionView {
    server.post(caller, PATH, exception(scope)).await.expect(201)
}

#[tokio::test]
async fn what_an_exception_hides_opens_no_incident_and_is_counted() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut web = TestAgent::enrol(&server, &admin, "web-1").await;
    let mut db = TestAgent::enrol(&server, &admin, "db-1").await;
    let now = server.state.now();
    let made = make(
        &server,
        &manager,
        json!({
            "rule_id": "shell", "agent_id": web.agent_id,
            "conditions": [
                { "field": "command_line", "operator": "begins_with", "value": "bash -c backup" },
                { "field": "user", "operator": "is", "value": "root" },
            ],
        }),
    )
    .await;
    assert_eq!(
        (made.is_active, made.hidden_count, made.owner_id),
        (true, 0, Some(manager.user_id))
    );
    let findings = |prefix: &str| {
        [
            process_finding(now, "shell", &format!("{prefix}:1:1"), &[], "bash -c backup /srv"),
            process_finding(now, "shell", &format!("{prefix}:2:1"), &[], "bash -c backup /srv"),
            process_finding(now, "shell", &format!("{prefix}:3:1"), &[], "bash -c evil"),
            process_finding(
                now,
                "other",
                &format!("{prefix}:4:1"),
                &[],
                "bash -c backup /home",
            ),
            file_finding(now, "shell", "yara", "/tmp/backup"),
        ]
    };
    web.send(&server, &findings("w")).await;
    let mut seen = titles(&server, &manager).await;
    seen.sort();
    assert_eq!(seen, ["/tmp/backup", "bash -c backup /home", "bash -c evil"]);
    db.send(&server, &findings("d")[..1]).await;
    assert_eq!(
        titles(&server, &manager).await.len(),
        4,
        "another endpoint's is none of it"
    );

    let path = format!("{PATH}/{}", made.exception_id);
    let shown: ExceptionView = server.get(&manager, &path).await.expect(200);
    assert_eq!((shown.hidden_count, shown.last_hidden_at.is_some()), (2, true));
    let hidden = server
        .get(&manager, &format!("{path}/hidden"))
        .await
        .expect::<Page<ExceptedFinding>>(200)
        .items;
    assert_eq!(hidden.len(), 1, "the same rule on the same command is one line");
    assert_eq!(
        (
            hidden[0].occurrence_count,
            &hidden[0].subject["command_line"],
            hidden[0].hostname.as_deref()
        ),
        (2, &json!("bash -c backup /srv"), Some("web-1"))
    );

    // Ended, it hides nothing more, and stays on the list.
    let ended: ExceptionView = server
        .send("DELETE", &path, &manager.token, None)
        .await
        .expect(200);
    assert_eq!((ended.is_active, ended.ended_at.is_some()), (false, true));
    server
        .send("DELETE", &path, &manager.token, None)
        .await
        .expect::<ExceptionView>(200);
    web.send(&server, &findings("x")[..1]).await;
    assert_eq!(titles(&server, &manager).await.len(), 5);
    let audited = "select count(*) from audit.events where action in ('exception.create', 'exception.end') and outcome = 'success'";
    assert_eq!(server.count(audited).await, 2, "ending twice is told once");
}

#[tokio::test]
async fn an_exception_ends_by_itself() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let mut body = exception(json!({ "rule_id": "eicar" }));
    body["expires_at"] = json!(server.state.now() + Duration::hours(1));
    server.post(&admin, PATH, body).await.expect::<ExceptionView>(201);
    let send = async |agent: &mut TestAgent| {
        let now = server.state.now();
        agent
            .send(&server, &[file_finding(now, "eicar", "yara", "/tmp/eicar.com")])
            .await;
        titles(&server, &admin).await.len()
    };
    assert_eq!(send(&mut agent).await, 0);
    server.clock.advance(Duration::minutes(61));
    assert_eq!(send(&mut agent).await, 1);
    let list: Page<ExceptionView> = server.get(&admin, PATH).await.expect(200);
    assert!(!list.items[0].is_active);
}

#[tokio::test]
async fn a_preview_tells_of_threats_that_were_real() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    agent
        .send(
            &server,
            &[
                file_finding(now, "eicar", "yara", "/srv/mail/one"),
                file_finding(now, "hash", "indicator", "/srv/mail/one"),
                file_finding(now, "eicar", "yara", "/srv/mail/two"),
                file_finding(now, "eicar", "yara", "/srv/mail/two"),
                file_finding(now, "eicar", "yara", "/tmp/three"),
            ],
        )
        .await;
    let incidents: Page<IncidentView> = server.get(&admin, "/api/v1/threats/incidents").await.expect(200);
    let of = |path: &str| {
        let found = incidents
            .items
            .iter()
            .find(|one| one.file_path.as_deref() == Some(path));
        format!("/api/v1/threats/incidents/{}", found.unwrap().threat_id)
    };
    server
        .patch(&admin, &of("/srv/mail/two"), json!({ "status": "resolved" }))
        .await
        .expect::<IncidentDetail>(200);
    let scope = json!({ "rule_id": "eicar", "conditions": [{ "field": "path", "operator": "begins_with", "value": "/srv/mail/" }] });
    let preview = server
        .post(&admin, &format!("{PATH}/preview"), scope.clone())
        .await
        .expect::<ExceptionPreview>(200);
    assert_eq!((preview.matches, preview.endpoints, preview.incidents), (3, 1, 2));
    assert_eq!(
        (preview.hidden_incidents, preview.confirmed_incidents),
        (1, 1),
        "the first has a finding of another rule; the second was real"
    );
    assert_eq!(
        (
            preview.items[0].is_confirmed,
            preview.items[0].is_hidden,
            preview.items[0].matches
        ),
        (true, true, 2)
    );
    assert!(!preview.items[1].is_confirmed && !preview.items[1].is_hidden);
    assert_eq!(
        server.count("select count(*) from threats.exceptions").await,
        0,
        "nothing is stored"
    );
    server.clock.advance(Duration::days(31));
    let later = server
        .post(&admin, &format!("{PATH}/preview"), scope)
        .await
        .expect::<ExceptionPreview>(200);
    assert_eq!((later.matches, later.items.len()), (0, 0));
}

#[tokio::test]
async fn nobody_hides_what_is_not_theirs() {
    let server = TestServer::start().await;
    let tenant = server.tenant("other").await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let user = server.caller(TenantId::DEFAULT, Role::User).await;
    let other = server.caller(tenant, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    for path in [PATH.to_owned(), format!("{PATH}/preview")] {
        let body = if path == PATH {
            exception(json!({ "rule_id": "eicar" }))
        } else {
            json!({ "rule_id": "eicar" })
        };
        server
            .post(&user, &path, body)
            .await
            .refused(403, "missing_permission");
    }
    // Another tenant's exception hides nothing here, and is not there for us.
    let theirs = make(&server, &other, json!({ "rule_id": "eicar" })).await;
    let now = server.state.now();
    agent
        .send(&server, &[file_finding(now, "eicar", "yara", "/tmp/eicar.com")])
        .await;
    assert_eq!(titles(&server, &admin).await.len(), 1);
    let path = format!("{PATH}/{}", theirs.exception_id);
    server.get(&admin, &path).await.refused(404, "not_found");
    server
        .get(&admin, &format!("{path}/hidden"))
        .await
        .refused(404, "not_found");
    server
        .send("DELETE", &path, &admin.token, None)
        .await
        .refused(404, "not_found");
    let list: Page<ExceptionView> = server.get(&admin, PATH).await.expect(200);
    assert!(list.items.is_empty());
    let preview = server
        .post(&other, &format!("{PATH}/preview"), json!({ "rule_id": "eicar" }))
        .await
        .expect::<ExceptionPreview>(200);
    assert_eq!(preview.matches, 0);

    // Nor are another tenant's endpoints, incidents and people anything to refer to.
    let incidents: Page<IncidentView> = server.get(&admin, "/api/v1/threats/incidents").await.expect(200);
    for (field, change) in [
        (
            "scope.agent_id",
            json!({ "scope": { "rule_id": "r", "agent_id": agent.agent_id } }),
        ),
        ("threat_id", json!({ "threat_id": incidents.items[0].threat_id })),
        ("owner_id", json!({ "owner_id": admin.user_id })),
        ("scope", json!({ "scope": {} })),
        ("scope", json!({ "scope": { "agent_id": agent.agent_id } })),
        ("scope.rule_id", json!({ "scope": { "rule_id": "" } })),
        (
            "scope.conditions",
            json!({ "scope": { "conditions": [{ "field": "path", "operator": "is", "value": "" }] } }),
        ),
        ("name", json!({ "name": " " })),
        ("reason", json!({ "reason": "" })),
        ("expires_at", json!({ "expires_at": server.state.now() })),
    ] {
        let mut body = exception(json!({ "rule_id": "r" }));
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let problem = server.post(&other, PATH, body).await.refused(422, "invalid_body");
        assert_eq!(problem["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn who_sees_a_part_of_the_tenant_hides_nothing_of_it() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let made = make(&server, &manager, json!({ "rule_id": "eicar" })).await;
    server
        .sql(
            "insert into users.roles (tenant_id, role, based_on, scope)
             select tenant_id, 'part', 'manager', 'own' from users.users where role = 'manager';
             insert into users.role_permissions (tenant_id, role, permission)
             select tenant_id, 'part', p from users.users, unnest(array['exceptions_manage', 'rules_read']) p where role = 'manager';
             update users.users set role = 'part' where role = 'manager'",
        )
        .await;
    let path = format!("{PATH}/{}", made.exception_id);
    let refused = server
        .post(&manager, PATH, exception(json!({ "rule_id": "r" })))
        .await
        .refused(403, "missing_permission");
    assert!(
        refused["detail"].as_str().unwrap().contains("whole tenant"),
        "the role has the permission, not the tenant: {refused}"
    );
    server
        .send("DELETE", &path, &manager.token, None)
        .await
        .refused(403, "missing_permission");
    server.get(&manager, &path).await.refused(404, "not_found");
    assert_eq!(
        server
            .count("select count(*) from threats.exceptions where ended_at is null")
            .await,
        1
    );
}

#[tokio::test]
async fn a_condition_on_what_is_not_there_hides_nothing() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    for (field, operator, value) in [
        ("parent_image", "is", "/usr/bin/cron"),
        ("path", "contains", "%"),
        ("path", "begins_with", "/TMP/"),
        ("path", "ends_with", "/tmp/eicar.com/and/more"),
        ("command_line", "contains", "eicar"),
    ] {
        let condition = json!({ "field": field, "operator": operator, "value": value });
        make(&server, &admin, json!({ "conditions": [condition] })).await;
    }
    let now = server.state.now();
    agent
        .send(&server, &[file_finding(now, "eicar", "yara", "/tmp/eicar.com")])
        .await;
    assert_eq!(titles(&server, &admin).await.len(), 1);
    let condition = json!({ "field": "path", "operator": "ends_with", "value": "/eicar.com" });
    make(&server, &admin, json!({ "conditions": [condition] })).await;
    agent
        .send(&server, &[file_finding(now, "other", "yara", "/srv/eicar.com")])
        .await;
    assert_eq!(titles(&server, &admin).await.len(), 1);
}
