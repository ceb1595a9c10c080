-- How many requests to the API may be made in a minute, and how many were. Nodes reserve shares of a limit ahead and count within them, so
-- that they agree on it without asking at each request.

create table users.rate_limit_defaults (
    subject_kind text primary key,
    requests_per_minute integer not null,
    constraint rate_limit_defaults_subject_kind_check check (subject_kind in ('address', 'tenant', 'user', 'key')),
    constraint rate_limit_defaults_requests_per_minute_check check (requests_per_minute between 1 and 10000000)
);
comment on table users.rate_limit_defaults is 'Requests per minute by address, tenant, user and API key, where a tenant has no limit of its own.';
insert into users.rate_limit_defaults (subject_kind, requests_per_minute)
values ('address', 6000), ('tenant', 30000), ('user', 3000), ('key', 3000);

create table users.rate_limits (
    tenant_id uuid not null references users.tenants (tenant_id),
    subject_kind text not null,
    requests_per_minute integer not null,
    constraint rate_limits_pkey primary key (tenant_id, subject_kind),
    constraint rate_limits_subject_kind_check check (subject_kind in ('tenant', 'user', 'key')),
    constraint rate_limits_requests_per_minute_check check (requests_per_minute between 1 and 10000000)
);
comment on table users.rate_limits is 'A tenant''s own limits: of all of it, of each of its users, of each of its API keys.';

-- Unlogged: after a crash everybody has this minute's requests again, which costs less than to keep each count for ever.
create unlogged table users.rate_usage (
    subject_kind text not null,
    -- The id of the tenant, user or key; the address, or the /64 of an IPv6 one.
    subject text not null,
    window_start timestamptz not null,
    -- Nil for an address, which belongs to nobody.
    tenant_id uuid not null,
    -- Handed out to nodes, used or not.
    reserved bigint not null,
    served bigint not null,
    refused bigint not null,
    constraint rate_usage_pkey primary key (tenant_id, subject_kind, subject, window_start),
    constraint rate_usage_subject_kind_check check (subject_kind in ('address', 'tenant', 'user', 'key')),
    constraint rate_usage_counts_check check (reserved >= 0 and served >= 0 and refused >= 0),
    constraint rate_usage_window_start_check check (isfinite(window_start))
) with (fillfactor = 70);
comment on table users.rate_usage is 'Requests by subject and minute: reserved by nodes, served and refused.';
create index rate_usage_tenant_id_idx on users.rate_usage (tenant_id, window_start);
create index rate_usage_window_start_idx on users.rate_usage (window_start);

-- Reports what a node has counted, and reserves a twenty-fifth of the limit for it where it asks and there is that much left.
create function users.reserve_requests(
    p_kind text, p_subject text, p_tenant uuid, p_window timestamptz, p_spent bigint, p_served bigint, p_refused bigint, p_reserve boolean)
returns table (granted bigint, allowed bigint, remaining bigint)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    taken bigint;
begin
    select coalesce(
        (select l.requests_per_minute from users.rate_limits l where l.tenant_id = p_tenant and l.subject_kind = p_kind),
        (select d.requests_per_minute from users.rate_limit_defaults d where d.subject_kind = p_kind))
    into allowed;
    insert into users.rate_usage as u (subject_kind, subject, window_start, tenant_id, reserved, served, refused)
    values (p_kind, p_subject, p_window, p_tenant, p_spent, p_served, p_refused)
    on conflict (tenant_id, subject_kind, subject, window_start) do update
    set reserved = u.reserved + excluded.reserved, served = u.served + excluded.served, refused = u.refused + excluded.refused
    returning u.reserved into taken;
    granted := case when p_reserve then greatest(0, least(greatest(allowed / 25, 1), allowed - taken)) else 0 end;
    if granted > 0 then
        update users.rate_usage u set reserved = u.reserved + granted
        where u.tenant_id = p_tenant and u.subject_kind = p_kind and u.subject = p_subject and u.window_start = p_window;
    end if;
    remaining := greatest(0, allowed - taken - granted);
    return next;
end
$$;
comment on function users.reserve_requests(text, text, uuid, timestamptz, bigint, bigint, bigint, boolean) is
    'Reports requests that a node has counted, and reserves more of a limit for it.';
revoke all on function users.reserve_requests(text, text, uuid, timestamptz, bigint, bigint, bigint, boolean) from public;
grant execute on function users.reserve_requests(text, text, uuid, timestamptz, bigint, bigint, bigint, boolean) to sg_system;

create function users.list_default_rate_limits() returns table (subject_kind text, requests_per_minute integer)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select d.subject_kind, d.requests_per_minute from users.rate_limit_defaults d
$$;
comment on function users.list_default_rate_limits() is 'The limits on requests where a tenant has none of its own.';
revoke all on function users.list_default_rate_limits() from public;
grant execute on function users.list_default_rate_limits() to sg_app;

select users.enable_tenant_isolation(t) from unnest(array['users.rate_limits', 'users.rate_usage']) t;
create policy own_scope on users.rate_limits as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on users.rate_usage as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
-- What protects the installation from a tenant is not the tenant's to change.
create policy own_kinds on users.rate_limits as restrictive for insert to sg_app with check (subject_kind in ('user', 'key'));
create policy own_kinds_by_update on users.rate_limits as restrictive for update to sg_app
    using (subject_kind in ('user', 'key')) with check (subject_kind in ('user', 'key'));
create policy own_kinds_by_delete on users.rate_limits as restrictive for delete to sg_app using (subject_kind in ('user', 'key'));

grant select on users.rate_limit_defaults to sg_system, sg_backup;
grant select, update on users.rate_limit_defaults to sg_admin;
grant select, insert, update, delete on users.rate_limits to sg_app, sg_admin;
grant select, delete on users.rate_limits to sg_system;
grant select on users.rate_limits, users.rate_usage to sg_backup;
grant select on users.rate_usage to sg_app, sg_admin;
grant select, insert, update, delete on users.rate_usage to sg_system;

create trigger record_row_change after insert or update or delete on users.rate_limits
    for each row execute function audit.record_row_change('subject_kind');
