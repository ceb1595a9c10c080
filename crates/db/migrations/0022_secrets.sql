-- Secrets that the server has to read again: sealed by it (AES-256-GCM, NIST SP 800-38D) under a key that no database holds. The seal is bound
-- to the row's tenant, user, purpose and id, so that a row which is moved or relabelled does not open.

create table users.secrets (
    secret_id uuid primary key,
    tenant_id uuid not null references users.tenants (tenant_id),
    -- Whose it is; null for a secret of the tenant itself.
    user_id uuid,
    purpose text not null,
    -- Which key of the ring sealed it.
    key_id text not null,
    nonce bytea not null,
    ciphertext bytea not null,
    created_at timestamptz not null,
    sealed_at timestamptz not null,
    constraint secrets_purpose_check check (purpose in ('sign_in_digest', 'totp', 'ldap_bind', 'oidc_client', 'webhook_signing')),
    constraint secrets_key_id_check check (key_id ~ '^[0-9a-f]{16}$'),
    constraint secrets_nonce_check check (length(nonce) = 12),
    -- At least the tag of 16 bytes; at most a secret of 64 KiB with it.
    constraint secrets_ciphertext_check check (length(ciphertext) between 16 and 65552),
    constraint secrets_times_check check (isfinite(created_at) and isfinite(sealed_at)),
    constraint secrets_user_id_fkey foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete cascade
);
create index secrets_tenant_id_user_id_idx on users.secrets (tenant_id, user_id);
create index secrets_tenant_id_purpose_idx on users.secrets (tenant_id, purpose);
-- What a rotation looks for.
create index secrets_key_id_idx on users.secrets (key_id, secret_id);
-- Two nodes that make it at once keep one.
create unique index secrets_sign_in_digest_key on users.secrets (tenant_id) where purpose = 'sign_in_digest';

select users.enable_tenant_isolation('users.secrets');
create policy own_scope on users.secrets as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or user_id = (select users.current_user_id()));

-- Requests and administrators see that a secret is there, and under which key; what is sealed goes to the server's own role and to backups.
grant select (secret_id, tenant_id, user_id, purpose, key_id, created_at, sealed_at) on users.secrets to sg_app, sg_admin;
grant delete on users.secrets to sg_admin;
grant select, insert, delete on users.secrets to sg_system;
grant update (key_id, nonce, ciphertext, sealed_at) on users.secrets to sg_system;
grant select on users.secrets to sg_backup;

set local role sg_auth;
grant execute on function audit.record_row_change() to sg_owner;
set local role sg_owner;
create trigger record_row_change after insert or update or delete on users.secrets
    for each row execute function audit.record_row_change('secret_id', 'nonce', 'ciphertext');
