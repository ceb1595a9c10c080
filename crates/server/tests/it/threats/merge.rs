use chrono::Duration;
use serde_json::json;
use sg_types::api::Page;
use sg_types::api::threats::{IncidentDetail, IncidentView};
use sg_types::{Ids, IncidentStatus, Role, Severity, TenantId, TimeOrderedIds};
use uuid::Uuid;

use crate::fleet::{TestAgent, TestCaller, TestServer, file_finding, process_finding};

async fn incidents(server: &TestServer, caller: &TestCaller) -> Vec<IncidentView> {
    server
        .get(caller, "/api/v1/threats/incidents")
        .await
        .expect::<Page<IncidentView>>(200)
        .items
}

async fn detail(server: &TestServer, caller: &TestCaller, incident: &IncidentView) -> IncidentDetail {
    server
        .get(
            caller,
            &format!("/api/v1/threats/incidents/{}", incident.threat_id),
        )
        .await
        .expect(200)
}

async fn close(server: &TestServer, caller: &TestCaller, incident: &IncidentView, status: &str) {
    let path = format!("/api/v1/threats/incidents/{}", incident.threat_id);
    server
        .patch(caller, &path, json!({ "status": status }))
        .await
        .expect::<IncidentDetail>(200);
}

#[tokio::test]
async fn one_file_known_to_two_engines_is_one_incident_with_two_findings() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    let mut indicator = file_finding(now, "indicator:sha256:27", "indicator", "/tmp/eicar.com");
    indicator["body"]["severity"] = json!("critical");
    agent
        .send(&server, &[file_finding(now, "eicar", "yara", "/tmp/eicar.com")])
        .await;
    agent.send(&server, &[indicator]).await;
    // The same file twice again, in one check-in, and another file.
    let again = [
        ("eicar", "/tmp/eicar.com"),
        ("eicar", "/tmp/eicar.com"),
        ("eicar", "/tmp/other.com"),
    ];
    let again: Vec<_> = again
        .iter()
        .map(|(rule, path)| file_finding(now, rule, "yara", path))
        .collect();
    agent.send(&server, &again).await;

    let found = incidents(&server, &admin).await;
    assert_eq!(found.len(), 2);
    let eicar = found
        .iter()
        .find(|i| i.file_path.as_deref() == Some("/tmp/eicar.com"))
        .unwrap();
    assert_eq!(
        (eicar.finding_count, eicar.occurrence_count, eicar.severity),
        (2, 4, Severity::Critical)
    );
    assert_eq!(
        eicar.detection_engine.unwrap().as_str(),
        "yara",
        "whoever saw it first"
    );
    // Two priors of 0.8: noisy-or.
    assert_eq!(
        (eicar.confidence_score, eicar.false_positive_likelihood),
        (Some(0.96), Some(0.2))
    );
    let detail = detail(&server, &admin, eicar).await;
    let counts: Vec<_> = detail
        .findings
        .iter()
        .map(|f| (f.rule_id.as_str(), f.occurrence_count))
        .collect();
    assert_eq!(counts, [("eicar", 3), ("indicator:sha256:27", 1)]);
    let kinds: Vec<_> = detail.timeline.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["finding", "finding"]);
}

#[tokio::test]
async fn a_family_of_processes_is_one_incident_but_strangers_are_not() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    agent
        .send(
            &server,
            &[
                process_finding(now, "shell", "boot:10:1", &["boot:1:0"], "bash -c one"),
                process_finding(now, "curl", "boot:11:2", &["boot:10:1", "boot:1:0"], "curl evil"),
                process_finding(
                    now,
                    "nc",
                    "boot:12:3",
                    &["boot:11:2", "boot:10:1", "boot:1:0"],
                    "nc evil",
                ),
                // A sibling of the first: their parent had no finding itself.
                process_finding(now, "other", "boot:20:9", &["boot:1:0"], "bash -c two"),
                // The first command again, as another process.
                process_finding(now, "shell", "boot:30:7", &["boot:1:0"], "bash -c one"),
            ],
        )
        .await;
    let mut counts: Vec<_> = incidents(&server, &admin)
        .await
        .iter()
        .map(|i| (i.finding_count, i.occurrence_count))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [(1, 1), (3, 4)]);
}

#[tokio::test]
async fn the_same_subject_on_two_endpoints_is_two_incidents() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let now = server.state.now();
    for name in ["web-1", "web-2"] {
        let mut agent = TestAgent::enrol(&server, &admin, name).await;
        agent
            .send(&server, &[file_finding(now, "eicar", "yara", "/tmp/eicar.com")])
            .await;
    }
    assert_eq!(incidents(&server, &admin).await.len(), 2);
}

#[tokio::test]
async fn the_window_and_a_verdict_end_an_incident() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let mut send = async |hours: i64| {
        server.clock.advance(Duration::hours(hours));
        let finding = file_finding(server.state.now(), "eicar", "yara", "/tmp/eicar.com");
        agent.send(&server, &[finding]).await;
        incidents(&server, &admin).await.len()
    };
    assert_eq!(send(0).await, 1);
    assert_eq!(send(23).await, 1, "each finding begins the window anew");
    assert_eq!(send(23).await, 1);
    assert_eq!(send(25).await, 2, "a day later it is another incident");
    for incident in incidents(&server, &admin).await {
        close(&server, &admin, &incident, "false_positive").await;
    }
    assert_eq!(send(1).await, 3, "what was closed is not opened by the machine");
    let newest = &incidents(&server, &admin).await[0];
    assert_eq!(newest.status, IncidentStatus::New);
    // Prior 0.8 counts like four verdicts; two incidents of three findings of this rule were none.
    assert!(
        newest.confidence_score.unwrap() < 0.8 && newest.false_positive_likelihood.unwrap() > 0.2,
        "{newest:?}"
    );
}

#[tokio::test]
async fn a_flood_of_repeats_counts_exactly_and_keeps_the_timeline_short() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let now = server.state.now();
    for _ in 0..3 {
        let flood: Vec<_> = (0..500)
            .map(|_| file_finding(now, "eicar", "yara", "/tmp/eicar.com"))
            .collect();
        agent.send(&server, &flood).await;
    }
    let found = incidents(&server, &admin).await;
    assert_eq!((found.len(), found[0].occurrence_count), (1, 1_500));
    let kinds: Vec<_> = detail(&server, &admin, &found[0])
        .await
        .timeline
        .into_iter()
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(
        kinds,
        ["finding", "repeat", "repeat", "repeat"],
        "the first, the 10th, the 100th, the 1000th"
    );
}

#[tokio::test]
async fn what_was_told_late_joins_by_when_it_happened() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let first = server.state.now();
    agent
        .send(&server, &[file_finding(first, "eicar", "yara", "/a")])
        .await;
    server.clock.advance(Duration::days(3));
    // Three days offline: what happened an hour after the first belongs to it, what happened today does not.
    let late = file_finding(first + Duration::hours(1), "eicar", "yara", "/a");
    let today = file_finding(server.state.now(), "eicar", "yara", "/a");
    agent.send(&server, &[late, today]).await;
    let mut counts: Vec<_> = incidents(&server, &admin)
        .await
        .iter()
        .map(|i| i.occurrence_count)
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2]);
}

#[tokio::test]
async fn findings_that_come_again_under_a_new_epoch_after_closing_open_nothing() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let records = [file_finding(server.state.now(), "eicar", "yara", "/a")];
    agent.send(&server, &records).await;
    close(&server, &admin, &incidents(&server, &admin).await[0], "resolved").await;
    (agent.epoch, agent.turn, agent.next_seq) = (TimeOrderedIds.next(), Uuid::nil(), 1);
    agent.send(&server, &records).await;
    let found = incidents(&server, &admin).await;
    assert_eq!(
        (found.len(), found[0].occurrence_count, found[0].status),
        (1, 1, IncidentStatus::Resolved)
    );
}
