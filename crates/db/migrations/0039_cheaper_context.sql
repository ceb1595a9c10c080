-- What a policy asks is prepared and run once for each table of a statement, so that each call and each question less shows.

-- The tenant stands at the end and what the caller sees at the beginning, besides where they were: a function of before reads the context as well.
grant create on schema users to sg_auth;
set local role sg_auth;
create or replace function users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamptz) returns uuid
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    caller record;
    claims text;
begin
    select c.tenant_id, c.user_id, c.role, c.scope, t.retention_class, replace(c.tenant_id::text, '-', '') as tenant into caller
    from users.find_caller(p_kind, p_hash, p_tenant, p_at) c join users.tenants t on t.tenant_id = c.tenant_id;
    if has_parameter_privilege('backtrace_functions', 'set') then
        -- It takes letters, digits, underscores and commas.
        perform set_config(
            'backtrace_functions',
            case when caller.tenant_id is null then '' else concat_ws(
                ',', case caller.scope when 'tenant' then 'sg_whole' else 'sg_own' end, 'sg_context', caller.tenant,
                replace(caller.user_id::text, '-', ''), caller.scope, encode(convert_to(caller.role, 'UTF8'), 'hex'), caller.retention_class,
                caller.scope, 'sg_tenant', caller.tenant) end,
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
-- As with the others, `migrate` puts the parameter in the place of the seal where sg_auth has it.
create function users.whole_tenant() returns uuid language sql stable parallel restricted
return case when users.sees_whole_tenant() then users.current_tenant() end;
revoke all on function users.whole_tenant() from public;
grant execute on function users.whole_tenant() to sg_app, sg_system, sg_admin;
comment on function users.whole_tenant() is 'The tenant of the opened context, for who sees all of it; else null.';
comment on function users.sees_whole_tenant() is 'Whether the opened context sees all of its tenant; never true when none is open.';
set local role sg_owner;
revoke create on schema users from sg_auth;

-- Who does not see the whole tenant reads none of the log. A policy that asks that alone is a gate before the scan of each partition; asked together
-- with the tenant it is a part of the search.
do $$
declare
    a_table text;
begin
    foreach a_table in array array['audit.login_attempts', 'audit.row_changes', 'audit.events'] loop
        execute format('alter policy tenant_isolation on %s using (tenant_id = (select users.whole_tenant()))', a_table);
        execute format('drop policy own_scope on %s', a_table);
    end loop;
end
$$;
