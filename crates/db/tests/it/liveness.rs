//! Looking for endpoints that do not check in reads those that are due, however many there are.

use sg_db::agents::{mark_offline, note_watch};
use sg_testkit::capture_statements;
use sqlx::AssertSqlSafe;

use crate::support::*;

const FLEET: &str = "
    set session_replication_role = replica;
    insert into agents.endpoints (agent_id, tenant_id, hostname, created_at)
    select gen_random_uuid(), 'aaaaaaaa-0000-4000-8000-000000000000', 'host-' || e, now() from generate_series(1, 20000) e;
    insert into agents.heartbeats (agent_id, tenant_id, last_seen_at) select agent_id, tenant_id, now() from agents.endpoints
    on conflict do nothing;
    insert into agents.deadlines (agent_id, tenant_id, look_at)
    select agent_id, tenant_id, now() + make_interval(secs => 60 + random() * 600) from agents.heartbeats
    on conflict (agent_id) do update set look_at = excluded.look_at;
    set session_replication_role = origin;
    analyze";

#[tokio::test]
async fn a_look_reads_by_the_index_and_no_table_as_a_whole() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(&mut root, FLEET).await?;
    let mut tx = test.db.system("test").await?;
    let watching_since = note_watch(&mut tx, now()).await?;
    let (look, statements) =
        capture_statements(async { mark_offline(&mut tx, now(), watching_since, 500).await }).await;
    assert_eq!(look?.looked_at, 0, "nobody is due");
    let statement = statements
        .iter()
        .find(|statement| statement.contains("agents.deadlines"))
        .expect("the look")
        .replace("$1", "now() + interval '70 s'")
        .replace("$2", "now()")
        .replace("$3", "500");
    let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("explain (costs off) {statement}")))
        .fetch_all(&mut root)
        .await?;
    let plan = plan.join("\n");
    assert!(plan.contains("Index Scan using deadlines_look_at_idx"), "{plan}");
    for table in ["deadlines", "heartbeats", "endpoints", "gaps"] {
        assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
    }
    Ok(())
}

#[tokio::test]
async fn another_interval_is_another_deadline() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let due = "select count(*) from agents.deadlines where look_at <= now()";
    run(
        &mut root,
        "update agents.deadlines set look_at = now() + interval '1 hour'",
    )
    .await?;
    assert_eq!(test.count(due).await?, 0);
    run(
        &mut root,
        "update agents.endpoints set heartbeat_interval = 10 where agent_id::text like '%000000000011'",
    )
    .await?;
    assert_eq!(test.count(due).await?, 2, "one of each tenant");
    Ok(())
}
