//! Access from elsewhere: given in one tenant by whoever manages its people, for a time, and never to oneself.

use sqlx::PgConnection;

use crate::support::*;

const ADMIN_OF_A: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const ADMIN_OF_B: &str = "bbbbbbbb-0000-4000-8000-000000000001";

fn give(user: &str, role: &str, expires: &str, by: &str) -> String {
    format!(
        "insert into users.memberships (tenant_id, user_id, role, expires_at, granted_by, reason)
         values ('{TENANT_A}', '{user}', '{role}', {expires}, '{by}', 'night shift')"
    )
}

async fn as_app(
    conn: &mut PgConnection,
    token: &str,
    statement: &str,
) -> anyhow::Result<Result<u64, sqlx::Error>> {
    run(conn, "begin").await?;
    run(conn, open_context(token)).await?;
    let outcome = affected(conn, statement).await;
    run(conn, if outcome.is_ok() { "commit" } else { "rollback" }).await?;
    Ok(outcome)
}

#[tokio::test]
async fn free_sql_gives_no_more_access_than_the_rules_do() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    let month = "now() + interval '30 days'";
    let in_b = give(ADMIN_OF_B, "manager", month, ADMIN_OF_A).replace(TENANT_A, TENANT_B);
    for statement in [
        give(ADMIN_OF_B, "system_admin", month, ADMIN_OF_A),
        give(ADMIN_OF_B, "superroot", month, ADMIN_OF_A),
        give(ADMIN_OF_B, "manager", month, ADMIN_OF_B),
        give(ADMIN_OF_B, "manager", "null", ADMIN_OF_A),
        give(ADMIN_OF_B, "manager", "now() + interval '400 days'", ADMIN_OF_A),
        give(ADMIN_OF_B, "manager", "'infinity'", ADMIN_OF_A),
        in_b,
        // Themselves into another tenant.
        give(ADMIN_OF_A, "admin", month, ADMIN_OF_A).replace(TENANT_A, TENANT_B),
        // Somebody at home here, whose membership follows their account.
        give("aaaaaaaa-0000-4000-8000-000000000002", "admin", month, ADMIN_OF_A),
        "update users.memberships set expires_at = now() where user_id = 'aaaaaaaa-0000-4000-8000-000000000002'".to_owned(),
        "update users.memberships set role = 'manager' where user_id = 'aaaaaaaa-0000-4000-8000-000000000002'".to_owned(),
        "delete from users.memberships".to_owned(),
        "update users.memberships set user_id = 'bbbbbbbb-0000-4000-8000-000000000001'".to_owned(),
    ] {
        let outcome = as_app(&mut app, ADMIN_A, &statement).await?;
        assert_eq!(refusal(outcome), "42501", "{statement}");
    }
    // Whoever manages no people gives no access.
    let statement = give(ADMIN_OF_B, "user", month, "aaaaaaaa-0000-4000-8000-000000000002");
    assert_eq!(refusal(as_app(&mut app, USER_A, &statement).await?), "42501");

    assert_eq!(
        as_app(&mut app, ADMIN_A, &give(ADMIN_OF_B, "admin", month, ADMIN_OF_A)).await??,
        1
    );
    // The person who got it can neither extend it nor raise it, from here or from home.
    let into_a = open_context(ADMIN_B).replace("null", &format!("'{TENANT_A}'"));
    for statement in [
        format!("update users.memberships set expires_at = {month} where user_id = '{ADMIN_OF_B}'"),
        format!("update users.memberships set granted_by = '{ADMIN_OF_B}' where user_id = '{ADMIN_OF_B}'"),
        format!(
            "update users.memberships set role = 'system_admin', granted_by = '{ADMIN_OF_B}' where user_id = '{ADMIN_OF_B}'"
        ),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, into_a.clone()).await?;
        assert_eq!(
            text(&mut app, "select users.current_tenant()::text")
                .await?
                .as_deref(),
            Some(TENANT_A)
        );
        assert_eq!(
            refusal(run(&mut app, statement.clone()).await),
            "42501",
            "{statement}"
        );
        run(&mut app, "rollback").await?;
    }
    let from_home =
        format!("update users.memberships set expires_at = {month} where tenant_id = '{TENANT_A}'");
    assert_eq!(
        as_app(&mut app, ADMIN_B, &from_home).await??,
        0,
        "the other tenant's row is not there"
    );

    // Ended, at the next statement that opens a context; given again by an administrator, with the row history of both.
    let end = format!(
        "update users.memberships set expires_at = now(), granted_by = '{ADMIN_OF_A}' where user_id = '{ADMIN_OF_B}'"
    );
    assert_eq!(as_app(&mut app, ADMIN_A, &end).await??, 1);
    let mut root = test.connect("postgres").await?;
    run(&mut root, format!("update users.memberships set expires_at = now() - interval '2 minutes' where user_id = '{ADMIN_OF_B}' and tenant_id = '{TENANT_A}'")).await?;
    run(&mut app, "begin").await?;
    run(&mut app, into_a).await?;
    assert_eq!(text(&mut app, "select users.current_tenant()::text").await?, None);
    run(&mut app, "rollback").await?;
    let history = format!(
        "select count(*) from audit.row_changes where table_name = 'users.memberships' and row_id = '{ADMIN_OF_B}' and tenant_id = '{TENANT_A}'"
    );
    assert_eq!(count(&mut root, history).await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_name_is_found_by_whoever_may_give_access_and_only_whole() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    for (token, name, found) in [
        (ADMIN_A, "admin-b", true),
        (ADMIN_A, "ADMIN-B", true),
        (ADMIN_A, "admin-a", false),
        (ADMIN_A, "admin%", false),
        (ADMIN_A, "admin", false),
        (ADMIN_A, "", false),
        (USER_A, "admin-b", false),
        (ADMIN_B, "user-a", true),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        let id = text(&mut app, format!("select users.find_grantee('{name}')::text")).await?;
        assert_eq!(id.is_some(), found, "{name} by {token}");
        run(&mut app, "commit").await?;
    }
    assert_eq!(
        text(&mut app, "select users.find_grantee('admin-b')::text").await?,
        None,
        "without a context"
    );
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        "update users.users set is_active = false where username = 'admin-b'",
    )
    .await?;
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    assert_eq!(
        text(&mut app, "select users.find_grantee('admin-b')::text").await?,
        None,
        "switched off"
    );
    // Nor does the policy's helper tell of people elsewhere.
    assert_eq!(
        text(&mut app, format!("select users.home_role('{ADMIN_OF_B}')")).await?,
        None
    );
    Ok(())
}
