-- The document's fourth step prints no DDL. Its foundation is the subscriber: the tenant, with the class that decides how long telemetry is kept.

create table if not exists users.tenants (
    tenant_id uuid primary key default gen_random_uuid(),
    name varchar(255) not null,
    slug varchar(63) not null,
    status varchar(20) not null default 'active',
    retention_class smallint not null default 90,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint tenants_slug_key unique (slug),
    constraint tenants_slug_check check (slug ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'),
    constraint tenants_name_check check (length(btrim(name)) between 1 and 255),
    constraint tenants_status_check check (status in ('active', 'suspended')),
    -- Days that telemetry is kept; each class has partitions of its own, so that expiry is a drop.
    constraint tenants_retention_class_check check (retention_class in (30, 90, 400))
);

-- The system tenant owns what belongs to nobody: sign-ins of unknown users, events of the installation itself.
insert into users.tenants (tenant_id, name, slug)
values
    ('00000000-0000-0000-0000-000000000000', 'System', 'system'),
    ('00000000-0000-0000-0000-000000000001', 'Default', 'default')
on conflict do nothing;
