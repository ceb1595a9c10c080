use chrono::Duration;
use serde_json::{Value, json};
use sg_types::agent::{EnrolReply, RulePackage, SignedRules};
use sg_types::api::agents::EndpointView;
use sg_types::api::users::KeyScope;
use sg_types::{Role, TenantId};

use crate::fleet::{TestAgent, TestCaller, TestServer, enrol_body, metrics};

async fn enrol(server: &TestServer, caller: &TestCaller, body: Value) -> (u16, EnrolReply) {
    let response = server.post(caller, "/agent/v1/enrol", body).await;
    let status = response.status.as_u16();
    (status, response.expect(status))
}

#[tokio::test]
async fn a_host_that_comes_again_is_the_same_endpoint_with_a_new_token() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut first = TestAgent::enrol(&server, &admin, "web-1").await;
    first.send(&server, &[metrics(server.state.now(), 1.0)]).await;

    let (status, reply) = enrol(&server, &admin, enrol_body("web-1-rebuilt", &first.fingerprint)).await;
    assert_eq!(
        (status, reply.reenrolled, reply.agent_id),
        (200, true, first.agent_id)
    );
    first.try_send(&server, &[]).await.refused(401, "unauthenticated");
    let mut again = TestAgent::from_reply(&reply, first.fingerprint.clone());
    again.send(&server, &[metrics(server.state.now(), 2.0)]).await;
    assert_eq!(server.count("select count(*) from agents.system_info").await, 2);
    let endpoint: EndpointView = server
        .get(&admin, &format!("/api/v1/agents/endpoints/{}", first.agent_id))
        .await
        .expect(200);
    assert_eq!(
        (endpoint.hostname.as_str(), endpoint.username),
        ("web-1-rebuilt", Some(admin.username.clone()))
    );
    assert_eq!(
        server
            .count("select count(*) from audit.events where action in ('endpoint.enrol', 'endpoint.reenrol')")
            .await,
        2
    );
    assert_eq!(
        server.count("select max(usage_count) from users.api_keys").await,
        2
    );
}

#[tokio::test]
async fn a_decommissioned_host_that_enrols_is_active_again() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let path = format!("/api/v1/agents/endpoints/{}", agent.agent_id);
    assert_eq!(
        server
            .send("POST", "/agent/v1/unenrol", &agent.token, None)
            .await
            .status,
        204
    );
    agent.try_send(&server, &[]).await.refused(401, "unauthenticated");
    server
        .send("GET", "/agent/v1/rules", &agent.token, None)
        .await
        .refused(401, "unauthenticated");
    assert_eq!(server.get(&admin, &path).await.body["status"], "decommissioned");
    let (_, reply) = enrol(&server, &admin, enrol_body("web-1", &agent.fingerprint)).await;
    assert_eq!(reply.agent_id, agent.agent_id);
    assert_eq!(server.get(&admin, &path).await.body["status"], "active");
}

#[tokio::test]
async fn a_former_id_on_other_hardware_counts_only_when_its_endpoint_is_silent() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut original = TestAgent::enrol(&server, &admin, "web-1").await;
    original.send(&server, &[]).await;
    let mut body = enrol_body("web-1", &"cd".repeat(32));
    body["previous_agent_id"] = json!(original.agent_id);
    let (status, copy) = enrol(&server, &admin, body.clone()).await;
    assert_eq!(
        (status, copy.agent_id == original.agent_id),
        (201, false),
        "the original still checks in: this is a copy"
    );

    server.clock.advance(Duration::days(1));
    body["host"]["hardware_fingerprint"] = json!("ef".repeat(32));
    let (status, moved) = enrol(&server, &admin, body).await;
    assert_eq!(
        (status, moved.agent_id),
        (200, original.agent_id),
        "the disk was put into another machine"
    );
}

#[tokio::test]
async fn nobody_takes_over_what_is_not_theirs() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let user = server.caller(TenantId::DEFAULT, Role::User).await;
    let other_tenant = server.tenant("other").await;
    let stranger = server.caller(other_tenant, Role::Admin).await;
    server.clock.advance(Duration::days(1));
    for caller in [&user, &stranger] {
        let mut body = enrol_body("web-1", &agent.fingerprint);
        body["previous_agent_id"] = json!(agent.agent_id);
        let (status, reply) = enrol(&server, caller, body).await;
        assert_eq!((status, reply.agent_id == agent.agent_id), (201, false));
    }
    agent.try_send(&server, &[]).await.expect::<Value>(200);
}

#[tokio::test]
async fn only_a_living_key_with_the_scope_enrols() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let body = enrol_body("web-1", &"ab".repeat(32));
    let (_, api_only) = server
        .key(TenantId::DEFAULT, admin.user_id, &[KeyScope::Api])
        .await;
    server
        .send("POST", "/agent/v1/enrol", &api_only, Some(body.clone()))
        .await
        .refused(403, "key_scope");
    for token in [
        "",
        "sg_short",
        &format!("sg_{}", "A".repeat(43)),
        &format!("sga_{}", "A".repeat(43)),
        &format!("sgs_{}", "A".repeat(43)),
    ] {
        server
            .send("POST", "/agent/v1/enrol", token, Some(body.clone()))
            .await
            .refused(401, "unauthenticated");
    }
    let mut nul = body.clone();
    nul["host"]["hostname"] = json!("a\0b");
    server
        .post(&admin, "/agent/v1/enrol", nul)
        .await
        .refused(422, "invalid_body");
    let mut no_address = body.clone();
    no_address["host"]["ip_address"] = json!("300.0.0.1");
    server
        .post(&admin, "/agent/v1/enrol", no_address)
        .await
        .refused(422, "invalid_body");
    assert_eq!(server.count("select count(*) from agents.endpoints").await, 0);
}

#[tokio::test]
async fn enrolments_from_one_address_are_limited() {
    let server = TestServer::start_with(|config| {
        config.rate_limits.enrol_per_address_burst = 2.try_into().unwrap();
        config.rate_limits.enrol_per_address_per_minute = 1.try_into().unwrap();
    })
    .await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut refused = 0;
    for n in 0..4 {
        let response = server
            .post(&admin, "/agent/v1/enrol", enrol_body("web", &format!("{n:064x}")))
            .await;
        refused += usize::from(response.status == 429 && response.headers.contains_key("retry-after"));
    }
    assert_eq!(refused, 2);
}

#[tokio::test]
async fn one_host_that_enrols_many_times_at_once_is_one_endpoint() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let attempts =
        (0..8).map(|_| server.post(&admin, "/agent/v1/enrol", enrol_body("web-1", &"ab".repeat(32))));
    let created = futures_util::future::join_all(attempts)
        .await
        .iter()
        .filter(|r| r.status == 201)
        .count();
    assert_eq!(
        (
            created,
            server.count("select count(*) from agents.endpoints").await
        ),
        (1, 1)
    );
    assert_eq!(
        server
            .count("select count(*) from agents.agent_tokens where revoked_at is null")
            .await,
        1
    );
}

#[tokio::test]
async fn agents_get_the_signed_rules_that_people_see() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let announced = agent.send(&server, &[]).await.rules_version;
    let signed: SignedRules = server
        .send("GET", "/agent/v1/rules", &agent.token, None)
        .await
        .expect(200);
    let package: RulePackage = serde_json::from_str(&signed.package).unwrap();
    assert_eq!(
        (package.version, package.rules),
        (announced, sg_detect::default_pack())
    );
    server
        .send("GET", "/agent/v1/rules", &admin.token, None)
        .await
        .refused(401, "unauthenticated");

    let shown = server.get(&admin, "/api/v1/threats/rules?limit=500").await;
    assert_eq!(shown.status, 200);
    let mut seen = Vec::new();
    let mut path = "/api/v1/threats/rules?limit=10".to_owned();
    loop {
        let page = server.get(&admin, &path).await;
        seen.extend(page.body["items"].as_array().unwrap().clone());
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/threats/rules?limit=10&cursor={cursor}");
    }
    assert_eq!(json!(seen), shown.body["items"]);
    assert!(seen.iter().any(|rule| rule["kind"] == "yara") && seen.len() >= 3);
}

#[tokio::test]
async fn a_key_enrols_as_many_endpoints_as_it_says_and_a_repeat_costs_nothing() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let made = server
        .post(
            &admin,
            "/api/v1/users/api-keys",
            json!({"key_name": "three", "scopes": ["enrol"], "max_enrolments": 3}),
        )
        .await;
    let key = TestCaller {
        token: made.body["key"].as_str().unwrap().to_owned(),
        ..admin.clone()
    };
    let attempts = (0..12).map(|number| {
        let (server, key) = (&server, &key);
        async move {
            let body = enrol_body(&format!("host-{number}"), &format!("{number:064}"));
            server.post(key, "/agent/v1/enrol", body).await.status.as_u16()
        }
    });
    let statuses = futures_util::future::join_all(attempts).await;
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        3,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 403).count(),
        9,
        "{statuses:?}"
    );
    assert_eq!(server.count("select count(*) from agents.endpoints").await, 3);

    // The answer was lost, and the agent asks again.
    let enrolled = statuses.iter().position(|status| *status == 201).unwrap();
    let body = enrol_body(&format!("host-{enrolled}"), &format!("{enrolled:064}"));
    assert_eq!(enrol(&server, &key, body).await.0, 200);
    assert_eq!(
        server.count("select max(enrolments) from users.api_keys").await,
        3
    );
    let refused = server
        .post(&key, "/agent/v1/enrol", enrol_body("one-more", &"f".repeat(64)))
        .await;
    refused.refused(403, "key_used_up");
}

#[tokio::test]
async fn a_maximum_belongs_to_keys_that_enrol() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    for body in [
        json!({"key_name": "x", "scopes": ["enrol"], "max_enrolments": 0}),
        json!({"key_name": "x", "scopes": ["api"], "max_enrolments": 1}),
    ] {
        server
            .post(&admin, "/api/v1/users/api-keys", body)
            .await
            .refused(422, "invalid_body");
    }
}

#[tokio::test]
async fn a_roll_out_enrols_every_host_once_and_nothing_stands_in_each_others_way() {
    let server = TestServer::start_with(|config| {
        config.rate_limits.enrol_per_address_burst = 1_000.try_into().unwrap();
    })
    .await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let made = server
        .post(
            &admin,
            "/api/v1/users/api-keys",
            json!({"key_name": "roll-out", "scopes": ["enrol"]}),
        )
        .await;
    let key = TestCaller {
        token: made.body["key"].as_str().unwrap().to_owned(),
        ..admin.clone()
    };
    // Each host asks twice at the same time, as one whose answer was lost.
    let attempts = (0..300).map(|number| {
        let (server, key) = (&server, &key);
        async move {
            let host = number % 150;
            let body = enrol_body(&format!("host-{host}"), &format!("{host:064}"));
            server.post(key, "/agent/v1/enrol", body).await.status.as_u16()
        }
    });
    let statuses = futures_util::future::join_all(attempts).await;
    for status in [201, 200] {
        let count = statuses.iter().filter(|other| **other == status).count();
        assert_eq!(count, 150, "{statuses:?}");
    }
    for (query, count) in [
        ("select count(*) from agents.endpoints", 150),
        (
            "select count(*) from agents.agent_tokens where revoked_at is null",
            150,
        ),
        (
            "select count(*) from agents.agent_tokens where revoked_at is not null",
            150,
        ),
        ("select max(enrolments) from users.api_keys", 150),
        ("select max(usage_count) from users.api_keys", 300),
        (
            "select count(*) from audit.events where action = 'endpoint.enrol'",
            150,
        ),
        (
            "select count(*) from audit.events where action = 'endpoint.reenrol'",
            150,
        ),
        (
            "select deadlocks from pg_stat_database where datname = current_database()",
            0,
        ),
    ] {
        assert_eq!(server.count(query).await, count, "{query}");
    }
}

/// Hosts of two tenants that share a transaction: with the other's fingerprint and claiming to be the other's endpoint, and with a key that is used up.
#[tokio::test]
async fn who_enrols_beside_others_gets_nothing_of_theirs_and_spoils_nothing() {
    let server = TestServer::start_with(|config| {
        config.rate_limits.enrol_per_address_burst = 1_000.try_into().unwrap();
    })
    .await;
    let theirs = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let tenant_id = server.tenant("other").await;
    let other = server.caller(tenant_id, Role::Admin).await;
    let made = server
        .post(
            &theirs,
            "/api/v1/users/api-keys",
            json!({"key_name": "one", "scopes": ["enrol"], "max_enrolments": 1}),
        )
        .await;
    let spent = TestCaller {
        token: made.body["key"].as_str().unwrap().to_owned(),
        ..theirs.clone()
    };
    assert_eq!(
        enrol(&server, &spent, enrol_body("spent", &"e".repeat(64)))
            .await
            .0,
        201
    );
    let mut known = Vec::new();
    for number in 0..20 {
        let body = enrol_body(&format!("host-{number}"), &format!("{number:064}"));
        let answer = server.post(&theirs, "/agent/v1/enrol", body).await;
        known.push(answer.body["agent_id"].clone());
    }
    let attempts = (0..60).map(|number| {
        let (server, theirs, other, spent, known) = (&server, &theirs, &other, &spent, &known);
        async move {
            let host = number / 3;
            let mut body = enrol_body(&format!("host-{host}"), &format!("{host:064}"));
            let caller = match number % 3 {
                0 => theirs,
                1 => {
                    body["previous_agent_id"] = known[host].clone();
                    other
                }
                _ => {
                    body = enrol_body("late", &format!("{number:f>64}"));
                    spent
                }
            };
            let answer = server.post(caller, "/agent/v1/enrol", body).await;
            (number, answer.status.as_u16(), answer.body)
        }
    });
    for (number, status, body) in futures_util::future::join_all(attempts).await {
        let same = body["agent_id"] == known[number / 3];
        match number % 3 {
            0 => assert!(status == 200 && same, "{status} {body}"),
            1 => assert!(status == 201 && !same, "{status} {body}"),
            _ => assert!(status == 403 && body["code"] == "key_used_up", "{status} {body}"),
        }
    }
    for (query, count) in [
        (
            "select count(*) from agents.endpoints e join users.tenants t using (tenant_id) where t.slug = 'other'",
            20,
        ),
        ("select count(*) from agents.endpoints", 41),
        (
            "select count(*) from agents.agent_tokens t join agents.endpoints e using (agent_id) where t.tenant_id <> e.tenant_id",
            0,
        ),
    ] {
        assert_eq!(server.count(query).await, count, "{query}");
    }
}
