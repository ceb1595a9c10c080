//! What agents get: the pack, or the pack with what their tenant has changed, and never another tenant's.

use serde_json::json;
use sg_detect::{Event, compile, default_pack};
use sg_types::agent::ProcessSubject;
use sg_types::api::Page;
use sg_types::api::rules::{RuleDetail, RuleView};
use sg_types::api::threats::IncidentView;
use sg_types::{Ids, Role, RuleKind, TenantId, TimeOrderedIds};

use super::{PATH, create, fetch, names, sigma};
use crate::fleet::{TestAgent, TestServer, record};

fn started(image: &str) -> ProcessSubject {
    ProcessSubject {
        key: "boot:7:1".to_owned(),
        ancestors: Vec::new(),
        pid: 7,
        name: "xmrig".to_owned(),
        image: Some(image.to_owned()),
        command_line: format!("{image} -o pool"),
        current_directory: None,
        sha256: None,
        user: Some("anna".to_owned()),
        parent_image: None,
        parent_command_line: None,
    }
}

#[tokio::test]
async fn an_own_rule_reaches_the_tenants_agents_alone_and_opens_an_incident() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let other = server.caller(server.tenant("other").await, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &own, "web-1").await;
    let mut stranger = TestAgent::enrol(&server, &other, "web-1").await;
    let (before, shared) = fetch(&server, &mut agent).await;
    let (theirs, package) = fetch(&server, &mut stranger).await;
    assert_eq!(
        (before, &shared),
        (theirs, &package),
        "without changes all share one package"
    );

    create(&server, &own, "odd", "xmrig").await;
    let (offered, package) = fetch(&server, &mut agent).await;
    assert!(offered > before && package.version == offered);
    assert_eq!(package.rules.len(), shared.rules.len() + 1);
    let (rules, diagnostics) = compile(&package.rules);
    assert_eq!(diagnostics, []);
    let process = started("/opt/xmrig");
    let mut found = rules.evaluate(&Event::process(&process));
    found.retain(|found| found.rule.id == "odd");
    assert_eq!(found.len(), 1);
    let finding = found.remove(0).into_finding(
        TimeOrderedIds.next().into(),
        sg_types::agent::Subject::Process(process),
    );
    let mut body = serde_json::to_value(&finding).unwrap();
    body["type"] = json!("finding");
    agent.send(&server, &[record(server.state.now(), body)]).await;
    let incidents = server
        .get(&own, "/api/v1/threats/incidents")
        .await
        .expect::<Page<IncidentView>>(200)
        .items;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].title, "xmrig started: /opt/xmrig");

    let (theirs, package) = fetch(&server, &mut stranger).await;
    assert_eq!((theirs, &package), (before, &shared));
    let text = serde_json::to_string(&package).unwrap();
    assert!(!text.contains("xmrig started"));
    // When the other tenant has a set of its own too, each gets its own.
    create(&server, &other, "odd", "theirs").await;
    let (_, theirs) = fetch(&server, &mut stranger).await;
    let (_, ours) = fetch(&server, &mut agent).await;
    assert_eq!(theirs.rules.last().unwrap().text, sigma("odd", "theirs"));
    assert_eq!(ours.rules.last().unwrap().text, sigma("odd", "xmrig"));
}

#[tokio::test]
async fn each_change_is_offered_and_the_version_never_goes_back() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let (mut last, shared) = fetch(&server, &mut agent).await;
    create(&server, &admin, "odd", "xmrig").await;
    let path = format!("{PATH}/odd");
    // The clock stands still: versions grow by themselves.
    for (change, expected) in [
        (
            json!({ "text": sigma("odd", "miner") }),
            Some(sigma("odd", "miner")),
        ),
        (json!({ "is_enabled": false }), None),
        (json!({ "is_enabled": true }), Some(sigma("odd", "miner"))),
    ] {
        server
            .patch(&admin, &path, change)
            .await
            .expect::<RuleDetail>(200);
        let (offered, package) = fetch(&server, &mut agent).await;
        assert!(offered > last, "{offered} after {last}");
        assert_eq!(package.version, offered);
        let own = package.rules.iter().find(|rule| rule.name == "odd");
        assert_eq!(own.map(|rule| rule.text.clone()), expected);
        last = offered;
    }
    server
        .send("DELETE", &path, &admin.token, None)
        .await
        .expect::<()>(204);
    let (offered, package) = fetch(&server, &mut agent).await;
    assert!(offered > last);
    assert_eq!(
        package.rules, shared.rules,
        "the pack again, under a higher version"
    );

    // A pack that comes later is above every version that any agent has.
    server.sql("insert into threats.rule_sets (tenant_id, version, changed_at) values ('00000000-0000-0000-0000-000000000000', 99999999999, now())").await;
    let mut tx = server.state.db.system("test").await.unwrap();
    let next = sg_db::threats::publish_rules(&mut tx, [7; 32], server.state.now())
        .await
        .unwrap();
    assert_eq!(next, 100_000_000_000);
    tx.commit_upkeep().await.unwrap();
}

#[tokio::test]
async fn what_the_tenant_switches_off_is_left_out_and_silent() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let rules = server
        .get(&admin, &format!("{PATH}?limit=500"))
        .await
        .expect::<Page<RuleView>>(200)
        .items;
    let (_, before) = fetch(&server, &mut agent).await;
    // Rules that are correlated share their file.
    let of = |kind| {
        rules
            .iter()
            .find(|rule| rule.kind == kind && !before.switched_off.contains(&rule.rule_id))
            .unwrap()
            .rule_id
            .clone()
    };
    let (sigma_rule, yara_rule, indicator) =
        (of(RuleKind::Sigma), of(RuleKind::Yara), of(RuleKind::Indicator));
    for id in [&sigma_rule, &yara_rule, &indicator] {
        let path = format!("{PATH}/{}", id.replace('/', "%2F"));
        server
            .patch(&admin, &path, json!({ "is_enabled": false }))
            .await
            .expect::<RuleDetail>(200);
    }
    let (_, package) = fetch(&server, &mut agent).await;
    let mut off = package.switched_off.clone();
    off.sort();
    // What the pack only correlates is off for everybody.
    let mut expected = before.switched_off.clone();
    assert_eq!(expected.len(), 8);
    expected.extend([sigma_rule.clone(), yara_rule, indicator]);
    expected.sort();
    assert_eq!(off, expected);
    assert_eq!(
        package.rules.len(),
        default_pack().len() - 1,
        "the Sigma file goes as a whole"
    );
    let (mut compiled, diagnostics) = compile(&package.rules);
    assert_eq!(diagnostics, []);
    assert!(compiled.rules().iter().all(|rule| rule.id != sigma_rule));
    compiled.switch_off(package.switched_off);
}

#[tokio::test]
async fn a_broken_rule_in_the_database_takes_no_other_down() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    for id in ["a", "b", "c"] {
        create(&server, &admin, id, id).await;
    }
    server
        .sql("update threats.rules set text = 'title: [' where rule_id = 'b'")
        .await;
    let (_, package) = fetch(&server, &mut agent).await;
    assert!(names(&package).ends_with(&["a", "b", "c"]));
    let (rules, diagnostics) = compile(&package.rules);
    assert_eq!(diagnostics.len(), 1);
    assert!(
        ["a", "c"]
            .iter()
            .all(|id| rules.rules().iter().any(|rule| rule.id == *id))
    );
}

#[tokio::test]
async fn a_node_with_an_older_pack_signs_nothing_under_the_tenants_version() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    agent.send(&server, &[]).await;
    let mut tx = server.state.db.system("test").await.unwrap();
    sg_db::threats::publish_rules(&mut tx, [7; 32], server.state.now())
        .await
        .unwrap();
    tx.commit_upkeep().await.unwrap();
    create(&server, &admin, "odd", "xmrig").await;
    server
        .send("GET", "/agent/v1/rules", &agent.token, None)
        .await
        .refused(503, "unavailable");
}

#[tokio::test]
async fn an_agent_with_a_foreign_or_revoked_token_gets_no_rules() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    create(&server, &admin, "odd", "xmrig").await;
    for token in [
        admin.token.as_str(),
        "",
        "sga_0000000000000000000000000000000000000000000",
    ] {
        let refused = server.send("GET", "/agent/v1/rules", token, None).await;
        refused.refused(401, "unauthenticated");
    }
    server
        .send("POST", "/agent/v1/unenrol", &agent.token, None)
        .await
        .expect::<()>(204);
    server
        .send("GET", "/agent/v1/rules", &agent.token, None)
        .await
        .refused(401, "unauthenticated");
}
