//! Provisioning by a client: people and groups come, change and go, and nobody is deleted.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::{Value, json};
use sg_types::Role;

use crate::app::{Answer, App, PASSWORD, Person, request};

struct Scene {
    app: App,
    admin: Person,
    key: String,
}

async fn key_of(app: &App, person: &Person, scopes: Value) -> String {
    let body = json!({"key_name": "provisioning", "scopes": scopes});
    let answer = app.post("/api/v1/users/api-keys", &person.token, body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["key"].as_str().unwrap().to_owned()
}

async fn scene() -> Scene {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let key = key_of(&app, &admin, json!(["scim"])).await;
    let body = json!({
        "name": "Provisioning", "settings": {"kind": "scim"},
        "role_mappings": [{"value": "Analysts", "role": "manager"}, {"value": "Owners", "role": "admin"}]
    });
    let answer = app.post("/api/v1/users/providers", &admin.token, body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    Scene { app, admin, key }
}

impl Scene {
    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        self.call_as(&self.key, method, path, body).await
    }

    async fn call_as(&self, key: &str, method: Method, path: &str, body: Value) -> Answer {
        let call = request(method, &format!("/scim/v2{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/scim+json");
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let answer = self.app.send(call.body(body).unwrap()).await;
        if answer.status != 204 {
            assert_eq!(
                answer.header("content-type"),
                "application/scim+json",
                "{answer:?}"
            );
        }
        if answer.status >= 400 {
            assert_eq!(
                answer.body["schemas"][0],
                "urn:ietf:params:scim:api:messages:2.0:Error"
            );
            assert_eq!(answer.body["status"], answer.status.to_string());
        }
        answer
    }

    async fn create(&self, user_name: &str) -> String {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": user_name, "externalId": format!("x-{user_name}"),
            "name": {"givenName": "Ada", "familyName": "Lovelace"}, "emails": [{"value": format!("{user_name}@example.org"), "primary": true}]
        });
        let answer = self.call(Method::POST, "/Users", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"displayName": name, "members": members});
        let answer = self.call(Method::POST, "/Groups", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    async fn role(&self, id: &str) -> String {
        self.app
            .sql_text(&format!("select role || case when is_active then '' else ' off' end from users.users where user_id = '{id}'"))
            .await
    }
}

fn operations(operations: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

#[tokio::test]
async fn people_come_change_and_go_without_being_deleted() {
    let scene = scene().await;
    let id = scene.create("ada").await;
    let path = format!("/Users/{id}");
    let shown = scene.call(Method::GET, &path, Value::Null).await;
    assert_eq!(
        (
            &shown.body["userName"],
            &shown.body["displayName"],
            &shown.body["externalId"],
            &shown.body["active"]
        ),
        (
            &json!("ada"),
            &json!("Ada Lovelace"),
            &json!("x-ada"),
            &json!(true)
        ),
        "{}",
        shown.body
    );
    assert_eq!(
        shown.body["meta"]["location"],
        format!("http://localhost:8080/scim/v2{path}")
    );
    let again = scene
        .call(
            Method::POST,
            "/Users",
            json!({"userName": "ADA", "emails": [{"value": "other@example.org"}]}),
        )
        .await;
    assert_eq!(
        (again.status, &again.body["scimType"]),
        (409, &json!("uniqueness"))
    );

    let off = operations(json!([{"op": "Replace", "path": "active", "value": "False"}]));
    let patched = scene.call(Method::PATCH, &path, off).await;
    assert_eq!(
        (patched.status, &patched.body["active"]),
        (200, &json!(false)),
        "{}",
        patched.body
    );
    assert_eq!(scene.role(&id).await, "user off");
    let replaced = scene
        .call(
            Method::PUT,
            &path,
            json!({"userName": "ada.l@example.org", "displayName": "Ada King", "active": true}),
        )
        .await;
    assert_eq!(
        (
            &replaced.body["userName"],
            &replaced.body["emails"][0]["value"],
            &replaced.body["active"]
        ),
        (
            &json!("ada.l@example.org"),
            &json!("ada.l@example.org"),
            &json!(true)
        ),
        "{}",
        replaced.body
    );
    assert!(
        replaced.body.get("externalId").is_none(),
        "a replacement keeps nothing that it does not name"
    );
    assert_eq!(scene.call(Method::DELETE, &path, Value::Null).await.status, 204);
    assert_eq!(scene.call(Method::GET, &path, Value::Null).await.status, 404);
    assert_eq!(scene.call(Method::DELETE, &path, Value::Null).await.status, 404);
    assert_eq!(
        scene.role(&id).await,
        "user off",
        "the account stays, switched off"
    );
    // Created anew, it is the same account again.
    let body = json!({"userName": "ada", "emails": [{"value": "ada.l@example.org"}]});
    let back = scene.call(Method::POST, "/Users", body).await;
    assert_eq!(
        (back.status, &back.body["id"]),
        (201, &json!(id)),
        "{}",
        back.body
    );
    assert_eq!(scene.role(&id).await, "user");
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let scene = scene().await;
    let mut ids = Vec::new();
    for name in ["ada", "grace", "joan"] {
        ids.push(scene.create(name).await);
    }
    let list = async |query: &str| {
        let answer = scene
            .call(Method::GET, &format!("/Users?{query}"), Value::Null)
            .await;
        let names: Vec<String> = answer.body["Resources"]
            .as_array()
            .map(|all| {
                all.iter()
                    .map(|one| one["userName"].as_str().unwrap().to_owned())
                    .collect()
            })
            .unwrap_or_default();
        (
            answer.body["totalResults"].as_i64().unwrap_or(-1),
            names.join(","),
        )
    };
    assert_eq!(list("").await, (3, "ada,grace,joan".into()));
    assert_eq!(list("startIndex=2&count=1").await, (3, "grace".into()));
    assert_eq!(list("startIndex=-5&count=0").await, (3, String::new()));
    assert_eq!(list("startIndex=9").await, (3, String::new()));
    let path = format!("/Users/{}?attributes=displayName", ids[0]);
    let shaped = scene.call(Method::GET, &path, Value::Null).await;
    let names: Vec<&String> = shaped.body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["displayName", "id", "meta", "schemas"]);
    assert_eq!(
        list("filter=userName%20eq%20%22GRACE%22").await,
        (1, "grace".into())
    );
    assert_eq!(
        list("filter=externalId%20eq%20%22x-joan%22%20and%20active%20eq%20true").await,
        (1, "joan".into())
    );
    assert_eq!(
        list(&format!("filter=id%20eq%20%22{}%22", ids[0])).await,
        (1, "ada".into())
    );
    assert_eq!(
        list("filter=emails.value%20eq%20%22joan@example.org%22").await,
        (1, "joan".into())
    );
    assert_eq!(list("filter=userName%20eq%20%22%25%22").await, (0, String::new()));
    let refused = scene
        .call(Method::GET, "/Users?filter=userName%20co%20%22a%22", Value::Null)
        .await;
    assert_eq!(
        (refused.status, &refused.body["scimType"]),
        (400, &json!("invalidFilter"))
    );
}

#[tokio::test]
async fn groups_give_roles_and_take_them() {
    let scene = scene().await;
    let (ada, grace) = (scene.create("ada").await, scene.create("grace").await);
    let analysts = scene.group("analysts", &[&ada]).await;
    assert_eq!(
        (scene.role(&ada).await, scene.role(&grace).await),
        ("manager".into(), "user".into())
    );
    let path = format!("/Groups/{analysts}");
    let add = operations(json!([{"op": "add", "path": "members", "value": [{"value": grace}]}]));
    let patched = scene.call(Method::PATCH, &path, add).await;
    assert_eq!(
        patched.body["members"].as_array().unwrap().len(),
        2,
        "{}",
        patched.body
    );
    assert_eq!(scene.role(&grace).await, "manager");
    let gone = operations(json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}]));
    scene.call(Method::PATCH, &path, gone).await;
    assert_eq!(scene.role(&ada).await, "user");
    let renamed = operations(json!([{"op": "replace", "value": {"displayName": "Owners"}}]));
    scene.call(Method::PATCH, &path, renamed).await;
    assert_eq!(scene.role(&grace).await, "admin");
    let listed = scene
        .call(
            Method::GET,
            "/Groups?filter=displayName%20eq%20%22owners%22&excludedAttributes=members",
            Value::Null,
        )
        .await;
    assert_eq!(listed.body["totalResults"], 1);
    assert!(listed.body["Resources"][0].get("members").is_none());
    assert_eq!(scene.call(Method::DELETE, &path, Value::Null).await.status, 204);
    assert_eq!(scene.role(&grace).await, "user");
    let nobody = json!({"displayName": "x", "members": [{"value": scene.admin.user_id.to_string()}]});
    let refused = scene.call(Method::POST, "/Groups", nobody).await;
    assert_eq!(
        (refused.status, &refused.body["scimType"]),
        (400, &json!("invalidValue")),
        "only whom the client keeps"
    );
    let left = scene
        .app
        .sql_text("select count(*)::text from users.provisioned_groups")
        .await;
    assert_eq!(left, "0", "what is refused leaves nothing");
}

#[tokio::test]
async fn a_client_reaches_neither_other_tenants_nor_people_above_it() {
    let scene = scene().await;
    let app = &scene.app;
    let other_tenant = app.new_tenant("other").await;
    let other = app.person(other_tenant, "other", Role::Admin).await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    let local = app.person(app.tenant(), "local", Role::User).await;
    for (person, email) in [(&other, "other@example.org"), (&root, "root@example.org")] {
        let body = json!({"userName": "taker", "emails": [{"value": email}], "active": false});
        let refused = scene.call(Method::POST, "/Users", body).await;
        assert_eq!(
            (refused.status, &refused.body["scimType"]),
            (409, &json!("uniqueness")),
            "{email}"
        );
        assert_eq!(
            scene
                .call(Method::GET, &format!("/Users/{}", person.user_id), Value::Null)
                .await
                .status,
            404
        );
    }
    // A local account of the tenant is nobody's until it is taken over by its address.
    let path = format!("/Users/{}", local.user_id);
    assert_eq!(scene.call(Method::DELETE, &path, Value::Null).await.status, 404);
    assert_eq!(app.sign_in("local", PASSWORD).await.status, 201);
    // A second client does not see what the first one keeps.
    let ada = scene.create("ada").await;
    let key = key_of(app, &other, json!(["scim"])).await;
    let refused = scene.call_as(&key, Method::GET, "/Users", Value::Null).await;
    assert_eq!(refused.status, 403, "its tenant has set up no provisioning");
    let body = json!({"name": "Provisioning", "settings": {"kind": "scim"}});
    assert_eq!(
        app.post("/api/v1/users/providers", &other.token, body)
            .await
            .status,
        201
    );
    let seen = scene.call_as(&key, Method::GET, "/Users", Value::Null).await;
    assert_eq!(seen.body["totalResults"], 0);
    let path = format!("/Users/{ada}");
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(scene.call_as(&key, method, &path, Value::Null).await.status, 404);
    }
    let off = operations(json!([{"op": "replace", "path": "active", "value": false}]));
    assert_eq!(scene.call_as(&key, Method::PATCH, &path, off).await.status, 404);
    // Somebody who rises above the client is out of its reach.
    app.sql("update users.users set role = 'system_admin' where username = 'ada'")
        .await;
    let off = operations(json!([{"op": "replace", "path": "active", "value": false}]));
    assert_eq!(scene.call(Method::PATCH, &path, off).await.status, 403);
    assert_eq!(scene.call(Method::DELETE, &path, Value::Null).await.status, 403);
}

#[tokio::test]
async fn only_a_key_of_the_scope_of_somebody_who_may_manage_people_provisions() {
    let scene = scene().await;
    let app = &scene.app;
    let manager = app.person(app.tenant(), "manager", Role::Manager).await;
    let weak = key_of(app, &manager, json!(["scim"])).await;
    let wrong = key_of(app, &scene.admin, json!(["enrol", "api"])).await;
    for path in [
        "/Users",
        "/Groups",
        "/ServiceProviderConfig",
        "/Schemas",
        "/ResourceTypes",
    ] {
        for (key, status) in [
            ("", 401),
            ("sg_garbage", 401),
            (scene.admin.token.as_str(), 401),
            (weak.as_str(), 403),
            (wrong.as_str(), 403),
            (scene.key.as_str(), 200),
        ] {
            let answer = scene.call_as(key, Method::GET, path, Value::Null).await;
            assert_eq!(answer.status, status, "{path} with {key}");
        }
    }
    assert_eq!(
        app.get("/api/v1/users", &scene.key).await.status,
        403,
        "the scope opens nothing else"
    );
    let default = app
        .post(
            "/api/v1/users/api-keys",
            &scene.admin.token,
            json!({"key_name": "x"}),
        )
        .await;
    assert_eq!(
        default.body["scopes"],
        json!(["enrol", "api"]),
        "nobody gets the scope without asking"
    );
}

#[tokio::test]
async fn nonsense_is_refused_in_the_standards_form() {
    let scene = scene().await;
    let id = scene.create("ada").await;
    let user = format!("/Users/{id}");
    for (method, path, body) in [
        (Method::POST, "/Users", json!({})),
        (Method::POST, "/Users", json!([])),
        (Method::POST, "/Users", json!({"userName": 7})),
        (Method::POST, "/Users", json!({"userName": "no address"})),
        (Method::POST, "/Users", json!({"userName": "a", "emails": "a@b"})),
        (Method::POST, "/Users", json!({"userName": "a@b", "active": 1})),
        (Method::POST, "/Users", json!({"userName": "a\u{0}@b"})),
        (Method::POST, "/Users", json!({"userName": "x".repeat(400)})),
        (Method::POST, "/Groups", json!({"displayName": ""})),
        (
            Method::POST,
            "/Groups",
            json!({"displayName": "x", "members": [{"value": "no id"}]}),
        ),
        (
            Method::POST,
            "/Groups",
            json!({"displayName": "x", "members": {}}),
        ),
        (Method::PATCH, user.as_str(), json!({})),
        (
            Method::PATCH,
            user.as_str(),
            operations(json!([{"op": "explode"}])),
        ),
        (
            Method::PATCH,
            user.as_str(),
            operations(json!([{"op": "remove", "path": "userName"}])),
        ),
        (
            Method::PATCH,
            user.as_str(),
            operations(json!([{"op": "add", "path": "emails[", "value": 1}])),
        ),
        (Method::PUT, user.as_str(), json!({"displayName": "x"})),
    ] {
        let answer = scene.call(method.clone(), path, body.clone()).await;
        assert_eq!(answer.status, 400, "{method} {path} {body}: {}", answer.body);
    }
    for path in [
        "/Users/x",
        "/Users/00000000-0000-0000-0000-000000000000",
        "/Groups/..",
        "/Schemas/x",
        "/Nothing/here",
    ] {
        assert_eq!(
            scene.call(Method::GET, path, Value::Null).await.status,
            404,
            "{path}"
        );
    }
    assert_eq!(scene.role(&id).await, "user");
}

/// The package scim2-tester makes people and groups, changes and removes them, and compares each answer with the standard.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test run's own switches, and a listener that ends with the test"
)]
async fn a_client_of_other_peoples_making_finds_what_the_standard_asks_for() {
    let scene = scene().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, scene.app.node_router()).into_future());
    let program = std::env::var("SECUREGUARD_TEST_SCIM_PYTHON")
        .expect("`cargo xtask test` installs the client and names it in SECUREGUARD_TEST_SCIM_PYTHON");
    let output = tokio::process::Command::new(program)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/providers/scim_check.py"
        ))
        .arg(format!("http://localhost:{}/scim/v2", address.port()))
        .env("SCIM_KEY", &scene.key)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    server.abort();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Whoever may sign in is always told: `active` is never unassigned. The one address that is kept is told to be the primary one. Both are
    // values that the provider assigns (RFC 7643 §2.5, §4.1.2).
    let wrong: Vec<&str> = found["wrong"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one.as_str()?.lines().next())
        .collect();
    assert_eq!(
        wrong,
        [
            "check_remove_attribute: PATCH modify() did not remove attribute 'active'",
            "check_replace_attribute: PATCH modify() returned unexpected value for 'emails'."
        ],
        "{found}"
    );
    assert!(found["passed"].as_u64().unwrap() >= 60, "{found}");
    let left = "select count(*)::text from users.users where not is_active";
    assert_ne!(
        scene.app.sql_text(left).await,
        "0",
        "removed people are switched off, not gone"
    );
}
