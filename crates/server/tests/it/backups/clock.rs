//! A clock that jumps, of the server, the sessions of its PostgreSQL and its pgBackRest: never the machine's. PostgreSQL 15 starts what archives in a signal handler inside
//! `select`, where libfaketime does not reach it: that keeps the right time, so that archiving looks late while the clock is ahead.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sg_testkit::fault::ChildClock;

use super::{Site, count, pgbackrest, run};

const DAY: i64 = 86_400;
/// What keeps backups from being made, as a run of another node does.
const HOLD: &str = "begin; set local idle_in_transaction_session_timeout = 0; select pg_advisory_xact_lock(hashtextextended('secureguard.job.backups', 0))";

fn library() -> PathBuf {
    std::env::var_os("SECUREGUARD_TEST_FAKETIME")
        .expect("SECUREGUARD_TEST_FAKETIME names libfaketime; `cargo xtask test` sets it")
        .into()
}

/// A pgBackRest that has the clock too: the server starts it with an empty environment.
fn write_wrapper(file: &Path, clock: &ChildClock) {
    let variables: String = clock
        .environment()
        .iter()
        .map(|(name, value)| format!("export {name}='{}'\n", value.display()))
        .collect();
    std::fs::write(
        file,
        format!("#!/bin/sh\n{variables}exec '{}' \"$@\"\n", pgbackrest()),
    )
    .unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

async fn jump(clock: &ChildClock, seconds: i64) {
    clock.move_by(seconds).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_clock_that_jumps_is_told_and_nothing_is_lost() {
    // Where the account of PostgreSQL reads it.
    let shared = tempfile::Builder::new().prefix("sg-clock-").tempdir().unwrap();
    std::fs::set_permissions(shared.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let clock = ChildClock::new(&library(), shared.path().join("clock")).unwrap();
    let wrapper = shared.path().join("pgbackrest");
    write_wrapper(&wrapper, &clock);

    let mut site = Site::start(&[("SECUREGUARD_BACKUP__PGBACKREST", wrapper.to_str().unwrap())]);
    site.stop();
    let environment = clock.environment().into_iter();
    site.settings
        .extend(environment.map(|(name, value)| (name, value.into_string().unwrap())));
    site.start_again();
    site.first_backup().await;
    site.archive().await;
    let mut conn = site.connect().await;
    run(
        &mut conn,
        "create table public.ledger (n int, at timestamptz not null default now())",
    )
    .await;
    let mut written = 0;
    let mut write = async || {
        run(
            &mut conn,
            "insert into public.ledger select generate_series(1, 500)",
        )
        .await;
        written += 500;
    };
    write().await;

    // Ahead: what was made lies far back at once, and is made anew.
    let mut holder = site.connect().await;
    run(&mut holder, HOLD).await;
    jump(&clock, 3 * DAY).await;
    site.alarm("archiving", "nothing is lost as long as this machine lives")
        .await;
    site.alarm("backup", "hours ago; run `secureguard backup full`")
        .await;
    write().await;
    run(&mut holder, "rollback").await;
    site.must(&["backup", "incr"]);
    only(&site, &["archiving"]).await;
    write().await;

    // Back to the right time: what was made meanwhile lies in the future, and stands for nothing.
    run(&mut holder, HOLD).await;
    jump(&clock, 0).await;
    site.alarm(
        "backup",
        "which lies in the future: this machine's clock was wrong",
    )
    .await;
    only(&site, &["backup"]).await;
    write().await;
    run(&mut holder, "rollback").await;

    // As when that moment has passed.
    jump(&clock, 4 * DAY).await;
    site.must(&["backup", "full"]);
    site.must(&["backup", "verify"]);
    let drill = site.must(&["backup", "drill"]);
    assert!(drill.contains("RPO"), "{drill}");
    only(&site, &["archiving"]).await;
    let mut conn = site.connect().await;
    assert_eq!(
        count(&mut conn, "select count(*) from public.ledger").await,
        written
    );
}

/// Waits until these are what is wrong, and what alerts fire about.
async fn only(site: &Site, subjects: &[&str]) {
    let mut conn = site.connect().await;
    super::wait_for("these problems only", || site.log(), async || {
        let (problems, alerts): (Vec<String>, Vec<String>) = sqlx::query_as(
            "select array(select p ->> 'subject' from monitoring.backup_state s, jsonb_array_elements(s.problems) p order by 1),
                array(select a.subject from monitoring.alerts a join monitoring.alert_rules r using (rule_id)
                    where r.kind = 'backup_failure' and a.state = 'firing' order by 1)",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        problems == subjects && alerts == subjects
    })
    .await;
}
