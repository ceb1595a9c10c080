//! Taking over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::task::JoinHandle;

use crate::backups::{count, run, wait_for};
use crate::up::sign_in;

use super::{Node, ports};

/// Writes a row after the other and counts those that were acknowledged, until the database is gone.
#[expect(clippy::disallowed_methods, reason = "a client, which no supervisor stops")]
fn keep_writing(
    mut conn: PgConnection,
    acknowledged: Arc<AtomicI64>,
    dead: Arc<AtomicBool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        for n in 1_i64.. {
            let stored = sqlx::query("insert into public.ledger values ($1)")
                .bind(n)
                .execute(&mut conn)
                .await;
            if stored.is_err() {
                break;
            }
            acknowledged.store(n, Ordering::SeqCst);
        }
        dead.store(true, Ordering::SeqCst);
    })
}

#[tokio::test]
async fn a_synchronous_standby_has_all_that_was_acknowledged_and_the_stale_primary_is_refused() {
    let (here, there) = ports();
    let mut first = Node::new(here, there, &[]);
    let mut second = Node::new(there, here, &[]);
    first.start();
    let password = first.up.as_ref().unwrap().ready["admin"]["password"]
        .as_str()
        .unwrap()
        .to_owned();
    first.take_on(&mut second, "second").await;
    first.stop();
    first
        .settings
        .push(("SECUREGUARD_STANDBY__SYNCHRONOUS", "[\"second\"]".to_owned()));
    first.start();
    first.is_followed(&second).await;
    let words = first.must(&["standby", "status"]);
    assert!(
        words.contains("second: 127.0.0.1") && words.contains(", synchronous"),
        "{words}"
    );
    assert!(!words.contains("commits wait"), "{words}");
    let words = second.must(&["standby", "status"]);
    assert!(words.contains("receives its log"), "{words}");

    let (refused, words) = second.verb(&["standby", "promote", "--primary-is-off"]);
    assert!(
        !refused && words.contains("is a primary and takes writes; stop it first"),
        "{words}"
    );

    let mut conn = first.connect().await;
    run(&mut conn, "create table public.ledger (n bigint primary key)").await;
    let (acknowledged, dead) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = keep_writing(conn, acknowledged.clone(), dead.clone());
    while acknowledged.load(Ordering::SeqCst) < 500 {
        assert!(!dead.load(Ordering::SeqCst), "{}", first.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.kill();
    writer.await.unwrap();

    let (promoted, words) = second.verb(&["standby", "promote"]);
    assert!(!promoted && words.contains("say so: --primary-is-off"), "{words}");
    let began = Instant::now();
    let words = second.must(&["standby", "promote", "--primary-is-off"]);
    assert!(words.contains("timeline 2"), "{words}");
    let dir = second.dir.path().to_owned();
    second.up.as_mut().unwrap().wait_until_ready(&dir);
    let (status, session) = sign_in(second.up.as_ref().unwrap(), "admin", &password).await;
    let took = began.elapsed();
    assert_eq!(status, 201, "{session}");
    let (lost, acknowledged) = {
        let acknowledged = acknowledged.load(Ordering::SeqCst);
        let kept = count(&mut second.connect().await, "select count(*) from public.ledger").await;
        ((acknowledged - kept).max(0), acknowledged)
    };
    println!(
        "{words}acknowledged {acknowledged}, lost {lost}; signed in {:.2} s after the promotion was asked for",
        took.as_secs_f64()
    );
    assert_eq!(lost, 0, "of {acknowledged} acknowledged");

    // The one that was replaced: not while the other one runs, not when nobody can be asked, and no verb writes either.
    let (started, words) = first.verb(&["up", "--listen", "127.0.0.1:0"]);
    assert!(
        !started && words.contains("this server was replaced: 127.0.0.1"),
        "{words}"
    );
    assert!(words.contains("standby invite NAME FILE"), "{words}");
    let (reset, words) = first.verb(&["admin", "reset-password", "admin"]);
    assert!(!reset && words.contains("was replaced"), "{words}");
    second.stop();
    let (started, words) = first.verb(&["up", "--listen", "127.0.0.1:0"]);
    assert!(!started && words.contains("was replaced"), "{words}");

    // It comes back as the standby of the other one.
    second.start();
    std::fs::rename(first.data(), first.path("gone")).unwrap();
    first.settings.retain(|(name, _)| !name.contains("SYNCHRONOUS"));
    second.take_on(&mut first, "first").await;
    let words = first.must(&["standby", "status"]);
    assert!(words.contains("slot sg_first"), "{words}");
}

#[tokio::test]
async fn an_orderly_change_loses_nothing_without_waiting_for_commits() {
    let (here, there) = ports();
    let (mut first, mut second) = (Node::new(here, there, &[]), Node::new(there, here, &[]));
    first.start();
    first.take_on(&mut second, "second").await;
    let mut conn = first.connect().await;
    run(
        &mut conn,
        "create table public.ledger as select n from generate_series(1, 200000) n; insert into public.ledger values (0)",
    )
    .await;
    drop(conn);
    first.stop();
    second.must(&["standby", "promote", "--primary-is-off"]);
    let dir = second.dir.path().to_owned();
    second.up.as_mut().unwrap().wait_until_ready(&dir);
    let mut conn = second.connect().await;
    assert_eq!(
        count(&mut conn, "select count(*) from public.ledger").await,
        200_001
    );
    let (again, words) = second.verb(&["standby", "promote", "--primary-is-off"]);
    assert!(!again && words.contains("is no standby"), "{words}");
}

#[tokio::test]
async fn a_primary_that_runs_on_after_a_promotion_ends_within_seconds() {
    let (here, there) = ports();
    let (mut first, mut second) = (Node::new(here, there, &[]), Node::new(there, here, &[]));
    first.start();
    first.take_on(&mut second, "second").await;
    // As after a cut in the network: the promotion did not see that the primary runs.
    {
        let mut conn = second.connect().await;
        run(&mut conn, "select pg_promote(true, 60)").await;
    }
    assert!(
        !first.up.as_mut().unwrap().wait_for_end(Duration::from_secs(60)),
        "it ends with a failure"
    );
    assert!(
        first.log().contains("this server was replaced"),
        "{}",
        first.log()
    );
    assert!(first.path("data/fenced").exists());
    let dir = second.dir.path().to_owned();
    second.up.as_mut().unwrap().wait_until_ready(&dir);
    wait_for(
        "the other one to serve on",
        || second.log(),
        async || {
            let url = second.up.as_ref().unwrap().url("/readyz");
            crate::up::client()
                .get(url)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        },
    )
    .await;
}

#[tokio::test]
async fn keys_that_change_after_the_standby_was_made_are_there_at_the_promotion() {
    let (here, there) = ports();
    let (mut first, mut second) = (Node::new(here, there, &[]), Node::new(there, here, &[]));
    first.start();
    first.take_on(&mut second, "second").await;
    first.must(&["admin", "rotate-keys"]);
    let keys = std::fs::read(first.data().join("keys/secrets.json")).unwrap();
    assert_ne!(
        keys,
        std::fs::read(second.data().join("keys/secrets.json")).unwrap()
    );
    // The next start stores them anew, as each minute does.
    first.stop();
    first.start();
    first.is_followed(&second).await;
    let mut conn = first.connect().await;
    run(&mut conn, "select pg_switch_wal()").await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    first.stop();
    second.must(&["standby", "promote", "--primary-is-off"]);
    let dir = second.dir.path().to_owned();
    second.up.as_mut().unwrap().wait_until_ready(&dir);
    assert_eq!(
        keys,
        std::fs::read(second.data().join("keys/secrets.json")).unwrap()
    );
}
