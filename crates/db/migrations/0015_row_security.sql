-- Who may touch what: grants for each role, row security for each tenant table, owners for the definer functions.

-- One policy for each kind of reader. sg_app sees the tenant whose context is open; jobs (sg_system), the administrator at the psql prompt
-- (sg_admin) and backups (sg_backup) see all, each by a policy of its own, so that nobody needs to bypass row security.
create function users.enable_tenant_isolation(p_table text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    execute format('alter table %s enable row level security, force row level security', p_table);
    execute format(
        'create policy tenant_isolation on %s for all to sg_app using (tenant_id = (select users.current_tenant()))
            with check (tenant_id = (select users.current_tenant()))', p_table);
    execute format('create policy system_access on %s for all to sg_system using (true) with check (true)', p_table);
    execute format('create policy admin_access on %s for all to sg_admin using (true) with check (true)', p_table);
    execute format('create policy backup_access on %s for select to sg_backup using (true)', p_table);
end
$$;
comment on function users.enable_tenant_isolation(text) is
    'Puts a table with a tenant_id under row security; every migration that makes such a table calls it.';

select users.enable_tenant_isolation(t) from unnest(array[
    'users.tenants', 'users.users', 'users.memberships', 'users.password_policies', 'users.api_keys', 'users.sessions',
    'agents.endpoints', 'agents.agent_tokens', 'agents.heartbeats', 'agents.streams', 'agents.gaps', 'agents.system_info', 'agents.events',
    'threats.incidents', 'threats.findings', 'threats.occurrences', 'threats.incident_subjects', 'threats.incident_timeline',
    'audit.login_attempts', 'audit.events', 'audit.row_changes']) t;

-- The partitioned middle level is a table of its own.
alter table agents.system_info_class_30 enable row level security, force row level security;
alter table agents.system_info_class_90 enable row level security, force row level security;
alter table agents.system_info_class_400 enable row level security, force row level security;

-- Whose scope is "own" sees the endpoints that are theirs, and what hangs on them.
create policy own_scope on agents.endpoints as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or user_id = (select users.current_user_id()));
do $$
declare
    a_table text;
begin
    foreach a_table in array array[
        'agents.agent_tokens', 'agents.heartbeats', 'agents.streams', 'agents.gaps', 'agents.system_info', 'agents.events',
        'threats.incidents', 'threats.findings', 'threats.incident_subjects']
    loop
        execute format(
            'create policy own_scope on %s as restrictive for all to sg_app using ((select users.current_scope()) = ''tenant''
                or agent_id in (select e.agent_id from agents.endpoints e))', a_table);
    end loop;
end
$$;
create policy own_scope on threats.incident_timeline as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or threat_id in (select i.threat_id from threats.incidents i));
create policy own_scope on threats.occurrences as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or finding_id in (select f.finding_id from threats.findings f));
create policy own_scope on users.api_keys as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or user_id = (select users.current_user_id()));
create policy own_scope on users.sessions as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or user_id = (select users.current_user_id()));
create policy own_scope on users.users as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or user_id = (select users.current_user_id()));
create policy own_scope on users.memberships as restrictive for all to sg_app
    using ((select users.current_scope()) = 'tenant' or user_id = (select users.current_user_id()));
create policy own_scope on audit.row_changes as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on audit.events as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on audit.login_attempts as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');

-- Whoever runs SQL in an opened context gains no right by it: no role above their own is given, no key is made for somebody else, and no
-- audit entry speaks in another's name.
create policy no_higher_role on users.users as restrictive for insert to sg_app
    with check (users.role_rank(role) <= users.role_rank((select users.current_member_role())));
create policy no_higher_role_by_update on users.users as restrictive for update to sg_app
    using (users.role_rank(role) <= users.role_rank((select users.current_member_role())))
    with check (users.role_rank(role) <= users.role_rank((select users.current_member_role())));
create policy no_higher_role on users.memberships as restrictive for update to sg_app
    using (users.role_rank(role) <= users.role_rank((select users.current_member_role())))
    with check (users.role_rank(role) <= users.role_rank((select users.current_member_role())));
create policy own_keys_only on users.api_keys as restrictive for insert to sg_app
    with check (user_id = (select users.current_user_id()));
create policy own_name_only on audit.events as restrictive for insert to sg_app
    with check (actor_id = (select users.current_user_id())::text);

-- People of other homes who are members here are seen by the tenant, but for nothing that is secret (no such column is granted).
create policy member_visibility on users.users for select to sg_app
    using (exists (
        select 1 from users.memberships m
        where m.user_id = users.user_id and m.tenant_id = (select users.current_tenant())));

-- What the definer functions of sg_auth need.
create policy auth_access on users.tenants for select to sg_auth using (true);
create policy auth_access on users.users for all to sg_auth using (true) with check (true);
create policy auth_access on users.memberships for all to sg_auth using (true) with check (true);
create policy auth_access on users.password_policies for all to sg_auth using (true) with check (true);
create policy auth_access on users.api_keys for select to sg_auth using (true);
create policy auth_access on users.sessions for all to sg_auth using (true) with check (true);
create policy auth_access on agents.endpoints for select to sg_auth using (true);
create policy auth_access on audit.row_changes for insert to sg_auth with check (true);

revoke all on schema users, agents, threats, audit from public;
grant usage on schema users, agents, threats, audit to sg_app, sg_auth, sg_system, sg_admin, sg_backup, sg_monitor;

grant select on users.tenants to sg_auth;
grant select, insert, update on users.users, users.memberships, users.password_policies to sg_auth;
grant select, update on users.sessions to sg_auth;
grant select on users.api_keys to sg_auth;
grant select on agents.endpoints to sg_auth;
grant insert on audit.row_changes to sg_auth;
grant select, insert, update, delete on users.context_keys to sg_auth;

-- sg_app: what requests need, and no column that is secret.
grant select on users.tenants, users.memberships, users.password_policies to sg_app;
grant select (user_id, username, email, full_name, must_change_password, password_last_changed, account_locked_until, role, is_active,
    tenant_id, created_at, updated_at, last_login) on users.users to sg_app;
grant insert (user_id, username, email, password_hash, full_name, must_change_password, role, tenant_id) on users.users to sg_app;
grant update (email, full_name, role, is_active, account_locked_until, failed_login_attempts) on users.users to sg_app;
grant update (role, expires_at) on users.memberships to sg_app;
grant update (min_length, require_uppercase, require_lowercase, require_numbers, require_special_chars, max_age_days, history_count,
    max_failed_attempts, lockout_duration_minutes) on users.password_policies to sg_app;
grant select (key_id, user_id, key_name, key_prefix, is_active, expires_at, last_used, usage_count, created_at, tenant_id, scopes, revoked_at)
    on users.api_keys to sg_app;
grant insert on users.api_keys to sg_app;
grant update (is_active, revoked_at) on users.api_keys to sg_app;
grant select (session_id, tenant_id, user_id, created_at, last_seen_at, expires_at, ended_at, end_reason, address, user_agent)
    on users.sessions to sg_app;
grant update (ended_at, end_reason) on users.sessions to sg_app;
grant select on agents.endpoints, agents.heartbeats, agents.streams, agents.gaps, agents.system_info, agents.events to sg_app;
grant update (device_name, user_id, status, decommissioned_at) on agents.endpoints to sg_app;
grant select (tenant_id, agent_id, created_at, revoked_at, revoke_reason) on agents.agent_tokens to sg_app;
grant update (revoked_at, revoke_reason) on agents.agent_tokens to sg_app;
grant select on threats.incidents, threats.findings, threats.occurrences, threats.incident_subjects, threats.incident_timeline to sg_app;
grant update (status, assigned_to, resolved_by, resolution_notes, resolved_at) on threats.incidents to sg_app;
grant delete on threats.incident_subjects to sg_app;
grant insert on threats.incident_timeline to sg_app;
grant select, insert on audit.events to sg_app;
grant select on audit.row_changes, audit.login_attempts to sg_app;

-- sg_system: jobs, sign-in and ingest.
grant select, insert, update, delete on all tables in schema users, agents, threats to sg_system;
grant select, insert on audit.events, audit.row_changes, audit.login_attempts, audit.adoption_report to sg_system;
revoke all on users.context_keys from sg_system;
revoke insert, update, delete on agents.partition_schemes from sg_system;

-- sg_admin: the document's administration by hand.
grant select, insert, update, delete on all tables in schema users, agents, threats to sg_admin;
grant select on all tables in schema audit to sg_admin;
grant insert on audit.events, audit.row_changes to sg_admin;
revoke all on users.context_keys from sg_admin;

grant select on all tables in schema users, agents, threats, audit to sg_backup;
revoke all on users.context_keys from sg_backup;
grant usage, select on all sequences in schema audit to sg_backup, sg_system;

-- A partition is reached through its parent only.
do $$
declare
    a_partition text;
begin
    for a_partition in
        select i.inhrelid::regclass::text from pg_inherits i
        join pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p')
        join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('users', 'agents', 'threats', 'audit')
    loop
        execute format('revoke all on %s from sg_app, sg_system, sg_admin', a_partition);
    end loop;
end
$$;

-- Functions: nobody by default, then by name.
revoke all on all functions in schema users, agents, threats, audit from public;
alter default privileges revoke execute on functions from public;
grant execute on function users.current_tenant(), users.current_user_id(), users.current_scope(), users.current_member_role() to sg_app, sg_system, sg_admin, sg_auth;
grant execute on function users.tenant_default(), users.time_ordered_uuid(), users.role_rank(text) to sg_app, sg_system, sg_admin, sg_auth;
grant execute on function users.authenticate(text, bytea, uuid, timestamptz) to sg_app, sg_system;
grant execute on function users.open_context(text, bytea, uuid, timestamptz) to sg_app, sg_admin;
grant execute on function users.list_own_tenants(timestamptz) to sg_app;
grant execute on function users.begin_login_attempt(text, timestamptz) to sg_system;
grant execute on function users.complete_login(uuid, timestamptz) to sg_system;
grant execute on function users.store_password(uuid, text, boolean, timestamptz) to sg_system;
grant execute on function users.validate_password_strength(text, integer, boolean, boolean, boolean, boolean) to sg_app, sg_system, sg_admin;
grant execute on function users.handle_failed_login(text), users.handle_successful_login(text) to sg_system, sg_admin;
grant execute on function agents.ensure_partitions(timestamptz, integer), agents.drop_expired_partitions(timestamptz) to sg_system;

-- Owners of the definer functions. An owner needs CREATE on the schema for the moment in which it becomes one.
grant create on schema users, audit to sg_auth;
alter function users.rotate_context_key() owner to sg_auth;
alter function users.context_mac(text) owner to sg_auth;
alter function users.verified_claims() owner to sg_auth;
alter function users.current_tenant() owner to sg_auth;
alter function users.current_user_id() owner to sg_auth;
alter function users.current_scope() owner to sg_auth;
alter function users.current_member_role() owner to sg_auth;
alter function users.find_caller(text, bytea, uuid, timestamptz) owner to sg_auth;
alter function users.authenticate(text, bytea, uuid, timestamptz) owner to sg_auth;
alter function users.open_context(text, bytea, uuid, timestamptz) owner to sg_auth;
alter function users.list_own_tenants(timestamptz) owner to sg_auth;
alter function users.begin_login_attempt(text, timestamptz) owner to sg_auth;
alter function users.complete_login(uuid, timestamptz) owner to sg_auth;
alter function users.store_password(uuid, text, boolean, timestamptz) owner to sg_auth;
alter function users.handle_failed_login(text) owner to sg_auth;
alter function users.handle_successful_login(text) owner to sg_auth;
alter function users.keep_home_membership() owner to sg_auth;
alter function users.create_default_policy() owner to sg_auth;
alter function users.derive_tenant() owner to sg_auth;
alter function audit.record_row_change() owner to sg_auth;
-- Making a partition clones the parent's triggers, which takes the right to their functions; a grant from before the change of owner is gone.
set local role sg_auth;
grant execute on function users.derive_tenant() to sg_owner;
set local role sg_owner;
revoke create on schema users, audit from sg_auth;
