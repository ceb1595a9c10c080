//! Correlation rules from the check-in to the incident.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sg_server::jobs;
use sg_types::agent::{RulePackage, SignedRules};
use sg_types::api::Page;
use sg_types::api::threats::{IncidentDetail, IncidentView};
use sg_types::{Role, TenantId};

use crate::fleet::{TestAgent, TestCaller, TestServer, record};

const RULES: &str = "/api/v1/threats/rules";

/// A rule that is there to be correlated.
fn base(name: &str) -> String {
    format!(
        "title: {name} started\nid: id-{name}\nname: {name}\nlevel: low\nlogsource:\n    product: linux\n    category: process_creation\n\
         detection:\n    selection:\n        Image|endswith: '/{name}'\n    condition: selection\n"
    )
}

fn correlation(id: &str, kind: &str, rules: &str, condition: &str) -> String {
    format!(
        "title: Several of {id}\nid: {id}\nname: {id}\nlevel: high\ncorrelation:\n    type: {kind}\n    rules: {rules}\n    group-by: [User]\n    \
         timespan: 10m\n{condition}"
    )
}

fn started(at: DateTime<Utc>, name: &str, user: &str) -> Value {
    record(
        at,
        json!({
            "type": "event", "kind": "process_started", "key": format!("boot:{}", at.timestamp_millis()), "pid": 7, "name": name,
            "image": format!("/usr/bin/{name}"), "command_line": format!("{name} --all"), "user": user,
        }),
    )
}

async fn add(server: &TestServer, caller: &TestCaller, text: &str) {
    let body = json!({ "kind": "sigma", "text": text, "reason": "because" });
    server.post(caller, RULES, body).await.expect::<Value>(201);
}

async fn incidents(server: &TestServer, caller: &TestCaller) -> Vec<IncidentView> {
    server
        .get(caller, "/api/v1/threats/incidents")
        .await
        .expect::<Page<IncidentView>>(200)
        .items
}

/// Waits until nothing is due, then lists the incidents.
async fn settled(server: &TestServer, caller: &TestCaller) -> Vec<IncidentView> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        jobs::judge_correlations(server.state.clone()).await.unwrap();
        let now = server.state.now();
        let mut tx = server.state.db.system("test").await.unwrap();
        let due = sg_db::threats::tenants_with_due_groups(&mut tx, now)
            .await
            .unwrap();
        if due.is_empty() {
            return incidents(server, caller).await;
        }
        assert!(Instant::now() < deadline, "something stays due: {due:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn seconds(number: i64) -> chrono::Duration {
    chrono::Duration::seconds(number)
}

#[tokio::test]
async fn what_happens_on_several_endpoints_is_one_incident_of_their_tenant_alone() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let other = server.caller(server.tenant("other").await, Role::Admin).await;
    let mut first = TestAgent::enrol(&server, &own, "web-1").await;
    let mut second = TestAgent::enrol(&server, &own, "web-2").await;
    let mut stranger = TestAgent::enrol(&server, &other, "web-1").await;
    add(&server, &own, &base("probe")).await;
    add(
        &server,
        &own,
        &correlation("many", "event_count", "[probe]", "    condition: {gte: 3}\n"),
    )
    .await;
    let now = server.state.now();

    let repeated = started(now - seconds(30), "probe", "eve");
    first
        .send(
            &server,
            &[repeated.clone(), started(now - seconds(20), "probe", "bob")],
        )
        .await;
    stranger
        .send(
            &server,
            &[started(now, "probe", "eve"), started(now, "probe", "eve")],
        )
        .await;
    first.send(&server, &[repeated]).await;
    second
        .send(&server, &[started(now - seconds(10), "probe", "eve")])
        .await;
    assert_eq!(settled(&server, &own).await, [], "two of eve's, one of bob's");

    // It happened before the others, and comes last.
    second
        .send(&server, &[started(now - seconds(500), "probe", "eve")])
        .await;
    let found = settled(&server, &own).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].title.as_str(), found[0].agent_id),
        ("Several of many", Some(second.agent_id))
    );
    let path = format!("/api/v1/threats/incidents/{}", found[0].threat_id);
    let detail: IncidentDetail = server.get(&own, &path).await.expect(200);
    let finding = serde_json::to_value(&detail.findings[0]).unwrap();
    assert_eq!(
        finding["explanation"],
        "Within 10m, 3 matches for User eve; looked for was ≥ 3."
    );
    let evidence = finding["evidence"].as_array().unwrap();
    let endpoints: Vec<_> = evidence
        .iter()
        .map(|row| row["endpoint"].as_str().unwrap())
        .collect();
    assert_eq!(endpoints, ["web-2", "web-1", "web-2"], "in the order of time");
    assert_eq!(evidence[0]["rule"], "probe started");
    assert_eq!(evidence[0]["matched on"], "probe --all");

    // It goes on: nothing is told again.
    first.send(&server, &[started(now, "probe", "eve")]).await;
    let found = settled(&server, &own).await;
    assert_eq!((found.len(), found[0].occurrence_count), (1, 1));
    assert_eq!(incidents(&server, &other).await, []);
}

#[tokio::test]
async fn a_rule_that_is_only_correlated_finds_nothing_by_itself() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &own, "web-1").await;
    add(&server, &own, &base("probe")).await;
    add(&server, &own, &base("loud")).await;
    add(
        &server,
        &own,
        &correlation("many", "event_count", "[probe]", "    condition: {gte: 3}\n"),
    )
    .await;
    agent.send(&server, &[]).await;
    let signed: SignedRules = server
        .send("GET", "/agent/v1/rules", &agent.token, None)
        .await
        .expect(200);
    let package: RulePackage = serde_json::from_str(&signed.package).unwrap();
    let names: Vec<&str> = package.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert!(
        !names.contains(&"id-probe") && names.contains(&"id-loud"),
        "{names:?}"
    );
    assert!(package.switched_off.contains(&"id-probe".to_owned()));
}

#[tokio::test]
async fn a_chain_of_correlations_ends_in_one_incident() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &own, "web-1").await;
    for text in [
        base("fail"),
        base("succeed"),
        correlation("many", "event_count", "[fail]", "    condition: {gte: 3}\n"),
        correlation("broken-in", "temporal_ordered", "[many, succeed]", ""),
    ] {
        add(&server, &own, &text).await;
    }
    let now = server.state.now();
    let at = |second: i64| now - seconds(100 - second);
    // One more failure after the success must not hide it.
    let all = ["fail", "fail", "fail", "succeed", "fail"];
    let records: Vec<_> = (0..)
        .zip(all)
        .map(|(second, name)| started(at(second), name, "eve"))
        .collect();
    agent.send(&server, &records).await;
    let found = settled(&server, &own).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].title, "Several of broken-in");
}

#[tokio::test]
async fn too_few_are_told_when_the_time_is_over() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &own, "web-1").await;
    add(&server, &own, &base("probe")).await;
    add(
        &server,
        &own,
        &correlation("few", "event_count", "[probe]", "    condition: {lt: 3}\n"),
    )
    .await;
    let now = server.state.now();
    let three = ["bob"; 3].map(|user| started(now, "probe", user));
    agent
        .send(&server, &[&[started(now, "probe", "eve")][..], &three].concat())
        .await;
    assert_eq!(settled(&server, &own).await, []);
    server.clock.advance(chrono::Duration::minutes(12));
    let found = settled(&server, &own).await;
    assert_eq!(found.len(), 1, "{found:?}");
    // What comes into a time that has been judged changes nothing.
    agent
        .send(&server, &[started(now + seconds(1), "probe", "bob")])
        .await;
    server.clock.advance(chrono::Duration::minutes(12));
    assert_eq!(settled(&server, &own).await.len(), 1);
}

#[tokio::test]
async fn what_is_switched_off_counts_nothing_and_is_forgotten() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &own, "web-1").await;
    add(&server, &own, &base("probe")).await;
    add(
        &server,
        &own,
        &correlation("many", "event_count", "[probe]", "    condition: {gte: 3}\n"),
    )
    .await;
    let now = server.state.now();
    agent
        .send(
            &server,
            &[started(now, "probe", "eve"), started(now, "probe", "eve")],
        )
        .await;
    let off = json!({ "is_enabled": false, "reason": "noise" });
    server
        .patch(&own, &format!("{RULES}/many"), off)
        .await
        .expect::<Value>(200);
    agent.send(&server, &[started(now, "probe", "eve")]).await;
    assert_eq!(settled(&server, &own).await, []);
}

/// Several nodes judge the same at once.
#[tokio::test]
async fn several_nodes_tell_it_once() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &own, "web-1").await;
    add(&server, &own, &base("probe")).await;
    add(
        &server,
        &own,
        &correlation("many", "event_count", "[probe]", "    condition: {gte: 3}\n"),
    )
    .await;
    let now = server.state.now();
    for user in 0..20 {
        let three = [0, 1, 2].map(|second| started(now + seconds(second), "probe", &format!("user-{user}")));
        agent.send(&server, &three).await;
        let nodes = (0..4).map(|_| jobs::judge_correlations(server.state.clone()));
        for outcome in futures_util::future::join_all(nodes).await {
            outcome.unwrap();
        }
    }
    let found = settled(&server, &own).await;
    assert_eq!(
        (found.len(), found[0].occurrence_count),
        (1, 20),
        "each of twenty once"
    );
}

#[tokio::test]
async fn a_trial_says_what_a_correlation_would_have_found() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &own, "web-1").await;
    add(&server, &own, &base("probe")).await;
    let now = server.state.now();
    let at = |second: i64| now - seconds(3_000 - second);
    let seen = [
        (0, "eve"),
        (1, "eve"),
        (2, "eve"),
        (3, "bob"),
        (900, "eve"),
        (901, "eve"),
        (902, "eve"),
    ];
    let records = seen.map(|(second, user)| started(at(second), "probe", user));
    agent.send(&server, &records).await;
    let text = correlation("many", "event_count", "[probe]", "    condition: {gte: 3}\n")
        .replace("[User]", "[User, ComputerName]");
    let body = json!({ "kind": "sigma", "text": text, "days": 2 });
    let trial: Value = server
        .post(&own, &format!("{RULES}/trials"), body)
        .await
        .expect(200);
    assert_eq!(trial["matches"], 2, "{trial}");
    assert_eq!(trial["events"], 7);
    assert_eq!(
        trial["examples"][0]["explanation"],
        "Within 10m, 3 matches for User eve, ComputerName web-1; looked for was ≥ 3."
    );
}

/// More than is looked at of a group: it must not stay due for ever, and hold up the others.
#[tokio::test]
async fn a_group_that_is_flooded_comes_to_rest() {
    let server = TestServer::start().await;
    let own = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &own, "web-1").await;
    add(&server, &own, &base("probe")).await;
    add(
        &server,
        &own,
        &correlation("many", "event_count", "[probe]", "    condition: {gte: 10000}\n"),
    )
    .await;
    agent
        .send(&server, &[started(server.state.now(), "probe", "eve")])
        .await;
    server
        .sql(
            "insert into threats.correlation_matches (tenant_id, rule_id, group_key, occurred_at, event_id, position, group_values, agent_id,
                matched_rule, summary, due_at, keep_until)
             select m.tenant_id, m.rule_id, m.group_key, m.occurred_at - n * interval '1 second', gen_random_uuid(), 0, m.group_values, m.agent_id,
                'probe started', 'probe', m.occurred_at - interval '1 hour', m.keep_until
             from threats.correlation_matches m, generate_series(1, 10500) n",
        )
        .await;
    assert_eq!(settled(&server, &own).await, [], "ten minutes hold 600");
    assert_eq!(
        server
            .count("select count(*) from threats.correlation_matches where due_at is not null")
            .await,
        0
    );
}
