//! `/api/v1/users`.

use serde_json::{Value, json};
use sg_types::Role;

use super::app::App;

fn new_user(username: &str, role: &str) -> Value {
    json!({"username": username, "email": format!("{username}@example.org"), "role": role})
}

#[tokio::test]
async fn people_are_created_listed_and_changed() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let created = app
        .post("/api/v1/users", &admin.token, new_user("grace", "user"))
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    let id = created.body["user_id"].as_str().unwrap().to_owned();
    let list = app.get("/api/v1/users", &admin.token).await;
    let names: Vec<&str> = list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|u| u["username"].as_str())
        .collect();
    assert_eq!(names, ["admin", "grace"]);
    let first = app.get("/api/v1/users?limit=1", &admin.token).await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = app
        .get(&format!("/api/v1/users?limit=1&cursor={cursor}"), &admin.token)
        .await;
    assert_eq!(
        (&second.body["items"][0]["username"], &second.body["next_cursor"]),
        (&json!("grace"), &Value::Null)
    );

    let changed = app
        .patch(
            &format!("/api/v1/users/{id}"),
            &admin.token,
            json!({"role": "manager"}),
        )
        .await;
    assert_eq!((changed.status, &changed.body["role"]), (200, &json!("manager")));
    let events = app
        .get("/api/v1/audit/events?action=user.update", &admin.token)
        .await;
    let change = &events.body["items"][0]["changes"];
    assert!(
        change.to_string().contains("\"role\":\"manager\"")
            && change.to_string().contains("\"role\":\"user\""),
        "{change}"
    );
}

#[tokio::test]
async fn names_are_unique_in_any_case_and_tenant() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let elsewhere = app.new_tenant("elsewhere").await;
    app.person(elsewhere, "taken", Role::User).await;
    let answer = app
        .post("/api/v1/users", &admin.token, new_user("TAKEN", "user"))
        .await;
    assert_eq!((answer.status, answer.code()), (409, "already_exists"));
    let same_mail = json!({"username": "fresh", "email": "Taken@Example.org", "role": "user"});
    assert_eq!(
        app.post("/api/v1/users", &admin.token, same_mail).await.status,
        409
    );
}

#[tokio::test]
async fn what_is_no_name_is_refused() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let cases = [
        (
            json!({"username": "", "email": "x", "role": "user"}),
            vec!["username", "email"],
        ),
        (
            json!({"username": "a b", "email": "a@b", "role": "user"}),
            vec!["username"],
        ),
        (
            json!({"username": "a@b", "email": "a@b", "role": "user"}),
            vec!["username"],
        ),
        (
            json!({"username": "a\u{0}", "email": "a@b", "role": "user"}),
            vec!["username"],
        ),
        (
            json!({"username": "ok", "email": "a@b", "role": "root"}),
            vec!["role"],
        ),
        (
            json!({"username": "ok", "email": "a@b", "role": "user", "full_name": "x".repeat(256)}),
            vec!["full_name"],
        ),
        (
            json!({"username": "ok", "email": "a@b", "role": "user", "is_admin": true}),
            vec!["is_admin"],
        ),
    ];
    for (body, fields) in cases {
        let answer = app.post("/api/v1/users", &admin.token, body.clone()).await;
        assert_eq!((answer.status, answer.fields()), (422, fields), "{body}");
    }
}

#[tokio::test]
async fn nobody_grants_above_themselves_or_touches_who_is() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let user = app.person(app.tenant(), "user", Role::User).await;
    let up = app
        .post("/api/v1/users", &admin.token, new_user("x", "system_admin"))
        .await;
    assert_eq!((up.status, up.code()), (403, "role_too_high"));
    let path = |id| format!("/api/v1/users/{id}");
    assert_eq!(
        app.patch(&path(user.user_id), &admin.token, json!({"role": "system_admin"}))
            .await
            .code(),
        "role_too_high"
    );
    assert_eq!(
        app.patch(&path(chief.user_id), &admin.token, json!({"is_active": false}))
            .await
            .code(),
        "role_too_high"
    );
    assert_eq!(
        app.patch(&path(admin.user_id), &admin.token, json!({"role": "user"}))
            .await
            .code(),
        "own_account"
    );
    assert_eq!(
        app.patch(&path(chief.user_id), &chief.token, json!({"is_active": false}))
            .await
            .code(),
        "own_account"
    );
}

#[tokio::test]
async fn an_administrator_ends_the_sessions_of_somebody() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let user = app.person(app.tenant(), "user", Role::Manager).await;
    let second = app.open_session(user.user_id, Role::Manager).await;
    let path = format!("/api/v1/users/{}/sessions", user.user_id);
    assert_eq!(app.delete(&path, &user.token).await.status, 403);
    assert_eq!(app.delete(&path, &admin.token).await.status, 204);
    for token in [&user.token, &second] {
        assert_eq!(app.get("/api/v1/sessions/current", token).await.status, 401);
    }
    assert_eq!(
        app.sign_in("user", super::app::PASSWORD).await.status,
        201,
        "the account is as it was"
    );
    let own = format!("/api/v1/users/{}/sessions", admin.user_id);
    assert_eq!(app.delete(&own, &admin.token).await.code(), "own_account");
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let above = format!("/api/v1/users/{}/sessions", chief.user_id);
    assert_eq!(app.delete(&above, &admin.token).await.code(), "role_too_high");
    let north = app.new_tenant("north").await;
    let other = app.person(north, "other", Role::Admin).await;
    assert_eq!(app.delete(&path, &other.token).await.status, 404);
    let told = "select actor_name || ' ' || object_id from audit.events where action = 'user.end_sessions'";
    assert_eq!(app.sql_text(told).await, format!("admin {}", user.user_id));
}

#[tokio::test]
async fn a_switched_off_account_stops_at_once() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let user = app.person(app.tenant(), "user", Role::Manager).await;
    let key = app
        .post(
            "/api/v1/users/api-keys",
            &user.token,
            json!({"key_name": "k", "scopes": ["api"]}),
        )
        .await;
    let key = key.body["key"].as_str().unwrap().to_owned();
    assert_eq!(app.get("/api/v1/users", &key).await.status, 200);
    let path = format!("/api/v1/users/{}", user.user_id);
    assert_eq!(
        app.patch(&path, &admin.token, json!({"is_active": false}))
            .await
            .status,
        200
    );
    assert_eq!(app.get("/api/v1/users", &user.token).await.status, 401);
    assert_eq!(app.get("/api/v1/users", &key).await.status, 401);
    assert_eq!(app.sign_in("user", super::app::PASSWORD).await.status, 401);
    assert_eq!(
        app.patch(&path, &admin.token, json!({"is_active": true}))
            .await
            .status,
        200
    );
    assert_eq!(
        app.get("/api/v1/users", &user.token).await.status,
        401,
        "the old session stays ended"
    );
    assert_eq!(app.sign_in("user", super::app::PASSWORD).await.status, 201);
}

#[tokio::test]
async fn other_tenants_people_do_not_exist() {
    let app = App::start().await;
    let (north, south) = (app.new_tenant("north").await, app.new_tenant("south").await);
    let admin = app.person(north, "north-admin", Role::Admin).await;
    let other = app.person(south, "south-user", Role::User).await;
    let list = app.get("/api/v1/users", &admin.token).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    let path = format!("/api/v1/users/{}", other.user_id);
    assert_eq!(
        app.patch(&path, &admin.token, json!({"is_active": false}))
            .await
            .status,
        404
    );
    let mut body = new_user("spy", "user");
    body["tenant_id"] = json!(south);
    assert_eq!(
        app.post("/api/v1/users", &admin.token, body).await.status,
        404,
        "people in other tenants take tenants_manage"
    );
}

#[tokio::test]
async fn a_system_administrator_creates_people_in_any_tenant() {
    let app = App::start().await;
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let south = app.new_tenant("south").await;
    let mut body = new_user("south-admin", "admin");
    body["tenant_id"] = json!(south);
    let created = app.post("/api/v1/users", &chief.token, body.clone()).await;
    assert_eq!(
        (created.status, &created.body["tenant_id"]),
        (201, &json!(south)),
        "{created:?}"
    );
    let actions = app
        .sql_text(&format!(
            "select string_agg(action, ',') from audit.events where tenant_id = '{south}'"
        ))
        .await;
    assert_eq!(actions, "user.create", "the tenant sees who was let in");
    body["tenant_id"] = json!("00000000-0000-0000-0000-00000000dead");
    body["username"] = json!("x");
    assert_eq!(app.post("/api/v1/users", &chief.token, body).await.status, 404);
}
