use chrono::Duration;
use serde_json::json;
use sg_server::jobs;
use sg_types::Role;
use sg_types::api::Page;
use sg_types::api::monitoring::{AlertRuleView, AlertState, AlertView};

use crate::app::App;

const ALERTS: &str = "/api/v1/monitoring/alerts";
const RULES: &str = "/api/v1/monitoring/alert-rules";

async fn alerts(app: &App, path: &str, token: &str) -> Vec<AlertView> {
    let answer = app.get(path, token).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let page: Page<AlertView> = serde_json::from_value(answer.body).unwrap();
    page.items
}

#[tokio::test]
async fn failed_sign_ins_raise_an_alert_of_their_tenant_and_end_it() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "ada", Role::Admin).await;
    let other = app
        .person(app.new_tenant("other").await, "bea", Role::Admin)
        .await;
    for _ in 0..12 {
        assert_eq!(app.sign_in("ada", "wrong").await.status, 401);
    }
    app.advance(Duration::seconds(1));
    jobs::evaluate_alerts(app.state.clone()).await.unwrap();
    jobs::evaluate_alerts(app.state.clone()).await.unwrap();
    let open = alerts(&app, &format!("{ALERTS}?state=firing,pending"), &admin.token).await;
    let told: Vec<_> = open
        .iter()
        .map(|alert| {
            (
                alert.kind.as_str(),
                alert.state,
                alert.occurrence_count,
                alert.last_value,
            )
        })
        .collect();
    assert_eq!(told, [("failed_sign_ins", AlertState::Firing, 2, 12.0)]);
    assert!(alerts(&app, ALERTS, &other.token).await.is_empty());
    // The account is locked, once, and told as a security event.
    assert_eq!(
        app.sql_text(
            "select string_agg(subject, ',') from monitoring.security_events where kind = 'account_locked'"
        )
        .await,
        admin.user_id.to_string()
    );
    app.advance(Duration::minutes(2));
    jobs::evaluate_alerts(app.state.clone()).await.unwrap();
    let resolved = alerts(&app, &format!("{ALERTS}?state=resolved"), &admin.token).await;
    assert_eq!((resolved.len(), resolved[0].alert_id), (1, open[0].alert_id));
    assert_eq!(
        app.get(&format!("{ALERTS}?state=broken"), &admin.token)
            .await
            .status,
        400
    );
    assert_eq!(
        app.get(&format!("{ALERTS}?cursor=x"), &admin.token).await.status,
        400
    );
}

#[tokio::test]
async fn the_disk_slow_statements_and_refused_connections_are_watched() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log/postgresql.log");
    std::fs::create_dir(log.parent().unwrap()).unwrap();
    let app = App::start_with(|config| {
        config.data_dir = dir.path().to_owned();
        // The sessions of this test itself.
        config.database.expected_sessions = vec!["*@local/".parse().unwrap()];
    })
    .await;
    let at = app.state.now().format("%Y-%m-%d %H:%M:%S%.3f UTC");
    let refused =
        format!("{at} [7] eve@secureguard FATAL:  password authentication failed for user \"eve\"\n");
    std::fs::write(&log, refused).unwrap();
    app.sql(
        "update monitoring.alert_rules set threshold = case kind when 'slow_queries' then 0.05 else 0 end, for_seconds = 0
         where kind in ('storage_usage', 'slow_queries')",
    )
    .await;
    // A statement of a request that takes its time.
    let mut request = app.db.connect("sg_app").await.unwrap();
    let statement = sqlx::raw_sql("select pg_sleep(60)").execute(&mut request);
    let evaluated = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        jobs::evaluate_alerts(app.state.clone()).await.unwrap();
    };
    tokio::select! {
        ended = statement => panic!("{ended:?}"),
        () = evaluated => {}
    }
    let firing = "select string_agg(r.kind || ' ' || a.subject, ', ' order by r.kind) from monitoring.alerts a
        join monitoring.alert_rules r using (tenant_id, rule_id)
        where a.state = 'firing' and r.kind in ('storage_usage', 'slow_queries', 'unauthorized_database_access')";
    assert_eq!(
        app.sql_text(firing).await,
        format!(
            "slow_queries requests, storage_usage {}, unauthorized_database_access connections",
            dir.path().display()
        )
    );
    // What ended is over, and the disk is as full as before.
    app.sql("select pg_terminate_backend(pid) from pg_stat_activity where query = 'select pg_sleep(60)'")
        .await;
    app.advance(Duration::hours(2));
    jobs::evaluate_alerts(app.state.clone()).await.unwrap();
    assert_eq!(
        app.sql_text(firing).await,
        format!("storage_usage {}", dir.path().display())
    );
}

#[tokio::test]
async fn rules_are_changed_by_whoever_may_and_within_their_ranges() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "ada", Role::Admin).await;
    let manager = app.person(app.tenant(), "max", Role::Manager).await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    let rules = async |token: &str, query: &str| -> Vec<AlertRuleView> {
        let answer = app.get(&format!("{RULES}{query}"), token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_value::<Page<AlertRuleView>>(answer.body)
            .unwrap()
            .items
    };
    let own = rules(&manager.token, "").await;
    assert_eq!(own.len(), 5);
    assert!(own.iter().all(|rule| rule.evaluated));
    let path = format!("{RULES}/{}", own[2].rule_id);
    let changed = app
        .patch(
            &path,
            &admin.token,
            json!({"threshold": 20, "for_seconds": 60, "severity": "high"}),
        )
        .await;
    assert_eq!(
        (changed.status, &changed.body["threshold"]),
        (200, &json!(20.0)),
        "{}",
        changed.body
    );
    for bad in [
        json!({"threshold": -1}),
        json!({"threshold": 1e300}),
        json!({"window_seconds": 86_401}),
        json!({"for_seconds": -1}),
        json!({"severity": "loud"}),
        json!({"kind": "x"}),
    ] {
        assert_eq!(
            app.patch(&path, &admin.token, bad.clone()).await.status,
            422,
            "{bad}"
        );
    }
    assert_eq!(app.patch(&path, &manager.token, json!({})).await.status, 403);
    // The installation's rules are out of a tenant's reach.
    assert_eq!(
        app.get(&format!("{RULES}?installation=true"), &admin.token)
            .await
            .status,
        403
    );
    let of_installation = rules(&root.token, "?installation=true").await;
    assert_eq!(of_installation.len(), 15);
    let path = format!("{RULES}/{}", of_installation[0].rule_id);
    assert_eq!(
        app.patch(&path, &admin.token, json!({"enabled": false}))
            .await
            .status,
        404
    );
    assert_eq!(
        app.patch(&path, &root.token, json!({"enabled": false}))
            .await
            .status,
        200
    );
    assert!(!rules(&root.token, "?installation=true").await[0].enabled);
    assert_eq!(
        app.sql_text("select count(*)::text from audit.events where action = 'alert_rule.update'")
            .await,
        "2"
    );
}

#[tokio::test]
async fn holds_are_listed_placed_and_released_within_their_tenant() {
    const HOLDS: &str = "/api/v1/agents/legal-holds";
    let app = App::start().await;
    let admin = app.person(app.tenant(), "ada", Role::Admin).await;
    let manager = app.person(app.tenant(), "max", Role::Manager).await;
    let other = app
        .person(app.new_tenant("other").await, "bea", Role::Admin)
        .await;
    let range =
        json!({"from_at": "2026-01-01T00:00:00Z", "to_at": "2026-02-01T00:00:00Z", "reason": "case 7"});
    let placed = app.post(HOLDS, &admin.token, range.clone()).await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    let path = format!("{HOLDS}/{}/release", placed.body["hold_id"].as_str().unwrap());
    assert_eq!(app.post(HOLDS, &manager.token, range).await.status, 403);
    for bad in [
        json!({"from_at": "2026-01-01T00:00:00Z", "reason": " "}),
        json!({"from_at": "2026-01-01T00:00:00Z", "to_at": "2026-01-01T00:00:00Z", "reason": "x"}),
        json!({"from_at": "+262000-01-01T00:00:00Z", "reason": "x"}),
        json!({"from_at": "2026-01-01T00:00:00Z", "reason": "a\0b"}),
        json!({"from_at": "2026-01-01T00:00:00Z", "reason": "x", "agent_id": "00000000-0000-4000-8000-000000000000"}),
        json!({"reason": "x"}),
    ] {
        assert_eq!(
            app.post(HOLDS, &admin.token, bad.clone()).await.status,
            422,
            "{bad}"
        );
    }
    assert_eq!(app.post(&path, &other.token, json!({})).await.status, 404);
    assert_eq!(app.get(HOLDS, &other.token).await.body["items"], json!([]));
    for _ in 0..2 {
        let released = app.post(&path, &admin.token, json!({})).await;
        assert_eq!(
            (released.status, &released.body["released_by"]),
            (200, &json!(admin.user_id))
        );
    }
    assert_eq!(
        app.get(HOLDS, &admin.token).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        app.sql_text("select string_agg(action || ' ' || coalesce(reason, '-'), ', ' order by action) from audit.events where action like 'legal_hold.%'").await,
        "legal_hold.place case 7, legal_hold.release -"
    );
}
