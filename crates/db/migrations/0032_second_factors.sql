-- Second factors: one-time codes (RFC 6238), passkeys (WebAuthn) and backup codes; what a sign-in waits for between its two steps; who must
-- have a factor. Requests reach the rules of their tenant only: none has a reason to run SQL over somebody's factors, which is sg_system's.

alter table users.secrets add constraint secrets_tenant_id_secret_id_key unique (tenant_id, secret_id);

create table users.factors (
    factor_id uuid primary key,
    tenant_id uuid not null,
    user_id uuid not null,
    kind text not null,
    name text not null,
    created_at timestamptz not null,
    -- Null until its owner has proved that it works; it opens nothing before.
    confirmed_at timestamptz,
    last_used_at timestamptz,
    -- Codes: where the sealed secret is, the last time step that was accepted (one use of each), and a throttle of their own.
    secret_id uuid,
    last_step bigint,
    failed_attempts integer not null default 0,
    locked_until timestamptz,
    -- Passkeys: the credential as the authenticator told it; the key is a COSE_Key (RFC 9052 §7).
    credential_id bytea,
    public_key bytea,
    sign_count bigint,
    transports text[],
    backed_up boolean,
    constraint factors_kind_check check (kind in ('totp', 'passkey')),
    constraint factors_name_check check (length(name) between 1 and 100),
    constraint factors_failed_attempts_check check (failed_attempts >= 0),
    constraint factors_totp_check check ((kind = 'totp') = (secret_id is not null)),
    constraint factors_passkey_check check ((kind = 'passkey') = (credential_id is not null and public_key is not null and sign_count is not null)),
    constraint factors_credential_id_check check (length(credential_id) between 1 and 1023),
    constraint factors_public_key_check check (length(public_key) between 16 and 4096),
    constraint factors_sign_count_check check (sign_count between 0 and 4294967295),
    constraint factors_times_check check (isfinite(created_at) and isfinite(confirmed_at) and isfinite(last_used_at) and isfinite(locked_until)),
    constraint factors_credential_id_key unique (credential_id),
    constraint factors_user_id_fkey foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete cascade,
    constraint factors_secret_id_fkey foreign key (tenant_id, secret_id) references users.secrets (tenant_id, secret_id)
);
create index factors_tenant_id_user_id_idx on users.factors (tenant_id, user_id);
create index factors_tenant_id_secret_id_idx on users.factors (tenant_id, secret_id);
create index factors_user_id_idx on users.factors (user_id);

create table users.backup_codes (
    code_id uuid primary key,
    tenant_id uuid not null,
    user_id uuid not null,
    -- SHA-256 of a code of 120 random bits (ASVS 5.0 §6.5.2 asks for a slow hash below 112).
    code_hash bytea not null,
    created_at timestamptz not null,
    used_at timestamptz,
    constraint backup_codes_code_hash_check check (length(code_hash) = 32),
    constraint backup_codes_user_id_code_hash_key unique (user_id, code_hash),
    constraint backup_codes_user_id_fkey foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete cascade
);
create index backup_codes_tenant_id_user_id_idx on users.backup_codes (tenant_id, user_id);

-- What was begun and waits for its second half. Each opens one thing once.
create table users.sign_in_challenges (
    challenge_id uuid primary key,
    tenant_id uuid not null references users.tenants (tenant_id),
    -- Null while nobody knows who signs in: a passkey says it.
    user_id uuid,
    purpose text not null,
    -- SHA-256 of the token that names it.
    token_hash bytea not null,
    -- What an authenticator has to sign.
    passkey_challenge bytea not null,
    -- SHA-256 of the password hash that was verified: another password voids the challenge.
    password_digest bytea,
    -- The session that a verification is for.
    session_id uuid,
    attempts integer not null default 0,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    consumed_at timestamptz,
    constraint sign_in_challenges_purpose_check check (
        purpose in ('second_factor', 'enrolment', 'passkey_sign_in', 'passkey_registration', 'verification')),
    constraint sign_in_challenges_user_id_check check ((user_id is null) = (purpose = 'passkey_sign_in')),
    constraint sign_in_challenges_password_check check (
        purpose not in ('second_factor', 'enrolment') or password_digest is not null),
    constraint sign_in_challenges_token_hash_key unique (token_hash),
    constraint sign_in_challenges_token_hash_check check (length(token_hash) = 32),
    constraint sign_in_challenges_passkey_challenge_check check (length(passkey_challenge) = 32),
    constraint sign_in_challenges_user_id_fkey foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete cascade
);
create index sign_in_challenges_tenant_id_user_id_idx on users.sign_in_challenges (tenant_id, user_id);
create index sign_in_challenges_expires_at_idx on users.sign_in_challenges (expires_at);

-- Which roles of a tenant need a factor. A person has `grace_days` from the day on which the rule or the person came, whichever was later.
create table users.factor_policies (
    tenant_id uuid not null references users.tenants (tenant_id),
    role varchar(50) not null,
    grace_days integer not null,
    required_since timestamptz not null,
    constraint factor_policies_pkey primary key (tenant_id, role),
    constraint factor_policies_role_fkey foreign key (tenant_id, role) references users.roles (tenant_id, role) on delete cascade,
    constraint factor_policies_grace_days_check check (grace_days between 0 and 90),
    constraint factor_policies_times_check check (isfinite(required_since))
);

-- What a person is told at the next visit about their own account.
create table users.notices (
    notice_id uuid primary key,
    tenant_id uuid not null,
    user_id uuid not null,
    kind text not null,
    detail text,
    created_at timestamptz not null,
    seen_at timestamptz,
    constraint notices_kind_check check (kind ~ '^[a-z][a-z_]{0,39}$'),
    constraint notices_detail_check check (length(detail) <= 200),
    constraint notices_user_id_fkey foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete cascade
);
create index notices_tenant_id_user_id_idx on users.notices (tenant_id, user_id);
create index notices_user_id_created_at_idx on users.notices (user_id, created_at desc);

comment on table users.factors is 'Second factors of people: apps that make codes, and passkeys.';
comment on column users.factors.confirmed_at is 'Null until its owner has proved that it works; it opens nothing before.';
comment on table users.backup_codes is 'Codes that stand in for a lost factor, each good once; only their hashes.';
comment on table users.sign_in_challenges is 'What was begun and waits for its second half: sign-ins, enrolments, questions to authenticators. Each opens one thing once.';
comment on table users.factor_policies is 'Which roles of a tenant need a second factor, and for how long people may do without.';
comment on table users.notices is 'What people are told at their next visit about their own account.';

alter table users.sessions add column verified_at timestamptz;
comment on column users.sessions.verified_at is
    'When the holder last proved who they are, beyond having the token; null: when the session began.';

-- Attempts at the second step are attempts too. The rule is looser than the one before, so that nothing has to be looked at again.
alter table audit.login_attempts drop constraint login_attempts_outcome_check;
alter table audit.login_attempts add constraint login_attempts_outcome_check check (
    outcome in ('success', 'unknown_user', 'wrong_password', 'locked', 'inactive', 'throttled', 'second_factor_required', 'wrong_factor'))
    not valid;
alter table audit.login_attempts validate constraint login_attempts_outcome_check;

select users.enable_tenant_isolation(t) from unnest(array[
    'users.factors', 'users.backup_codes', 'users.sign_in_challenges', 'users.factor_policies', 'users.notices']) t;
create policy own_scope on users.factor_policies as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
create policy no_higher_role on users.factor_policies as restrictive for insert to sg_app with check (users.may_grant(role));
create policy no_higher_role_by_update on users.factor_policies as restrictive for update to sg_app
    using (users.may_grant(role)) with check (users.may_grant(role));
create policy no_higher_role_goes on users.factor_policies as restrictive for delete to sg_app using (users.may_grant(role));

grant select, insert, update, delete on users.factors, users.backup_codes, users.sign_in_challenges, users.factor_policies, users.notices
    to sg_system;
-- The administrator at the psql prompt sees what there is and takes factors away; nobody makes one by hand.
grant select (factor_id, tenant_id, user_id, kind, name, created_at, confirmed_at, last_used_at, failed_attempts, locked_until)
    on users.factors to sg_admin;
grant select (code_id, tenant_id, user_id, created_at, used_at) on users.backup_codes to sg_admin;
grant delete on users.factors, users.backup_codes to sg_admin;
grant update (failed_attempts, locked_until) on users.factors to sg_admin;
grant select, insert, update, delete on users.factor_policies to sg_admin, sg_app;
grant select on users.notices to sg_admin;
grant select on users.factors, users.backup_codes, users.sign_in_challenges, users.factor_policies, users.notices to sg_backup;

create trigger record_row_change after insert or update or delete on users.factors
    for each row execute function audit.record_row_change(
        'factor_id', 'last_used_at', 'last_step', 'failed_attempts', 'locked_until', 'sign_count', 'credential_id', 'public_key', 'backed_up');
create trigger record_row_change after insert or update or delete on users.backup_codes
    for each row execute function audit.record_row_change('code_id', 'code_hash');
create trigger record_row_change after insert or update or delete on users.factor_policies
    for each row execute function audit.record_row_change('role');
