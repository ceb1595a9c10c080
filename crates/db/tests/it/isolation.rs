//! What free SQL reads and writes as `sg_app`: nothing without a context, one tenant with one, and a plain user's own part of it.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::support::*;

/// Every table and view of the product, and what holds its bookkeeping.
const RELATIONS: &str = "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1";

/// Tables with a `tenant_id`, partitions left out.
const TENANT_TABLES: &str = "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and not c.relispartition order by 1";

/// How many rows each relation shows; none where the privilege is missing.
async fn visible(
    conn: &mut PgConnection,
    relations: &[String],
) -> anyhow::Result<BTreeMap<String, Option<i64>>> {
    let mut seen = BTreeMap::new();
    for relation in relations {
        run(conn, "savepoint before").await?;
        let rows = match count(conn, format!("select count(*) from {relation}")).await {
            Ok(rows) => Some(rows),
            Err(sqlx::Error::Database(failure)) if failure.code().as_deref() == Some("42501") => None,
            Err(other) => return Err(other.into()),
        };
        run(conn, "rollback to savepoint before").await?;
        seen.insert(relation.clone(), rows);
    }
    Ok(seen)
}

#[tokio::test]
async fn nothing_is_readable_without_a_context_and_one_tenant_with_one() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let relations = texts(&mut root, RELATIONS).await?;
    let tenant_tables = texts(&mut root, TENANT_TABLES).await?;
    let mut app = test.connect("sg_app").await?;

    run(&mut app, "begin").await?;
    for (relation, rows) in visible(&mut app, &relations).await? {
        assert_eq!(rows.unwrap_or(0), 0, "{relation} without a context");
    }
    run(&mut app, "commit").await?;

    let mut readable = 0;
    for (token, tenant) in [(ADMIN_A, TENANT_A), (ADMIN_B, TENANT_B)] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        let seen = visible(&mut app, &relations).await?;
        run(&mut app, "commit").await?;
        for (relation, rows) in seen {
            let Some(rows) = rows else { continue };
            assert!(
                tenant_tables.contains(&relation),
                "sg_app reads {relation}, which has no tenant_id"
            );
            let own = count(
                &mut root,
                format!("select count(*) from {relation} where tenant_id = '{tenant}'"),
            )
            .await?;
            let all = count(&mut root, format!("select count(*) from {relation}")).await?;
            assert!(
                own > 0 && all > own,
                "{relation}: the test needs rows of both tenants"
            );
            assert_eq!(rows, own, "{relation} in the context of {tenant}");
            readable += 1;
        }
    }
    assert!(readable >= 2 * 15, "only {readable} tables were readable");
    Ok(())
}

#[tokio::test]
async fn a_plain_user_sees_what_is_theirs() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    let seen = async |app: &mut PgConnection, token: &str, sql: &str| -> anyhow::Result<Vec<String>> {
        run(app, "begin").await?;
        run(app, open_context(token)).await?;
        let rows = texts(app, sql).await?;
        run(app, "commit").await?;
        Ok(rows)
    };
    for (sql, of_user, of_admin) in [
        (
            "select hostname::text from agents.endpoints order by 1",
            vec!["own-a"],
            vec!["other-a", "own-a"],
        ),
        (
            "select title::text from threats.incidents order by 1",
            vec!["own incident of a"],
            vec!["other incident of a", "own incident of a"],
        ),
        (
            "select cpu_usage::text from agents.system_info order by 1",
            vec!["11.50"],
            vec!["11.50", "12.50"],
        ),
        (
            "select username::text from users.users order by 1",
            vec!["user-a"],
            vec!["admin-a", "user-a"],
        ),
        (
            "select key_name::text from users.api_keys",
            vec![],
            vec!["key of a"],
        ),
        ("select action from audit.events", vec![], vec!["session.create"]),
        (
            "select username_or_digest from audit.login_attempts",
            vec![],
            vec!["admin-a"],
        ),
        (
            "select distinct operation from audit.row_changes order by 1",
            vec![],
            vec!["insert", "update"],
        ),
        ("select rule_id from threats.findings", vec!["rule"], vec!["rule"]),
    ] {
        assert_eq!(seen(&mut app, USER_A, sql).await?, of_user, "{sql}");
        assert_eq!(seen(&mut app, ADMIN_A, sql).await?, of_admin, "{sql}");
    }

    // An endpoint that is taken from them takes everything that hangs on it along.
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        "update agents.endpoints set user_id = null where hostname = 'own-a'",
    )
    .await?;
    for table in [
        "threats.incidents",
        "threats.findings",
        "threats.occurrences",
        "threats.incident_timeline",
    ] {
        let rows = seen(&mut app, USER_A, &format!("select tenant_id::text from {table}")).await?;
        assert!(rows.is_empty(), "{table} after the endpoint was given away");
    }
    Ok(())
}

/// Which of the two roles a transaction takes is up to the server; no choice shows anybody more than their own.
#[tokio::test]
async fn no_role_widens_what_a_context_shows() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let tables = texts(&mut root, TENANT_TABLES).await?;
    let mut app = test.connect("sg_app").await?;
    run(&mut app, "begin").await?;
    run(&mut app, open_context(USER_A)).await?;
    let own = visible(&mut app, &tables).await?;
    // Whoever runs SQL can go back to the role that signed in.
    run(&mut app, "reset role").await?;
    for (table, rows) in visible(&mut app, &tables).await? {
        assert_eq!(rows.unwrap_or(0), 0, "{table} in the other role");
    }
    run(&mut app, "rollback").await?;

    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    let whole = visible(&mut app, &tables).await?;
    run(&mut app, "set local role sg_app_own").await?;
    for (table, rows) in visible(&mut app, &tables).await? {
        assert!(rows <= whole[&table], "{table}: {rows:?} of {:?}", whole[&table]);
    }
    run(&mut app, "rollback").await?;
    assert!(own.iter().any(|(_, rows)| rows.is_some_and(|rows| rows > 0)));
    for (table, rows) in own {
        assert!(rows <= whole[&table], "{table}: {rows:?} of {:?}", whole[&table]);
    }

    run(&mut app, "begin; set local role sg_app_own").await?;
    for (table, rows) in visible(&mut app, &tables).await? {
        assert_eq!(rows.unwrap_or(0), 0, "{table} without a context");
    }
    run(&mut app, "rollback").await?;
    Ok(())
}

#[tokio::test]
async fn writes_stay_in_the_tenant() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    // (statement in tenant A's context, the refusal)
    let refused = [
        (format!("insert into users.users (username, email, password_hash, tenant_id) values ('x', 'x@x', 'x', '{TENANT_B}')"), "42501"),
        (format!("update users.users set role = 'user', tenant_id = '{TENANT_B}' where username = 'user-a'"), "42501"),
        (format!("insert into threats.incident_timeline (entry_id, tenant_id, threat_id, at, kind, summary)
            values (gen_random_uuid(), '{TENANT_B}', 'bbbbbbbb-0000-4000-8000-000000000021', now(), 'note', 'x')"), "42501"),
        // Their own tenant, but another's incident: foreign-key checks see every row, so the key carries the tenant.
        (format!("insert into threats.incident_timeline (entry_id, tenant_id, threat_id, at, kind, summary)
            values (gen_random_uuid(), '{TENANT_A}', 'bbbbbbbb-0000-4000-8000-000000000021', now(), 'note', 'x')"), "23503"),
        ("update threats.incidents set assigned_to = 'bbbbbbbb-0000-4000-8000-000000000001'".to_owned(), "23503"),
        ("update agents.endpoints set user_id = 'bbbbbbbb-0000-4000-8000-000000000001'".to_owned(), "23503"),
        (format!("insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_id, action, outcome)
            values (gen_random_uuid(), '{TENANT_B}', now(), 'user', 'aaaaaaaa-0000-4000-8000-000000000001', 'x.y', 'success')"), "42501"),
        ("insert into users.tenants (name, slug) values ('C', 'c')".to_owned(), "42501"),
        ("delete from threats.incidents".to_owned(), "42501"),
        ("truncate threats.incident_subjects".to_owned(), "42501"),
    ];
    for (statement, code) in refused {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(ADMIN_A)).await?;
        assert_eq!(
            refusal(run(&mut app, statement.clone()).await),
            code,
            "{statement}"
        );
        run(&mut app, "rollback").await?;
    }

    // What names no tenant in its condition reaches the own one only.
    let mut root = test.connect("postgres").await?;
    for (statement, rows) in [
        ("update threats.incidents set status = 'investigating'", 2),
        ("update agents.endpoints set device_name = 'x'", 2),
        ("update users.users set full_name = 'x'", 2),
        ("update users.password_policies set min_length = 20", 1),
        ("update users.sessions set end_reason = 'x'", 2),
        ("delete from threats.incident_subjects", 1),
        (
            "update threats.incidents set status = 'resolved' where tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000'",
            0,
        ),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(ADMIN_A)).await?;
        assert_eq!(affected(&mut app, statement).await?, rows, "{statement}");
        run(&mut app, "commit").await?;
        assert_eq!(
            refusal_or_rows(affected(&mut app, statement).await),
            0,
            "{statement} without a context"
        );
    }
    assert_eq!(
        count(
            &mut root,
            "select count(*) from threats.incidents where status <> 'new' and title like '%of b'"
        )
        .await?,
        0
    );

    // Nor does a plain user write on what is not theirs.
    run(&mut app, "begin").await?;
    run(&mut app, open_context(USER_A)).await?;
    assert_eq!(
        affected(&mut app, "update threats.incidents set status = 'resolved'").await?,
        1
    );
    run(&mut app, "rollback").await?;
    Ok(())
}

fn refusal_or_rows(result: Result<u64, sqlx::Error>) -> u64 {
    result.unwrap_or(0)
}

#[tokio::test]
async fn rights_are_not_widened_by_sql() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    for (token, statement) in [
        (ADMIN_A, "update users.users set role = 'system_admin' where username = 'admin-a'"),
        (ADMIN_A, "insert into users.users (username, email, password_hash, role, tenant_id)
            values ('x', 'x@x', 'x', 'system_admin', 'aaaaaaaa-0000-4000-8000-000000000000')"),
        (ADMIN_A, "update users.memberships set role = 'system_admin'"),
        (USER_A, "update users.users set role = 'manager'"),
        (USER_A, "update users.memberships set role = 'manager'"),
        (ADMIN_A, "insert into users.api_keys (user_id, key_hash, key_name, key_prefix, tenant_id)
            values ('aaaaaaaa-0000-4000-8000-000000000002', 'x', 'x', 'x', 'aaaaaaaa-0000-4000-8000-000000000000')"),
        (ADMIN_A, "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_id, action, outcome)
            values (gen_random_uuid(), 'aaaaaaaa-0000-4000-8000-000000000000', now(), 'user',
                'aaaaaaaa-0000-4000-8000-000000000002', 'x.y', 'success')"),
        (ADMIN_A, "insert into users.memberships (tenant_id, user_id, role)
            values ('aaaaaaaa-0000-4000-8000-000000000000', 'bbbbbbbb-0000-4000-8000-000000000001', 'admin')"),
        (ADMIN_A, "update users.users set password_hash = 'x'"),
        (ADMIN_A, "update users.sessions set expires_at = now() + interval '10 years'"),
        (ADMIN_A, "update users.sessions set user_id = 'aaaaaaaa-0000-4000-8000-000000000001'"),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        assert_eq!(refusal(run(&mut app, statement).await), "42501", "{statement}");
        run(&mut app, "rollback").await?;
    }
    Ok(())
}
