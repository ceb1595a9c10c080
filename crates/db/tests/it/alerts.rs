//! Alert rules and alerts: raised once, counted up, cleared; the documented thresholds; each tenant its own.

use sg_db::monitoring::{EVALUATED, clear_alert, raise_alert};
use sg_testkit::TestDb;
use sg_types::{TenantId, api::monitoring::AlertState};
use uuid::Uuid;

use crate::support::*;

const TENANT: TenantId = TenantId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0000));

#[tokio::test]
async fn every_tenant_has_the_documented_rules() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let rules = |tenant: &str| {
        format!("select concat_ws(' ', kind, comparison, threshold, window_seconds, for_seconds, severity) from monitoring.alert_rules
            where tenant_id = '{tenant}' and enabled order by kind")
    };
    let own = [
        "account_lockouts above 5 3600 0 high",
        "audit_chain above 0 0 0 critical",
        "endpoint_offline above 2 900 0 medium",
        "failed_sign_ins above 10 60 0 medium",
        "password_policy_violations above 0 0 0 low",
    ];
    assert_eq!(texts(&mut root, rules(TENANT_A)).await?, own);
    assert_eq!(
        texts(&mut root, rules("00000000-0000-0000-0000-000000000001")).await?,
        own,
        "a tenant that was there before"
    );
    assert_eq!(
        texts(&mut root, rules("00000000-0000-0000-0000-000000000000")).await?,
        [
            "account_lockouts above 5 3600 0 high",
            "audit_chain above 0 0 0 critical",
            "backup_failure above 0 0 0 critical",
            "certificate_expiry below 14 0 0 high",
            "database_connections above 80 0 60 high",
            "default_partition_rows above 0 0 0 medium",
            "endpoint_offline above 2 900 0 medium",
            "failed_sign_ins above 10 60 0 medium",
            "partitions_ahead below 3 0 0 high",
            "password_policy_violations above 0 0 0 low",
            "replication_slots above 50 0 0 high",
            "slow_queries above 1 60 300 medium",
            "standby_lag above 60 0 0 high",
            "storage_usage above 85 0 300 high",
            "unauthorized_database_access above 0 3600 0 critical",
        ]
    );
    // What the API calls evaluated is what the database computes, and what the server measures beside it.
    assert_eq!(
        texts(
            &mut root,
            "select distinct kind from monitoring.measure(now())
             union values ('endpoint_offline'), ('audit_chain'), ('slow_queries'), ('storage_usage'), ('unauthorized_database_access'), ('backup_failure'), ('standby_lag'), ('replication_slots'), ('certificate_expiry') order by 1"
        )
        .await?,
        {
            let mut kinds = EVALUATED.map(str::to_owned).to_vec();
            kinds.sort();
            kinds
        }
    );
    Ok(())
}

#[tokio::test]
async fn an_alert_is_open_once_counts_up_and_fires_when_it_has_held() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(&mut root, "delete from monitoring.alerts; update monitoring.alert_rules set for_seconds = 120 where kind = 'failed_sign_ins'").await?;
    let at = now();
    let after = |seconds| at + chrono::Duration::seconds(seconds);
    let mut tx = test.db.system("test").await?;
    let mut states = Vec::new();
    for (seconds, value) in [(0, 11.0), (60, 12.0), (119, 13.0), (120, 14.0), (180, 15.0)] {
        states.push(raise_alert(&mut tx, TENANT, "failed_sign_ins", "", value, after(seconds)).await?);
    }
    use AlertState::{Firing, Pending};
    assert_eq!(states, [Pending, Pending, Pending, Firing, Firing].map(Some));
    assert_eq!(
        raise_alert(&mut tx, TENANT, "no_such_rule", "", 1.0, at).await?,
        None
    );
    assert!(clear_alert(&mut tx, TENANT, "failed_sign_ins", "", after(240)).await?);
    assert!(!clear_alert(&mut tx, TENANT, "failed_sign_ins", "", after(240)).await?);
    // The next one is another alert; one that never fired leaves nothing.
    assert_eq!(
        raise_alert(&mut tx, TENANT, "failed_sign_ins", "", 20.0, after(300)).await?,
        Some(Pending)
    );
    assert!(!clear_alert(&mut tx, TENANT, "failed_sign_ins", "", after(310)).await?);
    tx.commit_upkeep().await?;
    assert_eq!(
        texts(&mut root, "select concat_ws(' ', state, occurrence_count, last_value, extract(epoch from fired_at - since)::int) from monitoring.alerts").await?,
        ["resolved 5 15 120"]
    );
    assert_eq!(
        count(&mut root, "select count(*) from monitoring.security_events where kind = 'failed_sign_ins' and detail ->> 'value' = '14'").await?,
        1
    );

    // Ten at once raise one.
    let raisers = (0..10).map(|_| async {
        let mut tx = test.db.system("test").await?;
        raise_alert(&mut tx, TENANT, "account_lockouts", "x", 6.0, at).await?;
        tx.commit_upkeep().await
    });
    for done in futures_util::future::join_all(raisers).await {
        done?;
    }
    assert_eq!(
        texts(
            &mut root,
            "select concat_ws(' ', state, occurrence_count) from monitoring.alerts where subject = 'x'"
        )
        .await?,
        ["firing 10"]
    );
    assert_eq!(
        count(
            &mut root,
            "select count(*) from monitoring.security_events where kind = 'account_lockouts'"
        )
        .await?,
        1
    );
    Ok(())
}

#[tokio::test]
async fn figures_of_the_database_raise_and_clear_the_alerts_of_their_tenant() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(&mut root, "delete from monitoring.alerts").await?;
    let mut system = test.connect("sg_system").await?;
    let open = "select concat_ws(' ', left(a.tenant_id::text, 4), r.kind, a.subject, a.last_value) from monitoring.alerts a
        join monitoring.alert_rules r using (rule_id) where a.state = 'firing' order by 1";
    let evaluate = |at: &str| format!("select monitoring.evaluate_rules(timestamptz '{at}')::bigint");
    let now = "2030-01-15 12:00:00+00";
    run(&mut system, "select agents.ensure_partitions('2030-01-15', 8)").await?;
    // Ten failures in a minute are none too many, eleven are; successes and older ones do not count.
    let attempts = |tenant: &str, many: u32, outcome: &str, at: &str| {
        format!("insert into audit.login_attempts (attempt_id, tenant_id, occurred_at, username_or_digest, outcome, method)
            select gen_random_uuid(), '{tenant}', '{at}', 'x', '{outcome}', 'password' from generate_series(1, {many})")
    };
    for (tenant, many, outcome, at) in [
        (TENANT_A, 10, "wrong_password", "2030-01-15 11:59:30+00"),
        (TENANT_A, 5, "success", "2030-01-15 11:59:30+00"),
        (TENANT_A, 9, "unknown_user", "2030-01-15 11:58:59+00"),
        (TENANT_B, 6, "wrong_password", "2030-01-15 11:59:30+00"),
        (TENANT_B, 5, "locked", "2030-01-15 11:59:59+00"),
    ] {
        run(&mut system, attempts(tenant, many, outcome, at)).await?;
    }
    run(&mut system, "insert into monitoring.security_events (tenant_id, occurred_at, kind, severity, subject)
        select 'aaaaaaaa-0000-4000-8000-000000000000', '2030-01-15 11:10:00+00', 'account_locked', 'medium', n::text from generate_series(1, 6) n").await?;
    run(
        &mut root,
        format!(
            "update users.users set password_last_changed = '2029-10-01' where tenant_id = '{TENANT_B}';
        update users.users set password_last_changed = '2030-01-01' where tenant_id <> '{TENANT_B}'"
        ),
    )
    .await?;
    run(&mut system, "insert into agents.system_info (agent_id, tenant_id, collected_at) select agent_id, tenant_id, '2035-01-01' from agents.endpoints limit 1").await?;
    count(&mut system, evaluate(now)).await?;
    assert_eq!(
        texts(&mut root, open).await?,
        [
            "0000 default_partition_rows agents.system_info_class_90 1",
            "aaaa account_lockouts 6",
            "bbbb failed_sign_ins 11",
            "bbbb password_policy_violations 2",
        ]
        .map(|line| line
            .replace("lockouts 6", "lockouts  6")
            .replace("ins 11", "ins  11")
            .replace("violations 2", "violations  2"))
    );
    // An administrator of the tenant sees theirs, a plain user none.
    let mut app = test.connect("sg_app").await?;
    for (token, alerts, rules) in [(ADMIN_A, 1, 5), (USER_A, 0, 0), (ADMIN_B, 2, 5)] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        assert_eq!(
            count(&mut app, "select count(*) from monitoring.alerts").await?,
            alerts,
            "{token}"
        );
        assert_eq!(
            count(&mut app, "select count(*) from monitoring.alert_rules").await?,
            rules,
            "{token}"
        );
        for statement in [
            "update monitoring.alerts set state = 'resolved', resolved_at = now()",
            "insert into monitoring.alert_rules (tenant_id, kind, severity, threshold, window_seconds)
                values ('aaaaaaaa-0000-4000-8000-000000000000', 'x', 'low', 1, 1)",
            "delete from monitoring.alert_rules",
            "update monitoring.alert_rules set kind = 'x'",
            "insert into monitoring.security_events (tenant_id, occurred_at, kind, severity, subject)
                values ('aaaaaaaa-0000-4000-8000-000000000000', now(), 'x', 'low', 'x')",
            "select monitoring.raise_alert('aaaaaaaa-0000-4000-8000-000000000000', 'failed_sign_ins', '', 1, now())",
            "select monitoring.clear_alert('aaaaaaaa-0000-4000-8000-000000000000', 'failed_sign_ins', '', now())",
            "select monitoring.evaluate_rules(now())",
        ] {
            run(&mut app, "savepoint before").await?;
            assert_eq!(refusal(run(&mut app, statement).await), "42501", "{statement}");
            run(&mut app, "rollback to savepoint before").await?;
        }
        run(&mut app, "commit").await?;
    }
    // Partitions that run out, and what was over.
    count(&mut system, evaluate("2030-01-21 12:00:00+00")).await?;
    let ahead = texts(&mut root, open).await?;
    assert!(
        ahead
            .iter()
            .any(|line| line.starts_with("0000 partitions_ahead agents.events_class_30 2")),
        "{ahead:?}"
    );
    assert!(
        !ahead
            .iter()
            .any(|line| line.contains("failed_sign_ins") || line.contains("lockouts")),
        "{ahead:?}"
    );
    run(&mut system, "select agents.ensure_partitions('2030-01-21', 8)").await?;
    run(&mut root, "update monitoring.alert_rules set enabled = false where kind in ('password_policy_violations', 'default_partition_rows')").await?;
    count(&mut system, evaluate("2030-01-21 12:00:15+00")).await?;
    assert_eq!(texts(&mut root, open).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn security_events_stay_as_they_were_written() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        "insert into monitoring.security_events (tenant_id, occurred_at, kind, severity, subject)
        values ('00000000-0000-0000-0000-000000000001', now(), 'account_locked', 'medium', 'x')",
    )
    .await?;
    let mut tables = texts(&mut root, "select inhrelid::regclass::text from pg_inherits where inhparent = 'monitoring.security_events'::regclass").await?;
    tables.push("monitoring.security_events".to_owned());
    assert!(tables.len() > 8);
    for table in tables {
        assert_eq!(
            refusal(run(&mut root, format!("truncate {table}")).await),
            "42501",
            "{table}"
        );
    }
    for statement in [
        "delete from monitoring.security_events",
        "update monitoring.security_events set kind = 'x'",
    ] {
        assert_eq!(refusal(run(&mut root, statement).await), "42501", "{statement}");
    }
    Ok(())
}
