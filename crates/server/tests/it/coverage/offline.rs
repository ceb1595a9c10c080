//! One endpoint: late, offline, told of, back.

use sg_types::agent::EnrolReply;

use super::*;
use crate::fleet::enrol_body;

#[tokio::test]
async fn an_endpoint_that_stays_away_is_late_then_offline_is_told_of_in_time_and_comes_back_by_itself() {
    let (server, admin) = start().await;
    let mut agents = enrol(&server, &admin, 2).await;
    let (gone, here) = agents.split_at_mut(1);
    let gone = &mut gone[0];
    let left_at = server.state.now();
    assert_eq!(liveness(&server, &admin, gone).await, Liveness::Online);
    pass_with(&server, 40, here).await;
    assert_eq!(liveness(&server, &admin, gone).await, Liveness::Stale);
    let path = "/api/v1/agents/endpoints?liveness=stale,offline";
    let late: Page<EndpointView> = server.get(&admin, path).await.expect(200);
    assert_eq!(
        late.items.iter().map(|one| one.agent_id).collect::<Vec<_>>(),
        [gone.agent_id]
    );
    assert!(alerts(&server, &admin, "firing").await.is_empty());
    assert!(coverage(&server, &admin, gone).await.is_empty());

    // The deadline is two intervals after the last check-in; the job looks every ten seconds.
    pass_with(&server, 30, here).await;
    assert_eq!(liveness(&server, &admin, gone).await, Liveness::Offline);
    assert_eq!(liveness(&server, &admin, &here[0]).await, Liveness::Online);
    let firing = alerts(&server, &admin, "firing").await;
    assert_eq!(firing.len(), 1);
    let alert = &firing[0];
    assert_eq!((alert.agent_id, alert.last_value), (Some(gone.agent_id), 2.0));
    assert!(alert.fired_at.unwrap() - (left_at + Duration::seconds(2 * INTERVAL)) <= Duration::seconds(10));
    let summary = alert.summary.as_deref().unwrap();
    assert!(
        summary.starts_with("m-000-") && summary.contains("has not checked in since"),
        "{summary}"
    );
    let gap = &coverage(&server, &admin, gone).await[0];
    assert_eq!(
        (gap.reason.as_str(), gap.to_at, gap.cause.as_deref()),
        ("offline", None, None)
    );
    assert!((gap.from_at - left_at).num_milliseconds().abs() < 5);
    let told = server
        .count("select count(*) from monitoring.security_events where kind = 'endpoint_offline' and detail ? 'summary'")
        .await;
    assert_eq!(told, 1);

    pass_with(&server, 60, here).await;
    assert_eq!(
        alerts(&server, &admin, "firing").await.len(),
        1,
        "once, however long it lasts"
    );
    gone.send(&server, &[]).await;
    assert_eq!(liveness(&server, &admin, gone).await, Liveness::Online);
    assert!(
        alerts(&server, &admin, "firing").await.is_empty(),
        "over with the check-in"
    );
    assert_eq!(alerts(&server, &admin, "resolved").await.len(), 1);
    let gaps = coverage(&server, &admin, gone).await;
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0].to_at.is_some(), gaps[0].cause.as_deref()),
        (true, Some("unknown"))
    );

    // And again.
    pass_with(&server, 70, here).await;
    assert_eq!(alerts(&server, &admin, "firing").await.len(), 1);
    assert_eq!(coverage(&server, &admin, gone).await.len(), 2);
}

#[tokio::test]
async fn the_rule_says_how_many_intervals_and_whether_at_all() {
    let (server, admin) = start().await;
    let mut agents = enrol(&server, &admin, 2).await;
    let (gone, here) = agents.split_at_mut(1);
    let rules: Vec<AlertRuleView> = server
        .get(&admin, "/api/v1/monitoring/alert-rules")
        .await
        .expect::<Page<AlertRuleView>>(200)
        .items;
    let rule = rules.iter().find(|rule| rule.kind == "endpoint_offline").unwrap();
    assert!(rule.enabled && rule.evaluated);
    assert_eq!((rule.threshold, rule.comparison.as_str()), (2.0, "above"));
    let path = format!("/api/v1/monitoring/alert-rules/{}", rule.rule_id);
    let _: AlertRuleView = server
        .patch(&admin, &path, json!({ "threshold": 5 }))
        .await
        .expect(200);
    pass_with(&server, 140, here).await;
    assert_eq!(liveness(&server, &admin, &gone[0]).await, Liveness::Offline);
    assert!(alerts(&server, &admin, "firing").await.is_empty());
    pass_with(&server, 20, here).await;
    assert_eq!(alerts(&server, &admin, "firing").await.len(), 1);

    let _: AlertRuleView = server
        .patch(&admin, &path, json!({ "enabled": false }))
        .await
        .expect(200);
    jobs::evaluate_alerts(server.state.clone()).await.unwrap();
    gone[0].send(&server, &[]).await;
    assert!(alerts(&server, &admin, "firing").await.is_empty());
    pass_with(&server, 200, here).await;
    assert!(
        alerts(&server, &admin, "firing").await.is_empty(),
        "a rule that is off lets nothing in"
    );
    assert_eq!(
        coverage(&server, &admin, &gone[0]).await.len(),
        2,
        "the record is kept all the same"
    );
}

#[tokio::test]
async fn a_server_that_was_away_blames_nobody() {
    let (server, admin) = start().await;
    let mut agents = enrol(&server, &admin, 8).await;
    // It is gone for an hour, and so are the check-ins that nobody could take.
    server.clock.advance(Duration::hours(1));
    look(&server).await;
    assert_eq!(liveness(&server, &admin, &agents[0]).await, Liveness::Stale);
    pass(&server, 50).await;
    assert!(alerts(&server, &admin, "firing").await.is_empty());
    assert_eq!(server.count("select count(*) from agents.gaps").await, 0);
    // Seven come back within their time, one does not.
    for agent in &mut agents[1..] {
        agent.send(&server, &[]).await;
    }
    let (gone, here) = agents.split_at_mut(1);
    pass_with(&server, 20, here).await;
    let firing = alerts(&server, &admin, "firing").await;
    assert_eq!(
        firing
            .iter()
            .filter_map(|alert| alert.agent_id)
            .collect::<Vec<_>>(),
        [gone[0].agent_id]
    );
}

#[tokio::test]
async fn who_is_out_of_service_is_not_missed() {
    let (server, admin) = start().await;
    let mut agents = enrol(&server, &admin, 3).await;
    let retire = |agent: &TestAgent| format!("/api/v1/agents/endpoints/{}/decommission", agent.agent_id);
    let _: EndpointView = server
        .post(&admin, &retire(&agents[0]), json!({}))
        .await
        .expect(200);
    let (gone, here) = agents.split_at_mut(2);
    pass_with(&server, 70, here).await;
    let firing = alerts(&server, &admin, "firing").await;
    assert_eq!(
        firing
            .iter()
            .filter_map(|alert| alert.agent_id)
            .collect::<Vec<_>>(),
        [gone[1].agent_id]
    );
    let _: EndpointView = server
        .post(&admin, &retire(&gone[1]), json!({}))
        .await
        .expect(200);
    pass_with(&server, 10, here).await;
    assert!(alerts(&server, &admin, "firing").await.is_empty());
    assert!(coverage(&server, &admin, &gone[1]).await[0].to_at.is_some());

    // Enrolled again, it is looked for again.
    let hostname = format!("m-001-{}", &admin.username[..6]);
    let body = enrol_body(&hostname, &gone[1].fingerprint);
    let again: EnrolReply = server.post(&admin, "/agent/v1/enrol", body).await.expect(200);
    assert_eq!(again.agent_id, gone[1].agent_id);
    pass_with(&server, 80, here).await;
    assert_eq!(alerts(&server, &admin, "firing").await.len(), 1);
}

#[tokio::test]
async fn a_route_and_a_silence_for_the_endpoint_hold_for_its_alert() {
    let (server, admin) = start().await;
    let mut agents = enrol(&server, &admin, 3).await;
    let channel: Value = server
        .post(
            &admin,
            "/api/v1/monitoring/channels",
            json!({ "name": "hook", "target": { "kind": "webhook", "url": "http://127.0.0.1:9/" } }),
        )
        .await
        .expect(201);
    assert!(channel["channel"]["channel_id"].is_string(), "{channel}");
    let until = server.state.now() + Duration::hours(1);
    let silence = json!({ "agent_id": agents[0].agent_id, "expires_at": until, "reason": "maintenance" });
    let _: Value = server
        .post(&admin, "/api/v1/monitoring/silences", silence)
        .await
        .expect(201);
    let here = &mut agents[2..];
    pass_with(&server, 70, here).await;
    let told = "select count(*) from monitoring.notifications n join monitoring.alerts a using (tenant_id, alert_id)
        where n.cause = 'alert_firing' and a.agent_id is not null and n.outcome is not distinct from 'silenced'";
    let all = "select count(*) from monitoring.notifications where cause = 'alert_firing'";
    assert_eq!((server.count(told).await, server.count(all).await), (1, 2));
}
