//! What an earlier installation may have added around the printed tables.

use sg_testkit::TestDb;

use crate::{migration::printed, support::*};

#[tokio::test]
async fn additions_of_an_earlier_installation_are_reported_and_removed() -> anyhow::Result<()> {
    let test = printed().await?;
    let mut root = test.connect("postgres").await?;
    let role = format!("reader_{}", test.name());
    run(
        &mut root,
        format!(
            "create role {role};
             -- Row security of its own, by a setting that everybody can set: it would open what ours closes.
             alter table users.users enable row level security, force row level security;
             create policy by_setting on users.users using (tenant_id::text = current_setting('app.tenant_id', true));
             create policy open on threats.incidents for select using (true);
             alter table threats.incidents enable row level security;
             grant usage on schema users, threats to public;
             grant select on users.users, threats.incidents to public;
             grant select (key_hash) on users.api_keys to {role};
             grant all on agents.endpoints to {role};
             grant execute on function users.handle_failed_login(text) to {role};
             create function public.stamp() returns trigger language plpgsql as 'begin new.updated_at := now(); return new; end';
             create trigger stamp before update of username on users.users for each row execute function public.stamp();
             create view public.people as select user_id, username from users.users;
             create view users.names as select username from public.people;
             create materialized view threats.loud as select threat_id, title from threats.incidents where severity = 'critical';
             create rule quiet as on delete to threats.incidents do instead nothing;
             alter table users.users add check (role in ('user', 'admin'));
             alter table users.users add check (length(username) <= 50);
             alter table users.api_keys add unique (key_hash);
             alter table agents.system_info add column temperature integer;
             insert into agents.endpoints (agent_id, hostname) values ('40000000-0000-4000-8000-000000000001', 'h');
             insert into agents.system_info (agent_id, temperature) values ('40000000-0000-4000-8000-000000000001', 55),
                ('40000000-0000-4000-8000-000000000001', null);"
        ),
    )
    .await?;
    let report = test.migrate().await?;
    let mut found: Vec<_> = report
        .adopted
        .iter()
        .map(|row| {
            format!(
                "{}: {}: {}",
                row.problem,
                row.table_name,
                row.row_id.replace(&role, "ROLE")
            )
        })
        .filter(|line| !line.starts_with("no tenant") && !line.starts_with("column temperature"))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "a constraint beyond the documented schema: users.api_keys: api_keys_key_hash_key",
            "a constraint beyond the documented schema: users.users: users_role_check",
            "a constraint beyond the documented schema: users.users: users_username_check",
            "a policy beyond the documented schema: threats.incidents: open",
            "a policy beyond the documented schema: users.users: by_setting",
            "a rule beyond the documented schema: threats.incidents: quiet",
            "a trigger beyond the documented schema: users.users: stamp",
            "a view beyond the documented schema: public.people: public.people",
            "a view beyond the documented schema: threats.loud: threats.loud",
            "a view beyond the documented schema: users.names: users.names",
            "privileges of another role: agents.endpoints: ROLE",
            "privileges of another role: threats.incidents: public",
            "privileges of another role: threats: public",
            "privileges of another role: users.api_keys: ROLE",
            "privileges of another role: users.handle_failed_login(text): ROLE",
            "privileges of another role: users.users: public",
            "privileges of another role: users: public",
        ]
    );
    // Rows behind the earlier policy were seen and adopted all the same.
    assert_eq!(
        count(
            &mut root,
            "select count(*) from users.users where tenant_id is not null"
        )
        .await?,
        1
    );
    let temperature =
        "select before ->> 'temperature' from audit.adoption_report where problem like 'column temperature%'";
    assert_eq!(texts(&mut root, temperature).await?, ["55"]);
    let definition =
        "select before ->> 'definition' from audit.adoption_report where row_id = 'public.people'";
    assert!(
        text(&mut root, definition)
            .await?
            .unwrap_or_default()
            .contains("username")
    );
    // And nothing of it is left to see by.
    let mut app = test.connect("sg_app").await?;
    run(
        &mut app,
        "set app.tenant_id = '00000000-0000-0000-0000-000000000001'",
    )
    .await?;
    assert_eq!(count(&mut app, "select count(*) from users.users").await?, 0);
    assert_eq!(
        refusal(count(&mut app, "select count(password_hash) from users.users").await),
        "42501"
    );
    run(&mut root, format!("drop function public.stamp; drop role {role}")).await?;
    Ok(())
}

#[tokio::test]
async fn references_that_a_restore_left_dangling_are_found() -> anyhow::Result<()> {
    let test = printed().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        "set session_replication_role = replica;
         insert into users.api_keys (key_id, user_id, key_hash, key_name, key_prefix)
         values ('30000000-0000-4000-8000-000000000001', gen_random_uuid(), repeat('ab', 32), 'k', 'p');
         insert into agents.endpoints (agent_id, user_id, hostname, registered_via_key_id)
         values ('40000000-0000-4000-8000-000000000001', gen_random_uuid(), 'h', '30000000-0000-4000-8000-000000000001');
         insert into agents.system_info (info_id, agent_id) values ('60000000-0000-4000-8000-000000000001', gen_random_uuid());
         insert into threats.incidents (threat_id, agent_id, threat_type, severity, title, assigned_to, resolved_by) values
            ('50000000-0000-4000-8000-000000000001', gen_random_uuid(), 'x', 'low', 'x', null, null),
            ('50000000-0000-4000-8000-000000000002', '40000000-0000-4000-8000-000000000001', 'x', 'low', 'x', gen_random_uuid(), gen_random_uuid());
         reset session_replication_role",
    )
    .await?;
    let report = test.migrate().await?;
    let mut found: Vec<_> = report
        .adopted
        .iter()
        .filter(|row| row.problem != "no tenant")
        .map(|row| format!("{} {} {}", row.table_name, row.problem, row.repair))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "agents.endpoints registered_via_key_id points nowhere cleared",
            "agents.endpoints user_id points nowhere cleared",
            "agents.system_info its endpoint does not exist quarantined: kept in this report only",
            "threats.incidents assigned_to points nowhere cleared",
            "threats.incidents its endpoint does not exist quarantined: kept in this report only",
            "threats.incidents resolved_by points nowhere cleared",
            "users.api_keys its user does not exist quarantined: kept in this report only",
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_user_name_that_is_anothers_address_stays_and_is_told() -> anyhow::Result<()> {
    let test = printed().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        "insert into users.users (username, email, password_hash, tenant_id) values
            ('ada', 'ada@example.org', 'x', '00000000-0000-0000-0000-000000000001'),
            ('Ada@Example.org', 'eve@example.org', 'x', '00000000-0000-0000-0000-000000000001')",
    )
    .await?;
    let report = test.migrate().await?;
    let told: Vec<_> = report
        .adopted
        .iter()
        .filter(|row| row.problem == "username is another user's email")
        .collect();
    assert_eq!(told.len(), 1, "{:?}", report.adopted);
    let mut admin = test.connect("sg_admin").await?;
    assert_eq!(
        texts(
            &mut admin,
            "select username::text from users.users where email like '%@example.org' order by email"
        )
        .await?,
        ["ada", "Ada@Example.org"]
    );
    // Whoever has such a name goes on signing in, and changes of anything else are free.
    let eve = "update users.users set full_name = 'Eve' where email = 'eve@example.org'";
    assert_eq!(affected(&mut admin, eve).await?, 1);
    let again = "update users.users set username = 'ADA@example.org' where email = 'eve@example.org'";
    assert_eq!(refusal(run(&mut admin, again).await), "23505");
    Ok(())
}

#[tokio::test]
async fn two_who_take_one_name_at_once_do_not_both_get_it() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let (mut one, mut two) = (test.connect("sg_admin").await?, test.connect("sg_admin").await?);
    run(&mut one, "begin; insert into users.users (username, email, password_hash) values ('ada', 'ada@example.org', 'x')").await?;
    let borrow = "insert into users.users (username, email, password_hash) values ('ada@example.org', 'eve@example.org', 'x')";
    let (borrowed, committed) = tokio::join!(run(&mut two, borrow), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        run(&mut one, "commit").await
    });
    committed?;
    assert_eq!(refusal(borrowed), "23505");
    Ok(())
}
