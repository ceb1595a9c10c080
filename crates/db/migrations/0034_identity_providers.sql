-- Where people may prove who they are besides a password of ours: OpenID providers, directories (LDAP) and provisioning (SCIM), each of one tenant.
--
-- Requests only read these tables: whoever runs SQL in an opened context must not be able to point a tenant's sign-in at a provider of their own.

create unique index if not exists secrets_tenant_id_secret_id_key on users.secrets (tenant_id, secret_id);

create table users.identity_providers (
    provider_id uuid primary key,
    tenant_id uuid not null references users.tenants (tenant_id),
    kind text not null,
    name text not null,
    is_enabled boolean not null,
    -- Shown on the sign-in page to everybody; else only to who names one of its e-mail domains.
    is_listed boolean not null default false,
    -- Whether people whom nobody has created yet get an account when the provider vouches for them.
    creates_users boolean not null,
    default_role text not null,
    -- The provider neither gives a higher role nor signs in an account that has one.
    highest_role text not null,
    -- [{"value": "…", "role": "…"}]: what the provider says of somebody, and the role that follows.
    role_mappings jsonb not null default '[]'::jsonb,
    -- What only this kind has; its form is checked by the server.
    settings jsonb not null,
    -- The client secret or bind password, sealed in users.secrets.
    secret_id uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint identity_providers_tenant_id_provider_id_key unique (tenant_id, provider_id),
    constraint identity_providers_kind_check check (kind in ('oidc', 'ldap', 'scim')),
    constraint identity_providers_name_check check (length(btrim(name)) between 1 and 100),
    constraint identity_providers_role_check check (
        users.role_rank(default_role) is not null and users.role_rank(highest_role) is not null
        and users.role_rank(default_role) <= users.role_rank(highest_role)),
    constraint identity_providers_role_mappings_check check (jsonb_typeof(role_mappings) = 'array'),
    constraint identity_providers_settings_check check (jsonb_typeof(settings) = 'object'),
    constraint identity_providers_times_check check (isfinite(created_at) and isfinite(updated_at)),
    constraint identity_providers_secret_id_fkey foreign key (tenant_id, secret_id) references users.secrets (tenant_id, secret_id)
);
create index identity_providers_tenant_id_secret_id_idx on users.identity_providers (tenant_id, secret_id);
create unique index identity_providers_name_key on users.identity_providers (tenant_id, lower(name));
-- One provisioning client for each tenant: its groups give the roles.
create unique index identity_providers_scim_key on users.identity_providers (tenant_id) where kind = 'scim';

-- An e-mail domain leads to one provider, in all tenants: a second claim could send a neighbour's people to a provider of the claimant's.
create table users.provider_domains (
    domain text primary key,
    tenant_id uuid not null,
    provider_id uuid not null,
    constraint provider_domains_domain_check check (domain = lower(domain) and length(domain) between 1 and 253),
    constraint provider_domains_provider_id_fkey foreign key (tenant_id, provider_id)
        references users.identity_providers (tenant_id, provider_id) on delete cascade
);
create index provider_domains_tenant_id_provider_id_idx on users.provider_domains (tenant_id, provider_id);

-- Who is who: the provider's name for somebody (OpenID Connect Core §5.7: issuer and subject, never the e-mail address) and the account.
create table users.external_identities (
    tenant_id uuid not null,
    provider_id uuid not null,
    subject text not null,
    user_id uuid not null,
    linked_at timestamptz not null,
    last_sign_in_at timestamptz,
    -- When a directory was last seen to have them.
    last_seen_at timestamptz,
    -- When they were switched off because the directory had them no more: who was switched off by a person is not switched on by a directory.
    vanished_at timestamptz,
    -- What a provisioning client calls the person (RFC 7643 §3.1, §4.1.1); other kinds of provider have neither.
    user_name text,
    external_id text,
    constraint external_identities_pkey primary key (tenant_id, provider_id, subject),
    -- One name at each provider for an account.
    constraint external_identities_user_key unique (tenant_id, user_id, provider_id),
    constraint external_identities_subject_check check (length(subject) between 1 and 1024),
    constraint external_identities_names_check check (length(user_name) between 1 and 320 and length(external_id) <= 1024),
    constraint external_identities_times_check check (isfinite(linked_at) and isfinite(last_sign_in_at) and isfinite(last_seen_at)
        and isfinite(vanished_at)),
    constraint external_identities_provider_id_fkey foreign key (tenant_id, provider_id)
        references users.identity_providers (tenant_id, provider_id) on delete cascade,
    constraint external_identities_user_id_fkey foreign key (tenant_id, user_id)
        references users.users (tenant_id, user_id) on delete cascade
);
create unique index external_identities_user_name_key on users.external_identities (tenant_id, provider_id, lower(user_name));

-- A sign-in that has left for its provider. Only hashes: who reads this table can finish no sign-in.
create table users.pending_sign_ins (
    -- SHA-256 of the state parameter (OpenID Connect Core §3.1.2.1).
    state_hash bytea primary key,
    -- SHA-256 of the cookie of the browser that began; nonce and PKCE verifier follow from cookie and state.
    browser_hash bytea not null,
    tenant_id uuid not null,
    provider_id uuid not null,
    return_to text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint pending_sign_ins_hashes_check check (length(state_hash) = 32 and length(browser_hash) = 32),
    constraint pending_sign_ins_return_to_check check (return_to ~ '^/([^/\\]|$)' and length(return_to) <= 512),
    constraint pending_sign_ins_times_check check (isfinite(created_at) and isfinite(expires_at)),
    constraint pending_sign_ins_provider_id_fkey foreign key (tenant_id, provider_id)
        references users.identity_providers (tenant_id, provider_id) on delete cascade
);
create index pending_sign_ins_tenant_id_provider_id_idx on users.pending_sign_ins (tenant_id, provider_id);
create index pending_sign_ins_expires_at_idx on users.pending_sign_ins (expires_at);

-- What a directory's synchronisation did, or would do.
create table users.directory_syncs (
    sync_id uuid primary key,
    tenant_id uuid not null,
    provider_id uuid not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    is_dry_run boolean not null,
    outcome text not null,
    report jsonb not null,
    constraint directory_syncs_outcome_check check (outcome in ('done', 'stopped', 'failed')),
    constraint directory_syncs_times_check check (isfinite(started_at) and isfinite(finished_at)),
    constraint directory_syncs_provider_id_fkey foreign key (tenant_id, provider_id)
        references users.identity_providers (tenant_id, provider_id) on delete cascade
);
create index directory_syncs_tenant_id_provider_id_idx on users.directory_syncs (tenant_id, provider_id, started_at desc);

-- Groups that a provisioning client keeps here (RFC 7643 §4.2), and who is in them.
create table users.provisioned_groups (
    group_id uuid primary key,
    tenant_id uuid not null,
    provider_id uuid not null,
    display_name text not null,
    external_id text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint provisioned_groups_tenant_id_group_id_key unique (tenant_id, group_id),
    constraint provisioned_groups_display_name_check check (length(btrim(display_name)) between 1 and 255),
    constraint provisioned_groups_external_id_check check (length(external_id) <= 1024),
    constraint provisioned_groups_times_check check (isfinite(created_at) and isfinite(updated_at)),
    constraint provisioned_groups_provider_id_fkey foreign key (tenant_id, provider_id)
        references users.identity_providers (tenant_id, provider_id) on delete cascade
);
create index provisioned_groups_tenant_id_provider_id_idx on users.provisioned_groups (tenant_id, provider_id, group_id);
create unique index provisioned_groups_display_name_key on users.provisioned_groups (tenant_id, lower(display_name));

create table users.provisioned_group_members (
    tenant_id uuid not null,
    group_id uuid not null,
    user_id uuid not null,
    constraint provisioned_group_members_pkey primary key (tenant_id, group_id, user_id),
    constraint provisioned_group_members_group_id_fkey foreign key (tenant_id, group_id)
        references users.provisioned_groups (tenant_id, group_id) on delete cascade,
    constraint provisioned_group_members_user_id_fkey foreign key (tenant_id, user_id)
        references users.users (tenant_id, user_id) on delete cascade
);
create index provisioned_group_members_tenant_id_user_id_idx on users.provisioned_group_members (tenant_id, user_id);

-- Which provider vouched for a session: it ends with it, and signing out can end the provider's own.
alter table users.sessions
    add column provider_id uuid,
    add constraint sessions_provider_id_fkey foreign key (tenant_id, provider_id)
        references users.identity_providers (tenant_id, provider_id) on delete set null (provider_id) not valid;
alter table users.sessions validate constraint sessions_provider_id_fkey;
create index sessions_tenant_id_provider_id_idx on users.sessions (tenant_id, provider_id) where provider_id is not null;

-- A sign-in that a provider vouched for, and that waits for a second factor.
alter table users.sign_in_challenges
    add column provider_id uuid,
    add constraint sign_in_challenges_provider_id_fkey foreign key (tenant_id, provider_id)
        references users.identity_providers (tenant_id, provider_id) on delete cascade;
create index sign_in_challenges_tenant_id_provider_id_idx on users.sign_in_challenges (tenant_id, provider_id) where provider_id is not null;

alter table audit.login_attempts drop constraint login_attempts_outcome_check;
alter table audit.login_attempts add constraint login_attempts_outcome_check check (
    outcome in ('success', 'unknown_user', 'wrong_password', 'locked', 'inactive', 'throttled', 'second_factor_required', 'wrong_factor',
        'directory_unavailable'))
    not valid;
alter table audit.login_attempts validate constraint login_attempts_outcome_check;

-- A key for a provisioning client.
alter table users.api_keys
    drop constraint api_keys_scopes_check,
    add constraint api_keys_scopes_check check (scopes <@ array['enrol', 'api', 'scim'] and cardinality(scopes) > 0) not valid;
alter table users.api_keys validate constraint api_keys_scopes_check;

comment on table users.identity_providers is 'Where people of a tenant may prove who they are besides a password kept here: OpenID, directories, provisioning.';
comment on table users.provider_domains is 'The e-mail domains that lead to an identity provider from the sign-in page.';
comment on table users.external_identities is 'The account that belongs to a provider''s unchanging name for somebody.';
comment on table users.pending_sign_ins is 'Sign-ins that have left for their provider; hashes only.';
comment on table users.directory_syncs is 'What the last hundred synchronisations of each directory did, or would have done.';
comment on table users.provisioned_groups is 'Groups that a provisioning client keeps here; roles follow from them.';
comment on table users.provisioned_group_members is 'Who is in which provisioned group.';
comment on column users.sessions.provider_id is 'The provider that vouched for the session; null where a password did.';
comment on column users.sign_in_challenges.provider_id is 'The provider that vouched for the user in the first step; null where a password did.';

insert into users.permissions (permission, description, least_role)
values ('providers_manage', 'see, set up and remove the tenant''s identity providers', 'admin');

select users.enable_tenant_isolation(t) from unnest(array[
    'users.identity_providers', 'users.provider_domains', 'users.external_identities', 'users.pending_sign_ins', 'users.directory_syncs',
    'users.provisioned_groups', 'users.provisioned_group_members']) t;
do $$
declare
    a_table text;
begin
    foreach a_table in array array[
        'users.identity_providers', 'users.provider_domains', 'users.directory_syncs', 'users.provisioned_groups', 'users.pending_sign_ins']
    loop
        execute format(
            'create policy own_scope on %s as restrictive for all to sg_app using ((select users.current_scope()) = ''tenant'')', a_table);
    end loop;
    foreach a_table in array array['users.external_identities', 'users.provisioned_group_members']
    loop
        execute format(
            'create policy own_scope on %s as restrictive for all to sg_app using ((select users.current_scope()) = ''tenant''
                or user_id = (select users.current_user_id()))', a_table);
    end loop;
end
$$;

grant select on users.identity_providers, users.provider_domains, users.external_identities, users.directory_syncs,
    users.provisioned_groups, users.provisioned_group_members to sg_app;
grant select, insert, update, delete on users.identity_providers, users.provider_domains, users.external_identities,
    users.pending_sign_ins, users.directory_syncs, users.provisioned_groups, users.provisioned_group_members to sg_system;
grant select, insert, update, delete on users.identity_providers, users.provider_domains, users.external_identities to sg_admin;
grant select on users.pending_sign_ins, users.directory_syncs, users.provisioned_groups, users.provisioned_group_members to sg_admin;
grant select on users.identity_providers, users.provider_domains, users.external_identities, users.pending_sign_ins, users.directory_syncs,
    users.provisioned_groups, users.provisioned_group_members to sg_backup;

create trigger record_row_change after insert or update or delete on users.identity_providers
    for each row execute function audit.record_row_change('provider_id');
create trigger record_row_change after insert or update or delete on users.provider_domains
    for each row execute function audit.record_row_change('domain');
create trigger record_row_change after insert or update or delete on users.external_identities
    for each row execute function audit.record_row_change('user_id', 'last_sign_in_at', 'last_seen_at');
create trigger record_row_change after insert or update or delete on users.provisioned_groups
    for each row execute function audit.record_row_change('group_id');
create trigger record_row_change after insert or update or delete on users.provisioned_group_members
    for each row execute function audit.record_row_change('user_id');

create policy auth_access on users.external_identities for select to sg_auth using (true);
create policy auth_access on users.identity_providers for select to sg_auth using (true);
grant select on users.external_identities, users.identity_providers to sg_auth;

grant create on schema users to sg_auth;
set local role sg_auth;
create function users.has_directory(p_user_id uuid) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from users.external_identities i
        join users.identity_providers p on p.tenant_id = i.tenant_id and p.provider_id = i.provider_id
        where i.user_id = p_user_id and p.kind = 'ldap' and p.is_enabled)
$$;
comment on function users.has_directory(uuid) is 'Whether a directory checks the password of a user in place of the stored hash.';
revoke all on function users.has_directory(uuid) from public;
grant execute on function users.has_directory(uuid) to sg_system;

-- Nobody has to change a password here that is kept elsewhere.
create or replace function users.find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamptz)
returns table (
    tenant_id uuid, user_id uuid, username text, full_name text, role text, home_tenant_id uuid,
    credential_id uuid, scopes text[], must_change_password boolean, based_on text, scope text, permissions text[]
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    p_now timestamptz := greatest(p_at, clock_timestamp() - interval '1 minute');
begin
    return query
    with credential as (
        select s.session_id as id, s.user_id as owner_id, null::text[] as key_scopes, null::uuid as key_tenant, s.provider_id as vouched_by
        from users.sessions s
        where p_kind = 'session' and s.token_hash = p_hash and s.ended_at is null and s.expires_at > p_now
            and s.last_seen_at + make_interval(secs => s.idle_seconds) > p_now
        union all
        select k.key_id, k.user_id, k.scopes, k.tenant_id, null
        from users.api_keys k
        where p_kind = 'api_key' and k.key_hash = encode(p_hash, 'hex') and k.is_active and (k.expires_at is null or k.expires_at > p_now)
    )
    select t.tenant_id, u.user_id, u.username::text, u.full_name::text, m.role::text, u.tenant_id, c.id, c.key_scopes,
        u.must_change_password and c.vouched_by is null and not users.has_directory(u.user_id),
        r.based_on::text, r.scope::text,
        array(
            select p.permission::text from users.role_permissions p
            where p.tenant_id = r.tenant_id and p.role = r.role order by p.permission)
    from credential c
    join users.users u on u.user_id = c.owner_id and u.is_active
    join users.memberships m on m.user_id = u.user_id and (m.expires_at is null or m.expires_at > p_now)
    join users.tenants t on t.tenant_id = m.tenant_id and t.status = 'active'
    join users.roles r on r.tenant_id = m.tenant_id and r.role = m.role
    where t.tenant_id = coalesce(p_tenant, c.key_tenant, u.tenant_id)
        -- A key works in its own tenant only.
        and (c.key_tenant is null or c.key_tenant = t.tenant_id);
end
$$;
set local role sg_owner;
revoke create on schema users from sg_auth;
