-- The document's sixth step prints no DDL. Its foundation: every attempt to sign in leaves a row, also of names that nobody has, because
-- the failed sign-in rate and the lockout frequency cannot be computed from counters that a success resets.

create table if not exists audit.login_attempts (
    attempt_id uuid not null,
    tenant_id uuid not null references users.tenants (tenant_id),
    occurred_at timestamptz not null,
    user_id uuid,
    -- As typed, for names that exist; SHA-256 of it for others, since people type passwords into the wrong field.
    username_or_digest text not null,
    outcome text not null,
    method text not null,
    address inet,
    user_agent text,
    request_id text,
    constraint login_attempts_pkey primary key (attempt_id, occurred_at),
    constraint login_attempts_outcome_check check (
        outcome in ('success', 'unknown_user', 'wrong_password', 'locked', 'inactive', 'throttled')
    )
) partition by range (occurred_at);

create index if not exists login_attempts_tenant_id_occurred_at_idx on audit.login_attempts (tenant_id, occurred_at desc);
