-- The document's first step: people, keys, endpoints and their metrics.
--
-- Steps 1 to 8 follow the history that the schema document tells. Each is written so that it changes nothing in a database that was built
-- from the document's printed DDL earlier; what has to be made right in such a database follows from 0009 on.

create schema if not exists users;
create schema if not exists agents;
create schema if not exists threats;
create schema if not exists audit;

create table if not exists users.users (
    user_id uuid primary key default gen_random_uuid(),
    username varchar(50) unique not null,
    email varchar(255) unique not null,
    password_hash text not null,
    full_name varchar(255),
    is_active boolean not null default true,
    tenant_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_login timestamptz
);

create table if not exists users.api_keys (
    key_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users.users (user_id),
    key_hash text not null,
    key_name varchar(100) not null,
    key_prefix varchar(10) not null,
    is_active boolean not null default true,
    expires_at timestamptz,
    last_used timestamptz,
    usage_count integer not null default 0,
    created_at timestamptz not null default now()
);

create table if not exists agents.endpoints (
    agent_id uuid primary key default gen_random_uuid(),
    tenant_id uuid,
    hostname varchar(255) not null,
    ip_address inet,
    mac_address macaddr,
    device_name varchar(100),
    os_info text,
    version varchar(50),
    hardware_fingerprint text,
    registered_via_key_id uuid references users.api_keys (key_id),
    status varchar(20) default 'active',
    last_seen timestamptz,
    heartbeat_interval integer default 300,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists agents.system_info (
    info_id uuid primary key default gen_random_uuid(),
    agent_id uuid not null references agents.endpoints (agent_id),
    cpu_usage decimal(5, 2),
    memory_usage decimal(5, 2),
    disk_usage decimal(5, 2),
    network_usage jsonb,
    uptime bigint,
    process_count integer,
    service_status jsonb,
    collected_at timestamptz not null default now()
);

create index if not exists idx_users_username on users.users (username);
create index if not exists idx_users_email on users.users (email);

create index if not exists idx_agents_tenant_id on agents.endpoints (tenant_id);
create index if not exists idx_agents_status on agents.endpoints (status);
create index if not exists idx_agents_last_seen on agents.endpoints (last_seen);

create index if not exists idx_api_keys_user_id on users.api_keys (user_id);
create index if not exists idx_api_keys_prefix on users.api_keys (key_prefix);
create index if not exists idx_api_keys_active on users.api_keys (is_active) where is_active = true;
