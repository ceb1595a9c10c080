-- Security monitoring (the document's sixth step): what happened that matters for security, the rules that watch over figures, and the alerts
-- that are open because of them.

create schema monitoring;
grant usage on schema monitoring to sg_app, sg_auth, sg_system, sg_admin, sg_backup, sg_monitor;

create table monitoring.security_events (
    event_id uuid not null default users.time_ordered_uuid(),
    tenant_id uuid not null references users.tenants (tenant_id),
    occurred_at timestamptz not null,
    kind text not null,
    severity text not null,
    -- What it is about: an account, an endpoint, a table; an id or a name.
    subject text not null,
    detail jsonb not null default '{}'::jsonb,
    constraint security_events_pkey primary key (event_id, occurred_at),
    constraint security_events_kind_check check (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint security_events_severity_check check (severity in ('low', 'medium', 'high', 'critical')),
    constraint security_events_occurred_at_check check (isfinite(occurred_at))
) partition by range (occurred_at);
create index security_events_tenant_id_occurred_at_idx on monitoring.security_events (tenant_id, occurred_at desc);
create index security_events_tenant_id_kind_occurred_at_idx on monitoring.security_events (tenant_id, kind, occurred_at desc);
create table monitoring.security_events_default partition of monitoring.security_events default;
alter table monitoring.security_events_default enable row level security, force row level security;
create trigger refuse_change before update or delete on monitoring.security_events for each row execute function audit.refuse_change();
create trigger refuse_truncate before truncate on monitoring.security_events execute function audit.refuse_change();
create trigger refuse_truncate before truncate on monitoring.security_events_default execute function audit.refuse_change();
insert into agents.partition_schemes (parent_table, period, keep_days) values ('monitoring.security_events', 'month', 400);
comment on table monitoring.security_events is 'What happened that matters for security, such as a locked account or a cloned agent; append-only.';

create table monitoring.alert_rules (
    rule_id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references users.tenants (tenant_id),
    kind text not null,
    severity text not null,
    enabled boolean not null default true,
    -- The alert is for a figure above the threshold, or below it.
    comparison text not null default 'above',
    threshold numeric not null,
    -- Over how long the figure is counted; 0 for a figure of the moment.
    window_seconds integer not null,
    -- For how long it has to hold before the alert fires.
    for_seconds integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint alert_rules_tenant_id_rule_id_key unique (tenant_id, rule_id),
    constraint alert_rules_tenant_id_kind_key unique (tenant_id, kind),
    constraint alert_rules_kind_check check (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint alert_rules_severity_check check (severity in ('low', 'medium', 'high', 'critical')),
    constraint alert_rules_comparison_check check (comparison in ('above', 'below')),
    constraint alert_rules_threshold_check check (threshold between 0 and 1000000000),
    constraint alert_rules_window_seconds_check check (window_seconds between 0 and 86400),
    constraint alert_rules_for_seconds_check check (for_seconds between 0 and 86400)
);
comment on table monitoring.alert_rules is 'Which figures are watched, by which threshold; those of the installation belong to the system tenant.';

create table monitoring.alerts (
    alert_id uuid primary key default users.time_ordered_uuid(),
    tenant_id uuid not null,
    rule_id uuid not null,
    -- What the figure is about; empty for the tenant or the installation as a whole.
    subject text not null default '',
    state text not null,
    since timestamptz not null,
    fired_at timestamptz,
    last_seen_at timestamptz not null,
    resolved_at timestamptz,
    last_value numeric not null,
    -- How often it was found.
    occurrence_count bigint not null default 1,
    constraint alerts_state_check check (state in ('pending', 'firing', 'resolved')),
    constraint alerts_resolved_at_check check ((state = 'resolved') = (resolved_at is not null)),
    constraint alerts_fired_at_check check ((state = 'pending') = (fired_at is null)),
    constraint alerts_occurrence_count_check check (occurrence_count >= 1),
    constraint alerts_rule_id_fkey foreign key (tenant_id, rule_id)
        references monitoring.alert_rules (tenant_id, rule_id) on delete cascade
);
-- One open alert for a rule and a subject, whoever raises it and however many at once.
create unique index alerts_open_key on monitoring.alerts (tenant_id, rule_id, subject) where state <> 'resolved';
create index alerts_tenant_id_rule_id_idx on monitoring.alerts (tenant_id, rule_id);
create index alerts_tenant_id_since_idx on monitoring.alerts (tenant_id, since desc, alert_id desc);
create index alerts_resolved_at_idx on monitoring.alerts (resolved_at) where state = 'resolved';
comment on table monitoring.alerts is 'Alerts: at most one open one for each rule and subject; repeats count up.';

select users.enable_tenant_isolation(t)
from unnest(array['monitoring.security_events', 'monitoring.alert_rules', 'monitoring.alerts']) t;
create policy own_scope on monitoring.security_events as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on monitoring.alert_rules as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on monitoring.alerts as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');
create policy auth_access on monitoring.alert_rules for all to sg_auth using (true) with check (true);

create trigger touch_updated_at before update on monitoring.alert_rules for each row execute function users.touch_updated_at();
create trigger record_row_change after insert or update or delete on monitoring.alert_rules
    for each row execute function audit.record_row_change('rule_id');

grant select on monitoring.security_events, monitoring.alert_rules, monitoring.alerts to sg_app, sg_backup;
grant update (enabled, severity, threshold, window_seconds, for_seconds) on monitoring.alert_rules to sg_app;
grant select, insert on monitoring.security_events to sg_system;
grant select, update on monitoring.alert_rules to sg_system, sg_admin;
grant select, insert, update, delete on monitoring.alerts to sg_system, sg_admin;
grant select on monitoring.security_events to sg_admin;
grant select, insert on monitoring.alert_rules to sg_auth;

-- The document's thresholds. Every tenant watches its own sign-ins; what concerns the machine is the installation's.
create function monitoring.create_default_rules(p_tenant uuid) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into monitoring.alert_rules (tenant_id, kind, severity, comparison, threshold, window_seconds, for_seconds)
    select p_tenant, d.kind, d.severity, d.comparison, d.threshold, d.window_seconds, d.for_seconds
    from (values
        ('failed_sign_ins', 'medium', 'above', 10, 60, 0, false),
        ('account_lockouts', 'high', 'above', 5, 3600, 0, false),
        ('password_policy_violations', 'low', 'above', 0, 0, 0, false),
        ('unauthorized_database_access', 'critical', 'above', 0, 3600, 0, true),
        ('slow_queries', 'medium', 'above', 1, 60, 300, true),
        ('database_connections', 'high', 'above', 80, 0, 60, true),
        ('storage_usage', 'high', 'above', 85, 0, 300, true),
        ('backup_failure', 'critical', 'above', 0, 0, 0, true),
        ('partitions_ahead', 'high', 'below', 3, 0, 0, true),
        ('default_partition_rows', 'medium', 'above', 0, 0, 0, true)
    ) as d (kind, severity, comparison, threshold, window_seconds, for_seconds, of_installation)
    where not d.of_installation or p_tenant = '00000000-0000-0000-0000-000000000000'
    on conflict (tenant_id, kind) do nothing
$$;
comment on function monitoring.create_default_rules(uuid) is 'Gives a tenant the documented alert rules that it lacks.';

create function monitoring.create_default_rules_of_tenant() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform monitoring.create_default_rules(new.tenant_id);
    return null;
end
$$;
create trigger create_default_rules after insert on users.tenants
    for each row execute function monitoring.create_default_rules_of_tenant();

grant create on schema monitoring to sg_auth;
alter function monitoring.create_default_rules(uuid) owner to sg_auth;
alter function monitoring.create_default_rules_of_tenant() owner to sg_auth;
revoke create on schema monitoring from sg_auth;
-- Tenants that are there already; sg_auth sees them, the owner does not.
set local role sg_auth;
select monitoring.create_default_rules(t.tenant_id) from users.tenants t;
set local role sg_owner;

-- The one way in for whatever finds something wrong: opens the alert or counts it up, and fires it once it has held for as long as its rule
-- says. Null when the tenant has no such rule, or has switched it off.
create function monitoring.raise_alert(p_tenant uuid, p_kind text, p_subject text, p_value numeric, p_at timestamptz) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    rule record;
    alert record;
begin
    select r.rule_id, r.severity, r.for_seconds, r.threshold into rule
    from monitoring.alert_rules r where r.tenant_id = p_tenant and r.kind = p_kind and r.enabled;
    if not found then
        return null;
    end if;
    insert into monitoring.alerts as a (tenant_id, rule_id, subject, state, since, fired_at, last_seen_at, last_value)
    values (p_tenant, rule.rule_id, p_subject, case when rule.for_seconds = 0 then 'firing' else 'pending' end, p_at,
        case when rule.for_seconds = 0 then p_at end, p_at, p_value)
    on conflict (tenant_id, rule_id, subject) where state <> 'resolved' do update set
        state = case when p_at >= a.since + make_interval(secs => rule.for_seconds) then 'firing' else a.state end,
        fired_at = case when a.fired_at is null and p_at >= a.since + make_interval(secs => rule.for_seconds) then p_at else a.fired_at end,
        last_seen_at = greatest(a.last_seen_at, p_at),
        last_value = p_value,
        occurrence_count = a.occurrence_count + 1
    returning a.alert_id, a.state, a.fired_at, a.last_seen_at into alert;
    if alert.fired_at = p_at and alert.last_seen_at = p_at and not exists (
        select from monitoring.security_events v
        where v.tenant_id = p_tenant and v.kind = p_kind and v.occurred_at = p_at and v.detail ->> 'alert_id' = alert.alert_id::text)
    then
        insert into monitoring.security_events (tenant_id, occurred_at, kind, severity, subject, detail)
        values (p_tenant, p_at, p_kind, rule.severity, p_subject,
            jsonb_build_object('alert_id', alert.alert_id, 'value', p_value, 'threshold', rule.threshold));
    end if;
    return alert.state;
end
$$;
comment on function monitoring.raise_alert(uuid, text, text, numeric, timestamptz) is
    'Opens or counts up the alert of a tenant''s rule about a subject; returns its state, null when no rule asks for it.';

-- An alert that never fired leaves nothing behind.
create function monitoring.clear_alert(p_tenant uuid, p_kind text, p_subject text, p_at timestamptz) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    cleared boolean;
begin
    delete from monitoring.alerts a using monitoring.alert_rules r
    where r.tenant_id = p_tenant and r.kind = p_kind and a.tenant_id = r.tenant_id and a.rule_id = r.rule_id and a.subject = p_subject
        and a.state = 'pending';
    update monitoring.alerts a set state = 'resolved', resolved_at = greatest(p_at, a.fired_at)
    from monitoring.alert_rules r
    where r.tenant_id = p_tenant and r.kind = p_kind and a.tenant_id = r.tenant_id and a.rule_id = r.rule_id and a.subject = p_subject
        and a.state = 'firing';
    cleared := found;
    return cleared;
end
$$;
comment on function monitoring.clear_alert(uuid, text, text, timestamptz) is
    'Resolves the open alert of a tenant''s rule about a subject; true when one was firing.';

grant execute on function monitoring.raise_alert(uuid, text, text, numeric, timestamptz),
    monitoring.clear_alert(uuid, text, text, timestamptz) to sg_system;
