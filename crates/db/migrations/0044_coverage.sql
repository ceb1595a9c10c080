-- Coverage: when an endpoint has to be looked for, what it was not watched for and why, and the alerts about endpoints that stay away.

-- When to look whether an endpoint has checked in. A row is moved when its time comes, not by check-ins, so that a run reads the rows that are due
-- by the index, and the heartbeats stay without one. Endpoints that are known to be offline have none.
create table agents.deadlines (
    agent_id uuid not null,
    tenant_id uuid not null,
    look_at timestamptz not null,
    constraint deadlines_pkey primary key (agent_id),
    constraint deadlines_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
);
comment on table agents.deadlines is 'When to look next whether an endpoint has checked in.';
comment on column agents.deadlines.look_at is 'Not after the moment at which the endpoint becomes offline unless it checks in.';

-- Since when somebody has been listening without a break: who could not be heard is not away.
create table agents.liveness_watch (
    only_one boolean not null default true,
    looked_at timestamptz not null,
    watching_since timestamptz not null,
    constraint liveness_watch_pkey primary key (only_one),
    constraint liveness_watch_only_one_check check (only_one)
);
comment on table agents.liveness_watch is 'When endpoints were looked for last, and since when without a break.';

alter table monitoring.alerts add column agent_id uuid;
alter table monitoring.alerts add column summary text;
alter table monitoring.alerts add constraint alerts_summary_check check (length(summary) between 1 and 500);
alter table monitoring.alerts add constraint alerts_agent_id_fkey foreign key (tenant_id, agent_id)
    references agents.endpoints (tenant_id, agent_id) on delete cascade;
create index alerts_tenant_id_agent_id_idx on monitoring.alerts (tenant_id, agent_id);
comment on column monitoring.alerts.agent_id is 'The endpoint that it is about, where it is about one.';
comment on column monitoring.alerts.summary is 'What is the matter, in one line.';

-- Routes and silences for an endpoint hold for its alerts too.
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
    select users.time_ordered_uuid(), n.tenant_id, n.channel_id, n.route_id, 'alert_resolved', n.alert_id, n.severity,
        'alert:' || new.alert_id || ':resolved', new.resolved_at, new.resolved_at, new.resolved_at + interval '24 hours'
    from monitoring.notifications n
    join monitoring.channels c on c.tenant_id = n.tenant_id and c.channel_id = n.channel_id and c.is_enabled
    where n.tenant_id = new.tenant_id and n.alert_id = new.alert_id and n.cause = 'alert_firing'
        and n.outcome is distinct from 'silenced' and n.outcome is distinct from 'merged'
    on conflict (tenant_id, channel_id, dedup_key) do nothing;
    get diagnostics waiting = row_count;
    if waiting > 0 then
        perform pg_notify('sg_live', '{"kind":"notification"}');
    end if;
    return null;
end
$$;

grant create on schema monitoring to sg_auth;
set local role sg_auth;
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
select monitoring.create_default_rules(t.tenant_id) from users.tenants t;
set local role sg_owner;
revoke create on schema monitoring from sg_auth;

-- ---- What locks the tables that endpoints write to: last, since a lock lasts until the commit ------------------------------------------------

create index endpoints_decommissioned_at_idx on agents.endpoints (decommissioned_at) where status = 'decommissioned';

-- A gap that goes on has no end yet.
alter table agents.gaps alter column to_at drop not null;
alter table agents.gaps add column cause text;
alter table agents.gaps add column area text not null default '';
alter table agents.gaps add column gap_count integer not null default 1;
alter table agents.gaps add column alert_at timestamptz;
alter table agents.gaps add column in_outage boolean not null default false;
alter table agents.gaps add constraint gaps_cause_check check (cause in ('host', 'agent', 'network', 'unknown'));
alter table agents.gaps add constraint gaps_gap_count_check check (gap_count > 0);
comment on column agents.gaps.cause is 'What was down, as far as there is evidence.';
comment on column agents.gaps.area is 'What was not watched, such as process or file; empty for the endpoint as a whole.';
comment on column agents.gaps.gap_count is 'How many gaps the row stands for; more than one beyond a day''s limit.';
comment on column agents.gaps.alert_at is 'When somebody is to be told unless the gap has ended by then.';
comment on column agents.gaps.in_outage is 'It is told of by the alert about many endpoints at once.';
create unique index gaps_open_key on agents.gaps (tenant_id, agent_id, reason, area) where to_at is null;
create unique index gaps_more_key on agents.gaps (tenant_id, agent_id, area) where reason = 'more_gaps';
create index gaps_tenant_id_agent_id_from_at_idx on agents.gaps (tenant_id, agent_id, from_at desc, gap_id desc);
create index gaps_alert_at_idx on agents.gaps (alert_at) where alert_at is not null;
create index gaps_offline_idx on agents.gaps (recorded_at) where reason = 'offline' and to_at is null;
create index gaps_in_outage_idx on agents.gaps (tenant_id) where in_outage and to_at is null;

-- What tells a return of the machine from one of the agent or of the network, and what of the endpoint was not watched at the last check-in.
alter table agents.heartbeats add column weak_spots smallint not null default 0;
alter table agents.heartbeats add column said_goodbye boolean not null default false;
alter table agents.heartbeats add column run_id uuid;
alter table agents.heartbeats add column boot_id uuid;
comment on column agents.heartbeats.weak_spots is 'Bits: what of the endpoint is not watched as well as it could be.';
comment on column agents.heartbeats.said_goodbye is 'The agent said at its last check-in that it stops.';
comment on column agents.heartbeats.run_id is 'The agent''s process, by an id that it made at its start.';
comment on column agents.heartbeats.boot_id is 'The machine''s start, by the kernel''s id.';

create function agents.watch_for_endpoints() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    insert into agents.deadlines (agent_id, tenant_id, look_at)
    select n.agent_id, n.tenant_id, n.last_seen_at from added n where n.online
    on conflict (agent_id) do nothing;
    return null;
end
$$;
comment on function agents.watch_for_endpoints() is 'Trigger: an endpoint that is enrolled is looked for from then on.';
create trigger watch_for_endpoints after insert on agents.heartbeats
    referencing new table as added for each statement execute function agents.watch_for_endpoints();

create function agents.look_again() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    update agents.deadlines d set look_at = '-infinity' where d.agent_id = new.agent_id;
    return null;
end
$$;
comment on function agents.look_again() is 'Trigger: an endpoint whose interval changes has another deadline.';
create trigger look_again after update of heartbeat_interval on agents.endpoints
    for each row when (old.heartbeat_interval <> new.heartbeat_interval) execute function agents.look_again();
revoke execute on function agents.watch_for_endpoints(), agents.look_again() from public;
grant execute on function agents.watch_for_endpoints(), agents.look_again() to sg_system, sg_admin;

alter table agents.heartbeats no force row level security;
insert into agents.deadlines (agent_id, tenant_id, look_at) select h.agent_id, h.tenant_id, h.last_seen_at from agents.heartbeats h where h.online;
alter table agents.heartbeats force row level security;
create index deadlines_look_at_idx on agents.deadlines (look_at);
create index deadlines_tenant_id_agent_id_idx on agents.deadlines (tenant_id, agent_id);

select users.enable_tenant_isolation('agents.deadlines');
create policy own_scope on agents.deadlines as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
grant select on agents.deadlines to sg_backup;
grant select, insert, update, delete on agents.deadlines to sg_system, sg_admin;
grant select, insert, update on agents.liveness_watch to sg_system;
grant select on agents.liveness_watch to sg_admin, sg_backup;
