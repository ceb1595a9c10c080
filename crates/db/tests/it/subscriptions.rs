//! Limits of subscriptions hold whoever writes, however many write at once, and take nothing away.

use sqlx::PgConnection;

use crate::support::*;

const ENDPOINTS_OF_A: &str = "select count(*) from agents.endpoints where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000' and status <> 'decommissioned'";

async fn limit(conn: &mut PgConnection, endpoints: &str, users: &str) -> anyhow::Result<()> {
    let change = format!(
        "update users.subscriptions set max_endpoints = {endpoints}, max_users = {users} where tenant_id = '{TENANT_A}'"
    );
    assert_eq!(affected(conn, change).await?, 1);
    Ok(())
}

fn insert_endpoints(hosts: &str) -> String {
    format!(
        "insert into agents.endpoints (tenant_id, hostname, status) select '{TENANT_A}', h, 'active' from unnest(array[{hosts}]) h"
    )
}

fn insert_user(name: &str, active: bool) -> String {
    format!(
        "insert into users.users (tenant_id, username, email, password_hash, is_active)
         values ('{TENANT_A}', '{name}', '{name}@a.example', 'x', {active})"
    )
}

#[tokio::test]
async fn sql_by_hand_does_not_get_past_a_limit() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut admin = test.connect("sg_admin").await?;
    limit(&mut admin, "4", "3").await?;
    // Two endpoints and two people are there.
    let three = insert_endpoints("'x', 'y', 'z'");
    assert_eq!(
        refusal(run(&mut admin, three).await),
        "SG001",
        "several rows of one statement"
    );
    run(&mut admin, insert_endpoints("'x'")).await?;
    run(
        &mut admin,
        "insert into agents.endpoints (tenant_id, hostname, status) values ('aaaaaaaa-0000-4000-8000-000000000000', 'old', 'decommissioned')",
    )
    .await?;
    run(&mut admin, insert_endpoints("'y'")).await?;
    for statement in [
        insert_endpoints("'z'"),
        // The documented INSERT, whose tenant follows from no context.
        format!("with t as ({} returning agent_id) select 1", insert_endpoints("'z'")),
        "update agents.endpoints set status = 'active' where hostname = 'old'".to_owned(),
        "update agents.endpoints set status = 'inactive' where hostname = 'old'".to_owned(),
        format!("update agents.endpoints set tenant_id = '{TENANT_A}', user_id = null, registered_via_key_id = null where agent_id = (
            select agent_id from agents.endpoints where hostname = 'free')"),
        format!("{} on conflict do nothing", insert_endpoints("'z'")),
        format!("begin; {}; commit", insert_endpoints("'z'")),
    ] {
        if statement.contains("'free'") {
            run(&mut admin, format!("insert into agents.endpoints (tenant_id, hostname) values ('{TENANT_B}', 'free')")).await?;
            // What keeps it in its tenant besides.
            run(&mut admin, "delete from agents.heartbeats h using agents.endpoints e where e.agent_id = h.agent_id and e.hostname = 'free'").await?;
        }
        assert_eq!(refusal(run(&mut admin, statement.clone()).await), "SG001", "{statement}");
        run(&mut admin, "rollback").await?;
    }
    assert_eq!(count(&mut admin, ENDPOINTS_OF_A).await?, 4);
    // What is there can be worked with, and taken out of use makes room.
    run(
        &mut admin,
        "update agents.endpoints set hostname = 'renamed', last_seen = now() where hostname = 'x';
         update agents.endpoints set status = 'inactive' where hostname = 'renamed';
         update agents.endpoints set status = 'active' where hostname = 'renamed';
         update agents.endpoints set status = 'decommissioned' where hostname = 'y';
         update agents.endpoints set status = 'active' where hostname = 'old'",
    )
    .await?;

    run(&mut admin, insert_user("third", true)).await?;
    run(&mut admin, insert_user("idle", false)).await?;
    for statement in [
        insert_user("fourth", true),
        "update users.users set is_active = true where username = 'idle'".to_owned(),
        "update users.users set is_active = true".to_owned(),
        format!("update users.users set tenant_id = '{TENANT_A}' where username = 'user-b'"),
    ] {
        let refused = refusal(run(&mut admin, statement.clone()).await);
        assert!(
            ["SG001", "23503"].contains(&refused.as_str()),
            "{statement}: {refused}"
        );
    }
    run(
        &mut admin,
        "update users.users set is_active = false where username = 'third';
         update users.users set is_active = true where username = 'idle'",
    )
    .await?;
    // The other tenant has no limit.
    run(
        &mut admin,
        format!("insert into agents.endpoints (tenant_id, hostname) select '{TENANT_B}', n::text from generate_series(1, 50) n"),
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_refusal_names_limit_and_use() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut admin = test.connect("sg_admin").await?;
    limit(&mut admin, "2", "null").await?;
    let refused = run(&mut admin, insert_endpoints("'x', 'y'")).await.unwrap_err();
    match sg_db::DbError::from(refused) {
        sg_db::DbError::LimitReached {
            resource,
            limit,
            used,
        } => {
            assert_eq!((resource.as_str(), limit, used), ("endpoints", 2, 2));
        }
        other => panic!("{other:?}"),
    }
    run(&mut admin, "update users.subscriptions set status = 'suspended'").await?;
    let refused = run(&mut admin, insert_endpoints("'x'")).await.unwrap_err();
    match sg_db::DbError::from(refused) {
        sg_db::DbError::SubscriptionEnded { status } => assert_eq!(status, "suspended"),
        other => panic!("{other:?}"),
    }
    Ok(())
}

/// One writer's endpoint, tried until it is taken or refused for the limit.
async fn enrol(mut conn: PgConnection, isolation: &str, host: String) -> anyhow::Result<bool> {
    for _ in 0..200 {
        run(
            &mut conn,
            format!("begin isolation level {isolation}; select count(*) from agents.endpoints"),
        )
        .await?;
        let outcome = match run(&mut conn, insert_endpoints(&format!("'{host}'"))).await {
            Ok(()) => run(&mut conn, "commit").await,
            Err(error) => {
                run(&mut conn, "rollback").await?;
                Err(error)
            }
        };
        match outcome {
            Ok(()) => return Ok(true),
            // Serialization failure: begin again, as PostgreSQL asks for.
            refused if refusal_code(&refused) == "40001" => {}
            refused => {
                assert_eq!(refusal(refused), "SG001");
                return Ok(false);
            }
        }
    }
    anyhow::bail!("{host} never got through")
}

/// Thirty writers at a limit of ten; the two endpoints of the seed count.
async fn race(isolation: &str) -> anyhow::Result<(usize, i64)> {
    let test = two_tenants().await?;
    let mut admin = test.connect("sg_admin").await?;
    limit(&mut admin, "10", "null").await?;
    let mut writers = Vec::new();
    for n in 0..30 {
        writers.push(enrol(
            test.connect("sg_admin").await?,
            isolation,
            format!("race-{n}"),
        ));
    }
    let mut successes = 0;
    for outcome in futures_util::future::join_all(writers).await {
        successes += usize::from(outcome?);
    }
    Ok((successes, count(&mut admin, ENDPOINTS_OF_A).await?))
}

fn refusal_code(result: &Result<(), sqlx::Error>) -> String {
    match result {
        Err(sqlx::Error::Database(failure)) => failure.code().unwrap_or_default().into_owned(),
        _ => String::new(),
    }
}

#[tokio::test]
async fn thirty_writers_at_a_limit_of_ten_leave_ten() -> anyhow::Result<()> {
    for isolation in ["read committed", "repeatable read", "serializable"] {
        assert_eq!(race(isolation).await?, (8, 10), "{isolation}");
    }
    Ok(())
}

#[tokio::test]
async fn only_a_live_subscription_grows_and_every_one_goes_on() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut admin = test.connect("sg_admin").await?;
    let agent = "aaaaaaaa-0000-4000-8000-000000000011";
    for (state, grows) in [
        ("status = 'active', period_end = null", true),
        ("status = 'active', period_end = now() + interval '1 day'", true),
        (
            "status = 'past_due', period_end = now() + interval '1 second'",
            true,
        ),
        ("status = 'trial', trial_ends_at = now() + interval '1 day'", true),
        (
            "status = 'trial', trial_ends_at = now() - interval '1 second'",
            false,
        ),
        ("status = 'suspended'", false),
        (
            "status = 'cancelled', period_end = now() + interval '1 day'",
            true,
        ),
        (
            "status = 'cancelled', period_start = now() - interval '9 days', period_end = now() - interval '1 second'",
            false,
        ),
        ("status = 'cancelled', period_end = null", false),
    ] {
        run(
            &mut admin,
            format!("update users.subscriptions set {state} where tenant_id = '{TENANT_A}'"),
        )
        .await?;
        run(&mut admin, "begin").await?;
        let added = run(&mut admin, insert_endpoints("'x'")).await;
        if grows {
            added?;
        } else {
            assert_eq!(refusal(added), "SG002", "{state}");
        }
        run(&mut admin, "rollback; begin").await?;
        let added = run(&mut admin, insert_user("x", true)).await;
        assert_eq!(added.is_ok(), grows, "{state}");
        run(&mut admin, "rollback").await?;
        // Telemetry, work on incidents and people go on.
        run(
            &mut admin,
            format!(
                "insert into agents.system_info (agent_id, cpu_usage) values ('{agent}', 1);
                 insert into threats.incidents (agent_id, threat_type, severity, title) values ('{agent}', 'malware', 'low', 'x');
                 update threats.incidents set status = 'investigating' where title = 'x';
                 update agents.endpoints set last_seen = now() where agent_id = '{agent}';
                 update users.users set last_login = now()"
            ),
        )
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn trials_and_periods_end_once() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut system = test.connect("sg_system").await?;
    let mut admin = test.connect("sg_admin").await?;
    run(
        &mut admin,
        format!(
            "update users.subscriptions set status = 'trial', trial_ends_at = '2030-01-10Z' where tenant_id = '{TENANT_A}';
             update users.subscriptions set period_end = '2030-01-10Z' where tenant_id = '{TENANT_B}'"
        ),
    )
    .await?;
    let states = "select string_agg(status, ' ' order by tenant_id) from users.subscriptions where tenant_id::text ~ '^(aaaa|bbbb)'";
    for (at, moved, expected) in [
        ("2030-01-09", 0, "trial active"),
        ("2030-01-10", 2, "suspended past_due"),
        ("2030-01-10", 0, "suspended past_due"),
        ("2030-01-23", 0, "suspended past_due"),
        ("2030-01-24", 1, "suspended suspended"),
        ("2040-01-01", 0, "suspended suspended"),
        // A clock that is put back revives nothing.
        ("2020-01-01", 0, "suspended suspended"),
    ] {
        let advance = format!("select count(*) from users.advance_subscriptions('{at}Z')");
        assert_eq!(count(&mut system, advance).await?, moved, "{at}");
        assert_eq!(text(&mut admin, states).await?.as_deref(), Some(expected), "{at}");
    }
    // A server that was away for long gets to the same end.
    run(
        &mut admin,
        format!("update users.subscriptions set status = 'active' where tenant_id = '{TENANT_B}'"),
    )
    .await?;
    assert_eq!(
        count(
            &mut system,
            "select count(*) from users.advance_subscriptions('2040-01-01Z') where status_after = 'suspended'"
        )
        .await?,
        1
    );
    Ok(())
}

#[tokio::test]
async fn the_class_of_retention_follows_the_plan() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut admin = test.connect("sg_admin").await?;
    let class = |tenant: &str| {
        format!("select retention_class::bigint from users.tenants where tenant_id = '{tenant}'")
    };
    let own = "select retention_class::text from users.subscriptions where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'";
    // The seed put both on the plan `provider`.
    assert_eq!(count(&mut admin, class(TENANT_A)).await?, 400);
    for (statement, a, b) in [
        (
            "update users.subscriptions set plan = 'trial' where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'",
            30,
            400,
        ),
        (
            "update users.plans set retention_class = 90 where plan = 'trial'",
            90,
            400,
        ),
        (
            "update users.subscriptions set retention_class = 400 where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'",
            400,
            400,
        ),
        (
            "update users.plans set retention_class = 30 where plan = 'trial'",
            400,
            400,
        ),
        ("update users.subscriptions set retention_class = null", 30, 400),
        (
            "update users.tenants set retention_class = 90 where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'",
            90,
            400,
        ),
    ] {
        run(&mut admin, statement).await?;
        assert_eq!(count(&mut admin, class(TENANT_A)).await?, a, "{statement}");
        assert_eq!(count(&mut admin, class(TENANT_B)).await?, b, "{statement}");
    }
    assert_eq!(
        text(&mut admin, own).await?.as_deref(),
        Some("90"),
        "a class set by hand is the tenant's own"
    );
    run(
        &mut admin,
        "update users.tenants set retention_class = 30 where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'",
    )
    .await?;
    assert_eq!(
        text(&mut admin, own).await?,
        None,
        "the plan's class needs no own one"
    );
    // A tenant that is made with a class keeps it.
    run(
        &mut admin,
        "insert into users.tenants (name, slug, retention_class) values ('C', 'c', 400)",
    )
    .await?;
    assert_eq!(
        texts(
            &mut admin,
            "select s.plan || s.retention_class || t.retention_class from users.subscriptions s join users.tenants t using (tenant_id)
             where t.slug = 'c'"
        )
        .await?,
        ["unlimited400400"]
    );
    Ok(())
}

#[tokio::test]
async fn requests_read_their_subscription_and_change_none() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    for statement in [
        "update users.subscriptions set max_endpoints = null",
        "update users.subscriptions set plan = 'unlimited'",
        "update users.tenants set retention_class = 400",
        "update users.plans set max_endpoints = null",
        "insert into users.subscriptions (tenant_id, plan) values ('aaaaaaaa-0000-4000-8000-000000000000', 'unlimited')",
        "delete from users.subscriptions",
        "delete from users.subscription_changes",
        "insert into users.subscription_changes (tenant_id, plan, status, period_start)
            values ('aaaaaaaa-0000-4000-8000-000000000000', 'team', 'active', now())",
        "select plan from users.plans",
        "select * from users.subscription_of('bbbbbbbb-0000-4000-8000-000000000000', now())",
        "select * from users.advance_subscriptions('2100-01-01')",
        "select users.check_subscription('aaaaaaaa-0000-4000-8000-000000000000', 'endpoints', 1)",
        "alter table agents.endpoints disable trigger enforce_subscription",
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(ADMIN_A)).await?;
        assert_eq!(refusal(run(&mut app, statement).await), "42501", "{statement}");
        run(&mut app, "rollback").await?;
    }
    let own = "select tenant_id::text from users.own_subscription(now())";
    for (token, tenant) in [(ADMIN_A, TENANT_A), (ADMIN_B, TENANT_B)] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        assert_eq!(texts(&mut app, own).await?, [tenant]);
        run(&mut app, "commit").await?;
    }
    assert!(texts(&mut app, own).await?.is_empty(), "without a context");
    // A limit holds for requests too: their own row security hides nothing from the count.
    let mut admin = test.connect("sg_admin").await?;
    limit(&mut admin, "null", "2").await?;
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    assert_eq!(
        refusal(
            run(
                &mut app,
                insert_user("x", true)
                    .replace(", is_active", "")
                    .replace(", true", "")
            )
            .await
        ),
        "SG001"
    );
    Ok(())
}

#[tokio::test]
async fn the_history_is_complete_and_stays() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut admin = test.connect("sg_admin").await?;
    let history =
        "select string_agg(plan || '/' || status, ' ' order by changed_at) from users.subscription_changes
        where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'";
    run(
        &mut admin,
        "update users.subscriptions set plan = 'team'; update users.subscriptions set status = 'cancelled'",
    )
    .await?;
    // Not a change: an update to the same, and a check of a limit.
    run(
        &mut admin,
        "update users.subscriptions set plan = 'team'; update users.subscriptions set growth_checks = 7",
    )
    .await?;
    assert_eq!(
        text(&mut admin, history).await?.as_deref(),
        Some("unlimited/active provider/active team/active team/cancelled")
    );
    assert_eq!(
        texts(
            &mut admin,
            "select distinct database_role from users.subscription_changes where plan = 'team'"
        )
        .await?,
        ["sg_admin"]
    );
    let mut root = test.connect("postgres").await?;
    for statement in [
        "update users.subscription_changes set plan = 'unlimited'",
        "delete from users.subscription_changes",
        "truncate users.subscription_changes",
    ] {
        assert_eq!(refusal(run(&mut admin, statement).await), "42501", "{statement}");
        assert_eq!(
            refusal(run(&mut root, statement).await),
            "42501",
            "{statement} as superuser"
        );
    }
    assert_eq!(
        refusal(run(&mut admin, "delete from users.subscriptions").await),
        "42501"
    );
    assert_eq!(
        refusal(run(&mut admin, "delete from users.plans where plan = 'team'").await),
        "23503"
    );
    assert_eq!(
        count(&mut admin, "select count(*) from audit.row_changes where table_name = 'users.subscriptions' and operation = 'update'
            and tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'").await?,
        3
    );
    run(
        &mut admin,
        "update users.plans set max_users = 6 where plan = 'trial'",
    )
    .await?;
    assert_eq!(
        texts(&mut admin, "select after ->> 'max_users' from audit.row_changes where table_name = 'users.plans' and operation = 'update'").await?,
        ["6"]
    );
    for nonsense in [
        "update users.subscriptions set status = 'free'",
        "update users.subscriptions set max_endpoints = -1",
        "update users.subscriptions set retention_class = 31",
        "update users.subscriptions set status = 'trial', trial_ends_at = null",
        "update users.subscriptions set period_end = '2000-01-01'",
        "update users.subscriptions set period_end = 'infinity'",
        "insert into users.plans (plan, name) values ('A b', 'x')",
        "insert into users.plans (plan, name, max_users) values ('x', 'x', -1)",
    ] {
        assert_eq!(refusal(run(&mut admin, nonsense).await), "23514", "{nonsense}");
    }
    assert_eq!(
        refusal(run(&mut admin, "update users.subscriptions set plan = 'free'").await),
        "23503"
    );
    assert_eq!(
        refusal(run(&mut admin, "update users.plans set is_default = true").await),
        "23505"
    );
    Ok(())
}
