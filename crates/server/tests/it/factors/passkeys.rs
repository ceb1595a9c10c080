//! Passkeys, and what only looks like one.

use serde_json::{Value, json};
use sg_types::Role;

use super::super::app::{Answer, App, PASSWORD};
use super::authenticator::{Authenticator, PRESENT, encode};
use super::{challenge, second_step};

const OPTIONS: &str = "/api/v1/users/me/factors/passkeys/options";
const PASSKEYS: &str = "/api/v1/users/me/factors/passkeys";

/// A change to what an authenticator says.
type Lie = fn(&mut Authenticator);

async fn add(app: &App, token: &str, authenticator: &mut Authenticator) -> Answer {
    let options = app.post(OPTIONS, token, json!({})).await;
    assert_eq!(options.status, 200, "{options:?}");
    let passkey = authenticator.create(&options.body["passkey"]);
    let body = json!({"challenge": options.body["challenge"], "name": "Key", "passkey": passkey});
    app.post(PASSKEYS, token, body).await
}

async fn ask(app: &App) -> Value {
    let options = app.post("/api/v1/sessions/passkey/options", "", json!({})).await;
    assert_eq!(options.status, 200, "{options:?}");
    options.body
}

async fn sign_in(app: &App, asked: &Value, passkey: Value) -> Answer {
    let body = json!({"challenge": asked["challenge"], "passkey": passkey});
    app.post("/api/v1/sessions/passkey", "", body).await
}

#[tokio::test]
async fn a_passkey_alone_signs_in_and_is_a_second_factor_too() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let mut key = Authenticator::new();
    let added = add(&app, &ada.token, &mut key).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.body["backup_codes"].as_array().unwrap().len(), 10);

    let asked = ask(&app).await;
    assert_eq!(asked["passkey"]["userVerification"], "required");
    let answer = key.get(&asked["passkey"]);
    let session = sign_in(&app, &asked, answer.clone()).await;
    assert_eq!(session.status, 201, "{session:?}");
    assert!(session.header("set-cookie").starts_with("sg_session=sgs_"));
    assert_eq!(
        sign_in(&app, &asked, answer).await.status,
        401,
        "a challenge is good once"
    );

    let waiting = challenge(&app, "ada").await;
    assert_eq!(waiting["factors"], json!(["passkey"]));
    assert_eq!(waiting["passkey"]["allowCredentials"][0]["id"], encode(&key.id));
    let done = second_step(&app, &waiting, "passkey", key.get(&waiting["passkey"])).await;
    assert_eq!(done.status, 201, "{done:?}");

    // Who is locked out by wrong passwords still has the passkey; who was switched off has nothing.
    app.sql("update users.users set account_locked_until = now() + interval '1 hour' where username = 'ada'")
        .await;
    let asked = ask(&app).await;
    let answer = key.get(&asked["passkey"]);
    assert_eq!(sign_in(&app, &asked, answer).await.status, 201);
    app.sql("update users.users set is_active = false where username = 'ada'")
        .await;
    let asked = ask(&app).await;
    let answer = key.get(&asked["passkey"]);
    let off = sign_in(&app, &asked, answer).await;
    assert_eq!((off.status, off.code()), (401, "second_factor_refused"));
}

#[tokio::test]
async fn a_registration_that_lies_adds_nothing() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let lies: [(&str, Lie); 8] = [
        ("another origin", |a| a.origin = "http://evil.example".to_owned()),
        ("another port", |a| a.origin = "http://localhost:9090".to_owned()),
        ("a longer origin", |a| {
            a.origin = "http://localhost:8080.evil.example".to_owned();
        }),
        ("another host", |a| a.rp_id = "evil.example".to_owned()),
        ("another type", |a| a.kind = Some("webauthn.get")),
        ("nobody present", |a| a.flags = 0x04),
        ("nobody verified", |a| a.flags = PRESENT),
        ("an id that is too long", |a| a.id = vec![1; 1024]),
    ];
    for (what, lie) in lies {
        let mut key = Authenticator::new();
        lie(&mut key);
        let answer = add(&app, &ada.token, &mut key).await;
        assert_eq!((answer.status, answer.fields()), (422, vec!["passkey"]), "{what}");
    }
    let options = app.post(OPTIONS, &ada.token, json!({})).await;
    let other = app.post(OPTIONS, &ada.token, json!({})).await;
    let passkey = Authenticator::new().create(&options.body["passkey"]);
    let body = json!({"challenge": other.body["challenge"], "name": "Key", "passkey": passkey});
    assert_eq!(
        app.post(PASSKEYS, &ada.token, body).await.status,
        422,
        "another challenge"
    );
    let bo = app.person(app.tenant(), "bo", Role::User).await;
    let passkey = Authenticator::new().create(&options.body["passkey"]);
    let body = json!({"challenge": options.body["challenge"], "name": "Key", "passkey": passkey});
    assert_eq!(
        app.post(PASSKEYS, &bo.token, body).await.status,
        422,
        "the challenge of somebody else"
    );
    for damaged in ["", "AAAA", "o2NmbXRkbm9uZQ", "////", &encode(&[0x9f; 3_000])] {
        let options = app.post(OPTIONS, &ada.token, json!({})).await;
        let mut passkey = Authenticator::new().create(&options.body["passkey"]);
        passkey["attestationObject"] = damaged.into();
        let body = json!({"challenge": options.body["challenge"], "name": "Key", "passkey": passkey});
        assert_eq!(app.post(PASSKEYS, &ada.token, body).await.status, 422);
    }
    assert_eq!(
        app.sql_text("select count(*)::text from users.factors").await,
        "0"
    );
}

#[tokio::test]
async fn an_answer_that_lies_opens_nothing() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let mut key = Authenticator::new();
    assert_eq!(add(&app, &ada.token, &mut key).await.status, 201);
    let lies: [(&str, Lie); 8] = [
        ("another origin", |a| {
            a.origin = "https://localhost:8080".to_owned()
        }),
        ("another host", |a| a.rp_id = "evil.example".to_owned()),
        ("another type", |a| a.kind = Some("webauthn.create")),
        ("nobody present", |a| a.flags = 0x04),
        ("nobody verified", |a| a.flags = PRESENT),
        ("copied what may not be copied", |a| a.flags |= 0x10),
        ("somebody else's handle", |a| {
            a.user_handle = Some(encode(&[9; 16]))
        }),
        ("an unknown passkey", |a| a.id = vec![1; 32]),
    ];
    for (what, lie) in lies {
        let (flags, id, handle) = (key.flags, key.id.clone(), key.user_handle.clone());
        lie(&mut key);
        let asked = ask(&app).await;
        let answer = key.get(&asked["passkey"]);
        let refused = sign_in(&app, &asked, answer).await;
        assert_eq!(
            (refused.status, refused.code()),
            (401, "second_factor_refused"),
            "{what}"
        );
        let whole = Authenticator::new();
        (key.flags, key.id, key.user_handle) = (flags, id, handle);
        (key.origin, key.rp_id, key.kind) = (whole.origin, whole.rp_id, None);
    }
    let asked = ask(&app).await;
    let mut answer = key.get(&asked["passkey"]);
    answer["signature"] = Authenticator::new().get(&asked["passkey"])["signature"].take();
    assert_eq!(
        sign_in(&app, &asked, answer).await.status,
        401,
        "the signature of another key"
    );
    let answer = key.get(&ask(&app).await["passkey"]);
    assert_eq!(
        sign_in(&app, &asked, answer).await.status,
        401,
        "the answer to another challenge"
    );
    let asked = ask(&app).await;
    let answer = key.get(&asked["passkey"]);
    assert_eq!(sign_in(&app, &asked, answer).await.status, 201);
}

#[tokio::test]
async fn a_copy_is_noticed_by_its_counter() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let mut key = Authenticator::new();
    assert_eq!(add(&app, &ada.token, &mut key).await.status, 201);
    // The counter goes up before each answer.
    for (count, status) in [(9, 201), (9, 401), (8, 401), (u32::MAX, 401), (10, 201)] {
        key.count = count;
        let asked = ask(&app).await;
        let answer = key.get(&asked["passkey"]);
        let got = sign_in(&app, &asked, answer).await;
        assert_eq!(got.status, status, "{count}");
    }
    let reasons = "select string_agg(distinct reason, ',') from audit.events where action = 'session.create' and outcome = 'failure'";
    assert_eq!(app.sql_text(reasons).await, "passkey_counter");
}

#[tokio::test]
async fn a_passkey_belongs_to_one_person() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let bo = app.person(app.new_tenant("north").await, "bo", Role::User).await;
    let mut key = Authenticator::new();
    assert_eq!(add(&app, &ada.token, &mut key).await.status, 201);
    assert_eq!(add(&app, &bo.token, &mut key).await.status, 422);
    let mut other = Authenticator::new();
    assert_eq!(add(&app, &bo.token, &mut other).await.status, 201);
    let waiting = challenge(&app, "ada").await;
    let answer = second_step(&app, &waiting, "passkey", other.get(&waiting["passkey"])).await;
    assert_eq!(answer.status, 401, "bo's passkey does not sign ada in");
}

#[tokio::test]
async fn passkeys_verify_their_own_session_only() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let mut key = Authenticator::new();
    assert_eq!(add(&app, &ada.token, &mut key).await.status, 201);
    let other = app.open_session(ada.user_id, Role::User).await;
    let path = "/api/v1/sessions/current/verification";
    let options = app.post(&format!("{path}/options"), &ada.token, json!({})).await;
    let asked = &options.body["passkey"];
    let answer = key.get(&asked["passkey"]);
    let body = json!({"challenge": asked["challenge"], "passkey": answer});
    assert_eq!(
        app.post(path, &other, body.clone()).await.code(),
        "verification_failed"
    );
    let right = app.post(path, &ada.token, body.clone()).await;
    assert_eq!(right.status, 200, "{right:?}");
    let token = right.body["token"].as_str().unwrap();
    assert_eq!(app.post(path, token, body).await.code(), "verification_failed");
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 200);
}
