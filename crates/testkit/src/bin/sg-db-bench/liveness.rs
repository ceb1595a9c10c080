//! What it costs to look for endpoints that do not check in: ten seconds' worth of a fleet, against reading every heartbeat.

use std::time::Instant;

use anyhow::{Context, Result};
use chrono::{Duration, Utc};
use sg_db::agents::{mark_offline, note_watch};
use sg_types::{Clock, SystemClock};

use super::{Bench, median, report, run, say, time};

/// Looks that are timed.
const LOOKS: i64 = 20;
/// Seconds between two looks.
const PERIOD: i64 = 10;
const BATCH: i64 = 5_000;

/// Endpoints of 1,000 tenants, each checked in within the last five minutes and due within the ten minutes after. `ROWS` is how many.
const FLEET: &str = "
    set session_replication_role = replica;
    insert into agents.endpoints (agent_id, tenant_id, hostname, created_at)
    select gen_random_uuid(), ('a0000000-0000-4000-8000-' || lpad((1 + e % 1000)::text, 12, '0'))::uuid, 'host-' || e, now()
    from generate_series(1, ROWS) e;
    insert into agents.heartbeats (agent_id, tenant_id, last_seen_at, sources)
    select agent_id, tenant_id, now() + interval '1 hour', '[{\"area\": \"process\", \"source\": \"proc_connector\", \"gap\": \"a sentence of some length\"}]'
    from agents.endpoints on conflict do nothing;
    delete from agents.deadlines;
    insert into agents.deadlines (agent_id, tenant_id, look_at)
    select agent_id, tenant_id, now() + make_interval(secs => random() * 450) from agents.endpoints;
    set session_replication_role = origin;
    analyze";

pub(super) async fn measure(bench: &Bench, rows: i64) -> Result<()> {
    say(&format!("making {rows} endpoints"));
    let mut root = bench.connect("postgres").await?;
    run(&mut root, FLEET.replace("ROWS", &rows.to_string())).await?;
    run(&mut root, "checkpoint").await?;
    let db = bench.open()?;
    let begin = SystemClock.now();
    let mut spent = Vec::new();
    let mut looked = 0;
    for look in 1..=LOOKS {
        let at = begin + Duration::seconds(look * PERIOD);
        let began = Instant::now();
        looked += look_once(&db, at).await?;
        spent.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    say(&format!("{} endpoints were due in each look", looked / LOOKS));
    let scan = "select count(*) from agents.heartbeats h join agents.endpoints e on e.agent_id = h.agent_id
        where h.online and h.last_seen_at < now() - make_interval(secs => 2 * e.heartbeat_interval)";
    let mut scans = Vec::new();
    for _ in 0..3 {
        scans.push(time(&mut root, scan).await?);
    }
    report("liveness-look", median(spent), Some(median(scans)), "ms");
    let bytes: i64 = sqlx::query_scalar("select pg_total_relation_size('agents.deadlines')")
        .fetch_one(&mut root)
        .await?;
    let each = bytes.checked_div(rows).context("no endpoints")?;
    report(
        "liveness-bytes",
        f64::from(i32::try_from(each)?),
        None,
        "bytes/endpoint",
    );
    Ok(())
}

async fn look_once(db: &sg_db::Db, at: chrono::DateTime<Utc>) -> Result<i64> {
    let mut total = 0;
    loop {
        let mut tx = db.system("bench").await?;
        let watching_since = note_watch(&mut tx, at).await?;
        let look = mark_offline(&mut tx, at, watching_since, BATCH).await?;
        tx.commit_upkeep().await?;
        total += look.looked_at;
        if look.looked_at < BATCH {
            return Ok(total);
        }
    }
}
