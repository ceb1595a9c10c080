//! The real agent is killed, stopped in order and halted: what the server records of it, and whom it tells.

use std::time::Duration;

use sg_testkit::fault::{Installation, Machine};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::fleet::connect;
use crate::{count, wait_for};

/// Two check-ins of five seconds, a turn of the job that looks each ten, and what a busy machine adds.
const OFFLINE: Duration = Duration::from_secs(60);

const FIRING: &str = "select count(*) from monitoring.alerts a where a.agent_id = $1 and a.state = 'firing'";

async fn wait_until_firing(conn: &mut PgConnection, machine: &Machine, wanted: i64) {
    wait_for("the alert is as it should be", OFFLINE, async || {
        (count(conn, FIRING, machine.agent_id).await == wanted).then_some(())
    })
    .await;
}

/// The gaps of a reason that have ended: cause, detail and length in seconds.
async fn ended(
    conn: &mut PgConnection,
    machine: &Machine,
    reason: &str,
) -> Vec<(Option<String>, String, f64)> {
    sqlx::query_as(
        "select g.cause, coalesce(g.detail, ''), extract(epoch from g.to_at - g.from_at)::float8
         from agents.gaps g where g.agent_id = $1 and g.reason = $2 and g.to_at is not null order by g.from_at",
    )
    .bind(Uuid::from(machine.agent_id))
    .bind(reason)
    .fetch_all(conn)
    .await
    .unwrap()
}

async fn wait_for_gap(
    conn: &mut PgConnection,
    machine: &Machine,
    reason: &str,
    number: usize,
) -> (Option<String>, String, f64) {
    wait_for(reason, Duration::from_secs(30), async || {
        ended(conn, machine, reason).await.into_iter().nth(number)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_stopped_or_halted_is_told_of_and_told_apart() {
    let installation = Installation::start().await.unwrap();
    let mut machine = Machine::enrol(&installation).unwrap();
    machine.start().unwrap();
    let mut conn = installation.connect().await.unwrap();
    let said = "select count(*) from agents.heartbeats h where h.agent_id = $1 and h.run_id is not null";
    wait_for("a check-in", Duration::from_secs(30), async || {
        (count(&mut conn, said, machine.agent_id).await == 1).then_some(())
    })
    .await;

    machine.kill().unwrap();
    wait_until_firing(&mut conn, &machine, 1).await;
    machine.start().unwrap();
    wait_until_firing(&mut conn, &machine, 0).await;
    let (cause, detail, seconds) = wait_for_gap(&mut conn, &machine, "offline", 0).await;
    assert_eq!(cause.as_deref(), Some("agent"), "{detail}");
    assert!(
        detail.contains("killed or crashed") && seconds >= 10.0,
        "{detail} {seconds}"
    );
    let (_, _, killed) = wait_for_gap(&mut conn, &machine, "agent_killed", 0).await;
    assert!(killed <= seconds + 10.0, "{killed} of {seconds}");

    machine.stop().await.unwrap();
    wait_until_firing(&mut conn, &machine, 1).await;
    machine.start().unwrap();
    let (cause, detail, _) = wait_for_gap(&mut conn, &machine, "offline", 1).await;
    assert_eq!(cause.as_deref(), Some("agent"), "{detail}");
    assert!(detail.contains("stopped in order"), "{detail}");
    wait_for_gap(&mut conn, &machine, "agent_stopped", 0).await;
    assert_eq!(ended(&mut conn, &machine, "agent_killed").await.len(), 1);

    machine.halt().unwrap();
    wait_until_firing(&mut conn, &machine, 1).await;
    machine.go_on().unwrap();
    wait_until_firing(&mut conn, &machine, 0).await;
    let (cause, detail, _) = wait_for_gap(&mut conn, &machine, "offline", 2).await;
    assert_eq!(cause.as_deref(), Some("agent"), "{detail}");
    assert!(detail.contains("halted"), "{detail}");
    wait_for_gap(&mut conn, &machine, "agent_halted", 0).await;
    machine.stop().await.unwrap();
    machine.verify(&mut connect(&installation).await).await.unwrap();
}
