//! Every statement that the schema document prints, run as the administrator at the psql prompt.

use sg_testkit::TestDb;

use crate::{migration::printed, support::*};

#[tokio::test]
async fn the_printed_administration_has_the_described_effect() -> anyhow::Result<()> {
    let adopted = printed().await?;
    // The sample user of the document is in there already.
    run(&mut adopted.connect("postgres").await?, "delete from users.users").await?;
    adopted.migrate().await?;
    for test in [TestDb::new().await?, adopted] {
        let mut admin = test.connect("sg_admin").await?;
        run(&mut admin, "insert into users.users (username, email, password_hash, account_locked_until, failed_login_attempts,
            last_failed_login) values ('locked', 'locked@x', 'x', now() + interval '1 hour', 5, now())").await?;
        run(&mut admin, "insert into users.users (username, email, password_hash, failed_login_attempts) values ('tried', 'tried@x', 'x', 2)")
            .await?;
        run(&mut admin, PRINTED[5]).await?;

        let user = "select concat_ws(' ', email, password_hash, must_change_password, role, is_active, failed_login_attempts, tenant_id)
            from users.users where username = 'newuser'";
        assert_eq!(
            text(&mut admin, user).await?.as_deref(),
            Some("user@domain.com [argon2_hash] t user t 0 00000000-0000-0000-0000-000000000001")
        );
        assert_eq!(
            count(
                &mut admin,
                "select count(*) from users.users where not must_change_password"
            )
            .await?,
            0
        );
        let counters = "select username || ' ' || failed_login_attempts || ' ' || (account_locked_until is null and last_failed_login is null)
            from users.users where username in ('locked', 'tried') order by 1";
        assert_eq!(
            texts(&mut admin, counters).await?,
            ["locked 0 true", "tried 2 true"]
        );
        let policies = texts(
            &mut admin,
            "select concat_ws('/', min_length, max_failed_attempts, lockout_duration_minutes, max_age_days, history_count,
                require_uppercase) from users.password_policies",
        )
        .await?;
        assert!(policies.len() >= 2, "one for each tenant");
        assert!(
            policies.iter().all(|policy| policy == "14/3/60/90/5/t"),
            "{policies:?}"
        );

        // The sample user again: the name is taken, also in other letters.
        for name in ["newuser", "NewUser"] {
            let again = format!(
                "insert into users.users (username, email, password_hash) values ('{name}', 'other@x', 'x')"
            );
            assert_eq!(refusal(run(&mut admin, again).await), "23505");
        }
        // Every change is in the row history, under the administrator's database role and without the hash.
        let history = "select count(*) from audit.row_changes where database_role = 'sg_admin' and table_name = 'users.users'";
        assert!(count(&mut admin, history).await? >= 4);
        assert_eq!(
            count(
                &mut admin,
                "select count(*) from audit.row_changes r where r::text like '%argon2_hash%'"
            )
            .await?,
            0
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_row_of_every_documented_table_by_its_documented_columns() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut admin = test.connect("sg_admin").await?;
    run(
        &mut admin,
        "insert into users.api_keys (user_id, key_hash, key_name, key_prefix)
         select user_id, repeat('ab', 32), 'installer', 'sg_abcdefg' from users.users where username = 'user-b';
         insert into agents.endpoints (user_id, hostname, ip_address, mac_address, registered_via_key_id, tenant_id)
         select k.user_id, 'by-hand', '192.0.2.7', '02:00:00:00:00:01', k.key_id, k.tenant_id from users.api_keys k where key_name = 'installer';
         insert into agents.system_info (agent_id, cpu_usage, memory_usage, disk_usage, network_usage, uptime, process_count, service_status)
         select agent_id, 1600, 99.99, 100, '{}', 9000000000, 300, '{}' from agents.endpoints where hostname = 'by-hand';
         insert into threats.incidents (agent_id, threat_type, severity, title, hash, confidence_score, false_positive_likelihood)
         select agent_id, 'malware', 'critical', 'by hand', 'sha512:' || repeat('f', 128), 1, 0 from agents.endpoints where hostname = 'by-hand'",
    )
    .await?;
    for query in [
        "select tenant_id::text from users.api_keys where key_name = 'installer'",
        "select tenant_id::text from agents.endpoints where hostname = 'by-hand'",
        "select tenant_id::text from agents.system_info where cpu_usage = 1600",
        "select tenant_id::text from threats.incidents where title = 'by hand'",
    ] {
        assert_eq!(
            text(&mut admin, query).await?.as_deref(),
            Some(TENANT_B),
            "{query}"
        );
    }
    assert_eq!(
        text(&mut admin, "select concat_ws(' ', status, heartbeat_interval) from agents.endpoints where hostname = 'by-hand'").await?.as_deref(),
        Some("active 300")
    );
    assert_eq!(
        text(
            &mut admin,
            "select status::text from threats.incidents where title = 'by hand'"
        )
        .await?
        .as_deref(),
        Some("new")
    );
    // Values that no rule of the product allows are refused at the prompt too.
    for statement in [
        "update users.users set role = 'superroot'",
        "update users.users set failed_login_attempts = -1",
        "update users.users set failed_login_attempts = null",
        "update users.users set password_history = '{}'",
        "update users.users set username = ' ' where username = 'user-b'",
        "update users.users set account_locked_until = 'infinity'",
        "update users.password_policies set min_length = -1",
        "update users.password_policies set lockout_duration_minutes = -5",
        "update users.password_policies set max_failed_attempts = 0",
        "update agents.endpoints set status = 'bogus'",
        "update agents.endpoints set heartbeat_interval = -1",
        "update threats.incidents set status = null",
        "update threats.incidents set status = 'bogus'",
        "update threats.incidents set severity = 'bogus'",
        "update threats.incidents set confidence_score = 'NaN'",
        "update threats.incidents set confidence_score = 9.99",
        "update threats.incidents set false_positive_likelihood = -1",
        "insert into agents.system_info (agent_id, memory_usage) select agent_id, 'NaN' from agents.endpoints",
        "insert into agents.system_info (agent_id, disk_usage) select agent_id, 250 from agents.endpoints",
        "insert into agents.system_info (agent_id, cpu_usage) select agent_id, 'NaN' from agents.endpoints",
        "insert into agents.system_info (agent_id, uptime) select agent_id, -1 from agents.endpoints",
    ] {
        let code = refusal(run(&mut admin, statement).await);
        assert!(
            ["23514", "23503", "23502"].contains(&code.as_str()),
            "{statement}: {code}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn password_strength_as_documented_and_never_true_by_null() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    for role in ["sg_admin", "sg_app", "sg_system"] {
        let mut conn = test.connect(role).await?;
        for (arguments, strong) in [
            ("'Correct-Horse-7'", true),
            ("'Short-7'", false),
            ("'no-upper-case-7'", false),
            ("'NO-LOWER-CASE-7'", false),
            ("'No-Numbers-Here'", false),
            ("'NoSpecials12345'", false),
            ("'Пароль-Длинный-7'", true),
            ("null", false),
            ("'Correct-Horse-7', null", false),
            ("'Correct-Horse-7', min_length => 20", false),
            ("'abc', 3, false, false, false, false", true),
            (
                "'abc', 3, require_uppercase => true, require_lowercase => false, require_numbers => false, require_special_chars => false",
                false,
            ),
        ] {
            let call = format!("select users.validate_password_strength({arguments})::text");
            assert_eq!(
                text(&mut conn, call.clone()).await?,
                Some(strong.to_string()),
                "{role}: {call}"
            );
        }
    }
    Ok(())
}
