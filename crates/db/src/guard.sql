-- Run at the end of each migration by a superuser, where the one who migrates is one: only a superuser may make an event trigger. Idempotent.
do $$
begin
    if not exists (select 1 from pg_event_trigger where evtname = 'sg_refuse_loose_function') then
        create event trigger sg_refuse_loose_function on ddl_command_end
            when tag in ('CREATE FUNCTION', 'CREATE PROCEDURE', 'ALTER FUNCTION', 'ALTER PROCEDURE', 'ALTER ROUTINE')
            execute function users.refuse_loose_function();
    end if;
    alter event trigger sg_refuse_loose_function enable;
    -- Not in a schema that ends before the step that brings the function.
    if to_regprocedure('monitoring.note_schema_change()') is not null then
        if not exists (select 1 from pg_event_trigger where evtname = 'sg_note_schema_change') then
            create event trigger sg_note_schema_change on ddl_command_end execute function monitoring.note_schema_change();
            create event trigger sg_note_schema_drop on sql_drop execute function monitoring.note_schema_change();
        end if;
        alter event trigger sg_note_schema_change enable;
        alter event trigger sg_note_schema_drop enable;
    end if;
end
$$;
