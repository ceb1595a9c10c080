//! What the database does for the chain of the audit log: it hashes and queues each row, and lets nobody around it.

use sg_db::audit::{AuditTable, read_rows, take_unsealed};
use sg_testkit::TestDb;
use sqlx::Row;

use crate::support::*;

#[tokio::test]
async fn every_row_is_hashed_and_queued_with_every_column() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    // Every column but the hash is part of what is hashed, so that a column that comes later cannot be forgotten.
    for table in AuditTable::ALL {
        let columns = texts(
            &mut root,
            format!(
                "select attname::text from pg_attribute where attrelid = '{}'::regclass and attnum > 0 and not attisdropped
                    and attname <> 'row_hash' order by attnum",
                table.name()
            ),
        )
        .await?;
        let hashed: Vec<&str> = table.columns().iter().map(|(name, _)| *name).collect();
        assert_eq!(columns, hashed, "{}", table.name());
        let without = format!("select count(*) from {} where row_hash is null", table.name());
        assert_eq!(count(&mut root, without).await?, 0, "{}", table.name());
        assert!(count(&mut root, format!("select count(*) from {}", table.name())).await? > 0);
    }
    // In whatever partition it lies, also the default one; and whoever writes.
    run(
        &mut test.connect("sg_system").await?,
        "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
         select gen_random_uuid(), tenant_id, at, 'system', 'x.y', 'success' from users.tenants, (values (timestamptz '1999-12-31'), (now()),
            (timestamptz '2231-03-30')) t (at)",
    )
    .await?;
    let queued = "select count(*) from (
        select 1::smallint as code, tenant_id, event_id as id, occurred_at, row_hash from audit.events
        union all select 2, tenant_id, change_id, occurred_at, row_hash from audit.row_changes
        union all select 3, tenant_id, attempt_id, occurred_at, row_hash from audit.login_attempts
        union all select 4, tenant_id, record_id, occurred_at, row_hash from audit.chain_records) r
        left join audit.unsealed u on u.tenant_id = r.tenant_id and u.row_id = r.id and u.row_time = r.occurred_at and u.row_hash = r.row_hash
            and u.table_code = r.code
        where u.tenant_id is null";
    assert_eq!(count(&mut root, queued).await?, 0, "rows that are not queued");
    Ok(())
}

#[tokio::test]
async fn a_row_is_queued_when_its_transaction_commits() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let insert = |at: &str| {
        format!(
            "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
             values (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', {at}, 'system', 'x.y', 'success')"
        )
    };
    let (mut early, mut late) = (test.connect("sg_system").await?, test.connect("sg_system").await?);
    let waiting = async || -> anyhow::Result<usize> {
        let mut tx = test.db.system("test").await?;
        let rows = take_unsealed(&mut tx, None, 1_000).await?;
        tx.commit_upkeep().await?;
        Ok(rows.len())
    };
    waiting().await?;
    run(&mut early, "begin").await?;
    run(&mut early, insert("now()")).await?;
    run(&mut late, insert("now() + interval '1 hour'")).await?;
    assert_eq!(waiting().await?, 1, "the earlier one has not committed");
    run(&mut early, "commit").await?;
    assert_eq!(waiting().await?, 1, "and comes when it does, however late");
    run(&mut early, "begin").await?;
    run(&mut early, insert("now()")).await?;
    run(&mut early, "rollback").await?;
    assert_eq!(waiting().await?, 0);
    Ok(())
}

#[tokio::test]
async fn nobody_gets_around_the_hash() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let values = format!(
        "gen_random_uuid(), '{TENANT_A}', now(), 'user', 'aaaaaaaa-0000-4000-8000-000000000001', 'x.y', 'success'"
    );
    let columns = "event_id, tenant_id, occurred_at, actor_kind, actor_id, action, outcome";
    let mut app = test.connect("sg_app").await?;
    let mut system = test.connect("sg_system").await?;
    let mut admin = test.connect("sg_admin").await?;
    for (statement, code) in [
        (
            format!("insert into audit.events ({columns}, row_hash) values ({values}, sha256('x'))"),
            "42501",
        ),
        (
            format!(
                "insert into audit.events ({columns}) values ({})",
                values.replace("now()", "'infinity'")
            ),
            "23514",
        ),
        (
            format!(
                "insert into audit.unsealed (tenant_id, table_code, row_id, row_time) values ('{TENANT_A}', 1, gen_random_uuid(), now())"
            ),
            "42501",
        ),
        ("delete from audit.unsealed".to_owned(), "42501"),
        ("delete from audit.chain".to_owned(), "42501"),
        ("update audit.chain_heads set position = 0".to_owned(), "42501"),
        (
            "insert into audit.checkpoints select * from audit.checkpoints".to_owned(),
            "42501",
        ),
        ("truncate audit.unsealed".to_owned(), "42501"),
        ("select audit.erase_rows(null, null, 1)".to_owned(), "42501"),
        ("select audit.drop_partition('x', now())".to_owned(), "42501"),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(ADMIN_A)).await?;
        assert_eq!(
            refusal(run(&mut app, statement.clone()).await),
            code,
            "{statement}"
        );
        run(&mut app, "rollback").await?;
        if code == "42501" && !statement.contains("audit.erase") {
            assert_eq!(
                refusal(run(&mut admin, statement.clone()).await),
                code,
                "sg_admin: {statement}"
            );
        }
    }
    for (statement, code) in [
        (format!("insert into audit.events ({columns}, row_hash) values ({values}, sha256('x'))"), "42501"),
        ("update audit.chain set position = position + 1".to_owned(), "42501"),
        ("delete from audit.checkpoints".to_owned(), "42501"),
        // A tenant that is not erased keeps its log, and a month younger than a year stays, whatever time one claims.
        (format!("select audit.erase_rows('{TENANT_A}', 'aaaaaaaa-0000-4000-8000-000000000061', 10)"), "22023"),
        ("select audit.drop_partition(i.inhrelid::regclass::text, timestamptz '2100-01-01') from pg_inherits i
            where i.inhparent = 'audit.events'::regclass order by i.inhrelid limit 1".to_owned(), "22023"),
        ("select audit.drop_partition('users.users', '2100-01-01')".to_owned(), "22023"),
        ("select audit.drop_partition('audit.events_default', '2100-01-01')".to_owned(), "22023"),
    ] {
        assert_eq!(refusal(run(&mut system, statement.clone()).await), code, "{statement}");
    }
    let mut root = test.connect("postgres").await?;
    for table in [
        "audit.chain",
        "audit.checkpoints",
        "audit.chain_records",
        "audit.events",
    ] {
        let delete = format!("delete from {table}");
        assert_eq!(
            refusal(run(&mut root, delete).await),
            "42501",
            "{table}, even as the superuser while triggers are on"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_row_that_moves_into_its_partition_keeps_its_hash_and_is_queued_once() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut system = test.connect("sg_system").await?;
    run(
        &mut system,
        "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
         values ('aaaaaaaa-0000-4000-8000-000000000001', '00000000-0000-0000-0000-000000000001', '2031-03-30 12:00:00+00', 'system', 'x.y',
            'success')",
    )
    .await?;
    let mut root = test.connect("postgres").await?;
    let hash = "select encode(row_hash, 'hex') from audit.events where action = 'x.y'";
    let before = text(&mut root, hash).await?;
    run(&mut system, "select agents.ensure_partitions('2031-03-30', 0)").await?;
    assert_eq!(
        text(
            &mut root,
            "select tableoid::regclass::text from audit.events where action = 'x.y'"
        )
        .await?
        .as_deref(),
        Some("audit.events_20310301")
    );
    assert_eq!(text(&mut root, hash).await?, before);
    let queued = "select count(*) from audit.unsealed where row_id = 'aaaaaaaa-0000-4000-8000-000000000001'";
    assert_eq!(count(&mut root, queued).await?, 1);
    // The new partition has every index of its parent, those too that were built after the migration.
    let invalid = "select count(*) from pg_index where not indisvalid";
    assert_eq!(count(&mut root, invalid).await?, 0);
    Ok(())
}

#[tokio::test]
async fn rows_are_read_as_the_bytes_that_were_hashed() -> anyhow::Result<()> {
    use sha2::{Digest, Sha256};

    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        format!(
            "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_name, action, outcome, reason, address, detail)
             values (gen_random_uuid(), '{TENANT_A}', '2026-03-29 01:30:00.123456+02', 'system', 'Ünïcödé \" name', 'x.y', 'failure', '',
                '2001:db8::7', '{{\"b\": [1, 2.50], \"a\": \"ä\\u0001\"}}')"
        ),
    )
    .await?;
    for table in AuditTable::ALL {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "select {} as id, occurred_at from {}",
            table.id_column(),
            table.name()
        )))
        .fetch_all(&mut root)
        .await?;
        let keys: Vec<_> = rows
            .iter()
            .map(|row| (row.get("id"), row.get("occurred_at")))
            .collect();
        let mut tx = test.db.system_snapshot("test").await?;
        let stored = read_rows(&mut tx, table, &keys).await?;
        assert_eq!(stored.len(), keys.len());
        for row in stored {
            let mut bytes = (i32::try_from(row.fields.len())? + 1).to_be_bytes().to_vec();
            let domain = Some(table.domain().as_bytes().to_vec());
            for field in std::iter::once(&domain).chain(&row.fields) {
                bytes.extend(17_i32.to_be_bytes());
                let length = field.as_ref().map_or(Ok(-1), |f| i32::try_from(f.len()))?;
                bytes.extend(length.to_be_bytes());
                bytes.extend(field.as_deref().unwrap_or_default());
            }
            assert_eq!(
                Some(Sha256::digest(&bytes).to_vec()),
                row.row_hash,
                "{} {}",
                table.name(),
                row.row_id
            );
        }
    }
    Ok(())
}

/// The database as it was before the chain: the steps up to the fifteenth.
async fn without_chain() -> anyhow::Result<TestDb> {
    let test = TestDb::unmigrated().await?;
    let mut root = test.connect("postgres").await?;
    run(&mut root, include_str!("../../src/roles.sql")).await?;
    let mut steps = sqlx::migrate!("./migrations");
    let earlier: Vec<_> = steps.iter().filter(|step| step.version <= 15).cloned().collect();
    assert_eq!(earlier.len(), 15);
    steps.migrations = earlier.into();
    run(&mut root, "set role sg_owner").await?;
    steps.run(&mut root).await?;
    run(
        &mut root,
        "set role sg_auth; select users.rotate_context_key(); reset role",
    )
    .await?;
    Ok(test)
}

#[tokio::test]
async fn an_earlier_database_is_brought_to_the_chain_with_its_rows_while_others_work() -> anyhow::Result<()> {
    let test = without_chain().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
         select gen_random_uuid(), '00000000-0000-0000-0000-000000000001', now() - make_interval(secs => n), 'system', 'x.y', 'success'
         from generate_series(1, 5000) n",
    )
    .await?;
    // Somebody is in the middle of something that has nothing to do with it, and ends a little later.
    let mut other = test.connect("postgres").await?;
    run(&mut other, "begin; update users.tenants set name = name").await?;
    let release = async {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        run(&mut other, "commit").await
    };
    let (report, released) = tokio::join!(test.migrate(), release);
    released?;
    assert_eq!(report?.from_version, 15);
    assert_eq!(
        count(&mut root, "select count(*) from pg_index where not indisvalid").await?,
        0
    );
    let mut tx = test.db.system("test").await?;
    let mut waiting = 0;
    loop {
        let rows = take_unsealed(&mut tx, None, 2_000).await?;
        waiting += rows
            .iter()
            .filter(|row| row.row_hash.is_none() && row.table == AuditTable::Events)
            .count();
        if rows.is_empty() {
            break;
        }
    }
    assert_eq!(
        waiting, 5_000,
        "they wait for their place, to be hashed as what they are"
    );
    tx.commit_upkeep().await?;
    Ok(())
}
