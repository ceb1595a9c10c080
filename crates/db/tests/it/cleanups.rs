//! What nobody needs any more goes, what is needed stays, and the page about it is complete.

use std::collections::BTreeSet;

use sg_db::cleanup::{CLEANUPS, run_cleanup};
use sg_testkit::TestDb;

use crate::support::*;

async fn clean(test: &TestDb, name: &str) -> anyhow::Result<u64> {
    let kind = CLEANUPS
        .iter()
        .find(|kind| kind.name == name)
        .ok_or_else(|| anyhow::anyhow!("no cleanup {name}"))?;
    let mut tx = test.db.system("test").await?;
    let rows = run_cleanup(&mut tx, kind, now()).await?;
    tx.commit_upkeep().await?;
    Ok(rows)
}

#[tokio::test]
async fn each_kind_removes_what_is_past_its_time_and_nothing_twice() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    for kind in CLEANUPS {
        clean(&test, kind.name).await?;
        assert_eq!(clean(&test, kind.name).await?, 0, "{}", kind.name);
    }
    let a = TENANT_A;
    let (admin, user) = (
        "aaaaaaaa-0000-4000-8000-000000000001",
        "aaaaaaaa-0000-4000-8000-000000000002",
    );
    let guest = "bbbbbbbb-0000-4000-8000-000000000002";
    let own = "aaaaaaaa-0000-4000-8000-000000000011";
    // (kind, what is made, how much of it goes, a query whose answer has to stay as it is)
    let cases: &[(&str, String, u64, String)] = &[
        ("sessions", format!("insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds,
            expires_at, ended_at) select gen_random_uuid(), '{a}', '{admin}', sha256(n::text::bytea), now(), now(), 60, now() + e, now() + d
            from (values (1, interval '1 day', interval '-31 days'), (2, '-31 days', null), (3, '-29 days', null), (4, '1 day', '-1 day')) v (n, e, d)"), 2,
            "select count(*) - 4 from users.sessions where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'".to_owned()),
        ("outgoing_mail", format!("delete from users.outgoing_mail;
            insert into users.outgoing_mail (mail_id, tenant_id, user_id, kind, created_at, next_attempt_at, expires_at, finished_at, outcome)
            select gen_random_uuid(), '{a}', '{user}', 'x', now(), now(), now() + e, now() + f, case when f is not null then 'sent' end
            from (values (interval '-40 days', interval '-31 days'), ('-40 days', '-29 days'), ('-31 days', null), ('1 day', null)) v (e, f)"), 2,
            "select count(*) - 2 from users.outgoing_mail".to_owned()),
        ("password_links", format!("delete from users.password_links;
            insert into users.password_links (link_id, tenant_id, user_id, purpose, token_hash, account_state, created_at, expires_at, used_at)
            select gen_random_uuid(), '{a}', '{user}', 'reset', sha256(n::text::bytea), sha256('x'), now(), now() + e, now()
            from (values (1, interval '-31 days'), (2, '-29 days'), (3, '1 hour')) v (n, e)"), 1,
            "select count(*) - 2 from users.password_links".to_owned()),
        ("known_devices", format!("delete from users.known_devices;
            insert into users.known_devices (device_id, tenant_id, user_id, token_hash, created_at, last_used_at)
            select gen_random_uuid(), '{a}', '{user}', sha256(n::text::bytea), now(), now() - u
            from (values (1, interval '181 days'), (2, '179 days')) v (n, u)"), 1,
            "select count(*) - 1 from users.known_devices".to_owned()),
        ("password_history", format!("update users.users set password_history = '[\"1\", \"2\", \"3\", \"4\", \"5\"]' where user_id = '{user}';
            update users.password_policies set history_count = 2 where tenant_id = '{a}'"), 1,
            format!("select case when password_history = '[\"1\", \"2\"]' then 0::bigint end from users.users where user_id = '{user}'")),
        ("api_keys", format!("insert into users.api_keys (key_id, user_id, key_hash, key_name, key_prefix, tenant_id, expires_at, revoked_at, is_active)
            select gen_random_uuid(), '{admin}', 'h' || n, 'k' || n, 'sg', '{a}', now() + e, now() + r, r is null
            from (values (1, interval '-401 days', null::interval), (2, null, '-401 days'), (3, '-399 days', null), (4, '1 day', null), (5, null, null)) v (n, e, r);
            update users.api_keys set revoked_at = now() - interval '500 days', is_active = false where key_name = 'key of a'"), 2,
            "select count(*) - 4 from users.api_keys where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'".to_owned()),
        ("agent_tokens", format!("insert into agents.agent_tokens (token_hash, tenant_id, agent_id, created_at, revoked_at)
            values (sha256('1'), '{a}', '{own}', now(), now() - interval '91 days'), (sha256('2'), '{a}', '{own}', now(), now() - interval '89 days')"), 1,
            "select count(*) - 2 from agents.agent_tokens where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'".to_owned()),
        ("memberships", format!("insert into users.memberships (tenant_id, user_id, role, expires_at) values ('{a}', '{guest}', 'user', now() - interval '401 days');
            insert into users.memberships (tenant_id, user_id, role, expires_at)
                values ('{a}', 'bbbbbbbb-0000-4000-8000-000000000001', 'user', now() - interval '401 days');
            update threats.incidents set resolved_by = 'bbbbbbbb-0000-4000-8000-000000000001' where tenant_id = '{a}';
            update users.memberships set expires_at = now() - interval '500 days' where tenant_id = '{a}' and user_id = '{user}'"), 1,
            format!("select count(*) - 3 from users.memberships where tenant_id = '{a}'")),
        ("sign_in_challenges", format!("insert into users.sign_in_challenges (challenge_id, tenant_id, purpose, token_hash, passkey_challenge,
            created_at, expires_at) select gen_random_uuid(), '{a}', 'passkey_sign_in', sha256(n::text::bytea), sha256('c'), now(), now() + e
            from (values (1, interval '-25 hours'), (2, interval '-23 hours'), (3, interval '1 minute')) v (n, e)"), 1,
            format!("select count(*) - 3 from users.sign_in_challenges where tenant_id = '{a}'")),
        ("pending_factors", format!("with made as (
                insert into users.secrets (secret_id, tenant_id, user_id, purpose, key_id, nonce, ciphertext, created_at, sealed_at)
                select gen_random_uuid(), '{a}', '{user}', 'totp', repeat('a', 16), substr(sha256('n'), 1, 12), sha256('c'), now() - e, now()
                from (values (interval '11 minutes'), (interval '9 minutes')) v (e) returning secret_id, created_at)
            insert into users.factors (factor_id, tenant_id, user_id, kind, name, created_at, secret_id)
            select gen_random_uuid(), '{a}', '{user}', 'totp', 'pending', created_at, secret_id from made"), 1,
            "select count(*) - 1 from users.factors f join users.secrets s using (secret_id) where f.name = 'pending'".to_owned()),
        ("notices", format!("insert into users.notices (notice_id, tenant_id, user_id, kind, created_at)
            select gen_random_uuid(), '{a}', '{user}', 'factor_added', now() - d from (values (interval '401 days'), (interval '399 days')) v (d)"), 1,
            format!("select count(*) - 2 from users.notices where tenant_id = '{a}'")),
        ("streams", format!("insert into agents.streams (agent_id, epoch, tenant_id, turn, previous_turn, created_at, last_seen_at)
            select '{own}', gen_random_uuid(), '{a}', gen_random_uuid(), gen_random_uuid(), now(), now() - make_interval(hours => n) from generate_series(1, 20) n"), 5,
            format!("select count(*) - 16 from agents.streams where agent_id = '{own}'")),
        ("gaps", format!("insert into agents.gaps (gap_id, tenant_id, agent_id, noticed_by, reason, from_at, to_at, recorded_at)
            select gen_random_uuid(), '{a}', '{own}', 'agent', 'x', f::timestamptz, f::timestamptz, now() - interval '401 days'
            from (values ('2000-01-01 12:00:00+00'), ('2000-01-03 12:00:00+00')) v (f)"), 1,
            "select count(*) - 1 from agents.gaps where from_at = '2000-01-01 12:00:00+00'".to_owned()),
        ("excepted_findings", format!("insert into threats.excepted_findings (tenant_id, exception_id, agent_id, fingerprint, day, rule_id, rule_name,
            severity, subject, occurrence_count, first_seen_at, last_seen_at)
            select '{a}', 'aaaaaaaa-0000-4000-8000-000000000081', '{own}', 'old', (now() at time zone 'UTC')::date - d, 'r', 'R', 'low', '{{}}', 1, now(), now()
            from (values (92), (91), (90)) v (d)"), 2,
            "select count(*) - 1 from threats.excepted_findings where fingerprint = 'old'".to_owned()),
        ("correlation_matches", format!("insert into threats.correlation_matches (tenant_id, rule_id, group_key, occurred_at, event_id, position,
            group_values, agent_id, matched_rule, summary, keep_until)
            select '{a}', 'old', sha256('o'), now(), gen_random_uuid(), 0, '[]', '{own}', 'R', 's', now() + d
            from (values (interval '-1 hour'), (interval '-1 day'), (interval '1 hour')) v (d)"), 2,
            "select count(*) - 1 from threats.correlation_matches where rule_id = 'old'".to_owned()),
        ("correlation_episodes", format!("insert into threats.correlation_episodes (tenant_id, rule_id, group_key, from_at, to_at, episode_id,
            held, figure, keep_until)
            select '{a}', 'old', sha256('o'), now() + d, now() + d, gen_random_uuid(), true, 1, now() + d
            from (values (interval '-1 hour'), (interval '-1 day'), (interval '1 hour')) v (d)"), 2,
            "select count(*) - 1 from threats.correlation_episodes where rule_id = 'old'".to_owned()),
        ("occurrences", format!("insert into threats.occurrences (occurrence_id, tenant_id, finding_id, occurred_at, received_at)
            select gen_random_uuid(), '{a}', 'aaaaaaaa-0000-4000-8000-000000000031', f::timestamptz, now() - interval '91 days'
            from (values ('2000-01-01 12:00:00+00'), ('2000-01-03 12:00:00+00')) v (f)"), 1,
            "select count(*) - 1 from threats.occurrences where occurred_at = '2000-01-01 12:00:00+00'".to_owned()),
        ("notifications", format!("insert into monitoring.notifications (notification_id, tenant_id, channel_id, cause, severity, dedup_key,
            created_at, next_attempt_at, expires_at, finished_at, outcome)
            select gen_random_uuid(), '{a}', 'aaaaaaaa-0000-4000-8000-000000000091', 'test', 'low', 'old:' || n, now(), now(), now(), now() - d, o
            from (values (1, interval '91 days', 'sent'), (2, '91 days', 'merged'), (3, '89 days', 'sent'), (4, null, null)) v (n, d, o)"), 2,
            "select count(*) - 2 from monitoring.notifications where dedup_key like 'old:%'".to_owned()),
        ("backups", format!("insert into monitoring.backups (run_id, tenant_id, kind, state, node, started_at, finished_at)
            select gen_random_uuid(), '{a}', 'drill', 'completed', 'old', now() - d, now() - d
            from (values (interval '401 days'), ('399 days')) v (d)"), 1,
            "select count(*) - 1 from monitoring.backups where node = 'old'".to_owned()),
        ("kpi_samples", format!("insert into monitoring.kpi_samples (tenant_id, day, measured_at, sign_ins, failed_sign_ins, lockouts, confirmed_incidents,
            false_incidents)
            select '{a}', (now() at time zone 'UTC')::date - d, now(), 0, 0, 0, 0, 0 from (values (402), (401), (400)) v (d)"), 2,
            format!("select count(*) - 1 from monitoring.kpi_samples where tenant_id = '{a}' and day < (now() at time zone 'UTC')::date")),
        ("maintenance_runs", format!("insert into monitoring.maintenance_runs (run_id, tenant_id, period, state, node, is_by_hand, from_at, to_at, started_at,
            finished_at)
            select gen_random_uuid(), '{a}', 'daily', 'completed', 'old', false, now() - d, now() - d, now() - d, now() - d
            from (values (interval '401 days'), ('399 days')) v (d)"), 1,
            "select count(*) - 1 from monitoring.maintenance_runs where node = 'old'".to_owned()),
        ("reports", format!("insert into monitoring.reports (report_id, tenant_id, kind, from_at, to_at, created_at, content)
            select gen_random_uuid(), '{a}', 'kpis', now() - d, now() - d + interval '7 days', now() - d, '{{}}'
            from (values (interval '401 days'), ('399 days')) v (d)"), 1,
            format!("select count(*) - 1 from monitoring.reports where tenant_id = '{a}' and created_at < now() - interval '1 day'")),
        ("silences", format!("insert into monitoring.silences (silence_id, tenant_id, reason, created_at, expires_at, ended_at)
            select gen_random_uuid(), '{a}', 'old', now() - interval '500 days', now() - e, now() - d
            from (values (interval '401 days', null::interval), ('399 days', '401 days'), ('399 days', null)) v (e, d)"), 2,
            "select count(*) - 1 from monitoring.silences where reason = 'old'".to_owned()),
        ("alerts", "update monitoring.alerts set state = 'resolved', resolved_at = now() - interval '401 days'
            where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'".to_owned(), 1, "select count(*) - 1 from monitoring.alerts".to_owned()),
        ("default_metrics_90", format!("insert into agents.system_info (agent_id, collected_at) values ('{own}', now() - interval '93 days'),
            ('{own}', now() - interval '91 days'), ('{own}', '2000-01-01 12:00:00+00')"), 1,
            "select count(*) - 2 from agents.system_info where collected_at < now() - interval '90 days'".to_owned()),
        ("default_events_30", format!("insert into agents.events (event_id, tenant_id, agent_id, kind, occurred_at, received_at, detail, retention_class)
            select gen_random_uuid(), '{a}', '{own}', 'x', f, now(), '{{}}', 30
            from (values (now() - interval '33 days'), (now() - interval '31 days'), ('2000-01-01 12:00:00+00')) v (f)"), 1,
            "select count(*) - 2 from agents.events where retention_class = 30 and occurred_at < now() - interval '30 days'".to_owned()),
        ("default_events_90", format!("insert into agents.events (event_id, tenant_id, agent_id, kind, occurred_at, received_at, detail, retention_class)
            select gen_random_uuid(), '{a}', '{own}', 'x', f, now(), '{{}}', 90
            from (values (now() - interval '100 days'), (now() - interval '95 days'), ('2000-01-01 12:00:00+00')) v (f)"), 1,
            "select count(*) - 2 from agents.events where retention_class = 90 and occurred_at < now() - interval '90 days'".to_owned()),
        ("default_events_400", format!("insert into agents.events (event_id, tenant_id, agent_id, kind, occurred_at, received_at, detail, retention_class)
            select gen_random_uuid(), '{a}', '{own}', 'x', f, now(), '{{}}', 400
            from (values (now() - interval '434 days'), (now() - interval '420 days'), ('2000-01-01 12:00:00+00')) v (f)"), 1,
            "select count(*) - 2 from agents.events where retention_class = 400 and occurred_at < now() - interval '400 days'".to_owned()),
    ];
    for (name, make, gone, kept) in cases {
        run(&mut root, make.clone()).await?;
        assert_eq!(clean(&test, name).await?, *gone, "{name}");
        assert_eq!(clean(&test, name).await?, 0, "{name} again");
        assert_eq!(
            count(&mut root, kept.clone()).await?,
            0,
            "{name}: what has to stay"
        );
    }
    Ok(())
}

#[tokio::test]
async fn commands_go_with_their_results_when_they_are_long_over() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        "alter table agents.commands disable trigger guard_command;
         update agents.commands set state = 'cancelled', requested_at = now() - interval '500 days', expires_at = now() - interval '480 days',
            finished_at = now() - interval '401 days' where tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000';
         alter table agents.commands enable trigger guard_command",
    )
    .await?;
    assert_eq!(clean(&test, "commands").await?, 1);
    let left = "select concat_ws(' ', (select count(*) from agents.commands), (select count(*) from agents.command_results))";
    assert_eq!(text(&mut root, left).await?.as_deref(), Some("1 1"));
    Ok(())
}

#[tokio::test]
async fn the_page_about_retention_names_every_table_and_every_cleanup() -> anyhow::Result<()> {
    let page = include_str!("../../../../docs/retention.md");
    let test = TestDb::new().await?;
    let tables = texts(
        &mut test.connect("postgres").await?,
        "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and not c.relispartition order by 1",
    )
    .await?;
    assert!(tables.len() > 30, "{tables:?}");
    let missing: Vec<_> = tables
        .iter()
        .filter(|table| !page.contains(&format!("`{table}`")))
        .collect();
    assert!(missing.is_empty(), "docs/retention.md lacks {missing:?}");
    let names: BTreeSet<_> = CLEANUPS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), CLEANUPS.len(), "every cleanup has a name of its own");
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "docs/retention.md lacks {missing:?}");
    Ok(())
}
