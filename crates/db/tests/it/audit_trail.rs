//! What the audit log holds of a change: intent and rows, tied by the transaction, without secrets and without noise.

use sg_db::{
    DbError,
    audit::{Actor, AuditEvent, Outcome},
    users,
};
use sg_types::{Role, TenantId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::support::*;

const USER: UserId = UserId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0002));

fn event(actor: Actor, number: u128) -> AuditEvent {
    AuditEvent {
        event_id: Uuid::from_u128(number).into(),
        at: now(),
        actor,
        action: "user.update",
        object: Some(("user", USER.to_string())),
        outcome: Outcome::Success,
        reason: None,
        request_id: Some("request-7".to_owned()),
        address: "192.0.2.1".parse().ok(),
    }
}

/// The row changes that a statement of the superuser leaves, which is then rolled back.
async fn changes(conn: &mut PgConnection, sql: &str) -> anyhow::Result<Vec<String>> {
    run(conn, "begin").await?;
    run(conn, sql).await?;
    let rows = texts(
        conn,
        "select concat_ws(' ', table_name, operation, coalesce(before::text, '-'), coalesce(after::text, '-')) from audit.row_changes
         where transaction_id = pg_current_xact_id() order by change_id",
    )
    .await?;
    run(conn, "rollback").await?;
    Ok(rows)
}

#[tokio::test]
async fn a_commit_ties_the_event_to_the_rows() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let admin = caller(&test, ADMIN_A).await?;
    let mut tx = test.db.write(&admin, now()).await?;
    users::set_user_role(&mut tx, USER, Role::Manager).await?;
    tx.commit(event(Actor::from(&admin), 1)).await?;
    let tied = texts(
        &mut root,
        "select concat_ws(' ', e.action, e.actor_kind, e.actor_name, e.outcome, e.request_id, host(e.address), r.table_name, r.operation,
            r.before ->> 'role', r.after ->> 'role', r.database_role)
         from audit.events e join audit.row_changes r using (tenant_id, transaction_id) where e.action = 'user.update' order by r.table_name",
    )
    .await?;
    assert_eq!(
        tied,
        [
            "user.update user admin-a success request-7 192.0.2.1 users.memberships update user manager sg_app",
            "user.update user admin-a success request-7 192.0.2.1 users.users update user manager sg_app",
        ]
    );

    // Dropped, it leaves neither; an event that cannot be stored takes the change with it.
    let mut tx = test.db.write(&admin, now()).await?;
    users::set_user_role(&mut tx, USER, Role::User).await?;
    drop(tx);
    let mut tx = test.db.write(&admin, now()).await?;
    users::set_user_role(&mut tx, USER, Role::User).await?;
    let mut borrowed = event(Actor::from(&admin), 2);
    borrowed.actor.id = Some(USER.into());
    assert!(
        matches!(tx.commit(borrowed).await, Err(DbError::Denied)),
        "an event in another's name"
    );
    assert_eq!(
        text(
            &mut root,
            format!("select role::text from users.users where user_id = '{USER}'")
        )
        .await?
        .as_deref(),
        Some("manager")
    );
    assert_eq!(
        count(
            &mut root,
            "select count(*) from audit.events where action = 'user.update'"
        )
        .await?,
        1
    );

    // The system's work says so, in the tenant it concerns.
    let mut tx = test.db.system("test").await?;
    users::set_user_active(&mut tx, USER, false).await?;
    tx.commit(admin.tenant_id, event(Actor::system("upkeep"), 3))
        .await?;
    let of_system = "select concat_ws(' ', e.actor_kind, e.actor_name, r.after) from audit.events e
        join audit.row_changes r using (tenant_id, transaction_id) where e.actor_kind = 'system'";
    assert_eq!(
        texts(&mut root, of_system).await?,
        ["system upkeep {\"is_active\": false}"]
    );
    let mut tx = test.db.system("test").await?;
    tx.record(TenantId::SYSTEM, &event(Actor::anonymous(), 4)).await?;
    tx.commit_upkeep().await?;
    assert_eq!(
        count(
            &mut root,
            "select count(*) from audit.events where actor_kind = 'anonymous'"
        )
        .await?,
        1
    );
    Ok(())
}

#[tokio::test]
async fn nothing_is_committed_without_a_context() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    let insert = format!(
        "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_id, action, outcome)
         values (gen_random_uuid(), '{TENANT_A}', now(), 'user', 'aaaaaaaa-0000-4000-8000-000000000001', 'x.y', 'success')"
    );
    assert_eq!(refusal(run(&mut app, insert.clone()).await), "42501");
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    run(&mut app, insert).await?;
    run(&mut app, "commit").await?;
    // Row changes come from the trigger only.
    run(&mut app, "begin").await?;
    run(&mut app, open_context(ADMIN_A)).await?;
    let forged = format!(
        "insert into audit.row_changes (tenant_id, table_name, operation, after) values ('{TENANT_A}', 'x', 'insert', '{{}}')"
    );
    assert_eq!(refusal(run(&mut app, forged).await), "42501");
    Ok(())
}

#[tokio::test]
async fn secrets_and_noise_stay_out_of_the_row_history() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    for noise in [
        "update users.users set failed_login_attempts = 3, last_failed_login = now(), last_login = now()",
        "update users.users set updated_at = now()",
        "update users.api_keys set last_used = now(), usage_count = usage_count + 1",
        "update agents.endpoints set last_seen = now()",
        "update threats.incidents set occurrence_count = occurrence_count + 1, last_detected_at = now()",
        "update users.users set full_name = full_name",
        "select users.begin_login_attempt('admin-a', now())",
    ] {
        assert_eq!(changes(&mut root, noise).await?, Vec::<String>::new(), "{noise}");
    }
    assert_eq!(
        changes(&mut root, "update users.users set password_hash = 'TOP', password_history = '[\"OLD\"]', full_name = 'F', last_login = now()
            where username = 'admin-a'").await?,
        [concat!(
            "users.users update {\"full_name\": null, \"password_hash\": \"(secret)\", \"password_history\": \"(secret)\"} ",
            "{\"full_name\": \"F\", \"password_hash\": \"(secret)\", \"password_history\": \"(secret)\"}"
        )]
    );
    assert_eq!(
        changes(
            &mut root,
            "update users.api_keys set key_hash = 'x', is_active = false where key_name = 'key of a'"
        )
        .await?,
        [
            "users.api_keys update {\"key_hash\": \"(secret)\", \"is_active\": true} {\"key_hash\": \"(secret)\", \"is_active\": false}"
        ]
    );
    let inserted = changes(
        &mut root,
        "insert into users.users (username, email, password_hash, password_history) values ('n', 'n@x', 'TOP', '[\"OLD\"]')",
    )
    .await?;
    assert_eq!(
        inserted.len(),
        2,
        "the user and the membership at home: {inserted:?}"
    );
    assert!(
        inserted
            .iter()
            .all(|row| !row.contains("TOP") && !row.contains("OLD") && !row.contains("password_hash")),
        "{inserted:?}"
    );
    let locked = changes(&mut root, "update users.users set failed_login_attempts = 4; select users.begin_login_attempt('admin-a', now())").await?;
    assert_eq!(locked.len(), 1, "a lock is news: {locked:?}");
    assert!(locked[0].contains("account_locked_until"), "{locked:?}");

    // Whatever was written since the beginning, no stored hash is in it.
    for (table, column) in [
        ("users.users", "password_hash"),
        ("users.api_keys", "key_hash"),
        ("users.sessions", "encode(token_hash, 'hex')"),
    ] {
        let leaked = format!(
            "select count(*) from audit.row_changes r join {table} s on r::text like '%' || s.{column} || '%'"
        )
        .replace("s.encode(token_hash", "encode(s.token_hash");
        assert_eq!(count(&mut root, leaked).await?, 0, "{table}");
    }
    Ok(())
}

#[tokio::test]
async fn the_row_history_names_the_tenant_of_the_row() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let by_tenant = "select table_name || ' ' || (tenant_id::text = repeat(left(coalesce(after, before) ->> 'tenant_id', 1), 8)
            || '-0000-4000-8000-000000000000')::text from audit.row_changes where operation = 'insert' and tenant_id in (
            'aaaaaaaa-0000-4000-8000-000000000000', 'bbbbbbbb-0000-4000-8000-000000000000') group by 1 order by 1";
    assert_eq!(
        texts(&mut root, by_tenant).await?,
        [
            "agents.commands true",
            "agents.endpoints true",
            "agents.legal_holds true",
            "monitoring.alert_rules true",
            "monitoring.channels true",
            "monitoring.report_subscriptions true",
            "monitoring.routes true",
            "monitoring.silences true",
            "threats.exceptions true",
            "threats.incidents true",
            "threats.placeholders true",
            "threats.rules true",
            "users.api_keys true",
            "users.backup_codes true",
            "users.external_identities true",
            "users.factor_policies true",
            "users.factors true",
            "users.identity_providers true",
            "users.memberships true",
            "users.password_policies true",
            "users.provider_domains true",
            "users.provisioned_group_members true",
            "users.provisioned_groups true",
            "users.rate_limits true",
            "users.role_permissions true",
            "users.roles true",
            "users.secrets true",
            "users.subscriptions true",
            "users.tenants true",
            "users.users true"
        ]
    );
    Ok(())
}
