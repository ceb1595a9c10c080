//! What may go: months past their retention, and erased tenants. Both leave a signed record, and the rest verifies.

use chrono::Duration;
use sg_server::audit::{EraseError, Erasure, drop_expired, erase_tenant};
use sg_types::TimeOrderedIds;

use super::Sealed;
use crate::app::App;

fn erasure(app: &App) -> Erasure<'_> {
    Erasure {
        db: &app.state.db,
        keeper: &app.state.audit,
        clock: app.clock.as_ref(),
        ids: &TimeOrderedIds,
        by: "admin erase-tenant",
        reason: "a test",
    }
}

#[tokio::test]
async fn a_month_past_its_retention_goes_with_a_record() {
    let mut sealed = Sealed::make().await;
    sealed
        .app
        .sql("select agents.ensure_partitions('2023-05-10', 0)")
        .await;
    sealed
        .app
        .sql(&format!(
            "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
             select gen_random_uuid(), '{}', '2023-05-10', 'system', 'x.y', 'success' from generate_series(1, 20)",
            sealed.tenant
        ))
        .await;
    sealed.seal().await;
    // By default the log is kept until somebody decides otherwise.
    let month = "select count(*) from audit.events where occurred_at < '2024-01-01'";
    let dropped = drop_expired(&sealed.app.state).await.unwrap();
    assert!(
        !dropped.iter().any(|name| name.starts_with("audit.events")),
        "{dropped:?}"
    );
    assert_eq!(sealed.number(month).await, 20);
    let node = sealed.app.node_with(|config| config.audit.keep_months = 12);
    let dropped = drop_expired(&node).await.unwrap();
    assert!(
        dropped.contains(&"audit.events_20230501".to_owned()),
        "{dropped:?}"
    );
    assert_eq!(sealed.number(month).await, 0);
    sealed.app.state = node;
    sealed.seal().await;
    let report = sealed.verify().await;
    let told = |report: &sg_server::audit::verify::Report| {
        report
            .notes
            .iter()
            .any(|note| note.what.contains("20 rows of audit.events from 2023-05-01"))
    };
    assert!(
        report.holds() && told(&report),
        "{:?} {:?}",
        report.faults,
        report.notes
    );
    let offline = sealed.verify_text(&sealed.export().await);
    assert!(offline.holds() && told(&offline), "{:?}", offline.faults);
    assert!(drop_expired(&sealed.app.state).await.unwrap().is_empty());

    // A record that somebody wrote who has no key excuses nothing; nor does a true one cover what was removed before.
    sealed.app.advance(Duration::seconds(1));
    sealed
        .app
        .sql(&format!(
            "insert into audit.chain_records (record_id, tenant_id, occurred_at, kind, body, key_id, signature)
             select gen_random_uuid(), '{}', now(), kind, body, key_id, signature from audit.chain_records where kind = 'retention' limit 1",
            sealed.tenant
        ))
        .await;
    sealed.seal().await;
    assert!(sealed.verify().await.names(
        sealed.tenant,
        None,
        "the signature of a retention, erasure or fork record does not hold"
    ));
}

#[tokio::test]
async fn rows_that_were_removed_before_the_retention_are_counted() {
    let sealed = Sealed::make().await;
    sealed
        .app
        .sql("select agents.ensure_partitions('2023-05-10', 0)")
        .await;
    sealed
        .app
        .sql(&format!(
            "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
             select gen_random_uuid(), '{}', '2023-05-10', 'system', 'x.y', 'success' from generate_series(1, 20)",
            sealed.tenant
        ))
        .await;
    sealed.seal().await;
    sealed.attack("delete from audit.events where event_id = (select event_id from audit.events where action = 'x.y' limit 1)").await;
    let node = sealed.app.node_with(|config| config.audit.keep_months = 12);
    drop_expired(&node).await.unwrap();
    sealed.seal().await;
    let report = sealed.verify().await;
    assert!(report.names(sealed.tenant, None, "20 rows of audit.events from 2023-05-01 00:00:00 UTC on are gone, but the record of their retention tells of 19"),
        "{:?}", report.faults);
}

#[tokio::test]
async fn an_erased_tenant_leaves_a_tombstone_and_a_signed_record() {
    let sealed = Sealed::make().await;
    let app = &sealed.app;
    app.sql(&format!(
        "insert into agents.endpoints (tenant_id, hostname, user_id) select tenant_id, 'host', user_id from users.users where tenant_id = '{0}';
         insert into agents.system_info (agent_id, cpu_usage) select agent_id, 1 from agents.endpoints;
         insert into threats.incidents (agent_id, threat_type, severity, title, assigned_to) select agent_id, 'malware', 'high', 'Something', user_id
         from agents.endpoints;
         select 1",
        sealed.tenant
    ))
    .await;
    let exported = sealed.exported().await;
    let others = "select md5(string_agg(t::text, ',' order by event_id)) from audit.events t where tenant_id = '00000000-0000-0000-0000-000000000001'";
    let before = app.sql_text(others).await;
    let removed = erase_tenant(erasure(app), "north").await.unwrap();
    assert!(removed > 60, "{removed}");

    // Over the catalog, so that a table that comes later is in it: nothing is left but the tombstone and what proves the erasure.
    let mut left = Vec::new();
    for table in app
        .sql_text(
            "select string_agg(c.oid::regclass::text, ' ' order by c.oid::regclass::text) from pg_class c join pg_namespace n on n.oid = c.relnamespace
             join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
             where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and not c.relispartition",
        )
        .await
        .split(' ')
    {
        let rows = sealed.number(&format!("select count(*) from {table} where tenant_id = '{}'", sealed.tenant)).await;
        if rows > 0 {
            left.push((table.to_owned(), rows));
        }
    }
    let left: Vec<_> = left.iter().map(|(table, rows)| (table.as_str(), *rows)).collect();
    assert_eq!(
        left,
        [
            ("audit.chain", 1),
            ("audit.chain_heads", 1),
            ("audit.chain_records", 1),
            ("audit.checkpoints", 1),
            ("users.tenants", 1)
        ]
    );
    let tombstone = app
        .sql_text(&format!(
            "select concat_ws(' ', name, slug, status) from users.tenants where tenant_id = '{}'",
            sealed.tenant
        ))
        .await;
    assert_eq!(tombstone, format!("Erased erased-{} erased", sealed.tenant));
    assert!(
        !app.sql_text(&format!(
            "select string_agg(body, ' ') from audit.chain_records where tenant_id = '{}'",
            sealed.tenant
        ))
        .await
        .contains("first")
    );
    assert_eq!(app.sql_text(others).await, before, "other tenants keep theirs");
    sealed.seal().await;
    let report = sealed.verify_with(exported).await;
    assert!(report.holds(), "{:?}", report.faults);
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.what.contains("the tenant was erased")),
        "{:?}",
        report.notes
    );
    assert!(sealed.verify_text(&sealed.export().await).holds());
    assert_eq!(
        sg_server::audit::note_forks(&app.state).await.unwrap(),
        0,
        "an erasure is no fork"
    );
    // Who erased stands where the installation's own acts are.
    assert_eq!(
        sealed
            .number("select count(*) from audit.events where action = 'tenant.erase'")
            .await,
        1
    );
}

#[tokio::test]
async fn nothing_is_erased_by_the_way() {
    let sealed = Sealed::make().await;
    let app = &sealed.app;
    let slugs = app
        .sql_text("select string_agg(slug, ' ') from users.tenants where tenant_id::text like '00000000-%'")
        .await;
    for slug in slugs.split(' ') {
        assert!(
            matches!(
                erase_tenant(erasure(app), slug).await,
                Err(EraseError::Reserved(_))
            ),
            "{slug}"
        );
    }
    assert!(matches!(
        erase_tenant(erasure(app), "nobody").await,
        Err(EraseError::Unknown(_))
    ));
    // A removal by hand, behind the status alone, has no signed record.
    app.sql(&format!(
        "update users.tenants set status = 'erased' where tenant_id = '{}'",
        sealed.tenant
    ))
    .await;
    sealed.attack(&format!("delete from audit.chain where tenant_id = '{0}'; delete from audit.chain_heads where tenant_id = '{0}';
        delete from audit.events where tenant_id = '{0}'; delete from audit.row_changes where tenant_id = '{0}';
        delete from audit.login_attempts where tenant_id = '{0}'", sealed.tenant)).await;
    assert!(sealed.verify().await.names(
        sealed.tenant,
        None,
        "is missing: it is under the checkpoint in the database"
    ));
}
