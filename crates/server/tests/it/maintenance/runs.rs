use serde_json::json;
use sg_types::Role;

use super::*;

/// Twelve wrong passwords: the account is locked.
async fn lock(app: &App, username: &str) {
    for _ in 0..6 {
        assert_eq!(app.sign_in(username, "wrong").await.status, 401);
    }
}

#[tokio::test]
async fn the_daily_report_reaches_those_it_concerns_and_nobody_else() {
    let (app, sink) = start().await;
    let ada = app.person(app.tenant(), "ada", Role::Admin).await;
    let other = app.new_tenant("other").await;
    let bea = app.person(other, "bea", Role::Admin).await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    app.person(app.tenant(), "max", Role::Manager).await;
    app.person(app.tenant(), "eve", Role::User).await;
    maintain(&app).await;
    assert!(
        newest(&app, "daily", "", &ada.token).await.is_none(),
        "nothing is due on a new installation"
    );

    advance_to_noon(&app, 1);
    for _ in 0..2 {
        lock(&app, "eve").await;
        app.advance(Duration::hours(2));
    }
    for name in ["a", "b", "c", "d", "ada"] {
        app.sign_in(name, "wrong").await;
    }
    app.sql(
        "update users.users set username = E'eve\\r\\nBcc: all@evil.example\\n.\\nhttps://evil.example <b>x</b>' where username = 'eve';
         update users.tenants set name = E'Acme\\r\\nTo: eve@evil.example' where slug = 'default'",
    )
    .await;
    sink.take();
    app.sql("delete from users.outgoing_mail").await;
    maintain(&app).await;
    let [ada, bea, root] = [
        (&ada, Role::Admin),
        (&bea, Role::Admin),
        (&root, Role::SystemAdmin),
    ]
    .map(|(person, role)| app.open_session(person.user_id, role));
    let (ada, bea, root) = (ada.await, bea.await, root.await);

    let (report, text) = newest(&app, "daily", "", &ada).await.unwrap();
    assert!(
        text.contains("was locked 2 times in seven days") && text.contains("evil.example"),
        "{text}"
    );
    assert!(!text.contains("\\r") && !text.contains("\\n"), "{text}");
    assert_eq!(report["finding_count"], json!(1));
    assert!(
        newest(&app, "daily", "", &bea).await.is_none(),
        "nothing happened there"
    );
    let id = report["report_id"].as_str().unwrap();
    for (token, query) in [(&bea, ""), (&root, "?installation=true")] {
        assert_eq!(
            app.get(&format!("{REPORTS}/{id}{query}"), token).await.status,
            404
        );
    }

    let (of_all, text) = newest(&app, "daily", "&installation=true", &root).await.unwrap();
    assert!(
        text.contains("No backups are made.") && text.contains("There is something to do in 1 tenant"),
        "{text}"
    );
    assert!(
        !text.contains("evil.example https") && !text.contains("“eve"),
        "whose account it is stays in the tenant: {text}"
    );
    assert!(of_all["finding_count"].as_i64().unwrap() >= 1);

    // By default: the tenant's administrators when there is something to do, and whoever manages the installation.
    jobs::send_mail(app.state.clone()).await.unwrap();
    let mails: Vec<_> = sink
        .take()
        .into_iter()
        .filter(|mail| mail.header("Subject").contains("daily"))
        .collect();
    let mut told: Vec<(&str, bool)> = mails
        .iter()
        .map(|mail| {
            (
                mail.to[0].as_str(),
                mail.header("Subject").contains("the installation"),
            )
        })
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("ada@example.org", false),
            ("root@example.org", false),
            ("root@example.org", true)
        ],
        "{mails:?}"
    );
    for mail in &mails {
        assert_eq!(mail.to.len(), 1);
        assert_eq!(
            (mail.header("Bcc"), mail.text.matches("\nTo: ").count()),
            ("", 1),
            "{}",
            mail.text
        );
        assert!(
            !mail.text.contains("https://evil") && !mail.text.contains("\nBcc:"),
            "{}",
            mail.text
        );
        assert!(mail.text.contains("http://localhost:8080/monitoring/reports/"));
    }
}

#[tokio::test]
async fn every_documented_task_runs_and_says_something() {
    let app = App::start().await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    app.sql(
        "update users.users set password_last_changed = now() - interval '100 days', last_login = now() - interval '100 days';
         update users.password_policies set min_length = 8, max_failed_attempts = 50",
    )
    .await;
    // Past a Monday and the first of a month.
    advance_to_noon(&app, 32);
    maintain(&app).await;
    let token = app.open_session(root.user_id, Role::SystemAdmin).await;
    let runs = must(&app, MAINTENANCE, &token).await;
    let mut done: Vec<String> = Vec::new();
    for run in runs["items"].as_array().unwrap() {
        assert_eq!(
            (&run["state"], &run["interruptions"]),
            (&json!("completed"), &json!(0)),
            "{run}"
        );
        assert!(run["report_id"].is_string());
        for task in run["tasks"].as_array().unwrap() {
            assert_eq!(task["state"], "completed", "{task}");
            assert!(task["started_at"].is_string() && task["finished_at"].is_string());
            done.push(format!(
                "{} {}",
                run["period"].as_str().unwrap(),
                task["task"].as_str().unwrap()
            ));
        }
    }
    done.sort_unstable();
    assert_eq!(
        done,
        [
            "daily backup_completion",
            "daily failed_sign_ins",
            "daily lockout_patterns",
            "monthly audit_review",
            "monthly index_usage",
            "monthly policy_compliance",
            "weekly slow_queries",
            "weekly statistics",
            "weekly threat_patterns"
        ]
    );
    for kind in ["daily", "weekly", "monthly"] {
        let (report, _) = newest(&app, kind, "&installation=true", &token).await.unwrap();
        let sections = report["content"]["sections"].as_array().unwrap();
        assert_eq!(sections.len(), 3, "{report}");
        for section in sections {
            let said =
                section["words"].as_array().unwrap().len() + section["findings"].as_array().unwrap().len();
            assert!(said > 0, "{section}");
            for finding in section["findings"].as_array().unwrap() {
                assert!(
                    finding["advice"].as_str().is_some_and(|advice| advice.len() > 10),
                    "{finding}"
                );
            }
        }
    }
    let (_, monthly) = newest(&app, "monthly", "", &token).await.unwrap();
    for words in [
        "“root”",
        "Passwords of 8 characters are allowed",
        "after 50 wrong passwords",
        "not signed in for 90 days",
    ] {
        assert!(monthly.contains(words), "{words}: {monthly}");
    }
    // Of a partitioned table as a whole nothing else renews the statistics.
    let parents = "select string_agg(relname, ',') from pg_stat_user_tables where relid = 'audit.login_attempts'::regclass and last_analyze is not null";
    assert_eq!(app.sql_text(parents).await, "login_attempts");
    maintain(&app).await;
    assert_eq!(
        app.sql_text("select count(*)::text from monitoring.maintenance_runs")
            .await,
        "3",
        "once for each time"
    );
}

#[tokio::test]
async fn what_was_detected_is_compared_with_the_week_before() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::Admin).await;
    advance_to_noon(&app, 14);
    let now = app.clock_now();
    app.sql(&format!(
        "insert into agents.endpoints (agent_id, tenant_id, hostname) values ('11111111-0000-4000-8000-000000000001', '{0}', 'web-1');
         insert into threats.incidents (threat_id, tenant_id, agent_id, threat_type, severity, title, status, detected_at, resolved_at)
         select ('22222222-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{0}', '11111111-0000-4000-8000-000000000001', 'x', 'high', 'x',
            case when n <= 5 then 'false_positive' when n = 9 then 'new' else 'investigating' end,
            '{1}'::timestamptz - case n when 9 then interval '10 days' else interval '1 day' end, case when n <= 5 then '{1}'::timestamptz - interval '1 hour' end
         from generate_series(1, 9) n;
         insert into threats.findings (finding_id, tenant_id, threat_id, agent_id, rule_id, rule_name, engine, severity, confidence, explanation, evidence,
            subject, fingerprint, first_seen_at, last_seen_at)
         select gen_random_uuid(), i.tenant_id, i.threat_id, i.agent_id, 'r', 'Rule ”of\u{202e} night', 'sigma', 'high', 0.5, 'x', '{{}}', '{{}}', i.threat_id::text,
            i.detected_at, i.detected_at
         from threats.incidents i",
        app.tenant(),
        now.to_rfc3339()
    ))
    .await;
    maintain(&app).await;
    let token = app.open_session(ada.user_id, Role::Admin).await;
    let (_, text) = newest(&app, "weekly", "", &token).await.unwrap();
    for words in [
        "8 incidents were opened: 8 high; 1 in the week before.",
        "opened 8 incidents, 1 in the week before",
        "5 of 5 incidents of the rule",
        "1 incident has waited of severity high for more than seven days.",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains('\u{202e}'), "{text}");
}

#[tokio::test]
async fn two_nodes_do_it_once() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "root", Role::SystemAdmin).await;
    advance_to_noon(&app, 1);
    let nodes: Vec<_> = (0..4).map(|_| app.with_keeper(app.state.audit.clone())).collect();
    let mut running = Vec::new();
    for node in &nodes {
        running.push(jobs::do_due_maintenance(node.clone()));
    }
    for outcome in futures_util::future::join_all(running).await {
        outcome.unwrap();
    }
    let daily = "select count(*)::text from monitoring.maintenance_runs where period = 'daily'";
    assert_eq!(app.sql_text(daily).await, "1");
    let reports = "select string_agg(jsonb_array_length(content -> 'sections')::text, ',') from monitoring.reports where kind = 'daily'";
    assert_eq!(app.sql_text(reports).await, "3");
    for node in &nodes {
        jobs::send_mail(node.clone()).await.unwrap();
    }
    let about_day = sink
        .take()
        .iter()
        .filter(|mail| mail.header("Subject").contains("daily"))
        .count();
    assert_eq!(about_day, 1);
}

#[tokio::test]
async fn a_task_that_fails_is_told_and_holds_up_no_other() {
    let app = App::start().await;
    let root = app.person(app.tenant(), "root", Role::SystemAdmin).await;
    app.sql("revoke select on monitoring.security_events from sg_system")
        .await;
    advance_to_noon(&app, 1);
    maintain(&app).await;
    let token = app.open_session(root.user_id, Role::SystemAdmin).await;
    let runs = must(&app, MAINTENANCE, &token).await;
    let daily = runs["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|run| run["period"] == "daily")
        .unwrap();
    assert_eq!(daily["state"], "failed", "{daily}");
    let states: Vec<&str> = daily["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["completed", "failed", "completed"]);
    let (_, text) = newest(&app, "daily", "&installation=true", &token).await.unwrap();
    assert!(
        text.contains("This task broke off") && text.contains("No backups are made."),
        "{text}"
    );
}
