-- Alerts that others keep quiet, and who is at the database that should not be: sessions of strangers, and changes of the schema outside a migration.

alter table monitoring.alert_rules add column inhibited_by text[] not null default '{}';
alter table monitoring.alert_rules add constraint alert_rules_inhibited_by_check
    check (cardinality(inhibited_by) <= 15 and array_position(inhibited_by, null) is null and not kind = any (inhibited_by));
comment on column monitoring.alert_rules.inhibited_by is 'Kinds of rules of the tenant: while an alert of one of them fires, those of this rule are not told.';
grant update (inhibited_by) on monitoring.alert_rules to sg_app;
alter table monitoring.notifications add column inhibited_by uuid;
comment on column monitoring.notifications.inhibited_by is 'The alert that keeps it quiet; it is told when that one is over, if what it tells goes on.';

-- What follows from something else that is told: no second message about the same.
alter table monitoring.alert_rules no force row level security;
update monitoring.alert_rules r set inhibited_by = d.inhibited_by
from (values
    ('slow_queries', array['database_connections', 'storage_usage']),
    ('default_partition_rows', array['partitions_ahead']),
    ('standby_lag', array['replication_slots'])
) as d (kind, inhibited_by)
where r.kind = d.kind;
alter table monitoring.alert_rules force row level security;

create or replace function monitoring.notify_of_alert() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    rule record;
    inhibitor uuid;
    waiting integer;
    released integer;
begin
    select r.kind, r.severity, r.inhibited_by into rule
    from monitoring.alert_rules r where r.tenant_id = new.tenant_id and r.rule_id = new.rule_id;
    if new.state = 'firing' then
        perform monitoring.enqueue_notification(new.tenant_id, 'alert_firing', null, new.alert_id, new.agent_id, rule.severity, array[rule.kind],
            '{}', new.subject, 'alert:' || new.alert_id || ':firing', new.fired_at);
        select a.alert_id into inhibitor
        from monitoring.alerts a join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
        where a.tenant_id = new.tenant_id and a.state = 'firing' and r.kind = any (rule.inhibited_by)
        limit 1;
        if found then
            update monitoring.notifications n
            set outcome = 'silenced', finished_at = new.fired_at, escalate_at = null, inhibited_by = inhibitor
            where n.tenant_id = new.tenant_id and n.alert_id = new.alert_id and n.cause = 'alert_firing' and n.outcome is null;
        end if;
        return null;
    end if;
    -- Whoever heard of the beginning hears of the end.
    insert into monitoring.notifications (notification_id, tenant_id, channel_id, route_id, cause, alert_id, severity, dedup_key, created_at,
        next_attempt_at, expires_at)
    select distinct on (n.channel_id) users.time_ordered_uuid(), n.tenant_id, n.channel_id, n.route_id, 'alert_resolved', n.alert_id, n.severity,
        'alert:' || new.alert_id || ':resolved', new.resolved_at, new.resolved_at, new.resolved_at + interval '24 hours'
    from monitoring.notifications n
    join monitoring.channels c on c.tenant_id = n.tenant_id and c.channel_id = n.channel_id and c.is_enabled
    where n.tenant_id = new.tenant_id and n.alert_id = new.alert_id and n.cause in ('alert_firing', 'alert_waiting')
        and n.outcome is distinct from 'silenced' and n.outcome is distinct from 'merged'
    order by n.channel_id, n.created_at
    on conflict (tenant_id, channel_id, dedup_key) do nothing;
    get diagnostics waiting = row_count;
    -- What this one kept quiet and goes on is told now, unless another one keeps it quiet.
    with quiet as (
        select n.notification_id, (
            select o.alert_id
            from monitoring.alerts o join monitoring.alert_rules p on p.tenant_id = o.tenant_id and p.rule_id = o.rule_id
            where o.tenant_id = n.tenant_id and o.state = 'firing' and o.alert_id <> new.alert_id and p.kind = any (r.inhibited_by)
            limit 1) as other
        from monitoring.notifications n
        join monitoring.alerts a on a.tenant_id = n.tenant_id and a.alert_id = n.alert_id and a.state = 'firing'
        join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
        where n.tenant_id = new.tenant_id and n.inhibited_by = new.alert_id and n.outcome = 'silenced'
    ), told as (
        update monitoring.notifications n
        set inhibited_by = q.other,
            outcome = case when q.other is not null then n.outcome end,
            finished_at = case when q.other is not null then n.finished_at end,
            next_attempt_at = new.resolved_at,
            expires_at = new.resolved_at + interval '24 hours',
            escalate_at = case when q.other is null then (
                select new.resolved_at + make_interval(mins => t.escalate_after_minutes)
                from monitoring.routes t where t.tenant_id = n.tenant_id and t.route_id = n.route_id) end
        from quiet q where n.tenant_id = new.tenant_id and n.notification_id = q.notification_id
        returning n.outcome
    )
    select count(*) filter (where t.outcome is null) into released from told t;
    if waiting + released > 0 then
        perform pg_notify('sg_live', '{"kind":"notification"}');
    end if;
    return null;
end
$$;
create index notifications_inhibited_by_idx on monitoring.notifications (tenant_id, inhibited_by) where inhibited_by is not null;

grant create on schema monitoring to sg_auth;
set local role sg_auth;
create or replace function monitoring.create_default_rules(p_tenant uuid) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into monitoring.alert_rules (tenant_id, kind, severity, comparison, threshold, window_seconds, for_seconds, inhibited_by)
    select p_tenant, d.kind, d.severity, d.comparison, d.threshold, d.window_seconds, d.for_seconds, d.inhibited_by::text[]
    from (values
        ('failed_sign_ins', 'medium', 'above', 10, 60, 0, '{}', false),
        ('account_lockouts', 'high', 'above', 5, 3600, 0, '{}', false),
        ('password_policy_violations', 'low', 'above', 0, 0, 0, '{}', false),
        -- Missed intervals; the window is that within which many at once are one outage.
        ('endpoint_offline', 'medium', 'above', 2, 900, 0, '{}', false),
        -- Places of the audit log that do not hold.
        ('audit_chain', 'critical', 'above', 0, 0, 0, '{}', false),
        ('unauthorized_database_access', 'critical', 'above', 0, 3600, 0, '{}', true),
        ('slow_queries', 'medium', 'above', 1, 60, 300, '{database_connections,storage_usage}', true),
        ('database_connections', 'high', 'above', 80, 0, 60, '{}', true),
        ('storage_usage', 'high', 'above', 85, 0, 300, '{}', true),
        ('backup_failure', 'critical', 'above', 0, 0, 0, '{}', true),
        -- Seconds that a standby is behind or away.
        ('standby_lag', 'high', 'above', 60, 0, 0, '{replication_slots}', true),
        -- Percent of what a replication slot may keep.
        ('replication_slots', 'high', 'above', 50, 0, 0, '{}', true),
        -- Days until the server's certificate ends.
        ('certificate_expiry', 'high', 'below', 14, 0, 0, '{}', true),
        ('partitions_ahead', 'high', 'below', 3, 0, 0, '{}', true),
        ('default_partition_rows', 'medium', 'above', 0, 0, 0, '{partitions_ahead}', true)
    ) as d (kind, severity, comparison, threshold, window_seconds, for_seconds, inhibited_by, of_installation)
    where not d.of_installation or p_tenant = '00000000-0000-0000-0000-000000000000'
    on conflict (tenant_id, kind) do nothing
$$;

create function monitoring.list_sessions() returns table (role text, application text, address text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select a.usename::text, a.application_name, coalesce(host(a.client_addr), 'local')
    from pg_stat_activity a
    where a.datname = current_database() and a.backend_type = 'client backend' and a.application_name is not null
    group by 1, 2, 3
$$;
comment on function monitoring.list_sessions() is
    'Who is connected to this database, by role, name of the program and address; nobody where sg_auth may not read all statistics.';
revoke all on function monitoring.list_sessions() from public;
grant execute on function monitoring.list_sessions() to sg_system;

-- A tripwire, not a fence: whoever may change the schema could take this away, and is seen doing that.
create function monitoring.note_schema_change() returns event_trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    application constant text := current_setting('application_name');
    change record;
begin
    -- Migrations, and partitions that the server makes and drops.
    if application = 'secureguard-migrate' or session_user = 'sg_system' then
        return;
    end if;
    if tg_event = 'sql_drop' then
        select o.schema_name, o.object_identity into change
        from pg_event_trigger_dropped_objects() o where o.original and not o.is_temporary limit 1;
    else
        select o.schema_name, o.object_identity into change
        from pg_event_trigger_ddl_commands() o where o.schema_name is distinct from 'pg_temp' limit 1;
    end if;
    if not found then
        return;
    end if;
    insert into monitoring.security_events (tenant_id, occurred_at, kind, severity, subject, detail)
    values ('00000000-0000-0000-0000-000000000000', clock_timestamp(), 'schema_changed', 'critical', left(change.object_identity, 200),
        jsonb_build_object('command', tg_tag, 'role', session_user, 'application', application,
            'address', coalesce(host(inet_client_addr()), 'local')));
exception when others then
    -- Who repairs a damaged schema is not kept from it.
    raise warning 'this change of the schema is not on record: %', sqlerrm;
end
$$;
comment on function monitoring.note_schema_change() is 'Event trigger: puts a change of the schema outside a migration on record.';
revoke all on function monitoring.note_schema_change() from public;
grant execute on function monitoring.note_schema_change() to sg_owner;
set local role sg_owner;
revoke create on schema monitoring from sg_auth;
create policy auth_access on monitoring.security_events for insert to sg_auth with check (kind = 'schema_changed');
grant insert on monitoring.security_events to sg_auth;
