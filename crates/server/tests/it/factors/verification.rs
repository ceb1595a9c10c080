//! Verifying oneself again before dangerous actions.

use axum::http::Method;
use chrono::Duration;
use futures_util::future::join_all;
use serde_json::json;
use sg_types::Role;

use super::super::app::{App, PASSWORD};
use super::Authy;

const VERIFY: &str = "/api/v1/sessions/current/verification";

#[tokio::test]
async fn an_old_session_does_nothing_dangerous() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::SystemAdmin).await;
    let bo = app.person(app.tenant(), "bo", Role::User).await;
    let key = app
        .post(
            "/api/v1/users/api-keys",
            &ada.token,
            json!({"key_name": "k", "scopes": ["api"]}),
        )
        .await;
    let key = key.body["key"].as_str().unwrap().to_owned();
    let bo_path = format!("/api/v1/users/{}", bo.user_id);
    let bo_factors = format!("{bo_path}/factors");
    let dangerous = [
        (
            Method::POST,
            "/api/v1/users/tenants",
            json!({"name": "South", "slug": "south"}),
        ),
        (
            Method::POST,
            "/api/v1/users/api-keys",
            json!({"key_name": "k2", "scopes": ["api"]}),
        ),
        (
            Method::POST,
            "/api/v1/users",
            json!({"username": "cy", "email": "cy@example.org", "role": "admin"}),
        ),
        (Method::PATCH, &bo_path, json!({"role": "manager"})),
        (Method::DELETE, &bo_factors, json!({})),
        (
            Method::PATCH,
            "/api/v1/users/factor-policy",
            json!({"roles": ["admin"]}),
        ),
        (
            Method::POST,
            "/api/v1/users/me/factors/totp",
            json!({"name": "Phone"}),
        ),
        (
            Method::POST,
            "/api/v1/users/me/factors/passkeys/options",
            json!({}),
        ),
        (Method::POST, "/api/v1/users/me/factors/backup-codes", json!({})),
        (
            Method::DELETE,
            "/api/v1/users/me/factors/00000000-0000-0000-0000-000000000009",
            json!({}),
        ),
        (
            Method::DELETE,
            "/api/v1/sessions/00000000-0000-0000-0000-000000000009",
            json!({}),
        ),
        (Method::POST, "/api/v1/sessions/end-others", json!({})),
    ];
    app.advance(Duration::minutes(5));
    for (method, path, body) in &dangerous {
        let answer = app
            .call(method.clone(), path, &ada.token, Some(body.clone()))
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "verification_required"),
            "{path}"
        );
    }
    for (path, body) in [
        (
            "/api/v1/users/api-keys",
            json!({"key_name": "e", "scopes": ["enrol"]}),
        ),
        (
            "/api/v1/users",
            json!({"username": "di", "email": "di@example.org", "role": "user"}),
        ),
    ] {
        assert_eq!(app.post(path, &ada.token, body).await.status, 201, "{path}");
    }
    assert_eq!(
        app.post(
            "/api/v1/users/tenants",
            &key,
            json!({"name": "East", "slug": "east"})
        )
        .await
        .status,
        201,
        "a key is for programs"
    );

    let wrong = app.post(VERIFY, &ada.token, json!({"password": "wrong"})).await;
    assert_eq!((wrong.status, wrong.code()), (403, "verification_failed"));
    let right = app.post(VERIFY, &ada.token, json!({"password": PASSWORD})).await;
    assert_eq!(right.status, 200, "{right:?}");
    let renewed = right.body["token"].as_str().unwrap();
    for (method, path, body) in &dangerous {
        let answer = app.call(method.clone(), path, renewed, Some(body.clone())).await;
        assert_ne!(answer.code(), "verification_required", "{path}");
    }
    let other = app.open_session(ada.user_id, Role::SystemAdmin).await;
    app.advance(Duration::minutes(5));
    let answer = app
        .post("/api/v1/users/tenants", &other, json!({"name": "W", "slug": "w"}))
        .await;
    assert_eq!(
        answer.code(),
        "verification_required",
        "each session for itself, for five minutes"
    );
}

#[tokio::test]
async fn who_has_a_factor_uses_it() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let authy = Authy::add(&app, &ada.token).await;
    app.advance(Duration::minutes(5));
    let options = app
        .post(&format!("{VERIFY}/options"), &ada.token, json!({}))
        .await;
    assert_eq!(options.body["factors"], json!(["totp"]));
    let password = app.post(VERIFY, &ada.token, json!({"password": PASSWORD})).await;
    assert_eq!((password.status, password.fields()), (422, vec!["password"]));
    let code = authy.code(&app);
    let right = app.post(VERIFY, &ada.token, json!({"code": code})).await;
    assert_eq!(right.status, 200, "{right:?}");
    let token = right.body["token"].as_str().unwrap();
    assert_eq!(
        app.post(VERIFY, token, json!({"code": code})).await.status,
        403,
        "a code is good once"
    );
    for body in [
        json!({}),
        json!({"code": "1", "backup_code": "2"}),
        json!({"password": "1", "code": "2"}),
    ] {
        assert_eq!(app.post(VERIFY, token, body).await.status, 422);
    }
    let path = format!("/api/v1/users/me/factors/{}", authy.factor_id);
    assert_eq!(app.delete(&path, token).await.status, 204);
    assert_eq!(
        app.sign_in("ada", PASSWORD).await.status,
        201,
        "the password alone again"
    );
    let secrets = "select count(*)::text from users.secrets where purpose = 'totp'";
    assert_eq!(app.sql_text(secrets).await, "0", "no secret outlives its factor");
    let notices = app.get("/api/v1/users/me/notices", token).await;
    assert_eq!(notices.body["notices"][0]["kind"], "factor_removed");
}

#[tokio::test]
async fn a_new_proof_makes_a_new_token_and_voids_the_old_one() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let current = "/api/v1/sessions/current";
    let sessions = app.get("/api/v1/sessions", &ada.token).await;
    let session_id = sessions.body["items"][0]["session_id"].clone();
    let wrong = app.post(VERIFY, &ada.token, json!({"password": "wrong"})).await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, ""));
    assert_eq!(app.get(current, &ada.token).await.status, 200);

    // Two at once from one session: one of them renews it, the other has lost its token.
    let proof = || app.post(VERIFY, &ada.token, json!({"password": PASSWORD}));
    let (one, other) = tokio::join!(proof(), proof());
    let (renewed, late) = if one.status == 200 {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!((renewed.status, late.status), (200, 401), "{renewed:?} {late:?}");
    let token = renewed.body["token"].as_str().unwrap();
    assert!(
        renewed.header("set-cookie").contains(token) && renewed.header("set-cookie").contains("HttpOnly"),
        "{renewed:?}"
    );
    assert_ne!(token, ada.token);
    assert_eq!(
        app.get(current, &ada.token).await.status,
        401,
        "a stolen copy is worth nothing"
    );
    assert_eq!(app.get(current, token).await.status, 200);
    let sessions = app.get("/api/v1/sessions", token).await;
    let items = sessions.body["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), &items[0]["session_id"]),
        (1, &session_id),
        "one session, not two"
    );
}

#[tokio::test]
async fn a_stolen_session_is_no_way_around_any_lock() {
    let app = App::start_with(|config| config.passwords.queue = 1_000).await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let guesses = (0..50).map(|n| app.post(VERIFY, &ada.token, json!({"password": format!("guess {n}")})));
    assert!(join_all(guesses).await.iter().all(|a| a.status == 403));
    assert_eq!(
        app.sql_text("select failed_login_attempts::text from users.users where username = 'ada'")
            .await,
        "5"
    );
    app.advance(Duration::minutes(31));
    let token = app.open_session(ada.user_id, Role::Manager).await;
    let authy = Authy::add(&app, &token).await;
    let wrong = authy.wrong_code(&app);
    let guesses = (0..50).map(|_| app.post(VERIFY, &token, json!({"code": wrong})));
    assert!(join_all(guesses).await.iter().all(|a| a.status == 403));
    assert_eq!(
        app.sql_text("select failed_attempts::text from users.factors")
            .await,
        "5"
    );
    assert_eq!(
        app.post(VERIFY, &token, json!({"code": authy.code(&app)}))
            .await
            .status,
        403
    );
}
