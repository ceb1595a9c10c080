//! Values, names, references and indexes.

use super::*;

pub(super) async fn key_hash_twice(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    let key = "insert into users.api_keys (user_id, key_hash, key_name, key_prefix)
        select user_id, repeat('ab', 32), 'installer', 'sg_abc' from users.users where username = 'ada'";
    run(&mut conn, key).await?;
    all_accepted(&mut conn, &[key], &["23505"]).await
}

pub(super) async fn names_collide(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    add_user(&mut conn, "bob").await?;
    all_accepted(
        &mut conn,
        &[
            "insert into users.users (username, email, password_hash) values ('ADA', 'other@example.org', 'x')",
            "insert into users.users (username, email, password_hash) values ('other', 'Ada@Example.ORG', 'x')",
            "insert into users.users (username, email, password_hash) values ('Ada@example.org', 'other@example.org', 'x')",
            "update users.users set username = 'ADA@example.org' where username = 'bob'",
            "update users.users set username = 'carol@example.org' where username = 'bob';
             insert into users.users (username, email, password_hash) values ('carol', 'Carol@example.org', 'x')",
        ],
        &["23505"],
    )
    .await
}

pub(super) async fn impossible_values(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    add_endpoint(&mut conn, "host").await?;
    run(
        &mut conn,
        "insert into threats.incidents (agent_id, threat_type, severity, title) select agent_id, 'malware', 'low', 'x' from agents.endpoints",
    )
    .await?;
    // And what is possible is refused: sixteen busy cores.
    let busy = run(
        &mut conn,
        "insert into agents.system_info (agent_id, cpu_usage) select agent_id, 1600 from agents.endpoints",
    )
    .await;
    if subject.is_printed() {
        assert_eq!(refusal(busy), "22003");
    } else {
        busy?;
    }
    all_accepted(
        &mut conn,
        &[
            "update users.users set role = 'superroot'",
            "update agents.endpoints set status = 'bogus'",
            "update agents.endpoints set heartbeat_interval = -1",
            "update threats.incidents set status = null",
            "update threats.incidents set confidence_score = 9.99",
            "update threats.incidents set confidence_score = -1",
            "update threats.incidents set false_positive_likelihood = 'NaN'",
            "insert into agents.system_info (agent_id, memory_usage) select agent_id, 'NaN' from agents.endpoints",
            "insert into agents.system_info (agent_id, disk_usage) select agent_id, 250 from agents.endpoints",
        ],
        &["23514", "23502", "23503"],
    )
    .await
}

pub(super) async fn too_short_columns(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.administrator().await?;
    add_endpoint(&mut conn, "host").await?;
    let accepted = all_accepted(
        &mut conn,
        &[
            "insert into threats.incidents (agent_id, threat_type, severity, title, hash)
             select agent_id, 'malware', 'low', 'x', 'sha512:' || repeat('f', 128) from agents.endpoints",
            "insert into threats.incidents (agent_id, threat_type, severity, title, process_name)
             select agent_id, 'malware', 'low', 'x', repeat('p', 400) from agents.endpoints",
            "insert into users.users (username, email, password_hash) values (repeat('u', 100) || '@corp.example', 'u@corp.example', 'x')",
            "insert into users.users (username, email, password_hash) values ('long', repeat('l', 64) || '@' || repeat('d', 250), 'x')",
        ],
        &["22001"],
    )
    .await?;
    Ok(!accepted)
}

pub(super) async fn references_in_the_way(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("analyst").await?;
    add_endpoint(&mut conn, "host").await?;
    run(
        &mut conn,
        "insert into threats.incidents (agent_id, threat_type, severity, title, assigned_to)
         select e.agent_id, 'malware', 'low', 'x', u.user_id from agents.endpoints e, users.users u where u.username = 'analyst';
         insert into agents.endpoints (hostname) values ('measured');
         insert into agents.system_info (agent_id) select agent_id from agents.endpoints where hostname = 'measured'",
    )
    .await?;
    let mut root = subject.test.connect("postgres").await?;
    let unindexed = texts(
        &mut root,
        "select c.conname::text from pg_constraint c
         where c.contype = 'f' and c.conname in ('endpoints_registered_via_key_id_fkey', 'incidents_assigned_to_fkey',
            'incidents_resolved_by_fkey', 'system_info_agent_id_fkey') and c.conparentid = 0
            and not exists (select 1 from pg_index i where i.indrelid = c.conrelid
                and (select array_agg(k order by k) from unnest((i.indkey::smallint[])[0:cardinality(c.conkey) - 1]) k)
                    = (select array_agg(k order by k) from unnest(c.conkey) k)) order by 1",
    )
    .await?;
    let mut shown = unindexed.len();
    for delete in [
        "delete from users.users where username = 'analyst'",
        "delete from agents.endpoints where hostname = 'measured'",
    ] {
        match run(&mut conn, delete).await {
            Ok(()) => {}
            refused => {
                assert_eq!(refusal(refused), "23503", "{delete}");
                shown += 1;
            }
        }
    }
    if !subject.is_printed() {
        // The incident stays, unassigned, in its tenant.
        assert!(
            is(
                &mut conn,
                "select assigned_to is null and tenant_id is not null from threats.incidents"
            )
            .await?
        );
    }
    one_answer(shown, 6)
}

pub(super) async fn updated_at_is_not_kept(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    add_endpoint(&mut conn, "host").await?;
    run(
        &mut conn,
        "insert into threats.incidents (agent_id, threat_type, severity, title) select agent_id, 'malware', 'low', 'x' from agents.endpoints",
    )
    .await?;
    let mut shown = 0;
    for (table, change) in [
        ("users.users", "full_name = 'Ada'"),
        ("users.password_policies", "min_length = 14"),
        ("agents.endpoints", "device_name = 'desk'"),
        ("threats.incidents", "resolution_notes = 'x'"),
    ] {
        let before = text(&mut conn, format!("select max(updated_at)::text from {table}")).await?;
        run(&mut conn, format!("update {table} set {change}")).await?;
        let after = text(&mut conn, format!("select max(updated_at)::text from {table}")).await?;
        shown += usize::from(before == after);
    }
    one_answer(shown, 4)
}

pub(super) async fn useless_indexes(subject: &Subject) -> anyhow::Result<bool> {
    let mut root = subject.test.connect("postgres").await?;
    // Two of the same columns, expressions and condition; or one whose only column is the one that its condition fixes.
    let twice = texts(
        &mut root,
        "select distinct c.relname::text from pg_index one join pg_index other on other.indrelid = one.indrelid
            and other.indexrelid <> one.indexrelid and other.indkey = one.indkey and other.indclass = one.indclass
            and other.indoption = one.indoption
            and pg_get_expr(other.indexprs, other.indrelid) is not distinct from pg_get_expr(one.indexprs, one.indrelid)
            and pg_get_expr(other.indpred, other.indrelid) is not distinct from pg_get_expr(one.indpred, one.indrelid)
         join pg_class c on c.oid = one.indexrelid join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relname like 'idx\\_%' order by 1",
    )
    .await?;
    let constant = texts(
        &mut root,
        "select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
         where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and i.indnkeyatts = 1 and not i.indisunique
            and pg_get_expr(i.indpred, i.indrelid) in (a.attname, format('(%s = true)', a.attname)) order by 1",
    )
    .await?;
    if subject.is_printed() {
        assert_eq!(twice, ["idx_users_email", "idx_users_username"]);
        assert_eq!(constant, ["idx_api_keys_active"]);
    }
    one_answer(twice.len() + constant.len(), 3)
}

pub(super) async fn no_place_for_server_incidents(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.program().await?;
    if is(
        &mut conn,
        "to_regprocedure('agents.server_endpoint(uuid, timestamptz)') is null",
    )
    .await?
    {
        let refused = run(
            &mut conn,
            "insert into threats.incidents (threat_type, severity, title) values ('brute_force', 'high', 'Many failed sign-ins')",
        )
        .await;
        return Ok(refusal(refused) == "23502");
    }
    // Twice: the entry is made once.
    for _ in 0..2 {
        run(
            &mut conn,
            "insert into threats.incidents (agent_id, threat_type, severity, title)
             values (agents.server_endpoint('00000000-0000-0000-0000-000000000001', now()), 'brute_force', 'high', 'Many failed sign-ins')",
        )
        .await?;
    }
    let kept = "select count(*) from threats.incidents i join agents.endpoints e using (tenant_id, agent_id)
        where e.hostname = 'secureguard-server' and e.status = 'inactive' and i.tenant_id = '00000000-0000-0000-0000-000000000001'";
    assert_eq!(count(&mut conn, kept).await?, 2);
    assert_eq!(
        count(&mut conn, "select count(*) from agents.endpoints").await?,
        1
    );
    Ok(false)
}
