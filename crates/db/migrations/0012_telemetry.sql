-- What endpoints send: identity, heartbeats, streams, metrics, events, gaps. The tables that grow are partitioned, so that retention is a drop.

create table agents.agent_tokens (
    token_hash bytea primary key,
    tenant_id uuid not null,
    agent_id uuid not null,
    created_at timestamptz not null,
    revoked_at timestamptz,
    revoke_reason text,
    constraint agent_tokens_token_hash_check check (length(token_hash) = 32),
    constraint agent_tokens_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
);
create index agent_tokens_tenant_id_agent_id_idx on agents.agent_tokens (tenant_id, agent_id);

-- One narrow row for each endpoint takes every check-in. No indexed column changes, so each update is a HOT update; the documented and indexed
-- agents.endpoints.last_seen follows when the endpoint's state changes and once an hour.
create table agents.heartbeats (
    agent_id uuid primary key,
    tenant_id uuid not null,
    last_seen_at timestamptz not null,
    online boolean not null default true,
    rules_version bigint not null default 0,
    backlog_records bigint not null default 0,
    clock_offset_ms bigint not null default 0,
    -- What the agent said at its last check-in; another one than at enrolment is reported once, not at each check-in.
    hardware_fingerprint text,
    sources jsonb not null default '[]'::jsonb,
    constraint heartbeats_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
) with (fillfactor = 50);
create index heartbeats_tenant_id_agent_id_idx on agents.heartbeats (tenant_id, agent_id);

-- A stream is (agent, epoch). Its high-water mark moves in the transaction that stores the records, which makes a repeat harmless; the two
-- last turns tell the agent from a copy of its state.
create table agents.streams (
    agent_id uuid not null,
    epoch uuid not null,
    tenant_id uuid not null,
    acknowledged_through bigint not null default 0,
    turn uuid not null,
    previous_turn uuid not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    constraint streams_pkey primary key (agent_id, epoch),
    constraint streams_acknowledged_through_check check (acknowledged_through >= 0),
    constraint streams_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
) with (fillfactor = 50);
create index streams_tenant_id_agent_id_idx on agents.streams (tenant_id, agent_id);

-- A hole in what an endpoint told, as the agent or the server noticed it.
create table agents.gaps (
    gap_id uuid primary key,
    tenant_id uuid not null,
    agent_id uuid not null,
    noticed_by text not null,
    reason text not null,
    lost_records bigint,
    from_at timestamptz not null,
    to_at timestamptz not null,
    detail text,
    recorded_at timestamptz not null,
    constraint gaps_noticed_by_check check (noticed_by in ('agent', 'server')),
    constraint gaps_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
);
create index gaps_tenant_id_agent_id_recorded_at_idx on agents.gaps (tenant_id, agent_id, recorded_at desc);

-- agents.system_info: by retention class, then by day.
alter table agents.system_info rename to system_info_unpartitioned;
alter index agents.system_info_pkey rename to system_info_unpartitioned_pkey;
create table agents.system_info (
    info_id uuid not null default users.time_ordered_uuid(),
    agent_id uuid not null,
    cpu_usage numeric(9, 2),
    memory_usage numeric(9, 2),
    disk_usage numeric(9, 2),
    network_usage jsonb,
    uptime bigint,
    process_count integer,
    service_status jsonb,
    collected_at timestamptz not null default now(),
    tenant_id uuid not null,
    retention_class smallint not null default 90,
    received_at timestamptz not null default now(),
    -- A unique key of a partitioned table has to carry the partition columns.
    constraint system_info_pkey primary key (info_id, retention_class, collected_at),
    -- Processor use may exceed 100 where a source counts each core; no measure is negative or NaN.
    constraint system_info_cpu_usage_check check (cpu_usage between 0 and 1000000),
    constraint system_info_memory_usage_check check (memory_usage between 0 and 100),
    constraint system_info_disk_usage_check check (disk_usage between 0 and 100),
    constraint system_info_collected_at_check check (isfinite(collected_at)),
    constraint system_info_uptime_check check (uptime >= 0),
    constraint system_info_process_count_check check (process_count >= 0),
    constraint system_info_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
) partition by list (retention_class);
create index system_info_agent_id_collected_at_idx on agents.system_info (agent_id, collected_at desc);
create index system_info_tenant_id_agent_id_idx on agents.system_info (tenant_id, agent_id);
create trigger derive_tenant before insert on agents.system_info
    for each row when (new.tenant_id is null) execute function users.derive_tenant();
create table agents.system_info_class_30 partition of agents.system_info for values in (30) partition by range (collected_at);
create table agents.system_info_class_90 partition of agents.system_info for values in (90) partition by range (collected_at);
create table agents.system_info_class_400 partition of agents.system_info for values in (400) partition by range (collected_at);

create table agents.events (
    event_id uuid not null,
    tenant_id uuid not null,
    agent_id uuid not null,
    kind text not null,
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    detail jsonb not null,
    constraint events_pkey primary key (event_id, occurred_at),
    constraint events_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
) partition by range (occurred_at);
create index events_tenant_id_agent_id_occurred_at_idx on agents.events (tenant_id, agent_id, occurred_at desc);

-- Which tables have partitions by time, how long one is, and for how long they are kept (null: by a decision of its own).
create table agents.partition_schemes (
    parent_table text primary key,
    period text not null,
    keep_days integer,
    constraint partition_schemes_period_check check (period in ('day', 'month')),
    constraint partition_schemes_keep_days_check check (keep_days > 0)
);
insert into agents.partition_schemes (parent_table, period, keep_days)
values
    ('agents.system_info_class_30', 'day', 30),
    ('agents.system_info_class_90', 'day', 90),
    ('agents.system_info_class_400', 'day', 400),
    ('agents.events', 'day', 30),
    ('audit.login_attempts', 'month', 400);

-- The column by which the partitions of `p_parent` are told apart.
create function agents.partition_column(p_parent text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select a.attname::text
    from pg_partitioned_table p join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
    where p.partrelid = to_regclass(p_parent)
$$;

create function agents.create_partition(p_parent text, p_period text, p_day date) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
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
$$;

create function agents.ensure_partitions(p_at timestamptz, p_days_ahead integer) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
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
comment on function agents.ensure_partitions(timestamptz, integer) is
    'Makes the partitions from two days ago to the given number of days ahead; returns how many were missing.';

create function agents.drop_expired_partitions(p_at timestamptz) returns setof text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function agents.drop_expired_partitions(timestamptz) is 'Drops the partitions whose every row is past its retention; returns their names.';

-- The partitions around now, and those that the rows of an earlier database need. What is past its retention already goes into a partition that
-- no job drops: nothing is lost without somebody's decision. What lies ahead of time goes into a default partition.
select agents.ensure_partitions(now(), 8);
do $$
declare
    first_day constant date := (now() at time zone 'UTC')::date - 90;
begin
    perform agents.create_partition('agents.system_info_class_90', 'day', d.day)
    from (select distinct (collected_at at time zone 'UTC')::date as day from agents.system_info_unpartitioned) d
    where d.day between first_day and (now() at time zone 'UTC')::date;
    if exists (select from agents.system_info_unpartitioned where collected_at < first_day::timestamp at time zone 'UTC') then
        execute format(
            'create table agents.system_info_class_90_earlier partition of agents.system_info_class_90 for values from (minvalue) to (%L)',
            first_day::timestamp at time zone 'UTC');
        alter table agents.system_info_class_90_earlier enable row level security, force row level security;
    end if;
end
$$;
create table agents.system_info_class_30_default partition of agents.system_info_class_30 default;
create table agents.system_info_class_90_default partition of agents.system_info_class_90 default;
create table agents.system_info_class_400_default partition of agents.system_info_class_400 default;
create table agents.events_default partition of agents.events default;
create table audit.login_attempts_default partition of audit.login_attempts default;
alter table agents.system_info_class_30_default enable row level security, force row level security;
alter table agents.system_info_class_90_default enable row level security, force row level security;
alter table agents.system_info_class_400_default enable row level security, force row level security;
alter table agents.events_default enable row level security, force row level security;
alter table audit.login_attempts_default enable row level security, force row level security;
insert into agents.system_info (
    info_id, agent_id, cpu_usage, memory_usage, disk_usage, network_usage, uptime, process_count, service_status, collected_at, tenant_id,
    received_at)
select s.info_id, s.agent_id, s.cpu_usage, s.memory_usage, s.disk_usage, s.network_usage, s.uptime, s.process_count, s.service_status,
    s.collected_at, e.tenant_id, s.collected_at
from agents.system_info_unpartitioned s
join agents.endpoints e on e.agent_id = s.agent_id;
drop table agents.system_info_unpartitioned;
