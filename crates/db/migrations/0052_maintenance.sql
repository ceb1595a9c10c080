-- Figures of each day, regular maintenance, and the reports on both. Rows of the installation belong to the system tenant, where nobody is a member.

create table monitoring.kpi_samples (
    tenant_id uuid not null references users.tenants (tenant_id),
    -- A day in UTC; those of the day that goes on grow.
    day date not null,
    measured_at timestamptz not null,
    sign_ins bigint not null,
    failed_sign_ins bigint not null,
    lockouts bigint not null,
    -- Incidents that were closed on the day, by how.
    confirmed_incidents bigint not null,
    false_incidents bigint not null,
    -- Active people, and those of them whose password is as the policy asks; null for days on which nobody looked.
    people integer,
    compliant_people integer,
    -- What follows is the installation's.
    queries bigint,
    query_milliseconds double precision,
    -- The most of the day.
    connections integer,
    max_connections integer,
    -- Rows that were read by an index, and by reading whole tables.
    index_rows bigint,
    scanned_rows bigint,
    database_bytes bigint,
    disk_used_bytes bigint,
    disk_total_bytes bigint,
    -- What PostgreSQL had counted when it was last looked at.
    counters jsonb,
    constraint kpi_samples_pkey primary key (tenant_id, day),
    constraint kpi_samples_measured_at_check check (isfinite(measured_at) and isfinite(day)),
    constraint kpi_samples_sign_ins_check check (sign_ins >= 0 and failed_sign_ins between 0 and sign_ins and lockouts >= 0),
    constraint kpi_samples_incidents_check check (confirmed_incidents >= 0 and false_incidents >= 0),
    constraint kpi_samples_people_check check (people >= 0 and compliant_people between 0 and people)
);
create index kpi_samples_day_idx on monitoring.kpi_samples (day);
comment on table monitoring.kpi_samples is 'The key figures of each day, of each tenant and of the installation.';

create table monitoring.maintenance_runs (
    run_id uuid primary key,
    tenant_id uuid not null default '00000000-0000-0000-0000-000000000000' references users.tenants (tenant_id),
    period text not null,
    state text not null,
    -- The machine that did it, the last one where several did.
    node text not null,
    is_by_hand boolean not null,
    -- What its tasks look at.
    from_at timestamptz not null,
    to_at timestamptz not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    -- How often the process that did it ended in the middle, and another went on.
    interruptions integer not null default 0,
    constraint maintenance_runs_tenant_id_run_id_key unique (tenant_id, run_id),
    constraint maintenance_runs_period_check check (period in ('daily', 'weekly', 'monthly')),
    constraint maintenance_runs_state_check check (state in ('running', 'completed', 'failed')),
    constraint maintenance_runs_finished_at_check check ((state = 'running') = (finished_at is null)),
    constraint maintenance_runs_node_check check (length(node) between 1 and 255),
    constraint maintenance_runs_times_check check (isfinite(from_at) and isfinite(to_at) and isfinite(started_at) and isfinite(finished_at)),
    constraint maintenance_runs_interruptions_check check (interruptions >= 0)
);
-- One run of a period at a time, whoever begins it.
create unique index maintenance_runs_running_key on monitoring.maintenance_runs (tenant_id, period) where state = 'running';
create index maintenance_runs_tenant_id_started_at_idx on monitoring.maintenance_runs (tenant_id, started_at desc, run_id desc);
create index maintenance_runs_finished_at_idx on monitoring.maintenance_runs (finished_at);
comment on table monitoring.maintenance_runs is 'Daily, weekly and monthly maintenance.';

create table monitoring.maintenance_tasks (
    tenant_id uuid not null default '00000000-0000-0000-0000-000000000000',
    run_id uuid not null,
    position smallint not null,
    task text not null,
    state text not null,
    started_at timestamptz,
    finished_at timestamptz,
    -- Which part of it is at work, for whoever watches.
    progress text,
    finding_count integer not null default 0,
    -- Why it failed.
    problem text,
    -- What the next one compares with.
    counters jsonb,
    constraint maintenance_tasks_pkey primary key (tenant_id, run_id, task),
    constraint maintenance_tasks_task_check check (task ~ '^[a-z][a-z_]{0,62}$'),
    constraint maintenance_tasks_state_check check (state in ('waiting', 'running', 'completed', 'failed')),
    constraint maintenance_tasks_times_check check ((state = 'waiting') = (started_at is null)
        and (state in ('completed', 'failed')) = (finished_at is not null)),
    constraint maintenance_tasks_problem_check check (state <> 'failed' or problem is not null),
    constraint maintenance_tasks_run_id_fkey foreign key (tenant_id, run_id)
        references monitoring.maintenance_runs (tenant_id, run_id) on delete cascade
);
create index maintenance_tasks_task_idx on monitoring.maintenance_tasks (task, finished_at desc);
comment on table monitoring.maintenance_tasks is 'The tasks of each maintenance run, in their order.';

create table monitoring.reports (
    report_id uuid primary key,
    tenant_id uuid not null references users.tenants (tenant_id),
    kind text not null,
    -- The maintenance run that it is about, which is the installation's.
    run_id uuid,
    from_at timestamptz not null,
    to_at timestamptz not null,
    created_at timestamptz not null,
    -- Null while it is being written; then it is shown to nobody.
    finished_at timestamptz,
    finding_count integer not null default 0,
    -- [{"task": "…", "words": ["…"], "findings": [{"words": "…", "advice": "…"}]}], or the figures of a week and of the one before it.
    content jsonb not null,
    constraint reports_kind_check check (kind in ('daily', 'weekly', 'monthly', 'kpis')),
    constraint reports_run_id_check check ((kind = 'kpis') = (run_id is null)),
    constraint reports_times_check check (isfinite(from_at) and isfinite(to_at) and isfinite(created_at) and isfinite(finished_at) and from_at < to_at),
    constraint reports_finding_count_check check (finding_count >= 0)
);
create unique index reports_tenant_id_run_id_key on monitoring.reports (tenant_id, run_id) where run_id is not null;
create unique index reports_tenant_id_week_key on monitoring.reports (tenant_id, from_at) where kind = 'kpis';
create index reports_tenant_id_created_at_idx on monitoring.reports (tenant_id, created_at desc, report_id desc);
create index reports_created_at_idx on monitoring.reports (created_at);
create index reports_unfinished_idx on monitoring.reports (run_id) where finished_at is null;
comment on table monitoring.reports is 'Reports on maintenance and on the figures of a week.';

create table monitoring.report_subscriptions (
    tenant_id uuid not null,
    user_id uuid not null,
    of_installation boolean not null,
    kind text not null,
    -- Whether it is mailed always, when there is something to do, or never.
    mode text not null,
    updated_at timestamptz not null,
    constraint report_subscriptions_pkey primary key (tenant_id, user_id, of_installation, kind),
    constraint report_subscriptions_kind_check check (kind in ('daily', 'weekly', 'monthly', 'kpis')),
    constraint report_subscriptions_mode_check check (mode in ('always', 'findings', 'never')),
    constraint report_subscriptions_user_id_fkey foreign key (tenant_id, user_id)
        references users.memberships (tenant_id, user_id) on delete cascade
);
comment on table monitoring.report_subscriptions is 'Which reports people want by mail; who has said nothing gets what their role brings.';

select users.enable_tenant_isolation(t) from unnest(array['monitoring.kpi_samples', 'monitoring.maintenance_runs', 'monitoring.maintenance_tasks',
    'monitoring.reports', 'monitoring.report_subscriptions']) t;
grant select on monitoring.kpi_samples, monitoring.reports to sg_app;
grant select on monitoring.kpi_samples, monitoring.maintenance_runs, monitoring.maintenance_tasks, monitoring.reports,
    monitoring.report_subscriptions to sg_backup, sg_admin;
grant select, insert, update, delete on monitoring.kpi_samples, monitoring.maintenance_runs, monitoring.maintenance_tasks, monitoring.reports,
    monitoring.report_subscriptions to sg_system;

create trigger record_row_change after insert or update or delete on monitoring.report_subscriptions
    for each row execute function audit.record_row_change('user_id');

-- Statistics are the owner's to renew. Those of a partitioned table as a whole nothing else renews: autovacuum looks at partitions only.
create function monitoring.analyze_table(p_table text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    relation regclass;
begin
    select c.oid::regclass into relation from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and c.oid::regclass::text = p_table;
    if relation is null then
        raise exception 'no table of the product: %', p_table using errcode = 'undefined_table';
    end if;
    execute format('analyze %s', relation);
end
$$;
comment on function monitoring.analyze_table(text) is 'Renews the planner''s statistics of one table of the product.';
revoke execute on function monitoring.analyze_table(text) from public;
grant execute on function monitoring.analyze_table(text) to sg_system;

-- Who gets a report by mail: of those who may read it now, who has chosen it, or whose role brings it. Who manages the installation gets its maintenance
-- reports, the daily one when there is something to do; who manages a tenant's people gets the tenant's when there is something to do. The rest asks for it.
create function monitoring.list_report_readers(p_tenant uuid, p_kind text, p_findings integer, p_at timestamptz)
returns table (user_id uuid, home_tenant_id uuid)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select distinct u.user_id, u.tenant_id
    from users.memberships m
    join users.users u on u.user_id = m.user_id and u.is_active
    join users.tenants t on t.tenant_id = m.tenant_id and t.status = 'active'
    join users.roles r on r.tenant_id = m.tenant_id and r.role = m.role and r.scope = 'tenant'
    left join monitoring.report_subscriptions s on s.tenant_id = m.tenant_id and s.user_id = m.user_id and s.kind = p_kind
        and s.of_installation = (p_tenant = '00000000-0000-0000-0000-000000000000')
    where (m.expires_at is null or m.expires_at > p_at)
        and exists (select from users.role_permissions p where p.tenant_id = r.tenant_id and p.role = r.role and p.permission = 'alerts_read')
        and case when p_tenant = '00000000-0000-0000-0000-000000000000'
            then exists (select from users.role_permissions p where p.tenant_id = r.tenant_id and p.role = r.role and p.permission = 'tenants_manage')
            else m.tenant_id = p_tenant end
        and case coalesce(s.mode, case when p_kind = 'kpis' then 'never'
                when p_tenant = '00000000-0000-0000-0000-000000000000' then case p_kind when 'daily' then 'findings' else 'always' end
                when exists (select from users.role_permissions p
                    where p.tenant_id = r.tenant_id and p.role = r.role and p.permission = 'users_manage') then 'findings'
                else 'never' end)
            when 'always' then true when 'findings' then p_findings > 0 else false end
$$;
comment on function monitoring.list_report_readers(uuid, text, integer, timestamptz) is 'Who gets a report by mail.';
revoke execute on function monitoring.list_report_readers(uuid, text, integer, timestamptz) from public;
grant execute on function monitoring.list_report_readers(uuid, text, integer, timestamptz) to sg_system;
