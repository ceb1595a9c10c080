-- Run at each migration, before the numbered steps, by the role that migrates. Idempotent.
do $$
declare
    -- Since PostgreSQL 16 a role that makes another is its member without the right to act as it.
    acting constant text := case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end;
    a_role text;
    an_object record;
begin
    foreach a_role in array array['sg_owner', 'sg_app', 'sg_app_own', 'sg_auth', 'sg_system', 'sg_admin', 'sg_backup', 'sg_monitor'] loop
        if not exists (select 1 from pg_roles where rolname = a_role) then
            execute format('create role %I nologin noinherit', a_role);
        end if;
    end loop;

    -- A request whose caller sees only their own takes the role of those. It does not inherit either: their policies would show it nothing more, at a cost.
    if not pg_has_role('sg_app', 'sg_app_own', acting) then
        grant sg_app_own to sg_app;
    end if;
    -- sg_owner hands definer functions to sg_auth; sg_admin may look through the eyes of a request. Neither inherits: a policy that restricts
    -- sg_app must not restrict the administrator.
    if not pg_has_role('sg_owner', 'sg_auth', acting) then
        grant sg_auth to sg_owner;
    end if;
    if not pg_has_role('sg_admin', 'sg_app', acting) then
        grant sg_app to sg_admin;
    end if;
    if not pg_has_role(current_user, 'sg_owner', acting) then
        execute format('grant sg_owner to %I', current_user);
    end if;

    execute format('grant create on database %I to sg_owner', current_database());
    execute format('grant connect on database %I to sg_app, sg_system, sg_admin, sg_backup, sg_monitor', current_database());
    execute format('revoke temporary on database %I from public', current_database());
    grant usage, create on schema public to sg_owner;

    -- What an earlier database was built with belongs to whoever built it; sg_owner takes it over.
    for an_object in select n.nspname from pg_namespace n
        where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and pg_get_userbyid(n.nspowner) <> 'sg_owner'
    loop
        execute format('alter schema %I owner to sg_owner', an_object.nspname);
    end loop;
    for an_object in select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and pg_get_userbyid(c.relowner) <> 'sg_owner'
    loop
        execute format('alter table %s owner to sg_owner', an_object.name);
    end loop;
    for an_object in select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and pg_get_userbyid(p.proowner) not in ('sg_owner', 'sg_auth')
    loop
        execute format('alter routine %s owner to sg_owner', an_object.name);
    end loop;
    -- Views of an earlier installation on the documented tables stand in the way of the migration, which reports and removes them: see 0009.
    if to_regclass('audit.adoption_report') is null then
        for an_object in
            with recursive dependent as (
                select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname in ('users', 'agents', 'threats') and c.relkind in ('r', 'p')
                union
                select r.ev_class from dependent p
                join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = p.oid
                join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
            )
            select c.oid::regclass::text as name, c.relkind from dependent d join pg_class c on c.oid = d.oid
            where c.relkind in ('v', 'm') and pg_get_userbyid(c.relowner) <> 'sg_owner'
        loop
            execute format('alter %s %s owner to sg_owner', case an_object.relkind when 'm' then 'materialized view' else 'view' end, an_object.name);
        end loop;
    end if;
end
$$;

-- Only a superuser may hand these out; elsewhere the administrator of the installation does.
do $$
begin
    -- What open_context writes there is believed because nobody else can: see 0030.
    if not has_parameter_privilege('sg_auth', 'backtrace_functions', 'set') then
        grant set on parameter backtrace_functions to sg_auth;
    end if;
    grant pg_monitor to sg_monitor;
    -- monitoring.list_standbys tells how far standbys are.
    if not pg_has_role('sg_auth', 'pg_read_all_stats', 'usage') then
        alter role sg_auth inherit;
        grant pg_read_all_stats to sg_auth;
    end if;
    alter role sg_app set log_parameter_max_length = 0;
    alter role sg_app set log_parameter_max_length_on_error = 0;
    alter role sg_system set log_parameter_max_length = 0;
    alter role sg_system set log_parameter_max_length_on_error = 0;
exception
    when insufficient_privilege then
        raise notice 'not a superuser: tenant contexts are sealed, which costs more; sg_monitor does not get pg_monitor, nor sg_auth pg_read_all_stats; the logging of parameters stays as the server has it';
end
$$;

-- The same for physical backups: pgBackRest signs in as sg_backup.
do $$
begin
    grant execute on function pg_catalog.pg_backup_start(text, boolean), pg_catalog.pg_backup_stop(boolean), pg_catalog.pg_switch_wal(),
        pg_catalog.pg_create_restore_point(text) to sg_backup;
    -- The watch over the archive closes a segment that PostgreSQL leaves open.
    grant execute on function pg_catalog.pg_switch_wal() to sg_system;
    if not pg_has_role('sg_backup', 'pg_read_all_settings', 'usage') then
        alter role sg_backup inherit;
        grant pg_read_all_settings to sg_backup;
    end if;
exception
    when insufficient_privilege then
        raise notice 'not a superuser: sg_backup cannot make physical backups';
end
$$;

-- What statements take, by their shape and without the values in them: where PostgreSQL has loaded the module that counts it. A role reads its own statements only.
do $$
begin
    if not current_setting('shared_preload_libraries') ~ '\mpg_stat_statements\M' then
        return;
    end if;
    if not exists (select 1 from pg_extension where extname = 'pg_stat_statements') then
        create extension pg_stat_statements schema public;
    end if;
    revoke all on public.pg_stat_statements, public.pg_stat_statements_info from public;
    grant select on public.pg_stat_statements to sg_app, sg_system;
exception
    when insufficient_privilege or undefined_file or undefined_table then
        raise notice 'pg_stat_statements is not to be had: the average time of queries and slow ones are not known';
end
$$;
