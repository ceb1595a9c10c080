//! `POST /api/v1/users` with `invite`.

use serde_json::json;
use sg_types::Role;

use super::super::app::PASSWORD;
use super::*;

async fn invite(app: &App, token: &str, name: &str) -> Answer {
    let email = format!("{name}@example.org");
    app.post(
        "/api/v1/users",
        token,
        json!({"username": name, "email": email, "role": "manager", "full_name": "Grace Hopper", "invite": true}),
    )
    .await
}

#[tokio::test]
async fn an_invited_person_chooses_their_own_password() {
    let (app, sink) = start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let created = invite(&app, &admin.token, "grace").await;
    assert_eq!(
        (created.status, &created.body["initial_password"]),
        (201, &json!(null)),
        "{created:?}"
    );
    for guess in ["", "!invited", "!", PASSWORD] {
        assert_eq!(app.sign_in("grace", guess).await.status, 401, "{guess}");
    }
    let mails = sent(&app, &sink).await;
    let [mail] = mails.as_slice() else {
        panic!("{mails:?}")
    };
    assert_eq!(
        (mail.to.as_slice(), mail.header("Subject")),
        (
            ["grace@example.org".to_owned()].as_slice(),
            "Your SecureGuard account"
        )
    );
    assert!(mail.text.contains("Hello Grace Hopper,") && mail.text.contains("user name grace"));
    assert_eq!(
        redeem(&app, mail.link().1, "Grace-hopper-2026").await.code(),
        "password_refused"
    );
    assert_eq!(redeem(&app, mail.link().1, NEW).await.status, 204);
    let session = app.sign_in("grace", NEW).await;
    assert_eq!(
        (session.status, &session.body["must_change_password"]),
        (201, &json!(false))
    );
}

#[tokio::test]
async fn an_invitation_waits_three_days_and_can_be_had_again() {
    let (app, sink) = start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    invite(&app, &admin.token, "grace").await;
    let mails = sent(&app, &sink).await;
    app.advance(chrono::Duration::days(3) + chrono::Duration::minutes(1));
    assert_eq!(redeem(&app, mails[0].link().1, NEW).await.status, 410);
    ask(&app, "grace").await;
    let mails = sent(&app, &sink).await;
    assert_eq!(redeem(&app, mails[0].link().1, NEW).await.status, 204);
    // Once a password is there, an invitation that is still on its way is void.
    app.sql(
        "update users.outgoing_mail set finished_at = null, outcome = null, next_attempt_at = created_at,
            expires_at = created_at + interval '30 days' where kind = 'invitation'",
    )
    .await;
    assert!(
        sent(&app, &sink)
            .await
            .iter()
            .all(|mail| !mail.text.contains("set-password"))
    );
    let outcome = "select outcome from users.outgoing_mail where kind = 'invitation'";
    assert_eq!(app.sql_text(outcome).await, "void");
}

#[tokio::test]
async fn without_mail_nobody_is_created_without_a_password() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let refused = invite(&app, &admin.token, "grace").await;
    assert_eq!((refused.status, refused.code()), (409, "mail_not_configured"));
    assert_eq!(
        app.sql_text("select count(*)::text from users.users where username = 'grace'")
            .await,
        "0"
    );
    assert_eq!(
        app.get("/api/v1/sessions/current", &admin.token).await.body["mail_enabled"],
        false
    );
}

#[tokio::test]
async fn an_invitation_into_another_tenant_goes_out_too() {
    let (app, sink) = start().await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    let other = app.new_tenant("other").await;
    let body = json!({"username": "grace", "email": "g@example.org", "role": "admin", "tenant_id": other, "invite": true});
    assert_eq!(app.post("/api/v1/users", &root.token, body).await.status, 201);
    let mails = sent(&app, &sink).await;
    assert_eq!(redeem(&app, mails[0].link().1, NEW).await.status, 204);
    assert_eq!(
        app.get("/api/v1/sessions/current", &root.token).await.body["mail_enabled"],
        true
    );
}
