//! `/api/v1/users/memberships`: a provider's analyst works in a customer's tenant, by the customer's leave and for a time.

use axum::http::{Method, header};
use chrono::Duration;
use serde_json::{Value, json};
use sg_types::{Ids, Role, TenantId, TimeOrderedIds};

use super::app::{Answer, App, Person, request};

const MEMBERSHIPS: &str = "/api/v1/users/memberships";

fn of(person: &Person) -> String {
    format!("{MEMBERSHIPS}/{}", person.user_id)
}

/// A call that works in `tenant`.
async fn within(app: &App, tenant: TenantId, method: Method, path: &str, token: &str, body: Value) -> Answer {
    let call = request(method, path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header("x-secureguard-tenant", tenant.to_string())
        .header(header::CONTENT_TYPE, "application/json");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    app.send(call.body(body.into()).unwrap()).await
}

struct Scene {
    app: App,
    customer: TenantId,
    admin: Person,
    analyst: Person,
}

/// A customer with an administrator and an incident, and a provider in the tenant that is there from the start.
async fn scene() -> Scene {
    let app = App::start().await;
    let customer = app.new_tenant("customer").await;
    let admin = app.person(customer, "customer-admin", Role::Admin).await;
    let analyst = app.person(app.tenant(), "analyst", Role::Manager).await;
    Scene {
        app,
        customer,
        admin,
        analyst,
    }
}

impl Scene {
    fn grant(&self, role: &str, days: i64) -> Value {
        json!({"username": "Analyst", "role": role, "expires_at": self.app.state.now() + Duration::days(days), "reason": "contract 7"})
    }

    async fn incident(&self) -> String {
        let (agent, threat) = (TimeOrderedIds.next(), TimeOrderedIds.next());
        self.app
            .sql(&format!(
                "insert into agents.endpoints (agent_id, tenant_id, hostname) values ('{agent}', '{}', 'host');
                 insert into threats.incidents (threat_id, agent_id, threat_type, severity, title)
                 values ('{threat}', '{agent}', 'malware', 'high', 'Something')",
                self.customer
            ))
            .await;
        threat.to_string()
    }
}

#[tokio::test]
async fn an_analyst_works_in_the_customers_tenant_until_access_ends() {
    let scene = scene().await;
    let (app, customer, admin, analyst) = (&scene.app, scene.customer, &scene.admin, &scene.analyst);
    let threat = scene.incident().await;
    let incident = format!("/api/v1/threats/incidents/{threat}");
    let look = async |token: &str| {
        within(app, customer, Method::GET, &incident, token, Value::Null)
            .await
            .status
    };
    assert_eq!(look(&analyst.token).await, 404, "no access yet");

    let given = app
        .post(MEMBERSHIPS, &admin.token, scene.grant("manager", 30))
        .await;
    assert_eq!(given.status, 201, "{given:?}");
    assert_eq!(
        (
            &given.body["username"],
            &given.body["role"],
            &given.body["is_active"],
            &given.body["reason"],
            &given.body["granted_by"]
        ),
        (
            &json!("analyst"),
            &json!("manager"),
            &json!(true),
            &json!("contract 7"),
            &json!(admin.user_id)
        )
    );
    assert_eq!(look(&analyst.token).await, 200);
    let session = app.get("/api/v1/sessions/current", &analyst.token).await.body;
    let mut names: Vec<_> = session["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tenant| tenant["name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["Default", "customer"], "the console's choice of tenants");

    // Listed among the people, and so for assignment; assigned; works the incident and is named for it.
    let people = app.get("/api/v1/users", &admin.token).await.body;
    let listed = people["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["username"] == "analyst")
        .unwrap();
    assert_eq!(listed["access_ends_at"], given.body["expires_at"]);
    let assigned = app
        .patch(&incident, &admin.token, json!({"assigned_to": analyst.user_id}))
        .await;
    assert_eq!(assigned.status, 200, "{assigned:?}");
    let worked = within(
        app,
        customer,
        Method::PATCH,
        &incident,
        &analyst.token,
        json!({"status": "investigating"}),
    )
    .await;
    assert_eq!(worked.status, 200, "{worked:?}");
    let audited = "select actor_name from audit.events e join users.tenants t using (tenant_id) where t.slug = 'customer' and action = 'incident.update'
        and actor_name = 'analyst'";
    assert_eq!(app.sql_text(audited).await, "analyst");

    // It ends by itself at its time, at the next request of a session that goes on.
    app.advance(Duration::days(30));
    let token = app.open_session(analyst.user_id, Role::Manager).await;
    assert_eq!(look(&token).await, 404);
    assert_eq!(
        app.get("/api/v1/threats/incidents", &token).await.status,
        200,
        "at home all is as before"
    );
    let token = app.open_session(admin.user_id, Role::Admin).await;
    let late = app
        .patch(&incident, &token, json!({"assigned_to": analyst.user_id}))
        .await;
    assert_eq!(late.status, 200, "it is theirs already");
    let list = app.get(MEMBERSHIPS, &token).await.body;
    assert_eq!(
        (
            list["items"].as_array().unwrap().len(),
            &list["items"][0]["is_active"]
        ),
        (1, &json!(false))
    );
}

#[tokio::test]
async fn access_is_changed_ended_and_given_again() {
    let scene = scene().await;
    let (app, customer, admin, analyst) = (&scene.app, scene.customer, &scene.admin, &scene.analyst);
    assert_eq!(
        app.post(MEMBERSHIPS, &admin.token, scene.grant("manager", 30))
            .await
            .status,
        201
    );
    let again = app
        .post(MEMBERSHIPS, &admin.token, scene.grant("manager", 30))
        .await;
    assert_eq!((again.status, again.code()), (409, "already_exists"));
    let end = app.state.now() + Duration::days(60);
    let changed = app
        .patch(
            &of(analyst),
            &admin.token,
            json!({"role": "user", "expires_at": end}),
        )
        .await;
    assert_eq!(
        (changed.status, &changed.body["role"]),
        (200, &json!("user")),
        "{changed:?}"
    );
    // A key that they make here ends with their access, and does not come back with it.
    let made = within(
        app,
        customer,
        Method::POST,
        "/api/v1/users/api-keys",
        &analyst.token,
        json!({"key_name": "k"}),
    )
    .await;
    let key = made.body["key"].as_str().unwrap().to_owned();
    assert_eq!(app.get("/api/v1/threats/incidents", &key).await.status, 200);
    assert_eq!(app.delete(&of(analyst), &admin.token).await.status, 204);
    assert_eq!(
        app.delete(&of(analyst), &admin.token).await.status,
        204,
        "ending twice is no error"
    );
    assert_eq!(app.get("/api/v1/threats/incidents", &key).await.status, 401);
    let gone = within(
        app,
        customer,
        Method::GET,
        "/api/v1/threats/incidents",
        &analyst.token,
        Value::Null,
    )
    .await;
    assert_eq!(gone.status, 404);
    let late = app
        .patch(&of(analyst), &admin.token, json!({"role": "manager"}))
        .await;
    assert_eq!((late.status, late.code()), (409, "membership_ended"));
    assert_eq!(
        app.post(MEMBERSHIPS, &admin.token, scene.grant("manager", 1))
            .await
            .status,
        201
    );
    assert_eq!(app.get("/api/v1/threats/incidents", &key).await.status, 401);
    assert_eq!(
        app.sql_text("select string_agg(action || ' ' || coalesce(reason, '-'), ', ' order by occurred_at, event_id) from audit.events
            where object_kind = 'membership'").await,
        "membership.grant contract 7, membership.update contract 7, membership.end -, membership.grant contract 7"
    );
    let history = format!(
        "select count(*)::text from audit.row_changes where table_name = 'users.memberships' and tenant_id = '{customer}' and row_id = '{}'",
        analyst.user_id
    );
    assert_eq!(app.sql_text(&history).await, "4", "each state that access was in");
}

#[tokio::test]
async fn only_the_tenant_itself_gives_access_and_none_to_oneself() {
    let scene = scene().await;
    let (app, customer, admin, analyst) = (&scene.app, scene.customer, &scene.admin, &scene.analyst);
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let manager = app.person(customer, "customer-manager", Role::Manager).await;
    // The installation's administrator has no way in by this door: not a member, the tenant does not exist for them.
    let mine = json!({"username": "chief", "role": "user", "expires_at": app.state.now() + Duration::days(1), "reason": "x"});
    let answer = within(
        app,
        customer,
        Method::POST,
        MEMBERSHIPS,
        &chief.token,
        mine.clone(),
    )
    .await;
    assert_eq!((answer.status, answer.code()), (404, "not_found"));
    let answer = app
        .post(MEMBERSHIPS, &manager.token, scene.grant("user", 1))
        .await;
    assert_eq!((answer.status, answer.code()), (403, "missing_permission"));
    let answer = app
        .post(MEMBERSHIPS, &admin.token, scene.grant("system_admin", 1))
        .await;
    assert_eq!((answer.status, answer.code()), (403, "role_too_high"));

    // An analyst with the role `admin` here neither extends nor raises what they have, but may end others' access.
    assert_eq!(
        app.post(MEMBERSHIPS, &admin.token, scene.grant("admin", 1))
            .await
            .status,
        201
    );
    let longer = json!({"expires_at": app.state.now() + Duration::days(9)});
    for (method, body) in [(Method::PATCH, longer), (Method::DELETE, Value::Null)] {
        let answer = within(app, customer, method, &of(analyst), &analyst.token, body).await;
        assert_eq!((answer.status, answer.code()), (409, "own_account"));
    }
    let of_home = format!("/api/v1/users/{}", analyst.user_id);
    let answer = app
        .patch(&of_home, &admin.token, json!({"is_active": false}))
        .await;
    assert_eq!((answer.status, answer.code()), (403, "foreign_account"));
    // People at home are no matter of memberships, and another tenant's are not there.
    assert_eq!(app.delete(&of(&manager), &admin.token).await.status, 404);
    assert_eq!(app.patch(&of(&chief), &admin.token, json!({})).await.status, 404);
    assert_eq!(
        app.delete(&of(analyst), &chief.token).await.status,
        404,
        "at the analyst's home"
    );
}

#[tokio::test]
async fn a_name_tells_no_more_than_that_it_can_be_given_access() {
    let scene = scene().await;
    let (app, admin) = (&scene.app, &scene.admin);
    app.person(app.tenant(), "idle", Role::User).await;
    app.sql("update users.users set is_active = false where username = 'idle'")
        .await;
    let mut answers = Vec::new();
    for name in [
        "nobody",
        "idle",
        "customer-admin",
        "anal",
        "analyst%",
        "analyst@example.org",
    ] {
        let mut body = scene.grant("user", 1);
        body["username"] = json!(name);
        let mut answer = app.post(MEMBERSHIPS, &admin.token, body).await;
        assert_eq!(
            (answer.status, answer.fields()),
            (422, vec!["username"]),
            "{name}"
        );
        answer.body["request_id"] = Value::Null;
        answers.push(answer.body);
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "one answer for all"
    );
    let now = app.state.now();
    let with = |field: &str, value: Value| {
        let mut body = scene.grant("user", 1);
        body[field] = value;
        body
    };
    for (body, field) in [
        (with("expires_at", json!(now)), "expires_at"),
        (with("expires_at", json!(now + Duration::days(367))), "expires_at"),
        (with("expires_at", json!("9999-12-31T00:00:00Z")), "expires_at"),
        (with("reason", json!("")), "reason"),
        (with("reason", json!("x".repeat(501))), "reason"),
        (with("username", json!("")), "username"),
        (with("role", json!("superroot")), "role"),
    ] {
        let answer = app.post(MEMBERSHIPS, &admin.token, body.clone()).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field]), "{body}");
    }
    for body in [
        with("expires_at", Value::Null),
        with("reason", Value::Null),
        with("tenant_id", json!(scene.customer)),
        json!({}),
    ] {
        let answer = app.post(MEMBERSHIPS, &admin.token, body.clone()).await;
        assert!((400..500).contains(&answer.status), "{body}: {answer:?}");
    }
    assert_eq!(
        app.sql_text("select count(*)::text from users.memberships where reason is not null")
            .await,
        "0"
    );
}
