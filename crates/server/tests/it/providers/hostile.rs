//! A provider that lies gets nobody in, and takes nothing down.

use std::time::{Duration, Instant};

use serde_json::json;
use sg_types::Role;

use super::browser::Browser;
use super::oidc::set_up;
use super::process::OpenIdProvider;
use crate::app::App;

/// The part of an address behind `name=`.
fn parameter<'a>(location: &'a str, name: &str) -> &'a str {
    location
        .split(&format!("{name}="))
        .nth(1)
        .and_then(|rest| rest.split('&').next())
        .unwrap_or_else(|| panic!("no {name} in {location}"))
}

#[tokio::test]
async fn tokens_that_do_not_hold_are_refused() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let hostile = OpenIdProvider::hostile();
    let provider = set_up(&app, &admin, &hostile.issuer, |body| {
        body["settings"]["client_id"] = json!("guard");
    })
    .await;
    let finish = async |lie: &str| {
        let mut browser = Browser::default();
        let location = browser.start(&app, &provider).await;
        let (state, nonce) = (parameter(&location, "state"), parameter(&location, "nonce"));
        let path = format!("/api/v1/sessions/oidc/{provider}/callback?state={state}&code={lie}.{nonce}");
        let answer = browser.get(&app, &path).await;
        assert_eq!(answer.status, 303, "{lie}: {}", answer.body);
        (
            answer.header("location").to_owned(),
            browser.cookies.contains_key("sg_session"),
        )
    };
    for lie in [
        "nonce",
        "no-nonce",
        "issuer",
        "audience",
        "audiences",
        "expired",
        "none",
        "hmac",
        "key",
        "at-hash",
    ] {
        let (location, signed_in) = finish(lie).await;
        assert_eq!(location, "/?sign_in_problem=token_invalid", "{lie}");
        assert!(!signed_in, "{lie}");
    }
    let users = app
        .sql_text("select count(*)::text from users.users where username like 'mallory%'")
        .await;
    assert_eq!(users, "0");
    // The same provider, telling the truth: what refused above were the checks.
    assert_eq!(finish("truth").await, ("/threats".to_owned(), true));
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_told() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let hostile = OpenIdProvider::hostile();
    let provider = set_up(&app, &admin, &hostile.issuer, |_| {}).await;
    let mut browser = Browser::default();
    let location = browser.start(&app, &provider).await;
    let state = parameter(&location, "state").to_owned();
    let path = format!("/api/v1/sessions/oidc/{provider}/callback");
    let denied = browser
        .get(&app, &format!("{path}?state={state}&error=access_denied"))
        .await;
    assert_eq!(denied.header("location"), "/?sign_in_problem=provider_refused");
    // Malformed returns are told as such.
    for bad in ["", "?code=x", "?state", &format!("?state={}", "x".repeat(5_000))] {
        let answer = browser.get(&app, &format!("{path}{bad}")).await;
        assert!(
            (answer.status, answer.code()) == (400, "invalid_query") || answer.status == 303,
            "{bad}: {answer:?}"
        );
        assert!(!browser.cookies.contains_key("sg_session"));
    }
    let unknown = format!("/api/v1/sessions/oidc/{}/callback?state=x", uuid_of_nobody());
    assert_eq!(browser.get(&app, &unknown).await.status, 404);
}

#[tokio::test]
async fn discovery_is_bounded_and_goes_nowhere_else() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let hostile = OpenIdProvider::hostile();
    for (path, problem) in [
        ("/elsewhere", "a redirect"),
        ("/huge", "larger than"),
        ("/other", "issuer"),
        ("/missing", "404"),
        ("/endless", "failed"),
    ] {
        let provider = set_up(&app, &admin, &format!("{}{path}", hostile.issuer), |body| {
            body["name"] = json!(path);
        })
        .await;
        let started = Instant::now();
        let test = app
            .post(
                &format!("/api/v1/users/providers/{provider}/test"),
                &admin.token,
                json!({}),
            )
            .await;
        assert_eq!(
            (test.status, &test.body["ok"]),
            (200, &json!(false)),
            "{path}: {}",
            test.body
        );
        let detail = test.body["steps"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(problem), "{path}: {detail}");
        assert!(started.elapsed() < Duration::from_secs(15), "{path}");
        let start = app
            .get(&format!("/api/v1/sessions/oidc/{provider}/start"), "")
            .await;
        assert_eq!((start.status, start.code()), (503, "unavailable"), "{path}");
    }
    let good = set_up(&app, &admin, &hostile.issuer, |_| {}).await;
    let test = app
        .post(
            &format!("/api/v1/users/providers/{good}/test"),
            &admin.token,
            json!({}),
        )
        .await;
    assert_eq!(test.body["ok"], true, "{}", test.body);
}

fn uuid_of_nobody() -> &'static str {
    "00000000-0000-4000-8000-000000000009"
}
