//! Everything of a tenant as a file: all of it, nothing of a neighbour's, and no secret.

use std::collections::BTreeMap;

use axum::http::{Method, header};
use chrono::Duration;
use serde_json::{Value, json};
use sg_types::Role;

use super::app::{App, request};

const EXPORT: &str = "/api/v1/users/tenant-export";

async fn export(app: &App, token: &str) -> String {
    let call = request(Method::GET, EXPORT)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = tower::ServiceExt::oneshot(app.node_router(), call).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_tenant_takes_everything_of_its_own_away_and_nothing_else() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let north = app.new_tenant("north").await;
    let other = app.person(north, "other", Role::Admin).await;
    app.sql(&format!(
        "insert into agents.endpoints (agent_id, tenant_id, hostname)
         select gen_random_uuid(), t, 'host-' || n from unnest(array['{}'::uuid, '{north}']) t, generate_series(1, 2000) n",
        app.tenant()
    ))
    .await;
    let made = app
        .post(
            "/api/v1/users/api-keys",
            &admin.token,
            json!({"key_name": "loader", "scopes": ["api"]}),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");

    let file = export(&app, &admin.token).await;
    let lines: Vec<Value> = file
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (head, rest) = lines.split_first().unwrap();
    let (last, rows) = rest.split_last().unwrap();
    assert_eq!(
        (&head["format"], &head["version"]),
        (&json!("secureguard-tenant-export"), &json!(1))
    );
    assert_eq!(head["tenant_id"], json!(app.tenant()));
    assert_eq!(last["complete"], true);
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        assert_eq!(row["row"]["tenant_id"], json!(app.tenant()), "{row}");
        *counted.entry(row["table"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!(last["rows"], json!(counted));
    assert_eq!(counted["agents.endpoints"], 2_000);
    for table in [
        "users.users",
        "users.api_keys",
        "users.roles",
        "users.subscriptions",
        "audit.events",
        "audit.row_changes",
        "monitoring.alert_rules",
    ] {
        let count = app
            .sql_text(&format!(
                "select count(*)::text from {table} where tenant_id = '{}'",
                app.tenant()
            ))
            .await;
        assert_eq!(counted[table].to_string(), count, "{table}");
    }
    assert!(!file.contains(&north.to_string()) && !file.contains("\"other\""));
    for secret in ["password_hash", "$argon2", "key_hash", "token_hash", "ciphertext"] {
        let places = file
            .lines()
            .filter(|line| line.contains(&format!("\"{secret}\":")) && !line.contains("(secret)"));
        assert_eq!(places.count(), 0, "{secret}");
    }
    let told = "select actor_name || ' ' || object_kind from audit.events where action = 'tenant.export'";
    assert_eq!(app.sql_text(told).await, "admin tenant");
    let theirs = export(&app, &other.token).await;
    assert!(!theirs.contains(&app.tenant().to_string()));
}

#[tokio::test]
async fn only_an_administrator_who_has_just_proved_it_exports_and_one_at_a_time() {
    let app = App::start().await;
    for (name, role) in [("bo", Role::User), ("mo", Role::Manager)] {
        let person = app.person(app.tenant(), name, role).await;
        assert_eq!(app.get(EXPORT, &person.token).await.status, 403, "{name}");
    }
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    // A reader that takes nothing: its export holds the only turn.
    app.sql(&format!(
        "insert into agents.endpoints (agent_id, tenant_id, hostname)
         select gen_random_uuid(), '{}', repeat('host-', 40) || n from generate_series(1, 10000) n",
        app.tenant()
    ))
    .await;
    let call = || {
        request(Method::GET, EXPORT)
            .header(header::AUTHORIZATION, format!("Bearer {}", admin.token))
            .body(axum::body::Body::empty())
            .unwrap()
    };
    let router = app.node_router();
    let slow = tower::ServiceExt::oneshot(router.clone(), call()).await.unwrap();
    let busy = tower::ServiceExt::oneshot(router.clone(), call()).await.unwrap();
    assert_eq!(
        (
            busy.status().as_u16(),
            busy.headers()["retry-after"].to_str().unwrap()
        ),
        (503, "60")
    );
    // Gone, it gives its turn back.
    drop(slow);
    let mut status = 503;
    for _ in 0..100 {
        let next = tower::ServiceExt::oneshot(router.clone(), call()).await.unwrap();
        status = next.status().as_u16();
        if status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(status, 200);
    app.advance(Duration::minutes(6));
    let stale = app.get(EXPORT, &admin.token).await;
    assert_eq!((stale.status, stale.code()), (403, "verification_required"));
}
