-- Exceptions: matches that the people of a tenant have found to be harmless open no incident any more. What an exception hides is counted and kept to be looked
-- at; each says why it is there, whose it is and when it ends.

create table threats.exceptions (
    exception_id uuid primary key,
    tenant_id uuid not null references users.tenants (tenant_id),
    name text not null,
    reason text not null,
    owner_id uuid,
    -- One rule, or every rule.
    rule_id text,
    -- One endpoint, or every endpoint.
    agent_id uuid,
    -- [{"field": "image", "operator": "is", "value": "/usr/bin/rsync"}]: all of them have to hold for what was matched on.
    conditions jsonb not null default '[]'::jsonb,
    -- The incident that it was made from.
    threat_id uuid,
    created_by uuid,
    created_at timestamptz not null,
    expires_at timestamptz,
    ended_by uuid,
    ended_at timestamptz,
    constraint exceptions_tenant_id_exception_id_key unique (tenant_id, exception_id),
    constraint exceptions_name_check check (length(btrim(name)) between 1 and 200),
    constraint exceptions_reason_check check (length(btrim(reason)) between 1 and 2000),
    constraint exceptions_rule_id_check check (length(rule_id) between 1 and 200),
    constraint exceptions_conditions_check check (jsonb_typeof(conditions) = 'array' and jsonb_array_length(conditions) <= 10),
    constraint exceptions_scope_check check (rule_id is not null or jsonb_array_length(conditions) > 0),
    constraint exceptions_times_check check (isfinite(created_at) and isfinite(expires_at) and isfinite(ended_at)),
    constraint exceptions_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade,
    constraint exceptions_threat_id_fkey foreign key (tenant_id, threat_id)
        references threats.incidents (tenant_id, threat_id) on delete set null (threat_id),
    constraint exceptions_owner_id_fkey foreign key (tenant_id, owner_id)
        references users.memberships (tenant_id, user_id) on delete set null (owner_id),
    constraint exceptions_created_by_fkey foreign key (tenant_id, created_by)
        references users.memberships (tenant_id, user_id) on delete set null (created_by),
    constraint exceptions_ended_by_fkey foreign key (tenant_id, ended_by)
        references users.memberships (tenant_id, user_id) on delete set null (ended_by)
);
create index exceptions_tenant_id_created_at_idx on threats.exceptions (tenant_id, created_at desc, exception_id desc);
create index exceptions_tenant_id_agent_id_idx on threats.exceptions (tenant_id, agent_id);
create index exceptions_tenant_id_threat_id_idx on threats.exceptions (tenant_id, threat_id);
create index exceptions_tenant_id_owner_id_idx on threats.exceptions (tenant_id, owner_id);
create index exceptions_tenant_id_created_by_idx on threats.exceptions (tenant_id, created_by);
create index exceptions_tenant_id_ended_by_idx on threats.exceptions (tenant_id, ended_by);
comment on table threats.exceptions is 'Which matches open no incident, why, whose decision it is and until when.';

-- What was hidden, by day: a rule that matches all the time is what exceptions are for.
create table threats.excepted_findings (
    tenant_id uuid not null,
    exception_id uuid not null,
    agent_id uuid not null,
    -- Rule and subject in one value, as in threats.findings.
    fingerprint text not null,
    day date not null,
    rule_id text not null,
    rule_name text not null,
    severity text not null,
    subject jsonb not null,
    occurrence_count bigint not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    constraint excepted_findings_pkey primary key (tenant_id, exception_id, agent_id, fingerprint, day),
    constraint excepted_findings_severity_check check (severity in ('low', 'medium', 'high', 'critical')),
    constraint excepted_findings_occurrence_count_check check (occurrence_count >= 1),
    constraint excepted_findings_exception_id_fkey foreign key (tenant_id, exception_id)
        references threats.exceptions (tenant_id, exception_id) on delete cascade,
    constraint excepted_findings_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
);
create index excepted_findings_tenant_id_agent_id_idx on threats.excepted_findings (tenant_id, agent_id);
create index excepted_findings_tenant_id_exception_id_last_seen_at_idx
    on threats.excepted_findings (tenant_id, exception_id, last_seen_at desc);
create index excepted_findings_day_idx on threats.excepted_findings (day);
comment on table threats.excepted_findings is 'What each exception has hidden, by rule, subject, endpoint and day.';

-- Whether every condition holds for what was matched on. A field that is absent, and an operator that is none, hide nothing.
create function threats.excepts(p_conditions jsonb, p_subject jsonb) returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select coalesce(bool_and(coalesce(case c.operator
        when 'is' then p_subject ->> c.field = c.value
        when 'begins_with' then starts_with(p_subject ->> c.field, c.value)
        when 'ends_with' then right(p_subject ->> c.field, length(c.value)) = c.value
        when 'contains' then strpos(p_subject ->> c.field, c.value) > 0
    end, false)), true)
    from jsonb_to_recordset(p_conditions) as c (field text, operator text, value text)
$$;
comment on function threats.excepts(jsonb, jsonb) is 'Whether all conditions of an exception hold for what a rule matched on.';
revoke execute on function threats.excepts(jsonb, jsonb) from public;
grant execute on function threats.excepts(jsonb, jsonb) to sg_app, sg_system, sg_admin;

select users.enable_tenant_isolation(t) from unnest(array['threats.exceptions', 'threats.excepted_findings']) t;
create policy own_scope on threats.exceptions as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on threats.excepted_findings as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
-- Requests only read these tables: whoever runs SQL in an opened context must not be able to hide what they do.
grant select on threats.exceptions, threats.excepted_findings to sg_app, sg_backup;
grant select, insert, update, delete on threats.exceptions to sg_system, sg_admin;
grant select, insert, update, delete on threats.excepted_findings to sg_system;
grant select on threats.excepted_findings to sg_admin;

create trigger record_row_change after insert or update or delete on threats.exceptions
    for each row execute function audit.record_row_change('exception_id');

insert into users.permissions (permission, description, least_role)
values ('exceptions_manage', 'Make and end exceptions, which keep matches of rules from becoming incidents.', 'manager');
