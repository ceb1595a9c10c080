-- Every row gets a tenant, and every reference between tenant tables carries it: foreign-key checks ignore row security, so a reference
-- by id alone would let one tenant point at another's rows.

-- Rows of the documented tables take the tenant of what they belong to.
alter table users.api_keys add column tenant_id uuid;
alter table threats.incidents add column tenant_id uuid;
update users.api_keys k set tenant_id = u.tenant_id from users.users u where u.user_id = k.user_id;
update threats.incidents i set tenant_id = e.tenant_id from agents.endpoints e where e.agent_id = i.agent_id;

-- users.users
alter table users.users
    alter column username type varchar(255),
    alter column email type varchar(320),
    alter column tenant_id set not null,
    alter column failed_login_attempts set not null,
    alter column password_history set not null,
    add constraint users_tenant_id_fkey foreign key (tenant_id) references users.tenants (tenant_id),
    add constraint users_tenant_id_user_id_key unique (tenant_id, user_id),
    add constraint users_role_check check (role in ('user', 'manager', 'admin', 'system_admin')),
    add constraint users_failed_login_attempts_check check (failed_login_attempts >= 0),
    add constraint users_password_history_check check (jsonb_typeof(password_history) = 'array'),
    add constraint users_username_check check (length(btrim(username)) > 0),
    add constraint users_email_check check (length(btrim(email)) > 0),
    -- No program reads the infinite times of PostgreSQL.
    add constraint users_times_check check (isfinite(password_last_changed) and isfinite(last_failed_login) and isfinite(account_locked_until)
        and isfinite(created_at) and isfinite(updated_at) and isfinite(last_login));

-- The documented names carry the case-insensitive rule; the plain unique constraints beside them already serve exact look-ups.
drop index users.idx_users_username;
drop index users.idx_users_email;
create unique index idx_users_username on users.users (lower(username));
create unique index idx_users_email on users.users (lower(email));

-- users.memberships: everybody is a member at home.
alter table users.memberships add constraint memberships_times_check check (isfinite(expires_at) and isfinite(created_at));
insert into users.memberships (tenant_id, user_id, role) select u.tenant_id, u.user_id, u.role from users.users u on conflict do nothing;

-- A person who was assigned work in a tenant that is not theirs keeps the assignment, but the access that goes with it has ended already.
insert into users.memberships (tenant_id, user_id, role, expires_at)
select distinct e.tenant_id, p.user_id, 'user', now()
from threats.incidents i
join agents.endpoints e on e.agent_id = i.agent_id
cross join lateral (values (i.assigned_to), (i.resolved_by)) as p (user_id)
where p.user_id is not null
on conflict do nothing;
insert into users.memberships (tenant_id, user_id, role, expires_at)
select distinct e.tenant_id, e.user_id, 'user', now() from agents.endpoints e where e.user_id is not null
on conflict do nothing;

-- users.password_policies: one for each tenant, within ranges that admit the documented 14/3/60.
alter table users.password_policies add column tenant_id uuid;
update users.password_policies set tenant_id = '00000000-0000-0000-0000-000000000001';
alter table users.password_policies
    alter column tenant_id set not null,
    add constraint password_policies_tenant_id_fkey foreign key (tenant_id) references users.tenants (tenant_id),
    add constraint password_policies_tenant_id_key unique (tenant_id),
    add constraint password_policies_min_length_check check (min_length between 8 and 128),
    add constraint password_policies_max_age_days_check check (max_age_days between 0 and 3650),
    add constraint password_policies_history_count_check check (history_count between 0 and 24),
    add constraint password_policies_max_failed_attempts_check check (max_failed_attempts between 1 and 100),
    add constraint password_policies_lockout_duration_minutes_check check (lockout_duration_minutes between 1 and 1440);
-- The policy that ruled an earlier database goes on ruling each of its tenants.
insert into users.password_policies (tenant_id) values ('00000000-0000-0000-0000-000000000001') on conflict do nothing;
insert into users.password_policies (tenant_id, min_length, require_uppercase, require_lowercase, require_numbers, require_special_chars,
    max_age_days, history_count, max_failed_attempts, lockout_duration_minutes)
select t.tenant_id, p.min_length, p.require_uppercase, p.require_lowercase, p.require_numbers, p.require_special_chars,
    p.max_age_days, p.history_count, p.max_failed_attempts, p.lockout_duration_minutes
from users.tenants t cross join users.password_policies p where p.tenant_id = '00000000-0000-0000-0000-000000000001'
on conflict do nothing;

-- users.api_keys: a key acts in one tenant, where its owner is a member; the hash is SHA-256 in hex.
alter table users.api_keys
    alter column tenant_id set not null,
    alter column usage_count type bigint,
    add column scopes text[] not null default array['enrol', 'api'],
    add column revoked_at timestamptz,
    add constraint api_keys_tenant_id_key_id_key unique (tenant_id, key_id),
    add constraint api_keys_key_hash_key unique (key_hash),
    add constraint api_keys_times_check check (isfinite(expires_at) and isfinite(last_used) and isfinite(created_at)),
    add constraint api_keys_scopes_check check (scopes <@ array['enrol', 'api'] and cardinality(scopes) > 0),
    drop constraint api_keys_user_id_fkey,
    add constraint api_keys_user_id_fkey foreign key (tenant_id, user_id) references users.memberships (tenant_id, user_id);
create index api_keys_tenant_id_user_id_idx on users.api_keys (tenant_id, user_id);
drop index users.idx_api_keys_prefix;
create index idx_api_keys_prefix on users.api_keys (key_prefix) where is_active;

-- agents.endpoints
alter table agents.endpoints
    alter column tenant_id set not null,
    alter column status set not null,
    alter column heartbeat_interval set not null,
    alter column version type varchar(255),
    add column decommissioned_at timestamptz,
    add constraint endpoints_tenant_id_fkey foreign key (tenant_id) references users.tenants (tenant_id),
    add constraint endpoints_tenant_id_agent_id_key unique (tenant_id, agent_id),
    add constraint endpoints_status_check check (status in ('active', 'inactive', 'decommissioned')),
    add constraint endpoints_heartbeat_interval_check check (heartbeat_interval between 1 and 86400),
    add constraint endpoints_times_check check (isfinite(last_seen) and isfinite(created_at) and isfinite(updated_at)),
    drop constraint endpoints_user_id_fkey,
    add constraint endpoints_user_id_fkey foreign key (tenant_id, user_id)
        references users.memberships (tenant_id, user_id) on delete set null (user_id),
    drop constraint endpoints_registered_via_key_id_fkey,
    add constraint endpoints_registered_via_key_id_fkey foreign key (tenant_id, registered_via_key_id)
        references users.api_keys (tenant_id, key_id) on delete set null (registered_via_key_id);
drop index agents.idx_agents_user_id, agents.idx_agents_status, agents.idx_agents_last_seen;
create index idx_agents_user_id on agents.endpoints (tenant_id, user_id);
create index idx_agents_status on agents.endpoints (tenant_id, status);
create index idx_agents_last_seen on agents.endpoints (tenant_id, last_seen);
create index endpoints_tenant_id_registered_via_key_id_idx on agents.endpoints (tenant_id, registered_via_key_id);
create index endpoints_tenant_id_hardware_fingerprint_idx on agents.endpoints (tenant_id, hardware_fingerprint);

-- threats.incidents
alter table threats.incidents
    alter column tenant_id set not null,
    alter column status set not null,
    alter column process_name type text,
    alter column hash type text,
    alter column title type varchar(1024),
    add column occurrence_count bigint not null default 1,
    add column last_detected_at timestamptz,
    add constraint incidents_tenant_id_threat_id_key unique (tenant_id, threat_id),
    add constraint incidents_occurrence_count_check check (occurrence_count >= 1),
    add constraint incidents_confidence_score_check check (confidence_score between 0 and 1),
    add constraint incidents_false_positive_likelihood_check check (false_positive_likelihood between 0 and 1),
    add constraint incidents_times_check check (isfinite(detected_at) and isfinite(resolved_at) and isfinite(created_at)
        and isfinite(updated_at) and isfinite(last_detected_at)),
    drop constraint incidents_agent_id_fkey,
    add constraint incidents_agent_id_fkey foreign key (tenant_id, agent_id) references agents.endpoints (tenant_id, agent_id),
    drop constraint incidents_assigned_to_fkey,
    add constraint incidents_assigned_to_fkey foreign key (tenant_id, assigned_to)
        references users.memberships (tenant_id, user_id) on delete set null (assigned_to),
    drop constraint incidents_resolved_by_fkey,
    add constraint incidents_resolved_by_fkey foreign key (tenant_id, resolved_by)
        references users.memberships (tenant_id, user_id) on delete set null (resolved_by);
update threats.incidents set last_detected_at = detected_at;
alter table threats.incidents
    alter column last_detected_at set not null,
    alter column last_detected_at set default now();
drop index threats.idx_threats_agent_id, threats.idx_threats_severity, threats.idx_threats_status, threats.idx_threats_detected_at;
create index idx_threats_agent_id on threats.incidents (tenant_id, agent_id, detected_at desc);
create index idx_threats_severity on threats.incidents (tenant_id, severity, detected_at desc);
create index idx_threats_status on threats.incidents (tenant_id, status, detected_at desc);
create index idx_threats_detected_at on threats.incidents (tenant_id, detected_at desc, threat_id desc);
create index incidents_tenant_id_assigned_to_idx on threats.incidents (tenant_id, assigned_to);
create index incidents_tenant_id_resolved_by_idx on threats.incidents (tenant_id, resolved_by);

-- Ids of append-heavy tables are ordered by time (UUID version 7, RFC 9562 §5.7): random ones cost 43 % more write-ahead log.
create function users.time_ordered_uuid() returns uuid
language sql volatile parallel safe set search_path = pg_catalog, pg_temp as $$
    select encode(
        set_bit(
            set_bit(
                overlay(uuid_send(gen_random_uuid()) placing
                    substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
                52, 1),
            53, 1),
        'hex')::uuid
$$;

create function users.touch_updated_at() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.updated_at := clock_timestamp();
    return new;
end
$$;
create trigger touch_updated_at before update on users.users for each row execute function users.touch_updated_at();
create trigger touch_updated_at before update on users.tenants for each row execute function users.touch_updated_at();
create trigger touch_updated_at before update on users.password_policies for each row execute function users.touch_updated_at();
create trigger touch_updated_at before update on agents.endpoints for each row execute function users.touch_updated_at();
create trigger touch_updated_at before update on threats.incidents for each row execute function users.touch_updated_at();
