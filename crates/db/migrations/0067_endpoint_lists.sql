-- Lists of endpoints in a tenant of a million: in the order of names, by a part of a text, and those offline, without reading every endpoint.

-- Columns of their own, since row security lets no index answer a condition on what a function makes of a column, and an index alone answers only
-- for columns. Of a text, so much as an index takes; the entry that stands for the server is nobody's endpoint and is not looked for.
alter table agents.endpoints
    add column name_key text not null generated always as (lower(hostname)) stored,
    add column search_text text generated always as (case when kind <> 'server' then left(lower(hostname || chr(10) || coalesce(device_name, '')
        || chr(10) || coalesce(host(ip_address), '') || chr(10) || coalesce(os_info, '')), 390) end) stored;
comment on column agents.endpoints.name_key is 'The host name in lower case, in whose order lists stand.';
comment on column agents.endpoints.search_text is 'What a search looks in: host name, given name, address and operating system in lower case.';
create index endpoints_tenant_id_name_key_idx on agents.endpoints (tenant_id, name_key, agent_id) include (search_text);
drop index agents.endpoints_tenant_id_hostname_idx;
-- The index answers alone for pages of which nothing has changed since they were vacuumed.
alter table agents.endpoints set (autovacuum_vacuum_scale_factor = 0.05);
drop trigger record_row_change on agents.endpoints;
create trigger record_row_change after insert or update or delete on agents.endpoints
    for each row execute function audit.record_row_change('agent_id', 'last_seen', 'name_key', 'search_text');

-- Who is offline is known by heartbeats alone, so that each endpoint has one, also one that no agent has enrolled.
alter table agents.heartbeats alter column last_seen_at drop not null;
comment on column agents.heartbeats.last_seen_at is 'When it checked in last; null where it never did.';
create index heartbeats_offline_idx on agents.heartbeats (tenant_id, agent_id) where not online;

-- Whoever adds one that nobody waits for needs no right to the deadlines.
create or replace function agents.watch_for_endpoints() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from added n where n.online) then
        insert into agents.deadlines (agent_id, tenant_id, look_at)
        select n.agent_id, n.tenant_id, n.last_seen_at from added n where n.online
        on conflict (agent_id) do nothing;
    end if;
    return null;
end
$$;

grant create on schema agents to sg_auth;
set local role sg_auth;
create function agents.begin_heartbeat() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into agents.heartbeats (agent_id, tenant_id, online)
    select e.agent_id, e.tenant_id, false from agents.endpoints e where e.agent_id = new.agent_id
    on conflict do nothing;
    return null;
end
$$;
comment on function agents.begin_heartbeat() is 'Trigger: an endpoint that nothing has enrolled by the end of its transaction has never been seen.';
revoke execute on function agents.begin_heartbeat() from public;
grant execute on function agents.begin_heartbeat() to sg_owner;
set local role sg_owner;
revoke create on schema agents from sg_auth;
create policy auth_access on agents.heartbeats for insert to sg_auth with check (not online);
grant insert on agents.heartbeats to sg_auth;
create constraint trigger begin_heartbeat after insert on agents.endpoints deferrable initially deferred
    for each row execute function agents.begin_heartbeat();

alter table agents.endpoints no force row level security;
alter table agents.heartbeats no force row level security;
insert into agents.heartbeats (agent_id, tenant_id, online)
select e.agent_id, e.tenant_id, false from agents.endpoints e where not exists (select from agents.heartbeats h where h.agent_id = e.agent_id);
alter table agents.heartbeats force row level security;
alter table agents.endpoints force row level security;
