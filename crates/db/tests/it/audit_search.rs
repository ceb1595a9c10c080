//! Searching the audit log: each filter finds the right rows, and by an index.

use sg_db::audit::{EventFilter, list_events};

use crate::support::*;

/// 40,000 events of tenant A among 80,000, over 40 days in several partitions.
const FILL: &str = "set session_replication_role = replica;
    select agents.ensure_partitions(now() - make_interval(days => d), 1) from generate_series(0, 45, 5) d;
    insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_id, actor_name, action, object_kind, object_id, outcome,
        request_id, address)
    select md5(n::text)::uuid, case when n % 2 = 0 then 'aaaaaaaa-0000-4000-8000-000000000000'::uuid else 'bbbbbbbb-0000-4000-8000-000000000000' end,
        now() - make_interval(secs => n * 40), 'user', 'aaaaaaaa-0000-4000-8000-' || lpad((n % 100)::text, 12, '0'), 'person ' || n % 100, 'noun' || n % 20 || '.verb',
        'kind' || n % 10, 'object ' || n % 2000, 'success', 'request ' || n, ('192.0.2.' || n % 200)::inet
    from generate_series(1, 80000) n;
    set session_replication_role = origin;
    analyze audit.events";

#[tokio::test]
async fn every_filter_is_answered_by_an_index_under_row_security() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    run(&mut test.connect("postgres").await?, FILL).await?;
    let actor = "aaaaaaaa-0000-4000-8000-000000000040";
    let from = now() - chrono::Duration::days(10);
    let all = EventFilter::default();
    // (filter, its values in SQL, part of the index's name, how many rows fit)
    let cases: [(EventFilter<'_>, &str, &str, Option<usize>); 10] = [
        (all.clone(), "", "_tenant_id_occurred_at_", Some(51)),
        (
            EventFilter {
                actor: Some("person 40"),
                ..all.clone()
            },
            "'person 40'",
            "_tenant_id_actor_name_",
            Some(51),
        ),
        (
            EventFilter {
                actor: Some(actor),
                ..all.clone()
            },
            "'aaaaaaaa-0000-4000-8000-000000000040'",
            "_tenant_id_actor",
            Some(51),
        ),
        (
            EventFilter {
                action: Some("noun4.verb"),
                ..all.clone()
            },
            "'noun4.verb'",
            "_tenant_id_",
            Some(51),
        ),
        (
            EventFilter {
                action: Some("noun4"),
                ..all.clone()
            },
            "array['noun4.verb'], 51",
            "_tenant_id_action_",
            Some(51),
        ),
        (
            EventFilter {
                object_kind: Some("kind4"),
                object_id: Some("object 1234"),
                ..all.clone()
            },
            "'kind4', 'object 1234'",
            "_tenant_id_object",
            Some(40),
        ),
        (
            EventFilter {
                object_id: Some("object 1234"),
                ..all.clone()
            },
            "'object 1234'",
            "_tenant_id_object_id_",
            Some(40),
        ),
        (
            EventFilter {
                request_id: Some("request 7000"),
                ..all.clone()
            },
            "'request 7000'",
            "_tenant_id_request_id_",
            Some(1),
        ),
        (
            EventFilter {
                address: Some("192.0.2.66".parse()?),
                ..all.clone()
            },
            "'192.0.2.66'",
            "_tenant_id_address_",
            Some(51),
        ),
        (
            EventFilter {
                from: Some(from),
                ..all.clone()
            },
            "now() - interval '1 day'",
            "_tenant_id_occurred_at_",
            None,
        ),
    ];
    let admin = caller(&test, ADMIN_A).await?;
    let mut app = test.connect("sg_app").await?;
    let empty = texts(
        &mut test.connect("postgres").await?,
        "select ' ' || c.relname || ' ' from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'audit.events'::regclass and pg_relation_size(c.oid) = 0",
    )
    .await?;
    for (filter, values, index, expected) in cases {
        let mut tx = test.db.read(&admin, now()).await?;
        let found = list_events(&mut tx, &filter, None, 51).await?;
        drop(tx);
        assert_eq!(found.len(), expected.unwrap_or(51), "{filter:?}");
        assert!(
            found.is_sorted_by(|a, b| a.occurred_at >= b.occurred_at),
            "{filter:?}"
        );
        run(&mut app, "begin").await?;
        run(&mut app, open_context(ADMIN_A)).await?;
        run(&mut app, format!("prepare search as {}", filter.statement())).await?;
        let separator = if values.is_empty() { "" } else { ", " };
        let plan = texts(
            &mut app,
            format!("explain (costs off) execute search ({values}{separator}51)"),
        )
        .await?
        .join("\n");
        run(&mut app, "commit; deallocate search").await?;
        // Partitions that are empty may be read as they like.
        let by_force = plan
            .lines()
            .filter(|line| {
                line.contains("Seq Scan") && !empty.iter().any(|name| line.contains(name.as_str()))
            })
            .count();
        assert_eq!(by_force, 0, "{filter:?}\n{plan}");
        assert!(plan.contains(index), "{filter:?} does not use {index}\n{plan}");
        // The tenant is asked for once, not for each row.
        assert!(plan.contains("InitPlan"), "{plan}");
    }
    Ok(())
}

#[tokio::test]
async fn a_search_finds_what_fits_and_no_more() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        format!(
            "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_name, action, outcome, request_id, address)
             select gen_random_uuid(), '{TENANT_A}', now(), 'system', 'job', action, 'success', request_id, address::inet
             from (values ('incident.update', 'one', '2001:db8::1'), ('incident', 'two', '2001:db8::2'), ('incidents.update', 'three', '192.0.2.1'),
                ('incident-x.update', 'four', null), ('incident.note', 'five', null)) v (action, request_id, address);
             insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_name, action, outcome, request_id)
             values (gen_random_uuid(), '{TENANT_B}', now(), 'system', 'job', 'rival.update', 'success', 'theirs'),
                (gen_random_uuid(), '{TENANT_B}', now(), 'system', 'job', 'incident.merge', 'success', 'theirs')"
        ),
    )
    .await?;
    let admin = caller(&test, ADMIN_A).await?;
    let search = async |filter: EventFilter<'_>| -> anyhow::Result<Vec<String>> {
        let mut tx = test.db.read(&admin, now()).await?;
        let mut found: Vec<String> = list_events(&mut tx, &filter, None, 51)
            .await?
            .into_iter()
            .filter_map(|event| event.request_id)
            .collect();
        found.sort();
        Ok(found)
    };
    let all = EventFilter::default();
    assert_eq!(
        search(EventFilter {
            action: Some("incident"),
            ..all.clone()
        })
        .await?,
        ["five", "one"]
    );
    assert_eq!(
        search(EventFilter {
            action: Some("rival"),
            ..all.clone()
        })
        .await?,
        Vec::<String>::new(),
        "another tenant's noun"
    );
    assert_eq!(
        search(EventFilter {
            action: Some("incident.update"),
            ..all.clone()
        })
        .await?,
        ["one"]
    );
    assert_eq!(
        search(EventFilter {
            address: Some("2001:db8::2".parse()?),
            ..all.clone()
        })
        .await?,
        ["two"]
    );
    assert_eq!(
        search(EventFilter {
            request_id: Some("three"),
            ..all.clone()
        })
        .await?,
        ["three"]
    );
    assert_eq!(
        search(EventFilter {
            request_id: Some("'; drop table x; --"),
            ..all
        })
        .await?,
        Vec::<String>::new()
    );
    Ok(())
}
