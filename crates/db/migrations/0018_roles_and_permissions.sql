-- What each role may do, as data: the four documented roles in every tenant, and roles that a tenant makes for itself within one of them.
-- And access that a tenant gives to people of another: by name, for a time, with a reason.

create table users.permissions (
    permission varchar(50) primary key,
    description text not null,
    least_role varchar(50) not null,
    constraint permissions_permission_check check (permission ~ '^[a-z][a-z0-9_]{0,49}$'),
    constraint permissions_least_role_check check (users.role_rank(least_role) is not null)
);
comment on table users.permissions is 'Everything that a caller can be allowed to do; a row added here reaches the documented roles of every tenant.';
comment on column users.permissions.least_role is 'The least of the four documented roles that has it; those above it have it too.';

create table users.roles (
    tenant_id uuid not null default users.tenant_default(),
    role varchar(50) not null,
    based_on varchar(50) not null,
    scope varchar(10) not null,
    description text not null default '',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint roles_pkey primary key (tenant_id, role),
    constraint roles_tenant_id_fkey foreign key (tenant_id) references users.tenants (tenant_id),
    constraint roles_role_check check (role ~ '^[a-z][a-z0-9_]{0,49}$'),
    constraint roles_based_on_check check (users.role_rank(based_on) is not null and (users.role_rank(role) is null or role = based_on)),
    constraint roles_scope_check check (scope in ('own', 'tenant') and (based_on <> 'user' or scope = 'own')),
    constraint roles_description_check check (length(description) <= 500)
);
comment on table users.roles is 'The roles of each tenant: the four documented ones, which are based on themselves, and the tenant''s own.';
comment on column users.roles.based_on is 'The documented role that bounds it: nothing that this one may not is ever allowed.';
comment on column users.roles.scope is 'Whether it sees the whole tenant or what belongs to the caller.';

create table users.role_permissions (
    tenant_id uuid not null default users.tenant_default(),
    role varchar(50) not null,
    permission varchar(50) not null,
    created_at timestamptz not null default now(),
    constraint role_permissions_pkey primary key (tenant_id, role, permission),
    constraint role_permissions_role_fkey foreign key (tenant_id, role) references users.roles (tenant_id, role) on delete cascade,
    constraint role_permissions_permission_fkey foreign key (permission) references users.permissions (permission)
);
comment on table users.role_permissions is 'What each role of each tenant may do.';
create index role_permissions_permission_idx on users.role_permissions (permission);

alter table users.memberships
    add column reason text,
    add constraint memberships_reason_check check (length(reason) <= 500);
comment on column users.memberships.reason is 'Why somebody from elsewhere has access.';

create function users.create_documented_roles() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into users.roles (tenant_id, role, based_on, scope, description)
    select new.tenant_id, r.role, r.role, r.scope, r.description
    from (values
        ('user', 'own', 'Sees the endpoints that are theirs, and the incidents on them.'),
        ('manager', 'tenant', 'Works the tenant''s incidents and endpoints: the analyst.'),
        ('admin', 'tenant', 'Manages the tenant''s people and keys, and reads its audit log.'),
        ('system_admin', 'tenant', 'Manages the installation and its tenants.')) as r (role, scope, description)
    on conflict do nothing;
    insert into users.role_permissions (tenant_id, role, permission)
    select r.tenant_id, r.role, p.permission
    from users.roles r join users.permissions p on users.role_rank(p.least_role) <= users.role_rank(r.role)
    where r.tenant_id = new.tenant_id and r.role = r.based_on
    on conflict do nothing;
    return null;
end
$$;
comment on function users.create_documented_roles() is 'Gives a new tenant the four documented roles.';

create function users.spread_permission() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into users.role_permissions (tenant_id, role, permission)
    select r.tenant_id, r.role, new.permission
    from users.roles r
    where r.role = r.based_on and users.role_rank(new.least_role) <= users.role_rank(r.role)
    on conflict do nothing;
    return null;
end
$$;
comment on function users.spread_permission() is 'Gives a permission to the documented roles of every tenant.';

-- The documented roles stay as they are documented, for everybody but migrations and the erasure of a tenant, which run as the owner.
create function users.guard_role() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    if current_user in ('sg_owner', 'sg_auth') then
        return coalesce(new, old);
    end if;
    if tg_op = 'DELETE' and exists (select from users.tenants t where t.tenant_id = old.tenant_id and t.status = 'erased') then
        return old;
    end if;
    if users.role_rank(coalesce(old.role, new.role)) is not null then
        raise exception 'the role % is a documented one and stays as it is', coalesce(old.role, new.role)
            using errcode = 'insufficient_privilege';
    end if;
    if tg_op = 'UPDATE' and (new.tenant_id, new.role, new.based_on) is distinct from (old.tenant_id, old.role, old.based_on) then
        raise exception 'name, tenant and base of a role do not change: make another one' using errcode = 'insufficient_privilege';
    end if;
    return coalesce(new, old);
end
$$;
comment on function users.guard_role() is 'Keeps documented roles as they are, and what a role is based on.';

create function users.guard_role_permission() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    if current_user in ('sg_owner', 'sg_auth') then
        return coalesce(new, old);
    end if;
    if tg_op = 'DELETE' and exists (select from users.tenants t where t.tenant_id = old.tenant_id and t.status = 'erased') then
        return old;
    end if;
    if users.role_rank(coalesce(old.role, new.role)) is not null then
        raise exception 'the role % is a documented one and stays as it is', coalesce(old.role, new.role)
            using errcode = 'insufficient_privilege';
    end if;
    if tg_op <> 'DELETE' and not exists (
        select 1 from users.roles r
        join users.role_permissions b on b.tenant_id = r.tenant_id and b.role = r.based_on and b.permission = new.permission
        where r.tenant_id = new.tenant_id and r.role = new.role)
    then
        raise exception 'the role % is based on one that has no permission %', new.role, new.permission
            using errcode = 'check_violation', constraint = 'role_permissions_within_base_check', schema = 'users', table = 'role_permissions';
    end if;
    return coalesce(new, old);
end
$$;
comment on function users.guard_role_permission() is 'Gives a role nothing that the documented role under it may not.';

insert into users.permissions (permission, description, least_role)
values
    ('endpoints_read', 'See endpoints, their metrics and events.', 'user'),
    ('endpoints_manage', 'Rename, hand over and decommission endpoints.', 'manager'),
    ('incidents_read', 'See incidents with their evidence.', 'user'),
    ('incidents_work', 'Assign, note, resolve and re-open incidents.', 'manager'),
    ('rules_read', 'See the detection rules in force.', 'manager'),
    ('api_keys_own', 'Make and revoke one''s own API keys.', 'user'),
    ('api_keys_manage', 'See and revoke every API key of the tenant.', 'admin'),
    ('users_read', 'See the tenant''s people, roles and subscription.', 'manager'),
    ('users_manage', 'Manage the tenant''s people, its roles, and who has access from elsewhere.', 'admin'),
    ('tenants_manage', 'See and create tenants, and people in any of them.', 'system_admin'),
    ('audit_read', 'Read the tenant''s audit log.', 'admin');

-- What the caller of the opened context may hand out. Every policy on roles, people and memberships asks here.
create function users.context_holds(p_permission text) returns boolean
language sql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
    select exists (
        select 1 from users.role_permissions p
        where p.tenant_id = users.current_tenant() and p.role = users.current_member_role() and p.permission = p_permission)
$$;
comment on function users.context_holds(text) is 'Whether the role of the opened context has a permission.';

create function users.is_within_own(p_based_on text, p_scope text) returns boolean
language sql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
    select coalesce((
        select users.role_rank(p_based_on) <= users.role_rank(r.based_on) and (p_scope = 'own' or r.scope = 'tenant')
        from users.roles r
        where r.tenant_id = users.current_tenant() and r.role = users.current_member_role()), false)
$$;
comment on function users.is_within_own(text, text) is 'Whether base and scope are none wider than those of the opened context''s role.';

create function users.is_role_within_own(p_role text) returns boolean
language sql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
    select coalesce((
        select users.is_within_own(r.based_on, r.scope) and not exists (
            select 1 from users.role_permissions p
            where p.tenant_id = r.tenant_id and p.role = r.role and not users.context_holds(p.permission))
        from users.roles r
        where r.tenant_id = users.current_tenant() and r.role = p_role), false)
$$;
comment on function users.is_role_within_own(text) is
    'Whether the role of the opened context lacks nothing of what this role may do.';

create function users.may_define_role(p_based_on text, p_scope text) returns boolean
language sql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
    select users.context_holds('users_manage') and users.is_within_own(p_based_on, p_scope)
$$;
comment on function users.may_define_role(text, text) is
    'Whether the caller of the opened context may make roles of this base and scope: they manage people, and it is none wider than their own.';

create function users.may_grant(p_role text) returns boolean
language sql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
    select users.context_holds('users_manage') and users.is_role_within_own(p_role)
$$;
comment on function users.may_grant(text) is
    'Whether the caller of the opened context may give and take this role: they manage people, and lack nothing of what it may do.';

-- Null for everybody whose home is elsewhere.
create function users.home_role(p_user uuid) returns text
language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
    select u.role::text from users.users u where u.user_id = p_user and u.tenant_id = users.current_tenant()
$$;
comment on function users.home_role(uuid) is 'The role of a person whose home is the opened context''s tenant.';

create function users.membership_is_sound(p_user uuid, p_role text, p_expires_at timestamptz, p_granted_by uuid) returns boolean
language sql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
    select case
        when users.home_role(p_user) is not null then p_role = users.home_role(p_user) and p_expires_at is null
        -- One day more than a year, for clocks that differ.
        else coalesce(p_user <> users.current_user_id() and p_granted_by = users.current_user_id()
            and p_expires_at <= clock_timestamp() + interval '1 year 1 day', false)
    end
$$;
comment on function users.membership_is_sound(uuid, text, timestamptz, uuid) is
    'Whether a request may write this membership: home ones follow the person, others end within a year and say who gave them, never to oneself.';

-- One answer, null, for a name that nobody has, for somebody who is switched off, and for somebody at home here.
create function users.find_grantee(p_username text) returns uuid
language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
    select u.user_id
    from users.users u
    join users.tenants t on t.tenant_id = u.tenant_id and t.status = 'active'
    where lower(u.username) = lower(p_username) and u.is_active and u.tenant_id <> users.current_tenant()
        and u.tenant_id <> '00000000-0000-0000-0000-000000000000'
        and exists (
            select 1 from users.role_permissions p
            where p.tenant_id = users.current_tenant() and p.role = users.current_member_role() and p.permission = 'users_manage')
$$;
comment on function users.find_grantee(text) is
    'Who has this sign-in name and another home, for callers who may give them access; null otherwise.';

select users.enable_tenant_isolation(t) from unnest(array['users.roles', 'users.role_permissions']) t;
create policy no_wider_role on users.roles as restrictive for insert to sg_app with check (users.may_define_role(based_on, scope));
create policy no_wider_role_by_update on users.roles as restrictive for update to sg_app
    using (users.is_role_within_own(role)) with check (users.may_define_role(based_on, scope));
create policy no_higher_role_goes on users.roles as restrictive for delete to sg_app using (users.may_grant(role));
create policy no_wider_role on users.role_permissions as restrictive for insert to sg_app
    with check (users.may_grant(role) and users.context_holds(permission));
create policy no_higher_role_goes on users.role_permissions as restrictive for delete to sg_app using (users.may_grant(role));
create policy auth_access on users.roles for all to sg_auth using (true) with check (true);
create policy auth_access on users.role_permissions for all to sg_auth using (true) with check (true);

grant select, delete on users.roles, users.role_permissions to sg_app, sg_admin;
grant insert (tenant_id, role, based_on, scope, description), update (scope, description) on users.roles to sg_app;
grant insert (tenant_id, role, permission) on users.role_permissions to sg_app;
grant insert, update on users.roles to sg_admin;
grant insert on users.role_permissions to sg_admin;
grant select on users.roles, users.role_permissions, users.permissions to sg_system, sg_backup;
grant select on users.permissions to sg_admin;
grant select, insert on users.roles, users.role_permissions to sg_auth;
grant select on users.permissions to sg_auth;
grant insert (tenant_id, user_id, role, expires_at, granted_by, reason), update (granted_by, reason) on users.memberships to sg_app;

revoke all on function users.create_documented_roles(), users.spread_permission(), users.guard_role(), users.guard_role_permission(),
    users.context_holds(text), users.is_within_own(text, text), users.is_role_within_own(text), users.may_define_role(text, text), users.may_grant(text), users.home_role(uuid),
    users.membership_is_sound(uuid, text, timestamptz, uuid), users.find_grantee(text) from public;
grant execute on function users.context_holds(text), users.is_within_own(text, text), users.is_role_within_own(text), users.may_define_role(text, text), users.may_grant(text), users.home_role(uuid),
    users.membership_is_sound(uuid, text, timestamptz, uuid), users.find_grantee(text) to sg_app;

create trigger touch_updated_at before update on users.roles for each row execute function users.touch_updated_at();
create trigger guard_role before insert or update or delete on users.roles for each row execute function users.guard_role();
create trigger guard_role_permission before insert or update or delete on users.role_permissions
    for each row execute function users.guard_role_permission();
-- The documented roles are the same everywhere and no news.
create trigger record_row_change after insert or update on users.roles
    for each row when (new.role <> new.based_on) execute function audit.record_row_change('role');
create trigger record_row_removal after delete on users.roles
    for each row when (old.role <> old.based_on) execute function audit.record_row_change('role');
create trigger record_row_change after insert or update on users.role_permissions
    for each row when (new.role not in ('user', 'manager', 'admin', 'system_admin')) execute function audit.record_row_change('role');
create trigger record_row_removal after delete on users.role_permissions
    for each row when (old.role not in ('user', 'manager', 'admin', 'system_admin')) execute function audit.record_row_change('role');
create trigger spread_permission after insert on users.permissions for each row execute function users.spread_permission();

-- As sg_auth, whom row security lets see every tenant.
set local role sg_auth;
insert into users.roles (tenant_id, role, based_on, scope, description)
select t.tenant_id, r.role, r.role, r.scope, r.description
from users.tenants t
cross join (values
    ('user', 'own', 'Sees the endpoints that are theirs, and the incidents on them.'),
    ('manager', 'tenant', 'Works the tenant''s incidents and endpoints: the analyst.'),
    ('admin', 'tenant', 'Manages the tenant''s people and keys, and reads its audit log.'),
    ('system_admin', 'tenant', 'Manages the installation and its tenants.')) as r (role, scope, description);
insert into users.role_permissions (tenant_id, role, permission)
select r.tenant_id, r.role, p.permission
from users.roles r join users.permissions p on users.role_rank(p.least_role) <= users.role_rank(r.role);

-- A caller comes with what they may do. The functions are made anew because they tell more.
drop function users.authenticate(text, bytea, uuid, timestamptz);
drop function users.find_caller(text, bytea, uuid, timestamptz);
set local role sg_owner;

create function users.find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamptz)
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
        select s.session_id as id, s.user_id as owner_id, null::text[] as key_scopes, null::uuid as key_tenant
        from users.sessions s
        where p_kind = 'session' and s.token_hash = p_hash and s.ended_at is null and s.expires_at > p_now
            and s.last_seen_at + make_interval(secs => s.idle_seconds) > p_now
        union all
        select k.key_id, k.user_id, k.scopes, k.tenant_id
        from users.api_keys k
        where p_kind = 'api_key' and k.key_hash = encode(p_hash, 'hex') and k.is_active and (k.expires_at is null or k.expires_at > p_now)
    )
    select t.tenant_id, u.user_id, u.username::text, u.full_name::text, m.role::text, u.tenant_id, c.id, c.key_scopes, u.must_change_password,
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
comment on function users.find_caller(text, bytea, uuid, timestamptz) is
    'Who holds a proof, and what they may do in that tenant. No row unless everything is in order.';

create function users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamptz)
returns table (
    tenant_id uuid, user_id uuid, username text, full_name text, role text, home_tenant_id uuid,
    credential_id uuid, scopes text[], must_change_password boolean, based_on text, scope text, permissions text[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    -- As in find_caller: times in the past, each a little later, do not walk an idle session back to life.
    p_now timestamptz := greatest(p_at, clock_timestamp() - interval '1 minute');
begin
    -- Idle time is kept to the minute, so that a busy session does not write at each request.
    if p_kind = 'session' then
        update users.sessions s set last_seen_at = p_now
        where s.token_hash = p_hash and s.ended_at is null and s.last_seen_at < p_now - interval '1 minute'
            and s.last_seen_at + make_interval(secs => s.idle_seconds) > p_now;
    end if;
    return query select * from users.find_caller(p_kind, p_hash, p_tenant, p_at);
end
$$;
comment on function users.authenticate(text, bytea, uuid, timestamptz) is
    'Tells who holds a session or API key, by the SHA-256 of its token, and what they may do.';
revoke all on function users.find_caller(text, bytea, uuid, timestamptz), users.authenticate(text, bytea, uuid, timestamptz) from public;
grant execute on function users.authenticate(text, bytea, uuid, timestamptz) to sg_app, sg_system;

-- What follows locks tables that are in use, for the moment until the commit.
create trigger create_documented_roles after insert on users.tenants for each row execute function users.create_documented_roles();
create index users_tenant_id_role_idx on users.users (tenant_id, role);
create index memberships_tenant_id_role_idx on users.memberships (tenant_id, role);
alter table users.users add constraint users_role_fkey foreign key (tenant_id, role) references users.roles (tenant_id, role) not valid;
alter table users.memberships
    add constraint memberships_role_fkey foreign key (tenant_id, role) references users.roles (tenant_id, role) not valid;
alter table users.users validate constraint users_role_fkey;
alter table users.memberships validate constraint memberships_role_fkey;
alter policy no_higher_role on users.users with check (users.may_grant(role));
alter policy no_higher_role_by_update on users.users using (users.is_role_within_own(role)) with check (users.may_grant(role));
alter policy no_higher_role on users.memberships
    using (users.is_role_within_own(role))
    with check (users.may_grant(role) and users.membership_is_sound(user_id, role, expires_at, granted_by));
create policy access_from_elsewhere on users.memberships as restrictive for insert to sg_app
    with check (users.may_grant(role) and users.home_role(user_id) is null
        and users.membership_is_sound(user_id, role, expires_at, granted_by));
alter table users.users drop constraint users_role_check;
alter table users.memberships drop constraint memberships_role_check;

grant create on schema users to sg_auth;
alter function users.create_documented_roles() owner to sg_auth;
alter function users.spread_permission() owner to sg_auth;
alter function users.home_role(uuid) owner to sg_auth;
alter function users.find_grantee(text) owner to sg_auth;
alter function users.find_caller(text, bytea, uuid, timestamptz) owner to sg_auth;
alter function users.authenticate(text, bytea, uuid, timestamptz) owner to sg_auth;
set local role sg_auth;
create or replace function users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamptz) returns uuid
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    caller record;
    claims text;
begin
    select c.tenant_id, c.user_id, c.role, c.scope into caller from users.find_caller(p_kind, p_hash, p_tenant, p_at) c;
    if not found then
        perform set_config('sg.context', '', true);
        return null;
    end if;
    claims := caller.tenant_id || '|' || caller.user_id || '|' || caller.scope || '|' || caller.role;
    perform set_config('sg.context', claims || '|' || encode(users.context_mac(claims), 'hex'), true);
    return caller.tenant_id;
end
$$;
set local role sg_owner;
revoke create on schema users from sg_auth;
