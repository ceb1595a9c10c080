--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: agents; Type: SCHEMA; Schema: -; Owner: sg_owner
--

CREATE SCHEMA agents;

ALTER SCHEMA agents OWNER TO sg_owner;

--
-- Name: audit; Type: SCHEMA; Schema: -; Owner: sg_owner
--

CREATE SCHEMA audit;

ALTER SCHEMA audit OWNER TO sg_owner;

--
-- Name: threats; Type: SCHEMA; Schema: -; Owner: sg_owner
--

CREATE SCHEMA threats;

ALTER SCHEMA threats OWNER TO sg_owner;

--
-- Name: users; Type: SCHEMA; Schema: -; Owner: sg_owner
--

CREATE SCHEMA users;

ALTER SCHEMA users OWNER TO sg_owner;

--
-- Name: create_partition(text, text, date); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.create_partition(p_parent text, p_period text, p_day date) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
    lower_bound timestamptz := date_trunc(p_period, p_day::timestamp) at time zone 'UTC';
    upper_bound timestamptz := (date_trunc(p_period, p_day::timestamp) + ('1 ' || p_period)::interval) at time zone 'UTC';
    partition_name text := p_parent || '_' || to_char(lower_bound at time zone 'UTC', 'YYYYMMDD');
    default_partition text := p_parent || '_default';
    strays text := format('%1$I >= %2$L and %1$I < %3$L', agents.partition_column(p_parent), lower_bound, upper_bound);
    has_strays boolean := false;
begin
    if to_regclass(partition_name) is not null then
        return false;
    end if;
    -- Rows that came before their partition wait in the default one, and the partition cannot be made beside them: they step aside first. Row
    -- security is lifted for the owner, and the refusal of deletes for this move, while nobody else reaches the table: its lock lasts until the
    -- commit. They come back by insert, since a partition that is attached with rows has its foreign keys checked under row security.
    if to_regclass(default_partition) is not null then
        execute format('lock table %s in access exclusive mode', default_partition);
        execute format('alter table %s no force row level security', default_partition);
        execute format('select exists (select from %s where %s)', default_partition, strays) into has_strays;
        if has_strays then
            execute format('create table agents.strays (like %s)', p_parent);
            execute format('alter table %s disable trigger user', default_partition);
            execute format('with moved as (delete from %s where %s returning *) insert into agents.strays select * from moved',
                default_partition, strays);
            execute format('alter table %s enable trigger user', default_partition);
        end if;
        execute format('alter table %s force row level security', default_partition);
    end if;
    execute format('create table %s partition of %s for values from (%L) to (%L)', partition_name, p_parent, lower_bound, upper_bound);
    if has_strays then
        execute format('insert into %s select * from agents.strays', partition_name);
        drop table agents.strays;
    end if;
    -- Whoever were granted a partition directly would meet no policy of the parent: with row security on and no policy they read nothing.
    execute format('alter table %s enable row level security, force row level security', partition_name);
    -- A statement trigger of the parent does not see a truncate of the partition.
    if p_parent like 'audit.%' and to_regprocedure('audit.refuse_change()') is not null then
        execute format('create trigger refuse_truncate before truncate on %s execute function audit.refuse_change()', partition_name);
    end if;
    return true;
end
$_$;

ALTER FUNCTION agents.create_partition(p_parent text, p_period text, p_day date) OWNER TO sg_owner;

--
-- Name: drop_expired_partitions(timestamp with time zone); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.drop_expired_partitions(p_at timestamp with time zone) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
    expired record;
begin
    perform pg_advisory_xact_lock(hashtextextended('agents.ensure_partitions', 0));
    for expired in
        select i.inhrelid::regclass::text as partition_name
        from agents.partition_schemes s
        join pg_inherits i on i.inhparent = to_regclass(s.parent_table)
        join pg_class c on c.oid = i.inhrelid
        where s.keep_days is not null and c.relname ~ '_[0-9]{8}$'
            and to_date(right(c.relname, 8), 'YYYYMMDD') + ('1 ' || s.period)::interval
                < (p_at at time zone 'UTC') - make_interval(days => s.keep_days)
        order by 1
    loop
        execute format('drop table %s', expired.partition_name);
        return next expired.partition_name;
    end loop;
end
$_$;

ALTER FUNCTION agents.drop_expired_partitions(p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: ensure_partitions(timestamp with time zone, integer); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.ensure_partitions(p_at timestamp with time zone, p_days_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    scheme record;
    created integer := 0;
    first_day date := (p_at at time zone 'UTC')::date - 2;
    last_day date := (p_at at time zone 'UTC')::date + p_days_ahead;
    a_day date;
begin
    -- One node at a time; a second one waits and finds the work done.
    perform pg_advisory_xact_lock(hashtextextended('agents.ensure_partitions', 0));
    for scheme in select s.parent_table, s.period from agents.partition_schemes s order by s.parent_table loop
        for a_day in
            select distinct date_trunc(scheme.period, d)::date
            from generate_series(first_day::timestamp, last_day::timestamp, interval '1 day') d
        loop
            created := created + agents.create_partition(scheme.parent_table, scheme.period, a_day)::integer;
        end loop;
    end loop;
    return created;
end
$$;

ALTER FUNCTION agents.ensure_partitions(p_at timestamp with time zone, p_days_ahead integer) OWNER TO sg_owner;

--
-- Name: partition_column(text); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.partition_column(p_parent text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select a.attname::text
    from pg_partitioned_table p join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
    where p.partrelid = to_regclass(p_parent)
$$;

ALTER FUNCTION agents.partition_column(p_parent text) OWNER TO sg_owner;

--
-- Name: record_row_change(); Type: FUNCTION; Schema: audit; Owner: sg_auth
--

CREATE FUNCTION audit.record_row_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    secrets constant text[] := array['password_hash', 'password_history', 'key_hash', 'token_hash'];
    volatile_columns constant text[] := tg_argv[1:];
    old_row jsonb;
    new_row jsonb;
    before jsonb;
    after jsonb;
    whole jsonb;
begin
    if tg_op <> 'INSERT' then
        old_row := to_jsonb(old);
    end if;
    if tg_op <> 'DELETE' then
        new_row := to_jsonb(new);
    end if;
    whole := coalesce(new_row, old_row);
    if tg_op = 'UPDATE' then
        select jsonb_object_agg(o.key, case when o.key = any (secrets) then '"(secret)"'::jsonb else o.value end),
            jsonb_object_agg(o.key, case when o.key = any (secrets) then '"(secret)"'::jsonb else n.value end)
        into before, after
        from jsonb_each(old_row) o join jsonb_each(new_row) n on n.key = o.key
        where o.value is distinct from n.value and o.key <> 'updated_at' and not o.key = any (volatile_columns);
        if before is null then
            return null;
        end if;
    else
        before := old_row - secrets - volatile_columns;
        after := new_row - secrets - volatile_columns;
    end if;
    insert into audit.row_changes (tenant_id, table_name, operation, row_id, before, after)
    values (
        (whole ->> 'tenant_id')::uuid, tg_table_schema || '.' || tg_table_name, lower(tg_op), whole ->> tg_argv[0], before, after);
    return null;
end
$$;

ALTER FUNCTION audit.record_row_change() OWNER TO sg_auth;

--
-- Name: refuse_change(); Type: FUNCTION; Schema: audit; Owner: sg_owner
--

CREATE FUNCTION audit.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    raise exception 'audit records are append-only: % on %.% is refused', lower(tg_op), tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;

ALTER FUNCTION audit.refuse_change() OWNER TO sg_owner;

--
-- Name: authenticate(text, bytea, uuid, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) RETURNS TABLE(tenant_id uuid, user_id uuid, username text, full_name text, role text, home_tenant_id uuid, credential_id uuid, scopes text[], must_change_password boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    -- As in find_caller: times in the past, each a little later, do not walk an idle session back to life.
    p_now timestamptz := greatest(p_at, clock_timestamp() - interval '1 minute');
begin
    -- Idle time is kept to the minute, so that a busy session does not write at each request.
    if p_kind = 'session' then
        update users.sessions s set last_seen_at = p_now
        where s.token_hash = p_hash and s.ended_at is null and s.last_seen_at < p_now - interval '1 minute'
            and s.last_seen_at + make_interval(secs => s.idle_seconds) > p_now;
    end if;
    return query select * from users.find_caller(p_kind, p_hash, p_tenant, p_at);
end
$$;

ALTER FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: begin_login_attempt(text, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.begin_login_attempt(p_username text, p_at timestamp with time zone) RETURNS TABLE(allowed boolean, user_id uuid, tenant_id uuid, username text, password_hash text, is_active boolean, locked_until timestamp with time zone, locked_now boolean, must_change_password boolean, role text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    person record;
    max_attempts integer;
    lock_minutes integer;
    attempts integer;
    new_lock timestamptz;
begin
    select u.user_id, u.tenant_id, u.username, u.password_hash, u.is_active, u.account_locked_until, u.failed_login_attempts,
        u.must_change_password, u.password_last_changed, u.role
    into person
    from users.users u where lower(u.username) = lower(p_username) for no key update;
    if not found then
        return;
    end if;
    if person.account_locked_until > p_at then
        return query select false, person.user_id, person.tenant_id, person.username::text, person.password_hash, person.is_active,
            person.account_locked_until, false, person.must_change_password, person.role::text;
        return;
    end if;
    select p.max_failed_attempts, p.lockout_duration_minutes into max_attempts, lock_minutes
    from users.password_policies p where p.tenant_id = person.tenant_id;
    -- The documented defaults: no policy row never means no lockout.
    max_attempts := coalesce(max_attempts, 5);
    lock_minutes := coalesce(lock_minutes, 30);
    attempts := case when person.account_locked_until is not null then 1 else least(person.failed_login_attempts, 1000000) + 1 end;
    new_lock := case when attempts >= max_attempts then p_at + make_interval(mins => lock_minutes) end;
    update users.users u
    set failed_login_attempts = attempts, last_failed_login = p_at, account_locked_until = new_lock
    where u.user_id = person.user_id;
    return query select true, person.user_id, person.tenant_id, person.username::text, person.password_hash, person.is_active,
        new_lock, new_lock is not null, person.must_change_password
            or exists (
                select 1 from users.password_policies p
                where p.tenant_id = person.tenant_id and p.max_age_days > 0
                    and coalesce(person.password_last_changed, '-infinity') < p_at - make_interval(days => p.max_age_days)),
        person.role::text;
end
$$;

ALTER FUNCTION users.begin_login_attempt(p_username text, p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: complete_login(uuid, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.complete_login(p_user_id uuid, p_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    update users.users u
    set failed_login_attempts = 0, last_failed_login = null, account_locked_until = null, last_login = p_at
    where u.user_id = p_user_id and u.is_active;
end
$$;

ALTER FUNCTION users.complete_login(p_user_id uuid, p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: context_mac(text); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.context_mac(p_claims text) RETURNS bytea
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select sha256(k.outer_pad || sha256(k.inner_pad || convert_to(
        p_claims || '|' || pg_backend_pid() || '|' || (extract(epoch from transaction_timestamp()) * 1000000)::bigint, 'UTF8')))
    from users.context_keys k
$$;

ALTER FUNCTION users.context_mac(p_claims text) OWNER TO sg_auth;

--
-- Name: create_default_policy(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.create_default_policy() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into users.password_policies (tenant_id) values (new.tenant_id) on conflict do nothing;
    return null;
end
$$;

ALTER FUNCTION users.create_default_policy() OWNER TO sg_auth;

--
-- Name: current_member_role(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.current_member_role() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    return (users.verified_claims())[4];
end
$$;

ALTER FUNCTION users.current_member_role() OWNER TO sg_auth;

--
-- Name: current_scope(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.current_scope() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    return (users.verified_claims())[3];
end
$$;

ALTER FUNCTION users.current_scope() OWNER TO sg_auth;

--
-- Name: current_tenant(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.current_tenant() RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    return (users.verified_claims())[1]::uuid;
end
$$;

ALTER FUNCTION users.current_tenant() OWNER TO sg_auth;

--
-- Name: current_user_id(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.current_user_id() RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    return (users.verified_claims())[2]::uuid;
end
$$;

ALTER FUNCTION users.current_user_id() OWNER TO sg_auth;

--
-- Name: derive_tenant(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.derive_tenant() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if new.tenant_id is null then
        if tg_table_schema = 'users' then
            select u.tenant_id into new.tenant_id from users.users u where u.user_id = new.user_id;
        else
            select e.tenant_id into new.tenant_id from agents.endpoints e where e.agent_id = new.agent_id;
        end if;
    end if;
    return new;
end
$$;

ALTER FUNCTION users.derive_tenant() OWNER TO sg_auth;

--
-- Name: enable_tenant_isolation(text); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.enable_tenant_isolation(p_table text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    execute format('alter table %s enable row level security, force row level security', p_table);
    execute format(
        'create policy tenant_isolation on %s for all to sg_app using (tenant_id = (select users.current_tenant()))
            with check (tenant_id = (select users.current_tenant()))', p_table);
    execute format('create policy system_access on %s for all to sg_system using (true) with check (true)', p_table);
    execute format('create policy admin_access on %s for all to sg_admin using (true) with check (true)', p_table);
    execute format('create policy backup_access on %s for select to sg_backup using (true)', p_table);
end
$$;

ALTER FUNCTION users.enable_tenant_isolation(p_table text) OWNER TO sg_owner;

--
-- Name: find_caller(text, bytea, uuid, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) RETURNS TABLE(tenant_id uuid, user_id uuid, username text, full_name text, role text, home_tenant_id uuid, credential_id uuid, scopes text[], must_change_password boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    p_now timestamptz := greatest(p_at, clock_timestamp() - interval '1 minute');
begin
    return query
    with credential as (
        select s.session_id as id, s.user_id as owner_id, null::text[] as key_scopes, null::uuid as key_tenant
        from users.sessions s
        where p_kind = 'session' and s.token_hash = p_hash and s.ended_at is null and s.expires_at > p_now
            and s.last_seen_at + make_interval(secs => s.idle_seconds) > p_now
        union all
        select k.key_id, k.user_id, k.scopes, k.tenant_id
        from users.api_keys k
        where p_kind = 'api_key' and k.key_hash = encode(p_hash, 'hex') and k.is_active and (k.expires_at is null or k.expires_at > p_now)
    )
    select t.tenant_id, u.user_id, u.username::text, u.full_name::text, m.role::text, u.tenant_id, c.id, c.key_scopes, u.must_change_password
    from credential c
    join users.users u on u.user_id = c.owner_id and u.is_active
    join users.memberships m on m.user_id = u.user_id and (m.expires_at is null or m.expires_at > p_now)
    join users.tenants t on t.tenant_id = m.tenant_id and t.status = 'active'
    where t.tenant_id = coalesce(p_tenant, c.key_tenant, u.tenant_id)
        -- A key works in its own tenant only.
        and (c.key_tenant is null or c.key_tenant = t.tenant_id);
end
$$;

ALTER FUNCTION users.find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: handle_failed_login(text); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.handle_failed_login(username_param text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform users.begin_login_attempt(username_param, clock_timestamp());
end
$$;

ALTER FUNCTION users.handle_failed_login(username_param text) OWNER TO sg_auth;

--
-- Name: handle_successful_login(text); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.handle_successful_login(username_param text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform users.complete_login(u.user_id, clock_timestamp()) from users.users u where lower(u.username) = lower(username_param);
end
$$;

ALTER FUNCTION users.handle_successful_login(username_param text) OWNER TO sg_auth;

--
-- Name: keep_home_membership(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.keep_home_membership() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into users.memberships (tenant_id, user_id, role) values (new.tenant_id, new.user_id, new.role)
    on conflict (tenant_id, user_id) do update set role = excluded.role, expires_at = null;
    return null;
end
$$;

ALTER FUNCTION users.keep_home_membership() OWNER TO sg_auth;

--
-- Name: list_own_tenants(timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.list_own_tenants(p_at timestamp with time zone) RETURNS TABLE(tenant_id uuid, name text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    caller_id uuid := users.current_user_id();
begin
    return query
    select t.tenant_id, t.name::text
    from users.memberships m
    join users.tenants t on t.tenant_id = m.tenant_id
    where m.user_id = caller_id and t.status = 'active' and (m.expires_at is null or m.expires_at > p_at)
    order by t.name, t.tenant_id;
end
$$;

ALTER FUNCTION users.list_own_tenants(p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: open_context(text, bytea, uuid, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    caller record;
    claims text;
begin
    select c.tenant_id, c.user_id, c.role into caller from users.find_caller(p_kind, p_hash, p_tenant, p_at) c;
    if not found then
        perform set_config('sg.context', '', true);
        return null;
    end if;
    claims := caller.tenant_id || '|' || caller.user_id || '|' || case when caller.role = 'user' then 'own' else 'tenant' end
        || '|' || caller.role;
    perform set_config('sg.context', claims || '|' || encode(users.context_mac(claims), 'hex'), true);
    return caller.tenant_id;
end
$$;

ALTER FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: role_rank(text); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.role_rank(p_role text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select array_position(array['user', 'manager', 'admin', 'system_admin'], p_role)
$$;

ALTER FUNCTION users.role_rank(p_role text) OWNER TO sg_owner;

--
-- Name: rotate_context_key(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.rotate_context_key() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    secret bytea := '\x';
    pads bytea[] := array['\x', '\x'];
begin
    -- gen_random_uuid draws on the server's strong random source; 6 fixed bits in 128 are made up for by taking four.
    for i in 1..4 loop
        secret := secret || uuid_send(gen_random_uuid());
    end loop;
    for i in 0..63 loop
        pads[1] := pads[1] || substring(int4send(get_byte(secret, i) # 54) from 4);
        pads[2] := pads[2] || substring(int4send(get_byte(secret, i) # 92) from 4);
    end loop;
    insert into users.context_keys (inner_pad, outer_pad) values (pads[1], pads[2])
    on conflict (key_id) do update set inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad, created_at = now();
end
$$;

ALTER FUNCTION users.rotate_context_key() OWNER TO sg_auth;

--
-- Name: store_password(uuid, text, boolean, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.store_password(p_user_id uuid, p_password_hash text, p_must_change boolean, p_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    update users.users u
    set password_hash = p_password_hash, must_change_password = p_must_change, password_last_changed = p_at,
        -- Newest first, the password that ends included, trimmed to what the policy compares with.
        password_history = (
            select coalesce(jsonb_agg(kept.hash order by kept.position), '[]'::jsonb)
            from (
                select h.hash, h.position
                from jsonb_array_elements_text(jsonb_build_array(u.password_hash) || u.password_history)
                    with ordinality as h (hash, position)
                limit coalesce((select p.history_count from users.password_policies p where p.tenant_id = u.tenant_id), 5)
            ) kept)
    where u.user_id = p_user_id;
end
$$;

ALTER FUNCTION users.store_password(p_user_id uuid, p_password_hash text, p_must_change boolean, p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: tenant_default(); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.tenant_default() RETURNS uuid
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    return coalesce(users.current_tenant(), '00000000-0000-0000-0000-000000000001');
end
$$;

ALTER FUNCTION users.tenant_default() OWNER TO sg_owner;

--
-- Name: time_ordered_uuid(); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.time_ordered_uuid() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select encode(
        set_bit(
            set_bit(
                overlay(uuid_send(gen_random_uuid()) placing
                    substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
                52, 1),
            53, 1),
        'hex')::uuid
$$;

ALTER FUNCTION users.time_ordered_uuid() OWNER TO sg_owner;

--
-- Name: touch_updated_at(); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    new.updated_at := clock_timestamp();
    return new;
end
$$;

ALTER FUNCTION users.touch_updated_at() OWNER TO sg_owner;

--
-- Name: validate_password_strength(text, integer, boolean, boolean, boolean, boolean); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.validate_password_strength(password text, min_length integer DEFAULT 12, require_uppercase boolean DEFAULT true, require_lowercase boolean DEFAULT true, require_numbers boolean DEFAULT true, require_special_chars boolean DEFAULT true) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    return coalesce(
        length(password) >= min_length
        and (not require_uppercase or password ~ '[[:upper:]]')
        and (not require_lowercase or password ~ '[[:lower:]]')
        and (not require_numbers or password ~ '[[:digit:]]')
        and (not require_special_chars or password ~ '[^[:alnum:]]'),
        false);
end
$$;

ALTER FUNCTION users.validate_password_strength(password text, min_length integer, require_uppercase boolean, require_lowercase boolean, require_numbers boolean, require_special_chars boolean) OWNER TO sg_owner;

--
-- Name: verified_claims(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.verified_claims() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
    given text := current_setting('sg.context', true);
    claims text;
    seal text;
begin
    if given is null or given = '' then
        return null;
    end if;
    claims := regexp_replace(given, '\|[^|]*$', '');
    seal := substring(given from length(claims) + 2);
    -- Hashing both sides makes the time of the comparison tell nothing about the seal.
    if sha256(convert_to(encode(users.context_mac(claims), 'hex'), 'UTF8')) = sha256(convert_to(seal, 'UTF8')) then
        return string_to_array(claims, '|');
    end if;
    return null;
end
$_$;

ALTER FUNCTION users.verified_claims() OWNER TO sg_auth;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: agent_tokens; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.agent_tokens (
    token_hash bytea NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    revoke_reason text,
    CONSTRAINT agent_tokens_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY agents.agent_tokens FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.agent_tokens OWNER TO sg_owner;

--
-- Name: endpoints; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.endpoints (
    agent_id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id uuid DEFAULT users.tenant_default() NOT NULL,
    hostname character varying(255) NOT NULL,
    ip_address inet,
    mac_address macaddr,
    device_name character varying(100),
    os_info text,
    version character varying(255),
    hardware_fingerprint text,
    registered_via_key_id uuid,
    status character varying(20) DEFAULT 'active'::character varying NOT NULL,
    last_seen timestamp with time zone,
    heartbeat_interval integer DEFAULT 300 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    user_id uuid,
    decommissioned_at timestamp with time zone,
    CONSTRAINT endpoints_heartbeat_interval_check CHECK (((heartbeat_interval >= 1) AND (heartbeat_interval <= 86400))),
    CONSTRAINT endpoints_status_check CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'inactive'::character varying, 'decommissioned'::character varying])::text[]))),
    CONSTRAINT endpoints_times_check CHECK ((isfinite(last_seen) AND isfinite(created_at) AND isfinite(updated_at)))
);

ALTER TABLE ONLY agents.endpoints FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.endpoints OWNER TO sg_owner;

--
-- Name: events; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.events (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL
)
PARTITION BY RANGE (occurred_at);

ALTER TABLE ONLY agents.events FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events OWNER TO sg_owner;

--
-- Name: events_default; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.events_default (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL
);

ALTER TABLE ONLY agents.events_default FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events_default OWNER TO sg_owner;

--
-- Name: gaps; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.gaps (
    gap_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    noticed_by text NOT NULL,
    reason text NOT NULL,
    lost_records bigint,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone NOT NULL,
    detail text,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT gaps_noticed_by_check CHECK ((noticed_by = ANY (ARRAY['agent'::text, 'server'::text])))
);

ALTER TABLE ONLY agents.gaps FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.gaps OWNER TO sg_owner;

--
-- Name: heartbeats; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.heartbeats (
    agent_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    online boolean DEFAULT true NOT NULL,
    rules_version bigint DEFAULT 0 NOT NULL,
    backlog_records bigint DEFAULT 0 NOT NULL,
    clock_offset_ms bigint DEFAULT 0 NOT NULL,
    hardware_fingerprint text,
    sources jsonb DEFAULT '[]'::jsonb NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY agents.heartbeats FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.heartbeats OWNER TO sg_owner;

--
-- Name: partition_schemes; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.partition_schemes (
    parent_table text NOT NULL,
    period text NOT NULL,
    keep_days integer,
    CONSTRAINT partition_schemes_keep_days_check CHECK ((keep_days > 0)),
    CONSTRAINT partition_schemes_period_check CHECK ((period = ANY (ARRAY['day'::text, 'month'::text])))
);

ALTER TABLE agents.partition_schemes OWNER TO sg_owner;

--
-- Name: streams; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.streams (
    agent_id uuid NOT NULL,
    epoch uuid NOT NULL,
    tenant_id uuid NOT NULL,
    acknowledged_through bigint DEFAULT 0 NOT NULL,
    turn uuid NOT NULL,
    previous_turn uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT streams_acknowledged_through_check CHECK ((acknowledged_through >= 0))
)
WITH (fillfactor='50');

ALTER TABLE ONLY agents.streams FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.streams OWNER TO sg_owner;

--
-- Name: system_info; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info (
    info_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    agent_id uuid NOT NULL,
    cpu_usage numeric(9,2),
    memory_usage numeric(9,2),
    disk_usage numeric(9,2),
    network_usage jsonb,
    uptime bigint,
    process_count integer,
    service_status jsonb,
    collected_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid NOT NULL,
    retention_class smallint DEFAULT 90 NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT system_info_collected_at_check CHECK (isfinite(collected_at)),
    CONSTRAINT system_info_cpu_usage_check CHECK (((cpu_usage >= (0)::numeric) AND (cpu_usage <= (1000000)::numeric))),
    CONSTRAINT system_info_disk_usage_check CHECK (((disk_usage >= (0)::numeric) AND (disk_usage <= (100)::numeric))),
    CONSTRAINT system_info_memory_usage_check CHECK (((memory_usage >= (0)::numeric) AND (memory_usage <= (100)::numeric))),
    CONSTRAINT system_info_process_count_check CHECK ((process_count >= 0)),
    CONSTRAINT system_info_uptime_check CHECK ((uptime >= 0))
)
PARTITION BY LIST (retention_class);

ALTER TABLE ONLY agents.system_info FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info OWNER TO sg_owner;

--
-- Name: system_info_class_30; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_class_30 (
    info_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    agent_id uuid NOT NULL,
    cpu_usage numeric(9,2),
    memory_usage numeric(9,2),
    disk_usage numeric(9,2),
    network_usage jsonb,
    uptime bigint,
    process_count integer,
    service_status jsonb,
    collected_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid NOT NULL,
    retention_class smallint DEFAULT 90 NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT system_info_collected_at_check CHECK (isfinite(collected_at)),
    CONSTRAINT system_info_cpu_usage_check CHECK (((cpu_usage >= (0)::numeric) AND (cpu_usage <= (1000000)::numeric))),
    CONSTRAINT system_info_disk_usage_check CHECK (((disk_usage >= (0)::numeric) AND (disk_usage <= (100)::numeric))),
    CONSTRAINT system_info_memory_usage_check CHECK (((memory_usage >= (0)::numeric) AND (memory_usage <= (100)::numeric))),
    CONSTRAINT system_info_process_count_check CHECK ((process_count >= 0)),
    CONSTRAINT system_info_uptime_check CHECK ((uptime >= 0))
)
PARTITION BY RANGE (collected_at);

ALTER TABLE ONLY agents.system_info_class_30 FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_class_30 OWNER TO sg_owner;

--
-- Name: system_info_class_30_default; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_class_30_default (
    info_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    agent_id uuid NOT NULL,
    cpu_usage numeric(9,2),
    memory_usage numeric(9,2),
    disk_usage numeric(9,2),
    network_usage jsonb,
    uptime bigint,
    process_count integer,
    service_status jsonb,
    collected_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid NOT NULL,
    retention_class smallint DEFAULT 90 NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT system_info_collected_at_check CHECK (isfinite(collected_at)),
    CONSTRAINT system_info_cpu_usage_check CHECK (((cpu_usage >= (0)::numeric) AND (cpu_usage <= (1000000)::numeric))),
    CONSTRAINT system_info_disk_usage_check CHECK (((disk_usage >= (0)::numeric) AND (disk_usage <= (100)::numeric))),
    CONSTRAINT system_info_memory_usage_check CHECK (((memory_usage >= (0)::numeric) AND (memory_usage <= (100)::numeric))),
    CONSTRAINT system_info_process_count_check CHECK ((process_count >= 0)),
    CONSTRAINT system_info_uptime_check CHECK ((uptime >= 0))
);

ALTER TABLE ONLY agents.system_info_class_30_default FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_class_30_default OWNER TO sg_owner;

--
-- Name: system_info_class_400; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_class_400 (
    info_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    agent_id uuid NOT NULL,
    cpu_usage numeric(9,2),
    memory_usage numeric(9,2),
    disk_usage numeric(9,2),
    network_usage jsonb,
    uptime bigint,
    process_count integer,
    service_status jsonb,
    collected_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid NOT NULL,
    retention_class smallint DEFAULT 90 NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT system_info_collected_at_check CHECK (isfinite(collected_at)),
    CONSTRAINT system_info_cpu_usage_check CHECK (((cpu_usage >= (0)::numeric) AND (cpu_usage <= (1000000)::numeric))),
    CONSTRAINT system_info_disk_usage_check CHECK (((disk_usage >= (0)::numeric) AND (disk_usage <= (100)::numeric))),
    CONSTRAINT system_info_memory_usage_check CHECK (((memory_usage >= (0)::numeric) AND (memory_usage <= (100)::numeric))),
    CONSTRAINT system_info_process_count_check CHECK ((process_count >= 0)),
    CONSTRAINT system_info_uptime_check CHECK ((uptime >= 0))
)
PARTITION BY RANGE (collected_at);

ALTER TABLE ONLY agents.system_info_class_400 FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_class_400 OWNER TO sg_owner;

--
-- Name: system_info_class_400_default; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_class_400_default (
    info_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    agent_id uuid NOT NULL,
    cpu_usage numeric(9,2),
    memory_usage numeric(9,2),
    disk_usage numeric(9,2),
    network_usage jsonb,
    uptime bigint,
    process_count integer,
    service_status jsonb,
    collected_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid NOT NULL,
    retention_class smallint DEFAULT 90 NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT system_info_collected_at_check CHECK (isfinite(collected_at)),
    CONSTRAINT system_info_cpu_usage_check CHECK (((cpu_usage >= (0)::numeric) AND (cpu_usage <= (1000000)::numeric))),
    CONSTRAINT system_info_disk_usage_check CHECK (((disk_usage >= (0)::numeric) AND (disk_usage <= (100)::numeric))),
    CONSTRAINT system_info_memory_usage_check CHECK (((memory_usage >= (0)::numeric) AND (memory_usage <= (100)::numeric))),
    CONSTRAINT system_info_process_count_check CHECK ((process_count >= 0)),
    CONSTRAINT system_info_uptime_check CHECK ((uptime >= 0))
);

ALTER TABLE ONLY agents.system_info_class_400_default FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_class_400_default OWNER TO sg_owner;

--
-- Name: system_info_class_90; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_class_90 (
    info_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    agent_id uuid NOT NULL,
    cpu_usage numeric(9,2),
    memory_usage numeric(9,2),
    disk_usage numeric(9,2),
    network_usage jsonb,
    uptime bigint,
    process_count integer,
    service_status jsonb,
    collected_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid NOT NULL,
    retention_class smallint DEFAULT 90 NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT system_info_collected_at_check CHECK (isfinite(collected_at)),
    CONSTRAINT system_info_cpu_usage_check CHECK (((cpu_usage >= (0)::numeric) AND (cpu_usage <= (1000000)::numeric))),
    CONSTRAINT system_info_disk_usage_check CHECK (((disk_usage >= (0)::numeric) AND (disk_usage <= (100)::numeric))),
    CONSTRAINT system_info_memory_usage_check CHECK (((memory_usage >= (0)::numeric) AND (memory_usage <= (100)::numeric))),
    CONSTRAINT system_info_process_count_check CHECK ((process_count >= 0)),
    CONSTRAINT system_info_uptime_check CHECK ((uptime >= 0))
)
PARTITION BY RANGE (collected_at);

ALTER TABLE ONLY agents.system_info_class_90 FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_class_90 OWNER TO sg_owner;

--
-- Name: system_info_class_90_default; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_class_90_default (
    info_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    agent_id uuid NOT NULL,
    cpu_usage numeric(9,2),
    memory_usage numeric(9,2),
    disk_usage numeric(9,2),
    network_usage jsonb,
    uptime bigint,
    process_count integer,
    service_status jsonb,
    collected_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid NOT NULL,
    retention_class smallint DEFAULT 90 NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT system_info_collected_at_check CHECK (isfinite(collected_at)),
    CONSTRAINT system_info_cpu_usage_check CHECK (((cpu_usage >= (0)::numeric) AND (cpu_usage <= (1000000)::numeric))),
    CONSTRAINT system_info_disk_usage_check CHECK (((disk_usage >= (0)::numeric) AND (disk_usage <= (100)::numeric))),
    CONSTRAINT system_info_memory_usage_check CHECK (((memory_usage >= (0)::numeric) AND (memory_usage <= (100)::numeric))),
    CONSTRAINT system_info_process_count_check CHECK ((process_count >= 0)),
    CONSTRAINT system_info_uptime_check CHECK ((uptime >= 0))
);

ALTER TABLE ONLY agents.system_info_class_90_default FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_class_90_default OWNER TO sg_owner;

--
-- Name: adoption_report; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.adoption_report (
    entry_id bigint NOT NULL,
    reported_at timestamp with time zone DEFAULT now() NOT NULL,
    table_name text NOT NULL,
    row_id text NOT NULL,
    problem text NOT NULL,
    repair text NOT NULL,
    before jsonb NOT NULL
);

ALTER TABLE audit.adoption_report OWNER TO sg_owner;

--
-- Name: adoption_report_entry_id_seq; Type: SEQUENCE; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.adoption_report ALTER COLUMN entry_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME audit.adoption_report_entry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: events; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.events (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    transaction_id xid8 DEFAULT pg_current_xact_id() NOT NULL,
    actor_kind text NOT NULL,
    actor_id text,
    actor_name text,
    action text NOT NULL,
    object_kind text,
    object_id text,
    outcome text NOT NULL,
    reason text,
    request_id text,
    address inet,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT events_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['user'::text, 'api_key'::text, 'agent'::text, 'system'::text, 'anonymous'::text]))),
    CONSTRAINT events_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'failure'::text, 'denied'::text])))
)
PARTITION BY RANGE (occurred_at);

ALTER TABLE ONLY audit.events FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.events OWNER TO sg_owner;

--
-- Name: events_default; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.events_default (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    transaction_id xid8 DEFAULT pg_current_xact_id() NOT NULL,
    actor_kind text NOT NULL,
    actor_id text,
    actor_name text,
    action text NOT NULL,
    object_kind text,
    object_id text,
    outcome text NOT NULL,
    reason text,
    request_id text,
    address inet,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT events_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['user'::text, 'api_key'::text, 'agent'::text, 'system'::text, 'anonymous'::text]))),
    CONSTRAINT events_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'failure'::text, 'denied'::text])))
);

ALTER TABLE ONLY audit.events_default FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.events_default OWNER TO sg_owner;

--
-- Name: login_attempts; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.login_attempts (
    attempt_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    user_id uuid,
    username_or_digest text NOT NULL,
    outcome text NOT NULL,
    method text NOT NULL,
    address inet,
    user_agent text,
    request_id text,
    CONSTRAINT login_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'unknown_user'::text, 'wrong_password'::text, 'locked'::text, 'inactive'::text, 'throttled'::text])))
)
PARTITION BY RANGE (occurred_at);

ALTER TABLE ONLY audit.login_attempts FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.login_attempts OWNER TO sg_owner;

--
-- Name: login_attempts_default; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.login_attempts_default (
    attempt_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    user_id uuid,
    username_or_digest text NOT NULL,
    outcome text NOT NULL,
    method text NOT NULL,
    address inet,
    user_agent text,
    request_id text,
    CONSTRAINT login_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'unknown_user'::text, 'wrong_password'::text, 'locked'::text, 'inactive'::text, 'throttled'::text])))
);

ALTER TABLE ONLY audit.login_attempts_default FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.login_attempts_default OWNER TO sg_owner;

--
-- Name: row_changes; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.row_changes (
    change_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamp with time zone DEFAULT now() NOT NULL,
    transaction_id xid8 DEFAULT pg_current_xact_id() NOT NULL,
    table_name text NOT NULL,
    operation text NOT NULL,
    row_id text,
    before jsonb,
    after jsonb,
    database_role text DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT row_changes_operation_check CHECK ((((operation = 'insert'::text) AND (before IS NULL) AND (after IS NOT NULL)) OR ((operation = 'update'::text) AND (before IS NOT NULL) AND (after IS NOT NULL)) OR ((operation = 'delete'::text) AND (before IS NOT NULL) AND (after IS NULL))))
)
PARTITION BY RANGE (occurred_at);

ALTER TABLE ONLY audit.row_changes FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.row_changes OWNER TO sg_owner;

--
-- Name: row_changes_default; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.row_changes_default (
    change_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamp with time zone DEFAULT now() NOT NULL,
    transaction_id xid8 DEFAULT pg_current_xact_id() NOT NULL,
    table_name text NOT NULL,
    operation text NOT NULL,
    row_id text,
    before jsonb,
    after jsonb,
    database_role text DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT row_changes_operation_check CHECK ((((operation = 'insert'::text) AND (before IS NULL) AND (after IS NOT NULL)) OR ((operation = 'update'::text) AND (before IS NOT NULL) AND (after IS NOT NULL)) OR ((operation = 'delete'::text) AND (before IS NOT NULL) AND (after IS NULL))))
);

ALTER TABLE ONLY audit.row_changes_default FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.row_changes_default OWNER TO sg_owner;

--
-- Name: findings; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.findings (
    finding_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    threat_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    rule_id text NOT NULL,
    rule_name text NOT NULL,
    engine text NOT NULL,
    severity text NOT NULL,
    confidence numeric(3,2) NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    explanation text NOT NULL,
    evidence jsonb NOT NULL,
    subject jsonb NOT NULL,
    fingerprint text NOT NULL,
    occurrence_count bigint DEFAULT 1 NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT findings_confidence_check CHECK (((confidence >= (0)::numeric) AND (confidence <= (1)::numeric))),
    CONSTRAINT findings_engine_check CHECK ((engine = ANY (ARRAY['sigma'::text, 'yara'::text, 'indicator'::text, 'server'::text]))),
    CONSTRAINT findings_occurrence_count_check CHECK ((occurrence_count >= 1)),
    CONSTRAINT findings_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text])))
);

ALTER TABLE ONLY threats.findings FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.findings OWNER TO sg_owner;

--
-- Name: incident_subjects; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.incident_subjects (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    subject_key text NOT NULL,
    threat_id uuid NOT NULL,
    last_seen_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY threats.incident_subjects FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.incident_subjects OWNER TO sg_owner;

--
-- Name: incident_timeline; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.incident_timeline (
    entry_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    threat_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    actor_user_id uuid,
    actor_name text,
    summary text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT incident_timeline_kind_check CHECK ((kind = ANY (ARRAY['finding'::text, 'repeat'::text, 'status'::text, 'assignment'::text, 'note'::text])))
);

ALTER TABLE ONLY threats.incident_timeline FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.incident_timeline OWNER TO sg_owner;

--
-- Name: incidents; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.incidents (
    threat_id uuid DEFAULT gen_random_uuid() NOT NULL,
    agent_id uuid NOT NULL,
    threat_type character varying(100) NOT NULL,
    severity character varying(20) NOT NULL,
    status character varying(20) DEFAULT 'new'::character varying NOT NULL,
    title character varying(1024) NOT NULL,
    description text,
    file_path text,
    process_name text,
    command_line text,
    hash text,
    detection_engine character varying(50),
    confidence_score numeric(3,2),
    false_positive_likelihood numeric(3,2),
    assigned_to uuid,
    resolved_by uuid,
    resolution_notes text,
    detected_at timestamp with time zone DEFAULT now() NOT NULL,
    resolved_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid NOT NULL,
    occurrence_count bigint DEFAULT 1 NOT NULL,
    last_detected_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT incidents_confidence_score_check CHECK (((confidence_score >= (0)::numeric) AND (confidence_score <= (1)::numeric))),
    CONSTRAINT incidents_false_positive_likelihood_check CHECK (((false_positive_likelihood >= (0)::numeric) AND (false_positive_likelihood <= (1)::numeric))),
    CONSTRAINT incidents_occurrence_count_check CHECK ((occurrence_count >= 1)),
    CONSTRAINT incidents_severity_check CHECK (((severity)::text = ANY ((ARRAY['low'::character varying, 'medium'::character varying, 'high'::character varying, 'critical'::character varying])::text[]))),
    CONSTRAINT incidents_status_check CHECK (((status)::text = ANY ((ARRAY['new'::character varying, 'investigating'::character varying, 'resolved'::character varying, 'false_positive'::character varying])::text[]))),
    CONSTRAINT incidents_times_check CHECK ((isfinite(detected_at) AND isfinite(resolved_at) AND isfinite(created_at) AND isfinite(updated_at) AND isfinite(last_detected_at)))
);

ALTER TABLE ONLY threats.incidents FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.incidents OWNER TO sg_owner;

--
-- Name: occurrences; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.occurrences (
    occurrence_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    finding_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY threats.occurrences FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.occurrences OWNER TO sg_owner;

--
-- Name: rule_packages; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.rule_packages (
    version bigint NOT NULL,
    digest bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT rule_packages_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT rule_packages_version_check CHECK ((version > 0))
);

ALTER TABLE threats.rule_packages OWNER TO sg_owner;

--
-- Name: api_keys; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.api_keys (
    key_id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    key_hash text NOT NULL,
    key_name character varying(100) NOT NULL,
    key_prefix character varying(10) NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    expires_at timestamp with time zone,
    last_used timestamp with time zone,
    usage_count bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid NOT NULL,
    scopes text[] DEFAULT ARRAY['enrol'::text, 'api'::text] NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_scopes_check CHECK (((scopes <@ ARRAY['enrol'::text, 'api'::text]) AND (cardinality(scopes) > 0))),
    CONSTRAINT api_keys_times_check CHECK ((isfinite(expires_at) AND isfinite(last_used) AND isfinite(created_at)))
);

ALTER TABLE ONLY users.api_keys FORCE ROW LEVEL SECURITY;

ALTER TABLE users.api_keys OWNER TO sg_owner;

--
-- Name: context_keys; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.context_keys (
    key_id smallint DEFAULT 1 NOT NULL,
    inner_pad bytea NOT NULL,
    outer_pad bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT context_keys_key_id_check CHECK ((key_id = 1))
);

ALTER TABLE users.context_keys OWNER TO sg_owner;

--
-- Name: memberships; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.memberships (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role character varying(50) NOT NULL,
    expires_at timestamp with time zone,
    granted_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT memberships_role_check CHECK (((role)::text = ANY ((ARRAY['user'::character varying, 'manager'::character varying, 'admin'::character varying, 'system_admin'::character varying])::text[]))),
    CONSTRAINT memberships_times_check CHECK ((isfinite(expires_at) AND isfinite(created_at)))
);

ALTER TABLE ONLY users.memberships FORCE ROW LEVEL SECURITY;

ALTER TABLE users.memberships OWNER TO sg_owner;

--
-- Name: password_policies; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.password_policies (
    policy_id uuid DEFAULT gen_random_uuid() NOT NULL,
    min_length integer DEFAULT 12 NOT NULL,
    require_uppercase boolean DEFAULT true NOT NULL,
    require_lowercase boolean DEFAULT true NOT NULL,
    require_numbers boolean DEFAULT true NOT NULL,
    require_special_chars boolean DEFAULT true NOT NULL,
    max_age_days integer DEFAULT 90 NOT NULL,
    history_count integer DEFAULT 5 NOT NULL,
    max_failed_attempts integer DEFAULT 5 NOT NULL,
    lockout_duration_minutes integer DEFAULT 30 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    tenant_id uuid DEFAULT users.tenant_default() NOT NULL,
    CONSTRAINT password_policies_history_count_check CHECK (((history_count >= 0) AND (history_count <= 24))),
    CONSTRAINT password_policies_lockout_duration_minutes_check CHECK (((lockout_duration_minutes >= 1) AND (lockout_duration_minutes <= 1440))),
    CONSTRAINT password_policies_max_age_days_check CHECK (((max_age_days >= 0) AND (max_age_days <= 3650))),
    CONSTRAINT password_policies_max_failed_attempts_check CHECK (((max_failed_attempts >= 1) AND (max_failed_attempts <= 100))),
    CONSTRAINT password_policies_min_length_check CHECK (((min_length >= 8) AND (min_length <= 128)))
);

ALTER TABLE ONLY users.password_policies FORCE ROW LEVEL SECURITY;

ALTER TABLE users.password_policies OWNER TO sg_owner;

--
-- Name: sessions; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.sessions (
    session_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    idle_seconds integer NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    address inet,
    user_agent text,
    CONSTRAINT sessions_idle_seconds_check CHECK ((idle_seconds > 0)),
    CONSTRAINT sessions_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY users.sessions FORCE ROW LEVEL SECURITY;

ALTER TABLE users.sessions OWNER TO sg_owner;

--
-- Name: tenants; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.tenants (
    tenant_id uuid DEFAULT gen_random_uuid() NOT NULL,
    name character varying(255) NOT NULL,
    slug character varying(63) NOT NULL,
    status character varying(20) DEFAULT 'active'::character varying NOT NULL,
    retention_class smallint DEFAULT 90 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenants_name_check CHECK (((length(btrim((name)::text)) >= 1) AND (length(btrim((name)::text)) <= 255))),
    CONSTRAINT tenants_retention_class_check CHECK ((retention_class = ANY (ARRAY[30, 90, 400]))),
    CONSTRAINT tenants_slug_check CHECK (((slug)::text ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'::text)),
    CONSTRAINT tenants_status_check CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'suspended'::character varying])::text[])))
);

ALTER TABLE ONLY users.tenants FORCE ROW LEVEL SECURITY;

ALTER TABLE users.tenants OWNER TO sg_owner;

--
-- Name: users; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.users (
    user_id uuid DEFAULT gen_random_uuid() NOT NULL,
    username character varying(255) NOT NULL,
    email character varying(320) NOT NULL,
    password_hash text NOT NULL,
    full_name character varying(255),
    is_active boolean DEFAULT true NOT NULL,
    tenant_id uuid DEFAULT users.tenant_default() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    last_login timestamp with time zone,
    must_change_password boolean DEFAULT false NOT NULL,
    password_last_changed timestamp with time zone DEFAULT now(),
    failed_login_attempts integer DEFAULT 0 NOT NULL,
    last_failed_login timestamp with time zone,
    account_locked_until timestamp with time zone,
    role character varying(50) DEFAULT 'user'::character varying NOT NULL,
    password_history jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT users_email_check CHECK ((length(btrim((email)::text)) > 0)),
    CONSTRAINT users_failed_login_attempts_check CHECK ((failed_login_attempts >= 0)),
    CONSTRAINT users_password_history_check CHECK ((jsonb_typeof(password_history) = 'array'::text)),
    CONSTRAINT users_role_check CHECK (((role)::text = ANY ((ARRAY['user'::character varying, 'manager'::character varying, 'admin'::character varying, 'system_admin'::character varying])::text[]))),
    CONSTRAINT users_times_check CHECK ((isfinite(password_last_changed) AND isfinite(last_failed_login) AND isfinite(account_locked_until) AND isfinite(created_at) AND isfinite(updated_at) AND isfinite(last_login))),
    CONSTRAINT users_username_check CHECK ((length(btrim((username)::text)) > 0))
);

ALTER TABLE ONLY users.users FORCE ROW LEVEL SECURITY;

ALTER TABLE users.users OWNER TO sg_owner;

--
-- Name: events_default; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events ATTACH PARTITION agents.events_default DEFAULT;

--
-- Name: system_info_class_30; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info ATTACH PARTITION agents.system_info_class_30 FOR VALUES IN ('30');

--
-- Name: system_info_class_30_default; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_class_30 ATTACH PARTITION agents.system_info_class_30_default DEFAULT;

--
-- Name: system_info_class_400; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info ATTACH PARTITION agents.system_info_class_400 FOR VALUES IN ('400');

--
-- Name: system_info_class_400_default; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_class_400 ATTACH PARTITION agents.system_info_class_400_default DEFAULT;

--
-- Name: system_info_class_90; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info ATTACH PARTITION agents.system_info_class_90 FOR VALUES IN ('90');

--
-- Name: system_info_class_90_default; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_class_90 ATTACH PARTITION agents.system_info_class_90_default DEFAULT;

--
-- Name: events_default; Type: TABLE ATTACH; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.events ATTACH PARTITION audit.events_default DEFAULT;

--
-- Name: login_attempts_default; Type: TABLE ATTACH; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.login_attempts ATTACH PARTITION audit.login_attempts_default DEFAULT;

--
-- Name: row_changes_default; Type: TABLE ATTACH; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.row_changes ATTACH PARTITION audit.row_changes_default DEFAULT;

--
-- Name: agent_tokens agent_tokens_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.agent_tokens
    ADD CONSTRAINT agent_tokens_pkey PRIMARY KEY (token_hash);

--
-- Name: endpoints endpoints_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.endpoints
    ADD CONSTRAINT endpoints_pkey PRIMARY KEY (agent_id);

--
-- Name: endpoints endpoints_tenant_id_agent_id_key; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.endpoints
    ADD CONSTRAINT endpoints_tenant_id_agent_id_key UNIQUE (tenant_id, agent_id);

--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: events_default events_default_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_default
    ADD CONSTRAINT events_default_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: gaps gaps_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.gaps
    ADD CONSTRAINT gaps_pkey PRIMARY KEY (gap_id);

--
-- Name: heartbeats heartbeats_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.heartbeats
    ADD CONSTRAINT heartbeats_pkey PRIMARY KEY (agent_id);

--
-- Name: partition_schemes partition_schemes_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.partition_schemes
    ADD CONSTRAINT partition_schemes_pkey PRIMARY KEY (parent_table);

--
-- Name: streams streams_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.streams
    ADD CONSTRAINT streams_pkey PRIMARY KEY (agent_id, epoch);

--
-- Name: system_info system_info_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info
    ADD CONSTRAINT system_info_pkey PRIMARY KEY (info_id, retention_class, collected_at);

--
-- Name: system_info_class_30 system_info_class_30_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_class_30
    ADD CONSTRAINT system_info_class_30_pkey PRIMARY KEY (info_id, retention_class, collected_at);

--
-- Name: system_info_class_30_default system_info_class_30_default_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_class_30_default
    ADD CONSTRAINT system_info_class_30_default_pkey PRIMARY KEY (info_id, retention_class, collected_at);

--
-- Name: system_info_class_400 system_info_class_400_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_class_400
    ADD CONSTRAINT system_info_class_400_pkey PRIMARY KEY (info_id, retention_class, collected_at);

--
-- Name: system_info_class_400_default system_info_class_400_default_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_class_400_default
    ADD CONSTRAINT system_info_class_400_default_pkey PRIMARY KEY (info_id, retention_class, collected_at);

--
-- Name: system_info_class_90 system_info_class_90_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_class_90
    ADD CONSTRAINT system_info_class_90_pkey PRIMARY KEY (info_id, retention_class, collected_at);

--
-- Name: system_info_class_90_default system_info_class_90_default_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_class_90_default
    ADD CONSTRAINT system_info_class_90_default_pkey PRIMARY KEY (info_id, retention_class, collected_at);

--
-- Name: adoption_report adoption_report_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.adoption_report
    ADD CONSTRAINT adoption_report_pkey PRIMARY KEY (entry_id);

--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: events_default events_default_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.events_default
    ADD CONSTRAINT events_default_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: login_attempts login_attempts_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.login_attempts
    ADD CONSTRAINT login_attempts_pkey PRIMARY KEY (attempt_id, occurred_at);

--
-- Name: login_attempts_default login_attempts_default_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.login_attempts_default
    ADD CONSTRAINT login_attempts_default_pkey PRIMARY KEY (attempt_id, occurred_at);

--
-- Name: row_changes row_changes_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.row_changes
    ADD CONSTRAINT row_changes_pkey PRIMARY KEY (change_id, occurred_at);

--
-- Name: row_changes_default row_changes_default_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.row_changes_default
    ADD CONSTRAINT row_changes_default_pkey PRIMARY KEY (change_id, occurred_at);

--
-- Name: findings findings_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.findings
    ADD CONSTRAINT findings_pkey PRIMARY KEY (finding_id);

--
-- Name: findings findings_threat_id_fingerprint_key; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.findings
    ADD CONSTRAINT findings_threat_id_fingerprint_key UNIQUE (threat_id, fingerprint);

--
-- Name: incident_subjects incident_subjects_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incident_subjects
    ADD CONSTRAINT incident_subjects_pkey PRIMARY KEY (tenant_id, agent_id, subject_key);

--
-- Name: incident_timeline incident_timeline_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incident_timeline
    ADD CONSTRAINT incident_timeline_pkey PRIMARY KEY (entry_id);

--
-- Name: incidents incidents_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incidents
    ADD CONSTRAINT incidents_pkey PRIMARY KEY (threat_id);

--
-- Name: incidents incidents_tenant_id_threat_id_key; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incidents
    ADD CONSTRAINT incidents_tenant_id_threat_id_key UNIQUE (tenant_id, threat_id);

--
-- Name: occurrences occurrences_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.occurrences
    ADD CONSTRAINT occurrences_pkey PRIMARY KEY (occurrence_id);

--
-- Name: rule_packages rule_packages_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rule_packages
    ADD CONSTRAINT rule_packages_pkey PRIMARY KEY (version);

--
-- Name: api_keys api_keys_key_hash_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.api_keys
    ADD CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash);

--
-- Name: api_keys api_keys_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (key_id);

--
-- Name: api_keys api_keys_tenant_id_key_id_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.api_keys
    ADD CONSTRAINT api_keys_tenant_id_key_id_key UNIQUE (tenant_id, key_id);

--
-- Name: context_keys context_keys_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.context_keys
    ADD CONSTRAINT context_keys_pkey PRIMARY KEY (key_id);

--
-- Name: memberships memberships_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (tenant_id, user_id);

--
-- Name: password_policies password_policies_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.password_policies
    ADD CONSTRAINT password_policies_pkey PRIMARY KEY (policy_id);

--
-- Name: password_policies password_policies_tenant_id_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.password_policies
    ADD CONSTRAINT password_policies_tenant_id_key UNIQUE (tenant_id);

--
-- Name: sessions sessions_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (session_id);

--
-- Name: sessions sessions_token_hash_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sessions
    ADD CONSTRAINT sessions_token_hash_key UNIQUE (token_hash);

--
-- Name: tenants tenants_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (tenant_id);

--
-- Name: tenants tenants_slug_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.tenants
    ADD CONSTRAINT tenants_slug_key UNIQUE (slug);

--
-- Name: users users_email_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.users
    ADD CONSTRAINT users_email_key UNIQUE (email);

--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (user_id);

--
-- Name: users users_tenant_id_user_id_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.users
    ADD CONSTRAINT users_tenant_id_user_id_key UNIQUE (tenant_id, user_id);

--
-- Name: users users_username_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.users
    ADD CONSTRAINT users_username_key UNIQUE (username);

--
-- Name: agent_tokens_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX agent_tokens_tenant_id_agent_id_idx ON agents.agent_tokens USING btree (tenant_id, agent_id);

--
-- Name: endpoints_tenant_id_hardware_fingerprint_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX endpoints_tenant_id_hardware_fingerprint_idx ON agents.endpoints USING btree (tenant_id, hardware_fingerprint);

--
-- Name: endpoints_tenant_id_registered_via_key_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX endpoints_tenant_id_registered_via_key_id_idx ON agents.endpoints USING btree (tenant_id, registered_via_key_id);

--
-- Name: events_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_tenant_id_agent_id_occurred_at_idx ON ONLY agents.events USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: events_default_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_agent_id_occurred_at_idx ON agents.events_default USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: gaps_tenant_id_agent_id_recorded_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX gaps_tenant_id_agent_id_recorded_at_idx ON agents.gaps USING btree (tenant_id, agent_id, recorded_at DESC);

--
-- Name: heartbeats_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX heartbeats_tenant_id_agent_id_idx ON agents.heartbeats USING btree (tenant_id, agent_id);

--
-- Name: idx_agents_last_seen; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX idx_agents_last_seen ON agents.endpoints USING btree (tenant_id, last_seen);

--
-- Name: idx_agents_status; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX idx_agents_status ON agents.endpoints USING btree (tenant_id, status);

--
-- Name: idx_agents_tenant_id; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX idx_agents_tenant_id ON agents.endpoints USING btree (tenant_id);

--
-- Name: idx_agents_user_id; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX idx_agents_user_id ON agents.endpoints USING btree (tenant_id, user_id);

--
-- Name: streams_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX streams_tenant_id_agent_id_idx ON agents.streams USING btree (tenant_id, agent_id);

--
-- Name: system_info_agent_id_collected_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_agent_id_collected_at_idx ON ONLY agents.system_info USING btree (agent_id, collected_at DESC);

--
-- Name: system_info_class_30_agent_id_collected_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_30_agent_id_collected_at_idx ON ONLY agents.system_info_class_30 USING btree (agent_id, collected_at DESC);

--
-- Name: system_info_class_30_default_agent_id_collected_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_30_default_agent_id_collected_at_idx ON agents.system_info_class_30_default USING btree (agent_id, collected_at DESC);

--
-- Name: system_info_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_tenant_id_agent_id_idx ON ONLY agents.system_info USING btree (tenant_id, agent_id);

--
-- Name: system_info_class_30_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_30_tenant_id_agent_id_idx ON ONLY agents.system_info_class_30 USING btree (tenant_id, agent_id);

--
-- Name: system_info_class_30_default_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_30_default_tenant_id_agent_id_idx ON agents.system_info_class_30_default USING btree (tenant_id, agent_id);

--
-- Name: system_info_class_400_agent_id_collected_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_400_agent_id_collected_at_idx ON ONLY agents.system_info_class_400 USING btree (agent_id, collected_at DESC);

--
-- Name: system_info_class_400_default_agent_id_collected_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_400_default_agent_id_collected_at_idx ON agents.system_info_class_400_default USING btree (agent_id, collected_at DESC);

--
-- Name: system_info_class_400_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_400_tenant_id_agent_id_idx ON ONLY agents.system_info_class_400 USING btree (tenant_id, agent_id);

--
-- Name: system_info_class_400_default_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_400_default_tenant_id_agent_id_idx ON agents.system_info_class_400_default USING btree (tenant_id, agent_id);

--
-- Name: system_info_class_90_agent_id_collected_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_90_agent_id_collected_at_idx ON ONLY agents.system_info_class_90 USING btree (agent_id, collected_at DESC);

--
-- Name: system_info_class_90_default_agent_id_collected_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_90_default_agent_id_collected_at_idx ON agents.system_info_class_90_default USING btree (agent_id, collected_at DESC);

--
-- Name: system_info_class_90_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_90_tenant_id_agent_id_idx ON ONLY agents.system_info_class_90 USING btree (tenant_id, agent_id);

--
-- Name: system_info_class_90_default_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_class_90_default_tenant_id_agent_id_idx ON agents.system_info_class_90_default USING btree (tenant_id, agent_id);

--
-- Name: events_tenant_id_actor_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_tenant_id_actor_id_idx ON ONLY audit.events USING btree (tenant_id, actor_id, occurred_at DESC);

--
-- Name: events_default_tenant_id_actor_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_actor_id_occurred_at_idx ON audit.events_default USING btree (tenant_id, actor_id, occurred_at DESC);

--
-- Name: events_tenant_id_object_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_tenant_id_object_idx ON ONLY audit.events USING btree (tenant_id, object_kind, object_id, occurred_at DESC);

--
-- Name: events_default_tenant_id_object_kind_object_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_object_kind_object_id_occurred_at_idx ON audit.events_default USING btree (tenant_id, object_kind, object_id, occurred_at DESC);

--
-- Name: events_tenant_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_tenant_id_occurred_at_idx ON ONLY audit.events USING btree (tenant_id, occurred_at DESC, event_id DESC);

--
-- Name: events_default_tenant_id_occurred_at_event_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_occurred_at_event_id_idx ON audit.events_default USING btree (tenant_id, occurred_at DESC, event_id DESC);

--
-- Name: login_attempts_tenant_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX login_attempts_tenant_id_occurred_at_idx ON ONLY audit.login_attempts USING btree (tenant_id, occurred_at DESC);

--
-- Name: login_attempts_default_tenant_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX login_attempts_default_tenant_id_occurred_at_idx ON audit.login_attempts_default USING btree (tenant_id, occurred_at DESC);

--
-- Name: row_changes_tenant_id_row_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX row_changes_tenant_id_row_id_idx ON ONLY audit.row_changes USING btree (tenant_id, table_name, row_id, occurred_at DESC);

--
-- Name: row_changes_default_tenant_id_table_name_row_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX row_changes_default_tenant_id_table_name_row_id_occurred_at_idx ON audit.row_changes_default USING btree (tenant_id, table_name, row_id, occurred_at DESC);

--
-- Name: row_changes_tenant_id_transaction_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX row_changes_tenant_id_transaction_id_idx ON ONLY audit.row_changes USING btree (tenant_id, transaction_id);

--
-- Name: row_changes_default_tenant_id_transaction_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX row_changes_default_tenant_id_transaction_id_idx ON audit.row_changes_default USING btree (tenant_id, transaction_id);

--
-- Name: findings_tenant_id_agent_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX findings_tenant_id_agent_id_idx ON threats.findings USING btree (tenant_id, agent_id);

--
-- Name: findings_tenant_id_rule_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX findings_tenant_id_rule_id_idx ON threats.findings USING btree (tenant_id, rule_id, last_seen_at DESC);

--
-- Name: findings_tenant_id_threat_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX findings_tenant_id_threat_id_idx ON threats.findings USING btree (tenant_id, threat_id);

--
-- Name: idx_threats_agent_id; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX idx_threats_agent_id ON threats.incidents USING btree (tenant_id, agent_id, detected_at DESC);

--
-- Name: idx_threats_detected_at; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX idx_threats_detected_at ON threats.incidents USING btree (tenant_id, detected_at DESC, threat_id DESC);

--
-- Name: idx_threats_severity; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX idx_threats_severity ON threats.incidents USING btree (tenant_id, severity, detected_at DESC);

--
-- Name: idx_threats_status; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX idx_threats_status ON threats.incidents USING btree (tenant_id, status, detected_at DESC);

--
-- Name: incident_subjects_tenant_id_threat_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX incident_subjects_tenant_id_threat_id_idx ON threats.incident_subjects USING btree (tenant_id, threat_id);

--
-- Name: incident_timeline_tenant_id_threat_id_at_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX incident_timeline_tenant_id_threat_id_at_idx ON threats.incident_timeline USING btree (tenant_id, threat_id, at);

--
-- Name: incidents_tenant_id_assigned_to_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX incidents_tenant_id_assigned_to_idx ON threats.incidents USING btree (tenant_id, assigned_to);

--
-- Name: incidents_tenant_id_resolved_by_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX incidents_tenant_id_resolved_by_idx ON threats.incidents USING btree (tenant_id, resolved_by);

--
-- Name: occurrences_finding_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX occurrences_finding_id_idx ON threats.occurrences USING btree (finding_id);

--
-- Name: occurrences_tenant_id_received_at_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX occurrences_tenant_id_received_at_idx ON threats.occurrences USING btree (tenant_id, received_at);

--
-- Name: api_keys_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX api_keys_tenant_id_user_id_idx ON users.api_keys USING btree (tenant_id, user_id);

--
-- Name: idx_api_keys_active; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX idx_api_keys_active ON users.api_keys USING btree (is_active) WHERE (is_active = true);

--
-- Name: idx_api_keys_prefix; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX idx_api_keys_prefix ON users.api_keys USING btree (key_prefix) WHERE is_active;

--
-- Name: idx_api_keys_user_id; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX idx_api_keys_user_id ON users.api_keys USING btree (user_id);

--
-- Name: idx_users_account_locked; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX idx_users_account_locked ON users.users USING btree (account_locked_until) WHERE (account_locked_until IS NOT NULL);

--
-- Name: idx_users_email; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE UNIQUE INDEX idx_users_email ON users.users USING btree (lower((email)::text));

--
-- Name: idx_users_role; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX idx_users_role ON users.users USING btree (role);

--
-- Name: idx_users_username; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE UNIQUE INDEX idx_users_username ON users.users USING btree (lower((username)::text));

--
-- Name: memberships_granted_by_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX memberships_granted_by_idx ON users.memberships USING btree (granted_by);

--
-- Name: memberships_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX memberships_user_id_idx ON users.memberships USING btree (user_id);

--
-- Name: sessions_expires_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX sessions_expires_at_idx ON users.sessions USING btree (expires_at);

--
-- Name: sessions_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX sessions_tenant_id_user_id_idx ON users.sessions USING btree (tenant_id, user_id) WHERE (ended_at IS NULL);

--
-- Name: events_default_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_pkey ATTACH PARTITION agents.events_default_pkey;

--
-- Name: events_default_tenant_id_agent_id_occurred_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_tenant_id_agent_id_occurred_at_idx ATTACH PARTITION agents.events_default_tenant_id_agent_id_occurred_at_idx;

--
-- Name: system_info_class_30_agent_id_collected_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_agent_id_collected_at_idx ATTACH PARTITION agents.system_info_class_30_agent_id_collected_at_idx;

--
-- Name: system_info_class_30_default_agent_id_collected_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_class_30_agent_id_collected_at_idx ATTACH PARTITION agents.system_info_class_30_default_agent_id_collected_at_idx;

--
-- Name: system_info_class_30_default_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_class_30_pkey ATTACH PARTITION agents.system_info_class_30_default_pkey;

--
-- Name: system_info_class_30_default_tenant_id_agent_id_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_class_30_tenant_id_agent_id_idx ATTACH PARTITION agents.system_info_class_30_default_tenant_id_agent_id_idx;

--
-- Name: system_info_class_30_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_pkey ATTACH PARTITION agents.system_info_class_30_pkey;

--
-- Name: system_info_class_30_tenant_id_agent_id_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_tenant_id_agent_id_idx ATTACH PARTITION agents.system_info_class_30_tenant_id_agent_id_idx;

--
-- Name: system_info_class_400_agent_id_collected_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_agent_id_collected_at_idx ATTACH PARTITION agents.system_info_class_400_agent_id_collected_at_idx;

--
-- Name: system_info_class_400_default_agent_id_collected_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_class_400_agent_id_collected_at_idx ATTACH PARTITION agents.system_info_class_400_default_agent_id_collected_at_idx;

--
-- Name: system_info_class_400_default_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_class_400_pkey ATTACH PARTITION agents.system_info_class_400_default_pkey;

--
-- Name: system_info_class_400_default_tenant_id_agent_id_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_class_400_tenant_id_agent_id_idx ATTACH PARTITION agents.system_info_class_400_default_tenant_id_agent_id_idx;

--
-- Name: system_info_class_400_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_pkey ATTACH PARTITION agents.system_info_class_400_pkey;

--
-- Name: system_info_class_400_tenant_id_agent_id_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_tenant_id_agent_id_idx ATTACH PARTITION agents.system_info_class_400_tenant_id_agent_id_idx;

--
-- Name: system_info_class_90_agent_id_collected_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_agent_id_collected_at_idx ATTACH PARTITION agents.system_info_class_90_agent_id_collected_at_idx;

--
-- Name: system_info_class_90_default_agent_id_collected_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_class_90_agent_id_collected_at_idx ATTACH PARTITION agents.system_info_class_90_default_agent_id_collected_at_idx;

--
-- Name: system_info_class_90_default_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_class_90_pkey ATTACH PARTITION agents.system_info_class_90_default_pkey;

--
-- Name: system_info_class_90_default_tenant_id_agent_id_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_class_90_tenant_id_agent_id_idx ATTACH PARTITION agents.system_info_class_90_default_tenant_id_agent_id_idx;

--
-- Name: system_info_class_90_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_pkey ATTACH PARTITION agents.system_info_class_90_pkey;

--
-- Name: system_info_class_90_tenant_id_agent_id_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_tenant_id_agent_id_idx ATTACH PARTITION agents.system_info_class_90_tenant_id_agent_id_idx;

--
-- Name: events_default_pkey; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_pkey ATTACH PARTITION audit.events_default_pkey;

--
-- Name: events_default_tenant_id_actor_id_occurred_at_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_actor_id_idx ATTACH PARTITION audit.events_default_tenant_id_actor_id_occurred_at_idx;

--
-- Name: events_default_tenant_id_object_kind_object_id_occurred_at_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_object_idx ATTACH PARTITION audit.events_default_tenant_id_object_kind_object_id_occurred_at_idx;

--
-- Name: events_default_tenant_id_occurred_at_event_id_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_occurred_at_idx ATTACH PARTITION audit.events_default_tenant_id_occurred_at_event_id_idx;

--
-- Name: login_attempts_default_pkey; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.login_attempts_pkey ATTACH PARTITION audit.login_attempts_default_pkey;

--
-- Name: login_attempts_default_tenant_id_occurred_at_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.login_attempts_tenant_id_occurred_at_idx ATTACH PARTITION audit.login_attempts_default_tenant_id_occurred_at_idx;

--
-- Name: row_changes_default_pkey; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.row_changes_pkey ATTACH PARTITION audit.row_changes_default_pkey;

--
-- Name: row_changes_default_tenant_id_table_name_row_id_occurred_at_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.row_changes_tenant_id_row_id_idx ATTACH PARTITION audit.row_changes_default_tenant_id_table_name_row_id_occurred_at_idx;

--
-- Name: row_changes_default_tenant_id_transaction_id_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.row_changes_tenant_id_transaction_id_idx ATTACH PARTITION audit.row_changes_default_tenant_id_transaction_id_idx;

--
-- Name: system_info derive_tenant; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER derive_tenant BEFORE INSERT ON agents.system_info FOR EACH ROW WHEN ((new.tenant_id IS NULL)) EXECUTE FUNCTION users.derive_tenant();

--
-- Name: endpoints record_row_change; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON agents.endpoints FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('agent_id', 'last_seen');

--
-- Name: endpoints touch_updated_at; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON agents.endpoints FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: events refuse_change; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE ON audit.events FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

--
-- Name: login_attempts refuse_change; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE ON audit.login_attempts FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

--
-- Name: row_changes refuse_change; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE ON audit.row_changes FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

--
-- Name: events refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.events FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: events_default refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.events_default FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: login_attempts refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.login_attempts FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: login_attempts_default refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.login_attempts_default FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: row_changes refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.row_changes FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: row_changes_default refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.row_changes_default FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: incidents derive_tenant; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER derive_tenant BEFORE INSERT ON threats.incidents FOR EACH ROW WHEN ((new.tenant_id IS NULL)) EXECUTE FUNCTION users.derive_tenant();

--
-- Name: incidents record_row_change; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON threats.incidents FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('threat_id', 'occurrence_count', 'last_detected_at');

--
-- Name: incidents touch_updated_at; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON threats.incidents FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: tenants create_default_policy; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER create_default_policy AFTER INSERT ON users.tenants FOR EACH ROW EXECUTE FUNCTION users.create_default_policy();

--
-- Name: api_keys derive_tenant; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER derive_tenant BEFORE INSERT ON users.api_keys FOR EACH ROW WHEN ((new.tenant_id IS NULL)) EXECUTE FUNCTION users.derive_tenant();

--
-- Name: users keep_home_membership; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER keep_home_membership AFTER INSERT OR UPDATE OF tenant_id, role ON users.users FOR EACH ROW EXECUTE FUNCTION users.keep_home_membership();

--
-- Name: api_keys record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.api_keys FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('key_id', 'last_used', 'usage_count');

--
-- Name: memberships record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.memberships FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('user_id');

--
-- Name: password_policies record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.password_policies FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('policy_id');

--
-- Name: tenants record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.tenants FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('tenant_id');

--
-- Name: users record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.users FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('user_id', 'failed_login_attempts', 'last_failed_login', 'last_login');

--
-- Name: password_policies touch_updated_at; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON users.password_policies FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: tenants touch_updated_at; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON users.tenants FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: users touch_updated_at; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON users.users FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: agent_tokens agent_tokens_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.agent_tokens
    ADD CONSTRAINT agent_tokens_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: endpoints endpoints_registered_via_key_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.endpoints
    ADD CONSTRAINT endpoints_registered_via_key_id_fkey FOREIGN KEY (tenant_id, registered_via_key_id) REFERENCES users.api_keys(tenant_id, key_id) ON DELETE SET NULL (registered_via_key_id);

--
-- Name: endpoints endpoints_tenant_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.endpoints
    ADD CONSTRAINT endpoints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: endpoints endpoints_user_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.endpoints
    ADD CONSTRAINT endpoints_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (user_id);

--
-- Name: events events_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events
    ADD CONSTRAINT events_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: gaps gaps_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.gaps
    ADD CONSTRAINT gaps_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: heartbeats heartbeats_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.heartbeats
    ADD CONSTRAINT heartbeats_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: streams streams_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.streams
    ADD CONSTRAINT streams_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: system_info system_info_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info
    ADD CONSTRAINT system_info_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: events events_tenant_id_fkey; Type: FK CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.events
    ADD CONSTRAINT events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: login_attempts login_attempts_tenant_id_fkey; Type: FK CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.login_attempts
    ADD CONSTRAINT login_attempts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: row_changes row_changes_tenant_id_fkey; Type: FK CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.row_changes
    ADD CONSTRAINT row_changes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: findings findings_agent_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.findings
    ADD CONSTRAINT findings_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: findings findings_threat_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.findings
    ADD CONSTRAINT findings_threat_id_fkey FOREIGN KEY (tenant_id, threat_id) REFERENCES threats.incidents(tenant_id, threat_id) ON DELETE CASCADE;

--
-- Name: incident_subjects incident_subjects_agent_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incident_subjects
    ADD CONSTRAINT incident_subjects_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: incident_subjects incident_subjects_threat_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incident_subjects
    ADD CONSTRAINT incident_subjects_threat_id_fkey FOREIGN KEY (tenant_id, threat_id) REFERENCES threats.incidents(tenant_id, threat_id) ON DELETE CASCADE;

--
-- Name: incident_timeline incident_timeline_threat_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incident_timeline
    ADD CONSTRAINT incident_timeline_threat_id_fkey FOREIGN KEY (tenant_id, threat_id) REFERENCES threats.incidents(tenant_id, threat_id) ON DELETE CASCADE;

--
-- Name: incidents incidents_agent_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incidents
    ADD CONSTRAINT incidents_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id);

--
-- Name: incidents incidents_assigned_to_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incidents
    ADD CONSTRAINT incidents_assigned_to_fkey FOREIGN KEY (tenant_id, assigned_to) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (assigned_to);

--
-- Name: incidents incidents_resolved_by_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.incidents
    ADD CONSTRAINT incidents_resolved_by_fkey FOREIGN KEY (tenant_id, resolved_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (resolved_by);

--
-- Name: occurrences occurrences_finding_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.occurrences
    ADD CONSTRAINT occurrences_finding_id_fkey FOREIGN KEY (finding_id) REFERENCES threats.findings(finding_id) ON DELETE CASCADE;

--
-- Name: api_keys api_keys_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.api_keys
    ADD CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.memberships(tenant_id, user_id);

--
-- Name: memberships memberships_granted_by_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.memberships
    ADD CONSTRAINT memberships_granted_by_fkey FOREIGN KEY (granted_by) REFERENCES users.users(user_id) ON DELETE SET NULL;

--
-- Name: memberships memberships_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.memberships
    ADD CONSTRAINT memberships_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: memberships memberships_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES users.users(user_id) ON DELETE CASCADE;

--
-- Name: password_policies password_policies_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.password_policies
    ADD CONSTRAINT password_policies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: sessions sessions_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: users users_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.users
    ADD CONSTRAINT users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: agent_tokens admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.agent_tokens TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: endpoints admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.endpoints TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: events admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.events TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: gaps admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.gaps TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: heartbeats admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.heartbeats TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: streams admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.streams TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: system_info admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.system_info TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: agent_tokens; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.agent_tokens ENABLE ROW LEVEL SECURITY;

--
-- Name: endpoints auth_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY auth_access ON agents.endpoints FOR SELECT TO sg_auth USING (true);

--
-- Name: agent_tokens backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.agent_tokens FOR SELECT TO sg_backup USING (true);

--
-- Name: endpoints backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.endpoints FOR SELECT TO sg_backup USING (true);

--
-- Name: events backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.events FOR SELECT TO sg_backup USING (true);

--
-- Name: gaps backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.gaps FOR SELECT TO sg_backup USING (true);

--
-- Name: heartbeats backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.heartbeats FOR SELECT TO sg_backup USING (true);

--
-- Name: streams backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.streams FOR SELECT TO sg_backup USING (true);

--
-- Name: system_info backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.system_info FOR SELECT TO sg_backup USING (true);

--
-- Name: endpoints; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.endpoints ENABLE ROW LEVEL SECURITY;

--
-- Name: events; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events ENABLE ROW LEVEL SECURITY;

--
-- Name: events_default; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events_default ENABLE ROW LEVEL SECURITY;

--
-- Name: gaps; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.gaps ENABLE ROW LEVEL SECURITY;

--
-- Name: heartbeats; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.heartbeats ENABLE ROW LEVEL SECURITY;

--
-- Name: agent_tokens own_scope; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_scope ON agents.agent_tokens AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (agent_id IN ( SELECT e.agent_id
   FROM agents.endpoints e))));

--
-- Name: endpoints own_scope; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_scope ON agents.endpoints AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: events own_scope; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_scope ON agents.events AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (agent_id IN ( SELECT e.agent_id
   FROM agents.endpoints e))));

--
-- Name: gaps own_scope; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_scope ON agents.gaps AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (agent_id IN ( SELECT e.agent_id
   FROM agents.endpoints e))));

--
-- Name: heartbeats own_scope; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_scope ON agents.heartbeats AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (agent_id IN ( SELECT e.agent_id
   FROM agents.endpoints e))));

--
-- Name: streams own_scope; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_scope ON agents.streams AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (agent_id IN ( SELECT e.agent_id
   FROM agents.endpoints e))));

--
-- Name: system_info own_scope; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_scope ON agents.system_info AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (agent_id IN ( SELECT e.agent_id
   FROM agents.endpoints e))));

--
-- Name: streams; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.streams ENABLE ROW LEVEL SECURITY;

--
-- Name: agent_tokens system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.agent_tokens TO sg_system USING (true) WITH CHECK (true);

--
-- Name: endpoints system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.endpoints TO sg_system USING (true) WITH CHECK (true);

--
-- Name: events system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.events TO sg_system USING (true) WITH CHECK (true);

--
-- Name: gaps system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.gaps TO sg_system USING (true) WITH CHECK (true);

--
-- Name: heartbeats system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.heartbeats TO sg_system USING (true) WITH CHECK (true);

--
-- Name: streams system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.streams TO sg_system USING (true) WITH CHECK (true);

--
-- Name: system_info system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.system_info TO sg_system USING (true) WITH CHECK (true);

--
-- Name: system_info; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_class_30; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_class_30 ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_class_30_default; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_class_30_default ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_class_400; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_class_400 ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_class_400_default; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_class_400_default ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_class_90; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_class_90 ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_class_90_default; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_class_90_default ENABLE ROW LEVEL SECURITY;

--
-- Name: agent_tokens tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.agent_tokens TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: endpoints tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.endpoints TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: events tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.events TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: gaps tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.gaps TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: heartbeats tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.heartbeats TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: streams tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.streams TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: system_info tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.system_info TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: events admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.events TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: login_attempts admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.login_attempts TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: row_changes admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.row_changes TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: row_changes auth_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY auth_access ON audit.row_changes FOR INSERT TO sg_auth WITH CHECK (true);

--
-- Name: events backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.events FOR SELECT TO sg_backup USING (true);

--
-- Name: login_attempts backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.login_attempts FOR SELECT TO sg_backup USING (true);

--
-- Name: row_changes backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.row_changes FOR SELECT TO sg_backup USING (true);

--
-- Name: events; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.events ENABLE ROW LEVEL SECURITY;

--
-- Name: events_default; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.events_default ENABLE ROW LEVEL SECURITY;

--
-- Name: login_attempts; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.login_attempts ENABLE ROW LEVEL SECURITY;

--
-- Name: login_attempts_default; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.login_attempts_default ENABLE ROW LEVEL SECURITY;

--
-- Name: events own_name_only; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY own_name_only ON audit.events AS RESTRICTIVE FOR INSERT TO sg_app WITH CHECK ((actor_id = (( SELECT users.current_user_id() AS current_user_id))::text));

--
-- Name: events own_scope; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY own_scope ON audit.events AS RESTRICTIVE FOR SELECT TO sg_app USING ((( SELECT users.current_scope() AS current_scope) = 'tenant'::text));

--
-- Name: login_attempts own_scope; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY own_scope ON audit.login_attempts AS RESTRICTIVE FOR SELECT TO sg_app USING ((( SELECT users.current_scope() AS current_scope) = 'tenant'::text));

--
-- Name: row_changes own_scope; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY own_scope ON audit.row_changes AS RESTRICTIVE FOR SELECT TO sg_app USING ((( SELECT users.current_scope() AS current_scope) = 'tenant'::text));

--
-- Name: row_changes; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.row_changes ENABLE ROW LEVEL SECURITY;

--
-- Name: row_changes_default; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.row_changes_default ENABLE ROW LEVEL SECURITY;

--
-- Name: events system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.events TO sg_system USING (true) WITH CHECK (true);

--
-- Name: login_attempts system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.login_attempts TO sg_system USING (true) WITH CHECK (true);

--
-- Name: row_changes system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.row_changes TO sg_system USING (true) WITH CHECK (true);

--
-- Name: events tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.events TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: login_attempts tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.login_attempts TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: row_changes tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.row_changes TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: findings admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.findings TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: incident_subjects admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.incident_subjects TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: incident_timeline admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.incident_timeline TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: incidents admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.incidents TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: occurrences admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.occurrences TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: findings backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.findings FOR SELECT TO sg_backup USING (true);

--
-- Name: incident_subjects backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.incident_subjects FOR SELECT TO sg_backup USING (true);

--
-- Name: incident_timeline backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.incident_timeline FOR SELECT TO sg_backup USING (true);

--
-- Name: incidents backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.incidents FOR SELECT TO sg_backup USING (true);

--
-- Name: occurrences backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.occurrences FOR SELECT TO sg_backup USING (true);

--
-- Name: findings; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.findings ENABLE ROW LEVEL SECURITY;

--
-- Name: incident_subjects; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.incident_subjects ENABLE ROW LEVEL SECURITY;

--
-- Name: incident_timeline; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.incident_timeline ENABLE ROW LEVEL SECURITY;

--
-- Name: incidents; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.incidents ENABLE ROW LEVEL SECURITY;

--
-- Name: occurrences; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.occurrences ENABLE ROW LEVEL SECURITY;

--
-- Name: findings own_scope; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_scope ON threats.findings AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (agent_id IN ( SELECT e.agent_id
   FROM agents.endpoints e))));

--
-- Name: incident_subjects own_scope; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_scope ON threats.incident_subjects AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (agent_id IN ( SELECT e.agent_id
   FROM agents.endpoints e))));

--
-- Name: incident_timeline own_scope; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_scope ON threats.incident_timeline AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (threat_id IN ( SELECT i.threat_id
   FROM threats.incidents i))));

--
-- Name: incidents own_scope; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_scope ON threats.incidents AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (agent_id IN ( SELECT e.agent_id
   FROM agents.endpoints e))));

--
-- Name: occurrences own_scope; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_scope ON threats.occurrences AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (finding_id IN ( SELECT f.finding_id
   FROM threats.findings f))));

--
-- Name: findings system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.findings TO sg_system USING (true) WITH CHECK (true);

--
-- Name: incident_subjects system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.incident_subjects TO sg_system USING (true) WITH CHECK (true);

--
-- Name: incident_timeline system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.incident_timeline TO sg_system USING (true) WITH CHECK (true);

--
-- Name: incidents system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.incidents TO sg_system USING (true) WITH CHECK (true);

--
-- Name: occurrences system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.occurrences TO sg_system USING (true) WITH CHECK (true);

--
-- Name: findings tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.findings TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: incident_subjects tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.incident_subjects TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: incident_timeline tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.incident_timeline TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: incidents tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.incidents TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: occurrences tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.occurrences TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: api_keys admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.api_keys TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: memberships admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.memberships TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: password_policies admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.password_policies TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: sessions admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.sessions TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: tenants admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.tenants TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: users admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.users TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: api_keys; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.api_keys ENABLE ROW LEVEL SECURITY;

--
-- Name: api_keys auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.api_keys FOR SELECT TO sg_auth USING (true);

--
-- Name: memberships auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.memberships TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: password_policies auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.password_policies TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: sessions auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.sessions TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: tenants auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.tenants FOR SELECT TO sg_auth USING (true);

--
-- Name: users auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.users TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: api_keys backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.api_keys FOR SELECT TO sg_backup USING (true);

--
-- Name: memberships backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.memberships FOR SELECT TO sg_backup USING (true);

--
-- Name: password_policies backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.password_policies FOR SELECT TO sg_backup USING (true);

--
-- Name: sessions backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.sessions FOR SELECT TO sg_backup USING (true);

--
-- Name: tenants backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.tenants FOR SELECT TO sg_backup USING (true);

--
-- Name: users backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.users FOR SELECT TO sg_backup USING (true);

--
-- Name: users member_visibility; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY member_visibility ON users.users FOR SELECT TO sg_app USING ((EXISTS ( SELECT 1
   FROM users.memberships m
  WHERE ((m.user_id = users.user_id) AND (m.tenant_id = ( SELECT users.current_tenant() AS current_tenant))))));

--
-- Name: memberships; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.memberships ENABLE ROW LEVEL SECURITY;

--
-- Name: memberships no_higher_role; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role ON users.memberships AS RESTRICTIVE FOR UPDATE TO sg_app USING ((users.role_rank((role)::text) <= users.role_rank(( SELECT users.current_member_role() AS current_member_role)))) WITH CHECK ((users.role_rank((role)::text) <= users.role_rank(( SELECT users.current_member_role() AS current_member_role))));

--
-- Name: users no_higher_role; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role ON users.users AS RESTRICTIVE FOR INSERT TO sg_app WITH CHECK ((users.role_rank((role)::text) <= users.role_rank(( SELECT users.current_member_role() AS current_member_role))));

--
-- Name: users no_higher_role_by_update; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role_by_update ON users.users AS RESTRICTIVE FOR UPDATE TO sg_app USING ((users.role_rank((role)::text) <= users.role_rank(( SELECT users.current_member_role() AS current_member_role)))) WITH CHECK ((users.role_rank((role)::text) <= users.role_rank(( SELECT users.current_member_role() AS current_member_role))));

--
-- Name: api_keys own_keys_only; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_keys_only ON users.api_keys AS RESTRICTIVE FOR INSERT TO sg_app WITH CHECK ((user_id = ( SELECT users.current_user_id() AS current_user_id)));

--
-- Name: api_keys own_scope; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_scope ON users.api_keys AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: memberships own_scope; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_scope ON users.memberships AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: sessions own_scope; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_scope ON users.sessions AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: users own_scope; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_scope ON users.users AS RESTRICTIVE TO sg_app USING (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) OR (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: password_policies; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.password_policies ENABLE ROW LEVEL SECURITY;

--
-- Name: sessions; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.sessions ENABLE ROW LEVEL SECURITY;

--
-- Name: api_keys system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.api_keys TO sg_system USING (true) WITH CHECK (true);

--
-- Name: memberships system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.memberships TO sg_system USING (true) WITH CHECK (true);

--
-- Name: password_policies system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.password_policies TO sg_system USING (true) WITH CHECK (true);

--
-- Name: sessions system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.sessions TO sg_system USING (true) WITH CHECK (true);

--
-- Name: tenants system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.tenants TO sg_system USING (true) WITH CHECK (true);

--
-- Name: users system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.users TO sg_system USING (true) WITH CHECK (true);

--
-- Name: api_keys tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.api_keys TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: memberships tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.memberships TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: password_policies tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.password_policies TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: sessions tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.sessions TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: tenants tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.tenants TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: users tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.users TO sg_app USING ((tenant_id = ( SELECT users.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: tenants; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.tenants ENABLE ROW LEVEL SECURITY;

--
-- Name: users; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.users ENABLE ROW LEVEL SECURITY;

--
-- Name: SCHEMA agents; Type: ACL; Schema: -; Owner: sg_owner
--

GRANT USAGE ON SCHEMA agents TO sg_app;
GRANT USAGE ON SCHEMA agents TO sg_auth;
GRANT USAGE ON SCHEMA agents TO sg_system;
GRANT USAGE ON SCHEMA agents TO sg_admin;
GRANT USAGE ON SCHEMA agents TO sg_backup;
GRANT USAGE ON SCHEMA agents TO sg_monitor;

--
-- Name: SCHEMA audit; Type: ACL; Schema: -; Owner: sg_owner
--

GRANT USAGE ON SCHEMA audit TO sg_app;
GRANT USAGE ON SCHEMA audit TO sg_auth;
GRANT USAGE ON SCHEMA audit TO sg_system;
GRANT USAGE ON SCHEMA audit TO sg_admin;
GRANT USAGE ON SCHEMA audit TO sg_backup;
GRANT USAGE ON SCHEMA audit TO sg_monitor;

--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: pg_database_owner
--

GRANT ALL ON SCHEMA public TO sg_owner;

--
-- Name: SCHEMA threats; Type: ACL; Schema: -; Owner: sg_owner
--

GRANT USAGE ON SCHEMA threats TO sg_app;
GRANT USAGE ON SCHEMA threats TO sg_auth;
GRANT USAGE ON SCHEMA threats TO sg_system;
GRANT USAGE ON SCHEMA threats TO sg_admin;
GRANT USAGE ON SCHEMA threats TO sg_backup;
GRANT USAGE ON SCHEMA threats TO sg_monitor;

--
-- Name: SCHEMA users; Type: ACL; Schema: -; Owner: sg_owner
--

GRANT USAGE ON SCHEMA users TO sg_app;
GRANT USAGE ON SCHEMA users TO sg_auth;
GRANT USAGE ON SCHEMA users TO sg_system;
GRANT USAGE ON SCHEMA users TO sg_admin;
GRANT USAGE ON SCHEMA users TO sg_backup;
GRANT USAGE ON SCHEMA users TO sg_monitor;

--
-- Name: FUNCTION create_partition(p_parent text, p_period text, p_day date); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.create_partition(p_parent text, p_period text, p_day date) FROM PUBLIC;

--
-- Name: FUNCTION drop_expired_partitions(p_at timestamp with time zone); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.drop_expired_partitions(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.drop_expired_partitions(p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION ensure_partitions(p_at timestamp with time zone, p_days_ahead integer); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.ensure_partitions(p_at timestamp with time zone, p_days_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.ensure_partitions(p_at timestamp with time zone, p_days_ahead integer) TO sg_system;

--
-- Name: FUNCTION partition_column(p_parent text); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.partition_column(p_parent text) FROM PUBLIC;

--
-- Name: FUNCTION record_row_change(); Type: ACL; Schema: audit; Owner: sg_auth
--

REVOKE ALL ON FUNCTION audit.record_row_change() FROM PUBLIC;

--
-- Name: FUNCTION refuse_change(); Type: ACL; Schema: audit; Owner: sg_owner
--

REVOKE ALL ON FUNCTION audit.refuse_change() FROM PUBLIC;

--
-- Name: FUNCTION authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_app;
GRANT ALL ON FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION begin_login_attempt(p_username text, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.begin_login_attempt(p_username text, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.begin_login_attempt(p_username text, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION complete_login(p_user_id uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.complete_login(p_user_id uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.complete_login(p_user_id uuid, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION context_mac(p_claims text); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.context_mac(p_claims text) FROM PUBLIC;

--
-- Name: FUNCTION create_default_policy(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.create_default_policy() FROM PUBLIC;

--
-- Name: FUNCTION current_member_role(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.current_member_role() FROM PUBLIC;
GRANT ALL ON FUNCTION users.current_member_role() TO sg_app;
GRANT ALL ON FUNCTION users.current_member_role() TO sg_system;
GRANT ALL ON FUNCTION users.current_member_role() TO sg_admin;

--
-- Name: FUNCTION current_scope(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.current_scope() FROM PUBLIC;
GRANT ALL ON FUNCTION users.current_scope() TO sg_app;
GRANT ALL ON FUNCTION users.current_scope() TO sg_system;
GRANT ALL ON FUNCTION users.current_scope() TO sg_admin;

--
-- Name: FUNCTION current_tenant(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.current_tenant() FROM PUBLIC;
GRANT ALL ON FUNCTION users.current_tenant() TO sg_app;
GRANT ALL ON FUNCTION users.current_tenant() TO sg_system;
GRANT ALL ON FUNCTION users.current_tenant() TO sg_admin;

--
-- Name: FUNCTION current_user_id(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.current_user_id() FROM PUBLIC;
GRANT ALL ON FUNCTION users.current_user_id() TO sg_app;
GRANT ALL ON FUNCTION users.current_user_id() TO sg_system;
GRANT ALL ON FUNCTION users.current_user_id() TO sg_admin;

--
-- Name: FUNCTION derive_tenant(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.derive_tenant() FROM PUBLIC;
GRANT ALL ON FUNCTION users.derive_tenant() TO sg_owner;

--
-- Name: FUNCTION enable_tenant_isolation(p_table text); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.enable_tenant_isolation(p_table text) FROM PUBLIC;

--
-- Name: FUNCTION find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION handle_failed_login(username_param text); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.handle_failed_login(username_param text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.handle_failed_login(username_param text) TO sg_system;
GRANT ALL ON FUNCTION users.handle_failed_login(username_param text) TO sg_admin;

--
-- Name: FUNCTION handle_successful_login(username_param text); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.handle_successful_login(username_param text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.handle_successful_login(username_param text) TO sg_system;
GRANT ALL ON FUNCTION users.handle_successful_login(username_param text) TO sg_admin;

--
-- Name: FUNCTION keep_home_membership(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.keep_home_membership() FROM PUBLIC;

--
-- Name: FUNCTION list_own_tenants(p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.list_own_tenants(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.list_own_tenants(p_at timestamp with time zone) TO sg_app;

--
-- Name: FUNCTION open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_app;
GRANT ALL ON FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_admin;

--
-- Name: FUNCTION role_rank(p_role text); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.role_rank(p_role text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.role_rank(p_role text) TO sg_app;
GRANT ALL ON FUNCTION users.role_rank(p_role text) TO sg_system;
GRANT ALL ON FUNCTION users.role_rank(p_role text) TO sg_admin;
GRANT ALL ON FUNCTION users.role_rank(p_role text) TO sg_auth;

--
-- Name: FUNCTION rotate_context_key(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.rotate_context_key() FROM PUBLIC;

--
-- Name: FUNCTION store_password(p_user_id uuid, p_password_hash text, p_must_change boolean, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.store_password(p_user_id uuid, p_password_hash text, p_must_change boolean, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.store_password(p_user_id uuid, p_password_hash text, p_must_change boolean, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION tenant_default(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.tenant_default() FROM PUBLIC;
GRANT ALL ON FUNCTION users.tenant_default() TO sg_app;
GRANT ALL ON FUNCTION users.tenant_default() TO sg_system;
GRANT ALL ON FUNCTION users.tenant_default() TO sg_admin;
GRANT ALL ON FUNCTION users.tenant_default() TO sg_auth;

--
-- Name: FUNCTION time_ordered_uuid(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.time_ordered_uuid() FROM PUBLIC;
GRANT ALL ON FUNCTION users.time_ordered_uuid() TO sg_app;
GRANT ALL ON FUNCTION users.time_ordered_uuid() TO sg_system;
GRANT ALL ON FUNCTION users.time_ordered_uuid() TO sg_admin;
GRANT ALL ON FUNCTION users.time_ordered_uuid() TO sg_auth;

--
-- Name: FUNCTION touch_updated_at(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.touch_updated_at() FROM PUBLIC;

--
-- Name: FUNCTION validate_password_strength(password text, min_length integer, require_uppercase boolean, require_lowercase boolean, require_numbers boolean, require_special_chars boolean); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.validate_password_strength(password text, min_length integer, require_uppercase boolean, require_lowercase boolean, require_numbers boolean, require_special_chars boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION users.validate_password_strength(password text, min_length integer, require_uppercase boolean, require_lowercase boolean, require_numbers boolean, require_special_chars boolean) TO sg_app;
GRANT ALL ON FUNCTION users.validate_password_strength(password text, min_length integer, require_uppercase boolean, require_lowercase boolean, require_numbers boolean, require_special_chars boolean) TO sg_system;
GRANT ALL ON FUNCTION users.validate_password_strength(password text, min_length integer, require_uppercase boolean, require_lowercase boolean, require_numbers boolean, require_special_chars boolean) TO sg_admin;

--
-- Name: FUNCTION verified_claims(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.verified_claims() FROM PUBLIC;

--
-- Name: TABLE agent_tokens; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.agent_tokens TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.agent_tokens TO sg_admin;
GRANT SELECT ON TABLE agents.agent_tokens TO sg_backup;

--
-- Name: COLUMN agent_tokens.tenant_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(tenant_id) ON TABLE agents.agent_tokens TO sg_app;

--
-- Name: COLUMN agent_tokens.agent_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(agent_id) ON TABLE agents.agent_tokens TO sg_app;

--
-- Name: COLUMN agent_tokens.created_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE agents.agent_tokens TO sg_app;

--
-- Name: COLUMN agent_tokens.revoked_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE agents.agent_tokens TO sg_app;

--
-- Name: COLUMN agent_tokens.revoke_reason; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(revoke_reason),UPDATE(revoke_reason) ON TABLE agents.agent_tokens TO sg_app;

--
-- Name: TABLE endpoints; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.endpoints TO sg_auth;
GRANT SELECT ON TABLE agents.endpoints TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.endpoints TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.endpoints TO sg_admin;
GRANT SELECT ON TABLE agents.endpoints TO sg_backup;

--
-- Name: COLUMN endpoints.device_name; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(device_name) ON TABLE agents.endpoints TO sg_app;

--
-- Name: COLUMN endpoints.status; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(status) ON TABLE agents.endpoints TO sg_app;

--
-- Name: COLUMN endpoints.user_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(user_id) ON TABLE agents.endpoints TO sg_app;

--
-- Name: COLUMN endpoints.decommissioned_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(decommissioned_at) ON TABLE agents.endpoints TO sg_app;

--
-- Name: TABLE events; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.events TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.events TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.events TO sg_admin;
GRANT SELECT ON TABLE agents.events TO sg_backup;

--
-- Name: TABLE events_default; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.events_default TO sg_backup;

--
-- Name: TABLE gaps; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.gaps TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.gaps TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.gaps TO sg_admin;
GRANT SELECT ON TABLE agents.gaps TO sg_backup;

--
-- Name: TABLE heartbeats; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.heartbeats TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.heartbeats TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.heartbeats TO sg_admin;
GRANT SELECT ON TABLE agents.heartbeats TO sg_backup;

--
-- Name: TABLE partition_schemes; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.partition_schemes TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.partition_schemes TO sg_admin;
GRANT SELECT ON TABLE agents.partition_schemes TO sg_backup;

--
-- Name: TABLE streams; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.streams TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.streams TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.streams TO sg_admin;
GRANT SELECT ON TABLE agents.streams TO sg_backup;

--
-- Name: TABLE system_info; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.system_info TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.system_info TO sg_admin;
GRANT SELECT ON TABLE agents.system_info TO sg_backup;

--
-- Name: TABLE system_info_class_30; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info_class_30 TO sg_backup;

--
-- Name: TABLE system_info_class_30_default; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info_class_30_default TO sg_backup;

--
-- Name: TABLE system_info_class_400; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info_class_400 TO sg_backup;

--
-- Name: TABLE system_info_class_400_default; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info_class_400_default TO sg_backup;

--
-- Name: TABLE system_info_class_90; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info_class_90 TO sg_backup;

--
-- Name: TABLE system_info_class_90_default; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info_class_90_default TO sg_backup;

--
-- Name: TABLE adoption_report; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT,INSERT ON TABLE audit.adoption_report TO sg_system;
GRANT SELECT ON TABLE audit.adoption_report TO sg_admin;
GRANT SELECT ON TABLE audit.adoption_report TO sg_backup;

--
-- Name: SEQUENCE adoption_report_entry_id_seq; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT,USAGE ON SEQUENCE audit.adoption_report_entry_id_seq TO sg_backup;
GRANT SELECT,USAGE ON SEQUENCE audit.adoption_report_entry_id_seq TO sg_system;

--
-- Name: TABLE events; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT,INSERT ON TABLE audit.events TO sg_app;
GRANT SELECT,INSERT ON TABLE audit.events TO sg_system;
GRANT SELECT,INSERT ON TABLE audit.events TO sg_admin;
GRANT SELECT ON TABLE audit.events TO sg_backup;

--
-- Name: TABLE events_default; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT ON TABLE audit.events_default TO sg_backup;

--
-- Name: TABLE login_attempts; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT ON TABLE audit.login_attempts TO sg_app;
GRANT SELECT,INSERT ON TABLE audit.login_attempts TO sg_system;
GRANT SELECT ON TABLE audit.login_attempts TO sg_admin;
GRANT SELECT ON TABLE audit.login_attempts TO sg_backup;

--
-- Name: TABLE login_attempts_default; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT ON TABLE audit.login_attempts_default TO sg_backup;

--
-- Name: TABLE row_changes; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT ON TABLE audit.row_changes TO sg_auth;
GRANT SELECT ON TABLE audit.row_changes TO sg_app;
GRANT SELECT,INSERT ON TABLE audit.row_changes TO sg_system;
GRANT SELECT,INSERT ON TABLE audit.row_changes TO sg_admin;
GRANT SELECT ON TABLE audit.row_changes TO sg_backup;

--
-- Name: TABLE row_changes_default; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT ON TABLE audit.row_changes_default TO sg_backup;

--
-- Name: TABLE findings; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.findings TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.findings TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.findings TO sg_admin;
GRANT SELECT ON TABLE threats.findings TO sg_backup;

--
-- Name: TABLE incident_subjects; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT,DELETE ON TABLE threats.incident_subjects TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incident_subjects TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incident_subjects TO sg_admin;
GRANT SELECT ON TABLE threats.incident_subjects TO sg_backup;

--
-- Name: TABLE incident_timeline; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT,INSERT ON TABLE threats.incident_timeline TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incident_timeline TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incident_timeline TO sg_admin;
GRANT SELECT ON TABLE threats.incident_timeline TO sg_backup;

--
-- Name: TABLE incidents; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.incidents TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incidents TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incidents TO sg_admin;
GRANT SELECT ON TABLE threats.incidents TO sg_backup;

--
-- Name: COLUMN incidents.status; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(status) ON TABLE threats.incidents TO sg_app;

--
-- Name: COLUMN incidents.assigned_to; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(assigned_to) ON TABLE threats.incidents TO sg_app;

--
-- Name: COLUMN incidents.resolved_by; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(resolved_by) ON TABLE threats.incidents TO sg_app;

--
-- Name: COLUMN incidents.resolution_notes; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(resolution_notes) ON TABLE threats.incidents TO sg_app;

--
-- Name: COLUMN incidents.resolved_at; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(resolved_at) ON TABLE threats.incidents TO sg_app;

--
-- Name: TABLE occurrences; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.occurrences TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.occurrences TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.occurrences TO sg_admin;
GRANT SELECT ON TABLE threats.occurrences TO sg_backup;

--
-- Name: TABLE rule_packages; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.rule_packages TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.rule_packages TO sg_admin;
GRANT SELECT ON TABLE threats.rule_packages TO sg_backup;

--
-- Name: TABLE api_keys; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.api_keys TO sg_auth;
GRANT INSERT ON TABLE users.api_keys TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.api_keys TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.api_keys TO sg_admin;
GRANT SELECT ON TABLE users.api_keys TO sg_backup;

--
-- Name: COLUMN api_keys.key_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(key_id) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_id) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.key_name; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(key_name) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.key_prefix; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(key_prefix) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.is_active; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(is_active),UPDATE(is_active) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.expires_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(expires_at) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.last_used; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(last_used) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.usage_count; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(usage_count) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(tenant_id) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.scopes; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(scopes) ON TABLE users.api_keys TO sg_app;

--
-- Name: COLUMN api_keys.revoked_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE users.api_keys TO sg_app;

--
-- Name: TABLE context_keys; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.context_keys TO sg_auth;

--
-- Name: TABLE memberships; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE users.memberships TO sg_auth;
GRANT SELECT ON TABLE users.memberships TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.memberships TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.memberships TO sg_admin;
GRANT SELECT ON TABLE users.memberships TO sg_backup;

--
-- Name: COLUMN memberships.role; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(role) ON TABLE users.memberships TO sg_app;

--
-- Name: COLUMN memberships.expires_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(expires_at) ON TABLE users.memberships TO sg_app;

--
-- Name: TABLE password_policies; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE users.password_policies TO sg_auth;
GRANT SELECT ON TABLE users.password_policies TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.password_policies TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.password_policies TO sg_admin;
GRANT SELECT ON TABLE users.password_policies TO sg_backup;

--
-- Name: COLUMN password_policies.min_length; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(min_length) ON TABLE users.password_policies TO sg_app;

--
-- Name: COLUMN password_policies.require_uppercase; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(require_uppercase) ON TABLE users.password_policies TO sg_app;

--
-- Name: COLUMN password_policies.require_lowercase; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(require_lowercase) ON TABLE users.password_policies TO sg_app;

--
-- Name: COLUMN password_policies.require_numbers; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(require_numbers) ON TABLE users.password_policies TO sg_app;

--
-- Name: COLUMN password_policies.require_special_chars; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(require_special_chars) ON TABLE users.password_policies TO sg_app;

--
-- Name: COLUMN password_policies.max_age_days; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(max_age_days) ON TABLE users.password_policies TO sg_app;

--
-- Name: COLUMN password_policies.history_count; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(history_count) ON TABLE users.password_policies TO sg_app;

--
-- Name: COLUMN password_policies.max_failed_attempts; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(max_failed_attempts) ON TABLE users.password_policies TO sg_app;

--
-- Name: COLUMN password_policies.lockout_duration_minutes; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(lockout_duration_minutes) ON TABLE users.password_policies TO sg_app;

--
-- Name: TABLE sessions; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,UPDATE ON TABLE users.sessions TO sg_auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.sessions TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.sessions TO sg_admin;
GRANT SELECT ON TABLE users.sessions TO sg_backup;

--
-- Name: COLUMN sessions.session_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(session_id) ON TABLE users.sessions TO sg_app;

--
-- Name: COLUMN sessions.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(tenant_id) ON TABLE users.sessions TO sg_app;

--
-- Name: COLUMN sessions.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_id) ON TABLE users.sessions TO sg_app;

--
-- Name: COLUMN sessions.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE users.sessions TO sg_app;

--
-- Name: COLUMN sessions.last_seen_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(last_seen_at) ON TABLE users.sessions TO sg_app;

--
-- Name: COLUMN sessions.expires_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(expires_at) ON TABLE users.sessions TO sg_app;

--
-- Name: COLUMN sessions.ended_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(ended_at),UPDATE(ended_at) ON TABLE users.sessions TO sg_app;

--
-- Name: COLUMN sessions.end_reason; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(end_reason),UPDATE(end_reason) ON TABLE users.sessions TO sg_app;

--
-- Name: COLUMN sessions.address; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(address) ON TABLE users.sessions TO sg_app;

--
-- Name: COLUMN sessions.user_agent; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_agent) ON TABLE users.sessions TO sg_app;

--
-- Name: TABLE tenants; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.tenants TO sg_auth;
GRANT SELECT ON TABLE users.tenants TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.tenants TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.tenants TO sg_admin;
GRANT SELECT ON TABLE users.tenants TO sg_backup;

--
-- Name: TABLE users; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE users.users TO sg_auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.users TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.users TO sg_admin;
GRANT SELECT ON TABLE users.users TO sg_backup;

--
-- Name: COLUMN users.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_id),INSERT(user_id) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.username; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(username),INSERT(username) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.email; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(email),INSERT(email),UPDATE(email) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.password_hash; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(password_hash) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.full_name; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(full_name),INSERT(full_name),UPDATE(full_name) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.is_active; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(is_active),UPDATE(is_active) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(tenant_id),INSERT(tenant_id) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.updated_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(updated_at) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.last_login; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(last_login) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.must_change_password; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(must_change_password),INSERT(must_change_password) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.password_last_changed; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(password_last_changed) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.failed_login_attempts; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(failed_login_attempts) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.account_locked_until; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(account_locked_until),UPDATE(account_locked_until) ON TABLE users.users TO sg_app;

--
-- Name: COLUMN users.role; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(role),INSERT(role),UPDATE(role) ON TABLE users.users TO sg_app;

--
-- Name: DEFAULT PRIVILEGES FOR FUNCTIONS; Type: DEFAULT ACL; Schema: -; Owner: sg_owner
--

ALTER DEFAULT PRIVILEGES FOR ROLE sg_owner REVOKE ALL ON FUNCTIONS  FROM PUBLIC;

--
-- PostgreSQL database dump complete
--

