//! By the built program: beside the server, and killed in the middle.

use std::process::{Command, Stdio};
use std::time::{Duration as Wait, Instant};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{MAINTENANCE, REPORTS, SUBSCRIPTIONS};
use crate::backups::connect;
use crate::recovery::{Mail, Sink};
use crate::up::{Up, call, folder, program, sign_in_first};

/// The tasks of the document, by the titles that a reader sees.
const TASKS: [(&str, [&str; 3]); 3] = [
    ("daily", ["Failed sign-ins", "Account lockouts", "Backups"]),
    ("weekly", ["Database statistics", "Slow queries", "Detections"]),
    ("monthly", ["Password policy", "Use of indexes", "Audit log"]),
];

async fn text(conn: &mut PgConnection, query: &'static str) -> String {
    let text: Option<String> = sqlx::query_scalar(query)
        .fetch_optional(conn)
        .await
        .unwrap()
        .flatten();
    text.unwrap_or_default()
}

#[tokio::test]
async fn a_killed_run_is_taken_up_by_the_next() {
    let dir = folder();
    let up = Up::start(dir.path());
    let data = dir.path().join("data");
    let verb = |arguments: &[&str]| -> Command {
        let mut command = program();
        command
            .arg("maintenance")
            .args(arguments)
            .arg("--data-dir")
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    let (mut holder, mut conn) = (connect(&data).await, connect(&data).await);
    // Only what renews statistics waits for this lock.
    sqlx::raw_sql("begin; lock table monitoring.silences in share update exclusive mode")
        .execute(&mut holder)
        .await
        .unwrap();
    let mut killed = verb(&["run", "weekly"]).spawn().unwrap();
    let began = Instant::now();
    let at_work = "select progress from monitoring.maintenance_tasks where state = 'running'";
    while !text(&mut conn, at_work).await.ends_with("monitoring.silences") {
        assert!(
            began.elapsed() < Wait::from_secs(60),
            "{}",
            text(&mut conn, at_work).await
        );
        tokio::time::sleep(Wait::from_millis(20)).await;
    }
    let other = verb(&["run", "daily"]).output().unwrap();
    assert!(!other.status.success(), "one at a time");
    assert!(String::from_utf8_lossy(&other.stderr).contains("another maintenance run is at work"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();

    let again = verb(&["run", "weekly"]).output().unwrap();
    let (said, told) = (
        String::from_utf8_lossy(&again.stdout).into_owned(),
        String::from_utf8_lossy(&again.stderr).into_owned(),
    );
    assert!(again.status.success(), "{said}{told}");
    assert!(told.contains("taking up the weekly maintenance"), "{told}");
    for words in [
        "The process that did this ended 1 time before the end",
        "tables were renewed",
        // `up` makes PostgreSQL count its statements.
        "ran since the last review",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let list = verb(&["list"]).output().unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(
        list.contains("broken off 1×") && list.contains("slow_queries"),
        "{list}"
    );
    let runs = "select string_agg(state || ' ' || interruptions, ',') from monitoring.maintenance_runs";
    assert_eq!(text(&mut conn, runs).await, "completed 1");
    let counted =
        "select (counters -> 'queries')::text from monitoring.kpi_samples where counters is not null";
    assert!(text(&mut conn, counted).await.parse::<i64>().is_ok());
    up.stop();
}

/// Asked for over the API and from the host, beside the running server: each task is done, its report is stored, can be read, and is in a real mailbox.
#[tokio::test]
async fn each_task_of_each_period_is_done_and_its_report_is_read_and_mailed() {
    let dir = folder();
    let sink = Sink::start().await;
    let up = Up::start_with(dir.path(), &[], &sink.settings(dir.path()));
    let token = sign_in_first(&up).await;
    let always = json!({"kind": "daily", "of_installation": true, "mode": "always"});
    let (status, chosen) = call(&up, &token, "PUT", SUBSCRIPTIONS, &always).await;
    assert_eq!(status, 200, "{chosen}");
    for (period, titles) in TASKS {
        let run = ask_for(&up, &token, period).await;
        let tasks = run["tasks"].as_array().unwrap();
        assert!(
            run["state"] == "completed" && tasks.iter().all(|task| task["state"] == "completed"),
            "{run}"
        );
        let id = run["report_id"].as_str().unwrap();
        let path = format!("{REPORTS}/{id}?installation=true");
        let (status, report) = call(&up, &token, "GET", &path, &Value::Null).await;
        assert_eq!(status, 200, "{report}");
        assert_eq!(
            report["content"]["sections"].as_array().unwrap().len(),
            3,
            "{report}"
        );
        let mail = wait_for_mail(&sink, id).await;
        let subject = mail.header("Subject");
        assert!(
            subject.starts_with(&format!("SecureGuard: {period} maintenance of the installation")),
            "{subject}"
        );
        for title in titles {
            assert!(
                mail.text.contains(&format!("\n{title}\n")),
                "{title}: {}",
                mail.text
            );
        }
        assert!(mail.encrypted);

        let by_hand = program()
            .args(["maintenance", "run", period, "--data-dir"])
            .arg(dir.path().join("data"))
            .envs(sink.settings(dir.path()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&by_hand.stdout).into_owned();
        assert!(
            by_hand.status.success() && titles.iter().all(|title| said.contains(title)),
            "{said}{}",
            String::from_utf8_lossy(&by_hand.stderr)
        );
        let (_, runs) = call(&up, &token, "GET", MAINTENANCE, &Value::Null).await;
        let newest = &runs["items"][0];
        assert_eq!(
            (&newest["period"], &newest["is_by_hand"]),
            (&json!(period), &json!(true))
        );
        wait_for_mail(&sink, newest["report_id"].as_str().unwrap()).await;
    }
    up.stop();
}

/// Has a period's maintenance done; what is due at its own time may be at work at first.
async fn ask_for(up: &Up, token: &str, period: &str) -> Value {
    let began = Instant::now();
    let body = json!({"period": period});
    let mut asked = Value::Null;
    while began.elapsed() < Wait::from_secs(120) {
        if asked.is_null() {
            let path = "/api/v1/monitoring/maintenance-runs";
            let (status, answer) = call(up, token, "POST", path, &body).await;
            assert!([202, 409].contains(&status), "{answer}");
            if status == 202 {
                asked = answer["run_id"].clone();
            }
        }
        let (_, runs) = call(up, token, "GET", MAINTENANCE, &Value::Null).await;
        let mut items = runs["items"].as_array().unwrap().iter();
        if let Some(run) = items.find(|run| run["run_id"] == asked && run["state"] != "running") {
            return run.clone();
        }
        tokio::time::sleep(Wait::from_millis(200)).await;
    }
    panic!("the {period} maintenance does not end");
}

/// The mail that leads to a report.
async fn wait_for_mail(sink: &Sink, report: &str) -> Mail {
    let began = Instant::now();
    while began.elapsed() < Wait::from_secs(120) {
        if let Some(mail) = sink.take().into_iter().find(|mail| mail.text.contains(report)) {
            return mail;
        }
        tokio::time::sleep(Wait::from_millis(200)).await;
    }
    panic!("no mail leads to {report}");
}
