-- The document's seventh step prints no DDL. Its foundation: where a person may work, with which of the four documented roles.
-- A person's home tenant is such a membership too; a provider's analyst has more of them, each of which can end by itself.

create table if not exists users.memberships (
    tenant_id uuid not null references users.tenants (tenant_id),
    user_id uuid not null references users.users (user_id) on delete cascade,
    role varchar(50) not null,
    expires_at timestamptz,
    granted_by uuid references users.users (user_id) on delete set null,
    created_at timestamptz not null default now(),
    constraint memberships_pkey primary key (tenant_id, user_id),
    constraint memberships_role_check check (role in ('user', 'manager', 'admin', 'system_admin'))
);

create index if not exists memberships_user_id_idx on users.memberships (user_id);
create index if not exists memberships_granted_by_idx on users.memberships (granted_by);
