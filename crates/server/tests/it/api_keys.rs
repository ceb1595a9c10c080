//! `/api/v1/users/api-keys`.

use chrono::Duration;
use serde_json::{Value, json};
use sg_types::{Clock, Role};

use super::app::{App, Person};

const PATH: &str = "/api/v1/users/api-keys";

async fn make(app: &App, person: &Person, body: Value) -> (String, String) {
    let answer = app.post(PATH, &person.token, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (text("key_id"), text("key"))
}

#[tokio::test]
async fn a_key_works_until_it_is_revoked() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let (id, key) = make(
        &app,
        &ada,
        json!({"key_name": "laptop", "scopes": ["api", "api"]}),
    )
    .await;
    assert_eq!(app.get("/api/v1/users", &key).await.status, 200);
    let listed = app.get(PATH, &ada.token).await;
    assert_eq!(
        listed.body["items"][0]["key_prefix"].as_str().unwrap(),
        &key[..10]
    );
    assert!(!listed.body.to_string().contains(&key));
    assert_eq!(
        app.sql_text("select key_hash from users.api_keys").await,
        super::app::hash_hex(&key)
    );
    assert_eq!(app.delete(&format!("{PATH}/{id}"), &ada.token).await.status, 204);
    assert_eq!(app.get("/api/v1/users", &key).await.status, 401);
    assert_eq!(
        app.delete(&format!("{PATH}/{id}"), &ada.token).await.status,
        204,
        "revoked is revoked"
    );
    let events = app
        .sql_text("select string_agg(action, ',' order by occurred_at, event_id) from audit.events")
        .await;
    assert_eq!(events, "api_key.create,api_key.revoke,api_key.revoke");
    assert_eq!(
        app.sql_text(
            "select count(*)::text from audit.row_changes where before::text || after::text like '%key_hash%'"
        )
        .await,
        "0"
    );
}

#[tokio::test]
async fn uses_are_counted() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let (_, key) = make(&app, &ada, json!({"key_name": "k"})).await;
    for _ in 0..3 {
        assert_eq!(app.get("/api/v1/users", &key).await.status, 200);
    }
    app.state.key_usage.flush(&app.state.db).await.unwrap();
    let listed = app.get(PATH, &ada.token).await;
    assert_eq!(listed.body["items"][0]["usage_count"], 3);
    assert!(listed.body["items"][0]["last_used"].is_string());
    app.state.key_usage.flush(&app.state.db).await.unwrap();
    assert_eq!(
        app.get(PATH, &ada.token).await.body["items"][0]["usage_count"],
        3,
        "nothing is counted twice"
    );
}

#[tokio::test]
async fn a_key_ends_at_its_time() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let past = json!({"key_name": "k", "expires_at": app.clock.now() - Duration::seconds(1)});
    assert_eq!(app.post(PATH, &ada.token, past).await.fields(), ["expires_at"]);
    let end = app.clock.now() + Duration::minutes(10);
    let (_, key) = make(&app, &ada, json!({"key_name": "k", "expires_at": end})).await;
    assert_eq!(app.get("/api/v1/users", &key).await.status, 200);
    app.advance(Duration::minutes(11));
    assert_eq!(app.get("/api/v1/users", &key).await.status, 401);
}

#[tokio::test]
async fn an_enrolment_key_reads_nothing() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::SystemAdmin).await;
    let (_, key) = make(&app, &admin, json!({"key_name": "fleet", "scopes": ["enrol"]})).await;
    for path in [
        "/api/v1/users",
        "/api/v1/sessions/current",
        PATH,
        "/api/v1/audit/events",
        "/api/v1/users/tenants",
    ] {
        let answer = app.get(path, &key).await;
        assert_eq!((answer.status, answer.code()), (403, "key_scope"), "{path}");
    }
}

#[tokio::test]
async fn a_key_is_no_session() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let (_, key) = make(&app, &ada, json!({"key_name": "k"})).await;
    let body = json!({"current_password": "x", "new_password": "y"});
    assert_eq!(
        app.post("/api/v1/users/me/password", &key, body).await.code(),
        "session_required"
    );
    assert_eq!(
        app.delete("/api/v1/sessions/current", &key).await.code(),
        "session_required"
    );
}

#[tokio::test]
async fn keys_of_others_are_for_administrators() {
    let app = App::start().await;
    let user = app.person(app.tenant(), "user", Role::User).await;
    let manager = app.person(app.tenant(), "manager", Role::Manager).await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let stranger = app
        .person(app.new_tenant("south").await, "stranger", Role::Admin)
        .await;
    let (id, key) = make(&app, &user, json!({"key_name": "k", "scopes": ["api"]})).await;
    let seen = async |person: &Person| {
        app.get(PATH, &person.token).await.body["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (
            seen(&user).await,
            seen(&manager).await,
            seen(&admin).await,
            seen(&stranger).await
        ),
        (1, 0, 1, 0)
    );
    let path = format!("{PATH}/{id}");
    assert_eq!(app.delete(&path, &manager.token).await.status, 404);
    assert_eq!(app.delete(&path, &stranger.token).await.status, 404);
    assert_eq!(
        app.get("/api/v1/sessions/current", &key).await.status,
        200,
        "nobody has revoked it"
    );
    assert_eq!(app.delete(&path, &admin.token).await.status, 204);
    assert_eq!(app.get("/api/v1/sessions/current", &key).await.status, 401);
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    for (body, field) in [
        (json!({"key_name": ""}), "key_name"),
        (json!({"key_name": "x".repeat(101)}), "key_name"),
        (json!({"key_name": "k", "scopes": []}), "scopes"),
        (json!({"key_name": "k", "scopes": ["root"]}), "scopes[0]"),
        (json!({"key_name": "k", "expires_at": "tomorrow"}), "expires_at"),
    ] {
        let answer = app.post(PATH, &ada.token, body.clone()).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field]), "{body}");
    }
    for token in [
        "sg_x",
        "garbage",
        &format!("sg_{}", "A".repeat(43)),
        &format!("sga_{}", "A".repeat(43)),
    ] {
        assert_eq!(app.get(PATH, token).await.status, 401, "{token}");
    }
}

#[tokio::test]
async fn a_rotated_key_goes_on_for_the_overlap_and_no_longer() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let (id, key) = make(&app, &ada, json!({"key_name": "pipeline", "scopes": ["api"]})).await;
    let rotate = format!("{PATH}/{id}/rotate");
    for (body, field) in [
        (json!({"overlap_seconds": -1}), "overlap_seconds"),
        (json!({"overlap_seconds": 30 * 86_400 + 1}), "overlap_seconds"),
        (
            json!({"expires_at": app.clock.now() - Duration::seconds(1)}),
            "expires_at",
        ),
    ] {
        assert_eq!(app.post(&rotate, &ada.token, body).await.fields(), [field]);
    }
    // A program may rotate its own key.
    let made = app.post(&rotate, &key, json!({"overlap_seconds": 600})).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        (
            &made.body["key_name"],
            &made.body["scopes"],
            &made.body["replaces_key_id"]
        ),
        (&json!("pipeline"), &json!(["api"]), &json!(id))
    );
    let new_key = made.body["key"].as_str().unwrap().to_owned();
    for works in [&key, &new_key] {
        assert_eq!(app.get("/api/v1/users", works).await.status, 200);
    }
    app.advance(Duration::seconds(601));
    assert_eq!(app.get("/api/v1/users", &key).await.status, 401);
    assert_eq!(app.get("/api/v1/users", &new_key).await.status, 200);
    let ended = app.post(&rotate, &ada.token, json!({})).await;
    assert_eq!((ended.status, ended.code()), (409, "key_ended"));

    // Somebody else's key is not rotated, not by an administrator either: they would hold a key that acts as another person.
    let admin = app.person(app.tenant(), "root", Role::Admin).await;
    let new_id = made.body["key_id"].as_str().unwrap();
    let foreign = app
        .post(&format!("{PATH}/{new_id}/rotate"), &admin.token, json!({}))
        .await;
    assert_eq!(foreign.status, 404);
}

#[tokio::test]
async fn rotation_never_gives_a_key_more_time_than_it_had() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let end = app.clock.now() + Duration::minutes(1);
    let (id, key) = make(
        &app,
        &ada,
        json!({"key_name": "k", "scopes": ["api"], "expires_at": end}),
    )
    .await;
    let made = app
        .post(
            &format!("{PATH}/{id}/rotate"),
            &ada.token,
            json!({"overlap_seconds": 3600}),
        )
        .await;
    assert_eq!(made.status, 201);
    app.advance(Duration::minutes(2));
    assert_eq!(app.get("/api/v1/users", &key).await.status, 401);
}

#[tokio::test]
async fn free_sql_does_not_bring_a_key_back() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Admin).await;
    let end = app.clock.now() + Duration::minutes(10);
    let (id, _) = make(&app, &ada, json!({"key_name": "k", "expires_at": end})).await;
    let mut conn = app.db.connect("sg_app").await.unwrap();
    for (change, allowed) in [
        ("expires_at = expires_at - interval '1 minute'", true),
        ("expires_at = expires_at + interval '1 minute'", false),
        ("expires_at = null", false),
        ("is_active = false", true),
        ("is_active = true", false),
    ] {
        let hash = super::app::hash_hex(&ada.token);
        let statement = format!(
            "begin; select users.open_context('session', '\\x{hash}', null, clock_timestamp());
             update users.api_keys set {change} where key_id = '{id}'; commit"
        );
        let result = sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut conn)
            .await;
        assert_eq!(result.is_ok(), allowed, "{change}: {result:?}");
        sqlx::raw_sql("rollback").execute(&mut conn).await.unwrap();
    }
}
