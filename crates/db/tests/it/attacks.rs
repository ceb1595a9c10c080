//! Attempts to reach another tenant, or a secret, by free SQL as `sg_app`.

use sg_testkit::TestDb;
use sqlx::PgConnection;

use crate::support::*;

const INCIDENTS: &str = "select count(*) from threats.incidents";

async fn titles(conn: &mut PgConnection) -> anyhow::Result<Vec<String>> {
    Ok(texts(conn, "select title::text from threats.incidents order by 1").await?)
}

#[tokio::test]
async fn proof_that_does_not_hold_opens_nothing() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let mut app = test.connect("sg_app").await?;
    // (what happened, what brings it back)
    for (ending, undo) in [
        (
            "update users.sessions set ended_at = now()",
            "update users.sessions set ended_at = null",
        ),
        (
            "update users.sessions set expires_at = now() - interval '2 minutes'",
            "update users.sessions set expires_at = now() + interval '1 day'",
        ),
        (
            "update users.sessions set last_seen_at = now() - interval '2 hours'",
            "update users.sessions set last_seen_at = now()",
        ),
        (
            "update users.users set is_active = false",
            "update users.users set is_active = true",
        ),
        (
            "update users.tenants set status = 'suspended'",
            "update users.tenants set status = 'active'",
        ),
        (
            "update users.memberships set expires_at = now() - interval '2 minutes'",
            "update users.memberships set expires_at = null",
        ),
    ] {
        run(&mut root, ending).await?;
        // Neither now nor at a time in the past that the attacker chooses, however often they try.
        for at in [
            "clock_timestamp()",
            "clock_timestamp() - interval '1 hour'",
            "'2000-01-01'",
        ] {
            for minutes in 0..4 {
                let at = format!("({at})::timestamptz + interval '{} minutes'", minutes * 50);
                run(&mut app, "begin").await?;
                let open = open_context(ADMIN_A).replace("clock_timestamp()", &at);
                run(
                    &mut app,
                    open.replace("open_context", "authenticate")
                        .replacen("select ", "select * from ", 1),
                )
                .await?;
                run(&mut app, open).await?;
                // A time in the future ends more, not less.
                assert_eq!(count(&mut app, INCIDENTS).await?, 0, "{ending} at {at}");
                run(&mut app, "commit").await?;
            }
        }
        run(&mut root, undo).await?;
        run(&mut app, "begin").await?;
        run(&mut app, open_context(ADMIN_A)).await?;
        assert_eq!(count(&mut app, INCIDENTS).await?, 2, "{undo}");
        run(&mut app, "commit").await?;
    }

    // Another tenant by the own proof; a plain text that is no token; a kind that does not exist.
    for attempt in [
        open_context(ADMIN_A).replace("null", &format!("'{TENANT_B}'")),
        open_context(ADMIN_A).replace("'session'", "'api_key'"),
        open_context(ADMIN_A).replace("'session'", "null"),
        open_context("no token"),
        "select users.open_context('session', null, null, now())".to_owned(),
        format!("select users.open_context('session', '', '{TENANT_B}', now())"),
        format!("select users.open_context('session', null, '{TENANT_B}', null)"),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, attempt.clone()).await?;
        assert_eq!(count(&mut app, INCIDENTS).await?, 0, "{attempt}");
        run(&mut app, "commit").await?;
    }

    // A refused proof closes the context that was open.
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    run(&mut app, open_context("no token")).await?;
    assert_eq!(count(&mut app, INCIDENTS).await?, 0);
    Ok(())
}

#[tokio::test]
async fn an_idle_session_is_not_walked_back_to_life() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        "update users.sessions set last_seen_at = now() - interval '150 minutes'",
    )
    .await?;
    let mut app = test.connect("sg_app").await?;
    for minutes_ago in [100, 50, 10, 0] {
        let at = format!("clock_timestamp() - interval '{minutes_ago} minutes'");
        let step = open_context(ADMIN_A)
            .replace("open_context", "authenticate")
            .replace("clock_timestamp()", &at);
        run(&mut app, step).await?;
    }
    let revived = "select count(*) from users.sessions where last_seen_at > now() - interval '149 minutes'";
    assert_eq!(count(&mut root, revived).await?, 0);
    Ok(())
}

#[tokio::test]
async fn what_outlives_a_transaction_holds_no_other_tenant() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    // A prepared statement keeps its plan, not its tenant.
    run(
        &mut app,
        "prepare incidents as select title::text from threats.incidents order by 1",
    )
    .await?;
    for _ in 0..8 {
        for (token, expected) in [(ADMIN_A, "own incident of a"), (ADMIN_B, "own incident of b")] {
            run(&mut app, "begin").await?;
            run(&mut app, open_context(token)).await?;
            assert_eq!(texts(&mut app, "execute incidents").await?[1], expected);
            run(&mut app, "commit").await?;
            assert!(texts(&mut app, "execute incidents").await?.is_empty());
        }
    }

    // A cursor that is held over the commit has what its own transaction could read.
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    run(
        &mut app,
        "declare held cursor with hold for select title::text from threats.incidents order by 1",
    )
    .await?;
    run(&mut app, "commit").await?;
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_B)).await?;
    assert_eq!(
        texts(&mut app, "fetch all from held").await?,
        ["other incident of a", "own incident of a"]
    );
    run(&mut app, "commit").await?;
    // One that was declared without a context stays empty whatever is opened later.
    run(
        &mut app,
        "begin; declare empty cursor with hold for select title::text from threats.incidents; commit",
    )
    .await?;
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_B)).await?;
    assert!(texts(&mut app, "fetch all from empty").await?.is_empty());
    run(&mut app, "commit").await?;

    // A context that is rolled back with its savepoint is closed.
    run(&mut app, "begin; savepoint s").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    run(&mut app, "rollback to savepoint s").await?;
    assert_eq!(count(&mut app, INCIDENTS).await?, 0);
    Ok(())
}

#[tokio::test]
async fn no_other_role_and_no_switch_is_to_be_had() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    for role in [
        "sg_owner",
        "sg_auth",
        "sg_system",
        "sg_admin",
        "sg_backup",
        "sg_monitor",
        "postgres",
        "secureguard",
    ] {
        let refused = run(&mut app, format!("set role {role}")).await;
        assert!(
            ["42501", "22023"].contains(&refusal(refused).as_str()),
            "set role {role}"
        );
        let refused = run(&mut app, format!("set session authorization {role}")).await;
        assert!(
            ["42501", "22023"].contains(&refusal(refused).as_str()),
            "set session authorization {role}"
        );
    }
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    run(&mut app, "set local row_security = off").await?;
    assert_eq!(refusal(count(&mut app, INCIDENTS).await), "42501");
    run(&mut app, "rollback").await?;
    for statement in [
        "alter table threats.incidents disable row level security",
        "alter table threats.incidents no force row level security",
        "drop policy tenant_isolation on threats.incidents",
        "create policy mine on threats.incidents using (true)",
        "create view threats.all_incidents as select * from threats.incidents",
        "create function threats.f() returns int language sql security definer as 'select 1'",
        "create or replace function users.current_tenant() returns uuid language sql as 'select gen_random_uuid()'",
        "alter function users.current_tenant() security invoker",
        "create schema mine",
        "create role me superuser",
        "alter role sg_app bypassrls",
        "grant select on users.users to public",
        "create trigger mine before update on threats.incidents for each row execute function users.touch_updated_at()",
        "copy threats.incidents to program 'cat'",
        "copy threats.incidents from '/etc/passwd'",
        "select pg_read_file('/etc/passwd')",
        "select pg_ls_dir('/')",
        "set session_replication_role = replica",
        "alter system set row_security = off",
        "load 'plpgsql'",
        "create extension pgcrypto",
    ] {
        assert_eq!(refusal(run(&mut app, statement).await), "42501", "{statement}");
    }
    Ok(())
}

#[tokio::test]
async fn the_functions_behind_the_wall_are_out_of_reach() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    for call in [
        "users.begin_login_attempt('admin-b', now())",
        "users.complete_login('bbbbbbbb-0000-4000-8000-000000000001', now())",
        "users.store_password('bbbbbbbb-0000-4000-8000-000000000001', 'x', false, now())",
        "users.handle_failed_login('admin-b')",
        "users.handle_successful_login('admin-b')",
        "users.context_mac('bbbbbbbb-0000-4000-8000-000000000000|x|tenant')",
        "users.rotate_context_key()",
        "users.find_caller('session', '', null, now())",
        "users.enable_tenant_isolation('users.users')",
        "agents.ensure_partitions(now(), 8)",
        "agents.drop_expired_partitions(now())",
        "agents.create_partition('agents.events', 'day', current_date)",
    ] {
        assert_eq!(
            refusal(run(&mut app, format!("select * from {call}")).await),
            "42501",
            "{call}"
        );
    }
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    for secret in [
        "password_hash from users.users",
        "password_history from users.users",
        "key_hash from users.api_keys",
        "token_hash from users.sessions",
        "token_hash from agents.agent_tokens",
        "inner_pad from users.context_keys",
        "u from users.users u",
        "to_jsonb(k) from users.api_keys k",
        "rolpassword from pg_authid",
    ] {
        run(&mut app, "savepoint s").await?;
        assert_eq!(
            refusal(run(&mut app, format!("select {secret}")).await),
            "42501",
            "{secret}"
        );
        run(&mut app, "rollback to savepoint s").await?;
    }
    // Nor by what a statement hands back.
    for statement in [
        "update users.users set full_name = 'x' returning password_hash",
        "update users.api_keys set is_active = false where key_hash like '0%'",
    ] {
        run(&mut app, "savepoint s").await?;
        assert_eq!(refusal(run(&mut app, statement).await), "42501", "{statement}");
        run(&mut app, "rollback to savepoint s").await?;
    }
    Ok(())
}

#[tokio::test]
async fn own_objects_shadow_nothing_and_see_nothing() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    // More than a migrated database gives: the wall has to stand without the missing privilege.
    run(
        &mut root,
        format!(
            "grant temporary on database {} to sg_app; grant create on schema public to sg_app",
            test.name()
        ),
    )
    .await?;
    let mut app = test.connect("sg_app").await?;
    run(&mut app, "create temporary table seen (title text)").await?;
    run(
        &mut app,
        "create function pg_temp.leak(t text) returns boolean language plpgsql cost 0.0000001 as
            $$ begin insert into seen values (t); return true; end $$",
    )
    .await?;
    // Shadows of everything that the definer functions and policies name.
    run(
        &mut app,
        "create temporary table users (tenant_id uuid);
         create function public.sha256(bytea) returns bytea language sql as $$ select ''::bytea $$;
         create function public.encode(bytea, text) returns text language sql as $$ select '' $$;
         create function public.current_setting(text, boolean) returns text language sql as $$ select 'x' $$;
         create function public.pg_backend_pid() returns integer language sql as $$ select 1 $$;
         create function public.same(uuid, uuid) returns boolean language sql as $$ select true $$;
         create operator public.= (leftarg = uuid, rightarg = uuid, function = public.same)",
    )
    .await?;
    run(&mut app, "set search_path = public, pg_temp, pg_catalog").await?;
    run(
        &mut app,
        format!("set sg.context = '{TENANT_B}|{TENANT_B}|tenant|admin|'"),
    )
    .await?;
    assert_eq!(
        count(&mut app, INCIDENTS).await?,
        0,
        "by shadows of what the policies call"
    );

    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    assert_eq!(
        titles(&mut app).await?,
        ["other incident of a", "own incident of a"],
        "under shadows"
    );
    // A cheap function that leaks its argument runs after the policy, not before.
    let leak = "select count(*) from threats.incidents where pg_temp.leak(title::text)";
    assert_eq!(count(&mut app, leak).await?, 2);
    assert_eq!(
        texts(&mut app, "select distinct title from seen where title like '% b'").await?,
        Vec::<String>::new()
    );
    run(&mut app, "commit").await?;

    // Statistics tell what other tenants' rows hold.
    run(&mut root, "analyze").await?;
    let statistics = "select count(*) from pg_catalog.pg_stats where schemaname in ('users', 'agents', 'threats', 'audit', 'monitoring')
        and tablename not in (select relname::text from pg_catalog.pg_class where relname = '_sqlx_migrations')";
    assert_eq!(count(&mut app, statistics).await?, 0);
    Ok(())
}

#[tokio::test]
async fn parallel_workers_see_what_their_leader_sees() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    run(
        &mut app,
        "select set_config(name, 'on', false) from pg_settings where name in ('force_parallel_mode', 'debug_parallel_query');
         set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
         set enable_indexscan = off; set enable_bitmapscan = off",
    )
    .await?;
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    let plan = texts(&mut app, "explain select count(*) from agents.endpoints")
        .await?
        .join("\n");
    assert!(plan.contains("Gather"), "the plan is not parallel:\n{plan}");
    assert_eq!(count(&mut app, "select count(*) from agents.endpoints").await?, 2);
    assert_eq!(
        titles(&mut app).await?,
        ["other incident of a", "own incident of a"]
    );
    run(&mut app, "commit").await?;
    assert_eq!(count(&mut app, "select count(*) from agents.endpoints").await?, 0);
    Ok(())
}

#[tokio::test]
async fn partitions_are_reached_through_their_parent_only() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    // Those of the next fortnight are made by the job, after the grants of the migration.
    run(
        &mut root,
        "set role sg_system; select agents.ensure_partitions(now(), 14); reset role",
    )
    .await?;
    let partitions = texts(
        &mut root,
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relispartition and c.relkind in ('r', 'p') and n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')",
    )
    .await?;
    assert!(partitions.len() > 60, "{} partitions", partitions.len());
    for role in ["sg_app", "sg_system", "sg_admin"] {
        let mut conn = test.connect(role).await?;
        for partition in &partitions {
            let read = count(&mut conn, format!("select count(*) from {partition}")).await;
            assert_eq!(refusal(read), "42501", "{role} reads {partition}");
        }
    }
    // And where somebody grants one by hand, row security shows nothing of it.
    for partition in &partitions {
        run(&mut root, format!("grant select on {partition} to sg_app")).await?;
    }
    let mut app = test.connect("sg_app").await?;
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    for partition in &partitions {
        assert_eq!(
            count(&mut app, format!("select count(*) from {partition}")).await?,
            0,
            "{partition}"
        );
    }
    assert_eq!(
        count(&mut app, "select count(*) from agents.system_info").await?,
        2
    );
    Ok(())
}

#[tokio::test]
async fn audit_records_stay_as_they_were_written() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let mut tables = texts(
        &mut root,
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'audit' and c.relkind in ('r', 'p')",
    )
    .await?;
    tables.retain(|table| !table.contains("adoption_report"));
    for role in ["sg_app", "sg_admin", "sg_system"] {
        let mut conn = test.connect(role).await?;
        for table in &tables {
            for statement in [
                format!("update {table} set tenant_id = tenant_id"),
                format!("delete from {table}"),
                format!("truncate {table}"),
                format!("drop table {table}"),
                format!("alter table {table} disable trigger all"),
            ] {
                // What the sealing does: it takes a row out of the queue when it gives it its place in the chain.
                if role == "sg_system" && statement == "delete from audit.unsealed" {
                    continue;
                }
                assert_eq!(
                    refusal(run(&mut conn, statement.clone()).await),
                    "42501",
                    "{role}: {statement}"
                );
            }
        }
    }
    // Even the superuser has to take the triggers away first.
    for table in &tables {
        assert_eq!(
            refusal(run(&mut root, format!("truncate {table}")).await),
            "42501",
            "truncate {table}"
        );
    }
    for table in [
        "audit.events",
        "audit.row_changes",
        "audit.login_attempts",
        "audit.chain",
        "audit.checkpoints",
        "audit.chain_records",
    ] {
        assert_eq!(
            refusal(run(&mut root, format!("delete from {table}")).await),
            "42501",
            "delete from {table}"
        );
        assert_eq!(
            refusal(run(&mut root, format!("update {table} set tenant_id = tenant_id")).await),
            "42501",
            "update {table}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_migrated_database_gives_no_right_to_make_objects() -> anyhow::Result<()> {
    let test = TestDb::unmigrated().await?;
    test.migrate().await?;
    let mut app = test.connect("sg_app").await?;
    for statement in [
        "create temporary table t (a int)",
        "create function pg_temp.f() returns int language sql as 'select 1'",
        "create table public.t (a int)",
        "create table users.t (a int)",
    ] {
        assert_eq!(refusal(run(&mut app, statement).await), "42501", "{statement}");
    }
    Ok(())
}
