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
-- Name: monitoring; Type: SCHEMA; Schema: -; Owner: sg_owner
--

CREATE SCHEMA monitoring;

ALTER SCHEMA monitoring OWNER TO sg_owner;

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
-- Name: backfill_rollups(); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.backfill_rollups() RETURNS date
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    a_day date;
begin
    delete from agents.rollup_backfill b
    where b.day = (select n.day from agents.rollup_backfill n order by n.day desc limit 1 for update skip locked)
    returning b.day into a_day;
    if a_day is null then
        return null;
    end if;
    insert into agents.rollup_queue (tenant_id, agent_id, hour_at)
    select distinct i.tenant_id, i.agent_id, date_trunc('hour', i.collected_at, 'UTC')
    from agents.system_info i
    where i.collected_at >= a_day::timestamp at time zone 'UTC' and i.collected_at < (a_day + 1)::timestamp at time zone 'UTC'
    order by 2, 3
    on conflict (agent_id, hour_at) do update set marked_at = excluded.marked_at;
    return a_day;
end
$$;

ALTER FUNCTION agents.backfill_rollups() OWNER TO sg_owner;

--
-- Name: begin_heartbeat(); Type: FUNCTION; Schema: agents; Owner: sg_auth
--

CREATE FUNCTION agents.begin_heartbeat() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into agents.heartbeats (agent_id, tenant_id, online)
    select e.agent_id, e.tenant_id, false from agents.endpoints e where e.agent_id = new.agent_id
    on conflict do nothing;
    return null;
end
$$;

ALTER FUNCTION agents.begin_heartbeat() OWNER TO sg_auth;

--
-- Name: command_is_dangerous(text); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.command_is_dangerous(p_kind text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select case
        when p_kind in ('collect_diagnostics', 'list_processes', 'scan_path', 'refresh_rules') then false
        when p_kind in ('collect_file', 'kill_process', 'quarantine_file', 'restore_file', 'isolate_network', 'release_network', 'restart_agent',
            'update_agent', 'run_script') then true
    end
$$;

ALTER FUNCTION agents.command_is_dangerous(p_kind text) OWNER TO sg_owner;

--
-- Name: command_may_become(text, text); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.command_may_become(p_from text, p_to text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select coalesce(p_to = any (case p_from
        when 'pending' then array['approved', 'sent', 'rejected', 'cancelled', 'expired']
        when 'approved' then array['sent', 'rejected', 'cancelled', 'expired']
        when 'sent' then array['running', 'succeeded', 'failed', 'rejected', 'expired']
        when 'running' then array['succeeded', 'failed', 'expired']
    end), false)
$$;

ALTER FUNCTION agents.command_may_become(p_from text, p_to text) OWNER TO sg_owner;

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
    partition_name text;
    default_partition text := p_parent || '_default';
    strays text;
    has_strays boolean := false;
    neighbour record;
    a_trigger record;
begin
    for neighbour in select b.lower_bound, b.upper_bound from agents.partition_bounds(p_parent) b order by b.lower_bound loop
        if neighbour.lower_bound <= lower_bound and neighbour.upper_bound > lower_bound then
            lower_bound := neighbour.upper_bound;
        elsif neighbour.lower_bound > lower_bound then
            upper_bound := least(upper_bound, neighbour.lower_bound);
        end if;
    end loop;
    if lower_bound >= upper_bound then
        return false;
    end if;
    partition_name := p_parent || '_' || to_char(lower_bound at time zone 'UTC', 'YYYYMMDD');
    execute format('create table %s (like %s including all)', partition_name, p_parent);
    -- A statement trigger of the parent does not see a truncate of the partition.
    for a_trigger in
        select t.tgname, t.tgfoid::regproc::text as function_name from pg_trigger t
        where t.tgrelid = to_regclass(p_parent) and t.tgname = 'refuse_truncate'
    loop
        execute format('create trigger %I before truncate on %s execute function %s()', a_trigger.tgname, partition_name,
            a_trigger.function_name);
    end loop;
    -- Rows that came before their partition wait in the default one, and the partition cannot be made beside them: they step aside first. Row
    -- security is lifted for the owner, and the refusal of deletes for this move, while nobody else reaches the table: its lock lasts until the
    -- commit. They come back by insert, since a partition that is attached with rows has its foreign keys checked under row security.
    if to_regclass(default_partition) is not null then
        strays := format('%1$I >= %2$L and %1$I < %3$L', agents.partition_column(p_parent), lower_bound, upper_bound);
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
    execute format('alter table %s attach partition %s for values from (%L) to (%L)', p_parent, partition_name, lower_bound, upper_bound);
    if has_strays then
        execute format('alter table %s disable trigger user', partition_name);
        execute format('insert into %s select * from agents.strays', partition_name);
        execute format('alter table %s enable trigger user', partition_name);
        drop table agents.strays;
    end if;
    -- Whoever were granted a partition directly would meet no policy of the parent: with row security on and no policy they read nothing.
    execute format('alter table %s enable row level security, force row level security', partition_name);
    return true;
end
$_$;

ALTER FUNCTION agents.create_partition(p_parent text, p_period text, p_day date) OWNER TO sg_owner;

--
-- Name: drop_expired_partitions(timestamp with time zone, integer); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.drop_expired_partitions(p_at timestamp with time zone, p_limit integer DEFAULT NULL::integer) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '60s'
    AS $$
declare
    expired record;
    is_held boolean;
    has_agent boolean;
    dropped integer := 0;
begin
    perform pg_advisory_xact_lock(hashtextextended('agents.ensure_partitions', 0));
    -- A hold that is placed from here on waits for the commit.
    lock table agents.legal_holds in share row exclusive mode;
    perform set_config('lock_timeout', '500ms', true);
    for expired in
        select x.parent_table, x.partition_name, x.lower_bound, x.upper_bound
        from agents.list_expired_partitions(p_at) x order by x.upper_bound, x.partition_name
    loop
        exit when dropped >= p_limit;
        begin
            is_held := exists (select from agents.legal_holds h where h.released_at is null and h.from_at < expired.upper_bound
                and (h.to_at is null or h.to_at > expired.lower_bound));
            if is_held then
                has_agent := exists (select from pg_attribute a where a.attrelid = to_regclass(expired.partition_name)
                    and a.attname = 'agent_id' and not a.attisdropped);
                execute format('alter table %s no force row level security', expired.partition_name);
                execute format('select exists (select from %s r where %s)', expired.partition_name,
                    agents.hold_condition('r', agents.partition_column(expired.parent_table), has_agent)) into is_held;
                execute format('alter table %s force row level security', expired.partition_name);
            end if;
            if not is_held then
                execute format('drop table %s', expired.partition_name);
                dropped := dropped + 1;
                return next expired.partition_name;
            end if;
        exception when lock_not_available then
            raise warning 'the expired partition % waits for the next run: it is in use', expired.partition_name;
        end;
    end loop;
end
$$;

ALTER FUNCTION agents.drop_expired_partitions(p_at timestamp with time zone, p_limit integer) OWNER TO sg_owner;

--
-- Name: ensure_partition_of(text, timestamp with time zone); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.ensure_partition_of(p_parent text, p_at timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '60s'
    AS $$
declare
    scheme record;
begin
    select s.parent_table, s.period into scheme from agents.partition_schemes s where s.parent_table = p_parent;
    if not found then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('agents.ensure_partitions', 0));
    perform set_config('lock_timeout', '500ms', true);
    return agents.create_partition(scheme.parent_table, scheme.period, (p_at at time zone 'UTC')::date);
exception when lock_not_available then
    return false;
end
$$;

ALTER FUNCTION agents.ensure_partition_of(p_parent text, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: ensure_partitions(timestamp with time zone, integer, integer); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.ensure_partitions(p_at timestamp with time zone, p_ahead integer, p_limit integer DEFAULT NULL::integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '60s'
    AS $$
declare
    missing record;
    created integer := 0;
begin
    -- One node at a time; a second one waits and finds the work done.
    perform pg_advisory_xact_lock(hashtextextended('agents.ensure_partitions', 0));
    perform set_config('lock_timeout', '500ms', true);
    for missing in
        with bounds as materialized (
            select s.parent_table, b.lower_bound, b.upper_bound
            from agents.partition_schemes s cross join lateral agents.partition_bounds(s.parent_table) b
        )
        select s.parent_table, s.period, d.day::date as day
        from agents.partition_schemes s
        cross join lateral generate_series(
            date_trunc(s.period, (p_at at time zone 'UTC') - interval '2 days'),
            date_trunc(s.period, p_at at time zone 'UTC') + p_ahead * ('1 ' || s.period)::interval,
            ('1 ' || s.period)::interval) as d (day)
        where to_regclass(s.parent_table) is not null
            and not exists (
                select from bounds b where b.parent_table = s.parent_table and b.lower_bound <= d.day at time zone 'UTC'
                    and b.upper_bound >= (d.day + ('1 ' || s.period)::interval) at time zone 'UTC')
        order by d.day, s.parent_table
    loop
        exit when created >= p_limit;
        begin
            created := created + agents.create_partition(missing.parent_table, missing.period, missing.day)::integer;
        exception when lock_not_available then
            raise warning 'the partition of % for % waits for the next run: its default partition is in use', missing.parent_table, missing.day;
        end;
    end loop;
    return created;
end
$$;

ALTER FUNCTION agents.ensure_partitions(p_at timestamp with time zone, p_ahead integer, p_limit integer) OWNER TO sg_owner;

--
-- Name: guard_command(); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.guard_command() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    changed text[];
begin
    if tg_op = 'INSERT' then
        new.dangerous := agents.command_is_dangerous(new.kind);
        if new.state <> 'pending' or num_nonnulls(new.approved_by, new.approved_at, new.approval, new.signature, new.signing_key_id, new.sent_at,
            new.started_at, new.finished_at, new.closed_by, new.close_reason) > 0
        then
            raise exception 'a command begins as pending, with nothing done yet'
                using errcode = 'check_violation', constraint = 'commands_workflow_check';
        end if;
        return new;
    end if;
    select coalesce(array_agg(n.key), '{}') into changed
    from jsonb_each(to_jsonb(new)) n join jsonb_each(to_jsonb(old)) o on o.key = n.key
    where n.value is distinct from o.value;
    if old.state = new.state then
        -- A repeat of what was done changes nothing, and nothing else may change by the way.
        if cardinality(changed) > 0 then
            raise exception 'a command changes only with its state: % of a command that is %', array_to_string(changed, ', '), old.state
                using errcode = 'check_violation', constraint = 'commands_workflow_check';
        end if;
        return new;
    end if;
    if not agents.command_may_become(old.state, new.state) then
        raise exception 'a command that is % cannot become %', old.state, new.state
            using errcode = 'check_violation', constraint = 'commands_workflow_check';
    end if;
    -- Each step writes its own columns, and no other.
    if not changed <@ (array['state'] || case new.state
        when 'approved' then array['approved_by', 'approved_at', 'approval']
        when 'sent' then array['sent_at', 'signature', 'signing_key_id']
        when 'running' then array['started_at']
        when 'succeeded' then array['started_at', 'finished_at']
        when 'failed' then array['started_at', 'finished_at']
        else array['finished_at', 'closed_by', 'close_reason']
    end)
    then
        raise exception 'the step to % does not write %', new.state, array_to_string(changed, ', ')
            using errcode = 'check_violation', constraint = 'commands_workflow_check';
    end if;
    if (new.state = 'approved' and (new.approved_by is null or new.approval is null))
        or (new.state = 'sent' and (new.sent_at is null or new.sent_at >= new.expires_at))
        or (new.state = 'running' and new.started_at is null)
        or (new.state not in ('approved', 'sent', 'running') and new.finished_at is null)
        or (new.state = 'expired' and new.finished_at < new.expires_at)
        -- What was handed out is refused by its endpoint alone: it may be at it already.
        or (old.state = 'sent' and new.closed_by is not null)
    then
        raise exception 'the step to % lacks its time or its person, or comes at the wrong time', new.state
            using errcode = 'check_violation', constraint = 'commands_workflow_check';
    end if;
    return new;
end
$$;

ALTER FUNCTION agents.guard_command() OWNER TO sg_owner;

--
-- Name: guard_command_result(); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.guard_command_result() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if tg_op = 'DELETE' then
        if pg_trigger_depth() > 1
            or current_user = 'sg_system'
                and exists (select from users.tenants t where t.tenant_id = old.tenant_id and t.status = 'erased')
        then
            return old;
        end if;
    end if;
    raise exception 'results of commands are append-only: % is refused', lower(tg_op) using errcode = 'insufficient_privilege';
end
$$;

ALTER FUNCTION agents.guard_command_result() OWNER TO sg_owner;

--
-- Name: guard_legal_hold(); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.guard_legal_hold() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if (new.hold_id, new.tenant_id, new.agent_id, new.from_at, new.to_at, new.reason, new.placed_by, new.placed_at)
        is distinct from (old.hold_id, old.tenant_id, old.agent_id, old.from_at, old.to_at, old.reason, old.placed_by, old.placed_at)
        or (old.released_at is not null and (new.released_at, new.released_by) is distinct from (old.released_at, old.released_by))
    then
        raise exception 'a legal hold is released, and nothing else of it changes; place another one'
            using errcode = 'check_violation', constraint = 'legal_holds_unchanging_check';
    end if;
    return new;
end
$$;

ALTER FUNCTION agents.guard_legal_hold() OWNER TO sg_owner;

--
-- Name: hold_condition(text, text, boolean); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.hold_condition(p_alias text, p_time_column text, p_has_agent boolean) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    select format('exists (select from agents.legal_holds h where h.released_at is null and h.tenant_id = %1$I.tenant_id
        and (h.agent_id is null %3$s) and h.from_at <= %1$I.%2$I and (h.to_at is null or h.to_at > %1$I.%2$I))',
        p_alias, p_time_column, case when p_has_agent then format('or h.agent_id = %I.agent_id', p_alias) end)
$_$;

ALTER FUNCTION agents.hold_condition(p_alias text, p_time_column text, p_has_agent boolean) OWNER TO sg_owner;

--
-- Name: list_default_rows(); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.list_default_rows() RETURNS TABLE(parent_table text, row_count bigint, oldest_at timestamp with time zone, newest_at timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
    scheme record;
    conditions text;
begin
    for scheme in
        select s.parent_table, coalesce(s.read_table, s.parent_table) as read_table, s.read_condition,
            agents.partition_column(s.parent_table) as time_column
        from agents.partition_schemes s where to_regclass(s.parent_table) is not null order by s.parent_table
    loop
        select string_agg(
            format('select %1$I as at from (select %1$I from %2$s where %3$s and %1$I >= %4$L and %1$I < %5$L limit 1000) r',
                scheme.time_column, scheme.read_table, scheme.read_condition, h.from_at, h.to_at), ' union all ')
        into conditions from agents.partition_holes(scheme.parent_table) h;
        if conditions is null then
            continue;
        end if;
        return query execute format(
            'select %L::text, count(*), min(w.at), max(w.at) from (select u.at from (%s) u limit 1000) w', scheme.parent_table, conditions);
    end loop;
end
$_$;

ALTER FUNCTION agents.list_default_rows() OWNER TO sg_owner;

--
-- Name: list_expired_partitions(timestamp with time zone); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.list_expired_partitions(p_at timestamp with time zone) RETURNS TABLE(parent_table text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select s.parent_table, b.partition_name, b.lower_bound, b.upper_bound
    from agents.partition_schemes s
    cross join lateral agents.partition_bounds(s.parent_table) b
    -- A partition from the beginning of time holds what an earlier database left; that is a person's decision.
    where s.keep_days is not null and isfinite(b.lower_bound) and isfinite(b.upper_bound)
        and b.upper_bound < p_at - make_interval(days => s.keep_days)
$$;

ALTER FUNCTION agents.list_expired_partitions(p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: list_partitions_ahead(timestamp with time zone); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.list_partitions_ahead(p_at timestamp with time zone) RETURNS TABLE(parent_table text, period text, ahead integer)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    with bounds as materialized (
        select s.parent_table, b.lower_bound, b.upper_bound
        from agents.partition_schemes s cross join lateral agents.partition_bounds(s.parent_table) b
    )
    select s.parent_table, s.period, coalesce(min(k.number) filter (where b.parent_table is null), 13)::integer - 1
    from agents.partition_schemes s
    cross join generate_series(0, 12) as k (number)
    cross join lateral (
        select (date_trunc(s.period, p_at at time zone 'UTC') + k.number * ('1 ' || s.period)::interval) at time zone 'UTC' as start
    ) m
    left join bounds b on b.parent_table = s.parent_table and b.lower_bound <= greatest(m.start, case k.number when 0 then p_at end)
        and b.upper_bound > greatest(m.start, case k.number when 0 then p_at end)
    where to_regclass(s.parent_table) is not null
    group by s.parent_table, s.period
$$;

ALTER FUNCTION agents.list_partitions_ahead(p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: look_again(); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.look_again() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    update agents.deadlines d set look_at = '-infinity' where d.agent_id = new.agent_id;
    return null;
end
$$;

ALTER FUNCTION agents.look_again() OWNER TO sg_owner;

--
-- Name: move_held_rows(timestamp with time zone); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.move_held_rows(p_at timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    expired record;
    held text;
    moved bigint := 0;
    moved_here bigint;
begin
    if not exists (select from agents.legal_holds h where h.released_at is null) then
        return 0;
    end if;
    for expired in
        select s.parent_table, coalesce(s.read_table, s.parent_table) as read_table, s.read_condition, s.held_table, s.held_class,
            agents.partition_column(s.parent_table) as time_column, x.lower_bound, x.upper_bound
        from agents.list_expired_partitions(p_at) x
        join agents.partition_schemes s on s.parent_table = x.parent_table
        where (s.held_table is not null or s.held_class is not null)
            and exists (select from agents.legal_holds h where h.released_at is null and h.from_at < x.upper_bound
                and (h.to_at is null or h.to_at > x.lower_bound))
        order by x.upper_bound
    loop
        held := format('%s and r.%I >= %L and r.%I < %L and %s', expired.read_condition, expired.time_column, expired.lower_bound,
            expired.time_column, expired.upper_bound, agents.hold_condition('r', expired.time_column, true));
        if expired.held_class is not null then
            execute format('update %s r set retention_class = %s where %s', expired.read_table, expired.held_class, held);
        else
            execute format('with moved as (delete from %s r where %s returning r.*) insert into %s select * from moved',
                expired.read_table, held, expired.held_table);
        end if;
        get diagnostics moved_here = row_count;
        moved := moved + moved_here;
    end loop;
    return moved;
end
$$;

ALTER FUNCTION agents.move_held_rows(p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: note_hours_to_roll_up(); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.note_hours_to_roll_up() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    -- Rows in conflict are locked whether the condition holds or not.
    insert into agents.rollup_queue as q (tenant_id, agent_id, hour_at)
    select distinct a.tenant_id, a.agent_id, date_trunc('hour', a.collected_at, 'UTC') from added a order by 2, 3
    on conflict (agent_id, hour_at) do update set marked_at = q.marked_at where false;
    return null;
end
$$;

ALTER FUNCTION agents.note_hours_to_roll_up() OWNER TO sg_owner;

--
-- Name: own_endpoints(); Type: FUNCTION; Schema: agents; Owner: sg_auth
--

CREATE FUNCTION agents.own_endpoints() RETURNS uuid[]
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select coalesce(array_agg(e.agent_id), '{}')
    from agents.endpoints e
    where e.tenant_id = users.current_tenant() and e.user_id = users.current_user_id()
$$;

ALTER FUNCTION agents.own_endpoints() OWNER TO sg_auth;

--
-- Name: partition_bounds(text); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.partition_bounds(p_parent text) RETURNS TABLE(partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO'
    AS $_$
    select i.inhrelid::regclass::text,
        case b.bounds[1] when 'MINVALUE' then '-infinity' else btrim(b.bounds[1], '''') end::timestamptz,
        case b.bounds[2] when 'MAXVALUE' then 'infinity' else btrim(b.bounds[2], '''') end::timestamptz
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p')
    cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') as b (bounds)
    where i.inhparent = to_regclass(p_parent) and b.bounds is not null
$_$;

ALTER FUNCTION agents.partition_bounds(p_parent text) OWNER TO sg_owner;

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
-- Name: partition_holes(text); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.partition_holes(p_parent text) RETURNS TABLE(from_at timestamp with time zone, to_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select h.from_at, h.to_at
    from (
        select coalesce(lag(b.upper_bound) over (order by b.lower_bound), '-infinity') as from_at, b.lower_bound as to_at
        from agents.partition_bounds(p_parent) b
        union all
        select coalesce(max(b.upper_bound), '-infinity'), 'infinity' from agents.partition_bounds(p_parent) b
    ) h
    where h.from_at < h.to_at
$$;

ALTER FUNCTION agents.partition_holes(p_parent text) OWNER TO sg_owner;

--
-- Name: roll_up(timestamp with time zone, integer); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.roll_up(p_at timestamp with time zone, p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    agent_ids uuid[];
    hours timestamptz[];
    tenant_ids uuid[];
begin
    with due as (
        select q.agent_id, q.hour_at from agents.rollup_queue q
        where q.hour_at <= p_at - interval '1 hour'
        order by q.hour_at, q.agent_id limit p_limit for update skip locked
    ), taken as (
        delete from agents.rollup_queue q using due d where q.agent_id = d.agent_id and q.hour_at = d.hour_at
        returning q.tenant_id, q.agent_id, q.hour_at
    )
    select array_agg(t.tenant_id), array_agg(t.agent_id), array_agg(t.hour_at) into tenant_ids, agent_ids, hours from taken t;
    if agent_ids is null then
        return 0;
    end if;
    insert into agents.system_info_hourly as h (tenant_id, agent_id, hour_at, sample_count,
        cpu_min, cpu_avg, cpu_max, cpu_count, memory_min, memory_avg, memory_max, memory_count,
        disk_min, disk_avg, disk_max, disk_count, rx_min, rx_avg, rx_max, rx_count,
        tx_min, tx_avg, tx_max, tx_count, processes_min, processes_avg, processes_max, processes_count)
    select t.tenant_id, t.agent_id, t.hour_at, s.sample_count,
        s.cpu_min, s.cpu_avg, s.cpu_max, s.cpu_count, s.memory_min, s.memory_avg, s.memory_max, s.memory_count,
        s.disk_min, s.disk_avg, s.disk_max, s.disk_count, s.rx_min, s.rx_avg, s.rx_max, s.rx_count,
        s.tx_min, s.tx_avg, s.tx_max, s.tx_count, s.processes_min, s.processes_avg, s.processes_max, s.processes_count
    from unnest(tenant_ids, agent_ids, hours) as t (tenant_id, agent_id, hour_at)
    cross join lateral (
        select count(*) as sample_count,
            min(i.cpu_usage) as cpu_min, avg(i.cpu_usage) as cpu_avg, max(i.cpu_usage) as cpu_max, count(i.cpu_usage) as cpu_count,
            min(i.memory_usage) as memory_min, avg(i.memory_usage) as memory_avg, max(i.memory_usage) as memory_max,
            count(i.memory_usage) as memory_count,
            min(i.disk_usage) as disk_min, avg(i.disk_usage) as disk_avg, max(i.disk_usage) as disk_max, count(i.disk_usage) as disk_count,
            min(n.rx) as rx_min, avg(n.rx) as rx_avg, max(n.rx) as rx_max, count(n.rx) as rx_count,
            min(n.tx) as tx_min, avg(n.tx) as tx_avg, max(n.tx) as tx_max, count(n.tx) as tx_count,
            min(i.process_count) as processes_min, avg(i.process_count) as processes_avg, max(i.process_count) as processes_max,
            count(i.process_count) as processes_count
        from agents.system_info i
        -- What was stored by hand need not be a number.
        cross join lateral (
            select case when jsonb_typeof(i.network_usage -> 'rx_bytes_per_second') = 'number'
                    then (i.network_usage ->> 'rx_bytes_per_second')::numeric end as rx,
                case when jsonb_typeof(i.network_usage -> 'tx_bytes_per_second') = 'number'
                    then (i.network_usage ->> 'tx_bytes_per_second')::numeric end as tx
        ) n
        where i.agent_id = t.agent_id and i.collected_at >= t.hour_at and i.collected_at < t.hour_at + interval '1 hour'
    ) s
    where s.sample_count > 0
    order by t.agent_id, t.hour_at
    on conflict (agent_id, hour_at) do update set (sample_count,
        cpu_min, cpu_avg, cpu_max, cpu_count, memory_min, memory_avg, memory_max, memory_count,
        disk_min, disk_avg, disk_max, disk_count, rx_min, rx_avg, rx_max, rx_count,
        tx_min, tx_avg, tx_max, tx_count, processes_min, processes_avg, processes_max, processes_count) = (excluded.sample_count,
        excluded.cpu_min, excluded.cpu_avg, excluded.cpu_max, excluded.cpu_count,
        excluded.memory_min, excluded.memory_avg, excluded.memory_max, excluded.memory_count,
        excluded.disk_min, excluded.disk_avg, excluded.disk_max, excluded.disk_count,
        excluded.rx_min, excluded.rx_avg, excluded.rx_max, excluded.rx_count,
        excluded.tx_min, excluded.tx_avg, excluded.tx_max, excluded.tx_count,
        excluded.processes_min, excluded.processes_avg, excluded.processes_max, excluded.processes_count)
    where excluded.sample_count >= h.sample_count;
    insert into agents.system_info_daily as d (tenant_id, agent_id, day_at, sample_count,
        cpu_min, cpu_avg, cpu_max, cpu_count, memory_min, memory_avg, memory_max, memory_count,
        disk_min, disk_avg, disk_max, disk_count, rx_min, rx_avg, rx_max, rx_count,
        tx_min, tx_avg, tx_max, tx_count, processes_min, processes_avg, processes_max, processes_count)
    select t.tenant_id, t.agent_id, t.day_at, s.sample_count,
        s.cpu_min, s.cpu_avg, s.cpu_max, s.cpu_count, s.memory_min, s.memory_avg, s.memory_max, s.memory_count,
        s.disk_min, s.disk_avg, s.disk_max, s.disk_count, s.rx_min, s.rx_avg, s.rx_max, s.rx_count,
        s.tx_min, s.tx_avg, s.tx_max, s.tx_count, s.processes_min, s.processes_avg, s.processes_max, s.processes_count
    from (
        select distinct u.tenant_id, u.agent_id, date_trunc('day', u.hour_at, 'UTC') as day_at
        from unnest(tenant_ids, agent_ids, hours) as u (tenant_id, agent_id, hour_at)
    ) t
    cross join lateral (
        select sum(h.sample_count) as sample_count,
            min(h.cpu_min) as cpu_min, sum(h.cpu_avg * h.cpu_count) / nullif(sum(h.cpu_count), 0) as cpu_avg, max(h.cpu_max) as cpu_max,
            sum(h.cpu_count) as cpu_count,
            min(h.memory_min) as memory_min, sum(h.memory_avg * h.memory_count) / nullif(sum(h.memory_count), 0) as memory_avg,
            max(h.memory_max) as memory_max, sum(h.memory_count) as memory_count,
            min(h.disk_min) as disk_min, sum(h.disk_avg * h.disk_count) / nullif(sum(h.disk_count), 0) as disk_avg,
            max(h.disk_max) as disk_max, sum(h.disk_count) as disk_count,
            min(h.rx_min) as rx_min, sum(h.rx_avg * h.rx_count) / nullif(sum(h.rx_count), 0) as rx_avg, max(h.rx_max) as rx_max,
            sum(h.rx_count) as rx_count,
            min(h.tx_min) as tx_min, sum(h.tx_avg * h.tx_count) / nullif(sum(h.tx_count), 0) as tx_avg, max(h.tx_max) as tx_max,
            sum(h.tx_count) as tx_count,
            min(h.processes_min) as processes_min, sum(h.processes_avg * h.processes_count) / nullif(sum(h.processes_count), 0) as processes_avg,
            max(h.processes_max) as processes_max, sum(h.processes_count) as processes_count
        from agents.system_info_hourly h
        where h.agent_id = t.agent_id and h.hour_at >= t.day_at and h.hour_at < t.day_at + interval '1 day'
    ) s
    where s.sample_count > 0
    order by t.agent_id, t.day_at
    on conflict (agent_id, day_at) do update set (sample_count,
        cpu_min, cpu_avg, cpu_max, cpu_count, memory_min, memory_avg, memory_max, memory_count,
        disk_min, disk_avg, disk_max, disk_count, rx_min, rx_avg, rx_max, rx_count,
        tx_min, tx_avg, tx_max, tx_count, processes_min, processes_avg, processes_max, processes_count) = (excluded.sample_count,
        excluded.cpu_min, excluded.cpu_avg, excluded.cpu_max, excluded.cpu_count,
        excluded.memory_min, excluded.memory_avg, excluded.memory_max, excluded.memory_count,
        excluded.disk_min, excluded.disk_avg, excluded.disk_max, excluded.disk_count,
        excluded.rx_min, excluded.rx_avg, excluded.rx_max, excluded.rx_count,
        excluded.tx_min, excluded.tx_avg, excluded.tx_max, excluded.tx_count,
        excluded.processes_min, excluded.processes_avg, excluded.processes_max, excluded.processes_count)
    where excluded.sample_count >= d.sample_count;
    return cardinality(agent_ids);
end
$$;

ALTER FUNCTION agents.roll_up(p_at timestamp with time zone, p_limit integer) OWNER TO sg_owner;

--
-- Name: server_endpoint(uuid, timestamp with time zone); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.server_endpoint(p_tenant_id uuid, p_at timestamp with time zone) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION agents.server_endpoint(p_tenant_id uuid, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: watch_for_endpoints(); Type: FUNCTION; Schema: agents; Owner: sg_owner
--

CREATE FUNCTION agents.watch_for_endpoints() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if exists (select from added n where n.online) then
        insert into agents.deadlines (agent_id, tenant_id, look_at)
        select n.agent_id, n.tenant_id, n.last_seen_at from added n where n.online
        on conflict (agent_id) do nothing;
    end if;
    return null;
end
$$;

ALTER FUNCTION agents.watch_for_endpoints() OWNER TO sg_owner;

--
-- Name: drop_partition(text, timestamp with time zone); Type: FUNCTION; Schema: audit; Owner: sg_owner
--

CREATE FUNCTION audit.drop_partition(p_partition text, p_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    starts timestamptz;
    ends timestamptz;
begin
    perform pg_advisory_xact_lock(hashtextextended('agents.ensure_partitions', 0));
    select b.lower_bound, b.upper_bound into starts, ends
    from unnest(array['audit.events', 'audit.row_changes', 'audit.login_attempts']) as parent (name)
    cross join lateral agents.partition_bounds(parent.name) b
    where b.partition_name = to_regclass(p_partition)::text;
    if ends is null or ends > p_at - interval '365 days' or ends > now() - interval '365 days' then
        raise exception '% is no partition of the audit log that is older than a year', p_partition
            using errcode = 'invalid_parameter_value';
    end if;
    if exists (
        select from agents.legal_holds h
        where h.released_at is null and h.agent_id is null and h.from_at < ends and h.to_at > starts)
    then
        raise exception '% is under a legal hold', p_partition using errcode = 'invalid_parameter_value';
    end if;
    execute format('drop table %s', to_regclass(p_partition));
end
$$;

ALTER FUNCTION audit.drop_partition(p_partition text, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: erase_rows(uuid, uuid, integer); Type: FUNCTION; Schema: audit; Owner: sg_auth
--

CREATE FUNCTION audit.erase_rows(p_tenant_id uuid, p_record_id uuid, p_limit integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    removed bigint := 0;
    step bigint;
    kept_position bigint;
begin
    if not exists (select from users.tenants t where t.tenant_id = p_tenant_id and t.status = 'erased') then
        raise exception 'tenant % is not erased', p_tenant_id using errcode = 'invalid_parameter_value';
    end if;
    select c.position into kept_position from audit.chain c
    where c.tenant_id = p_tenant_id and c.table_code = 4 and c.row_id = p_record_id;
    if kept_position is null then
        raise exception 'the record % is not in the chain', p_record_id using errcode = 'invalid_parameter_value';
    end if;
    delete from audit.events e where e.tenant_id = p_tenant_id and e.event_id in (
        select x.event_id from audit.events x where x.tenant_id = p_tenant_id limit p_limit);
    get diagnostics step = row_count;
    removed := removed + step;
    delete from audit.row_changes e where e.tenant_id = p_tenant_id and e.change_id in (
        select x.change_id from audit.row_changes x where x.tenant_id = p_tenant_id limit p_limit);
    get diagnostics step = row_count;
    removed := removed + step;
    delete from audit.login_attempts e where e.tenant_id = p_tenant_id and e.attempt_id in (
        select x.attempt_id from audit.login_attempts x where x.tenant_id = p_tenant_id limit p_limit);
    get diagnostics step = row_count;
    removed := removed + step;
    delete from audit.chain_records e where e.tenant_id = p_tenant_id and e.record_id <> p_record_id;
    get diagnostics step = row_count;
    removed := removed + step;
    delete from audit.unsealed e where e.tenant_id = p_tenant_id;
    get diagnostics step = row_count;
    removed := removed + step;
    delete from audit.checkpoints e where e.tenant_id = p_tenant_id and e.position < kept_position;
    get diagnostics step = row_count;
    removed := removed + step;
    delete from audit.chain e where e.tenant_id = p_tenant_id and e.position < kept_position and e.position in (
        select x.position from audit.chain x where x.tenant_id = p_tenant_id and x.position < kept_position
        order by x.position limit p_limit);
    get diagnostics step = row_count;
    return removed + step;
end
$$;

ALTER FUNCTION audit.erase_rows(p_tenant_id uuid, p_record_id uuid, p_limit integer) OWNER TO sg_auth;

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
    if tg_op = 'DELETE' and current_user in ('sg_auth', 'sg_system') then
        if exists (select from users.tenants t where t.tenant_id = old.tenant_id and t.status = 'erased') then
            return old;
        end if;
    end if;
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, lower(tg_op)
        using errcode = 'insufficient_privilege';
end
$$;

ALTER FUNCTION audit.refuse_change() OWNER TO sg_owner;

--
-- Name: seal_chain_record(); Type: FUNCTION; Schema: audit; Owner: sg_auth
--

CREATE FUNCTION audit.seal_chain_record() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if new.row_hash is not null then
        return new;
    end if;
    if new.occurred_at not between '0001-01-01 00:00:00+00' and '9999-12-31 00:00:00+00' then
        raise exception 'an audit record needs a time within the years 1 to 9999' using errcode = 'check_violation';
    end if;
    new.row_hash := sha256(record_send(row(
        convert_to('secureguard audit chain_record v1', 'UTF8'), uuid_send(new.record_id),
        uuid_send(new.tenant_id), timestamptz_send(new.occurred_at), convert_to(new.kind, 'UTF8'), convert_to(new.body, 'UTF8'),
        convert_to(new.key_id, 'UTF8'), new.signature)));
    insert into audit.unsealed (tenant_id, table_code, row_id, row_time, row_hash)
    values (new.tenant_id, 4, new.record_id, new.occurred_at, new.row_hash);
    return new;
end
$$;

ALTER FUNCTION audit.seal_chain_record() OWNER TO sg_auth;

--
-- Name: seal_event(); Type: FUNCTION; Schema: audit; Owner: sg_auth
--

CREATE FUNCTION audit.seal_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    -- Only the owner may set the hash: when a row moves from the default partition into its own, it is in the queue or in the chain already.
    if new.row_hash is not null then
        return new;
    end if;
    if new.occurred_at not between '0001-01-01 00:00:00+00' and '9999-12-31 00:00:00+00' then
        raise exception 'an audit record needs a time within the years 1 to 9999' using errcode = 'check_violation';
    end if;
    new.row_hash := sha256(record_send(row(
        convert_to('secureguard audit event v1', 'UTF8'), uuid_send(new.event_id), uuid_send(new.tenant_id),
        timestamptz_send(new.occurred_at), convert_to(new.transaction_id::text, 'UTF8'), convert_to(new.actor_kind, 'UTF8'),
        convert_to(new.actor_id, 'UTF8'), convert_to(new.actor_name, 'UTF8'), convert_to(new.action, 'UTF8'),
        convert_to(new.object_kind, 'UTF8'), convert_to(new.object_id, 'UTF8'), convert_to(new.outcome, 'UTF8'),
        convert_to(new.reason, 'UTF8'), convert_to(new.request_id, 'UTF8'), convert_to(new.address::text, 'UTF8'),
        convert_to(new.detail::text, 'UTF8'))));
    insert into audit.unsealed (tenant_id, table_code, row_id, row_time, row_hash)
    values (new.tenant_id, 1, new.event_id, new.occurred_at, new.row_hash);
    return new;
end
$$;

ALTER FUNCTION audit.seal_event() OWNER TO sg_auth;

--
-- Name: seal_login_attempt(); Type: FUNCTION; Schema: audit; Owner: sg_auth
--

CREATE FUNCTION audit.seal_login_attempt() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if new.row_hash is not null then
        return new;
    end if;
    if new.occurred_at not between '0001-01-01 00:00:00+00' and '9999-12-31 00:00:00+00' then
        raise exception 'an audit record needs a time within the years 1 to 9999' using errcode = 'check_violation';
    end if;
    new.row_hash := sha256(record_send(row(
        convert_to('secureguard audit login_attempt v1', 'UTF8'), uuid_send(new.attempt_id),
        uuid_send(new.tenant_id), timestamptz_send(new.occurred_at), uuid_send(new.user_id), convert_to(new.username_or_digest, 'UTF8'),
        convert_to(new.outcome, 'UTF8'), convert_to(new.method, 'UTF8'), convert_to(new.address::text, 'UTF8'),
        convert_to(new.user_agent, 'UTF8'), convert_to(new.request_id, 'UTF8'))));
    insert into audit.unsealed (tenant_id, table_code, row_id, row_time, row_hash)
    values (new.tenant_id, 3, new.attempt_id, new.occurred_at, new.row_hash);
    return new;
end
$$;

ALTER FUNCTION audit.seal_login_attempt() OWNER TO sg_auth;

--
-- Name: seal_row_change(); Type: FUNCTION; Schema: audit; Owner: sg_auth
--

CREATE FUNCTION audit.seal_row_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if new.row_hash is not null then
        return new;
    end if;
    if new.occurred_at not between '0001-01-01 00:00:00+00' and '9999-12-31 00:00:00+00' then
        raise exception 'an audit record needs a time within the years 1 to 9999' using errcode = 'check_violation';
    end if;
    new.row_hash := sha256(record_send(row(
        convert_to('secureguard audit row_change v1', 'UTF8'), uuid_send(new.change_id), uuid_send(new.tenant_id),
        timestamptz_send(new.occurred_at), convert_to(new.transaction_id::text, 'UTF8'), convert_to(new.table_name, 'UTF8'),
        convert_to(new.operation, 'UTF8'), convert_to(new.row_id, 'UTF8'), convert_to(new.before::text, 'UTF8'),
        convert_to(new.after::text, 'UTF8'), convert_to(new.database_role, 'UTF8'))));
    insert into audit.unsealed (tenant_id, table_code, row_id, row_time, row_hash)
    values (new.tenant_id, 2, new.change_id, new.occurred_at, new.row_hash);
    return new;
end
$$;

ALTER FUNCTION audit.seal_row_change() OWNER TO sg_auth;

--
-- Name: analyze_table(text); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.analyze_table(p_table text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    relation regclass;
begin
    select c.oid::regclass into relation from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and c.oid::regclass::text = p_table;
    if relation is null then
        raise exception 'no table of the product: %', p_table using errcode = 'undefined_table';
    end if;
    execute format('analyze %s', relation);
end
$$;

ALTER FUNCTION monitoring.analyze_table(p_table text) OWNER TO sg_owner;

--
-- Name: clear_alert(uuid, text, text, timestamp with time zone); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.clear_alert(p_tenant uuid, p_kind text, p_subject text, p_at timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION monitoring.clear_alert(p_tenant uuid, p_kind text, p_subject text, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: create_default_rules(uuid); Type: FUNCTION; Schema: monitoring; Owner: sg_auth
--

CREATE FUNCTION monitoring.create_default_rules(p_tenant uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    insert into monitoring.alert_rules (tenant_id, kind, severity, comparison, threshold, window_seconds, for_seconds, inhibited_by)
    select p_tenant, d.kind, d.severity, d.comparison, d.threshold, d.window_seconds, d.for_seconds, d.inhibited_by::text[]
    from (values
        ('failed_sign_ins', 'medium', 'above', 10, 60, 0, '{}', false),
        ('account_lockouts', 'high', 'above', 5, 3600, 0, '{}', false),
        ('password_policy_violations', 'low', 'above', 0, 0, 0, '{}', false),
        -- Missed intervals; the window is that within which many at once are one outage.
        ('endpoint_offline', 'medium', 'above', 2, 900, 0, '{}', false),
        -- Places of the audit log that do not hold.
        ('audit_chain', 'critical', 'above', 0, 0, 0, '{}', false),
        ('unauthorized_database_access', 'critical', 'above', 0, 3600, 0, '{}', true),
        ('slow_queries', 'medium', 'above', 1, 60, 300, '{database_connections,storage_usage}', true),
        ('database_connections', 'high', 'above', 80, 0, 60, '{}', true),
        ('storage_usage', 'high', 'above', 85, 0, 300, '{}', true),
        ('backup_failure', 'critical', 'above', 0, 0, 0, '{}', true),
        -- Seconds that a standby is behind or away.
        ('standby_lag', 'high', 'above', 60, 0, 0, '{replication_slots}', true),
        -- Percent of what a replication slot may keep.
        ('replication_slots', 'high', 'above', 50, 0, 0, '{}', true),
        -- Days until the server's certificate ends.
        ('certificate_expiry', 'high', 'below', 14, 0, 0, '{}', true),
        ('partitions_ahead', 'high', 'below', 3, 0, 0, '{}', true),
        ('default_partition_rows', 'medium', 'above', 0, 0, 0, '{partitions_ahead}', true)
    ) as d (kind, severity, comparison, threshold, window_seconds, for_seconds, inhibited_by, of_installation)
    where not d.of_installation or p_tenant = '00000000-0000-0000-0000-000000000000'
    on conflict (tenant_id, kind) do nothing
$$;

ALTER FUNCTION monitoring.create_default_rules(p_tenant uuid) OWNER TO sg_auth;

--
-- Name: create_default_rules_of_tenant(); Type: FUNCTION; Schema: monitoring; Owner: sg_auth
--

CREATE FUNCTION monitoring.create_default_rules_of_tenant() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform monitoring.create_default_rules(new.tenant_id);
    return null;
end
$$;

ALTER FUNCTION monitoring.create_default_rules_of_tenant() OWNER TO sg_auth;

--
-- Name: enqueue_notification(uuid, text, uuid, uuid, uuid, text, text[], text[], text, text, timestamp with time zone); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.enqueue_notification(p_tenant uuid, p_cause text, p_threat uuid, p_alert uuid, p_agent uuid, p_severity text, p_rules text[], p_tags text[], p_subject text, p_key text, p_at timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION monitoring.enqueue_notification(p_tenant uuid, p_cause text, p_threat uuid, p_alert uuid, p_agent uuid, p_severity text, p_rules text[], p_tags text[], p_subject text, p_key text, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: evaluate_rules(timestamp with time zone); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.evaluate_rules(p_at timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    found_one record;
    still_open uuid[] := '{}';
    raised integer := 0;
begin
    for found_one in
        select m.tenant_id, m.kind, m.subject, m.value
        from monitoring.measure(p_at) m
        join monitoring.alert_rules r on r.tenant_id = m.tenant_id and r.kind = m.kind
        where r.enabled and case r.comparison when 'above' then m.value > r.threshold else m.value < r.threshold end
        order by m.tenant_id, m.kind, m.subject
    loop
        perform monitoring.raise_alert(found_one.tenant_id, found_one.kind, found_one.subject, found_one.value, p_at);
        still_open := still_open || (
            select array_agg(a.alert_id) from monitoring.alerts a join monitoring.alert_rules r on r.rule_id = a.rule_id
            where a.tenant_id = found_one.tenant_id and r.kind = found_one.kind and a.subject = found_one.subject and a.state <> 'resolved');
        raised := raised + 1;
    end loop;
    -- Alerts of kinds that others raise are theirs to clear, unless their rule was switched off.
    perform monitoring.clear_alert(a.tenant_id, r.kind, a.subject, p_at)
    from monitoring.alerts a
    join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
    where a.state <> 'resolved' and not a.alert_id = any (still_open)
        and (not r.enabled or r.kind in ('failed_sign_ins', 'account_lockouts', 'password_policy_violations', 'database_connections',
            'partitions_ahead', 'default_partition_rows'));
    return raised;
end
$$;

ALTER FUNCTION monitoring.evaluate_rules(p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: is_silenced(uuid, text[], uuid, text, timestamp with time zone); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.is_silenced(p_tenant uuid, p_rules text[], p_agent uuid, p_severity text, p_at timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select bool_and(exists (
        select from monitoring.silences s
        where s.tenant_id = p_tenant and s.ended_at is null and s.created_at <= p_at and s.expires_at > p_at
            and (s.rule is null or s.rule = r.rule) and (s.agent_id is null or s.agent_id = p_agent)
            and (s.max_severity is null or monitoring.severity_rank(p_severity) <= monitoring.severity_rank(s.max_severity))))
    from unnest(case when cardinality(p_rules) > 0 then p_rules else array[null::text] end) as r (rule)
$$;

ALTER FUNCTION monitoring.is_silenced(p_tenant uuid, p_rules text[], p_agent uuid, p_severity text, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: list_report_readers(uuid, text, integer, timestamp with time zone); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.list_report_readers(p_tenant uuid, p_kind text, p_findings integer, p_at timestamp with time zone) RETURNS TABLE(user_id uuid, home_tenant_id uuid)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select distinct u.user_id, u.tenant_id
    from users.memberships m
    join users.users u on u.user_id = m.user_id and u.is_active
    join users.tenants t on t.tenant_id = m.tenant_id and t.status = 'active'
    join users.roles r on r.tenant_id = m.tenant_id and r.role = m.role and r.scope = 'tenant'
    left join monitoring.report_subscriptions s on s.tenant_id = m.tenant_id and s.user_id = m.user_id and s.kind = p_kind
        and s.of_installation = (p_tenant = '00000000-0000-0000-0000-000000000000')
    where (m.expires_at is null or m.expires_at > p_at)
        and exists (select from users.role_permissions p where p.tenant_id = r.tenant_id and p.role = r.role and p.permission = 'alerts_read')
        and case when p_tenant = '00000000-0000-0000-0000-000000000000'
            then exists (select from users.role_permissions p where p.tenant_id = r.tenant_id and p.role = r.role and p.permission = 'tenants_manage')
            else m.tenant_id = p_tenant end
        and case coalesce(s.mode, case when p_kind = 'kpis' then 'never'
                when p_tenant = '00000000-0000-0000-0000-000000000000' then case p_kind when 'daily' then 'findings' else 'always' end
                when exists (select from users.role_permissions p
                    where p.tenant_id = r.tenant_id and p.role = r.role and p.permission = 'users_manage') then 'findings'
                else 'never' end)
            when 'always' then true when 'findings' then p_findings > 0 else false end
$$;

ALTER FUNCTION monitoring.list_report_readers(p_tenant uuid, p_kind text, p_findings integer, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: list_sessions(); Type: FUNCTION; Schema: monitoring; Owner: sg_auth
--

CREATE FUNCTION monitoring.list_sessions() RETURNS TABLE(role text, application text, address text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select a.usename::text, a.application_name, coalesce(host(a.client_addr), 'local')
    from pg_stat_activity a
    where a.datname = current_database() and a.backend_type = 'client backend' and a.application_name is not null
    group by 1, 2, 3
$$;

ALTER FUNCTION monitoring.list_sessions() OWNER TO sg_auth;

--
-- Name: list_standbys(); Type: FUNCTION; Schema: monitoring; Owner: sg_auth
--

CREATE FUNCTION monitoring.list_standbys() RETURNS TABLE(name text, slot text, is_active boolean, state text, address text, is_synchronous boolean, behind_bytes bigint, replay_bytes bigint, replay_seconds double precision, kept_bytes bigint, kept_limit_bytes bigint, is_lost boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select coalesce(s.slot_name::text, r.application_name), s.slot_name::text, coalesce(s.active, true), r.state, host(r.client_addr),
        coalesce(r.sync_state in ('sync', 'quorum'), false),
        greatest(coalesce(pg_wal_lsn_diff(l.written, coalesce(r.flush_lsn, s.restart_lsn)), 0), 0)::bigint,
        greatest(coalesce(pg_wal_lsn_diff(l.written, coalesce(r.replay_lsn, s.restart_lsn)), 0), 0)::bigint,
        extract(epoch from r.replay_lag)::float8,
        greatest(pg_wal_lsn_diff(l.written, s.restart_lsn), 0)::bigint,
        (select nullif(c.setting::bigint, -1) * 1048576 from pg_settings c where c.name = 'max_slot_wal_keep_size'),
        coalesce(s.wal_status = 'lost', false)
    from (select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as written) l
    cross join ((select * from pg_replication_slots where not temporary) s full join pg_stat_replication r on r.pid = s.active_pid)
    -- pg_basebackup and pg_receivewal stream too, and follow nothing.
    where s.slot_name is not null or r.state in ('startup', 'catchup', 'streaming') and r.application_name not in ('pg_basebackup', 'pg_receivewal')
    order by 1
$$;

ALTER FUNCTION monitoring.list_standbys() OWNER TO sg_auth;

--
-- Name: measure(timestamp with time zone); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.measure(p_at timestamp with time zone) RETURNS TABLE(tenant_id uuid, kind text, subject text, value numeric)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select r.tenant_id, r.kind, ''::text, (
        select count(*) from audit.login_attempts a
        where a.tenant_id = r.tenant_id and a.outcome <> 'success' and a.occurred_at > p_at - make_interval(secs => r.window_seconds)
            and a.occurred_at <= p_at)::numeric
    from monitoring.alert_rules r where r.kind = 'failed_sign_ins'
    union all
    select r.tenant_id, r.kind, '', (
        select count(*) from monitoring.security_events v
        where v.tenant_id = r.tenant_id and v.kind = 'account_locked' and v.occurred_at > p_at - make_interval(secs => r.window_seconds)
            and v.occurred_at <= p_at)
    from monitoring.alert_rules r where r.kind = 'account_lockouts'
    union all
    select r.tenant_id, r.kind, '', (
        select count(*) from users.users u join users.password_policies p on p.tenant_id = u.tenant_id
        where u.tenant_id = r.tenant_id and u.is_active and p.max_age_days > 0
            and u.password_last_changed < p_at - make_interval(days => p.max_age_days))
    from monitoring.alert_rules r where r.kind = 'password_policy_violations'
    union all
    select '00000000-0000-0000-0000-000000000000', 'database_connections', '', round(100.0 * sum(d.numbackends) / (
        select current_setting('max_connections')::numeric - current_setting('superuser_reserved_connections')::numeric), 1)
    from pg_stat_database d
    union all
    select '00000000-0000-0000-0000-000000000000', 'partitions_ahead', a.parent_table, a.ahead from agents.list_partitions_ahead(p_at) a
    union all
    select '00000000-0000-0000-0000-000000000000', 'default_partition_rows', d.parent_table, d.row_count from agents.list_default_rows() d
$$;

ALTER FUNCTION monitoring.measure(p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: note_schema_change(); Type: FUNCTION; Schema: monitoring; Owner: sg_auth
--

CREATE FUNCTION monitoring.note_schema_change() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    application constant text := current_setting('application_name');
    change record;
begin
    -- Migrations, and partitions that the server makes and drops.
    if application = 'secureguard-migrate' or session_user = 'sg_system' then
        return;
    end if;
    if tg_event = 'sql_drop' then
        select o.schema_name, o.object_identity into change
        from pg_event_trigger_dropped_objects() o where o.original and not o.is_temporary limit 1;
    else
        select o.schema_name, o.object_identity into change
        from pg_event_trigger_ddl_commands() o where o.schema_name is distinct from 'pg_temp' limit 1;
    end if;
    if not found then
        return;
    end if;
    insert into monitoring.security_events (tenant_id, occurred_at, kind, severity, subject, detail)
    values ('00000000-0000-0000-0000-000000000000', clock_timestamp(), 'schema_changed', 'critical', left(change.object_identity, 200),
        jsonb_build_object('command', tg_tag, 'role', session_user, 'application', application,
            'address', coalesce(host(inet_client_addr()), 'local')));
exception when others then
    -- Who repairs a damaged schema is not kept from it.
    raise warning 'this change of the schema is not on record: %', sqlerrm;
end
$$;

ALTER FUNCTION monitoring.note_schema_change() OWNER TO sg_auth;

--
-- Name: notify_of_alert(); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.notify_of_alert() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    rule record;
    inhibitor uuid;
    waiting integer;
    released integer;
begin
    select r.kind, r.severity, r.inhibited_by into rule
    from monitoring.alert_rules r where r.tenant_id = new.tenant_id and r.rule_id = new.rule_id;
    if new.state = 'firing' then
        perform monitoring.enqueue_notification(new.tenant_id, 'alert_firing', null, new.alert_id, new.agent_id, rule.severity, array[rule.kind],
            '{}', new.subject, 'alert:' || new.alert_id || ':firing', new.fired_at);
        select a.alert_id into inhibitor
        from monitoring.alerts a join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
        where a.tenant_id = new.tenant_id and a.state = 'firing' and r.kind = any (rule.inhibited_by)
        limit 1;
        if found then
            update monitoring.notifications n
            set outcome = 'silenced', finished_at = new.fired_at, escalate_at = null, inhibited_by = inhibitor
            where n.tenant_id = new.tenant_id and n.alert_id = new.alert_id and n.cause = 'alert_firing' and n.outcome is null;
        end if;
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
    -- What this one kept quiet and goes on is told now, unless another one keeps it quiet.
    with quiet as (
        select n.notification_id, (
            select o.alert_id
            from monitoring.alerts o join monitoring.alert_rules p on p.tenant_id = o.tenant_id and p.rule_id = o.rule_id
            where o.tenant_id = n.tenant_id and o.state = 'firing' and o.alert_id <> new.alert_id and p.kind = any (r.inhibited_by)
            limit 1) as other
        from monitoring.notifications n
        join monitoring.alerts a on a.tenant_id = n.tenant_id and a.alert_id = n.alert_id and a.state = 'firing'
        join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
        where n.tenant_id = new.tenant_id and n.inhibited_by = new.alert_id and n.outcome = 'silenced'
    ), told as (
        update monitoring.notifications n
        set inhibited_by = q.other,
            outcome = case when q.other is not null then n.outcome end,
            finished_at = case when q.other is not null then n.finished_at end,
            next_attempt_at = new.resolved_at,
            expires_at = new.resolved_at + interval '24 hours',
            escalate_at = case when q.other is null then (
                select new.resolved_at + make_interval(mins => t.escalate_after_minutes)
                from monitoring.routes t where t.tenant_id = n.tenant_id and t.route_id = n.route_id) end
        from quiet q where n.tenant_id = new.tenant_id and n.notification_id = q.notification_id
        returning n.outcome
    )
    select count(*) filter (where t.outcome is null) into released from told t;
    if waiting + released > 0 then
        perform pg_notify('sg_live', '{"kind":"notification"}');
    end if;
    return null;
end
$$;

ALTER FUNCTION monitoring.notify_of_alert() OWNER TO sg_owner;

--
-- Name: notify_of_reopening(); Type: FUNCTION; Schema: monitoring; Owner: sg_auth
--

CREATE FUNCTION monitoring.notify_of_reopening() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION monitoring.notify_of_reopening() OWNER TO sg_auth;

--
-- Name: raise_alert(uuid, text, text, numeric, timestamp with time zone); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.raise_alert(p_tenant uuid, p_kind text, p_subject text, p_value numeric, p_at timestamp with time zone) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION monitoring.raise_alert(p_tenant uuid, p_kind text, p_subject text, p_value numeric, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: severity_rank(text); Type: FUNCTION; Schema: monitoring; Owner: sg_owner
--

CREATE FUNCTION monitoring.severity_rank(p_severity text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select array_position(array['low', 'medium', 'high', 'critical'], p_severity)
$$;

ALTER FUNCTION monitoring.severity_rank(p_severity text) OWNER TO sg_owner;

--
-- Name: excepts(jsonb, jsonb); Type: FUNCTION; Schema: threats; Owner: sg_owner
--

CREATE FUNCTION threats.excepts(p_conditions jsonb, p_subject jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select coalesce(bool_and(coalesce(case c.operator
        when 'is' then p_subject ->> c.field = c.value
        when 'begins_with' then starts_with(p_subject ->> c.field, c.value)
        when 'ends_with' then right(p_subject ->> c.field, length(c.value)) = c.value
        when 'contains' then strpos(p_subject ->> c.field, c.value) > 0
    end, false)), true)
    from jsonb_to_recordset(p_conditions) as c (field text, operator text, value text)
$$;

ALTER FUNCTION threats.excepts(p_conditions jsonb, p_subject jsonb) OWNER TO sg_owner;

--
-- Name: advance_subscriptions(timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.advance_subscriptions(p_at timestamp with time zone) RETURNS TABLE(tenant_id uuid, plan text, status_before text, status_after text)
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    with due as (
        select s.tenant_id, s.status,
            case
                when s.status = 'trial' and s.trial_ends_at <= p_at then 'suspended'
                when s.status in ('active', 'past_due') and s.period_end <= p_at - interval '14 days' then 'suspended'
                when s.status = 'active' and s.period_end <= p_at then 'past_due'
            end as next_status
        from users.subscriptions s
        where s.trial_ends_at <= p_at or s.period_end <= p_at
        order by s.tenant_id
        for no key update
    )
    update users.subscriptions s set status = d.next_status
    from due d
    where d.tenant_id = s.tenant_id and d.next_status is not null and s.status = d.status
    returning s.tenant_id, s.plan::text, d.status::text, s.status::text
$$;

ALTER FUNCTION users.advance_subscriptions(p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: apply_retention(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.apply_retention() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if tg_table_name = 'tenants' then
        update users.subscriptions s
        set retention_class = nullif(new.retention_class, p.retention_class)
        from users.plans p
        where p.plan = s.plan and s.tenant_id = new.tenant_id and coalesce(s.retention_class, p.retention_class) <> new.retention_class;
    elsif tg_table_name = 'plans' then
        update users.tenants t
        set retention_class = new.retention_class
        from users.subscriptions s
        where s.plan = new.plan and s.retention_class is null and t.tenant_id = s.tenant_id and t.retention_class <> new.retention_class;
    else
        update users.tenants t
        set retention_class = coalesce(new.retention_class, p.retention_class)
        from users.plans p
        where p.plan = new.plan and t.tenant_id = new.tenant_id and t.retention_class <> coalesce(new.retention_class, p.retention_class);
    end if;
    return null;
end
$$;

ALTER FUNCTION users.apply_retention() OWNER TO sg_auth;

--
-- Name: authenticate(text, bytea, uuid, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) RETURNS TABLE(tenant_id uuid, user_id uuid, username text, full_name text, role text, home_tenant_id uuid, credential_id uuid, scopes text[], must_change_password boolean, based_on text, scope text, permissions text[])
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
-- Name: begin_password_attempt(text, bytea, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.begin_password_attempt(p_username text, p_device_hash bytea, p_at timestamp with time zone) RETURNS TABLE(allowed boolean, user_id uuid, tenant_id uuid, username text, password_hash text, is_active boolean, locked_now boolean, must_change_password boolean, role text, device_id uuid)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    person record;
    device record;
    max_attempts integer;
    lock_time interval;
    max_age integer;
    attempts integer;
    new_lock timestamptz;
    admitted boolean;
begin
    select u.user_id, u.tenant_id, u.username, u.password_hash, u.is_active, u.account_locked_until, u.last_failed_login,
        u.must_change_password, u.password_last_changed, u.role
    into person
    from users.users u where lower(u.username) = lower(p_username) for no key update;
    if found and p_device_hash is not null then
        select d.device_id, d.failed_attempts, d.locked_until into device
        from users.known_devices d
        where d.token_hash = p_device_hash and d.tenant_id = person.tenant_id and d.user_id = person.user_id
            and d.last_used_at > p_at - interval '180 days'
        for no key update;
    end if;
    if p_device_hash is null or not found then
        return query
        select b.allowed, b.user_id, b.tenant_id, b.username, b.password_hash, b.is_active, b.locked_now, b.must_change_password, b.role, null::uuid
        from users.begin_login_attempt(p_username, p_at) b;
        return;
    end if;
    select p.max_failed_attempts, make_interval(mins => p.lockout_duration_minutes), p.max_age_days
    into max_attempts, lock_time, max_age
    from users.password_policies p where p.tenant_id = person.tenant_id;
    max_attempts := coalesce(max_attempts, 5);
    lock_time := coalesce(lock_time, interval '30 minutes');
    -- A lock that does not follow from failures is an administrator's, and holds for every device.
    admitted := not coalesce(device.locked_until > p_at, false)
        and not coalesce(person.account_locked_until > p_at
            and person.account_locked_until > coalesce(person.last_failed_login, '-infinity') + lock_time, false);
    if admitted then
        attempts := case when device.locked_until is not null then 1 else least(device.failed_attempts, 1000000) + 1 end;
        new_lock := case when attempts >= max_attempts then p_at + lock_time end;
        update users.known_devices d set failed_attempts = attempts, locked_until = new_lock where d.device_id = device.device_id;
    end if;
    return query select admitted, person.user_id, person.tenant_id, person.username::text, person.password_hash, person.is_active,
        new_lock is not null,
        person.must_change_password or coalesce(max_age > 0
            and coalesce(person.password_last_changed, '-infinity') < p_at - make_interval(days => max_age), false),
        person.role::text, device.device_id;
end
$$;

ALTER FUNCTION users.begin_password_attempt(p_username text, p_device_hash bytea, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: check_subscription(uuid, text, bigint); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.check_subscription(p_tenant uuid, p_resource text, p_added bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION users.check_subscription(p_tenant uuid, p_resource text, p_added bigint) OWNER TO sg_auth;

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
-- Name: complete_password_attempt(uuid, uuid, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.complete_password_attempt(p_user_id uuid, p_device_id uuid, p_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if p_device_id is null then
        perform users.complete_login(p_user_id, p_at);
        return;
    end if;
    update users.known_devices d set failed_attempts = 0, locked_until = null, last_used_at = p_at
    where d.device_id = p_device_id and d.user_id = p_user_id;
    update users.users u
    set last_login = p_at,
        failed_login_attempts = case when u.account_locked_until > p_at then u.failed_login_attempts else 0 end,
        last_failed_login = case when u.account_locked_until > p_at then u.last_failed_login end,
        account_locked_until = case when u.account_locked_until > p_at then u.account_locked_until end
    where u.user_id = p_user_id and u.is_active;
end
$$;

ALTER FUNCTION users.complete_password_attempt(p_user_id uuid, p_device_id uuid, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: context_holds(text); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.context_holds(p_permission text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select exists (
        select 1 from users.role_permissions p
        where p.tenant_id = users.current_tenant() and p.role = users.current_member_role() and p.permission = p_permission)
$$;

ALTER FUNCTION users.context_holds(p_permission text) OWNER TO sg_owner;

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
-- Name: create_default_subscription(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.create_default_subscription() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into users.subscriptions (tenant_id, plan, retention_class)
    select new.tenant_id, p.plan, nullif(new.retention_class, p.retention_class) from users.plans p
    order by p.is_default desc, p.plan = 'unlimited' desc limit 1
    on conflict do nothing;
    return null;
end
$$;

ALTER FUNCTION users.create_default_subscription() OWNER TO sg_auth;

--
-- Name: create_documented_roles(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.create_documented_roles() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into users.roles (tenant_id, role, based_on, scope, description)
    select new.tenant_id, r.role, r.role, r.scope, r.description
    from (values
        ('user', 'own', 'Sees the endpoints that are theirs, and the incidents on them.'),
        ('manager', 'tenant', 'Works the tenant''s incidents and endpoints: the analyst.'),
        ('admin', 'tenant', 'Manages the tenant''s people and keys, and reads its audit log.'),
        ('system_admin', 'tenant', 'Manages the installation and its tenants.')) as r (role, scope, description)
    on conflict do nothing;
    insert into users.role_permissions (tenant_id, role, permission)
    select r.tenant_id, r.role, p.permission
    from users.roles r join users.permissions p on users.role_rank(p.least_role) <= users.role_rank(r.role)
    where r.tenant_id = new.tenant_id and r.role = r.based_on
    on conflict do nothing;
    return null;
end
$$;

ALTER FUNCTION users.create_documented_roles() OWNER TO sg_auth;

--
-- Name: current_member_role(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.current_member_role() RETURNS text
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN NULLIF(convert_from(decode(split_part(split_part(current_setting('backtrace_functions'::text), 'sg_context,'::text, 2), ','::text, 4), 'hex'::text), 'UTF8'::name), ''::text);

ALTER FUNCTION users.current_member_role() OWNER TO sg_auth;

--
-- Name: current_retention_class(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.current_retention_class() RETURNS smallint
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN (NULLIF(split_part(split_part(current_setting('backtrace_functions'::text), 'sg_context,'::text, 2), ','::text, 5), ''::text))::smallint;

ALTER FUNCTION users.current_retention_class() OWNER TO sg_auth;

--
-- Name: current_scope(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.current_scope() RETURNS text
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN NULLIF(split_part(split_part(current_setting('backtrace_functions'::text), 'sg_context,'::text, 2), ','::text, 3), ''::text);

ALTER FUNCTION users.current_scope() OWNER TO sg_auth;

--
-- Name: current_tenant(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN (NULLIF(split_part(current_setting('backtrace_functions'::text), ',sg_tenant,'::text, 2), ''::text))::uuid;

ALTER FUNCTION users.current_tenant() OWNER TO sg_auth;

--
-- Name: current_user_id(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.current_user_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN (NULLIF(substr(split_part(current_setting('backtrace_functions'::text), 'sg_context,'::text, 2), 34, 32), ''::text))::uuid;

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
        'create policy tenant_isolation on %s for all to sg_app using (tenant_id = (select users.whole_tenant()))
            with check (tenant_id = (select users.whole_tenant()))', p_table);
    execute format('create policy system_access on %s for all to sg_system using (true) with check (true)', p_table);
    execute format('create policy admin_access on %s for all to sg_admin using (true) with check (true)', p_table);
    execute format('create policy backup_access on %s for select to sg_backup using (true)', p_table);
end
$$;

ALTER FUNCTION users.enable_tenant_isolation(p_table text) OWNER TO sg_owner;

--
-- Name: enforce_subscription(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.enforce_subscription() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION users.enforce_subscription() OWNER TO sg_auth;

--
-- Name: find_caller(text, bytea, uuid, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) RETURNS TABLE(tenant_id uuid, user_id uuid, username text, full_name text, role text, home_tenant_id uuid, credential_id uuid, scopes text[], must_change_password boolean, based_on text, scope text, permissions text[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    p_now timestamptz := greatest(p_at, clock_timestamp() - interval '1 minute');
begin
    return query
    with credential as (
        select s.session_id as id, s.user_id as owner_id, null::text[] as key_scopes, null::uuid as key_tenant, s.provider_id as vouched_by
        from users.sessions s
        where p_kind = 'session' and s.token_hash = p_hash and s.ended_at is null and s.expires_at > p_now
            and s.last_seen_at + make_interval(secs => s.idle_seconds) > p_now
        union all
        select k.key_id, k.user_id, k.scopes, k.tenant_id, null
        from users.api_keys k
        where p_kind = 'api_key' and k.key_hash = encode(p_hash, 'hex') and k.is_active and (k.expires_at is null or k.expires_at > p_now)
    )
    select t.tenant_id, u.user_id, u.username::text, u.full_name::text, m.role::text, u.tenant_id, c.id, c.key_scopes,
        u.must_change_password and c.vouched_by is null and not users.has_directory(u.user_id),
        r.based_on::text, r.scope::text,
        array(
            select p.permission::text from users.role_permissions p
            where p.tenant_id = r.tenant_id and p.role = r.role order by p.permission)
    from credential c
    join users.users u on u.user_id = c.owner_id and u.is_active
    join users.memberships m on m.user_id = u.user_id and (m.expires_at is null or m.expires_at > p_now)
    join users.tenants t on t.tenant_id = m.tenant_id and t.status = 'active'
    join users.roles r on r.tenant_id = m.tenant_id and r.role = m.role
    where t.tenant_id = coalesce(p_tenant, c.key_tenant, u.tenant_id)
        -- A key works in its own tenant only.
        and (c.key_tenant is null or c.key_tenant = t.tenant_id);
end
$$;

ALTER FUNCTION users.find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: find_grantee(text); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.find_grantee(p_username text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select u.user_id
    from users.users u
    join users.tenants t on t.tenant_id = u.tenant_id and t.status = 'active'
    where lower(u.username) = lower(p_username) and u.is_active and u.tenant_id <> users.current_tenant()
        and u.tenant_id <> '00000000-0000-0000-0000-000000000000'
        and exists (
            select 1 from users.role_permissions p
            where p.tenant_id = users.current_tenant() and p.role = users.current_member_role() and p.permission = 'users_manage')
$$;

ALTER FUNCTION users.find_grantee(p_username text) OWNER TO sg_auth;

--
-- Name: guard_role(); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.guard_role() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if current_user in ('sg_owner', 'sg_auth') then
        return coalesce(new, old);
    end if;
    if tg_op = 'DELETE' and exists (select from users.tenants t where t.tenant_id = old.tenant_id and t.status = 'erased') then
        return old;
    end if;
    if users.role_rank(coalesce(old.role, new.role)) is not null then
        raise exception 'the role % is a documented one and stays as it is', coalesce(old.role, new.role)
            using errcode = 'insufficient_privilege';
    end if;
    if tg_op = 'UPDATE' and (new.tenant_id, new.role, new.based_on) is distinct from (old.tenant_id, old.role, old.based_on) then
        raise exception 'name, tenant and base of a role do not change: make another one' using errcode = 'insufficient_privilege';
    end if;
    return coalesce(new, old);
end
$$;

ALTER FUNCTION users.guard_role() OWNER TO sg_owner;

--
-- Name: guard_role_permission(); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.guard_role_permission() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if current_user in ('sg_owner', 'sg_auth') then
        return coalesce(new, old);
    end if;
    if tg_op = 'DELETE' and exists (select from users.tenants t where t.tenant_id = old.tenant_id and t.status = 'erased') then
        return old;
    end if;
    if users.role_rank(coalesce(old.role, new.role)) is not null then
        raise exception 'the role % is a documented one and stays as it is', coalesce(old.role, new.role)
            using errcode = 'insufficient_privilege';
    end if;
    if tg_op <> 'DELETE' and not exists (
        select 1 from users.roles r
        join users.role_permissions b on b.tenant_id = r.tenant_id and b.role = r.based_on and b.permission = new.permission
        where r.tenant_id = new.tenant_id and r.role = new.role)
    then
        raise exception 'the role % is based on one that has no permission %', new.role, new.permission
            using errcode = 'check_violation', constraint = 'role_permissions_within_base_check', schema = 'users', table = 'role_permissions';
    end if;
    return coalesce(new, old);
end
$$;

ALTER FUNCTION users.guard_role_permission() OWNER TO sg_owner;

--
-- Name: handle_failed_login(text); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.handle_failed_login(username_param text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    p_at constant timestamptz := clock_timestamp();
    gate record;
begin
    if username_param is null then
        return;
    end if;
    select g.allowed, g.user_id, g.tenant_id, g.username into gate from users.begin_login_attempt(username_param, p_at) g;
    insert into audit.login_attempts (attempt_id, tenant_id, occurred_at, user_id, username_or_digest, outcome, method)
    values (
        users.time_ordered_uuid(), coalesce(gate.tenant_id, '00000000-0000-0000-0000-000000000000'), p_at, gate.user_id,
        coalesce(gate.username, '(unknown)'),
        case when gate.user_id is null then 'unknown_user' when gate.allowed then 'wrong_password' else 'locked' end, 'password');
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
declare
    p_at constant timestamptz := clock_timestamp();
begin
    perform users.complete_login(u.user_id, p_at) from users.users u where lower(u.username) = lower(username_param);
    insert into audit.login_attempts (attempt_id, tenant_id, occurred_at, user_id, username_or_digest, outcome, method)
    select users.time_ordered_uuid(), u.tenant_id, p_at, u.user_id, u.username, case when u.is_active then 'success' else 'inactive' end,
        'password'
    from users.users u where lower(u.username) = lower(username_param);
end
$$;

ALTER FUNCTION users.handle_successful_login(username_param text) OWNER TO sg_auth;

--
-- Name: has_directory(uuid); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.has_directory(p_user_id uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select exists (
        select from users.external_identities i
        join users.identity_providers p on p.tenant_id = i.tenant_id and p.provider_id = i.provider_id
        where i.user_id = p_user_id and p.kind = 'ldap' and p.is_enabled)
$$;

ALTER FUNCTION users.has_directory(p_user_id uuid) OWNER TO sg_auth;

--
-- Name: home_role(uuid); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.home_role(p_user uuid) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select u.role::text from users.users u where u.user_id = p_user and u.tenant_id = users.current_tenant()
$$;

ALTER FUNCTION users.home_role(p_user uuid) OWNER TO sg_auth;

--
-- Name: is_role_within_own(text); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.is_role_within_own(p_role text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select coalesce((
        select users.is_within_own(r.based_on, r.scope) and not exists (
            select 1 from users.role_permissions p
            where p.tenant_id = r.tenant_id and p.role = r.role and not users.context_holds(p.permission))
        from users.roles r
        where r.tenant_id = users.current_tenant() and r.role = p_role), false)
$$;

ALTER FUNCTION users.is_role_within_own(p_role text) OWNER TO sg_owner;

--
-- Name: is_within_own(text, text); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.is_within_own(p_based_on text, p_scope text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select coalesce((
        select users.role_rank(p_based_on) <= users.role_rank(r.based_on) and (p_scope = 'own' or r.scope = 'tenant')
        from users.roles r
        where r.tenant_id = users.current_tenant() and r.role = users.current_member_role()), false)
$$;

ALTER FUNCTION users.is_within_own(p_based_on text, p_scope text) OWNER TO sg_owner;

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
-- Name: keep_key_ended(); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.keep_key_ended() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if current_user in ('sg_app', 'sg_app_own') and (
        (new.is_active and not old.is_active)
        or coalesce(new.expires_at, 'infinity') > coalesce(old.expires_at, 'infinity'))
    then
        raise exception 'an API key that is revoked or ends is not brought back' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;

ALTER FUNCTION users.keep_key_ended() OWNER TO sg_owner;

--
-- Name: list_default_rate_limits(); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.list_default_rate_limits() RETURNS TABLE(subject_kind text, requests_per_minute integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select d.subject_kind, d.requests_per_minute from users.rate_limit_defaults d
$$;

ALTER FUNCTION users.list_default_rate_limits() OWNER TO sg_owner;

--
-- Name: list_guests(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.list_guests() RETURNS uuid[]
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select coalesce(array_agg(m.user_id), '{}')
    from users.memberships m join users.users u on u.user_id = m.user_id
    where m.tenant_id = users.whole_tenant() and u.tenant_id <> m.tenant_id
$$;

ALTER FUNCTION users.list_guests() OWNER TO sg_auth;

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
-- Name: may_define_role(text, text); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.may_define_role(p_based_on text, p_scope text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select users.context_holds('users_manage') and users.is_within_own(p_based_on, p_scope)
$$;

ALTER FUNCTION users.may_define_role(p_based_on text, p_scope text) OWNER TO sg_owner;

--
-- Name: may_grant(text); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.may_grant(p_role text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select users.context_holds('users_manage') and users.is_role_within_own(p_role)
$$;

ALTER FUNCTION users.may_grant(p_role text) OWNER TO sg_owner;

--
-- Name: membership_is_sound(uuid, text, timestamp with time zone, uuid); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.membership_is_sound(p_user uuid, p_role text, p_expires_at timestamp with time zone, p_granted_by uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select case
        when users.home_role(p_user) is not null then p_role = users.home_role(p_user) and p_expires_at is null
        -- One day more than a year, for clocks that differ.
        else coalesce(p_user <> users.current_user_id() and p_granted_by = users.current_user_id()
            and p_expires_at <= clock_timestamp() + interval '1 year 1 day', false)
    end
$$;

ALTER FUNCTION users.membership_is_sound(p_user uuid, p_role text, p_expires_at timestamp with time zone, p_granted_by uuid) OWNER TO sg_owner;

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

ALTER FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: own_password_expiry(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.own_password_expiry() RETURNS timestamp with time zone
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select coalesce(u.password_last_changed, u.created_at) + make_interval(days => p.max_age_days)
    from users.users u
    join users.password_policies p on p.tenant_id = u.tenant_id
    where u.user_id = (select users.current_user_id()) and p.max_age_days > 0
$$;

ALTER FUNCTION users.own_password_expiry() OWNER TO sg_auth;

--
-- Name: own_subscription(timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.own_subscription(p_at timestamp with time zone) RETURNS TABLE(tenant_id uuid, plan text, plan_name text, status text, is_live boolean, trial_ends_at timestamp with time zone, period_start timestamp with time zone, period_end timestamp with time zone, max_endpoints integer, max_users integer, retention_class smallint, own_max_endpoints integer, own_max_users integer, own_retention_class smallint, endpoints_used bigint, users_used bigint, updated_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select o.tenant_id, o.plan, o.plan_name, o.status, o.is_live, o.trial_ends_at, o.period_start, o.period_end, o.max_endpoints,
        o.max_users, o.retention_class, o.own_max_endpoints, o.own_max_users, o.own_retention_class, o.endpoints_used, o.users_used,
        o.updated_at
    from users.subscription_of(users.current_tenant(), p_at) o
$$;

ALTER FUNCTION users.own_subscription(p_at timestamp with time zone) OWNER TO sg_auth;

--
-- Name: record_plan_change(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.record_plan_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into audit.row_changes (tenant_id, table_name, operation, row_id, before, after)
    values ('00000000-0000-0000-0000-000000000000', 'users.plans', lower(tg_op), coalesce(to_jsonb(new), to_jsonb(old)) ->> 'plan',
        case when tg_op <> 'INSERT' then to_jsonb(old) end, case when tg_op <> 'DELETE' then to_jsonb(new) end);
    return null;
end
$$;

ALTER FUNCTION users.record_plan_change() OWNER TO sg_auth;

--
-- Name: record_subscription(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.record_subscription() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into users.subscription_changes (tenant_id, plan, status, trial_ends_at, period_start, period_end, max_endpoints, max_users,
        retention_class, changed_by, reason)
    values (new.tenant_id, new.plan, new.status, new.trial_ends_at, new.period_start, new.period_end, new.max_endpoints, new.max_users,
        new.retention_class, nullif(current_setting('sg.changed_by', true), '')::uuid,
        nullif(current_setting('sg.change_reason', true), ''));
    return null;
end
$$;

ALTER FUNCTION users.record_subscription() OWNER TO sg_auth;

--
-- Name: refuse_borrowed_name(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.refuse_borrowed_name() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    -- Two who take one name at the same time wait for each other. Usual pairs (a name without @, an address with one) cannot meet each other and
    -- share the lock.
    if new.username not like '%@%' and new.email like '%@%' then
        perform pg_advisory_xact_lock_shared(hashtextextended('users.refuse_borrowed_name', 0));
    else
        perform pg_advisory_xact_lock(hashtextextended('users.refuse_borrowed_name', 0));
    end if;
    if exists (
        select 1 from users.users u
        where lower(u.email) = lower(new.username) and u.user_id <> new.user_id)
        or exists (
        select 1 from users.users u
        where lower(u.username) = lower(new.email) and u.user_id <> new.user_id)
    then
        raise exception 'user name or e-mail address are not available'
            using errcode = 'unique_violation', schema = 'users', table = 'users', constraint = 'users_username_email_key';
    end if;
    return new;
end
$$;

ALTER FUNCTION users.refuse_borrowed_name() OWNER TO sg_auth;

--
-- Name: refuse_loose_function(); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.refuse_loose_function() RETURNS event_trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION users.refuse_loose_function() OWNER TO sg_owner;

--
-- Name: reserve_requests(text, text, uuid, timestamp with time zone, bigint, bigint, bigint, boolean); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.reserve_requests(p_kind text, p_subject text, p_tenant uuid, p_window timestamp with time zone, p_spent bigint, p_served bigint, p_refused bigint, p_reserve boolean) RETURNS TABLE(granted bigint, allowed bigint, remaining bigint)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    taken bigint;
begin
    select coalesce(
        (select l.requests_per_minute from users.rate_limits l where l.tenant_id = p_tenant and l.subject_kind = p_kind),
        (select d.requests_per_minute from users.rate_limit_defaults d where d.subject_kind = p_kind))
    into allowed;
    insert into users.rate_usage as u (subject_kind, subject, window_start, tenant_id, reserved, served, refused)
    values (p_kind, p_subject, p_window, p_tenant, p_spent, p_served, p_refused)
    on conflict (tenant_id, subject_kind, subject, window_start) do update
    set reserved = u.reserved + excluded.reserved, served = u.served + excluded.served, refused = u.refused + excluded.refused
    returning u.reserved into taken;
    granted := case when p_reserve then greatest(0, least(greatest(allowed / 25, 1), allowed - taken)) else 0 end;
    if granted > 0 then
        update users.rate_usage u set reserved = u.reserved + granted
        where u.tenant_id = p_tenant and u.subject_kind = p_kind and u.subject = p_subject and u.window_start = p_window;
    end if;
    remaining := greatest(0, allowed - taken - granted);
    return next;
end
$$;

ALTER FUNCTION users.reserve_requests(p_kind text, p_subject text, p_tenant uuid, p_window timestamp with time zone, p_spent bigint, p_served bigint, p_refused bigint, p_reserve boolean) OWNER TO sg_owner;

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
-- Name: sees_whole_tenant(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.sees_whole_tenant() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN starts_with(current_setting('backtrace_functions'::text), 'sg_whole,'::text);

ALTER FUNCTION users.sees_whole_tenant() OWNER TO sg_auth;

--
-- Name: spread_permission(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.spread_permission() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into users.role_permissions (tenant_id, role, permission)
    select r.tenant_id, r.role, new.permission
    from users.roles r
    where r.role = r.based_on and users.role_rank(new.least_role) <= users.role_rank(r.role)
    on conflict do nothing;
    return null;
end
$$;

ALTER FUNCTION users.spread_permission() OWNER TO sg_auth;

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
-- Name: subscription_is_live(text, timestamp with time zone, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_owner
--

CREATE FUNCTION users.subscription_is_live(p_status text, p_trial_ends_at timestamp with time zone, p_period_end timestamp with time zone, p_at timestamp with time zone) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select case p_status
        when 'active' then true
        when 'past_due' then true
        when 'trial' then p_trial_ends_at > p_at
        when 'cancelled' then coalesce(p_period_end > p_at, false)
        else false
    end
$$;

ALTER FUNCTION users.subscription_is_live(p_status text, p_trial_ends_at timestamp with time zone, p_period_end timestamp with time zone, p_at timestamp with time zone) OWNER TO sg_owner;

--
-- Name: subscription_of(uuid, timestamp with time zone); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.subscription_of(p_tenant uuid, p_at timestamp with time zone) RETURNS TABLE(tenant_id uuid, plan text, plan_name text, status text, is_live boolean, trial_ends_at timestamp with time zone, period_start timestamp with time zone, period_end timestamp with time zone, max_endpoints integer, max_users integer, retention_class smallint, own_max_endpoints integer, own_max_users integer, own_retention_class smallint, endpoints_used bigint, users_used bigint, updated_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION users.subscription_of(p_tenant uuid, p_at timestamp with time zone) OWNER TO sg_auth;

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
        overlay(uuid_send(gen_random_uuid()) placing
            substring(int8send(t.microseconds / 1000) from 3)
                || substring(int4send((28672 + (t.microseconds % 1000) * 4096 / 1000)::integer) from 3)
            from 1 for 8),
        'hex')::uuid
    from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as microseconds) t
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
    AS $$
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

ALTER FUNCTION users.verified_claims() OWNER TO sg_auth;

--
-- Name: whole_tenant(); Type: FUNCTION; Schema: users; Owner: sg_auth
--

CREATE FUNCTION users.whole_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN (NULLIF(split_part(current_setting('backtrace_functions'::text), ',tenant,sg_tenant,'::text, 2), ''::text))::uuid;

ALTER FUNCTION users.whole_tenant() OWNER TO sg_auth;

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
    result_key text,
    CONSTRAINT agent_tokens_result_key_check CHECK (((length(result_key) >= 1) AND (length(result_key) <= 100))),
    CONSTRAINT agent_tokens_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY agents.agent_tokens FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.agent_tokens OWNER TO sg_owner;

--
-- Name: command_output; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.command_output (
    tenant_id uuid NOT NULL,
    command_id uuid NOT NULL,
    piece_offset bigint NOT NULL,
    piece text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT command_output_piece_check CHECK ((octet_length(piece) <= 262144)),
    CONSTRAINT command_output_piece_offset_check CHECK (((piece_offset >= 0) AND (piece_offset <= 1048576))),
    CONSTRAINT command_output_received_at_check CHECK (isfinite(received_at))
);

ALTER TABLE ONLY agents.command_output FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.command_output OWNER TO sg_owner;

--
-- Name: command_results; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.command_results (
    command_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    outcome text NOT NULL,
    exit_code integer,
    output text DEFAULT ''::text NOT NULL,
    output_truncated boolean DEFAULT false NOT NULL,
    output_bytes bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    late boolean DEFAULT false NOT NULL,
    summary text DEFAULT ''::text NOT NULL,
    signed_text text,
    signature text,
    result_key text,
    CONSTRAINT command_results_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'rejected'::text]))),
    CONSTRAINT command_results_output_bytes_check CHECK (((output_bytes >= 0) AND (output_truncated = (output_bytes > octet_length(output))))),
    CONSTRAINT command_results_output_check CHECK ((octet_length(output) <= 1048576)),
    CONSTRAINT command_results_signed_check CHECK ((num_nonnulls(signed_text, signature, result_key) = ANY (ARRAY[0, 3]))),
    CONSTRAINT command_results_summary_check CHECK ((length(summary) <= 2000)),
    CONSTRAINT command_results_times_check CHECK ((isfinite(started_at) AND isfinite(finished_at) AND isfinite(received_at)))
);

ALTER TABLE ONLY agents.command_results FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.command_results OWNER TO sg_owner;

--
-- Name: commands; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.commands (
    command_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    arguments jsonb DEFAULT '{}'::jsonb NOT NULL,
    secret_arguments jsonb,
    dangerous boolean NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    nonce bytea NOT NULL,
    idempotency_key text NOT NULL,
    requested_by uuid NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    approved_by uuid,
    approved_at timestamp with time zone,
    signature bytea,
    signing_key_id text,
    sent_at timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    closed_by uuid,
    close_reason text,
    expires_at timestamp with time zone NOT NULL,
    order_text text,
    approval jsonb,
    CONSTRAINT commands_approval_check CHECK (((approved_by IS NULL) = (approved_at IS NULL))),
    CONSTRAINT commands_approval_object_check CHECK (((jsonb_typeof(approval) = 'object'::text) AND (pg_column_size(approval) <= 16384))),
    CONSTRAINT commands_approved_before_sent_check CHECK (((NOT dangerous) OR (approved_by IS NOT NULL) OR (state = ANY (ARRAY['pending'::text, 'rejected'::text, 'cancelled'::text, 'expired'::text])))),
    CONSTRAINT commands_arguments_check CHECK (((jsonb_typeof(arguments) = 'object'::text) AND (pg_column_size(arguments) <= 65536) AND (jsonb_typeof(secret_arguments) = 'object'::text) AND (pg_column_size(secret_arguments) <= 65536))),
    CONSTRAINT commands_expires_at_check CHECK (((expires_at > requested_at) AND (expires_at <= (requested_at + '31 days'::interval)))),
    CONSTRAINT commands_idempotency_key_check CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 200))),
    CONSTRAINT commands_kind_check CHECK ((agents.command_is_dangerous(kind) IS NOT NULL)),
    CONSTRAINT commands_nonce_check CHECK (((length(nonce) >= 16) AND (length(nonce) <= 64))),
    CONSTRAINT commands_order_text_check CHECK (((length(order_text) >= 2) AND (length(order_text) <= 131072))),
    CONSTRAINT commands_reason_check CHECK ((((length(reason) >= 1) AND (length(reason) <= 2000)) AND ((length(close_reason) >= 1) AND (length(close_reason) <= 2000)))),
    CONSTRAINT commands_signature_check CHECK (((length(signature) >= 64) AND (length(signature) <= 512))),
    CONSTRAINT commands_signed_before_sent_check CHECK (((sent_at IS NULL) = (signature IS NULL))),
    CONSTRAINT commands_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'approved'::text, 'sent'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'expired'::text, 'cancelled'::text, 'rejected'::text]))),
    CONSTRAINT commands_times_check CHECK ((isfinite(requested_at) AND isfinite(approved_at) AND isfinite(sent_at) AND isfinite(started_at) AND isfinite(finished_at) AND isfinite(expires_at))),
    CONSTRAINT commands_two_people_check CHECK ((approved_by <> requested_by))
);

ALTER TABLE ONLY agents.commands FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.commands OWNER TO sg_owner;

--
-- Name: deadlines; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.deadlines (
    agent_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    look_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY agents.deadlines FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.deadlines OWNER TO sg_owner;

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
    kind text DEFAULT 'agent'::text NOT NULL,
    name_key text GENERATED ALWAYS AS (lower((hostname)::text)) STORED NOT NULL,
    search_text text GENERATED ALWAYS AS (
CASE
    WHEN (kind <> 'server'::text) THEN "left"(lower((((((((hostname)::text || chr(10)) || (COALESCE(device_name, ''::character varying))::text) || chr(10)) || COALESCE(host(ip_address), ''::text)) || chr(10)) || COALESCE(os_info, ''::text))), 390)
    ELSE NULL::text
END) STORED,
    CONSTRAINT endpoints_heartbeat_interval_check CHECK (((heartbeat_interval >= 1) AND (heartbeat_interval <= 86400))),
    CONSTRAINT endpoints_kind_check CHECK ((kind = ANY (ARRAY['agent'::text, 'log_source'::text, 'server'::text]))),
    CONSTRAINT endpoints_status_check CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'inactive'::character varying, 'decommissioned'::character varying])::text[]))),
    CONSTRAINT endpoints_times_check CHECK ((isfinite(last_seen) AND isfinite(created_at) AND isfinite(updated_at)))
)
WITH (autovacuum_vacuum_scale_factor='0.05');

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
    detail jsonb NOT NULL,
    agent_occurred_at timestamp with time zone,
    retention_class smallint DEFAULT 30 NOT NULL
)
PARTITION BY LIST (retention_class);

ALTER TABLE ONLY agents.events FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events OWNER TO sg_owner;

--
-- Name: events_class_30; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.events_class_30 (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    agent_occurred_at timestamp with time zone,
    retention_class smallint DEFAULT 30 NOT NULL
)
PARTITION BY RANGE (occurred_at);

ALTER TABLE ONLY agents.events_class_30 FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events_class_30 OWNER TO sg_owner;

--
-- Name: events_class_30_default; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.events_class_30_default (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    agent_occurred_at timestamp with time zone,
    retention_class smallint DEFAULT 30 NOT NULL
);

ALTER TABLE ONLY agents.events_class_30_default FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events_class_30_default OWNER TO sg_owner;

--
-- Name: events_class_400; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.events_class_400 (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    agent_occurred_at timestamp with time zone,
    retention_class smallint DEFAULT 30 NOT NULL
)
PARTITION BY RANGE (occurred_at);

ALTER TABLE ONLY agents.events_class_400 FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events_class_400 OWNER TO sg_owner;

--
-- Name: events_class_400_default; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.events_class_400_default (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    agent_occurred_at timestamp with time zone,
    retention_class smallint DEFAULT 30 NOT NULL
);

ALTER TABLE ONLY agents.events_class_400_default FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events_class_400_default OWNER TO sg_owner;

--
-- Name: events_class_90; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.events_class_90 (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    agent_occurred_at timestamp with time zone,
    retention_class smallint DEFAULT 30 NOT NULL
)
PARTITION BY RANGE (occurred_at);

ALTER TABLE ONLY agents.events_class_90 FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events_class_90 OWNER TO sg_owner;

--
-- Name: events_class_90_default; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.events_class_90_default (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    agent_occurred_at timestamp with time zone,
    retention_class smallint DEFAULT 30 NOT NULL
);

ALTER TABLE ONLY agents.events_class_90_default FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events_class_90_default OWNER TO sg_owner;

--
-- Name: events_held; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.events_held (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    agent_occurred_at timestamp with time zone,
    retention_class smallint DEFAULT 30 NOT NULL
);

ALTER TABLE ONLY agents.events_held FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.events_held OWNER TO sg_owner;

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
    to_at timestamp with time zone,
    detail text,
    recorded_at timestamp with time zone NOT NULL,
    cause text,
    area text DEFAULT ''::text NOT NULL,
    gap_count integer DEFAULT 1 NOT NULL,
    alert_at timestamp with time zone,
    in_outage boolean DEFAULT false NOT NULL,
    CONSTRAINT gaps_cause_check CHECK ((cause = ANY (ARRAY['host'::text, 'agent'::text, 'network'::text, 'unknown'::text]))),
    CONSTRAINT gaps_gap_count_check CHECK ((gap_count > 0)),
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
    last_seen_at timestamp with time zone,
    online boolean DEFAULT true NOT NULL,
    rules_version bigint DEFAULT 0 NOT NULL,
    backlog_records bigint DEFAULT 0 NOT NULL,
    clock_offset_ms bigint DEFAULT 0 NOT NULL,
    hardware_fingerprint text,
    sources jsonb DEFAULT '[]'::jsonb NOT NULL,
    weak_spots smallint DEFAULT 0 NOT NULL,
    said_goodbye boolean DEFAULT false NOT NULL,
    run_id uuid,
    boot_id uuid
)
WITH (fillfactor='50');

ALTER TABLE ONLY agents.heartbeats FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.heartbeats OWNER TO sg_owner;

--
-- Name: legal_holds; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.legal_holds (
    hold_id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone,
    reason text NOT NULL,
    placed_by uuid NOT NULL,
    placed_at timestamp with time zone NOT NULL,
    released_by uuid,
    released_at timestamp with time zone,
    CONSTRAINT legal_holds_range_check CHECK ((to_at > from_at)),
    CONSTRAINT legal_holds_reason_check CHECK (((length(btrim(reason)) >= 1) AND (length(btrim(reason)) <= 2000))),
    CONSTRAINT legal_holds_release_check CHECK ((((released_at IS NULL) = (released_by IS NULL)) AND (released_at >= placed_at))),
    CONSTRAINT legal_holds_times_check CHECK ((isfinite(from_at) AND isfinite(to_at) AND isfinite(placed_at) AND isfinite(released_at)))
);

ALTER TABLE ONLY agents.legal_holds FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.legal_holds OWNER TO sg_owner;

--
-- Name: liveness_watch; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.liveness_watch (
    only_one boolean DEFAULT true NOT NULL,
    looked_at timestamp with time zone NOT NULL,
    watching_since timestamp with time zone NOT NULL,
    CONSTRAINT liveness_watch_only_one_check CHECK (only_one)
);

ALTER TABLE agents.liveness_watch OWNER TO sg_owner;

--
-- Name: partition_schemes; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.partition_schemes (
    parent_table text NOT NULL,
    period text NOT NULL,
    keep_days integer,
    read_table text,
    read_condition text DEFAULT 'true'::text NOT NULL,
    held_table text,
    held_class smallint,
    CONSTRAINT partition_schemes_keep_days_check CHECK ((keep_days > 0)),
    CONSTRAINT partition_schemes_period_check CHECK ((period = ANY (ARRAY['day'::text, 'week'::text, 'month'::text])))
);

ALTER TABLE agents.partition_schemes OWNER TO sg_owner;

--
-- Name: rollup_backfill; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.rollup_backfill (
    day date NOT NULL
);

ALTER TABLE agents.rollup_backfill OWNER TO sg_owner;

--
-- Name: rollup_queue; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.rollup_queue (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    hour_at timestamp with time zone NOT NULL,
    marked_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY agents.rollup_queue FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.rollup_queue OWNER TO sg_owner;

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
    agent_collected_at timestamp with time zone,
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
    agent_collected_at timestamp with time zone,
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
    agent_collected_at timestamp with time zone,
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
    agent_collected_at timestamp with time zone,
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
    agent_collected_at timestamp with time zone,
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
    agent_collected_at timestamp with time zone,
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
    agent_collected_at timestamp with time zone,
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
-- Name: system_info_daily; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_daily (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    day_at timestamp with time zone NOT NULL,
    sample_count bigint NOT NULL,
    cpu_min double precision,
    cpu_avg double precision,
    cpu_max double precision,
    cpu_count bigint NOT NULL,
    memory_min double precision,
    memory_avg double precision,
    memory_max double precision,
    memory_count bigint NOT NULL,
    disk_min double precision,
    disk_avg double precision,
    disk_max double precision,
    disk_count bigint NOT NULL,
    rx_min double precision,
    rx_avg double precision,
    rx_max double precision,
    rx_count bigint NOT NULL,
    tx_min double precision,
    tx_avg double precision,
    tx_max double precision,
    tx_count bigint NOT NULL,
    processes_min double precision,
    processes_avg double precision,
    processes_max double precision,
    processes_count bigint NOT NULL,
    CONSTRAINT system_info_daily_day_at_check CHECK ((day_at = date_trunc('day'::text, day_at, 'UTC'::text))),
    CONSTRAINT system_info_daily_sample_count_check CHECK ((sample_count >= 1))
)
PARTITION BY RANGE (day_at);

ALTER TABLE ONLY agents.system_info_daily FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_daily OWNER TO sg_owner;

--
-- Name: system_info_daily_default; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_daily_default (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    day_at timestamp with time zone NOT NULL,
    sample_count bigint NOT NULL,
    cpu_min double precision,
    cpu_avg double precision,
    cpu_max double precision,
    cpu_count bigint NOT NULL,
    memory_min double precision,
    memory_avg double precision,
    memory_max double precision,
    memory_count bigint NOT NULL,
    disk_min double precision,
    disk_avg double precision,
    disk_max double precision,
    disk_count bigint NOT NULL,
    rx_min double precision,
    rx_avg double precision,
    rx_max double precision,
    rx_count bigint NOT NULL,
    tx_min double precision,
    tx_avg double precision,
    tx_max double precision,
    tx_count bigint NOT NULL,
    processes_min double precision,
    processes_avg double precision,
    processes_max double precision,
    processes_count bigint NOT NULL,
    CONSTRAINT system_info_daily_day_at_check CHECK ((day_at = date_trunc('day'::text, day_at, 'UTC'::text))),
    CONSTRAINT system_info_daily_sample_count_check CHECK ((sample_count >= 1))
);

ALTER TABLE ONLY agents.system_info_daily_default FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_daily_default OWNER TO sg_owner;

--
-- Name: system_info_held; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_held (
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
    agent_collected_at timestamp with time zone,
    CONSTRAINT system_info_collected_at_check CHECK (isfinite(collected_at)),
    CONSTRAINT system_info_cpu_usage_check CHECK (((cpu_usage >= (0)::numeric) AND (cpu_usage <= (1000000)::numeric))),
    CONSTRAINT system_info_disk_usage_check CHECK (((disk_usage >= (0)::numeric) AND (disk_usage <= (100)::numeric))),
    CONSTRAINT system_info_memory_usage_check CHECK (((memory_usage >= (0)::numeric) AND (memory_usage <= (100)::numeric))),
    CONSTRAINT system_info_process_count_check CHECK ((process_count >= 0)),
    CONSTRAINT system_info_uptime_check CHECK ((uptime >= 0))
);

ALTER TABLE ONLY agents.system_info_held FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_held OWNER TO sg_owner;

--
-- Name: system_info_hourly; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_hourly (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    hour_at timestamp with time zone NOT NULL,
    sample_count bigint NOT NULL,
    cpu_min double precision,
    cpu_avg double precision,
    cpu_max double precision,
    cpu_count bigint NOT NULL,
    memory_min double precision,
    memory_avg double precision,
    memory_max double precision,
    memory_count bigint NOT NULL,
    disk_min double precision,
    disk_avg double precision,
    disk_max double precision,
    disk_count bigint NOT NULL,
    rx_min double precision,
    rx_avg double precision,
    rx_max double precision,
    rx_count bigint NOT NULL,
    tx_min double precision,
    tx_avg double precision,
    tx_max double precision,
    tx_count bigint NOT NULL,
    processes_min double precision,
    processes_avg double precision,
    processes_max double precision,
    processes_count bigint NOT NULL,
    CONSTRAINT system_info_hourly_hour_at_check CHECK ((hour_at = date_trunc('hour'::text, hour_at, 'UTC'::text))),
    CONSTRAINT system_info_hourly_sample_count_check CHECK ((sample_count >= 1))
)
PARTITION BY RANGE (hour_at);

ALTER TABLE ONLY agents.system_info_hourly FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_hourly OWNER TO sg_owner;

--
-- Name: system_info_hourly_default; Type: TABLE; Schema: agents; Owner: sg_owner
--

CREATE TABLE agents.system_info_hourly_default (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    hour_at timestamp with time zone NOT NULL,
    sample_count bigint NOT NULL,
    cpu_min double precision,
    cpu_avg double precision,
    cpu_max double precision,
    cpu_count bigint NOT NULL,
    memory_min double precision,
    memory_avg double precision,
    memory_max double precision,
    memory_count bigint NOT NULL,
    disk_min double precision,
    disk_avg double precision,
    disk_max double precision,
    disk_count bigint NOT NULL,
    rx_min double precision,
    rx_avg double precision,
    rx_max double precision,
    rx_count bigint NOT NULL,
    tx_min double precision,
    tx_avg double precision,
    tx_max double precision,
    tx_count bigint NOT NULL,
    processes_min double precision,
    processes_avg double precision,
    processes_max double precision,
    processes_count bigint NOT NULL,
    CONSTRAINT system_info_hourly_hour_at_check CHECK ((hour_at = date_trunc('hour'::text, hour_at, 'UTC'::text))),
    CONSTRAINT system_info_hourly_sample_count_check CHECK ((sample_count >= 1))
);

ALTER TABLE ONLY agents.system_info_hourly_default FORCE ROW LEVEL SECURITY;

ALTER TABLE agents.system_info_hourly_default OWNER TO sg_owner;

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
-- Name: chain; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.chain (
    tenant_id uuid NOT NULL,
    "position" bigint NOT NULL,
    table_code smallint NOT NULL,
    row_id uuid NOT NULL,
    row_time timestamp with time zone NOT NULL,
    row_hash bytea NOT NULL,
    link bytea NOT NULL,
    CONSTRAINT chain_hashes_check CHECK (((length(row_hash) = 32) AND (length(link) = 32))),
    CONSTRAINT chain_position_check CHECK (("position" >= 1)),
    CONSTRAINT chain_table_code_check CHECK (((table_code >= 1) AND (table_code <= 4)))
);

ALTER TABLE ONLY audit.chain FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.chain OWNER TO sg_owner;

--
-- Name: chain_heads; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.chain_heads (
    tenant_id uuid NOT NULL,
    "position" bigint NOT NULL,
    link bytea NOT NULL,
    checkpoint_position bigint DEFAULT 0 NOT NULL,
    checkpoint_at timestamp with time zone
);

ALTER TABLE ONLY audit.chain_heads FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.chain_heads OWNER TO sg_owner;

--
-- Name: chain_records; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.chain_records (
    record_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    body text NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL,
    row_hash bytea,
    CONSTRAINT chain_records_kind_check CHECK ((kind = ANY (ARRAY['retention'::text, 'erasure'::text, 'fork'::text]))),
    CONSTRAINT chain_records_signature_check CHECK ((length(signature) = 64))
);

ALTER TABLE ONLY audit.chain_records FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.chain_records OWNER TO sg_owner;

--
-- Name: checkpoints; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.checkpoints (
    tenant_id uuid NOT NULL,
    "position" bigint NOT NULL,
    link bytea NOT NULL,
    signed_at timestamp with time zone NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL,
    CONSTRAINT checkpoints_signature_check CHECK (((length(link) = 32) AND (length(signature) = 64)))
);

ALTER TABLE ONLY audit.checkpoints FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.checkpoints OWNER TO sg_owner;

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
    row_hash bytea,
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
    row_hash bytea,
    CONSTRAINT events_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['user'::text, 'api_key'::text, 'agent'::text, 'system'::text, 'anonymous'::text]))),
    CONSTRAINT events_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'failure'::text, 'denied'::text])))
);

ALTER TABLE ONLY audit.events_default FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.events_default OWNER TO sg_owner;

--
-- Name: export_positions; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.export_positions (
    tenant_id uuid NOT NULL,
    sink text NOT NULL,
    "position" bigint NOT NULL,
    exported_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY audit.export_positions FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.export_positions OWNER TO sg_owner;

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
    row_hash bytea,
    CONSTRAINT login_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'unknown_user'::text, 'wrong_password'::text, 'locked'::text, 'inactive'::text, 'throttled'::text, 'second_factor_required'::text, 'wrong_factor'::text, 'directory_unavailable'::text])))
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
    row_hash bytea,
    CONSTRAINT login_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'unknown_user'::text, 'wrong_password'::text, 'locked'::text, 'inactive'::text, 'throttled'::text, 'second_factor_required'::text, 'wrong_factor'::text, 'directory_unavailable'::text])))
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
    row_hash bytea,
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
    row_hash bytea,
    CONSTRAINT row_changes_operation_check CHECK ((((operation = 'insert'::text) AND (before IS NULL) AND (after IS NOT NULL)) OR ((operation = 'update'::text) AND (before IS NOT NULL) AND (after IS NOT NULL)) OR ((operation = 'delete'::text) AND (before IS NOT NULL) AND (after IS NULL))))
);

ALTER TABLE ONLY audit.row_changes_default FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.row_changes_default OWNER TO sg_owner;

--
-- Name: unsealed; Type: TABLE; Schema: audit; Owner: sg_owner
--

CREATE TABLE audit.unsealed (
    tenant_id uuid NOT NULL,
    table_code smallint NOT NULL,
    row_id uuid NOT NULL,
    row_time timestamp with time zone NOT NULL,
    row_hash bytea
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

ALTER TABLE ONLY audit.unsealed FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.unsealed OWNER TO sg_owner;

--
-- Name: alert_rules; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.alert_rules (
    rule_id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    comparison text DEFAULT 'above'::text NOT NULL,
    threshold numeric NOT NULL,
    window_seconds integer NOT NULL,
    for_seconds integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    inhibited_by text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT alert_rules_comparison_check CHECK ((comparison = ANY (ARRAY['above'::text, 'below'::text]))),
    CONSTRAINT alert_rules_for_seconds_check CHECK (((for_seconds >= 0) AND (for_seconds <= 86400))),
    CONSTRAINT alert_rules_inhibited_by_check CHECK (((cardinality(inhibited_by) <= 15) AND (array_position(inhibited_by, NULL::text) IS NULL) AND (NOT (kind = ANY (inhibited_by))))),
    CONSTRAINT alert_rules_kind_check CHECK ((kind ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT alert_rules_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
    CONSTRAINT alert_rules_threshold_check CHECK (((threshold >= (0)::numeric) AND (threshold <= (1000000000)::numeric))),
    CONSTRAINT alert_rules_window_seconds_check CHECK (((window_seconds >= 0) AND (window_seconds <= 86400)))
);

ALTER TABLE ONLY monitoring.alert_rules FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.alert_rules OWNER TO sg_owner;

--
-- Name: alerts; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.alerts (
    alert_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    subject text DEFAULT ''::text NOT NULL,
    state text NOT NULL,
    since timestamp with time zone NOT NULL,
    fired_at timestamp with time zone,
    last_seen_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    last_value numeric NOT NULL,
    occurrence_count bigint DEFAULT 1 NOT NULL,
    agent_id uuid,
    summary text,
    CONSTRAINT alerts_fired_at_check CHECK (((state = 'pending'::text) = (fired_at IS NULL))),
    CONSTRAINT alerts_occurrence_count_check CHECK ((occurrence_count >= 1)),
    CONSTRAINT alerts_resolved_at_check CHECK (((state = 'resolved'::text) = (resolved_at IS NOT NULL))),
    CONSTRAINT alerts_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'firing'::text, 'resolved'::text]))),
    CONSTRAINT alerts_summary_check CHECK (((length(summary) >= 1) AND (length(summary) <= 500)))
);

ALTER TABLE ONLY monitoring.alerts FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.alerts OWNER TO sg_owner;

--
-- Name: backup_state; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.backup_state (
    tenant_id uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    looked_at timestamp with time zone NOT NULL,
    node text NOT NULL,
    archived_at timestamp with time zone,
    archived_segment text,
    archive_age_seconds double precision NOT NULL,
    archive_failures bigint NOT NULL,
    problems jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT backup_state_problems_check CHECK ((jsonb_typeof(problems) = 'array'::text))
);

ALTER TABLE ONLY monitoring.backup_state FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.backup_state OWNER TO sg_owner;

--
-- Name: backups; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.backups (
    run_id uuid NOT NULL,
    tenant_id uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    node text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    label text,
    repository smallint,
    database_bytes bigint,
    stored_bytes bigint,
    recovered_to timestamp with time zone,
    rpo_seconds double precision,
    rto_seconds double precision,
    problem text,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT backups_finished_at_check CHECK (((state = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT backups_kind_check CHECK ((kind = ANY (ARRAY['full'::text, 'incr'::text, 'verify'::text, 'drill'::text]))),
    CONSTRAINT backups_node_check CHECK (((length(node) >= 1) AND (length(node) <= 255))),
    CONSTRAINT backups_problem_check CHECK (((state <> 'failed'::text) OR (problem IS NOT NULL))),
    CONSTRAINT backups_sizes_check CHECK (((database_bytes >= 0) AND (stored_bytes >= 0))),
    CONSTRAINT backups_state_check CHECK ((state = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text, 'interrupted'::text]))),
    CONSTRAINT backups_times_check CHECK (((rpo_seconds >= (0)::double precision) AND (rto_seconds >= (0)::double precision)))
);

ALTER TABLE ONLY monitoring.backups FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.backups OWNER TO sg_owner;

--
-- Name: channels; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.channels (
    channel_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    settings jsonb NOT NULL,
    secret_id uuid,
    is_enabled boolean DEFAULT true NOT NULL,
    per_minute integer DEFAULT 10 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    templates jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT channels_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'slack'::text, 'webhook'::text, 'syslog'::text, 'pagerduty'::text]))),
    CONSTRAINT channels_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 100))),
    CONSTRAINT channels_per_minute_check CHECK (((per_minute >= 1) AND (per_minute <= 600))),
    CONSTRAINT channels_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text)),
    CONSTRAINT channels_templates_check CHECK (((jsonb_typeof(templates) = 'object'::text) AND (length((templates)::text) <= 40000))),
    CONSTRAINT channels_times_check CHECK ((isfinite(created_at) AND isfinite(updated_at)))
);

ALTER TABLE ONLY monitoring.channels FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.channels OWNER TO sg_owner;

--
-- Name: delivery_attempts; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.delivery_attempts (
    tenant_id uuid NOT NULL,
    notification_id uuid NOT NULL,
    attempt integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    milliseconds integer NOT NULL,
    is_delivered boolean NOT NULL,
    answer_code integer,
    error text,
    note text,
    CONSTRAINT delivery_attempts_attempt_check CHECK ((attempt >= 1)),
    CONSTRAINT delivery_attempts_error_check CHECK (((length(error) <= 500) AND (is_delivered = (error IS NULL)))),
    CONSTRAINT delivery_attempts_milliseconds_check CHECK ((milliseconds >= 0)),
    CONSTRAINT delivery_attempts_note_check CHECK (((length(note) >= 1) AND (length(note) <= 500)))
);

ALTER TABLE ONLY monitoring.delivery_attempts FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.delivery_attempts OWNER TO sg_owner;

--
-- Name: kpi_samples; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.kpi_samples (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    measured_at timestamp with time zone NOT NULL,
    sign_ins bigint NOT NULL,
    failed_sign_ins bigint NOT NULL,
    lockouts bigint NOT NULL,
    confirmed_incidents bigint NOT NULL,
    false_incidents bigint NOT NULL,
    people integer,
    compliant_people integer,
    queries bigint,
    query_milliseconds double precision,
    connections integer,
    max_connections integer,
    index_rows bigint,
    scanned_rows bigint,
    database_bytes bigint,
    disk_used_bytes bigint,
    disk_total_bytes bigint,
    counters jsonb,
    CONSTRAINT kpi_samples_incidents_check CHECK (((confirmed_incidents >= 0) AND (false_incidents >= 0))),
    CONSTRAINT kpi_samples_measured_at_check CHECK ((isfinite(measured_at) AND isfinite(day))),
    CONSTRAINT kpi_samples_people_check CHECK (((people >= 0) AND ((compliant_people >= 0) AND (compliant_people <= people)))),
    CONSTRAINT kpi_samples_sign_ins_check CHECK (((sign_ins >= 0) AND ((failed_sign_ins >= 0) AND (failed_sign_ins <= sign_ins)) AND (lockouts >= 0)))
);

ALTER TABLE ONLY monitoring.kpi_samples FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.kpi_samples OWNER TO sg_owner;

--
-- Name: maintenance_runs; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.maintenance_runs (
    run_id uuid NOT NULL,
    tenant_id uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    period text NOT NULL,
    state text NOT NULL,
    node text NOT NULL,
    is_by_hand boolean NOT NULL,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    interruptions integer DEFAULT 0 NOT NULL,
    requested_by text,
    CONSTRAINT maintenance_runs_finished_at_check CHECK (((state = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT maintenance_runs_interruptions_check CHECK ((interruptions >= 0)),
    CONSTRAINT maintenance_runs_node_check CHECK (((length(node) >= 1) AND (length(node) <= 255))),
    CONSTRAINT maintenance_runs_period_check CHECK ((period = ANY (ARRAY['daily'::text, 'weekly'::text, 'monthly'::text]))),
    CONSTRAINT maintenance_runs_requested_by_check CHECK (((length(requested_by) >= 1) AND (length(requested_by) <= 255))),
    CONSTRAINT maintenance_runs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text]))),
    CONSTRAINT maintenance_runs_times_check CHECK ((isfinite(from_at) AND isfinite(to_at) AND isfinite(started_at) AND isfinite(finished_at)))
);

ALTER TABLE ONLY monitoring.maintenance_runs FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.maintenance_runs OWNER TO sg_owner;

--
-- Name: maintenance_tasks; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.maintenance_tasks (
    tenant_id uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    run_id uuid NOT NULL,
    "position" smallint NOT NULL,
    task text NOT NULL,
    state text NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    progress text,
    finding_count integer DEFAULT 0 NOT NULL,
    problem text,
    counters jsonb,
    CONSTRAINT maintenance_tasks_problem_check CHECK (((state <> 'failed'::text) OR (problem IS NOT NULL))),
    CONSTRAINT maintenance_tasks_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'running'::text, 'completed'::text, 'failed'::text]))),
    CONSTRAINT maintenance_tasks_task_check CHECK ((task ~ '^[a-z][a-z_]{0,62}$'::text)),
    CONSTRAINT maintenance_tasks_times_check CHECK ((((state = 'waiting'::text) = (started_at IS NULL)) AND ((state = ANY (ARRAY['completed'::text, 'failed'::text])) = (finished_at IS NOT NULL))))
);

ALTER TABLE ONLY monitoring.maintenance_tasks FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.maintenance_tasks OWNER TO sg_owner;

--
-- Name: notifications; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.notifications (
    notification_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    route_id uuid,
    cause text NOT NULL,
    threat_id uuid,
    alert_id uuid,
    severity text NOT NULL,
    dedup_key text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_attempt_at timestamp with time zone,
    finished_at timestamp with time zone,
    outcome text,
    digest_id uuid,
    escalate_at timestamp with time zone,
    is_open boolean DEFAULT false NOT NULL,
    inhibited_by uuid,
    CONSTRAINT notifications_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT notifications_cause_check CHECK ((cause = ANY (ARRAY['incident_opened'::text, 'incident_raised'::text, 'incident_waiting'::text, 'incident_closed'::text, 'incident_reopened'::text, 'alert_firing'::text, 'alert_waiting'::text, 'alert_resolved'::text, 'digest'::text, 'test'::text]))),
    CONSTRAINT notifications_dedup_key_check CHECK (((length(dedup_key) >= 1) AND (length(dedup_key) <= 200))),
    CONSTRAINT notifications_finished_check CHECK (((finished_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT notifications_outcome_check CHECK ((outcome = ANY (ARRAY['sent'::text, 'refused'::text, 'expired'::text, 'silenced'::text, 'merged'::text]))),
    CONSTRAINT notifications_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
    CONSTRAINT notifications_subject_check CHECK ((num_nonnulls(threat_id, alert_id) <= 1)),
    CONSTRAINT notifications_times_check CHECK ((isfinite(created_at) AND isfinite(next_attempt_at) AND isfinite(expires_at)))
);

ALTER TABLE ONLY monitoring.notifications FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.notifications OWNER TO sg_owner;

--
-- Name: report_subscriptions; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.report_subscriptions (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    of_installation boolean NOT NULL,
    kind text NOT NULL,
    mode text NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT report_subscriptions_kind_check CHECK ((kind = ANY (ARRAY['daily'::text, 'weekly'::text, 'monthly'::text, 'kpis'::text]))),
    CONSTRAINT report_subscriptions_mode_check CHECK ((mode = ANY (ARRAY['always'::text, 'findings'::text, 'never'::text])))
);

ALTER TABLE ONLY monitoring.report_subscriptions FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.report_subscriptions OWNER TO sg_owner;

--
-- Name: reports; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.reports (
    report_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    run_id uuid,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    finding_count integer DEFAULT 0 NOT NULL,
    content jsonb NOT NULL,
    CONSTRAINT reports_finding_count_check CHECK ((finding_count >= 0)),
    CONSTRAINT reports_kind_check CHECK ((kind = ANY (ARRAY['daily'::text, 'weekly'::text, 'monthly'::text, 'kpis'::text]))),
    CONSTRAINT reports_run_id_check CHECK (((kind = 'kpis'::text) = (run_id IS NULL))),
    CONSTRAINT reports_times_check CHECK ((isfinite(from_at) AND isfinite(to_at) AND isfinite(created_at) AND isfinite(finished_at) AND (from_at < to_at)))
);

ALTER TABLE ONLY monitoring.reports FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.reports OWNER TO sg_owner;

--
-- Name: routes; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.routes (
    route_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    channel_id uuid NOT NULL,
    source text NOT NULL,
    min_severity text NOT NULL,
    rules text[] DEFAULT '{}'::text[] NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    agents uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    is_enabled boolean DEFAULT true NOT NULL,
    muted_until timestamp with time zone,
    escalate_after_minutes integer,
    escalate_to uuid,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT routes_escalation_check CHECK ((((escalate_to IS NULL) OR (escalate_after_minutes IS NOT NULL)) AND ((escalate_after_minutes >= 1) AND (escalate_after_minutes <= 10080)))),
    CONSTRAINT routes_lists_check CHECK (((cardinality(rules) <= 100) AND (cardinality(tags) <= 100) AND (cardinality(agents) <= 100) AND ((source = 'incident'::text) OR ((cardinality(tags) = 0) AND (cardinality(agents) = 0))))),
    CONSTRAINT routes_min_severity_check CHECK ((min_severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
    CONSTRAINT routes_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 100))),
    CONSTRAINT routes_source_check CHECK ((source = ANY (ARRAY['incident'::text, 'alert'::text]))),
    CONSTRAINT routes_times_check CHECK ((isfinite(created_at) AND isfinite(muted_until)))
);

ALTER TABLE ONLY monitoring.routes FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.routes OWNER TO sg_owner;

--
-- Name: security_events; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.security_events (
    event_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    subject text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT security_events_kind_check CHECK ((kind ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT security_events_occurred_at_check CHECK (isfinite(occurred_at)),
    CONSTRAINT security_events_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text])))
)
PARTITION BY RANGE (occurred_at);

ALTER TABLE ONLY monitoring.security_events FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.security_events OWNER TO sg_owner;

--
-- Name: security_events_default; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.security_events_default (
    event_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    subject text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT security_events_kind_check CHECK ((kind ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT security_events_occurred_at_check CHECK (isfinite(occurred_at)),
    CONSTRAINT security_events_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text])))
);

ALTER TABLE ONLY monitoring.security_events_default FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.security_events_default OWNER TO sg_owner;

--
-- Name: silences; Type: TABLE; Schema: monitoring; Owner: sg_owner
--

CREATE TABLE monitoring.silences (
    silence_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    reason text NOT NULL,
    owner_id uuid,
    rule text,
    agent_id uuid,
    max_severity text,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_by uuid,
    ended_at timestamp with time zone,
    CONSTRAINT silences_max_severity_check CHECK ((max_severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
    CONSTRAINT silences_reason_check CHECK (((length(btrim(reason)) >= 1) AND (length(btrim(reason)) <= 2000))),
    CONSTRAINT silences_rule_check CHECK (((length(rule) >= 1) AND (length(rule) <= 200))),
    CONSTRAINT silences_times_check CHECK ((isfinite(created_at) AND isfinite(expires_at) AND isfinite(ended_at) AND (expires_at > created_at)))
);

ALTER TABLE ONLY monitoring.silences FORCE ROW LEVEL SECURITY;

ALTER TABLE monitoring.silences OWNER TO sg_owner;

--
-- Name: schema_steps; Type: TABLE; Schema: public; Owner: sg_owner
--

CREATE TABLE public.schema_steps (
    version bigint NOT NULL,
    expands boolean NOT NULL
);

ALTER TABLE public.schema_steps OWNER TO sg_owner;

--
-- Name: correlation_episodes; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.correlation_episodes (
    tenant_id uuid NOT NULL,
    rule_id text NOT NULL,
    group_key bytea NOT NULL,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone NOT NULL,
    episode_id uuid NOT NULL,
    held boolean NOT NULL,
    figure double precision NOT NULL,
    keep_until timestamp with time zone NOT NULL,
    CONSTRAINT correlation_episodes_group_key_check CHECK ((length(group_key) = 32)),
    CONSTRAINT correlation_episodes_rule_id_check CHECK (((length(rule_id) >= 1) AND (length(rule_id) <= 200))),
    CONSTRAINT correlation_episodes_times_check CHECK ((isfinite(from_at) AND isfinite(to_at) AND isfinite(keep_until) AND (from_at <= to_at)))
);

ALTER TABLE ONLY threats.correlation_episodes FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.correlation_episodes OWNER TO sg_owner;

--
-- Name: correlation_matches; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.correlation_matches (
    tenant_id uuid NOT NULL,
    rule_id text NOT NULL,
    group_key bytea NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    event_id uuid NOT NULL,
    "position" smallint NOT NULL,
    group_values jsonb NOT NULL,
    value text,
    agent_id uuid NOT NULL,
    matched_rule text NOT NULL,
    summary text NOT NULL,
    due_at timestamp with time zone,
    keep_until timestamp with time zone NOT NULL,
    CONSTRAINT correlation_matches_group_key_check CHECK ((length(group_key) = 32)),
    CONSTRAINT correlation_matches_group_values_check CHECK ((jsonb_typeof(group_values) = 'array'::text)),
    CONSTRAINT correlation_matches_position_check CHECK (("position" >= 0)),
    CONSTRAINT correlation_matches_rule_id_check CHECK (((length(rule_id) >= 1) AND (length(rule_id) <= 200))),
    CONSTRAINT correlation_matches_times_check CHECK ((isfinite(occurred_at) AND isfinite(due_at) AND isfinite(keep_until)))
);

ALTER TABLE ONLY threats.correlation_matches FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.correlation_matches OWNER TO sg_owner;

--
-- Name: excepted_findings; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.excepted_findings (
    tenant_id uuid NOT NULL,
    exception_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    fingerprint text NOT NULL,
    day date NOT NULL,
    rule_id text NOT NULL,
    rule_name text NOT NULL,
    severity text NOT NULL,
    subject jsonb NOT NULL,
    occurrence_count bigint NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT excepted_findings_occurrence_count_check CHECK ((occurrence_count >= 1)),
    CONSTRAINT excepted_findings_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text])))
);

ALTER TABLE ONLY threats.excepted_findings FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.excepted_findings OWNER TO sg_owner;

--
-- Name: exceptions; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.exceptions (
    exception_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    reason text NOT NULL,
    owner_id uuid,
    rule_id text,
    agent_id uuid,
    conditions jsonb DEFAULT '[]'::jsonb NOT NULL,
    threat_id uuid,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    ended_by uuid,
    ended_at timestamp with time zone,
    CONSTRAINT exceptions_conditions_check CHECK (((jsonb_typeof(conditions) = 'array'::text) AND (jsonb_array_length(conditions) <= 10))),
    CONSTRAINT exceptions_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 200))),
    CONSTRAINT exceptions_reason_check CHECK (((length(btrim(reason)) >= 1) AND (length(btrim(reason)) <= 2000))),
    CONSTRAINT exceptions_rule_id_check CHECK (((length(rule_id) >= 1) AND (length(rule_id) <= 200))),
    CONSTRAINT exceptions_scope_check CHECK (((rule_id IS NOT NULL) OR (jsonb_array_length(conditions) > 0))),
    CONSTRAINT exceptions_times_check CHECK ((isfinite(created_at) AND isfinite(expires_at) AND isfinite(ended_at)))
);

ALTER TABLE ONLY threats.exceptions FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.exceptions OWNER TO sg_owner;

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
-- Name: placeholders; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.placeholders (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    placeholder_values text[] NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_by uuid,
    CONSTRAINT placeholders_changed_at_check CHECK (isfinite(changed_at)),
    CONSTRAINT placeholders_name_check CHECK ((name ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$'::text)),
    CONSTRAINT placeholders_values_check CHECK ((((cardinality(placeholder_values) >= 1) AND (cardinality(placeholder_values) <= 500)) AND (array_position(placeholder_values, NULL::text) IS NULL)))
);

ALTER TABLE ONLY threats.placeholders FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.placeholders OWNER TO sg_owner;

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
-- Name: rule_sets; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.rule_sets (
    tenant_id uuid NOT NULL,
    version bigint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT rule_sets_changed_at_check CHECK (isfinite(changed_at)),
    CONSTRAINT rule_sets_version_check CHECK ((version > 0))
);

ALTER TABLE ONLY threats.rule_sets FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.rule_sets OWNER TO sg_owner;

--
-- Name: rule_versions; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.rule_versions (
    tenant_id uuid NOT NULL,
    rule_id text NOT NULL,
    version integer NOT NULL,
    change text NOT NULL,
    text text,
    is_enabled boolean NOT NULL,
    diagnostics jsonb DEFAULT '[]'::jsonb NOT NULL,
    reason text,
    changed_by uuid,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT rule_versions_change_check CHECK ((change = ANY (ARRAY['create'::text, 'update'::text, 'enable'::text, 'disable'::text, 'remove'::text]))),
    CONSTRAINT rule_versions_changed_at_check CHECK (isfinite(changed_at)),
    CONSTRAINT rule_versions_diagnostics_check CHECK ((jsonb_typeof(diagnostics) = 'array'::text)),
    CONSTRAINT rule_versions_reason_check CHECK (((length(btrim(reason)) >= 1) AND (length(btrim(reason)) <= 2000))),
    CONSTRAINT rule_versions_text_check CHECK (((octet_length(text) >= 1) AND (octet_length(text) <= 4194304))),
    CONSTRAINT rule_versions_version_check CHECK ((version > 0))
);

ALTER TABLE ONLY threats.rule_versions FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.rule_versions OWNER TO sg_owner;

--
-- Name: rules; Type: TABLE; Schema: threats; Owner: sg_owner
--

CREATE TABLE threats.rules (
    tenant_id uuid NOT NULL,
    rule_id text NOT NULL,
    finding_ids text[] DEFAULT '{}'::text[] NOT NULL,
    origin text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    severity text NOT NULL,
    description text,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    text text,
    text_digest bytea,
    diagnostics jsonb DEFAULT '[]'::jsonb NOT NULL,
    is_enabled boolean NOT NULL,
    version integer NOT NULL,
    literal_bytes bigint DEFAULT 0 NOT NULL,
    regexes integer DEFAULT 0 NOT NULL,
    yara_positions bigint DEFAULT 0 NOT NULL,
    indicators integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_by uuid,
    removed_at timestamp with time zone,
    CONSTRAINT rules_diagnostics_check CHECK ((jsonb_typeof(diagnostics) = 'array'::text)),
    CONSTRAINT rules_kind_check CHECK ((kind = ANY (ARRAY['sigma'::text, 'yara'::text, 'indicator'::text]))),
    CONSTRAINT rules_name_check CHECK (((length(name) >= 1) AND (length(name) <= 300))),
    CONSTRAINT rules_origin_check CHECK (((origin = ANY (ARRAY['pack'::text, 'tenant'::text])) AND ((origin = 'tenant'::text) = (text IS NOT NULL)))),
    CONSTRAINT rules_rule_id_check CHECK (((length(rule_id) >= 1) AND (length(rule_id) <= 200))),
    CONSTRAINT rules_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
    CONSTRAINT rules_text_check CHECK (((octet_length(text) >= 1) AND (octet_length(text) <= 4194304))),
    CONSTRAINT rules_text_digest_check CHECK ((((text_digest IS NULL) = (text IS NULL)) AND (length(text_digest) = 32))),
    CONSTRAINT rules_times_check CHECK ((isfinite(created_at) AND isfinite(changed_at) AND isfinite(removed_at))),
    CONSTRAINT rules_version_check CHECK ((version > 0)),
    CONSTRAINT rules_weight_check CHECK (((literal_bytes >= 0) AND (regexes >= 0) AND (yara_positions >= 0) AND (indicators >= 0)))
);

ALTER TABLE ONLY threats.rules FORCE ROW LEVEL SECURITY;

ALTER TABLE threats.rules OWNER TO sg_owner;

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
    max_enrolments bigint,
    enrolments bigint DEFAULT 0 NOT NULL,
    replaces_key_id uuid,
    CONSTRAINT api_keys_enrolments_check CHECK (((enrolments >= 0) AND ((max_enrolments IS NULL) OR (enrolments <= max_enrolments)))),
    CONSTRAINT api_keys_max_enrolments_check CHECK ((max_enrolments > 0)),
    CONSTRAINT api_keys_scopes_check CHECK (((scopes <@ ARRAY['enrol'::text, 'api'::text, 'scim'::text, 'events'::text]) AND (cardinality(scopes) > 0))),
    CONSTRAINT api_keys_times_check CHECK ((isfinite(expires_at) AND isfinite(last_used) AND isfinite(created_at)))
);

ALTER TABLE ONLY users.api_keys FORCE ROW LEVEL SECURITY;

ALTER TABLE users.api_keys OWNER TO sg_owner;

--
-- Name: backup_codes; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.backup_codes (
    code_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT backup_codes_code_hash_check CHECK ((length(code_hash) = 32))
);

ALTER TABLE ONLY users.backup_codes FORCE ROW LEVEL SECURITY;

ALTER TABLE users.backup_codes OWNER TO sg_owner;

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
-- Name: directory_syncs; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.directory_syncs (
    sync_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    is_dry_run boolean NOT NULL,
    outcome text NOT NULL,
    report jsonb NOT NULL,
    CONSTRAINT directory_syncs_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'stopped'::text, 'failed'::text]))),
    CONSTRAINT directory_syncs_times_check CHECK ((isfinite(started_at) AND isfinite(finished_at)))
);

ALTER TABLE ONLY users.directory_syncs FORCE ROW LEVEL SECURITY;

ALTER TABLE users.directory_syncs OWNER TO sg_owner;

--
-- Name: external_identities; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.external_identities (
    tenant_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL,
    linked_at timestamp with time zone NOT NULL,
    last_sign_in_at timestamp with time zone,
    last_seen_at timestamp with time zone,
    vanished_at timestamp with time zone,
    user_name text,
    external_id text,
    CONSTRAINT external_identities_names_check CHECK ((((length(user_name) >= 1) AND (length(user_name) <= 320)) AND (length(external_id) <= 1024))),
    CONSTRAINT external_identities_subject_check CHECK (((length(subject) >= 1) AND (length(subject) <= 1024))),
    CONSTRAINT external_identities_times_check CHECK ((isfinite(linked_at) AND isfinite(last_sign_in_at) AND isfinite(last_seen_at) AND isfinite(vanished_at)))
);

ALTER TABLE ONLY users.external_identities FORCE ROW LEVEL SECURITY;

ALTER TABLE users.external_identities OWNER TO sg_owner;

--
-- Name: factor_policies; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.factor_policies (
    tenant_id uuid NOT NULL,
    role character varying(50) NOT NULL,
    grace_days integer NOT NULL,
    required_since timestamp with time zone NOT NULL,
    CONSTRAINT factor_policies_grace_days_check CHECK (((grace_days >= 0) AND (grace_days <= 90))),
    CONSTRAINT factor_policies_times_check CHECK (isfinite(required_since))
);

ALTER TABLE ONLY users.factor_policies FORCE ROW LEVEL SECURITY;

ALTER TABLE users.factor_policies OWNER TO sg_owner;

--
-- Name: factors; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.factors (
    factor_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    confirmed_at timestamp with time zone,
    last_used_at timestamp with time zone,
    secret_id uuid,
    last_step bigint,
    failed_attempts integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    credential_id bytea,
    public_key bytea,
    sign_count bigint,
    transports text[],
    backed_up boolean,
    CONSTRAINT factors_credential_id_check CHECK (((length(credential_id) >= 1) AND (length(credential_id) <= 1023))),
    CONSTRAINT factors_failed_attempts_check CHECK ((failed_attempts >= 0)),
    CONSTRAINT factors_kind_check CHECK ((kind = ANY (ARRAY['totp'::text, 'passkey'::text]))),
    CONSTRAINT factors_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT factors_passkey_check CHECK (((kind = 'passkey'::text) = ((credential_id IS NOT NULL) AND (public_key IS NOT NULL) AND (sign_count IS NOT NULL)))),
    CONSTRAINT factors_public_key_check CHECK (((length(public_key) >= 16) AND (length(public_key) <= 4096))),
    CONSTRAINT factors_sign_count_check CHECK (((sign_count >= 0) AND (sign_count <= '4294967295'::bigint))),
    CONSTRAINT factors_times_check CHECK ((isfinite(created_at) AND isfinite(confirmed_at) AND isfinite(last_used_at) AND isfinite(locked_until))),
    CONSTRAINT factors_totp_check CHECK (((kind = 'totp'::text) = (secret_id IS NOT NULL)))
);

ALTER TABLE ONLY users.factors FORCE ROW LEVEL SECURITY;

ALTER TABLE users.factors OWNER TO sg_owner;

--
-- Name: identity_providers; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.identity_providers (
    provider_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    is_enabled boolean NOT NULL,
    is_listed boolean DEFAULT false NOT NULL,
    creates_users boolean NOT NULL,
    default_role text NOT NULL,
    highest_role text NOT NULL,
    role_mappings jsonb DEFAULT '[]'::jsonb NOT NULL,
    settings jsonb NOT NULL,
    secret_id uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    is_published boolean DEFAULT false NOT NULL,
    CONSTRAINT identity_providers_kind_check CHECK ((kind = ANY (ARRAY['oidc'::text, 'ldap'::text, 'scim'::text]))),
    CONSTRAINT identity_providers_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 100))),
    CONSTRAINT identity_providers_role_check CHECK (((users.role_rank(default_role) IS NOT NULL) AND (users.role_rank(highest_role) IS NOT NULL) AND (users.role_rank(default_role) <= users.role_rank(highest_role)))),
    CONSTRAINT identity_providers_role_mappings_check CHECK ((jsonb_typeof(role_mappings) = 'array'::text)),
    CONSTRAINT identity_providers_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text)),
    CONSTRAINT identity_providers_times_check CHECK ((isfinite(created_at) AND isfinite(updated_at)))
);

ALTER TABLE ONLY users.identity_providers FORCE ROW LEVEL SECURITY;

ALTER TABLE users.identity_providers OWNER TO sg_owner;

--
-- Name: known_devices; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.known_devices (
    device_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    failed_attempts integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    CONSTRAINT known_devices_failed_attempts_check CHECK ((failed_attempts >= 0)),
    CONSTRAINT known_devices_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY users.known_devices FORCE ROW LEVEL SECURITY;

ALTER TABLE users.known_devices OWNER TO sg_owner;

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
    reason text,
    CONSTRAINT memberships_reason_check CHECK ((length(reason) <= 500)),
    CONSTRAINT memberships_times_check CHECK ((isfinite(expires_at) AND isfinite(created_at)))
);

ALTER TABLE ONLY users.memberships FORCE ROW LEVEL SECURITY;

ALTER TABLE users.memberships OWNER TO sg_owner;

--
-- Name: notices; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.notices (
    notice_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    detail text,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone,
    CONSTRAINT notices_detail_check CHECK ((length(detail) <= 200)),
    CONSTRAINT notices_kind_check CHECK ((kind ~ '^[a-z][a-z_]{0,39}$'::text))
);

ALTER TABLE ONLY users.notices FORCE ROW LEVEL SECURITY;

ALTER TABLE users.notices OWNER TO sg_owner;

--
-- Name: outgoing_mail; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.outgoing_mail (
    mail_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid,
    kind text NOT NULL,
    parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    finished_at timestamp with time zone,
    outcome text,
    last_error text,
    CONSTRAINT outgoing_mail_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT outgoing_mail_finished_check CHECK ((((finished_at IS NULL) = (outcome IS NULL)) AND ((user_id IS NOT NULL) OR (outcome IS NOT NULL)))),
    CONSTRAINT outgoing_mail_kind_check CHECK (((length(kind) >= 1) AND (length(kind) <= 63))),
    CONSTRAINT outgoing_mail_last_error_check CHECK ((length(last_error) <= 500)),
    CONSTRAINT outgoing_mail_outcome_check CHECK ((outcome = ANY (ARRAY['sent'::text, 'refused'::text, 'expired'::text, 'void'::text]))),
    CONSTRAINT outgoing_mail_parameters_check CHECK ((jsonb_typeof(parameters) = 'object'::text))
);

ALTER TABLE ONLY users.outgoing_mail FORCE ROW LEVEL SECURITY;

ALTER TABLE users.outgoing_mail OWNER TO sg_owner;

--
-- Name: password_links; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.password_links (
    link_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    mail_id uuid,
    purpose text NOT NULL,
    token_hash bytea NOT NULL,
    account_state bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT password_links_purpose_check CHECK ((purpose = ANY (ARRAY['reset'::text, 'invitation'::text]))),
    CONSTRAINT password_links_token_hash_check CHECK (((length(token_hash) = 32) AND (length(account_state) = 32)))
);

ALTER TABLE ONLY users.password_links FORCE ROW LEVEL SECURITY;

ALTER TABLE users.password_links OWNER TO sg_owner;

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
-- Name: pending_sign_ins; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.pending_sign_ins (
    state_hash bytea NOT NULL,
    browser_hash bytea NOT NULL,
    tenant_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    return_to text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT pending_sign_ins_hashes_check CHECK (((length(state_hash) = 32) AND (length(browser_hash) = 32))),
    CONSTRAINT pending_sign_ins_return_to_check CHECK (((return_to ~ '^/([^/\\]|$)'::text) AND (length(return_to) <= 512))),
    CONSTRAINT pending_sign_ins_times_check CHECK ((isfinite(created_at) AND isfinite(expires_at)))
);

ALTER TABLE ONLY users.pending_sign_ins FORCE ROW LEVEL SECURITY;

ALTER TABLE users.pending_sign_ins OWNER TO sg_owner;

--
-- Name: permissions; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.permissions (
    permission character varying(50) NOT NULL,
    description text NOT NULL,
    least_role character varying(50) NOT NULL,
    CONSTRAINT permissions_least_role_check CHECK ((users.role_rank((least_role)::text) IS NOT NULL)),
    CONSTRAINT permissions_permission_check CHECK (((permission)::text ~ '^[a-z][a-z0-9_]{0,49}$'::text))
);

ALTER TABLE users.permissions OWNER TO sg_owner;

--
-- Name: plans; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.plans (
    plan character varying(50) NOT NULL,
    name character varying(100) NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    max_endpoints integer,
    max_users integer,
    retention_class smallint DEFAULT 90 NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT plans_max_endpoints_check CHECK ((max_endpoints >= 0)),
    CONSTRAINT plans_max_users_check CHECK ((max_users >= 0)),
    CONSTRAINT plans_name_check CHECK (((length(btrim((name)::text)) >= 1) AND (length(btrim((name)::text)) <= 100))),
    CONSTRAINT plans_plan_check CHECK (((plan)::text ~ '^[a-z][a-z0-9_-]{0,49}$'::text)),
    CONSTRAINT plans_retention_class_check CHECK ((retention_class = ANY (ARRAY[30, 90, 400])))
);

ALTER TABLE users.plans OWNER TO sg_owner;

--
-- Name: provider_domains; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.provider_domains (
    domain text NOT NULL,
    tenant_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    is_published boolean DEFAULT false NOT NULL,
    CONSTRAINT provider_domains_domain_check CHECK (((domain = lower(domain)) AND ((length(domain) >= 1) AND (length(domain) <= 253))))
);

ALTER TABLE ONLY users.provider_domains FORCE ROW LEVEL SECURITY;

ALTER TABLE users.provider_domains OWNER TO sg_owner;

--
-- Name: provisioned_group_members; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.provisioned_group_members (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    user_id uuid NOT NULL
);

ALTER TABLE ONLY users.provisioned_group_members FORCE ROW LEVEL SECURITY;

ALTER TABLE users.provisioned_group_members OWNER TO sg_owner;

--
-- Name: provisioned_groups; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.provisioned_groups (
    group_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    display_name text NOT NULL,
    external_id text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT provisioned_groups_display_name_check CHECK (((length(btrim(display_name)) >= 1) AND (length(btrim(display_name)) <= 255))),
    CONSTRAINT provisioned_groups_external_id_check CHECK ((length(external_id) <= 1024)),
    CONSTRAINT provisioned_groups_times_check CHECK ((isfinite(created_at) AND isfinite(updated_at)))
);

ALTER TABLE ONLY users.provisioned_groups FORCE ROW LEVEL SECURITY;

ALTER TABLE users.provisioned_groups OWNER TO sg_owner;

--
-- Name: rate_limit_defaults; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.rate_limit_defaults (
    subject_kind text NOT NULL,
    requests_per_minute integer NOT NULL,
    CONSTRAINT rate_limit_defaults_requests_per_minute_check CHECK (((requests_per_minute >= 1) AND (requests_per_minute <= 10000000))),
    CONSTRAINT rate_limit_defaults_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['address'::text, 'tenant'::text, 'user'::text, 'key'::text])))
);

ALTER TABLE users.rate_limit_defaults OWNER TO sg_owner;

--
-- Name: rate_limits; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.rate_limits (
    tenant_id uuid NOT NULL,
    subject_kind text NOT NULL,
    requests_per_minute integer NOT NULL,
    CONSTRAINT rate_limits_requests_per_minute_check CHECK (((requests_per_minute >= 1) AND (requests_per_minute <= 10000000))),
    CONSTRAINT rate_limits_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['tenant'::text, 'user'::text, 'key'::text])))
);

ALTER TABLE ONLY users.rate_limits FORCE ROW LEVEL SECURITY;

ALTER TABLE users.rate_limits OWNER TO sg_owner;

--
-- Name: rate_usage; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE UNLOGGED TABLE users.rate_usage (
    subject_kind text NOT NULL,
    subject text NOT NULL,
    window_start timestamp with time zone NOT NULL,
    tenant_id uuid NOT NULL,
    reserved bigint NOT NULL,
    served bigint NOT NULL,
    refused bigint NOT NULL,
    CONSTRAINT rate_usage_counts_check CHECK (((reserved >= 0) AND (served >= 0) AND (refused >= 0))),
    CONSTRAINT rate_usage_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['address'::text, 'tenant'::text, 'user'::text, 'key'::text]))),
    CONSTRAINT rate_usage_window_start_check CHECK (isfinite(window_start))
)
WITH (fillfactor='70');

ALTER TABLE ONLY users.rate_usage FORCE ROW LEVEL SECURITY;

ALTER TABLE users.rate_usage OWNER TO sg_owner;

--
-- Name: role_permissions; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.role_permissions (
    tenant_id uuid DEFAULT users.tenant_default() NOT NULL,
    role character varying(50) NOT NULL,
    permission character varying(50) NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY users.role_permissions FORCE ROW LEVEL SECURITY;

ALTER TABLE users.role_permissions OWNER TO sg_owner;

--
-- Name: roles; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.roles (
    tenant_id uuid DEFAULT users.tenant_default() NOT NULL,
    role character varying(50) NOT NULL,
    based_on character varying(50) NOT NULL,
    scope character varying(10) NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT roles_based_on_check CHECK (((users.role_rank((based_on)::text) IS NOT NULL) AND ((users.role_rank((role)::text) IS NULL) OR ((role)::text = (based_on)::text)))),
    CONSTRAINT roles_description_check CHECK ((length(description) <= 500)),
    CONSTRAINT roles_role_check CHECK (((role)::text ~ '^[a-z][a-z0-9_]{0,49}$'::text)),
    CONSTRAINT roles_scope_check CHECK ((((scope)::text = ANY ((ARRAY['own'::character varying, 'tenant'::character varying])::text[])) AND (((based_on)::text <> 'user'::text) OR ((scope)::text = 'own'::text))))
);

ALTER TABLE ONLY users.roles FORCE ROW LEVEL SECURITY;

ALTER TABLE users.roles OWNER TO sg_owner;

--
-- Name: secrets; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.secrets (
    secret_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid,
    purpose text NOT NULL,
    key_id text NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    CONSTRAINT secrets_ciphertext_check CHECK (((length(ciphertext) >= 16) AND (length(ciphertext) <= 65552))),
    CONSTRAINT secrets_key_id_check CHECK ((key_id ~ '^[0-9a-f]{16}$'::text)),
    CONSTRAINT secrets_nonce_check CHECK ((length(nonce) = 12)),
    CONSTRAINT secrets_purpose_check CHECK ((purpose = ANY (ARRAY['sign_in_digest'::text, 'totp'::text, 'ldap_bind'::text, 'oidc_client'::text, 'webhook_signing'::text, 'notification_channel'::text]))),
    CONSTRAINT secrets_times_check CHECK ((isfinite(created_at) AND isfinite(sealed_at)))
);

ALTER TABLE ONLY users.secrets FORCE ROW LEVEL SECURITY;

ALTER TABLE users.secrets OWNER TO sg_owner;

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
    verified_at timestamp with time zone,
    provider_id uuid,
    CONSTRAINT sessions_idle_seconds_check CHECK ((idle_seconds > 0)),
    CONSTRAINT sessions_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY users.sessions FORCE ROW LEVEL SECURITY;

ALTER TABLE users.sessions OWNER TO sg_owner;

--
-- Name: sign_in_challenges; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.sign_in_challenges (
    challenge_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid,
    purpose text NOT NULL,
    token_hash bytea NOT NULL,
    passkey_challenge bytea NOT NULL,
    password_digest bytea,
    session_id uuid,
    attempts integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    provider_id uuid,
    CONSTRAINT sign_in_challenges_passkey_challenge_check CHECK ((length(passkey_challenge) = 32)),
    CONSTRAINT sign_in_challenges_password_check CHECK (((purpose <> ALL (ARRAY['second_factor'::text, 'enrolment'::text])) OR (password_digest IS NOT NULL))),
    CONSTRAINT sign_in_challenges_purpose_check CHECK ((purpose = ANY (ARRAY['second_factor'::text, 'enrolment'::text, 'passkey_sign_in'::text, 'passkey_registration'::text, 'verification'::text]))),
    CONSTRAINT sign_in_challenges_token_hash_check CHECK ((length(token_hash) = 32)),
    CONSTRAINT sign_in_challenges_user_id_check CHECK (((user_id IS NULL) = (purpose = 'passkey_sign_in'::text)))
);

ALTER TABLE ONLY users.sign_in_challenges FORCE ROW LEVEL SECURITY;

ALTER TABLE users.sign_in_challenges OWNER TO sg_owner;

--
-- Name: subscription_changes; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.subscription_changes (
    change_id uuid DEFAULT users.time_ordered_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    changed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    plan character varying(50) NOT NULL,
    status character varying(20) NOT NULL,
    trial_ends_at timestamp with time zone,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone,
    max_endpoints integer,
    max_users integer,
    retention_class smallint,
    changed_by uuid,
    reason text,
    database_role text DEFAULT SESSION_USER NOT NULL,
    transaction_id xid8 DEFAULT pg_current_xact_id() NOT NULL
);

ALTER TABLE ONLY users.subscription_changes FORCE ROW LEVEL SECURITY;

ALTER TABLE users.subscription_changes OWNER TO sg_owner;

--
-- Name: subscriptions; Type: TABLE; Schema: users; Owner: sg_owner
--

CREATE TABLE users.subscriptions (
    tenant_id uuid NOT NULL,
    plan character varying(50) NOT NULL,
    status character varying(20) DEFAULT 'active'::character varying NOT NULL,
    trial_ends_at timestamp with time zone,
    period_start timestamp with time zone DEFAULT now() NOT NULL,
    period_end timestamp with time zone,
    max_endpoints integer,
    max_users integer,
    retention_class smallint,
    growth_checks bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT subscriptions_max_endpoints_check CHECK ((max_endpoints >= 0)),
    CONSTRAINT subscriptions_max_users_check CHECK ((max_users >= 0)),
    CONSTRAINT subscriptions_period_end_check CHECK ((period_end > period_start)),
    CONSTRAINT subscriptions_retention_class_check CHECK ((retention_class = ANY (ARRAY[30, 90, 400]))),
    CONSTRAINT subscriptions_status_check CHECK (((status)::text = ANY ((ARRAY['trial'::character varying, 'active'::character varying, 'past_due'::character varying, 'suspended'::character varying, 'cancelled'::character varying])::text[]))),
    CONSTRAINT subscriptions_times_check CHECK ((isfinite(trial_ends_at) AND isfinite(period_start) AND isfinite(period_end))),
    CONSTRAINT subscriptions_trial_ends_at_check CHECK ((((status)::text <> 'trial'::text) OR (trial_ends_at IS NOT NULL)))
);

ALTER TABLE ONLY users.subscriptions FORCE ROW LEVEL SECURITY;

ALTER TABLE users.subscriptions OWNER TO sg_owner;

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
    erase_at timestamp with time zone,
    CONSTRAINT tenants_erase_at_check CHECK (((erase_at IS NULL) OR (((status)::text <> 'active'::text) AND isfinite(erase_at)))),
    CONSTRAINT tenants_name_check CHECK (((length(btrim((name)::text)) >= 1) AND (length(btrim((name)::text)) <= 255))),
    CONSTRAINT tenants_retention_class_check CHECK ((retention_class = ANY (ARRAY[30, 90, 400]))),
    CONSTRAINT tenants_slug_check CHECK (((slug)::text ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'::text)),
    CONSTRAINT tenants_status_check CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'suspended'::character varying, 'erased'::character varying])::text[])))
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
    CONSTRAINT users_times_check CHECK ((isfinite(password_last_changed) AND isfinite(last_failed_login) AND isfinite(account_locked_until) AND isfinite(created_at) AND isfinite(updated_at) AND isfinite(last_login))),
    CONSTRAINT users_username_check CHECK ((length(btrim((username)::text)) > 0))
);

ALTER TABLE ONLY users.users FORCE ROW LEVEL SECURITY;

ALTER TABLE users.users OWNER TO sg_owner;

--
-- Name: events_class_30; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events ATTACH PARTITION agents.events_class_30 FOR VALUES IN ('30');

--
-- Name: events_class_30_default; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_class_30 ATTACH PARTITION agents.events_class_30_default DEFAULT;

--
-- Name: events_class_400; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events ATTACH PARTITION agents.events_class_400 FOR VALUES IN ('400');

--
-- Name: events_class_400_default; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_class_400 ATTACH PARTITION agents.events_class_400_default DEFAULT;

--
-- Name: events_class_90; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events ATTACH PARTITION agents.events_class_90 FOR VALUES IN ('90');

--
-- Name: events_class_90_default; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_class_90 ATTACH PARTITION agents.events_class_90_default DEFAULT;

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
-- Name: system_info_daily_default; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_daily ATTACH PARTITION agents.system_info_daily_default DEFAULT;

--
-- Name: system_info_held; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info ATTACH PARTITION agents.system_info_held FOR VALUES IN ('0');

--
-- Name: system_info_hourly_default; Type: TABLE ATTACH; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_hourly ATTACH PARTITION agents.system_info_hourly_default DEFAULT;

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
-- Name: security_events_default; Type: TABLE ATTACH; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.security_events ATTACH PARTITION monitoring.security_events_default DEFAULT;

--
-- Name: agent_tokens agent_tokens_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.agent_tokens
    ADD CONSTRAINT agent_tokens_pkey PRIMARY KEY (token_hash);

--
-- Name: command_output command_output_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.command_output
    ADD CONSTRAINT command_output_pkey PRIMARY KEY (tenant_id, command_id, piece_offset);

--
-- Name: command_results command_results_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.command_results
    ADD CONSTRAINT command_results_pkey PRIMARY KEY (command_id);

--
-- Name: commands commands_nonce_key; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.commands
    ADD CONSTRAINT commands_nonce_key UNIQUE (nonce);

--
-- Name: commands commands_order_before_sent_check; Type: CHECK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.commands
    ADD CONSTRAINT commands_order_before_sent_check CHECK (((sent_at IS NULL) OR (order_text IS NOT NULL))) NOT VALID;

--
-- Name: commands commands_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.commands
    ADD CONSTRAINT commands_pkey PRIMARY KEY (command_id);

--
-- Name: commands commands_tenant_id_command_id_key; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.commands
    ADD CONSTRAINT commands_tenant_id_command_id_key UNIQUE (tenant_id, command_id);

--
-- Name: commands commands_tenant_id_idempotency_key_key; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.commands
    ADD CONSTRAINT commands_tenant_id_idempotency_key_key UNIQUE (tenant_id, idempotency_key);

--
-- Name: deadlines deadlines_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.deadlines
    ADD CONSTRAINT deadlines_pkey PRIMARY KEY (agent_id);

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
-- Name: events_class_30 events_class_30_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_class_30
    ADD CONSTRAINT events_class_30_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: events_class_30_default events_class_30_default_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_class_30_default
    ADD CONSTRAINT events_class_30_default_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: events_class_400 events_class_400_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_class_400
    ADD CONSTRAINT events_class_400_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: events_class_400_default events_class_400_default_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_class_400_default
    ADD CONSTRAINT events_class_400_default_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: events_class_90 events_class_90_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_class_90
    ADD CONSTRAINT events_class_90_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: events_class_90_default events_class_90_default_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_class_90_default
    ADD CONSTRAINT events_class_90_default_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: events_held events_held_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_held
    ADD CONSTRAINT events_held_pkey PRIMARY KEY (event_id, occurred_at);

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
-- Name: legal_holds legal_holds_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.legal_holds
    ADD CONSTRAINT legal_holds_pkey PRIMARY KEY (hold_id);

--
-- Name: liveness_watch liveness_watch_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.liveness_watch
    ADD CONSTRAINT liveness_watch_pkey PRIMARY KEY (only_one);

--
-- Name: partition_schemes partition_schemes_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.partition_schemes
    ADD CONSTRAINT partition_schemes_pkey PRIMARY KEY (parent_table);

--
-- Name: rollup_backfill rollup_backfill_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.rollup_backfill
    ADD CONSTRAINT rollup_backfill_pkey PRIMARY KEY (day);

--
-- Name: rollup_queue rollup_queue_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.rollup_queue
    ADD CONSTRAINT rollup_queue_pkey PRIMARY KEY (agent_id, hour_at);

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
-- Name: system_info_daily system_info_daily_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_daily
    ADD CONSTRAINT system_info_daily_pkey PRIMARY KEY (agent_id, day_at);

--
-- Name: system_info_daily_default system_info_daily_default_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_daily_default
    ADD CONSTRAINT system_info_daily_default_pkey PRIMARY KEY (agent_id, day_at);

--
-- Name: system_info_held system_info_held_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_held
    ADD CONSTRAINT system_info_held_pkey PRIMARY KEY (info_id, retention_class, collected_at);

--
-- Name: system_info_hourly system_info_hourly_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_hourly
    ADD CONSTRAINT system_info_hourly_pkey PRIMARY KEY (agent_id, hour_at);

--
-- Name: system_info_hourly_default system_info_hourly_default_pkey; Type: CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.system_info_hourly_default
    ADD CONSTRAINT system_info_hourly_default_pkey PRIMARY KEY (agent_id, hour_at);

--
-- Name: adoption_report adoption_report_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.adoption_report
    ADD CONSTRAINT adoption_report_pkey PRIMARY KEY (entry_id);

--
-- Name: chain_heads chain_heads_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.chain_heads
    ADD CONSTRAINT chain_heads_pkey PRIMARY KEY (tenant_id);

--
-- Name: chain chain_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.chain
    ADD CONSTRAINT chain_pkey PRIMARY KEY (tenant_id, "position");

--
-- Name: chain_records chain_records_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.chain_records
    ADD CONSTRAINT chain_records_pkey PRIMARY KEY (record_id);

--
-- Name: checkpoints checkpoints_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (tenant_id, "position", signed_at);

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
-- Name: export_positions export_positions_pkey; Type: CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.export_positions
    ADD CONSTRAINT export_positions_pkey PRIMARY KEY (tenant_id, sink);

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
-- Name: alert_rules alert_rules_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.alert_rules
    ADD CONSTRAINT alert_rules_pkey PRIMARY KEY (rule_id);

--
-- Name: alert_rules alert_rules_tenant_id_kind_key; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.alert_rules
    ADD CONSTRAINT alert_rules_tenant_id_kind_key UNIQUE (tenant_id, kind);

--
-- Name: alert_rules alert_rules_tenant_id_rule_id_key; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.alert_rules
    ADD CONSTRAINT alert_rules_tenant_id_rule_id_key UNIQUE (tenant_id, rule_id);

--
-- Name: alerts alerts_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (alert_id);

--
-- Name: alerts alerts_tenant_id_alert_id_key; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.alerts
    ADD CONSTRAINT alerts_tenant_id_alert_id_key UNIQUE (tenant_id, alert_id);

--
-- Name: backup_state backup_state_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.backup_state
    ADD CONSTRAINT backup_state_pkey PRIMARY KEY (tenant_id);

--
-- Name: backups backups_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.backups
    ADD CONSTRAINT backups_pkey PRIMARY KEY (run_id);

--
-- Name: channels channels_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.channels
    ADD CONSTRAINT channels_pkey PRIMARY KEY (channel_id);

--
-- Name: channels channels_tenant_id_channel_id_key; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.channels
    ADD CONSTRAINT channels_tenant_id_channel_id_key UNIQUE (tenant_id, channel_id);

--
-- Name: delivery_attempts delivery_attempts_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.delivery_attempts
    ADD CONSTRAINT delivery_attempts_pkey PRIMARY KEY (tenant_id, notification_id, attempt);

--
-- Name: kpi_samples kpi_samples_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.kpi_samples
    ADD CONSTRAINT kpi_samples_pkey PRIMARY KEY (tenant_id, day);

--
-- Name: maintenance_runs maintenance_runs_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.maintenance_runs
    ADD CONSTRAINT maintenance_runs_pkey PRIMARY KEY (run_id);

--
-- Name: maintenance_runs maintenance_runs_tenant_id_run_id_key; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.maintenance_runs
    ADD CONSTRAINT maintenance_runs_tenant_id_run_id_key UNIQUE (tenant_id, run_id);

--
-- Name: maintenance_tasks maintenance_tasks_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.maintenance_tasks
    ADD CONSTRAINT maintenance_tasks_pkey PRIMARY KEY (tenant_id, run_id, task);

--
-- Name: notifications notifications_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.notifications
    ADD CONSTRAINT notifications_pkey PRIMARY KEY (notification_id);

--
-- Name: notifications notifications_tenant_id_notification_id_key; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.notifications
    ADD CONSTRAINT notifications_tenant_id_notification_id_key UNIQUE (tenant_id, notification_id);

--
-- Name: report_subscriptions report_subscriptions_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.report_subscriptions
    ADD CONSTRAINT report_subscriptions_pkey PRIMARY KEY (tenant_id, user_id, of_installation, kind);

--
-- Name: reports reports_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.reports
    ADD CONSTRAINT reports_pkey PRIMARY KEY (report_id);

--
-- Name: routes routes_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.routes
    ADD CONSTRAINT routes_pkey PRIMARY KEY (route_id);

--
-- Name: routes routes_tenant_id_route_id_key; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.routes
    ADD CONSTRAINT routes_tenant_id_route_id_key UNIQUE (tenant_id, route_id);

--
-- Name: security_events security_events_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.security_events
    ADD CONSTRAINT security_events_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: security_events_default security_events_default_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.security_events_default
    ADD CONSTRAINT security_events_default_pkey PRIMARY KEY (event_id, occurred_at);

--
-- Name: silences silences_pkey; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.silences
    ADD CONSTRAINT silences_pkey PRIMARY KEY (silence_id);

--
-- Name: silences silences_tenant_id_silence_id_key; Type: CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.silences
    ADD CONSTRAINT silences_tenant_id_silence_id_key UNIQUE (tenant_id, silence_id);

--
-- Name: schema_steps schema_steps_pkey; Type: CONSTRAINT; Schema: public; Owner: sg_owner
--

ALTER TABLE ONLY public.schema_steps
    ADD CONSTRAINT schema_steps_pkey PRIMARY KEY (version);

--
-- Name: correlation_episodes correlation_episodes_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.correlation_episodes
    ADD CONSTRAINT correlation_episodes_pkey PRIMARY KEY (tenant_id, rule_id, group_key, from_at);

--
-- Name: correlation_matches correlation_matches_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.correlation_matches
    ADD CONSTRAINT correlation_matches_pkey PRIMARY KEY (tenant_id, rule_id, group_key, occurred_at, event_id, "position");

--
-- Name: excepted_findings excepted_findings_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.excepted_findings
    ADD CONSTRAINT excepted_findings_pkey PRIMARY KEY (tenant_id, exception_id, agent_id, fingerprint, day);

--
-- Name: exceptions exceptions_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.exceptions
    ADD CONSTRAINT exceptions_pkey PRIMARY KEY (exception_id);

--
-- Name: exceptions exceptions_tenant_id_exception_id_key; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.exceptions
    ADD CONSTRAINT exceptions_tenant_id_exception_id_key UNIQUE (tenant_id, exception_id);

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
-- Name: placeholders placeholders_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.placeholders
    ADD CONSTRAINT placeholders_pkey PRIMARY KEY (tenant_id, name);

--
-- Name: rule_packages rule_packages_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rule_packages
    ADD CONSTRAINT rule_packages_pkey PRIMARY KEY (version);

--
-- Name: rule_sets rule_sets_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rule_sets
    ADD CONSTRAINT rule_sets_pkey PRIMARY KEY (tenant_id);

--
-- Name: rule_versions rule_versions_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rule_versions
    ADD CONSTRAINT rule_versions_pkey PRIMARY KEY (tenant_id, rule_id, version);

--
-- Name: rules rules_pkey; Type: CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rules
    ADD CONSTRAINT rules_pkey PRIMARY KEY (tenant_id, rule_id);

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
-- Name: backup_codes backup_codes_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.backup_codes
    ADD CONSTRAINT backup_codes_pkey PRIMARY KEY (code_id);

--
-- Name: backup_codes backup_codes_user_id_code_hash_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.backup_codes
    ADD CONSTRAINT backup_codes_user_id_code_hash_key UNIQUE (user_id, code_hash);

--
-- Name: context_keys context_keys_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.context_keys
    ADD CONSTRAINT context_keys_pkey PRIMARY KEY (key_id);

--
-- Name: directory_syncs directory_syncs_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.directory_syncs
    ADD CONSTRAINT directory_syncs_pkey PRIMARY KEY (sync_id);

--
-- Name: external_identities external_identities_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.external_identities
    ADD CONSTRAINT external_identities_pkey PRIMARY KEY (tenant_id, provider_id, subject);

--
-- Name: external_identities external_identities_user_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.external_identities
    ADD CONSTRAINT external_identities_user_key UNIQUE (tenant_id, user_id, provider_id);

--
-- Name: factor_policies factor_policies_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.factor_policies
    ADD CONSTRAINT factor_policies_pkey PRIMARY KEY (tenant_id, role);

--
-- Name: factors factors_credential_id_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.factors
    ADD CONSTRAINT factors_credential_id_key UNIQUE (credential_id);

--
-- Name: factors factors_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.factors
    ADD CONSTRAINT factors_pkey PRIMARY KEY (factor_id);

--
-- Name: identity_providers identity_providers_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.identity_providers
    ADD CONSTRAINT identity_providers_pkey PRIMARY KEY (provider_id);

--
-- Name: identity_providers identity_providers_tenant_id_provider_id_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.identity_providers
    ADD CONSTRAINT identity_providers_tenant_id_provider_id_key UNIQUE (tenant_id, provider_id);

--
-- Name: known_devices known_devices_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.known_devices
    ADD CONSTRAINT known_devices_pkey PRIMARY KEY (device_id);

--
-- Name: known_devices known_devices_token_hash_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.known_devices
    ADD CONSTRAINT known_devices_token_hash_key UNIQUE (token_hash);

--
-- Name: memberships memberships_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (tenant_id, user_id);

--
-- Name: notices notices_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.notices
    ADD CONSTRAINT notices_pkey PRIMARY KEY (notice_id);

--
-- Name: outgoing_mail outgoing_mail_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.outgoing_mail
    ADD CONSTRAINT outgoing_mail_pkey PRIMARY KEY (mail_id);

--
-- Name: password_links password_links_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.password_links
    ADD CONSTRAINT password_links_pkey PRIMARY KEY (link_id);

--
-- Name: password_links password_links_token_hash_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.password_links
    ADD CONSTRAINT password_links_token_hash_key UNIQUE (token_hash);

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
-- Name: pending_sign_ins pending_sign_ins_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.pending_sign_ins
    ADD CONSTRAINT pending_sign_ins_pkey PRIMARY KEY (state_hash);

--
-- Name: permissions permissions_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.permissions
    ADD CONSTRAINT permissions_pkey PRIMARY KEY (permission);

--
-- Name: plans plans_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.plans
    ADD CONSTRAINT plans_pkey PRIMARY KEY (plan);

--
-- Name: provider_domains provider_domains_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.provider_domains
    ADD CONSTRAINT provider_domains_pkey PRIMARY KEY (tenant_id, provider_id, domain);

--
-- Name: provisioned_group_members provisioned_group_members_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.provisioned_group_members
    ADD CONSTRAINT provisioned_group_members_pkey PRIMARY KEY (tenant_id, group_id, user_id);

--
-- Name: provisioned_groups provisioned_groups_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.provisioned_groups
    ADD CONSTRAINT provisioned_groups_pkey PRIMARY KEY (group_id);

--
-- Name: provisioned_groups provisioned_groups_tenant_id_group_id_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.provisioned_groups
    ADD CONSTRAINT provisioned_groups_tenant_id_group_id_key UNIQUE (tenant_id, group_id);

--
-- Name: rate_limit_defaults rate_limit_defaults_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.rate_limit_defaults
    ADD CONSTRAINT rate_limit_defaults_pkey PRIMARY KEY (subject_kind);

--
-- Name: rate_limits rate_limits_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.rate_limits
    ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (tenant_id, subject_kind);

--
-- Name: rate_usage rate_usage_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.rate_usage
    ADD CONSTRAINT rate_usage_pkey PRIMARY KEY (tenant_id, subject_kind, subject, window_start);

--
-- Name: role_permissions role_permissions_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.role_permissions
    ADD CONSTRAINT role_permissions_pkey PRIMARY KEY (tenant_id, role, permission);

--
-- Name: roles roles_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.roles
    ADD CONSTRAINT roles_pkey PRIMARY KEY (tenant_id, role);

--
-- Name: secrets secrets_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (secret_id);

--
-- Name: secrets secrets_tenant_id_secret_id_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.secrets
    ADD CONSTRAINT secrets_tenant_id_secret_id_key UNIQUE (tenant_id, secret_id);

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
-- Name: sign_in_challenges sign_in_challenges_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sign_in_challenges
    ADD CONSTRAINT sign_in_challenges_pkey PRIMARY KEY (challenge_id);

--
-- Name: sign_in_challenges sign_in_challenges_token_hash_key; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sign_in_challenges
    ADD CONSTRAINT sign_in_challenges_token_hash_key UNIQUE (token_hash);

--
-- Name: subscription_changes subscription_changes_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.subscription_changes
    ADD CONSTRAINT subscription_changes_pkey PRIMARY KEY (change_id);

--
-- Name: subscriptions subscriptions_pkey; Type: CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (tenant_id);

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
-- Name: command_results_tenant_id_command_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX command_results_tenant_id_command_id_idx ON agents.command_results USING btree (tenant_id, command_id);

--
-- Name: commands_agent_id_open_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX commands_agent_id_open_idx ON agents.commands USING btree (agent_id, requested_at) WHERE (state = ANY (ARRAY['pending'::text, 'approved'::text, 'sent'::text, 'running'::text]));

--
-- Name: commands_expires_at_open_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX commands_expires_at_open_idx ON agents.commands USING btree (expires_at) WHERE (state = ANY (ARRAY['pending'::text, 'approved'::text, 'sent'::text, 'running'::text]));

--
-- Name: commands_tenant_id_agent_id_requested_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX commands_tenant_id_agent_id_requested_at_idx ON agents.commands USING btree (tenant_id, agent_id, requested_at DESC);

--
-- Name: commands_tenant_id_approved_by_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX commands_tenant_id_approved_by_idx ON agents.commands USING btree (tenant_id, approved_by);

--
-- Name: commands_tenant_id_closed_by_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX commands_tenant_id_closed_by_idx ON agents.commands USING btree (tenant_id, closed_by);

--
-- Name: commands_tenant_id_requested_by_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX commands_tenant_id_requested_by_idx ON agents.commands USING btree (tenant_id, requested_by);

--
-- Name: deadlines_look_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX deadlines_look_at_idx ON agents.deadlines USING btree (look_at);

--
-- Name: deadlines_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX deadlines_tenant_id_agent_id_idx ON agents.deadlines USING btree (tenant_id, agent_id);

--
-- Name: endpoints_decommissioned_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX endpoints_decommissioned_at_idx ON agents.endpoints USING btree (decommissioned_at) WHERE ((status)::text = 'decommissioned'::text);

--
-- Name: endpoints_log_source_key; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE UNIQUE INDEX endpoints_log_source_key ON agents.endpoints USING btree (tenant_id, lower((hostname)::text)) WHERE (kind = 'log_source'::text);

--
-- Name: endpoints_tenant_id_hardware_fingerprint_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX endpoints_tenant_id_hardware_fingerprint_idx ON agents.endpoints USING btree (tenant_id, hardware_fingerprint);

--
-- Name: endpoints_tenant_id_name_key_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX endpoints_tenant_id_name_key_idx ON agents.endpoints USING btree (tenant_id, name_key, agent_id) INCLUDE (search_text);

--
-- Name: endpoints_tenant_id_registered_via_key_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX endpoints_tenant_id_registered_via_key_id_idx ON agents.endpoints USING btree (tenant_id, registered_via_key_id);

--
-- Name: events_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_tenant_id_agent_id_occurred_at_idx ON ONLY agents.events USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: events_class_30_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_class_30_tenant_id_agent_id_occurred_at_idx ON ONLY agents.events_class_30 USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: events_class_30_default_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_class_30_default_tenant_id_agent_id_occurred_at_idx ON agents.events_class_30_default USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: events_class_400_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_class_400_tenant_id_agent_id_occurred_at_idx ON ONLY agents.events_class_400 USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: events_class_400_default_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_class_400_default_tenant_id_agent_id_occurred_at_idx ON agents.events_class_400_default USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: events_class_90_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_class_90_tenant_id_agent_id_occurred_at_idx ON ONLY agents.events_class_90 USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: events_class_90_default_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_class_90_default_tenant_id_agent_id_occurred_at_idx ON agents.events_class_90_default USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: events_held_tenant_id_agent_id_occurred_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX events_held_tenant_id_agent_id_occurred_at_idx ON agents.events_held USING btree (tenant_id, agent_id, occurred_at DESC);

--
-- Name: gaps_alert_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX gaps_alert_at_idx ON agents.gaps USING btree (alert_at) WHERE (alert_at IS NOT NULL);

--
-- Name: gaps_in_outage_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX gaps_in_outage_idx ON agents.gaps USING btree (tenant_id) WHERE (in_outage AND (to_at IS NULL));

--
-- Name: gaps_more_key; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE UNIQUE INDEX gaps_more_key ON agents.gaps USING btree (tenant_id, agent_id, area) WHERE (reason = 'more_gaps'::text);

--
-- Name: gaps_offline_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX gaps_offline_idx ON agents.gaps USING btree (recorded_at) WHERE ((reason = 'offline'::text) AND (to_at IS NULL));

--
-- Name: gaps_open_key; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE UNIQUE INDEX gaps_open_key ON agents.gaps USING btree (tenant_id, agent_id, reason, area) WHERE (to_at IS NULL);

--
-- Name: gaps_tenant_id_agent_id_from_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX gaps_tenant_id_agent_id_from_at_idx ON agents.gaps USING btree (tenant_id, agent_id, from_at DESC, gap_id DESC);

--
-- Name: gaps_tenant_id_agent_id_recorded_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX gaps_tenant_id_agent_id_recorded_at_idx ON agents.gaps USING btree (tenant_id, agent_id, recorded_at DESC);

--
-- Name: heartbeats_offline_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX heartbeats_offline_idx ON agents.heartbeats USING btree (tenant_id, agent_id) WHERE (NOT online);

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
-- Name: legal_holds_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX legal_holds_tenant_id_agent_id_idx ON agents.legal_holds USING btree (tenant_id, agent_id);

--
-- Name: legal_holds_tenant_id_placed_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX legal_holds_tenant_id_placed_at_idx ON agents.legal_holds USING btree (tenant_id, placed_at DESC, hold_id DESC);

--
-- Name: legal_holds_tenant_id_placed_by_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX legal_holds_tenant_id_placed_by_idx ON agents.legal_holds USING btree (tenant_id, placed_by);

--
-- Name: legal_holds_tenant_id_released_by_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX legal_holds_tenant_id_released_by_idx ON agents.legal_holds USING btree (tenant_id, released_by);

--
-- Name: rollup_queue_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX rollup_queue_tenant_id_agent_id_idx ON agents.rollup_queue USING btree (tenant_id, agent_id);

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
-- Name: system_info_daily_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_daily_tenant_id_agent_id_idx ON ONLY agents.system_info_daily USING btree (tenant_id, agent_id);

--
-- Name: system_info_daily_default_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_daily_default_tenant_id_agent_id_idx ON agents.system_info_daily_default USING btree (tenant_id, agent_id);

--
-- Name: system_info_held_agent_id_collected_at_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_held_agent_id_collected_at_idx ON agents.system_info_held USING btree (agent_id, collected_at DESC);

--
-- Name: system_info_held_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_held_tenant_id_agent_id_idx ON agents.system_info_held USING btree (tenant_id, agent_id);

--
-- Name: system_info_hourly_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_hourly_tenant_id_agent_id_idx ON ONLY agents.system_info_hourly USING btree (tenant_id, agent_id);

--
-- Name: system_info_hourly_default_tenant_id_agent_id_idx; Type: INDEX; Schema: agents; Owner: sg_owner
--

CREATE INDEX system_info_hourly_default_tenant_id_agent_id_idx ON agents.system_info_hourly_default USING btree (tenant_id, agent_id);

--
-- Name: chain_records_tenant_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX chain_records_tenant_id_occurred_at_idx ON audit.chain_records USING btree (tenant_id, occurred_at DESC);

--
-- Name: events_tenant_id_action_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_tenant_id_action_idx ON ONLY audit.events USING btree (tenant_id, action COLLATE "C", occurred_at DESC, event_id DESC);

--
-- Name: events_default_tenant_id_action_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_action_idx ON audit.events_default USING btree (tenant_id, action COLLATE "C", occurred_at DESC, event_id DESC);

--
-- Name: events_tenant_id_actor_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_tenant_id_actor_id_idx ON ONLY audit.events USING btree (tenant_id, actor_id, occurred_at DESC);

--
-- Name: events_default_tenant_id_actor_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_actor_id_occurred_at_idx ON audit.events_default USING btree (tenant_id, actor_id, occurred_at DESC);

--
-- Name: events_tenant_id_actor_name_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_tenant_id_actor_name_idx ON ONLY audit.events USING btree (tenant_id, actor_name, occurred_at DESC, event_id DESC);

--
-- Name: events_default_tenant_id_actor_name_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_actor_name_idx ON audit.events_default USING btree (tenant_id, actor_name, occurred_at DESC, event_id DESC);

--
-- Name: events_tenant_id_address_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_tenant_id_address_idx ON ONLY audit.events USING btree (tenant_id, address, occurred_at DESC, event_id DESC);

--
-- Name: events_default_tenant_id_address_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_address_idx ON audit.events_default USING btree (tenant_id, address, occurred_at DESC, event_id DESC);

--
-- Name: events_tenant_id_object_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_tenant_id_object_id_idx ON ONLY audit.events USING btree (tenant_id, object_id, occurred_at DESC, event_id DESC);

--
-- Name: events_default_tenant_id_object_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_object_id_idx ON audit.events_default USING btree (tenant_id, object_id, occurred_at DESC, event_id DESC);

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
-- Name: events_tenant_id_request_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_tenant_id_request_id_idx ON ONLY audit.events USING btree (tenant_id, request_id, occurred_at DESC, event_id DESC);

--
-- Name: events_default_tenant_id_request_id_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX events_default_tenant_id_request_id_idx ON audit.events_default USING btree (tenant_id, request_id, occurred_at DESC, event_id DESC);

--
-- Name: login_attempts_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX login_attempts_occurred_at_idx ON ONLY audit.login_attempts USING btree (occurred_at);

--
-- Name: login_attempts_default_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX login_attempts_default_occurred_at_idx ON audit.login_attempts_default USING btree (occurred_at);

--
-- Name: login_attempts_tenant_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX login_attempts_tenant_id_occurred_at_idx ON ONLY audit.login_attempts USING btree (tenant_id, occurred_at DESC);

--
-- Name: login_attempts_default_tenant_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX login_attempts_default_tenant_id_occurred_at_idx ON audit.login_attempts_default USING btree (tenant_id, occurred_at DESC);

--
-- Name: login_attempts_tenant_id_user_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX login_attempts_tenant_id_user_id_occurred_at_idx ON ONLY audit.login_attempts USING btree (tenant_id, user_id, occurred_at DESC) WHERE (outcome = 'success'::text);

--
-- Name: login_attempts_default_tenant_id_user_id_occurred_at_idx; Type: INDEX; Schema: audit; Owner: sg_owner
--

CREATE INDEX login_attempts_default_tenant_id_user_id_occurred_at_idx ON audit.login_attempts_default USING btree (tenant_id, user_id, occurred_at DESC) WHERE (outcome = 'success'::text);

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
-- Name: alerts_open_key; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE UNIQUE INDEX alerts_open_key ON monitoring.alerts USING btree (tenant_id, rule_id, subject) WHERE (state <> 'resolved'::text);

--
-- Name: alerts_resolved_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX alerts_resolved_at_idx ON monitoring.alerts USING btree (resolved_at) WHERE (state = 'resolved'::text);

--
-- Name: alerts_tenant_id_agent_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX alerts_tenant_id_agent_id_idx ON monitoring.alerts USING btree (tenant_id, agent_id);

--
-- Name: alerts_tenant_id_rule_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX alerts_tenant_id_rule_id_idx ON monitoring.alerts USING btree (tenant_id, rule_id);

--
-- Name: alerts_tenant_id_since_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX alerts_tenant_id_since_idx ON monitoring.alerts USING btree (tenant_id, since DESC, alert_id DESC);

--
-- Name: backups_finished_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX backups_finished_at_idx ON monitoring.backups USING btree (finished_at);

--
-- Name: backups_kind_started_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX backups_kind_started_at_idx ON monitoring.backups USING btree (kind, started_at DESC);

--
-- Name: backups_tenant_id_started_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX backups_tenant_id_started_at_idx ON monitoring.backups USING btree (tenant_id, started_at DESC, run_id DESC);

--
-- Name: channels_tenant_id_created_by_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX channels_tenant_id_created_by_idx ON monitoring.channels USING btree (tenant_id, created_by);

--
-- Name: channels_tenant_id_name_key; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE UNIQUE INDEX channels_tenant_id_name_key ON monitoring.channels USING btree (tenant_id, lower(name));

--
-- Name: channels_tenant_id_secret_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX channels_tenant_id_secret_id_idx ON monitoring.channels USING btree (tenant_id, secret_id);

--
-- Name: kpi_samples_day_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX kpi_samples_day_idx ON monitoring.kpi_samples USING btree (day);

--
-- Name: maintenance_runs_finished_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX maintenance_runs_finished_at_idx ON monitoring.maintenance_runs USING btree (finished_at);

--
-- Name: maintenance_runs_running_key; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE UNIQUE INDEX maintenance_runs_running_key ON monitoring.maintenance_runs USING btree (tenant_id, period) WHERE (state = 'running'::text);

--
-- Name: maintenance_runs_tenant_id_started_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX maintenance_runs_tenant_id_started_at_idx ON monitoring.maintenance_runs USING btree (tenant_id, started_at DESC, run_id DESC);

--
-- Name: maintenance_tasks_task_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX maintenance_tasks_task_idx ON monitoring.maintenance_tasks USING btree (task, finished_at DESC);

--
-- Name: notifications_dedup_key; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE UNIQUE INDEX notifications_dedup_key ON monitoring.notifications USING btree (tenant_id, channel_id, dedup_key);

--
-- Name: notifications_escalate_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_escalate_at_idx ON monitoring.notifications USING btree (escalate_at) WHERE (escalate_at IS NOT NULL);

--
-- Name: notifications_finished_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_finished_at_idx ON monitoring.notifications USING btree (finished_at) WHERE (finished_at IS NOT NULL);

--
-- Name: notifications_inhibited_by_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_inhibited_by_idx ON monitoring.notifications USING btree (tenant_id, inhibited_by) WHERE (inhibited_by IS NOT NULL);

--
-- Name: notifications_next_attempt_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_next_attempt_at_idx ON monitoring.notifications USING btree (next_attempt_at) WHERE (finished_at IS NULL);

--
-- Name: notifications_open_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_open_idx ON monitoring.notifications USING btree (tenant_id, notification_id) WHERE is_open;

--
-- Name: notifications_tenant_id_alert_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_tenant_id_alert_id_idx ON monitoring.notifications USING btree (tenant_id, alert_id);

--
-- Name: notifications_tenant_id_channel_id_last_attempt_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_tenant_id_channel_id_last_attempt_at_idx ON monitoring.notifications USING btree (tenant_id, channel_id, last_attempt_at DESC);

--
-- Name: notifications_tenant_id_created_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_tenant_id_created_at_idx ON monitoring.notifications USING btree (tenant_id, created_at DESC, notification_id DESC);

--
-- Name: notifications_tenant_id_digest_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_tenant_id_digest_id_idx ON monitoring.notifications USING btree (tenant_id, digest_id);

--
-- Name: notifications_tenant_id_route_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_tenant_id_route_id_idx ON monitoring.notifications USING btree (tenant_id, route_id);

--
-- Name: notifications_tenant_id_threat_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX notifications_tenant_id_threat_id_idx ON monitoring.notifications USING btree (tenant_id, threat_id);

--
-- Name: reports_created_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX reports_created_at_idx ON monitoring.reports USING btree (created_at);

--
-- Name: reports_tenant_id_created_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX reports_tenant_id_created_at_idx ON monitoring.reports USING btree (tenant_id, created_at DESC, report_id DESC);

--
-- Name: reports_tenant_id_run_id_key; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE UNIQUE INDEX reports_tenant_id_run_id_key ON monitoring.reports USING btree (tenant_id, run_id) WHERE (run_id IS NOT NULL);

--
-- Name: reports_tenant_id_week_key; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE UNIQUE INDEX reports_tenant_id_week_key ON monitoring.reports USING btree (tenant_id, from_at) WHERE (kind = 'kpis'::text);

--
-- Name: reports_unfinished_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX reports_unfinished_idx ON monitoring.reports USING btree (run_id) WHERE (finished_at IS NULL);

--
-- Name: routes_tenant_id_channel_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX routes_tenant_id_channel_id_idx ON monitoring.routes USING btree (tenant_id, channel_id);

--
-- Name: routes_tenant_id_created_by_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX routes_tenant_id_created_by_idx ON monitoring.routes USING btree (tenant_id, created_by);

--
-- Name: routes_tenant_id_escalate_to_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX routes_tenant_id_escalate_to_idx ON monitoring.routes USING btree (tenant_id, escalate_to);

--
-- Name: security_events_tenant_id_kind_occurred_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX security_events_tenant_id_kind_occurred_at_idx ON ONLY monitoring.security_events USING btree (tenant_id, kind, occurred_at DESC);

--
-- Name: security_events_default_tenant_id_kind_occurred_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX security_events_default_tenant_id_kind_occurred_at_idx ON monitoring.security_events_default USING btree (tenant_id, kind, occurred_at DESC);

--
-- Name: security_events_tenant_id_occurred_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX security_events_tenant_id_occurred_at_idx ON ONLY monitoring.security_events USING btree (tenant_id, occurred_at DESC);

--
-- Name: security_events_default_tenant_id_occurred_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX security_events_default_tenant_id_occurred_at_idx ON monitoring.security_events_default USING btree (tenant_id, occurred_at DESC);

--
-- Name: silences_tenant_id_agent_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX silences_tenant_id_agent_id_idx ON monitoring.silences USING btree (tenant_id, agent_id);

--
-- Name: silences_tenant_id_created_at_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX silences_tenant_id_created_at_idx ON monitoring.silences USING btree (tenant_id, created_at DESC, silence_id DESC);

--
-- Name: silences_tenant_id_created_by_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX silences_tenant_id_created_by_idx ON monitoring.silences USING btree (tenant_id, created_by);

--
-- Name: silences_tenant_id_ended_by_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX silences_tenant_id_ended_by_idx ON monitoring.silences USING btree (tenant_id, ended_by);

--
-- Name: silences_tenant_id_owner_id_idx; Type: INDEX; Schema: monitoring; Owner: sg_owner
--

CREATE INDEX silences_tenant_id_owner_id_idx ON monitoring.silences USING btree (tenant_id, owner_id);

--
-- Name: correlation_episodes_keep_until_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX correlation_episodes_keep_until_idx ON threats.correlation_episodes USING btree (keep_until);

--
-- Name: correlation_matches_keep_until_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX correlation_matches_keep_until_idx ON threats.correlation_matches USING btree (keep_until);

--
-- Name: correlation_matches_tenant_id_agent_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX correlation_matches_tenant_id_agent_id_idx ON threats.correlation_matches USING btree (tenant_id, agent_id);

--
-- Name: correlation_matches_tenant_id_due_at_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX correlation_matches_tenant_id_due_at_idx ON threats.correlation_matches USING btree (tenant_id, due_at) WHERE (due_at IS NOT NULL);

--
-- Name: excepted_findings_day_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX excepted_findings_day_idx ON threats.excepted_findings USING btree (day);

--
-- Name: excepted_findings_tenant_id_agent_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX excepted_findings_tenant_id_agent_id_idx ON threats.excepted_findings USING btree (tenant_id, agent_id);

--
-- Name: excepted_findings_tenant_id_exception_id_last_seen_at_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX excepted_findings_tenant_id_exception_id_last_seen_at_idx ON threats.excepted_findings USING btree (tenant_id, exception_id, last_seen_at DESC);

--
-- Name: exceptions_tenant_id_agent_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX exceptions_tenant_id_agent_id_idx ON threats.exceptions USING btree (tenant_id, agent_id);

--
-- Name: exceptions_tenant_id_created_at_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX exceptions_tenant_id_created_at_idx ON threats.exceptions USING btree (tenant_id, created_at DESC, exception_id DESC);

--
-- Name: exceptions_tenant_id_created_by_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX exceptions_tenant_id_created_by_idx ON threats.exceptions USING btree (tenant_id, created_by);

--
-- Name: exceptions_tenant_id_ended_by_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX exceptions_tenant_id_ended_by_idx ON threats.exceptions USING btree (tenant_id, ended_by);

--
-- Name: exceptions_tenant_id_owner_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX exceptions_tenant_id_owner_id_idx ON threats.exceptions USING btree (tenant_id, owner_id);

--
-- Name: exceptions_tenant_id_threat_id_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX exceptions_tenant_id_threat_id_idx ON threats.exceptions USING btree (tenant_id, threat_id);

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
-- Name: idx_threats_open_by_agent; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX idx_threats_open_by_agent ON threats.incidents USING btree (tenant_id, agent_id) WHERE ((status)::text = ANY ((ARRAY['new'::character varying, 'investigating'::character varying])::text[]));

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
-- Name: incidents_tenant_id_resolved_at_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX incidents_tenant_id_resolved_at_idx ON threats.incidents USING btree (tenant_id, resolved_at) WHERE (resolved_at IS NOT NULL);

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
-- Name: placeholders_tenant_id_changed_by_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX placeholders_tenant_id_changed_by_idx ON threats.placeholders USING btree (tenant_id, changed_by);

--
-- Name: rule_versions_tenant_id_changed_by_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX rule_versions_tenant_id_changed_by_idx ON threats.rule_versions USING btree (tenant_id, changed_by);

--
-- Name: rules_tenant_id_changed_by_idx; Type: INDEX; Schema: threats; Owner: sg_owner
--

CREATE INDEX rules_tenant_id_changed_by_idx ON threats.rules USING btree (tenant_id, changed_by);

--
-- Name: api_keys_tenant_id_replaces_key_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX api_keys_tenant_id_replaces_key_id_idx ON users.api_keys USING btree (tenant_id, replaces_key_id);

--
-- Name: api_keys_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX api_keys_tenant_id_user_id_idx ON users.api_keys USING btree (tenant_id, user_id);

--
-- Name: backup_codes_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX backup_codes_tenant_id_user_id_idx ON users.backup_codes USING btree (tenant_id, user_id);

--
-- Name: directory_syncs_tenant_id_provider_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX directory_syncs_tenant_id_provider_id_idx ON users.directory_syncs USING btree (tenant_id, provider_id, started_at DESC);

--
-- Name: external_identities_user_name_key; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE UNIQUE INDEX external_identities_user_name_key ON users.external_identities USING btree (tenant_id, provider_id, lower(user_name));

--
-- Name: factors_tenant_id_secret_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX factors_tenant_id_secret_id_idx ON users.factors USING btree (tenant_id, secret_id);

--
-- Name: factors_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX factors_tenant_id_user_id_idx ON users.factors USING btree (tenant_id, user_id);

--
-- Name: factors_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX factors_user_id_idx ON users.factors USING btree (user_id);

--
-- Name: identity_providers_name_key; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE UNIQUE INDEX identity_providers_name_key ON users.identity_providers USING btree (tenant_id, lower(name));

--
-- Name: identity_providers_scim_key; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE UNIQUE INDEX identity_providers_scim_key ON users.identity_providers USING btree (tenant_id) WHERE (kind = 'scim'::text);

--
-- Name: identity_providers_tenant_id_secret_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX identity_providers_tenant_id_secret_id_idx ON users.identity_providers USING btree (tenant_id, secret_id);

--
-- Name: idx_api_keys_active; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX idx_api_keys_active ON users.api_keys USING btree (tenant_id, expires_at) WHERE (is_active = true);

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
-- Name: known_devices_last_used_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX known_devices_last_used_at_idx ON users.known_devices USING btree (last_used_at);

--
-- Name: known_devices_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX known_devices_tenant_id_user_id_idx ON users.known_devices USING btree (tenant_id, user_id, last_used_at DESC);

--
-- Name: memberships_granted_by_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX memberships_granted_by_idx ON users.memberships USING btree (granted_by);

--
-- Name: memberships_tenant_id_role_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX memberships_tenant_id_role_idx ON users.memberships USING btree (tenant_id, role);

--
-- Name: memberships_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX memberships_user_id_idx ON users.memberships USING btree (user_id);

--
-- Name: notices_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX notices_tenant_id_user_id_idx ON users.notices USING btree (tenant_id, user_id);

--
-- Name: notices_user_id_created_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX notices_user_id_created_at_idx ON users.notices USING btree (user_id, created_at DESC);

--
-- Name: outgoing_mail_finished_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX outgoing_mail_finished_at_idx ON users.outgoing_mail USING btree (finished_at) WHERE (finished_at IS NOT NULL);

--
-- Name: outgoing_mail_next_attempt_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX outgoing_mail_next_attempt_at_idx ON users.outgoing_mail USING btree (next_attempt_at) WHERE (finished_at IS NULL);

--
-- Name: outgoing_mail_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX outgoing_mail_tenant_id_user_id_idx ON users.outgoing_mail USING btree (tenant_id, user_id, kind, created_at DESC);

--
-- Name: password_links_expires_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX password_links_expires_at_idx ON users.password_links USING btree (expires_at);

--
-- Name: password_links_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX password_links_tenant_id_user_id_idx ON users.password_links USING btree (tenant_id, user_id);

--
-- Name: pending_sign_ins_expires_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX pending_sign_ins_expires_at_idx ON users.pending_sign_ins USING btree (expires_at);

--
-- Name: pending_sign_ins_tenant_id_provider_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX pending_sign_ins_tenant_id_provider_id_idx ON users.pending_sign_ins USING btree (tenant_id, provider_id);

--
-- Name: plans_is_default_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE UNIQUE INDEX plans_is_default_idx ON users.plans USING btree (is_default) WHERE is_default;

--
-- Name: provider_domains_domain_key; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE UNIQUE INDEX provider_domains_domain_key ON users.provider_domains USING btree (domain) WHERE is_published;

--
-- Name: provisioned_group_members_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX provisioned_group_members_tenant_id_user_id_idx ON users.provisioned_group_members USING btree (tenant_id, user_id);

--
-- Name: provisioned_groups_display_name_key; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE UNIQUE INDEX provisioned_groups_display_name_key ON users.provisioned_groups USING btree (tenant_id, lower(display_name));

--
-- Name: provisioned_groups_tenant_id_provider_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX provisioned_groups_tenant_id_provider_id_idx ON users.provisioned_groups USING btree (tenant_id, provider_id, group_id);

--
-- Name: rate_usage_tenant_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX rate_usage_tenant_id_idx ON users.rate_usage USING btree (tenant_id, window_start);

--
-- Name: rate_usage_window_start_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX rate_usage_window_start_idx ON users.rate_usage USING btree (window_start);

--
-- Name: role_permissions_permission_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX role_permissions_permission_idx ON users.role_permissions USING btree (permission);

--
-- Name: secrets_key_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX secrets_key_id_idx ON users.secrets USING btree (key_id, secret_id);

--
-- Name: secrets_sign_in_digest_key; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE UNIQUE INDEX secrets_sign_in_digest_key ON users.secrets USING btree (tenant_id) WHERE (purpose = 'sign_in_digest'::text);

--
-- Name: secrets_tenant_id_purpose_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX secrets_tenant_id_purpose_idx ON users.secrets USING btree (tenant_id, purpose);

--
-- Name: secrets_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX secrets_tenant_id_user_id_idx ON users.secrets USING btree (tenant_id, user_id);

--
-- Name: sessions_expires_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX sessions_expires_at_idx ON users.sessions USING btree (expires_at);

--
-- Name: sessions_tenant_id_provider_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX sessions_tenant_id_provider_id_idx ON users.sessions USING btree (tenant_id, provider_id) WHERE (provider_id IS NOT NULL);

--
-- Name: sessions_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX sessions_tenant_id_user_id_idx ON users.sessions USING btree (tenant_id, user_id) WHERE (ended_at IS NULL);

--
-- Name: sign_in_challenges_expires_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX sign_in_challenges_expires_at_idx ON users.sign_in_challenges USING btree (expires_at);

--
-- Name: sign_in_challenges_tenant_id_provider_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX sign_in_challenges_tenant_id_provider_id_idx ON users.sign_in_challenges USING btree (tenant_id, provider_id) WHERE (provider_id IS NOT NULL);

--
-- Name: sign_in_challenges_tenant_id_user_id_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX sign_in_challenges_tenant_id_user_id_idx ON users.sign_in_challenges USING btree (tenant_id, user_id);

--
-- Name: subscription_changes_tenant_id_changed_at_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX subscription_changes_tenant_id_changed_at_idx ON users.subscription_changes USING btree (tenant_id, changed_at DESC, change_id DESC);

--
-- Name: subscriptions_plan_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX subscriptions_plan_idx ON users.subscriptions USING btree (plan);

--
-- Name: users_tenant_id_role_idx; Type: INDEX; Schema: users; Owner: sg_owner
--

CREATE INDEX users_tenant_id_role_idx ON users.users USING btree (tenant_id, role);

--
-- Name: events_class_30_default_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_class_30_pkey ATTACH PARTITION agents.events_class_30_default_pkey;

--
-- Name: events_class_30_default_tenant_id_agent_id_occurred_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_class_30_tenant_id_agent_id_occurred_at_idx ATTACH PARTITION agents.events_class_30_default_tenant_id_agent_id_occurred_at_idx;

--
-- Name: events_class_30_tenant_id_agent_id_occurred_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_tenant_id_agent_id_occurred_at_idx ATTACH PARTITION agents.events_class_30_tenant_id_agent_id_occurred_at_idx;

--
-- Name: events_class_400_default_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_class_400_pkey ATTACH PARTITION agents.events_class_400_default_pkey;

--
-- Name: events_class_400_default_tenant_id_agent_id_occurred_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_class_400_tenant_id_agent_id_occurred_at_idx ATTACH PARTITION agents.events_class_400_default_tenant_id_agent_id_occurred_at_idx;

--
-- Name: events_class_400_tenant_id_agent_id_occurred_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_tenant_id_agent_id_occurred_at_idx ATTACH PARTITION agents.events_class_400_tenant_id_agent_id_occurred_at_idx;

--
-- Name: events_class_90_default_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_class_90_pkey ATTACH PARTITION agents.events_class_90_default_pkey;

--
-- Name: events_class_90_default_tenant_id_agent_id_occurred_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_class_90_tenant_id_agent_id_occurred_at_idx ATTACH PARTITION agents.events_class_90_default_tenant_id_agent_id_occurred_at_idx;

--
-- Name: events_class_90_tenant_id_agent_id_occurred_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.events_tenant_id_agent_id_occurred_at_idx ATTACH PARTITION agents.events_class_90_tenant_id_agent_id_occurred_at_idx;

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
-- Name: system_info_daily_default_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_daily_pkey ATTACH PARTITION agents.system_info_daily_default_pkey;

--
-- Name: system_info_daily_default_tenant_id_agent_id_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_daily_tenant_id_agent_id_idx ATTACH PARTITION agents.system_info_daily_default_tenant_id_agent_id_idx;

--
-- Name: system_info_held_agent_id_collected_at_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_agent_id_collected_at_idx ATTACH PARTITION agents.system_info_held_agent_id_collected_at_idx;

--
-- Name: system_info_held_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_pkey ATTACH PARTITION agents.system_info_held_pkey;

--
-- Name: system_info_held_tenant_id_agent_id_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_tenant_id_agent_id_idx ATTACH PARTITION agents.system_info_held_tenant_id_agent_id_idx;

--
-- Name: system_info_hourly_default_pkey; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_hourly_pkey ATTACH PARTITION agents.system_info_hourly_default_pkey;

--
-- Name: system_info_hourly_default_tenant_id_agent_id_idx; Type: INDEX ATTACH; Schema: agents; Owner: sg_owner
--

ALTER INDEX agents.system_info_hourly_tenant_id_agent_id_idx ATTACH PARTITION agents.system_info_hourly_default_tenant_id_agent_id_idx;

--
-- Name: events_default_pkey; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_pkey ATTACH PARTITION audit.events_default_pkey;

--
-- Name: events_default_tenant_id_action_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_action_idx ATTACH PARTITION audit.events_default_tenant_id_action_idx;

--
-- Name: events_default_tenant_id_actor_id_occurred_at_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_actor_id_idx ATTACH PARTITION audit.events_default_tenant_id_actor_id_occurred_at_idx;

--
-- Name: events_default_tenant_id_actor_name_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_actor_name_idx ATTACH PARTITION audit.events_default_tenant_id_actor_name_idx;

--
-- Name: events_default_tenant_id_address_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_address_idx ATTACH PARTITION audit.events_default_tenant_id_address_idx;

--
-- Name: events_default_tenant_id_object_id_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_object_id_idx ATTACH PARTITION audit.events_default_tenant_id_object_id_idx;

--
-- Name: events_default_tenant_id_object_kind_object_id_occurred_at_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_object_idx ATTACH PARTITION audit.events_default_tenant_id_object_kind_object_id_occurred_at_idx;

--
-- Name: events_default_tenant_id_occurred_at_event_id_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_occurred_at_idx ATTACH PARTITION audit.events_default_tenant_id_occurred_at_event_id_idx;

--
-- Name: events_default_tenant_id_request_id_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.events_tenant_id_request_id_idx ATTACH PARTITION audit.events_default_tenant_id_request_id_idx;

--
-- Name: login_attempts_default_occurred_at_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.login_attempts_occurred_at_idx ATTACH PARTITION audit.login_attempts_default_occurred_at_idx;

--
-- Name: login_attempts_default_pkey; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.login_attempts_pkey ATTACH PARTITION audit.login_attempts_default_pkey;

--
-- Name: login_attempts_default_tenant_id_occurred_at_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.login_attempts_tenant_id_occurred_at_idx ATTACH PARTITION audit.login_attempts_default_tenant_id_occurred_at_idx;

--
-- Name: login_attempts_default_tenant_id_user_id_occurred_at_idx; Type: INDEX ATTACH; Schema: audit; Owner: sg_owner
--

ALTER INDEX audit.login_attempts_tenant_id_user_id_occurred_at_idx ATTACH PARTITION audit.login_attempts_default_tenant_id_user_id_occurred_at_idx;

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
-- Name: security_events_default_pkey; Type: INDEX ATTACH; Schema: monitoring; Owner: sg_owner
--

ALTER INDEX monitoring.security_events_pkey ATTACH PARTITION monitoring.security_events_default_pkey;

--
-- Name: security_events_default_tenant_id_kind_occurred_at_idx; Type: INDEX ATTACH; Schema: monitoring; Owner: sg_owner
--

ALTER INDEX monitoring.security_events_tenant_id_kind_occurred_at_idx ATTACH PARTITION monitoring.security_events_default_tenant_id_kind_occurred_at_idx;

--
-- Name: security_events_default_tenant_id_occurred_at_idx; Type: INDEX ATTACH; Schema: monitoring; Owner: sg_owner
--

ALTER INDEX monitoring.security_events_tenant_id_occurred_at_idx ATTACH PARTITION monitoring.security_events_default_tenant_id_occurred_at_idx;

--
-- Name: endpoints begin_heartbeat; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE CONSTRAINT TRIGGER begin_heartbeat AFTER INSERT ON agents.endpoints DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION agents.begin_heartbeat();

--
-- Name: system_info derive_tenant; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER derive_tenant BEFORE INSERT ON agents.system_info FOR EACH ROW WHEN ((new.tenant_id IS NULL)) EXECUTE FUNCTION users.derive_tenant();

--
-- Name: endpoints enforce_subscription; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER enforce_subscription AFTER INSERT ON agents.endpoints REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION users.enforce_subscription('endpoints');

--
-- Name: endpoints enforce_subscription_on_return; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER enforce_subscription_on_return AFTER UPDATE OF status, tenant_id ON agents.endpoints FOR EACH ROW WHEN ((((new.status)::text <> 'decommissioned'::text) AND (((old.status)::text = 'decommissioned'::text) OR (old.tenant_id <> new.tenant_id)))) EXECUTE FUNCTION users.enforce_subscription('endpoints');

--
-- Name: commands guard_command; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER guard_command BEFORE INSERT OR UPDATE ON agents.commands FOR EACH ROW EXECUTE FUNCTION agents.guard_command();

--
-- Name: command_results guard_command_result; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER guard_command_result BEFORE DELETE OR UPDATE ON agents.command_results FOR EACH ROW EXECUTE FUNCTION agents.guard_command_result();

--
-- Name: legal_holds guard_legal_hold; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER guard_legal_hold BEFORE UPDATE ON agents.legal_holds FOR EACH ROW EXECUTE FUNCTION agents.guard_legal_hold();

--
-- Name: endpoints look_again; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER look_again AFTER UPDATE OF heartbeat_interval ON agents.endpoints FOR EACH ROW WHEN ((old.heartbeat_interval <> new.heartbeat_interval)) EXECUTE FUNCTION agents.look_again();

--
-- Name: system_info note_hours_to_roll_up; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER note_hours_to_roll_up AFTER INSERT ON agents.system_info REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION agents.note_hours_to_roll_up();

--
-- Name: commands record_row_change; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON agents.commands FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('command_id', 'secret_arguments', 'signature', 'nonce');

--
-- Name: endpoints record_row_change; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON agents.endpoints FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('agent_id', 'last_seen', 'name_key', 'search_text');

--
-- Name: legal_holds record_row_change; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON agents.legal_holds FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('hold_id');

--
-- Name: legal_holds refuse_deletion; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER refuse_deletion BEFORE DELETE ON agents.legal_holds FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

--
-- Name: command_results refuse_truncate; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON agents.command_results FOR EACH STATEMENT EXECUTE FUNCTION agents.guard_command_result();

--
-- Name: endpoints touch_updated_at; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON agents.endpoints FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: heartbeats watch_for_endpoints; Type: TRIGGER; Schema: agents; Owner: sg_owner
--

CREATE TRIGGER watch_for_endpoints AFTER INSERT ON agents.heartbeats REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION agents.watch_for_endpoints();

--
-- Name: chain refuse_change; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE ON audit.chain FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

--
-- Name: chain_records refuse_change; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE ON audit.chain_records FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

--
-- Name: checkpoints refuse_change; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE ON audit.checkpoints FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

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
-- Name: chain refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.chain FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: chain_heads refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.chain_heads FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: chain_records refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.chain_records FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: checkpoints refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.checkpoints FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: events refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.events FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: events_default refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.events_default FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: export_positions refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.export_positions FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

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
-- Name: unsealed refuse_truncate; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.unsealed FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: chain_records seal_row; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER seal_row BEFORE INSERT ON audit.chain_records FOR EACH ROW EXECUTE FUNCTION audit.seal_chain_record();

--
-- Name: events seal_row; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER seal_row BEFORE INSERT ON audit.events FOR EACH ROW EXECUTE FUNCTION audit.seal_event();

--
-- Name: login_attempts seal_row; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER seal_row BEFORE INSERT ON audit.login_attempts FOR EACH ROW EXECUTE FUNCTION audit.seal_login_attempt();

--
-- Name: row_changes seal_row; Type: TRIGGER; Schema: audit; Owner: sg_owner
--

CREATE TRIGGER seal_row BEFORE INSERT ON audit.row_changes FOR EACH ROW EXECUTE FUNCTION audit.seal_row_change();

--
-- Name: alerts notify_of_alert; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER notify_of_alert AFTER INSERT ON monitoring.alerts FOR EACH ROW WHEN ((new.state = 'firing'::text)) EXECUTE FUNCTION monitoring.notify_of_alert();

--
-- Name: alerts notify_of_alert_change; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER notify_of_alert_change AFTER UPDATE OF state ON monitoring.alerts FOR EACH ROW WHEN (((new.state <> old.state) AND (new.state = ANY (ARRAY['firing'::text, 'resolved'::text])))) EXECUTE FUNCTION monitoring.notify_of_alert();

--
-- Name: alert_rules record_row_change; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON monitoring.alert_rules FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('rule_id');

--
-- Name: channels record_row_change; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON monitoring.channels FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('channel_id');

--
-- Name: report_subscriptions record_row_change; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON monitoring.report_subscriptions FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('user_id');

--
-- Name: routes record_row_change; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON monitoring.routes FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('route_id');

--
-- Name: silences record_row_change; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON monitoring.silences FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('silence_id');

--
-- Name: security_events refuse_change; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE ON monitoring.security_events FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

--
-- Name: security_events refuse_truncate; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON monitoring.security_events FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: security_events_default refuse_truncate; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON monitoring.security_events_default FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: alert_rules touch_updated_at; Type: TRIGGER; Schema: monitoring; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON monitoring.alert_rules FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: incidents derive_tenant; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER derive_tenant BEFORE INSERT ON threats.incidents FOR EACH ROW WHEN ((new.tenant_id IS NULL)) EXECUTE FUNCTION users.derive_tenant();

--
-- Name: incidents notify_of_reopening; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER notify_of_reopening AFTER UPDATE OF status ON threats.incidents FOR EACH ROW WHEN ((((old.status)::text = ANY ((ARRAY['resolved'::character varying, 'false_positive'::character varying])::text[])) AND ((new.status)::text <> ALL ((ARRAY['resolved'::character varying, 'false_positive'::character varying])::text[])))) EXECUTE FUNCTION monitoring.notify_of_reopening();

--
-- Name: exceptions record_row_change; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON threats.exceptions FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('exception_id');

--
-- Name: incidents record_row_change; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON threats.incidents FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('threat_id', 'occurrence_count', 'last_detected_at');

--
-- Name: placeholders record_row_change; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON threats.placeholders FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('name');

--
-- Name: rules record_row_change; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON threats.rules FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('rule_id', 'text');

--
-- Name: incidents touch_updated_at; Type: TRIGGER; Schema: threats; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON threats.incidents FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: plans apply_retention; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER apply_retention AFTER UPDATE OF retention_class ON users.plans FOR EACH ROW WHEN ((old.retention_class <> new.retention_class)) EXECUTE FUNCTION users.apply_retention();

--
-- Name: subscriptions apply_retention; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER apply_retention AFTER INSERT OR UPDATE OF plan, retention_class ON users.subscriptions FOR EACH ROW EXECUTE FUNCTION users.apply_retention();

--
-- Name: tenants apply_retention; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER apply_retention AFTER UPDATE OF retention_class ON users.tenants FOR EACH ROW WHEN ((old.retention_class <> new.retention_class)) EXECUTE FUNCTION users.apply_retention();

--
-- Name: tenants create_default_policy; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER create_default_policy AFTER INSERT ON users.tenants FOR EACH ROW EXECUTE FUNCTION users.create_default_policy();

--
-- Name: tenants create_default_rules; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER create_default_rules AFTER INSERT ON users.tenants FOR EACH ROW EXECUTE FUNCTION monitoring.create_default_rules_of_tenant();

--
-- Name: tenants create_default_subscription; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER create_default_subscription AFTER INSERT ON users.tenants FOR EACH ROW EXECUTE FUNCTION users.create_default_subscription();

--
-- Name: tenants create_documented_roles; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER create_documented_roles AFTER INSERT ON users.tenants FOR EACH ROW EXECUTE FUNCTION users.create_documented_roles();

--
-- Name: api_keys derive_tenant; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER derive_tenant BEFORE INSERT ON users.api_keys FOR EACH ROW WHEN ((new.tenant_id IS NULL)) EXECUTE FUNCTION users.derive_tenant();

--
-- Name: users enforce_subscription; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER enforce_subscription AFTER INSERT ON users.users REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION users.enforce_subscription('users');

--
-- Name: users enforce_subscription_on_return; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER enforce_subscription_on_return AFTER UPDATE OF is_active, tenant_id ON users.users FOR EACH ROW WHEN ((new.is_active AND ((NOT old.is_active) OR (old.tenant_id <> new.tenant_id)))) EXECUTE FUNCTION users.enforce_subscription('users');

--
-- Name: roles guard_role; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER guard_role BEFORE INSERT OR DELETE OR UPDATE ON users.roles FOR EACH ROW EXECUTE FUNCTION users.guard_role();

--
-- Name: role_permissions guard_role_permission; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER guard_role_permission BEFORE INSERT OR DELETE OR UPDATE ON users.role_permissions FOR EACH ROW EXECUTE FUNCTION users.guard_role_permission();

--
-- Name: users keep_home_membership; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER keep_home_membership AFTER INSERT OR UPDATE OF tenant_id, role ON users.users FOR EACH ROW EXECUTE FUNCTION users.keep_home_membership();

--
-- Name: api_keys keep_key_ended; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER keep_key_ended BEFORE UPDATE ON users.api_keys FOR EACH ROW EXECUTE FUNCTION users.keep_key_ended();

--
-- Name: plans record_plan_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_plan_change AFTER INSERT OR DELETE OR UPDATE ON users.plans FOR EACH ROW EXECUTE FUNCTION users.record_plan_change();

--
-- Name: api_keys record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.api_keys FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('key_id', 'last_used', 'usage_count');

--
-- Name: backup_codes record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.backup_codes FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('code_id', 'code_hash');

--
-- Name: external_identities record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.external_identities FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('user_id', 'last_sign_in_at', 'last_seen_at');

--
-- Name: factor_policies record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.factor_policies FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('role');

--
-- Name: factors record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.factors FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('factor_id', 'last_used_at', 'last_step', 'failed_attempts', 'locked_until', 'sign_count', 'credential_id', 'public_key', 'backed_up');

--
-- Name: identity_providers record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.identity_providers FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('provider_id');

--
-- Name: memberships record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.memberships FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('user_id');

--
-- Name: password_policies record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.password_policies FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('policy_id');

--
-- Name: provider_domains record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.provider_domains FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('domain');

--
-- Name: provisioned_group_members record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.provisioned_group_members FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('user_id');

--
-- Name: provisioned_groups record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.provisioned_groups FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('group_id');

--
-- Name: rate_limits record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.rate_limits FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('subject_kind');

--
-- Name: role_permissions record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR UPDATE ON users.role_permissions FOR EACH ROW WHEN (((new.role)::text <> ALL ((ARRAY['user'::character varying, 'manager'::character varying, 'admin'::character varying, 'system_admin'::character varying])::text[]))) EXECUTE FUNCTION audit.record_row_change('role');

--
-- Name: roles record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR UPDATE ON users.roles FOR EACH ROW WHEN (((new.role)::text <> (new.based_on)::text)) EXECUTE FUNCTION audit.record_row_change('role');

--
-- Name: secrets record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.secrets FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('secret_id', 'nonce', 'ciphertext');

--
-- Name: subscriptions record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.subscriptions FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('tenant_id', 'growth_checks');

--
-- Name: tenants record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.tenants FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('tenant_id');

--
-- Name: users record_row_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_change AFTER INSERT OR DELETE OR UPDATE ON users.users FOR EACH ROW EXECUTE FUNCTION audit.record_row_change('user_id', 'failed_login_attempts', 'last_failed_login', 'last_login');

--
-- Name: role_permissions record_row_removal; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_removal AFTER DELETE ON users.role_permissions FOR EACH ROW WHEN (((old.role)::text <> ALL ((ARRAY['user'::character varying, 'manager'::character varying, 'admin'::character varying, 'system_admin'::character varying])::text[]))) EXECUTE FUNCTION audit.record_row_change('role');

--
-- Name: roles record_row_removal; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_row_removal AFTER DELETE ON users.roles FOR EACH ROW WHEN (((old.role)::text <> (old.based_on)::text)) EXECUTE FUNCTION audit.record_row_change('role');

--
-- Name: subscriptions record_subscription; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_subscription AFTER INSERT ON users.subscriptions FOR EACH ROW EXECUTE FUNCTION users.record_subscription();

--
-- Name: subscriptions record_subscription_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER record_subscription_change AFTER UPDATE ON users.subscriptions FOR EACH ROW WHEN ((((((((((old.plan)::text IS DISTINCT FROM (new.plan)::text) OR ((old.status)::text IS DISTINCT FROM (new.status)::text)) OR (old.trial_ends_at IS DISTINCT FROM new.trial_ends_at)) OR (old.period_start IS DISTINCT FROM new.period_start)) OR (old.period_end IS DISTINCT FROM new.period_end)) OR (old.max_endpoints IS DISTINCT FROM new.max_endpoints)) OR (old.max_users IS DISTINCT FROM new.max_users)) OR (old.retention_class IS DISTINCT FROM new.retention_class))) EXECUTE FUNCTION users.record_subscription();

--
-- Name: users refuse_borrowed_name; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER refuse_borrowed_name BEFORE INSERT OR UPDATE OF username, email ON users.users FOR EACH ROW EXECUTE FUNCTION users.refuse_borrowed_name();

--
-- Name: subscription_changes refuse_change; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE ON users.subscription_changes FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

--
-- Name: subscription_changes refuse_truncate; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON users.subscription_changes FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

--
-- Name: permissions spread_permission; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER spread_permission AFTER INSERT ON users.permissions FOR EACH ROW EXECUTE FUNCTION users.spread_permission();

--
-- Name: password_policies touch_updated_at; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON users.password_policies FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: plans touch_updated_at; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON users.plans FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: roles touch_updated_at; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON users.roles FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

--
-- Name: subscriptions touch_updated_at; Type: TRIGGER; Schema: users; Owner: sg_owner
--

CREATE TRIGGER touch_updated_at BEFORE UPDATE OF plan, status, trial_ends_at, period_start, period_end, max_endpoints, max_users, retention_class ON users.subscriptions FOR EACH ROW EXECUTE FUNCTION users.touch_updated_at();

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
-- Name: command_output command_output_command_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.command_output
    ADD CONSTRAINT command_output_command_id_fkey FOREIGN KEY (tenant_id, command_id) REFERENCES agents.commands(tenant_id, command_id) ON DELETE CASCADE;

--
-- Name: command_results command_results_command_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.command_results
    ADD CONSTRAINT command_results_command_id_fkey FOREIGN KEY (tenant_id, command_id) REFERENCES agents.commands(tenant_id, command_id) ON DELETE CASCADE;

--
-- Name: commands commands_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.commands
    ADD CONSTRAINT commands_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: commands commands_approved_by_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.commands
    ADD CONSTRAINT commands_approved_by_fkey FOREIGN KEY (tenant_id, approved_by) REFERENCES users.memberships(tenant_id, user_id);

--
-- Name: commands commands_closed_by_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.commands
    ADD CONSTRAINT commands_closed_by_fkey FOREIGN KEY (tenant_id, closed_by) REFERENCES users.memberships(tenant_id, user_id);

--
-- Name: commands commands_requested_by_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.commands
    ADD CONSTRAINT commands_requested_by_fkey FOREIGN KEY (tenant_id, requested_by) REFERENCES users.memberships(tenant_id, user_id);

--
-- Name: deadlines deadlines_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.deadlines
    ADD CONSTRAINT deadlines_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

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
-- Name: events_held events_held_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.events_held
    ADD CONSTRAINT events_held_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

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
-- Name: legal_holds legal_holds_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.legal_holds
    ADD CONSTRAINT legal_holds_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id);

--
-- Name: legal_holds legal_holds_placed_by_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.legal_holds
    ADD CONSTRAINT legal_holds_placed_by_fkey FOREIGN KEY (tenant_id, placed_by) REFERENCES users.memberships(tenant_id, user_id);

--
-- Name: legal_holds legal_holds_released_by_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.legal_holds
    ADD CONSTRAINT legal_holds_released_by_fkey FOREIGN KEY (tenant_id, released_by) REFERENCES users.memberships(tenant_id, user_id);

--
-- Name: legal_holds legal_holds_tenant_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.legal_holds
    ADD CONSTRAINT legal_holds_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: rollup_queue rollup_queue_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE ONLY agents.rollup_queue
    ADD CONSTRAINT rollup_queue_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

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
-- Name: system_info_daily system_info_daily_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_daily
    ADD CONSTRAINT system_info_daily_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: system_info_hourly system_info_hourly_agent_id_fkey; Type: FK CONSTRAINT; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_hourly
    ADD CONSTRAINT system_info_hourly_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: chain_heads chain_heads_tenant_id_fkey; Type: FK CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.chain_heads
    ADD CONSTRAINT chain_heads_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: chain_records chain_records_tenant_id_fkey; Type: FK CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.chain_records
    ADD CONSTRAINT chain_records_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: checkpoints checkpoints_tenant_id_fkey; Type: FK CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.checkpoints
    ADD CONSTRAINT checkpoints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: events events_tenant_id_fkey; Type: FK CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.events
    ADD CONSTRAINT events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: export_positions export_positions_tenant_id_fkey; Type: FK CONSTRAINT; Schema: audit; Owner: sg_owner
--

ALTER TABLE ONLY audit.export_positions
    ADD CONSTRAINT export_positions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

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
-- Name: alert_rules alert_rules_tenant_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.alert_rules
    ADD CONSTRAINT alert_rules_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: alerts alerts_agent_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.alerts
    ADD CONSTRAINT alerts_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: alerts alerts_rule_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.alerts
    ADD CONSTRAINT alerts_rule_id_fkey FOREIGN KEY (tenant_id, rule_id) REFERENCES monitoring.alert_rules(tenant_id, rule_id) ON DELETE CASCADE;

--
-- Name: backup_state backup_state_tenant_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.backup_state
    ADD CONSTRAINT backup_state_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: backups backups_tenant_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.backups
    ADD CONSTRAINT backups_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: channels channels_created_by_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.channels
    ADD CONSTRAINT channels_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (created_by);

--
-- Name: channels channels_secret_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.channels
    ADD CONSTRAINT channels_secret_id_fkey FOREIGN KEY (tenant_id, secret_id) REFERENCES users.secrets(tenant_id, secret_id);

--
-- Name: channels channels_tenant_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.channels
    ADD CONSTRAINT channels_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: delivery_attempts delivery_attempts_notification_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.delivery_attempts
    ADD CONSTRAINT delivery_attempts_notification_id_fkey FOREIGN KEY (tenant_id, notification_id) REFERENCES monitoring.notifications(tenant_id, notification_id) ON DELETE CASCADE;

--
-- Name: kpi_samples kpi_samples_tenant_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.kpi_samples
    ADD CONSTRAINT kpi_samples_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: maintenance_runs maintenance_runs_tenant_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.maintenance_runs
    ADD CONSTRAINT maintenance_runs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: maintenance_tasks maintenance_tasks_run_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.maintenance_tasks
    ADD CONSTRAINT maintenance_tasks_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES monitoring.maintenance_runs(tenant_id, run_id) ON DELETE CASCADE;

--
-- Name: notifications notifications_alert_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.notifications
    ADD CONSTRAINT notifications_alert_id_fkey FOREIGN KEY (tenant_id, alert_id) REFERENCES monitoring.alerts(tenant_id, alert_id) ON DELETE CASCADE;

--
-- Name: notifications notifications_channel_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.notifications
    ADD CONSTRAINT notifications_channel_id_fkey FOREIGN KEY (tenant_id, channel_id) REFERENCES monitoring.channels(tenant_id, channel_id) ON DELETE CASCADE;

--
-- Name: notifications notifications_digest_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.notifications
    ADD CONSTRAINT notifications_digest_id_fkey FOREIGN KEY (tenant_id, digest_id) REFERENCES monitoring.notifications(tenant_id, notification_id) ON DELETE SET NULL (digest_id);

--
-- Name: notifications notifications_route_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.notifications
    ADD CONSTRAINT notifications_route_id_fkey FOREIGN KEY (tenant_id, route_id) REFERENCES monitoring.routes(tenant_id, route_id) ON DELETE SET NULL (route_id);

--
-- Name: notifications notifications_threat_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.notifications
    ADD CONSTRAINT notifications_threat_id_fkey FOREIGN KEY (tenant_id, threat_id) REFERENCES threats.incidents(tenant_id, threat_id) ON DELETE CASCADE;

--
-- Name: report_subscriptions report_subscriptions_user_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.report_subscriptions
    ADD CONSTRAINT report_subscriptions_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.memberships(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: reports reports_tenant_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.reports
    ADD CONSTRAINT reports_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: routes routes_channel_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.routes
    ADD CONSTRAINT routes_channel_id_fkey FOREIGN KEY (tenant_id, channel_id) REFERENCES monitoring.channels(tenant_id, channel_id) ON DELETE CASCADE;

--
-- Name: routes routes_created_by_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.routes
    ADD CONSTRAINT routes_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (created_by);

--
-- Name: routes routes_escalate_to_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.routes
    ADD CONSTRAINT routes_escalate_to_fkey FOREIGN KEY (tenant_id, escalate_to) REFERENCES monitoring.channels(tenant_id, channel_id) ON DELETE SET NULL (escalate_to);

--
-- Name: security_events security_events_tenant_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.security_events
    ADD CONSTRAINT security_events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: silences silences_agent_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.silences
    ADD CONSTRAINT silences_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: silences silences_created_by_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.silences
    ADD CONSTRAINT silences_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (created_by);

--
-- Name: silences silences_ended_by_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.silences
    ADD CONSTRAINT silences_ended_by_fkey FOREIGN KEY (tenant_id, ended_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (ended_by);

--
-- Name: silences silences_owner_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.silences
    ADD CONSTRAINT silences_owner_id_fkey FOREIGN KEY (tenant_id, owner_id) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (owner_id);

--
-- Name: silences silences_tenant_id_fkey; Type: FK CONSTRAINT; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE ONLY monitoring.silences
    ADD CONSTRAINT silences_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: correlation_episodes correlation_episodes_tenant_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.correlation_episodes
    ADD CONSTRAINT correlation_episodes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: correlation_matches correlation_matches_agent_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.correlation_matches
    ADD CONSTRAINT correlation_matches_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: correlation_matches correlation_matches_tenant_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.correlation_matches
    ADD CONSTRAINT correlation_matches_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: excepted_findings excepted_findings_agent_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.excepted_findings
    ADD CONSTRAINT excepted_findings_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: excepted_findings excepted_findings_exception_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.excepted_findings
    ADD CONSTRAINT excepted_findings_exception_id_fkey FOREIGN KEY (tenant_id, exception_id) REFERENCES threats.exceptions(tenant_id, exception_id) ON DELETE CASCADE;

--
-- Name: exceptions exceptions_agent_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.exceptions
    ADD CONSTRAINT exceptions_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents.endpoints(tenant_id, agent_id) ON DELETE CASCADE;

--
-- Name: exceptions exceptions_created_by_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.exceptions
    ADD CONSTRAINT exceptions_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (created_by);

--
-- Name: exceptions exceptions_ended_by_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.exceptions
    ADD CONSTRAINT exceptions_ended_by_fkey FOREIGN KEY (tenant_id, ended_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (ended_by);

--
-- Name: exceptions exceptions_owner_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.exceptions
    ADD CONSTRAINT exceptions_owner_id_fkey FOREIGN KEY (tenant_id, owner_id) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (owner_id);

--
-- Name: exceptions exceptions_tenant_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.exceptions
    ADD CONSTRAINT exceptions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: exceptions exceptions_threat_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.exceptions
    ADD CONSTRAINT exceptions_threat_id_fkey FOREIGN KEY (tenant_id, threat_id) REFERENCES threats.incidents(tenant_id, threat_id) ON DELETE SET NULL (threat_id);

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
-- Name: placeholders placeholders_changed_by_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.placeholders
    ADD CONSTRAINT placeholders_changed_by_fkey FOREIGN KEY (tenant_id, changed_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (changed_by);

--
-- Name: placeholders placeholders_tenant_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.placeholders
    ADD CONSTRAINT placeholders_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: rule_sets rule_sets_tenant_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rule_sets
    ADD CONSTRAINT rule_sets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: rule_versions rule_versions_changed_by_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rule_versions
    ADD CONSTRAINT rule_versions_changed_by_fkey FOREIGN KEY (tenant_id, changed_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (changed_by);

--
-- Name: rule_versions rule_versions_rule_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rule_versions
    ADD CONSTRAINT rule_versions_rule_id_fkey FOREIGN KEY (tenant_id, rule_id) REFERENCES threats.rules(tenant_id, rule_id) ON DELETE CASCADE;

--
-- Name: rules rules_changed_by_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rules
    ADD CONSTRAINT rules_changed_by_fkey FOREIGN KEY (tenant_id, changed_by) REFERENCES users.memberships(tenant_id, user_id) ON DELETE SET NULL (changed_by);

--
-- Name: rules rules_tenant_id_fkey; Type: FK CONSTRAINT; Schema: threats; Owner: sg_owner
--

ALTER TABLE ONLY threats.rules
    ADD CONSTRAINT rules_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: api_keys api_keys_replaces_key_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.api_keys
    ADD CONSTRAINT api_keys_replaces_key_id_fkey FOREIGN KEY (tenant_id, replaces_key_id) REFERENCES users.api_keys(tenant_id, key_id) ON DELETE SET NULL (replaces_key_id);

--
-- Name: api_keys api_keys_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.api_keys
    ADD CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.memberships(tenant_id, user_id);

--
-- Name: backup_codes backup_codes_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.backup_codes
    ADD CONSTRAINT backup_codes_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: directory_syncs directory_syncs_provider_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.directory_syncs
    ADD CONSTRAINT directory_syncs_provider_id_fkey FOREIGN KEY (tenant_id, provider_id) REFERENCES users.identity_providers(tenant_id, provider_id) ON DELETE CASCADE;

--
-- Name: external_identities external_identities_provider_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.external_identities
    ADD CONSTRAINT external_identities_provider_id_fkey FOREIGN KEY (tenant_id, provider_id) REFERENCES users.identity_providers(tenant_id, provider_id) ON DELETE CASCADE;

--
-- Name: external_identities external_identities_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.external_identities
    ADD CONSTRAINT external_identities_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: factor_policies factor_policies_role_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.factor_policies
    ADD CONSTRAINT factor_policies_role_fkey FOREIGN KEY (tenant_id, role) REFERENCES users.roles(tenant_id, role) ON DELETE CASCADE;

--
-- Name: factor_policies factor_policies_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.factor_policies
    ADD CONSTRAINT factor_policies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: factors factors_secret_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.factors
    ADD CONSTRAINT factors_secret_id_fkey FOREIGN KEY (tenant_id, secret_id) REFERENCES users.secrets(tenant_id, secret_id);

--
-- Name: factors factors_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.factors
    ADD CONSTRAINT factors_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: identity_providers identity_providers_secret_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.identity_providers
    ADD CONSTRAINT identity_providers_secret_id_fkey FOREIGN KEY (tenant_id, secret_id) REFERENCES users.secrets(tenant_id, secret_id);

--
-- Name: identity_providers identity_providers_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.identity_providers
    ADD CONSTRAINT identity_providers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: known_devices known_devices_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.known_devices
    ADD CONSTRAINT known_devices_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: memberships memberships_granted_by_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.memberships
    ADD CONSTRAINT memberships_granted_by_fkey FOREIGN KEY (granted_by) REFERENCES users.users(user_id) ON DELETE SET NULL;

--
-- Name: memberships memberships_role_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.memberships
    ADD CONSTRAINT memberships_role_fkey FOREIGN KEY (tenant_id, role) REFERENCES users.roles(tenant_id, role);

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
-- Name: notices notices_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.notices
    ADD CONSTRAINT notices_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: outgoing_mail outgoing_mail_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.outgoing_mail
    ADD CONSTRAINT outgoing_mail_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: outgoing_mail outgoing_mail_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.outgoing_mail
    ADD CONSTRAINT outgoing_mail_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: password_links password_links_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.password_links
    ADD CONSTRAINT password_links_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: password_policies password_policies_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.password_policies
    ADD CONSTRAINT password_policies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: pending_sign_ins pending_sign_ins_provider_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.pending_sign_ins
    ADD CONSTRAINT pending_sign_ins_provider_id_fkey FOREIGN KEY (tenant_id, provider_id) REFERENCES users.identity_providers(tenant_id, provider_id) ON DELETE CASCADE;

--
-- Name: provider_domains provider_domains_provider_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.provider_domains
    ADD CONSTRAINT provider_domains_provider_id_fkey FOREIGN KEY (tenant_id, provider_id) REFERENCES users.identity_providers(tenant_id, provider_id) ON DELETE CASCADE;

--
-- Name: provisioned_group_members provisioned_group_members_group_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.provisioned_group_members
    ADD CONSTRAINT provisioned_group_members_group_id_fkey FOREIGN KEY (tenant_id, group_id) REFERENCES users.provisioned_groups(tenant_id, group_id) ON DELETE CASCADE;

--
-- Name: provisioned_group_members provisioned_group_members_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.provisioned_group_members
    ADD CONSTRAINT provisioned_group_members_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: provisioned_groups provisioned_groups_provider_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.provisioned_groups
    ADD CONSTRAINT provisioned_groups_provider_id_fkey FOREIGN KEY (tenant_id, provider_id) REFERENCES users.identity_providers(tenant_id, provider_id) ON DELETE CASCADE;

--
-- Name: rate_limits rate_limits_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.rate_limits
    ADD CONSTRAINT rate_limits_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: role_permissions role_permissions_permission_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.role_permissions
    ADD CONSTRAINT role_permissions_permission_fkey FOREIGN KEY (permission) REFERENCES users.permissions(permission);

--
-- Name: role_permissions role_permissions_role_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.role_permissions
    ADD CONSTRAINT role_permissions_role_fkey FOREIGN KEY (tenant_id, role) REFERENCES users.roles(tenant_id, role) ON DELETE CASCADE;

--
-- Name: roles roles_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.roles
    ADD CONSTRAINT roles_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: secrets secrets_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.secrets
    ADD CONSTRAINT secrets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: secrets secrets_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.secrets
    ADD CONSTRAINT secrets_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: sessions sessions_provider_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sessions
    ADD CONSTRAINT sessions_provider_id_fkey FOREIGN KEY (tenant_id, provider_id) REFERENCES users.identity_providers(tenant_id, provider_id) ON DELETE SET NULL (provider_id);

--
-- Name: sessions sessions_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: sign_in_challenges sign_in_challenges_provider_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sign_in_challenges
    ADD CONSTRAINT sign_in_challenges_provider_id_fkey FOREIGN KEY (tenant_id, provider_id) REFERENCES users.identity_providers(tenant_id, provider_id) ON DELETE CASCADE;

--
-- Name: sign_in_challenges sign_in_challenges_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sign_in_challenges
    ADD CONSTRAINT sign_in_challenges_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: sign_in_challenges sign_in_challenges_user_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.sign_in_challenges
    ADD CONSTRAINT sign_in_challenges_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users.users(tenant_id, user_id) ON DELETE CASCADE;

--
-- Name: subscription_changes subscription_changes_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.subscription_changes
    ADD CONSTRAINT subscription_changes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: subscriptions subscriptions_plan_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.subscriptions
    ADD CONSTRAINT subscriptions_plan_fkey FOREIGN KEY (plan) REFERENCES users.plans(plan);

--
-- Name: subscriptions subscriptions_tenant_id_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.subscriptions
    ADD CONSTRAINT subscriptions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES users.tenants(tenant_id);

--
-- Name: users users_role_fkey; Type: FK CONSTRAINT; Schema: users; Owner: sg_owner
--

ALTER TABLE ONLY users.users
    ADD CONSTRAINT users_role_fkey FOREIGN KEY (tenant_id, role) REFERENCES users.roles(tenant_id, role);

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
-- Name: command_output admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.command_output TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: command_results admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.command_results TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: commands admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.commands TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: deadlines admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.deadlines TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: endpoints admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.endpoints TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: events admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.events TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: events_held admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.events_held TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: gaps admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.gaps TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: heartbeats admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.heartbeats TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: legal_holds admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.legal_holds TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: rollup_queue admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.rollup_queue TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: streams admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.streams TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: system_info admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.system_info TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: system_info_daily admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.system_info_daily TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: system_info_hourly admin_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY admin_access ON agents.system_info_hourly TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: agent_tokens; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.agent_tokens ENABLE ROW LEVEL SECURITY;

--
-- Name: endpoints auth_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY auth_access ON agents.endpoints FOR SELECT TO sg_auth USING (true);

--
-- Name: heartbeats auth_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY auth_access ON agents.heartbeats FOR INSERT TO sg_auth WITH CHECK ((NOT online));

--
-- Name: agent_tokens backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.agent_tokens FOR SELECT TO sg_backup USING (true);

--
-- Name: command_output backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.command_output FOR SELECT TO sg_backup USING (true);

--
-- Name: command_results backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.command_results FOR SELECT TO sg_backup USING (true);

--
-- Name: commands backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.commands FOR SELECT TO sg_backup USING (true);

--
-- Name: deadlines backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.deadlines FOR SELECT TO sg_backup USING (true);

--
-- Name: endpoints backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.endpoints FOR SELECT TO sg_backup USING (true);

--
-- Name: events backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.events FOR SELECT TO sg_backup USING (true);

--
-- Name: events_held backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.events_held FOR SELECT TO sg_backup USING (true);

--
-- Name: gaps backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.gaps FOR SELECT TO sg_backup USING (true);

--
-- Name: heartbeats backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.heartbeats FOR SELECT TO sg_backup USING (true);

--
-- Name: legal_holds backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.legal_holds FOR SELECT TO sg_backup USING (true);

--
-- Name: rollup_queue backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.rollup_queue FOR SELECT TO sg_backup USING (true);

--
-- Name: streams backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.streams FOR SELECT TO sg_backup USING (true);

--
-- Name: system_info backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.system_info FOR SELECT TO sg_backup USING (true);

--
-- Name: system_info_daily backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.system_info_daily FOR SELECT TO sg_backup USING (true);

--
-- Name: system_info_hourly backup_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY backup_access ON agents.system_info_hourly FOR SELECT TO sg_backup USING (true);

--
-- Name: command_output; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.command_output ENABLE ROW LEVEL SECURITY;

--
-- Name: command_results; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.command_results ENABLE ROW LEVEL SECURITY;

--
-- Name: commands; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.commands ENABLE ROW LEVEL SECURITY;

--
-- Name: deadlines; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.deadlines ENABLE ROW LEVEL SECURITY;

--
-- Name: endpoints; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.endpoints ENABLE ROW LEVEL SECURITY;

--
-- Name: events; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events ENABLE ROW LEVEL SECURITY;

--
-- Name: events_class_30; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events_class_30 ENABLE ROW LEVEL SECURITY;

--
-- Name: events_class_30_default; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events_class_30_default ENABLE ROW LEVEL SECURITY;

--
-- Name: events_class_400; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events_class_400 ENABLE ROW LEVEL SECURITY;

--
-- Name: events_class_400_default; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events_class_400_default ENABLE ROW LEVEL SECURITY;

--
-- Name: events_class_90; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events_class_90 ENABLE ROW LEVEL SECURITY;

--
-- Name: events_class_90_default; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events_class_90_default ENABLE ROW LEVEL SECURITY;

--
-- Name: events_held; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.events_held ENABLE ROW LEVEL SECURITY;

--
-- Name: gaps; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.gaps ENABLE ROW LEVEL SECURITY;

--
-- Name: heartbeats; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.heartbeats ENABLE ROW LEVEL SECURITY;

--
-- Name: legal_holds; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.legal_holds ENABLE ROW LEVEL SECURITY;

--
-- Name: commands own_name_only; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_name_only ON agents.commands AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK (((( SELECT users.current_scope() AS current_scope) = 'tenant'::text) AND (requested_by = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: legal_holds own_name_only; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_name_only ON agents.legal_holds AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK (((placed_by = ( SELECT users.current_user_id() AS current_user_id)) AND (released_at IS NULL)));

--
-- Name: legal_holds own_release_only; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_release_only ON agents.legal_holds AS RESTRICTIVE FOR UPDATE TO sg_app_own, sg_app USING (true) WITH CHECK ((released_by = ( SELECT users.current_user_id() AS current_user_id)));

--
-- Name: agent_tokens own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.agent_tokens TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: command_output own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.command_output TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (command_id IN ( SELECT c.command_id
   FROM agents.commands c)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (command_id IN ( SELECT c.command_id
   FROM agents.commands c))));

--
-- Name: command_results own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.command_results TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (command_id IN ( SELECT c.command_id
   FROM agents.commands c)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (command_id IN ( SELECT c.command_id
   FROM agents.commands c))));

--
-- Name: commands own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.commands TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: endpoints own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.endpoints TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: events own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.events TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: events_held own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.events_held TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: gaps own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.gaps TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: heartbeats own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.heartbeats TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: streams own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.streams TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: system_info own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.system_info TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: system_info_daily own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.system_info_daily TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: system_info_hourly own_rows; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY own_rows ON agents.system_info_hourly TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: legal_holds owner_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY owner_access ON agents.legal_holds FOR SELECT TO sg_owner USING (true);

--
-- Name: commands peoples_steps_only; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY peoples_steps_only ON agents.commands AS RESTRICTIVE FOR UPDATE TO sg_app_own, sg_app USING ((( SELECT users.current_scope() AS current_scope) = 'tenant'::text)) WITH CHECK ((((state = 'approved'::text) AND (approved_by = ( SELECT users.current_user_id() AS current_user_id))) OR ((state = ANY (ARRAY['rejected'::text, 'cancelled'::text])) AND (closed_by = ( SELECT users.current_user_id() AS current_user_id)))));

--
-- Name: rollup_queue; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.rollup_queue ENABLE ROW LEVEL SECURITY;

--
-- Name: streams; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.streams ENABLE ROW LEVEL SECURITY;

--
-- Name: agent_tokens system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.agent_tokens TO sg_system USING (true) WITH CHECK (true);

--
-- Name: command_output system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.command_output TO sg_system USING (true) WITH CHECK (true);

--
-- Name: command_results system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.command_results TO sg_system USING (true) WITH CHECK (true);

--
-- Name: commands system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.commands TO sg_system USING (true) WITH CHECK (true);

--
-- Name: deadlines system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.deadlines TO sg_system USING (true) WITH CHECK (true);

--
-- Name: endpoints system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.endpoints TO sg_system USING (true) WITH CHECK (true);

--
-- Name: events system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.events TO sg_system USING (true) WITH CHECK (true);

--
-- Name: events_held system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.events_held TO sg_system USING (true) WITH CHECK (true);

--
-- Name: gaps system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.gaps TO sg_system USING (true) WITH CHECK (true);

--
-- Name: heartbeats system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.heartbeats TO sg_system USING (true) WITH CHECK (true);

--
-- Name: legal_holds system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.legal_holds TO sg_system USING (true) WITH CHECK (true);

--
-- Name: rollup_queue system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.rollup_queue TO sg_system USING (true) WITH CHECK (true);

--
-- Name: streams system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.streams TO sg_system USING (true) WITH CHECK (true);

--
-- Name: system_info system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.system_info TO sg_system USING (true) WITH CHECK (true);

--
-- Name: system_info_daily system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.system_info_daily TO sg_system USING (true) WITH CHECK (true);

--
-- Name: system_info_hourly system_access; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY system_access ON agents.system_info_hourly TO sg_system USING (true) WITH CHECK (true);

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
-- Name: system_info_daily; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_daily ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_daily_default; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_daily_default ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_held; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_held ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_hourly; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_hourly ENABLE ROW LEVEL SECURITY;

--
-- Name: system_info_hourly_default; Type: ROW SECURITY; Schema: agents; Owner: sg_owner
--

ALTER TABLE agents.system_info_hourly_default ENABLE ROW LEVEL SECURITY;

--
-- Name: agent_tokens tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.agent_tokens TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: command_output tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.command_output TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: command_results tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.command_results TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: commands tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.commands TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: deadlines tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.deadlines TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: endpoints tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.endpoints TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: events tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.events TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: events_held tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.events_held TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: gaps tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.gaps TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: heartbeats tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.heartbeats TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: legal_holds tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.legal_holds TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: rollup_queue tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.rollup_queue TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: streams tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.streams TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: system_info tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.system_info TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: system_info_daily tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.system_info_daily TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: system_info_hourly tenant_isolation; Type: POLICY; Schema: agents; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON agents.system_info_hourly TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: chain admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.chain TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: chain_heads admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.chain_heads TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: chain_records admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.chain_records TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: checkpoints admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.checkpoints TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: events admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.events TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: export_positions admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.export_positions TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: login_attempts admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.login_attempts TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: row_changes admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.row_changes TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: unsealed admin_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY admin_access ON audit.unsealed TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: chain auth_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY auth_access ON audit.chain TO sg_auth USING ((tenant_id IN ( SELECT t.tenant_id
   FROM users.tenants t
  WHERE ((t.status)::text = 'erased'::text)))) WITH CHECK (true);

--
-- Name: chain_records auth_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY auth_access ON audit.chain_records TO sg_auth USING ((tenant_id IN ( SELECT t.tenant_id
   FROM users.tenants t
  WHERE ((t.status)::text = 'erased'::text)))) WITH CHECK (true);

--
-- Name: checkpoints auth_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY auth_access ON audit.checkpoints TO sg_auth USING ((tenant_id IN ( SELECT t.tenant_id
   FROM users.tenants t
  WHERE ((t.status)::text = 'erased'::text)))) WITH CHECK (true);

--
-- Name: events auth_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY auth_access ON audit.events TO sg_auth USING ((tenant_id IN ( SELECT t.tenant_id
   FROM users.tenants t
  WHERE ((t.status)::text = 'erased'::text)))) WITH CHECK (true);

--
-- Name: login_attempts auth_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY auth_access ON audit.login_attempts TO sg_auth USING ((tenant_id IN ( SELECT t.tenant_id
   FROM users.tenants t
  WHERE ((t.status)::text = 'erased'::text)))) WITH CHECK (true);

--
-- Name: row_changes auth_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY auth_access ON audit.row_changes TO sg_auth USING ((tenant_id IN ( SELECT t.tenant_id
   FROM users.tenants t
  WHERE ((t.status)::text = 'erased'::text)))) WITH CHECK (true);

--
-- Name: unsealed auth_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY auth_access ON audit.unsealed TO sg_auth USING ((tenant_id IN ( SELECT t.tenant_id
   FROM users.tenants t
  WHERE ((t.status)::text = 'erased'::text)))) WITH CHECK (true);

--
-- Name: chain backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.chain FOR SELECT TO sg_backup USING (true);

--
-- Name: chain_heads backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.chain_heads FOR SELECT TO sg_backup USING (true);

--
-- Name: chain_records backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.chain_records FOR SELECT TO sg_backup USING (true);

--
-- Name: checkpoints backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.checkpoints FOR SELECT TO sg_backup USING (true);

--
-- Name: events backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.events FOR SELECT TO sg_backup USING (true);

--
-- Name: export_positions backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.export_positions FOR SELECT TO sg_backup USING (true);

--
-- Name: login_attempts backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.login_attempts FOR SELECT TO sg_backup USING (true);

--
-- Name: row_changes backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.row_changes FOR SELECT TO sg_backup USING (true);

--
-- Name: unsealed backup_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY backup_access ON audit.unsealed FOR SELECT TO sg_backup USING (true);

--
-- Name: chain; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.chain ENABLE ROW LEVEL SECURITY;

--
-- Name: chain_heads; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.chain_heads ENABLE ROW LEVEL SECURITY;

--
-- Name: chain_records; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.chain_records ENABLE ROW LEVEL SECURITY;

--
-- Name: checkpoints; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.checkpoints ENABLE ROW LEVEL SECURITY;

--
-- Name: events; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.events ENABLE ROW LEVEL SECURITY;

--
-- Name: events_default; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.events_default ENABLE ROW LEVEL SECURITY;

--
-- Name: export_positions; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.export_positions ENABLE ROW LEVEL SECURITY;

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

CREATE POLICY own_name_only ON audit.events AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK ((actor_id = (( SELECT users.current_user_id() AS current_user_id))::text));

--
-- Name: events own_rows; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY own_rows ON audit.events FOR INSERT TO sg_app_own WITH CHECK ((tenant_id = ( SELECT users.current_tenant() AS current_tenant)));

--
-- Name: row_changes; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.row_changes ENABLE ROW LEVEL SECURITY;

--
-- Name: row_changes_default; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.row_changes_default ENABLE ROW LEVEL SECURITY;

--
-- Name: chain system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.chain TO sg_system USING (true) WITH CHECK (true);

--
-- Name: chain_heads system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.chain_heads TO sg_system USING (true) WITH CHECK (true);

--
-- Name: chain_records system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.chain_records TO sg_system USING (true) WITH CHECK (true);

--
-- Name: checkpoints system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.checkpoints TO sg_system USING (true) WITH CHECK (true);

--
-- Name: events system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.events TO sg_system USING (true) WITH CHECK (true);

--
-- Name: export_positions system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.export_positions TO sg_system USING (true) WITH CHECK (true);

--
-- Name: login_attempts system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.login_attempts TO sg_system USING (true) WITH CHECK (true);

--
-- Name: row_changes system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.row_changes TO sg_system USING (true) WITH CHECK (true);

--
-- Name: unsealed system_access; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY system_access ON audit.unsealed TO sg_system USING (true) WITH CHECK (true);

--
-- Name: chain tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.chain TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: chain_heads tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.chain_heads TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: chain_records tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.chain_records TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: checkpoints tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.checkpoints TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: events tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.events TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: export_positions tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.export_positions TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: login_attempts tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.login_attempts TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: row_changes tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.row_changes TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: unsealed tenant_isolation; Type: POLICY; Schema: audit; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON audit.unsealed TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: unsealed; Type: ROW SECURITY; Schema: audit; Owner: sg_owner
--

ALTER TABLE audit.unsealed ENABLE ROW LEVEL SECURITY;

--
-- Name: alert_rules admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.alert_rules TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: alerts admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.alerts TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: backup_state admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.backup_state TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: backups admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.backups TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: channels admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.channels TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: delivery_attempts admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.delivery_attempts TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: kpi_samples admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.kpi_samples TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: maintenance_runs admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.maintenance_runs TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: maintenance_tasks admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.maintenance_tasks TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: notifications admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.notifications TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: report_subscriptions admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.report_subscriptions TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: reports admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.reports TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: routes admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.routes TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: security_events admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.security_events TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: silences admin_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY admin_access ON monitoring.silences TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: alert_rules; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.alert_rules ENABLE ROW LEVEL SECURITY;

--
-- Name: alerts; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.alerts ENABLE ROW LEVEL SECURITY;

--
-- Name: alert_rules auth_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY auth_access ON monitoring.alert_rules TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: channels auth_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY auth_access ON monitoring.channels FOR SELECT TO sg_auth USING (true);

--
-- Name: notifications auth_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY auth_access ON monitoring.notifications TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: security_events auth_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY auth_access ON monitoring.security_events FOR INSERT TO sg_auth WITH CHECK ((kind = 'schema_changed'::text));

--
-- Name: alert_rules backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.alert_rules FOR SELECT TO sg_backup USING (true);

--
-- Name: alerts backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.alerts FOR SELECT TO sg_backup USING (true);

--
-- Name: backup_state backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.backup_state FOR SELECT TO sg_backup USING (true);

--
-- Name: backups backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.backups FOR SELECT TO sg_backup USING (true);

--
-- Name: channels backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.channels FOR SELECT TO sg_backup USING (true);

--
-- Name: delivery_attempts backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.delivery_attempts FOR SELECT TO sg_backup USING (true);

--
-- Name: kpi_samples backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.kpi_samples FOR SELECT TO sg_backup USING (true);

--
-- Name: maintenance_runs backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.maintenance_runs FOR SELECT TO sg_backup USING (true);

--
-- Name: maintenance_tasks backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.maintenance_tasks FOR SELECT TO sg_backup USING (true);

--
-- Name: notifications backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.notifications FOR SELECT TO sg_backup USING (true);

--
-- Name: report_subscriptions backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.report_subscriptions FOR SELECT TO sg_backup USING (true);

--
-- Name: reports backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.reports FOR SELECT TO sg_backup USING (true);

--
-- Name: routes backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.routes FOR SELECT TO sg_backup USING (true);

--
-- Name: security_events backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.security_events FOR SELECT TO sg_backup USING (true);

--
-- Name: silences backup_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY backup_access ON monitoring.silences FOR SELECT TO sg_backup USING (true);

--
-- Name: backup_state; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.backup_state ENABLE ROW LEVEL SECURITY;

--
-- Name: backups; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.backups ENABLE ROW LEVEL SECURITY;

--
-- Name: channels; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.channels ENABLE ROW LEVEL SECURITY;

--
-- Name: delivery_attempts; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.delivery_attempts ENABLE ROW LEVEL SECURITY;

--
-- Name: kpi_samples; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.kpi_samples ENABLE ROW LEVEL SECURITY;

--
-- Name: maintenance_runs; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.maintenance_runs ENABLE ROW LEVEL SECURITY;

--
-- Name: maintenance_tasks; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.maintenance_tasks ENABLE ROW LEVEL SECURITY;

--
-- Name: notifications; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.notifications ENABLE ROW LEVEL SECURITY;

--
-- Name: report_subscriptions; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.report_subscriptions ENABLE ROW LEVEL SECURITY;

--
-- Name: reports; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.reports ENABLE ROW LEVEL SECURITY;

--
-- Name: routes; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.routes ENABLE ROW LEVEL SECURITY;

--
-- Name: security_events; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.security_events ENABLE ROW LEVEL SECURITY;

--
-- Name: security_events_default; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.security_events_default ENABLE ROW LEVEL SECURITY;

--
-- Name: silences; Type: ROW SECURITY; Schema: monitoring; Owner: sg_owner
--

ALTER TABLE monitoring.silences ENABLE ROW LEVEL SECURITY;

--
-- Name: alert_rules system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.alert_rules TO sg_system USING (true) WITH CHECK (true);

--
-- Name: alerts system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.alerts TO sg_system USING (true) WITH CHECK (true);

--
-- Name: backup_state system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.backup_state TO sg_system USING (true) WITH CHECK (true);

--
-- Name: backups system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.backups TO sg_system USING (true) WITH CHECK (true);

--
-- Name: channels system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.channels TO sg_system USING (true) WITH CHECK (true);

--
-- Name: delivery_attempts system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.delivery_attempts TO sg_system USING (true) WITH CHECK (true);

--
-- Name: kpi_samples system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.kpi_samples TO sg_system USING (true) WITH CHECK (true);

--
-- Name: maintenance_runs system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.maintenance_runs TO sg_system USING (true) WITH CHECK (true);

--
-- Name: maintenance_tasks system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.maintenance_tasks TO sg_system USING (true) WITH CHECK (true);

--
-- Name: notifications system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.notifications TO sg_system USING (true) WITH CHECK (true);

--
-- Name: report_subscriptions system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.report_subscriptions TO sg_system USING (true) WITH CHECK (true);

--
-- Name: reports system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.reports TO sg_system USING (true) WITH CHECK (true);

--
-- Name: routes system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.routes TO sg_system USING (true) WITH CHECK (true);

--
-- Name: security_events system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.security_events TO sg_system USING (true) WITH CHECK (true);

--
-- Name: silences system_access; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY system_access ON monitoring.silences TO sg_system USING (true) WITH CHECK (true);

--
-- Name: alert_rules tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.alert_rules TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: alerts tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.alerts TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: backup_state tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.backup_state TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: backups tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.backups TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: channels tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.channels TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: delivery_attempts tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.delivery_attempts TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: kpi_samples tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.kpi_samples TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: maintenance_runs tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.maintenance_runs TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: maintenance_tasks tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.maintenance_tasks TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: notifications tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.notifications TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: report_subscriptions tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.report_subscriptions TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: reports tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.reports TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: routes tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.routes TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: security_events tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.security_events TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: silences tenant_isolation; Type: POLICY; Schema: monitoring; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON monitoring.silences TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: correlation_episodes admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.correlation_episodes TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: correlation_matches admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.correlation_matches TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: excepted_findings admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.excepted_findings TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: exceptions admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.exceptions TO sg_admin USING (true) WITH CHECK (true);

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
-- Name: placeholders admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.placeholders TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: rule_sets admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.rule_sets TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: rule_versions admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.rule_versions TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: rules admin_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY admin_access ON threats.rules TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: correlation_episodes backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.correlation_episodes FOR SELECT TO sg_backup USING (true);

--
-- Name: correlation_matches backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.correlation_matches FOR SELECT TO sg_backup USING (true);

--
-- Name: excepted_findings backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.excepted_findings FOR SELECT TO sg_backup USING (true);

--
-- Name: exceptions backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.exceptions FOR SELECT TO sg_backup USING (true);

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
-- Name: placeholders backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.placeholders FOR SELECT TO sg_backup USING (true);

--
-- Name: rule_sets backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.rule_sets FOR SELECT TO sg_backup USING (true);

--
-- Name: rule_versions backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.rule_versions FOR SELECT TO sg_backup USING (true);

--
-- Name: rules backup_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY backup_access ON threats.rules FOR SELECT TO sg_backup USING (true);

--
-- Name: correlation_episodes; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.correlation_episodes ENABLE ROW LEVEL SECURITY;

--
-- Name: correlation_matches; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.correlation_matches ENABLE ROW LEVEL SECURITY;

--
-- Name: excepted_findings; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.excepted_findings ENABLE ROW LEVEL SECURITY;

--
-- Name: exceptions; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.exceptions ENABLE ROW LEVEL SECURITY;

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
-- Name: findings own_rows; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_rows ON threats.findings TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: incident_subjects own_rows; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_rows ON threats.incident_subjects TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: incident_timeline own_rows; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_rows ON threats.incident_timeline TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (threat_id IN ( SELECT i.threat_id
   FROM threats.incidents i)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (threat_id IN ( SELECT i.threat_id
   FROM threats.incidents i))));

--
-- Name: incidents own_rows; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_rows ON threats.incidents TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[])))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (agent_id = ANY (( SELECT agents.own_endpoints() AS own_endpoints)::uuid[]))));

--
-- Name: occurrences own_rows; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_rows ON threats.occurrences TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (finding_id IN ( SELECT f.finding_id
   FROM threats.findings f)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (finding_id IN ( SELECT f.finding_id
   FROM threats.findings f))));

--
-- Name: rule_sets own_rows; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_rows ON threats.rule_sets TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true)) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true));

--
-- Name: rule_versions own_rows; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_rows ON threats.rule_versions TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true)) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true));

--
-- Name: rules own_rows; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY own_rows ON threats.rules TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true)) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true));

--
-- Name: placeholders; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.placeholders ENABLE ROW LEVEL SECURITY;

--
-- Name: placeholders readers; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY readers ON threats.placeholders AS RESTRICTIVE TO sg_app_own, sg_app USING (( SELECT users.context_holds('rules_read'::text) AS context_holds));

--
-- Name: rule_sets readers; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY readers ON threats.rule_sets AS RESTRICTIVE TO sg_app_own, sg_app USING (( SELECT users.context_holds('rules_read'::text) AS context_holds));

--
-- Name: rule_versions readers; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY readers ON threats.rule_versions AS RESTRICTIVE TO sg_app_own, sg_app USING (( SELECT users.context_holds('rules_read'::text) AS context_holds));

--
-- Name: rules readers; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY readers ON threats.rules AS RESTRICTIVE TO sg_app_own, sg_app USING (( SELECT users.context_holds('rules_read'::text) AS context_holds));

--
-- Name: rule_sets; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.rule_sets ENABLE ROW LEVEL SECURITY;

--
-- Name: rule_versions; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.rule_versions ENABLE ROW LEVEL SECURITY;

--
-- Name: rules; Type: ROW SECURITY; Schema: threats; Owner: sg_owner
--

ALTER TABLE threats.rules ENABLE ROW LEVEL SECURITY;

--
-- Name: correlation_episodes system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.correlation_episodes TO sg_system USING (true) WITH CHECK (true);

--
-- Name: correlation_matches system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.correlation_matches TO sg_system USING (true) WITH CHECK (true);

--
-- Name: excepted_findings system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.excepted_findings TO sg_system USING (true) WITH CHECK (true);

--
-- Name: exceptions system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.exceptions TO sg_system USING (true) WITH CHECK (true);

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
-- Name: placeholders system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.placeholders TO sg_system USING (true) WITH CHECK (true);

--
-- Name: rule_sets system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.rule_sets TO sg_system USING (true) WITH CHECK (true);

--
-- Name: rule_versions system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.rule_versions TO sg_system USING (true) WITH CHECK (true);

--
-- Name: rules system_access; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY system_access ON threats.rules TO sg_system USING (true) WITH CHECK (true);

--
-- Name: correlation_episodes tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.correlation_episodes TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: correlation_matches tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.correlation_matches TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: excepted_findings tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.excepted_findings TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: exceptions tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.exceptions TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: findings tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.findings TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: incident_subjects tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.incident_subjects TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: incident_timeline tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.incident_timeline TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: incidents tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.incidents TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: occurrences tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.occurrences TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: placeholders tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.placeholders TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: rule_sets tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.rule_sets TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: rule_versions tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.rule_versions TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: rules tenant_isolation; Type: POLICY; Schema: threats; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON threats.rules TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: memberships access_from_elsewhere; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY access_from_elsewhere ON users.memberships AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK ((users.may_grant((role)::text) AND (users.home_role(user_id) IS NULL) AND users.membership_is_sound(user_id, (role)::text, expires_at, granted_by)));

--
-- Name: api_keys admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.api_keys TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: backup_codes admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.backup_codes TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: directory_syncs admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.directory_syncs TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: external_identities admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.external_identities TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: factor_policies admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.factor_policies TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: factors admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.factors TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: identity_providers admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.identity_providers TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: known_devices admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.known_devices TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: memberships admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.memberships TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: notices admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.notices TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: outgoing_mail admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.outgoing_mail TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: password_links admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.password_links TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: password_policies admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.password_policies TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: pending_sign_ins admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.pending_sign_ins TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: provider_domains admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.provider_domains TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: provisioned_group_members admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.provisioned_group_members TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: provisioned_groups admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.provisioned_groups TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: rate_limits admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.rate_limits TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: rate_usage admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.rate_usage TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: role_permissions admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.role_permissions TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: roles admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.roles TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: secrets admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.secrets TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: sessions admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.sessions TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: sign_in_challenges admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.sign_in_challenges TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: subscription_changes admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.subscription_changes TO sg_admin USING (true) WITH CHECK (true);

--
-- Name: subscriptions admin_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY admin_access ON users.subscriptions TO sg_admin USING (true) WITH CHECK (true);

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
-- Name: external_identities auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.external_identities FOR SELECT TO sg_auth USING (true);

--
-- Name: identity_providers auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.identity_providers FOR SELECT TO sg_auth USING (true);

--
-- Name: memberships auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.memberships TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: password_policies auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.password_policies TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: role_permissions auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.role_permissions TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: roles auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.roles TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: sessions auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.sessions TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: subscription_changes auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.subscription_changes FOR INSERT TO sg_auth WITH CHECK (true);

--
-- Name: subscriptions auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.subscriptions TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: tenants auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.tenants TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: users auth_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY auth_access ON users.users TO sg_auth USING (true) WITH CHECK (true);

--
-- Name: api_keys backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.api_keys FOR SELECT TO sg_backup USING (true);

--
-- Name: backup_codes backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.backup_codes FOR SELECT TO sg_backup USING (true);

--
-- Name: directory_syncs backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.directory_syncs FOR SELECT TO sg_backup USING (true);

--
-- Name: external_identities backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.external_identities FOR SELECT TO sg_backup USING (true);

--
-- Name: factor_policies backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.factor_policies FOR SELECT TO sg_backup USING (true);

--
-- Name: factors backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.factors FOR SELECT TO sg_backup USING (true);

--
-- Name: identity_providers backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.identity_providers FOR SELECT TO sg_backup USING (true);

--
-- Name: known_devices backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.known_devices FOR SELECT TO sg_backup USING (true);

--
-- Name: memberships backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.memberships FOR SELECT TO sg_backup USING (true);

--
-- Name: notices backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.notices FOR SELECT TO sg_backup USING (true);

--
-- Name: outgoing_mail backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.outgoing_mail FOR SELECT TO sg_backup USING (true);

--
-- Name: password_links backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.password_links FOR SELECT TO sg_backup USING (true);

--
-- Name: password_policies backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.password_policies FOR SELECT TO sg_backup USING (true);

--
-- Name: pending_sign_ins backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.pending_sign_ins FOR SELECT TO sg_backup USING (true);

--
-- Name: provider_domains backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.provider_domains FOR SELECT TO sg_backup USING (true);

--
-- Name: provisioned_group_members backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.provisioned_group_members FOR SELECT TO sg_backup USING (true);

--
-- Name: provisioned_groups backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.provisioned_groups FOR SELECT TO sg_backup USING (true);

--
-- Name: rate_limits backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.rate_limits FOR SELECT TO sg_backup USING (true);

--
-- Name: rate_usage backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.rate_usage FOR SELECT TO sg_backup USING (true);

--
-- Name: role_permissions backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.role_permissions FOR SELECT TO sg_backup USING (true);

--
-- Name: roles backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.roles FOR SELECT TO sg_backup USING (true);

--
-- Name: secrets backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.secrets FOR SELECT TO sg_backup USING (true);

--
-- Name: sessions backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.sessions FOR SELECT TO sg_backup USING (true);

--
-- Name: sign_in_challenges backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.sign_in_challenges FOR SELECT TO sg_backup USING (true);

--
-- Name: subscription_changes backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.subscription_changes FOR SELECT TO sg_backup USING (true);

--
-- Name: subscriptions backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.subscriptions FOR SELECT TO sg_backup USING (true);

--
-- Name: tenants backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.tenants FOR SELECT TO sg_backup USING (true);

--
-- Name: users backup_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY backup_access ON users.users FOR SELECT TO sg_backup USING (true);

--
-- Name: backup_codes; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.backup_codes ENABLE ROW LEVEL SECURITY;

--
-- Name: directory_syncs; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.directory_syncs ENABLE ROW LEVEL SECURITY;

--
-- Name: external_identities; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.external_identities ENABLE ROW LEVEL SECURITY;

--
-- Name: factor_policies; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.factor_policies ENABLE ROW LEVEL SECURITY;

--
-- Name: factors; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.factors ENABLE ROW LEVEL SECURITY;

--
-- Name: identity_providers; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.identity_providers ENABLE ROW LEVEL SECURITY;

--
-- Name: known_devices; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.known_devices ENABLE ROW LEVEL SECURITY;

--
-- Name: users member_visibility; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY member_visibility ON users.users FOR SELECT TO sg_app USING ((user_id = ANY (( SELECT users.list_guests() AS list_guests)::uuid[])));

--
-- Name: memberships; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.memberships ENABLE ROW LEVEL SECURITY;

--
-- Name: factor_policies no_higher_role; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role ON users.factor_policies AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK (users.may_grant((role)::text));

--
-- Name: memberships no_higher_role; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role ON users.memberships AS RESTRICTIVE FOR UPDATE TO sg_app_own, sg_app USING (users.is_role_within_own((role)::text)) WITH CHECK ((users.may_grant((role)::text) AND users.membership_is_sound(user_id, (role)::text, expires_at, granted_by)));

--
-- Name: users no_higher_role; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role ON users.users AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK (users.may_grant((role)::text));

--
-- Name: factor_policies no_higher_role_by_update; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role_by_update ON users.factor_policies AS RESTRICTIVE FOR UPDATE TO sg_app_own, sg_app USING (users.may_grant((role)::text)) WITH CHECK (users.may_grant((role)::text));

--
-- Name: users no_higher_role_by_update; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role_by_update ON users.users AS RESTRICTIVE FOR UPDATE TO sg_app_own, sg_app USING (users.is_role_within_own((role)::text)) WITH CHECK (users.may_grant((role)::text));

--
-- Name: factor_policies no_higher_role_goes; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role_goes ON users.factor_policies AS RESTRICTIVE FOR DELETE TO sg_app_own, sg_app USING (users.may_grant((role)::text));

--
-- Name: role_permissions no_higher_role_goes; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role_goes ON users.role_permissions AS RESTRICTIVE FOR DELETE TO sg_app_own, sg_app USING (users.may_grant((role)::text));

--
-- Name: roles no_higher_role_goes; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_higher_role_goes ON users.roles AS RESTRICTIVE FOR DELETE TO sg_app_own, sg_app USING (users.may_grant((role)::text));

--
-- Name: role_permissions no_wider_role; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_wider_role ON users.role_permissions AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK ((users.may_grant((role)::text) AND users.context_holds((permission)::text)));

--
-- Name: roles no_wider_role; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_wider_role ON users.roles AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK (users.may_define_role((based_on)::text, (scope)::text));

--
-- Name: roles no_wider_role_by_update; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY no_wider_role_by_update ON users.roles AS RESTRICTIVE FOR UPDATE TO sg_app_own, sg_app USING (users.is_role_within_own((role)::text)) WITH CHECK (users.may_define_role((based_on)::text, (scope)::text));

--
-- Name: notices; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.notices ENABLE ROW LEVEL SECURITY;

--
-- Name: outgoing_mail; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.outgoing_mail ENABLE ROW LEVEL SECURITY;

--
-- Name: api_keys own_keys_only; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_keys_only ON users.api_keys AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK ((user_id = ( SELECT users.current_user_id() AS current_user_id)));

--
-- Name: rate_limits own_kinds; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_kinds ON users.rate_limits AS RESTRICTIVE FOR INSERT TO sg_app_own, sg_app WITH CHECK ((subject_kind = ANY (ARRAY['user'::text, 'key'::text])));

--
-- Name: rate_limits own_kinds_by_delete; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_kinds_by_delete ON users.rate_limits AS RESTRICTIVE FOR DELETE TO sg_app_own, sg_app USING ((subject_kind = ANY (ARRAY['user'::text, 'key'::text])));

--
-- Name: rate_limits own_kinds_by_update; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_kinds_by_update ON users.rate_limits AS RESTRICTIVE FOR UPDATE TO sg_app_own, sg_app USING ((subject_kind = ANY (ARRAY['user'::text, 'key'::text]))) WITH CHECK ((subject_kind = ANY (ARRAY['user'::text, 'key'::text])));

--
-- Name: api_keys own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.api_keys TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: external_identities own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.external_identities TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: memberships own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.memberships TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: outgoing_mail own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.outgoing_mail TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: password_policies own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.password_policies TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true)) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true));

--
-- Name: provisioned_group_members own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.provisioned_group_members TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: role_permissions own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.role_permissions TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true)) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true));

--
-- Name: roles own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.roles TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true)) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true));

--
-- Name: secrets own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.secrets TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: sessions own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.sessions TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: tenants own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.tenants TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true)) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND true));

--
-- Name: users own_rows; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_rows ON users.users TO sg_app_own USING (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id)))) WITH CHECK (((tenant_id = ( SELECT users.current_tenant() AS current_tenant)) AND (user_id = ( SELECT users.current_user_id() AS current_user_id))));

--
-- Name: users own_visibility; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY own_visibility ON users.users FOR SELECT TO sg_app_own USING ((user_id = ( SELECT users.current_user_id() AS current_user_id)));

--
-- Name: password_links; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.password_links ENABLE ROW LEVEL SECURITY;

--
-- Name: password_policies; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.password_policies ENABLE ROW LEVEL SECURITY;

--
-- Name: pending_sign_ins; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.pending_sign_ins ENABLE ROW LEVEL SECURITY;

--
-- Name: provider_domains; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.provider_domains ENABLE ROW LEVEL SECURITY;

--
-- Name: provisioned_group_members; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.provisioned_group_members ENABLE ROW LEVEL SECURITY;

--
-- Name: provisioned_groups; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.provisioned_groups ENABLE ROW LEVEL SECURITY;

--
-- Name: rate_limits; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.rate_limits ENABLE ROW LEVEL SECURITY;

--
-- Name: rate_usage; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.rate_usage ENABLE ROW LEVEL SECURITY;

--
-- Name: role_permissions; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.role_permissions ENABLE ROW LEVEL SECURITY;

--
-- Name: roles; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.roles ENABLE ROW LEVEL SECURITY;

--
-- Name: secrets; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.secrets ENABLE ROW LEVEL SECURITY;

--
-- Name: sessions; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.sessions ENABLE ROW LEVEL SECURITY;

--
-- Name: sign_in_challenges; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.sign_in_challenges ENABLE ROW LEVEL SECURITY;

--
-- Name: subscription_changes; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.subscription_changes ENABLE ROW LEVEL SECURITY;

--
-- Name: subscriptions; Type: ROW SECURITY; Schema: users; Owner: sg_owner
--

ALTER TABLE users.subscriptions ENABLE ROW LEVEL SECURITY;

--
-- Name: api_keys system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.api_keys TO sg_system USING (true) WITH CHECK (true);

--
-- Name: backup_codes system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.backup_codes TO sg_system USING (true) WITH CHECK (true);

--
-- Name: directory_syncs system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.directory_syncs TO sg_system USING (true) WITH CHECK (true);

--
-- Name: external_identities system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.external_identities TO sg_system USING (true) WITH CHECK (true);

--
-- Name: factor_policies system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.factor_policies TO sg_system USING (true) WITH CHECK (true);

--
-- Name: factors system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.factors TO sg_system USING (true) WITH CHECK (true);

--
-- Name: identity_providers system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.identity_providers TO sg_system USING (true) WITH CHECK (true);

--
-- Name: known_devices system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.known_devices TO sg_system USING (true) WITH CHECK (true);

--
-- Name: memberships system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.memberships TO sg_system USING (true) WITH CHECK (true);

--
-- Name: notices system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.notices TO sg_system USING (true) WITH CHECK (true);

--
-- Name: outgoing_mail system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.outgoing_mail TO sg_system USING (true) WITH CHECK (true);

--
-- Name: password_links system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.password_links TO sg_system USING (true) WITH CHECK (true);

--
-- Name: password_policies system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.password_policies TO sg_system USING (true) WITH CHECK (true);

--
-- Name: pending_sign_ins system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.pending_sign_ins TO sg_system USING (true) WITH CHECK (true);

--
-- Name: provider_domains system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.provider_domains TO sg_system USING (true) WITH CHECK (true);

--
-- Name: provisioned_group_members system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.provisioned_group_members TO sg_system USING (true) WITH CHECK (true);

--
-- Name: provisioned_groups system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.provisioned_groups TO sg_system USING (true) WITH CHECK (true);

--
-- Name: rate_limits system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.rate_limits TO sg_system USING (true) WITH CHECK (true);

--
-- Name: rate_usage system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.rate_usage TO sg_system USING (true) WITH CHECK (true);

--
-- Name: role_permissions system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.role_permissions TO sg_system USING (true) WITH CHECK (true);

--
-- Name: roles system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.roles TO sg_system USING (true) WITH CHECK (true);

--
-- Name: secrets system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.secrets TO sg_system USING (true) WITH CHECK (true);

--
-- Name: sessions system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.sessions TO sg_system USING (true) WITH CHECK (true);

--
-- Name: sign_in_challenges system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.sign_in_challenges TO sg_system USING (true) WITH CHECK (true);

--
-- Name: subscription_changes system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.subscription_changes TO sg_system USING (true) WITH CHECK (true);

--
-- Name: subscriptions system_access; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY system_access ON users.subscriptions TO sg_system USING (true) WITH CHECK (true);

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

CREATE POLICY tenant_isolation ON users.api_keys TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: backup_codes tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.backup_codes TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: directory_syncs tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.directory_syncs TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: external_identities tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.external_identities TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: factor_policies tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.factor_policies TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: factors tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.factors TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: identity_providers tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.identity_providers TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: known_devices tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.known_devices TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: memberships tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.memberships TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: notices tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.notices TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: outgoing_mail tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.outgoing_mail TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: password_links tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.password_links TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: password_policies tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.password_policies TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: pending_sign_ins tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.pending_sign_ins TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: provider_domains tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.provider_domains TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: provisioned_group_members tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.provisioned_group_members TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: provisioned_groups tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.provisioned_groups TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: rate_limits tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.rate_limits TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: rate_usage tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.rate_usage TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: role_permissions tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.role_permissions TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: roles tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.roles TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: secrets tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.secrets TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: sessions tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.sessions TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: sign_in_challenges tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.sign_in_challenges TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: subscription_changes tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.subscription_changes TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: subscriptions tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.subscriptions TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: tenants tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.tenants TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: users tenant_isolation; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_isolation ON users.users TO sg_app USING ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))) WITH CHECK ((tenant_id = ( SELECT users.whole_tenant() AS whole_tenant)));

--
-- Name: password_policies tenant_scope_only; Type: POLICY; Schema: users; Owner: sg_owner
--

CREATE POLICY tenant_scope_only ON users.password_policies AS RESTRICTIVE FOR UPDATE TO sg_app_own, sg_app USING ((( SELECT users.current_scope() AS current_scope) = 'tenant'::text));

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
GRANT USAGE ON SCHEMA agents TO sg_app_own;

--
-- Name: SCHEMA audit; Type: ACL; Schema: -; Owner: sg_owner
--

GRANT USAGE ON SCHEMA audit TO sg_app;
GRANT USAGE ON SCHEMA audit TO sg_auth;
GRANT USAGE ON SCHEMA audit TO sg_system;
GRANT USAGE ON SCHEMA audit TO sg_admin;
GRANT USAGE ON SCHEMA audit TO sg_backup;
GRANT USAGE ON SCHEMA audit TO sg_monitor;
GRANT USAGE ON SCHEMA audit TO sg_app_own;

--
-- Name: SCHEMA monitoring; Type: ACL; Schema: -; Owner: sg_owner
--

GRANT USAGE ON SCHEMA monitoring TO sg_app;
GRANT USAGE ON SCHEMA monitoring TO sg_auth;
GRANT USAGE ON SCHEMA monitoring TO sg_system;
GRANT USAGE ON SCHEMA monitoring TO sg_admin;
GRANT USAGE ON SCHEMA monitoring TO sg_backup;
GRANT USAGE ON SCHEMA monitoring TO sg_monitor;
GRANT USAGE ON SCHEMA monitoring TO sg_app_own;

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
GRANT USAGE ON SCHEMA threats TO sg_app_own;

--
-- Name: SCHEMA users; Type: ACL; Schema: -; Owner: sg_owner
--

GRANT USAGE ON SCHEMA users TO sg_app;
GRANT USAGE ON SCHEMA users TO sg_auth;
GRANT USAGE ON SCHEMA users TO sg_system;
GRANT USAGE ON SCHEMA users TO sg_admin;
GRANT USAGE ON SCHEMA users TO sg_backup;
GRANT USAGE ON SCHEMA users TO sg_monitor;
GRANT USAGE ON SCHEMA users TO sg_app_own;

--
-- Name: FUNCTION backfill_rollups(); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.backfill_rollups() FROM PUBLIC;
GRANT ALL ON FUNCTION agents.backfill_rollups() TO sg_system;

--
-- Name: FUNCTION begin_heartbeat(); Type: ACL; Schema: agents; Owner: sg_auth
--

REVOKE ALL ON FUNCTION agents.begin_heartbeat() FROM PUBLIC;
GRANT ALL ON FUNCTION agents.begin_heartbeat() TO sg_owner;

--
-- Name: FUNCTION command_is_dangerous(p_kind text); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.command_is_dangerous(p_kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.command_is_dangerous(p_kind text) TO sg_app;
GRANT ALL ON FUNCTION agents.command_is_dangerous(p_kind text) TO sg_system;
GRANT ALL ON FUNCTION agents.command_is_dangerous(p_kind text) TO sg_admin;
GRANT ALL ON FUNCTION agents.command_is_dangerous(p_kind text) TO sg_auth;
GRANT ALL ON FUNCTION agents.command_is_dangerous(p_kind text) TO sg_app_own;

--
-- Name: FUNCTION command_may_become(p_from text, p_to text); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.command_may_become(p_from text, p_to text) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.command_may_become(p_from text, p_to text) TO sg_app;
GRANT ALL ON FUNCTION agents.command_may_become(p_from text, p_to text) TO sg_system;
GRANT ALL ON FUNCTION agents.command_may_become(p_from text, p_to text) TO sg_admin;
GRANT ALL ON FUNCTION agents.command_may_become(p_from text, p_to text) TO sg_auth;
GRANT ALL ON FUNCTION agents.command_may_become(p_from text, p_to text) TO sg_app_own;

--
-- Name: FUNCTION create_partition(p_parent text, p_period text, p_day date); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.create_partition(p_parent text, p_period text, p_day date) FROM PUBLIC;

--
-- Name: FUNCTION drop_expired_partitions(p_at timestamp with time zone, p_limit integer); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.drop_expired_partitions(p_at timestamp with time zone, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.drop_expired_partitions(p_at timestamp with time zone, p_limit integer) TO sg_system;

--
-- Name: FUNCTION ensure_partition_of(p_parent text, p_at timestamp with time zone); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.ensure_partition_of(p_parent text, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.ensure_partition_of(p_parent text, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION ensure_partitions(p_at timestamp with time zone, p_ahead integer, p_limit integer); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.ensure_partitions(p_at timestamp with time zone, p_ahead integer, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.ensure_partitions(p_at timestamp with time zone, p_ahead integer, p_limit integer) TO sg_system;

--
-- Name: FUNCTION guard_command(); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.guard_command() FROM PUBLIC;

--
-- Name: FUNCTION guard_command_result(); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.guard_command_result() FROM PUBLIC;

--
-- Name: FUNCTION guard_legal_hold(); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.guard_legal_hold() FROM PUBLIC;

--
-- Name: FUNCTION hold_condition(p_alias text, p_time_column text, p_has_agent boolean); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.hold_condition(p_alias text, p_time_column text, p_has_agent boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.hold_condition(p_alias text, p_time_column text, p_has_agent boolean) TO sg_system;

--
-- Name: FUNCTION list_default_rows(); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.list_default_rows() FROM PUBLIC;
GRANT ALL ON FUNCTION agents.list_default_rows() TO sg_system;
GRANT ALL ON FUNCTION agents.list_default_rows() TO sg_admin;

--
-- Name: FUNCTION list_expired_partitions(p_at timestamp with time zone); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.list_expired_partitions(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.list_expired_partitions(p_at timestamp with time zone) TO sg_system;
GRANT ALL ON FUNCTION agents.list_expired_partitions(p_at timestamp with time zone) TO sg_admin;

--
-- Name: FUNCTION list_partitions_ahead(p_at timestamp with time zone); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.list_partitions_ahead(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.list_partitions_ahead(p_at timestamp with time zone) TO sg_system;
GRANT ALL ON FUNCTION agents.list_partitions_ahead(p_at timestamp with time zone) TO sg_admin;

--
-- Name: FUNCTION look_again(); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.look_again() FROM PUBLIC;
GRANT ALL ON FUNCTION agents.look_again() TO sg_system;
GRANT ALL ON FUNCTION agents.look_again() TO sg_admin;

--
-- Name: FUNCTION move_held_rows(p_at timestamp with time zone); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.move_held_rows(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.move_held_rows(p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION note_hours_to_roll_up(); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.note_hours_to_roll_up() FROM PUBLIC;

--
-- Name: FUNCTION own_endpoints(); Type: ACL; Schema: agents; Owner: sg_auth
--

REVOKE ALL ON FUNCTION agents.own_endpoints() FROM PUBLIC;
GRANT ALL ON FUNCTION agents.own_endpoints() TO sg_app;
GRANT ALL ON FUNCTION agents.own_endpoints() TO sg_app_own;

--
-- Name: FUNCTION partition_bounds(p_parent text); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.partition_bounds(p_parent text) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.partition_bounds(p_parent text) TO sg_system;
GRANT ALL ON FUNCTION agents.partition_bounds(p_parent text) TO sg_admin;

--
-- Name: FUNCTION partition_column(p_parent text); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.partition_column(p_parent text) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.partition_column(p_parent text) TO sg_system;
GRANT ALL ON FUNCTION agents.partition_column(p_parent text) TO sg_admin;

--
-- Name: FUNCTION partition_holes(p_parent text); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.partition_holes(p_parent text) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.partition_holes(p_parent text) TO sg_system;
GRANT ALL ON FUNCTION agents.partition_holes(p_parent text) TO sg_admin;

--
-- Name: FUNCTION roll_up(p_at timestamp with time zone, p_limit integer); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.roll_up(p_at timestamp with time zone, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.roll_up(p_at timestamp with time zone, p_limit integer) TO sg_system;

--
-- Name: FUNCTION server_endpoint(p_tenant_id uuid, p_at timestamp with time zone); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.server_endpoint(p_tenant_id uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agents.server_endpoint(p_tenant_id uuid, p_at timestamp with time zone) TO sg_system;
GRANT ALL ON FUNCTION agents.server_endpoint(p_tenant_id uuid, p_at timestamp with time zone) TO sg_admin;

--
-- Name: FUNCTION watch_for_endpoints(); Type: ACL; Schema: agents; Owner: sg_owner
--

REVOKE ALL ON FUNCTION agents.watch_for_endpoints() FROM PUBLIC;
GRANT ALL ON FUNCTION agents.watch_for_endpoints() TO sg_system;
GRANT ALL ON FUNCTION agents.watch_for_endpoints() TO sg_admin;

--
-- Name: FUNCTION drop_partition(p_partition text, p_at timestamp with time zone); Type: ACL; Schema: audit; Owner: sg_owner
--

REVOKE ALL ON FUNCTION audit.drop_partition(p_partition text, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.drop_partition(p_partition text, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION erase_rows(p_tenant_id uuid, p_record_id uuid, p_limit integer); Type: ACL; Schema: audit; Owner: sg_auth
--

REVOKE ALL ON FUNCTION audit.erase_rows(p_tenant_id uuid, p_record_id uuid, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.erase_rows(p_tenant_id uuid, p_record_id uuid, p_limit integer) TO sg_system;

--
-- Name: FUNCTION record_row_change(); Type: ACL; Schema: audit; Owner: sg_auth
--

REVOKE ALL ON FUNCTION audit.record_row_change() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.record_row_change() TO sg_owner;

--
-- Name: FUNCTION refuse_change(); Type: ACL; Schema: audit; Owner: sg_owner
--

REVOKE ALL ON FUNCTION audit.refuse_change() FROM PUBLIC;

--
-- Name: FUNCTION seal_chain_record(); Type: ACL; Schema: audit; Owner: sg_auth
--

REVOKE ALL ON FUNCTION audit.seal_chain_record() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.seal_chain_record() TO sg_owner;

--
-- Name: FUNCTION seal_event(); Type: ACL; Schema: audit; Owner: sg_auth
--

REVOKE ALL ON FUNCTION audit.seal_event() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.seal_event() TO sg_owner;

--
-- Name: FUNCTION seal_login_attempt(); Type: ACL; Schema: audit; Owner: sg_auth
--

REVOKE ALL ON FUNCTION audit.seal_login_attempt() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.seal_login_attempt() TO sg_owner;

--
-- Name: FUNCTION seal_row_change(); Type: ACL; Schema: audit; Owner: sg_auth
--

REVOKE ALL ON FUNCTION audit.seal_row_change() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.seal_row_change() TO sg_owner;

--
-- Name: FUNCTION analyze_table(p_table text); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.analyze_table(p_table text) FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.analyze_table(p_table text) TO sg_system;

--
-- Name: FUNCTION clear_alert(p_tenant uuid, p_kind text, p_subject text, p_at timestamp with time zone); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.clear_alert(p_tenant uuid, p_kind text, p_subject text, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.clear_alert(p_tenant uuid, p_kind text, p_subject text, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION create_default_rules(p_tenant uuid); Type: ACL; Schema: monitoring; Owner: sg_auth
--

REVOKE ALL ON FUNCTION monitoring.create_default_rules(p_tenant uuid) FROM PUBLIC;

--
-- Name: FUNCTION create_default_rules_of_tenant(); Type: ACL; Schema: monitoring; Owner: sg_auth
--

REVOKE ALL ON FUNCTION monitoring.create_default_rules_of_tenant() FROM PUBLIC;

--
-- Name: FUNCTION enqueue_notification(p_tenant uuid, p_cause text, p_threat uuid, p_alert uuid, p_agent uuid, p_severity text, p_rules text[], p_tags text[], p_subject text, p_key text, p_at timestamp with time zone); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.enqueue_notification(p_tenant uuid, p_cause text, p_threat uuid, p_alert uuid, p_agent uuid, p_severity text, p_rules text[], p_tags text[], p_subject text, p_key text, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.enqueue_notification(p_tenant uuid, p_cause text, p_threat uuid, p_alert uuid, p_agent uuid, p_severity text, p_rules text[], p_tags text[], p_subject text, p_key text, p_at timestamp with time zone) TO sg_system;
GRANT ALL ON FUNCTION monitoring.enqueue_notification(p_tenant uuid, p_cause text, p_threat uuid, p_alert uuid, p_agent uuid, p_severity text, p_rules text[], p_tags text[], p_subject text, p_key text, p_at timestamp with time zone) TO sg_admin;

--
-- Name: FUNCTION evaluate_rules(p_at timestamp with time zone); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.evaluate_rules(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.evaluate_rules(p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION is_silenced(p_tenant uuid, p_rules text[], p_agent uuid, p_severity text, p_at timestamp with time zone); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.is_silenced(p_tenant uuid, p_rules text[], p_agent uuid, p_severity text, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.is_silenced(p_tenant uuid, p_rules text[], p_agent uuid, p_severity text, p_at timestamp with time zone) TO sg_system;
GRANT ALL ON FUNCTION monitoring.is_silenced(p_tenant uuid, p_rules text[], p_agent uuid, p_severity text, p_at timestamp with time zone) TO sg_admin;

--
-- Name: FUNCTION list_report_readers(p_tenant uuid, p_kind text, p_findings integer, p_at timestamp with time zone); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.list_report_readers(p_tenant uuid, p_kind text, p_findings integer, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.list_report_readers(p_tenant uuid, p_kind text, p_findings integer, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION list_sessions(); Type: ACL; Schema: monitoring; Owner: sg_auth
--

REVOKE ALL ON FUNCTION monitoring.list_sessions() FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.list_sessions() TO sg_system;

--
-- Name: FUNCTION list_standbys(); Type: ACL; Schema: monitoring; Owner: sg_auth
--

REVOKE ALL ON FUNCTION monitoring.list_standbys() FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.list_standbys() TO sg_system;

--
-- Name: FUNCTION measure(p_at timestamp with time zone); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.measure(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.measure(p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION note_schema_change(); Type: ACL; Schema: monitoring; Owner: sg_auth
--

REVOKE ALL ON FUNCTION monitoring.note_schema_change() FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.note_schema_change() TO sg_owner;

--
-- Name: FUNCTION notify_of_alert(); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.notify_of_alert() FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.notify_of_alert() TO sg_system;
GRANT ALL ON FUNCTION monitoring.notify_of_alert() TO sg_admin;

--
-- Name: FUNCTION notify_of_reopening(); Type: ACL; Schema: monitoring; Owner: sg_auth
--

REVOKE ALL ON FUNCTION monitoring.notify_of_reopening() FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.notify_of_reopening() TO sg_owner;

--
-- Name: FUNCTION raise_alert(p_tenant uuid, p_kind text, p_subject text, p_value numeric, p_at timestamp with time zone); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.raise_alert(p_tenant uuid, p_kind text, p_subject text, p_value numeric, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.raise_alert(p_tenant uuid, p_kind text, p_subject text, p_value numeric, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION severity_rank(p_severity text); Type: ACL; Schema: monitoring; Owner: sg_owner
--

REVOKE ALL ON FUNCTION monitoring.severity_rank(p_severity text) FROM PUBLIC;
GRANT ALL ON FUNCTION monitoring.severity_rank(p_severity text) TO sg_system;
GRANT ALL ON FUNCTION monitoring.severity_rank(p_severity text) TO sg_admin;

--
-- Name: FUNCTION pg_backup_start(label text, fast boolean); Type: ACL; Schema: pg_catalog; Owner: postgres
--

GRANT ALL ON FUNCTION pg_catalog.pg_backup_start(label text, fast boolean) TO sg_backup;

--
-- Name: FUNCTION pg_backup_stop(wait_for_archive boolean, OUT lsn pg_lsn, OUT labelfile text, OUT spcmapfile text); Type: ACL; Schema: pg_catalog; Owner: postgres
--

GRANT ALL ON FUNCTION pg_catalog.pg_backup_stop(wait_for_archive boolean, OUT lsn pg_lsn, OUT labelfile text, OUT spcmapfile text) TO sg_backup;

--
-- Name: FUNCTION pg_create_restore_point(text); Type: ACL; Schema: pg_catalog; Owner: postgres
--

GRANT ALL ON FUNCTION pg_catalog.pg_create_restore_point(text) TO sg_backup;

--
-- Name: FUNCTION pg_switch_wal(); Type: ACL; Schema: pg_catalog; Owner: postgres
--

GRANT ALL ON FUNCTION pg_catalog.pg_switch_wal() TO sg_backup;
GRANT ALL ON FUNCTION pg_catalog.pg_switch_wal() TO sg_system;

--
-- Name: FUNCTION excepts(p_conditions jsonb, p_subject jsonb); Type: ACL; Schema: threats; Owner: sg_owner
--

REVOKE ALL ON FUNCTION threats.excepts(p_conditions jsonb, p_subject jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION threats.excepts(p_conditions jsonb, p_subject jsonb) TO sg_app;
GRANT ALL ON FUNCTION threats.excepts(p_conditions jsonb, p_subject jsonb) TO sg_system;
GRANT ALL ON FUNCTION threats.excepts(p_conditions jsonb, p_subject jsonb) TO sg_admin;
GRANT ALL ON FUNCTION threats.excepts(p_conditions jsonb, p_subject jsonb) TO sg_app_own;

--
-- Name: FUNCTION advance_subscriptions(p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.advance_subscriptions(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.advance_subscriptions(p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION apply_retention(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.apply_retention() FROM PUBLIC;

--
-- Name: FUNCTION authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_app;
GRANT ALL ON FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_system;
GRANT ALL ON FUNCTION users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_app_own;

--
-- Name: FUNCTION begin_login_attempt(p_username text, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.begin_login_attempt(p_username text, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.begin_login_attempt(p_username text, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION begin_password_attempt(p_username text, p_device_hash bytea, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.begin_password_attempt(p_username text, p_device_hash bytea, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.begin_password_attempt(p_username text, p_device_hash bytea, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION check_subscription(p_tenant uuid, p_resource text, p_added bigint); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.check_subscription(p_tenant uuid, p_resource text, p_added bigint) FROM PUBLIC;

--
-- Name: FUNCTION complete_login(p_user_id uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.complete_login(p_user_id uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.complete_login(p_user_id uuid, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION complete_password_attempt(p_user_id uuid, p_device_id uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.complete_password_attempt(p_user_id uuid, p_device_id uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.complete_password_attempt(p_user_id uuid, p_device_id uuid, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION context_holds(p_permission text); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.context_holds(p_permission text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.context_holds(p_permission text) TO sg_app;
GRANT ALL ON FUNCTION users.context_holds(p_permission text) TO sg_app_own;

--
-- Name: FUNCTION context_mac(p_claims text); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.context_mac(p_claims text) FROM PUBLIC;

--
-- Name: FUNCTION create_default_policy(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.create_default_policy() FROM PUBLIC;

--
-- Name: FUNCTION create_default_subscription(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.create_default_subscription() FROM PUBLIC;

--
-- Name: FUNCTION create_documented_roles(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.create_documented_roles() FROM PUBLIC;

--
-- Name: FUNCTION current_member_role(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.current_member_role() FROM PUBLIC;
GRANT ALL ON FUNCTION users.current_member_role() TO sg_app;
GRANT ALL ON FUNCTION users.current_member_role() TO sg_system;
GRANT ALL ON FUNCTION users.current_member_role() TO sg_admin;
GRANT ALL ON FUNCTION users.current_member_role() TO sg_app_own;

--
-- Name: FUNCTION current_retention_class(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.current_retention_class() FROM PUBLIC;
GRANT ALL ON FUNCTION users.current_retention_class() TO sg_app;
GRANT ALL ON FUNCTION users.current_retention_class() TO sg_system;
GRANT ALL ON FUNCTION users.current_retention_class() TO sg_admin;
GRANT ALL ON FUNCTION users.current_retention_class() TO sg_app_own;

--
-- Name: FUNCTION current_scope(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.current_scope() FROM PUBLIC;
GRANT ALL ON FUNCTION users.current_scope() TO sg_app;
GRANT ALL ON FUNCTION users.current_scope() TO sg_system;
GRANT ALL ON FUNCTION users.current_scope() TO sg_admin;
GRANT ALL ON FUNCTION users.current_scope() TO sg_app_own;

--
-- Name: FUNCTION current_tenant(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.current_tenant() FROM PUBLIC;
GRANT ALL ON FUNCTION users.current_tenant() TO sg_app;
GRANT ALL ON FUNCTION users.current_tenant() TO sg_system;
GRANT ALL ON FUNCTION users.current_tenant() TO sg_admin;
GRANT ALL ON FUNCTION users.current_tenant() TO sg_app_own;

--
-- Name: FUNCTION current_user_id(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.current_user_id() FROM PUBLIC;
GRANT ALL ON FUNCTION users.current_user_id() TO sg_app;
GRANT ALL ON FUNCTION users.current_user_id() TO sg_system;
GRANT ALL ON FUNCTION users.current_user_id() TO sg_admin;
GRANT ALL ON FUNCTION users.current_user_id() TO sg_app_own;

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
-- Name: FUNCTION enforce_subscription(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.enforce_subscription() FROM PUBLIC;

--
-- Name: FUNCTION find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION find_grantee(p_username text); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.find_grantee(p_username text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.find_grantee(p_username text) TO sg_app;
GRANT ALL ON FUNCTION users.find_grantee(p_username text) TO sg_app_own;

--
-- Name: FUNCTION guard_role(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.guard_role() FROM PUBLIC;

--
-- Name: FUNCTION guard_role_permission(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.guard_role_permission() FROM PUBLIC;

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
-- Name: FUNCTION has_directory(p_user_id uuid); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.has_directory(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION users.has_directory(p_user_id uuid) TO sg_system;

--
-- Name: FUNCTION home_role(p_user uuid); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.home_role(p_user uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION users.home_role(p_user uuid) TO sg_app;
GRANT ALL ON FUNCTION users.home_role(p_user uuid) TO sg_app_own;

--
-- Name: FUNCTION is_role_within_own(p_role text); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.is_role_within_own(p_role text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.is_role_within_own(p_role text) TO sg_app;
GRANT ALL ON FUNCTION users.is_role_within_own(p_role text) TO sg_app_own;

--
-- Name: FUNCTION is_within_own(p_based_on text, p_scope text); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.is_within_own(p_based_on text, p_scope text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.is_within_own(p_based_on text, p_scope text) TO sg_app;
GRANT ALL ON FUNCTION users.is_within_own(p_based_on text, p_scope text) TO sg_app_own;

--
-- Name: FUNCTION keep_home_membership(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.keep_home_membership() FROM PUBLIC;

--
-- Name: FUNCTION keep_key_ended(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.keep_key_ended() FROM PUBLIC;

--
-- Name: FUNCTION list_default_rate_limits(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.list_default_rate_limits() FROM PUBLIC;
GRANT ALL ON FUNCTION users.list_default_rate_limits() TO sg_app;
GRANT ALL ON FUNCTION users.list_default_rate_limits() TO sg_app_own;

--
-- Name: FUNCTION list_guests(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.list_guests() FROM PUBLIC;
GRANT ALL ON FUNCTION users.list_guests() TO sg_app;
GRANT ALL ON FUNCTION users.list_guests() TO sg_app_own;

--
-- Name: FUNCTION list_own_tenants(p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.list_own_tenants(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.list_own_tenants(p_at timestamp with time zone) TO sg_app;
GRANT ALL ON FUNCTION users.list_own_tenants(p_at timestamp with time zone) TO sg_app_own;

--
-- Name: FUNCTION may_define_role(p_based_on text, p_scope text); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.may_define_role(p_based_on text, p_scope text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.may_define_role(p_based_on text, p_scope text) TO sg_app;
GRANT ALL ON FUNCTION users.may_define_role(p_based_on text, p_scope text) TO sg_app_own;

--
-- Name: FUNCTION may_grant(p_role text); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.may_grant(p_role text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.may_grant(p_role text) TO sg_app;
GRANT ALL ON FUNCTION users.may_grant(p_role text) TO sg_app_own;

--
-- Name: FUNCTION membership_is_sound(p_user uuid, p_role text, p_expires_at timestamp with time zone, p_granted_by uuid); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.membership_is_sound(p_user uuid, p_role text, p_expires_at timestamp with time zone, p_granted_by uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION users.membership_is_sound(p_user uuid, p_role text, p_expires_at timestamp with time zone, p_granted_by uuid) TO sg_app;
GRANT ALL ON FUNCTION users.membership_is_sound(p_user uuid, p_role text, p_expires_at timestamp with time zone, p_granted_by uuid) TO sg_app_own;

--
-- Name: FUNCTION open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_app;
GRANT ALL ON FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_admin;
GRANT ALL ON FUNCTION users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamp with time zone) TO sg_app_own;

--
-- Name: FUNCTION own_password_expiry(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.own_password_expiry() FROM PUBLIC;
GRANT ALL ON FUNCTION users.own_password_expiry() TO sg_app;
GRANT ALL ON FUNCTION users.own_password_expiry() TO sg_app_own;

--
-- Name: FUNCTION own_subscription(p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.own_subscription(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.own_subscription(p_at timestamp with time zone) TO sg_app;
GRANT ALL ON FUNCTION users.own_subscription(p_at timestamp with time zone) TO sg_app_own;

--
-- Name: FUNCTION record_plan_change(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.record_plan_change() FROM PUBLIC;

--
-- Name: FUNCTION record_subscription(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.record_subscription() FROM PUBLIC;

--
-- Name: FUNCTION refuse_borrowed_name(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.refuse_borrowed_name() FROM PUBLIC;
GRANT ALL ON FUNCTION users.refuse_borrowed_name() TO sg_owner;

--
-- Name: FUNCTION refuse_loose_function(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.refuse_loose_function() FROM PUBLIC;

--
-- Name: FUNCTION reserve_requests(p_kind text, p_subject text, p_tenant uuid, p_window timestamp with time zone, p_spent bigint, p_served bigint, p_refused bigint, p_reserve boolean); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.reserve_requests(p_kind text, p_subject text, p_tenant uuid, p_window timestamp with time zone, p_spent bigint, p_served bigint, p_refused bigint, p_reserve boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION users.reserve_requests(p_kind text, p_subject text, p_tenant uuid, p_window timestamp with time zone, p_spent bigint, p_served bigint, p_refused bigint, p_reserve boolean) TO sg_system;

--
-- Name: FUNCTION role_rank(p_role text); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.role_rank(p_role text) FROM PUBLIC;
GRANT ALL ON FUNCTION users.role_rank(p_role text) TO sg_app;
GRANT ALL ON FUNCTION users.role_rank(p_role text) TO sg_system;
GRANT ALL ON FUNCTION users.role_rank(p_role text) TO sg_admin;
GRANT ALL ON FUNCTION users.role_rank(p_role text) TO sg_auth;
GRANT ALL ON FUNCTION users.role_rank(p_role text) TO sg_app_own;

--
-- Name: FUNCTION rotate_context_key(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.rotate_context_key() FROM PUBLIC;

--
-- Name: FUNCTION sees_whole_tenant(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.sees_whole_tenant() FROM PUBLIC;
GRANT ALL ON FUNCTION users.sees_whole_tenant() TO sg_app;
GRANT ALL ON FUNCTION users.sees_whole_tenant() TO sg_system;
GRANT ALL ON FUNCTION users.sees_whole_tenant() TO sg_admin;
GRANT ALL ON FUNCTION users.sees_whole_tenant() TO sg_app_own;

--
-- Name: FUNCTION spread_permission(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.spread_permission() FROM PUBLIC;

--
-- Name: FUNCTION store_password(p_user_id uuid, p_password_hash text, p_must_change boolean, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.store_password(p_user_id uuid, p_password_hash text, p_must_change boolean, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.store_password(p_user_id uuid, p_password_hash text, p_must_change boolean, p_at timestamp with time zone) TO sg_system;

--
-- Name: FUNCTION subscription_is_live(p_status text, p_trial_ends_at timestamp with time zone, p_period_end timestamp with time zone, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.subscription_is_live(p_status text, p_trial_ends_at timestamp with time zone, p_period_end timestamp with time zone, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.subscription_is_live(p_status text, p_trial_ends_at timestamp with time zone, p_period_end timestamp with time zone, p_at timestamp with time zone) TO sg_auth;

--
-- Name: FUNCTION subscription_of(p_tenant uuid, p_at timestamp with time zone); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.subscription_of(p_tenant uuid, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION users.subscription_of(p_tenant uuid, p_at timestamp with time zone) TO sg_system;
GRANT ALL ON FUNCTION users.subscription_of(p_tenant uuid, p_at timestamp with time zone) TO sg_admin;

--
-- Name: FUNCTION tenant_default(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.tenant_default() FROM PUBLIC;
GRANT ALL ON FUNCTION users.tenant_default() TO sg_app;
GRANT ALL ON FUNCTION users.tenant_default() TO sg_system;
GRANT ALL ON FUNCTION users.tenant_default() TO sg_admin;
GRANT ALL ON FUNCTION users.tenant_default() TO sg_auth;
GRANT ALL ON FUNCTION users.tenant_default() TO sg_app_own;

--
-- Name: FUNCTION time_ordered_uuid(); Type: ACL; Schema: users; Owner: sg_owner
--

REVOKE ALL ON FUNCTION users.time_ordered_uuid() FROM PUBLIC;
GRANT ALL ON FUNCTION users.time_ordered_uuid() TO sg_app;
GRANT ALL ON FUNCTION users.time_ordered_uuid() TO sg_system;
GRANT ALL ON FUNCTION users.time_ordered_uuid() TO sg_admin;
GRANT ALL ON FUNCTION users.time_ordered_uuid() TO sg_auth;
GRANT ALL ON FUNCTION users.time_ordered_uuid() TO sg_app_own;

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
GRANT ALL ON FUNCTION users.validate_password_strength(password text, min_length integer, require_uppercase boolean, require_lowercase boolean, require_numbers boolean, require_special_chars boolean) TO sg_app_own;

--
-- Name: FUNCTION verified_claims(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.verified_claims() FROM PUBLIC;
GRANT ALL ON FUNCTION users.verified_claims() TO sg_app;
GRANT ALL ON FUNCTION users.verified_claims() TO sg_system;
GRANT ALL ON FUNCTION users.verified_claims() TO sg_admin;
GRANT ALL ON FUNCTION users.verified_claims() TO sg_app_own;

--
-- Name: FUNCTION whole_tenant(); Type: ACL; Schema: users; Owner: sg_auth
--

REVOKE ALL ON FUNCTION users.whole_tenant() FROM PUBLIC;
GRANT ALL ON FUNCTION users.whole_tenant() TO sg_app;
GRANT ALL ON FUNCTION users.whole_tenant() TO sg_system;
GRANT ALL ON FUNCTION users.whole_tenant() TO sg_admin;
GRANT ALL ON FUNCTION users.whole_tenant() TO sg_app_own;

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
GRANT SELECT(tenant_id) ON TABLE agents.agent_tokens TO sg_app_own;

--
-- Name: COLUMN agent_tokens.agent_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(agent_id) ON TABLE agents.agent_tokens TO sg_app;
GRANT SELECT(agent_id) ON TABLE agents.agent_tokens TO sg_app_own;

--
-- Name: COLUMN agent_tokens.created_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE agents.agent_tokens TO sg_app;
GRANT SELECT(created_at) ON TABLE agents.agent_tokens TO sg_app_own;

--
-- Name: COLUMN agent_tokens.revoked_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE agents.agent_tokens TO sg_app;
GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE agents.agent_tokens TO sg_app_own;

--
-- Name: COLUMN agent_tokens.revoke_reason; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(revoke_reason),UPDATE(revoke_reason) ON TABLE agents.agent_tokens TO sg_app;
GRANT SELECT(revoke_reason),UPDATE(revoke_reason) ON TABLE agents.agent_tokens TO sg_app_own;

--
-- Name: COLUMN agent_tokens.result_key; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(result_key) ON TABLE agents.agent_tokens TO sg_system;

--
-- Name: TABLE command_output; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.command_output TO sg_app;
GRANT SELECT ON TABLE agents.command_output TO sg_backup;
GRANT SELECT ON TABLE agents.command_output TO sg_admin;
GRANT SELECT,INSERT,DELETE ON TABLE agents.command_output TO sg_system;
GRANT SELECT ON TABLE agents.command_output TO sg_app_own;

--
-- Name: TABLE command_results; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.command_results TO sg_app;
GRANT SELECT,INSERT,DELETE ON TABLE agents.command_results TO sg_system;
GRANT SELECT ON TABLE agents.command_results TO sg_admin;
GRANT SELECT ON TABLE agents.command_results TO sg_backup;
GRANT SELECT ON TABLE agents.command_results TO sg_app_own;

--
-- Name: TABLE commands; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.commands TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.commands TO sg_admin;
GRANT SELECT ON TABLE agents.commands TO sg_backup;

--
-- Name: COLUMN commands.command_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(command_id),INSERT(command_id) ON TABLE agents.commands TO sg_app;
GRANT SELECT(command_id),INSERT(command_id) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.tenant_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(tenant_id),INSERT(tenant_id) ON TABLE agents.commands TO sg_app;
GRANT SELECT(tenant_id),INSERT(tenant_id) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.agent_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(agent_id),INSERT(agent_id) ON TABLE agents.commands TO sg_app;
GRANT SELECT(agent_id),INSERT(agent_id) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.kind; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(kind),INSERT(kind) ON TABLE agents.commands TO sg_app;
GRANT SELECT(kind),INSERT(kind) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.arguments; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(arguments),INSERT(arguments) ON TABLE agents.commands TO sg_app;
GRANT SELECT(arguments),INSERT(arguments) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.secret_arguments; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(secret_arguments) ON TABLE agents.commands TO sg_app;
GRANT INSERT(secret_arguments) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.dangerous; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(dangerous) ON TABLE agents.commands TO sg_app;
GRANT SELECT(dangerous) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.state; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(state),UPDATE(state) ON TABLE agents.commands TO sg_app;
GRANT SELECT(state),UPDATE(state) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.nonce; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(nonce) ON TABLE agents.commands TO sg_app;
GRANT INSERT(nonce) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.idempotency_key; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(idempotency_key),INSERT(idempotency_key) ON TABLE agents.commands TO sg_app;
GRANT SELECT(idempotency_key),INSERT(idempotency_key) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.requested_by; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(requested_by),INSERT(requested_by) ON TABLE agents.commands TO sg_app;
GRANT SELECT(requested_by),INSERT(requested_by) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.requested_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(requested_at),INSERT(requested_at) ON TABLE agents.commands TO sg_app;
GRANT SELECT(requested_at),INSERT(requested_at) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.reason; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(reason),INSERT(reason) ON TABLE agents.commands TO sg_app;
GRANT SELECT(reason),INSERT(reason) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.approved_by; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(approved_by),UPDATE(approved_by) ON TABLE agents.commands TO sg_app;
GRANT SELECT(approved_by),UPDATE(approved_by) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.approved_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(approved_at),UPDATE(approved_at) ON TABLE agents.commands TO sg_app;
GRANT SELECT(approved_at),UPDATE(approved_at) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.sent_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(sent_at) ON TABLE agents.commands TO sg_app;
GRANT SELECT(sent_at) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.started_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(started_at) ON TABLE agents.commands TO sg_app;
GRANT SELECT(started_at) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.finished_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(finished_at),UPDATE(finished_at) ON TABLE agents.commands TO sg_app;
GRANT SELECT(finished_at),UPDATE(finished_at) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.closed_by; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(closed_by),UPDATE(closed_by) ON TABLE agents.commands TO sg_app;
GRANT SELECT(closed_by),UPDATE(closed_by) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.close_reason; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(close_reason),UPDATE(close_reason) ON TABLE agents.commands TO sg_app;
GRANT SELECT(close_reason),UPDATE(close_reason) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.expires_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE agents.commands TO sg_app;
GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.order_text; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(order_text),INSERT(order_text) ON TABLE agents.commands TO sg_app;
GRANT SELECT(order_text),INSERT(order_text) ON TABLE agents.commands TO sg_app_own;

--
-- Name: COLUMN commands.approval; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT(approval),UPDATE(approval) ON TABLE agents.commands TO sg_app;
GRANT SELECT(approval),UPDATE(approval) ON TABLE agents.commands TO sg_app_own;

--
-- Name: TABLE deadlines; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.deadlines TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.deadlines TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.deadlines TO sg_admin;

--
-- Name: TABLE endpoints; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.endpoints TO sg_auth;
GRANT SELECT ON TABLE agents.endpoints TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.endpoints TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.endpoints TO sg_admin;
GRANT SELECT ON TABLE agents.endpoints TO sg_backup;
GRANT SELECT ON TABLE agents.endpoints TO sg_app_own;

--
-- Name: COLUMN endpoints.device_name; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(device_name) ON TABLE agents.endpoints TO sg_app;
GRANT UPDATE(device_name) ON TABLE agents.endpoints TO sg_app_own;

--
-- Name: COLUMN endpoints.status; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(status) ON TABLE agents.endpoints TO sg_app;
GRANT UPDATE(status) ON TABLE agents.endpoints TO sg_app_own;

--
-- Name: COLUMN endpoints.user_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(user_id) ON TABLE agents.endpoints TO sg_app;
GRANT UPDATE(user_id) ON TABLE agents.endpoints TO sg_app_own;

--
-- Name: COLUMN endpoints.decommissioned_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(decommissioned_at) ON TABLE agents.endpoints TO sg_app;
GRANT UPDATE(decommissioned_at) ON TABLE agents.endpoints TO sg_app_own;

--
-- Name: TABLE events; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.events TO sg_app;
GRANT SELECT ON TABLE agents.events TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.events TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.events TO sg_admin;
GRANT SELECT ON TABLE agents.events TO sg_app_own;

--
-- Name: TABLE events_held; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.events_held TO sg_app;
GRANT SELECT ON TABLE agents.events_held TO sg_admin;
GRANT SELECT ON TABLE agents.events_held TO sg_backup;
GRANT SELECT,INSERT,DELETE ON TABLE agents.events_held TO sg_system;
GRANT SELECT ON TABLE agents.events_held TO sg_app_own;

--
-- Name: TABLE gaps; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.gaps TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.gaps TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.gaps TO sg_admin;
GRANT SELECT ON TABLE agents.gaps TO sg_backup;
GRANT SELECT ON TABLE agents.gaps TO sg_app_own;

--
-- Name: TABLE heartbeats; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.heartbeats TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.heartbeats TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.heartbeats TO sg_admin;
GRANT SELECT ON TABLE agents.heartbeats TO sg_backup;
GRANT INSERT ON TABLE agents.heartbeats TO sg_auth;
GRANT SELECT ON TABLE agents.heartbeats TO sg_app_own;

--
-- Name: TABLE legal_holds; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.legal_holds TO sg_app;
GRANT SELECT,DELETE,UPDATE ON TABLE agents.legal_holds TO sg_system;
GRANT SELECT,INSERT,UPDATE ON TABLE agents.legal_holds TO sg_admin;
GRANT SELECT ON TABLE agents.legal_holds TO sg_backup;
GRANT SELECT ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.hold_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(hold_id) ON TABLE agents.legal_holds TO sg_app;
GRANT INSERT(hold_id) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.tenant_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(tenant_id) ON TABLE agents.legal_holds TO sg_app;
GRANT INSERT(tenant_id) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.agent_id; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(agent_id) ON TABLE agents.legal_holds TO sg_app;
GRANT INSERT(agent_id) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.from_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(from_at) ON TABLE agents.legal_holds TO sg_app;
GRANT INSERT(from_at) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.to_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(to_at) ON TABLE agents.legal_holds TO sg_app;
GRANT INSERT(to_at) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.reason; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(reason) ON TABLE agents.legal_holds TO sg_app;
GRANT INSERT(reason) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.placed_by; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(placed_by) ON TABLE agents.legal_holds TO sg_app;
GRANT INSERT(placed_by) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.placed_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT INSERT(placed_at) ON TABLE agents.legal_holds TO sg_app;
GRANT INSERT(placed_at) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.released_by; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(released_by) ON TABLE agents.legal_holds TO sg_app;
GRANT UPDATE(released_by) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: COLUMN legal_holds.released_at; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT UPDATE(released_at) ON TABLE agents.legal_holds TO sg_app;
GRANT UPDATE(released_at) ON TABLE agents.legal_holds TO sg_app_own;

--
-- Name: TABLE liveness_watch; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE agents.liveness_watch TO sg_system;
GRANT SELECT ON TABLE agents.liveness_watch TO sg_admin;
GRANT SELECT ON TABLE agents.liveness_watch TO sg_backup;

--
-- Name: TABLE partition_schemes; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.partition_schemes TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.partition_schemes TO sg_admin;
GRANT SELECT ON TABLE agents.partition_schemes TO sg_backup;

--
-- Name: TABLE rollup_backfill; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.rollup_backfill TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.rollup_backfill TO sg_admin;
GRANT SELECT ON TABLE agents.rollup_backfill TO sg_backup;

--
-- Name: TABLE rollup_queue; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.rollup_queue TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.rollup_queue TO sg_admin;
GRANT SELECT ON TABLE agents.rollup_queue TO sg_backup;

--
-- Name: TABLE streams; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.streams TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.streams TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.streams TO sg_admin;
GRANT SELECT ON TABLE agents.streams TO sg_backup;
GRANT SELECT ON TABLE agents.streams TO sg_app_own;

--
-- Name: TABLE system_info; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.system_info TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.system_info TO sg_admin;
GRANT SELECT ON TABLE agents.system_info TO sg_backup;
GRANT SELECT ON TABLE agents.system_info TO sg_app_own;

--
-- Name: TABLE system_info_daily; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info_daily TO sg_app;
GRANT SELECT ON TABLE agents.system_info_daily TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.system_info_daily TO sg_system;
GRANT SELECT ON TABLE agents.system_info_daily TO sg_backup;
GRANT SELECT ON TABLE agents.system_info_daily TO sg_app_own;

--
-- Name: TABLE system_info_hourly; Type: ACL; Schema: agents; Owner: sg_owner
--

GRANT SELECT ON TABLE agents.system_info_hourly TO sg_app;
GRANT SELECT ON TABLE agents.system_info_hourly TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agents.system_info_hourly TO sg_system;
GRANT SELECT ON TABLE agents.system_info_hourly TO sg_backup;
GRANT SELECT ON TABLE agents.system_info_hourly TO sg_app_own;

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
-- Name: TABLE chain; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT,DELETE ON TABLE audit.chain TO sg_auth;
GRANT SELECT,INSERT ON TABLE audit.chain TO sg_system;
GRANT SELECT ON TABLE audit.chain TO sg_admin;
GRANT SELECT ON TABLE audit.chain TO sg_backup;

--
-- Name: TABLE chain_heads; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT ON TABLE audit.chain_heads TO sg_app;
GRANT SELECT,INSERT ON TABLE audit.chain_heads TO sg_system;
GRANT SELECT ON TABLE audit.chain_heads TO sg_admin;
GRANT SELECT ON TABLE audit.chain_heads TO sg_backup;
GRANT SELECT ON TABLE audit.chain_heads TO sg_app_own;

--
-- Name: COLUMN chain_heads."position"; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT UPDATE("position") ON TABLE audit.chain_heads TO sg_system;

--
-- Name: COLUMN chain_heads.link; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT UPDATE(link) ON TABLE audit.chain_heads TO sg_system;

--
-- Name: COLUMN chain_heads.checkpoint_position; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT UPDATE(checkpoint_position) ON TABLE audit.chain_heads TO sg_system;

--
-- Name: COLUMN chain_heads.checkpoint_at; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT UPDATE(checkpoint_at) ON TABLE audit.chain_heads TO sg_system;

--
-- Name: TABLE chain_records; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT,DELETE ON TABLE audit.chain_records TO sg_auth;
GRANT SELECT ON TABLE audit.chain_records TO sg_app;
GRANT SELECT ON TABLE audit.chain_records TO sg_system;
GRANT SELECT ON TABLE audit.chain_records TO sg_admin;
GRANT SELECT ON TABLE audit.chain_records TO sg_backup;
GRANT SELECT ON TABLE audit.chain_records TO sg_app_own;

--
-- Name: COLUMN chain_records.record_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(record_id) ON TABLE audit.chain_records TO sg_system;

--
-- Name: COLUMN chain_records.tenant_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(tenant_id) ON TABLE audit.chain_records TO sg_system;

--
-- Name: COLUMN chain_records.occurred_at; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(occurred_at) ON TABLE audit.chain_records TO sg_system;

--
-- Name: COLUMN chain_records.kind; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(kind) ON TABLE audit.chain_records TO sg_system;

--
-- Name: COLUMN chain_records.body; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(body) ON TABLE audit.chain_records TO sg_system;

--
-- Name: COLUMN chain_records.key_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(key_id) ON TABLE audit.chain_records TO sg_system;

--
-- Name: COLUMN chain_records.signature; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(signature) ON TABLE audit.chain_records TO sg_system;

--
-- Name: TABLE checkpoints; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT,DELETE ON TABLE audit.checkpoints TO sg_auth;
GRANT SELECT ON TABLE audit.checkpoints TO sg_app;
GRANT SELECT,INSERT ON TABLE audit.checkpoints TO sg_system;
GRANT SELECT ON TABLE audit.checkpoints TO sg_admin;
GRANT SELECT ON TABLE audit.checkpoints TO sg_backup;
GRANT SELECT ON TABLE audit.checkpoints TO sg_app_own;

--
-- Name: TABLE events; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT ON TABLE audit.events TO sg_app;
GRANT SELECT ON TABLE audit.events TO sg_system;
GRANT SELECT ON TABLE audit.events TO sg_admin;
GRANT SELECT ON TABLE audit.events TO sg_backup;
GRANT SELECT,DELETE ON TABLE audit.events TO sg_auth;
GRANT SELECT ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.event_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(event_id) ON TABLE audit.events TO sg_app;
GRANT INSERT(event_id) ON TABLE audit.events TO sg_system;
GRANT INSERT(event_id) ON TABLE audit.events TO sg_admin;
GRANT INSERT(event_id) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.tenant_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(tenant_id) ON TABLE audit.events TO sg_app;
GRANT INSERT(tenant_id) ON TABLE audit.events TO sg_system;
GRANT INSERT(tenant_id) ON TABLE audit.events TO sg_admin;
GRANT INSERT(tenant_id) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.occurred_at; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(occurred_at) ON TABLE audit.events TO sg_app;
GRANT INSERT(occurred_at) ON TABLE audit.events TO sg_system;
GRANT INSERT(occurred_at) ON TABLE audit.events TO sg_admin;
GRANT INSERT(occurred_at) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.transaction_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(transaction_id) ON TABLE audit.events TO sg_app;
GRANT INSERT(transaction_id) ON TABLE audit.events TO sg_system;
GRANT INSERT(transaction_id) ON TABLE audit.events TO sg_admin;
GRANT INSERT(transaction_id) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.actor_kind; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(actor_kind) ON TABLE audit.events TO sg_app;
GRANT INSERT(actor_kind) ON TABLE audit.events TO sg_system;
GRANT INSERT(actor_kind) ON TABLE audit.events TO sg_admin;
GRANT INSERT(actor_kind) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.actor_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(actor_id) ON TABLE audit.events TO sg_app;
GRANT INSERT(actor_id) ON TABLE audit.events TO sg_system;
GRANT INSERT(actor_id) ON TABLE audit.events TO sg_admin;
GRANT INSERT(actor_id) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.actor_name; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(actor_name) ON TABLE audit.events TO sg_app;
GRANT INSERT(actor_name) ON TABLE audit.events TO sg_system;
GRANT INSERT(actor_name) ON TABLE audit.events TO sg_admin;
GRANT INSERT(actor_name) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.action; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(action) ON TABLE audit.events TO sg_app;
GRANT INSERT(action) ON TABLE audit.events TO sg_system;
GRANT INSERT(action) ON TABLE audit.events TO sg_admin;
GRANT INSERT(action) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.object_kind; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(object_kind) ON TABLE audit.events TO sg_app;
GRANT INSERT(object_kind) ON TABLE audit.events TO sg_system;
GRANT INSERT(object_kind) ON TABLE audit.events TO sg_admin;
GRANT INSERT(object_kind) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.object_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(object_id) ON TABLE audit.events TO sg_app;
GRANT INSERT(object_id) ON TABLE audit.events TO sg_system;
GRANT INSERT(object_id) ON TABLE audit.events TO sg_admin;
GRANT INSERT(object_id) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.outcome; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(outcome) ON TABLE audit.events TO sg_app;
GRANT INSERT(outcome) ON TABLE audit.events TO sg_system;
GRANT INSERT(outcome) ON TABLE audit.events TO sg_admin;
GRANT INSERT(outcome) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.reason; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(reason) ON TABLE audit.events TO sg_app;
GRANT INSERT(reason) ON TABLE audit.events TO sg_system;
GRANT INSERT(reason) ON TABLE audit.events TO sg_admin;
GRANT INSERT(reason) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.request_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(request_id) ON TABLE audit.events TO sg_app;
GRANT INSERT(request_id) ON TABLE audit.events TO sg_system;
GRANT INSERT(request_id) ON TABLE audit.events TO sg_admin;
GRANT INSERT(request_id) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.address; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(address) ON TABLE audit.events TO sg_app;
GRANT INSERT(address) ON TABLE audit.events TO sg_system;
GRANT INSERT(address) ON TABLE audit.events TO sg_admin;
GRANT INSERT(address) ON TABLE audit.events TO sg_app_own;

--
-- Name: COLUMN events.detail; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(detail) ON TABLE audit.events TO sg_app;
GRANT INSERT(detail) ON TABLE audit.events TO sg_system;
GRANT INSERT(detail) ON TABLE audit.events TO sg_admin;
GRANT INSERT(detail) ON TABLE audit.events TO sg_app_own;

--
-- Name: TABLE export_positions; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT ON TABLE audit.export_positions TO sg_app;
GRANT SELECT,INSERT ON TABLE audit.export_positions TO sg_system;
GRANT SELECT ON TABLE audit.export_positions TO sg_admin;
GRANT SELECT ON TABLE audit.export_positions TO sg_backup;
GRANT SELECT ON TABLE audit.export_positions TO sg_app_own;

--
-- Name: COLUMN export_positions."position"; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT UPDATE("position") ON TABLE audit.export_positions TO sg_system;

--
-- Name: COLUMN export_positions.exported_at; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT UPDATE(exported_at) ON TABLE audit.export_positions TO sg_system;

--
-- Name: TABLE login_attempts; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT ON TABLE audit.login_attempts TO sg_app;
GRANT SELECT ON TABLE audit.login_attempts TO sg_system;
GRANT SELECT ON TABLE audit.login_attempts TO sg_admin;
GRANT SELECT ON TABLE audit.login_attempts TO sg_backup;
GRANT SELECT,INSERT,DELETE ON TABLE audit.login_attempts TO sg_auth;
GRANT SELECT ON TABLE audit.login_attempts TO sg_app_own;

--
-- Name: COLUMN login_attempts.attempt_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(attempt_id) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: COLUMN login_attempts.tenant_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(tenant_id) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: COLUMN login_attempts.occurred_at; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(occurred_at) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: COLUMN login_attempts.user_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(user_id) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: COLUMN login_attempts.username_or_digest; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(username_or_digest) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: COLUMN login_attempts.outcome; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(outcome) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: COLUMN login_attempts.method; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(method) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: COLUMN login_attempts.address; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(address) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: COLUMN login_attempts.user_agent; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(user_agent) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: COLUMN login_attempts.request_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(request_id) ON TABLE audit.login_attempts TO sg_system;

--
-- Name: TABLE row_changes; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT,DELETE ON TABLE audit.row_changes TO sg_auth;
GRANT SELECT ON TABLE audit.row_changes TO sg_app;
GRANT SELECT ON TABLE audit.row_changes TO sg_system;
GRANT SELECT ON TABLE audit.row_changes TO sg_admin;
GRANT SELECT ON TABLE audit.row_changes TO sg_backup;
GRANT SELECT ON TABLE audit.row_changes TO sg_app_own;

--
-- Name: COLUMN row_changes.change_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(change_id) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(change_id) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(change_id) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: COLUMN row_changes.tenant_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(tenant_id) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(tenant_id) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(tenant_id) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: COLUMN row_changes.occurred_at; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(occurred_at) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(occurred_at) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(occurred_at) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: COLUMN row_changes.transaction_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(transaction_id) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(transaction_id) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(transaction_id) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: COLUMN row_changes.table_name; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(table_name) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(table_name) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(table_name) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: COLUMN row_changes.operation; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(operation) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(operation) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(operation) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: COLUMN row_changes.row_id; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(row_id) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(row_id) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(row_id) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: COLUMN row_changes.before; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(before) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(before) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(before) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: COLUMN row_changes.after; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(after) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(after) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(after) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: COLUMN row_changes.database_role; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT INSERT(database_role) ON TABLE audit.row_changes TO sg_auth;
GRANT INSERT(database_role) ON TABLE audit.row_changes TO sg_system;
GRANT INSERT(database_role) ON TABLE audit.row_changes TO sg_admin;

--
-- Name: TABLE unsealed; Type: ACL; Schema: audit; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE audit.unsealed TO sg_auth;
GRANT SELECT,DELETE ON TABLE audit.unsealed TO sg_system;
GRANT SELECT ON TABLE audit.unsealed TO sg_admin;
GRANT SELECT ON TABLE audit.unsealed TO sg_backup;

--
-- Name: TABLE alert_rules; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.alert_rules TO sg_app;
GRANT SELECT ON TABLE monitoring.alert_rules TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.alert_rules TO sg_system;
GRANT SELECT,UPDATE ON TABLE monitoring.alert_rules TO sg_admin;
GRANT SELECT,INSERT ON TABLE monitoring.alert_rules TO sg_auth;
GRANT SELECT ON TABLE monitoring.alert_rules TO sg_app_own;

--
-- Name: COLUMN alert_rules.severity; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT UPDATE(severity) ON TABLE monitoring.alert_rules TO sg_app;
GRANT UPDATE(severity) ON TABLE monitoring.alert_rules TO sg_app_own;

--
-- Name: COLUMN alert_rules.enabled; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT UPDATE(enabled) ON TABLE monitoring.alert_rules TO sg_app;
GRANT UPDATE(enabled) ON TABLE monitoring.alert_rules TO sg_app_own;

--
-- Name: COLUMN alert_rules.threshold; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT UPDATE(threshold) ON TABLE monitoring.alert_rules TO sg_app;
GRANT UPDATE(threshold) ON TABLE monitoring.alert_rules TO sg_app_own;

--
-- Name: COLUMN alert_rules.window_seconds; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT UPDATE(window_seconds) ON TABLE monitoring.alert_rules TO sg_app;
GRANT UPDATE(window_seconds) ON TABLE monitoring.alert_rules TO sg_app_own;

--
-- Name: COLUMN alert_rules.for_seconds; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT UPDATE(for_seconds) ON TABLE monitoring.alert_rules TO sg_app;
GRANT UPDATE(for_seconds) ON TABLE monitoring.alert_rules TO sg_app_own;

--
-- Name: COLUMN alert_rules.inhibited_by; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT UPDATE(inhibited_by) ON TABLE monitoring.alert_rules TO sg_app;
GRANT UPDATE(inhibited_by) ON TABLE monitoring.alert_rules TO sg_app_own;

--
-- Name: TABLE alerts; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.alerts TO sg_app;
GRANT SELECT ON TABLE monitoring.alerts TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.alerts TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.alerts TO sg_admin;
GRANT SELECT ON TABLE monitoring.alerts TO sg_app_own;

--
-- Name: TABLE backup_state; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.backup_state TO sg_backup;
GRANT SELECT ON TABLE monitoring.backup_state TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.backup_state TO sg_system;

--
-- Name: TABLE backups; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.backups TO sg_backup;
GRANT SELECT ON TABLE monitoring.backups TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.backups TO sg_system;

--
-- Name: TABLE channels; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.channels TO sg_app;
GRANT SELECT ON TABLE monitoring.channels TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.channels TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.channels TO sg_admin;
GRANT SELECT ON TABLE monitoring.channels TO sg_auth;
GRANT SELECT ON TABLE monitoring.channels TO sg_app_own;

--
-- Name: TABLE delivery_attempts; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.delivery_attempts TO sg_app;
GRANT SELECT ON TABLE monitoring.delivery_attempts TO sg_backup;
GRANT SELECT,INSERT,DELETE ON TABLE monitoring.delivery_attempts TO sg_system;
GRANT SELECT,INSERT,DELETE ON TABLE monitoring.delivery_attempts TO sg_admin;
GRANT SELECT ON TABLE monitoring.delivery_attempts TO sg_app_own;

--
-- Name: TABLE kpi_samples; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.kpi_samples TO sg_app;
GRANT SELECT ON TABLE monitoring.kpi_samples TO sg_backup;
GRANT SELECT ON TABLE monitoring.kpi_samples TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.kpi_samples TO sg_system;
GRANT SELECT ON TABLE monitoring.kpi_samples TO sg_app_own;

--
-- Name: TABLE maintenance_runs; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.maintenance_runs TO sg_backup;
GRANT SELECT ON TABLE monitoring.maintenance_runs TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.maintenance_runs TO sg_system;

--
-- Name: TABLE maintenance_tasks; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.maintenance_tasks TO sg_backup;
GRANT SELECT ON TABLE monitoring.maintenance_tasks TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.maintenance_tasks TO sg_system;

--
-- Name: TABLE notifications; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.notifications TO sg_app;
GRANT SELECT ON TABLE monitoring.notifications TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.notifications TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.notifications TO sg_admin;
GRANT SELECT,INSERT ON TABLE monitoring.notifications TO sg_auth;
GRANT SELECT ON TABLE monitoring.notifications TO sg_app_own;

--
-- Name: TABLE report_subscriptions; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.report_subscriptions TO sg_backup;
GRANT SELECT ON TABLE monitoring.report_subscriptions TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.report_subscriptions TO sg_system;

--
-- Name: TABLE reports; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.reports TO sg_app;
GRANT SELECT ON TABLE monitoring.reports TO sg_backup;
GRANT SELECT ON TABLE monitoring.reports TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.reports TO sg_system;
GRANT SELECT ON TABLE monitoring.reports TO sg_app_own;

--
-- Name: TABLE routes; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.routes TO sg_app;
GRANT SELECT ON TABLE monitoring.routes TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.routes TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.routes TO sg_admin;
GRANT SELECT ON TABLE monitoring.routes TO sg_app_own;

--
-- Name: TABLE security_events; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.security_events TO sg_app;
GRANT SELECT ON TABLE monitoring.security_events TO sg_backup;
GRANT SELECT,INSERT,DELETE ON TABLE monitoring.security_events TO sg_system;
GRANT SELECT ON TABLE monitoring.security_events TO sg_admin;
GRANT INSERT ON TABLE monitoring.security_events TO sg_auth;
GRANT SELECT ON TABLE monitoring.security_events TO sg_app_own;

--
-- Name: TABLE silences; Type: ACL; Schema: monitoring; Owner: sg_owner
--

GRANT SELECT ON TABLE monitoring.silences TO sg_app;
GRANT SELECT ON TABLE monitoring.silences TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.silences TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE monitoring.silences TO sg_admin;
GRANT SELECT ON TABLE monitoring.silences TO sg_app_own;

--
-- Name: TABLE schema_steps; Type: ACL; Schema: public; Owner: sg_owner
--

GRANT SELECT ON TABLE public.schema_steps TO sg_app;
GRANT SELECT ON TABLE public.schema_steps TO sg_system;
GRANT SELECT ON TABLE public.schema_steps TO sg_admin;
GRANT SELECT ON TABLE public.schema_steps TO sg_backup;

--
-- Name: TABLE correlation_episodes; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.correlation_episodes TO sg_backup;
GRANT SELECT ON TABLE threats.correlation_episodes TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.correlation_episodes TO sg_system;

--
-- Name: TABLE correlation_matches; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.correlation_matches TO sg_backup;
GRANT SELECT ON TABLE threats.correlation_matches TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.correlation_matches TO sg_system;

--
-- Name: TABLE excepted_findings; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.excepted_findings TO sg_app;
GRANT SELECT ON TABLE threats.excepted_findings TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.excepted_findings TO sg_system;
GRANT SELECT ON TABLE threats.excepted_findings TO sg_admin;
GRANT SELECT ON TABLE threats.excepted_findings TO sg_app_own;

--
-- Name: TABLE exceptions; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.exceptions TO sg_app;
GRANT SELECT ON TABLE threats.exceptions TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.exceptions TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.exceptions TO sg_admin;
GRANT SELECT ON TABLE threats.exceptions TO sg_app_own;

--
-- Name: TABLE findings; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.findings TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.findings TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.findings TO sg_admin;
GRANT SELECT ON TABLE threats.findings TO sg_backup;
GRANT SELECT ON TABLE threats.findings TO sg_app_own;

--
-- Name: TABLE incident_subjects; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT,DELETE ON TABLE threats.incident_subjects TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incident_subjects TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incident_subjects TO sg_admin;
GRANT SELECT ON TABLE threats.incident_subjects TO sg_backup;
GRANT SELECT,DELETE ON TABLE threats.incident_subjects TO sg_app_own;

--
-- Name: TABLE incident_timeline; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT,INSERT ON TABLE threats.incident_timeline TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incident_timeline TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incident_timeline TO sg_admin;
GRANT SELECT ON TABLE threats.incident_timeline TO sg_backup;
GRANT SELECT,INSERT ON TABLE threats.incident_timeline TO sg_app_own;

--
-- Name: TABLE incidents; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.incidents TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incidents TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.incidents TO sg_admin;
GRANT SELECT ON TABLE threats.incidents TO sg_backup;
GRANT SELECT ON TABLE threats.incidents TO sg_app_own;

--
-- Name: COLUMN incidents.status; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(status) ON TABLE threats.incidents TO sg_app;
GRANT UPDATE(status) ON TABLE threats.incidents TO sg_app_own;

--
-- Name: COLUMN incidents.assigned_to; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(assigned_to) ON TABLE threats.incidents TO sg_app;
GRANT UPDATE(assigned_to) ON TABLE threats.incidents TO sg_app_own;

--
-- Name: COLUMN incidents.resolved_by; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(resolved_by) ON TABLE threats.incidents TO sg_app;
GRANT UPDATE(resolved_by) ON TABLE threats.incidents TO sg_app_own;

--
-- Name: COLUMN incidents.resolution_notes; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(resolution_notes) ON TABLE threats.incidents TO sg_app;
GRANT UPDATE(resolution_notes) ON TABLE threats.incidents TO sg_app_own;

--
-- Name: COLUMN incidents.resolved_at; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT UPDATE(resolved_at) ON TABLE threats.incidents TO sg_app;
GRANT UPDATE(resolved_at) ON TABLE threats.incidents TO sg_app_own;

--
-- Name: TABLE occurrences; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.occurrences TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.occurrences TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.occurrences TO sg_admin;
GRANT SELECT ON TABLE threats.occurrences TO sg_backup;
GRANT SELECT ON TABLE threats.occurrences TO sg_app_own;

--
-- Name: TABLE placeholders; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.placeholders TO sg_app;
GRANT SELECT ON TABLE threats.placeholders TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.placeholders TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.placeholders TO sg_admin;
GRANT SELECT ON TABLE threats.placeholders TO sg_app_own;

--
-- Name: TABLE rule_packages; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.rule_packages TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.rule_packages TO sg_admin;
GRANT SELECT ON TABLE threats.rule_packages TO sg_backup;

--
-- Name: TABLE rule_sets; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.rule_sets TO sg_app;
GRANT SELECT ON TABLE threats.rule_sets TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.rule_sets TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.rule_sets TO sg_admin;
GRANT SELECT ON TABLE threats.rule_sets TO sg_app_own;

--
-- Name: TABLE rule_versions; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.rule_versions TO sg_app;
GRANT SELECT ON TABLE threats.rule_versions TO sg_backup;
GRANT SELECT,INSERT,DELETE ON TABLE threats.rule_versions TO sg_system;
GRANT SELECT,INSERT,DELETE ON TABLE threats.rule_versions TO sg_admin;
GRANT SELECT ON TABLE threats.rule_versions TO sg_app_own;

--
-- Name: TABLE rules; Type: ACL; Schema: threats; Owner: sg_owner
--

GRANT SELECT ON TABLE threats.rules TO sg_app;
GRANT SELECT ON TABLE threats.rules TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.rules TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE threats.rules TO sg_admin;
GRANT SELECT ON TABLE threats.rules TO sg_app_own;

--
-- Name: TABLE api_keys; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.api_keys TO sg_auth;
GRANT INSERT ON TABLE users.api_keys TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.api_keys TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.api_keys TO sg_admin;
GRANT SELECT ON TABLE users.api_keys TO sg_backup;
GRANT INSERT ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.key_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(key_id) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(key_id) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_id) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(user_id) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.key_name; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(key_name) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(key_name) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.key_prefix; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(key_prefix) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(key_prefix) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.is_active; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(is_active),UPDATE(is_active) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(is_active),UPDATE(is_active) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.expires_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(expires_at),UPDATE(expires_at) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(expires_at),UPDATE(expires_at) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.last_used; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(last_used) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(last_used) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.usage_count; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(usage_count) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(usage_count) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(created_at) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(tenant_id) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(tenant_id) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.scopes; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(scopes) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(scopes) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.revoked_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.max_enrolments; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(max_enrolments) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(max_enrolments) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.enrolments; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(enrolments) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(enrolments) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: COLUMN api_keys.replaces_key_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(replaces_key_id) ON TABLE users.api_keys TO sg_app;
GRANT SELECT(replaces_key_id) ON TABLE users.api_keys TO sg_app_own;

--
-- Name: TABLE backup_codes; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.backup_codes TO sg_system;
GRANT DELETE ON TABLE users.backup_codes TO sg_admin;
GRANT SELECT ON TABLE users.backup_codes TO sg_backup;

--
-- Name: COLUMN backup_codes.code_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(code_id) ON TABLE users.backup_codes TO sg_admin;

--
-- Name: COLUMN backup_codes.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(tenant_id) ON TABLE users.backup_codes TO sg_admin;

--
-- Name: COLUMN backup_codes.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_id) ON TABLE users.backup_codes TO sg_admin;

--
-- Name: COLUMN backup_codes.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE users.backup_codes TO sg_admin;

--
-- Name: COLUMN backup_codes.used_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(used_at) ON TABLE users.backup_codes TO sg_admin;

--
-- Name: TABLE context_keys; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.context_keys TO sg_auth;

--
-- Name: TABLE directory_syncs; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.directory_syncs TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.directory_syncs TO sg_system;
GRANT SELECT ON TABLE users.directory_syncs TO sg_admin;
GRANT SELECT ON TABLE users.directory_syncs TO sg_backup;
GRANT SELECT ON TABLE users.directory_syncs TO sg_app_own;

--
-- Name: TABLE external_identities; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.external_identities TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.external_identities TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.external_identities TO sg_admin;
GRANT SELECT ON TABLE users.external_identities TO sg_backup;
GRANT SELECT ON TABLE users.external_identities TO sg_auth;
GRANT SELECT ON TABLE users.external_identities TO sg_app_own;

--
-- Name: TABLE factor_policies; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.factor_policies TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.factor_policies TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.factor_policies TO sg_app;
GRANT SELECT ON TABLE users.factor_policies TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.factor_policies TO sg_app_own;

--
-- Name: TABLE factors; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.factors TO sg_system;
GRANT DELETE ON TABLE users.factors TO sg_admin;
GRANT SELECT ON TABLE users.factors TO sg_backup;

--
-- Name: COLUMN factors.factor_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(factor_id) ON TABLE users.factors TO sg_admin;

--
-- Name: COLUMN factors.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(tenant_id) ON TABLE users.factors TO sg_admin;

--
-- Name: COLUMN factors.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_id) ON TABLE users.factors TO sg_admin;

--
-- Name: COLUMN factors.kind; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(kind) ON TABLE users.factors TO sg_admin;

--
-- Name: COLUMN factors.name; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(name) ON TABLE users.factors TO sg_admin;

--
-- Name: COLUMN factors.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE users.factors TO sg_admin;

--
-- Name: COLUMN factors.confirmed_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(confirmed_at) ON TABLE users.factors TO sg_admin;

--
-- Name: COLUMN factors.last_used_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(last_used_at) ON TABLE users.factors TO sg_admin;

--
-- Name: COLUMN factors.failed_attempts; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(failed_attempts),UPDATE(failed_attempts) ON TABLE users.factors TO sg_admin;

--
-- Name: COLUMN factors.locked_until; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(locked_until),UPDATE(locked_until) ON TABLE users.factors TO sg_admin;

--
-- Name: TABLE identity_providers; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.identity_providers TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.identity_providers TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.identity_providers TO sg_admin;
GRANT SELECT ON TABLE users.identity_providers TO sg_backup;
GRANT SELECT ON TABLE users.identity_providers TO sg_auth;
GRANT SELECT ON TABLE users.identity_providers TO sg_app_own;

--
-- Name: TABLE known_devices; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.known_devices TO sg_system;
GRANT SELECT,DELETE,UPDATE ON TABLE users.known_devices TO sg_admin;
GRANT SELECT ON TABLE users.known_devices TO sg_backup;

--
-- Name: TABLE memberships; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE users.memberships TO sg_auth;
GRANT SELECT ON TABLE users.memberships TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.memberships TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.memberships TO sg_admin;
GRANT SELECT ON TABLE users.memberships TO sg_backup;
GRANT SELECT ON TABLE users.memberships TO sg_app_own;

--
-- Name: COLUMN memberships.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(tenant_id) ON TABLE users.memberships TO sg_app;
GRANT INSERT(tenant_id) ON TABLE users.memberships TO sg_app_own;

--
-- Name: COLUMN memberships.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(user_id) ON TABLE users.memberships TO sg_app;
GRANT INSERT(user_id) ON TABLE users.memberships TO sg_app_own;

--
-- Name: COLUMN memberships.role; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(role),UPDATE(role) ON TABLE users.memberships TO sg_app;
GRANT INSERT(role),UPDATE(role) ON TABLE users.memberships TO sg_app_own;

--
-- Name: COLUMN memberships.expires_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(expires_at),UPDATE(expires_at) ON TABLE users.memberships TO sg_app;
GRANT INSERT(expires_at),UPDATE(expires_at) ON TABLE users.memberships TO sg_app_own;

--
-- Name: COLUMN memberships.granted_by; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(granted_by),UPDATE(granted_by) ON TABLE users.memberships TO sg_app;
GRANT INSERT(granted_by),UPDATE(granted_by) ON TABLE users.memberships TO sg_app_own;

--
-- Name: COLUMN memberships.reason; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(reason),UPDATE(reason) ON TABLE users.memberships TO sg_app;
GRANT INSERT(reason),UPDATE(reason) ON TABLE users.memberships TO sg_app_own;

--
-- Name: TABLE notices; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.notices TO sg_system;
GRANT SELECT ON TABLE users.notices TO sg_admin;
GRANT SELECT ON TABLE users.notices TO sg_backup;

--
-- Name: TABLE outgoing_mail; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.outgoing_mail TO sg_system;
GRANT SELECT,DELETE,UPDATE ON TABLE users.outgoing_mail TO sg_admin;
GRANT SELECT ON TABLE users.outgoing_mail TO sg_backup;

--
-- Name: COLUMN outgoing_mail.mail_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(mail_id) ON TABLE users.outgoing_mail TO sg_app;
GRANT INSERT(mail_id) ON TABLE users.outgoing_mail TO sg_app_own;

--
-- Name: COLUMN outgoing_mail.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(tenant_id) ON TABLE users.outgoing_mail TO sg_app;
GRANT INSERT(tenant_id) ON TABLE users.outgoing_mail TO sg_app_own;

--
-- Name: COLUMN outgoing_mail.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(user_id) ON TABLE users.outgoing_mail TO sg_app;
GRANT INSERT(user_id) ON TABLE users.outgoing_mail TO sg_app_own;

--
-- Name: COLUMN outgoing_mail.kind; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(kind) ON TABLE users.outgoing_mail TO sg_app;
GRANT INSERT(kind) ON TABLE users.outgoing_mail TO sg_app_own;

--
-- Name: COLUMN outgoing_mail.parameters; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(parameters) ON TABLE users.outgoing_mail TO sg_app;
GRANT INSERT(parameters) ON TABLE users.outgoing_mail TO sg_app_own;

--
-- Name: COLUMN outgoing_mail.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(created_at) ON TABLE users.outgoing_mail TO sg_app;
GRANT INSERT(created_at) ON TABLE users.outgoing_mail TO sg_app_own;

--
-- Name: COLUMN outgoing_mail.next_attempt_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(next_attempt_at) ON TABLE users.outgoing_mail TO sg_app;
GRANT INSERT(next_attempt_at) ON TABLE users.outgoing_mail TO sg_app_own;

--
-- Name: COLUMN outgoing_mail.expires_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(expires_at) ON TABLE users.outgoing_mail TO sg_app;
GRANT INSERT(expires_at) ON TABLE users.outgoing_mail TO sg_app_own;

--
-- Name: TABLE password_links; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.password_links TO sg_system;
GRANT SELECT,DELETE,UPDATE ON TABLE users.password_links TO sg_admin;
GRANT SELECT ON TABLE users.password_links TO sg_backup;

--
-- Name: TABLE password_policies; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE users.password_policies TO sg_auth;
GRANT SELECT ON TABLE users.password_policies TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.password_policies TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.password_policies TO sg_admin;
GRANT SELECT ON TABLE users.password_policies TO sg_backup;
GRANT SELECT ON TABLE users.password_policies TO sg_app_own;

--
-- Name: COLUMN password_policies.min_length; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(min_length) ON TABLE users.password_policies TO sg_app;
GRANT UPDATE(min_length) ON TABLE users.password_policies TO sg_app_own;

--
-- Name: COLUMN password_policies.require_uppercase; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(require_uppercase) ON TABLE users.password_policies TO sg_app;
GRANT UPDATE(require_uppercase) ON TABLE users.password_policies TO sg_app_own;

--
-- Name: COLUMN password_policies.require_lowercase; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(require_lowercase) ON TABLE users.password_policies TO sg_app;
GRANT UPDATE(require_lowercase) ON TABLE users.password_policies TO sg_app_own;

--
-- Name: COLUMN password_policies.require_numbers; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(require_numbers) ON TABLE users.password_policies TO sg_app;
GRANT UPDATE(require_numbers) ON TABLE users.password_policies TO sg_app_own;

--
-- Name: COLUMN password_policies.require_special_chars; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(require_special_chars) ON TABLE users.password_policies TO sg_app;
GRANT UPDATE(require_special_chars) ON TABLE users.password_policies TO sg_app_own;

--
-- Name: COLUMN password_policies.max_age_days; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(max_age_days) ON TABLE users.password_policies TO sg_app;
GRANT UPDATE(max_age_days) ON TABLE users.password_policies TO sg_app_own;

--
-- Name: COLUMN password_policies.history_count; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(history_count) ON TABLE users.password_policies TO sg_app;
GRANT UPDATE(history_count) ON TABLE users.password_policies TO sg_app_own;

--
-- Name: COLUMN password_policies.max_failed_attempts; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(max_failed_attempts) ON TABLE users.password_policies TO sg_app;
GRANT UPDATE(max_failed_attempts) ON TABLE users.password_policies TO sg_app_own;

--
-- Name: COLUMN password_policies.lockout_duration_minutes; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(lockout_duration_minutes) ON TABLE users.password_policies TO sg_app;
GRANT UPDATE(lockout_duration_minutes) ON TABLE users.password_policies TO sg_app_own;

--
-- Name: TABLE pending_sign_ins; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.pending_sign_ins TO sg_system;
GRANT SELECT ON TABLE users.pending_sign_ins TO sg_admin;
GRANT SELECT ON TABLE users.pending_sign_ins TO sg_backup;

--
-- Name: TABLE permissions; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.permissions TO sg_system;
GRANT SELECT ON TABLE users.permissions TO sg_backup;
GRANT SELECT ON TABLE users.permissions TO sg_admin;
GRANT SELECT ON TABLE users.permissions TO sg_auth;

--
-- Name: TABLE plans; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.plans TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.plans TO sg_admin;
GRANT SELECT ON TABLE users.plans TO sg_backup;
GRANT SELECT ON TABLE users.plans TO sg_auth;

--
-- Name: TABLE provider_domains; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.provider_domains TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.provider_domains TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.provider_domains TO sg_admin;
GRANT SELECT ON TABLE users.provider_domains TO sg_backup;
GRANT SELECT ON TABLE users.provider_domains TO sg_app_own;

--
-- Name: TABLE provisioned_group_members; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.provisioned_group_members TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.provisioned_group_members TO sg_system;
GRANT SELECT ON TABLE users.provisioned_group_members TO sg_admin;
GRANT SELECT ON TABLE users.provisioned_group_members TO sg_backup;
GRANT SELECT ON TABLE users.provisioned_group_members TO sg_app_own;

--
-- Name: TABLE provisioned_groups; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.provisioned_groups TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.provisioned_groups TO sg_system;
GRANT SELECT ON TABLE users.provisioned_groups TO sg_admin;
GRANT SELECT ON TABLE users.provisioned_groups TO sg_backup;
GRANT SELECT ON TABLE users.provisioned_groups TO sg_app_own;

--
-- Name: TABLE rate_limit_defaults; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.rate_limit_defaults TO sg_system;
GRANT SELECT ON TABLE users.rate_limit_defaults TO sg_backup;
GRANT SELECT,UPDATE ON TABLE users.rate_limit_defaults TO sg_admin;

--
-- Name: TABLE rate_limits; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.rate_limits TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.rate_limits TO sg_admin;
GRANT SELECT,DELETE ON TABLE users.rate_limits TO sg_system;
GRANT SELECT ON TABLE users.rate_limits TO sg_backup;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.rate_limits TO sg_app_own;

--
-- Name: TABLE rate_usage; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.rate_usage TO sg_backup;
GRANT SELECT ON TABLE users.rate_usage TO sg_app;
GRANT SELECT ON TABLE users.rate_usage TO sg_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.rate_usage TO sg_system;
GRANT SELECT ON TABLE users.rate_usage TO sg_app_own;

--
-- Name: TABLE role_permissions; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,DELETE ON TABLE users.role_permissions TO sg_app;
GRANT SELECT,INSERT,DELETE ON TABLE users.role_permissions TO sg_admin;
GRANT SELECT,DELETE ON TABLE users.role_permissions TO sg_system;
GRANT SELECT ON TABLE users.role_permissions TO sg_backup;
GRANT SELECT,INSERT ON TABLE users.role_permissions TO sg_auth;
GRANT SELECT,DELETE ON TABLE users.role_permissions TO sg_app_own;

--
-- Name: COLUMN role_permissions.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(tenant_id) ON TABLE users.role_permissions TO sg_app;
GRANT INSERT(tenant_id) ON TABLE users.role_permissions TO sg_app_own;

--
-- Name: COLUMN role_permissions.role; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(role) ON TABLE users.role_permissions TO sg_app;
GRANT INSERT(role) ON TABLE users.role_permissions TO sg_app_own;

--
-- Name: COLUMN role_permissions.permission; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(permission) ON TABLE users.role_permissions TO sg_app;
GRANT INSERT(permission) ON TABLE users.role_permissions TO sg_app_own;

--
-- Name: TABLE roles; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,DELETE ON TABLE users.roles TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.roles TO sg_admin;
GRANT SELECT,DELETE ON TABLE users.roles TO sg_system;
GRANT SELECT ON TABLE users.roles TO sg_backup;
GRANT SELECT,INSERT ON TABLE users.roles TO sg_auth;
GRANT SELECT,DELETE ON TABLE users.roles TO sg_app_own;

--
-- Name: COLUMN roles.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(tenant_id) ON TABLE users.roles TO sg_app;
GRANT INSERT(tenant_id) ON TABLE users.roles TO sg_app_own;

--
-- Name: COLUMN roles.role; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(role) ON TABLE users.roles TO sg_app;
GRANT INSERT(role) ON TABLE users.roles TO sg_app_own;

--
-- Name: COLUMN roles.based_on; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(based_on) ON TABLE users.roles TO sg_app;
GRANT INSERT(based_on) ON TABLE users.roles TO sg_app_own;

--
-- Name: COLUMN roles.scope; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(scope),UPDATE(scope) ON TABLE users.roles TO sg_app;
GRANT INSERT(scope),UPDATE(scope) ON TABLE users.roles TO sg_app_own;

--
-- Name: COLUMN roles.description; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(description),UPDATE(description) ON TABLE users.roles TO sg_app;
GRANT INSERT(description),UPDATE(description) ON TABLE users.roles TO sg_app_own;

--
-- Name: TABLE secrets; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT DELETE ON TABLE users.secrets TO sg_admin;
GRANT SELECT,INSERT,DELETE ON TABLE users.secrets TO sg_system;
GRANT SELECT ON TABLE users.secrets TO sg_backup;

--
-- Name: COLUMN secrets.secret_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(secret_id) ON TABLE users.secrets TO sg_app;
GRANT SELECT(secret_id) ON TABLE users.secrets TO sg_admin;
GRANT SELECT(secret_id) ON TABLE users.secrets TO sg_app_own;

--
-- Name: COLUMN secrets.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(tenant_id) ON TABLE users.secrets TO sg_app;
GRANT SELECT(tenant_id) ON TABLE users.secrets TO sg_admin;
GRANT SELECT(tenant_id) ON TABLE users.secrets TO sg_app_own;

--
-- Name: COLUMN secrets.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_id) ON TABLE users.secrets TO sg_app;
GRANT SELECT(user_id) ON TABLE users.secrets TO sg_admin;
GRANT SELECT(user_id) ON TABLE users.secrets TO sg_app_own;

--
-- Name: COLUMN secrets.purpose; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(purpose) ON TABLE users.secrets TO sg_app;
GRANT SELECT(purpose) ON TABLE users.secrets TO sg_admin;
GRANT SELECT(purpose) ON TABLE users.secrets TO sg_app_own;

--
-- Name: COLUMN secrets.key_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(key_id) ON TABLE users.secrets TO sg_app;
GRANT SELECT(key_id) ON TABLE users.secrets TO sg_admin;
GRANT UPDATE(key_id) ON TABLE users.secrets TO sg_system;
GRANT SELECT(key_id) ON TABLE users.secrets TO sg_app_own;

--
-- Name: COLUMN secrets.nonce; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(nonce) ON TABLE users.secrets TO sg_system;

--
-- Name: COLUMN secrets.ciphertext; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(ciphertext) ON TABLE users.secrets TO sg_system;

--
-- Name: COLUMN secrets.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE users.secrets TO sg_app;
GRANT SELECT(created_at) ON TABLE users.secrets TO sg_admin;
GRANT SELECT(created_at) ON TABLE users.secrets TO sg_app_own;

--
-- Name: COLUMN secrets.sealed_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(sealed_at) ON TABLE users.secrets TO sg_app;
GRANT SELECT(sealed_at) ON TABLE users.secrets TO sg_admin;
GRANT UPDATE(sealed_at) ON TABLE users.secrets TO sg_system;
GRANT SELECT(sealed_at) ON TABLE users.secrets TO sg_app_own;

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
GRANT SELECT(session_id) ON TABLE users.sessions TO sg_app_own;

--
-- Name: COLUMN sessions.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(tenant_id) ON TABLE users.sessions TO sg_app;
GRANT SELECT(tenant_id) ON TABLE users.sessions TO sg_app_own;

--
-- Name: COLUMN sessions.user_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_id) ON TABLE users.sessions TO sg_app;
GRANT SELECT(user_id) ON TABLE users.sessions TO sg_app_own;

--
-- Name: COLUMN sessions.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE users.sessions TO sg_app;
GRANT SELECT(created_at) ON TABLE users.sessions TO sg_app_own;

--
-- Name: COLUMN sessions.last_seen_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(last_seen_at) ON TABLE users.sessions TO sg_app;
GRANT SELECT(last_seen_at) ON TABLE users.sessions TO sg_app_own;

--
-- Name: COLUMN sessions.expires_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(expires_at) ON TABLE users.sessions TO sg_app;
GRANT SELECT(expires_at) ON TABLE users.sessions TO sg_app_own;

--
-- Name: COLUMN sessions.ended_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(ended_at),UPDATE(ended_at) ON TABLE users.sessions TO sg_app;
GRANT SELECT(ended_at),UPDATE(ended_at) ON TABLE users.sessions TO sg_app_own;

--
-- Name: COLUMN sessions.end_reason; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(end_reason),UPDATE(end_reason) ON TABLE users.sessions TO sg_app;
GRANT SELECT(end_reason),UPDATE(end_reason) ON TABLE users.sessions TO sg_app_own;

--
-- Name: COLUMN sessions.address; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(address) ON TABLE users.sessions TO sg_app;
GRANT SELECT(address) ON TABLE users.sessions TO sg_app_own;

--
-- Name: COLUMN sessions.user_agent; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(user_agent) ON TABLE users.sessions TO sg_app;
GRANT SELECT(user_agent) ON TABLE users.sessions TO sg_app_own;

--
-- Name: TABLE sign_in_challenges; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.sign_in_challenges TO sg_system;
GRANT SELECT ON TABLE users.sign_in_challenges TO sg_backup;

--
-- Name: TABLE subscription_changes; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.subscription_changes TO sg_app;
GRANT SELECT,DELETE ON TABLE users.subscription_changes TO sg_system;
GRANT SELECT ON TABLE users.subscription_changes TO sg_admin;
GRANT SELECT ON TABLE users.subscription_changes TO sg_backup;
GRANT INSERT ON TABLE users.subscription_changes TO sg_auth;
GRANT SELECT ON TABLE users.subscription_changes TO sg_app_own;

--
-- Name: TABLE subscriptions; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.subscriptions TO sg_app;
GRANT SELECT,DELETE,UPDATE ON TABLE users.subscriptions TO sg_system;
GRANT SELECT,UPDATE ON TABLE users.subscriptions TO sg_admin;
GRANT SELECT ON TABLE users.subscriptions TO sg_backup;
GRANT SELECT,INSERT,UPDATE ON TABLE users.subscriptions TO sg_auth;
GRANT SELECT ON TABLE users.subscriptions TO sg_app_own;

--
-- Name: TABLE tenants; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT ON TABLE users.tenants TO sg_auth;
GRANT SELECT ON TABLE users.tenants TO sg_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.tenants TO sg_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE users.tenants TO sg_admin;
GRANT SELECT ON TABLE users.tenants TO sg_backup;
GRANT SELECT ON TABLE users.tenants TO sg_app_own;

--
-- Name: COLUMN tenants.retention_class; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(retention_class) ON TABLE users.tenants TO sg_auth;

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
GRANT SELECT(user_id),INSERT(user_id) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.username; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(username),INSERT(username) ON TABLE users.users TO sg_app;
GRANT SELECT(username),INSERT(username) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.email; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(email),INSERT(email),UPDATE(email) ON TABLE users.users TO sg_app;
GRANT SELECT(email),INSERT(email),UPDATE(email) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.password_hash; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT INSERT(password_hash) ON TABLE users.users TO sg_app;
GRANT INSERT(password_hash) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.full_name; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(full_name),INSERT(full_name),UPDATE(full_name) ON TABLE users.users TO sg_app;
GRANT SELECT(full_name),INSERT(full_name),UPDATE(full_name) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.is_active; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(is_active),UPDATE(is_active) ON TABLE users.users TO sg_app;
GRANT SELECT(is_active),UPDATE(is_active) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.tenant_id; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(tenant_id),INSERT(tenant_id) ON TABLE users.users TO sg_app;
GRANT SELECT(tenant_id),INSERT(tenant_id) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.created_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(created_at) ON TABLE users.users TO sg_app;
GRANT SELECT(created_at) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.updated_at; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(updated_at) ON TABLE users.users TO sg_app;
GRANT SELECT(updated_at) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.last_login; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(last_login) ON TABLE users.users TO sg_app;
GRANT SELECT(last_login) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.must_change_password; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(must_change_password),INSERT(must_change_password) ON TABLE users.users TO sg_app;
GRANT SELECT(must_change_password),INSERT(must_change_password) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.password_last_changed; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(password_last_changed) ON TABLE users.users TO sg_app;
GRANT SELECT(password_last_changed) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.failed_login_attempts; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT UPDATE(failed_login_attempts) ON TABLE users.users TO sg_app;
GRANT UPDATE(failed_login_attempts) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.account_locked_until; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(account_locked_until),UPDATE(account_locked_until) ON TABLE users.users TO sg_app;
GRANT SELECT(account_locked_until),UPDATE(account_locked_until) ON TABLE users.users TO sg_app_own;

--
-- Name: COLUMN users.role; Type: ACL; Schema: users; Owner: sg_owner
--

GRANT SELECT(role),INSERT(role),UPDATE(role) ON TABLE users.users TO sg_app;
GRANT SELECT(role),INSERT(role),UPDATE(role) ON TABLE users.users TO sg_app_own;

--
-- Name: DEFAULT PRIVILEGES FOR FUNCTIONS; Type: DEFAULT ACL; Schema: -; Owner: sg_owner
--

ALTER DEFAULT PRIVILEGES FOR ROLE sg_owner REVOKE ALL ON FUNCTIONS  FROM PUBLIC;

--
-- Name: sg_note_schema_change; Type: EVENT TRIGGER; Schema: -; Owner: postgres
--

CREATE EVENT TRIGGER sg_note_schema_change ON ddl_command_end
   EXECUTE FUNCTION monitoring.note_schema_change();

ALTER EVENT TRIGGER sg_note_schema_change OWNER TO postgres;

--
-- Name: sg_note_schema_drop; Type: EVENT TRIGGER; Schema: -; Owner: postgres
--

CREATE EVENT TRIGGER sg_note_schema_drop ON sql_drop
   EXECUTE FUNCTION monitoring.note_schema_change();

ALTER EVENT TRIGGER sg_note_schema_drop OWNER TO postgres;

--
-- Name: sg_refuse_loose_function; Type: EVENT TRIGGER; Schema: -; Owner: postgres
--

CREATE EVENT TRIGGER sg_refuse_loose_function ON ddl_command_end
         WHEN TAG IN ('CREATE FUNCTION', 'CREATE PROCEDURE', 'ALTER FUNCTION', 'ALTER PROCEDURE', 'ALTER ROUTINE')
   EXECUTE FUNCTION users.refuse_loose_function();

ALTER EVENT TRIGGER sg_refuse_loose_function OWNER TO postgres;

--
-- PostgreSQL database dump complete
--

