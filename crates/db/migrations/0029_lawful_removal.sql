-- What may lawfully go, in every area alike: the rows of an erased tenant, and partitions that are past their retention and under no hold.

-- sg_auth erases the audit log, sg_system everything else; neither may touch the rows of a tenant that is not erased.
create or replace function audit.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
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
comment on function audit.refuse_change() is 'Trigger: keeps records as they were written, but for those of an erased tenant.';
drop trigger refuse_change on users.subscription_changes;
drop trigger refuse_truncate on users.subscription_changes;
drop function users.refuse_change();
create trigger refuse_change before update or delete on users.subscription_changes for each row execute function audit.refuse_change();
create trigger refuse_truncate before truncate on users.subscription_changes execute function audit.refuse_change();
grant delete on users.subscription_changes, monitoring.security_events to sg_system;

create or replace function agents.guard_command_result() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
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
comment on function agents.guard_command_result() is 'Trigger: a result stays as it came, and goes with its command or its tenant.';

-- The partition's own bounds say what it holds. A hold over a whole tenant keeps everything of its time.
create or replace function audit.drop_partition(p_partition text, p_at timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
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
grant execute on function agents.partition_bounds(text) to sg_system;

-- A partition is reached through its parent only, by backups too.
do $$
declare
    a_partition text;
begin
    for a_partition in
        select i.inhrelid::regclass::text from pg_inherits i
        join pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p')
        join pg_namespace n on n.oid = c.relnamespace and pg_get_userbyid(n.nspowner) = 'sg_owner'
    loop
        execute format('revoke all on %s from sg_backup', a_partition);
    end loop;
end
$$;

insert into users.permissions (permission, description, least_role)
values
    ('alerts_read', 'see the tenant''s alerts and the rules behind them', 'manager'),
    ('alerts_manage', 'change the thresholds of alert rules, and switch them on and off', 'admin'),
    ('holds_manage', 'place and release legal holds', 'admin');

comment on schema monitoring is 'What is watched: security events, the rules over figures, and the alerts that are open because of them.';

comment on table audit.unsealed is 'Rows of the audit log that wait for their place in the chain; emptied within seconds.';
comment on table audit.chain is 'One link for each row of the audit log, numbered by tenant: its hash and that of everything before it.';
comment on table audit.chain_heads is 'Where each tenant''s chain ends, and up to where it is signed.';
comment on table audit.chain_records is 'Signed records in the chain: what was lawfully removed, and forks that a restore left.';
comment on table audit.checkpoints is 'Signatures (Ed25519) over the ends of chains.';
comment on table audit.export_positions is 'Up to where each sink has been told of each tenant''s chain.';
comment on table users.secrets is 'Secrets that the server has to read again, sealed under a key that is not in the database.';
comment on function agents.guard_command() is 'Trigger: a command goes its way from state to state, and nothing else of it changes.';
comment on function agents.guard_legal_hold() is 'Trigger: a hold never changes; it is released, once.';
comment on function agents.note_hours_to_roll_up() is 'Trigger: notes the hours whose roll-ups have to be computed.';
set local role sg_auth;
comment on function monitoring.create_default_rules_of_tenant() is 'Trigger: gives a new tenant the documented alert rules.';
comment on function audit.seal_event() is 'Trigger: hashes an event and queues it for the chain.';
comment on function audit.seal_row_change() is 'Trigger: hashes a row change and queues it for the chain.';
comment on function audit.seal_login_attempt() is 'Trigger: hashes an attempt to sign in and queues it for the chain.';
comment on function audit.seal_chain_record() is 'Trigger: hashes a signed record and queues it for the chain.';
comment on function users.refuse_borrowed_name() is 'Trigger: no sign-in name is another person''s e-mail address.';
set local role sg_owner;
comment on function users.refuse_loose_function() is 'Event trigger: refuses functions of the product without a fixed search_path, as the printed ones are.';

-- An erased tenant's rows go from every table. What is kept for a reason is guarded by triggers, which let those of an erased tenant pass.
create trigger refuse_deletion before delete on agents.legal_holds for each row execute function audit.refuse_change();
do $$
declare
    a_table text;
begin
    for a_table in
        select c.oid::regclass::text from pg_class c
        join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('users', 'agents', 'threats', 'monitoring')
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
        where c.relkind in ('r', 'p') and not c.relispartition and c.oid <> 'users.tenants'::regclass
    loop
        execute format('grant delete on %s to sg_system', a_table);
    end loop;
end
$$;
