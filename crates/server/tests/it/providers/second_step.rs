//! What a second factor asks of people whose first one is kept elsewhere.

use axum::http::Method;
use chrono::Duration;
use serde_json::{Value, json};
use sg_server::jobs;
use sg_types::Role;

use super::browser::Browser;
use super::directory::{Directory, ROOT_PASSWORD};
use super::oidc::set_up;
use super::process::OpenIdProvider;
use crate::app::{App, PASSWORD, Person};
use crate::factors::{Authy, challenge, second_step};
use crate::recovery::Sink;

const WAITING: &str = "/api/v1/sessions/second-factor/waiting";

/// A tenant with an OpenID provider, and ada, who has signed in there once and added an app.
async fn scene(change: impl FnOnce(&mut Value)) -> (App, Person, OpenIdProvider, String, Authy) {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let accounts = json!({
        "ada": {"email": "ada@example.org", "email_verified": true, "preferred_username": "ada"},
        "bo": {"email": "bo@example.org", "email_verified": true, "preferred_username": "bo"}
    });
    let openid = OpenIdProvider::start(&accounts);
    let provider = set_up(&app, &admin, &openid.issuer, change).await;
    let mut browser = Browser::default();
    browser.sign_in(&app, &provider, "ada").await;
    let authy = Authy::add(&app, &browser.cookies["sg_session"]).await;
    (app, admin, openid, provider, authy)
}

#[tokio::test]
async fn a_provider_does_not_stand_in_for_a_second_factor_that_is_kept_here() {
    let (app, _, _openid, provider, authy) = scene(|_| {}).await;
    let mut browser = Browser::default();
    let answer = browser.sign_in(&app, &provider, "ada").await;
    assert_eq!(answer.header("location"), "/threats?sign_in_step=second");
    assert!(
        !browser.cookies.contains_key("sg_session"),
        "{:?}",
        browser.cookies
    );
    assert_eq!(browser.get(&app, "/api/v1/sessions/current").await.status, 401);

    // Only the browser that came back learns what is asked for, and once.
    assert_eq!(
        Browser::default().call(&app, Method::POST, WAITING).await.status,
        401
    );
    let waiting = browser.call(&app, Method::POST, WAITING).await;
    assert_eq!(
        (waiting.status, &waiting.body["factors"]),
        (200, &json!(["totp"]))
    );
    assert_eq!(browser.call(&app, Method::POST, WAITING).await.status, 401);

    assert_eq!(
        second_step(&app, &waiting.body, "code", authy.wrong_code(&app))
            .await
            .status,
        401
    );
    let session = second_step(&app, &waiting.body, "code", authy.code(&app)).await;
    assert_eq!(session.status, 201, "{session:?}");
    let vouched = "select count(*)::text from users.sessions s join users.identity_providers p using (provider_id) where s.ended_at is null";
    assert_eq!(
        app.sql_text(vouched).await,
        "2",
        "the provider can end this session too"
    );
    let again = second_step(&app, &waiting.body, "code", authy.code(&app)).await;
    assert_eq!(again.status, 401, "used up");
    let told = app
        .sql_text(
            "select string_agg(action || ' ' || outcome || coalesce(' ' || reason, ''), ', ' order by occurred_at, event_id)
             from audit.events where action like 'session.%' and outcome <> 'failure'",
        )
        .await;
    assert!(
        told.ends_with("session.challenge success, session.create success totp"),
        "{told}"
    );
}

#[tokio::test]
async fn a_challenge_of_a_password_is_none_of_a_provider() {
    let (app, _, _openid, _, _) = scene(|_| {}).await;
    let bo = app.person(app.tenant(), "bo", Role::Manager).await;
    Authy::add(&app, &bo.token).await;
    let waiting = challenge(&app, "bo").await;
    let mut browser = Browser::default();
    let stolen = waiting["challenge"].as_str().unwrap().to_owned();
    browser.cookies.insert("sg_second_step".to_owned(), stolen);
    assert_eq!(browser.call(&app, Method::POST, WAITING).await.status, 401);
}

#[tokio::test]
async fn a_provider_that_asks_for_a_second_factor_itself_is_believed_where_that_is_set() {
    let (app, _, _openid, provider, _) =
        scene(|body| body["settings"]["checks_second_factor"] = json!(true)).await;
    let mut browser = Browser::default();
    let answer = browser.sign_in(&app, &provider, "ada").await;
    assert_eq!(answer.header("location"), "/threats");
    assert_eq!(browser.get(&app, "/api/v1/sessions/current").await.status, 200);
}

#[tokio::test]
async fn who_has_to_have_a_factor_adds_it_on_the_way_back() {
    let (app, admin, _openid, provider, _) = scene(|_| {}).await;
    let set = app
        .patch(
            "/api/v1/users/factor-policy",
            &admin.token,
            json!({"roles": ["user"], "grace_days": 0}),
        )
        .await;
    assert_eq!(set.status, 200, "{set:?}");
    app.advance(Duration::minutes(1));
    let mut browser = Browser::default();
    let answer = browser.sign_in(&app, &provider, "bo").await;
    assert_eq!(answer.header("location"), "/threats?sign_in_step=second");
    let waiting = browser.call(&app, Method::POST, WAITING).await;
    assert_eq!((waiting.status, &waiting.body["must_enrol"]), (200, &json!(true)));
    let (_, added) = Authy::add_with(&app, waiting.body["challenge"].as_str().unwrap()).await;
    assert_eq!(added.status, 201, "{added:?}");
    let session = added.body["session"]["token"].as_str().unwrap();
    assert_eq!(app.get("/api/v1/sessions/current", session).await.status, 200);
}

#[tokio::test]
async fn who_has_neither_password_nor_factor_is_told_to_sign_in_again() {
    let (app, _, _openid, provider, _) = scene(|_| {}).await;
    let mut browser = Browser::default();
    browser.sign_in(&app, &provider, "bo").await;
    let token = &browser.cookies["sg_session"];
    let ways = app
        .post("/api/v1/sessions/current/verification/options", token, json!({}))
        .await;
    assert_eq!(
        (&ways.body["password"], &ways.body["factors"]),
        (&json!(false), &json!([]))
    );
    for password in ["!", "any"] {
        let refused = app
            .post(
                "/api/v1/sessions/current/verification",
                token,
                json!({"password": password}),
            )
            .await;
        assert_eq!(refused.status, 403, "{refused:?}");
    }
}

#[tokio::test]
async fn nobody_has_to_change_a_password_here_that_is_kept_elsewhere() {
    let sink = Sink::start().await;
    let app = App::start_with(|config| sink.configure(&mut config.mail)).await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let mut directory = Directory::start(&["grace"]).await;
    let body = json!({"name": "Directory", "settings": directory.settings(), "secret": ROOT_PASSWORD});
    let made = app.post("/api/v1/users/providers", &admin.token, body).await;
    let path = format!(
        "/api/v1/users/providers/{}/syncs",
        made.body["provider_id"].as_str().unwrap()
    );
    assert_eq!(app.post(&path, &admin.token, json!({})).await.status, 200);

    // What the documentation tells administrators to run after an incident.
    app.sql("update users.users set must_change_password = true")
        .await;
    assert_eq!(
        app.sign_in("admin", PASSWORD).await.body["must_change_password"],
        true
    );
    let session = app.sign_in("grace", "grace's word").await;
    assert_eq!(
        (session.status, &session.body["must_change_password"]),
        (201, &json!(false))
    );
    let token = session.body["token"].as_str().unwrap();
    assert_eq!(app.get("/api/v1/threats/incidents", token).await.status, 200);

    let change = json!({"current_password": "grace's word", "new_password": "Gravel-lantern4-quince"});
    let refused = app.post("/api/v1/users/me/password", token, change).await;
    assert_eq!((refused.status, refused.code()), (409, "password_kept_elsewhere"));
    let asked = app
        .post("/api/v1/users/password-resets", "", json!({"account": "grace"}))
        .await;
    assert_eq!(asked.status, 202, "the answer tells nothing");
    jobs::send_mail(app.state.clone()).await.unwrap();
    let mails = sink.take();
    assert!(
        mails.is_empty(),
        "a link would set a password that nobody asks for"
    );

    // Proving oneself again asks the directory too, and says so when it is silent: the caller is known.
    let proof = json!({"password": "grace's word"});
    let verification = "/api/v1/sessions/current/verification";
    let right = app.post(verification, token, proof.clone()).await;
    assert_eq!(right.status, 200, "{right:?}");
    let token = right.body["token"].as_str().unwrap();
    assert_eq!(
        app.post(verification, token, json!({"password": "x"}))
            .await
            .status,
        403
    );
    directory.stop();
    assert_eq!(app.post(verification, token, proof).await.status, 503);
    let counted = "select failed_login_attempts::text from users.users where username = 'grace'";
    assert_eq!(
        app.sql_text(counted).await,
        "1",
        "the guess counts, the silence does not"
    );
}
