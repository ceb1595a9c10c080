-- Finds what the stricter rules of the following steps would refuse in a database that was built from the document's printed DDL, repairs it by
-- the rules of docs/database.md, and reports each row. In a new database it finds nothing.

create table audit.adoption_report (
    entry_id bigint generated always as identity primary key,
    reported_at timestamptz not null default now(),
    table_name text not null,
    row_id text not null,
    problem text not null,
    repair text not null,
    -- The row as it was, secrets left out; a quarantined row can be put back from it by hand.
    before jsonb not null
);

-- One rule: reports the rows of `p_table` that match `p_bad`, then sets `p_set` on them; without `p_set` they are taken out (`p_delete`) or
-- stay as they are.
create function audit.adopt(p_table text, p_key text, p_bad text, p_problem text, p_repair text, p_set text, p_delete boolean default false)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format(
        'insert into audit.adoption_report (table_name, row_id, problem, repair, before)
         select %L, t.%I::text, %L, %L, to_jsonb(t) - array[''password_hash'', ''password_history'', ''key_hash'']
         from %s t where %s order by t.%2$I', p_table, p_key, p_problem, p_repair, p_table, p_bad);
    if p_delete then
        execute format('delete from %s t where %s', p_table, p_bad);
    elsif p_set is not null then
        execute format('update %s t set %s where %s', p_table, p_set, p_bad);
    end if;
end
$$;

-- What an earlier installation added to the documented tables stands in the way of the following steps, or would open what row security closes:
-- policies and grants of its own, triggers, rules, views, constraints. Each is reported with its definition and removed.
do $$
declare
    documented constant regclass[] := array['users.users', 'users.password_policies', 'users.api_keys', 'agents.endpoints',
        'agents.system_info', 'threats.incidents']::regclass[];
    own_names constant text[] := array['users_tenant_id_fkey', 'users_tenant_id_user_id_key', 'password_policies_tenant_id_fkey',
        'password_policies_tenant_id_key', 'api_keys_tenant_id_key_id_key', 'api_keys_key_hash_key', 'endpoints_tenant_id_fkey',
        'endpoints_tenant_id_agent_id_key', 'incidents_tenant_id_threat_id_key'];
    found record;
begin
    for found in select c.oid::regclass as name from pg_class c where c.oid = any (documented) loop
        execute format('alter table %s disable row level security, no force row level security', found.name);
    end loop;
    for found in
        select 'policy' as kind, p.polrelid::regclass::text as of_table, p.polname::text as name,
            format('drop policy %I on %s', p.polname, p.polrelid::regclass) as removal,
            jsonb_build_object('command', p.polcmd, 'permissive', p.polpermissive, 'using', pg_get_expr(p.polqual, p.polrelid),
                'with_check', pg_get_expr(p.polwithcheck, p.polrelid)) as before, 0 as depth
        from pg_policy p where p.polrelid = any (documented)
        union all
        select 'trigger', t.tgrelid::regclass::text, t.tgname, format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass),
            jsonb_build_object('definition', pg_get_triggerdef(t.oid)), 0
        from pg_trigger t where t.tgrelid = any (documented) and not t.tgisinternal
        union all
        select 'rule', r.ev_class::regclass::text, r.rulename, format('drop rule %I on %s', r.rulename, r.ev_class::regclass),
            jsonb_build_object('definition', pg_get_ruledef(r.oid)), 0
        from pg_rewrite r where r.ev_class = any (documented)
        union all
        select 'constraint', c.conrelid::regclass::text, c.conname,
            format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname),
            jsonb_build_object('definition', pg_get_constraintdef(c.oid)), 0
        from pg_constraint c
        where c.conrelid = any (documented)
            and (c.contype = 'x' or (c.contype in ('u', 'f') and c.conname = any (own_names))
                or (c.contype = 'c' and c.conname not in ('incidents_severity_check', 'incidents_status_check')))
        union all
        select 'view', format('%I.%I', n.nspname, c.relname), format('%I.%I', n.nspname, c.relname),
            format('drop %s %I.%I', case c.relkind when 'm' then 'materialized view' else 'view' end, n.nspname, c.relname),
            jsonb_build_object('definition', pg_get_viewdef(v.view_oid)), v.depth
        from (
            with recursive dependent as (
                select r.ev_class as view_oid, 1 as depth
                from pg_depend d join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
                where d.refclassid = 'pg_class'::regclass and d.refobjid = any (documented) and r.ev_class <> all (documented)
                union
                select r.ev_class, p.depth + 1
                from dependent p
                join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = p.view_oid
                join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
                where r.ev_class <> p.view_oid
            )
            select view_oid, max(depth) as depth from dependent group by view_oid) v
        join pg_class c on c.oid = v.view_oid
        join pg_namespace n on n.oid = c.relnamespace
        -- A view on a view goes first.
        order by depth desc, 1, 2, 3
    loop
        insert into audit.adoption_report (table_name, row_id, problem, repair, before)
        values (found.of_table, found.name, 'a ' || found.kind || ' beyond the documented schema', 'removed; its definition is kept here',
            found.before);
        execute found.removal;
    end loop;
    for found in
        select a.of_table, a.grantee, string_agg(distinct a.privilege, ', ' order by a.privilege) as privileges
        from (
            select c.oid::regclass::text as of_table, x.grantee, x.privilege_type as privilege
            from pg_class c cross join lateral aclexplode(c.relacl) x where c.oid = any (documented) and x.grantee <> c.relowner
            union all
            select c.oid::regclass::text, x.grantee, x.privilege_type || ' (' || a.attname || ')'
            from pg_class c join pg_attribute a on a.attrelid = c.oid cross join lateral aclexplode(a.attacl) x
            where c.oid = any (documented) and x.grantee <> c.relowner) a
        group by a.of_table, a.grantee
    loop
        insert into audit.adoption_report (table_name, row_id, problem, repair, before)
        values (found.of_table, case found.grantee when 0 then 'public' else pg_get_userbyid(found.grantee) end,
            'privileges of another role', 'revoked', jsonb_build_object('privileges', found.privileges));
        execute format('revoke all on %s from %s', found.of_table,
            case found.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(found.grantee)) end);
    end loop;
    for found in
        select p.oid::regprocedure as of_function, x.grantee
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace cross join lateral aclexplode(p.proacl) x
        where n.nspname = 'users' and p.proname in ('validate_password_strength', 'handle_failed_login', 'handle_successful_login')
            and x.grantee not in (0, p.proowner)
    loop
        insert into audit.adoption_report (table_name, row_id, problem, repair, before)
        values (found.of_function::text, pg_get_userbyid(found.grantee), 'privileges of another role', 'revoked',
            jsonb_build_object('privileges', 'EXECUTE'));
        execute format('revoke all on function %s from %I', found.of_function, pg_get_userbyid(found.grantee));
    end loop;
    for found in
        select n.nspname, x.grantee, string_agg(x.privilege_type, ', ' order by x.privilege_type) as privileges
        from pg_namespace n cross join lateral aclexplode(n.nspacl) x
        where n.nspname in ('users', 'agents', 'threats', 'audit') and x.grantee <> n.nspowner
        group by n.nspname, x.grantee
    loop
        insert into audit.adoption_report (table_name, row_id, problem, repair, before)
        values (found.nspname, case found.grantee when 0 then 'public' else pg_get_userbyid(found.grantee) end,
            'privileges of another role', 'revoked', jsonb_build_object('privileges', found.privileges));
        execute format('revoke all on schema %I from %s', found.nspname,
            case found.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(found.grantee)) end);
    end loop;
end
$$;

-- Times that no calendar in use can show: infinity, before the year 1 or after 9999.
do $$
declare
    found record;
begin
    for found in
        select format('%I.%I', c.table_schema, c.table_name) as of_table, c.column_name,
            case c.table_name when 'users' then 'user_id' when 'password_policies' then 'policy_id' when 'api_keys' then 'key_id'
                when 'endpoints' then 'agent_id' when 'system_info' then 'info_id' else 'threat_id' end as key
        from information_schema.columns c
        where (c.table_schema, c.table_name) in (('users', 'users'), ('users', 'password_policies'), ('users', 'api_keys'),
                ('agents', 'endpoints'), ('agents', 'system_info'), ('threats', 'incidents'))
            and c.data_type = 'timestamp with time zone'
        order by 1, c.column_name
    loop
        perform audit.adopt(found.of_table, found.key,
            format('(t.%1$I < ''0001-01-01 00:00:00+00'' or t.%1$I > ''9999-12-31 23:59:59+00'')', found.column_name),
            found.column_name || ' lies outside the years 1 to 9999', 'set to the nearest time within them',
            format('%1$I = greatest(least(t.%1$I, ''9999-12-31 23:59:59+00''), ''0001-01-01 00:00:00+00'')', found.column_name));
    end loop;
end
$$;

-- Tenants.
select audit.adopt('users.users', 'user_id', $$t.tenant_id is null or t.tenant_id = '00000000-0000-0000-0000-000000000000'$$,
    'no tenant', 'put into the default tenant', $$tenant_id = '00000000-0000-0000-0000-000000000001'$$);

-- References to rows that do not exist, as a restore without constraints leaves them.
select audit.adopt('agents.endpoints', 'agent_id',
    't.user_id is not null and not exists (select 1 from users.users u where u.user_id = t.user_id)',
    'user_id points nowhere', 'cleared', 'user_id = null');
select audit.adopt('agents.endpoints', 'agent_id',
    't.registered_via_key_id is not null and not exists (
        select 1 from users.api_keys k join users.users u on u.user_id = k.user_id where k.key_id = t.registered_via_key_id)',
    'registered_via_key_id points nowhere', 'cleared', 'registered_via_key_id = null');
select audit.adopt('users.api_keys', 'key_id', 'not exists (select 1 from users.users u where u.user_id = t.user_id)',
    'its user does not exist', 'quarantined: kept in this report only', null, true);
select audit.adopt('agents.system_info', 'info_id', 'not exists (select 1 from agents.endpoints e where e.agent_id = t.agent_id)',
    'its endpoint does not exist', 'quarantined: kept in this report only', null, true);
select audit.adopt('threats.incidents', 'threat_id', 'not exists (select 1 from agents.endpoints e where e.agent_id = t.agent_id)',
    'its endpoint does not exist', 'quarantined: kept in this report only', null, true);
select audit.adopt('threats.incidents', 'threat_id',
    't.assigned_to is not null and not exists (select 1 from users.users u where u.user_id = t.assigned_to)',
    'assigned_to points nowhere', 'cleared', 'assigned_to = null');
select audit.adopt('threats.incidents', 'threat_id',
    't.resolved_by is not null and not exists (select 1 from users.users u where u.user_id = t.resolved_by)',
    'resolved_by points nowhere', 'cleared', 'resolved_by = null');

select audit.adopt('agents.endpoints', 'agent_id', $$t.tenant_id is null or t.tenant_id = '00000000-0000-0000-0000-000000000000'$$,
    'no tenant', 'put into the tenant of its user, else of its key''s user, else into the default tenant',
    $$tenant_id = coalesce(
        (select u.tenant_id from users.users u where u.user_id = t.user_id),
        (select u.tenant_id from users.api_keys k join users.users u on u.user_id = k.user_id where k.key_id = t.registered_via_key_id),
        '00000000-0000-0000-0000-000000000001')$$);

with used as (
    select u.tenant_id, 'users' as kind from users.users u
    union all
    select e.tenant_id, 'endpoints' from agents.endpoints e
), missing as (
    select u.tenant_id, count(*) filter (where u.kind = 'users') as users, count(*) filter (where u.kind = 'endpoints') as endpoints
    from used u where not exists (select 1 from users.tenants t where t.tenant_id = u.tenant_id) group by u.tenant_id
), created as (
    insert into users.tenants (tenant_id, name, slug) select m.tenant_id, m.tenant_id::text, m.tenant_id::text from missing m
)
insert into audit.adoption_report (table_name, row_id, problem, repair, before)
select 'users.tenants', m.tenant_id::text, 'tenant_id is in use, but nothing says which tenant it is', 'tenant created, named after its id',
    jsonb_build_object('users', m.users, 'endpoints', m.endpoints)
from missing m order by m.tenant_id;

-- users.users
select audit.adopt('users.users', 'user_id', $$t.username !~ '\S'$$, 'username is blank', 'renamed to user-<user_id>',
    $$username = 'user-' || t.user_id$$);
select audit.adopt('users.users', 'user_id', $$t.email !~ '\S'$$, 'email is blank', 'set to <user_id>@adopted.invalid',
    $$email = t.user_id || '@adopted.invalid'$$);

-- The oldest keeps the name; a later one gets the beginning of its id, the whole of it where that is taken.
do $$
declare
    person record;
    new_name text;
begin
    for person in
        select d.user_id, d.username from (
            select u.user_id, u.username, row_number() over (partition by lower(u.username) order by u.created_at, u.user_id) as place
            from users.users u) d
        where d.place > 1 order by d.user_id
    loop
        new_name := left(person.username, 41) || '-' || left(person.user_id::text, 8);
        if exists (select 1 from users.users u where lower(u.username) = lower(new_name)) then
            new_name := left(person.username, 13) || '-' || person.user_id;
        end if;
        perform audit.adopt('users.users', 'user_id', format('t.user_id = %L', person.user_id),
            'username differs from an older user''s by case only', format('renamed to %s', new_name), format('username = %L', new_name));
    end loop;
    for person in
        select d.user_id, d.email from (
            select u.user_id, u.email, row_number() over (partition by lower(u.email) order by u.created_at, u.user_id) as place
            from users.users u) d
        where d.place > 1 order by d.user_id
    loop
        -- A tag before the @ keeps mail to the address within the same mailbox.
        new_name := case when person.email like '%@%'
            then regexp_replace(person.email, '@([^@]*)$', '+' || left(person.user_id::text, 8) || '@\1')
            else person.email || '+' || left(person.user_id::text, 8) end;
        if length(new_name) > 255 or exists (select 1 from users.users u where lower(u.email) = lower(new_name)) then
            new_name := person.user_id || '@adopted.invalid';
        end if;
        perform audit.adopt('users.users', 'user_id', format('t.user_id = %L', person.user_id),
            'email differs from an older user''s by case only', format('changed to %s', new_name), format('email = %L', new_name));
    end loop;
end
$$;

select audit.adopt('users.users', 'user_id', $$t.role not in ('user', 'manager', 'admin', 'system_admin')$$,
    'role is not one of the four', 'set to user, the least of them', $$role = 'user'$$);
select audit.adopt('users.users', 'user_id', 't.failed_login_attempts is null or t.failed_login_attempts < 0',
    'failed_login_attempts is null or negative', 'set to 0', 'failed_login_attempts = 0');
select audit.adopt('users.users', 'user_id', $$t.password_history is null or jsonb_typeof(t.password_history) <> 'array'$$,
    'password_history is not a list', 'emptied', $$password_history = '[]'$$);
select audit.adopt('users.users', 'user_id', $$jsonb_path_exists(t.password_history, '$[*] ? (@.type() != "string")')$$,
    'password_history holds entries that are not hashes', 'those entries taken out',
    $$password_history = jsonb_path_query_array(t.password_history, '$[*] ? (@.type() == "string")')$$);

-- users.password_policies: one policy ruled all; the newest one stays.
select audit.adopt('users.password_policies', 'policy_id',
    't.policy_id <> (select p.policy_id from users.password_policies p order by p.updated_at desc, p.created_at desc, p.policy_id limit 1)',
    'one of several policies, and not the one that was changed last', 'quarantined: kept in this report only', null, true);
select audit.adopt('users.password_policies', 'policy_id', format('t.%1$I not between %2$s and %3$s', name, lowest, highest),
    name || ' is out of range', 'set to the nearest value within it',
    format('%1$I = greatest(least(t.%1$I, %3$s), %2$s)', name, lowest, highest))
from (values ('min_length', 8, 128), ('max_age_days', 0, 3650), ('history_count', 0, 24), ('max_failed_attempts', 1, 100),
    ('lockout_duration_minutes', 1, 1440)) as limits (name, lowest, highest);

-- users.api_keys
select audit.adopt('users.api_keys', 'key_id', $$t.key_hash ~ '^[0-9A-Fa-f]{64}$' and t.key_hash <> lower(t.key_hash)$$,
    'key_hash is written in capitals', 'written in small letters', 'key_hash = lower(t.key_hash)');
select audit.adopt('users.api_keys', 'key_id', $$t.key_hash !~ '^[0-9a-f]{64}$'$$,
    'key_hash is not a SHA-256 in hex, so the key never signs in', 'kept; give its user a new key',
    $$key_hash = case when octet_length(t.key_hash) > 1000 then 'unusable:' || t.key_id else t.key_hash end$$);
select audit.adopt('users.api_keys', 'key_id',
    'exists (select 1 from users.api_keys k where k.key_hash = t.key_hash and (k.created_at, k.key_id) < (t.created_at, t.key_id))',
    'key_hash equals an older key''s', 'switched off; the older one keeps the hash',
    $$is_active = false, key_hash = 'duplicate:' || t.key_id$$);

-- agents.endpoints
select audit.adopt('agents.endpoints', 'agent_id',
    $$exists (select 1 from users.api_keys k join users.users u on u.user_id = k.user_id
        where k.key_id = t.registered_via_key_id and u.tenant_id <> t.tenant_id)$$,
    'registered with a key of another tenant', 'registered_via_key_id cleared', 'registered_via_key_id = null');
select audit.adopt('agents.endpoints', 'agent_id', 't.status is null', 'status is null', 'set to active', $$status = 'active'$$);
select audit.adopt('agents.endpoints', 'agent_id', $$t.status not in ('active', 'inactive', 'decommissioned')$$,
    'status is not one of active, inactive, decommissioned', 'set to inactive', $$status = 'inactive'$$);
select audit.adopt('agents.endpoints', 'agent_id', 't.heartbeat_interval is null or t.heartbeat_interval not between 1 and 86400',
    'heartbeat_interval is null or not within 1 and 86400 s', 'set to 300', 'heartbeat_interval = 300');
select audit.adopt('agents.endpoints', 'agent_id', 'octet_length(t.hardware_fingerprint) > 1000',
    'hardware_fingerprint is too long for an index', 'replaced by its SHA-256',
    $$hardware_fingerprint = 'sha256:' || encode(sha256(convert_to(t.hardware_fingerprint, 'UTF8')), 'hex')$$);

-- threats.incidents
select audit.adopt('threats.incidents', 'threat_id', 't.status is null', 'status is null', 'set to new', $$status = 'new'$$);
select audit.adopt('threats.incidents', 'threat_id', format('t.%I not between 0 and 1', name), name || ' is not within 0 and 1', 'cleared',
    format('%I = null', name))
from unnest(array['confidence_score', 'false_positive_likelihood']) name;

-- agents.system_info: PostgreSQL sorts NaN above every number, so that the ranges leave it out.
select audit.adopt('agents.system_info', 'info_id', format('t.%I not between 0 and %s', name, highest), name || ' is not a possible measure',
    'cleared', format('%I = null', name))
from (values ('cpu_usage', '1000000'), ('memory_usage', '100'), ('disk_usage', '100'), ('uptime', '9223372036854775807'),
    ('process_count', '2147483647')) as limits (name, highest);
-- Its rows move to a partitioned table, which has the documented columns only.
select audit.adopt('agents.system_info', 'info_id', format('t.%I is not null', c.column_name),
    'column ' || c.column_name || ' is not a documented one', 'its value is kept in this report only', null)
from information_schema.columns c
where c.table_schema = 'agents' and c.table_name = 'system_info'
    and c.column_name not in ('info_id', 'agent_id', 'cpu_usage', 'memory_usage', 'disk_usage', 'network_usage', 'uptime', 'process_count',
        'service_status', 'collected_at');

drop function audit.adopt(text, text, text, text, text, text, boolean);
