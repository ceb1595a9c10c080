use serde_json::json;
use sg_types::Role;

use super::*;

const ASK: &str = "/api/v1/monitoring/maintenance-runs";

/// The newest run, once it is at its end.
async fn finished(app: &App, token: &str) -> Value {
    for _ in 0..200 {
        let runs = must(app, MAINTENANCE, token).await;
        if runs["items"][0]["state"] != "running" {
            return runs["items"][0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the run does not end");
}

#[tokio::test]
async fn a_run_that_is_asked_for_is_done_at_once_and_says_who_asked() {
    let app = App::start().await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    let asked = app.post(ASK, &root.token, json!({"period": "weekly"})).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    assert_eq!(asked.body["requested_by"], "root");
    assert_eq!(asked.body["tasks"].as_array().unwrap().len(), 3);
    let run = finished(&app, &root.token).await;
    assert_eq!(run["run_id"], asked.body["run_id"]);
    assert_eq!(
        (&run["state"], &run["is_by_hand"], &run["interruptions"]),
        (&json!("completed"), &json!(true), &json!(0)),
        "{run}"
    );
    assert!(run["report_id"].is_string());
    assert_eq!(
        app.sql_text("select actor_name || ' ' || object_id || ' ' || reason from audit.events where action = 'maintenance.request'")
            .await,
        format!("root {} weekly", run["run_id"].as_str().unwrap())
    );
    // What is due at its time is due all the same.
    advance_to_noon(&app, 8);
    maintain(&app).await;
    let own = app.sql_text("select count(*)::text from monitoring.maintenance_runs where not is_by_hand");
    assert_eq!(own.await, "3");
}

#[tokio::test]
async fn only_whoever_manages_the_installation_asks() {
    let app = App::start().await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    for role in [Role::Admin, Role::Manager, Role::User] {
        let person = app.person(app.tenant(), role.as_str(), role).await;
        let refused = app.post(ASK, &person.token, json!({"period": "daily"})).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "missing_permission"),
            "{role}"
        );
    }
    for body in [
        json!({"period": "hourly"}),
        json!({}),
        json!({"period": "daily", "node": "x"}),
    ] {
        assert_eq!(
            app.post(ASK, &root.token, body.clone()).await.status,
            422,
            "{body}"
        );
    }
    assert_eq!(
        app.sql_text("select count(*)::text from monitoring.maintenance_runs")
            .await,
        "0"
    );
}

#[tokio::test]
async fn one_of_a_kind_at_a_time() {
    let app = App::start().await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    // One that a node has begun, and another is at work on: what is asked for meanwhile waits.
    let mut busy = app.state.db.system("test").await.unwrap();
    assert!(
        sg_db::agents::try_job_lock(&mut busy, "maintenance")
            .await
            .unwrap()
    );
    assert_eq!(
        app.post(ASK, &root.token, json!({"period": "daily"}))
            .await
            .status,
        202
    );
    let again = app.post(ASK, &root.token, json!({"period": "daily"})).await;
    assert_eq!((again.status, again.code()), (409, "already_running"));
    assert_eq!(
        app.post(ASK, &root.token, json!({"period": "monthly"}))
            .await
            .status,
        202
    );
    let events = "select count(*)::text from audit.events where action = 'maintenance.request' and outcome = 'success'";
    assert_eq!(
        app.sql_text(events).await,
        "2",
        "what is refused is not written down as done"
    );
    busy.commit_upkeep().await.unwrap();
    // By this call or by the attempt that the request left behind.
    maintain(&app).await;
    let open = "select count(*)::text from monitoring.maintenance_runs where state = 'running'";
    for _ in 0..200 {
        if app.sql_text(open).await == "0" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(
        app.sql_text("select string_agg(period || ' ' || state || ' ' || interruptions, ', ' order by period) from monitoring.maintenance_runs")
            .await,
        "daily completed 0, monthly completed 0"
    );
}
