-- Which steps of the schema programs of an earlier release can work beside. Several nodes are upgraded one after the other, the schema first; a program that meets a
-- step which it does not know serves only when the step is marked here. Each program marks the steps that it brings, before it takes them.

create table public.schema_steps (
    version bigint primary key,
    -- The step only adds: whatever worked before it works after it.
    expands boolean not null
);
comment on table public.schema_steps is 'Whether programs that do not know a step of the schema work beside it.';
grant select on public.schema_steps to sg_app, sg_system, sg_admin, sg_backup;

-- Maintenance that somebody asked for in the console waits for the node that takes it up.
alter table monitoring.maintenance_runs add column requested_by text
    constraint maintenance_runs_requested_by_check check (length(requested_by) between 1 and 255);
comment on column monitoring.maintenance_runs.requested_by is 'Sign-in name of whoever asked for a run; null for those at their time and those from a terminal.';
