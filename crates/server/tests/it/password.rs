//! `POST /api/v1/users/me/password`.

use serde_json::json;
use sg_types::Role;

use super::app::{Answer, App, PASSWORD};

const NEW: &str = "Gravel-lantern4-quince";

async fn change(app: &App, token: &str, current: &str, new: &str) -> Answer {
    app.post(
        "/api/v1/users/me/password",
        token,
        json!({"current_password": current, "new_password": new}),
    )
    .await
}

#[tokio::test]
async fn a_forced_change_stands_before_everything_else() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let created = app
        .post(
            "/api/v1/users",
            &admin.token,
            json!({"username": "new", "email": "n@x", "role": "manager"}),
        )
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    let initial = created.body["initial_password"].as_str().unwrap().to_owned();
    let session = app.sign_in("new", &initial).await;
    assert_eq!(session.body["must_change_password"], true);
    let token = session.body["token"].as_str().unwrap().to_owned();

    let refused = app.get("/api/v1/users", &token).await;
    assert_eq!(
        (refused.status, refused.code()),
        (403, "password_change_required")
    );
    assert_eq!(
        app.get("/api/v1/sessions/current", &token).await.body["must_change_password"],
        true
    );
    assert_eq!(change(&app, &token, &initial, NEW).await.status, 204);
    assert_eq!(app.get("/api/v1/users", &token).await.status, 200);
    assert_eq!(app.sign_in("new", &initial).await.status, 401);
    assert_eq!(app.sign_in("new", NEW).await.body["must_change_password"], false);
}

#[tokio::test]
async fn other_sessions_end_with_the_old_password() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let elsewhere = app.open_session(ada.user_id, Role::User).await;
    assert_eq!(change(&app, &ada.token, PASSWORD, NEW).await.status, 204);
    assert_eq!(app.get("/api/v1/sessions/current", &ada.token).await.status, 200);
    assert_eq!(app.get("/api/v1/sessions/current", &elsewhere).await.status, 401);
}

#[tokio::test]
async fn every_reason_is_told() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let answer = change(&app, &ada.token, PASSWORD, "short").await;
    assert_eq!((answer.status, answer.code()), (422, "password_refused"));
    assert_eq!(answer.fields(), ["new_password"; 4], "{:?}", answer.body);
    for weak in ["Password1234!", "SecureGuard2026!", "Qwertyuiop12!"] {
        assert_eq!(
            change(&app, &ada.token, PASSWORD, weak).await.fields(),
            ["new_password"],
            "{weak}"
        );
    }
    assert_eq!(
        app.sign_in("ada", PASSWORD).await.status,
        201,
        "nothing was changed"
    );
}

#[tokio::test]
async fn earlier_passwords_do_not_come_back() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    assert_eq!(
        change(&app, &ada.token, PASSWORD, PASSWORD).await.fields(),
        ["new_password"],
        "the present one"
    );
    let mut current = PASSWORD.to_owned();
    for n in 0..5 {
        let next = format!("{NEW}-{n}x");
        assert_eq!(change(&app, &ada.token, &current, &next).await.status, 204);
        current = next;
    }
    assert_eq!(
        change(&app, &ada.token, &current, PASSWORD).await.status,
        422,
        "fifth of the last five"
    );
    assert_eq!(
        change(&app, &ada.token, &current, "Another-kettle9-fern")
            .await
            .status,
        204
    );
    assert_eq!(
        change(&app, &ada.token, "Another-kettle9-fern", PASSWORD)
            .await
            .status,
        204,
        "long enough ago"
    );
}

#[tokio::test]
async fn a_stolen_session_is_no_way_around_the_lockout() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    for n in 0..5 {
        let answer = change(&app, &ada.token, &format!("guess {n}"), NEW).await;
        assert_eq!((answer.status, answer.fields()), (422, vec!["current_password"]));
    }
    assert_eq!(
        change(&app, &ada.token, PASSWORD, NEW).await.fields(),
        ["current_password"],
        "locked by now"
    );
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn a_password_that_grew_too_old_has_to_be_changed() {
    let app = App::start().await;
    app.person(app.tenant(), "ada", Role::Manager).await;
    app.sql("update users.users set password_last_changed = now() - interval '91 days'")
        .await;
    let session = app.sign_in("ada", PASSWORD).await;
    assert_eq!(session.body["must_change_password"], true);
    let token = session.body["token"].as_str().unwrap();
    assert_eq!(
        app.get("/api/v1/users", token).await.code(),
        "password_change_required"
    );
}

#[tokio::test]
async fn keys_outlive_an_old_password() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let made = app
        .post("/api/v1/users/api-keys", &ada.token, json!({"key_name": "k"}))
        .await;
    app.sql("update users.users set must_change_password = true")
        .await;
    assert_eq!(
        app.get("/api/v1/users", &ada.token).await.code(),
        "password_change_required"
    );
    assert_eq!(
        app.get("/api/v1/users", made.body["key"].as_str().unwrap())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_document_style_hash_never_verifies() {
    let app = App::start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    app.sql("update users.users set password_hash = '[argon2_hash]'")
        .await;
    for guess in ["[argon2_hash]", "", PASSWORD] {
        assert_eq!(app.sign_in("ada", guess).await.status, 401);
    }
}
