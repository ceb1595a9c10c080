//! Who must have a factor.

use chrono::Duration;
use serde_json::json;
use sg_types::Role;

use super::super::app::{App, PASSWORD};
use super::{Authy, challenge, second_step};

const POLICY: &str = "/api/v1/users/factor-policy";

#[tokio::test]
async fn who_must_have_a_factor_gets_one_before_anything_else() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    app.person(app.tenant(), "bo", Role::Manager).await;
    let set = app
        .patch(
            POLICY,
            &admin.token,
            json!({"roles": ["manager"], "grace_days": 0}),
        )
        .await;
    assert_eq!(
        (set.status, &set.body["rules"][0]["role"]),
        (200, &json!("manager"))
    );
    // The clock of the tests stands still while the database's, which dates accounts, goes on.
    app.advance(Duration::minutes(1));
    assert_eq!(
        app.sign_in("admin", PASSWORD).await.status,
        201,
        "another role is not concerned"
    );

    let waiting = challenge(&app, "bo").await;
    assert_eq!(
        (&waiting["must_enrol"], &waiting["factors"]),
        (&json!(true), &json!([]))
    );
    let token = waiting["challenge"].as_str().unwrap();
    assert_eq!(app.get("/api/v1/sessions/current", token).await.status, 401);
    assert_eq!(app.get("/api/v1/users/me/factors", token).await.status, 401);
    assert_eq!(second_step(&app, &waiting, "code", "123456").await.status, 401);

    let (authy, added) = Authy::add_with(&app, token).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert!(added.header("set-cookie").starts_with("sg_session=sgs_"));
    assert_eq!(added.body["backup_codes"].as_array().unwrap().len(), 10);
    let session = added.body["session"]["token"].as_str().unwrap();
    assert_eq!(app.get("/api/v1/sessions/current", session).await.status, 200);
    let more = app
        .post("/api/v1/users/me/factors/totp", token, json!({"name": "Mine"}))
        .await;
    assert_eq!(more.status, 401, "the challenge has done its work");

    let last = format!("/api/v1/users/me/factors/{}", authy.factor_id);
    let kept = app.delete(&last, session).await;
    assert_eq!((kept.status, kept.code()), (409, "factor_required"));
    app.advance(Duration::seconds(30));
    let waiting = challenge(&app, "bo").await;
    assert_eq!(
        second_step(&app, &waiting, "code", authy.code(&app)).await.status,
        201
    );
}

#[tokio::test]
async fn two_enrolments_of_one_sign_in_add_one_factor() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    app.person(app.tenant(), "bo", Role::Manager).await;
    app.patch(
        POLICY,
        &admin.token,
        json!({"roles": ["manager"], "grace_days": 0}),
    )
    .await;
    app.advance(Duration::minutes(1));
    // Somebody who knows the password has a challenge in hand while the owner adds a factor.
    let (of_owner, of_thief) = (challenge(&app, "bo").await, challenge(&app, "bo").await);
    let (_, added) = Authy::add_with(&app, of_owner["challenge"].as_str().unwrap()).await;
    assert_eq!(added.status, 201);
    let late = app
        .post(
            "/api/v1/users/me/factors/totp",
            of_thief["challenge"].as_str().unwrap(),
            json!({"name": "Mine"}),
        )
        .await;
    assert_eq!(late.status, 401);
}

#[tokio::test]
async fn there_is_a_time_of_grace() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    app.patch(
        POLICY,
        &admin.token,
        json!({"roles": ["user", "manager"], "grace_days": 7}),
    )
    .await;
    let bo = app.person(app.tenant(), "bo", Role::User).await;
    let notices = app.get("/api/v1/users/me/notices", &bo.token).await;
    assert!(notices.body["factor_due"].is_string(), "{notices:?}");
    app.advance(Duration::days(6));
    assert_eq!(app.sign_in("bo", PASSWORD).await.status, 201);
    app.advance(Duration::days(1) + Duration::minutes(1));
    assert_eq!(challenge(&app, "bo").await["must_enrol"], true);

    // Setting the same rule again does not begin its time anew; leaving it out ends it.
    let admin = app.open_session(admin.user_id, Role::Admin).await;
    app.patch(POLICY, &admin, json!({"roles": ["user", "manager"]}))
        .await;
    assert_eq!(challenge(&app, "bo").await["must_enrol"], true);
    app.patch(POLICY, &admin, json!({"grace_days": 30})).await;
    assert_eq!(app.sign_in("bo", PASSWORD).await.status, 201);
    app.patch(POLICY, &admin, json!({"roles": [], "grace_days": 0}))
        .await;
    assert_eq!(app.sign_in("bo", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn the_rule_is_the_administrators_within_their_rank_and_tenant() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    let manager = app.person(app.tenant(), "manager", Role::Manager).await;
    let elsewhere = app
        .person(app.new_tenant("north").await, "other", Role::Admin)
        .await;
    assert_eq!(app.get(POLICY, &manager.token).await.status, 403);
    assert_eq!(app.patch(POLICY, &manager.token, json!({})).await.status, 403);
    let all = json!({"roles": ["admin", "system_admin"], "grace_days": 3});
    assert_eq!(
        app.patch(POLICY, &admin.token, all.clone()).await.code(),
        "role_too_high"
    );
    assert_eq!(app.patch(POLICY, &root.token, all).await.status, 200);
    let lifted = app.patch(POLICY, &admin.token, json!({"roles": []})).await;
    assert_eq!((lifted.status, lifted.code()), (403, "role_too_high"));
    assert_eq!(app.get(POLICY, &elsewhere.token).await.body["rules"], json!([]));
    for bad in [
        json!({"grace_days": -1}),
        json!({"grace_days": 91}),
        json!({"roles": ["superroot"]}),
        json!({"roles": "admin"}),
    ] {
        assert_eq!(
            app.patch(POLICY, &root.token, bad.clone()).await.status,
            422,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_role_of_the_tenants_own_has_a_rule_of_its_own() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let bo = app.person(app.tenant(), "bo", Role::Manager).await;
    let made = app
        .post(
            "/api/v1/users/roles",
            &admin.token,
            json!({"role": "helper", "based_on": "manager", "permissions": ["incidents_read"]}),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/api/v1/users/{}", bo.user_id);
    let changed = app.patch(&path, &admin.token, json!({"role": "helper"})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let rules = async |roles: serde_json::Value| {
        let body = json!({"roles": roles, "grace_days": 0});
        app.patch(POLICY, &admin.token, body).await
    };
    assert_eq!(rules(json!(["manager"])).await.status, 200);
    app.advance(Duration::minutes(1));
    assert_eq!(
        app.sign_in("bo", PASSWORD).await.status,
        201,
        "the rule of its base is not about it"
    );
    assert_eq!(rules(json!(["nobody_has_it"])).await.status, 422);
    let both = rules(json!(["helper", "manager"])).await;
    assert_eq!(
        (both.status, &both.body["rules"][1]["role"]),
        (200, &json!("helper"))
    );
    assert_eq!(challenge(&app, "bo").await["must_enrol"], true);

    // A role that goes takes its rule along.
    app.patch(&path, &admin.token, json!({"role": "manager"})).await;
    let gone = app.delete("/api/v1/users/roles/helper", &admin.token).await;
    assert_eq!(gone.status, 204, "{gone:?}");
    let left = app.get(POLICY, &admin.token).await;
    assert_eq!(left.body["rules"].as_array().map(Vec::len), Some(1), "{left:?}");
}

#[tokio::test]
async fn the_rule_of_a_higher_role_stays_while_others_change() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    let set = json!({"roles": ["system_admin"], "grace_days": 3});
    assert_eq!(app.patch(POLICY, &root.token, set).await.status, 200);
    let more = json!({"roles": ["user", "system_admin"], "grace_days": 90});
    let changed = app.patch(POLICY, &admin.token, more).await;
    let days: Vec<_> = changed.body["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["grace_days"].as_i64().unwrap())
        .collect();
    assert_eq!((changed.status, days), (200, vec![90, 3]));
}
