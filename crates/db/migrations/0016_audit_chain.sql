-- The audit log that an outsider can check: each row is hashed when it is written and waits in audit.unsealed, until a job of the server links
-- it into its tenant's chain (audit.chain) and signs the chain's end (audit.checkpoints) with a key that the database never sees.
-- docs/audit.md has the encoding byte by byte.

-- Rows of earlier versions have no hash of their own: the chain takes the hash of what they are when it is begun.
alter table audit.events add column row_hash bytea;
alter table audit.row_changes add column row_hash bytea;
alter table audit.login_attempts add column row_hash bytea;

-- What the server itself adds to a chain: signed, so that nobody who can write to the database can excuse a loss.
create table audit.chain_records (
    record_id uuid not null,
    tenant_id uuid not null references users.tenants (tenant_id),
    occurred_at timestamptz not null,
    kind text not null,
    -- JSON, kept as the text that was signed.
    body text not null,
    key_id text not null,
    signature bytea not null,
    row_hash bytea,
    constraint chain_records_pkey primary key (record_id),
    constraint chain_records_kind_check check (kind in ('retention', 'erasure', 'fork')),
    constraint chain_records_signature_check check (length(signature) = 64)
);
create index chain_records_tenant_id_occurred_at_idx on audit.chain_records (tenant_id, occurred_at desc);

-- Committed rows that are not in a chain yet. A row appears here in the moment in which its transaction commits, however late that is: the
-- sealing needs no order of ids and no transaction numbers, which start again when a dump is restored elsewhere.
create table audit.unsealed (
    tenant_id uuid not null,
    table_code smallint not null,
    row_id uuid not null,
    row_time timestamptz not null,
    row_hash bytea
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

create table audit.chain (
    tenant_id uuid not null,
    position bigint not null,
    -- 1 audit.events, 2 audit.row_changes, 3 audit.login_attempts, 4 audit.chain_records
    table_code smallint not null,
    row_id uuid not null,
    row_time timestamptz not null,
    row_hash bytea not null,
    link bytea not null,
    constraint chain_pkey primary key (tenant_id, position),
    constraint chain_position_check check (position >= 1),
    constraint chain_table_code_check check (table_code between 1 and 4),
    constraint chain_hashes_check check (length(row_hash) = 32 and length(link) = 32)
);

create table audit.chain_heads (
    tenant_id uuid not null references users.tenants (tenant_id),
    position bigint not null,
    link bytea not null,
    checkpoint_position bigint not null default 0,
    checkpoint_at timestamptz,
    constraint chain_heads_pkey primary key (tenant_id)
);

create table audit.checkpoints (
    tenant_id uuid not null references users.tenants (tenant_id),
    position bigint not null,
    link bytea not null,
    signed_at timestamptz not null,
    key_id text not null,
    signature bytea not null,
    constraint checkpoints_pkey primary key (tenant_id, position, signed_at),
    constraint checkpoints_signature_check check (length(link) = 32 and length(signature) = 64)
);

create table audit.export_positions (
    tenant_id uuid not null references users.tenants (tenant_id),
    sink text not null,
    position bigint not null,
    exported_at timestamptz not null,
    constraint export_positions_pkey primary key (tenant_id, sink)
);

-- Encodings. record_send of byte strings alone is: number of fields, then for each one the constant 17, its length (-1 for null), its bytes.
create function audit.seal_event() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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

create function audit.seal_row_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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

create function audit.seal_login_attempt() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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

create function audit.seal_chain_record() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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

-- Whose deletion is lawful: the rows of an erased tenant, by the function for that, whose owner nobody signs in as.
create or replace function audit.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'DELETE' and current_user = 'sg_auth' then
        if exists (select from users.tenants t where t.tenant_id = old.tenant_id and t.status = 'erased') then
            return old;
        end if;
    end if;
    raise exception 'audit records are append-only: % on %.% is refused', lower(tg_op), tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;
create trigger refuse_change before update or delete on audit.chain for each row execute function audit.refuse_change();
create trigger refuse_change before update or delete on audit.chain_records for each row execute function audit.refuse_change();
create trigger refuse_change before update or delete on audit.checkpoints for each row execute function audit.refuse_change();
create trigger refuse_truncate before truncate on audit.chain execute function audit.refuse_change();
create trigger refuse_truncate before truncate on audit.chain_records execute function audit.refuse_change();
create trigger refuse_truncate before truncate on audit.checkpoints execute function audit.refuse_change();
create trigger refuse_truncate before truncate on audit.chain_heads execute function audit.refuse_change();
create trigger refuse_truncate before truncate on audit.export_positions execute function audit.refuse_change();
create trigger refuse_truncate before truncate on audit.unsealed execute function audit.refuse_change();

-- A tenant whose data is gone; only the row that says so stays.
alter table users.tenants drop constraint tenants_status_check;
alter table users.tenants add constraint tenants_status_check check (status in ('active', 'suspended', 'erased')) not valid;
alter table users.tenants validate constraint tenants_status_check;

select users.enable_tenant_isolation(t) from unnest(array[
    'audit.chain_records', 'audit.unsealed', 'audit.chain', 'audit.chain_heads', 'audit.checkpoints', 'audit.export_positions']) t;
create policy own_scope on audit.chain_records as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on audit.chain_heads as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on audit.checkpoints as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on audit.export_positions as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');

-- sg_auth queues what the triggers hash, and erases what belongs to an erased tenant.
drop policy auth_access on audit.row_changes;
do $$
declare
    a_table text;
begin
    foreach a_table in array array['audit.events', 'audit.row_changes', 'audit.login_attempts', 'audit.chain_records', 'audit.chain',
        'audit.checkpoints', 'audit.unsealed']
    loop
        execute format(
            'create policy auth_access on %s for all to sg_auth
                using (tenant_id in (select t.tenant_id from users.tenants t where t.status = ''erased'')) with check (true)', a_table);
        execute format('grant select, delete on %s to sg_auth', a_table);
    end loop;
end
$$;
grant insert on audit.unsealed to sg_auth;

grant select on audit.chain_records, audit.chain_heads, audit.checkpoints, audit.export_positions to sg_app;
grant select, insert on audit.chain_records, audit.chain, audit.checkpoints to sg_system;
grant select, delete on audit.unsealed to sg_system;
grant select, insert on audit.chain_heads, audit.export_positions to sg_system;
grant update (position, link, checkpoint_position, checkpoint_at) on audit.chain_heads to sg_system;
grant update (position, exported_at) on audit.export_positions to sg_system;
grant select on audit.chain_records, audit.unsealed, audit.chain, audit.chain_heads, audit.checkpoints, audit.export_positions
    to sg_admin, sg_backup;

-- Nobody but the owner sets a hash.
revoke insert on audit.events from sg_app, sg_system, sg_admin;
revoke insert on audit.row_changes from sg_auth, sg_system, sg_admin;
revoke insert on audit.login_attempts, audit.chain_records from sg_system;
grant insert (event_id, tenant_id, occurred_at, transaction_id, actor_kind, actor_id, actor_name, action, object_kind, object_id, outcome,
    reason, request_id, address, detail) on audit.events to sg_app, sg_system, sg_admin;
grant insert (change_id, tenant_id, occurred_at, transaction_id, table_name, operation, row_id, before, after, database_role)
    on audit.row_changes to sg_auth, sg_system, sg_admin;
grant insert (attempt_id, tenant_id, occurred_at, user_id, username_or_digest, outcome, method, address, user_agent, request_id)
    on audit.login_attempts to sg_system;
grant insert (record_id, tenant_id, occurred_at, kind, body, key_id, signature) on audit.chain_records to sg_system;

-- Removes up to `p_limit` rows from each audit table of an erased tenant, all but the record that tells of the erasure; returns how many.
create function audit.erase_rows(p_tenant_id uuid, p_record_id uuid, p_limit integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
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
comment on function audit.erase_rows(uuid, uuid, integer) is
    'Removes audit rows of a tenant whose status is erased, in steps; the chain keeps the signed record of the erasure.';

-- Drops one partition of the audit log of which every row is older than a year. Who may call it signs a record for each tenant first.
create function audit.drop_partition(p_partition text, p_at timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    ends timestamptz;
begin
    perform pg_advisory_xact_lock(hashtextextended('agents.ensure_partitions', 0));
    select (to_date(right(c.relname, 8), 'YYYYMMDD') + interval '1 month') at time zone 'UTC' into ends
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhrelid = to_regclass(p_partition) and c.relname ~ '_[0-9]{8}$'
        and i.inhparent in ('audit.events'::regclass, 'audit.row_changes'::regclass, 'audit.login_attempts'::regclass);
    if ends is null or ends > p_at - interval '365 days' or ends > now() - interval '365 days' then
        raise exception '% is no partition of the audit log that is older than a year', p_partition
            using errcode = 'invalid_parameter_value';
    end if;
    execute format('drop table %s', to_regclass(p_partition));
end
$$;
comment on function audit.drop_partition(text, timestamptz) is 'Drops a partition of the audit log whose every row is older than 365 days.';

-- Sign-in attempts expire with a signed record too, by the job that keeps the chain.
update agents.partition_schemes set keep_days = null where parent_table = 'audit.login_attempts';

-- What a search asks for. Built on each partition after this step, without standing in the way of writers: see `complete_indexes`.
create index events_tenant_id_object_id_idx on only audit.events (tenant_id, object_id, occurred_at desc, event_id desc);
create index events_tenant_id_actor_name_idx on only audit.events (tenant_id, actor_name, occurred_at desc, event_id desc);
create index events_tenant_id_action_idx on only audit.events (tenant_id, action collate "C", occurred_at desc, event_id desc);
create index events_tenant_id_request_id_idx on only audit.events (tenant_id, request_id, occurred_at desc, event_id desc);
create index events_tenant_id_address_idx on only audit.events (tenant_id, address, occurred_at desc, event_id desc);

revoke all on function audit.seal_event(), audit.seal_row_change(), audit.seal_login_attempt(), audit.seal_chain_record(),
    audit.erase_rows(uuid, uuid, integer), audit.drop_partition(text, timestamptz) from public;
grant execute on function audit.erase_rows(uuid, uuid, integer), audit.drop_partition(text, timestamptz) to sg_system;
grant create on schema audit to sg_auth;
alter function audit.seal_event() owner to sg_auth;
alter function audit.seal_row_change() owner to sg_auth;
alter function audit.seal_login_attempt() owner to sg_auth;
alter function audit.seal_chain_record() owner to sg_auth;
alter function audit.erase_rows(uuid, uuid, integer) owner to sg_auth;
set local role sg_auth;
-- Making a partition clones the parent's triggers, which takes the right to their functions.
grant execute on function audit.seal_event(), audit.seal_row_change(), audit.seal_login_attempt(), audit.seal_chain_record() to sg_owner;
set local role sg_owner;
revoke create on schema audit from sg_auth;

create trigger seal_row before insert on audit.events for each row execute function audit.seal_event();
create trigger seal_row before insert on audit.row_changes for each row execute function audit.seal_row_change();
create trigger seal_row before insert on audit.login_attempts for each row execute function audit.seal_login_attempt();
create trigger seal_row before insert on audit.chain_records for each row execute function audit.seal_chain_record();

-- What is there already waits for its place in the chain as everything else does. Last, because it is what takes time.
alter table audit.events no force row level security;
alter table audit.row_changes no force row level security;
alter table audit.login_attempts no force row level security;
alter table audit.unsealed no force row level security;
insert into audit.unsealed (tenant_id, table_code, row_id, row_time) select tenant_id, 1, event_id, occurred_at from audit.events;
insert into audit.unsealed (tenant_id, table_code, row_id, row_time) select tenant_id, 2, change_id, occurred_at from audit.row_changes;
insert into audit.unsealed (tenant_id, table_code, row_id, row_time) select tenant_id, 3, attempt_id, occurred_at from audit.login_attempts;
alter table audit.events force row level security;
alter table audit.row_changes force row level security;
alter table audit.login_attempts force row level security;
alter table audit.unsealed force row level security;
