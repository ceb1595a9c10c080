-- Notifications: texts of a tenant's own, incidents that are open again, alerts that go on for too long, and a rule that watches the audit chains.

-- Jinja templates by what they replace: {"subject": …, "body": …}; ours are sent where there is none.
alter table monitoring.channels add column templates jsonb not null default '{}';
alter table monitoring.channels add constraint channels_templates_check
    check (jsonb_typeof(templates) = 'object' and length(templates::text) <= 40000);
-- What somebody should know of an attempt that was made, such as a template that failed.
alter table monitoring.delivery_attempts add column note text;
alter table monitoring.delivery_attempts add constraint delivery_attempts_note_check check (length(note) between 1 and 500);

alter table monitoring.notifications drop constraint notifications_cause_check;
alter table monitoring.notifications add constraint notifications_cause_check check (cause in ('incident_opened', 'incident_raised',
    'incident_waiting', 'incident_closed', 'incident_reopened', 'alert_firing', 'alert_waiting', 'alert_resolved', 'digest', 'test'));

-- An alert that goes on is told to a second channel too.
alter table monitoring.routes drop constraint routes_escalation_check;
alter table monitoring.routes add constraint routes_escalation_check
    check ((escalate_to is null or escalate_after_minutes is not null) and escalate_after_minutes between 1 and 10080);

create or replace function monitoring.enqueue_notification(
    p_tenant uuid, p_cause text, p_threat uuid, p_alert uuid, p_agent uuid, p_severity text, p_rules text[], p_tags text[], p_subject text,
    p_key text, p_at timestamptz
) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    waiting integer;
begin
    with told as (
        insert into monitoring.notifications (notification_id, tenant_id, channel_id, route_id, cause, threat_id, alert_id, severity, dedup_key,
            created_at, next_attempt_at, expires_at, escalate_at, finished_at, outcome)
        select distinct on (r.channel_id) users.time_ordered_uuid(), p_tenant, r.channel_id, r.route_id, p_cause, p_threat, p_alert, p_severity,
            p_key, p_at, p_at, p_at + interval '24 hours',
            case when not m.is_muted and p_cause in ('incident_opened', 'incident_raised', 'alert_firing')
                then p_at + make_interval(mins => r.escalate_after_minutes) end,
            case when m.is_muted then p_at end, case when m.is_muted then 'silenced' end
        from monitoring.routes r
        join monitoring.channels c on c.tenant_id = r.tenant_id and c.channel_id = r.channel_id and c.is_enabled
        cross join lateral (select coalesce(r.muted_until > p_at, false)
            or monitoring.is_silenced(p_tenant, p_rules, p_agent, p_severity, p_at) as is_muted) m
        where r.tenant_id = p_tenant and r.is_enabled and r.source = split_part(p_cause, '_', 1)
            and monitoring.severity_rank(p_severity) >= monitoring.severity_rank(r.min_severity)
            and (cardinality(r.rules) = 0 or r.rules && p_rules) and (cardinality(r.tags) = 0 or r.tags && p_tags)
            and (cardinality(r.agents) = 0 or p_agent = any (r.agents))
            -- A channel that does not answer is not told about itself.
            and not ('notification_failure' = any (p_rules) and p_alert is not null and p_subject = c.name)
        order by r.channel_id, m.is_muted, r.escalate_after_minutes, r.created_at
        on conflict (tenant_id, channel_id, dedup_key) do nothing
        returning outcome)
    select count(*) filter (where t.outcome is null) into waiting from told t;
    if waiting > 0 then
        perform pg_notify('sg_live', '{"kind":"notification"}');
    end if;
    return waiting;
end
$$;

create or replace function monitoring.notify_of_alert() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    rule record;
    waiting integer;
begin
    select r.kind, r.severity into rule from monitoring.alert_rules r where r.tenant_id = new.tenant_id and r.rule_id = new.rule_id;
    if new.state = 'firing' then
        perform monitoring.enqueue_notification(new.tenant_id, 'alert_firing', null, new.alert_id, new.agent_id, rule.severity, array[rule.kind],
            '{}', new.subject, 'alert:' || new.alert_id || ':firing', new.fired_at);
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
    if waiting > 0 then
        perform pg_notify('sg_live', '{"kind":"notification"}');
    end if;
    return null;
end
$$;

-- An incident that is open again is told to the receivers that keep things open: they were told that it is closed, or are about to be. Whoever
-- re-opens it may write nothing into the outbox, so this runs as who may; it adds to channels only that heard of the incident before.
create policy auth_access on monitoring.notifications for all to sg_auth using (true) with check (true);
create policy auth_access on monitoring.channels for select to sg_auth using (true);
grant select on monitoring.channels to sg_auth;
grant select, insert on monitoring.notifications to sg_auth;
create function monitoring.notify_of_reopening() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    waiting integer;
begin
    insert into monitoring.notifications (notification_id, tenant_id, channel_id, route_id, cause, threat_id, severity, dedup_key, created_at,
        next_attempt_at, expires_at)
    select distinct on (n.channel_id) users.time_ordered_uuid(), n.tenant_id, n.channel_id, n.route_id, 'incident_reopened', new.threat_id,
        new.severity, 'incident:' || new.threat_id || ':reopened:' || coalesce((extract(epoch from old.resolved_at) * 1000000)::bigint, 0),
        new.updated_at, new.updated_at, new.updated_at + interval '24 hours'
    from monitoring.notifications n
    join monitoring.channels c on c.tenant_id = n.tenant_id and c.channel_id = n.channel_id and c.is_enabled
        and c.kind in ('pagerduty', 'webhook')
    where n.tenant_id = new.tenant_id and n.threat_id = new.threat_id and n.cause <> 'incident_closed'
        and coalesce(n.outcome, 'sent') in ('sent', 'merged')
    order by n.channel_id, n.created_at
    on conflict (tenant_id, channel_id, dedup_key) do nothing;
    get diagnostics waiting = row_count;
    if waiting > 0 then
        perform pg_notify('sg_live', '{"kind":"notification"}');
    end if;
    return null;
end
$$;
comment on function monitoring.notify_of_reopening() is 'Trigger: puts an incident that is open again into the outbox.';
revoke execute on function monitoring.notify_of_reopening() from public;
grant create on schema monitoring to sg_auth;
alter function monitoring.notify_of_reopening() owner to sg_auth;
set local role sg_auth;
grant execute on function monitoring.notify_of_reopening() to sg_owner;
create or replace function monitoring.create_default_rules(p_tenant uuid) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into monitoring.alert_rules (tenant_id, kind, severity, comparison, threshold, window_seconds, for_seconds)
    select p_tenant, d.kind, d.severity, d.comparison, d.threshold, d.window_seconds, d.for_seconds
    from (values
        ('failed_sign_ins', 'medium', 'above', 10, 60, 0, false),
        ('account_lockouts', 'high', 'above', 5, 3600, 0, false),
        ('password_policy_violations', 'low', 'above', 0, 0, 0, false),
        -- Missed intervals; the window is that within which many at once are one outage.
        ('endpoint_offline', 'medium', 'above', 2, 900, 0, false),
        -- Places of the audit log that do not hold.
        ('audit_chain', 'critical', 'above', 0, 0, 0, false),
        ('unauthorized_database_access', 'critical', 'above', 0, 3600, 0, true),
        ('slow_queries', 'medium', 'above', 1, 60, 300, true),
        ('database_connections', 'high', 'above', 80, 0, 60, true),
        ('storage_usage', 'high', 'above', 85, 0, 300, true),
        ('backup_failure', 'critical', 'above', 0, 0, 0, true),
        -- Seconds that a standby is behind or away.
        ('standby_lag', 'high', 'above', 60, 0, 0, true),
        -- Percent of what a replication slot may keep.
        ('replication_slots', 'high', 'above', 50, 0, 0, true),
        -- Days until the server's certificate ends.
        ('certificate_expiry', 'high', 'below', 14, 0, 0, true),
        ('partitions_ahead', 'high', 'below', 3, 0, 0, true),
        ('default_partition_rows', 'medium', 'above', 0, 0, 0, true)
    ) as d (kind, severity, comparison, threshold, window_seconds, for_seconds, of_installation)
    where not d.of_installation or p_tenant = '00000000-0000-0000-0000-000000000000'
    on conflict (tenant_id, kind) do nothing
$$;
select monitoring.create_default_rules(t.tenant_id) from users.tenants t;
set local role sg_owner;
revoke create on schema monitoring from sg_auth;

-- Last, since it locks a table that endpoints write to.
create trigger notify_of_reopening after update of status on threats.incidents
    for each row when (old.status in ('resolved', 'false_positive') and new.status not in ('resolved', 'false_positive'))
    execute function monitoring.notify_of_reopening();
