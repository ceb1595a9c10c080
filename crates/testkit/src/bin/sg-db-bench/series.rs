//! Metrics in their size: the latest sample of an endpoint, and what it costs to add some, against the same table with hardly a row in it.

use anyhow::{Context, Result};
use secrecy::ExposeSecret;
use sg_db::agents;
use sg_testkit::{bulk, capture_statements};
use sg_types::{AgentId, Clock, SystemClock};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{Bench, caller, median, open_context, report, run, say, time};

const DAYS: i64 = 30;
const ENDPOINTS: i64 = 5_000;
const TURNS: usize = 200;

/// One day's samples of every endpoint.
const DAY: &str = "
    insert into agents.system_info (agent_id, tenant_id, cpu_usage, memory_usage, disk_usage, network_usage, uptime, process_count, collected_at, received_at)
    select e.agent_id, e.tenant_id, n % 100, 40, 50, '{\"rx_bytes_per_second\": 1000, \"tx_bytes_per_second\": 200}', 86400, 200, s.at, s.at
    from generate_series(0, {samples} - 1) n
    cross join lateral (select date_trunc('day', now()) - interval '{day} days' + make_interval(secs => 86000.0 * n / {samples}) as at) s
    cross join agents.endpoints e";
/// A batch of an ingest: a sample each of 1,000 endpoints.
const BATCH: &str = "
    insert into agents.system_info (agent_id, tenant_id, cpu_usage, memory_usage, disk_usage, collected_at)
    select e.agent_id, e.tenant_id, 1, 2, 3, now() from agents.endpoints e order by e.agent_id offset {offset} limit 1000";

pub(crate) async fn measure(bench: &Bench, rows: i64) -> Result<()> {
    let mut root = bench.connect("postgres").await?;
    bulk::insert_tenants(&mut root, 5).await?;
    run(&mut root, "set session_replication_role = origin; analyze").await?;
    // The empty one is a copy of what there is before the samples.
    root.close().await?;
    bench
        .cluster
        .execute("create database empty template bench".to_owned())
        .await?;
    let mut root = bench.connect("postgres").await?;
    run(
        &mut root,
        format!("select agents.ensure_partitions(now() - interval '{DAYS} days', {DAYS}); set session_replication_role = replica"),
    )
    .await?;
    let samples = (rows / DAYS / ENDPOINTS).max(1);
    for day in (0..DAYS).rev() {
        let statement = DAY
            .replace("{samples}", &samples.to_string())
            .replace("{day}", &day.to_string());
        run(&mut root, statement).await?;
        say(&format!(
            "{} of {} rows",
            (DAYS - day) * samples * ENDPOINTS,
            DAYS * samples * ENDPOINTS
        ));
    }
    run(&mut root, "set session_replication_role = origin").await?;
    run(&mut root, "vacuum analyze").await?;
    latest(bench).await?;
    insert(bench).await
}

async fn latest(bench: &Bench) -> Result<()> {
    let now = SystemClock.now();
    let db = bench.open()?;
    let mut tx = db.read(&caller(&db).await?, now).await?;
    let agent = AgentId(Uuid::parse_str("b0000000-0000-4000-8000-000000050003")?);
    let (found, statements) = capture_statements(agents::find_endpoint(&mut tx, agent, now)).await;
    found?.context("the endpoint is not there")?;
    let statement = statements
        .into_iter()
        .find(|text| text.contains("agents.system_info"))
        .context("the statement was not heard")?;
    let mut app = bench.connect("sg_app").await?;
    // As the server's connections have it.
    run(&mut app, "set plan_cache_mode = force_generic_plan; begin").await?;
    run(&mut app, open_context()).await?;
    run(&mut app, format!("prepare asked as {statement}")).await?;
    let mut times = Vec::new();
    for turn in 0..TURNS {
        let agent = format!("b0000000-0000-4000-8000-{:012}", 50_000 + turn % 5);
        let execute =
            format!("execute asked ('{agent}', 90, now() - interval '1 day', now() + interval '1 hour')");
        times.push(time(&mut app, &execute).await?);
    }
    report("series-latest", median(times.split_off(20)), None, "ms");
    Ok(())
}

async fn insert(bench: &Bench) -> Result<()> {
    let mut full = bench.connect("postgres").await?;
    let mut empty = PgConnection::connect(bench.cluster.superuser_url("empty").expose_secret()).await?;
    for conn in [&mut full, &mut empty] {
        run(conn, "set role sg_system").await?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let batch = BATCH.replace("{offset}", &(turn % 5 * 1000).to_string());
        ours.push(time(&mut full, &batch).await?);
        theirs.push(time(&mut empty, &batch).await?);
    }
    report(
        "series-insert",
        median(ours.split_off(20)),
        Some(median(theirs.split_off(20))),
        "ms per 1000 rows",
    );
    Ok(())
}
