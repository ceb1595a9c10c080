-- Mail that waits to be sent, links by which people set a password of their own, and devices that keep a budget of attempts of their own.

-- The outbox. A row says which message goes to whom; its text is made when it is sent, and what is secret in it is never stored.
create table users.outgoing_mail (
    mail_id uuid primary key,
    tenant_id uuid not null,
    -- Null only for a request that leads nowhere: asking for an unknown account is as much work as for a known one.
    user_id uuid,
    kind text not null,
    parameters jsonb not null default '{}'::jsonb,
    created_at timestamptz not null,
    -- Also how long a sender has this row to itself.
    next_attempt_at timestamptz not null,
    expires_at timestamptz not null,
    attempts integer not null default 0,
    finished_at timestamptz,
    outcome text,
    last_error text,
    constraint outgoing_mail_tenant_id_fkey foreign key (tenant_id) references users.tenants (tenant_id),
    constraint outgoing_mail_user_id_fkey foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete cascade,
    constraint outgoing_mail_kind_check check (length(kind) between 1 and 63),
    constraint outgoing_mail_parameters_check check (jsonb_typeof(parameters) = 'object'),
    constraint outgoing_mail_attempts_check check (attempts >= 0),
    constraint outgoing_mail_outcome_check check (outcome in ('sent', 'refused', 'expired', 'void')),
    constraint outgoing_mail_finished_check check ((finished_at is null) = (outcome is null) and (user_id is not null or outcome is not null)),
    constraint outgoing_mail_last_error_check check (length(last_error) <= 500)
);
create index outgoing_mail_next_attempt_at_idx on users.outgoing_mail (next_attempt_at) where finished_at is null;
create index outgoing_mail_tenant_id_user_id_idx on users.outgoing_mail (tenant_id, user_id, kind, created_at desc);
create index outgoing_mail_finished_at_idx on users.outgoing_mail (finished_at) where finished_at is not null;
comment on table users.outgoing_mail is 'Mail that waits to be sent, and for some weeks what became of it.';

-- A link that lets its holder set a password, once.
create table users.password_links (
    link_id uuid primary key,
    tenant_id uuid not null,
    user_id uuid not null,
    mail_id uuid,
    purpose text not null,
    -- SHA-256 of the token; the token itself is in the mail alone.
    token_hash bytea not null,
    -- Digest of the password hash and the address at the time: whatever changes either of them voids the link.
    account_state bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    constraint password_links_token_hash_key unique (token_hash),
    constraint password_links_token_hash_check check (length(token_hash) = 32 and length(account_state) = 32),
    constraint password_links_purpose_check check (purpose in ('reset', 'invitation')),
    constraint password_links_user_id_fkey foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete cascade
);
create index password_links_tenant_id_user_id_idx on users.password_links (tenant_id, user_id);
create index password_links_expires_at_idx on users.password_links (expires_at);
comment on table users.password_links is 'Links that were mailed for setting a password: each works once, for a while, for the account as it was.';

-- A browser that its user has signed in with before.
create table users.known_devices (
    device_id uuid primary key,
    tenant_id uuid not null,
    user_id uuid not null,
    -- SHA-256 of the token in the browser's cookie.
    token_hash bytea not null,
    created_at timestamptz not null,
    last_used_at timestamptz not null,
    failed_attempts integer not null default 0,
    locked_until timestamptz,
    constraint known_devices_token_hash_key unique (token_hash),
    constraint known_devices_token_hash_check check (length(token_hash) = 32),
    constraint known_devices_failed_attempts_check check (failed_attempts >= 0),
    constraint known_devices_user_id_fkey foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete cascade
);
create index known_devices_tenant_id_user_id_idx on users.known_devices (tenant_id, user_id, last_used_at desc);
create index known_devices_last_used_at_idx on users.known_devices (last_used_at);
comment on table users.known_devices is
    'Browsers that have signed in before. Each has its own budget of failed attempts, so that a stranger cannot lock its user out.';

select users.enable_tenant_isolation(t) from unnest(array['users.outgoing_mail', 'users.password_links', 'users.known_devices']) t;

-- Requests put mail into the outbox and read none of it. The address is looked up when the mail is sent: nobody can send a link elsewhere.
create policy own_scope on users.outgoing_mail as restrictive for insert to sg_app
    with check ((select users.current_scope()) = 'tenant' or user_id = (select users.current_user_id()));
grant insert (mail_id, tenant_id, user_id, kind, parameters, created_at, next_attempt_at, expires_at) on users.outgoing_mail to sg_app;
grant select, insert, update, delete on users.outgoing_mail, users.password_links, users.known_devices to sg_system;
grant select, update, delete on users.outgoing_mail, users.password_links, users.known_devices to sg_admin;
grant select on users.outgoing_mail, users.password_links, users.known_devices to sg_backup;

-- The gate of users.begin_login_attempt with a second budget beside the documented one. Without a known device it is that function. With one,
-- the device's own counter decides, by the same policy, and neither a stranger's failures nor the lock that follows from them count.
create function users.begin_password_attempt(p_username text, p_device_hash bytea, p_at timestamptz)
returns table (
    allowed boolean, user_id uuid, tenant_id uuid, username text, password_hash text, is_active boolean, locked_now boolean,
    must_change_password boolean, role text, device_id uuid
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    person record;
    device record;
    max_attempts integer;
    lock_time interval;
    max_age integer;
    attempts integer;
    new_lock timestamptz;
    admitted boolean;
begin
    select u.user_id, u.tenant_id, u.username, u.password_hash, u.is_active, u.account_locked_until, u.last_failed_login,
        u.must_change_password, u.password_last_changed, u.role
    into person
    from users.users u where lower(u.username) = lower(p_username) for no key update;
    if found and p_device_hash is not null then
        select d.device_id, d.failed_attempts, d.locked_until into device
        from users.known_devices d
        where d.token_hash = p_device_hash and d.tenant_id = person.tenant_id and d.user_id = person.user_id
            and d.last_used_at > p_at - interval '180 days'
        for no key update;
    end if;
    if p_device_hash is null or not found then
        return query
        select b.allowed, b.user_id, b.tenant_id, b.username, b.password_hash, b.is_active, b.locked_now, b.must_change_password, b.role, null::uuid
        from users.begin_login_attempt(p_username, p_at) b;
        return;
    end if;
    select p.max_failed_attempts, make_interval(mins => p.lockout_duration_minutes), p.max_age_days
    into max_attempts, lock_time, max_age
    from users.password_policies p where p.tenant_id = person.tenant_id;
    max_attempts := coalesce(max_attempts, 5);
    lock_time := coalesce(lock_time, interval '30 minutes');
    -- A lock that does not follow from failures is an administrator's, and holds for every device.
    admitted := not coalesce(device.locked_until > p_at, false)
        and not coalesce(person.account_locked_until > p_at
            and person.account_locked_until > coalesce(person.last_failed_login, '-infinity') + lock_time, false);
    if admitted then
        attempts := case when device.locked_until is not null then 1 else least(device.failed_attempts, 1000000) + 1 end;
        new_lock := case when attempts >= max_attempts then p_at + lock_time end;
        update users.known_devices d set failed_attempts = attempts, locked_until = new_lock where d.device_id = device.device_id;
    end if;
    return query select admitted, person.user_id, person.tenant_id, person.username::text, person.password_hash, person.is_active,
        new_lock is not null,
        person.must_change_password or coalesce(max_age > 0
            and coalesce(person.password_last_changed, '-infinity') < p_at - make_interval(days => max_age), false),
        person.role::text, device.device_id;
end
$$;
comment on function users.begin_password_attempt(text, bytea, timestamptz) is
    'Reserves one attempt before a password is verified, from the budget of the known device or else of the account.';

-- A success gives its budget back. On a known device the account's counter begins anew too, but a lock on strangers stays.
create function users.complete_password_attempt(p_user_id uuid, p_device_id uuid, p_at timestamptz) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    if p_device_id is null then
        perform users.complete_login(p_user_id, p_at);
        return;
    end if;
    update users.known_devices d set failed_attempts = 0, locked_until = null, last_used_at = p_at
    where d.device_id = p_device_id and d.user_id = p_user_id;
    update users.users u
    set last_login = p_at,
        failed_login_attempts = case when u.account_locked_until > p_at then u.failed_login_attempts else 0 end,
        last_failed_login = case when u.account_locked_until > p_at then u.last_failed_login end,
        account_locked_until = case when u.account_locked_until > p_at then u.account_locked_until end
    where u.user_id = p_user_id and u.is_active;
end
$$;
comment on function users.complete_password_attempt(uuid, uuid, timestamptz) is
    'Gives back what users.begin_password_attempt reserved, after the password was verified.';

-- The policy that counts is the home tenant's, which a request in another tenant does not see.
create function users.own_password_expiry() returns timestamptz
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(u.password_last_changed, u.created_at) + make_interval(days => p.max_age_days)
    from users.users u
    join users.password_policies p on p.tenant_id = u.tenant_id
    where u.user_id = (select users.current_user_id()) and p.max_age_days > 0
$$;
comment on function users.own_password_expiry() is 'When the password of the context''s user gets too old; null when it never does.';

revoke all on function users.begin_password_attempt(text, bytea, timestamptz), users.complete_password_attempt(uuid, uuid, timestamptz),
    users.own_password_expiry() from public;
grant execute on function users.begin_password_attempt(text, bytea, timestamptz), users.complete_password_attempt(uuid, uuid, timestamptz)
    to sg_system;
grant execute on function users.own_password_expiry() to sg_app;
grant create on schema users to sg_auth;
alter function users.own_password_expiry() owner to sg_auth;
revoke create on schema users from sg_auth;

insert into users.permissions (permission, description, least_role)
values ('policies_manage', 'change the tenant''s policy for passwords', 'admin');
