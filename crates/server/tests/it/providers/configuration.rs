//! Setting up providers: who may, with what, and what others learn of it.

use serde_json::{Value, json};
use sg_types::Role;

use super::oidc::set_up;
use crate::app::App;

fn body(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({
        "name": "Sign-in",
        "settings": {"kind": "oidc", "issuer": "https://login.example.org", "client_id": "guard"}
    });
    change(&mut body);
    body
}

#[tokio::test]
async fn what_cannot_work_is_refused_with_its_field() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let cases: Vec<(&str, Value)> = vec![
        ("name", body(|b| b["name"] = json!(" "))),
        ("domains", body(|b| b["domains"] = json!(["no domain"]))),
        (
            "domains",
            body(|b| b["domains"] = json!((0..60).map(|n| format!("{n}.example")).collect::<Vec<_>>())),
        ),
        (
            "default_role",
            body(|b| {
                b["default_role"] = json!("admin");
                b["highest_role"] = json!("user");
            }),
        ),
        (
            "role_mappings",
            body(|b| b["role_mappings"] = json!([{"value": "", "role": "user"}])),
        ),
        (
            "settings.issuer",
            body(|b| b["settings"]["issuer"] = json!("http://login.example.org")),
        ),
        (
            "settings.issuer",
            body(|b| b["settings"]["issuer"] = json!("http://169.254.169.254/")),
        ),
        (
            "settings.issuer",
            body(|b| b["settings"]["issuer"] = json!("file:///etc/passwd")),
        ),
        (
            "settings.issuer",
            body(|b| b["settings"]["issuer"] = json!("https://a:b@login.example.org")),
        ),
        (
            "settings.issuer",
            body(|b| b["settings"]["issuer"] = json!("https://login.example.org/?x=1")),
        ),
        (
            "settings.client_id",
            body(|b| b["settings"]["client_id"] = json!("")),
        ),
        (
            "settings.scopes",
            body(|b| b["settings"]["scopes"] = json!(["two words"])),
        ),
        (
            "settings.ca_pem",
            body(|b| b["settings"]["ca_pem"] = json!("no certificate")),
        ),
        ("secret", body(|b| b["secret"] = json!(""))),
    ];
    for (field, body) in cases {
        let answer = app
            .post("/api/v1/users/providers", &admin.token, body.clone())
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "invalid_body"),
            "{body}: {}",
            answer.body
        );
        assert_eq!(answer.fields(), [field], "{body}");
    }
}

#[tokio::test]
async fn nobody_sets_up_what_reaches_above_them() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    let high = body(|b| b["highest_role"] = json!("system_admin"));
    let refused = app
        .post("/api/v1/users/providers", &admin.token, high.clone())
        .await;
    assert_eq!((refused.status, refused.code()), (403, "role_too_high"));
    let made = app.post("/api/v1/users/providers", &root.token, high).await;
    assert_eq!(made.status, 201, "{}", made.body);
    // Nor is it turned to another server by somebody below, by way of a change.
    let path = format!(
        "/api/v1/users/providers/{}",
        made.body["provider_id"].as_str().unwrap()
    );
    let put = app
        .call(axum::http::Method::PUT, &path, &admin.token, Some(body(|_| {})))
        .await;
    assert_eq!((put.status, put.code()), (403, "role_too_high"));
    assert_eq!(app.delete(&path, &admin.token).await.code(), "role_too_high");
}

#[tokio::test]
async fn a_domain_leads_to_one_tenant_and_tells_nothing_else() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let other_tenant = app.new_tenant("other").await;
    let other = app.person(other_tenant, "other", Role::Admin).await;
    let provider = set_up(&app, &admin, "https://login.example.org", |b| {
        b["domains"] = json!(["example.org", "EXAMPLE.org "]);
    })
    .await;
    let taken = app
        .post(
            "/api/v1/users/providers",
            &other.token,
            body(|b| b["domains"] = json!(["example.org"])),
        )
        .await;
    assert_eq!((taken.status, taken.code()), (409, "domain_taken"));
    assert!(!taken.body.to_string().contains(&provider));

    let ask = async |query: &str| app.get(&format!("/api/v1/sessions/providers{query}"), "").await;
    let found = ask("?domain=Example.ORG").await;
    assert_eq!(found.body["items"][0]["provider_id"], provider.as_str());
    let keys: Vec<&String> = found.body["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["name", "provider_id", "start_url"],
        "nothing of whose it is"
    );
    for unknown in [
        "",
        "?domain=unknown.example",
        "?domain=",
        "?domain=%25",
        "?domain=example.or_",
    ] {
        let answer = ask(unknown).await;
        assert_eq!(
            (answer.status, &answer.body),
            (200, &json!({"items": []})),
            "{unknown}"
        );
    }
    // Another tenant's administrator neither sees it nor touches it.
    let path = format!("/api/v1/users/providers/{provider}");
    assert_eq!(app.get(&path, &other.token).await.status, 404);
    assert_eq!(
        app.post(&format!("{path}/test"), &other.token, json!({}))
            .await
            .status,
        404
    );
    let put = app
        .call(axum::http::Method::PUT, &path, &other.token, Some(body(|_| {})))
        .await;
    assert_eq!(put.status, 404);
    assert_eq!(app.delete(&path, &other.token).await.status, 404);
}

#[tokio::test]
async fn a_secret_does_not_follow_the_provider_to_another_server() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let provider = set_up(&app, &admin, "https://login.example.org", |b| {
        b["secret"] = json!("sealed")
    })
    .await;
    let path = format!("/api/v1/users/providers/{provider}");
    let moved = body(|b| b["settings"]["issuer"] = json!("https://evil.example"));
    let put = app
        .call(axum::http::Method::PUT, &path, &admin.token, Some(moved))
        .await;
    assert_eq!((put.status, put.fields()), (422, vec!["secret"]));
    let same = body(|b| b["settings"]["client_id"] = json!("guard-public"));
    let put = app
        .call(axum::http::Method::PUT, &path, &admin.token, Some(same))
        .await;
    assert_eq!(
        (put.status, &put.body["has_secret"]),
        (200, &json!(true)),
        "{}",
        put.body
    );
}
