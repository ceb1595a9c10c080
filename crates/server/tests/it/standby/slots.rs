//! A standby that is away: told, and no reason for a full disk.

use serde_json::{Value, json};

use crate::backups::{count, run, wait_for};
use crate::notifications::listeners::Listeners;

use super::{Node, ports};

const FIRING: &str = "select count(*) from monitoring.alerts a join monitoring.alert_rules r using (rule_id)
    where r.kind in ('standby_lag', 'replication_slots') and a.subject = 'sg_second' and a.state = 'firing'";
/// 30 MB of log each.
const WRITE: &str = "drop table if exists public.filler; create table public.filler as select n, md5(n::text) as t from generate_series(1, 400000) n; checkpoint";

#[tokio::test]
async fn a_standby_that_is_away_is_told_and_let_go_before_the_disk_is_full() {
    let (here, there) = ports();
    let small = [("SECUREGUARD_STANDBY__SLOT_KEEP_MB", "64")];
    let (mut first, mut second) = (Node::new(here, there, &small), Node::new(there, here, &small));
    let (listeners, dir) = (Listeners::start().await, crate::up::folder());
    first.settings.extend(listeners.settings(dir.path()));
    first.start();
    let up = first.up.as_ref().unwrap();
    let password = up.ready["admin"]["password"].as_str().unwrap().to_owned();
    let token = listeners.join_program(up, &password).await;
    let list = first.standbys(&token).await;
    assert_eq!(
        (&list["setup"], &list["items"], &list["problem"]),
        (&json!("invited"), &json!([]), &Value::Null),
    );
    first.take_on(&mut second, "second").await;
    let list = first.standbys(&token).await;
    let standby = &list["items"][0];
    assert_eq!(
        (&standby["name"], &standby["slot"], &standby["address"]),
        (&json!("second"), &json!("sg_second"), &json!("127.0.0.1")),
    );
    assert!(
        ["streaming", "catching_up"].contains(&standby["state"].as_str().unwrap())
            && standby["is_synchronous"] == false
            && standby["kept_limit_bytes"] == 64 << 20
            && standby["replay_seconds"].is_number(),
        "{list}"
    );
    let mut conn = first.connect().await;
    run(
        &mut conn,
        "update monitoring.alert_rules set threshold = 3 where kind = 'standby_lag'",
    )
    .await;
    second.stop();
    wait_for(
        "the lag",
        || first.log(),
        async || count(&mut conn, FIRING).await == 1,
    )
    .await;
    let (in_order, words) = first.verb(&["standby", "status"]);
    assert!(!in_order && words.contains("second: NOT CONNECTED"), "{words}");
    let list = first.standbys(&token).await;
    let problem = list["items"][0]["problem"].as_str().unwrap();
    assert_eq!(list["items"][0]["state"], "disconnected");
    assert!(
        problem.contains("`secureguard standby remove second`"),
        "{problem}"
    );
    for _ in 0..6 {
        run(&mut conn, WRITE).await;
    }
    let lost = "select count(*) from pg_replication_slots where wal_status = 'lost'";
    wait_for(
        "the slot to be given up",
        || first.log(),
        async || {
            run(&mut conn, "checkpoint").await;
            count(&mut conn, lost).await == 1
        },
    )
    .await;
    wait_for(
        "both alerts",
        || first.log(),
        async || count(&mut conn, FIRING).await == 2,
    )
    .await;
    let (_, words) = first.verb(&["standby", "status"]);
    assert!(words.contains("second: LOST"), "{words}");
    let list = first.standbys(&token).await;
    let problem = list["items"][0]["problem"].as_str().unwrap();
    assert_eq!(list["items"][0]["state"], "lost");
    assert!(
        problem.contains("`secureguard standby invite second FILE`"),
        "{problem}"
    );
    first.must(&["standby", "remove", "second"]);
    wait_for(
        "all clear",
        || first.log(),
        async || count(&mut conn, FIRING).await == 0,
    )
    .await;
    for rule in ["standby lag", "replication slots"] {
        let words = format!("Installation alert {rule} about sg_second");
        listeners.hear(&[&words, "firing"]).await;
        listeners.hear(&[&words, "is over"]).await;
        assert_eq!(listeners.heard(&[&words, "firing"]), [1, 1, 1]);
    }
}

#[tokio::test]
async fn a_standby_that_was_away_too_long_catches_up_from_the_archive() {
    let (here, there) = ports();
    let shared = crate::up::folder();
    let repository = shared.path().join("repository").display().to_string();
    let pgbackrest = crate::backups::pgbackrest();
    let settings = [
        ("SECUREGUARD_STANDBY__SLOT_KEEP_MB", "64"),
        ("SECUREGUARD_BACKUP__PGBACKREST", pgbackrest.as_str()),
        ("SECUREGUARD_BACKUP__REPOSITORY", repository.as_str()),
        ("SECUREGUARD_BACKUP__DRILL_EVERY_DAYS", "0"),
        ("SECUREGUARD_BACKUP__ARCHIVE_TIMEOUT_SECONDS", "2"),
    ];
    let (mut first, mut second) = (
        Node::new(here, there, &settings),
        Node::new(there, here, &settings),
    );
    first.start();
    let pass = first.data().join("keys/backup.pass").display().to_string();
    second.settings.push(("SECUREGUARD_BACKUP__PASS_FILE", pass));
    first.take_on(&mut second, "second").await;
    second.stop();
    let mut conn = first.connect().await;
    for _ in 0..6 {
        run(&mut conn, WRITE).await;
    }
    run(&mut conn, "create table public.late as select 1 as n").await;
    let lost = "select count(*) from pg_replication_slots where wal_status = 'lost'";
    wait_for(
        "the slot to be given up",
        || first.log(),
        async || {
            run(&mut conn, "select pg_switch_wal(); checkpoint").await;
            count(&mut conn, lost).await == 1
        },
    )
    .await;
    second.follow();
    wait_for(
        "what only the archive has",
        || second.log(),
        async || {
            if !second.verb(&["standby", "status"]).1.contains("standby of") {
                return false;
            }
            let mut conn = second.connect().await;
            count(&mut conn, "select count(*) from pg_class where relname = 'late'").await == 1
        },
    )
    .await;
    // With a slot again it streams again.
    let again = first.path("again.invitation");
    first.must(&["standby", "invite", "second", again.to_str().unwrap()]);
    first.is_followed(&second).await;
}
