-- What keeps the contract from being undone, and faults of the printed SQL that concern single objects.

-- The printed CREATE OR REPLACE FUNCTION would bring back a lockout that locks nobody. It runs as an event trigger, which only a superuser can
-- set up: see guard.sql, which every migration runs where it may.
create function users.refuse_loose_function() returns event_trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    loose text;
begin
    select c.object_identity into loose
    from pg_event_trigger_ddl_commands() c
    join pg_proc p on c.classid = 'pg_proc'::regclass and p.oid = c.objid
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
        and not coalesce(p.proconfig @> array['search_path=pg_catalog, pg_temp'], false)
    limit 1;
    if found then
        raise exception 'function % is refused: it has no fixed search_path, as every function of SecureGuard has', loose
            using errcode = 'invalid_function_definition',
                hint = 'The functions that the schema document prints exist already, in a form that does what the document describes: leave '
                    'them as they are. Put a function of your own into a schema of your own.';
    end if;
end
$$;
revoke all on function users.refuse_loose_function() from public;

-- Nobody takes another's e-mail address for a user name, or the other way round. The unique indexes cannot say it across two columns.
create function users.refuse_borrowed_name() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- Two who take one name at the same time wait for each other. Usual pairs (a name without @, an address with one) cannot meet each other and
    -- share the lock.
    if new.username not like '%@%' and new.email like '%@%' then
        perform pg_advisory_xact_lock_shared(hashtextextended('users.refuse_borrowed_name', 0));
    else
        perform pg_advisory_xact_lock(hashtextextended('users.refuse_borrowed_name', 0));
    end if;
    if exists (
        select 1 from users.users u
        where lower(u.email) = lower(new.username) and u.user_id <> new.user_id)
        or exists (
        select 1 from users.users u
        where lower(u.username) = lower(new.email) and u.user_id <> new.user_id)
    then
        raise exception 'user name or e-mail address are not available'
            using errcode = 'unique_violation', schema = 'users', table = 'users', constraint = 'users_username_email_key';
    end if;
    return new;
end
$$;
revoke all on function users.refuse_borrowed_name() from public;
create trigger refuse_borrowed_name before insert or update of username, email on users.users
    for each row execute function users.refuse_borrowed_name();

-- Those that are there already keep their names, by which they sign in.
alter table users.users no force row level security;
insert into audit.adoption_report (table_name, row_id, problem, repair, before)
select 'users.users', u.user_id::text, 'username is another user''s email', 'kept; rename one of the two',
    jsonb_build_object('user_id', u.user_id, 'username', u.username, 'other_user_id', o.user_id)
from users.users u join users.users o on lower(o.email) = lower(u.username) and o.user_id <> u.user_id
order by u.user_id;
alter table users.users force row level security;

-- The documented name on what is looked for: which keys of a tenant end when. On a column that is true in every row of it, it told nothing.
drop index users.idx_api_keys_active;
create index idx_api_keys_active on users.api_keys (tenant_id, expires_at) where is_active = true;

-- Ids of one statement came in random order within each millisecond, which splits index pages as random ids do. The fraction of the millisecond
-- in the twelve bits after it (RFC 9562 §6.2, method 3) orders them by microsecond.
create or replace function users.time_ordered_uuid() returns uuid
language sql volatile parallel safe set search_path = pg_catalog, pg_temp as $$
    select encode(
        overlay(uuid_send(gen_random_uuid()) placing
            substring(int8send(t.microseconds / 1000) from 3)
                || substring(int4send((28672 + (t.microseconds % 1000) * 4096 / 1000)::integer) from 3)
            from 1 for 8),
        'hex')::uuid
    from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as microseconds) t
$$;

-- An incident that no endpoint reported (the column is not null by the document) hangs on an entry that stands for the server. It has no agent,
-- never checks in and is never offline.
create function agents.server_endpoint(p_tenant_id uuid, p_at timestamptz) returns uuid
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    -- One for each tenant, whoever asks first.
    own_id constant uuid := encode(substring(sha256(convert_to('agents.server_endpoint|' || p_tenant_id, 'UTF8')) for 16), 'hex')::uuid;
begin
    insert into agents.endpoints (agent_id, tenant_id, hostname, device_name, status, created_at)
    values (own_id, p_tenant_id, 'secureguard-server', 'SecureGuard server', 'inactive', p_at)
    on conflict (agent_id) do nothing;
    return own_id;
end
$$;
comment on function agents.server_endpoint(uuid, timestamptz) is
    'The entry among a tenant''s endpoints that stands for the server, for incidents that no endpoint reported; made when it is missing.';
revoke all on function agents.server_endpoint(uuid, timestamptz) from public;
grant execute on function agents.server_endpoint(uuid, timestamptz) to sg_system, sg_admin;

-- The documented functions leave evidence: a success wipes the counters, and a name that nobody has touches no row at all. What was typed as such
-- a name may be a password, so it is not kept.
grant insert on audit.login_attempts to sg_auth;
grant create on schema users to sg_auth;
alter function users.refuse_borrowed_name() owner to sg_auth;
set local role sg_auth;
grant execute on function users.refuse_borrowed_name() to sg_owner;
create or replace function users.handle_failed_login(username_param text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    p_at constant timestamptz := clock_timestamp();
    gate record;
begin
    if username_param is null then
        return;
    end if;
    select g.allowed, g.user_id, g.tenant_id, g.username into gate from users.begin_login_attempt(username_param, p_at) g;
    insert into audit.login_attempts (attempt_id, tenant_id, occurred_at, user_id, username_or_digest, outcome, method)
    values (
        users.time_ordered_uuid(), coalesce(gate.tenant_id, '00000000-0000-0000-0000-000000000000'), p_at, gate.user_id,
        coalesce(gate.username, '(unknown)'),
        case when gate.user_id is null then 'unknown_user' when gate.allowed then 'wrong_password' else 'locked' end, 'password');
end
$$;
create or replace function users.handle_successful_login(username_param text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    p_at constant timestamptz := clock_timestamp();
begin
    perform users.complete_login(u.user_id, p_at) from users.users u where lower(u.username) = lower(username_param);
    insert into audit.login_attempts (attempt_id, tenant_id, occurred_at, user_id, username_or_digest, outcome, method)
    select users.time_ordered_uuid(), u.tenant_id, p_at, u.user_id, u.username, case when u.is_active then 'success' else 'inactive' end,
        'password'
    from users.users u where lower(u.username) = lower(username_param);
end
$$;
set local role sg_owner;
revoke create on schema users from sg_auth;
