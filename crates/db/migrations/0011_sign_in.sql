-- Sessions, the opened tenant context, and the race-free gate in front of every password check.
--
-- The functions here run before a tenant is known, so they are definer functions of sg_auth, which owns nothing else and cannot sign in.

create table users.sessions (
    session_id uuid primary key,
    tenant_id uuid not null,
    user_id uuid not null,
    -- SHA-256 of the token; the token itself is never stored.
    token_hash bytea not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    idle_seconds integer not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    end_reason text,
    address inet,
    user_agent text,
    constraint sessions_token_hash_key unique (token_hash),
    constraint sessions_token_hash_check check (length(token_hash) = 32),
    constraint sessions_idle_seconds_check check (idle_seconds > 0),
    constraint sessions_user_id_fkey foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete cascade
);
create index sessions_tenant_id_user_id_idx on users.sessions (tenant_id, user_id) where ended_at is null;
create index sessions_expires_at_idx on users.sessions (expires_at);

-- The key under which a context is sealed; only sg_auth reads it. HMAC (RFC 2104) with its two pads computed once.
create table users.context_keys (
    key_id smallint primary key default 1,
    inner_pad bytea not null,
    outer_pad bytea not null,
    created_at timestamptz not null default now(),
    constraint context_keys_key_id_check check (key_id = 1)
);

create function users.rotate_context_key() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    secret bytea := '\x';
    pads bytea[] := array['\x', '\x'];
begin
    -- gen_random_uuid draws on the server's strong random source; 6 fixed bits in 128 are made up for by taking four.
    for i in 1..4 loop
        secret := secret || uuid_send(gen_random_uuid());
    end loop;
    for i in 0..63 loop
        pads[1] := pads[1] || substring(int4send(get_byte(secret, i) # 54) from 4);
        pads[2] := pads[2] || substring(int4send(get_byte(secret, i) # 92) from 4);
    end loop;
    insert into users.context_keys (inner_pad, outer_pad) values (pads[1], pads[2])
    on conflict (key_id) do update set inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad, created_at = now();
end
$$;

create function users.context_mac(p_claims text) returns bytea
language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
    select sha256(k.outer_pad || sha256(k.inner_pad || convert_to(
        p_claims || '|' || pg_backend_pid() || '|' || (extract(epoch from transaction_timestamp()) * 1000000)::bigint, 'UTF8')))
    from users.context_keys k
$$;

-- The claims of the context if its seal holds, else null. Sealed over backend and transaction start, a context is worth nothing elsewhere or later.
create function users.verified_claims() returns text[]
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare
    given text := current_setting('sg.context', true);
    claims text;
    seal text;
begin
    if given is null or given = '' then
        return null;
    end if;
    claims := regexp_replace(given, '\|[^|]*$', '');
    seal := substring(given from length(claims) + 2);
    -- Hashing both sides makes the time of the comparison tell nothing about the seal.
    if sha256(convert_to(encode(users.context_mac(claims), 'hex'), 'UTF8')) = sha256(convert_to(seal, 'UTF8')) then
        return string_to_array(claims, '|');
    end if;
    return null;
end
$$;

create function users.current_tenant() returns uuid
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return (users.verified_claims())[1]::uuid;
end
$$;
comment on function users.current_tenant() is 'The tenant of the opened context, null when none is open.';

create function users.current_user_id() returns uuid
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return (users.verified_claims())[2]::uuid;
end
$$;
comment on function users.current_user_id() is 'The user of the opened context, null when none is open.';

create function users.current_scope() returns text
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return (users.verified_claims())[3];
end
$$;
comment on function users.current_scope() is 'How much of the tenant the opened context sees: tenant or own; null when none is open.';

create function users.current_member_role() returns text
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return (users.verified_claims())[4];
end
$$;
comment on function users.current_member_role() is 'The role of the user of the opened context in its tenant; null when none is open.';

-- 1 for the least role; null for an unknown one.
create function users.role_rank(p_role text) returns integer
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select array_position(array['user', 'manager', 'admin', 'system_admin'], p_role)
$$;

create function users.tenant_default() returns uuid
language plpgsql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce(users.current_tenant(), '00000000-0000-0000-0000-000000000001');
end
$$;
alter table users.users alter column tenant_id set default users.tenant_default();
alter table users.password_policies alter column tenant_id set default users.tenant_default();
alter table agents.endpoints alter column tenant_id set default users.tenant_default();

-- Who holds this proof, and what may they do in that tenant? No row unless everything is in order: the session or key alive, the user
-- active, the tenant active, the membership alive. A time in the past does not bring an ended credential back.
create function users.find_caller(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamptz)
returns table (
    tenant_id uuid, user_id uuid, username text, full_name text, role text, home_tenant_id uuid,
    credential_id uuid, scopes text[], must_change_password boolean
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
    select t.tenant_id, u.user_id, u.username::text, u.full_name::text, m.role::text, u.tenant_id, c.id, c.key_scopes, u.must_change_password
    from credential c
    join users.users u on u.user_id = c.owner_id and u.is_active
    join users.memberships m on m.user_id = u.user_id and (m.expires_at is null or m.expires_at > p_now)
    join users.tenants t on t.tenant_id = m.tenant_id and t.status = 'active'
    where t.tenant_id = coalesce(p_tenant, c.key_tenant, u.tenant_id)
        -- A key works in its own tenant only.
        and (c.key_tenant is null or c.key_tenant = t.tenant_id);
end
$$;

create function users.authenticate(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamptz)
returns table (
    tenant_id uuid, user_id uuid, username text, full_name text, role text, home_tenant_id uuid,
    credential_id uuid, scopes text[], must_change_password boolean
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
comment on function users.authenticate(text, bytea, uuid, timestamptz) is 'Tells who holds a session or API key, by the SHA-256 of its token.';

create function users.open_context(p_kind text, p_hash bytea, p_tenant uuid, p_at timestamptz) returns uuid
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    caller record;
    claims text;
begin
    select c.tenant_id, c.user_id, c.role into caller from users.find_caller(p_kind, p_hash, p_tenant, p_at) c;
    if not found then
        perform set_config('sg.context', '', true);
        return null;
    end if;
    claims := caller.tenant_id || '|' || caller.user_id || '|' || case when caller.role = 'user' then 'own' else 'tenant' end
        || '|' || caller.role;
    perform set_config('sg.context', claims || '|' || encode(users.context_mac(claims), 'hex'), true);
    return caller.tenant_id;
end
$$;
comment on function users.open_context(text, bytea, uuid, timestamptz) is
    'Opens the tenant context of this transaction from proof: the SHA-256 of a session token or API key. Null when the proof is not valid.';

create function users.list_own_tenants(p_at timestamptz) returns table (tenant_id uuid, name text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    caller_id uuid := users.current_user_id();
begin
    return query
    select t.tenant_id, t.name::text
    from users.memberships m
    join users.tenants t on t.tenant_id = m.tenant_id
    where m.user_id = caller_id and t.status = 'active' and (m.expires_at is null or m.expires_at > p_at)
    order by t.name, t.tenant_id;
end
$$;
comment on function users.list_own_tenants(timestamptz) is 'The tenants that the user of the opened context may work in.';

-- The gate: reserves one attempt before the slow verification, so that no number of parallel guesses is tested beyond the policy's limit.
-- No row: nobody has that name. `allowed` false: locked. While locked nothing is counted and the lock is not extended; after its end a new cycle begins.
create function users.begin_login_attempt(p_username text, p_at timestamptz)
returns table (
    allowed boolean, user_id uuid, tenant_id uuid, username text, password_hash text, is_active boolean, locked_until timestamptz,
    locked_now boolean, must_change_password boolean, role text
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    person record;
    max_attempts integer;
    lock_minutes integer;
    attempts integer;
    new_lock timestamptz;
begin
    select u.user_id, u.tenant_id, u.username, u.password_hash, u.is_active, u.account_locked_until, u.failed_login_attempts,
        u.must_change_password, u.password_last_changed, u.role
    into person
    from users.users u where lower(u.username) = lower(p_username) for no key update;
    if not found then
        return;
    end if;
    if person.account_locked_until > p_at then
        return query select false, person.user_id, person.tenant_id, person.username::text, person.password_hash, person.is_active,
            person.account_locked_until, false, person.must_change_password, person.role::text;
        return;
    end if;
    select p.max_failed_attempts, p.lockout_duration_minutes into max_attempts, lock_minutes
    from users.password_policies p where p.tenant_id = person.tenant_id;
    -- The documented defaults: no policy row never means no lockout.
    max_attempts := coalesce(max_attempts, 5);
    lock_minutes := coalesce(lock_minutes, 30);
    attempts := case when person.account_locked_until is not null then 1 else least(person.failed_login_attempts, 1000000) + 1 end;
    new_lock := case when attempts >= max_attempts then p_at + make_interval(mins => lock_minutes) end;
    update users.users u
    set failed_login_attempts = attempts, last_failed_login = p_at, account_locked_until = new_lock
    where u.user_id = person.user_id;
    return query select true, person.user_id, person.tenant_id, person.username::text, person.password_hash, person.is_active,
        new_lock, new_lock is not null, person.must_change_password
            or exists (
                select 1 from users.password_policies p
                where p.tenant_id = person.tenant_id and p.max_age_days > 0
                    and coalesce(person.password_last_changed, '-infinity') < p_at - make_interval(days => p.max_age_days)),
        person.role::text;
end
$$;
comment on function users.begin_login_attempt(text, timestamptz) is
    'Reserves one sign-in attempt before the password is verified; returns what is needed to verify it.';

create function users.complete_login(p_user_id uuid, p_at timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    update users.users u
    set failed_login_attempts = 0, last_failed_login = null, account_locked_until = null, last_login = p_at
    where u.user_id = p_user_id and u.is_active;
end
$$;
comment on function users.complete_login(uuid, timestamptz) is 'Gives back the reserved attempts after a password was verified.';

create function users.store_password(p_user_id uuid, p_password_hash text, p_must_change boolean, p_at timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    update users.users u
    set password_hash = p_password_hash, must_change_password = p_must_change, password_last_changed = p_at,
        -- Newest first, the password that ends included, trimmed to what the policy compares with.
        password_history = (
            select coalesce(jsonb_agg(kept.hash order by kept.position), '[]'::jsonb)
            from (
                select h.hash, h.position
                from jsonb_array_elements_text(jsonb_build_array(u.password_hash) || u.password_history)
                    with ordinality as h (hash, position)
                limit coalesce((select p.history_count from users.password_policies p where p.tenant_id = u.tenant_id), 5)
            ) kept)
    where u.user_id = p_user_id;
end
$$;
comment on function users.store_password(uuid, text, boolean, timestamptz) is 'Replaces a password hash and moves the one before into the history.';

-- The documented functions, by their documented names and signatures.
create or replace function users.validate_password_strength(
    password text,
    min_length integer default 12,
    require_uppercase boolean default true,
    require_lowercase boolean default true,
    require_numbers boolean default true,
    require_special_chars boolean default true
) returns boolean
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce(
        length(password) >= min_length
        and (not require_uppercase or password ~ '[[:upper:]]')
        and (not require_lowercase or password ~ '[[:lower:]]')
        and (not require_numbers or password ~ '[[:digit:]]')
        and (not require_special_chars or password ~ '[^[:alnum:]]'),
        false);
end
$$;

create or replace function users.handle_failed_login(username_param text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform users.begin_login_attempt(username_param, clock_timestamp());
end
$$;

create or replace function users.handle_successful_login(username_param text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform users.complete_login(u.user_id, clock_timestamp()) from users.users u where lower(u.username) = lower(username_param);
end
$$;

-- Triggers that keep the foundation true whoever writes.
create function users.keep_home_membership() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into users.memberships (tenant_id, user_id, role) values (new.tenant_id, new.user_id, new.role)
    on conflict (tenant_id, user_id) do update set role = excluded.role, expires_at = null;
    return null;
end
$$;
create trigger keep_home_membership after insert or update of tenant_id, role on users.users
    for each row execute function users.keep_home_membership();

create function users.create_default_policy() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into users.password_policies (tenant_id) values (new.tenant_id) on conflict do nothing;
    return null;
end
$$;
create trigger create_default_policy after insert on users.tenants for each row execute function users.create_default_policy();

create function users.derive_tenant() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.tenant_id is null then
        if tg_table_schema = 'users' then
            select u.tenant_id into new.tenant_id from users.users u where u.user_id = new.user_id;
        else
            select e.tenant_id into new.tenant_id from agents.endpoints e where e.agent_id = new.agent_id;
        end if;
    end if;
    return new;
end
$$;
comment on function users.derive_tenant() is 'Gives a row of the documented tables the tenant of its user or endpoint, where the statement names none.';
create trigger derive_tenant before insert on users.api_keys for each row when (new.tenant_id is null) execute function users.derive_tenant();
create trigger derive_tenant before insert on threats.incidents for each row when (new.tenant_id is null) execute function users.derive_tenant();
