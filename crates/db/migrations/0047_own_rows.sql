-- no-transaction
-- The policies of 0046, one table after the other, each in a transaction of its own: a single one would hold a lock that requests wait for while it waits
-- for theirs. A table that is in use for half a second has its turn later. Whoever stops in the middle goes on with what is left.
do $$
declare
    isolated record;
    narrowing record;
    is_done boolean;
begin
    for attempt in 1..600 loop
        is_done := true;
        for isolated in
            select c.oid::regclass::text as name, o.condition
            from pg_policy p
            join pg_class c on c.oid = p.polrelid
            left join (
                values
                    ('user_id = (select users.current_user_id())', array['agents.endpoints', 'users.api_keys', 'users.external_identities',
                        'users.memberships', 'users.outgoing_mail', 'users.provisioned_group_members', 'users.secrets', 'users.sessions', 'users.users']),
                    ('agent_id = any ((select agents.own_endpoints())::uuid[])', array['agents.agent_tokens', 'agents.commands', 'agents.events',
                        'agents.events_held', 'agents.gaps', 'agents.heartbeats', 'agents.streams', 'agents.system_info', 'agents.system_info_daily',
                        'agents.system_info_hourly', 'threats.findings', 'threats.incident_subjects', 'threats.incidents']),
                    ('command_id in (select c.command_id from agents.commands c)', array['agents.command_output', 'agents.command_results']),
                    ('threat_id in (select i.threat_id from threats.incidents i)', array['threats.incident_timeline']),
                    ('finding_id in (select f.finding_id from threats.findings f)', array['threats.occurrences']),
                    -- What is everybody's in the tenant.
                    ('true', array['threats.rule_sets', 'threats.rule_versions', 'threats.rules', 'users.password_policies', 'users.role_permissions',
                        'users.roles', 'users.tenants'])
            ) as o (condition, tables) on c.oid::regclass::text = any (o.tables)
            where p.polname = 'tenant_isolation' and pg_get_expr(p.polwithcheck, p.polrelid) not like '%whole_tenant()%'
            order by 1
        loop
            begin
                set local lock_timeout = '500ms';
                execute format(
                    'alter policy tenant_isolation on %s using (tenant_id = (select users.whole_tenant()))
                        with check (tenant_id = (select users.whole_tenant()))', isolated.name);
                if isolated.condition is not null then
                    execute format(
                        'create policy own_rows on %1$s for all to sg_app_own using (tenant_id = (select users.current_tenant()) and %2$s)
                            with check (tenant_id = (select users.current_tenant()) and %2$s)', isolated.name, isolated.condition);
                end if;
                -- Everybody's acts are recorded, which not everybody reads.
                if isolated.name = 'audit.events' then
                    create policy own_rows on audit.events for insert to sg_app_own with check (tenant_id = (select users.current_tenant()));
                end if;
                -- Whose home is elsewhere sees themselves too.
                if isolated.name = 'users.users' then
                    create policy own_visibility on users.users for select to sg_app_own using (user_id = (select users.current_user_id()));
                end if;
                for narrowing in
                    select p.polname as name from pg_policy p
                    where p.polrelid = to_regclass(isolated.name) and not p.polpermissive and p.polroles = array['sg_app'::regrole::oid]
                loop
                    if narrowing.name = 'own_scope' then
                        execute format('drop policy own_scope on %s', isolated.name);
                    else
                        execute format('alter policy %I on %s to sg_app, sg_app_own', narrowing.name, isolated.name);
                    end if;
                end loop;
            exception
                when lock_not_available or deadlock_detected then
                    is_done := false;
            end;
            commit;
        end loop;
        exit when is_done;
        perform pg_sleep(0.1);
    end loop;
    if not is_done then
        raise exception 'tables are in use without a break: run the migration again when there is less to do';
    end if;
end
$$;
