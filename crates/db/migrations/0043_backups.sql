-- Backups: what was made, verified and tried out, and how the archive of the write-ahead log stands. Both are the installation's, so their rows belong
-- to the system tenant.

create table monitoring.backups (
    run_id uuid primary key,
    tenant_id uuid not null default '00000000-0000-0000-0000-000000000000' references users.tenants (tenant_id),
    kind text not null,
    state text not null,
    -- The machine that did it.
    node text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    -- The backup that was made, or tried out.
    label text,
    repository smallint,
    database_bytes bigint,
    stored_bytes bigint,
    -- Of a drill: the moment of the last transaction that came back, how much of the time before the drill would have been lost, and how long it took until
    -- the restored database accepted writes.
    recovered_to timestamptz,
    rpo_seconds double precision,
    rto_seconds double precision,
    -- What was wrong and what to do.
    problem text,
    detail jsonb not null default '{}'::jsonb,
    constraint backups_kind_check check (kind in ('full', 'incr', 'verify', 'drill')),
    constraint backups_state_check check (state in ('running', 'completed', 'failed', 'interrupted')),
    constraint backups_finished_at_check check ((state = 'running') = (finished_at is null)),
    constraint backups_problem_check check (state <> 'failed' or problem is not null),
    constraint backups_node_check check (length(node) between 1 and 255),
    constraint backups_sizes_check check (database_bytes >= 0 and stored_bytes >= 0),
    constraint backups_times_check check (rpo_seconds >= 0 and rto_seconds >= 0)
);
create index backups_tenant_id_started_at_idx on monitoring.backups (tenant_id, started_at desc, run_id desc);
create index backups_kind_started_at_idx on monitoring.backups (kind, started_at desc);
create index backups_finished_at_idx on monitoring.backups (finished_at);
comment on table monitoring.backups is 'Backups, verifications and drills of the installation, with what came of them.';

-- One row, written each minute by the node that watches. The write itself is what makes PostgreSQL close a segment each minute, so that an idle database's archive
-- is as fresh as a busy one's.
create table monitoring.backup_state (
    tenant_id uuid primary key default '00000000-0000-0000-0000-000000000000' references users.tenants (tenant_id),
    looked_at timestamptz not null,
    node text not null,
    archived_at timestamptz,
    archived_segment text,
    archive_age_seconds double precision not null,
    archive_failures bigint not null,
    -- [{"subject": "archiving", "words": "…"}]: what is wrong and what to do.
    problems jsonb not null default '[]'::jsonb,
    constraint backup_state_problems_check check (jsonb_typeof(problems) = 'array')
);
comment on table monitoring.backup_state is 'How backups and the archive stand, as the node that watches them last saw it.';

select users.enable_tenant_isolation(t) from unnest(array['monitoring.backups', 'monitoring.backup_state']) t;
grant select on monitoring.backups, monitoring.backup_state to sg_backup, sg_admin;
grant select, insert, update, delete on monitoring.backups, monitoring.backup_state to sg_system;
