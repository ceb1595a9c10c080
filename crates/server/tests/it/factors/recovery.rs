//! When a factor is lost.

use serde_json::json;
use sg_server::users::factors::reset::reset_on_host;
use sg_types::{Role, TimeOrderedIds};

use super::super::app::{App, PASSWORD};
use super::Authy;

#[tokio::test]
async fn an_administrator_resets_and_the_person_is_told() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    Authy::add(&app, &ada.token).await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let path = format!("/api/v1/users/{}/factors", ada.user_id);
    assert_eq!(app.delete(&path, &admin.token).await.status, 204);
    assert_eq!(
        app.get("/api/v1/sessions/current", &ada.token).await.status,
        401,
        "their sessions have ended"
    );
    let session = app.sign_in("ada", PASSWORD).await;
    assert_eq!(session.status, 201);
    let token = session.body["token"].as_str().unwrap();
    let notices = app.get("/api/v1/users/me/notices", token).await;
    assert_eq!(
        (
            &notices.body["notices"][0]["kind"],
            &notices.body["notices"][0]["detail"]
        ),
        (&json!("factors_reset"), &json!("admin"))
    );
    for table in [
        "users.factors",
        "users.backup_codes",
        "users.secrets where purpose = 'totp'",
    ] {
        assert_eq!(
            app.sql_text(&format!("select count(*)::text from {table}")).await,
            "0",
            "{table}"
        );
    }
    let audited =
        "select actor_name || ' ' || object_id from audit.events where action = 'user.reset_factors'";
    assert_eq!(app.sql_text(audited).await, format!("admin {}", ada.user_id));
}

#[tokio::test]
async fn nobody_resets_above_themselves_elsewhere_or_their_own() {
    let app = App::start().await;
    let north = app.new_tenant("north").await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let manager = app.person(app.tenant(), "manager", Role::Manager).await;
    let guest = app.person(north, "guest", Role::User).await;
    let stranger = app.person(north, "stranger", Role::User).await;
    app.sql(&format!(
        "insert into users.memberships (tenant_id, user_id, role) values ('{}', '{}', 'user')",
        app.tenant(),
        guest.user_id
    ))
    .await;
    let reset = async |by: &str, whom: sg_types::UserId| {
        let answer = app.delete(&format!("/api/v1/users/{whom}/factors"), by).await;
        (answer.status, answer.code().to_owned())
    };
    for (by, whom, status, code) in [
        (&admin.token, root.user_id, 403, "role_too_high"),
        (&admin.token, admin.user_id, 409, "own_account"),
        (&admin.token, guest.user_id, 403, "foreign_account"),
        (&admin.token, stranger.user_id, 404, "not_found"),
        (&manager.token, guest.user_id, 403, "missing_permission"),
    ] {
        assert_eq!(reset(by, whom).await, (status, code.to_owned()), "{code}");
    }
}

#[tokio::test]
async fn whoever_holds_the_host_lets_the_last_administrator_in() {
    let app = App::start().await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    Authy::add(&app, &root.token).await;
    let reset = async |name: &str| reset_on_host(&app.state.db, &*app.clock, &TimeOrderedIds, name).await;
    assert!(reset("nobody").await.is_err());
    assert_eq!(reset("ROOT").await.unwrap(), 1);
    assert_eq!(app.sign_in("root", PASSWORD).await.status, 201);
    assert_eq!(reset("root").await.unwrap(), 0, "again is no harm");
}
