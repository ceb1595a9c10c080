//! Many rows of many tenants, made in the database.

use sg_testkit::TestDb;

use crate::support::*;

/// An endpoint of the first tenant.
pub(super) const AGENT: &str = "aaaaaaaa-0000-4000-8000-000000000500";
/// Somebody who did a part of what the audit log of the first tenant holds.
pub(super) const ACTOR: &str = "aaaaaaaa-0000-4000-8000-000000000001";

/// What stands for `now()` in the rows and in what is asked of them: noon, since the planner weighs the partition of a day by how much of the day it holds.
pub(super) const MOMENT: &str = "(date_trunc('day', now(), 'UTC') + interval '12 hours')";

/// The two tenants, the first one with 1,000 endpoints more, and 30 tenants beside them. Triggers and references are left out: the rows are
/// made to be right.
const ROWS: &str = "
    set session_replication_role = replica;
    insert into users.tenants (tenant_id, name, slug) select tenant, 'T' || n, 't-' || n from (
        select n, ('c0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid as tenant from generate_series(1, 30) n) t;
    create temporary table tenant_rows as
        select 'aaaaaaaa-0000-4000-8000-000000000000'::uuid as tenant, 'aaaaaaaa-0000-4000-8000-' as prefix, 0 as n
        union all
        select ('c0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'c0000000-0000-4000-9' || lpad(n::text, 3, '0') || '-', n
        from generate_series(1, 30) n;
    insert into agents.endpoints (agent_id, tenant_id, hostname, created_at)
    select (t.prefix || lpad(e::text, 12, '0'))::uuid, t.tenant, 'host-' || e, now() from tenant_rows t, generate_series(100, 1099) e
    where t.n = 0 or e < 200;
    insert into agents.heartbeats (agent_id, tenant_id, last_seen_at) select agent_id, tenant_id, now() from agents.endpoints on conflict do nothing;
    insert into agents.system_info (agent_id, tenant_id, cpu_usage, memory_usage, disk_usage, collected_at, received_at)
    select e.agent_id, e.tenant_id, 1, 2, 3, now() - make_interval(mins => 150 * n), now() from agents.endpoints e, generate_series(0, 11) n;
    insert into agents.events (event_id, tenant_id, agent_id, kind, occurred_at, received_at, detail)
    select gen_random_uuid(), e.tenant_id, e.agent_id, 'process_started', now() - make_interval(mins => 400 * n), now(), '{}'
    from agents.endpoints e, generate_series(0, 4) n;
    insert into threats.incidents (threat_id, tenant_id, agent_id, threat_type, severity, status, title, detected_at)
    select gen_random_uuid(), e.tenant_id, e.agent_id, 'malware', (array['low', 'medium', 'high', 'critical'])[1 + (n + right(e.agent_id::text, 3)::integer) % 4],
        (array['new', 'investigating', 'resolved', 'resolved', 'resolved', 'false_positive'])[1 + n % 6], 'Incident ' || n,
        now() - make_interval(secs => row_number() over (order by n, e.agent_id))
    from agents.endpoints e, generate_series(0, 7) n where right(e.agent_id::text, 3) ~ '^[0-9]+$';
    insert into threats.findings (finding_id, tenant_id, threat_id, agent_id, rule_id, rule_name, engine, severity, confidence,
        explanation, evidence, subject, fingerprint, first_seen_at, last_seen_at)
    select gen_random_uuid(), i.tenant_id, i.threat_id, i.agent_id, 'rule', 'Rule', 'yara', 'high', 0.9, 'why', '{}', '{}', 'print', now(), now()
    from threats.incidents i where i.title = 'Incident 1';
    insert into audit.events (event_id, tenant_id, occurred_at, transaction_id, actor_kind, actor_id, action, object_kind, object_id, outcome)
    select gen_random_uuid(), t.tenant, now() - make_interval(secs => s), (s + 1000)::text::xid8, 'user',
        case when s % 10 = 0 then 'aaaaaaaa-0000-4000-8000-000000000001' else 'somebody-' || s % 50 end, 'incident.update', 'incident',
        'object-' || s % 500, 'success'
    from tenant_rows t, generate_series(1, 20000) s where t.n = 0 or s <= 500;
    insert into audit.row_changes (tenant_id, occurred_at, transaction_id, table_name, operation, row_id, before, after)
    select tenant_id, occurred_at, transaction_id, 'threats.incidents', 'update', object_id, '{}', '{}' from audit.events where tenant_id::text like 'a%';
    set session_replication_role = origin;
    analyze";

pub(super) async fn large() -> anyhow::Result<TestDb> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(&mut root, ROWS.replace("now()", MOMENT)).await?;
    Ok(test)
}
