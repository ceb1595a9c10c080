-- A tenant context that costs next to nothing to ask. PostgreSQL lets nobody declare a parameter that only some may set, but it has parameters that
-- only superusers may set, and since version 15 others to whom one is granted. Of those, backtrace_functions takes free text and does nothing with
-- names that no C function has. roles.sql grants it to sg_auth alone where a superuser migrates: what open_context writes there needs no seal.
-- Elsewhere the sealed setting stays in use.

-- A body that is parsed when the function is made depends on no search path, and is the only kind that the planner takes into a statement.
create or replace function users.refuse_loose_function() returns event_trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    loose text;
begin
    select c.object_identity into loose
    from pg_event_trigger_ddl_commands() c
    join pg_proc p on c.classid = 'pg_proc'::regclass and p.oid = c.objid
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
        and not coalesce(p.proconfig @> array['search_path=pg_catalog, pg_temp'], false)
        and (p.prosqlbody is null or p.prosecdef)
    limit 1;
    if found then
        raise exception 'function % is refused: it has no fixed search_path, as every function of SecureGuard has', loose
            using errcode = 'invalid_function_definition',
                hint = 'The functions that the schema document prints exist already, in a form that does what the document describes: leave '
                    'them as they are. Put a function of your own into a schema of your own.';
    end if;
end
$$;

grant create on schema users to sg_auth;
set local role sg_auth;
create or replace function users.verified_claims() returns text[]
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare
    given constant text := current_setting('sg.context', true);
    -- The seal is a bar and 64 hexadecimal digits.
    claims constant text := left(given, -65);
begin
    if given is null or given = '' then
        return null;
    end if;
    -- Hashing both sides makes the time of the comparison tell nothing about the seal.
    if sha256(convert_to(right(given, 65), 'UTF8')) = sha256(convert_to('|' || encode(users.context_mac(claims), 'hex'), 'UTF8')) then
        return string_to_array(claims, '|');
    end if;
    return null;
end
$$;
grant execute on function users.verified_claims() to sg_app, sg_system, sg_admin;

-- Each of these stands in the statement itself instead of being called. Where sg_auth has the parameter, `migrate` puts it in the place of the seal.
create or replace function users.current_tenant() returns uuid language sql stable parallel restricted
return (users.verified_claims())[1]::uuid;
create or replace function users.current_user_id() returns uuid language sql stable parallel restricted
return (users.verified_claims())[2]::uuid;
create or replace function users.current_scope() returns text language sql stable parallel restricted
return (users.verified_claims())[3];
create function users.sees_whole_tenant() returns boolean language sql stable parallel restricted
return (users.verified_claims())[3] = 'tenant';
create or replace function users.current_member_role() returns text language sql stable parallel restricted
return (users.verified_claims())[4];
create function users.current_retention_class() returns smallint language sql stable parallel restricted
return (users.verified_claims())[5]::smallint;

create or replace function users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamptz) returns uuid
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    caller record;
    claims text;
begin
    select c.tenant_id, c.user_id, c.role, c.scope, t.retention_class into caller
    from users.find_caller(p_kind, p_hash, p_tenant, p_at) c join users.tenants t on t.tenant_id = c.tenant_id;
    if has_parameter_privilege('backtrace_functions', 'set') then
        -- It takes letters, digits, underscores and commas.
        perform set_config(
            'backtrace_functions',
            case when caller.tenant_id is null then '' else concat_ws(
                ',', 'sg_context', replace(caller.tenant_id::text, '-', ''), replace(caller.user_id::text, '-', ''), caller.scope,
                encode(convert_to(caller.role, 'UTF8'), 'hex'), caller.retention_class) end,
            true);
    elsif caller.tenant_id is null then
        perform set_config('sg.context', '', true);
    else
        claims := concat_ws('|', caller.tenant_id, caller.user_id, caller.scope, caller.role, caller.retention_class);
        perform set_config('sg.context', claims || '|' || encode(users.context_mac(claims), 'hex'), true);
    end if;
    return caller.tenant_id;
end
$$;
revoke all on function users.sees_whole_tenant(), users.current_retention_class() from public;
grant execute on function users.sees_whole_tenant(), users.current_retention_class() to sg_app, sg_system, sg_admin;
comment on function users.sees_whole_tenant() is 'Whether the opened context sees all of its tenant; null when none is open.';
comment on function users.current_retention_class() is 'For how many days the tenant of the opened context keeps its time series; null when none is open.';
set local role sg_owner;
revoke create on schema users from sg_auth;

-- People of other tenants who may work in this one, for the same reason as below.
create function users.list_guests() returns uuid[]
language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(m.user_id), '{}')
    from users.memberships m join users.users u on u.user_id = m.user_id
    where m.tenant_id = users.current_tenant() and u.tenant_id <> m.tenant_id
$$;
comment on function users.list_guests() is 'The people of other tenants who have, or had, access to the tenant of the opened context.';
revoke all on function users.list_guests() from public;
grant execute on function users.list_guests() to sg_app;
grant create on schema users to sg_auth;
alter function users.list_guests() owner to sg_auth;
revoke create on schema users from sg_auth;

-- Whose scope is their own sees what their endpoints tell. The list is made once for a statement, and only for them: a query in the policy brought the
-- policies of agents.endpoints into the plan of everybody's statements, once for each table.
create function agents.own_endpoints() returns uuid[]
language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(e.agent_id), '{}')
    from agents.endpoints e
    where e.tenant_id = users.current_tenant() and e.user_id = users.current_user_id()
$$;
comment on function agents.own_endpoints() is 'The endpoints that belong to the user of the open context.';
revoke all on function agents.own_endpoints() from public;
grant execute on function agents.own_endpoints() to sg_app;
grant create on schema agents to sg_auth;
alter function agents.own_endpoints() owner to sg_auth;
revoke create on schema agents from sg_auth;
do $$
declare
    narrowed record;
begin
    for narrowed in
        select c.oid::regclass as place,
            case when e.condition like '%FROM agents.endpoints e%'
                then '(select users.sees_whole_tenant()) or agent_id = any ((select agents.own_endpoints())::uuid[])'
                else replace(
                    e.condition, '(( SELECT users.current_scope() AS current_scope) = ''tenant''::text)', '(select users.sees_whole_tenant())')
                end as condition
        from pg_policy p
        join pg_class c on c.oid = p.polrelid
        cross join lateral (select pg_get_expr(p.polqual, p.polrelid) as condition) e
        where p.polname = 'own_scope'
        -- Each is locked from here to the end: those that every check-in and every request needs come last.
        order by c.oid::regclass::text in ('agents.agent_tokens', 'agents.endpoints', 'agents.events', 'agents.heartbeats', 'agents.streams',
            'agents.system_info', 'threats.findings', 'threats.incidents'), 1
    loop
        execute format('alter policy own_scope on %s using (%s)', narrowed.place, narrowed.condition);
    end loop;
end
$$;

-- As the others are worded.
update users.permissions set description = upper(left(description, 1)) || substr(description, 2) || '.'
where permission in ('alerts_read', 'alerts_manage', 'holds_manage') and description not like '%.';

-- Every sign-in needs this one.
alter policy member_visibility on users.users using (user_id = any ((select users.list_guests())::uuid[]));
