use serde_json::json;
use sg_types::Role;

use super::*;
use crate::app::PASSWORD;

async fn sample(app: &App) {
    jobs::sample_kpis(app.state.clone()).await.unwrap();
}

#[tokio::test]
async fn each_tenant_sees_its_own_figures_and_the_operator_those_of_all() {
    let app = App::start().await;
    advance_to_noon(&app, 1);
    let ada = app.person(app.tenant(), "ada", Role::Admin).await;
    let other = app.new_tenant("other").await;
    let bea = app.person(other, "bea", Role::Admin).await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    for _ in 0..6 {
        assert_eq!(app.sign_in("ada", "wrong").await.status, 401);
    }
    assert_eq!(app.sign_in("bea", PASSWORD).await.status, 201);
    assert_eq!(app.sign_in("nobody", "wrong").await.status, 401);
    app.sql(&format!(
        "insert into agents.endpoints (agent_id, tenant_id, hostname) values (gen_random_uuid(), '{0}', 'web-1');
         insert into threats.incidents (tenant_id, agent_id, threat_type, severity, title, status, resolved_at)
         select '{0}', e.agent_id, 'malware', 'high', 'x', s.status, '{1}'
         from agents.endpoints e, (values ('resolved'), ('resolved'), ('resolved'), ('false_positive')) s (status);
         update users.users set password_last_changed = now() - interval '400 days' where username = 'root'",
        app.tenant(),
        app.clock_now().to_rfc3339()
    ))
    .await;
    sample(&app).await;
    sample(&app).await;

    let own = must(&app, KPIS, &ada.token).await;
    let total = &own["total"];
    assert_eq!(
        (&total["sign_ins"], &total["failed_sign_ins"]),
        (&json!(6), &json!(6)),
        "{own}"
    );
    assert_eq!(total["lockouts"], json!(1));
    assert_eq!(
        (&total["closed_incidents"], &total["detection_accuracy"]),
        (&json!(4), &json!(0.75))
    );
    assert_eq!(total["password_compliance"], json!(0.5));
    assert!(
        own["days"]
            .as_array()
            .unwrap()
            .iter()
            .all(|day| day["system"].is_null()),
        "{own}"
    );
    assert!(own["storage"].is_null() && total["connections"].is_null());

    let of_other = must(&app, KPIS, &bea.token).await;
    assert_eq!(of_other["total"]["failed_sign_in_rate"], json!(0.0), "{of_other}");
    assert_eq!(of_other["total"]["closed_incidents"], json!(0));

    let all = must(&app, &format!("{KPIS}?installation=true"), &root.token).await;
    let total = &all["total"];
    assert_eq!(
        (&total["sign_ins"], &total["failed_sign_ins"]),
        (&json!(8), &json!(7)),
        "{all}"
    );
    assert_eq!(total["closed_incidents"], json!(4));
    assert!(total["connections"].as_i64().unwrap() > 0 && total["max_connections"].as_i64().unwrap() > 0);
    assert!(total["database_bytes"].as_i64().unwrap() > 1_000_000);
    assert_eq!(
        all["storage"]["bytes_per_day"],
        json!(null),
        "one day makes no line"
    );
}

#[tokio::test]
async fn nobody_else_sees_the_installation_nor_a_part_of_the_tenant_the_whole() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Admin).await;
    let user = app.person(app.tenant(), "uma", Role::User).await;
    let desk = own_scoped(&app, app.tenant()).await;
    sample(&app).await;
    for (path, token) in [
        (format!("{KPIS}?installation=true"), &ada.token),
        (format!("{REPORTS}?installation=true"), &ada.token),
        (MAINTENANCE.to_owned(), &ada.token),
        (KPIS.to_owned(), &user.token),
        (KPIS.to_owned(), &desk.token),
        (REPORTS.to_owned(), &desk.token),
        (SUBSCRIPTIONS.to_owned(), &desk.token),
    ] {
        let answer = app.get(&path, token).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "missing_permission"),
            "{path}"
        );
    }
    for bad in ["days=0", "days=401", "days=x", "more=1", "installation=2"] {
        assert_eq!(
            app.get(&format!("{KPIS}?{bad}"), &ada.token).await.status,
            400,
            "{bad}"
        );
    }
    assert_eq!(app.get(&format!("{KPIS}?days=400"), &ada.token).await.status, 200);
}

#[tokio::test]
async fn days_are_counted_to_their_end_and_storage_is_forecast() {
    let app = App::start().await;
    advance_to_noon(&app, 1);
    let ada = app.person(app.tenant(), "ada", Role::Admin).await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    sample(&app).await;
    // After the last look of the first day, and on a day on which nobody looked.
    app.sign_in("ada", "wrong").await;
    app.advance(Duration::days(1));
    app.sign_in("ada", "wrong").await;
    app.sign_in("ada", PASSWORD).await;
    app.advance(Duration::days(1));
    let token = app.open_session(ada.user_id, Role::Admin).await;
    sample(&app).await;
    let days = must(&app, &format!("{KPIS}?days=3"), &token).await["days"].clone();
    let counted: Vec<_> = days
        .as_array()
        .unwrap()
        .iter()
        .map(|day| {
            (
                day["failed_sign_ins"].as_i64().unwrap(),
                day["sign_ins"].as_i64().unwrap(),
                day["people"].clone(),
            )
        })
        .collect();
    assert_eq!(counted, [(1, 1, json!(2)), (1, 2, json!(null)), (0, 0, json!(2))]);
    // Three days of growth make a line.
    app.sql(
        "update monitoring.kpi_samples set database_bytes = 1000000 * (1 + (select count(*) from monitoring.kpi_samples b
            where b.tenant_id = kpi_samples.tenant_id and b.day < kpi_samples.day)), disk_used_bytes = 50000000, disk_total_bytes = 100000000
         where tenant_id = '00000000-0000-0000-0000-000000000000'",
    )
    .await;
    let token = app.open_session(root.user_id, Role::SystemAdmin).await;
    let view = must(&app, &format!("{KPIS}?installation=true&days=30"), &token).await;
    let storage = &view["storage"];
    assert_eq!(
        storage["bytes_per_day"].as_f64().map(f64::round),
        Some(1_000_000.0),
        "{view}"
    );
    assert_eq!(storage["disk_use"], json!(0.5));
    let today = app.clock_now().date_naive();
    assert_eq!(
        storage["full_on"],
        json!((today + Duration::days(35)).to_string())
    );
}
