-- Log sources: what has no agent sends events over the API, and each source is an entry among the tenant's endpoints. The entry that stands for the server takes
-- in what the product notices of its own sign-ins.

alter table agents.endpoints add column kind text not null default 'agent';
alter table agents.endpoints add constraint endpoints_kind_check check (kind in ('agent', 'log_source', 'server')) not valid;
alter table agents.endpoints validate constraint endpoints_kind_check;
comment on column agents.endpoints.kind is 'Who sends: an agent on the endpoint, something that sends its log over the API, or the server itself.';
-- A source is known by its name.
create unique index endpoints_log_source_key on agents.endpoints (tenant_id, lower(hostname)) where kind = 'log_source';

create or replace function agents.server_endpoint(p_tenant_id uuid, p_at timestamptz) returns uuid
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    -- One for each tenant, whoever asks first.
    own_id constant uuid := encode(substring(sha256(convert_to('agents.server_endpoint|' || p_tenant_id, 'UTF8')) for 16), 'hex')::uuid;
begin
    insert into agents.endpoints (agent_id, tenant_id, hostname, device_name, status, created_at, kind)
    values (own_id, p_tenant_id, 'secureguard-server', 'SecureGuard server', 'inactive', p_at, 'server')
    on conflict (agent_id) do nothing;
    -- What findings about it lock. Nobody waits for its check-ins.
    insert into agents.heartbeats (agent_id, tenant_id, last_seen_at, online) values (own_id, p_tenant_id, p_at, false)
    on conflict (agent_id) do nothing;
    return own_id;
end
$$;
alter table agents.endpoints no force row level security;
alter table agents.heartbeats no force row level security;
update agents.endpoints e set kind = 'server'
where e.agent_id = encode(substring(sha256(convert_to('agents.server_endpoint|' || e.tenant_id, 'UTF8')) for 16), 'hex')::uuid;
insert into agents.heartbeats (agent_id, tenant_id, last_seen_at, online)
select e.agent_id, e.tenant_id, e.created_at, false from agents.endpoints e where e.kind = 'server'
on conflict (agent_id) do nothing;
alter table agents.heartbeats force row level security;
alter table agents.endpoints force row level security;

-- The server's own entry is nobody's endpoint, and takes no place in a subscription.
grant create on schema users to sg_auth;
set local role sg_auth;
create or replace function users.check_subscription(p_tenant uuid, p_resource text, p_added bigint) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    current record;
    allowed integer;
    used bigint;
begin
    for attempt in 1..2 loop
        select s.plan, s.status, users.subscription_is_live(s.status, s.trial_ends_at, s.period_end, clock_timestamp()) as is_live,
            case p_resource when 'endpoints' then coalesce(s.max_endpoints, p.max_endpoints) else coalesce(s.max_users, p.max_users) end
                as max_count
        into current
        from users.subscriptions s join users.plans p on p.plan = s.plan
        where s.tenant_id = p_tenant;
        if current.is_live is distinct from true then
            raise exception 'the subscription is %: no % can be added', coalesce(current.status, 'missing'), p_resource
                using errcode = 'SG002', constraint = 'subscriptions_status', detail = coalesce(current.status, 'missing'),
                    schema = 'users', table = 'subscriptions';
        end if;
        allowed := current.max_count;
        if allowed is null then
            return;
        end if;
        -- One check at a time. An update and not a lock alone: in a snapshot that is older than another's commit it fails instead of
        -- counting what was. Whoever waited here reads again what is allowed.
        if attempt = 1 then
            update users.subscriptions s set growth_checks = s.growth_checks + 1 where s.tenant_id = p_tenant;
        end if;
    end loop;
    if p_resource = 'endpoints' then
        select count(*) into used from agents.endpoints e
        where e.tenant_id = p_tenant and e.status <> 'decommissioned' and e.kind <> 'server';
    else
        select count(*) into used from users.users u where u.tenant_id = p_tenant and u.is_active;
    end if;
    if used > allowed then
        raise exception 'the subscription (%) allows % %, and % are in use', current.plan, allowed, p_resource, used - p_added
            using errcode = 'SG001', constraint = 'subscriptions_max_' || p_resource,
                detail = json_build_object('resource', p_resource, 'limit', allowed, 'used', used - p_added)::text,
                hint = 'take some out of use, or change the subscription', schema = 'users', table = 'subscriptions';
    end if;
end
$$;

create or replace function users.enforce_subscription() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    a_tenant record;
begin
    if tg_level = 'ROW' then
        perform users.check_subscription(new.tenant_id, tg_argv[0], 1);
    elsif tg_argv[0] = 'endpoints' then
        for a_tenant in
            select a.tenant_id, count(*) as rows from added a where a.status <> 'decommissioned' and a.kind <> 'server'
            group by a.tenant_id order by a.tenant_id
        loop
            perform users.check_subscription(a_tenant.tenant_id, 'endpoints', a_tenant.rows);
        end loop;
    else
        for a_tenant in
            select a.tenant_id, count(*) as rows from added a where a.is_active group by a.tenant_id order by a.tenant_id
        loop
            perform users.check_subscription(a_tenant.tenant_id, 'users', a_tenant.rows);
        end loop;
    end if;
    return null;
end
$$;

create or replace function users.subscription_of(p_tenant uuid, p_at timestamptz)
returns table (
    tenant_id uuid, plan text, plan_name text, status text, is_live boolean, trial_ends_at timestamptz, period_start timestamptz,
    period_end timestamptz, max_endpoints integer, max_users integer, retention_class smallint, own_max_endpoints integer,
    own_max_users integer, own_retention_class smallint, endpoints_used bigint, users_used bigint, updated_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select s.tenant_id, s.plan::text, p.name::text, s.status::text,
        users.subscription_is_live(s.status, s.trial_ends_at, s.period_end, p_at), s.trial_ends_at, s.period_start, s.period_end,
        coalesce(s.max_endpoints, p.max_endpoints), coalesce(s.max_users, p.max_users), coalesce(s.retention_class, p.retention_class),
        s.max_endpoints, s.max_users, s.retention_class,
        (select count(*) from agents.endpoints e where e.tenant_id = s.tenant_id and e.status <> 'decommissioned' and e.kind <> 'server'),
        (select count(*) from users.users u where u.tenant_id = s.tenant_id and u.is_active),
        s.updated_at
    from users.subscriptions s join users.plans p on p.plan = s.plan
    where s.tenant_id = p_tenant
$$;

set local role sg_owner;
revoke create on schema users from sg_auth;

alter table users.api_keys
    drop constraint api_keys_scopes_check,
    add constraint api_keys_scopes_check check (scopes <@ array['enrol', 'api', 'scim', 'events'] and cardinality(scopes) > 0) not valid;
alter table users.api_keys validate constraint api_keys_scopes_check;

-- From which networks somebody has signed in.
create index login_attempts_tenant_id_user_id_occurred_at_idx on only audit.login_attempts (tenant_id, user_id, occurred_at desc)
    where outcome = 'success';
-- What came since the last look, whichever tenant it is of.
create index login_attempts_occurred_at_idx on only audit.login_attempts (occurred_at);

insert into users.permissions (permission, description, least_role)
values ('events_send', 'Send events of log sources over the API.', 'manager');

-- Values of the placeholders that Sigma rules have expanded.
create table threats.placeholders (
    tenant_id uuid not null references users.tenants (tenant_id),
    name text not null,
    placeholder_values text[] not null,
    changed_at timestamptz not null,
    changed_by uuid,
    constraint placeholders_pkey primary key (tenant_id, name),
    constraint placeholders_name_check check (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$'),
    constraint placeholders_values_check check (cardinality(placeholder_values) between 1 and 500 and array_position(placeholder_values, null) is null),
    constraint placeholders_changed_at_check check (isfinite(changed_at)),
    constraint placeholders_changed_by_fkey foreign key (tenant_id, changed_by)
        references users.memberships (tenant_id, user_id) on delete set null (changed_by)
);
create index placeholders_tenant_id_changed_by_idx on threats.placeholders (tenant_id, changed_by);
comment on table threats.placeholders is 'What stands in the place of %name% in a tenant''s Sigma rules with expand.';
select users.enable_tenant_isolation('threats.placeholders');
-- Whoever knows the rules knows how to go around them.
create policy readers on threats.placeholders as restrictive for all to sg_app, sg_app_own using ((select users.context_holds('rules_read')));
grant select on threats.placeholders to sg_app, sg_backup;
grant select, insert, update, delete on threats.placeholders to sg_system, sg_admin;
create trigger record_row_change after insert or update or delete on threats.placeholders
    for each row execute function audit.record_row_change('name');
