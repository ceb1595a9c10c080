//! Legal hold: what it covers outlives every drop, stays readable, and expires when it is released.

use sg_db::cleanup;
use sg_testkit::TestDb;
use sqlx::PgConnection;

use crate::support::*;

const AT: &str = "'2030-06-01 00:00:00+00'";

/// Both endpoints of tenant A and one of tenant B with a row a day in January 2030, in a class of 90 days; events too.
async fn january() -> anyhow::Result<TestDb> {
    let test = two_tenants().await?;
    let mut system = test.connect("sg_system").await?;
    run(
        &mut system,
        "select agents.ensure_partitions('2030-01-03', 30);
         insert into agents.system_info (agent_id, cpu_usage, collected_at)
         select agent_id, d, timestamptz '2030-01-01 12:00:00+00' + make_interval(days => d)
         from agents.endpoints, generate_series(0, 29) d where hostname in ('own-a', 'other-a', 'own-b');
         insert into agents.events (event_id, tenant_id, agent_id, kind, occurred_at, received_at, detail)
         select gen_random_uuid(), tenant_id, agent_id, 'x', timestamptz '2030-01-01 12:00:00+00' + make_interval(days => d), now(), '{}'
         from agents.endpoints, generate_series(0, 29) d where hostname in ('own-a', 'other-a', 'own-b');
         insert into audit.login_attempts (attempt_id, tenant_id, occurred_at, username_or_digest, outcome, method)
         select gen_random_uuid(), tenant_id, '2030-01-10', 'x', 'success', 'password' from users.tenants",
    )
    .await?;
    Ok(test)
}

fn place(agent: Option<u32>, from: &str, to: Option<&str>) -> String {
    let literal = |text: Option<String>| text.map_or("null".to_owned(), |text| format!("'{text}'"));
    format!(
        "insert into agents.legal_holds (tenant_id, agent_id, from_at, to_at, reason, placed_by, placed_at)
         values ('{TENANT_A}', {}, '{from}', {}, 'a case', 'aaaaaaaa-0000-4000-8000-000000000001', now())",
        literal(agent.map(|number| format!("aaaaaaaa-0000-4000-8000-{number:012}"))),
        literal(to.map(str::to_owned))
    )
}

async fn expire(system: &mut PgConnection) -> anyhow::Result<(i64, usize)> {
    let moved = count(system, format!("select agents.move_held_rows({AT})")).await?;
    let dropped = texts(system, format!("select agents.drop_expired_partitions({AT})")).await?;
    Ok((moved, dropped.len()))
}

const METRICS: &str =
    "select concat_ws(' ', e.hostname, count(*), min(s.cpu_usage)::int, max(s.cpu_usage)::int)
    from agents.system_info s join agents.endpoints e using (agent_id)
    where s.collected_at between '2030-01-01' and '2030-02-01' group by e.hostname order by 1";
const EVENTS: &str = "select concat_ws(' ', e.hostname, count(*))
    from (select agent_id, occurred_at from agents.events union all select agent_id, occurred_at from agents.events_held) v
    join agents.endpoints e using (agent_id) where v.occurred_at between '2030-01-01' and '2030-02-01' group by e.hostname order by 1";

#[tokio::test]
async fn what_is_held_outlives_the_drop_and_only_that() -> anyhow::Result<()> {
    let test = january().await?;
    let mut admin = test.connect("sg_admin").await?;
    run(&mut admin, place(Some(11), "2030-01-05", Some("2030-01-08"))).await?;
    let mut system = test.connect("sg_system").await?;
    let (moved, dropped) = expire(&mut system).await?;
    assert_eq!(moved, 6);
    assert!(dropped > 120, "{dropped}");
    assert_eq!(texts(&mut system, METRICS).await?, ["own-a 3 4 6"]);
    assert_eq!(texts(&mut system, EVENTS).await?, ["own-a 3"]);
    assert_eq!(expire(&mut system).await?, (0, 0), "nothing more to do");

    // It is behind the same walls: the tenant and the endpoint's own user see it, others do not.
    let mut app = test.connect("sg_app").await?;
    for (token, rows) in [(ADMIN_A, 3), (USER_A, 3), (ADMIN_B, 0)] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        let seen = "select count(*) from agents.system_info where collected_at between '2030-01-01' and '2030-02-01'";
        assert_eq!(count(&mut app, seen).await?, rows, "{token}");
        let seen = "select count(*) from agents.events_held where occurred_at > '2030-01-01'";
        assert_eq!(count(&mut app, seen).await?, rows, "{token}");
        run(&mut app, "rollback").await?;
    }

    // Released, it goes as if it had never been held; another hold on a part of it keeps that part.
    run(&mut admin, place(None, "2030-01-06", Some("2030-01-07"))).await?;
    run(&mut admin, "update agents.legal_holds set released_at = now(), released_by = placed_by where to_at = '2030-01-08'").await?;
    for _ in 0..2 {
        let mut tx = test.db.system("test").await?;
        for kind in cleanup::CLEANUPS
            .iter()
            .filter(|kind| kind.name.starts_with("released_"))
        {
            cleanup::run_cleanup(&mut tx, kind, "2030-06-01T00:00:00Z".parse()?).await?;
        }
        tx.commit_upkeep().await?;
        assert_eq!(texts(&mut system, METRICS).await?, ["own-a 1 5 5"]);
        assert_eq!(texts(&mut system, EVENTS).await?, ["own-a 1"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_drop_by_itself_never_loses_a_held_row() -> anyhow::Result<()> {
    let test = january().await?;
    let mut admin = test.connect("sg_admin").await?;
    run(&mut admin, place(None, "2030-01-30", None)).await?;
    let mut system = test.connect("sg_system").await?;
    // Nobody has moved anything.
    texts(
        &mut system,
        format!("select agents.drop_expired_partitions({AT})"),
    )
    .await?;
    assert_eq!(
        texts(&mut system, METRICS).await?,
        ["other-a 1 29 29", "own-a 1 29 29", "own-b 1 29 29"]
    );
    // Records are append-only and cannot be moved: their partition stays as a whole.
    run(&mut admin, place(None, "2020-01-01", Some("2020-02-01"))).await?;
    let mut root = test.connect("postgres").await?;
    run(&mut root, "set role sg_owner; select agents.create_partition('audit.login_attempts', 'week', '2020-01-15'); reset role").await?;
    let dropped = "select audit.drop_partition(b.partition_name, now()) from agents.partition_bounds('audit.login_attempts') b
        where b.lower_bound < '2020-02-01'";
    assert_eq!(refusal(run(&mut system, dropped).await), "22023");
    run(&mut admin, "update agents.legal_holds set released_at = now(), released_by = placed_by where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'
        and released_at is null").await?;
    run(&mut system, dropped).await?;
    assert_eq!(
        count(&mut system, "select count(*) from agents.partition_bounds('audit.login_attempts') b where b.lower_bound < '2020-02-01'").await?,
        0
    );
    // Forced row security stands on every partition that stayed.
    let open = "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('agents', 'audit') and c.relispartition and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)";
    assert_eq!(
        texts(&mut test.connect("postgres").await?, open).await?,
        Vec::<String>::new()
    );
    Ok(())
}

#[tokio::test]
async fn a_hold_that_is_placed_during_a_drop_waits_for_it() -> anyhow::Result<()> {
    let test = january().await?;
    let mut system = test.connect("sg_system").await?;
    run(&mut system, "begin").await?;
    texts(
        &mut system,
        format!("select agents.drop_expired_partitions({AT}, 1)"),
    )
    .await?;
    let mut admin = test.connect("sg_admin").await?;
    run(&mut admin, "set lock_timeout = '200ms'").await?;
    assert_eq!(
        refusal(run(&mut admin, place(None, "2030-01-01", None)).await),
        "55P03"
    );
    run(&mut system, "commit").await?;
    run(&mut admin, place(None, "2030-01-01", None)).await?;
    Ok(())
}

#[tokio::test]
async fn a_hold_is_placed_and_released_in_ones_own_name_and_never_changed() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    let theirs = place(None, "2030-01-01", None).replace("000000000001', now()", "000000000002', now()");
    for (token, statement, code) in [
        (ADMIN_A, theirs, "42501"),
        (USER_A, place(None, "2030-01-01", None).replace("000000000001', now()", "000000000002', now()"), "42501"),
        (ADMIN_B, place(None, "2030-01-01", None), "42501"),
        (ADMIN_A, place(None, "2030-01-01", Some("2030-01-01")), "23514"),
        (ADMIN_A, place(None, "-infinity", None), "23514"),
        (ADMIN_A, "update agents.legal_holds set to_at = now()".to_owned(), "42501"),
        (ADMIN_A, "update agents.legal_holds set released_at = now(), released_by = 'aaaaaaaa-0000-4000-8000-000000000002'".to_owned(), "42501"),
        (ADMIN_A, "delete from agents.legal_holds".to_owned(), "42501"),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        assert_eq!(refusal(run(&mut app, statement.clone()).await), code, "{statement}");
        run(&mut app, "rollback").await?;
    }
    let mut root = test.connect("postgres").await?;
    for statement in [
        "update agents.legal_holds set to_at = null",
        "update agents.legal_holds set reason = 'another'",
        "update agents.legal_holds set released_at = now(), released_by = placed_by;
         update agents.legal_holds set released_at = null, released_by = null",
    ] {
        assert_eq!(refusal(run(&mut root, statement).await), "23514", "{statement}");
    }
    assert!(
        count(
            &mut root,
            "select count(*) from audit.row_changes where table_name = 'agents.legal_holds'"
        )
        .await?
            >= 2
    );
    Ok(())
}

#[tokio::test]
async fn held_events_have_the_columns_of_events() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    let columns = |table: &str| {
        format!(
            "select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute
            where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped order by attnum"
        )
    };
    let of_events = texts(&mut root, columns("agents.events")).await?;
    assert_eq!(texts(&mut root, columns("agents.events_held")).await?, of_events);
    Ok(())
}
