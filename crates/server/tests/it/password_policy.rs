//! `GET` and `PATCH /api/v1/users/password-policy`, and what follows from it.

use chrono::{DateTime, Duration};
use serde_json::{Value, json};
use sg_server::passwords::BreachedPasswords;
use sg_types::Role;

use super::app::{Answer, App, PASSWORD, Person};

/// SHA-1 of `Breached-gravel4-lantern`.
const BREACHED_SHA1: &str = "218D3C230437B4F615E0F6E03E23DE4B9F6B6AD3";
const PATH: &str = "/api/v1/users/password-policy";

async fn change(app: &App, person: &Person, current: &str, new: &str) -> Answer {
    let body = json!({"current_password": current, "new_password": new});
    app.post("/api/v1/users/me/password", &person.token, body).await
}

fn messages(answer: &Answer) -> String {
    let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
    let texts: Vec<&str> = errors.iter().filter_map(|e| e["message"].as_str()).collect();
    texts.join("; ")
}

#[tokio::test]
async fn breached_passwords_are_refused_where_a_collection_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("breached.txt");
    let lines = format!(
        "{}:3\r\n{BREACHED_SHA1}:17\r\n{}:1\r\n",
        "0".repeat(40),
        "F".repeat(40)
    );
    std::fs::write(&file, lines).unwrap();
    let app = App::start_with(|config| {
        config.passwords.breached = Some(BreachedPasswords::open(&file).unwrap());
    })
    .await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let refused = change(&app, &ada, PASSWORD, "Breached-gravel4-lantern").await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["new_password"]));
    assert!(
        messages(&refused).contains("collection of breached"),
        "{refused:?}"
    );
    // A file that is cut short under the server refuses nobody's breached password silently.
    std::fs::write(&file, "no line of a collection, and longer than one\n").unwrap();
    let unsure = change(&app, &ada, PASSWORD, "Other-gravel4-lantern").await;
    assert_eq!(unsure.status, 503, "{unsure:?}");
    std::fs::write(&file, format!("{}:1\r\n", "F".repeat(40))).unwrap();
    let taken = change(&app, &ada, PASSWORD, "Other-gravel4-lantern").await;
    assert_eq!(taken.status, 204, "{taken:?}");
}

#[tokio::test]
async fn everybody_reads_it_and_administrators_change_it() {
    let app = App::start().await;
    let (user, admin) = (
        app.person(app.tenant(), "ada", Role::User).await,
        app.person(app.tenant(), "admin", Role::Admin).await,
    );
    let shown = app.get(PATH, &user.token).await;
    assert_eq!(
        (shown.status, &shown.body["profile"], &shown.body["min_length"]),
        (200, &json!("default"), &json!(12))
    );
    let refused = app.patch(PATH, &user.token, json!({"min_length": 8})).await;
    assert_eq!((refused.status, refused.code()), (403, "missing_permission"));

    let nist = app.patch(PATH, &admin.token, json!({"profile": "nist"})).await;
    assert_eq!(
        (nist.status, &nist.body["profile"], &nist.body["max_age_days"]),
        (200, &json!("nist"), &json!(0))
    );
    let own = app
        .patch(
            PATH,
            &admin.token,
            json!({"min_length": 20, "max_failed_attempts": 3}),
        )
        .await;
    assert_eq!(
        (&own.body["profile"], &own.body["max_failed_attempts"]),
        (&Value::Null, &json!(3))
    );
    let back = app.patch(PATH, &admin.token, json!({"profile": "default"})).await;
    assert_eq!(
        (&back.body["profile"], &back.body["max_failed_attempts"]),
        (&json!("default"), &json!(3)),
        "the lockout stays"
    );
    let audited = app
        .sql_text("select count(*)::text from audit.events e join audit.row_changes r using (transaction_id) where e.action = 'password_policy.update'")
        .await;
    assert_eq!(audited, "3");
}

#[tokio::test]
async fn values_outside_their_ranges_are_told() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let all_wrong = json!({"min_length": 7, "max_age_days": -1, "history_count": 25, "max_failed_attempts": 0,
        "lockout_duration_minutes": 1441});
    let answer = app.patch(PATH, &admin.token, all_wrong).await;
    assert_eq!((answer.status, answer.fields().len()), (422, 5), "{answer:?}");
    for body in [
        json!({"min_length": "12"}),
        json!({"min_length": 1e12}),
        json!({"profile": "weak"}),
        json!({"tenant_id": "x"}),
    ] {
        let answer = app.patch(PATH, &admin.token, body).await;
        assert!((400..=422).contains(&answer.status), "{answer:?}");
    }
    assert_eq!(app.get(PATH, &admin.token).await.body["profile"], "default");
}

#[tokio::test]
async fn the_policy_of_another_tenant_is_another() {
    let app = App::start().await;
    let other = app.new_tenant("other").await;
    let (admin, eve) = (
        app.person(app.tenant(), "admin", Role::Admin).await,
        app.person(other, "eve", Role::Admin).await,
    );
    app.patch(PATH, &admin.token, json!({"profile": "nist"})).await;
    assert_eq!(app.get(PATH, &eve.token).await.body["profile"], "default");
}

#[tokio::test]
async fn one_update_puts_the_nist_profile_in_force_at_once() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let phrase = "plinth otter walnut gravel";
    let refused = change(&app, &ada, PASSWORD, phrase).await;
    assert_eq!(messages(&refused), "needs an upper-case letter; needs a digit");
    let documented = include_str!("../../../../docs/password-security.md");
    let statement = documented
        .split("```sql\n")
        .filter_map(|part| part.split("```").next())
        .find(|sql| sql.contains("min_length = 15"))
        .unwrap();
    app.sql(statement).await;
    assert_eq!(app.get(PATH, &ada.token).await.body["profile"], "nist");
    let short = change(&app, &ada, PASSWORD, "plinth otter w").await;
    assert_eq!(messages(&short), "is too short: it needs at least 15 characters");
    assert_eq!(change(&app, &ada, PASSWORD, phrase).await.status, 204);
}

#[tokio::test]
async fn lengths_are_characters_after_composition() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    app.sql("update users.password_policies set history_count = 0")
        .await;
    let of = |length: usize| -> String {
        "Añ1-qüwzkvxjÖß"
            .chars()
            .chain("pm4Üyhd!lk7rcb".chars().cycle())
            .take(length)
            .collect()
    };
    let mut current = PASSWORD.to_owned();
    for length in [64, 128] {
        let answer = change(&app, &ada, &current, &of(length)).await;
        assert_eq!(answer.status, 204, "{length}: {answer:?}");
        current = of(length);
    }
    assert_eq!(
        messages(&change(&app, &ada, &current, &of(129)).await),
        "is too long: at most 128 characters"
    );
    // Typed in decomposed form it is the same password.
    let decomposed = current
        .replace('ñ', "n\u{303}")
        .replace('ü', "u\u{308}")
        .replace('Ü', "U\u{308}")
        .replace('Ö', "O\u{308}");
    assert!(decomposed.chars().count() > 128);
    app.sql("update users.users set failed_login_attempts = 0").await;
    assert_eq!(app.sign_in("ada", &current).await.status, 201);
}

#[tokio::test]
async fn every_rule_is_named() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    for (password, reason) in [
        ("Ab1-", "too short"),
        ("GRAVEL-LANTERN4-QUINCE", "lower-case"),
        ("gravel-lantern4-quince", "upper-case"),
        ("Gravel-lantern-quince", "digit"),
        ("Gravellantern4quince", "neither letter nor digit"),
        ("Password-1234", "common passwords"),
        ("Secureguard-2026", "this product's name"),
        ("Abcdefgh-1234", "sequence or repetition"),
        (PASSWORD, "last 5 passwords"),
    ] {
        let answer = change(&app, &ada, PASSWORD, password).await;
        assert_eq!(answer.code(), "password_refused", "{password}");
        assert!(
            messages(&answer).contains(reason),
            "{password}: {}",
            messages(&answer)
        );
    }
}

#[tokio::test]
async fn the_end_of_a_password_is_told_before() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let now = app.clock_now();
    let told = async |days_old: i64| {
        let changed = (now - Duration::days(days_old)).to_rfc3339();
        app.sql(&format!(
            "update users.users set password_last_changed = '{changed}', must_change_password = false"
        ))
        .await;
        let signed_in = app.sign_in("ada", PASSWORD).await.body;
        let current = app.get("/api/v1/sessions/current", &ada.token).await.body;
        assert_eq!(signed_in["password_expires_at"], current["password_expires_at"]);
        assert_eq!(
            signed_in["password_expires_soon"],
            current["password_expires_soon"]
        );
        let expires: DateTime<chrono::Utc> = signed_in["password_expires_at"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let days = (expires - now).num_hours().div_euclid(24);
        (
            days,
            signed_in["password_expires_soon"] == true,
            signed_in["must_change_password"] == true,
        )
    };
    assert!(!told(75).await.1);
    assert!(told(77).await.1);
    assert_eq!((told(77).await.2, told(91).await.2), (false, true));
    app.sql("update users.users set must_change_password = false; update users.password_policies set max_age_days = 0").await;
    let never = app.sign_in("ada", PASSWORD).await.body;
    assert_eq!(
        (&never["password_expires_at"], &never["must_change_password"]),
        (&Value::Null, &json!(false))
    );
}

#[tokio::test]
async fn a_hash_with_other_parameters_is_renewed_by_the_next_sign_in() {
    let app = App::start_with(|config| {
        let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 32]);
        config.passwords.pepper = sg_server::passwords::Pepper::parse(&format!("7 {key}")).unwrap();
    })
    .await;
    app.person(app.tenant(), "ada", Role::User).await;
    let hash = "select password_hash from users.users";
    let before = app.sql_text(hash).await;
    assert!(!before.contains("keyid"));
    assert_eq!(app.sign_in("ada", "wrong").await.status, 401);
    assert_eq!(app.sql_text(hash).await, before, "a failure renews nothing");
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 201);
    let after = app.sql_text(hash).await;
    assert!(after.contains(",keyid=Nw$"), "{after}");
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 201);
    assert_eq!(app.sql_text(hash).await, after, "once");
    assert_eq!(
        app.sql_text("select password_history::text from users.users")
            .await,
        "[]",
        "it is the same password"
    );
}
