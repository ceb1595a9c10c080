-- The document's eighth step: password security. The functions get their final, race-free bodies in 0011.

alter table users.users
    add column if not exists must_change_password boolean not null default false,
    add column if not exists password_last_changed timestamptz default now(),
    add column if not exists failed_login_attempts integer default 0,
    add column if not exists last_failed_login timestamptz,
    add column if not exists account_locked_until timestamptz,
    add column if not exists role varchar(50) not null default 'user',
    add column if not exists password_history jsonb default '[]'::jsonb;

create table if not exists users.password_policies (
    policy_id uuid primary key default gen_random_uuid(),
    min_length integer not null default 12,
    require_uppercase boolean not null default true,
    require_lowercase boolean not null default true,
    require_numbers boolean not null default true,
    require_special_chars boolean not null default true,
    max_age_days integer not null default 90,
    history_count integer not null default 5,
    max_failed_attempts integer not null default 5,
    lockout_duration_minutes integer not null default 30,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index if not exists idx_users_role on users.users (role);
create index if not exists idx_users_account_locked on users.users (account_locked_until) where account_locked_until is not null;
