//! What grows: metrics, heartbeats, counters. Plans, bytes and counters of PostgreSQL, no clocks.

use sqlx::AssertSqlSafe;

use super::*;

/// Metrics of 20 endpoints, `rows` in all, within the current hour.
async fn add_metrics(conn: &mut PgConnection, rows: usize) -> anyhow::Result<()> {
    for number in 0..20 {
        add_endpoint(conn, &format!("host-{number}")).await?;
    }
    let insert = format!(
        "insert into agents.system_info (agent_id, cpu_usage, memory_usage, collected_at)
         select e.agent_id, 12.5, 40, now() - n * interval '1 second'
         from generate_series(1, {rows} / 20) n cross join agents.endpoints e where e.hostname like 'host-%'"
    );
    Ok(run(conn, insert).await?)
}

pub(super) async fn latest_metrics_scan(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.administrator().await?;
    add_metrics(&mut conn, 20_000).await?;
    run(
        &mut subject.test.connect("postgres").await?,
        "analyze agents.system_info",
    )
    .await?;
    let plan = texts(
        &mut conn,
        "explain (costs off) select cpu_usage from agents.system_info
         where agent_id = '00000000-0000-4000-8000-000000000000' order by collected_at desc limit 1",
    )
    .await?
    .join("\n");
    // Reading an empty partition from end to end costs nothing.
    let mut scanned = 0;
    for line in plan.lines() {
        if let Some((_, table)) = line.split_once("Seq Scan on ") {
            let table = table.split_whitespace().next().unwrap_or_default();
            scanned += count(&mut conn, format!("select pg_relation_size('agents.{table}')")).await?;
        }
    }
    let by_index = plan.contains("agent_id_collected_at_idx");
    assert_ne!(scanned > 0, by_index, "{plan}");
    Ok(!by_index)
}

/// The default of the documented `info_id` in a table of nothing else: how much larger its index gets than it has to be.
pub(super) async fn ids_split_pages(subject: &Subject) -> anyhow::Result<bool> {
    let mut root = subject.test.connect("postgres").await?;
    let default = text(
        &mut root,
        "select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
         where d.adrelid = 'agents.system_info'::regclass and a.attname = 'info_id'",
    )
    .await?
    .unwrap_or_default();
    run(
        &mut root,
        format!("create table public.ids (id uuid primary key default {default}, n integer)"),
    )
    .await?;
    run(
        &mut root,
        "insert into public.ids (n) select generate_series(1, 60000)",
    )
    .await?;
    let ascending = count(
        &mut root,
        "select count(*) from (select id < lead(id) over (order by n) as up from public.ids) x where up",
    )
    .await?;
    let size = "select pg_relation_size('public.ids_pkey')";
    let grown = count(&mut root, size).await?;
    run(&mut root, "reindex index public.ids_pkey").await?;
    let packed = count(&mut root, size).await?;
    let wasteful = grown * 100 > packed * 115;
    assert_eq!(
        wasteful,
        grown * 100 > packed * 107,
        "{grown} bytes, {packed} packed"
    );
    assert_eq!(
        wasteful,
        ascending < 59_000,
        "{ascending} of 60000 neighbours ascend"
    );
    Ok(wasteful)
}

pub(super) async fn expiry_writes_as_much_as_it_removes(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.administrator().await?;
    add_metrics(&mut conn, 20_000).await?;
    let mut root = subject.test.connect("postgres").await?;
    let size = if subject.is_printed() {
        "select pg_total_relation_size('agents.system_info')"
    } else {
        "select sum(pg_total_relation_size(relid))::bigint from pg_partition_tree('agents.system_info')"
    };
    let before = count(&mut root, size).await?;
    let expiry = if subject.is_printed() {
        "delete from agents.system_info where collected_at < now() + interval '1 day'"
    } else {
        "select agents.drop_expired_partitions(now() + interval '200 days')"
    };
    let written = wal_bytes(&mut root, expiry).await?;
    assert_eq!(
        count(&mut root, "select count(*) from agents.system_info").await?,
        0
    );
    let after = count(&mut root, size).await?;
    let (costly, unshrunk) = (written > 1_000_000, after * 2 > before);
    assert_eq!(
        costly, unshrunk,
        "{written} bytes of log, {before} bytes before, {after} after"
    );
    Ok(costly)
}

pub(super) async fn heartbeats_rewrite_indexes(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.administrator().await?;
    for number in 0..20 {
        add_endpoint(&mut conn, &format!("host-{number}")).await?;
    }
    let (table, column) = if subject.is_printed() {
        ("agents.endpoints", "last_seen")
    } else {
        run(
            &mut conn,
            "update agents.heartbeats set last_seen_at = now(), online = true",
        )
        .await?;
        ("agents.heartbeats", "last_seen_at")
    };
    let counters = format!(
        "select array[pg_stat_get_xact_tuples_updated('{table}'::regclass), pg_stat_get_xact_tuples_hot_updated('{table}'::regclass)]"
    );
    let agents = texts(
        &mut conn,
        "select agent_id::text from agents.endpoints where hostname like 'host-%'",
    )
    .await?;
    let (mut updates, mut hot) = (0, 0);
    for agent in agents.iter().cycle().take(200) {
        // The counters of earlier transactions may not have been passed on yet.
        run(&mut conn, "begin").await?;
        let before: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(counters.clone()))
            .fetch_one(&mut conn)
            .await?;
        run(
            &mut conn,
            format!("update {table} set {column} = clock_timestamp() where agent_id = '{agent}'"),
        )
        .await?;
        let after: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(counters.clone()))
            .fetch_one(&mut conn)
            .await?;
        run(&mut conn, "commit").await?;
        updates += after[0] - before[0];
        hot += after[1] - before[1];
    }
    assert_eq!(updates, 200);
    assert!(hot == 0 || hot >= 100, "{hot} of {updates} are HOT");
    Ok(hot == 0)
}

pub(super) async fn usage_count_ends(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    run(
        &mut conn,
        "insert into users.api_keys (user_id, key_hash, key_name, key_prefix, usage_count)
         select user_id, repeat('ab', 32), 'installer', 'sg_abc', 2147483647 from users.users where username = 'ada'",
    )
    .await?;
    match run(
        &mut conn,
        "update users.api_keys set usage_count = usage_count + 1",
    )
    .await
    {
        Ok(()) => Ok(false),
        refused => {
            assert_eq!(refusal(refused), "22003");
            Ok(true)
        }
    }
}
