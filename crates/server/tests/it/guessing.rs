//! Parallel guesses on every path that checks a password, and on all of them at once: no more are tested than the policy's limit.

use axum::body::Body;
use axum::http::{Method, header};
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use sg_types::Role;

use super::app::{Answer, App, PASSWORD, Person, request};

/// One wrong guess.
type Guess = for<'a> fn(&'a App, &'a Person, String) -> BoxFuture<'a, Answer>;

/// Every path that checks a password. Whoever makes another one adds it here.
const PATHS: [(&str, Guess); 2] = [
    ("sign-in", |app, _, guess| {
        Box::pin(async move { app.sign_in("ada", &guess).await })
    }),
    ("change of the password", |app, ada, guess| {
        Box::pin(async move {
            let body = json!({"current_password": guess, "new_password": "Gravel-lantern4-quince"});
            app.post("/api/v1/users/me/password", &ada.token, body).await
        })
    }),
];

async fn start() -> (App, Person) {
    let app = App::start_with(|config| config.passwords.queue = 1_000).await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    (app, ada)
}

async fn forget_failures(app: &App) {
    app.sql("update users.users set failed_login_attempts = 0, account_locked_until = null")
        .await;
}

#[tokio::test]
async fn no_number_of_parallel_guesses_on_any_path_is_tested_beyond_the_limit() {
    let (app, ada) = start().await;
    for (path, guess) in PATHS {
        for number in [1, 10, 50, 150] {
            forget_failures(&app).await;
            let before = app.state.passwords.tested();
            let answers = join_all((0..number).map(|n| guess(&app, &ada, format!("guess {n}")))).await;
            // On a slow machine some find no connection to the database in time.
            let busy = answers.iter().filter(|a| a.status == 503).count();
            assert!(
                answers.iter().all(|a| [401, 422, 503].contains(&a.status)),
                "{path}"
            );
            let tested = app.state.passwords.tested() - before;
            assert!(
                tested == number.min(5) || (busy > 0 && tested <= 5),
                "{tested} of {number} by {path}, {busy} busy"
            );
        }
    }
}

#[tokio::test]
async fn all_paths_draw_on_one_budget() {
    let (app, ada) = start().await;
    let before = app.state.passwords.tested();
    let guesses = (0..60).map(|n| {
        let (_, guess) = PATHS[n % PATHS.len()];
        guess(&app, &ada, format!("guess {n}"))
    });
    join_all(guesses).await;
    assert_eq!(app.state.passwords.tested() - before, 5);
    for (path, guess) in PATHS {
        let answer = guess(&app, &ada, PASSWORD.to_owned()).await;
        assert!(
            [401, 422].contains(&answer.status),
            "{path} while locked: {answer:?}"
        );
    }
}

/// A sign-in as a browser does it.
async fn browser(app: &App, username: &str, password: &str, cookie: &str) -> Answer {
    let mut sent = request(Method::POST, "/api/v1/sessions")
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-secureguard-csrf", "1");
    if !cookie.is_empty() {
        sent = sent.header(header::COOKIE, cookie);
    }
    let body = json!({"username": username, "password": password}).to_string();
    app.send(sent.body(Body::from(body)).unwrap()).await
}

/// The device's cookie of an answer.
fn device(answer: &Answer) -> String {
    let cookies = answer.headers.get_all(header::SET_COOKIE);
    let found = cookies
        .iter()
        .map(|value| value.to_str().unwrap())
        .find(|value| value.starts_with("sg_device_"));
    found
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn an_outsider_does_not_lock_a_user_out_of_their_browser() {
    let (app, ada) = start().await;
    app.person(app.tenant(), "eve", Role::User).await;
    let cookie = device(&browser(&app, "ada", PASSWORD, "").await);
    assert!(cookie.contains("=sgd_"), "{cookie}");
    assert_eq!(
        device(&app.sign_in("ada", PASSWORD).await),
        "",
        "programs are not remembered"
    );
    assert_eq!(
        device(&browser(&app, "ada", "wrong", "").await),
        "",
        "nor who cannot sign in"
    );

    for n in 0..20 {
        app.sign_in("ada", &format!("guess {n}")).await;
    }
    assert_eq!(
        browser(&app, "ada", PASSWORD, "").await.status,
        401,
        "strangers are locked out"
    );
    let inside = browser(&app, "ADA", PASSWORD, &cookie).await;
    assert_eq!(
        (inside.status, device(&inside).as_str()),
        (201, ""),
        "known already"
    );
    assert_eq!(
        app.sign_in("ada", PASSWORD).await.status,
        401,
        "which does not let strangers in"
    );

    // Whose cookie it is, decides: neither a forged one nor another user's helps.
    let eves = device(&browser(&app, "eve", PASSWORD, "").await);
    let (name, value) = cookie.split_once('=').unwrap();
    let (_, eves_value) = eves.split_once('=').unwrap();
    for bad in [
        format!("{name}=sgd_{}", "A".repeat(43)),
        format!("{name}={eves_value}"),
        eves.clone(),
        format!("{name}={}", &value[1..]),
    ] {
        assert_eq!(browser(&app, "ada", PASSWORD, &bad).await.status, 401, "{bad}");
    }
    // A device opens nothing.
    assert_eq!(app.get("/api/v1/sessions/current", value).await.status, 401);

    // Whoever has stolen it has a budget, and no more.
    let before = app.state.passwords.tested();
    let guesses = (0..40).map(|n| {
        let (app, cookie) = (&app, &cookie);
        async move { browser(app, "ada", &format!("guess {n}"), cookie).await }
    });
    assert!(join_all(guesses).await.iter().all(|a| a.status == 401));
    assert_eq!(app.state.passwords.tested() - before, 5);
    assert_eq!(browser(&app, "ada", PASSWORD, &cookie).await.status, 401);
    assert_eq!(
        app.get("/api/v1/sessions/current", &ada.token).await.status,
        200,
        "sessions go on"
    );
}

#[tokio::test]
async fn a_user_changes_their_password_while_an_outsider_guesses() {
    let (app, _) = start().await;
    let signed_in = browser(&app, "ada", PASSWORD, "").await;
    let (cookie, token) = (
        device(&signed_in),
        signed_in.body["token"].as_str().unwrap().to_owned(),
    );
    for n in 0..6 {
        app.sign_in("ada", &format!("guess {n}")).await;
    }
    let change = async |cookie: &str| {
        let mut sent = request(Method::POST, "/api/v1/users/me/password")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if !cookie.is_empty() {
            sent = sent.header(header::COOKIE, cookie);
        }
        let body: Value = json!({"current_password": PASSWORD, "new_password": "Gravel-lantern4-quince"});
        app.send(sent.body(Body::from(body.to_string())).unwrap())
            .await
            .status
    };
    assert_eq!(change("").await, 422);
    assert_eq!(change(&cookie).await, 204);
}

#[tokio::test]
async fn every_refusal_is_the_same() {
    let (app, _) = start().await;
    for name in ["locked", "inactive"] {
        app.person(app.tenant(), name, Role::User).await;
    }
    app.sql(
        "update users.users set account_locked_until = now() + interval '1 hour' where username = 'locked';
         update users.users set is_active = false where username = 'inactive'",
    )
    .await;
    let mut seen = Vec::new();
    for (username, password) in [
        ("ada", "wrong"),
        ("nobody", "wrong"),
        ("locked", PASSWORD),
        ("inactive", PASSWORD),
        ("", ""),
    ] {
        let mut answer = browser(&app, username, password, "").await;
        answer.body["request_id"] = Value::Null;
        let names: Vec<String> = answer
            .headers
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect();
        seen.push((answer.status, answer.body, names));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
}

#[tokio::test]
async fn whoever_finds_the_pool_full_is_sent_away_and_nothing_is_counted() {
    let app = App::start_with(|config| (config.passwords.concurrency, config.passwords.queue) = (1, 2)).await;
    app.person(app.tenant(), "ada", Role::User).await;
    let answers = join_all((0..30).map(|n| {
        let app = &app;
        async move { app.sign_in(&format!("nobody{n}"), "x").await }
    }))
    .await;
    let busy: Vec<&Answer> = answers.iter().filter(|a| a.status == 503).collect();
    assert!(busy.len() >= 20, "{} of 30", busy.len());
    assert!(busy.iter().all(|a| !a.header("retry-after").is_empty()));
    let recorded = app
        .sql_text("select count(*)::text from audit.login_attempts")
        .await;
    assert_eq!(recorded, (30 - busy.len()).to_string());
}
