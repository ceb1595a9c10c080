//! `/api/v1/users/tenants`.

use serde_json::json;
use sg_types::Role;

use super::app::App;

#[tokio::test]
async fn tenants_are_created_once() {
    let app = App::start().await;
    let chief = app.person(app.tenant(), "chief", Role::SystemAdmin).await;
    let path = "/api/v1/users/tenants";
    let created = app
        .post(
            path,
            &chief.token,
            json!({"name": "Nordwind", "slug": "nordwind"}),
        )
        .await;
    assert_eq!(
        (created.status, &created.body["status"]),
        (201, &json!("active")),
        "{created:?}"
    );
    let again = app
        .post(path, &chief.token, json!({"name": "Other", "slug": "nordwind"}))
        .await;
    assert_eq!((again.status, again.code()), (409, "already_exists"));
    let bad = app
        .post(path, &chief.token, json!({"name": " ", "slug": "Nord Wind"}))
        .await;
    assert_eq!((bad.status, bad.fields()), (422, vec!["name", "slug"]));
    let list = app.get(path, &chief.token).await;
    let slugs: Vec<&str> = list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|t| t["slug"].as_str())
        .collect();
    assert_eq!(
        slugs,
        ["default", "nordwind"],
        "the reserved tenant is nobody's business"
    );
    assert_eq!(
        app.sql_text("select count(*)::text from users.password_policies")
            .await,
        "3",
        "a policy for each"
    );
}

#[tokio::test]
async fn administrators_of_a_tenant_see_no_others() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let answer = app.get("/api/v1/users/tenants", &admin.token).await;
    assert_eq!((answer.status, answer.code()), (403, "missing_permission"));
}
