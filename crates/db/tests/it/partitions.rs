//! Partitions made ahead, filled by the right rows, dropped when every row in them is past its retention.

use sg_testkit::TestDb;

use crate::support::*;

#[tokio::test]
async fn partitions_are_made_ahead_once() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut system = test.connect("sg_system").await?;
    let ensure = "select agents.ensure_partitions(now(), 8)::bigint";
    assert_eq!(count(&mut system, ensure).await?, 0, "the migration made them");
    assert_eq!(
        count(
            &mut system,
            "select agents.ensure_partitions('2031-03-30 23:30:00+00', 8)::bigint"
        )
        .await?,
        // Days from two before to eight ahead; weeks and months around the turn of the month likewise.
        4 * 11 + 2 * 9 + 6 * 9
    );
    assert_eq!(
        count(
            &mut system,
            "select agents.ensure_partitions('2031-03-30 23:30:00+00', 8)::bigint"
        )
        .await?,
        0
    );
    // Two nodes at once: one makes them, the other waits and finds them.
    let mut other = test.connect("sg_system").await?;
    let later = "select agents.ensure_partitions('2033-01-10', 20)::bigint";
    let (one, two) = tokio::join!(count(&mut system, later), count(&mut other, later));
    let mut made = [one?, two?];
    made.sort_unstable();
    assert_eq!(made, [0, 4 * 23 + 2 * 22 + 6 * 21]);
    Ok(())
}

#[tokio::test]
async fn rows_land_in_their_class_and_day() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut system = test.connect("sg_system").await?;
    run(&mut system, "select agents.ensure_partitions('2031-03-30', 8)").await?;
    run(
        &mut system,
        "insert into agents.system_info (agent_id, cpu_usage, retention_class, collected_at)
         select agent_id, c.class, c.class, c.at::timestamptz
         from agents.endpoints, (values (30, '2031-03-30 00:00:00+00'), (90, '2031-03-30 23:59:59.999999+00'), (400, '2031-03-31 00:00:00+00'),
            (90, '2031-03-31 01:30:00+02'), (90, '2035-01-01')) as c (class, at)
         where hostname = 'own-a'",
    )
    .await?;
    let mut root = test.connect("postgres").await?;
    assert_eq!(
        texts(
            &mut root,
            "select replace(tableoid::regclass::text, 'agents.system_info_class_', '') from agents.system_info where collected_at > '2031-01-01'
             order by 1"
        )
        .await?,
        ["30_20310330", "400_20310331", "90_20310330", "90_20310330", "90_default"]
    );
    // The class has to be one of the three.
    let unknown = "insert into agents.system_info (agent_id, retention_class) select agent_id, 7 from agents.endpoints limit 1";
    assert_eq!(refusal(run(&mut system, unknown).await), "23514");
    Ok(())
}

#[tokio::test]
async fn rows_that_came_before_their_partition_move_into_it() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let mut system = test.connect("sg_system").await?;
    run(
        &mut system,
        "insert into agents.system_info (agent_id, cpu_usage, collected_at)
         select agent_id, n, timestamptz '2031-03-30' + make_interval(hours => n) from agents.endpoints, generate_series(0, 47) n
         where hostname = 'own-a';
         insert into agents.events (event_id, tenant_id, agent_id, kind, occurred_at, received_at, detail)
         select gen_random_uuid(), tenant_id, agent_id, 'x', '2031-03-30 12:00:00+00', now(), '{}' from agents.endpoints;
         insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
         select gen_random_uuid(), tenant_id, '2031-03-30 12:00:00+00', 'system', 'x.y', 'success' from users.tenants",
    )
    .await?;
    let sums = "select concat_ws(' ', (select sum(cpu_usage) from agents.system_info), (select count(*) from agents.events),
        (select count(*) from audit.events), (select string_agg(transaction_id::text, ',' order by event_id) from audit.events))";
    let before = text(&mut root, sums).await?;
    let waiting = "select (select count(*) from agents.system_info_class_90_default) + (select count(*) from agents.events_class_30_default)
        + (select count(*) from audit.events_default)";
    assert_eq!(count(&mut root, waiting).await?, 48 + 4 + 4);
    run(&mut system, "select agents.ensure_partitions('2031-03-30', 0)").await?;
    assert_eq!(
        count(&mut root, waiting).await?,
        24,
        "what belongs to the day after waits on"
    );
    assert_eq!(text(&mut root, sums).await?, before);
    // The wall is up again: forced row security and the refusal of changes, on the default and on the new partition.
    let open = "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('agents', 'audit') and c.relispartition and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)";
    assert_eq!(texts(&mut root, open).await?, Vec::<String>::new());
    for table in ["audit.events_default", "audit.events_20310301"] {
        for statement in [
            format!("truncate {table}"),
            format!("delete from {table}; select 1"),
        ] {
            let refused = run(&mut root, statement.clone()).await;
            assert!(refused.is_err() || table.ends_with("default"), "{statement}");
        }
    }
    let unguarded =
        "select i.inhrelid::regclass::text from pg_inherits i where i.inhparent in ('audit.events'::regclass,
            'audit.row_changes'::regclass, 'audit.login_attempts'::regclass)
        and 2 <> (select count(*) from pg_trigger t where t.tgrelid = i.inhrelid and t.tgenabled = 'O'
            and t.tgname in ('refuse_change', 'refuse_truncate'))";
    assert_eq!(texts(&mut root, unguarded).await?, Vec::<String>::new());
    // Indexes and keys are those of the parent.
    let duplicate = "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
        select event_id, tenant_id, occurred_at, actor_kind, action, outcome from audit.events where occurred_at > '2031-01-01'";
    assert_eq!(refusal(run(&mut root, duplicate).await), "23505");
    let indexes =
        "select count(*) from pg_index i where i.indrelid = 'audit.events_20310301'::regclass and exists (
        select 1 from pg_inherits h where h.inhrelid = i.indexrelid)";
    let of_parent = "select count(*) from pg_index where indrelid = 'audit.events'::regclass";
    assert_eq!(
        count(&mut root, indexes).await?,
        count(&mut root, of_parent).await?
    );
    Ok(())
}

#[tokio::test]
async fn only_what_is_past_its_retention_is_dropped() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut system = test.connect("sg_system").await?;
    run(
        &mut system,
        "select agents.ensure_partitions('2030-01-01', 90);
         insert into agents.system_info (agent_id, collected_at) select agent_id, '2030-03-01 00:00:00+00' from agents.endpoints;
         insert into agents.system_info (agent_id, collected_at) select agent_id, '2029-01-01' from agents.endpoints",
    )
    .await?;
    let dropped = texts(
        &mut system,
        "select agents.drop_expired_partitions('2030-04-01 00:00:00+00')",
    )
    .await?;
    let newest = |prefix: &str| {
        dropped
            .iter()
            .filter_map(|name| name.strip_prefix(prefix))
            .max()
            .unwrap_or("none")
            .to_owned()
    };
    // A day goes when its last moment is past the limit: 30 days before are March 2, 90 days are January 1.
    assert_eq!(newest("agents.events_class_30_"), "20300228");
    assert_eq!(newest("agents.system_info_class_30_"), "20300228");
    assert_eq!(newest("agents.system_info_class_90_"), "20291230");
    assert!(newest("agents.system_info_class_400_").as_str() < "20290101");
    // Weeks begin on Monday: that of December 24 ends a day before January 1.
    assert_eq!(newest("agents.events_class_90_"), "20291224");
    assert!(newest("agents.events_class_400_").as_str() < "20290101");
    // The audit log is nobody's to drop by the way, and default partitions hold what no job may judge.
    assert!(
        !dropped.iter().any(|name| name.starts_with("audit.")),
        "{dropped:?}"
    );
    assert_eq!(
        count(
            &mut system,
            "select count(*) from agents.system_info where collected_at between '2029-01-01' and '2030-03-02'"
        )
        .await?,
        8
    );
    assert_eq!(
        texts(
            &mut system,
            "select agents.drop_expired_partitions('2030-04-01 00:00:00+00')"
        )
        .await?,
        Vec::<String>::new()
    );
    Ok(())
}
