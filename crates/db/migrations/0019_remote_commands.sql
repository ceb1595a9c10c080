-- Remote commands (the document's fifth step): a queue for each endpoint whose whole state machine is in the database, so that no writer,
-- program or person, takes a step that the workflow does not have.
--
--     pending ─→ approved ─→ sent ─→ running ─→ succeeded | failed
--        │           │         └──→ succeeded | failed | rejected (by the agent)
--        ├──→ sent (kinds that need no second person)
--        └──→ rejected | cancelled         approved ─→ cancelled
--     and every state but the last ones ─→ expired

-- Kinds that change or stop something on the endpoint need a second person. Null for a kind that does not exist.
create function agents.command_is_dangerous(p_kind text) returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select case
        when p_kind in ('collect_diagnostics', 'list_processes', 'scan_path', 'refresh_rules') then false
        when p_kind in ('kill_process', 'quarantine_file', 'restore_file', 'isolate_network', 'release_network', 'restart_agent',
            'update_agent', 'run_script') then true
    end
$$;
comment on function agents.command_is_dangerous(text) is
    'Whether a kind of command needs the approval of a second person; null for a kind that does not exist.';

-- The steps of the workflow, besides those that expire.
create function agents.command_may_become(p_from text, p_to text) returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select coalesce(p_to = any (case p_from
        when 'pending' then array['approved', 'sent', 'rejected', 'cancelled', 'expired']
        when 'approved' then array['sent', 'cancelled', 'expired']
        when 'sent' then array['running', 'succeeded', 'failed', 'rejected', 'expired']
        when 'running' then array['succeeded', 'failed', 'expired']
    end), false)
$$;
comment on function agents.command_may_become(text, text) is 'Whether the workflow of commands has a step from one state to another.';

create table agents.commands (
    command_id uuid primary key default users.time_ordered_uuid(),
    tenant_id uuid not null,
    agent_id uuid not null,
    kind text not null,
    -- What is shown to people and kept in the row history.
    arguments jsonb not null default '{}'::jsonb,
    -- What is neither: a password that a script needs, a key.
    secret_arguments jsonb,
    -- Set from the kind when the command is made; a later change of the list of kinds changes no command that waits.
    dangerous boolean not null,
    state text not null default 'pending',
    -- Bound into the signature, so that a copy of a command is worth nothing.
    nonce bytea not null,
    idempotency_key text not null,
    requested_by uuid not null,
    requested_at timestamptz not null,
    reason text not null,
    approved_by uuid,
    approved_at timestamptz,
    signature bytea,
    signing_key_id text,
    sent_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    closed_by uuid,
    close_reason text,
    expires_at timestamptz not null,
    constraint commands_tenant_id_command_id_key unique (tenant_id, command_id),
    constraint commands_nonce_key unique (nonce),
    constraint commands_tenant_id_idempotency_key_key unique (tenant_id, idempotency_key),
    constraint commands_kind_check check (agents.command_is_dangerous(kind) is not null),
    constraint commands_state_check check (
        state in ('pending', 'approved', 'sent', 'running', 'succeeded', 'failed', 'expired', 'cancelled', 'rejected')),
    constraint commands_nonce_check check (length(nonce) between 16 and 64),
    constraint commands_idempotency_key_check check (length(idempotency_key) between 1 and 200),
    constraint commands_reason_check check (length(reason) between 1 and 2000 and length(close_reason) between 1 and 2000),
    constraint commands_arguments_check check (
        jsonb_typeof(arguments) = 'object' and pg_column_size(arguments) <= 65536
        and jsonb_typeof(secret_arguments) = 'object' and pg_column_size(secret_arguments) <= 65536),
    constraint commands_signature_check check (length(signature) between 64 and 512),
    -- Nobody queues for ever: a command that waits longer than a month is asked for anew.
    constraint commands_expires_at_check check (expires_at > requested_at and expires_at <= requested_at + interval '31 days'),
    constraint commands_times_check check (isfinite(requested_at) and isfinite(approved_at) and isfinite(sent_at) and isfinite(started_at)
        and isfinite(finished_at) and isfinite(expires_at)),
    -- Two different people, whoever writes.
    constraint commands_two_people_check check (approved_by <> requested_by),
    constraint commands_approval_check check ((approved_by is null) = (approved_at is null)),
    constraint commands_approved_before_sent_check check (
        not dangerous or approved_by is not null or state in ('pending', 'rejected', 'cancelled', 'expired')),
    constraint commands_signed_before_sent_check check ((sent_at is null) = (signature is null)),
    constraint commands_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade,
    constraint commands_requested_by_fkey foreign key (tenant_id, requested_by) references users.memberships (tenant_id, user_id),
    constraint commands_approved_by_fkey foreign key (tenant_id, approved_by) references users.memberships (tenant_id, user_id),
    constraint commands_closed_by_fkey foreign key (tenant_id, closed_by) references users.memberships (tenant_id, user_id)
);
create index commands_tenant_id_agent_id_requested_at_idx on agents.commands (tenant_id, agent_id, requested_at desc);
create index commands_tenant_id_requested_by_idx on agents.commands (tenant_id, requested_by);
create index commands_tenant_id_approved_by_idx on agents.commands (tenant_id, approved_by);
create index commands_tenant_id_closed_by_idx on agents.commands (tenant_id, closed_by);
-- The open ones are few: what an endpoint waits for, and what expires next.
create index commands_agent_id_open_idx on agents.commands (agent_id, requested_at)
    where state in ('pending', 'approved', 'sent', 'running');
create index commands_expires_at_open_idx on agents.commands (expires_at) where state in ('pending', 'approved', 'sent', 'running');
comment on table agents.commands is 'What people ask endpoints to do: one row for each command, through its whole life.';

-- What a command brought. One result for each command: the first one counts, a repeat changes nothing.
create table agents.command_results (
    command_id uuid primary key,
    tenant_id uuid not null,
    outcome text not null,
    exit_code integer,
    output text not null default '',
    -- Whether the output was longer than what is kept, and how long it was.
    output_truncated boolean not null default false,
    output_bytes bigint not null default 0,
    started_at timestamptz,
    finished_at timestamptz not null,
    received_at timestamptz not null,
    -- It came when the command had expired already; the command stays expired.
    late boolean not null default false,
    constraint command_results_outcome_check check (outcome in ('succeeded', 'failed', 'rejected')),
    constraint command_results_output_check check (octet_length(output) <= 1048576),
    constraint command_results_output_bytes_check check (
        output_bytes >= 0 and output_truncated = (output_bytes > octet_length(output))),
    constraint command_results_times_check check (isfinite(started_at) and isfinite(finished_at) and isfinite(received_at)),
    constraint command_results_command_id_fkey foreign key (tenant_id, command_id)
        references agents.commands (tenant_id, command_id) on delete cascade
);
create index command_results_tenant_id_command_id_idx on agents.command_results (tenant_id, command_id);
comment on table agents.command_results is 'What commands brought: outcome, exit code and output up to 1 MiB; append-only.';

create function agents.guard_command() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    changed text[];
begin
    if tg_op = 'INSERT' then
        new.dangerous := agents.command_is_dangerous(new.kind);
        if new.state <> 'pending' or num_nonnulls(new.approved_by, new.approved_at, new.signature, new.signing_key_id, new.sent_at,
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
        when 'approved' then array['approved_by', 'approved_at']
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
    if (new.state = 'approved' and new.approved_by is null)
        or (new.state = 'sent' and (new.sent_at is null or new.sent_at >= new.expires_at))
        or (new.state = 'running' and new.started_at is null)
        or (new.state not in ('approved', 'sent', 'running') and new.finished_at is null)
        or (new.state = 'expired' and new.finished_at < new.expires_at)
    then
        raise exception 'the step to % lacks its time or its person, or comes at the wrong time', new.state
            using errcode = 'check_violation', constraint = 'commands_workflow_check';
    end if;
    return new;
end
$$;
create trigger guard_command before insert or update on agents.commands for each row execute function agents.guard_command();

-- A result is written once. It goes with its command only, when that is past its retention or its endpoint is erased.
create function agents.guard_command_result() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'DELETE' and pg_trigger_depth() > 1 then
        return old;
    end if;
    raise exception 'results of commands are append-only: % is refused', lower(tg_op) using errcode = 'insufficient_privilege';
end
$$;
create trigger guard_command_result before update or delete on agents.command_results
    for each row execute function agents.guard_command_result();
create trigger refuse_truncate before truncate on agents.command_results execute function agents.guard_command_result();

-- Making a trigger takes the right to its function, which is sg_auth's.
set local role sg_auth;
grant execute on function audit.record_row_change() to sg_owner;
set local role sg_owner;
create trigger record_row_change after insert or update or delete on agents.commands
    for each row execute function audit.record_row_change('command_id', 'secret_arguments', 'signature', 'nonce');

select users.enable_tenant_isolation('agents.commands');
select users.enable_tenant_isolation('agents.command_results');
create policy own_scope on agents.commands as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or agent_id in (select e.agent_id from agents.endpoints e));
create policy own_scope on agents.command_results as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or command_id in (select c.command_id from agents.commands c));
-- By free SQL too, people act in their own name, and only whoever works the whole tenant commands its endpoints. The steps on the way to the
-- endpoint are the server's.
create policy own_name_only on agents.commands as restrictive for insert to sg_app
    with check ((select users.current_scope()) = 'tenant' and requested_by = (select users.current_user_id()));
create policy peoples_steps_only on agents.commands as restrictive for update to sg_app
    using ((select users.current_scope()) = 'tenant')
    with check (
        (state = 'approved' and approved_by = (select users.current_user_id()))
        or (state in ('rejected', 'cancelled') and closed_by = (select users.current_user_id())));

grant select (command_id, tenant_id, agent_id, kind, arguments, dangerous, state, idempotency_key, requested_by, requested_at, reason,
    approved_by, approved_at, sent_at, started_at, finished_at, closed_by, close_reason, expires_at) on agents.commands to sg_app;
grant insert (command_id, tenant_id, agent_id, kind, arguments, secret_arguments, nonce, idempotency_key, requested_by, requested_at, reason,
    expires_at) on agents.commands to sg_app;
grant update (state, approved_by, approved_at, finished_at, closed_by, close_reason) on agents.commands to sg_app;
grant select on agents.command_results to sg_app;
grant select, insert, update, delete on agents.commands to sg_system, sg_admin;
grant select, insert on agents.command_results to sg_system;
grant select on agents.command_results to sg_admin;
grant select on agents.commands, agents.command_results to sg_backup;
grant execute on function agents.command_is_dangerous(text), agents.command_may_become(text, text) to sg_app, sg_system, sg_admin, sg_auth;
