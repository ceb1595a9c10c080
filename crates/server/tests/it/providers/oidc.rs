//! Signing in at a real OpenID provider, and everything that tries to get in without.

use chrono::Duration;
use serde_json::{Value, json};
use sg_types::Role;

use super::browser::Browser;
use super::process::OpenIdProvider;
use crate::app::{App, Person};

/// A tenant's provider that answers at `issuer`.
pub(super) async fn set_up(
    app: &App,
    admin: &Person,
    issuer: &str,
    change: impl FnOnce(&mut Value),
) -> String {
    let mut body = json!({
        "name": "Company sign-in",
        "settings": {"kind": "oidc", "issuer": issuer, "client_id": "guard-public"}
    });
    change(&mut body);
    let answer = app.post("/api/v1/users/providers", &admin.token, body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["provider_id"].as_str().unwrap().to_owned()
}

fn accounts() -> Value {
    json!({
        "ada": {"email": "ada@example.org", "email_verified": true, "name": "Ada Lovelace", "preferred_username": "ada", "groups": ["analysts"]},
        "grace": {"email": "grace@example.org", "email_verified": true, "preferred_username": "grace", "groups": ["owners", "staff"]},
        "eve": {"email": "admin@example.org", "email_verified": false, "preferred_username": "eve"},
        "root": {"email": "root@example.org", "email_verified": true, "preferred_username": "root"},
        "nobody": {}
    })
}

struct Scene {
    app: App,
    admin: Person,
    openid: OpenIdProvider,
}

async fn scene() -> Scene {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    Scene {
        app,
        admin,
        openid: OpenIdProvider::start(&accounts()),
    }
}

impl Scene {
    async fn provider(&self, change: impl FnOnce(&mut Value)) -> String {
        set_up(&self.app, &self.admin, &self.openid.issuer, change).await
    }

    async fn sign_in(&self, provider: &str, login: &str) -> (Browser, String) {
        let mut browser = Browser::default();
        let answer = browser.sign_in(&self.app, provider, login).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let to = answer.header("location").to_owned();
        (browser, to)
    }

    async fn last_reason(&self) -> String {
        self.app
            .sql_text(
                "select reason from audit.events where action = 'session.create' and outcome = 'failure'
                 order by occurred_at desc, event_id desc limit 1",
            )
            .await
    }
}

#[tokio::test]
async fn a_new_person_signs_in_and_out_again() {
    let scene = scene().await;
    let provider = scene
        .provider(|body| {
            body["settings"]["role_claim"] = json!("groups");
            body["role_mappings"] = json!([{"value": "Analysts", "role": "manager"}]);
        })
        .await;
    let (mut browser, to) = scene.sign_in(&provider, "ada").await;
    assert_eq!(to, "/threats");
    assert!(
        !browser.cookies.contains_key("sg_sign_in"),
        "{:?}",
        browser.cookies
    );
    let me = browser.get(&scene.app, "/api/v1/sessions/current").await;
    assert_eq!(me.body["username"], "ada");
    assert_eq!(me.body["full_name"], "Ada Lovelace");
    assert_eq!(me.body["role"], "manager");
    assert_eq!(me.body["must_change_password"], false);
    // The account has no password that anybody could know.
    for password in ["", "!", "any"] {
        assert_eq!(scene.app.sign_in("ada", password).await.status, 401);
    }
    // Again: the same account.
    scene.sign_in(&provider, "ada").await;
    let count = scene
        .app
        .sql_text("select count(*)::text from users.users where username like 'ada%'")
        .await;
    assert_eq!(count, "1");
    let methods = scene
        .app
        .sql_text("select string_agg(method || ' ' || outcome, ',' order by occurred_at, method) from audit.login_attempts where outcome = 'success'")
        .await;
    assert_eq!(methods, "oidc success,oidc success");
    let ended = browser
        .call(
            &scene.app,
            axum::http::Method::POST,
            "/api/v1/sessions/current/end",
        )
        .await;
    let url = ended.body["provider_sign_out_url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!(
            "{}/session/end?client_id=guard-public&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A8080%2F",
            scene.openid.issuer
        )),
        "{url}"
    );
    assert_eq!(
        browser.get(&scene.app, "/api/v1/sessions/current").await.status,
        401
    );
}

#[tokio::test]
async fn a_confidential_client_proves_itself_with_its_sealed_secret() {
    let scene = scene().await;
    let provider = scene
        .provider(|body| {
            body["settings"]["client_id"] = json!("guard");
            body["secret"] = json!("the secret of guard");
        })
        .await;
    let (_, to) = scene.sign_in(&provider, "ada").await;
    assert_eq!(to, "/threats");
    let shown = scene
        .app
        .get(&format!("/api/v1/users/providers/{provider}"), &scene.admin.token)
        .await;
    assert_eq!(shown.body["has_secret"], true);
    assert!(!shown.body.to_string().contains("the secret of guard"));
    let kept = scene
        .app
        .sql_text("select string_agg(p::text || coalesce(s::text, '') || coalesce(c::text, ''), '') from users.identity_providers p, users.secrets s, audit.row_changes c")
        .await;
    assert!(!kept.is_empty() && !kept.contains("the secret of guard"));
    let wrong = scene
        .provider(|body| {
            body["name"] = json!("Wrong secret");
            body["settings"]["client_id"] = json!("guard");
            body["secret"] = json!("another");
        })
        .await;
    let (_, to) = scene.sign_in(&wrong, "ada").await;
    assert_eq!(to, "/?sign_in_problem=provider_refused");
}

#[tokio::test]
async fn an_account_is_linked_by_a_verified_address_of_the_same_tenant_only() {
    let scene = scene().await;
    let (app, tenant) = (&scene.app, scene.app.tenant());
    let provider = scene.provider(|_| {}).await;
    let ada = app.person(tenant, "ada", Role::Manager).await;
    let (mut browser, _) = scene.sign_in(&provider, "ada").await;
    let me = browser.get(app, "/api/v1/sessions/current").await;
    assert_eq!(me.body["user_id"], ada.user_id.to_string());
    assert_eq!(me.body["role"], "manager", "without mappings, the role stays");

    // eve's provider says that admin@example.org is hers, without having made sure.
    let (browser, to) = scene.sign_in(&provider, "eve").await;
    assert_eq!(
        (to.as_str(), browser.cookies.len()),
        ("/?sign_in_problem=email_unverified", 0)
    );
    assert_eq!(scene.last_reason().await, "email_unverified");

    // grace's account is another tenant's.
    let other = app.new_tenant("other").await;
    app.person(other, "grace", Role::User).await;
    let (browser, to) = scene.sign_in(&provider, "grace").await;
    assert_eq!(
        (to.as_str(), browser.cookies.len()),
        ("/?sign_in_problem=not_available", 0)
    );

    // root is above what the provider may sign in.
    app.person(tenant, "root", Role::SystemAdmin).await;
    let (browser, to) = scene.sign_in(&provider, "root").await;
    assert_eq!(
        (to.as_str(), browser.cookies.len()),
        ("/?sign_in_problem=role_too_high", 0)
    );

    let (_, to) = scene.sign_in(&provider, "nobody").await;
    assert_eq!(to, "/?sign_in_problem=email_unverified");
    let links = app
        .sql_text("select string_agg(subject, ',') from users.external_identities")
        .await;
    assert_eq!(links, "ada");
}

#[tokio::test]
async fn the_link_is_the_subject_and_no_address() {
    let scene = scene().await;
    let provider = scene.provider(|_| {}).await;
    let (mut browser, _) = scene.sign_in(&provider, "ada").await;
    let first = browser.get(&scene.app, "/api/v1/sessions/current").await.body["user_id"].clone();
    // ada's address here becomes somebody else's there, and the other way round.
    scene
        .app
        .sql("update users.users set email = 'moved@example.org' where username = 'ada'")
        .await;
    let (mut browser, _) = scene.sign_in(&provider, "ada").await;
    assert_eq!(
        browser.get(&scene.app, "/api/v1/sessions/current").await.body["user_id"],
        first
    );
}

#[tokio::test]
async fn roles_follow_the_provider_and_never_pass_its_highest() {
    let scene = scene().await;
    let too_high = json!([{"value": "owners", "role": "system_admin"}]);
    let answer = scene
        .app
        .post(
            "/api/v1/users/providers",
            &scene.admin.token,
            json!({"name": "x", "role_mappings": too_high,
                "settings": {"kind": "oidc", "issuer": scene.openid.issuer, "client_id": "guard-public"}}),
        )
        .await;
    assert_eq!((answer.status, answer.fields()), (422, vec!["role_mappings"]));
    let provider = scene
        .provider(|body| {
            body["settings"]["role_claim"] = json!("groups");
            body["role_mappings"] =
                json!([{"value": "owners", "role": "admin"}, {"value": "staff", "role": "user"}]);
        })
        .await;
    let (mut browser, _) = scene.sign_in(&provider, "grace").await;
    assert_eq!(
        browser.get(&scene.app, "/api/v1/sessions/current").await.body["role"],
        "admin"
    );
    // Even a row that says more gives no more.
    scene
        .app
        .sql("update users.identity_providers set role_mappings = '[{\"value\": \"owners\", \"role\": \"system_admin\"}]'")
        .await;
    scene.sign_in(&provider, "grace").await;
    let role = scene
        .app
        .sql_text("select role::text from users.users where username = 'grace'")
        .await;
    assert_eq!(role, "admin");
    // Taken away there, taken away here; the sessions with the old role end.
    scene
        .app
        .sql("update users.identity_providers set role_mappings = '[{\"value\": \"nobody\", \"role\": \"manager\"}]'")
        .await;
    let (mut after, _) = scene.sign_in(&provider, "grace").await;
    assert_eq!(
        after.get(&scene.app, "/api/v1/sessions/current").await.body["role"],
        "user"
    );
    assert_eq!(
        browser.get(&scene.app, "/api/v1/sessions/current").await.status,
        401
    );
}

#[tokio::test]
async fn who_is_switched_off_stays_out_and_so_does_who_nobody_created() {
    let scene = scene().await;
    let provider = scene.provider(|body| body["creates_users"] = json!(false)).await;
    let (_, to) = scene.sign_in(&provider, "ada").await;
    assert_eq!(to, "/?sign_in_problem=no_account");
    scene.app.person(scene.app.tenant(), "ada", Role::User).await;
    let (mut browser, to) = scene.sign_in(&provider, "ada").await;
    assert_eq!(to, "/threats");
    scene
        .app
        .sql("update users.users set is_active = false where username = 'ada'")
        .await;
    assert_eq!(
        browser.get(&scene.app, "/api/v1/sessions/current").await.status,
        401
    );
    let (browser, to) = scene.sign_in(&provider, "ada").await;
    assert_eq!(
        (to.as_str(), browser.cookies.len()),
        ("/?sign_in_problem=inactive", 0)
    );
}

#[tokio::test]
async fn domains_bound_who_gets_an_account() {
    let scene = scene().await;
    let provider = scene
        .provider(|body| body["domains"] = json!(["Example.com"]))
        .await;
    let (_, to) = scene.sign_in(&provider, "ada").await;
    assert_eq!(to, "/?sign_in_problem=email_domain");
}

#[tokio::test]
async fn an_answer_is_taken_once_in_time_and_from_the_browser_that_began() {
    let scene = scene().await;
    let app = &scene.app;
    let provider = scene.provider(|_| {}).await;
    let mut victim = Browser::default();
    let mut attacker = Browser::default();

    // Login CSRF: the attacker's own answer, brought to the victim's browser.
    let location = attacker.start(app, &provider).await;
    let answer = attacker.sign_in_at_provider(&location, "ada").await;
    let refused = victim.get(app, &answer).await;
    assert_eq!(refused.header("location"), "/?sign_in_problem=state_unknown");
    assert!(victim.cookies.is_empty());
    // … also when the victim has begun a sign-in of their own.
    victim.start(app, &provider).await;
    let refused = victim.get(app, &answer).await;
    assert_eq!(refused.header("location"), "/?sign_in_problem=state_unknown");
    assert!(!victim.cookies.contains_key("sg_session"));
    assert_eq!(scene.last_reason().await, "state_unknown");

    // Replay: the browser that began, twice.
    let kept = attacker.cookies.clone();
    assert_eq!(attacker.get(app, &answer).await.header("location"), "/threats");
    attacker.cookies = kept;
    let again = attacker.get(app, &answer).await;
    assert_eq!(again.header("location"), "/?sign_in_problem=state_unknown");

    // Too late.
    let mut slow = Browser::default();
    let location = slow.start(app, &provider).await;
    let answer = slow.sign_in_at_provider(&location, "ada").await;
    app.advance(Duration::minutes(11));
    assert_eq!(
        slow.get(app, &answer).await.header("location"),
        "/?sign_in_problem=state_unknown"
    );
    assert!(!slow.cookies.contains_key("sg_session"));
}

#[tokio::test]
async fn an_answer_of_another_provider_is_refused() {
    let scene = scene().await;
    let app = &scene.app;
    let honest = scene.provider(|_| {}).await;
    let second = OpenIdProvider::start(&accounts());
    let other = set_up(app, &scene.admin, &second.issuer, |body| {
        body["name"] = json!("Other")
    })
    .await;

    // Mix-up: begun at one, answered at the other's address.
    let mut browser = Browser::default();
    let location = browser.start(app, &honest).await;
    let back = browser.sign_in_at_provider(&location, "ada").await;
    let moved = back.replace(&honest, &other);
    assert_eq!(
        browser.get(app, &moved).await.header("location"),
        "/?sign_in_problem=state_unknown"
    );

    // The issuer that the answer names is another, or none although the provider always names it (RFC 9207).
    for change in ["&iss=https%3A%2F%2Fevil.example", ""] {
        let mut browser = Browser::default();
        let location = browser.start(app, &honest).await;
        let back = browser.sign_in_at_provider(&location, "ada").await;
        let (without, _) = back.split_once("&iss=").expect("the provider names itself");
        let answer = browser.get(app, &format!("{without}{change}")).await;
        assert_eq!(answer.header("location"), "/?sign_in_problem=other_issuer");
        assert!(!browser.cookies.contains_key("sg_session"));
    }

    // Without our PKCE verifier a stolen code is worth nothing: another sign-in of the same browser has another one.
    let mut thief = Browser::default();
    let location = thief.start(app, &honest).await;
    let back = thief.sign_in_at_provider(&location, "ada").await;
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let mut second_try = Browser::default();
    let location = second_try.start(app, &honest).await;
    let state = location
        .split("state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let iss = back.split("&iss=").nth(1).unwrap();
    let forged = format!("/api/v1/sessions/oidc/{honest}/callback?code={code}&state={state}&iss={iss}");
    assert_eq!(
        second_try.get(app, &forged).await.header("location"),
        "/?sign_in_problem=provider_refused"
    );
}

#[tokio::test]
async fn the_browser_comes_back_to_pages_of_ours_only() {
    let scene = scene().await;
    let provider = scene.provider(|_| {}).await;
    for bad in [
        "https://evil.example",
        "//evil.example",
        "/%5Cevil.example",
        "%2F%2Fevil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "/api/v1/sessions/current",
    ] {
        let path = format!("/api/v1/sessions/oidc/{provider}/start?return_to={bad}");
        let answer = Browser::default().get(&scene.app, &path).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_query"), "{bad}");
    }
    // The address to come back to never follows the request's Host header.
    let location = Browser::default().start(&scene.app, &provider).await;
    assert!(
        location.contains("redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fapi%2F"),
        "{location}"
    );
    assert!(
        location.contains("code_challenge_method=S256") && location.contains("nonce="),
        "{location}"
    );
}

#[tokio::test]
async fn what_switches_a_provider_off_ends_what_it_vouched_for() {
    let scene = scene().await;
    let app = &scene.app;
    let provider = scene.provider(|_| {}).await;
    let path = format!("/api/v1/users/providers/{provider}");
    let body = |enabled: bool| {
        json!({"name": "Company sign-in", "is_enabled": enabled,
            "settings": {"kind": "oidc", "issuer": scene.openid.issuer, "client_id": "guard-public"}})
    };
    let (mut browser, _) = scene.sign_in(&provider, "ada").await;
    let put = app
        .call(
            axum::http::Method::PUT,
            &path,
            &scene.admin.token,
            Some(body(true)),
        )
        .await;
    assert_eq!(put.status, 200, "{}", put.body);
    assert_eq!(browser.get(app, "/api/v1/sessions/current").await.status, 200);
    app.call(
        axum::http::Method::PUT,
        &path,
        &scene.admin.token,
        Some(body(false)),
    )
    .await;
    assert_eq!(browser.get(app, "/api/v1/sessions/current").await.status, 401);
    let start = format!("/api/v1/sessions/oidc/{provider}/start");
    assert_eq!(browser.get(app, &start).await.status, 404);
    app.call(
        axum::http::Method::PUT,
        &path,
        &scene.admin.token,
        Some(body(true)),
    )
    .await;
    let (mut browser, _) = scene.sign_in(&provider, "ada").await;
    assert_eq!(app.delete(&path, &scene.admin.token).await.status, 204);
    assert_eq!(browser.get(app, "/api/v1/sessions/current").await.status, 401);
    let left = app
        .sql_text("select count(*)::text from users.users where username = 'ada'")
        .await;
    assert_eq!(left, "1", "people are never deleted");
}
