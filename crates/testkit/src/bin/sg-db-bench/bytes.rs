//! Bytes on disk of an endpoint's day, against the contract's table as it is printed there, with the one index without which no endpoint's chart can be read.

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};
use sg_db::agents::roll_up;
use sg_testkit::bulk;
use sg_types::{Clock, SystemClock};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{Bench, report, run, say};

/// Check-ins of a day at the default heartbeat of 300 s.
const SAMPLES: i64 = 288;
const HEARTBEAT_SECONDS: i64 = 300;
/// Days for which charts have hours at least.
const KEPT_DAYS: f64 = 400.0;
/// Days for which a tenant of the default class keeps its samples.
const RAW_DAYS: f64 = 90.0;
/// Hours that are rolled up in a transaction.
const STEP: i32 = 5_000;

const NAIVE: &str = "
    create table public.system_info (
        info_id uuid primary key default gen_random_uuid(), agent_id uuid not null, cpu_usage decimal(5,2), memory_usage decimal(5,2),
        disk_usage decimal(5,2), network_usage jsonb, uptime bigint, process_count integer, service_status jsonb,
        collected_at timestamptz not null default now());
    create index on public.system_info (agent_id, collected_at desc)";
/// A sample of each endpoint, in no order.
const SAMPLE: &str = "
    select e.agent_id, e.tenant_id, (random() * 100)::numeric(5,2) as cpu, 41.25 as memory, 56.5 as disk,
        '[{\"interface\":\"eth0\",\"rx_bytes_per_second\":1000,\"tx_bytes_per_second\":500}]'::jsonb as network, 864000 as uptime, 213 as processes,
        '[]'::jsonb as services, '{at}'::timestamptz + make_interval(secs => random() * 299) as at
    from agents.endpoints e where e.kind = 'agent' order by random()";
const OURS: &str = "
    insert into agents.system_info (agent_id, tenant_id, cpu_usage, memory_usage, disk_usage, network_usage, uptime, process_count, service_status,
        collected_at, received_at)
    select agent_id, tenant_id, cpu, memory, disk, network, uptime, processes, services, at, at from sample";
const THEIRS: &str = "
    insert into public.system_info (agent_id, cpu_usage, memory_usage, disk_usage, network_usage, uptime, process_count, service_status, collected_at)
    select agent_id, cpu, memory, disk, network, uptime, processes, services, at from sample";

pub(crate) async fn measure(bench: &Bench, endpoints: i64) -> Result<()> {
    let mut root = bench.connect("postgres").await?;
    bulk::insert_tenants(&mut root, u32::try_from((endpoints / 1_000).clamp(1, 100))?).await?;
    run(&mut root, "set session_replication_role = origin").await?;
    run(&mut root, NAIVE).await?;
    run(
        &mut root,
        "select agents.ensure_partitions(now() - interval '3 days', 3)",
    )
    .await?;
    let endpoints: i64 = sqlx::query_scalar("select count(*) from agents.endpoints where kind = 'agent'")
        .fetch_one(&mut root)
        .await?;
    let now = SystemClock.now();
    let yesterday = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc() - Duration::days(1);
    fill(&mut root, yesterday).await?;
    say("rolling up");
    let db = bench.open()?;
    loop {
        let mut tx = db.system("bench").await?;
        let done = roll_up(&mut tx, now, STEP).await?;
        tx.commit_upkeep().await?;
        if done < STEP {
            break;
        }
    }
    let theirs = each(&mut root, "public.system_info", endpoints).await?;
    let raw = each(&mut root, "agents.system_info", endpoints).await?;
    let hours = each(&mut root, "agents.system_info_hourly", endpoints).await?;
    let days = each(&mut root, "agents.system_info_daily", endpoints).await?;
    report("bytes-endpoint-day-samples", raw, Some(theirs), "bytes");
    report("bytes-endpoint-day-rolled-up", hours + days, None, "bytes");
    let kept = RAW_DAYS * raw + KEPT_DAYS * (hours + days);
    report(
        "bytes-endpoint-in-400-days",
        kept / 1e6,
        Some(KEPT_DAYS * theirs / 1e6),
        "MB",
    );
    report(
        "bytes-million-endpoints-day",
        (raw + hours + days) / 1e3,
        Some(theirs / 1e3),
        "GB",
    );
    Ok(())
}

/// One day's samples in both tables, as they come: every endpoint once in each heartbeat.
async fn fill(root: &mut PgConnection, day: DateTime<Utc>) -> Result<()> {
    for turn in 0..SAMPLES {
        let at = day + Duration::seconds(turn * HEARTBEAT_SECONDS);
        run(root, "drop table if exists pg_temp.sample").await?;
        let sample = SAMPLE.replace("{at}", &at.to_rfc3339());
        run(root, format!("create temp table sample as {sample}")).await?;
        run(root, OURS).await?;
        run(root, THEIRS).await?;
        if turn % 48 == 47 {
            say(&format!("{} of {SAMPLES} samples of each endpoint", turn + 1));
        }
    }
    Ok(())
}

/// Bytes of a table with its partitions and indexes, for each endpoint. What an empty partition takes is left out: there is one of them for all.
async fn each(root: &mut PgConnection, table: &str, endpoints: i64) -> Result<f64> {
    let query = format!(
        "select sum(pg_total_relation_size(c.oid))::float8 / {endpoints} from pg_class c
         where (c.oid = '{table}'::regclass or c.oid in (select t.relid from pg_partition_tree('{table}') t)) and c.relkind = 'r'
            and pg_relation_size(c.oid) > 0"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(root).await?)
}
