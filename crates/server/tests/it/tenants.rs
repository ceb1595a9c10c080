//! `/api/v1/users/tenants`.

use chrono::Duration;
use secrecy::ExposeSecret;
use serde_json::json;
use sg_server::{jobs, tokens};
use sg_types::{Role, TenantId, TokenKind};
use uuid::Uuid;

use super::app::App;
use super::fleet::{TestAgent, TestServer, metrics};

#[tokio::test]
async fn tenants_are_created_once() {
    let app = App::start().await;
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let path = "/api/v1/users/tenants";
    let created = app
        .post(
            path,
            &chief.token,
            json!({"name": "Nordwind", "slug": "nordwind"}),
        )
        .await;
    assert_eq!(
        (created.status, &created.body["status"]),
        (201, &json!("active")),
        "{created:?}"
    );
    let again = app
        .post(path, &chief.token, json!({"name": "Other", "slug": "nordwind"}))
        .await;
    assert_eq!((again.status, again.code()), (409, "already_exists"));
    let bad = app
        .post(path, &chief.token, json!({"name": " ", "slug": "Nord Wind"}))
        .await;
    assert_eq!((bad.status, bad.fields()), (422, vec!["name", "slug"]));
    let list = app.get(path, &chief.token).await;
    let slugs: Vec<&str> = list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|t| t["slug"].as_str())
        .collect();
    assert_eq!(
        slugs,
        ["default", "nordwind"],
        "the reserved tenant is nobody's business"
    );
    assert_eq!(
        app.sql_text("select count(*)::text from users.password_policies")
            .await,
        "3",
        "a policy for each"
    );
}

#[tokio::test]
async fn administrators_of_a_tenant_see_no_others() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let answer = app.get("/api/v1/users/tenants", &admin.token).await;
    assert_eq!((answer.status, answer.code()), (403, "missing_permission"));
}

#[tokio::test]
async fn a_suspended_tenant_rests_and_its_agents_keep_their_records() {
    let server = TestServer::start().await;
    let chief = server.caller(TenantId::DEFAULT, Role::SystemAdmin).await;
    let other = server.tenant("nordwind").await;
    let admin = server.caller(other, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    agent.send(&server, &[]).await;
    let path = format!("/api/v1/users/tenants/{other}");

    let suspended = server
        .patch(&chief, &path, json!({"status": "suspended", "name": "Nord"}))
        .await;
    assert_eq!(
        (
            suspended.status.as_u16(),
            &suspended.body["status"],
            &suspended.body["name"]
        ),
        (200, &json!("suspended"), &json!("Nord"))
    );
    assert_eq!(server.get(&admin, "/api/v1/users").await.status, 401);
    let sign_in = json!({"username": admin.username, "password": "anything"});
    server
        .post(&chief, "/api/v1/sessions", sign_in)
        .await
        .refused(401, "invalid_credentials");
    let sample = metrics(server.state.now(), 1.0);
    for _ in 0..2 {
        agent
            .try_send(&server, std::slice::from_ref(&sample))
            .await
            .refused(403, "tenant_suspended");
    }
    let stranger = TestAgent {
        token: tokens::generate(TokenKind::Agent)
            .secret
            .expose_secret()
            .to_owned(),
        ..TestAgent::enrol(&server, &chief, "web-2").await
    };
    assert_eq!(
        stranger.try_send(&server, &[]).await.status,
        401,
        "says nothing to strangers"
    );

    let resumed = server.patch(&chief, &path, json!({"status": "active"})).await;
    assert_eq!(resumed.status, 200);
    assert_eq!(server.get(&admin, "/api/v1/users").await.status, 200);
    agent.send(&server, &[sample]).await;
    assert_eq!(server.count("select count(*) from agents.system_info").await, 1);
    // Told in both tenants.
    assert_eq!(
        server
            .count("select count(distinct tenant_id) from audit.events where action = 'tenant.update'")
            .await,
        2
    );
}

#[tokio::test]
async fn a_tenant_is_changed_by_whoever_manages_tenants_and_not_from_within() {
    let app = App::start().await;
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let admin = app.person(app.tenant(), "ada", Role::Admin).await;
    let other = app.new_tenant("other").await;
    let path = |tenant: TenantId| format!("/api/v1/users/tenants/{tenant}");
    let suspend = json!({"status": "suspended"});
    assert_eq!(
        app.patch(&path(other), &admin.token, suspend.clone())
            .await
            .status,
        403
    );
    let own = app
        .patch(&path(app.tenant()), &chief.token, suspend.clone())
        .await;
    assert_eq!((own.status, own.code()), (409, "own_tenant"));
    assert_eq!(
        app.patch(&path(TenantId::SYSTEM), &chief.token, suspend.clone())
            .await
            .status,
        404
    );
    assert_eq!(
        app.patch(&path(TenantId(Uuid::max())), &chief.token, suspend.clone())
            .await
            .status,
        404
    );
    for bad in [
        json!({"name": " "}),
        json!({"status": "erased"}),
        json!({"slug": "x"}),
    ] {
        assert_eq!(
            app.patch(&path(other), &chief.token, bad.clone()).await.status,
            422,
            "{bad}"
        );
    }
    app.sql("update users.tenants set status = 'erased' where slug = 'other'")
        .await;
    assert_eq!(
        app.patch(&path(other), &chief.token, json!({"status": "active"}))
            .await
            .status,
        404,
        "nobody brings back what is erased"
    );
}

#[tokio::test]
async fn a_removed_tenant_is_erased_once_its_time_to_be_taken_back_is_over() {
    let app = App::start().await;
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let (gone, kept, held) = (
        app.new_tenant("gone").await,
        app.new_tenant("kept").await,
        app.new_tenant("held").await,
    );
    for (tenant, name) in [(gone, "ada"), (kept, "bea"), (held, "cleo")] {
        app.person(tenant, name, Role::Admin).await;
    }
    let path = |tenant: TenantId| format!("/api/v1/users/tenants/{tenant}");
    for tenant in [gone, kept, held] {
        let removed = app.delete(&path(tenant), &chief.token).await;
        assert_eq!(
            (removed.status, &removed.body["status"]),
            (200, &json!("suspended"))
        );
        let at = removed.body["erase_at"].clone();
        app.advance(Duration::minutes(1));
        let again = app.delete(&path(tenant), &chief.token).await;
        assert_eq!(again.body["erase_at"], at, "a second wish does not put it off");
    }
    assert_eq!(
        app.delete(&path(app.tenant()), &chief.token).await.code(),
        "own_tenant"
    );
    assert_eq!(
        app.delete(&path(TenantId::SYSTEM), &chief.token).await.status,
        404
    );
    // One is taken back, and a hold keeps another.
    let active = app
        .patch(&path(kept), &chief.token, json!({"status": "active"}))
        .await;
    assert_eq!(active.body["erase_at"], json!(null));
    app.sql(&format!(
        "insert into agents.legal_holds (hold_id, tenant_id, from_at, reason, placed_by, placed_at)
         select gen_random_uuid(), '{held}', now(), 'a case', user_id, now() from users.users where username = 'cleo'"
    ))
    .await;
    let people =
        "select string_agg(username, ' ' order by username) from users.users where username <> 'chief'";
    app.advance(Duration::days(29));
    jobs::erase_due_tenants(app.state.clone()).await.unwrap();
    assert_eq!(app.sql_text(people).await, "ada bea cleo");
    app.advance(Duration::days(1));
    for _ in 0..2 {
        jobs::erase_due_tenants(app.state.clone()).await.unwrap();
    }
    assert_eq!(app.sql_text(people).await, "bea cleo");
    assert_eq!(
        app.sql_text("select string_agg(kind || ' ' || (tenant_id = (select tenant_id from users.tenants where status = 'erased')), ',')
            from audit.chain_records")
        .await,
        "erasure true",
        "once"
    );
    let token = app.open_session(chief.user_id, Role::SystemAdmin).await;
    let back = app.patch(&path(gone), &token, json!({"status": "active"})).await;
    assert_eq!(back.status, 404);
}
