//! Roles as data: what the documented ones may do, and that nobody hands out what they lack, by free SQL either.

use sg_db::users;
use sg_types::{Permission, Role, RoleName, Scope, TenantId};
use sqlx::PgConnection;

use crate::support::*;

/// Token of tenant A's holder of the role `helpdesk`: based on `admin`, but no more than people and endpoints.
const HELPDESK_A: &str = "token of the helpdesk of a";

async fn helpdesk(conn: &mut PgConnection) -> anyhow::Result<()> {
    run(
        conn,
        format!(
            "insert into users.users (user_id, username, email, password_hash, role, tenant_id)
             values ('aaaaaaaa-0000-4000-8000-000000000003', 'desk-a', 'desk@a.example', 'x', 'helpdesk', '{TENANT_A}');
             insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds, expires_at)
             values (gen_random_uuid(), '{TENANT_A}', 'aaaaaaaa-0000-4000-8000-000000000003', '\\x{}', now(), now(), 3600,
                now() + interval '1 day')",
            sg_db::TokenHash::of(HELPDESK_A).to_hex()
        ),
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_database_and_the_program_know_the_same_permissions() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let stored = texts(
        &mut root,
        "select permission::text from users.permissions order by 1",
    )
    .await?;
    let mut known: Vec<_> = Permission::ALL.iter().map(|p| p.as_str()).collect();
    known.sort_unstable();
    assert_eq!(stored, known);
    let mut tx = test.db.system("test").await?;
    for tenant in [TENANT_A, "00000000-0000-0000-0000-000000000001"] {
        let tenant_id: TenantId = tenant.parse().unwrap();
        for role in Role::ALL {
            let found = users::find_role(&mut tx, tenant_id, &RoleName::from(*role))
                .await?
                .unwrap();
            let mut permissions = role.permissions().to_vec();
            permissions.sort_unstable_by_key(|p| p.as_str());
            assert_eq!(
                (
                    found.permissions,
                    found.scope,
                    found.based_on,
                    found.is_documented
                ),
                (permissions, role.scope(), *role, true),
                "{role} in {tenant}"
            );
        }
    }
    for permission in users::list_permissions(&mut tx).await? {
        let least = Role::ALL
            .iter()
            .find(|role| role.allows(permission.permission))
            .unwrap();
        assert_eq!(permission.least_role, *least, "{}", permission.permission);
    }
    // One that a later version adds reaches every tenant's documented roles, and no other.
    run(
        &mut root,
        "set role sg_owner; insert into users.permissions (permission, description, least_role) values ('later', 'x', 'admin'); reset role",
    )
    .await?;
    assert_eq!(
        texts(
            &mut root,
            format!("select role::text from users.role_permissions where permission = 'later' and tenant_id = '{TENANT_B}' order by 1")
        )
        .await?,
        ["admin", "system_admin"]
    );
    // The program goes on without knowing it.
    let admin = caller(&test, ADMIN_A).await?;
    assert!(admin.may(Permission::UsersManage) && !admin.may(Permission::TenantsManage));
    Ok(())
}

#[tokio::test]
async fn a_caller_has_what_their_role_has_at_that_moment() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    helpdesk(&mut root).await?;
    let desk = caller(&test, HELPDESK_A).await?;
    assert_eq!(
        (desk.role.as_str(), desk.based_on, desk.scope),
        ("helpdesk", Role::Admin, Scope::Tenant)
    );
    assert_eq!(
        desk.permissions,
        [
            Permission::EndpointsRead,
            Permission::UsersManage,
            Permission::UsersRead
        ]
    );
    let mut app = test.connect("sg_app").await?;
    let endpoints = async |app: &mut PgConnection| -> anyhow::Result<i64> {
        run(app, "begin").await?;
        run(app, open_context(HELPDESK_A)).await?;
        let rows = count(app, "select count(*) from agents.endpoints").await?;
        run(app, "commit").await?;
        Ok(rows)
    };
    assert_eq!(endpoints(&mut app).await?, 2);
    let mut admin = test.connect("sg_admin").await?;
    run(
        &mut admin,
        "update users.roles set scope = 'own' where role = 'helpdesk';
         delete from users.role_permissions where role = 'helpdesk' and permission = 'users_manage'",
    )
    .await?;
    assert_eq!(
        endpoints(&mut app).await?,
        0,
        "the scope of the role rules the next transaction"
    );
    assert!(!caller(&test, HELPDESK_A).await?.may(Permission::UsersManage));
    Ok(())
}

#[tokio::test]
async fn nobody_hands_out_what_they_lack() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    helpdesk(&mut root).await?;
    run(
        &mut root,
        format!(
            "insert into users.roles (tenant_id, role, based_on, scope) values
                ('{TENANT_A}', 'chief', 'system_admin', 'tenant'), ('{TENANT_A}', 'reader', 'manager', 'tenant'),
                ('{TENANT_A}', 'auditor', 'admin', 'tenant');
             insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_A}', 'auditor', 'audit_read'),
                ('{TENANT_A}', 'chief', 'tenants_manage')"
        ),
    )
    .await?;
    let mut app = test.connect("sg_app").await?;
    let user_a = "aaaaaaaa-0000-4000-8000-000000000002";
    // (who, what by free SQL in their context, the refusal)
    let refused = [
        // More than the helpdesk has: its own role, another's, by a role that looks as high.
        (HELPDESK_A, "update users.users set role = 'admin' where username = 'desk-a'".to_owned(), "42501"),
        (HELPDESK_A, format!("insert into users.users (username, email, password_hash, role, tenant_id)
            values ('x', 'x@x', 'x', 'manager', '{TENANT_A}')"), "42501"),
        (HELPDESK_A, format!("insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_A}', 'helpdesk', 'audit_read')"), "42501"),
        (HELPDESK_A, format!("insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_A}', 'reader', 'incidents_read')"), "42501"),
        (HELPDESK_A, format!("insert into users.roles (tenant_id, role, based_on, scope) values ('{TENANT_A}', 'x', 'system_admin', 'tenant')"), "42501"),
        // Beyond the base, whoever asks.
        (ADMIN_A, format!("insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_A}', 'reader', 'users_manage')"), "23514"),
        (ADMIN_A, format!("insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_A}', 'auditor', 'tenants_manage')"), "23514"),
        (ADMIN_A, format!("insert into users.roles (tenant_id, role, based_on, scope) values ('{TENANT_A}', 'x', 'system_admin', 'tenant')"), "42501"),
        (ADMIN_A, format!("insert into users.roles (tenant_id, role, based_on, scope) values ('{TENANT_A}', 'x', 'user', 'tenant')"), "23514"),
        (ADMIN_A, "update users.roles set based_on = 'system_admin' where role = 'auditor'".to_owned(), "42501"),
        (ADMIN_A, "update users.roles set role = 'system_admin' where role = 'auditor'".to_owned(), "42501"),
        (ADMIN_A, "update users.roles set tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000' where role = 'auditor'".to_owned(), "42501"),
        (ADMIN_A, format!("update users.users set role = 'chief' where user_id = '{user_a}'"), "42501"),
        (ADMIN_A, format!("update users.users set role = 'system_admin' where user_id = '{user_a}'"), "42501"),
        (ADMIN_A, "update users.role_permissions set permission = 'tenants_manage' where role = 'auditor'".to_owned(), "42501"),
        // The documented roles.
        (ADMIN_A, format!("insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_A}', 'user', 'audit_read')"), "42501"),
        (ADMIN_A, "delete from users.role_permissions where role = 'manager'".to_owned(), "42501"),
        (ADMIN_A, "delete from users.roles where role = 'manager'".to_owned(), "42501"),
        (ADMIN_A, "update users.roles set scope = 'tenant' where role = 'user'".to_owned(), "42501"),
        // A role that does not exist, and those of another tenant, which are not to be seen.
        (ADMIN_A, format!("update users.users set role = 'superroot' where user_id = '{user_a}'"), "42501"),
        (ADMIN_A, format!("insert into users.roles (tenant_id, role, based_on, scope) values ('{TENANT_B}', 'x', 'user', 'own')"), "42501"),
        (ADMIN_A, format!("insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_B}', 'helpdesk', 'audit_read')"), "23514"),
        // Whoever manages no people defines nothing.
        (USER_A, format!("insert into users.roles (tenant_id, role, based_on, scope) values ('{TENANT_A}', 'x', 'user', 'own')"), "42501"),
        (USER_A, format!("insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_A}', 'helpdesk', 'incidents_read')"), "42501"),
        (USER_A, "update users.users set full_name = 'x'".to_owned(), "42501"),
        (USER_A, "insert into users.permissions (permission, description, least_role) values ('x', 'x', 'user')".to_owned(), "42501"),
    ];
    for (token, statement, code) in refused {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        assert_eq!(
            refusal(run(&mut app, statement.clone()).await),
            code,
            "{statement}"
        );
        run(&mut app, "rollback").await?;
    }
    // What is above is not even touched.
    for (token, statement) in [
        (HELPDESK_A, "delete from users.roles where role = 'auditor'"),
        (
            HELPDESK_A,
            "delete from users.role_permissions where role = 'auditor'",
        ),
        (
            HELPDESK_A,
            "update users.roles set scope = 'own' where role = 'auditor'",
        ),
        (
            HELPDESK_A,
            "update users.users set is_active = false where role = 'admin'",
        ),
        (ADMIN_A, "delete from users.roles where role = 'chief'"),
        (USER_A, "delete from users.roles where role = 'helpdesk'"),
        // The role `user` has what the helpdesk lacks.
        (
            HELPDESK_A,
            "update users.users set role = 'admin' where username = 'user-a'",
        ),
        (
            HELPDESK_A,
            "update users.users set role = 'helpdesk' where username = 'user-a'",
        ),
        (
            ADMIN_A,
            "delete from users.roles where tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000'",
        ),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        assert_eq!(affected(&mut app, statement).await?, 0, "{statement}");
        run(&mut app, "rollback").await?;
    }
    // What they may.
    for (token, statement) in [
        (
            HELPDESK_A,
            format!(
                "insert into users.roles (tenant_id, role, based_on, scope) values ('{TENANT_A}', 'desk_two', 'admin', 'own')"
            ),
        ),
        (
            HELPDESK_A,
            format!(
                "insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_A}', 'desk_two', 'endpoints_read')"
            ),
        ),
        (
            ADMIN_A,
            format!(
                "insert into users.role_permissions (tenant_id, role, permission) values ('{TENANT_A}', 'auditor', 'incidents_read')"
            ),
        ),
        (
            ADMIN_A,
            "delete from users.role_permissions where role = 'auditor' and permission = 'audit_read'"
                .to_owned(),
        ),
        (
            ADMIN_A,
            "delete from users.roles where role = 'reader'".to_owned(),
        ),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        assert_eq!(affected(&mut app, statement.clone()).await?, 1, "{statement}");
        run(&mut app, "commit").await?;
    }
    Ok(())
}

#[tokio::test]
async fn roles_stay_sound_for_sql_by_hand() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    helpdesk(&mut root).await?;
    let mut admin = test.connect("sg_admin").await?;
    for (statement, code) in [
        (
            "update users.users set role = 'superroot' where username = 'user-a'",
            "23503",
        ),
        ("update users.memberships set role = 'superroot'", "23503"),
        (
            "insert into users.users (username, email, password_hash, role) values ('x', 'x@x', 'x', 'superroot')",
            "23503",
        ),
        // A role of tenant A's in the default tenant.
        (
            "insert into users.users (username, email, password_hash, role) values ('x', 'x@x', 'x', 'helpdesk')",
            "23503",
        ),
        (
            "insert into users.roles (role, based_on, scope) values ('Night|x', 'user', 'own')",
            "23514",
        ),
        (
            "insert into users.roles (role, based_on, scope) values ('x', 'helpdesk', 'own')",
            "23514",
        ),
        (
            "insert into users.roles (role, based_on, scope) values ('admin', 'user', 'own')",
            "42501",
        ),
        (
            "update users.roles set scope = 'tenant' where role = 'user'",
            "42501",
        ),
        (
            "update users.roles set based_on = 'system_admin' where role = 'helpdesk'",
            "42501",
        ),
        ("delete from users.roles where role = 'user'", "42501"),
        ("delete from users.role_permissions where role = 'admin'", "42501"),
        ("delete from users.roles where role = 'helpdesk'", "23503"),
        (
            "insert into users.role_permissions (tenant_id, role, permission)
            values ('aaaaaaaa-0000-4000-8000-000000000000', 'helpdesk', 'tenants_manage')",
            "23514",
        ),
        (
            "insert into users.role_permissions (tenant_id, role, permission)
            values ('aaaaaaaa-0000-4000-8000-000000000000', 'helpdesk', 'anything')",
            "23514",
        ),
        (
            "insert into users.permissions (permission, description, least_role) values ('x', 'x', 'user')",
            "42501",
        ),
    ] {
        assert_eq!(refusal(run(&mut admin, statement).await), code, "{statement}");
    }
    // Told in the row history: what is the tenant's own, and nothing of what every tenant has.
    let history = "select string_agg(distinct coalesce(after, before) ->> 'role', ' ') from audit.row_changes
        where table_name in ('users.roles', 'users.role_permissions')";
    assert_eq!(text(&mut admin, history).await?.as_deref(), Some("helpdesk"));
    run(
        &mut admin,
        "delete from users.role_permissions where role = 'helpdesk' and permission = 'users_manage'",
    )
    .await?;
    assert_eq!(
        count(&mut admin, "select count(*) from audit.row_changes where table_name = 'users.role_permissions' and operation = 'delete'").await?,
        2
    );
    Ok(())
}
