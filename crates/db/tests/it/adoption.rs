//! A database that was built from the printed DDL, with rows in it that the stricter rules refuse.

use std::collections::BTreeMap;

use sg_testkit::TestDb;
use sqlx::PgConnection;

use crate::{migration::printed, support::*};

const EARLIER_ROWS: &str = include_str!("../fixtures/earlier_rows.sql");
/// The documented tables and their keys.
const TABLES: [(&str, &str); 6] = [
    ("users.users", "user_id"),
    ("users.password_policies", "policy_id"),
    ("users.api_keys", "key_id"),
    ("agents.endpoints", "agent_id"),
    ("agents.system_info", "info_id"),
    ("threats.incidents", "threat_id"),
];

/// The printed database without the sample user, with the earlier rows.
async fn earlier() -> anyhow::Result<TestDb> {
    let test = printed().await?;
    let mut conn = test.connect("postgres").await?;
    run(&mut conn, "delete from users.users").await?;
    run(&mut conn, EARLIER_ROWS).await?;
    Ok(test)
}

/// Table and key → the row's documented columns as text.
async fn rows(
    conn: &mut PgConnection,
    columns: &BTreeMap<&str, Vec<String>>,
) -> anyhow::Result<BTreeMap<(String, String), String>> {
    let mut all = BTreeMap::new();
    for (table, key) in TABLES {
        let list = columns[table].join(", ");
        for line in texts(
            conn,
            format!("select {key} || '=' || to_jsonb(r) from (select {list} from {table}) r"),
        )
        .await?
        {
            let (id, row) = line.split_once('=').unwrap_or_default();
            all.insert((table.to_owned(), id.to_owned()), row.to_owned());
        }
    }
    Ok(all)
}

async fn columns(conn: &mut PgConnection) -> anyhow::Result<BTreeMap<&'static str, Vec<String>>> {
    let mut all = BTreeMap::new();
    for (table, _) in TABLES {
        let names = texts(
            conn,
            format!("select attname::text from pg_attribute where attrelid = '{table}'::regclass and attnum > 0 order by attname"),
        )
        .await?;
        all.insert(table, names);
    }
    Ok(all)
}

#[tokio::test]
async fn no_row_is_lost_and_none_changes_unreported() -> anyhow::Result<()> {
    let test = earlier().await?;
    let mut root = test.connect("postgres").await?;
    let columns = columns(&mut root).await?;
    let before = rows(&mut root, &columns).await?;
    assert_eq!(before.len(), 37);
    let report = test.migrate().await?;
    let after = rows(&mut root, &columns).await?;
    for ((table, id), row) in &before {
        let key = (table.clone(), id.clone());
        let reported: Vec<_> = report
            .adopted
            .iter()
            .filter(|entry| entry.table_name == *table && entry.row_id == *id)
            .collect();
        match after.get(&key) {
            Some(now) if now == row => {}
            Some(now) => assert!(
                !reported.is_empty(),
                "{table} {id} changed unreported\n{row}\n{now}"
            ),
            None => assert!(
                reported
                    .iter()
                    .any(|entry| entry.repair.starts_with("quarantined")),
                "{table} {id} is gone and was not quarantined: {reported:?}"
            ),
        }
    }
    let lost: Vec<_> = before
        .keys()
        .filter(|key| !after.contains_key(*key))
        .map(|(table, _)| table.as_str())
        .collect();
    assert_eq!(
        lost,
        ["users.password_policies", "users.password_policies"],
        "only surplus policies leave their table"
    );
    Ok(())
}

#[tokio::test]
async fn every_repair_is_reported_row_by_row() -> anyhow::Result<()> {
    let test = earlier().await?;
    let report = test.migrate().await?;
    let entries: Vec<_> = report
        .adopted
        .iter()
        .map(|row| {
            format!(
                "{} {} | {} | {}",
                row.table_name, row.row_id, row.problem, row.repair
            )
        })
        .collect();
    let mut sorted = entries.clone();
    sorted.sort();
    let expected: Vec<_> = include_str!("../fixtures/earlier_rows.report.txt")
        .lines()
        .collect();
    assert_eq!(sorted, expected, "the report, sorted:\n{}", sorted.join("\n"));

    // The report holds the rows as they were, and no secret of theirs.
    let mut root = test.connect("postgres").await?;
    let secrets = "select count(*) from audit.adoption_report r where r::text ~ '(HASH|SECRET|(b2){8}|(B2){8})' or before ? 'key_hash'";
    assert_eq!(count(&mut root, secrets).await?, 0);
    let quarantined = "select before ->> 'lockout_duration_minutes' from audit.adoption_report
        where row_id = '20000000-0000-4000-8000-000000000003'";
    assert_eq!(text(&mut root, quarantined).await?.as_deref(), Some("60"));
    let mut admin = test.connect("sg_admin").await?;
    assert_eq!(
        count(&mut admin, "select count(*) from audit.adoption_report").await?,
        i64::try_from(entries.len())?
    );
    Ok(())
}

#[tokio::test]
async fn people_sign_in_as_before_or_by_the_reported_name() -> anyhow::Result<()> {
    let test = earlier().await?;
    test.migrate().await?;
    let mut root = test.connect("postgres").await?;
    for (name, outcome) in [
        ("sound", "t HASH-1 system_admin f"),
        ("locked", "f HASH-2 manager f"),
        ("bob", "t HASH-4 user f"),
        ("bob-00000000-0000-4000-8000-000000000003", "t HASH-3 user f"),
        ("bob-00000000-0000-4000-8000-000000000005", "t HASH-5 user f"),
        ("bob-00000000", "t HASH-6 user f"),
        (&"n".repeat(50), "t HASH-7 user f"),
        (&format!("{}-10000000", "N".repeat(41)), "t HASH-8 user f"),
        ("user-10000000-0000-4000-8000-000000000009", "t HASH-9 user f"),
        ("odd", "f HASH-10 user f"),
        // The counter ran on without ever locking: this attempt is the last before a lock.
        ("mixed", "t HASH-11 user t"),
    ] {
        let gate = format!(
            "select concat_ws(' ', allowed, password_hash, role, locked_now) from users.begin_login_attempt('{name}', now())"
        );
        assert_eq!(text(&mut root, gate).await?.as_deref(), Some(outcome), "{name}");
    }
    // Everybody is a member at home by their role; a password whose age nobody knows has to be changed.
    assert_eq!(
        count(
            &mut root,
            "select count(*) from users.users u where not exists (select 1 from users.memberships m
                where m.user_id = u.user_id and m.tenant_id = u.tenant_id and m.role = u.role and m.expires_at is null)"
        )
        .await?,
        0
    );
    // The times are such that a program can read them.
    let caller = test.db.system("test").await?;
    drop(caller);
    let history = "select password_history::text from users.users where username = 'mixed'";
    assert_eq!(
        text(&mut root, history).await?.as_deref(),
        Some("[\"OLD-HASH-4\"]")
    );
    Ok(())
}

#[tokio::test]
async fn everything_is_in_the_tenant_it_belongs_to() -> anyhow::Result<()> {
    let test = earlier().await?;
    test.migrate().await?;
    let mut root = test.connect("postgres").await?;
    assert_eq!(
        texts(&mut root, "select slug::text from users.tenants order by 1").await?,
        [
            "11111111-0000-4000-8000-000000000000",
            "22222222-0000-4000-8000-000000000000",
            "33333333-0000-4000-8000-000000000000",
            "default",
            "system"
        ]
    );
    let endpoints = "select concat_ws(' ', hostname, left(tenant_id::text, 4), right(tenant_id::text, 1), status, heartbeat_interval,
        registered_via_key_id is not null, user_id is not null) from agents.endpoints order by agent_id";
    assert_eq!(
        texts(&mut root, endpoints).await?,
        [
            "sound 1111 0 active 60 t t",
            "foreign 3333 0 inactive 300 f t",
            "of-user 2222 0 active 300 f t",
            "of-key 2222 0 inactive 300 t f",
            "of-nobody 0000 1 inactive 300 f f",
            "long 1111 0 decommissioned 86400 t f"
        ]
    );
    // Work that was given to people of other tenants stays theirs, but opens nothing to them.
    let incidents = "select concat_ws(' ', title, left(tenant_id::text, 4), status, assigned_to is not null, resolved_by is not null,
        coalesce(confidence_score::text, '-'), last_detected_at = detected_at) from threats.incidents order by threat_id";
    assert_eq!(
        texts(&mut root, incidents).await?,
        [
            "sound 1111 resolved t t 0.95 t",
            "foreign 3333 investigating t t 1.00 t",
            "odd 0000 new f f - t"
        ]
    );
    let guests = "select concat_ws(' ', left(tenant_id::text, 4), right(user_id::text, 1), role, expires_at <= now())
        from users.memberships m where not exists (
            select 1 from users.users u where u.user_id = m.user_id and u.tenant_id = m.tenant_id) order by 1";
    assert_eq!(
        texts(&mut root, guests).await?,
        ["3333 1 user t", "3333 5 user t"]
    );
    // The policy that ruled everybody goes on ruling each tenant.
    let policies = "select distinct concat_ws('/', min_length, max_age_days, history_count, max_failed_attempts, lockout_duration_minutes)
        from users.password_policies";
    assert_eq!(texts(&mut root, policies).await?, ["128/0/24/100/1"]);
    assert_eq!(
        count(&mut root, "select count(*) from users.password_policies").await?,
        5
    );
    let keys = "select concat_ws(' ', key_name, left(tenant_id::text, 4), is_active, left(key_hash, 9), scopes) from users.api_keys order by key_id";
    assert_eq!(
        texts(&mut root, keys).await?,
        [
            "sound 1111 t a1a1a1a1a {enrol,api}",
            "older 2222 t b2b2b2b2b {enrol,api}",
            "newer 1111 f duplicate {enrol,api}",
            "capitals 1111 f duplicate {enrol,api}",
            "foreign 1111 t SECRET-BC {enrol,api}",
            "long 1111 t unusable: {enrol,api}"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn metrics_keep_their_time_and_outlast_the_first_clean_up() -> anyhow::Result<()> {
    let test = earlier().await?;
    test.migrate().await?;
    let mut root = test.connect("postgres").await?;
    let places = "select right(info_id::text, 1) || ' ' || case when tableoid::regclass::text ~ '[0-9]{8}$' then 'day'
        else regexp_replace(tableoid::regclass::text, '^.*_', '') end from agents.system_info order by info_id";
    let expected = [
        "1 day",
        "2 day",
        "3 earlier",
        "4 earlier",
        "5 default",
        "6 default",
        "7 day",
        "8 earlier",
    ];
    assert_eq!(texts(&mut root, places).await?, expected);
    // The jobs that run from now on drop none of them, and make room for the row that is ahead of its time.
    run(&mut root, "select agents.drop_expired_partitions(now()), agents.ensure_partitions(now() + interval '10 days', 8)").await?;
    assert_eq!(
        count(&mut root, "select count(*) from agents.system_info").await?,
        8
    );
    assert_eq!(
        text(&mut root, "select (tableoid::regclass::text ~ '[0-9]{8}$')::text from agents.system_info where info_id::text like '%5'").await?.as_deref(),
        Some("true")
    );
    assert_eq!(
        texts(
            &mut root,
            "select concat_ws(' ', coalesce(cpu_usage::text, '-'), coalesce(memory_usage::text, '-'), coalesce(disk_usage::text, '-'),
                coalesce(uptime::text, '-'), coalesce(process_count::text, '-')) from agents.system_info
             where right(info_id::text, 1) in ('7', '8') order by info_id"
        )
        .await?,
        ["- - - - -", "1.00 - - 4 5"]
    );
    Ok(())
}

#[tokio::test]
async fn a_busy_table_is_adopted_whole() -> anyhow::Result<()> {
    let test = earlier().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        "insert into agents.system_info (agent_id, cpu_usage, collected_at)
         select '40000000-0000-4000-8000-000000000001', n % 100, now() - make_interval(secs => n * 600) from generate_series(1, 20000) n",
    )
    .await?;
    let sum = "select count(*) || ' ' || sum(cpu_usage) || ' ' || sum(extract(epoch from collected_at)) from agents.system_info
        where agent_id = '40000000-0000-4000-8000-000000000001'";
    let before = text(&mut root, sum).await?;
    test.migrate().await?;
    assert_eq!(text(&mut root, sum).await?, before);
    Ok(())
}
