-- Correlation rules: what events count for them, by group, and the times in which their conditions held. The server counts an event in the transaction that stores it;
-- a job looks at the groups in which something is due. Both are kept as long as a late event could still matter.

create table threats.correlation_matches (
    tenant_id uuid not null references users.tenants (tenant_id),
    -- The correlation rule.
    rule_id text not null,
    -- SHA-256 of group_values.
    group_key bytea not null,
    occurred_at timestamptz not null,
    -- The event, or the episode of another correlation.
    event_id uuid not null,
    -- Which of the rules that are correlated matched.
    position smallint not null,
    -- The values of the fields that keep groups apart.
    group_values jsonb not null,
    -- What the field was, for the kinds that look at one.
    value text,
    agent_id uuid not null,
    -- The title of the rule that matched, and what it matched on, for people.
    matched_rule text not null,
    summary text not null,
    -- When the job has to look at the group for it; null once that is done.
    due_at timestamptz,
    keep_until timestamptz not null,
    constraint correlation_matches_pkey primary key (tenant_id, rule_id, group_key, occurred_at, event_id, position),
    constraint correlation_matches_rule_id_check check (length(rule_id) between 1 and 200),
    constraint correlation_matches_group_key_check check (length(group_key) = 32),
    constraint correlation_matches_group_values_check check (jsonb_typeof(group_values) = 'array'),
    constraint correlation_matches_position_check check (position >= 0),
    constraint correlation_matches_times_check check (isfinite(occurred_at) and isfinite(due_at) and isfinite(keep_until)),
    constraint correlation_matches_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
);
create index correlation_matches_tenant_id_due_at_idx on threats.correlation_matches (tenant_id, due_at) where due_at is not null;
create index correlation_matches_tenant_id_agent_id_idx on threats.correlation_matches (tenant_id, agent_id);
create index correlation_matches_keep_until_idx on threats.correlation_matches (keep_until);
comment on table threats.correlation_matches is 'What counts for correlation rules, by group.';

create table threats.correlation_episodes (
    tenant_id uuid not null references users.tenants (tenant_id),
    rule_id text not null,
    group_key bytea not null,
    -- The first and the last match that it rests on.
    from_at timestamptz not null,
    to_at timestamptz not null,
    -- Follows from the four above, so that the same episode is found once.
    episode_id uuid not null,
    -- False for a time that was judged when it was over and in which the condition did not hold.
    held boolean not null,
    figure double precision not null,
    keep_until timestamptz not null,
    constraint correlation_episodes_pkey primary key (tenant_id, rule_id, group_key, from_at),
    constraint correlation_episodes_rule_id_check check (length(rule_id) between 1 and 200),
    constraint correlation_episodes_group_key_check check (length(group_key) = 32),
    constraint correlation_episodes_times_check check (isfinite(from_at) and isfinite(to_at) and isfinite(keep_until) and from_at <= to_at)
);
create index correlation_episodes_keep_until_idx on threats.correlation_episodes (keep_until);
comment on table threats.correlation_episodes is 'When the conditions of correlation rules held, by group.';

select users.enable_tenant_isolation(t) from unnest(array['threats.correlation_matches', 'threats.correlation_episodes']) t;
-- People see what came of them, in findings; requests read neither table.
grant select on threats.correlation_matches, threats.correlation_episodes to sg_backup, sg_admin;
grant select, insert, update, delete on threats.correlation_matches, threats.correlation_episodes to sg_system;
