//! By the built program: beside the server, and killed in the middle.

use std::process::{Command, Stdio};
use std::time::{Duration as Wait, Instant};

use sqlx::PgConnection;

use crate::backups::connect;
use crate::up::{Up, folder, program};

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
