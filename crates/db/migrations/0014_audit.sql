-- Who did what (events) and which rows changed by it (row changes), tied together by the transaction. Both are append-only.

create table audit.events (
    event_id uuid not null,
    tenant_id uuid not null references users.tenants (tenant_id),
    occurred_at timestamptz not null,
    transaction_id xid8 not null default pg_current_xact_id(),
    actor_kind text not null,
    actor_id text,
    actor_name text,
    action text not null,
    object_kind text,
    object_id text,
    outcome text not null,
    reason text,
    request_id text,
    address inet,
    detail jsonb not null default '{}'::jsonb,
    constraint events_pkey primary key (event_id, occurred_at),
    constraint events_actor_kind_check check (actor_kind in ('user', 'api_key', 'agent', 'system', 'anonymous')),
    constraint events_outcome_check check (outcome in ('success', 'failure', 'denied'))
) partition by range (occurred_at);
create index events_tenant_id_occurred_at_idx on audit.events (tenant_id, occurred_at desc, event_id desc);
create index events_tenant_id_object_idx on audit.events (tenant_id, object_kind, object_id, occurred_at desc);
create index events_tenant_id_actor_id_idx on audit.events (tenant_id, actor_id, occurred_at desc);

create table audit.row_changes (
    change_id uuid not null default users.time_ordered_uuid(),
    tenant_id uuid not null references users.tenants (tenant_id),
    occurred_at timestamptz not null default now(),
    transaction_id xid8 not null default pg_current_xact_id(),
    table_name text not null,
    operation text not null,
    row_id text,
    before jsonb,
    after jsonb,
    database_role text not null default session_user,
    constraint row_changes_pkey primary key (change_id, occurred_at),
    constraint row_changes_operation_check check (
        (operation = 'insert' and before is null and after is not null)
        or (operation = 'update' and before is not null and after is not null)
        or (operation = 'delete' and before is not null and after is null))
) partition by range (occurred_at);
create index row_changes_tenant_id_transaction_id_idx on audit.row_changes (tenant_id, transaction_id);
create index row_changes_tenant_id_row_id_idx on audit.row_changes (tenant_id, table_name, row_id, occurred_at desc);

create function audit.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'audit records are append-only: % on %.% is refused', lower(tg_op), tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;
create trigger refuse_change before update or delete on audit.events for each row execute function audit.refuse_change();
create trigger refuse_change before update or delete on audit.row_changes for each row execute function audit.refuse_change();
create trigger refuse_change before update or delete on audit.login_attempts for each row execute function audit.refuse_change();
create trigger refuse_truncate before truncate on audit.events execute function audit.refuse_change();
create trigger refuse_truncate before truncate on audit.row_changes execute function audit.refuse_change();
create trigger refuse_truncate before truncate on audit.login_attempts execute function audit.refuse_change();

insert into agents.partition_schemes (parent_table, period) values ('audit.events', 'month'), ('audit.row_changes', 'month');
select agents.ensure_partitions(now(), 8);
create table audit.events_default partition of audit.events default;
create table audit.row_changes_default partition of audit.row_changes default;
alter table audit.events_default enable row level security, force row level security;
alter table audit.row_changes_default enable row level security, force row level security;
-- The partitions that are older than the rule, and the default ones.
do $$
declare
    a_partition text;
begin
    for a_partition in
        select i.inhrelid::regclass::text from pg_inherits i
        where i.inhparent in ('audit.events'::regclass, 'audit.row_changes'::regclass, 'audit.login_attempts'::regclass)
            and not exists (select 1 from pg_trigger t where t.tgrelid = i.inhrelid and t.tgname = 'refuse_truncate')
    loop
        execute format('create trigger refuse_truncate before truncate on %s execute function audit.refuse_change()', a_partition);
    end loop;
end
$$;

-- Arguments: the key column, then columns that are left out because they change all the time. Secrets are left out everywhere.
create function audit.record_row_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
create trigger record_row_change after insert or update or delete on users.tenants
    for each row execute function audit.record_row_change('tenant_id');
create trigger record_row_change after insert or update or delete on users.users
    for each row execute function audit.record_row_change('user_id', 'failed_login_attempts', 'last_failed_login', 'last_login');
create trigger record_row_change after insert or update or delete on users.memberships
    for each row execute function audit.record_row_change('user_id');
create trigger record_row_change after insert or update or delete on users.password_policies
    for each row execute function audit.record_row_change('policy_id');
create trigger record_row_change after insert or update or delete on users.api_keys
    for each row execute function audit.record_row_change('key_id', 'last_used', 'usage_count');
create trigger record_row_change after insert or update or delete on agents.endpoints
    for each row execute function audit.record_row_change('agent_id', 'last_seen');
create trigger record_row_change after insert or update or delete on threats.incidents
    for each row execute function audit.record_row_change('threat_id', 'occurrence_count', 'last_detected_at');
