-- Time series: partitions by day, week or month that are made and dropped without stopping anybody, data under legal hold, roll-ups that
-- outlive the raw rows, and the endpoint's own time where its clock was wrong.

-- ---- Partitions ------------------------------------------------------------------------------------------------------------------------

alter table agents.partition_schemes drop constraint partition_schemes_period_check;
alter table agents.partition_schemes
    add constraint partition_schemes_period_check check (period in ('day', 'week', 'month')),
    -- Jobs do not reach a partition itself: through which table they read its rows, and which of that table's rows are this scheme's.
    add column read_table text,
    add column read_condition text not null default 'true',
    -- Where rows under legal hold go: a table with the same columns, or a retention class of the same table; null: the partition stays.
    add column held_table text,
    add column held_class smallint;
update agents.partition_schemes set read_table = 'agents.system_info', held_class = 0,
    read_condition = 'retention_class = ' || substring(parent_table from '[0-9]+$')
where parent_table like 'agents.system\_info\_class\_%';
update agents.partition_schemes set held_table = 'agents.events_held' where parent_table = 'agents.events';
-- Months that exist stay until they expire; weeks go on where they end.
update agents.partition_schemes set period = 'week' where parent_table = 'audit.login_attempts';
comment on table agents.partition_schemes is 'Which tables have partitions by time, how long one is, and for how long its rows are kept.';

-- What a partition holds is what its bounds say, not its name.
create function agents.partition_bounds(p_parent text)
returns table (partition_name text, lower_bound timestamptz, upper_bound timestamptz)
language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' as $$
    select i.inhrelid::regclass::text,
        case b.bounds[1] when 'MINVALUE' then '-infinity' else btrim(b.bounds[1], '''') end::timestamptz,
        case b.bounds[2] when 'MAXVALUE' then 'infinity' else btrim(b.bounds[2], '''') end::timestamptz
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p')
    cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') as b (bounds)
    where i.inhparent = to_regclass(p_parent) and b.bounds is not null
$$;
comment on function agents.partition_bounds(text) is 'The partitions of a table with the times that they hold; the default one is left out.';

-- Makes the partition of `p_parent` for the period around `p_day`, clipped by those that are there. The table is made beside its parent and then
-- attached, which lets everybody read and write the parent meanwhile; only the default partition is locked, until the commit.
drop function agents.ensure_partitions(timestamptz, integer);
drop function agents.drop_expired_partitions(timestamptz);
create or replace function agents.create_partition(p_parent text, p_period text, p_day date) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function agents.create_partition(text, text, date) is
    'Makes the partition for the period around a day, as far as none holds it; false when there is nothing to make.';

-- The lock on a default partition is asked for during half a second at most: whoever reads meanwhile waits behind the question. A partition whose
-- turn does not come is left for the next run. `p_limit` keeps a transaction short: a job makes one partition in each.
create function agents.ensure_partitions(p_at timestamptz, p_ahead integer, p_limit integer default null) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '60s' as $$
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
comment on function agents.ensure_partitions(timestamptz, integer, integer) is
    'Makes the partitions from two days ago to the given number of periods ahead, at most p_limit of them; returns how many it made.';

-- Rows of a time that no partition holds wait in the default one; this makes their partition, into which they move.
create function agents.ensure_partition_of(p_parent text, p_at timestamptz) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '60s' as $$
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
comment on function agents.ensure_partition_of(text, timestamptz) is
    'Makes the partition of a table of agents.partition_schemes that holds the given time; false when it is there or is in use.';

-- The times that no partition of a table holds.
create function agents.partition_holes(p_parent text) returns table (from_at timestamptz, to_at timestamptz)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select h.from_at, h.to_at
    from (
        select coalesce(lag(b.upper_bound) over (order by b.lower_bound), '-infinity') as from_at, b.lower_bound as to_at
        from agents.partition_bounds(p_parent) b
        union all
        select coalesce(max(b.upper_bound), '-infinity'), 'infinity' from agents.partition_bounds(p_parent) b
    ) h
    where h.from_at < h.to_at
$$;
comment on function agents.partition_holes(text) is 'The ranges of time whose rows go into the default partition of a table.';

-- What waits in default partitions: counted up to a thousand for each table, through the table that its caller may read.
create function agents.list_default_rows() returns table (parent_table text, row_count bigint, oldest_at timestamptz, newest_at timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function agents.list_default_rows() is 'How many rows wait in the default partition of each table, up to a thousand.';

-- How many whole periods after the present one have their partition, without a hole; -1 when the present one has none.
create function agents.list_partitions_ahead(p_at timestamptz) returns table (parent_table text, period text, ahead integer)
language sql stable set search_path = pg_catalog, pg_temp as $$
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
comment on function agents.list_partitions_ahead(timestamptz) is
    'How many periods after the present one have their partition, up to twelve; -1 when not even the present one has.';

-- ---- Legal hold ------------------------------------------------------------------------------------------------------------------------

create table agents.legal_holds (
    hold_id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references users.tenants (tenant_id),
    -- One endpoint, or the whole tenant.
    agent_id uuid,
    -- Which times are held; an end that is null stays open.
    from_at timestamptz not null,
    to_at timestamptz,
    reason text not null,
    placed_by uuid not null,
    placed_at timestamptz not null,
    released_by uuid,
    released_at timestamptz,
    constraint legal_holds_range_check check (to_at > from_at),
    constraint legal_holds_times_check check (isfinite(from_at) and isfinite(to_at) and isfinite(placed_at) and isfinite(released_at)),
    constraint legal_holds_reason_check check (length(btrim(reason)) between 1 and 2000),
    constraint legal_holds_release_check check ((released_at is null) = (released_by is null) and released_at >= placed_at),
    constraint legal_holds_agent_id_fkey foreign key (tenant_id, agent_id) references agents.endpoints (tenant_id, agent_id),
    constraint legal_holds_placed_by_fkey foreign key (tenant_id, placed_by) references users.memberships (tenant_id, user_id),
    constraint legal_holds_released_by_fkey foreign key (tenant_id, released_by) references users.memberships (tenant_id, user_id)
);
create index legal_holds_tenant_id_agent_id_idx on agents.legal_holds (tenant_id, agent_id);
create index legal_holds_tenant_id_placed_by_idx on agents.legal_holds (tenant_id, placed_by);
create index legal_holds_tenant_id_released_by_idx on agents.legal_holds (tenant_id, released_by);
create index legal_holds_tenant_id_placed_at_idx on agents.legal_holds (tenant_id, placed_at desc, hold_id desc);
comment on table agents.legal_holds is 'Telemetry that must not expire: a tenant''s, or one endpoint''s, of a range of time, until the hold is released.';

-- A hold is placed once and released once; what it covers never changes.
create function agents.guard_legal_hold() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
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
create trigger guard_legal_hold before update on agents.legal_holds for each row execute function agents.guard_legal_hold();
create trigger record_row_change after insert or update or delete on agents.legal_holds
    for each row execute function audit.record_row_change('hold_id');
select users.enable_tenant_isolation('agents.legal_holds');
create policy own_scope on agents.legal_holds as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_name_only on agents.legal_holds as restrictive for insert to sg_app
    with check (placed_by = (select users.current_user_id()) and released_at is null);
create policy own_release_only on agents.legal_holds as restrictive for update to sg_app
    using (true) with check (released_by = (select users.current_user_id()));
-- The function that drops partitions is the owner's; it has to see what it must not drop.
create policy owner_access on agents.legal_holds for select to sg_owner using (true);
grant select on agents.legal_holds to sg_app, sg_system, sg_admin, sg_backup;
grant insert (hold_id, tenant_id, agent_id, from_at, to_at, reason, placed_by, placed_at) on agents.legal_holds to sg_app;
grant update (released_at, released_by) on agents.legal_holds to sg_app;
grant insert, update on agents.legal_holds to sg_admin;
-- What takes a lock against holds that are placed meanwhile.
grant update on agents.legal_holds to sg_system;

-- Whether rows under a hold that has not been released may be among those of a range of time.
create function agents.hold_condition(p_alias text, p_time_column text, p_has_agent boolean) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format('exists (select from agents.legal_holds h where h.released_at is null and h.tenant_id = %1$I.tenant_id
        and (h.agent_id is null %3$s) and h.from_at <= %1$I.%2$I and (h.to_at is null or h.to_at > %1$I.%2$I))',
        p_alias, p_time_column, case when p_has_agent then format('or h.agent_id = %I.agent_id', p_alias) end)
$$;
comment on function agents.hold_condition(text, text, boolean) is 'The SQL condition that a row of a table is under legal hold.';

-- Held events wait in a table like theirs, under the same policies.
create table agents.events_held (like agents.events including all);
alter table agents.events_held add constraint events_held_agent_id_fkey foreign key (tenant_id, agent_id)
    references agents.endpoints (tenant_id, agent_id) on delete cascade;
select users.enable_tenant_isolation('agents.events_held');
create policy own_scope on agents.events_held as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or agent_id in (select e.agent_id from agents.endpoints e));
grant select on agents.events_held to sg_app, sg_admin, sg_backup;
grant select, insert, delete on agents.events_held to sg_system;
comment on table agents.events_held is 'Events that are past their retention and under legal hold.';

-- The partitions whose every row is past its retention.
create function agents.list_expired_partitions(p_at timestamptz)
returns table (parent_table text, partition_name text, lower_bound timestamptz, upper_bound timestamptz)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select s.parent_table, b.partition_name, b.lower_bound, b.upper_bound
    from agents.partition_schemes s
    cross join lateral agents.partition_bounds(s.parent_table) b
    -- A partition from the beginning of time holds what an earlier database left; that is a person's decision.
    where s.keep_days is not null and isfinite(b.lower_bound) and isfinite(b.upper_bound)
        and b.upper_bound < p_at - make_interval(days => s.keep_days)
$$;
comment on function agents.list_expired_partitions(timestamptz) is 'The partitions whose every row is past its retention.';

-- Moves the held rows out of the partitions that expire. Runs with its caller's rights, through the tables that the caller may reach.
create function agents.move_held_rows(p_at timestamptz) returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
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
comment on function agents.move_held_rows(timestamptz) is 'Moves rows under legal hold out of the partitions that expire; returns how many.';

-- Dropping locks the whole table for a moment, which is asked for during half a second at most. A partition with rows under hold stays,
-- whoever calls and whatever was moved before.
create function agents.drop_expired_partitions(p_at timestamptz, p_limit integer default null) returns setof text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '60s' as $$
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
comment on function agents.drop_expired_partitions(timestamptz, integer) is
    'Drops partitions whose every row is past its retention and under no legal hold, at most p_limit of them; returns their names.';

-- ---- Roll-ups ----------------------------------------------------------------------------------------------------------------------------

create table agents.system_info_hourly (
    tenant_id uuid not null,
    agent_id uuid not null,
    hour_at timestamptz not null,
    sample_count bigint not null,
    cpu_min double precision, cpu_avg double precision, cpu_max double precision, cpu_count bigint not null,
    memory_min double precision, memory_avg double precision, memory_max double precision, memory_count bigint not null,
    disk_min double precision, disk_avg double precision, disk_max double precision, disk_count bigint not null,
    rx_min double precision, rx_avg double precision, rx_max double precision, rx_count bigint not null,
    tx_min double precision, tx_avg double precision, tx_max double precision, tx_count bigint not null,
    processes_min double precision, processes_avg double precision, processes_max double precision, processes_count bigint not null,
    constraint system_info_hourly_pkey primary key (agent_id, hour_at),
    constraint system_info_hourly_hour_at_check check (hour_at = date_trunc('hour', hour_at, 'UTC')),
    constraint system_info_hourly_sample_count_check check (sample_count >= 1),
    constraint system_info_hourly_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
) partition by range (hour_at);
create index system_info_hourly_tenant_id_agent_id_idx on agents.system_info_hourly (tenant_id, agent_id);
comment on table agents.system_info_hourly is 'Least, mean, greatest and number of each measure of an endpoint, hour by hour.';

create table agents.system_info_daily (
    like agents.system_info_hourly,
    constraint system_info_daily_pkey primary key (agent_id, hour_at),
    constraint system_info_daily_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
) partition by range (hour_at);
alter table agents.system_info_daily rename column hour_at to day_at;
alter table agents.system_info_daily
    add constraint system_info_daily_day_at_check check (day_at = date_trunc('day', day_at, 'UTC')),
    add constraint system_info_daily_sample_count_check check (sample_count >= 1);
create index system_info_daily_tenant_id_agent_id_idx on agents.system_info_daily (tenant_id, agent_id);
comment on table agents.system_info_daily is 'Least, mean, greatest and number of each measure of an endpoint, day by day (UTC).';

-- Hours whose roll-up lacks rows. Whoever stores a row notes its hour in the same transaction, so that late rows are taken in too.
create table agents.rollup_queue (
    tenant_id uuid not null,
    agent_id uuid not null,
    hour_at timestamptz not null,
    marked_at timestamptz not null default now(),
    constraint rollup_queue_pkey primary key (agent_id, hour_at),
    constraint rollup_queue_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
) with (fillfactor = 50);
create index rollup_queue_tenant_id_agent_id_idx on agents.rollup_queue (tenant_id, agent_id);
comment on table agents.rollup_queue is 'Hours of endpoints whose roll-up has to be computed.';

-- Days of which every hour has to be rolled up: those that were there before the roll-ups.
create table agents.rollup_backfill (day date primary key);
comment on table agents.rollup_backfill is 'Days whose every hour has to be noted for the roll-ups, such as those from before them.';
insert into agents.rollup_backfill (day)
select distinct d.day::date
from (values ('agents.system_info_class_30'), ('agents.system_info_class_90'), ('agents.system_info_class_400')) as p (parent_table)
cross join lateral agents.partition_bounds(p.parent_table) b
cross join lateral generate_series(b.lower_bound at time zone 'UTC', (b.upper_bound - interval '1 day') at time zone 'UTC', interval '1 day') as d (day)
where isfinite(b.lower_bound) and d.day <= now() at time zone 'UTC';

-- An update, not "do nothing": it locks the note, so that the job does not take it before the row that it stands for is there to be seen.
create function agents.note_hours_to_roll_up() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into agents.rollup_queue (tenant_id, agent_id, hour_at)
    select distinct a.tenant_id, a.agent_id, date_trunc('hour', a.collected_at, 'UTC') from added a order by 2, 3
    on conflict (agent_id, hour_at) do update set marked_at = excluded.marked_at;
    return null;
end
$$;

-- Takes up to `p_limit` noted hours that have ended, computes them from the raw rows and the days from the hours. What was computed from more
-- rows than are left stays: raw rows expire before their roll-ups do.
create function agents.roll_up(p_at timestamptz, p_limit integer) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
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
comment on function agents.roll_up(timestamptz, integer) is
    'Computes the roll-ups of noted hours that have ended, and of their days; returns how many hours it took. Idempotent.';

-- Notes every hour of one day from before the roll-ups, newest first.
create function agents.backfill_rollups() returns date
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
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
comment on function agents.backfill_rollups() is 'Notes the hours of one day of agents.rollup_backfill and takes it off the list; null when the list is empty.';

create table agents.system_info_hourly_default partition of agents.system_info_hourly default;
create table agents.system_info_daily_default partition of agents.system_info_daily default;
alter table agents.system_info_hourly_default enable row level security, force row level security;
alter table agents.system_info_daily_default enable row level security, force row level security;
insert into agents.partition_schemes (parent_table, period, keep_days)
values ('agents.system_info_hourly', 'month', 400), ('agents.system_info_daily', 'month', 1826);

select users.enable_tenant_isolation(t)
from unnest(array['agents.system_info_hourly', 'agents.system_info_daily', 'agents.rollup_queue']) t;
create policy own_scope on agents.system_info_hourly as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or agent_id in (select e.agent_id from agents.endpoints e));
create policy own_scope on agents.system_info_daily as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or agent_id in (select e.agent_id from agents.endpoints e));
grant select on agents.system_info_hourly, agents.system_info_daily to sg_app, sg_admin;
grant select, insert, update, delete on agents.system_info_hourly, agents.system_info_daily to sg_system;
grant select, insert, update, delete on agents.rollup_queue to sg_system, sg_admin;
grant select, insert, delete, update on agents.rollup_backfill to sg_system, sg_admin;
grant select on agents.system_info_hourly, agents.system_info_daily, agents.rollup_queue, agents.rollup_backfill to sg_backup;

grant execute on function agents.ensure_partitions(timestamptz, integer, integer), agents.drop_expired_partitions(timestamptz, integer),
    agents.ensure_partition_of(text, timestamptz), agents.list_default_rows(), agents.list_partitions_ahead(timestamptz),
    agents.list_expired_partitions(timestamptz), agents.move_held_rows(timestamptz), agents.roll_up(timestamptz, integer),
    agents.backfill_rollups(), agents.partition_bounds(text), agents.partition_column(text), agents.partition_holes(text),
    agents.hold_condition(text, text, boolean) to sg_system;
grant execute on function agents.list_default_rows(), agents.list_partitions_ahead(timestamptz), agents.list_expired_partitions(timestamptz),
    agents.partition_bounds(text), agents.partition_column(text), agents.partition_holes(text) to sg_admin;

-- ---- What the alert rules watch ----------------------------------------------------------------------------------------------------------

-- Figures that can be told by the database itself, for the rules that ask for them. Kinds without a figure here have no evaluator.
create function monitoring.measure(p_at timestamptz) returns table (tenant_id uuid, kind text, subject text, value numeric)
language sql stable set search_path = pg_catalog, pg_temp as $$
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
comment on function monitoring.measure(timestamptz) is 'The figures that alert rules watch, by tenant, kind and subject.';

-- Compares every figure with its rule: raises what is beyond the threshold, clears what is not, also where the rule was switched off.
create function monitoring.evaluate_rules(p_at timestamptz) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
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
comment on function monitoring.evaluate_rules(timestamptz) is 'Raises and clears alerts by what the database can tell; returns how many hold.';
grant execute on function monitoring.measure(timestamptz), monitoring.evaluate_rules(timestamptz) to sg_system;

-- ---- What locks the tables that endpoints write to: last, since a lock lasts until the commit ------------------------------------------------

-- Held metrics are a class of their own, which is no tenant's and which no job drops: readable through the table as before.
create table agents.system_info_held partition of agents.system_info for values in (0);
alter table agents.system_info_held enable row level security, force row level security;

-- Where a clock was wrong, the time of the receipt rules and the endpoint's own is kept.
alter table agents.system_info add column agent_collected_at timestamptz;
alter table agents.events add column agent_occurred_at timestamptz;
alter table agents.events_held add column agent_occurred_at timestamptz;
comment on column agents.system_info.agent_collected_at is 'The time by the endpoint''s clock, where it could not be true and collected_at is that of the receipt.';
comment on column agents.events.agent_occurred_at is 'The time by the endpoint''s clock, where it could not be true and occurred_at is that of the receipt.';

create trigger note_hours_to_roll_up after insert on agents.system_info referencing new table as added
    for each statement execute function agents.note_hours_to_roll_up();
