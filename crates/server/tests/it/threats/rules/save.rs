//! Adding, changing, switching and removing rules.

use serde_json::{Value, json};
use sg_types::api::Page;
use sg_types::api::rules::{
    RuleChange, RuleDetail, RuleOrigin, RuleValidation, RuleVersionDetail, RuleVersionView, RuleView,
};
use sg_types::{Role, TenantId};

use super::{PATH, body, create, sigma};
use crate::fleet::{TestAgent, TestCaller, TestServer, process_finding};

async fn versions(server: &TestServer, caller: &TestCaller, id: &str) -> Vec<RuleVersionView> {
    server
        .get(caller, &format!("{PATH}/{id}/versions"))
        .await
        .expect::<Page<RuleVersionView>>(200)
        .items
}

async fn list(server: &TestServer, caller: &TestCaller, query: &str) -> Vec<RuleView> {
    server
        .get(caller, &format!("{PATH}?limit=500&{query}"))
        .await
        .expect::<Page<RuleView>>(200)
        .items
}

#[tokio::test]
async fn every_save_is_a_version_with_who_when_and_why() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let made = create(&server, &manager, "odd", "xmrig").await;
    assert_eq!(
        (
            made.rule.rule_id.as_str(),
            made.rule.origin,
            made.rule.is_enabled,
            made.rule.version
        ),
        ("odd", RuleOrigin::Tenant, true, 1)
    );
    let path = format!("{PATH}/odd");
    let text = sigma("odd", "miner");
    let changed: RuleDetail = server
        .patch(
            &manager,
            &path,
            json!({ "text": text, "version": 1, "reason": "renamed" }),
        )
        .await
        .expect(200);
    assert_eq!(
        (changed.rule.version, changed.rule.name.as_str()),
        (2, "miner started")
    );
    for is_enabled in [false, false, true] {
        server
            .patch(&manager, &path, json!({ "is_enabled": is_enabled }))
            .await
            .expect::<RuleDetail>(200);
    }
    // The text as it is: nothing happens.
    let same: RuleDetail = server
        .patch(&manager, &path, json!({ "text": text }))
        .await
        .expect(200);
    assert_eq!(same.rule.version, 4);
    server
        .send("DELETE", &format!("{path}?reason=noise"), &manager.token, None)
        .await
        .expect::<()>(204);
    server.get(&manager, &path).await.refused(404, "not_found");
    server
        .send("DELETE", &path, &manager.token, None)
        .await
        .refused(404, "not_found");
    let again = create(&server, &manager, "odd", "xmrig").await;
    assert_eq!(again.rule.version, 6);

    let history = versions(&server, &manager, "odd").await;
    let told: Vec<_> = history
        .iter()
        .rev()
        .map(|one| (one.version, one.change, one.is_enabled, one.reason.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (1, RuleChange::Create, true, Some("because")),
            (2, RuleChange::Update, true, Some("renamed")),
            (3, RuleChange::Disable, false, None),
            (4, RuleChange::Enable, true, None),
            (5, RuleChange::Remove, false, Some("noise")),
            (6, RuleChange::Create, true, Some("because")),
        ]
    );
    assert!(
        history
            .iter()
            .all(|one| one.changed_by_username.as_ref() == Some(&manager.username))
    );
    let third: RuleVersionDetail = server
        .get(&manager, &format!("{path}/versions/3"))
        .await
        .expect(200);
    assert_eq!(
        (third.text.as_ref(), third.version.has_text),
        (Some(&text), false)
    );
    server
        .get(&manager, &format!("{path}/versions/7"))
        .await
        .refused(404, "not_found");
    let page = server.get(&manager, &format!("{path}/versions?limit=4")).await;
    let cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
    let rest = server
        .get(&manager, &format!("{path}/versions?limit=4&cursor={cursor}"))
        .await
        .expect::<Page<RuleVersionView>>(200);
    assert_eq!((rest.items.len(), rest.next_cursor), (2, None));
    let audited = "select count(*) from audit.events where object_kind = 'rule' and object_id = 'odd'";
    assert_eq!(server.count(audited).await, 6, "what changed nothing is not told");
}

#[tokio::test]
async fn a_rule_that_does_not_compile_is_refused_at_its_line_and_a_warning_is_kept() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let broken = sigma("odd", "xmrig").replace("not filter_root", "not filter_rot");
    for (kind, text, code, line) in [
        ("sigma", broken.clone(), "D011", json!(12)),
        ("sigma", "title: [".to_owned(), "D002", json!(2)),
        ("yara", "rule a {\n condition: b }".to_owned(), "D030", json!(2)),
        ("indicator", "name\nx\n".to_owned(), "D040", json!(1)),
        (
            "sigma",
            format!("{}---\n{}", sigma("a", "b"), sigma("c", "d")),
            "R001",
            Value::Null,
        ),
    ] {
        let refused = server
            .post(&manager, PATH, json!({ "kind": kind, "text": text }))
            .await
            .refused(422, "invalid_body");
        let error = &refused["errors"][0];
        assert_eq!(
            (&error["field"], &error["code"], &error["line"]),
            (&json!("text"), &json!(code), &line),
            "{refused}"
        );
    }
    assert_eq!(server.count("select count(*) from threats.rules").await, 0);
    assert_eq!(server.count("select count(*) from threats.rule_sets").await, 0);

    let warned = sigma("odd", "xmrig").replace("level: high\n", "");
    let made: RuleDetail = server
        .post(&manager, PATH, json!({ "kind": "sigma", "text": warned }))
        .await
        .expect(201);
    assert_eq!(
        (made.diagnostics[0].code.as_str(), made.rule.warnings),
        ("D050", 1)
    );
    server
        .patch(&manager, &format!("{PATH}/odd"), json!({ "text": broken }))
        .await
        .refused(422, "invalid_body");
    let other_id = server
        .patch(
            &manager,
            &format!("{PATH}/odd"),
            json!({ "text": sigma("even", "x") }),
        )
        .await
        .refused(422, "invalid_body");
    assert!(
        other_id["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("keeps its id")
    );

    let judged: RuleValidation = server
        .post(
            &manager,
            &format!("{PATH}/validations"),
            json!({ "kind": "sigma", "text": broken }),
        )
        .await
        .expect(200);
    assert_eq!(
        (
            judged.is_valid,
            judged.rule_id.as_deref(),
            judged.diagnostics[0].line
        ),
        (false, Some("odd"), Some(12))
    );
}

#[tokio::test]
async fn two_people_do_not_overwrite_each_other() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    create(&server, &manager, "odd", "xmrig").await;
    server
        .post(&manager, PATH, body("odd", "other"))
        .await
        .refused(409, "already_exists");
    let changes = (0..6).map(|number| {
        let (server, manager) = (&server, &manager);
        async move {
            let change = json!({ "text": sigma("odd", &format!("p{number}")), "version": 1 });
            server
                .patch(manager, &format!("{PATH}/odd"), change)
                .await
                .status
                .as_u16()
        }
    });
    let mut statuses = futures_util::future::join_all(changes).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409]);
    assert_eq!(versions(&server, &manager, "odd").await.len(), 2);
}

#[tokio::test]
async fn rules_of_the_pack_are_switched_and_nothing_else() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let all = list(&server, &manager, "").await;
    let sigma_rule = all
        .iter()
        .find(|rule| rule.kind == sg_types::RuleKind::Sigma)
        .unwrap();
    let path = format!("{PATH}/{}", sigma_rule.rule_id);
    let off: RuleDetail = server
        .patch(&manager, &path, json!({ "is_enabled": false, "reason": "noise" }))
        .await
        .expect(200);
    assert_eq!(
        (off.rule.is_enabled, off.rule.origin, off.rule.version),
        (false, RuleOrigin::Pack, 1)
    );
    assert!(off.text.unwrap().contains(&sigma_rule.rule_id));
    let shown = list(&server, &manager, "is_enabled=false").await;
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (&shown[0].rule_id, shown[0].changed_by_username.as_ref()),
        (&sigma_rule.rule_id, Some(&manager.username))
    );
    server
        .patch(&manager, &path, json!({ "text": sigma("odd", "x") }))
        .await
        .refused(409, "pack_rule");
    server
        .send("DELETE", &path, &manager.token, None)
        .await
        .refused(409, "pack_rule");
    let taken = server.post(&manager, PATH, body(&sigma_rule.rule_id, "x")).await;
    let taken = taken.refused(422, "invalid_body");
    assert_eq!(taken["errors"][0]["code"], "R004");
    let on: RuleDetail = server
        .patch(&manager, &path, json!({ "is_enabled": true }))
        .await
        .expect(200);
    assert_eq!((on.rule.is_enabled, on.rule.version), (true, 2));
    assert_eq!(versions(&server, &manager, &sigma_rule.rule_id).await.len(), 2);
    let untouched = &all.last().unwrap().rule_id;
    assert!(versions(&server, &manager, untouched).await.is_empty());
    server
        .patch(
            &manager,
            &format!("{PATH}/no-such-rule"),
            json!({ "is_enabled": false }),
        )
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn rules_take_the_permission_and_the_whole_tenant() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    create(&server, &admin, "odd", "xmrig").await;
    let user = server.caller(TenantId::DEFAULT, Role::User).await;
    let part = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let reader = server.caller(TenantId::DEFAULT, Role::Manager).await;
    for (name, scope, permissions, caller) in [
        (
            "part",
            "own",
            json!(["rules_read", "rules_manage", "endpoints_read"]),
            &part,
        ),
        ("reader", "tenant", json!(["rules_read"]), &reader),
    ] {
        server
            .post(
                &admin,
                "/api/v1/users/roles",
                json!({ "role": name, "based_on": "manager", "scope": scope, "permissions": permissions }),
            )
            .await
            .expect::<Value>(201);
        server
            .patch(
                &admin,
                &format!("/api/v1/users/{}", caller.user_id),
                json!({ "role": name }),
            )
            .await
            .expect::<Value>(200);
    }
    let changes: [(&str, String, Value); 6] = [
        ("POST", PATH.to_owned(), body("even", "x")),
        ("PATCH", format!("{PATH}/odd"), json!({ "is_enabled": false })),
        ("DELETE", format!("{PATH}/odd"), Value::Null),
        (
            "POST",
            format!("{PATH}/imports"),
            json!({ "files": [{ "path": "a.yml", "text": sigma("even", "x") }] }),
        ),
        (
            "POST",
            format!("{PATH}/trials"),
            json!({ "kind": "sigma", "text": sigma("even", "x") }),
        ),
        (
            "PATCH",
            format!("{PATH}/odd"),
            json!({ "text": sigma("odd", "x") }),
        ),
    ];
    for caller in [&user, &part, &reader] {
        for (method, path, body) in &changes {
            let body = (!body.is_null()).then(|| body.clone());
            server
                .send(method, path, &caller.token, body)
                .await
                .refused(403, "missing_permission");
        }
    }
    server.get(&user, PATH).await.refused(403, "missing_permission");
    for caller in [&part, &reader] {
        let own = list(&server, caller, "origin=tenant").await;
        assert_eq!(own.len(), 1, "who may read rules reads them");
    }
    assert_eq!(
        server.count("select count(*) from threats.rule_versions").await,
        1
    );
}

#[tokio::test]
async fn another_tenants_rules_are_not_there() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let other = server.caller(server.tenant("other").await, Role::Admin).await;
    create(&server, &own, "odd", "xmrig").await;
    assert!(list(&server, &other, "origin=tenant").await.is_empty());
    assert!(list(&server, &other, "search=xmrig").await.is_empty());
    let path = format!("{PATH}/odd");
    for path in [
        path.clone(),
        format!("{path}/versions"),
        format!("{path}/versions/1"),
    ] {
        server.get(&other, &path).await.refused(404, "not_found");
    }
    server
        .patch(&other, &path, json!({ "is_enabled": false }))
        .await
        .refused(404, "not_found");
    server
        .send("DELETE", &path, &other.token, None)
        .await
        .refused(404, "not_found");
    let event = json!({ "kind": "file_written", "path": "/x", "size": 1 });
    server
        .post(
            &other,
            &format!("{PATH}/explanations"),
            json!({ "rule_id": "odd", "event": event }),
        )
        .await
        .refused(404, "not_found");
    // The id is free there, and stays apart.
    create(&server, &other, "odd", "theirs").await;
    let shown: RuleDetail = server.get(&own, &path).await.expect(200);
    assert_eq!(
        (shown.rule.name.as_str(), shown.rule.version),
        ("xmrig started", 1)
    );
}

#[tokio::test]
async fn a_tenant_has_no_more_rules_than_its_endpoints_can_carry() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    create(&server, &manager, "odd", "xmrig").await;
    server.sql("update threats.rules set regexes = 2500").await;
    let text = sigma("even", "x").replace("Image|endswith: '/x'", "Image|re: 'x+'");
    let refused = server
        .post(&manager, PATH, json!({ "kind": "sigma", "text": text }))
        .await
        .refused(422, "invalid_body");
    assert_eq!(refused["errors"][0]["code"], "R005");
    assert!(
        refused["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("regular expressions")
    );
    // One rule in the place of the heavy one is no more than before.
    let lighter = sigma("odd", "y").replace("Image|endswith: '/y'", "Image|re: 'y+'");
    server
        .patch(&manager, &format!("{PATH}/odd"), json!({ "text": lighter }))
        .await
        .expect::<RuleDetail>(200);
    server
        .post(&manager, PATH, json!({ "kind": "sigma", "text": text }))
        .await
        .expect::<RuleDetail>(201);
    let large = json!({ "kind": "yara", "text": " ".repeat(512 * 1024 + 1) });
    let refused = server
        .post(&manager, PATH, large)
        .await
        .refused(422, "invalid_body");
    assert_eq!(refused["errors"][0]["code"], "D001");
}

#[tokio::test]
async fn lists_tell_what_a_rule_found_and_how_it_was_judged() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let mut agent = TestAgent::enrol(&server, &manager, "web-1").await;
    create(&server, &manager, "odd", "xmrig").await;
    let now = server.state.now();
    let findings: Vec<_> = (0..4)
        .map(|n| process_finding(now, "odd", &format!("b:{n}:1"), &[], &format!("xmrig {n}")))
        .collect();
    agent.send(&server, &findings).await;
    server
        .sql("update threats.incidents set status = case when command_line = 'xmrig 0' then 'resolved' else 'false_positive' end where command_line <> 'xmrig 3'")
        .await;
    let shown = list(&server, &manager, "origin=tenant").await;
    let record = &shown[0].record;
    assert_eq!(
        (
            record.matches,
            record.incidents,
            record.confirmed,
            record.false_positives
        ),
        (4, 4, 1, 2)
    );
    assert!((record.precision.unwrap() - 1.0 / 3.0).abs() < 1e-9);
    let untouched = list(&server, &manager, "origin=pack&kind=yara").await;
    assert!(!untouched.is_empty() && untouched.iter().all(|rule| rule.record.precision.is_none()));
}
