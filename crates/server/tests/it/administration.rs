//! The document's administration by hand, beside a server that runs: each statement has its effect at the next sign-in.

use chrono::Duration;
use serde_json::json;
use sg_types::Role;
use sqlx::AssertSqlSafe;

use super::app::{App, PASSWORD};

/// The statements as the document prints them, by the comment above each.
fn printed(comment: &str) -> String {
    let statements = include_str!("../../../db/tests/fixtures/6_administration.sql");
    let (_, rest) = statements
        .split_once(&format!("-- {comment}\n"))
        .unwrap_or_else(|| panic!("no `{comment}` is printed"));
    rest.split_once(';').unwrap().0.to_owned()
}

/// Runs a printed statement at the prompt of `sg_admin`; how many rows it changed.
async fn administer(app: &App, comment: &str) -> u64 {
    let mut admin = app.db.connect("sg_admin").await.unwrap();
    sqlx::query(AssertSqlSafe(printed(comment)))
        .execute(&mut admin)
        .await
        .unwrap()
        .rows_affected()
}

#[tokio::test]
async fn a_policy_rules_from_the_next_sign_in_on() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    for _ in 0..4 {
        assert_eq!(app.sign_in("ada", "wrong").await.status, 401);
    }
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 201, "five are granted");

    assert_eq!(
        administer(&app, "Update password policy").await,
        2,
        "one for each tenant"
    );
    for _ in 0..3 {
        assert_eq!(app.sign_in("ada", "wrong").await.status, 401);
    }
    assert_eq!(
        app.sign_in("ada", PASSWORD).await.status,
        401,
        "three are granted"
    );
    app.advance(Duration::minutes(59));
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 401, "for an hour");
    app.advance(Duration::minutes(2));
    let session = app.sign_in("ada", PASSWORD).await;
    assert_eq!(session.status, 201);

    let thirteen = json!({"current_password": PASSWORD, "new_password": "Gravel-7-lamp"});
    let token = session.body["token"].as_str().unwrap();
    let refused = app.post("/api/v1/users/me/password", token, thirteen).await;
    assert_eq!((refused.status, refused.code()), (422, "password_refused"));
    assert!(
        refused.body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("14"),
        "{:?}",
        refused.body
    );
    assert_ne!(ada.token, token);
}

#[tokio::test]
async fn everybody_has_to_change_their_password() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let other = app.new_tenant("other").await;
    let bob = app.person(other, "bob", Role::Admin).await;
    assert_eq!(
        app.sign_in("ada", PASSWORD).await.body["must_change_password"],
        false
    );
    assert_eq!(
        administer(&app, "Force password change for all users").await,
        2,
        "people of every tenant"
    );
    for name in ["ada", "bob"] {
        let session = app.sign_in(name, PASSWORD).await;
        assert_eq!(
            (session.status, &session.body["must_change_password"]),
            (201, &json!(true)),
            "{name}"
        );
    }
    // Sessions that are open already are held to it as well.
    for token in [&ada.token, &bob.token] {
        let refused = app.get("/api/v1/users", token).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "password_change_required")
        );
    }
}

#[tokio::test]
async fn lockouts_are_reset() {
    let app = App::start().await;
    for name in ["ada", "bob"] {
        app.person(app.tenant(), name, Role::User).await;
    }
    for _ in 0..5 {
        app.sign_in("ada", "wrong").await;
    }
    app.sign_in("bob", "wrong").await;
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 401, "locked");
    assert_eq!(
        administer(&app, "Reset account lockouts").await,
        1,
        "only who is locked"
    );
    assert_eq!(app.sign_in("ada", PASSWORD).await.status, 201);
    assert_eq!(
        app.sql_text("select failed_login_attempts::text from users.users where username = 'bob'")
            .await,
        "1"
    );
}

#[tokio::test]
async fn the_sample_user_is_there_and_its_hash_verifies_nothing() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    assert_eq!(administer(&app, "Create new user with secure defaults").await, 1);
    let people = app.get("/api/v1/users", &admin.token).await;
    let found = people.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .any(|user| user["username"] == "newuser" && user["email"] == "user@domain.com");
    assert!(found, "{:?}", people.body);
    for guess in ["[argon2_hash]", "", "newuser"] {
        assert_eq!(
            app.sign_in("newuser", guess).await.code(),
            "invalid_credentials",
            "{guess}"
        );
    }
    // A password that the administrator gives works, and the count of guesses at a hash that nothing verifies is kept as for anybody.
    assert_eq!(
        app.sql_text("select failed_login_attempts::text from users.users where username = 'newuser'")
            .await,
        "3"
    );
}

#[tokio::test]
async fn the_policy_is_viewed_by_tenant() {
    let app = App::start().await;
    let mut admin = app.db.connect("sg_admin").await.unwrap();
    let rows = sqlx::query(AssertSqlSafe(printed("View current policy")))
        .fetch_all(&mut admin)
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
}

/// What a tenant learns of a name that somebody of another tenant has: no more than of one of its own.
#[tokio::test]
async fn a_taken_name_is_refused_in_one_way() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let other = app.new_tenant("other").await;
    app.person(other, "bob", Role::User).await;
    app.person(app.tenant(), "ada", Role::User).await;
    for taken in [
        [("ada", "new@example.org"), ("BOB", "new@example.org")],
        [("new", "ada@example.org"), ("new", "Bob@example.org")],
    ] {
        let mut answers = Vec::new();
        for (username, email) in taken {
            let body = json!({"username": username, "email": email, "role": "user"});
            let mut answer = app.post("/api/v1/users", &admin.token, body).await;
            answer.body["request_id"] = json!("");
            assert_eq!(
                (answer.status, answer.code()),
                (409, "already_exists"),
                "{username} {email}"
            );
            answers.push(answer.body);
        }
        assert_eq!(answers[0], answers[1]);
    }
    // A user name that is somebody's address never gets so far, and at the prompt it is refused too.
    let borrowed = json!({"username": "bob@example.org", "email": "new@example.org", "role": "user"});
    assert_eq!(
        app.post("/api/v1/users", &admin.token, borrowed).await.status,
        422
    );
}
