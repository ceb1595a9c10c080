//! Setting up providers: who may, with what, and what others learn of it.

use axum::http::Method;
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
async fn who_sees_a_part_of_the_tenant_sets_up_no_way_into_it() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let made = app
        .post("/api/v1/users/providers", &admin.token, body(|_| {}))
        .await;
    let path = format!(
        "/api/v1/users/providers/{}",
        made.body["provider_id"].as_str().unwrap()
    );
    app.sql(
        "insert into users.roles (tenant_id, role, based_on, scope)
         select tenant_id, 'part', 'admin', 'own' from users.users where username = 'admin';
         insert into users.role_permissions (tenant_id, role, permission)
         select tenant_id, 'part', 'providers_manage' from users.users where username = 'admin';
         update users.users set role = 'part' where username = 'admin'",
    )
    .await;
    // What is there is not for such a role to see, nor to remove.
    for (method, path, status) in [
        (Method::POST, "/api/v1/users/providers", 403),
        (Method::PUT, path.as_str(), 404),
        (Method::DELETE, path.as_str(), 403),
    ] {
        let body = (method != Method::DELETE).then(|| body(|_| {}));
        let refused = app.call(method, path, &admin.token, body).await;
        assert_eq!(refused.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_domain_leads_to_one_tenant_and_tells_nothing_else() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let other_tenant = app.new_tenant("other").await;
    let other = app.person(other_tenant, "other", Role::Admin).await;
    let operator = app.person(app.tenant(), "operator", Role::SystemAdmin).await;
    let provider = set_up(&app, &operator, "https://login.example.org", |b| {
        b["domains"] = json!(["example.org", "EXAMPLE.org "]);
    })
    .await;
    let claim = body(|b| b["domains"] = json!(["example.org"]));
    let claimed = app.post("/api/v1/users/providers", &other.token, claim).await;
    assert_eq!(
        (claimed.status, &claimed.body["is_waiting"]),
        (201, &json!(true)),
        "a claim tells nothing of the domain's holder, and leads nobody away"
    );

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
    let list = app.get("/api/v1/users/providers", &admin.token).await;
    assert_eq!(list.body["items"][0]["is_waiting"], json!(false));
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
async fn what_all_tenants_see_takes_the_operators_word() {
    let app = App::start().await;
    let operator = app.person(app.tenant(), "operator", Role::SystemAdmin).await;
    let tenant = app.new_tenant("other").await;
    let admin = app.person(tenant, "admin", Role::Admin).await;
    let there = app.person(tenant, "there", Role::SystemAdmin).await;
    let wishes = |name: &str, issuer: &str, domains: &[&str]| {
        let (name, issuer, domains) = (json!(name), json!(issuer), json!(domains));
        body(|b| {
            (b["name"], b["settings"]["issuer"], b["domains"], b["is_listed"]) =
                (name, issuer, domains, json!(true));
        })
    };
    let own = "https://login.example.org";
    let made = app
        .post(
            "/api/v1/users/providers",
            &admin.token,
            wishes("Ours", own, &["one.example"]),
        )
        .await;
    assert_eq!(
        (made.status, &made.body["is_waiting"]),
        (201, &json!(true)),
        "{made:?}"
    );
    let provider = made.body["provider_id"].as_str().unwrap();
    let path = format!("/api/v1/users/providers/{provider}");
    let publication = format!("/api/v1/users/provider-publications/{provider}");
    // Whether it is listed, and whether each of two domains leads to it.
    let offered = async || {
        let mut found = Vec::new();
        for query in ["", "?domain=one.example", "?domain=two.example"] {
            let answer = app.get(&format!("/api/v1/sessions/providers{query}"), "").await;
            found.push(answer.body["items"].as_array().unwrap().len());
        }
        found
    };
    let put = async |token: &str, wishes: Value| {
        let answer = app.call(Method::PUT, &path, token, Some(wishes)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["is_waiting"].clone()
    };
    assert_eq!(offered().await, [0, 0, 0]);
    let start = app
        .get(&format!("/api/v1/sessions/oidc/{provider}/start"), "")
        .await;
    assert_ne!(start.status, 404, "its own link leads to it");

    // Nobody but the operator agrees, nor sees what others wait for.
    for (method, path) in [
        (Method::GET, "/api/v1/users/provider-publications"),
        (Method::PUT, &publication),
        (Method::DELETE, &publication),
    ] {
        let refused = app.call(method, path, &admin.token, None).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "missing_permission"),
            "{path}"
        );
    }
    let waiting = app
        .get("/api/v1/users/provider-publications", &operator.token)
        .await;
    let item = &waiting.body["items"][0];
    assert_eq!(
        (
            &item["tenant_name"],
            &item["issuer"],
            &item["domains"],
            &item["is_waiting"]
        ),
        (
            &json!("other"),
            &json!(own),
            &json!(["one.example"]),
            &json!(true)
        )
    );
    let agreed = app.call(Method::PUT, &publication, &operator.token, None).await;
    assert_eq!(agreed.status, 204, "{agreed:?}");
    assert_eq!(offered().await, [1, 1, 1]);

    // A second domain waits and the first goes on; another name or server is not what the operator agreed to.
    let two = ["one.example", "two.example"];
    assert_eq!(put(&admin.token, wishes("Ours", own, &two)).await, json!(true));
    assert_eq!(offered().await, [1, 1, 1], "listed to everybody");
    let count = "select string_agg(domain, ',') from users.provider_domains where is_published";
    assert_eq!(app.sql_text(count).await, "one.example");
    let unlisted = body(|b| (b["name"], b["domains"]) = (json!("Ours"), json!(two)));
    assert_eq!(put(&admin.token, unlisted).await, json!(true));
    assert_eq!(offered().await, [0, 1, 0]);
    assert_eq!(put(&admin.token, wishes("Ours", own, &two)).await, json!(true));
    assert_eq!(offered().await, [0, 1, 0], "listing it again waits again");
    assert_eq!(put(&there.token, wishes("Ours", own, &two)).await, json!(false));
    assert_eq!(offered().await, [1, 1, 1]);
    for (name, issuer) in [("Bank", own), ("Bank", "https://evil.example.org")] {
        assert_eq!(put(&admin.token, wishes(name, issuer, &two)).await, json!(true));
        assert_eq!(offered().await, [0, 0, 0], "{name} {issuer}");
        app.call(Method::PUT, &publication, &operator.token, None).await;
        assert_eq!(offered().await, [1, 1, 1]);
    }
    let withdrawn = app
        .call(Method::DELETE, &publication, &operator.token, None)
        .await;
    assert_eq!((withdrawn.status, offered().await), (204, vec![0, 0, 0]));
    let told = "select string_agg(distinct action || ' ' || t.slug, ', ' order by action || ' ' || t.slug)
        from audit.events e join users.tenants t using (tenant_id) where action like 'identity_provider.%'";
    assert_eq!(
        app.sql_text(told).await,
        "identity_provider.create other, identity_provider.publish default, identity_provider.publish other, \
         identity_provider.update other, identity_provider.withdraw default, identity_provider.withdraw other"
    );

    // Of two claims one is heard, and the tenants learn nothing of each other.
    let rival = app.new_tenant("rival").await;
    let rival = app.person(rival, "rival", Role::Admin).await;
    app.call(Method::PUT, &publication, &operator.token, None).await;
    let claim = app
        .post(
            "/api/v1/users/providers",
            &rival.token,
            wishes("Rival", own, &["one.example"]),
        )
        .await;
    let claim = format!(
        "/api/v1/users/provider-publications/{}",
        claim.body["provider_id"].as_str().unwrap()
    );
    let taken = app.call(Method::PUT, &claim, &operator.token, None).await;
    assert_eq!((taken.status, taken.code()), (409, "domain_taken"));
    app.call(Method::DELETE, &publication, &operator.token, None)
        .await;
    assert_eq!(
        app.call(Method::PUT, &claim, &operator.token, None).await.status,
        204
    );
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
