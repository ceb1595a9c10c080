//! `POST /api/v1/users/password-resets` and `…/redeem`.

use axum::body::Body;
use axum::http::{Method, header};
use chrono::Duration;
use serde_json::json;
use sg_types::Role;

use super::super::app::{PASSWORD, request};
use super::*;

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_mailed_link() {
    let (app, sink) = start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    assert_eq!(ask(&app, "Ada").await.status, 202);
    let mails = sent(&app, &sink).await;
    let [mail] = mails.as_slice() else {
        panic!("{mails:?}")
    };
    assert_eq!(mail.to, ["ada@example.org"]);
    assert!(mail.encrypted);
    assert_eq!(mail.header("From"), "SecureGuard <guard@example.org>");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    let (link, token) = mail.link();
    assert_eq!(link, "http://localhost:8080/set-password");
    assert!(sent(&app, &sink).await.is_empty(), "sent once");

    let refused = redeem(&app, token, "short").await;
    assert_eq!((refused.status, refused.code()), (422, "password_refused"));
    assert_eq!(
        redeem(&app, token, PASSWORD).await.status,
        422,
        "the one that was forgotten counts as used"
    );
    assert_eq!(
        app.get("/api/v1/sessions/current", &ada.token).await.status,
        200,
        "nothing happened yet"
    );
    assert_eq!(redeem(&app, token, NEW).await.status, 204);
    assert_eq!(
        app.get("/api/v1/sessions/current", &ada.token).await.status,
        401,
        "sessions end"
    );
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 401);
    assert_eq!(app.sign_in("ada", NEW).await.body["must_change_password"], false);
    let again = redeem(&app, token, "Another-kettle9-fern").await;
    assert_eq!((again.status, again.code()), (410, "link_invalid"));

    let told = sent(&app, &sink).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].header("Subject"), "Your SecureGuard password was changed");
    assert!(!told[0].text.contains("set-password"));
    let audited = app
        .sql_text(
            "select string_agg(action || ' ' || outcome, ', ' order by occurred_at, event_id) from audit.events
             where action like 'user.%password%' and object_id is not null",
        )
        .await;
    assert_eq!(
        audited,
        "user.request_password_reset success, user.reset_password success"
    );
}

#[tokio::test]
async fn the_token_is_nowhere_but_in_the_mail() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    ask(&app, "ada").await;
    let mails = sent(&app, &sink).await;
    let (_, token) = mails[0].link();
    assert!(token.len() == 47 && token.starts_with("sgp_"), "{token}");
    for table in [
        "users.outgoing_mail",
        "users.password_links",
        "audit.events",
        "audit.row_changes",
    ] {
        let rows = app
            .sql_text(&format!("select string_agg(t::text, '') from {table} t"))
            .await;
        assert!(!rows.contains(&token[4..]), "{table}");
    }
    let hash = super::super::app::hash_hex(token);
    assert_eq!(
        app.sql_text("select encode(token_hash, 'hex') from users.password_links")
            .await,
        hash
    );
    // What is stored opens nothing.
    for stolen in [hash.as_str(), &format!("sgp_{}", &hash[..43])] {
        assert_eq!(redeem(&app, stolen, NEW).await.code(), "link_invalid");
    }
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    app.person(app.tenant(), "gone", Role::User).await;
    app.person(app.tenant(), "elsewhere", Role::User).await;
    app.sql(
        "update users.users set is_active = false where username = 'gone';
         update users.users set password_hash = '!' where username = 'elsewhere'",
    )
    .await;
    let known = ask(&app, "ada").await;
    for account in [
        "nobody",
        "nobody@example.org",
        "gone",
        "elsewhere",
        "",
        &"x".repeat(5000),
        "' or 1=1 --",
    ] {
        let answer = ask(&app, account).await;
        assert_eq!(
            (answer.status, &answer.body),
            (known.status, &known.body),
            "{account:?}"
        );
        let names = |answer: &Answer| {
            answer
                .headers
                .keys()
                .map(|k| k.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&answer), names(&known));
    }
    let mails = sent(&app, &sink).await;
    assert_eq!(mails.len(), 1, "for the one who may sign in: {mails:?}");
    // What leads nowhere leaves no name either, which may be a password in the wrong field.
    ask(&app, "a password typed here").await;
    for table in ["users.outgoing_mail", "audit.events"] {
        let rows = app
            .sql_text(&format!("select string_agg(t::text, '') from {table} t"))
            .await;
        assert!(!rows.contains("a password typed here"), "{table}");
    }
    // By address too, in any case.
    assert_eq!(ask(&app, "ADA@Example.org").await.status, 202);
    assert_eq!(sent(&app, &sink).await.len(), 1);
}

#[tokio::test]
async fn a_mailbox_is_not_filled() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    for _ in 0..10 {
        assert_eq!(ask(&app, "ada").await.status, 202);
    }
    assert_eq!(sent(&app, &sink).await.len(), 3);
    app.advance(Duration::minutes(61));
    ask(&app, "ada").await;
    assert_eq!(sent(&app, &sink).await.len(), 1);

    let sink = Sink::start().await;
    let limited = App::start_with(|config| {
        sink.configure(&mut config.mail);
        config.rate_limits.password_reset_per_address_burst = 2.try_into().unwrap();
    })
    .await;
    let answers = [
        ask(&limited, "a").await,
        ask(&limited, "b").await,
        ask(&limited, "c").await,
    ];
    assert_eq!(answers.each_ref().map(|a| a.status), [202, 202, 429]);
    assert_ne!(answers[2].header("retry-after"), "");
}

#[tokio::test]
async fn no_header_moves_the_link_elsewhere() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    let mut reached = 0;
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "localhost:8080@evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example"),
        ("x-original-host", "evil.example"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
    ] {
        let mut sent = request(Method::POST, "/api/v1/users/password-resets")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json!({"account": "ada"}).to_string()))
            .unwrap();
        sent.headers_mut().insert(name, value.parse().unwrap());
        let answer = app.send(sent).await;
        assert!(
            answer.status == 202 || (400..500).contains(&answer.status),
            "{name}: {answer:?}"
        );
        reached += u32::from(answer.status == 202);
        app.advance(Duration::minutes(61));
        for mail in super::sent(&app, &sink).await {
            assert!(!mail.text.contains("evil"), "{name}: {}", mail.text);
            assert_eq!(mail.link().0, "http://localhost:8080/set-password");
        }
        app.sql("delete from users.outgoing_mail").await;
        ask(&app, "ada").await;
        let mails = super::sent(&app, &sink).await;
        assert_eq!(mails[0].link().0, "http://localhost:8080/set-password");
        app.sql("delete from users.outgoing_mail").await;
    }
    assert!(reached >= 4, "{reached}");
}

#[tokio::test]
async fn a_link_fits_the_account_as_it_was() {
    let (app, sink) = start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let token = async || {
        app.sql("delete from users.outgoing_mail").await;
        ask(&app, "ada").await;
        sent(&app, &sink).await.first().unwrap().link().1.to_owned()
    };
    let void = async |token: &str, why: &str| {
        let answer = redeem(&app, token, NEW).await;
        assert_eq!((answer.status, answer.code()), (410, "link_invalid"), "{why}");
    };

    let expired = token().await;
    app.advance(Duration::minutes(31));
    void(&expired, "31 minutes").await;

    let changed = token().await;
    let body = json!({"current_password": PASSWORD, "new_password": "Another-kettle9-fern"});
    assert_eq!(
        app.post("/api/v1/users/me/password", &ada.token, body)
            .await
            .status,
        204
    );
    void(&changed, "changed in the console").await;

    for (change, why) in [
        (
            "update users.users set email = 'other@example.org'",
            "another address",
        ),
        (
            "update users.users set password_hash = password_hash || 'x'",
            "another hash by hand",
        ),
        ("update users.users set is_active = false", "switched off"),
    ] {
        app.sql("update users.users set is_active = true").await;
        let token = token().await;
        app.sql(change).await;
        void(&token, why).await;
    }
    app.sql("update users.users set is_active = true").await;
    let suspended = token().await;
    app.sql("update users.tenants set status = 'suspended' where slug = 'default'")
        .await;
    void(&suspended, "tenant suspended").await;
    app.sql("update users.tenants set status = 'active' where slug = 'default'")
        .await;
    assert_eq!(
        redeem(&app, &suspended, NEW).await.status,
        204,
        "and it was good otherwise"
    );
}

#[tokio::test]
async fn a_link_works_once_however_many_try_at_once() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    ask(&app, "ada").await;
    ask(&app, "ada").await;
    let mails = sent(&app, &sink).await;
    let tokens: Vec<&str> = mails.iter().map(|mail| mail.link().1).collect();
    let passwords: Vec<String> = (0..10).map(|n| format!("{NEW}-{n}x")).collect();
    let tries = passwords
        .iter()
        .enumerate()
        .map(|(n, password)| redeem(&app, tokens[n % 2], password));
    let answers = futures_util::future::join_all(tries).await;
    let mut codes: Vec<u16> = answers.iter().map(|a| a.status).collect();
    codes.sort_unstable();
    assert_eq!(codes, [[204].as_slice(), &[410; 9]].concat(), "over both links");
    let winner = answers.iter().position(|a| a.status == 204).unwrap();
    assert_eq!(app.sign_in("ada", &passwords[winner]).await.status, 201);
}

#[tokio::test]
async fn a_lock_ends_with_the_password_that_was_guessed_at() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    for _ in 0..7 {
        app.sign_in("ada", "wrong").await;
    }
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 401);
    let told = sent(&app, &sink).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        told[0].header("Subject"),
        "Sign-in to your SecureGuard account is locked"
    );
    ask(&app, "ada").await;
    let mails = sent(&app, &sink).await;
    assert_eq!(redeem(&app, mails[0].link().1, NEW).await.status, 204);
    assert_eq!(app.sign_in("ada", NEW).await.status, 201);
    // One such mail an hour, however often somebody tries.
    for _ in 0..5 {
        app.sign_in("ada", "wrong").await;
    }
    let told = sent(&app, &sink).await;
    assert!(
        told.iter().all(|mail| !mail.header("Subject").contains("locked")),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_is_no_link_is_refused_in_one_way() {
    let (app, _sink) = start().await;
    let session = app.person(app.tenant(), "ada", Role::User).await.token;
    let other = format!("sgp_{}", "A".repeat(43));
    for token in [
        "",
        "sgp_",
        "x",
        session.as_str(),
        other.as_str(),
        &"y".repeat(10_000),
    ] {
        let answer = redeem(&app, token, NEW).await;
        assert_eq!((answer.status, answer.code()), (410, "link_invalid"), "{token:?}");
    }
    // A link's token opens nothing else.
    assert_eq!(app.get("/api/v1/sessions/current", &other).await.status, 401);
    for body in [
        json!({}),
        json!({"token": 1, "new_password": "x"}),
        json!([]),
        json!({"token": "t", "new_password": null}),
    ] {
        let answer = app.post("/api/v1/users/password-resets/redeem", "", body).await;
        assert!((400..=422).contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test]
async fn without_mail_it_says_so() {
    let app = App::start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    for account in ["ada", "nobody"] {
        let answer = ask(&app, account).await;
        assert_eq!((answer.status, answer.code()), (409, "mail_not_configured"));
    }
}
