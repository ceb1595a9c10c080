//! The ways to the present schema: from nothing, from the document's printed DDL, twice, at once, under another owner.

use secrecy::{ExposeSecret, SecretString};
use sg_testkit::TestDb;
use sqlx::{Connection, PgConnection};

use crate::support::*;

/// Everything about the schema that is not a row, one line each; partitions by date left out, and the order of columns.
const CATALOG: &str = r"
    with own as (
        select c.oid, c.oid::regclass::text as name, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity, c.reloptions
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relname !~ '(_[0-9]{8}|_earlier)(_|$)'
    ), grants as (
        select 'relation ' || o.name as object, x.* from own o cross join lateral aclexplode(o.relacl) x
        union all
        select 'column ' || o.name || '.' || a.attname, x.*
        from own o join pg_attribute a on a.attrelid = o.oid cross join lateral aclexplode(a.attacl) x
        union all
        select 'function ' || p.oid::regprocedure, x.*
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace cross join lateral aclexplode(p.proacl) x
        where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
        union all
        select 'schema ' || n.nspname, x.* from pg_namespace n cross join lateral aclexplode(n.nspacl) x
        where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
    )
    select concat_ws(' | ', 'relation', name, relkind, pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity, reloptions) from own
    union all
    select concat_ws(' | ', 'column', o.name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
        pg_get_expr(d.adbin, d.adrelid))
    from own o join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped and o.relkind in ('r', 'p')
    left join pg_attrdef d on d.adrelid = o.oid and d.adnum = a.attnum
    union all
    select concat_ws(' | ', 'constraint', o.name, c.conname, c.convalidated, pg_get_constraintdef(c.oid))
    from own o join pg_constraint c on c.conrelid = o.oid where c.conname !~ '_[0-9]{8}_'
    union all
    select concat_ws(' | ', 'index', pg_get_indexdef(i.indexrelid), i.indisvalid)
    from own o join pg_index i on i.indrelid = o.oid
    union all
    select concat_ws(' | ', 'policy', o.name, p.polname, p.polcmd, p.polpermissive, (select array_agg(r::regrole::text order by 1) from unnest(p.polroles) r),
        pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    from own o join pg_policy p on p.polrelid = o.oid
    union all
    select concat_ws(' | ', 'trigger', o.name, t.tgenabled, pg_get_triggerdef(t.oid))
    from own o join pg_trigger t on t.tgrelid = o.oid where not t.tgisinternal
    union all
    select concat_ws(' | ', 'function', pg_get_userbyid(p.proowner), pg_get_functiondef(p.oid))
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
    union all
    select concat_ws(' | ', 'grant', object, case grantee when 0 then 'public' else pg_get_userbyid(grantee) end, privilege_type, is_grantable)
    from grants
    union all
    select concat_ws(' | ', 'scheme', parent_table, period, keep_days) from agents.partition_schemes
    order by 1";

pub(crate) async fn catalog(test: &TestDb) -> anyhow::Result<Vec<String>> {
    Ok(texts(&mut test.connect("postgres").await?, CATALOG).await?)
}

/// A database as the document's printed SQL makes it.
pub(crate) async fn printed() -> anyhow::Result<TestDb> {
    TestDb::copy_of("sg_printed", async |test| {
        let mut conn = test.connect("postgres").await?;
        for part in PRINTED {
            run(&mut conn, part).await?;
        }
        Ok(conn.close().await?)
    })
    .await
}

fn assert_same(left: &[String], right: &[String]) {
    let missing: Vec<_> = right.iter().filter(|line| !left.contains(line)).collect();
    let surplus: Vec<_> = left.iter().filter(|line| !right.contains(line)).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing: {missing:#?}\nsurplus: {surplus:#?}"
    );
    assert_eq!(left.len(), right.len());
}

#[tokio::test]
async fn the_dump_is_the_checked_in_one() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let version = count(
        &mut test.connect("postgres").await?,
        "select current_setting('server_version_num')::bigint",
    )
    .await?;
    if version / 10_000 != 15 {
        return Ok(());
    }
    let dump = sg_testkit::dump_schema(&test)?;
    let checked_in = include_str!("../../schema.sql");
    let difference = dump.lines().zip(checked_in.lines()).find(|(new, old)| new != old);
    assert!(
        dump == checked_in,
        "crates/db/schema.sql is not what the migrations make; first difference: {difference:?}. Renew it with
         cargo run -p sg-testkit --bin sg-schema-dump > crates/db/schema.sql"
    );
    // Partitions by date differ from day to day and are left out; the default ones are part of the schema.
    assert!(dump.contains("CREATE TABLE agents.system_info_class_90_default"));
    assert!(
        !dump
            .lines()
            .any(|line| line.contains("_default_") && line.contains("20")),
        "{dump}"
    );
    Ok(())
}

#[tokio::test]
async fn the_reference_is_the_checked_in_one() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let reference = sg_testkit::describe_schema(&test).await?;
    for object in ["### users.users\n", "### audit.events\n", "`users.open_context("] {
        assert!(reference.contains(object), "{object}");
    }
    let version = count(
        &mut test.connect("postgres").await?,
        "select current_setting('server_version_num')::bigint / 10000",
    )
    .await?;
    // Other versions write some expressions differently.
    if version == 15 {
        let checked_in = include_str!("../../../../docs/database-reference.md");
        assert!(
            reference == checked_in,
            "docs/database-reference.md is not what the migrations make; renew it with
             cargo run -p sg-testkit --bin sg-schema-reference > docs/database-reference.md"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_adopted_database_equals_a_new_one() -> anyhow::Result<()> {
    let adopted = printed().await?;
    let report = adopted.migrate().await?;
    assert_eq!(report.from_version, 0);
    // The administrator's sample user of the printed SQL belongs to no tenant.
    let problems: Vec<_> = report
        .adopted
        .iter()
        .map(|row| (row.table_name.as_str(), row.problem.as_str()))
        .collect();
    assert_eq!(problems, [("users.users", "no tenant")]);
    let new = TestDb::new().await?;
    let expected = catalog(&new).await?;
    assert!(expected.len() > 700, "{} lines", expected.len());
    assert_same(&catalog(&adopted).await?, &expected);
    Ok(())
}

#[tokio::test]
async fn migrating_again_changes_nothing() -> anyhow::Result<()> {
    let test = printed().await?;
    test.migrate().await?;
    let before = catalog(&test).await?;
    let mut root = test.connect("postgres").await?;
    let key = text(
        &mut root,
        "select encode(inner_pad, 'hex') from users.context_keys",
    )
    .await?;
    assert!(key.is_some());
    let again = test.migrate().await?;
    assert_eq!((again.from_version, again.adopted.len()), (again.to_version, 0));
    assert_same(&catalog(&test).await?, &before);
    assert_eq!(
        text(
            &mut root,
            "select encode(inner_pad, 'hex') from users.context_keys"
        )
        .await?,
        key
    );
    assert_eq!(
        count(&mut root, "select count(*) from audit.adoption_report").await?,
        1
    );
    Ok(())
}

#[tokio::test]
async fn one_of_two_migrations_at_once_waits_for_the_other() -> anyhow::Result<()> {
    let test = printed().await?;
    let (one, two) = tokio::join!(test.migrate(), test.migrate());
    let (one, two) = (one?, two?);
    let mut from = [one.from_version, two.from_version];
    from.sort_unstable();
    assert_eq!(from, [0, one.to_version]);
    assert_eq!(one.adopted.len() + two.adopted.len(), 1, "the report comes once");
    Ok(())
}

#[tokio::test]
async fn a_migration_waits_longer_than_its_statements_do() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut other = test.connect("postgres").await?;
    run(
        &mut other,
        "select pg_advisory_lock(hashtextextended('secureguard.migrate', 0))",
    )
    .await?;
    let waiting = test.migrate();
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(5500)).await;
        run(&mut other, "select pg_advisory_unlock_all()").await
    };
    let (report, released) = tokio::join!(waiting, release);
    released?;
    report?;
    Ok(())
}

#[tokio::test]
async fn a_blocked_migration_gives_up_and_its_next_run_reports() -> anyhow::Result<()> {
    let test = printed().await?;
    let mut application = test.connect("postgres").await?;
    run(&mut application, "begin; select count(*) from threats.incidents").await?;
    assert!(
        test.migrate().await.is_err(),
        "DDL waits no longer than a request would"
    );
    run(&mut application, "commit").await?;
    let report = test.migrate().await?;
    assert!(report.from_version < report.to_version);
    assert_eq!(report.adopted.len(), 1);
    assert_same(&catalog(&test).await?, &catalog(&TestDb::new().await?).await?);
    Ok(())
}

/// A role that may create roles and nothing more, made owner of the database, and the URL by which it connects.
async fn as_plain_owner(test: &TestDb, suffix: &str) -> anyhow::Result<(String, SecretString)> {
    let role = format!("owner_{suffix}_{}", test.name());
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        format!(
            "create role {role} login createrole password 'x'; alter database {} owner to {role}",
            test.name()
        ),
    )
    .await?;
    // Since PostgreSQL 16 a role administers only those that it made or was given; here another one made them.
    if count(&mut root, "select current_setting('server_version_num')::bigint").await? >= 160_000 {
        let given = format!(
            "grant sg_owner, sg_auth, sg_app, sg_system, sg_admin, sg_backup, sg_monitor to {role} with admin option"
        );
        run(&mut root, given).await?;
    }
    let url = test.superuser_url();
    let (_, address) = url.expose_secret().split_once('@').unwrap_or_default();
    Ok((
        role.clone(),
        SecretString::from(format!("postgresql://{role}:x@{address}")),
    ))
}

async fn drop_role(root: &mut PgConnection, role: &str) -> anyhow::Result<()> {
    run(
        root,
        format!("reassign owned by {role} to postgres_of_test; drop owned by {role}")
            .replace("postgres_of_test", "current_user"),
    )
    .await?;
    Ok(run(root, format!("drop role {role}")).await?)
}

#[tokio::test]
async fn tables_of_another_owner_are_taken_over() -> anyhow::Result<()> {
    let test = TestDb::unmigrated().await?;
    let mut root = test.connect("postgres").await?;
    let role = format!("earlier_{}", test.name());
    run(
        &mut root,
        format!(
            "create role {role}; grant create on database {} to {role}; set role {role}",
            test.name()
        ),
    )
    .await?;
    for part in PRINTED {
        run(&mut root, part).await?;
    }
    run(
        &mut root,
        "create procedure users.upkeep() language sql as 'select 1'; reset role",
    )
    .await?;
    test.migrate().await?;
    let theirs = format!(
        "select c.relname::text from pg_class c where pg_get_userbyid(c.relowner) = '{role}'
         union all select p.proname::text from pg_proc p where pg_get_userbyid(p.proowner) = '{role}'
         union all select n.nspname::text from pg_namespace n where pg_get_userbyid(n.nspowner) = '{role}'"
    );
    assert_eq!(texts(&mut root, theirs).await?, Vec::<String>::new());
    run(&mut root, "drop procedure users.upkeep()").await?;
    assert_same(&catalog(&test).await?, &catalog(&TestDb::new().await?).await?);
    drop_role(&mut root, &role).await
}

#[tokio::test]
async fn an_owner_that_is_no_superuser_migrates() -> anyhow::Result<()> {
    let test = TestDb::unmigrated().await?;
    let (role, url) = as_plain_owner(&test, "plain").await?;
    let mut owner = <PgConnection as sqlx::Connection>::connect(url.expose_secret()).await?;
    for part in PRINTED {
        run(&mut owner, part).await?;
    }
    let report = sg_db::migrate(&url, &sg_db::RoleVerifiers::default()).await?;
    assert_eq!(report.from_version, 0);
    assert_same(&catalog(&test).await?, &catalog(&TestDb::new().await?).await?);
    drop(owner);
    drop_role(&mut test.connect("postgres").await?, &role).await
}

/// As a managed PostgreSQL gives it: a role that may create roles, and a database of its own.
#[tokio::test]
async fn an_owner_that_makes_the_roles_migrates() -> anyhow::Result<()> {
    let cluster = sg_testkit::TestCluster::start_empty()?;
    cluster
        .execute("create role owner login createrole password 'x'".to_owned())
        .await?;
    cluster
        .execute("create database product owner owner".to_owned())
        .await?;
    let superuser = cluster.superuser_url("product");
    let (_, address) = superuser.expose_secret().split_once('@').unwrap_or_default();
    let url = SecretString::from(format!("postgresql://owner:x@{address}"));
    let mut owner = PgConnection::connect(url.expose_secret()).await?;
    for part in PRINTED {
        run(&mut owner, part).await?;
    }
    for _ in 0..2 {
        let report = sg_db::migrate(&url, &cluster.verifiers()).await?;
        assert!(report.to_version > 0);
    }
    let mut root = PgConnection::connect(superuser.expose_secret()).await?;
    // The roles sign in and work; what only a superuser can set up is missing, and is told.
    let (app, system) = (
        cluster.role_url("sg_app", "product"),
        cluster.role_url("sg_system", "product"),
    );
    let db = sg_db::Db::connect_lazy(&sg_db::DbConfig::new(app, system))?;
    for check in db.check_roles().await? {
        assert_eq!(check.problem, None, "{}", check.role);
    }
    assert!(!db.has_contract_guard().await?);
    let mut app = PgConnection::connect(cluster.role_url("sg_app", "product").expose_secret()).await?;
    assert_eq!(context_of_the_first_user(&mut root, &mut app).await?, "sealed");
    sg_db::migrate(&superuser, &sg_db::RoleVerifiers::default()).await?;
    assert!(db.has_contract_guard().await?, "once as a superuser sets it up");
    assert_eq!(context_of_the_first_user(&mut root, &mut app).await?, "set");
    assert_same(
        &texts(&mut root, CATALOG).await?,
        &catalog(&TestDb::new().await?).await?,
    );
    db.close().await;
    Ok(())
}

/// How the context is kept that a session opens; it shows the session's tenant and nothing after the transaction.
async fn context_of_the_first_user(
    root: &mut PgConnection,
    app: &mut PgConnection,
) -> anyhow::Result<String> {
    run(
        &mut *root,
        "insert into users.users (username, email, password_hash, role) values ('one', 'one@example.org', 'x', 'admin') on conflict do nothing;
         insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds, expires_at)
         select user_id, tenant_id, user_id, sha256('token of one'), now(), now(), 3600, now() + interval '1 day' from users.users where username = 'one'
         on conflict do nothing",
    )
    .await?;
    run(&mut *app, "begin").await?;
    run(&mut *app, open_context("token of one")).await?;
    assert_eq!(
        text(&mut *app, "select concat_ws(' ', users.current_tenant() = tenant_id, users.current_user_id() = user_id, users.current_scope(),
            users.current_member_role()) from users.users where username = 'one'")
        .await?
        .as_deref(),
        Some("t t tenant admin")
    );
    let kept = text(
        &mut *app,
        "select case when coalesce(current_setting('sg.context', true), '') <> '' then 'sealed'
        when current_setting('backtrace_functions') <> '' then 'set' end",
    )
    .await?;
    run(&mut *app, "commit").await?;
    assert_eq!(
        text(&mut *app, "select users.current_tenant()::text").await?,
        None
    );
    Ok(kept.unwrap_or_default())
}
