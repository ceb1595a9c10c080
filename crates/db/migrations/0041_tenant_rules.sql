-- Detection rules of a tenant's own, and the rules of the installation's pack that it has switched off. Agents of a tenant without either share one package;
-- one that has a row in threats.rule_sets has a package of its own from then on.

create table threats.rule_sets (
    tenant_id uuid not null references users.tenants (tenant_id),
    -- Higher than that of every package that an agent of this tenant may have.
    version bigint not null,
    changed_at timestamptz not null,
    constraint rule_sets_pkey primary key (tenant_id),
    constraint rule_sets_version_check check (version > 0),
    constraint rule_sets_changed_at_check check (isfinite(changed_at))
);
comment on table threats.rule_sets is 'The version of each tenant''s rules, from its first change on; agents refuse to go back.';

create table threats.rules (
    tenant_id uuid not null references users.tenants (tenant_id),
    -- What findings name: the id of the Sigma rule or filter, of the first rule of a YARA file, or the name of an indicator list.
    rule_id text not null,
    -- Every id that matches of this text may have, without those of indicators.
    finding_ids text[] not null default '{}',
    origin text not null,
    kind text not null,
    name text not null,
    severity text not null,
    description text,
    tags text[] not null default '{}',
    -- The tenant's own text; none for a rule of the pack.
    text text,
    text_digest bytea,
    -- What the compiler warned of.
    diagnostics jsonb not null default '[]'::jsonb,
    is_enabled boolean not null,
    version integer not null,
    -- How much of what a tenant may have it takes.
    literal_bytes bigint not null default 0,
    regexes integer not null default 0,
    yara_positions bigint not null default 0,
    indicators integer not null default 0,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    changed_by uuid,
    removed_at timestamptz,
    constraint rules_pkey primary key (tenant_id, rule_id),
    constraint rules_rule_id_check check (length(rule_id) between 1 and 200),
    constraint rules_origin_check check (origin in ('pack', 'tenant') and (origin = 'tenant') = (text is not null)),
    constraint rules_text_digest_check check ((text_digest is null) = (text is null) and length(text_digest) = 32),
    constraint rules_kind_check check (kind in ('sigma', 'yara', 'indicator')),
    constraint rules_severity_check check (severity in ('low', 'medium', 'high', 'critical')),
    constraint rules_name_check check (length(name) between 1 and 300),
    constraint rules_text_check check (octet_length(text) between 1 and 4194304),
    constraint rules_diagnostics_check check (jsonb_typeof(diagnostics) = 'array'),
    constraint rules_version_check check (version > 0),
    constraint rules_weight_check check (literal_bytes >= 0 and regexes >= 0 and yara_positions >= 0 and indicators >= 0),
    constraint rules_times_check check (isfinite(created_at) and isfinite(changed_at) and isfinite(removed_at)),
    constraint rules_changed_by_fkey foreign key (tenant_id, changed_by)
        references users.memberships (tenant_id, user_id) on delete set null (changed_by)
);
create index rules_tenant_id_changed_by_idx on threats.rules (tenant_id, changed_by);
comment on table threats.rules is 'Detection rules of a tenant''s own, and rules of the pack that it has switched off at some time.';

create table threats.rule_versions (
    tenant_id uuid not null,
    rule_id text not null,
    version integer not null,
    change text not null,
    -- The text, where this version brought another one.
    text text,
    is_enabled boolean not null,
    diagnostics jsonb not null default '[]'::jsonb,
    reason text,
    changed_by uuid,
    changed_at timestamptz not null,
    constraint rule_versions_pkey primary key (tenant_id, rule_id, version),
    constraint rule_versions_version_check check (version > 0),
    constraint rule_versions_change_check check (change in ('create', 'update', 'enable', 'disable', 'remove')),
    constraint rule_versions_text_check check (octet_length(text) between 1 and 4194304),
    constraint rule_versions_diagnostics_check check (jsonb_typeof(diagnostics) = 'array'),
    constraint rule_versions_reason_check check (length(btrim(reason)) between 1 and 2000),
    constraint rule_versions_changed_at_check check (isfinite(changed_at)),
    constraint rule_versions_rule_id_fkey foreign key (tenant_id, rule_id)
        references threats.rules (tenant_id, rule_id) on delete cascade,
    constraint rule_versions_changed_by_fkey foreign key (tenant_id, changed_by)
        references users.memberships (tenant_id, user_id) on delete set null (changed_by)
);
create index rule_versions_tenant_id_changed_by_idx on threats.rule_versions (tenant_id, changed_by);
comment on table threats.rule_versions is 'Every save of a rule: what, who, when and why. Append-only.';

select users.enable_tenant_isolation(t) from unnest(array['threats.rule_sets', 'threats.rules', 'threats.rule_versions']) t;
-- Whoever knows the rules knows how to go around them.
create policy readers on threats.rules as restrictive for all to sg_app using ((select users.context_holds('rules_read')));
create policy readers on threats.rule_versions as restrictive for all to sg_app using ((select users.context_holds('rules_read')));
create policy readers on threats.rule_sets as restrictive for all to sg_app using ((select users.context_holds('rules_read')));
-- Requests only read these tables: a rule is compiled and weighed before it is stored.
grant select on threats.rule_sets, threats.rules, threats.rule_versions to sg_app, sg_backup;
-- Rows are deleted with their tenant only.
grant select, insert, update, delete on threats.rule_sets, threats.rules to sg_system;
grant select, insert, delete on threats.rule_versions to sg_system;
grant select, insert, update, delete on threats.rule_sets, threats.rules to sg_admin;
grant select, insert, delete on threats.rule_versions to sg_admin;

-- The texts are in the versions.
create trigger record_row_change after insert or update or delete on threats.rules
    for each row execute function audit.record_row_change('rule_id', 'text');

insert into users.permissions (permission, description, least_role)
values ('rules_manage', 'Add, change and remove detection rules, and switch them on and off.', 'manager');
