use axum::http::Method;
use serde_json::json;
use sg_types::Role;

use super::*;

async fn choose(app: &App, token: &str, body: Value) -> crate::app::Answer {
    app.call(Method::PUT, SUBSCRIPTIONS, token, Some(body)).await
}

fn weekly(mode: &str) -> Value {
    json!({"kind": "kpis", "of_installation": false, "mode": mode})
}

/// Two whole weeks of figures that end with the last Sunday before today, for every tenant.
async fn fill_weeks(app: &App) {
    app.sql(&format!(
        "delete from monitoring.kpi_samples;
         insert into monitoring.kpi_samples (tenant_id, day, measured_at, sign_ins, failed_sign_ins, lockouts, confirmed_incidents, false_incidents, people,
            compliant_people)
         select t.tenant_id, d::date, d + interval '1 day', 10, case when d < w.monday - interval '7 days' then 5 else 1 end, 1, 3, 1, 4, 3
         from users.tenants t, (select date_trunc('week', '{0}'::timestamptz) as monday) w,
            generate_series(w.monday - interval '14 days', w.monday - interval '1 day', interval '1 day') d",
        app.clock_now().to_rfc3339()
    ))
    .await;
}

#[tokio::test]
async fn the_week_is_reported_once_and_mailed_to_who_asked() {
    let (app, sink) = start().await;
    let ada = app.person(app.tenant(), "ada", Role::Admin).await;
    let max = app.person(app.tenant(), "max", Role::Manager).await;
    let gone = app.person(app.tenant(), "gone", Role::Manager).await;
    let bea = app
        .person(app.new_tenant("other").await, "bea", Role::Admin)
        .await;
    for person in [&max, &gone] {
        assert_eq!(choose(&app, &person.token, weekly("always")).await.status, 200);
    }
    advance_to_noon(&app, 21);
    fill_weeks(&app).await;
    app.sql("update users.users set is_active = false where username = 'gone'")
        .await;
    let other = app.with_keeper(app.state.audit.clone());
    let (one, two) = tokio::join!(
        jobs::make_week_reports(app.state.clone()),
        jobs::make_week_reports(other)
    );
    assert_eq!(one.unwrap() + two.unwrap(), 3, "two tenants and the installation");
    assert_eq!(jobs::make_week_reports(app.state.clone()).await.unwrap(), 0);

    let token = app.open_session(ada.user_id, Role::Admin).await;
    let (report, _) = newest(&app, "kpis", "", &token).await.unwrap();
    let (week, before) = (&report["content"]["week"], &report["content"]["week_before"]);
    assert_eq!(
        (&week["failed_sign_ins"], &before["failed_sign_ins"]),
        (&json!(7), &json!(35)),
        "{report}"
    );
    assert_eq!(
        (&week["lockouts"], &week["detection_accuracy"]),
        (&json!(7), &json!(0.75))
    );
    let bea = app.open_session(bea.user_id, Role::Admin).await;
    let id = report["report_id"].as_str().unwrap();
    assert_eq!(app.get(&format!("{REPORTS}/{id}"), &bea).await.status, 404);
    assert!(newest(&app, "kpis", "", &bea).await.is_some());

    jobs::send_mail(app.state.clone()).await.unwrap();
    let mails = sink.take();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, ["max@example.org"]);
    let text = &mails[0].text;
    assert!(
        text.contains("Failed sign-ins: 7 of 70 (10.0 %); the week before: 35 of 70 (50.0 %)"),
        "{text}"
    );
    assert!(
        text.contains("Closed incidents that were real: 75.0 % of 28"),
        "{text}"
    );
}

#[tokio::test]
async fn who_lost_the_right_in_between_gets_no_mail() {
    let (app, sink) = start().await;
    let max = app.person(app.tenant(), "max", Role::Manager).await;
    let pia = app.person(app.tenant(), "pia", Role::Manager).await;
    for person in [&max, &pia] {
        choose(&app, &person.token, weekly("always")).await;
    }
    advance_to_noon(&app, 21);
    fill_weeks(&app).await;
    jobs::make_week_reports(app.state.clone()).await.unwrap();
    app.sql("update users.users set role = 'user' where username = 'max'; update users.memberships m set role = 'user' from users.users u
        where u.user_id = m.user_id and u.username = 'max'")
        .await;
    jobs::send_mail(app.state.clone()).await.unwrap();
    let mails = sink.take();
    assert_eq!((mails.len(), mails[0].to[0].as_str()), (1, "pia@example.org"));
    assert_eq!(
        app.sql_text("select outcome from users.outgoing_mail where outcome <> 'sent'")
            .await,
        "void"
    );
}

#[tokio::test]
async fn everybody_chooses_for_themselves_and_the_choice_is_in_the_audit_log() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Admin).await;
    let max = app.person(app.tenant(), "max", Role::Manager).await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    let modes = async |token: &str| -> Vec<String> {
        let view = must(&app, SUBSCRIPTIONS, token).await;
        view["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let whose = if one["of_installation"] == true {
                    "all "
                } else {
                    ""
                };
                format!(
                    "{whose}{} {}",
                    one["kind"].as_str().unwrap(),
                    one["mode"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(
        modes(&max.token).await,
        ["daily never", "weekly never", "monthly never", "kpis never"]
    );
    assert_eq!(
        modes(&ada.token).await,
        [
            "daily findings",
            "weekly findings",
            "monthly findings",
            "kpis never"
        ]
    );
    assert_eq!(
        modes(&root.token).await[4..],
        [
            "all daily findings",
            "all weekly always",
            "all monthly always",
            "all kpis never"
        ]
    );
    let body =
        |kind: &str, all: bool, mode: &str| json!({"kind": kind, "of_installation": all, "mode": mode});
    assert_eq!(
        choose(&app, &max.token, body("daily", false, "always"))
            .await
            .status,
        200
    );
    assert_eq!(modes(&max.token).await[0], "daily always");
    assert_eq!(modes(&ada.token).await[0], "daily findings", "of nobody else");
    for (body, status) in [
        (body("daily", true, "always"), 403),
        (body("kpis", false, "findings"), 422),
        (body("yearly", false, "always"), 422),
        (
            json!({"kind": "daily", "of_installation": false, "mode": "always", "user_id": root.user_id}),
            422,
        ),
    ] {
        assert_eq!(
            choose(&app, &max.token, body.clone()).await.status,
            status,
            "{body}"
        );
    }
    let audited = "select string_agg(actor_name || ' ' || object_id, ',') from audit.events where action = 'report_subscription.update'";
    assert_eq!(app.sql_text(audited).await, format!("max {}", max.user_id));
    assert_eq!(
        app.get(&format!("{REPORTS}?kind=yearly"), &ada.token)
            .await
            .status,
        400
    );
    assert_eq!(
        app.get(&format!("{REPORTS}/{}", uuid::Uuid::nil()), &ada.token)
            .await
            .status,
        404
    );
}
