-- Who does not see the whole of a tenant works in a database role of their own. So a table asks a request one question, which tenant it sees all of, and
-- what narrows the others stands in policies that only they pay for. A table without such a policy shows them nothing.

create or replace function users.enable_tenant_isolation(p_table text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    execute format('alter table %s enable row level security, force row level security', p_table);
    execute format(
        'create policy tenant_isolation on %s for all to sg_app using (tenant_id = (select users.whole_tenant()))
            with check (tenant_id = (select users.whole_tenant()))', p_table);
    execute format('create policy system_access on %s for all to sg_system using (true) with check (true)', p_table);
    execute format('create policy admin_access on %s for all to sg_admin using (true) with check (true)', p_table);
    execute format('create policy backup_access on %s for select to sg_backup using (true)', p_table);
end
$$;
comment on function users.enable_tenant_isolation(text) is
    'Puts a table with a tenant_id under row security; every migration that makes such a table calls it. For sg_app_own a policy own_rows is added where '
    'people of that scope have something in the table.';

grant create on schema users to sg_auth;
set local role sg_auth;
-- Nobody but who sees the whole tenant is shown its guests.
create or replace function users.list_guests() returns uuid[]
language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(m.user_id), '{}')
    from users.memberships m join users.users u on u.user_id = m.user_id
    where m.tenant_id = users.whole_tenant() and u.tenant_id <> m.tenant_id
$$;
comment on function users.list_guests() is
    'The people of other tenants who have, or had, access to the tenant of the opened context, for who sees all of it.';
set local role sg_owner;
revoke create on schema users from sg_auth;

create or replace function users.keep_key_ended() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_user in ('sg_app', 'sg_app_own') and (
        (new.is_active and not old.is_active)
        or coalesce(new.expires_at, 'infinity') > coalesce(old.expires_at, 'infinity'))
    then
        raise exception 'an API key that is revoked or ends is not brought back' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;
