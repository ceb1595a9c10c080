//! What is recorded of an endpoint, and what a hostile one can make of it.

use super::*;
use crate::fleet::{gap, record};

#[tokio::test]
async fn the_return_says_what_was_down() {
    let (server, admin) = start().await;
    let mut agents = enrol(&server, &admin, 2).await;
    let (one, here) = agents.split_at_mut(1);
    let one = &mut one[0];
    let back = [
        (1, 1, json!({ "failed_check_ins": 4 }), "network", false),
        (1, 1, json!({ "asleep_seconds": 65 }), "host", false),
        (1, 1, json!({ "halted_seconds": 65 }), "agent", true),
        (2, 1, json!({}), "agent", false),
        (3, 1, json!({}), "agent", false),
        (4, 2, json!({}), "host", false),
    ];
    send_as(&server, one, 1, 1, json!({})).await;
    for (run, boot, more, cause, goodbye) in back {
        pass_with(&server, 70, here).await;
        send_as(&server, one, run, boot, more).await;
        let gaps = coverage(&server, &admin, one).await;
        assert_eq!(gaps[0].cause.as_deref(), Some(cause), "{gaps:?}");
        assert!(!gaps[0].meaning.is_empty() && !gaps[0].advice.is_empty());
        if goodbye {
            send_as(&server, one, run, boot, json!({ "stopping": true })).await;
        }
    }
    let details: Vec<String> = coverage(&server, &admin, one)
        .await
        .into_iter()
        .filter_map(|gap| gap.detail)
        .collect();
    assert_eq!(details.len(), 6);
    assert!(details[2].contains("stopped in order"), "{details:?}");
    assert!(details[1].contains("killed or crashed"), "{details:?}");
    assert!(details[0].contains("without a word"), "{details:?}");
}

#[tokio::test]
async fn a_weaker_source_and_a_wrong_clock_are_gaps_until_they_are_over() {
    let (server, admin) = start().await;
    let mut agent = enrol(&server, &admin, 1).await.remove(0);
    let send = async |agent: &mut TestAgent, source: &str, offset: i64| {
        let mut body = agent.body(&[], server.state.now() + Duration::seconds(offset));
        body["agent"]["sources"] = json!([{ "area": "process", "source": source, "gap": "x" }]);
        let reply: sg_types::agent::CheckInReply = server
            .send("POST", "/agent/v1/check-in", &agent.token, Some(body))
            .await
            .expect(200);
        (agent.turn, agent.next_seq) = (reply.turn, reply.acknowledged_through + 1);
    };
    send(&mut agent, "proc_polling", -120).await;
    send(&mut agent, "proc_polling", -120).await;
    let gaps = coverage(&server, &admin, &agent).await;
    let mut told: Vec<_> = gaps
        .iter()
        .map(|gap| (gap.reason.as_str(), gap.area.as_str(), gap.to_at.is_none()))
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [("clock_skew", "", true), ("weaker_source", "process", true)]
    );
    server.clock.advance(Duration::seconds(20));
    send(&mut agent, "proc_connector", 0).await;
    assert!(
        coverage(&server, &admin, &agent)
            .await
            .iter()
            .all(|gap| gap.to_at == Some(server.state.now()) || {
                let end = gap.to_at.unwrap();
                (end - server.state.now()).num_milliseconds().abs() < 5
            })
    );
    // The list of events shows what is over, and does not stumble over what goes on.
    send(&mut agent, "proc_polling", 0).await;
    let path = format!("/api/v1/agents/endpoints/{}/events", agent.agent_id);
    let events: Page<Value> = server.get(&admin, &path).await.expect(200);
    assert_eq!(events.items.len(), 2);
}

#[tokio::test]
async fn a_hostile_agent_makes_so_many_gaps_of_its_own_and_no_others() {
    let (server, admin) = start().await;
    let mut agents = enrol(&server, &admin, 2).await;
    let now = server.state.now();
    for _ in 0..3 {
        let many: Vec<Value> = (0..300).map(|_| gap(now, 7)).collect();
        agents[0].send(&server, &many).await;
    }
    // One that flaps makes the server notice a lot.
    for turn in 0..450 {
        let mut body = agents[0].body(&[], server.state.now());
        let source = if turn % 2 == 0 {
            "proc_polling"
        } else {
            "proc_connector"
        };
        body["agent"]["sources"] = json!([{ "area": "process", "source": source }]);
        let reply: sg_types::agent::CheckInReply = server
            .send("POST", "/agent/v1/check-in", &agents[0].token, Some(body))
            .await
            .expect(200);
        (agents[0].turn, agents[0].next_seq) = (reply.turn, reply.acknowledged_through + 1);
    }
    let gaps = coverage(&server, &admin, &agents[0]).await;
    assert_eq!(gaps.len(), 401);
    let more = gaps.iter().find(|gap| gap.reason == "more_gaps").unwrap();
    assert_eq!((more.gap_count, more.lost_records), (700 + 25, Some(4_900)));
    assert!(
        coverage(&server, &admin, &agents[1]).await.is_empty(),
        "its neighbour has none"
    );
    assert_eq!(
        server
            .count("select count(distinct agent_id) from agents.gaps")
            .await,
        1
    );

    // The server's own words are not an agent's to say, times are bounded, text is text.
    let hostile = record(
        now,
        json!({
            "type": "gap", "reason": "offline", "lost_records": u64::MAX, "from": "0001-01-01T00:00:00Z", "to": "9999-12-31T00:00:00Z",
            "detail": "<img src=x onerror=alert(1)>\u{0}\u{202e}", "area": "process", "cause": "host", "tenant_id": TenantId::SYSTEM,
        }),
    );
    agents[1].send(&server, &[hostile]).await;
    let gaps = coverage(&server, &admin, &agents[1]).await;
    assert_eq!(
        (gaps.len(), gaps[0].reason.as_str(), gaps[0].cause.as_deref()),
        (1, "other", None)
    );
    assert!(
        gaps[0].from_at > now - Duration::days(31) && gaps[0].to_at.unwrap() < now + Duration::minutes(2)
    );
    // It cannot hide by its many gaps that it is offline.
    let (gone, here) = agents.split_at_mut(1);
    pass_with(&server, 70, here).await;
    assert_eq!(coverage(&server, &admin, &gone[0]).await[0].reason, "offline");
    assert_eq!(alerts(&server, &admin, "firing").await.len(), 1);
}

#[tokio::test]
async fn coverage_is_its_tenants_and_its_owners() {
    let (server, admin) = start().await;
    let agent = enrol(&server, &admin, 1).await.remove(0);
    pass(&server, 70).await;
    let path = format!("/api/v1/agents/endpoints/{}/coverage", agent.agent_id);
    let other = server.tenant("other").await;
    let stranger = server.caller(other, Role::Admin).await;
    server.get(&stranger, &path).await.refused(404, "not_found");
    let viewer = server.caller(TenantId::DEFAULT, Role::User).await;
    server.get(&viewer, &path).await.refused(404, "not_found");
    for bad in [
        "from=x",
        "from=2030-01-01T00:00:00Z",
        "limit=0",
        "cursor=x",
        "to=0001-01-01T00:00:00Z",
        "agent_id=1",
    ] {
        assert_eq!(
            server.get(&admin, &format!("{path}?{bad}")).await.status,
            400,
            "{bad}"
        );
    }
    let far = Duration::days(2);
    let from = (server.state.now() - far).format("%FT%TZ").to_string();
    let to = (server.state.now() - Duration::days(1))
        .format("%FT%TZ")
        .to_string();
    let none: Page<CoverageGapView> = server
        .get(&admin, &format!("{path}?from={from}&to={to}"))
        .await
        .expect(200);
    assert!(none.items.is_empty());
    let one: Page<CoverageGapView> = server.get(&admin, &format!("{path}?limit=1")).await.expect(200);
    assert_eq!((one.items.len(), one.next_cursor), (1, None));
}
