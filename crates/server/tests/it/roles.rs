//! `/api/v1/users/roles` and `/api/v1/users/permissions`: what a tenant makes of the documented roles.

use serde_json::{Value, json};
use sg_types::{Permission, Role};

use super::app::{App, Person};

const ROLES: &str = "/api/v1/users/roles";

fn role(name: &str) -> String {
    format!("{ROLES}/{name}")
}

fn night_shift() -> Value {
    json!({"role": "night_shift", "based_on": "manager", "description": "Looks, and notes.",
        "permissions": ["incidents_read", "endpoints_read"]})
}

async fn give(app: &App, admin: &Person, person: &Person, role: &str) -> super::app::Answer {
    let path = format!("/api/v1/users/{}", person.user_id);
    app.patch(&path, &admin.token, json!({"role": role})).await
}

#[tokio::test]
async fn a_role_of_the_tenants_own_allows_what_it_says() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let ada = app.person(app.tenant(), "ada", Role::Manager).await;
    let made = app.post(ROLES, &admin.token, night_shift()).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        made.body,
        json!({"role": "night_shift", "is_documented": false, "based_on": "manager", "scope": "tenant",
            "description": "Looks, and notes.", "permissions": ["endpoints_read", "incidents_read"], "members": 0})
    );
    let given = give(&app, &admin, &ada, "night_shift").await;
    assert_eq!(
        (given.status, &given.body["role"]),
        (200, &json!("night_shift")),
        "{given:?}"
    );
    // The sessions of before have ended; with a new one Ada is what the role says.
    let token = app.open_session(ada.user_id, Role::Manager).await;
    let session = app.get("/api/v1/sessions/current", &token).await.body;
    assert_eq!(session["role"], "night_shift");
    assert_eq!(
        session["permissions"],
        json!(["endpoints_read", "incidents_read"])
    );
    assert_eq!(app.get("/api/v1/threats/incidents", &token).await.status, 200);
    let refused = app.get("/api/v1/threats/rules", &token).await;
    assert_eq!((refused.status, refused.code()), (403, "missing_permission"));

    // A change holds at the next request of the same session.
    let wider = json!({"permissions": ["incidents_read", "rules_read"], "scope": "own"});
    let changed = app.patch(&role("night_shift"), &admin.token, wider).await;
    assert_eq!(
        (
            &changed.body["scope"],
            &changed.body["members"],
            &changed.body["description"]
        ),
        (&json!("own"), &json!(1), &json!("Looks, and notes."))
    );
    assert_eq!(app.get("/api/v1/threats/rules", &token).await.status, 200);
    assert_eq!(app.get("/api/v1/agents/endpoints", &token).await.status, 403);

    let in_use = app.delete(&role("night_shift"), &admin.token).await;
    assert_eq!((in_use.status, in_use.code()), (409, "role_in_use"));
    assert_eq!(give(&app, &admin, &ada, "user").await.status, 200);
    assert_eq!(app.delete(&role("night_shift"), &admin.token).await.status, 204);
    assert_eq!(app.delete(&role("night_shift"), &admin.token).await.status, 404);
    assert_eq!(
        app.sql_text("select string_agg(action, ' ' order by occurred_at, event_id) from audit.events where object_kind = 'role'")
            .await,
        "role.create role.update role.delete"
    );
}

#[tokio::test]
async fn nobody_makes_or_gives_a_role_beyond_their_own() {
    let app = App::start().await;
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let desk = app.person(app.tenant(), "desk", Role::User).await;
    let victim = app.person(app.tenant(), "victim", Role::User).await;
    let helpdesk = json!({"role": "helpdesk", "based_on": "admin", "permissions": ["users_read", "users_manage", "endpoints_read"]});
    assert_eq!(app.post(ROLES, &admin.token, helpdesk).await.status, 201);
    assert_eq!(give(&app, &admin, &desk, "helpdesk").await.status, 200);
    let desk = Person {
        token: app.open_session(desk.user_id, Role::Admin).await,
        ..desk
    };
    let too_high = async |who: &Person, body: Value| {
        let answer = app.post(ROLES, &who.token, body.clone()).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "role_too_high"),
            "{body}: {answer:?}"
        );
    };
    too_high(
        &admin,
        json!({"role": "x", "based_on": "system_admin", "permissions": []}),
    )
    .await;
    too_high(
        &desk,
        json!({"role": "x", "based_on": "admin", "permissions": ["audit_read"]}),
    )
    .await;
    too_high(
        &desk,
        json!({"role": "x", "based_on": "user", "permissions": ["incidents_read"]}),
    )
    .await;
    // Every role with a permission that the helpdesk lacks is out of its reach, however low.
    for name in ["user", "manager", "admin", "system_admin"] {
        let answer = give(&app, &desk, &victim, name).await;
        assert_eq!((answer.status, answer.code()), (403, "role_too_high"), "{name}");
        let person = json!({"username": "new", "email": "new@example.org", "role": name});
        let answer = app.post("/api/v1/users", &desk.token, person).await;
        assert_eq!((answer.status, answer.code()), (403, "role_too_high"), "{name}");
    }
    let own = app
        .patch(&role("helpdesk"), &desk.token, json!({"permissions": []}))
        .await;
    assert_eq!((own.status, own.code()), (409, "own_role"));
    // A role above: neither changed nor removed.
    let above = json!({"role": "auditor", "based_on": "admin", "permissions": ["audit_read"]});
    assert_eq!(app.post(ROLES, &admin.token, above).await.status, 201);
    for answer in [
        app.patch(&role("auditor"), &desk.token, json!({"description": "mine"}))
            .await,
        app.delete(&role("auditor"), &desk.token).await,
    ] {
        assert_eq!((answer.status, answer.code()), (403, "role_too_high"));
    }
    // The installation's administrator may, and can give a role that only they reach.
    let near = json!({"role": "near_chief", "based_on": "system_admin", "permissions": ["tenants_manage"]});
    assert_eq!(app.post(ROLES, &chief.token, near).await.status, 201);
    assert_eq!(
        give(&app, &admin, &victim, "near_chief").await.code(),
        "role_too_high"
    );
    assert_eq!(give(&app, &chief, &victim, "near_chief").await.status, 200);
    // Whoever may not give it may not take it either.
    assert_eq!(give(&app, &admin, &victim, "user").await.code(), "role_too_high");
    assert_eq!(
        app.sql_text("select string_agg(role, ' ' order by username) from users.users where username in ('desk', 'victim')").await,
        "helpdesk near_chief"
    );
}

#[tokio::test]
async fn nonsense_is_refused_with_a_reason() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let with = |field: &str, value: Value| {
        let mut body = night_shift();
        body[field] = value;
        body
    };
    for (body, field) in [
        (with("role", json!("admin")), "role"),
        (with("scope", json!("own")), ""),
        (with("based_on", json!("user")), "permissions"),
        (with("permissions", json!(["users_manage"])), "permissions"),
        (with("description", json!("x".repeat(501))), "description"),
        (
            json!({"role": "x", "based_on": "user", "scope": "tenant", "permissions": []}),
            "scope",
        ),
    ] {
        let answer = app.post(ROLES, &admin.token, body.clone()).await;
        if field.is_empty() {
            assert_eq!(answer.status, 201, "{body}: {answer:?}");
        } else if body["based_on"] == "user" && field == "permissions" {
            // The base `user` allows both; what is wrong is nothing, but for the name that is taken.
            assert_eq!(answer.code(), "already_exists", "{body}");
        } else {
            assert_eq!((answer.status, answer.fields()), (422, vec![field]), "{body}");
        }
    }
    for body in [
        with("role", json!("Night Shift")),
        with("role", json!("a|b")),
        with("role", json!("")),
        with("based_on", json!("night_shift")),
        with("permissions", json!(["everything"])),
        with("permissions", json!("all")),
        with("tenant_id", json!(app.tenant())),
        json!({}),
    ] {
        let answer = app.post(ROLES, &admin.token, body.clone()).await;
        assert!((400..500).contains(&answer.status), "{body}: {answer:?}");
    }
    for name in ["admin", "user"] {
        for answer in [
            app.patch(&role(name), &admin.token, json!({"permissions": []}))
                .await,
            app.delete(&role(name), &admin.token).await,
        ] {
            assert_eq!((answer.status, answer.code()), (409, "documented_role"));
        }
    }
    for name in ["nothing", "No-Name", "a%7Cb", "%20"] {
        assert_eq!(app.delete(&role(name), &admin.token).await.status, 404, "{name}");
    }
    let unknown = json!({"username": "new", "email": "new@example.org", "role": "superroot"});
    let answer = app.post("/api/v1/users", &admin.token, unknown).await;
    assert_eq!((answer.status, answer.fields()), (422, vec!["role"]));

    // Roles are each tenant's own.
    let stranger = app
        .person(app.new_tenant("south").await, "stranger", Role::Admin)
        .await;
    assert_eq!(
        app.get(ROLES, &stranger.token).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(
        app.delete(&role("night_shift"), &stranger.token).await.status,
        404
    );
    let all = app.get("/api/v1/users/permissions", &admin.token).await.body;
    assert_eq!(all["items"].as_array().unwrap().len(), Permission::ALL.len());
}
