-- The table of before becomes the class of 30 days. It has proved that its rows are of that class and has the keys of its parent, so that nothing is read again.
alter table agents.events rename to events_class_30;
alter table agents.events_default rename to events_class_30_default;
alter table agents.events_class_30 rename constraint events_pkey to events_class_30_pkey;
alter table agents.events_class_30 rename constraint events_agent_id_fkey to events_class_30_agent_id_fkey;
alter index agents.events_tenant_id_agent_id_occurred_at_idx rename to events_class_30_tenant_id_agent_id_occurred_at_idx;
alter table agents.events_class_30_default rename constraint events_default_pkey to events_class_30_default_pkey;
alter index agents.events_default_tenant_id_agent_id_occurred_at_idx rename to events_class_30_default_tenant_id_agent_id_occurred_at_idx;
do $$
declare
    a_day record;
begin
    for a_day in select b.partition_name as name from agents.partition_bounds('agents.events_class_30') b loop
        execute format('alter table %s rename to %I', a_day.name, replace(split_part(a_day.name, '.', 2), 'events_', 'events_class_30_'));
    end loop;
end
$$;
drop policy tenant_isolation on agents.events_class_30;
drop policy own_rows on agents.events_class_30;
drop policy system_access on agents.events_class_30;
drop policy admin_access on agents.events_class_30;
drop policy backup_access on agents.events_class_30;
revoke all on agents.events_class_30 from sg_app, sg_app_own, sg_system, sg_admin, sg_backup;

create table agents.events (like agents.events_class_30 including defaults including comments) partition by list (retention_class);
comment on table agents.events is 'What endpoints observed: processes, files, connections, sign-ins.';
alter table agents.events add constraint events_agent_id_fkey foreign key (tenant_id, agent_id)
    references agents.endpoints (tenant_id, agent_id) on delete cascade;
create index events_tenant_id_agent_id_occurred_at_idx on agents.events (tenant_id, agent_id, occurred_at desc);
alter table agents.events attach partition agents.events_class_30 for values in (30);
alter table agents.events_class_30 drop constraint events_class_check;
-- An event's id is unique within its class: a key over all of them would have to carry the class, and be built again for every event that is there.
create table agents.events_class_90 partition of agents.events (
    constraint events_class_90_pkey primary key (event_id, occurred_at)
) for values in (90) partition by range (occurred_at);
create table agents.events_class_400 partition of agents.events (
    constraint events_class_400_pkey primary key (event_id, occurred_at)
) for values in (400) partition by range (occurred_at);
create table agents.events_class_90_default partition of agents.events_class_90 default;
create table agents.events_class_400_default partition of agents.events_class_400 default;
alter table agents.events_class_90 enable row level security, force row level security;
alter table agents.events_class_400 enable row level security, force row level security;
alter table agents.events_class_90_default enable row level security, force row level security;
alter table agents.events_class_400_default enable row level security, force row level security;

select users.enable_tenant_isolation('agents.events');
create policy own_rows on agents.events for all to sg_app_own
    using (tenant_id = (select users.current_tenant()) and agent_id = any ((select agents.own_endpoints())::uuid[]))
    with check (tenant_id = (select users.current_tenant()) and agent_id = any ((select agents.own_endpoints())::uuid[]));
grant select on agents.events to sg_app, sg_backup;
grant select, insert, update, delete on agents.events to sg_system, sg_admin;

-- Longer classes have longer partitions: a search without a time looks into each of them.
update agents.partition_schemes
set parent_table = 'agents.events_class_30', read_table = 'agents.events', read_condition = 'retention_class = 30'
where parent_table = 'agents.events';
insert into agents.partition_schemes (parent_table, period, keep_days, read_table, read_condition, held_table)
values
    ('agents.events_class_90', 'week', 90, 'agents.events', 'retention_class = 90', 'agents.events_held'),
    ('agents.events_class_400', 'month', 400, 'agents.events', 'retention_class = 400', 'agents.events_held');
