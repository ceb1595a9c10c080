//! Attempts to write a tenant context instead of opening it, as `sg_app`: by the parameter that only `sg_auth` may set, and by the sealed setting that
//! stands in for it where no superuser granted that one.

use secrecy::ExposeSecret;
use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};

use crate::support::*;

const INCIDENTS: &str = "select count(*) from threats.incidents";

#[tokio::test]
async fn a_context_can_be_opened_and_not_written() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    assert_eq!(count(&mut app, INCIDENTS).await?, 2);
    let opened = text(&mut app, "select current_setting('backtrace_functions')")
        .await?
        .unwrap_or_default();
    assert!(opened.starts_with("sg_whole,sg_context,aaaaaaaa"), "{opened}");
    run(&mut app, "commit").await?;
    assert_eq!(count(&mut app, INCIDENTS).await?, 0, "after the transaction");

    let forged = opened.replace('a', "b");
    for context in [&opened, &forged] {
        for statement in [
            format!("set backtrace_functions = '{context}'"),
            format!("set local backtrace_functions = '{context}'"),
            format!("set session backtrace_functions to '{context}'"),
            format!("select set_config('backtrace_functions', '{context}', false)"),
            format!("select set_config('backtrace_functions', '{context}', true)"),
            format!("select set_config('BackTrace_Functions', '{context}', true)"),
            format!("update pg_settings set setting = '{context}' where name = 'backtrace_functions'"),
            format!("do $$ begin set local backtrace_functions = '{context}'; end $$"),
            format!("alter role sg_app set backtrace_functions = '{context}'"),
            format!(
                "alter database {} set backtrace_functions = '{context}'",
                test.name()
            ),
            "grant set on parameter backtrace_functions to sg_app".to_owned(),
            // A function's own settings hold while it runs.
            format!(
                "create function pg_temp.f() returns bigint language sql set backtrace_functions = '{context}'
                    as 'select count(*) from threats.incidents'"
            ),
        ] {
            run(&mut app, "begin").await?;
            assert_eq!(
                refusal(run(&mut app, statement.clone()).await),
                "42501",
                "{statement}"
            );
            run(&mut app, "rollback").await?;
            assert_eq!(count(&mut app, INCIDENTS).await?, 0, "{statement}");
        }
        let everywhere = format!("alter system set backtrace_functions = '{context}'");
        assert_eq!(refusal(run(&mut app, everywhere).await), "42501");
        // Nor as an option of a new connection.
        let options: PgConnectOptions = test.url("sg_app").expose_secret().parse()?;
        let refused = options
            .options([("backtrace_functions", context)])
            .connect()
            .await;
        assert_eq!(refusal(refused.map(drop)), "42501");
    }
    assert_eq!(
        count(
            &mut app,
            "select count(*) from pg_db_role_setting where setconfig::text ~ 'backtrace'"
        )
        .await?,
        0
    );

    // What takes a setting back closes the context.
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    run(&mut app, "reset all").await?;
    assert_eq!(count(&mut app, INCIDENTS).await?, 0);
    run(&mut app, "rollback").await?;
    // What an administrator sets to look for a fault is no context.
    let mut root = test.connect("postgres").await?;
    for functions in [
        "errstart,sg_contexts",
        "sg_whole,errstart",
        "errstart,tenant,sg_tenant",
    ] {
        run(
            &mut root,
            format!("reset role; set backtrace_functions = '{functions}'; set role sg_app"),
        )
        .await?;
        for table in ["threats.incidents", "audit.events"] {
            assert_eq!(
                count(&mut root, format!("select count(*) from {table}")).await?,
                0,
                "{functions}: {table}"
            );
        }
    }
    Ok(())
}

/// Lets the seal decide, as where no superuser has migrated.
async fn without_parameter(root: &mut PgConnection) -> anyhow::Result<()> {
    let migration = include_str!("../../migrations/0030_context_parameter.sql");
    let part = |text: &'static str, mark: &str| text.split_once(mark).unwrap_or_default();
    let (_, from) = part(migration, "create or replace function users.current_tenant()");
    let (functions, _) = part(from, "create or replace function users.open_context(");
    let functions = functions.replace("\ncreate function", "\ncreate or replace function");
    let later = include_str!("../../migrations/0039_cheaper_context.sql");
    let (_, from) = part(later, "create function users.whole_tenant()");
    let (whole_tenant, _) = part(from, "revoke all");
    run(
        root,
        format!(
            "create or replace function users.current_tenant(){functions};
             create or replace function users.whole_tenant(){whole_tenant}"
        ),
    )
    .await?;
    Ok(())
}

/// What each function tells of the context, in both of the places where it is kept.
#[tokio::test]
async fn a_context_tells_the_same_from_the_parameter_and_from_the_seal() -> anyhow::Result<()> {
    const CLAIMS: &str = "select concat_ws(' ', coalesce(users.current_tenant()::text, '-'), coalesce(users.whole_tenant()::text, '-'),
        users.sees_whole_tenant() is true, coalesce(users.current_user_id()::text, '-'), coalesce(users.current_scope(), '-'),
        coalesce(users.current_member_role(), '-'), coalesce(users.current_retention_class()::text, '-'))";
    let user = "aaaaaaaa-0000-4000-8000-000000000002";
    let expected = [
        format!("{TENANT_A} {TENANT_A} t aaaaaaaa-0000-4000-8000-000000000001 tenant admin 400"),
        format!("{TENANT_A} - f {user} own user 400"),
    ];
    let nothing = "- - f - - - -";
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let mut app = test.connect("sg_app").await?;
    for (token, told) in [
        (ADMIN_A, expected[0].as_str()),
        (USER_A, &expected[1]),
        ("nobody's token", nothing),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        assert_eq!(text(&mut app, CLAIMS).await?.as_deref(), Some(told), "{token}");
        run(&mut app, "commit").await?;
        assert_eq!(text(&mut app, CLAIMS).await?.as_deref(), Some(nothing), "{token}");
    }
    without_parameter(&mut root).await?;
    for (claims, told) in [
        (admin_claims(), &expected[0]),
        (format!("{TENANT_A}|{user}|own|user|400"), &expected[1]),
    ] {
        run(&mut root, "begin").await?;
        seal(&mut root, &claims).await?;
        assert_eq!(text(&mut root, CLAIMS).await?.as_ref(), Some(told), "{claims}");
        run(&mut root, "rollback").await?;
    }
    Ok(())
}

/// What is sealed for the administrator of tenant A.
fn admin_claims() -> String {
    format!("{TENANT_A}|aaaaaaaa-0000-4000-8000-000000000001|tenant|admin|400")
}

/// Opens a sealed context, as `users.open_context` does where sg_auth was not granted the parameter; returns it.
async fn seal(conn: &mut PgConnection, claims: &str) -> anyhow::Result<String> {
    run(&mut *conn, "set role sg_auth").await?;
    let seal = text(
        &mut *conn,
        format!("select encode(users.context_mac('{claims}'), 'hex')"),
    )
    .await?;
    let sealed = format!("{claims}|{}", seal.unwrap_or_default());
    run(
        &mut *conn,
        format!("set role sg_app; set local sg.context = '{sealed}'"),
    )
    .await?;
    Ok(sealed)
}

#[tokio::test]
async fn a_seal_holds_for_its_claims_its_backend_and_its_transaction() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("postgres").await?;
    without_parameter(&mut app).await?;
    run(&mut app, "begin").await?;
    let sealed = seal(&mut app, &admin_claims()).await?;
    assert_eq!(count(&mut app, INCIDENTS).await?, 2);
    let (_, mac) = sealed.rsplit_once('|').unwrap();
    let user_b = "bbbbbbbb-0000-4000-8000-000000000001";
    let forged = [
        String::new(),
        "|".to_owned(),
        "||||".to_owned(),
        TENANT_B.to_owned(),
        format!("{TENANT_B}|{user_b}|tenant|admin|90"),
        format!("{TENANT_B}|{user_b}|tenant|admin|90|"),
        format!("{TENANT_B}|{user_b}|tenant|admin|90|{}", "0".repeat(64)),
        // Tenant A's seal on tenant B's claims.
        format!("{TENANT_B}|{user_b}|tenant|admin|90|{mac}"),
        sealed.replacen(TENANT_A, TENANT_B, 1),
        sealed.to_uppercase(),
        format!("{sealed}|"),
        format!("{sealed} "),
        format!("{TENANT_B}|{sealed}"),
        "not a context at all".to_owned(),
    ];
    for context in &forged {
        let set = format!("select set_config('sg.context', $context${context}$context$, true)");
        run(&mut app, set).await?;
        assert_eq!(count(&mut app, INCIDENTS).await?, 0, "{context:?}");
        for claim in [
            "current_tenant",
            "current_user_id",
            "current_scope",
            "current_member_role",
        ] {
            let claimed = text(&mut app, format!("select users.{claim}()::text")).await?;
            assert_eq!(claimed, None, "{claim}: {context:?}");
        }
    }
    // The true one holds again within its own transaction, and for its own tenant.
    run(&mut app, format!("set local sg.context = '{sealed}'")).await?;
    assert_eq!(
        texts(&mut app, "select title::text from threats.incidents order by 1").await?,
        ["other incident of a", "own incident of a"]
    );
    run(&mut app, "commit").await?;

    // Later, in the same backend.
    run(&mut app, format!("set sg.context = '{sealed}'")).await?;
    assert_eq!(count(&mut app, INCIDENTS).await?, 0, "outside a transaction");
    run(&mut app, "begin").await?;
    assert_eq!(count(&mut app, INCIDENTS).await?, 0, "in a later transaction");
    run(&mut app, "rollback").await?;

    // In another backend, while the transaction that it was opened in still runs.
    run(&mut app, "begin").await?;
    let sealed = seal(&mut app, &admin_claims()).await?;
    let mut other = test.connect("sg_app").await?;
    run(&mut other, "begin").await?;
    run(&mut other, format!("set local sg.context = '{sealed}'")).await?;
    assert_eq!(count(&mut other, INCIDENTS).await?, 0, "in another backend");
    Ok(())
}
