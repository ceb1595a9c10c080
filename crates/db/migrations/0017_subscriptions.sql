-- What a tenant has subscribed to. Limits hold in the transaction that would exceed them, whoever writes; what is enrolled already goes on
-- whatever becomes of the subscription, so that no telemetry is lost.

create table users.plans (
    plan varchar(50) primary key,
    name varchar(100) not null,
    description text not null default '',
    max_endpoints integer,
    max_users integer,
    retention_class smallint not null default 90,
    is_default boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint plans_plan_check check (plan ~ '^[a-z][a-z0-9_-]{0,49}$'),
    constraint plans_name_check check (length(btrim(name)) between 1 and 100),
    constraint plans_max_endpoints_check check (max_endpoints >= 0),
    constraint plans_max_users_check check (max_users >= 0),
    constraint plans_retention_class_check check (retention_class in (30, 90, 400))
);
comment on table users.plans is 'The plans of the installation. What a plan costs is no business of the database.';
comment on column users.plans.plan is 'Stable short name.';
comment on column users.plans.max_endpoints is 'Endpoints in service at most; null is unlimited.';
comment on column users.plans.max_users is 'Active people at home in the tenant at most; null is unlimited.';
comment on column users.plans.retention_class is 'Days that telemetry is kept.';
comment on column users.plans.is_default is 'What a new tenant gets; true for at most one plan.';
create unique index plans_is_default_idx on users.plans (is_default) where is_default;
create trigger touch_updated_at before update on users.plans for each row execute function users.touch_updated_at();

insert into users.plans (plan, name, description, max_endpoints, max_users, retention_class, is_default)
values
    ('unlimited', 'Unlimited', 'Everything, for whoever runs SecureGuard for themselves.', null, null, 90, true),
    ('trial', 'Trial', 'To try it out.', 25, 5, 30, false),
    ('team', 'Team', 'One team and its machines.', 100, 20, 90, false),
    ('business', 'Business', 'A company, with telemetry of more than a year.', 2000, 200, 400, false),
    ('provider', 'Provider', 'For the tenant of a provider who works for others.', null, null, 400, false);

create table users.subscriptions (
    tenant_id uuid primary key,
    plan varchar(50) not null,
    status varchar(20) not null default 'active',
    trial_ends_at timestamptz,
    period_start timestamptz not null default now(),
    period_end timestamptz,
    max_endpoints integer,
    max_users integer,
    retention_class smallint,
    growth_checks bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint subscriptions_tenant_id_fkey foreign key (tenant_id) references users.tenants (tenant_id),
    constraint subscriptions_plan_fkey foreign key (plan) references users.plans (plan),
    constraint subscriptions_status_check check (status in ('trial', 'active', 'past_due', 'suspended', 'cancelled')),
    constraint subscriptions_trial_ends_at_check check (status <> 'trial' or trial_ends_at is not null),
    constraint subscriptions_period_end_check check (period_end > period_start),
    constraint subscriptions_max_endpoints_check check (max_endpoints >= 0),
    constraint subscriptions_max_users_check check (max_users >= 0),
    constraint subscriptions_retention_class_check check (retention_class in (30, 90, 400)),
    constraint subscriptions_times_check check (isfinite(trial_ends_at) and isfinite(period_start) and isfinite(period_end))
);
comment on table users.subscriptions is 'The plan of each tenant, its state, and where the tenant has other limits than the plan.';
comment on column users.subscriptions.status is 'Only trial, active and past_due, and cancelled until its period ends, let the tenant grow.';
comment on column users.subscriptions.period_end is 'When the paid period ends; null is open-ended.';
comment on column users.subscriptions.max_endpoints is 'Instead of the plan''s limit; null is as the plan says.';
comment on column users.subscriptions.max_users is 'Instead of the plan''s limit; null is as the plan says.';
comment on column users.subscriptions.retention_class is 'Instead of the plan''s class; null is as the plan says.';
comment on column users.subscriptions.growth_checks is 'Moves with each check against a limit, which makes checks wait for each other in every isolation level.';
create index subscriptions_plan_idx on users.subscriptions (plan);

create table users.subscription_changes (
    change_id uuid primary key default users.time_ordered_uuid(),
    tenant_id uuid not null,
    changed_at timestamptz not null default clock_timestamp(),
    plan varchar(50) not null,
    status varchar(20) not null,
    trial_ends_at timestamptz,
    period_start timestamptz not null,
    period_end timestamptz,
    max_endpoints integer,
    max_users integer,
    retention_class smallint,
    changed_by uuid,
    reason text,
    database_role text not null default session_user,
    transaction_id xid8 not null default pg_current_xact_id(),
    constraint subscription_changes_tenant_id_fkey foreign key (tenant_id) references users.tenants (tenant_id)
);
comment on table users.subscription_changes is 'Each state that a subscription was in, append-only.';
comment on column users.subscription_changes.changed_by is 'The user who changed it through the server; null for jobs and for SQL by hand.';
create index subscription_changes_tenant_id_changed_at_idx on users.subscription_changes (tenant_id, changed_at desc, change_id desc);

create function users.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    -- Only the owner removes history: when a tenant is erased.
    if current_user = 'sg_owner' then
        return coalesce(new, old);
    end if;
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, lower(tg_op)
        using errcode = 'insufficient_privilege';
end
$$;
comment on function users.refuse_change() is 'Keeps a history as it was written.';
create trigger refuse_change before update or delete on users.subscription_changes for each row execute function users.refuse_change();
create trigger refuse_truncate before truncate on users.subscription_changes execute function users.refuse_change();

-- Whether a subscription lets its tenant grow.
create function users.subscription_is_live(p_status text, p_trial_ends_at timestamptz, p_period_end timestamptz, p_at timestamptz)
returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select case p_status
        when 'active' then true
        when 'past_due' then true
        when 'trial' then p_trial_ends_at > p_at
        when 'cancelled' then coalesce(p_period_end > p_at, false)
        else false
    end
$$;
comment on function users.subscription_is_live(text, timestamptz, timestamptz, timestamptz) is
    'Whether a subscription in this state lets its tenant have more endpoints and people.';

-- Called after rows were added: `p_added` of what counts, still uncommitted.
create function users.check_subscription(p_tenant uuid, p_resource text, p_added bigint) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    current record;
    allowed integer;
    used bigint;
begin
    for attempt in 1..2 loop
        select s.plan, s.status, users.subscription_is_live(s.status, s.trial_ends_at, s.period_end, clock_timestamp()) as is_live,
            case p_resource when 'endpoints' then coalesce(s.max_endpoints, p.max_endpoints) else coalesce(s.max_users, p.max_users) end
                as max_count
        into current
        from users.subscriptions s join users.plans p on p.plan = s.plan
        where s.tenant_id = p_tenant;
        if current.is_live is distinct from true then
            raise exception 'the subscription is %: no % can be added', coalesce(current.status, 'missing'), p_resource
                using errcode = 'SG002', constraint = 'subscriptions_status', detail = coalesce(current.status, 'missing'),
                    schema = 'users', table = 'subscriptions';
        end if;
        allowed := current.max_count;
        if allowed is null then
            return;
        end if;
        -- One check at a time. An update and not a lock alone: in a snapshot that is older than another's commit it fails instead of
        -- counting what was. Whoever waited here reads again what is allowed.
        if attempt = 1 then
            update users.subscriptions s set growth_checks = s.growth_checks + 1 where s.tenant_id = p_tenant;
        end if;
    end loop;
    if p_resource = 'endpoints' then
        select count(*) into used from agents.endpoints e where e.tenant_id = p_tenant and e.status <> 'decommissioned';
    else
        select count(*) into used from users.users u where u.tenant_id = p_tenant and u.is_active;
    end if;
    if used > allowed then
        raise exception 'the subscription (%) allows % %, and % are in use', current.plan, allowed, p_resource, used - p_added
            using errcode = 'SG001', constraint = 'subscriptions_max_' || p_resource,
                detail = json_build_object('resource', p_resource, 'limit', allowed, 'used', used - p_added)::text,
                hint = 'take some out of use, or change the subscription', schema = 'users', table = 'subscriptions';
    end if;
end
$$;
comment on function users.check_subscription(uuid, text, bigint) is
    'Refuses what was added beyond a tenant''s subscription: SG001 over a limit, SG002 in a state that lets nothing be added.';

create function users.enforce_subscription() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    a_tenant record;
begin
    if tg_level = 'ROW' then
        perform users.check_subscription(new.tenant_id, tg_argv[0], 1);
    elsif tg_argv[0] = 'endpoints' then
        for a_tenant in
            select a.tenant_id, count(*) as rows from added a where a.status <> 'decommissioned' group by a.tenant_id order by a.tenant_id
        loop
            perform users.check_subscription(a_tenant.tenant_id, 'endpoints', a_tenant.rows);
        end loop;
    else
        for a_tenant in
            select a.tenant_id, count(*) as rows from added a where a.is_active group by a.tenant_id order by a.tenant_id
        loop
            perform users.check_subscription(a_tenant.tenant_id, 'users', a_tenant.rows);
        end loop;
    end if;
    return null;
end
$$;
comment on function users.enforce_subscription() is 'Counts what a statement adds against the subscription of each tenant it concerns.';

-- The class of a tenant is its plan's, or its own where it has one. A class that is set at the tenant by hand becomes its own.
create function users.apply_retention() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_table_name = 'tenants' then
        update users.subscriptions s
        set retention_class = nullif(new.retention_class, p.retention_class)
        from users.plans p
        where p.plan = s.plan and s.tenant_id = new.tenant_id and coalesce(s.retention_class, p.retention_class) <> new.retention_class;
    elsif tg_table_name = 'plans' then
        update users.tenants t
        set retention_class = new.retention_class
        from users.subscriptions s
        where s.plan = new.plan and s.retention_class is null and t.tenant_id = s.tenant_id and t.retention_class <> new.retention_class;
    else
        update users.tenants t
        set retention_class = coalesce(new.retention_class, p.retention_class)
        from users.plans p
        where p.plan = new.plan and t.tenant_id = new.tenant_id and t.retention_class <> coalesce(new.retention_class, p.retention_class);
    end if;
    return null;
end
$$;
comment on function users.apply_retention() is 'Keeps users.tenants.retention_class in step with the subscription.';

create function users.create_default_subscription() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into users.subscriptions (tenant_id, plan, retention_class)
    select new.tenant_id, p.plan, nullif(new.retention_class, p.retention_class) from users.plans p
    order by p.is_default desc, p.plan = 'unlimited' desc limit 1
    on conflict do nothing;
    return null;
end
$$;
comment on function users.create_default_subscription() is 'Gives a new tenant the default plan.';

-- Who changed it and why stands in settings of the transaction, where the server did.
create function users.record_subscription() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into users.subscription_changes (tenant_id, plan, status, trial_ends_at, period_start, period_end, max_endpoints, max_users,
        retention_class, changed_by, reason)
    values (new.tenant_id, new.plan, new.status, new.trial_ends_at, new.period_start, new.period_end, new.max_endpoints, new.max_users,
        new.retention_class, nullif(current_setting('sg.changed_by', true), '')::uuid,
        nullif(current_setting('sg.change_reason', true), ''));
    return null;
end
$$;
comment on function users.record_subscription() is 'Adds each state of a subscription to its history.';

-- A plan belongs to no tenant; its history stands with the reserved one.
create function users.record_plan_change() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into audit.row_changes (tenant_id, table_name, operation, row_id, before, after)
    values ('00000000-0000-0000-0000-000000000000', 'users.plans', lower(tg_op), coalesce(to_jsonb(new), to_jsonb(old)) ->> 'plan',
        case when tg_op <> 'INSERT' then to_jsonb(old) end, case when tg_op <> 'DELETE' then to_jsonb(new) end);
    return null;
end
$$;
comment on function users.record_plan_change() is 'Row history of the plans.';

create function users.subscription_of(p_tenant uuid, p_at timestamptz)
returns table (
    tenant_id uuid, plan text, plan_name text, status text, is_live boolean, trial_ends_at timestamptz, period_start timestamptz,
    period_end timestamptz, max_endpoints integer, max_users integer, retention_class smallint, own_max_endpoints integer,
    own_max_users integer, own_retention_class smallint, endpoints_used bigint, users_used bigint, updated_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select s.tenant_id, s.plan::text, p.name::text, s.status::text,
        users.subscription_is_live(s.status, s.trial_ends_at, s.period_end, p_at), s.trial_ends_at, s.period_start, s.period_end,
        coalesce(s.max_endpoints, p.max_endpoints), coalesce(s.max_users, p.max_users), coalesce(s.retention_class, p.retention_class),
        s.max_endpoints, s.max_users, s.retention_class,
        (select count(*) from agents.endpoints e where e.tenant_id = s.tenant_id and e.status <> 'decommissioned'),
        (select count(*) from users.users u where u.tenant_id = s.tenant_id and u.is_active),
        s.updated_at
    from users.subscriptions s join users.plans p on p.plan = s.plan
    where s.tenant_id = p_tenant
$$;
comment on function users.subscription_of(uuid, timestamptz) is
    'A tenant''s subscription with the limits in force and what is used of them.';

create function users.own_subscription(p_at timestamptz)
returns table (
    tenant_id uuid, plan text, plan_name text, status text, is_live boolean, trial_ends_at timestamptz, period_start timestamptz,
    period_end timestamptz, max_endpoints integer, max_users integer, retention_class smallint, own_max_endpoints integer,
    own_max_users integer, own_retention_class smallint, endpoints_used bigint, users_used bigint, updated_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select o.tenant_id, o.plan, o.plan_name, o.status, o.is_live, o.trial_ends_at, o.period_start, o.period_end, o.max_endpoints,
        o.max_users, o.retention_class, o.own_max_endpoints, o.own_max_users, o.own_retention_class, o.endpoints_used, o.users_used,
        o.updated_at
    from users.subscription_of(users.current_tenant(), p_at) o
$$;
comment on function users.own_subscription(timestamptz) is 'The subscription of the opened context''s tenant.';

-- Two weeks between the end of a period and the day from which the tenant cannot grow.
create function users.advance_subscriptions(p_at timestamptz)
returns table (tenant_id uuid, plan text, status_before text, status_after text)
language sql volatile set search_path = pg_catalog, pg_temp as $$
    with due as (
        select s.tenant_id, s.status,
            case
                when s.status = 'trial' and s.trial_ends_at <= p_at then 'suspended'
                when s.status in ('active', 'past_due') and s.period_end <= p_at - interval '14 days' then 'suspended'
                when s.status = 'active' and s.period_end <= p_at then 'past_due'
            end as next_status
        from users.subscriptions s
        where s.trial_ends_at <= p_at or s.period_end <= p_at
        order by s.tenant_id
        for no key update
    )
    update users.subscriptions s set status = d.next_status
    from due d
    where d.tenant_id = s.tenant_id and d.next_status is not null and s.status = d.status
    returning s.tenant_id, s.plan::text, d.status::text, s.status::text
$$;
comment on function users.advance_subscriptions(timestamptz) is
    'Ends trials and periods that are over; returns what changed. Running it again changes nothing.';

select users.enable_tenant_isolation(t) from unnest(array['users.subscriptions', 'users.subscription_changes']) t;
create policy own_scope on users.subscriptions as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on users.subscription_changes as restrictive for select to sg_app using ((select users.current_scope()) = 'tenant');
create policy auth_access on users.subscriptions for all to sg_auth using (true) with check (true);
create policy auth_access on users.subscription_changes for insert to sg_auth with check (true);

grant select on users.subscriptions, users.subscription_changes to sg_app;
grant select, update on users.subscriptions to sg_system, sg_admin;
grant select on users.subscription_changes to sg_system, sg_admin;
grant select on users.plans to sg_system;
grant select, insert, update, delete on users.plans to sg_admin;
grant select on users.plans, users.subscriptions, users.subscription_changes to sg_backup;
grant select on users.plans to sg_auth;
grant select, insert, update on users.subscriptions to sg_auth;
grant insert on users.subscription_changes to sg_auth;
grant update (retention_class) on users.tenants to sg_auth;

revoke all on function users.refuse_change(), users.subscription_is_live(text, timestamptz, timestamptz, timestamptz),
    users.check_subscription(uuid, text, bigint), users.enforce_subscription(), users.apply_retention(), users.create_default_subscription(),
    users.record_subscription(), users.record_plan_change(), users.subscription_of(uuid, timestamptz), users.own_subscription(timestamptz),
    users.advance_subscriptions(timestamptz) from public;
grant execute on function users.subscription_is_live(text, timestamptz, timestamptz, timestamptz) to sg_auth;
grant execute on function users.subscription_of(uuid, timestamptz) to sg_system, sg_admin;
grant execute on function users.own_subscription(timestamptz) to sg_app;
grant execute on function users.advance_subscriptions(timestamptz) to sg_system;

-- Making a trigger takes the right to its function.
set local role sg_auth;
grant execute on function audit.record_row_change() to sg_owner;
set local role sg_owner;
create trigger touch_updated_at before update of plan, status, trial_ends_at, period_start, period_end, max_endpoints, max_users,
    retention_class on users.subscriptions for each row execute function users.touch_updated_at();
create trigger record_row_change after insert or update or delete on users.subscriptions
    for each row execute function audit.record_row_change('tenant_id', 'growth_checks');
create trigger record_subscription after insert on users.subscriptions for each row execute function users.record_subscription();
create trigger record_subscription_change after update on users.subscriptions
    for each row
    when ((old.plan, old.status, old.trial_ends_at, old.period_start, old.period_end, old.max_endpoints, old.max_users,
        old.retention_class) is distinct from (new.plan, new.status, new.trial_ends_at, new.period_start, new.period_end,
        new.max_endpoints, new.max_users, new.retention_class))
    execute function users.record_subscription();
create trigger record_plan_change after insert or update or delete on users.plans
    for each row execute function users.record_plan_change();

create trigger apply_retention after insert or update of plan, retention_class on users.subscriptions
    for each row execute function users.apply_retention();
create trigger apply_retention after update of retention_class on users.plans
    for each row when (old.retention_class <> new.retention_class) execute function users.apply_retention();

-- What follows locks tables that are in use, for the moment until the commit.
drop policy auth_access on users.tenants;
create policy auth_access on users.tenants for all to sg_auth using (true) with check (true);
create trigger create_default_subscription after insert on users.tenants
    for each row execute function users.create_default_subscription();
create trigger apply_retention after update of retention_class on users.tenants
    for each row when (old.retention_class <> new.retention_class) execute function users.apply_retention();
create trigger enforce_subscription after insert on agents.endpoints referencing new table as added
    for each statement execute function users.enforce_subscription('endpoints');
create trigger enforce_subscription_on_return after update of status, tenant_id on agents.endpoints
    for each row when (new.status <> 'decommissioned' and (old.status = 'decommissioned' or old.tenant_id <> new.tenant_id))
    execute function users.enforce_subscription('endpoints');
create trigger enforce_subscription after insert on users.users referencing new table as added
    for each statement execute function users.enforce_subscription('users');
create trigger enforce_subscription_on_return after update of is_active, tenant_id on users.users
    for each row when (new.is_active and (not old.is_active or old.tenant_id <> new.tenant_id))
    execute function users.enforce_subscription('users');

grant create on schema users to sg_auth;
alter function users.check_subscription(uuid, text, bigint) owner to sg_auth;
alter function users.enforce_subscription() owner to sg_auth;
alter function users.apply_retention() owner to sg_auth;
alter function users.create_default_subscription() owner to sg_auth;
alter function users.record_subscription() owner to sg_auth;
alter function users.record_plan_change() owner to sg_auth;
alter function users.subscription_of(uuid, timestamptz) owner to sg_auth;
alter function users.own_subscription(timestamptz) owner to sg_auth;
revoke create on schema users from sg_auth;

-- As sg_auth, whom row security lets see every tenant. The class that a tenant has stays.
set local role sg_auth;
insert into users.subscriptions (tenant_id, plan, retention_class)
select t.tenant_id, 'unlimited', nullif(t.retention_class, 90) from users.tenants t;
set local role sg_owner;
