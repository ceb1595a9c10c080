//! Codes of an app.

use axum::http::Method;
use chrono::Duration;
use futures_util::future::join_all;
use serde_json::json;
use sg_types::Role;

use super::super::app::{App, PASSWORD};
use super::super::authz::{Fixture, operations};
use super::{Authy, challenge, second_step};

#[tokio::test]
async fn a_code_completes_the_sign_in() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let authy = Authy::add(&app, &ada.token).await;
    assert_eq!(authy.backup_codes.len(), 10);
    let waiting = challenge(&app, "ada").await;
    assert_eq!(waiting["factors"], json!(["totp"]));
    assert_eq!(waiting["must_enrol"], false);
    assert_eq!(
        app.sql_text("select count(*)::text from users.sessions").await,
        "1",
        "the password alone opens no session"
    );
    let answer = second_step(&app, &waiting, "code", authy.code(&app)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(answer.header("set-cookie").starts_with("sg_session=sgs_"));
    let token = answer.body["token"].as_str().unwrap();
    assert_eq!(app.get("/api/v1/sessions/current", token).await.status, 200);

    let again = second_step(&app, &waiting, "backup_code", authy.backup_codes[0].as_str()).await;
    assert_eq!(
        (again.status, again.code()),
        (401, "second_factor_refused"),
        "a challenge opens one session"
    );
    let attempts = "select string_agg(outcome || ' ' || method, ', ' order by occurred_at, outcome desc) from audit.login_attempts";
    assert_eq!(
        app.sql_text(attempts).await,
        "success totp, second_factor_required password"
    );
    let events =
        "select string_agg(action || ' ' || coalesce(reason, ''), ', ' order by event_id) from audit.events
        where action like 'session.%' or action like 'factor.%'";
    assert_eq!(
        app.sql_text(events).await,
        "factor.create , session.challenge second_factor_required, session.create totp"
    );
}

#[tokio::test]
async fn without_drift_a_code_ends_with_its_thirty_seconds() {
    for (drift, status) in [(0, 401), (1, 201)] {
        let app = App::start_with(|config| config.second_factors.totp_drift_steps = drift).await;
        let ada = app.person(app.tenant(), "ada", Role::User).await;
        let authy = Authy::add(&app, &ada.token).await;
        let shown_before = authy.code(&app);
        app.advance(Duration::seconds(30));
        let late = second_step(&app, &challenge(&app, "ada").await, "code", shown_before).await;
        assert_eq!(late.status, status, "{drift}");
        app.advance(Duration::seconds(30));
        let now = second_step(&app, &challenge(&app, "ada").await, "code", authy.code(&app)).await;
        assert_eq!(now.status, 201, "{drift}");
    }
}

#[tokio::test]
async fn a_code_is_good_once_however_many_try_at_once() {
    let app = App::start_with(|config| config.passwords.queue = 1_000).await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let authy = Authy::add(&app, &ada.token).await;
    let waiting = join_all((0..4).map(|_| challenge(&app, "ada"))).await;
    let code = authy.code(&app);
    let answers = join_all(
        waiting
            .iter()
            .map(|w| second_step(&app, w, "code", code.as_str())),
    )
    .await;
    let mut statuses: Vec<u16> = answers.iter().map(|a| a.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401, 401, 401]);
    let replayed = second_step(&app, &challenge(&app, "ada").await, "code", code).await;
    assert_eq!((replayed.status, replayed.code()), (401, "second_factor_refused"));
    assert_eq!(
        app.sql_text("select string_agg(distinct reason, ',') from audit.events where outcome = 'failure'")
            .await,
        "code_used"
    );
    app.advance(Duration::seconds(30));
    let next = second_step(&app, &challenge(&app, "ada").await, "code", authy.code(&app)).await;
    assert_eq!(next.status, 201);
}

#[tokio::test]
async fn no_more_than_five_guesses_are_tested_of_150_at_once() {
    let app = App::start_with(|config| config.passwords.queue = 1_000).await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let authy = Authy::add(&app, &ada.token).await;
    let mut waiting = Vec::new();
    for _ in 0..30 {
        waiting.push(challenge(&app, "ada").await);
    }
    let wrong = authy.wrong_code(&app);
    let guesses = waiting
        .iter()
        .flat_map(|w| std::iter::repeat_n(w, 5))
        .map(|w| second_step(&app, w, "code", wrong.as_str()));
    let answers = join_all(guesses).await;
    assert_eq!(answers.len(), 150);
    assert!(answers.iter().all(|a| a.status == 401));
    assert_eq!(
        app.sql_text("select failed_attempts::text from users.factors")
            .await,
        "5"
    );
    assert_eq!(
        app.sql_text("select failed_login_attempts::text from users.users where username = 'ada'")
            .await,
        "0",
        "the password's counter is another"
    );
    let locked = challenge(&app, "ada").await;
    assert_eq!(
        second_step(&app, &locked, "code", authy.code(&app)).await.status,
        401
    );
    assert_eq!(
        second_step(&app, &locked, "backup_code", authy.backup_codes[0].as_str())
            .await
            .status,
        201,
        "another factor is not locked"
    );
    app.advance(Duration::minutes(6));
    // A right password does not start the factor's count anew.
    let late = challenge(&app, "ada").await;
    assert_eq!(
        app.sql_text("select failed_attempts::text from users.factors")
            .await,
        "5"
    );
    assert_eq!(
        second_step(&app, &late, "code", authy.code(&app)).await.status,
        201
    );
    assert_eq!(
        app.sql_text("select failed_attempts::text from users.factors")
            .await,
        "0"
    );
}

#[tokio::test]
async fn a_hundred_failures_end_a_factor() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let authy = Authy::add(&app, &ada.token).await;
    app.sql("update users.factors set failed_attempts = 99").await;
    let waiting = challenge(&app, "ada").await;
    assert_eq!(
        second_step(&app, &waiting, "code", authy.wrong_code(&app))
            .await
            .status,
        401
    );
    app.advance(Duration::days(30));
    let late = challenge(&app, "ada").await;
    assert_eq!(
        second_step(&app, &late, "code", authy.code(&app)).await.status,
        401
    );
}

#[tokio::test]
async fn a_challenge_opens_nothing_else() {
    let app = App::start().await;
    let fixture = Fixture::make(&app).await;
    let ada = app.person(app.tenant(), "ada", Role::SystemAdmin).await;
    Authy::add(&app, &ada.token).await;
    let waiting = challenge(&app, "ada").await;
    let token = waiting["challenge"].as_str().unwrap();
    assert!(token.starts_with("sgc_"));
    let mut tried = 0;
    for operation in operations() {
        let open = [
            "/api/v1/sessions",
            "/api/v1/openapi.json",
            "/api/v1/sessions/second-factor",
            "/api/v1/sessions/providers",
            "/api/v1/sessions/passkey",
            "/api/v1/sessions/passkey/options",
            "/api/v1/users/password-resets",
            "/api/v1/users/password-resets/redeem",
        ];
        let elsewhere = operation.path.starts_with("/api/v1/sessions/oidc/");
        if elsewhere || open.contains(&operation.path.as_str()) {
            continue;
        }
        let body = (operation.method != Method::GET).then(|| json!({}));
        let path = fixture.fill(&operation.path);
        let answer = app.call(operation.method.clone(), &path, token, body).await;
        assert_eq!(answer.status, 401, "{operation:?}: {answer:?}");
        tried += 1;
    }
    assert!(tried > 30, "{tried}");
    for (path, body) in [
        (
            "/api/v1/sessions/passkey",
            json!({"challenge": token, "passkey": {"id": "x", "clientDataJSON": "", "authenticatorData": "", "signature": ""}}),
        ),
        (
            "/api/v1/sessions/second-factor",
            json!({"challenge": ada.token, "code": "123456"}),
        ),
    ] {
        assert_eq!(
            app.post(path, "", body).await.code(),
            "second_factor_refused",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_challenge_ends_with_its_time_its_attempts_and_the_password() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let authy = Authy::add(&app, &ada.token).await;
    let slow = challenge(&app, "ada").await;
    app.advance(Duration::minutes(5));
    assert_eq!(
        second_step(&app, &slow, "code", authy.code(&app)).await.status,
        401
    );

    let worn = challenge(&app, "ada").await;
    for _ in 0..5 {
        let answer = second_step(&app, &worn, "backup_code", "WRONG").await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(
        second_step(&app, &worn, "code", authy.code(&app)).await.status,
        401
    );

    let stale = challenge(&app, "ada").await;
    let fresh = app.open_session(ada.user_id, Role::User).await;
    let changed = app
        .post(
            "/api/v1/users/me/password",
            &fresh,
            json!({"current_password": PASSWORD, "new_password": "Gravel-lantern4-quince"}),
        )
        .await;
    assert_eq!(changed.status, 204, "{changed:?}");
    assert_eq!(
        second_step(&app, &stale, "code", authy.code(&app)).await.status,
        401
    );
    app.sql("update users.users set is_active = false where username = 'ada'")
        .await;
    assert_eq!(app.sign_in("ada", "Gravel-lantern4-quince").await.status, 401);
}

#[tokio::test]
async fn the_factor_of_somebody_else_opens_nothing() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let bo = app.person(app.tenant(), "bo", Role::Admin).await;
    let (of_ada, of_bo) = (
        Authy::add(&app, &ada.token).await,
        Authy::add(&app, &bo.token).await,
    );
    let waiting = challenge(&app, "ada").await;
    for (field, proof) in [
        ("code", of_bo.code(&app)),
        ("backup_code", of_bo.backup_codes[0].clone()),
    ] {
        assert_eq!(
            second_step(&app, &waiting, field, proof).await.status,
            401,
            "{field}"
        );
    }
    let path = format!("/api/v1/users/me/factors/{}", of_ada.factor_id);
    assert_eq!(app.delete(&path, &bo.token).await.status, 404);
    let body = json!({"factor_id": of_ada.factor_id, "code": of_ada.code(&app)});
    let confirmed = app
        .post("/api/v1/users/me/factors/totp/confirmation", &bo.token, body)
        .await;
    assert_eq!(confirmed.status, 404);
    assert_eq!(
        second_step(&app, &waiting, "code", of_ada.code(&app))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_secret_counts_once_it_is_confirmed_and_is_kept_sealed() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let begun = app
        .post(
            "/api/v1/users/me/factors/totp",
            &ada.token,
            json!({"name": "Phone"}),
        )
        .await;
    assert_eq!(begun.status, 201);
    assert!(
        begun.body["uri"]
            .as_str()
            .unwrap()
            .starts_with("otpauth://totp/SecureGuard:ada?secret=")
    );
    assert!(begun.body["qr_svg"].as_str().unwrap().contains("<svg"));
    assert_eq!(
        app.sign_in("ada", PASSWORD).await.status,
        201,
        "nothing is asked for yet"
    );
    let body = json!({"factor_id": begun.body["factor_id"], "code": "000000"});
    let wrong = app
        .post("/api/v1/users/me/factors/totp/confirmation", &ada.token, body)
        .await;
    assert_eq!((wrong.status, wrong.fields()), (422, vec!["code"]));
    app.advance(Duration::minutes(2));
    let (authy, confirmed) = Authy::add_with(&app, &ada.token).await;
    assert_eq!(confirmed.status, 201, "{confirmed:?}");
    assert_eq!(
        app.sql_text("select count(*)::text from users.secrets where purpose = 'totp'")
            .await,
        "1",
        "what was begun before is gone"
    );
    let hex = hex::encode(&authy.secret);
    for table in ["users.secrets", "users.factors", "audit.row_changes"] {
        let found = format!("select count(*)::text from {table} t where to_jsonb(t)::text ilike '%{hex}%'");
        assert_eq!(app.sql_text(&found).await, "0", "{table}");
    }
}

#[tokio::test]
async fn nobody_of_a_suspended_tenant_gets_a_challenge_or_ends_one() {
    let app = App::start().await;
    let north = app.new_tenant("north").await;
    let ada = app.person(north, "ada", Role::User).await;
    let authy = Authy::add(&app, &ada.token).await;
    let begun = challenge(&app, "ada").await;
    app.sql(&format!(
        "update users.tenants set status = 'suspended' where tenant_id = '{north}'"
    ))
    .await;
    let late = second_step(&app, &begun, "code", authy.code(&app)).await;
    assert_eq!((late.status, late.code()), (401, "second_factor_refused"));
    let refused = app.sign_in("ada", PASSWORD).await;
    assert_eq!((refused.status, refused.code()), (401, "invalid_credentials"));
}
