-- Remote commands reach their endpoints: the exact text that is signed, the second person's signature, output while a command runs, and results that the
-- agent signs.

alter table agents.commands
    -- The JSON text that the signer and the approver sign; the columns beside it are for people and queries.
    add column order_text text,
    add column approval jsonb,
    add constraint commands_order_text_check check (length(order_text) between 2 and 131072),
    add constraint commands_approval_object_check check (jsonb_typeof(approval) = 'object' and pg_column_size(approval) <= 16384),
    add constraint commands_order_before_sent_check check (sent_at is null or order_text is not null) not valid;
comment on column agents.commands.order_text is 'The JSON text that is signed.';
comment on column agents.commands.approval is 'Certificate and signature of the second person, as the agent checks them.';
grant select (order_text, approval) on agents.commands to sg_app;
grant insert (order_text) on agents.commands to sg_app;
grant update (approval) on agents.commands to sg_app;

alter table agents.command_results
    add column summary text not null default '',
    -- The text that the agent has signed, its signature and its key: who doubts a result can check it.
    add column signed_text text,
    add column signature text,
    add column result_key text,
    add constraint command_results_summary_check check (length(summary) <= 2000),
    add constraint command_results_signed_check check (num_nonnulls(signed_text, signature, result_key) in (0, 3));
comment on column agents.command_results.signed_text is 'What the agent has signed.';
comment on column agents.command_results.result_key is 'The Ed25519 public key of the agent, in base64.';

-- The agent's key for results holds as long as the token that told it.
alter table agents.agent_tokens
    add column result_key text,
    add constraint agent_tokens_result_key_check check (length(result_key) between 1 and 100);
comment on column agents.agent_tokens.result_key is 'The Ed25519 public key under which results of this agent are believed, in base64.';
grant update (result_key) on agents.agent_tokens to sg_system;

-- What a running command has printed so far; the result carries everything once more.
create table agents.command_output (
    tenant_id uuid not null,
    command_id uuid not null,
    -- Bytes before this piece.
    piece_offset bigint not null,
    piece text not null,
    received_at timestamptz not null,
    constraint command_output_pkey primary key (tenant_id, command_id, piece_offset),
    constraint command_output_piece_offset_check check (piece_offset between 0 and 1048576),
    constraint command_output_piece_check check (octet_length(piece) <= 262144),
    constraint command_output_received_at_check check (isfinite(received_at)),
    constraint command_output_command_id_fkey foreign key (tenant_id, command_id)
        references agents.commands (tenant_id, command_id) on delete cascade
);
comment on table agents.command_output is 'Output of commands that still run, in pieces.';
select users.enable_tenant_isolation('agents.command_output');
create policy own_scope on agents.command_output as restrictive for all to sg_app
    using ((select users.sees_whole_tenant()) or command_id in (select c.command_id from agents.commands c));
grant select on agents.command_output to sg_app, sg_backup, sg_admin;
grant select, insert, delete on agents.command_output to sg_system;

create or replace function agents.command_is_dangerous(p_kind text) returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select case
        when p_kind in ('collect_diagnostics', 'list_processes', 'scan_path', 'refresh_rules') then false
        when p_kind in ('collect_file', 'kill_process', 'quarantine_file', 'restore_file', 'isolate_network', 'release_network', 'restart_agent',
            'update_agent', 'run_script') then true
    end
$$;
-- The signer may refuse what a second person has agreed to.
create or replace function agents.command_may_become(p_from text, p_to text) returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select coalesce(p_to = any (case p_from
        when 'pending' then array['approved', 'sent', 'rejected', 'cancelled', 'expired']
        when 'approved' then array['sent', 'rejected', 'cancelled', 'expired']
        when 'sent' then array['running', 'succeeded', 'failed', 'rejected', 'expired']
        when 'running' then array['succeeded', 'failed', 'expired']
    end), false)
$$;

create or replace function agents.guard_command() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
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

insert into users.permissions (permission, description, least_role)
values
    ('commands_read', 'See remote commands with what they brought.', 'manager'),
    ('commands_request', 'Ask for remote commands, and take them back.', 'manager'),
    ('commands_approve', 'Agree, as a second person, to remote commands that somebody else asked for, or turn them down.', 'manager');
