//! The product watches itself: from sign-ins to incidents of the tenant that they concern.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::http::{Method, header};
use chrono::Duration;
use serde_json::{Value, json};
use sg_server::AppState;
use sg_server::http::Peer;
use sg_server::jobs;
use sg_types::{Role, TenantId};

use super::app::{App, PASSWORD, Person, request};

const OFFICE: [u8; 4] = [192, 0, 2, 7];
const ABROAD: [u8; 4] = [203, 0, 113, 9];

async fn sign_in(app: &App, from: [u8; 4], username: &str, password: &str) -> u16 {
    let mut request = request(Method::POST, "/api/v1/sessions")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(
            json!({ "username": username, "password": password }).to_string(),
        ))
        .unwrap();
    let peer = SocketAddr::from((IpAddr::from(from), 40_000));
    request.extensions_mut().insert(Peer(peer));
    app.send(request).await.status
}

/// Takes everything in, and judges it.
async fn look(state: &AppState) {
    jobs::take_in_own_log(state.clone()).await.unwrap();
    for _ in 0..5 {
        jobs::judge_correlations(state.clone()).await.unwrap();
    }
}

async fn incidents(app: &App, who: &Person) -> Vec<Value> {
    // Sessions end, and these tests take days.
    let token = app.open_session(who.user_id, Role::Admin).await;
    let answer = app.get("/api/v1/threats/incidents", &token).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body["items"].as_array().unwrap().clone()
}

fn titles(incidents: &[Value]) -> Vec<&str> {
    let mut titles: Vec<&str> = incidents
        .iter()
        .map(|one| one["title"].as_str().unwrap())
        .collect();
    titles.sort_unstable();
    titles
}

/// A tenant with somebody who watches, and so many others.
async fn tenant(app: &App, slug: &str, people: usize) -> (TenantId, Person) {
    let tenant_id = app.new_tenant(slug).await;
    let admin = app.person(tenant_id, &format!("{slug}-admin"), Role::Admin).await;
    for n in 0..people {
        app.person(tenant_id, &format!("{slug}-{n}"), Role::User).await;
    }
    (tenant_id, admin)
}

#[tokio::test]
async fn password_spraying_is_one_incident_of_the_tenant_that_it_is_about() {
    let app = App::start().await;
    let (_, admin) = tenant(&app, "acme", 9).await;
    let (_, other) = tenant(&app, "other", 3).await;
    for n in 0..7 {
        assert_eq!(
            sign_in(&app, ABROAD, &format!("acme-{n}"), "Winter-2026-x").await,
            401
        );
    }
    // Names that nobody has, and people of another tenant, count for nobody here.
    for n in 0..9 {
        assert_eq!(
            sign_in(&app, ABROAD, &format!("nobody-{n}"), "Winter-2026-x").await,
            401
        );
    }
    for n in 0..3 {
        assert_eq!(
            sign_in(&app, ABROAD, &format!("other-{n}"), "Winter-2026-x").await,
            401
        );
    }
    assert_eq!(sign_in(&app, OFFICE, "acme-8", "Winter-2026-x").await, 401);
    look(&app.state).await;
    assert!(incidents(&app, &admin).await.is_empty());

    assert_eq!(sign_in(&app, ABROAD, "acme-7", "Winter-2026-x").await, 401);
    look(&app.state).await;
    let found = incidents(&app, &admin).await;
    assert_eq!(titles(&found), ["Password spraying against SecureGuard"]);
    assert!(incidents(&app, &other).await.is_empty());
    let path = format!(
        "/api/v1/threats/incidents/{}",
        found[0]["threat_id"].as_str().unwrap()
    );
    let detail = app.get(&path, &admin.token).await.body;
    let finding = &detail["findings"][0];
    assert_eq!(
        finding["explanation"],
        "Within 30m, 8 different values of User for SourceIp 203.0.113.9; looked for was ≥ 8."
    );
    assert!(
        finding["tags"].to_string().contains("attack.t1110.003"),
        "{finding}"
    );
    assert!(finding["evidence"].to_string().contains("acme-3"), "{finding}");

    // It goes on: the same incident, also for another node and after a restart.
    assert_eq!(sign_in(&app, ABROAD, "acme-8", "Winter-2026-x").await, 401);
    let (second, third) = (app.node_with(|_| {}), app.node_with(|_| {}));
    let all = [&app.state, &second, &third];
    futures_util::future::join_all(all.map(look)).await;
    look(&third).await;
    assert_eq!(incidents(&app, &admin).await.len(), 1);
    assert_eq!(
        app.db
            .count("select count(*) from threats.occurrences")
            .await
            .unwrap(),
        1
    );

    // Then one of them is in.
    app.advance(Duration::minutes(20));
    assert_eq!(sign_in(&app, ABROAD, "acme-8", PASSWORD).await, 201);
    look(&app.state).await;
    let found = incidents(&app, &admin).await;
    assert!(
        titles(&found).contains(&"Password spraying against SecureGuard, then a successful sign-in"),
        "{:?}",
        titles(&found)
    );
    assert_eq!(app.db.count("select count(*) from agents.events e join audit.login_attempts a on a.attempt_id = e.event_id where a.tenant_id <> e.tenant_id").await.unwrap(), 0);
}

#[tokio::test]
async fn many_locked_accounts_are_an_incident() {
    let app = App::start().await;
    let (_, admin) = tenant(&app, "acme", 4).await;
    for n in 0..4 {
        for _ in 0..5 {
            sign_in(&app, [198, 51, 100, n], &format!("acme-{n}"), "Winter-2026-x").await;
        }
        look(&app.state).await;
        let expected: &[&str] = match n {
            3 => &["Many accounts of SecureGuard were locked"],
            _ => &[],
        };
        assert_eq!(titles(&incidents(&app, &admin).await), expected);
    }
}

#[tokio::test]
async fn a_network_that_is_new_for_somebody_counts_beside_one_that_is_known() {
    let app = App::start().await;
    let (_, admin) = tenant(&app, "acme", 2).await;
    // The first network of all is no news.
    assert_eq!(sign_in(&app, OFFICE, "acme-0", PASSWORD).await, 201);
    app.advance(Duration::days(2));
    // Another address of the same network is known.
    assert_eq!(sign_in(&app, [192, 0, 2, 200], "acme-0", PASSWORD).await, 201);
    // Somebody else's network is not.
    assert_eq!(sign_in(&app, ABROAD, "acme-1", PASSWORD).await, 201);
    look(&app.state).await;
    assert!(incidents(&app, &admin).await.is_empty());
    app.advance(Duration::minutes(10));
    assert_eq!(sign_in(&app, ABROAD, "acme-0", PASSWORD).await, 201);
    look(&app.state).await;
    let found = incidents(&app, &admin).await;
    assert_eq!(
        titles(&found),
        ["Signed in to SecureGuard from two networks at once, one of them never seen"]
    );
    assert_eq!(found[0]["severity"], "medium");
    // From then on it is known.
    app.advance(Duration::hours(5));
    assert_eq!(sign_in(&app, ABROAD, "acme-0", PASSWORD).await, 201);
    assert_eq!(sign_in(&app, OFFICE, "acme-0", PASSWORD).await, 201);
    look(&app.state).await;
    assert_eq!(incidents(&app, &admin).await.len(), 1);
}

#[tokio::test]
async fn a_changed_audit_log_is_an_incident_of_its_tenant() {
    let app = App::start().await;
    let (tenant_id, admin) = tenant(&app, "acme", 0).await;
    let (_, other) = tenant(&app, "other", 0).await;
    let at = app.clock_now();
    app.sql(&format!(
        "insert into audit.chain_records (record_id, tenant_id, occurred_at, kind, body, key_id, signature)
         values (gen_random_uuid(), '{}', '{}', 'fork', '{{\"known_position\":12,\"found_position\":7}}', 'k', decode(repeat('00', 64), 'hex'))",
        tenant_id.0,
        // As it is bound elsewhere: PostgreSQL would round what is finer.
        at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
    ))
    .await;
    look(&app.state).await;
    look(&app.state).await;
    let found = incidents(&app, &admin).await;
    assert_eq!(
        titles(&found),
        ["Audit log of SecureGuard is not the one that was signed"]
    );
    assert_eq!(
        (&found[0]["severity"], &found[0]["occurrence_count"]),
        (&json!("critical"), &json!(1))
    );
    assert!(incidents(&app, &other).await.is_empty());
    // The server's entry is nobody's endpoint: neither in lists nor in counts.
    let endpoints = app.get("/api/v1/agents/endpoints", &admin.token).await.body;
    assert_eq!(endpoints["items"], json!([]));
    let overview = app.get("/api/v1/monitoring/overview", &admin.token).await.body;
    assert_eq!(overview["endpoints"]["offline"], 0, "{overview}");
}
